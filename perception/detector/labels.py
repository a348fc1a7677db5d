"""What was found in an image, named: where the names stand, none over another.

labelled(pixels, found, ["object"])          # (H, W, 3), with `object .98` beside each object
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..detections.detections import Detections

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Box = tuple[float, float, float, float]  # left, top, right, bottom
Size = tuple[float, float]
PAD = 2  # pixels around a name


def names_of(detections: Detections, categories: Sequence[str]) -> list[str]:
    """`cube .98` for each object; a label without a category is given by its number."""
    names = [categories[n - 1] if 0 < n <= len(categories) else f"class {n}" for n in detections.labels.tolist()]
    return [f"{name} {score:.2f}" for name, score in zip(names, detections.scores.tolist(), strict=True)]


def labelled(
    pixels: NDArray[np.uint8], detections: Detections, categories: Sequence[str], colours: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Write class and score beside each object; returns the image, (H, W, 3).

    Args:
        categories: the name of label i is categories[i - 1].
        colours: (M, 3) of the objects, taken in turn; names stand on them.
    """
    from PIL import Image, ImageDraw

    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    face = font(11.0 * max(1.0, max(image.size) / 640))
    texts = names_of(detections, categories)
    high = sum(face.getmetrics()) + PAD
    sizes = [(face.getlength(text) + 2 * PAD, float(high)) for text in texts]
    boxes = [(float(a), float(b), float(c), float(d)) for a, b, c, d in detections.boxes.tolist()]
    for i, (text, box, place) in enumerate(zip(texts, boxes, places(boxes, sizes, image.size), strict=True)):
        red, green, blue = (int(c) for c in colours[i % len(colours)])
        end = _nearest(box, place)
        if end is not None:
            middle = (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
            draw.line([middle, end], fill=(red, green, blue), width=1)
        draw.rectangle(place, fill=(red, green, blue))
        ink = "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else "#ffffff"
        draw.text((place[0] + PAD, place[1] + PAD / 2), text, fill=ink, font=face)
    return np.asarray(image)


def font(size: float) -> FreeTypeFont:
    """Pillow's own font: none has to be installed."""
    from PIL import ImageFont

    face = ImageFont.load_default(size=size)
    assert isinstance(face, ImageFont.FreeTypeFont)  # what a size gives
    return face


def places(boxes: Sequence[Box], sizes: Sequence[Size], frame: Size) -> list[Box]:
    """Where names of these sizes stand: above, in or below their objects' boxes, else as near as there is room.

    None stands over another as long as the frame has room for all.
    """
    taken: list[Box] = []
    for box, size in zip(boxes, sizes, strict=True):
        tried = [_inside(corner, size, frame) for corner in _corners(box, size)]
        free = next((t for t in tried if not _meets(t, taken)), None)
        taken.append(free or _search(box, size, frame, taken) or tried[0])
    return taken


def _corners(box: Box, size: Size) -> Iterator[tuple[float, float]]:
    left, top, right, bottom = box
    wide, high = size
    yield left, top - high
    yield right - wide, top - high
    yield left, bottom
    yield right - wide, bottom
    yield left, top


def _inside(corner: tuple[float, float], size: Size, frame: Size) -> Box:
    left = min(max(corner[0], 0.0), max(frame[0] - size[0], 0.0))
    top = min(max(corner[1], 0.0), max(frame[1] - size[1], 0.0))
    return left, top, left + size[0], top + size[1]


def _meets(place: Box, taken: Sequence[Box]) -> bool:
    left, top, right, bottom = place
    return any(left < o[2] and o[0] < right and top < o[3] and o[1] < bottom for o in taken)


def _search(box: Box, size: Size, frame: Size, taken: Sequence[Box]) -> Box | None:
    """The free place nearest to the box's middle, of a grid of half names."""
    x, y = (box[0] + box[2] - size[0]) / 2, (box[1] + box[3] - size[1]) / 2
    columns = np.arange(0.0, max(frame[0] - size[0], 0.0) + 1, max(size[0] / 4, 1.0))
    rows = np.arange(0.0, max(frame[1] - size[1], 0.0) + 1, max(size[1] / 2, 1.0))
    grid = [(abs(u - x) + abs(v - y), u, v) for u in columns.tolist() for v in rows.tolist()]
    for _, u, v in sorted(grid):
        place = _inside((u, v), size, frame)
        if not _meets(place, taken):
            return place
    return None


def _nearest(box: Box, place: Box) -> tuple[float, float] | None:
    """The point of a box nearest to a name; None where the name touches the box."""
    x, y = (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
    end = min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])
    inside = place[0] - 1 <= end[0] <= place[2] + 1 and place[1] - 1 <= end[1] <= place[3] + 1
    return None if inside else end
