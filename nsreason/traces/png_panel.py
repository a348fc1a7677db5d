"""One panel of a strip: the scene at one call, drawn by Pillow on its picture or on a plan.

Lengths are pixels of the panel. What has edges is drawn `FINE` times as large and scaled down, so that it is smooth.
Shapes are rings of points, filled by the even-odd rule, as `nsreason.traces.mask_outlines` has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..scenes.scene import Scene
from .focus import Focus
from .scene_plan import HEIGHT, WIDTH, Appearance, Spot, appearance, plan

if TYPE_CHECKING:
    from PIL import Image, ImageDraw
    from PIL.ImageFont import FreeTypeFont

    from .image_overlay import Region

Point = tuple[float, float]
Ring = Sequence[Point]

FINE = 3
REST = 0.8  # how opaque the outline is of what a call is not about: it has to be seen on any screen
VEIL, PALE = 0.52, 0.6  # how much of it lies in the dark on a photograph, and is as the floor on the plan
_WASH = 0.08  # how much of its colour lies over an object that a call gave: little, for questions ask of colours


@dataclass(frozen=True, slots=True)
class Inks:
    """The colours of marks: on photographs bright, on the plan dark."""

    got: str
    a: str
    b: str
    bad: str
    rest: str


ON_PHOTO = Inks(got="#4ff0d8", a="#ffcc94", b="#e2d0ff", bad="#ff5d52", rest="#ffffff")
ON_PLAN = Inks(got="#0b6b62", a="#a3480c", b="#6a3fc0", bad="#b0201a", rest="#596068")
PAPER, INK, SOFT, LINE = "#fffefb", "#1d2125", "#596068", "#dcdad2"
FLOOR, GRID = "#f1f0ea", "#e4e2d9"


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What all panels of a strip share.

    Attributes:
        full: the picture or the plan, as what a call is about is shown.
        dimmed: the same, as the rest is shown.
        shapes: per object, its outline; empty for an object that the picture does not show.
        spots: per object, its middle and how large it is.
        labels: per object, the size of its number; 0 for one that is too small for any.
        remarks: what must be said of the picture.
    """

    full: Image.Image
    dimmed: Image.Image
    shapes: tuple[tuple[Ring, ...], ...]
    spots: tuple[Spot | None, ...]
    inks: Inks
    wash: float
    labels: tuple[float, ...]
    remarks: tuple[str, ...]


def font(size: float) -> FreeTypeFont:
    """Pillow's own font: none has to be installed."""
    from PIL import ImageFont

    face = ImageFont.load_default(size=size)
    assert isinstance(face, ImageFont.FreeTypeFont)  # what a size gives
    return face


# --- grounds ------------------------------------------------------------------------------------------------


def on_photo(scene: Scene, image: Path, width: int) -> Ground:
    """The scene's picture, no wider than `width` and no higher than that and a quarter.

    Raises:
        DataError: the image cannot be read.
    """
    from PIL import Image, ImageEnhance

    from ..io.images import read_rgb
    from .image_overlay import regions

    photo = read_rgb(image)
    scale = min(width / photo.width, width * 1.25 / photo.height)
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    full = photo.resize(size, Image.Resampling.LANCZOS)
    dimmed = Image.blend(ImageEnhance.Color(full).enhance(0.55), Image.new("RGB", size, "#0a0f14"), VEIL)
    places, remarks = regions(scene, photo.width, photo.height)
    shapes = tuple(() if r is None else tuple(_scaled_ring(ring, scale) for ring in _rings(r)) for r in places)
    spots = tuple(
        None if r is None else Spot(r.spot.x * scale, r.spot.y * scale, r.spot.radius * scale) for r in places
    )
    return Ground(full, dimmed, shapes, spots, ON_PHOTO, _WASH, (13.0,) * len(spots), tuple(remarks))


def _rings(region: Region) -> list[Ring]:
    if region.outline is not None:
        return [ring.tolist() for ring in region.outline.rings]
    if region.box is not None:
        left, top, right, bottom = region.box
        return [[(left, top), (right, top), (right, bottom), (left, bottom)]]
    return [_circle(region.spot.x, region.spot.y, region.spot.radius)]


def _scaled_ring(ring: Ring, scale: float) -> Ring:
    return [(x * scale, y * scale) for x, y in ring]


def _circle(x: float, y: float, radius: float, flat: float = 1.0) -> list[Point]:
    turns = [2 * math.pi * k / 48 for k in range(48)]
    return [(x + radius * math.cos(t), y + flat * radius * math.sin(t)) for t in turns]


def on_plan(scene: Scene, width: int) -> Ground:
    """The plan of the scene from above, as the page draws it, in flat shapes."""
    from PIL import Image, ImageDraw

    scale = width / WIDTH
    size = width, round(HEIGHT * scale)
    drawing = plan(scene)
    spots = [Spot(s.x * scale, s.y * scale, s.radius * scale) for s in drawing.spots if s is not None]
    sheet = Image.new("RGB", (size[0] * FINE, size[1] * FINE), FLOOR)
    draw = ImageDraw.Draw(sheet)
    for step in range(1, 12):
        at = step * 50 * scale * FINE
        draw.line([(at, 0), (at, sheet.height)], GRID, FINE)
        draw.line([(0, at), (sheet.width, at)], GRID, FINE)
    for i in sorted(range(len(scene)), key=lambda i: (spots[i].y, spots[i].x)):
        _solid(draw, spots[i], appearance(scene.describe(i).split(" ")))
    full = sheet.reduce(FINE)
    labels = tuple([min(15.0, max(9.0, s.radius)) if s.radius * 2 >= 12 else 0.0 for s in spots])
    dimmed = Image.blend(full, Image.new("RGB", size, FLOOR), PALE)
    shapes = tuple((_circle(s.x, s.y, s.radius * 1.12 + 3.5),) for s in spots)
    remarks = () if drawing.note.startswith("Plan") else ("no coordinates: the objects in rows",)
    return Ground(full, dimmed, shapes, tuple(spots), ON_PLAN, 0.0, labels, remarks)


def _solid(draw: ImageDraw.ImageDraw, spot: Spot, appearance: Appearance) -> None:
    from PIL import ImageColor

    x, y, r = spot.x * FINE, spot.y * FINE, spot.radius * FINE
    colour = ImageColor.getrgb(appearance.colour)
    edge = tuple(round(channel * 0.6) for channel in colour[:3])
    if appearance.form == "block":
        draw.rectangle((x - r * 0.86, y - r * 0.86, x + r * 0.86, y + r * 0.86), colour, edge, FINE)
    elif appearance.form == "drum":
        draw.rounded_rectangle((x - r * 0.78, y - r * 0.92, x + r * 0.78, y + r * 0.92), r * 0.42, colour, edge, FINE)
    elif appearance.form == "cone":
        draw.polygon([(x, y - r), (x + r * 0.92, y + r * 0.72), (x - r * 0.92, y + r * 0.72)], colour, edge, FINE)
    else:
        draw.ellipse((x - r * 0.95, y - r * 0.95, x + r * 0.95, y + r * 0.95), colour, edge, FINE)
    if appearance.shiny:
        glint = x - r * 0.5, y - r * 0.56, x - r * 0.02, y - r * 0.2
        draw.ellipse(glint, tuple(round(255 - (255 - channel) * 0.35) for channel in colour[:3]))


# --- a panel ------------------------------------------------------------------------------------------------


def panel(ground: Ground, shown: Focus) -> Image.Image:
    """The scene at one call."""
    from PIL import Image, ImageDraw

    if shown.quiet:
        out = ground.full.copy()
    else:
        light = _cover(ground, [_lit(shown, i) for i in range(len(ground.shapes))])
        out = Image.composite(ground.full, ground.dimmed, light)
    if ground.wash and (shown.got or shown.bad):
        colour = ground.inks.bad if shown.bad else ground.inks.got
        marked = range(len(ground.shapes)) if shown.degrees else (shown.got or shown.bad)
        amounts = [shown.shade[i] * ground.wash if i in marked else 0.0 for i in range(len(ground.shapes))]
        out.paste(Image.new("RGB", out.size, colour), mask=_cover(ground, amounts))
    sheet = Image.new("RGBA", (out.width * FINE, out.height * FINE), (0, 0, 0, 0))
    _outlines(ImageDraw.Draw(sheet), ground, shown)
    if shown.arrows:
        _arrows(ImageDraw.Draw(sheet), ground, shown)
    marks = sheet.reduce(FINE)
    out.paste(marks.convert("RGB"), mask=marks.getchannel("A"))
    draw = ImageDraw.Draw(out)
    for i, (spot, size) in enumerate(zip(ground.spots, ground.labels, strict=True)):
        if spot is not None and size:
            label(draw, _label_at(spot), str(i), size, faint=_lit(shown, i) < 0.5 and not shown.quiet)
    if shown.says is not None:
        _pill(out, shown, ground)
    return out


def _label_at(spot: Spot) -> Point:
    return spot.x, spot.y if spot.radius >= 7 else spot.y - spot.radius - 8


def _lit(shown: Focus, i: int) -> float:
    given = any(i in objects for objects in shown.given)
    return max(shown.shade[i], 0.5 if given and shown.degrees is None else 0.14)


def _cover(ground: Ground, amounts: Sequence[float]) -> Image.Image:
    """How much of each pixel the objects cover, each by its amount."""
    from PIL import Image, ImageChops, ImageDraw

    width, height = ground.full.size
    sheet = Image.new("L", (width * FINE, height * FINE), 0)
    draw = ImageDraw.Draw(sheet)
    for rings, amount in zip(ground.shapes, amounts, strict=True):
        value = round(255 * amount)
        fine = [[(x * FINE, y * FINE) for x, y in ring] for ring in rings if len(ring) >= 3]
        if len(fine) == 1:
            draw.polygon(fine[0], fill=value)
        elif fine:
            parity = Image.new("1", sheet.size)
            for ring in fine:
                one = Image.new("1", sheet.size)
                ImageDraw.Draw(one).polygon(ring, fill=1)
                parity = ImageChops.logical_xor(parity, one)
            sheet.paste(value, mask=parity)
    return sheet.reduce(FINE)


def _outlines(draw: ImageDraw.ImageDraw, ground: Ground, shown: Focus) -> None:
    inks = ground.inks
    single = len(shown.given) < 2
    for i, rings in enumerate(ground.shapes):
        names = shown.classes(i)
        marks: list[tuple[str, float, Sequence[float]]] = []
        got, bad = "in-got" in names, "in-bad" in names
        # An input's outline lies below that of the result, broader; what one set was narrowed to needs none.
        wide = 5.5 if got else 2.2
        if "in-a" in names and not bad and not (got and single):
            marks.append((inks.a, wide, (7, 4)))
        if "in-b" in names and not bad:
            marks.append((inks.b, wide, (2.4, 3.6)))
        if got:
            marks.append((inks.got, 2.2, ()))
        if bad:
            marks.append((inks.bad, 2.8, ()))
        if not marks and not (shown.quiet and not ground.wash):
            marks.append((f"{inks.rest}{round(255 * REST):02x}", 1.0, ()))
        for colour, width, dashes in marks:
            for ring in rings:
                for piece in _dashed(ring, dashes) if dashes else [[*ring, ring[0], ring[1]]]:
                    line = [(x * FINE, y * FINE) for x, y in piece]
                    draw.line(line, colour, max(1, round(width * FINE)), joint="curve")


def _dashed(ring: Ring, dashes: Sequence[float]) -> Iterator[list[Point]]:
    """The pieces of a closed line: as long as the first of `dashes`, apart by the second."""
    on, left = True, dashes[0]
    piece: list[Point] = [ring[0]]
    for (x, y), (u, v) in zip(ring, [*ring[1:], ring[0]], strict=True):
        length = math.hypot(u - x, v - y)
        done = 0.0
        while length - done > left:
            done += left
            here = x + (u - x) * done / length, y + (v - y) * done / length
            if on:
                yield [*piece, here]
            piece, on = [here], not on
            left = dashes[0] if on else dashes[1]
        left -= length - done
        piece.append((u, v))
    if on and len(piece) > 1:
        yield piece


def _arrows(draw: ImageDraw.ImageDraw, ground: Ground, shown: Focus) -> None:
    """From the rim of the one object to the rims of those that were found from it, slightly bent."""
    anchor = next((ground.spots[i] for i in (shown.given[0] if shown.given else ())), None)
    for i in shown.got or ():
        spot = ground.spots[i]
        if anchor is None or spot is None:
            continue
        dx, dy = spot.x - anchor.x, spot.y - anchor.y
        length = math.hypot(dx, dy)
        near, far = anchor.radius * 1.1 + 4, spot.radius * 1.1 + 6
        if length < near + far + 8:
            continue
        ux, uy, bow = dx / length, dy / length, length * 0.08
        a = anchor.x + ux * near, anchor.y + uy * near
        c = spot.x - ux * far, spot.y - uy * far
        b = (anchor.x + spot.x) / 2 - uy * bow, (anchor.y + spot.y) / 2 + ux * bow
        parts = [k / 16 for k in range(17)]
        curve = [
            (
                FINE * ((1 - t) ** 2 * a[0] + 2 * t * (1 - t) * b[0] + t * t * c[0]),
                FINE * ((1 - t) ** 2 * a[1] + 2 * t * (1 - t) * b[1] + t * t * c[1]),
            )
            for t in parts
        ]
        draw.line(curve, ground.inks.got, round(1.5 * FINE), joint="curve")
        turn = math.atan2(c[1] - b[1], c[0] - b[0])
        tip = [(c[0] + 7 * math.cos(turn + s), c[1] + 7 * math.sin(turn + s)) for s in (2.7, -2.7)]
        head = c[0] + 3 * math.cos(turn), c[1] + 3 * math.sin(turn)
        draw.polygon([(x * FINE, y * FINE) for x, y in (head, *tip)], fill=ground.inks.got)


def label(draw: ImageDraw.ImageDraw, at: Point, text: str, size: float, *, faint: bool = False) -> None:
    """A number on an object, readable on any colour."""
    fill = "#c9ccce" if faint else "#ffffff"
    draw.text(at, text, fill, font(size), anchor="mm", stroke_width=2 if size > 11 else 1, stroke_fill="#1d2125")


def _pill(out: Image.Image, shown: Focus, ground: Ground) -> None:
    """What a call gave that is no object: beside the object that it tells of or in a corner, over no number.

    Where there is no such place it is left out; it stands below the panel, too.
    """
    from PIL import Image, ImageDraw

    draw, says = ImageDraw.Draw(out), shown.says or ""
    face = font(19)
    wide, high = draw.textlength(says, face) + 20, 30.0
    place = free_place((wide, high), out.size, ground, shown.near)
    if place is None:
        return
    x, y = place
    corners = Image.new("L", (round(wide) * FINE, round(high) * FINE), 0)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, corners.width - 1, corners.height - 1), 8 * FINE, 255)
    out.paste(Image.new("RGB", (round(wide), round(high)), PAPER), (round(x), round(y)), corners.reduce(FINE))
    colour = ON_PLAN.bad if shown.bad or shown.failed else ON_PLAN.got
    draw.text((x + wide / 2, y + high / 2), says, colour, face, anchor="mm")


def free_place(
    size: tuple[float, float], frame: tuple[int, int], ground: Ground, near: int | None
) -> tuple[float, float] | None:
    """The upper left corner of a place of that size that covers no object's number, and if it can be no object.

    Args:
        near: an object to stand beside.
    """
    (wide, high), (width, height) = size, frame
    if wide > width - 12 or high > height - 12:
        return None
    numbers, objects = [], []
    for spot, letters in zip(ground.spots, ground.labels, strict=True):
        if spot is not None:
            x, y = _label_at(spot)
            numbers.append((x, y, 1.1 * letters + 3, 0.7 * letters + 3) if letters else (x, y, 0.0, 0.0))
            objects.append((spot.x, spot.y, spot.radius, spot.radius))
    grid = [(x, y) for y in _steps(height - high) for x in _steps(width - wide)]
    spot = None if near is None else ground.spots[near]
    if spot is not None:
        x = min(max(spot.x - wide / 2, 6.0), width - wide - 6.0)
        rim = 1.12 * spot.radius + 8  # its outline lies around it
        beside = [(x, spot.y - rim - high), (x, spot.y + rim)]
        beside += [(spot.x + rim, spot.y - high / 2), (spot.x - rim - wide, spot.y - high / 2)]
        first = [(u, v) for u, v in beside if 6 <= u <= width - wide - 6 and 4 <= v <= height - high - 4]
        grid.sort(key=lambda at: math.hypot(at[0] + wide / 2 - spot.x, at[1] + high / 2 - spot.y))
        grid = first + grid
    for kept in (numbers + objects, numbers):
        for x, y in grid:
            if not any(abs(x + wide / 2 - u) < wide / 2 + a and abs(y + high / 2 - v) < high / 2 + b
                       for u, v, a, b in kept):  # fmt: skip
                return x, y
    return None


def _steps(room: float) -> list[float]:
    """From one edge to the other in steps of some pixels."""
    most = max(1, int((room - 12) // 12))
    return [6 + (room - 12) * k / most for k in range(most + 1)]
