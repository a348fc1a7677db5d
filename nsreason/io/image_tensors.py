"""Image files as tensors and back; torch is imported when a tensor is made.

    image = read_image("photo.png")          # (3, H, W) uint8, red green blue
    write_png("copy.png", image)

Whatever an image file holds - transparency, a palette, sixteen bits, a camera's rotation - comes out as three
channels of bytes, upright: CLEVR's own images are RGBA.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .files import atomic_write
from .images import read_pixels

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


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """A (3, H, W) uint8 image of another size; itself if it has that size."""
    if tuple(image.shape[1:]) == tuple(size):
        return image
    import torch
    from torch.nn import functional

    small = functional.interpolate(image[None].float(), size, mode="bilinear", antialias=True, align_corners=False)
    return small[0].round_().clamp_(0, 255).to(torch.uint8)
