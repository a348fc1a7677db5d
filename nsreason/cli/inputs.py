"""What commands read: questions and programs from arguments, files and standard input, and the scene to ask.

Several inputs are handled one by one. A bad one is reported and the others go on; the exit code is then the worst.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..errors import DataError, NsreasonError
from . import output

if TYPE_CHECKING:
    from rich.text import Text

    from ..dsl.domain import Domain
    from ..scenes.scene import Scene


class Line(NamedTuple):
    """One input: its text, its line in what was read (None for an argument), and why it is no text."""

    text: str
    number: int | None = None
    fault: DataError | None = None


@dataclass
class Outcome:
    """What an input came to: for people, for programs, and why there is no answer where there is none."""

    text: str | Text
    record: Mapping[str, object]
    error: NsreasonError | None = None
    explained: bool = False
    """Whether the text says the error already."""


def each(lines: Iterable[Line], run: Callable[[str], Outcome], *, as_json: bool, what: str) -> int:
    """Run all inputs and print what they came to; returns the worst exit code.

    Args:
        what: what an input is, `question` or `program`: its key in the JSON object of an error.

    Raises:
        DataError: there is no input at all.
    """
    worst, seen = 0, False
    for line in lines:
        seen = True
        about: dict[str, object] = {} if line.number is None else {"line": line.number}
        try:
            if line.fault is not None:
                raise line.fault
            outcome = run(line.text)
        except NsreasonError as error:
            worst = max(worst, output.report(error, as_json, {**about, what: line.text}))
            continue
        if as_json:
            failure = {} if outcome.error is None else {"error": outcome.error.record()}
            output.put_json({**about, **outcome.record, **failure})
        else:
            if outcome.text:
                output.put(outcome.text)
            if outcome.error is not None and not outcome.explained:
                sys.stdout.flush()  # so that the error comes after what it is about
                output.report(outcome.error, False, about)
        if outcome.error is not None:
            worst = max(worst, outcome.error.exit_code)
        sys.stdout.flush()  # whoever writes us one line waits for one line
    if not seen:
        raise DataError(f"there is no {what} on standard input")
    return worst


def question_lines(given: Sequence[str]) -> Iterable[Line]:
    """The questions of a command line: its arguments, or the lines of standard input.

    Words that came without quotes are one question.
    """
    if not given or list(given) == ["-"]:
        return stdin_lines("questions")
    if len(given) > 1 and not any(" " in text.strip() for text in given):
        given = [" ".join(given)]
    return [Line(text) for text in given]


def stdin_lines(what: str) -> Iterator[Line]:
    """The lines of standard input that are not blank."""
    if sys.stdin is None:  # closed by `<&-`
        return
    if sys.stdin.isatty():
        output.note(f"Type {what}, one a line. Ctrl-D ends.")
    for number, raw in enumerate(sys.stdin.buffer, 1):
        yield from _line(raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw, number)


def _line(raw: bytes, number: int) -> Iterator[Line]:
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        fault = DataError(f"not UTF-8: byte 0x{raw[error.start]:02x} at column {error.start + 1}")
        yield Line(raw.decode("utf-8", "replace").strip(), number, fault)
        return
    if text:
        yield Line(text, number)


def program_lines(given: str, lines: bool) -> Iterator[Line]:
    """The program of a command line, from the argument, a file or standard input; or one for each line.

    Raises:
        DataError: the file cannot be read or is not UTF-8.
    """
    if given == "-" and lines:
        yield from stdin_lines("programs")
        return
    data = given.encode("utf-8", "surrogateescape")
    if given == "-" or given.startswith("@"):
        data = read(given.removeprefix("@"))
    if lines:
        for number, raw in enumerate(data.splitlines(), 1):
            yield from _line(raw, number)
        return
    try:
        yield Line(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        where = "standard input" if given == "-" else given.removeprefix("@")
        raise DataError(f"{where}: not UTF-8: byte 0x{data[error.start]:02x} at {error.start}") from None


def one_stdin(*paths: str) -> None:
    """Raise UsageError when two things are to come from standard input."""
    if paths.count("-") > 1:
        raise output.UsageError("only one thing can be read from standard input")


def read(path: str) -> bytes:
    """The bytes of a file; `-` is standard input.

    Raises:
        DataError: it cannot be read.
    """
    from ..io.files import read_bytes

    return bytes(memoryview(read_bytes(path)))


def the_scene(path: str, domain: Domain, index: int | None, image: str | None) -> Scene:
    """The scene that a command line names.

    Raises:
        DataError: the file cannot be read, or it does not say which of several scenes is meant.
        SceneError: the only scene is not valid.
    """
    from ..data.scenes import load_scenes

    with output.step(f"read {path}"):
        scenes = load_scenes(path, domain)
    if index is None and image is None:
        if len(scenes) == 1 and not scenes.bad:
            return scenes.scenes[0]
        if scenes.bad and not scenes.scenes:
            raise scenes.bad[0].error
        known = [s.index for s in scenes if s.index is not None]
        between = f", {min(known)} to {max(known)}" if known else ""
        many = f"{len(scenes) + len(scenes.bad):,} scenes" if scenes.scenes else "no scene"
        raise DataError(f"{path} holds {many}; choose one with --index (image_index{between}) or --image")
    try:
        return scenes.scenes[scenes.place(index, image)]
    except DataError as error:
        if not scenes.bad:
            raise
        raise DataError(f"{error}\n    the first that is not valid: {scenes.bad[0].error}") from None
