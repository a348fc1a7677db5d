"""Plots as SVG: positions of points, their labels, and names that do not overlap."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.pages.svg_plot import HUES, STYLE, Plot, PlotPoint, Series, _apart, draw, glyph

SVG = ElementTree.Element


def series(name: str, values: dict[float, float], look: int = 0, level: bool = False) -> Series:
    points = (PlotPoint(x, y, max(0.0, y - 0.1), min(1.0, y + 0.1), f"{name} at {x:g}") for x, y in values.items())
    return Series(name, tuple(points), look, level)


def parsed(plot: Plot, **more: object) -> SVG:
    return ElementTree.fromstring(draw(plot, **more))  # type: ignore[arg-type]


def having(element: SVG, css: str) -> list[SVG]:
    return [e for e in element.iter() if css in e.get("class", "").split()]


def place(mark: SVG) -> tuple[float, float]:
    x, y = re.findall(r"[-\d.]+", mark.get("transform", ""))
    return float(x), float(y)


def dots(svg: SVG) -> list[tuple[float, float]]:
    """Where the points of lines are; marks beside names are no points."""
    return [place(mark) for g in svg.iter("g") if g.find("title") is not None for mark in having(g, "mark")]


def texts(svg: SVG) -> list[str]:
    return ["".join(e.itertext()) for e in svg.iter("text")]


LINE = series("lstm", {3: 0.25, 4: 0.5, 6: 1.0})


def test_points_fall_where_their_values_are() -> None:
    (x0, y0), (x1, y1), (x2, y2) = dots(parsed(Plot("p", "objects", (LINE,))))
    assert (x2 - x1) == pytest.approx(2 * (x1 - x0), abs=0.2)
    assert (y1 - y2) == pytest.approx(2 * (y0 - y1), abs=0.2) and y0 > y1 > y2


def test_a_logarithmic_axis_keeps_ratios() -> None:
    line = series("lstm", {10: 0.1, 100: 0.2, 1000: 0.3})
    (x0, _), (x1, _), (x2, _) = dots(parsed(Plot("p", "questions", (line,), log=True)))
    assert x2 - x1 == pytest.approx(x1 - x0, abs=0.2)
    with pytest.raises(ValueError, match="above 0"):
        draw(Plot("p", "questions", (series("lstm", {0: 0.1}),), log=True))


def test_intervals_run_from_low_to_high() -> None:
    svg = parsed(Plot("p", "objects", (series("lstm", {3: 0.5}),)))
    ((_, y),) = dots(svg)
    (bar,) = having(svg, "bar")
    numbers = re.match(r"M[\d.]+ ([\d.]+)V([\d.]+)", bar.get("d", ""))
    assert numbers is not None
    low, high = float(numbers[1]), float(numbers[2])
    assert low > y > high and low - y == pytest.approx(y - high, abs=0.2)


def test_lines_at_one_place_stand_beside_each_other() -> None:
    svg = parsed(Plot("p", "objects", (series("a", {3: 0.5, 4: 0.5}), series("b", {3: 0.5, 4: 0.5}, 1))))
    xs = [x for x, _ in dots(svg)]
    assert len({round(x) for x in xs}) == 4 and abs(xs[0] - xs[2]) < abs(xs[0] - xs[1]) / 3


def test_a_level_runs_across_with_its_band() -> None:
    svg = parsed(Plot("p", "questions", (LINE, series("exact", {1: 0.9}, 1, level=True))))
    (band,) = having(svg, "band")
    (grid, *_) = having(svg, "base")
    ends = re.match(r"M([\d.]+) [\d.]+H([\d.]+)", grid.get("d", ""))
    assert ends is not None
    assert float(band.get("x", "")) == float(ends[1])
    assert float(band.get("width", "")) == pytest.approx(float(ends[2]) - float(ends[1]), abs=0.11)
    assert len(dots(svg)) == 3  # and it moves no axis


def test_a_range_is_shaded_and_named() -> None:
    svg = parsed(Plot("p", "objects", (LINE,), shade=(3, 4), shade_label="trained on 3–4"))
    (rect,) = having(svg, "shade")
    left, width = float(rect.get("x", "")), float(rect.get("width", ""))
    (x0, _), (x1, _), (x2, _) = dots(svg)
    assert left < x0 and x1 < left + width < x2 and "trained on 3–4" in texts(svg)
    outside = parsed(Plot("p", "objects", (LINE,), shade=(50, 60), shade_label="trained on 50–60"))
    assert not having(outside, "shade")


@pytest.mark.parametrize("names", ["right", "below"])
def test_series_are_named_with_their_marks(names: str) -> None:
    plot = Plot("p", "objects", tuple(series(f"s{k}", {3: 0.5, 4: 0.6}, k) for k in range(12)))
    svg = parsed(plot, width=350, names=names)
    named = [e for e in having(svg, "series") if having(e, "name")]
    assert [t for e in named for t in texts(e)] and len(named) == 12
    forms = {(mark.get("d"), "hollow" in e.get("class", "")) for e in named for mark in having(e, "mark")}
    assert len(forms) == 12  # colour is not the only difference
    _, _, width, height = map(float, svg.get("viewBox", "").split())
    for e in svg.iter("text"):
        assert 0 <= float(e.get("x", "")) <= width and 0 <= float(e.get("y", "")) <= height


def test_text_is_escaped_and_readers_are_told() -> None:
    evil = '<script>alert("&")</script>'
    line = Series(evil, (PlotPoint(3, 0.5, 0.4, 0.6, evil),))
    text = draw(Plot(evil, evil, (line,), ticks=((3, evil),), shade=(3, 3), shade_label=evil, y_label=evil))
    assert "<script" not in text
    svg = ElementTree.fromstring(text)
    title = svg.find("title")
    assert svg.get("role") == "img" and svg.get("aria-label") == evil and title is not None and title.text == evil
    assert evil in [t.text for t in svg.iter("title")][1:]


def test_ticks_do_not_run_into_each_other() -> None:
    ticks = tuple((float(v), f"{v:,}") for v in range(1000, 1100))
    line = series("a", {1000: 0.5, 1099: 0.5})
    labels = [t for t in texts(parsed(Plot("p", "x", (line,), ticks=ticks), width=350)) if "," in t and t[0] == "1"]
    assert 2 < len(labels) < 12


@pytest.mark.parametrize(("low", "high"), [(3, 10), (0, 0), (1, 2), (0, 100_000)])
def test_ticks_are_whole_numbers(low: int, high: int) -> None:
    svg = parsed(Plot("p", "objects", (series("a", {low: 0.5, high: 0.5}),)))
    numbers = [t for t in texts(svg)[6:] if re.fullmatch(r"[\d,]+", t)]
    assert 1 <= len(numbers) <= 13 and all(float(n.replace(",", "")).is_integer() for n in numbers)


def test_nothing_to_draw_is_drawn() -> None:
    assert dots(parsed(Plot("p", "objects", ()))) == []
    assert dots(parsed(Plot("p", "objects", (Series("a", ()),), log=True))) == []


@given(st.lists(st.floats(20, 300), max_size=15))
def test_names_stand_apart_and_in_order(ends: list[float]) -> None:
    places = _apart(sorted(ends), 20, 300)
    assert len(places) == len(ends)
    assert all(b - a >= 14.9 for a, b in pairwise(places))
    assert all(19.9 <= p <= 300.1 for p in places)


@pytest.mark.parametrize("n", [1, 8, 16, 25, 60])
@pytest.mark.parametrize("shade", [None, (1.0, 2.0)])
def test_many_names_stand_apart_in_the_drawing(n: int, shade: tuple[float, float] | None) -> None:
    """All lines end in one point: the plot is then as high as its names."""
    lines = tuple(series(f"reasoner {k}", {1: 0.2, 2: 0.5}, look=k) for k in range(n))
    svg = parsed(Plot("t", "x", lines, shade=shade), width=600, height=360)
    names = [e for e in having(svg, "name") if e.tag.endswith("text")]
    rows = sorted(float(e.get("y", "nan")) for e in names)
    height = float(svg.get("viewBox", "").split()[3])
    assert len(rows) == n and all(b - a >= 14.9 for a, b in pairwise(rows))
    assert rows[0] > 8 and rows[-1] <= height - 40  # above what is written below the axis


def test_names_that_have_room_stay_where_their_lines_end() -> None:
    assert _apart([40, 100, 200], 20, 300) == [40, 100, 200]


def test_colours_come_in_two_sets() -> None:
    for k in range(HUES):
        assert STYLE.count(f"--plot-{k}:") == 2
    assert "prefers-color-scheme" in STYLE and "http" not in STYLE and "@import" not in STYLE
    assert "hollow" in glyph(HUES) and "hollow" not in glyph(0)
    assert math.isclose(float(glyph(0).count("<path")), 1)
