"""The weights that come with the package, and the script that writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.bundle_weights import main
from nsreason.checkpoint import load_model, save_checkpoint
from nsreason.errors import CheckpointError
from nsreason.perception import bundled as module
from nsreason.perception.bundled import WEIGHTS, bundled
from nsreason.perception.scene_parser import SceneParser, SceneParserConfig

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
    told = json.loads(path.read_text(encoding="utf-8"))["state"]
    assert told["recipe"] == {"model": "scene-parser"}
    assert told["made"] | {"date": "", "version": ""} == {
        "data_seed": 7,
        "note": "and photographs",
        "date": "",
        "version": "",
    }
    with pytest.raises(
        CheckpointError, match=r"it has scene-parser.*nsreason train detector"
    ):
        bundled("detector")


def test_a_run_of_another_model_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="not of 'detector'"):
        main(["--detector", str(run), "--data-seed", "7", "--out", str(tmp_path)])
    assert main(["--detector", str(tmp_path / "absent"), "--data-seed", "7", "--out", str(tmp_path)]) == 2


def test_nothing_bundled_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "absent")
    with pytest.raises(CheckpointError, match="it has none"):
        bundled("detector")


@pytest.mark.parametrize("name", sorted(p.stem for p in WEIGHTS.glob("*.json")))
def test_what_is_bundled_can_be_read(name: str) -> None:
    told = json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8"))
    assert told["model"] == name and "recipe" in told["state"] and "data_seed" in told["state"]["made"]
    model = load_model(WEIGHTS / f"{name}.json")
    assert all(p.dtype == torch.float32 for p in model.parameters())
