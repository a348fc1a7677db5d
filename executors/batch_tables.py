"""The tables of a batch of worlds as arrays, and the View of many calls on them.

K calls of one op at one level, S worlds, N individuals of a sort (at most 64 where sets are made of them). Sets are
`uint64`, as are words (concept numbers).
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..dsl.tables import SCENE, TABLES, Table
from ..errors import ExecutionError
from ..scenes.values import Column, OpenColumn
from ..scenes.world import World
from .bitsets import tables_of

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

MAX_OBJECTS = 64
MAX_DENSE = 64  # names of one kind of which all tables are built; of more, only what programs name
NO_SINGLE_VALUE = (1 << 64) - 1  # in a table of words: an object without a value, or with several

_ONE = np.uint64(1)


class Rows:
    """A table for K calls: row `base[k] + i` of `flat` is the entry at individual i (of `size`) of call k's world.

    Where `inner` is more than 0 the entry is a table again, of so many rows.
    """

    __slots__ = ("base", "flat", "inner", "size")

    def __init__(self, flat: U64, base: I64, size: int, inner: int = 0) -> None:
        self.flat, self.base, self.size, self.inner = flat, base, size, inner


class SceneBatch:
    """Worlds of one domain as arrays, made once and used for any number of batches.

    A world with more than 64 individuals of a sort of which sets are made takes part too: its questions go to the
    interpreter.

    Attributes:
        sizes: per sort, the most individuals of it in any of the worlds that fit, 1 at least.
        fits: (S,) whether each world's sets fit 64 bits.
    """

    def __init__(self, scenes: Sequence[World]) -> None:
        """Raises ExecutionError when the worlds are not of one domain."""
        self.scenes = list(scenes)
        self.domain = domain = self.scenes[0].domain if self.scenes else None
        if any(s.domain != domain for s in self.scenes):
            raise ExecutionError("the scenes are of several domains")
        kind = domain.world if domain else SCENE
        sizes = {sort: np.array([s.size(sort) for s in self.scenes], dtype=np.int64) for sort in kind.sorts}
        self.fits = np.ones(len(self.scenes), dtype=np.bool_)
        for sort in kind.bounded:
            self.fits &= sizes[sort] <= MAX_OBJECTS
        self._counts = {sort: n.tolist() for sort, n in sizes.items()}
        self.sizes = {sort: max(1, int(n[self.fits].max(initial=1))) for sort, n in sizes.items()}
        self._present = {
            sort: np.array(
                [(1 << n) - 1 if n <= MAX_OBJECTS else 0 for n in np.where(self.fits, all_, 0).tolist()], np.uint64
            )
            for sort, all_ in sizes.items()
        }
        self.open = domain is not None and bool(domain.open_attributes)
        names = [self._literals(TABLES[name]) for name in kind.tables]
        self.sparse = max(names, default=0) > MAX_DENSE
        self._families: dict[str, _FlatTable] = {}
        self._gathered = {name: _Gathered(self, TABLES[name]) for name in kind.tables} if self.sparse else {}

    @property
    def n(self) -> int:
        """The most objects in any of the worlds that fit."""
        return self.sizes["object"]

    def present(self, sort: str) -> U64:
        """(S,) the individuals of a sort, as sets."""
        return self._present[sort]

    def family(self, name: str) -> _FlatTable:
        """A table of all worlds in one piece, made when it is first read."""
        family = self._families.get(name)
        if family is None:
            table = TABLES[name]
            sizes = [self.sizes[sort] for sort in table.source]
            literals = self._literals(table)
            vectorised = table.derived is not None and not self.open
            values = self._derived(table) if vectorised else self._read(table, literals, sizes)
            size, inner = (*sizes, 0, 0)[:2]
            flat = np.ascontiguousarray(values).reshape(-1)
            family = self._families[name] = _FlatTable(flat, literals, size, inner)
        return family

    def table(self, name: str) -> U64:
        """A table of all worlds as (S, literals, *rows)."""
        family = self.family(name)
        rows = [n for n in (family.size, family.inner) if n]
        return family.flat.reshape(len(self.scenes), family.literals, *rows)

    def _literals(self, table: Table) -> int:
        if table.literal is None or self.domain is None:
            return 1
        return self.domain.numbered(table.literal)

    def _numbers(self, table: Table) -> Sequence[int]:
        if table.literal is None or self.domain is None:
            return (0,)
        return self.domain.numbers(table.literal)

    def gathered(self, name: str) -> _Gathered:
        """The rows of a table that programs have named, for a domain with too many of them to build all."""
        return self._gathered[name]

    def _read(self, table: Table, literals: int, sizes: list[int]) -> U64:
        """(S, literals, *sizes) of what the worlds say."""
        values = np.zeros((len(self.scenes), literals, *sizes), dtype=np.uint64)
        numbers = self._numbers(table)
        fits = np.flatnonzero(self.fits).tolist()
        entries = [entries_of(self.scenes[i], table, numbers, self.open) for i in fits]
        counts = [self._counts[sort] for sort in table.source]
        if len(numbers) == literals and len(sizes) < 2:  # in one piece: small assignments cost more than their numbers
            there = self.fits
            if sizes:
                there = there[:, None] & (np.arange(sizes[0]) < np.array(counts[0], dtype=np.int64)[:, None])  # (S, N)
                entries = [row for rows in entries for row in rows]
            flat = np.array(list(itertools.chain.from_iterable(entries)), dtype=np.uint64)
            values[np.broadcast_to(there.reshape(len(there), 1, *sizes), values.shape)] = flat
            return values
        for i, rows in zip(fits, entries, strict=True):
            place = tuple([slice(sort[i]) for sort in counts])
            if all(sort[i] for sort in counts):
                for k, row in zip(numbers, rows, strict=True):
                    values[i][(k, *place)] = row
        return values

    def _derived(self, table: Table) -> U64:
        assert table.derived is not None
        how, base = table.derived
        rows = _DERIVED[how](self.family(base), self.sizes[table.source[0]])
        if how == "same":  # padding has a word too, that of number 0
            rows = rows.reshape(len(self.scenes), -1) & self.present(table.target)[:, None]
        return rows


@dataclass(frozen=True, slots=True)
class _FlatTable:
    """A table of S worlds, its entries in one row: (S * literals * size * inner,)."""

    flat: U64
    literals: int
    size: int
    inner: int


def _converse(base: _FlatTable, size: int) -> U64:
    rows = base.flat.reshape(-1, base.size)  # (S*R, N)
    bits = (rows[:, :, None] >> np.arange(size, dtype=np.uint64)) & _ONE  # (S*R, N, M): bit j of row i
    shifts = np.arange(base.size, dtype=np.uint64)
    turned: U64 = (bits << shifts[:, None]).sum(axis=1, dtype=np.uint64)  # (S*R, M): bit i of row j
    return turned


def _later(base: _FlatTable, size: int) -> U64:
    behind = ~((np.uint64(2) << np.arange(size, dtype=np.uint64)) - _ONE)
    behind[size - 1 :] = 0  # 2 << 63 is 0
    return base.flat.reshape(-1, size) & behind


def _same(base: _FlatTable, size: int) -> U64:
    words = base.flat.reshape(-1, size)  # (S*A, N)
    shared = np.zeros_like(words)
    for i in range(size):
        shared |= (words == words[:, i : i + 1]).astype(np.uint64) << np.uint64(i)
    own: U64 = shared & ~(_ONE << np.arange(size, dtype=np.uint64))
    return own


def _closure(base: _FlatTable, size: int) -> U64:
    reached = base.flat.reshape(-1, size).copy()
    for via in range(size):
        bit = (reached >> np.uint64(via)) & _ONE
        reached |= bit * reached[:, via : via + 1]
    return reached


_DERIVED: dict[str, Callable[[_FlatTable, int], U64]] = {
    "converse": _converse,
    "later": _later,
    "same": _same,
    "closure": _closure,
}


def _words(column: Column) -> Sequence[int]:
    """An attribute's value for each object, NO_SINGLE_VALUE where there is none or there are several."""
    if isinstance(column, OpenColumn):
        return [row[0] if len(row) == 1 else NO_SINGLE_VALUE for row in column.rows]
    return column


def entries_of(world: World, table: Table, numbers: Sequence[int], several: bool) -> Sequence[Any]:
    """A world's entries of a table, one for each of some literals.

    Args:
        several: whether an individual may have no word or several; such an entry is NO_SINGLE_VALUE.
    """
    rows: Any = None
    if world._tables is None and table.derived is None:  # not worth the bit sets that the interpreter would make
        rows = world.ready().get(table.name)
        if rows is None:
            return [world.rows(table.name, k) for k in numbers]
    if rows is None:
        rows = getattr(tables_of(world), table.name)
    if several and table.of_words:
        return [_words(rows[k]) for k in numbers]
    return rows if type(rows) is list and len(rows) == len(numbers) else [rows[k] for k in numbers]


class _Gathered:
    """The rows of one table that were read so far, each once: those of the scenes and literals of the batches' calls.

    Memory and time grow with the calls, not with the names of the domain.
    """

    def __init__(self, batch: SceneBatch, table: Table) -> None:
        self.batch, self.name, self.of_words, self.source = batch, table.name, table.of_words, table.source
        sizes = [batch.sizes[sort] for sort in table.source]
        self.size, self.inner = (*sizes, 0, 0)[:2] if sizes else (1, 0)
        self.shape = tuple(sizes)
        self.width = math.prod(sizes)
        self.place: dict[tuple[int, int], int] = {}
        self.flat: U64 = np.zeros(0, dtype=np.uint64)
        self._lock = threading.Lock()

    def __call__(self, scene: I64, literal: Any) -> Rows:
        """The rows of K calls, each of its scene and literal."""
        pairs = np.stack(np.broadcast_arrays(scene, np.asarray(literal, dtype=np.int64)))
        distinct, which = np.unique(pairs, axis=1, return_inverse=True)
        asked = list(zip(*distinct.tolist(), strict=True))
        with self._lock:
            self._add([pair for pair in asked if pair not in self.place])
            places = np.array([self.place[pair] for pair in asked], dtype=np.int64)
            return Rows(self.flat, places[which.reshape(-1)] * self.width, self.size, self.inner)

    def _add(self, pairs: Sequence[tuple[int, int]]) -> None:
        count = len(self.place)
        end = (count + len(pairs)) * self.width
        if end > len(self.flat):
            grown = np.zeros(max(end, 2 * len(self.flat)), dtype=np.uint64)
            grown[: count * self.width] = self.flat[: count * self.width]
            self.flat = grown
        for scene, literal in pairs:
            entries = self.flat[count * self.width : (count + 1) * self.width]
            world = self.batch.scenes[scene]
            counts = [world.size(sort) for sort in self.source]
            if self.batch.fits[scene] and all(counts):
                rows = getattr(tables_of(world), self.name)[literal]
                values = _words(rows) if self.of_words else rows
                entries.reshape(self.shape)[tuple(map(slice, counts))] = values
            self.place[scene, literal] = count
            count += 1


class BatchView:
    """The View of K calls, each on its own world."""

    def __init__(self, batch: SceneBatch, scene: I64) -> None:
        self.batch, self.scene = batch, scene

    def universe(self, sort: str) -> Any:
        return self.batch.present(sort)[self.scene]

    def members(self, name: str, literal: Any = None) -> Any:
        if self.batch.sparse and literal is not None:
            rows = self.batch.gathered(name)(self.scene, literal)
            return rows.flat[rows.base]
        family = self.batch.family(name)
        return family.flat[self.scene if literal is None else self.scene * family.literals + literal]

    def table(self, name: str, literal: Any = None) -> Any:
        if self.batch.sparse and literal is not None:
            return self.batch.gathered(name)(self.scene, literal)
        family = self.batch.family(name)
        row = self.scene if literal is None else self.scene * family.literals + literal
        if not family.inner:
            return Rows(family.flat, row * family.size, family.size)
        return Rows(family.flat, row * (family.size * family.inner), family.size, family.inner)
