"""One way to evaluate: any reasoner, any queries, the metrics of the task.

    report = evaluate(reasoner, queries, ("accuracy", "joint"))
    report.accuracy, report.figures, report.to_dict(), report.to_markdown()

`Evaluation` is what every evaluation runs, part by part: whole question files (`question_files`), images (`images`),
checkpoints (`checkpoints`) and comparisons. What happens to a question without an exact answer is said by `on_error`:

* `answer` (default): the reasoner's guess is scored like any other answer. Without a guess it is wrong.
* `skip`: it is left out of the accuracy, and counted apart.
* `raise`: the evaluation ends there with Unanswered, which names the question.

Records that cannot be used are never scored and always counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, get_args

import msgspec

from ..data.predictions import Prediction
from ..data.records import BadRecord
from ..errors import DataError, NsreasonError
from ..io.decoding import valid_text
from ..queries.query import Query, Reply
from ..queries.scoring import make_metrics
from .judge import Judge, OnError
from .report import Report

if TYPE_CHECKING:
    from ..dsl.domain import Domain
    from ..reasoners.reasoner import Reasoner

Progress = Callable[[int, int | None], None]
Take = Callable[[Query, Reply], None]


class Item(NamedTuple):
    """A query of an evaluation, and what is known of the record that it comes from."""

    query: Query
    image_index: int | None = None
    where: str = ""
    """The record's place in its file, for messages."""
    fault: NsreasonError | None = None
    """Why the reasoner need not be asked."""


class Evaluation:
    """Answers and scores queries, part by part; the reports of parts add up."""

    def __init__(
        self,
        reasoner: Reasoner,
        metrics: Sequence[str] = (),
        judge: Judge | None = None,
        take: Take | None = None,
        name: str = "the reasoner",
    ) -> None:
        """
        Args:
            metrics: names of `nsreason.registry.METRICS`, beside the accuracy that every report has.
            judge: None scores by the queries' own answers.
            take: called with each query and its reply.
            name: of the reasoner, for messages.

        Raises:
            RecipeError: there is no such metric.
        """
        make_metrics(metrics)
        self.reasoner, self.metrics, self.name = reasoner, tuple(metrics), name
        self.judge, self.take = judge or Judge(), take

    def part(self, items: Sequence[Item | Prediction]) -> tuple[list[Prediction], Report]:
        """The lines of some queries, in order, and their part of the report.

        Args:
            items: a line in place of a query is taken as it is: a record that cannot be used.

        Raises:
            Unanswered: a question has no exact answer, and the judge says to raise.
            DataError: the number of replies, or of their option scores, is not that of the queries.
        """
        asked = [item.query for item in items if isinstance(item, Item) and item.fault is None]
        before = dict(getattr(self.reasoner, "seconds", {}))
        began = perf_counter()
        replies = self.reasoner.answer(asked)
        answered = perf_counter()
        if len(replies) != len(asked):
            raise DataError(f"{self.name} gave {len(replies)} replies to {len(asked)} questions")
        report = Report(metrics=make_metrics(self.metrics))
        lines: list[Prediction] = []
        next_reply = iter(replies)
        for item in items:
            if isinstance(item, Prediction):
                lines.append(item)
                continue
            reply = next(next_reply) if item.fault is None else Reply(None, error=item.fault)
            line = self.judge.line(item.query, reply, item.image_index, item.where)
            lines.append(line)
            if line.status != "bad":
                for metric in report.metrics:
                    metric.add(item.query, reply)
            if self.take is not None:
                self.take(item.query, reply)
        for line in lines:
            report.add(line)
        after: dict[str, float] = getattr(self.reasoner, "seconds", {})
        inside = {name: after[name] - before.get(name, 0.0) for name in after}
        rest = {"scoring": perf_counter() - answered}
        report.seconds = (inside or {"answering": answered - began}) | rest
        return lines, report


def evaluate(
    reasoner: Reasoner,
    queries: Iterable[Query | BadRecord],
    metrics: Sequence[str] = ("accuracy",),
    *,
    on_error: OnError = "answer",
    domain: Domain | None = None,
    batch_size: int | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    take: Take | None = None,
    settings: dict[str, object] | None = None,
    name: str = "the reasoner",
) -> Report:
    """Ask a reasoner all queries and score its replies.

    Args:
        queries: bad records among them are counted, never scored.
        metrics: names of `nsreason.registry.METRICS`, or `module:Class`.
        on_error: what becomes of questions without an exact answer; see above.
        domain: question types are then read off programs, and answers are spelled as the domain's; see `Judge`.
        batch_size: how many queries the reasoner is asked at once; None asks all.
        out: a file for the predictions, one JSON line a query.
        progress: called with the number of answered queries, and of all, after each batch.
        take: called with each query and its reply, in order.
        settings: of the report: what was evaluated on what.
        name: of the reasoner, for messages.

    Raises:
        RecipeError: there is no such metric.
        Unanswered: a question has no exact answer, and `on_error` is `raise`.
        DataError: `out` cannot be written, or replies do not fit the queries.
        ValueError: `on_error` or `batch_size` is none.
    """
    if on_error not in get_args(OnError) or (batch_size is not None and batch_size < 1):
        raise ValueError(f"on_error is one of {get_args(OnError)} and batch_size at least 1")
    began = perf_counter()
    judge = Judge(on_error, domain)
    evaluation = Evaluation(reasoner, metrics, judge, take, name)
    items = [judge.bad(q) if isinstance(q, BadRecord) else Item(q) for q in queries]
    report = Report(settings or {}, metrics=make_metrics(metrics))
    lines: list[Prediction] = []
    for at in range(0, len(items), batch_size or max(1, len(items))):
        part, figures = evaluation.part(items[at : at + (batch_size or len(items))])
        report.merge(figures)
        lines += part if out is not None else []
        if progress is not None:
            progress(report.questions, len(items))
    if out is not None:
        write_lines(out, lines)
    report.seconds["total"] = perf_counter() - began
    return report


def write_lines(out: str | Path, lines: Sequence[Prediction]) -> None:
    """Write a prediction file; `-` is standard output.

    Raises:
        DataError: it cannot be written.
    """
    import sys

    from ..io.files import atomic_write

    text = encoded(lines)
    if str(out) == "-":
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        return
    with atomic_write(out) as file:
        file.write(text)


def encoded(lines: Sequence[Prediction]) -> bytes:
    """Lines as JSON, one each; a message that names a file whose name is no UTF-8 is escaped."""
    with contextlib.suppress(UnicodeEncodeError):
        return _ENCODER.encode_lines(lines)
    for line in lines:
        message = (line.error or {}).get("message")
        if line.error is not None and isinstance(message, str):
            line.error = line.error | {"message": valid_text(message)}
    return _ENCODER.encode_lines(lines)


_ENCODER = msgspec.json.Encoder()
