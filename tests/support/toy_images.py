"""Pictures of discs and squares on grey, with their masks: enough for a detector to learn from in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from nsreason.io.image_tensors import write_png
from nsreason.perception.detections.coco import write_detections
from nsreason.perception.detections.detections import Detections
from nsreason.perception.detections.rle import encode_masks, mask_boxes
from nsreason.perception.detector.batch import Augmentation, DetectionExample, ImageCache
from nsreason.perception.detector.config import DetectorConfig, SmallConfig

SHAPES = ("cube", "sphere")
SMALL = SmallConfig(
    channels=(16, 16, 24, 32),
    blocks=(1, 1, 1),
    pyramid=16,
    anchors=((12, 18, 26), (30, 38, 48)),
    ratios=(1.0,),
    proposals=(48, 32),
    hidden=48,
    cells=7,
    mask_layers=1,
)
CALM = Augmentation(crops=0, light=0.1, colour=0, noise=0)
TINY = DetectorConfig(small=SMALL, augmentation=CALM)


def draw(seed: int, width: int = 128, height: int = 96, most: int = 4) -> tuple[torch.Tensor, Detections]:
    """A picture (3, H, W) uint8 and what is in it; labels are 1 for squares and 2 for discs."""
    random = np.random.default_rng(seed)
    pixels = random.integers(110, 118, (height, width, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:height, :width]
    masks: list[np.ndarray] = []
    labels = []
    for _ in range(int(random.integers(1, most + 1))):
        radius = int(random.integers(7, 16))
        x, y = random.integers(radius, width - radius), random.integers(radius, height - radius)
        disc = bool(random.integers(2))
        across, down = np.abs(columns - x), np.abs(rows - y)
        mask = across**2 + down**2 <= radius**2 if disc else (across <= radius) & (down <= radius)
        near = any((np.abs(columns[m].mean() - x) + np.abs(rows[m].mean() - y)) < 34 for m in masks)
        if near:
            continue
        pixels[mask] = random.choice(np.array([[200, 40, 40], [40, 60, 200], [230, 220, 60]], dtype=np.uint8))
        masks.append(mask)
        labels.append(2 if disc else 1)
    rles = encode_masks(np.stack(masks))
    n = len(masks)
    detections = Detections(
        f"{seed:04d}.png", (width, height), mask_boxes(rles), np.ones(n, np.float32), np.array(labels, np.int64), rles
    )
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), detections


def examples(folder: Path, number: int, first: int = 0) -> list[DetectionExample]:
    """Pictures in a folder, of one class."""
    cache = ImageCache(1 << 30)
    data = []
    for seed in range(first, first + number):
        image, truth = draw(seed)
        write_png(folder / truth.image, image)
        one = Detections(truth.image, truth.size, truth.boxes, truth.scores, np.ones_like(truth.labels), truth.masks)
        data.append(DetectionExample(folder / truth.image, one, cache))
    return data


def write_folder(folder: Path, number: int, first: int = 0) -> list[Detections]:
    """A folder as `nsreason train detector --data` takes it."""
    (folder / "images").mkdir(parents=True)
    detections = []
    for seed in range(first, first + number):
        image, truth = draw(seed)
        write_png(folder / "images" / truth.image, image)
        detections.append(truth)
    write_detections(folder / "instances.json", detections, dict(enumerate(SHAPES, start=1)))
    return detections
