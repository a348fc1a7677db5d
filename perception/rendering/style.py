"""The style of rendered images: lamps, ground, materials, edges. `style.toml` describes each number."""

from __future__ import annotations

import functools
import math
import random
from importlib import resources

import msgspec

from ...errors import DomainError, did_you_mean

Vector = tuple[float, float, float]


class Sky(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Light from all around."""

    radiance: Vector
    mirrored: float


class Lamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A disc that shines towards the origin."""

    location: Vector
    radiance: Vector
    radius: float


class Material(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much light is scattered, and how much mirrored."""

    diffuse: float
    mirror: float
    glow: float


class RenderStyle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The layout of `style.toml`."""

    jitter: float
    ground: float
    blur: float
    grain: float
    sky: Sky
    lamps: dict[str, Lamp]
    materials: dict[str, Material]
    shapes: dict[str, float]

    def jittered(self, rng: random.Random) -> RenderStyle:
        """The same with every lamp moved, as in each image of CLEVR."""

        def moved(lamp: Lamp) -> Lamp:
            x, y, z = (p + rng.uniform(-self.jitter, self.jitter) for p in lamp.location)
            return msgspec.structs.replace(lamp, location=(x, y, z))

        return msgspec.structs.replace(self, lamps={name: moved(lamp) for name, lamp in self.lamps.items()})

    def material(self, name: str) -> Material:
        """The material of a name.

        Raises:
            DomainError: there is none.
        """
        if name not in self.materials:
            raise DomainError(f"no material '{name}' can be rendered{did_you_mean(name, self.materials)}")
        return self.materials[name]

    def rounding(self, shape: str) -> float:
        """The radius of a shape's edges, in radii of the thing.

        Raises:
            DomainError: there is no such shape.
        """
        if shape not in self.shapes:
            raise DomainError(f"no shape '{shape}' can be rendered{did_you_mean(shape, self.shapes)}")
        return self.shapes[shape]


class Thing(msgspec.Struct, frozen=True):
    """An object to be drawn.

    Attributes:
        shape, material: names that the style knows.
        color: red, green and blue in 0..1; CLEVR's colours taken for linear ones, as its renderer took them.
        radius: of a sphere; half the edge of a cube; of a cylinder, which is as high as it is wide.
        centre: in world units.
        rotation: about the upright axis, counter-clockwise, in radians. CLEVR's files have it as `rotation`: meant
            for degrees, it was handed to the renderer as radians.
    """

    shape: str
    material: str
    color: Vector
    radius: float
    centre: Vector
    rotation: float = 0.0

    @property
    def reach(self) -> float:
        """The radius of a ball around it."""
        return self.radius * {"sphere": 1.0, "cube": math.sqrt(3), "cylinder": math.sqrt(2)}[self.shape]


@functools.cache
def clevr_style() -> RenderStyle:
    """The style of CLEVR v1.0."""
    text = resources.files(__package__).joinpath("style.toml").read_bytes()
    return msgspec.toml.decode(text, type=RenderStyle)
