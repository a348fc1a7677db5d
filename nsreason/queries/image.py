"""An image that is read when it is looked at, and kept at the sizes that networks look at. No torch until then."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class QueryImage:
    """An image file, or an array of pixels.

    Attributes:
        name: of the file, or what the image is to be called.
    """

    __slots__ = ("_pixels", "_squares", "name", "path")

    def __init__(self, path: str | Path | None, *, pixels: NDArray[np.uint8] | None = None, name: str = "") -> None:
        """
        Args:
            pixels: (H, W, 3), instead of a file.
        """
        if (path is None) == (pixels is None):
            raise ValueError("a picture is a file or an array of pixels")
        self.path = None if path is None else Path(path)
        self.name = name or (self.path.name if self.path else "")
        self._pixels = pixels
        self._squares: dict[int, Tensor] = {}

    def tensor(self) -> Tensor:
        """(3, H, W) uint8.

        Raises:
            DataError: the file cannot be read as an image.
        """
        import torch

        if self._pixels is not None:
            return torch.from_numpy(self._pixels).permute(2, 0, 1).contiguous()
        from ..io.image_tensors import read_image

        assert self.path is not None
        return read_image(self.path)

    def square(self, side: int) -> Tensor:
        """(3, side, side) uint8, whatever the image's proportions; kept in memory.

        Raises:
            DataError: as `tensor`.
        """
        if side not in self._squares:
            from ..io.image_tensors import resized

            self._squares[side] = resized(self.tensor(), (side, side))
        return self._squares[side]
