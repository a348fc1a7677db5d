"""From the phrases of a question to its program: what each kind of question asks of its noun phrases.

* 'is the cube red' asks of the one cube; 'are the cubes red', 'are all cubes red' of every one; 'is a cube red' of some
* 'is the cube red or blue' asks which; 'is the cube left of the ball or a sphere' is yes or no
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from ..program import Call, Program
from .noun_phrases import NounPhrases
from .phrases import Core, Node, Phrases, Word, said


class Composer(NounPhrases):
    """Builds the program of one question."""

    def program(self, tree: Node) -> Program:
        """The program of a parsed question.

        Raises:
            QuestionError: a pronoun has nothing to stand for, or an answer would be two words.
        """
        *statements, ask = tree.parts
        for statement in statements:
            self._speak_of(statement.parts[-1])
        self._ask(ask)
        return Program(_used(self.calls), self.domain)

    # --- questions ---------------------------------------------------------------------------------------------------

    def _ask(self, ask: Node) -> int:
        method: Callable[..., int] = getattr(self, "_q_" + ask.rule)
        return method(*ask.parts)

    def _q_ask(self, clause: Node) -> int:
        return self._ask(clause)

    def _q_ask_and(self, first: Node, second: Node) -> int:
        return self._both_asked("both", first, second)

    def _q_ask_or(self, first: Node, second: Node) -> int:
        return self._both_asked("either", first, second)

    def _both_asked(self, op: str, first: Node, second: Node) -> int:
        a = self._ask(first)
        spoken = self._subject(first)
        if spoken is not None:
            self._speak_of(spoken)
        b = self._ask(second)
        step = self.domain.step
        if any(step(self.calls[i].op, self.calls[i].literals).gives.name != "truth" for i in (a, b)):
            raise self._refuse("two questions joined by 'and' or 'or' must both be answered by yes or no")
        return self._add(op, a, b)

    def _subject(self, ask: Node) -> Node | None:
        parts = ask.parts[0].parts if ask.rule == "ask" else ask.parts
        return next((p for p in parts if isinstance(p, Node) and p.rule in ("np", "coord_or")), None)

    # counting

    def _q_count(self, nps: Node) -> int:
        if nps.rule == "number_of":
            nps = nps.parts[0]
        return self._add("count", self._set(nps))

    def _q_count_posts(self, nps: Node, posts: tuple[Any, ...]) -> int:
        return self._add("count", self._among(posts, self._set(nps)))

    def _q_count_pred(self, nps: Node, pred: Node) -> int:
        return self._add("count", self._restrict(nps, pred))

    def _q_count_things(self, pred: Node) -> int:
        return self._add("count", self._apply(pred, None))

    def _q_count_more(self, a: Node, b: Node) -> int:
        return self._add("minus", self._q_count(a), self._q_count(b))

    def _q_count_fewer(self, a: Node, b: Node) -> int:
        return self._q_count_more(b, a)

    def _q_distinct_all(self, attribute: Word) -> int:
        return self._add("distinct", self._add("scene"), of=said(attribute, "ATTRIBUTE"))

    def _q_distinct(self, attribute: Word, np: Node) -> int:
        return self._add("distinct", self._set(np), of=said(attribute, "ATTRIBUTE"))

    def _q_distinct_pred(self, attribute: Word, pred: Node) -> int:
        """'How many shapes are red?' counts things, 'how many colors are metallic?' counts colors."""
        node, name = self._apply(pred, None), said(attribute, "ATTRIBUTE")
        return self._add("count", node) if name == self._asks() else self._add("distinct", node, of=name)

    def _q_distinct_mods(self, attribute: Word, mods: tuple[Any, ...]) -> int:
        return self._q_distinct_pred(attribute, Node("pred_mods", (mods,)))

    # comparing numbers

    def _compare(self, op: str, a: Node, b: Node) -> int:
        return self._add(op, self._q_count(a), self._q_count(b))

    def _q_more(self, a: Node, b: Node) -> int:
        return self._compare("greater", a, b)

    def _q_fewer(self, a: Node, b: Node) -> int:
        return self._compare("less", a, b)

    def _q_more_near(self, a: Node, near: Node) -> int:
        return self._compare("greater", a, self._elsewhere(a, near))

    def _q_fewer_near(self, a: Node, near: Node) -> int:
        return self._compare("less", a, self._elsewhere(a, near))

    @staticmethod
    def _elsewhere(np: Node, near: Node) -> Node:
        """'more cubes behind it than left of it': the same noun with the last clause replaced."""
        if np.rule != "np":
            return Node("pred_set", (near,))
        det, core = np.parts
        posts = core.posts[:-1] if core.posts and core.posts[-1][0] in ("near", "that") else core.posts
        return Node("np", (det, core._replace(posts=(*posts, ("near", near)))))

    def _q_as_many(self, coord: Node) -> int:
        return self._compare("equal_integer", *coord.parts)

    def _q_as_many_as(self, a: Node, b: Node) -> int:
        return self._compare("equal_integer", a, b)

    def _q_compare_numbers(self, a: Node, order: Node, b: Node) -> int:
        return self._compare(_ORDER[order.rule], a, b)

    def _q_compare_integer(self, a: Node, order: Node, n: Word) -> int:
        return self._add(_ORDER[order.rule], self._q_count(a), self._add("number", of=said(n, "INTEGER")))

    def _q_exist_quantity(self, quantity: Node, np: Node) -> int:
        count = self._q_count(np)
        op, flipped = _QUANTITY[quantity.rule]
        truth = self._add(op, count, self._add("number", of=said(quantity.parts[0], "INTEGER")))
        return self._add("negate", truth) if flipped else truth

    # comparing values

    def _same_value(self, attributes: Sequence[str], a: int, b: int) -> int:
        truths = [
            self._add("equal", self._add("query", a, of=name), self._add("query", b, of=name)) for name in attributes
        ]
        return self._fold("both", truths)

    def _q_same_sides(self, left: Node, right: Node) -> int:
        attribute, np = left.parts
        if right.rule == "side" and right.parts[0].parts[0] != attribute:
            raise self._refuse(f"a {attribute} cannot be compared with a {right.parts[0].parts[0]}")
        other = Phrases.side_of(right, attribute)
        return self._same_value((attribute,), self._object(np), self._object(other))

    def _q_different_sides(self, left: Node, right: Node) -> int:
        return self._add("negate", self._q_same_sides(left, right))

    def _q_is_value(self, of: Node, mods: tuple[Any, ...]) -> int:
        return self._holds(of.parts[1], Node("pred_mods", (mods,)))

    def _q_all_same(self, nps: Node, attributes: tuple[str, ...]) -> int:
        things = self._joined(nps)
        if len(things) > 1 and all(self._definite(np) for np in things):
            objects = [self._object(np) for np in things]
            truths = [self._same_value(attributes, a, b) for a, b in itertools.pairwise(objects)]
            return self._fold("both", truths)
        truths = []
        for attribute in attributes:
            distinct = self._add("distinct", self._set(nps), of=attribute)
            truths.append(self._add("less", distinct, self._add("number", of="2")))
        return self._fold("both", truths)

    def _q_not_all_same(self, nps: Node, attributes: tuple[str, ...]) -> int:
        return self._add("negate", self._q_all_same(nps, attributes))

    # asking for a value

    def _q_query(self, attribute: Word, np: Node, *_: Any) -> int:
        name = said(attribute, "ATTRIBUTE" if attribute.may("ATTRIBUTE") else "HOW")
        return self._add("query", self._object(np), of=name)

    def _q_query_after(self, np: Node, attribute: Word) -> int:
        return self._q_query(attribute, np)

    def _q_query_made(self, np: Node, made: Word) -> int:
        return self._add("query", self._object(np), of=said(made, "MADE_END"))

    def _q_query_side(self, side: Node) -> int:
        return self._add("query", self._object(side.parts[1]), of=side.parts[0])

    def _query_set(self, attribute: str, node: int) -> int:
        return self._add("query", self._add("unique", node), of=attribute)

    def _q_query_pred(self, attribute: Word, pred: Node) -> int:
        return self._query_set(said(attribute, "ATTRIBUTE"), self._apply(pred, None))

    def _q_query_np_pred(self, attribute: Word, np: Node, pred: Node) -> int:
        return self._query_set(said(attribute, "ATTRIBUTE"), self._restrict(np, pred))

    def _q_query_np_posts(self, attribute: Word, np: Node, posts: tuple[Any, ...]) -> int:
        return self._query_set(said(attribute, "ATTRIBUTE"), self._among(posts, self._set(np)))

    def _q_query_indirect(self, attribute: Word, core: Core) -> int:
        return self._q_query(attribute, Node("np", ("the", core)))

    def _q_query_mods(self, attribute: Word, mods: tuple[Any, ...]) -> int:
        return self._q_query_pred(attribute, Node("pred_mods", (mods,)))

    def _asks(self) -> str:
        return self.domain.file.asks or self.domain.attributes[0]

    def _q_what_is(self, np: Node) -> int:
        return self._add("query", self._object(np), of=self._asks())

    def _q_what_pred(self, pred: Node) -> int:
        return self._query_set(self._asks(), self._apply(pred, None))

    def _q_what_mods(self, mods: tuple[Any, ...]) -> int:
        return self._q_what_pred(Node("pred_mods", (mods,)))

    def _q_what_np_pred(self, np: Node, pred: Node) -> int:
        return self._query_set(self._asks(), self._restrict(np, pred))

    # yes or no

    def _q_exist(self, nps: Node) -> int:
        if nps.rule in ("coord_and", "np_both"):
            return self._fold("both", [self._q_exist(np) for np in self._joined(nps)])
        truth = self._add("exist", self._set(nps))
        return self._add("negate", truth) if nps.rule == "np" and nps.parts[0] == "no" else truth

    def _q_find(self, nps: Node) -> int:
        """'Find the red cube' answers with the object, 'find the red cubes' with a set."""
        return self._object(nps) if self._definite(nps) else self._set(nps)

    def _q_is_same_object(self, a: Node, _: Word, b: Node) -> int:
        return self._add("equal_object", self._object(a), self._object(b))

    def _q_is_np(self, nps: Node) -> int:
        if nps.rule == "np":
            det, core = nps.parts
            last = core.posts[-1] if core.posts else None
            asked = det in ("the", "all", "no", "most")
            if asked and last is not None and last[0] in ("near", "without", "extreme"):
                return self._holds(Node("np", (det, core._replace(posts=core.posts[:-1]))), self._as_pred(last))
        return self._q_exist(nps)

    @staticmethod
    def _as_pred(post: tuple[str, Any]) -> Node:
        kind, told = post
        if kind == "extreme":
            return Node("pred_mods", ((("extreme", told),),))
        return Node("pred_not", (told,)) if kind == "without" else told

    def _q_is_pred(self, np: Node, pred: Node) -> int:
        return self._holds(np, pred)

    def _q_is_det_pred(self, np: Node, det: Word, pred: Node) -> int:
        """'Are the cubes all red?', 'are the cube and the ball both red?'"""
        parts = self._joined(np)
        return self._fold("both", [self._holds(self._with_det(p, said(det, "FLOATING")), pred) for p in parts])

    def _with_det(self, np: Node, det: str) -> Node:
        if np.rule != "np" or self._definite(np):
            return np
        return Node("np", (det, np.parts[1]))

    def _holds(self, np: Node, pred: Node) -> int:
        """Whether a predicate is true of a noun phrase, as its determiner asks."""
        if np.rule in ("coord_and", "np_both", "coord_or", "np_either"):
            op = "both" if np.rule in ("coord_and", "np_both") else "either"
            return self._fold(op, [self._holds(part, pred) for part in self._joined(np)])
        if self._definite(np):
            return self._holds_of(self._object(np), pred)
        det = "all" if np.rule == "np_them" else np.parts[0]
        if det in ("all", "the"):
            subject = self._set(np)
            failing = self._add("difference", subject, self._apply(pred, None))
            return self._add("negate", self._add("exist", failing))
        if det == "most":
            subject = self._set(np)
            met = self._apply(pred, subject)
            rest = self._add("difference", subject, met)
            return self._add("greater", self._add("count", met), self._add("count", rest))
        truth = self._add("exist", self._restrict(np, pred))
        return self._add("negate", truth) if det == "no" else truth

    def _holds_of(self, anchor: int, pred: Node) -> int:
        if pred.rule == "pred_not":
            return self._add("negate", self._holds_of(anchor, pred.parts[0]))
        if pred.rule in ("pred_same", "pred_different"):
            attributes, np = pred.parts
            if self._definite(np):
                truth = self._same_value(attributes, anchor, self._object(np))
                return self._add("negate", truth) if pred.rule == "pred_different" else truth
        choice = self._choice(pred)
        if choice is not None:
            return self._add("query", anchor, of=choice)
        return self._add("exist", self._apply(pred, self._add("only", anchor)))

    def _choice(self, pred: Node) -> str | None:
        """The attribute that 'red or blue' offers a choice in."""
        values: list[str] = []
        if pred.rule == "pred_mods":
            values = [v for k, v in pred.parts[0] if k in ("is", "or")]
            if len(values) != len(pred.parts[0]) or not any(k == "or" for k, _ in pred.parts[0]):
                return None
        elif pred.rule == "pred_nominal" and pred.parts[0].rule == "coord_or":
            cores = [p.parts[1] for p in self._joined(pred.parts[0]) if p.rule == "np"]
            if any(len(c.nouns) != 1 or c.mods or c.posts for c in cores):
                return None
            values = [c.nouns[0] for c in cores]
        attributes = {self.domain.attribute_of[v] for v in values}
        return attributes.pop() if len(attributes) == 1 and len(values) > 1 else None


_ORDER = {"order_more": "greater", "order_less": "less", "order_equal": "equal_integer"}
_QUANTITY = {
    "quantity_more": ("greater", False),
    "quantity_less": ("less", False),
    "quantity_at_least": ("less", True),
    "quantity_at_most": ("greater", True),
    "quantity_exactly": ("equal_integer", False),
}


def _used(calls: list[Call]) -> list[Call]:
    """The calls that the last one needs: 'there is a ball left of it' may never be spoken of again."""
    needed = [False] * len(calls)
    needed[-1] = True
    for node in range(len(calls) - 1, -1, -1):
        if needed[node]:
            for i in calls[node].inputs:
                needed[i] = True
    if all(needed):
        return calls
    place = {node: i for i, node in enumerate(n for n, used in enumerate(needed) if used)}
    return [calls[n]._replace(inputs=tuple(place[i] for i in calls[n].inputs)) for n in place]
