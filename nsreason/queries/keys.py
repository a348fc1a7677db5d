"""Keys of what queries are about: equal keys, equal observations. And a bounded cache for what is computed of them.

    key = observation_key(query.inputs["image"])
    scenes = BoundedCache(64)
    scene = scenes.get(key)

A key is never a number of an object's place in memory, which another object may have later: it is the value's own
`key`, its content, or the value itself, which the key then keeps alive.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from enum import Enum
from typing import Any, Generic, TypeVar

import numpy as np

V = TypeVar("V")
_PLAIN = (str, bytes, int, float, bool, type(None), frozenset, Enum)


def observation_key(value: Any) -> Hashable:
    """The key of a value that stands in `Query.inputs`.

    A value with an attribute `key` (as `QueryImage`) has that one. Arrays, texts, numbers and containers of them have
    their content. Anything else is its own key: the same object, and no other.
    """
    if isinstance(value, _PLAIN):
        return type(value).__name__, value
    own = getattr(value, "key", None)
    if own is not None and not callable(own):
        return type(value).__name__, own
    if isinstance(value, np.ndarray) and value.dtype != object:
        digest = hashlib.blake2b(np.ascontiguousarray(value).tobytes(), digest_size=16).digest()
        return "array", value.dtype.str, value.shape, digest
    if isinstance(value, Mapping):
        return "mapping", tuple((k, observation_key(v)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return "sequence", tuple(map(observation_key, value))
    return _Same(value)


class _Same:
    """Equal to itself made of the same object, which it keeps alive."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    def __hash__(self) -> int:
        return object.__hash__(self.value)


class BoundedCache(Generic[V]):
    """The values of the keys that were used last, no more than `most`."""

    def __init__(self, most: int) -> None:
        """Raises ValueError when nothing could be kept."""
        if most < 1:
            raise ValueError(f"a cache keeps at least one value, got {most}")
        self.most = most
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable) -> V | None:
        """The value of a key, which now counts as used; None where there is none."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value; the one that was not used for longest makes room."""
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self.most:
            self._values.popitem(last=False)
