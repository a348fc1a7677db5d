"""Grounded scenes: what each table says, padding, masks, and what does not fit."""

from __future__ import annotations

from random import Random

import pytest
import torch

from nsreason.errors import ExecutionError, SceneError
from nsreason.executors.soft.algebras import Goedel, Logit, Product
from nsreason.executors.soft.grounding import Grounded, ground_crisp, self_masked
from nsreason.scenes.scene import Scene, members
from tests.support.soft_worlds import SOFT, label, tables_of, uncertain
from tests.support.strategies import random_domain, random_world

Semantics = Logit | Goedel | Product


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_crisp_tables_say_what_the_scenes_say(k: Semantics) -> None:
    """Entry by entry, from the scene's own words."""
    rng = Random(4)
    domain = random_domain(rng, 3, 3)
    scenes = [random_world(rng, domain, n).scene for n in (0, 1, 5, 3)]
    g = ground_crisp(scenes, k, pad=1)
    yes, no = k.degree(torch.tensor([True, False])).tolist()
    assert len(g) == 4 and g.n == 6 and g.present.sum(1).tolist() == [0, 1, 5, 3]
    for s, scene in enumerate(scenes):
        for i in range(g.n):
            there = i < len(scene)
            assert bool(g.present[s, i]) is there
            for c, concept in enumerate(domain.concepts):
                attribute = domain.attribute_of[concept]
                holds = there and scene.value(i, attribute) == concept
                assert g.concepts[s, c, i].item() == (yes if holds else no if there else k.nothing)
                for a, name in enumerate(domain.attributes):
                    asked = holds and attribute == name
                    assert not there or g.words[s, a, i, c].item() == (yes if asked else no)
            for j in range(g.n):
                both = there and j < len(scene)
                for r in range(len(domain.relations)):
                    holds = both and j in members(scene.relation(r)[i])
                    assert g.relations[s, r, i, j].item() == (yes if holds else no if both else k.nothing)
                for a, name in enumerate(domain.attributes):
                    holds = both and i != j and scene.value(i, name) == scene.value(j, name)
                    assert g.alike[s, a, i, j].item() == (yes if holds else no if both else k.nothing)


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_no_object_is_related_to_itself(k: Semantics) -> None:
    """NS-CL's self mask: -10 on the diagonal, whatever a model says, and no gradient to it."""
    table = torch.full((2, 3, 4, 4), 0.75, requires_grad=True)
    masked = self_masked(table, k)
    diagonal = masked.diagonal(dim1=-2, dim2=-1)
    assert (diagonal == (-10.0 if k.name == "logit" else 0.0)).all()
    off = ~torch.eye(4, dtype=torch.bool)
    assert (masked[..., off] == 0.75).all()
    masked.sum().backward()
    assert table.grad is not None
    assert (table.grad.diagonal(dim1=-2, dim2=-1) == 0).all() and (table.grad[..., off] == 1).all()


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_a_models_tables_are_masked(k: Semantics) -> None:
    domain = random_domain(Random(1), 2, 2)
    g = uncertain(Random(2), domain, k, [2, 4])
    false = -10.0 if k.name == "logit" else 0.0
    for table in (g.relations, g.alike):
        assert (table[1].diagonal(dim1=-2, dim2=-1) == false).all()
        assert (table[0, :, 2:] == k.nothing).all() and (table[0, :, :, 2:] == k.nothing).all()
        assert not (table[0, :, 0, 1] == k.nothing).any()
    assert (g.concepts[0, :, 2:] == k.nothing).all() and not (g.concepts[0, :, :2] == k.nothing).any()


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_padding_adds_places_that_are_none(k: Semantics) -> None:
    rng = Random(5)
    domain = random_domain(rng, 2, 2)
    scenes = [random_world(rng, domain, n).scene for n in (2, 3)]
    plain = ground_crisp(scenes, k)
    padded, asked = plain.padded(3), ground_crisp(scenes, k, pad=3)
    assert torch.equal(padded.present, asked.present) and padded.n == 6
    for name, table in tables_of(padded).items():
        assert torch.equal(table, tables_of(asked)[name])
    assert torch.equal(padded.relations[:, :, :3, :3], plain.relations)
    assert not padded.present[:, 3:].any() and (padded.alike[:, :, :, 3:] == k.nothing).all()


def test_domains_without_relations_or_of_one_word() -> None:
    rng = Random(7)
    domain = random_domain(rng, 1, 0)
    g = ground_crisp([random_world(rng, domain, 2).scene], Logit())
    assert g.relations.shape == (1, 0, 2, 2) and g.words.shape == (1, 1, 2, len(domain.concepts))


def test_other_precisions_and_devices() -> None:
    rng = Random(9)
    domain = random_domain(rng, 2, 2)
    g = ground_crisp([random_world(rng, domain, 3).scene], Logit())
    half = g.to(torch.float16)
    assert {t.dtype for t in tables_of(half).values()} == {torch.float16}
    assert half.present.dtype == torch.bool and torch.isfinite(half.relations).all()
    assert g.to("meta").present.is_meta and g.to("meta").words.is_meta


def test_what_does_not_fit_is_refused() -> None:
    rng = Random(3)
    domain, other = random_domain(rng, 2, 2), random_domain(rng, 3, 0)
    k = Logit()
    scene = random_world(rng, domain, 3).scene
    with pytest.raises(ExecutionError, match="there is no scene to ground"):
        ground_crisp([], k)
    with pytest.raises(ExecutionError, match="the scenes are of several domains"):
        ground_crisp([scene, random_world(rng, other, 2).scene], k)
    with pytest.raises(ExecutionError, match="more than 64 objects"):
        ground_crisp([random_world(rng, domain, 65).scene], k)
    bare = Scene.of("clevr", [{"size": "small", "color": "red", "material": "metal", "shape": "cube"}])
    with pytest.raises(SceneError, match="says nothing of 'left'"):
        ground_crisp([bare], k)
    g = ground_crisp([scene], k)
    c = len(domain.concepts)
    with pytest.raises(ExecutionError, match=rf"grounded concepts: \(1, {c}, 3\) fits domain .*, got \(1, {c}, 2\)"):
        Grounded(domain, g.present, g.concepts[..., :2], g.relations, g.alike, g.words, k.nothing)
    with pytest.raises(ExecutionError, match=r"grounded words is torch\.float64 on cpu, concepts are torch\.float32"):
        Grounded(domain, g.present, g.concepts, g.relations, g.alike, g.words.double(), k.nothing)
