"""Programs in the making: what is admissible can be completed, what can be completed is admissible, and all programs of
a small domain are those that brute force finds.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.dsl.domain import AttributeEntry, Domain, DomainFile, RelationEntry, Step, ValueEntry, load_domain
from nsreason.dsl.kinds import EVENT, NUMBER, OBJECT, OBJECTS, TRUTH, WORD, Kind
from nsreason.dsl.ops import OPS
from nsreason.errors import DomainError, ProgramError
from nsreason.language.question_parser import parse_question
from nsreason.programs.partial import PartialProgram, Reuse, all_programs, moves_of
from nsreason.programs.program import Call, Program
from nsreason.programs.program_space import ProgramSpace, space_of
from nsreason.programs.text_reader import parse_program
from tests.support.strategies import domains, random_program
from tests.support.toy_video import registered

CLEVR = load_domain("clevr")


def small_domain(*ops: str, values: int = 1, attributes: int = 1) -> Domain:
    entries = {f"a{a}": AttributeEntry({f"v{a}{v}": ValueEntry() for v in range(values)}) for a in range(attributes)}
    return Domain(DomainFile("small", entries, relations={"left": RelationEntry(("left",))}, ops=ops, max_count=1))


SMALL = {
    "sets": small_domain("scene", "filter", "relate", "union", "unique", "count", values=2),
    "words": small_domain("scene", "unique", "query", "equal", "both", attributes=2),
    "numbers": small_domain("number", "minus", "less", "negate", "both"),
    "objects": small_domain("scene", "unique", "same", "only", "equal_object", "exist", "either"),
    "stacks": small_domain("scene", "unique", "difference", "count", "equal_integer", "both"),
}


def steps_of(domain: Domain) -> list[Step]:
    names = {"concept": domain.concepts, "attribute": domain.attributes, "relation": domain.relations}
    names["integer"] = tuple(map(str, range(domain.file.max_count + 1)))
    return [
        domain.step(op, literals)
        for op in domain.ops
        for literals in itertools.product(*[names[p.kind.name] for p in OPS[op].literals])
    ]


def brute_force(domain: Domain, calls: int, *, share: bool) -> set[Program]:
    """Every list of calls with every choice of inputs, if `Program` takes it."""
    steps = steps_of(domain)
    programs: set[Program] = set()

    def grow(before: list[Call], kinds: list[Kind]) -> Iterator[Program]:
        if before:
            with contextlib.suppress(ProgramError):
                yield Program(before, domain)
        if len(before) == calls:
            return
        for step in steps:
            fits = [[i for i, kind in enumerate(kinds) if kind is wanted] for wanted in step.takes]
            for inputs in itertools.product(*fits):
                yield from grow([*before, Call(step.op.name, step.literals, inputs)], [*kinds, step.gives])

    for program in grow([], []):
        uses = [i for inputs in program.inputs for i in inputs]
        if share or len(uses) == len(set(uses)):
            programs.add(program)
    return programs


@pytest.mark.parametrize("share", [False, True], ids=["trees", "graphs"])
@pytest.mark.parametrize("name", SMALL)
def test_all_programs_are_those_of_brute_force(name: str, share: bool) -> None:
    domain = SMALL[name]
    calls = 4 if name in ("sets", "numbers") or share else 5
    listed = list(all_programs(ProgramSpace(domain, calls=calls, share=share)))
    assert len(set(listed)) == len(listed), "each once"
    assert set(listed) == brute_force(domain, calls, share=share)
    assert [len(p) for p in listed] == sorted(len(p) for p in listed)


@pytest.mark.parametrize("kinds", [(TRUTH,), (NUMBER, WORD), (OBJECT,)], ids=str)
def test_answers_of_some_kinds(kinds: tuple[Kind, ...]) -> None:
    space = ProgramSpace(CLEVR, calls=5, answers=kinds, literals=["red", "color", "left"])
    listed = set(all_programs(space))
    everything = all_programs(ProgramSpace(CLEVR, calls=5, literals=["red", "color", "left"]))
    assert listed == {p for p in everything if p.kind in kinds} and listed
    assert parse_program("count(filter[red](scene()))") in listed or NUMBER not in kinds


def test_whole_numbers_are_those_that_are_named() -> None:
    listed = [str(p) for p in all_programs(ProgramSpace("clevr", calls=1, answers=[NUMBER], literals=["12", "3"]))]
    assert listed == ["number[3]()", "number[12]()"]
    by_default = list(all_programs(ProgramSpace("clevr", calls=1, answers=[NUMBER])))
    assert len(by_default) == CLEVR.file.max_count + 1


# --- what is admissible ---


def walk(space: ProgramSpace, rng: random.Random) -> PartialProgram:
    """Random admissible moves, until there are none or one may stop."""
    partial = PartialProgram(space)
    while True:
        moves = partial.admissible()
        assert moves or partial.done, f"a dead end: {partial!r}"
        if not moves or (partial.done and rng.random() < 0.3):
            return partial
        shared = [move for move in moves if isinstance(move, Reuse)]
        partial = partial.push(rng.choice(shared if shared and rng.random() < 0.3 else moves))


@given(domains(), st.integers(0, 2**32), st.booleans())
def test_every_admissible_sequence_ends_with_a_program(domain: Domain, seed: int, share: bool) -> None:
    rng = random.Random(seed)
    kinds = rng.sample([OBJECTS, OBJECT, NUMBER, TRUTH, WORD], rng.randint(1, 5))
    try:
        space = ProgramSpace(domain, calls=rng.randint(1, 12), answers=kinds, share=share)
    except ProgramError:
        return  # too few calls for any
    partial = walk(space, rng)
    program = partial.program()
    assert program == Program(program.calls, domain), "well-typed by the full check"
    assert program.kind in kinds and len(program) == len(partial) <= space.calls
    assert moves_of(program) == partial.moves


@given(domains(), st.integers(0, 2**32))
def test_the_moves_of_any_program_are_admissible(domain: Domain, seed: int) -> None:
    program = random_program(random.Random(seed), domain, max_calls=12)
    if any(step.op.name == "number" and int(step.literals[0]) > domain.file.max_count for step in program.steps):
        return  # not a literal of the space
    partial = PartialProgram(ProgramSpace(domain, calls=100, share=True))
    for move in moves_of(program):
        assert move in partial.admissible()
        partial = partial.push(move)
    assert partial.done and partial.program() == program


@pytest.mark.parametrize("share", [False, True], ids=["trees", "graphs"])
def test_programs_of_several_sorts(share: bool) -> None:
    with registered() as domain:
        space = ProgramSpace(domain, calls=14, share=share)
        walks = [walk(space, random.Random(seed)) for seed in range(600)]
        programs = [partial.program() for partial in walks]
        assert all(program == Program(program.calls, domain) for program in programs)
        assert all(moves_of(partial.program()) == partial.moves for partial in walks)
        used = {step.op.name for program in programs for step in program.steps}
        assert len(used) > 0.8 * len(domain.ops) and {"events", "frames", "causes"} <= used


def test_at_the_limit_only_what_closes_the_program_comes() -> None:
    space = ProgramSpace("clevr", calls=4, answers=[TRUTH], literals=["red", "color", "left"])
    partial = PartialProgram(space)
    names: list[set[str]] = []
    for text in ("scene", "filter", "filter", "exist"):
        names.append({str(move.op.name) for move in partial.admissible() if isinstance(move, Step)})
        partial = partial.push(next(m for m in partial.admissible() if isinstance(m, Step) and m.op.name == text))
    assert names[0] == {"scene"}, "number[n] would need less(number, number): no literal is a number"
    assert "unique" not in names[2], "equal_object needs a second object"
    assert names[3] == {"exist"}
    assert partial.done and partial.admissible() == ()


def test_a_question_of_the_grammar_is_pushed_call_by_call() -> None:
    program = parse_question("Is the color of the large cube the same as that of the ball left of it?")
    partial = PartialProgram(ProgramSpace("clevr", calls=len(program) + 8, answers=[TRUTH], share=True))
    for move in moves_of(program):
        partial = partial.push(move)
    assert partial.program() == program


def test_a_shared_call_is_reused() -> None:
    program = parse_program("a = unique(scene()); equal_object(a, a)")
    moves = moves_of(program)
    assert moves[-2] == Reuse(1) and len(moves) == 4
    partial = PartialProgram(ProgramSpace("clevr", calls=4, share=True))
    for move in moves:
        partial = partial.push(move)
    assert partial.program() == program and repr(partial) == "PartialProgram(scene unique $1 equal_object)"
    plain = PartialProgram("clevr")
    for move in moves[:2]:
        plain = plain.push(move)
    with pytest.raises(ProgramError, match=r"\$1 is not admissible after PartialProgram\(scene unique\)"):
        plain.push(moves[2])


def test_what_is_not_admissible_is_refused() -> None:
    partial = PartialProgram("clevr")
    with pytest.raises(ProgramError, match=r"filter\[red\] is not admissible after PartialProgram\(\)"):
        partial.push(CLEVR.step("filter", ("red",)))
    with pytest.raises(ProgramError, match="no program of the space yet"):
        partial.program()
    space = ProgramSpace("clevr", literals=["red"])
    with pytest.raises(ProgramError, match=r"filter\[blue\] is not admissible"):
        PartialProgram(space).push(CLEVR.step("scene", ())).push(CLEVR.step("filter", ("blue",)))
    with pytest.raises(ProgramError, match=r"\$5 is not admissible"):
        PartialProgram(ProgramSpace("clevr", share=True)).push(Reuse(5))


def test_words_of_two_attributes_are_not_compared() -> None:
    partial = PartialProgram("clevr")
    for name, *literals in (("scene",), ("unique",), ("query", "color"), ("scene",), ("unique",)):
        partial = partial.push(CLEVR.step(name, tuple(literals)))
    queried = {m.literals for m in partial.admissible() if isinstance(m, Step) and m.op.name == "query"}
    assert queried == {("color",)}, "a size below could never be taken: nothing compares it with a color"
    with pytest.raises(ProgramError, match=r"query\[size\] is not admissible"):
        partial.push(CLEVR.step("query", ("size",)))
    assert partial.push(CLEVR.step("query", ("color",))).push(CLEVR.step("equal", ())).done


def test_a_space_without_programs_is_an_error() -> None:
    with pytest.raises(ProgramError, match="domain 'clevr' has no program of at most 1 calls for truth"):
        ProgramSpace("clevr", calls=1, answers=[TRUTH])
    with pytest.raises(ProgramError, match="has no program of at most 32 calls for event"):
        ProgramSpace("clevr", answers=[EVENT])
    with pytest.raises(DomainError, match="domain 'clevr' has no literal 'purplish'"):
        ProgramSpace("clevr", literals=["red", "purplish"])


def test_equal_ones_have_the_same_moves() -> None:
    scene, red, blue = CLEVR.step("scene", ()), CLEVR.step("filter", ("red",)), CLEVR.step("filter", ("blue",))
    a, b = PartialProgram("clevr").push(scene), PartialProgram("clevr").push(scene)
    assert a == b and hash(a) == hash(b) and len({a, b}) == 1
    assert a.push(red) != a.push(blue) and a.push(red) != a and len(a) == 1
    assert a != PartialProgram(ProgramSpace("clevr", calls=5)).push(scene)
    assert ProgramSpace("clevr", calls=5) == ProgramSpace("clevr", calls=5)
    assert space_of("clevr") is space_of(CLEVR)
