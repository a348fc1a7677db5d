"""bAbI: short stories with questions, of 20 tasks, read from the official files. Imports no torch.

    stories = load_babi("tasks_1-20_v1-2.zip", "train", size="10k").stories
    stories[0].sentences, stories[0].question, stories[0].answer, stories[0].supports

A source is a folder, or a zip or tar file (also packed with gz, bz2 or xz), or a folder that holds such files; it may
hold both sizes, `en` (1,000 questions of each task to train on) and `en-10k` (10,000), distinguished by the names of
folders or of the archive.

Of the folders of v1.2, `en` and `en-10k` hold train and test; `en-valid` and `en-valid-10k` hold the same stories as
train, valid and test, in files without the task's name (`qa1_valid.txt`); `-nosf` behind a name, the same without
supporting lines. Where a source has several of these, train and test are taken from `en`, and what has supports comes
first. The stories of `valid` are among those of `en`'s train: give the folder `en-valid` itself to have them apart.

Weston et al., "Towards AI-complete question answering", 2015 (arXiv:1502.05698), v1.2.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from ..errors import DataError
from ..io.files import read_bytes
from ..io.unpacking import IN_MEMORY, LimitedStream, Unpacking
from .babi_stories import BadLine, Stories, Story, read_stories, words
from .babi_tasks import NAMES, PASS_PERCENT, TASKS, TaskScore, score_tasks
from .splits import HoldOut

__all__ = [
    "NAMES",
    "PASS_PERCENT",
    "TASKS",
    "BadLine",
    "Stories",
    "Story",
    "TaskFile",
    "TaskScore",
    "hold_out",
    "load_babi",
    "read_stories",
    "score_tasks",
    "task_files",
    "words",
]

BabiSize = Literal["1k", "10k"]
BabiPart = Literal["train", "valid", "test"]
FOLDERS: dict[str, str] = {"1k": "en", "10k": "en-10k"}
_FILE = re.compile(r"qa(\d+)_(?:([\w-]+)_)?(train|valid|test)\.txt")
_FOLDER = re.compile(r"en(-valid)?(-10k)?(-nosf)?")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz")
# RuntimeError: a zip that asks for a password, or of a kind that zipfile does not unpack.
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, RuntimeError)


# --- files, folders and archives --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskFile:
    """One file of a source.

    Attributes:
        size: None where no name tells it.
        valid: whether it is of `en-valid`, whose train leaves out what is in its valid.
        bare: whether it is of a `-nosf` folder, without supporting lines.
    """

    task: int
    split: str
    size: str | None
    name: str
    read: Callable[[], bytes]
    valid: bool = False
    bare: bool = False

    @property
    def rank(self) -> tuple[bool, bool]:
        """Of files of one task, split and size the least is taken."""
        return self.valid, self.bare


def task_files(source: str | Path) -> list[TaskFile]:
    """The task files of a folder or archive. English ones alone: those in a folder `hn` or `shuffled` are left out.

    Raises:
        DataError: there is no such source, or it is damaged, or it is no folder and no archive.
    """
    path = Path(source)
    if not path.is_dir():
        return list(_archive(path))
    files: list[TaskFile] = []
    for file in sorted(path.rglob("qa*.txt")):
        inside = PurePosixPath(path.name, *file.relative_to(path).parts)
        files += _named_task(inside, str(file), lambda file=file: bytes(read_bytes(file)))  # type: ignore[misc]
    for file in sorted(path.iterdir()):
        if file.is_file() and file.name.lower().endswith(_ARCHIVES):
            files += _archive(file)
    return files


def _named_task(inside: PurePosixPath, name: str, read: Callable[[], bytes]) -> Iterator[TaskFile]:
    match = _FILE.fullmatch(inside.name)
    if match is None or int(match[1]) not in TASKS or (match[2] or NAMES[0]) not in NAMES:
        return
    size, valid, bare = None, match[2] is None, False
    for part in reversed(inside.parts[:-1]):
        tokens = re.split(r"[_.\s]", part)
        if any(re.fullmatch(r"(hn|shuffled)(-\w+)?", t) for t in tokens):
            return
        kind = next((m for t in tokens if (m := _FOLDER.fullmatch(t))), None)
        if kind is not None:
            size, valid, bare = ("10k" if kind[2] else "1k"), kind[1] is not None, kind[3] is not None
            break
    yield TaskFile(int(match[1]), match[3], size, name, read, valid, bare)


def _archive(path: Path) -> Iterator[TaskFile]:
    """The task files of an archive, unpacked in memory; its names are never used as paths: nothing goes to the disk."""
    try:
        unpacking = Unpacking(path, path.stat().st_size, IN_MEMORY)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield from _member(path, name, lambda name=name: _read(archive.open(name), unpacking))  # type: ignore[misc]
            return
        with path.open("rb") as raw, tarfile.open(fileobj=_unpacked(raw, path), mode="r:") as tar:
            for member in tar:
                if member.isfile():
                    file = partial(tar.extractfile, member)
                    yield from _member(path, member.name, lambda file=file: _read(file(), unpacking))  # type: ignore[misc]
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file or folder") from None
    except tarfile.ReadError as error:
        raise DataError(f"{path}: not a sound zip or tar file ({error}); copy or download it again") from None
    except _DAMAGE as error:
        raise DataError(f"{path}: cannot be read, or is damaged: {error}; copy or download it again") from None


_STREAMS: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", lambda raw: gzip.GzipFile(fileobj=raw)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)


def _unpacked(raw: IO[bytes], path: Path) -> Any:
    """The tar file in a packed one, of which no more comes out than is allowed."""
    start = raw.read(6)
    raw.seek(0)
    for magic, stream in _STREAMS:
        if start.startswith(magic):
            return LimitedStream(stream(raw), Unpacking(path, path.stat().st_size))
    return raw


def _read(file: IO[bytes] | None, unpacking: Unpacking) -> bytes:
    if file is None:
        return b""
    with file:
        return unpacking.read(file)


def _member(path: Path, name: str, read: Callable[[], bytes]) -> Iterator[TaskFile]:
    for task_file in _named_task(PurePosixPath(path.name, name), f"{path}:{name}", lambda: b""):
        data = read()  # a solid archive is unpacked once, in order
        yield replace(task_file, read=partial(bytes, data))


def load_babi(
    source: str | Path,
    split: BabiPart = "train",
    *,
    size: BabiSize = "10k",
    tasks: Iterable[int] = TASKS,
    otherwise: Literal["refuse", "leave out", "other size"] = "refuse",
) -> Stories:
    """The stories of a split, of all tasks together or of some.

    Args:
        size: files whose names do not tell their size serve either.
        otherwise: what becomes of a task whose file the source does not have: `refuse` raises, `leave out` goes on
            without it, `other size` takes the file of the other size.

    Raises:
        DataError: the source cannot be read, or has no file of a task.
        ValueError: a task is not of 1 to 20.
    """
    wanted = sorted(set(tasks))
    if any(task not in TASKS for task in wanted):
        raise ValueError(f"tasks are 1 to 20, got {wanted}")
    files = [file for file in task_files(source) if file.split == split]
    other = next(s for s in FOLDERS if s != size)
    order: list[str | None] = [size, None, *([other] if otherwise == "other size" else [])]
    chosen: list[TaskFile] = []
    missing: list[int] = []
    for task in wanted:
        mine = [f for s in order for f in sorted(files, key=lambda f: f.rank) if f.task == task and f.size == s]
        chosen += mine[:1]
        missing += [] if mine else [task]
    if missing and (otherwise != "leave out" or not chosen):
        raise DataError(_missing(source, split, size, missing, wanted, files))
    stories = Stories()
    for file in chosen:
        data = file.read()
        if not data.strip(b"\xef\xbb\xbf \t\r\n"):
            stories.bad.append(BadLine(file.name, 1, DataError(f"{file.name}: the file is empty")))
        for story in read_stories(data, file.task, file.name):
            if isinstance(story, Story):
                stories.stories.append(story)
            else:
                stories.bad.append(story)
    return stories


def _missing(
    source: str | Path, split: str, size: str, missing: list[int], wanted: list[int], files: Sequence[TaskFile]
) -> str:
    """What is not there, what is, and what would do."""
    named = {task: "" if split == "valid" else f"{NAMES[task - 1]}_" for task in missing[:3]}
    names = ", ".join(f"qa{task}_{name}{split}.txt" for task, name in named.items())
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    folder = FOLDERS[size].replace("en", "en-valid") if split == "valid" else FOLDERS[size]
    message = f"{source}: no {names}{more} of the size {size} ({folder})"
    other = {file.task for file in files if file.size not in (size, None)}
    if set(missing) <= other:
        return f"{message}; the other size has it: otherwise='other size' takes that, 'leave out' goes without"
    if len(missing) < len(wanted):
        return f"{message}; otherwise='leave out' goes without"
    return f"{message};\n    a source is a folder or an archive with such files, those of the bAbI tasks v1.2"


def hold_out(stories: Sequence[Story], rule: HoldOut) -> tuple[list[Story], list[Story]]:
    """Split into (kept, held out) by whole stories; with a seed, the same share of each task is drawn."""
    return rule.split(
        stories,
        group=lambda story: story.story if rule.seed is not None else (story.task, story.story),
        stratum=lambda story: story.task,
    )
