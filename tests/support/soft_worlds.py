"""Grounded scenes whose degrees are uncertain, for the tests of soft execution; and ways to name their cases."""

from __future__ import annotations

from itertools import product
from random import Random

import torch
from torch import Tensor

from nsreason.dsl.domain import Domain
from nsreason.executors.soft.algebras import ALGEBRAS, Goedel, Logit, Product, algebra
from nsreason.executors.soft.grounding import Grounded
from nsreason.programs.program import Program

QUANTISATIONS = ("none", "standard", "everything")
SEMANTICS = [algebra(name, q) for name, q in product(ALGEBRAS, QUANTISATIONS)]  # type: ignore[arg-type]
SOFT = [algebra(name) for name in ALGEBRAS]


def label(k: Logit | Goedel | Product) -> str:
    """`logit-none`."""
    return f"{k.name}-{k.config.quantisation}"


def uncertain(
    rng: Random,
    domain: Domain,
    k: Logit | Goedel | Product,
    sizes: list[int],
    *,
    spread: float = 2.0,
    dtype: torch.dtype = torch.float64,
    masked: bool = True,
) -> Grounded:
    """Scenes of these sizes with random degrees.

    Without the self mask, no two degrees are the same, so that nothing is tied where derivatives are compared.
    """
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    s, n = len(sizes), max(sizes)
    c, r, a = len(domain.concepts), len(domain.relations), len(domain.attributes)

    def degrees(*shape: int) -> Tensor:
        x = torch.randn(*shape, generator=generator, dtype=torch.float64) * spread
        return x if k.name == "logit" else torch.sigmoid(x)

    present = torch.arange(n) < torch.tensor(sizes)[:, None]
    words = degrees(s, a, n, c)
    if k.name != "logit":
        words = words / words.sum(-1, keepdim=True)
    tables = degrees(s, c, n), degrees(s, r, n, n), degrees(s, a, n, n), words
    if not masked:
        return Grounded(domain, present, *(t.to(dtype) for t in tables), k.nothing)
    return Grounded.of_model(domain, present, *(t.to(dtype) for t in tables), k)


def tables_of(grounded: Grounded) -> dict[str, Tensor]:
    """The tables of degrees by name."""
    return {name: getattr(grounded, name) for name in ("concepts", "relations", "alike", "words")}


def ops_of(program: Program) -> set[str]:
    """The names of the ops that a program calls."""
    return {call.op for call in program.calls}
