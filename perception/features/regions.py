"""Features of detected objects and of their ordered pairs.

    regions = Regions.of([(read_image("a.png"), detections)], masks=True)
    objects, pairs = RegionFeatures(RegionConfig())(regions)      # (S, N, D), (S, N, N, E)

`resnet34` and `resnet18` are the layers of NS-CL (Mao et al., ICLR 2019) over a residual network of torchvision;
`patches` reads a square around each object instead, and learns on a CPU in minutes.

S images, N objects (padded), K objects of all images, P ordered pairs of all images, D object features, E pair
features. Boxes are left, top, right, bottom in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from ...io.image_tensors import resized
from ..detections.detections import Detections, ImageDetections
from ..detections.rle import decode_masks
from .region_backbones import Patches, RegionInputs, ResNetRegions, load_trunk

Preset = Literal["patches", "resnet18", "resnet34"]
CroppedMask = tuple[int, int, Tensor]  # top, left, and a mask (h, w) bool from there on

SIZES = {"patches": (320, 480), "resnet18": (256, 384), "resnet34": (256, 384)}
WIDTHS = {"patches": (128, 64), "resnet18": (256, 256), "resnet34": (256, 256)}


@dataclass(frozen=True)
class RegionConfig:
    """Settings of region features. None takes the preset's value."""

    preset: Preset = "patches"
    """`patches`, or NS-CL's layers over a `resnet34` or `resnet18`."""
    size: tuple[int, int] | None = None
    """Height and width that images are resized to (patches: 320 x 480, CLEVR's own; resnets: 256 x 384)."""
    width: int | None = None
    """D, object features (patches: 128; resnets: 256)."""
    pairs: int | None = None
    """E, pair features (patches: 64; resnets: 256)."""
    masks: bool = True
    """Whether masks are used where detections have them; without, the box stands for its object."""
    crop: int = 32
    """Pixels across and down of the square that `patches` reads of an object."""
    margin: float = 1.2
    """Side of that square over the longer side of the box; what surrounds an object shows its shadow and ground."""
    weights: str | None = None
    """A file of torchvision's weights for the residual network (`.safetensors`, or `.pth` with nothing but tensors in
    it), read by `load_weights` before a training begins. A checkpoint does not need it."""
    frozen: bool = False
    """Whether the residual network stays as its weights are."""
    brightness: float = 0.15
    """In training, an image's brightness is multiplied by 1 - this to 1 + this."""
    contrast: float = 0.15
    """In training, an image's contrast is multiplied by 1 - this to 1 + this."""
    tint: float = 0.05
    """In training, each of red, green and blue is multiplied by 1 - this to 1 + this."""
    noise: float = 0.02
    """In training, standard deviation of the noise on a pixel, for pixels from 0 to 1."""
    jitter: float = 0.03
    """In training, standard deviation of the sides of each box, as a part of its width and height."""
    mask_dropout: float = 0.1
    """In training, the share of objects whose mask is replaced by their box."""
    flip: bool = True
    """Whether squares are flipped from left to right at random in training. Positions are not: left stays left."""

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("pairs", 1), ("crop", 16)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name}: a whole number from {least}, got {value}")
        if self.crop % 8:
            raise ValueError(f"crop: a multiple of 8, got {self.crop}")
        if self.size is not None and min(self.size) < 16:
            raise ValueError(f"size: height and width from 16, got {self.size}")
        for name in ("brightness", "contrast", "tint", "noise", "jitter", "mask_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: from 0 to below 1, got {getattr(self, name)}")
        if not 0.5 <= self.margin <= 10:
            raise ValueError(f"margin: from 0.5 to 10, got {self.margin}")

    def image_size(self) -> tuple[int, int]:
        """Height and width of images."""
        return SIZES[self.preset] if self.size is None else self.size

    def widths(self) -> tuple[int, int]:
        """Widths D of objects and E of pairs."""
        width, pairs = WIDTHS[self.preset]
        return width if self.width is None else self.width, pairs if self.pairs is None else self.pairs


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

    @classmethod
    def of(
        cls,
        pairs: Sequence[ImageDetections],
        *,
        masks: bool,
        size: tuple[int, int] | None = None,
        cuts: Sequence[Sequence[CroppedMask] | None] | None = None,
    ) -> Regions:
        """Batch images with their detections.

        Args:
            masks: whether to decode masks; where one image of them has none, all go without.
            size: height and width that images, boxes and masks are brought to; None takes the first image's.
            cuts: masks that have been decoded before, by `cut_masks` for the image's own size; they are taken where
                that is the size. None for an image decodes.

        Raises:
            ValueError: there is no image.
            DataError: a mask is damaged.
        """
        if not pairs:
            raise ValueError("there is no image")
        h, w = size = size or (pairs[0][0].shape[1], pairs[0][0].shape[2])
        most = max(1, *(len(detections) for _, detections in pairs))
        images = torch.empty(len(pairs), 3, h, w, dtype=torch.uint8)
        boxes = torch.zeros(len(pairs), most, 4)
        present = torch.zeros(len(pairs), most, dtype=torch.bool)
        masked = masks and all(detections.masks is not None for _, detections in pairs)
        # Numpy's zeros are of no memory until something is written there, unlike torch's.
        outlines = torch.from_numpy(np.zeros((len(pairs), most, h, w), dtype=np.bool_)) if masked else None
        for s, (image, detections) in enumerate(pairs):
            n, (across, down) = len(detections), detections.known_size
            images[s] = resized(image, size)
            boxes[s, :n] = torch.from_numpy(detections.boxes) * torch.tensor([w / across, h / down] * 2)
            present[s, :n] = True
            if outlines is not None and n:
                ready = cuts[s] if cuts and tuple(image.shape[1:]) == tuple(size) else None
                for i, (top, left, mask) in enumerate(ready or cut_masks(detections, size)):
                    outlines[s, i, top : top + mask.shape[0], left : left + mask.shape[1]] = mask
        return cls(images, boxes, outlines, present)

    def to(self, device: torch.device | str) -> Regions:
        """Move the regions to a device."""
        masks = None if self.masks is None else self.masks.to(device, non_blocking=True)
        images, boxes, present = (t.to(device, non_blocking=True) for t in (self.images, self.boxes, self.present))
        return Regions(images, boxes, masks, present)

    def __len__(self) -> int:
        return len(self.images)


def cut_masks(detections: Detections, size: tuple[int, int]) -> list[CroppedMask]:
    """Decode masks for an image of a size, each cropped to what it covers; none where there are only boxes.

    Raises:
        DataError: a mask is damaged.
    """
    if detections.masks is None or not len(detections):
        return []
    masks = torch.from_numpy(decode_masks(detections.masks))
    if tuple(masks.shape[1:]) != tuple(size):
        masks = F.interpolate(masks[None].to(torch.uint8), size, mode="nearest-exact")[0].bool()
    cuts: list[CroppedMask] = []
    for mask in masks:
        rows, columns = mask.any(1).nonzero()[:, 0].tolist(), mask.any(0).nonzero()[:, 0].tolist()
        if rows:
            cuts.append((rows[0], columns[0], mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].clone()))
        else:
            cuts.append((0, 0, mask[:0, :0].clone()))
    return cuts


class RegionFeatures(nn.Module):
    """Images with detections to features of objects and of pairs.

    Args:
        relations: whether pairs are needed.
    """

    def __init__(self, config: RegionConfig | None = None, *, relations: bool = True) -> None:
        super().__init__()
        self.config = config = config or RegionConfig()
        self.relations = relations
        width, pairs = config.widths()
        self.net: Patches | ResNetRegions
        if config.preset == "patches":
            self.net = Patches(width, pairs if relations else 0, crop=config.crop, margin=config.margin)
        else:
            self.net = ResNetRegions(config.preset, width, pairs if relations else 0, frozen=config.frozen)

    def load_weights(self) -> None:
        """Load the residual network's weights from the file that the settings name, if any.

        Raises:
            CheckpointError: the file cannot be read, or its tensors do not fit.
            ValueError: the preset has no residual network.
        """
        if self.config.weights is None:
            return
        if not isinstance(self.net, ResNetRegions):
            raise ValueError(f"weights: the preset '{self.config.preset}' has no residual network to put them in")
        load_trunk(self.net.trunk, self.config.weights)

    def forward(self, regions: Regions) -> tuple[Tensor, Tensor | None]:
        """Compute features of objects (S, N, D) and of ordered pairs (S, N, N, E), the first index the reference.

        Where there is no object they are zeros. Without relations there are no pairs.
        """
        config, there = self.config, regions.present
        s, n = there.shape
        width, pair_width = config.widths()
        inputs = self._inputs(regions)
        if not len(inputs.boxes):
            zeros = torch.zeros(s, n, width, device=there.device)
            return zeros, torch.zeros(s, n, n, pair_width, device=there.device) if self.relations else None
        object_rows, pair_rows = self.net(inputs)
        objects = object_rows.new_zeros(s, n, width)
        objects[there] = object_rows
        if pair_rows is None:
            return objects, None
        pairs = pair_rows.new_zeros(s, n, n, pair_width)
        pairs[there[:, :, None] & there[:, None, :]] = pair_rows
        return objects, pairs

    def _inputs(self, regions: Regions) -> RegionInputs:
        config, there = self.config, regions.present
        which, slot = there.nonzero(as_tuple=True)  # (K,) the image of each object, and its place there
        boxes = regions.boxes[which, slot]
        numbers = torch.zeros_like(there, dtype=torch.int64)
        numbers[which, slot] = torch.arange(len(which), device=there.device)
        image, first, second = (there[:, :, None] & there[:, None, :]).nonzero(as_tuple=True)  # (P,)
        masks = regions.masks if config.masks else None
        kept = None
        if self.training and config.jitter:
            sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
            moved = boxes + config.jitter * sides * torch.randn_like(boxes)
            boxes = torch.where((moved[:, 2:] - moved[:, :2] > 1).all(1, keepdim=True), moved, boxes)
        if self.training and config.mask_dropout and masks is not None:
            kept = torch.rand(len(boxes), device=boxes.device) >= config.mask_dropout
        return RegionInputs(
            regions.images,
            self._light(len(regions), boxes.device),
            boxes,
            which,
            slot,
            masks,
            kept,
            (numbers[image, first], numbers[image, second]),
            config.noise if self.training else 0.0,
            self.training and config.flip,
        )

    def _light(self, s: int, device: torch.device) -> tuple[Tensor, Tensor] | None:
        """(S, 3, 1, 1) factors and shifts of the pixels from 0 to 1 of each image, drawn at random."""
        config = self.config
        if not self.training or not (config.brightness or config.contrast or config.tint):
            return None

        def factor(most: float, channels: int) -> Tensor:
            return 1 + most * (2 * torch.rand(s, channels, 1, 1, device=device) - 1)

        bright, contrast = factor(config.brightness, 1), factor(config.contrast, 1)
        scale = bright * factor(config.tint, 3)
        return scale * contrast, 0.45 * (1 - contrast)  # contrast is around CLEVR's gray
