"""COCO's two layouts: instances (images, annotations, categories) and results (a list of detections), both ways.

An annotation of instances may carry a `score`: that is how detections are kept in one file that says all.
Specification: https://cocodataset.org/#format-data and #format-results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..data.image_names import ImageNames
from ..errors import DataError
from ..files import atomic_write
from .detected import Detections, pixel_areas
from .detection_file import DetectionFile, Gatherer, ImageId, at, decode_error
from .rle import F32


class _Image(msgspec.Struct):
    id: ImageId
    file_name: str
    width: int | float
    height: int | float


class _Category(msgspec.Struct):
    id: int
    name: str


class _Annotation(msgspec.Struct):
    """A record of either layout."""

    image_id: ImageId
    category_id: int
    bbox: list[float] | None = None
    segmentation: Any = None
    score: float | None = None
    area: float | None = None
    iscrowd: bool | int | None = None


class _Number(msgspec.Struct):
    id: ImageId


_image = msgspec.json.Decoder(_Image).decode
_category = msgspec.json.Decoder(_Category).decode
_annotation = msgspec.json.Decoder(_Annotation).decode
_number = msgspec.json.Decoder(_Number).decode

DECODING = (msgspec.DecodeError, UnicodeError, RecursionError)


def read_instances(
    source: str, images: Sequence[msgspec.Raw], annotations: Sequence[msgspec.Raw], categories: Sequence[msgspec.Raw]
) -> DetectionFile:
    """The instances layout, its records not decoded yet."""
    gathered = Gatherer(source)
    add_images(gathered, images)
    names: dict[int, str] = {}
    for i, raw in enumerate(categories):
        try:
            category = _category(raw)
        except DECODING as error:
            gathered.refuse(i, decode_error(error, f"$.categories[{i}]"))
            continue
        names[category.id] = category.name
    _add(gathered, annotations, "$.annotations", names)
    file = gathered.file("instances", names)
    file.lost = len(images) - len(file)
    return file


def read_results(source: str, records: Sequence[msgspec.Raw], instances: DetectionFile) -> DetectionFile:
    """The results layout, of the images and categories of an instances file."""
    gathered = Gatherer(source)
    for number, seen in zip(instances.ids, instances.detections, strict=True):
        gathered.image(number, seen.image, seen.size, "$")
    _add(gathered, records, "$", instances.categories)
    return gathered.file("results", instances.categories)


def add_images(gathered: Gatherer, images: Sequence[msgspec.Raw]) -> None:
    """The `images` of an instances file."""
    for i, raw in enumerate(images):
        where = f"$.images[{i}]"
        try:
            image = _image(raw)
            size = _size(image, where)
            gathered.image(image.id, image.file_name, size, where)
        except DECODING as error:
            _lose(gathered, raw)
            gathered.refuse(i, decode_error(error, where))
        except DataError as error:
            _lose(gathered, raw)
            gathered.refuse(i, error)


def _size(image: _Image, where: str) -> tuple[int, int]:
    for key, number in (("width", image.width), ("height", image.height)):
        if number != int(number) or not 0 < number < 1e6:
            raise at(f"a {key} in pixels is a whole number from 1, got {number}", f"{where}.{key}")
    return int(image.width), int(image.height)


def _lose(gathered: Gatherer, raw: msgspec.Raw) -> None:
    """Remember the number of an image whose record is bad, so that its annotations are told why they are."""
    try:
        number = _number(raw).id
    except DECODING:
        return
    if number not in gathered.images:
        gathered.lost.add(number)


def _add(gathered: Gatherer, records: Iterable[msgspec.Raw], prefix: str, names: Mapping[int, str]) -> None:
    for i, raw in enumerate(records):
        where = f"{prefix}[{i}]"
        try:
            record = _annotation(raw)
            if names and record.category_id not in names:
                shown = ", ".join(f"{n} {name}" for n, name in list(names.items())[:8])
                raise at(
                    f"no category has the number {record.category_id}; the first are {shown}",
                    f"{where}.category_id",
                )
            gathered.add(
                record.image_id,
                where=where,
                bbox=record.bbox,
                mask=record.segmentation,
                score=record.score,
                label=record.category_id,
                area=record.area,
                crowd=bool(record.iscrowd),
            )
        except DECODING as error:
            gathered.refuse(i, decode_error(error, where))
        except DataError as error:
            gathered.refuse(i, error)


def write_detections(
    path: str | Path, detections: Sequence[Detections], categories: Mapping[int, str] | None = None
) -> None:
    """Write the instances layout, with a `score` in each annotation; `read_detections` reads the same values back.

    Images are numbered from 1 in their order.

    Args:
        categories: names of the labels; without them each is called by its number.

    Raises:
        DataError: the file cannot be written, or two images are of one name.
        ValueError: a label has no name, or a value is not finite.
    """
    used = sorted({int(label) for found in detections for label in found.labels})
    if categories is None:
        categories = {n: unnamed(n) for n in used}
    missing = [n for n in used if n not in categories]
    if missing:
        raise ValueError(f"categories: no name for the labels {missing}; names are given for {sorted(categories)}")
    numbers = {found.image: i for i, found in enumerate(detections, 1)}
    if len(numbers) < len(detections):
        names = [found.image for found in detections]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise DataError(f"{path}: two images are called '{twice}'; in the file their names could not be told apart")
    images = [
        {"id": i, "file_name": f.image, "width": int(f.size[0]), "height": int(f.size[1])}
        for i, f in enumerate(detections, 1)
    ]
    annotations: list[dict[str, Any]] = []
    for found in detections:
        for record in coco_records(found, numbers[found.image]):
            annotations.append({"id": len(annotations) + 1} | record)
    named = [{"id": n, "name": name} for n, name in categories.items()]
    _write(path, {"images": images, "annotations": annotations, "categories": named})


def unnamed(number: int) -> str:
    """What a category is called that has no name."""
    return f"category {number}"


def write_results(path: str | Path, detections: Sequence[Detections], image_ids: Mapping[str, ImageId]) -> None:
    """Write the results layout.

    Args:
        image_ids: the number of each image, by its file name.

    Raises:
        DataError: the file cannot be written, or an image has no number.
        ValueError: a value is not finite.
    """
    names, numbers = ImageNames(image_ids), list(image_ids.values())
    records: list[dict[str, Any]] = []
    for found in detections:
        try:
            number = numbers[names.place(found.image)]
        except DataError as error:
            of = f"no number for the image '{found.image}' among the {len(numbers)} of image_ids"
            raise DataError(f"{path}: {of}: {error}") from None
        keys = ("image_id", "category_id", "bbox", "score", "segmentation")
        records += [{k: r[k] for k in keys if k in r} for r in coco_records(found, number)]
    _write(path, records)


def coco_records(found: Detections, image_id: ImageId) -> list[dict[str, Any]]:
    """One image's objects as COCO's annotations, without their own numbers.

    Raises:
        ValueError: a value is not finite, or a box ends before it begins.
    """
    if not (np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()):
        raise ValueError(f"{found.image}: boxes and scores must be finite")
    if (found.boxes[:, 2:] < found.boxes[:, :2]).any():
        raise ValueError(f"{found.image}: a box ends before it begins")
    pixels = (pixel_areas(found) if found.areas is None else found.areas).tolist()
    crowd = [False] * len(found) if found.crowd is None else found.crowd.tolist()
    records = [
        {
            "image_id": image_id,
            "category_id": int(label),
            "bbox": bbox,
            "area": area,
            "iscrowd": int(group),
            "score": float(str(score)),
        }
        for label, bbox, area, group, score in zip(
            found.labels, xywh(found.boxes), pixels, crowd, found.scores, strict=True
        )
    ]
    for record, rle in zip(records, found.masks or [], strict=False):
        record["segmentation"] = {"size": [int(n) for n in rle["size"]], "counts": rle["counts"]}
    return records


def xywh(boxes: F32) -> list[list[float]]:
    """(N, 4) left, top, right, bottom to x, y, width, height: the shortest decimals that give the same boxes back.

    So 258.15 of a file is 258.15 again, not 258.1499938964844. Only edges within 1e-9 of 0 or so may not come back to
    the last bit: no sum x + width has bits for them.
    """
    spans = [(_span(b[0], b[2]), _span(b[1], b[3])) for b in boxes.astype(np.float32)]
    return [[x, y, width, height] for (x, width), (y, height) in spans]


def _span(low: np.float32, high: np.float32) -> tuple[float, float]:
    start = float(str(low))
    exact = float(high) - start
    for places in (2, 4, 6):
        short = round(exact, places)
        if short >= 0 and np.float32(start + short) == high:
            return start, abs(short)
    return start, max(0.0, exact)


def _write(path: str | Path, content: Any) -> None:
    with atomic_write(path) as file:
        file.write(msgspec.json.encode(content))
        file.write(b"\n")
