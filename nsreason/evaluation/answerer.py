"""From a chunk of question records to predictions: decode, program, execute, compare.

What each process of an evaluation runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import msgspec

from ..data.answers import reference_answer
from ..data.predictions import Prediction
from ..data.questions import QuestionRecord, decode_program, decode_question
from ..data.records import Records
from ..data.scenes import SceneFile
from ..dsl.domain import Domain
from ..errors import DataError, ExecutionError, NsreasonError
from ..io.decoding import valid_text
from ..programs.program import Program
from ..programs.question_types import QuestionTypes
from .report import Report

ProgramSource = Literal["given", "parsed"]
OnError = Literal["answer", "skip", "raise"]


@dataclass(frozen=True, slots=True)
class Options:
    """How to answer; `keep` says whether prediction lines are wanted."""

    programs: ProgramSource = "given"
    on_error: OnError = "answer"
    keep: bool = True


class Unanswered(ExecutionError):  # noqa: N818 - named as NotUnique is, by what happened
    """A question that has no exact answer; `cause` is the record of the error that says why."""

    def __init__(self, message: str, *, question_index: int, cause: dict[str, object]) -> None:
        super().__init__(message)
        self.question_index, self.cause = question_index, cause

    def record(self) -> dict[str, object]:
        return super().record() | {"question_index": self.question_index, "cause": self.cause}


@dataclass(slots=True)
class _Asked:
    """A question on its way through a chunk."""

    told: Prediction
    record: QuestionRecord
    place: int  # of its scene
    given: Program | None = None
    program: Program | None = None  # the one to execute
    error: NsreasonError | None = None  # why there is no program, or no exact answer


class Answerer:
    """Answers chunks of records on the scenes of one file."""

    def __init__(self, scenes: SceneFile, domain: Domain, options: Options) -> None:
        self.scenes, self.domain, self.options = scenes, domain, options
        self._types = QuestionTypes(domain)
        self._encoder = msgspec.json.Encoder()

    def answer(self, chunk: Records, at: int) -> tuple[bytes, Report]:
        """The prediction lines of a chunk whose first record is number `at`, and its part of the report.

        Raises:
            Unanswered: a question has no exact answer, and the options say to raise.
        """
        began = perf_counter()
        records = [self._read(chunk, i, at) for i in range(len(chunk))]
        read = perf_counter()
        asked: list[_Asked] = []
        lines: list[Prediction] = []
        for record_place, found in enumerate(records):
            if isinstance(found, Prediction):
                lines.append(found)
            else:
                record, place = found
                told = Prediction(record.index, "unscored", record.image_index, answer=record.answer)
                lines.append(told)
                one = _Asked(told, record, place)
                self._find_program(one)
                if self._has_reference(one, chunk.where(record_place)):
                    asked.append(one)
        parsed = perf_counter()
        self._execute(asked)
        executed = perf_counter()
        for a in asked:
            self._score(a)
        report = Report()
        for told in lines:
            report.add(told)
        text = self._encoded(lines) if self.options.keep else b""
        report.seconds = {
            "reading": read - began,
            "parsing": parsed - read,
            "executing": executed - parsed,
            "scoring": perf_counter() - executed,
        }
        return text, report

    def _encoded(self, lines: list[Prediction]) -> bytes:
        try:
            return self._encoder.encode_lines(lines)
        except UnicodeEncodeError:  # a message names a file whose name is no UTF-8
            for told in lines:
                said = (told.error or {}).get("message")
                if told.error is not None and isinstance(said, str):
                    told.error = told.error | {"message": valid_text(said)}
            return self._encoder.encode_lines(lines)

    def _read(self, chunk: Records, i: int, at: int) -> tuple[QuestionRecord, int] | Prediction:
        index, image, where = at + i, None, chunk.where(i)
        try:
            record = decode_question(chunk[i], at + i, where)
            index, image = record.index, record.image_index
            place = self.scenes.place(record.image_index, record.image_filename)
            lacks = "program" if self.options.programs == "given" else "question"
            if getattr(record, lacks) is None:
                other = "parsed" if lacks == "program" else "given"
                raise DataError(f"the record has no {lacks}; {other} programs may do")
        except DataError as error:
            message = str(error) if where in str(error) else f"{error} - at `{where}`"
            return Prediction(index, "bad", image, error={"kind": "DataError", "message": message})
        return record, place

    def _find_program(self, asked: _Asked) -> None:
        """Fill in the programs, type and op; where there is none to execute, the error says why."""
        told, record = asked.told, asked.record
        given = program = None
        error: NsreasonError | None = None
        if record.program is not None:
            try:
                given = decode_program(record.program, self.domain)
            except NsreasonError as found:
                error = found
        if self.options.programs == "given":
            program = given
        else:
            from ..language.question_parser import parse_question

            try:
                program, error = parse_question(record.question or "", self.domain), None
            except NsreasonError as found:
                error = found
        typed = given if given is not None else program
        if typed is not None:
            told.type, told.op = self._types(typed)
        if program is None:
            asked.error = error
        asked.given, asked.program = given, program

    def _has_reference(self, asked: _Asked, where: str) -> bool:
        """Spell the reference answer as executors do; False, and a bad record, where it is none of the domain's."""
        typed = asked.given if asked.given is not None else asked.program
        try:
            asked.told.answer = reference_answer(asked.told.answer, self.domain, None if typed is None else typed.kind)
        except DataError as error:
            asked.told.status = "bad"
            asked.told.error = {"kind": "DataError", "message": f"{error} - at `{where}.answer`"}
            return False
        return True

    def _execute(self, asked: list[_Asked]) -> None:
        from ..executors import SceneBatch, execute_batch, spell

        ready = [a for a in asked if a.program is not None]
        # A batch of this chunk's scenes alone: a scene that lacks a relation then slows its own chunk only.
        place = {p: i for i, p in enumerate(dict.fromkeys(a.place for a in ready))}
        batch = SceneBatch([self.scenes.scenes[p] for p in place])
        programs = [a.program for a in ready if a.program is not None]
        answers = execute_batch(programs, batch, [place[a.place] for a in ready])
        for a, answer in zip(ready, answers, strict=True):
            if isinstance(answer, NsreasonError):
                a.error = answer
                if self.options.on_error == "answer":
                    a.told.prediction = self._leniently(a)
            else:
                a.told.prediction = spell(answer)

    def _leniently(self, asked: _Asked) -> str | None:
        from ..executors import spell
        from ..executors.lenient import execute_leniently

        assert asked.program is not None
        try:
            answer = execute_leniently(asked.program, self.scenes.scenes[asked.place])
        except NsreasonError:
            return None
        return None if answer is None else spell(answer)

    def _score(self, asked: _Asked) -> None:
        told, policy = asked.told, self.options.on_error
        if asked.error is not None:
            told.error = asked.error.record()
            if policy == "raise":
                raise _unanswered(asked.record, asked.error)
        if self.options.programs == "parsed" and asked.given is not None:
            told.program_match = asked.program is not None and _equivalent(asked.program, asked.given)
        if told.error is not None and policy == "skip":
            told.status = "skipped"
        elif told.answer is not None:
            told.correct = told.prediction == told.answer
            told.status = "right" if told.correct else "wrong"


def _unanswered(record: QuestionRecord, error: NsreasonError) -> Unanswered:
    text = f" ({record.question})" if record.question else ""
    message = f"question {record.index}{text}: {error}"
    return Unanswered(message, question_index=record.index, cause=error.record())


def _equivalent(a: Program, b: Program) -> bool:
    from ..programs.canonical import equivalent

    return a == b or equivalent(a, b)
