"""A grounded choice: responses that refer to objects, answers with rationales, statements of which several may hold.

Three people stand in a row; each holds a ball or nothing. `Pointing` scores responses by how many of the objects that
they refer to hold a ball; one of its mistakes is built in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from nsreason.data.splits import Split
from nsreason.errors import DataError
from nsreason.queries.choices import Choice
from nsreason.queries.query import Query, Reply
from nsreason.reasoners.reasoner import FitRequest
from nsreason.traces.trace import Trace

HOLDS = (True, False, True)  # of people 0, 1 and 2


def _response(*objects: int) -> tuple[str | tuple[int, ...], ...]:
    return (objects, "has", "a", "ball")


def queries() -> list[Query]:
    """Two pairs of an answer and its rationale, and two questions of three statements each."""
    inputs = {"objects": ("person",) * 3, "holds": HOLDS}
    alone = (Choice(_response(0), True), Choice(_response(1), False))
    both = (Choice(_response(0, 2), True), Choice(_response(1), False))
    tricked = (Choice(_response(1), True), Choice(_response(2), False))  # the data disagree with the picture
    statements = tuple(Choice(_response(i), HOLDS[i]) for i in range(3))
    wrong = (Choice(_response(0), True), Choice(_response(1), True), Choice(_response(2), True))
    return [
        Query(0, "who?", None, "answer", inputs, choices=alone, pair="p0"),
        Query(1, "why?", None, "rationale", inputs, choices=both, pair="p0"),
        Query(2, "who?", None, "answer", inputs, choices=both, pair="p1"),
        Query(3, "why?", None, "rationale", inputs, choices=tricked, pair="p1"),
        Query(4, "which hold?", None, "statements", inputs, choices=statements, several=True),
        Query(5, "which hold?", None, "statements", inputs, choices=wrong, several=True),
    ]


# Worked out by hand for `Pointing`: it is wrong on question 3 (both options) and on one statement of question 5.
FIGURES = {
    "accuracy": (4 / 6, 6),
    "per-question": (4 / 6, 6),
    "per-option": ((2 + 2 + 2 + 0 + 3 + 2) / (2 + 2 + 2 + 2 + 3 + 3), 14),
    "joint": (1 / 2, 2),  # p0 is right, p1 is not
    "recall@1": ((1 + 1 + 1 + 0 + 1 / 2 + 1 / 3) / 6, 6),
}


@dataclass(frozen=True)
class Balls:
    """The task."""

    metrics: ClassVar[tuple[str, ...]] = tuple(FIGURES)

    @property
    def recipes(self) -> dict[str, str]:
        return {}

    def load(self, folder: str | Path) -> Split[list[Query]]:
        return Split(queries(), [], queries(), source=str(folder))


class Pointing:
    """Scores a response by the share of its objects that hold a ball."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Literal["symbolic", "soft", "neural"]] = "neural"
    parameters = 0

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Pointing:
        return cls()

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        return [self._one(query) for query in queries]

    def _one(self, query: Query) -> Reply:
        if not query.choices or "holds" not in query.inputs:
            return Reply(None, error=DataError(f"question {query.index} has no choices of objects"))
        holds = query.inputs["holds"]
        scores = []
        for choice in query.choices:
            objects = [i for token in choice.tokens if isinstance(token, tuple) for i in token]
            scores.append(sum(holds[i] for i in objects) / len(objects))
        reply = Reply(None, option_scores=tuple(scores))
        return replace(reply, answer=reply.said(query), scores={reply.said(query) or "": max(scores)})

    def trace(self, query: Query) -> Trace | None:
        return None
