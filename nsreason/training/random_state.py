"""The random numbers of python, numpy and torch together: seeded, and their states as tensors, for checkpoints."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def seed_all(seed: int) -> None:
    """Seed all three."""
    seed %= 2**32
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def random_state(device: torch.device | None = None) -> dict[str, Tensor]:
    """Return the state of python's, numpy's and torch's random numbers, as tensors; on a GPU also of its own."""
    version, words, gauss = random.getstate()
    assert version == 3
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    assert name == "MT19937"
    state = {
        "python": torch.tensor(words, dtype=torch.int64),
        "python_gauss": torch.tensor([] if gauss is None else [gauss], dtype=torch.float64),
        "numpy": torch.tensor([*np.asarray(keys).tolist(), position, has_gauss], dtype=torch.int64),
        "numpy_gauss": torch.tensor([cached], dtype=torch.float64),
        "torch": torch.get_rng_state(),
    }
    if device is not None and device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: Mapping[str, Tensor], device: torch.device | None = None) -> None:
    """Go on from a state that `random_state` returned.

    Raises:
        ValueError: a part of it is missing or damaged.
    """
    try:
        _set(state, device)
    except KeyError as error:
        raise ValueError(f"the state of random numbers lacks {error}") from None
    except (RuntimeError, TypeError, OverflowError, ValueError) as error:
        raise ValueError(f"the state of random numbers is damaged: {error}") from None


_WORDS = 624  # of a Mersenne twister


def _set(state: Mapping[str, Tensor], device: torch.device | None) -> None:
    gauss = state["python_gauss"].tolist()
    *keys, position, has_gauss = state["numpy"].tolist()
    if not (len(keys) == _WORDS and 0 <= position <= _WORDS and has_gauss in (0, 1)):  # numpy does not check
        raise ValueError(f"numpy's has {len(keys)} words and stands at {position}")
    random.setstate((3, tuple(state["python"].tolist()), gauss[0] if gauss else None))
    cached = state["numpy_gauss"].item()
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if device is not None and device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
