"""Sources of training: memory, memory-mapped file and replay keep the same contract, and resume to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nsreason.agents.replay import ReplayConfig, ReplaySource
from nsreason.errors import CheckpointError, TrainingError
from nsreason.io.array_file import ArrayFile, Field, write_array_file
from nsreason.training.checkpoint import load_checkpoint
from nsreason.training.recipe import Recipe, new_model, parse_recipe
from nsreason.training.run_log import Status
from nsreason.training.sampling import Selection, prefetched, shards
from nsreason.training.source import MappedExamples, RunSteps, Source, SourceState, source_of
from nsreason.training.trainer import train
from tests.support.checkpoints import edit
from tests.support.toy_environment import QConfig, QLearner, ToyEnvironment
from tests.support.toy_models import Example, Toy, ToyConfig, examples
from tests.support.toy_run import RECIPE

SETTINGS = ("training.epochs=3", "training.batch_size=5", "training.accumulate=2", "training.checkpoint_every=2")
FIELDS = (Field("x", "float64", (4,)), Field("y", "int64", ()), Field("family", "uint8", (None,)))


def recipe() -> Recipe:
    return parse_recipe(RECIPE, overrides=SETTINGS)


def mapped(path: Path, data: Sequence[Example], digest: str = "toys") -> MappedExamples[Example]:
    def encode(e: Example) -> dict[str, Any]:
        family = np.frombuffer(e.family.encode(), np.uint8)
        return {"x": np.array(e.x), "y": np.array(e.y), "family": family}

    def decode(arrays: dict[str, Any]) -> Example:
        return Example(tuple(arrays["x"].tolist()), int(arrays["y"]), family=arrays["family"].tobytes().decode())

    write_array_file(path, FIELDS, lambda start: map(encode, data[start:]), count=len(data), digest=digest)
    return MappedExamples(ArrayFile(path), decode)


@dataclass
class Kind:
    """A kind of source with the model that learns from it."""

    model: Callable[[], nn.Module]
    source: Callable[[nn.Module, Path], Any]


def replay(model: Any, _: Path) -> ReplaySource:
    config = ReplayConfig(capacity=40, first=30, each=3, steps=7)
    return ReplaySource(ToyEnvironment(), model.act, config, training=recipe().training)


def toy() -> nn.Module:
    model: nn.Module = new_model(recipe())
    return model


def q_learner() -> nn.Module:
    torch.manual_seed(0)
    return QLearner(QConfig(every=3))


KINDS = {
    "memory": Kind(toy, lambda _model, _path: examples(67)),
    "mapped": Kind(toy, lambda _model, path: mapped(path, examples(67))),
    "replay": Kind(q_learner, replay),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def source(kind: Kind, tmp_path: Path) -> Callable[[], Source]:
    """New sources, each as if nothing had been drawn."""
    return lambda: source_of(kind.source(kind.model(), tmp_path / "examples"), recipe())


def plain(value: Any) -> Any:
    """An update as plain data, to be compared to the bit."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.tolist()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return [plain(item) for item in astuple(value)] if hasattr(value, "__dataclass_fields__") else value


def saved(state: SourceState) -> SourceState:
    """A state as a checkpoint keeps it."""
    arrays = {name: array.copy() for name, array in state.arrays.items()}
    return SourceState(json.loads(json.dumps(dict(state.record), allow_nan=False)), arrays)


# --- the contract -------------------------------------------------------------------------------------------------


def test_an_epoch_has_the_steps_that_were_announced(source: Callable[[], Source]) -> None:
    one = source()
    assert isinstance(one, Source)
    for epoch in (1, 2):
        updates = list(one.updates(epoch, 0))
        assert len(updates) == one.steps(epoch) == 7
        assert all(1 <= len(update) <= 2 and all(1 <= len(b) <= 5 for b in update) for update in updates)
    steps = RunSteps(one, 3)
    assert (steps.total, steps.at(2, 3), steps.at(4, 0), steps.at(5, 0)) == (21, 10, 21, None)


def test_the_same_recipe_gives_the_same_updates(source: Callable[[], Source]) -> None:
    one, other = ([plain(u) for u in source().updates(1, 0)] for _ in range(2))
    assert one == other and any(u != one[0] for u in one)


@pytest.mark.parametrize("done", [0, 1, 4, 7])
def test_a_restored_source_yields_what_it_would_have_yielded(source: Callable[[], Source], done: int) -> None:
    whole, broken = source(), source()
    for one in (whole, broken):
        list(one.updates(1, 0))
    updates = [plain(u) for u in whole.updates(2, 0)]
    taken = broken.updates(2, 0)
    first = [plain(u) for _, u in zip(range(done), taken, strict=False)]
    restored = source()
    restored.restore(saved(broken.state()))
    assert first + [plain(u) for u in restored.updates(2, done)] == updates
    assert [plain(u) for u in whole.updates(3, 0)] == [plain(u) for u in restored.updates(3, 0)]


class KilledError(Exception):
    pass


@pytest.mark.parametrize("at", [1, 6, 7, 10])
def test_a_run_that_is_killed_ends_as_one_that_was_not(kind: Kind, tmp_path: Path, at: int) -> None:
    def run(folder: str, **more: Any) -> nn.Module:
        model = kind.model()
        data = kind.source(model, tmp_path / "examples")
        train(model, data, None, recipe(), tmp_path / folder, **more)  # type: ignore[arg-type]
        return model

    def kill(status: Status) -> None:
        if status.step == at:
            raise KilledError

    whole = run("whole")
    with pytest.raises(KilledError):
        run("cut", progress=kill)
    resumed = run("cut", resume=True)
    one, other = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    a, b = (load_checkpoint(tmp_path / name) for name in ("whole", "cut"))
    assert a.tensors.keys() == b.tensors.keys()
    assert all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)


KEYS = {
    "memory": ["digest"],
    "mapped": ["digest"],
    "replay": ["config", "added", "random", "half", "seed", "actions"],
}
WRONG: list[Any] = [None, "x", -1, [], {}, [1, "2"], 10**18, [0, -1], {"state": "x", "inc": "-1"}, "gone"]


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in KEYS for key in KEYS[name]])
def test_a_damaged_state_is_an_error_with_a_reason(tmp_path: Path, name: str, key: str) -> None:
    kind, one = KINDS[name], parse_recipe(RECIPE, overrides=(*SETTINGS, "training.epochs=1"))
    model, path = kind.model(), tmp_path / "run" / "last.safetensors"

    def run() -> None:
        data = kind.source(model, tmp_path / "examples")
        train(model, data, None, one, tmp_path / "run", resume=True)  # type: ignore[arg-type]

    run()
    whole, refused = path.read_bytes(), 0
    for wrong in WRONG:

        def change(record: dict[str, Any], value: Any = wrong) -> None:
            state = record["state"]["source"]
            state[key] = value
            if value == "gone":
                del state[key]

        path.write_bytes(whole)
        edit(path, change)
        try:
            run()
        except (CheckpointError, TrainingError):
            refused += 1
    assert refused >= len(WRONG) - 3  # some are as good as what was there, such as no episode at hand


def test_a_run_does_not_go_on_with_another_kind_of_source(tmp_path: Path) -> None:
    model = q_learner()
    train(model, replay(model, tmp_path), None, recipe(), tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises((TrainingError, CheckpointError)):
        train(model, examples(67), None, recipe(), tmp_path / "run", resume=True)  # type: ignore[arg-type]


# --- memory-mapped files ----------------------------------------------------------------------------------------


def test_a_mapped_file_trains_as_memory_does(tmp_path: Path) -> None:
    """To the bit, also in several threads and with a lesson's choice."""
    text = RECIPE + '[[curriculum.lesson]]\nepochs = 1\nfamilies = ["count"]\n[[curriculum.lesson]]\n'
    models = []
    for name, data in (("a", examples(67)), ("b", mapped(tmp_path / "examples", examples(67)))):
        for workers in (0, 2):
            chosen = parse_recipe(
                text, overrides=(*SETTINGS, f"training.workers={workers}", "training.max_examples=60")
            )
            models.append(new_model(chosen))
            train(models[-1], data, data[:7], chosen, tmp_path / f"{name}{workers}")
    first = models[0].state_dict()
    assert all(torch.equal(first[k], m.state_dict()[k]) for m in models for k in first)


def test_a_run_does_not_go_on_with_another_file(tmp_path: Path) -> None:
    model = Toy(ToyConfig())
    train(model, mapped(tmp_path / "a", examples(67)), None, recipe(), tmp_path / "run")
    with pytest.raises(TrainingError, match="the run began with other data: their digest was toys, here it is others"):
        train(model, mapped(tmp_path / "b", examples(67), "others"), None, recipe(), tmp_path / "run", resume=True)


def test_what_is_mapped_is_read_when_it_is_taken(tmp_path: Path) -> None:
    data = mapped(tmp_path / "a", examples(67))
    taken: list[int] = []
    decode = data.decode

    def counted(arrays: dict[str, Any]) -> Example:
        taken.append(1)
        return decode(arrays)

    data.decode = counted
    updates = iter(source_of(data, recipe()).updates(1, 0))
    first = next(updates)
    assert not taken and isinstance(first[0], Selection)
    assert list(first[0][1::2]) == [data[int(i)] for i in first[0].indices[1::2]] and len(taken) == 4
    assert data[-1] == data[66] and [e.x for e in data[64:]] == [e.x for e in examples(67)[64:]]
    with pytest.raises(IndexError):
        data[67]


# --- drawing ahead ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_no_more_is_computed_ahead_than_there_are_workers(workers: int) -> None:
    drawn: list[int] = []

    def items() -> Any:
        for number in range(20):
            drawn.append(number)
            yield number

    for done, result in enumerate(prefetched(lambda n: n * n, items(), workers)):
        assert result == done * done and len(drawn) <= done + 1 + workers
    assert len(drawn) == 20


def test_each_device_takes_its_part_of_a_batch() -> None:
    updates = [[list(range(5)), [7]], [[9]]]
    for rank, expected in (
        (0, [([0, 2, 4], False), ([7], False), ([9], False)]),
        (1, [([1, 3], False), ([7], True), ([9], True)]),
    ):
        own = list(shards(updates, list, rank=rank, world=2))
        assert [(s.batch, s.idle) for u in own for s in u.shards] == expected
        assert [u.examples for u in own] == [6, 1]
