"""Things alike among themselves: 'the same color', 'different colors', 'differ in color'.

* 'are the cubes the same color' counts the colors: fewer than two; 'all different' has as many colors as cubes
* 'do any two cubes have the same color' asks for one pair: fewer colors than cubes. 'The same size and color' asks for
  one pair that shares both: among the large ones, or among the small ones, two share a color
* 'the cubes differ in color' and 'are different in color' where they are not all the same; 'any two' where some pair is
  not; 'all' where each pair is not
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import QuestionError
from .nodes import Node
from .predicates import Predicates

ALIKE = ("pred_alike", "pred_unlike", "pred_differ")
MOST_PARTS = 12  # of a set that is divided by value, to ask whether two members share several values


class Alike(Predicates):
    """Adds what is said of things among themselves to predicates."""

    def _all_same(self, node: int, attributes: Sequence[str]) -> int:
        two = self._add("number", of="2")
        return self._fold("both", [self._add("less", self._add("distinct", node, of=a), two) for a in attributes])

    def _all_different(self, node: int, attributes: Sequence[str]) -> int:
        count = self._add("count", node)
        truths = [self._add("equal_integer", self._add("distinct", node, of=a), count) for a in attributes]
        return self._fold("both", truths)

    def _two_same(self, node: int, attributes: Sequence[str]) -> int:
        """Whether some two members share all of the attributes."""
        values = {a: tuple(self.domain.file.attributes[a].values) for a in dict.fromkeys(attributes)}
        *others, last = sorted(values, key=lambda a: len(values[a]))
        parts = [node]
        for attribute in others:
            parts = [self._add("filter", part, of=value) for part in parts for value in values[attribute]]
        if len(parts) > MOST_PARTS:
            raise self._unsayable("whether two things share so many attributes at once cannot be asked")
        return self._fold(
            "either",
            [self._add("less", self._add("distinct", part, of=last), self._add("count", part)) for part in parts],
        )

    def _two_among(self, node: int, pred: Node, number: int = 2) -> int:
        """Whether some two members are alike, or different, as a predicate says."""
        (attributes,) = pred.parts
        if number != 2:
            raise self._unsayable("only of two things it can be asked whether some are alike")
        if pred.rule == "pred_alike":
            return self._two_same(node, attributes)
        if len(attributes) > 1:
            raise self._unsayable("whether two things differ in several attributes at once cannot be asked")
        return self._add("negate", self._all_same(node, attributes))

    def _among(self, det: str, number: int, node: int, pred: Node) -> int:
        """Whether the members of a set are alike among themselves, as a determiner asks."""
        (attributes,) = pred.parts
        if det == "most":
            raise self._unsayable("whether most things are alike cannot be asked")
        if det in ("any", "a", "no"):
            if number <= 2 and len(attributes) == 1:
                judge = self._all_different if pred.rule == "pred_alike" else self._all_same
                none = judge(node, attributes)
                return none if det == "no" else self._add("negate", none)
            some = self._two_among(node, pred, number or 2)
            return self._add("negate", some) if det == "no" else some
        if pred.rule == "pred_alike":
            return self._all_same(node, attributes)
        if pred.rule == "pred_differ" and det != "all":
            return self._fold("both", [self._add("negate", self._all_same(node, (a,))) for a in attributes])
        return self._all_different(node, attributes)

    def _not_among(self, det: str, number: int, node: int, pred: Node) -> int:
        """The same of 'not the same color', 'do not differ in color'."""
        (attributes,) = pred.parts
        if det in ("all", "most") or number > 2:
            raise self._unsayable("are none of them alike, or not all of them? Say 'different', or 'is it false that'")
        if pred.rule == "pred_alike":
            same = self._all_same(node, attributes)
            return same if det == "no" else self._add("negate", same)
        if det in ("any", "a", "no"):
            return self._among(det, number, node, Node("pred_alike", (attributes,)))
        if pred.rule == "pred_differ":
            return self._all_same(node, attributes)
        raise self._unsayable("are they all alike, or only some? Say 'the same', or 'is it false that'")

    def _common(self, attribute: str, node: int, np: Node) -> int:
        """The value that all members share. The one at an end and those that differ from it are one thing only where
        none differs; else `unique` says which do."""
        try:
            here, _ = self._axis(np)
        except QuestionError:
            raise self._unsayable("the value of several things cannot be asked in this domain", np) from None
        one = self._add("unique", self._add("extreme", node, of=here))
        unlike = self._add("difference", node, self._add("same", one, of=attribute))
        return self._add("query", self._add("unique", unlike), of=attribute)

    def _ends_alike(self, np: Node) -> bool:
        """Whether a noun phrase ends in 'of the same color', said of things among themselves."""
        if np.rule != "np" or self.it is not None or not np.parts[1].posts:
            return False
        post = np.parts[1].posts[-1][1]
        return isinstance(post, Node) and post.rule in ALIKE

    def _some_alike(self, np: Node, number: int) -> int | None:
        """'Are there two cubes that are the same color': fewer colors than cubes."""
        if not self._ends_alike(np):
            return None
        core = np.parts[1]
        post = core.posts[-1][1]
        node = self._set(Node("np", (np.parts[0], core._replace(posts=core.posts[:-1]))))
        return self._two_among(node, post, number)
