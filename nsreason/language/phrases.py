"""The phrases of a question: one small node for each rule of the grammar, made as the parser reduces.

`Phrases` has a method for each grammar alias that needs one; the others become plain nodes. Several ways to say a thing
become one node here ('whose color is red', 'with a red color', 'of color red'); what nodes mean is the composer's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .items import PLURAL


class Word(NamedTuple):
    """A word that a phrase keeps: the terminal that it is, what it means, and where it stands."""

    terminal: str
    value: str
    start: int


class Core(NamedTuple):
    """A noun with what stands before and after it; `start` is where the noun stands in the text, `anything` the
    determiner in 'anything' and 'everything'."""

    mods: tuple[tuple[str, Any], ...]
    nouns: tuple[str, ...]
    plural: bool
    posts: tuple[tuple[str, Any], ...]
    start: int = 0
    anything: str = ""


class Node(NamedTuple):
    """A phrase: its rule, and its parts."""

    rule: str
    parts: tuple[Any, ...]


Mods = tuple[tuple[str, str], ...]


class Phrases:
    """The parser's callbacks. An alias without a method of its own becomes a plain Node."""

    def __getattr__(self, rule: str) -> Callable[[list[Any]], Any]:
        if not rule.islower() or rule.startswith("_"):
            raise AttributeError(rule)

        def build(children: list[Any]) -> Node:
            return Node(rule, tuple(children))

        setattr(self, rule, build)
        return build

    # --- noun phrases ---

    def head(self, words: list[Word]) -> tuple[tuple[str, ...], bool, int]:
        told = [word.value for word in words]
        nouns = tuple([t.rstrip(PLURAL) for t in told if t not in ("", PLURAL)])
        return nouns, told[-1].endswith(PLURAL), words[0].start

    def posts(self, children: list[Any]) -> tuple[Any, ...]:
        return tuple(children)

    mods = posts

    def core_mods(self, children: list[Any]) -> Core:
        mods, (nouns, plural, start), posts = children
        return Core(mods, nouns, plural, posts, start)

    def core_head(self, children: list[Any]) -> Core:
        head, posts = children
        if isinstance(head, Word):
            return Core((), (), False, posts, head.start, head.value or "any")
        return Core((), head[0], head[1], posts, head[2])

    def core_anything(self, children: list[Any]) -> Core:
        anything, mods, posts = children
        return Core(mods, (), False, posts, anything.start, anything.value or "any")

    def core_non(self, children: list[Any]) -> Core:
        *mods, noun, posts = children
        unwanted = ("not", noun.value.rstrip(PLURAL))
        return Core((*(mods[0] if mods else ()), unwanted), (), noun.value.endswith(PLURAL), posts, noun.start)

    def np_det(self, children: list[Any]) -> Node:
        det, *_, core = children
        return Node("np", (det.value, core._replace(plural=True) if len(children) > 2 else core))

    def np_the(self, children: list[Any]) -> Node:
        """'The cube'; also 'the two cubes', and 'the 2 cube' must not be one of them."""
        *numbers, core = children
        several = any(n.value not in ("0", "1") for n in numbers)
        return Node("np", ("the", core._replace(plural=True) if several else core))

    def np_bare(self, children: list[Any]) -> Node:
        return Node("np", (children[0].anything, children[0]))

    def mod_adjective(self, children: list[Any]) -> tuple[str, str]:
        return "is", children[0].value

    def mod_or(self, children: list[Any]) -> tuple[str, str]:
        return "or", children[0].value

    def mod_and(self, children: list[Any]) -> tuple[str, str]:
        return "and", children[0].value

    def mod_not(self, children: list[Any]) -> tuple[str, str]:
        return "not", children[0].value

    def mod_extreme(self, children: list[Any]) -> tuple[str, str]:
        return "extreme", children[0].value

    def mod_and_extreme(self, children: list[Any]) -> tuple[str, str]:
        return "and_extreme", children[0].value

    def mod_other(self, children: list[Any]) -> tuple[str, str]:
        return "other", ""

    # --- what follows a noun ---

    def post_extreme(self, children: list[Any]) -> tuple[str, Any]:
        return "extreme", children[0].value

    def post_that(self, children: list[Any]) -> tuple[str, Any]:
        return "that", children[0]

    def post_that_are(self, children: list[Any]) -> tuple[str, Any]:
        return "that_are", children[0]

    def post_near(self, children: list[Any]) -> tuple[str, Any]:
        return "near", children[0]

    def post_without(self, children: list[Any]) -> tuple[str, Any]:
        return "without", children[0]

    def post_except(self, children: list[Any]) -> tuple[str, Any]:
        return "except", children[0]

    def post_same(self, children: list[Any]) -> tuple[str, Any]:
        return "near", Node("pred_same", tuple(children))

    def post_of_which(self, children: list[Any]) -> tuple[str, Any]:
        np, relation = children
        return "near", Node("pred_of_which", (relation, np))

    def post_same_which(self, children: list[Any]) -> tuple[str, Any]:
        np, attributes = children
        return "near", Node("pred_same", (attributes, np))

    def whose_value(self, children: list[Any]) -> Node:
        return Node("pred_mods", (children[1],))

    def whose_not_value(self, children: list[Any]) -> Node:
        return Node("pred_not", (self.whose_value(children),))

    def whose_side(self, children: list[Any]) -> Node:
        return self._compared("pred_same", *children)

    def whose_other_side(self, children: list[Any]) -> Node:
        return self._compared("pred_different", *children)

    @staticmethod
    def _compared(rule: str, attribute: Word, side: Node) -> Node:
        return Node(rule, ((attribute.value,), side_of(side)))

    # --- predicates ---

    def attributes(self, children: list[Any]) -> tuple[str, ...]:
        *before, last = children
        return (*(before[0] if before else ()), last.value)

    def relation_one(self, children: list[Any]) -> tuple[str, tuple[str, ...]]:
        return "union", (children[0].value,)

    def relation_both(self, children: list[Any]) -> tuple[str, tuple[str, ...]]:
        return "intersect", tuple([word.value for word in children])

    def relation_either(self, children: list[Any]) -> tuple[str, tuple[str, ...]]:
        return "union", tuple([word.value for word in children])

    def relation_and(self, children: list[Any]) -> tuple[str, tuple[str, ...]]:
        return "intersect", (*children[0][1], children[1].value)

    def relation_or(self, children: list[Any]) -> tuple[str, tuple[str, ...]]:
        return "union", (*children[0][1], children[1].value)

    def pred_relation_its(self, children: list[Any]) -> Node:
        return Node("pred_relation", (self.relation_one(children), Node("np_it", tuple(children))))

    def pred_relation_side(self, children: list[Any]) -> Node:
        return Node("pred_relation", (self.relation_one(children[1:]), children[0]))

    def pred_as(self, children: list[Any]) -> Node:
        return Node("pred_same", ((children[0].value,), children[1]))

    def pred_of(self, children: list[Any]) -> Node:
        attribute, np = children[0].parts
        return Node("pred_same", ((attribute,), np))

    def owned_and(self, children: list[Any]) -> Node:
        return Node("pred_and", (children[0], self.pred_of(children[1:])))

    def ref_side(self, children: list[Any]) -> Any:
        return children[0].parts[1]

    def share_det(self, children: list[Any]) -> Node:
        return Node("pred_same", tuple(children[1:]))

    def share_its(self, children: list[Any]) -> Node:
        return Node("pred_same", ((children[1].value,), children[2]))

    def share_alike(self, children: list[Any]) -> Node:
        return Node("pred_alike", (children[-1],))

    def match_in(self, children: list[Any]) -> Node:
        return Node("pred_same", (children[1], children[0]))

    def differ_in(self, children: list[Any]) -> Node:
        return Node("pred_different", (children[1], children[0]))

    def pred_value(self, children: list[Any]) -> Node:
        return Node("pred_mods", (children[1],))

    def trait_mods(self, children: list[Any]) -> Node:
        words = [c for c in children if isinstance(c, Word)]
        (mods,) = [c for c in children if not isinstance(c, Word)]
        told = Node("pred_mods", (mods,))
        none = words and words[0].terminal == "DET" and words[0].value == "no"
        return Node("pred_not", (told,)) if none else told

    trait_value = trait_mods

    def trait_side(self, children: list[Any]) -> Node:
        return self._compared("pred_same", *children[-2:])

    # --- attributes of things ---

    def attribute_of(self, children: list[Any]) -> Node:
        return Node("attribute_of", (children[0].value, children[1]))

    def its_attribute(self, children: list[Any]) -> Node:
        return Node("attribute_of", (children[1].value, Node("np_it", (children[0],))))

    def possessive(self, children: list[Any]) -> Node:
        return Node("attribute_of", (children[1].value, children[0]))


def side_of(side: Node) -> Any:
    """The noun phrase of 'the cube', 'that of the cube' or 'the color of the cube'."""
    return side.parts[0] if side.rule == "side_np" else side.parts[0].parts[1]
