"""Reasoners that execute programs on annotated scenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from ..dsl.domain import load_domain
from ..errors import NsreasonError
from ..queries.query import Query
from .executing import Executing
from .perceived_images import lacks
from .reasoner import FitRequest, Kind, Reasoner

if TYPE_CHECKING:
    from ..scenes.scene import Scene


class AnnotatedScenes:
    """The scenes that are annotated; see `SceneBuilder`."""

    parameters = 0

    def scenes(self, queries: Sequence[Query]) -> list[Scene | NsreasonError]:
        """See `SceneBuilder.scenes`."""
        return [
            q.inputs["scene"] if "scene" in q.inputs else lacks(q, "scene", "no scene is annotated") for q in queries
        ]


class Exact:
    """The given programs, executed on the annotated scenes: what programs and scenes are worth."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Kind] = "symbolic"
    programs: ClassVar[Literal["given", "parsed"]] = "given"

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        """See `reasoner.ReasonerFactory`."""
        return Executing(AnnotatedScenes(), cls.programs, load_domain(request.domain))


class ExactParsed(Exact):
    """Programs parsed from the questions' texts, executed on the annotated scenes."""

    programs: ClassVar[Literal["given", "parsed"]] = "parsed"
