"""Image files: which formats are read, and how. Every image that nsreason reads is opened here; no torch is imported.

Pillow tries each of its forty formats on a file, whatever its name says, and some of them run other programs (an EPS
file named `.png` starts Ghostscript) or follow what the file says. So the formats are listed; nothing else is tried.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, NsreasonError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS: dict[str, tuple[str, ...]] = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
}
"""The formats that are read, as Pillow names them -> the endings by which a folder's images are found. A file that is
named is read by its content. Of several frames (WebP, PNG) the first is taken.
"""
ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)
READABLE = "PNG, JPEG, BMP and WebP can be read"
LARGEST = 64_000_000  # pixels that are read at all: more than a camera takes, less than fills the memory
_ORIENTATION = 0x0112  # Exif's tag


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself, without its pixels.

    Attributes:
        format: one of FORMATS, or `MPO`: a JPEG with further pictures behind the first.
        width, height: in pixels, upright.
        turned: whether a camera's note says to turn the pixels.
    """

    format: str
    width: int
    height: int
    turned: bool


def read_header(path: str | Path) -> Header:
    """The format and size of an image file; its pixels are not decoded.

    Raises:
        DataError: there is no such file, it is of no format that is read, or it has too many pixels.
    """
    with _opened(path) as file:
        # Pillow decodes a PNG to look for a note behind its pixels, where next to none has one.
        turn = 1 if file.format == "PNG" and "exif" not in file.info else _orientation(file)
        width, height = file.size if turn < 5 else file.size[::-1]
        return Header(str(file.format), width, height, turn != 1)


def read_rgb(path: str | Path) -> Image:
    """The pixels of an image file, upright, as RGB; what is transparent stands on white.

    Raises:
        DataError: there is no such file, it is of no format that is read, it is damaged or has too many pixels.
    """
    return read_pixels(path)[0]


def read_pixels(path: str | Path) -> tuple[Image, float]:
    """As `read_rgb`, and the share of its pixels that are transparent, in whole or in part.

    Raises:
        DataError: as `read_rgb`.
    """
    with _opened(path) as file:
        return _upright(file)


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[Image]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=list(FORMATS)) as file:
            if file.width * file.height > LARGEST:
                raise DataError(f"{path}: {file.width} x {file.height} pixels; the most that is read is {LARGEST:,}")
            yield file
    except NsreasonError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise DataError(f"{path}: not an image; {READABLE}") from None
    except Exception as error:  # each of Pillow's decoders meets damage with errors of its own
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read as an image: {reason}") from None


def _orientation(file: Image) -> int:
    """1 to 8, as Exif numbers them; 1, upright, where a note is damaged or says nothing of the kind."""
    try:
        turn = file.getexif().get(_ORIENTATION, 1)
    except Exception:  # the note may be damaged in many ways, and its image sound
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _upright(file: Image) -> tuple[Image, float]:
    from PIL import Image

    photo: Image.Image = file
    clear = 0.0
    turn = _orientation(file)
    if turn != 1:
        photo = file.transpose(Image.Transpose[_TURNS[turn]])
    if photo.mode.startswith("I"):  # sixteen bits a channel
        import numpy as np

        photo = Image.fromarray((np.asarray(photo, dtype=np.uint32) >> 8).astype(np.uint8))
    if photo.has_transparency_data:
        photo = photo.convert("RGBA")
        clear = 1 - photo.getchannel("A").histogram()[255] / (photo.width * photo.height)
        photo = Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo)
    return photo.convert("RGB"), clear


# What makes an image upright, by Exif's number. Not ImageOps.exif_transpose: it writes the note anew, which fails of a
# damaged one.
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
