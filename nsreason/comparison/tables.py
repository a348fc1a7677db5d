"""The tables of a comparison, before they are drawn: the same for the terminal, Markdown and the page.

    for sheet in sheets(Figures.of(comparison)): ...

A sheet has rows of cells; a cell is a `Score`, which is drawn with its interval, or a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..evaluation.scores import Score
from .statistics import Figures, RunFigures
from .wording import NONE, duration, percent, questions, span, trained_on

MOST_TYPES = 8  # columns; of more types, each is a row and the reasoners are the columns


@dataclass(frozen=True, slots=True)
class Cell:
    """A score or a text; `under` stands below a text; `best` of those without exact programs in its column or row.

    `shade`, from 0 to 1, is for tables that are read by their colours.
    """

    score: Score | None = None
    text: str = ""
    under: str = ""
    best: bool = False
    shade: float | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What a column or row is about; `look` is the reasoner's number, by which plots draw it."""

    label: str
    under: str = ""
    look: int | None = None
    strong: bool = False  # a total
    inner: bool = False  # one of several that the total before it counts


@dataclass(frozen=True, slots=True)
class Row:
    """`error` stands in place of cells."""

    head: Head
    cells: tuple[Cell, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: `key` names it for links, `corner` is above the heads of its rows."""

    key: str
    title: str
    corner: str
    columns: tuple[Head, ...]
    rows: tuple[Row, ...]
    note: str = ""


def head_of(figures: Figures, r: RunFigures, *, size: bool = True) -> Head:
    """The reasoner's head, with the size of its training set."""
    return Head(r.run.reasoner, trained_on(r.run) if size else "", figures.reasoners.index(r.run.reasoner))


def sheets(figures: Figures) -> list[Sheet]:
    """All tables, in their order; those without content are left out."""
    found = [accuracy(figures), cost(figures)]
    if len(figures.runs) > len(figures.best):
        found.append(runs(figures))
    found += [fact(figures, name) for name in told_facts(figures)]
    found.append(agreement(figures))
    return [s for s in found if s.rows and (s.columns or any(r.error for r in s.rows))]


# --- accuracy by type ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """What is scored, of every run."""

    head: Head
    scores: tuple[Score | None, ...]
    texts: tuple[str, ...] = ()


def is_wide(figures: Figures) -> bool:
    """Whether there are so many types that they stand as rows."""
    return sum(map(len, figures.types.values())) > MOST_TYPES


def accuracy(figures: Figures) -> Sheet:
    """Accuracy by type of question: reasoners as rows, or as columns where there are many types."""
    wide = is_wide(figures)
    told = figures.working if wide else figures.best
    lines = _lines(figures, told)
    best = [_best(line.scores, told) for line in lines]
    title = "Accuracy by question type"
    note = "Per cent of right answers, each with its 95 % Wilson interval."
    if any(any(row) for row in best):
        note += " Marked: the best of those that do not execute programs exactly."
    if not wide:
        rows = []
        for k, r in enumerate(told):
            error = None if r.run.failure is None else r.run.failure
            cells = tuple(_cell(line, k, marks[k]) for line, marks in zip(lines, best, strict=True))
            rows.append(Row(head_of(figures, r), () if error is not None else cells, error))
        return Sheet("accuracy", title, "reasoner", tuple(line.head for line in lines), tuple(rows), note)
    rows = [
        Row(line.head, tuple(_cell(line, k, marks[k]) for k in range(len(told))))
        for line, marks in zip(lines, best, strict=True)
    ]
    return Sheet(
        "accuracy", title, "question type", tuple(head_of(figures, r) for r in told), tuple(rows) if told else (), note
    )


def _lines(figures: Figures, told: Sequence[RunFigures]) -> list[_Line]:
    lines = [_Line(Head("all", strong=True), tuple(r.overall for r in told))]
    if is_wide(figures):
        count = sum(map(len, figures.types.values()))
        passed = tuple(f"{r.passed} of {count}" for r in told)
        lines.append(_Line(Head("types at 95 % or more"), tuple(None for _ in told), passed))
    grouped = any(figures.types)
    for group, kinds in figures.types.items():
        if group:
            head = Head(f"all {group}", strong=True)
            lines.append(_Line(head, tuple(r.groups.get(group) for r in told)))
        for kind in kinds:
            lines.append(_Line(Head(kind.strip(), inner=grouped), tuple(r.types.get(kind) for r in told)))
    # A single type says what `all` says.
    only = list(figures.types.values())
    if len(only) == 1 and len(only[0]) == 1:
        lines = [_Line(replace(lines[0].head, under=only[0][0].strip()), lines[0].scores)]
    return lines


def _cell(line: _Line, k: int, best: bool) -> Cell:
    if line.texts:
        return Cell(text=line.texts[k])
    score = line.scores[k]
    return Cell(text=NONE) if score is None or not score.total else Cell(score, best=best)


def _best(scores: Sequence[Score | None], told: Sequence[RunFigures]) -> list[bool]:
    """Which are the highest among reasoners without exact programs, if there are two of these to choose from."""
    rivals = [
        s.accuracy if s is not None and r.run.kind != "symbolic" and r.run.failure is None else None
        for s, r in zip(scores, told, strict=True)
    ]
    known = [a for a in rivals if a is not None]
    return [len(known) > 1 and a is not None and a == max(known) for a in rivals]


# --- what it took -------------------------------------------------------------------------------------------

_COST = ("parameters", "training", "epochs", "questions seen", "questions/s")


def _cost(r: RunFigures) -> tuple[Cell, ...]:
    run = r.run
    learned = run.learned or run.seconds > 0
    stopped = "out of time" if run.stopped == "time" else ""
    return (
        Cell(text=f"{run.parameters:,}" if run.parameters else NONE),
        Cell(text=duration(run.seconds) if learned else NONE, under=stopped),
        Cell(text=f"{run.epochs:,}" if learned else NONE),
        Cell(text=f"{run.examples:,}" if learned else NONE),
        Cell(text=NONE if r.rate is None else f"{r.rate:,.0f}" if r.rate >= 10 else f"{r.rate:.2g}"),
    )


def cost(figures: Figures) -> Sheet:
    """Parameters, training and speed of the best runs; those that failed say why."""
    rows = tuple(
        Row(head_of(figures, r), _cost(r) if r.run.failure is None else (), r.run.failure) for r in figures.best
    )
    return Sheet("cost", "Training and speed", "reasoner", tuple(Head(c) for c in _COST), rows)


def beside(left: Sheet, right: Sheet) -> Sheet:
    """Two sheets with the same rows as one."""
    rows = tuple(replace(a, cells=a.cells + b.cells) for a, b in zip(left.rows, right.rows, strict=True))
    return replace(left, columns=left.columns + right.columns, rows=rows)


def runs(figures: Figures) -> Sheet:
    """Every run: each reasoner at each size."""
    columns = ("accuracy", *_COST)
    rows = tuple(
        Row(
            head_of(figures, r),
            () if r.run.failure is not None else (Cell(r.overall) if r.overall.total else Cell(text=NONE), *_cost(r)),
            r.run.failure,
        )
        for r in figures.runs
    )
    title = "Accuracy against training-set size" if len(figures.sizes) > 1 else "Every run"
    return Sheet("runs", title, "reasoner", tuple(Head(c) for c in columns), rows)


# --- facts --------------------------------------------------------------------------------------------------


def told_facts(figures: Figures) -> list[str]:
    """Facts that differ between questions: accuracy can be told against them."""
    return [f for f, bins in figures.bins.items() if len(bins) > 1] if figures.working else []


def fact(figures: Figures, name: str) -> Sheet:
    """Accuracy against a fact; below it, inside and outside what was trained on where that is narrower."""
    told = figures.working
    known = figures.trained(name)
    rows = []
    for k, b in enumerate(figures.bins[name]):
        under = questions(b.total)
        if known and known[0] <= b.low and b.high <= known[1]:
            under += ", trained on"
        rows.append(Row(Head(b.label, under), tuple(_scored(r.facts[name][k]) for r in told)))
    if known:
        for label, part in ((f"within {span(known)}", "within"), (f"beyond {span(known)}", "beyond")):
            scores = [getattr(r, part)[name] for r in told]
            rows.append(Row(Head(label, questions(scores[0].total), strong=True), tuple(map(_scored, scores))))
    note = f"Trained on: {name} {span(known)}." if known else ""
    columns = tuple(head_of(figures, r, size=False) for r in told)
    return Sheet(f"by-{name.replace(' ', '-')}", f"Accuracy against {name}", name, columns, tuple(rows), note)


def _scored(score: Score) -> Cell:
    return Cell(score) if score.total else Cell(text=NONE)


# --- agreement ----------------------------------------------------------------------------------------------


def agreement(figures: Figures) -> Sheet:
    """How often two reasoners give the same answer, and how often both are right or both wrong."""
    told = figures.working
    columns = tuple(head_of(figures, r, size=False) for r in told)
    rows = []
    for i, r in enumerate(told):
        cells = []
        for j in range(len(told)):
            if i == j:
                cells.append(Cell(text=NONE, under=f"{percent(r.overall.accuracy)} right"))
                continue
            a = figures.agreement[min(i, j), max(i, j)]
            share = a.same / a.total if a.total else None
            both = (a.both_right / a.total, a.both_wrong / a.total) if a.total else (None, None)
            under = f"{percent(both[0])} / {percent(both[1])}"
            cells.append(Cell(text=percent(share), under=under, shade=share))
        rows.append(Row(head_of(figures, r, size=False), tuple(cells)))
    note = "Per cent of questions with the same answer; beneath it, both right / both wrong."
    some = len(told) > 1 and bool(figures.scored)
    return Sheet("agreement", "Agreement", "reasoner", columns, tuple(rows) if some else (), note)
