"""COCO's two layouts: instances (images, annotations, categories) and results (a list of detections), both ways.

An annotation of instances may carry a `score`: that is how detections are kept in one file that says all.
Specification: https://cocodataset.org/#format-data and #format-results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ...data.image_names import ImageNames
from ...errors import DataError
from ...io.files import write_json
from .detection_file import Buffer, DetectionFile, Gatherer, ImageId, at, decode_error, whole
from .detections import Detections, pixel_areas
from .rle import F32

Number = int | float | str  # whole numbers may be written 1.0


class _Image(msgspec.Struct):
    id: Number
    file_name: str | None = None
    coco_url: str | None = None
    width: int | float | None = None
    height: int | float | None = None


class _Category(msgspec.Struct):
    id: int | float
    name: str


class _Annotation(msgspec.Struct):
    """A record of either layout."""

    image_id: Number
    category_id: int | float
    bbox: list[float] | None = None
    segmentation: Any = None
    score: float | None = None
    area: float | None = None
    iscrowd: bool | int | float | None = None


class _Number(msgspec.Struct):
    id: Number


class _Nested(msgspec.Struct):
    """The results of one image, as detectron2 keeps them before it writes COCO's list."""

    image_id: Number
    instances: list[msgspec.Raw]


_image = msgspec.json.Decoder(_Image).decode
_category = msgspec.json.Decoder(_Category).decode
_annotation = msgspec.json.Decoder(_Annotation).decode
_number = msgspec.json.Decoder(_Number).decode
_nested = msgspec.json.Decoder(_Nested).decode

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
            number = whole(category.id, f"$.categories[{i}].id")
            if names.setdefault(number, category.name) != category.name:
                raise at(f"category {number} is already '{names[number]}'", f"$.categories[{i}].id")
        except DECODING as error:
            gathered.refuse(i, decode_error(error, f"$.categories[{i}]", raw))
        except DataError as error:
            gathered.refuse(i, error)
    for i, raw in enumerate(annotations):
        _add(gathered, i, raw, f"$.annotations[{i}]", names, scored=False)
    file = gathered.file("instances", names, len(annotations))
    file.lost = len(images) - len(file)
    return file


def read_results(
    source: str, records: Sequence[Buffer], instances: DetectionFile, where: Callable[[int], str]
) -> DetectionFile:
    """The results layout, of the images and categories of an instances file.

    Args:
        where: the JSON path of a record, by its place.

    Raises:
        DataError: there are records, and none can be used.
    """
    gathered = Gatherer(source)
    for number, seen in zip(instances.ids, instances.detections, strict=True):
        gathered.image(number, seen.image, seen.size, "$")
    count = 0
    for i, raw in enumerate(records):
        for part, path in _unnested(raw, where(i)):
            count += 1
            _add(gathered, i, part, path, instances.categories, scored=True)
    return gathered.file("results", instances.categories, count)


def _unnested(raw: Buffer, where: str) -> list[tuple[Buffer, str]]:
    """A record's results with their paths: itself, or those in its `instances`."""
    try:
        nested = _nested(raw)
    except DECODING:
        return [(raw, where)]
    return [(one, f"{where}.instances[{j}]") for j, one in enumerate(nested.instances)]


def add_images(gathered: Gatherer, images: Sequence[msgspec.Raw]) -> None:
    """The `images` of an instances file."""
    for i, raw in enumerate(images):
        where = f"$.images[{i}]"
        try:
            image = _image(raw)
            number = _image_id(image.id, f"{where}.id")
            gathered.image(number, _file_name(image, where), _size(image, where), where)
        except DECODING as error:
            _lose(gathered, raw)
            gathered.refuse(i, decode_error(error, where, raw))
        except DataError as error:
            _lose(gathered, raw)
            gathered.refuse(i, error)


def _image_id(number: Number, where: str) -> ImageId:
    return number if isinstance(number, str) else whole(number, where, "an image number")


def _file_name(image: _Image, where: str) -> str:
    """Return an image's name, or the last part of the address from which it was downloaded."""
    if image.file_name is not None:
        return image.file_name
    name = "" if image.coco_url is None else image.coco_url.partition("?")[0].rpartition("/")[2]
    if not name:
        raise at("neither a file_name nor a coco_url", where)
    return name


def _size(image: _Image, where: str) -> tuple[int, int] | None:
    if image.width is None or image.height is None:
        return None
    for key, number in (("width", image.width), ("height", image.height)):
        if number != int(number) or not 0 < number < 1e6:
            raise at(f"a {key} in pixels is a whole number from 1, got {number}", f"{where}.{key}")
    return int(image.width), int(image.height)


def _lose(gathered: Gatherer, raw: msgspec.Raw) -> None:
    """Remember the number of an image whose record is bad, so that the errors of its annotations say so."""
    try:
        number = _image_id(_number(raw).id, "$.id")
    except (*DECODING, DataError):
        return
    if number not in gathered.images:
        gathered.lost.add(number)


def _add(gathered: Gatherer, i: int, raw: Buffer, where: str, names: Mapping[int, str], *, scored: bool) -> None:
    """One record of either layout; `scored` refuses one without a score, as COCO's results must have."""
    try:
        record = _annotation(raw)
        label = whole(record.category_id, f"{where}.category_id", "a category number")
        if names and label not in names:
            shown = ", ".join(f"{n} {name}" for n, name in list(names.items())[:8])
            raise at(f"no category has the number {label}; the first are {shown}", f"{where}.category_id")
        if scored and record.score is None:
            raise at("a result has a score, which says how sure the detector was; this one has none", where)
        gathered.add(
            i,
            _image_id(record.image_id, f"{where}.image_id"),
            where=where,
            bbox=record.bbox,
            mask=record.segmentation,
            score=record.score,
            label=label,
            area=record.area,
            crowd=bool(record.iscrowd),
        )
    except DECODING as error:
        gathered.refuse(i, decode_error(error, where, raw))
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
    used = sorted({int(label) for image_detections in detections for label in image_detections.labels})
    if categories is None:
        categories = {n: unnamed(n) for n in used}
    missing = [n for n in used if n not in categories]
    if missing:
        raise ValueError(f"categories: no name for the labels {missing}; names are given for {sorted(categories)}")
    numbers = {image_detections.image: i for i, image_detections in enumerate(detections, 1)}
    if len(numbers) < len(detections):
        names = [image_detections.image for image_detections in detections]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise DataError(f"{path}: two images are called '{twice}'; a file cannot have two images of one name")
    images: list[dict[str, Any]] = []
    for i, f in enumerate(detections, 1):
        size = {} if f.size is None else {"width": int(f.size[0]), "height": int(f.size[1])}
        images.append({"id": i, "file_name": f.image} | size)
    annotations: list[dict[str, Any]] = []
    for image_detections in detections:
        for record in coco_records(image_detections, numbers[image_detections.image]):
            annotations.append({"id": len(annotations) + 1} | record)
    named = [{"id": n, "name": name} for n, name in categories.items()]
    _write(path, {"images": images, "annotations": annotations, "categories": named})


def unnamed(number: int) -> str:
    """Return the name of a category that has none."""
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
    for image_detections in detections:
        try:
            number = numbers[names.place(image_detections.image)]
        except DataError as error:
            of = f"no number for the image '{image_detections.image}' among the {len(numbers)} of image_ids"
            raise DataError(f"{path}: {of}: {error}") from None
        keys = ("image_id", "category_id", "bbox", "score", "segmentation")
        records += [{k: r[k] for k in keys if k in r} for r in coco_records(image_detections, number)]
    _write(path, records)


def coco_records(detections: Detections, image_id: ImageId) -> list[dict[str, Any]]:
    """Convert one image's objects to COCO's annotations, without their own numbers.

    Raises:
        ValueError: a value is not finite, or a box ends before it begins.
    """
    if not (np.isfinite(detections.boxes).all() and np.isfinite(detections.scores).all()):
        raise ValueError(f"{detections.image}: boxes and scores must be finite")
    if (detections.boxes[:, 2:] < detections.boxes[:, :2]).any():
        raise ValueError(f"{detections.image}: a box ends before it begins")
    pixels = (pixel_areas(detections) if detections.areas is None else detections.areas).tolist()
    crowd = [False] * len(detections) if detections.crowd is None else detections.crowd.tolist()
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
            detections.labels, xywh(detections.boxes), pixels, crowd, detections.scores, strict=True
        )
    ]
    for record, rle in zip(records, detections.masks or [], strict=False):
        record["segmentation"] = {"size": [int(n) for n in rle["size"]], "counts": rle["counts"]}
    return records


def xywh(boxes: F32) -> list[list[float]]:
    """Convert boxes (N, 4) to x, y, width, height: the shortest decimals that give the same boxes back.

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
    write_json(path, content, indent=False)
