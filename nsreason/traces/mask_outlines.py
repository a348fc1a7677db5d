"""Masks as outlines: from COCO's run-length encoding to the closed lines around its parts and holes.

H, W a mask's height and width; P points of a ring. A ring is (P, 2), x and y in the mask's pixels from its upper left
corner; its last point joins its first. Rings fill by the even-odd rule: a hole is a ring inside another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, SceneError
from ..io.rle import run_lengths

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

_MOST_RINGS = 40  # of one mask; a detector's mask has specks by the hundred
_SPECK = 0.003  # rings smaller than this part of the largest are left out


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A mask's outline.

    Attributes:
        size: the mask's width and height.
        rings: its parts and holes, the largest first.
        area: the pixels that it covers.
        inside: x and y of a place in the mask, near its middle, where a label may stand.
    """

    size: tuple[int, int]
    rings: tuple[F64, ...]
    area: int
    inside: tuple[float, float]

    def fitted(self, width: float, height: float) -> Outline:
        """The same outline for a picture of another size."""
        across, down = width / self.size[0], height / self.size[1]
        rings = tuple(ring * (across, down) for ring in self.rings)
        inside = self.inside[0] * across, self.inside[1] * down
        return Outline((round(width), round(height)), rings, round(self.area * across * down), inside)


def read_mask(mask: object) -> Bools:
    """Decode a run-length encoded mask, (H, W): `size` is [height, width], `counts` text or a list.

    Raises:
        SceneError: it is not such an encoding, it is damaged, or its runs do not fill its size.
    """
    if not isinstance(mask, Mapping) or not {"size", "counts"} <= set(mask):
        raise SceneError("a mask is {'size': [height, width], 'counts': ...} in COCO's encoding", path="$.mask")
    try:
        runs = run_lengths({"size": mask["size"], "counts": mask["counts"]})
    except DataError as error:
        raise SceneError(str(error), path="$.mask") from None
    height, width = mask["size"]
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def outline(mask: object, tolerance: float | None = None) -> Outline:
    """The outline of a run-length encoded mask.

    Args:
        tolerance: how far, in the mask's pixels, a line may leave the mask's border; by default little enough not to
            be seen: 0.22, or more for a mask that is larger than a page.

    Raises:
        SceneError: the mask cannot be read, or covers no pixel.
    """
    filled = read_mask(mask)
    height, width = filled.shape
    rows, columns = np.flatnonzero(filled.any(1)), np.flatnonzero(filled.any(0))
    if not len(rows):
        raise SceneError("the mask is empty", path="$.mask")
    top, left = int(rows[0]), int(columns[0])
    part = filled[top : rows[-1] + 1, left : columns[-1] + 1]
    if tolerance is None:
        tolerance = max(0.22, max(filled.shape) / 1600)
    rings = sorted(borders(part), key=_area, reverse=True)
    least = _SPECK * _area(rings[0])
    corner = np.array([left, top])
    kept = [simplified(_smooth(ring), tolerance) + corner for ring in rings[:_MOST_RINGS] if _area(ring) >= least]
    x, y = _inside(part)
    return Outline((width, height), tuple(kept), int(part.sum()), (x + left, y + top))


def borders(filled: Bools) -> list[F64]:
    """The rings between what is filled and what is not, through the middles of the pixels' sides.

    Going through the middles takes a slanted border's stairs away: a corner is cut by a third of a pixel, and a
    straight border stays where it is.
    """
    # On a grid of corners: each filled pixel gives the sides at which it has no filled neighbour, directed so that
    # it lies to their right (y points down). `direction` counts right, down, left, up.
    padded = np.pad(filled, 1)
    inner = padded[1:-1, 1:-1]
    starts: list[I64] = []
    for direction, (neighbour, dx, dy) in enumerate(
        ((padded[:-2, 1:-1], 0, 0), (padded[1:-1, 2:], 1, 0), (padded[2:, 1:-1], 1, 1), (padded[1:-1, :-2], 0, 1))
    ):
        y, x = np.nonzero(inner & ~neighbour)
        starts.append(np.stack([x + dx, y + dy, np.full_like(x, direction)], axis=1))
    edges = np.concatenate(starts)  # (E, 3): x, y, direction
    if not len(edges):
        return []
    along = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])[edges[:, 2]]
    across = filled.shape[1] + 1
    start = edges[:, 1] * across + edges[:, 0]
    end = start + along[:, 1] * across + along[:, 0]
    order = np.argsort(start, kind="stable")
    first = np.searchsorted(start[order], end)
    following = order[first]
    # Where two pixels touch at a corner, two edges leave it: the one to the right stays with its own pixel.
    second = order[np.minimum(first + 1, len(order) - 1)]
    turns = (start[second] == end) & (edges[following, 2] != (edges[:, 2] + 1) % 4) & (second != following)
    after: list[int] = np.where(turns, second, following).tolist()
    middles = edges[:, :2] + along / 2
    rings: list[F64] = []
    waiting = [True] * len(after)
    for edge in range(len(after)):
        if not waiting[edge]:
            continue
        ring = []
        while waiting[edge]:
            waiting[edge] = False
            ring.append(edge)
            edge = after[edge]
        rings.append(middles[ring])
    return rings


def _smooth(ring: F64) -> F64:
    """The ring without what is left of its stairs; rings of a few pixels stay as they are."""
    if len(ring) < 16:
        return ring
    for _ in range(3):
        ring = (np.roll(ring, 1, axis=0) + 2 * ring + np.roll(ring, -1, axis=0)) / 4
    return ring


def simplified(ring: F64, tolerance: float) -> F64:
    """The ring with as few of its points as keep it within `tolerance` of where it was (Douglas and Peucker)."""
    while True:
        far = int(np.argmax(((ring - ring[0]) ** 2).sum(1)))
        closed = np.concatenate([ring, ring[:1]])
        kept = {0, far} | _kept(closed, 0, far, tolerance) | _kept(closed, far, len(ring), tolerance)
        if len(kept) >= 3 or tolerance == 0:
            return ring[sorted(kept - {len(ring)})]
        tolerance = tolerance / 4 if tolerance > 0.01 else 0.0  # a thin part must not shrink to a line


def _kept(points: F64, first: int, last: int, tolerance: float) -> set[int]:
    kept: set[int] = set()
    waiting = [(first, last)]
    while waiting:
        a, b = waiting.pop()
        if b - a < 2:
            continue
        chord = points[b] - points[a]
        off = points[a + 1 : b] - points[a]
        # From the chord itself, not from the line through it: a point may lie beyond its ends.
        part = np.clip(off @ chord / max(float(chord @ chord), 1e-12), 0, 1)
        distance = np.hypot(*(off - part[:, None] * chord).T)
        worst = int(np.argmax(distance))
        if distance[worst] > tolerance:
            middle = a + 1 + worst
            kept.add(middle)
            waiting += [(a, middle), (middle, b)]
    return kept


def _area(ring: F64) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def _inside(filled: Bools) -> tuple[float, float]:
    """The middle of the mask; where that is not in it, the middle of the longest run of the nearest row."""
    rows, columns = np.nonzero(filled)
    x, y = float(columns.mean()), float(rows.mean())
    if filled[round(y), round(x)]:
        return x + 0.5, y + 0.5
    row = int(rows[np.argmin(np.abs(rows - y))])
    steps = np.flatnonzero(np.diff(np.pad(filled[row], 1).astype(np.int8))).reshape(-1, 2)
    start, stop = steps[int(np.argmax(steps[:, 1] - steps[:, 0]))]
    return float(start + stop) / 2, row + 0.5


def svg_path(rings: Sequence[F64]) -> str:
    """The rings as the `d` of an SVG path, to a tenth of a pixel."""
    out = []
    for ring in rings:
        tenths = np.rint(ring * 10).astype(np.int64)
        steps = np.diff(tenths, axis=0)
        x, y = tenths[0]
        moves = "".join(f"{_tenth(dx)}{_tenth(dy)}" for dx, dy in steps.tolist())
        out.append(f"M{x / 10:g} {y / 10:g}l{moves.strip()}z")
    return "".join(out)


def _tenth(value: int) -> str:
    """A step in tenths, as short as SVG reads it: ` .5`, `-3`, ` 12.5`."""
    whole, rest = divmod(abs(value), 10)
    digits = f"{whole}.{rest}" if rest else str(whole)
    return ("-" if value < 0 else " ") + (digits[1:] if whole == 0 and rest else digits)
