"""The file of a checkpoint: a safetensors file whose metadata hold the rest as JSON. Nothing in it is pickled.

    head = read_head(Path("runs/a/best.safetensors"))       # the model's name and settings; no tensor is read

The file begins with the size of its header (8 bytes) and the header, a JSON table of the tensors. Its `__metadata__`
have one entry, `nsreason`: the `Record` below as a JSON text, which begins with eight hexadecimal digits, the CRC-32 of
the whole file with zeros in place of these digits. Reading a head needs neither torch nor safetensors.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from ..errors import CheckpointError, did_you_mean
from ..io.decoding import Count, check_plain, decode
from ..io.files import sync_folder

H = TypeVar("H", bound="Head")

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2
SUFFIX = ".safetensors"
REMEDY = "copy the file again, or take another checkpoint of the run"
HEADER_LIMIT = 50_000_000
"""Bytes: a header has settings and names of tensors, not weights."""
_PREFIX = b'{"__metadata__":{"nsreason":"{\\"crc32\\":\\"'
_DIGITS = b"0" * 8
_PART = 1 << 20
_ATTEMPTS = 5


class Head(msgspec.Struct):
    """What a checkpoint says of its model."""

    crc32: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}$")]
    """Of the file; see above."""
    format: int
    model: str
    """Its name in `registry.MODELS`, or `module:Class`."""
    config: dict[str, Any]
    """Its settings."""

    def __post_init__(self) -> None:
        check_plain(self.config, "config")

    @property
    def domain(self) -> str | None:
        """The name of the domain that the model knows, where its settings name one."""
        name = self.config.get("domain")
        return name if isinstance(name, str) else None

    @property
    def own(self) -> bool:
        """Whether the model is of a user's own module, of which nothing is known here."""
        return ":" in self.model


class Record(Head):
    """All that a checkpoint holds besides tensors."""

    step: Count
    """Of the optimizer."""
    state: dict[str, Any]
    """Where the run stands, its recipe, how the weights came about."""
    optimizer: dict[str, Any] | None = None
    """An `optimizers.OptimizerRecord`."""
    half: bool = False
    """Whether weights are stored as float16 and computed with in float32; see `checkpoint.save_half`."""

    def __post_init__(self) -> None:
        check_plain(self.config, "config")
        check_plain(self.state, "state")


class _Metadata(msgspec.Struct):
    nsreason: str


class _Header(msgspec.Struct):
    metadata: _Metadata = msgspec.field(name="__metadata__")


class _Entry(msgspec.Struct):
    data_offsets: tuple[Count, Count]


def place_of(path: str | Path) -> Path:
    """The file that a path names: a folder stands for its last checkpoint.

    Raises:
        CheckpointError: there is no such file.
    """
    place = Path(path)
    try:
        if place.is_dir():
            place = place / f"last{SUFFIX}"
        exists = place.is_file()
    except (OSError, ValueError) as error:  # a name that no file can have
        raise CheckpointError(f"{str(path)!r:.200}: no such checkpoint: {error}") from None
    if not exists:
        near = [p.name for p in place.parent.glob(f"*{SUFFIX}")] if place.parent.is_dir() else []
        raise CheckpointError(f"{place}: no such checkpoint{did_you_mean(place.name, near)}")
    return place


def read_head(path: str | Path, *models: str) -> Head:
    """The model's name and settings of a checkpoint, without its tensors; the checksum is not computed.

    Args:
        path: of the file, or of a folder, which stands for its `last` checkpoint.
        models: the names that are accepted, besides those of a user's own modules; none given, all are.

    Raises:
        CheckpointError: there is no checkpoint, its header is damaged, or it is of another model.
    """
    place = place_of(path)
    try:
        with place.open("rb") as file:
            head = _decoded(_header(file, place), place, Head)
    except OSError as error:
        raise CheckpointError(f"{place}: cannot be read: {error.strerror or error}") from None
    if models and head.model not in models and not head.own:
        raise CheckpointError(f"{path}: holds the model '{head.model:.60}', not {' or '.join(map(repr, models))}")
    return head


def read_file(path: Path) -> tuple[Record, dict[str, Tensor]]:
    """The record and the tensors, by name, on the CPU, as they were written.

    Raises:
        CheckpointError: the file is damaged.
    """
    import safetensors
    from safetensors.torch import load_file

    try:
        for _ in range(_ATTEMPTS):
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                header = _header(file, path)
                record = _decoded(header, path, Record)
                if _checksum(file) != record.crc32:
                    raise CheckpointError(f"{path}: its checksum differs; {REMEDY}")
                tensors: dict[str, Tensor] = load_file(path)
                # A run may have put a newer checkpoint in its place meanwhile.
                if os.path.samestat(before, path.stat()):
                    return record, tensors
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path}: its tensors cannot be read: {error}; {REMEDY}") from None
    raise CheckpointError(f"{path}: is replaced again and again while it is read; {REMEDY}")


def _header(file: IO[bytes], path: Path) -> bytes:
    """The header, as JSON text, of a file whose size is the one that it says."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 + length or not len(_PREFIX) <= length <= HEADER_LIMIT:
        content = f"{size} bytes that begin as no safetensors file does"
        raise CheckpointError(f"{path}: not a checkpoint: {content}; {REMEDY}")
    header = file.read(length)
    if not header.startswith(_PREFIX):
        raise CheckpointError(f"{path}: not a checkpoint: its metadata have no record of nsreason; take another file")
    what = "a checkpoint"
    table = decode(header, dict[str, msgspec.Raw], path, what=what, remedy=REMEDY, error=CheckpointError)
    table.pop("__metadata__", None)
    entries = (decode(raw, _Entry, path, what=what, remedy=REMEDY, error=CheckpointError) for raw in table.values())
    expected = 8 + length + max((entry.data_offsets[1] for entry in entries), default=0)
    if size != expected:
        raise CheckpointError(f"{path}: {size} bytes, expected {expected}; {REMEDY}")
    return header


def _decoded(header: bytes, path: Path, kind: type[H]) -> H:
    what = "a checkpoint"
    text = decode(header, _Header, path, what=what, remedy=REMEDY, error=CheckpointError).metadata.nsreason
    record = decode(text, kind, path, what=what, remedy=REMEDY, error=CheckpointError)
    if record.format != FORMAT:
        raise CheckpointError(f"{path}: of format {record.format}; this version of nsreason reads format {FORMAT}")
    return record


def _checksum(file: IO[bytes]) -> str:
    """The checksum of a file, whatever its own digits are."""
    file.seek(0)
    crc = zlib.crc32(_DIGITS, zlib.crc32(file.read(8 + len(_PREFIX))))
    file.seek(len(_DIGITS), os.SEEK_CUR)
    while part := file.read(_PART):
        crc = zlib.crc32(part, crc)
    return f"{crc:08x}"


def write_file(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all, in place of the one of that name.

    Args:
        record: the fields of `Record` but `crc32` and `format`.

    Raises:
        OSError: the file cannot be written.
        TypeError, ValueError: the record is not plain data.
    """
    import safetensors
    from safetensors.torch import save_file

    whole = {"crc32": _DIGITS.decode(), "format": FORMAT} | dict(record)
    text = json.dumps(whole, allow_nan=False, separators=(",", ":"))
    temporary = path.with_name(f".{path.name}.{os.getpid():08x}.tmp")  # as `io.files.sweep` knows them
    try:
        save_file(_storable(tensors), temporary, {"nsreason": text})
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # as readable as any file; it is created for its owner alone
        with temporary.open("rb+") as file:
            digits = _checksum(file).encode()
            file.seek(8)
            if file.read(len(_PREFIX)) != _PREFIX:
                raise OSError("safetensors writes its header in another order than this version of nsreason reads")
            file.write(digits)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except safetensors.SafetensorError as error:
        raise OSError(str(error)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU and contiguous; tensors that share memory, as tied weights do, are written out each."""
    plain: dict[str, Tensor] = {}
    addresses: set[int] = set()
    for name, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        address = own.untyped_storage().data_ptr()
        if own.numel() and (address in addresses or own.untyped_storage().nbytes() != own.nbytes):
            own = own.clone()
        addresses.add(address)
        plain[name] = own
    return plain
