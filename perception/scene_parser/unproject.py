"""From pixels back to the plane: where an object stands whose centre is seen at a pixel, at a known height.

K objects. World axes: x and y span the plane, z points up. Pixels count from the upper left corner.

    camera = GroundCamera()                                   # CLEVR's, without its jitter
    unproject(pixels, heights, location, camera)              # (K, 2), (K,), (3,) or (K, 3) -> (K, 3)

The camera looks at the origin, upright. CLEVR moves its camera a little in every image and does not move the
directions of its scenes with it: seen with the camera that stands still, centres that are known to the pixel come out
0.13 units off in the mean, yet 3 of 38,420 pairs of objects alone (933 scenes) in another order along a direction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...scenes.camera import plane_directions
from ...scenes.scene import Vector


@dataclass(frozen=True)
class GroundCamera:
    """A pinhole camera. `location` in world units, `focal`, `width` and `height` in pixels."""

    location: Vector = (7.48113, -6.50764, 5.34367)
    focal: float = 525.0
    width: int = 480
    height: int = 320

    def __post_init__(self) -> None:
        if not (math.hypot(*self.location[:2]) > 0 and self.location[2] > 0):
            raise ValueError(f"camera.location: above the plane and not straight above the origin, got {self.location}")
        if min(self.focal, self.width, self.height) <= 0:
            raise ValueError("camera: focal, width and height are above 0")

    def directions(self) -> dict[str, Vector]:
        """The plane's directions as the camera sees them, by the names that scene files use."""
        return plane_directions(self.location)


def unproject(pixels: Tensor, heights: Tensor, location: Tensor, camera: GroundCamera) -> Tensor:
    """Compute the points at `heights` that the camera sees at `pixels`.

    A pixel at or above the horizon sees no such point; it gets one far away, so that gradients stay finite.

    Args:
        pixels: (..., 2) column and row.
        heights: (...) above the plane.
        location: (..., 3) or (3,), where the camera is, above those heights.

    Returns:
        (..., 3) world coordinates.
    """
    x, y, z = location.unbind(-1)
    plane = torch.sqrt(x * x + y * y)
    far = torch.sqrt(x * x + y * y + z * z)
    nought = torch.zeros_like(x)
    right = torch.stack([-y / plane, x / plane, nought], -1)
    up = torch.stack([-z * x / (plane * far), -z * y / (plane * far), plane / far], -1)
    forward = -location / far.unsqueeze(-1)
    across = ((pixels[..., 0] - camera.width / 2) / camera.focal).unsqueeze(-1)
    above = ((camera.height / 2 - pixels[..., 1]) / camera.focal).unsqueeze(-1)
    ray = across * right + above * up + forward  # (..., 3), of length 1 along the view
    falls = (-ray[..., 2]).clamp(min=0.05)
    return location + ((z - heights) / falls).unsqueeze(-1) * ray
