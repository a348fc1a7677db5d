"""Packed files of every kind are unpacked up to a cap and no further."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nsreason.data.arrays import read_arrays
from nsreason.data.babi import load_babi, task_files
from nsreason.data.scenes import load_scenes
from nsreason.errors import DataError
from nsreason.io import unpacking
from nsreason.io.files import read_bytes
from nsreason.io.unpacking import LimitedStream, Unpacking

REFUSED = r"bytes that unpack to more than {}, as files do that are made to do harm\n.*NSREASON_UNPACK_RATIO"
STORY = b"1 Mary moved to the bathroom.\n2 Where is Mary?\tbathroom\t1\n"
NAME = "en-10k/qa1_single-supporting-fact_train.txt"
Packer = Callable[[Path, dict[str, bytes]], None]


def packed_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(name, data)


def packed_tar(mode: str) -> Packer:
    def pack(path: Path, files: dict[str, bytes]) -> None:
        with tarfile.open(path, mode) as out:  # type: ignore[call-overload]
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                out.addfile(member, io.BytesIO(data))

    return pack


ARCHIVES: dict[str, Packer] = {
    ".zip": packed_zip,
    ".tar": packed_tar("w"),
    ".tar.gz": packed_tar("w:gz"),
    ".tar.bz2": packed_tar("w:bz2"),
    ".tar.xz": packed_tar("w:xz"),
}


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    """Low caps, so that bombs may be small."""
    monkeypatch.setattr(unpacking, "FREE", 100_000)


@pytest.mark.usefixtures("low")
def test_gzip_is_unpacked_to_its_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scenes.json.gz"
    path.write_bytes(gzip.compress(bytes(10_000_000)))
    limit = max(100_000, 250 * path.stat().st_size)
    with pytest.raises(DataError, match=r"scenes\.json\.gz: [\d,]+ " + REFUSED.format(f"{limit:,}")):
        read_bytes(path)
    with pytest.raises(DataError, match="unpack to more than"):
        load_scenes(path)
    monkeypatch.setenv("NSREASON_UNPACK_RATIO", "2_000")
    assert len(read_bytes(path)) == 10_000_000
    monkeypatch.setenv("NSREASON_UNPACK_BYTES", "9999999")
    with pytest.raises(DataError, match="unpack to more than 9,999,999,"):
        read_bytes(path)
    monkeypatch.setenv("NSREASON_UNPACK_BYTES", "10000000")
    assert len(read_bytes(path)) == 10_000_000


@pytest.mark.usefixtures("low")
def test_a_bomb_takes_no_more_than_its_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written to the disk on the way is bounded, too."""
    written = 0

    class Counted(io.BytesIO):
        def write(self, data: object) -> int:  # type: ignore[override]
            nonlocal written
            written += len(data)  # type: ignore[arg-type]
            return super().write(data)  # type: ignore[arg-type]

    monkeypatch.setattr("nsreason.io.files.tempfile.TemporaryFile", Counted)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    with pytest.raises(DataError, match="unpack to more than"):
        read_bytes(path)
    assert written <= max(100_000, 250 * path.stat().st_size)


def test_what_people_have_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files may be of any ratio: a list of equal scenes packs to a thousandth."""
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b" " * 10_000_000))
    assert len(read_bytes(path)) == 10_000_000 and len(read_bytes(path)) / path.stat().st_size > 900
    assert (unpacking.RATIO, unpacking.LIMIT, unpacking.FREE) == (250, 16 << 30, 64 << 20)


def test_a_damaged_file_is_still_told_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 100)[:-20])
    with pytest.raises(DataError, match="its gzip data are damaged"):
        read_bytes(path)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "1e9", "9" * 40, "²"])
@pytest.mark.parametrize("name", ["NSREASON_UNPACK_RATIO", "NSREASON_UNPACK_BYTES"])
def test_a_setting_that_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"{}"))
    monkeypatch.setenv(name, value)
    with pytest.raises(DataError, match=f"{name} in the environment is a whole number above 0, got"):
        read_bytes(path)
    monkeypatch.setenv(name, " ")
    assert read_bytes(path) == b"{}"


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_are_read_as_before(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"tasks{kind}"
    ARCHIVES[kind](path, {"notes.txt": b"x" * 3_000_000, NAME: STORY})
    assert len(load_babi(path, size="10k", tasks=[1])) == 1
    assert len(load_babi(tmp_path, size="10k", tasks=[1])) == 1


@pytest.mark.usefixtures("low")
@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("inside", ["task", "other file"])
def test_archives_are_unpacked_to_their_cap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, inside: str
) -> None:
    """The file that is looked for, or one before it that a solid archive must be unpacked through."""
    path = tmp_path / f"tasks{kind}"
    bomb = b"\n" * 8_000_000
    files = {NAME: STORY + bomb} if inside == "task" else {"a.bin": bomb, NAME: STORY}
    ARCHIVES[kind](path, files)
    monkeypatch.setenv("NSREASON_UNPACK_BYTES", "7000000")
    if inside == "other file" and kind in (".zip", ".tar"):  # what is not asked for is not unpacked
        assert len(task_files(path)) == 1
        return
    with pytest.raises(DataError, match=rf"tasks\{kind}: [\d,]+ bytes that unpack to more than"):
        task_files(path)


@pytest.mark.usefixtures("low")
def test_a_zip_that_lies_about_its_sizes(tmp_path: Path) -> None:
    path = tmp_path / "tasks.zip"
    packed_zip(path, {NAME: b"\n" * 5_000_000})
    data = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # the unpacked size, in both headers
        start = data.index(magic) + at
        data[start : start + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DataError):
        task_files(path)


@pytest.mark.usefixtures("low")
def test_a_sparse_tar_that_says_it_is_huge(tmp_path: Path) -> None:
    """A few hundred bytes whose header says that a file of zeros is a terabyte long."""
    path = tmp_path / "tasks.tar"
    member = tarfile.TarInfo(NAME)
    member.type, member.size = tarfile.GNUTYPE_SPARSE, 0
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    block[483:495] = b"%011o\0" % (1 << 32)  # the real size
    block[386:410] = b"%011o\0%011o\0" % ((1 << 32) - 1, 0)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path.write_bytes(bytes(block) + bytes(1024))
    with pytest.raises(DataError):
        task_files(path)


@pytest.mark.usefixtures("low")
def test_arrays_are_unpacked_to_their_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train.npz"
    np.savez_compressed(path, images=np.zeros((4_000, 1_000), np.uint8))
    expected: dict[str, tuple[tuple[int | str, ...], type]] = {"images": (("N", 1_000), np.uint8)}
    with pytest.raises(DataError, match=r"train\.npz: [\d,]+ bytes that unpack to more than"):
        read_arrays(path, expected)
    monkeypatch.setenv("NSREASON_UNPACK_RATIO", "5000")
    assert read_arrays(path, expected)["images"].shape == (4_000, 1_000)


@pytest.mark.parametrize("stream", [gzip.GzipFile, bz2.BZ2File, lzma.LZMAFile])
def test_a_stream_is_not_skipped_through_beyond_its_cap(stream: Callable[..., object]) -> None:
    packed = {gzip.GzipFile: gzip.compress, bz2.BZ2File: bz2.compress, lzma.LZMAFile: lzma.compress}
    data = packed[stream](bytes(300_000))  # type: ignore[index]
    raw = stream(fileobj=io.BytesIO(data)) if stream is gzip.GzipFile else stream(io.BytesIO(data))
    limited = LimitedStream(raw, Unpacking("a.tar", 0, most=200_000))
    assert limited.read(1000) == bytes(1000) and limited.tell() == 1000
    assert limited.seek(150_000) == 150_000 and limited.seek(0) == 0
    with pytest.raises(DataError, match=r"a\.tar: 0 bytes that unpack to more than 200,000"):
        limited.seek(250_000)
    with pytest.raises(DataError, match="unpack to more"):
        limited.read()
