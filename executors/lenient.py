"""What to answer when a program has no exact answer.

Exact execution ends in NotUnique when `unique` meets no object or several. A data set still wants an
answer, and other executors give one silently. `execute_leniently` is that rule, written out and asked for
by name:

* `unique` of a set with several members takes the first (lowest index), as NS-VQA's executor does.
* `unique` of the empty set gives the absent object. It is related to nothing and shares its values with
  nothing, so `relate` and `same` give the empty set, it has no value to query, and it is equal to nothing,
  itself included. The
  program goes on from there: `count` of what is left of it is 0, `exist` is no, and a query of it has no
      answer.
* An object with several values of an open attribute answers with the first in the domain's order; one without a value
  answers as the absent object does.
"""

from __future__ import annotations

from typing import Any

from ..programs.program import Program
from ..scenes.values import OpenColumn
from ..scenes.world import World
from .answers import Answer, decode
from .bitsets import BitSets, BitView, tables_of
from .interpreter import check_domain

ABSENT = -1


class FirstMember(BitSets):
    """The exact algebra, but for `the`, and for what the absent object does.

    On a program that has an exact answer the two agree.
    """

    def the(self, objects: int) -> int:
        return (objects & -objects).bit_length() - 1  # of the empty set: -1, which is ABSENT

    def only(self, anchor: int) -> int:
        return 0 if anchor == ABSENT else 1 << anchor

    def follow(self, anchor: int, links: Any) -> Any:
        if anchor == ABSENT or links is NO_ROWS:
            return NO_ROWS if links and not isinstance(links[0], int) else 0
        return links[anchor]

    def reach(self, objects: int, links: Any) -> int:
        return 0 if links is NO_ROWS else super().reach(objects, links)

    def choose(self, anchor: int, links: Any) -> int:
        if anchor == ABSENT or links is NO_ROWS:
            return ABSENT
        if isinstance(links, OpenColumn):
            return next(iter(links.rows[anchor]), ABSENT)
        word: int = links[anchor]
        return word

    def match(self, a: int, b: int) -> int:
        return 1 if a == b != ABSENT else 0


NO_ROWS: tuple[int, ...] = ()
"""The table at the absent individual, where tables are nested."""

_LENIENT = FirstMember()


def execute_leniently(program: Program, scene: World) -> Answer | None:
    """Return the answer where every `unique` finds an object or the absent one.

    It is None when it would be a value of the absent object, or that object itself.
    On a program that has an exact answer this is that answer.

    Raises:
        ExecutionError: the scene is of another domain.
        SceneError: the scene does not know a relation that the program asks for.
    """
    check_domain(program, scene)
    view = BitView(tables_of(scene))
    values: list[int] = []
    for step, given in zip(program.steps, program.inputs, strict=True):
        inputs = tuple(values[i] for i in given)
        values.append(step.op.apply(_LENIENT, view, step.encoded, inputs))
    value, kind = values[-1], program.kind
    if value == ABSENT and kind.shape in ("one", "word"):
        return None
    return decode(value, kind, program.domain)
