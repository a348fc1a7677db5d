"""A comparison as one web page: its tables, plots and examples. It needs no script and names no address.

path.write_text(page(comparison), encoding="utf-8")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..pages import svg_plot
from ..pages.svg_plot import Plot, PlotPoint, Series
from ..pages.tables import NONE, ReportTable
from ..queries.scores import Score
from .results import ComparedExample, Comparison
from .statistics import FactBin, Figures
from .tables import accuracy, agreement, beside, cost, fact, is_wide, metrics, runs, varying_facts
from .wording import about, heading, interval, lead, notes, percent, questions, reply, span, words

_BESIDE = 7  # columns of scores at most, for training and speed to stand in the same table


def page(comparison: Comparison) -> str:
    """Write the page; all but the drawings of scenes, which are trusted, is escaped."""
    from ..pages.templates import render

    figures = Figures.of(comparison)
    tables, split = _tables(figures)
    likeness = agreement(figures)
    return render(
        "comparison.html",
        title=heading(figures),
        lead=lead(figures),
        about=about(figures),
        plot_style=svg_plot.STYLE,
        tables=tables,
        split=split,
        plots=_plots(figures),
        agreement=likeness if likeness.rows else None,
        examples=[_example(figures, e) for e in figures.examples],
        notes=notes(figures),
        settings=_settings(comparison.settings),
        run_settings=[(r.run.title, _settings(r.run.settings)) for r in figures.best if r.run.settings],
    )


def _tables(figures: Figures) -> tuple[list[ReportTable], int | None]:
    """Accuracy and cost, as one table where they fit beside each other, with the column that divides them."""
    scores, spent = accuracy(figures), cost(figures)
    if not spent.rows:
        return [], None
    own = [table for table in (metrics(figures),) if table.columns]
    if not is_wide(figures) and len(scores.columns) <= _BESIDE:
        return [beside(scores, spent), *own], len(scores.columns)
    return [*([scores] if scores.rows else []), *own, spent], None


# --- plots --------------------------------------------------------------------------------------------------


def _plots(figures: Figures) -> list[dict[str, Any]]:
    """The plots, two beside each other; an odd one out takes the whole width."""
    facts = varying_facts(figures)
    first = _learning(figures, alone=len(facts) % 2 == 0)
    others = [_fact(figures, f, alone=first is None and k == 0 and len(facts) % 2 == 1) for k, f in enumerate(facts)]
    return others if first is None else [first, *others]


def _figure(key: str, plot: Plot, table: ReportTable, note: str, alone: bool) -> dict[str, Any]:
    """A plot for wide and one for narrow windows, and the numbers that it shows."""
    wide = svg_plot.draw(plot, width=900 if alone else 640, height=400 if alone else 380)
    slim = svg_plot.draw(plot, width=350, height=300, names="below")
    return {"key": key, "table": table, "note": note, "alone": alone, "wide": wide, "slim": slim}


def _point(x: float, score: Score, title: str) -> PlotPoint:
    low, high = score.interval
    share = score.accuracy or 0.0
    words = f"{title}: {percent(share)} % ({interval(score)}), {score.right:,} of {score.total:,}"
    return PlotPoint(x, share, low, high, words)


def _learning(figures: Figures, alone: bool) -> dict[str, Any] | None:
    table = runs(figures)
    sizes = [s for s in figures.sizes if s > 0]
    if len(sizes) < 2 or not figures.scored:
        if len(figures.runs) == len(figures.best):
            return None
        return {"key": "runs", "table": table, "note": "", "alone": alone, "wide": "", "slim": ""}
    lines = []
    for curve in figures.curves:
        look = figures.reasoners.index(curve.reasoner)
        points = tuple(
            _point(size, score, f"{curve.reasoner}, {questions(size)}") for size, score in curve.points if size > 0
        )
        if points:
            lines.append(Series(curve.reasoner, points, look))
        elif curve.level is not None:
            lines.append(Series(curve.reasoner, (_point(1.0, curve.level, curve.reasoner),), look, level=True))
    ticks = tuple((float(s), _short(s)) for s in sizes)
    plot = Plot("Accuracy against training-set size", "training questions", tuple(lines), log=True, ticks=ticks)
    level = any(s.level for s in lines)
    note = "Bars are 95 % Wilson intervals." + (" Dashed: reasoners that are not trained here." if level else "")
    return _figure("runs", plot, table, note, alone)


def _short(size: int) -> str:
    """`700`, `10k`, `1.5M`."""
    for unit, sign in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit and size % (unit // 100) == 0:
            return f"{size / unit:g}{sign}"
    return f"{size:,}"


def _fact(figures: Figures, name: str, alone: bool) -> dict[str, Any]:
    bins, known = figures.bins[name], figures.trained(name)
    lines = []
    for r in figures.working:
        pairs = [(b, s) for b, s in zip(bins, r.facts[name], strict=True) if s.total]
        points = tuple(_point(b.mean, s, f"{r.run.reasoner}, {name} {b.label}") for b, s in pairs)
        lines.append(Series(r.run.reasoner, points, figures.reasoners.index(r.run.reasoner)))
    label = f"trained on {span(known)}" if known else ""
    shade = (float(known[0]), float(known[1])) if known else None
    table = fact(figures, name)
    place = f"fact-{list(figures.bins).index(name)}"
    plot = Plot(table.title, name, tuple(lines), shade=shade, shade_label=label)
    return _figure(place, plot, table, _generalising(figures, name, known, bins), alone)


def _generalising(figures: Figures, name: str, known: tuple[int, int] | None, bins: Sequence[FactBin]) -> str:
    merged = any(b.low != b.high for b in bins)
    merging = "Neighbouring values share a point where questions are few." if merged else ""
    if known is None:
        return merging
    falls = []
    for r in figures.working:
        inside, outside = r.within[name].accuracy, r.beyond[name].accuracy
        if inside is not None and outside is not None:
            falls.append(f"{r.run.reasoner} {percent(inside)} → {percent(outside)}")
    gap = f"Within what was trained on → beyond: {', '.join(falls)}." if falls else ""
    return f"{gap} {merging}".strip()


# --- examples and settings ----------------------------------------------------------------------------------


def _example(figures: Figures, example: ComparedExample) -> dict[str, Any]:
    question = figures.comparison.queries[example.place]
    facts = "".join(f" · {name} {value:,}" for name, value in question.facts.items())
    return {
        "about": f"question {question.index:,} · {question.type.strip()}{facts}",
        "question": question.text or f"Question {question.index:,}",
        "answer": NONE if question.answer is None else question.answer,
        "replies": [_reply(figures, k, example.place) for k in range(len(figures.working))],
        "scene": example.scene,
        "story": example.story,
        "trace": example.trace,
        "traced_by": example.of,
    }


def _reply(figures: Figures, k: int, place: int) -> dict[str, Any]:
    r = figures.working[k]
    answer, score, right = reply(figures, r.run, place)
    known = figures.comparison.queries[place].answer is not None
    return {
        "reasoner": r.run.reasoner,
        "series": figures.reasoners.index(r.run.reasoner),
        "verdict": "right" if right else "wrong" if known else "",
        "answer": answer,
        "score": score,
        "error": r.run.errors.get(place),
    }


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(str(key), words(value)) for key, value in settings.items()]
