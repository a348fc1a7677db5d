"""A scene's picture for the trace page, with the outline of each object on it.

An object is drawn by the first that the scene knows of it: its mask's outline, its box (`bbox`, as left, top, right,
bottom), a ring around its `pixel_coords`. Lengths are the picture's pixels, x to the right and y down.

Below the objects lies a veil, and each object holds the picture once more, clipped to its outline: what a call is
about stands in full light, the rest in the dark. The style sheet of the page says how much of each.
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SceneError
from ..io.embedded_images import embedded
from ..scenes.scene import ObjectPlace, Scene
from .scene_plan import Drawing, Spot, svg_element

if TYPE_CHECKING:
    from .mask_outlines import Outline

_LAYERS = ("wash", "ring a", "ring b", "mark", "ring got", "ring bad")  # from below, all of the same outline
_RING = 13.0  # radius around an object of which only the middle is known, where a picture is 480 wide


@dataclass(frozen=True, slots=True)
class Region:
    """Where an object is in a picture: an outline, a box or a ring, and where its label stands."""

    spot: Spot
    outline: Outline | None = None
    box: tuple[float, float, float, float] | None = None

    @property
    def kind(self) -> str:
        """`mask`, `box` or `ring`."""
        return "mask" if self.outline is not None else "box" if self.box is not None else "ring"


def regions(scene: Scene, width: float, height: float) -> tuple[list[Region | None], list[str]]:
    """Where the objects are in a picture of this size, and what must be said of it.

    A mask of another size is fitted to the picture. One that cannot be read does not cost the picture: the object's
    box or ring is drawn, and the remark says why.
    """
    drawn: list[Region | None] = []
    remarks: list[str] = []
    for i, place in enumerate(scene.places):
        region = None
        if place.mask is not None:
            try:
                region = _of_mask(place.mask, width, height)
            except SceneError as error:
                remarks.append(f"the mask of object {i} cannot be drawn ({error.reason})")
        drawn.append(region or _of_box(place) or _of_point(place, width))
    missing = drawn.count(None)
    if missing:
        remarks.append(f"where {missing} of the objects are is not known")
    return drawn, remarks


def picture(scene: Scene, image: Path) -> Drawing:
    """The picture, with the objects' outlines.

    Raises:
        DataError: the image cannot be read, or is neither PNG nor JPEG.
    """
    photo = embedded(image)
    width, height = photo.width, photo.height
    places, remarks = regions(scene, width, height)
    unit = width / 480
    size = f'width="{width}" height="{height}"'
    shapes, things = [], []
    # The largest first: what lies behind does not cover what a reader points at.
    order = sorted(range(len(places)), key=lambda i: -(places[i] or _NOWHERE).spot.radius)
    for i in order:
        region = places[i]
        if region is None:
            continue
        shape = _shape(region)
        shapes.append(f'<{shape} id="outline-{i}" class="outline"/>')
        shapes.append(f'<clipPath id="clip-{i}"><use href="#outline-{i}"/></clipPath>')
        things.append(_thing(i, region, scene, unit))
    parts = [
        f"<defs>{''.join(shapes)}</defs>",
        f'<rect class="paper" {size}/>',  # CLEVR's images are RGBA: what is transparent stands on white
        f'<image id="photo" {size} href="{photo.href}"/>',
        f'<rect class="veil" {size}/>',
        *things,
    ]
    svg = svg_element(width, height, f"Picture of the scene, {width} by {height} pixels", "picture", "".join(parts))
    svg = svg.replace("<svg ", f'<svg style="--unit:{unit:.4g}px" ', 1)
    note = "; ".join([Path(image).name, *remarks])
    return Drawing(svg, tuple(None if region is None else region.spot for region in places), note)


_NOWHERE = Region(Spot(0, 0, 0))


def _of_mask(mask: object, width: float, height: float) -> Region:
    from .mask_outlines import outline

    shape = outline(mask).fitted(width, height)
    return Region(Spot(*shape.inside, math.sqrt(shape.area / math.pi)), outline=shape)


def _of_box(place: ObjectPlace) -> Region | None:
    if place.bbox is None:
        return None
    left, top, right, bottom = place.bbox
    left, right, top, bottom = min(left, right), max(left, right), min(top, bottom), max(top, bottom)
    spot = Spot((left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top) / 2)
    return Region(spot, box=(left, top, right, bottom))


def _of_point(place: ObjectPlace, width: float) -> Region | None:
    at = place.pixel_coords
    if at is None or len(at) < 2 or not all(map(math.isfinite, at[:2])):
        return None
    return Region(Spot(at[0], at[1], _RING * width / 480))


def _shape(region: Region) -> str:
    """The outline as an SVG element, without its brackets."""
    if region.outline is not None:
        from .mask_outlines import svg_path

        return f'path fill-rule="evenodd" clip-rule="evenodd" d="{svg_path(region.outline.rings)}"'
    spot = region.spot
    if region.box is not None:
        left, top, right, bottom = region.box
        return f'rect x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}"'
    return f'circle cx="{spot.x:.1f}" cy="{spot.y:.1f}" r="{spot.radius:.1f}"'


def _thing(i: int, region: Region, scene: Scene, unit: float) -> str:
    spot, score = region.spot, scene.places[i].score
    title = f"{i}: {scene.describe(i)}" + ("" if score is None else f", detected {score:.2f}")
    layers = "".join(f'<use class="{css}" href="#outline-{i}"/>' for css in _LAYERS)
    # A label stands on its object where there is room, above it where there is not.
    low = spot.y + 4.4 * unit if spot.radius >= 8 * unit else spot.y - spot.radius - 4 * unit
    label = f'<text class="index" x="{spot.x:.1f}" y="{low:.1f}">{i}</text>'
    if score is not None and spot.radius >= 14 * unit:
        label += f'<text class="score" x="{spot.x:.1f}" y="{low + 9.5 * unit:.1f}">{score:.2f}</text>'
    return (
        f'<g class="thing" data-object="{i}"><title>{html.escape(title)}</title>'
        f'<use class="lit" href="#photo" clip-path="url(#clip-{i})"/>{layers}{label}</g>'
    )
