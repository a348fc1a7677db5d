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

`Logit` follows NS-CL (Mao et al., ICLR 2019, appendix; constants of the authors' release). One op is not theirs:
`equal` compares two words, by the probability that they are the same, where NS-CL compares two objects by how alike
they are.

On crisp scenes each algebra gives the exact answer for every op: tests/executors/soft/test_agreement.py. Values are
finite in float16 and bfloat16 too; numbers are float32 at least.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor

from ...dsl.kinds import NUMBER, Kind

Quantisation = Literal["none", "standard", "everything"]

PAD = -1e4  # a logit that no softmax or maximum ever sees; still finite in float16
LEAST = 1e-3  # memberships that sum to less are not scaled up to one object: gradients would grow without bound


@dataclass(frozen=True)
class SoftConfig:
    """How hard the execution is.

    quantisation: `none`, everything soft; `standard`, `unique` takes the likeliest object and counts are of members
    (NS-CL's evaluation); `everything`, each set is also made crisp after each op. Training uses `none`.
    """

    quantisation: Quantisation = "none"

    def __post_init__(self) -> None:
        if self.quantisation not in get_args(Quantisation):
            known = ", ".join(get_args(Quantisation))
            raise ValueError(f"no quantisation '{self.quantisation}'; known: {known}")


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

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("present", "temperature", "margin", "scale"):
            value = getattr(self, name)
            if not 0 < value < -PAD / 2:
                raise ValueError(f"{name} lies above 0 and below {-PAD / 2:g}, got {value}")


class SoftAlgebra(Protocol):
    """An `Algebra` on tensors, and how its degrees are made, read and hardened."""

    name: str

    @property
    def config(self) -> SoftConfig: ...

    def degree(self, crisp: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Convert a boolean tensor to degrees."""

    @property
    def nothing(self) -> float:
        """The degree of padding: never a member of anything."""

    @property
    def even(self) -> float:
        """The degree above which something holds."""

    def probability(self, x: Tensor, kind: Kind) -> Tensor:
        """Convert values of a kind to probabilities (numbers as they are)."""

    def harden(self, x: Tensor) -> Tensor:
        """Make a set crisp."""

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
        # A batch gives a tensor of the literals, kept whole; an op of a user's may write a plain number.
        return n if isinstance(n, Tensor) else torch.as_tensor(float(n))


def _smaller(a: Tensor, b: Tensor) -> Tensor:
    """Return the smaller of each pair; of equal ones, the first. With gradients a choice takes half the time."""
    if not (a.requires_grad or b.requires_grad):
        return torch.minimum(a, b)
    return torch.where((a <= b) | a.isnan(), a, b)  # as in torch.minimum, what is not a number stays seen


def _larger(a: Tensor, b: Tensor) -> Tensor:
    if not (a.requires_grad or b.requires_grad):
        return torch.maximum(a, b)
    return torch.where((a >= b) | a.isnan(), a, b)


def _weighted(weights: Tensor, rows: Tensor) -> Tensor:
    """(K, N) weights on the rows of (K, N, M): (K, M); of nested tables (K, N, L, M): (K, L, M)."""
    if rows.dim() > 3:
        return (weights[:, :, None, None] * rows).sum(dim=1)
    if rows.shape[1] <= _FEW:  # many tiny matrices: their product costs more than the numbers in it
        return (weights.unsqueeze(-1) * rows).sum(dim=1)
    return torch.bmm(weights.unsqueeze(1), rows).squeeze(1)


_FEW = 16


def _product(x: Tensor) -> Tensor:
    """Return the product over the last dimension, by halves: torch.prod's backward pass asks the device about zeros."""
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        left, right = x[..., :half], x[..., half : 2 * half]
        x = left * right if x.shape[-1] % 2 == 0 else torch.cat([left * right, x[..., -1:]], dim=-1)
    return x.squeeze(-1)


def _wide(x: Tensor) -> torch.dtype:
    """Return float32 or wider: half precision merges 2,048 and 2,049, and cannot hold the slope of a logit."""
    return torch.promote_types(x.dtype, torch.float32)


def _sum(x: Tensor) -> Tensor:
    return x.sum(dim=-1, dtype=_wide(x))


def _first_of_most(x: Tensor) -> Tensor:
    """Mark the first place where each row has its highest value."""
    return torch.zeros_like(x, dtype=torch.bool).scatter_(-1, x.argmax(dim=-1, keepdim=True), True)


class Logit(_Soft):
    """NS-CL's semantics: membership is the sigmoid of a logit."""

    name = "logit"
    nothing = PAD
    even = 0.0

    def __init__(self, config: LogitConfig | None = None) -> None:
        self.config: LogitConfig = config or LogitConfig()

    def degree(self, crisp: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.where(crisp, self.config.present, -self.config.present).to(dtype)

    def probability(self, x: Tensor, kind: Kind) -> Tensor:
        if kind is NUMBER:
            return x
        return torch.softmax(x, dim=-1) if kind.shape in ("one", "word") else torch.sigmoid(x)

    def harden(self, x: Tensor) -> Tensor:
        return torch.where(x <= PAD / 2, x, self.degree(x > 0, x.dtype))

    def both(self, a: Tensor, b: Tensor) -> Tensor:
        return _smaller(a, b)

    def either(self, a: Tensor, b: Tensor) -> Tensor:
        return _larger(a, b)

    def negate(self, a: Tensor) -> Tensor:
        return -a

    def some(self, objects: Tensor) -> Tensor:
        best = objects.amax(dim=-1)
        return torch.where(best <= PAD / 2, -self.config.present, best)  # a scene without objects

    def how_many(self, objects: Tensor) -> Tensor:
        return _sum(objects > 0) if self.hard else _sum(torch.sigmoid(objects))

    def the(self, objects: Tensor) -> Tensor:
        if self.hard:
            return torch.where(_first_of_most(objects), 0.0, PAD).to(objects.dtype)
        scaled = objects if self.config.temperature == 1.0 else objects / self.config.temperature
        return torch.log_softmax(scaled, dim=-1)

    def only(self, anchor: Tensor) -> Tensor:
        return (2 * anchor.exp() - 1) * self.config.present

    def follow(self, anchor: Tensor, links: Tensor) -> Tensor:
        return _weighted(anchor.exp(), links)

    def reach(self, objects: Tensor, links: Tensor) -> Tensor:
        return _smaller(objects.unsqueeze(-1), links).amax(dim=-2)

    choose = follow

    def match(self, a: Tensor, b: Tensor) -> Tensor:
        if self.hard:
            return self.degree(a.argmax(dim=-1) == b.argmax(dim=-1), a.dtype)
        wide = _wide(a)
        p = _sum(torch.softmax(a, dim=-1, dtype=wide) * torch.softmax(b, dim=-1, dtype=wide))
        # Kept to probabilities whose logits are within `present`, and that the precision can tell from 0 and 1.
        least = max(1 / (1 + math.exp(self.config.present)), torch.finfo(p.dtype).eps)
        p = p.clamp(least, 1 - least)
        return (p.log() - torch.log1p(-p)).to(a.dtype)

    def equal(self, a: Tensor, b: Tensor) -> Tensor:
        if self.hard:
            return self.degree(a == b)
        width = 2 * self.config.margin
        return ((width - (a - b).abs()) / (width * self.config.scale)).clamp_min(PAD)

    def less(self, a: Tensor, b: Tensor) -> Tensor:
        if self.hard:
            return self.degree(a < b)
        return ((b - a - 1 + 2 * self.config.margin) / self.config.scale).clamp(PAD, -PAD)


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
        return _sum(objects > 0.5) if self.hard else _sum(objects)

    def the(self, objects: Tensor) -> Tensor:
        if self.hard:
            return _first_of_most(objects).to(objects.dtype)
        return objects / objects.sum(dim=-1, keepdim=True).clamp_min(LEAST)

    def only(self, anchor: Tensor) -> Tensor:
        return anchor

    def follow(self, anchor: Tensor, links: Tensor) -> Tensor:
        return _weighted(anchor, links)

    choose = follow

    def match(self, a: Tensor, b: Tensor) -> Tensor:
        if self.hard:
            return (a.argmax(dim=-1) == b.argmax(dim=-1)).to(a.dtype)
        return self._match(a, b)

    def _match(self, a: Tensor, b: Tensor) -> Tensor:
        raise NotImplementedError

    def equal(self, a: Tensor, b: Tensor) -> Tensor:
        return (1 - (a - b).abs()).clamp(0, 1)

    def less(self, a: Tensor, b: Tensor) -> Tensor:
        return (b - a).clamp(0, 1)


class Goedel(_Degrees):
    """Goedel's logic: the strongest and the weakest link."""

    name = "goedel"

    def both(self, a: Tensor, b: Tensor) -> Tensor:
        return _smaller(a, b)

    def either(self, a: Tensor, b: Tensor) -> Tensor:
        return _larger(a, b)

    def some(self, objects: Tensor) -> Tensor:
        return objects.amax(dim=-1)

    def reach(self, objects: Tensor, links: Tensor) -> Tensor:
        return _smaller(objects.unsqueeze(-1), links).amax(dim=-2)

    def _match(self, a: Tensor, b: Tensor) -> Tensor:
        return _smaller(a, b).amax(dim=-1)


class Product(_Degrees):
    """Independent probabilities."""

    name = "product"

    def both(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    def either(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b - a * b

    def some(self, objects: Tensor) -> Tensor:
        return 1 - _product(1 - objects)

    def reach(self, objects: Tensor, links: Tensor) -> Tensor:
        return 1 - _product((1 - objects.unsqueeze(-1) * links).transpose(-1, -2))

    def _match(self, a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(dim=-1)


ALGEBRAS: dict[str, type[Logit] | type[Goedel] | type[Product]] = {
    "logit": Logit,
    "goedel": Goedel,
    "product": Product,
}


def algebra(name: str, quantisation: Quantisation = "none", **constants: float) -> Logit | Goedel | Product:
    """Build an algebra by its name; `constants` are fields of LogitConfig.

    Raises:
        ValueError: the name or the quantisation is not known, or a constant is not the algebra's or out of range.
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
    """Return the same algebra with another quantisation: what evaluation uses."""
    if isinstance(soft, Logit):
        return Logit(replace(soft.config, quantisation=quantisation))
    return type(soft)(replace(soft.config, quantisation=quantisation))
