"""What is measured of the core, each against the figure that the design holds it to."""

from __future__ import annotations

import gc
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nsreason.data.questions import QuestionRecord, read_questions
from nsreason.data.scenes import load_scenes
from nsreason.dsl.domain import load_domain
from nsreason.executors import SceneBatch, execute, execute_batch, spell
from nsreason.language.question_parser import GrammarParser


@dataclass(frozen=True)
class Row:
    """One line of the table; `value` is the bare number, in the unit that `figure` names."""

    what: str
    figure: str
    value: float
    floor: str = ""
    aim: str = ""

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def rate(run: Callable[[], object], count: int, seconds: float) -> float:
    """Items per second: the median over as many runs as fit, one run before them not counted."""
    run()
    rates = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates) < 3:
        start = time.perf_counter()
        run()
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates)


def per_second(what: str, value: float, floor: int | None = None, aim: int | None = None) -> Row:
    return Row(what, f"{value:,.0f}/s", value, f"{floor:,}/s" if floor else "", f"{aim:,}/s" if aim else "")


def measure_all(data: Path, *, seconds: float, large: bool) -> Iterator[Row]:
    """Every row, in the order of the table."""
    domain = load_domain("clevr")
    scene_path, question_path = data / "clevr/CLEVR_train_scenes.json", data / "clevr/CLEVR_train_questions.json"
    file = load_scenes(scene_path, domain)
    records = [q for q in read_questions(question_path) if isinstance(q, QuestionRecord)]
    programs = [q.given_program(domain) for q in records]
    scenes = [file.by_index(q.image_index) for q in records]
    place = {id(s): i for i, s in enumerate(file.scenes)}
    which = np.array([place[id(s)] for s in scenes])
    for got, record in zip(execute_batch(programs, file.scenes, which), records, strict=True):
        assert not isinstance(got, Exception) and spell(got) == record.answer, "the answers are wrong: nothing to time"

    pairs = list(zip(programs, scenes, strict=True))
    gc.collect()
    gc.freeze()  # as `evaluate` does: the collector would go through the whole data set again and again

    def one_by_one() -> None:
        for program, scene in pairs:
            execute(program, scene)

    yield per_second("exact, one program at a time", rate(one_by_one, len(pairs), seconds), 300_000, 500_000)
    batch = SceneBatch(file.scenes)
    for size in (64, 512, 7_500):
        part, index = programs[:size], which[:size]
        got = rate(lambda part=part, index=index: execute_batch(part, batch, index), size, seconds)
        limits = (800_000, 1_500_000) if size == 7_500 else (None, None)
        yield per_second(f"exact, scheduled, batches of {size:,}", got, *limits)
    many, far = programs * 8, np.tile(which, 8)
    got = rate(lambda: execute_batch(many, batch, far), len(many), seconds)
    yield per_second(f"exact, scheduled, one call of {len(many):,}", got)

    yield from parsing(domain, [q.question for q in records], seconds)

    count = len(file.scenes)
    yield per_second("scenes read from file", rate(lambda: load_scenes(scene_path, domain), count, seconds))

    def read_programs() -> None:
        for q in read_questions(question_path):
            assert isinstance(q, QuestionRecord)
            q.given_program(domain)

    yield per_second("questions with programs read from file", rate(read_programs, len(records), seconds))
    yield start_up()
    if large:
        yield from whole_release(scene_path, question_path)


def parsing(domain: object, questions: list[str], seconds: float) -> Iterator[Row]:
    """Question text to program. There is no memo to empty: every question is parsed afresh."""
    parser = GrammarParser(load_domain("clevr"))
    times: list[float] = []

    def run() -> None:
        for question in questions:
            start = time.perf_counter()
            parser.parse(question)
            times.append(time.perf_counter() - start)

    yield per_second("question text to program", rate(run, len(questions), seconds), 2_000, 10_000)
    worst = float(np.percentile(times, 99)) * 1e3
    yield Row("question text to program, 99th percentile", f"{worst:.2f} ms", worst, "5 ms")


def start_up() -> Row:
    """`nsreason parse` from process start to its last line, the median of nine."""
    command = [sys.executable, "-m", "nsreason", "parse", "How many red cubes are left of the metal ball?"]
    times = []
    for _ in range(10):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    value = statistics.median(times[1:])
    return Row("`nsreason parse`, process start to answer", f"{value:.2f} s", value, "0.5 s", "0.25 s")


def whole_release(scene_path: Path, question_path: Path, copies: int = 75) -> Iterator[Row]:
    """A data set of the official size, made by repeating: evaluated in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        scenes, questions = Path(folder) / "scenes.json", Path(folder) / "questions.json"
        n = repeat(scene_path, scenes, "scenes", copies)
        m = repeat(question_path, questions, "questions", copies)
        command = [sys.executable, "-m", "nsreason", "evaluate", "--questions", str(questions), "--scenes", str(scenes)]
        start = time.perf_counter()
        subprocess.run([*command, "--json"], check=True, capture_output=True)
        took = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20  # KiB on Linux
        yield Row(f"evaluate {n:,} scenes, {m:,} questions, reading included", f"{took:.0f} s", took, "180 s")
        yield Row("its peak memory", f"{peak:.1f} GiB", peak, "4 GiB")


def repeat(source: Path, target: Path, key: str, copies: int) -> int:
    """Write `copies` of a file's records with fresh image indices; how many there are."""
    document = json.loads(source.read_text(encoding="utf-8"))
    records = document[key]
    images = 1 + max(r["image_index"] for r in records)
    with target.open("w", encoding="utf-8") as out:
        out.write(f'{{"info": {json.dumps(document["info"])}, "{key}": [')
        for copy in range(copies):
            for i, record in enumerate(records):
                copied = record | {"image_index": record["image_index"] + copy * images}
                copied |= {"image_filename": f"CLEVR_train_{copied['image_index']:06d}.png"}
                if "question_index" in record:
                    copied |= {"question_index": copy * len(records) + i}
                out.write((", " if copy or i else "") + json.dumps(copied))
        out.write("]}")
    return copies * len(records)
