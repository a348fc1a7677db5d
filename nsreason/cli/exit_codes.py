"""How a command ends: typed errors become a message and an exit code, never a traceback.

Exit codes: 0 answered; 1 a sound question that has no answer on this scene, or a comparison in which a reasoner failed;
2 bad input; 130 interrupted; 141 nobody reads the output any more (`nsreason ops | head -1`), which is what a shell
says of a program that SIGPIPE ended; 143 ended by SIGTERM, for which `train` writes a checkpoint first.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from ..errors import NsreasonError, NsreasonWarning
from . import output

ANSWERED, BAD_INPUT, INTERRUPTED, CLOSED_PIPE = 0, 2, 130, 141


class ClosedPipe(Exception):  # noqa: N818 - nothing is wrong
    """Nobody reads our standard output any more."""


def ended(run: Callable[[], Any], *, as_json: bool) -> int:
    """Run a command; returns its exit code."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", NsreasonWarning)
            warnings.showwarning = _shown(warnings.showwarning)
            code = run()
        sys.stdout.flush()
    except NsreasonError as error:
        return output.report(error, as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BrokenPipeError, ClosedPipe):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at exit
        return CLOSED_PIPE
    except OSError as error:
        output.complain(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        return BAD_INPUT
    return code if isinstance(code, int) else ANSWERED


def _shown(otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """Our own warnings are for whoever runs the command: without a line of our source. Others stay as they are."""

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, NsreasonWarning):
            output.note(f"warning: {message}")
        else:
            otherwise(message, category, *where, **more)

    return show
