"""Checkpoints of former versions: two files become one, former names of settings become the present ones."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.convert_checkpoint import main, renamed_config, renamed_tensor
from nsreason.models.answer_networks.models import MlpModel
from nsreason.training.checkpoint import load_checkpoint, load_model, save_checkpoint
from nsreason.training.optimizer_state import load_optimizer
from tests.support.checkpoints import record_of
from tests.support.toy_queries import network_config, queries


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """A checkpoint of two files, as format 1 was."""
    torch.manual_seed(0)
    model = MlpModel(network_config("rows"))
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    model.loss(model.collate(queries("rows", 6))).loss.backward()
    optimizer.step()
    path = save_checkpoint(tmp_path / "new", "last", model_name="mlp", model=model, step=4, optimizer=optimizer)
    record, file = record_of(path), tmp_path / "old" / "last-4.safetensors"
    file.parent.mkdir()
    save_file(load_file(path), file)
    data = file.read_bytes()
    del record["crc32"]
    record |= {"format": 1, "tensors": {"file": file.name, "bytes": len(data), "crc32": zlib.crc32(data)}}
    names = {"permute_columns": "exchange", "sign_flip": "mirror", "rotate": "turn", "translate": "shift"}
    record["config"] = {({"input": "sees"} | names).get(k, k): v for k, v in record["config"].items()}
    record["state"] = {"recipe": {"model": "mlp", "model_config": {"exchange": False, "sees": "picture"}}}
    (file.parent / "last.json").write_text(json.dumps(record))
    return file.parent / "last.json"


def test_two_files_become_one(former: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "last.safetensors"
    assert main([str(former), str(new)]) == 0
    assert "last.safetensors: " in capsys.readouterr().out
    old, converted = load_file(former.with_name("last-4.safetensors")), load_file(new)
    assert old.keys() == converted.keys() and all(torch.equal(old[name], converted[name]) for name in old)
    checkpoint, whole = load_checkpoint(new), load_checkpoint(tmp_path / "new")
    assert checkpoint.config == whole.config and checkpoint.state["step"] == 4
    assert checkpoint.state["recipe"]["model_config"] == {"permute_columns": False, "input": "image"}
    model = load_model(new, "mlp")
    load_optimizer(model, torch.optim.AdamW(model.parameters(), 0.01), checkpoint)
    before = new.read_bytes()
    assert main([str(new), str(new)]) == 0 and new.read_bytes() == before  # what is converted stays as it is


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "not of format 1"),
        ({"tensors": {}}, "not a checkpoint of two files: KeyError"),
        ({"tensors": {"file": "../x", "bytes": 1}}, "No such file"),
        ({"tensors": {"file": "last-4.safetensors", "bytes": 1}}, "is not the file of tensors"),
        ({"model": "no such model"}, "no model 'no such model'"),
    ],
)
def test_what_is_damaged_is_refused(
    former: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str
) -> None:
    former.write_text(json.dumps(json.loads(former.read_text()) | change))
    assert main([str(former), str(tmp_path / "x.safetensors")]) == 2
    assert message in capsys.readouterr().err
    assert main([str(tmp_path / "absent.json"), str(tmp_path / "x.safetensors")]) == 2


def test_the_heads_of_answer_networks_have_present_names() -> None:
    assert renamed_tensor("cnn-lstm-sa", "model/answerer.see.weight") == "model/head.project.weight"
    assert renamed_tensor("mlp", "optimizer/answerer.answer.0.bias") == "optimizer/head.answer.0.bias"
    assert renamed_tensor("detector", "model/answerer.bias") == "model/answerer.bias"


def test_settings_of_other_models_stay() -> None:
    config = {"mirror": True, "regions": {"turn": True}}
    assert renamed_config("concept-learner", config) == config
