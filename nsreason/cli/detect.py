"""`nsreason detect`: the objects of images."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from ..errors import CheckpointError, DataError, NsreasonError
from ..io.locks import locked_file, locked_folder
from . import checks, image_inputs, options, output, progress

if TYPE_CHECKING:
    from torch import Tensor

    from ..evaluation.detection_report import DetectionReport
    from ..perception.detections.detection_file import DetectionFile
    from ..perception.detections.detections import Detections
    from ..perception.detector.detector import Detector
    from ..perception.familiarity import Familiarity

Format = Literal["coco", "results", "nscl"]
AT_ONCE = 8  # images

EXAMPLES = (
    "nsreason generate clevr --scenes 3 --images --out pictures",
    "nsreason detect pictures/images --out detections.json",
    "nsreason detect pictures/images --score 0.7 --draw drawn \\\n    --format nscl --out scenes.json",
    "nsreason detect pictures/images --instances pictures/instances.json",
)


Images = Annotated[list[str], typer.Argument(metavar="IMAGES...", help="Image files, or folders of them.")]
Out = Annotated[
    str | None, typer.Option("--out", metavar="FILE", help="Write the detections; - is stdout, .gz is packed.")
]
Checkpoint = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="FILE", help="A trained detector.", show_default="the bundled one"),
]
Score = Annotated[
    float | None,
    typer.Option("--score", metavar="S", min=0, max=1, help="The least score.", show_default="the detector's"),
]
Layout = Annotated[
    Format, typer.Option("--format", help="Of --out: COCO's instances, COCO's results, or NS-CL's scenes.")
]
Draw = Annotated[
    str | None, typer.Option("--draw", metavar="DIR", help="Write the images with their objects outlined and labelled.")
]
Instances = Annotated[
    str | None,
    typer.Option("--instances", metavar="FILE", help="Annotations: how well the detections agree with them."),
]


def detect(
    context: typer.Context,
    images: Images,
    out: Out = None,
    checkpoint: Checkpoint = None,
    score: Score = None,
    format_: Layout = "coco",
    draw: Draw = None,
    instances: Instances = None,
    device: options.Device = "cpu",
    trust: options.Trust = False,
    batch_size: options.BatchSize = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> int:
    """Find the objects of images: a box, a mask and a score each.

    An image that cannot be read is reported, and the others go on. One that is unlike those that the bundled detector
    has learned from gets a warning with the reason.

    With --instances the average precision of those images is printed, as COCO computes it; --format results then
    numbers images as that file does, and from 1 otherwise.

    Exits with 2 when an image could not be read.
    """
    _check(context, out, checkpoint, as_json)
    context.with_resource(locked_file(out))
    if draw is not None:
        context.with_resource(locked_folder(draw))
    bad: list[NsreasonError] = []
    names = _find(images, bad)
    truth = None if instances is None else _read_truth(instances, names.values())
    detector = load_detector(checkpoint, device, trust=trust)
    run = _Detecting(
        detector,
        names,
        least=detector.config.score if score is None else score,
        known=_familiarity(detector) if checkpoint is None else None,
        truth=truth,
        drawn=None if draw is None else Path(draw),
        lines=None if as_json or truth is not None else _beside(out),
        bad=bad,
    )
    run.detect(batch_size or AT_ONCE)
    for error in bad:
        output.complain(str(error))
    if not run.detections:
        return 2
    if out is not None:
        _write(out, format_, run.confident, detector, truth)
    _print(run, _beside(out), as_json)
    return 2 if bad else 0


def _check(context: typer.Context, out: str | None, checkpoint: str | None, as_json: bool) -> None:
    """Check options and files, before anything that takes long.

    Raises:
        UsageError: options do not go together. DataError, CheckpointError: a file is not there.
    """
    if out == "-" and as_json:
        raise output.UsageError("--out - and --json both write to standard output")
    if out is None:
        options.refuse(context, ("format_",), "is for --out, which is not given")
    if checkpoint is None:
        options.refuse(context, ("trust",), "is of a --checkpoint, which is not given")
    checks.output_file(out, "--out")
    checks.checkpoint(checkpoint or str(checks.bundled("detector")), "detector")


def _beside(out: str | None) -> TextIO:
    """Where lines for people go: not where the detections go."""
    return sys.stderr if out == "-" else sys.stdout


@dataclass
class _Detecting:
    """Detection of a list of images, batch by batch.

    Args:
        names: by path, what an image is called.
        least: the least score of a detection that counts.
        known: what the detector has learned from, to warn of other images; None does not.
        truth: annotations; None if there are none.
        drawn: the folder for images with outlines; None draws none.
        lines: where a line for each image goes; None writes none.
        bad: gets the errors of images that cannot be read.
    """

    detector: Detector
    names: Mapping[Path, str]
    least: float
    known: Familiarity | None
    truth: DetectionFile | None
    drawn: Path | None
    lines: TextIO | None
    bad: list[NsreasonError]
    detections: list[Detections] = field(default_factory=list)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def confident(self) -> list[Detections]:
        """The detections of the least score or more; average precision needs others, too."""
        return [image.above(self.least) for image in self.detections]

    def detect(self, batch_size: int) -> None:
        """Detect the objects of all images, with lines, drawings and warnings as they come."""
        with progress.counted("looking at", "images", len(self.names)) as count:
            for files, pixels, transparent in _read(list(self.names), batch_size, self.bad):
                self._batch(files, pixels, transparent)
                if count is not None:
                    count(len(self.detections) + len(self.bad), len(self.names))

    def _batch(self, files: Sequence[Path], pixels: Sequence[Tensor], transparent: Sequence[float]) -> None:
        least = self.least if self.truth is None else min(self.least, 0.05)
        began = perf_counter()
        with _watching(self.known, pixels) as features:
            names = [self.names[path] for path in files]
            detections = self.detector.detect(pixels, names, batch_size=len(pixels), score=least)
        self.seconds += perf_counter() - began
        self.detections += detections
        confident = [image.above(self.least) for image in detections]
        warnings = _warnings(self.known, pixels, transparent, confident, features)
        self.warnings |= warnings
        if self.drawn is not None:
            _draw(self.drawn, pixels, confident, self.detector.categories)
        if self.lines is not None:
            width = max(map(len, self.names.values()))
            self.lines.writelines(_line(image, width) for image in confident)
            self.lines.flush()
        for name, reasons in warnings.items():
            for reason in reasons:
                output.note(f"warning: {name}: {reason}")

    def report(self) -> DetectionReport | None:
        """How well the detections agree with the annotations, if there are any."""
        from ..evaluation.detection_report import report
        from ..perception.detector.data import labelled

        if self.truth is None:
            return None
        categories = self.detector.categories
        truth = [
            labelled(self.truth.by_image(image.image), self.truth.categories, categories) for image in self.detections
        ]
        bad = len(self.truth.bad)
        return report(self.detections, truth, score=self.least, classes=len(categories), seconds=self.seconds, bad=bad)


def _print(run: _Detecting, stream: TextIO, as_json: bool) -> None:
    """Print the outcome: the detections as JSON, the report, or how many objects there are."""
    report = run.report()
    if as_json:
        categories = run.detector.categories
        images = [_record(image, categories, run.warnings.get(image.image)) for image in run.confident]
        record: dict[str, object] = {"images": images, "seconds": round(run.seconds, 3)}
        record["bad"] = [error.record() for error in run.bad]
        output.put_json(record if report is None else record | {"evaluation": report.to_dict()})
    elif report is not None:
        output.console(stream).print(report.table())
    else:
        objects = sum(map(len, run.confident))
        pace = f"{len(run.detections) / max(run.seconds, 1e-9):.1f} images a second"
        stream.write(f"{objects:,} objects in {len(run.detections):,} images, {pace}\n")


def load_detector(
    checkpoint: str | None = None, device: options.DeviceName = "cpu", *, trust: bool = False
) -> Detector:
    """The detector of a checkpoint, or the bundled one.

    Raises:
        CheckpointError: there is none, or it holds another model.
        UsageError: there is no such device here.
    """
    place = image_inputs.torch_device(device)
    from ..perception.bundled import bundled
    from ..perception.detector.detector import Detector
    from ..training.checkpoint import load_model

    if checkpoint is None:
        try:
            checkpoint = str(bundled("detector"))
        except CheckpointError as error:
            raise CheckpointError(f"{error}: --checkpoint FILE") from None
    with output.step(f"loaded {checkpoint} on {place}"):
        model = load_model(checkpoint, trust=trust)
    if not isinstance(model, Detector):
        raise CheckpointError(f"{checkpoint}: holds a {type(model).__name__}, not a detector")
    return model.to(place)


def _find(images: Sequence[str], bad: list[NsreasonError]) -> dict[Path, str]:
    """The image files of files and folders, each with what it is called; what is not there goes to `bad`.

    Raises:
        DataError: there is no image at all, or the only one does not begin as an image does.
    """
    from ..data.image_folder import find_images
    from ..data.image_names import called

    paths: list[Path] = []
    for name in images:
        try:
            paths += find_images([name])
        except DataError as error:
            bad.append(error)
    if not paths:
        raise bad[0]
    names = called(list(dict.fromkeys(paths)))
    if len(names) == 1:
        checks.image(str(paths[0]))
    return names


def _read(
    paths: Sequence[Path], batch_size: int, bad: list[NsreasonError]
) -> Iterator[tuple[list[Path], list[Tensor], list[float]]]:
    """Images in batches, and the share of each that is transparent; those that cannot be read go to `bad`."""
    from ..io.image_tensors import read_transparent

    for at in range(0, len(paths), batch_size):
        files, images, transparent = [], [], []
        for path in paths[at : at + batch_size]:
            try:
                image, share = read_transparent(path)
            except DataError as error:
                bad.append(error)
                continue
            images.append(image)
            transparent.append(share)
            files.append(path)
        if images:
            yield files, images, transparent


def _familiarity(detector: Detector) -> Familiarity:
    from ..perception.familiarity import Familiarity

    return Familiarity.of_bundled(detector)


def _watching(known: Familiarity | None, images: Sequence[Tensor]) -> AbstractContextManager[list[Tensor]]:
    """Collects the detector's features of images that need not be fitted into the frame."""
    from ..reasoners.image_pipeline import FRAME

    fit = all((image.shape[2], image.shape[1]) == FRAME for image in images)
    return known.watching() if known is not None and fit else nullcontext([])


def _warnings(
    known: Familiarity | None,
    images: Sequence[Tensor],
    transparent: Sequence[float],
    detections: Sequence[Detections],
    features: Sequence[Tensor],
) -> dict[str, list[str]]:
    """By image, why its detections may mean nothing."""
    from ..io.image_tensors import transparency
    from ..perception.letterbox import Letterbox
    from ..reasoners.image_pipeline import FRAME

    inside = [Letterbox.of((image.shape[2], image.shape[1]), FRAME).image(image) for image in images]
    unlike = [None] * len(images) if known is None else known.warnings(inside, detections, features)
    reasons = zip(detections, map(transparency, transparent), unlike, strict=True)
    return {image.image: [why for why in whys if why is not None] for image, *whys in reasons}


def _read_truth(path: str, images: Iterable[str]) -> DetectionFile:
    from ..perception.detections.readers import read_detections

    truth = read_detections(path)
    if truth.bad:
        output.note(f"{len(truth.bad):,} records of {path} cannot be used; the first: {truth.bad[0].error}")
    for image in images:
        truth.by_image(image)
    return truth


def _draw(folder: Path, images: Sequence[Tensor], detections: Sequence[Detections], categories: Sequence[str]) -> None:
    from ..data.image_names import parts
    from ..io.image_tensors import write_png
    from ..perception.detections.writers import outlined

    for image, objects in zip(images, detections, strict=True):
        name = Path("_".join(parts(objects.image))).with_suffix(".png")  # two folders may have images of one name
        write_png(folder / name, outlined(image, objects, 1 + max(objects.known_size) // 640, categories))


def _write(
    path: str, layout: Format, detections: Sequence[Detections], detector: Detector, truth: DetectionFile | None
) -> None:
    from ..perception.detections.coco import write_detections, write_results
    from ..perception.detections.writers import write_nscl

    if layout == "nscl":
        write_nscl(path, detections)
    elif layout == "coco":
        write_detections(path, detections, dict(enumerate(detector.categories, start=1)))
    elif truth is None:
        write_results(path, detections, {image.image: i for i, image in enumerate(detections, start=1)})
    else:
        write_results(path, detections, {t.image: i for t, i in zip(truth.detections, truth.ids, strict=True)})


def _record(detections: Detections, categories: Sequence[str], warnings: Sequence[str] | None) -> dict[str, object]:
    objects = [
        {"category": categories[label - 1], "score": round(score, 4), "box": box}
        for label, score, box in zip(
            detections.labels.tolist(), detections.scores.tolist(), detections.boxes.tolist(), strict=True
        )
    ]
    record: dict[str, object] = {"image": detections.image, "size": list(detections.known_size), "objects": objects}
    return record | {"warnings": list(warnings)} if warnings else record


def _line(detections: Detections, width: int) -> str:
    scores = f", scores {detections.scores.min():.2f} to {detections.scores.max():.2f}" if len(detections) else ""
    return f"{detections.image:<{width}}  {len(detections)} object{'' if len(detections) == 1 else 's'}{scores}\n"
