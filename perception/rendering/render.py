"""Render scenes in the style of CLEVR, by ray casting: images, masks, depth.

    camera = SceneCamera.at(location, rules)      # nsreason.generators.clevr.placement
    drawn = render(things, camera, clevr_style())
    drawn.image, drawn.masks, drawn.depth, drawn.boxes()

H x W pixels, N things, K x K samples in each pixel. Rays are cast for all pixels at once; surfaces are shaded once for
each pixel and thing, edges are smoothed by how many of a pixel's samples a thing covers.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from .ray_casting import FAR, STEPS, hits, unit
from .shading import Shading
from .style import RenderStyle, Thing, Vector, clevr_style

COARSE = 200  # images wider than this have shadows on the ground at every second pixel, interpolated in between


class Camera(Protocol):
    """What a renderer reads of a pinhole camera, such as `generators.clevr.placement.SceneCamera`.

    `axes` are its unit vectors right, up and forward, `focal` is in pixels of `width`.
    """

    @property
    def location(self) -> Vector: ...
    @property
    def axes(self) -> tuple[Vector, Vector, Vector]: ...
    @property
    def focal(self) -> float: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """An image, with the masks and depths of what it shows.

    Attributes:
        image: (H, W, 3) uint8.
        masks: (N, H, W) bool, the pixels of which a thing fills most; no two things share one.
        whole: (N,) the pixels that each thing would fill if nothing stood before it and the image had no edge.
        depth: (H, W) float32, along the camera's view; of the ground where there is nothing, infinite above it.
    """

    image: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    whole: NDArray[np.float32]
    depth: NDArray[np.float32]

    def pixels(self) -> NDArray[np.int64]:
        """(N,) the visible pixels of each thing."""
        counted: NDArray[np.int64] = self.masks.sum((1, 2))
        return counted

    def boxes(self) -> NDArray[np.float32]:
        """(N, 4) left, top, right, bottom of what is visible; zeros where nothing is."""
        boxes = np.zeros((len(self.masks), 4), np.float32)
        for i, mask in enumerate(self.masks):
            rows, columns = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
            if len(rows):
                boxes[i] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        return boxes


def render(
    things: Sequence[Thing],
    camera: Camera,
    style: RenderStyle | None = None,
    *,
    width: int | None = None,
    height: int | None = None,
    samples: int = 2,
    shadows: int | None = None,
    seed: int = 0,
) -> Rendering:
    """Draw things on the ground.

    Args:
        width, height: of the image, if not the camera's; the horizontal field of view stays.
        samples: K; 3 is as smooth as the eye asks for.
        shadows: rays to each lamp from each point; default: 12, and 5 in a small image, whose pixels are wider.
        seed: of the noise in shadows and of the image's grain.

    Raises:
        DomainError: the style has no such material or shape.
        ValueError: a number is below 1.
    """
    style = style or clevr_style()
    width = camera.width if width is None else width
    height = camera.height if height is None else height
    if shadows is None:
        shadows = 12 if width > COARSE else 5
    if min(width, height, samples, shadows) < 1:
        raise ValueError("width, height, samples and shadows are 1 or more")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors this small are slower on several
    try:
        with torch.inference_mode():
            return _ImageRenderer(things, camera, style, width, height, samples, shadows, seed).draw()
    finally:
        torch.set_num_threads(threads)


def frames(
    moving: Callable[[float], Sequence[Thing]],
    camera: Camera,
    times: Iterable[float],
    style: RenderStyle | None = None,
    *,
    width: int | None = None,
    height: int | None = None,
    samples: int = 2,
    seed: int = 0,
) -> Iterator[Rendering]:
    """Render a moving scene, one image for each time.

    Args:
        moving: the things at a time, each time as many and in the same order: mask i of every frame is of thing i.
        seed: the same in all frames, so that the grain does not flicker.

    Raises:
        ValueError: the number of things changes.
    """
    number: int | None = None
    for time in times:
        things = moving(time)
        if number is not None and len(things) != number:
            raise ValueError(f"at time {time} there are {len(things)} things, {number} before")
        number = len(things)
        yield render(things, camera, style, width=width, height=height, samples=samples, seed=seed)


class _ImageRenderer:
    """The state of one image while it is rendered."""

    def __init__(
        self,
        things: Sequence[Thing],
        camera: Camera,
        style: RenderStyle,
        width: int,
        height: int,
        samples: int,
        shadows: int,
        seed: int,
    ) -> None:
        for thing in things:
            style.rounding(thing.shape)  # refuses what cannot be drawn, seen or not
        self.things, self.style, self.k = things, style, samples
        self.width, self.height = width, height
        self.grain = torch.Generator().manual_seed(seed)
        self.eye = torch.tensor(camera.location, dtype=torch.float32)
        self.axes = torch.tensor(camera.axes, dtype=torch.float32)
        self.focal = camera.focal * width / camera.width
        own = torch.Generator().manual_seed(seed + 1)  # shadows take as many numbers as they need
        self.shading = Shading(things, style, samples=shadows, generator=own)

    def rays(self, columns: Tensor, rows: Tensor) -> Tensor:
        """(rows, columns, 3) directions through places of the image, of length 1 along the view."""
        across = (columns - self.width / 2) / self.focal
        up = (self.height / 2 - rows) / self.focal
        right, upward, forward = self.axes
        ways: Tensor = forward + across[None, :, None] * right + up[:, None, None] * upward
        return ways

    def draw(self) -> Rendering:
        """Cast, shade, mix, encode."""
        k, n = self.k, len(self.things)
        depth = torch.full((self.height * k, self.width * k), FAR)
        owner = torch.full((self.height * k, self.width * k), -1, dtype=torch.int16)
        casts: list[tuple[slice, slice, Tensor, Tensor] | None] = []
        whole = np.zeros(n, np.float32)
        for i, thing in enumerate(self.things):
            cast = self._cast(thing)
            casts.append(cast)
            if cast is None:
                continue
            rows, columns, t, _ = cast
            whole[i] = t.isfinite().sum() / k**2
            nearer = t < depth[rows, columns]
            depth[rows, columns] = torch.where(nearer, t, depth[rows, columns])
            owner[rows, columns] = torch.where(nearer, i, owner[rows, columns])
        image, shown, coverage = self._ground(owner < 0), torch.zeros(n, self.height, self.width), []
        for i, cast in enumerate(casts):
            coverage.append(None if cast is None else self._covered(i, cast, owner))
        self._mix(image, shown, coverage)
        middles = depth[k // 2 :: k, k // 2 :: k]
        ground = self._ground_depth()
        masks = shown > 0.5
        return Rendering(self._encode(image), masks.numpy(), whole, torch.minimum(middles, ground).numpy())

    def _cast(self, thing: Thing) -> tuple[slice, slice, Tensor, Tensor] | None:
        """The samples around a thing as rows and columns, their depths (h, w) and normals (h, w, 3)."""
        to = torch.tensor(thing.centre, dtype=torch.float32) - self.eye
        x, y, z = (self.axes @ to).tolist()
        if z <= thing.reach:
            return None  # beside or behind the camera
        reach = thing.reach

        def ends(at: float) -> tuple[float, float]:
            """Tangents to a ball around the thing, seen from the camera."""
            far = math.hypot(at, z)
            middle, half = math.atan2(at, z), math.asin(min(1.0, reach / far))
            return math.tan(max(middle - half, -1.5)), math.tan(min(middle + half, 1.5))

        (left, right), (low, high) = ends(x), ends(y)
        k = self.k
        c0 = max(0, math.floor(self.width / 2 + self.focal * left))
        c1 = min(self.width, math.ceil(self.width / 2 + self.focal * right))
        r0 = max(0, math.floor(self.height / 2 - self.focal * high))
        r1 = min(self.height, math.ceil(self.height / 2 - self.focal * low))
        if c0 >= c1 or r0 >= r1:
            return None
        columns = (torch.arange(c0 * k, c1 * k) + 0.5) / k
        rows = (torch.arange(r0 * k, r1 * k) + 0.5) / k
        rays = self.rays(columns, rows)
        flat_rays = rays.reshape(-1, 3)
        steps = STEPS if self.width > COARSE else STEPS // 2
        rounding = self.style.rounding(thing.shape)
        t, normals = hits(thing, rounding, self.eye.expand_as(flat_rays), flat_rays, steps=steps)
        shape = rays.shape[:2]
        return slice(r0 * k, r1 * k), slice(c0 * k, c1 * k), t.view(shape), normals.view(*shape, 3)

    def _covered(
        self, i: int, cast: tuple[slice, slice, Tensor, Tensor], owner: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor] | None:
        """Rows and columns (P,) of the pixels of thing i, how much of each it fills, and its points and normals."""
        rows, columns, t, normals = cast
        mine = owner[rows, columns] == i
        k, (h, w) = self.k, mine.shape
        filled = mine.view(h // k, k, w // k, k).sum((1, 3))
        pixels = filled.nonzero()  # (P, 2)
        if not len(pixels):
            return None
        rays = self.rays((torch.arange(columns.start, columns.stop) + 0.5) / k,
                         (torch.arange(rows.start, rows.stop) + 0.5) / k)  # fmt: skip
        depth = torch.where(mine, t, 0.0)

        def mean(values: Tensor) -> Tensor:
            """(P, ...) over the samples of a pixel that are the thing's."""
            blocks = (values * mine[..., None]).view(h // k, k, w // k, k, -1).sum((1, 3))
            return blocks[pixels[:, 0], pixels[:, 1]] / filled[pixels[:, 0], pixels[:, 1], None]

        points = self.eye + mean(rays * depth[..., None])
        part = filled[pixels[:, 0], pixels[:, 1]] / k**2
        return (
            pixels[:, 0] + rows.start // k,
            pixels[:, 1] + columns.start // k,
            part,
            points,
            unit(mean(normals)),
        )

    def _mix(self, image: Tensor, shown: Tensor, coverage: Sequence[tuple[Tensor, ...] | None]) -> None:
        """Add the things to the ground's part of the image; write how much of each pixel each fills to `shown`."""
        own = [(i, c) for i, c in enumerate(coverage) if c is not None]
        if not own:
            return
        points, normals = torch.cat([c[3] for _, c in own]), torch.cat([c[4] for _, c in own])
        owners = torch.cat([torch.full((len(c[0]),), i) for i, c in own])
        views = unit(points - self.eye)
        colors = self.shading.surface(points, normals, views, owners)
        rows, columns, parts = (torch.cat([c[j] for _, c in own]) for j in range(3))
        image.index_put_((rows, columns), colors * parts[:, None], accumulate=True)
        shown[owners, rows, columns] = parts

    def _ground(self, bare: Tensor) -> Tensor:
        """(H, W, 3) the radiance of the ground, times how much of each pixel it fills."""
        h, w, k = self.height, self.width, self.k
        points, there = self._ground_points(torch.arange(w) + 0.5, torch.arange(h) + 0.5)
        bare_part = bare.view(h, k, w, k).float().mean((1, 3))
        if w <= COARSE or not self.things:
            image = self.shading.ground(points.view(-1, 3)).view(h, w, 3)
        else:
            image = self.shading.open_ground(points.view(-1, 3)).view(h, w, 3) * self._shadows(bare)
        image = torch.where(there[..., None], image, self.style.sky.mirrored)
        return image * bare_part[..., None]

    def _shadows(self, bare: Tensor) -> Tensor:
        """(H, W, 3) how much of the open ground's radiance is left, found at every second pixel."""
        h, w, k = self.height, self.width, self.k
        columns, rows = (torch.arange(-(-n // 2)) * 2 + 1.0 for n in (w, h))
        points = self._ground_points(columns, rows)[0].view(-1, 3)
        left = self.shading.ground(points) / self.shading.open_ground(points)
        left = left.view(1, len(rows), len(columns), 3).permute(0, 3, 1, 2)
        # What lies under a thing is dark, and must not shine through beside it.
        seen = bare[k :: 2 * k, k :: 2 * k].float() + 1e-4
        seen = torch.nn.functional.pad(seen, (0, len(columns) - seen.shape[1], 0, len(rows) - seen.shape[0]), value=1.0)
        size = len(rows) * 2, len(columns) * 2
        left = interpolate(left * seen, size=size, mode="bilinear")
        return (left / interpolate(seen[None, None], size=size, mode="bilinear"))[0, :, :h, :w].permute(1, 2, 0)

    def _ground_points(self, columns: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(h, w, 3) where rays meet the ground, and (h, w) whether they do."""
        rays = self.rays(columns, rows)
        down = rays[..., 2]
        there = down < -1e-3
        return self.eye - self.eye[2] / torch.where(there, down, -1e-3)[..., None] * rays, there

    def _ground_depth(self) -> Tensor:
        rays = self.rays(torch.arange(self.width) + 0.5, torch.arange(self.height) + 0.5)[..., 2]
        return torch.where(rays < -1e-3, -self.eye[2] / rays, FAR)

    def _filtered(self, image: Tensor) -> Tensor:
        """The image as the camera's pixel filter blurs it."""
        spread = self.style.blur * self.width / 480
        if spread < 0.1:
            return image
        side = math.exp(-1 / (2 * spread**2))
        middle, side = 1 / (1 + 2 * side), side / (1 + 2 * side)
        rows = torch.cat([image[:1], image, image[-1:]])
        image = middle * image + side * (rows[:-2] + rows[2:])
        columns = torch.cat([image[:, :1], image, image[:, -1:]], dim=1)
        blurred: Tensor = middle * image + side * (columns[:, :-2] + columns[:, 2:])
        return blurred

    def _encode(self, image: Tensor) -> NDArray[np.uint8]:
        """(H, W, 3) linear radiances as sRGB bytes, with a little grain."""
        x = self._filtered(image.clamp(0, 1))
        shown = torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x.clamp_min(1e-6) ** (1 / 2.4) - 0.055) * 255
        if self.style.grain:
            shown = shown + self.style.grain * torch.randn(shown.shape, generator=self.grain)
        encoded: NDArray[np.uint8] = shown.round().clamp(0, 255).to(torch.uint8).numpy()
        return encoded


def jittered_style(seed: int, index: int, style: RenderStyle | None = None) -> RenderStyle:
    """The lamps of image `index` of a data set made with `seed`."""
    return (style or clevr_style()).jittered(random.Random(f"{seed} lamps {index}"))
