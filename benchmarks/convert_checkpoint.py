"""Convert a checkpoint of a former version: one file, present names of settings, the same tensors to the bit.

    python -m benchmarks.convert_checkpoint runs/a/best.json runs/a/best.safetensors

A former checkpoint is a JSON file that names a file of tensors beside it, or one file whose settings have former names.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from nsreason.errors import CheckpointError, NsreasonError
from nsreason.training.checkpoint import load_model
from nsreason.training.checkpoint_file import SUFFIX, read_file, write_file

NETWORKS = ("cnn-lstm", "cnn-lstm-sa", "cnn-mlp", "lstm", "mlp", "question-type", "relation-network")
_NETWORK_FIELDS = {
    "exchange": "permute_columns",
    "mirror": "sign_flip",
    "turn": "rotate",
    "shift": "translate",
    "sees": "input",
}
RENAMED_FIELDS: dict[str, dict[str, str]] = {
    **dict.fromkeys(NETWORKS, _NETWORK_FIELDS),
    "concept-learner": {"regions.mirror": "flip"},
    "scene-parser": {
        "jitter.shift": "translate",
        "jitter.zoom": "scale",
        "jitter.hide": "occlude",
        "jitter": "augmentation",
    },
}
"""Model -> dotted names of its settings, former to present."""
RENAMED_VALUES: dict[str, dict[str, dict[Any, Any]]] = {name: {"input": {"picture": "image"}} for name in NETWORKS}
"""Model -> setting, by its present name -> former to present value."""
RENAMED_TENSORS: dict[str, dict[str, str]] = {
    name: {"answerer.see.": "head.project.", "answerer.": "head."} for name in NETWORKS
}
"""Model -> beginnings of names of parameters and buffers, former to present."""


def renamed_config(model: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's settings under their present names."""
    new: dict[str, Any] = json.loads(json.dumps(config))
    for former, present in RENAMED_FIELDS.get(model, {}).items():
        *outer, key = former.split(".")
        table = new
        for part in outer:
            table = table.get(part, {})
        if key in table:
            renamed = {present if k == key else k: v for k, v in table.items()}
            table.clear()
            table.update(renamed)
    for key, values in RENAMED_VALUES.get(model, {}).items():
        if isinstance(new.get(key), str):
            new[key] = values.get(new[key], new[key])
    return new


def renamed_parameter(model: str, name: str) -> str:
    """Return the present name of a parameter or buffer."""
    for former, present in RENAMED_TENSORS.get(model, {}).items():
        if name.startswith(former):
            return present + name.removeprefix(former)
    return name


def renamed_tensor(model: str, name: str) -> str:
    """Return the present name of a tensor of a checkpoint, `model/...` or `optimizer/...`."""
    part, slash, rest = name.partition("/")
    return part + slash + (renamed_parameter(model, rest) if part in ("model", "optimizer") else rest)


def read_two_files(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a checkpoint of a JSON file and a file of tensors, as format 1 was.

    Raises:
        CheckpointError: one of them is missing or damaged.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        entry = record.pop("tensors")
        file = path.parent / Path(entry["file"]).name
        data = file.read_bytes()
        if len(data) != entry["bytes"] or zlib.crc32(data) != (entry.get("crc32") or zlib.crc32(data)):
            raise CheckpointError(f"{file}: is not the file of tensors that {path.name} names; copy both again")
        if record.pop("format") != 1:
            raise CheckpointError(f"{path}: not of format 1")
        record["half"] = entry.get("half", False)
        return record, load_file(file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a checkpoint of two files: {type(error).__name__}: {error}") from None


def read_one_file(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a checkpoint of one file.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    record, tensors = read_file(path)
    names = ("model", "config", "step", "state", "optimizer", "half")
    return {name: getattr(record, name) for name in names if getattr(record, name) is not None}, tensors


def convert(old: Path, new: Path) -> None:
    """Write a checkpoint of a former version as one of this version, in one file.

    Raises:
        CheckpointError: the old one is missing or damaged, or the new one cannot be written.
    """
    record, tensors = read_one_file(old) if old.suffix == SUFFIX else read_two_files(old)
    model = record["model"]
    record["config"] = renamed_config(model, record["config"])
    recipe = record.get("state", {}).get("recipe")
    if isinstance(recipe, dict) and isinstance(recipe.get("model_config"), dict):
        recipe["model_config"] = renamed_config(model, recipe["model_config"])
    optimizer = record.get("optimizer")
    if isinstance(optimizer, dict):
        optimizer["parameters"] = [renamed_parameter(model, name) for name in optimizer["parameters"]]
        optimizer["rest"] = {renamed_parameter(model, name): rest for name, rest in optimizer["rest"].items()}
    try:
        write_file(new, {renamed_tensor(model, name): tensor for name, tensor in tensors.items()}, record)
    except OSError as error:
        raise CheckpointError(f"{new}: cannot be written: {error.strerror or error}") from None


def main(arguments: list[str] | None = None) -> int:
    """Convert one checkpoint, and load its model unless that is one of a user's own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.convert_checkpoint", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("old", type=Path, help="NAME.json of two files, or NAME.safetensors with former names")
    parser.add_argument("new", type=Path, help="NAME.safetensors; may be the old one")
    options = parser.parse_args(arguments)
    try:
        convert(options.old, options.new)
        if ":" not in read_file(options.new)[0].model:
            load_model(options.new)
    except NsreasonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.new}: {options.new.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
