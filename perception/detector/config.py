"""The settings of detectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .batch import (
    Augmentation,
)
from .small_backbone import check_channels

ANY = "object"  # the one class of a detector that tells none apart


@dataclass(frozen=True)
class SmallConfig:
    """The preset `small`.

    channels: of the stem and of the stages of strides 4, 8 and 16; 16 or more of all but the last.
    blocks: residual blocks of the stages.
    pyramid: channels of the feature pyramid and of the heads.
    anchors: sides in pixels of what is proposed from the maps of strides 8 and 16.
    ratios: height by width of it.
    proposals: at most so many regions of an image while training, and else.
    hidden: width of the box head.
    cells: what the mask head sees of a region; its masks have twice as many cells in each direction.
    mask_layers: convolutions of the mask head.
    """

    channels: tuple[int, int, int, int] = (32, 64, 96, 128)
    blocks: tuple[int, int, int] = (2, 2, 2)
    pyramid: int = 64
    anchors: tuple[tuple[int, ...], tuple[int, ...]] = ((16, 26, 40), (60, 90, 130))
    ratios: tuple[float, ...] = (0.6, 1.0, 1.6)
    proposals: tuple[int, int] = (128, 64)
    hidden: int = 256
    cells: int = 14
    mask_layers: int = 3

    def __post_init__(self) -> None:
        numbers = (*self.channels, *self.blocks, self.pyramid, *self.proposals, self.hidden, self.cells)
        if min(numbers, default=0) < 1 or self.mask_layers < 1:
            raise ValueError("small: channels, blocks and all sizes are whole numbers from 1")
        check_channels(self.channels)
        if not all(self.anchors) or min(min(a) for a in self.anchors) < 1 or not self.ratios or min(self.ratios) <= 0:
            raise ValueError(f"small.anchors, small.ratios: sizes above 0 for both maps, got {self.anchors}")
        if len(self.anchors[0]) != len(self.anchors[1]):
            raise ValueError(f"small.anchors: as many for one map as for the other, got {self.anchors}")


@dataclass(frozen=True)
class DetectorConfig:
    """Settings of a detector.

    preset: `small` or `resnet50-fpn-v2`.
    classes: `object` tells no classes apart; else an attribute of the domain, whose values are the classes.
    domain: a bundled domain's name, or the path of a domain file.
    weights: a local file of torchvision's weights to begin with, `.pth` or `.safetensors`; empty begins from nothing.
    shortest: images are scaled so that their shorter side is this long; 0 leaves them as large as they are; -1 is
        the preset's own: 0 for small, 800 for resnet50-fpn-v2.
    longest: but their longer side no longer than this; -1 is the preset's own: 480, or 1333.
    score: what `detect` reports has at least this score.
    nms: of two boxes of a class with a larger IoU one is dropped.
    overlap: and of two masks with a larger IoU, whatever their class.
    covered: a mask is dropped of which better ones, taken together, cover a larger share: it is around two objects.
        On 160 released images of CLEVR this left no detection that was of no object.
    threshold: a pixel belongs to a mask from this probability.
    most: objects of an image.
    margin: of the small preset: masks are predicted in boxes that are larger by this share, and boxes are then those
        of the masks.
    """

    preset: Literal["small", "resnet50-fpn-v2"] = "small"
    classes: str = ANY
    domain: str = "clevr"
    weights: str = ""
    shortest: int = -1
    longest: int = -1
    score: float = 0.3
    nms: float = 0.6
    overlap: float = 0.7
    covered: float = 0.8
    threshold: float = 0.5
    most: int = 50
    margin: float = 0.2
    small: SmallConfig = field(default_factory=SmallConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        for name in ("score", "nms", "overlap", "covered", "threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: a number from 0 to 1, got {getattr(self, name)}")
        if self.most < 1 or self.longest < -1 or self.longest == 0 or self.shortest < -1 or self.margin < 0:
            raise ValueError("most from 1; longest from 1 and shortest from 0, or -1; margin from 0")

    @property
    def scales(self) -> tuple[int, int]:
        """`shortest` and `longest`, those of the preset in place of -1."""
        own = (0, 480) if self.preset == "small" else (800, 1333)
        return own[0] if self.shortest < 0 else self.shortest, own[1] if self.longest < 0 else self.longest
