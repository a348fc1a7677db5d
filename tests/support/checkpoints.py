"""Checkpoints changed as a test wants them, with a checksum that agrees, so that what is behind it is reached."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from nsreason.training.checkpoint_file import write_file


def record_of(path: Path) -> dict[str, Any]:
    """The JSON of a checkpoint's metadata."""
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    record: dict[str, Any] = json.loads(header["__metadata__"]["nsreason"])
    return record


def edit(
    path: Path,
    change: Callable[[dict[str, Any]], Any] | None = None,
    change_tensors: Callable[[dict[str, Tensor]], Any] | None = None,
) -> None:
    """Change the record or the tensors of a checkpoint in place."""
    record, tensors = record_of(path), {k: v.clone() for k, v in load_file(path).items()}
    if change is not None:
        change(record)
    if change_tensors is not None:
        change_tensors(tensors)
    record.pop("crc32")
    write_file(path, tensors, record)


def sealed(data: bytes) -> bytes:
    """The bytes of a checkpoint with the checksum that they have, if they begin as one does."""
    mark = b'\\"crc32\\":\\"'
    at = data.find(mark) + len(mark)
    if at < len(mark):
        return data
    crc = zlib.crc32(data[:at] + b"0" * 8 + data[at + 8 :])
    return data[:at] + f"{crc:08x}".encode() + data[at + 8 :]
