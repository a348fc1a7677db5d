"""English about sets, written down a second time: questions from templates, and what each means in plain sets.

A template is a pattern of words and the meanings that a speaker of English accepts for it, as functions of a world.
Nothing here knows the grammar, the ops or the executors; tests/language/test_english_semantics.py holds the parser to
it.

A world is a list of objects (dictionaries of values, and `x` and `y`, each different from all others by at least 1). A
meaning returns a truth, a number, a word, a set of indices, `NO_ANSWER` where the question presupposes what is not so,
or `ANYTHING` where speakers differ.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

Thing = dict[str, Any]
World = list[Thing]
Members = Callable[[World], frozenset[int]]
Meaning = Callable[[World], Any]

NO_ANSWER = "no answer"
ANYTHING = "anything"
VALUES = {
    "size": ("large", "small"),
    "color": ("red", "blue", "green"),
    "material": ("rubber", "metal"),
    "shape": ("cube", "sphere", "cylinder"),
}
ATTRIBUTES = ("size", "color", "material", "shape")
NOUNS = {"cube": "cube", "ball": "sphere", "cylinder": "cylinder", "block": "cube"}
AHEAD: dict[str, Callable[[Thing, Thing], bool]] = {
    "left of": lambda a, b: bool(a["x"] < b["x"]),
    "right of": lambda a, b: bool(a["x"] > b["x"]),
    "behind": lambda a, b: bool(a["y"] > b["y"]),
    "in front of": lambda a, b: bool(a["y"] < b["y"]),
}
SUPERLATIVES = {
    "leftmost": "left of",
    "rightmost": "right of",
    "frontmost": "in front of",
    "rearmost": "behind",
}


def random_world(rng: Random, most: int = 7) -> World:
    """A world of up to `most` objects, of few different values, so that some are alike and some are the only ones."""
    n = rng.randint(0, most)
    xs, ys = rng.sample(range(n), n), rng.sample(range(n), n)
    return [{a: rng.choice(VALUES[a]) for a in ATTRIBUTES} | {"x": xs[i], "y": ys[i]} for i in range(n)]


def record(world: World) -> dict[str, Any]:
    """The world in the official layout."""
    return {
        "objects": [
            {a: thing[a] for a in ATTRIBUTES} | {"3d_coords": [thing["x"], thing["y"], 0.5]} for thing in world
        ],
        "directions": {"left": [-1, 0, 0], "right": [1, 0, 0], "front": [0, -1, 0], "behind": [0, 1, 0]},
    }


# --- phrases ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Noun:
    """A noun phrase without a determiner: 'red cube', its plural, and the things that it names."""

    singular: str
    plural: str
    members: Members

    @property
    def article(self) -> str:
        return "an" if self.singular[0] in "aeiou" else "a"


@dataclass(frozen=True)
class Predicate:
    """What may stand after 'are'; `holds` is None in a world where it presupposes what is not so."""

    words: str
    holds: Callable[[World], frozenset[int] | None]


def having(**values: str) -> Members:
    return lambda world: frozenset(i for i, thing in enumerate(world) if all(thing[a] == v for a, v in values.items()))


def attribute_of(value: str) -> str:
    return next(a for a in ATTRIBUTES if value in VALUES[a])


ADJECTIVES = ("red", "blue", "green", "metal", "rubber", "large", "small")


def random_noun(rng: Random, *, adjective: bool | None = None, things: bool = True) -> Noun:
    with_adjective = rng.random() < 0.4 if adjective is None else adjective
    noun = rng.choice([*NOUNS, *(["thing"] if things else [])])
    values = {} if noun == "thing" else {"shape": NOUNS[noun]}
    words = ""
    if with_adjective:
        value = rng.choice(ADJECTIVES)
        values[attribute_of(value)] = value
        words = value + " "
    return Noun(words + noun, words + noun + "s", having(**values))


def random_list(rng: Random) -> tuple[Noun, Noun]:
    """Two nouns that can be listed; an adjective of the first alone could belong to both, so it is not drawn."""
    first = rng.random() < 0.3
    one = random_noun(rng, adjective=first, things=False)
    while True:
        other = random_noun(rng, adjective=first or rng.random() < 0.3, things=False)
        if NOUNS[other.singular.split()[-1]] != NOUNS[one.singular.split()[-1]]:
            return one, other


def _either(one: Members, other: Members) -> Members:
    return lambda world: one(world) | other(world)


def _everything(world: World) -> frozenset[int]:
    return frozenset(range(len(world)))


def random_predicate(rng: Random, *, simple: bool = False) -> Predicate:
    a, b = rng.sample(ADJECTIVES, 2)
    one, other = having(**{attribute_of(a): a}), having(**{attribute_of(b): b})
    forms: list[Callable[[], Predicate]] = [
        lambda: Predicate(a, one),
        lambda: Predicate(f"{a} or {b}", _either(one, other)),
        lambda: Predicate(f"not {a}", lambda w: _everything(w) - one(w)),
        lambda: Predicate(f"neither {a} nor {b}", lambda w: _everything(w) - one(w) - other(w)),
        lambda: Predicate(f"not {a} or {b}", lambda w: _everything(w) - one(w) - other(w)),
    ]
    if attribute_of(a) != attribute_of(b):
        forms.append(lambda: Predicate(f"{a} and {b}", lambda w: one(w) & other(w)))
        forms.append(lambda: Predicate(f"both {a} and {b}", lambda w: one(w) & other(w)))
    if not simple:
        relation, anchor = rng.choice(list(AHEAD)), random_noun(rng, adjective=True)
        forms.append(lambda: Predicate(f"{relation} the {anchor.singular}", _of_the(relation, anchor.members)))
        forms.append(lambda: Predicate(f"{relation} a {anchor.singular}", _of_some(relation, anchor.members)))
    return rng.choice(forms)()


def _of_the(relation: str, anchors: Members) -> Callable[[World], frozenset[int] | None]:
    def holds(world: World) -> frozenset[int] | None:
        known = anchors(world)
        return frozenset(stands(world, relation, known)) if len(known) == 1 else None

    return holds


def _of_some(relation: str, anchors: Members) -> Members:
    return lambda world: frozenset(stands(world, relation, anchors(world)))


def stands(world: World, relation: str, anchors: frozenset[int]) -> Iterator[int]:
    """Those that stand so to some anchor."""
    for j in range(len(world)):
        if any(i != j and AHEAD[relation](world[j], world[i]) for i in anchors):
            yield j


def stands_to_all(world: World, relation: str, anchors: frozenset[int]) -> frozenset[int]:
    """Those that stand so to every anchor; no anchor stands so to itself."""
    return frozenset(j for j in range(len(world)) if all(AHEAD[relation](world[j], world[i]) for i in anchors))


# --- answers ------------------------------------------------------------------------------------------------


def all_are(world: World, members: frozenset[int], holds: frozenset[int]) -> bool:
    return members <= holds


def none_are(world: World, members: frozenset[int], holds: frozenset[int]) -> bool:
    return not members & holds


def some_are(world: World, members: frozenset[int], holds: frozenset[int]) -> bool:
    return bool(members & holds)


def most_are(world: World, members: frozenset[int], holds: frozenset[int]) -> bool:
    return 2 * len(members & holds) > len(members)


def how_many(world: World, members: frozenset[int], holds: frozenset[int]) -> int:
    return len(members & holds)


def furthest(world: World, superlative: str, members: frozenset[int]) -> frozenset[int]:
    relation = SUPERLATIVES[superlative]
    return frozenset(i for i in members if not any(AHEAD[relation](world[j], world[i]) for j in members if j != i))


def value_of_the(world: World, members: frozenset[int], attribute: str) -> str:
    return str(world[min(members)][attribute]) if len(members) == 1 else NO_ANSWER


def pairs(members: frozenset[int]) -> Iterator[tuple[int, int]]:
    return itertools.combinations(sorted(members), 2)


def alike(world: World, pair: tuple[int, int], attributes: tuple[str, ...]) -> bool:
    return all(world[pair[0]][a] == world[pair[1]][a] for a in attributes)
