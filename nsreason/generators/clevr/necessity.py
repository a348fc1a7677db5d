"""Does every word of a question matter? A call is idle when its noun phrase picks the same objects without it.

    idle_calls(parse_program("count(filter[red](filter[cube](scene())))"), scene)   # (2,): all cubes are red

To leave a call out means: of a filter or an extreme, to take its input; of `relate`, `relate_any` and `same`, to take
all objects; of `intersect` and `union`, to take either side. What counts is the set that the whole noun phrase makes,
at the call that asks something of it (`unique`, `count`, `exist`), and not the answer: 'are there red cubes?' is
answered yes without 'red' as well whenever it is answered yes at all, and 'more red cubes than balls' likewise.
For `unique` and `count` of a narrower set the two come to the same.

CLEVR's own generator does the same for relations (with the answer, or the set, according to the template), keeps one
in ten that do not matter, and lets filters be idle: 'the large red metal cube' where there is a single cube.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...dsl.domain import Step
from ...dsl.kinds import OBJECTS
from ...dsl.ops import Op
from ...executors.bitsets import Ambiguous, tables_of
from ...executors.compiler import Compiled, compiled
from ...executors.interpreter import check_domain, not_unique
from ...programs.program import Program
from ...scenes.scene import Scene

_ALL_INSTEAD = frozenset({"relate", "relate_any", "same"})
_INPUT_INSTEAD = {"filter": (0,), "extreme": (0,), "difference": (0,), "intersect": (0, 1), "union": (0, 1)}


class Meaning(NamedTuple):
    """A call's value, and what the value would be without one of the calls under it.

    Attributes:
        value: as the exact algebra has it.
        without: for each call of the same noun phrase, its number and the set that would be left.
    """

    value: int
    without: tuple[tuple[int, int], ...] = ()

    def idle(self) -> tuple[int, ...]:
        """The calls without which the value is the same, each once."""
        return tuple(dict.fromkeys(node for node, other in self.without if other == self.value))


@functools.cache
def _function(op: Op) -> Compiled:
    return compiled(op)


def meaning(tables: Any, node: int, step: Step, inputs: Sequence[Meaning]) -> Meaning:
    """The meaning of call number `node`, of at most two inputs.

    Raises:
        Ambiguous: `unique` met a set without exactly one member.
    """
    function = _function(step.op)
    literal: Any = step.encoded[0] if len(step.encoded) == 1 else step.encoded
    values = [m.value for m in inputs] + [0, 0]
    value = function(tables, literal, values[0], values[1])
    if step.gives is not OBJECTS:
        return Meaning(value)
    without: list[tuple[int, int]] = []
    for place, given in enumerate(inputs):
        for left_out, other in given.without:
            changed = list(values)
            changed[place] = other
            without.append((left_out, function(tables, literal, changed[0], changed[1])))
    without += [(node, values[place]) for place in _INPUT_INSTEAD.get(step.op.name, ())]
    if step.op.name in _ALL_INSTEAD:
        without.append((node, tables.object))
    return Meaning(value, tuple(without))


def idle_calls(program: Program, scene: Scene) -> tuple[int, ...]:
    """The calls of a program that could be left out without any noun phrase meaning other objects on this scene.

    Each is idle for itself; leaving out two of them at once may change something. A program that ends in a set is
    one noun phrase.

    Raises:
        NotUnique: the program has no exact answer on this scene.
        ExecutionError: the scene is of another domain.
        ValueError: a call has more than two inputs, as a user's own op may have.
    """
    check_domain(program, scene)
    tables = tables_of(scene)
    meanings: list[Meaning] = []
    idle: list[int] = []
    for node, (step, given) in enumerate(zip(program.steps, program.inputs, strict=True)):
        if len(given) > 2:
            raise ValueError(f"'{step.op.name}' has {len(given)} inputs; 2 at most are understood here")
        inputs = [meanings[i] for i in given]
        try:
            meanings.append(meaning(tables, node, step, inputs))
        except Ambiguous as ambiguous:
            raise not_unique(program, scene, node, ambiguous.bits) from None
        if step.gives is not OBJECTS:
            idle += [n for m in inputs for n in m.idle()]
    return tuple(sorted({*idle, *meanings[-1].idle()}))
