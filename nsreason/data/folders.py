"""The files of a data set's folder, found by their usual names."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError

if TYPE_CHECKING:
    pass


def find_files(folder: str | Path, split: str = "") -> tuple[Path, Path]:
    """The scene file and the question file of a folder, or of its folders `scenes` and `questions`.

    Raises:
        DataError: there is none of a kind, or several; the message names them.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    return find_file(folder, "scenes", split), find_file(folder, "questions", split)


def find_file(folder: Path, kind: str, split: str = "") -> Path:
    """The file of a folder, or of its folder of that name, whose name ends in `kind`.json or the like; for scenes, the
    folder `scenes` itself where it holds other .json files.

    Raises:
        DataError: there is none, or there are several; the message names them.
    """
    here = [p for place in (folder, folder / kind) if place.is_dir() for p in sorted(place.iterdir()) if p.is_file()]
    matches = [p for p in here if any(fnmatch.fnmatch(p.name, f"*{kind}.{end}") for end in _ENDS)]
    chosen = [p for p in matches if split in p.name]
    if len(chosen) == 1:
        return chosen[0]
    if not matches and kind == "scenes" and any(fnmatch.fnmatch(p.name, "*.json") for p in here if p.parent != folder):
        return folder / kind  # files of one scene each, as CLEVR's generators write them
    of = f" with '{split}' in its name" if split else ""
    if chosen:
        names = ", ".join(p.name for p in chosen)
        raise DataError(f"{folder}: several files of {kind}{of}: {names}; set data.split to tell them apart")
    names = f" among {', '.join(p.name for p in matches)}" if matches else f" (a name ends in {kind}.json or .jsonl)"
    raise DataError(f"{folder}: no file of {kind}{of}{names}")


_ENDS = ("json", "jsonl", "json.gz", "jsonl.gz")
