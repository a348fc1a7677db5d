"""An image that is read when it is needed, and kept at the sizes that networks take. No torch until then."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class QueryImage:
    """An image file, or an array of pixels.

    Attributes:
        name: the file's name, or another name for messages and reports.
    """

    __slots__ = ("_key", "_pixels", "_squares", "name", "path")

    def __init__(self, path: str | Path | None, *, pixels: NDArray[np.uint8] | None = None, name: str = "") -> None:
        """
        Args:
            pixels: (H, W, 3), instead of a file.
        """
        if (path is None) == (pixels is None):
            raise ValueError("an image is a file or an array of pixels")
        self.path = None if path is None else Path(path)
        self.name = name or (self.path.name if self.path else "")
        self._pixels = pixels
        self._squares: dict[int, Tensor] = {}
        self._key: Hashable = None

    @property
    def key(self) -> Hashable:
        """Equal for equal images: of a file its path, time and size when it is first asked for; of pixels a digest."""
        if self._key is None:
            self._key = (self.name, *self._content())
        return self._key

    def _content(self) -> tuple[Hashable, ...]:
        if self._pixels is not None:
            digest = hashlib.blake2b(np.ascontiguousarray(self._pixels).tobytes(), digest_size=16).digest()
            return self._pixels.shape, digest
        assert self.path is not None
        try:
            status = self.path.stat()
        except (OSError, ValueError):  # reading it says what is wrong
            return (str(self.path.absolute()),)
        return str(self.path.absolute()), status.st_mtime_ns, status.st_size

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

    def read(self) -> tuple[Tensor, str | None]:
        """As `tensor`, and a warning where parts of the image are transparent.

        Raises:
            DataError: as `tensor`.
        """
        if self.path is None:
            return self.tensor(), None
        from ..io.image_tensors import read_transparent, transparency

        image, clear = read_transparent(self.path)
        return image, transparency(clear)

    def square(self, side: int) -> Tensor:
        """(3, side, side) uint8, whatever the image's proportions; kept in memory.

        Raises:
            DataError: as `tensor`.
        """
        if side not in self._squares:
            from ..io.image_tensors import resized

            self._squares[side] = resized(self.tensor(), (side, side))
        return self._squares[side]
