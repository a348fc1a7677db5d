"""Torchvision's region heads with masks that lie exactly where the objects are.

Torchvision rounds boxes to pixels when it pastes a mask into the image, and shifts what the mask head learns by half
a pixel. On objects of 25 pixels either costs several points of IoU. Here targets are how much of each cell is covered,
masks are interpolated at the centers of pixels, and a mask may be predicted in a box somewhat larger than the object's,
so that an error of the box is none of the mask.

N objects, M cells of a predicted mask in each direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from .torchvision_imports import (
    GeneralizedRCNNTransform,
    RegionProposalNetwork,
    RoIHeads,
    RPNHead,
    fastrcnn_loss,
    resize_boxes,
    roi_align,
)

CHUNK = 1 << 24  # pixels of masks that are pasted at once


def widened(boxes: Tensor, margin: float) -> Tensor:
    """(N, 4) boxes that are longer by the share `margin` in both directions, about their centers."""
    half = (boxes[:, 2:] - boxes[:, :2]) * (margin / 2)
    return torch.cat([boxes[:, :2] - half, boxes[:, 2:] + half], dim=1)


def paste_masks(soft: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks in an image, by bilinear interpolation at the centers of its pixels.

    Args:
        soft: (N, M, M) probabilities.
        boxes: (N, 4) where each lies; it may reach over the image's edge.
        size: height H and width W of the image.

    Returns: (N, H, W) probabilities, 0 outside of the boxes.
    """
    cells = soft.shape[-1]
    along = []
    for axis in (1, 0):  # rows, then columns
        centers = torch.arange(size[1 - axis], device=soft.device, dtype=torch.float32) + 0.5
        low, high = boxes[:, axis, None].float(), boxes[:, axis + 2, None].float()
        at = (centers - low) / (high - low).clamp(min=1e-3) * cells - 0.5  # (N, H) in cells
        steps = torch.arange(cells, device=soft.device)
        along.append((1 - (at.unsqueeze(-1) - steps).abs()).clamp(min=0))  # (N, H, M) weights of two cells each
    rows, columns = along
    return rows @ soft.float() @ columns.transpose(1, 2)


def pasted(soft: Tensor, boxes: Tensor, size: tuple[int, int], threshold: float) -> Iterator[Tensor]:
    """Masks (n, H, W) bool of some objects after the others, so that many on a large image fit in memory."""
    step = max(1, CHUNK // (size[0] * size[1]))
    for at in range(0, len(soft), step):
        yield paste_masks(soft[at : at + step], boxes[at : at + step], size) >= threshold


class FloatRPNHead(RPNHead):  # type: ignore[misc]
    """Scores and boxes in single precision, whatever the features are in."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        scores, deltas = super().forward(x)
        return [s.float() for s in scores], [d.float() for d in deltas]


class CoarseRPN(RegionProposalNetwork):  # type: ignore[misc]
    """Proposals from all feature maps but the finest, which would cost four times as much as the others together."""

    @classmethod
    def of(cls, network: RegionProposalNetwork) -> CoarseRPN:
        """The same network on fewer maps: its parts are shared."""
        new = cls.__new__(cls)
        new.__dict__.update(network.__dict__)
        return new

    def forward(self, images: Any, features: Mapping[str, Tensor], targets: Any = None) -> Any:
        return super().forward(images, {k: v for k, v in features.items() if k != "0"}, targets)


class MaskHeads(RoIHeads):  # type: ignore[misc]
    """Torchvision's region heads; see above.

    Attributes:
        margin: how much larger than its box is where a mask is predicted.
        mask_samples: at most so many objects of an image teach the mask head in a step.
    """

    margin = 0.0
    mask_samples = 128

    @classmethod
    def of(cls, heads: RoIHeads, margin: float, mask_samples: int) -> MaskHeads:
        """The same heads with exact masks: parts and thresholds are shared."""
        new = cls.__new__(cls)
        new.__dict__.update(heads.__dict__)
        new.margin, new.mask_samples = margin, mask_samples
        return new

    def forward(
        self,
        features: Mapping[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Losses while training, else for each image `boxes`, `labels`, `scores` and soft `masks` (N, M, M)."""
        if self.training:
            proposals, matched, labels, deltas = self.select_training_samples(proposals, targets)
        pooled = self.box_head(self.box_roi_pool(features, proposals, image_shapes))
        logits, regression = (x.float() for x in self.box_predictor(pooled))
        if self.training:
            assert targets is not None
            by_class, by_box = fastrcnn_loss(logits, regression, labels, deltas)
            by_mask = self._mask_loss(features, proposals, image_shapes, targets, matched, labels)
            return [], {"loss_class": by_class, "loss_box": by_box, "loss_mask": by_mask}
        boxes, scores, labels = self.postprocess_detections(logits, regression, proposals, image_shapes)
        soft = self._mask_logits(features, boxes, image_shapes, labels).sigmoid()
        parts = torch.split(soft, [len(b) for b in boxes])
        rows = zip(boxes, labels, scores, parts, strict=True)
        return [dict(zip(("boxes", "labels", "scores", "masks"), t, strict=True)) for t in rows], {}

    def _mask_logits(
        self, features: Mapping[str, Tensor], boxes: Sequence[Tensor], shapes: Any, labels: Sequence[Tensor]
    ) -> Tensor:
        """(N, M, M) of the objects of all images, each for its own class."""
        pooled = self.mask_roi_pool(features, [widened(b, self.margin) for b in boxes], shapes)
        logits: Tensor = self.mask_predictor(self.mask_head(pooled)).float()
        which = torch.cat(list(labels))
        return logits[torch.arange(len(which), device=which.device), which]

    def _mask_loss(
        self,
        features: Mapping[str, Tensor],
        proposals: Sequence[Tensor],
        shapes: Any,
        targets: Sequence[Mapping[str, Tensor]],
        matched: Sequence[Tensor],
        labels: Sequence[Tensor],
    ) -> Tensor:
        """Binary cross entropy to how much of each cell the object covers."""
        positive = [torch.where(assigned > 0)[0] for assigned in labels]
        positive = [p[torch.randperm(len(p))[: self.mask_samples].to(p.device)] for p in positive]
        boxes = [b[p] for b, p in zip(proposals, positive, strict=True)]
        if not sum(map(len, boxes)):
            return features["0"].sum() * 0
        logits = self._mask_logits(features, boxes, shapes, [n[p] for n, p in zip(labels, positive, strict=True)])
        wanted = []
        for b, target, m, p in zip(boxes, targets, matched, positive, strict=True):
            if len(b):
                rois = torch.cat([m[p, None].to(b), widened(b, self.margin)], dim=1)
                masks = target["masks"][:, None].to(b)
                wanted.append(roi_align(masks, rois, logits.shape[-2:], aligned=True)[:, 0])
        return binary_cross_entropy_with_logits(logits, torch.cat(wanted).clamp(0, 1))


class Scaled(GeneralizedRCNNTransform):  # type: ignore[misc]
    """Images to a batch: normalized, scaled, padded. Masks are not pasted here.

    An image is made so large that its shorter side is `shortest`, with 0 as large as it is, and then no larger than
    that its longer side is `longest`.
    """

    def __init__(self, shortest: int, longest: int, mean: list[float], std: list[float], multiple: int) -> None:
        super().__init__(shortest, longest, mean, std, size_divisible=multiple)
        self.shortest, self.longest = shortest, longest

    def scale(self, height: int, width: int) -> float:
        """What an image of this size is scaled by."""
        wanted = self.shortest / min(height, width) if self.shortest else 1.0
        return min(wanted, self.longest / max(height, width))

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        height, width = image.shape[-2:]
        scale = self.scale(height, width)
        if scale == 1:
            return image, target
        size = max(1, round(height * scale)), max(1, round(width * scale))
        image = interpolate(image[None], size, mode="bilinear", align_corners=False, antialias=scale < 1)[0]
        if target is not None:
            target["boxes"] = resize_boxes(target["boxes"], (height, width), size)
            masks = interpolate(target["masks"][:, None].float(), size, mode="bilinear", align_corners=False)[:, 0]
            target["masks"] = masks >= 0.5
        return image, target

    def postprocess(
        self,
        result: list[dict[str, Tensor]],
        image_shapes: list[tuple[int, int]],
        original_image_sizes: list[tuple[int, int]],
    ) -> list[dict[str, Tensor]]:
        for detections, now, before in zip(result, image_shapes, original_image_sizes, strict=False):
            detections["boxes"] = resize_boxes(detections["boxes"], now, before)
        return result
