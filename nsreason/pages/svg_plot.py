"""Line plots of shares from 0 to 1 as SVG elements: axes, intervals, a shaded range, names beside their lines.

    svg = draw(Plot("Accuracy by objects", "objects", (Series("lstm", (Point(3, 0.5, 0.4, 0.6),)),)), width=600)

An element takes its colours from `STYLE`, which a page holds once and which has a set for dark ground. Series differ by
colour and by the form of their marks. Nothing is loaded and no script is needed.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

HUES = 8  # colours, and as many forms of marks; from the ninth series on, marks are hollow and lines dashed
_LIGHT = ("#0072b2", "#c8500a", "#00805d", "#b0508a", "#8a6a00", "#3a9bdc", "#3b4045", "#7440a8")
_DARK = ("#62b3ee", "#ff9152", "#3ccf9f", "#ec9fcb", "#e2c02f", "#a5dcff", "#e8e6e0", "#bf97ea")

STYLE = (
    ":root{" + "".join(f"--plot-{i}:{c};" for i, c in enumerate(_LIGHT)) + "}"
    "@media screen and (prefers-color-scheme:dark){:root{"
    + "".join(f"--plot-{i}:{c};" for i, c in enumerate(_DARK))
    + "}}"
    ".plot{display:block;width:100%;height:auto;overflow:visible}"
    ".plot text{font:12px system-ui,-apple-system,'Segoe UI','Helvetica Neue','Noto Sans','DejaVu Sans',sans-serif;"
    "fill:var(--soft,#596068);font-variant-numeric:tabular-nums}"
    ".plot .axis{font-size:12.5px;fill:var(--ink,#1d2125)}.plot .name{fill:var(--ink,#1d2125)}"
    ".plot .grid{stroke:var(--line,#dcdad2);stroke-width:1;fill:none}"
    ".plot .base{stroke:var(--soft,#596068);stroke-width:1;fill:none}"
    ".plot .shade{fill:var(--mark,#0b6b62);fill-opacity:.09}.plot .shaded{fill:var(--ink,#1d2125)}"
    ".plot .line{fill:none;stroke:var(--hue);stroke-width:2;stroke-linejoin:round}"
    ".plot .hollow .line,.plot .level .line{stroke-dasharray:6 4}"
    ".plot .bar{stroke:var(--hue);stroke-width:1.3;fill:none;stroke-opacity:.75}"
    ".plot .band{fill:var(--hue);fill-opacity:.13}"
    ".plot .lead{stroke:var(--hue);stroke-width:1;fill:none;stroke-opacity:.6}"
    ".plot .mark{fill:var(--hue);stroke:var(--card,#fff);stroke-width:1.2}"
    ".plot .hollow .mark{fill:var(--card,#fff);stroke:var(--hue);stroke-width:1.8}"
)

_FORMS = (
    "M-4.2 0a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0-8.4 0Z",
    "M-3.8-3.8H3.8V3.8H-3.8Z",
    "M0-5 4.8 3.8H-4.8Z",
    "M0-5.4 5.4 0 0 5.4-5.4 0Z",
    "M0 5 4.8-3.8H-4.8Z",
    "M-1.7-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
    "M0-5.4 1.6-1.7 5.4-1.6 2.4.9 3.4 4.7 0 2.6-3.4 4.7-2.4.9-5.4-1.6-1.6-1.7Z",
    "M-4.8-4.8 0-2.2 4.8-4.8 2.2 0 4.8 4.8 0 2.2-4.8 4.8-2.2 0Z",
)
_NAME, _LEAD = 20, 14  # letters of a series' name at most; pixels between the plot and the names
_LETTER, _ROW = 6.9, 16  # pixels: the width of a letter, the height of a line of names


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """A share `y` at `x`, with its interval; `tooltip` is shown where a reader points at it."""

    x: float
    y: float
    low: float
    high: float
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A line through points.

    Attributes:
        look: which colour and form it has; the same number looks the same in every plot.
        level: one point that holds everywhere: a line across, its interval a band.
    """

    name: str
    points: tuple[PlotPoint, ...]
    look: int = 0
    level: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn.

    Attributes:
        title: for readers who cannot see it.
        log: whether x runs in powers; it has to be above 0.
        ticks: values of x to write, and how; None chooses whole numbers.
        shade: a range of x that is marked, with `shade_label` above it.
    """

    title: str
    x_label: str
    series: tuple[Series, ...]
    log: bool = False
    ticks: tuple[tuple[float, str], ...] | None = None
    shade: tuple[float, float] | None = None
    shade_label: str = ""
    y_label: str = "accuracy, %"


def glyph(look: int) -> str:
    """The mark of a series alone, for text beside it."""
    return f'<svg class="plot glyph" viewBox="-7 -7 14 14" aria-hidden="true">{_group(look, _mark(look, 0, 0))}</svg>'


def draw(plot: Plot, *, width: int = 600, height: int = 360, names: Literal["right", "below"] = "right") -> str:
    """The SVG element; `width` and `height` are its view box, in pixels of its text.

    It is higher where its names have to stand beside it and are many.

    Args:
        names: where the series are named: beside the ends of their lines, or in rows below.
    """
    if names == "right":  # as high as its names, each in a row of its own
        height = max(height, math.ceil((sum(1 for s in plot.series if s.points) - 1) * (_ROW - 1)) + 30 + 44)
    frame = _Frame.of(plot, width, height, names)
    parts = [_ground(plot, frame)]
    lines = [s for s in plot.series if not s.level and s.points]
    step = _dodge(frame, lines)
    for s in plot.series:
        if s.level and s.points:
            parts.append(_level(s, frame))
    for k, s in enumerate(lines):
        parts.append(_line(s, frame, step * (k - (len(lines) - 1) / 2)))
    parts.append(_names_right(plot, frame) if names == "right" else _names_below(plot, frame))
    title = html.escape(plot.title)
    head = f'<svg class="plot" viewBox="0 0 {frame.width:g} {frame.height:g}" role="img" aria-label="{title}">'
    return f"{head}<title>{title}</title>{''.join(parts)}</svg>"


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things are, in pixels; `low` and `high` are the ends of x, as `scale` has them."""

    left: float
    right: float
    top: float
    bottom: float
    width: float
    height: float
    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, plot: Plot, width: int, height: int, names: str) -> _Frame:
        letters = max((len(_short(s.name)) for s in plot.series), default=0)
        rows = len(_rows(plot, width)) if names == "below" else 0
        right = width - (letters * _LETTER + 26 + _LEAD if names == "right" else 12)
        xs = [p.x for s in plot.series if not s.level for p in s.points] or [1.0]
        if plot.log and min(xs) <= 0:
            raise ValueError(f"a logarithmic axis needs values above 0, got {min(xs):g}")
        scaled = [math.log10(x) for x in xs] if plot.log else xs
        low, high = min(scaled), max(scaled)
        room = 0.5 if low == high else 0.04 * (high - low)
        if plot.shade and not plot.log:
            room = max(room, min(0.5, 0.5 * (high - low) or 0.5))
        top = 30.0 if plot.shade else 14.0
        return cls(
            44,
            right,
            top,
            height - 44,
            width,
            height + rows * _ROW + (8 if rows else 0),
            low - room,
            high + room,
            plot.log,
        )

    def x(self, value: float) -> float:
        scaled = math.log10(value) if self.log else value
        return self.left + (self.right - self.left) * (scaled - self.low) / (self.high - self.low)

    def y(self, share: float) -> float:
        return self.bottom - (self.bottom - self.top) * share


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def _ground(plot: Plot, f: _Frame) -> str:
    parts = []
    if plot.shade:
        low, high = (min(max(f.x(v), f.left), f.right) for v in (plot.shade[0] - 0.5, plot.shade[1] + 0.5))
        if high > low:
            at = f'x="{low:.1f}" y="{f.top - 22:.1f}" width="{high - low:.1f}" height="{f.bottom - f.top + 22:.1f}"'
            parts.append(f'<rect class="shade" {at}/>')
            # Beside a narrow range its name would be cut: it then starts where the range does.
            middle = len(plot.shade_label) * _LETTER < high - low
            x, anchor = ((low + high) / 2, "middle") if middle else (low + 4, "start")
            label = html.escape(plot.shade_label)
            parts.append(f'<text class="shaded" x="{x:.1f}" y="{f.top - 8:.1f}" text-anchor="{anchor}">{label}</text>')
    for percent in range(0, 101, 20):
        y = f.y(percent / 100)
        css = "grid" if percent else "base"
        parts.append(f'<path class="{css}" d="M{f.left:.1f} {y:.1f}H{f.right:.1f}"/>')
        parts.append(f'<text x="{f.left - 7:.1f}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>')
    last = -math.inf
    for value, label in _ticks(plot, f):
        x, half = f.x(value), len(label) * _LETTER / 2
        parts.append(f'<path class="base" d="M{x:.1f} {f.bottom:.1f}v4"/>')
        if x - half > last + 4:
            parts.append(f'<text x="{x:.1f}" y="{f.bottom + 17:.1f}" text-anchor="middle">{html.escape(label)}</text>')
            last = x + half
    x, y = (f.left + f.right) / 2, (f.top + f.bottom) / 2
    at = f'x="{x:.1f}" y="{f.bottom + 37:.1f}" text-anchor="middle"'
    parts.append(f'<text class="axis" {at}>{html.escape(plot.x_label)}</text>')
    turned = f'transform="rotate(-90 11 {y:.1f})" x="11" y="{y:.1f}" text-anchor="middle"'
    parts.append(f'<text class="axis" {turned}>{html.escape(plot.y_label)}</text>')
    return "".join(parts)


def _ticks(plot: Plot, f: _Frame) -> Sequence[tuple[float, str]]:
    if plot.ticks is not None:
        return plot.ticks
    if f.log:
        return [(10.0**k, f"{10**k:,}") for k in range(math.ceil(f.low), math.floor(f.high) + 1)]
    span = f.high - f.low
    step = next(s for k in range(20) for s in (10**k, 2 * 10**k, 5 * 10**k) if span / s <= 12 or k == 19)
    first = math.ceil(f.low / step)
    return [(v * step, f"{v * step:,}") for v in range(first, math.floor(f.high / step) + 1)]


def _dodge(f: _Frame, lines: Sequence[Series]) -> float:
    """Pixels from line to line, so that intervals at one x stand beside each other."""
    xs = sorted({f.x(p.x) for s in lines for p in s.points})
    gap = min((b - a for a, b in pairwise(xs)), default=60.0)
    return min(4.0, 0.6 * gap / max(1, len(lines)))


def _group(look: int, inside: str, css: str = "") -> str:
    hollow = " hollow" if look >= HUES else ""
    hue = f"--hue:var(--plot-{look % HUES},{_LIGHT[look % HUES]})"
    return f'<g class="series{hollow}{css}" style="{hue}">{inside}</g>'


def _mark(look: int, x: float, y: float) -> str:
    return f'<path class="mark" transform="translate({x:.1f} {y:.1f})" d="{_FORMS[look % HUES]}"/>'


def _line(s: Series, f: _Frame, shift: float) -> str:
    at = [(f.x(p.x) + shift, f.y(p.y), p) for p in sorted(s.points, key=lambda p: p.x)]
    way = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in at)
    bars = "".join(
        f'<path class="bar" d="M{x:.1f} {f.y(p.low):.1f}V{f.y(p.high):.1f}m-2.5 0h5M{x - 2.5:.1f} {f.y(p.low):.1f}h5"/>'
        for x, _, p in at
    )
    dots = "".join(f"<g><title>{html.escape(p.tooltip or s.name)}</title>{_mark(s.look, x, y)}</g>" for x, y, p in at)
    return _group(s.look, f'<path class="line" d="M{way}"/>{bars}{dots}')


def _level(s: Series, f: _Frame) -> str:
    p = s.points[0]
    high, low, y = f.y(p.high), f.y(p.low), f.y(p.y)
    size = f'width="{f.right - f.left:.1f}" height="{max(low - high, 0.5):.1f}"'
    band = f'<rect class="band" x="{f.left:.1f}" y="{high:.1f}" {size}/>'
    title = f"<title>{html.escape(p.tooltip or s.name)}</title>"
    line = f'<path class="line" d="M{f.left:.1f} {y:.1f}H{f.right:.1f}"/>'
    return _group(s.look, f"<g>{title}{band}{line}</g>", " level")


def _names_right(plot: Plot, f: _Frame) -> str:
    """Names at the height where their lines end, moved apart where they would overlap."""
    ends = []
    for s in plot.series:
        if s.points:
            last = max(s.points, key=lambda p: p.x)
            ends.append((f.y(last.y), s))
    ends.sort(key=lambda end: end[0])
    places = _apart([y for y, _ in ends], f.top - 4, f.bottom)
    parts = []
    for (end, s), y in zip(ends, places, strict=True):
        x = f.right + _LEAD
        lead = f'<path class="lead" d="M{f.right + 1:.1f} {end:.1f}L{x - 2:.1f} {y:.1f}"/>'
        name = f'<text class="name" x="{x + 12:.1f}" y="{y + 4:.1f}">{html.escape(_short(s.name))}</text>'
        parts.append(_group(s.look, f"{lead}{_mark(s.look, x + 4, y)}{name}"))
    return "".join(parts)


def _apart(ends: Sequence[float], top: float, bottom: float) -> list[float]:
    """Sorted places near the ends, no two closer than a line of text, as long as there is room."""
    gap = min(_ROW - 1.0, (bottom - top) / max(1, len(ends) - 1))
    places: list[float] = []
    for end in ends:
        places.append(max(end, top, places[-1] + gap if places else top))
    limit = bottom
    for k in range(len(places) - 1, -1, -1):
        places[k] = min(places[k], limit)
        limit = places[k] - gap
    return places


def _rows(plot: Plot, width: int) -> list[list[Series]]:
    rows: list[list[Series]] = []
    left = 0.0
    for s in plot.series:
        wide = len(_short(s.name)) * _LETTER + 30
        if not rows or left + wide > width - 12:
            rows.append([])
            left = 0.0
        rows[-1].append(s)
        left += wide
    return rows


def _names_below(plot: Plot, f: _Frame) -> str:
    parts = []
    for k, row in enumerate(_rows(plot, int(f.width))):
        x, y = 12.0, f.bottom + 58 + k * _ROW
        for s in row:
            name = f'<text class="name" x="{x + 9:.1f}" y="{y + 4:.1f}">{html.escape(_short(s.name))}</text>'
            parts.append(_group(s.look, _mark(s.look, x, y) + name))
            x += len(_short(s.name)) * _LETTER + 30
    return "".join(parts)
