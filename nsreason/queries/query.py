"""A question with all that a reasoner may look at, and what a reasoner replies. No torch is imported here.

    query = Query(0, "How many cubes are there?", "2", "count", {"scene": scene})
    [reply] = reasoner.answer([query])
    reply.answer, reply.scores, reply.error

Whatever is asked of a reasoner is a `Query`: about a scene, an image, a story, a video or moving balls, with a program
or without, to be answered freely or by one of several `choices`. What it is asked of stands in `inputs` by its kind, so
that a new kind of thing to look at is a new key, and whoever does not know it does not look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .answer_text import same_answer

if TYPE_CHECKING:
    from ..errors import NsreasonError
    from ..programs.program import Program

INPUTS: dict[str, str] = {
    "scene": "a Scene: what is annotated",
    "rows": "an array (N, D) of float32: a description of each object",
    "image": "a QueryImage: an image that is read when it is looked at",
    "detections": "Detections: what was found in the picture",
    "sentences": "a sequence of texts: a story",
    "bits": "an array (Q,): the question as a vector, where it has no words",
}
"""What there may be to see. A task may tell of other kinds; these are the ones that mean the same everywhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A question.

    Attributes:
        index: its number in the file that it comes from.
        text: None where the question is the task itself (which balls are linked?) or a vector.
        answer: the right one, spelled as data sets spell theirs (`yes`, `3`, `red`); None if it is not known.
        type: what is asked, as tables of results have it: `count`, `query`.
        inputs: what there is to look at, by kind; see `INPUTS`. Queries about one thing share the values.
        program: given with the question, if one is.
        choices: the answers to choose from, if the question has its own; the reply is one of them. What they speak of
            (the objects of a grounded response) stands in `inputs`.
        group: types may be told in groups, such as `relational`.
        facts: numbers that accuracy is drawn against, such as `objects` and `program length`.
    """

    index: int
    text: str | None
    answer: str | None
    type: str
    inputs: Mapping[str, Any]
    program: Program | None = None
    choices: tuple[str, ...] = ()
    group: str = ""
    facts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reasoner says.

    Attributes:
        answer: spelled as in `Query.answer`; None if there is none.
        scores: how likely each answer is that was thought of, from 0 to 1; an exact answer has 1.
        error: why there is no answer, or why the answer is a guess.
    """

    answer: str | None
    scores: Mapping[str, float] = field(default_factory=dict)
    error: NsreasonError | None = None

    def right(self, query: Query) -> bool:
        """Whether it is the query's answer."""
        return same_answer(self.answer, query.answer)


def accuracy(queries: Sequence[Query], replies: Sequence[Reply]) -> float:
    """The share of right replies; of nothing, 0."""
    right = sum(reply.right(query) for query, reply in zip(queries, replies, strict=True))
    return right / len(queries) if queries else 0.0


def digest(queries: Iterable[Query]) -> str:
    """What queries ask and expect, in 16 letters: other questions, answers, choices or programs have another one."""
    told = hashlib.sha256()
    for q in queries:
        told.update(repr((q.index, q.text, q.answer, q.type)).encode(errors="surrogatepass"))
        if q.choices or q.program is not None:
            told.update(repr((q.choices, None if q.program is None else str(q.program))).encode(errors="surrogatepass"))
    return told.hexdigest()[:16]
