"""Patches: what an image shows around each object, cut out at one size, with the object's mask and the others'.

K objects, P the side of a patch in pixels. Channels: red, green, blue, the object's own mask, the masks of the others
(what may stand before it). A patch is a square around the middle of the box, `margin` times as long as the longer
side of the box; what lies outside the image is black.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

CHANNELS = 5


def squares(boxes: Tensor, margin: float) -> Tensor:
    """(K, 4) boxes as squares around their middles, `margin` times their longer side."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(-1, keepdim=True).clamp(min=1.0) * (margin / 2)
    return torch.cat([middle - half, middle + half], -1)


def box_masks(boxes: Tensor, height: int, width: int) -> Tensor:
    """(K, H, W) bool, the pixels whose centres are in each box: what stands for masks where there are none."""
    x = torch.arange(width, device=boxes.device) + 0.5
    y = torch.arange(height, device=boxes.device) + 0.5
    left, top, right, bottom = (edge[:, None] for edge in boxes.unbind(-1))
    inside: Tensor = ((y >= top) & (y <= bottom))[:, :, None] & ((x >= left) & (x <= right))[:, None, :]
    return inside


def cut_patches(image: Tensor, boxes: Tensor, masks: Tensor | None, side: int, margin: float) -> Tensor:
    """Cut the patches of one image's objects.

    Args:
        image: (3, H, W) uint8.
        boxes: (K, 4) left, top, right, bottom.
        masks: (K, H, W) bool; None takes the boxes for masks.
        side: P.

    Returns:
        (K, 5, P, P) uint8.
    """
    if not len(boxes):
        return torch.zeros(0, CHANNELS, side, side, dtype=torch.uint8, device=image.device)
    from ..detector.torchvision_imports import roi_align

    height, width = image.shape[-2:]
    own_masks = box_masks(boxes, height, width) if masks is None else masks
    counted = own_masks.sum(0)
    out = []
    # Each patch is taken from its own corner of the image: whole planes for every object would be most of the work.
    for own, roi in zip(own_masks, squares(boxes.float(), margin), strict=True):
        left, top = (
            max(0, min(int(edge) - 2, limit - 1)) for edge, limit in zip(roi[:2], (width, height), strict=True)
        )
        right, bottom = (
            min(limit, max(int(edge) + 3, 1)) for edge, limit in zip(roi[2:], (width, height), strict=True)
        )
        here = (slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1)))
        others = (counted[here] - own[here].long()) > 0
        covers = torch.stack([own[here], others]).float() * 255
        planes = torch.cat([image[:, *here].float(), covers])  # (5, h, w)
        corner = roi.new_tensor([left, top, left, top])
        # Alignment averages over all pixels of a cell (sampling_ratio -1), so that large objects do not alias.
        out.append(roi_align(planes[None], [(roi - corner)[None]], side, sampling_ratio=-1, aligned=True))
    return torch.cat(out).round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class PatchAugmentation:
    """How patches are varied in training, so that a parser of rendered images works on photographs."""

    translate: float = 0.03
    """The most that a patch is translated, as a part of its side."""
    scale: float = 0.06
    """The most that a patch grows or shrinks, as a part of its side."""
    colour: float = 0.25
    """The most that brightness and contrast change, as a factor; each colour channel changes by half of it."""
    noise: float = 0.03
    """Largest standard deviation of the noise on a pixel, for pixels from 0 to 1."""
    edges: float = 0.5
    """Probability that the edge of a mask shrinks or grows by a pixel of the patch."""
    drop: float = 0.2
    """Probability that an object's mask, or that of the others, is missing."""
    occlude: float = 0.4
    """Probability that an object of another patch is pasted before the patch's own, where enough of it stays visible.
    Most objects that are hard to recognise stand half behind others."""

    def __post_init__(self) -> None:
        for name in ("translate", "scale", "colour", "noise", "edges", "drop", "occlude"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"augmentation.{name}: from 0 to below 1, got {getattr(self, name)}")


LEFT = 0.35  # of an object: the least that stays visible under `occlude`


def occluded(patches: Tensor) -> Tensor:
    """Paste the object of another patch before each patch's own, at a random place: (K, 5, P, P).

    Where less than a part `LEFT` of an object's mask would stay, the patch is left as it was.
    """
    count, device = len(patches), patches.device
    other = patches[torch.randperm(count, device=device)]
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0] = theta[:, 1, 1] = 0.7 + 0.8 * torch.rand(count, device=device)
    theta[:, :, 2] = 2.0 * torch.rand(count, 2, device=device) - 1.0
    grid = torch.nn.functional.affine_grid(theta, list(patches.shape), align_corners=False)
    other = torch.nn.functional.grid_sample(other, grid, align_corners=False)
    before = other[:, 3:4]
    colours = torch.lerp(patches[:, :3], other[:, :3], before)
    own = patches[:, 3:4] * (1 - before)
    pasted = torch.cat([colours, own, torch.maximum(patches[:, 4:5], before)], 1)
    stays = own.sum((1, 2, 3)) >= LEFT * patches[:, 3].sum((1, 2))
    return torch.where(stays[:, None, None, None], pasted, patches)


class Moved(NamedTuple):
    """Varied patches, and where they now lie: moved by `moved` (K, 2) sides and scaled by `scale` (K,)."""

    patches: Tensor
    moved: Tensor
    scale: Tensor


def augmented(patches: Tensor, augmentation: PatchAugmentation) -> Moved:
    """Vary patches (K, 5, P, P), floats in 0..1, as other cameras and detectors would.

    Random numbers are torch's own.
    """
    translate, zoom, colour = augmentation.translate, augmentation.scale, augmentation.colour
    count, device = len(patches), patches.device

    def draw(*shape: int) -> Tensor:
        return torch.rand(count, *shape, device=device)

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * draw(*shape)

    scale = between(1 - zoom, 1 + zoom)
    scale = torch.where(draw() < 0.3, torch.ones_like(scale), scale)
    moved = between(-translate, translate, 2)
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = 2 * moved  # a grid is 2 wide
    grid = torch.nn.functional.affine_grid(theta, list(patches.shape), align_corners=False)
    patches = torch.nn.functional.grid_sample(patches, grid, padding_mode="border", align_corners=False)
    patches = torch.where((draw() < augmentation.occlude)[:, None, None, None], occluded(patches), patches)
    colours, covers = patches[:, :3], patches[:, 3:]

    mean = colours.mean((1, 2, 3), keepdim=True)
    contrast, bright = (between(1 - colour, 1 + colour, 1, 1, 1) for _ in range(2))
    channel = between(1 - colour / 2, 1 + colour / 2, 3, 1, 1)
    colours = ((colours - mean) * contrast + mean) * bright * channel
    soft = torch.nn.functional.avg_pool2d(colours, 3, 1, 1, count_include_pad=False)
    colours = torch.lerp(colours, soft, between(0.0, 1.0, 1, 1, 1) * (draw(1, 1, 1) < 0.5))
    grain = torch.randn(colours.shape, device=device) * between(0.0, augmentation.noise, 1, 1, 1)
    colours = (colours + grain).clamp(0, 1)

    grown = torch.nn.functional.max_pool2d(covers, 3, 1, 1)
    eaten = -torch.nn.functional.max_pool2d(-covers, 3, 1, 1)
    which = draw(2, 1, 1)
    covers = torch.where(which < augmentation.edges / 2, grown, torch.where(which < augmentation.edges, eaten, covers))
    covers = covers * (draw(2, 1, 1) >= augmentation.drop)
    return Moved(torch.cat([colours, covers], 1), moved, scale)
