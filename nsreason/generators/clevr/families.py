"""Question families: the program shapes that questions are drawn from, as one table.

A shape is a program in postfix order. Its words are ops, and two wildcards for the filters of a noun phrase:

    *          any number of filters, as many as it takes: 'red', 'small metal', or none
    +          the same, at least one
    filter[A]  exactly one, of attribute A

A and B stand for attributes; a family is made for each choice of different ones. `-A` behind a wildcard keeps the
filters of attribute A out: what a question asks for, or compares by, its noun phrase does not already say. The
relation of a `relate` is drawn anew each time. Nothing here names an attribute, so the families are those of any
domain.

On CLEVR the table gives 90 families, one for each official template, in the order of the official files.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass

from ...dsl.domain import Domain
from ...dsl.ops import OPS
from ...errors import DomainError, did_you_mean

# A noun phrase for one object: by its looks, and by where it stands to another; `@` in the table's names.
_ONE, _QUERIED = "scene * unique", "scene *-A unique"
_LINKED, _LINKED_QUERIED = f"{_ONE} relate * unique", f"{_ONE} relate *-A unique"
_TWO, _NEAR_TWO = f"{_LINKED} relate", f"{_LINKED} relate * unique relate"
_COUNT, _LINKED_COUNT = "scene + count", f"{_ONE} relate * count"

SHAPES: tuple[tuple[str, str], ...] = (
    ("zero_hop/count", "scene * count"),
    ("zero_hop/exist", "scene + exist"),
    ("zero_hop/query[A]", f"{_QUERIED} query[A]"),
    ("one_hop/count", f"{_ONE} relate * count"),
    ("one_hop/exist", f"{_ONE} relate * exist"),
    ("one_hop/query[A]", f"{_ONE} relate *-A unique query[A]"),
    ("two_hop/count", f"{_TWO} * count"),
    ("two_hop/exist", f"{_TWO} * exist"),
    ("two_hop/query[A]", f"{_TWO} *-A unique query[A]"),
    ("three_hop/count", f"{_NEAR_TWO} * count"),
    ("three_hop/exist", f"{_NEAR_TWO} * exist"),
    ("three_hop/query[A]", f"{_NEAR_TWO} *-A unique query[A]"),
    ("compare_integer/equal", f"{_COUNT} {_COUNT} equal_integer"),
    ("compare_integer/less", f"{_COUNT} {_COUNT} less"),
    ("compare_integer/greater", f"{_COUNT} {_COUNT} greater"),
    ("compare_integer/equal_left", f"{_LINKED_COUNT} {_COUNT} equal_integer"),
    ("compare_integer/less_left", f"{_LINKED_COUNT} {_COUNT} less"),
    ("compare_integer/greater_left", f"{_LINKED_COUNT} {_COUNT} greater"),
    ("compare_integer/equal_both", f"{_LINKED_COUNT} {_LINKED_COUNT} equal_integer"),
    ("compare_integer/less_both", f"{_LINKED_COUNT} {_LINKED_COUNT} less"),
    ("compare_integer/greater_both", f"{_LINKED_COUNT} {_LINKED_COUNT} greater"),
    ("comparison/equal[A]", f"{_QUERIED} query[A] {_QUERIED} query[A] equal"),
    ("comparison/equal_left[A]", f"{_LINKED_QUERIED} query[A] {_QUERIED} query[A] equal"),
    ("comparison/equal_right[A]", f"{_QUERIED} query[A] {_LINKED_QUERIED} query[A] equal"),
    ("comparison/equal_both[A]", f"{_LINKED_QUERIED} query[A] {_LINKED_QUERIED} query[A] equal"),
    ("same_relate/exist[A]", f"{_QUERIED} same[A] exist"),
    ("same_relate/count[A]", f"{_QUERIED} same[A] count"),
    ("same_relate/exist_filtered[A]", f"{_QUERIED} same[A] +-A exist"),
    ("same_relate/count_filtered[A]", f"{_QUERIED} same[A] +-A count"),
    ("same_relate/query[A][B]", f"{_QUERIED} same[A] *-A-B unique query[B]"),
    ("single_and/count", f"{_ONE} relate {_ONE} relate intersect * count"),
    ("single_and/query[A]", f"{_ONE} relate {_ONE} relate intersect *-A unique query[A]"),
    ("single_or/count", "scene + scene + union count"),
    ("single_or/count_filtered[A]", "scene +-A scene +-A union filter[A] count"),
    ("single_or/count_both", f"{_ONE} relate * {_ONE} relate * union count"),
    ("single_or/count_left", f"{_ONE} relate * scene + union count"),
    ("single_or/count_right", f"scene + {_ONE} relate * union count"),
)

_WORD = re.compile(r"(?P<op>[a-z_]+|[*+])(?:\[(?P<attribute>[A-Z])\])?(?P<barred>(?:-[A-Z])*)")


@dataclass(frozen=True, slots=True)
class FamilyWord:
    """One word of a shape, its attributes written out.

    Attributes:
        op: the op, or `*` or `+`.
        attribute: the op's attribute; of a `filter`, that of its value.
        barred: attributes of which a wildcard has no filter.
    """

    op: str
    attribute: str | None = None
    barred: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Family:
    """A shape with its attributes written out; `number` is its place among the families of its domain."""

    name: str
    number: int
    words: tuple[FamilyWord, ...]


def read_families(domain: Domain, shapes: tuple[tuple[str, str], ...] = SHAPES) -> tuple[Family, ...]:
    """The families of a domain: each shape with each choice of attributes, where the domain admits its ops.

    An attribute of a single value separates no objects and is left out; a domain without relations has no families
    with `relate`.

    Raises:
        DomainError: a shape has an unknown word.
    """
    attributes = [a for a in domain.attributes if len(domain.values(a)) > 1]
    families: list[Family] = []
    for name, shape in shapes:
        matches = [_match(word, name) for word in shape.split()]
        ops = {m["op"] for m in matches} - {"*", "+"}
        if not ops <= set(domain.ops) or (not domain.relations and "relate" in ops):
            continue
        letters = sorted({m["attribute"] for m in matches if m["attribute"]})
        for choice in itertools.permutations(attributes, len(letters)):
            meant = dict(zip(letters, choice, strict=True))
            full_name = name
            for letter, attribute in meant.items():
                full_name = full_name.replace(f"[{letter}]", f"[{attribute}]")
            families.append(Family(full_name, len(families), tuple(_word(m, meant) for m in matches)))
    return tuple(families)


@functools.lru_cache(maxsize=64)
def families_of(domain: Domain) -> tuple[Family, ...]:
    """The families of the table that suit a domain."""
    return read_families(domain)


def choose_families(domain: Domain, names: list[str]) -> tuple[Family, ...]:
    """The families of these names; `one_hop` stands for all whose names begin with `one_hop/`.

    Raises:
        DomainError: there is no such family.
    """
    known = families_of(domain)
    groups = dict.fromkeys(f.name.partition("/")[0] for f in known)
    for name in names:
        if name not in groups and all(f.name != name for f in known):
            near = did_you_mean(name, [*groups, *(f.name for f in known)]) or "; known: " + ", ".join(groups)
            raise DomainError(f"no question family '{name}'{near}")
    return tuple(f for f in known if f.name in names or f.name.partition("/")[0] in names)


def _match(word: str, name: str) -> re.Match[str]:
    match = _WORD.fullmatch(word)
    if match is None or (match["op"] not in "*+" and match["op"] not in OPS):
        raise DomainError(f"family '{name}': '{word}' is neither an op nor a wildcard for filters")
    return match


def _word(match: re.Match[str], meant: dict[str, str]) -> FamilyWord:
    barred = frozenset(meant[letter] for letter in match["barred"].split("-") if letter)
    return FamilyWord(match["op"], meant[match["attribute"]] if match["attribute"] else None, barred)
