"""How the cost of every public function grows with its input: sizes doubled, the ratio of CPU time bounded.

The cases are those of `python -m benchmarks.growth`, which prints what they cost at 10,000. Here they are small: what
grows with the square, or with the tree that a program unfolds to, is told at 1,000 as well.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import nsreason
from benchmarks.growth import SIZE, Case, cases, seconds
from benchmarks.growth_inputs import LONG_QUESTIONS, PROGRAMS, QUESTIONS, SCENES, TEXTS
from nsreason.errors import NsreasonError
from nsreason.programs.canonical import equivalent

SMALL, LARGE = 250, 1_000
# Four times the input may cost this many times the CPU time: 4 is linear, 16 is quadratic. Objects have pairs, whose
# relations are counted in bits: those may cost 16.
MOST, MOST_OF_PAIRS = 11.0, 20.0
QUICK = 0.02  # seconds; a run that is shorter shows how busy the machine is and not how the function grows
SLOW = {"Trace.to_png"}  # draws panels for seconds, up to its limit: see the test of its limit

CASES = list(cases())


def growth(case: Case) -> tuple[float, float]:
    """CPU seconds at the large size, and how many times those of the small size that is."""
    large = seconds(case.prepare(LARGE), collect=False)
    if large < QUICK:
        return large, 1.0
    small = seconds(case.prepare(SMALL), collect=False)
    return large, large / max(small, 1e-4)


def check(chosen: list[Case]) -> None:
    assert chosen
    for case in chosen:
        most = MOST_OF_PAIRS if case.shape.startswith("objects with") else MOST
        if case.shape == chosen[0].shape:
            case.prepare(8)()  # tables and grammars are made once
        for _ in range(3):  # a busy machine may spoil a measurement, but hardly three
            large, ratio = growth(case)
            if ratio <= most:
                break
        assert ratio <= most, f"{case}: {SMALL} to {LARGE} costs {ratio:.1f} times the CPU time ({large:.2f} s)"


def grouped(shapes: Callable[[Case], bool]) -> list[str]:
    return sorted({case.function for case in CASES if shapes(case) and case.function not in SLOW})


def of_programs(case: Case) -> bool:
    return case.shape in PROGRAMS


def of_scenes(case: Case) -> bool:
    return case.shape.startswith("objects with")


def of_texts(case: Case) -> bool:
    return not of_programs(case) and not of_scenes(case)


@pytest.mark.parametrize("function", grouped(of_programs))
def test_programs(function: str) -> None:
    check([case for case in CASES if of_programs(case) and case.function == function])


@pytest.mark.parametrize("function", grouped(of_scenes))
def test_scenes(function: str) -> None:
    check([case for case in CASES if of_scenes(case) and case.function == function])


@pytest.mark.parametrize("function", grouped(of_texts))
def test_texts(function: str) -> None:
    check([case for case in CASES if of_texts(case) and case.function == function])


def test_every_public_function_is_measured() -> None:
    """A name of the package that takes a program, a scene or a text has a row, or stands here with the reason."""
    measured = {case.function.partition(",")[0].partition(".")[0].split(" ")[0] for case in CASES}
    others = {
        "OPS": "a table",
        "op": "reads a function",
        "Answer": "a type",
        "Call": "a tuple",
        "Domain": "made by load_domain and parse_domain",
    }
    for name in nsreason.__all__:
        error = isinstance(getattr(nsreason, name), type) and issubclass(getattr(nsreason, name), NsreasonError)
        assert error or name in others or name in measured, name


def test_the_table_has_every_shape_and_the_size_of_the_bar() -> None:
    shapes = {case.shape for case in CASES}
    assert shapes >= {*PROGRAMS, *QUESTIONS, *TEXTS, *LONG_QUESTIONS, *(f"objects with {s}" for s in SCENES)}
    assert SIZE == 10_000
    assert len(PROGRAMS["doubled unions"](1_000)) in range(990, 1_010)


@pytest.mark.parametrize("shape", sorted(PROGRAMS))
def test_what_is_made_of_shared_calls_stays_small(shape: str) -> None:
    """Work counted and not timed: the sizes of texts, trees and canonical forms of twice the calls."""
    small, large = (PROGRAMS[shape](n) for n in (400, 800))
    for size in (
        lambda p: len(str(p)),
        lambda p: len(p.to_tree()),
        lambda p: len(nsreason.canonical(p)) + 10,
        lambda p: len(nsreason.trace(p, nsreason.Scene.of("clevr", [])).to_text()),
    ):
        assert size(large) <= 3 * size(small) + 2_000  # type: ignore[no-untyped-call]
    assert equivalent(nsreason.canonical(large), large)


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in CASES if c.function not in SLOW and "unions" in c.shape], ids=str)
def test_ten_thousand_calls_are_answered_or_refused_in_seconds(case: Case) -> None:
    assert seconds(case.prepare(SIZE)) < 10.0  # the bar is one; a loaded machine may take some


def test_strips_refuse_what_they_cannot_draw() -> None:
    with pytest.raises(NsreasonError, match="no more than 200 calls"):
        nsreason.trace(PROGRAMS["wide union"](SIZE), nsreason.Scene.of("clevr", [])).to_png()
    scene = nsreason.Scene.from_dict(SCENES["coordinates"](2_100))
    with pytest.raises(NsreasonError, match=r"no more than 4,000 objects in all its panels, here 2 calls on 2,100"):
        nsreason.trace(nsreason.parse_program("count(scene())"), scene).to_png()
