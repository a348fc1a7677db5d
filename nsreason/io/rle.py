"""Masks as COCO's run-length encoding, read: the one decoder of pages, detections and scenes.

A mask is read down its columns, as runs of 0 and of 1 in turn, the first of 0. Uncompressed, `counts` is the list of
their lengths; compressed, it is ASCII text of 48 + six bits, five of a number and one that says whether it goes on,
and from the fourth number on the difference to the one two before.

pycocotools decodes the same, but it is not used here: it returns garbage of damaged counts and can end the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

I64 = NDArray[np.int64]

LARGEST = 64_000_000  # pixels of an image: what a camera makes, not what fills the memory


class Rle(TypedDict):
    """A mask in COCO's compressed run-length encoding: `size` is (height, width), `counts` ASCII text."""

    size: list[int]
    counts: str


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
            f"the RLE is damaged: its runs add up to {runs.sum():,} pixels, its size {width} x {height} has "
            f"{height * width:,}"
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


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def of_size(size: Sequence[int]) -> str:
    """Name the size [height, width] of a mask, for messages."""
    return f"the mask is {size[1]} x {size[0]}" if len(size) == 2 else f"size {list(size)}"
