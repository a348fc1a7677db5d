"""From pixels to answers: a detector finds the objects, a perception model says what they are, an executor answers.

    reasoner = SceneParserPipeline(detector, parser)             # or ConceptReasoner(detector, learner)
    views = reasoner.perceive([("photo.png", image)])
    reasoner.answer([program], views, [0])                       # the answer, or the error that says why none
    reasoner.trace(program, views[0], "How many cubes are there?")

Images may be of any size: they are fitted into the frame that the models have learned on, and what is seen is told in
the image's own pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import msgspec
from torch import Tensor

from ..dsl.domain import Domain
from ..errors import DataError, NsreasonError
from ..perception.detections.detections import Detections
from ..perception.letterbox import Letterbox, Size
from ..programs.program import Program
from ..scenes.scene import Scene
from ..traces.trace import Trace

if TYPE_CHECKING:
    from ..executors import Answer
    from ..models.nscl.learner import ConceptLearner
    from ..perception.familiarity import Familiarity
    from ..perception.scene_parser.parser import SceneParser

FRAME: Size = (480, 320)  # CLEVR's images; a scene parser's config names its own


class Detecting(Protocol):
    """What is asked of a detector; `perception.detector.Detector` is one."""

    def detect(
        self, images: Sequence[Tensor], names: Sequence[str] | None = None, *, batch_size: int = 8
    ) -> list[Detections]:
        """The objects of each image, (3, H, W) uint8."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectedImage:
    """An image that was looked at.

    Attributes:
        name: the image's file name.
        image: (3, H, W) uint8, in the models' frame; found: what was detected there.
        fit: how the image lies in the frame.
        scene: what a scene parser has read, in the image's own pixels; None for a concept learner, which grounds views
            when it answers.
        warnings: why what is seen may mean nothing: the image is unlike those that were learned from, or transparent.
    """

    name: str
    image: Tensor
    found: Detections
    fit: Letterbox
    scene: Scene | None = None
    warnings: tuple[str, ...] = ()


class ImagePipeline(Protocol):
    """Answers programs on images."""

    @property
    def crisp(self) -> bool:
        """Whether its views have scenes, on which programs run exactly."""

    @property
    def domain(self) -> Domain:
        """What the images are about."""

    def perceive(
        self, images: Sequence[tuple[str, Tensor]], found: Sequence[Detections] | None = None
    ) -> list[DetectedImage]:
        """Look at images, (name, (3, H, W) uint8).

        Args:
            found: what is in each image, in its own pixels; None asks the detector.

        Raises:
            DataError: there is no detector, or detections are of an image of another size.
        """

    def answer(
        self, programs: Sequence[Program], views: Sequence[DetectedImage], which: Sequence[int]
    ) -> list[Answer | NsreasonError]:
        """The answers of programs, program q on view `which[q]`; where there is none, the error that says why."""

    def trace(self, program: Program, view: DetectedImage, question: str | None = None) -> Trace:
        """How a program is answered on a view."""

    def scene(self, view: DetectedImage) -> Scene:
        """What is seen, as a crisp scene in the image's own pixels."""


def fitted(
    images: Sequence[tuple[str, Tensor]],
    found: Sequence[Detections] | None,
    detector: Detecting | None,
    frame: Size,
    familiarity: Familiarity | None = None,
) -> list[DetectedImage]:
    """Images in the models' frame, with what is in them; with `familiarity` also whether they are like what was learned
    from.

    Raises:
        DataError: there is no detector and nothing is given, or what is given does not fit the images.
    """
    fits = [Letterbox.of((image.shape[-1], image.shape[-2]), frame) for _, image in images]
    inside = [fit.image(image) for fit, (_, image) in zip(fits, images, strict=True)]
    names = [name for name, _ in images]
    features: list[Tensor] = []
    if found is not None:
        if len(found) != len(images):
            raise DataError(f"detections of {len(found)} images are given for {len(images)}")
        found = [replace(d, size=fit.size) if d.size is None else d for d, fit in zip(found, fits, strict=True)]
        for name, d, fit in zip(names, found, fits, strict=True):
            if d.known_size != fit.size:
                told = f"the image is of {fit.size[0]} x {fit.size[1]} pixels"
                raise DataError(f"{name}: the detections are of {d.known_size[0]} x {d.known_size[1]} pixels, {told}")
        held = [fit.inward(d) for fit, d in zip(fits, found, strict=True)]
    elif detector is not None:
        # The features that tell of unlike images are those that the detector computes, where it is the same.
        watched: AbstractContextManager[list[Tensor]] = nullcontext([])
        if familiarity is not None and familiarity.detector is detector and frame == FRAME:
            watched = familiarity.watching()
        with watched as features:
            held = detector.detect(inside, names) if inside else []
    else:
        raise DataError("there is no detector, and no detections are given")
    views = [DetectedImage(*parts) for parts in zip(names, inside, held, fits, strict=True)]
    if familiarity is None:
        return views
    reasons = familiarity.warnings([Letterbox.of(v.fit.frame, FRAME).image(v.image) for v in views], held, features)
    return [v if why is None else replace(v, warnings=(why,)) for v, why in zip(views, reasons, strict=True)]


@dataclass(frozen=True)
class SceneParserPipeline:
    """Exact execution on the scenes that a scene parser reads.

    familiarity: tells of images that are unlike what was learned from; None tells of none.
    """

    detector: Detecting | None
    parser: SceneParser
    familiarity: Familiarity | None = None
    crisp: ClassVar[bool] = True

    @property
    def domain(self) -> Domain:
        """The parser's domain."""
        return self.parser.domain

    def perceive(
        self, images: Sequence[tuple[str, Tensor]], found: Sequence[Detections] | None = None
    ) -> list[DetectedImage]:
        """See `ImagePipeline.perceive`; the views have scenes."""
        camera = self.parser.config.camera
        views = fitted(images, found, self.detector, (camera.width, camera.height), self.familiarity)
        scenes = self.parser.scenes([(v.image, v.found) for v in views])
        return [replace(v, scene=_outward(s, v)) for v, s in zip(views, scenes, strict=True)]

    def answer(
        self, programs: Sequence[Program], views: Sequence[DetectedImage], which: Sequence[int]
    ) -> list[Answer | NsreasonError]:
        """See `ImagePipeline.answer`."""
        from ..executors import execute_batch

        return list(execute_batch(programs, [self.scene(v) for v in views], which))

    def trace(self, program: Program, view: DetectedImage, question: str | None = None) -> Trace:
        """See `ImagePipeline.trace`."""
        from ..executors import trace

        return trace(program, self.scene(view), question)

    def scene(self, view: DetectedImage) -> Scene:
        """See `ImagePipeline.scene`."""
        if view.scene is None:
            raise DataError(f"{view.name}: no scene was read from this image")
        return view.scene


@dataclass(frozen=True)
class ConceptPipeline:
    """Quasi-symbolic execution on what a concept learner, taught by answers alone, sees in regions.

    familiarity: tells of images that are unlike what was learned from; None tells of none.
    """

    detector: Detecting | None
    learner: ConceptLearner
    familiarity: Familiarity | None = None
    crisp: ClassVar[bool] = False

    @property
    def domain(self) -> Domain:
        """The learner's domain."""
        return self.learner.domain

    def perceive(
        self, images: Sequence[tuple[str, Tensor]], found: Sequence[Detections] | None = None
    ) -> list[DetectedImage]:
        """See `ImagePipeline.perceive`."""
        return fitted(images, found, self.detector, FRAME, self.familiarity)

    def answer(
        self, programs: Sequence[Program], views: Sequence[DetectedImage], which: Sequence[int]
    ) -> list[Answer | NsreasonError]:
        """See `ImagePipeline.answer`; only where nothing was detected may there be none."""
        from ..executors.soft.algebras import algebra
        from ..executors.soft.executor import QuasiSymbolic

        if not programs:
            return []
        used = sorted(set(which))
        place = {view: i for i, view in enumerate(used)}
        grounded = self.learner.ground_images([(views[i].image, views[i].found) for i in used])
        executor = QuasiSymbolic(algebra(self.learner.config.algebra)).evaluation()
        return list(executor(programs, grounded, [place[i] for i in which]).decode())

    def trace(self, program: Program, view: DetectedImage, question: str | None = None) -> Trace:
        """See `ImagePipeline.trace`; places are told in the image's own pixels."""
        found = self.learner.trace_image(program, (view.image, view.found), question)
        return replace(found, scene=_outward(found.scene, view))

    def scene(self, view: DetectedImage) -> Scene:
        """See `ImagePipeline.scene`: each object with its likeliest values."""
        from ..models.nscl.learner import likeliest_scene

        return _outward(likeliest_scene(self.learner.ground_images([(view.image, view.found)]), view.found), view)


def _outward(scene: Scene, view: DetectedImage) -> Scene:
    """A scene with its pixels those of the image."""
    fit = view.fit
    scene.image = view.name or scene.image
    if fit.same:
        return scene
    found = fit.outward(view.found)
    places = []
    for i, place in enumerate(scene.places):
        changes: dict[str, Any] = {}
        if place.pixel_coords is not None:
            changes["pixel_coords"] = (*fit.point(*place.pixel_coords[:2]), *place.pixel_coords[2:])
        if place.bbox is not None:
            left, top, right, bottom = map(float, found.boxes[i])
            changes["bbox"] = (left, top, right, bottom)
        if place.mask is not None and found.masks is not None:
            changes["mask"] = dict(found.masks[i])
        places.append(msgspec.structs.replace(place, **changes))
    scene.places = places
    return scene
