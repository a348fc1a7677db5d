"""Features of what was detected in images: of each object, and of each ordered pair.

S images, N objects (padded), D object features, E pair features. Boxes are left, top, right, bottom in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Images of one size and the objects in them, padded to the most objects.

    Attributes:
        images: (S, 3, H, W) uint8.
        boxes: (S, N, 4) float32, zeros where there is no object.
        masks: (S, N, H, W) bool, or None where only boxes are known.
        present: (S, N) bool, where there is an object.
    """

    images: Tensor
    boxes: Tensor
    masks: Tensor | None
    present: Tensor

    def to(self, device: torch.device | str) -> Regions:
        """The same on a device."""
        masks = None if self.masks is None else self.masks.to(device, non_blocking=True)
        images, boxes, present = (
            t.to(device, non_blocking=True) for t in (self.images, self.boxes, self.present)
        )
        return Regions(images, boxes, masks, present)
