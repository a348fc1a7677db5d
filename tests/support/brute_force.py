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


class NotOneValue(Exception):  # noqa: N818
    """`query` met an object with these values, at this call."""

    def __init__(self, node: int, index: int, values: tuple[str, ...]) -> None:
        self.node, self.index, self.values = node, index, values
        super().__init__(node, index, values)


def evaluate(program: Program, record: Record, meanings: type[Meaning] | None = None) -> Any:
    """The answer: a tuple of indices, an index, a word, a number or a truth.

    Raises:
        NotOne: the first `unique` (in the order of the calls) that met no object, or several.
        NotOneValue: or the first `query` of an object without a value of an open attribute, or with several.
    """
    values: list[Any] = []
    world = (meanings or Meaning)(record, program)
    for node, call in enumerate(program.calls):
        meaning: Callable[..., Any] = getattr(world, call.op)
        try:
            values.append(meaning(*[values[i] for i in call.inputs], *call.literals))
        except NotSingle as met:
            raise NotOne(node, met.objects) from None
        except _NotOneValue as met:
            raise NotOneValue(node, met.index, met.values) from None
    answer = values[-1]
    return tuple(sorted(answer)) if isinstance(answer, frozenset) else answer


class NotSingle(Exception):  # noqa: N818 - `evaluate` says at which call
    def __init__(self, objects: tuple[int, ...]) -> None:
        self.objects = objects
        super().__init__(objects)


class _NotOneValue(Exception):  # noqa: N818
    def __init__(self, index: int, values: tuple[str, ...]) -> None:
        self.index, self.values = index, values
        super().__init__(index, values)


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

    def _stated(self, i: int, attribute: str) -> list[str]:
        """What the record states of an object's attribute: any number of values."""
        value = self.objects[i].get(attribute, [])
        return [value] if isinstance(value, str) else list(value)

    def _is_a(self, attribute: str, value: str, wanted: str) -> bool:
        """Whether a value is the one wanted, or stands below it."""
        entry = self.file.attributes[attribute].values[value]
        return value == wanted or any(self._is_a(attribute, higher, wanted) for higher in entry.isa)

    def _stands(self, j: int, relation: str, i: int) -> bool:
        inverse = self.file.relations[relation].inverse
        listed = self.record["relationships"]
        if relation in listed:
            return j in listed[relation][i]
        if inverse in listed:
            return i in listed[inverse][j]
        along = self.record.get("directions", {})
        for name, left, right in ((relation, j, i), (inverse, i, j)):
            direction = self.file.relations[name].direction if name is not None else None
            if direction in along:
                a, b = self.objects[left]["3d_coords"], self.objects[right]["3d_coords"]
                ahead = sum((x - y) * d for x, y, d in zip(a, b, along[direction], strict=True))
                return bool(ahead > self.file.eps)
        if self.file.closed:
            return False
        raise AssertionError(f"the record says nothing of {relation}")

    # sets

    def scene(self) -> frozenset[int]:
        return self.everything

    def filter(self, objects: frozenset[int], value: str) -> frozenset[int]:
        [attribute] = [a for a, entry in self.file.attributes.items() if value in entry.values]
        return frozenset(i for i in objects if any(self._is_a(attribute, v, value) for v in self._stated(i, attribute)))

    def relate(self, anchor: int, relation: str) -> frozenset[int]:
        return frozenset(j for j in self.everything if j != anchor and self.stands(j, relation, anchor))

    def relate_any(self, objects: frozenset[int], relation: str) -> frozenset[int]:
        return frozenset(j for i in objects for j in self.relate(i, relation))

    def extreme(self, objects: frozenset[int], relation: str) -> frozenset[int]:
        return frozenset(i for i in objects if not any(j != i and self.stands(j, relation, i) for j in objects))

    def same(self, anchor: int, attribute: str) -> frozenset[int]:
        mine = self._stated(anchor, attribute)
        others = [j for j in self.everything if j != anchor]
        return frozenset(j for j in others if any(value in mine for value in self._stated(j, attribute)))

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
            raise NotSingle(tuple(sorted(objects)))
        return next(iter(objects))

    def query(self, anchor: int, attribute: str) -> str:
        values = self._stated(anchor, attribute)
        if len(values) != 1:
            raise _NotOneValue(anchor, tuple(values))
        entry = self.file.attributes[attribute].values[values[0]]
        return entry.answer or entry.label or values[0]

    # numbers

    def count(self, objects: frozenset[int]) -> int:
        return len(objects)

    def distinct(self, objects: frozenset[int], attribute: str) -> int:
        assert not self.file.attributes[attribute].open
        return len({self._stated(i, attribute)[0] for i in objects})

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
