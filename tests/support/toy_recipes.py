"""Recipes of the toy model, and points to learn from."""

from __future__ import annotations

from nsreason.training.recipe import Recipe, apply_overrides, parse_recipe

TOY = """
model = "tests.support.toy_models:Toy"
[training]
accelerator = "cpu"
threads = 1
epochs = 10
batch_size = 8
lr = 0.01
"""


def toy(*overrides: str, text: str = TOY) -> Recipe:
    return apply_overrides(parse_recipe(text), overrides)
