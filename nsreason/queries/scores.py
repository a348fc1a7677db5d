"""A share of right answers, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass


def wilson(right: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a proportion (95 % by default); (0, 1) of nothing."""
    if total == 0:
        return 0.0, 1.0
    p, zz = right / total, z * z / total
    middle, half = p + zz / 2, z * math.sqrt(p * (1 - p) / total + zz / (4 * total))
    low, high = (middle - half) / (1 + zz), (middle + half) / (1 + zz)
    return (low if right else 0.0), (high if right < total else 1.0)  # exact where rounding would miss it


@dataclass
class Score:
    """Right among a total."""

    right: int = 0
    total: int = 0

    @property
    def accuracy(self) -> float | None:
        """right / total, or None of nothing."""
        return self.right / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval."""
        return wilson(self.right, self.total)

    def add(self, other: Score) -> None:
        self.right += other.right
        self.total += other.total

    def to_dict(self) -> dict[str, object]:
        return {
            "right": self.right,
            "total": self.total,
            "accuracy": self.accuracy,
            "interval": list(self.interval) if self.total else None,
        }
