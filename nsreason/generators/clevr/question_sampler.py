"""Programs drawn from a family, so that they fit one scene.

A draw walks the words of a family from left to right, keeps what each call means on the scene, and ends at once where
the question would be no good:

* ill-posed: a `unique` that would meet no object or several is never drawn;
* degenerate: a filter, relation, comparison or side of an 'and' or 'or' that does not matter (see `necessity`);
* circular: a noun phrase that leads back to an object which it already named, or an 'and', 'or' or comparison whose
  two sides hang on one object;
* empty of content: asking for what is already said (the families bar it), or comparing the numbers of two sets of
  which one is part of the other by its wording alone ('more cubes than red cubes').

Most draws fail on most scenes; callers draw again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ...dsl.domain import Domain, Step
from ...dsl.kinds import NUMBER, OBJECT
from ...executors.answers import decode, spell
from ...executors.bitsets import Ambiguous, tables_of
from ...programs.program import Program
from ...scenes.scene import Scene, members
from .families import Family, FamilyWord
from .necessity import Meaning, meaning

MOST_FILTERS = 6  # attributes that one noun phrase chooses its filters from: 64 combinations
EMPTY = 0.15  # share of counted sets that are meant to be empty

Due = Callable[[str], bool]


class SampledProgram(NamedTuple):
    """A program and its answer on the scene, as the release spells it."""

    program: Program
    answer: str


class _Refused(Exception):  # noqa: N818 - an outcome of a draw, not an error
    """The draw leads to no good question."""


class Sampler:
    """Draws programs for one scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.domain = scene, scene.domain
        self.tables = tables_of(scene)
        self.rows = list(zip(*scene.values, strict=True))  # per object, its concept of each attribute
        self.bounds = _bounds(scene.domain)

    def draw(self, family: Family, rng: random.Random, due: Due = lambda answer: True) -> SampledProgram | None:
        """A program of the family that makes a good question on this scene, or None: draw again.

        Args:
            due: says of an answer whether it may be given; draws are steered towards those that may.
        """
        walk = _Walk(self, rng, due)
        try:
            for place, word in enumerate(family.words):
                walk.take(word, family.words[place + 1 :])
        except (_Refused, Ambiguous):
            return None
        program = Program.of_steps(self.domain, walk.steps, walk.inputs)
        answer = spell(decode(walk.stack[-1].meaning.value, program.kind, self.domain))
        return SampledProgram(program, answer) if due(answer) else None


def _bounds(domain: Domain) -> list[tuple[int, int]]:
    """Of each attribute, its first concept's number and the number behind its last's."""
    index = domain.concept_index
    values = [domain.values(a) for a in domain.attributes]
    return [(index[v[0]], index[v[-1]] + 1) for v in values]


class _Phrase(NamedTuple):
    """What a call of the walk has made.

    Attributes:
        start, node: its first call and its last; all between are its own.
        meaning: of its last call.
        anchor: the last object that the part names, or -1.
        named: all objects that it names, as a bit set.
    """

    start: int
    node: int
    meaning: Meaning
    anchor: int = -1
    named: int = 0


class _Walk:
    """One draw under way: the calls so far, and the parts that no call has used yet."""

    def __init__(self, sampler: Sampler, rng: random.Random, due: Due) -> None:
        self.domain, self.tables, self.rows = sampler.domain, sampler.tables, sampler.rows
        self.bounds, self.rng, self.due = sampler.bounds, rng, due
        self.steps: list[Step] = []
        self.inputs: list[tuple[int, ...]] = []
        self.stack: list[_Phrase] = []

    def take(self, word: FamilyWord, following: tuple[FamilyWord, ...]) -> None:
        """Go on by one word of the family; `following` is those behind it."""
        if word.op in "*+":
            self._describe(word, following)
        elif word.op == "filter":
            self._narrow(self.domain.values(word.attribute or ""))
        elif word.op == "relate":
            self._relate(following)
        else:
            self._call(word.op, (word.attribute,) if word.attribute is not None else ())

    def _call(self, op: str, literals: tuple[str, ...]) -> None:
        """Add a call on the parts on top, unless it shows that the question is no good."""
        step = self.domain.step(op, literals)
        node, cut = len(self.steps), len(self.stack) - len(step.takes)
        parts = self.stack[cut:]
        if len(parts) == 2:
            self._check_sides(step, *parts)
        call_meaning = meaning(self.tables, node, step, [p.meaning for p in parts])
        if op in ("unique", "count", "exist") and parts[0].meaning.idle():
            raise _Refused
        if len(parts) == 1:
            start, anchor, named = parts[0].start, parts[0].anchor, parts[0].named
        else:
            start, anchor = parts[0].start if parts else node, -1
            named = parts[0].named | parts[1].named if parts else 0
        if step.gives is OBJECT:
            anchor, named = call_meaning.value, named | 1 << call_meaning.value
        self.stack[cut:] = [_Phrase(start, node, call_meaning, anchor, named)]
        self.steps.append(step)
        self.inputs.append(tuple([p.node for p in parts]))

    def _check_sides(self, step: Step, a: _Phrase, b: _Phrase) -> None:
        """Refuse two sides that hang on one object, or of which one is part of the other by its wording."""
        if a.anchor == b.anchor >= 0:
            raise _Refused
        if step.takes[0] is NUMBER:
            (one, few), (other, many) = self._phrase(a), self._phrase(b)
            if one == other and (few <= many or many <= few):
                raise _Refused

    def _phrase(self, part: _Phrase) -> tuple[list[Step], set[str]]:
        """The set that a part counts: its calls, and the filters on top of them."""
        end = part.node - 1
        while self.steps[end].op.name == "filter":
            end -= 1
        return self.steps[part.start : end + 1], {s.literals[0] for s in self.steps[end + 1 : part.node]}

    # --- filters: each must matter, and so must every call under them -----------------------------------------------

    def _narrow(self, values: tuple[str, ...]) -> None:
        """One filter for the noun phrase on top, of these values."""
        phrase_meaning, index = self.stack[-1].meaning, self.domain.concept_index
        fits = [(value, self.tables.concept[index[value]]) for value in values]
        base, without = phrase_meaning.value, [other for _, other in phrase_meaning.without]
        good = [v for v, fit in fits if base & fit != base and all(o & fit != base & fit for o in without)]
        if not good:
            raise _Refused
        self._call("filter", (self.rng.choice(good),))

    def _relate(self, following: tuple[FamilyWord, ...]) -> None:
        """A relation to the object on top; one in which something stands to it, where something must."""
        anchor, relations = self.stack[-1], self.domain.relations
        if len(following) > 1 and following[1].op == "unique":
            free = ~anchor.named
            relations = tuple([r for i, r in enumerate(relations) if self.tables.relation[i][anchor.anchor] & free])
            if not relations:
                raise _Refused
        self._call("relate", (self.rng.choice(relations),))

    def _describe(self, word: FamilyWord, following: tuple[FamilyWord, ...]) -> None:
        """Filters for the noun phrase on top."""
        attributes = [i for i, a in enumerate(self.domain.attributes) if a not in word.barred]
        if len(attributes) > MOST_FILTERS:
            attributes = sorted(self.rng.sample(attributes, MOST_FILTERS))
        looks: Iterable[tuple[Sequence[int], int | None]]
        if following[0].op == "unique":
            looks = self._one(following)
        else:
            looks = [self._some(following[0].op if len(following) == 1 else "", attributes)]
        least = 1 if word.op == "+" else 0
        for row, wanted in looks:
            good = [m for m in self._choices([row[a] for a in attributes], wanted) if m >= least]
            if good:
                break
        else:
            raise _Refused
        mask = self.rng.choice(good)
        for place, attribute in enumerate(attributes):
            if mask >> place & 1:
                self._call("filter", (self.domain.concepts[row[attribute]],))

    def _one(self, following: tuple[FamilyWord, ...]) -> Iterator[tuple[Sequence[int], int]]:
        """The looks of objects that the phrase has not named yet, each with the set of it alone."""
        part = self.stack[-1]
        candidates = list(members(part.meaning.value & ~part.named))
        if len(following) == 2 and following[1].op == "query":
            asked = self.domain.attribute_index[following[1].attribute or ""]
            candidates = [i for i in candidates if self.due(self.domain.concepts[self.rows[i][asked]])]
        self.rng.shuffle(candidates)
        return ((self.rows[i], 1 << i) for i in candidates)

    def _some(self, last: str, attributes: list[int]) -> tuple[Sequence[int], int | None]:
        """Looks to choose filters from, and 0 where they should leave nothing.

        Args:
            last: the family's last op, where it follows at once.
        """
        here = members(self.stack[-1].meaning.value)
        if self._empty(last) or not here:
            outside = members(self.tables.object & ~self.stack[-1].meaning.value)
            row = list(self.rows[self.rng.choice(outside or range(len(self.rows)))])
            # Or the looks of something that the scene does not have.
            if attributes and (not outside or self.rng.random() < 0.5):
                changed = self.rng.choice(attributes)
                row[changed] = self.rng.randrange(*self.bounds[changed])
            return row, 0
        return self.rows[self.rng.choice(here)], None

    def _empty(self, last: str) -> bool:
        """Whether the set should be empty."""
        if last == "exist":
            yes, no = self.due("yes"), self.due("no")
            return self.rng.random() < 0.5 if yes == no else no
        return last == "count" and self.due("0") and self.rng.random() < EMPTY

    def _choices(self, row: list[int], wanted: int | None) -> Iterator[int]:
        """The subsets of the concepts in `row`, as bit masks, that leave `wanted` (None: any), none of them idle."""
        concepts, phrase_meaning = self.tables.concept, self.stack[-1].meaning
        fits = [self.tables.object]  # per mask, the objects of the scene that have all its concepts
        for concept in row:
            fits += [f & concepts[concept] for f in fits]
        base, without = phrase_meaning.value, [other for _, other in phrase_meaning.without]
        bits = [1 << i for i in range(len(row))]
        for mask, fit in enumerate(fits):
            left = base & fit
            if wanted is not None and left != wanted:
                continue
            for bit in bits:
                if mask & bit and base & fits[mask ^ bit] == left:
                    break
            else:
                if all(other & fit != left for other in without):
                    yield mask
