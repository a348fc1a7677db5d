"""The one rule by which images are found by name, and the readers and scorers that use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nsreason.data import image_names
from nsreason.data.image_folder import ImageFolder
from nsreason.data.image_names import ImageNames, number_at_end
from nsreason.data.questions import QuestionRecord
from nsreason.errors import DataError
from nsreason.perception.detections.coco import write_detections
from nsreason.perception.detections.coco_evaluation import evaluate_files
from nsreason.perception.detections.readers import read_detections
from nsreason.perception.detector.data import read_folder
from nsreason.reasoners.asked_images import AskedImages

NAMES = ["cam1/7.png", "cam2/7.png", "8.png", "a/b/9.png", None, "twice.png", "twice.png"]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        *(("cam1/7.png", 0), ("cam2\\7.png", 1), ("./cam2//7.png", 1), ("8.png", 2), ("any/8.png", 2)),
        *(("9.png", 3), ("b/9.png", 3), ("x/9.png", 3), ("/data/cam1/7.png", 0), ("c:\\data\\cam2\\7.png", 1)),
    ],
)
def test_whole_path_then_bare_name(name: str, place: int) -> None:
    assert ImageNames(NAMES).place(name) == place


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("7.png", "several images are called '7.png': 'cam1/7.png', 'cam2/7.png'; name one by its whole path"),
        ("cam3/7.png", "several images are called 'cam3/7.png': 'cam1/7.png', 'cam2/7.png'"),
        ("twice.png", "several images are called 'twice.png'"),
        ("88.png", "no image '88.png'; did you mean '8.png'"),
        ("", "no image ''"),
        ("cam1/", "no image 'cam1/'"),
    ],
)
def test_what_is_not_clear_is_told_with_all_that_it_could_be(name: str, says: str) -> None:
    with pytest.raises(DataError) as error:
        ImageNames(NAMES).place(name)
    assert str(error.value).startswith(says)


def test_two_images_never_become_one() -> None:
    known = ImageNames(["7.png", "x/8.png"])
    assert known.places(["7.png", "data/7.png", "8.png", "y/x/8.png"]) == [0, 0, 1, 1]
    one, two, whole = known.places(["cam1/7.png", "cam2/7.png", "7.png"])
    assert isinstance(one, DataError) and isinstance(two, DataError) and whole == 0
    assert "'cam1/7.png' and 'cam2/7.png' would both be '7.png'" in str(one)


@given(st.lists(st.text("ab/\\.", min_size=1, max_size=6), max_size=6), st.text("ab/\\.", max_size=6))
def test_every_name_finds_itself_or_its_like(names: list[str], asked: str) -> None:
    known = ImageNames(names)
    for name in names:
        if known.find(name):
            assert name.replace("\\", "/").strip("./") in [
                (names[p].replace("\\", "/").strip("./")) for p in known.find(name)
            ]
    assert all(0 <= p < len(names) for p in known.find(asked))
    for place in known.places([*names, asked]):
        assert isinstance(place, int | DataError)


def test_many_folders_of_the_same_names_cost_no_more_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of videos: each frame's name is in every folder."""
    names = [f"video_{v:03}/{f:04}.png" for v in range(200) for f in range(20)]
    known = ImageNames(names)
    monkeypatch.setattr("nsreason.data.image_names.parts", parts := Counted(image_names.parts))
    assert known.places(f"data/{name}" for name in names) == list(range(len(names)))
    assert parts.calls <= 6 * len(names)


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Any) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return self.function(*args)


def test_numbers_at_the_end() -> None:
    assert number_at_end("CLEVR_val_000007.png") == 7 and number_at_end("a.png") is None
    assert number_at_end("1" * 30 + ".png") is None or isinstance(number_at_end("1" * 30 + ".png"), int)


# --- the readers and scorers ---


def instances(*names: str, score: float | None = None) -> dict[str, Any]:
    images = [{"id": i, "file_name": n, "width": 100, "height": 80} for i, n in enumerate(names, 1)]
    rows: list[dict[str, Any]] = []
    for i in range(1, len(names) + 1):
        mask = [[10 * i, 10, 10 * i + 20, 10, 10 * i + 20, 30, 10 * i, 30]]
        rows.append({"id": i, "image_id": i, "category_id": 1, "bbox": [10 * i, 10, 20, 20], "segmentation": mask})
        if score is not None:
            rows[-1]["score"] = score
    return {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "object"}]}


def put(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_images_of_one_name_in_two_folders_are_evaluated_and_written(tmp_path: Path) -> None:
    truth = put(tmp_path / "truth.json", instances("cam1/1.png", "cam2/1.png"))
    detected = put(tmp_path / "found.json", instances("cam1/1.png", "cam2/1.png", score=0.9))
    assert evaluate_files(detected, truth, "bbox").AP == 1
    moved = put(tmp_path / "moved.json", instances("data/cam1/1.png", "data/cam2/1.png", score=0.9))
    assert evaluate_files(moved, truth, "bbox").AP == 1
    write_detections(tmp_path / "again.json", read_detections(detected).detections, {1: "object"})
    assert [d.image for d in read_detections(tmp_path / "again.json")] == ["cam1/1.png", "cam2/1.png"]
    bare = put(tmp_path / "bare.json", instances("1.png", score=0.9))
    with pytest.raises(DataError, match=r"'cam1/1\.png', 'cam2/1\.png'"):
        evaluate_files(bare, truth, "bbox")
    with pytest.raises(DataError, match=r"would both be '1\.png'"):
        evaluate_files(detected, put(tmp_path / "one.json", instances("1.png")), "bbox")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for n, name in enumerate(("cam1/1.png", "cam2/1.png", "cam2/2.png")):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80), (n, 0, 0)).save(path)
    return tmp_path


def test_a_folder_of_images(folder: Path) -> None:
    files = ImageFolder(folder)
    assert list(files.names) == ["cam1/1.png", "cam2/1.png", "cam2/2.png"] and len(files) == 3
    assert files.path("cam2/1.png") == folder / "images/cam2/1.png" and files.path("2.png").name == "2.png"
    with pytest.raises(DataError, match=r"several images are called '1\.png'"):
        files.path("1.png")
    with pytest.raises(DataError, match=r"3\.png: no such image"):
        files.path("3.png")
    assert len(ImageFolder(folder / "nowhere")) == 0
    (folder / "images" / "cam1" / "round").symlink_to(folder / "images")
    assert "2.png" in str(files.path("2.png")) and len(ImageFolder(folder)) == 3


def test_a_detector_learns_each_image_with_its_own_objects(folder: Path) -> None:
    put(folder / "instances.json", instances("cam1/1.png", "cam2/1.png", "images/2.png", "cam9/1.png"))
    examples, (bad,) = read_folder(folder, ("object",))
    assert [e.path.relative_to(folder / "images").as_posix() for e in examples] == [
        "cam1/1.png",
        "cam2/1.png",
        "cam2/2.png",
    ]
    assert [int(e.truth.boxes[0, 0]) for e in examples] == [10, 20, 30] and "cam9/1.png" in str(bad)


def test_questions_are_about_the_image_that_they_name(folder: Path) -> None:
    names = ["cam1/1.png", "cam2/1.png", "2.png", "1.png", None, None]
    records = [QuestionRecord(i, image_filename=n, image_index=2 if i == 4 else 1) for i, n in enumerate(names)]
    asked = AskedImages(records, folder)
    images = [asked.of(r) for r in records]
    assert [asked.name(p) if isinstance(p, Path) else None for p in images] == [
        *("cam1/1.png", "cam2/1.png", "cam2/2.png"),
        *(None, "cam2/2.png", None),
    ]
    assert "several images are called '1.png'" in str(images[3]) and "several images have the number 1" in str(
        images[5]
    )
