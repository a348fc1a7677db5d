"""Detections in the layouts of NS-CL and NS-VQA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsreason.errors import DataError
from nsreason.perception.detections.detection_file import DetectionFile
from nsreason.perception.detections.readers import read_detections
from nsreason.perception.detections.rle import Rle, encode_masks
from tests.support.detection_files import write


def rectangle(left: int, top: int, right: int, bottom: int, size: tuple[int, int] = (30, 20)) -> Rle:
    mask = np.zeros((1, size[1], size[0]), bool)
    mask[0, top:bottom, left:right] = True
    return encode_masks(mask)[0]


ONE, TWO = rectangle(1, 2, 5, 9), rectangle(10, 0, 30, 20)


def scenes(folder: Path, *given: Any) -> DetectionFile:
    return read_detections(write(folder, {"info": {"split": "val"}, "scenes": list(given)}))


def test_detections_of_scenes(tmp_path: Path) -> None:
    annotated = [{"color": "red"}, {"color": "blue"}]
    objects = [{"mask": ONE, "score": 0.75}, {"mask": TWO, "category_id": 2}]
    file = scenes(
        tmp_path,
        {"image_filename": "x/b.png", "image_index": 5, "objects": annotated, "objects_detection": objects},
        {"image_filename": "a.png", "objects": annotated, "objects_detection": []},
    )
    assert not file.bad and file.layout == "nscl" and file.categories == {}
    b, a = file
    assert (b.image, b.size, b.boxes.tolist()) == ("x/b.png", (30, 20), [[1, 2, 5, 9], [10, 0, 30, 20]])
    assert b.scores.tolist() == [0.75, 1] and b.labels.tolist() == [1, 2] and b.masks == [ONE, TWO]
    assert file.ids == [5, 1] and file.by_image("b.png") is b
    assert (a.image, a.size, len(a), a.masks) == ("a.png", (30, 20), 0, [])


def test_whole_numbers_may_have_a_point(tmp_path: Path) -> None:
    file = scenes(
        tmp_path,
        {"image_filename": "a.png", "image_index": 5.0, "objects_detection": [{"mask": ONE, "category_id": 2.0}]},
        {"image_filename": "b.png", "image_index": "6", "objects_detection": [{"mask": ONE, "category_id": 2.5}]},
    )
    assert file.ids == [5, 6] and file.detections[0].labels.tolist() == [2] and "got 2.5" in str(file.bad[0])
    columns = {"object_masks": [ONE, ONE], "image_idxs": [6.0, 6], "category_idxs": [3.0, 3], "scores": [1, 0.5]}
    (tmp_path / "c.json").write_text(json.dumps(columns))
    for where in ({"instances": tmp_path / "file.json"}, {"names": "{}.png"}):
        file = read_detections(tmp_path / "c.json", **where)  # type: ignore[arg-type]
        assert not file.bad and [d.labels.tolist() for d in file if len(d)] == [[3, 3]]


def test_masks_of_the_annotated_objects_come_first(tmp_path: Path) -> None:
    (only,) = scenes(
        tmp_path,
        {
            "image_filename": "b.png",
            "objects": [{"color": "red", "mask": ONE}, {"color": "red", "mask": TWO}],
            "objects_detection": [{"mask": TWO}],
        },
    )
    assert only.masks == [ONE, TWO]


def test_a_bad_object_or_scene_costs_no_other(tmp_path: Path) -> None:
    small = rectangle(0, 0, 1, 1, (10, 10))
    file = scenes(
        tmp_path,
        {"image_filename": "a.png", "objects_detection": [{"mask": m} for m in (ONE, {"size": [20, 30]}, small)]},
        {"image_filename": "b.png", "objects": [{"color": "red"}]},
        {"objects_detection": [{"mask": ONE}]},
        {"image_filename": "c.png", "objects_detection": [{"score": 1.0}, {"mask": TWO}, 3]},
        {"image_filename": 7, "objects_detection": []},
    )
    assert [(f.image, len(f)) for f in file] == [("a.png", 1), ("c.png", 1)]
    messages = "\n".join(map(str, file.bad))
    for message in (
        "an RLE has 'size' and 'counts', this one no 'counts' - at `$.scenes[0].objects_detection[1].mask`",
        "the mask is 10 x 10, its image the mask is 30 x 20 - at `$.scenes[0].objects_detection[2].mask`",
        "neither objects_detection nor a mask in its objects - at `$.scenes[1]`",
        "no image_filename - at `$.scenes[2]`",
        "neither a box nor a mask - at `$.scenes[3].objects_detection[0]`",
        "Expected `object`, got `int` - at `$.scenes[3].objects_detection[2]`",
        "Expected `str | null`, got `int` - at `$.scenes[4].image_filename`",
    ):
        assert message in messages
    assert len(file.bad) == 7


def test_an_image_of_unknown_size_is_told(tmp_path: Path) -> None:
    other = rectangle(0, 0, 1, 1, (10, 10))
    file = scenes(
        tmp_path,
        {"image_filename": "a.png", "objects_detection": [{"mask": ONE}]},
        {"image_filename": "b.png", "objects_detection": [{"mask": other}]},
        {"image_filename": "c.png", "objects_detection": []},
    )
    assert [f.image for f in file] == ["a.png", "b.png"]
    assert "image 'c.png': neither the file nor a mask says its size" in str(file.bad[0])


COLUMNS: dict[str, Any] = {
    "object_masks": [ONE, TWO, TWO],
    "image_idxs": [3, 1, 3],
    "category_idxs": [1, 2, 1],
    "feature_vectors": [],
    "scores": [0.5, 0.75, 1.0],
}


def test_columns_named_by_a_pattern(tmp_path: Path) -> None:
    file = read_detections(write(tmp_path, COLUMNS), names="CLEVR_val_{:06d}.png")
    assert not file.bad and file.layout == "nsvqa" and file.ids == [1, 3]
    first, second = file
    assert (first.image, second.image) == ("CLEVR_val_000001.png", "CLEVR_val_000003.png")
    assert first.labels.tolist() == [2] and second.masks == [ONE, TWO] and second.scores.tolist() == [0.5, 1.0]
    assert second.boxes.tolist() == [[1, 2, 5, 9], [10, 0, 30, 20]] and second.size == (30, 20)


@pytest.mark.parametrize("pattern", ["plain.png", "{name}.png", "{", "{:x.png", "{0.y}.png"])
def test_patterns_without_a_place_for_the_number(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(DataError, match="names: a pattern like"):
        read_detections(write(tmp_path, COLUMNS), names=pattern)


def test_columns_named_by_other_files(tmp_path: Path) -> None:
    named = [{"image_filename": f"{n}.png", "image_index": n, "objects": []} for n in (3, 2, 1)]
    file = read_detections(write(tmp_path, COLUMNS), instances=write(tmp_path, {"scenes": named}, "scenes.json"))
    assert [(f.image, len(f)) for f in file] == [("3.png", 2), ("2.png", 0), ("1.png", 1)] and not file.bad
    images = [{"id": n, "file_name": f"{n}.png", "width": 30, "height": 20} for n in (0, 3)]
    instances = write(tmp_path, {"images": images, "annotations": [], "categories": []}, "coco.json")
    file = read_detections(write(tmp_path, COLUMNS), instances=instances)
    assert [(f.image, len(f)) for f in file] == [("0.png", 0), ("3.png", 2)]
    assert "no image has the number 1; those of the 2 images are 0 to 3 - at `$.image_idxs[1]`" in str(file.bad[0])


def test_a_bad_entry_of_a_column_costs_no_other(tmp_path: Path) -> None:
    wrong = COLUMNS | {
        "object_masks": [ONE, {"size": [20, 30], "counts": "x"}, TWO],
        "image_idxs": ["3", 1, 3],
    }
    file = read_detections(write(tmp_path, wrong), names="{}.png")
    assert [(f.image, len(f)) for f in file] == [("1.png", 0), ("3.png", 1)]
    messages = "\n".join(map(str, file.bad))
    assert "Expected `int | float`, got `str` - at `$.image_idxs[0]`" in messages
    assert (
        "the RLE is damaged" in messages
        and "`$.object_masks[1].mask`" not in messages
        and "`$.object_masks[1]`" in messages
    )


def test_columns_of_different_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 object_masks and 2 scores do not match"):
        read_detections(write(tmp_path, COLUMNS | {"scores": [0.5, 1.0]}), names="{}.png")
    with pytest.raises(DataError, match="3 object_masks and 0 image_idxs"):
        read_detections(write(tmp_path, COLUMNS | {"image_idxs": []}), names="{}.png")
    with pytest.raises(DataError, match="missing required field `image_idxs`"):
        read_detections(write(tmp_path, {"object_masks": []}), names="{}.png")
    bare = {"object_masks": [ONE], "image_idxs": [0]}
    (only,) = read_detections(write(tmp_path, bare), names="{}.png")
    assert only.scores.tolist() == [1] and only.labels.tolist() == [1]


def test_lists_of_proposals(tmp_path: Path) -> None:
    good = {"mask": ONE, "image_idx": 0, "category_idx": 1, "feature_vector": None, "score": 0.5}
    file = read_detections(write(tmp_path, [good, good | {"image_idx": -1}, good | {"mask": None}, 5]), names="{}.png")
    assert [(f.image, len(f)) for f in file] == [("0.png", 1)]
    messages = "\n".join(map(str, file.bad))
    assert "no image has the number -1" in messages and "neither a box nor a mask - at `$[2]`" in messages
    assert "got `int` - at `$[3]`" in messages
