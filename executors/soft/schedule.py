"""Schedules of quasi-symbolic execution: which calls run together, and where each finds its inputs.

All calls that share a *turn*, over all programs of a batch, are one application of their op's function to tensors. A
call's turn follows those of its inputs and names its op; turns are chosen, once per program shape, so that programs of
different lengths meet:

* sets and objects go round in cycles: combine sets, narrow them, take the single object, relate it. A chain of one op
  (the filters of 'large red metal') takes consecutive turns within its cycle.
* what only leads to the answer (the counts of a comparison, the last `exist`) waits for the end, and is counted from
  there.

On the programs of CLEVR that makes a quarter of the groups of plain levels. Turns, like what each group reads and where
its inputs lie, are computed in numpy and sent to the device in one piece.

Q programs, M calls of all of them, K calls of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...dsl.domain import Domain
from ...dsl.kinds import NUMBER, TRUTH, WORD, Kind
from ...dsl.op_summary import OpSummary, Read, summary_of
from ...dsl.ops import Op
from ...dsl.tables import TABLES
from ...errors import ExecutionError
from ...programs.program import Program
from ..batch import MAX_LITERALS, numbered_op, record_of, record_width
from ..batch_tables import I64


@dataclass(frozen=True)
class Source:
    """Where one input of a group comes from: results of earlier groups, and the rows of their concatenation."""

    groups: tuple[int, ...]
    rows: int  # a piece of the index; -1: all rows of the one group, in order, so there is nothing to gather


@dataclass(frozen=True)
class Group:
    """Calls of one op in one turn: `calls` of them, rows `start`... of the schedule."""

    op: Op
    start: int
    calls: int
    literals: tuple[int, ...]  # pieces of the index
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Lookup:
    """All reads of one table by the batch: which groups want how many rows, in this order."""

    table: str
    rows: int  # a piece of the index: the calls that read
    literals: int  # a piece of the index; -1: a table without literals
    wanted: tuple[tuple[int, Read], ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Answered:
    """The answers of one kind: programs `questions`, whose values are rows of a group's result."""

    kind: Kind
    group: int
    questions: int  # a piece of the index
    rows: int  # a piece of the index
    units: int  # a piece of the index: the attribute that a word is a value of, see `units_of`; -1: no words


@dataclass(frozen=True)
class Schedule:
    """What a batch of Q programs does, for any scenes.

    `index` is the one array on the device; `sizes` are the lengths of its pieces, which groups, lookups and answers
    name by number. Piece 0 holds the program of each of the M calls, in the order of their turns.
    """

    domain: Domain
    asked: tuple[Program, ...] = field(repr=False)
    groups: tuple[Group, ...]
    lookups: tuple[Lookup, ...]
    answers: tuple[Answered, ...]
    index: Tensor
    sizes: tuple[int, ...]
    singles: tuple[tuple[str, int], ...]  # sort, piece of the index: programs with a call that takes a single member
    places: I64  # (M, 2): group and row of every call, in program order
    starts: I64  # (Q,): where each program's calls begin in `places`

    @property
    def programs(self) -> int:
        """Q."""
        return len(self.asked)

    def to(self, device: torch.device | str) -> Schedule:
        """Return the same schedule with its index on a device: the one transfer that a batch needs."""
        if self.index.device == torch.device(device):
            return self
        return replace(self, index=self.index.to(device, non_blocking=True))


# --- turns -----------------------------------------------------------------------------------------------------------

_OPS = 1 << 12  # more than there are op numbers
_CHAIN = 8  # calls of one op in a row that one cycle takes
_LAST = 1 << 40  # turns of a cycle lie below, those counted from the end above
_HEIGHT = 1 << 20

_KEPT = 20_000
_turns: dict[tuple[Any, ...], bytes] = {}


def turns_of(program: Program) -> bytes:
    """Return the turn of each call, as int64; the same object for programs of one shape (their ops and inputs)."""
    turns = program._turns
    if turns is None:
        shape = tuple([step.op for step in program.steps]), program.inputs
        turns = _turns.get(shape)
        if turns is None:
            if len(_turns) >= _KEPT:
                _turns.clear()
            turns = _turns[shape] = np.array(_choose_turns(program), dtype=np.int64).tobytes()
        program._turns = turns
    assert isinstance(turns, bytes)
    return turns


def _choose_turns(program: Program) -> list[int]:
    numbers = np.frombuffer(record_of(program), dtype=np.int32).reshape(-1, record_width())[:, 1].tolist()
    ends = [step.gives in (TRUTH, NUMBER, WORD) for step in program.steps]
    heights = [0] * len(program)
    for node in reversed(range(len(program))):
        for i in program.inputs[node]:
            ends[i] = ends[i] and ends[node]
            heights[i] = max(heights[i], heights[node] + 1)
    turns: list[int] = []
    when: list[tuple[int, int, int, int]] = []  # cycle, phase, op, place in a chain
    for node, (step, given) in enumerate(zip(program.steps, program.inputs, strict=True)):
        number, phase = numbers[node], _phase(step.op)
        cycle, *before, chain = max([when[i] for i in given], default=(0, -1, 0, 0))
        if before == [phase, number] and chain + 1 < _CHAIN:
            chain += 1
        else:
            cycle, chain = cycle + (before >= [phase, number]), 0
        when.append((cycle, phase, number, chain))
        if ends[node]:
            turns.append(_LAST + (_HEIGHT - heights[node]) * _OPS + number)
        else:
            turns.append(((cycle * 8 + phase) * _OPS + number) * _CHAIN + chain)
    return turns


def _phase(op: Op) -> int:
    """Return an op's place within a cycle."""
    takes = [p.kind.shape for p in op.inputs]
    if "one" in takes:
        return 5
    if op.result.shape == "one":
        return 4
    if op.result.shape == "set" and takes:
        return 3 if len(takes) == 1 else 2
    return 1 if takes else 0


def known_summary(op: Op) -> OpSummary:
    """Return the summary of an op that only combines primitives, as all that are scheduled do."""
    summary = summary_of(op)
    assert summary is not None
    return summary


# --- scheduling ------------------------------------------------------------------------------------------------------


class _Index:
    """The one array under construction."""

    def __init__(self) -> None:
        self.parts: list[I64] = []

    def add(self, values: I64) -> int:
        self.parts.append(values)
        return len(self.parts) - 1


def schedule(programs: Sequence[Program]) -> Schedule:
    """Schedule a batch of programs of one domain.

    Raises:
        ExecutionError: no program, programs of several domains, or one whose ops cannot be scheduled.
    """
    records, turn = _records(programs)
    lengths = np.fromiter(map(len, records), dtype=np.int64, count=len(records)) // (4 * record_width())
    rows = np.frombuffer(b"".join(records), dtype=np.int32).reshape(-1, record_width())
    ends = np.cumsum(lengths)
    total = len(rows)
    order = _stable_order(turn)
    place = np.empty(total, dtype=np.int64)  # of every call, in program order: its row in the schedule
    place[order] = np.arange(total)
    turn = turn[order]
    starts = np.flatnonzero(np.concatenate([[True], turn[1:] != turn[:-1]]))
    counts = np.diff(np.append(starts, total))
    group = np.repeat(np.arange(len(starts)), counts)  # of every row
    ops = [numbered_op(n) for n in rows[order[starts], 1].tolist()]
    columns = rows[order].astype(np.int64).T
    question = np.repeat(np.arange(len(records)), lengths)[order]
    offset = (ends - lengths)[question]
    index = _Index()
    index.add(question)
    given = [place[columns[2 + MAX_LITERALS + i] + offset] for i in range(max(len(op.inputs) for op in ops))]
    sources = _sources(ops, given, group, starts, counts, index)
    literals = columns[2 : 2 + MAX_LITERALS]
    groups = tuple(
        Group(op, a, k, tuple(index.add(literals[i, a : a + k]) for i in range(len(op.literals))), inputs)
        for op, a, k, inputs in zip(ops, starts.tolist(), counts.tolist(), sources, strict=True)
    )
    lookups = _lookups(groups, literals, index)
    places = np.stack([group[place], place - starts[group[place]]], axis=1)
    answers = _answers(groups, places[ends - 1], programs, index)
    single: dict[str, list[I64]] = {}
    for g in groups:
        for sort in known_summary(g.op).singles:
            single.setdefault(sort, []).append(question[g.start : g.start + g.calls])
    singles = tuple([(sort, index.add(np.unique(np.concatenate(asked)))) for sort, asked in single.items()])
    sizes = tuple([len(part) for part in index.parts])
    joined = torch.from_numpy(np.concatenate(index.parts))
    domain = programs[0].domain
    return Schedule(domain, tuple(programs), groups, lookups, answers, joined, sizes, singles, places, ends - lengths)


def _stable_order(keys: I64) -> I64:
    """Return the indices that sort the keys stably.

    numpy sorts numbers faster than their indices, so the indices are packed into the numbers.
    """
    n = len(keys)
    if int(keys.max()) >= (1 << 62) // n:
        return np.argsort(keys, kind="stable")
    stable: I64 = np.sort(keys * n + np.arange(n)) % n
    return stable


def _distinct(codes: I64, limit: int) -> tuple[I64, I64]:
    """Return the distinct codes, ascending, and for each code its place among them; codes are below `limit`."""
    if limit > 1 << 20:  # many groups: a mark for each possible code would take too much memory
        distinct, places = np.unique(codes, return_inverse=True)
        return distinct, places
    marks = np.zeros(limit, dtype=np.int64)
    marks[codes] = 1
    return np.flatnonzero(marks), (np.cumsum(marks) - 1)[codes]


def _records(programs: Sequence[Program]) -> tuple[list[bytes], I64]:
    """Return each program's record, and the turns of all calls."""
    if not programs:
        raise ExecutionError("there is no program to schedule")
    domain = programs[0].domain
    for q, program in enumerate(programs):
        if program.domain is not domain and program.domain != domain:
            raise ExecutionError(f"program {q} is of domain '{program.domain.name}', the first of '{domain.name}'")
    records = [p._record or record_of(p) for p in programs]
    if not all(records):
        q = records.index(b"")
        raise ExecutionError(f"program {q} holds an op that cannot be scheduled: {programs[q]}")
    turns = [p._turns or turns_of(p) for p in programs]
    return records, np.frombuffer(b"".join(turns), dtype=np.int64)


def _sources(
    ops: Sequence[Op], given: Sequence[I64], group: I64, starts: I64, counts: I64, index: _Index
) -> list[tuple[Source, ...]]:
    """Locate the inputs of each group. All inputs of all groups are worked out together: a *slot* is an input of
    a group, a *segment* the rows that a slot takes from one earlier group."""
    slots = [(g, i) for g, op in enumerate(ops) for i in range(len(op.inputs))]
    if not slots:
        return [()] * len(ops)
    wanted = np.concatenate([given[i][starts[g] : starts[g] + counts[g]] for g, i in slots])
    sizes = counts[[g for g, _ in slots]]
    slot = np.repeat(np.arange(len(slots)), sizes)
    producers = group[wanted]
    code, segment = _distinct(slot * len(ops) + producers, len(slots) * len(ops))
    slot_of, group_of = np.divmod(code, len(ops))
    ends = np.cumsum(counts[group_of])
    first = np.searchsorted(slot_of, np.arange(len(slots)))  # a slot's first segment
    begins = ends - counts[group_of]
    begins -= begins[first][slot_of]
    rows = wanted - starts[producers] + begins[segment]
    starting = np.cumsum(sizes) - sizes
    straight = np.logical_and.reduceat(rows == np.arange(len(rows)) - starting[slot], starting)
    last = np.append(first[1:], len(code))
    whole = straight & (counts[group_of[first]] == sizes) & (last - first == 1)
    by_group: list[list[Source]] = [[] for _ in ops]
    makers = group_of.tolist()
    cuts = zip(first.tolist(), last.tolist(), starting.tolist(), sizes.tolist(), whole.tolist(), strict=True)
    for (g, _), (a, b, row, size, all_of_it) in zip(slots, cuts, strict=True):
        piece = -1 if all_of_it else index.add(rows[row : row + size])
        by_group[g].append(Source(tuple(makers[a:b]), piece))
    return [tuple(s) for s in by_group]


def _lookups(groups: Sequence[Group], literals: I64, index: _Index) -> tuple[Lookup, ...]:
    wanted: dict[str, list[tuple[int, Read]]] = {}
    for g, group in enumerate(groups):
        for read in known_summary(group.op).reads:
            wanted.setdefault(read.table, []).append((g, read))
    lookups = []
    for table, reads in wanted.items():
        spans = [slice(groups[g].start, groups[g].start + groups[g].calls) for g, _ in reads]
        calls = index.parts[0]
        rows = index.add(np.concatenate([calls[span] for span in spans]))
        looked_up = -1
        if table in TABLES and TABLES[table].literal is not None:
            encoded = [literals[read.literal, span] for span, (_, read) in zip(spans, reads, strict=True)]
            looked_up = index.add(np.concatenate(encoded))
        lookups.append(Lookup(table, rows, looked_up, tuple(reads), tuple([groups[g].calls for g, _ in reads])))
    return tuple(lookups)


def _answers(groups: Sequence[Group], last: I64, programs: Sequence[Program], index: _Index) -> tuple[Answered, ...]:
    answers = []
    for g in np.unique(last[:, 0]).tolist():
        questions, kind = np.flatnonzero(last[:, 0] == g), groups[g].op.result
        units = index.add(units_of([programs[q] for q in questions.tolist()])) if kind is WORD else -1
        answers.append(Answered(kind, g, index.add(questions), index.add(last[questions, 1]), units))
    return tuple(answers)


def units_of(programs: Sequence[Program]) -> I64:
    """Return the number of the attribute that each program's answer is a value of.

    Where a user's op does not name one, it is the number of attributes: the row of all words.
    """
    attributes = programs[0].domain.attribute_index
    units = [attributes.get(p.steps[-1].unit or "", len(attributes)) for p in programs]
    return np.array(units, dtype=np.int64)
