"""'The blue one': which noun 'one' and 'ones' stand for.

With an adjective, 'one' repeats the noun of the phrases before it: 'is the red cube bigger than the blue one'. Where
these have different nouns, it could be either. Without an adjective ('the one that is red') it is any thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .nodes import Core, Leaf, Node

ONES = ("one", "ones")


def repeated(tree: Node, word_at: Callable[[Leaf], str], refused: Callable[[str, Core], Exception]) -> Node:
    """The tree with the nouns that 'one' and 'ones' repeat.

    Args:
        tree: the phrases of a question.
        word_at: the word of the text at a place.
        refused: makes the error of a message and the phrase that it is about.
    """
    cores = sorted(_cores(tree), key=lambda core: core.start)

    def is_one(core: Core) -> bool:
        return not core.nouns and word_at(Leaf("NOUN", "", core.start)).lower() in ONES

    def rewritten(part: Any) -> Any:
        if isinstance(part, Core):
            core = Core._make(rewritten(p) if isinstance(p, tuple) else p for p in part)
            if not is_one(part) or not any(mod.terminal in ("ADJECTIVE", "EXTREME") for mod in part.mods):
                return core
            nouns = {other.nouns for other in cores if other.start < part.start and not is_one(other)}
            named = {noun for noun in nouns if noun}
            if len(named) > 1 or (named and () in nouns):
                raise refused("'one' could be any of the kinds before it: name the thing", part)
            return core._replace(nouns=named.pop()) if named else core
        if isinstance(part, Node):
            return Node(part.rule, rewritten(part.parts))
        return tuple([rewritten(p) for p in part]) if type(part) is tuple else part

    result: Node = rewritten(tree)
    return result


def _cores(part: Any) -> Iterator[Core]:
    if isinstance(part, Core):
        yield part
    if isinstance(part, tuple):
        for inner in part:
            yield from _cores(inner)
