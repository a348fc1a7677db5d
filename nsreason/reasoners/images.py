"""Reasoners over images: exact execution on scenes that are read in them, or execution by degrees.

reasoner = image_reasoner(PerceivedImages(pipeline), "parsed")
reasoner.answer([Query(0, "How many cubes are there?", None, "count", {"image": QueryImage("photo.png")})])
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ..dsl.domain import Domain, load_domain
from ..errors import DataError, NsreasonError
from ..queries.keys import BoundedCache
from ..queries.query import Query, Reply
from .executing import Executing, program_of
from .perceived_images import PerceivedImages, each_once, image_key
from .reasoner import FitRequest, Kind, Reasoner

if TYPE_CHECKING:
    from ..language.parsers import QuestionParser
    from ..programs.program import Program
    from ..scenes.scene import Scene
    from ..traces.trace import Trace
    from .image_pipeline import ConceptPipeline, DetectedImage

_SCENES = 4096  # that are kept; what they were read from is not


def image_reasoner(
    images: PerceivedImages, programs: str | QuestionParser = "parsed", *, lenient: bool = True
) -> Executing | SoftImageReasoner:
    """The reasoner of the pipeline of images, exact or by degrees.

    Args:
        programs: as `Executing.programs`.
        lenient: as `Executing.lenient`; by degrees there is nearly always an answer.
    """
    if images.pipeline.crisp:
        return Executing(ParsedScenes(images), programs, images.pipeline.domain, lenient)
    return SoftImageReasoner(images, programs)


@dataclass(frozen=True)
class ParsedScenes:
    """The scenes that a pipeline reads in images, each image once; see `SceneBuilder`."""

    images: PerceivedImages
    parameters: int = 0
    """How many numbers the pipeline's models have learned."""
    _kept: BoundedCache[Scene | NsreasonError] = field(default_factory=lambda: BoundedCache(_SCENES), repr=False)

    def scenes(self, queries: Sequence[Query]) -> list[Scene | NsreasonError]:
        """See `SceneBuilder.scenes`."""
        return each_once(queries, self._kept, self._new, keep_errors=False)

    def _new(self, new: Mapping[Hashable, Query]) -> Iterator[tuple[Hashable, Scene | NsreasonError]]:
        waiting = list(new.items())
        for at in range(0, len(waiting), self.images.batch_size):  # so that no more images are in memory at once
            part = waiting[at : at + self.images.batch_size]
            for (key, _), image in zip(part, self.images.of([query for _, query in part]), strict=True):
                yield key, image if isinstance(image, NsreasonError) else self.images.pipeline.scene(image)


@dataclass(frozen=True)
class SoftImageReasoner:
    """Programs executed by degrees on what a concept learner perceives in images."""

    images: PerceivedImages
    programs: str | QuestionParser = "parsed"
    """As `Executing.programs`."""
    parameters: int = 0
    """How many numbers the pipeline's models have learned."""

    @property
    def pipeline(self) -> ConceptPipeline:
        """The pipeline of the images."""
        return cast("ConceptPipeline", self.images.pipeline)

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        """See `Reasoner.answer`; scores are those of `soft_scores`."""
        errors: dict[int, NsreasonError] = {}
        programs: dict[int, Program] = {}
        by_image: dict[Hashable, list[int]] = {}
        for i, query in enumerate(queries):
            try:
                key = image_key(query)
                programs[i] = program_of(query, self.programs, self.pipeline.domain)
            except NsreasonError as error:
                errors[i] = error
                continue
            by_image.setdefault(key, []).append(i)
        replies = {i: Reply(None, error=error) for i, error in errors.items()}
        groups = list(by_image.values())
        for first in range(0, len(groups), self.images.batch_size):
            part = groups[first : first + self.images.batch_size]
            images = self.images.of([queries[places[0]] for places in part])
            good: list[tuple[list[int], DetectedImage]] = []
            for places, image in zip(part, images, strict=True):
                if isinstance(image, NsreasonError):
                    replies |= {i: Reply(None, error=image) for i in places}
                else:
                    good.append((places, image))
            replies |= self._replies(good, programs)
        return [replies[i] for i in range(len(queries))]

    def _replies(
        self, groups: Sequence[tuple[Sequence[int], DetectedImage]], programs: dict[int, Program]
    ) -> dict[int, Reply]:
        """The replies to the queries about each image, by their places."""
        from .soft_scores import soft_replies

        if not groups:
            return {}
        asked = [i for places, _ in groups for i in places]
        which = [k for k, (places, _) in enumerate(groups) for _ in places]
        grounded = self.pipeline.ground([image for _, image in groups])
        replies = soft_replies(self.pipeline.executor, [programs[i] for i in asked], grounded, which)
        if self.programs != "given":
            replies = [replace(reply, program=programs[i]) for i, reply in zip(asked, replies, strict=True)]
        return dict(zip(asked, replies, strict=True))

    def trace(self, query: Query) -> Trace | None:
        """See `Reasoner.trace`."""
        program = program_of(query, self.programs, self.pipeline.domain)
        [image] = self.images.of([query])
        if isinstance(image, NsreasonError):
            raise image
        return self.pipeline.trace(program, image, query.text)


class ImageScenes:
    """Exact execution on the scenes that the bundled detector and scene parser read in images."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Kind] = "symbolic"

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        """See `reasoner.ReasonerFactory`.

        Raises:
            DataError: the images are of another domain than the bundled weights.
        """
        from ..perception.bundled import bundled
        from ..training.checkpoint import load_model
        from .image_pipeline import SceneParserPipeline

        detector = load_model(bundled("detector"))
        parser = load_model(request.checkpoint or bundled("scene-parser"), "scene-parser")
        domain = _bundled_domain(name, request, parser.domain)
        images = PerceivedImages(SceneParserPipeline(detector, parser))
        return Executing(ParsedScenes(images, _parameters(detector, parser)), "parsed", domain)


class ImageConcepts:
    """Execution by degrees on what the bundled detector and concept learner perceive in images."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Kind] = "soft"

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        """See `reasoner.ReasonerFactory`.

        Raises:
            DataError: the images are of another domain than the bundled weights.
        """
        from ..perception.bundled import bundled
        from ..training.checkpoint import load_model
        from .image_pipeline import ConceptPipeline

        detector = load_model(bundled("detector"))
        learner = load_model(request.checkpoint or bundled("concept-learner"), "concept-learner")
        _bundled_domain(name, request, learner.domain)
        images = PerceivedImages(ConceptPipeline(detector, learner))
        return SoftImageReasoner(images, parameters=_parameters(detector, learner))


def _bundled_domain(name: str, request: FitRequest, known: Domain) -> Domain:
    asked = load_domain(request.domain)
    if asked != known:
        raise DataError(f"{name}: its bundled weights know the domain '{known.name}', the task is of '{asked.name}'")
    return known


def _parameters(*models: Any) -> int:
    return sum(p.numel() for model in models for p in model.parameters())
