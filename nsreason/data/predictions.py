"""Prediction files: one JSON line a question, and the journal through which a long run can be taken up again.

While a run is going on, its lines are in `<file>.partial`, after a header that says of which inputs and
options they are. Each line there begins with a checksum of its number and its text, so that a damaged, lost or
repeated line is found when the run is taken up again. When it has ended they become the file itself, without header
and checksums, at once.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal

import msgspec

from ..errors import DataError
from ..io.files import atomic_write, sweep

Status = Literal["right", "wrong", "skipped", "unscored", "bad"]


class Prediction(msgspec.Struct):
    """One line of a prediction file.

    Attributes:
        type, op: the question's type, and the data set's name of its last op; None when its program is not
            known.
        answer: the reference, or None.
        prediction: what was answered, or None.
        correct: whether the two agree; None when the question is not scored.
        status: `right` or `wrong`; `skipped` (no answer, left out), `unscored` (no reference), `bad` (not
            usable).
        program_match: whether the parsed program is equivalent to the given one; None where there are not
            two.
        error: why there is no exact answer, or what is wrong with the record; None where all is well.
    """

    question_index: int
    status: Status
    image_index: int | None = None
    type: str | None = None
    op: str | None = None
    answer: str | None = None
    prediction: str | None = None
    correct: bool | None = None
    program_match: bool | None = None
    error: dict[str, Any] | None = None


class _Header(msgspec.Struct, tag_field="journal", tag="nsreason predictions"):
    run: dict[str, Any]


_prediction = msgspec.json.Decoder(Prediction).decode
_header = msgspec.json.Decoder(_Header).decode
_DAMAGE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)


def _sealed(line: bytes, number: int) -> bytes:
    """A line with its checksum before it; the number makes a line at another place another one."""
    return b"%08x %d %b" % (zlib.crc32(b"%d " % number + line), number, line)


def _opened(line: bytes, number: int) -> bytes | None:
    """The text of a sealed line; None if it is damaged, half written, or of another place."""
    _, _, rest = line.partition(b" ")
    _, _, text = rest.partition(b" ")
    return text if text.endswith(b"\n") and _sealed(text, number) == line else None


class Journal:
    """The prediction file of one run, as it grows.

        with Journal("predictions.jsonl", run, resume=True) as journal:
            done = journal.replay(report.add)
            journal.write(lines)
            journal.finish()

    Without `finish` (an error, an interrupt) the lines stay in `<file>.partial` for a later `resume`.
    """

    def __init__(self, path: str | Path, run: Mapping[str, object], *, resume: bool = False) -> None:
        """Open or continue the journal.

        Raises:
            DataError: the file cannot be written, or the partial file is of a run with other inputs or
            options.
        """
        self.path = Path(path)
        self.partial = Path(f"{path}.partial")
        self._run = msgspec.json.decode(msgspec.json.encode(dict(run)))
        self._head = _sealed(msgspec.json.encode(_Header(self._run)) + b"\n", 0)
        self._lines = 0  # in the file, after the header
        self._file: IO[bytes]
        try:
            if self.path.is_dir():
                raise DataError(f"{path}: cannot be written: it is a folder")
            if resume and self.partial.exists():
                self._file = self.partial.open("r+b")
                self._check_header()
            else:
                self._file = self.partial.open("w+b")
                self._begin()
            sweep(self.path.parent, self.path.name)
        except OSError as error:
            raise DataError(f"{self.partial}: cannot be written: {error.strerror or error}") from None
        except ValueError as error:  # a name with a null character
            raise DataError(f"{path}: cannot be written: {error}") from None

    def _begin(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.write(self._head)
        self._file.flush()

    def _check_header(self) -> None:
        line = self._file.readline()
        if not line.endswith(b"\n") and self._head.startswith(line):
            self._begin()  # the run was killed before its header was whole: there is no line to lose
            return
        text = _opened(line, 0)
        try:
            if text is None:
                raise msgspec.DecodeError
            former_run = _header(text).run
        except _DAMAGE:
            self._file.close()
            raise DataError(f"{self.partial}: not a partial prediction file; start anew without resume") from None
        other = sorted(k for k in {*former_run, *self._run} if former_run.get(k) != self._run.get(k))
        if other:
            self._file.close()
            raise DataError(
                f"{self.partial}: was begun with other {', '.join(other)}; give the same, or start anew without resume"
            )

    def replay(self, take: Callable[[Prediction], None], *, most: int | None = None) -> int:
        """Hand the lines that are there to `take`, and return how many.

        From the first line on that is damaged or half written, all are dropped, and answered anew.
        """
        good = self._file.tell()
        while most is None or self._lines < most:
            text = _opened(self._file.readline(), self._lines + 1)
            if text is None:
                break
            try:
                prediction = _prediction(text)
            except _DAMAGE:
                break
            take(prediction)
            self._lines, good = self._lines + 1, self._file.tell()
        self._file.seek(good)
        self._file.truncate()
        return self._lines

    def write(self, lines: bytes) -> None:
        """Append finished lines.

        Raises:
            DataError: the disk is full.
        """
        split_lines = lines.splitlines(keepends=True)
        try:
            self._file.writelines(_sealed(line, self._lines + n) for n, line in enumerate(split_lines, start=1))
            self._file.flush()
        except OSError as error:
            raise DataError(f"{self.partial}: cannot be written: {error.strerror or error}") from None
        self._lines += len(split_lines)

    def finish(self) -> None:
        """Put the lines under the file's own name, and remove the partial file.

        Raises:
            DataError: the file cannot be written, or the partial file was damaged meanwhile.
        """
        with atomic_write(self.path) as file:
            file.writelines(self._texts())
        self._file.close()
        self.partial.unlink()

    def _texts(self) -> Iterator[bytes]:
        """The lines without their checksums."""
        self._file.seek(0)
        self._file.readline()
        for number in range(1, self._lines + 1):
            text = _opened(self._file.readline(), number)
            if text is None:
                raise DataError(f"{self.partial}: line {number + 1} was damaged while the run went on; resume it")
            yield text

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class Stream:
    """The same for standard output, where nothing can be taken up again."""

    def replay(self, take: Callable[[Prediction], None], *, most: int | None = None) -> int:
        return 0

    def write(self, lines: bytes) -> None:
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()

    def finish(self) -> None:
        pass

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        pass
