"""A concept learner's embedding looked at: nearest values, weights of the spaces, and maps of each space.

A map shows an attribute's space in two dimensions: its concepts' vectors and, where scenes are given, the objects.
Vectors that are apart in many dimensions cannot be so in two: the concepts therefore stand on a circle, like ones
beside each other, and an object lies between them by its cosines to them (a radial map). Objects of one value far from
its concept, or among another's, are those that are mistaken for it.
"""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .concept_data import describe_scenes
from .concept_learner import ConceptLearner, pad
from .scene import Scene

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

SIDE, EDGE = 360, 40  # pixels of a map and of its margin
MOST = 400  # objects in a map
SHARP = 0.4  # of the softmax over an object's cosines: low enough to see how sure, high enough to see of what


@dataclass(frozen=True)
class Point:
    """A concept's vector, or an object (`value` is its own), at x and y from -1 to 1."""

    value: str
    x: float
    y: float
    concept: bool


@dataclass(frozen=True)
class Map:
    """One attribute's space in two dimensions, concepts first."""

    attribute: str
    points: tuple[Point, ...]


@torch.no_grad()
def cosines(learner: ConceptLearner) -> dict[str, Tensor]:
    """Per attribute, the cosines (V, V) between its values' vectors in its own space."""
    units = learner.perception.embeddings.concepts.units().cpu()
    found, first = {}, 0
    for number, attribute in enumerate(learner.domain.attributes):
        size = len(learner.domain.values(attribute))
        mine = units[number, first : first + size]
        found[attribute] = mine @ mine.T
        first += size
    return found


def nearest(learner: ConceptLearner) -> dict[str, tuple[str, float]]:
    """For each concept the nearest other value of its attribute, and the cosine; not for a sole value."""
    found = {}
    for attribute, table in cosines(learner).items():
        values = learner.domain.values(attribute)
        for i, value in enumerate(values):
            others = [(float(table[i, j]), other) for j, other in enumerate(values) if j != i]
            if others:
                cosine, other = max(others)
                found[value] = other, cosine
    return found


@torch.no_grad()
def belonging(learner: ConceptLearner) -> dict[str, dict[str, float]]:
    """For each concept how much it belongs to each space; they add up to 1."""
    spaces = learner.perception.embeddings.concepts
    weights = spaces.log_belong().exp().squeeze(1).T.tolist()  # (C, P)
    names = [*learner.domain.attributes, "others"]
    return {c: dict(zip(names, row, strict=False)) for c, row in zip(learner.domain.concepts, weights, strict=True)}


@torch.no_grad()
def maps(learner: ConceptLearner, scenes: Sequence[Scene] = ()) -> list[Map]:
    """A map for each attribute, with the objects of the scenes (at most 400) if the learner knows scenes.

    Raises:
        SceneError: an object has no coordinates in the frame of the learner's descriptions.
    """
    spaces = learner.perception.embeddings.concepts
    places, values = _objects(learner, scenes)
    units, first, found = spaces.units().cpu(), 0, []
    for number, attribute in enumerate(learner.domain.attributes):
        names = learner.domain.values(attribute)
        vectors = units[number, first : first + len(names)]
        first += len(names)
        anchors = _circle(vectors)  # (V, 2)
        objects = places[number] if len(places) else vectors[:0]
        weights = torch.softmax(objects @ vectors.T / SHARP, dim=-1)
        flat = torch.cat([anchors, weights @ anchors]).tolist()
        told = [*names, *(v[number] for v in values)]
        points = [Point(v, x, y, i < len(names)) for i, (v, (x, y)) in enumerate(zip(told, flat, strict=True))]
        found.append(Map(attribute, tuple(points)))
    return found


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


def _objects(learner: ConceptLearner, scenes: Sequence[Scene]) -> tuple[Tensor, list[list[str]]]:
    """Places (A, M, H) of M objects, and their values [object][attribute]."""
    if learner.config.features != "state":
        return torch.zeros(0), []  # scenes say nothing to a learner that sees images
    kept, count = [], 0
    for s in scenes:
        if count + len(s) > MOST:
            break
        kept.append(s)
        count += len(s)
    if not count:
        return torch.zeros(0), []
    padded = pad(describe_scenes(kept, learner.config.state))
    perception = learner.perception
    device = next(learner.parameters()).device
    objects, _ = perception.features(padded.rows.to(device))
    places = perception.embeddings.concepts.places(objects.flatten(0, 1))  # (P, S*N, H)
    seen = places[:, padded.present.flatten().to(device)].cpu()
    return seen, [[s.value(i, a) for a in learner.domain.attributes] for s in kept for i in range(len(s))]


def hues(map_: Map) -> dict[str, str]:
    """A colour for each value of a map: its name where that is the name of a colour, else one of a wheel."""
    from .perception.state import palette

    names = [p.value for p in map_.points if p.concept]
    known = palette()
    if all(n in known for n in names):
        return {n: "#{:02x}{:02x}{:02x}".format(*known[n]) for n in names}
    wheel = ("#1b6ca8", "#d1495b", "#2e933c", "#edae49", "#7b4fa3", "#00798c", "#8d5a2b", "#5c5c5c")
    return {n: wheel[i % len(wheel)] for i, n in enumerate(names)}


def to_svg(map_: Map) -> str:
    """A map as SVG."""
    hue = hues(map_)
    parts = [f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{html.escape(map_.attribute)}">']
    for p in sorted(map_.points, key=lambda p: p.concept):
        x, y = _pixels(p)
        if not p.concept:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{hue[p.value]}" fill-opacity=".45"/>')
            continue
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{hue[p.value]}" stroke="#fff" stroke-width="2"/>')
        parts.append(f'<text x="{x:.1f}" y="{y - 11:.1f}" text-anchor="middle">{html.escape(p.value)}</text>')
    return "".join([*parts, "</svg>"])


def _pixels(p: Point) -> tuple[float, float]:
    half = SIDE / 2 - EDGE
    return SIDE / 2 + half * p.x, SIDE / 2 - half * p.y


def to_html(found: Sequence[Map], title: str) -> str:
    """All maps as one page that needs no network."""
    figures = "".join(f"<figure>{to_svg(m)}<figcaption>{html.escape(m.attribute)}</figcaption></figure>" for m in found)
    style = (
        "body{font:15px/1.4 system-ui,sans-serif;margin:2rem;color:#222;background:#fff}"
        "main{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1.5rem}"
        "figure{margin:0;border:1px solid #ddd;border-radius:6px}svg{width:100%}"
        "svg text{font:13px system-ui,sans-serif;fill:#222;paint-order:stroke;stroke:#fff;stroke-width:3px}"
        "figcaption{padding:.4rem .8rem;color:#555}"
    )
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{style}</style>'
    note = "Large dots are concepts, small ones objects in the value that they have, nearer to concepts more like them."
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{html.escape(title)}</h1>'
        f"<p>{note}</p><main>{figures}</main></body></html>\n"
    )


def to_png(found: Sequence[Map]) -> bytes:
    """All maps side by side as a picture."""
    from PIL import Image, ImageDraw

    scale = 2
    picture = Image.new("RGB", (SIDE * scale * max(1, len(found)), SIDE * scale), "white")
    draw = ImageDraw.Draw(picture)
    for column, map_ in enumerate(found):
        _paint(draw, map_, column * SIDE * scale, scale)
    held = io.BytesIO()
    picture.save(held, "PNG", optimize=True)
    return held.getvalue()


def _paint(draw: ImageDraw, map_: Map, left: int, scale: int) -> None:
    hue = hues(map_)
    draw.text((left + 10 * scale, 8 * scale), map_.attribute, fill="#555555", font_size=14 * scale)
    for p in sorted(map_.points, key=lambda p: p.concept):
        x, y = (v * scale for v in _pixels(p))
        r = (7 if p.concept else 2) * scale
        draw.ellipse((left + x - r, y - r, left + x + r, y + r), fill=hue[p.value], outline="white")
        if p.concept:
            at = (left + x, y - 10 * scale)
            draw.text(
                at, p.value, fill="#222222", anchor="mb", font_size=13 * scale, stroke_width=scale, stroke_fill="white"
            )
