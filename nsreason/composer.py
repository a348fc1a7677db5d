"""From the phrases of a question to a program.

`Phrases` has one method a grammar alias; each makes a small node (`Node`) and decides nothing. `Composer` gives the
nodes their meaning: noun phrases and predicates are sets of objects, a definite noun phrase is `unique` of its set,
questions are the ops on top. Every noun phrase means the same wherever it stands.

* 'left of the cube' is `relate` to the only cube; 'left of a cube' (or 'the cubes') is `relate_any`; 'left of all the
  cubes' is left of the leftmost of them
* 'is the cube red' asks of the one cube; 'are the cubes red', 'are all cubes red' of every one; 'is a cube red' of some
* 'is the cube red or blue' asks which; 'is the cube either left of the ball or a sphere' is yes or no
* 'it' is what the last 'there is ...' spoke of, or what the question before `and` asked about; failing these, the
  thing that was named last ('more cubes behind the ball than left of it')
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lark import Token

from .domain import Domain
from .errors import QuestionError
from .lexicon import PLURAL
from .program import Call, Program


class OpenToken(Token):  # type: ignore[misc]
    """A token that may be any of several terminals; `senses` holds what it means as each."""

    senses: dict[str, str]


def said(token: Token, terminal: str) -> str:
    """What a token means as a terminal."""
    return token.senses[terminal] if isinstance(token, OpenToken) else str(token.value)


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
        if isinstance(head, Token):
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
        none = isinstance(children[0], Token) and said(children[0], "DET") == "no"
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


class Composer:
    """Builds the program of one question."""

    def __init__(self, domain: Domain, text: str) -> None:
        self.domain, self.text = domain, text
        self.calls: list[Call] = []
        self.it: Any = None  # the noun phrase that pronouns stand for
        self.it_node: dict[str, int] = {}  # its set and its object, once they are in the program
        self.last: int | None = None  # the last object that a definite noun phrase named

    def program(self, tree: Node) -> Program:
        """The program of a parsed question.

        Raises:
            QuestionError: a pronoun has nothing to stand for, or an answer would be two words.
        """
        *statements, ask = tree.parts
        for statement in statements:
            self._speak_of(statement.parts[-1])
        self._ask(ask)
        return Program(self.calls, self.domain)

    def _refuse(self, message: str, token: Token | None = None) -> QuestionError:
        at = token.start_pos if token is not None and token.start_pos is not None else 0
        return QuestionError(message, text=self.text, position=at)

    def _add(self, op: str, *inputs: int, of: str | None = None) -> int:
        self.calls.append(Call(op, () if of is None else (of,), inputs))
        return len(self.calls) - 1

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

    def _it_set(self, token: Token) -> int:
        if self.it is None and self.last is not None:
            return self._add("only", self.last)
        if self.it is None:
            raise self._refuse(f"'{self._word(token)}' has nothing before it to stand for", token)
        if "set" not in self.it_node:
            np, self.it = self.it, None
            self.it_node["set"] = self._set(np)
            self.it = np
        return self.it_node["set"]

    def _it_object(self, token: Token) -> int:
        if self.it is None and self.last is not None:
            return self.last
        if "object" not in self.it_node:
            self.it_node["object"] = self._add("unique", self._it_set(token))
        return self.it_node["object"]

    def _word(self, token: Token) -> str:
        at = token.start_pos or 0
        return self.text[at:].split()[0].strip(".,;?!") if self.text[at:].split() else "it"

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
        return self._add("count", self._posts(posts, self._set(nps)))

    def _q_count_pred(self, nps: Node, pred: Node) -> int:
        return self._add("count", self._restrict(nps, pred))

    def _q_count_things(self, pred: Node) -> int:
        return self._add("count", self._apply(pred, None))

    def _q_count_more(self, a: Node, b: Node) -> int:
        return self._add("minus", self._q_count(a), self._q_count(b))

    def _q_count_fewer(self, a: Node, b: Node) -> int:
        return self._q_count_more(b, a)

    def _q_distinct_all(self, attribute: Token) -> int:
        return self._add("distinct", self._add("scene"), of=said(attribute, "ATTRIBUTE"))

    def _q_distinct(self, attribute: Token, np: Node) -> int:
        return self._add("distinct", self._set(np), of=said(attribute, "ATTRIBUTE"))

    def _q_distinct_pred(self, attribute: Token, pred: Node) -> int:
        """'How many shapes are red?' counts things, 'how many colors are metallic?' counts colors."""
        node, name = self._apply(pred, None), said(attribute, "ATTRIBUTE")
        return self._add("count", node) if name == self._asks() else self._add("distinct", node, of=name)

    def _q_distinct_mods(self, attribute: Token, mods: tuple[Any, ...]) -> int:
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

    def _q_compare_integer(self, a: Node, order: Node, n: Token) -> int:
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

    def _fold(self, op: str, nodes: Sequence[int]) -> int:
        first, *rest = nodes
        for node in rest:
            first = self._add(op, first, node)
        return first

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
            truths = [self._same_value(attributes, a, b) for a, b in zip(objects, objects[1:], strict=False)]
            return self._fold("both", truths)
        truths = []
        for attribute in attributes:
            distinct = self._add("distinct", self._set(nps), of=attribute)
            truths.append(self._add("less", distinct, self._add("number", of="2")))
        return self._fold("both", truths)

    def _q_not_all_same(self, nps: Node, attributes: tuple[str, ...]) -> int:
        return self._add("negate", self._q_all_same(nps, attributes))

    def _joined(self, nps: Node) -> list[Node]:
        if nps.rule in ("coord_and", "coord_or", "np_both", "np_either"):
            return [np for part in nps.parts for np in self._joined(part)]
        return [nps]

    # asking for a value

    def _q_query(self, attribute: Token, np: Node, *_: Any) -> int:
        name = said(attribute, "HOW" if not self._is_attribute(attribute) else "ATTRIBUTE")
        return self._add("query", self._object(np), of=name)

    def _is_attribute(self, token: Token) -> bool:
        return "ATTRIBUTE" in token.senses if isinstance(token, OpenToken) else token.type == "ATTRIBUTE"

    def _q_query_after(self, np: Node, attribute: Token) -> int:
        return self._q_query(attribute, np)

    def _q_query_made(self, np: Node, made: Token) -> int:
        return self._add("query", self._object(np), of=said(made, "MADE_END"))

    def _q_query_side(self, side: Node) -> int:
        return self._add("query", self._object(side.parts[1]), of=side.parts[0])

    def _query_set(self, attribute: str, node: int) -> int:
        return self._add("query", self._add("unique", node), of=attribute)

    def _q_query_pred(self, attribute: Token, pred: Node) -> int:
        return self._query_set(said(attribute, "ATTRIBUTE"), self._apply(pred, None))

    def _q_query_np_pred(self, attribute: Token, np: Node, pred: Node) -> int:
        return self._query_set(said(attribute, "ATTRIBUTE"), self._restrict(np, pred))

    def _q_query_np_posts(self, attribute: Token, np: Node, posts: tuple[Any, ...]) -> int:
        return self._query_set(said(attribute, "ATTRIBUTE"), self._posts(posts, self._set(np)))

    def _q_query_indirect(self, attribute: Token, core: Core) -> int:
        return self._q_query(attribute, Node("np", ("the", core)))

    def _q_query_mods(self, attribute: Token, mods: tuple[Any, ...]) -> int:
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

    def _q_is_same_object(self, a: Node, _: Token, b: Node) -> int:
        return self._add("equal_object", self._object(a), self._object(b))

    def _q_is_np(self, nps: Node) -> int:
        if nps.rule == "np":
            det, core = nps.parts
            last = core.posts[-1] if core.posts else None
            asked = det in ("the", "all", "no", "most") and last is not None and last[0] in ("near", "without", "extreme")
            if asked:
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

    def _q_is_det_pred(self, np: Node, det: Token, pred: Node) -> int:
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
            return self._add("greater", self._add("count", met), self._add("count", self._add("difference", subject, met)))
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
        return self._it_object(Token("IT", "it", 0))

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

    def _posts(self, posts: Sequence[tuple[str, Any]], node: int | None) -> int | None | Any:
        for kind, told in posts:
            if kind in ("that", "near"):
                node = self._apply(told, node)
            elif kind == "without":
                node = self._add("difference", self._or_scene(node), self._apply(told, None))
            elif kind == "except":
                node = self._add("difference", self._or_scene(node), self._set(told))
        return node

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
            return self._comparative(*parts, node)
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


_ORDER = {"order_more": "greater", "order_less": "less", "order_equal": "equal_integer"}
_QUANTITY = {
    "quantity_more": ("greater", False),
    "quantity_less": ("less", False),
    "quantity_at_least": ("less", True),
    "quantity_at_most": ("greater", True),
    "quantity_exactly": ("equal_integer", False),
}
