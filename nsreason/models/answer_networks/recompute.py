"""Functions that keep their inputs alone and are computed again in backward: memory paid for with time.

What torch.utils.checkpoint does, without the seconds that its first call takes to load torch's compiler. For
functions that draw no random numbers, and gradients of the first order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


class _Again(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: Callable[..., Tensor], number: int, *tensors: Tensor | None) -> Tensor:
        ctx.run, ctx.number = run, number
        kind = next(t.device.type for t in tensors if t is not None)
        on = torch.is_autocast_enabled(kind)
        ctx.precision = (kind, torch.get_autocast_dtype(kind), on)
        ctx.save_for_backward(*tensors)
        return run(*tensors[:number])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        saved, number = ctx.saved_tensors, ctx.number
        kind, dtype, on = ctx.precision
        given = [None if t is None else t.detach().requires_grad_(t.requires_grad) for t in saved[:number]]
        leaves = [*given, *saved[number:]]
        wanted = [k for k, leaf in enumerate(leaves) if leaf is not None and ctx.needs_input_grad[2 + k]]
        with torch.enable_grad(), torch.autocast(kind, dtype, enabled=on):
            out = ctx.run(*given)
        found = torch.autograd.grad(out, [leaves[k] for k in wanted], grads[0], allow_unused=True)
        told = dict(zip(wanted, found, strict=True))
        return (None, None, *(told.get(k) for k in range(len(leaves))))


def recompute(run: Callable[..., Tensor], given: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> Tensor:
    """`run(*given)`. Gradients reach what is given and the `parameters`, which `run` uses by itself."""
    if not torch.is_grad_enabled():
        return run(*given)
    out: Tensor = _Again.apply(run, len(given), *given, *parameters)
    return out
