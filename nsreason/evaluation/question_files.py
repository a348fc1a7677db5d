"""Whole question files: every question answered on its annotated scene, in chunks, in this process or in several.

    report = evaluate_files("CLEVR_val_questions.json", "CLEVR_val_scenes.json", out="predictions.jsonl", jobs=4)
    report.accuracy, report.to_dict(), report.to_markdown()

Files are larger than what is worth holding as queries, so each chunk of records is decoded, asked of the reasoner that
executes programs on annotated scenes, and scored by itself. The result does not depend on the number of processes. A
run that was interrupted leaves its predictions in a journal, from which the next one goes on.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, get_args

import msgspec

from ..data.predictions import Journal, Prediction, Stream
from ..data.questions import QuestionRecord, decode_program, decode_question
from ..data.records import Records, read_records
from ..data.scenes import PackedScenes, SceneFile, load_scenes
from ..dsl.domain import Domain, load_domain
from ..errors import DataError, NsreasonError
from ..io.locks import locked_file
from ..language.parsers import QuestionParser, program_source, source_name
from ..queries.query import Query
from ..reasoners.annotated_scenes import AnnotatedScenes
from ..reasoners.executing import Executing
from ..registry import PARSERS
from ..scenes.scene import Scene
from .evaluator import Evaluation, Item, Progress, encoded
from .judge import Judge, OnError
from .report import EXAMPLES, Failures, Report

Programs = str | QuestionParser
"""`given`, `parsed` (by the grammar), another parser's name or the parser; see `nsreason.language.parsers`."""

Chunks = Iterator[tuple[int, Records]]
Part = tuple[bytes, Report]

CHUNK = {"given": 4096, "parsed": 512}  # of any parser: as `parsed`
_AHEAD = 3  # chunks on their way for each process


@dataclass(frozen=True, slots=True)
class Options:
    """How to answer."""

    programs: Programs = "given"
    on_error: OnError = "answer"
    keep: bool = True
    """Whether prediction lines are wanted."""


class ChunkEvaluation:
    """Evaluates chunks of records on the scenes of one file: what each process runs."""

    def __init__(self, scenes: SceneFile, domain: Domain, options: Options) -> None:
        self.scenes, self.domain, self.options = scenes, domain, options
        reasoner = Executing(AnnotatedScenes(), options.programs, domain, lenient=options.on_error == "answer")
        self._evaluation = Evaluation(reasoner, judge=Judge(options.on_error, domain))

    def part(self, chunk: Records, at: int) -> Part:
        """The prediction lines of a chunk whose first record is number `at`, and its part of the report.

        Raises:
            Unanswered: a question has no exact answer, and the options say to raise.
        """
        began = perf_counter()
        items = [self._item(chunk, i, at) for i in range(len(chunk))]
        read = perf_counter()
        lines, report = self._evaluation.part(items)
        answered = perf_counter()
        text = encoded(lines) if self.options.keep else b""
        report.seconds = {"reading": read - began} | report.seconds
        report.seconds["scoring"] += perf_counter() - answered
        return text, report

    def _item(self, chunk: Records, i: int, at: int) -> Item | Prediction:
        """The query of a record, or the line that says why it cannot be used."""
        index, image, where = at + i, None, chunk.where(i)
        try:
            record = decode_question(chunk[i], at + i, where)
            index, image = record.index, record.image_index
            scene = self.scenes.scenes[self.scenes.place(record.image_index, record.image_filename)]
            lacks = "program" if self.options.programs == "given" else "question"
            if getattr(record, lacks) is None:
                other = "parsed" if lacks == "program" else "given"
                raise DataError(f"the record has no {lacks}; {other} programs may do")
        except DataError as error:
            message = str(error) if where in str(error) else f"{error} - at `{where}`"
            return Prediction(index, "bad", image, error={"kind": "DataError", "message": message})
        return item_of(record, {"scene": scene}, self.domain, self.options.programs, where)


def item_of(
    record: QuestionRecord, inputs: Mapping[str, Any], domain: Domain, programs: Programs, where: str = ""
) -> Item:
    """A record as a query; a given program that is none is a fault where it is to be executed."""
    program = fault = None
    if record.program is not None:
        try:
            program = decode_program(record.program, domain)
        except NsreasonError as error:
            fault = error if programs == "given" else None
    query = Query(record.index, record.question, record.answer, "", inputs, program)
    return Item(query, record.image_index, where, fault)


def evaluate_files(
    questions: str | Path | Records | Sequence[QuestionRecord],
    scenes: str | Path | SceneFile | Sequence[Scene],
    *,
    programs: Programs = "given",
    on_error: OnError = "answer",
    jobs: int = 1,
    out: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    limit: int | None = None,
    domain: Domain | str | Path = "clevr",
) -> Report:
    """Answer the questions of a file on the scenes of another, and score the answers.

    Args:
        questions, scenes: files (`-` is standard input), or their contents.
        programs: `given` executes the programs of the question file; `parsed` those that its texts parse to, and where
            the file holds programs too, counts how many of the two are equivalent. So does another parser, given by
            its name or itself.
        on_error: what becomes of questions without an exact answer; see `evaluator`.
        jobs: processes. With more than one, ops that were registered at run time are not known there.
        out: a file for the predictions, one JSON line a question; `-` is standard output.
        resume: go on from `<out>.partial`, which an interrupted run has left.
        progress: called with the number of finished questions, and of all, after each chunk.
        limit: take only the first questions.

    Raises:
        DataError: a file cannot be read or written; `resume` finds a run with other inputs or options; a worker
            process died.
        LockError: another process writes `out`.
        Unanswered: a question has no exact answer, and `on_error` is `raise`.
        DomainError: there is no such domain.
        RecipeError: there is no such parser.
        ValueError: an option is not one of those above.
    """
    _check(programs, on_error, jobs, limit, out, resume)
    domain = load_domain(domain)
    program_source(programs, domain)  # before anything is read or written: it may be none
    began = perf_counter()
    records = _records(questions)
    total = len(records) if limit is None else min(limit, len(records))
    scene_file = _scene_file(scenes, domain)
    read = perf_counter() - began

    settings: dict[str, object] = {"questions": records.source, "scenes": scene_file.source, "domain": domain.name}
    settings |= {"programs": source_name(programs), "on_error": on_error, "jobs": jobs, "limit": limit}
    report = Report(settings, scenes=len(scene_file), bad_scenes=_bad_scenes(scene_file))
    report.seconds = {"reading": read, "parsing": 0.0, "executing": 0.0}
    options = Options(programs, on_error, out is not None)
    with locked_file(out), _journal(out, resume, records, scene_file, domain, options, limit) as journal:
        _run(report, journal, records, scene_file, domain, options, total, jobs, progress)
        journal.finish()
    report.seconds["total"] = perf_counter() - began
    return report


def _run(
    report: Report,
    journal: Journal | Stream,
    records: Records,
    scenes: SceneFile,
    domain: Domain,
    options: Options,
    total: int,
    jobs: int,
    progress: Progress | None,
) -> None:
    """Take over what the journal has, answer the rest, and add both to the report."""
    report.resumed = done = journal.replay(report.add, most=total)
    if progress is not None:
        progress(done, total)
    size = CHUNK["given" if options.programs == "given" else "parsed"]
    with _frozen():
        for lines, part in _answer(_chunks(records, done, total, size, own=jobs > 1), scenes, domain, options, jobs):
            journal.write(lines)
            report.merge(part)
            if progress is not None:
                progress(report.questions, total)


@contextlib.contextmanager
def _frozen() -> Iterator[None]:
    """Keep the garbage collector off the scenes: with 70,000 of them, it took a fifth of the time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _check(
    programs: Programs, on_error: str, jobs: int, limit: int | None, out: str | Path | None, resume: bool
) -> None:
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error is one of {', '.join(get_args(OnError))}, got {on_error!r}")
    sources = ("given", "parsed", *PARSERS)
    if isinstance(programs, str) and programs not in sources and ":" not in programs:
        raise ValueError(
            f"programs is one of {', '.join(sources)}, your own 'module:Class' or a parser, got {programs!r}"
        )
    if resume and not isinstance(programs, str):
        raise ValueError("resume needs the name of a parser; whether a parser object is the same is not known")
    if jobs < 1 or (limit is not None and limit < 0):
        raise ValueError(f"jobs is at least 1 and limit at least 0, got {jobs} and {limit}")
    if resume and (out is None or str(out) == "-"):
        raise ValueError("resume needs an `out` file, beside which the interrupted run has left its part")


def _records(questions: str | Path | Records | Sequence[QuestionRecord]) -> Records:
    if isinstance(questions, str | Path):
        return read_records(questions, "questions")
    if isinstance(questions, Records):
        return questions
    return Records("questions", [msgspec.json.encode(q.to_dict()) for q in questions], "list")


def _scene_file(scenes: str | Path | SceneFile | Sequence[Scene], domain: Domain) -> SceneFile:
    if isinstance(scenes, str | Path):
        return load_scenes(scenes, domain)
    return scenes if isinstance(scenes, SceneFile) else SceneFile(list(scenes))


def _bad_scenes(scenes: SceneFile) -> Failures:
    examples: list[dict[str, object]] = [{"message": str(b.error)} for b in scenes.bad[:EXAMPLES]]
    return Failures(len(scenes.bad), 0, examples)


def _journal(
    out: str | Path | None,
    resume: bool,
    records: Records,
    scenes: SceneFile,
    domain: Domain,
    options: Options,
    limit: int | None,
) -> Journal | Stream | _Nowhere:
    if out is None:
        return _Nowhere()
    if str(out) == "-":
        return Stream()
    from .. import __version__

    run = {
        "version": __version__,
        "questions": records.digest(),
        "scenes": scenes.digest(),
        "domain": domain.fingerprint,
        "programs": source_name(options.programs),
        "on_error": options.on_error,
        "limit": limit,
    }
    return Journal(out, run, resume=resume)


class _Nowhere(Stream):
    """No predictions are wanted."""

    def write(self, lines: bytes) -> None:
        pass


def _chunks(records: Records, start: int, stop: int, size: int, *, own: bool) -> Chunks:
    for at in range(start, stop, size):
        yield at, records.part(at, min(at + size, stop), own=own)


# --- in this process or in several ----------------------------------------------------------------------


def _answer(chunks: Chunks, scenes: SceneFile, domain: Domain, options: Options, jobs: int) -> Iterator[Part]:
    """The chunks' lines and reports, in order."""
    if jobs > 1:
        yield from _answer_in_processes(chunks, scenes, domain, options, jobs)
        return
    evaluation = ChunkEvaluation(scenes, domain, options)
    for at, chunk in chunks:
        yield evaluation.part(chunk, at)


_evaluation: ChunkEvaluation | None = None  # of a worker process


def _start_worker(packed: PackedScenes, domain: Domain, options: Options) -> None:
    global _evaluation
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _evaluation = ChunkEvaluation(SceneFile.unpack(packed, domain), domain, options)
    gc.freeze()  # see `_frozen`


def _work(chunk: Records, at: int) -> Part:
    assert _evaluation is not None
    return _evaluation.part(chunk, at)


def _answer_in_processes(
    chunks: Chunks, scenes: SceneFile, domain: Domain, options: Options, jobs: int
) -> Iterator[Part]:
    pool = ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),  # the same on every system, and safe beside threads
        initializer=_start_worker,
        initargs=(scenes.pack(), domain, options),
    )
    waiting: deque[tuple[int, Future[Part]]] = deque()
    at = 0
    try:
        for at, chunk in chunks:
            waiting.append((at, pool.submit(_work, chunk, at)))
            if len(waiting) >= jobs * _AHEAD:
                at, future = waiting.popleft()
                yield future.result()
        while waiting:
            at, future = waiting.popleft()
            yield future.result()
    except BrokenProcessPool:
        raise DataError(
            f"a worker process ended before its time, at or after question record {at}; if memory ran out, "
            'use fewer jobs; a script needs `if __name__ == "__main__":` around a call with jobs'
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
