"""Synthetic CLEVR beside the real one: its camera, its placement, the shapes of its questions.

Needs NSREASON_DATA.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsreason.generators import generate_questions, generate_scenes
from nsreason.generators.clevr.placement import SceneCamera, clevr_rules, directions, visible_pixels
from nsreason.generators.clevr.questions import Balance

DATA = Path(os.environ.get("NSREASON_DATA", "")) / "clevr"
SCENES, QUESTIONS = DATA / "CLEVR_train_scenes.json", DATA / "CLEVR_train_questions.json"

pytestmark = pytest.mark.skipif(
    "NSREASON_DATA" not in os.environ or not SCENES.is_file() or not QUESTIONS.is_file(),
    reason="NSREASON_DATA has no clevr/",
)

RULES = clevr_rules()


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    scene_records: list[dict[str, Any]] = json.loads(SCENES.read_bytes())["scenes"]
    return scene_records


def missed(record: dict[str, Any], shift: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How far the camera, moved by `shift`, sees the objects from where they are annotated, in pixels: (N, 2)."""
    x, y, z = (p + s for p, s in zip(RULES.camera.location, shift.tolist(), strict=True))
    camera = SceneCamera.at((x, y, z), RULES.camera)
    seen = [camera.project(tuple(o["3d_coords"]))[:2] for o in record["objects"]]
    offsets: np.ndarray[Any, Any] = np.asarray(seen) - np.asarray(
        [o["pixel_coords"][:2] for o in record["objects"]], dtype=float
    )
    return offsets


def jitter(record: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The shift of the camera that explains a scene's pixels best: three steps of Gauss and Newton."""
    shift = np.zeros(3)
    for _ in range(3):
        here = missed(record, shift).ravel()
        slope = np.stack([(missed(record, shift + 1e-4 * axis).ravel() - here) / 1e-4 for axis in np.eye(3)], 1)
        shift = shift - np.linalg.lstsq(slope, here, rcond=None)[0]
    return shift


def test_the_camera_is_that_of_the_released_scenes(records: list[dict[str, Any]]) -> None:
    plain, fitted, shifts, sizes = [], [], [], []
    for record in records[:300]:
        shifts.append(jitter(record))
        sizes.append(len(record["objects"]))
        plain += np.hypot(*missed(record, np.zeros(3)).T).tolist()
        fitted += np.hypot(*missed(record, shifts[-1]).T).tolist()
    assert np.mean(fitted) < 0.45 and max(fitted) < 1.5  # what rounding to whole pixels leaves
    assert 3 < np.mean(plain) < 5  # so the jitter is real
    # Scenes of many objects tell their jitter well: uniform in half a unit each way.
    sure = np.asarray([s for s, n in zip(shifts, sizes, strict=True) if n >= 8])
    assert np.abs(sure).max() < 0.6 and np.all(np.abs(sure.mean(0)) < 0.1)
    assert np.all(np.abs(sure.std(0) - 0.5 / math.sqrt(3)) < 0.05)


def test_depths_are_those_of_the_released_scenes(records: list[dict[str, Any]]) -> None:
    for record in records[:50]:
        x, y, z = (p + s for p, s in zip(RULES.camera.location, jitter(record).tolist(), strict=True))
        camera = SceneCamera.at((x, y, z), RULES.camera)
        for entry in record["objects"]:
            assert camera.project(tuple(entry["3d_coords"]))[2] == pytest.approx(entry["pixel_coords"][2], abs=0.2)


def test_directions_are_the_same_in_every_released_scene(records: list[dict[str, Any]]) -> None:
    for name, vector in directions(RULES).items():
        assert all(record["directions"][name] == pytest.approx(vector, abs=1e-6) for record in records)


def apart(objects: list[dict[str, Any]]) -> Iterable[tuple[float, float]]:
    """For each pair, the space between their circles and the lesser of their shifts along the two directions."""
    axes = directions(RULES)
    radius = RULES.radius.values
    for one, other in itertools.combinations(objects, 2):
        gap = [a - b for a, b in zip(one["3d_coords"], other["3d_coords"], strict=True)]
        shift = min(abs(sum(g * v for g, v in zip(gap, axes[d], strict=True))) for d in ("right", "behind"))
        yield math.hypot(*gap[:2]) - radius[one["size"]] - radius[other["size"]], shift


def test_released_scenes_keep_the_rules_by_which_ours_are_placed(records: list[dict[str, Any]]) -> None:
    pairs = [pair for record in records for pair in apart(record["objects"])]
    assert 0.25 <= min(space for space, _ in pairs) < 0.26
    assert 0.4 <= min(shift for _, shift in pairs) < 0.401
    assert {o["3d_coords"][2] for r in records for o in r["objects"]} == {np.float32(0.7), np.float32(0.35)}
    hidden = 0
    for record in records:
        pixels = [tuple(o["pixel_coords"]) for o in record["objects"]]
        radii = [RULES.radius.values[o["size"]] for o in record["objects"]]
        hidden += min(visible_pixels(pixels, radii, RULES.camera.focal)) < RULES.min_pixels
    assert hidden < 0.02 * len(records)  # the estimate is rough: the data set has none


def test_scenes_are_as_crowded_as_the_released_ones(records: list[dict[str, Any]]) -> None:
    ours = [s.to_dict()["objects"] for s in generate_scenes(len(records), 0)]
    theirs = [r["objects"] for r in records]
    for crowd in (ours, theirs):
        counts = Counter(map(len, crowd))
        assert set(counts) == set(range(3, 11)) and max(counts.values()) < 1.5 * min(counts.values())
    means = [np.mean(list(itertools.chain.from_iterable(map(apart, crowd))), axis=0) for crowd in (ours, theirs)]
    assert means[0] == pytest.approx(means[1], rel=0.03)
    large = [np.mean([o["size"] == "large" for objects in crowd for o in objects]) for crowd in (ours, theirs)]
    assert large[0] == pytest.approx(large[1], abs=0.03)


def skeleton(nodes: list[dict[str, Any]]) -> str:
    """A program without its filters, as one expression."""
    texts: list[str] = []
    for node in nodes:
        inputs = [texts[i] for i in node["inputs"]]
        name = node["function"]
        texts.append(inputs[0] if name.startswith("filter_") else f"{name}({', '.join(inputs)})")
    return texts[-1]


@pytest.mark.slow
def test_every_official_shape_of_program_is_generated() -> None:
    """20,000 questions hold all 78 shapes up to filters of the official ones, about as evenly."""
    official = Counter(skeleton(q["program"]) for q in json.loads(QUESTIONS.read_bytes())["questions"])
    ours: Counter[str] = Counter()
    balance = Balance()
    for scene in generate_scenes(2000, 0):
        ours.update(skeleton(json.loads(q.program or b"")) for q in generate_questions(scene, 10, 0, balance=balance))
    assert ours.total() == 20_000 and len(official) == 78
    assert set(ours) == set(official)
    for shape, count in official.items():
        assert ours[shape] / ours.total() > 0.4 * count / official.total(), shape


def test_official_questions_have_needless_words_and_ours_have_not(records: list[dict[str, Any]]) -> None:
    """The difference that a model trained on ours will meet: it is one of wording, not of shape."""
    from nsreason.data import QuestionRecord, read_questions
    from nsreason.generators import idle_calls
    from nsreason.scenes.scene import Scene

    scenes = {r["image_index"]: Scene.from_dict(r) for r in records}
    asked = [q for q in itertools.islice(read_questions(QUESTIONS), 1000) if isinstance(q, QuestionRecord)]
    needless = 0
    for question in asked:
        program = question.given_program()
        assert program is not None and question.image_index is not None
        idle = idle_calls(program, scenes[question.image_index])
        needless += any(program.calls[n].op == "filter" for n in idle)
    assert 0.3 < needless / len(asked) < 0.95
