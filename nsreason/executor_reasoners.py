"""Reasoners that execute programs: on annotated scenes, on scenes read from images, on what a learner sees there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .errors import DataError, NsreasonError
from .query import Query, Reply
from .reasoner import Executing, Lesson, Reasoner

if TYPE_CHECKING:
    from .image_reasoning import ImageReasoner, Looked
    from .program import Program
    from .scene import Scene
    from .trace import Trace

Kind = Literal["symbolic", "soft", "neural"]
_BATCH = 16  # images that are looked at together


class Annotated:
    """The scenes that are annotated."""

    parameters = 0

    def scenes(self, queries: Sequence[Query]) -> list[Scene | NsreasonError]:
        """See `SceneBuilder.scenes`."""
        return [q.seen["scene"] if "scene" in q.seen else _lacks(q, "scene", "no scene is annotated") for q in queries]


def _lacks(query: Query, kind: str, why: str) -> DataError:
    has = ", ".join(query.seen) or "nothing"
    return DataError(f"question {query.index}: {why}; a '{kind}' is looked for, there is {has}")


class Exact:
    """The given programs, executed on the annotated scenes: what programs and scenes are worth."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Kind] = "symbolic"
    programs: ClassVar[Literal["given", "parsed"]] = "given"

    @classmethod
    def made(cls, name: str, lesson: Lesson) -> Reasoner:
        """See `reasoner.Made`."""
        return Executing(Annotated(), cls.programs, lesson.domain)


class ExactParsed(Exact):
    """Programs parsed from the questions' texts, executed on the annotated scenes."""

    programs: ClassVar[Literal["given", "parsed"]] = "parsed"


# --- images -------------------------------------------------------------------------------------------------


class Views:
    """What an image reasoner sees of each picture, looked at once."""

    def __init__(self, reasoner: ImageReasoner) -> None:
        self.reasoner = reasoner
        self._held: dict[
            int, tuple[Any, Looked | NsreasonError]
        ] = {}  # the picture is kept, so that its id stays its own

    def of(self, queries: Sequence[Query]) -> list[Looked | NsreasonError]:
        waiting: dict[int, Query] = {}
        for query in queries:
            if "picture" in query.seen and id(query.seen["picture"]) not in self._held:
                waiting[id(query.seen["picture"])] = query
        new = list(waiting.values())
        for at in range(0, len(new), _BATCH):
            self._look(new[at : at + _BATCH])
        return [
            self._held[id(q.seen["picture"])][1] if "picture" in q.seen else _lacks(q, "picture", "there is no image")
            for q in queries
        ]

    def _look(self, queries: Sequence[Query]) -> None:
        good = []
        for query in queries:
            picture = query.seen["picture"]
            try:
                good.append((query, picture, picture.tensor()))
            except NsreasonError as error:
                self._held[id(picture)] = picture, error
        found = [query.seen["detections"] for query, _, _ in good if "detections" in query.seen]
        images = [(picture.name, image) for _, picture, image in good]
        views = self.reasoner.look(images, found if good and len(found) == len(good) else None)
        for (_, picture, _), view in zip(good, views, strict=True):
            self._held[id(picture)] = picture, view


@dataclass(frozen=True)
class ReadScenes:
    """The scenes that an image reasoner reads: what it sees, decided."""

    reasoner: ImageReasoner
    views: Views
    parameters: int = 0

    def scenes(self, queries: Sequence[Query]) -> list[Scene | NsreasonError]:
        """See `SceneBuilder.scenes`."""
        views = self.views.of(queries)
        return [view if isinstance(view, NsreasonError) else self.reasoner.scene(view) for view in views]


@dataclass(frozen=True)
class Grounding:
    """Programs executed by degrees on what an image reasoner sees."""

    reasoner: ImageReasoner
    views: Views
    programs: Executing
    parameters: int = 0

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        """See `Reasoner.answer`."""
        from .executors import spell

        replies: dict[int, Reply] = {}
        ready: list[tuple[int, Program, Looked]] = []
        for i, (query, view) in enumerate(zip(queries, self.views.of(queries), strict=True)):
            try:
                if isinstance(view, NsreasonError):
                    raise view
                ready.append((i, self.programs.program(query), view))
            except NsreasonError as error:
                replies[i] = Reply(None, error=error)
        views = list({id(view): view for _, _, view in ready}.values())
        place = {id(view): k for k, view in enumerate(views)}
        answers = self.reasoner.answer([p for _, p, _ in ready], views, [place[id(v)] for _, _, v in ready])
        for (i, _, _), answer in zip(ready, answers, strict=True):
            if isinstance(answer, NsreasonError):
                replies[i] = Reply(None, error=answer)
            else:
                told = spell(answer)
                replies[i] = Reply(told, {told: 1.0})
        return [replies[i] for i in range(len(queries))]

    def trace(self, query: Query) -> Trace | None:
        """See `Reasoner.trace`."""
        [view] = self.views.of([query])
        if isinstance(view, NsreasonError):
            raise view
        return self.reasoner.trace(self.programs.program(query), view, query.text)


class ImageScenes:
    """Exact execution on the scenes that the bundled detector and scene parser read in images."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Kind] = "symbolic"

    @classmethod
    def made(cls, name: str, lesson: Lesson) -> Reasoner:
        """See `reasoner.Made`."""
        from .checkpoint import load_model
        from .image_reasoning import SceneParserReasoner
        from .perception.bundled import bundled

        detector, parser = load_model(bundled("detector")), load_model(bundled("scene-parser"))
        reasoner = SceneParserReasoner(detector, parser)
        builder = ReadScenes(reasoner, Views(reasoner), _parameters(detector, parser))
        return Executing(builder, "parsed", lesson.domain)


class ImageConcepts:
    """Execution by degrees on what the bundled detector and concept learner see in images."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Kind] = "soft"

    @classmethod
    def made(cls, name: str, lesson: Lesson) -> Reasoner:
        """See `reasoner.Made`."""
        from .checkpoint import load_model
        from .image_reasoning import ConceptReasoner
        from .perception.bundled import bundled

        detector, learner = load_model(bundled("detector")), load_model(bundled("concept-learner"))
        reasoner = ConceptReasoner(detector, learner)
        programs = Executing(Annotated(), "parsed", lesson.domain)
        return Grounding(reasoner, Views(reasoner), programs, _parameters(detector, learner))


def _parameters(*models: Any) -> int:
    return sum(p.numel() for model in models for p in model.parameters())
