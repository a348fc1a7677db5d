"""The state of a run: a checkpoint whose state is missing or wrong is refused with a remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nsreason.errors import CheckpointError, TrainingError
from nsreason.training.checkpoint import load_checkpoint
from nsreason.training.checkpoint_checks import check_recipe
from nsreason.training.run_state import sweep_run
from tests.support import killed_run
from tests.support.checkpoints import edit, record_of, sealed


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
    path = folder / "last.safetensors"
    edit(path, lambda record: record["state"].update(change))
    with pytest.raises(CheckpointError, match=rf"last.safetensors: .*{message}"):
        killed_run.run(folder, resume=True)


@pytest.mark.parametrize("key", ["epoch", "done", "seconds", "best", "examples", "meter", "scaler", "recipe"])
def test_a_state_that_lacks_a_key_is_refused(folder: Path, key: str) -> None:
    path = folder / "last.safetensors"
    edit(path, lambda record: record["state"].pop(key))
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
    other = replace(checkpoint, state={**checkpoint.state, "recipe": recipe})
    with pytest.raises(CheckpointError, match=f"last.safetensors: .*{message}.*; copy the file again"):
        check_recipe(other, checkpoint.state["recipe"])


def test_rows_that_were_not_counted_are_kept_by_their_step(folder: Path) -> None:
    """As checkpoints of former versions are."""
    path, before = folder / "last.safetensors", (folder / "metrics.csv").read_text()
    edit(path, lambda record: record["state"].pop("rows"))
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
    path = folder / "last.safetensors"
    edit(path, change_tensors=change)
    with pytest.raises(CheckpointError, match=message):
        killed_run.run(folder, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "of format 9; this version of nsreason reads format 2"),
        ({"model": 3}, "Expected `str`, got `int`"),
        ({"config": {"inputs": 10**30}}, "at most 64 bits"),
        ({"step": 10**30}, "Expected `int` <="),
        ({"step": -1}, "Expected `int` >= 0"),
        ({"state": []}, "Expected `object`, got `array`"),
        ({"half": 1}, "Expected `bool`, got `int`"),
        ({"optimizer": {}}, "missing required field `kind`"),
    ],
)
def test_a_damaged_record_is_refused(folder: Path, change: dict[str, Any], message: str) -> None:
    path = folder / "last.safetensors"
    text = json.dumps(record_of(path) | change, separators=(",", ":"))
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + size]) | {"__metadata__": {"nsreason": text}}
    header = json.dumps(table, separators=(",", ":")).encode()
    path.write_bytes(sealed(len(header).to_bytes(8, "little") + header + data[8 + size :]))
    with pytest.raises(CheckpointError, match=message):
        killed_run.run(folder, resume=True)


@pytest.mark.parametrize("where", ["format", "record", "table", "first weight", "last weight"])
def test_a_flipped_bit_is_found_wherever_it_is(folder: Path, where: str) -> None:
    path = folder / "last.safetensors"
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[:8], "little")
    record, table = data.index(b"format") + 8, data.index(b"model/head.weight")
    at = {"format": record, "record": data.index(b"seconds") + 14, "table": table + 7}
    data[(at | {"first weight": 8 + size, "last weight": -1})[where]] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"(its checksum differs|not a checkpoint: .*); copy the file again"):
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
    path = folder / "last.safetensors"
    edit(path, lambda record: record["optimizer"].update({key: value}))
    with pytest.raises(CheckpointError, match=message):
        killed_run.run(folder, resume=True)


def test_a_run_of_other_examples_is_refused(folder: Path) -> None:
    path = folder / "last.safetensors"
    edit(path, lambda record: record["state"].update(examples=90))
    with pytest.raises(TrainingError, match="the run began with 90 examples, here are 91"):
        killed_run.run(folder, resume=True)


def test_what_killed_runs_left_is_swept_and_nothing_else(folder: Path) -> None:
    before = {p.name for p in folder.iterdir()}
    left = [".metrics.csv.abcd1234.tmp", ".last.safetensors.0000abcd.tmp", ".best.safetensors.0000abce.tmp"]
    kept = ["notes.tmp", ".own.tmp", "last-mine.safetensors", "other.safetensors", "last.toml"]
    for name in left + kept:
        (folder / name).write_bytes(b"")
    sweep_run(folder)
    assert {p.name for p in folder.iterdir()} == before | set(kept)
