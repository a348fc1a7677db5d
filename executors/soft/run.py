"""One run of a schedule on grounded scenes: tables gathered, groups applied in turn.

S scenes, N objects, M calls of the whole batch, K calls of a group. Nothing here waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...dsl.kinds import NUMBER, OBJECTS
from .algebras import Goedel, Logit, Product
from .grounding import TABLE_OF, Grounded, own_values
from .schedule import Group, Read, Schedule, facts_of


class _Tables:
    """The tables of a batch of scenes, by the names that views give them, each read in one piece.

    Ops read per call; a read is a row of a flat table, (S * literals, ...). `rows` gathers any of them. What an op is
    known to read is gathered for all groups at once, which saves most of the small operations of a batch, and in the
    backward pass a gradient of the whole table for every group.
    """

    def __init__(self, grounded: Grounded, algebra: Logit | Goedel | Product) -> None:
        self._grounded = grounded
        # Where execution is to decide, an attribute is answered by its own values. In training every concept competes:
        # that is how a learner finds out which attribute a concept is a value of.
        self._own = own_values(grounded.domain, grounded.concepts.device) if algebra.hard else None
        self._everything = torch.where(
            grounded.present,
            algebra.degree(grounded.present, grounded.concepts.dtype),
            grounded.concepts.new_tensor(algebra.nothing),
        )

    def everything(self, scenes: Tensor) -> Tensor:
        """The set of all objects, (K, N), and nothing else."""
        return self._everything.index_select(0, scenes)

    def rows(self, name: str, scenes: Tensor, literal: Any) -> Tensor:
        """Row k: the entry of `literal[k]` in the table of scene `scenes[k]`."""
        if name == "everything":
            return self.everything(scenes)
        table: Tensor = getattr(self._grounded, TABLE_OF[name])
        rows = table.flatten(0, 1).index_select(0, scenes * table.shape[1] + literal)
        if name == "converse":
            return rows.transpose(-1, -2)
        if name == "values" and self._own is not None:
            own = self._own[literal]  # (K, C), or (C,) of an op's own literal
            return torch.where(own.unsqueeze(-2), rows, rows.new_tensor(self._grounded.nothing))
        if name == "repeats":
            later = torch.ones(rows.shape[-2:], dtype=torch.bool, device=rows.device).triu(1)
            # Not later is the same as absent: the self mask's degree, which the diagonal holds, would differ by model.
            return torch.where(later, rows, rows.new_tensor(self._grounded.nothing))
        return rows


class SoftView:
    """The View of a group of calls, each on its own scene. `ready` holds what was gathered for it beforehand, by table
    and literal."""

    def __init__(
        self, tables: _Tables, literals: tuple[Tensor, ...], ready: dict[Read, Tensor], scenes: Callable[[], Tensor]
    ) -> None:
        self._tables, self._literals, self._ready, self._scenes = tables, literals, ready, scenes

    def _rows(self, name: str, literal: Any) -> Tensor:
        for place, mine in enumerate(self._literals):
            if literal is mine:
                return self._ready[Read(name, place)]
        return self._tables.rows(name, self._scenes(), literal)  # a literal of the op's own

    def everything(self) -> Tensor:
        return self._ready[Read("everything", -1)]

    def concept(self, concept: Any) -> Tensor:
        return self._rows("concept", concept)

    def relation(self, relation: Any) -> Tensor:
        return self._rows("relation", relation)

    def converse(self, relation: Any) -> Tensor:
        return self._rows("converse", relation)

    def alike(self, attribute: Any) -> Tensor:
        return self._rows("alike", attribute)

    def repeats(self, attribute: Any) -> Tensor:
        return self._rows("repeats", attribute)

    def values(self, attribute: Any) -> Tensor:
        return self._rows("values", attribute)


def on_device(plan: Schedule, scenes: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """The schedule's index and the scenes on the device, in one transfer where both are on the host."""
    if device.type != "cpu" and plan.index.device.type == scenes.device.type == "cpu":
        both = torch.cat([plan.index, scenes]).to(device, non_blocking=True)
        return both[: len(plan.index)], both[len(plan.index) :]
    return plan.index.to(device, non_blocking=True), scenes.to(device, non_blocking=True)


class Run:
    """One execution of a schedule."""

    def __init__(
        self, algebra: Logit | Goedel | Product, plan: Schedule, index: Tensor, scenes: Tensor, grounded: Grounded
    ) -> None:
        self.algebra = algebra
        self.pieces = torch.split(index, list(plan.sizes))
        self.scenes = scenes.index_select(0, self.pieces[0])  # (M,)
        self.tables = _Tables(grounded, algebra)
        self.present, self.nothing = grounded.present, grounded.nothing
        self.dtype = grounded.concepts.dtype
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
        """The values of a group's calls, (K, ...)."""
        op = group.op
        inputs = []
        for source in group.sources:
            found = results[source.groups[0]]
            if len(source.groups) > 1:
                found = torch.cat([results[s] for s in source.groups])
            inputs.append(found if source.rows < 0 else found.index_select(0, self.pieces[source.rows]))
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
        if op.result is OBJECTS:
            if facts_of(op).makes_set:
                value = torch.where(self.present.index_select(0, mine()), value, value.new_tensor(self.nothing))
            if self.everything_crisp:
                value = self.algebra.harden(value)
        return value
