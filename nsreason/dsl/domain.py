"""Domains: what can be said of a kind of scene. A domain is a TOML file, such as `grammars/clevr.toml`.

    domain = load_domain("clevr")              # bundled
    domain = load_domain("my_kitchen.toml")    # your own

The order of the file is the order of everything: a concept's number is its place among all values of all
attributes.
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from ..errors import DomainError, did_you_mean
from .domain_file import (
    AttributeEntry,
    DomainFile,
    RelationEntry,
    ValueEntry,
    attributes_of_values,
    canonical_bytes,
    check_inverses,
    check_names,
    check_numbers,
    values_above,
    without_defaults,
)
from .kinds import WORD, Kind
from .op_summary import summary_of
from .ops import OPS, Op
from .tables import WORLD_KINDS, WorldKind

__all__ = [
    "AttributeEntry",
    "Domain",
    "DomainFile",
    "RelationEntry",
    "Step",
    "ValueEntry",
    "bundled_domains",
    "load_domain",
    "parse_domain",
]


@dataclass(frozen=True, slots=True)
class Step:
    """An op with its literals, as one domain encodes them."""

    op: Op
    literals: tuple[str, ...]
    encoded: tuple[int, ...]
    takes: tuple[Kind, ...]
    gives: Kind
    unit: str | None
    """The attribute that a word result is a value of."""


@dataclass(frozen=True, eq=False)
class Domain:
    """Attributes with their values, relations, admitted ops, native op names and the lexicon.

    Two domains are equal when their files say the same.

    Attributes:
        concepts, attributes, relations: the names, in the order of the file.
        world: the kind of world that programs of this domain are executed on.
        labels: per concept, its free text.
        answer_words: per concept, what a question for it is answered with.
        answer_index: the number of the concept that alone is answered with a word.
        above: per concept that is a kind of others, their numbers, those above them included.
        open_attributes: the numbers of the attributes of which an object may have no value or several.
    """

    file: DomainFile
    concepts: tuple[str, ...] = field(init=False)
    attributes: tuple[str, ...] = field(init=False)
    relations: tuple[str, ...] = field(init=False)
    labels: tuple[str, ...] = field(init=False)
    answer_words: tuple[str, ...] = field(init=False)
    answer_index: Mapping[str, int] = field(init=False)
    above: Mapping[int, tuple[int, ...]] = field(init=False)
    open_attributes: frozenset[int] = field(init=False)
    attribute_of: Mapping[str, str] = field(init=False)
    concept_index: Mapping[str, int] = field(init=False)
    attribute_index: Mapping[str, int] = field(init=False)
    relation_index: Mapping[str, int] = field(init=False)
    world: WorldKind = field(init=False)
    fingerprint: str = field(init=False)
    _steps: dict[tuple[str, tuple[str, ...]], Step] = field(init=False, repr=False)
    _indices: dict[Kind, Mapping[str, int]] = field(init=False, repr=False)
    _missing: dict[Op, list[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        file = self.file
        check_numbers(file)
        attribute_of = attributes_of_values(file)
        check_names((*attribute_of, *file.attributes, *file.relations))
        check_inverses(file)
        if file.asks is not None and file.asks not in file.attributes:
            raise DomainError(f"asks: no attribute '{file.asks}'{did_you_mean(file.asks, file.attributes)}")
        entries = {key: value for entry in file.attributes.values() for key, value in entry.values.items()}
        concept_index = {n: i for i, n in enumerate(attribute_of)}
        put = object.__setattr__
        put(self, "concepts", tuple(attribute_of))
        put(self, "attributes", tuple(file.attributes))
        put(self, "relations", tuple(file.relations))
        answer_words = tuple([e.answer or e.label or key for key, e in entries.items()])
        times = Counter(answer_words)
        put(self, "labels", tuple([e.label or key for key, e in entries.items()]))
        put(self, "answer_words", answer_words)
        put(self, "answer_index", {word: i for i, word in enumerate(answer_words) if times[word] == 1})
        put(self, "above", values_above(entries, attribute_of, concept_index))
        put(self, "open_attributes", frozenset(i for i, e in enumerate(file.attributes.values()) if e.open))
        put(self, "attribute_of", attribute_of)
        put(self, "concept_index", concept_index)
        put(self, "attribute_index", {n: i for i, n in enumerate(file.attributes)})
        put(self, "relation_index", {n: i for i, n in enumerate(file.relations)})
        put(self, "world", _world_kind(file))
        put(self, "fingerprint", hashlib.sha256(canonical_bytes(file)).hexdigest()[:16])
        put(self, "_steps", {})
        put(self, "_indices", {})
        put(self, "_missing", {})

    @property
    def name(self) -> str:
        """The name that the file gives."""
        return self.file.name

    def __repr__(self) -> str:
        return f"Domain({self.name!r}, {len(self.concepts)} concepts, {len(self.relations)} relations)"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Domain) and self.fingerprint == other.fingerprint)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (msgspec.json.encode(self.file),)

    def values(self, attribute: str) -> tuple[str, ...]:
        """Return the values of an attribute, in order.

        Raises:
            DomainError: no such attribute.
        """
        try:
            return tuple(self.file.attributes[attribute].values)
        except KeyError:
            known = did_you_mean(attribute, self.attributes)
            raise DomainError(f"no attribute '{attribute}'{known}") from None

    def inverse(self, relation: str) -> str | None:
        """Return the inverse of a relation, if the domain names one.

        Raises:
            DomainError: no such relation.
        """
        try:
            return self.file.relations[relation].inverse
        except KeyError:
            raise DomainError(f"no relation '{relation}'{did_you_mean(relation, self.relations)}") from None

    def to_toml(self) -> str:
        """Write the domain's file, without what has its default: `parse_domain` reads an equal domain from it."""
        import tomli_w

        return tomli_w.dumps(without_defaults(self.file))

    @property
    def ops(self) -> tuple[str, ...]:
        """Names of the admitted ops: those that the file lists, or else all that read only what its worlds offer."""
        if self.file.ops is not None:
            return tuple(self.file.ops)
        return tuple([name for name, op in OPS.items() if not self._foreign(op)])

    def _foreign(self, op: Op) -> list[str]:
        """Return the sorts and tables that an op needs and the domain's worlds do not have."""
        foreign = self._missing.get(op)
        if foreign is None:
            summary = summary_of(op)
            needed = {k.sort for k in (op.result, *(p.kind for p in op.inputs)) if k.sort is not None}
            needed |= summary.tables if summary is not None else set()
            foreign = self._missing[op] = sorted(needed - self.world.offers)
        return foreign

    def answers(self) -> tuple[str, ...]:
        """Return every answer a dataset of this domain may give, as strings: values, yes and no, counts."""
        return (*dict.fromkeys(self.answer_words), "yes", "no", *map(str, range(self.file.max_count + 1)))

    def literal(self, kind: Kind, name: str) -> int:
        """Return the number of a concept, attribute or relation, or the integer itself.

        Raises:
            DomainError: the domain has no such name; the message offers near ones.
        """
        if kind.shape == "integer":
            if not (name.isascii() and name.isdigit() and len(name) <= 9):
                raise DomainError(f"'{name}' is not a whole number from 0 to 999999999")
            return int(name)
        index = self._index(kind)
        try:
            return index[name]
        except KeyError:
            message = f"no {kind} '{name}' in domain '{self.name}'{did_you_mean(name, index)}"
            raise DomainError(message) from None

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return the literals of a kind, in order; for whole numbers, which have no end, 0 to `max_count`."""
        if kind.shape == "integer":
            return tuple(map(str, range(self.file.max_count + 1)))
        return tuple(self._index(kind))

    def numbers(self, kind: Kind) -> Sequence[int]:
        """Return the encoded literals of a kind, ascending. Whole numbers have none: they choose no table."""
        return () if kind.shape == "integer" else tuple(self._index(kind).values())

    def numbered(self, kind: Kind) -> int:
        """Return one more than the greatest number that a literal of a kind may have, whatever it is said of."""
        return len(_INDEX[kind.shape](self))

    def _index(self, kind: Kind) -> Mapping[str, int]:
        """Return the literals of a kind, with their numbers: of concepts and attributes those said of its sort."""
        index = self._indices.get(kind)
        if index is None:
            index = _INDEX[kind.shape](self)
            if kind.sort is not None and any(entry.of != (kind.sort,) for entry in self.file.attributes.values()):
                said = {a for a, entry in self.file.attributes.items() if entry.of == (kind.sort,)}
                index = {name: i for name, i in index.items() if self.attribute_of.get(name, name) in said}
            self._indices[kind] = index
        return index

    def step(self, op_name: str, literals: tuple[str, ...]) -> Step:
        """Return the op with its literals encoded; looked up once, then remembered.

        Raises:
            DomainError: the op is not known or not admitted, or a literal is not.
        """
        try:
            step = self._steps.get((op_name, literals))
        except TypeError:  # unhashable: not the names of anything
            step = None
        if step is not None and OPS.get(op_name) is step.op:  # a notebook may have defined the op anew
            return step
        if not isinstance(op_name, str) or not all(isinstance(name, str) for name in literals):
            raise DomainError(f"an op and its literals are given by name, got {op_name!r} and {literals!r}")
        if op_name not in OPS:
            raise DomainError(f"no op '{op_name}'{did_you_mean(op_name, self.ops)}")
        if self.file.ops is not None and op_name not in self.file.ops:
            raise DomainError(f"domain '{self.name}' does not admit the op '{op_name}'")
        op = OPS[op_name]
        foreign = self._foreign(op)
        if foreign:
            names = ", ".join(foreign)
            raise DomainError(
                f"domain '{self.name}' does not admit the op '{op_name}': a {self.world.name} has no {names}"
            )
        if len(literals) != len(op.literals):
            raise DomainError(f"{op.signature} takes {len(op.literals)} literal(s), got {len(literals)}")
        encoded = tuple(self.literal(p.kind, name) for p, name in zip(op.literals, literals, strict=True))
        unit = next((n for p, n in zip(op.literals, literals, strict=True) if p.kind.shape == "attribute"), None)
        takes = tuple(p.kind for p in op.inputs)
        step = Step(op, literals, encoded, takes, op.result, unit if op.result is WORD else None)
        if len(self._steps) < 100_000:  # numbers are literals too: keep the memory of them bounded
            self._steps[op_name, literals] = step
        return step

    def native_ops(self) -> Iterator[tuple[str, str, str | None]]:
        """Return `(dataset name, op, attribute)`: the native table with `{attribute}` written out."""
        for native, op_name in self.file.native.items():
            if "{attribute}" in native:
                for attribute in self.attributes:
                    yield native.replace("{attribute}", attribute), op_name, attribute
            else:
                yield native, op_name, None


_INDEX: dict[str, Callable[[Domain], Mapping[str, int]]] = {
    "concept": lambda d: d.concept_index,
    "attribute": lambda d: d.attribute_index,
    "relation": lambda d: d.relation_index,
}


def _world_kind(file: DomainFile) -> WorldKind:
    if file.world not in WORLD_KINDS:
        raise DomainError(f"world: no kind of world '{file.world}'{did_you_mean(file.world, WORLD_KINDS)}")
    kind = WORLD_KINDS[file.world]
    for attribute, entry in file.attributes.items():
        foreign = [sort for sort in entry.of if sort not in kind.sorts]
        if foreign or not entry.of:
            what = f"of {list(entry.of)}, but a {kind.name} has the sorts {', '.join(kind.sorts)}"
            raise DomainError(f"attribute '{attribute}': {what}")
    return kind


def _revive(data: bytes) -> Domain:
    return Domain(msgspec.json.decode(data, type=DomainFile))


def bundled_domains() -> tuple[str, ...]:
    """Return the names of the domains that come with the package."""
    folder = resources.files("nsreason.grammars")
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def parse_domain(text: str, *, source: str = "domain") -> Domain:
    """Read a domain from the text of its file.

    Raises:
        DomainError: not TOML, a key is unknown or has the wrong type, or the names clash.
    """
    try:
        return Domain(msgspec.convert(tomllib.loads(text), DomainFile))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DomainError(f"{source}: not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise DomainError(f"{source}: {error}") from None
    except DomainError as error:
        raise DomainError(f"{source}: {error}") from None


def load_domain(name: str | Path | Domain) -> Domain:
    """Load a bundled domain by name, or any domain by the path of its `.toml` file.

    Raises:
        DomainError: no such domain, or the file is not valid.
    """
    if isinstance(name, Domain):
        return name
    if isinstance(name, Path) or name.endswith(".toml"):
        path = Path(name)
        try:
            return parse_domain(path.read_text(encoding="utf-8"), source=str(path))
        except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a zero byte in the path
            raise DomainError(f"cannot read the domain file {str(path)!r}: {error}") from None
    return _bundled(name)


@functools.cache
def _bundled(name: str) -> Domain:
    if name not in bundled_domains():
        known = bundled_domains()
        raise DomainError(f"no domain '{name}'{did_you_mean(name, known)}; or give the path of a .toml file")
    text = resources.files("nsreason.grammars").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return parse_domain(text, source=f"{name}.toml")
