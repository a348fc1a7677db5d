"""The relation network does what its formula says, however it is computed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nsreason.errors import DataError, RecipeError
from nsreason.models.answer_networks.mlp import parameters, perceptron
from nsreason.models.answer_networks.relation_network import RelationNetwork, RelationNetworkConfig

SMALL = RelationNetworkConfig(objects=5, condition=4, classes=3, g=(8, 7, 6), f=(9,), dropout=0.0)


def build(seed: int = 0, config: RelationNetworkConfig = SMALL, **changes: object) -> RelationNetwork:
    torch.manual_seed(seed)
    return RelationNetwork(replace(config, **changes)).double()  # type: ignore[arg-type]


def drawn(
    batch: int = 3, number: int = 4, config: RelationNetworkConfig = SMALL, seed: int = 1
) -> tuple[Tensor, Tensor]:
    numbers = torch.Generator().manual_seed(seed)
    objects = torch.randn(batch, number, config.objects, generator=numbers, dtype=torch.float64)
    return objects, torch.randn(batch, config.condition, generator=numbers, dtype=torch.float64)


def by_the_formula(network: RelationNetwork, objects: Tensor, condition: Tensor | None) -> Tensor:
    """Every pair with all its features, one after the other, layer by layer."""
    config, totals = network.config, []
    for b in range(len(objects)):
        total = objects.new_zeros(config.g[-1])
        for left in objects[b]:
            for right in objects[b]:
                hidden = torch.cat([left, right])
                for k, layer in enumerate(network.g):
                    if condition is not None and k == config.inject:
                        hidden = torch.cat([hidden, condition[b]])
                    hidden = layer(hidden).relu()
                total = total + hidden
        totals.append(total / (objects.shape[1] ** 2 if config.pooling == "mean" else 1))
    return network.f(torch.stack(totals))  # type: ignore[no-any-return]


def gradients(network: nn.Module, logits: Tensor, *leaves: Tensor) -> list[Tensor]:
    wanted = [*network.parameters(), *leaves]
    grads = torch.autograd.grad(logits.square().sum(), wanted, allow_unused=True)
    return [torch.zeros_like(w) if f is None else f for w, f in zip(wanted, grads, strict=True)]


def same(a: list[Tensor], b: list[Tensor], near: float = 1e-9) -> bool:
    return all(torch.allclose(x, y, rtol=near, atol=near) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("pooling", ["sum", "mean"])
@pytest.mark.parametrize("chunk", [0, 1, 7, 16, 40, 1000])
@pytest.mark.parametrize("inject", [0, 1, 2])
def test_values_and_gradients_are_those_of_the_formula(inject: int, chunk: int, pooling: str) -> None:
    network = build(inject=inject, chunk=chunk, pooling=pooling)
    objects, condition = (x.requires_grad_() for x in drawn())
    expected = by_the_formula(network, objects, condition)
    listed = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    wanted = gradients(network, expected, objects, condition)
    for pairs in (None, listed):
        logits = network(objects, condition, None, pairs)
        assert same([logits], [expected])
        assert same(gradients(network, logits, objects, condition), wanted)


@pytest.mark.parametrize("g", [(6,), (6, 5)])
def test_a_short_g_without_a_condition(g: tuple[int, ...]) -> None:
    network = build(condition=0, g=g)
    objects = drawn()[0].requires_grad_()
    logits, expected = network(objects), by_the_formula(network, objects, None)
    assert same([logits], [expected])
    assert same(gradients(network, logits, objects), gradients(network, expected, objects))


def test_single_precision_is_near_the_formula() -> None:
    network = build(config=RelationNetworkConfig(objects=7, condition=16, g=(64,) * 4, f=(32,), dropout=0.0)).float()
    objects, condition = (x.float() for x in drawn(4, 6, network.config))
    logits, expected = network(objects, condition), by_the_formula(network, objects, condition)
    assert torch.allclose(logits, expected, rtol=1e-5, atol=1e-5)


@given(st.integers(0, 6), st.integers(0, 10_000))
def test_the_order_of_the_objects_makes_no_difference(number: int, seed: int) -> None:
    network = build()
    objects, condition = drawn(2, number, seed=seed)
    order = torch.randperm(number, generator=torch.Generator().manual_seed(seed))
    assert same([network(objects[:, order], condition)], [network(objects, condition)])


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4), st.sampled_from([0, 1, 9]))
def test_a_mask_leaves_objects_out(there: list[list[bool]], chunk: int) -> None:
    for changes in ({}, {"pooling": "mean"}, {"inject": 1}, {"top_pairs": 25}, {"top_pairs": 3}):
        network = build(chunk=chunk, **changes)  # type: ignore[arg-type]
        objects, condition = drawn(len(there), 5)
        mask = torch.tensor(there)
        logits = network(objects, condition, mask)
        for b in range(len(there)):
            alone = network(objects[b : b + 1, mask[b]], condition[b : b + 1])
            assert same([logits[b : b + 1]], [alone])


def test_what_padding_holds_makes_no_difference_unless_it_is_summed() -> None:
    objects, condition = drawn(2, 4)
    mask = torch.tensor([[True, True, False, False], [True, True, True, False]])
    other = torch.where(mask[..., None], objects, 7.0)
    assert torch.equal(build()(objects, condition, mask), build()(other, condition, mask))
    summed = build(mask_padding=False)
    assert same([summed(objects, condition, mask)], [summed(objects, condition)])
    assert not same([summed(objects, condition, mask)], [build()(objects, condition, mask)], 1e-3)


def test_without_objects_the_answer_is_f_of_zero() -> None:
    for changes in ({}, {"pooling": "mean"}, {"top_pairs": 4}):
        network = build(**changes)
        objects, condition = drawn(2, 0)
        nothing = network.f(torch.zeros(2, 6, dtype=torch.float64))
        assert same([network(objects, condition)], [nothing])
        objects, condition = drawn(2, 3)
        assert same([network(objects, condition, torch.zeros(2, 3, dtype=torch.bool))], [nothing])
        assert network(objects[:0], condition[:0]).shape == (0, 3)


def test_one_object_is_paired_with_itself() -> None:
    objects, condition = drawn(2, 1)
    assert same([build()(objects, condition)], [by_the_formula(build(), objects, condition)])


@pytest.mark.parametrize("chunk", [0, 2])
def test_listed_pairs_are_the_ones_that_are_summed(chunk: int) -> None:
    network = build(chunk=chunk)
    objects, condition = drawn(2, 4)
    pairs = torch.tensor([[0, 1], [2, 2], [0, 1], [-1, 3]])
    pooled = network.pooled(objects, condition, None, pairs)

    def g(i: int, j: int) -> Tensor:
        hidden = torch.cat([objects[:, i], objects[:, j], condition], -1)
        for layer in network.g:
            hidden = layer(hidden).relu()
        return hidden

    assert same([pooled], [2 * g(0, 1) + g(2, 2)])
    each = torch.stack([torch.tensor([[0, 1], [-1, -1]]), torch.tensor([[3, 2], [1, 1]])])
    pooled = network.pooled(objects, condition, None, each)
    assert same([pooled], [torch.stack([g(0, 1)[0], g(3, 2)[1] + g(1, 1)[1]])])
    mask = torch.tensor([[True, False, True, True]] * 2)
    assert same([network.pooled(objects, condition, mask, pairs)], [g(2, 2)])


def test_the_mean_is_the_sum_divided_by_the_number_of_pairs() -> None:
    mean, total = build(pooling="mean"), build()
    objects, condition = drawn(2, 5)
    mask = torch.tensor([[True] * 5, [True, False, True, True, False]])
    number = torch.tensor([[25.0], [9.0]], dtype=torch.float64)
    assert same([mean.pooled(objects, condition, mask) * number], [total.pooled(objects, condition, mask)])
    assert same([mean.pooled(objects, condition) * 25], [total.pooled(objects, condition)])


@pytest.mark.parametrize("most", [16, 100])
def test_filtering_that_keeps_every_pair_changes_nothing(most: int) -> None:
    filtered, full = build(top_pairs=most), build()
    full.load_state_dict({k: v for k, v in filtered.state_dict().items() if not k.startswith("attention")})
    objects, condition = drawn(3, 4)
    logits, expected = filtered(objects, condition), full(objects, condition)
    assert same([logits], [expected])
    shared = [p for name, p in filtered.named_parameters() if not name.startswith("attention")]
    filtered_gradients = torch.autograd.grad(logits.square().sum(), shared)
    assert same(list(filtered_gradients), gradients(full, expected))


def test_filtering_keeps_the_pairs_of_the_highest_scores_and_learns_them() -> None:
    network = build(top_pairs=3)
    assert network.attention is not None
    objects, condition = drawn(2, 4)
    scores = network.attention.scores(objects, condition)
    best = scores.flatten(1).topk(3).indices
    pairs = torch.stack([best // 4, best % 4], -1)
    expected = build(top_pairs=16)
    expected.load_state_dict(network.state_dict())
    logits = network(objects, condition)
    assert same([logits], [expected(objects, condition, None, pairs)])
    logits.sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.attention.parameters())


@given(st.integers(1, 40), st.integers(1, 6))
def test_no_more_pairs_are_related_than_filtering_and_chunks_allow(top: int, number: int) -> None:
    network, sizes = build(top_pairs=top, chunk=7), []
    network.g[2].register_forward_hook(lambda _m, _i, out: sizes.append(out.numel() // out.shape[-1]))
    objects, condition = drawn(2, number)
    with torch.no_grad():
        network(objects, condition)
    assert sum(sizes) == 2 * min(top, number**2) and max(sizes) <= 7


def test_no_tensor_of_pairs_with_all_their_features_is_built() -> None:
    """The first linear layers see objects, not pairs."""
    seen = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            out = func(*args, **(kwargs or {}))
            if isinstance(out, Tensor):
                seen.append(out.shape[-1:] if out.ndim >= 3 else ())
            return out

    network = build()
    with Watch():
        network(*drawn())
    assert (2 * SMALL.objects + SMALL.condition,) not in seen and len(seen) > 5


def test_a_paper_sized_network_has_the_parameters_of_an_unsplit_one() -> None:
    pixels = RelationNetworkConfig(objects=26, condition=128, g=(256,) * 4, f=(256, 256), dropout=0.5)
    first, rest = 180 * 256 + 256, 256 * 256 + 256
    assert parameters(RelationNetwork(pixels)) == first + 3 * rest + 2 * rest + 256 * 29 + 29
    assert parameters(RelationNetwork(replace(pixels, inject=2))) == parameters(RelationNetwork(pixels))


def test_what_does_not_fit_is_refused() -> None:
    network = build()
    objects, condition = drawn(2, 4)
    with pytest.raises(DataError, match=r"objects of shape \(2, 4, 3\); expected \(B, N, 5\)"):
        network(objects[..., :3], condition)
    with pytest.raises(DataError, match=r"no condition; expected \(2, 4\)"):
        network(objects)
    with pytest.raises(DataError, match=r"a condition of shape \(1, 4\)"):
        network(objects, condition[:1])
    with pytest.raises(DataError, match=r"mask of torch.float64 \(2, 4\); expected torch.bool"):
        network(objects, condition, torch.ones(2, 4, dtype=torch.float64))
    with pytest.raises(DataError, match=r"pairs of objects 0 to 4; there are 4"):
        network(objects, condition, None, torch.tensor([[0, 4]]))
    with pytest.raises(DataError, match=r"pairs of shape \(3,\)"):
        network(objects, condition, None, torch.tensor([0, 1, 2]))
    with pytest.raises(DataError, match="without one"):
        build(condition=0)(objects, condition)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objects": 0}, "objects: 0"),
        ({"condition": -1}, "condition: -1"),
        ({"g": ()}, "g needs a layer"),
        ({"f": (0,)}, "each layer a unit"),
        ({"inject": 3}, "layers of g are 0 to 2"),
        ({"pooling": "max"}, "known: sum, mean"),
    ],
)
def test_settings_that_no_network_can_have_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        replace(SMALL, **changes)  # type: ignore[arg-type]


def test_dropout_is_on_the_last_hidden_layer_and_off_when_evaluating() -> None:
    layers = list(perceptron(4, (5, 6), 3, 0.5))
    assert [type(layer).__name__ for layer in layers] == ["Linear", "ReLU", "Linear", "ReLU", "Dropout", "Linear"]
    network = build(dropout=0.5)
    inputs = drawn()
    assert not torch.equal(network(*inputs), network(*inputs))
    network.eval()
    assert torch.equal(network(*inputs), network(*inputs))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("inject", [0, 1])
def test_chunks_are_computed_again_in_the_same_precision(inject: int, masked: bool) -> None:
    """Backward runs outside of autocast; what it computes again does not."""
    objects, condition = (x.float() for x in drawn())
    mask = torch.tensor([[True, True, True, False]] * 3) if masked else None
    results = []
    for chunk in (0, 8):
        network = build(inject=inject, chunk=chunk).float()
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(objects, condition, mask)
        results.append([logits, *gradients(network, logits.float())])
    assert same(results[0], results[1], 0.05)
    assert all(a.dtype == b.dtype for a, b in zip(*results, strict=True))
