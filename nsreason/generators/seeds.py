"""Seeds: each scene and each question list has its own, derived from the data set's and its place."""

from __future__ import annotations

import random
from hashlib import blake2b


def derived(seed: int, *place: int | str) -> int:
    """A 64-bit seed for a place of a data set; other places have others, whatever their order or number."""
    path = ":".join(map(str, (seed, *place))).encode()
    return int.from_bytes(blake2b(path, digest_size=8).digest(), "big")


def generator(seed: int, *place: int | str) -> random.Random:
    """A random generator of its own for a place of a data set."""
    return random.Random(derived(seed, *place))
