"""Damaged files and settings by the thousand: each is read, or refused with an NsreasonError.

    python -m tests.support.fuzz_files --number 100000              # all families, shared out; some minutes
    python -m tests.support.fuzz_files checkpoint resume --number 5000 --seed 7
    python -m tests.support.fuzz_files set --only 1234               # one input again, with its traceback

Files that the package wrote itself (checkpoints, records of runs, comparisons, prediction files), recipes, `--set`
values, images and detections are changed in one to three places: bytes flipped, cut or doubled, and values of their
data replaced by ones of another kind, huge numbers, deep nests, odd text. Input `k` of a family follows from the seed,
the family and `k` alone. What is accepted is used too: written back, built, drawn or trained on for a few steps.

Prints how many inputs ended how; exits with 1 if any error was none of NsreasonError's.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import tomli_w
import torch
from PIL import Image

from nsreason.comparison.comparer import compare
from nsreason.comparison.html import page
from nsreason.comparison.results import Comparison
from nsreason.comparison.statistics import figures_json
from nsreason.comparison.text import to_markdown
from nsreason.data.predictions import Journal, Prediction
from nsreason.errors import NsreasonError
from nsreason.io.image_tensors import read_image
from nsreason.models.answer_networks.models import QuestionTypeModel
from nsreason.perception.detections.readers import read_detections
from nsreason.reasoners.fit import learn
from nsreason.reasoners.reasoner import FitRequest
from nsreason.training import trainer
from nsreason.training.budget import Budget
from nsreason.training.building import build
from nsreason.training.checkpoint import load_checkpoint, load_model, save_checkpoint
from nsreason.training.optimizer_state import load_optimizer
from nsreason.training.recipe import Recipe, apply_overrides, bundled_recipes, load_recipe, new_model, parse_recipe
from tests.support.checkpoints import sealed
from tests.support.toy_models import examples
from tests.support.toy_queries import network_config, queries
from tests.support.toy_run import RECIPE

SEED = 20261128
Attempt = Callable[[Random], None]

# --- changes ------------------------------------------------------------------------------------------------

_RAW = "\ue000raw:"  # a text that stands for JSON which Python's writer cannot make
DEEP, DIGITS, NAN = _RAW + "deep", _RAW + "digits", _RAW + "nan"
_RAWS = {DEEP: "[" * 3000 + "]" * 3000, DIGITS: "9" * 5000, NAN: "NaN"}
ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 7, 10**30, -(10**30), 2**63, 2**31, 1e308, -1e308, 1e-320, 0.5, -0.0),
    *("", " ", "\0", "a\0b", "x" * 3000, "\ud800", "é", "中", "../../etc/passwd", "/", "nan", "1e999", "1.0"),
    *([], {}, [[]], [None], {"": None}, [0] * 50, {"a": {"b": {"c": 1}}}, ["a", 1], DEEP, DIGITS, NAN),
]
_SAYABLE = [v for v in ODD if v is not None and v not in (DEEP, DIGITS, NAN, "\ud800")] + [3, 0.25, 64, "x", [8]]
_BYTES = [b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", *(b"%c" % c for c in b'{}[]",:\n\r-='), b"9" * 400]


def changed_bytes(data: bytes, random: Random) -> bytes:
    """Bytes with one to three changes: flipped, cut out, doubled, put in, replaced, or the end cut off."""
    out = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at, end = random.randint(0, len(out)), random.randint(0, len(out))
        at, end = min(at, end), max(at, end)
        match random.randrange(7):
            case 0 if out:
                out[random.randrange(len(out))] ^= 1 << random.randrange(8)
            case 1:
                del out[at : min(end, at + random.choice((1, 4, 40, 4000)))]
            case 2:
                out[at:at] = out[at : min(end, at + 200)]
            case 3:
                out[at:at] = random.choice(_BYTES)
            case 4:
                out[at : at + random.choice((1, 8))] = random.choice(_BYTES)
            case 5:
                del out[at:]
            case _:
                out[at:at] = random.randbytes(random.choice((1, 8)))
    return bytes(out)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all values of plain data, the outermost first."""
    paths = [path]
    if isinstance(value, dict):
        for key, item in value.items():
            paths += places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value[:40]):
            paths += places(item, (*path, number))
    return paths


def changed_data(value: Any, random: Random, odd: list[Any] = ODD) -> Any:
    """Plain data with one to three changes: a value replaced, removed, doubled or put under another name."""
    value = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 2, 3))):
        paths = places(value)
        path = random.choice(paths)
        if not path:
            if random.random() < 0.05:
                return copy.deepcopy(random.choice(odd))
            continue
        holder = value
        for step in path[:-1]:
            holder = holder[step]
        key, what = path[-1], random.randrange(8)
        if what < 5:
            holder[key] = copy.deepcopy(random.choice(odd))
        elif what == 5:
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key])) if what == 6 else holder.append(random.choice(odd[:24]))
        else:
            name = random.choice([str(key)[:-1], str(key) + "s", "\0", "\ud800", *map(str, holder)])
            holder[name] = holder.pop(key)
    return value


def as_json(value: Any) -> bytes:
    """JSON of data in which texts of `_RAWS` stand for what they name."""
    text = json.dumps(value)
    for name, raw in _RAWS.items():
        text = text.replace(json.dumps(name), raw)
    return text.encode()


def changed_json(data: bytes, random: Random) -> bytes:
    """A JSON file, changed in its data or, one time in four, in its bytes."""
    return changed_bytes(data, random) if random.random() < 0.25 else as_json(changed_data(json.loads(data), random))


# --- families -----------------------------------------------------------------------------------------------


class Files:
    """Files of a folder as they are, and with some changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.whole = self._now()

    def _now(self) -> dict[Path, bytes]:
        return {p.relative_to(self.folder): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}

    def named(self, pattern: str) -> Path:
        """The path of one file, by a pattern of its name."""
        (match,) = (name for name in self.whole if name.match(pattern))
        return match

    @contextmanager
    def changed(self, new: dict[Path, bytes]) -> Any:
        """The files with others in their place, and then as they were."""
        for name, data in new.items():
            (self.folder / name).write_bytes(data)
        try:
            yield
        finally:
            for name, path in ((p.relative_to(self.folder), p) for p in self.folder.rglob("*") if p.is_file()):
                if name not in self.whole:
                    path.unlink()
            for name, data in self.whole.items():
                if not (self.folder / name).exists() or (self.folder / name).read_bytes() != data:
                    (self.folder / name).write_bytes(data)


def changed_checkpoint(files: Files, name: str, random: Random) -> dict[Path, bytes]:
    """A checkpoint of which the record, the table of tensors, or any bytes are changed; more often than not its
    checksum agrees, so that what is behind it is reached."""
    path = files.named(f"{name}.safetensors")
    whole = files.whole[path]
    size = int.from_bytes(whole[:8], "little")
    header = whole[8 : 8 + size]
    match random.randrange(3):
        case 0:
            table = json.loads(header)
            text = changed_json(table["__metadata__"]["nsreason"].encode(), random).decode(errors="surrogateescape")
            table["__metadata__"]["nsreason"] = text.replace('{"crc32": "', '{"crc32":"', 1)
            header = json.dumps(table, separators=(",", ":")).encode()
        case 1:
            header = changed_json(header, random).replace(b": ", b":", 3)  # as far as the checksum
        case _:
            data = changed_bytes(whole, random)
            return {path: sealed(data) if random.random() < 0.8 else data}
    data = len(header).to_bytes(8, "little") + header + whole[8 + size :]
    return {path: sealed(data) if random.random() < 0.8 else data}


def checkpoints(folder: Path) -> Attempt:
    """Checkpoints of a model of the table: read, built, and its optimizer put back."""
    torch.manual_seed(0)
    model = QuestionTypeModel(network_config("rows"))
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    model.loss(model.collate(queries("rows", 6))).loss.backward()
    optimizer.step()
    save_checkpoint(folder, "last", model_name="question-type", model=model, step=1, optimizer=optimizer)
    files, batch = Files(folder), model.collate(queries("rows", 4))

    def attempt(random: Random) -> None:
        with files.changed(changed_checkpoint(files, "last", random)):
            model = load_model(folder)
            model.predict(batch)
            later = torch.optim.AdamW(model.parameters(), 0.01)
            load_optimizer(model, later, load_checkpoint(folder))
            model.train().loss(batch).loss.backward()
            later.step()

    return attempt


def resumed(folder: Path) -> Attempt:
    """The folder of a run: its checkpoint, metrics and record; what is taken up is trained to its end."""
    recipe = parse_recipe(RECIPE, overrides=["training.epochs=3", "training.batch_size=8", "training.log_every=1"])
    data = examples(24)

    def run(recipe: Recipe) -> Any:
        return trainer.train(new_model(recipe), data, data[:4], recipe, folder, resume=True)

    run(apply_overrides(recipe, ["training.epochs=2"]))
    files = Files(folder)

    def attempt(random: Random) -> None:
        name = random.choice(("last", "last", "run.json", "metrics.csv", "metrics.csv", "best"))
        if name in ("last", "best"):
            new = changed_checkpoint(files, name, random)
        elif name == "run.json":
            new = {Path(name): changed_json(files.whole[Path(name)], random)}
        else:
            new = {Path(name): changed_bytes(files.whole[Path(name)], random)}
        with files.changed(new):
            run(recipe)

    return attempt


def _kept(recipe: Recipe, random: Random) -> None:
    """What is done with a recipe that was accepted: it is written and read, as data and as TOML, and built."""
    assert parse_recipe(recipe.to_toml()) == recipe
    json.dumps(recipe.to_dict(), allow_nan=False).encode()
    if not recipe.model.startswith(("detector", "scene", "concept")) and random.random() < 0.1:
        build(recipe.model, recipe.model_config)
    if recipe.model.startswith(("scene", "concept")) and random.random() < 0.02:
        build(recipe.model, recipe.model_config)


def recipes(folder: Path) -> Attempt:
    """Recipe files: in their text, and in their data."""
    known = [load_recipe(name) for name in bundled_recipes()]
    path = folder / "own.toml"

    def attempt(random: Random) -> None:
        recipe = random.choice(known)
        path.write_bytes(changed_bytes(recipe.to_toml().encode(), random))
        if random.random() < 0.7:
            with contextlib.suppress(AttributeError, TypeError, ValueError):  # what TOML cannot say
                path.write_text(tomli_w.dumps(changed_data(recipe.to_dict(), random, _SAYABLE)), encoding="utf-8")
        _kept(load_recipe(path), random)

    return attempt


_TEXTS = [
    *("9" * 5000, "-" + "9" * 400, "1" + "0" * 30, "1" + "0" * 400, "1e999", "inf", "-inf", "nan", "2026-11-28"),
    *("07:32:00", "1979-05-27T07:32:00Z", "\ud800", '"\ud800"', "\0", "a\0b", "[" * 3000, "{" * 3000, "[[[[1]]]]"),
    *("{a = 1}", "{a = {b = [1, 2]}}", "[]", "[1, 2]", "['a', 1]", "true", "false", "0", "-1", "1", "2", "3.5", "1e-3"),
    *("0x7fffffffffffffff", "9223372036854775808", "1\nb = 2", "'", '"', '"""', "=", "a=b", " ", "sgd", "32", "None"),
    *("step", "cosine", "rows", "nscl-release", "[3]", "[0.9, 0.99]", "[nan, 1]", "x" * 100_000, "é", "[2026-11-28]"),
]


def overrides(folder: Path) -> Attempt:
    """`--set` values, one to three at once."""
    known = [load_recipe(name) for name in bundled_recipes()]
    keys = sorted({".".join(map(str, p)) for r in known for p in places(r.to_dict()) if p and isinstance(p[-1], str)})
    odd = ["", ".", "a", "training", "training.", ".lr", "training.lr.x", "training.schedule.kind.a", "\ud800.a"]
    odd += ["data.\ud800", "data." + "a." * 5000, "model_config.\0", "curriculum.preset", "curriculum.request", "\0"]

    def attempt(random: Random) -> None:
        settings = []
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            key = random.choice(odd) if random.random() < 0.15 else random.choice(keys)
            text = random.choice(_TEXTS)
            if random.random() < 0.2:
                text = changed_bytes(text[:200].encode(errors="surrogatepass"), random).decode(errors="surrogateescape")
            settings.append(f"{key}={text}" if random.random() < 0.97 else key)
        recipe = random.choice(known)
        if random.random() < 0.6:  # a value of its own, with one change, is accepted now and then
            path = random.choice([p for p in places(recipe.to_dict()) if p and all(isinstance(k, str) for k in p)])
            value = recipe.to_dict()
            for step in path:
                value = value[step]
            if not isinstance(value, dict | list):
                text = random.choice((f"{value}0", f"-{value}", f"0.{value}", f"{value}", f"[{value}]", f"1{value}"))
                settings = [f"{'.'.join(path)}={text}"]
        _kept(apply_overrides(recipe, settings), random)

    return attempt


def comparisons(folder: Path) -> Attempt:
    """The folder of a comparison: its plan, its answers, under other names too; and a comparison as a file."""
    names = [f"tests.support.toy_reasoners:{name}" for name in ("Knows", "AlwaysYes", "Learner")]
    out = folder / "out"

    def run() -> Comparison:
        return compare("tests.support.toy_reasoners:Sums", folder, names, out, sizes=[20], examples=2)

    run()
    for path in out.glob("runs/*/made.txt"):
        path.unlink()
    files = Files(out)
    answers = [name for name in files.whole if name.parent.name == "answers"]

    def attempt(random: Random) -> None:
        if random.random() < 0.4:
            comparison = Comparison.from_json(
                changed_json(files.whole[Path("comparison.json")], random), "comparison.json"
            )
        else:
            name = random.choice([Path("plan.json"), *answers, *answers])
            new = {name: changed_json(files.whole[name], random)}
            if random.random() < 0.1:
                new = {name: files.whole[random.choice(answers)]}
            with files.changed(new):
                comparison = run()
        assert page(comparison) and to_markdown(comparison)
        json.dumps(figures_json(comparison), allow_nan=False)

    return attempt


def lessons(folder: Path) -> Attempt:
    """What a reasoner learned: the record of its request beside its checkpoint."""
    recipe, data = parse_recipe(RECIPE), examples(24)
    request = FitRequest("toy", queries("rows", 2), [], folder / "runs", Budget(examples=48))
    learn(recipe, request, data, [])
    files = Files(folder / "runs")

    def attempt(random: Random) -> None:
        name = Path("fit.json")
        with files.changed({name: changed_json(files.whole[name], random)}):
            learn(recipe, request, data, [])

    return attempt


def predictions(folder: Path) -> Attempt:
    """A partial prediction file, taken up again: in its bytes, and in records with checksums that agree."""
    path, run = folder / "p.jsonl", {"questions": "ab"}
    from nsreason.data import predictions as module

    records = [{"question_index": i, "status": "right", "answer": "a", "error": {"a": 1}} for i in range(4)]

    def attempt(random: Random) -> None:
        with Journal(path, run) as journal:
            journal.write(b"".join(as_json(r) + b"\n" for r in records))
        partial = Path(f"{path}.partial")
        if random.random() < 0.5:
            partial.write_bytes(changed_bytes(partial.read_bytes(), random))
        else:
            header, *rest = partial.read_bytes().splitlines(keepends=True)
            place = random.randrange(5)
            line = as_json(changed_data(records[place - 1] if place else {"journal": "x", "run": run}, random)) + b"\n"
            lines = [header, *rest]
            lines[place] = module._sealed(line, place)
            partial.write_bytes(b"".join(lines))
        taken: list[Prediction] = []
        with Journal(path, run, resume=True) as journal:
            assert journal.replay(taken.append) == len(taken)
            journal.finish()
        assert len(path.read_bytes().splitlines()) == len(taken)

    return attempt


def _pictures() -> list[bytes]:
    """Small images of each format and mode."""
    grey = np.arange(24 * 16, dtype=np.uint8).reshape(16, 24)
    rgb = Image.fromarray(np.stack([grey, grey[::-1], grey[:, ::-1]], -1))
    kinds: list[tuple[Image.Image, dict[str, Any]]] = [
        *((rgb, {"format": f}) for f in ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF")),
        (rgb.convert("RGBA"), {"format": "PNG"}),
        (rgb.convert("P"), {"format": "PNG", "transparency": 3}),
        (Image.fromarray(grey.astype(np.uint16) * 255), {"format": "PNG"}),
        (rgb.convert("LA"), {"format": "PNG"}),
        (rgb.convert("1"), {"format": "PNG"}),
        (rgb.convert("CMYK"), {"format": "JPEG"}),
        (rgb.convert("L"), {"format": "JPEG", "progressive": True}),
        (rgb, {"format": "WEBP", "save_all": True, "append_images": [rgb, rgb]}),
    ]
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds.append((rgb, {"format": "JPEG", "exif": exif}))
    images = []
    for image, how in kinds:
        out = io.BytesIO()
        image.save(out, **how)
        images.append(out.getvalue())
    return images


def images(folder: Path) -> Attempt:
    """Image files; the checksums of PNG's chunks are made anew more often than not."""
    kinds = _pictures()

    def attempt(random: Random) -> None:
        data = changed_bytes(random.choice(kinds), random)
        if data.startswith(b"\x89PNG") and random.random() < 0.7:
            data = _checked(data)
        path = folder / "image.png"
        path.write_bytes(data)
        image = read_image(path)
        assert image.dtype == torch.uint8 and image.ndim == 3 and len(image) == 3

    return attempt


def _checked(data: bytes) -> bytes:
    """A PNG with right checksums, as far as its chunks can be followed."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        end = at + 8 + int.from_bytes(out[at : at + 4], "big")
        if end + 4 > len(out):
            break
        out[end : end + 4] = zlib.crc32(out[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(out)


_RLE = {"size": [6, 8], "counts": [10, 5, 33]}
_DETECTED: list[tuple[Any, dict[str, Any]]] = [
    ([{"mask": _RLE, "image_idx": i, "category_idx": 2, "score": 0.5} for i in range(3)], {"names": "a{:02d}.png"}),
    (
        {"object_masks": [_RLE] * 2, "image_idxs": [0, 1], "category_idxs": [1, 2], "scores": [0.5, 1.0]},
        {"names": "a{:02d}.png"},
    ),
    ({"scenes": [{"image_filename": "a.png", "objects_detection": [{"mask": _RLE, "score": 0.5}]}]}, {}),
    (
        {
            "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 6}],
            "categories": [{"id": 3, "name": "cube"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 3, "bbox": [0.0, 1.0, 2.0, 3.0], "area": 6.0, "iscrowd": 0},
                {"id": 2, "image_id": 1, "category_id": 3, "segmentation": [[0, 0, 4, 0, 4, 4]], "bbox": [0, 0, 4, 4]},
                {"id": 3, "image_id": 1, "category_id": 3, "segmentation": _RLE},
            ],
        },
        {},
    ),
]


def detections(folder: Path) -> Attempt:
    """Detections in the layouts of NS-VQA, NS-CL and COCO."""
    path = folder / "detections.json"

    def attempt(random: Random) -> None:
        data, how = random.choice(_DETECTED)
        path.write_bytes(changed_json(json.dumps(data).encode(), random))
        for image in read_detections(path, **how):
            assert len(image) == len(image.boxes)

    return attempt


FAMILIES: dict[str, tuple[Callable[[Path], Attempt], float]] = {
    "checkpoint": (checkpoints, 0.2),
    "resume": (resumed, 0.03),
    "recipe": (recipes, 0.15),
    "set": (overrides, 0.15),
    "compare": (comparisons, 0.05),
    "request": (lessons, 0.02),
    "predictions": (predictions, 0.08),
    "image": (images, 0.22),
    "detections": (detections, 0.1),
}
"""Name -> what makes its attempt in a folder, and its share of all inputs."""


# --- the count ----------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """How inputs ended: by family and kind of error; `untyped` tells each that was none of NsreasonError's."""

    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    untyped: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.ended.total()

    def __str__(self) -> str:
        kinds = sorted({kind for _, kind in self.ended}, key=lambda k: (k != "accepted", k))
        families = list(dict.fromkeys(family for family, _ in self.ended))
        rows = [["", *families, "all"]]
        for kind in kinds:
            counts = [self.ended[family, kind] for family in families]
            rows.append([kind, *map(str, counts), str(sum(counts))])
        counts = [sum(n for (f, _), n in self.ended.items() if f == family) for family in families]
        rows.append(["inputs", *map(str, counts), str(self.number)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([*lines, f"untyped errors: {len(self.untyped)}"])


LONGEST = 5.0  # seconds of CPU for one input; nearly all take milliseconds


def fuzz(family: str, number: int, *, seed: int = SEED, first: int = 0, tally: Tally | None = None) -> Tally:
    """Try inputs `first` to `first + number - 1` of a family."""
    tally = tally or Tally()
    with tempfile.TemporaryDirectory(prefix="nsreason-fuzz-") as name, _quick():
        attempt = FAMILIES[family][0](Path(name))
        for k in range(first, first + number):
            began = time.process_time()
            try:
                attempt(Random(f"{seed}/{family}/{k}"))
                ended = "accepted"
            except NsreasonError as error:
                ended = type(error).__name__
                str(error).encode(errors="backslashreplace")
                json.dumps(error.record())
            except Exception as error:
                ended = f"untyped {type(error).__name__}"
                tally.untyped.append(f"{family} {k} (seed {seed}): {traceback.format_exc(limit=-6)}")
            if time.process_time() - began > LONGEST:
                tally.slow.append(f"{family} {k} (seed {seed})")
            tally.ended[family, ended] += 1
    return tally


@contextmanager
def _quick() -> Any:
    """No waiting for the disk; no warnings, which other libraries give of damaged images."""
    fsync, os.fsync = os.fsync, lambda _: None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.fsync = fsync
        torch.set_num_threads(threads)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"of {', '.join(FAMILIES)}; all unless given")
    parser.add_argument("--number", type=int, default=2000, help="of inputs, shared out over the families given")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input of each family")
    parser.add_argument("--only", type=int, help="one input of the one family")
    options = parser.parse_args()
    families = options.families or list(FAMILIES)
    share = sum(FAMILIES[f][1] for f in families)
    tally = Tally()
    for family in families:
        number = 1 if options.only is not None else max(1, round(options.number * FAMILIES[family][1] / share))
        first = options.first if options.only is None else options.only
        began = time.perf_counter()
        fuzz(family, number, seed=options.seed, first=first, tally=tally)
        took = time.perf_counter() - began
        so_far = f"{family}: {number} inputs in {took:.0f} s; {len(tally.untyped)} untyped errors so far"
        print(so_far, file=sys.stderr, flush=True)
    for text in tally.untyped[:40]:
        print(text, file=sys.stderr)
    print(tally)
    if tally.slow:
        print(f"took more than {LONGEST} s of CPU: {', '.join(tally.slow[:20])}")
    return 1 if tally.untyped else 0


if __name__ == "__main__":
    sys.exit(main())
