"""LALR tables as plain data, so that a process can start from a file instead of building one.

Lark takes a fifth of a second to build the table of the question grammar, most of what `nsreason parse` would cost.
The table is kept as JSON in the user's cache folder (`$XDG_CACHE_HOME/nsreason`), under a name made from the grammar's
text, so a changed grammar is another file; where nothing can be written, it is built each time. NSREASON_CACHE names
another folder, and `NSREASON_CACHE=off` keeps no file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

FORMAT = 1  # of the file; counted up when the layout below changes


class RulePlan(msgspec.Struct, array_like=True):
    """How a reduction makes its value: the callback's name, how many children it takes, which of them are kept (and
    whether a child's own children take its place), and whether a single child stands for the whole."""

    rule: str
    name: str
    size: int
    keep: list[tuple[int, bool]]
    single: bool


class PlainTable(msgspec.Struct, array_like=True):
    """A row for each state: a symbol leads to a state (0 or more) or to a reduction (`-1 - rule`)."""

    start: int
    end: int
    rules: list[RulePlan]
    rows: list[dict[str, int]]


def table_of(grammar: str) -> PlainTable:
    """The table of a grammar, given as text: from the cache, or built by Lark and cached."""
    path = _cache_file(grammar)
    if path is not None:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(path.read_bytes(), type=PlainTable)
    plain = build(grammar)
    if path is not None:
        from ..files import atomic_write

        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as out:
                out.write(msgspec.json.encode(plain))
    return plain


def _cache_file(grammar: str) -> Path | None:
    told = os.environ.get("NSREASON_CACHE")
    if told == "off":
        return None
    digest = hashlib.sha256(f"{FORMAT}\n{grammar}".encode()).hexdigest()[:24]
    if told:
        return Path(told) / f"{digest}.json"
    base = os.environ.get("XDG_CACHE_HOME")
    with contextlib.suppress(RuntimeError):  # no home folder
        return (Path(base) if base else Path.home() / ".cache") / "nsreason" / f"{digest}.json"
    return None


def build(grammar: str) -> PlainTable:
    """The table that Lark makes of a grammar.

    Raises:
        lark.exceptions.GrammarError: the grammar has reduce/reduce conflicts or is not well formed.
    """
    from lark import Lark
    from lark.lexer import Lexer
    from lark.parsers.lalr_analysis import Shift

    class Unread(Lexer):
        def __init__(self, lexer_conf: Any) -> None:
            pass

        def lex(self, data: Any) -> Any:  # type: ignore[override]
            raise NotImplementedError("words are read by nsreason.language.lexicon")

    parser = Lark(grammar, parser="lalr", lexer=Unread)
    conf = parser.parse_interactive("").parser_state.parse_conf
    numbers: dict[Any, int] = {}
    rules: list[RulePlan] = []

    def number(rule: Any) -> int:
        if rule not in numbers:
            numbers[rule] = len(rules)
            keep = [
                (i, not s.is_term and s.name.startswith("_"))
                for i, s in enumerate(rule.expansion)
                if not (s.is_term and s.filter_out)
            ]
            name, origin = str(rule.alias or rule.origin.name), str(rule.origin.name)
            single = bool(rule.options.expand1) and not rule.alias
            rules.append(RulePlan(origin, name, len(rule.expansion), keep, single))
        return numbers[rule]

    count = 1 + max(conf.states)
    rows: list[dict[str, int]] = [{} for _ in range(count)]
    for state, actions in conf.states.items():
        for symbol, (action, told) in actions.items():
            rows[state][str(symbol)] = told if action is Shift else -1 - number(told)
    return PlainTable(conf.start_state, conf.end_state, rules, rows)


def maker(plan: RulePlan, callback: Callable[[list[Any]], Any] | None) -> Callable[[Sequence[Any]], Any]:
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
    made = callback
    if len(places) == plan.size:
        return lambda children: made(list(children))
    return lambda children: made([children[i] for i in places])
