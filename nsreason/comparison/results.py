"""What a comparison found: the answers of reasoners to the same questions, and all that is drawn from them.

    found = Comparison.from_json(path.read_bytes(), path)
    found.runs[0].accuracy(found.queries)

No torch is imported here. `nsreason.comparison.comparer` makes it, `nsreason.comparison.text` tells it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..errors import DataError
from ..io.decoding import Count, Seconds, Whole, check_plain, decode
from ..queries.answer_text import same_answer
from ..queries.scoring import Figure
from ..reasoners.reasoner import Kind

REMEDY = "remove it, to have it made anew"


@dataclass(frozen=True, slots=True)
class ComparedQuestion:
    """A question that all were asked: `Query` without what there is to see."""

    index: Whole
    text: str | None
    answer: str | None
    type: str
    group: str = ""
    facts: Mapping[str, Whole] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReasonerRun:
    """One reasoner, at one size of its training set.

    Attributes:
        reasoner: its name. kind: `symbolic`, `soft` or `neural`; see `reasoner.ReasonerFactory`.
        size: training questions; None for one that does not learn.
        learned: whether it learned anything here.
        failure: why it has no answers, in its error's words; None if it has.
        answers: its answer to each question, in their order; None where it had none. Empty if it failed.
        scores: how likely it held its answer, from 0 to 1; None where it did not say.
        errors: the place of a question -> why it has no answer, or why the answer is a guess.
        parameters: how many numbers it learned.
        seconds: of training. epochs, examples: how far it came; questions seen, each counted whenever it was.
        stopped: `finished` what the budget was planned to, or out of `time`.
        answering: seconds that all answers took.
        first: seconds until it was ready: made, or read from what had been learned.
        settings: of its training, as its recipe has them.
        figures: what the task's metrics came to, beside accuracy.
    """

    reasoner: str
    kind: Kind
    size: Count | None = None
    learned: bool = False
    failure: str | None = None
    answers: tuple[str | None, ...] = ()
    scores: tuple[float | None, ...] = ()
    errors: Mapping[Count, str] = field(default_factory=dict)
    parameters: Count = 0
    seconds: Seconds = 0.0
    epochs: Count = 0
    examples: Count = 0
    stopped: str = ""
    answering: Seconds = 0.0
    first: Seconds = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()

    def __post_init__(self) -> None:
        check_plain(self.settings, "settings")

    @property
    def title(self) -> str:
        """`lstm, 1,000 questions`; only the name where nothing was learned."""
        return self.reasoner if self.size is None else f"{self.reasoner}, {self.size:,} questions"

    def fault(self, questions: int) -> str | None:
        """Why this is no run over so many questions; None if it is one."""
        expected = questions if self.failure is None else 0
        for name, number in (("answers", len(self.answers)), ("scores", len(self.scores))):
            if number != expected:
                return f"{number} {name} to {expected} questions"
        outside = next((place for place in self.errors if place >= questions), None)
        return None if outside is None else f"an error of question {outside}, of {questions}"


@dataclass(frozen=True, slots=True)
class ComparedExample:
    """A question on which reasoners differ.

    Attributes:
        place: of the question among the comparison's.
        trace: how a symbolic reasoner answers it, as lines of text; None if none can.
        of: that reasoner's name.
        scene: a drawing of what is asked about, as an SVG element; None if there is none.
        story: what is asked about in words; None if there is none.
    """

    place: Count
    trace: str | None = None
    of: str = ""
    scene: str | None = None
    story: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Reasoners side by side.

    Attributes:
        settings: what decided the comparison: `task`, `source`, `task_settings`, `reasoners`, `sizes`, `budget`,
            `seed`, `sees`, `limit`, `train_within`, `version`.
        trained: the least and the most of each fact among the questions that were learned from.
        machine, date: where and when.
        bad: records of the files that could not be used; `bad_first` says why, of the first.
    """

    settings: Mapping[str, Any]
    queries: tuple[ComparedQuestion, ...]
    runs: tuple[ReasonerRun, ...]
    examples: tuple[ComparedExample, ...] = ()
    trained: Mapping[str, tuple[Whole, Whole]] = field(default_factory=dict)
    machine: str = ""
    date: str = ""
    bad: Count = 0
    bad_first: str = ""

    def __post_init__(self) -> None:
        check_plain(self.settings, "settings")

    def right(self, run: ReasonerRun) -> list[bool]:
        """Of each question, whether a run's answer is right; nothing for a run that failed."""
        return [same_answer(a, q.answer) for a, q in zip(run.answers, self.queries, strict=False)]

    @property
    def failed(self) -> tuple[ReasonerRun, ...]:
        """The runs that have no answers."""
        return tuple(run for run in self.runs if run.failure is not None)

    def best(self) -> list[ReasonerRun]:
        """Of each reasoner the run with the most training questions that did not fail; else one that failed."""
        best_runs: dict[str, ReasonerRun] = {}
        for run in self.runs:
            other = best_runs.get(run.reasoner)
            if other is None or (run.failure is None, run.size or 0) >= (other.failure is None, other.size or 0):
                best_runs[run.reasoner] = run
        return list(best_runs.values())

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON; `from_dict` reads it."""
        record: dict[str, Any] = msgspec.to_builtins(self, str_keys=True)
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Comparison:
        """What `to_dict` made.

        Raises:
            DataError: it is no comparison; the message says where.
        """
        try:
            data = msgspec.json.encode(record)  # whose keys are texts, of dicts from JSON and from `to_dict` alike
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise DataError(f"a dict: not a comparison: {error}") from None
        return cls.from_json(data, "a dict")

    @classmethod
    def from_json(cls, data: bytes, where: object) -> Comparison:
        """The same from the JSON text of a comparison.json; `where` is its path, for messages.

        Raises:
            DataError: it is no comparison; the message says where.
        """
        return decode(data, cls, where, what="a comparison", remedy=REMEDY)._checked(where)

    def _checked(self, where: object) -> Comparison:
        number = len(self.queries)
        faults = [f"{run.title}: {fault}" for run in self.runs if (fault := run.fault(number))]
        faults += [f"an example of question {e.place}, of {number}" for e in self.examples if e.place >= number]
        if faults:
            raise DataError(f"{where}: not a comparison: {faults[0]}; {REMEDY}")
        return self
