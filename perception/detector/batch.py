"""Training data of detectors: images with masks, their batches and augmentation.

H x W pixels, N objects.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...errors import DataError
from ...io.image_tensors import read_image
from ..detections.detections import Detections
from ..detections.rle import decode_masks

LEAST = 12  # pixels: an object of which less is visible after a crop is left out


class ImageCache:
    """Decoded images, kept as long as they fit: a PNG takes ten times as long to decode as to copy.

    Attributes:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0
        self._images: dict[Path, Tensor] = {}
        self._lock = threading.Lock()

    def read(self, path: Path) -> Tensor:
        """Read an image, (3, H, W) uint8, which callers must not change.

        Raises:
            DataError: there is no such image, or it is damaged.
        """
        image = self._images.get(path)
        if image is None:
            image = read_image(path)
            with self._lock:
                if self.used + image.nbytes <= self.limit and path not in self._images:
                    self._images[path] = image
                    self.used += image.nbytes
        return image


@dataclass(frozen=True, slots=True, eq=False)
class DetectionExample:
    """An image file and what is in it.

    Attributes:
        truth: annotated objects, with masks; labels are the detector's, from 1.
    """

    path: Path
    truth: Detections
    cache: ImageCache = field(repr=False)

    def image(self) -> Tensor:
        """Read the image, (3, H, W) uint8.

        Raises:
            DataError: it cannot be read, or is not of the size that its annotations say.
        """
        image = self.cache.read(self.path)
        width, height = self.truth.known_size
        if image.shape[1:] != (height, width):
            actual = f"{image.shape[2]} x {image.shape[1]} pixels"
            raise DataError(f"{self.path}: {actual}; its annotations are for {width} x {height}")
        return image


@dataclass(frozen=True, slots=True, eq=False)
class DetectionBatch:
    """Images and their objects, in lists, since sizes differ.

    Attributes:
        images: (3, H, W) uint8 each.
        masks: (N, H, W) bool each.
        labels: (N,) int64 each, from 1.
        names: the images' file names.
    """

    images: list[Tensor]
    masks: list[Tensor]
    labels: list[Tensor]
    names: list[str]

    def to(self, device: torch.device | str) -> DetectionBatch:
        """Move the batch to a device."""
        moved = {n: [t.to(device, non_blocking=True) for t in getattr(self, n)] for n in ("images", "masks", "labels")}
        return replace(self, **moved)

    def __len__(self) -> int:
        return len(self.images)


def make_batch(examples: Sequence[DetectionExample]) -> DetectionBatch:
    """Build a batch on the CPU.

    Raises:
        DataError: there is no example, or an image cannot be read.
    """
    if not examples:
        raise DataError("a batch has at least one image")
    masks = []
    for e in examples:
        width, height = e.truth.known_size
        decoded = decode_masks(e.truth.masks or (), (height, width))
        masks.append(torch.from_numpy(np.ascontiguousarray(decoded)))
    return DetectionBatch(
        [e.image() for e in examples],
        masks,
        [torch.as_tensor(e.truth.labels, dtype=torch.int64) for e in examples],
        [e.truth.image for e in examples],
    )


def boxes_of(masks: Tensor) -> Tensor:
    """Compute the boxes (N, 4) float32 of masks (N, H, W), none of which is empty."""
    edges = []
    for axis in (1, 2):  # over rows, which leaves columns; over columns
        taken = masks.any(dim=axis).float()
        size = taken.shape[1]
        low = taken.argmax(dim=1)
        high = size - taken.flip(1).argmax(dim=1)
        edges.append((low, high))
    (left, right), (top, bottom) = edges
    return torch.stack([left, top, right, bottom], dim=1).float()


def target_of(masks: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Build a target of torchvision's detectors; masks of fewer than `LEAST` pixels are left out."""
    seen = masks.flatten(1).sum(1) >= LEAST
    masks, labels = masks[seen], labels[seen]
    return {"boxes": boxes_of(masks) if len(masks) else masks.new_zeros((0, 4), dtype=torch.float32),
            "labels": labels, "masks": masks}  # fmt: skip


@dataclass(frozen=True)
class Augmentation:
    """How images are varied in training."""

    flip: float = 0.5
    """Probability that an image is flipped from left to right."""
    crop: float = 0.2
    """A cropped image keeps at least 1 - `crop` of its width and height, and is resized to its former size."""
    crops: float = 0.3
    """Probability of a crop."""
    light: float = 0.2
    """Brightness is scaled by 1 - `light` to 1 + `light`, and contrast likewise."""
    colour: float = 0.06
    """Each channel is scaled by 1 - `colour` to 1 + `colour`."""
    noise: float = 0.02
    """Largest standard deviation of the noise on a pixel, for pixels from 0 to 1."""

    def __post_init__(self) -> None:
        for name in ("flip", "crop", "crops", "light", "colour", "noise"):
            if not 0 <= getattr(self, name) < 1 and not (name in ("flip", "crops") and getattr(self, name) == 1):
                raise ValueError(f"augmentation.{name}: a number from 0 to below 1, got {getattr(self, name)}")


def vary(image: Tensor, masks: Tensor, how: Augmentation) -> tuple[Tensor, Tensor]:
    """Vary an image (3, H, W) in 0..1 and its masks (N, H, W) at random; the size stays.

    Random numbers are torch's on the CPU, whatever the device, so that devices draw alike.
    """
    draw = torch.rand(12).tolist()
    if draw[0] < how.flip:
        image, masks = image.flip(-1), masks.flip(-1)
    if draw[1] < how.crops:
        image, masks = _cropped(image, masks, 1 - how.crop * draw[2], draw[3], draw[4])
    gain = torch.tensor([1 + how.colour * (2 * d - 1) for d in draw[5:8]], device=image.device)
    gain = gain * (1 + how.light * (2 * draw[8] - 1))
    contrast = 1 + how.light * (2 * draw[9] - 1)
    image = image * (gain * contrast)[:, None, None] + image.mean((1, 2), keepdim=True) * (1 - contrast)
    if how.noise and draw[10] < 0.5:
        image = image + torch.randn(image.shape).to(image.device) * (how.noise * draw[11])
    return image.clamp(0, 1), masks


def _cropped(image: Tensor, masks: Tensor, share: float, across: float, down: float) -> tuple[Tensor, Tensor]:
    height, width = image.shape[-2:]
    high, wide = max(1, round(height * share)), max(1, round(width * share))
    top, left = round((height - high) * down), round((width - wide) * across)
    window = (..., slice(top, top + high), slice(left, left + wide))
    both = torch.cat([image[window], masks[window].to(image)])[None]
    both = interpolate(both, (height, width), mode="bilinear", align_corners=False)[0]
    return both[:3], both[3:] >= 0.5


def match_masks(predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Match predicted masks (F, H, W) with annotated ones (N, H, W), of an IoU of .5 or more.

    Each predicted mask is matched once, the better pairs first.

    Returns:
        (N,) the IoU of each annotated object with its match, 0 for none; (N,) the number of the match, or -1.
    """
    iou = mask_iou(predicted, truth)
    best = torch.zeros(len(truth), device=truth.device)
    which = torch.full((len(truth),), -1, dtype=torch.int64, device=truth.device)
    while iou.numel() and iou.max() >= 0.5:
        f, n = divmod(int(iou.argmax()), iou.shape[1])
        best[n], which[n] = iou[f, n], f
        iou[f, :] = 0
        iou[:, n] = 0
    return best, which


def mask_iou(first: Tensor, second: Tensor) -> Tensor:
    """Compute intersections over unions (F, N) of masks (F, H, W) and (N, H, W)."""
    a, b = first.flatten(1).float(), second.flatten(1).float()
    with torch.autocast(a.device.type, enabled=False):  # counts above 256 are no numbers of bfloat16
        both = a @ b.T
    union = a.sum(1)[:, None] + b.sum(1)[None] - both
    return both / union.clamp(min=1)
