"""The words of a domain file as phrases of the grammar's terminals."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ..dsl.domain import AttributeEntry, Domain, RelationEntry, ValueEntry
from .tokens import PLURAL, REGION

DomainWord = tuple[str, str, str]  # a phrase, its terminal, the value that it says


def domain_words(domain: Domain) -> Iterator[DomainWord]:
    """Generate the words for things, attributes with their values, and relations; of one phrase, the first sense is
    the preferred one.
    """
    for thing in (*domain.file.things, "one"):
        yield thing, "NOUN", ""
        for plural in plurals(thing):
            yield plural, "NOUN", PLURAL
    for attribute, entry in domain.file.attributes.items():
        yield from _attribute_words(attribute, entry)
        for value, value_entry in entry.values.items():
            yield from _value_words(value, value_entry)
    for relation, relation_entry in domain.file.relations.items():
        yield from _relation_words(relation, relation_entry)
    yield from _suffixes(domain)


def _attribute_words(attribute: str, entry: AttributeEntry) -> Iterator[DomainWord]:
    for word in entry.words or (attribute.replace("_", " "),):
        yield word, "ATTRIBUTE", attribute
        for plural in plurals(word):
            yield plural, "ATTRIBUTE", attribute
    for phrase in entry.how:
        yield phrase, "HOW", attribute
        if phrase.startswith("how "):
            yield f"as {phrase[4:]} as", "AS_AS", attribute
    for phrase in entry.prefixes:
        yield phrase, "_MADE", attribute


def _value_words(value: str, entry: ValueEntry) -> Iterator[DomainWord]:
    for word in entry.adjectives:
        yield word, "ADJECTIVE", value
    for word in entry.nouns:
        yield word, "NOUN", value
    for word in (*entry.plurals, *(plural for noun in entry.nouns for plural in plurals(noun))):
        yield word, "NOUN", value + PLURAL
    for phrase in entry.comparatives:
        yield phrase, "COMPARATIVE", value
    if not entry.adjectives and not entry.nouns:
        yield value.replace("_", " "), "ADJECTIVE", value


def _relation_words(relation: str, entry: RelationEntry) -> Iterator[DomainWord]:
    for phrase in entry.words:
        yield phrase, "RELATION", relation
        side = re.fullmatch(r"(on|to|at) the ([\w ]+) of", phrase)
        if side:  # 'to the left of it' is 'to its left', and of the ball 'to the ball's left'
            yield side[2], "SIDE", relation
            for its in ("its", "their"):
                yield f"{side[1]} {its} {side[2]}", "RELATION_ITS", relation
    for phrase in extremes_of(entry):
        yield phrase, "EXTREME", relation
    for phrase in entry.regions:
        yield phrase, "EXTREME", relation + REGION


def _suffixes(domain: Domain) -> Iterator[DomainWord]:
    """What may follow a value ('colored'); one that only one attribute has may say it ('different colored cubes')."""
    shared = Counter(s for entry in domain.file.attributes.values() for s in set(entry.suffixes))
    for attribute, entry in domain.file.attributes.items():
        for suffix in entry.suffixes:
            if shared[suffix] == 1:
                yield suffix, "VALUED", attribute
            yield suffix, "_SUFFIX", ""


def extremes_of(relation: RelationEntry) -> tuple[str, ...]:
    """The words for the extremes of a relation; 'furthest inside' where the domain has none."""
    return relation.extremes or tuple(f"furthest {words}" for words in relation.words[:1])


def plurals(noun: str) -> tuple[str, ...]:
    """The regular English plurals of a noun; of 'kind of object' both 'kinds of object' and 'kinds of objects'."""
    head, of, rest = noun.partition(" of ")
    if of:
        return (noun[: -len(rest)] + _plural(rest), *(f"{_plural(head)} of {end}" for end in (rest, _plural(rest))))
    return (_plural(noun),)


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in set("aeiou"):
        return noun[:-1] + "ies"
    return noun + "s"
