"""Exact execution of many programs at once: the level schedule over 64-bit sets.

A call's level is one more than the highest level among its inputs. All calls of one op at one level, over all programs
of the batch, run as one numpy operation. Cost grows with depth times ops, and then with the number of calls only
through numpy's inner loops.

K calls of one op at one level, M calls of all programs, Q programs, S scenes, N objects (at most 64), C concepts, R
relations, A attributes. Values are `uint64` throughout: a set's bits, an object's index, a number, a truth in the
lowest bit, a word's concept number.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..dsl.domain import Domain
from ..dsl.kinds import TRUTH, WORD
from ..dsl.ops import OPS, Op
from ..errors import ExecutionError, NsreasonError
from ..programs.program import Program
from ..scenes.world import World, named
from .answers import Answer, decode
from .batch_tables import I64, NO_SINGLE_VALUE, U64, BatchView, Rows, SceneBatch
from .compiler import combines
from .interpreter import check_domain, execute

I32 = npt.NDArray[np.int32]

MAX_LITERALS = 2
MAX_INPUTS = 3
CHUNK = 4096  # programs scheduled together: the arrays of larger batches leave the cache, and the heap, each time

_ONE = np.uint64(1)


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
        union = np.zeros_like(objects)
        for i in range(links.size):
            member = (objects >> np.uint64(i)) & _ONE
            union |= links.flat[links.base + i] * member
        return union

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
        indices = np.asarray(which)
    except ValueError as error:
        raise ExecutionError(f"which: whole numbers, one for each program: {error}") from None
    if indices.size and indices.dtype.kind not in "iu":
        raise ExecutionError(f"which: whole numbers, one for each program, got {indices.dtype}")
    return indices.astype(np.int64)


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
    decoded = np.empty(len(programs), dtype=object)
    failed = alone
    if lengths.any():
        try:
            values, ops, broken = _schedule(records, lengths, batch, which)
        except NsreasonError:  # a scene lacks a relation: find out whose question it is, one by one
            failed = np.ones(len(programs), dtype=np.bool_)
        else:
            asked = np.flatnonzero(lengths)
            decoded[asked] = _read(values, ops, programs[0].domain)
            failed = alone | broken
            if programs[0].domain.world.sorts != ("object",):
                for q in np.flatnonzero(~failed).tolist():
                    decoded[q] = named(decoded[q], programs[q].kind, batch.scenes[which[q]])
    answers: list[Answer | NsreasonError] = decoded.tolist()
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
        literal_columns = tuple([c[a:b] if c is not None else none[: b - a] for c in literals[: len(op.literals)]])
        values[a:b] = op.apply(algebra, BatchView(batch, scene[a:b]), literal_columns, given)
        if algebra.failed is not None:
            broken[question[a:b][algebra.failed]] = True
            algebra.failed = None
    last = ends[lengths > 0] - 1
    return values[place[last]], number[last], broken


def _read(values: U64, ops: I32, domain: Domain) -> npt.NDArray[np.object_]:
    """Decode the answers of one domain, all of one kind together; `ops` (numbers of the last ops) tell the kinds."""
    answers = np.empty(len(values), dtype=object)
    kinds = [op.result for op in _numbering.ops]
    for kind in {kinds[n] for n in np.unique(ops).tolist()}:
        mine = np.flatnonzero(np.array([k is kind for k in kinds])[ops])
        column = values[mine]
        if kind is TRUTH:
            answers[mine] = _TRUTHS[(column & _ONE).view(np.int64)]
        elif kind is WORD:
            words = np.array(domain.answer_words, dtype=object)
            answers[mine] = words[np.minimum(column, np.uint64(len(words) - 1)).view(np.int64)]
        elif kind.shape in ("number", "one"):
            answers[mine] = column.view(np.int64).astype(object)
        else:
            for i, value in zip(mine.tolist(), column.tolist(), strict=True):
                answers[i] = decode(value, kind, domain)
    return answers


_TRUTHS = np.array([False, True], dtype=object)
