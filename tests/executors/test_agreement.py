"""The law that ties the executors together: every program has one answer on a scene, whoever computes it.

Five readings of a program are compared, on random domains, scenes, and programs drawn from the op table:

    brute force     sets and loops over the scene's plain data (tests/support/brute_force.py); no code shared
    plain algebra   each op's function on Python integers, call after call
    compiled ops    each op's function made into one Python expression: what `execute` walks
    the trace       `execute_values`, which keeps what every call gave
    the schedule    `execute_batch`: all programs of a batch at once, level by level, on 64-bit sets;
                    scenes of more than 64 objects go to the interpreter

An answer includes having none: then all of them name the same call and the same objects.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from nsreason.dsl.kinds import TRUTH
from nsreason.dsl.ops import OPS
from nsreason.errors import NotUnique
from nsreason.executors import SceneBatch, execute, execute_batch, execute_values
from nsreason.executors.answers import decode
from nsreason.executors.bitsets import Ambiguous, BitView, tables_of
from nsreason.executors.compiler import PLAIN, compiled
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
from tests.support import brute_force
from tests.support.strategies import (
    World,
    domains,
    programs,
    programs_for,
    random_domain,
    random_program,
    random_world,
    records,
    worlds,
)

# --- the readings: each returns an answer, or `(node, objects)` of the `unique` that ended it ---


def by_brute_force(program: Program, world: World) -> Any:
    try:
        return _typed(brute_force.evaluate(program, world.record))
    except brute_force.NotOne as met:
        return "not unique", met.node, met.objects


def by_plain_algebra(program: Program, world: World) -> Any:
    view = BitView(tables_of(world.scene))
    values: list[int] = []
    for node, (step, inputs) in enumerate(zip(program.steps, program.inputs, strict=True)):
        try:
            values.append(step.op.apply(PLAIN, view, step.encoded, tuple(values[i] for i in inputs)))
        except Ambiguous as met:
            return "not unique", node, tuple(i for i in range(len(world.scene)) if met.bits >> i & 1)
    return _typed(decode(values[-1], program.kind, program.domain))


def by_interpreter(program: Program, world: World) -> Any:
    try:
        return _typed(execute(program, world.scene))
    except NotUnique as met:
        return "not unique", met.node, met.objects


def by_trace(program: Program, world: World) -> Any:
    values, error = execute_values(program, world.scene)
    if error is not None:
        assert isinstance(error, NotUnique) and error.node == len(values)
        return "not unique", error.node, error.objects
    return _typed(decode(values[-1], program.kind, program.domain))


def from_batch(answer: Any) -> Any:
    return ("not unique", answer.node, answer.objects) if isinstance(answer, NotUnique) else _typed(answer)


def _typed(answer: Any) -> Any:
    """Pair an answer with its type, as True == 1 in Python, and a numpy integer is no answer."""
    return type(answer), answer


# --- the law ---


@settings(max_examples=400)
@given(st.data())
def test_every_executor_gives_the_answer_of_brute_force(data: st.DataObject) -> None:
    world = data.draw(worlds())
    program = data.draw(st.one_of(programs_for(world.scene), programs(world.domain)))
    note(str(program))
    answer = by_brute_force(program, world)
    assert by_plain_algebra(program, world) == answer
    assert by_interpreter(program, world) == answer
    assert by_trace(program, world) == answer
    assert from_batch(execute_batch([program], [world.scene])[0]) == answer


@settings(max_examples=60)
@given(st.data())
def test_a_batch_answers_each_program_as_if_it_were_alone(data: st.DataObject) -> None:
    """Programs of all shapes and scenes of all sizes in one batch; those without an answer leave the others
    alone.
    """
    domain = data.draw(domains())
    rng = Random(data.draw(st.integers(0, 2**32)))
    batch = [random_world(rng, domain, rng.randint(0, 10)) for _ in range(data.draw(st.integers(1, 6)))]
    which = data.draw(st.lists(st.integers(0, len(batch) - 1), max_size=40))
    asked = [
        random_program(rng, domain, max_calls=25, scene=batch[i].scene if rng.random() < 0.7 else None) for i in which
    ]
    expected = [by_brute_force(p, batch[i]) for p, i in zip(asked, which, strict=True)]
    prepared = SceneBatch([w.scene for w in batch])
    assert [from_batch(a) for a in execute_batch(asked, prepared, which)] == expected
    again = [w.scene for w in (batch[i] for i in which)]
    assert [from_batch(a) for a in execute_batch(asked, again)] == expected


@pytest.mark.parametrize("sizes", [(0,), (1,), (64,), (65,), (130,), (0, 1, 2, 63, 64, 65, 130)], ids=str)
def test_scenes_at_the_edges_of_a_machine_word(sizes: tuple[int, ...]) -> None:
    """64 objects fill a word of the schedule, more do not fit; 0 and 1 leave it (nearly) empty."""
    rng = Random(str(sizes))
    domain = random_domain(rng, 5, 4)
    batch = [random_world(rng, domain, n) for n in sizes]
    which = [q % len(batch) for q in range(42)]
    asked = [
        random_program(rng, domain, max_calls=15, scene=batch[i].scene if rng.random() < 0.7 else None) for i in which
    ]
    expected = [by_brute_force(p, batch[i]) for p, i in zip(asked, which, strict=True)]
    assert [by_interpreter(p, batch[i]) for p, i in zip(asked, which, strict=True)] == expected
    assert [from_batch(a) for a in execute_batch(asked, [w.scene for w in batch], which)] == expected
    if max(sizes) > 0:
        assert any(e[0] != "not unique" for e in expected), "no program had an answer: the test compares nothing"


@given(st.data())
def test_no_executor_leaves_anything_behind_in_its_inputs(data: st.DataObject) -> None:
    """One program on two scenes, one scene under two programs, in any order: the answers are those of fresh
    copies.
    """
    domain = data.draw(domains())
    pair = []
    for _ in range(2):
        record = data.draw(records(domain))
        pair.append(World(record, Scene.from_dict(record, domain)))
    asked = [data.draw(programs(domain)), data.draw(programs_for(pair[0].scene))]
    before = [w.scene.to_dict() for w in pair], [p.calls for p in asked]
    for world in (*pair, *pair):
        for program in (*asked, *reversed(asked)):
            fresh = World(world.record, Scene.from_dict(world.record, domain)), Program(program.calls, domain)
            assert by_interpreter(program, world) == by_interpreter(fresh[1], fresh[0])
            assert from_batch(execute_batch([program], [world.scene])[0]) == by_interpreter(program, world)
    assert ([w.scene.to_dict() for w in pair], [p.calls for p in asked]) == before


# --- that the law is tested on something ---


def test_brute_force_knows_every_op() -> None:
    """An op added to the table needs its meaning written down a second time."""
    written = {name for name in vars(brute_force.Meaning) if not name.startswith("_")} - {"stands"}
    assert written == set(OPS)


def test_most_drawn_programs_have_an_answer() -> None:
    """Programs drawn for a scene resolve mostly; programs drawn blindly often do not. The law needs both."""
    rng = Random(0)
    aimed, blind, ops, shared = 0, 0, set(), 0
    total = 400
    for _ in range(total):
        domain = random_domain(rng, 5, 4)
        world = random_world(rng, domain, rng.randint(0, 10))
        program = random_program(rng, domain, max_calls=20, scene=world.scene)
        ops.update(call.op for call in program.calls)
        shared += sum(len(c.inputs) for c in program.calls) > len(program) - 1
        aimed += by_interpreter(program, world)[0] != "not unique"
        blind += by_interpreter(random_program(rng, domain, max_calls=20), world)[0] != "not unique"
    assert aimed / total > 0.6
    assert blind / total < 0.8
    assert ops == set(OPS)
    assert shared > total / 10


@pytest.mark.parametrize("name", OPS)
def test_every_op_of_the_table_is_compiled(name: str) -> None:
    """The table's ops only combine primitives, so none of them runs through the slower plain algebra."""
    assert compiled(OPS[name]).__code__.co_filename == f"<op {name}>"


def test_a_truth_is_read_from_its_lowest_bit() -> None:
    """Negation in two's complement sets all other bits too; no executor may show that."""
    rng = Random(5)
    world = random_world(rng, random_domain(rng, 5, 4), 3)
    for n in range(4):
        calls = [Call("scene"), Call("exist", (), (0,)), *(Call("negate", (), (i + 1,)) for i in range(n))]
        program = Program(calls, world.domain)
        assert program.kind is TRUTH
        assert execute(program, world.scene) is (n % 2 == 0)
        assert execute_batch([program], [world.scene]) == [n % 2 == 0]
