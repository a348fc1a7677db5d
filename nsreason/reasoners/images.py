"""Reasoners over images: scenes that are read in them, or concepts that are grounded in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ..dsl.domain import Domain, load_domain
from ..errors import DataError, NsreasonError
from ..queries.query import Query, Reply
from .annotated_scenes import _lacks
from .executing import Executing, program_of
from .reasoner import FitRequest, Kind, Reasoner

if TYPE_CHECKING:
    from ..programs.program import Program
    from ..scenes.scene import Scene
    from ..traces.trace import Trace
    from .image_pipeline import ConceptPipeline, DetectedImage, ImagePipeline, SceneParserPipeline


_BATCH = 16  # images that are looked at together


_KEPT = 64  # images that are kept, of 460 KB each


Key = tuple[int, int]


def _by_picture(queries: Sequence[Query]) -> dict[Key, list[int]]:
    """The places of the queries about each picture, and the detections given with it; those without are left out."""
    found: dict[Key, list[int]] = {}
    for i, query in enumerate(queries):
        if "image" in query.inputs:
            found.setdefault(_key(query), []).append(i)
    return found


def _key(query: Query) -> Key:
    return id(query.inputs["image"]), id(query.inputs.get("detections"))


def looked(reasoner: ImagePipeline, queries: Sequence[Query]) -> list[DetectedImage | NsreasonError]:
    """What is seen of the picture of each query; where detections stand beside it, they are taken."""
    found: dict[int, DetectedImage | NsreasonError] = {}
    for given in (False, True):
        mine = [i for i, q in enumerate(queries) if ("detections" in q.inputs) is given]
        views = _together(reasoner, [queries[i] for i in mine], given)
        found.update(zip(mine, views, strict=True))
    return [found[i] for i in range(len(queries))]


def _together(reasoner: ImagePipeline, queries: Sequence[Query], given: bool) -> list[DetectedImage | NsreasonError]:
    if not queries:
        return []
    try:
        images = [(q.inputs["image"].name, q.inputs["image"].tensor()) for q in queries]
        return list(reasoner.perceive(images, [q.inputs["detections"] for q in queries] if given else None))
    except NsreasonError as error:
        if len(queries) == 1:
            return [error]
    return [view for q in queries for view in _together(reasoner, [q], given)]


@dataclass(frozen=True)
class ParsedScenes:
    """The scenes that an image reasoner reads: what it sees, decided. Each picture is looked at once."""

    reasoner: SceneParserPipeline
    parameters: int = 0
    _held: dict[Key, tuple[Any, Any, Scene | NsreasonError]] = field(default_factory=dict, repr=False)

    def scenes(self, queries: Sequence[Query]) -> list[Scene | NsreasonError]:
        """See `SceneBuilder.scenes`."""
        new = [queries[at[0]] for key, at in _by_picture(queries).items() if key not in self._held]
        for first in range(0, len(new), _BATCH):
            part = new[first : first + _BATCH]
            for query, view in zip(part, looked(self.reasoner, part), strict=True):
                scene = view if isinstance(view, NsreasonError) else self.reasoner.scene(view)
                # What the key is of is kept, so that ids stay their own; the image itself is let go.
                self._held[_key(query)] = query.inputs["image"], query.inputs.get("detections"), scene
        none = "there is no image"
        return [self._held[_key(q)][2] if "image" in q.inputs else _lacks(q, "image", none) for q in queries]


@dataclass(frozen=True)
class SoftImageReasoner:
    """Programs, parsed from texts, executed by degrees on what a concept learner sees in images.

    What was seen of the last pictures is kept, so that questions about one may come one by one.
    """

    reasoner: ConceptPipeline
    domain: Domain
    parameters: int = 0
    _held: dict[Key, tuple[Any, Any, DetectedImage | NsreasonError]] = field(default_factory=dict, repr=False)

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        """See `Reasoner.answer`; scores are those of `soft_scores`."""
        replies: dict[int, Reply] = {}
        programs: dict[int, Program] = {}
        for i, query in enumerate(queries):
            try:
                if "image" not in query.inputs:
                    raise _lacks(query, "image", "there is no image")
                programs[i] = program_of(query, "parsed", self.domain)
            except NsreasonError as error:
                replies[i] = Reply(None, error=error)
        pictures = [[i for i in at if i in programs] for at in _by_picture(queries).values()]
        pictures = [at for at in pictures if at]
        for first in range(0, len(pictures), _BATCH):
            part = pictures[first : first + _BATCH]
            views = self._views([queries[at[0]] for at in part])
            for at, view in zip(part, views, strict=True):
                if isinstance(view, NsreasonError):
                    replies.update({i: Reply(None, error=view) for i in at})
            good = [(at, view) for at, view in zip(part, views, strict=True) if not isinstance(view, NsreasonError)]
            replies.update(self._replies(good, programs))
        return [replies[i] for i in range(len(queries))]

    def _views(self, queries: Sequence[Query]) -> list[DetectedImage | NsreasonError]:
        """Of each picture; at most one batch of them at a time."""
        new = [q for q in queries if _key(q) not in self._held]
        views = looked(self.reasoner, new)
        found = {_key(q): (q.inputs["image"], q.inputs.get("detections"), v) for q, v in zip(new, views, strict=True)}
        for query in queries:  # the latest stand last
            found[_key(query)] = found.get(_key(query)) or self._held.pop(_key(query))
        self._held.update(found)
        for key in list(self._held)[:-_KEPT]:
            del self._held[key]
        return [found[_key(q)][2] for q in queries]

    def _replies(
        self, seen: Sequence[tuple[Sequence[int], DetectedImage]], programs: dict[int, Program]
    ) -> dict[int, Reply]:
        from .soft_scores import soft_replies

        if not seen:
            return {}
        learner = self.reasoner.learner
        asked = [i for at, _ in seen for i in at]
        which = [k for k, (at, _) in enumerate(seen) for _ in at]
        grounded = learner.ground_images([(view.image, view.found) for _, view in seen])
        found = soft_replies(learner.executor, [programs[i] for i in asked], grounded, which)
        return dict(zip(asked, found, strict=True))

    def trace(self, query: Query) -> Trace | None:
        """See `Reasoner.trace`."""
        if "image" not in query.inputs:
            raise _lacks(query, "image", "there is no image")
        program = program_of(query, "parsed", self.domain)
        [view] = self._views([query])
        if isinstance(view, NsreasonError):
            raise view
        return self.reasoner.trace(program, view, query.text)


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
        builder = ParsedScenes(SceneParserPipeline(detector, parser), _parameters(detector, parser))
        return Executing(builder, "parsed", domain)


class ImageConcepts:
    """Execution by degrees on what the bundled detector and concept learner see in images."""

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
        domain = _bundled_domain(name, request, learner.domain)
        return SoftImageReasoner(ConceptPipeline(detector, learner), domain, _parameters(detector, learner))


def _bundled_domain(name: str, request: FitRequest, known: Domain) -> Domain:
    asked = load_domain(request.domain)
    if asked != known:
        raise DataError(f"{name}: its bundled weights know the domain '{known.name}', the task is of '{asked.name}'")
    return known


def _parameters(*models: Any) -> int:
    return sum(p.numel() for model in models for p in model.parameters())
