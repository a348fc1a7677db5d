"""What every public function that takes a program, a scene or a text costs as its input grows.

    python -m benchmarks.growth                  # the table at 10,000 calls, objects or words
    python -m benchmarks.growth describe to_tree # only the rows whose function has one of these words
    python -m benchmarks.growth --write          # also as benchmarks/growth_results.md

An input is answered, or refused by an NsreasonError that names the limit, within a second of CPU and 300 MB. Inputs
come in shapes: a function that is quick on a chain of calls may not be on calls that are shared.

`tests/test_growth.py` runs the same cases at smaller sizes and bounds how the cost grows.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import json
import pickle
import signal
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import nsreason
from nsreason import NsreasonError, Program, Scene
from nsreason.data.questions import QuestionRecord, decode_program, decode_question
from nsreason.data.records import cut_records
from nsreason.dsl.domain import load_domain, parse_domain
from nsreason.executors import SceneBatch, execute_values
from nsreason.programs.dialects.registry import DIALECTS, from_clevr, read_program, to_clevr, write_program
from nsreason.programs.text_writer import format_node
from nsreason.queries.query import Query
from nsreason.reasoners.annotated_scenes import AnnotatedScenes
from nsreason.reasoners.executing import Executing
from nsreason.traces.trace import Trace

from .growth_inputs import ASKED, LONG_QUESTIONS, PROGRAMS, QUESTIONS, SCENES, SMALL, TEXTS

SECONDS, MEGABYTES = 1.0, 300.0  # what an input of SIZE may cost
SIZE = 10_000
PATIENCE = 40.0  # CPU seconds of a case, its memory measured, before it is given up

Run = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """One function on inputs of one shape. `prepare(n)` makes the input, and returns what is measured.

    `per` says how many of the shape's units an n of 10,000 means, where these are characters.
    """

    function: str
    shape: str
    prepare: Callable[[int], Run]
    per: int = 1

    def __str__(self) -> str:
        return f"{self.function}: {self.shape}"


# --- the table -------------------------------------------------------------------------------------------------------


def attempt(function: Callable[..., object], *given: Any, **named: Any) -> Run:
    """A run whose refusal counts too: its message is made, since that is what a user waits for."""

    def run() -> object:
        try:
            return function(*given, **named)
        except NsreasonError as error:
            return f"refused: {error}", error.record()

    return run


def of_program(function: Callable[[Program], object], make: Callable[[int], Program]) -> Callable[[int], Run]:
    return lambda n: attempt(function, cached_program(make, n))


@functools.lru_cache(maxsize=64)
def cached_program(make: Callable[[int], Program], n: int) -> Program:
    """A program for all functions that take it."""
    return make(n)


def of_text(function: Callable[..., object], make: Callable[[int], str], **named: Any) -> Callable[[int], Run]:
    return lambda n: attempt(function, make(n), **named)


def program_functions() -> dict[str, Callable[[Program], object]]:
    """Everything public that takes a program."""

    def again(program: Program) -> Program:
        return Program(program.calls, program.domain)

    def run(program: Program) -> object:
        return nsreason.execute(program, SMALL)

    def run_batch(program: Program) -> object:
        return nsreason.execute_batch([program] * 3, [SMALL] * 3)

    def equal(program: Program) -> object:
        return program == again(program), hash(program)

    def alike(program: Program) -> bool:
        return nsreason.equivalent(program, again(program))

    def traced(program: Program) -> Trace:
        return nsreason.trace(program, SMALL)

    def back(program: Program) -> object:
        return nsreason.parse_program(str(program))

    def pickled(program: Program) -> object:
        return pickle.loads(pickle.dumps(program))

    functions: dict[str, Callable[[Program], object]] = {
        "Program": again,
        "Program ==, hash": equal,
        "Program.depth": lambda program: program.depth,
        "Program.to_tree": Program.to_tree,
        "Program.to_dot": Program.to_dot,
        "Program.to_networkx": Program.to_networkx,
        "repr": repr,
        "pickle": pickled,
        "parse_program(str)": back,
        "surfaces.show_node": lambda program: format_node(program, len(program) - 1),
        "canonical": nsreason.canonical,
        "equivalent": alike,
        "describe": nsreason.describe,
        "describe, seed": lambda program: nsreason.describe(program, 7),
        "execute": run,
        "execute_batch": run_batch,
        "execute_values": lambda program: execute_values(program, SMALL),
        "trace": traced,
        "Trace.to_text": lambda program: traced(program).to_text(),
        "Trace.to_rich": lambda program: traced(program).to_rich(),
        "Trace.to_json": lambda program: traced(program).to_json(),
        "Trace.to_html": lambda program: traced(program).to_html(),
        "Trace.to_png": lambda program: traced(program).to_png(),
    }
    for name in DIALECTS:
        functions[f"write_program, {name}"] = lambda program, name=name: write_program(program, name)  # type: ignore[misc]
        functions[f"read_program, {name}"] = lambda program, name=name: read_program(  # type: ignore[misc]
            write_program(program, name), name
        )
    functions["from_clevr"] = lambda program: from_clevr(to_clevr(program))
    functions["decode_program"] = lambda program: decode_program(json.dumps(to_clevr(program)).encode())
    return functions


def scene_functions() -> dict[str, Callable[[dict[str, object]], Run]]:
    """Everything public that takes a scene: each makes a run from the scene's data."""
    programs = [nsreason.parse_program(text) for text in ASKED]

    def with_scene(function: Callable[[Scene], object]) -> Callable[[dict[str, object]], Run]:
        return lambda data: attempt(function, Scene.from_dict(data))

    def fresh(scene: Scene) -> Scene:  # a scene remembers what it was asked
        new: Scene = pickle.loads(pickle.dumps(scene))
        return new

    def each(function: Callable[[Program, Scene], object]) -> Callable[[dict[str, object]], Run]:
        def all_of_them(scene: Scene) -> object:
            scene = fresh(scene)
            return [attempt(function, program, scene)() for program in programs]

        return with_scene(all_of_them)

    def evaluated(scene: Scene) -> object:
        asked = [QuestionRecord(i, f"{i}", "1", 0, program=_clevr(p)) for i, p in enumerate(programs[:1])]
        return nsreason.evaluate_files(asked, [fresh(scene)])

    def reasoned(scene: Scene) -> object:
        queries = [Query(i, None, "1", "count", {"scene": fresh(scene)}, p) for i, p in enumerate(programs)]
        return nsreason.evaluate(Executing(AnnotatedScenes()), queries)

    def read_text(data: dict[str, object]) -> Run:
        text = json.dumps({"scenes": [data]}).encode()

        def run() -> object:
            return [Scene.from_json(memoryview(raw).tobytes()) for raw in cut_records(text, "scenes")]

        return attempt(run)

    return {
        "Scene.from_dict": lambda data: attempt(Scene.from_dict, data),
        "Scene.from_json, cut_records": read_text,
        "Scene.to_dict": with_scene(lambda scene: fresh(scene).to_dict()),
        "Scene.to_dict, as JSON": with_scene(lambda scene: json.dumps(fresh(scene).to_dict())),
        "pickle": with_scene(fresh),
        "repr": with_scene(repr),
        "execute, of six programs": each(nsreason.execute),
        "execute_batch": with_scene(lambda s: nsreason.execute_batch(programs, [fresh(s)], [0] * len(programs))),
        "SceneBatch": with_scene(lambda scene: SceneBatch([fresh(scene)])),
        "ask": with_scene(lambda scene: nsreason.ask("How many red cubes are left of a ball?", fresh(scene))),
        "evaluate": with_scene(reasoned),
        "evaluate_files": with_scene(evaluated),
        "trace, of six programs": each(nsreason.trace),
        "Trace.to_text, of six programs": each(lambda p, s: nsreason.trace(p, s).to_text(objects=True)),
        "Trace.to_rich, of six programs": each(lambda p, s: nsreason.trace(p, s).to_rich(objects=True)),
        "Trace.to_json, of six programs": each(lambda p, s: nsreason.trace(p, s).to_json()),
        "Trace.to_html": with_scene(lambda s: nsreason.trace(programs[1], fresh(s)).to_html()),
        "Trace.to_png": with_scene(lambda s: nsreason.trace(programs[1], fresh(s)).to_png()),
    }


def _clevr(program: Program) -> bytes | None:
    with contextlib.suppress(NsreasonError):
        return json.dumps(to_clevr(program)).encode()
    return None


def domain_text(n: int) -> str:
    values = "\n".join(f"[attributes.kind.values.v{k}]\nnouns = ['noun{k}']" for k in range(n))
    return f"name = 'large'\nquestions = 'clevr_questions.lark'\nthings = ['thing']\n[attributes.kind]\n{values}\n"


def question_record(n: int) -> bytes:
    return json.dumps({"question": "how many " * n, "program": [{"function": "scene"}] * n}).encode()


def question_file(n: int) -> bytes:
    return json.dumps({"questions": [{"question": "x", "answer": "1"} for _ in range(n)]}).encode()


def question_lines(n: int) -> bytes:
    return b"\n".join(b'{"question": "x"}' for _ in range(n))


def cases() -> Iterator[Case]:
    """All rows of the table."""
    for function, call in program_functions().items():
        for shape, make in PROGRAMS.items():
            yield Case(function, shape, of_program(call, make))
    for function, begin in scene_functions().items():
        for shape, data in SCENES.items():
            yield Case(function, f"objects with {shape}", lambda n, begin=begin, data=data: begin(data(n)))  # type: ignore[misc]
    for shape, text in QUESTIONS.items():
        yield Case("parse_question", shape, of_text(nsreason.parse_question, text))
        yield Case("readings", shape, of_text(nsreason.readings, text))
        yield Case("ask", shape, of_text(nsreason.ask, text, scene=SMALL))
    for shape, letter in LONG_QUESTIONS.items():
        yield Case("parse_question", shape, of_text(nsreason.parse_question, lambda n, c=letter: c * (100 * n)), 100)  # type: ignore[misc]
        yield Case("parse_program", shape, of_text(nsreason.parse_program, lambda n, c=letter: c * (100 * n)), 100)  # type: ignore[misc]
    for shape, text in TEXTS.items():
        yield Case("parse_program", shape, of_text(nsreason.parse_program, text))
        for dialect in ("postfix", "clevr", "ns-vqa", "ns-cl"):
            yield Case(f"read_program, {dialect}", shape, of_text(read_program, text, dialect=dialect))
    yield Case("parse_domain", "values", of_text(parse_domain, domain_text))
    yield Case("load_domain", "a long name", of_text(load_domain, lambda n: "x" * n))
    yield Case("decode_question", "nodes", lambda n: attempt(decode_question, question_record(n), 0))
    for shape, file in {"official": question_file, "lines": question_lines}.items():
        yield Case("cut_records", shape, lambda n, file=file: attempt(cut_records, file(n), "questions"))  # type: ignore[misc]


# --- measuring -------------------------------------------------------------------------------------------------------


def seconds(run: Run, *, runs: int = 1, collect: bool = True) -> float:
    """CPU seconds of this process: the least of some runs, so that what else the machine does counts little."""
    best = float("inf")
    for _ in range(runs):
        if collect:
            gc.collect()
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def megabytes(run: Run) -> float:
    """What Python and numpy allocate at the highest point of a run, beyond what they held before."""
    gc.collect()
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def outcome(run: Run) -> str:
    """`answered`, or the first line of the refusal."""
    result = run()
    if isinstance(result, tuple) and result and isinstance(result[0], str) and result[0].startswith("refused"):
        return result[0].partition("\n")[0]
    return "answered"


def measure(case: Case, size: int) -> tuple[float, float, str]:
    """CPU seconds, megabytes and outcome at one size."""
    run = case.prepare(size)
    case.prepare(min(64, size))()  # what is made once (tables, grammars) is not counted
    signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)  # of CPU: other processes may keep this one waiting
    try:
        return seconds(run), megabytes(run), outcome(run)
    except TimeoutError:
        return float("inf"), float("nan"), "not waited for"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _too_slow(number: int, frame: object) -> None:
    raise TimeoutError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("words", nargs="*", help="only rows that hold one of these")
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--over", action="store_true", help="print only rows that cost more than they may")
    parser.add_argument("--write", action="store_true", help="renew benchmarks/growth_results.md")
    given = parser.parse_args()
    lines = ["| function | shape | size | CPU s | MB | outcome |", "|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    over = 0
    for case in cases():
        if given.words and not any(word in str(case) for word in given.words):
            continue
        cpu, mb, result = measure(case, given.size)
        bad = not (cpu <= SECONDS and mb <= MEGABYTES)
        over += bad
        result = result.replace("|", "\\|")[:120]
        row = f"| {case.function} | {case.shape} | {given.size * case.per:,} | {cpu:.3f} | {mb:.1f} | {result} |"
        lines.append(row)
        if bad or not given.over:
            print(row + (" **over**" if bad else ""), flush=True)
    print(f"{len(lines) - 2} rows, {over} over {SECONDS:g} s or {MEGABYTES:g} MB")
    if given.write:
        from .__main__ import machine

        head = ["# Growth", "", f"Measured {date.today().isoformat()} on one core of: {machine()}.", ""]
        tail = ["", "Made by `python -m benchmarks.growth --write`."]
        target = Path(__file__).with_name("growth_results.md")
        target.write_text("\n".join([*head, *lines, *tail]) + "\n", encoding="utf-8")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
