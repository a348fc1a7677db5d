"""Curricula: which examples are learned from, epoch by epoch. A curriculum is data.

    curriculum = preset("nscl-release")          # or read from a recipe's [curriculum]
    indices = curriculum.select(examples, epoch=7)

An example says how hard it is by attributes: `n_objects` (objects in the annotated scene), `n_nodes`
(nodes of the program as the data set gives it), `family` and `ops` (names of nsreason's ops that its program
calls). Only those that a lesson asks about need to be there. Epochs count from 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import msgspec

from ..errors import RecipeError, TrainingError, did_you_mean


@dataclass(frozen=True)
class Lesson:
    """From one epoch on, until the next lesson begins: what the examples may be.

    Attributes:
        from_epoch: the first epoch, from 1.
        name: for messages and logs.
        max_objects, max_nodes: inclusive; None is no limit.
        families: question families that are admitted; None admits all.
        ops: ops that a program may call; None admits all.
        freeze: parts of the model (prefixes of parameter names, as `perception`) that do not learn meanwhile.
    """

    from_epoch: int = 1
    name: str = ""
    max_objects: int | None = None
    max_nodes: int | None = None
    families: tuple[str | int, ...] | None = None
    ops: tuple[str, ...] | None = None
    freeze: tuple[str, ...] = ()

    def admits(self, example: Any) -> bool:
        """Whether the example may be learned from.

        Raises:
            AttributeError: the example does not say how hard it is.
        """
        return (
            (self.max_objects is None or example.n_objects <= self.max_objects)
            and (self.max_nodes is None or example.n_nodes <= self.max_nodes)
            and (self.families is None or example.family in self.families)
            and (self.ops is None or set(example.ops) <= set(self.ops))
        )

    def __str__(self) -> str:
        settings = (f"{f.name} = {getattr(self, f.name)!r}" for f in fields(self) if f.name not in ("name", "freeze"))
        limits = ", ".join(t for t in settings if not t.endswith("= None"))
        return f"'{self.name}' ({limits})" if self.name else f"({limits})"


@dataclass(frozen=True)
class Curriculum:
    """Lessons in order; the first begins at epoch 1, each lasts until the next."""

    lessons: tuple[Lesson, ...] = (Lesson(),)

    def __post_init__(self) -> None:
        starts = [lesson.from_epoch for lesson in self.lessons]
        if starts[:1] != [1]:
            start = starts[0] if starts else "no lesson"
            raise RecipeError(f"curriculum: the first lesson begins at epoch 1, found {start}")
        for number, (before, after) in enumerate(itertools.pairwise(starts), start=2):
            if after <= before:
                message = f"begins at epoch {after}, not after lesson {number - 1} at {before}"
                raise RecipeError(f"curriculum: lesson {number} {message}")

    def index(self, epoch: int) -> int:
        """The position of the lesson that an epoch, from 1, belongs to."""
        return sum(lesson.from_epoch <= epoch for lesson in self.lessons) - 1

    def lesson(self, epoch: int) -> Lesson:
        """The lesson that an epoch belongs to."""
        return self.lessons[self.index(epoch)]

    def select(self, examples: Sequence[Any], epoch: int) -> list[int]:
        """The indices of the examples that the epoch's lesson admits, in order.

        Raises:
            TrainingError: it admits none, or the examples do not say what it asks; the message names it.
        """
        number = self.index(epoch)
        lesson = self.lessons[number]
        where = f"lesson {number + 1} {lesson}"
        if examples and not any((lesson.max_objects, lesson.max_nodes, lesson.families, lesson.ops)):
            return list(range(len(examples)))
        try:
            admitted = [i for i, example in enumerate(examples) if lesson.admits(example)]
        except AttributeError as error:
            raise TrainingError(f"{where}: the examples do not say how hard they are: {error}") from None
        if not admitted:
            raise TrainingError(f"{where} admits none of {len(examples)} examples{_easiest(lesson, examples)}")
        return admitted

    def scaled(self, epochs: int, planned: int) -> Curriculum:
        """The same lessons, planned for `planned` epochs, in `epochs`. Of lessons that fall together the last stays."""
        starts: dict[int, Lesson] = {}
        for lesson in self.lessons:
            start = 1 + (lesson.from_epoch - 1) * epochs // planned
            starts[start] = replace(lesson, from_epoch=start)
        return Curriculum(tuple(starts.values()))


def _easiest(lesson: Lesson, examples: Sequence[Any]) -> str:
    """Why not: the fewest objects and nodes that any example has."""
    limits = [
        f"the fewest {name} are {min(getattr(e, f'n_{name}') for e in examples)}"
        for name in ("objects", "nodes")
        if examples and getattr(lesson, f"max_{name}") is not None
    ]
    return f" ({', '.join(limits)})" if limits else ""


def read_lessons(tables: Sequence[Mapping[str, Any]], *, where: str = "curriculum.lesson") -> Curriculum:
    """A curriculum from the tables of a recipe. Each says `from_epoch`, or how many `epochs` it lasts.

    Raises:
        RecipeError: a key or value is wrong, or lessons do not follow each other.
    """
    lessons: list[Lesson] = []
    known = [f.name for f in fields(Lesson)]
    next_epoch: int | None = 1
    for number, table in enumerate(tables, start=1):
        here = f"{where}[{number}]"
        for key in table:
            if key not in (*known, "epochs"):
                raise RecipeError(f"{here}: no key '{key}'{did_you_mean(key, [*known, 'epochs'])}")
        row = dict(table)
        epochs = row.pop("epochs", None)
        if "from_epoch" not in row:
            if next_epoch is None:
                raise RecipeError(f"{here}: give from_epoch, or epochs of lesson {number - 1}")
            row["from_epoch"] = next_epoch
        try:
            lesson = msgspec.convert(row, Lesson)
        except msgspec.ValidationError as error:
            raise RecipeError(f"{here}: {error}") from None
        if epochs is not None and (not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 1):
            raise RecipeError(f"{here}: epochs: a whole number from 1, got {epochs!r}")
        next_epoch = None if epochs is None else lesson.from_epoch + epochs
        lessons.append(lesson)
    return Curriculum(tuple(lessons))


def _release() -> Iterator[Lesson]:
    """The schedule of the published NS-CL code: (first epoch, objects, nodes of the program as CLEVR gives it)."""
    for first, objects, nodes in (
        (1, 3, 4),
        (6, 3, 6),
        (11, 3, 8),
        (16, 4, 8),
        (26, 4, 12),
        (36, 5, 12),
        (46, 6, 12),
        (56, 7, 16),
        (66, 8, 20),
        (76, 9, 22),
        (91, 10, 25),
    ):
        yield Lesson(first, max_objects=objects, max_nodes=nodes)


_OBJECT_OPS = ("scene", "filter", "unique", "query", "count", "exist", "equal")


def _paper() -> Iterator[Lesson]:
    """The four lessons of the NS-CL paper (Mao et al., ICLR 2019).

    The paper names what each lesson is about; sizes and epochs are ours, after the release's schedule.
    """
    yield Lesson(1, "objects", max_objects=5, max_nodes=12, ops=_OBJECT_OPS)
    yield Lesson(26, "relations", max_objects=6, max_nodes=16, ops=(*_OBJECT_OPS, "relate", "same"))
    yield Lesson(51, "complex questions", freeze=("perception",))
    yield Lesson(76, "everything")


PRESETS: dict[str, Callable[[], Iterator[Lesson]]] = {"nscl-release": _release, "nscl-paper": _paper}
PLANNED = 100  # epochs that the presets are planned for


def preset(name: str, *, epochs: int = PLANNED) -> Curriculum:
    """A named curriculum: `nscl-release` (eleven steps) or `nscl-paper` (four lessons).

    Args:
        epochs: the presets are planned for 100 epochs; for another number they are stretched or compressed.

    Raises:
        RecipeError: no such curriculum.
    """
    if name not in PRESETS:
        raise RecipeError(f"no curriculum '{name}'{did_you_mean(name, PRESETS)}")
    curriculum = Curriculum(tuple(PRESETS[name]()))
    return curriculum if epochs == PLANNED else curriculum.scaled(epochs, PLANNED)
