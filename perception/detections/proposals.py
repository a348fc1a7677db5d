"""Detections as the scene parsers of CLEVR keep them.

NS-CL's scene files (Mao et al., ICLR 2019) have `objects_detection` in each scene, objects with a `mask` each; where
the annotated `objects` have masks themselves, those are used. NS-VQA's proposals (Yi et al., NeurIPS 2018) are
columns: `object_masks`, `image_idxs`, `category_idxs` and `scores`, one entry for each object of all images.
Boxes are those of the masks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ...data.records import cut_records
from ...errors import DataError
from ...io.json_numbers import as_whole
from .coco import DECODING
from .detection_file import Buffer, DetectionFile, Gatherer, ImageId, at, decode_error, whole

NAMELESS = "CLEVR_val_{:06d}.png"
Paths = tuple[str, str, str]  # of an object's image number, of itself, of its mask


class _Object(msgspec.Struct):
    mask: Any = None
    score: float | None = None
    category_id: int | float | None = None
    category_idx: int | float | None = None


class _Scene(msgspec.Struct):
    image_filename: str | None = None
    image_index: int | float | str | None = None
    objects: list[msgspec.Raw] = []
    objects_detection: list[msgspec.Raw] | None = None


class _HasMask(msgspec.Struct):
    mask: msgspec.Raw = msgspec.Raw()


class Columns(msgspec.Struct):
    """NS-VQA's proposals, none of them decoded yet."""

    object_masks: list[msgspec.Raw]
    image_idxs: list[msgspec.Raw]
    category_idxs: list[msgspec.Raw] = []
    scores: list[msgspec.Raw] = []


class _Proposal(msgspec.Struct):
    """NS-VQA's proposals as a list of objects, before they become columns."""

    mask: Any
    image_idx: int | float
    category_idx: int | float = 1
    score: float | None = None


_object = msgspec.json.Decoder(_Object).decode
_scene = msgspec.json.Decoder(_Scene).decode
_has_mask = msgspec.json.Decoder(_HasMask).decode
_proposal = msgspec.json.Decoder(_Proposal).decode


def read_nscl(source: str, data: memoryview) -> DetectionFile:
    """A scene file in NS-CL's layout.

    Raises:
        DataError: it is no scene file, or no scene in it has detections.
    """
    records = cut_records(data.tobytes(), "scenes", source=source)
    gathered = Gatherer(source)
    absent = count = 0
    for i, raw in enumerate(records):
        where = records.where(i)
        try:
            scene = _scene(raw)
            if scene.image_filename is None:
                raise at("no image_filename", where)
            masked = bool(scene.objects) and _masked(scene.objects[0])
            objects = scene.objects if masked else scene.objects_detection
            if objects is None:
                absent += 1
                raise at("neither objects_detection nor a mask in its objects", where)
            number = i
            if scene.image_index is not None:
                number = whole(scene.image_index, f"{where}.image_index", "an image_index")
            gathered.image(number, scene.image_filename, None, f"{where}.image_filename")
        except DECODING as error:
            gathered.refuse(i, decode_error(error, where))
            continue
        except DataError as error:
            gathered.refuse(i, error)
            continue
        key = "objects" if masked else "objects_detection"
        count += len(objects)
        for j, raw_object in enumerate(objects):
            _add_object(gathered, i, number, raw_object, f"{where}.{key}[{j}]")
    if absent == len(records) > 0:
        raise DataError(
            f"{source}: a scene file without detections: no scene has objects_detection, nor a mask in its objects"
        )
    return gathered.file("nscl", {}, count)


def _masked(raw: msgspec.Raw) -> bool:
    try:
        return len(memoryview(_has_mask(raw).mask)) > 0
    except DECODING:
        return False


def _add_object(gathered: Gatherer, i: int, number: int, raw: msgspec.Raw, where: str) -> None:
    try:
        record = _object(raw)
        label = record.category_id if record.category_id is not None else record.category_idx
        gathered.add(
            i,
            number,
            where=where,
            bbox=None,
            mask=record.mask,
            score=record.score,
            label=1 if label is None else whole(label, where, "a category number"),
            paths=(where, where, f"{where}.mask"),
        )
    except DECODING as error:
        gathered.refuse(i, decode_error(error, where, raw))
    except DataError as error:
        gathered.refuse(i, error)


def scene_images(source: str, data: memoryview) -> dict[ImageId, str]:
    """The file name of each image_index of a scene file; scenes without one count by their position."""
    names: dict[ImageId, str] = {}
    for i, raw in enumerate(cut_records(data.tobytes(), "scenes", source=source)):
        try:
            scene = _scene(raw)
        except DECODING:
            continue
        if scene.image_filename is not None:
            number = as_whole(scene.image_index)
            if number is not None or scene.image_index is None:
                names[i if number is None else number] = scene.image_filename
    return names


def read_columns(
    source: str, columns: Columns, images: Mapping[ImageId, tuple[str, tuple[int, int] | None]] | str
) -> DetectionFile:
    """NS-VQA's proposals.

    Args:
        images: name and size of each image number, or a pattern that makes the name of it.

    Raises:
        DataError: the columns are not of one length.
    """
    n = len(columns.object_masks)
    for key in ("image_idxs", "category_idxs", "scores"):
        length = len(getattr(columns, key))
        if length != n and (length or key == "image_idxs"):
            raise DataError(f"{source}: {n} object_masks and {length} {key} do not match")
    proposals: list[tuple[int, Paths, _Proposal]] = []
    gathered = Gatherer(source)
    for i in range(n):
        where = f"$.object_masks[{i}]"
        try:
            number = _column(columns.image_idxs[i], int | float, f"$.image_idxs[{i}]")
            label = 1
            if columns.category_idxs:
                label = _column(columns.category_idxs[i], int | float, f"$.category_idxs[{i}]")
            score: float | None = _column(columns.scores[i], float, f"$.scores[{i}]") if columns.scores else None
            mask = _column(columns.object_masks[i], Any, where)
        except DataError as error:
            gathered.refuse(i, error)
            continue
        proposals.append((i, (f"$.image_idxs[{i}]", where, where), _Proposal(mask, number, label, score)))
    return _gather(gathered, proposals, images, n)


def _column(raw: msgspec.Raw, kind: Any, where: str) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except DECODING as error:
        raise decode_error(error, where, raw) from None


def read_proposals(
    source: str,
    records: Sequence[Buffer],
    images: Mapping[ImageId, tuple[str, tuple[int, int] | None]] | str,
    where: Callable[[int], str],
) -> DetectionFile:
    """NS-VQA's proposals as a list of objects; `where` is the JSON path of a record, by its place."""
    gathered = Gatherer(source)
    proposals: list[tuple[int, Paths, _Proposal]] = []
    for i, raw in enumerate(records):
        try:
            proposals.append((i, (f"{where(i)}.image_idx", where(i), f"{where(i)}.mask"), _proposal(raw)))
        except DECODING as error:
            gathered.refuse(i, decode_error(error, where(i), raw))
    return _gather(gathered, proposals, images, len(records))


def _gather(
    gathered: Gatherer,
    proposals: Sequence[tuple[int, Paths, _Proposal]],
    images: Mapping[ImageId, tuple[str, tuple[int, int] | None]] | str,
    records: int,
) -> DetectionFile:
    if isinstance(images, str):
        wholes = {as_whole(p.image_idx) for _, _, p in proposals}
        numbers = sorted(n for n in wholes if n is not None and n >= 0)
        images = {n: (_named(images, n), None) for n in numbers}
    for number, (name, size) in images.items():
        gathered.image(number, name, size, "$")
    for i, paths, proposal in proposals:
        try:
            gathered.add(
                i,
                whole(proposal.image_idx, paths[0], "an image number"),
                where=paths[1],
                bbox=None,
                mask=proposal.mask,
                score=proposal.score,
                label=whole(proposal.category_idx, paths[1], "a category number"),
                paths=paths,
            )
        except DataError as error:
            gathered.refuse(i, error)
    return gathered.file("nsvqa", {}, records)


def _named(pattern: str, number: int) -> str:
    try:
        name = pattern.format(number)
    except (ValueError, IndexError, KeyError, AttributeError) as error:
        raise DataError(f"names: a pattern like '{NAMELESS}', got '{pattern}': {error}") from None
    if name == pattern:
        raise DataError(f"names: a pattern like '{NAMELESS}', with a place for the number; got '{pattern}'")
    return name
