"""What a learner has learned, concept by concept: measured on its degrees, against the scenes as annotated.

    probes = probe(learner.ground_scenes(scenes), scenes)
    probes.classification["color"], probes.counts["red"], probes.calibration.error

`classification` asks each object for its value; `counts` asks each scene how many objects are red, as the
question `count(filter[red](scene()))` would. The second is the stricter one: a count is right only when every object is
(Mao et al., NS-CL, ICLR 2019, section 4.1, report 98.7 % of counts right).

S scenes, N objects, C concepts, A attributes, R relations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ...dsl.domain import Domain
from ...executors.soft.algebras import Goedel
from ...executors.soft.faults import check_tables
from ...executors.soft.grounding import Grounded, ground_crisp
from ...scenes.scene import Scene

if TYPE_CHECKING:
    from ...pages.tables import ReportTable

BINS = 10


@dataclass(frozen=True)
class CalibrationBin:
    """Degrees between `low` and `high`: how many, their mean, and how many of them were true."""

    low: float
    high: float
    count: int
    degree: float
    true: float


@dataclass(frozen=True)
class Calibration:
    """Whether degrees can be taken for probabilities.

    error: the mean distance between degree and frequency over bins, weighted by their sizes (ECE).
    brier: the mean squared distance between degree and truth.
    """

    error: float
    brier: float
    bins: tuple[CalibrationBin, ...]


@dataclass(frozen=True)
class Probes:
    """Shares from 0 to 1.

    classification: per attribute, objects whose likeliest value is theirs.
    concepts: per concept, objects of which it is rightly held or not.
    counts: per concept, scenes whose objects of it are counted right; `count` is their mean over all concepts.
    relations: per relation, ordered pairs of which it is rightly held or not.
    alike: per attribute, ordered pairs of which it is rightly held that they share its value.
    confusion: per attribute, a table [value][likeliest value] of counts of objects.
    """

    key: ClassVar[str] = "probes"

    domain: Domain
    scenes: int
    objects: int
    classification: Mapping[str, float]
    concepts: Mapping[str, float]
    counts: Mapping[str, float]
    relations: Mapping[str, float]
    alike: Mapping[str, float]
    confusion: Mapping[str, list[list[int]]]
    calibration: Calibration

    @property
    def count(self) -> float:
        """The mean of `counts`."""
        return sum(self.counts.values()) / len(self.counts)

    def counts_of(self, attribute: str) -> float:
        """The mean of `counts` over an attribute's values."""
        values = self.domain.values(attribute)
        return sum(self.counts[v] for v in values) / len(values)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        shares = {
            name: dict(getattr(self, name))
            for name in ("classification", "concepts", "counts", "relations", "alike", "confusion")
        }
        c = self.calibration
        bins = [{"low": b.low, "high": b.high, "count": b.count, "degree": b.degree, "true": b.true} for b in c.bins]
        by_attribute = {a: self.counts_of(a) for a in self.domain.attributes}
        return {
            "scenes": self.scenes,
            "objects": self.objects,
            **shares,
            "count_probes": {"all": self.count, **by_attribute},
            "calibration": {"error": c.error, "brier": c.brier, "bins": bins},
        }

    def table(self) -> ReportTable:
        """For a terminal, as a rich renderable."""
        from ...pages.tables import Note, ReportTable, TableRow

        rows = []
        for a in self.domain.attributes:
            worst = min(self.domain.values(a), key=lambda v: self.counts[v])
            cells = tuple(map(_percent, (self.classification[a], self.counts_of(a), self.alike[a])))
            rows.append(TableRow(a, (*cells, f"{worst} {_percent(self.counts[worst])}")))
        listed = ", ".join(f"{r} {_percent(v)}" for r, v in self.relations.items())
        error, brier = self.calibration.error, self.calibration.brier
        note = f"all counts {_percent(self.count)}; calibration error {error:.4f}, Brier score {brier:.4f}"
        return ReportTable(
            "attribute",
            ("classified", "counted", "same", "least counted"),
            tuple(rows),
            title="concept probes",
            caption=f"relations: {listed}" if listed else "",
            notes=(Note(note),),
        )

    def to_markdown(self) -> str:
        """As Markdown."""
        return "\n".join([*self.table().markdown(), ""])


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


@torch.no_grad()
def probe(grounded: Grounded, scenes: Sequence[Scene]) -> Probes:
    """Measure tables of degrees against the annotations of the same scenes, in the same order.

    Degrees may be logits (the algebra `logit`) or lie in [0, 1]; `grounded.nothing` says which.

    Raises:
        ExecutionError: there is no scene, or a table holds what is no degree.
        SceneError: a scene does not say how its objects are related.
    """
    domain = grounded.domain
    truth = ground_crisp(scenes, Goedel(), pad=max(0, grounded.n - max(map(len, scenes), default=0)))
    seen = grounded.to("cpu")
    check_tables(seen)
    logits = seen.nothing < 0
    there = seen.present
    pairs = (there[:, :, None] & there[:, None, :] & ~torch.eye(seen.n, dtype=torch.bool)).unsqueeze(1)

    def agree(degrees: Tensor, truths: Tensor, where: Tensor) -> list[float]:
        """(S, X, ...) degrees against truths: the share of right ones for each X."""
        correct = (degrees > (0.0 if logits else 0.5)) == (truths > 0.5)
        where = where.expand_as(correct)
        sums = (correct & where).transpose(0, 1).flatten(1).sum(1) / where.transpose(0, 1).flatten(1).sum(1).clamp_min(
            1
        )
        return [float(x) for x in sums]

    predicted = seen.concepts > (0.0 if logits else 0.5)
    counted = (predicted & there[:, None]).sum(-1) == (truth.concepts > 0.5).sum(-1)  # (S, C)
    confusion = _confusion(seen, truth)
    sure = seen.concepts.sigmoid() if logits else seen.concepts
    chosen = there[:, None].expand_as(sure)
    return Probes(
        domain,
        len(scenes),
        int(there.sum()),
        {a: _diagonal(confusion[a]) for a in domain.attributes},
        dict(zip(domain.concepts, agree(seen.concepts, truth.concepts, there[:, None]), strict=True)),
        dict(zip(domain.concepts, counted.float().mean(0).tolist(), strict=True)),
        dict(zip(domain.relations, agree(seen.relations, truth.relations, pairs), strict=True)),
        dict(zip(domain.attributes, agree(seen.alike, truth.alike, pairs), strict=True)),
        confusion,
        calibrate(sure[chosen], truth.concepts[chosen]),
    )


def _confusion(seen: Grounded, truth: Grounded) -> dict[str, list[list[int]]]:
    """Per attribute: objects by their value (rows) and the likeliest of its values (columns)."""
    domain = seen.domain
    tables: dict[str, list[list[int]]] = {}
    for number, attribute in enumerate(domain.attributes):
        first = domain.concept_index[domain.values(attribute)[0]]
        size = len(domain.values(attribute))
        predicted = seen.words[:, number, :, first : first + size].argmax(-1)[seen.present]
        actual = truth.words[:, number, :, first : first + size].argmax(-1)[seen.present]
        cells: list[list[int]] = (
            torch.bincount(actual * size + predicted, minlength=size * size).view(size, size).tolist()
        )
        tables[attribute] = cells
    return tables


def _diagonal(cells: list[list[int]]) -> float:
    total = sum(map(sum, cells))
    return sum(row[i] for i, row in enumerate(cells)) / total if total else 0.0


def calibrate(degrees: Tensor, truths: Tensor, bins: int = BINS) -> Calibration:
    """Degrees (M,) in [0, 1] against truths (M,) of 0 and 1, in bins of equal width.

    Raises:
        ValueError: there are none.
    """
    if not len(degrees):
        raise ValueError("there is no degree to calibrate")
    degrees, truths = degrees.double(), truths.double()
    place = (degrees * bins).long().clamp(0, bins - 1)
    count = torch.bincount(place, minlength=bins)
    degree = torch.bincount(place, degrees, minlength=bins) / count.clamp_min(1)
    true = torch.bincount(place, truths, minlength=bins) / count.clamp_min(1)
    error = float((count * (degree - true).abs()).sum() / len(degrees))
    rows = zip(count.tolist(), degree.tolist(), true.tolist(), strict=True)
    kept = tuple(CalibrationBin(i / bins, (i + 1) / bins, n, d, t) for i, (n, d, t) in enumerate(rows) if n)
    return Calibration(error, float(((degrees - truths) ** 2).mean()), kept)
