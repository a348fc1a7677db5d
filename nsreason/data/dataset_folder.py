"""The folder of a generated data set: written beside, put in place in one go, marked whole last.

    with new_dataset("data/small", {"seed": 7}, overwrite=False) as made:
        ...                                    # files and folders are written below made.folder
        made.counts["scenes"] = 1000

What is made lies in `.making` inside the folder until all of it is there. Then `dataset.json` says that the data set is
being put in place, the files take their names, and `dataset.json` says what there is. So whenever a process is killed,
the folder holds the former data set, or the new one, or says of itself that it is neither; readers of scenes,
questions, arrays and images then refuse it (`refuse_incomplete`). A folder without `dataset.json`, as of others, is
read as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..errors import DataError
from ..io.files import sweep, sync_folder, write_json
from ..io.locks import locked_folder

MANIFEST, INSTANCES, IMAGES = "dataset.json", "instances.json", "images"
_MAKING = ".making"
_OURS = (_MAKING, ".lock", ".lock.json")
_GENERATOR = "nsreason "


class _File(msgspec.Struct):
    bytes: int
    sha256: str


class _Manifest(msgspec.Struct):
    """The layout of `dataset.json`.

    Attributes:
        generator: what made the data set; a file of others has none that begins as ours.
        state: `in place` is whole; `being put in place` is a mixture, unless the process that does it is at work.
        settings: from which the same data set can be made again.
        counts: of what there is: scenes, questions, images.
        files: of the folder itself. While they are put in place: those that come and those that go.
        folders: such as `images`; the number of files in each.
    """

    generator: str
    state: Literal["in place", "being put in place"]
    settings: dict[str, Any]
    counts: dict[str, int]
    files: dict[str, _File | None]
    folders: dict[str, int]


@dataclass
class NewDataset:
    """A data set on its way.

    Attributes:
        folder: where to write; it is empty.
        counts: for the manifest.
    """

    folder: Path
    counts: dict[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def new_dataset(
    out: str | Path, settings: Mapping[str, object], *, generator: str, overwrite: bool = False
) -> Iterator[NewDataset]:
    """Make a data set in a folder: all of it appears when the context ends well, and nothing when it does not.

    Args:
        settings: for the manifest; without a date, so that the same settings make the same bytes.
        generator: what makes it: `nsreason 0.1.0 generate clevr`.
        overwrite: let it take the place of what is there. Other files of the folder stay.

    Raises:
        DataError: the folder is not empty and may not be overwritten, or cannot be written.
        LockError: another process writes there.
    """
    folder = Path(out)
    with locked_folder(folder):
        making = folder / _MAKING
        try:
            if making.exists():  # of a process that was killed: the lock is ours
                shutil.rmtree(making)
            sweep(folder, MANIFEST)
            former = _former(folder, overwrite)
            making.mkdir()
        except OSError as error:
            raise DataError(f"{folder}: cannot be written: {error.strerror or error}; choose another folder") from None
        dataset = NewDataset(making)
        try:
            yield dataset
            manifest = _Manifest(generator, "in place", dict(settings), dataset.counts, *_contents(making))
            try:
                _put_in_place(folder, making, manifest, former)
            except OSError as error:
                raise DataError(f"{folder}: cannot be written: {error.strerror or error}: {error.filename}") from None
        finally:
            shutil.rmtree(making, ignore_errors=True)


def refuse_incomplete(path: str | Path) -> None:
    """Refuse a file or folder of a data set that was not put in place whole.

    Raises:
        DataError: `dataset.json` beside it says that it is one of a mixture.
    """
    if str(path) == "-":
        return
    place = Path(path)
    manifest = _read(place.parent / MANIFEST)
    if manifest is not None and manifest.state != "in place" and place.name in {*manifest.files, *manifest.folders}:
        raise DataError(
            f"{place}: the data set in this folder is not whole\n    `nsreason generate` was stopped while it put its "
            "files in place, so some may be of another data set; generate it again with --overwrite (in Python "
            "overwrite=True)"
        )


def _read(path: Path) -> _Manifest | None:
    """A manifest of ours; None where there is none, or one of others."""
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except (OSError, ValueError, msgspec.DecodeError, RecursionError):
        return None
    ours = manifest.generator.startswith(_GENERATOR) and all(map(_plain, (*manifest.files, *manifest.folders)))
    return manifest if ours else None


def _plain(name: str) -> bool:
    """Whether a name that a file says is one of its own folder: what is named is removed, and nothing elsewhere."""
    return name not in ("", ".", "..") and not any(c in name for c in "/\\\0")


def _former(folder: Path, overwrite: bool) -> _Manifest | None:
    """The manifest of what is to be overwritten.

    Raises:
        DataError: something is there that may not be overwritten.
    """
    there = sorted(p.name for p in folder.iterdir() if p.name not in _OURS)
    if there and not overwrite:
        some = ", ".join(there[:3]) + (", ..." if len(there) > 3 else "")
        raise DataError(
            f"{folder}: the folder is not empty ({some})\n    give another one, or --overwrite (in Python "
            "overwrite=True) to put a new data set in the place of the one there"
        )
    manifest = _read(folder / MANIFEST)
    if manifest is None and MANIFEST in there:
        raise DataError(f"{folder / MANIFEST}: not written by nsreason; move it away, or give another folder")
    return manifest


def _contents(making: Path) -> tuple[dict[str, _File | None], dict[str, int]]:
    """The files of the folder with their checksums, and its folders with their numbers of files."""
    files: dict[str, _File | None] = {}
    folders: dict[str, int] = {}
    for path in sorted(making.iterdir()):
        if path.is_dir():
            folders[path.name] = sum(1 for _ in path.iterdir())
        else:
            with path.open("rb") as file:
                files[path.name] = _File(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
    return files, folders


def _put_in_place(folder: Path, making: Path, manifest: _Manifest, former: _Manifest | None) -> None:
    """Say that the folder is a mixture, make it the new data set, and say that it is whole.

    Raises:
        DataError: what is there has the name of a file or folder of the data set, and is of the other kind.
    """
    for name in (*manifest.files, *manifest.folders):
        there = folder / name
        if there.exists() and there.is_dir() != (name in manifest.folders):
            raise DataError(
                f"{there}: in the way of {'a folder' if name in manifest.folders else 'a file'}; move it away"
            )
    old_files = {} if former is None else dict.fromkeys(former.files)
    old_folders = {} if former is None else former.folders
    mixture = _Manifest(
        manifest.generator,
        "being put in place",
        manifest.settings,
        {},
        {**old_files, **dict.fromkeys(manifest.files)},
        {**old_folders, **manifest.folders},
    )
    _write(folder / MANIFEST, mixture)
    # What names the former images goes after them: killed in between, the next run finds the rest by it.
    new = {p.name for p in (making / IMAGES).iterdir()} if IMAGES in manifest.folders else set()
    _remove(folder / IMAGES / other for other in _named(folder / INSTANCES) - new)
    for name in manifest.folders:
        (folder / name).mkdir(exist_ok=True)
        for path in (making / name).iterdir():
            path.replace(folder / name / path.name)
    for name in manifest.files:
        (making / name).replace(folder / name)
    _remove(folder / name for name in old_files if name not in manifest.files)
    for name in old_folders:
        with contextlib.suppress(OSError):
            (folder / name).rmdir()  # if nothing is left in it
    for name in (*manifest.folders, "."):
        sync_folder(folder / name)  # the new names reach the disk before it is said that they are there
    _write(folder / MANIFEST, manifest)


def _named(path: Path) -> set[str]:
    """The images that an instances.json of ours names; none where it is not there or another's."""
    try:
        instances = msgspec.json.decode(path.read_bytes())
        ours = str(instances["info"]["generator"]).startswith(_GENERATOR)
        return {str(i["file_name"]) for i in instances["images"] if ours and _plain(str(i["file_name"]))}
    except (OSError, ValueError, msgspec.DecodeError, KeyError, TypeError, RecursionError):
        return set()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _write(path: Path, manifest: _Manifest) -> None:
    write_json(path, manifest)
