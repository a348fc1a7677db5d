"""A file of records of arrays, larger than memory if need be: written once, then mapped and read record by record.

    fields = (Field("image", "uint8", (3, 320, 480)), Field("boxes", "float32", (None, 4)))
    write_array_file("frames.arrays", fields, records(start), count=5000, digest=digest)
    with ArrayFile("frames.arrays", digest=digest) as file:
        file[17]["boxes"]                                   # (N, 4), of memory of its own

`digest` says what the records were computed from; a file with another one is refused. Records are appended to
`.frames.arrays.part`, which takes the file's name when it is whole; a writer that was killed goes on with the next
record. Numbers are little-endian. The file is

    magic, length of the header, header (JSON: digest, fields, count), padded to 8 bytes
    for each record a head: CRC-32 of its rest, bytes of the arrays, CRC-32 of each array, open dimensions;
        then the arrays, each padded to 8 bytes
    the offset of each record; the offset and CRC-32 of this index; magic
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import mmap
import os
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Annotated, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, LockError
from .decoding import Count, decode
from .files import Buffer, sync_folder
from .locks import locked_file

MAGIC = b"NSARRAY1"
TYPES = ("bool", "uint8", "int32", "int64", "float16", "float32", "float64")
_HEADER_LIMIT = 1 << 20
_WAIT = 0.2  # seconds between two looks at a file that another process writes
_log = logging.getLogger(__name__)

Record = Mapping[str, NDArray[Any]]


class Field(msgspec.Struct, frozen=True):
    """An array that every record has."""

    name: str
    dtype: str
    """One of `TYPES`."""
    shape: tuple[Annotated[int, msgspec.Meta(ge=0, le=1 << 31)] | None, ...]
    """None is a dimension that records differ in."""

    def __post_init__(self) -> None:
        if self.dtype not in TYPES:
            raise ValueError(f"dtype: one of {', '.join(TYPES)}, got {self.dtype!r:.40}")

    def open(self) -> int:
        """Return how many dimensions records differ in."""
        return self.shape.count(None)


class _Header(msgspec.Struct):
    digest: str
    fields: tuple[Field, ...]
    count: Count


def write_array_file(
    path: str | Path,
    fields: tuple[Field, ...],
    records: Callable[[int], Iterable[Record]],
    *,
    count: int,
    digest: str,
) -> None:
    """Write a file of records, whole or not at all, unless it is there already.

    Where another process writes the same file, wait until it has ended.

    Args:
        fields: the arrays of each record.
        records: called with a number, gives the records from that one on. A writer that goes on where a killed one
            stood asks for the rest only.
        count: of all records.
        digest: of all that the records are computed from.

    Raises:
        DataError: the file is there with another digest or other fields, or it cannot be written.
    """
    target, header = Path(path), _Header(digest, fields, count)
    waiting = False
    while True:
        try:
            with locked_file(target):
                if not target.exists():
                    _write(target, header, records)
                break
        except LockError as error:
            if not waiting:
                _log.info("%s; waiting for it", error)
            waiting = True
            time.sleep(_WAIT)
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None
    with ArrayFile(target, digest=digest) as file:
        if (file.fields, len(file)) != (fields, count):
            raise DataError(f"{path}: has other fields or another number of records; {_remedy()}")


def _write(target: Path, header: _Header, records: Callable[[int], Iterable[Record]]) -> None:
    """Append what a partial file lacks, then give it its name."""
    partial = target.with_name(f".{target.name}.part")
    start = _start(header)
    with partial.open("r+b" if partial.exists() else "w+b") as file:
        offsets = _recovered(file, start, header)
        if not offsets:
            file.seek(0)
            file.truncate()
            file.write(start)
        for record in records(len(offsets)):
            offsets.append(file.tell())
            file.write(_encoded(record, header.fields))
        if len(offsets) != header.count:
            raise DataError(f"{target}: {len(offsets)} records, expected {header.count}")
        index, at = np.array(offsets, "<i8").tobytes(), file.tell()
        file.write(index + np.array([at, zlib.crc32(index)], "<i8").tobytes() + MAGIC)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)
    sync_folder(target.parent)


def _start(header: _Header) -> bytes:
    text = json.dumps(msgspec.to_builtins(header), separators=(",", ":")).encode()
    return _padded(MAGIC + np.array([len(text)], "<i8").tobytes() + text)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 8)


def _recovered(file: IO[bytes], start: bytes, header: _Header) -> list[int]:
    """Return the offsets of the whole records of a partial file, of none where it is of other data.

    The file then stands behind the last of them, and ends there.
    """
    if file.read(len(start)) != start:
        return []
    offsets: list[int] = []
    size, end = os.fstat(file.fileno()).st_size, len(start)
    while len(offsets) < header.count:
        head = _Head.read(file.read(_head_bytes(header.fields)), header.fields)
        if head is None or head.length > size - file.tell():
            break
        payload = file.read(head.length)
        if any(head.part(payload, n) is None for n in range(len(header.fields))):
            break
        offsets.append(end)
        end = file.tell()
    file.seek(end)
    file.truncate()
    return offsets


def _head_bytes(fields: tuple[Field, ...]) -> int:
    return 8 * (2 + len(fields) + sum(field.open() for field in fields))


class _Head(NamedTuple):
    """The head of a record: bytes of its arrays; of each array its CRC-32, its place among them and its shape."""

    length: int
    checksums: list[int]
    places: list[tuple[int, int]]
    shapes: list[tuple[int, ...]]

    @classmethod
    def read(cls, data: bytes, fields: tuple[Field, ...]) -> _Head | None:
        """Read a head; None where it is damaged."""
        if len(data) != _head_bytes(fields):
            return None
        crc, length, *numbers = np.frombuffer(data, "<i8").tolist()
        if zlib.crc32(data[8:]) != crc:
            return None
        checksums, open_sizes = numbers[: len(fields)], iter(numbers[len(fields) :])
        places, shapes, end = [], [], 0
        for field in fields:
            shapes.append(tuple(next(open_sizes) if n is None else n for n in field.shape))
            size = np.dtype(field.dtype).itemsize * math.prod(shapes[-1])
            places.append((end, end + size))
            end += size + -size % 8
        return cls(length, checksums, places, shapes) if end == length else None

    def part(self, payload: Buffer, number: int, offset: int = 0) -> bytearray | None:
        """Copy the bytes of an array out of those of all; None where they are damaged."""
        start, end = self.places[number]
        part = bytearray(payload[offset + start : offset + end])
        return part if len(part) == end - start and zlib.crc32(part) == self.checksums[number] else None


def _encoded(record: Record, fields: tuple[Field, ...]) -> bytes:
    """Return the bytes of a record.

    Raises:
        DataError: an array is missing, or of another type or shape.
    """
    sizes: list[int] = []
    parts: list[bytes] = []
    checksums: list[int] = []
    for field in fields:
        array = record.get(field.name)
        if array is None or array.dtype != np.dtype(field.dtype) or not _fits(array.shape, field.shape):
            shown = None if array is None else f"{array.dtype}{list(array.shape)}"
            raise DataError(f"record: '{field.name}' is {field.dtype}{list(field.shape)}, got {shown}")
        sizes += [n for n, fixed in zip(array.shape, field.shape, strict=True) if fixed is None]
        data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        checksums.append(zlib.crc32(data))
        parts.append(_padded(data))
    payload = b"".join(parts)
    rest = np.array([len(payload), *checksums, *sizes], "<i8").tobytes()
    return np.array([zlib.crc32(rest)], "<i8").tobytes() + rest + payload


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(e in (None, n) for n, e in zip(shape, expected, strict=True))


def _remedy() -> str:
    return "remove it to have it written anew, or name another file"


class ArrayFile:
    """The records of a file, each read when it is taken; nothing stays in memory but the offsets (8 bytes a record).

    Several threads may read at once.
    """

    def __init__(self, path: str | Path, *, digest: str | None = None) -> None:
        """Map a file.

        Args:
            digest: of what the records must have been computed from; None accepts any.

        Raises:
            DataError: the file cannot be read, is damaged, or has another digest.
        """
        self.path = Path(path)
        try:
            with self.path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            reason = (isinstance(error, OSError) and error.strerror) or error
            raise DataError(f"{path}: cannot be read: {reason}") from None
        try:
            self._read_header(digest)
        except BaseException:
            self.close()
            raise

    def _read_header(self, digest: str | None) -> None:
        size, what = len(self._map), "a file of arrays"
        length = int.from_bytes(self._map[8:16], "little")
        if size < 48 or self._map[:8] != MAGIC or self._map[-8:] != MAGIC or length > min(size, _HEADER_LIMIT):
            raise DataError(f"{self.path}: not {what}, or not a whole one; {_remedy()}")
        header = decode(self._map[16 : 16 + length], _Header, self.path, what=what, remedy=_remedy())
        if digest is not None and header.digest != digest:
            raise DataError(f"{self.path}: was written from other data or settings; {_remedy()}")
        at, crc = np.frombuffer(self._map[-24:-8], "<i8").tolist()
        index = self._map[at : size - 24] if 0 < at < size else b""
        if len(index) != 8 * header.count or zlib.crc32(index) != crc:
            raise DataError(f"{self.path}: its index is damaged; {_remedy()}")
        self.digest, self.fields, self._end = header.digest, header.fields, at
        self._offsets = np.frombuffer(index, "<i8")

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of a record, by name, copied out of the file.

        Raises:
            DataError: the record is damaged.
        """
        return self.read(number)

    def read(self, number: int, *names: str) -> dict[str, NDArray[Any]]:
        """Return some arrays of a record without reading the others; all, if none is named.

        Raises:
            DataError: the record is damaged.
        """
        at = int(self._offsets[number])
        start = at + _head_bytes(self.fields)
        head = _Head.read(self._map[at:start] if at > 0 else b"", self.fields)
        arrays: dict[str, NDArray[Any]] = {}
        for n, field in enumerate(self.fields):
            if names and field.name not in names:
                continue
            part = None if head is None or start + head.length > self._end else head.part(self._map, n, start)
            if head is None or part is None:
                raise DataError(f"{self.path}: record {number} is damaged; {_remedy()}")
            arrays[field.name] = np.frombuffer(part, np.dtype(field.dtype).newbyteorder("<")).reshape(head.shapes[n])
        return arrays

    def close(self) -> None:
        """Unmap the file."""
        with contextlib.suppress(BufferError):
            self._map.close()

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
