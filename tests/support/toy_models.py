"""Small models for tests of training: they learn something in a second, and use what real ones use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nsreason.training.model import LossOut


@dataclass(frozen=True)
class PartConfig:
    width: int = 8


@dataclass(frozen=True)
class ToyConfig:
    """The settings of Toy."""

    inputs: int = 4
    head: PartConfig = PartConfig()
    dropout: float = 0.2
    activation: Literal["relu", "tanh"] = "tanh"


@dataclass(frozen=True)
class Example:
    """A point, its class, and how hard it is."""

    x: tuple[float, ...]
    y: int
    n_objects: int = 3
    n_nodes: int = 4
    family: str = "count"
    ops: tuple[str, ...] = ("scene", "count")


@dataclass(frozen=True)
class Batch:
    x: Tensor  # (B, inputs)
    y: Tensor  # (B,)
    kinds: tuple[str, ...]


class Toy(nn.Module):
    """A classifier with dropout, a buffer, and a part that only some batches use."""

    Config = ToyConfig

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.perception = nn.Linear(config.inputs, config.head.width)
        self.head = nn.Linear(config.head.width, 2)
        self.rare = nn.Linear(config.head.width, 2)
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def collate(self, examples: Sequence[Example]) -> Batch:
        x = torch.tensor([e.x for e in examples])
        return Batch(x, torch.tensor([e.y for e in examples]), tuple(e.family for e in examples))

    def logits(self, batch: Batch) -> Tensor:
        hidden = torch.tanh(self.perception(batch.x))
        hidden = nn.functional.dropout(hidden, self.config.dropout, self.training)
        out: Tensor = self.head(hidden)
        if "rare" in batch.kinds:
            out = out + self.rare(hidden) * torch.tensor([[k == "rare"] for k in batch.kinds])
        return out

    def loss(self, batch: Batch) -> LossOut:
        if self.training:
            self.seen += len(batch.y)
        logits = self.logits(batch)
        right = (logits.argmax(-1) == batch.y).float()
        of_kind: dict[str, list[float]] = {}
        for kind, value in zip(batch.kinds, right.tolist(), strict=True):
            of_kind.setdefault(f"accuracy/{kind}", []).append(value)
        kinds = {k: (sum(v), len(v)) for k, v in of_kind.items()}
        return LossOut(nn.functional.cross_entropy(logits, batch.y), len(batch.y), {"accuracy": right.sum(), **kinds})

    def predict(self, batch: Batch) -> list[int]:
        classes: list[int] = self.logits(batch).argmax(-1).tolist()
        return classes


def examples(count: int, seed: int = 0) -> list[Example]:
    """Points on two sides of a plane; one in eight is of the rare family."""
    x = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
    y = (x.sum(-1) > 0).long().tolist()
    return [
        Example(tuple(x[i].tolist()), y[i], 3 + i % 8, 4 + i % 20, "rare" if i % 8 == 5 else "count")
        for i in range(count)
    ]
