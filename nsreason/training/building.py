"""Models from their settings, refused with a reason where no such model can be built.

    model = build("mlp", config)

Settings come from recipes and from checkpoints, which may be damaged: a width of 10^9 must not take all memory of the
machine before it is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import nn

from ..errors import NsreasonError, RecipeError
from ..registry import MODELS
from .model import model_class

_CHECKED_FROM = 1 << 12  # a model with a larger setting is measured before memory is taken for it
_LARGEST = 1 << 20  # of a size or a count


def build(name: str, config: Any) -> Any:
    """A new model, by its name in `models.MODELS` or as `module:Class`, with first weights of torch's random numbers.

    Raises:
        RecipeError: there is no such model, it refuses its settings, or it would not fit the machine's memory.
    """
    cls = model_class(name)
    largest = max(_whole_numbers(config), default=0)
    if largest > _LARGEST:
        raise RecipeError(f"model_config: sizes are at most {_LARGEST:,}, got {largest}")
    try:
        if largest >= _CHECKED_FROM:
            _check_memory(cls, config)
        return cls(config)
    except NsreasonError:
        raise
    except (ValueError, OverflowError, MemoryError) as error:
        raise RecipeError(f"model_config: {error}") from None
    except Exception as error:
        if name not in MODELS:  # a fault in somebody's own model is shown as it is
            raise
        raise RecipeError(f"model_config: no such {name} can be built: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]:.200}"


def _whole_numbers(value: Any) -> Iterator[int]:
    """All that may be a size, in settings and in settings within them; seeds of random numbers are none."""
    if is_dataclass(value):
        for f in fields(value):
            if f.name != "seed":
                yield from _whole_numbers(getattr(value, f.name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _whole_numbers(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _whole_numbers(item)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value


def _check_memory(cls: type[Any], config: Any) -> None:
    """Count the bytes of a model without making them.

    Raises:
        RecipeError: they are more than the machine has.
    """
    try:
        with torch.device("meta"):
            shape: nn.Module = cls(config)
    except NotImplementedError:  # it looks into its tensors while it is built
        return
    needed = sum(t.nbytes for t in (*shape.parameters(), *shape.buffers()))
    there = _memory()
    if needed > there:
        raise RecipeError(f"model_config: the model takes {needed / 1e9:,.0f} GB, this machine has {there / 1e9:,.0f}")


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not on every system
        return 1 << 40
