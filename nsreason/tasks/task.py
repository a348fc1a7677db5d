"""Tasks: the protocol, the splits, and how a task is found by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ..data.splits import Split
from ..errors import RecipeError
from ..queries.query import Query
from ..queries.scoring import make_metrics
from ..registry import TASKS, named

DEFAULT_METRICS = ("accuracy",)


class Task(Protocol):
    """Settings of a data set's task. It may have an attribute `metrics`, names of `nsreason.registry.METRICS`, by which
    its replies are scored; without one they are scored by accuracy.
    """

    @property
    def recipes(self) -> dict[str, str]:
        """For networks: what they look at (`rows`, `image`), the usual first -> a recipe."""

    def load(self, folder: str | Path, /) -> Split[list[Query]]:
        """The queries of a folder.

        Raises:
            DataError: it lacks a file, or nothing in it can be used.
        """


def task_class(name: str) -> type[Any]:
    """The class of a task, by its name in `TASKS` or, for one's own, as `module:Class`.

    Raises:
        RecipeError: there is no such task.
    """
    task: type[Any] = named("task", name, TASKS)
    return task


def make_task(name: str, settings: Mapping[str, Any] | None = None) -> Any:
    """A task with settings as a recipe or the command line gives them.

    Raises:
        RecipeError: there is no such task, or it has no such setting.
    """
    from ..io.settings import to_dataclass

    try:
        return to_dataclass(settings or {}, task_class(name), f"task.{name}")
    except ValueError as error:
        raise RecipeError(f"task.{name}: {error}") from None


def task_metrics(task: Any) -> tuple[str, ...]:
    """The names of a task's metrics.

    Raises:
        RecipeError: one of them is no metric.
    """
    names = tuple(getattr(task, "metrics", DEFAULT_METRICS))
    make_metrics(names)
    return names
