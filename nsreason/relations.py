"""Relations as tables: row i is the bit set of the objects that stand in the relation to object i.

N objects; bit j of an integer stands for object j, so a row holds any number of objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .domain import Domain
from .errors import SceneError, did_you_mean


def members(bits: int) -> tuple[int, ...]:
    """The indices in a bit set, ascending."""
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return tuple(found)


def converse(rows: Sequence[int]) -> list[int]:
    """The table read the other way: bit j of row i becomes bit i of row j."""
    n = len(rows)
    if n > 64:
        width = (n + 7) // 8
        packed = np.frombuffer(b"".join(r.to_bytes(width, "little") for r in rows), np.uint8)
        return _pack_rows(np.unpackbits(packed.reshape(n, width), axis=1, count=n, bitorder="little").T)
    turned = [0] * n
    for i, row in enumerate(rows):
        for j in members(row):
            turned[j] |= 1 << i
    return turned


def _pack_rows(matrix: np.ndarray[Any, Any]) -> list[int]:
    packed = np.packbits(matrix, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def rows_along(coords: Sequence[Sequence[float]], vector: Sequence[float], eps: float) -> list[int]:
    """Bit j of row i: `along[j] - along[i] > eps`. In blocks, so that memory stays small for 10,000
    objects."""
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
) -> dict[str, list[int]]:
    """Tables from the lists of a scene file.

    Raises:
        SceneError: a relation is unknown, an index is not that of another object or stands twice, or a
        relation and
            its inverse contradict each other.
    """
    given: dict[str, list[int]] = {}
    for name, rows in relationships.items():
        if name not in domain.relation_index:
            if all(r in relationships for r in domain.relations):
                continue  # official files may name more ('above'); nothing asks for it
            raise SceneError(
                f"no relation '{name}' in domain '{domain.name}'{did_you_mean(name, domain.relations)}",
                path=f"$.relationships.{name}",
            )
        if len(rows) != n:
            raise SceneError(f"{len(rows)} rows for {n} objects", path=f"$.relationships.{name}")
        table = []
        for i, row in enumerate(rows):
            bits = 0
            for j in row:
                if not 0 <= j < n or j == i:
                    what = "is the object itself" if j == i else f"is not one of the {n} objects"
                    raise SceneError(f"index {j} {what}", path=f"$.relationships.{name}[{i}]")
                bits |= 1 << j
            if bits.bit_count() != len(row):
                again = next(j for place, j in enumerate(row) if j in row[:place])
                raise SceneError(f"index {again} stands there twice", path=f"$.relationships.{name}[{i}]")
            table.append(bits)
        given[name] = table
    for name, table in given.items():
        inverse = domain.inverse(name)
        if inverse is not None and inverse in given and given[inverse] != converse(table):
            raise _contradiction(name, inverse, table, converse(given[inverse]))
    return given


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
