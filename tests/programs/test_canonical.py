"""Canonical form: the laws, what it must not confuse, and that answers and failures stay."""

from __future__ import annotations

import sys
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nsreason.dsl.domain import load_domain
from nsreason.dsl.kinds import OBJECTS, TRUTH
from nsreason.errors import NotUnique, ProgramError
from nsreason.executors import execute
from nsreason.programs.canonical import canonical, equivalent
from nsreason.programs.program import Call, Program
from nsreason.programs.text_reader import parse_program
from nsreason.programs.text_writer import format_program
from nsreason.scenes.scene import Scene
from tests.support.strategies import programs, programs_for, worlds

CLEVR = load_domain("clevr")
A, B, C = "filter[red](scene())", "relate[left](unique(scene()))", "extreme[front](scene())"
P, Q, R = f"exist({A})", f"exist({B})", "less(number[1](), count(scene()))"

SAME = [
    # filters
    ("filter[red](filter[cube](scene()))", "filter[cube](filter[red](scene()))"),
    ("filter[red](filter[cube](filter[red](scene())))", "filter[cube](filter[red](scene()))"),
    (f"intersect(filter[red]({B}), {C})", f"filter[red](intersect({B}, {C}))"),
    (f"intersect(filter[red]({B}), filter[cube]({C}))", f"filter[red](filter[cube](intersect({C}, {B})))"),
    (f"difference(filter[red]({B}), {C})", f"filter[red](difference({B}, {C}))"),
    ("intersect(filter[red](scene()), filter[cube](scene()))", "filter[cube](filter[red](scene()))"),
    # scene is neutral
    (f"intersect(scene(), {B})", B),
    (f"intersect({B}, scene())", B),
    ("intersect(scene(), scene())", "scene()"),
    # associative, commutative, idempotent
    (f"union({A}, {B})", f"union({B}, {A})"),
    (f"intersect({B}, {C})", f"intersect({C}, {B})"),
    (f"both({P}, {Q})", f"both({Q}, {P})"),
    (f"union(union({A}, {B}), {C})", f"union({B}, union({C}, {A}))"),
    (f"intersect(intersect({A}, {B}), {C})", f"intersect({C}, intersect({B}, {A}))"),
    (f"both(both({P}, {Q}), {R})", f"both({R}, both({Q}, {P}))"),
    (f"either({P}, either({Q}, {R}))", f"either(either({R}, {P}), {Q})"),
    (f"union({A}, {A})", A),
    (f"union({A}, union({B}, {A}))", f"union({B}, {A})"),
    (f"intersect({B}, {B})", B),
    (f"intersect({A}, difference({B}, {C}))", f"difference(intersect({B}, {A}), {C})"),
    (f"difference(difference({A}, {B}), {C})", f"difference({A}, union({C}, {B}))"),
    (f"intersect(difference({A}, {B}), difference({C}, {B}))", f"difference(intersect({A}, {C}), {B})"),
    (f"either({P}, {P})", P),
    # operands of comparisons
    (f"equal_integer(count({A}), number[2]())", f"equal_integer(number[2](), count({A}))"),
    (f"equal_object(unique({A}), unique({B}))", f"equal_object(unique({B}), unique({A}))"),
    (
        f"equal(query[color](unique({A})), query[color](unique({B})))",
        f"equal(query[color](unique({B})), query[color](unique({A})))",
    ),
    (f"greater(count({A}), count({B}))", f"less(count({B}), count({A}))"),
    # negation, only
    (f"negate(negate({P}))", P),
    (f"negate(negate(negate({P})))", f"negate({P})"),
    (f"unique(only(unique({A})))", f"unique({A})"),
    # sharing
    (f"a = {A}; union(a, {B})", f"union({A}, {B})"),
    (f"a = unique({A}); equal(query[size](a), query[size](a))", f"a = query[size](unique({A})); equal(a, a)"),
    ("a = scene; union(filter[red](a), filter[cube](a))", "union(filter[red](scene), filter[cube](scene))"),
    # several at once
    (
        f"negate(negate(greater(count(union({A}, {A})), count(intersect(scene(), {B})))))",
        f"less(count({B}), count({A}))",
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_laws(one: str, other: str) -> None:
    a, b = parse_program(one), parse_program(other)
    assert equivalent(a, b)
    assert canonical(a) == canonical(b)


DIFFERENT = [
    ("filter[red](scene())", "filter[blue](scene())"),
    ("filter[red](scene())", "scene()"),
    ("count(scene())", "exist(scene())"),
    (f"less(count({A}), count({B}))", f"less(count({B}), count({A}))"),
    (f"greater(count({A}), count({B}))", f"less(count({A}), count({B}))"),
    (f"minus(count({A}), count({B}))", f"minus(count({B}), count({A}))"),
    (f"difference({A}, {B})", f"difference({B}, {A})"),
    (f"difference({B}, filter[red]({C}))", f"filter[red](difference({B}, {C}))"),
    (f"union(filter[red]({B}), {C})", f"filter[red](union({B}, {C}))"),
    (f"union({A}, {B})", f"intersect({A}, {B})"),
    (f"both({P}, {Q})", f"either({P}, {Q})"),
    (f"both({P}, negate({Q}))", f"negate(both({P}, {Q}))"),
    (f"negate({P})", P),
    ("extreme[left](filter[red](scene()))", "filter[red](extreme[left](scene()))"),
    ("relate_any[left](filter[red](scene()))", "filter[red](relate_any[left](scene()))"),
    (f"filter[red]({B})", "relate[left](unique(filter[red](scene())))"),
    ("relate[left](unique(scene()))", "relate[right](unique(scene()))"),
    ("same[color](unique(scene()))", "same[shape](unique(scene()))"),
    (f"union(scene(), {B})", "scene()"),  # the call that is left out could fail
    (f"union({B}, {C})", f"union({C}, relate[right](unique(scene())))"),
    (f"union({A}, union({B}, {C}))", f"union({A}, {B})"),
    ("distinct[color](scene())", "count(scene())"),
    ("distinct[color](filter[red](scene()))", "distinct[color](scene())"),
    (f"only(unique({A}))", A),
    ("number[1]()", "number[2]()"),
    ("equal_integer(number[1](), count(scene()))", "less(number[1](), count(scene()))"),
    (
        f"equal(query[color](unique({A})), query[color](unique({B})))",
        f"equal_object(unique({A}), unique({B}))",
    ),
    (
        f"equal(query[color](unique({A})), query[color](unique({B})))",
        f"equal(query[size](unique({A})), query[size](unique({B})))",
    ),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_near_misses_are_told_apart(one: str, other: str) -> None:
    a, b = parse_program(one), parse_program(other)
    assert not equivalent(a, b)
    assert canonical(a) != canonical(b)


def test_the_form_is_readable_and_in_the_order_of_the_domain() -> None:
    text = "count(filter[cube](filter[metal](filter[red](filter[large](scene())))))"
    mixed = "count(intersect(filter[metal](filter[large](scene())), filter[red](filter[cube](scene()))))"
    assert format_program(canonical(parse_program(mixed))) == text


def test_programs_of_different_domains_differ() -> None:
    assert not equivalent(parse_program("scene", "clevr"), parse_program("scene", "kitchen"))


def outcome(program: Program, scene: Scene) -> object:
    """The answer, or that it fails."""
    try:
        return execute(program, scene)
    except NotUnique:
        return NotUnique


@given(programs(CLEVR, max_calls=40))
def test_idempotent(program: Program) -> None:
    form = canonical(program)
    assert canonical(form) == form
    assert equivalent(form, program)


@given(st.data())
def test_answers_and_failures_stay(data: st.DataObject) -> None:
    world = data.draw(worlds(max_objects=6))
    program = data.draw(programs(world.domain) | programs_for(world.scene))
    assert outcome(canonical(program), world.scene) == outcome(program, world.scene)


def scrambled(program: Program, rng: Random) -> Program:
    """The same program written otherwise: operands swapped, filters moved and doubled, calls copied."""
    calls: list[Call] = []
    place: dict[int, int] = {}

    def add(op: str, literals: tuple[str, ...] = (), *inputs: int) -> int:
        calls.append(Call(op, literals, inputs))
        return len(calls) - 1

    def copied(node: int) -> int:
        """The subtree at a call, written once more."""
        original = calls[node]
        return add(original.op, original.literals, *map(copied, original.inputs))

    for node, (step, given_) in enumerate(zip(program.steps, program.inputs, strict=True)):
        op, literals = step.op.name, step.literals
        inputs = [copied(place[i]) if rng.random() < 0.1 and i < 8 else place[i] for i in given_]
        if step.op.commutes and rng.random() < 0.5:
            inputs.reverse()
        if op in ("less", "greater") and rng.random() < 0.5:
            op = "greater" if op == "less" else "less"
            inputs.reverse()
        if op == "filter" and rng.random() < 0.3:
            call = add("intersect", (), inputs[0], add("filter", literals, add("scene")))
        else:
            call = add(op, literals, *inputs)
        if op == "filter" and rng.random() < 0.2:
            call = add(op, literals, call)
        if step.gives is OBJECTS and rng.random() < 0.2:
            call = add(rng.choice(["union", "intersect"]), (), call, call)
        if step.gives is TRUTH and rng.random() < 0.3:
            call = add("negate", (), add("negate", (), call))
        place[node] = call
    return Program(_used(calls), program.domain)


def _used(calls: list[Call]) -> list[Call]:
    """The calls that the last one needs."""
    needed: set[int] = {len(calls) - 1}
    for node in range(len(calls) - 1, -1, -1):
        if node in needed:
            needed.update(calls[node].inputs)
    place = {node: i for i, node in enumerate(sorted(needed))}
    return [c._replace(inputs=tuple(place[i] for i in c.inputs)) for n, c in enumerate(calls) if n in needed]


@given(programs(CLEVR), st.integers(0, 2**32))
def test_a_scrambled_program_is_equivalent(program: Program, seed: int) -> None:
    other = scrambled(program, Random(seed))
    assert equivalent(program, other)
    assert canonical(program) == canonical(other)


@given(st.data())
def test_equivalent_programs_agree_and_programs_that_disagree_are_not_equivalent(data: st.DataObject) -> None:
    world = data.draw(worlds(max_objects=4))
    one, other = (data.draw(programs(world.domain, max_calls=5)) for _ in range(2))
    assume(one.kind is other.kind)
    if equivalent(one, other):
        assert outcome(one, world.scene) == outcome(other, world.scene)
    if outcome(one, world.scene) != outcome(other, world.scene):
        assert not equivalent(one, other)


def test_deep_and_wide_programs() -> None:
    calls = [Call("scene")]
    for i in range(5_000):
        calls.append(Call("extreme", ("left",), (i,)))
    deep = Program(calls)
    assert canonical(deep) == deep
    shared = Program([Call("scene"), *(Call("union", (), (i, i)) for i in range(5_000))])
    assert canonical(shared) == Program([Call("scene")])
    lines = [f"a{i + 1} = minus(a{i}, a{i});" for i in range(200)]
    exponential = parse_program("a0 = count(scene); " + "".join(lines) + "a200")
    assert canonical(exponential) == exponential
    lines = [f"a{i + 1} = difference(a{i}, extreme[left](a{i}));" for i in range(200)]
    taken_away = canonical(parse_program("a0 = scene; " + "".join(lines) + "a200"))
    assert taken_away.calls[-1].op == "difference"
    assert sum(call.op == "difference" for call in taken_away.calls) == 200
    assert canonical(taken_away) == taken_away


VARIED = [
    {"size": s, "color": c, "material": m, "shape": f, "3d_coords": [x, -x * x % 7, 0]}
    for x, (s, c, m, f) in enumerate(
        (s, c, m, f)
        for s in ("small", "large")
        for c in ("red", "blue")
        for m in ("metal", "rubber")
        for f in ("cube", "sphere")
    )
]
AROUND = {"left": [-1, 0, 0], "right": [1, 0, 0], "front": [0, -1, 0], "behind": [0, 1, 0]}


def test_filters_stay_on_their_side_of_a_difference() -> None:
    """Every way to filter what a difference keeps, takes away and gives, nested once: the same members as before."""
    scene = Scene.of("clevr", VARIED, directions=AROUND)
    sets = ("scene", "filter[red](scene)", "relate_any[left](filter[metal](scene))")

    def differences(keeps: tuple[str, ...], takes: tuple[str, ...]) -> list[str]:
        plain = [f"difference({a}, {b})" for a in keeps for b in takes]
        return [*plain, *(f"filter[cube]({d})" for d in plain)]

    once = differences(sets, ("filter[large](scene)", "extreme[left](filter[cube](scene))"))
    nested = differences(tuple(once), ("filter[metal](scene)",)) + differences(("filter[large](scene)",), tuple(once))
    for text in (*once, *nested):
        program = parse_program(text)
        assert execute(canonical(program), scene) == execute(program, scene), text


@pytest.mark.parametrize(
    ("filtered", "moved"),
    [
        (f"difference(filter[red]({B}), {C})", f"difference({B}, filter[red]({C}))"),
        (f"filter[red](difference({B}, {C}))", f"difference({B}, filter[red]({C}))"),
        (f"filter[red](difference({B}, {C}))", f"difference(filter[red]({B}), filter[cube]({C}))"),
        (f"difference(filter[red](difference({A}, {B})), {C})", f"difference(difference({A}, {B}), filter[red]({C}))"),
        (f"difference(filter[cube](difference({B}, {C})), {B})", f"difference(difference({B}, {C}), {B})"),
    ],
)
def test_a_filter_of_a_difference_is_neither_moved_nor_lost(filtered: str, moved: str) -> None:
    assert not equivalent(parse_program(filtered), parse_program(moved))


def kept(n: int, op: str, turned: bool = False) -> Program:
    """n unions, each of the one before and a new set, all of which are used elsewhere too."""
    sets = [f"s{k} = relate_any[left](s{k - 1}); " for k in range(1, n + 1)]
    order = range(n, 0, -1) if turned else range(1, n + 1)
    before, lines = "s0", []
    for k in order:
        lines.append(f"u{k} = {op}({before}, s{k}); ")
        before = f"u{k}"
    total = "t0 = exist(s0); "
    for place, k in enumerate(order):
        total += f"t{place + 1} = both(exist(relate_any[right](u{k})), t{place}); "
    return parse_program("s0 = relate_any[front](scene); " + "".join((*sets, *lines)) + total + f"negate(t{n})")


@pytest.mark.parametrize("op", ["union", "intersect"])
def test_unions_that_grow_out_of_each_other_share_their_calls(op: str) -> None:
    program = kept(40, op)
    form = canonical(program)
    assert len(form) <= len(program)
    assert canonical(form) == form
    turned = kept(40, op, turned=True)  # every union puts a new set before those of the one it grew out of
    form = canonical(turned)
    assert len(form) > len(turned) and equivalent(form, turned) and canonical(form) == form


def test_a_form_that_would_be_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["nsreason.programs.canonical"], "MAX_OPERANDS", 500)
    assert canonical(kept(40, "union"))
    with pytest.raises(ProgramError, match=r"unions overlap: the canonical form would have over 500 operands"):
        canonical(kept(40, "union", turned=True))
