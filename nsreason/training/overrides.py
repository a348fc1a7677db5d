"""Single values of a recipe changed, as `--set training.lr=1e-4` gives them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, TypeVar

from ..errors import RecipeError, did_you_mean

R = TypeVar("R")
TABLES = ("model_config", "data", "training", "curriculum")
"""The tables of a recipe."""


def read_changed(table: dict[str, Any], overrides: Sequence[str], read: Callable[[dict[str, Any]], R]) -> R:
    """Read a recipe's plain data with single values changed.

    Args:
        table: the plain data, with every default written out.
        overrides: `key=value` each; values are written as in TOML, and the quotes of a string may be left out. All are
            applied before the recipe is checked, so that values that only fit together can be given together.
        read: makes a recipe of plain data.

    Raises:
        RecipeError: one is not `key=value`, there is no such key, or the value does not fit it.
    """
    changes = [(path, text, toml_value(text)) for path, text in set_pairs(overrides)]
    values = [(path, value) for path, _, value in changes]
    try:
        return read(changed(table, values))
    except RecipeError as error:
        complaint = error
    # A word may read as a number: `training.precision=32`. It is taken as a word where that mends the complaint; what
    # fits neither way is refused as it was read, and what is wrong beside it as what it is.
    for i, (path, text, _) in enumerate(changes):
        words = [*values[:i], (path, text), *values[i + 1 :]]
        try:
            return read(changed(table, words))
        except RecipeError as error:
            if path in str(complaint) and path not in str(error):
                values, complaint = words, error
    raise complaint


def set_pairs(overrides: Sequence[str]) -> list[tuple[str, str]]:
    """Keys and values of overrides, as they are written.

    Raises:
        RecipeError: one is not `key=value`.
    """
    pairs = []
    for override in overrides:
        path, equals, text = (part.strip() for part in override.partition("="))
        if not (equals and path and text):
            raise RecipeError(f"'{override:.200}': expected key=value, such as training.lr=1e-4")
        pairs.append((path, text))
    return pairs


def toml_value(text: str) -> Any:
    """A value as TOML writes it; what is none is a text, whose quotes were left out."""
    try:
        table = tomllib.loads(f"value = {text}\n")
    except (ValueError, RecursionError):  # TOMLDecodeError is one; so is a number of 5,000 digits
        return text
    return table["value"] if len(table) == 1 else text  # a second line is no part of the value


def changed(table: dict[str, Any], changes: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a copy of a recipe's plain data with the values at dotted paths replaced.

    Raises:
        RecipeError: a path leads through what is no table.
    """
    whole = deepcopy(table)
    for path, value in changes:
        if path == "curriculum.preset":
            whole["curriculum"] = {}
        inner: Any = whole
        *outer, last = path.split(".")
        for key in outer:
            if inner is whole and key not in TABLES:
                raise RecipeError(f"'{path:.200}': no table '{key:.60}'{did_you_mean(key, TABLES)}")
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise RecipeError(f"'{path:.200}': '{key:.60}' is not a table, but {inner!r:.60}")
        inner[last] = value
    return whole
