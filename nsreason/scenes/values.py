"""The values of a scene's objects: a column for each attribute, a set of objects for each value.

N objects. An attribute of which each object has exactly one value has a list of N concept numbers. An open attribute,
of which an object may have none or several, has an `OpenColumn`: it gives an object's value where there is exactly one,
and raises where there is not, so that no reader takes the first of several without knowing.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence

from ..dsl.domain import Domain
from ..errors import NoSingleValue, SceneError

ObjectValues = Sequence[int | Sequence[int]]
"""One object's concept numbers in the attributes' order; a sequence of them for an open attribute."""

MANY_CONCEPTS = 256  # from here on a scene keeps only the sets of the concepts that its objects have


class OpenColumn(Sequence[int]):
    """The values of an open attribute.

    Attributes:
        rows: per object, its concept numbers, ascending; any number of them.
    """

    __slots__ = ("attribute", "domain", "rows")

    def __init__(self, domain: Domain, attribute: int, rows: Sequence[tuple[int, ...]]) -> None:
        self.domain, self.attribute, self.rows = domain, attribute, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> int:  # type: ignore[override]  # there is no slice of single values
        """Object i's only value.

        Raises:
            NoSingleValue: it has none, or several.
        """
        row = self.rows[i]
        if len(row) != 1:
            values = tuple([self.domain.concepts[concept] for concept in row])
            raise NoSingleValue(self.domain.attributes[self.attribute], i, values)
        return row[0]

    def __iter__(self) -> Iterator[int]:
        return (self[i] for i in range(len(self.rows)))

    def __reduce__(self) -> tuple[object, ...]:
        return OpenColumn, (self.domain, self.attribute, self.rows)


Column = list[int] | OpenColumn


def values_at(column: list[int] | OpenColumn, i: int) -> Sequence[int]:
    """Object i's values, any number of them."""
    return column.rows[i] if isinstance(column, OpenColumn) else (column[i],)


class SparseSets(dict[int, int]):
    """The set of objects of each concept, where only those that are not empty are kept."""

    __slots__ = ()

    def __missing__(self, concept: int) -> int:
        return 0


def columns_of(domain: Domain, values: Sequence[ObjectValues]) -> list[Column]:
    """The values of objects as columns.

    Raises:
        SceneError: an object does not have a value for each attribute, or a number is of another attribute.
    """
    width = len(domain.attributes)
    for i, row in enumerate(values):
        if len(row) != width:
            raise SceneError(f"{len(row)} values for {width} attributes", path=f"$.objects[{i}]")
    if not values:
        return [OpenColumn(domain, a, ()) if a in domain.open_attributes else [] for a in range(width)]
    columns: list[Column] = []
    first = 0
    for number, (stop, column) in enumerate(zip(_ends(domain), zip(*values, strict=True), strict=True)):
        if number in domain.open_attributes:
            columns.append(OpenColumn(domain, number, _open_rows(domain, number, column, first, stop)))
        else:
            if min(column) < first or max(column) >= stop:
                i, wrong = next((i, v) for i, v in enumerate(column) if not first <= v < stop)
                raise _foreign(domain, number, i, wrong, first, stop)
            columns.append(list(column))
        first = stop
    return columns


def _open_rows(
    domain: Domain, attribute: int, column: Sequence[Sequence[int]], first: int, stop: int
) -> tuple[tuple[int, ...], ...]:
    if not any(column):
        return ((),) * len(column)
    rows: list[tuple[int, ...]] = []
    for i, concepts in enumerate(column):
        row = tuple(sorted(concepts) if len(concepts) > 1 else concepts)
        if row and not (first <= row[0] and row[-1] < stop):
            wrong = row[0] if row[0] < first else row[-1]
            raise _foreign(domain, attribute, i, wrong, first, stop)
        if len(row) != len(set(row)):
            twice = next(one for one, following in itertools.pairwise(row) if one == following)
            path = f"$.objects[{i}].{domain.attributes[attribute]}"
            raise SceneError(f"'{domain.concepts[twice]}' stands there twice", path=path)
        rows.append(row)
    return tuple(rows)


def _foreign(domain: Domain, attribute: int, i: int, wrong: int, first: int, stop: int) -> SceneError:
    path = f"$.objects[{i}].{domain.attributes[attribute]}"
    return SceneError(f"concept number {wrong} is not one of {first}..{stop - 1}", path=path)


@functools.lru_cache(maxsize=64)
def _ends(domain: Domain) -> list[int]:
    """For each attribute, the concept number behind its last value's."""
    return list(itertools.accumulate(len(domain.values(a)) for a in domain.attributes))


def stated_sets(domain: Domain, columns: Sequence[Column]) -> list[int] | SparseSets:
    """Per concept, the bit set of the objects of which it is stated."""
    many = len(domain.concepts) >= MANY_CONCEPTS
    sets: list[int] | SparseSets = SparseSets() if many else [0] * len(domain.concepts)
    bits = [1 << i for i in range(len(columns[0]))]
    for column in columns:
        if isinstance(column, OpenColumn):
            if any(column.rows):
                for bit, row in zip(bits, column.rows, strict=True):
                    for concept in row:
                        sets[concept] |= bit
        else:
            for bit, concept in zip(bits, column, strict=True):
                sets[concept] |= bit
    return sets


def sets_with_above(above: Mapping[int, tuple[int, ...]], stated: list[int] | SparseSets) -> list[int] | SparseSets:
    """Per concept, the bit set of the objects that have it: those of which it is stated, or a value below it."""
    if not above:
        return stated
    sets = stated.copy() if isinstance(stated, list) else SparseSets(stated)
    for concept in stated if isinstance(stated, SparseSets) else range(len(stated)):
        for higher in above.get(concept, ()):
            sets[higher] |= stated[concept]
    return sets
