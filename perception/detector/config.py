"""The settings of detectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ...dsl.domain import load_domain
from ...errors import did_you_mean
from .batch import (
    Augmentation,
)
from .small_backbone import check_channels

ANY = "object"  # the class of a detector with a single class


@dataclass(frozen=True)
class SmallConfig:
    """The preset `small`."""

    channels: tuple[int, int, int, int] = (32, 64, 96, 128)
    """Channels of the stem and of the stages of strides 4, 8 and 16; 16 or more, except the last."""
    blocks: tuple[int, int, int] = (2, 2, 2)
    """Residual blocks of each stage."""
    pyramid: int = 64
    """Channels of the feature pyramid and of the heads."""
    anchors: tuple[tuple[int, ...], tuple[int, ...]] = ((16, 26, 40), (60, 90, 130))
    """Sides in pixels of the anchors on the maps of strides 8 and 16."""
    ratios: tuple[float, ...] = (0.6, 1.0, 1.6)
    """Ratios of height to width of the anchors."""
    proposals: tuple[int, int] = (128, 64)
    """The most proposals of an image, in training and in evaluation."""
    hidden: int = 256
    """Width of the box head."""
    cells: int = 14
    """Cells across and down of the region that the mask head reads; its masks have twice as many in each direction."""
    mask_layers: int = 3
    """Convolutions of the mask head."""

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
    """Settings of a detector."""

    preset: Literal["small", "resnet50-fpn-v2"] = "small"
    """`small` or `resnet50-fpn-v2`."""
    classes: str = ANY
    """`object` for a single class; else an attribute of the domain, whose values are the classes."""
    domain: str = "clevr"
    """A bundled domain's name, or the path of a domain file."""
    weights: str = ""
    """A local file of torchvision's weights to start from, `.pth` or `.safetensors`; empty starts from random weights.
"""
    shortest: int = -1
    """Images are scaled so that their shorter side has so many pixels; 0 keeps their size, -1 takes the preset's: 0
    for small, 800 for resnet50-fpn-v2."""
    longest: int = -1
    """The most pixels of the longer side after scaling; -1 takes the preset's: 480 for small, 1333 for
    resnet50-fpn-v2."""
    score: float = 0.3
    """The least score of a detection that `detect` reports."""
    nms: float = 0.6
    """Non-maximum suppression: of two boxes of a class with a larger IoU, the one of the lower score is dropped."""
    overlap: float = 0.7
    """Of two masks with a larger IoU, whatever their class, the one of the lower score is dropped."""
    covered: float = 0.8
    """A mask is dropped if masks of higher scores, taken together, cover a larger share of it: it surrounds two
    objects. On 160 released images of CLEVR this left no detection without an object."""
    threshold: float = 0.5
    """The least probability with which a pixel belongs to a mask."""
    most: int = 50
    """The most detections of an image."""
    margin: float = 0.2
    """Of the small preset: masks are predicted in boxes enlarged by this share; the final boxes are those of the
    masks."""
    small: SmallConfig = field(default_factory=SmallConfig)
    """Settings of the preset `small`."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """How training images are varied."""

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

    def categories(self) -> tuple[str, ...]:
        """Return the names of the detector's classes.

        Raises:
            DomainError: there is no such domain. ValueError: the domain has no such attribute.
        """
        if self.classes == ANY:
            return (ANY,)
        domain = load_domain(self.domain)
        if self.classes not in domain.attributes:
            raise ValueError(f"classes: no '{self.classes}'{did_you_mean(self.classes, (ANY, *domain.attributes))}")
        return tuple(domain.values(self.classes))
