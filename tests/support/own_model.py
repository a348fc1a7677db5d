"""A model as a user writes one, with its settings, its data and nothing of the package's models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from nsreason.data.splits import HoldOut, Split
from nsreason.errors import DataError, NsreasonError
from nsreason.training.model import LossOut


@dataclass(frozen=True)
class Point:
    """Coordinates, and what the point is called."""

    x: tuple[float, ...]
    name: str


@dataclass(frozen=True)
class PointsConfig:
    """Settings; what depends on the data is found there."""

    hidden: int = 8
    inputs: int = 0
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PointsData:
    """A recipe's `[data]`."""

    held_out: float = 0.2

    def __post_init__(self) -> None:
        HoldOut(self.held_out)  # which refuses a share that is none

    def load(self, config: PointsConfig, folder: str | Path) -> Split[list[Point]]:
        """The points of `points.txt`: numbers and a name on each line."""
        points: list[Point] = []
        bad: list[NsreasonError] = []
        for number, line in enumerate((Path(folder) / "points.txt").read_text().splitlines(), start=1):
            *numbers, name = line.split()
            try:
                points.append(Point(tuple(float(n) for n in numbers), name))
            except ValueError:
                bad.append(DataError(f"line {number}: no point"))
        if not points:
            raise DataError(f"{folder}: no point")
        rule = HoldOut(self.held_out)
        train, valid = rule.split(points)
        return Split(train, valid, bad=bad, rule=rule)


class Points(nn.Module):
    """A classifier of points."""

    Config = PointsConfig
    Data = PointsData

    @classmethod
    def config_from_data(cls, config: PointsConfig, points: Iterable[Point]) -> PointsConfig:
        """The settings with the number of coordinates and the names of the data."""
        points = list(points)
        return replace(config, inputs=len(points[0].x), classes=tuple(sorted({p.name for p in points})))

    def __init__(self, config: PointsConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden
        self.layers = nn.Sequential(nn.Linear(config.inputs, hidden), nn.Tanh(), nn.Linear(hidden, len(config.classes)))

    def collate(self, examples: Sequence[Point]) -> dict[str, Tensor]:
        names = [self.config.classes.index(p.name) for p in examples]
        return {"x": torch.tensor([p.x for p in examples]), "name": torch.tensor(names)}

    def loss(self, batch: dict[str, Tensor]) -> LossOut:
        logits = self.layers(batch["x"])
        right = (logits.argmax(-1) == batch["name"]).sum()
        return LossOut(nn.functional.cross_entropy(logits, batch["name"]), len(logits), {"accuracy": right})

    def predict(self, batch: dict[str, Tensor]) -> list[str]:
        return [self.config.classes[i] for i in self.layers(batch["x"]).argmax(-1).tolist()]


class OtherPoints(Points):
    """Another model of the same settings."""
