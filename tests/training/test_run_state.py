"""Where a run stands: a checkpoint that does not say so, or not rightly, is refused with what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nsreason.errors import CheckpointError, TrainingError
from nsreason.training.checkpoint import check_recipe, load_checkpoint
from nsreason.training.run_state import sweep_run
from tests.support import killed_run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("run")
    killed_run.run(folder)
    yield folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": None}, r"Expected `int`, got `null` - at `\$.epoch`"),
        ({"epoch": 0}, "Expected `int` >= 1"),
        ({"epoch": 10**30}, "at most 64 bits"),
        ({"epoch": 2}, "epoch 2 with 0 steps done is step 4, not 8"),
        ({"done": -1}, "Expected `int` >= 0"),
        ({"done": 3}, "epoch 3 with 3 steps done is step 11, not 8"),
        ({"seconds": "1"}, "Expected `float`, got `str`"),
        ({"best": []}, r"Expected `float \| null`, got `array`"),
        ({"examples": 3.5}, "Expected `int`, got `float`"),
        ({"meter": ["loss"]}, "its sums of metrics are damaged"),
        ({"meter": {}}, "Expected `array`, got `object`"),
        ({"scaler": 3}, "Expected `object`, got `int`"),
        ({"scaler": {"scale": "x"}}, "got `str`"),
        ({"rows": -1}, "Expected `int` >= 0"),
        ({"recipe": 3}, "its recipe.training.precision is None; go on from another"),
        ({"recipe": {}}, "its recipe.training.precision is None"),
        ({"recipe": {"training": []}}, "its recipe.training.precision is None"),
        ({"recipe": {"training": {"precision": "32"}}}, "the run began with another recipe"),
    ],
)
def test_a_damaged_state_is_refused(folder: Path, change: dict[str, Any], message: str) -> None:
    path = folder / "last.json"
    told = json.loads(path.read_text())
    told["state"] |= change
    path.write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match=rf"last.json: .*{message}"):
        killed_run.run(folder, resume=True)


@pytest.mark.parametrize("key", ["epoch", "done", "seconds", "best", "examples", "meter", "scaler", "recipe"])
def test_a_state_that_lacks_a_key_is_refused(folder: Path, key: str) -> None:
    path = folder / "last.json"
    told = json.loads(path.read_text())
    del told["state"][key]
    path.write_text(json.dumps(told))
    missing = "its recipe.training.precision is None" if key == "recipe" else f"missing required field `{key}`"
    message = f"{missing}; go on from another"
    with pytest.raises(CheckpointError, match=message):
        killed_run.run(folder, resume=True)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [(None, "holds no recipe"), (3, "holds no recipe"), ({}, "no table 'training'"), ({"training": 3}, "no table")],
)
def test_a_checkpoint_without_a_recipe_is_of_another_run(whole: Path, recipe: Any, message: str) -> None:
    checkpoint = load_checkpoint(whole)
    told = replace(checkpoint, state={**checkpoint.state, "recipe": recipe})
    with pytest.raises(CheckpointError, match=f"last.json: .*{message}.*; copy both files again"):
        check_recipe(told, checkpoint.state["recipe"])


def test_rows_that_were_not_counted_are_kept_by_their_step(folder: Path) -> None:
    """As checkpoints of former versions are."""
    path, before = folder / "last.json", (folder / "metrics.csv").read_text()
    told = json.loads(path.read_text())
    del told["state"]["rows"], told["tensors"]["crc32"]
    path.write_text(json.dumps(told))
    killed_run.run(folder, resume=True)
    assert (folder / "metrics.csv").read_text() == before


def _first(tensors: dict[str, Tensor], change: Callable[[Tensor], Tensor]) -> None:
    name = next(name for name in tensors if name.startswith("optimizer/") and name.endswith("exp_avg"))
    tensors[name] = change(tensors[name])


CHANGES: dict[str, tuple[Callable[[dict[str, Tensor]], Any], str]] = {
    "no numbers": (lambda t: [t.pop(k) for k in list(t) if k.startswith("random")], "lacks 'python_gauss'"),
    "no python": (lambda t: t.pop("random/0/python"), "random numbers lacks 'python'"),
    "no torch": (lambda t: t.pop("random/0/torch"), "random numbers lacks 'torch'"),
    "few words": (lambda t: t.update({"random/0/python": torch.arange(5)}), "random numbers is damaged"),
    "floats": (lambda t: t.update({"random/0/python": torch.rand(625)}), "random numbers is damaged"),
    "negative": (lambda t: t["random/0/numpy"].fill_(-1), "random numbers is damaged"),
    "far": (lambda t: t["random/0/numpy"][624:].fill_(10**6), "numpy's has 624 words and stands at 1000000"),
    "no gauss": (lambda t: t.update({"random/0/numpy_gauss": torch.zeros(0)}), "random numbers is damaged"),
    "bytes": (lambda t: t.update({"random/0/torch": torch.zeros(3, dtype=torch.uint8)}), "random numbers is damaged"),
    "kind": (lambda t: t.update({"random/0/torch": torch.zeros(5056)}), "random numbers is damaged"),
    "no meter": (lambda t: t.pop("meter"), "its sums of metrics are damaged"),
    "long meter": (lambda t: t.update(meter=torch.zeros(7, 2)), "its sums of metrics are damaged"),
    "no moment": (lambda t: t.pop("optimizer/head.weight/exp_avg"), "optimizer/head.weight: no exp_avg"),
    "shape": (lambda t: _first(t, lambda v: v.new_zeros(7)), r"exp_avg is float32\[7\], of a parameter of \["),
    "scalar": (lambda t: _first(t, lambda v: v.new_zeros(())), r"exp_avg is float32\[\], of a parameter"),
    "foreign": (lambda t: t.update({"optimizer/other/step": torch.zeros(())}), "of no parameter of .*: 'other'"),
    "null": (lambda t: t.update({"optimizer/a\0b/step": torch.zeros(())}), "of no parameter of the optimizer"),
    "no weight": (lambda t: t.pop("model/head.weight"), "missing in the checkpoint: head.weight"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_damaged_tensors_are_refused(folder: Path, name: str) -> None:
    change, message = CHANGES[name]
    path = folder / "last.json"
    told = json.loads(path.read_text())
    file = folder / told["tensors"]["file"]
    tensors = {k: v.clone() for k, v in load_file(file).items()}
    change(tensors)
    save_file(tensors, file)
    told["tensors"] = {"file": file.name, "bytes": file.stat().st_size}  # no checksum, as former versions
    path.write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match=message):
        killed_run.run(folder, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "a\0b"}, "cannot be read: embedded null"),
        ({"file": 3}, "Expected `str`, got `int`"),
        ({"file": ""}, r"run: \d+ bytes, expected \d+"),
        ({"bytes": 10**30}, "Expected `int` <="),
        ({"bytes": -1}, "Expected `int` >= 0"),
        ({"crc32": 1}, "their checksum differs; copy both files again"),
        ({"half": 1}, "Expected `bool`, got `int`"),
    ],
)
def test_a_damaged_name_of_tensors_is_refused(folder: Path, change: dict[str, Any], message: str) -> None:
    path = folder / "last.json"
    told = json.loads(path.read_text())
    told["tensors"] |= change
    path.write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match=message):
        killed_run.run(folder, resume=True)


def test_a_flipped_bit_of_the_weights_is_found(folder: Path) -> None:
    told = json.loads((folder / "last.json").read_text())
    file = folder / told["tensors"]["file"]
    data = bytearray(file.read_bytes())
    data[-9] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="their checksum differs"):
        killed_run.run(folder, resume=True)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("kind", "SGD", "of the optimizer SGD, not of AdamW"),
        ("parameters", ["a"], "the optimizer's parameters differ"),
        ("parameters", [1], "Expected `str`, got `int`"),
        ("groups", [], "0 groups of parameters, here are 1"),
        ("groups", [{"lr": "fast"}], "lr: 'fast', here it is 0.01"),
        ("groups", [{"betas": [0.9]}], r"betas: \[0.9\], here it is \(0.9, 0.999\)"),
        ("groups", [{"amsgrad": True}], "amsgrad: True, here it is False"),
        ("groups", [{"lr": 10**30}], "at most 64 bits"),
        ("rest", {"head.weight": {"step": "x"}}, "got `str`"),
        ("rest", {"other": {"step": 1}}, "of no parameter of the optimizer: 'other'"),
    ],
)
def test_damaged_settings_of_the_optimizer_are_refused(folder: Path, key: str, value: Any, message: str) -> None:
    path = folder / "last.json"
    told = json.loads(path.read_text())
    told["optimizer"][key] = value
    path.write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match=message):
        killed_run.run(folder, resume=True)


def test_a_run_of_other_examples_is_refused(folder: Path) -> None:
    path = folder / "last.json"
    told = json.loads(path.read_text())
    told["state"]["examples"] = 90
    path.write_text(json.dumps(told))
    with pytest.raises(TrainingError, match="the run began with 90 examples, here are 91"):
        killed_run.run(folder, resume=True)


def test_what_killed_runs_left_is_swept_and_nothing_else(folder: Path) -> None:
    before = {p.name for p in folder.iterdir()}
    left = [".metrics.csv.abcd1234.tmp", ".last-8.safetensors.0000abcd.tmp", "last-4.safetensors"]
    left += ["best-2-3.safetensors"]
    kept = ["notes.tmp", ".own.tmp", "last-mine.safetensors", "other-4.safetensors", "last-4.json"]
    for name in left + kept:
        (folder / name).write_bytes(b"")
    sweep_run(folder)
    assert {p.name for p in folder.iterdir()} == before | set(kept)
