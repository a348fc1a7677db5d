"""Questions about numbers: how many, more, fewer, as many.

* 'how many shapes are red' counts things, where 'what is it?' asks for the shape; 'how many different shapes' counts
  values
"""

from __future__ import annotations

from typing import Any

from .alike import ALIKE, Alike
from .nodes import Core, Leaf, Node
from .tokens import REGION

_ORDER = {  # op, and whether its opposite is meant
    "order_more": ("greater", False),
    "order_less": ("less", False),
    "order_equal": ("equal_integer", False),
    "order_unequal": ("equal_integer", True),
    "order_at_least": ("less", True),
    "order_at_most": ("greater", True),
}
_QUANTITY = {
    "quantity_more": ("greater", False),
    "quantity_less": ("less", False),
    "quantity_at_least": ("less", True),
    "quantity_at_most": ("greater", True),
    "quantity_exactly": ("equal_integer", False),
    "quantity_number": ("equal_integer", False),
}


class Counting(Alike):
    """Adds the questions that count."""

    def _asks(self) -> str:
        return self.domain.file.asks or self.domain.attributes[0]

    def _number(self, amount: Node) -> int:
        """A number: of things, of values, or itself."""
        if amount.rule == "integer":
            return self._add("number", of=amount.parts[0].value)
        if amount.rule == "amounts_apart":
            return self._add("minus", *[self._number(part) for part in amount.parts])
        if amount.rule == "values_all":
            return self._add("distinct", self._add("scene"), of=amount.parts[0].value)
        if amount.rule == "values_of":
            return self._add("distinct", self._some(amount.parts[1]), of=amount.parts[0].value)
        return self._add("count", self._some(amount))

    # --- how many ----------------------------------------------------------------------------------------------------

    def _q_count(self, amount: Node) -> int:
        return self._number(amount)

    def _q_count_all(self) -> int:
        return self._add("count", self._those(None))

    def _those(self, pred: Any) -> int:
        """What 'how many are ...' counts among: what was spoken of, unless the rest says how they stand to it."""
        if self.it is None or self._mentions_it(pred) or not self._several(self.it.np):
            return self._add("scene")
        return self._it_set(Leaf("THEM", "", 0))

    def _q_count_posts(self, nps: Node, posts: tuple[Any, ...]) -> int:
        return self._add("count", self._among_posts(posts, self._set(nps)))

    def _q_count_posts_all(self, posts: tuple[Any, ...]) -> int:
        return self._add("count", self._among_posts(posts, None))

    def _among_posts(self, posts: tuple[Any, ...], node: int | None) -> int:
        return self._or_scene(self._posts(Core((), (), True, posts), node))

    def _q_count_pred(self, nps: Node, pred: Node) -> int:
        ends = [mod.value for mod in pred.parts[0] if mod.terminal == "EXTREME"] if pred.rule == "pred_mods" else []
        if any(not end.endswith(REGION) for end in ends):
            raise self._unsayable("only one thing lies furthest: several cannot be counted", nps)
        return self._add("count", self._restrict(nps, pred))

    def _q_near_count(self, near: Node, nps: Node) -> int:
        return self._q_count_pred(nps, near)

    def _q_count_beside(self, nps: Node, np: Node, relation: Leaf) -> int:
        """'How many things is the ball left of?'"""
        return self._q_count_pred(nps, Node("pred_of_which", (relation, np)))

    def _q_count_beside_after(self, np: Node, relation: tuple[str, tuple[str, ...]], nps: Node) -> int:
        """'The ball is left of how many things?'"""
        op, names = relation
        turned = (op, tuple([self._inverse(name, np) for name in names]))
        return self._q_count_pred(nps, Node("pred_relation", (turned, np)))

    def _q_count_same(self, np: Node, attributes: tuple[str, ...], nps: Node) -> int:
        return self._q_count_pred(nps, Node("pred_same", (attributes, np)))

    def _q_values_left(self, attribute: Leaf) -> int:
        return self._add("distinct", self._add("scene"), of=attribute.value)

    def _q_count_things(self, pred: Node) -> int:
        those = self._those(pred)
        if self.steps[those].op.name == "scene":
            return self._add("count", self._apply(pred, None))
        return self._add("count", self._apply(pred, those))

    def _q_count_more(self, a: Node, b: Node) -> int:
        return self._pair("minus", a, b)

    def _q_count_fewer(self, a: Node, b: Node) -> int:
        first, second = self._numbers(a, b)
        return self._add("minus", second, first)

    def _q_count_more_near(self, nps: Node, here: Node, there: Node) -> int:
        return self._counts("minus", (nps, here), (nps, there))

    def _q_count_more_post(self, nps: Node, near: Node) -> int:
        return self._q_count_more(nps, self._elsewhere(nps, near))

    def _q_count_more_pred(self, a: Node, b: Node, pred: Node) -> int:
        return self._counts("minus", (a, pred), (b, pred))

    def _counts(self, op: str, a: tuple[Node, Node], b: tuple[Node, Node]) -> int:
        """Two counts of noun phrases restricted by predicates, put together."""
        return self._add(op, *[self._add("count", self._restrict(np, pred)) for np, pred in (a, b)])

    def _q_count_more_mods(self, mods: Node, np: Node) -> int:
        return self._q_count_more(self._likewise(mods, np), np)

    def _q_count_more_mods_after(self, np: Node, mods: Node) -> int:
        return self._q_count_more(np, self._likewise(mods, np))

    def _likewise(self, mods: Node, np: Node) -> Node:
        """'More matte than shiny cubes': the same noun with other adjectives."""
        if np.rule != "np":
            raise self._refuse("these cannot be compared", np)
        return Node("np", (np.parts[0], np.parts[1]._replace(mods=mods.parts[0])))

    def _q_distinct(self, attribute: Leaf, np: Node) -> int:
        return self._add("distinct", self._some(np), of=attribute.value)

    def _q_distinct_pred(self, attribute: Leaf, pred: Node) -> int:
        return self._add("distinct", self._apply(pred, None), of=attribute.value)

    def _q_distinct_or_count(self, attribute: Leaf, pred: Node) -> int:
        if attribute.value != self._asks():
            return self._q_distinct_pred(attribute, pred)
        return self._add("count", self._apply(pred, None))

    # --- numbers compared --------------------------------------------------------------------------------------------

    def _pair(self, op: str, a: Node, b: Node) -> int:
        return self._add(op, *self._numbers(a, b))

    def _numbers(self, a: Node, b: Node) -> tuple[int, int]:
        """Two numbers of things; 'more balls than other things': other than the balls."""
        first = self._number(a)
        if self.steps[first].op.name == "count":
            self.named = self.inputs[first][0]
        return first, self._number(b)

    def _q_more(self, a: Node, b: Node) -> int:
        return self._pair("greater", a, b)

    def _q_fewer(self, a: Node, b: Node) -> int:
        return self._pair("less", a, b)

    def _q_which_more(self, coord: Node) -> int:
        raise self._unsayable("which of two kinds there are more of cannot be asked; say 'more ... than ...'", coord)

    def _q_more_near(self, a: Node, near: Node) -> int:
        return self._pair("greater", a, self._elsewhere(a, near))

    def _q_fewer_near(self, a: Node, near: Node) -> int:
        return self._pair("less", a, self._elsewhere(a, near))

    def _q_more_states(self, nps: Node, here: Node, there: Node) -> int:
        return self._counts("greater", (nps, here), (nps, there))

    def _q_fewer_states(self, nps: Node, here: Node, there: Node) -> int:
        return self._counts("less", (nps, here), (nps, there))

    def _q_more_pred(self, a: Node, b: Node, pred: Node) -> int:
        return self._counts("greater", (a, pred), (b, pred))

    def _q_fewer_pred(self, a: Node, b: Node, pred: Node) -> int:
        return self._counts("less", (a, pred), (b, pred))

    def _q_more_mods(self, mods: Node, np: Node) -> int:
        return self._pair("greater", self._likewise(mods, np), np)

    def _q_fewer_mods(self, mods: Node, np: Node) -> int:
        return self._pair("less", self._likewise(mods, np), np)

    def _q_more_mods_after(self, np: Node, mods: Node) -> int:
        return self._pair("greater", np, self._likewise(mods, np))

    def _q_fewer_mods_after(self, np: Node, mods: Node) -> int:
        return self._pair("less", np, self._likewise(mods, np))

    @staticmethod
    def _elsewhere(np: Node, near: Node) -> Node:
        """'more cubes behind it than left of it': the same noun with the last clause replaced."""
        if np.rule != "np":
            return Node("np", ("", Core((), (), True, (("near", near),))))
        det, core = np.parts
        posts = core.posts[:-1] if core.posts and core.posts[-1][0] in ("near", "that", "that_are") else core.posts
        return Node("np", (det, core._replace(posts=(*posts, ("near", near)))))

    def _q_as_many(self, coord: Node) -> int:
        if len(coord.parts) != 2 or coord.rule != "coord_and":
            raise self._refuse("'the same number' is said of two kinds of things", coord)
        return self._pair("equal_integer", *coord.parts)

    def _q_as_many_as(self, a: Node, b: Node) -> int:
        return self._pair("equal_integer", a, b)

    def _q_at_least_as_many(self, a: Node, b: Node) -> int:
        return self._add("negate", self._pair("less", a, b))

    def _q_compare(self, a: Node, order: Node, b: Node) -> int:
        op, opposite = _ORDER[order.rule]
        truth = self._pair(op, a, b)
        return self._add("negate", truth) if opposite else truth

    def _is_quantity(self, quantity: Node, counted: int) -> int:
        if quantity.rule == "quantity_several":
            return self._add("greater", counted, self._add("number", of="1"))
        op, flipped = _QUANTITY[quantity.rule]
        truth = self._add(op, counted, self._add("number", of=quantity.parts[0].value))
        return self._add("negate", truth) if flipped else truth

    def _q_exist_quantity(self, quantity: Node, np: Node) -> int:
        self._no_own(np)
        alike = self._some_alike(np, self._at_least(quantity))
        return self._is_quantity(quantity, self._number(np)) if alike is None else alike

    def _q_exist_values(self, quantity: Node, attribute: Leaf) -> int:
        """'Are there only two colors?'"""
        return self._is_quantity(quantity, self._q_values_left(attribute))

    def _q_is_quantity(self, quantity: Node, np: Node, pred: Node) -> int:
        if pred.rule in ALIKE and self.it is None and self.compared is None:
            return self._two_among(self._set(np), pred, self._at_least(quantity))
        self._no_own(np)
        return self._is_quantity(quantity, self._add("count", self._restrict(np, pred)))

    def _no_own(self, nps: Node) -> None:
        """'Two red things and a cube' are no two things."""
        parts = self._joined(nps)
        if len(parts) > 1 and len({self._determiner(part) for part in parts}) > 1:
            raise self._refuse("a number is said of the first only", parts[-1])

    @staticmethod
    def _at_least(quantity: Node) -> int:
        """What 'two', 'at least two' or 'several' asks for at least; 0 for another quantity."""
        if quantity.rule == "quantity_several":
            return 2
        return int(quantity.parts[0].value) if quantity.rule in ("quantity_number", "quantity_at_least") else 0
