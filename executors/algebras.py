"""Truth semantics on tensors: the algebras of quasi-symbolic execution.

K calls, N objects, C concepts. A set of objects is a row of N degrees; truths and numbers are scalars; a word is a row
of C; an object is a row of N that says which one it is. All inputs have the K calls as their first dimension.

=========  =====================  ============================================  ==========================
algebra    degrees                both, either, negate                          an object
=========  =====================  ============================================  ==========================
Logit      logits, 0 is even      min, max, -x                                  log-probabilities
Goedel     [0, 1], 0.5 is even    min, max, 1 - x                               probabilities
Product    [0, 1], 0.5 is even    a b, a + b - a b, 1 - x                       probabilities
=========  =====================  ============================================  ==========================

`Logit` follows NS-CL (Mao et al., ICLR 2019, appendix; constants of the authors' release). On crisp scenes each gives
the exact answer for every op: tests/test_soft_agreement.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from ..kinds import NUMBER, OBJECT, OBJECTS, TRUTH, WORD, Kind

Quantisation = Literal["none", "standard", "everything"]

PAD = -1e4  # a logit that no softmax or maximum ever sees; still finite in float16

A = TypeVar("A", bound="SoftAlgebra")


@dataclass(frozen=True)
class SoftConfig:
    """How hard the execution is.

    quantisation: `none`, everything soft; `standard`, `unique` takes the likeliest object and counts are of members
    (NS-CL's evaluation); `everything`, each set is also made crisp after each op. Training uses `none`.
    """

    quantisation: Quantisation = "none"


@dataclass(frozen=True)
class LogitConfig(SoftConfig):
    """Constants of NS-CL's release.

    present: the logit of an object in `scene`, and the bound of logits made from probabilities.
    temperature: of `unique`'s softmax.
    margin, scale: gamma and tau of the comparisons of counts: greater is (a - b - 1 + 2 gamma) / tau, equal is
    (2 gamma - |a - b|) / (2 gamma tau).
    """

    present: float = 10.0
    temperature: float = 1.0
    margin: float = 0.25
    scale: float = 0.25


class SoftAlgebra(Protocol):
    """An `Algebra` on tensors, and how its degrees are made, read and hardened."""

    name: str

    @property
    def config(self) -> SoftConfig: ...

    def degree(self, crisp: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Boolean tensor to degrees."""

    @property
    def nothing(self) -> float:
        """The degree of padding: never a member of anything."""

    @property
    def even(self) -> float:
        """The degree above which something holds."""

    def probability(self, x: Tensor, kind: Kind) -> Tensor:
        """Values of a kind as probabilities (numbers as they are)."""

    def harden(self, x: Tensor) -> Tensor:
        """A set made crisp."""

    def both(self, a: Tensor, b: Tensor) -> Tensor: ...
    def either(self, a: Tensor, b: Tensor) -> Tensor: ...
    def negate(self, a: Tensor) -> Tensor: ...
    def some(self, objects: Tensor) -> Tensor: ...
    def how_many(self, objects: Tensor) -> Tensor: ...
    def the(self, objects: Tensor) -> Tensor: ...
    def only(self, anchor: Tensor) -> Tensor: ...
    def follow(self, anchor: Tensor, links: Tensor) -> Tensor: ...
    def reach(self, objects: Tensor, links: Tensor) -> Tensor: ...
    def choose(self, anchor: Tensor, links: Tensor) -> Tensor: ...
    def match(self, a: Tensor, b: Tensor) -> Tensor: ...
    def equal(self, a: Tensor, b: Tensor) -> Tensor: ...
    def less(self, a: Tensor, b: Tensor) -> Tensor: ...
    def minus(self, a: Tensor, b: Tensor) -> Tensor: ...
    def number(self, n: Any) -> Tensor: ...


class _Soft:
    """What the algebras share."""

    name: str
    config: SoftConfig

    @property
    def hard(self) -> bool:
        return self.config.quantisation != "none"

    def minus(self, a: Tensor, b: Tensor) -> Tensor:
        return a - b

    def number(self, n: Any) -> Tensor:
        # A batch gives a tensor of the literals; an op of a user's may write a plain number, which broadcasts.
        return n.to(torch.get_default_dtype()) if isinstance(n, Tensor) else torch.as_tensor(float(n))


def _weighted(weights: Tensor, rows: Tensor) -> Tensor:
    """(K, N) weights on the rows of (K, N, M): (K, M)."""
    return torch.einsum("kn,knm->km", weights.to(rows.dtype), rows)


class Logit(_Soft):
    """NS-CL's semantics: membership is the sigmoid of a logit."""

    name = "logit"
    nothing = PAD
    even = 0.0

    def __init__(self, config: LogitConfig | None = None) -> None:
        self.config: LogitConfig = config or LogitConfig()

    def degree(self, crisp: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        return (crisp.to(dtype) * 2 - 1) * self.config.present

    def probability(self, x: Tensor, kind: Kind) -> Tensor:
        if kind is NUMBER:
            return x
        return torch.softmax(x, dim=-1) if kind in (OBJECT, WORD) else torch.sigmoid(x)

    def harden(self, x: Tensor) -> Tensor:
        return torch.where(x <= PAD / 2, x, self.degree(x > 0, x.dtype))

    def both(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.minimum(a, b)

    def either(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.maximum(a, b)

    def negate(self, a: Tensor) -> Tensor:
        return -a

    def some(self, objects: Tensor) -> Tensor:
        return objects.amax(dim=-1)

    def how_many(self, objects: Tensor) -> Tensor:
        if self.hard:
            return (objects > 0).sum(dim=-1).to(objects.dtype)
        return torch.sigmoid(objects).sum(dim=-1)

    def the(self, objects: Tensor) -> Tensor:
        if self.hard:
            likeliest = torch.nn.functional.one_hot(objects.argmax(dim=-1), objects.shape[-1])
            return (likeliest.to(objects.dtype) - 1) * -PAD
        return torch.log_softmax(objects / self.config.temperature, dim=-1)

    def only(self, anchor: Tensor) -> Tensor:
        p = anchor.exp()
        degrees = (2 * p - 1) * self.config.present
        return torch.where(anchor <= PAD / 2, torch.full_like(p, -self.config.present), degrees)

    def follow(self, anchor: Tensor, links: Tensor) -> Tensor:
        return _weighted(anchor.exp(), links)

    def reach(self, objects: Tensor, links: Tensor) -> Tensor:
        return torch.minimum(objects.unsqueeze(-1), links).amax(dim=-2)

    choose = follow

    def match(self, a: Tensor, b: Tensor) -> Tensor:
        p = (torch.softmax(a, dim=-1) * torch.softmax(b, dim=-1)).sum(dim=-1).to(torch.float32)
        bound = self.config.present
        floor = 1 / (1 + torch.exp(torch.tensor(bound)).item())  # the probability whose logit is the bound
        p = p.clamp(floor, 1 - floor)
        return (p.log() - torch.log1p(-p)).to(a.dtype)

    def equal(self, a: Tensor, b: Tensor) -> Tensor:
        width = 2 * self.config.margin
        return (width - self._whole(a - b).abs()) / (width * self.config.scale)

    def less(self, a: Tensor, b: Tensor) -> Tensor:
        return (self._whole(b - a) - 1 + 2 * self.config.margin) / self.config.scale

    def _whole(self, x: Tensor) -> Tensor:
        return x.round() if self.hard else x


class _Degrees(_Soft):
    """Degrees in [0, 1]."""

    nothing = 0.0
    even = 0.5

    def __init__(self, config: SoftConfig | None = None) -> None:
        self.config: SoftConfig = config or SoftConfig()

    def degree(self, crisp: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        return crisp.to(dtype)

    def probability(self, x: Tensor, kind: Kind) -> Tensor:
        return x

    def harden(self, x: Tensor) -> Tensor:
        return (x > 0.5).to(x.dtype)

    def negate(self, a: Tensor) -> Tensor:
        return 1 - a

    def how_many(self, objects: Tensor) -> Tensor:
        return (self.harden(objects) if self.hard else objects).sum(dim=-1)

    def the(self, objects: Tensor) -> Tensor:
        if self.hard:
            return torch.nn.functional.one_hot(objects.argmax(dim=-1), objects.shape[-1]).to(objects.dtype)
        total = objects.sum(dim=-1, keepdim=True)
        return objects / total.clamp_min(torch.finfo(objects.dtype).tiny * 16)

    def only(self, anchor: Tensor) -> Tensor:
        return anchor

    def follow(self, anchor: Tensor, links: Tensor) -> Tensor:
        return _weighted(anchor, links)

    choose = follow

    def equal(self, a: Tensor, b: Tensor) -> Tensor:
        return (1 - (a - b).abs()).clamp(0, 1)

    def less(self, a: Tensor, b: Tensor) -> Tensor:
        return (b - a).clamp(0, 1)


class Goedel(_Degrees):
    """Goedel's logic: the strongest and the weakest link."""

    name = "goedel"

    def both(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.minimum(a, b)

    def either(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.maximum(a, b)

    def some(self, objects: Tensor) -> Tensor:
        return objects.amax(dim=-1)

    def reach(self, objects: Tensor, links: Tensor) -> Tensor:
        return torch.minimum(objects.unsqueeze(-1), links).amax(dim=-2)

    def match(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.minimum(a, b).amax(dim=-1)


class Product(_Degrees):
    """Independent probabilities."""

    name = "product"

    def both(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    def either(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b - a * b

    def some(self, objects: Tensor) -> Tensor:
        return 1 - (1 - objects).prod(dim=-1)

    def reach(self, objects: Tensor, links: Tensor) -> Tensor:
        return 1 - (1 - objects.unsqueeze(-1) * links).prod(dim=-2)

    def match(self, a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(dim=-1)


ALGEBRAS: dict[str, type[Logit] | type[Goedel] | type[Product]] = {
    "logit": Logit,
    "goedel": Goedel,
    "product": Product,
}


def algebra(name: str, quantisation: Quantisation = "none", **constants: float) -> Logit | Goedel | Product:
    """An algebra by name; `constants` are fields of LogitConfig.

    Raises:
        ValueError: the name is not known, or a constant is not one of the algebra's.
    """
    if name not in ALGEBRAS:
        raise ValueError(f"no algebra '{name}'; known: {', '.join(ALGEBRAS)}")
    if name == "logit":
        try:
            return Logit(LogitConfig(quantisation=quantisation, **constants))
        except TypeError as error:
            raise ValueError(f"logit: {error}") from None
    if constants:
        raise ValueError(f"the algebra '{name}' has no constants, got {', '.join(constants)}")
    return Goedel(SoftConfig(quantisation)) if name == "goedel" else Product(SoftConfig(quantisation))


def hardened(soft: Logit | Goedel | Product, quantisation: Quantisation = "standard") -> Logit | Goedel | Product:
    """The same algebra with another quantisation: what evaluation uses."""
    if isinstance(soft, Logit):
        return Logit(replace(soft.config, quantisation=quantisation))
    return type(soft)(replace(soft.config, quantisation=quantisation))


SET_KINDS = (OBJECTS, OBJECT)
SCALAR_KINDS = (TRUTH, NUMBER)
