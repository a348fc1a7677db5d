"""Where CLEVR's objects stand and how its camera sees them: the rules of `clevr_scenes.toml`, carried out.

N objects. World axes: x and y span the plane, z points up. Pixels count from the upper left corner.
"""

from __future__ import annotations

import functools
import math
import random
from dataclasses import dataclass
from importlib import resources

import msgspec
import numpy as np

from ...scenes.camera import plane_directions, view_axes
from ...scenes.scene import Vector


class Radius(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The attribute that says how large an object is, and the radius of each of its values."""

    attribute: str
    values: dict[str, float]


class CameraRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The camera without jitter; `focal` in pixels."""

    location: Vector
    jitter: float
    focal: float
    width: int
    height: int


class SceneRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The layout of `clevr_scenes.toml`, which says what each number is."""

    domain: str
    objects: tuple[int, int]
    extent: float
    min_distance: float
    margin: float
    attempts: int
    min_pixels: float
    radius: Radius
    camera: CameraRules
    conditions: dict[str, dict[str, dict[str, tuple[str, ...]]]]


@functools.cache
def clevr_rules() -> SceneRules:
    """The rules of CLEVR v1.0."""
    text = resources.files(__package__).joinpath("clevr_scenes.toml").read_bytes()
    return msgspec.toml.decode(text, type=SceneRules)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one object stands: `x`, `y`, and the radius of its circle, at whose height its centre is."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class SceneCamera:
    """A pinhole camera at `location` that looks at the origin, upright.

    `axes` are its unit vectors right, up and forward.
    """

    location: Vector
    axes: tuple[Vector, Vector, Vector]
    focal: float
    width: int
    height: int

    @classmethod
    def at(cls, location: Vector, rules: CameraRules) -> SceneCamera:
        """The camera of the rules, moved to `location`, which is not above or below the origin."""
        return cls(location, view_axes(location), rules.focal, rules.width, rules.height)

    def project(self, point: Vector) -> tuple[float, float, float]:
        """Column and row in pixels, and the depth along the camera's view, of a point before the camera."""
        moved = tuple(p - c for p, c in zip(point, self.location, strict=True))
        across, up, depth = (sum(m * a for m, a in zip(moved, axis, strict=True)) for axis in self.axes)
        scale = self.focal / depth
        return self.width / 2 + scale * across, self.height / 2 - scale * up, depth

    def directions(self) -> dict[str, Vector]:
        """The plane's directions as this camera sees them, by CLEVR's names."""
        return plane_directions(self.location)


def directions(rules: SceneRules) -> dict[str, Vector]:
    """The directions that all scenes share: those of the camera before its jitter."""
    return SceneCamera.at(rules.camera.location, rules.camera).directions()


def jittered(rules: SceneRules, rng: random.Random) -> SceneCamera:
    """The camera of one scene."""
    camera = rules.camera
    x, y, z = (p + rng.uniform(-camera.jitter, camera.jitter) for p in camera.location)
    return SceneCamera.at((x, y, z), camera)


def place(
    radii: list[float], rules: SceneRules, plane: tuple[Vector, Vector], rng: random.Random, attempts: int
) -> list[Placement] | None:
    """Spots for circles of these radii, in order, or None when one of them found no room in so many attempts.

    `plane` is the directions right and behind, along which the margin is kept.
    """
    right, behind = plane
    placements: list[Placement] = []
    taken: list[tuple[float, float, float]] = []  # along right, along behind, radius + min_distance
    extent, margin = rules.extent, rules.margin
    for radius in radii:
        for _ in range(attempts):
            x, y = rng.uniform(-extent, extent), rng.uniform(-extent, extent)
            a, b = x * right[0] + y * right[1], x * behind[0] + y * behind[1]
            for other_a, other_b, reach in taken:
                da, db = a - other_a, b - other_b
                if -margin < da < margin or -margin < db < margin:
                    break
                if da * da + db * db < (reach + radius) ** 2:
                    break
            else:
                placements.append(Placement(x, y, radius))
                taken.append((a, b, radius + rules.min_distance))
                break
        else:
            return None
    return placements


# Points spread evenly over a disc of radius 1: a sunflower's seeds.
_TURN = math.pi * (3 - math.sqrt(5))
_DISC = np.array([[math.sqrt((i + 0.5) / 48) * f(i * _TURN) for f in (math.cos, math.sin)] for i in range(48)])


def visible_pixels(pixels: list[tuple[float, float, float]], radii: list[float], focal: float) -> list[float]:
    """Roughly how many pixels of each object are seen, every object taken for a ball.

    Args:
        pixels: column, row and depth of each centre.
        radii: of the balls, in world units.
    """
    centres = np.asarray(pixels)  # (N, 3)
    sizes = focal * np.asarray(radii) / centres[:, 2]  # (N,)
    points = centres[:, None, :2] + sizes[:, None, None] * _DISC  # (N, 48, 2)
    apart = points[:, None] - centres[None, :, None, :2]  # (N, N, 48, 2): the points of i from the centre of j
    inside = (apart**2).sum(-1) < sizes[None, :, None] ** 2
    nearer = centres[None, :, 2] < centres[:, None, 2]  # (N, N): j stands before i
    hidden = (inside & nearer[:, :, None]).any(1)  # (N, 48)
    seen: list[float] = ((1 - hidden.mean(1)) * math.pi * sizes**2).tolist()
    return seen
