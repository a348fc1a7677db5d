"""The layout of a domain file, and what must be right in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ..errors import DomainError, did_you_mean

PLACE_KEYS = frozenset({"3d_coords", "pixel_coords", "rotation", "bbox", "score", "mask"})
"""Keys of an object in a scene file that are not attributes (nsreason.scenes.scene.ObjectPlace)."""


class ValueEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One value of an attribute: how people say it, how it is answered, and what it is a kind of."""

    adjectives: tuple[str, ...] = ()
    """'metallic'."""
    nouns: tuple[str, ...] = ()
    """'ball'."""
    plurals: tuple[str, ...] = ()
    """Irregular plurals of the nouns."""
    comparatives: tuple[str, ...] = ()
    """'bigger than': has this value where the other has not."""
    label: str | None = None
    """The value as free text, 'fire hydrant'; the key itself where absent."""
    answer: str | None = None
    """The answer to a question for the value; the label where absent."""
    isa: tuple[str, ...] = ()
    """Values of the same attribute that stand above this one: what is a 'car' is a 'vehicle' too."""


class AttributeEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One attribute: its values in order, and its own words."""

    values: dict[str, ValueEntry]
    """By key; the order of the file is the order of the concepts."""
    words: tuple[str, ...] = ()
    """The attribute itself: 'color', 'colour'."""
    how: tuple[str, ...] = ()
    """A question for the value: 'how big'."""
    prefixes: tuple[str, ...] = msgspec.field(name="made", default=())
    """What stands before the value: 'made of'."""
    suffixes: tuple[str, ...] = ()
    """What may follow the value: 'colored'."""
    of: tuple[str, ...] = ("object",)
    """The sorts of what has a value: an object; an event; an object at a frame."""
    open: bool = False
    """Whether an object may have no value or several; else each object has exactly one."""


class RelationEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One relation between two objects."""

    words: tuple[str, ...]
    """'left of'."""
    inverse: str | None = None
    """The relation that holds of the same pairs, read the other way."""
    extremes: tuple[str, ...] = ()
    """'leftmost'."""
    regions: tuple[str, ...] = ()
    """'on the left': of one thing the furthest; of several a side of the image."""
    direction: str | None = None
    """The scene's direction vector from which the relation can be computed."""
    label: str | None = None
    """The relation as free text, 'on top of'; the key itself where absent."""


class DomainFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The layout of a domain file."""

    name: str
    attributes: dict[str, AttributeEntry]
    summary: str = ""
    relations: dict[str, RelationEntry] = {}
    things: tuple[str, ...] = ("thing", "object")
    """Nouns of any object."""
    asks: str | None = None
    """The attribute that 'what is ...?' asks for."""
    eps: float = 0.2
    """How far along a direction an object must lie to stand in the relation."""
    max_count: int = 10
    """Counts among the answers of a data set: 0 to this."""
    ops: tuple[str, ...] | None = None
    """Admitted ops; absent: all."""
    questions: str | None = None
    """The question grammar, in grammars/."""
    native: dict[str, str] = {}
    """Op name of a data set -> op."""
    world: str = "scene"
    """The kind of world that is talked about, see `dsl/tables.py`."""
    closed: bool = False
    """Whether what a scene does not state does not hold: a relation that it does not list has no pairs."""


_LATER_KEYS: dict[str, object] = {
    "label": None,
    "answer": None,
    "isa": (),
    "of": ("object",),
    "open": False,
    "closed": False,
    "world": "scene",
}
"""Keys that came to the layout later, and their defaults: a file without them keeps its fingerprint."""


def check_numbers(file: DomainFile) -> None:
    """Raise DomainError unless `eps` and `max_count` are in their ranges."""
    if not (math.isfinite(file.eps) and file.eps >= 0):
        raise DomainError(f"eps: a distance of 0 or more, got {file.eps}")
    if not 0 <= file.max_count < 1_000_000:
        raise DomainError(f"max_count: a count from 0 to 999999, got {file.max_count}")


def attributes_of_values(file: DomainFile) -> dict[str, str]:
    """Return the attribute of each value, in the order of the file.

    Raises:
        DomainError: no attribute, one without values, a value of two, or a key that scene files use otherwise.
    """
    if not file.attributes:
        raise DomainError("a domain has at least one attribute")
    attribute_of: dict[str, str] = {}
    for attribute, entry in file.attributes.items():
        if attribute in PLACE_KEYS:
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
    return attribute_of


def check_names(names: Iterable[str]) -> None:
    """Raise DomainError where programs cannot write a name."""
    for name in names:
        if not is_name(name):
            raise DomainError(f"'{name}' is not a name: use letters, digits, '_' and '-', a letter first")


def check_inverses(file: DomainFile) -> None:
    """Raise DomainError unless each inverse is a relation that names the first as its own."""
    for relation, entry in file.relations.items():
        if entry.inverse is None:
            continue
        if entry.inverse not in file.relations:
            raise DomainError(
                f"relation '{relation}': its inverse '{entry.inverse}' is not a relation"
                + did_you_mean(entry.inverse, file.relations)
            )
        if file.relations[entry.inverse].inverse != relation:
            raise DomainError(f"relation '{entry.inverse}' must name '{relation}' as its inverse in turn")


def values_above(
    entries: Mapping[str, ValueEntry], attribute_of: Mapping[str, str], index: Mapping[str, int]
) -> dict[int, tuple[int, ...]]:
    """Return the closure of `isa`, by concept number.

    Raises:
        DomainError: a value stands above itself, or `isa` names what is no value of the attribute.
    """
    direct = {key: entry.isa for key, entry in entries.items() if entry.isa}
    for key, names in direct.items():
        attribute = attribute_of[key]
        for name in names:
            if attribute_of.get(name) != attribute:
                known = [value for value, home in attribute_of.items() if home == attribute]
                raise DomainError(f"'{key}': isa '{name}' is not a value of '{attribute}'{did_you_mean(name, known)}")
    above: dict[int, tuple[int, ...]] = {}
    for key in direct:
        reached: dict[str, None] = {}
        stack = list(reversed(direct[key]))
        while stack:
            name = stack.pop()
            if name == key:
                raise DomainError(f"'{key}': isa leads from it back to itself")
            if name not in reached:
                reached[name] = None
                stack.extend(reversed(direct.get(name, ())))
        above[index[key]] = tuple([index[name] for name in reached])
    return above


def canonical_bytes(file: DomainFile) -> bytes:
    """Encode the file as JSON, without the later keys where they have their defaults."""
    encoded = msgspec.to_builtins(file)
    tables = [encoded, *encoded["attributes"].values(), *encoded["relations"].values()]
    tables += [value for entry in encoded["attributes"].values() for value in entry["values"].values()]
    for table in tables:
        for key, default in _LATER_KEYS.items():
            if key in table and table[key] == default:
                del table[key]
    return msgspec.json.encode(encoded)


def without_defaults(value: object) -> Any:
    """Convert structs to tables, without the fields that have their defaults."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(type(value))
        values = {f.encode_name: (getattr(value, f.name), f.default) for f in fields}
        return {key: without_defaults(entry) for key, (entry, default) in values.items() if entry != default}
    if isinstance(value, Mapping):
        return {key: without_defaults(entry) for key, entry in value.items()}
    return list(value) if isinstance(value, tuple) else value


def is_name(name: str) -> bool:
    """Return whether programs can write the name: letters, digits, '_' and '-', a letter first."""
    return name.isascii() and name[:1].isalpha() and name.replace("_", "a").replace("-", "a").isalnum()
