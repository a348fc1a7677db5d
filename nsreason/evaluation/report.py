"""The outcome of an evaluation: accuracy by type of question, the task's metrics, failures, bad records, speed, and
sections of its own on what was perceived or learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import msgspec

from ..data.predictions import Prediction
from ..pages.tables import Heading, Note, ReportTable, TableRow
from ..queries.scores import Score
from ..queries.scoring import Figure, Metric

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

TYPES = ("count", "exist", "compare number", "compare attribute", "query", "logic", "object", "objects")
EXAMPLES = 5  # kept of each kind of failure


@dataclass
class Failures:
    """Questions without an exact answer, of one kind of error."""

    count: int = 0
    answered: int = 0  # of them, those that `on_error="answer"` found an answer for
    examples: list[dict[str, object]] = field(default_factory=list)

    def add(self, other: Failures) -> None:
        self.count += other.count
        self.answered += other.answered
        self.examples = (self.examples + other.examples)[:EXAMPLES]

    def to_dict(self) -> dict[str, object]:
        return {"count": self.count, "answered": self.answered, "examples": self.examples}


class Section(Protocol):
    """A part of a report beside its questions: what was perceived in images, what a learner knows."""

    key: ClassVar[str]
    """Its name in the report's JSON object."""

    def table(self) -> RenderableType:
        """For a terminal."""

    def to_markdown(self) -> str:
        """As Markdown."""

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""


@dataclass
class Report:
    """The outcome of an evaluation; reports of parts add up.

    `overall`, `by_type` and `by_op` count scored questions: sound records with a reference answer, less skipped ones.
    """

    settings: dict[str, object] = field(default_factory=dict)
    """What was evaluated, on what, and how."""
    questions: int = 0
    """All records, bad ones included."""
    unscored: int = 0
    """Without a reference answer."""
    skipped: int = 0
    """Without an exact answer, and left out."""
    overall: Score = field(default_factory=Score)
    by_type: dict[str, Score] = field(default_factory=dict)
    by_op: dict[tuple[str, str], Score] = field(default_factory=dict)
    match: Score = field(default_factory=Score)
    """Parsed programs that are equivalent to the given ones, where files give them."""
    failures: dict[str, Failures] = field(default_factory=dict)
    """By class of error, questions that have no exact answer."""
    bad: Failures = field(default_factory=Failures)
    """Question records that could not be used, by count and the first few; never scored."""
    scenes: int = 0
    """Scenes or images that questions are about."""
    bad_scenes: Failures = field(default_factory=Failures)
    """Those that could not be used."""
    warned: Failures = field(default_factory=Failures)
    """Images unlike those that were learned from, or transparent; their questions are scored."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Spent on each step (summed over processes), and from start to end (total)."""
    resumed: int = 0
    """Questions taken over from an interrupted run."""
    metrics: list[Metric] = field(default_factory=list)
    """The task's metrics, beside the accuracy above."""
    sections: list[Section] = field(default_factory=list)
    """What else was found out."""

    @property
    def figures(self) -> dict[str, Figure]:
        """What the metrics came to, by name."""
        return {figure.name: figure for figure in (metric.figure for metric in self.metrics)}

    def add(self, line: Prediction) -> None:
        """Count one prediction."""
        self.questions += 1
        status = line.status
        if status == "bad":
            self.bad.add(Failures(1, 0, [_example(line)]))
            return
        if line.error is not None:
            kind = str(line.error.get("kind"))
            answered = 0 if line.prediction is None else 1
            self.failures.setdefault(kind, Failures()).add(Failures(1, answered, [_example(line)]))
        if line.program_match is not None:
            self.match.total += 1
            self.match.right += line.program_match
        if status == "unscored":
            self.unscored += 1
        elif status == "skipped":
            self.skipped += 1
        else:
            right = status == "right"
            kind = line.type or "unknown"
            for score in (
                self.overall,
                self.by_type.setdefault(kind, Score()),
                self.by_op.setdefault((kind, line.op or kind), Score()),
            ):
                score.total += 1
                score.right += right

    def merge(self, other: Report) -> None:
        """Add the counts and seconds of another part of the same evaluation."""
        self.questions += other.questions
        self.unscored += other.unscored
        self.skipped += other.skipped
        self.overall.add(other.overall)
        self.match.add(other.match)
        self.bad.add(other.bad)
        for kind, score in other.by_type.items():
            self.by_type.setdefault(kind, Score()).add(score)
        for op, score in other.by_op.items():
            self.by_op.setdefault(op, Score()).add(score)
        for name, failures in other.failures.items():
            self.failures.setdefault(name, Failures()).add(failures)
        for name, seconds in other.seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        for mine, theirs in zip(self.metrics, other.metrics, strict=True):
            mine.merge(theirs)

    @property
    def accuracy(self) -> float | None:
        """The overall accuracy, or None when nothing was scored."""
        return self.overall.accuracy

    @property
    def answering(self) -> float:
        """Seconds that the reasoner took, over all processes."""
        return sum(v for k, v in self.seconds.items() if k not in ("reading", "scoring", "total"))

    @property
    def rate(self) -> float | None:
        """Questions a second of this run, reading included."""
        total = self.seconds.get("total", 0.0)
        return (self.questions - self.resumed) / total if total > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON data."""
        ops: dict[str, Any] = {}
        for kind, op, score in self._rows():
            if op is not None:
                ops[op] = score.to_dict() | {"type": kind}
        return {
            "settings": self.settings,
            "questions": self.questions,
            "scenes": self.scenes,
            "unscored": self.unscored,
            "skipped": self.skipped,
            "overall": self.overall.to_dict(),
            "by_type": {kind: self.by_type[kind].to_dict() for kind in self._types()},
            "by_op": ops,
            "program_match": self.match.to_dict() if self.match.total else None,
            "failures": {kind: f.to_dict() for kind, f in sorted(self.failures.items())},
            "bad_questions": self.bad.to_dict(),
            "bad_scenes": self.bad_scenes.to_dict(),
            "warned_images": self.warned.to_dict(),
            "seconds": {k: round(v, 6) for k, v in self.seconds.items()},
            "questions_per_second": self.rate,
            "resumed": self.resumed,
            **({"metrics": [msgspec.to_builtins(f) for f in self.figures.values()]} if self.metrics else {}),
            **{section.key: section.to_dict() for section in self.sections},
        }

    def _types(self) -> list[str]:
        return sorted(self.by_type, key=lambda t: TYPES.index(t) if t in TYPES else len(TYPES))

    def _rows(self) -> Iterator[tuple[str, str | None, Score]]:
        """(type, None, score) for each type, and (type, op, score) under it for its ops."""
        for kind in self._types():
            yield kind, None, self.by_type[kind]
            for (of, op), score in sorted(self.by_op.items()):
                if of == kind:
                    yield kind, op, score

    def _notes(self) -> list[Note]:
        """What stands below the table."""
        notes = []
        for figure in self.figures.values():
            if figure.name != "accuracy":
                missing = f", {figure.missing:,} without" if figure.missing else ""
                notes.append(Note(f"{figure.text} of {figure.total:,} {figure.unit}{missing}", figure.name))
        if self.match.total:
            notes.append(Note(f"{_percent(self.match)} of {self.match.total:,}", "program match"))
        for kind, f in sorted(self.failures.items()):
            answered = f", {f.answered:,} answered by the lenient rule" if f.answered else ""
            notes.append(Note(f"{f.count:,}{answered}", f"no exact answer: {kind}", _first_examples(f)))
        beside = (("bad question records", self.bad), ("bad scene records", self.bad_scenes))
        for what, f in (*beside, ("images warned of", self.warned)):
            if f.count:
                notes.append(Note(f"{f.count:,}", what, _first_examples(f)))
        if self.skipped:
            notes.append(Note(f"{self.skipped:,} without an answer, left out of the accuracy", "skipped"))
        if self.unscored:
            notes.append(Note(f"{self.unscored:,} without a reference answer", "unscored"))
        if self.resumed:
            notes.append(Note(f"{self.resumed:,} taken over from an interrupted run", "resumed"))
        if self.rate is not None:
            parts = ", ".join(f"{k} {v:.1f} s" for k, v in self.seconds.items() if k != "total")
            spent = f"{self.seconds['total']:.1f} s" + (f": {parts}" if parts else "")
            notes.append(Note(f"{self.rate:,.0f} questions/s ({spent})", "speed"))
        return notes

    def scores(self) -> ReportTable:
        """The accuracy by type and op, with the notes below it."""
        listed = [row for row in self._rows() if row[1] != row[0]]  # a type of a single op says it all
        rows = [
            TableRow(
                Heading(kind if op is None else op, inner=op is not None),
                _cells(score),
                ends_section=i + 1 == len(listed) or listed[i + 1][1] is None,
            )
            for i, (kind, op, score) in enumerate(listed)
        ]
        rows.append(TableRow(Heading("all", strong=True), _cells(self.overall)))
        columns = ("questions", "right", "accuracy", "95 % interval")
        return ReportTable("question type", columns, tuple(rows), title=_title(self), notes=tuple(self._notes()))

    def table(self) -> Group:
        """The report for a terminal, as a rich renderable."""
        from rich.console import Group

        return Group(self.scores(), *(section.table() for section in self.sections))

    def to_markdown(self) -> str:
        """The report as a Markdown table with its notes."""
        return "\n".join([*self.scores().markdown(), "", *(section.to_markdown() for section in self.sections)])


def _title(report: Report) -> str:
    settings = report.settings
    about = [f"{report.scenes:,} scenes"] if report.scenes or "scenes" in settings else []
    about += [f"{settings['programs']} programs"] if "programs" in settings else []
    return ", ".join([f"{report.questions:,} questions", *about])


def _example(line: Prediction) -> dict[str, object]:
    return {"question_index": line.question_index, "message": (line.error or {}).get("message", "")}


def _shown(example: dict[str, object]) -> str:
    index = example.get("question_index")
    return str(example["message"]) if index is None else f"question {index}: {example['message']}"


def _first_examples(failures: Failures) -> tuple[str, ...]:
    return tuple(map(_shown, failures.examples[:2]))


def _percent(score: Score) -> str:
    return "-" if score.accuracy is None else f"{100 * score.accuracy:.2f} %"


def _cells(score: Score) -> tuple[str, str, str, str]:
    low, high = score.interval
    interval = f"{100 * low:.2f} - {100 * high:.2f}" if score.total else "-"
    return f"{score.total:,}", f"{score.right:,}", _percent(score), interval
