"""A comparison in words: numbers, what decided it, its outcome, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..pages.tables import NONE
from ..pages.templates import cut
from ..queries.scores import Score
from .results import Comparison, ReasonerRun
from .statistics import FactBin, Figures, RunFigures

__all__ = [
    "about",
    "budget",
    "cut",
    "duration",
    "failures",
    "heading",
    "interval",
    "lead",
    "notes",
    "percent",
    "questions",
    "reply",
    "span",
    "trained_on",
    "words",
]

_SHOWN = 3  # failures that the headline names
_REASON = 160  # letters of the reason of each


def percent(share: float | None) -> str:
    """`47.3`, without a sign: the table says that it is per cent."""
    return NONE if share is None else f"{100 * share:.1f}"


def interval(score: Score) -> str:
    """`45.1–49.5`."""
    low, high = score.interval
    return f"{100 * low:.1f}–{100 * high:.1f}" if score.total else ""


def questions(number: int) -> str:
    """`1 question`, `2,000 questions`."""
    return "1 question" if number == 1 else f"{number:,} questions"


def trained_on(run: ReasonerRun) -> str:
    """How much a run learned from, in a few words."""
    return "not trained" if run.size is None else questions(run.size)


def duration(seconds: float) -> str:
    """`0.41 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02} s" if whole < 7200 else f"{whole // 3600} h {whole // 60 % 60:02} min"


def span(known: tuple[int, int]) -> str:
    """`3–6`, or `3`."""
    return FactBin(known[0], known[1], 0, 0.0).label


def heading(figures: Figures) -> str:
    """What was compared, and how many of it failed."""
    c = figures.comparison
    title = f"Reasoners compared on {c.settings.get('task') or 'a task'}"
    return f"{title}: {len(c.failed)} of {len(c.runs)} failed" if c.failed else title


def failures(comparison: Comparison) -> str:
    """`Failed, without answers: lstm (the folder has no images).`; nothing where none did."""
    reasons = [f"{run.title} ({cut(_line(run.failure), _REASON)})" for run in comparison.failed[:_SHOWN]]
    if len(comparison.failed) > _SHOWN:
        reasons.append(f"{len(comparison.failed) - _SHOWN:,} more")
    return f"Failed, without answers: {'; '.join(reasons)}." if reasons else ""


def _line(text: str | None) -> str:
    return " ".join((text or "").split()).rstrip(".") or "no reason given"


def about(figures: Figures) -> list[tuple[str, str]]:
    """What decided the comparison, where and when: what, and its value."""
    c = figures.comparison
    facts = [("questions", f"{len(c.queries):,}"), ("data", str(c.settings.get("source") or "")), ("date", c.date)]
    facts += [("machine", c.machine), ("budget", budget(c.settings.get("budget")))]
    for name in ("seed", "input", "version"):
        facts.append((name, "" if c.settings.get(name) is None else str(c.settings[name])))
    within = c.settings.get("train_within")
    facts.append(("trained within", words(within) if within else ""))
    return [(what, value) for what, value in facts if value]


def budget(value: Any) -> str:
    """A training budget in words, whether it is given as text or by its parts."""
    if isinstance(value, Mapping):
        parts = [(v, k) for k, v in value.items() if v is not None]
        limits = [
            f"{v:g} s" if k == "seconds" else f"{v:,} questions" if k == "examples" else f"{k} {v}" for v, k in parts
        ]
        return ", ".join(limits)
    return "" if value is None else str(value)


def words(value: Any) -> str:
    """A setting as words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {words(v)}" for k, v in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        items = list(value)
        if len(items) == 2 and all(isinstance(v, int) for v in items):
            return f"{items[0]:,} to {items[1]:,}"
        return ", ".join(words(v) for v in items)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return NONE if value is None else str(value)


def lead(figures: Figures) -> str:
    """The outcome in a sentence or two; what failed comes first."""
    worked = [r for r in figures.working if r.overall.total]
    exact = sorted((r for r in worked if r.run.kind == "symbolic"), key=_reached)
    others = sorted((r for r in worked if r.run.kind != "symbolic"), key=_reached)
    parts = []
    if others:
        best = others[-1]
        after = "" if best.run.size is None else f", trained on {questions(best.run.size)}"
        what = "Best without exact programs" if exact else "Best"
        parts.append(f"{what}: {best.run.reasoner}, {_words(best.overall)}{after}.")
    if exact:
        parts.append(f"Executing programs: {exact[-1].run.reasoner}, {_words(exact[-1].overall)}.")
    if not parts:
        parts.append("No reasoner has answers." if not figures.working else "No question has a known answer.")
    failed = failures(figures.comparison)
    return " ".join([failed, *parts] if failed else parts)


def _reached(r: RunFigures) -> float:
    return r.overall.accuracy or 0.0


def _words(score: Score) -> str:
    return f"{percent(score.accuracy)} % ({interval(score)})"


def notes(figures: Figures) -> list[str]:
    """What readers of the tables have to know besides."""
    c = figures.comparison
    lines = []
    if c.bad:
        first = f"; the first: {c.bad_first}" if c.bad_first else ""
        lines.append(f"{c.bad:,} {'record' if c.bad == 1 else 'records'} could not be used and are left out{first}")
    unscored = len(c.queries) - len(figures.scored)
    if unscored:
        lines.append(f"{questions(unscored)} without a known answer {'is' if unscored == 1 else 'are'} not scored")
    for r in figures.runs:
        if r.run.failure is not None:
            lines.append(f"{r.run.title}: failed: {r.run.failure}")
            continue
        if r.run.stopped == "time":
            seen = f"{questions(r.run.examples)} in {duration(r.run.seconds)}"
            lines.append(f"{r.run.title}: its time ran out before its training was finished, after {seen}")
        if r.guesses:
            what = "answer is a guess" if r.guesses == 1 else "answers are guesses"
            lines.append(f"{r.run.title}: {r.guesses:,} {what}; {_first(r.run, guess=True)}")
        if r.unanswered:
            lines.append(f"{r.run.title}: no answer to {questions(r.unanswered)}{_why(r.run)}")
    return lines


def _why(run: ReasonerRun) -> str:
    why = _first(run, guess=False)
    return f"; {why}" if why else ""


def _first(run: ReasonerRun, *, guess: bool) -> str:
    for place, message in sorted(run.errors.items()):
        answered = place < len(run.answers) and run.answers[place] is not None
        if answered == guess:
            return f"the first: {message}"
    return ""


def reply(figures: Figures, run: ReasonerRun, place: int) -> tuple[str, str, bool]:
    """What a run answers to a question, its score as per cent or "", and whether it is right."""
    said = run.answers[place] if place < len(run.answers) else None
    score = run.scores[place] if place < len(run.scores) else None
    right = said is not None and said == figures.comparison.queries[place].answer
    return (
        "no answer" if said is None else said,
        "" if score is None or said is None else f"{100 * score:.0f} %",
        right,
    )
