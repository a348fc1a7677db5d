"""A drawing of a scene for the trace page: a plan, seen from above.

Nothing here knows a domain. An object takes its colour from the first of its values that is a CSS colour, its
radius from a word for a size, its form and its shine from words for solids and materials; every other object
is a disc that carries its name. Lengths are user units of the SVG, x to the right and y down.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..scenes.scene import Scene, Vector

WIDTH, HEIGHT, MARGIN = 600.0, 470.0, 56.0
_CROWD = 40  # more objects than this are drawn smaller, with thinner outlines and without names

# CSS's own red, green and blue glare: the usual words get quieter tones, other names stand for themselves.
_TONES = {
    "black": "#2b2d31",
    "blue": "#2f55c8",
    "brown": "#8a5629",
    "cyan": "#2cc3cb",
    "gray": "#7b8087",
    "green": "#22803a",
    "grey": "#7b8087",
    "orange": "#ec8a1c",
    "pink": "#f09bb4",
    "purple": "#8336b8",
    "red": "#c4302b",
    "white": "#f7f6f2",
    "yellow": "#f4d330",
}
_CSS_COLOURS = frozenset(
    """
    aliceblue antiquewhite aqua aquamarine azure beige bisque blanchedalmond blueviolet burlywood cadetblue
    chartreuse chocolate coral cornflowerblue cornsilk crimson darkblue darkcyan darkgoldenrod darkgray
    darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred darksalmon
    darkseagreen darkslateblue darkslategray darkslategrey darkturquoise darkviolet deeppink deepskyblue
    dimgray dimgrey dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod
    greenyellow honeydew hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen lemonchiffon
    lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey lightpink lightsalmon
    lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow lime limegreen linen
    magenta maroon mediumaquamarine mediumblue mediumorchid mediumpurple mediumseagreen mediumslateblue
    mediumspringgreen mediumturquoise mediumvioletred midnightblue mintcream mistyrose moccasin navajowhite
    navy oldlace olive olivedrab orangered orchid palegoldenrod palegreen paleturquoise palevioletred
    papayawhip peachpuff peru plum powderblue rebeccapurple rosybrown royalblue saddlebrown salmon sandybrown
    seagreen seashell sienna silver skyblue slateblue slategray slategrey snow springgreen steelblue tan teal
    thistle tomato turquoise violet wheat whitesmoke yellowgreen
        """.split()  # noqa: SIM905 - a hundred names read better as lines of text
)
_PLAIN = "#c3c5c1"
_SIZES = {"tiny": 0.6, "small": 0.7, "little": 0.7, "medium": 1.0, "big": 1.3, "large": 1.3, "huge": 1.6}
_FORMS = {
    "ball": "ball",
    "block": "block",
    "box": "block",
    "can": "drum",
    "cone": "cone",
    "cube": "block",
    "cylinder": "drum",
    "pyramid": "cone",
    "sphere": "ball",
    "tube": "drum",
}
_SHINY = frozenset({"aluminium", "brass", "chrome", "copper", "metal", "metallic", "shiny", "steel"})


@dataclass(frozen=True, slots=True)
class Appearance:
    """How one object is drawn; `form` is None for an object whose form no word tells."""

    colour: str
    size: float
    form: str | None
    shiny: bool


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an object stands in a drawing."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """An SVG and the place of each object in it; None for an object that the drawing does not show.

    Each object is a group `class="thing" data-object="3"`; an empty group `class="links"` is there for
    arrows.
    """

    svg: str
    spots: tuple[Spot | None, ...]
    note: str


def appearance(words: Sequence[str]) -> Appearance:
    """The look of an object from its values."""
    tone = next((w for w in words if w in _TONES or w in _CSS_COLOURS), None)
    form = next((_FORMS[w] for w in words if w in _FORMS), None)
    size = next((_SIZES[w] for w in words if w in _SIZES), 1.0)
    return Appearance(_PLAIN if tone is None else _TONES.get(tone, tone), size, form, not _SHINY.isdisjoint(words))


def plan(scene: Scene) -> Drawing:
    """The scene from above, as the camera stands: what is left is left, what is in front is at the bottom."""
    n = len(scene)
    appearances = [appearance(scene.describe(i).split(" ")) for i in range(n)]
    crowd = n > _CROWD
    unit = min(27.0, max(4.0, (0.15 if crowd else 0.2) * math.sqrt(WIDTH * HEIGHT / max(n, 1))))
    placed = from_above(scene)
    places = _in_rows(n) if placed is None else placed
    spots = [Spot(x, y, unit * appearance.size) for (x, y), appearance in zip(places, appearances, strict=True)]
    note = "Plan, seen from above." if placed is not None else "No coordinates: the objects in rows."
    parts = [_ground(scene, placed is not None)]
    back_to_front = sorted(range(n), key=lambda i: (spots[i].y, spots[i].x))
    parts += [_thing(i, spots[i], appearances[i], scene, n) for i in back_to_front]
    if not n:
        parts.append(f'<text class="nothing" x="{WIDTH / 2:g}" y="{HEIGHT / 2:g}">an empty scene</text>')
    name = "plan crowd" if crowd else "plan"
    svg = svg_element(WIDTH, HEIGHT, f"Plan of the scene, {n} objects", name, "".join(parts))
    return Drawing(svg, tuple(spots), note)


# --- places -------------------------------------------------------------------------------------------------


def from_above(scene: Scene) -> list[tuple[float, float]] | None:
    """Where the objects stand in the plan, or None when the scene does not say of each."""
    coords = [p.coords for p in scene.places if p.coords is not None]
    if len(coords) != len(scene):
        return None
    across = _axis(scene, "right", "left") or (1.0, 0.0, 0.0)
    towards = _axis(scene, "front", "behind") or (0.0, -1.0, 0.0)
    flat = [(_dot(c, across), _dot(c, towards)) for c in coords]
    if not flat:
        return []
    low = [min(axis) for axis in zip(*flat, strict=True)]
    high = [max(axis) for axis in zip(*flat, strict=True)]
    room = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    spans = [h - low_ for h, low_ in zip(high, low, strict=True)]
    if not all(map(math.isfinite, (*spans, *(h + low_ for h, low_ in zip(high, low, strict=True))))):
        return None
    # One scale for both axes keeps distances true; a scene in one spot has no scale.
    scale = min((r / s for r, s in zip(room, spans, strict=True) if s > 1e-9), default=1.0)
    middle = [(h + low_) / 2 for h, low_ in zip(high, low, strict=True)]
    return [(WIDTH / 2 + (x - middle[0]) * scale, HEIGHT / 2 + (y - middle[1]) * scale) for x, y in flat]


def _axis(scene: Scene, name: str, opposite: str) -> Vector | None:
    axis = scene.directions.get(name)
    if axis is not None:
        return axis
    turned = scene.directions.get(opposite)
    return None if turned is None else (-turned[0], -turned[1], -turned[2])


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _in_rows(n: int) -> list[tuple[float, float]]:
    columns = max(1, math.ceil(math.sqrt(n * WIDTH / HEIGHT)))
    rows = max(1, math.ceil(n / columns))
    across, down = (WIDTH - MARGIN) / columns, (HEIGHT - MARGIN) / rows
    left = top = MARGIN / 2
    return [(left + across * (i % columns + 0.5), top + down * (i // columns + 0.5)) for i in range(n)]


# --- drawing ------------------------------------------------------------------------------------------------

_RINGS = ("ring a", "ring b", "ring got", "ring bad")  # outlines: first input, second input, result, too many


def svg_element(width: float, height: float, label: str, name: str, inside: str) -> str:
    """A drawing as an SVG, with the empty group that arrows go to."""
    box = f'viewBox="0 0 {width:g} {height:g}"'
    role = f'role="img" aria-label="{html.escape(label)}"'
    return f'<svg class="{name}" {box} {role}>{inside}<g class="links"></g></svg>'


def _ground(scene: Scene, placed: bool) -> str:
    lines = "".join(f'<path d="M{x:g} 0V{HEIGHT:g}"/>' for x in range(50, int(WIDTH), 50)) + "".join(
        f'<path d="M0 {y:g}H{WIDTH:g}"/>' for y in range(35, int(HEIGHT), 50)
    )
    out = f'<g class="ground"><rect width="{WIDTH:g}" height="{HEIGHT:g}" rx="10"/>{lines}</g>'
    if placed and scene.directions:
        middle, right, low = WIDTH / 2, WIDTH - 12, HEIGHT - 11
        for word, opposite, x, y, turn in (
            ("behind", "front", middle, 20.0, ""),
            ("front", "behind", middle, low, ""),
            ("left", "right", 18.0, HEIGHT / 2, f' transform="rotate(-90 18 {HEIGHT / 2:g})"'),
            ("right", "left", right, HEIGHT / 2, f' transform="rotate(-90 {right:g} {HEIGHT / 2:g})"'),
        ):
            if word in scene.directions or opposite in scene.directions:
                out += f'<text class="side" x="{x:g}" y="{y:g}"{turn}>{word}</text>'
    return out


def _thing(i: int, spot: Spot, appearance: Appearance, scene: Scene, n: int) -> str:
    form = {"ball": _ball, "block": _block, "drum": _drum, "cone": _cone}.get(appearance.form or "", _disc)
    # A label stands on its object where there is room, below it where there is not.
    on = spot.radius >= 11
    size = 12.5 if on else 8.5
    low = spot.y + (4.5 if on else spot.radius + size)
    css = "index on" if on else "index"
    index = f'<text class="{css}" font-size="{size:g}" x="{spot.x:.1f}" y="{low:.1f}">{i}</text>'
    name = ""
    if appearance.form is None and n <= _CROWD and scene.domain.attributes:
        asks = scene.domain.file.asks or scene.domain.attributes[-1]
        low = spot.y + spot.radius * 1.12 + 26
        words = ", ".join(scene.values_of(i, asks))
        name = f'<text class="name" x="{spot.x:g}" y="{low:.1f}">{html.escape(words)}</text>'
    shine = "metal" if appearance.shiny else "matte"
    solid = f'<g class="solid" fill="{appearance.colour}">{_shadow(spot)}{form(spot, shine)}</g>'
    title = f"<title>{_title(i, scene)}</title>"
    rings = _rings(spot, min(4.0, 0.3 * spot.radius))
    return f'<g class="thing" data-object="{i}">{title}{rings}{solid}{index}{name}</g>'


def _title(i: int, scene: Scene) -> str:
    return html.escape(f"{i}: {scene.describe(i)}")


def _circle(spot: Spot, scale: float = 1.0, more: float = 0.0) -> str:
    return f'cx="{spot.x:.1f}" cy="{spot.y:.1f}" r="{spot.radius * scale + more:.1f}"'


def _rings(spot: Spot, gap: float) -> str:
    # Three distances, so that an object in both inputs and in the result shows all of them.
    distances = zip(_RINGS, (2, 3, 1, 1), strict=True)
    return "".join(f'<circle class="{css}" {_circle(spot, 1.12, gap * k)}/>' for css, k in distances)


def _shadow(spot: Spot) -> str:
    r = spot.radius
    at = f'cx="{spot.x:.1f}" cy="{spot.y + r * 0.8:.1f}" rx="{r * 0.95:.1f}" ry="{r * 0.32:.1f}"'
    return f'<ellipse class="shadow" {at}/>'


def _ball(spot: Spot, shine: str) -> str:
    at = _circle(spot, 0.95)
    return f'<circle {at}/><circle {at} fill="url(#ball-{shine})"/>'


def _disc(spot: Spot, shine: str) -> str:
    at = _circle(spot, 0.95)
    rim = f'<circle class="rim" {_circle(spot, 0.66)}/>'
    return f'<circle {at}/><circle {at} fill="url(#face-{shine})"/>{rim}'


def _block(spot: Spot, shine: str) -> str:
    x, y, r = spot.x, spot.y, spot.radius
    left, right, top, low, back = x - r * 0.88, x + r * 0.5, y - r * 0.45, y + r * 0.92, r * 0.38
    front = f"M{left:.1f} {top:.1f}H{right:.1f}V{low:.1f}H{left:.1f}Z"
    lid = f"M{left:.1f} {top:.1f}l{back:.1f} {-back:.1f}H{right + back:.1f}L{right:.1f} {top:.1f}Z"
    side = f"M{right:.1f} {top:.1f}l{back:.1f} {-back:.1f}V{low - back:.1f}L{right:.1f} {low:.1f}Z"
    return (
        f'<path d="{front}"/><path d="{lid}"/><path d="{side}"/><path d="{front}" fill="url(#face-{shine})"/>'
        f'<path class="lit" d="{lid}"/><path class="dark" d="{side}"/>'
    )


def _drum(spot: Spot, shine: str) -> str:
    x, y, r = spot.x, spot.y, spot.radius
    wide, flat, top, low = r * 0.8, r * 0.28, y - r * 0.62, y + r * 0.66
    body = f"M{x - wide:.1f} {top:.1f}V{low:.1f}a{wide:.1f} {flat:.1f} 0 0 0 {2 * wide:.1f} 0V{top:.1f}Z"
    lid = f'cx="{x:.1f}" cy="{top:.1f}" rx="{wide:.1f}" ry="{flat:.1f}"'
    side = f'<path d="{body}"/><path d="{body}" fill="url(#drum-{shine})"/>'
    return f'{side}<ellipse {lid}/><ellipse class="lit" {lid}/>'


def _cone(spot: Spot, shine: str) -> str:
    x, y, r = spot.x, spot.y, spot.radius
    wide, flat, low = r * 0.85, r * 0.28, y + r * 0.62
    body = f"M{x:.1f} {y - r:.1f}L{x - wide:.1f} {low:.1f}a{wide:.1f} {flat:.1f} 0 0 0 {2 * wide:.1f} 0Z"
    return f'<path d="{body}"/><path d="{body}" fill="url(#drum-{shine})"/>'
