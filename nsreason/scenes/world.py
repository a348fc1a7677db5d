"""Worlds: what programs are executed on. A scene is one; so are videos and scene graphs.

A world has individuals of some sorts, numbered from 0 in each, and fills the tables that its kind declares
(`dsl/tables.py`). All executors, grounding and traces read worlds through this protocol alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ..dsl.domain import Domain
from ..dsl.kinds import Kind

if TYPE_CHECKING:
    from .scene import Scene


class Parts(NamedTuple):
    """What a trace shows of an individual: the objects to light up, and the frames."""

    objects: tuple[int, ...] = ()
    frames: tuple[int, ...] = ()


class World(Protocol):
    """What executors ask of a world; not changed after it is built."""

    _tables: Any
    """The executors' bit sets of this world, a function of the world alone; None before they are made."""

    @property
    def domain(self) -> Domain:
        """What can be said of it; `domain.world` is its kind."""

    def size(self, sort: str) -> int:
        """The number of individuals of a sort."""

    def rows(self, table: str, literal: int) -> Any:
        """A table that is not derived, for one encoded literal (0 for a table without literals).

        Returns:
            A set: an integer whose bit i stands for individual i. A table of sets: a sequence of such integers, one a
            row. A table of words: a sequence of concept numbers. With two source sorts: a sequence of such sequences.

        Raises:
            SceneError: the world does not know it.
        """

    def ready(self) -> Mapping[str, Any]:
        """The tables that it holds already, as sequences by literal; they are read as they are."""

    def label(self, sort: str, i: int) -> str:
        """An individual in a few words, for errors and traces: `large red metal cube`."""

    def answer(self, sort: str, i: int) -> int:
        """The number by which an answer names an individual: a moment's frame. An object is named by its index."""

    def parts(self, sort: str, i: int) -> Parts:
        """What a trace shows of an individual."""

    def as_scene(self) -> Scene:
        """The objects as a scene: what traces draw."""


V = TypeVar("V")


def named(value: V, kind: Kind, world: World) -> V:
    """A decoded value as an answer: individuals by the numbers that `World.answer` gives them.

    Truths, numbers, words and objects stay as they are.
    """
    if kind.sort is None or kind.sort == "object":
        return value
    if isinstance(value, tuple):
        return tuple([world.answer(kind.sort, i) for i in value])  # type: ignore[return-value]
    return world.answer(kind.sort, value)  # type: ignore[arg-type,return-value]
