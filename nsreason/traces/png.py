"""A trace as one PNG picture: a panel per call, in the order in which the program runs, in rows.

For papers, slides and chats, where no page can be stepped through. Drawn by Pillow with its own font, so it looks the
same everywhere; that font has Latin letters. Lengths are pixels.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, NotUnique
from ..programs.text_writer import format_program
from .focus import focus
from .png_panel import GRID, INK, LINE, ON_PLAN, PAPER, SOFT, font, on_photo, on_plan, panel
from .wording import how_many

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

    from .trace import Trace, TraceStep

PANEL = 400  # the width of a panel
GAP, MARGIN = 26, 36
_BARS = 58  # the height of a bar of degree 1
_MOST_BARS = 96
_MOST_NAMED = 40  # objects of a plan
_KEEPS = "\u00a0"  # a space at which no line ends
_MOST_CALLS = 200  # a picture of more is one that nobody reads
_MOST_MARKS = 4_000  # objects of all panels together


def strip(trace: Trace, image: Path | None = None) -> bytes:
    """The PNG file.

    Args:
        image: the scene's picture, of any format that Pillow reads; without one, panels show the plan.

    Raises:
        DataError: the image cannot be read, or the program has more calls than a picture can show.
    """
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    if len(trace.steps) > _MOST_CALLS:
        message = f"a strip shows no more than {_MOST_CALLS} calls, the program has {len(trace.steps)}"
        raise DataError(f"{message}; the page shows them all")
    if len(trace.steps) * len(trace.drawn) > _MOST_MARKS:
        message = f"{len(trace.steps):,} calls on {len(trace.drawn):,} objects"
        raise DataError(f"a strip draws no more than {_MOST_MARKS:,} objects in all its panels, here {message}")
    ground = on_plan(trace.drawn, PANEL) if image is None else on_photo(trace.drawn, image, PANEL)
    cells = [_Cell.of(trace, step, panel(ground, focus(trace, step))) for step in trace.steps]
    columns = columns_for(len(cells))
    rows = [cells[k : k + columns] for k in range(0, len(cells), columns)]
    width = 2 * MARGIN + max(columns, 2) * PANEL + (max(columns, 2) - 1) * GAP
    head = _Text(trace.question or format_program(trace.program), font(30), INK, width - 2 * MARGIN)
    about = _Text("; ".join([_about(trace), *ground.remarks]), font(15), SOFT, width - 2 * MARGIN)
    lines = _Text(_lines(trace), font(15), SOFT, width - 2 * MARGIN)
    # A picture shows what its objects are; a plan has to say it.
    things = (
        None
        if image is not None or not len(trace.drawn)
        else _Text(_things(trace), font(15), INK, width - 2 * MARGIN, most=12)
    )
    answer, why = _answer(trace, width - 2 * MARGIN)
    heights = [max(cell.height for cell in row) for row in rows]
    top = MARGIN + head.height + 8 + about.height + lines.height + (things.height + 8 if things else 0) + 22
    foot = 22 + 30 + answer.height + (why.height + 6 if why else 0) + MARGIN
    height = top + sum(heights) + GAP * (len(rows) - 1) + foot
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    y = lines.draw(draw, MARGIN, about.draw(draw, MARGIN, head.draw(draw, MARGIN, MARGIN) + 8))
    if things is not None:
        things.draw(draw, MARGIN, y + 8)
    y = top
    for row, high in zip(rows, heights, strict=True):
        for k, cell in enumerate(row):
            cell.draw(sheet, draw, MARGIN + k * (PANEL + GAP), y)
        y += high + GAP
    y += 22 - GAP
    draw.line([(MARGIN, y), (width - MARGIN, y)], LINE, 1)
    draw.text((MARGIN, y + 12), "Answer" if trace.error is None else "No answer", SOFT, font(15))
    y = answer.draw(draw, MARGIN, y + 32)
    if why is not None:
        why.draw(draw, MARGIN, y + 6)
    notes = PngInfo()
    if trace.question:
        notes.add_itxt("Title", trace.question)
    notes.add_itxt("Description", f"{format_program(trace.program)}: {trace.answer_words}")
    file = io.BytesIO()
    sheet.save(file, "PNG", pnginfo=notes)
    return file.getvalue()


def columns_for(n: int) -> int:
    """How many panels stand in a row: three or four, whichever leaves fewer places empty."""
    return n if n <= 4 else min((4, 3), key=lambda columns: -n % columns)


def _about(trace: Trace) -> str:
    scene = trace.drawn
    objects = "1 object" if len(scene) == 1 else f"{len(scene)} objects"
    calls = "1 call" if len(trace.steps) == 1 else f"{len(trace.steps)} calls"
    number = "" if scene.index is None else f" {scene.index}"
    return f"{scene.domain.name}, scene{number} with {objects}, program of {calls}"


def _things(trace: Trace) -> str:
    """`0 large red metal cube, 1 small blue rubber sphere`."""
    scene = trace.drawn
    names = [f"{i} {scene.describe(i)}".strip().replace(" ", _KEEPS) for i in range(min(len(scene), _MOST_NAMED))]
    return ", ".join(names) + (f" and {len(scene) - _MOST_NAMED} more" if len(scene) > _MOST_NAMED else "")


def _lines(trace: Trace) -> str:
    second = ", dotted its second one" if any(len(step.inputs) > 1 for step in trace.steps) else ""
    return f"solid lines: what a call gave; dashed: its input{second}"


def _answer(trace: Trace, room: int) -> tuple[_Text, _Text | None]:
    if trace.error is None:
        return _Text(trace.answer_words, font(38 if len(trace.answer_words) < 24 else 24), ON_PLAN.got, room), None
    node = next((s.node for s in trace.steps if s.state == "failed"), None)
    where = "the program failed" if node is None else f"call {node} failed"
    if isinstance(trace.error, NotUnique):
        where = f"call {node} met {how_many(trace.error.objects, trace.error.sort)} where one is needed"
    return _Text(where, font(26), ON_PLAN.bad, room), _Text(str(trace.error), font(15), SOFT, room, most=4)


# --- text ---------------------------------------------------------------------------------------------------


class _Text:
    """Text in lines that fit."""

    def __init__(self, text: str, face: FreeTypeFont, colour: str, room: int, most: int = 8) -> None:
        self.face, self.colour = face, colour
        self.lines = fitted(text, face, room, most)
        self.step = round(face.size * 1.3)
        self.height = self.step * len(self.lines)

    def draw(self, draw: ImageDraw, x: float, y: float) -> int:
        """Draw it at a place; returns where it ends."""
        for line in self.lines:
            draw.text((x, y), line, self.colour, self.face)
            y += self.step
        return round(y)


def fitted(text: str, face: FreeTypeFont, room: float, most: int) -> list[str]:
    """The text in no more than `most` lines no longer than `room`; what does not fit ends in dots."""
    words = [part for word in re.split(r"[ \t\r\n]+", text.strip()) for part in _parts(word, face, room)]
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and face.getlength(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = lines[:most]
        while lines[-1] and face.getlength(lines[-1] + " ...") > room:
            lines[-1] = lines[-1][:-1]
        lines[-1] += " ..."
    return [line.replace(_KEEPS, " ") for line in lines] or [""]


def _parts(word: str, face: FreeTypeFont, room: float) -> list[str]:
    """The word, broken where it is longer than a line: programs have no spaces."""
    parts = []
    while face.getlength(word) > room and len(word) > 1:
        n = min(len(word) - 1, int(1.5 * len(word) * room / face.getlength(word)) + 1)
        while n > 1 and face.getlength(word[:n]) > room:
            n -= 1
        parts.append(word[:n])
        word = word[n:]
    return [*parts, word]


# --- a panel and what stands below it -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cell:
    """A panel with the call, its result and its degrees."""

    picture: Image
    node: int
    text: _Text
    inputs: str
    result: _Text
    degrees: tuple[float, ...] | None
    chosen: frozenset[int]

    @classmethod
    def of(cls, trace: Trace, step: TraceStep, picture: Image) -> _Cell:
        # In a chain every call takes the one before it, which need not be said.
        source = "" if step.inputs in ((), (step.node - 1,)) else "of " + " and ".join(map(str, step.inputs))
        colour = {"done": ON_PLAN.got, "failed": ON_PLAN.bad, "not reached": SOFT}[step.state]
        return cls(
            picture,
            step.node,
            _Text(step.text, font(19), ON_PLAN.bad if step.state == "failed" else INK, PANEL - 90, most=2),
            source,
            _Text(_result(trace, step), font(17), colour, PANEL, most=2),
            step.degrees,
            frozenset(step.objects or ()),
        )

    @property
    def height(self) -> int:
        bars = _BARS + 44 if self.degrees else 0
        return self.picture.height + 12 + self.text.height + self.result.height + bars

    def draw(self, sheet: Image, draw: ImageDraw, x: int, y: int) -> None:
        """Draw it with its upper left corner at a place."""
        _rounded(sheet, self.picture, x, y)
        y += self.picture.height + 12
        draw.text((x, y + 2), str(self.node), SOFT, font(15))
        left = x + 12 + max(10, draw.textlength(str(self.node), font(15)))
        if self.inputs:
            draw.text((x + PANEL, y + 3), self.inputs, SOFT, font(14), anchor="ra")
        y = self.text.draw(draw, left, y)
        y = self.result.draw(draw, x, y)
        if self.degrees:
            _bars(draw, self.degrees, self.chosen, x, y + 24)


def _result(trace: Trace, step: TraceStep) -> str:
    """The value in few words; descriptions are on the page."""
    if step.state == "failed":
        bad = trace.error.objects if isinstance(trace.error, NotUnique) else ()
        if isinstance(trace.error, NotUnique):
            return f"failed: met {how_many(bad, trace.error.sort)}" + (f": {', '.join(map(str, bad))}" if bad else "")
        return "failed"
    if step.state == "not reached":
        return "not reached"
    objects = step.objects
    if objects is None or step.kind.sort != "object" or step.kind.shape == "one":
        return step.words
    return how_many(objects) + (f": {', '.join(map(str, objects))}" if objects else "")


def _rounded(sheet: Image, picture: Image, x: int, y: int) -> None:
    from PIL import Image, ImageDraw

    corner = Image.new("L", (picture.width * 3, picture.height * 3), 0)
    ImageDraw.Draw(corner).rounded_rectangle((0, 0, corner.width - 1, corner.height - 1), 24, 255)
    sheet.paste(picture, (x + (PANEL - picture.width) // 2, y), corner.reduce(3))


def _bars(draw: ImageDraw, degrees: Sequence[float], chosen: frozenset[int], x: int, y: int) -> None:
    """A bar per object, with its degree above and its number below."""
    listed = sorted(sorted(range(len(degrees)), key=lambda i: -degrees[i])[:_MOST_BARS])
    slot = min(PANEL / len(listed), 44.0)
    labelled = slot >= 27
    thick = max(1.0, min(slot * 0.62, 24.0))
    small = font(11)
    for k, i in enumerate(listed):
        middle = x + slot * (k + 0.5)
        left, right, low = middle - thick / 2, middle + thick / 2, y + _BARS
        draw.rectangle((left, y, right, low), GRID)
        top = low - math.ceil(degrees[i] * _BARS)
        colour = ON_PLAN.got if i in chosen else "#98a6a3"
        if top < low:
            draw.rectangle((left, top, right, low), colour)
        if labelled:
            draw.text((middle, y - 3), f"{degrees[i]:.2f}", INK if i in chosen else SOFT, small, anchor="ms")
        if slot >= 13:
            draw.text((middle, low + 5), str(i), INK if i in chosen else SOFT, small, anchor="mt")
