"""Whether a checkpoint is of the model and of the run that it is to go on with; where not, in what they differ."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError
from .checkpoint_file import REMEDY

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .checkpoint import Checkpoint

_SHOWN = 5  # names in an error message


def config_data(model: nn.Module) -> dict[str, Any]:
    """Return the model's settings as plain data.

    Raises:
        CheckpointError: its `config` is not a dataclass.
    """
    config = getattr(model, "config", None)
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise CheckpointError(f"{type(model).__name__}: its config is not a dataclass, but {config!r:.60}")
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return plain


def differences(saved: Any, here: Any, path: str = "") -> list[str]:
    """List in what two pieces of plain data differ: `dim: 64 in the checkpoint, 128 here`."""
    if isinstance(saved, Mapping) and isinstance(here, Mapping):
        keys = [*saved, *(k for k in here if k not in saved)]
        absent = "nothing"
        return [
            line
            for key in keys
            for line in differences(saved.get(key, absent), here.get(key, absent), f"{path}.{key}".lstrip("."))
        ]
    return [] if saved == here else [f"{path}: {saved!r:.60} in the checkpoint, {here!r:.60} here"]


def check_model(checkpoint: Checkpoint, model_name: str, model: nn.Module) -> None:
    """Refuse a checkpoint of another model.

    Raises:
        CheckpointError: its name or its settings differ; the message says in what.
    """
    if checkpoint.model != model_name:
        raise CheckpointError(f"{checkpoint.path}: of the model '{checkpoint.model}', not of '{model_name}'")
    lines = differences(checkpoint.config, config_data(model), "model_config")
    if lines:
        raise CheckpointError(f"{checkpoint.path}: the model is set up differently: {some(lines, '; ')}")


# What may change when a run is resumed: how far it goes, and where it runs; not what it has learned from.
_MAY_CHANGE = (
    *("epochs", "seconds", "accelerator", "devices", "nodes", "workers", "threads"),
    *("validate_every", "checkpoint_every", "log_every"),
)


def check_recipe(checkpoint: Checkpoint, recipe: Mapping[str, Any]) -> None:
    """Refuse to resume a run with another recipe, given as plain data.

    Raises:
        CheckpointError: it would have learned otherwise; the message says in what the two differ.
    """

    def fixed(table: Mapping[str, Any]) -> dict[str, Any]:
        training = table.get("training")
        if not isinstance(training, Mapping):
            raise CheckpointError(f"{checkpoint.path}: its recipe has no table 'training'; {REMEDY}")
        kept = {k: v for k, v in training.items() if k not in _MAY_CHANGE}
        return {"training": kept, "curriculum": table.get("curriculum", "nothing")}

    began = checkpoint.state.get("recipe")
    if not isinstance(began, Mapping):
        raise CheckpointError(f"{checkpoint.path}: holds no recipe; {REMEDY}")
    lines = differences(fixed(began), fixed(recipe))
    if lines:
        hint = "resume it with its own recipe, or begin in another folder"
        raise CheckpointError(f"{checkpoint.path}: the run began with another recipe: {some(lines, '; ')}; {hint}")


def shape(tensor: Tensor) -> str:
    """Write a tensor's kind and shape, as messages have them: `float32[8, 4]`."""
    return f"{str(tensor.dtype).removeprefix('torch.')}[{', '.join(map(str, tensor.shape))}]"


def some(names: list[str], separator: str = ", ") -> str:
    """Join the first names of a list, and say how many more there are."""
    more = len(names) - _SHOWN
    return separator.join(names[:_SHOWN]) + (f"{separator}and {more} more" if more > 0 else "")
