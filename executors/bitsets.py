"""Exact semantics on bit sets: the algebra in Python integers, and a world's tables as such sets.

A set is an integer whose bit i stands for individual i; an individual is its index; a truth is 1 or 0 in the lowest
bit; a word is a concept's number. Integers have any size, so a scene may have any number of objects.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..dsl.tables import TABLES, Table, WorldKind
from ..errors import DomainError
from ..scenes.relations import converse, members
from ..scenes.values import Column, OpenColumn
from ..scenes.world import World


class Ambiguous(Exception):  # noqa: N818 - the interpreter catches it, and says the node to the user
    """`the` met a set that does not have exactly one member."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        super().__init__(bits)


def fail(bits: int) -> int:
    """Raise Ambiguous; a function, so that an expression can call it."""
    raise Ambiguous(bits)


def reach(objects: int, links: Sequence[int]) -> int:
    """The union of the rows at the members of a set."""
    union = 0
    while objects:
        low = objects & -objects
        union |= links[low.bit_length() - 1]
        objects ^= low
    return union


class BitTables:
    """A world as bit sets: what the exact View reads. Made once per world, each table when it is first read.

    A universe is a set. A table is a family: literal (0 where it takes none) -> the set, or the rows. Each kind of
    world has its own class with a fixed slot a name: an attribute that may be missing costs a tenth of execution.
    """

    __slots__ = ("_world",)  # no sort or table has a name that starts so

    def __init__(self, world: World, kind: WorldKind) -> None:
        self._world = world
        for sort in kind.sorts:
            setattr(self, sort, (1 << world.size(sort)) - 1)
        ready = world.ready()
        for name in kind.tables:
            setattr(self, name, ready[name] if name in ready else _Family(self, TABLES[name]))

    def _family(self, name: str) -> Any:
        """A table by its name: literal -> set or rows."""
        return getattr(self, name)


class _Family(dict[int, Any]):
    """A family of tables by literal, each asked of the world, or derived, when it is first read."""

    __slots__ = ("table", "tables")

    def __init__(self, tables: BitTables, table: Table) -> None:
        super().__init__()
        self.tables, self.table = tables, table

    def __missing__(self, literal: int) -> Any:
        if self.table.derived is None:
            rows = self.tables._world.rows(self.table.name, literal)
        else:
            how, base = self.table.derived
            if how == "later" and isinstance(_words_below(self.tables, base, literal), OpenColumn):
                attribute = self.tables._world.domain.attributes[literal]
                raise DomainError(
                    f"an object may have several values of '{attribute}': what repeats a value is not defined"
                )
            rows = _DERIVED[how](self.tables._family(base)[literal], self.tables._world.size(self.table.source[0]))
        self[literal] = rows
        return rows


def _words_below(tables: BitTables, name: str, literal: int) -> Any:
    """The words that a table says who shares, or None."""
    derived = TABLES[name].derived
    return tables._family(derived[1])[literal] if derived is not None and derived[0] == "same" else None


def _converse(rows: Sequence[int], size: int) -> list[int]:
    if len(rows) == size:
        return converse(rows)
    turned = [0] * size
    for i, row in enumerate(rows):
        for j in members(row):
            turned[j] |= 1 << i
    return turned


def _later(rows: Sequence[int], size: int) -> list[int]:
    return [row & (-2 << i) for i, row in enumerate(rows)]


def _same(words: Column, size: int) -> list[int]:
    rows = words.rows if isinstance(words, OpenColumn) else [(word,) for word in words]
    sharing: dict[int, int] = {}
    for i, own in enumerate(rows):
        for word in own:
            sharing[word] = sharing.get(word, 0) | 1 << i
    together = []
    for i, own in enumerate(rows):
        bits = 0
        for word in own:
            bits |= sharing[word]
        together.append(bits & ~(1 << i))
    return together


def _closure(rows: Sequence[int], size: int) -> list[int]:
    reached = list(rows)
    for via in range(size):  # Warshall's order: what lies behind `via` is whole before it is used
        bit, behind = 1 << via, reached[via]
        if behind:
            reached = [row | behind if row & bit else row for row in reached]
    return reached


_DERIVED: dict[str, Callable[[Any, int], list[int]]] = {
    "converse": _converse,
    "later": _later,
    "same": _same,
    "closure": _closure,
}


@functools.cache
def _class_of(kind: WorldKind) -> type[BitTables]:
    return type("BitTables", (BitTables,), {"__slots__": (*kind.sorts, *kind.tables)})


def tables_of(world: World) -> Any:
    """The world's bit tables: an object with an attribute for each universe and table of its kind."""
    tables = world._tables
    if tables is None:
        kind = world.domain.world
        tables = world._tables = _class_of(kind)(world, kind)
    return tables


class BitSets:
    """The exact algebra in Python integers; see `Algebra` for what each primitive means."""

    def both(self, a: int, b: int) -> int:
        return a & b

    def either(self, a: int, b: int) -> int:
        return a | b

    def negate(self, a: int) -> int:
        return ~a

    def some(self, objects: int) -> int:
        return 1 if objects else 0

    def how_many(self, objects: int) -> int:
        return objects.bit_count()

    def the(self, objects: int) -> int:
        return objects.bit_length() - 1 if objects and not objects & (objects - 1) else fail(objects)

    def only(self, anchor: int) -> int:
        return 1 << anchor

    def follow(self, anchor: int, links: Any) -> int:
        row: int = links[anchor]
        return row

    def reach(self, objects: int, links: Any) -> int:
        return reach(objects, links)

    def choose(self, anchor: int, links: Any) -> int:
        word: int = links[anchor]
        return word

    def match(self, a: int, b: int) -> int:
        return 1 if a == b else 0

    def equal(self, a: int, b: int) -> int:
        return 1 if a == b else 0

    def less(self, a: int, b: int) -> int:
        return 1 if a < b else 0

    def minus(self, a: int, b: int) -> int:
        return a - b

    def number(self, n: Any) -> int:
        return int(n)


class BitView:
    """The exact View of one world, for the plain algebra."""

    def __init__(self, tables: Any) -> None:
        self.tables = tables

    def universe(self, sort: str) -> Any:
        return getattr(self.tables, sort)

    def members(self, name: str, literal: Any = None) -> Any:
        return getattr(self.tables, name)[0 if literal is None else literal]

    table = members
