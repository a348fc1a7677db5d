"""The phrases of a question: one small node for each rule of the grammar, made as the parser reduces.

`Phrases` has a method for each grammar alias that needs one; the others become plain nodes. Several ways to say a thing
become one node here ('whose color is red', 'with a red color', 'of color red'); what nodes mean is the composer's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from . import lists
from .nodes import Core, Leaf, Node
from .tokens import PLURAL, REGION


def several(words: Leaf | tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """Words as a tuple: one that stands alone is passed up as it is, for that saves most reductions."""
    return (words,) if type(words) is Leaf else words  # type: ignore[return-value]


_node = functools.partial(tuple.__new__, Node)  # a third of the time that Node(...) takes


class Phrases:
    """The parser's callbacks. An alias without a method of its own becomes a plain Node."""

    def __getattr__(self, rule: str) -> Callable[[Sequence[Any]], Any]:
        if not rule.islower() or rule.startswith("_"):
            raise AttributeError(rule)

        def build(children: Sequence[Any]) -> Node:
            return _node((rule, tuple(children)))

        setattr(self, rule, build)
        return build

    # --- noun phrases ---

    def words(self, children: Sequence[Any]) -> tuple[Leaf, ...]:
        return (*several(children[0]), children[1])

    def posts(self, children: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(children)

    def core_whole(self, children: Sequence[Any]) -> Core:
        mods, head, posts = children
        return self._core(several(mods), head, posts)

    def core_mods(self, children: Sequence[Any]) -> Core:
        return self._core(several(children[0]), children[1], ())

    def core_posts(self, children: Sequence[Any]) -> Core:
        return self._core((), children[0], children[1])

    def core_head(self, children: Sequence[Any]) -> Core:
        return self._core((), children[0], ())

    @staticmethod
    def _core(mods: tuple[Leaf, ...], head: Leaf | tuple[Leaf, ...], posts: tuple[Any, ...]) -> Core:
        if type(head) is Leaf:
            terminal, value, start = head
            if terminal == "ANYTHING":
                return Core(mods, (), False, posts, start, value or "any")
            plural = value.endswith(PLURAL)
            noun = value[:-1] if plural else value
            return Core(mods, (noun,) if noun else (), plural, posts, start)
        nouns = tuple([word.value.rstrip(PLURAL) for word in head if word.value.rstrip(PLURAL)])  # type: ignore[union-attr]
        run_on = any(word.value.endswith(PLURAL) and word.value != PLURAL for word in head[:-1])  # type: ignore[union-attr]
        plural = head[-1].value.endswith(PLURAL)  # type: ignore[union-attr]
        return Core(mods, nouns, plural, posts, head[0].start, run_on=run_on and plural)  # type: ignore[union-attr]

    def core_anything(self, children: Sequence[Any]) -> Core:
        anything, mods, *posts = children
        return self._core(several(mods), anything, posts[0] if posts else ())

    def core_non(self, children: Sequence[Any]) -> Core:
        at = next(i for i, c in enumerate(children) if type(c) is Leaf and c.terminal == "NOUN")
        noun = children[at]
        mods = several(children[0]) if at else ()
        unwanted = Leaf("NOT", noun.value.rstrip(PLURAL), noun.start)
        posts = children[-1] if at < len(children) - 1 else ()
        return Core((*mods, unwanted), (), noun.value.endswith(PLURAL), posts, noun.start)

    def nouns(self, children: Sequence[Any]) -> Node:
        before, last = children
        return Node("nouns", (*(before.parts if type(before) is Node else (before,)), last))

    def core_either(self, children: Sequence[Any]) -> Core:
        """'small cubes or balls', all of them small: the nouns become adjectives."""
        mods, heads, *posts = children
        first, *rest = [Leaf("ADJECTIVE", several(head)[-1].value, several(head)[-1].start) for head in heads.parts]
        adjectives = [first, *(word._replace(terminal="OR") for word in rest)]
        mods = (*several(mods), *(word._replace(value=word.value.rstrip(PLURAL)) for word in adjectives))
        plural = any(word.value.endswith(PLURAL) for word in adjectives)
        return Core(mods, (), plural, posts[0] if posts else (), first.start)

    def coord_and(self, children: Sequence[Any]) -> Node:
        return lists.joined("coord_and", children[0], children[1])

    def coord_or(self, children: Sequence[Any]) -> Node:
        return lists.joined("coord_or", children[0], children[1])

    def obj_and(self, children: Sequence[Any]) -> Node:
        return lists.joined("obj_and", children[0], children[1])

    def obj_or(self, children: Sequence[Any]) -> Node:
        return lists.joined("obj_or", children[0], children[1])

    def np_either(self, children: Sequence[Any]) -> Node:
        return lists.paired("np_either", children)

    def np_neither(self, children: Sequence[Any]) -> Node:
        return lists.paired("np_neither", children)

    def coord_shared(self, children: Sequence[Any]) -> Node:
        """'A red and a blue cube': the first noun is left out."""
        det, mods, *last = children
        second = self.np_det(last)
        first = Node("np", (det.value.split()[0], second.parts[1]._replace(mods=several(mods))))
        return Node("coord_and", (first, second))

    def coord_posts(self, children: Sequence[Any]) -> Node:
        """'cubes and balls that are red', all of them red."""
        coord, posts = children
        if coord.rule == lists.LIST:
            return lists.with_posts(coord, posts)
        return Node(coord.rule, tuple([lists.with_posts(part, posts) for part in coord.parts]))

    def np_det(self, children: Sequence[Any]) -> Node:
        """'All cubes'; 'any two cubes', 'both cubes', 'none of the cubes': how many, and whether of known ones."""
        word, *numbers, core = children
        det, *more = word.value.split()
        if more or numbers:
            number = int(numbers[0].value) if numbers else 2 if more == ["both"] else 0
            core = core._replace(plural=core.plural or bool(numbers), number=number, of_the=more == ["the"])
        return Node("np", (det, core))

    def np_det_the(self, children: Sequence[Any]) -> Node:
        det, core = children
        return Node("np", (det.value.split()[0], core._replace(of_the=True)))

    def np_det_them(self, children: Sequence[Any]) -> Node:
        det, them = children
        return Node("np_det_them", (det._replace(value=det.value.split()[0]), them))

    def np_the(self, children: Sequence[Any]) -> Node:
        """'The cube'; 'the two cubes', and even 'the 2 cube', are not one known thing."""
        *numbers, core = children
        if any(n.value not in ("0", "1") for n in numbers):
            core = core._replace(plural=True, number=int(numbers[0].value))
        return _node(("np", ("the", core)))

    def np_the_mods_number(self, children: Sequence[Any]) -> Node:
        """'The small two balls'."""
        mods, number, core = children
        return self.np_the([number, core._replace(mods=(*several(mods), *core.mods))])

    def np_the_mods(self, children: Sequence[Any]) -> Node:
        """'The leftmost': a noun is left out."""
        mods = several(children[0])
        core = Core(mods, (), False, (), mods[0].start)
        return Node("np_other" if any(mod.terminal == "OTHER" for mod in mods) else "np", ("the", core))

    def np_the_of(self, children: Sequence[Any]) -> Node:
        """'The leftmost of the cubes'."""
        mods = several(children[0])
        return Node("np", ("the", Core(mods, (), False, (("of", children[1]),), mods[0].start)))

    def np_bare(self, children: Sequence[Any]) -> Node:
        core: Core = children[0]
        another = core.mods and any(mod.value == "another" for mod in core.mods)
        return _node(("np", ("a" if another else core.anything, core)))

    def mod_and(self, children: Sequence[Any]) -> Leaf:
        return Leaf("AND", *children[0][1:])

    def mod_or(self, children: Sequence[Any]) -> Leaf:
        return Leaf("OR", *children[0][1:])

    def mod_not(self, children: Sequence[Any]) -> Leaf:
        return Leaf("NOT", *children[0][1:])

    def mod_and_not(self, children: Sequence[Any]) -> Leaf:
        return Leaf("AND_NOT", *children[0][1:])

    def mod_extreme(self, children: Sequence[Any]) -> Leaf:
        """'The cube on the left side of the picture'."""
        _, relation, start = children[0]
        return Leaf("EXTREME", relation + REGION, start)

    def mod_and_extreme(self, children: Sequence[Any]) -> Leaf:
        return Leaf("AND_EXTREME", *children[0][1:])

    # --- what follows a noun ---

    def post_extreme(self, children: Sequence[Any]) -> tuple[str, Any]:
        terminal, value, _ = children[0]
        return "extreme", value + REGION if terminal == "RELATION" else value

    def post_that(self, children: Sequence[Any]) -> tuple[str, Any]:
        """'The cube that is leftmost' is the leftmost of the cubes."""
        (clause,) = children
        if clause.rule == "pred_mods" and len(clause.parts[0]) == 1 and clause.parts[0][0].terminal == "EXTREME":
            return "extreme", clause.parts[0][0].value
        return "that", clause

    def post_that_are(self, children: Sequence[Any]) -> tuple[str, Any]:
        return "that_are", children[0]

    def post_near(self, children: Sequence[Any]) -> tuple[str, Any]:
        return "near", children[0]

    def post_without(self, children: Sequence[Any]) -> tuple[str, Any]:
        return "without", children[0]

    def post_except(self, children: Sequence[Any]) -> tuple[str, Any]:
        return "except", children[0]

    def post_same(self, children: Sequence[Any]) -> tuple[str, Any]:
        return "near", Node("pred_same", tuple(children))

    def post_of_which(self, children: Sequence[Any]) -> tuple[str, Any]:
        np, relation = children
        return "near", Node("pred_of_which", (relation, np))

    def again_of_which(self, children: Sequence[Any]) -> Node:
        return Node("pred_of_which", tuple(children[::-1]))

    def post_same_which(self, children: Sequence[Any]) -> tuple[str, Any]:
        np, attributes = children
        return "near", Node("pred_same", (attributes, np))

    def whose_value(self, children: Sequence[Any]) -> Any:
        return children[1]

    def whose_not_value(self, children: Sequence[Any]) -> Node:
        return Node("pred_not", (children[1],))

    def whose_side(self, children: Sequence[Any]) -> Node:
        return self._compared("pred_same", *children)

    def whose_other_side(self, children: Sequence[Any]) -> Node:
        return self._compared("pred_different", *children)

    @staticmethod
    def _compared(rule: str, attribute: Leaf, side: Node) -> Node:
        return Node(rule, ((attribute.value,), side_of(side)))

    # --- predicates ---

    def pred_mods(self, children: Sequence[Any]) -> Node:
        return _node(("pred_mods", (several(children[0]),)))

    def attributes(self, children: Sequence[Any]) -> tuple[str, ...]:
        if len(children) == 1:
            return (children[0].value,)
        return (*children[0], children[1].value)

    def relation_one(self, children: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
        return "union", (children[0].value,)

    def relation_both(self, children: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
        return "intersect", tuple([word.value for word in children])

    def relation_either(self, children: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
        return "union", tuple([word.value for word in children])

    def relation_and(self, children: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
        return "intersect", (*children[0][1], children[1].value)

    def relation_or(self, children: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
        return "union", (*children[0][1], children[1].value)

    def relation_neither(self, children: Sequence[Any]) -> Node:
        """'neither left of nor behind the cube'."""
        *relations, np = children
        return Node("pred_neither", tuple([self._beside(relation, np) for relation in relations]))

    def relation_but_not(self, children: Sequence[Any]) -> Node:
        here, there, np = children
        return Node("pred_and", (self._beside(here, np), Node("pred_not", (self._beside(there, np),))))

    def _beside(self, relation: Leaf, np: Node) -> Node:
        return Node("pred_relation", (self.relation_one((relation,)), np))

    def pred_relation_its(self, children: Sequence[Any]) -> Node:
        return self._beside(children[0], Node("np_it", tuple(children)))

    def pred_relation_side(self, children: Sequence[Any]) -> Node:
        return self._beside(children[1], children[0])

    def pred_as(self, children: Sequence[Any]) -> Node:
        return Node("pred_same", ((children[0].value,), children[1]))

    def either_attribute(self, children: Sequence[Any]) -> tuple[str, ...]:
        return (*children[0], children[1].value)

    def same_either(self, children: Sequence[Any]) -> Node:
        """'the same color or shape as the ball'."""
        clauses = [Node("pred_same", ((attribute,), children[1])) for attribute in children[0]]
        return functools.reduce(lambda a, b: Node("pred_or", (a, b)), clauses)

    def neither_same(self, children: Sequence[Any]) -> Node:
        first, second, np = children
        return self.same_neither([(first.value, second.value), np])

    def same_neither(self, children: Sequence[Any]) -> Node:
        attributes, np = children
        return Node("pred_neither", tuple([Node("pred_same", ((attribute,), np)) for attribute in attributes]))

    def pred_of(self, children: Sequence[Any]) -> Node:
        attribute, np = children[0].parts
        return Node("pred_same", ((attribute,), np))

    def owned_and(self, children: Sequence[Any]) -> Node:
        return Node("pred_and", (children[0], self.pred_of(children[1:])))

    def ref_side(self, children: Sequence[Any]) -> Any:
        return children[0].parts[1]

    def share_det(self, children: Sequence[Any]) -> Node:
        return Node("pred_same", tuple(children[1:]))

    def share_its(self, children: Sequence[Any]) -> Node:
        return Node("pred_same", ((children[1].value,), children[2]))

    def share_alike(self, children: Sequence[Any]) -> Node:
        return Node("pred_alike", (children[-1],))

    def match_in(self, children: Sequence[Any]) -> Node:
        return Node("pred_same", (children[1], children[0]))

    def differ_in(self, children: Sequence[Any]) -> Node:
        return Node("pred_different", (children[1], children[0]))

    pred_value = whose_value

    def differ_alike(self, children: Sequence[Any]) -> Node:
        return Node("pred_differ", tuple(children))

    def trait_mods(self, children: Sequence[Any]) -> Any:
        """'a red color', 'shiny surface', 'no red color'."""
        trait = next(c for c in children if type(c) is Node)
        first = children[0]
        none = type(first) is Leaf and first.terminal == "DET" and first.value == "no"
        return Node("pred_not", (trait,)) if none else trait

    trait_value = trait_mods

    def trait_side(self, children: Sequence[Any]) -> Node:
        return self._compared("pred_same", *children[-2:])

    # --- attributes of things ---

    def attribute_of(self, children: Sequence[Any]) -> Node:
        return _node(("attribute_of", (children[0].value, children[1])))

    def its_attribute(self, children: Sequence[Any]) -> Node:
        return Node("attribute_of", (children[1].value, Node("np_it", (children[0],))))

    def possessive(self, children: Sequence[Any]) -> Node:
        return Node("attribute_of", (children[1].value, children[0]))


def side_of(side: Node) -> Any:
    """The noun phrase of 'the cube', 'that of the cube' or 'the color of the cube'."""
    return side.parts[0] if side.rule == "side_np" else side.parts[0].parts[1]
