"""Traces with degrees, and what moved an answer."""

from __future__ import annotations

import re
from random import Random

import pytest
import torch

from nsreason.dsl.kinds import OBJECT, OBJECTS
from nsreason.errors import ExecutionError, NotUnique
from nsreason.executors import trace
from nsreason.executors.soft.algebras import Goedel, Logit, Product, algebra
from nsreason.executors.soft.executor import QuasiSymbolic
from nsreason.executors.soft.explain import influence, trace_soft
from nsreason.executors.soft.grounding import Grounded, ground_crisp
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
from tests.support.soft_worlds import SEMANTICS, SOFT, label, uncertain
from tests.support.strategies import random_domain, random_program, random_world

Semantics = Logit | Goedel | Product


def chain(*calls: str) -> Program:
    """Calls that each take the one before: `chain("scene", "filter red", "count")`."""
    parts = [call.split() for call in calls]
    return Program([Call(op, tuple(lits), (i - 1,) if i else ()) for i, (op, *lits) in enumerate(parts)], "clevr")


@pytest.fixture
def scene() -> Scene:
    things = [
        ("large", "red", "metal", "cube", 0.0),
        ("small", "blue", "rubber", "sphere", 1.0),
        ("small", "red", "rubber", "cylinder", 2.0),
    ]
    objects = [
        {"size": s, "color": c, "material": m, "shape": f, "3d_coords": [x, 0.3 * x, 0.0]} for s, c, m, f, x in things
    ]
    directions = {"left": [-1, 0, 0], "right": [1, 0, 0], "front": [0, -1, 0], "behind": [0, 1, 0]}
    return Scene.of("clevr", objects, directions=directions)


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_on_crisp_scenes_a_trace_is_the_exact_one_with_degrees(k: Semantics) -> None:
    rng = Random(f"trace{label(k)}")
    domain = random_domain(rng, 4, 3)
    compared = 0
    for _ in range(60):
        scene = random_world(rng, domain, rng.randint(1, 6)).scene
        program = random_program(rng, domain, scene=scene, max_calls=12)
        exact = trace(program, scene)
        if exact.error is not None or "number" in {c.op for c in program.calls}:
            continue
        compared += 1
        soft = trace_soft(program, scene, ground_crisp([scene], k, pad=2), QuasiSymbolic(k))
        for got, want in zip(soft.steps, exact.steps, strict=True):
            assert (got.value, got.words, got.state) == (want.value, want.words, want.state)
            if want.kind in (OBJECTS, OBJECT):
                assert got.degrees is not None and len(got.degrees) == len(scene)
                chosen = got.value if isinstance(got.value, tuple) else (got.value,)
                for i, degree in enumerate(got.degrees):
                    assert degree == pytest.approx(float(i in chosen), abs=1e-3)
            else:
                assert got.degrees is None
    assert compared > 20


def test_degrees_are_those_of_the_tables(scene: Scene) -> None:
    k = Goedel()
    grounded = ground_crisp([scene, scene], k)
    red = scene.domain.concept_index["red"]
    grounded.concepts[1, red] = torch.tensor([0.9, 0.3, 0.6])
    program = chain("scene", "filter red", "unique", "query shape")
    shown = trace_soft(program, scene, grounded, QuasiSymbolic(k), "What shape is the red thing?", which=1)
    assert shown.question == "What shape is the red thing?"
    assert shown.steps[1].degrees == pytest.approx((0.9, 0.3, 0.6)) and shown.steps[1].value == (0, 2)
    assert shown.steps[2].degrees == pytest.approx((0.5, 1 / 6, 1 / 3)) and shown.steps[2].value == 0
    assert shown.answer == "cube"
    first = trace_soft(program, scene, grounded, QuasiSymbolic(k))
    assert first.steps[1].degrees == (1.0, 0.0, 1.0)


def test_the_page_shows_degrees(scene: Scene) -> None:
    k = Logit()
    grounded = ground_crisp([scene], k)
    grounded.concepts[0, scene.domain.concept_index["red"]] = torch.tensor([2.0, -1.0, 0.5])
    shown = trace_soft(chain("scene", "filter red", "count"), scene, grounded, QuasiSymbolic(k))
    page = shown.to_html()
    degrees = [torch.sigmoid(torch.tensor(x)).item() for x in (2.0, -1.0, 0.5)]
    for degree in degrees:
        assert f'<span class="degree">{degree:.2f}</span>' in page
    assert shown.to_json()["steps"][1]["degrees"] == pytest.approx(degrees)


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_a_scene_without_objects_ends_the_trace_where_one_is_wanted(k: Semantics) -> None:
    nowhere = Scene.of("clevr", [], relationships={r: [] for r in ("left", "right", "front", "behind")})
    grounded = ground_crisp([nowhere], k)
    soft = QuasiSymbolic(k)
    shown = trace_soft(chain("scene", "filter red", "unique", "query shape"), nowhere, grounded, soft)
    exact = trace(chain("scene", "filter red", "unique", "query shape"), nowhere)
    assert isinstance(shown.error, NotUnique) and str(shown.error) == str(exact.error)
    assert [s.state for s in shown.steps] == ["done", "done", "failed", "not reached"]
    assert shown.answer is None and "no answer" in shown.to_text()
    assert trace_soft(chain("scene", "count"), nowhere, grounded, soft).answer == 0
    assert trace_soft(chain("scene", "exist"), nowhere, grounded, soft).answer is False


def test_a_scene_must_fit_its_tables(scene: Scene) -> None:
    k = Logit()
    one = Scene.of("clevr", [{"size": "small", "color": "red", "material": "metal", "shape": "cube"}],
                   relationships={r: [[]] for r in ("left", "right", "front", "behind")})  # fmt: skip
    with pytest.raises(ExecutionError, match="a scene of 3 objects in tables of 1 places"):
        trace_soft(chain("scene", "count"), scene, ground_crisp([one], k), QuasiSymbolic(k))


# --- influence ---


def test_what_moved_a_count(scene: Scene) -> None:
    k = Product()
    grounded = ground_crisp([scene], k)
    red = scene.domain.concept_index["red"]
    grounded.concepts[0, red] = torch.tensor([0.9, 0.25, 0.5])
    explained = influence(chain("scene", "filter red", "filter small", "count"), grounded, QuasiSymbolic(k))
    assert explained.answer == round(0.75) and explained.score == pytest.approx(0.75)
    moved = {(concept, i): gradient for concept, i, gradient in explained.strongest()}
    red_of = {i: gradient for (concept, i), gradient in moved.items() if concept == "red"}
    small_of = {i: gradient for (concept, i), gradient in moved.items() if concept == "small"}
    assert red_of == pytest.approx({1: 1.0, 2: 1.0}) and small_of == pytest.approx({0: 0.9, 1: 0.25, 2: 0.5})
    assert explained.concepts[red].tolist() == [0.0, 1.0, 1.0]  # of the small ones
    assert not explained.relations.any() and not explained.alike.any() and explained.strongest_links() == []


def test_what_moved_a_no(scene: Scene) -> None:
    """The score is that of the answer: more green would make the 'no' weaker."""
    k = Goedel()
    grounded = ground_crisp([scene], k)
    green = scene.domain.concept_index["green"]
    grounded.concepts[0, green] = torch.tensor([0.1, 0.3, 0.2])
    explained = influence(chain("scene", "filter green", "exist"), grounded, QuasiSymbolic(k))
    assert explained.answer is False and explained.score == pytest.approx(0.7)
    assert explained.strongest() == [("green", 1, -1.0)]
    assert explained.to_text() == "no, +0.70: object 1 green -1.00"
    assert explained.to_text(scene) == "no, +0.70: object 1 (small blue rubber sphere) green -1.00"


def test_what_moved_a_query_and_a_relation(scene: Scene) -> None:
    k = Logit()
    soft = QuasiSymbolic(k)
    grounded = ground_crisp([scene], k)
    explained = influence(chain("scene", "filter blue", "unique", "query shape"), grounded, soft)
    assert explained.answer == "sphere" and explained.score == pytest.approx(10.0, abs=1e-3)
    assert explained.strongest(1)[0][:2] == ("sphere", 1)
    related = influence(chain("scene", "filter blue", "unique", "relate left", "exist"), grounded, soft)
    assert related.answer is True
    assert related.strongest_links(1) == [("left", 1, 0, pytest.approx(1.0, abs=1e-3))]
    assert "object 0 left of object 1 +1.00" in related.to_text()
    shared = influence(chain("scene", "filter cube", "unique", "same color", "exist"), grounded, soft)
    assert shared.strongest_links(1)[0][:3] == ("color", 0, 2)
    assert "object 0 same color as object 2 +1.00" in shared.to_text()


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_influence_is_the_derivative(k: Semantics) -> None:
    """A small step along a concept's degree moves the score by as much."""
    rng = Random(f"influence{label(k)}")
    domain = random_domain(rng, 2, 2)
    grounded = uncertain(rng, domain, k, [3, 3])
    soft = QuasiSymbolic(k)
    steps = 0
    for _ in range(60):
        program = random_program(rng, domain, max_calls=10)
        if program.kind is OBJECTS:
            continue
        explained = influence(program, grounded, soft, scene=1)
        (answer,) = soft([program], grounded, [1]).decode()
        assert explained.answer == answer
        for link, i, j, gradient in explained.strongest_links(2):
            if link not in domain.relation_index:
                continue
            moved = grounded.relations.clone()
            moved[1, domain.relation_index[link], i, j] += 1e-6
            tables = grounded.concepts, moved, grounded.alike, grounded.words
            again = influence(program, Grounded(domain, grounded.present, *tables, k.nothing), soft, scene=1)
            assert (again.score - explained.score) / 1e-6 == pytest.approx(gradient, rel=1e-3, abs=1e-4)
            steps += 1
    assert steps > 10


def test_nothing_moves_a_number_that_is_written_down(scene: Scene) -> None:
    for k in SEMANTICS:
        explained = influence(chain("number 3"), ground_crisp([scene], k), QuasiSymbolic(k))
        assert explained.answer == 3 and explained.strongest() == []
        assert explained.to_text() == "3, +3.00: nothing moves it"


def test_hard_counts_have_no_gradient(scene: Scene) -> None:
    k = algebra("logit", "standard")
    explained = influence(chain("scene", "filter red", "count"), ground_crisp([scene], k), QuasiSymbolic(k))
    assert explained.answer == 2 and explained.strongest() == []


def test_sets_have_no_one_score(scene: Scene) -> None:
    k = Logit()
    with pytest.raises(ExecutionError, match="has no single score"):
        influence(chain("scene", "filter red"), ground_crisp([scene], k), QuasiSymbolic(k))


def test_the_documentation_of_the_executor_runs(scene: Scene) -> None:
    soft = QuasiSymbolic(Logit())
    answers = soft([chain("scene", "count"), chain("scene", "exist")], ground_crisp([scene], soft.algebra), [0, 0])
    assert answers.decode() == [3, True]
    assert answers.truths is not None and answers.numbers is not None and answers.words is None
    assert re.fullmatch("logit", soft.evaluation().algebra.name) and soft.evaluation().algebra.hard
