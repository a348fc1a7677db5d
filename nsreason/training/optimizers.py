"""What changes a model's weights: the recipe's optimizer, and the parts of a model that a lesson holds still.

Checkpoints keep the state of an optimizer as it is written here; `nsreason.training.optimizer_state` restores it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from ..errors import RecipeError, TrainingError, did_you_mean
from ..io.decoding import check_plain
from ..registry import OPTIMIZERS, named
from .settings import Training


def make_optimizer(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    """The recipe's optimizer over all parameters that learn.

    Raises:
        TrainingError: there are none. RecipeError: there is no such optimizer, or it refuses its settings.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise TrainingError(f"{type(model).__name__} has no parameter that learns")
    cls = named("optimizer", training.optimizer, OPTIMIZERS)
    settings: dict[str, Any] = {"lr": training.lr}
    if training.optimizer == "sgd":
        settings |= {"momentum": training.momentum, "weight_decay": training.weight_decay}
    elif training.optimizer in OPTIMIZERS:
        settings |= {"betas": training.betas, "weight_decay": training.weight_decay}
    elif training.weight_decay:
        settings["weight_decay"] = training.weight_decay
    try:
        optimizer = cls(parameters, **(settings | dict(training.optimizer_settings or {})))
    except (TypeError, ValueError) as error:
        raise RecipeError(f"training.optimizer: '{training.optimizer}' refuses its settings: {error}") from None
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise RecipeError(f"training.optimizer: '{training.optimizer}' is no torch.optim.Optimizer")
    return optimizer


def frozen_names(model: nn.Module, parts: Sequence[str]) -> set[str]:
    """The names of the parameters below the named parts, as a lesson's `freeze` gives them.

    Raises:
        TrainingError: there is no such part, or nothing is left to learn.
    """
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    frozen = {name for name in names for part in parts if name == part or name.startswith(part + ".")}
    for part in parts:
        if not any(name == part or name.startswith(part + ".") for name in names):
            known = {name.rpartition(".")[0] or name for name in names} | {name.partition(".")[0] for name in names}
            raise TrainingError(f"freeze: no part '{part}' of {type(model).__name__}{did_you_mean(part, known)}")
    if names and len(frozen) == len(names):
        raise TrainingError(f"freeze: {', '.join(parts)} are all that {type(model).__name__} could learn")
    return frozen


class OptimizerRecord(msgspec.Struct):
    """What an optimizer holds beside its tensors; `rest`: by parameter."""

    kind: str
    parameters: list[str]
    groups: list[dict[str, Any]]
    rest: dict[str, dict[str, int | float | None]]

    def __post_init__(self) -> None:
        check_plain(self.groups, "groups")


def parameter_names(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[str]:
    """The names of the optimizer's parameters, in its order."""
    names = {id(p): name for name, p in model.named_parameters()}
    return [names[id(p)] for group in optimizer.param_groups for p in group["params"]]


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], OptimizerRecord]:
    """Its tensors by name (`optimizer/<parameter>/<what>`), and the rest."""
    names = parameter_names(model, optimizer)
    saved = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    rest: dict[str, dict[str, Any]] = {}
    for number, entries in saved["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{names[number]}/{key}"] = value
            else:
                rest.setdefault(names[number], {})[key] = value
    groups = [{k: v for k, v in g.items() if k != "params"} for g in saved["param_groups"]]
    kind = type(optimizer).__name__
    return tensors, OptimizerRecord(kind, names, groups, rest)
