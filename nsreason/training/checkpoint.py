"""Checkpoints: tensors as safetensors, the rest as JSON, never a pickle.

A checkpoint `last` in a folder is `last.json`, which names its tensor file (`last-1200.safetensors`). The tensor
file is written under a new name and reaches the disk before `last.json` is replaced, in one step: whenever a run is
killed, `last.json` speaks of a whole tensor file. Only then is the former tensor file removed.

    checkpoint = load_checkpoint("runs/a/best.json")
    load_weights(model, checkpoint)                     # or: model = load_model("runs/a/best.json")

Tensor names: `model/<parameter or buffer>`, `optimizer/<parameter>/<what>`, and what the training loop adds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import CheckpointError, DataError, RecipeError, did_you_mean
from ..io.decoding import Count, check_plain, decode_file
from ..io.files import atomic_write
from ..registry import only_table
from .optimizers import OptimizerRecord, optimizer_tensors

FORMAT = 1
_SHOWN = 5  # names in an error message


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read.

    Attributes:
        path: of its JSON file.
        model: the model's name, as in a recipe.
        config: the model's settings, as plain data.
        state: what else was saved, as plain data.
        tensors: by name, on the CPU.
    """

    path: Path
    model: str
    config: Mapping[str, Any]
    state: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors below `prefix/`, by the rest of their names."""
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
    """Write a checkpoint, atomically, in place of the one of that name; returns the path of its JSON file.

    Args:
        state: plain data for the JSON file.
        tensors: more tensors; their names are kept.

    Raises:
        CheckpointError: the folder cannot be written, or `state` is not plain data.
    """
    folder = Path(folder)
    held = {f"model/{k}": v for k, v in model.state_dict().items() if isinstance(v, Tensor)} | dict(tensors or {})
    told: dict[str, Any] = {"format": FORMAT, "model": model_name, "config": config_data(model), "step": step}
    told["state"] = dict(state or {})
    if optimizer is not None:
        try:
            moments, record = optimizer_tensors(model, optimizer)
        except ValueError as error:
            raise CheckpointError(f"the state of checkpoint '{name}' is not plain data: {error}") from None
        told["optimizer"] = msgspec.to_builtins(record)
        held |= moments
    file = _write(folder, name, f"{name}-{step}", held, told)
    for old in (*folder.glob(f"{name}-*.safetensors"), *folder.glob(f".{name}-*.tmp")):
        if old != file:
            with contextlib.suppress(OSError):
                old.unlink()
    return folder / f"{name}.json"


def save_half(checkpoint: Checkpoint, folder: str | Path, name: str, *, made: Mapping[str, Any] | None = None) -> Path:
    """Write a checkpoint's weights alone, in half the space, to be handed on; returns the path of its JSON file.

    Weights are rounded to float16 and read back as float32. What float16 has no number for (beyond 65,504, as a
    variance can be) and what are no floats stay as they are.

    Args:
        made: plain data for the state: how the weights came about. The recipe is kept beside it.

    Raises:
        CheckpointError: the folder cannot be written, or `made` is not plain data.
    """
    folder = Path(folder)
    weights = {f"model/{k}": _halved(t) for k, t in checkpoint.part("model").items()}
    state = {k: checkpoint.state[k] for k in ("recipe",) if k in checkpoint.state} | {"made": dict(made or {})}
    told: dict[str, Any] = {"format": FORMAT, "model": checkpoint.model, "config": dict(checkpoint.config)}
    told |= {"step": checkpoint.state.get("step", 0), "state": state}
    _write(folder, name, None, weights, told, half=True)
    return folder / f"{name}.json"


def _write(
    folder: Path, name: str, stem: str | None, tensors: Mapping[str, Tensor], told: dict[str, Any], **more: bool
) -> Path:
    """Write tensors and then the JSON file that names them; returns the tensors' path.

    Args:
        stem: of the tensors' file, made new where there is one; None writes over `name`'s own.
        more: what else to tell of the tensors.

    Raises:
        CheckpointError: the folder cannot be written, or `told` is not plain data.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}.safetensors" if stem is None else _free_name(folder, stem)
        size, checksum = _write_tensors(tensors, file)
        told["tensors"] = {"file": file.name, "bytes": size, "crc32": checksum, **more}
        text = json.dumps(told, indent=1, allow_nan=False)
        with atomic_write(folder / f"{name}.json") as out:
            out.write(text.encode())
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot write the checkpoint '{name}': {error.strerror or error}") from None
    except DataError as error:
        raise CheckpointError(str(error)) from None
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the state of checkpoint '{name}' is not plain data: {error}") from None
    return file


def _halved(tensor: Tensor) -> Tensor:
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    return half if bool(half.isfinite().all()) or not bool(tensor.isfinite().all()) else tensor


def _free_name(folder: Path, stem: str) -> Path:
    """A name of no file: the JSON file in place may speak of a tensor file of the same step."""
    file, number = folder / f"{stem}.safetensors", 1
    while file.exists():
        number += 1
        file = folder / f"{stem}-{number}.safetensors"
    return file


def _write_tensors(tensors: Mapping[str, Tensor], file: Path) -> tuple[int, int]:
    """Write the tensors, whole or not at all; returns the bytes and the checksum of the file."""
    temporary = file.with_name(f".{file.name}.{os.getpid():08x}.tmp")  # as `files.sweep` knows them
    try:
        save_file(_storable(tensors), temporary)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # as readable as any file; it is made for its owner alone
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        size, checksum = temporary.stat().st_size, _checksum(temporary)
        temporary.replace(file)
    except safetensors.SafetensorError as error:
        raise OSError(str(error)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return size, checksum


def _checksum(file: Path) -> int:
    found = 0
    with file.open("rb") as handle:
        while part := handle.read(1 << 20):
            found = zlib.crc32(part, found)
    return found


def _storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU and contiguous; tensors that share memory, as tied weights do, are written out each."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        address = plain.untyped_storage().data_ptr()
        if plain.numel() and (address in seen or plain.untyped_storage().nbytes() != plain.nbytes):
            plain = plain.clone()
        seen.add(address)
        found[name] = plain
    return found


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint by its JSON file, or the `last` one of a folder.

    Raises:
        CheckpointError: there is none, or one of its two files is damaged.
    """
    path = Path(path)
    try:
        if path.is_dir():
            path = path / "last.json"
        told = decode_file(path, _File, what="a checkpoint", remedy=REMEDY, error=CheckpointError)
    except FileNotFoundError:
        hint = did_you_mean(path.name, [p.name for p in path.parent.glob("*.json")])
        raise CheckpointError(f"{path}: no such checkpoint{hint}") from None
    except (OSError, ValueError) as error:  # a name that no file can have
        raise CheckpointError(f"{str(path)!r:.200}: no such checkpoint: {error}") from None
    if told.format != FORMAT:
        found = f"of format {told.format}; this version of nsreason reads format {FORMAT}"
        raise CheckpointError(f"{path}: {found}")
    tensors = _read_tensors(path.parent / Path(told.tensors.file).name, told.tensors, path.name)
    state = told.state | {"optimizer": told.optimizer, "step": told.step}
    return Checkpoint(path, told.model, told.config, state, tensors)


REMEDY = "copy both files again, or take another checkpoint of the run"


def _read_tensors(file: Path, told: _Tensors, name: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint.

    Raises:
        CheckpointError: the file is missing, or is not the one that was written.
    """
    try:
        size = file.stat().st_size
        if size != told.bytes:
            raise CheckpointError(f"{file}: {size} bytes, expected {told.bytes}; {REMEDY}")
        if told.crc32 is not None and _checksum(file) != told.crc32:
            raise CheckpointError(f"{file}: the tensors of {name} cannot be read: their checksum differs; {REMEDY}")
        tensors: dict[str, Tensor] = load_file(file)
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{str(file)!r:.200}: the tensors of {name} cannot be read: {error}; {REMEDY}") from None
    if told.half:
        tensors = {k: t.float() if t.dtype == torch.float16 else t for k, t in tensors.items()}
    return tensors


class _Tensors(msgspec.Struct):
    file: str
    bytes: Count
    half: bool = False  # weights stand in float16 and are computed with in float32: see `save_half`
    crc32: Count | None = None  # of the file; former versions told none


class _File(msgspec.Struct):
    format: int
    model: str
    config: dict[str, Any]
    step: Count
    state: dict[str, Any]
    tensors: _Tensors
    optimizer: OptimizerRecord | None = None

    def __post_init__(self) -> None:
        check_plain(self.config, "config")
        check_plain(self.state, "state")


def config_data(model: nn.Module) -> dict[str, Any]:
    """The model's settings as plain data."""
    config = getattr(model, "config", None)
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise CheckpointError(f"{type(model).__name__}: its config is not a dataclass, but {config!r:.60}")
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return plain


def differences(saved: Any, here: Any, path: str = "") -> list[str]:
    """What differs between two pieces of plain data, one line each: `dim: 64 in the checkpoint, 128 here`."""
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
    found = differences(checkpoint.config, config_data(model), "model_config")
    if found:
        raise CheckpointError(f"{checkpoint.path}: the model is set up differently: {some(found, '; ')}")


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

    def fixed(told: Mapping[str, Any]) -> dict[str, Any]:
        training = told.get("training")
        if not isinstance(training, Mapping):
            raise CheckpointError(f"{checkpoint.path}: its recipe has no table 'training'; {REMEDY}")
        kept = {k: v for k, v in training.items() if k not in _MAY_CHANGE}
        return {"training": kept, "curriculum": told.get("curriculum", "nothing")}

    began = checkpoint.state.get("recipe")
    if not isinstance(began, Mapping):
        raise CheckpointError(f"{checkpoint.path}: holds no recipe; {REMEDY}")
    found = differences(fixed(began), fixed(recipe))
    if found:
        hint = "resume it with its own recipe, or begin in another folder"
        raise CheckpointError(f"{checkpoint.path}: the run began with another recipe: {some(found, '; ')}; {hint}")


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


def shape(tensor: Tensor) -> str:
    """A tensor's kind and shape, as messages have them: `float32[8, 4]`."""
    return f"{str(tensor.dtype).removeprefix('torch.')}[{', '.join(map(str, tensor.shape))}]"


def some(names: list[str], separator: str = ", ") -> str:
    """The first names of a list, and how many more there are."""
    more = len(names) - _SHOWN
    return separator.join(names[:_SHOWN]) + (f"{separator}and {more} more" if more > 0 else "")


def load_model(path: str | Path, name: str | None = None, *, trust: bool = False) -> Any:
    """The model of a checkpoint, built from its settings, with its weights, ready to answer (`eval()`).

    Args:
        name: of the model that is expected.
        trust: let the checkpoint name a model that is none of `training.model.MODELS`, as `module:Class`: the
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
