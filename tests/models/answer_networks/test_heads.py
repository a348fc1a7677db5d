"""What the relation network is compared with, and that it learns relations which they do not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from nsreason.errors import DataError, RecipeError
from nsreason.models.answer_networks.heads import (
    ConcatenationHead,
    MeanPoolingHead,
    QuestionHead,
    QuestionTypeHead,
    StackedAttentionHead,
)
from nsreason.models.answer_networks.mlp import matched_width, parameters, perceptron, perceptron_parameters
from nsreason.models.answer_networks.relation_network import RelationNetwork, RelationNetworkConfig


def test_the_most_frequent_answer_of_a_type() -> None:
    mode = QuestionTypeHead(types=4, classes=3)
    mode.observe(torch.tensor([0, 0, 0, 1]), torch.tensor([2, 2, 1, 1]))
    mode.observe(torch.tensor([2, 2, 1]), torch.tensor([1, 0, 1]))
    logits = mode(torch.tensor([0, 1, 2, 3]))
    assert logits.argmax(1).tolist() == [2, 1, 0, 1]  # a tie goes to the first, an unseen type to the mode of all
    assert logits[0].exp().tolist() == pytest.approx([0, 1 / 3, 2 / 3])
    again = QuestionTypeHead(types=4, classes=3)
    again.load_state_dict(mode.state_dict())
    assert torch.equal(again(torch.tensor([0])), logits[:1]) and logits.isfinite().all()


@pytest.mark.parametrize("target", [10_000, 250_000, 3_000_000])
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_matched_perceptron_has_as_many_parameters_within_a_hundredth(target: int, layers: int) -> None:
    width = matched_width(target, into=50, out=10, layers=layers)
    count = parameters(perceptron(50, [width] * layers, 10))
    assert count == perceptron_parameters(50, [width] * layers, 10)
    assert abs(count - target) <= 0.01 * target
    for other in (width - 1, width + 1):
        assert abs(perceptron_parameters(50, [other] * layers, 10) - target) >= abs(count - target)


def test_a_perceptron_of_no_width_matches_a_few_parameters() -> None:
    with pytest.raises(RecipeError, match="1 wide, has 71; another number"):
        matched_width(100, into=50, out=10, layers=1)
    with pytest.raises(RecipeError, match="0 hidden layers"):
        matched_width(100, into=50, out=10, layers=0)


def test_the_perceptron_of_the_papers_physics_is_as_large_as_its_relation_network() -> None:
    relation = RelationNetworkConfig(33, 0, 100, g=(1000, 1000, 1000, 500), f=(500, 100), dropout=0.0)
    target = parameters(RelationNetwork(relation))
    width = matched_width(target, into=10 * relation.objects, out=relation.classes, layers=4)
    flat = ConcatenationHead(10, relation.objects, 0, [width] * 4, relation.classes)
    assert parameters(flat) == pytest.approx(target, rel=0.01)


def test_cnn_and_mlp_has_the_layers_of_g_and_f_and_more_parameters() -> None:
    """As the paper notes of its own."""
    relation = RelationNetworkConfig(26, 11, 10, g=(128, 128, 128), f=(128, 64), dropout=0.0)
    flat = ConcatenationHead.instead_of(relation, 25)
    widths = [layer.out_features for layer in flat.answer if isinstance(layer, nn.Linear)]
    assert widths == [128, 128, 128, 128, 64, 10]
    assert parameters(flat) > parameters(RelationNetwork(relation))
    assert flat(torch.rand(2, 25, 26), torch.rand(2, 11)).shape == (2, 10)
    with pytest.raises(DataError, match=r"takes \(B, 25, 26\)"):
        flat(torch.rand(2, 16, 26), torch.rand(2, 11))


def heads() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "blind": QuestionHead(6, (8,), 3),
        "averaged": MeanPoolingHead(5, 6, (8,), 3),
        "flat": ConcatenationHead(4, 5, 6, (8,), 3),
        "stacked": StackedAttentionHead(5, 6, 3, units=7),
    }


@pytest.mark.parametrize("name", heads())
def test_every_head_learns_from_the_question_and_not_from_padding(name: str) -> None:
    network = heads()[name]
    objects, condition = torch.randn(2, 4, 5), torch.randn(2, 6)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    logits = network(objects, condition, mask)
    assert logits.shape == (2, 3)
    assert torch.allclose(logits, network(torch.where(mask[..., None], objects, 9.0), condition, mask))
    assert not torch.allclose(logits, network(objects, condition.flip(0), mask))
    assert torch.allclose(logits, network(objects + 1, condition, mask)) == (name == "blind")
    assert torch.allclose(network(objects, condition)[0], logits[0], atol=1e-6)
    assert network(objects, condition, torch.zeros(2, 4, dtype=torch.bool)).isfinite().all()
    logits.square().sum().backward()
    for part, p in network.named_parameters():
        assert p.grad is not None and (p.grad.any() or "weigh" in part), part


def test_answerers_ask_for_what_they_need() -> None:
    network = heads()
    with pytest.raises(DataError, match="no condition"):
        network["blind"](None)
    with pytest.raises(DataError, match="no objects"):
        network["averaged"](None, torch.rand(1, 6))
    assert network["blind"](None, torch.rand(1, 6)).shape == (1, 3)


def test_stacked_attention_is_the_papers_formula() -> None:
    network = heads()["stacked"]
    assert isinstance(network, StackedAttentionHead)
    objects, condition = torch.randn(2, 4, 5), torch.randn(2, 6)
    asked, looks = network.attention(objects, condition)
    seen, u = torch.tanh(objects @ network.project.weight.T + network.project.bias), condition
    for k in range(2):
        of_cells, of_question, weigh = network.of_cells[k], network.of_question[k], network.weigh[k]
        hidden = torch.tanh(seen @ of_cells.weight.T + (u @ of_question.weight.T + of_question.bias)[:, None])
        p = torch.softmax((hidden @ weigh.weight[0]) + weigh.bias, 1)
        assert torch.allclose(looks[k], p, atol=1e-6) and torch.allclose(p.sum(1), torch.ones(2))
        u = u + torch.einsum("bn,bnd->bd", p, seen)
    assert torch.allclose(asked, u, atol=1e-5)


def farthest_two_alike(number: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scenes of five objects with a place and one of two kinds; are the two farthest from each other alike?"""
    places = torch.rand(number, 5, 2, generator=draw) * 2 - 1
    kinds = torch.randint(0, 2, (number, 5), generator=draw)
    farthest = torch.cdist(places, places).flatten(1).argmax(1)
    first, second = (kinds.gather(1, end[:, None]) for end in (farthest // 5, farthest % 5))
    return torch.cat([places, one_hot(kinds, 2)], -1), (first == second).flatten().long()


def test_a_relation_network_learns_a_relation_that_a_perceptron_of_its_size_does_not() -> None:
    draw = torch.Generator().manual_seed(0)
    asked, right = farthest_two_alike(2000, draw)
    torch.manual_seed(0)
    relation = RelationNetwork(RelationNetworkConfig(4, 0, 2, g=(64, 64), f=(64,), dropout=0.0))
    width = matched_width(parameters(relation), into=20, out=2, layers=2, within=0.02)
    reached = []
    for network in (relation, ConcatenationHead(5, 4, 0, (width, width), 2)):
        optimizer = torch.optim.Adam(network.parameters(), 5e-3)
        for _ in range(250):
            objects, answers = farthest_two_alike(128, draw)
            optimizer.zero_grad()
            cross_entropy(network(objects), answers).backward()
            optimizer.step()
        with torch.no_grad():
            reached.append(float((network(asked).argmax(1) == right).float().mean()))
    assert 0.45 < right.float().mean() < 0.55
    assert reached[0] > 0.74 and reached[1] < 0.68, reached
