"""Names beside what was found: none over another, each in the image."""

from __future__ import annotations

from itertools import combinations
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nsreason.perception.detections.detections import Detections
from nsreason.perception.detections.writers import outlined
from nsreason.perception.detector.labels import Box, names_of, places


def apart(boxes: list[Box], frame: tuple[float, float]) -> None:
    for a, b in combinations(boxes, 2):
        assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]
    for left, top, right, bottom in boxes:
        assert left >= 0 and top >= 0 and right <= frame[0] + 1e-6 and bottom <= frame[1] + 1e-6


@pytest.mark.parametrize("n", [1, 2, 10, 50])
@pytest.mark.parametrize("kind", ["spread", "one place", "corner"])
def test_no_name_stands_over_another(n: int, kind: str) -> None:
    rng = Random(f"{n}{kind}")
    boxes = []
    for _ in range(n):
        spread = rng.uniform(0, 440), rng.uniform(0, 280)
        x, y = {"spread": spread, "one place": (200.0, 150.0), "corner": (470.0, 310.0)}[kind]
        boxes.append((x, y, x + rng.uniform(5, 60), y + rng.uniform(5, 60)))
    apart(places(boxes, [(rng.uniform(30, 80), 15.0) for _ in range(n)], (480, 320)), (480, 320))


@given(st.lists(st.tuples(*[st.integers(0, 300)] * 4), max_size=25), st.integers(0, 2**32))
def test_no_name_stands_over_another_wherever_objects_are(corners: list[tuple[int, ...]], seed: int) -> None:
    rng = Random(seed)
    boxes = [(float(min(a, c)), float(min(b, d)), float(max(a, c)), float(max(b, d))) for a, b, c, d in corners]
    apart(places(boxes, [(rng.uniform(20, 90), rng.uniform(10, 20)) for _ in boxes], (300, 300)), (300, 300))


def test_where_there_is_room_names_stand_above_their_objects() -> None:
    assert places([(100, 100, 150, 150)], [(60, 15)], (480, 320)) == [(100, 85, 160, 100)]
    assert places([(100, 0, 150, 50)], [(60, 15)], (480, 320)) == [(100, 0, 160, 15)]  # its own upper edge
    assert len(places([(0, 0, 9, 9)] * 3, [(60, 15)] * 3, (20, 10))) == 3  # no room for any: still a place for each


def test_classes_and_scores_are_written() -> None:
    boxes = np.array([[10, 40, 60, 90], [100, 50, 140, 100]], np.float32)
    detections = Detections("a", (200, 150), boxes, np.array([0.987, 0.4], np.float32), np.array([2, 9]), None)
    assert names_of(detections, ["cube", "sphere"]) == ["sphere 0.99", "class 9 0.40"]
    image = torch.full((3, 150, 200), 128, dtype=torch.uint8)
    plain, labelled = outlined(image, detections), outlined(image, detections, 1, ["cube", "sphere"])
    assert plain.shape == labelled.shape == (150, 200, 3) and labelled.dtype == np.uint8
    changed = (plain != labelled).any(-1)
    assert changed[25:40, 10:70].mean() > 0.5 and not changed[110:].any()  # above the first; nothing far below
    none = Detections("a", (200, 150), np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int), None)
    assert (outlined(image, none, 1, ["cube"]) == 128).all()
