"""A comparison as one web page: its tables, plots and examples. It needs no script and names no address.

path.write_text(page(comparison), encoding="utf-8")
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from ..pages import svg_plot
from ..pages.svg_plot import Plot, Point, Series
from ..pages.tables import NONE, ReportTable
from ..queries.scores import Score
from .results import Comparison, Example
from .statistics import Bin, Figures
from .tables import accuracy, agreement, beside, cost, fact, is_wide, runs, varying_facts
from .wording import about, cut, heading, interval, lead, notes, percent, questions, reply, span, words

_escape = html.escape
_BESIDE = 7  # columns of scores at most, for training and speed to stand in the same table


def page(comparison: Comparison) -> str:
    """The page; all but the drawings of scenes, which are trusted, is escaped."""
    figures = Figures.of(comparison)
    sections = [_accuracy(figures), _plots(figures), _agreement(figures), _examples(figures), _notes(figures)]
    parts = {
        "title": _escape(heading(figures)),
        "heading": _escape(heading(figures)),
        "lead": _escape(lead(figures)),
        "about": "".join(f"<div><dt>{_escape(k)}</dt><dd>{_escape(v)}</dd></div>" for k, v in about(figures)),
        "style": svg_plot.STYLE,
        "defs": _defs() if any(e.scene for e in figures.examples) else "",
        "sections": "".join(sections),
    }
    # One pass: what is put in is not looked at again, whatever a question says.
    return re.sub(r"<!--@(\w+)-->", lambda found: parts[found[1]], _template("nsreason.comparison", "comparison.html"))


def _template(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def _defs() -> str:
    """The shades of solids that plans of scenes refer to: those of a trace's page."""
    found = re.search(r'<svg class="defs".*?</svg>', _template("nsreason.traces", "trace.html"), re.DOTALL)
    return found[0] if found else ""


def _section(name: str, title: str, inside: str, css: str = "card", note: str = "") -> str:
    told = f'<p class="note">{_escape(note)}</p>' if note else ""
    return f'<section class="{css}" id="{name}"><h2>{_escape(title)}</h2>{inside}{told}</section>'


# --- tables -------------------------------------------------------------------------------------------------


def _accuracy(figures: Figures) -> str:
    scores, spent = accuracy(figures), cost(figures)
    if not spent.rows:
        return _section("accuracy", "Accuracy by question type", "<p>There is no run.</p>")
    if not is_wide(figures) and len(scores.columns) <= _BESIDE:
        return _section(
            "accuracy", scores.title, beside(scores, spent).html(split=len(scores.columns)), note=scores.caption
        )
    first = _section("accuracy", scores.title, scores.html(), note=scores.caption) if scores.rows else ""
    return first + _section("cost", spent.title, spent.html())


def _agreement(figures: Figures) -> str:
    table = agreement(figures)
    return _section("agreement", table.title, table.html(css="heat"), note=table.caption) if table.rows else ""


# --- plots --------------------------------------------------------------------------------------------------


def _plots(figures: Figures) -> str:
    facts = varying_facts(figures)
    # Two plots beside each other; an odd one out takes the whole width.
    first = _learning(figures, alone=len(facts) % 2 == 0)
    made = [
        first,
        *(_fact(figures, f, alone=not first and k == 0 and len(facts) % 2 == 1) for k, f in enumerate(facts)),
    ]
    made = [m for m in made if m]
    return f'<div class="plots">{"".join(made)}</div>' if made else ""


def _figure(name: str, plot: Plot, table: ReportTable, note: str, alone: bool) -> str:
    """A plot for wide and one for narrow windows, and the numbers that it shows."""
    wide = svg_plot.draw(plot, width=900 if alone else 640, height=400 if alone else 380)
    slim = svg_plot.draw(plot, width=350, height=300, names="below")
    drawn = f'<div class="plot-box"><div class="wide">{wide}</div><div class="slim">{slim}</div></div>'
    numbers = f"<details><summary>The numbers</summary>{table.html()}</details>"
    told = f'<p class="note">{_escape(note)}</p>' if note else ""
    return _section(name, table.title, drawn + told + numbers, "card alone" if alone else "card")


def _point(x: float, score: Score, told: str) -> Point:
    low, high = score.interval
    share = score.accuracy or 0.0
    words = f"{told}: {percent(share)} % ({interval(score)}), {score.right:,} of {score.total:,}"
    return Point(x, share, low, high, words)


def _learning(figures: Figures, alone: bool) -> str:
    table = runs(figures)
    sizes = [s for s in figures.sizes if s > 0]
    if len(sizes) < 2 or not figures.scored:
        rest = len(figures.runs) > len(figures.best)
        return _section("runs", table.title, table.html(), "card alone" if alone else "card") if rest else ""
    lines = []
    for curve in figures.curves:
        look = figures.reasoners.index(curve.reasoner)
        points = tuple(
            _point(size, score, f"{curve.reasoner}, {questions(size)}") for size, score in curve.points if size > 0
        )
        if points:
            lines.append(Series(curve.reasoner, points, look))
        elif curve.level is not None:
            lines.append(Series(curve.reasoner, (_point(1.0, curve.level, curve.reasoner),), look, level=True))
    ticks = tuple((float(s), _short(s)) for s in sizes)
    plot = Plot("Accuracy against training-set size", "training questions", tuple(lines), log=True, ticks=ticks)
    level = any(s.level for s in lines)
    note = "Bars are 95 % Wilson intervals." + (" Dashed: reasoners that are not trained here." if level else "")
    return _figure("runs", plot, table, note, alone)


def _short(size: int) -> str:
    """`700`, `10k`, `1.5M`."""
    for unit, sign in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit and size % (unit // 100) == 0:
            return f"{size / unit:g}{sign}"
    return f"{size:,}"


def _fact(figures: Figures, name: str, alone: bool) -> str:
    bins, known = figures.bins[name], figures.trained(name)
    lines = []
    for r in figures.working:
        pairs = [(b, s) for b, s in zip(bins, r.facts[name], strict=True) if s.total]
        points = tuple(_point(b.mean, s, f"{r.run.reasoner}, {name} {b.label}") for b, s in pairs)
        lines.append(Series(r.run.reasoner, points, figures.reasoners.index(r.run.reasoner)))
    told = f"trained on {span(known)}" if known else ""
    shade = (float(known[0]), float(known[1])) if known else None
    table = fact(figures, name)
    place = f"fact-{list(figures.bins).index(name)}"
    plot = Plot(table.title, name, tuple(lines), shade=shade, shade_label=told)
    return _figure(place, plot, table, _generalising(figures, name, known, bins), alone)


def _generalising(figures: Figures, name: str, known: tuple[int, int] | None, bins: Sequence[Bin]) -> str:
    merged = any(b.low != b.high for b in bins)
    told = "Neighbouring values share a point where questions are few." if merged else ""
    if known is None:
        return told
    falls = []
    for r in figures.working:
        inside, outside = r.within[name].accuracy, r.beyond[name].accuracy
        if inside is not None and outside is not None:
            falls.append(f"{r.run.reasoner} {percent(inside)} → {percent(outside)}")
    gap = f"Within what was trained on → beyond: {', '.join(falls)}." if falls else ""
    return f"{gap} {told}".strip()


# --- examples -----------------------------------------------------------------------------------------------


def _examples(figures: Figures) -> str:
    made = "".join(_example(figures, e) for e in figures.examples)
    return _section("examples", "Where they differ", f'<div class="examples">{made}</div>') if made else ""


def _example(figures: Figures, example: Example) -> str:
    question = figures.comparison.queries[example.place]
    facts = "".join(f" · {name} {value:,}" for name, value in question.facts.items())
    about_ = f"question {question.index:,} · {question.type.strip()}{facts}"
    text = question.text or f"Question {question.index:,}"
    answer = NONE if question.answer is None else question.answer
    ask = (
        f'<div class="ask"><p class="n">{_escape(about_)}</p><h3>{_escape(text)}</h3>'
        f'<p class="truth">right answer: <b title="{_escape(answer)}">{_escape(cut(answer))}</b></p></div>'
    )
    rows = "".join(_reply(figures, k, example.place) for k in range(len(figures.working)))
    said = (
        f'<div class="part said-part"><p class="n">answers</p><table class="said"><tbody>{rows}</tbody></table></div>'
    )
    seen = "".join(
        (
            f'<p class="n">what is asked about</p><div class="drawing">{example.scene}</div>' if example.scene else "",
            f'<p class="n">what is told</p><pre class="told">{_escape(example.told)}</pre>' if example.told else "",
        )
    )
    of = f"how {example.of} answers it" if example.of else "how it is answered"
    traced = f'<p class="n">{_escape(of)}</p><pre tabindex="0">{_escape(example.trace)}</pre>' if example.trace else ""
    parts = [said, *(f'<div class="part">{p}</div>' for p in (seen, traced) if p)]
    css = "example all-three" if len(parts) == 3 else "example"
    return f'<article class="{css}">{ask}{"".join(parts)}</article>'


def _reply(figures: Figures, k: int, place: int) -> str:
    r = figures.working[k]
    said, score, right = reply(figures, r.run, place)
    known = figures.comparison.queries[place].answer is not None
    css, sign, word = ("right", "✓", "right") if right else ("wrong", "✗", "wrong") if known else ("", "", "")
    mark = f'<span class="sign" aria-hidden="true">{sign}</span><span class="vh">{word}: </span>'
    error = r.run.errors.get(place)
    why = f'<span class="n"> ({_escape(cut(error, 90))})</span>' if error else ""
    shown = f'<span title="{_escape(said)}">{_escape(cut(said))}</span>'
    name = f"{svg_plot.glyph(figures.reasoners.index(r.run.reasoner))}{_escape(r.run.reasoner)}"
    return f'<tr><th scope="row">{name}</th><td class="{css}">{mark}{shown}{why}</td><td>{score}</td></tr>'


# --- notes and settings -------------------------------------------------------------------------------------


def _notes(figures: Figures) -> str:
    told = notes(figures)
    listed = f'<ul class="notes">{"".join(f"<li>{_escape(n)}</li>" for n in told)}</ul>' if told else ""
    settings = _settings(figures.comparison.settings)
    for r in figures.best:
        if r.run.settings:
            settings += f"<h3>{_escape(r.run.title)}</h3>{_settings(r.run.settings)}"
    found = f"<details><summary>All settings</summary>{settings}</details>"
    return _section("notes", "Notes and settings" if told else "Settings", listed + found)


def _settings(given: Mapping[str, Any]) -> str:
    rows = "".join(f"<dt>{_escape(str(k))}</dt><dd>{_escape(words(v))}</dd>" for k, v in given.items())
    return f'<dl class="settings">{rows}</dl>'
