"""What was seen in images against what is annotated: which step of the way from pixels to an answer failed.

    report = PerceptionReport(domain)
    report.add(seen, truth)                 # scenes of one image
    report.to_dict(), report.table()

Objects are matched by their masks or boxes where the annotation has them, otherwise by where their centres are seen,
as in the released CLEVR scenes. Attributes, distances and relations are then those of matched objects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..dsl.domain import Domain
from ..errors import NsreasonError, SceneError
from ..pages.tables import Heading, Note, ReportTable, TableRow
from ..queries.scores import Score
from ..scenes.scene import Scene

NEAR = 0.05  # of the image's diagonal: how far a centre may be seen from where it is; 29 pixels of CLEVR's
LEAST_IOU = 0.5
_SHOWN = 3  # confusions of an attribute in the report

Pairs = Sequence[tuple[int, int]]


@dataclass
class PerceptionReport:
    """Counts over images.

    Attributes:
        recall: annotated objects that were detected. extra: objects that were seen and are not annotated.
        attributes: right values of found objects, by attribute. objects: found objects with all values right.
        confusions: by attribute, how often a value was taken for another.
        relations: right ordered pairs of found objects, by relation.
        scenes: images in which every object was found, nothing else, and all values and relations are right.
        distances: from where a found object stands to where it was seen, in the plane.
        bad: images that could not be compared, and why.
    """

    key: ClassVar[str] = "perception"

    domain: Domain
    recall: Score = field(default_factory=Score)
    extra: int = 0
    attributes: dict[str, Score] = field(default_factory=dict)
    objects: Score = field(default_factory=Score)
    confusions: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    relations: dict[str, Score] = field(default_factory=dict)
    scenes: Score = field(default_factory=Score)
    distances: list[float] = field(default_factory=list)
    bad: list[NsreasonError] = field(default_factory=list)

    def add(self, seen: Scene, truth: Scene, size: tuple[int, int], pairs: Pairs | None = None) -> None:
        """Compare an image's scenes.

        Args:
            size: the image's width and height.
            pairs: (seen, annotated) objects that are known to be the same; None matches them.
        """
        if pairs is None:
            pairs = match_places(seen, truth, size)
        faults = len(truth) - len(pairs) + len(seen) - len(pairs)
        self.recall.add(Score(len(pairs), len(truth)))
        self.extra += len(seen) - len(pairs)
        for i, j in pairs:
            faults += self._object(seen, i, truth, j)
        for name in self.domain.relations:
            faults += self._relation(name, seen, truth, pairs)
        self.scenes.add(Score(int(faults == 0), 1))

    def _object(self, seen: Scene, i: int, truth: Scene, j: int) -> int:
        wrong = 0
        for attribute in self.domain.attributes:
            value, true = seen.value(i, attribute), truth.value(j, attribute)
            right = value == true
            wrong += not right
            self.attributes.setdefault(attribute, Score()).add(Score(int(right), 1))
            if not right:
                confusions = self.confusions.setdefault(attribute, {})
                confusions[true, value] = confusions.get((true, value), 0) + 1
        self.objects.add(Score(int(wrong == 0), 1))
        here, there = seen.places[i].coords, truth.places[j].coords
        if here is not None and there is not None:
            self.distances.append(math.dist(here[:2], there[:2]))
        return wrong

    def _relation(self, name: str, seen: Scene, truth: Scene, pairs: Pairs) -> int:
        number = self.domain.relation_index[name]
        try:
            related, true = seen.relation(number), truth.relation(number)
        except SceneError:
            return 0
        right = total = 0
        for i, j in pairs:
            for k, m in pairs:
                if i != k:
                    total += 1
                    right += (related[i] >> k & 1) == (true[j] >> m & 1)
        self.relations.setdefault(name, Score()).add(Score(right, total))
        return total - right

    @property
    def distance(self) -> float | None:
        """The mean distance, or None of nothing."""
        return sum(self.distances) / len(self.distances) if self.distances else None

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {
            "images": self.scenes.total,
            "objects_found": self.recall.to_dict(),
            "objects_extra": self.extra,
            "objects_right": self.objects.to_dict(),
            "attributes": {a: s.to_dict() for a, s in self.attributes.items()},
            "confusions": {
                a: [{"is": true, "taken_for": value, "count": n} for (true, value), n in self._most(a, None)]
                for a in self.confusions
            },
            "relations": {r: s.to_dict() for r, s in self.relations.items()},
            "distance": self.distance,
            "scenes_right": self.scenes.to_dict(),
            "bad": [str(error) for error in self.bad],
        }

    def _most(self, attribute: str, most: int | None) -> list[tuple[tuple[str, str], int]]:
        return sorted(self.confusions[attribute].items(), key=lambda kv: (-kv[1], kv[0]))[:most]

    def _rows(self) -> list[tuple[str, Score, str]]:
        rows = [("objects found", self.recall, f"{self.extra:,} more seen that are not annotated")]
        for attribute, score in self.attributes.items():
            confused = self._most(attribute, _SHOWN) if attribute in self.confusions else []
            rows.append((attribute, score, ", ".join(f"{a} for {b} {n}" for (b, a), n in confused)))
        rows.append(("all attributes", self.objects, ""))
        rows += [(f"relation {name}", score, "") for name, score in self.relations.items()]
        rows.append(("whole scenes", self.scenes, "" if self.distance is None else f"distance {self.distance:.3f}"))
        return rows

    def table(self) -> ReportTable:
        """The report for a terminal, as a rich renderable."""
        rows = tuple(
            TableRow(name, (f"{score.right:,}", f"{score.total:,}", _share(score), remark))
            for name, score, remark in self._rows()
        )
        columns = ("right", "of", "share", Heading("remarks", align="left"))
        notes = tuple(Note(f"not compared: {error}") for error in self.bad[:_SHOWN])
        return ReportTable("what was perceived", columns, rows, title=self._title(), notes=notes)

    def to_markdown(self) -> str:
        """The report as a Markdown table."""
        return "\n".join([*self.table().markdown(), ""])

    def _title(self) -> str:
        bad = f", {len(self.bad):,} not compared" if self.bad else ""
        return f"{self.scenes.total:,} images seen against their annotations{bad}"


def _share(score: Score) -> str:
    return "–" if score.accuracy is None else f"{100 * score.accuracy:.2f} %"


def match_places(seen: Scene, truth: Scene, size: tuple[int, int]) -> list[tuple[int, int]]:
    """Pairs (seen, annotated) of the same object, by masks, boxes, or where centres are seen.

    Args:
        size: the image's width and height.

    Raises:
        DataError: a mask is damaged. SceneError: the annotation does not say where its objects are seen.
    """
    from ..perception.detections.matching import match
    from ..perception.scene_parser.data import annotated_regions

    if not len(seen) or not len(truth):
        return []
    if all(p.mask is not None or p.bbox is not None for p in (*seen.places, *truth.places)):
        here, there = annotated_regions(seen, size), annotated_regions(truth, size)
        both = here.masks is not None and there.masks is not None
        return match(here, there, least_iou=LEAST_IOU, by="mask" if both else "box")
    from scipy.optimize import linear_sum_assignment

    apart = np.linalg.norm(_centres(seen)[:, None] - _centres(truth)[None], axis=-1)
    limit = NEAR * math.hypot(*size)
    rows, columns = linear_sum_assignment(np.where(apart <= limit, apart, 1e6))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if apart[i, j] <= limit]


def _centres(scene: Scene) -> np.ndarray[Any, np.dtype[np.float64]]:
    centres = []
    for i, place in enumerate(scene.places):
        if place.pixel_coords is not None:
            centres.append(place.pixel_coords[:2])
        elif place.bbox is not None:
            left, top, right, bottom = place.bbox
            centres.append(((left + right) / 2, (top + bottom) / 2))
        else:
            given = f"; it has {' and '.join(place.other)} of another form" if place.other else ""
            why = f"neither a mask, a bbox nor pixel_coords says where it is seen{given}"
            raise SceneError(why, path=f"$.objects[{i}]")
    return np.asarray(centres, dtype=np.float64)
