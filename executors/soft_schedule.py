"""Schedules of quasi-symbolic execution: which calls run together, and where each finds its inputs.

A batch of programs is sorted by level and op, as in executors.schedule; each group of calls is one application of the
op's function to tensors. Where a group's inputs lie in earlier groups' results is computed once, in numpy, and sent to
the device in one piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..domain import Domain
from ..errors import ExecutionError
from ..kinds import Kind
from ..ops import Op
from ..program import Program
from .schedule import I64, MAX_LITERALS, numbered_op, record_of, record_width


@dataclass(frozen=True)
class Source:
    """Where one input of a group comes from: results of earlier groups, and the rows of their concatenation."""

    groups: tuple[int, ...]
    rows: slice  # of Schedule.index
    whole: bool  # the rows are all of the one group, in order: nothing to gather


@dataclass(frozen=True)
class Group:
    """Calls of one op at one level: `calls` of them, of programs `index[questions]`, with their literals."""

    op: Op
    calls: int
    questions: slice  # of Schedule.index
    literals: tuple[slice, ...]  # of Schedule.index
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Answered:
    """The answers of one kind: programs `questions`, whose values are rows of a group's result."""

    kind: Kind
    group: int
    questions: slice  # of Schedule.index
    rows: slice  # of Schedule.index


@dataclass(frozen=True)
class Schedule:
    """What a batch of Q programs does, for any scenes. `index` is one array that all slices refer to."""

    domain: Domain
    programs: int
    groups: tuple[Group, ...]
    answers: tuple[Answered, ...]
    index: Tensor
    places: I64  # (M, 2): group and row of every call, in program order
    starts: I64  # (Q,): where each program's calls begin in `places`

    def to(self, device: torch.device | str) -> Schedule:
        """The same schedule with its index on a device: the one transfer that a batch needs."""
        if self.index.device == torch.device(device):
            return self
        moved = self.index.to(device, non_blocking=True)
        return Schedule(self.domain, self.programs, self.groups, self.answers, moved, self.places, self.starts)


class _Index:
    """The one array under construction."""

    def __init__(self) -> None:
        self.parts: list[I64] = []
        self.length = 0

    def add(self, values: I64) -> slice:
        start = self.length
        self.parts.append(values.astype(np.int64, copy=False))
        self.length += len(values)
        return slice(start, self.length)


def schedule(programs: Sequence[Program]) -> Schedule:
    """The schedule of a batch of programs of one domain.

    Raises:
        ExecutionError: no program, programs of several domains, or one whose ops cannot be scheduled.
    """
    if not programs:
        raise ExecutionError("there is no program to schedule")
    domain = programs[0].domain
    records = []
    for q, program in enumerate(programs):
        if program.domain is not domain and program.domain != domain:
            raise ExecutionError(f"program {q} is of domain '{program.domain.name}', the first of '{domain.name}'")
        record = program._record or record_of(program)
        if not record:
            raise ExecutionError(f"program {q} holds an op that cannot be scheduled: {program}")
        records.append(record)
    width = record_width()
    rows = np.frombuffer(b"".join(records), dtype=np.int32).reshape(-1, width)
    lengths = np.fromiter(map(len, records), dtype=np.int64, count=len(records)) // (4 * width)
    ends = np.cumsum(lengths)
    question = np.repeat(np.arange(len(programs)), lengths)
    offset = np.repeat(ends - lengths, lengths)
    key = rows[:, 0].astype(np.int64) * (1 + int(rows[:, 1].max())) + rows[:, 1]
    order = np.argsort(key, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    starts = np.flatnonzero(np.concatenate([[True], np.diff(key[order]) != 0]))
    stops = np.append(starts[1:], len(order))
    index = _Index()
    groups = []
    for a, b in zip(starts.tolist(), stops.tolist(), strict=True):
        calls = order[a:b]
        op = numbered_op(int(rows[calls[0], 1]))
        literals = tuple(index.add(rows[calls, 2 + i]) for i in range(len(op.literals)))
        first = 2 + MAX_LITERALS
        sources = tuple(
            _source(place[rows[calls, first + i] + offset[calls]], starts, stops, index) for i in range(len(op.inputs))
        )
        groups.append(Group(op, b - a, index.add(question[calls]), literals, sources))
    group_of = np.searchsorted(starts, place, side="right") - 1
    places = np.stack([group_of, place - starts[group_of]], axis=1)
    answers = _answers(groups, places[ends - 1], index)
    joined = torch.from_numpy(np.concatenate(index.parts))
    return Schedule(domain, len(programs), tuple(groups), answers, joined, places, ends - lengths)


def _source(places: I64, starts: I64, stops: I64, index: _Index) -> Source:
    group_of = np.searchsorted(starts, places, side="right") - 1
    groups = np.unique(group_of)
    before = np.zeros(len(starts), dtype=np.int64)
    before[groups] = np.concatenate([[0], np.cumsum((stops - starts)[groups])[:-1]])
    rows = places - starts[group_of] + before[group_of]
    size = int((stops - starts)[groups].sum())
    whole = len(rows) == size and bool((rows == np.arange(size)).all())
    return Source(tuple(groups.tolist()), index.add(rows), whole)


def _answers(groups: Sequence[Group], last: I64, index: _Index) -> tuple[Answered, ...]:
    told = []
    for g in np.unique(last[:, 0]).tolist():
        questions = np.flatnonzero(last[:, 0] == g)
        told.append(Answered(groups[g].op.result, g, index.add(questions), index.add(last[questions, 1])))
    return tuple(told)
