"""What a concept learner has learned, as one web page: maps of its spaces, a table of its concepts, what is mistaken.

It has the style of the page of a comparison; it needs no script and names no address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...dsl.domain import Domain
from ...pages.tables import Heading, ReportTable, TableCell, TableRow, text_columns
from . import concepts_map
from .embedding_maps import OTHERS, EmbeddingMap

if TYPE_CHECKING:
    from .probes import Probes

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
    maps: Sequence[EmbeddingMap]
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
    """Write the page; all but the drawings is escaped."""
    from ...pages.templates import render

    flat = any(sum(p.concept for p in m.points) <= 2 for m in known.maps)
    return render(
        "concepts.html",
        title=f"Concepts of {known.domain.name}",
        lead=_lead(known),
        about=list(known.about.items()),
        map_style=concepts_map.STYLE,
        maps=[(m.attribute, concepts_map.to_svg(m)) for m in known.maps],
        maps_note=MAPS + (" Where there are two values, up and down mean nothing." if flat else ""),
        concepts=_concepts(known),
        confusions=_confusions(known.domain, known.probes),
        confusions_note="" if known.probes is None else _confusions_note(known.probes),
    )


def _lead(known: Knowledge) -> str:
    learned = (
        f"{len(known.domain.concepts)} concepts of {len(known.domain.attributes)} attributes, learned from answers."
    )
    if known.probes is None:
        return f"{learned} With --data, what its objects are taken for is measured."
    shares = ", ".join(f"{a} {100 * s:.1f} %" for a, s in known.probes.classification.items())
    return f"{learned} Right values of {known.probes.objects:,} objects: {shares}."


def _concepts(known: Knowledge) -> ReportTable:
    """A row for each concept: its nearest other value, its weights, where it is decided."""
    columns: list[Heading | str] = [*text_columns("attribute", "nearest value"), "cosine", "weight, own space"]
    columns += [f"weight, '{OTHERS}'"] if any(OTHERS in w for w in known.belonging.values()) else []
    columns += ["decided in"] if known.deciding else []
    columns += ["counted right"] if known.probes is not None else []
    caption = WEIGHTS
    if known.deciding:
        caption += (
            " 'Decided in' is the space with the largest share of the score, over the objects that have the value."
        )
    rows = tuple(TableRow(concept, _cells(known, concept)) for concept in known.domain.concepts)
    return ReportTable("concept", tuple(columns), rows, title="What each concept is", caption=caption, key="concepts")


def _cells(known: Knowledge, concept: str) -> tuple[str, ...]:
    near, others = known.nearest.get(concept), known.others(concept)
    cells = [known.domain.attribute_of[concept]]
    cells += [near[0], f"{near[1]:+.2f}"] if near else ["", ""]
    cells.append(f"{known.own(concept):.2f}")
    cells += [] if others is None else [f"{others:.2f}"]
    if known.deciding:
        decided = known.decided(concept)
        cells.append("" if decided is None else f"{decided[0]} {100 * decided[1]:.0f} %")
    cells += [] if known.probes is None else [f"{100 * known.probes.counts[concept]:.1f} %"]
    return tuple(cells)


def _confusions(domain: Domain, probes: Probes | None) -> list[ReportTable]:
    """For each attribute, how often each value was taken for each."""
    if probes is None:
        return []
    tables = []
    for attribute in domain.attributes:
        values = domain.values(attribute)
        rows = []
        for value, counts in zip(values, probes.confusion[attribute], strict=True):
            total = sum(counts) or 1
            cells = (TableCell(f"{n:,}", shade=n / total) if n else TableCell("") for n in counts)
            rows.append(TableRow(value, tuple(cells)))
        tables.append(ReportTable("", tuple(values), tuple(rows), title=f"{attribute}: value, and taken for"))
    return tables


def _confusions_note(probes: Probes) -> str:
    error = probes.calibration.error
    return f"Objects by their value (rows) and the likeliest of its attribute (columns). Calibration error {error:.3f}."
