"""Checkpoints: one safetensors file each, with settings and state as JSON in its metadata; never a pickle.

    checkpoint = load_checkpoint("runs/a/best.safetensors")
    load_weights(model, checkpoint)                 # or: model = load_model("runs/a/best.safetensors")

A file is written under a new name and reaches the disk before it takes its name, in one step: whenever a run is
killed, `last.safetensors` is whole. `checkpoint_file` describes the file, `checkpoint_checks` compares checkpoints with
models and recipes.

Tensor names: `model/<parameter or buffer>`, `optimizer/<parameter>/<what>`, and what the training loop adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from ..errors import CheckpointError, RecipeError
from ..io.decoding import decode_plain
from ..registry import only_table
from .checkpoint_checks import config_data, shape, some
from .checkpoint_file import REMEDY, SUFFIX, place_of, read_file, write_file
from .optimizers import OptimizerRecord, optimizer_tensors


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read."""

    path: Path
    """Of its file."""
    model: str
    """The model's name, as in a recipe."""
    config: Mapping[str, Any]
    """The model's settings, as plain data."""
    state: Mapping[str, Any]
    """What else was saved, as plain data."""
    tensors: Mapping[str, Tensor]
    """By name, on the CPU."""

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors below `prefix/`, by the rest of their names."""
        return {k.removeprefix(prefix + "/"): v for k, v in self.tensors.items() if k.startswith(prefix + "/")}


def save_checkpoint(
    folder: str | Path,
    name: str,
    *,
    model_name: str,
    model: nn.Module,
    step: int,
    state: Mapping[str, Any] | None = None,
    tensors: Mapping[str, Tensor] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> Path:
    """Write a checkpoint, atomically, in place of the one of that name.

    Args:
        folder: where; created if it is not there.
        name: of the file, without its ending: `last`, `best`.
        model_name: as in a recipe.
        step: of the optimizer.
        state: plain data for the metadata.
        tensors: more tensors; their names are kept.

    Returns:
        The path of the file.

    Raises:
        CheckpointError: the folder cannot be written, or `state` is not plain data.
    """
    saved = {f"model/{k}": v for k, v in model.state_dict().items() if isinstance(v, Tensor)} | dict(tensors or {})
    record: dict[str, Any] = {"model": model_name, "config": config_data(model), "step": step}
    record["state"] = dict(state or {})
    if optimizer is not None:
        try:
            moments, rest = optimizer_tensors(model, optimizer)
        except ValueError as error:
            raise CheckpointError(f"the state of checkpoint '{name}' is not plain data: {error}") from None
        record["optimizer"] = msgspec.to_builtins(rest)
        saved |= moments
    return _write(Path(folder), name, saved, record)


def save_half(
    checkpoint: Checkpoint, folder: str | Path, name: str, *, origin: Mapping[str, Any] | None = None
) -> Path:
    """Write a checkpoint's weights alone, in half the space, to be distributed.

    Weights are rounded to float16 and read back as float32. What float16 has no number for (beyond 65,504, as a
    variance can be) and what are no floats stay as they are.

    Args:
        origin: plain data for the state, under `made`: how the weights came about. The recipe is kept beside it.

    Returns:
        The path of the file.

    Raises:
        CheckpointError: the folder cannot be written, or `origin` is not plain data.
    """
    weights = {f"model/{k}": _halved(t) for k, t in checkpoint.part("model").items()}
    state = {k: checkpoint.state[k] for k in ("recipe",) if k in checkpoint.state} | {"made": dict(origin or {})}
    record: dict[str, Any] = {"model": checkpoint.model, "config": dict(checkpoint.config)}
    record |= {"step": checkpoint.state.get("step", 0), "state": state, "half": True}
    return _write(Path(folder), name, weights, record)


def _write(folder: Path, name: str, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> Path:
    """Write a checkpoint's file; errors become CheckpointError."""
    path = folder / f"{name}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_file(path, tensors, record)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot write the checkpoint '{name}': {error.strerror or error}") from None
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the state of checkpoint '{name}' is not plain data: {error}") from None
    return path


def _halved(tensor: Tensor) -> Tensor:
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    return half if bool(half.isfinite().all()) or not bool(tensor.isfinite().all()) else tensor


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint by its file, or the `last` one of a folder.

    Raises:
        CheckpointError: there is none, or its file is damaged.
    """
    place = place_of(path)
    record, tensors = read_file(place)
    if record.half:
        tensors = {k: t.float() if t.dtype == torch.float16 else t for k, t in tensors.items()}
    optimizer = None
    if record.optimizer is not None:
        what = "a checkpoint"
        optimizer = decode_plain(
            record.optimizer, OptimizerRecord, place, what=what, remedy=REMEDY, error=CheckpointError
        )
    state = record.state | {"optimizer": optimizer, "step": record.step}
    return Checkpoint(place, record.model, record.config, state, tensors)


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Put the weights and buffers of a checkpoint into a model; all of them, or none.

    Raises:
        CheckpointError: names are missing or left over, or shapes differ; the message names them.
    """
    saved, own = checkpoint.part("model"), {k: v for k, v in model.state_dict().items() if isinstance(v, Tensor)}
    faults = []
    if missing := sorted(own.keys() - saved.keys()):
        faults.append(f"missing in the checkpoint: {some(missing)}")
    if unexpected := sorted(saved.keys() - own.keys()):
        faults.append(f"not in the model: {some(unexpected)}")
    unlike = [
        f"{k} is {shape(saved[k])} in the checkpoint, {shape(own[k])} here"
        for k in own
        if k in saved and (saved[k].shape, saved[k].dtype) != (own[k].shape, own[k].dtype)
    ]
    if unlike:
        faults.append(some(unlike))
    if faults:
        raise CheckpointError(f"{checkpoint.path}: does not fit {type(model).__name__}: " + "; ".join(faults))
    model.load_state_dict(saved, strict=False)  # names were checked; what is not a tensor is not saved


def load_model(path: str | Path, name: str | None = None, *, trust: bool = False) -> Any:
    """Build the model of a checkpoint from its settings, with its weights, ready to answer (`eval()`).

    Args:
        path: of the file, or of a folder, which stands for its `last` checkpoint.
        name: of the model that is expected.
        trust: let the checkpoint name a model that is none of `registry.MODELS`, as `module:Class`: the
            module is imported, which runs its code, with a TrustWarning. One that `name` names needs no trust.

    Raises:
        CheckpointError: the checkpoint cannot be read, does not fit its model's class, is of another model, or of
            one that nsreason does not know and is not trusted.
    """
    from ..io.settings import to_dataclass
    from ..registry import MODELS
    from .building import build
    from .recipe import config_class

    checkpoint = load_checkpoint(path)
    if name is not None and checkpoint.model != name:
        raise CheckpointError(f"{path}: of the model '{checkpoint.model}', not of '{name}'")
    if name is None:
        only_table("model", checkpoint.model, MODELS, checkpoint.path, trust=trust, error=CheckpointError)
    try:
        config = to_dataclass(checkpoint.config, config_class(checkpoint.model), "model_config")
        model = build(checkpoint.model, config)
    except RecipeError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from None
    load_weights(model, checkpoint)
    return model.eval()
