"""What programs mean, written down a second time: lists, sets and loops over a scene's record, and nothing
else.

This evaluator shares no code with nsreason's ops and executors, so that tests/executors/test_agreement.py compares two
independent readings of the same definitions (the CLEVR question engine's, where it has the op). It is slow
and plain on purpose.

An object is its index, a set of objects a frozenset of indices, a word a string, a number an int, a truth a
bool.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nsreason.programs.program import Program

Record = dict[str, Any]


class NotOne(Exception):  # noqa: N818 - a result to compare, not a fault
    """`unique` met these objects, at this call."""

    def __init__(self, node: int, objects: tuple[int, ...]) -> None:
        self.node, self.objects = node, objects
        super().__init__(node, objects)


def evaluate(program: Program, record: Record) -> Any:
    """The answer: a tuple of indices, an index, a word, a number or a truth.

    Raises:
        NotOne: the first `unique` (in the order of the calls) that met no object, or several.
    """
    values: list[Any] = []
    world = Meaning(record, program)
    for node, call in enumerate(program.calls):
        meaning: Callable[..., Any] = getattr(world, call.op)
        try:
            values.append(meaning(*[values[i] for i in call.inputs], *call.literals))
        except _NotOne as met:
            raise NotOne(node, met.objects) from None
    answer = values[-1]
    return tuple(sorted(answer)) if isinstance(answer, frozenset) else answer


class _NotOne(Exception):  # noqa: N818
    def __init__(self, objects: tuple[int, ...]) -> None:
        self.objects = objects
        super().__init__(objects)


class Meaning:
    """One method an op: the inputs first, then the literals."""

    def __init__(self, record: Record, program: Program) -> None:
        self.objects = record["objects"]
        self.record = record
        self.file = program.domain.file
        self.everything = frozenset(range(len(self.objects)))
        self.asked: dict[tuple[int, str, int], bool] = {}

    def stands(self, j: int, relation: str, i: int) -> bool:
        """Whether object j stands in the relation to object i: 'j is left of i'."""
        key = (j, relation, i)
        if key not in self.asked:
            self.asked[key] = self._stands(*key)
        return self.asked[key]

    def _stands(self, j: int, relation: str, i: int) -> bool:
        inverse = self.file.relations[relation].inverse
        listed = self.record["relationships"]
        if relation in listed:
            return j in listed[relation][i]
        if inverse in listed:
            return i in listed[inverse][j]
        along = self.record["directions"]
        for name, left, right in ((relation, j, i), (inverse, i, j)):
            direction = self.file.relations[name].direction if name is not None else None
            if direction in along:
                a, b = self.objects[left]["3d_coords"], self.objects[right]["3d_coords"]
                ahead = sum((x - y) * d for x, y, d in zip(a, b, along[direction], strict=True))
                return bool(ahead > self.file.eps)
        raise AssertionError(f"the record says nothing of {relation}")

    # sets

    def scene(self) -> frozenset[int]:
        return self.everything

    def filter(self, objects: frozenset[int], value: str) -> frozenset[int]:
        return frozenset(i for i in objects if value in [self.objects[i][a] for a in self.file.attributes])

    def relate(self, anchor: int, relation: str) -> frozenset[int]:
        return frozenset(j for j in self.everything if j != anchor and self.stands(j, relation, anchor))

    def relate_any(self, objects: frozenset[int], relation: str) -> frozenset[int]:
        return frozenset(j for i in objects for j in self.relate(i, relation))

    def extreme(self, objects: frozenset[int], relation: str) -> frozenset[int]:
        return frozenset(i for i in objects if not any(j != i and self.stands(j, relation, i) for j in objects))

    def same(self, anchor: int, attribute: str) -> frozenset[int]:
        mine = self.objects[anchor][attribute]
        return frozenset(j for j in self.everything if j != anchor and self.objects[j][attribute] == mine)

    def intersect(self, a: frozenset[int], b: frozenset[int]) -> frozenset[int]:
        return frozenset(i for i in self.everything if i in a and i in b)

    def union(self, a: frozenset[int], b: frozenset[int]) -> frozenset[int]:
        return frozenset(i for i in self.everything if i in a or i in b)

    def difference(self, a: frozenset[int], b: frozenset[int]) -> frozenset[int]:
        return frozenset(i for i in a if i not in b)

    def only(self, anchor: int) -> frozenset[int]:
        return frozenset([anchor])

    # objects and words

    def unique(self, objects: frozenset[int]) -> int:
        if len(objects) != 1:
            raise _NotOne(tuple(sorted(objects)))
        return next(iter(objects))

    def query(self, anchor: int, attribute: str) -> str:
        return str(self.objects[anchor][attribute])

    # numbers

    def count(self, objects: frozenset[int]) -> int:
        return len(objects)

    def distinct(self, objects: frozenset[int], attribute: str) -> int:
        return len({self.objects[i][attribute] for i in objects})

    def number(self, n: str) -> int:
        return int(n)

    def minus(self, a: int, b: int) -> int:
        return a - b

    # truths

    def exist(self, objects: frozenset[int]) -> bool:
        return len(objects) > 0

    def equal(self, a: str, b: str) -> bool:
        return a == b

    def equal_object(self, a: int, b: int) -> bool:
        return a == b

    def equal_integer(self, a: int, b: int) -> bool:
        return a == b

    def less(self, a: int, b: int) -> bool:
        return a < b

    def greater(self, a: int, b: int) -> bool:
        return a > b

    def negate(self, a: bool) -> bool:
        return not a

    def both(self, a: bool, b: bool) -> bool:
        return a and b

    def either(self, a: bool, b: bool) -> bool:
        return a or b
