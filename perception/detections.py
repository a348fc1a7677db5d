"""What a detector found in an image: boxes, masks, scores.

N objects. Boxes are left, top, right, bottom in pixels, from the upper left corner; right and bottom are where the
box ends (a box of one pixel at the corner is 0, 0, 1, 1), as in torchvision. Masks are COCO's run-length encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


class Rle(TypedDict):
    """A mask in COCO's compressed run-length encoding: `size` is (height, width), `counts` ASCII text."""

    size: list[int]
    counts: str


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What was found in one image.

    Attributes:
        image: the image's file name, without folders.
        size: its width and height in pixels.
        boxes: (N, 4) left, top, right, bottom.
        scores: (N,) in 0..1; ones for annotations.
        labels: (N,) category numbers, from 1 as in COCO; all 1 where a detector knows one class.
        masks: N run-length encoded masks, or None where there are only boxes.
    """

    image: str
    size: tuple[int, int]
    boxes: F32
    scores: F32
    labels: I64
    masks: Sequence[Rle] | None = None

    def __len__(self) -> int:
        return len(self.boxes)
