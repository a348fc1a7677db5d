"""What a detector learns from: folders of images with the masks of their objects, in COCO's layout.

    data = load_detection_data("data/clevr", detector.categories)    # images/ and instances.json
    data.train, data.valid                                           # lists of DetectionExample

Several folders make one data set: "rendered,photographs". Images are read when a batch is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...data.image_folder import ImageFolder
from ...data.splits import HoldOut, Split
from ...errors import DataError, NsreasonError, did_you_mean
from ...io.images import read_header
from ..detections.detections import Detections
from ..detections.readers import read_detections
from .batch import DetectionExample, ImageCache

if TYPE_CHECKING:
    from .config import DetectorConfig

READERS = 4  # threads; decoding an image does not hold the others up
NAMES = ("instances.json", "instances.json.gz")


@dataclass(frozen=True)
class DetectionData:
    """A recipe's `[data]`."""

    held_out: float = 0.1
    """The last part of the images of each folder, in file order, is not learned from."""
    validate: int = 200
    """At most so many of the images held out, evenly spread, are validated on in training."""
    fraction: float = 1.0
    """The first part of the other images that is learned from."""
    repeat: tuple[int, ...] = ()
    """How often the images of each folder stand in an epoch, in the order of the folders; 1 for those beyond."""
    cache: int = 3000
    """Megabytes of decoded images that are kept; 480 x 320 pixels are 0.46."""

    def __post_init__(self) -> None:
        if not (0 <= self.held_out < 1 and 0 < self.fraction <= 1):
            raise ValueError(f"0 <= held_out < 1 and 0 < fraction <= 1, got {self.held_out} and {self.fraction}")
        if self.cache < 0 or self.validate < 1 or min(self.repeat, default=1) < 1:
            raise ValueError("cache from 0, validate and repeat from 1")

    def load(self, config: DetectorConfig, folder: str | Path) -> Split[list[DetectionExample]]:
        """Load the examples of one folder, or of several, with commas between them.

        Args:
            config: the detector's.

        Raises:
            DataError: a folder lacks something, or nothing in it can be learned from.
        """
        split = load_detection_data(folder, config.categories(), self)
        step = max(1, math.ceil(len(split.valid) / self.validate))
        held_out = split.valid[::step]
        faults = unreadable([*split.train, *held_out])
        train = [e for e in split.train if e.path not in faults]
        if not train:
            raise DataError(f"{folder}: no image to learn from; the first: {next(iter(faults.values()))}")
        kept = [e for e in held_out if e.path not in faults]
        return replace(split, train=train, valid=kept, bad=[*split.bad, *faults.values()])


def unreadable(examples: Sequence[DetectionExample]) -> dict[Path, NsreasonError]:
    """The images that are damaged or not of their annotations' size, and why. Each is read once; one that is cut off
    would else end a training run when its batch is due.
    """

    def fault(example: DetectionExample) -> NsreasonError | None:
        try:
            example.image()
        except NsreasonError as error:
            return error
        return None

    once = list({e.path: e for e in examples}.values())
    with ThreadPoolExecutor(READERS, thread_name_prefix="images") as pool:
        faults = zip(once, pool.map(fault, once), strict=True)
        return {e.path: error for e, error in faults if error is not None}


def load_detection_data(
    folder: str | Path, categories: Sequence[str], config: DetectionData | None = None
) -> Split[list[DetectionExample]]:
    """The examples of one folder, or of several, with commas between them.

    Args:
        categories: the detector's classes. One named `object` takes every category of a file for it.

    Raises:
        DataError: a folder lacks something, or nothing in it can be learned from.
    """
    config = config or DetectionData()
    folders = [folder] if isinstance(folder, Path) else [Path(f.strip()) for f in folder.split(",") if f.strip()]
    cache = ImageCache(config.cache << 20)
    rule = HoldOut(config.held_out, config.fraction)
    split: Split[list[DetectionExample]] = Split([], [], source=str(folder), unit="images", rule=rule)
    for number, one in enumerate(folders):
        examples, bad = read_folder(one, categories, cache)
        train, valid = rule.split(examples)
        times = config.repeat[number] if number < len(config.repeat) else 1
        split.train.extend(train * times)
        split.valid.extend(valid)
        split.bad.extend(bad)
    return split


def read_folder(
    folder: str | Path, categories: Sequence[str], cache: ImageCache | None = None
) -> tuple[list[DetectionExample], list[NsreasonError]]:
    """The examples of a folder in the order of its file, and why other records make none.

    Raises:
        DataError: there is no such folder, it lacks its file or its images, or none of them can be used.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        raise DataError(f"{folder}: no {NAMES[0]}, COCO's file of annotated objects")
    images = ImageFolder(folder)
    file = read_detections(path)
    cache = cache or ImageCache(0)
    if not file.annotated:
        raise DataError(f"{path}: lists images and has no annotations to learn from")
    bad: list[NsreasonError] = [record.error for record in file.bad]
    examples: list[DetectionExample] = []
    for detections, image in zip(file.detections, images.paths(d.image for d in file.detections), strict=True):
        try:
            if isinstance(image, DataError):
                raise image
            if detections.size is None:
                header = read_header(image)
                detections = replace(detections, size=(header.width, header.height))
            examples.append(DetectionExample(image, labelled(detections, file.categories, categories), cache))
        except NsreasonError as error:
            bad.append(error)
    if not examples:
        why = f"; the first: {bad[0]}" if bad else ""
        raise DataError(f"{path}: none of {len(file.detections)} images can be used{why}")
    return examples, bad


def labelled(detections: Detections, names: Mapping[int, str], categories: Sequence[str]) -> Detections:
    """Annotations under the labels of a detector; groups annotated as one are left out.

    Raises:
        DataError: an object has no mask, or a category that is none of the detector's.
    """
    if detections.crowd is not None:
        detections = detections.where(~detections.crowd)
    if detections.masks is None and len(detections):
        raise DataError(f"{detections.image}: its objects have boxes and no masks; a detector learns from masks")
    single = tuple(categories) == ("object",)
    labels = []
    for label in detections.labels.tolist():
        name = names.get(label, str(label))
        if not single and name not in categories:
            raise DataError(f"{detections.image}: no class '{name}'{did_you_mean(name, categories)}")
        labels.append(1 if single else categories.index(name) + 1)
    return replace(detections, labels=np.array(labels, dtype=np.int64))
