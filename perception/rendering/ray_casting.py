"""Where rays meet spheres, cubes and cylinders.

R rays, M rays of which each has a solid of its own, S samples. Points and directions are (..., 3), in the world's
units; directions need no length of 1. A miss is an infinite distance. Solids stand upright, turned about the vertical
axis, and may have rounded edges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .style import Thing

FAR = math.inf
SHRUNK = 0.94  # of the radius, where shadows are cast
STEPS = 8  # of the march that rounds an edge
CLOSE = 1e-2  # a ray that ends this near the surface, in radii, has met it


def dot(a: Tensor, b: Tensor) -> Tensor:
    """(...) products of vectors; three products are added faster than a dimension of three is summed."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def unit(a: Tensor) -> Tensor:
    """Vectors of length 1; of length 0 stays 0."""
    return a / dot(a, a).sqrt().clamp_min(1e-12)[..., None]


class Frames(NamedTuple):
    """Where solids are: middles (M, 3), cosine and sine of their turn (M,), radii (M,)."""

    centre: Tensor
    cosine: Tensor
    sine: Tensor
    radius: Tensor

    @classmethod
    def of(cls, things: Sequence[Thing]) -> Frames:
        """The frames of things, one for each."""
        turns = torch.tensor([t.rotation for t in things], dtype=torch.float32)
        centres = torch.tensor([t.centre for t in things], dtype=torch.float32).reshape(-1, 3)
        return cls(centres, turns.cos(), turns.sin(), torch.tensor([t.radius for t in things], dtype=torch.float32))

    def take(self, which: Tensor) -> Frames:
        """The frames of these numbers, one for each."""
        return Frames(*(part[which] for part in self))

    def local(self, points: Tensor, *, free: bool = False) -> Tensor:
        """Points (M, ..., 3), or free vectors, in the frame of their solid, in units of its radius."""
        more = points.dim() - 2
        if not free:
            points = points - self.centre.view(-1, *[1] * more, 3)
        c, s, r = (part.view(-1, *[1] * more) for part in self[1:])
        x, y, z = points.unbind(-1)
        return torch.stack([c * x + s * y, c * y - s * x, z], dim=-1) / r[..., None]

    def turned_back(self, vectors: Tensor) -> Tensor:
        """Vectors (M, 3) of the solids' frames in the world's, lengths kept."""
        x, y, z = vectors.unbind(-1)
        return torch.stack([self.cosine * x - self.sine * y, self.sine * x + self.cosine * y, z], dim=-1)


def distances(shape: str, frames: Frames, origins: Tensor, directions: Tensor) -> Tensor:
    """(M,) how far along each direction its solid begins, edges taken for sharp; negative behind the origin."""
    near, far = _span(shape, frames.local(origins), frames.local(directions, free=True))
    return torch.where(near <= far, near, FAR)


def covers(shape: str, frames: Frames, origins: Tensor, directions: Tensor) -> Tensor:
    """(M, S) bool, whether its solid stands between origin (M, 3) and where each direction (M, S, 3) ends.

    It is taken a little smaller than it is: what lies beside the rounded edge that it stands on is not inside it.
    """
    o, d = frames.local(origins)[:, None] / SHRUNK, frames.local(directions, free=True) / SHRUNK
    near, far = _span(shape, o.expand_as(d), d)
    return (near <= far) & (far > 0) & (near < 1)


def hits(
    thing: Thing, rounding: float, origins: Tensor, directions: Tensor, *, steps: int = STEPS
) -> tuple[Tensor, Tensor]:
    """Where rays first meet the thing with its edges rounded.

    Args:
        rounding: the radius of an edge, in radii of the thing.
        steps: of the march that rounds it; where pixels are wide, half as many will do.

    Returns:
        distances (R,), and the outward unit normals (R, 3) there, zero at a miss.
    """
    frames = Frames.of([thing])
    o, d = frames.local(origins), frames.local(directions, free=True)
    near, far = _span(thing.shape, o, d)
    t = torch.where((near <= far) & (near > 0), near, FAR)
    normals = torch.zeros_like(o)
    rays = t.isfinite().nonzero().squeeze(-1)
    if thing.shape == "sphere" or not len(rays):
        normals[rays] = o[rays] + t[rays, None] * d[rays]
        return t, frames.turned_back(normals)
    o, d, at = o[rays], d[rays], t[rays]
    speed = dot(d, d).sqrt()
    for _ in range(steps):
        apart = _apart(thing.shape, rounding, o + at[:, None] * d)
        at = at + apart / speed
    apart, normal = _rounded(thing.shape, rounding, o + at[:, None] * d)
    met = (apart < CLOSE * STEPS / steps) & (at < far[rays] + 1e-3) & (dot(normal, d) < 0)
    t[rays] = torch.where(met, at, FAR)
    normals[rays] = normal * met[:, None]
    return t, frames.turned_back(normals)


def _span(shape: str, o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave a solid of radius 1; it is missed where the one is behind the other."""
    if shape == "sphere":
        a, b, c = dot(d, d), dot(o, d), dot(o, o) - 1
        return _roots(a, b, c)
    if shape == "cube":
        flip = 1 / torch.where(d.abs() < 1e-9, torch.full_like(d, 1e-9), d)
        one, two = (-1 - o) * flip, (1 - o) * flip
        x0, y0, z0 = torch.minimum(one, two).unbind(-1)
        x1, y1, z1 = torch.maximum(one, two).unbind(-1)
        return torch.maximum(torch.maximum(x0, y0), z0), torch.minimum(torch.minimum(x1, y1), z1)
    if shape != "cylinder":
        raise ValueError(f"a solid is a sphere, a cube or a cylinder, got '{shape}'")
    (ox, oy, _), (dx, dy, _) = o.unbind(-1), d.unbind(-1)
    a, b, c = dx * dx + dy * dy, ox * dx + oy * dy, ox * ox + oy * oy - 1
    enter, leave = _roots(a.clamp_min(1e-12), b, c)
    dz = torch.where(d[..., 2].abs() < 1e-9, torch.full_like(a, 1e-9), d[..., 2])
    one, two = (-1 - o[..., 2]) / dz, (1 - o[..., 2]) / dz
    return torch.maximum(enter, torch.minimum(one, two)), torch.minimum(leave, torch.maximum(one, two))


def _roots(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Both solutions of a t^2 + 2 b t + c = 0; the first behind the second where there is none."""
    inside = b * b - a * c
    root = inside.clamp_min(0).sqrt()
    return torch.where(inside < 0, FAR, (-b - root) / a), torch.where(inside < 0, -FAR, (-b + root) / a)


def _apart(shape: str, rounding: float, p: Tensor) -> Tensor:
    """The distance of points from a rounded solid of radius 1, negative inside."""
    x, y, z = p.abs().unbind(-1)
    if shape == "cube":
        x, y, z = x - (1 - rounding), y - (1 - rounding), z - (1 - rounding)
        ox, oy, oz = x.clamp_min(0), y.clamp_min(0), z.clamp_min(0)
        inside = torch.maximum(torch.maximum(x, y), z).clamp_max(0)
        return (ox * ox + oy * oy + oz * oz).sqrt() + inside - rounding
    r, z = (x * x + y * y).sqrt() - (1 - rounding), z - (1 - rounding)
    outer, upper = r.clamp_min(0), z.clamp_min(0)
    return (outer * outer + upper * upper).sqrt() + torch.maximum(r, z).clamp_max(0) - rounding


def _rounded(shape: str, rounding: float, p: Tensor) -> tuple[Tensor, Tensor]:
    """The distance of points from a rounded solid of radius 1, and the direction away from it."""
    if shape == "cube":
        q = p.abs() - (1 - rounding)
        out = q.clamp_min(0)
        apart = out.norm(dim=-1)
        flat = torch.nn.functional.one_hot(q.argmax(-1), 3).to(p.dtype)  # inside, the nearest face
        normal = torch.where((apart > 1e-6)[:, None], out / apart.clamp_min(1e-6)[:, None], flat) * p.sign()
        return apart + q.amax(-1).clamp_max(0) - rounding, normal
    round_ = p[:, :2].norm(dim=-1)
    q = torch.stack([round_ - (1 - rounding), p[:, 2].abs() - (1 - rounding)], dim=-1)
    out = q.clamp_min(0)
    apart = out.norm(dim=-1)
    flat = torch.nn.functional.one_hot(q.argmax(-1), 2).to(p.dtype)
    two = torch.where((apart > 1e-6)[:, None], out / apart.clamp_min(1e-6)[:, None], flat)
    side = p[:, :2] / round_.clamp_min(1e-6)[:, None] * two[:, :1]
    normal = torch.cat([side, two[:, 1:] * p[:, 2:].sign()], dim=-1)
    return apart + q.amax(-1).clamp_max(0) - rounding, normal
