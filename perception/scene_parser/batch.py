"""What a scene parser takes: an image's objects as patches, and batches of them.

K objects of S images, A attributes, P the side of a patch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...errors import DataError
from ..detections.detections import Detections
from ..detections.rle import decode_masks
from .config import SceneParserConfig
from .patches import cut_patches


@dataclass(frozen=True, slots=True, eq=False)
class ParserExample:
    """An image's objects with what they are: K objects.

    Attributes:
        patches: (K, 5, P, P) uint8. boxes: (K, 4).
        values: (K, A), each attribute's value by its place among the attribute's values.
        coords: (K, 3). pixels: (K, 2), where the centre is seen. NaN where the scene does not say.
    """

    image: str
    patches: Tensor
    boxes: Tensor
    values: Tensor
    coords: Tensor
    pixels: Tensor


@dataclass(frozen=True)
class ParserBatch:
    """The objects of S images, one after the other: `scene` (K,) says of which."""

    patches: Tensor
    boxes: Tensor
    values: Tensor
    coords: Tensor
    pixels: Tensor
    scene: Tensor
    scenes: int

    def to(self, device: torch.device | str) -> ParserBatch:
        """The same batch on a device."""
        return replace(self, **{n: getattr(self, n).to(device, non_blocking=True) for n in TENSORS})


TENSORS = ("patches", "boxes", "values", "coords", "pixels", "scene")


def patches_of(
    image: Tensor, detections: Detections, size: tuple[int, int], config: SceneParserConfig
) -> tuple[Tensor, Tensor]:
    """The patches and boxes of an image's detections.

    Raises:
        DataError: the image is not of `size` (width, height), or the detections are of an image of another.
    """
    (width, height), (across, down) = size, detections.known_size
    if tuple(image.shape) != (3, height, width) or (across, down) != size:
        sizes = f"{image.shape[-1]} x {image.shape[-2]}, its detections of {across} x {down}"
        raise DataError(f"{detections.image}: the image is {sizes}; the parser takes {width} x {height}")
    boxes = torch.from_numpy(detections.boxes).float().reshape(-1, 4)
    masks = None if detections.masks is None else torch.from_numpy(decode_masks(detections.masks, (height, width)))
    return cut_patches(image, boxes, masks, config.side, config.margin), boxes
