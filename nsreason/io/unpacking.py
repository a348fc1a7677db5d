"""How much a packed file may unpack to: a few kilobytes can be made to fill memory or disk.

A file may unpack to RATIO times its size (text comes to 20 times, pictures of flat colours to 100; files that are made
to do harm to 1,000 or a million) and to LIMIT bytes altogether. NSREASON_UNPACK_RATIO and NSREASON_UNPACK_BYTES, whole
numbers in the environment, are taken instead.
"""

from __future__ import annotations

import os
from typing import Any

from ..errors import DataError

RATIO = 250
LIMIT = 16 << 30  # bytes that go to the disk
IN_MEMORY = 2 << 30  # bytes that do not
FREE = 64 << 20  # bytes that any file may unpack to, whatever the ratio
CHUNK = 1 << 20


class Unpacking:
    """One packed file on its way; counts what has come out of it.

    unpacking = Unpacking("scenes.json.gz", packed=1234)
    data = unpacking.read(stream)
    """

    def __init__(self, name: object, packed: int, most: int = LIMIT) -> None:
        """
        Args:
            name: of the file, for messages.
            packed: its size in bytes.
            most: what it may come to, where the environment says nothing else.

        Raises:
            DataError: what the environment says is no number.
        """
        self.name, self.packed, self.done = name, packed, 0
        size, ratio = _setting("NSREASON_UNPACK_BYTES", most), _setting("NSREASON_UNPACK_RATIO", RATIO)
        self.limit = min(size, max(ratio * packed, FREE))

    def count(self, number: int) -> None:
        """Count bytes that came out.

        Raises:
            DataError: they are too many.
        """
        self.reached(self.done + number)

    def reached(self, position: int) -> None:
        """Say how far into the unpacked bytes the file has been read.

        Raises:
            DataError: it is too far.
        """
        self.done = max(self.done, position)
        if self.done > self.limit:
            raise DataError(
                f"{self.name}: {self.packed:,} bytes that unpack to more than {self.limit:,}, as files do that are "
                "made to do harm\n    if you trust it, let NSREASON_UNPACK_RATIO or NSREASON_UNPACK_BYTES in the "
                "environment say more"
            )

    def read(self, stream: Any) -> bytes:
        """All that a stream has, counted as it comes.

        Raises:
            DataError: it is too much.
        """
        parts = []
        while part := stream.read(CHUNK):
            self.count(len(part))
            parts.append(part)
        return b"".join(parts)


class LimitedStream:
    """An unpacked stream that is not read, nor skipped through, beyond what is allowed; what `tarfile` asks of one."""

    def __init__(self, stream: Any, unpacking: Unpacking) -> None:
        self._stream, self._unpacking = stream, unpacking

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        if size < 0:
            return self._unpacking.read(self._stream)
        data: bytes = self._stream.read(size)
        self._unpacking.reached(self.tell())
        return data

    def seek(self, position: int) -> int:
        """From the start."""
        self._unpacking.reached(position)
        place: int = self._stream.seek(position)
        return place

    def tell(self) -> int:
        """As of any file."""
        place: int = self._stream.tell()
        return place

    def close(self) -> None:
        """As of any file."""
        self._stream.close()


def _setting(name: str, otherwise: int) -> int:
    text = os.environ.get(name, "").strip()
    if not text:
        return otherwise
    plain = text.replace("_", "").replace(",", "")
    if not (plain.isascii() and plain.isdecimal() and len(plain) < 19 and int(plain)):
        raise DataError(f"{name} in the environment is a whole number above 0, got '{text:.60}'")
    return int(plain)
