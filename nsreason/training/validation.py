"""Metrics of a model over held-out examples, in the middle of a run, and which of them are the best so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import TrainingError, did_you_mean
from .devices import Devices
from .model import Model
from .random_state import random_state, set_random_state
from .run_log import Meter, means
from .sampling import cut
from .settings import Training


def validate(model: Model[Any, Any], data: Sequence[Any], batch_size: int, devices: Devices) -> dict[str, float]:
    """Compute a model's metrics over all of `data`; the random numbers of training stay as they are.

    Args:
        model: a `torch.nn.Module`; it is in training mode again afterwards.
        batch_size: over all devices together.
    """
    assert isinstance(model, nn.Module)
    meter, state = Meter(), random_state(devices.device)
    model.eval()
    with torch.no_grad():
        for batch in cut(np.arange(len(data)), batch_size):
            own = batch[devices.rank :: devices.world].tolist()
            if own:
                with devices.precision():
                    out = model.loss(devices.move(model.collate([data[i] for i in own])))
                meter.add_batch(out)
    model.train()
    set_random_state(state, devices.device)
    return means(devices.total(meter.read()))


def best_value(metrics: Mapping[str, float], training: Training, former: float | None) -> float | None:
    """Return the value of the monitored metric if it is better than the former best one; None if it is not.

    Raises:
        TrainingError: there is no such metric.
    """
    name = training.monitor
    if name not in metrics:
        raise TrainingError(f"training.monitor: no metric '{name}'{did_you_mean(name, metrics)}")
    value = metrics[name]
    better = former is None or (value < former if training.mode == "min" else value > former)
    return value if better and math.isfinite(value) else None
