"""Reasoners that execute programs: on annotated scenes, on scenes read from images, on what a learner sees there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from ..dsl.domain import load_domain
from ..errors import DataError, NsreasonError
from ..queries.query import Query
from .executing import Executing
from .reasoner import FitRequest, Kind, Reasoner

if TYPE_CHECKING:
    from ..scenes.scene import Scene


class Annotated:
    """The scenes that are annotated."""

    parameters = 0

    def scenes(self, queries: Sequence[Query]) -> list[Scene | NsreasonError]:
        """See `SceneBuilder.scenes`."""
        return [
            q.inputs["scene"] if "scene" in q.inputs else _lacks(q, "scene", "no scene is annotated") for q in queries
        ]


def _lacks(query: Query, kind: str, why: str) -> DataError:
    has = ", ".join(query.inputs) or "nothing"
    return DataError(f"question {query.index}: {why}; a '{kind}' is looked for, there is {has}")


class Exact:
    """The given programs, executed on the annotated scenes: what programs and scenes are worth."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Kind] = "symbolic"
    programs: ClassVar[Literal["given", "parsed"]] = "given"

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        """See `reasoner.ReasonerFactory`."""
        return Executing(Annotated(), cls.programs, load_domain(request.domain))


class ExactParsed(Exact):
    """Programs parsed from the questions' texts, executed on the annotated scenes."""

    programs: ClassVar[Literal["given", "parsed"]] = "parsed"


# --- images -------------------------------------------------------------------------------------------------
