"""What an op reads and uses, found by running it once on a value that stands for any."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from .ops import Op
from .tables import TABLES, WORD_TARGET


class Read(NamedTuple):
    """What an op reads of the world: a universe or table, and the place of the literal that chooses it (-1: none)."""

    table: str
    literal: int


@dataclass(frozen=True, slots=True)
class OpSummary:
    """What running an op on values that stand for any shows of it.

    Attributes:
        reads: what it reads of the world for its literals.
        tables: the names of all universes and tables that it reads.
        makes_set: whether its set comes from a table or an individual, and may hold places that are no individuals.
        singles: the sorts of the sets of which it takes the single member. It has no value in a world without
            individuals of such a sort.
    """

    reads: tuple[Read, ...]
    tables: frozenset[str]
    makes_set: bool
    singles: tuple[str, ...]


@lru_cache(maxsize=4096)
def summary_of(op: Op) -> OpSummary | None:
    """Return the summary of an op; None for one that does more than combine primitives."""
    probe = _Probe()
    literals = tuple(map(_Literal, range(len(op.literals))))
    try:
        op.apply(probe, probe, literals, tuple([_Value(p.kind.sort) for p in op.inputs]))
    except Exception:  # whatever a user's function raises on a value that is no value
        return None
    # A set that was combined with another by `both` holds no place that the other does not.
    selects = probe.used & {"only", "follow", "reach", "choose"} or (
        "members" in probe.used and "both" not in probe.used
    )
    makes_set = op.result.shape == "set" and bool(selects)
    singles = tuple(dict.fromkeys(probe.singles))
    return OpSummary(tuple(dict.fromkeys(probe.reads)), frozenset(probe.tables), makes_set, singles)


class _Literal(NamedTuple):
    place: int


class _Value:
    """A value of an op: of individuals their sort is known, and of a table how many sorts lead to its entries."""

    __slots__ = ("depth", "sort")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, sort: str | None = None, depth: int = 0) -> None:
        self.sort, self.depth = sort, depth

    def __bool__(self) -> bool:
        raise TypeError("an op decided something by a value")

    def __eq__(self, other: object) -> bool:
        raise TypeError("an op compared a value")


class _Probe:
    """An algebra and a view in one, that note what they are asked for."""

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self.tables: set[str] = set()
        self.used: set[str] = set()
        self.singles: list[str] = []

    def _of(self, used: str, sort: str | None = None, depth: int = 0) -> _Value:
        self.used.add(used)
        return _Value(sort, depth)

    def both(self, a: _Value, b: _Value) -> _Value:
        return self._of("both", a.sort or b.sort)

    def either(self, a: _Value, b: _Value) -> _Value:
        return self._of("either", a.sort or b.sort)

    def negate(self, a: _Value) -> _Value:
        return self._of("negate", a.sort)

    def some(self, objects: _Value) -> _Value:
        return self._of("some")

    def how_many(self, objects: _Value) -> _Value:
        return self._of("how_many")

    def the(self, objects: _Value) -> _Value:
        self.singles.append(objects.sort or "object")
        return self._of("the", objects.sort)

    def only(self, anchor: _Value) -> _Value:
        return self._of("only", anchor.sort)

    def follow(self, anchor: _Value, links: _Value) -> _Value:
        return self._of("follow", links.sort, max(links.depth - 1, 0))

    def reach(self, objects: _Value, links: _Value) -> _Value:
        return self._of("reach", links.sort)

    def choose(self, anchor: _Value, links: _Value) -> _Value:
        return self._of("choose")

    def match(self, a: _Value, b: _Value) -> _Value:
        return self._of("match")

    equal = less = minus = match

    def number(self, n: object) -> _Value:
        return self._of("number")

    def universe(self, sort: str) -> _Value:
        self._note(sort, None)
        return self._of("universe", sort)

    def members(self, name: str, literal: object = None) -> _Value:
        return self._of("members", *self._note(name, literal))

    def table(self, name: str, literal: object = None) -> _Value:
        return self._of("table", *self._note(name, literal))

    def _note(self, name: str, literal: object) -> tuple[str | None, int]:
        """Note a universe or table that is read; its target sort, and how many sorts lead to its entries."""
        self.tables.add(name)
        if literal is None or isinstance(literal, _Literal):
            self.reads.append(Read(name, -1 if literal is None else literal.place))
        if name not in TABLES:
            return None, 0
        declared = TABLES[name]
        return None if declared.target == WORD_TARGET else declared.target, len(declared.source)
