"""JSON files as typed values: each file that the package wrote itself is decoded once, whole, against a struct.

    record = decode_file(path, RunRecord, what="the record of a run", remedy="remove it", error=TrainingError)

Whatever is wrong with the file (missing keys, values of another kind, numbers out of range, bytes that are no UTF-8,
nesting too deep) is one error of the caller's class, which says where in the file and what to do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from ..errors import DataError, NsreasonError

T = TypeVar("T")
# Numbers that a float keeps to the last digit, so that sums and means of them are right and finite.
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Whole = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
_DEPTH = 64  # levels of plain data; what the package writes has about ten
_BITS = 63


def decode(
    data: bytes | str, kind: type[T], where: object, *, what: str, remedy: str, error: type[NsreasonError] = DataError
) -> T:
    """JSON text as a typed value.

    Args:
        where: the file, or what else the text is from, for messages.
        what: what was expected there.
        remedy: what the user can do about a damaged one.

    Raises:
        error: it is no JSON, or not of that kind.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as fault:
        raise error(f"{where}: not {what}: {fault}; {remedy}") from None
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as fault:
        raise error(f"{where}: not {what}: damaged JSON: {fault}; {remedy}") from None


def decode_file(path: Path, kind: type[T], *, what: str, remedy: str, error: type[NsreasonError] = DataError) -> T:
    """A JSON file as a typed value.

    Raises:
        FileNotFoundError: there is no such file.
        error: it cannot be read, is no JSON, or not of that kind.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as fault:  # ValueError: a path with a null character
        reason = (isinstance(fault, OSError) and fault.strerror) or fault
        raise error(f"{path}: cannot be read: {reason}") from None
    return decode(data, kind, path, what=what, remedy=remedy, error=error)


def decode_plain(
    value: Any, kind: type[T], where: object, *, what: str, remedy: str, error: type[NsreasonError] = DataError
) -> T:
    """The same for what has been decoded already, as one part of a file.

    Raises:
        error: it is not of that kind.
    """
    try:
        return msgspec.convert(value, kind)
    except (ValueError, OverflowError, RecursionError) as fault:  # msgspec.ValidationError is a ValueError
        raise error(f"{where}: not {what}: {fault}; {remedy}") from None


def valid_text(text: str) -> str:
    """Text that UTF-8 can say: lone surrogates, as Python makes of names in another encoding, are spelled out."""
    return text.encode(errors="backslashreplace").decode()


def check_plain(value: Any, where: str) -> None:
    """Hold a part of a struct to plain data; for its `__post_init__`, where msgspec adds the place in the file.

    Raises:
        ValueError: see `plain_fault`.
    """
    fault = plain_fault(value, where)
    if fault is not None:
        raise ValueError(fault)


def plain_fault(value: Any, where: str = "", depth: int = _DEPTH) -> str | None:
    """Why a value is not plain data that JSON and TOML both keep as it is; None if it is.

    Plain are texts that UTF-8 can say, integers of 64 bits, finite numbers, booleans, None, lists and tables of them.
    The message begins with the place: `data.limit: ...`.
    """
    if depth == 0:
        return f"{where[:60] or 'the value'}: nested more than {_DEPTH} levels deep"
    if isinstance(value, str):
        return _text_fault(value, where)
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"{where or 'the table'}: a key is a text, got {key!r:.60}"
            fault = _text_fault(key, where) or plain_fault(item, f"{where}.{key}".lstrip("."), depth - 1)
            if fault:
                return fault
        return None
    if isinstance(value, list | tuple):
        found_in = (plain_fault(item, f"{where}[{i}]", depth - 1) for i, item in enumerate(value))
        return next((fault for fault in found_in if fault), None)
    return _number_fault(value, where)


def _text_fault(text: str, where: str) -> str | None:
    if any("\ud800" <= c <= "\udfff" for c in text):
        return f"{where or 'the text'}: {ascii(text)[:60]} is not valid Unicode: a surrogate stands alone"
    return None


def _number_fault(value: Any, where: str) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        if -(1 << _BITS) <= value < 1 << _BITS:
            return None
        return f"{where}: a whole number of at most 64 bits, got one of {value.bit_length()} bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{where}: a finite number, got {value}"
    return f"{where}: a text, number, boolean, list or table, got {type(value).__name__} {str(value)[:60]}"
