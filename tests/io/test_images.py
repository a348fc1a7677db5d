"""Which image files are read, and how: nothing but the listed formats, whatever a file is called."""

from __future__ import annotations

import ast
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from nsreason.data.image_folder import ImageFolder, find_images
from nsreason.errors import DataError
from nsreason.io.embedded_images import embedded
from nsreason.io.image_tensors import read_image
from nsreason.io.images import ENDINGS, FORMATS, LARGEST, read_header, read_rgb
from nsreason.queries.image import QueryImage

ROOT = Path(__file__).parent.parent.parent
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(hostile) print\nshowpage\n%%EOF\n"
SAVED = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "WEBP": ".webp"}
REFUSED = ("GIF", "TIFF", "ICO", "PPM", "TGA", "PCX", "SGI", "DDS", "PDF", "EPS")


def readers() -> list[object]:
    return [read_header, read_rgb, read_image, embedded, lambda path: QueryImage(path).tensor()]


def colours(path: Path) -> None:
    Image.fromarray(np.full((4, 6, 3), (200, 30, 40), dtype=np.uint8)).save(path)


def test_no_other_module_opens_an_image() -> None:
    """One place lists the formats; a second one would forget them."""
    opening = {"Image.open", "PIL.Image.open", "torchvision.io.read_image", "io.read_image", "imread", "imageio"}
    modules = []
    for folder in ("nsreason", "perception", "executors", "examples", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            calls = [ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)]
            froms = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
            names = {f"{n.module}.{a.name}" for n in froms for a in n.names}
            calls += ["Image.open"] if "PIL.Image.open" in names else []
            if any(c in opening or c.endswith((".imread", "Image.open")) for c in calls):
                modules.append(path.relative_to(ROOT).as_posix())
    assert sorted(modules) == ["nsreason/io/images.py"]


@pytest.mark.parametrize("reader", readers())
@pytest.mark.parametrize("name", ["page.png", "page.jpg", "page.eps", "page"])
def test_an_eps_file_starts_no_other_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reader: object
) -> None:
    started: list[object] = []

    def run(*arguments: object, **named: object) -> None:
        started.append(arguments)
        raise OSError("ghostscript would have run")

    monkeypatch.setattr(EpsImagePlugin, "gs_binary", "gs", raising=False)
    monkeypatch.setattr(EpsImagePlugin, "has_ghostscript", lambda: True, raising=False)
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    path = tmp_path / name
    path.write_bytes(EPS)
    with Image.open(path) as opened, pytest.raises(OSError, match="ghostscript"):  # Pillow left to itself runs it
        opened.load()
    assert started
    started.clear()
    with pytest.raises(DataError, match="not an image; PNG, JPEG, BMP and WebP can be read"):
        reader(path)  # type: ignore[operator]
    assert not started


@pytest.mark.parametrize("kind", FORMATS)
def test_listed_formats_are_read_by_content_and_found_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a{SAVED[kind]}"
    colours(path)
    assert SAVED[kind] in FORMATS[kind] and set(FORMATS[kind]) <= set(ENDINGS)
    assert find_images([tmp_path]) == [path] and ImageFolder(tmp_path).files == [path]
    other = path.rename(tmp_path / "named.dat")
    assert abs(np.asarray(read_rgb(other)).astype(int) - (200, 30, 40)).max() < 6
    header = read_header(other)
    assert (header.format, header.width, header.height, header.turned) == (kind, 6, 4, False)
    assert (embedded(other).width, embedded(other).height) == (6, 4)


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("reader", readers())
def test_no_other_format_is_read(tmp_path: Path, kind: str, reader: object) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (16, 16), "red").save(path, format=kind)
    with pytest.raises(DataError, match=r"a\.png: not an image; PNG, JPEG, BMP and WebP can be read"):
        reader(path)  # type: ignore[operator]


def test_of_several_frames_the_first_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for ending in (".webp", ".png"):
        path = tmp_path / f"film{ending}"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
        assert read_rgb(path).getpixel((4, 4)) == (255, 0, 0)


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    start = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [LARGEST // 7_000, 10_000, 12_000, 100_000, 2**31 - 1])
@pytest.mark.parametrize("reader", readers())
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_images_of_absurd_sizes_are_refused_unread(tmp_path: Path, side: int, reader: object) -> None:
    """A few bytes that say they are gigabytes: refused by what the header says, before memory is asked for."""
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, max(side, 7_001), zlib.compress(bytes(1_000))))
    with pytest.raises(DataError, match=r"bomb\.png: "):
        reader(path)  # type: ignore[operator]


def test_warnings_that_are_errors_are_typed_too(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(10_000, 10_000))
    with pytest.raises(DataError, match=r"bomb\.png: cannot be read as an image: Image size \(100000000 pixels\)"):
        read_rgb(path)


@pytest.mark.parametrize("kind", SAVED)
@pytest.mark.parametrize("cut", [0, 1, 7, 20, 60, 0.5, 0.9])
@pytest.mark.parametrize("reader", readers())
def test_truncated_images_are_refused_by_name_or_read(tmp_path: Path, kind: str, cut: float, reader: object) -> None:
    path = tmp_path / f"cut{SAVED[kind]}"
    noise = np.random.default_rng(1).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(cut * len(data)) if isinstance(cut, float) else cut])
    try:
        reader(path)  # type: ignore[operator]
    except DataError as error:
        assert f"cut{SAVED[kind]}: " in str(error)
    else:
        assert reader in (read_header, embedded)  # which look at the header alone


def test_a_damaged_note_of_the_camera_costs_no_image(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(path, exif=exif)
    assert read_header(path).turned and (read_header(path).width, read_rgb(path).size) == (20, (20, 40))
    data = path.read_bytes()
    at = data.index(b"Exif\x00\x00") + 6
    path.write_bytes(data[:at] + b"\xff" * 8 + data[at + 8 :])
    header = read_header(path)
    assert (header.width, header.turned) == (40, False) and read_rgb(path).size == (40, 20)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
def test_every_turn_of_a_camera_is_undone(tmp_path: Path, orientation: int, ending: str) -> None:
    """Compare with Pillow's own rotation, where the orientation tag is valid."""
    from PIL import ImageOps

    path = tmp_path / f"a{ending}"
    pixels = np.zeros((16, 24, 3), dtype=np.uint8)
    pixels[:8, :8] = (250, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    with Image.open(path) as file:
        expected = np.asarray(ImageOps.exif_transpose(file).convert("RGB"))
    assert np.array_equal(np.asarray(read_rgb(path)), expected)
    header = read_header(path)
    assert (header.height, header.width) == expected.shape[:2] and header.turned == (orientation != 1)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        read_rgb(tmp_path / "gone.png")
    with pytest.raises(DataError, match="cannot be read as an image: Is a directory"):
        read_header(tmp_path)
    with pytest.raises(DataError, match="cannot be read as an image: embedded null"):
        read_rgb("a\0b.png")


# --- damage of all kinds ------------------------------------------------------------------------------------


def damaged(data: bytes, draw: random.Random) -> bytes:
    """A file with bytes changed, cut out, doubled, or taken for others, more often near its start."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        at = min(int(draw.expovariate(1 / max(1, len(changed) // 6))), max(0, len(changed) - 1))
        kind = draw.randrange(5)
        if kind == 0 and changed:
            changed[at] = draw.randrange(256)
        elif kind == 1 and changed:
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == 2:
            del changed[at : at + draw.randint(1, 40)]
        elif kind == 3:
            changed[at:at] = changed[at : at + draw.randint(1, 40)]
        else:
            changed[at : at + 4] = draw.choice(
                [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\x00\x00\x00\x01"]
            )
    return bytes(changed)


def fuzz(folder: Path, number: int, seed: int) -> dict[str, int]:
    """Read damaged files of every format; returns how many were read and refused."""
    draw = random.Random(seed)
    noise = np.random.default_rng(2).integers(0, 255, (12, 17, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = []
    for kind, ending in SAVED.items():
        modes = ("RGB", "L", "P") if kind != "WEBP" else ("RGB", "RGBA")
        for mode in modes:
            path = folder / f"whole{ending}"
            image = Image.fromarray(noise).convert("RGB").convert(mode) if mode != "RGBA" else Image.fromarray(noise)
            if (kind, mode) == ("JPEG", "P"):
                image = image.convert("CMYK")
            image.save(path, **({} if kind == "BMP" else {"exif": exif}))
            whole.append(path.read_bytes())
    counts = {"read": 0, "refused": 0}
    path = folder / "damaged"
    for _ in range(number):
        path.write_bytes(damaged(draw.choice(whole), draw))
        for reader in (read_header, read_rgb, embedded):
            try:
                reader(path)
                counts["read"] += 1
            except DataError as error:
                assert "damaged: " in str(error)
                counts["refused"] += 1
    return counts


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore:.*:UserWarning:PIL")
def test_damaged_images_are_read_or_refused_by_name(tmp_path: Path) -> None:
    counts = fuzz(tmp_path, 300, 1)  # tests/support/fuzz_files.py has more of them
    assert min(counts.values()) > 50
