"""A reasoner of anything that builds scenes: exact execution of programs on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from ..errors import DataError, NsreasonError
from ..language.parsers import ProgramSource, QuestionParser, program_source
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
    return _program(query, program_source(programs, domain))


def _program(query: Query, source: ProgramSource) -> Program:
    if isinstance(source, str):
        if query.program is None:
            raise DataError(f"question {query.index} comes without a program; parse its text instead")
        return query.program
    if query.text is None:
        raise DataError(f"question {query.index} has no text to parse")
    return source.parse(query.text)


@dataclass(frozen=True)
class Executing:
    """Exact execution of programs on the scenes that a builder makes."""

    builder: SceneBuilder
    programs: str | QuestionParser = "given"
    """`given` with the query, `parsed` from its text by the grammar, or by another parser: the parser, or its name."""
    domain: Domain | str = "clevr"
    """What the parser is built for, where `programs` is a name."""
    lenient: bool = True
    """A program without an exact answer (`unique` of no object) gets that of the lenient rule, beside the error."""
    seconds: dict[str, float] = field(default_factory=dict, compare=False, repr=False)
    """Spent so far on `parsing` and on `executing`; see `Reasoner`."""

    @property
    def parameters(self) -> int:
        """Those of the builder."""
        return self.builder.parameters

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        """See `Reasoner.answer`; with programs that are parsed, replies carry them."""
        from ..executors import spell

        source = program_source(self.programs, self.domain)
        errors: dict[int, NsreasonError] = {}
        place: dict[Scene, int] = {}  # scenes are equal to themselves alone
        programs: list[Program] = []
        which: list[int] = []
        asked: list[int] = []
        began = perf_counter()
        for i, (query, scene) in enumerate(zip(queries, self.builder.scenes(queries), strict=True)):
            if isinstance(scene, NsreasonError):
                errors[i] = scene
                continue
            try:
                programs.append(_program(query, source))
            except NsreasonError as error:
                errors[i] = error
                continue
            which.append(place.setdefault(scene, len(place)))
            asked.append(i)
        parsed = perf_counter()
        answers = _executed(programs, list(place), which)
        scenes, replies = list(place), [_NO_REPLY] * len(queries)
        own = source != "given"
        for i, where, program, answer in zip(asked, which, programs, answers, strict=True):
            parsed_program = program if own else None
            if isinstance(answer, NsreasonError):
                replies[i] = self._guess(program, scenes[where], answer, parsed_program)
            else:
                text = spell(answer)
                replies[i] = Reply(text, {text: 1.0}, program=parsed_program)
        for i, fault in errors.items():
            replies[i] = Reply(None, error=fault)
        self._spent("parsing", parsed - began)
        self._spent("executing", perf_counter() - parsed)
        return replies

    def _guess(self, program: Program, scene: Scene, error: NsreasonError, parsed: Program | None) -> Reply:
        """The reply to a program without an exact answer."""
        from ..executors import spell

        guess = _leniently(program, scene) if self.lenient else None
        if guess is None:
            return Reply(None, error=error, program=parsed)
        text = spell(guess)
        return Reply(text, {text: 1.0}, error, program=parsed)

    def _spent(self, what: str, seconds: float) -> None:
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds

    def trace(self, query: Query) -> Trace | None:
        """See `Reasoner.trace`."""
        from ..executors import trace

        [scene] = self.builder.scenes([query])
        if isinstance(scene, NsreasonError):
            raise scene
        return trace(program_of(query, self.programs, self.domain), scene, query.text)


_NO_REPLY = Reply(None)


def _executed(
    programs: Sequence[Program], scenes: Sequence[Scene], which: Sequence[int]
) -> Sequence[Answer | NsreasonError]:
    from ..executors import execute, execute_batch

    if not programs:
        return []
    try:
        return execute_batch(programs, scenes, which)
    except NsreasonError:  # programs and scenes of several domains: find out which do not fit
        answers: list[Answer | NsreasonError] = []
        for program, where in zip(programs, which, strict=True):
            try:
                answers.append(execute(program, scenes[where]))
            except NsreasonError as error:
                answers.append(error)
        return answers


def _leniently(program: Program, scene: Scene) -> Answer | None:
    from ..executors.lenient import execute_leniently

    try:
        return execute_leniently(program, scene)
    except NsreasonError:
        return None
