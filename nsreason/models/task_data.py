"""A recipe's `[data]` for models of queries: a task, whose folder gives the queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.splits import Split
from ..errors import DataError
from ..queries.query import Query
from ..tasks.task import make_task


@dataclass(frozen=True)
class TaskData:
    """A recipe's `[data]`; all queries of the task are used."""

    task: str
    """A name of `nsreason.registry.TASKS`, or `module:Class`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the task, checked against its class."""

    def load(self, config: Any, folder: str | Path) -> Split[list[Query]]:
        """Load the queries of a folder.

        Raises:
            DataError: the folder lacks a file, or has nothing to learn from.
            RecipeError: there is no such task, or it has no such setting.
        """
        split: Split[list[Query]] = make_task(self.task, self.settings).load(folder)
        if not split.train:
            raise DataError(f"{folder}: no question to learn from")
        return split
