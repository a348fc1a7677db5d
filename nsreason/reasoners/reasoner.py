"""What answers questions, whatever is inside: the protocol of reasoners, and the table of them. No torch is imported.

    reasoner = reasoner_class("relation-network").made("relation-network", lesson)
    replies = reasoner.answer(queries)

A reasoner maps queries to replies. An executor over annotated scenes is one, an executor over what a scene parser reads
in images, a concept learner, a network that answers without programs. How it gets ready is its class's matter: `made`
is given a `Lesson`, and those that learn learn from it, within its budget.

What builds scenes from what is to be seen (annotations, images, the graphs that a model draws of them) is a
`SceneBuilder`; `Executing` makes a reasoner of any of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from ..errors import DataError, NsreasonError, RecipeError
from ..queries.query import Query, Reply
from ..registry import named

if TYPE_CHECKING:
    from ..dsl.domain import Domain
    from ..executors import Answer
    from ..programs.program import Program
    from ..scenes.scene import Scene
    from ..traces.trace import Trace

Kind = Literal["symbolic", "soft", "neural"]


class Reasoner(Protocol):
    """Answers queries.

    A query that it cannot answer gets a Reply with an error; the others are answered. It may raise where none can be
    answered: a missing file, queries of another task.
    """

    @property
    def parameters(self) -> int:
        """How many numbers it has learned; 0 for one that learns nothing."""

    def answer(self, queries: Sequence[Query], /) -> list[Reply]:
        """A reply for each query, in order."""

    def trace(self, query: Query, /) -> Trace | None:
        """How it comes to its answer, step by step, or None if it has no steps to show.

        Raises:
            NsreasonError: there is no program, or nothing to execute it on.
        """


@dataclass(frozen=True)
class Budget:
    """How much a reasoner may learn: as long as that, or from so many questions, each counted whenever it is seen."""

    seconds: float | None = None
    examples: int | None = None

    def __post_init__(self) -> None:
        given = [b for b in (self.seconds, self.examples) if b is not None]
        if len(given) != 1 or not 0 < given[0] < math.inf:
            raise RecipeError(f"a budget is a time or a number of questions, above 0; got {given}")

    def __str__(self) -> str:
        return f"{self.examples:,} questions" if self.seconds is None else f"{self.seconds:g} s"


def read_budget(text: str) -> Budget:
    """A budget as the command line has it: `90s`, `10m`, `1h`, or `50000q` questions.

    Raises:
        RecipeError: it is none.
    """
    number, unit = text.strip()[:-1].replace(",", "").replace("_", ""), text.strip()[-1:].lower()
    try:
        amount = float(number)
        if unit == "q":
            return Budget(examples=int(amount))
        return Budget(seconds=amount * {"s": 1, "m": 60, "h": 3600}[unit])
    except (ValueError, KeyError, OverflowError):
        raise RecipeError(f"a budget is a time, as 90s, 10m or 1h, or questions, as 50000q; got '{text}'") from None


@dataclass(frozen=True)
class Lesson:
    """What there is to get ready with.

    Attributes:
        task: its name; task_settings: those that `nsreason.tasks.make_task` takes.
        train: what may be learned from. valid: what may be used to choose, not to learn from.
        folder: the reasoner's own: what it learned stands there, and is found again when the work is taken up anew.
        budget: of learning.
        recipe: a bundled recipe's name, a file's, or None for the task's own; `overrides` as `--set` gives them.
        sees: what networks look at, if the task has several: `rows`, `picture`; None for the task's first.
        recipes: the task's, for networks: what they look at -> the recipe's name.
        checkpoint: what has been learned already, instead of learning.
        trust: whether files that were handed on may name modules of their own; see `checkpoint.load_model`.
        progress: told of each step of training.
    """

    task: str
    train: Sequence[Query]
    valid: Sequence[Query]
    folder: Path
    budget: Budget
    seed: int = 0
    domain: str = "clevr"
    recipe: str | None = None
    overrides: tuple[str, ...] = ()
    sees: str | None = None
    recipes: dict[str, str] = field(default_factory=dict)
    checkpoint: Path | None = None
    trust: bool = False
    progress: Callable[[Any], None] | None = None


class Made(Protocol):
    """What the table names: a class, or anything else, that makes reasoners.

    Attributes:
        learns: whether what it makes depends on what there is to learn from.
        kind: how results are to be read: `symbolic` reasoners execute programs exactly, `soft` ones by degrees,
            `neural` ones have no programs.
    """

    learns: ClassVar[bool]
    kind: ClassVar[Kind]

    @classmethod
    def made(cls, name: str, lesson: Lesson, /) -> Reasoner:
        """The reasoner of that name, ready to answer.

        Raises:
            NsreasonError: it cannot be made of such a lesson.
        """


REASONERS: dict[str, str] = {
    "cnn-lstm": "nsreason.reasoners.concepts:Network",
    "cnn-lstm-sa": "nsreason.reasoners.concepts:Network",
    "cnn-mlp": "nsreason.reasoners.concepts:Network",
    "concept-learner": "nsreason.reasoners.concepts:Concepts",
    "exact": "nsreason.reasoners.annotated_scenes:Exact",
    "exact-parsed": "nsreason.reasoners.annotated_scenes:ExactParsed",
    "image-concepts": "nsreason.reasoners.annotated_scenes:ImageConcepts",
    "lstm": "nsreason.reasoners.concepts:Network",
    "mlp": "nsreason.reasoners.concepts:Network",
    "question-type": "nsreason.reasoners.concepts:Network",
    "relation-network": "nsreason.reasoners.concepts:Network",
    "scene-parser": "nsreason.reasoners.annotated_scenes:ImageScenes",
}
"""Name -> `module:Class`. Literal, so that a search for a name finds its file."""


def reasoner_class(name: str) -> Any:
    """What makes the reasoner of a name in `REASONERS`, or of one's own, given as `module:Class`.

    Raises:
        RecipeError: there is none, or its module cannot be imported.
    """
    found = named("reasoner", name, REASONERS, classes=False)
    lacks = [what for what in ("made", "learns", "kind") if not hasattr(found, what)]
    if lacks:
        path = REASONERS.get(name, name)
        raise RecipeError(f"reasoner '{name}': {path} makes no reasoners, it lacks {', '.join(lacks)}")
    return found


# --- executors over whatever builds scenes ------------------------------------------------------------------


class SceneBuilder(Protocol):
    """Scenes of what queries are about."""

    @property
    def parameters(self) -> int:
        """How many numbers it has learned."""

    def scenes(self, queries: Sequence[Query], /) -> list[Scene | NsreasonError]:
        """A scene for each query, the same object for queries about one thing; or the error that says why none."""


def program_of(query: Query, programs: Literal["given", "parsed"], domain: Domain | str) -> Program:
    """The program of a query: the one `given` with it, or that `parsed` from its text.

    Raises:
        DataError: there is none, or no text. QuestionError: the text is not understood.
    """
    if programs == "given":
        if query.program is None:
            raise DataError(f"question {query.index} comes without a program; parse its text instead")
        return query.program
    if query.text is None:
        raise DataError(f"question {query.index} has no text to parse")
    from ..language.question_parser import parse_question

    return parse_question(query.text, domain)


@dataclass(frozen=True)
class Executing:
    """Exact execution of programs on the scenes that a builder makes.

    programs: `given` with the query, or `parsed` from its text. A program that has no exact answer (`unique` of no
        object) gets that of the lenient rule, with the error beside it.
    """

    builder: SceneBuilder
    programs: Literal["given", "parsed"] = "given"
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
