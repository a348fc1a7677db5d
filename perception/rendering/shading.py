"""How bright surfaces are: lamps with soft shadows, light from the ground, mirrors.

P points, L lamps, S places on a lamp, M pairs of a point and a thing. Radiances are linear, (..., 3). A lamp is a disc
that faces the origin and shines as the cosine of the angle from its axis; a shadow is soft because only a part of the
disc is hidden. All lamps and all things are reckoned with at once: for small images, calls are the cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .ray_casting import FAR, Frames, covers, distances, dot, unit
from .style import RenderStyle, Thing

HORIZON = 0.08  # a mirror's roughness blurs the horizon over about so much, in radians
AWAY = 1e-3  # shadow rays begin this far off their surface


class Lamps(NamedTuple):
    """Lamps, as tensors: middles of the discs, radiances, axes and two sides (L, 3), the discs' radii (L,)."""

    middle: Tensor
    radiance: Tensor
    axis: Tensor
    sides: Tensor  # (L, 2, 3)
    radius: Tensor

    @classmethod
    def of(cls, style: RenderStyle) -> Lamps:
        """The lamps of a style."""
        lamps = list(style.lamps.values())
        middle = torch.tensor([p.location for p in lamps], dtype=torch.float32).reshape(-1, 3)
        radiance = torch.tensor([p.radiance for p in lamps], dtype=torch.float32).reshape(-1, 3)
        axis = unit(middle)
        side = unit(torch.linalg.cross(axis, axis.new_tensor([1e-3, 1e-3, 1.0]).expand_as(axis)))
        sides = torch.stack([side, torch.linalg.cross(axis, side)], dim=1)
        return cls(middle, radiance, axis, sides, torch.tensor([p.radius for p in lamps], dtype=torch.float32))

    def towards(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """From points (P, 3) to each lamp: unit directions (L, P, 3), and what part of its radiance arrives (L, P)."""
        way = self.middle[:, None] - points
        square = dot(way, way)
        way = way * square.rsqrt()[..., None]
        return way, dot(way, self.axis[:, None]).clamp_min(0) / square

    def places(self, which: Tensor, points: Tensor, disc: Tensor) -> Tensor:
        """(M, S, 3) from points (M, 3) to places on their lamps `which` (M,); `disc` is (M, S, 2), within a circle of
        radius 1.
        """
        offset = disc @ (self.sides * self.radius[:, None, None])[which]
        return (self.middle[which] - points)[:, None] + offset


class Shading:
    """The things of one image, lit. `samples` places on each light decide how fine its shadows are."""

    def __init__(
        self, things: Sequence[Thing], style: RenderStyle, *, samples: int, generator: torch.Generator
    ) -> None:
        self.things, self.style, self.generator = things, style, generator
        self.lamps = Lamps.of(style)
        self.sky = torch.tensor(style.sky.radiance, dtype=torch.float32)
        ring = (torch.arange(samples) + 0.5) / samples
        turn = torch.arange(samples) * math.pi * (3 - math.sqrt(5))  # a sunflower's seeds
        self.disc = ring.sqrt()[:, None] * torch.stack([turn.cos(), turn.sin()], dim=-1)  # (S, 2)
        self.albedo = torch.tensor([t.color for t in things]).reshape(-1, 3)
        self.kinds = [style.material(t.material) for t in things]
        self.frames = Frames.of(things)
        self.reach = torch.tensor([t.reach for t in things])
        self.shapes = {s: torch.tensor([t.shape == s for t in things]) for s in sorted({t.shape for t in things})}
        self.numbers = torch.arange(len(things))

    def visible(self, lamps: Tensor, points: Tensor, ways: Tensor, owners: Tensor) -> Tensor:
        """(P,) the part of its lamp (P,) that each point sees past the things other than its owner.

        Args:
            ways: (P, 3) unit directions to the middle of the lamp.
        """
        hidden = torch.zeros(len(points), len(self.disc), dtype=torch.uint8)
        for shape, which, things in self._met(points, ways, self.lamps.radius[lamps], owners):
            angle = torch.rand(len(which), generator=self.generator) * (2 * math.pi)
            c, s = angle.cos(), angle.sin()
            turn = torch.stack([c, s, -s, c], dim=-1).view(-1, 2, 2)
            start = points[which]
            rays = self.lamps.places(lamps[which], start, self.disc @ turn)  # (M, S, 3)
            hit = covers(shape, self.frames.take(things), start, rays)
            hidden.index_add_(0, which, hit.to(torch.uint8))
        return (hidden == 0).float().mean(-1)

    def _met(
        self, points: Tensor, ways: Tensor, wide: Tensor | float, owners: Tensor
    ) -> Iterator[tuple[str, Tensor, Tensor]]:
        """By shape, the pairs (M,), (M,) of points and of things, not their owners, that rays from the points along
        unit directions may meet: a ball around the thing is no more than `wide` off the ray.
        """
        if not self.things:
            return
        to = self.frames.centre - points[:, None]  # (P, N, 3)
        along = dot(to, ways[:, None])
        off = dot(to, to) - along * along
        reach = self.reach + (wide[:, None] if isinstance(wide, Tensor) else wide)
        may = (off < reach**2) & (along > -self.reach) & (owners[:, None] != self.numbers)
        for shape, those in self.shapes.items():
            which, things = (may & those).nonzero(as_tuple=True)
            if len(which):
                yield shape, which, things

    def near(self, points: Tensor, normals: Tensor, owners: Tensor) -> Tensor:
        """(P,) how much of the light from all around the other things leave, each taken for a ball."""
        to = self.frames.centre - points[:, None]  # (P, N, 3)
        radius = self.frames.radius
        far = dot(to, to).sqrt().clamp_min(radius)
        facing = (dot(to, normals[:, None]) / far * 0.8 + 0.2).clamp_min(0)
        return (1 - facing * (radius / far) ** 2 * (owners[:, None] != self.numbers)).prod(-1)

    def lit(self, points: Tensor, normals: Tensor, owners: Tensor, *, shadows: bool = True) -> Tensor:
        """(P, 3) what a white surface scatters, in units of the ground's albedo."""
        ways, arrives = self.lamps.towards(points)
        strength = arrives * dot(ways, normals).clamp_min(0)  # (L, P)
        if shadows and self.things:
            lamps, which = (strength > 0).nonzero(as_tuple=True)
            start = points[which] + AWAY * normals[which]
            seen = self.visible(lamps, start, ways[lamps, which], owners[which])
            strength[lamps, which] *= seen
        return strength.T @ self.lamps.radiance

    def around(self, points: Tensor, normals: Tensor, owners: Tensor) -> Tensor:
        """(P, 3) what a white surface scatters of the world's light and of the ground's, as `lit`."""
        up = (normals[:, 2:] + 1) / 2
        below = points * points.new_tensor([1.0, 1.0, 0.0])
        ground = self.open_ground(below)
        left = self.near(points, normals, owners)[:, None]
        return left * (up * self.sky + (1 - up) * self.style.ground * ground)

    def open_ground(self, points: Tensor) -> Tensor:
        """(P, 3) the ground's radiance where nothing stands on it."""
        ways, arrives = self.lamps.towards(points)
        return self.sky + (arrives * ways[..., 2].clamp_min(0)).T @ self.lamps.radiance

    def ground(self, points: Tensor) -> Tensor:
        """(P, 3) the ground's radiance, near things and in their shadows."""
        up = torch.tensor([0.0, 0.0, 1.0]).expand_as(points)
        nobody = torch.full((len(points),), -1)
        return self.lit(points, up, nobody) + self.sky * self.near(points, up, nobody)[:, None]

    def surface(self, points: Tensor, normals: Tensor, views: Tensor, owners: Tensor) -> Tensor:
        """(P, 3) the radiance of things' surfaces, seen along unit `views`."""
        albedo = self.albedo[owners] / self.style.ground
        scattered = albedo * (self.lit(points, normals, owners) + self.around(points, normals, owners))
        diffuse = torch.tensor([m.diffuse for m in self.kinds])[owners][:, None]
        mirrors = torch.tensor([m.mirror for m in self.kinds])[owners]
        total = diffuse * scattered
        shiny = (mirrors > 0).nonzero().squeeze(-1)
        if len(shiny):
            p, n, v, own = points[shiny], normals[shiny], views[shiny], owners[shiny]
            way = unit(v - 2 * dot(v, n)[:, None] * n)
            glow = torch.tensor([m.glow for m in self.kinds])[own][:, None]
            seen = self.mirrored(p, way, own) + glow * self.glare(p, way)
            total[shiny] += mirrors[shiny, None] * self.albedo[own] * seen
        return total

    def glare(self, points: Tensor, ways: Tensor) -> Tensor:
        """(P, 3) the lamps in a mirror, blurred as a slightly rough one blurs them."""
        lamps, arrives = self.lamps.towards(points)
        angle = 2 * (1 - dot(lamps, ways)).clamp_min(0)  # about the squared angle between them
        blur = 0.05**2 + (self.lamps.radius[:, None] / 7) ** 2
        spot = torch.exp(-angle / blur) + 0.02 * torch.exp(-angle / 0.35**2)
        return (spot * (arrives > 0)).T @ self.lamps.radiance / 4.5

    def mirrored(self, points: Tensor, ways: Tensor, owners: Tensor) -> Tensor:
        """(P, 3) what is seen from points along unit directions: the nearest thing, the ground, or the world."""
        best = torch.full((len(points),), FAR)
        which = torch.full((len(points),), -1)
        for shape, start, things in self._met(points, ways, 0.0, owners):
            far = distances(shape, self.frames.take(things), points[start], ways[start])
            far = torch.where(far > 0, far, FAR)
            best = best.scatter_reduce(0, start, far, "amin")
            first = (far == best[start]) & (far < FAR)
            which[start[first]] = things[first]
        seen = torch.full((len(points), 3), self.style.sky.mirrored)
        down = ((which < 0) & (ways[:, 2] < 2 * HORIZON)).nonzero().squeeze(-1)
        if len(down):
            start, way = points[down], ways[down]
            at = start - start[:, 2:] / way[:, 2:].clamp_max(-HORIZON / 2) * way
            nobody = torch.full((len(down),), -1)
            up = torch.tensor([0.0, 0.0, 1.0]).expand_as(at)
            ground = self.open_ground(at) * self.near(at, up, nobody)[:, None]
            part = torch.sigmoid(-way[:, 2:] / HORIZON)
            seen[down] = seen[down] + part * (ground - seen[down])
        hit = (which >= 0).nonzero().squeeze(-1)
        if len(hit):
            own = which[hit]
            at = points[hit] + best[hit, None] * ways[hit]
            normals = unit(at - self.frames.centre[own])  # of balls: in a mirror that is enough
            light = self.lit(at, normals, own, shadows=False) + self.around(at, normals, own)
            seen[hit] = self.albedo[own] / self.style.ground * light
        return seen
