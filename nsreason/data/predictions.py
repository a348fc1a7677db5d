"""Prediction files: one JSON line a question, and the journal through which a long run can be taken up again.

While a run is going on, its lines are in `<file>.partial`, after a header that says of which inputs and
options they are. When it has ended they become the file itself, without the header, at once.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal

import msgspec

from ..errors import DataError
from ..files import atomic_write

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
        self._file: IO[bytes]
        if self.path.is_dir():
            raise DataError(f"{path}: cannot be written: it is a folder")
        try:
            if resume and self.partial.exists():
                self._file = self.partial.open("r+b")
                self._check_header()
            else:
                self._file = self.partial.open("w+b")
                self._file.write(msgspec.json.encode(_Header(self._run)) + b"\n")
        except OSError as error:
            raise DataError(f"{self.partial}: cannot be written: {error.strerror or error}") from None

    def _check_header(self) -> None:
        line = self._file.readline()
        try:
            found = _header(line).run
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._file.close()
            raise DataError(f"{self.partial}: not a partial prediction file; start anew") from None
        other = sorted(k for k in {*found, *self._run} if found.get(k) != self._run.get(k))
        if other:
            self._file.close()
            raise DataError(
                f"{self.partial}: was begun with other {', '.join(other)}; "
                "give the same, or start anew without resume"
            )

    def replay(self, take: Callable[[Prediction], None], *, most: int | None = None) -> int:
        """Hand the lines that are there to `take`, and return how many.

        What follows a line that was half written is dropped.
        """
        done, good = 0, self._file.tell()
        while most is None or done < most:
            line = self._file.readline()
            if not line.endswith(b"\n"):
                break
            try:
                told = _prediction(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                break
            take(told)
            done, good = done + 1, self._file.tell()
        self._file.seek(good)
        self._file.truncate()
        return done

    def write(self, lines: bytes) -> None:
        """Append finished lines.

        Raises:
            DataError: the disk is full.
        """
        try:
            self._file.write(lines)
            self._file.flush()
        except OSError as error:
            raise DataError(f"{self.partial}: cannot be written: {error.strerror or error}") from None

    def finish(self) -> None:
        """Put the lines under the file's own name, and remove the partial file.

        Raises:
            DataError: the file cannot be written.
        """
        self._file.seek(0)
        self._file.readline()
        with atomic_write(self.path) as file:
            shutil.copyfileobj(self._file, file, 1 << 20)
        self._file.close()
        self.partial.unlink()

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
