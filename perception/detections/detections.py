"""Objects of an image, detected or annotated: boxes, masks, scores.

N objects. Boxes are left, top, right, bottom in pixels, from the upper left corner; right and bottom are where the
box ends (a box of one pixel at the corner is 0, 0, 1, 1), as in torchvision. Masks are COCO's run-length encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .rle import F32, I64, Masks, Rle, decode_masks, mask_areas

if TYPE_CHECKING:
    from torch import Tensor

F64 = NDArray[np.float64]
ImageDetections: TypeAlias = "tuple[Tensor, Detections]"
"""An image, (3, H, W) uint8, and the objects detected in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The objects detected or annotated in one image.

    Attributes:
        image: the image's file name, with its folders where a file says them.
        size: its width and height in pixels; None where no file says it, which boxes do without.
        boxes: (N, 4) left, top, right, bottom.
        scores: (N,) in 0..1; ones for annotations.
        labels: (N,) category numbers, from 1 as in COCO; all 1 where a detector knows one class.
        masks: N run-length encoded masks, or None where there are only boxes.
        crowd: (N,) bool, where a group is annotated as one (COCO's `iscrowd`), or None where there is no such.
        areas: (N,) float64, where a file says other areas than those of masks or boxes (COCO's are of polygons).
    """

    image: str
    size: tuple[int, int] | None
    boxes: F32
    scores: F32
    labels: I64
    masks: Sequence[Rle] | None = None
    crowd: NDArray[np.bool_] | None = None
    areas: F64 | None = None

    def __post_init__(self) -> None:
        n = len(self.boxes)
        for name in ("scores", "labels", "masks", "crowd", "areas"):
            values = getattr(self, name)
            if values is not None and len(values) != n:
                raise ValueError(f"{self.image}: {n} boxes and {len(values)} {name}")

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def known_size(self) -> tuple[int, int]:
        """Return the image's width and height.

        Raises:
            DataError: no file says it.
        """
        if self.size is None:
            raise DataError(f"{self.image}: no file says the image's width and height, which are needed here")
        return self.size

    def where(self, keep: NDArray[np.bool_]) -> Detections:
        """Select the objects where `keep`, (N,) bool, is true, in the same order.

        Raises:
            ValueError: `keep` is not (N,) bool.
        """
        keep = np.asarray(keep)
        if keep.shape != (len(self),) or (keep.dtype != np.bool_ and len(keep)):
            raise ValueError(f"keep is ({len(self)},) bool, got {keep.shape} {keep.dtype}")
        keep = keep.astype(bool)
        return Detections(
            self.image,
            self.size,
            self.boxes[keep],
            self.scores[keep],
            self.labels[keep],
            None if self.masks is None else [rle for rle, kept in zip(self.masks, keep, strict=True) if kept],
            None if self.crowd is None else self.crowd[keep],
            None if self.areas is None else self.areas[keep],
        )

    def above(self, score: float) -> Detections:
        """Select the objects of this score or a higher one."""
        return self.where(np.asarray(self.scores >= np.float32(score), dtype=bool))

    def suppressed(self, iou: float = 0.5) -> Detections:
        """Apply greedy non-maximum suppression among the boxes of a label, which overlap by more than `iou`.

        The order stays; of equal scores the earlier one wins.
        """
        order = np.argsort(-self.scores, kind="stable")
        overlaps = box_ious(self.boxes, self.boxes) > iou
        overlaps &= self.labels[:, None] == self.labels[None, :]
        keep = np.ones(len(self), dtype=bool)
        for rank, i in enumerate(order):
            if keep[i]:
                later = order[rank + 1 :]
                keep[later[overlaps[i, later]]] = False
        return self.where(keep)

    def clipped(self) -> Detections:
        """Clip boxes to the image; objects outside of it are left out.

        Raises:
            DataError: the image's size is not known.
        """
        width, height = self.known_size
        boxes = np.clip(self.boxes, 0, np.asarray([width, height, width, height], dtype=np.float32))
        inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        cut = Detections(self.image, self.size, boxes, self.scores, self.labels, self.masks, self.crowd, self.areas)
        return cut.where(inside)

    def decoded(self) -> Masks:
        """Decode the masks, (N, H, W) bool.

        Raises:
            ValueError: there are only boxes.
            DataError: a mask is damaged, or not of the image's size, or that is not known.
        """
        if self.masks is None and len(self):
            raise ValueError(f"{self.image}: there are boxes only, no masks")
        return decode_masks(self.masks or [], (self.known_size[1], self.known_size[0]))


def box_ious(a: F32, b: F32) -> F64:
    """Compute intersections over unions (N, M) of boxes (N, 4) and (M, 4); 0 where both are empty."""
    one, two = (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) for boxes in (a, b))
    low = np.maximum(one[:, None, :2], two[None, :, :2])
    high = np.minimum(one[:, None, 2:], two[None, :, 2:])
    both: F64 = np.clip(high - low, 0, None).prod(-1)  # (N, M)
    either = box_areas(one)[:, None] + box_areas(two)[None, :] - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def box_areas(boxes: NDArray[np.floating]) -> F64:
    """Compute the areas (N,) of boxes (N, 4), in pixels."""
    sides = np.asarray(boxes, dtype=np.float64)
    return np.asarray((sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1]))


def pixel_areas(detections: Detections) -> F64:
    """Compute the areas (N,) of masks, or of boxes where there are no masks."""
    return box_areas(detections.boxes) if detections.masks is None else mask_areas(detections.masks)
