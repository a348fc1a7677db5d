"""Files of arrays: bit-exact reading, resuming after a killed writer, and refusal of damaged or other data."""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsreason.errors import DataError
from nsreason.io.array_file import TYPES, ArrayFile, Field, write_array_file

FIELDS = (Field("x", "float32", (3,)), Field("boxes", "int32", (None, 4)), Field("note", "uint8", (None,)))


def record(number: int) -> dict[str, Any]:
    drawn = np.random.default_rng(number)
    return {
        "x": drawn.standard_normal(3, np.float32),
        "boxes": drawn.integers(-9, 9, (number % 4, 4), np.int32),
        "note": np.frombuffer(b"n" * (number % 3), np.uint8),
    }


def records(start: int) -> Iterator[dict[str, Any]]:
    return map(record, range(start, 20))


def write(path: Path, digest: str = "d") -> Path:
    write_array_file(path, FIELDS, records, count=20, digest=digest)
    return path


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        one[k].dtype == other[k].dtype and one[k].shape == other[k].shape and np.array_equal(one[k], other[k])
        for k in one
    )


def test_records_come_back_to_the_bit(tmp_path: Path) -> None:
    with ArrayFile(write(tmp_path / "a.arrays"), digest="d") as file:
        assert len(file) == 20 and all(same(file[i], record(i)) for i in (0, 3, 19, 7))
        file[3]["x"][0] = 7  # the memory is the caller's
        assert same(file[3], record(3)) and same(file[-1], record(19))
        assert same(file.read(7, "note"), {"note": record(7)["note"]})
    assert [p.name for p in tmp_path.iterdir()] == ["a.arrays"]


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_and_empty_arrays(tmp_path: Path, dtype: str) -> None:
    fields = (Field("a", dtype, (None, None)), Field("b", dtype, ()))
    arrays = [np.arange(6).reshape(2, 3).astype(dtype), np.zeros((0, 5), dtype), np.ones((4, 4), dtype)[::2, 1:]]
    written = [{"a": a, "b": np.array(1, dtype)} for a in arrays]
    write_array_file(tmp_path / "a", fields, lambda start: written[start:], count=3, digest="")
    with ArrayFile(tmp_path / "a") as file:
        assert all(same(file[i], written[i]) for i in range(3))


def test_a_file_is_written_once(tmp_path: Path) -> None:
    before = write(tmp_path / "a").stat().st_mtime_ns

    def never(start: int) -> Iterator[dict[str, Any]]:
        raise AssertionError

    write_array_file(tmp_path / "a", FIELDS, never, count=20, digest="d")
    assert (tmp_path / "a").stat().st_mtime_ns == before


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("at", [0, 1, 13, 19])
@pytest.mark.parametrize("cut", [0, 1, 30])
def test_a_writer_that_was_stopped_goes_on(tmp_path: Path, at: int, cut: int) -> None:
    """Also where its last record is not whole; the file is the same to the byte."""

    def stopped(start: int) -> Iterator[dict[str, Any]]:
        for number in range(start, 20):
            if number == at:
                raise StoppedError
            yield record(number)

    with pytest.raises(StoppedError):
        write_array_file(tmp_path / "a", FIELDS, stopped, count=20, digest="d")
    assert not (tmp_path / "a").exists()
    (partial,) = tmp_path.glob(".*part")
    partial.write_bytes(partial.read_bytes()[: partial.stat().st_size - cut])
    asked = []

    def rest(start: int) -> Iterator[dict[str, Any]]:
        asked.append(start)
        return records(start)

    write_array_file(tmp_path / "a", FIELDS, rest, count=20, digest="d")
    assert (tmp_path / "a").read_bytes() == write(tmp_path / "b").read_bytes()
    assert asked == [at if not cut else max(0, at - 1)]


def test_a_partial_file_of_other_data_is_not_gone_on_with(tmp_path: Path) -> None:
    def one(start: int) -> Iterator[dict[str, Any]]:
        yield record(5)
        raise StoppedError

    with pytest.raises(StoppedError):
        write_array_file(tmp_path / "a", FIELDS, one, count=20, digest="other")
    assert write(tmp_path / "a").read_bytes() == write(tmp_path / "b").read_bytes()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.io.test_array_file import FIELDS, record
from nsreason.io.array_file import write_array_file
def records(start):
    for number in range(start, 20):
        if number == 11:
            os.kill(os.getpid(), signal.SIGKILL)
        yield record(number)
write_array_file(Path(sys.argv[1]), FIELDS, records, count=20, digest="d")
"""


def test_a_killed_process_leaves_no_half_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "a")], cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == -9 and not (tmp_path / "a").exists()
    with ArrayFile(write(tmp_path / "a")) as file:
        assert all(same(file[i], record(i)) for i in range(20))


def test_several_writers_write_it_once(tmp_path: Path) -> None:
    calls = []

    def slowly(start: int) -> Iterator[dict[str, Any]]:
        calls.append(start)
        for r in records(start):
            threading.Event().wait(0.01)
            yield r

    def run(_: int) -> None:
        write_array_file(tmp_path / "a", FIELDS, slowly, count=20, digest="d")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    assert calls == [0]


def test_other_data_and_other_fields_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    for given in (lambda: ArrayFile(path, digest="e"), lambda: write(path, "e")):
        with pytest.raises(DataError, match=r"a: was written from other data or settings; remove it to have it"):
            given()
    with pytest.raises(DataError, match="has other fields or another number"):
        write_array_file(path, FIELDS[:2], records, count=20, digest="d")
    for wrong in ({}, record(1) | {"x": np.zeros(3)}, record(1) | {"boxes": np.zeros((2, 3), np.int32)}):
        with pytest.raises(DataError, match=r"record: '(x|boxes)' is .*, got "):
            write_array_file(tmp_path / "b", FIELDS, lambda _, w=wrong: [w], count=1, digest="")  # type: ignore[misc]
    with pytest.raises(DataError, match="1 records, expected 2"):
        write_array_file(tmp_path / "c", FIELDS, lambda _: [record(1)], count=2, digest="")
    with pytest.raises(DataError, match="cannot be written"):
        write(tmp_path / "no" / "folder")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        ArrayFile(tmp_path / "absent")
    with pytest.raises(ValueError, match="dtype: one of"):
        Field("x", "object", ())


def test_damage_is_refused_wherever_it_is(tmp_path: Path) -> None:
    """Every record of a damaged file is what was written, or refused."""
    path = write(tmp_path / "a")
    whole, drawn = path.read_bytes(), random.Random(5)
    refused = 0
    for _ in range(400):
        data = bytearray(whole)
        match drawn.randrange(3):
            case 0:
                data[drawn.randrange(len(data))] ^= 1 << drawn.randrange(8)
            case 1:
                del data[drawn.randrange(len(data)) :]
            case _:
                at = drawn.randrange(len(data))
                data[at : at + 8] = drawn.randbytes(8)
        path.write_bytes(data)
        try:
            with ArrayFile(path, digest="d") as file:
                for i in range(20):
                    assert same(file[i], record(i)) or bytes(data[:200]) != whole[:200]
        except DataError:
            refused += 1
    assert refused > 300


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_memory_stays_as_it_is_however_large_the_file() -> None:
    """64 MB of records: the process's own memory (mapped pages can be given back) grows by a few MB."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        grown, read = pool.apply(_read_much)
    assert read == 64 << 20 and grown < 12 << 10, f"{grown} kB"


def _own_memory() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def _read_much() -> tuple[int, int]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        fields = (Field("x", "uint8", (1 << 20,)),)
        before = _own_memory()
        written = ({"x": np.full(1 << 20, n, np.uint8)} for n in range(64))
        write_array_file(path, fields, lambda _: written, count=64, digest="")
        with ArrayFile(path) as file:
            total = sum(len(file[i]["x"]) for i in range(64))
            return _own_memory() - before, total
