"""From the phrases of a question to its program: what each kind of question asks of its noun phrases.

* 'what is left of the ball?' asks for the attribute that the domain names; 'which cube is left of it?' for the cube
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from ..errors import DomainError, ProgramError
from ..programs.program import Program
from .alike import ALIKE
from .anaphora import repeated
from .changes import Changes
from .lists import LIST, nearer
from .nodes import Core, Leaf, Node
from .phrases import side_of
from .predicates import NO_REGIONS
from .steps import JOINED, Antecedent
from .tokens import REGION
from .yes_no import OF_BOTH


class Composer(Changes):
    """Builds the program of one question."""

    def program(self, tree: Node) -> Program:
        """The program of a parsed question.

        Raises:
            QuestionError: a pronoun has nothing to stand for, an answer would be two words, or the phrases make no
                sense together.
        """
        try:
            if "one" in self.text.lower():
                tree = repeated(tree, self._word, self._unsayable)
            *statements, ask = tree.parts
            for statement in statements:
                if statement.rule == "it_is":
                    self._say_of(*statement.parts)
                else:
                    self._speak_of(statement.parts[-1])
            self._ask(ask)
            return Program.of_steps(self.domain, *self._used())
        except (DomainError, ProgramError) as error:
            raise self._refuse(str(error)) from None
        except RecursionError:
            raise self._refuse("the question is nested too deeply") from None

    def _used(self) -> tuple[list[Any], list[tuple[int, ...]]]:
        """The calls that the last one needs: 'there is a ball left of it' may never be spoken of again."""
        inputs = self.inputs
        needed = [False] * len(inputs)
        needed[-1] = True
        for node in range(len(inputs) - 1, -1, -1):
            if needed[node]:
                for i in inputs[node]:
                    needed[i] = True
        if all(needed):
            return self.steps, inputs
        place = {node: i for i, node in enumerate(n for n, used in enumerate(needed) if used)}
        return [self.steps[n] for n in place], [tuple([place[i] for i in inputs[n]]) for n in place]

    # --- questions ---------------------------------------------------------------------------------------------------

    def _ask(self, ask: Node) -> int:
        method: Callable[..., int] = getattr(self, "_q_" + ask.rule)
        return method(*ask.parts)

    def _q_ask_not(self, asked: Node) -> int:
        truth = self._ask(asked)
        if self.steps[truth].gives.name != "truth":
            raise self._refuse("only what is answered by yes or no can be true or false", asked)
        return self._add("negate", truth)

    def _q_ask_and(self, first: Node, joint: Leaf, second: Node) -> int:
        return self._two_asked("both", first, joint, second)

    def _q_ask_or(self, first: Node, joint: Leaf, second: Node) -> int:
        return self._two_asked("either", first, joint, second)

    def _two_asked(self, op: str, first: Node, joint: Leaf, second: Node) -> int:
        a = self._ask(first)
        if self.spoken is not None and (op == "both" or self._definite(self.spoken.np)):
            self._speak_of(self.spoken.np)  # 'is there a cube or is there a ball left of it': no cube need be there
        b = self._ask(second)
        if any(self.steps[i].gives.name != "truth" for i in (a, b)):
            raise self._refuse("two questions joined by 'and' or 'or' must both be answered by yes or no", joint)
        return self._add(op, a, b)

    # --- values compared ---------------------------------------------------------------------------------------------

    def _q_same_sides(self, left: Node, right: Node) -> int:
        attribute, np = left.parts
        of = right if right.rule == "attribute_of" else right.parts[0]
        if of.rule == "attribute_of" and of.parts[0] != attribute:
            raise self._refuse(f"a {attribute} cannot be compared with a {of.parts[0]}", right)
        other = right.parts[1] if right.rule == "attribute_of" else side_of(right)
        return self._same_value((attribute,), self._object(np), self._object(other))

    def _q_different_sides(self, left: Node, right: Node) -> int:
        return self._add("negate", self._q_same_sides(left, right))

    def _q_same_of(self, attribute: Leaf, nps: Node) -> int:
        return self._holds(nps, Node("pred_alike", ((attribute.value,),)))

    def _q_different_of(self, attribute: Leaf, nps: Node) -> int:
        return self._holds(nps, Node("pred_unlike", ((attribute.value,),)))

    def _q_is_value(self, of: Node, value: Node) -> int:
        return self._holds(of.parts[1], value)

    def _q_is_value_first(self, value: Node, of: Node) -> int:
        return self._q_is_value(of, value)

    # --- asking for a value ------------------------------------------------------------------------------------------

    def _q_query(self, attribute: Leaf, np: Node, *_: Any) -> int:
        return self._value(attribute.value, np)

    def _q_query_shared(self, attribute: Leaf, np: Node) -> int:
        """'What color do the cubes share?'"""
        if self._definite(np):
            raise self._refuse("one thing shares nothing; name several", np)
        return self._value(attribute.value, np)

    def _value(self, attribute: str, np: Node) -> int:
        """The value of a known thing, or the one that several have in common."""
        det = self._determiner(np)
        both = np.rule in OF_BOTH and all(self._definite(part) for part in self._joined(np))
        parts = self._joined(np)
        self._no_bare(parts)
        if self.strict and any(nearer(a, b, alike=True) for a, b in itertools.pairwise(parts)):
            raise self._refuse(
                "this goes with the noun before it", parts[-1]
            )  # 'the cube left of the ball and the tube'
        if np.rule in JOINED and not both:
            raise self._unsayable("a value is asked of known things: 'the ... and the ...'", np)
        if both:
            objects = [self._add("only", self._object(part)) for part in self._joined(np)]
            return self._common(attribute, self._fold("union", objects), np)
        several = det in ("the", "all", "") and self._several(np) and np.rule not in JOINED
        its = np.rule == "np_it" and np.parts[0].terminal == "ITS" and self.it is not None and self._several(self.it.np)
        if several or its or (np.rule in ("np_them", "np_det_them") and self.it is not None and det != "no"):
            return self._common(attribute, self._set(np), np)
        return self._add("query", self._object(np), of=attribute)

    def _q_query_after(self, np: Node, attribute: Leaf) -> int:
        return self._q_query(attribute, np)

    def _q_query_made(self, np: Node, word: Leaf) -> int:
        return self._q_query(word, np)

    def _q_query_side(self, side: Node) -> int:
        return self._value(side.parts[0], side.parts[1])

    def _q_query_pred(self, attribute: Leaf, pred: Node) -> int:
        return self._query_set(attribute.value, self._met(pred, None))

    def _q_query_np_pred(self, attribute: Leaf, np: Node, pred: Node) -> int:
        members = self._which(np, pred)
        return (
            self._common(attribute.value, members, np)
            if self._several(np)
            else self._query_set(attribute.value, members)
        )

    def _q_query_np_posts(self, attribute: Leaf, np: Node, posts: tuple[Any, ...]) -> int:
        members = self._among_posts(posts, self._set(np))
        return (
            self._common(attribute.value, members, np)
            if self._several(np)
            else self._query_set(attribute.value, members)
        )

    def _which(self, np: Node, pred: Node) -> int:
        """The things that 'which ball is ...' asks for: 'which ball is leftmost' is the leftmost of the balls."""
        mods: tuple[Leaf, ...] = pred.parts[0] if pred.rule == "pred_mods" else ()
        if self.it is not None and self._several(self.it.np) and np.rule == "np" and np.parts[1][:2] == ((), ()):
            np = Node("np_them", (Leaf("THEM", "", np.parts[1].start),))  # 'there are cubes; which one is leftmost?'
        if len(mods) != 1 or mods[0].terminal != "EXTREME":
            return self._restrict(np, pred)
        if np.rule == "np" and np.parts[0] == "" and np.parts[1].plural and mods[0].value.endswith(REGION):
            raise self._unsayable(f"{NO_REGIONS}, only which lies furthest", np)
        return self._furthest(self._set(np), mods[0].value)

    def _q_query_indirect(self, attribute: Leaf, core: Core) -> int:
        return self._q_query(attribute, Node("np", ("the", core)))

    def _q_what_is(self, np: Node) -> int:
        return self._value(self._asks(), np)

    def _q_what_remains(self) -> int:
        return self._query_set(self._asks(), self._add("scene"))

    def _q_value_remains(self, attribute: Leaf) -> int:
        return self._query_set(attribute.value, self._add("scene"))

    def _q_beside_what(self, np: Node, relation: Leaf) -> int:
        """'The ball is behind what?'"""
        return self._q_what_beside(np, relation)

    def _q_which_of(self, pred: Node, coord: Node) -> int:
        """'Which is bigger, the cube or the ball?'"""
        answer = self._one_of(coord, pred)
        if answer is None:
            raise self._refuse("which of two known things? Say 'the ... or the ...'", coord)
        return answer

    def _q_what_pred(self, *parts: Any) -> int:
        *other, pred = parts
        if other:  # 'what else is red?': a thing other than it
            np = Node("np", ("", Core((Leaf("OTHER", "", 0),), (), False, ())))
            return self._query_set(self._asks(), self._restrict(np, pred))
        return self._query_set(self._asks(), self._met(pred, None))

    def _q_what_near(self, near: Node) -> int:
        return self._q_what_pred(near)

    def _q_what_np_pred(self, np: Node, pred: Node) -> int:
        """'Which cube is left of it' has no other answer than the cube itself, 'which things are' than the things."""
        members = self._which(np, pred)
        core = np.parts[1] if np.rule == "np" else None
        one = self.steps[members].op.name == "extreme" and np.parts[0] != ""  # 'which of the balls is leftmost'
        if self._several(np) and not one:
            return members
        if core is None or all(self.domain.attribute_of[noun] != self._asks() for noun in core.nouns):
            return self._query_set(self._asks(), members)
        return self._add("unique", members)

    def _q_what_beside(self, np: Node, relation: Leaf) -> int:
        """'What is the ball behind?'"""
        return self._q_what_pred(Node("pred_of_which", (relation, np)))

    def _q_what_np_beside(self, bare: Node, np: Node, relation: Leaf) -> int:
        return self._q_what_np_pred(bare, Node("pred_of_which", (relation, np)))

    def _q_query_np_beside(self, attribute: Leaf, bare: Node, np: Node, relation: Leaf) -> int:
        return self._q_query_np_pred(attribute, bare, Node("pred_of_which", (relation, np)))

    # --- yes or no ---------------------------------------------------------------------------------------------------

    def _q_exist(self, nps: Node) -> int:
        parts = self._joined(nps)
        self._no_bare(parts)
        several = nps.parts[1] if nps.rule == LIST else parts
        if len(several) > 1 and any(self._ends_alike(np) for np in several):
            raise self._unsayable("whether one of these is like one of those cannot be asked", nps)
        if nps.rule == LIST and nps.parts[2] == "and" and nps.parts[0] in ("a", "any"):
            return self._fold("both", [self._q_exist(np) for np in nps.parts[1]])
        if nps.rule in OF_BOTH:
            return self._fold("both", [self._q_exist(np) for np in parts])
        if len(parts) > 1 and any(self._determiner(np) == "no" for np in parts):
            return self._fold("either", [self._q_exist(np) for np in parts])
        if self.strict and any(self._determiner(np) in ("the", "only") for np in parts):
            raise self._refuse("'is there' is asked of things that are not known yet", nps)
        det, number = self._determiner(nps), self._number_of(nps)
        if det in ("all", "most"):
            raise self._unsayable(f"'{det}' cannot be said of what is asked to be there", nps)
        self.spoken = Antecedent(nps)
        kinds = self._kinds(nps)
        if kinds:
            return self._fold("both", [self._q_exist(np) for np in kinds])
        plural = nps.rule == "np" and nps.parts[1].plural
        truth = self._some_alike(nps, number or 2) if plural else None
        if truth is None and number > 1:
            fewer = self._add("less", self._add("count", self._set(nps)), self._add("number", of=str(number)))
            return fewer if det == "no" else self._add("negate", fewer)
        truth = self._add("exist", self._set(nps)) if truth is None else truth
        return self._add("negate", truth) if det == "no" else truth

    def _q_near_exist(self, near: Node, nps: Node) -> int:
        """'Behind the ball, is there a cube?'"""
        truth = self._add("exist", self._restrict(nps, near))
        return self._add("negate", truth) if self._determiner(nps) == "no" else truth

    def _q_exist_among(self, those: Node, nps: Node) -> int:
        return self._add("exist", self._add("intersect", self._set(those), self._set(nps)))

    def _kinds(self, np: Node) -> list[Node]:
        """'Are there red and blue cubes': there are red ones, and there are blue ones."""
        core = np.parts[1] if np.rule == "np" else None
        if core is None or not core.plural or not any(mod.terminal == "AND" for mod in core.mods):
            return []
        first, *rest = core.mods
        if not all(mod.terminal == "AND" and self._alike(first.value, mod.value) for mod in rest):
            return []
        values = [Leaf("ADJECTIVE", mod.value, mod.start) for mod in core.mods]
        return [Node("np", (np.parts[0], core._replace(mods=(value,)))) for value in values]

    def _q_exist_short(self, det: Leaf, core: Core) -> int:
        """'Any red cubes?'"""
        if det.value != "any":
            raise self._refuse("this is no question yet: 'is there ...', 'what color is ...', 'how many ...'", det)
        return self._q_exist(Node("np", ("any", core)))

    def _q_find(self, nps: Node) -> int:
        """'Find the red cube' answers with the object, 'find the red cubes' with a set."""
        return self._object(nps) if self._definite(nps) else self._some(nps)

    def _q_is_np(self, nps: Node) -> int:
        """'Is the cube left of the ball?': what was read as a clause of the noun is what is asked."""
        *before, last = nps.parts[1] if nps.rule == LIST else self._joined(nps)
        core = last.parts[1] if last.rule == "np" else None
        asked = core.posts[-1] if core is not None and core.posts else ("", None)
        dets = ("the", "all", "no", "most", "", *(("a", "any") if before else ()))
        known = all(np.rule != "np" or np.parts[0] in dets for np in (*before, last))
        if known and core is not None and asked[0] in ("near", "without", "extreme"):
            rest = Node("np", (last.parts[0], core._replace(posts=core.posts[:-1])))
            if nps.rule == LIST:
                subject = Node(LIST, (nps.parts[0], (*before, rest), nps.parts[2]))
            else:
                subject = Node(nps.rule, (*nps.parts[:-1], rest)) if before else rest
            return self._holds(subject, self._as_pred(asked))
        if any(np.rule != "np" or self._definite(np) or np.parts[0] in ("all", "most") for np in (*before, last)):
            raise self._refuse("what is asked of this thing?", last)
        return self._q_exist(nps)

    @staticmethod
    def _as_pred(post: tuple[str, Any]) -> Node:
        kind, clause = post
        if kind == "extreme":
            return Node("pred_mods", ((Leaf("EXTREME", clause, 0),),))
        return Node("pred_not", (clause,)) if kind == "without" else clause

    def _q_is_not_pred(self, nps: Node, pred: Node) -> int:
        """'Are not all cubes red?', where 'aren't the cubes red?' is no more than 'are the cubes red?'."""
        if self._determiner(nps) not in ("all", "most"):
            raise self._refuse("what is denied here?", nps)
        return self._add("negate", self._holds(nps, pred))

    def _q_is_pred(self, np: Node, pred: Node) -> int:
        return self._holds(np, pred)

    def _q_is_det_pred(self, nps: Node, det: Leaf, pred: Node) -> int:
        """'Are the cubes all red?', 'are the cube and the ball both red?'"""
        if pred.rule in ALIKE:
            return self._holds(self._with_det(nps, det.value), pred)
        parts = [self._with_det(p, det.value) for p in self._joined(nps)]
        return self._fold("both", [self._holds(part, pred, choose=False) for part in parts])
