"""Why soft execution has no answer: a scene without the object that a program asks about, or tables that say nothing.

Degrees alone cannot tell: a softmax over no object still names one, and the highest of scores that are not numbers is
some concept. So the scenes and tables of a batch are looked at when its answers are read. That waits for the device,
as reading answers does; training reads none.

S scenes, Q programs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...dsl.domain import Domain
from ...dsl.tables import TABLES
from ...errors import ExecutionError, NotUnique
from ...programs.program import Program
from ...programs.text_writer import format_node
from .grounding import FIELD_OF, SoftWorlds
from .schedule import Schedule, known_summary

_ROUNDING = 1e-3  # by which a probability that was computed may lie outside 0..1


def _stored_as(table: str) -> str:
    """Return the name of the stored table that a table, derived or not, is read from."""
    while table in TABLES and (derived := TABLES[table].derived) is not None and derived[0] != "same":
        table = derived[1]
    return FIELD_OF.get(table, table)


def faults_of(plan: Schedule, grounded: SoftWorlds, scenes: Tensor) -> dict[int, ExecutionError]:
    """Return the programs of a batch that have no answer, and why.

    Args:
        scenes: (Q,) the scene of each program.
    """
    where = scenes.cpu().numpy()
    faults: dict[int, ExecutionError] = {}
    sorts = grounded.domain.world.sorts
    empty = {sort: ~grounded.present_of(sort).any(dim=1).cpu().numpy() for sort in sorts}
    for q in np.flatnonzero(np.logical_or.reduce([empty[sort][where] for sort in sorts])).tolist():
        error = no_individual(plan.asked[q], frozenset(sort for sort in sorts if empty[sort][where[q]]))
        if error is not None:
            faults[q] = error
    for table, broken in _broken_tables(grounded, np.unique(where).tolist()).items():
        for q in _readers(plan, table):
            if (why := broken.get(int(where[q]))) is not None:
                faults.setdefault(q, ExecutionError(why))
    return faults


def check_tables(grounded: SoftWorlds) -> None:
    """Check all tables for code that reads them without a program.

    Raises:
        ExecutionError: a table holds what is no degree; it names the table, the scene and the entry.
    """
    for broken in _broken_tables(grounded, range(len(grounded))).values():
        raise ExecutionError(next(iter(broken.values())))


def no_individual(program: Program, empty: frozenset[str]) -> NotUnique | None:
    """Return the error of the first call that takes a single individual, in a world that has none of some sorts."""
    for node, step in enumerate(program.steps):
        sort = next((sort for sort in known_summary(step.op).singles if sort in empty), None)
        if sort is not None:
            return NotUnique(
                f"node {node}: {format_node(program, node)} met no {sort}", node=node, objects=(), sort=sort
            )
    return None


def _readers(plan: Schedule, table: str) -> list[int]:
    """Return the programs that read a table."""
    readers: set[int] = set()
    calls = plan.index[: plan.sizes[0]].tolist()
    for group in plan.groups:
        if any(_stored_as(name) == table for name in known_summary(group.op).tables):
            readers.update(calls[group.start : group.start + group.calls])
    return sorted(readers)


def _broken_tables(grounded: SoftWorlds, scenes: Sequence[int]) -> dict[str, dict[int, str]]:
    """Return, by table, those of the scenes that have an entry that is no degree, and a description of the entry."""
    by_table: dict[str, dict[int, str]] = {}
    for name in grounded.stored():
        table = grounded.stored()[name].detach()
        good = _good(table, grounded.nothing < 0)
        whole = good.flatten(1).all(dim=1).tolist()
        broken = [s for s in scenes if not whole[s]]
        if broken:
            by_table[name] = {s: _fault_text(grounded, name, s, good[s]) for s in broken}
    return by_table


def _good(table: Tensor, logits: bool) -> Tensor:
    if logits:
        return torch.isfinite(table)
    return (table >= -_ROUNDING) & (table <= 1 + _ROUNDING)  # false of what is not a number


def _fault_text(grounded: SoftWorlds, name: str, scene: int, good: Tensor) -> str:
    place = np.argwhere(~good.cpu().numpy())[0].tolist()
    value = float(grounded.stored()[name].detach()[scene][tuple(place)])
    wanted = "logits are finite numbers" if grounded.nothing < 0 else "degrees are numbers in 0..1"
    return f"grounded {name}: scene {scene} has {value:g} for {_entry(grounded.domain, name, place)}; {wanted}"


def _entry(domain: Domain, name: str, place: Sequence[int]) -> str:
    """Describe the place of an entry in one scene's table."""
    if name == "concepts":
        return f"'{domain.concepts[place[0]]}' of object {place[1]}"
    if name == "words":
        return f"'{domain.concepts[place[2]]}' as the {domain.attributes[place[0]]} of object {place[1]}"
    if name == "relations":
        return f"'{domain.relations[place[0]]}' of objects {place[1]} and {place[2]}"
    if name != "alike":
        return f"entry {list(place)}"
    return f"the {domain.attributes[place[0]]} that objects {place[1]} and {place[2]} share"
