"""Domains: what can be said of a kind of scene. A domain is a TOML file, such as `grammars/clevr.toml`.

    domain = load_domain("clevr")              # bundled
    domain = load_domain("my_kitchen.toml")    # your own

The order of the file is the order of everything: a concept's number is its place among all values of all
attributes.
"""

from __future__ import annotations

import functools
import hashlib
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from ..errors import DomainError, did_you_mean
from .kinds import ATTRIBUTE, CONCEPT, INTEGER, RELATION, WORD, Kind
from .ops import OPS, Op


class ValueEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How people say one value: as an adjective ('metallic'), as a noun ('ball'), with irregular plurals."""

    adjectives: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    plurals: tuple[str, ...] = ()
    comparatives: tuple[str, ...] = ()  # 'bigger than': has this value where the other has not


class AttributeEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One attribute: its values in order, and its own words."""

    values: dict[str, ValueEntry]
    words: tuple[str, ...] = ()  # 'color', 'colour': the attribute itself
    how: tuple[str, ...] = ()  # 'how big': asks for the value
    made: tuple[str, ...] = ()  # 'made of': stands before the value
    suffixes: tuple[str, ...] = ()  # 'colored': may follow the value


class RelationEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One relation. `direction` names the scene's direction vector from which it can be computed."""

    words: tuple[str, ...]
    inverse: str | None = None
    extremes: tuple[str, ...] = ()  # 'leftmost'
    regions: tuple[str, ...] = ()  # 'on the left': of one thing the furthest; of several a side of the picture
    direction: str | None = None


class DomainFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The layout of a domain file."""

    name: str
    attributes: dict[str, AttributeEntry]
    summary: str = ""
    relations: dict[str, RelationEntry] = {}
    things: tuple[str, ...] = ("thing", "object")
    asks: str | None = None  # the attribute that 'what is ...?' asks for
    eps: float = 0.2  # how far along a direction an object must lie to stand in the relation
    max_count: int = 10  # counts among the answers of a dataset: 0 to this
    ops: tuple[str, ...] | None = None  # admitted ops; absent: all
    questions: str | None = None  # the question grammar, in grammars/
    native: dict[str, str] = {}  # dataset op name -> op


@dataclass(frozen=True, slots=True)
class Step:
    """An op with its literals, as one domain encodes them."""

    op: Op
    literals: tuple[str, ...]
    encoded: tuple[int, ...]
    takes: tuple[Kind, ...]
    gives: Kind
    unit: str | None  # the attribute that a word result is a value of


@dataclass(frozen=True, eq=False)
class Domain:
    """Attributes with their values, relations, admitted ops, native op names and the lexicon.

    Two domains are equal when their files say the same.
    """

    file: DomainFile
    concepts: tuple[str, ...] = field(init=False)
    attributes: tuple[str, ...] = field(init=False)
    relations: tuple[str, ...] = field(init=False)
    attribute_of: Mapping[str, str] = field(init=False)
    concept_index: Mapping[str, int] = field(init=False)
    attribute_index: Mapping[str, int] = field(init=False)
    relation_index: Mapping[str, int] = field(init=False)
    fingerprint: str = field(init=False)
    _steps: dict[tuple[str, tuple[str, ...]], Step] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        file = self.file
        if not file.attributes:
            raise DomainError("a domain has at least one attribute")
        if not (math.isfinite(file.eps) and file.eps >= 0):
            raise DomainError(f"eps: a distance of 0 or more, got {file.eps}")
        if not 0 <= file.max_count < 1_000_000:
            raise DomainError(f"max_count: a count from 0 to 999999, got {file.max_count}")
        attribute_of: dict[str, str] = {}
        for attribute, entry in file.attributes.items():
            if attribute in _PLACE:
                raise DomainError(f"attribute '{attribute}': scene files use this key otherwise; rename it")
            if not entry.values:
                raise DomainError(f"attribute '{attribute}' has no values")
            for value in entry.values:
                if value in attribute_of:
                    raise DomainError(
                        f"'{value}' is a value of both '{attribute_of[value]}' and '{attribute}'; rename one "
                        f"(its words may stay)"
                    )
                attribute_of[value] = attribute
        for name in (*attribute_of, *file.attributes, *file.relations):
            if not _is_name(name):
                raise DomainError(f"'{name}' is not a name: use letters, digits, '_' and '-', a letter first")
        for relation, told in file.relations.items():
            if told.inverse is None:
                continue
            if told.inverse not in file.relations:
                raise DomainError(
                    f"relation '{relation}': its inverse '{told.inverse}' is not a relation"
                    + did_you_mean(told.inverse, file.relations)
                )
            if file.relations[told.inverse].inverse != relation:
                raise DomainError(f"relation '{told.inverse}' must name '{relation}' as its inverse in turn")
        if file.asks is not None and file.asks not in file.attributes:
            raise DomainError(f"asks: no attribute '{file.asks}'{did_you_mean(file.asks, file.attributes)}")
        put = object.__setattr__
        put(self, "concepts", tuple(attribute_of))
        put(self, "attributes", tuple(file.attributes))
        put(self, "relations", tuple(file.relations))
        put(self, "attribute_of", attribute_of)
        put(self, "concept_index", {n: i for i, n in enumerate(attribute_of)})
        put(self, "attribute_index", {n: i for i, n in enumerate(file.attributes)})
        put(self, "relation_index", {n: i for i, n in enumerate(file.relations)})
        put(self, "fingerprint", hashlib.sha256(msgspec.json.encode(file)).hexdigest()[:16])
        put(self, "_steps", {})

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
        """The values of an attribute, in order.

        Raises:
            DomainError: no such attribute.
        """
        try:
            return tuple(self.file.attributes[attribute].values)
        except KeyError:
            known = did_you_mean(attribute, self.attributes)
            raise DomainError(f"no attribute '{attribute}'{known}") from None

    def inverse(self, relation: str) -> str | None:
        """The inverse of a relation, if the domain names one.

        Raises:
            DomainError: no such relation.
        """
        try:
            return self.file.relations[relation].inverse
        except KeyError:
            raise DomainError(f"no relation '{relation}'{did_you_mean(relation, self.relations)}") from None

    @property
    def ops(self) -> tuple[str, ...]:
        """Names of the admitted ops."""
        return tuple(self.file.ops) if self.file.ops is not None else tuple(OPS)

    def answers(self) -> tuple[str, ...]:
        """Every answer a dataset of this domain may give, as strings: values, yes and no, counts."""
        return (*self.concepts, "yes", "no", *map(str, range(self.file.max_count + 1)))

    def literal(self, kind: Kind, name: str) -> int:
        """The number of a concept, attribute or relation, or the integer itself.

        Raises:
            DomainError: the domain has no such name; the message offers near ones.
        """
        if kind is INTEGER:
            if not (name.isascii() and name.isdigit() and len(name) <= 9):
                raise DomainError(f"'{name}' is not a whole number from 0 to 999999999")
            return int(name)
        index = _INDEX[kind](self)
        try:
            return index[name]
        except KeyError:
            message = f"no {kind} '{name}' in domain '{self.name}'{did_you_mean(name, index)}"
            raise DomainError(message) from None

    def step(self, op_name: str, literals: tuple[str, ...]) -> Step:
        """The op with its literals encoded; looked up once, then remembered.

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
        if len(literals) != len(op.literals):
            raise DomainError(f"{op.signature} takes {len(op.literals)} literal(s), got {len(literals)}")
        encoded = tuple(self.literal(p.kind, name) for p, name in zip(op.literals, literals, strict=True))
        unit = next((n for p, n in zip(op.literals, literals, strict=True) if p.kind is ATTRIBUTE), None)
        takes = tuple(p.kind for p in op.inputs)
        step = Step(op, literals, encoded, takes, op.result, unit if op.result is WORD else None)
        if len(self._steps) < 100_000:  # numbers are literals too: keep the memory of them bounded
            self._steps[op_name, literals] = step
        return step

    def native_ops(self) -> Iterator[tuple[str, str, str | None]]:
        """`(dataset name, op, attribute)`: the native table with `{attribute}` written out."""
        for native, op_name in self.file.native.items():
            if "{attribute}" in native:
                for attribute in self.attributes:
                    yield native.replace("{attribute}", attribute), op_name, attribute
            else:
                yield native, op_name, None


# Keys of an object in a scene file that are not attributes (nsreason.scenes.scene.ObjectPlace).
_PLACE = frozenset({"3d_coords", "pixel_coords", "rotation", "bbox", "score", "mask"})

_INDEX: dict[Kind, Callable[[Domain], Mapping[str, int]]] = {
    CONCEPT: lambda d: d.concept_index,
    ATTRIBUTE: lambda d: d.attribute_index,
    RELATION: lambda d: d.relation_index,
}


def _is_name(name: str) -> bool:
    return name.isascii() and name[:1].isalpha() and name.replace("_", "a").replace("-", "a").isalnum()


def _revive(data: bytes) -> Domain:
    return Domain(msgspec.json.decode(data, type=DomainFile))


def bundled_domains() -> tuple[str, ...]:
    """Names of the domains that come with the package."""
    folder = resources.files("nsreason.grammars")
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def parse_domain(text: str, *, source: str = "domain") -> Domain:
    """A domain from the text of its file.

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
    """A bundled domain by name, or any domain by the path of its `.toml` file.

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
