"""How fast to learn, step by step: a factor on the recipe's learning rate.

A schedule is a function of the step alone and keeps no state, so a resumed run needs to restore nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..errors import RecipeError


@dataclass(frozen=True)
class Schedule:
    """A recipe's `[training.schedule]`.

    Attributes:
        kind: `constant`; `step`, multiplied by `factor` at each of `at_epochs`; `cosine`, from 1 down to
            `minimum` at the last step of the run.
        warmup_steps: for each kind, the steps over which the rate first grows linearly from nothing.
        at_epochs: epochs, from 1, with whose first step the rate drops.
    """

    kind: Literal["constant", "step", "cosine"] = "constant"
    warmup_steps: int = 0
    at_epochs: tuple[int, ...] = ()
    factor: float = 0.1
    minimum: float = 0.0

    def __post_init__(self) -> None:
        if self.warmup_steps < 0:
            raise RecipeError(f"training.schedule.warmup_steps: 0 or more steps, got {self.warmup_steps}")
        if bool(self.at_epochs) != (self.kind == "step"):
            do = "give the epochs at which the rate drops" if self.kind == "step" else "only for kind = 'step'"
            raise RecipeError(f"training.schedule.at_epochs: {do}, got {list(self.at_epochs)}")

    def rate(self, step: int, steps: int, epoch: int) -> float:
        """The factor for a step.

        Args:
            step: from 0, over the whole run.
            steps: of the whole run.
            epoch: from 1, that the step belongs to.
        """
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        if self.kind == "step":
            return warm * self.factor ** sum(epoch >= at for at in self.at_epochs)
        if self.kind == "cosine":
            left = max(1, steps - self.warmup_steps)
            done = min(1.0, max(0, step - self.warmup_steps) / left)
            return warm * (self.minimum + (1 - self.minimum) * 0.5 * (1 + math.cos(math.pi * done)))
        return warm
