"""How well a detector does on annotated images: COCO's figures for boxes and masks, and how often all is found.

report = evaluate_detector(detector, "data/clevr", "held-out")
report.segm.AP, report.all_found, report.table()
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..errors import DataError
from ..io.progress import CountProgress
from ..pages.tables import Note, ReportTable, TableRow
from ..perception.detections.coco_evaluation import CocoFigures, evaluate_detections
from ..perception.detections.detections import Detections
from ..perception.detections.matching import match
from ..perception.detector.data import DetectionData, load_detection_data

if TYPE_CHECKING:
    from rich.console import Group

    from ..perception.detector.batch import DetectionExample
    from ..perception.detector.detector import Detector

LEAST = 0.05  # average precision needs what is found with little certainty, too
Part = Literal["all", "held-out"]


@dataclass(frozen=True)
class DetectionReport:
    """What a detector reached.

    Attributes:
        bbox, segm: COCO's figures of everything found with a score of .05 or more.
        score: what counts as found in the two shares below.
        all_found: the share of images in which each object has a detection of its own with an IoU of .5 or more.
        exact: the share in which moreover nothing else is found.
        seconds: for detection, images read beforehand.
        bad: records and images that could not be used.
    """

    key: ClassVar[str] = "detection"

    bbox: CocoFigures
    segm: CocoFigures
    score: float
    all_found: float
    exact: float
    images: int
    seconds: float
    bad: int

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        plain = {k: v for k, v in self.__dict__.items() if k not in ("bbox", "segm")}
        return {"bbox": self.bbox.to_dict(), "segm": self.segm.to_dict()} | plain

    def table(self) -> Group:
        """As tables for the terminal."""
        from rich.console import Group

        return Group(self.segm.table(), self.bbox.table(), "\n".join(self.lines()))

    def to_markdown(self) -> str:
        """As Markdown."""
        names = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")
        rows = tuple(TableRow(name, (_four(self.segm, name), _four(self.bbox, name))) for name in names)
        notes = tuple(map(Note, self.lines()))
        return "\n".join([*ReportTable("figure", ("masks", "boxes"), rows, notes=notes).markdown(), ""])

    def lines(self) -> list[str]:
        """What the tables do not say."""
        rate = self.images / self.seconds if self.seconds else 0.0
        return [
            f"every object found, from a score of {self.score:g}: {100 * self.all_found:.2f} % of images",
            f"and nothing else: {100 * self.exact:.2f} %",
            f"{self.images:,} images, {rate:.1f} a second",
        ]


def _four(figures: CocoFigures, name: str) -> str:
    value = getattr(figures, name)
    return "-" if value is None else f"{value:.4f}"


def evaluate_detector(
    detector: Detector,
    folder: str | Path,
    part: Part = "all",
    *,
    config: DetectionData | None = None,
    limit: int | None = None,
    batch_size: int = 8,
    progress: CountProgress | None = None,
) -> DetectionReport:
    """Evaluate a detector on a folder of images with their instances.json, or on several with commas between them.

    Args:
        part: all images, or those that training with `config` holds out.
        progress: called with the number of finished images, and of all.

    Raises:
        DataError: a folder lacks something, nothing in it can be used, or too few images to hold any out.
    """
    split = load_detection_data(folder, detector.categories, replace(config or DetectionData(), repeat=()))
    examples = split.valid if part == "held-out" else [*split.train, *split.valid]
    if not examples:
        raise DataError(f"{folder}: too few images to hold any out; evaluate all of them")
    return evaluate_examples(detector, examples[:limit], bad=len(split.bad), batch_size=batch_size, progress=progress)


def evaluate_examples(
    detector: Detector,
    examples: Sequence[DetectionExample],
    *,
    bad: int = 0,
    batch_size: int = 8,
    progress: CountProgress | None = None,
) -> DetectionReport:
    """Evaluate a detector on examples; an image that cannot be read counts as bad."""
    detections: list[Detections] = []
    truth: list[Detections] = []
    seconds = 0.0
    for at in range(0, len(examples), batch_size):
        images, names = [], []
        for number, example in enumerate(examples[at : at + batch_size], start=at):
            try:
                images.append(example.image())
            except DataError:
                bad += 1
                continue
            names.append(f"{number:07d} {example.truth.image}")  # two folders may have images of one name
            truth.append(replace(example.truth, image=names[-1]))
        began = perf_counter()
        detections += detector.detect(images, names, batch_size=batch_size, score=LEAST)
        seconds += perf_counter() - began
        if progress is not None:
            progress(min(at + batch_size, len(examples)), len(examples))
    return report(
        detections, truth, score=detector.config.score, classes=len(detector.categories), seconds=seconds, bad=bad
    )


def report(
    detections: Sequence[Detections],
    truth: Sequence[Detections],
    *,
    score: float,
    classes: int = 1,
    seconds: float = 0.0,
    bad: int = 0,
) -> DetectionReport:
    """Compare detections with the annotations of the same images, in the same order.

    Args:
        score: from which on a detection counts as found, where it is not average precision.
        classes: with more than one an object must be found under its label.

    Raises:
        DataError: there is no image, or sizes differ.
    """
    if not truth:
        raise DataError("no annotated image to evaluate on")
    labels = classes > 1
    box, mask = (evaluate_detections(detections, truth, kind, same_label=labels) for kind in ("bbox", "segm"))
    every = exact = 0
    for detected, annotated in zip(detections, truth, strict=True):
        kept = detected.above(score)
        whole = len(match(kept, annotated, same_label=labels)) == len(annotated)
        every += whole
        exact += whole and len(kept) == len(annotated)
    n = len(truth)
    return DetectionReport(box, mask, score, every / n, exact / n, n, seconds, bad)
