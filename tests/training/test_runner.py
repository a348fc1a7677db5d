"""Training as a library call and as a command: one's own models with their own settings and data, from a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from nsreason.cli.app import app
from nsreason.errors import CheckpointError, DataError, RecipeError, TrustWarning
from nsreason.generators.sort_of_clevr import write_sort_of_clevr
from nsreason.training import load_model, parse_recipe, run
from nsreason.training.model import ExampleSplit
from nsreason.training.runner import data_of, for_model
from tests.support.console import as_installed
from tests.support.own_model import PointsConfig

pytestmark = pytest.mark.usefixtures("one_thread")

OWN = """
model = "tests.support.own_model:Points"
[data]
held_out = 0.25
[training]
accelerator = "cpu"
epochs = 4
batch_size = 8
lr = 0.05
"""


def points(folder: Path, count: int = 40) -> Path:
    """Points of a plane with the side that each is on, and a line that is none."""
    folder.mkdir()
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(5))
    lines = [f"{a:.4f} {b:.4f} {c:.4f} {'up' if a + b > 0 else 'down'}" for a, b, c in x.tolist()]
    (folder / "points.txt").write_text("\n".join(["not a point", *lines]) + "\n")
    return folder


def weights(model: torch.nn.Module) -> list[float]:
    return [v for tensor in model.state_dict().values() for v in tensor.flatten().tolist()]


def test_a_model_of_ones_own_is_trained_on_data_of_its_own(tmp_path: Path) -> None:
    seen: list[ExampleSplit] = []
    result = run(parse_recipe(OWN), points(tmp_path / "data"), tmp_path / "run", loaded=seen.append)
    assert result.stopped == "finished" and result.epochs == 4 and seen == [result.split]
    assert (len(result.split.train), len(result.split.valid), len(result.split.bad)) == (30, 10, 1)
    # What depends on the data was completed by them, and stands in the checkpoint.
    assert isinstance(result.recipe.model_config, PointsConfig) and result.recipe.model_config.inputs == 3
    assert result.recipe.model_config.classes == ("down", "up")
    with pytest.warns(TrustWarning):
        again = load_model(tmp_path / "run", trust=True)
    assert again.config == result.recipe.model_config and weights(again) == weights(result.model)
    assert float(result.metrics["val/accuracy"]) > 0.7


def test_a_stopped_run_goes_on_as_one_that_was_not(tmp_path: Path) -> None:
    data = points(tmp_path / "data")
    whole = run(parse_recipe(OWN), data, tmp_path / "whole")

    def stop(status: object) -> None:
        if getattr(status, "step", 0) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(parse_recipe(OWN), data, tmp_path / "run", progress=stop)
    resumed = run(parse_recipe(OWN), data, tmp_path / "run", resume=True)
    assert weights(resumed.model) == weights(whole.model) and resumed.metrics["val/loss"] == whole.metrics["val/loss"]


def test_weights_to_begin_with(tmp_path: Path) -> None:
    data = points(tmp_path / "data")
    first = run(parse_recipe(OWN), data, tmp_path / "first")
    changes = ["training.epochs=1", "training.lr=1e-9", "training.optimizer=sgd"]
    second = run(parse_recipe(OWN), data, tmp_path / "second", overrides=changes, begin=tmp_path / "first")
    assert weights(second.model) == pytest.approx(weights(first.model), abs=1e-6)
    with pytest.raises(CheckpointError, match=r"of the model 'tests\.support\.own_model:Points', not of"):
        other = for_model(parse_recipe(OWN), "tests.support.own_model:OtherPoints")
        run(other, data, tmp_path / "third", begin=tmp_path / "first")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OWN.replace("held_out", "helt_out"), r"data: no key 'helt_out'; did you mean 'held_out'"),
        (OWN.replace("0.25", "1.5"), r"data: a share is from 0 to 1"),
        (OWN.replace("own_model:Points", "toy_models:Toy").replace("held_out = 0.25", ""), "no dataclass .* as Data"),
    ],
)
def test_data_that_do_not_fit_are_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        data_of(parse_recipe(text))


def test_a_recipe_serves_models_of_its_settings_only(tmp_path: Path) -> None:
    recipe = parse_recipe(OWN)
    assert for_model(recipe, recipe.model) is recipe
    assert for_model(recipe, "tests.support.own_model:OtherPoints").model_config == recipe.model_config
    with pytest.raises(RecipeError, match=r"is of the model 'tests\.support\.own_model:Points', not of 'mlp'"):
        for_model(recipe, "mlp")
    (tmp_path / "points.txt").write_text("")
    with pytest.raises(DataError, match="no point"):
        run(recipe, tmp_path, tmp_path / "run")


# --- the command ------------------------------------------------------------------------------------------------


def test_the_console_script_trains_a_model_of_the_working_directory(tmp_path: Path) -> None:
    """With its own settings, its own data, and a recipe beside it."""
    work = tmp_path / "work"
    (work / "my_pkg").mkdir(parents=True)
    own = Path(__file__).parents[1] / "support" / "own_model.py"
    (work / "my_pkg" / "__init__.py").write_text(own.read_text())
    (work / "own.toml").write_text(OWN.replace("tests.support.own_model", "my_pkg"))
    points(work / "data")
    command = ("train", "my_pkg:Points", "--recipe", "own.toml", "--data", "data", "--out", "run")
    done = as_installed(tmp_path, work, *command, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["questions"] == {"train": 30, "held_out": 10, "bad": 1} and record["epochs"] == 4
    assert "left out: line 1" in done.stderr


def test_the_command_of_a_model_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text(OWN)
    points(tmp_path / "data")

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["train", *arguments, "--data", "data", "--out", "run"])

    page = CliRunner().invoke(app, ["train", "tests.support.own_model:Points", "--help"], env={"COLUMNS": "100"})
    assert page.exit_code == 0 and "Train a tests.support.own_model:Points" in page.stdout and "--resume" in page.stdout
    own = ("tests.support.own_model:Points", "--recipe", "own.toml")
    assert call(*own, "--set", "training.epochs=1").exit_code == 0
    again = call(*own)
    assert again.exit_code == 2 and "holds a run" in again.stderr
    assert call(*own, "--set", "training.epochs=1", "--resume").exit_code == 0
    # What lies in a run's folder was handed on: it names no module to import, whatever the command line says.
    handed = call("tests.support.own_model:Points", "--recipe", "run/recipe.toml")
    assert handed.exit_code == 2 and "--trust" in handed.stderr
    missing = call("tests.support.own_model:Nothing", "--recipe", "own.toml")
    assert missing.exit_code == 2 and "own_model has no class Nothing" in missing.stderr
    other = call("mlp", "--recipe", "own.toml")
    assert other.exit_code == 2 and "is of the model 'tests.support.own_model:Points', not of 'mlp'" in other.stderr
    plain = call("points", "--recipe", "own.toml")
    assert plain.exit_code == 2 and "No such command 'points'" in plain.stderr


def test_the_console_script_trains_on_a_task_of_the_working_directory(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "my_task.py").write_text(TASK)
    recipe = f'model = "question-type"\n[data]\ntask = "my_task:Parity"\n[model_config]\nasks = "nothing"\n{TRAINING}'
    (work / "own.toml").write_text(recipe)
    (work / "data").mkdir()
    command = ["train", "question-type", "--recipe", "own.toml", "--data", "data", "--out", "run", "--json"]
    done = as_installed(tmp_path, work, *command, "--set", "data.settings.numbers=30")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["questions"]["train"] == 24 and record["metrics"]["accuracy"] == 1.0


TRAINING = '[training]\naccelerator = "cpu"\nepochs = 1\n'
TASK = """
from dataclasses import dataclass
import numpy as np
from nsreason.queries.query import Query
from nsreason.tasks import HoldOut, Split

@dataclass(frozen=True)
class Parity:
    numbers: int = 20
    recipes = {}
    def load(self, folder):
        rows = np.ones((1, 2), np.float32)
        asked = [Query(i, None, "even odd".split()[i % 2], f"mod {i % 2}", {"rows": rows}) for i in range(self.numbers)]
        train, valid = HoldOut(0.2).split(asked)
        return Split(train, valid)
"""


def test_a_model_of_queries_of_ones_own_learns_any_task(tmp_path: Path) -> None:
    text = f'model = "tests.support.toy_query_model:MeanRows"\n[data]\ntask = "sort-of-clevr"\n{TRAINING}'
    write_sort_of_clevr(tmp_path / "data", scenes=20, validation=4, seed=1)
    result = run(parse_recipe(text), tmp_path / "data", tmp_path / "run", overrides=["data.settings.valid=0.2"])
    assert result.recipe.model_config.features == 10 and "yes" in result.recipe.model_config.answers
    assert (len(result.split.train), len(result.split.valid)) == (240, 80)  # a fifth, cut back to a whole image
