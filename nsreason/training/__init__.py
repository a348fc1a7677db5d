"""A training loop that knows no model: recipes, checkpoints, curricula, devices.

    from nsreason.training import load_recipe, new_model, run, train

    result = run("clevr-state-quick", "data/clevr", "runs/first")                      # as `nsreason train` does
    recipe = load_recipe("clevr-state-quick")
    result = train(new_model(recipe), train_examples, valid_examples, recipe, "runs/second")

A model is a `torch.nn.Module` with `collate`, `loss` and `predict`; `Model` is the protocol. `nsreason.registry.MODELS`
names them; your own is given as `module:Class`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .budget import Budget, read_budget
    from .checkpoint import Checkpoint, load_checkpoint, load_model, load_weights, save_checkpoint
    from .curriculum import Curriculum, Lesson
    from .model import LossOut, Model, model_class
    from .recipe import Recipe, bundled_recipes, load_recipe, new_model, parse_recipe
    from .runner import TrainingRun, run
    from .settings import Training
    from .source import MappedExamples, Source
    from .trainer import TrainingResult, train

__all__ = [
    "Budget",
    "Checkpoint",
    "Curriculum",
    "Lesson",
    "LossOut",
    "MappedExamples",
    "Model",
    "Recipe",
    "Source",
    "Training",
    "TrainingResult",
    "TrainingRun",
    "bundled_recipes",
    "load_checkpoint",
    "load_model",
    "load_recipe",
    "load_weights",
    "model_class",
    "new_model",
    "parse_recipe",
    "read_budget",
    "run",
    "save_checkpoint",
    "train",
]

__getattr__ = lazy_names(
    __name__,
    {
        ".budget": (
            "Budget",
            "read_budget",
        ),
        ".checkpoint": (
            "Checkpoint",
            "load_checkpoint",
            "load_model",
            "load_weights",
            "save_checkpoint",
        ),
        ".curriculum": (
            "Curriculum",
            "Lesson",
        ),
        ".model": (
            "LossOut",
            "Model",
            "model_class",
        ),
        ".recipe": (
            "Recipe",
            "bundled_recipes",
            "load_recipe",
            "new_model",
            "parse_recipe",
        ),
        ".runner": (
            "TrainingRun",
            "run",
        ),
        ".settings": ("Training",),
        ".source": (
            "MappedExamples",
            "Source",
        ),
        ".trainer": (
            "TrainingResult",
            "train",
        ),
    },
)
