"""Detections drawn on their image, or written as scenes in NS-CL's layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...io.files import write_json
from ..detector.labels import labelled
from .detections import Detections

COLOURS = np.array(
    [(230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48), (145, 30, 180), (70, 240, 240),
     (240, 50, 230), (210, 245, 60), (250, 190, 212), (0, 128, 128), (170, 110, 40)],
    dtype=np.uint8,
)  # fmt: skip


def outlined(
    image: Tensor, detections: Detections, width: int = 1, categories: Sequence[str] | None = None
) -> NDArray[np.uint8]:
    """Draw the outline of every mask, or the box where there are no masks; returns the image, (H, W, 3).

    Args:
        image: (3, H, W) uint8.
        width: of the lines, in pixels to the inside.
        categories: the names of classes, that of label i being categories[i - 1]; with them, class and score of each
            object stand beside it.
    """
    pixels: NDArray[np.uint8] = image.permute(1, 2, 0).cpu().numpy().copy()
    shapes = detections.decoded() if detections.masks is not None else _filled(detections, pixels.shape[:2])
    for i, mask in enumerate(shapes):
        inner = mask
        for _ in range(width):
            padded = np.pad(inner, 1)
            inner = padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        pixels[mask & ~inner] = COLOURS[i % len(COLOURS)]
    return pixels if categories is None else labelled(pixels, detections, categories, COLOURS)


def _filled(detections: Detections, size: tuple[int, ...]) -> NDArray[np.bool_]:
    shapes = np.zeros((len(detections), *size[:2]), dtype=bool)
    for i, (left, top, right, bottom) in enumerate(detections.boxes.round().astype(int)):
        shapes[i, max(0, top) : bottom, max(0, left) : right] = True
    return shapes


def write_nscl(path: str | Path, detections: Sequence[Detections]) -> None:
    """Write scenes with `objects_detection`, as NS-CL reads them; `read_detections` reads them, too.

    Raises:
        DataError: the file cannot be written.
    """
    scenes = [
        {
            "image_index": i,
            "image_filename": image_detections.image,
            "objects": [],
            "objects_detection": [
                {"mask": dict(mask), "category_id": int(label), "score": float(score)}
                for mask, label, score in zip(
                    image_detections.masks or [], image_detections.labels, image_detections.scores, strict=True
                )
            ],
        }
        for i, image_detections in enumerate(detections)
    ]
    write_json(path, {"info": {}, "scenes": scenes}, indent=False)
