"""Maps of a concept learner's spaces as SVG and PNG: concepts on a circle, each named where no other name stands.

Lengths are pixels of a map, x to the right and y down. Names stand beside their concepts, outside the circle; where
that would set one over another, or over a concept, they stand in two columns with lines to their concepts.
"""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from .embedding_maps import EmbeddingMap, MapPoint

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

RADIUS, DOT, SMALL = 120.0, 7.0, 2.5  # of the circle, of a concept, of an object
SIZE, LETTER, ROW = 13.0, 8.4, 17.0  # of a name: its font, a letter's width at most, a line's height
LONGEST = 26  # letters of a name
TITLE = 30.0  # above a map in a PNG
_LOBE = 0.05  # of the circle: how far objects of two values are spread across the line on which they lie

STYLE = (
    ".maps{display:grid;gap:22px}@media(min-width:760px){.maps{grid-template-columns:repeat(2,minmax(0,1fr))}}"
    ".map{display:block;width:100%;height:auto;max-height:380px;margin-top:8px}"
    ".map text{font:13px system-ui,-apple-system,'Segoe UI','Helvetica Neue','Noto Sans','DejaVu Sans',sans-serif;"
    "fill:var(--ink,#1d2125)}"
    ".map .round{fill:none;stroke:var(--line,#dcdad2)}.map .lead{fill:none;stroke:var(--soft,#596068);stroke-width:1}"
    ".map .concept{stroke:var(--ink,#1d2125);stroke-width:1.4}"
    ".map .object{fill-opacity:.75;stroke:var(--soft,#596068);stroke-width:.6}"
)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True, slots=True)
class Name:
    """A concept's name: where its text begins (or ends), half way up; `lead` says that a line leads to its concept."""

    text: str
    x: float
    y: float
    anchor: Literal["start", "end"]
    lead: bool

    @property
    def box(self) -> Box:
        """What the text covers, at the most."""
        wide = len(self.text) * LETTER
        left = self.x if self.anchor == "start" else self.x - wide
        return Box(left, self.y - ROW / 2 + 1, left + wide, self.y + ROW / 2 - 1)


@dataclass(frozen=True, slots=True)
class Layout:
    """A map with everything in its place: the dots of its points, in their order, and the names of its concepts."""

    width: float
    height: float
    dots: tuple[tuple[float, float], ...]
    names: tuple[Name, ...]


def layout(map_: EmbeddingMap) -> Layout:
    """Where everything of a map stands."""
    concepts = [p for p in map_.points if p.concept]
    texts = [c.value if len(c.value) <= LONGEST else c.value[: LONGEST - 1] + "…" for c in concepts]
    longest = max((len(t) for t in texts), default=0) * LETTER
    sides = [p.x >= 0 for p in concepts]
    most = max(sum(sides), len(sides) - sum(sides), 1)
    beside = RADIUS + DOT + 6 + longest + 4
    half = max(RADIUS + DOT + 6, most * ROW / 2 + 4)
    names = _beside(concepts, texts, beside, half)
    if _crossed(names, [_place(p, beside, half) for p in concepts]):
        beside += 26
        names = _columns(concepts, texts, beside, half)
    dots = [_place(p, beside, half) for p in map_.points]
    if len(concepts) <= 2:  # all lie on one line: spread so that many can be told from few
        turns = (k * 0.618034 % 1 for k in range(len(dots)))
        dots = [
            (x, y) if p.concept else (x, y + RADIUS * _LOBE * 2 * (t - 0.5))
            for p, (x, y), t in zip(map_.points, dots, turns, strict=True)
        ]
    return Layout(2 * beside, 2 * half, tuple(dots), tuple(names))


def _place(p: MapPoint, beside: float, half: float) -> tuple[float, float]:
    return beside + RADIUS * p.x, half - RADIUS * p.y


def _beside(concepts: Sequence[MapPoint], texts: Sequence[str], beside: float, half: float) -> list[Name]:
    names = []
    for p, text in zip(concepts, texts, strict=True):
        x, y = _place(p, beside, half)
        right = p.x >= 0
        names.append(Name(text, x + (DOT + 5) * (1 if right else -1), y, "start" if right else "end", False))
    return names


def _columns(concepts: Sequence[MapPoint], texts: Sequence[str], beside: float, half: float) -> list[Name]:
    """Names in a column on each side of the circle, in the order of their concepts from above."""
    names: dict[int, Name] = {}
    for right in (False, True):
        mine = sorted((k for k, p in enumerate(concepts) if (p.x >= 0) is right), key=lambda k: -concepts[k].y)
        wanted = [_place(concepts[k], beside, half)[1] for k in mine]
        x = beside + (RADIUS + DOT + 26) * (1 if right else -1)
        for k, y in zip(mine, _apart(wanted, ROW / 2 + 2, 2 * half - ROW / 2 - 2), strict=True):
            names[k] = Name(texts[k], x, y, "start" if right else "end", True)
    return [names[k] for k in range(len(concepts))]


def _apart(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Sorted places as near to the wanted ones as they can stand a row apart; there is room for all of them."""
    places: list[float] = []
    for y in wanted:
        places.append(max(y, top, places[-1] + ROW if places else top))
    limit = bottom
    for k in reversed(range(len(places))):
        places[k] = min(places[k], limit)
        limit = places[k] - ROW
    return places


def _crossed(names: Sequence[Name], dots: Sequence[tuple[float, float]]) -> bool:
    """Whether a name stands over another, or over a concept."""
    boxes = [name.box for name in names]
    marks = [Box(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in dots]
    return any(a.meets(b) for a, b in combinations(boxes, 2)) or any(a.meets(b) for a in boxes for b in marks)


def hues(map_: EmbeddingMap) -> dict[str, str]:
    """A colour for each value of a map: its name where that is the name of a colour, else one of a wheel."""
    from ...perception.features.state_descriptions import palette

    names = [p.value for p in map_.points if p.concept]
    known = palette()
    if all(n in known for n in names):
        return {n: "#{:02x}{:02x}{:02x}".format(*known[n]) for n in names}
    wheel = ("#1b6ca8", "#d1495b", "#2e933c", "#edae49", "#7b4fa3", "#00798c", "#8d5a2b", "#5c5c5c")
    return {n: wheel[i % len(wheel)] for i, n in enumerate(names)}


def to_svg(map_: EmbeddingMap) -> str:
    """A map as an SVG element, which takes its colours from `STYLE`."""
    hue, drawn = hues(map_), layout(map_)
    size = f"{drawn.width:.0f} {drawn.height:.0f}"
    middle = f'cx="{drawn.width / 2:.1f}" cy="{drawn.height / 2:.1f}" r="{RADIUS:g}"'
    parts = [
        f'<svg class="map" viewBox="0 0 {size}" role="img" aria-label="{html.escape(map_.attribute)}">',
        f'<circle class="round" {middle}/>',
    ]
    concepts = []
    for p, (x, y) in zip(map_.points, drawn.dots, strict=True):
        at = f'cx="{x:.1f}" cy="{y:.1f}" fill="{hue[p.value]}"'
        title = f"<title>{html.escape(p.value)}</title>"
        if p.concept:
            concepts.append((x, y, f'<circle class="concept" r="{DOT:g}" {at}>{title}</circle>'))
        else:
            parts.append(f'<circle class="object" r="{SMALL:g}" {at}>{title}</circle>')
    for (x, y, _), name in zip(concepts, drawn.names, strict=True):
        if name.lead:
            near = name.x - 4 if name.anchor == "start" else name.x + 4
            parts.append(f'<path class="lead" d="M{x:.1f} {y:.1f}L{near:.1f} {name.y:.1f}"/>')
    parts += [dot for _, _, dot in concepts]
    for name in drawn.names:
        at = f'x="{name.x:.1f}" y="{name.y + 4.5:.1f}" text-anchor="{name.anchor}"'
        parts.append(f"<text {at}>{html.escape(name.text)}</text>")
    return "".join([*parts, "</svg>"])


def to_png(maps: Sequence[EmbeddingMap]) -> bytes:
    """All maps side by side as a picture."""
    from PIL import Image, ImageDraw

    scale = 2
    layouts = [layout(m) for m in maps]
    high = max((each.height for each in layouts), default=RADIUS) + TITLE
    wide = max(1.0, sum(each.width for each in layouts))
    picture = Image.new("RGB", (round(wide * scale), round(high * scale)), "#fffefb")
    draw = ImageDraw.Draw(picture)
    left = 0.0
    for map_, each in zip(maps, layouts, strict=True):
        _paint(draw, map_, each, left, scale)
        left += each.width
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _paint(draw: ImageDraw, map_: EmbeddingMap, drawn: Layout, left: float, scale: int) -> None:
    hue = hues(map_)
    draw.text(((left + 12) * scale, 8 * scale), map_.attribute, fill="#596068", font_size=15 * scale)

    def at(x: float, y: float) -> tuple[float, float]:
        return (left + x) * scale, (TITLE + y) * scale

    for name, (x, y) in zip(drawn.names, drawn.dots, strict=False):
        if name.lead:
            near = name.x - 4 if name.anchor == "start" else name.x + 4
            draw.line([at(x, y), at(near, name.y)], fill="#596068", width=scale)
    for concept in (False, True):
        for p, (x, y) in zip(map_.points, drawn.dots, strict=True):
            if p.concept is concept:
                (u, v), r = at(x, y), (DOT if concept else SMALL) * scale
                edge, thick = ("#1d2125", scale) if concept else ("#596068", 1)
                draw.ellipse((u - r, v - r, u + r, v + r), fill=hue[p.value], outline=edge, width=thick)
    for name in drawn.names:
        anchor = "lm" if name.anchor == "start" else "rm"
        draw.text(at(name.x, name.y), name.text, fill="#1d2125", anchor=anchor, font_size=SIZE * scale)
