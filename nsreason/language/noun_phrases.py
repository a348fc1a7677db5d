"""Noun phrases as sets of objects: the calls that they add to a program.

* 'red or blue' is either, and so is 'red and blue things', for nothing has two colors; 'both red and metal' is both
* 'the cube', and 'cube' without article, is one known object; 'the cubes' and 'a cube' are sets
* 'it' is what the last 'there is ...' spoke of, or what the question before `and` asked about; failing these, the thing
  that was named last ('more cubes behind the ball than left of it')
* 'other' leaves out what 'it' would be, unless the phrase says how its members stand to it ('other things left of it')
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from .lists import LIST, nearer
from .nodes import Core, Leaf, Node
from .steps import PRONOUNS, Antecedent, Steps
from .tokens import REGION


class NounPhrases(Steps):
    """Builds the sets and objects of one question."""

    def _apply(self, pred: Node, node: int | None) -> int:
        """The members of a set (of all objects, for None) that a predicate is true of."""
        raise NotImplementedError

    # --- pronouns ----------------------------------------------------------------------------------------------------

    def _speak_of(self, np: Node) -> None:
        if np.rule in PRONOUNS:
            return
        self.compared = None
        new = Antecedent(np)
        if self._mentions_it(np):  # 'there is a cube; there is a ball left of it; ...': build before `it` moves on
            new.set = self._set(np)
        singular = self.it is not None and not self._several(self.it.np) and not self._several(np)
        self.before_it = self.it if singular else None
        self.it = new

    def _say_of(self, np: Node, pred: Node) -> None:
        """'There is a cube. It is red.': the cube that is red. What was said so far is in the program already."""
        if np.rule in PRONOUNS and self.it is not None:
            kept = self._apply(pred, self._it_set(np.parts[-1]))
            self.it = Antecedent(self.it.np, kept)
        elif np.rule == "np":
            det, core = np.parts
            self._speak_of(Node("np", (det, core._replace(posts=(*core.posts, ("that", pred))))))
        else:
            raise self._refuse("this is said of nothing that was spoken of before", np)

    def _mentions_it(self, part: Any) -> bool:
        if isinstance(part, Node) and part.rule in (*PRONOUNS, "pred_alike", "pred_unlike", "pred_differ"):
            return True
        return isinstance(part, tuple) and any(self._mentions_it(p) for p in part if isinstance(p, tuple))

    def _spoken_set(self, spoken: Antecedent) -> int:
        if spoken.set is None:
            self.it, now = None, self.it
            spoken.set = self._set(spoken.np)
            self.it = now
        return spoken.set

    def _it_set(self, word: Leaf) -> int:
        if self.it is None and word.value == "these":
            return self._add("scene")
        if self.it is None and self.last is not None:
            return self._add("only", self.last)
        if self.it is None:
            raise self._refuse(f"'{self._word(word)}' has nothing before it to stand for", word)
        spoken = self._spoken_set(self.it)
        if word.terminal == "THEM" and self.before_it is not None:
            spoken = self._add("union", self._spoken_set(self.before_it), spoken)
        return spoken

    def _it_object(self, word: Leaf) -> int:
        if self.it is None and self.last is not None:
            return self.last
        if self.it is None:
            return self._add("unique", self._it_set(word))
        if self.it.object is None:
            if self.it.set is None:
                self._no_any_thing(self.it.np)
            self.it.object = self._add("unique", self._it_set(word))
        return self.it.object

    # --- sets --------------------------------------------------------------------------------------------------------

    def _object(self, np: Node) -> int:
        if np.rule == "np_it":
            return self._it_object(np.parts[0])
        if np.rule == "np_known":
            known: int = np.parts[0]
            return known
        det = self._determiner(np)
        if det in ("a", "any", "all", "most", "no") or np.rule == LIST:
            raise self._refuse("one known object is wanted here: 'the ...'", np)
        self._no_any_thing(np)
        thing = self._add("unique", self._set(np))
        self.last = thing if self._definite(np) else self.last
        return thing

    def _set(self, np: Node) -> int:
        """The set that a noun phrase names; its determiner is the caller's to judge."""
        if np.rule == "np":
            core: Core = np.parts[1]
            if _is_marked(core):
                self._no_regions(np)
                if (np.parts[0] == "the" and not self.several) or self._definite(np):
                    self._other_than_what(np)
            return self._mods(core, self._posts(core, None))
        if np.rule in PRONOUNS:
            return self._it_set(np.parts[-1])
        if np.rule == "np_other":
            raise self._refuse("the other what?", np)
        if np.rule == "np_neither":
            raise self._refuse("'neither ... nor' cannot stand here", np)
        if np.rule == LIST:
            self._no_bare(np.parts[1])
            return self._fold("union", [self._set(part) for part in np.parts[1]])
        parts = self._joined(np)
        self._no_bare(parts)
        if self.strict and len({self._is_the(p) for p in parts}) > 1:
            raise self._refuse("a known thing and any things are joined here", np)
        if any(self._determiner(part) in ("no", "most") for part in parts):
            raise self._refuse("'no' and 'most' cannot stand in a list of things that is not judged", np)
        return self._fold("union", [self._set(part) for part in parts])

    def _no_any_thing(self, np: Node) -> None:
        """'The thing' by itself is no known thing; 'the only thing' is."""
        core = np.parts[1] if np.rule == "np" and np.parts[0] != "only" else None
        if core is not None and not core.mods and not core.nouns and not core.posts:
            raise self._refuse("this could be any thing: say which one is meant", np)

    def _some(self, np: Node) -> int:
        """The set that a noun phrase names, where a determiner other than 'a', 'any' or 'the' would be lost."""
        det = self._determiner(np)
        if det in ("no", "most") or (det in ("any", "a") and self._number_of(np) > 1):
            raise self._unsayable(f"'{det}' cannot be said of these here", np)
        return self._set(np)

    def _no_bare(self, parts: Sequence[Node]) -> None:
        """'A red cube or ball' is not a red cube or any ball, nor 'all cubes left of the ball and the tube' cubes and
        a tube."""
        first, *rest = parts
        if not self.strict or first.rule != "np":
            return
        if any(nearer(a, b) for a, b in itertools.pairwise(parts)):
            raise self._refuse("this goes with the noun before it", rest[-1])
        if _is_nounless(first) and any(np.rule == "np" and np.parts[0] == "" for np in rest):
            raise self._refuse("the noun is said once for both", rest[-1])  # 'the leftmost and rightmost cubes'
        det, core = first.parts
        bare = [np.parts[1] for np in rest if np.rule == "np" and np.parts[0] == "" and not np.parts[1].plural]
        if det == "" and core.plural and bare:  # 'things that are not a cube or ball' are no things, or a ball
            raise self._refuse("this noun has no article", first)
        shared = det in ("a", "any", "no", "all", "most") or any(mod.terminal == "EXTREME" for mod in core.mods)
        if core.mods and shared and not all(c.mods for c in bare):
            raise self._refuse("this noun has no article", first)

    def _no_regions(self, np: Node) -> None:
        """'The cube on the left' is the leftmost one. 'The cubes on the left' are those on that side of the picture,
        and 'the two leftmost cubes' have a second one; no op says that."""
        det, core = np.parts
        ends = [mod.value for mod in core.mods if mod.terminal == "EXTREME"]
        after = [value for kind, value in core.posts if kind == "extreme"]
        if not ends and not after:
            return
        regions = {value for value in (*ends, *after) if value.endswith(REGION)}
        single = self._definite(np)
        many = core.plural and not any(mod.terminal == "AND_EXTREME" for mod in core.mods)
        if len(regions) > 1:
            raise self._unsayable("a corner of the picture cannot be asked for, only one side", np)
        if regions and (many or not single):
            raise self._unsayable(
                "which things lie on a side of the picture cannot be asked, only which lies furthest", np
            )
        if many and (core.number > 1 or det in ("the", "only") or after):
            raise self._unsayable("only the one thing that lies furthest can be asked for, not several", np)
        if after and not single:
            raise self._refuse("say 'the' of what lies furthest", np)

    def _restrict(self, np: Node, pred: Node) -> int:
        """The members of a noun phrase's set that the predicate is true of; the noun's own filters come last."""
        if np.rule == "np":
            core: Core = np.parts[1]
            if _is_marked(core):
                self._no_regions(np)
            return self._mods(core, self._apply(pred, self._posts(core, None)), pred)
        return self._apply(pred, self._set(np))

    def _mods(self, core: Core, node: int | None, pred: Node | None = None) -> int:
        """The adjectives and nouns of a core, on a set (all objects, when there is none yet)."""
        mods = core.mods
        kinds = core.nouns if len(core.nouns) > 1 else ()
        if core.run_on or (self.strict and len({self.domain.attribute_of[noun] for noun in kinds}) < len(kinds)):
            raise self._refuse("two kinds of things stand side by side", core)  # 'left of the cube cubes or balls'
        if mods:
            node = self._adjectives(mods, node)
        for noun in core.nouns:
            node = self._add("filter", self._or_scene(node), of=noun)
        node = self._or_scene(node)
        if not _is_marked(core):
            return node
        if any(mod.terminal == "OTHER" for mod in mods):
            if self.it is None:
                node = self._but_named(node, core)
            elif self.it is not None and not self._mentions_it(core.posts) and not self._mentions_it(pred):
                node = self._add("difference", node, self._but_it())
        ends = [mod.value for mod in mods if mod.terminal == "AND_EXTREME"]
        for mod in reversed(mods):  # the first of two extremes is said of the second
            if mod.terminal == "EXTREME":  # with ends, 'the leftmost and rightmost things'
                node = self._fold("union", [self._furthest(node, end) for end in (mod.value, *ends)])
                ends = []
        for post in core.posts:
            if post[0] == "extreme":
                node = self._furthest(node, post[1])
        return node

    def _furthest(self, node: int, end: str) -> int:
        return self._add("extreme", node, of=end.removesuffix(REGION))

    def _but_named(self, node: int, core: Core) -> int:
        """'More balls than other things': those that are not balls."""
        if self.named is not None:
            return self._add("difference", node, self.named)
        if self.anchor is not None:
            return self._add("difference", node, self._add("only", self.anchor))
        if self.several and not any(mod.value == "another" for mod in core.mods):
            raise self._unsayable("other than each of them, or than all? Name the others", core)
        return node

    def _other_than_what(self, np: Node) -> None:
        """'The other cube' is other than something that was named."""
        if (
            self._is_other(np)
            and not np.parts[1].posts
            and self.it is None
            and self.named is None
            and self.anchor is None
        ):
            raise self._unsayable("other than what? Name the first thing before", np)

    def _but_it(self) -> int:
        word = Leaf("IT", "", 0)
        several = self.it is not None and self._several(self.it.np)
        return self._it_set(word) if several else self._add("only", self._it_object(word))

    def _or_scene(self, node: int | None) -> int:
        return self._add("scene") if node is None else node

    def _adjectives(self, mods: Sequence[Leaf], node: int | None) -> int | None:
        """Filters for adjectives; 'red or blue' is either, and so is 'red and blue', for nothing has two colors."""
        groups: list[list[Leaf]] = []
        if mods[0].terminal in ("OR", "AND", "AND_NOT", "AND_EXTREME"):
            raise self._refuse("'and' or 'or' joins nothing here", mods[0])
        for mod in mods:
            kind = mod.terminal
            if groups and (kind == "OR" or (kind == "AND" and self._alike(groups[-1][-1].value, mod.value))):
                groups[-1].append(mod)
            elif kind in ("ADJECTIVE", "OR", "AND", "NOT", "AND_NOT"):
                groups.append([mod])
        for group in groups:
            value = group[0].value
            if len(group) > 1:
                chosen = self._fold("union", [self._add("filter", self._add("scene"), of=mod.value) for mod in group])
                node = chosen if node is None else self._add("intersect", node, chosen)
            elif group[0].terminal in ("NOT", "AND_NOT"):
                unwanted = self._add("filter", self._add("scene"), of=value)
                node = self._add("difference", self._or_scene(node), unwanted)
            else:
                node = self._add("filter", self._or_scene(node), of=value)
        return node

    def _alike(self, a: str, b: str) -> bool:
        return self.domain.attribute_of[a] == self.domain.attribute_of[b] and a != b

    def _posts(self, core: Core, node: int | None) -> int | None:
        """The members of a set (of all objects, for None) that the clauses after a noun are true of."""
        for kind, clause in core.posts:
            if kind in ("that", "near"):
                node = self._apply(clause, node)
            elif kind == "that_are":
                if self.strict and not core.plural:
                    raise self._refuse("'that are' speaks of several things", core)
                node = self._apply(clause, node)
            elif kind == "without":
                node = self._apply(Node("pred_not", (clause,)), node)
            elif kind == "except":
                node = self._add("difference", self._or_scene(node), self._all_of(clause))
            elif kind == "of":
                node = self._set(clause) if node is None else self._add("intersect", node, self._set(clause))
        return node

    def _all_of(self, excepted: Node) -> int:
        """'Except cubes and the ball': what is left out, all together."""
        if excepted.rule == "excepted":
            *_, last = excepted.parts
            clause = last.rule == "np" and any(kind in ("that", "that_are") for kind, _ in last.parts[1].posts)
            if (
                self.strict and clause and len(excepted.parts) > 1
            ):  # 'things other than cubes or balls that are red': the things are red
                raise self._refuse("what is this clause said of?", last)
            return self._fold("union", [self._all_of(part) for part in excepted.parts])
        return self._fold("union", [self._left_out(np) for np in self._joined(excepted)])

    def _left_out(self, np: Node) -> int:
        """'Except cubes' leaves out all of them; 'except the cube' one known thing, of which there is no other."""
        if np.rule == "np" and np.parts[0] in ("the", "only") and not np.parts[1].plural:
            return self._add("only", self._object(np))
        return self._some(np)


def _is_marked(core: Core) -> bool:
    """Whether a noun phrase says more than values and clauses: an extreme, 'other'."""
    for mod in core.mods:
        if mod.terminal in ("EXTREME", "OTHER", "AND_EXTREME"):
            return True
    for kind, _ in core.posts:  # noqa: SIM110 - loops, for a generator costs more than this takes
        if kind == "extreme":
            return True
    return False


def _is_nounless(np: Node) -> bool:
    """Whether a noun is left out: 'the leftmost'."""
    mods = np.parts[1].mods
    return bool(mods) and np.parts[1].start == mods[0].start
