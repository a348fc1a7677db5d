"""From pixels to scenes or tables of degrees: what reasoners over images are built from.

    pipeline = SceneParserPipeline(detector, parser)             # or ConceptPipeline(detector, learner)
    [detected] = pipeline.perceive([("photo.png", image)])
    pipeline.scene(detected)

A detector finds the objects, a perception model says what they are. Images may be of any size: they are fitted into
the frame of the models, and results are in the image's own pixels. `reasoners.images` makes reasoners of pipelines.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import msgspec
from torch import Tensor

from ..dsl.domain import Domain
from ..errors import DataError
from ..perception.detections.detections import Detections
from ..perception.letterbox import Letterbox, Size
from ..programs.program import Program
from ..scenes.scene import Scene
from ..traces.trace import Trace

if TYPE_CHECKING:
    from ..executors.soft.executor import QuasiSymbolic
    from ..executors.soft.grounding import Grounded
    from ..models.nscl.learner import ConceptLearner
    from ..perception.familiarity import Familiarity
    from ..perception.scene_parser.parser import SceneParser

FRAME: Size = (480, 320)  # CLEVR's images; a scene parser's config names its own


class Detecting(Protocol):
    """A detector, such as `perception.detector.detector.Detector`."""

    def detect(
        self, images: Sequence[Tensor], names: Sequence[str] | None = None, *, batch_size: int = 8
    ) -> list[Detections]:
        """The objects of each image, (3, H, W) uint8."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectedImage:
    """An image with the objects that were detected in it."""

    name: str
    """The image's file name."""
    image: Tensor
    """(3, H, W) uint8, in the models' frame."""
    detections: Detections
    """In the frame's pixels."""
    letterbox: Letterbox
    """How the image lies in the frame."""
    scene: Scene | None = None
    """What a scene parser read, in the image's own pixels; None for a concept learner."""
    warnings: tuple[str, ...] = ()
    """Why results may mean nothing: the image is unlike those that the models learned from, or transparent."""


class ImagePipeline(Protocol):
    """Perceives what images show."""

    @property
    def crisp(self) -> bool:
        """Whether its images have scenes, on which programs run exactly; otherwise it is a `ConceptPipeline`."""

    @property
    def domain(self) -> Domain:
        """What the images are about."""

    def perceive(
        self, images: Sequence[tuple[str, Tensor]], detections: Sequence[Detections] | None = None
    ) -> list[DetectedImage]:
        """Detect and describe the objects of images, (name, (3, H, W) uint8).

        Args:
            detections: what is in each image, in its own pixels; None runs the detector.

        Raises:
            DataError: there is no detector, or detections are of an image of another size.
        """

    def scene(self, detected: DetectedImage) -> Scene:
        """What an image shows, as a crisp scene in the image's own pixels."""


def fitted(
    images: Sequence[tuple[str, Tensor]],
    detections: Sequence[Detections] | None,
    detector: Detecting | None,
    frame: Size,
    familiarity: Familiarity | None = None,
) -> list[DetectedImage]:
    """Images in the models' frame with their detections, and warnings of `familiarity` where there is one.

    Raises:
        DataError: there is no detector and nothing is given, or what is given does not fit the images.
    """
    boxes = [Letterbox.of((image.shape[-1], image.shape[-2]), frame) for _, image in images]
    framed = [box.image(image) for box, (_, image) in zip(boxes, images, strict=True)]
    names = [name for name, _ in images]
    features: list[Tensor] = []
    if detections is not None:
        if len(detections) != len(images):
            raise DataError(f"detections of {len(detections)} images are given for {len(images)}")
        given = [replace(d, size=box.size) if d.size is None else d for d, box in zip(detections, boxes, strict=True)]
        for name, d, box in zip(names, given, boxes, strict=True):
            if d.known_size != box.size:
                sizes = (
                    f"of {d.known_size[0]} x {d.known_size[1]} pixels, the image is of {box.size[0]} x {box.size[1]}"
                )
                raise DataError(f"{name}: the detections are {sizes} pixels")
        inward = [box.inward(d) for box, d in zip(boxes, given, strict=True)]
    elif detector is not None:
        # Familiarity reads features that the detector computes anyway, where it is the same detector.
        watched: AbstractContextManager[list[Tensor]] = nullcontext([])
        if familiarity is not None and familiarity.detector is detector and frame == FRAME:
            watched = familiarity.watching()
        with watched as features:
            inward = detector.detect(framed, names) if framed else []
    else:
        raise DataError("there is no detector, and no detections are given")
    perceived = [DetectedImage(*parts) for parts in zip(names, framed, inward, boxes, strict=True)]
    if familiarity is None:
        return perceived
    pictures = [Letterbox.of(p.letterbox.frame, FRAME).image(p.image) for p in perceived]
    reasons = familiarity.warnings(pictures, inward, features)
    return [p if why is None else replace(p, warnings=(why,)) for p, why in zip(perceived, reasons, strict=True)]


@dataclass(frozen=True)
class SceneParserPipeline:
    """A detector and a scene parser: crisp scenes."""

    detector: Detecting | None
    """None where detections are given."""
    parser: SceneParser
    familiarity: Familiarity | None = None
    """Warns of images that are unlike those that the weights learned from; None warns of none."""
    crisp: ClassVar[bool] = True

    @property
    def domain(self) -> Domain:
        """The parser's domain."""
        return self.parser.domain

    def perceive(
        self, images: Sequence[tuple[str, Tensor]], detections: Sequence[Detections] | None = None
    ) -> list[DetectedImage]:
        """See `ImagePipeline.perceive`; the images have scenes."""
        camera = self.parser.config.camera
        perceived = fitted(images, detections, self.detector, (camera.width, camera.height), self.familiarity)
        scenes = self.parser.scenes([(p.image, p.detections) for p in perceived])
        return [replace(p, scene=_outward(s, p)) for p, s in zip(perceived, scenes, strict=True)]

    def scene(self, detected: DetectedImage) -> Scene:
        """See `ImagePipeline.scene`."""
        if detected.scene is None:
            raise DataError(f"{detected.name}: no scene was read from this image")
        return detected.scene


@dataclass(frozen=True)
class ConceptPipeline:
    """A detector and a concept learner, which was taught by answers alone: tables of degrees."""

    detector: Detecting | None
    """None where detections are given."""
    learner: ConceptLearner
    familiarity: Familiarity | None = None
    """Warns of images that are unlike those that the weights learned from; None warns of none."""
    crisp: ClassVar[bool] = False

    @property
    def domain(self) -> Domain:
        """The learner's domain."""
        return self.learner.domain

    def perceive(
        self, images: Sequence[tuple[str, Tensor]], detections: Sequence[Detections] | None = None
    ) -> list[DetectedImage]:
        """See `ImagePipeline.perceive`."""
        return fitted(images, detections, self.detector, FRAME, self.familiarity)

    @property
    def executor(self) -> QuasiSymbolic:
        """By which programs are executed on `ground`, as in training."""
        return self.learner.executor

    def ground(self, images: Sequence[DetectedImage]) -> Grounded:
        """The degrees of all concepts and relations in perceived images."""
        return self.learner.ground_images([(i.image, i.detections) for i in images])

    def trace(self, program: Program, detected: DetectedImage, question: str | None = None) -> Trace:
        """How a program is answered on an image, with places in the image's own pixels."""
        trace = self.learner.trace_image(program, (detected.image, detected.detections), question)
        return replace(trace, scene=_outward(trace.drawn, detected))

    def scene(self, detected: DetectedImage) -> Scene:
        """See `ImagePipeline.scene`: each object with its likeliest values."""
        from ..models.nscl.learner import likeliest_scene

        return _outward(likeliest_scene(self.ground([detected]), detected.detections), detected)


def _outward(scene: Scene, detected: DetectedImage) -> Scene:
    """A scene with its pixels those of the image."""
    box = detected.letterbox
    scene.image = detected.name or scene.image
    if box.same:
        return scene
    outward = box.outward(detected.detections)
    places = []
    for i, place in enumerate(scene.places):
        changes: dict[str, Any] = {}
        if place.pixel_coords is not None:
            changes["pixel_coords"] = (*box.point(*place.pixel_coords[:2]), *place.pixel_coords[2:])
        if place.bbox is not None:
            left, top, right, bottom = map(float, outward.boxes[i])
            changes["bbox"] = (left, top, right, bottom)
        if place.mask is not None and outward.masks is not None:
            changes["mask"] = dict(outward.masks[i])
        places.append(msgspec.structs.replace(place, **changes))
    scene.places = places
    return scene
