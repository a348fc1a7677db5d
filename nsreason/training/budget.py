"""How much a model may learn: a time, or a number of examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RecipeError

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Budget:
    """How much a reasoner may learn: as long as that, or from so many questions, each counted whenever it is seen."""

    seconds: float | None = None
    examples: int | None = None

    def __post_init__(self) -> None:
        given = [b for b in (self.seconds, self.examples) if b is not None]
        if len(given) != 1 or not 0 < given[0] < math.inf:
            raise RecipeError(f"a budget is a time or a number of questions, above 0; got {given}")

    def __str__(self) -> str:
        return f"{self.examples:,} questions" if self.seconds is None else f"{self.seconds:g} s"


def read_budget(text: str) -> Budget:
    """A budget as the command line has it: `90s`, `10m`, `1h`, or `50000q` questions.

    Raises:
        RecipeError: it is none.
    """
    number, unit = text.strip()[:-1].replace(",", "").replace("_", ""), text.strip()[-1:].lower()
    try:
        amount = float(number)
        if unit == "q":
            return Budget(examples=int(amount))
        return Budget(seconds=amount * {"s": 1, "m": 60, "h": 3600}[unit])
    except (ValueError, KeyError, OverflowError):
        raise RecipeError(f"a budget is a time, as 90s, 10m or 1h, or questions, as 50000q; got '{text}'") from None
