"""The parser of a question grammar: an LR table walked depth first.

Where the table offers several actions, or a word may be several terminals ('one' is a number or a thing), the first is
taken and the others are kept: a walk that ends in an error, or in a reading that makes no sense, goes on with the last
choice that was kept. So most questions cost one walk; the first reading is the one that attaches each clause to the
nearest noun; and going on gives all readings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from typing import Any

from ..errors import DomainError
from .nodes import Leaf
from .phrases import Phrases
from .tables import END, maker, table_of
from .tokens import QuestionItem

MAX_READINGS = 256  # that are given
MAX_STEPS = 10_000  # words taken by all walks of one question together; a plain question takes each of its words once

_PHRASES = Phrases()
_word = functools.partial(tuple.__new__, Leaf)

Reduce = tuple[Callable[[Sequence[Any]], Any] | None, int, str]
Action = int | Reduce | list[int | Reduce]


class Stopped(Exception):  # noqa: N818 - an answer to the caller, who makes the user's error of it
    """No walk got beyond item `at`; `exhausted` says that there would have been more walks than are tried."""

    def __init__(self, at: int, exhausted: bool = False) -> None:
        self.at, self.exhausted = at, exhausted
        super().__init__(at)


class _Rows(dict[int, dict[str, Action]]):
    """The rows of a table, made ready when a state is first met: a question meets few of them."""

    def __init__(self, grammar: str) -> None:
        super().__init__()
        self.plain = table_of(grammar)
        self.reductions: list[Reduce] = [
            (
                None if p.single and p.size == 1 else maker(p, None if p.name[0] == "_" else getattr(_PHRASES, p.name)),
                p.size,
                p.rule,
            )
            for p in self.plain.rules
        ]

    def __missing__(self, state: int) -> dict[str, Action]:
        def ready(to: int) -> int | Reduce:
            return to if to >= 0 else self.reductions[-1 - to]

        actions = self.plain.rows[state].items()
        row: dict[str, Action] = {s: [ready(t) for t in to] if isinstance(to, list) else ready(to) for s, to in actions}
        self[state] = row
        return row


class LrTable:
    """The LR table of a grammar: shifts as state numbers, reductions as `(maker, size, rule)`."""

    def __init__(self, grammar: str) -> None:
        self._rows = _Rows(grammar_text(grammar))
        self.start, self.end = self._rows.plain.start, self._rows.plain.end

    def walks(self, items: Sequence[QuestionItem], *, every: bool = False) -> Iterator[Any]:
        """The phrases of whole questions that the items make, best first.

        Without `every`, a stack of states that led nowhere is not walked again, so that a question without reading is
        found out quickly; readings that end in the same states may be missing.

        Raises:
            Stopped: there is none, or no more within MAX_STEPS.
        """
        rows, end = self._rows, self.end
        states: list[int] = [self.start]
        values: list[Any] = []
        # What else could be done: item, terminal and value there, an action (or None for the terminal's), and stacks.
        kept: list[tuple[int, str, str, Any, list[int], list[Any]]] = []
        dead: set[tuple[int, tuple[int, ...]]] | None = None
        i = furthest = steps = readings = 0
        action: Any = None
        terminal, value = self._sense(items, i, states, values, kept)
        while True:
            if action is None:
                action = rows[states[-1]].get(terminal)
                if type(action) is list:
                    kept += [(i, terminal, value, a, states[:], values[:]) for a in action[:0:-1]]
                    action = action[0]
            if type(action) is tuple:
                self._reduce(action, states, values)
                action = None
                if terminal != END or states[-1] != end:
                    continue
                yield values[-1]
                readings += 1
            elif action is not None:
                states.append(action)
                # Terminals whose names begin with an underscore never reach a phrase.
                values.append(None if terminal[0] == "_" else _word((terminal, value, items[i].start)))
                i += 1
                action = None
                if dead is None:
                    terminal, value = self._sense(items, i, states, values, kept)
                    continue
                steps += 1
                key = (i, tuple(states))
                if every or key not in dead:
                    dead.add(key)
                    terminal, value = self._sense(items, i, states, values, kept)
                    continue
            if i > furthest:
                furthest = i
            if not kept or steps > MAX_STEPS or readings >= MAX_READINGS:
                if not readings:
                    raise Stopped(furthest, bool(kept))
                return
            dead = dead or set()
            i, terminal, value, action, states, values = kept.pop()

    def _reduce(self, reduction: Reduce, states: list[int], values: list[Any]) -> None:
        """Put a phrase in place of its parts, on both stacks."""
        make, size, rule = reduction
        if make is None:
            states.pop()
        elif size:
            children = values[-size:]
            del values[-size:], states[-size:]
            values.append(make(children))
        else:
            values.append(make(()))
        states.append(self._rows[states[-1]][rule])  # type: ignore[arg-type]

    def _sense(
        self, items: Sequence[QuestionItem], i: int, states: list[int], values: list[Any], kept: list[Any]
    ) -> tuple[str, str]:
        """The first sense of an item that may fit; the others are kept for later."""
        if i == len(items):
            return END, ""
        senses = items[i].senses
        if len(senses) == 1:
            return senses[0]
        row = self._rows[states[-1]]
        fit = [sense for sense in senses if sense[0] in row]
        kept += [(i, terminal, value, None, states[:], values[:]) for terminal, value in fit[:0:-1]]
        return fit[0] if fit else senses[0]

    def expected(self, items: Sequence[QuestionItem]) -> frozenset[str]:
        """The terminals that could stand after these items."""
        tops = _Tops(self._rows)
        tops.add(self.start, None)
        for item in items:
            senses = [terminal for terminal, _ in item.senses]
            tops.reduce(senses)
            tops = tops.shifted(senses)
        tops.reduce(None)
        open_here = {terminal for state in tops.nodes for terminal in tops.shifts(state)}
        return frozenset(open_here | {END} if self.end in tops.nodes else open_here)


class _Node:
    """A state on top of one or more stacks, with what lies under it in each."""

    __slots__ = ("state", "under")

    def __init__(self, state: int) -> None:
        self.state = state
        self.under: dict[_Node, None] = {}


class _Tops:
    """The tops of all stacks of states that the items so far lead to. What lies under them is a graph that the stacks
    share, for there may be exponentially many.

    A reduction before a terminal that does not follow it still gives stacks that begin some sentence. So the senses of
    an item are followed together, and at the end every reduction is taken.
    """

    def __init__(self, rows: _Rows) -> None:
        self.rows = rows
        self.nodes: dict[int, _Node] = {}
        self._waiting: list[tuple[_Node, _Node | None]] = []

    def add(self, state: int, under: _Node | None) -> None:
        node = self.nodes.get(state)
        if node is None:
            node = self.nodes[state] = _Node(state)
        if under is None or under not in node.under:
            if under is not None:
                node.under[under] = None
            self._waiting.append((node, under))

    def reduce(self, senses: Sequence[str] | None) -> None:
        """Take all reductions before one of these terminals (None: before any)."""
        while self._waiting:
            node, under = self._waiting.pop()
            for size, rule in self._reductions(node.state, senses):
                bases = {node}
                for depth in range(size):
                    bases = {under} if depth == 0 and under else {n for base in bases for n in base.under}
                for base in bases:
                    self.add(self.rows[base.state][rule], base)  # type: ignore[arg-type]

    def _reductions(self, state: int, senses: Sequence[str] | None) -> set[tuple[int, str]]:
        row = self.rows[state]
        actions = row.values() if senses is None else [row[s] for s in senses if s in row]
        return {a[1:] for action in actions for a in (action if type(action) is list else [action]) if type(a) is tuple}

    def shifts(self, state: int) -> dict[str, list[int]]:
        """The states that each terminal leads to."""
        targets: dict[str, list[int]] = {}
        for terminal, action in self.rows[state].items():
            actions = action if type(action) is list else [action]
            to = [a for a in actions if type(a) is int]
            if to and not terminal.islower():
                targets[terminal] = to
        return targets

    def shifted(self, senses: Sequence[str]) -> _Tops:
        """The tops after a terminal."""
        after = _Tops(self.rows)
        for state, node in self.nodes.items():
            row = self.rows[state]
            for terminal in senses:
                action = row.get(terminal, [])
                for to in action if type(action) is list else [action]:
                    if type(to) is int:
                        after.add(to, node)
        return after


def grammar_text(name: str) -> str:
    """The text of a bundled question grammar.

    Raises:
        DomainError: there is none of that name.
    """
    try:
        if not name.endswith(".lark") or "/" in name or "\\" in name:  # a domain file names no file of elsewhere
            raise FileNotFoundError
        return resources.files("nsreason.grammars").joinpath(name).read_text(encoding="utf-8")
    except OSError:
        raise DomainError(f"no question grammar '{name}' in nsreason.grammars") from None


@functools.cache
def table(grammar: str) -> LrTable:
    """The LR table of a bundled grammar, made once."""
    return LrTable(grammar)
