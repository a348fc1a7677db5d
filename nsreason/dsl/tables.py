"""Tables: what worlds offer to ops, each declared once and read by every executor, by grounding and by traces alike.

A table has individuals of its source sorts as rows, and a set of its target sort, or a word, at each. A table without
source sorts is a set. One with a literal is a family: a table for each concept, attribute or relation.

    CAUSES = declare(Table("causes", ("event",), "event"))
    declare_world(WorldKind("video", ("object", "event", "frame"), ("concept", "values", "causes")))

A derived table is computed from another one by the executors, and no world fills it.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from ..errors import DomainError, did_you_mean
from .kinds import ATTRIBUTE, CONCEPT, RELATION, Kind

Derivation = Literal["converse", "later", "same", "closure"]
WORD_TARGET = "word"


def _may_be_named(name: str) -> bool:
    """Return whether a sort or table may have the name: executors write it into source text, as an attribute."""
    return name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)


@dataclass(frozen=True, slots=True)
class Table:
    """The declaration of a set, of a table, or of a family of them.

    Attributes:
        name: an identifier, by which ops read it; no keyword of Python, and no leading underscore.
        source: the sorts of its rows, none for a set; two for a table whose entries are tables.
        target: the sort of its entries' members, or `word`.
        literal: the kind of literal that chooses one of a family.
        derived: how it comes from another table, and that table's name. `converse`: j in row i where i is in row j;
            `later`: the members of row i that are listed behind i; `same`: the other individuals that share a word
            with i; `closure`: all that repeated steps lead to.
    """

    name: str
    source: tuple[str, ...]
    target: str
    literal: Kind | None = None
    derived: tuple[Derivation, str] | None = None

    def __post_init__(self) -> None:
        if not _may_be_named(self.name):
            raise DomainError(
                f"a table's name is an identifier without a leading underscore and no Python keyword, got {self.name!r}"
            )
        if len(self.source) > 2:
            raise DomainError(f"table '{self.name}': at most two source sorts, got {self.source}")

    @property
    def of_words(self) -> bool:
        """Whether its entries are words."""
        return self.target == WORD_TARGET

    @property
    def is_set(self) -> bool:
        """Whether it is a set of individuals, not a table of sets."""
        return not self.source


@dataclass(frozen=True, slots=True)
class WorldKind:
    """What all worlds of one kind offer.

    Attributes:
        sorts: of individuals. Each is also a set: the universe of its sort.
        tables: the names of its tables, derived ones included.
        bounded: the sorts of which sets are made. A batch of programs holds sets of at most 64 individuals.
    """

    name: str
    sorts: tuple[str, ...]
    tables: tuple[str, ...]
    bounded: tuple[str, ...] = ()

    @property
    def offers(self) -> frozenset[str]:
        """All that an op may read: universes and tables."""
        return frozenset((*self.sorts, *self.tables))


D = TypeVar("D", Table, WorldKind)


class Declarations(Mapping[str, D], Generic[D]):
    """Declarations by name. One that is there is never replaced by another."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._by_name: dict[str, D] = {}

    def __getitem__(self, name: str) -> D:
        try:
            return self._by_name[name]
        except KeyError:
            raise DomainError(f"no {self._what} '{name}'{did_you_mean(name, self._by_name)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def add(self, new: D) -> D:
        """Add a declaration; the same one may come again.

        Raises:
            DomainError: another one has the name.
        """
        if self._by_name.setdefault(new.name, new) != new:
            raise DomainError(f"the {self._what} '{new.name}' is already declared otherwise")
        return new


TABLES: Declarations[Table] = Declarations("table")
WORLD_KINDS: Declarations[WorldKind] = Declarations("kind of world")


def declare(table: Table) -> Table:
    """Declare a table.

    Raises:
        DomainError: another one has the name, or it is derived from none that is declared, or from one of another form.
    """
    if table.derived is not None:
        how, base = table.derived
        of = TABLES[base]
        fits = {
            "converse": len(of.source) == 1
            and not of.of_words
            and (table.source, table.target) == ((of.target,), *of.source),
            "later": of.source == (of.target,) and (table.source, table.target) == (of.source, of.target),
            "closure": of.source == (of.target,) and (table.source, table.target) == (of.source, of.target),
            "same": of.of_words and len(of.source) == 1 and (table.source, table.target) == (of.source, of.source[0]),
        }
        if not fits[how] or table.literal is not of.literal:
            raise DomainError(f"table '{table.name}': {how} of '{base}' has other sorts, or another literal")
    return TABLES.add(table)


def declare_world(kind: WorldKind) -> WorldKind:
    """Declare a kind of world.

    Raises:
        DomainError: another one has the name, a table is not declared or is of sorts that the worlds do not have, or a
            sort has the name of a table.
    """
    for name in kind.tables:
        table = TABLES[name]
        foreign = {*table.source, table.target} - {*kind.sorts, WORD_TARGET}
        if foreign:
            raise DomainError(f"kind of world '{kind.name}': table '{name}' is of {', '.join(sorted(foreign))}")
        if table.derived is not None and table.derived[1] not in kind.tables:
            raise DomainError(f"kind of world '{kind.name}': table '{name}' needs '{table.derived[1]}'")
    for sort in kind.sorts:
        if sort in TABLES or not _may_be_named(sort):
            raise DomainError(f"kind of world '{kind.name}': '{sort}' cannot be the name of a sort")
    return WORLD_KINDS.add(kind)


# --- static scenes --------------------------------------------------------------------------------------------------

declare(Table("concept", (), "object", CONCEPT))
declare(Table("values", ("object",), WORD_TARGET, ATTRIBUTE))
declare(Table("relation", ("object",), "object", RELATION))
declare(Table("converse", ("object",), "object", RELATION, ("converse", "relation")))
declare(Table("alike", ("object",), "object", ATTRIBUTE, ("same", "values")))
declare(Table("repeats", ("object",), "object", ATTRIBUTE, ("later", "alike")))

SCENE = declare_world(
    WorldKind(
        "scene", ("object",), ("concept", "values", "relation", "converse", "alike", "repeats"), bounded=("object",)
    )
)
