"""Exact execution of many programs at once: the level schedule over 64-bit sets.

A call's level is one more than the highest level among its inputs. All calls of one op at one level, over all programs
of the batch, run as one numpy operation. Cost grows with depth times ops, and then with the number of calls only
through numpy's inner loops.

K calls of one op at one level, M calls of all programs, Q programs, S scenes, N objects (at most 64), C concepts, R
relations, A attributes. Values are `uint64` throughout: a set's bits, an object's index, a number, a truth in the
lowest bit, a word's concept number.
"""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..dsl.domain import Domain
from ..dsl.kinds import TRUTH, WORD
from ..dsl.ops import OPS, Op
from ..dsl.tables import SCENE, TABLES, Table
from ..errors import ExecutionError, NsreasonError
from ..programs.program import Program
from ..scenes.values import Column, OpenColumn
from ..scenes.world import World, named
from .answers import Answer, decode
from .bitsets import combines, tables_of
from .interpreter import check_domain, execute

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]

MAX_OBJECTS = 64
MAX_LITERALS = 2
MAX_INPUTS = 3
MAX_DENSE = 64  # names of one kind of which all tables are built; of more, only what programs name
NO_SINGLE_VALUE = (1 << 64) - 1  # in a table of words: an object without a value, or with several
CHUNK = 4096  # programs scheduled together: the arrays of larger batches leave the cache, and the heap, each time

_ONE = np.uint64(1)


class Rows:
    """A table for K calls: row `base[k] + i` of `flat` is the entry at individual i (of `size`) of call k's world.

    Where `inner` is more than 0 the entry is a table again, of so many rows.
    """

    __slots__ = ("base", "flat", "inner", "size")

    def __init__(self, flat: U64, base: I64, size: int, inner: int = 0) -> None:
        self.flat, self.base, self.size, self.inner = flat, base, size, inner


class BatchBitSets:
    """The exact algebra on columns of 64-bit sets. `failed` collects the calls whose `the` met no single object."""

    def __init__(self) -> None:
        self.failed: npt.NDArray[np.bool_] | None = None

    def both(self, a: Any, b: Any) -> Any:
        return a & b

    def either(self, a: Any, b: Any) -> Any:
        return a | b

    def negate(self, a: Any) -> Any:
        return ~a

    def some(self, objects: Any) -> Any:
        return objects != 0

    def how_many(self, objects: Any) -> Any:
        return np.bitwise_count(objects).astype(np.uint64)

    def the(self, objects: Any) -> Any:
        below = objects - _ONE  # the bits under the single bit; for the empty set all 64
        failed = ((objects & below) != 0) | (objects == 0)
        index = np.bitwise_count(below).astype(np.uint64)
        if failed.any():
            index[failed] = 0
            self.failed = failed if self.failed is None else self.failed | failed
        return index

    def only(self, anchor: Any) -> Any:
        return _ONE << anchor

    def follow(self, anchor: Any, links: Any) -> Any:
        if links.inner:
            return Rows(links.flat, links.base + anchor.view(np.int64) * links.inner, links.inner)
        return links.flat[links.base + anchor.view(np.int64)]

    def reach(self, objects: Any, links: Any) -> Any:
        found = np.zeros_like(objects)
        for i in range(links.size):
            member = (objects >> np.uint64(i)) & _ONE
            found |= links.flat[links.base + i] * member
        return found

    choose = follow

    def match(self, a: Any, b: Any) -> Any:
        return a == b

    equal = match

    def less(self, a: Any, b: Any) -> Any:
        return a.view(np.int64) < b.view(np.int64)

    def minus(self, a: Any, b: Any) -> Any:
        return a - b

    def number(self, n: Any) -> Any:
        return np.asarray(n).astype(np.uint64)


class OpenBatchBitSets(BatchBitSets):
    """The same where an object may have no single value of an attribute: such a call counts as failed."""

    def choose(self, anchor: Any, links: Any) -> Any:
        words = self.follow(anchor, links)
        failed = words == NO_SINGLE_VALUE
        if failed.any():
            words[failed] = 0
            self.failed = failed if self.failed is None else self.failed | failed
        return words


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
        kind = self.domain.world if self.domain else SCENE
        sizes = {sort: np.array([s.size(sort) for s in self.scenes], dtype=np.int64) for sort in kind.sorts}
        self.fits = np.ones(len(self.scenes), dtype=np.bool_)
        for sort in kind.bounded:
            self.fits &= sizes[sort] <= MAX_OBJECTS
        self.sizes = {sort: max(1, int(n[self.fits].max(initial=1))) for sort, n in sizes.items()}
        self._present = {
            sort: np.array(
                [(1 << n) - 1 if n <= MAX_OBJECTS else 0 for n in np.where(self.fits, all_, 0).tolist()], np.uint64
            )
            for sort, all_ in sizes.items()
        }
        self.open = self.domain is not None and bool(self.domain.open_attributes)
        names = [self._literals(TABLES[name]) for name in kind.tables]
        self.sparse = max(names, default=0) > MAX_DENSE
        self._families: dict[str, _FlatTable] = {}
        self._gathered = {name: _Gathered(self, TABLES[name]) for name in kind.tables}

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
        numbers = list(self._numbers(table))
        for i, world in enumerate(self.scenes):
            if not self.fits[i]:
                continue
            rows = tables_of(world).family(table.name)
            if table.is_set:
                values[i, numbers] = [rows[k] for k in numbers]
                continue
            counts = [world.size(sort) for sort in table.source]
            if not all(counts):
                continue
            place = tuple(map(slice, counts))
            for k in numbers:
                values[i, k][place] = _words(rows[k]) if table.of_words else rows[k]
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
    words = base.flat.reshape(-1, size)
    equal = words[:, :, None] == words[:, None, :]  # (S*A, N, N)
    own = np.arange(size)
    equal[:, own, own] = False
    shared: U64 = (equal.astype(np.uint64) << np.arange(size, dtype=np.uint64)).sum(axis=2, dtype=np.uint64)
    return shared


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


# --- programs as arrays ----------------------------------------------------------------------------------------------

_WIDTH = 2 + MAX_LITERALS + MAX_INPUTS  # level, op, literals, inputs


class _Numbering:
    """A number for each op that has been scheduled; -1 for an op that only the interpreter can run."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.number: dict[Op, int] = {}
        self.lock = threading.Lock()

    def __call__(self, op: Op) -> int:
        number = self.number.get(op)
        if number is None:
            with self.lock:
                number = self.number[op] = len(self.ops) if combines(op) else -1
                if number >= 0:
                    self.ops.append(op)
        return number


_numbering = _Numbering()
for _op in OPS.values():
    _numbering(_op)


def record_width() -> int:
    """Integers in one row of a record."""
    return _WIDTH


def numbered_op(number: int) -> Op:
    """The op that a record's number stands for."""
    return _numbering.ops[number]


def record_of(program: Program) -> bytes:
    """The program as int32 rows (calls, 7), encoded at first use; empty when an op cannot be scheduled."""
    record = program._record
    if record is None:
        rows: list[int] = []
        levels: list[int] = []
        for step, given in zip(program.steps, program.inputs, strict=True):
            number = _numbering(step.op)
            if number < 0 or len(given) > MAX_INPUTS or len(step.encoded) > MAX_LITERALS:
                rows = []
                break
            levels.append(1 + max([levels[i] for i in given], default=-1))
            rows += (levels[-1], number)
            rows += (*step.encoded, *(0,) * (MAX_LITERALS - len(step.encoded)))
            rows += (*given, *(0,) * (MAX_INPUTS - len(given)))
        record = program._record = np.array(rows, dtype=np.int32).tobytes()
    assert isinstance(record, bytes)
    return record


def execute_batch(
    programs: Sequence[Program], scenes: Sequence[World] | SceneBatch, which: Sequence[int] | None = None
) -> list[Answer | NsreasonError]:
    """The exact answers of many programs; program q runs on scene `which[q]` (by default on scene q).

    A program without an answer has the error in its place, the same that `execute` raises; the others are not touched.

    Raises:
        ExecutionError: programs and scenes are not of one domain, or there is not a scene for each program.
    """
    batch = scenes if isinstance(scenes, SceneBatch) else SceneBatch(scenes)
    index = np.arange(len(programs)) if which is None else _indices(which)
    if index.shape != (len(programs),):
        raise ExecutionError(f"{len(programs)} programs need as many scene indices, got {index.shape}")
    count = len(batch.scenes)
    if which is None and len(programs) > count:
        given = f"{len(programs)} programs and {count} scenes"
        raise ExecutionError(f"{given}; a scene for each program is expected, or `which` says whose each is")
    if len(index) and not (index.min() >= 0 and index.max() < count):
        raise ExecutionError(f"a scene index is outside 0..{count - 1}; there are {count} scenes")
    answers: list[Answer | NsreasonError] = []
    for start in range(0, len(programs), CHUNK):
        answers += _run_chunk(programs[start : start + CHUNK], batch, index[start : start + CHUNK])
    return answers


def _indices(which: Sequence[int]) -> I64:
    try:
        found = np.asarray(which)
    except ValueError as error:
        raise ExecutionError(f"which: whole numbers, one for each program: {error}") from None
    if found.size and found.dtype.kind not in "iu":
        raise ExecutionError(f"which: whole numbers, one for each program, got {found.dtype}")
    return found.astype(np.int64)


def _run_chunk(programs: Sequence[Program], batch: SceneBatch, which: I64) -> list[Answer | NsreasonError]:
    if len(set(map(_fingerprint, programs))) > 1 or programs[0].domain != batch.domain:
        for program in programs:
            check_domain(program, batch.scenes[0])
    records = [p._record or record_of(p) for p in programs]
    lengths = np.fromiter(map(len, records), dtype=np.int64, count=len(records)) // (4 * _WIDTH)
    alone = (lengths == 0) | ~batch.fits[which]
    if alone.any():
        records = [b"" if skip else r for r, skip in zip(records, alone, strict=True)]
        lengths = np.where(alone, 0, lengths)
    told = np.empty(len(programs), dtype=object)
    failed = alone
    if lengths.any():
        try:
            values, ops, broken = _schedule(records, lengths, batch, which)
        except NsreasonError:  # a scene lacks a relation: find out whose question it is, one by one
            failed = np.ones(len(programs), dtype=np.bool_)
        else:
            asked = np.flatnonzero(lengths)
            told[asked] = _read(values, ops, programs[0].domain)
            failed = alone | broken
            if programs[0].domain.world.sorts != ("object",):
                for q in np.flatnonzero(~failed).tolist():
                    told[q] = named(told[q], programs[q].kind, batch.scenes[which[q]])
    answers: list[Answer | NsreasonError] = told.tolist()
    for q in np.flatnonzero(failed).tolist():
        try:
            answers[q] = execute(programs[q], batch.scenes[which[q]])
        except NsreasonError as error:
            answers[q] = error
    return answers


_fingerprint = operator.attrgetter("domain.fingerprint")


def _schedule(
    records: list[bytes], lengths: I64, batch: SceneBatch, which: I64
) -> tuple[U64, I32, npt.NDArray[np.bool_]]:
    """The last value and the last op of each program that has a record, and which programs (Q,) met an ambiguous
    `the`."""
    level, number, *columns = np.ascontiguousarray(
        np.frombuffer(b"".join(records), dtype=np.int32).reshape(-1, _WIDTH).T
    )
    total = len(level)
    ends = np.cumsum(lengths)
    question = np.repeat(np.arange(len(lengths)), lengths)
    offset = np.repeat(ends - lengths, lengths)
    key = level * np.int32(len(_numbering.ops)) + number
    # numpy sorts 16-bit keys by radix, several times faster than wider ones
    order = np.argsort(key.astype(np.uint16) if key.max() < 65536 else key, kind="stable")
    place = np.empty(total, dtype=np.int64)
    place[order] = np.arange(total)
    key, question = key[order], question[order]
    scene = which[question]
    # Columns that no program of the batch uses (a second literal, a third input) are not even gathered.
    literals = [c[order].astype(np.int64) if c.any() else None for c in columns[:MAX_LITERALS]]
    inputs = [place[(c + offset)[order]] for c in columns[MAX_LITERALS:]]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    stops = np.append(starts[1:], total)
    ops = number[order[starts]].tolist()
    values = np.zeros(total, dtype=np.uint64)
    broken = np.zeros(len(lengths), dtype=np.bool_)
    algebra = OpenBatchBitSets() if batch.open else BatchBitSets()
    none = np.zeros(int((stops - starts).max()), dtype=np.int64)
    for a, b, n in zip(starts.tolist(), stops.tolist(), ops, strict=True):
        op = _numbering.ops[n]
        given = tuple([values[c[a:b]] for c in inputs[: len(op.inputs)]])
        told = tuple([c[a:b] if c is not None else none[: b - a] for c in literals[: len(op.literals)]])
        values[a:b] = op.apply(algebra, BatchView(batch, scene[a:b]), told, given)
        if algebra.failed is not None:
            broken[question[a:b][algebra.failed]] = True
            algebra.failed = None
    last = ends[lengths > 0] - 1
    return values[place[last]], number[last], broken


def _read(values: U64, ops: I32, domain: Domain) -> npt.NDArray[np.object_]:
    """Decode the answers of one domain, all of one kind together; `ops` (numbers of the last ops) tell the kinds."""
    told = np.empty(len(values), dtype=object)
    kinds = [op.result for op in _numbering.ops]
    for kind in {kinds[n] for n in np.unique(ops).tolist()}:
        mine = np.flatnonzero(np.array([k is kind for k in kinds])[ops])
        column = values[mine]
        if kind is TRUTH:
            told[mine] = _TRUTHS[(column & _ONE).view(np.int64)]
        elif kind is WORD:
            words = np.array(domain.answer_words, dtype=object)
            told[mine] = words[np.minimum(column, np.uint64(len(words) - 1)).view(np.int64)]
        elif kind.shape in ("number", "one"):
            told[mine] = column.view(np.int64).astype(object)
        else:
            for i, value in zip(mine.tolist(), column.tolist(), strict=True):
                told[i] = decode(value, kind, domain)
    return told


_TRUTHS = np.array([False, True], dtype=object)
