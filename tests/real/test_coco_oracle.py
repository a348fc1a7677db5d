"""COCO's example detections on the annotations of their 100 images: the published figures, through nsreason's readers.

Needs NSREASON_DATA, the folder that holds coco/.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from nsreason.perception.detections.coco import write_detections, write_results
from nsreason.perception.detections.coco_evaluation import evaluate_detections, evaluate_files
from nsreason.perception.detections.matching import match
from nsreason.perception.detections.readers import read_detections
from nsreason.perception.detections.rle import as_rle, decode_masks, mask_areas, mask_boxes, run_lengths

DATA = Path(os.environ.get("NSREASON_DATA", "")) / "coco"
TRUTH = DATA / "gts_val2014_100images_bbox.json"
BOXES, MASKS = (DATA / f"instances_val2014_fake{kind}100_results.json" for kind in ("bbox", "segm"))
POLYGONS = DATA / "instances_val2017_polygons_excerpt.json"
PAIRS = DATA / "rle_pairs_compressed_uncompressed.json"

pytestmark = pytest.mark.skipif(
    "NSREASON_DATA" not in os.environ or not TRUTH.is_file(), reason="NSREASON_DATA has no coco/"
)

# rafaelpadilla/review_object_detection_metrics, tests/test_eval_coco.py
FIGURES = {
    "AP": 0.503647,
    "AP50": 0.696973,
    "AP75": 0.571667,
    "APs": 0.593252,
    "APm": 0.557991,
    "APl": 0.489363,
    "AR1": 0.386813,
    "AR10": 0.593680,
    "AR100": 0.595353,
    "ARs": 0.654764,
    "ARm": 0.603130,
    "ARl": 0.553744,
}


def test_the_published_figures_of_boxes() -> None:
    report = evaluate_files(BOXES, TRUTH, "bbox")
    assert {name: getattr(report, name) for name in FIGURES} == pytest.approx(FIGURES, abs=1e-6)
    assert (report.images, report.objects, report.detections, report.bad) == (100, 830, 734, 0)


def test_the_same_through_values_and_through_what_is_written(tmp_path: Path) -> None:
    truth, detected = read_detections(TRUTH), read_detections(BOXES, instances=TRUTH)
    write_detections(tmp_path / "truth.json", truth.detections, truth.categories)
    write_detections(tmp_path / "found.json", detected.detections, detected.categories)
    ids = {image.image: number for image, number in zip(truth.detections, truth.ids, strict=True)}
    write_results(tmp_path / "results.json", detected.detections, ids)
    for figures in (
        evaluate_detections(detected.detections, truth.detections, "bbox"),
        evaluate_files(tmp_path / "found.json", tmp_path / "truth.json", "bbox"),
        evaluate_files(tmp_path / "results.json", TRUTH, "bbox"),
    ):
        assert {name: getattr(figures, name) for name in FIGURES} == pytest.approx(FIGURES, abs=1e-6)
    # What was read is written as it stood, to the digit.
    before = json.loads(BOXES.read_bytes())
    after = json.loads((tmp_path / "results.json").read_bytes())
    key = lambda r: json.dumps([r["image_id"], r["category_id"], r["score"], [float(n) for n in r["bbox"]]])  # noqa: E731
    assert sorted(map(key, before)) == sorted(map(key, after))


def test_example_masks() -> None:
    """Their images are those of the boxes' file; the annotations here have no masks, so boxes are compared."""
    masks, boxes = read_detections(MASKS, instances=TRUTH), read_detections(BOXES, instances=TRUTH)
    assert not masks.bad and sum(map(len, masks)) == 734
    report = evaluate_detections(masks.detections, read_detections(TRUTH).detections, "bbox")
    assert report.AP is not None and 0.4 < report.AP < 0.6
    both = sum(len(match(a, b, by="box")) for a, b in zip(masks, boxes, strict=True))
    assert both > 600
    for image in masks.detections[:10]:
        if image.masks:
            assert image.decoded().shape == (len(image), image.size[1], image.size[0])
    assert evaluate_detections(masks.detections, masks.detections, "segm").all_found == 1


def test_both_forms_of_real_masks() -> None:
    for pair in json.loads(PAIRS.read_bytes()):
        height, width = pair["compressed"]["size"]
        packed = as_rle(pair["compressed"], height, width)
        assert packed is not None and packed == pair["compressed"] == as_rle(pair["uncompressed"], height, width)
        assert run_lengths(packed).tolist() == pair["uncompressed"]["counts"]
        x, y, w, h = pair["bbox"]
        assert mask_boxes([packed]).tolist() == [[x, y, x + w, y + h]]
        assert mask_areas([packed])[0] == pair["area"] == decode_masks([packed]).sum()


def test_real_polygons() -> None:
    file = read_detections(POLYGONS)
    assert not file.bad and file.filled == 0 and sum(map(len, file)) == 14
    for image in file:
        assert image.masks is not None and image.areas is not None
        drawn = mask_areas(image.masks)
        # The file's areas are of the polygons, these of the pixels they cover.
        assert np.allclose(drawn, image.areas, rtol=0.15, atol=30)
        # And parts that are thinner than a pixel cover none: one box here begins 6 pixels before its mask.
        off = np.abs(mask_boxes(image.masks) - image.boxes).max(1)
        assert off.max() < 7 and np.median(off) < 0.8
    perfect = evaluate_files(POLYGONS, POLYGONS, "segm")
    assert perfect.AP == perfect.all_found == 1
