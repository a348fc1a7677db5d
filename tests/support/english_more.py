"""More templates, in the manner of english_questions.py, over other constructions: existence of lists, exact and least
numbers, everything and nothing, sharing with a known thing, extremes of lists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.english_questions import Slots, family, judged, plain, the_listed, the_one
from tests.support.english_sets import (
    NO_ANSWER,
    Meaning,
    World,
    all_are,
    furthest,
    none_are,
    some_are,
    stands,
    value_of_the,
)


def _listed(slots: Slots, world: World) -> frozenset[int]:
    return slots.listed(world)


def _outside(slots: Slots, world: World) -> frozenset[int]:
    return frozenset(range(len(world))) - slots.listed(world)


def predicated(value: Callable[[Slots, World, frozenset[int]], Any]) -> Callable[[Slots], Meaning]:
    """A meaning that reads the members of the predicate, which may presuppose something."""

    def meaning(slots: Slots) -> Meaning:
        def answer(world: World) -> Any:
            holds = slots.predicate.holds(world)
            return NO_ANSWER if holds is None else value(slots, world, holds)

        return answer

    return meaning


family(
    "there is X or Y",
    plain(lambda s, w: bool(_listed(s, w))),
    "Are there any {xs} or {ys}?",
    "Is there {ax} or {ay}?",
    "Is anything {ax} or {ay}?",
    "Are some things {xs} or {ys}?",
)
family(
    "there is X and Y",
    plain(lambda s, w: bool(s.one.members(w)) and bool(s.other.members(w))),
    "Are there both {xs} and {ys}?",
    "Is there {ax} and {ay}?",
)
family(
    "there is no X or Y",
    plain(lambda s, w: not _listed(s, w)),
    "Are there no {xs} or {ys}?",
    "Are there no {xs} and no {ys}?",
    "Are there neither {xs} nor {ys}?",
    "Is there neither {ax} nor {ay}?",
    "Is there no {x} or {y}?",
    "Is nothing {ax} or {ay}?",
    "Is it true that there are no {xs} or {ys}?",
    "Is it false that there are {xs} or {ys}?",
)
family(
    "everything",
    plain(lambda s, w: not _outside(s, w)),
    "Is everything {ax} or {ay}?",
    "Are all things {xs} or {ys}?",
    "Is every thing {ax} or {ay}?",
    "Is nothing neither {ax} nor {ay}?",
)
family(
    "everything",
    plain(lambda s, w: bool(_outside(s, w))),
    "Is anything neither {ax} nor {ay}?",
    "Is something not {ax} or {ay}?",
    "Is it false that everything is {ax} or {ay}?",
)
family(
    "everything",
    predicated(lambda s, w, h: all_are(w, frozenset(range(len(w))) - s.one.members(w), h)),
    "Is everything that is not {ax} {p}?",
    "Are all things that are not {xs} {p}?",
    "Are all things but the {xs} {p}?",
)
family(
    "numbers of a list",
    predicated(lambda s, w, h: len(_listed(s, w) & h) >= 2),
    "Are at least two {xs} or {ys} {p}?",
    "Are at least two {xs} and {ys} {p}?",
    "Are at least two of the {xs} and {ys} {p}?",
)
family(
    "numbers of a list",
    predicated(lambda s, w, h: len(_listed(s, w) & h) == 2),
    "Are exactly two {xs} or {ys} {p}?",
    "Are exactly two of the {xs} and {ys} {p}?",
)
family(
    "numbers of a list",
    plain(lambda s, w: len(_listed(s, w)) >= 2),
    "Are there at least two {xs} or {ys}?",
    "Are there two or more {xs} and {ys}?",
)
family("numbers of a list", plain(lambda s, w: len(_listed(s, w)) > 3), "Are there more than three {xs} and {ys}?")
family("numbers of a list", plain(lambda s, w: len(_listed(s, w)) < 3), "Are there fewer than three {xs} or {ys}?")
# A clause after a list belongs to the list, or to its last member, which is the nearest noun.
family(
    "relative clauses",
    lambda s: (
        predicated(lambda s, w, h: len(_listed(s, w) & h))(s),
        predicated(lambda s, w, h: len(s.one.members(w) | (s.other.members(w) & h)))(s),
    ),
    "How many {xs} or {ys} that are {p} are there?",
)
family("negated truths", judged(the_listed, some_are), "Is it false that no {xs} or {ys} are {p}?")
family("negated truths", judged(the_listed, none_are), "Is it false that any {xs} or {ys} are {p}?")
family(
    "negated truths",
    predicated(lambda s, w, h: not all_are(w, _listed(s, w), h)),
    "Is it false that all {xs} and {ys} are {p}?",
    "Is it not true that all {xs} and {ys} are {p}?",
    "Are not all {xs} and {ys} {p}?",
)
family(
    "negated truths",
    predicated(lambda s, w, h: not all_are(w, s.one.members(w), h)),
    "Are not all {xs} {p}?",
    "Are not all of the {xs} {p}?",
    "Is not every {x} {p}?",
)


def _shares(how: Callable[[frozenset[int], frozenset[int], frozenset[int]], Any]) -> Callable[[Slots], Meaning]:
    """Who has the third noun's value of the attribute; that thing itself does not count, and is not asked of."""

    def meaning(slots: Slots) -> Meaning:
        def answer(world: World) -> Any:
            known = slots.third.members(world)
            if len(known) != 1:
                return NO_ANSWER
            value = world[min(known)][slots.attributes[0]]
            same = frozenset(i for i, t in enumerate(world) if t[slots.attributes[0]] == value) - known
            return how(slots.one.members(world), slots.other.members(world), same)

        return answer

    return meaning


family(
    "shares with the Z",
    lambda s: (
        _shares(lambda x, y, same: bool((x | y) & same))(s),
        _shares(lambda x, y, same: bool(x | (y & same)))(s),
    ),
    "Are there any {xs} or {ys} of the same {a} as the {z}?",
    "Is there {ax} or {ay} that has the same {a} as the {z}?",
)
family(
    "shares with the Z",
    _shares(lambda x, y, same: len((x | y) & same)),
    "How many {xs} and {ys} have the same {a} as the {z}?",
    "How many {xs} or {ys} have the same {a} as the {z}?",
)


def _extreme_of_list(slots: Slots) -> Meaning:
    return lambda w: value_of_the(w, furthest(w, slots.superlative, slots.listed(w)), slots.attributes[0])


family("extreme of a list", _extreme_of_list, "What {a} is the {most} of the {xs} and {ys}?")
family(
    "extreme of a list",
    lambda s: lambda w: value_of_the(w, furthest(w, s.superlative, s.one.members(w)), s.attributes[0]),
    "What {a} is the {most} one of the {xs}?",
    "What is the {a} of the {most} {x}?",
    "What {a} does the {most} {x} have?",
)


def _of_the_extreme(slots: Slots) -> Meaning:
    def answer(world: World) -> Any:
        met = furthest(world, slots.superlative, slots.one.members(world))
        return len(frozenset(stands(world, slots.relation, met))) if met else NO_ANSWER

    return answer


family("extreme of a list", _of_the_extreme, "How many things are {left} the {most} {x}?")
family(
    "other than one",
    plain(lambda s, w: len(w) - len(s.one.members(w))),
    "How many things are not {xs}?",
    "How many things other than {xs} are there?",
    "How many things are there besides {xs}?",
    "How many things are there apart from the {xs}?",
    "How many things are there except for the {xs}?",
)
family(
    "except the X",
    lambda s: lambda w: len(w) - 1 if len(s.one.members(w)) == 1 else NO_ANSWER,
    "How many things other than the {x} are there?",
    "How many things are there besides the {x}?",
    "If you remove the {x}, how many things are left?",
    "Without the {x}, how many things are there?",
)
family(
    "except the X",
    lambda s: predicated(
        lambda s, w, h: (
            all_are(w, frozenset(range(len(w))) - s.one.members(w), h) if len(s.one.members(w)) == 1 else NO_ANSWER
        )
    )(s),
    "Are all things except the {x} {p}?",
    "Is everything but the {x} {p}?",
)
family(
    "in no X",
    plain(lambda s, w: len(s.one.members(w) - frozenset(stands(w, s.relation, s.other.members(w))))),
    "How many {xs} are not {left} {ay}?",
    "How many {xs} are not {left} any {y}?",
    "How many {xs} are {left} no {y}?",
    "How many {xs} have no {y} that they are {left}?",
)
family(
    "in some X",
    judged(the_one, some_are),
    "Is there {ax} that is {p}?",
    "Are there {xs} that are {p}?",
    "Does there exist {ax} that is {p}?",
)

# The share of a family that must be answered: what the grammar does not have is refused.
LEAST = {
    "extreme of a list": 0.7,  # 'the leftmost one of the cubes'
    "in no X": 0.7,  # 'no ball that they are left of'
    "negated truths": 0.4,  # 'are not all'
    "numbers of a list": 0.5,  # 'are at least two of the cubes and balls red'
    "shares with the Z": 0.75,  # 'the thing' could be any of them
}
