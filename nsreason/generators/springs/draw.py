"""Images of a mass-spring scene: a strip of frames as PNG, and an animation as GIF.

What the balls' places do not show is drawn, too: springs as thin zigzags, rods as bars.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from ...data.springs import BALLS, FRAMES, NONE, RGB, ROD, SpringsArrays
from ...io.files import atomic_write

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_SCALE = 3  # drawn larger and made smaller, for smooth edges
_PAPER, _WALL, _LINK, _ROD = (250, 250, 248), (120, 120, 120), (150, 150, 150), (70, 70, 70)


def frame_image(data: SpringsArrays, index: int, frame: int, *, side: int = 180, radius: float = 0.03) -> Image:
    """Draw one frame of a scene, with the last four places of each ball behind it, paler. The y axis points up."""
    from PIL import Image, ImageDraw

    size = side * _SCALE
    image = Image.new("RGB", (size, size), _PAPER)
    draw = ImageDraw.Draw(image)
    edge = size * 0.03

    def at(t: int, ball: int) -> tuple[float, float]:
        x, y = (float(v) for v in data.positions[index, t, ball])
        return edge + x * (size - 2 * edge), size - edge - y * (size - 2 * edge)

    draw.rectangle((edge, edge, size - edge, size - edge), outline=_WALL, width=_SCALE)
    reach = radius * (size - 2 * edge)
    for ball in range(BALLS):
        for back in range(min(4, frame), 0, -1):
            x, y = at(frame - back, ball)
            pale = tuple(round(p + (c - p) * (0.5 - 0.1 * back)) for p, c in zip(_PAPER, RGB[ball], strict=True))
            draw.ellipse((x - reach / 2, y - reach / 2, x + reach / 2, y + reach / 2), fill=pale)
    for i in range(BALLS):
        for j in range(i):
            if data.links[index, i, j] != NONE:
                _draw_link(draw, at(frame, i), at(frame, j), rigid=data.links[index, i, j] == ROD)
    for ball in range(BALLS):
        x, y = at(frame, ball)
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=RGB[ball])
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _draw_link(draw: ImageDraw, one: tuple[float, float], other: tuple[float, float], *, rigid: bool) -> None:
    if rigid:
        draw.line((one, other), fill=_ROD, width=2 * _SCALE)
        return
    length = math.dist(one, other) or 1.0
    along = (other[0] - one[0]) / length, (other[1] - one[1]) / length
    turns, wide = 17, 3 * _SCALE  # as many turns whatever the length: a drawn spring shows how far it is drawn out
    points = [one]
    for k in range(1, turns):
        step, aside = length * k / turns, wide * (1 if k % 2 else -1)
        points.append((one[0] + along[0] * step - along[1] * aside, one[1] + along[1] * step + along[0] * aside))
    draw.line([*points, other], fill=_LINK, width=_SCALE)


def write_strip(
    path: str | Path, data: SpringsArrays, index: int, *, columns: int = 8, side: int = 180, radius: float = 0.03
) -> None:
    """Write a PNG of all frames of a scene, row by row, with a caption.

    Raises:
        DataError: the file cannot be written.
    """
    from PIL import Image, ImageDraw, ImageFont

    rows = -(-FRAMES // columns)
    sheet = Image.new("RGB", (columns * side, rows * side + 30), _PAPER)
    for frame in range(FRAMES):
        image = frame_image(data, index, frame, side=side, radius=radius)
        sheet.paste(image, (frame % columns * side, frame // columns * side))
    links = data.links[index]
    rods, all_links = int((links == ROD).sum()) // 2, int((links != NONE).sum()) // 2
    systems = int(data.systems[index])
    caption = f"{FRAMES} frames; springs (zigzag): {all_links - rods}, rods (bar): {rods}, systems: {systems}"
    ImageDraw.Draw(sheet).text((12, rows * side + 4), caption, (40, 40, 40), font=ImageFont.load_default(size=16))
    with atomic_write(path) as file:
        sheet.save(file, "PNG")


def write_animation(path: str | Path, data: SpringsArrays, index: int, *, side: int = 320) -> None:
    """Write a GIF of a scene that plays in a loop, ten frames a second.

    Raises:
        DataError: the file cannot be written.
    """
    frames = [frame_image(data, index, frame, side=side) for frame in range(FRAMES)]
    with atomic_write(path) as file:
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
