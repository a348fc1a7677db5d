"""What commands print: results on standard output, errors on standard error, JSON where it was asked for.

Colours only where a terminal shows them (rich decides: NO_COLOR and dumb terminals have none); rich is imported for
terminals alone, so that a pipe does not wait for it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import IO, TYPE_CHECKING

from ..errors import NsreasonError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

PIPE_WIDTH = 100  # columns of tables and trees that no terminal limits


@dataclass
class Level:
    """How much is told beside the result: less with --quiet and --json, more with --verbose."""

    quiet: bool = False
    verbose: bool = False

    def begin(self, *, quiet: bool) -> None:
        """Another command."""
        self.quiet, self.verbose = quiet, False


level = Level()  # of the command that runs


class UsageError(NsreasonError):
    """Options that do not go together, or an argument that is missing."""


def on_terminal(stream: IO[str]) -> bool:
    """Whether a person sees the stream as it is written (or FORCE_COLOR says to write as if)."""
    return stream.isatty() or bool(os.environ.get("FORCE_COLOR"))


def width(stream: IO[str] | None = None) -> int:
    """The columns that a stream has: those of its terminal, those that COLUMNS says, or PIPE_WIDTH."""
    stream = stream or sys.stdout
    if stream.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
    return PIPE_WIDTH


def console(stream: IO[str] | None = None) -> Console:
    """A rich console for tables, as wide as `width` says."""
    from rich.console import Console

    stream = stream or sys.stdout
    return Console(file=stream, width=width(stream), highlight=False)


def put(text: str | Text) -> None:
    """A result for people, on standard output."""
    if isinstance(text, str):
        sys.stdout.write(text + "\n")
    else:
        console().print(text, soft_wrap=True)


def headed(title: str, lines: Iterable[str]) -> Text:
    """Lines under a title, indented as the help is."""
    from rich.text import Text

    text = Text(f" {title}", "bold", no_wrap=True)
    for line in lines:
        text.append("\n " + line.replace("\n", "\n "), "not bold")
    return text


def put_table(table: RenderableType) -> None:
    """A table on standard output."""
    console().print(table)


def put_json(record: Mapping[str, object]) -> None:
    """One JSON object, on one line of standard output."""
    sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")


def note(text: str) -> None:
    """What the reader has to know beside the result, such as input that was left out, on standard error."""
    sys.stderr.write(text + "\n")


def remark(text: str) -> None:
    """What is good to know beside the result, on standard error; nothing with --quiet or --json."""
    if not level.quiet:
        note(text)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Tell with --verbose what was done and how long it took."""
    began = perf_counter()
    yield
    if level.verbose:
        note(f"{what}, {perf_counter() - began:.2f} s")


class _Notes(logging.Handler):
    """What the package logs, as remarks."""

    def emit(self, record: logging.LogRecord) -> None:
        remark(record.getMessage())


@contextmanager
def notes() -> Iterator[None]:
    """While a command runs, what the package logs (such as a precision that it chose) stands on standard error."""
    logger, handler = logging.getLogger("nsreason"), _Notes(logging.INFO)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def complain(message: str, *, label: str = "error") -> None:
    """An error for people, on standard error: a caret stays under its word on a narrow terminal."""
    stream = sys.stderr
    if not on_terminal(stream):
        stream.write(f"{label}: {message}\n")
        return
    from rich.text import Text

    lines = fitted(f"{label}: {message}".split("\n"), width(stream))
    text = Text(no_wrap=True)
    for i, line in enumerate(lines):
        if i == 0:
            text.append(line[: len(label) + 1], "bold red")
            text.append(line[len(label) + 1 :], "bold")
        else:
            text.append("\n" + line, "bold red" if line.strip() == "^" else "")
    console(stream).print(text, soft_wrap=True)


def fitted(lines: list[str], room: int) -> list[str]:
    """Lines of an error, none longer than `room`: a line with a caret under it is cut, others are wrapped."""
    out: list[str] = []
    for i, line in enumerate(lines):
        below = lines[i + 1] if i + 1 < len(lines) else ""
        if below.strip() == "^":
            cut, caret = _cut_around(line, below.index("^"), room)
            out += [cut, " " * caret + "^"]
        elif line.strip() != "^" or i == 0:
            indent = " " * (len(line) - len(line.lstrip()) + (4 if i else 7))
            out += textwrap.wrap(line, max(room, 20), subsequent_indent=indent, break_on_hyphens=False) or [""]
    return out


def _cut_around(line: str, caret: int, room: int) -> tuple[str, int]:
    """What of a line fits, with the caret's place in it."""
    if len(line) <= room:
        return line, caret
    room = max(room, 20)
    start = min(max(0, caret - room // 2), max(0, len(line) + 1 - room))
    cut = line[start : start + room]
    if start:
        cut = "…" + cut[1:]
    if start + room < len(line):
        cut = cut[:-1] + "…"
    return cut, caret - start


def report(error: NsreasonError, as_json: bool, about: Mapping[str, object] | None = None) -> int:
    """Print an error where and how it was asked for; returns the exit code.

    Args:
        about: what the error is about (`line`, `question`), for the JSON object.
    """
    about = about or {}
    if as_json:
        put_json({**about, "error": error.record()})
        return error.exit_code
    line = about.get("line")
    label = ("no answer" if error.exit_code == 1 else "error") + (f" in line {line}" if line is not None else "")
    message = str(error) if line is None else str(error).removeprefix("line 1, ")  # its own, of a single line
    complain(message, label=label)
    return error.exit_code
