"""The training loop: it learns, is deterministic, stops and resumes to the bit, and adds up over processes."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nsreason.errors import CheckpointError, TrainingError
from nsreason.training.checkpoint import load_checkpoint, load_model, load_weights
from nsreason.training.curriculum import preset, read_lessons
from nsreason.training.lr_schedules import Schedule
from nsreason.training.model import LossOut
from nsreason.training.recipe import Recipe, new_model, parse_recipe, read_recipe
from nsreason.training.run_log import CsvLog, Meter, Status, means, progress_bar
from nsreason.training.settings import Training
from nsreason.training.trainer import TrainingResult, train
from tests.support.toy_models import Batch, Example, Toy, ToyConfig, examples
from tests.support.toy_run import RECIPE

SUPPORT = Path(__file__).parents[1] / "support"
ROOT = SUPPORT.parents[1]
DATA, VAL = examples(91), examples(30, 1)

# Everything at once that a resumed run has to take up again: dropout, moments, a schedule, half an accumulation.
BUSY = (
    "training.accumulate=2",
    "training.gradient_clip=0.5",
    "training.checkpoint_every=2",
    "training.log_every=4",
    "training.batch_size=5",
)


def recipe_of(*overrides: str) -> Recipe:
    return parse_recipe(RECIPE, overrides=overrides)


def run(folder: Path, recipe: Recipe, **kwargs: Any) -> tuple[nn.Module, TrainingResult]:
    model = kwargs.pop("model", None) or new_model(recipe)
    return model, train(model, kwargs.pop("data", DATA), kwargs.pop("val", VAL), recipe, folder, **kwargs)


def rows(folder: Path) -> list[dict[str, str]]:
    """Return metrics.csv without its column of times, which differs between runs."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def same(a: nn.Module, b: nn.Module) -> bool:
    one, other = a.state_dict(), b.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def close(a: nn.Module, b: nn.Module) -> None:
    other = b.state_dict()
    for name, value in a.state_dict().items():
        torch.testing.assert_close(value, other[name], rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


class KilledError(Exception):
    """Raised by a test to end a run."""


def killing(at: int, seen: list[int] | None = None) -> Any:
    def progress(status: Status) -> None:
        if seen is not None:
            seen.append(status.step)
        if status.step == at:
            raise KilledError

    return progress


# Learning, and what is written down


def test_it_learns_and_writes_down_how(tmp_path: Path) -> None:
    model, result = run(tmp_path, recipe_of("training.epochs=8"))
    assert (result.stopped, result.epochs, result.steps) == ("finished", 8, 8 * 12)
    metrics = rows(tmp_path)
    assert [row["epoch"] for row in metrics] == list("12345678")
    assert float(metrics[-1]["train/loss"]) < 0.6 * float(metrics[0]["train/loss"])
    assert float(metrics[-1]["val/accuracy"]) > 0.8
    assert result.metrics["val/accuracy"] == float(metrics[-1]["val/accuracy"])
    assert result.best == min(float(row["val/loss"]) for row in metrics)
    assert same(model, load_model(tmp_path / "last.safetensors", "tests.support.toy_models:Toy"))
    written = json.loads((tmp_path / "run.json").read_text())
    assert written["seed"] == 0 and written["recipe"]["training"]["lr"] == 0.01
    (session,) = written["sessions"]
    assert session["machine"]["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert parse_recipe((tmp_path / "recipe.toml").read_text()) == recipe_of("training.epochs=8")


def test_metrics_are_means_over_examples_and_over_their_own_kind(tmp_path: Path) -> None:
    model, result = run(tmp_path, recipe_of("training.epochs=1", "training.batch_size=8"))
    assert isinstance(model, Toy)
    model.eval()
    right = [model.predict(model.collate([e]))[0] == e.y for e in VAL]
    rare = [ok for ok, e in zip(right, VAL, strict=True) if e.family == "rare"]
    assert math.isclose(result.metrics["val/accuracy"], sum(right) / len(VAL))
    kinds = model.loss(model.collate(VAL)).metrics["accuracy/rare"]
    assert isinstance(kinds, tuple) and kinds[1] == len(rare) > 0
    batch = model.collate(VAL)
    mean = nn.functional.cross_entropy(model.logits(batch), batch.y).item()
    assert math.isclose(result.metrics["val/loss"], mean, rel_tol=1e-5)
    assert result.metrics["val/accuracy/rare"] == sum(rare) / len(rare)


def test_the_same_seed_gives_the_same_run_and_another_does_not(tmp_path: Path) -> None:
    a, _ = run(tmp_path / "a", recipe_of())
    torch.manual_seed(99)  # what came before does not matter
    b, _ = run(tmp_path / "b", recipe_of())
    c, _ = run(tmp_path / "c", recipe_of("training.seed=1"))
    assert same(a, b) and not same(a, c)
    assert rows(tmp_path / "a") == rows(tmp_path / "b") != rows(tmp_path / "c")


@pytest.mark.parametrize("change", ["training.workers=2", "training.validate_every=0", "training.checkpoint_every=1"])
def test_what_must_not_change_the_weights(tmp_path: Path, change: str) -> None:
    a, _ = run(tmp_path / "a", recipe_of())
    b, _ = run(tmp_path / "b", recipe_of(change))
    assert same(a, b)


def test_the_best_checkpoint_is_that_of_the_best_epoch(tmp_path: Path) -> None:
    recipe = recipe_of("training.lr=0.3", "training.epochs=6", "training.monitor=accuracy", "training.mode=max")
    _, result = run(tmp_path, recipe)
    values = [float(row["val/accuracy"]) for row in rows(tmp_path)]
    assert result.best == max(values)
    best = load_checkpoint(tmp_path / "best.safetensors")
    assert best.state["step"] == 12 * (1 + values.index(max(values)))
    model = load_model(tmp_path / "best.safetensors", "tests.support.toy_models:Toy")
    batches = [model.collate(VAL[at : at + 8]) for at in range(0, len(VAL), 8)]
    right = sum(float(model.loss(batch).metrics["accuracy"]) for batch in batches)
    assert right / len(VAL) == max(values)
    assert not model.training and not best.part("optimizer")


def test_without_validation_data_there_is_no_best(tmp_path: Path) -> None:
    _, result = run(tmp_path, recipe_of("training.epochs=1"), val=None)
    assert result.best is None and not (tmp_path / "best.safetensors").exists()
    assert not any(key.startswith("val/") for key in result.metrics)


def test_a_metric_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no metric 'acuracy'; did you mean 'accuracy'"):
        run(tmp_path, recipe_of("training.monitor=acuracy"))


# One step


class Linear(nn.Module):
    """Without dropout, and with a count of its own: only examples of class 1 are counted."""

    Config = ToyConfig

    def __init__(self, config: ToyConfig | None = None) -> None:
        super().__init__()
        self.config = config or ToyConfig()
        self.head = nn.Linear(4, 1)
        with torch.no_grad():
            for p in self.parameters():
                p.fill_(0.1)
        self.batches: list[list[Example]] = []

    def collate(self, batch: Sequence[Example]) -> Batch:
        self.batches.append(list(batch))
        return Batch(torch.tensor([e.x for e in batch]), torch.tensor([e.y for e in batch]), ())

    def loss(self, batch: Batch) -> LossOut:
        counted = (batch.y == 1).float()
        count = int(counted.sum())
        wrong = (self.head(batch.x)[:, 0] - 1) ** 2
        return LossOut((wrong * counted).sum() / max(1, count), count)

    def predict(self, batch: Batch) -> Tensor:
        values: Tensor = self.head(batch.x)
        return values


def test_accumulated_batches_weigh_by_what_they_count(tmp_path: Path) -> None:
    """Two batches of four, of which one may count 1 and the other 3 (or none), are one batch of eight."""
    data = [replace(e, y=int(i % 8 in (0, 5, 6, 7))) for i, e in enumerate(examples(64))]
    settings = ("training.optimizer=sgd", "training.lr=0.1", "training.epochs=2")
    whole, halves = Linear(), Linear()
    run(tmp_path / "a", recipe_of(*settings, "training.batch_size=8"), model=whole, data=data, val=None)
    parts = recipe_of(*settings, "training.batch_size=4", "training.accumulate=2")
    run(tmp_path / "b", parts, model=halves, data=data, val=None)
    close(whole, halves)
    assert rows(tmp_path / "a")[-1]["step"] == rows(tmp_path / "b")[-1]["step"] == "16"
    assert [len(b) for b in halves.batches] == [4] * 32


class Targets(Linear):
    """The loss is a mean over the targets of a batch, of which examples have none, one or several."""

    each = 1

    def loss(self, batch: Batch) -> LossOut:
        out = super().loss(batch)
        return replace(out, count=out.count * self.each)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("each", [1, 3])  # fewer targets than examples, and more
def test_the_step_is_that_of_the_mean_over_targets(tmp_path: Path, each: int, accumulate: int) -> None:
    """Not over examples: one gradient step of plain SGD, by hand."""
    data = [replace(e, y=int(i in (1, 4, 5))) for i, e in enumerate(examples(8))]
    model = Targets()
    model.each = each
    settings = ("training.optimizer=sgd", "training.lr=0.5", "training.weight_decay=0", "training.epochs=1")
    size = (f"training.batch_size={8 // accumulate}", f"training.accumulate={accumulate}")
    run(tmp_path, recipe_of(*settings, *size), model=model, data=data, val=None)
    x = torch.tensor([e.x for e in data if e.y])
    error = (x.sum(1) * 0.1 + 0.1 - 1)[:, None]
    torch.testing.assert_close(model.head.weight, 0.1 - 0.5 * (2 * error * x).mean(0, keepdim=True))
    torch.testing.assert_close(model.head.bias, 0.1 - 0.5 * (2 * error).mean(0))


def test_a_step_without_targets_moves_nothing(tmp_path: Path) -> None:
    model = Targets()
    data = [replace(e, y=0) for e in examples(8)]
    settings = ("training.optimizer=sgd", "training.weight_decay=0", "training.epochs=1")
    run(tmp_path, recipe_of(*settings), model=model, data=data, val=None)
    assert all(bool((p == 0.1).all()) for p in model.parameters())


def test_the_step_is_that_of_plain_torch(tmp_path: Path) -> None:
    data, here = [replace(e, y=1) for e in examples(24)], Linear()
    recipe = recipe_of("training.epochs=2", "training.gradient_clip=0.3", "training.lr=0.05")
    run(tmp_path, recipe, model=here, data=data, val=None)
    there = Linear()
    optimizer = torch.optim.AdamW(there.parameters(), 0.05, weight_decay=0.01)
    for batch in here.batches:
        optimizer.zero_grad()
        there.loss(there.collate(batch)).loss.backward()
        nn.utils.clip_grad_norm_(there.parameters(), 0.3)
        optimizer.step()
    assert same(here, there)


def test_every_epoch_takes_every_example_once_in_its_own_order(tmp_path: Path) -> None:
    model = Linear()
    run(tmp_path, recipe_of("training.epochs=2"), model=model, val=None)
    epochs = [[e for b in part for e in b] for part in (model.batches[:12], model.batches[12:])]
    assert all(sorted(e.x for e in epoch) == sorted(e.x for e in DATA) for epoch in epochs)
    assert epochs[0] != epochs[1]


class Grouped(list[Example]):
    """Examples of which each seven share a scene."""

    @property
    def groups(self) -> list[int]:
        return [i // 7 for i in range(len(self))]


def test_examples_of_a_group_follow_each_other(tmp_path: Path) -> None:
    model = Linear()
    run(tmp_path, recipe_of("training.epochs=2"), model=model, data=Grouped(DATA), val=None)
    place = {e.x: i for i, e in enumerate(DATA)}
    epochs = [[place[e.x] for b in part for e in b] for part in (model.batches[:12], model.batches[12:])]
    for epoch in epochs:
        runs = [epoch[at : at + 7] for at in range(0, 91, 7)]
        assert all(len({i // 7 for i in places}) == 1 for places in runs)
        assert sorted(epoch) == list(range(91)) and any(places != sorted(places) for places in runs)
    assert epochs[0] != epochs[1]


def test_max_examples_takes_the_first(tmp_path: Path) -> None:
    model = Linear()
    run(tmp_path, recipe_of("training.epochs=1", "training.max_examples=20"), model=model, val=None)
    assert sorted(e.x for b in model.batches for e in b) == sorted(e.x for e in DATA[:20])


def test_the_learning_rate_follows_its_schedule(tmp_path: Path) -> None:
    changes = ["training.schedule.kind=step", "training.schedule.at_epochs=[3]", "training.schedule.warmup_steps=24"]
    run(tmp_path, recipe_of(*changes), val=None)
    rates = [float(row["lr"]) for row in rows(tmp_path)]
    assert rates == pytest.approx([0.01 * 12 / 24, 0.01, 0.001])


LESSONS = """
[[curriculum.lesson]]
epochs = 1
max_objects = 4
[[curriculum.lesson]]
freeze = ["perception"]
"""


def test_lessons_choose_examples_and_hold_parts_still(tmp_path: Path) -> None:
    recipe = parse_recipe(RECIPE + LESSONS, overrides=["training.epochs=1"])
    first, _ = run(tmp_path / "a", recipe)
    recipe = parse_recipe(RECIPE + LESSONS, overrides=["training.epochs=2"])
    both, result = run(tmp_path / "b", recipe)
    easy = sum(e.n_objects <= 4 for e in DATA)
    assert 0 < easy < len(DATA) and result.steps == math.ceil(easy / 8) + math.ceil(len(DATA) / 8)
    one, other = first.state_dict(), both.state_dict()
    still = {k for k in one if torch.equal(one[k], other[k])}
    assert still == {"perception.weight", "perception.bias"}


@pytest.mark.parametrize(
    ("lesson", "message"),
    [
        ("max_objects = 1", r"lesson 1 .*max_objects = 1\) admits none of 91 examples \(the fewest objects are 3\)"),
        ('freeze = ["perceptoin"]', "no part 'perceptoin' of Toy; did you mean 'perception'"),
        ('freeze = ["perception", "head", "rare"]', "are all that Toy could learn"),
    ],
)
def test_lessons_that_cannot_be_taught(tmp_path: Path, lesson: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        run(tmp_path, parse_recipe(f"{RECIPE}[[curriculum.lesson]]\n{lesson}\n"))
    assert not (tmp_path / "last.safetensors").exists()


class Diverging(Linear):
    def loss(self, batch: Batch) -> LossOut:
        out = super().loss(batch)
        return replace(out, loss=out.loss * (math.inf if len(self.batches) > 14 else 1))


def test_a_loss_that_is_no_number_ends_the_run_and_spares_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"epoch 2, step 15: the loss is inf; .*training.lr"):
        run(tmp_path, recipe_of(), model=Diverging(), val=None)
    assert load_checkpoint(tmp_path).state["step"] == 12


class Miscounting(Linear):
    def loss(self, batch: Batch) -> LossOut:
        return replace(super().loss(batch), count=-1)


def test_a_model_must_count(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"scalar over a count from 0, got shape .* over -1"):
        run(tmp_path, recipe_of(), model=Miscounting(), val=None)


def test_mixed_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsreason.training.devices.native_bf16", lambda kind: True)  # linear layers run everywhere
    plain, _ = run(tmp_path / "a", recipe_of())
    mixed, result = run(tmp_path / "b", recipe_of("training.precision=bf16-mixed"))
    assert all(p.dtype == torch.float32 for p in mixed.parameters())
    assert not same(plain, mixed)
    for a, b in zip(plain.parameters(), mixed.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=0.05, rtol=0.1)
    assert result.metrics["val/accuracy"] > 0.7
    with pytest.raises(TrainingError, match="16-mixed needs a GPU; give 'auto', or 32"):
        run(tmp_path / "c", recipe_of("training.precision=16-mixed"))


def test_threads_are_those_of_the_recipe_while_it_runs(tmp_path: Path) -> None:
    before, seen = torch.get_num_threads(), set()
    recipe = recipe_of(f"training.threads={before + 1}", "training.epochs=1")
    run(tmp_path, recipe, progress=lambda _: seen.add(torch.get_num_threads()))
    assert seen == {before + 1} and torch.get_num_threads() == before


# Stopping and resuming


@pytest.mark.parametrize("at", [1, 4, 7, 10, 13, 20])
@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_a_resumed_run_is_the_same_to_the_bit(tmp_path: Path, at: int, kind: str) -> None:
    """Wherever it broke off: between checkpoints, at one, at the end of an epoch."""
    cosine = ("training.schedule.kind=cosine", "training.schedule.warmup_steps=5", "training.momentum=0.9")
    recipe = recipe_of(*BUSY, *cosine, f"training.optimizer={kind}", f"training.workers={at % 2}")
    whole, _ = run(tmp_path / "whole", recipe)
    with pytest.raises(KilledError):
        run(tmp_path / "cut", recipe, progress=killing(at))
    torch.manual_seed(123)
    seen: list[int] = []
    resumed, result = run(tmp_path / "cut", recipe, resume=True, progress=killing(-1, seen))
    assert seen[0] == 1 + (at - 1) // 2 * 2 and seen[-1] == result.steps == 30
    assert same(whole, resumed)
    assert rows(tmp_path / "whole") == rows(tmp_path / "cut")


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signals_end_a_run_with_a_checkpoint(tmp_path: Path, number: signal.Signals, error: type) -> None:
    recipe, handler = recipe_of("training.checkpoint_every=0"), signal.getsignal(signal.SIGINT)

    def progress(status: Status) -> None:
        if status.step == 14:
            signal.raise_signal(number)

    def twice(status: Status) -> None:
        signal.raise_signal(number)

    with pytest.raises(error) as met:
        run(tmp_path / "at once", recipe, progress=twice)
    assert number == signal.SIGINT or met.value.code == 143
    with pytest.raises(error) as met:
        run(tmp_path / "cut", recipe, progress=progress)
    assert number == signal.SIGINT or met.value.code == 143
    assert signal.getsignal(signal.SIGINT) is handler
    assert load_checkpoint(tmp_path / "cut").state["step"] == 15  # the step at hand is finished
    resumed, _ = run(tmp_path / "cut", recipe, resume=True)
    whole, _ = run(tmp_path / "whole", recipe)
    assert same(whole, resumed) and rows(tmp_path / "whole") == rows(tmp_path / "cut")


def test_out_of_time(tmp_path: Path) -> None:
    recipe = recipe_of("training.seconds=1e-9")
    _, result = run(tmp_path / "cut", recipe)
    assert (result.stopped, result.steps, result.epochs) == ("time", 1, 0)
    assert "val/accuracy" in result.metrics and (tmp_path / "cut" / "best.safetensors").exists()
    _, result = run(tmp_path / "cut", recipe, resume=True)
    assert (result.stopped, result.steps) == ("time", 2)
    resumed, result = run(tmp_path / "cut", recipe_of(), resume=True)
    whole, _ = run(tmp_path / "whole", recipe_of())
    assert result.stopped == "finished" and same(whole, resumed)
    assert rows(tmp_path / "cut")[-3:] == rows(tmp_path / "whole")


def test_a_finished_run_can_be_resumed_for_more_epochs(tmp_path: Path) -> None:
    _, first = run(tmp_path / "cut", recipe_of("training.epochs=2"))
    again, result = run(tmp_path / "cut", recipe_of("training.epochs=2"), resume=True)
    assert result.steps == 24 and same(again, load_model(tmp_path / "cut", "tests.support.toy_models:Toy"))
    assert (result.metrics, result.best) == (first.metrics, first.best)
    resumed, _ = run(tmp_path / "cut", recipe_of("training.epochs=3"), resume=True)
    whole, _ = run(tmp_path / "whole", recipe_of("training.epochs=3"))
    assert same(whole, resumed)
    assert [s["from_step"] for s in json.loads((tmp_path / "cut" / "run.json").read_text())["sessions"]] == [0, 24, 24]


def test_resuming_an_empty_folder_begins(tmp_path: Path) -> None:
    _, result = run(tmp_path, recipe_of("training.epochs=1"), resume=True)
    assert result.steps == 12


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    run(tmp_path, recipe_of("training.epochs=1"))
    with pytest.raises(TrainingError, match="holds a run; resume it, or give another folder"):
        run(tmp_path, recipe_of("training.epochs=1"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.lr=0.5", r"training.lr: 0.01 in the checkpoint, 0.5 here; resume it with its own"),
        ("training.batch_size=16", "training.batch_size: 8 in the checkpoint, 16 here"),
        ("training.max_examples=80", "training.max_examples: 'nothing' in the checkpoint, 80 here"),
        ("model_config.dropout=0.1", "model_config.dropout: 0.2 in the checkpoint, 0.1 here"),
    ],
)
def test_a_run_is_not_resumed_as_another(tmp_path: Path, change: str, message: str) -> None:
    run(tmp_path, recipe_of("training.epochs=1"))
    with pytest.raises(CheckpointError, match=message):
        run(tmp_path, recipe_of("training.epochs=2", change), resume=True)


def test_a_run_is_not_resumed_on_other_data(tmp_path: Path) -> None:
    run(tmp_path, recipe_of("training.epochs=1"))
    with pytest.raises(TrainingError, match="began with 91 examples, here are 90"):
        run(tmp_path, recipe_of("training.epochs=2"), data=DATA[:90], resume=True)


def start(*arguments: object, launcher: Sequence[str] = ()) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", *launcher, str(SUPPORT / "toy_run.py"), *map(str, arguments)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


@pytest.mark.slow
def test_a_killed_process_is_resumed_to_the_bit(tmp_path: Path) -> None:
    """SIGKILL in mid-epoch, with nothing left to tidy up."""
    recipe = recipe_of(*BUSY)
    whole, _ = run(tmp_path / "whole", recipe)
    child = start(tmp_path / "cut", *BUSY, "--hang-at", "17")
    assert child.stdout is not None
    for line in child.stdout:
        if line == "step 17\n":
            break
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    left = load_checkpoint(tmp_path / "cut")
    assert (left.state["epoch"], left.state["done"], left.state["step"]) == (2, 6, 16)
    resumed, result = run(tmp_path / "cut", recipe, resume=True)
    assert result.steps == 30 and same(whole, resumed)
    assert rows(tmp_path / "whole") == rows(tmp_path / "cut")


@pytest.mark.slow
def test_an_interrupted_process_exits_with_130(tmp_path: Path) -> None:
    child = start(tmp_path, "--pause", "0.05")
    assert child.stdout is not None
    for line in child.stdout:
        if line == "step 3\n":
            child.send_signal(signal.SIGINT)
            break
    _, complaints = child.communicate(timeout=120)
    assert (child.returncode, "Traceback" in complaints) == (130, False)
    assert load_checkpoint(tmp_path).state["step"] >= 3


STOP = """
import signal
from nsreason.training import trainer as training
from nsreason.cli.app import app

def begin(run, last, former=training._Run.begin):
    former(run, last)
    run.progress = lambda status: signal.raise_signal(signal.SIGTERM) if status.step == 2 else None

training._Run.begin = begin
app(prog_name="nsreason")
"""


@pytest.mark.slow
def test_a_terminated_command_exits_with_143(tmp_path: Path) -> None:
    """As a shell and a batch system ask a run to end; 141 would say that nobody reads its output."""
    (tmp_path / "stop.py").write_text(STOP)
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    make = [sys.executable, "-m", "nsreason", "generate", "clevr", "--scenes", "12", "--out", str(tmp_path / "data")]
    subprocess.run(make, env=env, check=True, capture_output=True, timeout=120)
    command = [sys.executable, str(tmp_path / "stop.py"), "train", "question-type", "--data", str(tmp_path / "data")]
    command += ["--recipe", "rn-clevr-state-cpu", "--set", "training.precision=32", "--out", str(tmp_path / "run")]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (143, False), ended.stderr
    assert load_checkpoint(tmp_path / "run").state["step"] == 3


# Several processes


@pytest.mark.slow
@pytest.mark.parametrize("launched_by", ["fabric", "torchrun"])
def test_two_processes_train_as_one(tmp_path: Path, launched_by: str) -> None:
    """Nine examples are five and four; the last batch of an epoch has one, so one process has none."""
    settings = ["training.batch_size=9", "training.accumulate=2", "model_config.dropout=0", "training.epochs=2"]
    one, result = run(tmp_path / "one", recipe_of(*settings))
    by = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"] if launched_by == "torchrun" else []
    more = [] if by else ["training.devices=2"]
    child = start(tmp_path / "two", *settings, *more, launcher=by)
    output, complaints = child.communicate(timeout=120)
    assert child.returncode == 0, complaints
    assert output.count("step 12\n") == 1  # the first process tells
    two = Toy(ToyConfig(dropout=0))
    load_weights(two, load_checkpoint(tmp_path / "two"))
    # The buffer counts what each process has seen, and is the first one's.
    one.get_buffer("seen").fill_(0)
    two.get_buffer("seen").fill_(0)
    close(one, two)
    last_row = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    assert last_row.keys() == result.metrics.keys() and "train/accuracy/rare" in last_row
    for name in last_row.keys() - {"seconds"}:
        assert last_row[name] == pytest.approx(result.metrics[name], rel=1e-4), name
    assert len(json.loads((tmp_path / "two" / "run.json").read_text())["sessions"]) == 1
    random = load_checkpoint(tmp_path / "two").part("random")
    assert {name.partition("/")[0] for name in random} == {"0", "1"}


# What it tells as it goes


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    statuses: list[Status] = []
    run(tmp_path, recipe_of("training.epochs=2"), progress=statuses.append)
    assert [s.step for s in statuses] == list(range(1, 25)) and {s.steps for s in statuses} == {24}
    assert statuses[-1].epoch == 2 and statuses[-1].examples == 182 and math.isfinite(statuses[-1].loss)


def test_the_bar_is_quiet_where_nobody_looks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as bar:
        run(tmp_path, recipe_of("training.epochs=1"), progress=bar)
    assert capsys.readouterr() == ("", "")


def test_the_log_drops_half_a_row_and_what_was_undone(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    log = CsvLog(path)
    for step in (10, 20, 30):
        log.add({"step": step, "train/loss": step / 100})
    with path.open("a") as file:
        file.write("4")  # of 40
    log = CsvLog(path, keep_until=20)
    log.add({"step": 30, "train/loss": 0.5, "val/loss": 0.25})
    assert path.read_text() == "step,train/loss,val/loss\n10,0.1,\n20,0.2,\n30,0.5,0.25\n"
    assert CsvLog(path).path.read_text() == ""


def test_a_meter_divides_by_what_was_counted() -> None:
    meter = Meter()
    meter.add_batch(LossOut(torch.tensor(2.0, requires_grad=True), 3, {"a": torch.tensor(3), "b": (1, 2), "c": (0, 0)}))
    meter.add_batch(LossOut(torch.tensor(4.0), 1, {"a": 0.0, "b": (1.0, torch.tensor(2))}))
    assert means(meter.read()) == {"loss": 2.5, "a": 0.75, "b": 0.5}


def test_tensorboard_gets_the_rows_when_it_is_there(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run(tmp_path, recipe_of("training.epochs=1"))
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"val/accuracy" in events.read_bytes()


DOCS = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_model_of_the_documentation_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = DOCS.partition("<!-- own model -->\n")[2].partition("```python\n")[2].partition("```")[0]
    (tmp_path / "own_line.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "own_line.py", "exec"), {"__name__": "__main__"})  # which imports own_line, and trains once
    share, _, words = capsys.readouterr().out.partition(" ")
    assert float(share) > 0.5 and words == "of the points are met to within 0.1\n"


def test_the_recipe_of_the_documentation_names_every_key() -> None:
    text = DOCS.partition("```toml\n")[2].partition("```")[0]
    table = tomllib.loads(text)
    table["model"], table["model_config"], table["data"] = "tests.support.toy_models:Toy", {}, {}
    recipe = read_recipe(table)
    own = {"optimizer_settings": "training.optimizer_settings", "settings": "training.schedule.settings"}
    assert all(f"[{name}]" in DOCS for name in own.values())  # tables of one's own keys
    assert set(table["training"]) | {"optimizer_settings"} == {f.name for f in fields(Training)}
    assert set(table["training"]["schedule"]) | {"settings"} == {f.name for f in fields(Schedule)}
    assert recipe.curriculum == preset("nscl-release", epochs=10)
    lessons = DOCS.partition("```toml\n[[curriculum.lesson]]")[2].partition("```")[0]
    curriculum = read_lessons(tomllib.loads("[[curriculum.lesson]]" + lessons)["curriculum"]["lesson"])
    assert [lesson.from_epoch for lesson in curriculum.lessons] == [1, 6]
