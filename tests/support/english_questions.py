"""Templates of questions with determiners, negations, lists, pairs and extremes; see english_sets.py.

    question, meanings, family = random_question(Random(0))

Several meanings: speakers accept each of them, and the answers must be those of one of them in every world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.support.english_sets import (
    ANYTHING,
    ATTRIBUTES,
    NO_ANSWER,
    SUPERLATIVES,
    VALUES,
    Meaning,
    Members,
    Noun,
    Predicate,
    World,
    alike,
    all_are,
    how_many,
    most_are,
    none_are,
    pairs,
    random_list,
    random_noun,
    random_predicate,
    some_are,
    stands,
    stands_to_all,
    value_of_the,
)
from tests.support.english_sets import furthest as furthest_of

Judge = Callable[[World, frozenset[int], frozenset[int]], Any]


@dataclass(frozen=True)
class Question:
    """A question, the meanings that speakers accept, and the family of templates that it comes from."""

    text: str
    meanings: tuple[Meaning, ...]
    family: str


@dataclass(frozen=True)
class Slots:
    """What a template is filled with."""

    one: Noun
    other: Noun
    third: Noun
    predicate: Predicate
    simple: Predicate
    attributes: tuple[str, str]
    superlative: str
    relation: str

    @property
    def listed(self) -> Members:
        return lambda world: self.one.members(world) | self.other.members(world)

    @property
    def words(self) -> dict[str, str]:
        return {
            "x": self.one.singular,
            "xs": self.one.plural,
            "ax": f"{self.one.article} {self.one.singular}",
            "y": self.other.singular,
            "ys": self.other.plural,
            "ay": f"{self.other.article} {self.other.singular}",
            "z": self.third.singular,
            "zs": self.third.plural,
            "p": self.predicate.words,
            "q": self.simple.words,
            "a": self.attributes[0],
            "b": self.attributes[1],
            "most": self.superlative,
            "left": self.relation,
        }


def random_slots(rng: Random) -> Slots:
    one, other = random_list(rng)
    a, b = rng.sample(ATTRIBUTES, 2)
    return Slots(
        one,
        other,
        random_noun(rng),
        random_predicate(rng),
        random_predicate(rng, simple=True),
        (a, b),
        rng.choice(list(SUPERLATIVES)),
        rng.choice(["left of", "right of", "behind", "in front of"]),
    )


Template = tuple[str, Callable[[Slots], "Meaning | tuple[Meaning, ...]"]]
_ALL: dict[str, list[Template]] = {}


def family(name: str, meaning: Callable[[Slots], Meaning | tuple[Meaning, ...]], *patterns: str) -> None:
    _ALL.setdefault(name, []).extend((pattern, meaning) for pattern in patterns)


def random_question(rng: Random, name: str | None = None) -> Question:
    name = name or rng.choice(list(_ALL))
    pattern, meaning = rng.choice(_ALL[name])
    return filled(rng, name, pattern, meaning)


def every_template(rng: Random, each: int) -> list[Question]:
    """`each` questions of every template."""
    return [
        filled(rng, name, pattern, meaning)
        for name, templates in _ALL.items()
        for pattern, meaning in templates
        for _ in range(each)
    ]


def filled(rng: Random, name: str, pattern: str, meaning: Callable[[Slots], Any]) -> Question:
    slots = random_slots(rng)
    accepted = meaning(slots)
    return Question(pattern.format(**slots.words), accepted if isinstance(accepted, tuple) else (accepted,), name)


def families() -> tuple[str, ...]:
    return tuple(_ALL)


# --- a determiner over one noun or a list, and a predicate ---------------------------------------------------


def judged(members: Callable[[Slots], Members], judge: Judge) -> Callable[[Slots], Meaning]:
    def meaning(slots: Slots) -> Meaning:
        chosen = members(slots)

        def answer(world: World) -> Any:
            holds = slots.predicate.holds(world)
            return NO_ANSWER if holds is None else judge(world, chosen(world), holds)

        return answer

    return meaning


def the_one(slots: Slots) -> Members:
    return slots.one.members


def the_listed(slots: Slots) -> Members:
    return slots.listed


def turned(judge: Judge) -> Judge:
    return lambda *given: not judge(*given)


def of_each(judge: Judge, join: Callable[[list[bool]], bool]) -> Callable[[Slots], Meaning]:
    """The judgement of each of the two nouns by itself, joined."""
    one, other = judged(the_one, judge), judged(lambda s: s.other.members, judge)

    def meaning(slots: Slots) -> Meaning:
        first, second = one(slots), other(slots)

        def answer(world: World) -> Any:
            both = [first(world), second(world)]
            return NO_ANSWER if NO_ANSWER in both else join(both)

        return answer

    return meaning


family("all X", judged(the_one, all_are), "Are all {xs} {p}?", "Are all of the {xs} {p}?", "Is every {x} {p}?")
family(
    "all X", judged(the_one, all_are), "Are the {xs} all {p}?", "Is each {x} {p}?", "Is it true that all {xs} are {p}?"
)
family("all X", judged(the_one, turned(all_are)), "Is it false that all {xs} are {p}?")
family(
    "all X and Y",
    judged(the_listed, all_are),
    "Are all {xs} and {ys} {p}?",
    "Are all the {xs} and {ys} {p}?",
    "Are all of the {xs} and {ys} {p}?",
    "Are all {xs} or {ys} {p}?",
    "Are all {xs} and all {ys} {p}?",
    "Are the {xs} and {ys} {p}?",
    "Are the {xs} and the {ys} all {p}?",
    "Is every {x} and {y} {p}?",
    "Is every {x} or {y} {p}?",
    "Is every {x} and every {y} {p}?",
    "Is each {x} and {y} {p}?",
    "Is it true that all {xs} and {ys} are {p}?",
)
family("no X", judged(the_one, none_are), "Are no {xs} {p}?", "Are none of the {xs} {p}?", "Is no {x} {p}?")
family("no X", judged(the_one, none_are), "Is it true that no {xs} are {p}?", "Is not a single {x} {p}?")
family(
    "no X or Y",
    judged(the_listed, none_are),
    "Are no {xs} or {ys} {p}?",
    "Are no {xs} and no {ys} {p}?",
    "Are no {xs} and {ys} {p}?",
    "Are none of the {xs} or {ys} {p}?",
    "Are none of the {xs} and {ys} {p}?",
    "Are none of the {xs} and none of the {ys} {p}?",
    "Is no {x} or {y} {p}?",
    "Is no {x} and no {y} {p}?",
    "Is it true that no {xs} or {ys} are {p}?",
    "Are neither {xs} nor {ys} {p}?",
    "Are neither the {xs} nor the {ys} {p}?",
    "Is neither {ax} nor {ay} {p}?",
)


def _neither_of_two(slots: Slots) -> Meaning:
    judge = judged(the_one, none_are)(slots)
    return lambda world: judge(world) if len(slots.one.members(world)) == 2 else ANYTHING


family("neither X", _neither_of_two, "Are neither {xs} {p}?", "Is neither {x} {p}?", "Are neither of the {xs} {p}?")
family("neither X", _neither_of_two, "Is neither of the {xs} {p}?", "Is neither of the two {xs} {p}?")
family("most X", judged(the_one, most_are), "Are most {xs} {p}?", "Are most of the {xs} {p}?")
family(
    "most X and Y", judged(the_listed, most_are), "Are most {xs} and {ys} {p}?", "Are most of the {xs} and {ys} {p}?"
)
family("most X and Y", judged(the_listed, most_are), "Are most {xs} or {ys} {p}?")
family("any X", judged(the_one, some_are), "Are any {xs} {p}?", "Is any {x} {p}?", "Is {ax} {p}?", "Are some {xs} {p}?")
family("any X", judged(the_one, some_are), "Are any of the {xs} {p}?", "Is at least one {x} {p}?")
family(
    "any X or Y",
    judged(the_listed, some_are),
    "Are any {xs} or {ys} {p}?",
    "Is any {x} or {y} {p}?",
    "Is {ax} or {ay} {p}?",
    "Are some {xs} or {ys} {p}?",
    "Are any of the {xs} or {ys} {p}?",
    "Are any of the {xs} and {ys} {p}?",
    "Is it true that any {xs} or {ys} are {p}?",
)
family(
    "any X and Y",
    lambda s: (judged(the_listed, some_are)(s), of_each(some_are, all)(s)),
    "Are any {xs} and {ys} {p}?",
    "Are some {xs} and {ys} {p}?",
    "Is {ax} and {ay} {p}?",
)
family("how many", judged(the_one, how_many), "How many {xs} are {p}?", "How many of the {xs} are {p}?")
family(
    "how many X and Y",
    judged(the_listed, how_many),
    "How many {xs} and {ys} are {p}?",
    "How many {xs} or {ys} are {p}?",
    "How many of the {xs} and {ys} are {p}?",
    "How many of the {xs} or {ys} are {p}?",
)


def _known(slots: Slots, judge: Callable[[list[bool]], bool]) -> Meaning:
    def answer(world: World) -> Any:
        holds = slots.predicate.holds(world)
        known = [slots.one.members(world), slots.other.members(world)]
        if holds is None or any(len(members) != 1 for members in known):
            return NO_ANSWER
        return judge([members <= holds for members in known])

    return answer


family(
    "the X and the Y",
    lambda s: _known(s, all),
    "Are both the {x} and the {y} {p}?",
    "Are the {x} and the {y} both {p}?",
)
family("the X and the Y", lambda s: _known(s, all), "Are the {x} and the {y} {p}?")
family("the X and the Y", lambda s: _known(s, any), "Is either the {x} or the {y} {p}?")
family("the X and the Y", lambda s: _known(s, lambda t: not any(t)), "Is neither the {x} nor the {y} {p}?")


# --- negation and exception over a list ----------------------------------------------------------------------


def _rest(slots: Slots) -> Members:
    return lambda world: frozenset(range(len(world))) - slots.listed(world)


def plain(value: Callable[[Slots, World], Any]) -> Callable[[Slots], Meaning]:
    return lambda slots: lambda world: value(slots, world)


_RESTS = (
    "not {ax} or {ay}",
    "not {ax} or {y}",
    "not {xs} or {ys}",
    "neither {xs} nor {ys}",
    "neither {ax} nor {ay}",
    "not {xs} and not {ys}",
    "not {ax} and not {ay}",
)
_EXCEPTS = (
    "other than {xs} or {ys}",
    "other than {xs} and {ys}",
    "except {xs} or {ys}",
    "except {xs} and {ys}",
    "besides {xs} or {ys}",
    "besides {xs} and {ys}",
    "except for {xs} and {ys}",
    "other than {ax} or {ay}",
)
count_rest = plain(lambda s, w: len(_rest(s)(w)))
some_rest = plain(lambda s, w: bool(_rest(s)(w)))
family("not X or Y", count_rest, *(f"How many things are {rest}?" for rest in _RESTS))
family("not X or Y", count_rest, *(f"How many things that are {rest} are there?" for rest in _RESTS))
family("not X or Y", some_rest, *(f"Is there a thing that is {rest}?" for rest in _RESTS))
family("not X or Y", some_rest, *(f"Are there any things that are {rest}?" for rest in _RESTS))
family("except X or Y", count_rest, *(f"How many things {rest} are there?" for rest in _EXCEPTS))
family("except X or Y", some_rest, *(f"Is there anything {rest}?" for rest in _EXCEPTS))
family("except X or Y", judged(_rest, how_many), *(f"How many things {rest} are {{p}}?" for rest in _EXCEPTS))
family("except X or Y", judged(_rest, some_are), *(f"Is there anything {rest} that is {{p}}?" for rest in _EXCEPTS))
family("except X or Y", judged(_rest, all_are), *(f"Are all things {rest} {{p}}?" for rest in _EXCEPTS))
family(
    "except X or Y",
    plain(lambda s, w: value_of_the(w, _rest(s)(w), s.attributes[0])),
    *(f"What {{a}} is the thing that is {rest}?" for rest in _RESTS),
)


def _is_the_not(slots: Slots) -> Meaning:
    def answer(world: World) -> Any:
        known = slots.third.members(world)
        return not known & slots.listed(world) if len(known) == 1 else NO_ANSWER

    return answer


family("the Z is not X or Y", _is_the_not, *(f"Is the {{z}} {rest}?" for rest in _RESTS))
family(
    "not A or B",
    plain(lambda s, w: how_many(w, s.one.members(w), s.simple.holds(w) or frozenset())),
    "How many {xs} are {q}?",
    "How many {xs} that are {q} are there?",
)
family(
    "left over",
    plain(lambda s, w: len(_rest(s)(w))),
    "If you remove the {xs} and {ys}, how many things are left?",
    "How many things are left if the {xs} and {ys} are removed?",
    "If all {xs} and {ys} are removed, how many things are left?",
    "How many things are left if you remove all {xs} and all {ys}?",
)
family(
    "left over",
    plain(lambda s, w: len(w) - len(s.one.members(w))),
    "How many things are left if the {xs} are removed?",
    "How many things remain if you remove the {xs}?",
)


# --- a relation to a list ------------------------------------------------------------------------------------


def _to(
    members: Callable[[Slots], Members], how: Callable[..., Any], *, presupposed: bool
) -> Callable[[Slots], Meaning]:
    def meaning(slots: Slots) -> Meaning:
        anchors = members(slots)

        def answer(world: World) -> Any:
            met = anchors(world)
            return ANYTHING if presupposed and not met else len(frozenset(how(world, slots.relation, met)))

        return answer

    return meaning


def _not_standing(world: World, relation: str, anchors: frozenset[int]) -> frozenset[int]:
    return frozenset(range(len(world))) - frozenset(stands(world, relation, anchors))


family(
    "left of all",
    _to(the_one, stands_to_all, presupposed=True),
    "How many things are {left} all the {xs}?",
    "How many things are {left} all {xs}?",
    "How many things are {left} every {x}?",
)
family(
    "left of all X and Y",
    _to(the_listed, stands_to_all, presupposed=True),
    "How many things are {left} all the {xs} and {ys}?",
    "How many things are {left} all {xs} and {ys}?",
    "How many things are {left} all {xs} and all {ys}?",
    "How many things are {left} every {x} and {y}?",
    "How many things are {left} every {x} and every {y}?",
)
family(
    "left of some",
    _to(the_listed, stands, presupposed=False),
    "How many things are {left} {ax} or {ay}?",
    "How many things are {left} any {x} or {y}?",
    "How many things are {left} some {x} or {y}?",
)
family(
    "left of no",
    _to(the_listed, _not_standing, presupposed=False),
    "How many things are {left} no {x} or {y}?",
    "How many things are not {left} {ax} or {ay}?",
    "How many things are not {left} any {x} or {y}?",
    "How many things are {left} none of the {xs} and {ys}?",
    "How many things are {left} neither {ax} nor {ay}?",
)


def _of_both(slots: Slots) -> Meaning:
    def answer(world: World) -> Any:
        one, other = slots.one.members(world), slots.other.members(world)
        return len(frozenset(stands(world, slots.relation, one)) & frozenset(stands(world, slots.relation, other)))

    return answer


family("left of some X and some Y", _of_both, "How many things are {left} {ax} and {ay}?")


# --- pairs ---------------------------------------------------------------------------------------------------


def _paired(
    members: Callable[[Slots], Members], both: bool, judge: Callable[[list[bool]], bool]
) -> Callable[[Slots], Meaning]:
    def meaning(slots: Slots) -> Meaning:
        chosen, attributes = members(slots), slots.attributes if both else slots.attributes[:1]
        return lambda world: judge([alike(world, pair, attributes) for pair in pairs(chosen(world))])

    return meaning


def _some_differ(alikes: list[bool]) -> bool:
    return not all(alikes)


def _none(alikes: list[bool]) -> bool:
    return not any(alikes)


family(
    "two alike",
    _paired(the_one, False, any),
    "Do any two {xs} have the same {a}?",
    "Are any two {xs} the same {a}?",
    "Do any two {xs} share the same {a}?",
    "Are there two {xs} of the same {a}?",
    "Are there two {xs} with the same {a}?",
    "Are there any two {xs} of the same {a}?",
    "Are any two of the {xs} the same {a}?",
)
family("two alike", _paired(the_listed, False, any), "Do any two {xs} and {ys} have the same {a}?")
family("two alike", _paired(the_listed, False, any), "Do any two {xs} or {ys} have the same {a}?")
family(
    "two alike in two ways",
    _paired(the_one, True, any),
    "Do any two {xs} have the same {a} and {b}?",
    "Do any two {xs} share both {a} and {b}?",
    "Are there two {xs} of the same {a} and {b}?",
    "Are there any two {xs} of the same {a} and {b}?",
    "Do any two {xs} have the same {a} and the same {b}?",
    "Are any two {xs} the same {a} and {b}?",
    "Do two of the {xs} have the same {a} and {b}?",
)
family(
    "two differ",
    _paired(the_one, False, _some_differ),
    "Do any two {xs} differ in {a}?",
    "Are any two {xs} different in {a}?",
    "Are any two {xs} not the same {a}?",
    "Do any two {xs} have different {a}s?",
    "Are there two {xs} of different {a}s?",
    "Do any {xs} differ in {a}?",
)
family(
    "none alike",
    _paired(the_one, False, _none),
    "Do no two {xs} have the same {a}?",
    "Are no two {xs} the same {a}?",
    "Do all {xs} have different {a}s?",
    "Are all {xs} different {a}s?",
    "Do all {xs} differ in {a}?",
)
family("none alike", _paired(the_one, True, _none), "Do no two {xs} have the same {a} and {b}?")
family("none alike", _paired(the_listed, False, _none), "Do no two {xs} and {ys} have the same {a}?")
family(
    "all alike",
    _paired(the_one, False, all),
    "Do all {xs} have the same {a}?",
    "Are all {xs} the same {a}?",
    "Do all of the {xs} share the same {a}?",
    "Are all the {xs} of the same {a}?",
)
family(
    "all alike",
    _paired(the_listed, False, all),
    "Do all {xs} and {ys} have the same {a}?",
    "Are all {xs} and {ys} the same {a}?",
    "Do all the {xs} and {ys} have the same {a}?",
)
family("all alike", _paired(the_one, True, all), "Do all {xs} have the same {a} and {b}?")


# --- extremes, others, comparisons, common values ------------------------------------------------------------


def _extreme(slots: Slots) -> Members:
    return lambda world: furthest_of(world, slots.superlative, slots.one.members(world))


def _which(slots: Slots) -> tuple[Meaning, ...]:
    chosen = _extreme(slots)
    return (
        lambda world: tuple(sorted(chosen(world))),
        lambda world: min(chosen(world)) if chosen(world) else NO_ANSWER,
        lambda world: value_of_the(world, chosen(world), "shape"),
    )


family("extreme", plain(lambda s, w: value_of_the(w, _extreme(s)(w), s.attributes[0])), "What {a} is the {most} {x}?")
family(
    "extreme",
    plain(lambda s, w: value_of_the(w, _extreme(s)(w), s.attributes[0])),
    "What {a} is the {x} that is {most}?",
    "What {a} is the {most} of the {xs}?",
)
family("extreme", _which, "Which {x} is {most}?", "Which of the {xs} is {most}?", "Of the {xs}, which is {most}?")


def _is_the_extreme(slots: Slots) -> Meaning:
    chosen = _extreme(slots)

    def answer(world: World) -> Any:
        holds, met = slots.simple.holds(world), chosen(world)
        return NO_ANSWER if holds is None or not met else met <= holds

    return answer


family("extreme", _is_the_extreme, "Is the {most} {x} {q}?")


def _more_than_others(slots: Slots) -> Meaning:
    def answer(world: World) -> Any:
        mine = len(slots.one.members(world))
        return mine > len(world) - mine

    return answer


family("other", _more_than_others, "Are there more {xs} than other things?", "More {xs} than other things?")


def _left_of_all_others(slots: Slots) -> Meaning:
    return lambda world: value_of_the(
        world, furthest_of(world, slots.superlative, frozenset(range(len(world)))), slots.attributes[0]
    )


family("other", _left_of_all_others, "What {a} is the {most} thing?")
family(
    "more",
    plain(lambda s, w: len(s.listed(w)) > len(s.third.members(w))),
    "Are there more {xs} and {ys} than {zs}?",
    "Are there more {xs} or {ys} than {zs}?",
    "Are there fewer {zs} than {xs} and {ys}?",
)
family(
    "more", plain(lambda s, w: len(s.listed(w)) == len(s.third.members(w))), "Are there as many {zs} as {xs} and {ys}?"
)


def _common(members: Callable[[Slots], Members], attribute: str | None = None) -> Callable[[Slots], Meaning]:
    def meaning(slots: Slots) -> Meaning:
        chosen, asked = members(slots), attribute or slots.attributes[0]

        def answer(world: World) -> Any:
            values = {thing[asked] for i, thing in enumerate(world) if i in chosen(world)}
            return values.pop() if len(values) == 1 else NO_ANSWER

        return answer

    return meaning


family(
    "common value",
    _common(lambda s: s.one.members),
    "What {a} are the {xs}?",
    "What {a} are all the {xs}?",
    "What {a} are all {xs}?",
)


def _choice(first: str, second: str) -> Callable[[Slots], Meaning]:
    attribute = next(a for a in ATTRIBUTES if first in VALUES[a])
    everyone = _common(the_one, attribute)

    def meaning(slots: Slots) -> Meaning:
        common = everyone(slots)

        def answer(world: World) -> Any:
            value = common(world)
            return value if value in (first, second, NO_ANSWER) else ANYTHING

        # An adjective of the noun settles the answer, which is not asked then.
        settled = any(v in slots.one.singular.split() for v in VALUES[attribute])
        return (lambda world: ANYTHING) if settled else answer

    return meaning


for _first, _second in (("metal", "rubber"), ("red", "blue"), ("large", "small")):
    family("choice of several", _choice(_first, _second), f"Are the {{xs}} {_first} or {_second}?")
    family("choice of several", _choice(_first, _second), f"Are all the {{xs}} {_first} or {_second}?")
