"""Questions in English to programs. The way back is `describe`, in nsreason.describe.

    parse_question("How many red cubes are left of the ball?", "clevr")

The grammar is `grammars/clevr_questions.lark`; its words for values and relations are the domain's. It is LALR, so one
question costs about a tenth of a millisecond. What the phrases mean stands in nsreason.language.

Ambiguity. A clause belongs to the nearest noun before it: in 'the cube left of the ball behind the cone', the ball is
behind the cone. Where that reading does not make a whole question, all readings are found (Earley) and the one with the
shortest program is taken; `readings` lists them all.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from .canonical import equivalent
from .domain import Domain, load_domain
from .errors import DomainError, QuestionError
from .language.composer import Composer
from .language.items import Item
from .language.lexicon import Lexicon, lexicon_for
from .language.parser import Stopped, grammar_text, table
from .language.tables import END
from .program import Program

MAX_WORDS = 400  # longer questions are refused: no person typed them
MAX_EXPECTED = 14  # things that an error says could have stood there


class QuestionParser:
    """The question grammar of one domain."""

    def __init__(self, domain: Domain) -> None:
        """Raises DomainError when the domain names no question grammar or its words clash."""
        if domain.file.questions is None:
            raise DomainError(f"domain '{domain.name}' names no question grammar (key 'questions')")
        self.domain = domain
        self.grammar = domain.file.questions
        self._table = table(self.grammar)
        self.lexicon: Lexicon = lexicon_for(domain, grammar_text(self.grammar))

    def parse(self, text: str) -> Program:
        """The program of a question.

        Raises:
            QuestionError: with the position, what could have stood there, and near words.
        """
        items = self._read(text)
        try:
            tree = next(self._table.walks(items))
        except Stopped as stopped:
            raise self._error(text, items, stopped) from None
        try:
            return Composer(self.domain, text).program(tree)
        except QuestionError as error:
            found = next(self._composed(text, items), None)
            if found is None:
                raise error from None
            return found

    def readings(self, text: str) -> list[Program]:
        """Every reading of a question, the chosen one first; equivalent ones once.

        Raises:
            QuestionError: there is none.
        """
        distinct = [self.parse(text)]
        for program in self._composed(text, self._read(text)):
            if not any(equivalent(program, p) for p in distinct):
                distinct.append(program)
        return distinct

    def _composed(self, text: str, items: list[Item]) -> Iterator[Program]:
        """The programs of all walks that mean something: first the natural readings, then those that forgive slips."""
        for strict in (True, False):
            for tree in self._table.walks(items, every=True):
                try:
                    yield Composer(self.domain, text, strict=strict).program(tree)
                except QuestionError:
                    continue

    def _read(self, text: str) -> list[Item]:
        items = self.lexicon.read(text)
        if not items:
            raise self._error(text, items, Stopped(0))
        if len(items) > MAX_WORDS:
            raise QuestionError(
                f"the question has {len(items)} words; at most {MAX_WORDS} are read",
                text=text,
                position=items[MAX_WORDS].start,
            )
        return items

    def _error(self, text: str, items: list[Item], stopped: Stopped) -> QuestionError:
        open_here = self._table.expected(items[: stopped.at])
        told = [name for terminal, name in _terminal_names(self.domain).items() if terminal in open_here]
        expected = list(dict.fromkeys(told))[:MAX_EXPECTED]
        if stopped.at >= len(items):
            message = "the question ends too early" if items else "there is no question here"
            return QuestionError(message, text=text, position=len(text.rstrip("?!. \n")), expected=expected)
        wrong = items[stopped.at]
        return QuestionError(f"'{wrong.text}' does not fit here", text=text, position=wrong.start, expected=expected)


def _terminal_names(domain: Domain) -> dict[str, str]:
    """How an error message names the terminals that could stand somewhere."""
    values = {a: domain.values(a) for a in domain.attributes}
    adjectives = [v for a in values for v in values[a] if not domain.file.attributes[a].values[v].nouns]
    nouns = [v for a in values for v in values[a] if domain.file.attributes[a].values[v].nouns]

    def some(what: str, words: list[str]) -> str:
        return f"{what} ({', '.join(words[:4])}, ...)" if words else what

    thing = domain.file.things[0]
    return {
        END: "the end",
        "NOUN": some("a noun", [*nouns, thing]),
        "ADJECTIVE": some("an adjective", adjectives),
        "ATTRIBUTE": f"an attribute ({', '.join(domain.attributes)})",
        "RELATION": some("a relation", [domain.file.relations[r].words[0] for r in domain.relations]),
        "EXTREME": some("an extreme", [e for r in domain.file.relations.values() for e in r.extremes[:1]]),
        "_THE": "'the'",
        "DET": "'a', 'any', 'all'",
        "INTEGER": "a number",
        "IT": "'it'",
        "_HOW_MANY": "'how many'",
        "_WHAT": "'what'",
        "HOW": some("a question", [h for a in domain.file.attributes.values() for h in a.how[:1]]),
        "_IS": "'is' or 'are'",
        "_IS_THERE": "'is there' or 'are there'",
        "_THERE_IS": "'there is'",
        "_DO": "'do' or 'does'",
        "_HAVE": "'have' or 'has'",
        "_THAT": "'that'",
        "_SAME": "'the same'",
        "_SAME_AS": "'the same as'",
        "_AS": "'as'",
        "_THAN": "'than'",
        "_OF": "'of'",
        "_MORE": "'more'",
        "_FEWER": "'fewer'",
        "_AND_NP": "'and'",
        "_AND_P": "'and'",
        "_OR_NP": "'or'",
        "_OR_P": "'or'",
        "_SEP": "';'",
        "_MADE": "'made of'",
        "MADE_END": "'made of'",
        "_RPAR": "')'",
    }


@functools.lru_cache(maxsize=32)
def question_parser(domain: Domain) -> QuestionParser:
    """The parser of a domain, made once."""
    return QuestionParser(domain)


def parse_question(text: str, domain: Domain | str = "clevr") -> Program:
    """The program of an English question.

    Raises:
        QuestionError: the question is outside the grammar; it says where, what could have stood there, and near words.
        DomainError: the domain has no question grammar.
    """
    return question_parser(load_domain(domain)).parse(text)


def readings(text: str, domain: Domain | str = "clevr") -> list[Program]:
    """Every reading of a question, the one that `parse_question` takes first.

    Raises:
        QuestionError: there is none.
    """
    return question_parser(load_domain(domain)).readings(text)
