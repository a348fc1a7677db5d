"""Whether a predicate is true of a noun phrase, as its determiner asks.

* 'is the cube red' asks of the one cube; 'are the cubes red', 'are all cubes red' of every one; 'is a cube red' of some
* 'is the cube red or blue' asks which; 'is the cube left of the ball or a sphere' is yes or no
* 'is it the same color as the ball' compares two values; 'as any ball' asks for one among the things of its color
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .alike import ALIKE
from .counting import Counting
from .lists import LIST
from .nodes import Leaf, Node
from .steps import JOINED, Antecedent

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
        if np.rule == LIST:
            return Node(LIST, (det, *np.parts[1:]))
        return np if np.rule != "np" or self._definite(np) else Node("np", (det, np.parts[1]))

    def _holds(self, np: Node, pred: Node, *, choose: bool = True) -> int:
        """Whether a predicate is true of a noun phrase, as its determiner asks.

        With `choose`, 'red or blue' asks which.
        """
        alike = pred.parts[0] if pred.rule == "pred_not" else pred
        if alike.rule in ALIKE:
            compared = self._holds_among(np, alike, pred is not alike)
            if compared is not None:
                return compared
        if np.rule in JOINED:
            self._no_bare(self._joined(np))
            if np.rule in OF_BOTH and all(p.rule == "np" and p.parts[0] == "" and p.parts[1].plural for p in np.parts):
                raise self._unsayable("all of them, or some? Say 'all ...' or 'any ...'", np)
            chosen = self._one_of(np, pred) if choose else None
            if chosen is not None:
                return chosen
            each = self._joined(np)
            if np.rule in OF_BOTH and self._determiner(each[0]) == "the":  # 'the ball and cubes' are all of the cubes
                each = [self._with_det(part, self._determiner(part) or "the") for part in each]
            parts = [self._holds(self._any_of(part, np.rule), pred, choose=False) for part in each]
            truth = self._fold("both" if np.rule in OF_BOTH else "either", parts)
            return self._add("negate", truth) if np.rule == "np_neither" else truth
        self.spoken = Antecedent(np)
        if self._definite(np):
            anchor = self.anchor = self._object(np)
            return self._holds_of(anchor, pred, choose=choose)
        det = self._determiner(np) or ("the" if np.rule == "np_them" else "")
        det = "the" if det == "only" else det  # 'the only red things' are the red things
        if det in ("all", "the", "most"):
            return self._holds_of_set(np, det, pred, choose)
        number = self._number_of(np)
        if pred.rule == "pred_same" and number < 2 and self._like_another(np, pred.parts[1]):
            different = self._all_different(self._set(np), pred.parts[0])
            return different if det == "no" else self._add("negate", different)
        met = self._restrict(np, pred)
        if number > 1 and not self._of_the(np):  # 'no two cubes are red'
            fewer = self._add("less", self._add("count", met), self._add("number", of=str(number)))
            return fewer if det == "no" else self._add("negate", fewer)
        truth = self._add("exist", met)
        return self._add("negate", truth) if det == "no" else truth

    def _holds_of_set(self, np: Node, det: str, pred: Node, choose: bool) -> int:
        """'Are the cubes red', 'are all cubes red', 'are most cubes red'."""
        if self._has_extreme(pred):
            raise self._unsayable("only one thing lies furthest: several cannot be asked for", np)
        choice = self._choice(pred) if det != "most" else None
        if choice is not None:
            if det == "the" and np.rule != LIST and choose:
                return self._common(choice, self._set(np), np)
            if self._every_value(choice, pred):
                raise self._unsayable(f"each thing is one of these; ask 'what {choice} are ...'", np)
            if det == "the" or self._of_the(np):
                message = f"which of these, or is each one of them? Say 'what {choice} are ...' or 'is every ...'"
                raise self._unsayable(message, np)
        self._other_than_what(np)
        subject = self._set(np)
        self.several = True
        if det != "most" and pred.rule == "pred_nominal" and self._determiner(pred.parts[0]) == "only":
            those = self._set(pred.parts[0])  # 'the red cubes are the only red things': they are the same things
            apart = [self._add("difference", subject, those), self._add("difference", those, subject)]
            return self._add("negate", self._add("exist", self._fold("union", apart)))
        if det == "most":
            met = self._apply(pred, subject)
            rest = self._add("difference", subject, met)
            return self._add("greater", self._add("count", met), self._add("count", rest))
        failing = self._add("difference", subject, self._apply(pred, None))
        return self._add("negate", self._add("exist", failing))

    @staticmethod
    def _of_the(np: Node) -> bool:
        """Whether a determiner takes from known things: 'none of the two cubes' asks of both."""
        first = np.parts[1][0] if np.rule == LIST else np
        return first.rule == "np" and bool(first.parts[1].of_the)

    def _has_extreme(self, pred: Node) -> bool:
        if pred.rule == "pred_mods":
            return any(mod.terminal in ("EXTREME", "AND_EXTREME") for mod in pred.parts[0])
        return any(self._has_extreme(part) for part in pred.parts if isinstance(part, Node) and part.rule[:4] == "pred")

    def _every_value(self, attribute: str, pred: Node) -> bool:
        """Whether a choice offers all values of its attribute, so that one of them is sure to hold."""
        return len(set(self._offered(pred))) == len(self.domain.file.attributes[attribute].values)

    def _one_of(self, np: Node, pred: Node) -> int | None:
        """'Is the red box or the gray box larger?': the one of two known things that is so, named by what tells them
        apart. None where this is no such choice."""
        mods: tuple[Leaf, ...] = ()
        if pred.rule == "pred_mods":
            mods = pred.parts[0]
        elif pred.rule == "pred_nominal" and pred.parts[0].rule == "np" and not pred.parts[0].parts[1].nouns:
            mods = pred.parts[0].parts[1].mods
        compares = len(mods) == 1 and (mods[0].terminal == "EXTREME" or self._is_comparative(mods[0]))
        if np.rule != "coord_or" or not compares:
            return None
        parts = self._joined(np)
        if not all(self._definite(part) for part in parts):
            raise self._unsayable("which of several things? Only of known ones it can be asked", np)
        attribute = self._telling_apart(parts)
        if attribute is None:
            raise self._unsayable("no word for a value tells these things apart, so none can be the answer", np)
        those = self._fold("union", [self._add("only", self._object(part)) for part in parts])
        word = mods[0]
        if word.terminal == "EXTREME":
            chosen = self._furthest(those, word.value)
        else:
            chosen = self._add("filter", those, of=word.value)
        return self._add("query", self._add("unique", chosen), of=attribute)

    def _telling_apart(self, parts: Sequence[Node]) -> str | None:
        """The attribute of which known things are called by different values: what is asked for, if it is one."""
        names: list[dict[str, str]] = []
        for part in parts:
            core = part.parts[1] if part.rule == "np" else None
            words = [*(mod.value for mod in core.mods if mod.terminal == "ADJECTIVE"), *core.nouns] if core else []
            names.append({self.domain.attribute_of[word]: word for word in words})
        for attribute in (self._asks(), *self.domain.attributes):
            values = [name.get(attribute) for name in names]
            if None not in values and len(set(values)) == len(values):
                return attribute
        return None

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

    def _holds_among(self, np: Node, pred: Node, denied: bool) -> int | None:
        """'Are they the same color?': whether things are alike among themselves. None for one thing: that
        may ask whether it is like what was spoken of before."""
        (attributes,) = pred.parts
        parts = self._joined(np)
        same = pred.rule == "pred_alike"
        if len(parts) > 1 and all(self._definite(part) for part in parts):
            objects = [self._object(part) for part in parts]
            pairs = itertools.pairwise(objects) if same else itertools.combinations(objects, 2)
            compare = self._same_value if same else self._different_value
            truth = self._fold("both", [compare(attributes, a, b) for a, b in pairs])
            return self._add("negate", truth) if denied else truth
        if self._definite(np):
            return None
        joined = np.rule == LIST and np.parts[2] == "and" and not self._number_of(np)
        if any(self._determiner(part) in ("a", "any", "no", "most") and (joined or len(parts) > 1) for part in parts):
            raise self._unsayable("whether one of these is like one of those cannot be asked", np)
        judge = self._not_among if denied else self._among
        return judge(self._determiner(np), 0 if self._of_the(np) else self._number_of(np), self._set(np), pred)

    def _holds_of(self, anchor: int, pred: Node, *, choose: bool = True) -> int:
        if pred.rule == "pred_not":
            return self._add("negate", self._holds_of(anchor, pred.parts[0], choose=False))
        of = pred.parts[1] if pred.rule in ("pred_relation", "pred_same", "pred_different") else pred
        if self.it is None and of.rule in ("np_it", "np_them"):  # 'is the ball left of it'
            raise self._refuse(f"'{self._word(of.parts[0])}' has nothing before it to stand for", of)
        if pred.rule in ("pred_same", "pred_different"):
            attributes, np = pred.parts
            return self._compared(anchor, attributes, np, pred.rule == "pred_same")
        if pred.rule == "pred_nominal" and pred.parts[0].rule == "np" and pred.parts[0].parts[0] == "only":
            return self._is_only(anchor, pred.parts[0])
        if pred.rule == "pred_itself":
            return self._add("equal_object", anchor, self._object(pred.parts[1]))
        if pred.rule in ALIKE:
            return self._compared(anchor, pred.parts[0], self._spoken(), pred.rule == "pred_alike")
        if pred.rule in ("pred_and", "pred_or") and self._compares(pred):
            op = "both" if pred.rule == "pred_and" else "either"
            return self._fold(op, [self._holds_of(anchor, part, choose=False) for part in pred.parts])
        choice = self._choice(pred) if choose else None
        if choice is not None:
            return self._add("query", anchor, of=choice)
        return self._add("exist", self._apply(pred, self._add("only", anchor)))

    def _compares(self, pred: Node) -> bool:
        if pred.rule in ("pred_and", "pred_or"):
            return any(self._compares(part) for part in pred.parts)
        return pred.rule in ("pred_same", "pred_different", *ALIKE)

    def _compared(self, anchor: int, attributes: Sequence[str], np: Node, same: bool) -> int:
        if np.rule in JOINED:
            if np.rule == "np_neither":
                return self._add("negate", self._compared(anchor, attributes, Node("np_either", np.parts), same))
            op = "both" if np.rule in ("np_both", "obj_and") else "either"
            return self._fold(op, [self._compared(anchor, attributes, part, same) for part in self._each(np)])
        if not self._definite(np) or (same and self.anchor == anchor and self._is_other(np)):
            return self._compared_with_any(anchor, attributes, np, same)
        other = self._object(np)
        return (self._same_value if same else self._different_value)(attributes, anchor, other)

    def _compared_with_any(self, anchor: int, attributes: Sequence[str], np: Node, same: bool) -> int:
        """'Is it the same color as any cube, as all cubes, as the cubes, as no cube?'"""
        det = self._determiner(np)
        if det == "most" or (self._number_of(np) > 1 and det != "all" and det != "the"):
            raise self._unsayable("whether this is like 'most', or like a number of things, cannot be asked", np)
        if self._is_other(np) and self.it is None:  # 'as another cube': no thing is its own like
            plain = tuple(mod for mod in np.parts[1].mods if mod.terminal != "OTHER")
            np = Node("np", (det, np.parts[1]._replace(mods=plain)))
        others = self._set(np)
        alike = [self._add("same", anchor, of=a) for a in attributes]
        if not same:
            if det in ("a", "any", "no"):
                raise self._unsayable("different from one of them, or from all? Say 'from all'", np)
            met = self._add("intersect", others, self._fold("union", alike))
            return self._add("negate", self._add("exist", met))
        one = self._fold("intersect", alike)
        if det in ("a", "any", "no") or self._definite(np):  # 'as big as the other cube'
            truth = self._add("exist", self._add("intersect", others, one))
            return self._add("negate", truth) if det == "no" else truth
        unlike = self._add("difference", others, self._add("union", one, self._add("only", anchor)))
        return self._add("negate", self._add("exist", unlike))

    def _is_only(self, anchor: int, np: Node) -> int:
        """'Is it the only cube': it is a cube, and there is one cube."""
        cubes = self._set(np)
        is_one = self._add("exist", self._add("intersect", self._add("only", anchor), cubes))
        alone = self._add("equal_integer", self._add("count", cubes), self._add("number", of="1"))
        return self._add("both", is_one, alone)

    def _choice(self, pred: Node) -> str | None:
        """The attribute that 'red or blue' offers a choice in."""
        values = self._offered(pred)
        attributes = {self.domain.attribute_of[v] for v in values}
        return attributes.pop() if len(attributes) == 1 and len(values) > 1 else None

    def _offered(self, pred: Node) -> list[str]:
        """The values of 'red or blue', of 'a cube or a ball'."""
        if pred.rule == "pred_mods":
            first, *rest = pred.parts[0]
            if not rest or first.terminal != "ADJECTIVE" or any(mod.terminal != "OR" for mod in rest):
                return []
            return [mod.value for mod in pred.parts[0]]
        if pred.rule != "pred_nominal":
            return []
        (np,) = pred.parts
        either = np.rule == LIST and np.parts[2] == "or" and np.parts[0] in ("a", "any", "")
        members = np.parts[1] if either else self._joined(np) if np.rule == "coord_or" else ()
        cores = [member.parts[1] for member in members if member.rule == "np"]
        if any(len(c.nouns) != 1 or c.mods or c.posts for c in cores):
            return []
        return [c.nouns[0] for c in cores]
