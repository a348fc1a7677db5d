"""What a network that answers by classes learns from: the queries of a task."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .baselines.neural import Neural, NeuralConfig, settled
from .errors import DataError
from .tasks import TaskSplit, make_task


@dataclass(frozen=True)
class NeuralData:
    """A recipe's `[data]`.

    task: its name in `nsreason.tasks.TASKS`, or `module:Class`.
    settings: of the task, checked against its class.
    """

    task: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def settle(self, config: NeuralConfig, folder: str | Path) -> NeuralConfig:
        """The model's settings, with the words and answers of what it is to learn from.

        Raises:
            DataError: the folder lacks a file, or has nothing to learn from.
            RecipeError: there is no such task, or it has no such setting.
        """
        return settled(config, _load(self, str(folder)).train)

    def load(self, model: Neural, folder: str | Path) -> TaskSplit:
        """The queries of a folder.

        Raises:
            DataError, RecipeError: as `settle`.
        """
        return _load(self, str(folder))

    def __hash__(self) -> int:
        return hash((self.task, repr(sorted(self.settings.items()))))


@functools.lru_cache(maxsize=1)  # settled first, then loaded
def _load(data: NeuralData, folder: str) -> TaskSplit:
    found: TaskSplit = make_task(data.task, data.settings).load(folder)
    if not found.train:
        raise DataError(f"{folder}: no question to learn from")
    return found
