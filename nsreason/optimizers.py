"""What changes a model's weights: the recipe's optimizer, and the parts of a model that a lesson holds still."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .errors import TrainingError, did_you_mean
from .recipe import Training


def make_optimizer(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    """The recipe's optimizer over all parameters that learn.

    Raises:
        TrainingError: there are none.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise TrainingError(f"{type(model).__name__} has no parameter that learns")
    lr, decay = training.lr, training.weight_decay
    if training.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr, momentum=training.momentum, weight_decay=decay)
    made = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return made(parameters, lr, betas=training.betas, weight_decay=decay)


def frozen_names(model: nn.Module, parts: Sequence[str]) -> set[str]:
    """The names of the parameters below the named parts, as a lesson's `freeze` gives them.

    Raises:
        TrainingError: there is no such part, or nothing is left to learn.
    """
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    found = {name for name in names for part in parts if name == part or name.startswith(part + ".")}
    for part in parts:
        if not any(name == part or name.startswith(part + ".") for name in names):
            known = {name.rpartition(".")[0] or name for name in names} | {name.partition(".")[0] for name in names}
            raise TrainingError(f"freeze: no part '{part}' of {type(model).__name__}{did_you_mean(part, known)}")
    if names and len(found) == len(names):
        raise TrainingError(f"freeze: {', '.join(parts)} are all that {type(model).__name__} could learn")
    return found
