"""The phrases of a question: one small node for each rule of the grammar, made as the parser reduces.

`Phrases` has a method for each grammar alias that needs one; the others become plain nodes. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .lexicon import PLURAL


class Word:
    """A word that a phrase keeps: the terminal that it is, what it means, and where it stands.

    In a search for all readings it may still be any of several terminals: `senses` says what it means as each.
    """

    __slots__ = ("senses", "start", "terminal", "value")

    def __init__(self, terminal: str, value: str, start: int, senses: dict[str, str] | None = None) -> None:
        self.terminal, self.value, self.start, self.senses = terminal, value, start, senses

    def __repr__(self) -> str:
        return f"Word({self.terminal}, {self.value!r})"

    def may(self, terminal: str) -> bool:
        return terminal == self.terminal if self.senses is None else terminal in self.senses


def said(word: Word, terminal: str) -> str:
    """What a word means as a terminal."""
    return word.value if word.senses is None else word.senses[terminal]


class Core(NamedTuple):
    """A noun with what stands before and after it."""

    mods: tuple[tuple[str, Any], ...]
    nouns: tuple[str, ...]
    plural: bool
    posts: tuple[tuple[str, Any], ...]
    anything: bool = False


class Node(NamedTuple):
    """A phrase: its rule, and its parts."""

    rule: str
    parts: tuple[Any, ...]


def _drop(children: list[Any]) -> tuple[Any, ...]:
    return tuple(c for c in children if c is not None)


class Phrases:
    """The parser's callbacks. An alias without a method of its own becomes a plain Node."""

    def __getattr__(self, rule: str) -> Callable[[list[Any]], Any]:
        if not rule.islower() or rule.startswith("_") or rule == "transform":
            raise AttributeError(rule)

        def build(children: list[Any]) -> Node:
            return Node(rule, tuple(children))

        setattr(self, rule, build)
        return build

    # --- noun phrases ---

    def head(self, children: list[Any]) -> tuple[tuple[str, ...], bool]:
        words = [said(c, "NOUN") for c in children]
        return tuple(w.rstrip(PLURAL) for w in words if w.rstrip(PLURAL)), words[-1].endswith(PLURAL)

    def posts(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children)

    def mods(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children)

    def core_mods(self, children: list[Any]) -> Core:
        mods, (nouns, plural), posts = children
        return Core(mods, nouns, plural, posts)

    def core_head(self, children: list[Any]) -> Core:
        head, posts = children
        if isinstance(head, Word):
            return Core((), (), False, posts, anything=True)
        return Core((), head[0], head[1], posts)

    def core_anything(self, children: list[Any]) -> Core:
        _, mods, posts = children
        return Core(mods, (), False, posts, anything=True)

    def mod_adjective(self, children: list[Any]) -> tuple[str, str]:
        return "is", said(children[0], "ADJECTIVE")

    def mod_or(self, children: list[Any]) -> tuple[str, str]:
        return "or", said(children[0], "ADJECTIVE")

    def mod_and(self, children: list[Any]) -> tuple[str, str]:
        return "and", said(children[0], "ADJECTIVE")

    def mod_not(self, children: list[Any]) -> tuple[str, str]:
        return "not", said(children[0], "ADJECTIVE")

    def mod_extreme(self, children: list[Any]) -> tuple[str, str]:
        return "extreme", said(children[0], "EXTREME")

    def mod_other(self, children: list[Any]) -> tuple[str, str]:
        return "other", ""

    def post_extreme(self, children: list[Any]) -> tuple[str, Any]:
        return "extreme", said(children[0], "EXTREME_AFTER")

    def post_that(self, children: list[Any]) -> tuple[str, Any]:
        return "that", children[0]

    def post_near(self, children: list[Any]) -> tuple[str, Any]:
        return "near", children[0]

    def post_without(self, children: list[Any]) -> tuple[str, Any]:
        return "without", children[0]

    def post_except(self, children: list[Any]) -> tuple[str, Any]:
        return "except", children[0]

    def post_whose_value(self, children: list[Any]) -> tuple[str, Any]:
        return "that", Node("pred_mods", (children[1],))

    def post_whose_side(self, children: list[Any]) -> tuple[str, Any]:
        attribute = said(children[0], "ATTRIBUTE")
        return "that", Node("pred_same", ((attribute,), self.side_of(children[1], attribute)))

    @staticmethod
    def side_of(side: Node, attribute: str) -> Any:
        """The noun phrase of 'the cube', 'that of the cube' or 'the color of the cube'."""
        return side.parts[0] if side.rule == "side_np" else side.parts[0].parts[1]

    def np_det(self, children: list[Any]) -> Node:
        return Node("np", (said(children[0], "DET"), children[1]))

    def np_the(self, children: list[Any]) -> Node:
        return Node("np", ("the", children[-1]))

    def np_bare(self, children: list[Any]) -> Node:
        return Node("np", ("", children[0]))

    # --- predicates ---

    def attributes(self, children: list[Any]) -> tuple[str, ...]:
        *before, last = children
        return (*(before[0] if before else ()), said(last, "ATTRIBUTE"))

    def pred_relation(self, children: list[Any]) -> Node:
        return Node("pred_relation", (said(children[0], "RELATION"), children[1]))

    def pred_comparative(self, children: list[Any]) -> Node:
        return Node("pred_comparative", (said(children[0], "COMPARATIVE"), children[1]))

    def pred_share_its(self, children: list[Any]) -> Node:
        return Node("pred_same", ((said(children[1], "ATTRIBUTE"),), children[2]))

    def pred_share_of(self, children: list[Any]) -> Node:
        attribute, np = children[0].parts
        return Node("pred_same", ((attribute,), np))

    def ref_of(self, children: list[Any]) -> Any:
        return children[0]

    def ref_side(self, children: list[Any]) -> Any:
        return children[0].parts[1]

    def pred_match(self, children: list[Any]) -> Node:
        return Node("pred_same", (children[1], children[0]))

    def pred_value(self, children: list[Any]) -> Node:
        return Node("pred_mods", (children[1],))

    def trait_mods(self, children: list[Any]) -> Node:
        mods = next(c for c in children if isinstance(c, tuple))
        told = Node("pred_mods", (mods,))
        none = isinstance(children[0], Word) and said(children[0], "DET") == "no"
        return Node("pred_not", (told,)) if none else told

    trait_value = trait_mods

    # --- attributes of things ---

    def attribute_of(self, children: list[Any]) -> Node:
        return Node("attribute_of", (said(children[0], "ATTRIBUTE"), children[1]))

    def its_attribute(self, children: list[Any]) -> Node:
        return Node("attribute_of", (said(children[1], "ATTRIBUTE"), Node("np_it", (children[0],))))

    def possessive(self, children: list[Any]) -> Node:
        return Node("attribute_of", (said(children[1], "ATTRIBUTE"), children[0]))

    def side(self, children: list[Any]) -> Node:
        return Node("side", tuple(children))
