"""Detection files damaged at random: read, or refused by a typed error, whatever stands in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsreason.errors import NsreasonError
from nsreason.perception.detections.coco_evaluation import evaluate_files
from nsreason.perception.detections.readers import read_detections
from tests.support.damage import changed

POLYGONS = [[1, 1, 9, 1, 9, 9], [2, 2, 5, 2, 5, 5]]
RLE = {"size": [30, 40], "counts": [10, 20, 1170]}
INSTANCES = {
    "images": [{"id": i, "file_name": f"cam{i}/1.png", "width": 40, "height": 30} for i in (1, 2)],
    "annotations": [
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": POLYGONS},
        {"image_id": 2, "category_id": 2, "bbox": [1, 2, 3, 4], "segmentation": RLE, "iscrowd": 1, "area": 3.5},
    ],
    "categories": [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}],
}
RESULTS = [
    {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5, "segmentation": RLE},
    {"image_id": 2, "instances": [{"image_id": 2, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.25}]},
]
SCENES = {"scenes": [{"image_index": 0, "image_filename": "a.png", "objects_detection": [{"mask": RLE, "score": 0.5}]}]}
COLUMNS = {"object_masks": [RLE], "image_idxs": [0], "category_idxs": [1], "scores": [0.5]}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_file_raises_anything_but_our_errors(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("changed")
    paths = {}
    for name, content in (("i", INSTANCES), ("r", RESULTS), ("s", SCENES), ("c", COLUMNS)):
        text = json.dumps(changed(data, content) if data.draw(st.booleans()) else content)
        if name == "r" and data.draw(st.booleans()):
            text = "\n".join(json.dumps(changed(data, one)) for one in RESULTS)
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(text)
    tries: list[Any] = [
        lambda: read_detections(paths["i"]),
        lambda: read_detections(paths["r"], instances=paths["i"]),
        lambda: read_detections(paths["s"]),
        lambda: read_detections(paths["c"], instances=paths["s"]),
        lambda: read_detections(paths["c"], names="{}.png"),
        lambda: evaluate_files(paths["r"], paths["i"], "bbox"),
        lambda: evaluate_files(paths["i"], paths["i"], "segm"),
    ]
    for attempt in tries:
        try:
            attempt()
        except NsreasonError as error:
            assert str(error)


def test_numbers_of_categories_beyond_all_bounds_are_told(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(
        json.dumps(
            COLUMNS
            | {"object_masks": [RLE] * 2, "image_idxs": [0, 0], "category_idxs": [2**40, 1]}
            | {"scores": [0.5, 0.5]}
        )
    )
    file = read_detections(path, names="{}.png")
    assert len(file.detections[0]) == 1 and "a category number is a whole number from 0 to" in str(file.bad[0])
