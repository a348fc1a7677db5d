"""Checkpoints: bit-exact round trips, atomic writes, and refusals with a reason."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from nsreason.errors import CheckpointError
from nsreason.training import checkpoint_file as module
from nsreason.training.checkpoint import load_checkpoint, load_model, load_weights, save_checkpoint
from nsreason.training.checkpoint_checks import check_model, differences
from nsreason.training.checkpoint_file import read_head
from nsreason.training.optimizer_state import load_optimizer
from nsreason.training.random_state import random_state, seed_all, set_random_state
from tests.support.checkpoints import edit
from tests.support.toy_models import PartConfig, Toy, ToyConfig, examples

NAME = "tests.support.toy_models:Toy"


def steps(model: Toy, optimizer: torch.optim.Optimizer, count: int = 3) -> None:
    batch = model.collate(examples(16))
    for _ in range(count):
        optimizer.zero_grad()
        model.loss(batch).loss.backward()
        optimizer.step()


def save(folder: Path, model: nn.Module | None = None, name: str = "last", **more: Any) -> Path:
    model = model or Toy(ToyConfig())
    return save_checkpoint(folder, name, **({"model_name": NAME, "model": model, "step": 1} | more))


OPTIMIZERS = {
    "adamw": lambda p: torch.optim.AdamW(p, 0.01),
    "amsgrad": lambda p: torch.optim.AdamW(p, 0.01, amsgrad=True),
    "adam": lambda p: torch.optim.Adam(p, 0.01),
    "sgd": lambda p: torch.optim.SGD(p, 0.01, momentum=0.9),
    "plain sgd": lambda p: torch.optim.SGD(p, 0.01),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_an_optimizer_goes_on_to_the_bit(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(1)
    model = Toy(ToyConfig(dropout=0))
    optimizer = OPTIMIZERS[kind](model.parameters())
    steps(model, optimizer)
    path = save(tmp_path, model, optimizer=optimizer)
    other = Toy(ToyConfig(dropout=0))
    later = OPTIMIZERS[kind](other.parameters())
    read = load_checkpoint(path)
    load_weights(other, read)
    load_optimizer(other, later, read)
    one, two = optimizer.state_dict(), later.state_dict()
    assert one["param_groups"] == two["param_groups"] and one["state"].keys() == two["state"].keys()
    for number, entries in one["state"].items():
        assert entries.keys() == two["state"][number].keys()
        for key, value in entries.items():
            again = two["state"][number][key]
            assert again.dtype == value.dtype and torch.equal(again, value) if value is not None else again is None
    steps(model, optimizer)
    steps(other, later)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_tensors_and_state_come_back_as_they_were(tmp_path: Path) -> None:
    odd = {
        "empty": torch.zeros(0, 3),
        "nan": torch.tensor([float("nan"), float("-inf"), -0.0]),
        "half": torch.randn(5).bfloat16(),
        "view": torch.arange(12).reshape(3, 4).T[1:],
        "yes": torch.tensor(True),
    }
    state = {"epoch": 3, "lr": 0.1 + 0.2, "names": ["a"], "none": None}
    read = load_checkpoint(save(tmp_path, state=state, tensors=odd))
    assert {k: read.state[k] for k in state} == state and read.model == NAME
    assert read.config == {"inputs": 4, "head": {"width": 8}, "dropout": 0.2, "activation": "tanh"}
    for name, tensor in odd.items():
        assert read.tensors[name].dtype == tensor.dtype and read.tensors[name].shape == tensor.shape
        assert bytes(read.tensors[name].contiguous().view(torch.uint8).numpy()) == bytes(
            tensor.contiguous().view(torch.uint8).numpy()
        )


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config = ToyConfig()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.b.weight = self.a.weight


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    model, other = Tied(), Tied()
    read = load_checkpoint(save(tmp_path, model))
    load_weights(other, read)
    assert other.b.weight is other.a.weight and torch.equal(other.a.weight, model.a.weight)


def test_a_model_is_built_from_its_checkpoint(tmp_path: Path) -> None:
    model = Toy(ToyConfig(head=PartConfig(3), activation="relu"))
    again = load_model(save(tmp_path, model), NAME)
    assert isinstance(again, Toy) and again.config == model.config and not again.training
    batch = model.eval().collate(examples(5))
    assert torch.equal(model.logits(batch), again.logits(batch))


# Whole at any moment


def test_a_checkpoint_is_one_file(tmp_path: Path) -> None:
    for step in (1, 2, 2):
        save(tmp_path, step=step)
        save(tmp_path, name="best", step=step)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.safetensors", "last.safetensors"]
    assert load_checkpoint(tmp_path).path.name == "last.safetensors"


def test_the_same_checkpoint_is_the_same_file(tmp_path: Path) -> None:
    model = Toy(ToyConfig())
    one, other = save(tmp_path / "a", model), save(tmp_path / "b", model)
    assert one.read_bytes() == other.read_bytes()


def test_a_head_is_read_without_the_tensors(tmp_path: Path) -> None:
    """Neither torch nor safetensors is loaded, and only the beginning of the file is read."""
    path = save(tmp_path, tensors={"large": torch.zeros(1 << 20)})
    code = f"""
import io, sys
from pathlib import Path
from nsreason.training import checkpoint_file
opened, read = Path.open, []
def counting(self, *args, **kwargs):
    file = opened(self, *args, **kwargs)
    class Counting:
        def __enter__(self): return self
        def __exit__(self, *_): file.close()
        def fileno(self): return file.fileno()
        def read(self, size=-1):
            data = file.read(size)
            read.append(len(data))
            return data
    return Counting()
Path.open = counting
head = checkpoint_file.read_head({str(path)!r})
print(head.model, sum(read) < 10_000, [n for n in ("torch", "safetensors", "numpy") if n in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{NAME} True []\n"
    assert read_head(tmp_path).config == load_checkpoint(tmp_path).config
    with pytest.raises(CheckpointError, match="holds the model 'mlp', not 'lstm'"):
        edit(path, lambda record: record.update(model="mlp"))
        read_head(path, "lstm")


@pytest.mark.parametrize("broken", ["write", "patch", "rename"])
def test_a_save_that_fails_leaves_the_former_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """At any step of it, as when the disk is full or the process killed; also at the same step of training."""
    model = Toy(ToyConfig())
    save(tmp_path, model, tensors={"mark": torch.tensor(1)})

    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    targets = {"write": "safetensors.torch.save_file", "patch": f"{module.__name__}.os.fsync"}
    with monkeypatch.context() as patch:
        patch.setattr(targets[broken], fails) if broken in targets else patch.setattr(Path, "replace", fails)
        with pytest.raises(CheckpointError, match="cannot write the checkpoint 'last': No space left"):
            save(tmp_path, model, tensors={"mark": torch.tensor(2)})
    assert load_checkpoint(tmp_path).tensors["mark"] == 1
    save(tmp_path, model, tensors={"mark": torch.tensor(3)})
    assert load_checkpoint(tmp_path).tensors["mark"] == 3
    assert len(list(tmp_path.iterdir())) == 1


def test_a_checkpoint_that_is_replaced_while_it_is_read_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run writes its checkpoints while others read them: the record and the tensors are of one file."""
    save(tmp_path, state={"mark": 1}, tensors={"mark": torch.tensor(1)})
    loaded, times = safetensors.torch.load_file, iter(range(2, 100))

    def replaced_first(path: Path) -> Any:
        number = next(times)
        if number == 2 or forever:
            save(tmp_path, state={"mark": number}, tensors={"mark": torch.tensor(number)})
        return loaded(path)

    forever = False
    monkeypatch.setattr(safetensors.torch, "load_file", replaced_first)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.state["mark"] == checkpoint.tensors["mark"] == 2
    forever = True
    with pytest.raises(CheckpointError, match="is replaced again and again"):
        load_checkpoint(tmp_path)


def test_nothing_is_pickled(tmp_path: Path) -> None:
    model = Toy(ToyConfig())
    optimizer = torch.optim.AdamW(model.parameters())
    steps(model, optimizer)
    save(tmp_path, model, optimizer=optimizer, tensors=random_state())
    (tensors,) = tmp_path.glob("*.safetensors")
    header = tensors.read_bytes()
    size = int.from_bytes(header[:8], "little")
    names = json.loads(header[8 : 8 + size])
    assert "optimizer/head.weight/exp_avg_sq" in names and "model/seen" in names
    with pytest.raises(CheckpointError, match="the state of checkpoint 'last' is not plain data"):
        save(tmp_path, model, state={"object": object()})
    with pytest.raises(CheckpointError, match="not plain data"):
        save(tmp_path, model, state={"nan": float("nan")})


# Refused


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    class Other(Toy):
        def __init__(self) -> None:
            super().__init__(ToyConfig(inputs=5))
            del self.rare
            self.tail = nn.Linear(2, 2)

    model = Other()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(CheckpointError) as met:
        load_weights(model, load_checkpoint(save(tmp_path)))
    message = str(met.value).partition(": ")[2]
    assert message == (
        "does not fit Other: missing in the checkpoint: tail.bias, tail.weight; "
        "not in the model: rare.bias, rare.weight; "
        "perception.weight is float32[8, 4] in the checkpoint, float32[8, 5] here"
    )
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_another_model_or_another_setting_is_refused(tmp_path: Path) -> None:
    read = load_checkpoint(save(tmp_path))
    check_model(read, NAME, Toy(ToyConfig()))
    with pytest.raises(CheckpointError, match=rf"of the model '{NAME}', not of 'relation-network'"):
        check_model(read, "relation-network", Toy(ToyConfig()))
    with pytest.raises(CheckpointError, match=r"model_config.head.width: 8 in the checkpoint, 16 here"):
        check_model(read, NAME, Toy(ToyConfig(head=PartConfig(16))))
    with pytest.raises(CheckpointError, match="no key 'dropuot'"):
        edit(tmp_path / "last.safetensors", lambda record: record["config"].update(dropuot=0.5))
        load_model(tmp_path, NAME)


def test_differences_are_told_key_by_key() -> None:
    assert differences({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 1, "c": [2]}, "e": 3}) == [
        "a.c: [1] in the checkpoint, [2] here",
        "d: 2 in the checkpoint, 'nothing' here",
        "e: 'nothing' in the checkpoint, 3 here",
    ]


def test_another_optimizer_is_refused(tmp_path: Path) -> None:
    model = Toy(ToyConfig())
    adamw, sgd = torch.optim.AdamW(model.parameters()), torch.optim.SGD(model.parameters())
    read = load_checkpoint(save(tmp_path, model, optimizer=adamw))
    with pytest.raises(CheckpointError, match="of the optimizer AdamW, not of SGD"):
        load_optimizer(model, sgd, read)
    with pytest.raises(CheckpointError, match=r"parameters differ: rare.bias, rare.weight"):
        load_optimizer(model, torch.optim.AdamW([*model.perception.parameters(), *model.head.parameters()]), read)
    with pytest.raises(CheckpointError, match="holds weights only, no optimizer; continue from 'last'"):
        load_optimizer(model, adamw, load_checkpoint(save(tmp_path, model, "best")))


def test_files_that_are_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"last.safetensors: no such checkpoint"):
        load_checkpoint(tmp_path)
    path = save(tmp_path)
    with pytest.raises(CheckpointError, match=r"lst.safetensors: no such checkpoint; did you mean 'last.safetensors'"):
        load_checkpoint(tmp_path / "lst.safetensors")
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(CheckpointError, match="no such checkpoint"):
            load_checkpoint(tmp_path / name)
    whole = path.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    for data, message in [
        (whole[:-4], r"expected \d+; copy the file again"),
        (whole + b"x", r"expected \d+; copy the file again"),
        (b"", "not a checkpoint: 0 bytes"),
        (b"\xff" * len(whole), "not a checkpoint: .* that begin as no safetensors file does"),
        (whole[: 8 + size // 2], "not a checkpoint"),
        (b'{"format": 1, "model": "lstm"}' * 9, "not a checkpoint"),
        (safetensors.torch.save({"a": torch.zeros(99)}), "have no record of nsreason"),
        (safetensors.torch.save({"a": torch.zeros(99)}, {"nsreason": '{"crc32":"00000000"}'}), "missing required"),
        (whole[:-1] + bytes([whole[-1] ^ 4]), "its checksum differs; copy the file again"),
    ]:
        path.write_bytes(data)
        for read in (load_checkpoint, load_model):
            with pytest.raises(CheckpointError, match=message):
                read(path)
        if "checksum" not in message:
            with pytest.raises(CheckpointError, match=message):
                read_head(path)


@dataclass
class NoConfig:
    width: int = 1


def test_a_model_without_a_config_is_refused(tmp_path: Path) -> None:
    model: Any = nn.Linear(1, 1)
    with pytest.raises(CheckpointError, match="Linear: its config is not a dataclass, but None"):
        save(tmp_path, model)
    model.config = NoConfig
    with pytest.raises(CheckpointError, match="its config is not a dataclass"):
        save(tmp_path, model)


def test_random_numbers_go_on() -> None:
    def draw() -> list[float]:
        return [random.random(), random.gauss(), np.random.rand(), np.random.randn(), torch.randn(()).item()]

    seed_all(5)
    draw()  # leaves half a gauss in python and numpy
    state = {k: v.clone() for k, v in random_state().items()}
    first = draw()
    draw()
    set_random_state(state)
    assert draw() == first
    seed_all(5)
    draw()
    assert draw() == first
