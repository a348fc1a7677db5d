"""How replies are scored: metrics as named objects, which a task names and reports show.

    metrics = [make_metric(name) for name in ("per-option", "per-question", "recall@5")]
    for query, reply in zip(queries, replies):
        for metric in metrics:
            metric.add(query, reply)
    print(*metrics)

`nsreason.registry.METRICS` names them. Your own is given as `module:Class`, a subclass of `Metric`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, ClassVar

import msgspec

from ..errors import RecipeError
from ..registry import METRICS, named
from .query import Query, Reply
from .scores import Score


class Figure(msgspec.Struct, frozen=True):
    """What a metric came to, as plain data."""

    name: str
    value: float | None
    """None where nothing was counted."""
    total: int
    """How many it was drawn from."""
    unit: str
    """What was counted: `questions`, `options`, `pairs`."""
    interval: tuple[float, float] | None = None
    """95 %, of shares."""
    share: bool = True
    """Whether the value is a share from 0 to 1, shown in per cent."""
    missing: int = 0
    """Replies from which the metric could not be computed, and which it leaves out."""

    @property
    def text(self) -> str:
        """`87.50 %`, or the plain value; a dash of nothing."""
        if self.value is None:
            return "-"
        return f"{100 * self.value:.2f} %" if self.share else f"{self.value:.4f}"


class Metric(ABC):
    """A tally over queries and their replies.

    Attributes:
        name: as reports show it.
    """

    name: ClassVar[str]

    @abstractmethod
    def add(self, query: Query, reply: Reply) -> None:
        """Count a reply."""

    @abstractmethod
    def merge(self, other: Any) -> None:
        """Add the tally of another part of the same queries."""

    @property
    @abstractmethod
    def figure(self) -> Figure:
        """What it comes to."""

    def __str__(self) -> str:
        figure = self.figure
        return f"{figure.name} {figure.text} of {figure.total:,} {figure.unit}"


class _Share(Metric):
    """A share of right ones, with its interval."""

    unit: ClassVar[str] = "questions"

    def __init__(self) -> None:
        self.score = Score()

    def merge(self, other: _Share) -> None:
        self.score.add(other.score)

    @property
    def figure(self) -> Figure:
        score = self.score
        return Figure(self.name, score.accuracy, score.total, self.unit, score.interval if score.total else None)


class Accuracy(_Share):
    """Questions that are answered right, of those whose answer is known."""

    name = "accuracy"

    def add(self, query: Query, reply: Reply) -> None:
        if query.scored:
            self.score.add(Score(int(reply.right(query)), 1))


class PerQuestion(Accuracy):
    """Questions with choices of which every one is judged right (CLEVRER's per question)."""

    name = "per-question"

    def add(self, query: Query, reply: Reply) -> None:
        if query.choices:
            super().add(query, reply)


class PerOption(_Share):
    """Choices that are judged right: taken if they are correct, and only then. Without a reply none is."""

    name, unit = "per-option", "options"

    def add(self, query: Query, reply: Reply) -> None:
        if not (query.choices and query.scored):
            return
        chosen = reply.taken(query)
        right = sum(c.correct == t for c, t in zip(query.choices, chosen, strict=True)) if chosen else 0
        self.score.add(Score(right, len(query.choices)))


class Joint(Metric):
    """Pairs of queries that are right together (VCR's Q->AR), by `Query.pair`. A query without its other half is not
    counted.
    """

    name = "joint"

    def __init__(self) -> None:
        self._pairs: dict[Any, tuple[int, bool]] = {}

    def add(self, query: Query, reply: Reply) -> None:
        if query.pair is not None and query.scored:
            self._count(query.pair, 1, reply.right(query))

    def _count(self, pair: Any, number: int, right: bool) -> None:
        before, all_right = self._pairs.get(pair, (0, True))
        self._pairs[pair] = before + number, all_right and right

    def merge(self, other: Joint) -> None:
        for pair, (number, right) in other._pairs.items():
            self._count(pair, number, right)

    @property
    def figure(self) -> Figure:
        whole = [right for number, right in self._pairs.values() if number > 1]
        score = Score(sum(whole), len(whole))
        return Figure(self.name, score.accuracy, score.total, "pairs", score.interval if score.total else None)


class Recall(Metric):
    """Of what is right, the share among the n answers or choices with the highest scores; the mean over questions."""

    name = "recall"

    def __init__(self, n: int) -> None:
        self.n, self.total, self.sum = n, 0, Fraction(0)  # exact, whatever the parts that are added up

    def add(self, query: Query, reply: Reply) -> None:
        if not query.scored:
            return
        if query.choices:
            right = [i for i, choice in enumerate(query.choices) if choice.correct]
            if not right:
                return
            ranked = range(len(query.choices))
            scores: Sequence[float] = reply.option_scores or [float(t) for t in reply.taken(query)]
            best = sorted(ranked, key=lambda i: -scores[i])[: self.n] if scores else []
            share = Fraction(len(set(right) & set(best)), len(right))
        else:
            best_answers: list[str | None] = [*sorted(reply.scores, key=lambda a: -reply.scores[a])[: self.n]]
            share = Fraction(any(Reply(answer).right(query) for answer in best_answers or [reply.answer]))
        self.total, self.sum = self.total + 1, self.sum + share

    def merge(self, other: Recall) -> None:
        self.total, self.sum = self.total + other.total, self.sum + other.sum

    @property
    def figure(self) -> Figure:
        mean = float(self.sum / self.total) if self.total else None
        return Figure(f"recall@{self.n}", mean, self.total, "questions")


class L1(Metric):
    """The mean distance between answers that are numbers. Questions whose answer is no number are not counted; replies
    that are no number are counted as missing.
    """

    name = "l1"

    def __init__(self) -> None:
        self.total, self.missing, self.sum = 0, 0, Fraction(0)

    def add(self, query: Query, reply: Reply) -> None:
        right, answer = _number(query.answer), _number(reply.answer)
        if right is None:
            return
        if answer is None:
            self.missing += 1
            return
        self.total, self.sum = self.total + 1, self.sum + abs(Fraction(answer) - Fraction(right))

    def merge(self, other: L1) -> None:
        self.total, self.missing, self.sum = (
            self.total + other.total,
            self.missing + other.missing,
            self.sum + other.sum,
        )

    @property
    def figure(self) -> Figure:
        mean = float(self.sum / self.total) if self.total else None
        return Figure(self.name, mean, self.total, "questions", share=False, missing=self.missing)


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def make_metric(name: str) -> Metric:
    """A metric, by its name in `METRICS` or as `module:Class`; a number after `@` is its argument: `recall@5`.

    Raises:
        RecipeError: there is no such metric, or it needs a number or takes none.
    """
    base, at, argument = name.partition("@")
    factory = named("metric", base, METRICS)
    if not issubclass(factory, Metric):
        raise RecipeError(f"metric '{name}': {factory.__name__} is no subclass of nsreason.queries.scoring.Metric")
    if at and not (argument.isdecimal() and int(argument) > 0):
        raise RecipeError(f"metric '{name}': after @ stands a whole number from 1, as in {base}@5")
    try:
        metric: Metric = factory(int(argument)) if at else factory()
    except TypeError:
        why = "it takes no number" if at else f"it takes a number, as in {base}@5"
        raise RecipeError(f"metric '{name}': {why}") from None
    return metric


def make_metrics(names: Iterable[str]) -> list[Metric]:
    """The metrics of names, each once, in order.

    Raises:
        RecipeError: as `make_metric`.
    """
    return [make_metric(name) for name in dict.fromkeys(names)]
