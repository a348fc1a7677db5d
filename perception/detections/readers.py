"""Detections: the values, the files that hold them, and how well they agree with annotations.

    file = read_detections("instances_val.json")                           # file.detections, file.bad
    results = read_detections("results.json", instances="instances_val.json")
    kept = [d.above(0.5).suppressed(0.5) for d in results]
    print(evaluate_detections(kept, file.detections, "bbox").AP)

The layout of a file is recognised by its content:

    COCO instances      an object with images and annotations, which may carry a score
    COCO results        a list of detections, or one a line; names and sizes of the images come from an instances file,
                        or from one that only lists images and categories (image_info)
    NS-CL scenes        an object with scenes, each with objects_detection, or with masks in its objects
    NS-VQA proposals    an object of columns (object_masks, image_idxs, ...), or a list of objects with image_idx, or
                        one a line
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from ...data.dataset_folder import refuse_incomplete
from ...data.records import Records, cut_lines, not_json, without_nan
from ...errors import DataError
from ...io.files import read_bytes
from .coco import read_instances, read_results
from .detection_file import Buffer, DetectionFile, ImageId
from .proposals import NAMELESS, Columns, read_columns, read_nscl, read_proposals, scene_images

_T = TypeVar("_T")
Images = dict[ImageId, tuple[str, tuple[int, int] | None]]

_PICKLE = re.compile(rb"\x80[\x02-\x05]|\((?:dp|lp)\d|(?:cnumpy|ccopy_reg)")


class _Outer(msgspec.Struct):
    """The keys by which a document is recognised, all left undecoded."""

    images: msgspec.Raw = msgspec.Raw()
    annotations: msgspec.Raw = msgspec.Raw()
    categories: msgspec.Raw = msgspec.Raw()
    scenes: msgspec.Raw = msgspec.Raw()
    object_masks: msgspec.Raw = msgspec.Raw()
    image_id: msgspec.Raw = msgspec.Raw()
    image_idx: msgspec.Raw = msgspec.Raw()


class _Proposed(msgspec.Struct):
    image_idx: msgspec.Raw = msgspec.Raw()
    image_id: msgspec.Raw = msgspec.Raw()


def read_detections(
    path: str | Path, *, instances: str | Path | None = None, names: str | None = None
) -> DetectionFile:
    """Read the detections of a file, one for each image; gzip is unpacked, `-` is standard input.

    Args:
        instances: for files that only number their images, the file that says their names: COCO instances, or for
            NS-VQA's proposals a scene file.
        names: for NS-VQA's proposals, a pattern instead, such as `CLEVR_val_{:06d}.png`.

    Raises:
        DataError: the file cannot be read, is not JSON, or holds something else; it numbers its images, and
            nothing says their names; it has records of objects, and none can be used. A record that is not valid is
            in `bad` instead.
    """
    source, view, lines = _load(path)
    if lines is not None:
        return _listed(source, lines, lines.where, instances, names)
    if bytes(view[:1]) == b"[":
        records: list[msgspec.Raw] = _decode(view, list[msgspec.Raw], source)
        return _listed(source, records, lambda i: f"$[{i}]", instances, names)
    outer: _Outer = _decode(view, _Outer, source)
    if _held(outer.images):
        parts = (_list(outer, key, source) for key in ("images", "annotations", "categories"))
        file = read_instances(source, *parts)
        file.annotated = _held(outer.annotations)
        return file
    if _held(outer.image_id) or _held(outer.image_idx):  # a file of lines that has one
        return _listed(source, [view], lambda i: "$", instances, names)
    if _held(outer.object_masks):
        return read_columns(source, _decode(view, Columns, source), _images(source, instances, names))
    if _held(outer.scenes):
        return read_nscl(source, view)
    raise DataError(f"{source}: no detections in it{_keys(view)}; {_LAYOUTS}")


def _listed(
    source: str,
    records: Sequence[Buffer],
    where: Callable[[int], str],
    instances: str | Path | None,
    names: str | None,
) -> DetectionFile:
    """A list of objects that number their images."""
    if _are_proposals(records):
        return read_proposals(source, records, _images(source, instances, names), where)
    if instances is None:
        raise DataError(
            f"{source}: COCO results number their images; give the instances file that lists them (instances=...)"
        )
    listed = read_detections(instances)
    if listed.layout != "instances":
        raise DataError(f"{listed.source}: not a COCO instances file, which says names and sizes of images")
    return read_results(source, records, listed, where)


_LAYOUTS = (
    "COCO instances have images and annotations, COCO results are a list, NS-CL's files have scenes, "
    "NS-VQA's proposals have object_masks"
)


def _load(path: str | Path) -> tuple[str, memoryview, Records | None]:
    """The file's bytes from the first one that says something; and its lines, where each is an object of its own."""
    source = "standard input" if str(path) == "-" else str(path)
    refuse_incomplete(path)
    data = read_bytes(path)
    view = memoryview(data)
    if data[:3] == b"\xef\xbb\xbf":
        view = view[3:]
    head = bytes(view[:4096])
    if _PICKLE.match(head):
        raise DataError(
            f"{source}: a pickle, which is not read, since reading one can run any code\n    Where you trust it, make "
            "JSON of it: of NS-VQA's detections.pkl by its own tools/process_proposals.py --proposal_path "
            "detections.pkl --output_path proposals.json; other pickles by json.dump of COCO results"
        )
    start = len(head) - len(head.lstrip())
    view = view[start:]
    if not len(view):
        raise DataError(f"{source}: the file is empty; expected detections as JSON")
    if bytes(view[:1]) not in (b"{", b"["):
        raise DataError(f"{source}: not JSON: it starts with {bytes(view[:12])!r}; {_LAYOUTS}")
    try:
        msgspec.json.decode(view, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        plain = without_nan(view)
        lines = cut_lines(view if plain is None else memoryview(plain), source) if bytes(view[:1]) == b"{" else None
        if plain is None and lines is None:
            raise not_json(error, view, source) from None
        # Only the records that hold NaN or Infinity are bad then.
        return source, view if plain is None else memoryview(plain), lines
    except RecursionError:
        raise DataError(f"{source}: its JSON is nested too deeply") from None
    return source, view, None


def _decode(view: memoryview, kind: type[_T], source: str) -> _T:
    try:
        return msgspec.json.decode(view, type=kind)
    except msgspec.ValidationError as error:
        raise DataError(f"{source}: {error}") from None
    except msgspec.DecodeError as error:
        raise not_json(error, view, source) from None
    except UnicodeError:
        raise DataError(f"{source}: text that is not UTF-8") from None
    except RecursionError:
        raise DataError(f"{source}: its JSON is nested too deeply") from None


def _held(raw: msgspec.Raw) -> bool:
    return len(memoryview(raw)) > 0


def _list(outer: _Outer, key: str, source: str) -> list[msgspec.Raw]:
    raw: msgspec.Raw = getattr(outer, key)
    try:
        return msgspec.json.decode(raw, type=list[msgspec.Raw]) if _held(raw) else []
    except msgspec.ValidationError as error:
        raise DataError(f"{source}: {error} - at `$.{key}`") from None


def _keys(view: memoryview) -> str:
    try:
        keys = list(msgspec.json.decode(view, type=dict[str, msgspec.Raw]))
    except (UnicodeError, msgspec.DecodeError):
        return ""
    return ", found the keys " + ", ".join(f"'{k[:40]}'" for k in keys[:8]) if keys else ", found an empty object"


def _are_proposals(records: Sequence[Buffer]) -> bool:
    """Whether the first records number images as NS-VQA does, from 0 by position."""
    for raw in records[:8]:
        try:
            proposed = msgspec.json.decode(raw, type=_Proposed)
        except (msgspec.DecodeError, UnicodeError):
            continue
        return _held(proposed.image_idx) and not _held(proposed.image_id)
    return False


def _images(source: str, instances: str | Path | None, names: str | None) -> Images | str:
    """Return the source of the names of numbered images."""
    if instances is None:
        if names is None:
            raise DataError(
                f"{source}: NS-VQA's proposals number their images; give the scene file or the COCO instances that "
                f"name them (instances=...), or a pattern such as {NAMELESS} (names=...)"
            )
        return names
    other, view, _ = _load(instances)
    outer = _decode(view, _Outer, other) if bytes(view[:1]) == b"{" else _Outer()
    if _held(outer.scenes):
        return {number: (name, None) for number, name in scene_images(other, view).items()}
    listed = read_detections(instances)
    return {n: (d.image, d.size) for n, d in zip(listed.ids, listed.detections, strict=True)}
