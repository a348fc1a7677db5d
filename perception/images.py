"""Image files as tensors and back.

    image = read_image("photo.png")          # (3, H, W) uint8, red green blue
    write_png("copy.png", image)

Whatever an image file holds - transparency, a palette, sixteen bits, a camera's rotation - comes out as three
channels of bytes, upright: CLEVR's own images are RGBA.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import DataError
from ..files import atomic_write
from ..image_files import ENDINGS, read_rgb

__all__ = ["ENDINGS", "find_images", "images_below", "read_image", "write_png"]


def read_image(path: str | Path) -> Tensor:
    """(3, H, W) uint8, the image of a file; what is transparent stands on white.

    Raises:
        DataError: there is no such file, or it is no image that can be read.
    """
    pixels = np.array(read_rgb(path))  # (H, W, 3), a copy that may be written
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def write_png(path: str | Path, image: Tensor | NDArray[np.uint8]) -> None:
    """Write a (3, H, W) uint8 tensor, or an (H, W, 3) array, as PNG.

    Raises:
        DataError: the file cannot be written.
        ValueError: it is of another shape or type.
    """
    from PIL import Image

    pixels = image.permute(1, 2, 0).cpu().numpy() if isinstance(image, Tensor) else image
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
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS)
            if not inside:
                raise DataError(f"{path}: no image in this folder (names end in {', '.join(ENDINGS)})")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise DataError(f"{path}: no such file")
    return found


def images_below(folder: Path) -> dict[str, Path]:
    """The image files of a folder and of all below it, by name; none where there is no folder."""
    return {
        name: Path(place) / name
        for place, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(ENDINGS)
    }
