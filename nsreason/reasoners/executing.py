"""A reasoner of anything that builds scenes: exact execution of programs on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..errors import DataError, NsreasonError
from ..language.parsers import QuestionParser, program_source
from ..queries.query import Query, Reply

if TYPE_CHECKING:
    from ..dsl.domain import Domain
    from ..executors import Answer
    from ..programs.program import Program
    from ..scenes.scene import Scene
    from ..traces.trace import Trace


class SceneBuilder(Protocol):
    """Scenes of what queries are about."""

    @property
    def parameters(self) -> int:
        """How many numbers it has learned."""

    def scenes(self, queries: Sequence[Query], /) -> list[Scene | NsreasonError]:
        """A scene for each query, the same object for queries about one thing; or the error that says why none."""


def program_of(query: Query, programs: str | QuestionParser, domain: Domain | str) -> Program:
    """Return the program of a query.

    Args:
        query: the question.
        programs: `given`, for the one that comes with the query; a parser, or the name of one (`parsed` is the
            domain's grammar).
        domain: what the parser is built for, where a name is given.

    Raises:
        DataError: there is no program, or no text.
        QuestionError: the text is not understood.
        RecipeError: there is no such parser.
    """
    source = program_source(programs, domain)
    if isinstance(source, str):
        if query.program is None:
            raise DataError(f"question {query.index} comes without a program; parse its text instead")
        return query.program
    if query.text is None:
        raise DataError(f"question {query.index} has no text to parse")
    return source.parse(query.text)


@dataclass(frozen=True)
class Executing:
    """Exact execution of programs on the scenes that a builder makes.

    programs: `given` with the query, `parsed` from its text by the grammar, or by another parser: the parser, or its
        name. A program that has no exact answer (`unique` of no object) gets that of the lenient rule, with the error
        beside it.
    """

    builder: SceneBuilder
    programs: str | QuestionParser = "given"
    domain: Domain | str = "clevr"

    @property
    def parameters(self) -> int:
        """Those of the builder."""
        return self.builder.parameters

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        """See `Reasoner.answer`."""
        from ..executors import spell

        replies: dict[int, Reply] = {}
        place: dict[int, int] = {}
        scenes: list[Scene] = []
        programs: list[Program] = []
        ready: list[tuple[int, int]] = []
        for i, (query, scene) in enumerate(zip(queries, self.builder.scenes(queries), strict=True)):
            try:
                if isinstance(scene, NsreasonError):
                    raise scene
                programs.append(program_of(query, self.programs, self.domain))
            except NsreasonError as error:
                replies[i] = Reply(None, error=error)
                continue
            if id(scene) not in place:
                place[id(scene)] = len(scenes)
                scenes.append(scene)  # and so its id stays its own
            ready.append((i, place[id(scene)]))
        answers = _executed(programs, scenes, [where for _, where in ready])
        for (i, where), program, answer in zip(ready, programs, answers, strict=True):
            if isinstance(answer, NsreasonError):
                replies[i] = _lenient(program, scenes[where], answer)
            else:
                told = spell(answer)
                replies[i] = Reply(told, {told: 1.0})
        return [replies[i] for i in range(len(queries))]

    def trace(self, query: Query) -> Trace | None:
        """See `Reasoner.trace`."""
        from ..executors import trace

        [scene] = self.builder.scenes([query])
        if isinstance(scene, NsreasonError):
            raise scene
        return trace(program_of(query, self.programs, self.domain), scene, query.text)


def _executed(
    programs: Sequence[Program], scenes: Sequence[Scene], which: Sequence[int]
) -> Sequence[Answer | NsreasonError]:
    from ..executors import execute, execute_batch

    if not programs:
        return []
    try:
        return execute_batch(programs, scenes, which)
    except NsreasonError:  # programs and scenes of several domains: find out which do not fit
        found: list[Answer | NsreasonError] = []
        for program, where in zip(programs, which, strict=True):
            try:
                found.append(execute(program, scenes[where]))
            except NsreasonError as error:
                found.append(error)
        return found


def _lenient(program: Program, scene: Scene, error: NsreasonError) -> Reply:
    from ..executors import spell
    from ..executors.lenient import execute_leniently

    try:
        answer = execute_leniently(program, scene)
    except NsreasonError:
        answer = None
    if answer is None:
        return Reply(None, error=error)
    told = spell(answer)
    return Reply(told, {told: 1.0}, error)
