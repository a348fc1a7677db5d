"""Questions in English to programs. The way back is `describe`, in nsreason.language.describe.

    parse_question("How many red cubes are left of the ball?", "clevr")

The grammar is `grammars/clevr_questions.lark`; its words for values and relations are the domain's. One question costs
about a tenth of a millisecond. What the phrases mean stands in nsreason.language.

`GrammarParser` is the grammar as a `QuestionParser` (nsreason.language.parsers), beside which learnt ones may stand.

Ambiguity. A clause belongs to the nearest noun before it: in 'the cube left of the ball behind the cone', the ball is
behind the cone. Where that does not make a whole question, or one that makes no sense ('things besides the ball that
are red'), the last choice is changed first. `readings` lists every reading, the chosen one first.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import re
from collections.abc import Iterator
from typing import Any

from ..dsl.domain import Domain, load_domain
from ..errors import DomainError, Hints, QuestionError
from ..programs.canonical import canonical
from ..programs.program import Program
from .composer import Composer
from .disambiguation import settle
from .lexicon import MAX_WORDS, Lexicon, lexicon_for
from .lr_parser import MAX_STEPS, Stopped, grammar_text, table
from .steps import Unsayable
from .suggestions import expected_names, near_words, phrases_with
from .tokens import QuestionItem, UnknownWord

MOST_COMPOSED = 40_000  # words of all readings that are tried: of a long question, fewer readings
SHOWN = 40  # characters of a wrong word


class GrammarParser:
    """The question grammar of one domain: a `QuestionParser`."""

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
        except Unsayable as refused:
            raise refused.error from None
        except QuestionError as error:
            try:
                other = next(self._composed(text, items), None)
            except Unsayable as refused:
                raise refused.error from None
            if other is None:
                raise error from None
            return other

    def readings(self, text: str) -> list[Program]:
        """Every reading of a question, the chosen one first; equivalent ones once.

        Raises:
            QuestionError: there is none.
        """
        first = self.parse(text)
        distinct = {canonical(first): first}
        for program in self._composed(text, self._read(text)):
            distinct.setdefault(canonical(program), program)
        return list(distinct.values())

    def candidates(self, text: str, most: int) -> list[tuple[Program, float]]:
        """The first readings of a question with their log-probabilities; see `QuestionParser.candidates`.

        A grammar counts nothing, so the weights say its order only: each reading has half the weight of the one before
        it. They are divided by the weight of all readings: the only reading of a question has probability 1, and two
        have 2/3 and 1/3.

        Raises:
            QuestionError: there is none.
            ValueError: `most` is less than 1.
        """
        if most < 1:
            raise ValueError(f"at least 1 candidate, got {most}")
        programs = self.readings(text)
        total = 2.0 - 2.0 ** (1 - len(programs))  # 1 + 1/2 + 1/4 + ..
        return [(p, -i * math.log(2.0) - math.log(total)) for i, p in enumerate(programs[:most])]

    def __reduce__(self) -> tuple[Any, ...]:
        return question_parser, (self.domain,)  # its table is built anew, once in a process

    def _composed(self, text: str, items: list[QuestionItem]) -> Iterator[Program]:
        """The programs of all walks that mean something; where none does, of those that do when slips are forgiven.

        Raises:
            Unsayable: the best of them that makes sense cannot be said.
        """
        for strict in (True, False):
            some = False
            with contextlib.suppress(Stopped):  # too long for every walk to be tried
                walks = self._table.walks(items, every=True)
                for tree in itertools.islice(walks, MOST_COMPOSED // max(len(items), 1)):
                    try:
                        yield Composer(self.domain, text, strict=strict).program(tree)
                        some = True
                    except QuestionError:
                        continue
                    except Unsayable:
                        if not some:
                            raise
            if some:
                return

    def _read(self, text: str) -> list[QuestionItem]:
        try:
            items = self.lexicon.read(text)
        except UnknownWord as unknown:
            raise self._unknown(text, unknown) from None
        if not items:
            raise self._error(text, items, Stopped(0))
        return items

    def _unknown(self, text: str, unknown: UnknownWord) -> QuestionError:
        word = unknown.word
        shown = word if len(word) <= SHOWN else word[: SHOWN - 3] + "..."
        phrases = phrases_with(self.lexicon, word)

        def hints() -> Hints:
            before = settle(unknown.before[-MAX_WORDS:])
            open_here = self._table.expected(before) if len(unknown.before) <= MAX_WORDS else frozenset()
            near = phrases or near_words(self.lexicon, word, open_here, before[-1] if before else None)
            return expected_names(self.domain, open_here), near

        if word in self.lexicon.phrases:
            what = f"'{shown}' does not stand alone here"
        else:
            what = f"the word '{shown}' is not in the lexicon" + (" by itself" if phrases else "")
        return QuestionError(what, text=text, position=unknown.start, hints=hints)

    def _error(self, text: str, items: list[QuestionItem], stopped: Stopped) -> QuestionError:
        if stopped.exhausted:
            message = f"no reading of the question is found within {MAX_STEPS} steps; say it in shorter sentences"
            return QuestionError(message, text=text, position=items[min(stopped.at, len(items) - 1)].start)

        def hints() -> Hints:
            return expected_names(self.domain, self._table.expected(items[: stopped.at])), ()

        if stopped.at >= len(items):
            message = "the question ends too early" if items else "there is no question here"
            end = len(re.sub(r"[^\w)]+$", "", text))
            return QuestionError(message, text=text, position=end, hints=hints)
        wrong = items[stopped.at]
        return QuestionError(f"'{wrong.text}' does not fit here", text=text, position=wrong.start, hints=hints)


@functools.lru_cache(maxsize=32)
def question_parser(domain: Domain) -> GrammarParser:
    """The parser of a domain, built once."""
    return GrammarParser(domain)


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
