"""Choices of a question: words that may refer to objects, which of them are right, and which of them a reply takes.

Choice(("the", (0,), "pushes", (1, 2)), correct=True)      # VCR: a grounded response
Choice.of("the cube hits the sphere", correct=False)       # CLEVRER: one of several statements, each true or not
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import DataError
from .answer_text import same_answer

if TYPE_CHECKING:
    from ..programs.program import Program

HALF = 0.5  # where several choices may be right, those with a higher score are taken


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers that a question offers."""

    tokens: tuple[str | tuple[int, ...], ...]
    """Words, or the indices of the objects that a word stands for, among the query's objects."""
    correct: bool | None = None
    """Whether it is right; None if that is not known."""
    program: Program | None = None
    """What to execute to find out, if the data set gives it."""

    @classmethod
    def of(cls, text: str, correct: bool | None = None, program: Program | None = None) -> Choice:
        """A choice without references to objects, from its text."""
        return cls(tuple(text.split()), correct, program)

    @property
    def text(self) -> str:
        """The words with spaces between; objects as `[0,2]`."""
        return " ".join(t if isinstance(t, str) else f"[{','.join(map(str, t))}]" for t in self.tokens)


def taken(
    choices: Sequence[Choice], answer: str | None, option_scores: Sequence[float], *, several: bool
) -> tuple[bool, ...]:
    """Which choices a reply takes.

    Args:
        answer: the text of one choice; it counts where there are no scores.
        option_scores: one for each choice, from 0 to 1, or none at all.
        several: whether any number of choices may be right. Then each is taken whose score is above one half;
            otherwise the one with the highest score, the first of equals.

    Raises:
        DataError: the number of scores is not that of the choices, or a score is not finite.
    """
    if not option_scores:
        return tuple(same_answer(answer, choice.text) for choice in choices)
    if len(option_scores) != len(choices):
        raise DataError(f"{len(option_scores)} option scores for {len(choices)} choices")
    if not all(map(math.isfinite, option_scores)):
        raise DataError("an option score is not finite")
    if several:
        return tuple(score > HALF for score in option_scores)
    best = max(range(len(choices)), key=option_scores.__getitem__)
    return tuple(i == best for i in range(len(choices)))
