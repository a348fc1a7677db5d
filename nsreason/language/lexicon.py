"""From a question's characters to the words of a grammar.

The lexicon of a domain joins the phrases of the grammar's terminals (`_HOW_MANY: "how many" | "what number of"`) with
the words of the domain file: adjectives and nouns for values, words for attributes, relations and extremes. `read`
finds the longest phrases and lets neighbouring words settle what `and`, `or`, `both`, `one` or `made of` are.

Case, punctuation, hyphens, curly quotes and spacing do not matter, nor does number ('how many cube').
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..domain import Domain
from ..errors import DomainError, QuestionError, nearest

Sense = tuple[str, str]  # terminal, value

PLURAL = "+"  # ends the value of a NOUN that stands in the plural

_FOLD = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "“": " ", "”": " ", "„": " ", '"': " "})
# A word ('isn't' as 'is' and 'n't', "cube's" as 'cube' and "'s"), a mark, or (the group) a character of neither kind;
# spaces, hyphens, slashes and single quotes only separate.
_WORD = re.compile(r"[^\W_]+?(?=n't\b)|n't\b|'s\b|s'(?=\s)|[^\W_]+|[;:.,?!()]|([^\s'/_\-–—*])")
_NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_RESPELT = {"n't": ("not",), "whats": ("what", "'s"), "theres": ("there", "'s"), "s'": ("'s",)}
_SEPARATORS = frozenset(";:.?!")


class Item:
    """One phrase of a question: what it may be (first choice first), and where it begins.

    `live` says that neighbouring words may settle what it is.
    """

    __slots__ = ("live", "senses", "start", "text")

    def __init__(self, senses: tuple[Sense, ...], text: str, start: int, live: bool = False) -> None:
        self.senses, self.text, self.start, self.live = senses, text, start, live

    def __repr__(self) -> str:
        return f"Item({self.text!r}, {' | '.join(f'{t}={v}' if v else t for t, v in self.senses)})"

    def may(self, *terminals: str) -> bool:
        return any(terminal in terminals for terminal, _ in self.senses)

    def value(self, terminal: str) -> str | None:
        for other, value in self.senses:
            if other == terminal:
                return value
        return None


class Phrase(NamedTuple):
    """A phrase of the lexicon."""

    words: tuple[str, ...]
    senses: tuple[Sense, ...]
    text: str
    live: bool


_LIVE = frozenset(("_AND", "_OR", "_BOTH", "_EITHER", "_NEITHER", "_MADE", "_NOT", "EXTREME", "_SUFFIX"))


def _phrase(words: tuple[str, ...], senses: tuple[Sense, ...]) -> Phrase:
    live = words == ("one",) or any(t in _LIVE or (t, v) == ("DET", "all") for t, v in senses)
    return Phrase(words, senses, " ".join(words), live)


@dataclass
class Lexicon:
    """All phrases of one domain in one grammar, by their first word, longest first."""

    domain: Domain
    phrases: dict[str, list[Phrase]] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    suffixes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def read(self, text: str) -> list[Item]:
        """The phrases of a question.

        Raises:
            QuestionError: a word is not in the lexicon; near words are offered.
        """
        items, live = self._scan(text)
        return settle(items) if live else items

    def _scan(self, text: str) -> tuple[list[Item], bool]:
        words, starts = _split(text)
        while words and words[-1] in _SEPARATORS:
            words.pop()
        items: list[Item] = []
        any_live = False
        phrases = self.phrases
        i, n = 0, len(words)
        while i < n:
            word = words[i]
            for phrase in phrases.get(word, ()):
                length = len(phrase.words)
                if length == 1 or tuple(words[i : i + length]) == phrase.words:
                    break
            else:
                if word not in _MARKS:
                    raise self._unknown(text, word, starts[i])
                items.append(Item(_MARKS[word], word, starts[i], True))
                any_live = True
                i += 1
                continue
            _, senses, told, live = phrase
            if live:
                if senses[-1][0] == "_SUFFIX":
                    if items and self._is_suffix(told, items[-1]):
                        i += length
                        continue
                    senses = senses[:-1]
                any_live = True
            if senses and senses[0][0] != "NOISE":
                items.append(Item(senses, told, starts[i], live))
            i += length
        return items, any_live

    def _unknown(self, text: str, word: str, at: int) -> QuestionError:
        near = nearest(word, self.words)
        return QuestionError(f"the word '{word}' is not in the lexicon", text=text, position=at, near=near)

    def _is_suffix(self, text: str, before: Item) -> bool:
        """'red colored', 'cube shape': an attribute's suffix after one of its values adds nothing."""
        concept = (before.value("ADJECTIVE") or before.value("NOUN") or "").rstrip(PLURAL)
        attribute = self.domain.attribute_of.get(concept)
        return attribute is not None and text in self.suffixes[attribute]


_MARKS: dict[str, tuple[Sense, ...]] = {
    ",": (("_COMMA", ","),),
    "(": (("_LPAR", "("),),
    ")": (("_RPAR", ")"),),
    **{mark: (("_SEP", mark),) for mark in _SEPARATORS},
}


def _split(text: str) -> tuple[list[str], list[int]]:
    """Lower-case words and marks, each with its place in the text."""
    folded = text.translate(_FOLD).lower()
    if len(folded) != len(text):  # some letters grow when lowered; keep places true
        folded = "".join(c if len(c) == 1 else "?" for c in (ch.translate(_FOLD).lower() for ch in text))
    words: list[str] = []
    starts: list[int] = []
    for found in _WORD.finditer(folded):
        word = found.group()
        start = found.start()
        if found.lastindex is not None:
            message = f"the character '{text[start]}' has no place in a question"
            raise QuestionError(message, text=text, position=start)
        if word in _RESPELT:
            words += _RESPELT[word]
            starts += [start] * len(_RESPELT[word])
        else:
            words.append(word)
            starts.append(start)
    return words, starts


# --- what the neighbours settle --------------------------------------------------------------------------------------

_SENTENCE = ("_WHAT", "_HOW_MANY", "HOW", "_IS_THERE", "_THERE_IS", "_DO", "_COUNT")
_CLAUSE = ("RELATION", "COMPARATIVE", "EXTREME", "_SAME", "_DIFFERENT", "_MADE", "_OF", "_HAVE", "_SHARE", "_SHARING")
_NAME = ("_THE", "DET", "NOUN", "ANYTHING", "IT", "THEM", "ITS", "_BOTH", "_EITHER")
_ORDER = {
    "NP": ("_NP", "_P", "_ADJ", "_S"),
    "ADJ": ("_ADJ", "_P", "_NP", "_S"),
    "P": ("_P", "_ADJ", "_NP", "_S"),
    "S": ("_S", "_P", "_NP", "_ADJ"),
}


def settle(items: list[Item]) -> list[Item]:
    """Resolve the words whose role shows in their neighbours."""
    items = _separated(_commas(items))
    settled: list[Item] = []
    openers: list[Item] = []
    i = 0
    while i < len(items):
        item = items[i]
        i += 1
        if not item.live:
            settled.append(item)
            continue
        before = settled[-1] if settled else None
        after = items[i] if i < len(items) else None
        kind = item.senses[0][0]
        if kind in ("_AND", "_OR"):
            role, skipped = _coordination(items, i - 1, before)
            item.senses = tuple((kind + r, "") for r in _ORDER[role])
            if _close(openers, kind, role, settled) and kind == "_AND" and role == "ADJ":
                item.senses = (("_AND_BOTH", ""), *item.senses)
            i += skipped
        elif kind in ("_BOTH", "_EITHER", "_NEITHER"):
            openers.append(item)
        elif kind == "_MADE":
            item.senses = _made(items, i - 1, before)
        elif kind == "_NOT" and before is not None and before.may("NOUN", "ANYTHING") and after is not None:
            if after.may("RELATION", "_MADE", "_OF"):
                item.senses = (("_NOT_NEAR", ""),)
        elif item.may("EXTREME"):
            item.senses = _extreme(item, before, after)
        elif item.text == "one" and after is not None and after.may("ADJECTIVE", "NOUN"):
            item.senses = tuple(sorted(item.senses, key=lambda s: s[0] != "INTEGER"))
        settled.append(item)
    for item in openers:
        if item.may("_BOTH"):
            item.senses = (("DET", "all"),)  # 'both cubes': nothing is joined
        else:
            settled = [s for s in settled if s is not item]
    for before, item in itertools.pairwise(settled):
        if item.live and item.value("DET") == "all" and before.may("NOUN", "IT", "THEM"):
            item.senses = (("FLOATING", "all"), *item.senses)  # 'are the cubes all red'
    return settled


def _separated(items: list[Item]) -> list[Item]:
    """At most one separator between words, none at the ends."""
    kept: list[Item] = []
    for item in items:
        if item.live and item.may("_SEP") and (not kept or kept[-1].may("_SEP")):
            continue
        kept.append(item)
    while kept and kept[-1].live and kept[-1].may("_SEP"):
        kept.pop()
    return kept


def _extreme(item: Item, before: Item | None, after: Item | None) -> tuple[Sense, ...]:
    """'the left cube' and 'the cube on the left' against 'left of the cube'."""
    others = tuple(s for s in item.senses if s[0] != "EXTREME")
    value = item.value("EXTREME") or ""
    if others and not (before is not None and before.may("_THE", "DET", "ADJECTIVE") and after and after.may("NOUN")):
        return (*others, ("EXTREME", value))
    if before is not None and before.may("NOUN", "ANYTHING", "IT"):
        return (("EXTREME_AFTER", value), ("EXTREME", value))
    return (("EXTREME", value), *others)


def _made(items: list[Item], i: int, before: Item | None) -> tuple[Sense, ...]:
    """'What is it made of?' ends; 'are they made of the same material' speaks of a pair; and in 'is the cube left of
    the ball made of metal' the last `made of` is the predicate, not part of the ball."""
    value = items[i].senses[0][1]
    rest = items[i + 1 :]
    if not rest or rest[0].may("_SEP"):
        return (("MADE_END", value), ("_MADE", value))
    if rest[0].may("_SAME", "_DIFFERENT"):
        k = 1
        while k < len(rest) and rest[k].may("ATTRIBUTE", "_AND"):
            k += 1
        if k == len(rest) or rest[k].may("_SEP"):
            return (("_MADE_PAIR", value), ("_MADE", value))
    start = max((k + 1 for k in range(i) if items[k].may("_SEP")), default=0)
    of_noun = before is not None and before.may("NOUN", "ANYTHING", "IT", "THEM")
    if of_noun and items[start].senses[0][0] == "_IS" and not any(x.may("_MADE") for x in rest):
        return (("_MADE_IS", value), ("_MADE", value))
    return (("_MADE", value), ("_MADE_IS", value))


def _coordination(items: list[Item], i: int, before: Item | None) -> tuple[str, int]:
    """What an `and` or `or` joins (noun phrases, adjectives, predicates, sentences), and how many words it swallows."""
    after = items[i + 1] if i + 1 < len(items) else None
    then = items[i + 2] if i + 2 < len(items) else None
    if after is None:
        return "S", 0
    if after.may("_THAT") and then is not None and then.may("_IS", "_HAVE", "_SHARE"):
        return "P", 2 if then.may("_IS") else 1
    if after.may("_IS") and then is not None:
        predicate = then.may("ADJECTIVE", "_NOT", "_EITHER", "_BOTH", *_CLAUSE) or then.value("DET") == "a"
        return ("P", 1) if predicate else ("S", 0)
    if after.may(*_SENTENCE):
        return "S", 0
    if after.may("ATTRIBUTE", "_NON"):
        return "ADJ", 0
    if after.may("ADJECTIVE", "OTHER") or (after.may("EXTREME") and then is not None and then.may("NOUN", "ADJECTIVE")):
        k = i + 1
        while k < len(items) and items[k].may("ADJECTIVE", "OTHER", "EXTREME", "_AND", "_OR"):
            k += 1
        adjective = before is not None and before.may("ADJECTIVE")
        if k < len(items) and items[k].may("NOUN", "ANYTHING"):
            return ("ADJ" if adjective else "NP"), 0
        return ("ADJ" if adjective else "P"), 0
    if after.may("_NOT"):
        return ("ADJ" if before is not None and before.may("ADJECTIVE") and then and then.may("ADJECTIVE") else "P"), 0
    if after.may("_LPAR", *_CLAUSE):
        return "P", 0
    if after.may(*_NAME):
        return ("P" if before is not None and before.may("ADJECTIVE") else "NP"), 0
    return "NP", 0


def _close(openers: list[Item], kind: str, role: str, settled: list[Item]) -> bool:
    """Pair an `and` with the `both` before it, an `or` with the `either`; whether there was one. Before mere adjectives
    the opener is dropped: the adjectives alone are parsed."""
    wanted = ("_BOTH",) if kind == "_AND" else ("_EITHER", "_NEITHER")
    if role == "S" or not openers or not openers[-1].may(*wanted):
        return False
    opener = openers.pop()
    if role == "ADJ" and not opener.may("_NEITHER"):
        settled[:] = [s for s in settled if s is not opener]
    return True


def _commas(items: list[Item]) -> list[Item]:
    """A comma joins like the `and` or `or` that ends its list ('cubes, balls and tubes'); any other is dropped."""
    if not any(item.text == "," for item in items):
        return items
    kept: list[Item] = []
    for i, item in enumerate(items):
        if not item.may("_COMMA"):
            kept.append(item)
            continue
        after = items[i + 1] if i + 1 < len(items) else None
        if after is None or not kept or not kept[-1].may("NOUN", "ADJECTIVE") or not after.may(
            "NOUN", "ADJECTIVE", "DET", "_THE"
        ):
            continue
        for later in items[i + 1 :]:
            if later.may("_AND", "_OR"):
                kept.append(Item(later.senses, ",", item.start, True))
                break
            if not later.may("NOUN", "ADJECTIVE", "DET", "_THE", "_COMMA"):
                break
    return kept


# --- making a lexicon ------------------------------------------------------------------------------------------------


def lexicon_for(domain: Domain, grammar: str) -> Lexicon:
    """The lexicon of a domain in a grammar, given as text.

    Raises:
        DomainError: a word of the domain stands for two values, or for two attributes or relations.
    """
    return _lexicon(domain, tuple(phrase_lists(grammar)))


def phrase_lists(grammar: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The terminals of a grammar that are lists of phrases: `NAME: "a phrase" | "another"`."""
    for name, body in re.findall(r'^([A-Z_]+):((?:\s*\|?\s*"[^"\n]*")+)$', grammar, flags=re.MULTILINE):
        yield name, tuple(re.findall(r'"([^"]*)"', body))


@functools.lru_cache(maxsize=32)
def _lexicon(domain: Domain, terminals: tuple[tuple[str, tuple[str, ...]], ...]) -> Lexicon:
    senses: dict[tuple[str, ...], list[Sense]] = {}

    def add(phrase: str, terminal: str, value: str) -> None:
        words = tuple(_split(phrase)[0])
        known = senses.setdefault(words, [])
        clash = next((v for t, v in known if t == terminal and v.rstrip(PLURAL) != value.rstrip(PLURAL)), None)
        if clash is not None:
            raise DomainError(f"domain '{domain.name}': '{phrase}' means both '{clash}' and '{value}'")
        if (terminal, value) not in known and (terminal, value.rstrip(PLURAL)) not in known:
            known.append((terminal, value))

    _add_domain(domain, add)
    for n, word in enumerate(_NUMBERS):
        add(word, "INTEGER", str(n))
        add(str(n), "INTEGER", str(n))
    for n in range(len(_NUMBERS), 101):
        add(str(n), "INTEGER", str(n))
    for name, phrases in terminals:
        determiner = {"_A": "a", "_ANY": "any", "_ALL": "all", "_NO": "no", "_MOST": "most"}.get(name)
        for phrase in phrases:
            add(phrase, "DET" if determiner else name, determiner or "")
    add("that", "_THE", "")
    add("'s", "_POSSESSIVE", "")
    add("'s", "_IS", "")
    lexicon = Lexicon(domain)
    for words, found in senses.items():
        # A word that says nothing elsewhere ('exactly') may say something here: real senses first.
        ranked = tuple(sorted(found, key=lambda s: ("NOISE", "_SUFFIX").count(s[0])))
        lexicon.phrases.setdefault(words[0], []).append(_phrase(words, ranked))
    for entries in lexicon.phrases.values():
        entries.sort(key=lambda e: -len(e.words))
    lexicon.words = frozenset(w for words in senses for w in words if len(w) > 2)
    lexicon.suffixes = {
        a: frozenset(" ".join(_split(s)[0]) for s in domain.file.attributes[a].suffixes) for a in domain.attributes
    }
    return lexicon


def _add_domain(domain: Domain, add: Callable[[str, str, str], None]) -> None:
    for thing in (*domain.file.things, "one"):
        add(thing, "NOUN", "")
        for plural in plurals(thing):
            add(plural, "NOUN", PLURAL)
    for attribute, entry in domain.file.attributes.items():
        for word in entry.words or (attribute.replace("_", " "),):
            add(word, "ATTRIBUTE", attribute)
            for plural in plurals(word):
                add(plural, "ATTRIBUTE", attribute)
        for phrase in entry.how:
            add(phrase, "HOW", attribute)
        for phrase in entry.made:
            add(phrase, "_MADE", attribute)
        for value, told in entry.values.items():
            for word in told.adjectives:
                add(word, "ADJECTIVE", value)
            for word in told.nouns:
                add(word, "NOUN", value)
            for word in (*told.plurals, *(p for n in told.nouns for p in plurals(n))):
                add(word, "NOUN", value + PLURAL)
            for phrase in told.comparatives:
                add(phrase, "COMPARATIVE", value)
            if not told.adjectives and not told.nouns:
                add(value.replace("_", " "), "ADJECTIVE", value)
    for relation, spoken in domain.file.relations.items():
        for phrase in spoken.words:
            add(phrase, "RELATION", relation)
        for phrase in spoken.extremes:
            add(phrase, "EXTREME", relation)
    for entry in domain.file.attributes.values():
        for suffix in entry.suffixes:
            add(suffix, "_SUFFIX", "")


def plurals(noun: str) -> tuple[str, ...]:
    """The regular English plural of a noun."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return (noun + "es",)
    if noun.endswith("y") and noun[-2:-1] not in set("aeiou"):
        return (noun[:-1] + "ies",)
    return (noun + "s",)
