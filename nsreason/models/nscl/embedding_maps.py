"""A concept learner's embedding looked at: nearest values, weights of the spaces, and maps of each space.

A map shows an attribute's space in two dimensions: its concepts' vectors and, where scenes are given, the objects.
Vectors that are apart in many dimensions cannot be so in two: the concepts therefore stand on a circle, like ones
beside each other, and an object lies between them by its cosines to them (a radial map). Objects of one value far from
its concept, or among another's, are those that are mistaken for it.

How much a concept *belongs* to a space is a weight in a sum over spaces, and says little of where the concept is
decided: see `deciding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...scenes.scene import Scene
from .examples import SceneInput
from .learner import ConceptLearner

MOST = 400  # objects in a map
SHARP = 0.4  # of the softmax over an object's cosines: low enough to see how sure, high enough to see of what


@dataclass(frozen=True)
class MapPoint:
    """A concept's vector, or an object (`value` is its own), at x and y from -1 to 1."""

    value: str
    x: float
    y: float
    concept: bool


@dataclass(frozen=True)
class EmbeddingMap:
    """One attribute's space in two dimensions, concepts first."""

    attribute: str
    points: tuple[MapPoint, ...]


@torch.no_grad()
def cosines(learner: ConceptLearner) -> dict[str, Tensor]:
    """Per attribute, the cosines (V, V) between its values' vectors in its own space."""
    units = learner.perception.embeddings.concepts.units().cpu()
    tables, first = {}, 0
    for number, attribute in enumerate(learner.domain.attributes):
        size = len(learner.domain.values(attribute))
        mine = units[number, first : first + size]
        tables[attribute] = mine @ mine.T
        first += size
    return tables


def nearest(learner: ConceptLearner) -> dict[str, tuple[str, float]]:
    """For each concept the nearest other value of its attribute, and the cosine; not for a sole value."""
    pairs = {}
    for attribute, table in cosines(learner).items():
        values = learner.domain.values(attribute)
        for i, value in enumerate(values):
            others = [(float(table[i, j]), other) for j, other in enumerate(values) if j != i]
            if others:
                cosine, other = max(others)
                pairs[value] = other, cosine
    return pairs


@torch.no_grad()
def belonging(learner: ConceptLearner) -> dict[str, dict[str, float]]:
    """For each concept how much it belongs to each space; they add up to 1."""
    spaces = learner.perception.embeddings.concepts
    weights = spaces.log_belong().exp().squeeze(1).T.tolist()  # (C, P)
    names = [*learner.domain.attributes, OTHERS]
    return {c: dict(zip(names, row, strict=False)) for c, row in zip(learner.domain.concepts, weights, strict=True)}


OTHERS = "others"  # the space that is of no attribute, after those of the attributes


@dataclass(frozen=True)
class Objects:
    """M objects as a learner sees them, at most `MOST`.

    places: (P, M, H) in each space. values: per object, its value of each attribute, as annotated.
    """

    places: Tensor
    values: list[list[str]]

    def __len__(self) -> int:
        return len(self.values)


@torch.no_grad()
def objects_of(learner: ConceptLearner, seen: Sequence[tuple[SceneInput, Scene]]) -> Objects | None:
    """The first objects of what a learner sees of scenes, described or in images; None where there is no object.

    Args:
        seen: each with its scene, whose objects are the same, in the same order.

    Raises:
        DataError: the learner sees something else.
    """
    kept: list[tuple[SceneInput, Scene]] = []
    count = 0
    for described, scene in seen:
        if count + len(scene) > MOST:
            break
        kept.append((described, scene))
        count += len(scene)
    if not count:
        return None
    rows, present = learner.batch_inputs([described for described, _ in kept])
    device = next(learner.parameters()).device
    perception = learner.perception
    features, _ = perception.features(rows.to(device))
    places = perception.embeddings.concepts.places(features.flatten(0, 1))  # (P, S*N, H)
    attributes = learner.domain.attributes
    values = [[s.value(i, a) for a in attributes] for _, s in kept for i in range(len(s))]
    return Objects(places[:, present.flatten().to(device)].cpu(), values)


@torch.no_grad()
def deciding(learner: ConceptLearner, objects: Objects) -> dict[str, dict[str, float]]:
    """For each concept that objects have, the share of each space in its score there; they add up to 1.

    A score is a sum over spaces of belong * exp((cosine - margin) / temperature). Weights differ by a factor of a few,
    exponentials by hundreds: a space in which all cosines are low decides nothing, however much belongs to it. Weight
    collects in `others` while learning, for a question of one attribute is answered by the words of its own space: to
    belong to the space of another attribute costs there, to belong to `others`, which no question asks of, does not.
    """
    spaces = learner.perception.embeddings.concepts
    device = next(learner.parameters()).device
    terms, _ = spaces.terms(spaces.cosines(objects.places.to(device)))  # (P, M, C)
    shares = terms.softmax(dim=0).cpu()
    names = [*learner.domain.attributes, OTHERS]
    decided = {}
    for number, attribute in enumerate(learner.domain.attributes):
        for concept in learner.domain.values(attribute):
            has = torch.tensor([values[number] == concept for values in objects.values])
            if bool(has.any()):
                mine = shares[:, has, learner.domain.concept_index[concept]].mean(dim=1).tolist()
                decided[concept] = dict(zip(names, mine, strict=False))
    return decided


@torch.no_grad()
def maps(learner: ConceptLearner, objects: Objects | None = None) -> list[EmbeddingMap]:
    """A map for each attribute, with objects."""
    units, first, every = learner.perception.embeddings.concepts.units().cpu(), 0, []
    for number, attribute in enumerate(learner.domain.attributes):
        names = learner.domain.values(attribute)
        vectors = units[number, first : first + len(names)]
        first += len(names)
        anchors = _circle(vectors)  # (V, 2)
        flat, values = anchors, list(names)
        if objects is not None:
            weights = torch.softmax(objects.places[number] @ vectors.T / SHARP, dim=-1)
            flat = torch.cat([anchors, weights @ anchors])
            values += [v[number] for v in objects.values]
        pairs = zip(values, flat.tolist(), strict=True)
        points = [MapPoint(v, x, y, i < len(names)) for i, (v, (x, y)) in enumerate(pairs)]
        every.append(EmbeddingMap(attribute, tuple(points)))
    return every


def _circle(vectors: Tensor) -> Tensor:
    """(V, 2) places on a circle, each concept followed by the one most like it that has no place yet."""
    likeness = vectors @ vectors.T
    order = [0]
    while len(order) < len(vectors):
        rest = [i for i in range(len(vectors)) if i not in order]
        order.append(max(rest, key=lambda i: float(likeness[order[-1], i])))
    angle = torch.zeros(len(vectors))
    angle[torch.tensor(order)] = torch.arange(len(vectors)) * (2 * torch.pi / len(vectors))
    return torch.stack([-angle.cos(), angle.sin()], dim=-1)
