"""Overlaps and the best assignment."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsreason.errors import DataError
from nsreason.perception.detections.detections import Detections, box_ious
from nsreason.perception.detections.matching import ious, match
from nsreason.perception.detections.rle import encode_masks, mask_boxes
from tests.support.detection_files import make


def masked(masks: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], labels: list[int] | None = None) -> Detections:
    rles = encode_masks(masks)
    return make(mask_boxes(rles).tolist(), labels=labels, masks=rles, size=(masks.shape[2], masks.shape[1]))


def drawn(seed: int, n: int) -> Detections:
    return masked(np.random.default_rng(seed).random((n, 5, 6)) < 0.5)


def test_overlaps_of_boxes() -> None:
    a = np.asarray([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 5, 5]], np.float32)
    expected = [[1, 1 / 7, 0], [1 / 7, 1, 0], [0, 0, 0]]
    assert np.allclose(box_ious(a, a), expected)
    assert box_ious(a, a[:0]).shape == (3, 0)


@given(st.integers(0, 1000), st.integers(0, 4), st.integers(0, 4))
def test_overlaps_of_masks_are_those_of_the_pixels(seed: int, n: int, m: int) -> None:
    a, b = drawn(seed, n), drawn(seed + 1, m)
    one, two = a.decoded()[:, None], b.decoded()[None]
    both, either = (one & two).sum((2, 3)), (one | two).sum((2, 3))
    assert np.allclose(ious(a, b), both / np.maximum(either, 1))
    assert np.array_equal(ious(a, b, "box"), box_ious(a.boxes, b.boxes))


def test_boxes_stand_in_where_one_has_no_masks() -> None:
    a, b = drawn(0, 2), drawn(1, 3)
    plain = make(b.boxes.tolist())
    assert np.array_equal(ious(a, plain), box_ious(a.boxes, b.boxes))
    assert np.array_equal(ious(plain, a, "mask"), box_ious(b.boxes, a.boxes))
    with pytest.raises(ValueError, match="'box' or 'mask'"):
        ious(a, b, "pixels")  # type: ignore[arg-type]


def test_empty_masks_overlap_nothing() -> None:
    nothing = masked(np.zeros((1, 5, 6), bool))
    assert ious(nothing, nothing).tolist() == [[0]]
    assert match(nothing, nothing, least_iou=0) == []


def test_masks_of_different_sizes_are_refused() -> None:
    with pytest.raises(DataError, match=r"a\.png: masks of different sizes, 6 x 5 and 5 x 6"):
        ious(drawn(0, 1), masked(np.ones((1, 6, 5), bool)))


def test_the_best_total_is_taken_not_the_best_pair() -> None:
    truth = make([[0, 0, 10, 10], [4, 0, 14, 10]])
    detections = make([[2.1, 0, 12.1, 10], [5.5, 0, 15.5, 10]])
    # The first is nearest to the second truth (.68); taking that would leave the other without one.
    assert match(detections, truth) == [(0, 0), (1, 1)]
    assert match(detections, truth, least_iou=0.7) == [(1, 1)]


def test_a_weak_pair_does_not_stand_in_the_way() -> None:
    truth = make([[0, 0, 10, 10], [100, 0, 110, 10]])
    detections = make([[0, 0, 10, 10]])
    assert match(detections, truth) == [(0, 0)] and match(truth, detections) == [(0, 0)]
    assert match(make([]), truth) == match(truth, make([])) == []


def test_labels_only_when_asked() -> None:
    detections, truth = make([[0, 0, 10, 10]], labels=[1]), make([[0, 0, 10, 10]], labels=[2])
    assert match(detections, truth) == [(0, 0)] and match(detections, truth, same_label=True) == []


@settings(max_examples=50)
@given(st.integers(0, 1000), st.integers(0, 4), st.sampled_from([0.2, 0.35, 0.5]))
def test_no_assignment_is_better(seed: int, n: int, least: float) -> None:
    a, b = drawn(seed, n), drawn(seed + 1, 4)
    worth = ious(a, b)
    counted = np.where(worth >= least, worth, 0)
    pairs = match(a, b, least_iou=least)
    assert all(worth[i, j] >= least for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs) and pairs == sorted(pairs)
    best = max(sum(counted[i, j] for i, j in enumerate(order[:n])) for order in permutations(range(4)))
    assert sum(worth[i, j] for i, j in pairs) == pytest.approx(best)
