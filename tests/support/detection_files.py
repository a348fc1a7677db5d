"""Detections and their files, made for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nsreason.perception.detections.detections import Detections


def make(
    boxes: list[list[float]], scores: list[float] | None = None, labels: list[int] | None = None, **more: Any
) -> Detections:
    """Detections of one image of 40 x 30."""
    n = len(boxes)
    return Detections(
        more.pop("image", "a.png"),
        more.pop("size", (40, 30)),
        np.asarray(boxes, np.float32).reshape(-1, 4),
        np.asarray([1.0] * n if scores is None else scores, np.float32),
        np.asarray([1] * n if labels is None else labels, np.int64),
        **more,
    )


def write(folder: Path, content: Any, name: str = "file.json") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path
