"""One run of a schedule on grounded scenes: tables gathered, groups applied in turn.

S scenes, N objects, M calls of the whole batch, K calls of a group. Nothing here waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...dsl.kinds import ATTRIBUTE, NUMBER
from ...dsl.op_summary import Read
from ...dsl.tables import TABLES, Table
from .algebras import Goedel, Logit, Product
from .grounding import SoftWorlds, own_values
from .schedule import Group, Schedule, known_summary


class _Tables:
    """The tables of a batch of worlds, by the names of their declarations, each read in one piece.

    Ops read per call; a read is a row of a flat table, (S * literals, ...). `rows` gathers any of them. What an op is
    known to read is gathered for all groups at once, which saves most of the small operations of a batch, and in the
    backward pass a gradient of the whole table for every group.
    """

    def __init__(self, grounded: SoftWorlds, algebra: Logit | Goedel | Product) -> None:
        self._grounded, self._algebra = grounded, algebra
        # Where execution is to decide, an attribute is answered by its own values. In training every concept competes:
        # that is how a learner finds out which attribute a concept is a value of.
        self._own = own_values(grounded.domain, grounded.device) if algebra.hard else None
        self._universes: dict[str, Tensor] = {}

    def universe(self, sort: str) -> Tensor:
        """Return the set of all individuals of a sort, (S, N) degrees."""
        degrees = self._universes.get(sort)
        if degrees is None:
            present = self._grounded.present_of(sort)
            everywhere = self._algebra.degree(present, self._grounded.dtype)
            degrees = torch.where(present, everywhere, everywhere.new_tensor(self._grounded.nothing))
            self._universes[sort] = degrees
        return degrees

    def rows(self, name: str, scenes: Tensor, literal: Any) -> Tensor:
        """Row k: the entry of `literal[k]` (None where there is none) in the table of world `scenes[k]`."""
        if name not in TABLES:
            return self.universe(name).index_select(0, scenes)
        declared = TABLES[name]
        how, base = declared.derived or ("same", name)
        if how == "same":  # grounded as it is: how alike two individuals are is a degree of its own
            return self._gather(declared, scenes, literal)
        rows = self.rows(base, scenes, literal)
        if how == "converse":
            return rows.transpose(-1, -2)
        if how == "closure":
            return closure(rows, self._algebra)
        later = torch.ones(rows.shape[-2:], dtype=torch.bool, device=rows.device).triu(1)
        # Not later is the same as absent: the self mask's degree, which the diagonal holds, would differ by model.
        return torch.where(later, rows, rows.new_tensor(self._grounded.nothing))

    def _gather(self, declared: Table, scenes: Tensor, literal: Any) -> Tensor:
        table = self._grounded.degrees(declared.name)
        which = scenes if literal is None else scenes * table.shape[1] + literal
        rows = table.flatten(0, 1).index_select(0, which)
        if declared.of_words and declared.literal is ATTRIBUTE and self._own is not None:
            own = self._own[literal]  # (K, C), or (C,) of an op's own literal
            return torch.where(own.unsqueeze(-2), rows, rows.new_tensor(self._grounded.nothing))
        return rows


def closure(rows: Tensor, algebra: Logit | Goedel | Product) -> Tensor:
    """Compute all that repeated steps along a table lead to, (K, N, N); each round doubles the steps."""
    size = rows.shape[-1]
    for _ in range(max(size - 1, 1).bit_length()):
        links = rows.repeat_interleave(size, dim=0)  # (K * N, N, N)
        rows = algebra.either(rows, algebra.reach(rows.flatten(0, 1), links).view_as(rows))
    return rows


class SoftView:
    """The View of a group of calls, each on its own world. `ready` holds what was gathered for it beforehand, by table
    and literal."""

    def __init__(
        self, tables: _Tables, literals: tuple[Tensor, ...], ready: dict[Read, Tensor], scenes: Callable[[], Tensor]
    ) -> None:
        self._tables, self._literals, self._ready, self._scenes = tables, literals, ready, scenes

    def universe(self, sort: str) -> Tensor:
        return self._ready[Read(sort, -1)]

    def members(self, name: str, literal: Any = None) -> Tensor:
        if literal is None:
            return self._ready[Read(name, -1)]
        for place, mine in enumerate(self._literals):
            if literal is mine:
                return self._ready[Read(name, place)]
        return self._tables.rows(name, self._scenes(), literal)  # a literal of the op's own

    table = members


def on_device(plan: Schedule, scenes: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the schedule's index and the scenes on the device, in one transfer where both are on the host."""
    if device.type != "cpu" and plan.index.device.type == scenes.device.type == "cpu":
        both = torch.cat([plan.index, scenes]).to(device, non_blocking=True)
        return both[: len(plan.index)], both[len(plan.index) :]
    return plan.index.to(device, non_blocking=True), scenes.to(device, non_blocking=True)


class Run:
    """One execution of a schedule."""

    def __init__(
        self, algebra: Logit | Goedel | Product, plan: Schedule, index: Tensor, scenes: Tensor, grounded: SoftWorlds
    ) -> None:
        self.algebra = algebra
        self.pieces = torch.split(index, list(plan.sizes))
        self.scenes = scenes.index_select(0, self.pieces[0])  # (M,)
        self.tables = _Tables(grounded, algebra)
        self.grounded, self.nothing = grounded, grounded.nothing
        self.dtype = grounded.dtype
        # float32 holds whole numbers up to 2^24, half precision only up to 2,048 and 256
        self.number_dtype = self.dtype if self.dtype.itemsize >= 4 else torch.float32
        self.everything_crisp = algebra.config.quantisation == "everything"
        self.ready: list[dict[Read, Tensor]] = [{} for _ in plan.groups]
        for lookup in plan.lookups:
            literals = self.pieces[lookup.literals] if lookup.literals >= 0 else None
            rows = self.tables.rows(lookup.table, scenes.index_select(0, self.pieces[lookup.rows]), literals)
            for (g, read), mine in zip(lookup.wanted, torch.split(rows, list(lookup.sizes)), strict=True):
                self.ready[g][read] = mine

    def group(self, g: int, group: Group, results: list[Tensor]) -> Tensor:
        """Compute the values of a group's calls, (K, ...)."""
        op = group.op
        inputs = []
        for source in group.sources:
            values = results[source.groups[0]]
            if len(source.groups) > 1:
                values = torch.cat([results[s] for s in source.groups])
            inputs.append(values if source.rows < 0 else values.index_select(0, self.pieces[source.rows]))
        literals = tuple([self.pieces[piece] for piece in group.literals])

        def mine() -> Tensor:
            return self.scenes.narrow(0, group.start, group.calls)

        view = SoftView(self.tables, literals, self.ready[g], mine)
        value: Tensor = op.apply(self.algebra, view, literals, tuple(inputs))
        if op.result is NUMBER:
            value = value.to(self.number_dtype)
        elif value.dtype != self.dtype:
            value = value.to(self.dtype)
        if value.dim() == 0:  # an op that says the same of every scene
            value = value.expand(group.calls)
        if op.result.shape == "set":
            if known_summary(op).makes_set:
                present = self.grounded.present_of(op.result.sort or "object")
                value = torch.where(present.index_select(0, mine()), value, value.new_tensor(self.nothing))
            if self.everything_crisp:
                value = self.algebra.harden(value)
        return value
