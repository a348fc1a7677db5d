"""The state of an optimizer from a checkpoint, bit for bit, or refused with what is wrong in it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from .checkpoint import Checkpoint
from .checkpoint_checks import shape, some
from .checkpoint_file import REMEDY
from .optimizers import OptimizerRecord, parameter_names


def load_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, checkpoint: Checkpoint) -> None:
    """Put the moments and steps of a checkpoint into an optimizer, bit for bit.

    Raises:
        CheckpointError: it holds none, or those of another optimizer or of other parameters.
    """
    record = checkpoint.state.get("optimizer")
    if not isinstance(record, OptimizerRecord):
        raise CheckpointError(f"{checkpoint.path}: holds weights only, no optimizer; continue from 'last'")
    names, kind = parameter_names(model, optimizer), type(optimizer).__name__
    if record.kind != kind:
        raise CheckpointError(f"{checkpoint.path}: of the optimizer {record.kind}, not of {kind}")
    if record.parameters != names:
        other = sorted(set(record.parameters) ^ set(names)) or ["their order"]
        raise CheckpointError(f"{checkpoint.path}: the optimizer's parameters differ: {some(other)}")
    now = optimizer.state_dict()["param_groups"]
    state = _moments(model, checkpoint, record, now)
    if fault := _groups_fault(now, record.groups):
        raise CheckpointError(f"{checkpoint.path}: the optimizer's settings are damaged: {fault}; {REMEDY}")
    groups = [
        own | {k: tuple(v) if isinstance(own.get(k), tuple) else v for k, v in saved.items() if k != "params"}
        for own, saved in zip(now, record.groups, strict=True)
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


_MOMENTS = {"AdamW": {"step", "exp_avg", "exp_avg_sq"}, "Adam": {"step", "exp_avg", "exp_avg_sq"}}
_MOMENTS["SGD"] = {"momentum_buffer"}


def _moments(
    model: nn.Module, checkpoint: Checkpoint, record: OptimizerRecord, groups: list[dict[str, Any]]
) -> dict[int, dict[str, Any]]:
    """Return the moments and steps of each parameter, by its place in the optimizer.

    Raises:
        CheckpointError: of a parameter that it does not have, of another shape, or not all of it.
    """
    number_of = {name: i for i, name in enumerate(record.parameters)}
    shapes = {name: p.shape for name, p in model.named_parameters()}
    state: dict[int, dict[str, Any]] = {}
    tensors = checkpoint.part("optimizer").items()
    entries: list[tuple[str, str, Any]] = [(*path.rpartition("/")[::2], value) for path, value in tensors]
    entries += [(name, key, value) for name, rest in record.rest.items() for key, value in rest.items()]
    for name, key, value in entries:
        if name not in number_of:
            raise CheckpointError(f"{checkpoint.path}: '{key}' of no parameter of the optimizer: '{name}'; {REMEDY}")
        if isinstance(value, Tensor) and value.shape != (() if key == "step" else shapes[name]):
            fault = f"is {shape(value)}, of a parameter of {list(shapes[name])}"
            raise CheckpointError(f"{checkpoint.path}: optimizer/{name}/{key} {fault}; {REMEDY}")
        state.setdefault(number_of[name], {})[key] = value
    expected = _MOMENTS.get(record.kind, set()) | ({"max_exp_avg_sq"} if groups[0].get("amsgrad") else set())
    for name, number in number_of.items():
        lacks = sorted(expected - state[number].keys()) if number in state else []
        if lacks:
            raise CheckpointError(f"{checkpoint.path}: optimizer/{name}: no {some(lacks)}; {REMEDY}")
    return state


def _groups_fault(now: list[dict[str, Any]], saved: list[dict[str, Any]]) -> str | None:
    """Say in what saved settings of an optimizer differ from its own; None if they agree.

    The rate may differ, which a schedule moves, and settings of another version of torch may be there.
    """
    if len(now) != len(saved):
        return f"{len(saved)} groups of parameters, here are {len(now)}"
    for own, other in zip(now, saved, strict=True):
        for key in own.keys() & other.keys():
            mine, value = own[key], other[key]
            if key == "lr":
                same = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
            else:
                same = (list(mine) if isinstance(mine, tuple) else mine) == value
            if not same:
                return f"{key}: {value!r:.60}, here it is {mine!r:.60}"
    return None
