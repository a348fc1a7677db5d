"""The tables of a comparison, before they are drawn: the same for the terminal, Markdown and the page.

    for sheet in sheets(Figures.of(comparison)): ...

A sheet has rows of cells; a cell is a `Score`, which is drawn with its interval, or a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .comparison import Run
from .comparison_figures import Bin, Figures, RunFigures
from .report import Score

MOST_TYPES = 8  # columns; of more types, each is a row and the reasoners are the columns
NONE = "–"


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


def percent(share: float | None) -> str:
    """`47.3`, without a sign: the table says that it is per cent."""
    return NONE if share is None else f"{100 * share:.1f}"


def interval(score: Score) -> str:
    """`45.1–49.5`."""
    low, high = score.interval
    return f"{100 * low:.1f}–{100 * high:.1f}" if score.total else ""


def cut(text: str, most: int = 60) -> str:
    """A text, or its beginning and `…`."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def questions(number: int) -> str:
    """`1 question`, `2,000 questions`."""
    return "1 question" if number == 1 else f"{number:,} questions"


def trained_on(run: Run) -> str:
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


def span(known: tuple[int, int]) -> str:
    """`3–6`, or `3`."""
    return Bin(known[0], known[1], 0, 0.0).label


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


# --- words --------------------------------------------------------------------------------------------------


def heading(figures: Figures) -> str:
    """What was compared."""
    task = str(figures.comparison.settings.get("task") or "a task")
    return f"Reasoners compared on {task}"


def about(figures: Figures) -> list[tuple[str, str]]:
    """What decided the comparison, where and when: what, and its value."""
    c = figures.comparison
    told = [("questions", f"{len(c.queries):,}"), ("data", str(c.settings.get("source") or "")), ("date", c.date)]
    told += [("machine", c.machine), ("budget", budget(c.settings.get("budget")))]
    for name in ("seed", "sees", "version"):
        told.append((name, "" if c.settings.get(name) is None else str(c.settings[name])))
    within = c.settings.get("train_within")
    told.append(("trained within", words(within) if within else ""))
    return [(what, value) for what, value in told if value]


def budget(value: Any) -> str:
    """A training budget in words, whether it is given as text or by its parts."""
    if isinstance(value, Mapping):
        parts = [(v, k) for k, v in value.items() if v is not None]
        told = [
            f"{v:g} s" if k == "seconds" else f"{v:,} questions" if k == "examples" else f"{k} {v}" for v, k in parts
        ]
        return ", ".join(told)
    return "" if value is None else str(value)


def words(value: Any) -> str:
    """A setting as words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {words(v)}" for k, v in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        held = list(value)
        if len(held) == 2 and all(isinstance(v, int) for v in held):
            return f"{held[0]:,} to {held[1]:,}"
        return ", ".join(words(v) for v in held)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return NONE if value is None else str(value)


def lead(figures: Figures) -> str:
    """The outcome in a sentence or two."""
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
        return "No reasoner has answers." if not figures.working else "No question has a known answer."
    return " ".join(parts)


def _reached(r: RunFigures) -> float:
    return r.overall.accuracy or 0.0


def _words(score: Score) -> str:
    return f"{percent(score.accuracy)} % ({interval(score)})"


def notes(figures: Figures) -> list[str]:
    """What readers of the tables have to know besides."""
    c = figures.comparison
    told = []
    if c.bad:
        first = f"; the first: {c.bad_first}" if c.bad_first else ""
        told.append(f"{c.bad:,} {'record' if c.bad == 1 else 'records'} could not be used and are left out{first}")
    unscored = len(c.queries) - len(figures.scored)
    if unscored:
        told.append(f"{questions(unscored)} without a known answer {'is' if unscored == 1 else 'are'} not scored")
    for r in figures.runs:
        if r.run.failure is not None:
            told.append(f"{r.run.title}: failed: {r.run.failure}")
            continue
        if r.run.stopped == "time":
            seen = f"{questions(r.run.examples)} in {duration(r.run.seconds)}"
            told.append(f"{r.run.title}: its time ran out before its training was finished, after {seen}")
        if r.guesses:
            what = "answer is a guess" if r.guesses == 1 else "answers are guesses"
            told.append(f"{r.run.title}: {r.guesses:,} {what}; {_first(r.run, guess=True)}")
        if r.unanswered:
            told.append(f"{r.run.title}: no answer to {questions(r.unanswered)}{_why(r.run)}")
    return told


def _why(run: Run) -> str:
    why = _first(run, guess=False)
    return f"; {why}" if why else ""


def _first(run: Run, *, guess: bool) -> str:
    for place, message in sorted(run.errors.items()):
        answered = place < len(run.answers) and run.answers[place] is not None
        if answered == guess:
            return f"the first: {message}"
    return ""


def reply(figures: Figures, run: Run, place: int) -> tuple[str, str, bool]:
    """What a run answers to a question, its score as per cent or "", and whether it is right."""
    said = run.answers[place] if place < len(run.answers) else None
    score = run.scores[place] if place < len(run.scores) else None
    right = said is not None and said == figures.comparison.queries[place].answer
    return (
        "no answer" if said is None else said,
        "" if score is None or said is None else f"{100 * score:.0f} %",
        right,
    )
