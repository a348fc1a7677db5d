"""COCO's figures through our values: what pycocotools says of the same files, and nothing printed."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsreason.errors import DataError
from nsreason.perception.detections.coco import write_detections
from nsreason.perception.detections.coco_evaluation import CocoFigures, evaluate_detections, evaluate_files
from nsreason.perception.detections.detections import Detections
from nsreason.perception.detections.readers import read_detections
from nsreason.perception.detections.rle import encode_masks, mask_areas, mask_boxes
from tests.support.detection_files import make, write

NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
IMAGE = (120, 110)  # pixels: room for objects that COCO calls large


def world(seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Annotations and results of them, as COCO's files: moved, renamed, doubled, missed, of equal scores, in crowds."""
    random = np.random.default_rng(seed)
    numbers = (random.permutation(5) + 3).tolist()
    images = [{"id": n, "file_name": f"{n:012}.png", "width": 120, "height": 110} for n in numbers]
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image in images[1:]:
        for _ in range(random.integers(0, 5)):
            crowd = bool(random.random() < 0.15)
            label, box = int(random.choice([1, 18, 90])), random_box(random)
            rle = encode_masks(inside(box, random))[0]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": label,
                    "bbox": box,
                    "segmentation": rle,
                    "area": float(mask_areas([rle])[0]) * 0.97,
                    "iscrowd": int(crowd),
                }
            )
            for _ in range(random.integers(0, 3)):
                moved = random_box(random, box)
                results.append(
                    {
                        "image_id": image["id"],
                        "category_id": label if random.random() < 0.8 else 1,
                        "bbox": moved,
                        "segmentation": encode_masks(inside(moved, random))[0],
                        "score": float(random.choice([0.25, 0.5, 0.111, 0.937])),
                    }
                )
    categories = [{"id": n, "name": str(n)} for n in (1, 18, 90, 91)]
    return {"images": images, "annotations": annotations, "categories": categories}, results


def random_box(random: np.random.Generator, near: list[float] | None = None) -> list[float]:
    if near is None:
        width, height = random.integers(3, 105, 2)
        x, y = random.integers(0, 120 - width), random.integers(0, 110 - height)
        return [float(n) for n in (x, y, width, height)]
    moved = np.asarray(near) + random.normal(0, 0.06 * min(near[2:]), 4)
    return [round(float(n), 2) for n in np.maximum(moved, [0, 0, 1, 1])]


def inside(box: list[float], random: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    mask = np.zeros((1, 110, 120), bool)
    x, y, w, h = (round(n) for n in box)
    mask[0, y : y + h, x : x + w] = True
    return mask & (random.random(mask.shape) < 0.98)


def theirs(truth: dict[str, Any], results: list[dict[str, Any]], kind: str) -> list[float | None]:
    """pycocotools' own summary of the files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    drop = "segmentation" if kind == "bbox" else "bbox"  # beside a box, areas of masks would be those of boxes
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = json.loads(json.dumps(truth))
        known.createIndex()
        run = COCOeval(known, known.loadRes([{k: v for k, v in r.items() if k != drop} for r in results]), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return [None if figure == -1 else float(figure) for figure in run.stats]


def figures(scores: CocoFigures) -> list[float | None]:
    return [getattr(scores, name) for name in NAMES]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["bbox", "segm"]))
def test_figures_are_those_of_pycocotools(tmp_path_factory: pytest.TempPathFactory, seed: int, kind: Any) -> None:
    truth, results = world(seed)
    if not results or not truth["annotations"]:
        return
    folder = tmp_path_factory.mktemp("coco")
    known, given = write(folder, truth, "truth.json"), write(folder, results, "results.json")
    expected = pytest.approx(theirs(truth, results, kind), abs=1e-9)
    scores = evaluate_files(given, known, kind)
    assert figures(scores) == expected and scores.bad == 0
    read = read_detections(given, instances=known), read_detections(known)
    assert not read[0].bad + read[1].bad
    assert evaluate_detections(read[0].detections[::-1], read[1].detections, kind) == scores
    # Detections kept as instances are the same detections.
    write_detections(folder / "kept.json", read[0].detections, read[0].categories)
    assert figures(evaluate_files(folder / "kept.json", known, kind)) == expected


def squares(n: int, image: str, scores: list[float] | None = None, shift: float = 0, **more: Any) -> Detections:
    boxes = [[20 * i + shift, 0, 20 * i + 10 + shift, 10] for i in range(n)]
    return make(boxes, scores, image=image, size=IMAGE, **more)


def test_perfect_half_and_nothing() -> None:
    truth = [squares(2, "a"), squares(2, "b"), squares(0, "c")]
    perfect = evaluate_detections(truth, truth, "bbox")
    assert perfect.AP == perfect.AP75 == perfect.APs == perfect.AR100 == perfect.all_found == 1
    assert perfect.AR1 == 0.5 and perfect.APl is None and perfect.ARm is None
    assert (perfect.images, perfect.objects, perfect.detections) == (3, 4, 4)
    half = evaluate_detections([truth[0]], truth, "bbox")
    assert (half.AR100, half.all_found, half.detections) == (0.5, 0.5, 2)
    assert pytest.approx(51 / 101) == half.AP  # precision 1 at the recalls 0, .01, ... .5
    nothing = evaluate_detections([], truth, "bbox")
    assert (nothing.AP, nothing.all_found, nothing.detections) == (0, 0, 0)
    empty = evaluate_detections([], [squares(0, "c")], "bbox")
    assert figures(empty) == [None] * 12 and empty.all_found is None and (empty.images, empty.objects) == (1, 0)
    assert figures(evaluate_detections([squares(1, "c")], [squares(0, "c")], "bbox")) == [None] * 12
    assert figures(evaluate_detections([], [], "bbox")) == [None] * 12


def test_thresholds() -> None:
    truth = [squares(2, "a")]
    moved = evaluate_detections([squares(2, "a", shift=2)], truth, "bbox")  # 8 / 12
    assert (moved.AP50, moved.AP75, moved.all_found) == (1, 0, 1)
    assert pytest.approx(0.4) == moved.AP  # .50, .55, .60, .65
    assert evaluate_detections([squares(2, "a", shift=4)], truth, "bbox").all_found == 0  # 6 / 14


def test_crowds_are_neither_missed_nor_wrong() -> None:
    truth = [squares(2, "a", crowd=np.asarray([False, True]))]
    scores = evaluate_detections([squares(2, "a", [0.5, 0.9])], truth, "bbox")
    assert (scores.AP, scores.AR100, scores.all_found, scores.objects) == (1, 1, 1, 1)
    assert pytest.approx(0.5) == evaluate_detections([squares(2, "a", [0.5, 0.9])], [squares(1, "a")], "bbox").AP
    assert evaluate_detections([squares(1, "a")], truth, "bbox").all_found == 1


def test_areas_of_the_file_say_what_is_small() -> None:
    large = [squares(1, "a", areas=np.asarray([1e4]))]
    scores = evaluate_detections([squares(1, "a")], large, "bbox")
    assert (scores.APs, scores.APl) == (None, 1)


def test_labels() -> None:
    truth = [squares(2, "a", labels=[1, 2])]
    detections = [squares(2, "a", labels=[1, 1], scores=[0.9, 0.5])]
    aware = evaluate_detections(detections, truth, "bbox")
    assert (aware.AR100, aware.all_found) == (0.5, 0)
    blind = evaluate_detections(detections, truth, "bbox", same_label=False)
    assert (blind.AP, blind.all_found) == (1, 1)
    only = evaluate_detections(detections, truth, "bbox", categories={1: "cube"})
    assert (only.AP, only.objects, only.detections) == (1, 1, 2)
    assert evaluate_detections(detections, truth, "bbox", categories=[2]).AP == 0


def test_how_many_count() -> None:
    truth = [squares(4, "a")]
    scores = evaluate_detections(truth, truth, "bbox", most=(1, 2, 3))
    assert (scores.AR1, scores.AR10, scores.AR100) == (0.25, 0.5, 0.75)
    with pytest.raises(ValueError, match="most"):
        evaluate_detections(truth, truth, "bbox", most=(3, 2, 1))


def test_masks_are_compared_as_masks() -> None:
    whole = np.zeros((1, 110, 120), bool)
    whole[0, :40, :40] = True
    hollow = whole.copy()
    hollow[0, 1:39, 1:39] = False
    a, b = ([masked(m)] for m in (whole, hollow))
    assert evaluate_detections(b, a, "bbox").AP == 1 and evaluate_detections(b, a, "segm").AP == 0
    assert evaluate_detections(a, a).AP == 1


def masked(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Detections:
    rles = encode_masks(mask)
    return make(mask_boxes(rles).tolist(), masks=rles, size=IMAGE)


def test_what_cannot_be_compared_is_refused() -> None:
    one = squares(1, "a")
    with pytest.raises(DataError, match="no annotations of 'b'"):
        evaluate_detections([squares(1, "b")], [one], "bbox")
    with pytest.raises(DataError, match="annotations: 2 images of 1 names"):
        evaluate_detections([one], [one, one], "bbox")
    with pytest.raises(DataError, match="a: detections without masks; compare boxes"):
        evaluate_detections([one], [one], "segm")
    with pytest.raises(DataError, match="a: annotations without masks; compare boxes"):
        evaluate_detections([], [one], "segm")
    with pytest.raises(DataError, match="different sizes, 40 x 30 and 120 x 110"):
        evaluate_detections([make([], image="a")], [one], "bbox")
    with pytest.raises(ValueError, match="'bbox' or 'segm'"):
        evaluate_detections([one], [one], "boxes")  # type: ignore[arg-type]


def test_files_with_bad_records_and_low_scores(tmp_path: Path) -> None:
    truth = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10]}, {"image_id": 2, "category_id": 1}],
        "categories": [{"id": 1, "name": "thing"}],
    }
    results = [
        {"image_id": 1, "category_id": 1, "bbox": [20, 0, 10, 10], "score": 0.9},
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.5},
        {"image_id": 3, "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.5},
    ]
    known, given = write(tmp_path, truth, "truth.json"), write(tmp_path, results, "results.json")
    scores = evaluate_files(given, known, "bbox")
    assert (scores.bad, scores.objects, scores.detections, scores.AP) == (2, 1, 2, pytest.approx(0.5))
    assert evaluate_files(given, known, "bbox", least_score=0.6).AP == 0


def test_categories_of_two_files_are_matched_by_name(tmp_path: Path) -> None:
    seen = [squares(2, "a", labels=[1, 2])]
    other = [squares(2, "a", labels=[20, 10])]
    known, given = tmp_path / "truth.json", tmp_path / "found.json"
    write_detections(known, seen, {1: "cube", 2: "ball"})
    write_detections(given, other, {10: "ball", 20: "cube"})
    assert evaluate_files(given, known, "bbox").AP == 1
    write_detections(given, seen)  # no names: the numbers count
    assert evaluate_files(given, known, "bbox").AP == 1
    write_detections(given, seen, {1: "cubes", 2: "ball"})
    with pytest.raises(DataError, match=r"category 1 is 'cubes'.*'cube', and no category.*did you mean 'cube'"):
        evaluate_files(given, known, "bbox")
    assert evaluate_files(given, known, "bbox", same_label=False).AP == 1


def test_nothing_is_printed_and_the_table_says_all(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    scores = evaluate_detections([squares(2, "a")], [squares(2, "a")], "bbox")
    assert capsys.readouterr() == ("", "")
    console = Console(file=io.StringIO(), width=100)
    console.print(scores.table())
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(name in text for name in (*NAMES, "all found", "1.0000", "1 images, 2 objects, 2 detections"))
    assert json.loads(json.dumps(scores.to_dict())) == scores.to_dict()
