"""Concept embeddings: the tables are those of a slow loop over NS-CL's formulas, and everything learns."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from nsreason.dsl.domain import Domain, load_domain, parse_domain
from nsreason.perception.features.concept_embeddings import SELF, ConceptConfig, ConceptEmbeddings, Tables

S, N, D, E = 3, 4, 10, 6
NOTHING = -1e4
CLEVR = load_domain("clevr")
PLAIN = parse_domain('name = "plain"\n[attributes.tone.values]\nlow = {}\nhigh = {}\n')  # no relations

CONFIGS = {
    "release": ConceptConfig(space=5),
    "paper": ConceptConfig(space=5, variant="paper"),
    "known": ConceptConfig(space=5, belong="known"),
    "bare": ConceptConfig(space=5, others=False, own_vectors=False, self_mask=False, margin=0.3, same_temperature=0.2),
}


def scenes() -> tuple[Tensor, Tensor, Tensor]:
    """Object features, pair features, and which objects there are: scenes of 4, 2 and 1."""
    random = torch.Generator().manual_seed(0)
    present = torch.arange(N) < torch.tensor([4, 2, 1])[:, None]
    return torch.randn(S, N, D, generator=random), torch.randn(S, N, N, E, generator=random), present


def embeddings(domain: Domain, config: ConceptConfig) -> ConceptEmbeddings:
    torch.manual_seed(1)
    return ConceptEmbeddings(domain, D, E, config)


def ground(domain: Domain, config: ConceptConfig) -> tuple[ConceptEmbeddings, Tables]:
    model = embeddings(domain, config)
    objects, pairs, present = scenes()
    with torch.no_grad():
        return model, model(objects, pairs if domain.relations else None, present, NOTHING)


# --- a slow loop over the formulas ------------------------------------------------------------------------------


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


class Slow:
    """One taxonomy, one object or pair at a time."""

    def __init__(self, model: ConceptEmbeddings, relations: bool) -> None:
        spaces = model.relations if relations else model.concepts
        assert spaces is not None
        self.config, self.p, h = model.config, spaces.spaces, model.config.space
        weight, bias = spaces.operators.weight.detach(), spaces.operators.bias.detach()
        self.weight, self.bias = weight.view(self.p, h, -1), bias.view(self.p, h)
        self.vectors = spaces.vectors.detach()
        count = self.vectors.shape[1]
        if self.p == 1:
            self.belong = [[1.0]] * count
        elif self.config.belong == "known":
            home = [0] * count
            if not relations:
                home = [CLEVR.attributes.index(CLEVR.attribute_of[c]) for c in CLEVR.concepts]
            self.belong = [[1.0 if a == home[c] else 0.0 for a in range(self.p)] for c in range(count)]
        else:
            self.belong = spaces.belong.detach().softmax(-1).tolist()

    def place(self, x: Tensor, a: int) -> Tensor:
        return self.weight[a] @ x + self.bias[a]

    def cos(self, x: Tensor, c: int, a: int) -> float:
        return cosine(self.place(x, a), self.vectors[a if self.config.own_vectors else 0, c])

    def scaled(self, x: Tensor, c: int, a: int) -> float:
        margin, temperature = self.config.scale()
        return (self.cos(x, c, a) - margin) / temperature

    def concept(self, x: Tensor, c: int) -> float:
        if self.config.variant == "release":
            return math.log(sum(self.belong[c][a] * math.exp(self.scaled(x, c, a)) for a in range(self.p)))
        p = sum(self.belong[c][a] * sigmoid(self.scaled(x, c, a)) for a in range(self.p))
        return math.log(p / (1 - p))

    def word(self, x: Tensor, c: int, a: int) -> float:
        score = self.scaled(x, c, a)
        odds = score if self.config.variant == "release" else math.log(sigmoid(score))
        return odds + (math.log(self.belong[c][a]) if self.belong[c][a] else -200.0)

    def alike(self, x: Tensor, y: Tensor, a: int) -> float:
        margin, temperature = self.config.same_scale()
        return (cosine(self.place(x, a), self.place(y, a)) - margin) / temperature


def places(present: Tensor) -> Iterator[tuple[int, int, int]]:
    for s in range(S):
        n = int(present[s].sum())
        for i in range(n):
            for j in range(n):
                yield s, i, j


@pytest.mark.parametrize("name", CONFIGS)
def test_tables_are_those_of_a_slow_loop(name: str) -> None:
    config = CONFIGS[name]
    model, tables = ground(CLEVR, config)
    objects, pairs, present = scenes()
    things, links = Slow(model, False), Slow(model, True)
    close = {"rel": 1e-3, "abs": 1e-3}
    for s, i, j in places(present):
        if i == j:
            for c in range(len(CLEVR.concepts)):
                assert float(tables.concepts[s, c, i]) == pytest.approx(things.concept(objects[s, i], c), **close)
                for a in range(len(CLEVR.attributes)):
                    expected = things.word(objects[s, i], c, a)
                    assert float(tables.words[s, a, i, c]) == pytest.approx(expected, **close)
        for r in range(len(CLEVR.relations)):
            masked = config.self_mask and i == j
            expected = SELF if masked else links.concept(pairs[s, i, j], r)
            assert float(tables.relations[s, r, i, j]) == pytest.approx(expected, **close)
        for a in range(len(CLEVR.attributes)):
            masked = config.self_mask and i == j
            expected = SELF if masked else things.alike(objects[s, i], objects[s, j], a)
            assert float(tables.alike[s, a, i, j]) == pytest.approx(expected, **close)


def test_the_release_has_its_constants() -> None:
    """(cos - 1 + gamma) / (gamma tau): cos 1 is 4, 0.15 is 0, 0 is -0.71."""
    margin, temperature = ConceptConfig().scale()
    assert [(c - margin) / temperature for c in (1, 0.15, 0)] == pytest.approx([4, 0, -0.70588], abs=1e-4)
    margin, temperature = ConceptConfig().same_scale()
    assert [(c - margin) / temperature for c in (1, 0.5, 0)] == pytest.approx([4, 0, -4])
    assert ConceptConfig(variant="paper").scale() == ConceptConfig(variant="paper").same_scale() == (0.2, 0.1)


# --- shapes, padding, gradients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", [CLEVR, load_domain("kitchen"), PLAIN], ids=lambda d: d.name)
@pytest.mark.parametrize("variant", ["release", "paper"])
def test_shapes_and_padding_in_every_domain(domain: Domain, variant: str) -> None:
    model, tables = ground(domain, ConceptConfig(space=5, variant="paper" if variant == "paper" else "release"))
    _, _, present = scenes()
    c, r, a = len(domain.concepts), len(domain.relations), len(domain.attributes)
    assert [tuple(t.shape) for t in tables] == [(S, c, N), (S, r, N, N), (S, a, N, N), (S, a, N, c)]
    assert all(t.isfinite().all() for t in tables)
    pairs = present[:, None, :, None] & present[:, None, None, :]
    for table, there in ((tables.concepts, present[:, None]), (tables.relations, pairs), (tables.alike, pairs)):
        there = there.expand_as(table)
        assert (table[~there] == NOTHING).all() and (table[there] > NOTHING).all()
    assert (model.relations is None) == (r == 0)


def test_more_padding_changes_nothing() -> None:
    model, tables = ground(CLEVR, CONFIGS["release"])
    objects, pairs, present = scenes()
    wide = torch.full((S, N + 3, D), 7.0), torch.full((S, N + 3, N + 3, E), 7.0)
    wide[0][:, :N], wide[1][:, :N, :N] = objects, pairs
    there = torch.zeros(S, N + 3, dtype=torch.bool)
    there[:, :N] = present
    with torch.no_grad():
        more = model(*wide, there, NOTHING)
    torch.testing.assert_close(more.concepts[..., :N], tables.concepts)
    torch.testing.assert_close(more.relations[..., :N, :N], tables.relations)
    torch.testing.assert_close(more.alike[..., :N, :N], tables.alike)
    assert (more.concepts[..., N:] == NOTHING).all()


@pytest.mark.parametrize("name", CONFIGS)
def test_gradients_reach_every_parameter(name: str) -> None:
    model = embeddings(CLEVR, CONFIGS[name])
    objects, pairs, present = scenes()
    tables = model(objects.requires_grad_(), pairs.requires_grad_(), present, NOTHING)
    sum((t.sigmoid().pow(2).sum() for t in tables), torch.zeros(())).backward()
    for which, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), which
        assert parameter.grad.abs().sum() > 0, which
    for features in (objects, pairs):
        assert features.grad is not None and features.grad.isfinite().all()


def test_padding_learns_nothing() -> None:
    model = embeddings(CLEVR, CONFIGS["release"])
    objects, pairs, present = scenes()
    concepts, relations, alike, _ = model(objects.requires_grad_(), pairs.requires_grad_(), present, NOTHING)
    (concepts.sum() + relations.sum() + alike.sum()).backward()
    assert objects.grad is not None and pairs.grad is not None
    there = present[:, :, None] & present[:, None, :]
    assert (objects.grad[~present] == 0).all() and (objects.grad[present] != 0).any()
    assert (pairs.grad[~there] == 0).all() and (pairs.grad[there] != 0).any()


def test_an_object_without_features_has_finite_gradients() -> None:
    """Padding is zeros; were the bias zero too, its length would be 0, and a plain division would give NaN."""
    model = embeddings(CLEVR, CONFIGS["release"])
    torch.nn.init.zeros_(model.concepts.operators.bias)
    tables = model(torch.zeros(1, 2, D), torch.zeros(1, 2, 2, E), torch.ones(1, 2, dtype=torch.bool))
    tables.concepts.sum().backward()
    grad = model.concepts.operators.weight.grad
    assert grad is not None and grad.isfinite().all()


def test_known_belonging_is_not_learned() -> None:
    model = embeddings(CLEVR, CONFIGS["known"])
    assert not [n for n, _ in model.named_parameters() if "belong" in n]
    weights = model.concepts.log_belong().exp().squeeze(1)  # (P, C)
    home = [CLEVR.attributes.index(CLEVR.attribute_of[c]) for c in CLEVR.concepts]
    assert weights.argmax(0).tolist() == home and torch.allclose(weights.amax(0), torch.ones(len(home)))


def test_relations_need_pair_features() -> None:
    model = embeddings(CLEVR, CONFIGS["release"])
    objects, _, present = scenes()
    with pytest.raises(ValueError, match="features of pairs are needed"):
        model(objects, None, present)


@pytest.mark.parametrize("wrong", [{"space": 0}, {"temperature": 0.0}, {"same_temperature": -1.0}])
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"space: a whole number from 1|temperature.*above 0"):
        ConceptConfig(**wrong)  # type: ignore[arg-type]


def test_no_graph_breaks() -> None:
    """What `torch.compile` traces of grounding is one graph."""
    model = embeddings(CLEVR, CONFIGS["release"])
    objects, pairs, present = scenes()
    explained = torch._dynamo.explain(model)(objects, pairs, present, NOTHING)
    torch._dynamo.reset()
    assert (explained.graph_count, explained.graph_break_count) == (1, 0)
