"""How far a command is, on standard error: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from ..io.progress import CountProgress, progress_bar
from . import output

if TYPE_CHECKING:
    from ..comparison.comparer import RunProgress
    from ..training.run_log import Status, StepProgress

EVERY = 30.0  # seconds between two lines where nobody looks


@contextmanager
def counted(doing: str, unit: str, total: int | None = None) -> Iterator[CountProgress | None]:
    """Show the number of finished things; nothing with --quiet.

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
    with progress_bar(unit, console=output.console(sys.stderr), transient=True) as bar:
        bar.begin(doing, total=total)
        yield lambda done, known: bar.show(done, known if known is not None else total)


def _lines(doing: str, unit: str, total: int | None) -> CountProgress:
    """Write a line now and then; a command that is soon done writes none."""
    last = perf_counter()

    def count(done: int, known: int | None) -> None:
        nonlocal last
        if perf_counter() - last >= EVERY:
            last = perf_counter()
            every = total if known is None else known
            output.note(f"{doing}: {done:,}{'' if every is None else f' of {every:,}'} {unit}")

    return count


@contextmanager
def training() -> Iterator[StepProgress | None]:
    """Show the steps of a training run: a bar on a terminal, a line an epoch elsewhere; nothing with --quiet."""
    if output.level.quiet:
        yield None
        return
    if sys.stderr.isatty():
        from ..training import run_log

        with run_log.progress_bar() as progress:
            yield progress
        return
    last: Status | None = None

    def step(status: Status) -> None:
        nonlocal last
        if last is not None and status.epoch > last.epoch:
            _epoch(last)
        last = status

    try:
        yield step
    finally:
        if last is not None:
            _epoch(last)


def _epoch(status: Status) -> None:
    """Write a line for an epoch whose last step this was."""
    loss = f", loss {status.loss:.4g}" if math.isfinite(status.loss) else ""
    where = f"epoch {status.epoch} of {status.epochs}, step {status.step:,} of {status.steps:,}"
    output.note(f"{where}{loss}, {status.seconds:.0f} s")
    sys.stderr.flush()


@contextmanager
def comparing() -> Iterator[RunProgress | None]:
    """Show the runs of a comparison: a bar on a terminal, a line for each run elsewhere; nothing with --quiet."""
    if output.level.quiet:
        yield None
        return
    if not sys.stderr.isatty():
        yield lambda title, status: output.note(title) if status is None else None
        return
    with progress_bar("steps", console=output.console(sys.stderr), transient=True) as bar:

        def show(title: str, status: Status | None) -> None:
            if status is None:
                bar.begin(title)
            else:
                bar.show(status.step, status.steps, label=title, detail=f"loss {status.loss:.3g}")

        yield show
