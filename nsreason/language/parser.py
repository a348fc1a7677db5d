"""The two parsers of a question grammar: LALR for the reading that a question has, Earley for all that it could have.

Lark builds the LALR table; `Table.run` walks it here, for two reasons. A word may be several terminals ('one' is a
number or a thing), and the one that the parser can take at that point is chosen, by following the reductions that it
would cause. And the walk is most of a question's cost: it makes tokens only for words that a phrase keeps.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from ..errors import DomainError
from .lexicon import Item
from .phrases import Phrases, Word
from .tables import maker, table_of

MAX_READINGS = 256  # derivations looked at when all readings are asked for
MAX_EARLEY = 60  # words; Earley's cost grows with the cube

if TYPE_CHECKING:
    from lark import Lark

END = "$END"
_PHRASES = Phrases()

Reduce = tuple[Callable[[Sequence[Any]], Any], int, str]


class Stopped(Exception):  # noqa: N818 - an answer to the caller, who makes the user's error of it
    """The parser could take nothing more: at item `at`, where one of `expected` could have stood."""

    def __init__(self, at: int, expected: frozenset[str]) -> None:
        self.at, self.expected = at, expected
        super().__init__(at)


class Table:
    """The LALR table of a grammar: shifts as state numbers, reductions as `(maker, size, rule)`."""

    def __init__(self, grammar: str) -> None:
        plain = table_of(grammar_text(grammar))
        self.start, self.end = plain.start, plain.end
        self._plain = plain.rows
        self._makers: list[Reduce] = [
            (maker(p, None if p.name[0] == "_" else getattr(_PHRASES, p.name)), p.size, p.rule) for p in plain.rules
        ]
        self._rows: dict[int, dict[str, int | Reduce]] = {}

    def row(self, state: int) -> dict[str, int | Reduce]:
        """A state's actions, converted when the state is first met (a question meets few of them)."""
        row = self._rows.get(state)
        if row is None:
            makers = self._makers
            row = {symbol: to if to >= 0 else makers[-1 - to] for symbol, to in self._plain[state].items()}
            self._rows[state] = row
        return row

    def run(self, items: Sequence[Item], length: int) -> Any:
        """The phrase of a whole question of `length` characters.

        Raises:
            Stopped: an item fits nowhere, or the question ends too early (`at` is then the number of items).
        """
        states = [self.start]
        values: list[Any] = []
        for at, item in enumerate(items):
            senses = item.senses
            terminal, value = senses[0]
            if len(senses) > 1 and not self._fits(states, terminal):
                for terminal, value in senses:  # noqa: B007 - the sense that fits is kept
                    if self._fits(states, terminal):
                        break
                else:
                    raise Stopped(at, self._fitting(states))
            elif len(senses) == 1 and terminal not in self.row(states[-1]):
                raise Stopped(at, self._fitting(states))
            try:
                shift = self._reduce(states, values, terminal)
            except KeyError:
                raise Stopped(at, self._before(items[:at])) from None
            states.append(shift)
            # Terminals whose names begin with an underscore never reach a phrase.
            values.append(None if terminal[0] == "_" else Word(terminal, value, item.start))
        try:
            self._reduce(states, values, END)
        except KeyError:
            raise Stopped(len(items), self._before(items)) from None
        return values[-1]

    def _before(self, items: Sequence[Item]) -> frozenset[str]:
        """What fits after the items, when a word that did not fit has made the parser reduce in vain."""
        states = [self.start]
        for item in items:
            terminal = next(t for t, _ in item.senses if self._fits(states, t))
            states.append(self._reduce(states, [None] * len(states), terminal, build=False))
        return self._fitting(states)

    def _reduce(self, states: list[int], values: list[Any], terminal: str, build: bool = True) -> int:
        """Reduce until the terminal can be shifted (or, for the end, until all is one phrase). KeyError: it cannot."""
        rows, row, end = self._rows, self.row, self.end
        while True:
            action = (rows.get(states[-1]) or row(states[-1]))[terminal]
            if type(action) is int:
                return action
            callback, size, rule = action  # type: ignore[misc]
            if size:
                children = values[-size:]
                del values[-size:], states[-size:]
            else:
                children = []
            values.append(callback(children) if build else None)
            states.append(row(states[-1])[rule])  # type: ignore[arg-type]
            if states[-1] == end and terminal == END:
                return self.end

    def _fits(self, states: list[int], terminal: str) -> bool:
        """Whether the parser would take a terminal now. An entry alone may be a reduction that ends in an error, so the
        reductions are followed, on a copy of the states and without callbacks."""
        states = states.copy()
        while True:
            action = self.row(states[-1]).get(terminal)
            if action is None:
                return False
            if type(action) is int:
                return True
            _, size, rule = action  # type: ignore[misc]
            if size:
                del states[-size:]
            states.append(self.row(states[-1])[rule])  # type: ignore[arg-type]
            if states[-1] == self.end:
                return terminal == END

    def _fitting(self, states: list[int]) -> frozenset[str]:
        return frozenset(t for t in self.row(states[-1]) if self._fits(states, t))


class _AnyOf(str):
    """A token type equal to each terminal that the word may be: what Earley needs to try them all."""

    __slots__ = ("all",)
    all: frozenset[str]

    def __eq__(self, other: object) -> bool:
        return other in self.all

    def __ne__(self, other: object) -> bool:
        return other not in self.all

    __hash__ = str.__hash__


def derivations(grammar: str, items: Sequence[Item]) -> Iterator[Any]:
    """The phrase of every derivation of a question, at most MAX_READINGS; none for a very long question."""
    from lark import Token
    from lark.exceptions import UnexpectedInput

    if len(items) > MAX_EARLEY:
        return
    tokens = []
    words: list[Word] = []
    for place, item in enumerate(items):
        kind = _AnyOf(item.senses[0][0])
        kind.all = frozenset(t for t, _ in item.senses)
        words.append(Word(*item.senses[0], item.start, dict(reversed(item.senses))))
        tokens.append(Token(kind, "", place))
    try:
        forest = _earley(grammar).parse(tokens)
    except UnexpectedInput:
        return
    yield from itertools.islice(_phrases_of(forest, words), MAX_READINGS)


def _phrases_of(tree: Any, words: Sequence[Word]) -> Iterator[Any]:
    """The phrases of every derivation in a forest of Lark trees and tokens, without building the trees."""
    if isinstance(tree, str):
        yield words[tree.start_pos]  # type: ignore[attr-defined]
    elif tree.data == "_ambig":
        for child in tree.children:
            yield from _phrases_of(child, words)
    else:
        build = getattr(_PHRASES, tree.data)
        parts = [list(itertools.islice(_phrases_of(child, words), MAX_READINGS)) for child in tree.children]
        for children in itertools.product(*parts):
            yield build(list(children))


def grammar_text(name: str) -> str:
    """The text of a bundled question grammar.

    Raises:
        DomainError: there is none of that name.
    """
    try:
        return resources.files("nsreason.grammars").joinpath(name).read_text(encoding="utf-8")
    except OSError:
        raise DomainError(f"no question grammar '{name}' in nsreason.grammars") from None


@functools.cache
def table(grammar: str) -> Table:
    """The LALR table of a bundled grammar, built once."""
    return Table(grammar)


@functools.cache
def _earley(grammar: str) -> Lark:
    from lark import Lark
    from lark.lexer import Lexer

    class Ready(Lexer):
        """The lexer of a text that has been read already."""

        def __init__(self, lexer_conf: Any) -> None:
            pass

        def lex(self, data: Any) -> Iterator[Any]:  # type: ignore[override]
            yield from data

    return Lark(grammar_text(grammar), parser="earley", lexer=Ready, ambiguity="explicit")
