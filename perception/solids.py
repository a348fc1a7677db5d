"""Where rays meet spheres, cubes and cylinders.

R rays, S samples. Points and directions are (..., 3), in the world's units; directions need no length of 1. A miss is
an infinite distance. Solids stand upright, turned about the vertical axis, and may have rounded edges.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .look import Thing

FAR = math.inf
SHRUNK = 0.94  # of the radius, where shadows are cast
STEPS = 8  # of the march that rounds an edge: a ray ends within a thousandth of the radius of the surface


def local(thing: Thing, points: Tensor, *, free: bool = False) -> Tensor:
    """Points, or free vectors, in the thing's own frame, in units of its radius."""
    if not free:
        points = points - points.new_tensor(thing.centre)
    c, s = math.cos(thing.rotation), math.sin(thing.rotation)
    x, y, z = points.unbind(-1)
    return torch.stack([c * x + s * y, c * y - s * x, z], dim=-1) / thing.radius


def turned_back(thing: Thing, vectors: Tensor) -> Tensor:
    """Vectors of the thing's frame in the world's, lengths kept."""
    c, s = math.cos(thing.rotation), math.sin(thing.rotation)
    x, y, z = vectors.unbind(-1)
    return torch.stack([c * x - s * y, s * x + c * y, z], dim=-1)


def distances(thing: Thing, origins: Tensor, directions: Tensor) -> Tensor:
    """(...) how far along each direction the thing begins, its edges taken for sharp; negative behind the origin."""
    near, far = _span(thing.shape, local(thing, origins), local(thing, directions, free=True))
    return torch.where(near <= far, near, FAR)


def covers(thing: Thing, origins: Tensor, directions: Tensor) -> Tensor:
    """(...) bool, whether the thing stands between each origin and where its direction ends.

    It is taken a little smaller than it is: what lies beside the rounded edge that it stands on is not inside it.
    """
    o, d = local(thing, origins) / SHRUNK, local(thing, directions, free=True) / SHRUNK
    near, far = _span(thing.shape, o, d)
    return (near <= far) & (far > 0) & (near < 1)


def hits(thing: Thing, rounding: float, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays first meet the thing with its edges rounded.

    Args:
        rounding: the radius of an edge, in radii of the thing.

    Returns:
        distances (R,), and the outward unit normals (R, 3) there, zero at a miss.
    """
    o, d = local(thing, origins), local(thing, directions, free=True)
    near, far = _span(thing.shape, o, d)
    t = torch.where((near <= far) & (near > 0), near, FAR)
    normals = torch.zeros_like(o)
    rays = t.isfinite().nonzero().squeeze(-1)
    if thing.shape == "sphere" or not len(rays):
        normals[rays] = o[rays] + t[rays, None] * d[rays]
        return t, turned_back(thing, normals)
    o, d, at = o[rays], d[rays], t[rays]
    speed = d.norm(dim=-1)
    for _ in range(STEPS):
        apart, _ = _rounded(thing.shape, rounding, o + at[:, None] * d)
        at = at + apart / speed
    apart, normal = _rounded(thing.shape, rounding, o + at[:, None] * d)
    met = (apart < 2e-2) & (at < far[rays] + 1e-3)
    t[rays] = torch.where(met, at, FAR)
    normals[rays] = normal * met[:, None]
    return t, turned_back(thing, normals)


def _span(shape: str, o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave a solid of radius 1; it is missed where the one is behind the other."""
    if shape == "sphere":
        a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
        return _roots(a, b, c)
    if shape == "cube":
        flip = 1 / torch.where(d.abs() < 1e-9, torch.full_like(d, 1e-9), d)
        one, two = (-1 - o) * flip, (1 - o) * flip
        return torch.minimum(one, two).amax(-1), torch.maximum(one, two).amin(-1)
    if shape != "cylinder":
        raise ValueError(f"a solid is a sphere, a cube or a cylinder, got '{shape}'")
    flat_o, flat_d = o[..., :2], d[..., :2]
    a, b, c = (flat_d * flat_d).sum(-1), (flat_o * flat_d).sum(-1), (flat_o * flat_o).sum(-1) - 1
    enter, leave = _roots(a.clamp_min(1e-12), b, c)
    dz = torch.where(d[..., 2].abs() < 1e-9, torch.full_like(a, 1e-9), d[..., 2])
    one, two = (-1 - o[..., 2]) / dz, (1 - o[..., 2]) / dz
    return torch.maximum(enter, torch.minimum(one, two)), torch.minimum(leave, torch.maximum(one, two))


def _roots(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Both solutions of a t^2 + 2 b t + c = 0; the first behind the second where there is none."""
    inside = b * b - a * c
    root = inside.clamp_min(0).sqrt()
    return torch.where(inside < 0, FAR, (-b - root) / a), torch.where(inside < 0, -FAR, (-b + root) / a)


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
