"""An optimizer and a schedule as users write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


class SignDescent(torch.optim.Optimizer):
    """Steps against the sign of a running mean of the gradients."""

    def __init__(self, params: Iterable[Tensor], lr: float, keep: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "keep": keep})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                mean = state.setdefault("mean", torch.zeros_like(parameter))
                mean.mul_(group["keep"]).add_(parameter.grad, alpha=1 - group["keep"])
                parameter.sub_(mean.sign(), alpha=group["lr"])


@dataclass(frozen=True)
class Line:
    """From 1 down to nothing."""

    slope: float = 1.0

    def rate(self, step: int, steps: int, epoch: int) -> float:
        return max(0.0, 1 - self.slope * step / steps)
