"""Reading bytes and writing them whole or not at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from nsreason.errors import DataError
from nsreason.io import files
from nsreason.io.files import atomic_write, read_bytes, sweep, write_json, write_text
from nsreason.io.locks import locked_file, locked_folder


def test_a_written_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with atomic_write(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_writing_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"), atomic_write(tmp_path / "no" / "a") as file:
        file.write(b"x")
    with pytest.raises(DataError, match="it is a folder"), atomic_write(tmp_path) as file:
        file.write(b"x")


def test_the_callers_own_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a") as file:
        file.write(Path(tmp_path / "missing").read_bytes())


def test_gzip_is_written_by_name_and_read_by_content(tmp_path: Path) -> None:
    for name in ("a.json.gz", "b.json.gz"):
        with atomic_write(tmp_path / name) as file:
            file.write(b"[1, 2]")
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    (tmp_path / "a.json.gz").rename(tmp_path / "plain.json")
    assert read_bytes(tmp_path / "plain.json") == b"[1, 2]"


def test_damaged_gzip_is_an_error(tmp_path: Path) -> None:
    packed = gzip.compress(os.urandom(5000))
    for broken in (packed[:3000], packed[:3000] + b"zz" + packed[3002:], packed[:4]):
        (tmp_path / "a").write_bytes(broken)
        with pytest.raises(DataError, match="gzip data are damaged"):
            read_bytes(tmp_path / "a")


def test_large_files_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAPPED_FROM", 3)
    (tmp_path / "a").write_bytes(b"abcdef")
    data = read_bytes(tmp_path / "a")
    assert not isinstance(data, bytes) and data[:] == b"abcdef"
    (tmp_path / "b").write_bytes(gzip.compress(b"abcdef"))
    assert read_bytes(tmp_path / "b")[:] == b"abcdef"


def test_standard_input_and_output(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for sent in (b"[1]", gzip.compress(b"[1]")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sent)))
        assert read_bytes("-") == b"[1]"
    with atomic_write("-") as file:
        file.write(b"out")
    assert capfdbinary.readouterr().out == b"out"


def test_a_device_is_written_directly() -> None:
    with atomic_write(os.devnull) as file:
        file.write(b"x")
    assert not Path(os.devnull).is_file()


def test_missing_files_name_their_neighbours(tmp_path: Path) -> None:
    (tmp_path / "CLEVR_val_scenes.json").write_bytes(b"[]")
    with pytest.raises(DataError, match=r"no such file; did you mean 'CLEVR_val_scenes.json'\?"):
        read_bytes(tmp_path / "CLEVR_val_scene.json")
    with pytest.raises(DataError, match="nor a folder"):
        read_bytes(tmp_path / "no" / "a.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_bytes(tmp_path)


def test_what_a_killed_writer_left_is_swept_by_whoever_holds_the_lock(tmp_path: Path) -> None:
    left = [".a.json.abcd1234.tmp", ".b.json.zzzz9999.tmp"]
    kept = [".a.json.tmp", "a.json.abcd1234.tmp", ".a.json.ABCD1234.tmp", ".a.json.abcd123.tmp", "a.json"]

    def there() -> set[str]:
        return {p.name for p in tmp_path.iterdir() if ".lock" not in p.name}

    for name in left + kept:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".c.json.abcd1234.tmp").mkdir()
    with locked_file(tmp_path / "a.json"):
        assert there() == {*kept, left[1], ".c.json.abcd1234.tmp"}
    with locked_folder(tmp_path):
        assert there() == {*kept, ".c.json.abcd1234.tmp"}
    sweep(tmp_path / "gone")


def test_a_name_that_no_file_can_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written: embedded null"), atomic_write(tmp_path / "a\0b"):
        pass


@dataclass
class _Record:
    name: str
    numbers: tuple[float, ...]


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"record": _Record("é", (0.1, 1e22)), "by number": {3: None}})
    assert json.loads(path.read_bytes()) == {"record": {"name": "é", "numbers": [0.1, 1e22]}, "by number": {"3": None}}
    assert path.read_text(encoding="utf-8").endswith("\n}\n")
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_bytes())["by number"] == {"3": None} and list(tmp_path.iterdir()) == [path]
    write_json(path, {"a": Path("b")}, indent=False, other=str)
    assert path.read_bytes() == b'{"a":"b"}\n'


def test_text_that_is_not_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    """A file's name in another encoding reaches Python as half a character."""
    write_json(tmp_path / "a.json", {"name": "\udce9", 1: _Record("b", ())})
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"name": "\udce9", "1": {"name": "b", "numbers": []}}
    write_text(tmp_path / "a.txt", "a \udce9")
    assert (tmp_path / "a.txt").read_bytes() == b"a \\udce9"
