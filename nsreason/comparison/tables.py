"""The tables of a comparison: the same for the terminal, Markdown and the page.

for table in tables(Figures.of(comparison)): ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..pages.tables import NONE, Heading, ReportTable, TableCell, TableRow
from ..queries.scores import Score
from ..queries.scoring import Figure
from .statistics import Figures, RunFigures
from .wording import duration, interval, percent, questions, span, trained_on

MOST_TYPES = 8  # columns; of more types, each is a row and the reasoners are the columns


def heading_of(figures: Figures, r: RunFigures, *, size: bool = True) -> Heading:
    """Name a run's reasoner, with the size of its training set."""
    number = figures.reasoners.index(r.run.reasoner)
    return Heading(r.run.reasoner, trained_on(r.run) if size else "", series=number)


def tables(figures: Figures) -> list[ReportTable]:
    """List all tables, in their order; those without content are left out."""
    every = [accuracy(figures), metrics(figures), cost(figures)]
    if len(figures.runs) > len(figures.best):
        every.append(runs(figures))
    every += [fact(figures, name) for name in varying_facts(figures)]
    every.append(agreement(figures))
    return [t for t in every if t.rows and (t.columns or any(r.error for r in t.rows))]


def score_cell(score: Score | None, *, best: bool = False) -> TableCell:
    """Write a score as per cent with its interval below; a dash where nothing was scored."""
    if score is None or not score.total:
        return TableCell(NONE)
    counts = f"{score.right:,} of {score.total:,} right"
    return TableCell(percent(score.accuracy), interval(score), strong=True, best=best, tooltip=counts)


# --- accuracy by type ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """What is scored, of every run; `texts` in place of scores."""

    head: Heading
    scores: tuple[Score | None, ...]
    texts: tuple[str, ...] = ()


def is_wide(figures: Figures) -> bool:
    """Whether there are so many types that they stand as rows."""
    return sum(map(len, figures.types.values())) > MOST_TYPES


def accuracy(figures: Figures) -> ReportTable:
    """Accuracy by type of question: reasoners as rows, or as columns where there are many types."""
    wide = is_wide(figures)
    shown = figures.working if wide else figures.best
    lines = _lines(figures, shown)
    best = [_best(line.scores, shown) for line in lines]
    caption = "Per cent of right answers, each with its 95 % Wilson interval."
    if any(any(row) for row in best):
        caption += " Marked: the best of those that do not execute programs exactly."
    if wide:
        rows = tuple(
            TableRow(line.head, tuple(_cell(line, k, marks[k]) for k in range(len(shown))))
            for line, marks in zip(lines, best, strict=True)
        )
        corner, columns = "question type", tuple(heading_of(figures, r) for r in shown)
    else:
        corner, columns = "reasoner", tuple(line.head for line in lines)
        rows = tuple(
            _run_row(figures, r, tuple(_cell(line, k, marks[k]) for line, marks in zip(lines, best, strict=True)))
            for k, r in enumerate(shown)
        )
    return ReportTable(
        corner,
        columns,
        rows if shown else (),
        title="Accuracy by question type",
        caption=caption,
        best_means="best without exact programs",
        key="accuracy",
        transposable=True,
    )


def _run_row(figures: Figures, r: RunFigures, cells: tuple[TableCell, ...]) -> TableRow:
    """A run's cells, or why it has none."""
    return TableRow(heading_of(figures, r), cells if r.run.failure is None else (), r.run.failure)


def _lines(figures: Figures, shown: Sequence[RunFigures]) -> list[_Line]:
    lines = [_Line(Heading("all", strong=True), tuple(r.overall for r in shown))]
    if is_wide(figures):
        count = sum(map(len, figures.types.values()))
        passed = tuple(f"{r.passed} of {count}" for r in shown)
        lines.append(_Line(Heading("types at 95 % or more"), tuple(None for _ in shown), passed))
    grouped = any(figures.types)
    for group, kinds in figures.types.items():
        if group:
            head = Heading(f"all {group}", strong=True)
            lines.append(_Line(head, tuple(r.groups.get(group) for r in shown)))
        for kind in kinds:
            lines.append(_Line(Heading(kind.strip(), inner=grouped), tuple(r.types.get(kind) for r in shown)))
    # A single type says what `all` says.
    only = list(figures.types.values())
    if len(only) == 1 and len(only[0]) == 1:
        lines = [_Line(replace(lines[0].head, under=only[0][0].strip()), lines[0].scores)]
    return lines


def _cell(line: _Line, k: int, best: bool) -> TableCell:
    return TableCell(line.texts[k]) if line.texts else score_cell(line.scores[k], best=best)


def _best(scores: Sequence[Score | None], shown: Sequence[RunFigures]) -> list[bool]:
    """Which are the highest among reasoners without exact programs, if there are two of these to choose from."""
    inexact = [
        s.accuracy if s is not None and r.run.kind != "symbolic" and r.run.failure is None else None
        for s, r in zip(scores, shown, strict=True)
    ]
    known = [a for a in inexact if a is not None]
    return [len(known) > 1 and a is not None and a == max(known) for a in inexact]


# --- what it took -------------------------------------------------------------------------------------------

_COST = ("parameters", "training", "epochs", "questions seen", "questions/s")


def _cost(r: RunFigures) -> tuple[TableCell, ...]:
    run = r.run
    learned = run.learned or run.seconds > 0
    stopped = "out of time" if run.stopped == "time" else ""
    return (
        TableCell(f"{run.parameters:,}" if run.parameters else NONE),
        TableCell(duration(run.seconds) if learned else NONE, stopped),
        TableCell(f"{run.epochs:,}" if learned else NONE),
        TableCell(f"{run.examples:,}" if learned else NONE),
        TableCell(NONE if r.rate is None else f"{r.rate:,.0f}" if r.rate >= 10 else f"{r.rate:.2g}"),
    )


def metrics(figures: Figures) -> ReportTable:
    """What the task's own metrics came to, of the best runs; no columns where it has none beside accuracy."""
    names = list(dict.fromkeys(f.name for r in figures.best for f in r.run.figures))
    rows = []
    for r in figures.working:
        known = {f.name: f for f in r.run.figures}
        cells = (known.get(name) for name in names)
        rows.append(TableRow(heading_of(figures, r), tuple(map(_figure_cell, cells))))
    return ReportTable(
        "reasoner", tuple(names), tuple(rows), title="Metrics of the task", key="metrics", transposable=True
    )


def _figure_cell(figure: Figure | None) -> TableCell:
    if figure is None or figure.value is None:
        return TableCell(NONE)
    missing = f", {figure.missing:,} without" if figure.missing else ""
    return TableCell(figure.text, f"of {figure.total:,} {figure.unit}{missing}")


def cost(figures: Figures) -> ReportTable:
    """Parameters, training and speed of the best runs; those that failed say why."""
    rows = tuple(_run_row(figures, r, _cost(r)) for r in figures.best)
    return ReportTable("reasoner", _COST, rows, title="Training and speed", key="cost", transposable=True)


def beside(left: ReportTable, right: ReportTable) -> ReportTable:
    """Join two tables that have the same rows."""
    rows = tuple(replace(a, cells=a.cells + b.cells) for a, b in zip(left.rows, right.rows, strict=True))
    return replace(left, columns=left.columns + right.columns, rows=rows)


def runs(figures: Figures) -> ReportTable:
    """Every run: each reasoner at each size."""
    rows = tuple(_run_row(figures, r, (score_cell(r.overall), *_cost(r))) for r in figures.runs)
    title = "Accuracy against training-set size" if len(figures.sizes) > 1 else "Every run"
    return ReportTable("reasoner", ("accuracy", *_COST), rows, title=title, key="runs")


# --- facts --------------------------------------------------------------------------------------------------


def varying_facts(figures: Figures) -> list[str]:
    """The facts that differ between questions: accuracy can be drawn against them."""
    return [f for f, bins in figures.bins.items() if len(bins) > 1] if figures.working else []


def fact(figures: Figures, name: str) -> ReportTable:
    """Accuracy against a fact; below it, inside and outside what was trained on where that is narrower."""
    shown = figures.working
    known = figures.trained(name)
    rows = []
    for k, b in enumerate(figures.bins[name]):
        under = questions(b.total)
        if known and known[0] <= b.low and b.high <= known[1]:
            under += ", trained on"
        rows.append(TableRow(Heading(b.label, under), tuple(score_cell(r.facts[name][k]) for r in shown)))
    if known:
        for label, part in ((f"within {span(known)}", "within"), (f"beyond {span(known)}", "beyond")):
            scores = [getattr(r, part)[name] for r in shown]
            head = Heading(label, questions(scores[0].total), strong=True)
            rows.append(TableRow(head, tuple(map(score_cell, scores))))
    return ReportTable(
        name,
        tuple(heading_of(figures, r, size=False) for r in shown),
        tuple(rows),
        title=f"Accuracy against {name}",
        caption=f"Trained on: {name} {span(known)}." if known else "",
        key=f"by-{name.replace(' ', '-')}",
        transposable=True,
    )


# --- agreement ----------------------------------------------------------------------------------------------


def agreement(figures: Figures) -> ReportTable:
    """How often two reasoners give the same answer, and how often both are right or both wrong."""
    shown = figures.working
    columns = tuple(heading_of(figures, r, size=False) for r in shown)
    rows = []
    for i, r in enumerate(shown):
        cells = []
        for j in range(len(shown)):
            if i == j:
                cells.append(TableCell(NONE, f"{percent(r.overall.accuracy)} right", muted=True))
                continue
            a = figures.agreement[min(i, j), max(i, j)]
            share = a.same / a.total if a.total else None
            both = (a.both_right / a.total, a.both_wrong / a.total) if a.total else (None, None)
            under = f"{percent(both[0])} / {percent(both[1])}"
            cells.append(TableCell(percent(share), under, shade=share))
        rows.append(TableRow(columns[i], tuple(cells)))
    return ReportTable(
        "reasoner",
        columns,
        tuple(rows) if len(shown) > 1 and figures.scored else (),
        title="Agreement",
        caption="Per cent of questions with the same answer; beneath it, both right / both wrong.",
        key="agreement",
        transposable=True,
    )
