"""LR tables as plain data, so that a process can start from a file instead of building one.

A table keeps every action that LALR(1) finds, conflicts included: the parser tries them in order, shifts first, then
reductions in the order of the grammar file.

Lark takes a fifth of a second to analyse the question grammar, most of what `nsreason parse` would cost. The table is
kept in the user's cache folder (`$XDG_CACHE_HOME/nsreason`), under a name made from the grammar's text, so a changed
grammar is another file. NSREASON_CACHE names another folder, and `NSREASON_CACHE=off` keeps no file.

The cache never fails a parse and is not trusted: a file whose digest or whose table is not sound is built anew, and
where nothing can be read or written (a full disk, a folder without permission), the table is built each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import operator
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..errors import NsreasonError

FORMAT = 4  # of the file; counted up when the layout below changes

LARGEST = 64 << 20  # bytes of a cache file that is read

END = "$END"


class RulePlan(msgspec.Struct, array_like=True):
    """How a reduction makes its value: the callback's name, how many children it takes, which of them are kept (and
    whether a child's own children take its place), and whether a single child stands for the whole."""

    rule: str
    name: str
    size: int
    keep: list[tuple[int, bool]]
    single: bool


class PlainTable(msgspec.Struct, array_like=True):
    """A row for each state: a symbol leads to a state (0 or more), to a reduction (`-1 - rule`), or to a choice of
    these. The end of the text, in the state `end`, accepts."""

    start: int
    end: int
    rules: list[RulePlan]
    rows: list[dict[str, int | list[int]]]


def table_of(grammar: str) -> PlainTable:
    """The table of a grammar, given as text: from the cache, or built by Lark and cached."""
    path = _cache_file(grammar)
    kept = _kept(path, grammar) if path is not None else None
    if kept is not None:
        return kept
    plain = build(grammar)
    if path is not None:
        _keep(path, grammar, plain)
    return plain


def _kept(path: Path, grammar: str) -> PlainTable | None:
    """The table in a cache file; None where there is none or it is damaged."""
    with contextlib.suppress(OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        digest, _, content = path.read_bytes().partition(b"\n")
        if digest == _digest(grammar, content):
            plain = msgspec.json.decode(content, type=PlainTable)
            return plain if _is_sound(plain) else None
    return None


def _keep(path: Path, grammar: str, plain: PlainTable) -> None:
    from ..io.files import atomic_write

    content = msgspec.json.encode(plain)
    with contextlib.suppress(OSError, NsreasonError):  # a full disk is a DataError
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            return  # a pipe would wait for its reader
        with atomic_write(path) as out:
            out.write(_digest(grammar, content) + b"\n" + content)


def _digest(grammar: str, content: bytes) -> bytes:
    return hashlib.sha256(f"{FORMAT}\n{grammar}\n".encode() + content).hexdigest().encode()


def _is_sound(plain: PlainTable) -> bool:
    """Whether every action leads to a state or a rule that there is."""
    states, rules = len(plain.rows), len(plain.rules)
    cells = [action for row in plain.rows for action in row.values()]
    actions = [a for a in cells if isinstance(a, int)] + [a for some in cells if isinstance(some, list) for a in some]
    kept = all(0 <= i < rule.size for rule in plain.rules for i, _ in rule.keep)
    within = not actions or (-rules <= min(actions) and max(actions) < states)
    return kept and within and 0 <= plain.start < states and 0 <= plain.end < states


def _cache_file(grammar: str) -> Path | None:
    setting = os.environ.get("NSREASON_CACHE")
    if setting == "off":
        return None
    digest = hashlib.sha256(f"{FORMAT}\n{grammar}".encode()).hexdigest()[:24]
    if setting:
        return Path(setting) / f"{digest}.json"
    base = os.environ.get("XDG_CACHE_HOME")
    with contextlib.suppress(RuntimeError):  # there is no home folder
        return (Path(base) if base else Path.home() / ".cache") / "nsreason" / f"{digest}.json"
    return None


def build(grammar: str) -> PlainTable:
    """The table that Lark's analysis gives for a grammar.

    Raises:
        lark.exceptions.GrammarError: the grammar is not well formed.
    """
    from lark import Lark
    from lark.common import ParserConf
    from lark.lexer import Lexer
    from lark.parsers.lalr_analysis import LALR_Analyzer

    class Unread(Lexer):
        def __init__(self, lexer_conf: Any) -> None:
            pass

        def lex(self, data: Any) -> Any:  # type: ignore[override]
            raise NotImplementedError("words are read by nsreason.language.lexicon")

    # Earley here means only that Lark reads the grammar and builds no table of its own, which would drop conflicts.
    rules = Lark(grammar, parser="earley", lexer=Unread).rules
    analyzer: Any = LALR_Analyzer(ParserConf(rules, {}, ["start"]))
    analyzer.compute_lr0_states()
    analyzer.compute_reads_relations()
    analyzer.compute_includes_lookback()
    analyzer.compute_lookaheads()
    first = analyzer.lr0_start_states["start"]
    states = _reached(first)
    numbers = {rule: n for n, rule in enumerate(rules)}
    plans = [_plan(rule) for rule in rules]
    rows: list[dict[str, int | list[int]]] = []
    for state in states:
        row: dict[str, list[int]] = {str(s.name): [states[to]] for s, to in state.transitions.items()}
        for symbol, reductions in state.lookaheads.items():
            row.setdefault(str(symbol.name), []).extend(
                sorted((-1 - numbers[rule] for rule in reductions), reverse=True)
            )
        rows.append({symbol: to[0] if len(to) == 1 else to for symbol, to in row.items()})
    end = next(states[to] for symbol, to in first.transitions.items() if symbol.name == "start")
    _shorten(rows, plans, end)
    return PlainTable(states[first], end, plans, rows)


def _shorten(rows: list[dict[str, int | list[int]]], plans: list[RulePlan], end: int) -> None:
    """Lead past states whose only action is to rename a phrase (`?atom: near_atom`): a third of all reductions."""

    def beyond(row: dict[str, int | list[int]], to: int) -> int:
        while to >= 0 and to != end:
            only = {action if isinstance(action, int) else 0 for action in rows[to].values()}
            rule = -1 - only.pop() if len(only) == 1 else -1
            if rule < 0 or not plans[rule].single or plans[rule].size != 1 or plans[rule].keep != [(0, False)]:
                break
            further = row[plans[rule].rule]
            assert isinstance(further, int)
            to = further
        return to

    for row in rows:
        for symbol, action in row.items():
            row[symbol] = [beyond(row, to) for to in action] if isinstance(action, list) else beyond(row, action)


def _reached(first: Any) -> dict[Any, int]:
    """The states by number, in the order in which they are met (Lark keeps them in a set)."""
    numbers = {first: 0}
    for state in (queue := [first]):
        for _, to in sorted(state.transitions.items(), key=lambda step: str(step[0].name)):
            if to not in numbers:
                numbers[to] = len(numbers)
                queue.append(to)
    return numbers


def _plan(rule: Any) -> RulePlan:
    keep = [
        (i, not s.is_term and s.name.startswith("_"))
        for i, s in enumerate(rule.expansion)
        if not (s.is_term and s.filter_out)
    ]
    name, origin = str(rule.alias or rule.origin.name), str(rule.origin.name)
    return RulePlan(origin, name, len(rule.expansion), keep, bool(rule.options.expand1) and not rule.alias)


def maker(plan: RulePlan, callback: Callable[[Sequence[Any]], Any] | None) -> Callable[[Sequence[Any]], Any]:
    """The function that turns a reduction's children into its value; without callback, a list of what is kept."""
    keep = plan.keep
    if any(opened for _, opened in keep):

        def opening(children: Sequence[Any]) -> Any:
            kept: list[Any] = []
            for i, opened in keep:
                if opened:
                    kept += children[i]
                else:
                    kept.append(children[i])
            if plan.single and len(kept) == 1:
                return kept[0]
            return callback(kept) if callback else kept

        return opening
    places = [i for i, _ in keep]
    if plan.single and len(places) == 1:
        only = places[0]
        return lambda children: children[only]
    if callback is None:
        return lambda children: [children[i] for i in places]
    make = callback
    if len(places) == plan.size:
        return make
    if len(places) == 1:
        place = places[0]
        return lambda children: make((children[place],))
    if places:
        pick = operator.itemgetter(*places)
        return lambda children: make(pick(children))
    return lambda children: make(())
