"""What a concept learner learns from images: questions with their programs and answers, each on an image with what a
detector found there.

    data = load_image_data("data/photos,data/rendered", domain, regions, ConceptData())    # one folder or several
    data.train, data.valid                                                  # sequences of Example

A folder has `images/`, a file of questions, and what was detected: `detections.json` (as `nsreason detect` writes it),
or a file of scenes whose objects have masks, in which case values and relations that stand beside them are not learned
from. Images are kept as bytes, at the size that the learner takes (460 KB each at 320 x 480; 5,000 take 2.3 GB), in
memory or in memory-mapped files (`frames`). Masks are decoded once and cut out (3 KB an object).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...data.folders import find_file
from ...data.image_folder import ImageFolder
from ...data.questions import QuestionRecord, read_questions
from ...data.scenes import load_scenes
from ...data.splits import HoldOut, Split
from ...dsl.domain import Domain
from ...errors import DataError, NsreasonError
from ...perception.detections.detection_file import DetectionFile
from ...perception.detections.detections import Detections
from ...perception.detections.readers import read_detections
from ...perception.features.regions import RegionConfig
from ...programs.question_types import QuestionTypes
from ...scenes.scene import Scene
from ...training.sampling import prefetched
from .examples import Examples, MappedView, Viewed, make_example
from .frames import READERS, ImageWithDetections, frames_file, mapped_views

if TYPE_CHECKING:
    from .data import ConceptData


def load_image_data(
    folders: str | Path | Sequence[str | Path], domain: Domain, regions: RegionConfig, config: ConceptData
) -> Split[Examples]:
    """The examples of folders of images; several are given in a list, or in one text with commas between them.

    Raises:
        DataError: a folder lacks a file, or nothing in it can be learned from.
    """
    places = folders_of(folders)
    rule = HoldOut(config.held_out, config.fraction)
    split = Split(Examples(), Examples(), source=",".join(map(str, places)), rule=rule)
    for number, place in enumerate(places, start=1):
        examples, bad = _examples(place, domain, regions, config, frames_file(config.frames, number, place))
        holds_out = config.held_out_of == "each" or number == len(places)
        own = rule if holds_out else HoldOut(0.0, config.fraction)
        train, valid = own.split(examples, group=lambda e: id(e.described))
        split.train.extend(train)
        split.valid.extend(valid)
        split.bad.extend(bad)
    return split


def folders_of(folders: str | Path | Sequence[str | Path]) -> list[Path]:
    """The folders that are named.

    Raises:
        DataError: there is no such folder.
    """
    if isinstance(folders, str | Path):
        whole = Path(folders)
        folders = [whole] if whole.exists() else [part for part in str(folders).split(",") if part]
    places = [Path(f) for f in folders]
    for place in places:
        if not place.is_dir():
            raise DataError(f"{place}: there is no such folder")
    return places


@dataclass(frozen=True)
class _FolderDetections:
    """What was detected in a folder's images, by place and by name, and what is annotated of the same objects."""

    file: DetectionFile
    by_number: dict[int | str, Detections]
    scenes: dict[str, Scene]
    source: Path

    def of(self, record: QuestionRecord) -> Detections:
        """What was detected in the image of a question.

        Raises:
            DataError: nothing is known of it, or nothing was found there.
        """
        name, number = record.image_filename, record.image_index
        asked = f"question {record.index}: the image {name if name is not None else f'number {number}'}"
        detections = None
        if name is None:
            detections = self.by_number.get(-1 if number is None else number)
        elif self.file.names.find(name):
            detections = self.file.by_image(name)
        if detections is None:
            lost = "; images of it are lost, so that positions say nothing" if not self.by_number else ""
            raise DataError(f"{asked} is not in {self.source}{lost}")
        if not len(detections):
            raise DataError(f"{asked} has no object that was detected")
        return detections


def _by_number(file: DetectionFile) -> dict[int | str, Detections]:
    """What was detected, by image_index: scene files and proposals say it, of others the position in the file does,
    as long as no image of the file is lost.
    """
    if file.layout in ("nscl", "nsvqa"):
        return dict(zip(file.ids, file.detections, strict=True))
    return {} if file.lost else dict(enumerate(file.detections))


def _folder_detections(folder: Path, domain: Domain, split: str) -> _FolderDetections:
    path, annotated = _detections_file(folder, split)
    read = read_detections(path)
    if not read.detections:
        why = f"; the first: {read.bad[0]}" if read.bad else ""
        raise DataError(f"{path}: no image with detections{why}")
    scenes: dict[str, Scene] = {}
    if annotated:
        with contextlib.suppress(NsreasonError):  # of another domain, or without values: nothing to probe against
            scenes = {s.image: s for s in load_scenes(path, domain).scenes if s.image is not None}
    return _FolderDetections(read, _by_number(read), scenes, path)


def _detections_file(folder: Path, split: str) -> tuple[Path, bool]:
    """The file of detections, and whether it is one of scenes."""
    for name in ("detections.json", "detections.json.gz"):
        if (folder / name).is_file():
            return folder / name, False
    with contextlib.suppress(DataError):
        scenes = find_file(folder, "scenes", split)
        if scenes.is_file():  # no folder of files of one scene each, which have no masks
            return scenes, True
    if (folder / "instances.json").is_file():
        return folder / "instances.json", False
    message = "no detections.json; `nsreason detect` makes one of images"
    raise DataError(f"{folder}: {message}, and a scenes.json or instances.json with masks will do")


def _examples(
    folder: Path, domain: Domain, regions: RegionConfig, config: ConceptData, frames: Path | None
) -> tuple[Examples, list[NsreasonError]]:
    questions = find_file(folder, "questions", config.split)
    detected = _folder_detections(folder, domain, config.split)
    bad: list[NsreasonError] = []
    asked: list[tuple[QuestionRecord, Detections]] = []
    for record in read_questions(questions):
        try:
            if not isinstance(record, QuestionRecord):
                raise record.error
            asked.append((record, detected.of(record)))
        except NsreasonError as error:
            bad.append(error)
    needed = {id(detections) for _, detections in asked}
    used = [d for d in detected.file.detections if id(d) in needed]
    views, faults = _views(folder, used, regions, detected.scenes, frames)
    types = QuestionTypes(domain)
    by_image: dict[str, Examples] = {image: Examples() for image in views}
    for record, detections in asked:
        try:
            if detections.image in faults:
                raise faults[detections.image]
            example = make_example(record, views[detections.image], domain, types, config.programs)
            by_image[detections.image].append(example)
        except NsreasonError as error:
            bad.append(error)
    examples = Examples(e for part in by_image.values() for e in part)  # images in the order of their detections
    if not examples:
        why = f"; the first: {bad[0]}" if bad else ""
        raise DataError(f"{questions}: none of {len(bad)} questions can be learned from{why}")
    return examples, bad


def _views(
    folder: Path, detections: Iterable[Detections], regions: RegionConfig, scenes: dict[str, Scene], frames: Path | None
) -> tuple[dict[str, Viewed | MappedView], dict[str, NsreasonError]]:
    """Images with their detections by name, and why others cannot be read.

    Args:
        frames: the file for the images; None keeps them in memory.
    """
    detections = list(detections)
    paths = ImageFolder(folder).paths(d.image for d in detections)
    images = [ImageWithDetections(path, d) for path, d in zip(paths, detections, strict=True)]
    read: Iterable[Viewed | MappedView | NsreasonError]
    if frames is None:
        read = prefetched(lambda image: image.read(regions), images, READERS)
    else:
        read = mapped_views(frames, images, regions)
    views: dict[str, Viewed | MappedView] = {}
    faults: dict[str, NsreasonError] = {}
    for image, view in zip(images, read, strict=True):
        name = image.detections.image
        if isinstance(view, NsreasonError):
            faults[name] = view
            continue
        scene = scenes.get(name)
        views[name] = view.with_scene(scene) if scene is not None and len(scene) == len(view) else view
    return views, faults
