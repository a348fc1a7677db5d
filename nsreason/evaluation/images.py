"""Whole question files on images: each image is perceived once, then the questions about it are answered and scored.

    report = evaluate_images("questions.json", "images/", pipeline, scenes="scenes.json")

Where annotations are given, a section of the report says how well the images were perceived. A mistake of perception
shows as a wrong answer or, where a question presumes a single object, as a failure of `unique`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from ..data.predictions import Prediction
from ..data.questions import QuestionRecord, read_questions
from ..data.records import BadRecord
from ..data.scenes import SceneFile, load_scenes
from ..data.splits import HoldOut
from ..dsl.domain import Domain
from ..errors import DataError, NsreasonError
from ..io.image_tensors import read_image
from ..io.locks import locked_file
from ..language.parsers import source_name
from ..perception.scene_parser.data import SceneParserData, annotated, scenes_of
from ..queries.image import QueryImage
from ..queries.query import Query
from ..reasoners.asked_images import Asked, AskedImages
from ..reasoners.image_pipeline import DetectedImage, ImagePipeline
from ..reasoners.images import image_reasoner
from ..reasoners.perceived_images import BATCH, PerceivedImages
from .evaluator import Evaluation, Item, Progress, write_lines
from .judge import Judge, OnError
from .perception_report import PerceptionReport
from .question_files import Programs, item_of
from .report import EXAMPLES, Failures, Report

if TYPE_CHECKING:
    from ..perception.detections.detection_file import DetectionFile
    from ..perception.scene_parser.parser import SceneParser

Part = Literal["all", "held-out"]
HELD_OUT = SceneParserData().held_out


def images_of(records: Sequence[Asked], folder: str | Path, part: Part = "all") -> dict[Path, int | None]:
    """The image files of a folder that questions name, by file name or else by the number at its end, with their
    image_index; in the order of the questions.

    Args:
        part: `held-out` takes the last tenth of them.

    Raises:
        DataError: there is no such folder, or none of its images is asked about.
    """
    return _asked_about(AskedImages(records, folder), records, part)


def _asked_about(images: AskedImages, records: Sequence[Asked], part: Part) -> dict[Path, int | None]:
    paths: dict[Path, int | None] = {}
    for r in records:
        if isinstance(r, QuestionRecord) and isinstance(path := images.of(r), Path):
            paths.setdefault(path, r.image_index)
    if not paths:
        raise DataError(f"{images.files.folder}: none of the questions' images is among its {images.shown()}")
    if part == "held-out":
        kept = list(paths)[len(paths) - round(HELD_OUT * len(paths)) :]
        paths = {p: paths[p] for p in kept}
        if not paths:
            raise DataError(f"{images.files.folder}: too few images to hold any out; --part all asks about all")
    return paths


def evaluate_images(
    questions: str | Path,
    images: str | Path,
    pipeline: ImagePipeline,
    *,
    name: str = "scene-parser",
    scenes: str | Path | None = None,
    detections: DetectionFile | None = None,
    part: Part = "all",
    programs: Programs = "given",
    on_error: OnError = "answer",
    out: str | Path | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    batch_size: int = BATCH,
) -> Report:
    """Answer the questions of a file on the images of a folder.

    Args:
        name: of the pipeline, for the report.
        scenes: annotations to compare with what is perceived; the report then has a section on that.
        detections: what is in the images; None runs the pipeline's detector.
        part: `held-out` asks about the last tenth of the images.
        progress: called with the number of images that were perceived, and of all.
        batch_size: images that are perceived together.
        Others: as `question_files.evaluate_files`.

    Raises:
        DataError: a file or the folder cannot be read, or no question is about an image of the folder.
        Unanswered: a question has no exact answer, and `on_error` is `raise`.
    """
    began = perf_counter()
    records = list(itertools.islice(read_questions(questions), limit))
    asked = AskedImages(records, images)
    paths = _asked_about(asked, records, part)
    if part != "all":
        records = [r for r in records if isinstance(r, QuestionRecord) and asked.of(r) in paths]
    settings: dict[str, object] = {"questions": str(questions), "images": str(images), "by": name}
    settings |= {"programs": source_name(programs), "on_error": on_error, "part": part, "limit": limit}
    truth = None if scenes is None else load_scenes(scenes, pipeline.domain)
    watcher = _Watcher(pipeline, truth, progress, len(paths))
    perceived = PerceivedImages(pipeline, batch_size=batch_size)
    reasoner = image_reasoner(perceived, programs, lenient=on_error == "answer")
    evaluation = Evaluation(reasoner, judge=Judge(on_error, pipeline.domain))
    report = Report(settings)
    with locked_file(out):
        lines = _lines(evaluation, perceived, watcher, records, asked, paths, detections, programs, report)
        for line in lines:
            report.add(line)
        if out is not None:
            write_lines(out, lines)
    watcher.tell(report)
    report.seconds["total"] = perf_counter() - began
    return report


def _lines(
    evaluation: Evaluation,
    perceived: PerceivedImages,
    watcher: _Watcher,
    records: Sequence[Asked],
    asked: AskedImages,
    paths: Mapping[Path, int | None],
    detections: DetectionFile | None,
    programs: Programs,
    report: Report,
) -> list[Prediction]:
    """The lines of all records, in order; the report gets the seconds that they took."""
    lines: dict[int, Prediction] = {}
    waiting = _by_image(records, asked, lines)
    for at in range(0, len(paths), perceived.batch_size):
        batch = dict(list(paths.items())[at : at + perceived.batch_size])
        results = watcher.perceive(perceived, _image_queries(batch, asked, detections), batch)
        numbered = [
            (number, _item(record, results[path], perceived.pipeline.domain, programs))
            for path in batch
            for number, record in waiting[path]
        ]
        answered, part = evaluation.part([item for _, item in numbered])
        lines |= {number: line for (number, _), line in zip(numbered, answered, strict=True)}
        report.seconds = {k: report.seconds.get(k, 0.0) + v for k, v in part.seconds.items()}
    return [lines[number] for number in sorted(lines)]


def _by_image(
    records: Sequence[Asked], images: AskedImages, lines: dict[int, Prediction]
) -> dict[Path, list[tuple[int, QuestionRecord]]]:
    """The numbers and records of the questions about each image; `lines` gets those that are about none."""
    judge = Judge()
    by_image: dict[Path, list[tuple[int, QuestionRecord]]] = {}
    for number, record in enumerate(records):
        if isinstance(record, BadRecord):
            lines[number] = judge.bad(record)
        elif isinstance(path := images.of(record), DataError):
            lines[number] = judge.bad(BadRecord(record.index, path), record.image_index)
        else:
            by_image.setdefault(path, []).append((number, record))
    return by_image


def _image_queries(
    paths: Iterable[Path], images: AskedImages, detections: DetectionFile | None
) -> dict[Path, dict[str, Any] | NsreasonError]:
    """The inputs of queries about each image, or why there are no detections of it."""
    inputs: dict[Path, dict[str, Any] | NsreasonError] = {}
    for path in paths:
        name = images.name(path)
        try:
            given = {} if detections is None else {"detections": detections.by_image(name)}
            inputs[path] = {"image": QueryImage(path, name=name), **given}
        except NsreasonError as error:
            inputs[path] = error
    return inputs


def _item(
    record: QuestionRecord, inputs: dict[str, Any] | NsreasonError, domain: Domain, programs: Programs
) -> Item | Prediction:
    """The query of a record about an image, or the line of one that cannot be used."""
    if isinstance(inputs, NsreasonError):
        return Judge().bad(BadRecord(record.index, inputs), record.image_index)
    if (record.program if programs == "given" else record.question) is None:
        lacks, other = ("program", "parsed") if programs == "given" else ("question", "given")
        error = DataError(f"the record has no {lacks}; {other} programs may do")
        return Judge().bad(BadRecord(record.index, error), record.image_index)
    return item_of(record, inputs, domain, programs)


class _Watcher:
    """Perceives images batch by batch, compares them with their annotations, and collects warnings."""

    def __init__(self, pipeline: ImagePipeline, truth: SceneFile | None, progress: Progress | None, total: int) -> None:
        self.pipeline, self.truth, self.progress, self.total = pipeline, truth, progress, total
        self.section = None if truth is None else PerceptionReport(pipeline.domain)
        self.bad: list[NsreasonError] = []
        self.warned: list[str] = []  # for each image with warnings, the first one
        self.done, self.seconds = 0, 0.0

    def perceive(
        self,
        perceived: PerceivedImages,
        inputs: Mapping[Path, dict[str, Any] | NsreasonError],
        indices: Mapping[Path, int | None],
    ) -> dict[Path, dict[str, Any] | NsreasonError]:
        """The inputs of images that could be perceived; of others the error that says why."""
        began = perf_counter()
        good = {path: value for path, value in inputs.items() if not isinstance(value, NsreasonError)}
        images = perceived.of([Query(i, None, None, "image", value) for i, value in enumerate(good.values())])
        self.seconds += perf_counter() - began
        results: dict[Path, dict[str, Any] | NsreasonError] = dict(inputs)
        for path, image in zip(good, images, strict=True):
            if isinstance(image, NsreasonError):
                results[path] = image
                continue
            self._compare(image, indices[path])
            self.warned += [f"{image.name}: {why}" for why in image.warnings[:1]]
        self.bad += [value for value in results.values() if isinstance(value, NsreasonError)]
        self.done += len(inputs)
        if self.progress is not None:
            self.progress(self.done, self.total)
        return results

    def _compare(self, image: DetectedImage, index: int | None) -> None:
        if self.truth is None or self.section is None:
            return
        try:
            annotated = self.truth.scenes[self._place(image.name, index)]
            self.section.add(self.pipeline.scene(image), annotated, image.letterbox.size)
        except NsreasonError as error:
            self.section.bad.append(error)

    def _place(self, name: str, index: int | None) -> int:
        assert self.truth is not None
        try:
            return self.truth.place(None, name)
        except DataError:
            if index is None:
                raise
            return self.truth.place(index, None)

    def tell(self, report: Report) -> None:
        """Add what was found out about the images to a report."""
        report.scenes = self.total - len(self.bad)
        report.bad_scenes = Failures(len(self.bad), 0, [{"message": str(error)} for error in self.bad[:EXAMPLES]])
        report.warned.add(Failures(len(self.warned), 0, [{"message": why} for why in self.warned[:EXAMPLES]]))
        report.seconds["perceiving"] = self.seconds
        if self.section is not None:
            report.sections.append(self.section)


def evaluate_parser(
    parser: SceneParser, folder: str | Path, part: Part = "all", *, split: str = "", limit: int | None = None
) -> PerceptionReport:
    """How well a parser sees the images of a folder whose objects are annotated, their regions given or detected.

    Raises:
        DataError: the folder lacks its scenes or its images, or nothing in it can be used.
    """
    folder = Path(folder)
    scenes, bad = scenes_of(folder, parser.domain, split)
    if part == "held-out":
        scenes = HoldOut(SceneParserData().held_out).split(scenes)[1]
    report = PerceptionReport(parser.domain, bad=list(bad))
    for example in annotated(folder, scenes[:limit]):
        try:
            if isinstance(example, NsreasonError):
                raise example
            scene = parser.scenes([(read_image(example.path), example.regions)])[0]
            report.add(scene, example.scene, example.regions.known_size, list(enumerate(example.objects)))
        except NsreasonError as error:
            report.bad.append(error)
    if not report.scenes.total:
        why = f"; the first: {report.bad[0]}" if report.bad else ""
        raise DataError(f"{folder}: none of {len(scenes)} images can be used{why}")
    return report
