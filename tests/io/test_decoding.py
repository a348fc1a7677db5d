"""Files as typed values: every defect raises one kind of error, with its place and a remedy."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nsreason.errors import CheckpointError, DataError
from nsreason.io.decoding import Count, Seconds, check_plain, decode, decode_file, decode_plain, plain_fault


class Record(msgspec.Struct):
    number: Count
    time: Seconds = 0.0
    more: dict[str, Any] = {}

    def __post_init__(self) -> None:
        check_plain(self.more, "more")


SAID = {"what": "a record", "remedy": "write it again"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "damaged JSON: Input data was truncated"),
        (b"\xff", "damaged JSON"),
        (b'{"number": NaN}', "damaged JSON"),
        (b'{"number": 1, "more": {"a": "\\ud800"}}', "damaged JSON"),
        (b'{"number": 1, "more": {"a": "\xff"}}', "damaged JSON"),
        (b'{"number": 1, "more": {"a": ' + b"[" * 10**6, "maximum recursion depth"),
        (b'{"number": 1, "more": {"a": ' + b"[" * 80 + b"]" * 80 + b"}}", r"more.a\[0\].*: nested more than 64"),
        (b'{"number": 1, "more": {"a": ' + b"9" * 5000 + b"}}", "out of range"),
        (b"[1]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `number`"),
        (b'{"number": -1}', r"Expected `int` >= 0 - at `\$.number`"),
        (b'{"number": 1' + b"0" * 30 + b"}", "Expected `int` <= 9007199254740992"),
        (b'{"number": 1.5}', "Expected `int`, got `float`"),
        (b'{"number": true}', "Expected `int`, got `bool`"),
        (b'{"number": 1, "time": 1e999}', "out of range"),
        (b'{"number": 1, "time": 1e300}', "Expected `float` <= 1"),
        (b'{"number": 1, "more": {"a": 1' + b"0" * 30 + b"}}", "more.a: a whole number of at most 64 bits"),
    ],
)
def test_whatever_is_wrong_is_one_error(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=f"record.json: not a record: .*{message}.*; write it again"):
        decode_file(path, Record, error=CheckpointError, **SAID)
    with pytest.raises(DataError, match=f"there: not a record: .*{message}.*; write it again"):
        decode(data, Record, "there", **SAID)


def test_what_is_right_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(b'{"number": 3, "time": 1, "more": {"a": [1, {"b": null}]}, "new": 1}')
    assert decode_file(path, Record, **SAID) == Record(3, 1.0, {"a": [1, {"b": None}]})
    assert decode_plain({"number": 3}, Record, "there", **SAID) == Record(3)
    with pytest.raises(DataError, match=r"there: not a record: Expected `int`, got `str`"):
        decode_plain({"number": "3"}, Record, "there", **SAID)


def test_a_file_that_is_not_there_or_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        decode_file(tmp_path / "a", Record, **SAID)
    for path in (tmp_path, tmp_path / "a\0b"):
        with pytest.raises(DataError, match="cannot be read: "):
            decode_file(path, Record, **SAID)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"a": [1, 2.5, "é", None, True, (1,), {}]}, None),
        (2**63 - 1, None),
        ({"a": [0, {"b": 2**63}]}, "a[1].b: a whole number of at most 64 bits, got one of 64 bits"),
        ({"a": float("inf")}, "a: a finite number, got inf"),
        ({"a": datetime.date(2026, 11, 28)}, "a: a text, number, boolean, list or table, got date 2026-11-28"),
        ({"a": "x\udc80"}, r"a: 'x\udc80' is not valid Unicode: a surrogate stands alone"),
        ({"\ud800": 1}, r"the text: '\ud800' is not valid Unicode: a surrogate stands alone"),
        ({1: 2}, "the table: a key is a text, got 1"),
    ],
)
def test_plain_data(value: Any, fault: str | None) -> None:
    assert plain_fault(value) == fault
