"""How far a command is, on standard error: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from . import output

Progress = Callable[[int, int | None], None]
EVERY = 30.0  # seconds between two lines where nobody looks


@contextmanager
def counted(doing: str, unit: str, total: int | None = None) -> Iterator[Progress | None]:
    """Progress by a number of finished things; nothing with --quiet.

    Args:
        doing: `making`. unit: `scenes`.
        total: how many there are, where that is known before the first is finished.
    """
    if output.level.quiet:
        yield None
        return
    if not sys.stderr.isatty():
        yield _lines(doing, unit, total)
        return
    from rich import progress as rich

    columns = (
        rich.TextColumn(doing),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn(unit),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=output.console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, known: bar.update(task, completed=done, total=known if known is not None else total)


def _lines(doing: str, unit: str, total: int | None) -> Progress:
    """A line now and then; a command that is soon done writes none."""
    last = perf_counter()

    def told(done: int, known: int | None) -> None:
        nonlocal last
        if perf_counter() - last >= EVERY:
            last = perf_counter()
            every = total if known is None else known
            output.note(f"{doing}: {done:,}{'' if every is None else f' of {every:,}'} {unit}")

    return told


@contextmanager
def training() -> Iterator[Callable[[Any], None] | None]:
    """Progress of a training run: a bar on a terminal, a line an epoch elsewhere; nothing with --quiet."""
    if output.level.quiet:
        yield None
        return
    if sys.stderr.isatty():
        from ..training.run_log import progress_bar

        with progress_bar() as progress:
            yield progress
        return
    last: Any = None

    def told(status: Any) -> None:
        nonlocal last
        if last is not None and status.epoch > last.epoch:
            _epoch(last)
        last = status

    try:
        yield told
    finally:
        if last is not None:
            _epoch(last)


def _epoch(status: Any) -> None:
    """A line for an epoch whose last step this was."""
    loss = f", loss {status.loss:.4g}" if math.isfinite(status.loss) else ""
    where = f"epoch {status.epoch} of {status.epochs}, step {status.step:,} of {status.steps:,}"
    output.note(f"{where}{loss}, {status.seconds:.0f} s")
    sys.stderr.flush()
