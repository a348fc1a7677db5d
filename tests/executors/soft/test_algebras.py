"""The algebras on their own: NS-CL's formulas on small numbers worked out here, the other two's, and numbers at the
edge of what each precision holds.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from nsreason.dsl.kinds import NUMBER, OBJECT, OBJECTS, TRUTH, WORD
from nsreason.executors.soft.algebras import ALGEBRAS, PAD, Goedel, Logit, LogitConfig, Product, algebra, hardened
from tests.support.soft_worlds import SEMANTICS, SOFT, label

Semantics = Logit | Goedel | Product


def rows(*values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softmax(xs: list[float]) -> list[float]:
    total = sum(math.exp(x) for x in xs)
    return [math.exp(x) / total for x in xs]


def close(degrees: Tensor, *expected: object) -> None:
    torch.testing.assert_close(degrees, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


# --- Logit is NS-CL's table ---

SET = [2.0, -1.0, 0.5]
OTHER = [1.0, 3.0, -4.0]
LINKS = [[-10.0, 1.5, -2.0], [0.5, -10.0, 4.0], [-1.0, 2.0, -10.0]]


def test_logit_sets() -> None:
    k = Logit()
    a, b = rows(SET), rows(OTHER)
    close(k.both(a, b), [1.0, -1.0, -4.0])  # filter, intersect: min
    close(k.either(a, b), [2.0, 3.0, 0.5])  # union: max
    close(k.negate(a), [-2.0, 1.0, -0.5])
    close(k.some(a), 2.0)  # exist: max
    close(k.degree(torch.tensor([True, False]), torch.float64), 10.0, -10.0)  # scene: +10


def test_logit_unique_and_relate() -> None:
    p = softmax(SET)
    for temperature in (1.0, 0.5):
        k = Logit(LogitConfig(temperature=temperature))
        p = softmax([x / temperature for x in SET])
        one = k.the(rows(SET))
        close(one.exp(), p)
        expected = [sum(p[i] * LINKS[i][j] for i in range(3)) for j in range(3)]
        close(k.follow(one, torch.tensor([LINKS], dtype=torch.float64)), expected)
        close(k.choose(one, torch.tensor([LINKS], dtype=torch.float64)), expected)  # query: sum_i p_i q_i
    hard = algebra("logit", "standard")
    one = hard.the(rows(SET))
    close(hard.follow(one, torch.tensor([LINKS], dtype=torch.float64)), LINKS[0])  # the row of the argmax, self at -10
    close(hard.only(one), [10.0, -10.0, -10.0])


def test_logit_counts() -> None:
    expected = sum(map(sigmoid, SET))
    assert Logit().how_many(rows(SET)).item() == pytest.approx(expected)
    for quantisation in ("standard", "everything"):
        assert algebra("logit", quantisation).how_many(rows(SET)).item() == 2.0  # members: logits above 0


@pytest.mark.parametrize("difference", [-3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 2.0])
def test_logit_comparisons_of_counts(difference: float) -> None:
    """Constants of the release: greater 4 (a - b - 0.5), equal 4 - 8 |a - b|."""
    a, b = torch.tensor([4.0 + difference], dtype=torch.float64), torch.tensor([4.0], dtype=torch.float64)
    k = Logit()
    close(k.less(b, a), 4 * (difference - 0.5))
    close(k.less(a, b), 4 * (-difference - 0.5))
    close(k.equal(a, b), 4 - 8 * abs(difference))
    hard = algebra("logit", "standard")
    assert hard.less(b, a).item() == (10.0 if difference > 0 else -10.0)
    assert hard.equal(a, b).item() == (10.0 if difference == 0 else -10.0)


def test_logit_constants_can_be_others() -> None:
    k = algebra("logit", present=6.0, margin=0.4, scale=0.2)
    a, b = torch.tensor([3.0], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)
    close(k.less(b, a), (2 - 1 + 2 * 0.4) / 0.2)
    close(k.equal(a, b), (2 * 0.4 - 2) / (2 * 0.4) / 0.2)
    assert k.degree(torch.tensor([True])).item() == 6.0


def test_logit_words() -> None:
    """The probability that both words are the same one, as a logit."""
    p = sum(a * b for a, b in zip(softmax(SET), softmax(OTHER), strict=True))
    close(Logit().match(rows(SET), rows(OTHER)), math.log(p / (1 - p)))
    certain, other = rows([10.0, -10.0, -10.0]), rows([-10.0, -10.0, 10.0])
    bound = -math.log(math.exp(10.0))  # the logit is kept to +-`present`
    assert Logit().match(certain, other).item() == pytest.approx(bound)
    assert Logit().match(certain, certain).item() > 9.0
    hard = algebra("logit", "standard")
    assert hard.match(rows(SET), rows([0.4, -1.0, 0.3])).item() == 10.0  # the same likeliest word
    assert hard.match(rows(SET), rows(OTHER)).item() == -10.0


def test_logit_reach() -> None:
    degrees = Logit().reach(rows(SET), torch.tensor([LINKS], dtype=torch.float64))
    close(degrees, [max(min(SET[i], LINKS[i][j]) for i in range(3)) for j in range(3)])


# --- degrees in [0, 1] ---

P, Q = [0.9, 0.2, 0.6], [0.5, 0.8, 0.1]
ROWS = [[0.0, 0.7, 0.2], [0.6, 0.0, 0.9], [0.3, 0.8, 0.0]]


def test_goedel() -> None:
    k, a, b = Goedel(), rows(P), rows(Q)
    links = torch.tensor([ROWS], dtype=torch.float64)
    close(k.both(a, b), [0.5, 0.2, 0.1])
    close(k.either(a, b), [0.9, 0.8, 0.6])
    close(k.some(a), 0.9)
    close(k.reach(a, links), [max(min(P[i], ROWS[i][j]) for i in range(3)) for j in range(3)])
    close(k.match(a, b), 0.5)


def test_product() -> None:
    k, a, b = Product(), rows(P), rows(Q)
    links = torch.tensor([ROWS], dtype=torch.float64)
    close(k.both(a, b), [0.45, 0.16, 0.06])
    close(k.either(a, b), [0.95, 0.84, 0.64])
    close(k.some(a), 1 - 0.1 * 0.8 * 0.4)
    close(k.reach(a, links), [1 - math.prod(1 - P[i] * ROWS[i][j] for i in range(3)) for j in range(3)])
    close(k.match(a, b), 0.9 * 0.5 + 0.2 * 0.8 + 0.6 * 0.1)


@pytest.mark.parametrize("n", range(1, 20))
def test_products_over_any_number_of_objects(n: int) -> None:
    x = torch.rand(3, n, dtype=torch.float64)
    torch.testing.assert_close(Product().some(x), 1 - (1 - x).prod(-1))


@pytest.mark.parametrize("k", [Goedel(), Product()], ids=label)
def test_degrees_share_the_rest(k: Goedel | Product) -> None:
    a = rows(P)
    total = sum(P)
    close(k.negate(a), [0.1, 0.8, 0.4])
    close(k.how_many(a), total)
    close(k.the(a), [p / total for p in P])
    close(k.only(k.the(a)), [p / total for p in P])
    one = k.the(a)
    degrees = k.follow(one, torch.tensor([ROWS], dtype=torch.float64))
    close(degrees, [sum(P[i] / total * ROWS[i][j] for i in range(3)) for j in range(3)])
    two, three = torch.tensor([2.0], dtype=torch.float64), torch.tensor([2.75], dtype=torch.float64)
    close(k.equal(two, three), 0.25)
    close(k.less(two, three), 0.75)
    close(k.less(three, two), 0.0)
    hard = hardened(k)
    close(hard.the(a), [1.0, 0.0, 0.0])
    assert hard.how_many(a).item() == 2.0
    close(hard.harden(a), [1.0, 0.0, 1.0])


# --- all of them ---


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_probabilities_of_every_kind(k: Semantics) -> None:
    crisp = torch.tensor([[True, False, False]])
    degrees = k.degree(crisp, torch.float64)
    for kind in (OBJECTS, TRUTH, WORD):
        torch.testing.assert_close(k.probability(degrees, kind), crisp.double(), rtol=0, atol=1e-4)
    torch.testing.assert_close(k.probability(k.the(degrees), OBJECT), crisp.double(), rtol=0, atol=1e-4)
    assert k.probability(torch.tensor([4.0]), NUMBER).item() == 4.0


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_objects_of_one_set_are_wholly_named(k: Semantics) -> None:
    x = torch.randn(50, 9, dtype=torch.float64)
    x = x if k.name == "logit" else torch.sigmoid(x)
    close(k.probability(k.the(x), OBJECT).sum(-1), *[1.0] * 50)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_no_degree_is_too_extreme_for_any_precision(k: Semantics, dtype: torch.dtype) -> None:
    """All primitives on sets of padding only, on all-negative, saturated, and barely positive degrees."""
    top = 200.0 if k.name == "logit" else 1.0
    low = -200.0 if k.name == "logit" else 0.0
    tiny = -15.0 if k.name == "logit" else torch.finfo(dtype).tiny
    n = 5
    for x in (k.nothing, low, tiny, k.even, top):
        for y in (k.nothing, low, k.even, top):
            a, b = torch.full((2, n), x, dtype=dtype), torch.full((2, n), y, dtype=dtype)
            links = torch.full((2, n, n), y, dtype=dtype)
            one = k.the(a)
            counts = k.how_many(a), k.how_many(b)
            results = [
                k.both(a, b), k.either(a, b), k.negate(a), k.some(a), one, k.only(one), k.follow(one, links),
                k.reach(a, links), k.match(a, b), k.match(one, k.the(b)), k.equal(*counts), k.less(*counts),
                k.minus(*counts), k.harden(a), *counts,
            ]  # fmt: skip
            for value in results:
                assert torch.isfinite(value).all()
            for value in counts:
                assert value.dtype == torch.float32
            for kind in (OBJECTS, WORD):
                assert torch.isfinite(k.probability(a, kind)).all()


@pytest.mark.parametrize("k", SOFT, ids=label)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_gradients_are_finite_at_the_extremes(k: Semantics, dtype: torch.dtype) -> None:
    """A set that nobody is in, one that all are in, and padding: an update of the weights stays a number."""
    top, low = (200.0, -200.0) if k.name == "logit" else (1.0, 0.0)
    for value in (low, top, k.even, k.nothing):
        a = torch.full((2, 5), value, dtype=dtype, requires_grad=True)
        links = torch.full((2, 5, 5), value, dtype=dtype, requires_grad=True)
        one = k.the(a)
        results = [
            k.both(a, a), k.either(a, a), k.some(a), one, k.only(one), k.follow(one, links), k.reach(a, links),
            k.how_many(a), k.match(a, a), k.match(one, one), k.equal(k.how_many(a), k.how_many(a)),
        ]  # fmt: skip
        for result in results:
            for grad in torch.autograd.grad(result.sum(), [a, links], retain_graph=True, allow_unused=True):
                assert grad is None or torch.isfinite(grad).all()


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_what_is_not_a_number_stays_seen(k: Semantics) -> None:
    """A choice between two degrees must not drop the one that is not a number: training would go on with it."""
    a = torch.zeros(1, 2, requires_grad=True)
    b = torch.tensor([[float("nan"), 0.0]])
    assert k.both(a, b).isnan().tolist() == [[True, False]]
    assert k.both(b, a).isnan().tolist() == [[True, False]]
    assert k.either(a, b).isnan().tolist() == k.either(b, a).isnan().tolist() == [[True, False]]


def test_counts_in_half_precision_are_whole() -> None:
    many = torch.full((1, 3000), 10.0, dtype=torch.float16)
    assert algebra("logit", "standard").how_many(many).item() == 3000.0
    assert Goedel().how_many(torch.ones(1, 3000, dtype=torch.bfloat16)).item() == 3000.0


def test_comparisons_with_huge_numbers_are_finite() -> None:
    k = Logit()
    a, b = torch.tensor([3.0]), torch.tensor([999_999_999])
    for degree in (k.less(a, b), k.less(b, a), k.equal(a, b)):
        assert torch.isfinite(degree.to(torch.float16)).all()
    assert k.less(a, b).item() == -PAD and k.equal(a, b).item() == PAD


# --- making them ---


def test_algebras_by_name() -> None:
    for name, cls in ALGEBRAS.items():
        instance = algebra(name, "everything")
        assert isinstance(instance, cls) and instance.name == name and instance.config.quantisation == "everything"
        again = hardened(instance)
        assert isinstance(again, cls) and again.config.quantisation == "standard"
    assert hardened(Logit(LogitConfig(present=7.0))).config == LogitConfig("standard", present=7.0)
    assert [k.hard for k in map(Logit, map(LogitConfig, ("none", "standard", "everything")))] == [False, True, True]  # type: ignore[arg-type]


def test_unknown_names_and_constants_are_refused() -> None:
    with pytest.raises(ValueError, match="no algebra 'fuzzy'; known: logit, goedel, product"):
        algebra("fuzzy")
    with pytest.raises(ValueError, match=r"logit: .*gamma"):
        algebra("logit", gamma=0.2)
    with pytest.raises(ValueError, match="the algebra 'product' has no constants, got present"):
        algebra("product", present=3.0)
    for name in ("present", "temperature", "margin", "scale"):
        with pytest.raises(ValueError, match=f"{name} lies above 0 and below 5000, got 0"):
            algebra("logit", **{name: 0.0})
    with pytest.raises(ValueError, match="present lies above 0"):
        LogitConfig(present=1e5)
    with pytest.raises(ValueError, match="no quantisation 'hard'; known: none, standard, everything"):
        algebra("goedel", "hard")  # type: ignore[arg-type]


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_truth_tables(k: Semantics) -> None:
    for a in (False, True):
        for b in (False, True):
            x, y = (k.degree(torch.tensor([v])) for v in (a, b))
            assert (k.both(x, y) > k.even).item() is (a and b)
            assert (k.either(x, y) > k.even).item() is (a or b)
        assert (k.negate(x) > k.even).item() is (not a)


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_order_is_kept(k: Semantics) -> None:
    """More of a member is more of the set, and never fewer of them."""
    x = torch.randn(40, 6, dtype=torch.float64)
    y = torch.randn(40, 6, dtype=torch.float64)
    links = torch.randn(40, 6, 6, dtype=torch.float64)
    if k.name != "logit":
        x, y, links = torch.sigmoid(x), torch.sigmoid(y), torch.sigmoid(links)
    steps = [x]
    for _ in range(4):
        raised = steps[-1].clone()
        raised[:, torch.randint(6, (1,)).item()] += torch.rand(40, dtype=torch.float64)
        steps.append(raised if k.name == "logit" else raised.clamp_max(1.0))
    for less, more in pairwise(steps):
        for primitive in (
            lambda s: k.both(s, y),
            lambda s: k.either(s, y),
            k.some,
            k.how_many,
            lambda s: k.reach(s, links),
            lambda s: -k.negate(s),
        ):
            assert (primitive(more) >= primitive(less) - 1e-12).all()
