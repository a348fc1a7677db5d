"""Grounded scenes: the tables of degrees that soft execution reads, made once for a batch of scenes.

S scenes, N objects (the most in any of them; shorter scenes are padded), C concepts, R relations, A attributes. Degrees
are those of one algebra. Padding has the algebra's `nothing`, so that no op can see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor

from ..domain import Domain
from ..errors import ExecutionError
from ..scene import Scene
from .algebras import SoftAlgebra
from .schedule import MAX_OBJECTS, U64, SceneBatch


@dataclass(frozen=True)
class Grounded:
    """Tables of degrees for S scenes.

    present: (S, N) bool, true where there is an object.
    concepts: (S, C, N), how much object n is c.
    relations: (S, R, N, N), at [s, r, i, j] how much *j is r of i*; the diagonal holds the self mask.
    alike: (S, A, N, N), how much i and j share their value; the diagonal holds the self mask.
    words: (S, A, N, C), the scores of the answer when object n is asked for its a.
    """

    domain: Domain
    present: Tensor
    concepts: Tensor
    relations: Tensor
    alike: Tensor
    words: Tensor
    nothing: float
    _views: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        s, n = self.present.shape
        c, r, a = len(self.domain.concepts), len(self.domain.relations), len(self.domain.attributes)
        wanted = {
            "concepts": (s, c, n),
            "relations": (s, r, n, n),
            "alike": (s, a, n, n),
            "words": (s, a, n, c),
        }
        for name, shape in wanted.items():
            if tuple(getattr(self, name).shape) != shape:
                got = tuple(getattr(self, name).shape)
                raise ExecutionError(f"grounded {name}: {shape} fits domain '{self.domain.name}', got {got}")

    def __len__(self) -> int:
        return self.present.shape[0]

    @property
    def n(self) -> int:
        """Places for objects in each scene."""
        return self.present.shape[1]

    def to(self, *args: object, **kwargs: object) -> Grounded:
        """The same tables on another device or in another precision."""
        moved = {
            f.name: getattr(self, f.name).to(*args, **kwargs)
            for f in fields(self)
            if isinstance(getattr(self, f.name), Tensor) and f.name != "present"
        }
        device = next(iter(moved.values())).device
        return Grounded(self.domain, self.present.to(device), **moved, nothing=self.nothing)

    def table(self, name: str) -> Tensor:
        """A flat table, (S * literals, ...), made once: concepts, relations, converse, alike, repeats, words."""
        flat = self._views.get(name)
        if flat is None:
            flat = self._views[name] = self._flat(name)
        return flat

    def _flat(self, name: str) -> Tensor:
        if name == "converse":
            return self.relations.transpose(-1, -2).flatten(0, 1)
        if name == "repeats":
            later = torch.ones(self.n, self.n, dtype=torch.bool, device=self.alike.device).triu(1)
            # Not later is the same as absent: the self mask's degree, which the diagonal holds, would differ by model.
            return torch.where(later, self.alike, self.alike.new_tensor(self.nothing)).flatten(0, 1)
        table: Tensor = getattr(self, name)
        return table.flatten(0, 1)


def ground_crisp(
    scenes: Sequence[Scene], algebra: SoftAlgebra, *, dtype: torch.dtype = torch.float32, pad: int = 0
) -> Grounded:
    """The tables of scenes whose values and relations are known; `pad` adds empty places.

    Raises:
        ExecutionError: no scene, scenes of several domains, or one with more than 64 objects.
    """
    if not scenes:
        raise ExecutionError("there is no scene to ground")
    if any(s.domain != scenes[0].domain for s in scenes):
        raise ExecutionError("the scenes are of several domains")
    if any(len(s) > MAX_OBJECTS for s in scenes):
        raise ExecutionError(f"a scene has more than {MAX_OBJECTS} objects")
    batch = SceneBatch(scenes)
    domain = scenes[0].domain
    s, n = len(scenes), batch.n + pad
    present = _bits(batch.full, n)  # (S, N)
    concepts = _bits(batch.concepts, n)  # (S, C, N)
    pairs = present[:, None, :, None] & present[:, None, None, :]
    off_diagonal = ~torch.eye(n, dtype=torch.bool)

    def rows(name: str, count: int) -> Tensor:
        flat = batch.table(name).reshape(s, count, batch.n)
        padded = np.zeros((s, count, n), dtype=np.uint64)
        padded[:, :, : batch.n] = flat
        return _bits(padded, n) & off_diagonal

    def degrees(crisp: Tensor, there: Tensor) -> Tensor:
        return torch.where(there, algebra.degree(crisp, dtype), torch.tensor(algebra.nothing, dtype=dtype))

    of = torch.tensor([domain.attribute_index[domain.attribute_of[c]] for c in domain.concepts])  # (C,)
    mine = torch.arange(len(domain.attributes))[:, None] == of[None, :]  # (A, C)
    words = concepts.transpose(1, 2)[:, None] & mine[None, :, None, :]  # (S, A, N, C)
    return Grounded(
        domain,
        present,
        degrees(concepts, present[:, None, :]),
        degrees(rows("relations", len(domain.relations)), pairs),
        degrees(rows("alike", len(domain.attributes)), pairs),
        algebra.degree(words, dtype),
        algebra.nothing,
    )


def _bits(sets: U64, n: int) -> Tensor:
    """(...,) 64-bit sets as (..., n) booleans; places from 64 on are empty."""
    shifts = np.arange(n, dtype=np.uint64)
    told = (sets[..., None] >> np.minimum(shifts, np.uint64(63))) & np.uint64(1)
    told = told * (shifts < MAX_OBJECTS)
    return torch.from_numpy(told.astype(np.bool_))
