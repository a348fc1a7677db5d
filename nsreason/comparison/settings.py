"""What decides a comparison's figures, beside its reasoners and sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import RecipeError, did_you_mean
from ..training.budget import Budget

_SEEDS = 1 << 32  # what torch, numpy and Python's generators all take


@dataclass(frozen=True)
class ComparisonSettings:
    """The settings of a comparison; see `nsreason.comparison.compare`.

    Raises:
        RecipeError: a number is out of range.
    """

    task: str
    """A name of `nsreason.tasks.TASKS`, or `module:Class`."""
    source: str
    """Where the task's data are."""
    task_settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the task, as its class has them."""
    budget: Budget = field(default_factory=lambda: Budget(seconds=60))
    """Of each reasoner that learns, for each size."""
    seed: int = 0
    input: str | None = None
    """What networks read (`rows`, `image`); None takes the usual."""
    within: Mapping[str, int] = field(default_factory=dict)
    """By fact, the most that a training question may have."""
    limit: int | None = None
    """How many questions are tested, the first ones; None takes all."""
    recipes: Mapping[str, str] = field(default_factory=dict)
    """By reasoner, the recipe in place of the task's."""
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    """By reasoner, the trained model in place of training."""
    overrides: tuple[str, ...] = ()
    """Changes of recipes: of all (`training.lr=1e-3`), or of one (`lstm:training.lr=1e-3`)."""

    def __post_init__(self) -> None:
        numbers = {"seed": self.seed, "limit": self.limit or 0, **self.within}
        for name, number in numbers.items():
            if not 0 <= number < _SEEDS:
                raise RecipeError(f"{name}: a whole number from 0 to {_SEEDS - 1}, got {number!r:.40}")

    def overrides_of(self, name: str) -> tuple[str, ...]:
        """List the changes of a reasoner's recipe."""
        overrides = []
        for override in self.overrides:
            who, colon, rest = override.partition(":")
            if not colon or "=" in who:  # of all; a colon may stand in a value
                overrides.append(override)
            elif who == name:
                overrides.append(rest)
        return tuple(overrides)

    def check_names(self, reasoners: Iterable[str]) -> None:
        """Check that recipes, checkpoints and changes are of reasoners that are compared.

        Raises:
            RecipeError: one is not.
        """
        reasoners = list(reasoners)
        changed = [o.partition(":")[0] for o in self.overrides if ":" in o.partition("=")[0]]
        for what, names in (("recipe", self.recipes), ("checkpoint", self.checkpoints), ("setting", changed)):
            for name in names:
                if name not in reasoners:
                    raise RecipeError(f"a {what} of '{name}', which is not compared{did_you_mean(name, reasoners)}")

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {**asdict(self), "budget": str(self.budget), "overrides": list(self.overrides)}
