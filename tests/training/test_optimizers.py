"""Optimizers and schedules by name and of one's own; what they keep is resumed to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nsreason.errors import RecipeError
from nsreason.registry import OPTIMIZERS
from nsreason.training.lr_schedules import SCHEDULES, Schedule
from nsreason.training.optimizers import make_optimizer
from nsreason.training.recipe import Recipe, new_model, read_recipe
from nsreason.training.settings import Training
from nsreason.training.trainer import train
from tests.support.own_optimizer import SignDescent
from tests.support.toy_models import Toy, ToyConfig, examples
from tests.support.toy_recipes import toy

pytestmark = pytest.mark.usefixtures("one_thread")

OWN = ("training.optimizer=tests.support.own_optimizer:SignDescent", "training.optimizer_settings.keep=0.5")
LINE = ("training.schedule.kind=tests.support.own_optimizer:Line", "training.schedule.settings.slope=0.5")


def weights(recipe: Recipe, folder: Path, stop: int = 0, **changed: Any) -> list[float]:
    """Those that training ends with; an interrupted run is resumed."""

    def progress(status: Any) -> None:
        if status.step == stop:
            raise KeyboardInterrupt

    model = new_model(recipe)
    if stop:
        with pytest.raises(KeyboardInterrupt):
            train(model, examples(40), None, recipe, folder, progress=progress)
        model = new_model(recipe)
    train(model, examples(40), None, recipe, folder, resume=bool(stop))
    return [v for tensor in model.state_dict().values() for v in tensor.flatten().tolist()]


@pytest.mark.parametrize("overrides", [(), OWN, LINE, OWN + LINE])
def test_a_resumed_run_is_the_same_to_the_bit(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    recipe = toy("training.epochs=3", "training.lr=0.01", *overrides)
    assert weights(recipe, tmp_path / "whole") == weights(recipe, tmp_path / "run", stop=7)
    assert read_recipe(recipe.to_dict()) == recipe


def test_settings_reach_the_optimizer() -> None:
    model = Toy(ToyConfig())
    optimizer = make_optimizer(model, Training(optimizer=OWN[0].partition("=")[2], lr=0.3))
    assert isinstance(optimizer, SignDescent) and optimizer.defaults == {"lr": 0.3, "keep": 0.9}
    settings = {"amsgrad": True}
    optimizer = make_optimizer(model, Training(optimizer="adam", weight_decay=0.1, optimizer_settings=settings))
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.defaults["amsgrad"] and optimizer.defaults["weight_decay"] == 0.1
    optimizer = make_optimizer(model, Training(optimizer="sgd", momentum=0.5))
    assert type(optimizer) is torch.optim.SGD and optimizer.defaults["momentum"] == 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "sgd", "optimizer_settings": {"amsgrad": True}}, "'sgd' refuses its settings: .*amsgrad"),
        ({"optimizer": "adam", "optimizer_settings": {"eps": -1.0}}, "'adam' refuses its settings: Invalid epsilon"),
        ({"optimizer": "tests.support.own_optimizer:Gone"}, "has no class Gone"),
        ({"optimizer": "tests.support.own_optimizer:Line"}, "refuses its settings"),
        ({"optimizer": "tests.support.own_optimizer:Line", "optimizer_settings": {"lr": 1}}, "refuses its settings"),
    ],
)
def test_what_no_optimizer_takes_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make_optimizer(Toy(ToyConfig()), Training(**settings))


def test_a_schedule_of_ones_own_begins_after_the_warm_up() -> None:
    own = Schedule(kind="tests.support.own_optimizer:Line", warmup_steps=4, settings={"slope": 1.0})
    assert [own.rate(step, 12, 1) for step in (0, 3, 4, 8, 11)] == [0.25, 1.0, 1.0, 0.5, 0.125]
    with pytest.raises(RecipeError, match=r"schedule\.settings: .*bend"):
        Schedule(kind="tests.support.own_optimizer:Line", settings={"bend": 1}).rate(0, 1, 1)
    with pytest.raises(RecipeError, match="has no class Curve"):
        Schedule(kind="tests.support.own_optimizer:Curve").rate(0, 1, 1)


def test_the_tables_are_there() -> None:
    for kind in SCHEDULES:
        assert Schedule(kind=kind, at_epochs=(2,) if kind == "step" else ()).rate(0, 9, 1) == 1.0
    for name in OPTIMIZERS:
        assert type(make_optimizer(Toy(ToyConfig()), Training(optimizer=name))).__name__.lower() == name
