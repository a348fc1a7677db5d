"""From a query and its reply to a line of predictions: what is right, what is left out, what stops an evaluation."""

from __future__ import annotations

from typing import Literal

from ..data.answers import reference_answer
from ..data.predictions import Prediction
from ..data.records import BadRecord
from ..dsl.domain import Domain
from ..errors import DataError, ExecutionError, NsreasonError, QuestionError
from ..programs.program import Program
from ..programs.question_types import QuestionTypes
from ..queries.query import Query, Reply

OnError = Literal["answer", "skip", "raise"]
"""What becomes of a question without an exact answer: its guess is scored, it is left out, or the evaluation ends."""


class Unanswered(ExecutionError):  # noqa: N818 - named as NotUnique is, by what happened
    """A question that has no exact answer; `cause` is the record of the error that says why."""

    def __init__(self, message: str, *, question_index: int, cause: dict[str, object]) -> None:
        super().__init__(message)
        self.question_index, self.cause = question_index, cause

    def record(self) -> dict[str, object]:
        return super().record() | {"question_index": self.question_index, "cause": self.cause}


class Judge:
    """Scores replies, one by one."""

    def __init__(self, on_error: OnError = "answer", domain: Domain | None = None) -> None:
        """
        Args:
            domain: where given, questions get their types from their programs, and reference answers are spelled and
                checked as answers of the domain. Without one the queries' own types and answers count.
        """
        self.on_error, self.domain = on_error, domain
        self._types = None if domain is None else QuestionTypes(domain)

    def bad(self, record: BadRecord, image_index: int | None = None) -> Prediction:
        """The line of a record that cannot be used."""
        return Prediction(record.index, "bad", image_index, error=record.error.record())

    def line(self, query: Query, reply: Reply, image_index: int | None = None, where: str = "") -> Prediction:
        """The line of a query.

        Args:
            image_index: of the query's image or scene, where it has one.
            where: the record's place in its file, for messages.

        Raises:
            Unanswered: there is no exact answer, and `on_error` is `raise`.
        """
        typed = query.program if query.program is not None else reply.program
        type_, op = self._kind(query, typed)
        line = Prediction(query.index, "unscored", image_index, type_, op, query.expected)
        try:
            right = self._right(query, reply, typed, line)
        except DataError as error:
            line.status = "bad"
            line.error = {"kind": "DataError", "message": f"{error} - at `{where}.answer`" if where else str(error)}
            return line
        if reply.error is not None:
            line.error = reply.error.record()
            if self.on_error == "raise":
                raise _unanswered(query, reply.error)
        if reply.error is None or self.on_error == "answer":
            line.prediction = reply.said(query)
        if query.program is not None and (reply.program is not None or isinstance(reply.error, QuestionError)):
            line.program_match = reply.program is not None and _equivalent(reply.program, query.program)
        if reply.error is not None and self.on_error == "skip":
            line.status = "skipped"
        elif query.scored:
            line.correct = right and line.prediction is not None
            line.status = "right" if line.correct else "wrong"
        return line

    def _kind(self, query: Query, program: Program | None) -> tuple[str | None, str | None]:
        if self._types is None:
            return query.type, None
        return (None, None) if program is None else self._types(program)

    def _right(self, query: Query, reply: Reply, program: Program | None, line: Prediction) -> bool:
        """Whether the reply is right; the line's answer is spelled as the domain's.

        Raises:
            DataError: the answer is none of the domain's, or option scores do not fit the choices.
        """
        if self.domain is None or query.choices:
            return query.scored and reply.right(query)
        line.answer = reference_answer(query.answer, self.domain, None if program is None else program.kind)
        return line.answer is not None and line.answer == reply.answer


def _unanswered(query: Query, error: NsreasonError) -> Unanswered:
    text = f" ({query.text})" if query.text else ""
    message = f"question {query.index}{text}: {error}"
    return Unanswered(message, question_index=query.index, cause=error.record())


def _equivalent(a: Program, b: Program) -> bool:
    from ..programs.canonical import equivalent

    return a == b or equivalent(a, b)
