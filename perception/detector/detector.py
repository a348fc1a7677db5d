"""The detector: Mask R-CNN of torchvision, which finds objects in images with a box, a mask and a score each.

    detector = Detector(DetectorConfig())                      # to be trained: nsreason train detector
    detector = load_model("runs/detector-small/best.safetensors")     # nsreason.training.checkpoint
    detections = detector.detect([read_image("photo.png")], ["photo.png"])

Two presets: `small` is made for scenes such as CLEVR's and trained from nothing on two cores; `resnet50-fpn-v2` is
torchvision's, for those with a GPU, and takes torchvision's weights from a local file. Nothing is ever downloaded.

B images of H x W pixels, N objects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...training.model import LossOut
from ..detections.detections import Detections
from ..detections.rle import Rle, encode_masks
from ..pretrained import read_weights
from .batch import (
    DetectionBatch,
    DetectionExample,
    boxes_of,
    make_batch,
    mask_iou,
    match_masks,
    target_of,
    vary,
)
from .config import DetectorConfig
from .data import DetectionData
from .mask_heads import pasted, widened
from .networks import build, put_weights


class Detector(nn.Module):
    """Mask R-CNN.

    Attributes:
        categories: the names of its classes; label i is categories[i - 1].
        left_out: layers that `config.weights` had for other classes and that begin from nothing.
    """

    Config = DetectorConfig
    Data = DetectionData

    def __init__(self, config: DetectorConfig | None = None) -> None:
        """
        Raises:
            DomainError: there is no such domain.
            CheckpointError: `weights` cannot be read, or are of another network.
            ValueError: the domain has no such attribute.
        """
        super().__init__()
        self.config = config = config or DetectorConfig()
        self.categories = config.categories()
        self.network = build(config, len(self.categories))
        self.left_out: list[str] = []
        if config.weights:
            self.left_out = put_weights(self.network, read_weights(config.weights), config.weights)
            self.config = replace(config, weights="")  # a checkpoint of it does not need that file

    @property
    def device(self) -> torch.device:
        """The device that it computes on."""
        return next(self.parameters()).device

    # --- training -------------------------------------------------------------------------------------------

    def collate(self, examples: Sequence[DetectionExample]) -> DetectionBatch:
        """Build a batch on the CPU; images are read here.

        Raises:
            DataError: there is no example, or an image cannot be read.
        """
        return make_batch(examples)

    def loss(self, batch: DetectionBatch) -> LossOut:
        """Compute the loss: in training, the sum of Mask R-CNN's five losses on images that are varied at random.

        In evaluation mode nothing is varied; the loss is then 1 - `quality`, of the batch. Metrics are, over all
        images: `quality` (panoptic quality: the IoU of matched masks, summed, over the mean number of objects found
        and annotated), `recall` (annotated objects of which a mask has an IoU of .5), `precision` (such masks among
        those reported), `mask_iou` (of matched ones), `all_found` (images in which all objects and nothing else is
        found), and with classes `labels` (right ones among the matched).
        """
        images = [image.float() / 255 for image in batch.images]
        if not self.training:
            return self._measure(batch, images)
        targets = []
        for i, (masks, labels) in enumerate(zip(batch.masks, batch.labels, strict=True)):
            images[i], masks = vary(images[i], masks, self.config.augmentation)
            targets.append(target_of(masks, labels))
        losses = self.network(images, targets)
        return LossOut(sum(losses.values()), len(batch), {k: v.detach() * len(batch) for k, v in losses.items()})

    def _measure(self, batch: DetectionBatch, images: list[Tensor]) -> LossOut:
        sums = dict.fromkeys(("iou", "matched", "detections", "truth", "whole", "right"), 0.0)
        for (masks, _, labels), truth, wanted in zip(self._find(images), batch.masks, batch.labels, strict=True):
            iou, which = match_masks(masks, truth)
            hit = which >= 0
            matched = int(hit.sum())
            sums["iou"] += float(iou.sum())
            sums["matched"] += matched
            sums["detections"] += len(masks)
            sums["truth"] += len(truth)
            sums["whole"] += matched == len(truth) == len(masks)
            sums["right"] += int((labels[which[hit]] == wanted[hit]).sum())
        mean = (sums["detections"] + sums["truth"]) / 2
        metrics: dict[str, Any] = {
            "quality": (sums["iou"], mean),
            "recall": (sums["matched"], sums["truth"]),
            "precision": (sums["matched"], sums["detections"]),
            "mask_iou": (sums["iou"], sums["matched"]),
            "all_found": (sums["whole"], len(batch)),
        }
        if len(self.categories) > 1:
            metrics["labels"] = (sums["right"], sums["matched"])
        quality = sums["iou"] / mean if mean else 1.0
        return LossOut(torch.tensor(1 - quality, device=self.device), len(batch), metrics)

    # --- detection ------------------------------------------------------------------------------------------

    def predict(self, batch: DetectionBatch) -> list[Detections]:
        """Detect the objects in each image of a batch."""
        return self.detect(batch.images, batch.names, batch_size=max(1, len(batch)))

    @torch.inference_mode()
    def detect(
        self,
        images: Sequence[Tensor],
        names: Sequence[str] | None = None,
        *,
        batch_size: int = 8,
        score: float | None = None,
    ) -> list[Detections]:
        """Find the objects of images, in each the best first.

        Args:
            images: (3, H, W) uint8 each, of any sizes.
            names: file names, for `Detections.image`; else `image 0` and so on.
            score: the least, instead of the config's.

        Raises:
            ValueError: an image is of another shape or type.
        """
        for i, image in enumerate(images):
            if image.dim() != 3 or image.shape[0] != 3 or image.dtype != torch.uint8 or not image.numel():
                raise ValueError(f"image {i}: (3, H, W) of uint8, got {list(image.shape)} of {image.dtype}")
        names = [f"image {i}" for i in range(len(images))] if names is None else names
        detections: list[Detections] = []
        with _evaluating(self):
            for at in range(0, len(images), batch_size):
                part = [image.to(self.device).float() / 255 for image in images[at : at + batch_size]]
                for image, one in zip(part, self._find(part, score), strict=True):
                    detections.append(_as_detections(one, names[len(detections)], (image.shape[2], image.shape[1])))
        return detections

    def _find(self, images: list[Tensor], score: float | None = None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """For each image masks (N, H, W) bool, scores (N,) and labels (N,), the best first."""
        config = self.config
        least = config.score if score is None else score
        for image, one in zip(images, self.network(images), strict=True):
            keep = one["scores"] >= least
            scores, labels, soft = one["scores"][keep], one["labels"][keep], one["masks"][keep]
            where = widened(one["boxes"][keep], self.network.roi_heads.margin)
            size = (image.shape[1], image.shape[2])
            parts = list(pasted(soft, where, size, config.threshold))
            masks = torch.cat(parts) if parts else torch.zeros((0, *size), dtype=torch.bool, device=image.device)
            kept = distinct(masks, config.overlap, config.covered)
            yield masks[kept], scores[kept], labels[kept]


def distinct(masks: Tensor, overlap: float, covered: float = 1.0) -> Tensor:
    """Select masks (N, H, W), the best first, by their numbers.

    An empty mask is left out, and one that overlaps a better one or that better ones together cover.
    """
    iou = mask_iou(masks, masks).cpu()
    areas = masks.flatten(1).sum(1).tolist()
    taken = torch.zeros_like(masks[0]) if len(masks) else masks
    kept: list[int] = []
    for i, area in enumerate(areas):
        if not area or any(iou[i, j] > overlap for j in kept) or int((masks[i] & taken).sum()) > covered * area:
            continue
        kept.append(i)
        taken = taken | masks[i]
    return torch.tensor(kept, dtype=torch.int64, device=masks.device)


def _as_detections(outputs: tuple[Tensor, Tensor, Tensor], name: str, size: tuple[int, int]) -> Detections:
    masks, scores, labels = outputs
    rles: list[Rle] = list(encode_masks(masks.cpu().numpy())) if len(masks) else []
    boxes = boxes_of(masks).cpu().numpy() if len(masks) else np.zeros((0, 4), np.float32)
    return Detections(name, size, boxes, scores.float().cpu().numpy(), labels.cpu().numpy().astype(np.int64), rles)


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """In evaluation mode for a while."""
    before = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(before)
