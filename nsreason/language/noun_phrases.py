"""Noun phrases and predicates as sets of objects: the calls that they add to a program.

* 'left of the cube' is `relate` to the only cube; 'left of a cube' (or 'the cubes') is `relate_any`; 'left of all the
  cubes' is left of the leftmost of them
* 'red or blue' is either, and so is 'red and blue things', for nothing has two colors; 'both red and metal' is both
* 'it' is what the last 'there is ...' spoke of, or what the question before `and` asked about; failing these, the
  thing that was named last ('more cubes behind the ball than left of it')
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..domain import Domain
from ..errors import QuestionError
from ..program import Call
from .phrases import Core, Node, Word


class NounPhrases:
    """Builds the sets and objects of one question; `calls` is the program so far."""

    def __init__(self, domain: Domain, text: str) -> None:
        self.domain, self.text = domain, text
        self.calls: list[Call] = []
        self.it: Any = None  # the noun phrase that pronouns stand for
        self.it_node: dict[str, int] = {}  # its set and its object, once they are in the program
        self.last: int | None = None  # the last object that a definite noun phrase named

    def _refuse(self, message: str, word: Word | None = None) -> QuestionError:
        at = word.start if word is not None else 0
        return QuestionError(message, text=self.text, position=at)

    def _add(self, op: str, *inputs: int, of: str | None = None) -> int:
        self.calls.append(Call(op, () if of is None else (of,), inputs))
        return len(self.calls) - 1

    def _fold(self, op: str, nodes: Sequence[int]) -> int:
        first, *rest = nodes
        for node in rest:
            first = self._add(op, first, node)
        return first

    def _joined(self, nps: Node) -> list[Node]:
        if nps.rule in ("coord_and", "coord_or", "np_both", "np_either"):
            return [np for part in nps.parts for np in self._joined(part)]
        return [nps]

    # --- pronouns ----------------------------------------------------------------------------------------------------

    def _speak_of(self, np: Node) -> None:
        if np.rule not in ("np_it", "np_them"):
            if self._mentions_it(np):  # 'there is a cube; there is a ball left of it; ...': build before `it` moves on
                node = self._set(np)
                self.it, self.it_node = np, {"set": node}
            else:
                self.it, self.it_node = np, {}

    def _mentions_it(self, part: Any) -> bool:
        if isinstance(part, Node) and part.rule in ("np_it", "np_them"):
            return True
        return isinstance(part, tuple) and any(self._mentions_it(p) for p in part)

    def _it_set(self, word: Word) -> int:
        if self.it is None and self.last is not None:
            return self._add("only", self.last)
        if self.it is None:
            raise self._refuse(f"'{self._word(word)}' has nothing before it to stand for", word)
        if "set" not in self.it_node:
            np, self.it = self.it, None
            self.it_node["set"] = self._set(np)
            self.it = np
        return self.it_node["set"]

    def _it_object(self, word: Word) -> int:
        if self.it is None and self.last is not None:
            return self.last
        if "object" not in self.it_node:
            self.it_node["object"] = self._add("unique", self._it_set(word))
        return self.it_node["object"]

    def _word(self, word: Word) -> str:
        at = word.start
        return self.text[at:].split()[0].strip(".,;?!") if self.text[at:].split() else "it"

    # --- sets --------------------------------------------------------------------------------------------------------

    def _definite(self, np: Node) -> bool:
        """Whether a noun phrase speaks of one known object."""
        return np.rule == "np_it" or (np.rule == "np" and np.parts[0] == "the" and not np.parts[1].plural)

    def _object(self, np: Node) -> int:
        if np.rule == "np_it":
            return self._it_object(np.parts[0])
        found = self._add("unique", self._set(np))
        self.last = found if self._definite(np) else self.last
        return found

    def _set(self, np: Node) -> int:
        if np.rule in ("np_it", "np_them"):
            return self._it_set(np.parts[0])
        if np.rule in ("coord_and", "coord_or", "np_both", "np_either"):
            return self._fold("union", [self._set(part) for part in self._joined(np)])
        core: Core = np.parts[1]
        node = self._posts(core.posts, None)
        return self._mods(core, node)

    def _restrict(self, np: Node, pred: Node) -> int:
        """The members of a noun phrase's set that the predicate is true of; the noun's own filters come last."""
        if np.rule == "np":
            core: Core = np.parts[1]
            return self._mods(core, self._apply(pred, self._posts(core.posts, None)))
        return self._apply(pred, self._set(np))

    def _mods(self, core: Core, node: int | None) -> int:
        """The adjectives and nouns of a core, on a set (all objects, when there is none yet)."""
        related = node is not None
        node = self._adjectives(core.mods, node)
        for noun in core.nouns:
            node = self._add("filter", self._or_scene(node), of=noun)
        node = self._or_scene(node)
        if any(k == "other" for k, _ in core.mods) and not related and self.it is not None:
            before, self_it = self._add("only", self._it_object_again()), self.it
            node = self._add("difference", node, before)
            self.it = self_it
        for kind, relation in (*reversed(core.mods), *core.posts):  # the first of two extremes is said of the second
            if kind == "extreme":
                node = self._add("extreme", node, of=relation)
        return node

    def _it_object_again(self) -> int:
        return self._it_object(Word("IT", "it", 0))

    def _or_scene(self, node: int | None) -> int:
        return self._add("scene") if node is None else node

    def _adjectives(self, mods: Sequence[tuple[str, Any]], node: int | None) -> int | None:
        """Filters for adjectives; 'red or blue' is either, and so is 'red and blue', for nothing has two colors."""
        groups: list[list[tuple[str, str]]] = []
        for kind, value in mods:
            if kind == "or" and groups:
                groups[-1].append((kind, value))
            elif kind == "and" and groups and self._alike(groups[-1][-1][1], value):
                groups[-1].append(("or", value))
            elif kind in ("is", "or", "and", "not"):
                groups.append([(kind, value)])
        for group in groups:
            (kind, value), *rest = group
            if rest:
                chosen = self._fold("union", [self._add("filter", self._add("scene"), of=v) for _, v in group])
                node = chosen if node is None else self._add("intersect", node, chosen)
            elif kind == "not":
                unwanted = self._add("filter", self._add("scene"), of=value)
                node = self._add("difference", self._or_scene(node), unwanted)
            else:
                node = self._add("filter", self._or_scene(node), of=value)
        return node

    def _alike(self, a: str, b: str) -> bool:
        return self.domain.attribute_of[a] == self.domain.attribute_of[b] and a != b

    def _posts(self, posts: Sequence[tuple[str, Any]], node: int | None) -> int | None:
        for kind, told in posts:
            if kind in ("that", "near"):
                node = self._apply(told, node)
            elif kind == "without":
                node = self._add("difference", self._or_scene(node), self._apply(told, None))
            elif kind == "except":
                node = self._add("difference", self._or_scene(node), self._set(told))
        return node

    def _among(self, posts: Sequence[tuple[str, Any]], node: int) -> int:
        """The members of a set that the clauses after a noun are true of."""
        return self._or_scene(self._posts(posts, node))

    # --- predicates --------------------------------------------------------------------------------------------------

    def _apply(self, pred: Node, node: int | None) -> int:
        """The members of a set (of all objects, for None) that a predicate is true of."""
        rule, parts = pred.rule, pred.parts
        if rule == "pred_mods":
            return self._pred_mods(parts[0], node)
        if rule == "pred_and":
            return self._apply(parts[1], self._apply(parts[0], node))
        if rule == "pred_group":
            return self._apply(parts[0], node)
        if rule == "pred_nominal":
            return self._nominal(parts[0], node)
        if rule in ("pred_not", "pred_neither"):
            unwanted = self._fold("union", [self._apply(p, None) for p in parts])
            return self._add("difference", self._or_scene(node), unwanted)
        if rule == "pred_or":
            met = self._add("union", self._apply(parts[0], None), self._apply(parts[1], None))
        elif rule == "pred_relation":
            met = self._related(*parts)
        elif rule == "pred_same":
            met = self._fold("intersect", [self._same(a, parts[1]) for a in parts[0]])
        elif rule == "pred_comparative":
            return self._comparative(parts[0], parts[1], node)
        elif rule == "pred_different":
            alike = self._fold("intersect", [self._same(a, parts[1]) for a in parts[0]])
            itself = self._add("only", self._object(parts[1]))
            unwanted = self._add("union", alike, itself)
            return self._add("difference", self._or_scene(node), unwanted)
        else:
            raise AssertionError(f"no meaning for {rule}")
        return met if node is None else self._add("intersect", node, met)

    def _comparative(self, value: str, np: Node, node: int | None) -> int:
        """'Bigger than the cube': large, where the cube is not."""
        anchor = self._object(np)
        alike = self._add("same", anchor, of=self.domain.attribute_of[value])
        large = self._add("filter", self._or_scene(node), of=value)
        return self._add("difference", large, self._add("union", alike, self._add("only", anchor)))

    def _pred_mods(self, mods: Sequence[tuple[str, Any]], node: int | None) -> int:
        node = self._or_scene(self._adjectives(mods, node))
        for kind, value in mods:
            if kind == "extreme":
                furthest = self._add("extreme", self._add("scene"), of=value)
                node = self._add("intersect", node, furthest)
        return node

    def _nominal(self, np: Node, node: int | None) -> int:
        """'are cubes', 'are either cubes or metal things', 'are both cubes and red things'."""
        if np.rule == "np_both":
            return self._nominal(np.parts[1], self._nominal(np.parts[0], node))
        if np.rule == "np" and np.parts[0] in ("", "a", "any") and not np.parts[1].posts and node is not None:
            core: Core = np.parts[1]
            if not any(kind in ("extreme", "other") for kind, _ in core.mods):
                return self._mods(core, node)
        met = self._set(np)
        if self._definite(np):
            met = self._add("only", self._add("unique", met)) if np.rule == "np" else met
        if np.rule == "np" and np.parts[0] == "no":
            return self._add("difference", self._or_scene(node), met)
        return met if node is None else self._add("intersect", node, met)

    def _same(self, attribute: str, np: Node) -> int:
        if np.rule in ("np_both", "np_either"):
            op = "intersect" if np.rule == "np_both" else "union"
            return self._fold(op, [self._same(attribute, part) for part in np.parts])
        return self._add("same", self._object(np), of=attribute)

    def _related(self, relation: str, np: Node) -> int:
        if np.rule in ("np_both", "np_either"):
            op = "intersect" if np.rule == "np_both" else "union"
            return self._fold(op, [self._related(relation, part) for part in np.parts])
        if self._definite(np):
            return self._add("relate", self._object(np), of=relation)
        others = self._set(np)
        if np.rule == "np" and np.parts[0] == "all":
            others = self._add("extreme", others, of=relation)
        return self._add("relate_any", others, of=relation)
