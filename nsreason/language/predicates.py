"""Predicates as sets of objects: what may follow 'that is', 'that has' or a noun.

* 'left of the cube' is `relate` to the only cube; 'left of a cube' (or 'the cubes') is `relate_any`; 'left of all the
  cubes' is left of the leftmost of them
* 'not the same color as the ball' leaves out the ball itself, for it has its own color; 'different' likewise
* 'between' two things is on one side of the one and on the other side of the other, along the domain's first relation
  that has a direction and an inverse
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .lists import LIST
from .nodes import Core, Leaf, Node
from .noun_phrases import NounPhrases
from .tokens import REGION

NO_REGIONS = "which things lie on a side of the picture cannot be asked"
DENIED = ("pred_same", "pred_alike", "pred_or", "pred_and")  # may speak of a thing that is like itself
_EACH = {"np_both": "intersect", "obj_and": "intersect", "np_either": "union", "obj_or": "union", "np_neither": "union"}


class Predicates(NounPhrases):
    """Adds predicates to noun phrases."""

    def _apply(self, pred: Node, node: int | None) -> int:
        rule, parts = pred
        if rule == "pred_relation":
            met = self._sided(*parts)
        elif rule == "pred_same":
            met = self._fold("intersect", [self._same(a, parts[1]) for a in parts[0]])
        elif rule == "pred_mods":
            return self._pred_mods(parts[0], node)
        elif rule == "pred_and":
            self._no_name(pred)
            return self._apply(parts[1], self._apply(parts[0], node))
        elif rule == "pred_group":
            return self._apply(parts[0], node)
        elif rule == "pred_nominal":
            return self._nominal(parts[0], node)
        elif rule in ("pred_not", "pred_neither"):
            unwanted = self._fold("union", [self._unwanted(p) for p in parts])
            return self._add("difference", self._or_scene(node), unwanted)
        elif rule == "pred_or":
            self._no_name(pred)
            met = self._add("union", self._apply(parts[0], None), self._apply(parts[1], None))
        elif rule in ("pred_different", "pred_unlike", "pred_differ"):
            return self._add("difference", self._or_scene(node), self._sharing(pred))
        else:
            return self._apply_rare(rule, parts, node)
        return met if node is None else self._add("intersect", node, met)

    def _apply_rare(self, rule: str, parts: tuple[Any, ...], node: int | None) -> int:
        if rule == "pred_alike":
            return self._apply(Node("pred_same", (parts[0], self._spoken())), node)
        if rule == "pred_comparative":
            return self._comparative(parts[0].value, parts[1], node)
        if rule == "pred_same_unlike":
            same, other, np = parts
            return self._apply(Node("pred_different", (other, np)), self._apply(Node("pred_same", (same, np)), node))
        if rule == "pred_unlike_same":
            return self._apply_rare("pred_same_unlike", (parts[1], parts[0], parts[2]), node)
        if rule == "pred_of_which":
            met = self._related(self._inverse(parts[0].value, parts[0]), parts[1])
        elif rule == "pred_itself":
            met = self._add("only", self._object(parts[1]))
        elif rule == "pred_has":
            met = self._having(parts[0])
        elif rule == "pred_between":
            met = self._between(*parts)
        elif rule == "pred_among":
            met = self._among_them(parts[0])
        elif rule == "pred_either_side":
            met = self._sided(("union", self._axis(parts[0])), parts[0])
        else:
            raise AssertionError(f"no meaning for {rule}")
        return met if node is None else self._add("intersect", node, met)

    def _no_name(self, pred: Node) -> None:
        """'Left of the cube and the ball' does not say that something is the ball."""
        first, second = pred.parts
        nominal = second.parts[0] if second.rule == "pred_nominal" else None
        if self.strict and nominal is not None and self._definite(nominal):
            raise self._refuse("a known thing stands where something is said of things", second)
        named = first.rule in ("pred_relation", "pred_same", "pred_different")
        if nominal is not None and named and self._determiner(nominal) == "":
            raise self._refuse("this may belong to the noun before it", second)
        if first.rule == "pred_nominal" and pred.rule == "pred_or" and self._determiner(first.parts[0]) == "no":
            raise self._unsayable("say 'neither ... nor', or 'not ..., or is ...'", second)
        if nominal is not None and pred.rule == "pred_and" and first.rule == "pred_not":
            raise self._unsayable("say 'neither ... nor', or 'not ..., and is ...'", second)

    def _spoken(self) -> Node:
        """What 'the same color' without 'as' is said of: 'the same shape as the ball but not the same color'."""
        if self.compared is not None:
            return Node("np_known", (self.compared,))
        if self.it is None:
            raise self._refuse("'the same' as what? Say 'the same ... as', or speak of a thing before")
        return Node("np_it", (Leaf("IT", "", 0),))

    # --- negation ----------------------------------------------------------------------------------------------------

    def _unwanted(self, pred: Node) -> int:
        if pred.rule in ("pred_same", "pred_alike"):
            attributes = pred.parts[0]
            np = pred.parts[1] if pred.rule == "pred_same" else self._spoken()
            alike = self._fold("intersect", [self._same(a, np) for a in attributes])
            return self._with_itself(alike, np)
        if pred.rule in ("pred_or", "pred_and") and any(part.rule in DENIED for part in pred.parts):
            op = "union" if pred.rule == "pred_or" else "intersect"
            return self._fold(op, [self._unwanted(part) for part in pred.parts])
        return self._apply(pred, None)

    def _sharing(self, pred: Node) -> int:
        """What 'a different color and size' leaves out: whatever shares either."""
        np = pred.parts[1] if pred.rule == "pred_different" else self._spoken()
        return self._with_itself(self._fold("union", [self._same(a, np) for a in pred.parts[0]]), np)

    def _with_itself(self, alike: int, np: Node) -> int:
        for part in self._joined(np):
            alike = self._add("union", alike, self._add("only", self._object(part)))
        return alike

    # --- adjectives and nouns ----------------------------------------------------------------------------------------

    def _comparative(self, value: str, np: Node, node: int | None) -> int:
        """'Bigger than the cube': large, where the cube is not."""
        op = _EACH.get(np.rule)
        if op is not None:
            met = self._fold(op, [self._comparative(value, part, node) for part in self._each(np)])
            return self._add("difference", self._or_scene(node), met) if np.rule == "np_neither" else met
        large = self._add("filter", self._or_scene(node), of=value)
        alike = self._same(self.domain.attribute_of[value], np)
        return self._add("difference", large, self._with_itself(alike, np))

    def _pred_mods(self, mods: Sequence[Leaf], node: int | None) -> int:
        if any(self._is_comparative(mod) and self._word(mod).lower().endswith("er") for mod in mods):
            raise self._unsayable(f"{self._word(mods[0]).lower()} than what?", mods[0])
        node = self._adjectives(mods, node)
        for mod in mods:
            if mod.terminal in ("EXTREME", "AND_EXTREME"):
                if mod.value.endswith(REGION):
                    raise self._unsayable(f"{NO_REGIONS}, only which lies furthest", mod)
                furthest = self._furthest(self._add("scene"), mod.value)
                node = furthest if node is None else self._add("intersect", node, furthest)
        return self._or_scene(node)

    def _met(self, pred: Node, node: int | None) -> int:
        """The members of a set that 'which ... is' asks for: 'which ball is leftmost' is the leftmost of the balls."""
        mods: tuple[Leaf, ...] = pred.parts[0] if pred.rule == "pred_mods" else ()
        if len(mods) == 1 and mods[0].terminal == "EXTREME":
            return self._furthest(self._or_scene(node), mods[0].value)
        return self._apply(pred, node)

    def _nominal(self, np: Node, node: int | None) -> int:
        """'are cubes', 'are either cubes or metal things', 'are both cubes and red things'."""
        if np.rule == "np_both":
            return self._nominal(np.parts[1], self._nominal(np.parts[0], node))
        if np.rule == "np_neither":
            unwanted = self._fold("union", [self._nominal(part, None) for part in np.parts])
            return self._add("difference", self._or_scene(node), unwanted)
        det = self._determiner(np)
        if self.strict and np.rule == "np" and det == "" and not np.parts[1].plural and not np.parts[1].anything:
            raise self._refuse(
                "this noun has no article", np
            )  # 'left of the metal cylinder' is no metal thing's cylinder
        if det in ("all", "most") or (det == "only" and np.parts[1].plural):
            raise self._unsayable(f"'{det}' cannot stand in what is said of things", np)
        if np.rule == "np" and np.parts[0] in ("", "a", "any") and not np.parts[1].posts and node is not None:
            core: Core = np.parts[1]
            if not any(mod.terminal in ("EXTREME", "OTHER") for mod in core.mods):
                return self._mods(core, node)
        met = self._set(np)
        if np.rule == "np_it" or (np.rule == "np" and det in ("the", "only") and self._definite(np)):
            met = self._add("only", self._add("unique", met)) if np.rule == "np" else met
        if det == "no":
            return self._add("difference", self._or_scene(node), met)
        return met if node is None else self._add("intersect", node, met)

    # --- relations ---------------------------------------------------------------------------------------------------

    def _each(self, np: Node) -> list[Node]:
        """The parts of 'the cube and the ball' as what a relation is said of. Both must be known things, or both not:
        'left of the ball and cubes' is no such phrase."""
        parts = [p for part in np.parts for p in (self._each(part) if part.rule == np.rule else [part])]
        if np.rule in ("obj_and", "obj_or"):
            kinds = {"the" if self._is_the(p) or self._definite(p) else p.parts[0] for p in parts}
            if len(kinds) > 1 or "" in kinds:
                raise self._refuse("these noun phrases are not of one kind", np)
        return parts

    def _same(self, attribute: str, np: Node) -> int:
        op = _EACH.get(np.rule)
        if op is None:
            anchor = self._object(np)
            self.compared = anchor
            return self._add("same", anchor, of=attribute)
        return self._unless(np, self._fold(op, [self._same(attribute, part) for part in self._each(np)]))

    def _unless(self, np: Node, met: int) -> int:
        return self._add("difference", self._add("scene"), met) if np.rule == "np_neither" else met

    def _sided(self, relations: tuple[str, tuple[str, ...]], np: Node) -> int:
        """'Left or right of the ball'."""
        op, names = relations
        return self._fold(op, [self._related(name, np) for name in names])

    def _related(self, relation: str, np: Node) -> int:
        op = _EACH.get(np.rule)
        if op is not None:
            return self._unless(np, self._fold(op, [self._related(relation, part) for part in self._each(np)]))
        if self._definite(np):
            return self._add("relate", self._object(np), of=relation)
        det = self._determiner(np)
        if det == "all":
            return self._to_all(relation, np)
        if np.rule == LIST and det == "the" and np.parts[2] == "and":
            raise self._unsayable("'all of' them or 'any of' them? Say which", np)
        if det == "most" or (self._number_of(np) > 1 and det in ("any", "a", "no")):
            raise self._unsayable("a relation to 'most' or to a number of things cannot be asked", np)
        met = self._add("relate_any", self._set(np), of=relation)
        return self._add("difference", self._add("scene"), met) if det == "no" else met

    def _to_all(self, relation: str, np: Node) -> int:
        """'Left of all the cubes' is left of the leftmost; what is left of all other cubes may be a cube itself."""
        if self.domain.file.relations[relation].direction is None:
            raise self._unsayable(f"'{relation}' all of several things cannot be asked: it has no direction", np)
        others = self._set(np)
        furthest = self._add("extreme", others, of=relation)
        if self._is_other(np) and self.it is None and self.named is None and self.anchor is None:
            if self.steps[others].op.name == "scene":
                return furthest
            return self._add("union", furthest, self._add("relate_any", furthest, of=relation))
        if self.steps[others].op.name == "scene":
            raise self._unsayable("nothing stands so to all things, itself among them: say 'all other things'", np)
        return self._add("relate_any", furthest, of=relation)

    def _inverse(self, relation: str, word: Any) -> str:
        inverse = self.domain.inverse(relation)
        if inverse is None:
            raise self._refuse(f"the relation '{relation}' has no inverse to turn it round", word)
        return inverse

    def _having(self, np: Node) -> int:
        """'Has a cube behind it': stands in front of a cube."""
        core: Core | None = np.parts[1] if np.rule == "np" else None
        clause = core.posts[-1][1] if core is not None and core.posts else None
        beside = (
            isinstance(clause, Node) and clause.rule == "pred_relation" and clause.parts[1].rule in ("np_it", "np_them")
        )
        if core is None or clause is None or not beside:
            raise self._refuse("a thing has a value, the same value as another, or a thing beside it", np)
        others = Node("np", (np.parts[0], core._replace(posts=core.posts[:-1])))
        op, relations = clause.parts[0]
        word = clause.parts[1].parts[0]
        return self._sided((op, tuple(self._inverse(r, word) for r in relations)), others)

    def _axis(self, at: Node) -> tuple[str, str]:
        """The first relation with a direction and an inverse: in images, left and right."""
        for name, entry in self.domain.file.relations.items():
            if entry.direction is not None and entry.inverse is not None and entry.inverse != name:
                return name, entry.inverse
        raise self._refuse(f"domain '{self.domain.name}' has no relation with a direction and an inverse", at)

    def _between(self, a: Node, b: Node) -> int:
        here, there = self._axis(a)
        one = self._add("intersect", self._related(here, a), self._related(there, b))
        other = self._add("intersect", self._related(there, a), self._related(here, b))
        return self._add("union", one, other)

    def _among_them(self, np: Node) -> int:
        """'Between the two cubes': a cube is on either side."""
        if self._definite(np):
            raise self._refuse("'between' wants two things", np)
        if self._determiner(np) == "all" and self._number_of(np) != 2:
            raise self._unsayable("between which of them?", np)
        here, there = self._axis(np)
        others = self._some(np)
        sides = [self._add("relate_any", others, of=side) for side in (here, there)]
        return self._add("intersect", *sides)
