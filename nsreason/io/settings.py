"""Tables of settings (TOML, JSON, the command line) as frozen dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from ..errors import RecipeError, did_you_mean

T = TypeVar("T")


def to_dataclass(table: Mapping[str, Any], cls: type[T], where: str) -> T:
    """A table of a recipe as a dataclass, nested ones included.

    Raises:
        RecipeError: a key is not known or missing, or a value is of the wrong kind; `where` and the key say which.
    """
    _check_keys(table, cls, where)
    try:
        return msgspec.convert(table, cls)
    # The first is a ValueError; what a class of settings computes of values that it does not check may fail otherwise.
    except (msgspec.ValidationError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        message, _, path = str(error).rpartition(" - at `$")
        place = where + path.removesuffix("`") if message else where
        raise RecipeError(f"{place}: {message or error}") from None


def _check_keys(table: Mapping[str, Any], cls: type[Any], where: str) -> None:
    hints = get_type_hints(cls)
    known = [f.name for f in dataclasses.fields(cls) if f.init]
    for key, value in table.items():
        if key not in known:
            raise RecipeError(f"{where}: no key '{key}'{did_you_mean(key, known)}")
        for kind in (hints[key], *get_args(hints[key])):
            if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
                _check_keys(value, kind, f"{where}.{key}")
