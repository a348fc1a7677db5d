"""What tables of dotted paths name: `module:Class`, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from .errors import RecipeError, did_you_mean


def named(kind: str, name: str, table: Mapping[str, str], *, classes: bool = True) -> Any:
    """What a name in a table stands for, or one's own, given as `module:Class`.

    Args:
        kind: of the table, for messages: `model`.
        classes: whether it must be a class.

    Raises:
        RecipeError: there is no such name, or its module cannot be imported or does not have it.
    """
    module, colon, attribute = table.get(name, name).partition(":")
    if not (colon and all(part.isidentifier() for part in (*module.split("."), attribute))):
        raise RecipeError(f"no {kind} '{name}'{did_you_mean(name, table)}; or give your own as 'module:Class'")
    try:
        found = getattr(import_module(module), attribute, None)
    except ImportError as error:
        raise RecipeError(f"{kind} '{name}': cannot import {module}: {error}") from None
    if found is None or (classes and not isinstance(found, type)):
        raise RecipeError(f"{kind} '{name}': {module} has no class {attribute}")
    return found
