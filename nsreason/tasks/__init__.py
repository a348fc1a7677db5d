"""Data sets as queries, to learn from and to be tested on.

    from nsreason.tasks import make_task

    task = make_task("clevr", {"test": 0.2})
    split = task.load("data/clevr")
    split.train, split.valid, split.test          # lists of Query

A task is a frozen dataclass of its settings with one method, `load`. `nsreason.registry.TASKS` names them; your own is
given as `module:Class`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from ..data.splits import HoldOut, Split
    from .task import Task, make_task, task_class

__all__ = [
    "HoldOut",
    "Split",
    "Task",
    "make_task",
    "task_class",
]

__getattr__ = lazy_names(
    __name__,
    {
        "..data.splits": (
            "HoldOut",
            "Split",
        ),
        ".task": (
            "Task",
            "make_task",
            "task_class",
        ),
    },
)
