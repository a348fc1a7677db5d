"""A JSON file cut into its records, none of them decoded yet, so that a bad one never costs the others.

Four layouts, recognised by content: the official one (`{"info": ..., "scenes": [...]}`), a list, a single
record, and lines of one record each. A folder is read as its .json files in the order of their names, one record
each, as CLEVR's generators write scenes. Python's own `json` writes NaN and Infinity, which are not JSON: a file that
holds them is cut all the same, and only the records with them are bad.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

import msgspec

from ..errors import DataError, NsreasonError, nearest
from ..io.files import Buffer, read_bytes
from .dataset_folder import refuse_incomplete

Layout = Literal["official", "list", "single", "lines", "folder"]
RawRecord = msgspec.Raw | memoryview | bytes

_MARKERS = {"scenes": ("objects",), "questions": ("question", "program")}
_UTF8_BOM = b"\xef\xbb\xbf"


class _Outer(msgspec.Struct):
    """The keys by which a document is known, all left undecoded."""

    info: msgspec.Raw = msgspec.Raw()
    scenes: msgspec.Raw = msgspec.Raw()
    questions: msgspec.Raw = msgspec.Raw()
    objects: msgspec.Raw = msgspec.Raw()
    question: msgspec.Raw = msgspec.Raw()
    program: msgspec.Raw = msgspec.Raw()


_outer = msgspec.json.Decoder(_Outer).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be used.

    Attributes:
        index: its position among the records of the file, from 0.
        error: what is wrong; its message ends in the JSON path.
        path: the file's name.
    """

    index: int
    error: NsreasonError
    path: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.error}" if self.path else str(self.error)

    def record(self) -> dict[str, object]:
        """As plain data: the error's record, and where the record is."""
        return {"index": self.index, "file": self.path} | self.error.record()


class Records(Sequence[RawRecord]):
    """The undecoded records of one file.

    Attributes:
        source: the file's name, for messages.
        layout: how the file is laid out.
        info: the official layout's `info`, or None.
    """

    def __init__(
        self,
        source: str,
        items: Sequence[RawRecord],
        layout: Layout,
        *,
        prefix: str = "$",
        info: Any = None,
        lines: Sequence[int] | Sequence[str] = (),
        start: int = 0,
    ) -> None:
        self.source, self.layout, self.info = source, layout, info
        self._items, self._prefix, self._lines, self._start = items, prefix, lines, start  # lines, or names of files

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, i: int) -> RawRecord: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[RawRecord]: ...
    def __getitem__(self, i: int | slice) -> RawRecord | Sequence[RawRecord]:
        return self._items[i]

    def __iter__(self) -> Iterator[RawRecord]:
        return iter(self._items)

    def where(self, i: int) -> str:
        """Where record `i` stands: `$.scenes[12]`, `$[12]`, `$`, `line 13: $`, or `CLEVR_new_000012.json: $`."""
        if self.layout == "single":
            return "$"
        if self.layout == "lines":
            return f"line {self._lines[i]}: $"
        if self.layout == "folder":
            return f"{self._lines[i]}: $"
        return f"{self._prefix}[{self._start + i}]"

    def part(self, start: int, stop: int, *, own: bool = False) -> Records:
        """Records `start` to `stop`, which remember where they stood.

        With `own` they are bytes, which can be sent to another process.
        """
        items = self._items[start:stop]
        kept: Sequence[RawRecord] = [bytes(memoryview(item)) for item in items] if own else items
        lines = self._lines[start:stop]
        at = self._start + start
        return Records(self.source, kept, self.layout, prefix=self._prefix, lines=lines, start=at)

    def digest(self) -> str:
        """A fingerprint of all records."""
        digest = hashlib.blake2b(digest_size=16)
        for item in self._items:
            digest.update(memoryview(item))
            digest.update(b"\n")
        return digest.hexdigest()


class _Slices(Sequence[RawRecord]):
    """Pieces of one buffer, cut when asked for: two numbers a piece instead of an object."""

    def __init__(self, data: memoryview, starts: array[int], stops: array[int]) -> None:
        self._data, self._starts, self._stops = data, starts, stops

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, i: int) -> RawRecord: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[RawRecord]: ...
    def __getitem__(self, i: int | slice) -> RawRecord | Sequence[RawRecord]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        return self._data[self._starts[i] : self._stops[i]]


def read_records(path: str | Path, key: Literal["scenes", "questions"]) -> Records:
    """The records of a scene or question file; `-` is standard input, gzip is unpacked. Or of a folder of scenes.

    Raises:
        DataError: the file cannot be read, is not JSON (with the byte and line at which it breaks), or holds
            something else; a folder has no scene in it.
    """
    source = "standard input" if str(path) == "-" else str(path)
    if key == "scenes" and Path(path).is_dir():
        return _folder(Path(path))
    refuse_incomplete(path)
    return cut_records(read_bytes(path), key, source=source)


def _folder(folder: Path) -> Records:
    """The records of a folder of one-scene files. A file that is none becomes a bad record when it is decoded.

    Raises:
        DataError: it has no such file, by the first eight.
    """
    names = sorted(p.name for p in folder.iterdir() if p.name.endswith((".json", ".json.gz")) and p.is_file())
    files = _Files(folder, names)
    layouts: set[str] = set()
    for i, name in enumerate(names[:8]):
        with contextlib.suppress(DataError):
            layouts.add(cut_records(files[i], "scenes", source=str(folder / name)).layout)
    if "single" not in layouts:
        what = "in which no .json file is a scene" if not layouts else "whose files hold several scenes each"
        raise DataError(f"{folder}: a folder {what}; name a file of scenes, or a folder of files of one scene each")
    return Records(str(folder), files, "folder", lines=names)


class _Files(Sequence[bytes]):
    """The contents of files, read when asked for; nothing of one that cannot be read."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder, self._names = folder, names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, i: int) -> bytes: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[bytes]: ...
    def __getitem__(self, i: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(i, slice):
            return _Files(self._folder, self._names[i])
        try:
            return bytes(memoryview(read_bytes(self._folder / self._names[i]))).removeprefix(_UTF8_BOM)
        except DataError:
            return b""


def cut_records(data: Buffer, key: Literal["scenes", "questions"], *, source: str = "data") -> Records:
    """The same for bytes at hand."""
    view: memoryview = memoryview(data)
    if data[:3] == _UTF8_BOM:
        view = view[3:]
    start = _first(view)
    if start is None:
        raise DataError(f"{source}: the file is empty; expected {key} as JSON")
    if start not in (b"{", b"["):
        raise DataError(
            f"{source}: not JSON: it starts with {bytes(view[:12])!r}; expected {key} as a JSON object or list"
        )
    cut: Callable[[memoryview], Records] = lambda v: _cut(v, start, key, source)  # noqa: E731
    try:
        return cut(view)
    except RecursionError:
        raise DataError(f"{source}: its JSON is nested too deeply") from None
    except msgspec.DecodeError as error:
        lines = cut_lines(view, source) if start == b"{" else None
        if lines is not None:
            return lines
        fault = error
    plain = without_nan(view)
    if plain is not None:
        try:
            patched = cut(memoryview(plain))
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            patched._items = _originals(patched, memoryview(plain), view)
            return patched
    raise not_json(fault, view, source)


def _first(view: memoryview) -> bytes | None:
    for at in range(0, len(view), 4096):
        text = bytes(view[at : at + 4096]).lstrip(b" \t\r\n")
        if text:
            return text[:1]
    return None


def _cut(view: memoryview, start: bytes, key: str, source: str) -> Records:
    """Cut one document.

    Raises:
        msgspec.DecodeError: it is not one JSON document.
        DataError: it is, but holds no such records.
    """
    if start == b"[":
        return Records(source, _list(view), "list")
    outer = _outer(view)
    records: msgspec.Raw = getattr(outer, key)
    if len(memoryview(records)):
        try:
            items = _list(records)
        except msgspec.ValidationError as error:
            raise DataError(f"{source}: {str(error).replace('`$', f'`$.{key}')} at `$.{key}`") from None
        return Records(source, items, "official", prefix=f"$.{key}", info=_info(outer.info))
    if any(len(memoryview(getattr(outer, m))) for m in _MARKERS[key]):
        return Records(source, [view], "single")
    other = "questions" if key == "scenes" else "scenes"
    if any(len(memoryview(getattr(outer, k))) for k in (other, *_MARKERS[other])):
        raise DataError(f"{source}: holds {other}, not {key}; were the files given in the wrong order?")
    raise DataError(f'{source}: no {key} in it: expected "{key}": [...]{_keys(view, key)}')


def _keys(view: memoryview, key: str) -> str:
    try:
        keys = list(msgspec.json.decode(view, type=dict[str, msgspec.Raw]))
    except UnicodeError:
        return ", found keys that are not UTF-8"
    near = nearest(key, keys, most=1)
    shown = ", ".join(f"'{k[:40]}'" for k in (near or keys[:8]))
    return f", found the keys {shown}" if shown else ", found an empty object"


def _info(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw) if len(memoryview(raw)) else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def cut_lines(view: memoryview, source: str) -> Records | None:
    """The document as lines of one object each, or None when that is not what it is.

    The first line says so, or the second when the first is a bad record.
    """
    starts, stops, numbers = array("q"), array("q"), array("q")
    at, number, size = 0, 0, len(view)
    buffer = view.obj if isinstance(view.obj, bytes | mmap.mmap) else bytes(view)
    shift = len(buffer) - size  # a byte order mark before the view
    while at < size:
        number += 1
        end = buffer.find(b"\n", at + shift) - shift
        if end < at:
            end = size
        if bytes(view[at : min(end, at + 64)]).strip() or bytes(view[at:end]).strip():
            starts.append(at)
            stops.append(end)
            numbers.append(number)
            two = zip(starts, stops, strict=True)
            if len(starts) == 2 and not any(_is_object(view[a:b]) for a, b in two):
                return None
        at = end + 1
    if len(starts) < 2:
        return None
    return Records(source, _Slices(view, starts, stops), "lines", lines=numbers)


def _is_object(line: memoryview) -> bool:
    if len(line) < 3 and bytes(line) != b"{}":
        return False
    try:
        return isinstance(json.loads(bytes(line)), dict)
    except (ValueError, RecursionError):
        return False


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|NaN|-?Infinity', re.DOTALL)
_STAND_IN = {b"NaN": b'"N"', b"Infinity": b'"Infini"', b"-Infinity": b'"-Infini"'}  # of the same length each


def without_nan(view: memoryview) -> bytes | None:
    """The document with strings of the same length where NaN and Infinity stood; None when it has none."""
    seen = False

    def stand_in(match: re.Match[bytes]) -> bytes:
        nonlocal seen
        other = _STAND_IN.get(match[0])
        seen = seen or other is not None
        return match[0] if other is None else other

    plain = _TOKEN.sub(stand_in, view)
    return plain if seen else None


def _originals(records: Records, plain: memoryview, view: memoryview) -> Sequence[RawRecord]:
    """The records' own bytes, at the places where the patched document was cut."""
    import numpy as np

    def address(piece: RawRecord) -> int:
        at: int = np.frombuffer(piece, np.uint8).__array_interface__["data"][0]
        return at

    base = address(plain)
    starts, stops = array("q"), array("q")
    for item in records:
        start = address(item) - base
        starts.append(start)
        stops.append(start + len(memoryview(item)))
    return _Slices(view, starts, stops)


def not_json(error: msgspec.DecodeError, view: memoryview, source: str) -> DataError:
    reason = str(error).removeprefix("JSON is malformed: ")
    position = re.search(r" \(byte (\d+)\)$", reason)
    at = int(position[1]) if position else len(view)
    if "truncated" in reason:
        reason = "the file ends in the middle of its JSON; copy or download it again"
    elif position:
        reason = reason[: position.start()]
    before = bytes(view[:at])
    line, column = before.count(b"\n") + 1, at - before.rfind(b"\n")
    near = bytes(view[max(0, at - 20) : at + 20]).decode("utf-8", "replace")
    place = f"byte {at} (line {line}, column {column})"
    return DataError(f"{source}: not valid JSON at {place}, near {near!r}: {reason}")
