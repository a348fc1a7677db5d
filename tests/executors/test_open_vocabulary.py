"""Domains of thousands of names: executors agree on them, and batches read only what their programs name."""

from __future__ import annotations

import time
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from nsreason.dsl.ops import OPS
from nsreason.errors import NoSingleValue, NotUnique
from nsreason.executors import SceneBatch, execute, execute_batch, trace
from nsreason.executors.batch_tables import MAX_DENSE
from nsreason.programs.canonical import canonical
from nsreason.programs.program import Program
from nsreason.programs.text_reader import parse_program
from nsreason.scenes.scene import Scene
from tests.support import brute_force
from tests.support.strategies import World, random_program
from tests.support.toy_scene_graph import graph_domain, random_graph_world

LARGE = graph_domain()


def by_brute_force(program: Program, world: World) -> Any:
    try:
        answer = brute_force.evaluate(program, world.record)
    except brute_force.NotOne as met:
        return "not unique", met.node, met.objects
    except brute_force.NotOneValue as met:
        return "no single value", met.node, met.index, tuple(sorted(met.values, key=LARGE.concept_index.__getitem__))
    return type(answer), answer


def outcome(answer: Any) -> Any:
    """An answer, or an error as `by_brute_force` has it."""
    if isinstance(answer, NotUnique):
        return "not unique", answer.node, answer.objects
    if isinstance(answer, NoSingleValue):
        return "no single value", answer.node, answer.object, answer.values
    assert not isinstance(answer, Exception), answer
    return type(answer), answer


def by_interpreter(program: Program, scene: Scene) -> Any:
    try:
        return outcome(execute(program, scene))
    except (NotUnique, NoSingleValue) as error:
        return outcome(error)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_every_executor_gives_the_answer_of_brute_force(seed: int, objects: int) -> None:
    rng = Random(seed)
    world = random_graph_world(rng, objects)
    aimed = [world.scene if rng.random() < 0.7 else None for _ in range(6)]
    programs = [random_program(rng, LARGE, max_calls=12, scene=scene) for scene in aimed]
    batched = execute_batch(programs, [world.scene], [0] * len(programs))
    for program, answer in zip(programs, batched, strict=True):
        note(str(program))
        expected = by_brute_force(program, world)
        assert by_interpreter(program, world.scene) == expected
        assert outcome(answer) == expected
        steps = trace(program, world.scene)
        assert outcome(steps.answer if steps.error is None else steps.error) == expected
        rewritten = by_interpreter(canonical(program), world.scene)
        # Where several calls fail, which one is reported depends on the order of operands.
        assert rewritten == expected or (isinstance(rewritten[0], str) and isinstance(expected[0], str))


def test_the_law_is_tested_on_something() -> None:
    """Most programs have an answer, all ops but those of attributes of one value occur, and so do all failures."""
    rng = Random(1)
    kinds: Counter[Any] = Counter()
    ops: set[str] = set()
    for _ in range(400):
        world = random_graph_world(rng, rng.randint(1, 12))
        program = random_program(rng, LARGE, max_calls=12, scene=world.scene if rng.random() < 0.7 else None)
        ops.update(call.op for call in program.calls)
        kinds[by_interpreter(program, world.scene)[0]] += 1
    assert kinds["no single value"] > 5 and kinds["not unique"] > 5, kinds
    assert kinds["no single value"] + kinds["not unique"] < 200 and kinds[str] > 5, kinds
    assert ops == set(LARGE.ops) and set(LARGE.ops) <= set(OPS)


# --- what is read of the scenes ---


def worlds_and_programs(scenes: int, programs: int) -> tuple[list[Scene], list[Program], list[int]]:
    rng = Random(2)
    worlds = [random_graph_world(rng, 20) for _ in range(scenes)]
    which = [rng.randrange(scenes) for _ in range(programs)]
    asked = [random_program(rng, LARGE, max_calls=8, scene=worlds[i].scene) for i in which]
    return [Scene.from_dict(world.record, LARGE) for world in worlds], asked, which


def test_a_batch_asks_a_scene_only_for_what_its_programs_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(LARGE.concepts) > 2600 > MAX_DENSE
    scenes, programs, which = worlds_and_programs(10, 40)
    asked: set[tuple[int, int]] = set()
    relation = Scene.relation

    def counted(self: Scene, number: int) -> list[int]:
        asked.add((scenes.index(self), number))
        return relation(self, number)

    monkeypatch.setattr(Scene, "relation", counted)
    execute_batch(programs, SceneBatch(scenes), which)
    named = {
        (i, LARGE.relation_index[name])
        for program, i in zip(programs, which, strict=True)
        for call in program.calls
        for name in call.literals
        if name in LARGE.relation_index
    }
    assert asked <= named and asked


def test_a_batch_that_names_little_costs_little() -> None:
    """Time does not grow with the names of the domain: 20 times as many, less than 5 times the time."""

    def seconds(names: int) -> float:
        domain = graph_domain(names)
        rng = Random(3)
        scenes = [random_graph_world(rng, 10, domain).scene for _ in range(60)]
        programs = [parse_program(f"count(filter[{domain.values('name')[-1]}](scene()))", domain)] * len(scenes)
        times = []
        for _ in range(5):
            start = time.process_time()
            execute_batch(programs, SceneBatch(scenes))
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(2000) < 5 * seconds(100) + 0.01
