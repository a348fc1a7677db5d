"""Scene graphs with an open vocabulary: 2,000 names, 600 attributes, 300 relations; a scene has a few of each."""

from __future__ import annotations

import functools
from random import Random
from typing import Any

from nsreason.dsl.domain import Domain
from nsreason.dsl.vocabulary import Vocabulary
from nsreason.scenes.scene import Scene
from tests.support.strategies import World

NAMES, CATEGORIES, VALUES, RELATIONS = 2000, 30, 20, 300


@functools.cache
def graph_domain(names: int = NAMES) -> Domain:
    """A closed domain: each object has one name, and any number of attributes of each category."""
    isa = {f"name {i}": [f"kind {i % 40}"] for i in range(names)}
    isa |= {f"kind {i}": ["living thing" if i % 2 else "artefact"] for i in range(40)}
    return Vocabulary.from_counts(
        {f"name {i}": names - i for i in range(names)},
        {f"category {c}": {f"value {c} {v}": v for v in range(VALUES)} for c in range(CATEGORIES)},
        {f"relation {i}": i for i in range(RELATIONS)},
        isa=isa,
        answers={"name 0": "zero"},
        inverses={"relation 0": "relation 1", "relation 2": "relation 2"},
        least=0,
        domain="scene graphs",
    )


def random_graph(rng: Random, domain: Domain, n: int) -> dict[str, Any]:
    """A scene record of `n` objects: few names, some of them above others, and 0 to 3 values of some attributes."""
    names = rng.sample(domain.values("name"), 6)
    entries = domain.file.attributes["name"].values
    names += [higher for name in names[:4] for higher in entries[name].isa]
    objects: list[dict[str, Any]] = []
    for _ in range(n):
        thing: dict[str, Any] = {"name": rng.choice(names)}
        for attribute in rng.sample(domain.attributes[:6], rng.randint(0, 4)):
            values = rng.sample(domain.values(attribute)[:4], rng.randint(0, 3))
            thing[attribute] = values[0] if len(values) == 1 and rng.random() < 0.5 else values
        objects.append(thing)
    stated: dict[str, list[list[int]]] = {}
    for relation in ("relation-0", *rng.sample([r for r in domain.relations if domain.inverse(r) is None], 5)):
        stated[relation] = [[j for j in range(n) if j != i and rng.random() < 0.2] for i in range(n)]
    return {"objects": objects, "relationships": stated}


def random_graph_world(rng: Random, n: int, domain: Domain | None = None) -> World:
    """A scene graph with its record."""
    domain = domain or graph_domain()
    record = random_graph(rng, domain, n)
    return World(record, Scene.from_dict(record, domain))
