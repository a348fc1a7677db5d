"""One contract for every kind of world: what executors, grounding and traces may ask of it, and what they then do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random

import pytest

from nsreason.dsl.kinds import Kind
from nsreason.dsl.tables import TABLES
from nsreason.executors import SceneBatch, execute, execute_batch, trace
from nsreason.executors.bitsets import tables_of
from nsreason.executors.soft.algebras import ALGEBRAS, algebra
from nsreason.executors.soft.executor import QuasiSymbolic
from nsreason.executors.soft.explain import trace_soft
from nsreason.executors.soft.grounding import ground_worlds
from nsreason.scenes.scene import Scene
from nsreason.scenes.values import OpenColumn
from nsreason.scenes.world import World, named
from tests.support import toy_video
from tests.support.strategies import random_program
from tests.support.worlds import WORLDS

SIZES = (0, 1, 5)


@pytest.fixture(params=WORLDS)
def build(request: pytest.FixtureRequest) -> Iterator[Callable[[Random, int], World]]:
    with toy_video.registered():
        yield WORLDS[request.param]


def numbers(world: World, literal: Kind | None) -> list[int]:
    """Some of the literals that choose one table of a family."""
    return [0] if literal is None else list(world.domain.numbers(literal))[:30]


@pytest.mark.parametrize("size", SIZES)
def test_tables_have_the_declared_form(build: Callable[[Random, int], World], size: int) -> None:
    world = build(Random(size), size)
    kind = world.domain.world
    counts = {sort: world.size(sort) for sort in kind.sorts}
    ready = world.ready()
    assert set(ready) <= set(kind.tables) and world._tables is None
    for name in kind.tables:
        table = TABLES[name]
        if table.derived is not None:
            continue
        for literal in numbers(world, table.literal):
            rows = world.rows(name, literal)
            if name in ready:
                assert ready[name][literal] is rows or ready[name][literal] == rows
            entries = [rows]
            for sort in table.source:
                assert all(len(entry) == counts[sort] for entry in entries), name
                if isinstance(rows, OpenColumn):
                    entries = []
                    break
                entries = [inner for entry in entries for inner in entry]
            limit = len(world.domain.concepts) if table.of_words else 1 << counts[table.target]
            assert all(0 <= entry < limit for entry in entries), name


@pytest.mark.parametrize("size", SIZES)
def test_individuals_have_labels_numbers_and_parts(build: Callable[[Random, int], World], size: int) -> None:
    world = build(Random(size), size)
    objects = world.size("object")
    for sort in world.domain.world.sorts:
        for i in range(world.size(sort)):
            assert world.label(sort, i) and isinstance(world.answer(sort, i), int)
            assert all(0 <= o < objects for o in world.parts(sort, i).objects)
    assert all(world.parts("object", i).objects == (i,) and world.answer("object", i) == i for i in range(objects))
    assert isinstance(world.as_scene(), Scene) and len(world.as_scene()) == objects


@pytest.mark.parametrize("size", SIZES)
def test_derived_tables_are_the_same_one_by_one_and_in_a_batch(
    build: Callable[[Random, int], World], size: int
) -> None:
    rng = Random(size)
    world = build(rng, size)
    if world.domain.open_attributes:
        return  # batches of open values read these tables as the interpreter does
    worlds = [world, world] if not isinstance(world, Scene) else [world]
    batch = SceneBatch(worlds)
    for name in world.domain.world.tables:
        table = TABLES[name]
        if table.derived is None:
            continue
        rows = batch.table(name)[0]
        count = world.size(table.source[0])
        for literal in numbers(world, table.literal):
            assert rows[literal][:count].tolist() == list(getattr(tables_of(world), name)[literal]), name


def test_all_executors_and_traces_take_it(build: Callable[[Random, int], World]) -> None:
    rng = Random(4)
    world = build(rng, 4)
    programs = [random_program(rng, world.domain, max_calls=8, scene=world) for _ in range(25)]
    answers = execute_batch(programs, [world], [0] * len(programs))
    for number, (program, answer) in enumerate(zip(programs, answers, strict=True)):
        if isinstance(answer, Exception):
            with pytest.raises(type(answer)) as met:
                execute(program, world)
            assert str(met.value) == str(answer)
        else:
            assert execute(program, world) == answer
        exact = trace(program, world, "Which?")
        assert (exact.answer == answer) if exact.error is None else str(exact.error) == str(answer)
        assert len(exact.to_text().splitlines()) >= 3
        assert json.loads(json.dumps(exact.to_json()))["answer"] == (
            list(exact.answer) if isinstance(exact.answer, tuple) else exact.answer
        )
        if number < 3:
            assert exact.to_html().count("<svg") >= 1
            assert exact.to_png().startswith(b"\x89PNG")


def test_soft_execution_takes_it(build: Callable[[Random, int], World]) -> None:
    rng = Random(7)
    world = build(rng, 4)
    if world.domain.open_attributes:
        return  # of several values none is the answer: open attributes are executed exactly
    programs = [random_program(rng, world.domain, max_calls=8, scene=world) for _ in range(40)]
    answers = execute_batch(programs, [world], [0] * len(programs))
    answered = [(p, a) for p, a in zip(programs, answers, strict=True) if not isinstance(a, Exception)]
    for name in ALGEBRAS:
        k = algebra(name)
        grounded = ground_worlds([world], k)
        for program, answer in answered[:8]:
            (soft,) = QuasiSymbolic(k)([program], grounded).decode()
            assert named(soft, program.kind, world) == answer
            traced = trace_soft(program, world, grounded, QuasiSymbolic(k))
            assert traced.answer == answer and traced.to_text()
    assert traced.to_html().count("<svg") >= 1
