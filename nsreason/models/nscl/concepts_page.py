"""What a concept learner has learned, as one web page: maps of its spaces, a table of its concepts, what is mistaken.

It has the style of the page of a comparison; it needs no script and names no address.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from ...dsl.domain import Domain
from . import concepts_map
from .embedding_maps import OTHERS, Map

if TYPE_CHECKING:
    from .probes import Probes

_escape = html.escape

WEIGHTS = (
    "How well an object fits a concept is a sum over spaces: in each, the concept's weight there times an exponential "
    "of how near the object lies to it. Weights begin even and add up to 1. Questions of an attribute are answered in "
    f"its own space, so a weight in another attribute's space costs while learning; one in '{OTHERS}', of which no "
    "question asks, costs nothing, and weight collects there. It decides nothing as long as no object lies near the "
    f"concept in '{OTHERS}'."
)
MAPS = (
    "Large dots are concepts, on a circle, like ones beside each other. Small dots are objects in the colour of the "
    "value that they have, nearer to the concepts that they are more like: a dot among those of another colour is "
    "taken for them."
)
STYLE = (
    ".taken{display:grid;gap:6px 34px;margin-top:8px}"
    "@media(min-width:860px){.taken{grid-template-columns:repeat(2,minmax(0,1fr))}}"
    ".taken table.few{min-width:0}.taken tbody th{min-width:5em}"
    "#concepts td:nth-child(2),#concepts td:nth-child(3),#concepts th:nth-child(2),#concepts th:nth-child(3)"
    "{text-align:left}"
)


@dataclass(frozen=True)
class Knowledge:
    """What is known of a learner.

    Attributes:
        nearest: per concept the nearest other value of its attribute, and the cosine.
        belonging: per concept its weight in each space.
        deciding: per concept the share of each space in its score, of objects that have it; empty without objects.
        probes: None without annotated scenes.
        about: what to say of where it comes from, by name.
    """

    domain: Domain
    maps: Sequence[Map]
    nearest: Mapping[str, tuple[str, float]]
    belonging: Mapping[str, Mapping[str, float]]
    deciding: Mapping[str, Mapping[str, float]]
    probes: Probes | None
    about: Mapping[str, str]

    def own(self, concept: str) -> float:
        """The concept's weight in its attribute's space."""
        return self.belonging[concept][self.domain.attribute_of[concept]]

    def others(self, concept: str) -> float | None:
        """Its weight in the space that is of no attribute, if there is one."""
        return self.belonging[concept].get(OTHERS)

    def decided(self, concept: str) -> tuple[str, float] | None:
        """The space in which it is decided most, and how much."""
        shares = self.deciding.get(concept)
        if not shares:
            return None
        space = max(shares, key=lambda name: shares[name])
        return space, shares[space]


def page(known: Knowledge) -> str:
    """The page; all but the drawings is escaped."""
    title = f"Concepts of {known.domain.name}"
    parts = {
        "title": _escape(title),
        "heading": _escape(title),
        "lead": _escape(_lead(known)),
        "about": "".join(f"<div><dt>{_escape(k)}</dt><dd>{_escape(v)}</dd></div>" for k, v in known.about.items()),
        "style": concepts_map.STYLE + STYLE,
        "defs": "",
        "sections": "".join([_maps(known), _concepts(known), _taken(known)]),
    }
    template = resources.files("nsreason.comparison").joinpath("comparison.html").read_text(encoding="utf-8")
    return re.sub(r"<!--@(\w+)-->", lambda found: parts[found[1]], template)


def _lead(known: Knowledge) -> str:
    told = f"{len(known.domain.concepts)} concepts of {len(known.domain.attributes)} attributes, learned from answers."
    if known.probes is None:
        return f"{told} With --data, what its objects are taken for is measured."
    shares = ", ".join(f"{a} {100 * s:.1f} %" for a, s in known.probes.classification.items())
    return f"{told} Of {known.probes.objects:,} objects the right value is told: {shares}."


def _section(name: str, title: str, inside: str, note: str = "") -> str:
    told = f'<p class="note">{_escape(note)}</p>' if note else ""
    return f'<section class="card" id="{name}"><h2>{_escape(title)}</h2>{inside}{told}</section>'


def _maps(known: Knowledge) -> str:
    cards = "".join(
        f'<section class="card"><h2>{_escape(m.attribute)}</h2>{concepts_map.to_svg(m)}</section>' for m in known.maps
    )
    flat = any(sum(p.concept for p in m.points) <= 2 for m in known.maps)
    more = " Where there are two values, up and down mean nothing." if flat else ""
    return f'<div class="maps">{cards}</div><p class="note">{_escape(MAPS + more)}</p>'


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], css: str = "") -> str:
    """A table of text; cells come escaped, as `<td>` elements or as their content."""
    head = "".join(f'<th scope="col"><span class="label">{_escape(h)}</span></th>' for h in heads)
    body = "".join(
        f'<tr><th scope="row"><span class="label">{first}</span></th>'
        + "".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in rest)
        + "</tr>"
        for first, *rest in rows
    )
    inside = f'<table class="{css}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="box" tabindex="0" role="region" aria-label="{_escape(title)}">{inside}</div>'


def _concepts(known: Knowledge) -> str:
    heads = ["concept", "attribute", "nearest value", "cosine", "weight, own space"]
    heads += [f"weight, '{OTHERS}'"] if any(OTHERS in w for w in known.belonging.values()) else []
    heads += ["decided in"] if known.deciding else []
    heads += ["counted right"] if known.probes is not None else []
    rows = []
    for concept in known.domain.concepts:
        near = known.nearest.get(concept)
        row = [_escape(concept), _escape(known.domain.attribute_of[concept])]
        row += [_escape(near[0]), f"{near[1]:+.2f}"] if near else ["", ""]
        row.append(f"{known.own(concept):.2f}")
        others = known.others(concept)
        row += [] if others is None else [f"{others:.2f}"]
        if known.deciding:
            decided = known.decided(concept)
            row.append("" if decided is None else f"{_escape(decided[0])} {100 * decided[1]:.0f} %")
        row += [] if known.probes is None else [f"{100 * known.probes.counts[concept]:.1f} %"]
        rows.append(row)
    title = "What each concept is"
    note = WEIGHTS
    if known.deciding:
        note += " 'Decided in' is the space with the largest share of the score, over the objects that have the value."
    return _section("concepts", title, _table(title, heads, rows), note)


def _taken(known: Knowledge) -> str:
    if known.probes is None:
        return ""
    made = ""
    for attribute in known.domain.attributes:
        values = known.domain.values(attribute)
        rows = []
        for value, counts in zip(values, known.probes.confusion[attribute], strict=True):
            total = sum(counts) or 1
            cells = [f'<td style="--share:{n / total:.3f}">{n:,}</td>' if n else "<td></td>" for n in counts]
            rows.append([_escape(value), *cells])
        title = f"{attribute}: value, and taken for"
        made += f"<div><h3>{_escape(title)}</h3>{_table(title, ['', *values], rows, 'heat few')}</div>"
    error = known.probes.calibration.error
    note = f"Objects by their value (rows) and the likeliest of its attribute (columns). Calibration error {error:.3f}."
    return _section("taken", "What is taken for what", f'<div class="taken">{made}</div>', note)
