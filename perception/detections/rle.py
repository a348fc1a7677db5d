"""Masks as COCO's run-length encoding.

N masks, H, W pixels. `nsreason.io.rle` says what the encoding is, and decodes it; encoding and polygons are
pycocotools', of what has been checked here: of damaged counts it returns garbage, and it can end the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...io.rle import I64, LARGEST, Rle, of_size, run_lengths

__all__ = [
    "F32",
    "I64",
    "Masks",
    "Rle",
    "as_rle",
    "decode_masks",
    "encode_masks",
    "mask_areas",
    "mask_boxes",
    "run_lengths",
]

F32 = NDArray[np.float32]
Masks = NDArray[np.bool_]


def encode_masks(masks: Masks) -> list[Rle]:
    """Encode masks, (N, H, W) bool.

    Raises:
        ValueError: they are of another shape.
    """
    from pycocotools import mask as coco

    masks = np.asarray(masks)
    if masks.ndim != 3 or (len(masks) and 0 in masks.shape):
        raise ValueError(f"masks are of the shape (N, H, W), got {masks.shape}")
    if not len(masks):
        return []
    pixels = np.asfortranarray((masks != 0).transpose(1, 2, 0).astype(np.uint8))  # (H, W, N)
    return [_text(rle) for rle in coco.encode(pixels)]


def decode_masks(rles: Sequence[Rle], size: tuple[int, int] | None = None) -> Masks:
    """Decode N masks to (N, H, W) bool.

    Args:
        size: (H, W) of all, as in an Rle; needed where there may be no mask.

    Raises:
        DataError: a mask is damaged, or of another size.
        ValueError: there is neither a mask nor a size.
    """
    if size is None and not rles:
        raise ValueError("no mask to take the size of: give size=(height, width)")
    height, width = size or (rles[0]["size"][0], rles[0]["size"][1])
    masks = np.zeros((len(rles), width, height), dtype=bool)  # columns first, as runs go
    for i, rle in enumerate(rles):
        runs = run_lengths(rle)
        if list(rle["size"]) != [height, width]:
            raise DataError(f"mask {i}: {of_size(rle['size'])}, the others {of_size([height, width])}")
        masks[i] = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height)
    return masks.transpose(0, 2, 1)


def mask_boxes(rles: Sequence[Rle]) -> F32:
    """Compute the boxes (N, 4) of masks; zeros for an empty one.

    Raises:
        DataError: a mask is damaged.
    """
    boxes = np.zeros((len(rles), 4), dtype=np.float32)
    for i, rle in enumerate(rles):
        runs, height = run_lengths(rle), rle["size"][0]
        stops = np.cumsum(runs)[1::2]
        filled = runs[1::2] > 0
        if filled.any():
            last, first = (stops - 1)[filled], (stops - runs[1::2])[filled]
            columns, rows = first // height, first % height
            bottoms = last % height
            whole = columns != last // height  # a run that goes on in the next column meets top and bottom
            top, bottom = (0, height) if whole.any() else (rows.min(), bottoms.max() + 1)
            boxes[i] = columns.min(), top, last.max() // height + 1, bottom
    return boxes


def mask_areas(rles: Sequence[Rle]) -> NDArray[np.float64]:
    """Compute the areas (N,) of masks, in pixels.

    Raises:
        DataError: a mask is damaged.
    """
    return np.asarray([run_lengths(rle)[1::2].sum() for rle in rles], dtype=np.float64)


def as_rle(segmentation: Any, height: int, width: int, dropped: list[str] | None = None) -> Rle | None:
    """Convert a COCO `segmentation`: either form of RLE, polygons, or nothing (absent, null, `[]`).

    Args:
        dropped: where given, a polygon that cannot be used costs no other; it gets the reasons.

    Raises:
        DataError: it is none of these, damaged, or of another size than the image.
    """
    if segmentation is None or (isinstance(segmentation, list) and not segmentation):
        return None
    if isinstance(segmentation, list):
        return _polygons(segmentation, height, width, dropped)
    if not isinstance(segmentation, dict):
        raise DataError(f"a segmentation is an RLE object or a list of polygons, got {type(segmentation).__name__}")
    missing = [key for key in ("size", "counts") if key not in segmentation]
    if missing:
        raise DataError(f"an RLE has 'size' and 'counts', this one no {' and no '.join(map(repr, missing))}")
    rle: Rle = {"size": segmentation["size"], "counts": segmentation["counts"]}
    runs = run_lengths(rle)
    if list(rle["size"]) != [height, width]:
        swapped = "; are height and width swapped?" if list(rle["size"]) == [width, height] else ""
        raise DataError(f"{of_size(rle['size'])}, its image {of_size([height, width])}{swapped}")
    if isinstance(rle["counts"], str) and (runs[1:] > 0).all():
        return {"size": [height, width], "counts": rle["counts"]}
    return _compressed(_whole(runs), height, width)


def _whole(runs: I64) -> I64:
    """The same mask with no empty run but the first: pycocotools' own functions take others wrongly."""
    ends = np.cumsum(runs)
    turns, times = np.unique(ends[:-1], return_counts=True)
    turns = turns[(times % 2 == 1) & (turns < ends[-1])]
    return np.diff(np.concatenate([[0], turns, ends[-1:]]))


def _compressed(runs: I64, height: int, width: int) -> Rle:
    from pycocotools import mask as coco

    return _text(coco.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width))


def _polygons(parts: list[Any], height: int, width: int, dropped: list[str] | None) -> Rle:
    """Polygons, each as x, y, x, y, ...; what one or another covers is the mask."""
    from pycocotools import mask as coco

    if height * width > LARGEST:
        raise DataError(f"an image of {height * width:,} pixels; the most that is read is {LARGEST:,}")
    faults = {i: fault for i, part in enumerate(parts) if (fault := _polygon_fault(part, height, width)) is not None}
    if faults and (dropped is None or len(faults) == len(parts)):
        i, fault = next(iter(faults.items()))
        raise DataError(f"polygon {i} {fault}")
    for i, fault in faults.items():
        assert dropped is not None
        dropped.append(f"polygon {i} {fault}; it is left out, the others are kept")
    kept = [part for i, part in enumerate(parts) if i not in faults]
    return _text(coco.merge(coco.frPyObjects(kept, height, width)))


def _polygon_fault(part: Any, height: int, width: int) -> str | None:
    """Why a polygon cannot be used."""
    if not isinstance(part, list):
        return f"is a list of numbers x, y, x, y, ..., got {part!r:.40}"
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) < 1e9 for n in part):
        return "holds what is no number"
    if len(part) < 6 or len(part) % 2:
        # Four numbers would be taken for a box.
        return f"has {len(part)} numbers; x and y of three points or more are needed"
    points = np.asarray(part, dtype=np.float64).reshape(-1, 2)
    far = (points < [-width, -height]) | (points > [2 * width, 2 * height])
    if far.any():
        x, y = points[far.any(1).argmax()].tolist()
        return f"has a point at ({x:g}, {y:g}), far outside {of_size([height, width])}"
    return None


def _text(rle: dict[str, Any]) -> Rle:
    height, width = rle["size"]
    return {"size": [int(height), int(width)], "counts": rle["counts"].decode("ascii")}
