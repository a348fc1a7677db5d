"""Ctrl-C and SIGTERM during a run: the first one ends it after the step at hand, a second one at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def stop_signals(request_stop: Callable[[int], bool]) -> Iterator[None]:
    """Handle both signals while the context lasts; in other threads than the main one, do nothing.

    Args:
        request_stop: called with the number of a signal; returns whether it is the first one.

    Raises:
        KeyboardInterrupt, SystemExit(143): at a second signal.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        if not request_stop(number):
            raise SystemExit(128 + number) if number == signal.SIGTERM else KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
