"""COCO's evaluation of detections, by pycocotools, as a table.

Average precision (AP) is over IoU thresholds .50 to .95, recall (AR) at most so many detections an image; small is
below 32 x 32 pixels, large above 96 x 96. Lin et al., Microsoft COCO, ECCV 2014; https://cocodataset.org/#detection-eval.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...data.image_names import ImageNames
from ...errors import DataError, did_you_mean
from .coco import coco_records, unnamed
from .detection_file import DetectionFile
from .detections import Detections, box_areas
from .matching import match
from .rle import I64, mask_areas

if TYPE_CHECKING:
    from ...pages.tables import ReportTable

Kind = Literal["bbox", "segm"]
Pair = tuple[Detections | None, Detections]  # the detections of an image, and its annotations

_AREAS = {"": 0, "s": 1, "m": 2, "l": 3}


@dataclass(frozen=True)
class CocoFigures:
    """COCO's twelve figures, each in 0..1, or None where there is no such object; and two of nsreason's.

    Attributes:
        kind: what was compared: boxes or masks.
        AP, AP50, AP75: average precision: over thresholds, at IoU .50, at IoU .75.
        APs, APm, APl: of small, medium, large objects.
        AR1, AR10, AR100: average recall at the three numbers of detections in `most`.
        ARs, ARm, ARl: of small, medium, large objects, at the largest number.
        all_found: the share of images with objects in which each has a detection of its own, at IoU .5 or more.
        images, objects, detections: how many were compared; objects without crowds.
        most: detections that count in each image, best first.
        bad: records of the files that could not be used.
    """

    kind: Kind
    AP: float | None
    AP50: float | None
    AP75: float | None
    APs: float | None
    APm: float | None
    APl: float | None
    AR1: float | None
    AR10: float | None
    AR100: float | None
    ARs: float | None
    ARm: float | None
    ARl: float | None
    all_found: float | None
    images: int
    objects: int
    detections: int
    most: tuple[int, int, int] = (1, 10, 100)
    bad: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return asdict(self) | {"most": list(self.most)}

    def table(self) -> ReportTable:
        """Return a table for the terminal."""
        from ...pages.tables import Heading, ReportTable, TableRow

        rows = []
        for name, what in _rows(self.most):
            value = getattr(self, name)
            rows.append(TableRow(name.replace("_", " "), ("-" if value is None else f"{value:.4f}", what)))
        return ReportTable(
            "figure",
            ("value", Heading("what", align="left")),
            tuple(rows),
            title=f"{self.kind}: {self.images:,} images, {self.objects:,} objects, {self.detections:,} detections",
            caption=f"{self.bad} bad records" if self.bad else "",
        )


def _rows(most: tuple[int, int, int]) -> Iterable[tuple[str, str]]:
    yield "AP", "precision over IoU .50 to .95"
    yield "AP50", "precision at IoU .50"
    yield "AP75", "precision at IoU .75"
    for letter, size in zip("sml", ("small", "medium", "large"), strict=True):
        yield f"AP{letter}", f"precision of {size} objects"
    for name, n in zip(("AR1", "AR10", "AR100"), most, strict=True):
        yield name, f"recall of {n} detection{'s' * (n > 1)} an image"
    for letter, size in zip("sml", ("small", "medium", "large"), strict=True):
        yield f"AR{letter}", f"recall of {size} objects"
    yield "all_found", "images in which every object is found at IoU .50"


def evaluate_detections(
    detections: Sequence[Detections],
    truth: Sequence[Detections],
    kind: Kind = "segm",
    *,
    categories: Mapping[int, str] | Iterable[int] | None = None,
    most: tuple[int, int, int] = (1, 10, 100),
    same_label: bool = True,
) -> CocoFigures:
    """Compare detections with annotations, image by image; names are compared as `data.image_names` says.

    Images of `truth` without detections count. As COCO does, crowds neither count as missed nor make a
    detection in them wrong.

    Args:
        categories: the labels that are compared; all of `truth` by default.
        most: how many detections of an image count, best first, three times.
        same_label: whether an object must be found under its label; False compares as if there were one label.

    Raises:
        DataError: `detections` has an image that `truth` does not, one has an image twice, their sizes differ, or
            masks are compared and there are none.
    """
    given = _paired(detections, truth)
    # By name, so that equal scores are taken in one order, whatever the order of the images; COCO's names are numbers.
    order = sorted(range(len(truth)), key=lambda place: truth[place].image)
    pairs = [(given.get(place), truth[place]) for place in order]
    return _evaluate(pairs, kind, categories, most, same_label)


def _paired(detections: Sequence[Detections], truth: Sequence[Detections]) -> dict[int, Detections]:
    """The detections, by the place of their image among the annotations."""
    for images, what in ((truth, "annotations"), (detections, "detections")):
        names = {image.image for image in images}
        if len(images) > len(names):
            raise DataError(f"{what}: {len(images)} images of {len(names)} names; each must be there once")
    known = ImageNames(image.image for image in truth)
    given: dict[int, Detections] = {}
    for image, place in zip(detections, known.places(image.image for image in detections), strict=True):
        if isinstance(place, DataError) or place in given:
            why = f": {place}" if isinstance(place, DataError) else ""
            raise DataError(f"no annotations of '{image.image}', in which something was found{why}")
        given[place] = image
    return given


def evaluate_files(
    detections: str | Path,
    truth: str | Path,
    kind: Kind = "segm",
    *,
    most: tuple[int, int, int] = (1, 10, 100),
    same_label: bool = True,
    least_score: float = 0.0,
) -> CocoFigures:
    """Compare two files: any that `read_detections` reads, the second one with annotations.

    Categories are of the second file; where the first one numbers the same names otherwise, its numbers are changed.

    Raises:
        DataError: a file cannot be read, or nothing in it can be used; `evaluate_detections` refuses what it holds; or
            a category of the first file has the number of another one of the second.
    """
    from .readers import read_detections

    known = read_detections(truth)
    listed = truth if known.layout == "instances" else None
    given = read_detections(detections, instances=listed)
    kept = [image.above(least_score) for image in given.detections]
    for file in (known, given):
        if file.bad and not any(map(len, file.detections)):
            why = f"none of its records of objects can be used; the first: {file.bad[0].error}"
            raise DataError(f"{file.source}: {why}")
    if not known.annotated:
        raise DataError(f"{known.source}: lists images and has no annotations to compare with")
    bad = len(known.bad) + len(given.bad)
    if given.layout == "instances" and same_label:
        numbers = _renumbered(given, known)
        kept = [replace(image, labels=_changed(image.labels, numbers)) for image in kept]
    if given.layout != "results":
        figures = evaluate_detections(kept, known.detections, kind, most=most, same_label=same_label)
        return replace(figures, bad=bad)
    # By the numbers of the images, which two of one name do not share.
    pairs = sorted(zip(known.ids, kept, known.detections, strict=True), key=lambda p: (isinstance(p[0], str), p[0]))
    categories = known.categories or None
    return replace(_evaluate([p[1:] for p in pairs], kind, categories, most, same_label), bad=bad)


def _renumbered(given: DetectionFile, known: DetectionFile) -> dict[int, int]:
    """The numbers that the second file has for categories of the first, by name."""
    numbers = {name: number for number, name in known.categories.items()}
    changed: dict[int, int] = {}
    for number, name in given.categories.items():
        if name in numbers and known.categories.get(number) != name:  # of several of one name, the one that is meant
            changed[number] = numbers[name]
        elif name in numbers:
            changed[number] = number
        elif number in known.categories and name != unnamed(number):
            raise DataError(
                f"{given.source}: category {number} is '{name}', in {known.source} it is "
                f"'{known.categories[number]}', and no category is called '{name}'{did_you_mean(name, numbers)}"
            )
    return changed


def _changed(labels: I64, numbers: Mapping[int, int]) -> I64:
    return np.asarray([numbers.get(label, label) for label in labels.tolist()], dtype=np.int64)


def _evaluate(
    pairs: Sequence[Pair],
    kind: Kind,
    categories: Mapping[int, str] | Iterable[int] | None,
    most: tuple[int, int, int],
    same_label: bool,
) -> CocoFigures:
    if kind not in ("bbox", "segm"):
        raise ValueError(f"kind: 'bbox' or 'segm', got {kind!r}")
    if len(most) != 3 or list(most) != sorted(most) or most[0] < 1:
        raise ValueError(f"most: three whole numbers from 1, rising, got {most}")
    for predicted, truth in pairs:
        _check(predicted, truth, kind)
    labels = None if categories is None else {int(c) for c in categories}
    if labels is not None:
        pairs = [(None if f is None else _of(f, labels), _of(t, labels)) for f, t in pairs]
    if not same_label:
        pairs = [(None if f is None else _unlabelled(f), _unlabelled(t)) for f, t in pairs]
    figures = _figures(pairs, kind, most)
    objects = sum(len(_single(truth)) for _, truth in pairs)
    count = sum(len(predicted) for predicted, _ in pairs if predicted is not None)
    return CocoFigures(
        kind,
        **figures,
        all_found=_all_found(pairs, kind),
        images=len(pairs),
        objects=objects,
        detections=count,
        most=most,
    )


def _check(predicted: Detections | None, truth: Detections, kind: Kind) -> None:
    for what, image in (("detections", predicted), ("annotations", truth)):
        if kind == "segm" and image is not None and len(image) and image.masks is None:
            raise DataError(f"{image.image}: {what} without masks; compare boxes (kind='bbox')")
    if predicted is not None and None not in (predicted.size, truth.size) and predicted.size != truth.size:
        sizes = " and ".join(f"{w} x {h}" for w, h in (predicted.known_size, truth.known_size))
        raise DataError(f"{truth.image}: detections and annotations are of images of different sizes, {sizes}")


def _of(image: Detections, labels: set[int]) -> Detections:
    return image.where(np.isin(image.labels, list(labels)))


def _unlabelled(image: Detections) -> Detections:
    return replace(image, labels=np.ones_like(image.labels))


def _single(image: Detections) -> Detections:
    """Without crowds."""
    return image if image.crowd is None else image.where(~image.crowd)


def _all_found(pairs: Sequence[Pair], kind: Kind) -> float | None:
    whole, images = 0, 0
    for predicted, truth in pairs:
        single = _single(truth)
        if len(single):
            images += 1
            if predicted is not None:
                by: Literal["box", "mask"] = "mask" if kind == "segm" else "box"
                whole += len(match(predicted, single, by=by, same_label=True)) == len(single)
    return whole / images if images else None


def _figures(pairs: Sequence[Pair], kind: Kind, most: tuple[int, int, int]) -> dict[str, Any]:
    """COCO's figures by their names."""
    from pycocotools.cocoeval import COCOeval

    truth = _coco((truth for _, truth in pairs), kind)
    predicted = _coco((Detections.where(t, np.zeros(len(t), bool)) if f is None else f for f, t in pairs), kind)
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(truth, predicted, iouType=kind)
        run.params.maxDets = list(most)
        run.params.imgIds = list(range(1, len(pairs) + 1))
        if not run.params.catIds or not pairs:  # nothing to be found: pycocotools fails
            return dict.fromkeys(_NAMES)
        run.evaluate()
        run.accumulate()
    precision, recall = run.eval["precision"], run.eval["recall"]  # (T, R, K, A, M) and (T, K, A, M)
    thresholds = np.round(run.params.iouThrs, 2)
    figures: dict[str, Any] = {}
    for letter, area in _AREAS.items():
        figures[f"AP{letter}"] = _mean(precision[:, :, :, area, 2])
        figures["AR100" if not letter else f"AR{letter}"] = _mean(recall[:, :, area, 2])
    for name, threshold in (("AP50", 0.5), ("AP75", 0.75)):
        figures[name] = _mean(precision[thresholds == threshold, :, :, 0, 2])
    for place, name in enumerate(("AR1", "AR10")):
        figures[name] = _mean(recall[:, :, 0, place])
    return figures


_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def _mean(values: Any) -> float | None:
    """The mean of what there is: -1 stands for a category without objects of that area.

    Rounded, since pycocotools divides by a little more than there is, and 1 would be 0.9999999999999998.
    """
    there = values[values > -1]
    return round(float(there.mean()), 12) if there.size else None


def _coco(images: Iterable[Detections], kind: Kind) -> Any:
    """Images as pycocotools' own value, numbered from 1: number 0 would count as not matched there.

    Areas are those of the file, or of what is compared: of masks, not of the boxes beside them, when masks are.
    """
    from pycocotools.coco import COCO

    records: list[dict[str, Any]] = []
    image_records: list[dict[str, Any]] = []
    for number, image in enumerate(images, 1):
        width, height = image.size or (0, 0)  # only masks need it, which say it themselves
        image_records.append({"id": number, "width": width, "height": height, "file_name": image.image})
        areas = image.areas
        if areas is None:
            areas = mask_areas(image.masks) if kind == "segm" and image.masks is not None else box_areas(image.boxes)
        for record, area in zip(coco_records(image, number), areas.tolist(), strict=True):
            records.append(record | {"id": len(records) + 1, "area": area})
    coco = COCO()
    coco.dataset = {
        "images": image_records,
        "annotations": records,
        "categories": [{"id": n, "name": str(n)} for n in sorted({r["category_id"] for r in records})],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco
