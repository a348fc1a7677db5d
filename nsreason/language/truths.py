"""Whether a predicate is true of a noun phrase, as its determiner asks.

* 'is the cube red' asks of the one cube; 'are the cubes red', 'are all cubes red' of every one; 'is a cube red' of some
* 'is the cube red or blue' asks which; 'is the cube left of the ball or a sphere' is yes or no
* 'is it the same color as the ball' compares two values; 'as any ball' asks for one among the things of its color
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .counting import Counting
from .noun_phrases import JOINED, Antecedent
from .phrases import Node

OF_BOTH = ("coord_and", "np_both")


class Truths(Counting):
    """Adds what is true of a noun phrase to the questions that count."""

    spoken: Antecedent | None = None  # the subject of the last question, for 'and is it red?'

    def _same_value(self, attributes: Sequence[str], a: int, b: int) -> int:
        truths = [
            self._add("equal", self._add("query", a, of=name), self._add("query", b, of=name)) for name in attributes
        ]
        return self._fold("both", truths)

    def _different_value(self, attributes: Sequence[str], a: int, b: int) -> int:
        return self._fold("both", [self._add("negate", self._same_value((name,), a, b)) for name in attributes])

    def _with_det(self, np: Node, det: str) -> Node:
        return np if np.rule != "np" or self._definite(np) else Node("np", (det, np.parts[1]))

    def _holds(self, np: Node, pred: Node) -> int:
        """Whether a predicate is true of a noun phrase, as its determiner asks."""
        if pred.rule in ("pred_alike", "pred_unlike"):
            compared = self._holds_among(np, pred)
            if compared is not None:
                return compared
        if pred.rule == "pred_not" and pred.parts[0].rule == "pred_alike":  # not 'all different': not all the same
            return self._add("negate", self._holds(np, pred.parts[0]))
        if np.rule in JOINED:
            parts = [self._holds(self._any_of(part, np.rule), pred) for part in self._joined(np)]
            truth = self._fold("both" if np.rule in OF_BOTH else "either", parts)
            return self._add("negate", truth) if np.rule == "np_neither" else truth
        self.spoken = Antecedent(np)
        if self._definite(np):
            return self._holds_of(self._object(np), pred)
        det = self._determiner(np) or ("all" if np.rule == "np_them" else "")
        if det in ("all", "the"):
            subject = self._set(np)
            failing = self._add("difference", subject, self._apply(pred, None))
            return self._add("negate", self._add("exist", failing))
        if det == "most":
            subject = self._set(np)
            met = self._apply(pred, subject)
            rest = self._add("difference", subject, met)
            return self._add("greater", self._add("count", met), self._add("count", rest))
        if pred.rule == "pred_same" and self._like_another(np, pred.parts[1]):
            different = self._all_different(self._set(np), pred.parts[0])
            return different if det == "no" else self._add("negate", different)
        truth = self._add("exist", self._restrict(np, pred))
        return self._add("negate", truth) if det == "no" else truth

    @staticmethod
    def _like_another(np: Node, other: Node) -> bool:
        """'Is any cube the same color as another cube?'"""
        if np.rule != "np" or other.rule != "np":
            return False
        core, another = np.parts[1], other.parts[1]
        rest = tuple(mod for mod in another.mods if mod.value != "another")
        same = {mod.value for mod in core.mods} == {mod.value for mod in rest} and core.nouns == another.nouns
        return len(rest) < len(another.mods) and same and not another.posts

    @staticmethod
    def _any_of(np: Node, joined: str) -> Node:
        """'Neither the cubes nor the balls are red': no cube is, and no ball."""
        several = joined == "np_neither" and np.rule == "np" and np.parts[1].plural
        return Node("np", ("any", np.parts[1])) if several else np

    def _holds_among(self, np: Node, pred: Node) -> int | None:
        """'Are they the same color?': whether things are alike among themselves. None for one thing: that
        may ask whether it is like what was spoken of before."""
        (attributes,) = pred.parts
        parts = self._joined(np)
        same = pred.rule == "pred_alike"
        if len(parts) > 1 and all(self._definite(part) for part in parts):
            objects = [self._object(part) for part in parts]
            pairs = itertools.pairwise(objects) if same else itertools.combinations(objects, 2)
            compare = self._same_value if same else self._different_value
            return self._fold("both", [compare(attributes, a, b) for a, b in pairs])
        if self._definite(np):
            return None
        det = self._determiner(np)
        node = self._set(np)
        if det in ("any", "a", "no"):
            different = self._all_different(node, attributes) if same else self._all_same(node, attributes)
            return different if det == "no" else self._add("negate", different)
        return self._all_same(node, attributes) if same else self._all_different(node, attributes)

    def _holds_of(self, anchor: int, pred: Node) -> int:
        if pred.rule == "pred_not":
            return self._add("negate", self._holds_of(anchor, pred.parts[0]))
        if pred.rule in ("pred_same", "pred_different"):
            attributes, np = pred.parts
            return self._compared(anchor, attributes, np, pred.rule == "pred_same")
        if pred.rule == "pred_nominal" and pred.parts[0].rule == "np" and pred.parts[0].parts[0] == "only":
            return self._is_only(anchor, pred.parts[0])
        if pred.rule == "pred_itself":
            return self._add("equal_object", anchor, self._object(pred.parts[1]))
        if pred.rule in ("pred_alike", "pred_unlike"):
            return self._compared(anchor, pred.parts[0], self._spoken(), pred.rule == "pred_alike")
        if pred.rule in ("pred_and", "pred_or") and self._compares(pred):
            op = "both" if pred.rule == "pred_and" else "either"
            return self._fold(op, [self._holds_of(anchor, part) for part in pred.parts])
        choice = self._choice(pred)
        if choice is not None:
            return self._add("query", anchor, of=choice)
        return self._add("exist", self._apply(pred, self._add("only", anchor)))

    def _compares(self, pred: Node) -> bool:
        if pred.rule in ("pred_and", "pred_or"):
            return any(self._compares(part) for part in pred.parts)
        return pred.rule in ("pred_same", "pred_different", "pred_alike", "pred_unlike")

    def _compared(self, anchor: int, attributes: Sequence[str], np: Node, same: bool) -> int:
        if np.rule in JOINED:
            if np.rule == "np_neither":
                return self._add("negate", self._compared(anchor, attributes, Node("np_either", np.parts), same))
            op = "both" if np.rule in ("np_both", "obj_and") else "either"
            return self._fold(op, [self._compared(anchor, attributes, part, same) for part in self._each(np)])
        if not self._definite(np):
            return self._compared_with_any(anchor, attributes, np, same)
        other = self._object(np)
        return (self._same_value if same else self._different_value)(attributes, anchor, other)

    def _compared_with_any(self, anchor: int, attributes: Sequence[str], np: Node, same: bool) -> int:
        """'Is it the same color as any cube, as all cubes, as the cubes, as no cube?'"""
        others = self._set(np)
        alike = self._fold("intersect", [self._add("same", anchor, of=a) for a in attributes])
        if self._determiner(np) in ("a", "any"):
            truth = self._add("exist", self._add("intersect", others, alike))
        else:
            unlike = self._add("difference", others, self._add("union", alike, self._add("only", anchor)))
            truth = self._add("negate", self._add("exist", unlike))
        return truth if same else self._add("negate", truth)

    def _is_only(self, anchor: int, np: Node) -> int:
        """'Is it the only cube': it is a cube, and there is one cube."""
        cubes = self._set(np)
        is_one = self._add("exist", self._add("intersect", self._add("only", anchor), cubes))
        alone = self._add("equal_integer", self._add("count", cubes), self._add("number", of="1"))
        return self._add("both", is_one, alone)

    def _choice(self, pred: Node) -> str | None:
        """The attribute that 'red or blue' offers a choice in."""
        values: list[str] = []
        if pred.rule == "pred_mods":
            first, *rest = pred.parts[0]
            if not rest or first.terminal != "ADJECTIVE" or any(mod.terminal != "OR" for mod in rest):
                return None
            values = [mod.value for mod in pred.parts[0]]
        elif pred.rule == "pred_nominal" and pred.parts[0].rule == "coord_or":
            cores = [p.parts[1] for p in self._joined(pred.parts[0]) if p.rule == "np"]
            if any(len(c.nouns) != 1 or c.mods or c.posts for c in cores):
                return None
            values = [c.nouns[0] for c in cores]
        attributes = {self.domain.attribute_of[v] for v in values}
        return attributes.pop() if len(attributes) == 1 and len(values) > 1 else None
