"""Settings of a training run: the `[training]` of a recipe."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import RecipeError
from ..registry import OPTIMIZERS, known_or_own
from .lr_schedules import Schedule

Precision = Literal["32", "16-mixed", "bf16-mixed"]

# The most that a setting can be: an epoch costs a little even before training begins, a device is a process.
_MOST = {"epochs": 1_000_000, "accumulate": 1 << 20, "devices": 4096, "nodes": 4096, "workers": 1024, "threads": 1024}
_LARGEST = (1 << 31) - 1  # of all others


@dataclass(frozen=True)
class Training:
    """A recipe's `[training]`."""

    seed: int = 0
    """Of the data order, and of python's, numpy's and torch's random numbers."""
    epochs: int = 10
    """Passes over the training examples."""
    batch_size: int = 32
    """Examples of one forward and backward pass, over all devices together, so that a recipe means the same on one
    device and on eight."""
    accumulate: int = 1
    """Batches whose gradients are summed for one step of the optimizer."""
    optimizer: str = "adamw"
    """`adamw`, `adam`, `sgd`, or one's own as `module:Class`: called with the parameters, `lr`, `weight_decay` where it
    is not 0, and `optimizer_settings`."""
    optimizer_settings: Mapping[str, Any] | None = None
    """Further keyword arguments of the optimizer, such as `amsgrad = true`."""
    lr: float = 1e-3
    """The learning rate, which the schedule multiplies."""
    weight_decay: float = 0.0
    """The optimizer's."""
    betas: tuple[float, float] = (0.9, 0.999)
    """For adam and adamw."""
    momentum: float = 0.0
    """For sgd."""
    gradient_clip: float | None = None
    """The largest norm of all gradients together; None does not clip."""
    precision: Precision | Literal["auto"] = "32"
    """`auto` is chosen by the machine when the run begins, and recorded: bf16-mixed where it has instructions for that,
    else 32. bf16-mixed is refused by machines without, 16-mixed by CPUs."""
    schedule: Schedule = field(default_factory=Schedule)
    """Of the learning rate."""
    validate_every: int = 1
    """Epochs between validations; the last epoch is always validated; 0 never."""
    checkpoint_every: int = 1000
    """Steps between checkpoints within an epoch; each epoch ends with one; 0 no others."""
    log_every: int = 0
    """Steps between rows of metrics.csv within an epoch; each epoch ends with one; 0 no others."""
    monitor: str = "loss"
    """The validation metric by which the best checkpoint is chosen."""
    mode: Literal["min", "max"] = "min"
    """Whether the best value of the monitored metric is the least or the greatest."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to run."""
    devices: int = 1
    """Devices of a node; under `torchrun` its own numbers count."""
    nodes: int = 1
    """Machines; under `torchrun` its own numbers count."""
    workers: int = 0
    """Threads that make batches ahead of time; 0 makes each when it is needed."""
    threads: int | None = None
    """Threads of torch on the CPU; None leaves them alone."""
    seconds: float | None = None
    """Stop after so long, with a checkpoint; a resumed run counts what it has used before."""
    max_examples: int | None = None
    """Take only the first so many training examples."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate", "devices", "nodes"):
            self._check(name, getattr(self, name) >= 1, "a whole number from 1")
        for name in ("validate_every", "checkpoint_every", "log_every", "workers"):
            self._check(name, getattr(self, name) >= 0, "a whole number from 0")
        for name in ("threads", "seconds", "max_examples", "gradient_clip"):
            value = getattr(self, name)
            self._check(name, value is None or value > 0, "a number above 0")
        for name in ("weight_decay", "momentum"):
            self._check(name, getattr(self, name) >= 0, "a number from 0")
        known_or_own("optimizer", self.optimizer, OPTIMIZERS, "training.optimizer")
        self._check("seed", 0 <= self.seed < 2**32, "a whole number from 0 to 4294967295")
        self._check("lr", 0 < self.lr < float("inf"), "a number above 0")
        self._check("betas", all(0 <= b < 1 for b in self.betas), "two numbers from 0 to below 1")
        for f in dataclasses.fields(self):
            value, most = getattr(self, f.name), _MOST.get(f.name, _LARGEST)
            if isinstance(value, float):
                self._check(f.name, math.isfinite(value), "a finite number")
            if isinstance(value, int) and f.name != "seed":
                self._check(f.name, value <= most, f"a whole number up to {most:,}")

    def _check(self, name: str, right: bool, expected: str) -> None:
        if not right:
            raise RecipeError(f"training.{name}: {expected}, got {getattr(self, name)!r:.60}")
