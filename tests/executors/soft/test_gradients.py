"""Gradients of soft execution: right in every op and algebra, finite at the extremes, of the sign they must have; and
found without waiting for the device.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nsreason.dsl.domain import Domain
from nsreason.dsl.kinds import NUMBER, TRUTH, WORD
from nsreason.dsl.ops import OPS
from nsreason.executors.soft.algebras import Goedel, Logit, Product
from nsreason.executors.soft.executor import QuasiSymbolic, SoftAnswers
from nsreason.executors.soft.grounding import Grounded, ground_crisp
from nsreason.executors.soft.schedule import schedule
from nsreason.programs.program import Call, Program
from tests.support.soft_worlds import SEMANTICS, SOFT, label, ops_of, tables_of, uncertain
from tests.support.strategies import _Grower, random_domain, random_program, random_world

Semantics = Logit | Goedel | Product


def leaves(grounded: Grounded) -> dict[str, Tensor]:
    """Return the tables as leaves of the graph, of which gradients are taken."""
    return {name: table.detach().clone().requires_grad_() for name, table in tables_of(grounded).items()}


def on(grounded: Grounded, tables: dict[str, Tensor]) -> Grounded:
    return Grounded(grounded.domain, grounded.present, **tables, nothing=grounded.nothing)


def total(answers: SoftAnswers) -> Tensor:
    """Return one number that depends on every answer."""
    return torch.stack([part.values.double().sum() for part in answers.parts]).sum()


def program_of(name: str, rng: Random, domain: Domain) -> Program:
    """Return a small program that ends in the op."""
    grower = _Grower(rng, domain, None)
    op, unit = OPS[name], rng.choice(domain.attributes)
    inputs = [grower.grow(p.kind, rng.randint(1, 3), unit if p.kind is WORD else None) for p in op.inputs]
    literals = tuple(grower._literal(p.kind, None) for p in op.literals)
    grower.add(op, literals, tuple(inputs))
    return Program(grower.calls, domain)


def check_gradients(k: Semantics, programs: list[Program], grounded: Grounded, *, fast: bool) -> None:
    names = list(tables_of(grounded))

    def run(*tables: Tensor) -> tuple[Tensor, ...]:
        answers = QuasiSymbolic(k)(programs, on(grounded, dict(zip(names, tables, strict=True))), [0] * len(programs))
        # An answer may hang on no degree at all (`number[3]`), which gradcheck takes for a mistake.
        return tuple(part.values + 0 * sum(t.sum() for t in tables) for part in answers.parts)

    inputs = tuple(leaves(grounded).values())
    assert torch.autograd.gradcheck(run, inputs, eps=1e-7, atol=1e-5, rtol=1e-4, fast_mode=fast)


@pytest.mark.parametrize("k", SOFT, ids=label)
@pytest.mark.parametrize("name", OPS)
def test_every_op_has_the_gradient_of_its_function(name: str, k: Semantics) -> None:
    """Against differences, element by element, on degrees without ties."""
    rng = Random(f"{name}{label(k)}")
    domain = random_domain(rng, 2, 2)
    for size in (1, 3):
        grounded = uncertain(rng, domain, k, [size], masked=False)
        check_gradients(k, [program_of(name, rng, domain) for _ in range(2)], grounded, fast=False)


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_whole_programs_have_the_gradient_of_their_function(k: Semantics) -> None:
    """Against differences in random directions: long programs, shared calls, whole batches."""
    rng = Random(f"whole{label(k)}")
    for _ in range(10):
        domain = random_domain(rng, 3, 3)
        grounded = uncertain(rng, domain, k, [4], masked=False)
        programs = [random_program(rng, domain, max_calls=15) for _ in range(8)]
        check_gradients(k, programs, grounded, fast=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_gradients_are_finite_where_degrees_are_extreme(k: Semantics, dtype: torch.dtype) -> None:
    """Crisp scenes are all ties; saturated and all-negative tables, empty scenes and padding beside them.

    In float16 only values are held to it: a chain of relations with logits of 60 has slopes beyond 65,504, which is why
    training in half precision keeps its tables in float32 or bfloat16.
    """
    rng = Random(f"finite{label(k)}")
    domain = random_domain(rng, 3, 3)
    programs = [random_program(rng, domain, max_calls=12) for _ in range(60)]
    which = [q % 4 for q in range(60)]
    crisp = ground_crisp([random_world(rng, domain, n).scene for n in (0, 1, 4, 7)], k, dtype=dtype, pad=1)
    low, high = (-60.0, 60.0) if k.name == "logit" else (0.0, 1.0)
    flat = [
        Grounded.of_model(domain, crisp.present, *(torch.full_like(t, v) for t in tables_of(crisp).values()), k)
        for v in (low, high, k.even)
    ]
    for grounded in (crisp, *flat):
        tables = leaves(grounded)
        masked = Grounded.of_model(domain, grounded.present, *tables.values(), k)
        answers = QuasiSymbolic(k)(programs, masked, which)
        for part in answers.parts:
            assert torch.isfinite(part.values).all()
        if dtype == torch.float16:
            continue
        for grad in torch.autograd.grad(total(answers), list(tables.values()), allow_unused=True):
            assert grad is None or torch.isfinite(grad).all()


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_tables_without_a_single_place(k: Semantics) -> None:
    """A model may ground a batch in which nothing was detected."""
    rng = Random(f"none{label(k)}")
    domain = random_domain(rng, 3, 3)
    present = torch.zeros(2, 0, dtype=torch.bool)
    c, r, a = len(domain.concepts), len(domain.relations), len(domain.attributes)
    shapes = (2, c, 0), (2, r, 0, 0), (2, a, 0, 0), (2, a, 0, c)
    tables = [torch.zeros(shape, requires_grad=True) for shape in shapes]
    grounded = Grounded.of_model(domain, present, *tables, k)
    programs = [random_program(rng, domain, max_calls=10) for _ in range(50)]
    answers = QuasiSymbolic(k)(programs, grounded, [0, 1] * 25)
    for part in answers.parts:
        assert torch.isfinite(part.values).all()
    loss = total(answers)
    if loss.requires_grad:
        loss.backward()


def test_gradients_reach_every_table_and_only_the_scenes_that_were_asked() -> None:
    rng = Random(8)
    k = Logit()
    domain = random_domain(rng, 3, 3)
    grounded = uncertain(rng, domain, k, [5, 5, 5])
    tables = leaves(grounded)
    programs = [random_program(rng, domain, max_calls=12) for _ in range(80)]
    answers = QuasiSymbolic(k)(programs, on(grounded, tables), [q % 2 for q in range(80)])
    for grad in torch.autograd.grad(total(answers), list(tables.values())):
        assert grad[0].any() and grad[1].any() and not grad[2].any()


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_the_gradient_of_a_batch_is_the_sum_of_those_of_its_programs(k: Semantics) -> None:
    rng = Random(f"sum{label(k)}")
    domain = random_domain(rng, 3, 3)
    grounded = uncertain(rng, domain, k, [4, 6])
    programs = [random_program(rng, domain, max_calls=12) for _ in range(40)]
    soft = QuasiSymbolic(k)

    def gradient(asked: list[Program], which: list[int]) -> list[Tensor]:
        tables = leaves(grounded)
        loss = total(soft(asked, on(grounded, tables), which))
        if not loss.requires_grad:
            return [torch.zeros_like(t) for t in tables.values()]
        gradients = torch.autograd.grad(loss, list(tables.values()), allow_unused=True)
        return [torch.zeros_like(t) if g is None else g for g, t in zip(gradients, tables.values(), strict=True)]

    which = [q % 2 for q in range(40)]
    parts = [gradient([p], [s]) for p, s in zip(programs, which, strict=True)]
    for whole, *each in zip(gradient(programs, which), *parts, strict=True):
        torch.testing.assert_close(whole, torch.stack(each).sum(0), rtol=1e-9, atol=1e-9)


# --- monotonicity ---

KEEPS_ORDER = ("scene", "filter", "intersect", "union", "relate_any", "exist", "count", "both", "either")


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_more_of_a_concept_is_never_less_of_an_answer_without_negation(k: Semantics) -> None:
    """No gradient of a set, a count or a truth is negative, in programs that negate, single out and compare nothing."""
    rng = Random(f"more{label(k)}")
    for _ in range(5):
        drawn = random_domain(rng, 3, 2)
        domain = Domain(msgspec.structs.replace(drawn.file, ops=KEEPS_ORDER))
        grounded = uncertain(rng, domain, k, [3, 6])
        tables = leaves(grounded)
        programs = [random_program(rng, domain, kind=(TRUTH, NUMBER)[q % 2], max_calls=15) for q in range(40)]
        assert set().union(*map(ops_of, programs)) == set(KEEPS_ORDER)
        answers = QuasiSymbolic(k)(programs, on(grounded, tables), [q % 2 for q in range(40)])
        for part in answers.parts:
            for value in part.values:
                if value.requires_grad:
                    grads = torch.autograd.grad(value, list(tables.values()), retain_graph=True, allow_unused=True)
                    assert all(g is None or (g >= 0).all() for g in grads)


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_negation_turns_the_gradient(k: Semantics) -> None:
    rng = Random(1)
    domain = random_domain(rng, 2, 0)
    grounded = uncertain(rng, domain, k, [4])
    c = domain.concepts[0]
    asks = [Call("scene"), Call("filter", (c,), (0,)), Call("exist", (), (1,))]
    yes, no = Program(asks, domain), Program([*asks, Call("negate", (), (2,))], domain)
    tables = leaves(grounded)
    gradients = []
    for program in (yes, no):
        value = QuasiSymbolic(k)([program], on(grounded, tables), [0]).truths
        assert value is not None
        gradients.append(torch.autograd.grad(value.values.sum(), tables["concepts"])[0])
    assert gradients[0].any() and torch.equal(gradients[0], -gradients[1])


# --- devices ---


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_nothing_waits_for_the_device(k: Semantics) -> None:
    """Tensors without values: reading one, as `.item()`, `.cpu()`, `nonzero` or a branch would, is an error."""
    rng = Random(f"meta{label(k)}")
    domain = random_domain(rng, 4, 4)
    grounded = ground_crisp([random_world(rng, domain, n).scene for n in (3, 5)], k).to("meta")
    assert {t.device.type for t in (grounded.present, *tables_of(grounded).values())} == {"meta"}
    tables = {name: table.requires_grad_() for name, table in tables_of(grounded).items()}
    programs = [random_program(rng, domain, max_calls=15) for _ in range(200)]
    assert set().union(*map(ops_of, programs)) == set(OPS)
    answers = QuasiSymbolic(k)(programs, on(grounded, tables), [q % 2 for q in range(200)])
    total(answers).backward()
    if k.config.quantisation == "none":
        assert all(t.grad is not None and t.grad.is_meta for t in tables.values())
    which = torch.zeros(200, dtype=torch.int64, device="meta")
    again = QuasiSymbolic(k)(schedule(programs).to("meta"), on(grounded, tables), which)
    assert all(part.values.is_meta for part in again.parts)


def test_a_batch_is_sent_to_the_device_once() -> None:
    """The index and the scenes go in one piece, whatever the batch holds."""

    class Transfers(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.shapes: list[tuple[int, ...]] = []

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            given = [a for a in args if isinstance(a, Tensor)]
            if isinstance(result, Tensor) and result.is_meta and any(not a.is_meta and a.dim() for a in given):
                self.shapes.append(tuple(result.shape))
            return result

    rng = Random(6)
    k = Logit()
    domain = random_domain(rng, 4, 4)
    grounded = ground_crisp([random_world(rng, domain, 4).scene] * 3, k).to("meta")
    programs = [random_program(rng, domain, max_calls=15) for _ in range(100)]
    plan = schedule(programs)
    with Transfers() as transfers:
        QuasiSymbolic(k)(plan, grounded, [q % 3 for q in range(100)])
    assert transfers.shapes == [(len(plan.index) + 100,)]
