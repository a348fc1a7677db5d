"""An upright camera that looks at the origin: its axes, and the directions of the plane as it sees them.

World axes: x and y span the plane, z points up. CLEVR's relations are told along these directions.
"""

from __future__ import annotations

import math

from .scene import Vector


def view_axes(location: Vector) -> tuple[Vector, Vector, Vector]:
    """The unit vectors right, up and forward of a camera at `location`, which is not straight above the origin."""
    x, y, z = location
    plane, far = math.hypot(x, y), math.sqrt(x * x + y * y + z * z)
    right = (-y / plane, x / plane, 0.0)
    up = (-z * x / (plane * far), -z * y / (plane * far), plane / far)
    forward = (-x / far, -y / far, -z / far)
    return right, up, forward


def plane_directions(location: Vector) -> dict[str, Vector]:
    """The plane's directions, and up and down, by the names that scene files use."""
    x, y, _ = location
    plane = math.hypot(x, y)
    rx, ry, bx, by = -y / plane, x / plane, -x / plane, -y / plane
    return {
        "right": (rx, ry, 0.0),
        "behind": (bx, by, 0.0),
        "above": (0.0, 0.0, 1.0),
        "below": (0.0, 0.0, -1.0),
        "left": (-rx, -ry, 0.0),
        "front": (-bx, -by, 0.0),
    }
