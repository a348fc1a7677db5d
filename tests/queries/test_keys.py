"""Keys: what is equal shares one, what is not does not, and no object ever gets the key of one that is gone."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import torch

from nsreason.queries.image import QueryImage
from nsreason.queries.keys import BoundedCache, observation_key


class Thing:
    """Compares by identity, as scenes and detections do."""


def test_equal_content_has_equal_keys() -> None:
    for make in (
        lambda: np.arange(6.0).reshape(2, 3),
        lambda: ("mary went", "john left"),
        lambda: {"left": [[1], []]},
        lambda: QueryImage(None, pixels=np.ones((2, 2, 3), np.uint8), name="a"),
        lambda: 3,
    ):
        assert observation_key(make()) == observation_key(make())
        assert hash(observation_key(make())) == hash(observation_key(make()))


def test_other_content_has_other_keys() -> None:
    ones = np.ones((2, 2, 3), np.uint8)
    thing, other = Thing(), Thing()
    values = [
        *(np.zeros(6), np.zeros((2, 3)), np.zeros(6, np.float32), "1", 1, True, None, ("1",), ("1", "1")),
        *(QueryImage(None, pixels=ones, name="a"), QueryImage(None, pixels=ones, name="b")),
        *(QueryImage(None, pixels=0 * ones, name="a"), thing, other, torch.zeros(2), torch.zeros(2)),
    ]
    assert len({observation_key(v) for v in values}) == len(values)
    assert observation_key(thing) == observation_key(thing)


def test_a_freed_object_never_gives_its_key_to_another() -> None:
    """Places in memory come again at once; a key that was one of them would too."""
    keys = set()
    for _ in range(200):
        keys.add(observation_key(Thing()))
        gc.collect(0)
    assert len(keys) == 200


def test_a_file_that_was_written_anew_is_another_image(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    before = QueryImage(path)
    assert before.key == QueryImage(str(path)).key
    path.write_bytes(b"another")
    assert QueryImage(path).key != before.key
    path.unlink()
    assert QueryImage(path).key == QueryImage(path).key


def test_a_cache_keeps_what_was_used_last() -> None:
    cache: BoundedCache[int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (len(cache), cache.get("a"), cache.get("b"), cache.get("c")) == (2, 1, None, 3)
    assert "a" in cache and "b" not in cache
    with pytest.raises(ValueError, match="at least one"):
        BoundedCache(0)
