"""Device and precision of a run: chosen by the machine's abilities, recorded, and refused with a message."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from nsreason.errors import CheckpointError, TrainingError
from nsreason.training import devices
from nsreason.training.checkpoint import load_checkpoint
from nsreason.training.devices import device_kind, native_bf16, resolved
from nsreason.training.recipe import load_recipe, new_model, parse_recipe
from nsreason.training.settings import Training
from nsreason.training.trainer import TrainingResult, train
from tests.support.checkpoints import edit
from tests.support.toy_models import examples
from tests.support.toy_run import RECIPE

DATA = examples(40)


def machine(patch: pytest.MonkeyPatch, *, bf16: bool = False, **accelerators: bool) -> None:
    """A machine with such instructions and accelerators."""
    patch.setattr(devices, "native_bf16", lambda kind: bf16)
    patch.setattr(torch.cuda, "is_available", lambda: accelerators.get("cuda", False))
    patch.setattr(torch.backends.mps, "is_available", lambda: accelerators.get("mps", False))


def run(folder: Path, precision: str, *more: str, **kwargs: Any) -> TrainingResult:
    recipe = parse_recipe(RECIPE, overrides=["training.epochs=2", f"training.precision={precision}", *more])
    return train(new_model(recipe), DATA, DATA[:8], recipe, folder, **kwargs)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder).part("model")


def same(a: Path, b: Path) -> bool:
    one, other = weights(a), weights(b)
    return all(torch.equal(one[k], other[k]) for k in one)


# --- the choice -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bf16", "precision", "says"),
    [
        (True, "bf16-mixed", "precision: bf16-mixed, as this machine's cpu has native bfloat16"),
        (False, "32", "precision: 32, as this machine's cpu has no native bfloat16"),
    ],
)
def test_auto_is_bfloat16_where_it_is_native(
    bf16: bool, precision: str, says: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine(monkeypatch, bf16=bf16)
    caplog.set_level(logging.INFO, "nsreason")
    chosen = resolved(Training(precision="auto", lr=0.5))
    assert chosen == Training(precision=precision, lr=0.5)  # type: ignore[arg-type]
    assert [r.getMessage() for r in caplog.records] == [says]
    assert resolved(chosen) is chosen and len(caplog.records) == 1  # a resolved precision is not logged again


@pytest.mark.parametrize("bf16", [False, True])
def test_on_a_gpu_auto_is_bfloat16_or_float32(bf16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "native_bf16", native_bf16)  # whatever the suite pretends
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16 or including_emulation)
    assert resolved(Training(precision="auto")).precision == ("bf16-mixed" if bf16 else "32")
    assert resolved(Training(precision="16-mixed")).precision == "16-mixed"


@pytest.mark.parametrize(
    ("library", "avx512", "avx512_bf16", "amx", "native"),
    [
        (True, True, True, False, True),
        (True, True, False, True, True),
        (True, True, False, False, False),  # the library emulates it
        (False, True, True, True, False),  # its environment forbids it
        (True, False, False, False, True),  # another architecture, whose library asks the processor itself
        (None, False, False, False, False),  # torch without that library
    ],
)
def test_the_probe_asks_the_library_and_the_processor(
    library: bool | None, avx512: bool, avx512_bf16: bool, amx: bool, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def supported() -> bool:
        if library is None:
            raise RuntimeError("no such operator")
        return library

    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", supported, raising=False)
    answers = {"_is_avx512_supported": avx512, "_is_avx512_bf16_supported": avx512_bf16, "_is_amx_tile_supported": amx}
    for name, value in answers.items():
        monkeypatch.setattr(torch.cpu, name, lambda value=value: value, raising=False)
    assert native_bf16("cpu") is native


def test_an_older_torch_that_lacks_a_function_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_supported", lambda: True, raising=False)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert native_bf16("cpu") is False


@pytest.mark.slow
def test_a_processor_without_bfloat16_trains_recurrent_networks() -> None:
    """The math library made to do without, in a process of its own."""
    script = """
import torch
from nsreason.models.answer_networks.encoders import QuestionConfig, QuestionEncoder
from nsreason.training.devices import native_bf16
assert not native_bf16("cpu")
encoder = QuestionEncoder(QuestionConfig(8, 8), 5)
with torch.autocast("cpu", torch.bfloat16):
    encoder(torch.tensor([[1, 2, 0]])).sum().backward()
assert encoder.lstm.weight_ih_l0.grad.abs().sum() > 0
"""
    env = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    env["PYTHONPATH"] = str(Path(__file__).parent.parent.parent)
    if torch.backends.mkldnn.is_available():
        subprocess.run([sys.executable, "-c", script], env=env, check=True, timeout=300)


def test_no_bundled_recipe_asks_for_what_some_machines_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    from nsreason.training.recipe import bundled_recipes

    machine(monkeypatch)
    chosen = {name: resolved(load_recipe(name).training).precision for name in bundled_recipes()}
    assert set(chosen.values()) == {"32"}
    assert load_recipe("detector-small").training.precision == "auto"


# --- the record -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16-mixed"), (False, "32")])
def test_the_choice_is_the_runs_and_is_recorded(
    bf16: bool, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, bf16=bf16)
    run(tmp_path / "auto", "auto")
    run(tmp_path / "named", precision)
    assert same(tmp_path / "auto", tmp_path / "named")
    assert load_checkpoint(tmp_path / "auto").state["recipe"]["training"]["precision"] == precision
    assert json.loads((tmp_path / "auto" / "run.json").read_text())["recipe"]["training"]["precision"] == precision
    assert tomllib.loads((tmp_path / "auto" / "recipe.toml").read_text())["training"]["precision"] == precision


def test_a_resumed_run_keeps_its_precision_on_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, bf16=False)
    run(tmp_path / "whole", "32")
    run(tmp_path / "cut", "auto", "training.epochs=1")
    machine(monkeypatch, bf16=True)
    run(tmp_path / "cut", "auto", resume=True)
    assert same(tmp_path / "whole", tmp_path / "cut")
    with pytest.raises(CheckpointError, match=r"training.precision: '32' in the checkpoint, 'bf16-mixed' here"):
        run(tmp_path / "cut", "bf16-mixed", "training.epochs=3", resume=True)


def test_a_machine_that_lacks_the_precision_does_not_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, bf16=True)
    run(tmp_path, "auto", "training.epochs=1")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    machine(monkeypatch, bf16=False)
    for asked in ("auto", "bf16-mixed"):
        with pytest.raises(TrainingError, match=r"training.precision: the run began in bf16-mixed; this machine's cpu"):
            run(tmp_path, asked, resume=True)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}


@pytest.mark.parametrize("wrong", [None, 7, "auto", "16"])
def test_a_checkpoint_that_names_no_precision_is_damaged(wrong: object, tmp_path: Path) -> None:
    run(tmp_path, "32", "training.epochs=1")
    path = tmp_path / "last.safetensors"
    edit(path, lambda record: record["state"]["recipe"]["training"].update(precision=wrong))
    with pytest.raises(CheckpointError, match=r"last.safetensors.*precision"):
        run(tmp_path, "auto", resume=True)


# --- what a machine lacks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"precision": "bf16-mixed"}, r"^training.precision: bf16-mixed: .*has no native bfloat16; give 'auto', or 32"),
        ({"precision": "16-mixed"}, r"^training.precision: 16-mixed: 16-mixed needs a GPU; give 'auto', or 32"),
        ({"accelerator": "cuda"}, r"^training.accelerator: torch finds no 'cuda' .*there is: cpu; or give 'auto'"),
        ({"accelerator": "mps"}, r"^training.accelerator: torch finds no 'mps' .*there is: cpu; or give 'auto'"),
    ],
)
def test_what_is_asked_for_and_lacks_is_refused_by_its_setting(
    setting: dict[str, Any], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch)
    with pytest.raises(TrainingError, match=says):
        resolved(Training(**setting))
    changes = [f"training.{k}={v}" for k, v in setting.items()]
    recipe = parse_recipe(RECIPE.replace('accelerator = "cpu"', ""), overrides=changes)
    with pytest.raises(TrainingError, match=says):
        train(new_model(recipe), DATA, None, recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_auto_takes_the_gpu_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cuda=True, mps=True)
    assert device_kind(Training()) == "cuda" and device_kind(Training(accelerator="cpu")) == "cpu"
    machine(monkeypatch, mps=True)
    assert device_kind(Training()) == "mps"
    assert resolved(Training(precision="auto")).precision == "32"
    machine(monkeypatch)
    assert device_kind(Training()) == "cpu"


def test_more_devices_than_there_are_name_their_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, mps=True)
    with pytest.raises(TrainingError, match=r"training.accelerator = 'mps', 2 device\(s\)"):
        run(tmp_path, "32", "training.accelerator=mps", devices=2)
