"""Folders of images as examples: which detections are taken, which questions cannot be used, what is held out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nsreason.data.scenes import load_scenes
from nsreason.dsl.domain import load_domain
from nsreason.errors import DataError
from nsreason.io.image_tensors import read_image
from nsreason.models.nscl.data import ConceptData
from nsreason.models.nscl.examples import Examples, Viewed
from nsreason.models.nscl.image_data import folders_of, load_image_data
from nsreason.perception.detections.coco import write_detections
from nsreason.perception.detections.detections import Detections
from nsreason.perception.detections.readers import read_detections
from nsreason.perception.features.regions import RegionConfig, Regions
from tests.support.painted_images import write_painted

CLEVR = load_domain("clevr")
SMALL = RegionConfig(size=(160, 240))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 painted scenes with 3 questions each."""
    place = tmp_path_factory.mktemp("painted")
    write_painted(place, scenes=8, questions=3, seed=2)
    return place


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder that a test may spoil."""
    place = tmp_path / "copy"
    shutil.copytree(folder, place)
    yield place


def images_of(examples: Examples) -> list[Viewed]:
    by_id = {id(e.described): e.described for e in examples}
    return [v for v in by_id.values() if isinstance(v, Viewed)]


def rewrite(path: Path, key: str, change: Any) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record[key])
    path.write_text(json.dumps(record), encoding="utf-8")


def test_examples_of_a_folder(folder: Path) -> None:
    split = load_image_data(folder, CLEVR, SMALL, ConceptData(held_out=0.25))
    assert (len(split.train), len(split.valid), split.bad) == (18, 6, [])
    assert len(images_of(split.train)) == 6 and len(images_of(split.valid)) == 2
    example = split.train[0]
    painted_image = images_of(split.train)[0]
    assert painted_image.image.shape == (3, 160, 240) and painted_image.image.dtype == torch.uint8
    assert example.n_objects == len(painted_image) == len(painted_image.detections)
    scene = load_scenes(folder / "scenes.json", CLEVR).by_image(painted_image.detections.image)
    assert painted_image.scene is not None and painted_image.scene.values == scene.values
    assert (np.diff(split.train.groups) >= 0).all() and len(set(split.train.groups.tolist())) == 6


def test_cut_masks_are_the_masks(folder: Path) -> None:
    """What a batch holds does not depend on when the masks were decoded."""
    images = images_of(load_image_data(folder, CLEVR, RegionConfig(), ConceptData(held_out=0)).train)[:3]
    pairs = [(v.image, v.detections) for v in images]
    early = Regions.of(pairs, masks=True, cuts=[v.cuts for v in images])
    late = Regions.of(pairs, masks=True)
    assert early.masks is not None and late.masks is not None and torch.equal(early.masks, late.masks)
    assert early.masks.any()
    bare = images_of(load_image_data(folder, CLEVR, RegionConfig(masks=False), ConceptData(held_out=0)).train)
    assert all(v.cuts is None for v in bare)


def test_detections_go_before_scenes(copy: Path) -> None:
    """detections.json is what is learned from where there is one: here it lacks the last object of every image."""
    detections = read_detections(copy / "scenes.json").detections
    fewer = [
        Detections(d.image, d.size, d.boxes[:-1], d.scores[:-1], d.labels[:-1], list(d.masks or [])[:-1])
        for d in detections
    ]
    write_detections(copy / "detections.json", fewer)
    split = load_image_data(copy, CLEVR, SMALL, ConceptData())
    assert [len(v) for v in images_of(split.train)] == [len(d) - 1 for d in detections][: len(images_of(split.train))]
    assert all(v.scene is None for v in images_of(split.train))  # of which no annotation is of the same objects
    assert split.train[0].n_objects == len(detections[0]) - 1


def test_annotated_values_are_never_needed(copy: Path) -> None:
    def bare(scenes: list[dict[str, Any]]) -> None:
        for scene in scenes:
            scene["objects"] = [{"mask": o["mask"]} for o in scene["objects"]]
            scene.pop("relationships", None)

    rewrite(copy / "scenes.json", "scenes", bare)
    split = load_image_data(copy, CLEVR, SMALL, ConceptData(held_out=0))
    assert len(split.train) == 24 and all(v.scene is None for v in images_of(split.train))


def test_an_image_without_objects_is_left_out_with_a_note(copy: Path) -> None:
    detections = read_detections(copy / "scenes.json").detections
    none = Detections(
        detections[0].image,
        detections[0].size,
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.int64),
        [],
    )
    write_detections(copy / "detections.json", [none, *detections[1:]])
    split = load_image_data(copy, CLEVR, SMALL, ConceptData(held_out=0))
    assert len(split.train) == 21 and len(split.bad) == 3
    assert all("has no object that was detected" in str(error) for error in split.bad)


def test_good_examples_beside_bad_ones(copy: Path) -> None:
    names = [d.image for d in read_detections(copy / "scenes.json").detections]
    (copy / "images" / names[0]).unlink()
    (copy / "images" / names[1]).write_bytes(b"no image")
    rewrite(copy / "questions.json", "questions", lambda q: q[-1].update(image_filename="CLEVR_other.png"))
    rewrite(copy / "questions.json", "questions", lambda q: q[-2].pop("answer"))
    split = load_image_data(copy, CLEVR, SMALL, ConceptData(held_out=0))
    assert len(split.train) == 24 - 8
    messages = "\n".join(map(str, split.bad))
    for message in (f"{names[0]}: no such image", "not an image", "CLEVR_other.png is not in", "has no answer"):
        assert message in messages


def test_images_by_number(copy: Path) -> None:
    def unnamed(questions: list[dict[str, Any]]) -> None:
        for q in questions:
            del q["image_filename"]

    by_name = load_image_data(copy, CLEVR, SMALL, ConceptData(held_out=0)).train
    rewrite(copy / "questions.json", "questions", unnamed)
    by_number = load_image_data(copy, CLEVR, SMALL, ConceptData(held_out=0)).train
    for a, b in zip(by_name, by_number, strict=True):
        assert isinstance(a.described, Viewed) and isinstance(b.described, Viewed)
        assert a.described.detections.image == b.described.detections.image


def test_several_folders(folder: Path, copy: Path) -> None:
    both = f"{folder},{copy}"
    split = load_image_data(both, CLEVR, SMALL, ConceptData(held_out=0.25))
    assert (len(split.train), len(split.valid)) == (36, 12)
    assert len(set(split.train.groups.tolist())) == 12  # images of one name in two folders are two
    last = load_image_data([folder, copy], CLEVR, SMALL, ConceptData(held_out=0.25, held_out_of="last"))
    assert (len(last.train), len(last.valid)) == (42, 6)
    assert folders_of(both) == [folder, copy]
    with pytest.raises(DataError, match="no such folder"):
        load_image_data(f"{folder},{copy}/absent", CLEVR, SMALL, ConceptData())


def test_programs_from_texts(folder: Path) -> None:
    given = load_image_data(folder, CLEVR, SMALL, ConceptData(held_out=0)).train
    parsed = load_image_data(folder, CLEVR, SMALL, ConceptData(held_out=0, programs="parsed"))
    assert len(parsed.train) + len(parsed.bad) == len(given) and len(parsed.train) > 15


def test_folders_without_the_files(copy: Path, folder: Path) -> None:
    (copy / "scenes.json").unlink()
    with pytest.raises(DataError, match=r"no detections.json; `nsreason detect` makes one"):
        load_image_data(copy, CLEVR, SMALL, ConceptData())
    write_detections(copy / "instances.json", read_detections(folder / "scenes.json").detections)
    assert load_image_data(copy, CLEVR, SMALL, ConceptData()).train
    for image in (copy / "images").iterdir():
        image.unlink()
    with pytest.raises(DataError, match=r"none of 24 questions can be learned from; the first: .*no such image"):
        load_image_data(copy, CLEVR, SMALL, ConceptData())
    assert read_image(next((folder / "images").iterdir())).shape == (3, 320, 480)
