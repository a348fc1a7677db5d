"""Pretrained weights: state dicts from local files, read without executing what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError, did_you_mean


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict from a file of torchvision (`.pth`, `.pt`) or of safetensors; nothing in it is executed.

    Raises:
        CheckpointError: there is no such file, it is damaged, or it holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        near = did_you_mean(path.name, [p.name for p in path.parent.glob("*")]) if path.parent.is_dir() else ""
        raise CheckpointError(f"{path}: no such file of weights{near if 'did you' in near else ''}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        weights: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, zipfile, pickle and safetensors each raise their own
        hint = "a state dict is expected, as torch.save(model.state_dict(), file) writes it"
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: cannot be read as weights; {hint}: {reason:.200}") from None
    if isinstance(weights, Mapping) and isinstance(weights.get("model"), Mapping):
        weights = weights["model"]  # as torchvision's reference training saves it
    if not isinstance(weights, Mapping) or not all(isinstance(v, Tensor) for v in weights.values()):
        raise CheckpointError(f"{path}: holds a {type(weights).__name__}, not a state dict of tensors by name")
    return {str(k): v for k, v in weights.items()}
