"""Relations as tables: row i is the bit set of the objects that stand in the relation to object i.

N objects; bit j of an integer stands for object j, so a row holds any number of objects.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..dsl.domain import Domain
from ..errors import SceneError, did_you_mean

if TYPE_CHECKING:  # numpy is imported where it is used: reading a domain needs none of it
    import numpy as np


def members(bits: int) -> tuple[int, ...]:
    """The indices in a bit set, ascending."""
    indices = []
    while bits:
        low = bits & -bits
        indices.append(low.bit_length() - 1)
        bits ^= low
    return tuple(indices)


def listed(rows: Sequence[int]) -> list[list[int]]:
    """A table's rows as lists of indices, ascending."""
    n = len(rows)
    if n <= 64:
        return [list(members(row)) for row in rows]
    import numpy as np

    indices = np.arange(n).astype(object)  # one integer object for each index, however many rows hold it
    width = (n + 7) // 8
    lists: list[list[int]] = []
    for row in rows:
        bits = np.frombuffer(row.to_bytes(width, "little"), np.uint8)
        lists.append(indices[np.unpackbits(bits, count=n, bitorder="little").view(np.bool_)].tolist())
    return lists


def converse(rows: Sequence[int]) -> list[int]:
    """The table read the other way: bit j of row i becomes bit i of row j."""
    n = len(rows)
    if n > 64:
        import numpy as np

        width = (n + 7) // 8
        packed = np.frombuffer(b"".join([r.to_bytes(width, "little") for r in rows]), np.uint8).reshape(n, width)
        columns: list[int] = []
        for start in range(0, width, 64):  # in blocks, so that memory stays small for 10,000 objects
            columns += _pack_rows(np.unpackbits(packed[:, start : start + 64], axis=1, bitorder="little").T)
        return columns[:n]
    turned = [0] * n
    for i, row in enumerate(rows):
        for j in members(row):
            turned[j] |= 1 << i
    return turned


def _pack_rows(matrix: np.ndarray[Any, Any]) -> list[int]:
    import numpy as np

    packed = np.packbits(matrix, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def rows_along(coords: Sequence[Sequence[float]], vector: Sequence[float], eps: float) -> list[int]:
    """Bit j of row i: `along[j] - along[i] > eps`. In blocks, so that memory stays small for 10,000
    objects."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        along = np.asarray(coords, dtype=np.float64) @ np.asarray(vector, dtype=np.float64)  # (N,)
        if not np.isfinite(along.max() - along.min()):
            raise SceneError("the coordinates are too large to compare", path="$.objects")
    rows: list[int] = []
    for start in range(0, len(along), 1024):
        block = along[start : start + 1024]
        rows += _pack_rows(along[None, :] - block[:, None] > eps)
    return rows


def check_relationships(
    domain: Domain, relationships: Mapping[str, Sequence[Sequence[int]]], n: int
) -> tuple[dict[str, list[int]], dict[str, SceneError]]:
    """Tables from the lists of a scene file, and by relation what is wrong with the others.

    An index that is not that of another object or stands twice is wrong, and so are both of a relation and its
    inverse that contradict each other. A relation that the domain does not have is a fault only where some of the
    domain's are missing, since it may be one of them misspelled: official files name more, such as `above`.
    """
    given: dict[str, list[int]] = {}
    faults: dict[str, SceneError] = {}
    single = [1 << j for j in range(n)]
    for name, rows in relationships.items():
        if name not in domain.relation_index:
            if not all(r in relationships for r in domain.relations):
                message = f"no relation '{name}' in domain '{domain.name}'{did_you_mean(name, domain.relations)}"
                faults[name] = SceneError(message, path=f"$.relationships.{name}")
            continue
        try:
            given[name] = _table(rows, name, single)
        except SceneError as error:
            faults[name] = error
    for name, inverse in _pairs(domain):
        if name in given and inverse in given and not _agree(relationships[name], given[inverse]):
            fault = _contradiction(name, inverse, given[name], converse(given[inverse]))
            for one in {name, inverse}:
                faults[one] = fault
                del given[one]
    return given, faults


def _table(rows: Sequence[Sequence[int]], name: str, single: Sequence[int]) -> list[int]:
    """A relation's lists as bit sets; `single` is the set of each object alone."""
    n = len(single)
    if len(rows) != n:
        raise SceneError(f"{len(rows)} rows for {n} objects", path=f"$.relationships.{name}")
    table = []
    for i, row in enumerate(rows):
        bits = 0
        if row and min(row) >= 0 and max(row) < n:
            for j in row:
                bits |= single[j]
        if bits.bit_count() != len(row) or bits >> i & 1:
            raise SceneError(_fault(row, i, n), path=f"$.relationships.{name}[{i}]")
        table.append(bits)
    return table


def _fault(row: Sequence[int], i: int, n: int) -> str:
    """What is wrong with object i's row."""
    for place, j in enumerate(row):
        if not 0 <= j < n:
            return f"index {j} is not one of the {n} objects"
        if j == i:
            return f"index {j} is the object itself"
        if j in row[:place]:
            return f"index {j} stands there twice"
    raise AssertionError("the row is right")


@functools.lru_cache(maxsize=64)
def _pairs(domain: Domain) -> list[tuple[str, str]]:
    """Each relation that comes first with its inverse, which may be itself."""
    order = domain.relation_index
    pairs = [(name, domain.inverse(name)) for name in domain.relations]
    return [(name, inverse) for name, inverse in pairs if inverse is not None and order[name] <= order[inverse]]


def _agree(rows: Sequence[Sequence[int]], inverse: Sequence[int]) -> bool:
    """Whether the lists of a relation and the table of its inverse have the same pairs."""
    for i, row in enumerate(rows):
        for j in row:
            if not inverse[j] >> i & 1:
                return False
    return sum(map(len, rows)) == sum(map(int.bit_count, inverse))


def _contradiction(name: str, inverse: str, table: list[int], turned: list[int]) -> SceneError:
    """The first pair of objects of which a relation and its inverse say different things."""
    i = next(i for i in range(len(table)) if table[i] != turned[i])
    j = members(table[i] ^ turned[i])[0]
    says, denies = (name, inverse) if table[i] >> j & 1 else (inverse, name)
    there, here = (i, j) if says == name else (j, i)
    return SceneError(
        f"{here} is in {says}[{there}], but {there} is not in {denies}[{here}], and they are inverses",
        path=f"$.relationships.{name}[{i}]",
    )
