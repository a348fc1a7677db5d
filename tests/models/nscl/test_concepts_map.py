"""Maps of concepts: no name over another, whatever a map holds; and the page around them."""

from __future__ import annotations

import io
import re
from itertools import combinations
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nsreason.models.nscl import concepts_map
from nsreason.models.nscl.concepts_map import DOT, ROW, Box, layout, to_png, to_svg
from nsreason.models.nscl.concepts_page import Knowledge, page
from nsreason.models.nscl.embedding_maps import (
    EmbeddingMap,
    MapPoint,
    Objects,
    belonging,
    deciding,
    maps,
    nearest,
    objects_of,
)
from nsreason.models.nscl.examples import Described, describe_scenes
from nsreason.models.nscl.learner import ConceptLearner, ConceptLearnerConfig
from nsreason.models.nscl.probes import probe
from nsreason.scenes.scene import Scene
from tests.support.stylesheets import contrast, themes


def circle(names: list[str], rng: Random | None = None) -> EmbeddingMap:
    """Concepts on a circle, or anywhere on it."""
    turns = [k / len(names) if rng is None else rng.random() for k in range(len(names))]
    places = [torch.tensor(2 * torch.pi * t) for t in turns]
    points = [MapPoint(n, -float(a.cos()), float(a.sin()), True) for n, a in zip(names, places, strict=True)]
    return EmbeddingMap("color", tuple(points))


def check(map_: EmbeddingMap) -> None:
    drawing = layout(map_)
    boxes = [name.box for name in drawing.names]
    for a, b in combinations(boxes, 2):
        assert not a.meets(b)
    for p, (x, y) in zip(map_.points, drawing.dots, strict=True):
        if p.concept:
            assert not any(b.meets(Box(x - DOT, y - DOT, x + DOT, y + DOT)) for b in boxes)
    for box in boxes:
        assert box.left >= 0 and box.right <= drawing.width and box.top >= 0 and box.bottom <= drawing.height


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 12, 13, 20, 40, 90])
@pytest.mark.parametrize("length", [1, 6, 40])
def test_no_name_stands_over_another(n: int, length: int) -> None:
    check(circle([f"{k:0{length}d}" for k in range(n)]))


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=40), st.integers(0, 2**32))
def test_no_name_stands_over_another_wherever_concepts_are(names: list[str], seed: int) -> None:
    """Even concepts in one place; a learner that has learned nothing may have such."""
    rng = Random(seed)
    check(circle(names, rng))
    check(EmbeddingMap("size", tuple(MapPoint(n, 1.0, 0.0, True) for n in names)))


def test_the_letters_are_no_wider_than_thought() -> None:
    """What a name is thought to cover, against a font: of letters as words have them."""
    from PIL import ImageFont

    face = ImageFont.load_default(size=concepts_map.SIZE)
    for text in ("large", "cylinder", "brown", "purple", "yellow", "rubber", "aquamarine", "left of", "steel cup"):
        assert face.getlength(text) <= len(text) * concepts_map.LETTER
    assert concepts_map.SIZE < ROW


def test_a_map_is_drawn_with_what_it_shows() -> None:
    points = (MapPoint("red", 1, 0, True), MapPoint("<b>", -1, 0, True), MapPoint("red", 0.5, 0.1, False))
    svg = to_svg(EmbeddingMap("color", points))
    assert svg.count("<circle") == 4 and "&lt;b&gt;</text>" in svg and "<b>" not in svg
    image = Image.open(io.BytesIO(to_png([EmbeddingMap("color", points), circle(["a", "b", "c"])])))
    assert image.width > 2 * 2 * concepts_map.RADIUS and len(image.getcolors(1 << 20) or ()) > 10


def test_what_is_drawn_can_be_told_from_its_ground() -> None:
    """Names, the edges of dots and lines to them, by day and by night."""
    for colours in themes():
        for ink in ("ink", "soft"):
            assert contrast(colours[ink], colours["card"]) >= 4.5
            assert contrast(colours[ink], colours["page"]) >= 4.5
        assert contrast(colours["mark"], colours["card"]) >= 3
    for css in (".map .concept{stroke:var(--ink", ".map .object{fill-opacity:.75;stroke:var(--soft", "fill:var(--ink"):
        assert css in concepts_map.STYLE


# --- a learner ----------------------------------------------------------------------------------------------


def of_values(*rows: tuple[str, str, str, str]) -> Scene:
    names = "size", "color", "material", "shape"
    objects = [
        dict(zip(names, row, strict=True)) | {"3d_coords": [float(i), 0.5 * i, 0.0]} for i, row in enumerate(rows)
    ]
    directions = {"left": [-1, 0, 0], "right": [1, 0, 0], "front": [0, -1, 0], "behind": [0, 1, 0]}
    return Scene.of("clevr", objects, directions=directions)


SCENE = of_values(("large", "red", "metal", "cube"), ("small", "blue", "rubber", "sphere"))


def knowledge(learner: ConceptLearner, objects: Objects | None) -> Knowledge:
    probes = None if objects is None else probe(learner.ground_scenes([SCENE]), [SCENE])
    shares = {} if objects is None else deciding(learner, objects)
    drawn, near, weights = maps(learner, objects), nearest(learner), belonging(learner)
    return Knowledge(learner.domain, drawn, near, weights, shares, probes, {"checkpoint": "<run>/best.safetensors"})


def test_a_concept_is_decided_where_its_objects_lie_near_it() -> None:
    """The share of a space in the score, worked out by hand: not the weight, which here is almost all of `others`."""
    torch.manual_seed(0)
    learner = ConceptLearner(ConceptLearnerConfig())
    spaces = learner.perception.embeddings.concepts
    red = learner.domain.concept_index["red"]
    color = learner.domain.attribute_index["color"]
    with torch.no_grad():
        spaces.belong.zero_()
        spaces.belong[red, -1] = 3.0
    seen = objects_of(learner, [(d, SCENE) for d in describe_scenes([SCENE], learner.config.state)])
    assert seen is not None and len(seen) == 2 and seen.values[0][color] == "red"
    with torch.no_grad():
        spaces.vectors[:, red] = -seen.places[:, 0]
        spaces.vectors[color, red] = seen.places[color, 0]
    shares = deciding(learner, seen)
    assert set(shares) == {"large", "small", "red", "blue", "metal", "rubber", "cube", "sphere"}
    weights = belonging(learner)["red"]
    assert max(weights, key=lambda s: weights[s]) == "others"
    scores = {s: w * float(torch.tensor((1 if s == "color" else -1) / 0.2125).exp()) for s, w in weights.items()}
    for space, share in shares["red"].items():
        assert share == pytest.approx(scores[space] / sum(scores.values()), rel=1e-3)
    known = knowledge(learner, seen)
    assert known.decided("red") == ("color", pytest.approx(shares["red"]["color"])) and known.decided("gray") is None


def test_the_page_has_a_title_the_style_of_the_others_and_says_what_weights_are() -> None:
    torch.manual_seed(0)
    learner = ConceptLearner(ConceptLearnerConfig())
    seen = objects_of(learner, [(d, SCENE) for d in describe_scenes([SCENE], learner.config.state)])
    for objects in (None, seen):
        html = page(knowledge(learner, objects))
        assert "<title>Concepts of clevr</title>" in html and "<h1>Concepts of clevr</h1>" in html
        assert "{{" not in html and "{%" not in html and "<run>" not in html
        assert "&lt;run&gt;/best.safetensors" in html
        assert "prefers-color-scheme: dark" in html and "http" not in html.replace("http-equiv", "")
        assert "weight collects there" in html and html.count('<svg class="map"') == 4
        assert ("decided in" in html) is (objects is not None)
        rows = re.findall(r'<span class="label">(\w+)</span></th><td class="words">(\w+)</td>', html)
        assert dict(rows) == {c: learner.domain.attribute_of[c] for c in learner.domain.concepts}


def test_no_objects_no_dots() -> None:
    learner = ConceptLearner(ConceptLearnerConfig())
    assert objects_of(learner, []) is None
    assert all(p.concept for m in maps(learner) for p in m.points)
    many = [(Described(SCENE, torch.zeros(2, 13)), SCENE)] * 300
    objects = objects_of(learner, many)
    assert objects is not None and len(objects) == 400
