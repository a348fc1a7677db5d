"""Settings of a scene parser."""

from __future__ import annotations

from dataclasses import dataclass, field

from .patches import PatchAugmentation
from .unproject import GroundCamera


@dataclass(frozen=True)
class SceneParserConfig:
    """Settings of a scene parser. The camera's image size is the size of the images it takes."""

    domain: str = "clevr"
    """A bundled domain's name, or the path of a domain file."""
    side: int = 48
    """P, the side of a patch in pixels."""
    margin: float = 1.4
    """A patch's side as a multiple of the longer side of the box."""
    width: int = 32
    """Channels of the first layer; the next have 2, 4 and 6 times as many."""
    hidden: int = 192
    """D, features of an object."""
    heights: tuple[float, ...] = (0.35, 0.7)
    """Heights that the centres of objects can have; those of CLEVR's small and large things."""
    camera: GroundCamera = field(default_factory=GroundCamera)
    """The camera that images are taken with, before `camera_shift`."""
    camera_shift: float = 0.5
    """The most that an image's camera may be off along each axis; 0 keeps it in place."""
    margin_apart: float = 0.0
    """How far along a direction an object must lie to stand in its relation. The scenes' own `eps` (CLEVR: 0.2) would
    leave no room for error: CLEVR's objects are 0.4 apart along both directions."""
    augmentation: PatchAugmentation = field(default_factory=PatchAugmentation)
    """How patches are varied in training."""

    def __post_init__(self) -> None:
        if min(self.side, self.width, self.hidden) < 8 or self.width % 8:
            raise ValueError("side and hidden are at least 8, and width is a multiple of 8")
        if self.margin < 1 or not self.heights or self.camera_shift < 0:
            raise ValueError("margin is at least 1, camera_shift at least 0, and there is at least one height")
