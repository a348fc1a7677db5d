"""Recipes: everything that decides a training run, in one TOML file.

    recipe = load_recipe("my_recipe.toml", overrides=["training.lr=1e-4", "training.epochs=3"])
    recipe.training.lr, recipe.model_config, recipe.to_toml()

    model = "concept-learner"          # a name of nsreason.training.model.MODELS, or your own "module:Class"
    [model_config]                     # checked against the model's Config
    [data]                             # checked by whoever loads the data
    [training]                         # checked against Training
    [training.schedule]
    [curriculum]                       # preset = "nscl-release"; or [[curriculum.lesson]] tables

Every key is checked when the recipe is read, with a suggestion for one that is not known.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w

from ..errors import RecipeError, did_you_mean
from ..io.decoding import plain_fault
from ..io.settings import to_dataclass
from ..registry import MODELS, OPTIMIZERS, TASKS, only_table
from .curriculum import PRESETS, Curriculum, preset, read_lessons
from .lr_schedules import SCHEDULES
from .model import model_class
from .overrides import TABLES, read_changed
from .settings import Training


@dataclass(frozen=True)
class Recipe:
    """A checked recipe."""

    model: str
    """A name of `nsreason.registry.MODELS`, or `module:Class`."""
    model_config: Any
    """An instance of the dataclass that the model's class names as `Config`."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """As written; checked against the dataclass that the model's class names as `Data` when a run begins."""
    training: Training = field(default_factory=Training)
    """How long, how fast and where to train."""
    curriculum: Curriculum | None = None
    """None learns from everything from the first epoch on."""

    def to_dict(self) -> dict[str, Any]:
        """As plain data, every default written out; None is left out, as in TOML."""
        table: dict[str, Any] = {
            "model": self.model,
            "model_config": _plain(self.model_config),
            "data": _plain(self.data),
            "training": _plain(self.training),
        }
        if self.curriculum is not None:
            table["curriculum"] = {"lesson": _plain(self.curriculum.lessons)}
        return table

    def to_toml(self) -> str:
        """As a recipe file that reads back as an equal recipe."""
        return tomli_w.dumps(self.to_dict())


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def config_class(model: str) -> type[Any]:
    """The frozen dataclass of a model's settings: what its class names as `Config`.

    Raises:
        RecipeError: there is no such model, or its class names none.
    """
    cls = getattr(model_class(model), "Config", None)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise RecipeError(f"model '{model}': its class names no dataclass as Config")
    return cls


def new_model(recipe: Recipe) -> Any:
    """A new model of the recipe, its first weights drawn from the recipe's seed.

    Raises:
        RecipeError: there is no such model, or it refuses its settings.
    """
    import torch

    from .building import build

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        model = build(recipe.model, recipe.model_config)
        if hasattr(model, "load_pretrained"):  # from a file that the settings name; checkpoints do without it
            try:
                model.load_pretrained()
            except ValueError as error:
                raise RecipeError(f"model_config: {error}") from None
        return model


def bundled_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    folder = resources.files("nsreason.recipes")
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def load_recipe(name: str | Path, *, overrides: Sequence[str] = (), trust: bool = False) -> Recipe:
    """A bundled recipe by name, or any recipe by the path of its `.toml` file.

    A recipe is code: it may name a model or a task of one's own as `module:Class`, which is then imported. Not so one
    that lies in the folder of a run, which is handed on with its checkpoints.

    Args:
        overrides: as `apply_overrides` takes them.
        trust: let the recipe of a run's folder name modules, too; a TrustWarning says which.

    Raises:
        RecipeError: no such recipe, or it is not valid; or it is a run's, names a module, and is not trusted.
    """
    text, source = recipe_text(name)
    if _of_a_run(name):
        _hold_to_tables(text, source, trust)
    return parse_recipe(text, source=source, overrides=overrides)


def recipe_text(name: str | Path) -> tuple[str, str]:
    """The text of a recipe's file, and the file's name.

    Raises:
        RecipeError: there is no such recipe.
    """
    if isinstance(name, Path) or name.endswith(".toml"):
        source = str(name)
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise RecipeError(f"cannot read the recipe {source!r}: {error}") from None
    else:
        known = bundled_recipes()
        if name not in known:
            hint = did_you_mean(name, known)
            raise RecipeError(f"no recipe '{name}'{hint}; or give the path of a .toml file")
        source = f"{name}.toml"
        text = resources.files("nsreason.recipes").joinpath(source).read_text(encoding="utf-8")
    return text, source


def read_table(name: str | Path) -> tuple[dict[str, Any], str]:
    """The plain data of a recipe's file, and the file's name. Its model is not looked for, so no torch is loaded.

    Raises:
        RecipeError: there is no such recipe, or it is not TOML.
    """
    text, source = recipe_text(name)
    try:
        return tomllib.loads(text), source
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(f"{source}: not valid TOML: {error}") from None


_OF_A_RUN = ("run.json", "last.safetensors", "best.safetensors", "fit.json")


def _of_a_run(name: str | Path) -> bool:
    """Whether a recipe lies in the folder of a run."""
    is_file = isinstance(name, Path) or name.endswith(".toml")
    return is_file and any((Path(name).parent / other).exists() for other in _OF_A_RUN)


def _hold_to_tables(text: str, source: str, trust: bool) -> None:
    """Refuse a recipe that names modules; what is wrong with it otherwise is told when it is read."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    for kind, known, name in named_in(table):
        if isinstance(name, str):
            only_table(kind, name, known, source, trust=trust, error=RecipeError)


def named_in(table: Mapping[str, Any]) -> list[tuple[str, Mapping[str, str], Any]]:
    """What the plain data of a recipe names that may be a module to import: kind, table of known names, the name."""

    def inner(*path: str) -> Any:
        value: Any = table
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    return [
        ("model", MODELS, inner("model")),
        ("task", TASKS, inner("data", "task")),
        ("optimizer", OPTIMIZERS, inner("training", "optimizer")),
        ("schedule", SCHEDULES, inner("training", "schedule", "kind")),
    ]


def parse_recipe(text: str, *, source: str = "recipe", overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from the text of its file.

    Raises:
        RecipeError: it is not TOML, or not a recipe; the message names the place.
    """
    try:
        recipe = read_recipe(tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one; so is a number of 5,000 digits
        raise RecipeError(f"{source}: not valid TOML: {error}") from None
    except RecipeError as error:
        raise RecipeError(f"{source}: {error}") from None
    return apply_overrides(recipe, overrides)


def read_recipe(table: Mapping[str, Any]) -> Recipe:
    """A recipe from the plain data of its file.

    Raises:
        RecipeError: it is not valid.
    """
    if fault := plain_fault({k: v for k, v in table.items() if k != "training"}):
        raise RecipeError(fault)
    for key, value in table.items():
        if key not in ("model", *TABLES):
            raise RecipeError(f"no key '{key}'{did_you_mean(key, ('model', *TABLES))}")
        if key in TABLES and not isinstance(value, Mapping):
            raise RecipeError(f"{key}: a table, got {value!r:.60}")
    model = table.get("model")
    if not isinstance(model, str):
        raise RecipeError(f"model: the name of a model, got {model!r:.60}")
    training = to_dataclass(table.get("training", {}), Training, "training")
    if fault := plain_fault(table.get("training", {}), "training"):  # where Training itself says no more
        raise RecipeError(fault)
    return Recipe(
        model,
        to_dataclass(table.get("model_config", {}), config_class(model), "model_config"),
        dict(table.get("data", {})),
        training,
        _curriculum(table["curriculum"], training.epochs) if "curriculum" in table else None,
    )


def _curriculum(table: Mapping[str, Any], epochs: int) -> Curriculum:
    """A preset is fitted to the epochs of the run; lessons that are written out are taken as they are."""
    for key in table:
        if key not in ("preset", "lesson"):
            raise RecipeError(f"curriculum: no key '{key}'{did_you_mean(key, ('preset', 'lesson'))}")
    if len(table) != 1:
        raise RecipeError("curriculum: either preset, or [[curriculum.lesson]] tables")
    if "preset" in table:
        return preset(str(table["preset"]), epochs=epochs)
    lessons = table["lesson"]
    if not isinstance(lessons, list) or not all(isinstance(lesson, Mapping) for lesson in lessons):
        raise RecipeError(f"curriculum.lesson: [[curriculum.lesson]] tables, got {lessons!r:.60}")
    return read_lessons(lessons)


def apply_overrides(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """Return the recipe with single values changed, as `--set` gives them: `training.lr=1e-4`, `model_config.dim=64`.

    Raises:
        RecipeError: one is not `key=value`, there is no such key, or the value does not fit it.
    """
    if not overrides:
        return recipe
    table = recipe.to_dict()
    for name in PRESETS:  # a preset stays one, so that it is fitted anew when the epochs change
        if recipe.curriculum == preset(name, epochs=recipe.training.epochs):
            table["curriculum"] = {"preset": name}
    return read_changed(table, overrides, read_recipe)
