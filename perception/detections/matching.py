"""Matching of detected with annotated objects: overlaps of two lists of objects, and the best assignment."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ...errors import DataError
from .detections import F64, Detections, box_ious

By = Literal["box", "mask"]


def ious(a: Detections, b: Detections, by: By = "mask") -> F64:
    """Compute intersections over unions (N, M): of masks where both have them, otherwise of boxes.

    Raises:
        DataError: masks of different sizes.
    """
    if by not in ("box", "mask"):
        raise ValueError(f"by: 'box' or 'mask', got {by!r}")
    if by == "box" or a.masks is None or b.masks is None or not len(a) or not len(b):
        return box_ious(a.boxes, b.boxes)
    from pycocotools import mask as coco

    sizes = {tuple(rle["size"]) for rle in (*a.masks, *b.masks)}
    if len(sizes) > 1:
        shown = " and ".join(f"{width} x {height}" for height, width in sorted(sizes)[:2])
        raise DataError(f"{a.image}: masks of different sizes, {shown}")
    overlaps = coco.iou([dict(rle) for rle in a.masks], [dict(rle) for rle in b.masks], [0] * len(b))
    return np.nan_to_num(np.asarray(overlaps, dtype=np.float64).reshape(len(a), len(b)))  # 0 / 0: both are empty


def match(
    detections: Detections,
    truth: Detections,
    *,
    least_iou: float = 0.5,
    by: By = "mask",
    same_label: bool = False,
) -> list[tuple[int, int]]:
    """Match detections with annotated objects, one to one: the assignment of the highest total IoU.

    Returns pairs of their places, in the order of `detections`.

    Only pairs of at least `least_iou` are counted, so that a weak one never stands in a good one's way. Scores do
    not matter, and labels only with `same_label`. Boxes are compared where one of the two has no masks.

    Raises:
        DataError: masks of different sizes.
    """
    from scipy.optimize import linear_sum_assignment

    worth = ious(detections, truth, by)
    if same_label:
        worth = np.where(detections.labels[:, None] == truth.labels[None, :], worth, 0.0)
    good = (worth >= least_iou) & (worth > 0)
    rows, columns = linear_sum_assignment(np.where(good, worth, 0.0), maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if good[i, j]]
