"""Images in memory-mapped files: the same training to the bit, killed and resumed, in memory that stays small."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nsreason.data.splits import Split
from nsreason.dsl.domain import load_domain
from nsreason.errors import DataError, TrainingError
from nsreason.models.nscl.data import ConceptData
from nsreason.models.nscl.examples import Examples, Viewed
from nsreason.models.nscl.frames import MappedFrame
from nsreason.models.nscl.image_data import load_image_data
from nsreason.models.nscl.learner import ConceptLearner
from nsreason.perception.detections.coco import write_detections
from nsreason.perception.detections.readers import read_detections
from nsreason.perception.features.regions import RegionConfig
from nsreason.training.recipe import new_model
from nsreason.training.trainer import train
from tests.support.killed_frames import recipe, run
from tests.support.painted_images import write_painted

CLEVR = load_domain("clevr")
SMALL = RegionConfig(size=(80, 120))
ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 painted scenes with 3 questions each; one image is none, one is lost."""
    place = tmp_path_factory.mktemp("painted")
    write_painted(place, scenes=10, questions=3, seed=2)
    images = sorted((place / "images").iterdir())
    images[3].write_bytes(b"no image")
    images[4].unlink()
    return place


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A folder that a test may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(scope="module")
def in_memory(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    model: nn.Module = run(folder, "", tmp_path_factory.mktemp("run"))
    return model


def load(folder: Path, frames: Path | str = "", regions: RegionConfig = SMALL, **more: Any) -> Split[Examples]:
    return load_image_data(folder, CLEVR, regions, ConceptData(**({"held_out": 0.25, "frames": str(frames)} | more)))


def same(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("masks", [True, False])
def test_a_file_holds_what_memory_would(folder: Path, tmp_path: Path, masks: bool) -> None:
    regions = RegionConfig(size=(80, 120), masks=masks)
    memory, mapped = load(folder, regions=regions), load(folder, tmp_path / "frames", regions)
    assert [p.name for p in (tmp_path / "frames").iterdir()] == [f"1-{folder.name}.arrays"]
    assert list(map(str, memory.bad)) == list(map(str, mapped.bad)) and len(memory.bad) == 6
    for part in ("train", "valid"):
        one, other = getattr(memory, part), getattr(mapped, part)
        assert len(one) == len(other) > 0 and one.groups.tolist() == other.groups.tolist()
        for a, b in zip(one, other, strict=True):
            assert (a.record, a.target, a.n_objects) == (b.record, b.target, b.n_objects)
            first, second = a.described.load(), b.described.load()
            assert isinstance(b.described, MappedFrame) and torch.equal(first.image, second.image)
            assert first.scene is not None and second.scene is not None and first.scene.values == second.scene.values
            assert first.detections.size == second.detections.size and (first.cuts is None) == (second.cuts is None)
            for (*place, mask), (*other_place, other_mask) in zip(first.cuts or (), second.cuts or (), strict=True):
                assert place == other_place and torch.equal(mask, other_mask)
    assert memory.train.digest is None and len(str(mapped.train.digest)) == 64


def test_training_is_that_of_memory_to_the_bit(folder: Path, tmp_path: Path, in_memory: nn.Module) -> None:
    assert same(run(folder, str(tmp_path / "frames"), tmp_path / "run"), in_memory)


@pytest.mark.slow
def test_a_process_that_is_killed_goes_on_to_the_bit(folder: Path, tmp_path: Path, in_memory: nn.Module) -> None:
    """While it writes the file of images, and then in the middle of training."""
    frames, place = str(tmp_path / "frames"), tmp_path / "run"
    command = [sys.executable, "-m", "tests.support.killed_frames", str(folder), frames, str(place), "6", "3"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, cwd=ROOT, env=environment)
    assert done.stdout == ".part\n.arrays\n"
    assert same(run(folder, frames, place, resume=True), in_memory)


def test_a_file_is_written_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(folder, tmp_path)
    monkeypatch.setattr("nsreason.models.nscl.frames.read_image", None)  # would fail
    assert len(load(folder, tmp_path).train) == len(load(folder, tmp_path, fraction=1.0).train)


def test_a_file_of_something_else_is_refused(copy: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    load(copy, frames)
    for regions in (RegionConfig(size=(80, 121)), RegionConfig(size=(80, 120), masks=False)):
        with pytest.raises(DataError, match=r"1-copy\.arrays: was written from other data or settings; remove it"):
            load(copy, frames, regions)
    image = sorted((copy / "images").iterdir())[0]
    whole = image.read_bytes()
    image.write_bytes(whole + b" ")  # the same name, the same picture
    with pytest.raises(DataError, match="was written from other data"):
        load(copy, frames)
    image.write_bytes(whole)
    load(copy, frames)
    detections = read_detections(copy / "scenes.json").detections
    write_detections(copy / "detections.json", [d.where(np.arange(len(d)) > 0) for d in detections])
    with pytest.raises(DataError, match="was written from other data"):
        load(copy, frames)


def test_a_run_does_not_go_on_with_other_images(copy: Path, tmp_path: Path) -> None:
    run(copy, str(tmp_path / "a"), tmp_path / "run")
    image = sorted((copy / "images").iterdir())[0]
    image.write_bytes(image.read_bytes() + b" ")
    with pytest.raises(TrainingError, match="the run began with other data"):
        run(copy, str(tmp_path / "b"), tmp_path / "run", resume=True)


def test_damage_is_found_when_it_is_read(folder: Path, tmp_path: Path) -> None:
    load(folder, tmp_path)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[5000] ^= 1  # a pixel of the first image
    path.write_bytes(data)
    split = load(folder, tmp_path)
    with pytest.raises(DataError, match=r"record 0 is damaged; remove it"):
        train(new_model(recipe()), split.train, None, recipe(), tmp_path / "run")


def test_no_more_images_are_in_memory_than_a_batch_has(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one file is open, however many images there are."""
    split = load(folder, tmp_path / "frames", held_out=0)
    collate, load_one = ConceptLearner.collate, MappedFrame.load
    images: list[weakref.ref[Tensor]] = []
    batches = most = 0

    def alive() -> int:
        return sum(image() is not None for image in images)

    def loading(self: MappedFrame) -> Viewed:
        nonlocal most
        view = load_one(self)
        images.append(weakref.ref(view.image))
        most = max(most, alive())
        return view

    def collating(self: ConceptLearner, examples: Any) -> Any:
        nonlocal batches
        assert alive() == 0  # nothing is left of the batch before
        batches += 1
        return collate(self, examples)

    monkeypatch.setattr(ConceptLearner, "collate", collating)
    monkeypatch.setattr(MappedFrame, "load", loading)
    train(new_model(recipe()), split.train, None, recipe(), tmp_path / "run")
    assert batches == 6 and 3 <= most <= 4  # eight questions of three images, or of parts of four
    assert len({id(e.described.file) for e in split.train if isinstance(e.described, MappedFrame)}) == 1
    if Path("/proc/self/maps").exists():
        assert Path("/proc/self/maps").read_text().count(str(tmp_path)) == 1
