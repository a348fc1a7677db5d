"""How fast to learn, step by step: a factor on the recipe's learning rate.

A schedule is a function of the step alone and keeps no state, so a resumed run needs to restore nothing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import RecipeError
from ..registry import known_or_own, named

SCHEDULES: dict[str, str] = {
    "constant": "nsreason.training.lr_schedules:Constant",
    "cosine": "nsreason.training.lr_schedules:Cosine",
    "step": "nsreason.training.lr_schedules:Steps",
}
"""The kinds of schedules; one's own is given as `module:Class`."""


class Rate(Protocol):
    """What a kind of schedule makes of the steps after the warm-up."""

    def rate(self, step: int, steps: int, epoch: int, /) -> float:
        """Return the factor for a step.

        Args:
            step: from 0, after the steps of the warm-up.
            steps: of the whole run, without those of the warm-up, at least 1.
            epoch: from 1, that the step belongs to.
        """


@dataclass(frozen=True)
class Schedule:
    """A recipe's `[training.schedule]`."""

    kind: str = "constant"
    """`constant`; `step`, multiplied by `factor` at each of `at_epochs`; `cosine`, from 1 down to `minimum` at the last
    step of the run; or one's own `Rate` as `module:Class`, made with `settings`."""
    warmup_steps: int = 0
    """For each kind, the steps over which the rate first grows linearly from nothing."""
    at_epochs: tuple[int, ...] = ()
    """For `step`: epochs, from 1, with whose first step the rate drops."""
    factor: float = 0.1
    """For `step`."""
    minimum: float = 0.0
    """For `cosine`."""
    settings: Mapping[str, Any] | None = None
    """Keyword arguments of a schedule of one's own."""

    def __post_init__(self) -> None:
        known_or_own("schedule", self.kind, SCHEDULES, "training.schedule.kind")
        if self.warmup_steps < 0:
            raise RecipeError(f"training.schedule.warmup_steps: 0 or more steps, got {self.warmup_steps}")
        if bool(self.at_epochs) != (self.kind == "step"):
            do = "give the epochs at which the rate drops" if self.kind == "step" else "only for kind = 'step'"
            raise RecipeError(f"training.schedule.at_epochs: {do}, got {list(self.at_epochs)}")
        if self.settings and self.kind in SCHEDULES:
            raise RecipeError(f"training.schedule.settings: only for a schedule of one's own, not for '{self.kind}'")

    def rate(self, step: int, steps: int, epoch: int) -> float:
        """Return the factor for a step.

        Args:
            step: from 0, over the whole run.
            steps: of the whole run.
            epoch: from 1, that the step belongs to.

        Raises:
            RecipeError: there is no schedule of that kind, or it cannot be made.
        """
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        left = max(1, steps - self.warmup_steps)
        return warm * self._rate.rate(max(0, step - self.warmup_steps), left, epoch)

    @functools.cached_property
    def _rate(self) -> Rate:
        cls = named("schedule", self.kind, SCHEDULES)
        if self.kind in SCHEDULES:
            return cls(self)  # type: ignore[no-any-return]
        try:
            return cls(**(self.settings or {}))  # type: ignore[no-any-return]
        except TypeError as error:
            raise RecipeError(f"training.schedule.settings: {error}") from None


@dataclass(frozen=True)
class Constant:
    """One rate."""

    schedule: Schedule

    def rate(self, step: int, steps: int, epoch: int) -> float:
        """See `Rate`."""
        return 1.0


@dataclass(frozen=True)
class Steps:
    """A rate that drops at the beginning of some epochs."""

    schedule: Schedule

    def rate(self, step: int, steps: int, epoch: int) -> float:
        """See `Rate`."""
        return self.schedule.factor ** sum(epoch >= at for at in self.schedule.at_epochs)


@dataclass(frozen=True)
class Cosine:
    """Half a wave, from 1 down to the minimum."""

    schedule: Schedule

    def rate(self, step: int, steps: int, epoch: int) -> float:
        """See `Rate`."""
        least = self.schedule.minimum
        return least + (1 - least) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
