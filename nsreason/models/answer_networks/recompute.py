"""Activation checkpointing: functions that keep their inputs alone and are recomputed in backward.

What torch.utils.checkpoint does, without the seconds that its first call takes to load torch's compiler. For
functions that draw no random numbers, and gradients of the first order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


class _Recompute(torch.autograd.Function):
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
        inputs = [None if t is None else t.detach().requires_grad_(t.requires_grad) for t in saved[:number]]
        leaves = [*inputs, *saved[number:]]
        wanted = [k for k, leaf in enumerate(leaves) if leaf is not None and ctx.needs_input_grad[2 + k]]
        with torch.enable_grad(), torch.autocast(kind, dtype, enabled=on):
            out = ctx.run(*inputs)
        gradients = torch.autograd.grad(out, [leaves[k] for k in wanted], grads[0], allow_unused=True)
        by_leaf = dict(zip(wanted, gradients, strict=True))
        return (None, None, *(by_leaf.get(k) for k in range(len(leaves))))


def recompute(run: Callable[..., Tensor], inputs: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> Tensor:
    """Compute `run(*inputs)`, and again in backward.

    Args:
        inputs: the arguments of `run`; gradients reach them.
        parameters: other tensors that `run` uses; gradients reach them, too.
    """
    if not torch.is_grad_enabled():
        return run(*inputs)
    out: Tensor = _Recompute.apply(run, len(inputs), *inputs, *parameters)
    return out
