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
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import tomli_w

from ..errors import RecipeError, did_you_mean
from ..io.decoding import plain_fault
from ..io.settings import to_dataclass
from ..registry import MODELS, TASKS, only_table
from .curriculum import PRESETS, Curriculum, preset, read_lessons
from .lr_schedules import Schedule
from .model import model_class

Precision = Literal["32", "16-mixed", "bf16-mixed"]

# The most that a setting can be: an epoch costs a little even before training begins, a device is a process.
_MOST = {"epochs": 1_000_000, "accumulate": 1 << 20, "devices": 4096, "nodes": 4096, "workers": 1024, "threads": 1024}
_LARGEST = (1 << 31) - 1  # of all others


@dataclass(frozen=True)
class Training:
    """A recipe's `[training]`.

    Attributes:
        seed: of the data order, and of python's, numpy's and torch's random numbers.
        batch_size: examples of one forward and backward pass, over all devices together, so that a recipe
            means the same on one device and on eight.
        accumulate: batches whose gradients are summed for one step of the optimizer.
        betas: for adam and adamw. momentum: for sgd.
        gradient_clip: the largest norm of all gradients together; None does not clip.
        precision: `auto` is chosen by the machine when the run begins, and recorded: bf16-mixed where it has
            instructions for that, else 32. bf16-mixed is refused by machines without, 16-mixed by CPUs.
        validate_every: epochs between validations; the last epoch is always validated; 0 never.
        checkpoint_every: steps between checkpoints within an epoch; each epoch ends with one; 0 no others.
        log_every: steps between rows of metrics.csv within an epoch; each epoch ends with one; 0 no others.
        monitor, mode: the validation metric by which the best checkpoint is chosen.
        accelerator, devices, nodes: where to run; under `torchrun` its own numbers count.
        workers: threads that make batches ahead of time; 0 makes each when it is needed.
        threads: of torch on the CPU; None leaves them alone.
        seconds: stop after so long, with a checkpoint; a resumed run counts what it has used before.
        max_examples: take only the first so many training examples.
    """

    seed: int = 0
    epochs: int = 10
    batch_size: int = 32
    accumulate: int = 1
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.0
    gradient_clip: float | None = None
    precision: Precision | Literal["auto"] = "32"
    schedule: Schedule = field(default_factory=Schedule)
    validate_every: int = 1
    checkpoint_every: int = 1000
    log_every: int = 0
    monitor: str = "loss"
    mode: Literal["min", "max"] = "min"
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = 1
    nodes: int = 1
    workers: int = 0
    threads: int | None = None
    seconds: float | None = None
    max_examples: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate", "devices", "nodes"):
            self._check(name, getattr(self, name) >= 1, "a whole number from 1")
        for name in ("validate_every", "checkpoint_every", "log_every", "workers"):
            self._check(name, getattr(self, name) >= 0, "a whole number from 0")
        for name in ("threads", "seconds", "max_examples", "gradient_clip"):
            value = getattr(self, name)
            self._check(name, value is None or value > 0, "a number above 0")
        for name in ("weight_decay", "momentum"):
            self._check(name, getattr(self, name) >= 0, "a number from 0")
        self._check("seed", 0 <= self.seed < 2**32, "a whole number from 0 to 4294967295")
        self._check("lr", 0 < self.lr < float("inf"), "a number above 0")
        self._check("betas", all(0 <= b < 1 for b in self.betas), "two numbers from 0 to below 1")
        for f in dataclasses.fields(self):
            value, most = getattr(self, f.name), _MOST.get(f.name, _LARGEST)
            if isinstance(value, float):
                self._check(f.name, math.isfinite(value), "a finite number")
            if isinstance(value, int) and f.name != "seed":
                self._check(f.name, value <= most, f"a whole number up to {most:,}")

    def _check(self, name: str, right: bool, expected: str) -> None:
        if not right:
            raise RecipeError(f"training.{name}: {expected}, got {getattr(self, name)!r:.60}")


@dataclass(frozen=True)
class Recipe:
    """A checked recipe.

    Attributes:
        model: its name in `nsreason.training.model.MODELS`, or `module:Class`.
        model_config: an instance of the model's Config.
        data: as written; see `to_dataclass`.
        curriculum: None learns from everything from the first epoch on.
    """

    model: str
    model_config: Any
    data: Mapping[str, Any] = field(default_factory=dict)
    training: Training = field(default_factory=Training)
    curriculum: Curriculum | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain data, every default written out; None is left out, as in TOML."""
        told: dict[str, Any] = {
            "model": self.model,
            "model_config": _plain(self.model_config),
            "data": _plain(self.data),
            "training": _plain(self.training),
        }
        if self.curriculum is not None:
            told["curriculum"] = {"lesson": _plain(self.curriculum.lessons)}
        return told

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
    found = getattr(model_class(model), "Config", None)
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise RecipeError(f"model '{model}': its class names no dataclass as Config")
    return found


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
    data = table.get("data")
    named = {"model": table.get("model"), "task": data.get("task") if isinstance(data, dict) else None}
    for kind, known in (("model", MODELS), ("task", TASKS)):
        name = named[kind]
        if isinstance(name, str):
            only_table(kind, name, known, source, trust=trust, error=RecipeError)


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


_TABLES = ("model_config", "data", "training", "curriculum")


def read_recipe(table: Mapping[str, Any]) -> Recipe:
    """A recipe from the plain data of its file.

    Raises:
        RecipeError: it is not valid.
    """
    if fault := plain_fault({k: v for k, v in table.items() if k != "training"}):
        raise RecipeError(fault)
    for key, value in table.items():
        if key not in ("model", *_TABLES):
            raise RecipeError(f"no key '{key}'{did_you_mean(key, ('model', *_TABLES))}")
        if key in _TABLES and not isinstance(value, Mapping):
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
    """The recipe with single values changed, as `--set` gives them: `training.lr=1e-4`, `model_config.dim=64`.

    Values are written as in TOML; the quotes of a string may be left out. All are applied before the recipe is
    checked, so that values that only fit together can be given together.

    Raises:
        RecipeError: one is not `key=value`, there is no such key, or the value does not fit it.
    """
    changes = [(path, text, toml_value(text)) for path, text in set_pairs(overrides)]
    if not changes:
        return recipe
    values = [(path, value) for path, _, value in changes]
    try:
        return _changed(recipe, values)
    except RecipeError as error:
        told = error
    # A word may read as a number: `training.precision=32`. It is taken as a word where that mends the complaint; what
    # fits neither way is told as it was read, and what is wrong beside it as what it is.
    for i, (path, text, _) in enumerate(changes):
        words = [*values[:i], (path, text), *values[i + 1 :]]
        try:
            return _changed(recipe, words)
        except RecipeError as error:
            if path in str(told) and path not in str(error):
                values, told = words, error
    raise told


def set_pairs(overrides: Sequence[str]) -> list[tuple[str, str]]:
    """Keys and values of overrides, as they are written.

    Raises:
        RecipeError: one is not `key=value`.
    """
    found = []
    for override in overrides:
        path, equals, text = (part.strip() for part in override.partition("="))
        if not (equals and path and text):
            raise RecipeError(f"'{override:.200}': expected key=value, such as training.lr=1e-4")
        found.append((path, text))
    return found


def toml_value(text: str) -> Any:
    """A value as TOML writes it; what is none is a text, whose quotes were left out."""
    try:
        read = tomllib.loads(f"value = {text}\n")
    except (ValueError, RecursionError):  # TOMLDecodeError is one; so is a number of 5,000 digits
        return text
    return read["value"] if len(read) == 1 else text  # a second line is no part of the value


def _changed(recipe: Recipe, changes: Sequence[tuple[str, Any]]) -> Recipe:
    told = recipe.to_dict()
    for name in PRESETS:  # a preset stays one, so that it is fitted anew when the epochs change
        if recipe.curriculum == preset(name, epochs=recipe.training.epochs):
            told["curriculum"] = {"preset": name}
    for path, value in changes:
        if path == "curriculum.preset":
            told["curriculum"] = {}
        table: Any = told
        *outer, last = path.split(".")
        for key in outer:
            if table is told and key not in _TABLES:
                raise RecipeError(f"'{path:.200}': no table '{key:.60}'{did_you_mean(key, _TABLES)}")
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise RecipeError(f"'{path:.200}': '{key:.60}' is not a table, but {table!r:.60}")
        table[last] = value
    return read_recipe(told)
