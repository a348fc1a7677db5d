"""What an error about a question offers: words that could have stood somewhere, words that look like a wrong one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..dsl.domain import Domain
from .lexicon import Lexicon
from .tables import END
from .tokens import QuestionItem

MOST_EXPECTED = 7
MOST_NEAR = 3

_OPENERS = {
    "_HOW_MANY": "'how many'",
    "_WHAT": "'what'",
    "_IS_THERE": "'is there'",
    "_IS": "'is'",
    "_DO": "'does'",
    "_THERE_IS": "'there is'",
}
_OTHERS = {
    END: "the end",
    **_OPENERS,
    "_THE": "'the'",
    "DET": "'a'",
    "_THAT": "'that'",
    "_HAVE": "'has'",
    "_SAME": "'the same'",
    "_AS": "'as'",
    "_THAN": "'than'",
    "_OF": "'of'",
    "_MADE": "'made of'",
    "MADE_END": "'made of'",
    "_AND_NP": "'and'",
    "_AND_P": "'and'",
    "_AND_ADJ": "'and'",
    "AND_S": "'and'",
    "_OR_NP": "'or'",
    "_OR_P": "'or'",
    "_SEP": "';'",
    "IT": "'it'",
    "INTEGER": "a number",
    "_MORE": "'more'",
    "_FEWER": "'fewer'",
    "_SAME_AS": "'the same as'",
    "_RPAR": "')'",
}


def expected_names(domain: Domain, terminals: Iterable[str]) -> list[str]:
    """Names of what could stand somewhere: a few are enough, the most telling first."""
    open_here = set(terminals)
    begins = {"_HOW_MANY", "_WHAT"} <= open_here  # then a question begins, for which anything may be first
    names = _OPENERS if begins else _names(domain) | _OTHERS
    open_names = dict.fromkeys(name for terminal, name in names.items() if terminal in open_here)
    return list(open_names)[:MOST_EXPECTED]


def _names(domain: Domain) -> dict[str, str]:
    file = domain.file
    entries = file.attributes.values()
    nouns = [value.nouns[0] for entry in entries for value in entry.values.values() if value.nouns]
    adjectives = [
        next((word for value in entry.values.values() for word in value.adjectives if not value.nouns), "")
        for entry in entries
    ]

    def some(what: str, words: list[str], most: int = 3) -> str:
        words = [word for word in words if word]
        return f"{what} ({', '.join(words[:most])}{', ...' if len(words) > most else ''})" if words else what

    return {
        "NOUN": some("a noun", [*nouns, file.things[0]]),
        "ADJECTIVE": some("an adjective", adjectives),
        "ATTRIBUTE": some("an attribute", list(domain.attributes), 4),
        "RELATION": some("a relation", [file.relations[r].words[0] for r in domain.relations], 6),
    }


def near_words(lexicon: Lexicon, word: str, terminals: Iterable[str], before: QuestionItem | None) -> list[str]:
    """Words like a wrong one that fit in its place: at most one letter in four is other, missing or swapped."""
    from rapidfuzz.distance import OSA

    limit = 1 if len(word) <= 4 else 2 if len(word) <= 8 else 3
    open_here = set(terminals)
    near: list[tuple[int, bool, str]] = []
    for known in set(_fitting(lexicon, open_here, before)) if open_here else lexicon.words:
        if known != word and len(known) > 1:
            far = OSA.distance(word, known, score_cutoff=limit)
            if far <= min(limit, len(known) - 2):
                near.append((far, known[0] != word[0], known))
    return [known for _, _, known in sorted(near)[:MOST_NEAR]]


def _fitting(lexicon: Lexicon, open_here: set[str], before: QuestionItem | None) -> Iterator[str]:
    """First words of phrases that could stand here, and words that go on with a phrase that the word before begins."""
    for first, (alone, longer) in lexicon.phrases.items():
        phrases = [p for group in longer.values() for p in group] + ([alone] if alone is not None else [])
        if any(terminal in open_here for p in phrases for terminal, _ in p.senses):
            yield first
    if before is not None and " " not in before.text and before.text in lexicon.phrases:
        yield from lexicon.phrases[before.text].longer


def phrases_with(lexicon: Lexicon, word: str) -> list[str]:
    """Phrases that hold a word which does not stand alone: that it begins, then that it ends, then others; shortest
    first."""
    ranked: list[tuple[int, int, str]] = []
    for alone, longer in lexicon.phrases.values():
        for phrase in (*(p for group in longer.values() for p in group), *((alone,) if alone is not None else ())):
            if word in phrase.words and len(phrase.words) > 1:
                rank = 0 if phrase.words[0] == word else 1 if phrase.words[-1] == word else 2
                ranked.append((rank, len(phrase.text), phrase.text))
    return [text for _, _, text in sorted(set(ranked))[:MOST_NEAR]]
