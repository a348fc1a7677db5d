"""Grounded scenes: the tables of degrees that soft execution reads, made once for a batch of scenes.

S scenes, N objects (the most in any of them; shorter scenes are padded), C concepts, R relations, A attributes. Degrees
are those of one algebra. Padding has the algebra's `nothing`, so that no op can see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...dsl.domain import Domain
from ...dsl.tables import TABLES
from ...errors import ExecutionError
from ...scenes.scene import Scene
from ...scenes.world import World
from ..batch_tables import MAX_OBJECTS, U64, SceneBatch
from .algebras import SoftAlgebra


class SoftWorlds(Protocol):
    """What soft execution reads of S worlds: present individuals, and tables of degrees."""

    @property
    def domain(self) -> Domain:
        """Of all the worlds."""

    @property
    def nothing(self) -> float:
        """The algebra's degree of what is not there."""

    @property
    def dtype(self) -> torch.dtype:
        """Of all tables."""

    @property
    def device(self) -> torch.device:
        """Of all tables."""

    def present_of(self, sort: str) -> Tensor:
        """(S, size) bool, true where there is an individual of the sort."""

    @property
    def n(self) -> int:
        """Places for objects in each world."""

    def __len__(self) -> int:
        """S."""

    def degrees(self, table: str) -> Tensor:
        """(S, literals, *rows, members or C): a table that is not derived from another, `alike` apart."""

    def stored(self) -> Mapping[str, Tensor]:
        """Return all tables by the names that errors give them."""

    def padded(self, places: int) -> SoftWorlds:
        """Return the same with empty places behind the objects."""


FIELD_OF = {"concept": "concepts", "relation": "relations", "alike": "alike", "values": "words"}
"""The field of `Grounded` that holds each table of static scenes."""


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
        """Build the tables from a model's degrees, which say something of every pair and every place: an object gets no
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

    @property
    def dtype(self) -> torch.dtype:
        """Of all tables."""
        return self.concepts.dtype

    @property
    def device(self) -> torch.device:
        """Of all tables."""
        return self.concepts.device

    def present_of(self, sort: str) -> Tensor:
        """(S, N), see `SoftWorlds`; a scene has objects only."""
        return self.present

    def degrees(self, table: str) -> Tensor:
        """See `SoftWorlds`."""
        degrees: Tensor = getattr(self, FIELD_OF[table])
        return degrees

    def stored(self) -> Mapping[str, Tensor]:
        """See `SoftWorlds`."""
        return {name: getattr(self, name) for name in FIELD_OF.values()}

    def __len__(self) -> int:
        return self.present.shape[0]

    @property
    def n(self) -> int:
        """Places for objects in each scene."""
        return self.present.shape[1]

    def to(self, *args: object, **kwargs: object) -> Grounded:
        """Return the same tables on another device or in another precision."""
        moved = {
            f.name: getattr(self, f.name).to(*args, **kwargs)
            for f in fields(self)
            if isinstance(getattr(self, f.name), Tensor) and f.name != "present"
        }
        device = next(iter(moved.values())).device
        return Grounded(self.domain, self.present.to(device), **moved, nothing=self.nothing)

    def padded(self, places: int) -> Grounded:
        """Return the same scenes with empty places behind their objects."""
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


@dataclass(frozen=True)
class GroundedWorlds:
    """Tables of degrees for S worlds of any kind.

    present: per sort, (S, size) bool.
    tables: per table, (S, literals, *rows, members), or (..., C) for a table of words; `literals` is 1 where the table
        takes none. What is not there has the algebra's `nothing`.
    """

    domain: Domain
    present: Mapping[str, Tensor]
    tables: Mapping[str, Tensor]
    nothing: float

    @property
    def dtype(self) -> torch.dtype:
        """Of all tables."""
        return next(iter(self.tables.values())).dtype

    @property
    def device(self) -> torch.device:
        """Of all tables."""
        return next(iter(self.tables.values())).device

    @property
    def n(self) -> int:
        """Places for objects in each world."""
        return self.present["object"].shape[1]

    def __len__(self) -> int:
        return next(iter(self.present.values())).shape[0]

    def present_of(self, sort: str) -> Tensor:
        """See `SoftWorlds`."""
        return self.present[sort]

    def degrees(self, table: str) -> Tensor:
        """See `SoftWorlds`."""
        return self.tables[table]

    def stored(self) -> Mapping[str, Tensor]:
        """See `SoftWorlds`."""
        return self.tables

    def padded(self, places: int) -> GroundedWorlds:
        """Return the same; a universe has one place at least already."""
        return self


def self_masked(table: Tensor, algebra: SoftAlgebra) -> Tensor:
    """Return a table of pairs (..., N, N) in which no object stands in the relation to itself: NS-CL's self mask.

    `relate` and `same` never contain the anchor. A model's scores say otherwise (an object is most like itself), so
    every learned table of pairs passes through here. The diagonal gets the algebra's degree of false (Logit: -10).
    """
    diagonal = torch.eye(table.shape[-1], dtype=torch.bool, device=table.device)
    return torch.where(diagonal, algebra.degree(torch.zeros_like(diagonal), table.dtype), table)


def own_values(domain: Domain, device: torch.device | str = "cpu") -> Tensor:
    """Mark the values of each attribute, (A + 1, C) bool; the last row is of no attribute, and has all concepts."""
    of = torch.tensor([domain.attribute_index[domain.attribute_of[c]] for c in domain.concepts], device=device)  # (C,)
    mine = torch.arange(len(domain.attributes), device=device)[:, None] == of[None, :]
    return torch.cat([mine, torch.ones_like(mine[:1])])


def ground_crisp(
    scenes: Sequence[Scene], algebra: SoftAlgebra, *, dtype: torch.dtype = torch.float32, pad: int = 0
) -> Grounded:
    """Return the tables of scenes whose values and relations are known; `pad` adds empty places.

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
    concepts = _bits(batch.table("concept"), n)  # (S, C, N)

    def pairs(name: str, count: int) -> Tensor:
        return algebra.degree(_bits(batch.table(name).reshape(s, count, n), n), dtype)

    stated = _stated(scenes, n) if domain.above else concepts
    words = stated.transpose(1, 2)[:, None] & own_values(domain)[None, :-1, None, :]  # (S, A, N, C)
    grounded = Grounded.of_model(
        domain,
        _bits(batch.present("object"), n),
        algebra.degree(concepts, dtype),
        pairs("relation", len(domain.relations)),
        pairs("alike", len(domain.attributes)),
        algebra.degree(words, dtype),
        algebra,
    )
    return grounded.padded(pad) if pad else grounded


def _stated(scenes: Sequence[Scene], n: int) -> Tensor:
    """Mark the values that are stated, (S, C, N) bool: those above them in `isa` are no answers."""
    numbers = range(len(scenes[0].domain.concepts))
    return _bits(np.array([[scene.stated[c] for c in numbers] for scene in scenes], dtype=np.uint64), n)


def ground_worlds(
    worlds: Sequence[World], algebra: SoftAlgebra, *, dtype: torch.dtype = torch.float32
) -> GroundedWorlds:
    """Return the tables of worlds of any kind, all of them known: each table that is not derived, and `same` ones.

    Raises:
        ExecutionError: there is no world, they are of several domains, or sets of one are larger than 64.
        SceneError: a world does not know a table.
    """
    if not worlds:
        raise ExecutionError("there is no world to ground")
    batch = SceneBatch(worlds)
    assert batch.domain is not None
    if not batch.fits.all():
        raise ExecutionError(f"a world has more than {MAX_OBJECTS} individuals of a sort")
    kind = batch.domain.world
    present = {}
    for sort in kind.sorts:
        counts = torch.tensor([world.size(sort) for world in worlds])
        present[sort] = torch.arange(batch.sizes[sort])[None, :] < counts[:, None]
    tables = {}
    for name in kind.tables:
        table = TABLES[name]
        if table.derived is not None and table.derived[0] != "same":
            continue
        entries = batch.table(name)  # (S, literals, *rows)
        if table.of_words:
            words = torch.from_numpy(entries[..., None] == np.arange(len(batch.domain.concepts), dtype=np.uint64))
            there, absent = words, 0.0
        else:
            there, absent = _bits(entries, batch.sizes[table.target]), algebra.nothing
        degrees = algebra.degree(there, dtype)
        if table.derived is not None:
            degrees = self_masked(degrees, algebra)
        sorts = table.source if table.of_words else (*table.source, table.target)
        for place, sort in enumerate(sorts):
            shape = [len(worlds), 1, *[1] * (degrees.dim() - 2)]
            shape[2 + place] = batch.sizes[sort]
            degrees = torch.where(present[sort].reshape(shape), degrees, degrees.new_tensor(absent))
        tables[name] = degrees
    return GroundedWorlds(batch.domain, present, tables, algebra.nothing)


def _bits(sets: U64, n: int) -> Tensor:
    """Convert 64-bit sets (...,) to booleans (..., n)."""
    bits = (sets[..., None] >> np.arange(n, dtype=np.uint64)) & np.uint64(1)
    return torch.from_numpy(bits.astype(np.bool_))
