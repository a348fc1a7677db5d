"""A training run by a recipe: what `nsreason train` does, as a library call.

    from nsreason.training import run

    result = run("clevr-state-quick", "data/clevr", "runs/first")
    result.metrics["val/accuracy"], result.split.bad

A model's class names the dataclass of its settings as `Config` and the dataclass of a recipe's `[data]` as `Data`;
`nsreason.training.model` has the protocols.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, RecipeError
from ..io.settings import to_dataclass
from .checkpoint import load_checkpoint, load_weights
from .checkpoint_file import SUFFIX
from .model import ExampleSplit, model_class
from .recipe import Recipe, config_class, load_recipe, new_model
from .run_log import StepProgress
from .trainer import TrainingResult, train


@dataclass(frozen=True)
class TrainingRun(TrainingResult):
    """How a run ended, and what it was."""

    model: Any
    """The trained model, with the weights of the last step."""
    recipe: Recipe
    """As it was trained, with the settings that the data completed."""
    split: ExampleSplit
    """The examples that were learned from and validated on, and why other records were not."""


def run(
    recipe: Recipe | str | Path,
    data: str | Path,
    out: str | Path,
    *,
    model: str | None = None,
    overrides: Sequence[str] = (),
    trust: bool = False,
    begin: str | Path | None = None,
    resume: bool = False,
    loaded: Callable[[ExampleSplit], None] | None = None,
    progress: StepProgress | None = None,
) -> TrainingRun:
    """Train a model by a recipe on the data of a folder, with checkpoints in the folder of the run.

    Args:
        recipe: a recipe, the name of a bundled one, or the path of a recipe's `.toml` file.
        data: the folder, as the model's `Data` reads it; some read several, with commas between.
        out: the folder of the run.
        model: another model of the recipe's settings, by its name or as `module:Class`.
        overrides: changed values of the recipe, such as `training.lr=1e-4`.
        trust: let a recipe that lies in the folder of a run name modules to import.
        begin: a checkpoint of the model whose weights the run begins with; a run that is resumed has its own.
        resume: go on from the last checkpoint in `out`; begin where there is none.
        loaded: called with the examples before training begins.
        progress: called after each step, in the first process only.

    Raises:
        RecipeError: the recipe is not valid, or is of a model with other settings.
        DataError: the folder lacks a file, or nothing in it can be learned from.
        CheckpointError: a checkpoint is damaged, or of another model.
        TrainingError, LockError: as `train`.
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe, overrides=overrides, trust=trust)
    elif overrides:
        from .recipe import apply_overrides

        recipe = apply_overrides(recipe, overrides)
    if model is not None:
        recipe = for_model(recipe, model)
    if resume and (Path(out) / f"last{SUFFIX}").exists():
        begin = None
    cls, source = model_class(recipe.model), data_of(recipe)
    split: ExampleSplit | None = None
    if hasattr(cls, "config_from_data"):
        split = source.load(recipe.model_config, data)
        recipe = dataclasses.replace(recipe, model_config=cls.config_from_data(recipe.model_config, split.train))
    network = new_model(recipe)
    if begin is not None:
        _load_weights(network, recipe.model, begin)
    if split is None:  # a model that cannot be built is refused before the data are read
        split = source.load(recipe.model_config, data)
    if loaded is not None:
        loaded(split)
    result = train(network, split.train, split.valid, recipe, out, resume=resume, progress=progress)
    fields = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
    return TrainingRun(**fields, model=network, recipe=recipe, split=split)


def for_model(recipe: Recipe, model: str) -> Recipe:
    """Return the recipe for another model of the same settings.

    Raises:
        RecipeError: there is no such model, or its settings are of another class.
    """
    if model == recipe.model:
        return recipe
    if config_class(model) is not type(recipe.model_config):
        raise RecipeError(f"the recipe is of the model '{recipe.model}', not of '{model}'")
    return dataclasses.replace(recipe, model=model)


def data_of(recipe: Recipe) -> Any:
    """Return the recipe's `[data]` as the dataclass that its model's class names as `Data`.

    Raises:
        RecipeError: the class names none, or the table does not fit it.
    """
    cls = getattr(model_class(recipe.model), "Data", None)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls) and callable(getattr(cls, "load", None))):
        raise RecipeError(f"model '{recipe.model}': its class names no dataclass with a method load as Data")
    return to_dataclass(recipe.data, cls, "data")


def _load_weights(network: Any, model: str, path: str | Path) -> None:
    """Put the weights of a checkpoint into a new model.

    Raises:
        CheckpointError: it cannot be read, or is of another model.
    """
    checkpoint = load_checkpoint(path)
    if checkpoint.model != model:
        raise CheckpointError(f"{checkpoint.path}: of the model '{checkpoint.model}', not of '{model}'")
    load_weights(network, checkpoint)
