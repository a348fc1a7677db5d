"""Masks as COCO's run-length encoding.

A mask is read down its columns, as runs of 0 and of 1 in turn, the first of 0. Uncompressed, `counts` is the list of
their lengths; compressed, it is ASCII text of 48 + six bits, five of a number and one that says whether it goes on,
and from the fourth number on the difference to the one two before.

N masks, H, W pixels. What pycocotools does not check - it returns garbage of damaged counts, and can end the
process - is checked here first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Masks = NDArray[np.bool_]

LARGEST = 64_000_000  # pixels of an image: what a camera makes, not what fills the memory


class Rle(TypedDict):
    """A mask in COCO's compressed run-length encoding: `size` is (height, width), `counts` ASCII text."""

    size: list[int]
    counts: str


def encode_masks(masks: Masks) -> list[Rle]:
    """(N, H, W) bool to N run-length encoded masks.

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
    """N run-length encoded masks to (N, H, W) bool.

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
            raise DataError(f"mask {i}: {_of_size(rle['size'])}, the others {_of_size([height, width])}")
        masks[i] = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height)
    return masks.transpose(0, 2, 1)


def mask_boxes(rles: Sequence[Rle]) -> F32:
    """(N, 4) left, top, right, bottom of masks; zeros of an empty one.

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
    """(N,) pixels of masks.

    Raises:
        DataError: a mask is damaged.
    """
    return np.asarray([run_lengths(rle)[1::2].sum() for rle in rles], dtype=np.float64)


def as_rle(segmentation: Any, height: int, width: int, dropped: list[str] | None = None) -> Rle | None:
    """What a COCO file says as `segmentation`: either form of RLE, polygons, or nothing (absent, null, `[]`).

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
        raise DataError(f"{_of_size(rle['size'])}, its image {_of_size([height, width])}{swapped}")
    if isinstance(rle["counts"], str) and (runs[1:] > 0).all():
        return {"size": [height, width], "counts": rle["counts"]}
    return _compressed(_whole(runs), height, width)


def run_lengths(rle: Rle) -> I64:
    """The runs of 0 and 1 of a mask, in either form of RLE.

    Raises:
        DataError: the encoding is damaged: its runs are no whole numbers from 0, or do not fill its size.
    """
    size, counts = rle["size"], rle["counts"]
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(_is_whole(n) and n > 0 for n in size):
        raise DataError(f"the size of an RLE is [height, width], two whole numbers from 1, got {size!r:.60}")
    height, width = size
    if height * width > LARGEST:
        raise DataError(f"an RLE of {height * width:,} pixels; the most that is read is {LARGEST:,}")
    runs = _counts(counts) if isinstance(counts, str | bytes) else _listed(counts)
    if runs.min() < 0:
        raise DataError(f"the RLE is damaged: its run {int(runs.argmin())} is of {runs.min()} pixels")
    if runs.sum() != height * width:
        raise DataError(
            f"the RLE is damaged: its runs add up to {runs.sum():,} pixels, {_of_size(size)} has {height * width:,}"
        )
    return runs


def _counts(text: str | bytes) -> I64:
    """The numbers of compressed counts."""
    try:
        data = text.encode("ascii") if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        raise DataError(f"the RLE is damaged: character {error.start} of its counts is not ASCII") from None
    if not data:
        raise DataError("the RLE is damaged: its counts are empty")
    digits = np.frombuffer(data, np.uint8).astype(np.int64) - 48
    strange = (digits < 0) | (digits > 63)
    if strange.any():
        at = int(strange.argmax())
        raise DataError(f"the RLE is damaged: character {at} of its counts is {chr(data[at])!r}")
    ends = np.flatnonzero(digits < 32)
    if not len(ends) or ends[-1] != len(digits) - 1:
        raise DataError("the RLE is damaged: its counts end in the middle of a number")
    starts = np.concatenate([[0], ends[:-1] + 1])
    length = ends - starts + 1
    if length.max() > 7:  # 35 bits; numbers of pixels have 32
        raise DataError(f"the RLE is damaged: a number of {length.max()} characters in its counts")
    place = np.arange(len(digits)) - np.repeat(starts, length)
    numbers = np.add.reduceat((digits & 31) << (5 * place), starts)
    numbers -= np.where(digits[ends] & 16, np.int64(1) << (5 * length), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def _listed(counts: Any) -> I64:
    """The numbers of uncompressed counts."""
    if not isinstance(counts, list | tuple):
        raise DataError(f"the counts of an RLE are text or a list of whole numbers, got {counts!r:.60}")
    if not counts:
        raise DataError("the RLE is damaged: its counts are empty")
    for i, count in enumerate(counts):
        if not _is_whole(count) or abs(count) > LARGEST:
            raise DataError(f"the RLE is damaged: its run {i} is of {count!r:.40} pixels")
    return np.asarray(counts, dtype=np.int64)


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
        return f"has a point at ({x:g}, {y:g}), far outside {_of_size([height, width])}"
    return None


def _text(rle: dict[str, Any]) -> Rle:
    height, width = rle["size"]
    return {"size": [int(height), int(width)], "counts": rle["counts"].decode("ascii")}


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _of_size(size: Sequence[int]) -> str:
    return f"the mask is {size[1]} x {size[0]}" if len(size) == 2 else f"size {list(size)}"
