"""Image files of folders, found by name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DataError
from ..io.images import ENDINGS
from .dataset_folder import refuse_incomplete
from .image_names import ImageNames


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """Image files, and those of folders, in the order given and by name within a folder.

    Raises:
        DataError: a path does not exist, or a folder holds no image.
    """
    images: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            refuse_incomplete(path)
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS)
            if not inside:
                raise DataError(f"{path}: no image in this folder (names end in {', '.join(ENDINGS)})")
            images += inside
        elif path.exists():
            images.append(path)
        else:
            raise DataError(f"{path}: no such file")
    return images


class ImageFolder:
    """The image files of a folder and of all below it, found by name as `data.image_names` says.

    Attributes:
        folder: its folder `images` where it has one, else itself.
        files: in the order of their names; none where there is no folder.
        names: theirs, as paths from `folder` on.
    """

    def __init__(self, folder: str | Path) -> None:
        inside = Path(folder) / "images"
        self.folder = inside if inside.is_dir() else Path(folder)
        refuse_incomplete(self.folder)
        self.files = sorted(_below(self.folder))
        self.names = ImageNames(file.relative_to(self.folder).as_posix() for file in self.files)

    def __len__(self) -> int:
        return len(self.files)

    def path(self, name: str) -> Path:
        """The file that a name means.

        Raises:
            DataError: there is no such image in the folder, or there are several.
        """
        place = self.paths([name])[0]
        if isinstance(place, DataError):
            raise place
        return place

    def paths(self, names: Iterable[str]) -> list[Path | DataError]:
        """The files that names mean, or why there is none; names are looked up together."""
        names = list(names)
        return [
            self._fault(name, place) if isinstance(place, DataError) else self.files[place]
            for name, place in zip(names, self.names.places(names), strict=True)
        ]

    def _fault(self, name: str, error: DataError) -> DataError:
        if self.names.find(name):
            return DataError(f"{self.folder}: {error}")
        hint = str(error).removeprefix(f"no image '{name}'")
        return DataError(f"{self.folder / name}: no such image{hint}")


def _below(folder: Path) -> Iterator[Path]:
    """The image files of a folder and of all below it; not of hidden ones, where a data set may be in the making. Links
    are followed, but not in a circle.
    """
    above: dict[Path, frozenset[str]] = {folder: frozenset()}
    for place, inside, names in os.walk(folder, followlinks=True):
        way = above.pop(Path(place)) | {os.path.realpath(place)}
        inside[:] = [n for n in inside if not n.startswith(".") and os.path.realpath(Path(place) / n) not in way]
        above |= {Path(place) / name: way for name in inside}
        yield from (Path(place) / name for name in names if name.lower().endswith(ENDINGS))
