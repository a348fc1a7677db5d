"""Random domains, scenes and well-typed programs, these drawn from the op table: a new op is drawn too.

Sizes are drawn by hypothesis, which shrinks them; what fills them comes from one drawn seed, which is fast.
The `random_*` functions do the work and serve without hypothesis as well (tests/test_fuzz.py).

A scene is drawn as a *record*: the official layout, plain Python data. `tests/support/brute_force.py` reads that
record, and nsreason reads it through `Scene.from_dict`; they share nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from nsreason.dsl.domain import AttributeEntry, Domain, DomainFile, RelationEntry, ValueEntry
from nsreason.dsl.kinds import ATTRIBUTE, CONCEPT, INTEGER, NUMBER, OBJECT, OBJECTS, RELATION, TRUTH, WORD, Kind
from nsreason.dsl.ops import OPS, Op
from nsreason.errors import NsreasonError
from nsreason.executors.bitsets import Ambiguous, BitView, tables_of
from nsreason.executors.compiler import PLAIN
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene, members
from nsreason.scenes.world import World as AnyWorld

Record = dict[str, Any]
ANSWERS: tuple[Kind, ...] = (OBJECTS, OBJECT, WORD, NUMBER, TRUTH)


# --- domains ---


def random_domain(rng: Random, attributes: int, relations: int) -> Domain:
    """A domain of 1-6 values per attribute; relations come with an inverse, as their own inverse, or with
    none.
    """
    entries = {
        f"attribute{a}": AttributeEntry({f"value{a}-{v}": ValueEntry() for v in range(rng.randint(1, 6))})
        for a in range(attributes)
    }
    relation_entries: dict[str, RelationEntry] = {}
    while len(relation_entries) < relations:
        name = f"relation{len(relation_entries)}"
        turned = f"relation{len(relation_entries) + 1}"
        form = rng.choice(["pair", "one_direction", "symmetric", "plain", "plain_direction"])
        if form in ("pair", "one_direction") and len(relation_entries) + 2 <= relations:
            relation_entries[name] = RelationEntry((name,), inverse=turned, direction=name)
            relation_entries[turned] = RelationEntry(
                (turned,), inverse=name, direction=turned if form == "pair" else None
            )
        elif form == "symmetric":
            relation_entries[name] = RelationEntry((name,), inverse=name)
        else:
            relation_entries[name] = RelationEntry((name,), direction=name if form == "plain_direction" else None)
    return Domain(
        DomainFile(f"random{rng.randrange(1000)}", entries, relations=relation_entries, eps=rng.choice([0.0, 0.2, 1.0]))
    )


@st.composite
def domains(draw: st.DrawFn) -> Domain:
    """Domains of 1-5 attributes and 0-4 relations."""
    attributes, relations = draw(st.integers(1, 5)), draw(st.integers(0, 4))
    return random_domain(Random(draw(st.integers(0, 2**32))), attributes, relations)


# --- scenes ---


def random_record(rng: Random, domain: Domain, n: int) -> Record:
    """A scene of `n` objects. Relations are listed, or left to coordinates and directions where those can
    give them.
    """
    objects: list[dict[str, Any]] = []
    for _ in range(n):
        values = {a: rng.choice(domain.values(a)) for a in domain.attributes}
        objects.append(values | {"3d_coords": [rng.uniform(-3, 3) for _ in range(3)]})
    record: Record = {
        "objects": objects,
        "relationships": {},
        "directions": {},
        "image_index": rng.randrange(10**6),
    }
    for name, entry in domain.file.relations.items():
        turned = entry.inverse
        by_inverse = turned in record["relationships"] or (turned in record["directions"] and turned != name)
        if by_inverse and rng.random() < 0.5:
            continue
        if turned in record["relationships"]:
            record["relationships"][name] = _turned(record["relationships"][turned])
        elif turned in record["directions"]:
            if entry.direction is not None:  # else a list could contradict the coordinates
                record["directions"][name] = [-x for x in record["directions"][turned]]
        elif entry.direction is not None and rng.random() < 0.5:
            record["directions"][name] = _unit(rng)
        else:
            density = rng.choice([0.1, 0.5, 0.9])
            rows = [[j for j in range(n) if j != i and rng.random() < density] for i in range(n)]
            if turned == name:
                rows = [[j for j in range(n) if j in rows[i] or i in rows[j]] for i in range(n)]
            record["relationships"][name] = rows
    return record


def _turned(rows: list[list[int]]) -> list[list[int]]:
    return [[j for j, row in enumerate(rows) if i in row] for i in range(len(rows))]


def _unit(rng: Random) -> list[float]:
    angle = rng.uniform(0, 2 * math.pi)
    return [math.cos(angle), math.sin(angle), 0.0]


@st.composite
def records(draw: st.DrawFn, domain: Domain, *, max_objects: int = 10) -> Record:
    """Scene records, the empty scene and the single object among them."""
    return random_record(Random(draw(st.integers(0, 2**32))), domain, draw(st.integers(0, max_objects)))


def scenes(domain: Domain, *, max_objects: int = 10) -> st.SearchStrategy[Scene]:
    """Scenes of a domain."""
    return records(domain, max_objects=max_objects).map(lambda record: Scene.from_dict(record, domain))


# --- programs ---


class _Grower:
    """Grows one program from its answer down. With a world, it runs the calls as they come, and narrows the
    set before an op that wants a single member: by filters of one object's values, or by another try.
    """

    def __init__(self, rng: Random, domain: Domain, world: AnyWorld | None) -> None:
        self.rng, self.domain, self.world = rng, domain, world
        self.scene = world if isinstance(world, Scene) else None
        self.view = BitView(tables_of(world)) if world is not None else None
        self.attributes = domain.names(ATTRIBUTE)
        self.calls: list[Call] = []
        self.kinds: list[tuple[Kind, str | None]] = []
        self.values: list[int | None] = []  # None: the call has no value on the world, or there is no world
        # What repeats a value is defined of attributes of one value only.
        self.single = [a for a in self.attributes if domain.attribute_index[a] not in domain.open_attributes]
        admitted = frozenset(domain.ops)
        self.ops = [
            op
            for op in OPS.values()
            if op.name in admitted and self._has_literals(op) and (op.name != "distinct" or self.single)
        ]
        self.cost = self._costs()
        self.broken = False

    def _has_literals(self, op: Op) -> bool:
        return bool(self.domain.relations) or all(p.kind is not RELATION for p in op.literals)

    def _costs(self) -> dict[Kind, int]:
        """The least number of calls that make a value of each kind."""
        cost: dict[Kind, int] = {}
        for _ in range(len(OPS)):
            for op in self.ops:
                if all(p.kind in cost for p in op.inputs):
                    total = 1 + sum(cost[p.kind] for p in op.inputs)
                    cost[op.result] = min(total, cost.get(op.result, total))
        return cost

    def _price(self, op: Op) -> int:
        return 1 + sum(self.cost[p.kind] for p in op.inputs)

    def grow(self, kind: Kind, budget: int, unit: str | None = None) -> int:
        """Add calls that end in a value of the kind (of the attribute, for a word); return the index of the
        last.
        """
        rng = self.rng
        known = [
            i
            for i, ending in enumerate(self.kinds)
            if ending == (kind, unit) or (ending[0] is kind and kind is not WORD)
        ]
        if known and rng.random() < 0.2:
            return rng.choice(known)
        makers = [op for op in self.ops if op.result is kind and all(p.kind in self.cost for p in op.inputs)]
        if unit is not None:
            makers = [op for op in makers if any(p.kind is ATTRIBUTE for p in op.literals)]
        within = [op for op in makers if self._price(op) <= budget]
        # Ops without inputs end a branch; taken as often as others they would make most programs tiny.
        longer = [op for op in within if op.inputs]
        branches = longer if longer and rng.random() < 0.9 else within
        op = rng.choice(branches) if branches else min(makers, key=self._price)
        if op.name == "distinct" and unit not in self.single:
            unit = rng.choice(self.single)
        literals = tuple(self._literal(p.kind, unit) for p in op.literals)
        spare = max(0, budget - self._price(op))
        inputs = []
        units = rng.choice(self.attributes)  # two words of one call are values of one attribute
        for left, param in zip(reversed(range(len(op.inputs))), op.inputs, strict=True):
            share = rng.randint(0, spare) if left else spare
            spare -= share
            of = units if param.kind is WORD else None
            wants = self.cost[param.kind] + share
            if param.kind.shape == "set" and op.result.shape == "one":
                inputs.append(self._single(param.kind, wants))
            else:
                inputs.append(self.grow(param.kind, wants, of))
        return self.add(op, literals, tuple(inputs), unit)

    def add(self, op: Op, literals: tuple[str, ...], inputs: tuple[int, ...], unit: str | None = None) -> int:
        """Add one call, and its value on the scene."""
        value = None
        given = [self.values[i] for i in inputs]
        if self.world is not None and None not in given:
            step = self.domain.step(op.name, literals)
            try:
                value = op.apply(PLAIN, self.view, step.encoded, tuple(given))  # type: ignore[arg-type]
            except (Ambiguous, NsreasonError):
                value = None
        self.calls.append(Call(op.name, literals, inputs))
        attribute = next((n for p, n in zip(op.literals, literals, strict=True) if p.kind is ATTRIBUTE), None)
        self.kinds.append((op.result, attribute if op.result is WORD else None))
        self.values.append(value)
        return len(self.calls) - 1

    def _single(self, kind: Kind, budget: int) -> int:
        """A set that has one member, if the world has one to offer; else any set."""
        if self.world is None or (kind is OBJECTS and self.broken) or not self.world.size(kind.sort or "object"):
            return self.grow(kind, budget)
        start = len(self.calls)
        for _ in range(4):
            node = self.grow(kind, budget)
            if kind is OBJECTS:
                node = self._narrowed(node)
            if (self.values[node] or 0).bit_count() == 1:
                return node
            del self.calls[start:], self.kinds[start:], self.values[start:]
        if kind is OBJECTS and "scene" in self.domain.ops:
            node = self._narrowed(self.add(OPS["scene"], (), ()))
            if (self.values[node] or 0).bit_count() != 1:
                self.broken = True  # alike objects only: nothing would help, so waste no more time on it
            return node
        return self.grow(kind, budget)

    def _narrowed(self, node: int) -> int:
        """Filters behind a set that tell the easiest of its members from the others, as far as values can."""
        value = self.values[node]
        scene = self.scene
        if scene is None or value is None or value.bit_count() < 2 or "filter" not in self.domain.ops:
            return node
        several = members(value)[:20]
        target = min(self.rng.sample(several, len(several)), key=lambda i: self._alike(value, i).bit_count())
        for attribute in self.rng.sample(self.domain.attributes, len(self.domain.attributes)):
            for concept in scene.values_of(target, attribute):
                having = scene.concepts[self.domain.concept_index[concept]]
                now = self.values[node]
                assert now is not None
                if now & having != now:
                    node = self.add(OPS["filter"], (concept,), (node,))
            if (self.values[node] or 0).bit_count() == 1:
                break
        return node

    def _alike(self, value: int, i: int) -> int:
        assert self.scene is not None
        for attribute in self.domain.attributes:
            for concept in self.scene.values_of(i, attribute):
                value &= self.scene.concepts[self.domain.concept_index[concept]]
        return value

    def _names_in_scene(self, kind: Kind) -> list[str]:
        """Concepts that some object of the scene has, attributes of which some has a value, relations listed."""
        assert self.scene is not None
        if kind is CONCEPT:
            names: dict[str, None] = {}
            for attribute, entry in self.domain.file.attributes.items():
                waiting = [v for i in range(len(self.scene)) for v in self.scene.values_of(i, attribute)]
                while waiting:
                    value = waiting.pop()
                    if value not in names:
                        names[value] = None
                        waiting.extend(entry.values[value].isa)
            return list(names)
        if kind is ATTRIBUTE:
            return [
                a for a in self.domain.attributes if any(self.scene.values_of(i, a) for i in range(len(self.scene)))
            ]
        return list(self.scene._given) if kind is RELATION else []

    def _literal(self, kind: Kind, unit: str | None) -> str:
        rng, domain = self.rng, self.domain
        if kind is ATTRIBUTE and unit is not None:
            return unit
        if self.scene is not None and domain.file.closed and rng.random() < 0.8:
            # Of thousands of names nearly none is in a scene: programs that name one of these would all be empty.
            there = self._names_in_scene(kind)
            if there:
                return rng.choice(there)
        if kind is not INTEGER:
            return rng.choice(domain.names(kind))
        return str(rng.choice([0, 1, 2, 3, 10, 999_999_999]))


def random_program(
    rng: Random, domain: Domain, *, kind: Kind | None = None, max_calls: int = 20, scene: AnyWorld | None = None
) -> Program:
    """A well-typed program with shared calls; with a world, one that mostly has an answer there.

    `max_calls` is what the growth aims at; the filters that narrow a set may go beyond it.
    """
    grower = _Grower(rng, domain, scene)
    # Half the ops make truths, and few of them stand inside other calls: draw them more often as answers.
    kinds = [k for k in (*ANSWERS, TRUTH, TRUTH, TRUTH) if k in grower.cost]
    kinds += [k for k in grower.cost if k not in ANSWERS]
    grower.grow(kind or rng.choice(kinds), rng.randint(1, max_calls))
    return Program(grower.calls, domain)


@st.composite
def programs(draw: st.DrawFn, domain: Domain, *, kind: Kind | None = None, max_calls: int = 20) -> Program:
    """Well-typed programs drawn without regard to a scene: on most scenes `unique` ends many of them."""
    rng = Random(draw(st.integers(0, 2**32)))
    return random_program(rng, domain, kind=kind, max_calls=draw(st.integers(1, max_calls)))


@st.composite
def programs_for(draw: st.DrawFn, scene: Scene, *, kind: Kind | None = None, max_calls: int = 20) -> Program:
    """Well-typed programs, most of which have an answer on the scene."""
    rng = Random(draw(st.integers(0, 2**32)))
    most = draw(st.integers(1, max_calls))
    return random_program(rng, scene.domain, kind=kind, max_calls=most, scene=scene)


@dataclass(frozen=True)
class World:
    """A scene twice: as plain data, and as nsreason read it."""

    record: Record
    scene: Scene

    @property
    def domain(self) -> Domain:
        """The scene's domain."""
        return self.scene.domain

    def __repr__(self) -> str:
        return f"World({self.domain.file!r}, {self.record!r})"


def random_world(rng: Random, domain: Domain, n: int) -> World:
    """A scene of n objects with its record."""
    record = random_record(rng, domain, n)
    return World(record, Scene.from_dict(record, domain))


@st.composite
def worlds(draw: st.DrawFn, *, max_objects: int = 10) -> World:
    """A scene of a random domain, with its record."""
    domain = draw(domains())
    record = draw(records(domain, max_objects=max_objects))
    return World(record, Scene.from_dict(record, domain))
