"""Soft execution on domains of thousands of names: the exact answers, from tables of what the programs name."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from nsreason.dsl.domain_part import domain_part
from nsreason.dsl.kinds import Objects
from nsreason.dsl.ops import OPS, read_signature
from nsreason.errors import ExecutionError, NoSingleValue, NotUnique
from nsreason.executors import execute
from nsreason.executors.answers import Answer
from nsreason.executors.soft.algebras import Goedel
from nsreason.executors.soft.executor import QuasiSymbolic
from nsreason.executors.soft.grounding import ground_crisp
from nsreason.executors.soft.narrowing import names_numbers, narrowed
from nsreason.programs.program import Program
from nsreason.programs.text_reader import parse_program
from nsreason.scenes.scene import Scene
from tests.support.soft_worlds import SEMANTICS, label
from tests.support.strategies import random_program
from tests.support.toy_scene_graph import graph_domain, random_graph_world

LARGE = graph_domain()


def exact(program: Program, scene: Scene) -> Answer | None:
    """Return the exact answer; None where `unique` or a query meets nothing or several."""
    try:
        return execute(program, scene)
    except (NotUnique, NoSingleValue):
        return None


def batch(rng: Random, scenes: int, programs: int) -> tuple[list[Scene], list[Program], list[int], list[Answer]]:
    """Programs that have an answer on one of the scenes."""
    graphs = [random_graph_world(rng, rng.randint(1, 12)).scene for _ in range(scenes)]
    asked: list[Program] = []
    which: list[int] = []
    answers: list[Answer] = []
    while len(asked) < programs:
        place = rng.randrange(scenes)
        program = random_program(rng, LARGE, max_calls=10, scene=graphs[place])
        answer = exact(program, graphs[place])
        if answer is not None and "999999999" not in str(program):  # float32 has no such number
            asked.append(program)
            which.append(place)
            answers.append(answer)
    return graphs, asked, which, answers


def test_every_algebra_gives_the_exact_answer() -> None:
    rng = Random(4)
    kinds = set()
    for _ in range(4):
        scenes, programs, which, answers = batch(rng, 4, 60)
        kinds |= set(map(type, answers))
        part, graphs = narrowed(programs, scenes)
        assert [exact(p, graphs[i]) for p, i in zip(part, which, strict=True)] == answers, "narrowing changes no answer"
        for k in SEMANTICS:
            decoded = QuasiSymbolic(k)(part, ground_crisp(graphs, k), which).decode()
            for program, answer, got in zip(programs, answers, decoded, strict=True):
                assert (type(got), got) == (type(answer), answer), f"{label(k)}: {program}"
    assert kinds == {bool, int, str, tuple}


def test_tables_hold_what_the_programs_name() -> None:
    rng = Random(5)
    scenes, programs, _, _ = batch(rng, 8, 20)
    part, graphs = narrowed(programs, scenes)
    named = {name for program in programs for call in program.calls for name in call.literals}
    domain = graphs[0].domain
    asked = [a for a in domain.attributes if a in named]
    stated = {v for a in asked for scene in scenes for i in range(len(scene)) for v in scene.values_of(i, a)}
    assert set(domain.relations) == named & set(LARGE.relations)
    assert set(domain.concepts) <= (named & set(LARGE.concepts)) | stated | {domain.values(a)[0] for a in asked}
    grounded = ground_crisp(graphs, Goedel())
    assert grounded.words.numel() < 8 * 32 * 12 * 300
    assert all(program.domain is domain for program in part)


def test_a_word_of_an_open_attribute_is_likely_alone_or_an_error() -> None:
    scene = Scene.of(LARGE, [{"name": "name-0", "category-0": ["value-0-1", "value-0-2"]}, {"name": "name-1"}])
    texts = [f"query[category-0](unique(filter[{name}](scene())))" for name in ("name-0", "name-1")]
    programs, scenes = narrowed([parse_program(text, LARGE) for text in texts], [scene])
    for k in SEMANTICS:
        several, none = QuasiSymbolic(k)(programs, ground_crisp(scenes, k), [0, 0]).decode()
        assert isinstance(several, NoSingleValue) and set(several.values) == {"value-0-1", "value-0-2"}
        assert isinstance(none, NoSingleValue) and none.values == () and none.object is None


def test_a_word_is_what_is_stated_and_not_what_stands_above_it() -> None:
    scene = Scene.of(LARGE, [{"name": "kind-0"}])
    programs, scenes = narrowed([parse_program("query[name](unique(filter[artefact](scene())))", LARGE)], [scene])
    for k in SEMANTICS:
        assert QuasiSymbolic(k)(programs, ground_crisp(scenes, k)).decode() == ["kind 0"]


def test_a_part_of_a_domain_keeps_what_stands_above() -> None:
    part = domain_part(LARGE, {"name-3", "living-thing"}, ["category-1"], {"relation-0"})
    assert part.concepts == ("value-1-19", "name-3", "living-thing") and part.above == {1: (2,)}
    assert len(part.values("category-1")) == 1 and part.attribute_index["name"] in part.open_attributes
    assert part.relations == ("relation-0",) and part.inverse("relation-0") is None
    assert domain_part(LARGE, (), (), ()).attributes == LARGE.attributes[:1]


def test_what_cannot_be_narrowed() -> None:
    with pytest.raises(ExecutionError, match="no scene to narrow"):
        narrowed([], [])
    other = graph_domain(50)
    with pytest.raises(ExecutionError, match="several domains"):
        narrowed([parse_program("scene()", other)], [Scene.of(LARGE, [{"name": "name-0"}])])


def test_ops_that_name_something_by_number_are_not_narrowed() -> None:
    def third(k: Any, scene: Any, objects: Objects[Any]) -> Objects[Any]:
        return k.both(objects, scene.members("concept", 3))

    assert names_numbers(read_signature(third, name="third"))
    assert not any(names_numbers(OPS[name]) for name in LARGE.ops)
