"""From a question's characters to the words of a grammar.

The lexicon of a domain joins the phrases of the grammar's terminals (`_HOW_MANY: "how many" | "what number of"`) with
the words of the domain file: adjectives and nouns for values, words for attributes, relations and extremes. `read`
finds the longest phrases; what `and`, `or`, `both`, `one` or `made of` are is judged in `disambiguation`.

Case, punctuation (of any script), hyphens, curly quotes and spacing do not matter, nor does number ('how many cube').
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..dsl.domain import Domain
from ..errors import DomainError, QuestionError
from .beyond import CHECKED, beyond
from .disambiguation import settle
from .domain_words import domain_words
from .tokens import PLURAL, QuestionItem, Sense, UnknownWord

MAX_WORDS = 400  # longer questions are refused: no person typed them
MAX_CHARACTERS = 20_000  # of which most would be spaces, marks and words that say nothing

_FOLD = str.maketrans({"`": "'", '"': " "})
_MARKED = {
    **dict.fromkeys("’‘ʼ´ʹ′＇", "'"),
    **dict.fromkeys("…‥⋯。．｡", "."),
    **dict.fromkeys("，、､", ","),
    **dict.fromkeys("¿¡\u200b", " "),  # a zero-width space is a space; what else has no width is left out
}
# A word ('isn't' as 'is' and 'n't', "cube's" as 'cube' and "'s"), a mark, or (the group) a character of neither kind;
# spaces, hyphens, slashes and single quotes only separate.
_WORD = re.compile(r"[^\W_]+?(?=n't\b)|n't\b|'s\b|'re\b|(?<=s)'(?=\s+\w)|[^\W_]+|[;:.,?!()&#]|([^\s'/_\-–—*])")
_NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_RESPELT = {
    **{f"{verb}nt": (verb, "n't") for verb in ("is", "are", "do", "does", "did", "was", "were", "have", "has")},
    **{f"{word}s": (word, "'s") for word in ("what", "there", "that", "which")},
    "'re": ("are",),
    "'": ("'s",),
    "ca": ("can",),
    "cannot": ("can", "not"),
    "u": ("you",),
    "w": ("with",),
    "&": ("and",),
    "#": ("number",),
}
_ASKS = frozenset(("is", "are", "do", "does", "did", "was", "were", "can", "have", "has"))
_SEPARATORS = frozenset(";:.?!")
_BREAKS = _SEPARATORS | {",", "and", "or"}


class Phrase(NamedTuple):
    """A phrase of the lexicon; one without senses says nothing ('please'). `suffix`: it says nothing after a value."""

    words: list[str]
    senses: tuple[Sense, ...]
    text: str
    live: bool
    suffix: bool


_LIVE = frozenset(
    (
        *("_AND", "_OR", "_BOTH", "_EITHER", "_NEITHER", "_MADE", "_NOT", "_THAT", "EXTREME", "_IF", "_REMAIN"),
        *("_COMMA", "_SEP"),
    )
)


def _phrase(words: tuple[str, ...], senses: tuple[Sense, ...]) -> Phrase:
    suffix = senses[-1][0] == "_SUFFIX"
    meanings = tuple(sense for sense in senses if sense[0] != "_SUFFIX")
    if meanings and meanings[0][0] == "NOISE":
        meanings = ()
    live = (
        words == ("one",)
        or words[0] == "then"
        or any(t in _LIVE or (t == "DET" and v[:3] == "all") for t, v in meanings)
    )
    return Phrase(list(words), meanings, " ".join(words), live, suffix)


class WordEntry(NamedTuple):
    """The phrases that begin with one word: the word alone, and longer ones by their second word, longest first."""

    alone: Phrase | None
    longer: dict[str, list[Phrase]]


@dataclass
class Lexicon:
    """All phrases of one domain in one grammar, by their first word."""

    domain: Domain
    phrases: dict[str, WordEntry] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    suffixes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def read(self, text: str) -> list[QuestionItem]:
        """The phrases of a question.

        Raises:
            UnknownWord: a word is not in the lexicon.
            QuestionError: a character or a word has no place in any question, or there are too many of them.
        """
        if len(text) > MAX_CHARACTERS:
            message = f"the question has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read"
            raise QuestionError(message, text=text, position=MAX_CHARACTERS)
        items, live = self._scan(text)
        if len(items) > 2 * MAX_WORDS:  # most marks are dropped below, but not so many
            raise too_long(text, items)
        items = settle(items) if live else items
        if len(items) > MAX_WORDS:
            raise too_long(text, items)
        return items

    def _scan(self, text: str) -> tuple[list[QuestionItem], bool]:
        words, starts = _split(text)
        while words and words[-1] in _SEPARATORS:
            words.pop()
        items: list[QuestionItem] = []
        any_live = False
        phrases = self.phrases
        i, n = 0, len(words)
        while i < n:
            entry = phrases.get(words[i])
            if entry is None:
                if not _is_number(words[i]):
                    raise UnknownWord(words[i], starts[i], items)
                items.append(QuestionItem((("INTEGER", str(int(words[i]))),), words[i], starts[i]))
                i += 1
                continue
            phrase, longer = entry
            length = 1
            if longer and i + 1 < n:
                for candidate in longer.get(words[i + 1], ()):
                    more = len(candidate.words)
                    if more == 2 or words[i : i + more] == candidate.words:
                        phrase, length = candidate, more
                        break
            if phrase is None:
                raise UnknownWord(words[i], starts[i], items)
            _, senses, spelling, live, suffix = phrase
            if suffix and items and self._is_suffix(spelling, items[-1]):
                pass
            elif senses:
                items.append(QuestionItem(senses, spelling, starts[i], live))
                any_live = any_live or live
                if senses[0][0] in CHECKED and (refused := beyond(items)):
                    raise QuestionError(refused[1], text=text, position=refused[0].start)
            elif suffix:
                raise QuestionError(f"'{spelling}' says nothing here", text=text, position=starts[i])
            i += length
        return items, any_live

    def _is_suffix(self, text: str, before: QuestionItem) -> bool:
        """'red colored', 'cube shape': an attribute's suffix after one of its values adds nothing."""
        concept = (before.value("ADJECTIVE") or before.value("NOUN") or "").rstrip(PLURAL)
        attribute = self.domain.attribute_of.get(concept)
        return attribute is not None and text in self.suffixes[attribute]


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 9


_MARKS = {",": "_COMMA", "(": "_LPAR", ")": "_RPAR", **dict.fromkeys(_SEPARATORS, "_SEP")}


def _split(text: str) -> tuple[list[str], list[int]]:
    """Lower-case words and marks, each with its place in the text."""
    folded, places = (text.translate(_FOLD).lower(), None) if text.isascii() else _folded(text)
    words: list[str] = []
    starts: list[int] = []
    for match in _WORD.finditer(folded):
        word = match.group()
        start = match.start() if places is None else places[match.start()]
        if match.lastindex is not None:
            message = f"the character {text[start]!r} has no place in a question"
            raise QuestionError(message, text=text, position=start)
        for part in _RESPELT.get(word, (word,)):
            if part == "n't":
                if words and words[-1] in _ASKS and (len(words) == 1 or words[-2] in _BREAKS):
                    continue  # 'isn't there a cube?' asks what 'is there a cube?' asks
                part = "not"
            words.append(part)
            starts.append(start)
    return words, starts


def _folded(text: str) -> tuple[str, list[int]]:
    """The text with plain marks for those of other scripts and widths, in lower case, and each character's place."""
    out: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if out and unicodedata.combining(character):
            joined = unicodedata.normalize("NFC", out[-1] + character)
            if len(joined) == 1:  # a letter and its accent are one letter
                out[-1] = joined
                continue
        plain = _plain(character)
        if plain:
            out.append(plain)
            places.append(place)
    return "".join(out), places


@functools.lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    """One character for another, or none."""
    marked = _MARKED.get(character)
    if marked is not None:
        return marked
    category = unicodedata.category(character)
    if category == "Cf" or "\ufe00" <= character <= "\ufe0f":  # joiners, soft hyphens, marks of direction, variations
        return ""
    narrow = unicodedata.normalize("NFKC", character)
    if narrow.isascii() and len(narrow) == 1:
        return narrow.translate(_FOLD).lower()
    return " " if category[0] == "P" else character.lower()[0]


def too_long(text: str, items: Sequence[QuestionItem]) -> QuestionError:
    """The error of a question with more phrases than are read."""
    message = f"the question has {len(items)} words; at most {MAX_WORDS} are read"
    return QuestionError(message, text=text, position=items[MAX_WORDS].start)


# --- making a lexicon ------------------------------------------------------------------------------------------------


def lexicon_for(domain: Domain, grammar: str) -> Lexicon:
    """The lexicon of a domain in a grammar, given as text.

    Raises:
        DomainError: a word of the domain stands for two values, or for two attributes or relations.
    """
    return _lexicon(domain, tuple(phrase_lists(grammar)))


_RANK = {"ATTRIBUTE": 0, "NOISE": 2, "_SUFFIX": 2}

# Terminals of the grammar file that are one in the grammar, each with its own value.
_MERGED = {
    **{f"_{v.upper()}": ("DET", v) for v in ("a", "any", "all", "no", "most", "only")},
    "_ANOTHER": ("OTHER", "another"),
    "_EVERYTHING": ("ANYTHING", "all"),
    "_NOTHING": ("ANYTHING", "no"),
    "_THESE": ("THEM", "these"),
}


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

    for phrase, terminal, value in domain_words(domain):
        add(phrase, terminal, value)
    for n, word in enumerate(_NUMBERS):
        add(word, "INTEGER", str(n))
    for pair in ("a couple of", "a pair of"):
        add(pair, "INTEGER", "2")
    for name, phrases in terminals:
        terminal, value = _MERGED.get(name, (name, ""))
        for phrase in phrases:
            of_the = terminal == "DET" and phrase.endswith((" the", " these"))  # takes from known things
            add(phrase, terminal, f"{value} the" if of_the else value)
    for terminal in ("_POSSESSIVE", "_IS", "_SLIP"):
        add("'s", terminal, "")
    for known in senses.values():
        if ("_SAME", "") in known:
            known.append(("_SAME_POST", ""))  # 'a cube the same size as the ball', when 'is the cube the same' is out
    for mark, terminal in _MARKS.items():
        senses[(mark,)] = [(terminal, mark)]
    lexicon = Lexicon(domain)
    for words, of_words in sorted(senses.items(), key=lambda entry: -len(entry[0])):
        # A word that says nothing elsewhere ('exactly') may say something here: real senses first. And where 'shape' is
        # both a word for things and for an attribute, it is the attribute if it can be.
        new_phrase = _phrase(words, tuple(sorted(of_words, key=lambda s: _RANK.get(s[0], 1))))
        entry = lexicon.phrases.setdefault(words[0], WordEntry(None, {}))
        if len(words) == 1:
            lexicon.phrases[words[0]] = entry._replace(alone=new_phrase)
        else:
            entry.longer.setdefault(words[1], []).append(new_phrase)
    lexicon.words = frozenset(w for words in senses for w in words if len(w) > 2)
    lexicon.suffixes = {
        a: frozenset(" ".join(_split(s)[0]) for s in domain.file.attributes[a].suffixes) for a in domain.attributes
    }
    return lexicon
