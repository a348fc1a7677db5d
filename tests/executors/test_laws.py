"""Laws that answers obey, on random scenes: what a reader may rely on without knowing how an executor works.

`ask(scene, text)` runs the program that the text says; a law compares such answers, or states a bound.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nsreason.dsl.kinds import NUMBER, OBJECT, OBJECTS, TRUTH
from nsreason.errors import NotUnique, NsreasonError
from nsreason.executors import execute, execute_values
from nsreason.executors.answers import decode
from nsreason.programs.canonical import canonical, equivalent
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
from tests.support.strategies import World, programs, programs_for, random_domain, random_program, random_world, worlds

# --- a small language for the laws: sets are programs, joined by calls ---

Calls = tuple[Call, ...]


def call(op: str, *inputs: Calls, literals: tuple[str, ...] = ()) -> Calls:
    """The calls of the inputs, one after the other, and then the op on their results."""
    calls: list[Call] = []
    ends = []
    for part in inputs:
        start = len(calls)
        calls += [Call(c.op, c.literals, tuple(i + start for i in c.inputs)) for c in part]
        ends.append(len(calls) - 1)
    return (*calls, Call(op, literals, tuple(ends)))


def ask(world: World, calls: Calls) -> Any:
    """The answer; a law over a set whose `unique` fails says nothing, so hypothesis draws another."""
    try:
        return execute(Program(calls, world.domain), world.scene)
    except NotUnique:
        assume(False)


SCENE: Calls = (Call("scene"),)


@st.composite
def worlds_with_sets(draw: st.DrawFn, sets: int) -> tuple[World, list[Calls]]:
    """A scene, and programs that make sets of its objects."""
    world = draw(worlds(max_objects=8))
    return world, [draw(programs_for(world.scene, kind=OBJECTS, max_calls=6)).calls for _ in range(sets)]


one_set = worlds_with_sets(1)
two_sets = worlds_with_sets(2)
three_sets = worlds_with_sets(3)


# --- the order of the objects ---


def reordered(record: dict[str, Any], order: list[int]) -> dict[str, Any]:
    """Return the same scene with object order[k] at place k."""
    place = {old: new for new, old in enumerate(order)}
    relationships = {
        name: [[place[j] for j in rows[old]] for old in order] for name, rows in record["relationships"].items()
    }
    return record | {"objects": [record["objects"][i] for i in order], "relationships": relationships}


@given(st.data())
def test_the_order_of_the_objects_does_not_matter(data: st.DataObject) -> None:
    """Words, numbers and truths stay; objects are the same ones under their new indices; so are errors."""
    world = data.draw(worlds())
    program = data.draw(st.one_of(programs_for(world.scene), programs(world.domain)))
    order = data.draw(st.permutations(range(len(world.scene))))
    other = Scene.from_dict(reordered(world.record, order), world.domain)
    place = {old: new for new, old in enumerate(order)}
    try:
        before = execute(program, world.scene)
    except NotUnique as error:
        with pytest.raises(NotUnique) as caught:
            execute(program, other)
        assert caught.value.node == error.node
        assert caught.value.objects == tuple(sorted(place[i] for i in error.objects))
        return
    after = execute(program, other)
    if program.kind is OBJECTS:
        assert isinstance(before, tuple)
        before = tuple(sorted(place[i] for i in before))
    elif program.kind is OBJECT:
        assert isinstance(before, int)
        before = place[before]
    assert after == before


# --- filters ---


@given(one_set, st.data())
def test_filters_commute_repeat_and_only_narrow(drawn: tuple[World, list[Calls]], data: st.DataObject) -> None:
    world, (a,) = drawn
    x, y = (data.draw(st.sampled_from(world.domain.concepts)) for _ in range(2))
    xy = call("filter", call("filter", a, literals=(x,)), literals=(y,))
    yx = call("filter", call("filter", a, literals=(y,)), literals=(x,))
    xx = call("filter", call("filter", a, literals=(x,)), literals=(x,))
    only_x = ask(world, call("filter", a, literals=(x,)))
    assert ask(world, xy) == ask(world, yx)
    assert ask(world, xx) == only_x
    assert set(only_x) <= set(ask(world, a))
    everything = call("filter", SCENE, literals=(x,))
    assert only_x == ask(world, call("intersect", a, everything)), "a filter is an intersection"


@given(one_set, st.data())
def test_the_values_of_an_attribute_part_a_set(drawn: tuple[World, list[Calls]], data: st.DataObject) -> None:
    """Each object has exactly one value of each attribute: the counts per value add up to the whole."""
    world, (a,) = drawn
    attribute = data.draw(st.sampled_from(world.domain.attributes))
    counts = [ask(world, call("count", call("filter", a, literals=(v,)))) for v in world.domain.values(attribute)]
    assert sum(counts) == ask(world, call("count", a))
    assert sum(n > 0 for n in counts) == ask(world, call("distinct", a, literals=(attribute,)))


# --- sets ---


@given(three_sets)
def test_union_and_intersect_are_a_distributive_lattice(drawn: tuple[World, list[Calls]]) -> None:
    world, (a, b, c) = drawn

    def same(left: Calls, right: Calls) -> None:
        assert ask(world, left) == ask(world, right)

    for meet, join in (("intersect", "union"), ("union", "intersect")):
        same(call(meet, a, a), a)
        same(call(meet, a, b), call(meet, b, a))
        same(call(meet, a, call(meet, b, c)), call(meet, call(meet, a, b), c))
        same(call(meet, a, call(join, a, b)), a)
        same(call(meet, a, call(join, b, c)), call(join, call(meet, a, b), call(meet, a, c)))
    same(call("intersect", a, SCENE), a)
    same(call("union", a, SCENE), SCENE)


@given(three_sets)
def test_difference_is_the_complement_within_a_set(drawn: tuple[World, list[Calls]]) -> None:
    world, (a, b, c) = drawn
    minus = call("difference", a, b)
    assert ask(world, call("difference", a, a)) == ()
    assert ask(world, call("difference", a, SCENE)) == ()
    assert ask(world, call("intersect", minus, b)) == ()
    assert ask(world, call("union", minus, call("intersect", a, b))) == ask(world, a)
    assert ask(world, call("difference", a, minus)) == ask(world, call("intersect", a, b))
    de_morgan = call("difference", a, call("union", b, c))
    assert ask(world, de_morgan) == ask(world, call("intersect", minus, call("difference", a, c)))
    de_morgan = call("difference", a, call("intersect", b, c))
    assert ask(world, de_morgan) == ask(world, call("union", minus, call("difference", a, c)))


# --- numbers and truths ---


@given(two_sets)
def test_counts_add_over_disjoint_sets_and_include_and_exclude(drawn: tuple[World, list[Calls]]) -> None:
    world, (a, b) = drawn

    def count(calls: Calls) -> int:
        number = ask(world, call("count", calls))
        assert isinstance(number, int)
        return number

    apart = call("difference", a, b)
    assert count(call("union", apart, b)) == count(apart) + count(b)
    assert count(call("union", a, b)) == count(a) + count(b) - count(call("intersect", a, b))
    assert ask(world, call("minus", call("count", a), call("count", b))) == count(a) - count(b)
    assert count(a) == len(ask(world, a))


@given(one_set, st.data())
def test_exist_is_a_count_above_nought(drawn: tuple[World, list[Calls]], data: st.DataObject) -> None:
    world, (a,) = drawn
    nought = call("number", literals=("0",))
    assert ask(world, call("exist", a)) == ask(world, call("greater", call("count", a), nought))
    assert ask(world, call("exist", a)) != ask(world, call("equal_integer", call("count", a), nought))
    attribute = data.draw(st.sampled_from(world.domain.attributes))
    kinds = ask(world, call("distinct", a, literals=(attribute,)))
    assert ask(world, call("exist", a)) <= kinds <= ask(world, call("count", a))


@given(st.data())
def test_numbers_are_ordered_one_way(data: st.DataObject) -> None:
    """Of less, equal and greater exactly one holds; greater is less the other way round."""
    world = data.draw(worlds(max_objects=6))
    a, b = (data.draw(programs_for(world.scene, kind=NUMBER, max_calls=6)).calls for _ in range(2))
    holds = [ask(world, call(op, a, b)) for op in ("less", "equal_integer", "greater")]
    assert sum(holds) == 1
    assert ask(world, call("less", b, a)) == holds[2]


@given(st.data())
def test_truths_are_boolean(data: st.DataObject) -> None:
    world = data.draw(worlds(max_objects=6))
    a, b = (data.draw(programs_for(world.scene, kind=TRUTH, max_calls=6)).calls for _ in range(2))
    no_a, no_b = call("negate", a), call("negate", b)
    assert ask(world, call("negate", no_a)) is ask(world, a)
    assert ask(world, call("both", a, no_a)) is False
    assert ask(world, call("either", a, no_a)) is True
    assert ask(world, call("negate", call("both", a, b))) is ask(world, call("either", no_a, no_b))


# --- relations ---


@given(st.data())
def test_a_relation_and_its_inverse_say_the_same(data: st.DataObject) -> None:
    """j is in relate[r](i) exactly when i is in relate[inverse of r](j); no object is related to itself."""
    world = data.draw(worlds())
    domain, n = world.domain, len(world.scene)
    assume(domain.relations)
    for number, relation in enumerate(domain.relations):
        rows = world.scene.relation(number)
        assert all(not rows[i] >> i & 1 for i in range(n))
        inverse = domain.inverse(relation)
        if inverse is not None:
            turned = world.scene.relation(domain.relation_index[inverse])
            assert all((rows[i] >> j & 1) == (turned[j] >> i & 1) for i in range(n) for j in range(n))


@given(one_set, st.data())
def test_relate_leaves_out_the_anchor_and_relate_any_joins_relates(
    drawn: tuple[World, list[Calls]], data: st.DataObject
) -> None:
    world, (a,) = drawn
    assume(world.domain.relations)
    relation = (data.draw(st.sampled_from(world.domain.relations)),)
    single = _single_sets(world)
    for i, one in single.items():
        related = ask(world, call("relate", call("unique", one), literals=relation))
        assert i not in related
        assert related == ask(world, call("relate_any", one, literals=relation))
    if len(single) == len(world.scene):
        joined = {j for i in ask(world, a) for j in ask(world, call("relate_any", single[i], literals=relation))}
        assert set(ask(world, call("relate_any", a, literals=relation))) == joined


def _single_sets(world: World) -> dict[int, Calls]:
    """Return a program of a one-object set for each object with a unique combination of values."""
    sets = {}
    for i in range(len(world.scene)):
        calls = SCENE
        for attribute in world.domain.attributes:
            calls = call("filter", calls, literals=(world.scene.value(i, attribute),))
        if ask(world, calls) == (i,):
            sets[i] = calls
    return sets


@given(st.data())
def test_same_is_symmetric_and_leaves_out_the_anchor(data: st.DataObject) -> None:
    world = data.draw(worlds())
    attribute = data.draw(st.sampled_from(world.domain.attributes))
    alike = {
        i: set(ask(world, call("same", call("unique", one), literals=(attribute,))))
        for i, one in _single_sets(world).items()
    }
    for i, others in alike.items():
        assert i not in others
        assert all(world.scene.value(j, attribute) == world.scene.value(i, attribute) for j in others)
        assert all(i in alike[j] for j in others if j in alike)


@given(one_set)
def test_some_member_lies_furthest_along_an_order(drawn: tuple[World, list[Calls]]) -> None:
    """A relation from coordinates is an order (up to eps), so a set with members has an extreme one."""
    world, (a,) = drawn
    ordered = [r for r in world.domain.relations if r in world.record["directions"]]
    assume(ordered)
    for relation in ordered:
        furthest = ask(world, call("extreme", a, literals=(relation,)))
        assert set(furthest) <= set(ask(world, a))
        assert bool(furthest) == bool(ask(world, a))
        again = call("extreme", call("extreme", a, literals=(relation,)), literals=(relation,))
        assert ask(world, again) == furthest


@given(st.data())
def test_only_and_unique_are_inverse(data: st.DataObject) -> None:
    world = data.draw(worlds())
    one = data.draw(programs_for(world.scene, kind=OBJECT)).calls
    anchor = ask(world, one)
    assert ask(world, call("only", one)) == (anchor,)
    assert ask(world, call("unique", call("only", one))) == anchor
    assert ask(world, call("count", call("only", one))) == 1


# --- whole programs ---


@settings(max_examples=400)
@given(st.data())
def test_the_canonical_form_has_the_same_answer_or_has_none_either(data: st.DataObject) -> None:
    world = data.draw(worlds())
    program = data.draw(st.one_of(programs_for(world.scene), programs(world.domain)))
    form = canonical(program)
    assert equivalent(program, form)
    assert canonical(form) == form
    # Two different failures may swap: operands are sorted. That there is a failure may not change.
    assert _outcome(form, world.scene) == _outcome(program, world.scene)


def _outcome(program: Program, scene: Scene) -> Any:
    try:
        return execute(program, scene)
    except NsreasonError as error:
        return type(error)


@given(st.data())
def test_the_last_value_of_a_trace_is_the_answer(data: st.DataObject) -> None:
    world = data.draw(worlds())
    program = data.draw(programs_for(world.scene))
    values, error = execute_values(program, world.scene)
    try:
        answer = execute(program, world.scene)
    except NotUnique as met:
        assert error is not None and str(error) == str(met)
        assert len(values) == met.node
    else:
        assert error is None and len(values) == len(program)
        assert decode(values[-1], program.kind, program.domain) == answer


def test_the_laws_are_tried_on_sets_of_all_sizes() -> None:
    """A law over empty sets alone would hold of almost anything."""
    rng = Random(3)
    sizes = []
    for _ in range(200):
        world = random_world(rng, random_domain(rng, 3, 2), 8)
        program = random_program(rng, world.domain, kind=OBJECTS, max_calls=6, scene=world.scene)
        sizes.append(len(ask(world, program.calls)) if _outcome(program, world.scene) is not NotUnique else -1)
    assert {0, 1, 2, 3, 8} <= set(sizes)
    assert sizes.count(-1) < 60
