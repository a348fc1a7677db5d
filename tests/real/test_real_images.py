"""The renderer beside the released images: where things are, and how bright."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nsreason.cli.app import app
from nsreason.data.scenes import load_scenes
from nsreason.generators.clevr.images import annotated, fitted_camera, render_scene
from nsreason.generators.clevr.released import annotate
from nsreason.io.image_tensors import read_image
from nsreason.perception.bundled import bundled
from nsreason.perception.detections.rle import decode_masks
from nsreason.perception.familiarity import Familiarity
from nsreason.perception.rendering.style import clevr_style
from nsreason.training.checkpoint import load_model

DATA = os.environ.get("NSREASON_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="NSREASON_DATA names no folder of real data")
CLEVR = Path(DATA or ".") / "clevr"


@pytest.mark.parametrize(("by", "least"), [("scene-parser", 0.95), ("concept-learner", 0.9)])
def test_released_images_are_answered(by: str, least: float, tmp_path: Path) -> None:
    """The bundled weights on every fifth released image, from which nothing was learned: their official questions."""
    folder = tmp_path / "real"
    files = CLEVR / "CLEVR_train_scenes.json", CLEVR / "images", CLEVR / "CLEVR_train_questions.json"
    summary = annotate(*files, folder, keep=lambda place: place % 5 == 4)
    assert summary.images == 40 and summary.questions == 400
    asked = ["--questions", str(folder / "questions.json"), "--images", str(folder / "images"), "--by", by]
    result = CliRunner().invoke(app, ["evaluate", *asked, "--programs", "parsed", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["overall"]["accuracy"] >= least


def test_cameras_fit_the_released_scenes() -> None:
    scenes = load_scenes(CLEVR / "CLEVR_train_scenes.json").scenes[::9]
    errors = [fitted_camera(s)[1] for s in scenes]
    assert np.mean(errors) < 0.4 and np.max(errors) < 0.7


def test_drawn_objects_lie_on_the_photographed_ones() -> None:
    """The mean colour of each object, and of the ground, in the released image and in the drawn one."""
    scenes = [s for s in load_scenes(CLEVR / "CLEVR_train_scenes.json") if (CLEVR / "images" / str(s.image)).is_file()]
    assert len(scenes) == 200
    things, grounds = [], []
    for scene in scenes[::14]:
        camera, _ = fitted_camera(scene)
        drawn = render_scene(scene, camera, style=clevr_style())
        seen = annotated(scene, drawn)
        real = read_image(CLEVR / "images" / str(scene.image)).permute(1, 2, 0).numpy().astype(float)
        assert real.shape == (320, 480, 3)
        masks = decode_masks([p.mask for p in seen.places if p.mask is not None], (320, 480))
        things += [real[m].mean(0) - drawn.image[m].mean(0) for m in masks]
        ground = ~masks.any(0)
        grounds.append(real[ground].mean(0) - drawn.image[ground].mean(0))
    # In steps of 255; lamps are jittered in each released image, and drawn here without jitter.
    assert np.abs(np.mean(things, 0)).max() < 4 and np.abs(np.mean(grounds, 0)).max() < 4
    assert np.sqrt(np.mean(np.square(things))) < 12


def test_released_images_are_like_what_was_learned_from() -> None:
    """The threshold comes of renders alone; no more than one in a hundred released images may be warned of."""
    folder = CLEVR / "images"
    paths = sorted(folder.iterdir())[::4]
    familiarity = Familiarity.of_bundled(load_model(bundled("detector")))
    warned = [w for p in paths for w in familiarity.warnings([read_image(p)]) if w is not None]
    assert len(paths) == 50 and not warned


@pytest.mark.slow
def test_all_released_images_are_like_what_was_learned_from() -> None:
    paths = sorted((CLEVR / "images").iterdir())
    familiarity = Familiarity.of_bundled(load_model(bundled("detector")))
    warned = [w for p in paths for w in familiarity.warnings([read_image(p)]) if w is not None]
    assert len(paths) == 200 and len(warned) <= 2
