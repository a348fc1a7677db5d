"""How far a long call is: the callback that counts, and the bar that a terminal shows.

with progress_bar("images") as bar:
    bar.show(3, 10, label="looking at")
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

CountProgress = Callable[[int, int | None], None]
"""Called with the number of finished things, and of all where that is known."""


class ProgressBar:
    """A bar on a terminal; `progress_bar` opens one."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def begin(self, label: str = "", *, done: int = 0, total: int | None = None) -> None:
        """Begin anew: the speed is counted from here on, without what is done already."""
        self._progress.reset(self._task, description=label, completed=done, total=total, detail="")

    def show(self, done: int, total: int | None, *, label: str | None = None, detail: str = "") -> None:
        """Show how many things are done, of how many where that is known."""
        self._progress.update(self._task, completed=done, total=total, description=label, detail=detail)


@contextmanager
def progress_bar(unit: str, *, console: Console | None = None, transient: bool = False) -> Iterator[ProgressBar]:
    """Open a bar with the time left; it is drawn on a terminal only.

    Args:
        unit: what is counted, such as `images`.
        console: where; standard error if not given.
        transient: whether the bar is removed at the end.
    """
    from rich import progress as rich
    from rich.console import Console

    console = console or Console(file=sys.stderr)
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn(unit),
        rich.TimeRemainingColumn(),
        rich.TextColumn("{task.fields[detail]}"),
    )
    with rich.Progress(*columns, console=console, transient=transient, disable=not console.is_terminal) as progress:
        yield ProgressBar(progress, progress.add_task("", total=None, detail=""))
