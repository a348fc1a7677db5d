"""Masks to outlines: encodings checked against pycocotools, rings against pixels, simplification by distance."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from nsreason.errors import SceneError
from nsreason.io.rle import LARGEST
from nsreason.traces.mask_outlines import borders, outline, read_mask, simplified, svg_path

coco = pytest.importorskip("pycocotools.mask")

Bools = NDArray[np.bool_]
F64 = NDArray[np.float64]
sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))
masks = sizes.flatmap(lambda size: arrays(np.bool_, size))


def encoded(mask: Bools) -> dict[str, Any]:
    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(code["size"]), "counts": code["counts"].decode("ascii")}


def disc(height: int, width: int, x: float, y: float, radius: float) -> Bools:
    rows, columns = np.mgrid[:height, :width] + 0.5
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 < radius**2)


def filled(rings: list[F64], height: int, width: int) -> Bools:
    """The pixels in the rings by the even-odd rule: how often a ray to the right crosses them."""
    x = np.arange(width) + 0.5
    out = np.zeros((height, width), dtype=np.bool_)
    for ring in rings:
        for (a, b), (c, d) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            for row in range(max(0, int(min(b, d)) - 1), min(height, int(max(b, d)) + 1)):
                y = row + 0.51  # corners lie at halves: a ray slightly below the middle of a row meets none
                if (b > y) != (d > y):
                    out[row] ^= x < a + (y - b) * (c - a) / (d - b)
    return out


def distance(point: F64, ring: F64) -> float:
    starts, ends = ring, np.roll(ring, -1, axis=0)
    along = ends - starts
    length = np.maximum((along**2).sum(1), 1e-12)
    t = np.clip(((point - starts) * along).sum(1) / length, 0, 1)
    return float(np.hypot(*(point - starts - t[:, None] * along).T).min())


# --- the encoding -------------------------------------------------------------------------------------------


@given(masks)
def test_the_encoding_of_coco_is_read(mask: Bools) -> None:
    code = encoded(mask)
    assert (read_mask(code) == mask).all()
    assert (read_mask(code | {"counts": code["counts"].encode()}) == mask).all()


@given(masks)
def test_uncompressed_counts_are_read(mask: Bools) -> None:
    column = mask.T.reshape(-1).tolist()
    counts, value = [0], False
    for pixel in column:
        if pixel != value:
            counts, value = [*counts, 0], pixel
        counts[-1] += 1
    assert (read_mask({"size": list(mask.shape), "counts": counts}) == mask).all()


def test_long_runs_are_read() -> None:
    mask = np.zeros((700, 900), dtype=np.bool_)
    mask[350:, 450] = mask[0, 899] = True
    assert (read_mask(encoded(mask)) == mask).all()


GOOD = encoded(disc(20, 30, 15, 10, 6))


@pytest.mark.parametrize(
    ("mask", "path", "match"),
    [
        ("nonsense", "$.mask", "is {'size'"),
        ([[1, 2, 3, 4, 5, 6]], "$.mask", "COCO's encoding"),
        ({"size": [20, 30]}, "$.mask", "COCO's encoding"),
        (GOOD | {"size": "20"}, "$.mask", "got '20'"),
        (GOOD | {"size": [20, 0]}, "$.mask", r"got \[20, 0\]"),
        (GOOD | {"size": [20, 30.0]}, "$.mask", "two whole numbers"),
        (GOOD | {"size": [LARGEST, 2]}, "$.mask", "the most that is read is 64,000,000"),
        (GOOD | {"size": [30, 30]}, "$.mask", "runs add up to 600 pixels, its size 30 x 30 has 900"),
        (GOOD | {"counts": GOOD["counts"][:-2]}, "$.mask", "runs add up to|in the middle of a number"),
        (GOOD | {"counts": GOOD["counts"] + "o"}, "$.mask", "in the middle of a number"),
        (GOOD | {"counts": "ab cd"}, "$.mask", "character 2 of its counts is ' '"),
        (GOOD | {"counts": "é"}, "$.mask", "character 0 of its counts is not ASCII"),
        (GOOD | {"counts": "o" * 40 + "0"}, "$.mask", "a number of 41 characters"),
        (GOOD | {"counts": "N"}, "$.mask", "its run 0 is of -2 pixels"),
        (GOOD | {"counts": ""}, "$.mask", "its counts are empty"),
        (GOOD | {"counts": []}, "$.mask", "its counts are empty"),
        (GOOD | {"counts": [300, -1, 301]}, "$.mask", "its run 1 is of -1 pixels"),
        (GOOD | {"counts": [300.0, 300.0]}, "$.mask", "its run 0 is of 300.0 pixels"),
        (GOOD | {"counts": 600}, "$.mask", "text or a list of whole numbers"),
        (GOOD | {"counts": [600]}, "$.mask", "the mask is empty"),
    ],
)
def test_damaged_masks_are_refused(mask: object, path: str, match: str) -> None:
    with pytest.raises(SceneError, match=match) as caught:
        outline(mask)
    assert caught.value.path == path


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=30))
def test_any_text_is_a_mask_or_an_error(text: str) -> None:
    try:
        assert read_mask({"size": [3, 4], "counts": text}).shape == (3, 4)
    except SceneError as error:
        assert error.path.startswith("$.mask")


# --- rings --------------------------------------------------------------------------------------------------


@given(masks)
def test_rings_hold_the_filled_pixels_and_no_others(mask: Bools) -> None:
    rings = borders(mask)
    assert (filled(rings, *mask.shape) == mask).all()
    assert bool(rings) == mask.any()
    assert all(len(ring) >= 4 for ring in rings)


def test_parts_and_holes_are_rings() -> None:
    mask = disc(60, 90, 30, 30, 25) & ~disc(60, 90, 30, 30, 10) | disc(60, 90, 77, 30, 9)
    outlined = outline(encoded(mask))
    assert outlined.size == (90, 60) and outlined.area == mask.sum()
    assert [round(float(ring[:, 0].mean()), -1) for ring in outlined.rings] == [30, 30, 80]  # the largest first
    again = filled(list(outlined.rings), 60, 90)
    assert (again & mask).sum() / (again | mask).sum() > 0.98
    assert mask[int(outlined.inside[1]), int(outlined.inside[0])]  # not in the hole, where the middle is


@pytest.mark.parametrize("radius", [3, 8, 25, 90])
def test_an_outline_is_close_and_short(radius: int) -> None:
    mask = disc(200, 200, 100.3, 99.8, radius)
    outlined = outline(encoded(mask))
    again = filled(list(outlined.rings), 200, 200)
    assert (again & mask).sum() / (again | mask).sum() > (0.9 if radius < 5 else 0.97)
    assert len(svg_path(outlined.rings)) < 600
    assert outlined.inside == pytest.approx((100.3, 99.8), abs=0.5)


@given(arrays(np.float64, st.tuples(st.integers(4, 30), st.just(2)), elements=st.floats(0, 20)), st.floats(0.1, 4))
def test_what_is_left_out_lies_within_the_tolerance(ring: F64, tolerance: float) -> None:
    short = simplified(ring, tolerance)
    assert all(distance(point, short) <= tolerance + 1e-6 for point in ring)
    assert {tuple(p) for p in short} <= {tuple(p) for p in ring}


def test_thin_and_tiny_parts_stay() -> None:
    line = np.zeros((40, 40), dtype=np.bool_)
    line[20, 5:35] = True
    (ring,) = outline(encoded(line)).rings
    assert len(ring) >= 3 and np.ptp(ring[:, 0]) > 28 and np.ptp(ring[:, 1]) > 0.5
    point = np.zeros((40, 40), dtype=np.bool_)
    point[7, 9] = True
    assert outline(encoded(point)).inside == (9.5, 7.5) and len(outline(encoded(point)).rings[0]) >= 3


def test_specks_do_not_fill_the_page() -> None:
    rng = np.random.default_rng(0)
    mask = disc(320, 480, 200, 150, 70) | (rng.random((320, 480)) < 0.02)
    outlined = outline(encoded(mask))
    assert len(outlined.rings) <= 40 and len(svg_path(outlined.rings)) < 6000
    assert round(float(outlined.rings[0][:, 0].mean())) in range(190, 210)


def test_outlines_are_fitted_to_another_size() -> None:
    outlined = outline(encoded(disc(50, 100, 50, 25, 20)))
    twice = outlined.fitted(200, 50)
    assert twice.size == (200, 50) and twice.inside == pytest.approx((100, 25), abs=0.5)
    assert np.allclose(twice.rings[0], outlined.rings[0] * (2, 1)) and twice.area == 2 * outlined.area


def test_paths_say_the_points() -> None:
    rings = [np.array([[1.0, 2.0], [3.5, 2.0], [3.5, 4.26], [0.96, 4.0]]), np.array([[10, 10], [11, 10], [10.5, 9.5]])]
    path = svg_path(rings)
    assert path == "M1 2l2.5 0 0 2.3-2.5-.3zM10 10l1 0-.5-.5z"
    numbers = [[float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", part)] for part in path.split("z")[:-1]]
    for ring, told_ring in zip(rings, numbers, strict=True):
        steps = np.array(told_ring).reshape(-1, 2)
        assert np.allclose(np.cumsum(steps, axis=0), ring, atol=0.051)


def test_no_torch_is_loaded() -> None:
    heavy = "('torch', 'PIL', 'pycocotools')"
    code = f"import sys; import nsreason.traces.mask_outlines; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
