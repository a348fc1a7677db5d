"""Image files as tensors and back.

    image = read_image("photo.png")          # (3, H, W) uint8, red green blue
    write_png("copy.png", image)

Whatever an image file holds - transparency, a palette, sixteen bits, a camera's rotation - comes out as three
channels of bytes, upright: CLEVR's own images are RGBA.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..data.dataset_folder import refuse_incomplete
from ..data.image_names import ImageNames
from ..errors import DataError
from ..io.files import atomic_write
from ..io.images import ENDINGS, read_pixels

__all__ = ["ENDINGS", "ImageFolder", "find_images", "read_image", "read_transparent", "transparency", "write_png"]

if TYPE_CHECKING:
    from torch import Tensor


def read_image(path: str | Path) -> Tensor:
    """(3, H, W) uint8, the image of a file; what is transparent stands on white.

    Raises:
        DataError: there is no such file, or it is no image that can be read.
    """
    return read_transparent(path)[0]


def read_transparent(path: str | Path) -> tuple[Tensor, float]:
    """As `read_image`, and the share of the image's pixels that are transparent, in whole or in part.

    Raises:
        DataError: as `read_image`.
    """
    import torch  # here, so that a missing file is found before torch is loaded

    photo, clear = read_pixels(path)
    pixels = np.array(photo)  # (H, W, 3), a copy that may be written
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), clear


def transparency(clear: float) -> str | None:
    """What is to be told of an image of which this share is transparent; None of one that is not."""
    if clear <= 0:
        return None
    return f"{max(1, round(100 * clear))} % of its pixels are transparent; they are seen on white"


def write_png(path: str | Path, image: Tensor | NDArray[np.uint8]) -> None:
    """Write a (3, H, W) uint8 tensor, or an (H, W, 3) array, as PNG.

    Raises:
        DataError: the file cannot be written.
        ValueError: it is of another shape or type.
    """
    from PIL import Image

    pixels = image if isinstance(image, np.ndarray) else image.permute(1, 2, 0).cpu().numpy()
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"an image is of three channels of uint8, got {pixels.dtype} {pixels.shape}")
    with atomic_write(path) as file:
        # The default level, 6, takes three times as long, for files as large.
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, format="PNG", compress_level=4)


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """Image files, and those of folders, in the order given and by name within a folder.

    Raises:
        DataError: a path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            refuse_incomplete(path)
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS)
            if not inside:
                raise DataError(f"{path}: no image in this folder (names end in {', '.join(ENDINGS)})")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise DataError(f"{path}: no such file")
    return found


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
        found = self.paths([name])[0]
        if isinstance(found, DataError):
            raise found
        return found

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
