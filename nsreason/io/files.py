"""Files as bytes: plain, gzipped or from standard input to read; whole or not at all to write.

A large file is mapped, not loaded, so that its pages can leave memory again; what must be unpacked first
goes through a temporary file for the same reason.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import mmap
import os
import re
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

import msgspec

from ..errors import DataError, did_you_mean
from .unpacking import CHUNK, Unpacking

Buffer = bytes | mmap.mmap

MAPPED_FROM = 8 << 20  # smaller files are simply loaded
_GZIP = b"\x1f\x8b"
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def read_bytes(path: str | Path) -> Buffer:
    """The contents of a file; `-` is standard input. Gzip, told by content and not by name, is unpacked.

    Raises:
        DataError: there is no such file, it cannot be read, or its gzip data are damaged or unpack to more than
            `unpacking` allows.
    """
    if str(path) == "-":
        return _spooled(sys.stdin.buffer, "standard input")
    try:
        with Path(path).open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe, as in `<(zcat ...)`
                return _spooled(file, str(path))
            start = file.read(2)
            file.seek(0)
            return _unpacked(file, str(path)) if start == _GZIP else _mapped(file)
    except FileNotFoundError:
        raise missing(Path(path)) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def missing(path: Path) -> DataError:
    """The error of a file that is not there, with the names like it in its folder."""
    return DataError(f"{path}: no such file{_near(path)}")


def _near(path: Path) -> str:
    try:
        names = [p.name for p in path.parent.iterdir()]
    except OSError:
        return f" (nor a folder {path.parent})"
    hint = did_you_mean(path.name, names)
    return hint if "did you mean" in hint else ""


def _mapped(file: BinaryIO | IO[bytes]) -> Buffer:
    if os.fstat(file.fileno()).st_size < MAPPED_FROM:
        return file.read()
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _spooled(stream: IO[bytes], name: str) -> Buffer:
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
        copy.seek(0)
        start = copy.read(2)
        copy.seek(0)
        return _unpacked(copy, name) if start == _GZIP else _mapped(copy)


def _unpacked(stream: IO[bytes], name: str) -> Buffer:
    unpacking = Unpacking(name, os.fstat(stream.fileno()).st_size)
    with tempfile.TemporaryFile() as copy:
        try:
            with gzip.open(stream, "rb") as packed:
                while part := packed.read(CHUNK):
                    unpacking.count(len(part))
                    copy.write(part)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(
                f"{name}: its gzip data are damaged after {copy.tell()} unpacked bytes: {error}; "
                "copy or download the file again"
            ) from None
        copy.flush()
        copy.seek(0)
        return _mapped(copy)


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that appears under `path` only when the block ends well; on an error nothing changes.

    The bytes go to a temporary file in the same folder, reach the disk, and then take the name. A name
    that ends in `.gz` is packed. `-`, a pipe or a device is written directly.

    Raises:
        DataError: the folder does not exist or may not be written, or the disk is full.
    """
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        target = Path(os.path.realpath(path))  # a link stays a link
    except ValueError as error:  # a name with a null character
        raise DataError(f"{str(path)!r:.120}: cannot be written: {error}") from None
    with _write_errors(path):
        if target.exists() and not target.is_file():
            if target.is_dir():
                raise DataError(f"{path}: cannot be written: it is a folder")
            with target.open("wb") as device:
                yield device
            return
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                if target.suffix == ".gz":
                    # No name and no time in the header: the same content makes the same file.
                    with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                        yield packed  # type: ignore[misc]
                else:
                    yield file
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(mode)
            Path(temporary).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        sync_folder(target.parent)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all; see `atomic_write`.

    Raises:
        DataError: it cannot be written.
    """
    with atomic_write(path) as file:
        file.write(data)


def write_text(path: str | Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all; what UTF-8 cannot say, as of a file's name, is spelled out.

    Raises:
        DataError: it cannot be written.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: str | Path, value: Any, *, indent: bool = True, other: Callable[[Any], Any] | None = None) -> None:
    """Write plain data, dataclasses or msgspec structs as JSON, whole or not at all.

    Args:
        indent: on lines that people read, or all on one.
        other: turns a value that JSON does not know into one that it does; without it such a value is an error.

    Raises:
        DataError: it cannot be written.
        TypeError: a value that JSON does not know.
    """
    try:
        data = msgspec.json.encode(value, enc_hook=other)
        data = msgspec.json.format(data, indent=1) if indent else data
    except UnicodeEncodeError:  # half a character, as of a file's name: JSON has an escape for it, msgspec has not
        plain = msgspec.to_builtins(value, str_keys=True, enc_hook=other)
        data = json.dumps(plain, indent=1 if indent else None).encode()
    write_bytes(path, data + b"\n")


# What tempfile.mkstemp makes of the prefix and suffix that `atomic_write` gives it.
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}\.tmp")


def sweep(folder: Path, *names: str) -> None:
    """Remove what `atomic_write` left in a folder when its process was killed.

    For whoever alone writes those files: the temporary file of a writer at work is removed too.

    Args:
        names: of the files that were written; none given, of all in the folder.
    """
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            match = _TEMPORARY.fullmatch(path.name)
            if match and (not names or match["name"] in names) and not path.is_symlink() and path.is_file():
                with contextlib.suppress(OSError):
                    path.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(folder: Path) -> None:
    """The new name itself reaches the disk; file systems that cannot do that are left alone."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _write_errors(path: str | Path) -> Iterator[None]:
    """Errors of the disk and the folder as DataError; an OSError of the caller's own stays what it is."""
    folder = Path(os.path.realpath(path)).parent
    try:
        yield
    except OSError as error:
        named = str(error.filename or "")
        if error.errno in _DISK or named.startswith(str(folder) + os.sep + "."):
            detail = "" if folder.is_dir() else f" (there is no folder {folder})"
            raise DataError(f"{path}: cannot be written: {_reason(error)}{detail}") from None
        raise
