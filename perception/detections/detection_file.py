"""The detections of one file, gathered from its records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from ...data.image_names import ImageNames, bare_name
from ...data.records import BadRecord
from ...errors import DataError, NsreasonError
from ...io.json_numbers import as_whole
from .detections import Detections, pixel_areas
from .rle import Rle, as_rle, mask_boxes

Layout = Literal["instances", "results", "nscl", "nsvqa"]
ImageId = int | str
Buffer = msgspec.Raw | memoryview | bytes


@dataclass
class DetectionFile:
    """The images of a file and their detections, in its order.

    Attributes:
        detections: one for each image, with or without objects.
        categories: names of category numbers; empty where the file has none.
        bad: the records that could not be used, whole or in part.
        source: the file's name.
        layout: how it is laid out.
        annotated: False of a file that lists images and has no `annotations` at all (COCO's image_info).
        ids: the number of each image in the file, in the order of `detections`.
        lost: images of the file that are not among `detections`, for their own records are bad.
        filled: objects without a mask in images where others have one; their masks are their boxes.
    """

    detections: list[Detections]
    categories: dict[int, str] = field(default_factory=dict)
    bad: list[BadRecord] = field(default_factory=list)
    source: str = "detections"
    layout: Layout = "instances"
    ids: list[ImageId] = field(default_factory=list)
    filled: int = 0
    lost: int = 0
    annotated: bool = True

    def __post_init__(self) -> None:
        self.names = ImageNames(image.image for image in self.detections)

    def __len__(self) -> int:
        return len(self.detections)

    def __iter__(self) -> Iterator[Detections]:
        return iter(self.detections)

    def by_image(self, filename: str) -> Detections:
        """Return the detections of an image file; names are compared as `image_names` says.

        Raises:
            DataError: there is no such image in the file, or there are several.
        """
        try:
            return self.detections[self.names.place(filename)]
        except DataError as error:
            raise DataError(f"{self.source}: {error}") from None


class ObjectRecord(NamedTuple):
    """One object of a file."""

    box: tuple[float, float, float, float]
    score: float
    label: int
    mask: Rle | None
    area: float | None
    crowd: bool


@dataclass
class _Image:
    name: str
    size: tuple[int, int] | None  # None until a mask says it
    objects: list[ObjectRecord] = field(default_factory=list)


class Gatherer:
    """Collects the objects of images while the records of a file are read.

    Args:
        source: the file's name, for messages.
    """

    def __init__(self, source: str) -> None:
        self.source, self.bad = source, list[BadRecord]()
        self.images: dict[ImageId, _Image] = {}
        self.lost: set[ImageId] = set()  # images whose own record is bad
        self.used = 0  # objects

    def refuse(self, index: int, error: NsreasonError) -> None:
        self.bad.append(BadRecord(index, error, self.source))

    def image(self, number: ImageId, name: str, size: tuple[int, int] | None, where: str) -> None:
        """Add an image.

        Raises:
            DataError: its number is another's, its name is empty or its size none.
        """
        if number in self.images:
            raise at(f"image {number!r} is already '{self.images[number].name}'", where)
        if not bare_name(name):
            raise at(f"{name!r} is no file name", where)
        self.images[number] = _Image(name, size)

    def known(self, number: ImageId, where: str) -> _Image:
        """Return an image that the file has listed.

        Raises:
            DataError: it has not.
        """
        if number in self.images:
            return self.images[number]
        if number in self.lost:
            raise at(f"the record of image {number!r} is not valid", where)
        raise at(f"no image has the number {number!r}{_range(self.images)}", where)

    def add(
        self,
        index: int,
        number: ImageId,
        *,
        where: str,
        bbox: list[float] | None,
        mask: Any,
        score: float | None,
        label: int,
        area: float | None = None,
        crowd: bool = False,
        paths: tuple[str, str, str] | None = None,
    ) -> None:
        """Add an object.

        Args:
            index: the record's place in the file.
            where: its JSON path.
            bbox: x, y, width, height; None or empty where only the mask says it.
            paths: the JSON paths of its image's number, its box and its mask, where they are not COCO's.

        Raises:
            DataError: something about it is not valid.
        """
        paths = paths or (f"{where}.image_id", f"{where}.bbox", f"{where}.segmentation")
        image = self.known(number, paths[0])
        dropped: list[str] = []
        try:
            rle = _sized(mask, image, bool(bbox), dropped)
        except DataError as error:
            raise at(str(error), paths[2]) from None
        if bbox:
            box = _box(bbox, paths[1])
        elif rle is not None:
            left, top, right, bottom = mask_boxes([rle])[0].tolist()
            box = left, top, right, bottom
        else:
            raise at("neither a box nor a mask", where)
        if score is not None and not 0 <= score <= 1 + 1e-6:
            raise at(f"a score is a number in 0..1, got {score:g}", f"{where}.score")
        if not 0 <= label < 2**31:
            raise at(f"a category number is a whole number from 0 to 2,147,483,647, got {label!s:.40}", where)
        if area is not None and not 0 <= area < 1e15:
            raise at(f"an area is a number from 0, got {area:g}", f"{where}.area")
        image.objects.append(ObjectRecord(box, min(1.0, 1.0 if score is None else score), label, rle, area, crowd))
        self.used += 1
        for fault in dropped:
            self.refuse(index, at(fault, paths[2]))

    def file(self, layout: Layout, categories: Mapping[int, str], records: int) -> DetectionFile:
        """Return the file. In the layouts of CLEVR's parsers, all images get the one size that is known.

        Args:
            records: how many objects the file has, good and bad.

        Raises:
            DataError: none of them can be used, in a file that is read for them alone.
        """
        if records and not self.used and layout != "instances":  # which serve to list images, too
            why = f"; the first: {self.bad[0].error}" if self.bad else ""
            raise DataError(f"{self.source}: none of its {records:,} records of objects can be used{why}")
        if layout in ("instances", "results"):
            return self._file(layout, categories)
        sizes = {image.size for image in self.images.values()} - {None}
        if len(sizes) == 1:
            (only,) = sizes
            for image in self.images.values():
                image.size = only
        return self._file(layout, categories)

    def _file(self, layout: Layout, categories: Mapping[int, str]) -> DetectionFile:
        file = DetectionFile([], dict(categories), self.bad, self.source, layout)
        masked = any(o.mask for image in self.images.values() for o in image.objects)
        for index, (number, image) in enumerate(self.images.items()):
            if image.size is None and layout not in ("instances", "results"):
                file.lost += 1
                self.refuse(index, DataError(f"image '{image.name}': neither the file nor a mask says its size"))
                continue
            detections, filled = _gathered(image, image.size, masked)
            file.detections.append(detections)
            file.ids.append(number)
            file.filled += filled
        file.__post_init__()
        return file


def _gathered(image: _Image, size: tuple[int, int] | None, masked: bool) -> tuple[Detections, int]:
    """One image's objects as arrays, and how many masks their boxes stand in for."""
    objects = image.objects
    boxes = np.asarray([o.box for o in objects], dtype=np.float32).reshape(-1, 4)
    masks: list[Rle] | None = [o.mask for o in objects if o.mask is not None]
    filled = len(objects) - len(masks or [])
    if filled == len(objects):
        masks, filled = (None if objects or not masked else []), 0
    elif filled and size is not None:
        masks = [_filled(o.box, size) if o.mask is None else o.mask for o in objects]
    crowd = np.asarray([o.crowd for o in objects], dtype=bool)
    detections = Detections(
        image.name,
        size,
        boxes,
        np.asarray([o.score for o in objects], dtype=np.float32),
        np.asarray([o.label for o in objects], dtype=np.int64),
        masks,
        crowd if crowd.any() else None,
    )
    if all(o.area is None for o in objects):
        return detections, filled
    pixels = pixel_areas(detections)
    areas = np.asarray([p if o.area is None else o.area for o, p in zip(objects, pixels, strict=True)])
    if np.array_equal(areas, pixels):
        return detections, filled
    return replace(detections, areas=areas), filled


def _filled(box: tuple[float, float, float, float], size: tuple[int, int]) -> Rle:
    """The mask of a box's pixels."""
    from .rle import encode_masks

    width, height = size
    left, top, right, bottom = (max(0, round(edge)) for edge in box)
    mask = np.zeros((1, height, width), dtype=bool)
    mask[0, top:bottom, left:right] = True
    return encode_masks(mask)[0]


_NO_SIZE = "polygons, and the size of their image is not known"


def _sized(mask: Any, image: _Image, boxed: bool, dropped: list[str]) -> Rle | None:
    """The mask, checked against the image's size, which it says where nothing else has."""
    if image.size is not None:
        return as_rle(mask, image.size[1], image.size[0], dropped)
    size = mask.get("size") if isinstance(mask, dict) else None
    if not isinstance(size, list) or len(size) != 2:
        if mask and not boxed:
            raise DataError(_NO_SIZE)
        if mask:
            dropped.append(f"{_NO_SIZE}; its box is kept")
        return None
    rle = as_rle(mask, size[0], size[1])
    image.size = (size[1], size[0])
    return rle


def _box(bbox: list[float], where: str) -> tuple[float, float, float, float]:
    """x, y, width, height to left, top, right, bottom."""
    if len(bbox) != 4:
        raise at(f"a bbox is x, y, width, height: 4 numbers, got {len(bbox)}", where)
    left, top, width, height = bbox
    if width < 0 or height < 0:
        raise at(f"a bbox is x, y, width, height; this one is {width:g} wide and {height:g} high", where)
    box = left, top, left + width, top + height
    if not max(map(abs, box)) < 1e9:
        raise at(f"a bbox in pixels, got {bbox}", where)
    return box


def whole(number: int | float | str, where: str, what: str = "a number") -> int:
    """Return a whole number, which may be written 1.0.

    Raises:
        DataError: it is none.
    """
    value = as_whole(number)
    if value is None:
        raise at(f"{what} is a whole number from 0, got {number!r:.60}", where)
    return value


def at(message: str, where: str) -> DataError:
    """Return an error that ends in the JSON path."""
    return DataError(f"{message} - at `{where}`")


def decode_error(error: Exception, where: str, raw: Buffer = b"") -> DataError:
    """Return msgspec's error of one record, with the path from the root of its file.

    Args:
        raw: the record, in which a string may stand where NaN or Infinity stood (`records.without_nan`).
    """
    message = str(error)
    if message.startswith("Expected ") and " got `str`" in message and _stands_in(raw, message):
        message = "a number is not finite" + "".join(message.partition(" - at `")[1:])
    if " - at `$" in message:
        return DataError(message.replace(" - at `$", f" - at `{where}", 1))
    return at(message, where)


_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


def _stands_in(raw: Buffer, message: str) -> bool:
    """Whether a string of `without_nan` is at the path with which msgspec's message ends."""
    try:
        value: Any = msgspec.json.decode(raw)
        for key, index in _STEP.findall(message.partition(" - at `$")[2].rstrip("`")):
            value = value[key] if key else value[int(index)]
    except (msgspec.DecodeError, UnicodeError, RecursionError, LookupError, TypeError):
        return False
    return value in ("N", "Infini", "-Infini")


def _range(images: Mapping[ImageId, Any]) -> str:
    numbers = sorted(n for n in images if isinstance(n, int))
    return f"; those of the {len(images)} images are {numbers[0]} to {numbers[-1]}" if numbers else ""
