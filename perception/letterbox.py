"""Letterboxing: images of any size in the frame of a model, and detections mapped there and back.

    box = Letterbox.of((1024, 768), (480, 320))   # scaled, centred, padded with its edge pixels
    box.image(image), box.inward(detections), box.outward(detections)

Sizes are (width, height) in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .detections.detections import Detections
from .detections.rle import Rle, decode_masks, encode_masks

Size = tuple[int, int]
F32 = NDArray[np.float32]
Masks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How an image of `size` lies in a frame: scaled by `scale` to `inner`, its upper left corner at `left`, `top`."""

    size: Size
    frame: Size
    scale: float
    left: int
    top: int
    inner: Size

    @classmethod
    def of(cls, size: Size, frame: Size) -> Letterbox:
        """Scale an image of `size` as large as fits, centred in the frame."""
        scale = min(frame[0] / size[0], frame[1] / size[1])
        width, height = (min(f, max(1, round(s * scale))) for s, f in zip(size, frame, strict=True))
        return cls(size, frame, scale, (frame[0] - width) // 2, (frame[1] - height) // 2, (width, height))

    @property
    def same(self) -> bool:
        """Whether the image is as large as the frame."""
        return self.size == self.frame

    def image(self, image: Tensor) -> Tensor:
        """Place an image, (3, H, W) uint8, in the frame; the padding repeats its edge pixels."""
        if self.same:
            return image
        width, height = self.inner
        scaled = torch.nn.functional.interpolate(
            image[None].float(), (height, width), mode="bilinear", antialias=True, align_corners=False
        )
        right, bottom = self.frame[0] - width - self.left, self.frame[1] - height - self.top
        padded = torch.nn.functional.pad(scaled, (self.left, right, self.top, bottom), mode="replicate")
        return padded[0].round().clamp(0, 255).to(torch.uint8)

    def inward(self, detections: Detections) -> Detections:
        """Map detections from the image to the frame."""
        if self.same:
            return detections
        boxes = detections.boxes * np.float32(self.scale) + self._corner()
        masks = None if detections.masks is None else self._masks_in(detections.masks)
        return self._placed(detections, boxes, self.frame, masks)

    def outward(self, detections: Detections) -> Detections:
        """Map detections from the frame to the image; what lies in the padding is cut off."""
        if self.same:
            return detections
        limit = np.array([*self.size, *self.size], dtype=np.float32)
        boxes = ((detections.boxes - self._corner()) / np.float32(self.scale)).clip(0, limit)
        masks = None if detections.masks is None else self._masks_out(detections.masks)
        return self._placed(detections, boxes, self.size, masks)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Map a point from the frame to the image."""
        return (x - self.left) / self.scale, (y - self.top) / self.scale

    def _corner(self) -> F32:
        return np.array([self.left, self.top, self.left, self.top], dtype=np.float32)

    @staticmethod
    def _placed(detections: Detections, boxes: F32, size: Size, masks: list[Rle] | None) -> Detections:
        return Detections(detections.image, size, boxes.astype(np.float32), detections.scores, detections.labels, masks)

    def _masks_in(self, masks: Sequence[Rle]) -> list[Rle]:
        width, height = self.inner
        decoded = _resized(decode_masks(masks, (self.size[1], self.size[0])), self.inner)
        framed = np.zeros((len(decoded), self.frame[1], self.frame[0]), dtype=bool)
        framed[:, self.top : self.top + height, self.left : self.left + width] = decoded
        return encode_masks(framed)

    def _masks_out(self, masks: Sequence[Rle]) -> list[Rle]:
        width, height = self.inner
        decoded = decode_masks(masks, (self.frame[1], self.frame[0]))
        inner = decoded[:, self.top : self.top + height, self.left : self.left + width]
        return encode_masks(_resized(inner, self.size))


def _resized(masks: Masks, size: Size) -> Masks:
    """(N, H, W) masks at another size, by the nearest pixel."""
    _, height, width = masks.shape
    rows = ((np.arange(size[1]) + 0.5) * height / size[1]).astype(np.int64)
    columns = ((np.arange(size[0]) + 0.5) * width / size[0]).astype(np.int64)
    resized: Masks = masks[:, rows][:, :, columns]
    return resized
