"""Recipes: read, checked with suggestions, overridden, written back; schedules; the table of models."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nsreason.errors import RecipeError
from nsreason.io.settings import to_dataclass
from nsreason.registry import MODELS
from nsreason.training import recipe as module
from nsreason.training.curriculum import Lesson, preset
from nsreason.training.lr_schedules import Schedule
from nsreason.training.model import model_class
from nsreason.training.recipe import (
    Recipe,
    Training,
    apply_overrides,
    bundled_recipes,
    load_recipe,
    new_model,
    parse_recipe,
)
from tests.support.toy_models import PartConfig, Toy, ToyConfig

TEXT = """
model = "tests.support.toy_models:Toy"
[model_config]
dropout = 0
head = {width = 16}
[data]
train = ["a.json", "b.json"]
[training]
seed = 7
betas = [0.9, 0.98]
gradient_clip = 1
[training.schedule]
kind = "cosine"
warmup_steps = 100
[[curriculum.lesson]]
epochs = 4
max_objects = 3
[[curriculum.lesson]]
families = ["count", 3]
"""


def test_a_recipe_is_read_into_dataclasses() -> None:
    recipe = parse_recipe(TEXT)
    assert recipe.model_config == ToyConfig(head=PartConfig(16), dropout=0.0)
    assert recipe.data == {"train": ["a.json", "b.json"]}
    assert recipe.training.betas == (0.9, 0.98) and recipe.training.schedule.kind == "cosine"
    assert recipe.curriculum is not None
    assert recipe.curriculum.lessons == (Lesson(1, max_objects=3), Lesson(5, families=("count", 3)))
    model = new_model(recipe)
    assert isinstance(model, Toy) and model.head.in_features == 16


def test_a_recipe_written_out_reads_back_equal() -> None:
    for text in (TEXT, 'model = "tests.support.toy_models:Toy"\n[curriculum]\npreset = "nscl-paper"\n'):
        recipe = parse_recipe(text)
        assert parse_recipe(recipe.to_toml()) == recipe
        assert tomllib.loads(recipe.to_toml()) == recipe.to_dict()


def test_new_models_come_from_the_seed_and_leave_the_random_numbers_alone() -> None:
    recipe = parse_recipe(TEXT)
    before = torch.get_rng_state()
    a, b, c = (new_model(r) for r in (recipe, recipe, apply_overrides(recipe, ["training.seed=8"])))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(a.head.weight, b.head.weight) and not torch.equal(a.head.weight, c.head.weight)


# Errors

BASE = 'model = "tests.support.toy_models:Toy"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BASE + "[training]\nepoch = 3", "own.toml: training: no key 'epoch'; did you mean 'epochs'"),
        (BASE + "[training]\nepochs = 'three'", "training.epochs: Expected `int`, got `str`"),
        (BASE + "[training]\nepochs = 0", "training.epochs: a whole number from 1, got 0"),
        (BASE + "[training]\nlr = nan", "training.lr: a number above 0, got nan"),
        (BASE + "[training]\nseed = -1", "training.seed: a whole number from 0 to 4294967295, got -1"),
        (BASE + "[training]\nbetas = [0.9]", "training.betas: Expected `array` of length 2, got 1"),
        (BASE + "[training]\nbetas = [0.9, 1]", "training.betas: two numbers from 0 to below 1"),
        (BASE + "[training]\noptimizer = 'adamx'", "training.optimizer: no optimizer 'adamx'; did you mean 'adam'"),
        (
            BASE + "[training]\noptimizer = 'my pkg:Own'",
            "no optimizer 'my pkg:Own'.*your own as 'module:Class'",
        ),
        (BASE + "[training.schedule]\nkind = 'cosin'", "schedule.kind: no schedule 'cosin'; did you mean 'cosine'"),
        (
            BASE + "[training.schedule.settings]\nslope = 1",
            "settings: only for a schedule of one's own",
        ),
        (BASE + "[training]\nworkers = -1", "training.workers: a whole number from 0, got -1"),
        (BASE + "[training]\nseconds = 0", "training.seconds: a number above 0, got 0"),
        (BASE + "[training]\nweight_decay = -1", "training.weight_decay: a number from 0, got -1"),
        (BASE + "[training.schedule]\nwarmup = 3", "training.schedule: no key 'warmup'; did you mean 'warmup_steps'"),
        (BASE + "[training.schedule]\nkind = 'step'", "at_epochs: give the epochs at which the rate drops, got"),
        (BASE + "[training.schedule]\nat_epochs = [3]", "at_epochs: only for kind = 'step', got"),
        (BASE + "[training.schedule]\nwarmup_steps = -1", "warmup_steps: 0 or more steps, got -1"),
        (BASE + "[model_config]\ndropuot = 1", "model_config: no key 'dropuot'; did you mean 'dropout'"),
        (BASE + "[model_config.head]\nwidht = 1", "model_config.head: no key 'widht'; did you mean 'width'"),
        (BASE + "[model_config.head]\nwidth = 1.5", "model_config.head.width: Expected `int`, got `float`"),
        (BASE + "[model_config]\nactivation = 'gelu'", "model_config.activation: Invalid enum value 'gelu'"),
        (BASE + "[trainning]", "no key 'trainning'; did you mean 'training'"),
        (BASE + "training = 3", "training: a table, got 3"),
        (BASE + "[curriculum]\npreset = 'nscl'", "no curriculum 'nscl'"),
        (BASE + "[curriculum]\nlesons = []", "curriculum: no key 'lesons'; did you mean 'lesson'"),
        (BASE + "[curriculum]", "curriculum: either preset, or"),
        (BASE + "[curriculum]\nlesson = 3", "curriculum.lesson: .* tables, got 3"),
        ("model = 3", "model: the name of a model, got 3"),
        ("", "model: the name of a model, got None"),
        ("model = 'toy'", "no model 'toy'.*; or give your own as 'module:Class'"),
        ("model = 'tests.support.toy_models:'", "no model 'tests.support.toy_models:'"),
        ("model = 'toy_modles:Toy'", "cannot import toy_modles: No module named"),
        ("model = 'tests.support.toy_models:Tyo'", "tests.support.toy_models has no class Tyo"),
        ("model = 'tests.support.toy_models:Batch'", "its class names no dataclass as Config"),
        ("model = ", "own.toml: not valid TOML: Invalid value"),
        ("a = " + "[" * 5000, "own.toml: not valid TOML"),
        ("a = " + "9" * 5000, "own.toml: not valid TOML: Exceeds the limit"),
        (BASE + "[training]\nbatch_size = 1" + "0" * 30, r"training.batch_size: a whole number up to 2,147,483,647"),
        (BASE + "[training]\nepochs = 1000000000", "training.epochs: a whole number up to 1,000,000, got"),
        (BASE + "[training]\nlr = inf", "training.lr: a number above 0, got inf"),
        (BASE + "[training]\nweight_decay = inf", "training.weight_decay: a finite number, got inf"),
        (BASE + "[training]\ngradient_clip = inf", "training.gradient_clip: a finite number, got inf"),
        (BASE + "[training.schedule]\nminimum = nan", "training.schedule.minimum: a finite number, got nan"),
        (BASE + "[model_config]\ndropout = inf", "model_config.dropout: a finite number, got inf"),
        (BASE + "[model_config.head]\nwidth = 1" + "0" * 30, "model_config.head.width: a whole number of at most 64"),
        (BASE + "[data]\nday = 2026-11-28", "data.day: a text, number, boolean, list or table, got date 2026-11-28"),
        (BASE + "[data]\na = [1, {b = 07:32:00}]", r"data.a\[1\].b: a text, number, boolean, list or table, got time"),
    ],
)
def test_recipes_that_are_not_valid(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(text, source="own.toml")


@dataclass(frozen=True)
class Picky:
    width: int

    def __post_init__(self) -> None:
        if self.width % 2:
            raise ValueError("width: an even number")


def test_a_configs_own_checks_and_missing_keys() -> None:
    assert to_dataclass({"width": 2}, Picky, "here") == Picky(2)
    with pytest.raises(RecipeError, match=r"^here: width: an even number$"):
        to_dataclass({"width": 3}, Picky, "here")
    with pytest.raises(RecipeError, match="here: Object missing required field `width`"):
        to_dataclass({}, Picky, "here")


# Overrides


def test_overrides_are_values_of_toml_and_words() -> None:
    changes = [
        "training.lr=1e-4",
        "training.optimizer=sgd",
        "training.precision = 32",
        "training.schedule.kind=step",
        "training.schedule.at_epochs=[3, 5]",
        "model_config.head.width=2",
        'model_config.activation="relu"',
        "data.train=c.json",
        "data.deep.er=true",
        "training.max_examples=10",
    ]
    recipe = parse_recipe(TEXT, overrides=changes)
    t = recipe.training
    assert (t.lr, t.optimizer, t.precision, t.max_examples, t.seed) == (1e-4, "sgd", "32", 10, 7)
    assert t.schedule == Schedule("step", 100, (3, 5))
    assert recipe.model_config == ToyConfig(head=PartConfig(2), dropout=0.0, activation="relu")
    assert recipe.data == {"train": "c.json", "deep": {"er": True}}
    assert apply_overrides(recipe, []) is recipe


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.lr", "'training.lr': expected key=value, such as training.lr=1e-4"),
        ("=3", "expected key=value"),
        ("training.lr=", "expected key=value"),
        ("training.rl=3", "training: no key 'rl'"),
        ("training.epohcs=3", "training: no key 'epohcs'; did you mean 'epochs'"),
        ("trainig.epochs=3", "'trainig.epochs': no table 'trainig'; did you mean 'training'"),
        ("epochs=3", "no key 'epochs'"),
        ("training.epochs=3.5", "training.epochs: Expected `int`, got `float`"),
        ("training.epochs=many", "training.epochs: Expected `int`, got `str`"),
        ("training.lr.x=3", "'training.lr.x': 'lr' is not a table, but 0.001"),
        ("model.x=3", "no table 'model'"),
    ],
)
def test_overrides_that_do_not_fit(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(BASE, overrides=["training.seed=1", change])


@pytest.mark.parametrize("order", [1, -1])
def test_a_word_written_as_a_number_does_not_hide_what_is_wrong_beside_it(order: int) -> None:
    changes = ["training.precision=32", "training.epochs=0", "training.seed=1"][::order]
    with pytest.raises(RecipeError, match=r"training.epochs: a whole number from 1, got 0"):
        parse_recipe(BASE, overrides=changes)


def test_a_preset_follows_the_epochs() -> None:
    recipe = parse_recipe(BASE + "[curriculum]\npreset = 'nscl-release'\n[training]\nepochs = 100\n")
    assert recipe.curriculum == preset("nscl-release")
    assert apply_overrides(recipe, ["training.epochs=20"]).curriculum == preset("nscl-release", epochs=20)
    other = apply_overrides(parse_recipe(TEXT), ["curriculum.preset=nscl-paper", "training.epochs=20"])
    assert other.curriculum == preset("nscl-paper", epochs=20)


# Files


def test_recipes_are_loaded_by_path_or_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.toml").write_text(TEXT)
    assert load_recipe(tmp_path / "own.toml") == load_recipe(str(tmp_path / "own.toml")) == parse_recipe(TEXT)
    assert load_recipe(tmp_path / "own.toml", overrides=["training.seed=1"]).training.seed == 1
    with pytest.raises(RecipeError, match=r"cannot read the recipe '.*none.toml': .*No such file"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        load_recipe(tmp_path / "bytes.toml")
    monkeypatch.setattr(module.resources, "files", lambda _: tmp_path)
    (tmp_path / "bytes.toml").unlink()
    assert bundled_recipes() == ("own",) and load_recipe("own") == parse_recipe(TEXT)
    with pytest.raises(RecipeError, match=r"no recipe 'onw'; did you mean 'own'.; or give the path"):
        load_recipe("onw")


@pytest.mark.parametrize("name", bundled_recipes())
def test_a_bundled_recipe_is_valid_and_opens_with_its_command(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.model in MODELS
    text = module.resources.files("nsreason.recipes").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("#") and name in text.partition("\nmodel")[0]


def test_the_table_of_models_names_what_is_there() -> None:
    for name, path in MODELS.items():
        assert find_spec(path.partition(":")[0]) is not None, path
        assert model_class(name).__name__ == path.partition(":")[2]


def test_an_unknown_model_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "toy", "tests.support.toy_models:Toy")
    assert model_class("toy") is Toy is model_class("tests.support.toy_models:Toy")
    with pytest.raises(RecipeError, match=r"no model 'zzz'; known: .*toy.*; or give your own as 'module:Class'"):
        model_class("zzz")


# Schedules


def rates(schedule: Schedule, steps: int, an_epoch: int = 10) -> list[float]:
    return [schedule.rate(step, steps, 1 + step // an_epoch) for step in range(steps)]


def test_constant_and_warmup() -> None:
    assert rates(Schedule(), 3) == [1, 1, 1]
    assert rates(Schedule(warmup_steps=4), 6) == [0.25, 0.5, 0.75, 1, 1, 1]


def test_steps_drop_with_the_first_step_of_an_epoch() -> None:
    factors = rates(Schedule("step", at_epochs=(2, 4), factor=0.5), 40)
    assert factors == [1] * 10 + [0.5] * 20 + [0.25] * 10


@given(st.integers(1, 50), st.integers(0, 60), st.floats(0, 1))
def test_cosine_falls_from_one_to_the_minimum(steps: int, warm: int, minimum: float) -> None:
    schedule = Schedule("cosine", warmup_steps=warm, minimum=minimum)
    factors = rates(schedule, steps)
    after = factors[warm:]
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(after))
    assert all(0 <= rate <= 1 for rate in factors)
    assert schedule.rate(max(steps, warm + 1), steps, 1) == pytest.approx(minimum)
    if warm == 0:
        assert factors[0] == 1


def test_defaults_are_said_once() -> None:
    assert parse_recipe(BASE) == Recipe("tests.support.toy_models:Toy", ToyConfig())
    assert parse_recipe(BASE).training == Training()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs=" + "9" * 5000, "training.epochs: Expected `int`, got `str`"),
        ("training.batch_size=1" + "0" * 30, "training.batch_size: a whole number up to"),
        ("training.monitor=\ud800", "training.monitor: .* is not valid Unicode: a surrogate stands alone"),
        ("data.\ud800=1", "is not valid Unicode"),
        ("data.day=2026-11-28", None),
        ("data.days=[2026-11-28]", None),
        ("data.deep=" + "[" * 5000, None),
        ("data.deep=" + "[" * 80 + "]" * 80, None),
        ("data." + "a." * 5000 + "b=1", "nested more than 64 levels deep"),
        ("training.lr=0.1\nbatch_size = 3", "training.lr: Expected `float`, got `str`"),
        ("model_config.head.width=1" + "0" * 30, "model_config.head.width: a whole number of at most 64 bits"),
    ],
)
def test_overrides_that_nothing_can_hold(override: str, message: str | None) -> None:
    """Each is refused, or taken as the text that it is; what is taken is written and read back."""
    recipe = parse_recipe(BASE)
    if message is None:
        changed = apply_overrides(recipe, [override])
        assert isinstance(changed.data[override.partition("=")[0].partition(".")[2]], str)
        assert parse_recipe(changed.to_toml()) == changed
        return
    with pytest.raises(RecipeError, match=message) as met:
        apply_overrides(recipe, [override])
    assert len(str(met.value)) < 500
