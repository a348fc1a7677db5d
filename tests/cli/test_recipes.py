"""`nsreason recipes` and `nsreason models`: every recipe and model is listed with its record."""

from __future__ import annotations

import json
import shlex

import pytest
from typer.testing import CliRunner

from nsreason.cli import models, recipes, train
from nsreason.cli.app import app
from nsreason.errors import RecipeError
from nsreason.registry import MODELS
from nsreason.training.recipe import bundled_recipes, load_recipe, new_model, recipe_text


def output_of(*args: str) -> str:
    result = CliRunner().invoke(app, list(args), env={"COLUMNS": "140"})
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("name", bundled_recipes())
def test_every_bundled_recipe_says_data_score_time_and_command(name: str) -> None:
    head = recipes.head(name)
    words = shlex.split(head["command"])
    assert words[:5] == ["nsreason", "train", load_recipe(name).model, "--recipe", name] and "--data" in words
    assert all(head[key] for key in ("data", "score", "time", "summary"))


def test_a_recipe_that_does_not_say_so_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsreason.training.recipe.recipe_text", lambda name: ('# A.\n\nmodel = "lstm"\n', "a"))
    with pytest.raises(RecipeError, match="does not say: data, score, time, command"):
        recipes.head("a")


@pytest.mark.parametrize("name", ["clevr-state-quick", "clevr-state", "scene-parser", "detector-small"])
def test_sizes_are_those_of_the_models(name: str) -> None:
    model = new_model(load_recipe(name))
    assert recipes.parameters(name) == sum(p.numel() for p in model.parameters())


# As `config_from_data` made them of the tasks' own data: CLEVR's questions, Sort-of-CLEVR, bAbI's 20 tasks, springs.
NETWORKS = {
    "rn-clevr-state": 2_050_557,
    "rn-clevr-state-cpu": 175_613,
    "rn-sort-of-clevr": 20_005_506,
    "rn-sort-of-clevr-cpu": 60_754,
    "rn-sort-of-clevr-state": 71_434,
    "rn-babi": 537_695,
    "rn-babi-cpu": 117_628,
    "rn-springs-connections": 2_880_200,
    "rn-springs-connections-cpu": 274_532,
    "rn-springs-systems": 2_871_110,
    "rn-springs-systems-cpu": 321_342,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_sizes_of_networks_are_those_with_the_words_and_answers_of_their_data(name: str) -> None:
    assert recipes.parameters(name) == pytest.approx(NETWORKS[name], rel=0.01)


def test_recipes_are_listed_and_shown() -> None:
    listed = output_of("recipes")
    assert all(name in listed for name in bundled_recipes())
    record = json.loads(output_of("recipes", "--json"))["recipes"]
    assert [r["name"] for r in record] == list(bundled_recipes()) and all(r["parameters"] for r in record)
    assert output_of("recipes", "rn-babi").rstrip("\n") == recipe_text("rn-babi")[0].rstrip("\n")
    assert CliRunner().invoke(app, ["recipes", "rn-bbai"]).exit_code == 2


def test_models_are_listed_with_a_command_that_trains_them() -> None:
    record = json.loads(output_of("models", "--json"))["models"]
    assert [r["name"] for r in record] == list(MODELS) == list(train.ABOUT)
    for r in record:
        words = shlex.split(r["command"])
        assert words[2] == r["name"] and words[4] == r["recipe"] and r["recipe"] in bundled_recipes()
        assert r["parameters"] > 0 or r["name"] == "question-type"
    assert set(models.SHOWN) < set(MODELS)
    assert all(name in output_of("models") for name in MODELS)
