"""Questions in English to programs, and back (`describe`, in nsreason.describe).

    parse_question("How many red cubes are left of the ball?", "clevr")

The grammar is `grammars/clevr_questions.lark`; its words for values and relations are the domain's. The parser is LALR,
so one question costs about a tenth of a millisecond.

Ambiguity. A clause belongs to the nearest noun before it: in 'the cube left of the ball behind the cone', the ball is
behind the cone. Where that reading does not make a whole question, all readings are found (Earley) and the one with the
shortest program is taken; `readings` lists them all.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from importlib import resources
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedInput
from lark.lexer import Lexer
from lark.parsers.lalr_analysis import Shift

from .canonical import equivalent
from .composer import Composer, OpenToken, Phrases
from .domain import Domain, load_domain
from .errors import DomainError, QuestionError
from .lexicon import Item, Lexicon, lexicon_for
from .program import Program

MAX_WORDS = 400  # longer questions are refused: no person typed them
MAX_READINGS = 256  # derivations looked at when all readings are asked for


class _Ready(Lexer):  # type: ignore[misc]
    """Lark's lexer of a text that nsreason.lexicon has already read."""

    def __init__(self, lexer_conf: Any) -> None:
        pass

    def lex(self, data: Any) -> Iterator[Token]:  # type: ignore[override]
        yield from data


class _AnyOf(str):
    """A token type equal to each terminal that the word may be: what Earley needs to try them all."""

    __slots__ = ("all",)
    all: frozenset[str]

    def __eq__(self, other: object) -> bool:
        return other in self.all

    def __ne__(self, other: object) -> bool:
        return other not in self.all

    __hash__ = str.__hash__


class QuestionParser:
    """The question grammar of one domain."""

    def __init__(self, domain: Domain) -> None:
        """Raises DomainError when the domain names no question grammar or its words clash."""
        if domain.file.questions is None:
            raise DomainError(f"domain '{domain.name}' names no question grammar (key 'questions')")
        self.domain = domain
        self.grammar = domain.file.questions
        self._lalr = _lalr(self.grammar)
        self.lexicon: Lexicon = lexicon_for(domain, _grammar_text(self.grammar))
        self._names = _terminal_names(domain)

    def parse(self, text: str) -> Program:
        """The program of a question.

        Raises:
            QuestionError: with the position, what could have stood there, and near words.
        """
        items = self._read(text)
        try:
            tree = self._parse_lalr(items, text)
        except QuestionError as error:
            found = self._all(text, items)
            if not found:
                raise error from None
            return min(found, key=len)
        return self._compose(tree, text)

    def readings(self, text: str) -> list[Program]:
        """Every reading of a question, the chosen one first; equivalent ones once.

        Raises:
            QuestionError: there is none.
        """
        chosen = self.parse(text)
        distinct = [chosen]
        for program in sorted(self._all(text, self._read(text)), key=len):
            if not any(equivalent(program, p) for p in distinct):
                distinct.append(program)
        return distinct

    def _read(self, text: str) -> list[Item]:
        items = self.lexicon.read(text)
        if not items:
            raise QuestionError(
                "there is no question here",
                text=text,
                position=0,
                expected=self._expected(self._lalr.parse_interactive([]), []),
            )
        if len(items) > MAX_WORDS:
            raise QuestionError(
                f"the question has {len(items)} words; at most {MAX_WORDS} are read",
                text=text,
                position=items[MAX_WORDS].start,
            )
        return items

    def _parse_lalr(self, items: list[Item], text: str) -> Any:
        parser = self._lalr.parse_interactive([])
        state = parser.parser_state
        tables = state.parse_conf.states
        feed = state.feed_token
        try:
            for item in items:
                senses = item.senses
                terminal, value = senses[0]
                if len(senses) > 1 and not _fits(tables, state.state_stack, terminal):
                    for other, meant in senses[1:]:
                        if _fits(tables, state.state_stack, other):
                            terminal, value = other, meant
                            break
                feed(Token(terminal, value, item.start))
            return feed(Token("$END", "", len(text)), True)
        except UnexpectedInput as error:
            at = error.token if hasattr(error, "token") else None
            raise self._unexpected(text, items, at) from None

    def _unexpected(self, text: str, items: list[Item], token: Token | None) -> QuestionError:
        position = len(text) if token is None or token.start_pos is None else token.start_pos
        before = [i for i in items if i.start < position]
        fresh = self._lalr.parse_interactive([])
        expected = self._expected(fresh, before)
        wrong = next((i for i in items if i.start == position), None)
        if wrong is None:
            return QuestionError("the question ends too early", text=text, position=position, expected=expected)
        return QuestionError(f"'{wrong.text}' does not fit here", text=text, position=position, expected=expected)

    def _expected(self, parser: Any, before: list[Item]) -> list[str]:
        """What could come after the words `before`, in words that a reader knows."""
        try:
            for item in before:
                state = parser.parser_state
                tables, stack = state.parse_conf.states, state.state_stack
                terminal, value = next((s for s in item.senses if _fits(tables, stack, s[0])), item.senses[0])
                parser.feed_token(Token(terminal, value, item.start))
            accepted = parser.accepts()
        except UnexpectedInput:
            return []
        told = [name for terminal, name in self._names.items() if terminal in accepted]
        return list(dict.fromkeys(told))[:14]

    def _all(self, text: str, items: list[Item]) -> list[Program]:
        """Every program that some derivation gives, each once."""
        if len(items) > 60:
            return []
        tokens = []
        for item in items:
            kind = _AnyOf(item.senses[0][0])
            kind.all = frozenset(t for t, _ in item.senses)
            token = OpenToken(kind, "", item.start)
            token.senses = dict(reversed(item.senses))
            tokens.append(token)
        try:
            forest = _earley(self.grammar).parse(tokens)
        except UnexpectedInput:
            return []
        programs: dict[Program, None] = {}
        for tree in itertools.islice(_derivations(forest), MAX_READINGS):
            try:
                programs[self._compose(tree, text)] = None
            except QuestionError:
                continue
        return list(programs)

    def _compose(self, tree: Any, text: str) -> Program:
        return Composer(self.domain, text).program(tree)


def _fits(tables: Any, stack: list[Any], terminal: str) -> bool:
    """Whether the parser would take a terminal now. A table entry alone may be a reduction that ends in an error, so
    the reductions are followed, on a copy of the states and without callbacks."""
    states = list(stack)
    while True:
        found = tables[states[-1]].get(terminal)
        if found is None:
            return False
        action, rule = found
        if action is Shift:
            return True
        size = len(rule.expansion)
        if size:
            del states[-size:]
        states.append(tables[states[-1]][rule.origin.name][1])


def _derivations(tree: Any) -> Iterator[Any]:
    """The phrases of every derivation in a forest of Lark trees, without building the trees."""
    if isinstance(tree, Token):
        yield tree
    elif tree.data == "_ambig":
        for child in tree.children:
            yield from _derivations(child)
    else:
        build = getattr(_phrases, tree.data)
        for children in itertools.product(*(_Again(c) for c in tree.children)):
            yield build(list(children))


class _Again:
    """A subtree's derivations, made once and gone through again for each combination (a bounded number of them)."""

    def __init__(self, tree: Any) -> None:
        self.made = list(itertools.islice(_derivations(tree), MAX_READINGS))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.made)


_phrases = Phrases()


def _grammar_text(name: str) -> str:
    try:
        return resources.files("nsreason.grammars").joinpath(name).read_text(encoding="utf-8")
    except OSError:
        raise DomainError(f"no question grammar '{name}' in nsreason.grammars") from None


@functools.cache
def _lalr(grammar: str) -> Lark:
    return Lark(_grammar_text(grammar), parser="lalr", lexer=_Ready, transformer=_phrases)


@functools.cache
def _earley(grammar: str) -> Lark:
    return Lark(_grammar_text(grammar), parser="earley", lexer=_Ready, ambiguity="explicit")


def _terminal_names(domain: Domain) -> dict[str, str]:
    """How an error message names the terminals that could stand somewhere."""
    values = {a: domain.values(a) for a in domain.attributes}
    adjectives = [v for a in values for v in values[a] if not domain.file.attributes[a].values[v].nouns]
    nouns = [v for a in values for v in values[a] if domain.file.attributes[a].values[v].nouns]

    def some(what: str, words: list[str]) -> str:
        return f"{what} ({', '.join(words[:4])}, ...)" if words else what

    thing = domain.file.things[0]
    return {
        "$END": "the end",
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
