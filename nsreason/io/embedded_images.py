"""A scene's image file as part of a page.

What the browser shows alike is put into the page as it is. A photograph that a camera has turned, one of many
megabytes, and a format that pages do not hold are written anew, no wider or higher than a screen.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from .images import LARGEST, READABLE, read_rgb

HEAVY = 1_500_000  # bytes of a file that is written anew
SCREEN = 1600  # pixels: the most of a side then


@dataclass(frozen=True, slots=True)
class Embedded:
    """An image as part of a page: its `data:` address, its width and height in the file's own upright pixels."""

    href: str
    width: int
    height: int


def embedded(image: Path) -> Embedded:
    """The image of a file as part of a page.

    Raises:
        DataError: the image cannot be read.
    """
    data = _read(image)
    kind, width, height, turned = measure(data, image)
    if width * height > LARGEST:
        raise DataError(f"{image}: {width} x {height} pixels; the most that is read is {LARGEST:,}")
    if kind in ("png", "jpeg") and not turned and len(data) <= HEAVY:
        return Embedded(_address(kind, data), width, height)
    photo = read_rgb(image)
    width, height = photo.size
    photo.thumbnail((SCREEN, SCREEN))
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=88)
    return Embedded(_address("jpeg", file.getvalue()), width, height)


def measure(data: bytes, image: Path) -> tuple[str, int, int, bool]:
    """Format, width, height and whether a camera's note says to turn it: from the file's first bytes, not its name.

    Raises:
        DataError: it is no image that a page can show.
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        turned = b"eXIf" in data[24:4096]
        return "png", int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"), turned
    if data[:2] == b"\xff\xd8":
        at, turned = 2, False
        while at + 9 <= len(data) and data[at] == 0xFF:
            marker = data[at + 1]
            turned = turned or data[at + 4 : at + 8] == b"Exif"
            # A start-of-frame segment holds the size; C4, C8 and CC lie in its range and are something else.
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                height = int.from_bytes(data[at + 5 : at + 7], "big")
                return "jpeg", int.from_bytes(data[at + 7 : at + 9], "big"), height, turned
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big") if marker != 0xFF else 1
        raise DataError(f"{image}: a JPEG file without a frame; save it again as PNG or baseline JPEG")
    if data[:2] == b"BM" or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return "other", 0, 0, False
    raise DataError(f"{image}: not an image; {READABLE}")


def _read(image: Path) -> bytes:
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the image {image}: {error}") from None


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
