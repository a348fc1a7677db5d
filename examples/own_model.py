"""A model of one's own, trained by the package's loop: which way is left, learned from where things stand.

python examples/own_model.py

The model's class names the dataclass of its settings as `Config` and that of a recipe's `[data]` as `Data`. Saved as
`directions.py` beside a recipe with `model = "directions:Directions"`, the command line trains it too:

    nsreason train directions:Directions --recipe own.toml --data data
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

import torch
from torch import Tensor, nn

from nsreason.data.folders import find_file
from nsreason.data.scenes import load_scenes
from nsreason.data.splits import HoldOut, Split
from nsreason.errors import DataError
from nsreason.generators import write_dataset
from nsreason.training import LossOut, load_model, parse_recipe, run


@dataclass(frozen=True)
class Pair:
    """Where one thing stands from another, and the relations that hold: `left`, `behind`, ..."""

    scene: int
    offset: tuple[float, float]
    relations: tuple[str, ...]


@dataclass(frozen=True)
class DirectionsConfig:
    """The recipe's `[model_config]`."""

    hidden: int = 16
    """Width of the hidden layer."""
    relations: tuple[str, ...] = ()
    """Read off the data by `config_from_data`; a checkpoint has them."""


@dataclass(frozen=True)
class DirectionsData:
    """The recipe's `[data]`."""

    held_out: float = 0.2
    """The last part of the scenes is not learned from."""
    domain: str = "clevr"
    """Of the scenes."""

    def load(self, config: DirectionsConfig, folder: str | Path) -> Split[list[Pair]]:
        """Load all ordered pairs of things of the folder's scenes."""
        file = load_scenes(find_file(Path(folder), "scenes", ""), self.domain)
        pairs = []
        for scene in file.scenes:
            places = [place.coords for place in scene.places]
            for i, j in permutations(range(len(scene)), 2):
                if (here := places[i]) is None or (there := places[j]) is None:
                    continue
                relations = [name for k, name in enumerate(scene.domain.relations) if scene.relation(k)[j] >> i & 1]
                offset = (here[0] - there[0], here[1] - there[1])
                pairs.append(Pair(scene.index or 0, offset, tuple(relations)))
        if not pairs:
            raise DataError(f"{folder}: no two things of a scene have coordinates")
        rule = HoldOut(self.held_out)
        train, valid = rule.split(pairs, group=lambda pair: pair.scene)  # a scene is on one side as a whole
        return Split(train, valid, bad=[fault.error for fault in file.bad], unit="pairs", rule=rule)


class Directions(nn.Module):
    """A perceptron from the offset (B, 2) of two things to the relations between them (B, R)."""

    Config = DirectionsConfig
    Data = DirectionsData

    @classmethod
    def config_from_data(cls, config: DirectionsConfig, examples: Sequence[Pair]) -> DirectionsConfig:
        """Complete the settings by the relations that the examples have."""
        return replace(config, relations=tuple(sorted({name for pair in examples for name in pair.relations})))

    def __init__(self, config: DirectionsConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden
        self.layers = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, len(config.relations)))

    def collate(self, examples: Sequence[Pair]) -> dict[str, Tensor]:
        known = self.config.relations
        return {
            "offsets": torch.tensor([pair.offset for pair in examples]),
            "truths": torch.tensor([[float(name in pair.relations) for name in known] for pair in examples]),
        }

    def loss(self, batch: dict[str, Tensor]) -> LossOut:
        logits, truths = self.layers(batch["offsets"]), batch["truths"]
        right = ((logits > 0) == (truths > 0)).all(-1).sum()
        return LossOut(nn.functional.binary_cross_entropy_with_logits(logits, truths), len(truths), {"accuracy": right})

    def predict(self, batch: dict[str, Tensor]) -> list[list[str]]:
        """The relations of each pair."""
        rows = (self.layers(batch["offsets"]) > 0).tolist()
        return [[name for name, holds in zip(self.config.relations, row, strict=True) if holds] for row in rows]


RECIPE = """
model = "__main__:Directions"

[data]
held_out = 0.25

[training]
epochs = 30
batch_size = 64
lr = 0.01
accelerator = "cpu"
monitor = "accuracy"
mode = "max"
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(f"{folder}/clevr", scenes=60, questions_per_scene=1, seed=1)
        result = run(parse_recipe(RECIPE), f"{folder}/clevr", f"{folder}/run")
        print(f"learned from {len(result.split.train):,} pairs of things in {result.seconds:.0f} s")
        print(f"all relations right: {100 * float(result.metrics['val/accuracy']):.1f} % of the pairs held out")
        # The checkpoint names a module: to open it, name the same one.
        model = load_model(f"{folder}/run/best.safetensors", "__main__:Directions")
        for offset in ((3.0, 3.0), (-3.0, 1.0)):
            print(f"{offset} from the other: {', '.join(model.predict(model.collate([Pair(0, offset, ())]))[0])}")


if __name__ == "__main__":
    main()
