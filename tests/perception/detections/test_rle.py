"""Run-length encoding: there and back, in pycocotools' words, and damage told before pycocotools meets it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from nsreason.errors import DataError
from nsreason.perception.detections.rle import (
    Masks,
    Rle,
    as_rle,
    decode_masks,
    encode_masks,
    mask_areas,
    mask_boxes,
    run_lengths,
)

MASKS = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9)).flatmap(lambda s: arrays(np.bool_, s))


def plain_runs(mask: Masks) -> list[int]:
    """Uncompressed counts, pixel by pixel."""
    runs, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


@given(MASKS)
def test_there_and_back(masks: Masks) -> None:
    rles = encode_masks(masks)
    assert np.array_equal(decode_masks(rles), masks)
    assert [run_lengths(rle).tolist() for rle in rles] == [plain_runs(mask) for mask in masks]
    assert encode_masks(decode_masks(rles)) == rles


@given(MASKS)
def test_boxes_and_areas_are_those_of_the_pixels(masks: Masks) -> None:
    rles = encode_masks(masks)
    for mask, box, area in zip(masks, mask_boxes(rles).tolist(), mask_areas(rles).tolist(), strict=True):
        rows, columns = np.nonzero(mask)
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [0, 0, 0, 0]
        assert (box, area) == (expected, mask.sum())


@given(MASKS)
def test_both_forms_are_one_mask_and_so_are_runs_of_nothing(masks: Masks) -> None:
    for mask, rle in zip(masks, encode_masks(masks), strict=True):
        height, width = mask.shape
        runs = plain_runs(mask)
        assert as_rle({"size": [height, width], "counts": runs}, height, width) == rle
        idle = [runs[0], 0, 0, *runs[1:], 0, 0]  # says the same
        assert as_rle({"size": [height, width], "counts": idle}, height, width) == rle
        assert as_rle(rle, height, width) == rle


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_large_runs_are_those_of_pycocotools(height: int, width: int, data: st.DataObject) -> None:
    total = height * width
    cuts = data.draw(st.lists(st.integers(0, total), max_size=12).map(sorted))
    runs = np.diff([0, *cuts, total]).tolist()
    rle = as_rle({"size": [height, width], "counts": runs}, height, width)
    assert rle is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pycocotools' own arrays, under numpy 2
        theirs = coco.decode(dict(rle))
    assert np.array_equal(decode_masks([rle])[0], theirs)
    x, y, w, h = coco.toBbox(dict(rle)).tolist()
    assert mask_boxes([rle])[0].tolist() == ([x, y, x + w, y + h] if theirs.any() else [0, 0, 0, 0])


def test_masks_of_no_object() -> None:
    assert encode_masks(np.zeros((0, 4, 5), bool)) == []
    assert decode_masks([], (4, 5)).shape == (0, 4, 5)
    assert mask_boxes([]).shape == (0, 4)
    with pytest.raises(ValueError, match="size="):
        decode_masks([])
    with pytest.raises(ValueError, match=r"\(N, H, W\)"):
        encode_masks(np.zeros((4, 5), bool))


def test_masks_of_another_size_are_refused() -> None:
    rles = encode_masks(np.ones((1, 2, 3), bool)) + encode_masks(np.ones((1, 3, 2), bool))
    with pytest.raises(DataError, match="mask 1: the mask is 2 x 3, the others the mask is 3 x 2"):
        decode_masks(rles)
    with pytest.raises(DataError, match="mask 0"):
        decode_masks(rles[:1], (3, 2))


@pytest.mark.parametrize("nothing", [None, []])
def test_no_segmentation(nothing: Any) -> None:
    assert as_rle(nothing, 4, 4) is None


def test_polygons_cover_what_they_enclose() -> None:
    square = as_rle([[1, 1, 4, 1, 4, 3, 1, 3]], 5, 6)
    assert square is not None
    expected = np.zeros((5, 6), bool)
    expected[1:3, 1:4] = True
    assert np.array_equal(decode_masks([square])[0], expected)
    two = as_rle([[1, 1, 4, 1, 4, 3, 1, 3], [0, 3, 2, 3, 2, 5, 0, 5]], 5, 6)
    assert two is not None
    expected[3:5, 0:2] = True
    assert np.array_equal(decode_masks([two])[0], expected)


def test_a_polygon_that_leaves_the_image_a_little_is_cut() -> None:
    rle = as_rle([[-2, -2, 8, -2, 8, 8, -2, 8]], 5, 6)
    assert rle is not None and mask_areas([rle]).tolist() == [30]


DAMAGED = [
    ({"size": [2, 3], "counts": "06"}, 3, 2, "the mask is 3 x 2, its image the mask is 2 x 3; are height and width"),
    ({"size": [2, 3], "counts": "06"}, 4, 4, "the mask is 3 x 2"),
    ({"size": [2, 3], "counts": "05"}, 2, 3, "its runs add up to 5 pixels, its size 3 x 2 has 6"),
    ({"size": [2, 3], "counts": ""}, 2, 3, "its counts are empty"),
    ({"size": [2, 3], "counts": []}, 2, 3, "its counts are empty"),
    ({"size": [2, 3], "counts": "0 6"}, 2, 3, "character 1 of its counts is ' '"),
    ({"size": [2, 3], "counts": "0é"}, 2, 3, "character 1 of its counts is not ASCII"),
    ({"size": [2, 3], "counts": "0V"}, 2, 3, "end in the middle of a number"),
    ({"size": [2, 3], "counts": "oooooooo0"}, 2, 3, "a number of 9 characters"),
    ({"size": [2, 3], "counts": [8, -2]}, 2, 3, "its run 1 is of -2 pixels"),
    ({"size": [2, 3], "counts": [3, 3.0]}, 2, 3, r"its run 1 is of 3\.0 pixels"),
    ({"size": [2, 3], "counts": [3, 10**30]}, 2, 3, "its run 1 is of 1000"),
    ({"size": [2, 3], "counts": 6}, 2, 3, "text or a list of whole numbers, got 6"),
    ({"size": [2], "counts": "06"}, 2, 3, "two whole numbers from 1"),
    ({"size": [2, True], "counts": "06"}, 2, 3, "two whole numbers from 1"),
    ({"size": "2x3", "counts": "06"}, 2, 3, "two whole numbers from 1"),
    ({"size": [10**6, 10**6], "counts": [10**12]}, 2, 3, "the most that is read is 64,000,000"),
    ({"counts": "06"}, 2, 3, "this one no 'size'"),
    ({}, 2, 3, "this one no 'size' and no 'counts'"),
    ("06", 2, 3, "an RLE object or a list of polygons, got str"),
    ([1, 2, 3, 4, 5, 6], 9, 9, "polygon 0 is a list of numbers"),
    ([[1, 2, 3, 4]], 9, 9, "polygon 0 has 4 numbers"),
    ([[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6, 7]], 9, 9, "polygon 1 has 7 numbers"),
    ([[1, 2, 3, 4, 5, None]], 9, 9, "polygon 0 holds what is no number"),
    ([[1, 2, 3, 4, 5, float("nan")]], 9, 9, "polygon 0 holds what is no number"),
    ([[1, 2, 3, 4, 5, 10**400]], 9, 9, "polygon 0 holds what is no number"),
    ([[1, 2, 30, 4, 5, 6]], 9, 9, r"a point at \(30, 4\), far outside"),
]


@pytest.mark.parametrize(("segmentation", "height", "width", "message"), DAMAGED)
def test_damage_is_told(segmentation: Any, height: int, width: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_rle(segmentation, height, width)


@given(st.one_of(st.text(st.characters(codec="ascii"), max_size=20), st.lists(st.integers(-3, 30), max_size=8)))
def test_whatever_the_counts_say_is_a_mask_or_an_error(counts: Any) -> None:
    try:
        rle = as_rle({"size": [4, 5], "counts": counts}, 4, 5)
    except DataError:
        return
    assert rle is not None
    assert decode_masks([rle]).sum() == mask_areas([rle])[0] == coco.area(dict(rle))


def test_bytes_of_pycocotools_are_taken() -> None:
    theirs = coco.encode(np.asfortranarray(np.eye(4, dtype=np.uint8)))
    assert isinstance(theirs["counts"], bytes)
    rle = as_rle(theirs, 4, 4)
    assert rle is not None and isinstance(rle["counts"], str)
    assert np.array_equal(decode_masks([rle])[0], np.eye(4, dtype=bool))
    raw: Rle = {"size": [4, 4], "counts": theirs["counts"]}
    assert mask_areas([raw]).tolist() == [4]
