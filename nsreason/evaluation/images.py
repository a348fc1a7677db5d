"""Whole question files on images: what is in each is looked at once, then every question is answered and scored.

    report, seen = evaluate_images("questions.json", "images/", reasoner, scenes="scenes.json")

The report is that of `evaluate`; the second value, where annotations are given, says how well the images were seen. A
mistake of perception shows as a wrong answer or, where a question presumes a single object, as a failure of `unique`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import msgspec

from ..data.answers import reference_answer
from ..data.predictions import Prediction
from ..data.questions import QuestionRecord, read_questions
from ..data.records import BadRecord
from ..data.scenes import SceneFile, load_scenes
from ..dsl.domain import Domain
from ..errors import DataError, NsreasonError
from ..io.files import atomic_write
from ..io.image_tensors import read_image, read_transparent, transparency
from ..io.locks import locked_file
from ..perception.scene_parser.data import SceneParserData, annotated, scenes_of
from ..programs.program import Program
from ..programs.question_types import QuestionTypes
from ..reasoners.asked_images import Asked, AskedImages
from ..reasoners.image_pipeline import DetectedImage, ImagePipeline
from ..scenes.scene import Scene
from .answerer import OnError, ProgramSource
from .evaluator import evaluate
from .perception_report import PerceptionReport
from .report import EXAMPLES, Failures, Report

if TYPE_CHECKING:
    from ..perception.detections.detection_file import DetectionFile
    from ..perception.detections.detections import Detections
    from ..perception.scene_parser.parser import SceneParser

Progress = Callable[[int, int | None], None]
Part = Literal["all", "held-out"]
AT_ONCE = 16  # images; 8 of CLEVR's take a detector a second or two on one core
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
    found: dict[Path, int | None] = {}
    for r in records:
        if isinstance(r, QuestionRecord) and isinstance(path := images.of(r), Path):
            found.setdefault(path, r.image_index)
    if not found:
        raise DataError(f"{images.files.folder}: none of the questions' images is among its {images.shown()}")
    if part == "held-out":
        kept = list(found)[len(found) - round(HELD_OUT * len(found)) :]
        found = {p: found[p] for p in kept}
        if not found:
            raise DataError(f"{images.files.folder}: too few images to hold any out; --part all asks about all")
    return found


def views(
    paths: Sequence[Path],
    reasoner: ImagePipeline,
    detections: DetectionFile | None = None,
    *,
    bad: list[NsreasonError] | None = None,
    at_once: int = AT_ONCE,
    named: Callable[[Path], str] = lambda path: path.name,
) -> Iterator[tuple[Path, DetectedImage]]:
    """Image files as a reasoner sees them, some at once; an image that cannot be read is left out.

    Args:
        detections: what is in the images; None asks the reasoner's detector.
        bad: gets the errors of images that are left out.
        named: what a file is called in scenes and detections.
    """
    for at in range(0, len(paths), at_once):
        kept: list[Path] = []
        images = []
        clear: list[float] = []
        given: list[Detections] = []
        for path in paths[at : at + at_once]:
            try:
                image, share = read_transparent(path)
                if detections is not None:
                    given.append(detections.by_image(named(path)))
            except NsreasonError as error:
                if bad is None:
                    raise
                bad.append(error)
                continue
            kept.append(path)
            images.append((named(path), image))
            clear.append(share)
        found = reasoner.perceive(images, None if detections is None else given)
        yield from zip(kept, map(with_transparency, found, clear), strict=True)


def with_transparency(view: DetectedImage, clear: float) -> DetectedImage:
    """A view that warns of the share of the image that is transparent, if any is."""
    why = transparency(clear)
    return view if why is None else replace(view, warnings=(why, *view.warnings))


def evaluate_images(
    questions: str | Path,
    images: str | Path,
    reasoner: ImagePipeline,
    *,
    name: str = "scene-parser",
    scenes: str | Path | None = None,
    detections: DetectionFile | None = None,
    part: Part = "all",
    programs: ProgramSource = "given",
    on_error: OnError = "answer",
    out: str | Path | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    at_once: int = AT_ONCE,
) -> tuple[Report, PerceptionReport | None]:
    """Answer the questions of a file on the images of a folder.

    Args:
        name: of the reasoner, for the report.
        scenes: annotations to compare with what was seen.
        part: `held-out` asks about the last tenth of the images.
        progress: called with the number of images that were looked at, and of all.
        at_once: images that are looked at together.
        Others: as `evaluation.evaluate`.

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
    told: dict[str, object] = {"questions": str(questions), "images": str(images), "by": name}
    told |= {"programs": programs, "on_error": on_error}
    truth = None if scenes is None else load_scenes(scenes, reasoner.domain)
    seen = None if truth is None else PerceptionReport(reasoner.domain)
    run = _Run(reasoner, asked, paths, detections, truth, seen, progress, at_once)
    with locked_file(out):
        report = run.exactly(records, programs, on_error, out) if reasoner.crisp else run.softly(records, programs, out)
    report.settings = told | {"part": part, "limit": limit}
    report.warned.add(Failures(len(run.warned), 0, [{"message": why} for why in run.warned[:EXAMPLES]]))
    report.seconds["looking"] = run.seconds
    report.seconds["total"] = perf_counter() - began
    return report, seen


class _Run:
    """One evaluation: looking at the images, and the two ways to answer."""

    def __init__(
        self,
        reasoner: ImagePipeline,
        asked: AskedImages,
        paths: dict[Path, int | None],
        detections: DetectionFile | None,
        truth: SceneFile | None,
        seen: PerceptionReport | None,
        progress: Progress | None,
        at_once: int = AT_ONCE,
    ) -> None:
        self.reasoner, self.asked, self.paths, self.detections = reasoner, asked, paths, detections
        self.truth, self.seen, self.progress = truth, seen, progress
        self.at_once = at_once
        self.bad: list[NsreasonError] = []
        self.warned: list[str] = []  # for each image that is warned of, the first reason
        self.seconds = 0.0

    def _look(self) -> Iterator[tuple[Path, DetectedImage]]:
        began = perf_counter()
        for done, (path, view) in enumerate(
            views(
                list(self.paths),
                self.reasoner,
                self.detections,
                bad=self.bad,
                at_once=self.at_once,
                named=self.asked.name,
            ),
            start=1,
        ):
            self.seconds += perf_counter() - began
            self._compare(view, self.paths[path])
            self.warned += [f"{view.name}: {why}" for why in view.warnings[:1]]
            if self.progress is not None:
                self.progress(done, len(self.paths))
            yield path, view
            began = perf_counter()

    def _compare(self, view: DetectedImage, index: int | None) -> None:
        if self.truth is None or self.seen is None:
            return
        try:
            true = self.truth.scenes[self._annotated(view.name, index)]
            self.seen.add(self.reasoner.scene(view), true, view.fit.size)
        except NsreasonError as error:
            self.seen.bad.append(error)

    def _annotated(self, name: str, index: int | None) -> int:
        assert self.truth is not None
        try:
            return self.truth.place(None, name)
        except DataError:
            if index is None:
                raise
            return self.truth.place(index, None)

    def exactly(
        self, records: Sequence[Asked], programs: ProgramSource, on_error: OnError, out: str | Path | None
    ) -> Report:
        """The scenes of all images, and exact execution on them."""
        held: list[Scene] = []
        used = set(self.paths.values())
        free = (n for n in itertools.count() if n not in used)
        for path, view in self._look():
            index, scene = self.paths[path], self.reasoner.scene(view)
            scene.index = next(free) if index is None else index
            held.append(scene)
        lost = [BadRecord(i, error, "images") for i, error in enumerate(self.bad)]
        asked = [r for r in records if isinstance(r, QuestionRecord)]
        file = SceneFile(held, lost, "images")
        report = evaluate(asked, file, programs=programs, on_error=on_error, out=out, domain=self.reasoner.domain)
        for r in records:
            if isinstance(r, BadRecord):
                report.add(_unusable(r.index, r.error))
        return report

    def softly(self, records: Sequence[Asked], programs: ProgramSource, out: str | Path | None) -> Report:
        """Image by image, each question by soft execution."""
        domain = self.reasoner.domain
        types = QuestionTypes(domain)
        report = Report(scenes=len(self.paths))
        lines: dict[int, Prediction] = {}
        waiting: dict[Path, list[tuple[int, QuestionRecord]]] = {}
        for number, r in enumerate(records):
            if isinstance(r, BadRecord):
                lines[number] = _unusable(r.index, r.error)
            elif isinstance(path := self.asked.of(r), DataError):
                lines[number] = _unusable(r.index, path)
            else:
                waiting.setdefault(path, []).append((number, r))
        for path, view in self._look():
            lines |= _answered(waiting.pop(path, []), view, self.reasoner, domain, types, programs)
        for rest in waiting.values():
            for number, r in rest:
                told = r.image_filename or f"of image_index {r.image_index}"
                lines[number] = _unusable(r.index, DataError(f"the image {told} was not seen"))
        ordered = [lines[n] for n in sorted(lines)]
        for line in ordered:
            report.add(line)
        if out is not None:
            with atomic_write(out) as file:
                file.write(msgspec.json.Encoder().encode_lines(ordered))
        return report


def _unusable(index: int, error: NsreasonError) -> Prediction:
    return Prediction(index, "bad", error=error.record())


def _answered(
    asked: Sequence[tuple[int, QuestionRecord]],
    view: DetectedImage,
    reasoner: ImagePipeline,
    domain: Domain,
    types: QuestionTypes,
    programs: ProgramSource,
) -> dict[int, Prediction]:
    """The predictions of one image's questions, by their numbers."""
    from ..executors import spell
    from ..language.question_parser import parse_question

    lines: dict[int, Prediction] = {}
    ready: list[tuple[int, QuestionRecord, Program]] = []
    for number, r in asked:
        told = lines[number] = Prediction(r.index, "unscored", r.image_index, answer=r.answer)
        try:
            program = r.given_program(domain) if programs == "given" else parse_question(r.question or "", domain)
            if program is None:
                raise DataError("the record has no program; parsed programs may do")
            told.answer = reference_answer(r.answer, domain, program.kind)
        except NsreasonError as error:
            told.status, told.error = "bad", error.record()
            continue
        told.type, told.op = types(program)
        ready.append((number, r, program))
    answers = reasoner.answer([p for _, _, p in ready], [view], [0] * len(ready))
    for (number, _, _), answer in zip(ready, answers, strict=True):
        told = lines[number]
        if isinstance(answer, NsreasonError):
            told.error = answer.record()
        else:
            told.prediction = spell(answer)
        if told.answer is not None:
            told.correct = told.prediction == told.answer
            told.status = "right" if told.correct else "wrong"
    return lines


def evaluate_parser(
    parser: SceneParser, folder: str | Path, part: Part = "all", *, split: str = "", limit: int | None = None
) -> PerceptionReport:
    """How well a parser sees the images of a folder whose objects are annotated, their regions given or detected.

    Raises:
        DataError: the folder lacks its scenes or its images, or nothing in it can be used.
    """
    folder = Path(folder)
    scenes, bad = scenes_of(folder, parser, split)
    if part == "held-out":
        scenes = scenes[len(scenes) - round(SceneParserData().held_out * len(scenes)) :]
    report = PerceptionReport(parser.domain, bad=list(bad))
    for found in annotated(folder, scenes[:limit]):
        try:
            if isinstance(found, NsreasonError):
                raise found
            seen = parser.scenes([(read_image(found.path), found.regions)])[0]
            report.add(seen, found.scene, found.regions.known_size, list(enumerate(found.objects)))
        except NsreasonError as error:
            report.bad.append(error)
    if not report.scenes.total:
        why = f"; the first: {report.bad[0]}" if report.bad else ""
        raise DataError(f"{folder}: none of {len(scenes)} images can be used{why}")
    return report
