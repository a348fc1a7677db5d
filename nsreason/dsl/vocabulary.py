"""Domains built from data whose vocabulary is open: thousands of names as people wrote them.

    counts = {"car": 900, "Fire Hydrant": 40, "fire  hydrant": 2}
    domain = Vocabulary.from_counts(counts, {"color": {"red": 70}}, {"on top of": 31}, least=2)
    domain.concepts                                   # ("red", "car", "fire-hydrant"): keys, which programs name
    Vocabulary(domain).value("name", "fire hydrant")  # "fire-hydrant"

A spelling is compared without regard to case and to the number of its blanks. The order of the domain is by count, the
most frequent first, and by spelling where counts are equal: it does not depend on the order of the data.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import DomainError
from .domain import Domain
from .domain_file import PLACE_KEYS, AttributeEntry, DomainFile, RelationEntry, ValueEntry

Counts = Mapping[str, int]

SECTIONS = ("names", "attributes", "relations")


def normal_spelling(text: str) -> str:
    """Return the text in lower case, with single blanks: the spelling that counts and look-ups compare."""
    return " ".join(text.casefold().split())


def slug(label: str) -> str:
    """Return a key for a label: `fire-hydrant` for 'fire hydrant', `t-shirt` for 'T-Shirt', `x3d` for '3D'.

    Accents are dropped. A letter that ASCII does not have becomes `u` with its code, so that no label has an empty key.
    """
    letters: list[str] = []
    for character in unicodedata.normalize("NFKD", label.casefold()):
        if unicodedata.combining(character):
            continue
        if character.isascii():
            letters.append(character if character.isalnum() or character == "_" else "-")
        else:
            letters.append(f"u{ord(character):x}" if character.isalnum() else "-")
    key = "-".join(part for part in "".join(letters).split("-") if part)
    if not key:
        key = "-".join(f"u{ord(character):x}" for character in label) or "blank"
    return key if key[0].isalpha() else f"x{key}"


class Vocabulary:
    """The spellings of a domain: from the words of data to the keys that its programs name."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self._values = {attribute: _spellings(entry.values) for attribute, entry in domain.file.attributes.items()}
        self._relations = _spellings(domain.file.relations)

    def value(self, attribute: str, spelling: str) -> str | None:
        """Return the key of the attribute's value that is spelled so; None where there is none.

        Raises:
            DomainError: the domain has no such attribute.
        """
        if attribute not in self._values:
            self.domain.values(attribute)  # raises, with the nearest names
        return self._values[attribute].get(normal_spelling(spelling))

    def relation(self, spelling: str) -> str | None:
        """Return the key of the relation that is spelled so; None where there is none."""
        return self._relations.get(normal_spelling(spelling))

    @staticmethod
    def from_counts(
        names: Counts,
        attributes: Counts | Mapping[str, Counts] | None = None,
        relations: Counts | None = None,
        *,
        least: int | Mapping[str, int] = 1,
        aliases: Mapping[str, str] | None = None,
        isa: Mapping[str, Iterable[str]] | None = None,
        answers: Mapping[str, str] | None = None,
        inverses: Mapping[str, str] | None = None,
        several_names: bool = False,
        closed: bool = True,
        domain: str = "vocabulary",
    ) -> Domain:
        """Build a domain from how often each name, attribute and relation occurs.

        The domain has an open attribute for each category of attributes (`attribute` where they come without
        categories), and the attribute `name` last, as in English.

        Args:
            names: count by spelling of what objects are called.
            attributes: count by spelling, or the same for each category: `{"color": {"red": 70}}`.
            relations: count by spelling.
            least: the count from which a spelling is taken, or one for each of `names`, `attributes`, `relations`.
                Counts of one spelling, and of its aliases, are added up before they are compared.
            aliases: spelling -> the spelling it counts as, in all three sections.
            isa: name -> the names that stand above it. These are taken whatever their count.
            answers: spelling -> the word that a question for it is answered with.
            inverses: relation -> its inverse; where one of the two is not taken, neither is the inverse of the other.
            several_names: whether an object may have several names, or none.
            closed: whether what a scene does not state does not hold.
            domain: the domain's name.

        Raises:
            DomainError: a count is no whole number of 0 or more, aliases or `isa` go in circles, or no name is left.
        """
        spelled = _Aliases(aliases or {})
        limits = _limits(least)
        answer_of = {spelled(spelling): answer for spelling, answer in (answers or {}).items()}
        above = _hierarchy(isa or {}, spelled)
        name_labels = _name_labels(_add_up(names, spelled, "names"), limits["names"], above)
        keys = _Keys()
        name_keys = {label: keys.take(label, "name") for label in name_labels}
        entries = _attribute_entries(attributes or {}, limits["attributes"], spelled, answer_of, keys)
        nouns = {
            key: ValueEntry(
                nouns=spelled.of(name),
                label=name,
                answer=answer_of.get(name),
                isa=tuple([name_keys[higher] for higher in above.get(name, ())]),
            )
            for name, key in name_keys.items()
        }
        entries["name"] = AttributeEntry(nouns, words=("name",), open=several_names)
        related = _frequent(_add_up(relations or {}, spelled, "relations"), limits["relations"])
        relation_entries = _relation_entries(related, inverses or {}, spelled)
        return Domain(DomainFile(domain, entries, relations=relation_entries, asks="name", closed=closed))


@dataclass
class _Aliases:
    """From any spelling to the label that it counts as, and back."""

    aliases: Mapping[str, str]
    _label: dict[str, str] = field(init=False)
    _of: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        direct = {normal_spelling(a): normal_spelling(b) for a, b in self.aliases.items()}
        self._label, self._of = {}, {}
        for spelling in direct:
            label, passed = spelling, {spelling}
            while (next_label := direct.get(label, label)) != label:
                if next_label in passed:
                    raise DomainError(f"aliases: '{spelling}' goes in a circle: {' -> '.join(sorted(passed))}")
                passed.add(next_label)
                label = next_label
            self._label[spelling] = label
            if spelling != label:
                self._of.setdefault(label, []).append(spelling)

    def __call__(self, text: str) -> str:
        """Return the label of a spelling."""
        spelling = normal_spelling(text)
        return self._label.get(spelling, spelling)

    def of(self, label: str) -> tuple[str, ...]:
        """Return the label and its aliases, sorted: how it may be spelled."""
        return (label, *sorted(self._of.get(label, ())))


@dataclass
class _Keys:
    """Keys of labels, no two the same."""

    used: set[str] = field(default_factory=set)

    def take(self, label: str, home: str) -> str:
        """Return the label's slug; where another label has it, with its attribute before it, and then with a number."""
        key = slug(label)
        if key in self.used:
            key = f"{home}-{key}"
        number, first = 2, key
        while key in self.used:
            key, number = f"{first}-{number}", number + 1
        self.used.add(key)
        return key


def _limits(least: int | Mapping[str, int]) -> dict[str, int]:
    if isinstance(least, int):
        return dict.fromkeys(SECTIONS, least)
    unknown = [section for section in least if section not in SECTIONS]
    if unknown:
        raise DomainError(f"least: no section '{unknown[0]}'; known: {', '.join(SECTIONS)}")
    return {section: least.get(section, 1) for section in SECTIONS}


def _add_up(counts: Counts, spelled: _Aliases, where: str) -> dict[str, int]:
    """Add up the counts of each label."""
    sums: dict[str, int] = {}
    for text, count in counts.items():
        if not isinstance(text, str) or isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise DomainError(f"{where}: a spelling and a count of 0 or more, got {text!r}: {count!r}")
        label = spelled(text)
        if label:  # blanks name nothing
            sums[label] = sums.get(label, 0) + count
    return sums


def _frequent(sums: Counts, least: int) -> list[str]:
    """Return the labels that occur often enough, the most frequent first."""
    return sorted((label for label, n in sums.items() if n >= least), key=lambda label: (-sums[label], label))


def _name_labels(sums: dict[str, int], least: int, above: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the names that occur often enough and all that stand above them, the most frequent first."""
    labels = dict.fromkeys(_frequent(sums, least))
    if not labels:
        raise DomainError(f"names: none occurs {least} times or more")
    for name in list(labels):
        labels.update(dict.fromkeys(_all_above(name, above)))
    return sorted(labels, key=lambda label: (-sums.get(label, 0), label))


def _attribute_entries(
    attributes: Counts | Mapping[str, Counts],
    least: int,
    spelled: _Aliases,
    answer_of: Mapping[str, str],
    keys: _Keys,
) -> dict[str, AttributeEntry]:
    """Return an open attribute for each category that has a frequent value."""
    entries: dict[str, AttributeEntry] = {}
    categories = _Keys({"name", *PLACE_KEYS})
    for category, counts in _categories(attributes).items():
        sums = _add_up(counts, spelled, f"attributes.{category}" if category else "attributes")
        labels = _frequent(sums, least)
        if labels:
            word = normal_spelling(category) or "attribute"
            key = categories.take(word, "attribute")
            values = {
                keys.take(label, key): ValueEntry(spelled.of(label), label=label, answer=answer_of.get(label))
                for label in labels
            }
            entries[key] = AttributeEntry(values, words=(word,), open=True)
    return entries


def _categories(attributes: Counts | Mapping[str, Counts]) -> dict[str, Counts]:
    """Return counts by category, the categories in the order of their names; those without a category under ''."""
    flat: dict[str, int] = {}
    nested: dict[str, Counts] = {}
    for key, entry in attributes.items():
        if isinstance(entry, Mapping):
            nested[key] = entry
        else:
            flat[key] = entry
    ordered = dict(sorted(nested.items()))
    return {"": flat, **ordered} if flat else ordered


def _hierarchy(isa: Mapping[str, Iterable[str]], spelled: _Aliases) -> dict[str, tuple[str, ...]]:
    """Return the labels directly above each label."""
    above: dict[str, dict[str, None]] = {}
    for name, higher in isa.items():
        labels = [spelled(text) for text in ([higher] if isinstance(higher, str) else higher)]
        above.setdefault(spelled(name), {}).update(dict.fromkeys(label for label in labels if label != spelled(name)))
    return {name: tuple(labels) for name, labels in above.items() if labels}


def _all_above(name: str, above: Mapping[str, tuple[str, ...]]) -> list[str]:
    reached: dict[str, None] = {}
    stack = list(above.get(name, ()))
    while stack:
        label = stack.pop()
        if label == name:
            raise DomainError(f"isa: '{name}' stands above itself")
        if label not in reached:
            reached[label] = None
            stack.extend(above.get(label, ()))
    return list(reached)


def _relation_entries(
    labels: Iterable[str], inverses: Mapping[str, str], spelled: _Aliases
) -> dict[str, RelationEntry]:
    keys = _Keys()
    key_of = {label: keys.take(label, "relation") for label in labels}
    inverse_of: dict[str, str] = {}
    for one, other in inverses.items():
        for a, b in ((spelled(one), spelled(other)), (spelled(other), spelled(one))):
            if inverse_of.setdefault(a, b) != b:
                raise DomainError(f"inverses: '{a}' has two, '{inverse_of[a]}' and '{b}'")
    return {
        key: RelationEntry(spelled.of(label), inverse=key_of.get(inverse_of.get(label, "")), label=label)
        for label, key in key_of.items()
    }


def _spellings(entries: Mapping[str, ValueEntry] | Mapping[str, RelationEntry]) -> dict[str, str]:
    """Map spellings to keys: labels come before other words, and these before keys."""
    key_of: dict[str, str] = {}
    for key, entry in entries.items():
        key_of.setdefault(normal_spelling(entry.label or key), key)
    for key, entry in entries.items():
        words = entry.words if isinstance(entry, RelationEntry) else (*entry.adjectives, *entry.nouns)
        for word in words:
            key_of.setdefault(normal_spelling(word), key)
    for key in entries:
        key_of.setdefault(normal_spelling(key), key)
    return key_of
