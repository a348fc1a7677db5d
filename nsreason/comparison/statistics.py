"""The numbers of a comparison: accuracy by type, group and fact, learning curves, agreement. No torch is imported.

    figures = Figures.of(comparison)
    figures.best[0].overall.accuracy, figures.best[0].types["count"].interval

Only questions whose answer is known are scored. A question without a reply counts as answered wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import msgspec

from ..evaluation.report import TYPES
from ..queries.scores import Score
from .results import ComparedExample, ComparedQuestion, Comparison, ReasonerRun

PASSED = 0.95  # of a type's questions, for the type to count as mastered; bAbI's convention
MOST_BINS = 12  # points of a curve; where a fact has more values, neighbours share one
_TICK = 1e-9  # seconds; what took less was not measured


@dataclass(frozen=True, slots=True)
class FactBin:
    """Values of a fact from `low` to `high`, and how many scored questions have them; `mean` is the mean of theirs."""

    low: int
    high: int
    total: int
    mean: float

    @property
    def label(self) -> str:
        """`5`, or `5–7`."""
        return str(self.low) if self.low == self.high else f"{self.low}–{self.high}"


@dataclass(frozen=True)
class RunFigures:
    """What a run reached.

    Attributes:
        facts: for each fact a score per bin of `Figures.bins`.
        within, beyond: by fact, the score on questions inside and outside the range that was trained on; only of
            facts whose questions are not all inside.
        guesses: questions with an answer that the reasoner calls a guess. unanswered: those without one.
    """

    run: ReasonerRun
    overall: Score
    types: Mapping[str, Score]
    groups: Mapping[str, Score]
    facts: Mapping[str, tuple[Score, ...]]
    within: Mapping[str, Score]
    beyond: Mapping[str, Score]
    guesses: int
    unanswered: int

    @property
    def rate(self) -> float | None:
        """Questions a second; None where no time was taken."""
        run = self.run
        return len(run.answers) / run.answering if run.answering > _TICK and run.answers else None

    @property
    def passed(self) -> int:
        """Types of which at least 95 % are right."""
        return sum((s.accuracy or 0.0) >= PASSED for s in self.types.values())


@dataclass(frozen=True)
class Curve:
    """A reasoner's accuracy against the size of its training set; `level` is that of one that does not learn."""

    reasoner: str
    points: tuple[tuple[int, Score], ...]
    level: Score | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two reasoners on the same questions, each a count of `total`.

    Attributes:
        same: the same answer, right or wrong. only_first, only_second: one is right and the other is not.
    """

    total: int
    same: int
    both_right: int
    both_wrong: int
    only_first: int
    only_second: int


@dataclass(frozen=True)
class Figures:
    """All figures.

    Attributes:
        scored: places of the questions whose answer is known.
        types: of questions, in groups; those without one are in the group "".
        bins: by fact, see `bins_of`.
        runs: as in the comparison. best: of each reasoner its best run, as `Comparison.best` has it.
        agreement: by places (i, j), i < j, among `working`.
    """

    comparison: Comparison
    scored: tuple[int, ...]
    types: Mapping[str, tuple[str, ...]]
    bins: Mapping[str, tuple[FactBin, ...]]
    runs: tuple[RunFigures, ...]
    best: tuple[RunFigures, ...]
    agreement: Mapping[tuple[int, int], Agreement]

    @classmethod
    def of(cls, comparison: Comparison) -> Figures:
        """The figures of a comparison."""
        queries = comparison.queries
        scored = tuple(i for i, q in enumerate(queries) if q.answer is not None)
        counted = [queries[i] for i in scored]
        bins = {f: bins_of(counted, f, comparison.trained.get(f)) for f in facts_of(counted)}
        runs = tuple(_figures(comparison, run, scored, bins) for run in comparison.runs)
        best = tuple(next(r for r in runs if r.run is run) for run in comparison.best())
        working = [r.run for r in best if r.run.failure is None]
        return cls(comparison, scored, types_of(counted), bins, runs, best, _agreements(comparison, working, scored))

    @property
    def working(self) -> tuple[RunFigures, ...]:
        """The best runs that have answers."""
        return tuple(r for r in self.best if r.run.failure is None)

    @property
    def examples(self) -> tuple[ComparedExample, ...]:
        """Those of questions that the comparison has."""
        return tuple(e for e in self.comparison.examples if 0 <= e.place < len(self.comparison.queries))

    @property
    def reasoners(self) -> list[str]:
        """Their names, in order."""
        return [r.run.reasoner for r in self.best]

    @property
    def sizes(self) -> list[int]:
        """Of training sets with which a run worked."""
        return sorted({r.run.size for r in self.runs if r.run.size is not None and r.run.failure is None})

    @property
    def curves(self) -> list[Curve]:
        """Of each reasoner that worked at any size."""
        curves = []
        for name in self.reasoners:
            mine = [r for r in self.runs if r.run.reasoner == name and r.run.failure is None]
            points = {r.run.size: r.overall for r in mine if r.run.size is not None}
            level = next((r.overall for r in mine if r.run.size is None), None)
            if mine:
                curves.append(Curve(name, tuple(sorted(points.items())), level))
        return curves

    def trained(self, fact: str) -> tuple[int, int] | None:
        """The range of a fact that was trained on, where it is narrower than what is tested; else None."""
        known = self.comparison.trained.get(fact)
        bins = self.bins.get(fact, ())
        if known is None or not bins or (known[0] <= bins[0].low and bins[-1].high <= known[1]):
            return None
        return known


def natural(kind: str) -> tuple[int, str]:
    """Sorts types as reports have them; others by name."""
    return (TYPES.index(kind) if kind in TYPES else len(TYPES)), kind


def types_of(queries: Iterable[ComparedQuestion]) -> dict[str, tuple[str, ...]]:
    """The types of questions by group, groups in the order of their names, ungrouped types last."""
    types: dict[str, set[str]] = {}
    for q in queries:
        types.setdefault(q.group, set()).add(q.type)
    groups = sorted(types, key=lambda g: (not g, g))
    return {g: tuple(sorted(types[g], key=natural)) for g in groups}


def facts_of(queries: Iterable[ComparedQuestion]) -> list[str]:
    """The names of all facts, in the order in which they are met."""
    return list(dict.fromkeys(f for q in queries for f in q.facts))


def bins_of(
    queries: Sequence[ComparedQuestion], fact: str, trained: tuple[int, int] | None = None
) -> tuple[FactBin, ...]:
    """The values of a fact, one by one; of more than 12, neighbours together, about as many questions in each bin.

    No bin has values both inside and outside the range that was trained on.
    """
    counts: dict[int, int] = {}
    for q in queries:
        if fact in q.facts:
            counts[q.facts[fact]] = counts.get(q.facts[fact], 0) + 1
    values = sorted(counts)
    if len(values) <= MOST_BINS:
        return tuple(FactBin(v, v, counts[v], float(v)) for v in values)

    def side(value: int) -> int:
        return 0 if trained is None else (value > trained[1]) - (value < trained[0])

    least = sum(counts.values()) / (MOST_BINS - 3)  # three sides may each end in a bin that is not full
    while len(parts := _cut(values, counts, side, least)) > MOST_BINS:
        least *= 1.25
    return tuple(_bin(part, counts) for part in parts)


def _cut(values: Sequence[int], counts: Mapping[int, int], side: Callable[[int], int], least: float) -> list[list[int]]:
    """Neighbouring values of one side together, until they have about so many questions."""
    parts: list[list[int]] = []
    for v in values:
        open_ = parts and side(parts[-1][0]) == side(v) and sum(counts[w] for w in parts[-1]) + counts[v] / 2 <= least
        if open_:
            parts[-1].append(v)
        else:
            parts.append([v])
    return parts


def _bin(values: Sequence[int], counts: Mapping[int, int]) -> FactBin:
    total = sum(counts[v] for v in values)
    return FactBin(values[0], values[-1], total, sum(v * counts[v] for v in values) / total)


def _figures(
    comparison: Comparison, run: ReasonerRun, scored: Sequence[int], bins: Mapping[str, tuple[FactBin, ...]]
) -> RunFigures:
    overall, types, groups = Score(), dict[str, Score](), dict[str, Score]()
    facts = {f: tuple(Score() for _ in fact_bins) for f, fact_bins in bins.items()}
    place = {
        f: {v: k for k, b in enumerate(fact_bins) for v in range(b.low, b.high + 1)} for f, fact_bins in bins.items()
    }
    ranges = {f: r for f, r in comparison.trained.items() if f in bins and _narrower(r, bins[f])}
    within, beyond = {f: Score() for f in ranges}, {f: Score() for f in ranges}
    if run.failure is None:
        right = marks(comparison, run)
        for i in scored:
            q = comparison.queries[i]
            to = [overall, types.setdefault(q.type, Score())]
            if q.group:
                to.append(groups.setdefault(q.group, Score()))
            for f, v in q.facts.items():
                to.append(facts[f][place[f][v]])
                if f in ranges:
                    to.append((within if ranges[f][0] <= v <= ranges[f][1] else beyond)[f])
            for score in to:
                score.total += 1
                score.right += right[i]
    answered = [i for i, a in enumerate(run.answers) if a is not None]
    guesses = sum(i in run.errors for i in answered)
    unanswered = len(comparison.queries) - len(answered) if run.failure is None else 0
    return RunFigures(run, overall, types, groups, facts, within, beyond, guesses, unanswered)


def _narrower(trained: tuple[int, int], bins: Sequence[FactBin]) -> bool:
    return bool(bins) and not (trained[0] <= bins[0].low and bins[-1].high <= trained[1])


def marks(comparison: Comparison, run: ReasonerRun) -> list[bool]:
    """Of each question whether it is right; wrong where a run has fewer answers than there are questions."""
    right = comparison.right(run)
    return right + [False] * (len(comparison.queries) - len(right))


def _agreements(
    comparison: Comparison, runs: Sequence[ReasonerRun], scored: Sequence[int]
) -> dict[tuple[int, int], Agreement]:
    right = [marks(comparison, run) for run in runs]
    agreements = {}
    for i, j in combinations(range(len(runs)), 2):
        a, b = runs[i].answers, runs[j].answers
        same = sum(k < len(a) and k < len(b) and a[k] is not None and a[k] == b[k] for k in scored)
        both = sum(right[i][k] and right[j][k] for k in scored)
        first, second = sum(right[i][k] for k in scored) - both, sum(right[j][k] for k in scored) - both
        total = len(scored)
        agreements[i, j] = Agreement(total, same, both, total - both - first - second, first, second)
    return agreements


def figures_json(comparison: Comparison) -> dict[str, Any]:
    """All figures as plain data, scores with right, total, accuracy and their 95 % Wilson interval."""
    figures = Figures.of(comparison)
    working = figures.working
    return {
        "settings": dict(comparison.settings),
        "date": comparison.date,
        "machine": comparison.machine,
        "questions": len(comparison.queries),
        "scored": len(figures.scored),
        "bad_records": comparison.bad,
        "trained": {f: list(r) for f, r in comparison.trained.items()},
        "runs": [_run_json(figures, r) for r in figures.runs],
        "best": [{"reasoner": r.run.reasoner, "size": r.run.size} for r in figures.best],
        "curves": [
            {
                "reasoner": c.reasoner,
                "points": [{"size": size} | score.to_dict() for size, score in c.points],
                "level": None if c.level is None else c.level.to_dict(),
            }
            for c in figures.curves
        ],
        "agreement": [
            {"first": working[i].run.reasoner, "second": working[j].run.reasoner}
            | {name: getattr(a, name) for name in Agreement.__dataclass_fields__}
            for (i, j), a in figures.agreement.items()
        ],
    }


def _run_json(figures: Figures, r: RunFigures) -> dict[str, Any]:
    run = r.run
    plain = ("reasoner", "kind", "size", "learned", "failure", "parameters", "seconds", "epochs", "examples", "stopped")
    record: dict[str, Any] = {name: getattr(run, name) for name in plain}
    record |= {"answering": run.answering, "first": run.first, "settings": dict(run.settings)}
    return record | {
        "questions_per_second": r.rate,
        "guesses": r.guesses,
        "unanswered": r.unanswered,
        "overall": r.overall.to_dict(),
        **({"metrics": msgspec.to_builtins(run.figures)} if run.figures else {}),
        "by_type": {t: r.types[t].to_dict() for t in sorted(r.types, key=natural)},
        "by_group": {g: r.groups[g].to_dict() for g in sorted(r.groups)},
        "types_at_95": r.passed,
        "by_fact": {
            f: [{"from": b.low, "to": b.high} | s.to_dict() for b, s in zip(figures.bins[f], scores, strict=True)]
            for f, scores in r.facts.items()
        },
        "within_trained": {f: s.to_dict() for f, s in r.within.items()},
        "beyond_trained": {f: s.to_dict() for f, s in r.beyond.items()},
    }
