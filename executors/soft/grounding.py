"""Grounded scenes: the tables of degrees that soft execution reads, made once for a batch of scenes.

S scenes, N objects (the most in any of them; shorter scenes are padded), C concepts, R relations, A attributes. Degrees
are those of one algebra. Padding has the algebra's `nothing`, so that no op can see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from ...dsl.domain import Domain
from ...errors import ExecutionError
from ...scenes.scene import Scene
from ..batch import MAX_OBJECTS, U64, SceneBatch
from .algebras import SoftAlgebra

TABLE_OF = {
    "concept": "concepts",
    "relation": "relations",
    "converse": "relations",
    "alike": "alike",
    "repeats": "alike",
    "values": "words",
}
"""The table of `Grounded` that each set or table of a `View` is read from."""


@dataclass(frozen=True)
class Grounded:
    """Tables of degrees for S scenes.

    present: (S, N) bool, true where there is an object.
    concepts: (S, C, N), how much object n is c.
    relations: (S, R, N, N), at [s, r, i, j] how much *j is r of i*; the diagonal holds the self mask.
    alike: (S, A, N, N), how much i and j share their value; the diagonal holds the self mask.
    words: (S, A, N, C), the scores of the answer when object n is asked for its a. All concepts have one, as learners
        want it; what is answered is a value of a.
    """

    domain: Domain
    present: Tensor
    concepts: Tensor
    relations: Tensor
    alike: Tensor
    words: Tensor
    nothing: float

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
            table = getattr(self, name)
            if tuple(table.shape) != shape:
                raise ExecutionError(
                    f"grounded {name}: {shape} fits domain '{self.domain.name}', got {tuple(table.shape)}"
                )
            if table.dtype != self.concepts.dtype or table.device != self.concepts.device:
                raise ExecutionError(
                    f"grounded {name} is {table.dtype} on {table.device}, "
                    f"concepts are {self.concepts.dtype} on {self.concepts.device}"
                )

    @classmethod
    def of_model(
        cls,
        domain: Domain,
        present: Tensor,
        concepts: Tensor,
        relations: Tensor,
        alike: Tensor,
        words: Tensor,
        algebra: SoftAlgebra,
    ) -> Grounded:
        """The tables from a model's degrees, which say something of every pair and every place: an object gets no
        relation to itself, and places without an object become padding.

        Raises:
            ExecutionError: a table's shape does not fit, or the tables differ in precision or device.
        """
        there = present[:, None, :]
        pairs = there.unsqueeze(-1) & there.unsqueeze(-2)
        nothing = concepts.new_tensor(algebra.nothing)
        return cls(
            domain,
            present,
            torch.where(there, concepts, nothing),
            torch.where(pairs, self_masked(relations, algebra), nothing),
            torch.where(pairs, self_masked(alike, algebra), nothing),
            torch.where(present[:, None, :, None], words, 0.0),
            algebra.nothing,
        )

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

    def padded(self, places: int) -> Grounded:
        """The same scenes with empty places behind their objects."""
        more = torch.nn.functional.pad
        return Grounded(
            self.domain,
            more(self.present, (0, places), value=False),
            more(self.concepts, (0, places), value=self.nothing),
            more(self.relations, (0, places, 0, places), value=self.nothing),
            more(self.alike, (0, places, 0, places), value=self.nothing),
            more(self.words, (0, 0, 0, places), value=0.0),
            self.nothing,
        )


def self_masked(table: Tensor, algebra: SoftAlgebra) -> Tensor:
    """A table of pairs (..., N, N) in which no object stands in the relation to itself: NS-CL's self mask.

    `relate` and `same` never contain the anchor. A model's scores say otherwise (an object is most like itself), so
    every learned table of pairs passes through here. The diagonal gets the algebra's degree of false (Logit: -10).
    """
    diagonal = torch.eye(table.shape[-1], dtype=torch.bool, device=table.device)
    return torch.where(diagonal, algebra.degree(torch.zeros_like(diagonal), table.dtype), table)


def own_values(domain: Domain, device: torch.device | str = "cpu") -> Tensor:
    """(A + 1, C) bool: which concepts are values of each attribute; the last row is of no attribute, and has all."""
    of = torch.tensor([domain.attribute_index[domain.attribute_of[c]] for c in domain.concepts], device=device)  # (C,)
    mine = torch.arange(len(domain.attributes), device=device)[:, None] == of[None, :]
    return torch.cat([mine, torch.ones_like(mine[:1])])


def ground_crisp(
    scenes: Sequence[Scene], algebra: SoftAlgebra, *, dtype: torch.dtype = torch.float32, pad: int = 0
) -> Grounded:
    """The tables of scenes whose values and relations are known; `pad` adds empty places.

    Raises:
        ExecutionError: no scene, scenes of several domains, or one with more than 64 objects.
        SceneError: a scene knows neither a relation's pairs nor the coordinates to compute them from.
    """
    if not scenes:
        raise ExecutionError("there is no scene to ground")
    if any(s.domain != scenes[0].domain for s in scenes):
        raise ExecutionError("the scenes are of several domains")
    if any(len(s) > MAX_OBJECTS for s in scenes):
        raise ExecutionError(f"a scene has more than {MAX_OBJECTS} objects")
    batch = SceneBatch(scenes)
    domain = scenes[0].domain
    s, n = len(scenes), batch.n
    concepts = _bits(batch.table("concepts").reshape(s, -1), n)  # (S, C, N)

    def pairs(name: str, count: int) -> Tensor:
        return algebra.degree(_bits(batch.table(name).reshape(s, count, n), n), dtype)

    stated = _stated(scenes, n) if domain.above else concepts
    words = stated.transpose(1, 2)[:, None] & own_values(domain)[None, :-1, None, :]  # (S, A, N, C)
    grounded = Grounded.of_model(
        domain,
        _bits(batch.full, n),
        algebra.degree(concepts, dtype),
        pairs("relations", len(domain.relations)),
        pairs("alike", len(domain.attributes)),
        algebra.degree(words, dtype),
        algebra,
    )
    return grounded.padded(pad) if pad else grounded


def _stated(scenes: Sequence[Scene], n: int) -> Tensor:
    """(S, C, N) of the values that are stated: what stands above them is no answer."""
    numbers = range(len(scenes[0].domain.concepts))
    return _bits(np.array([[scene.stated[c] for c in numbers] for scene in scenes], dtype=np.uint64), n)


def _bits(sets: U64, n: int) -> Tensor:
    """(...,) 64-bit sets as (..., n) booleans."""
    told = (sets[..., None] >> np.arange(n, dtype=np.uint64)) & np.uint64(1)
    return torch.from_numpy(told.astype(np.bool_))
