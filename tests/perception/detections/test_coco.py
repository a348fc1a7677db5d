"""COCO's layouts: round trips, category and image numbers, what a bad record costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsreason.errors import DataError
from nsreason.perception.detections.coco import coco_records, write_detections, write_results, xywh
from nsreason.perception.detections.coco_evaluation import evaluate_files
from nsreason.perception.detections.detection_file import DetectionFile
from nsreason.perception.detections.detections import Detections
from nsreason.perception.detections.readers import read_detections
from nsreason.perception.detections.rle import encode_masks, mask_areas
from tests.support.detection_files import make, write

# x + width has 53 bits: a right edge nearer to 0 than that is of no image, and does not come back to the bit.
F32 = st.just(0.0) | st.floats(-50, 50, width=32).filter(lambda x: abs(x) > 1e-3)


@st.composite
def images(draw: st.DrawFn, name: str, masked: bool | None = None) -> Detections:
    width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    n = draw(st.integers(0, 4))
    corners = np.asarray(draw(st.lists(st.tuples(F32, F32, F32, F32), min_size=n, max_size=n)), np.float32)
    corners = corners.reshape(n, 2, 2)
    boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    scores = np.asarray(draw(st.lists(st.floats(0, 1, width=32), min_size=n, max_size=n)), np.float32)
    labels = np.asarray(draw(st.lists(st.sampled_from([1, 3, 90]), min_size=n, max_size=n)), np.int64)
    masks = crowd = areas = None
    if draw(st.booleans()) if masked is None else masked:
        random = np.random.default_rng(draw(st.integers(0, 1000)))
        masks = encode_masks(random.random((n, height, width)) < draw(st.sampled_from([0.0, 0.2, 0.9])))
    if n and draw(st.booleans()):
        crowd = np.asarray([True, *draw(st.lists(st.booleans(), min_size=n - 1, max_size=n - 1))])
    if n and draw(st.booleans()):
        areas = np.asarray(draw(st.lists(st.floats(0, 1e6), min_size=n, max_size=n)), np.float64) + 1e7
    return Detections(name, (width, height), boxes, scores, labels, masks, crowd, areas)


def same(a: Detections, b: Detections) -> bool:
    """Equal to the bit; no object has no masks, whichever way that is said."""
    assert (a.image, a.size) == (b.image, b.size)
    for name in ("boxes", "scores", "labels", "crowd", "areas"):
        one, two = getattr(a, name), getattr(b, name)
        if one is None or two is None:
            assert one is two, name
        else:
            assert one.dtype == two.dtype and np.array_equal(one, two), name
    assert not len(a) or a.masks == b.masks
    return True


@settings(max_examples=60, deadline=None)
@given(seen=st.tuples(images("b.png"), images("a.png"), images("c.png")))
def test_instances_there_and_back(tmp_path_factory: pytest.TempPathFactory, seen: tuple[Detections, ...]) -> None:
    path = tmp_path_factory.mktemp("coco") / "detections.json.gz"
    write_detections(path, seen, {1: "cube", 3: "ball", 90: "rod", 4: "none"})
    file = read_detections(path)
    assert not file.bad and file.categories == {1: "cube", 3: "ball", 90: "rod", 4: "none"} and file.ids == [1, 2, 3]
    assert len(file) == 3 and all(same(a, b) for a, b in zip(seen, file, strict=True))


@settings(max_examples=60, deadline=None)
@given(seen=st.tuples(images("b.png"), images("a.png")))
def test_results_there_and_back(tmp_path_factory: pytest.TempPathFactory, seen: tuple[Detections, ...]) -> None:
    folder = tmp_path_factory.mktemp("coco")
    listed = [f.where(np.zeros(len(f), bool)) for f in seen]
    write_detections(folder / "images.json", listed, {1: "cube", 3: "ball", 90: "rod"})
    write_results(folder / "results.json", seen, {"folder/a.png": 2, "b.png": 1})
    file = read_detections(folder / "results.json", instances=folder / "images.json")
    assert not file.bad and file.categories == {1: "cube", 3: "ball", 90: "rod"}
    for before, after in zip(seen, file, strict=True):  # results say neither crowds nor areas
        plain = Detections(before.image, before.size, before.boxes, before.scores, before.labels, before.masks)
        assert same(plain, after)


@given(st.lists(st.tuples(*[st.integers(-10_000, 100_000)] * 2, *[st.integers(0, 100_000)] * 2), max_size=5))
def test_decimals_of_a_file_come_back(boxes: list[tuple[int, ...]]) -> None:
    """Hundredths, as COCO has them, survive the way through float32."""
    asked = [[n / 100 for n in box] for box in boxes]
    corners = np.asarray([[x, y, x + w, y + h] for x, y, w, h in asked], np.float32).reshape(-1, 4)
    assert np.allclose(np.asarray(xywh(corners)).reshape(-1, 4), np.asarray(asked).reshape(-1, 4), atol=1e-9)


def test_what_is_written_is_coco(tmp_path: Path) -> None:
    masks = encode_masks(np.ones((1, 30, 40), bool))
    write_detections(tmp_path / "d.json", [make([[1, 2, 4, 6]], [0.5], [3], masks=masks)])
    assert json.loads((tmp_path / "d.json").read_bytes()) == {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 3,
                "bbox": [1, 2, 3, 4],
                "area": 1200,
                "iscrowd": 0,
                "score": 0.5,
                "segmentation": masks[0],
            }
        ],
        "categories": [{"id": 3, "name": "category 3"}],
    }


def test_what_cannot_be_written_is_told_and_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, {"old": 1})
    one = make([[1, 2, 4, 6]], [0.5], [3])
    with pytest.raises(ValueError, match=r"no name for the labels \[3\]"):
        write_detections(path, [one], {1: "cube"})
    with pytest.raises(DataError, match=r"two images are called 'a\.png'"):
        write_detections(path, [one, one])
    with pytest.raises(DataError, match=r"no number for the image 'a\.png'"):
        write_results(path, [one], {"b.png": 1})
    with pytest.raises(ValueError, match="must be finite"):
        write_detections(path, [make([[1, 2, 4, np.nan]])])
    with pytest.raises(ValueError, match="ends before it begins"):
        write_detections(path, [make([[4, 2, 1, 6]])])
    with pytest.raises(DataError, match="cannot be written"):
        write_detections(tmp_path / "none" / "d.json", [one])
    assert json.loads(path.read_bytes()) == {"old": 1}


# Reading

IMAGES = [
    {"id": 42, "file_name": "a.png", "width": 40, "height": 30},
    {"id": 7, "file_name": "b.png", "width": 20.0, "height": 10},
    {"id": 9, "file_name": "c.png", "width": 20, "height": 10},
]
CATEGORIES = [{"id": 90, "name": "rod", "supercategory": "x"}, {"id": 3, "name": "ball"}]


def read(folder: Path, annotations: list[Any], **other: Any) -> DetectionFile:
    content = {"images": IMAGES, "annotations": annotations, "categories": CATEGORIES} | other
    return read_detections(write(folder, content))


def test_images_keep_their_order_and_those_without_objects(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        [
            {"image_id": 7, "category_id": 90, "bbox": [1, 2, 3, 4]},
            {"image_id": 42, "category_id": 3, "bbox": [0.5, 0, 1, 1], "score": 0.25, "area": 0.5},
            {"image_id": 7, "category_id": 3, "bbox": [-1, -2, 300, 400], "iscrowd": True},
        ],
    )
    assert [f.image for f in file] == ["a.png", "b.png", "c.png"] and file.ids == [42, 7, 9]
    assert [len(f) for f in file] == [1, 2, 0] and not file.bad
    a, b, c = file
    assert b.boxes.tolist() == [[1, 2, 4, 6], [-1, -2, 299, 398]]  # outside the image as it is; see clipped()
    assert b.labels.tolist() == [90, 3] and b.scores.tolist() == [1, 1] and b.size == (20, 10)
    assert b.crowd is not None and b.crowd.tolist() == [False, True] and b.areas is None
    assert a.crowd is None and a.scores.tolist() == [0.25]
    assert a.areas is not None and a.areas.tolist() == [0.5]
    assert a.masks is b.masks is c.masks is None
    assert file.categories == {90: "rod", 3: "ball"}


def test_masks_in_every_form(tmp_path: Path) -> None:
    square = {"size": [10, 20], "counts": [22, 4, 6, 4, 164]}  # rows 2 to 5 of columns 2 and 3
    packed = encode_masks(np.ones((1, 10, 20), bool))[0]
    polygon = [[1, 1, 4, 1, 4, 3, 1, 3]]
    base = {"image_id": 7, "category_id": 3}
    file = read(tmp_path, [base | {"segmentation": s} for s in (square, packed, polygon)])
    assert not file.bad and file.filled == 0
    b = file.by_image("b.png")
    assert b.boxes.tolist() == [[2, 2, 4, 6], [0, 0, 20, 10], [1, 1, 4, 3]]
    assert b.masks is not None and mask_areas(b.masks).tolist() == [8, 200, 6]
    assert file.by_image("c.png").masks == []  # the file has masks, this image no objects


@pytest.mark.parametrize("nothing", [{}, {"segmentation": []}, {"segmentation": None}])
def test_a_box_stands_in_for_a_mask_where_others_have_one(tmp_path: Path, nothing: dict[str, Any]) -> None:
    masked = {"segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]}
    base = {"image_id": 7, "category_id": 3, "bbox": [15.4, 5, 10, 2]}
    file = read(tmp_path, [base | masked, base | nothing, base | nothing | {"image_id": 42}])
    assert not file.bad and file.filled == 1
    b = file.by_image("b.png")
    assert b.masks is not None and mask_areas(b.masks).tolist() == [6, 10]  # cut at the image's edge
    assert file.by_image("a.png").masks is None


GOOD = {"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4]}
BAD: list[tuple[Any, str]] = [
    (GOOD | {"image_id": 8}, r"no image has the number 8; those of the 3 images are 7 to 42 - at .*\[1\]\.image_id`"),
    (GOOD | {"image_id": "7"}, r"no image has the number '7'"),
    (GOOD | {"image_id": None}, r"Expected `int \| float \| str`, got `null` - at `\$\.annotations\[1\]\.image_id`"),
    (GOOD | {"category_id": 4}, r"no category has the number 4; the first are 90 rod, 3 ball - at .*category_id`"),
    (GOOD | {"bbox": [1, 2, 3]}, r"4 numbers, got 3 - at `\$\.annotations\[1\]\.bbox`"),
    (GOOD | {"bbox": [1, 2, -3, 4]}, r"this one is -3 wide and 4 high"),
    (GOOD | {"bbox": [1, 2, 1e300, 4]}, r"a bbox in pixels"),
    (GOOD | {"bbox": [1, 2, "3", 4]}, r"Expected `float`, got `str` - at `\$\.annotations\[1\]\.bbox\[2\]`"),
    (GOOD | {"bbox": [1, 2, float("nan"), 4]}, r"a number is not finite - at `\$\.annotations\[1\]\.bbox\[2\]`"),
    (GOOD | {"bbox": [1, 2, 3, float("inf")]}, r"a number is not finite - at `\$\.annotations\[1\]\.bbox\[3\]`"),
    (GOOD | {"score": float("-inf")}, r"a number is not finite - at `\$\.annotations\[1\]\.score`"),
    (GOOD | {"score": "N"}, r"not finite|got `str`"),
    (GOOD | {"category_id": 3.5}, r"a category number is .*, got 3\.5 - at `\$\.annotations\[1\]\.category_id`"),
    (GOOD | {"image_id": 7.5}, r"an image number is .*, got 7\.5 - at `\$\.annotations\[1\]\.image_id`"),
    (GOOD | {"bbox": []}, r"neither a box nor a mask - at `\$\.annotations\[1\]`"),
    ({"image_id": 7, "bbox": [1, 2, 3, 4]}, r"missing required field `category_id` - at `\$\.annotations\[1\]`"),
    (GOOD | {"score": 1.5}, r"a score is a number in 0\.\.1, got 1\.5 - at `\$\.annotations\[1\]\.score`"),
    (GOOD | {"area": -1}, r"an area is a number from 0, got -1"),
    (GOOD | {"segmentation": {"size": [20, 10], "counts": [200]}}, r"are height and width swapped\? - at .*tation`"),
    (GOOD | {"segmentation": {"size": [10, 20], "counts": [199]}}, r"add up to 199 pixels"),
    (GOOD | {"segmentation": [[1, 2, 3, 4]]}, r"polygon 0 has 4 numbers.* - at `\$\.annotations\[1\]\.segmentation`"),
    (7, r"Expected `object`, got `int` - at `\$\.annotations\[1\]`"),
    (None, r"Expected `object`, got `null`"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_a_bad_record_costs_no_other(tmp_path: Path, bad: Any, message: str) -> None:
    file = read(tmp_path, [GOOD, bad, GOOD])
    assert len(file.by_image("b.png")) == 2
    (record,) = file.bad
    assert record.index == 1 and "file.json" in str(record)
    with pytest.raises(DataError, match=message):
        raise record.error


def test_results_say_where_their_bad_records_are(tmp_path: Path) -> None:
    listed = write(tmp_path, {"images": IMAGES, "annotations": [], "categories": CATEGORIES}, "listed.json")
    path = write(tmp_path, [GOOD | {"score": 0.5}, GOOD | {"image_id": 8, "score": 0.5}])
    file = read_detections(path, instances=listed)
    assert [len(f) for f in file] == [0, 1, 0]
    assert "`$[1].image_id`" in str(file.bad[0])


def test_bad_images_and_categories_cost_no_others(tmp_path: Path) -> None:
    wrong = [
        {"id": 1, "file_name": "x.png", "width": 0, "height": 3},
        {"id": 2, "file_name": "x.png", "width": 1.5, "height": 3},
        {"id": 3, "width": 3, "height": 3},
        {"id": 42, "file_name": "x.png", "width": 3, "height": 3},
        {"id": 5, "file_name": "folder/", "width": 3, "height": 3},
        "x.png",
    ]
    file = read(
        tmp_path,
        [GOOD, GOOD | {"image_id": 3}, GOOD | {"image_id": 42}],
        images=IMAGES + wrong,
        categories=[*CATEGORIES, {"id": 5}],
    )
    assert [len(f) for f in file] == [1, 1, 0] and len(file.categories) == 2
    messages = "\n".join(map(str, file.bad))
    for message in (
        "a width in pixels is a whole number from 1, got 0 - at `$.images[3].width`",
        "got 1.5 - at `$.images[4].width`",
        "neither a file_name nor a coco_url - at `$.images[5]`",
        "image 42 is already 'a.png' - at `$.images[6]`",
        "'folder/' is no file name - at `$.images[7]`",
        "Expected `object`, got `str` - at `$.images[8]`",
        "missing required field `name` - at `$.categories[2]`",
        "the record of image 3 is not valid - at `$.annotations[1].image_id`",
    ):
        assert message in messages
    assert len(file.bad) == 8


def test_files_without_categories_take_every_number(tmp_path: Path) -> None:
    file = read(tmp_path, [GOOD | {"category_id": 1234}], categories=[])
    assert not file.bad and file.by_image("b.png").labels.tolist() == [1234]


def test_a_category_number_has_one_name(tmp_path: Path) -> None:
    categories = [*CATEGORIES, {"id": 3, "name": "cone"}, {"id": 3, "name": "ball"}]
    file = read(tmp_path, [GOOD], categories=categories)
    assert file.categories == {90: "rod", 3: "ball"} and len(file.detections[1]) == 1
    assert [str(b.error) for b in file.bad] == ["category 3 is already 'ball' - at `$.categories[2].id`"]


def test_categories_of_one_name_keep_their_numbers(tmp_path: Path) -> None:
    twice = [{"id": 3, "name": "ball"}, {"id": 5, "name": "ball"}]
    one = {"images": IMAGES, "annotations": [GOOD], "categories": twice}
    truth, detected = write(tmp_path, one, "truth.json"), write(tmp_path, one, "found.json")
    assert evaluate_files(detected, truth, "bbox").AP == 1


def test_whole_numbers_may_have_a_point(tmp_path: Path) -> None:
    images = [{"id": 1.0, "file_name": "a.png", "width": 20.0, "height": 10.0}]
    rows = [{"id": 1, "image_id": i, "category_id": c, "bbox": [1, 2, 3, 4]} for i, c in ((1, 3.0), (1.0, 3))]
    file = read(tmp_path, rows, images=images, categories=[{"id": 3.0, "name": "ball"}])
    assert not file.bad and file.ids == [1] and file.categories == {3: "ball"}
    assert file.detections[0].labels.tolist() == [3, 3]


def test_images_are_named_by_where_they_came_from_and_may_lack_a_size(tmp_path: Path) -> None:
    images = [
        {"id": 1, "coco_url": "http://images.cocodataset.org/val2017/000000000139.jpg?x=1/2"},
        {"id": 2, "file_name": "b.png", "width": None, "height": None},
        {"id": 3, "file_name": "c.png", "width": 40, "height": 30},
    ]
    square = [[1, 1, 4, 1, 4, 3, 1, 3]]
    rows: list[Any] = [{"image_id": i, "category_id": 3, "bbox": [1, 2, 3, 4]} for i in (1, 2, 3)]
    rows.append(rows[1] | {"segmentation": square})
    file = read(tmp_path, rows, images=images)
    assert [d.image for d in file] == ["000000000139.jpg", "b.png", "c.png"]
    assert [d.size for d in file] == [None, None, (40, 30)] and [len(d) for d in file] == [1, 2, 1]
    assert "the size of their image is not known; its box is kept - at `$.annotations[3].segm" in str(file.bad[0])
    write_detections(tmp_path / "again.json", file.detections, file.categories)
    assert [d.size for d in read_detections(tmp_path / "again.json")] == [None, None, (40, 30)]
    with pytest.raises(DataError, match=r"b\.png: no file says the image's width and height"):
        file.detections[1].clipped()
    only = read(tmp_path, [{"image_id": 2, "category_id": 3, "segmentation": square}], images=images)
    assert not any(map(len, only)) and len(only.bad) == 1


def test_a_bad_polygon_costs_no_other(tmp_path: Path) -> None:
    square, line = [1, 1, 4, 1, 4, 3, 1, 3], [1, 1, 2, 2]
    file = read(tmp_path, [GOOD | {"segmentation": [square, line]}, GOOD | {"segmentation": [square]}, GOOD])
    b = file.by_image("b.png")
    assert len(b) == 3 and b.masks is not None and b.masks[0] == b.masks[1] and file.filled == 1
    (one,) = file.bad
    assert one.index == 0 and "polygon 1 has 4 numbers" in str(one) and "the others are kept" in str(one)
    assert "`$.annotations[0].segmentation`" in str(one)


# Results


def listed(folder: Path, **other: Any) -> Path:
    return write(folder, {"images": IMAGES, "categories": CATEGORIES, **other}, "listed.json")


def test_a_file_of_images_alone_names_those_of_results(tmp_path: Path) -> None:
    """COCO's image_info files of its test images."""
    path = write(tmp_path, [GOOD | {"score": 0.5}])
    file = read_detections(path, instances=listed(tmp_path, info={}, licenses=[]))
    assert [len(f) for f in file] == [0, 1, 0] and not file.bad
    assert not read_detections(listed(tmp_path)).annotated
    assert read_detections(listed(tmp_path, annotations=[])).annotated
    listed(tmp_path)
    with pytest.raises(DataError, match=r"listed\.json: lists images and has no annotations to compare with"):
        evaluate_files(path, listed(tmp_path), "bbox")


def test_results_have_scores(tmp_path: Path) -> None:
    file = read_detections(write(tmp_path, [GOOD, GOOD | {"score": 0.5}]), instances=listed(tmp_path, annotations=[]))
    assert len(file.by_image("b.png")) == 1
    assert "a result has a score, which says how sure the detector was; this one has none" in str(file.bad[0])
    assert "`$[0]`" in str(file.bad[0])


@pytest.mark.parametrize("records", [[GOOD], [{}], [GOOD | {"image_id": 8, "score": 0.5}], [[1, 2]]])
def test_results_of_which_none_can_be_used_are_refused(tmp_path: Path, records: list[Any]) -> None:
    """Their average precision would be 0, as if nothing had been found."""
    truth = listed(tmp_path, annotations=[GOOD])
    with pytest.raises(DataError, match=r"file\.json: none of its 1 records of objects can be used; the first: "):
        evaluate_files(write(tmp_path, records), truth, "bbox")
    assert evaluate_files(write(tmp_path, []), truth, "bbox").AP == 0  # there, nothing was found
    bad = write(tmp_path, {"images": IMAGES, "annotations": [GOOD | {"image_id": 8}], "categories": CATEGORIES})
    with pytest.raises(DataError, match="none of its records of objects can be used"):
        evaluate_files(bad, truth, "bbox")


def test_results_kept_by_image(tmp_path: Path) -> None:
    """As detectron2 keeps its predictions."""
    one = GOOD | {"score": 0.5}
    nested = [{"image_id": 7, "instances": [one, one | {"score": 2}]}, {"image_id": 42, "instances": []}]
    file = read_detections(write(tmp_path, nested), instances=listed(tmp_path))
    assert [len(f) for f in file] == [0, 1, 0] and "`$[0].instances[1].score`" in str(file.bad[0])


@pytest.mark.parametrize("count", [1, 3])
def test_results_one_a_line(tmp_path: Path, count: int) -> None:
    one = GOOD | {"score": 0.5}
    lines = [json.dumps(one)] * count
    if count > 1:
        lines += ['{"image_id": 7', json.dumps(one | {"score": float("nan")})]
    file = read_detections(write(tmp_path, "\n\n".join(lines).encode()), instances=listed(tmp_path))
    assert file.layout == "results" and len(file.by_image("b.png")) == count
    if count > 1:
        assert "line 7: $" in str(file.bad[0]) and "a number is not finite - at `line 9: $.score`" in str(file.bad[1])


def test_records_have_areas_of_masks_or_boxes() -> None:
    masks = encode_masks(np.eye(30, 40, dtype=bool)[None])
    assert coco_records(make([[1, 2, 4, 6]]), 5)[0]["area"] == 12
    assert coco_records(make([[1, 2, 4, 6]], masks=masks), 5)[0]["area"] == 30
    assert coco_records(make([[1, 2, 4, 6]], masks=masks, areas=np.asarray([7.5])), 5)[0]["area"] == 7.5
