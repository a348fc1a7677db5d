"""A question with everything a reasoner may use to answer it, and what a reasoner replies. No torch is imported here.

    query = Query(0, "How many cubes are there?", "2", "count", {"scene": scene})
    [reply] = reasoner.answer([query])
    reply.answer, reply.scores, reply.error

A `Query` is about a scene, an image, a story, a video or moving balls; with a program or without; to be answered freely
or by one of several `choices`. Its `inputs` are named by their kind, so that a new kind of input is a new key, and a
reasoner that does not know it ignores it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .answer_text import same_answer
from .choices import Choice, taken

if TYPE_CHECKING:
    from ..errors import NsreasonError
    from ..programs.program import Program

INPUTS: dict[str, str] = {
    "scene": "a Scene: what is annotated",
    "rows": "an array (N, D) of float32: a description of each object",
    "image": "a QueryImage: an image that is read when it is needed",
    "detections": "Detections: the objects detected in the image",
    "sentences": "a sequence of texts: a story",
    "bits": "an array (Q,): the question as a vector, where it has no words",
}
"""Kinds of input that mean the same in every task. A task may have others."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A question."""

    index: int
    """Its number in the file that it comes from."""
    text: str | None
    """None where the question is the task itself (which balls are linked?) or a vector."""
    answer: str | None
    """The right one, spelled as data sets spell theirs (`yes`, `3`, `red`); None if it is not known."""
    type: str
    """What kind of question it is, as tables of results have it: `count`, `query`."""
    inputs: Mapping[str, Any]
    """What the question is about, by kind; see `INPUTS`. Queries about one thing share the values."""
    program: Program | None = None
    """Given with the question, if one is."""
    choices: tuple[Choice, ...] = ()
    """The answers to choose from, if the question has its own. Objects that they refer to stand in `inputs`."""
    group: str = ""
    """A group of types, such as `relational`."""
    facts: Mapping[str, int] = field(default_factory=dict)
    """Numbers that accuracy is drawn against, such as `objects` and `program length`."""
    several: bool = False
    """Whether any number of the choices may be right, and not exactly one."""
    pair: Hashable = None
    """Queries with the same pair are also scored jointly: a question's answer, and the answer's rationale."""

    @property
    def scored(self) -> bool:
        """Whether it is known what is right."""
        if self.choices:
            return self.answer is not None or all(choice.correct is not None for choice in self.choices)
        return self.answer is not None

    @property
    def expected(self) -> str | None:
        """The right answer as text, also where it is said by which choices are correct."""
        if self.answer is not None or not (self.choices and self.scored):
            return self.answer
        return "; ".join(choice.text for choice in self.choices if choice.correct)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reasoner answers."""

    answer: str | None
    """Spelled as in `Query.answer`, or the text of a choice; None if there is none."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """How likely each considered answer is, from 0 to 1; an exact answer has 1."""
    error: NsreasonError | None = None
    """Why there is no answer, or why the answer is a guess."""
    option_scores: tuple[float, ...] = ()
    """How likely each of the query's choices is to be right, from 0 to 1, in their order."""
    program: Program | None = None
    """The program that was executed, where it is not the query's own."""

    def right(self, query: Query) -> bool:
        """Whether it is the query's answer; of choices, whether it takes all the correct ones and no other.

        Raises:
            DataError: the option scores do not fit the choices.
        """
        if query.choices and all(choice.correct is not None for choice in query.choices):
            return self.taken(query) == tuple(choice.correct for choice in query.choices)
        return same_answer(self.said(query), query.answer)

    def taken(self, query: Query) -> tuple[bool, ...]:
        """Which of the query's choices it takes; nothing where there is no reply.

        Raises:
            DataError: the option scores do not fit the choices.
        """
        if self.answer is None and not self.option_scores:
            return ()
        return taken(query.choices, self.answer, self.option_scores, several=query.several)

    def said(self, query: Query) -> str | None:
        """The answer as text, also where it is given by option scores."""
        if self.answer is not None or not self.option_scores:
            return self.answer
        return "; ".join(c.text for c, t in zip(query.choices, self.taken(query), strict=True) if t)


def accuracy(queries: Sequence[Query], replies: Sequence[Reply]) -> float:
    """The share of right replies; of nothing, 0."""
    right = sum(reply.right(query) for query, reply in zip(queries, replies, strict=True))
    return right / len(queries) if queries else 0.0


def digest(queries: Iterable[Query]) -> str:
    """What queries ask and expect, in 16 letters: other questions, answers, choices or programs have another one."""
    sha = hashlib.sha256()
    for q in queries:
        sha.update(repr((q.index, q.text, q.answer, q.type)).encode(errors="surrogatepass"))
        if q.choices or q.program is not None:
            choices = tuple((c.tokens, c.correct, None if c.program is None else str(c.program)) for c in q.choices)
            sha.update(repr((choices, None if q.program is None else str(q.program))).encode(errors="surrogatepass"))
        if q.pair is not None or q.several:
            sha.update(repr((q.pair, q.several)).encode(errors="surrogatepass"))
    return sha.hexdigest()[:16]
