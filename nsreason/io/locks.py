"""Locks on what is written: of two processes that write to one folder or file, the second is told who the first is.

    with locked_folder("runs/first"):
        ...

The lock is the operating system's (flock), so it ends with its process however that ends: there is no stale lock to
remove. Beside it lies a note of who holds it, for the message alone. A file system that has no locks, or may not be
written, costs a warning and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ..errors import DataError, LockError, NsreasonWarning
from .files import sweep

_held: dict[str, int] = {}  # lock files that this process holds -> the thread that took them


class _Holder(msgspec.Struct):
    pid: int
    host: str
    since: str


@contextlib.contextmanager
def locked_folder(folder: str | Path) -> Iterator[None]:
    """Nobody else writes to the folder while the context lasts; it is made where there is none.

    A thread may lock what it has locked already: a comparison trains in its own folder.

    Raises:
        LockError: another process, or another thread, writes there.
        DataError: the folder cannot be made.
    """
    place = Path(folder)
    new = not place.exists()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise DataError(f"{folder}: cannot be made: {reason}; choose another folder") from None
    try:
        with _locked(place / ".lock", f"{folder}", "folder", ()):
            yield
    finally:
        if new:
            with contextlib.suppress(OSError):
                place.rmdir()  # if nothing came of it


@contextlib.contextmanager
def locked_file(path: str | Path | None) -> Iterator[None]:
    """Nobody else writes the file while the context lasts. None, `-`, pipes and devices have no lock.

    Raises:
        LockError: another process, or another thread, writes it.
    """
    try:
        target = None if path is None or str(path) == "-" else Path(os.path.realpath(path))
        missing = target is None or not target.parent.is_dir() or (target.exists() and not target.is_file())
    except (OSError, ValueError):  # what is wrong with the name is told when the file is written
        missing = True
    if missing:
        yield
        return
    assert target is not None
    with _locked(target.with_name(f".{target.name}.lock"), f"{path}", "file", (target.name,)):
        yield


@contextlib.contextmanager
def _locked(file: Path, name: str, kind: str, written: tuple[str, ...]) -> Iterator[None]:
    from filelock import FileLock, Timeout

    key, mine = os.path.realpath(file), threading.get_ident()
    if _held.get(key) == mine:
        yield
        return
    note = file.with_name(f"{file.name}.json")
    lock = FileLock(key, thread_local=False)
    reason: object = None
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockError(
            f"{name}: {_holder(note)} is writing to this {kind}; wait until it has ended, or give another {kind}"
        ) from None
    except OSError as error:
        reason = error.strerror or error
    except NotImplementedError as error:
        reason = error
    if reason is not None:
        warnings.warn(
            f"{name}: cannot be locked ({reason}); take care that nothing else writes to this {kind} meanwhile",
            NsreasonWarning,
            stacklevel=4,
        )
        yield
        return
    _held[key] = mine
    try:
        _write(note)
        sweep(file.parent, *written)  # what a killed writer left
        yield
    finally:
        del _held[key]
        for left in (note, file):  # while it is held: whoever waits for the file then sees that it is gone
            with contextlib.suppress(OSError):
                left.unlink()
        lock.release()


def _write(note: Path) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    with contextlib.suppress(OSError):
        note.write_bytes(msgspec.json.encode(_Holder(os.getpid(), platform.node(), since)))


def _holder(note: Path) -> str:
    try:
        holder = msgspec.json.decode(note.read_bytes(), type=_Holder)
    except (OSError, ValueError, RecursionError):  # a DecodeError is a ValueError
        return "another process"
    return f"process {holder.pid} on {holder.host:.100} (since {holder.since:.40})"
