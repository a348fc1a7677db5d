"""The weights that come with the package, and the script that writes them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import Tensor

import nsreason
from benchmarks.bundle_weights import main
from nsreason.data.scenes import load_scenes
from nsreason.errors import CheckpointError
from nsreason.generators import generate_questions
from nsreason.generators.clevr.images import render_scene
from nsreason.generators.clevr.scenes import generate_scenes_with_cameras
from nsreason.io.image_tensors import read_image
from nsreason.perception import bundled as module
from nsreason.perception.bundled import WEIGHTS, Bundled, bundled
from nsreason.perception.scene_parser.config import SceneParserConfig
from nsreason.perception.scene_parser.parser import SceneParser
from nsreason.queries.image import QueryImage
from nsreason.queries.query import Query
from nsreason.reasoners.image_pipeline import ConceptPipeline, DetectedImage, SceneParserPipeline
from nsreason.reasoners.images import image_reasoner
from nsreason.reasoners.perceived_images import PerceivedImages
from nsreason.scenes.scene import Scene
from nsreason.training.checkpoint import load_model, save_checkpoint
from tests.support.checkpoints import record_of

SMALL = SceneParserConfig(side=24, width=8, hidden=16)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    state = {"recipe": {"model": "scene-parser"}}
    save_checkpoint(tmp_path / "run", "best", model_name="scene-parser", model=SceneParser(SMALL), step=3, state=state)
    return tmp_path / "run"


def test_a_run_becomes_bundled_weights(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "weights"
    assert main(["--scene-parser", str(run), "--data-seed", "7", "--note", "and photographs", "--out", str(out)]) == 0
    monkeypatch.setattr(module, "WEIGHTS", out)
    path = bundled("scene-parser")
    assert isinstance(load_model(path), SceneParser)
    state = record_of(path)["state"]
    assert state["recipe"] == {"model": "scene-parser"}
    assert state["made"] | {"date": "", "version": ""} == {
        "data_seed": 7,
        "note": "and photographs",
        "date": "",
        "version": "",
    }
    with pytest.raises(CheckpointError, match=r"it has scene-parser.*nsreason train detector"):
        bundled("detector")


def test_a_run_of_another_model_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="not of 'detector'"):
        main(["--detector", str(run), "--data-seed", "7", "--out", str(tmp_path)])
    assert main(["--detector", str(tmp_path / "absent"), "--data-seed", "7", "--out", str(tmp_path)]) == 2


def test_nothing_bundled_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "absent")
    with pytest.raises(CheckpointError, match="it has none"):
        bundled("detector")


@pytest.mark.parametrize("name", get_args(Bundled))
def test_what_is_bundled_can_be_read(name: str) -> None:
    record = record_of(WEIGHTS / f"{name}.safetensors")
    assert record["model"] == name and "recipe" in record["state"] and "data_seed" in record["state"]["made"]
    model = load_model(WEIGHTS / f"{name}.safetensors")
    assert all(p.dtype == torch.float32 for p in model.parameters())


# --- the weights themselves -------------------------------------------------------------------------------------


def test_all_three_come_along_and_say_how_they_were_made() -> None:
    for name in get_args(Bundled):
        record = record_of(bundled(name))
        assert record["model"] == name and record["state"]["made"]["data_seed"] == 7
        assert record["state"]["recipe"]["training"]["seed"] >= 0
        weights = load_model(bundled(name)).state_dict()
        assert all(w.dtype != torch.float16 and w.isfinite().all() for w in weights.values() if w.is_floating_point())
    assert sum(p.stat().st_size for p in WEIGHTS.iterdir()) < 25e6


def drawn(seed: int, n: int) -> list[tuple[Scene, tuple[str, Tensor]]]:
    """Scenes that nothing was learned from, and their pictures."""
    out = []
    for scene, camera in generate_scenes_with_cameras(n, seed):
        pixels = render_scene(scene, camera, seed=seed).image
        out.append((scene, (str(scene.image), torch.from_numpy(pixels).permute(2, 0, 1))))
    return out


@pytest.mark.parametrize("by", ["scene-parser", "concept-learner"])
def test_images_are_seen_as_they_were_drawn(by: Bundled) -> None:
    """Ten new scenes: nearly all objects are found, and nearly all that is asked of them is answered right."""
    detector, model = load_model(bundled("detector")), load_model(bundled(by))
    pipeline = SceneParserPipeline(detector, model) if by == "scene-parser" else ConceptPipeline(detector, model)
    perceived = PerceivedImages(pipeline)
    scenes, queries = [], []
    for scene, (name, image) in drawn(41, 10):
        inputs = {"image": QueryImage(None, pixels=image.permute(1, 2, 0).numpy(), name=name)}
        for r in generate_questions(scene, 10, seed=41):
            scenes.append(scene)
            queries.append(Query(r.index, r.question, r.answer, "", inputs, r.given_program(scene.domain)))
    images = perceived.of(queries)
    counted = [
        isinstance(i, DetectedImage) and len(i.detections) == len(s) for i, s in zip(images, scenes, strict=True)
    ]
    assert sum(counted) >= 80  # of ten scenes eight
    right = sum(r.right(q) for r, q in zip(image_reasoner(perceived, "given").answer(queries), queries, strict=True))
    total = len(queries)
    assert total == 100 and right >= 85


def test_the_demos_image_is_answered_as_its_scene() -> None:
    reasoner = SceneParserPipeline(load_model(bundled("detector")), load_model(bundled("scene-parser")))
    package = Path(nsreason.__file__).parent
    detected_image = reasoner.perceive([("picture.png", read_image(package / "cli" / "demo_picture.png"))])[0]
    drawn_scene = load_scenes(package / "cli" / "demo_scene.json").scenes[0]
    seen = reasoner.scene(detected_image)
    assert sorted(map(seen.describe, range(len(seen)))) == sorted(map(drawn_scene.describe, range(len(drawn_scene))))
