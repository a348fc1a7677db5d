"""`nsreason detect`: the objects of images."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Literal

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


def detect(
    context: typer.Context,
    images: Annotated[list[str], typer.Argument(metavar="IMAGES...", help="Image files, or folders of them.")],
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Write what is found; - is stdout, .gz is packed.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="FILE", help="A trained detector.", show_default="the bundled one"),
    ] = None,
    score: Annotated[
        float | None,
        typer.Option("--score", metavar="S", min=0, max=1, help="The least score.", show_default="the detector's"),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Of --out: COCO's instances, COCO's results, or NS-CL's scenes.")
    ] = "coco",
    draw: Annotated[
        str | None,
        typer.Option("--draw", metavar="DIR", help="Write the images with what is found, outlined and labelled."),
    ] = None,
    instances: Annotated[
        str | None,
        typer.Option("--instances", metavar="FILE", help="Annotations: how well the detections agree with them."),
    ] = None,
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

    With --instances the average precision is told, as COCO computes it, of those images; --format results then numbers
    images as that file does, and from 1 otherwise.

    Exits with 2 when an image could not be read.
    """
    if out == "-" and as_json:
        raise output.UsageError("--out - and --json both write to standard output")
    if out is None:
        options.refuse(context, ("format_",), "is for --out, which is not given")
    if checkpoint is None:
        options.refuse(context, ("trust",), "is of a --checkpoint, which is not given")
    checks.output_file(out, "--out")
    checks.checkpoint(checkpoint or str(checks.bundled("detector")), "detector")
    context.with_resource(locked_file(out))
    if draw is not None:
        context.with_resource(locked_folder(draw))
    bad: list[NsreasonError] = []
    paths = _find(images, bad)
    if not paths:
        raise bad[0]
    from ..data.image_names import called

    names_of = called(paths)
    if len(paths) == 1:
        checks.image(str(paths[0]))
    truth = None if instances is None else _read_truth(instances, names_of.values())
    detector = load_detector(checkpoint, device, trust=trust)
    warnings: dict[str, list[str]] = {}
    known = _familiarity(detector) if checkpoint is None else None
    least = detector.config.score if score is None else score
    found: list[Detections] = []
    seconds = 0.0
    beside = sys.stderr if out == "-" else sys.stdout
    width = max(map(len, names_of.values()))
    with progress.counted("looking at", "images", len(paths)) as looked:
        for files, read, clear in _read(paths, batch_size or AT_ONCE, bad):
            began = perf_counter()
            names = [names_of[path] for path in files]
            with _watching(known, read) as features:
                told = detector.detect(read, names, batch_size=len(read), score=min(least, 0.05) if truth else least)
            seconds += perf_counter() - began
            found += told
            shown = [one.above(least) for one in told]
            warnings |= _warnings(known, read, clear, shown, features)
            if draw is not None:
                _draw(Path(draw), read, shown, detector.categories)
            if not as_json and truth is None:
                beside.writelines(_line(one, width) for one in shown)
                beside.flush()
            for one in shown:
                for why in warnings.get(one.image, ()):
                    output.note(f"warning: {one.image}: {why}")
            if looked is not None:
                looked(len(found) + len(bad), len(paths))
    for error in bad:
        output.complain(str(error))
    if not found:
        return 2
    shown = [one.above(least) for one in found]
    if out is not None:
        _write(out, format_, shown, detector, truth)
    told_figures = None if truth is None else _figures(found, truth, least, detector, seconds)
    if as_json:
        told_images = [_record(one, detector.categories, warnings.get(one.image)) for one in shown]
        record: dict[str, object] = {"images": told_images}
        record |= {"seconds": round(seconds, 3), "bad": [error.record() for error in bad]}
        output.put_json(record if told_figures is None else record | {"evaluation": told_figures.to_dict()})
        return 2 if bad else 0
    if told_figures is not None:
        output.console(beside).print(told_figures.table())
    else:
        objects = sum(map(len, shown))
        pace = f"{len(found) / max(seconds, 1e-9):.1f} images a second"
        beside.write(f"{objects:,} objects in {len(found):,} images, {pace}\n")
    return 2 if bad else 0


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
        found = load_model(checkpoint, trust=trust)
    if not isinstance(found, Detector):
        raise CheckpointError(f"{checkpoint}: holds a {type(found).__name__}, not a detector")
    return found.to(place)


def _find(images: Sequence[str], bad: list[NsreasonError]) -> list[Path]:
    from ..data.image_folder import find_images

    paths: list[Path] = []
    for name in images:
        try:
            paths += find_images([name])
        except DataError as error:
            bad.append(error)
    return list(dict.fromkeys(paths))


def _read(
    paths: Sequence[Path], batch_size: int, bad: list[NsreasonError]
) -> Iterator[tuple[list[Path], list[Tensor], list[float]]]:
    """Images in batches, and the share of each that is transparent; those that cannot be read go to `bad`."""
    from ..io.image_tensors import read_transparent

    for at in range(0, len(paths), batch_size):
        files, read, clear = [], [], []
        for path in paths[at : at + batch_size]:
            try:
                image, share = read_transparent(path)
                read.append(image)
                clear.append(share)
                files.append(path)
            except DataError as error:
                bad.append(error)
        if read:
            yield files, read, clear


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
    clear: Sequence[float],
    found: Sequence[Detections],
    features: Sequence[Tensor],
) -> dict[str, list[str]]:
    """By image, why what is found may mean nothing."""
    from ..io.image_tensors import transparency
    from ..perception.letterbox import Letterbox
    from ..reasoners.image_pipeline import FRAME

    inside = [Letterbox.of((image.shape[2], image.shape[1]), FRAME).image(image) for image in images]
    told = [None] * len(images) if known is None else known.warnings(inside, found, features)
    reasons = zip(found, map(transparency, clear), told, strict=True)
    return {one.image: [why for why in whys if why is not None] for one, *whys in reasons}


def _read_truth(path: str, images: Iterable[str]) -> DetectionFile:
    from ..perception.detections.readers import read_detections

    truth = read_detections(path)
    if truth.bad:
        output.note(f"{len(truth.bad):,} records of {path} cannot be used; the first: {truth.bad[0].error}")
    for image in images:
        truth.by_image(image)
    return truth


def _draw(folder: Path, images: Sequence[Tensor], found: Sequence[Detections], categories: Sequence[str]) -> None:
    from ..data.image_names import parts
    from ..io.image_tensors import write_png
    from ..perception.detections.writers import outlined

    for image, one in zip(images, found, strict=True):
        name = Path("_".join(parts(one.image))).with_suffix(".png")  # two folders may have images of one name
        write_png(folder / name, outlined(image, one, 1 + max(one.known_size) // 640, categories))


def _write(
    path: str, layout: Format, found: Sequence[Detections], detector: Detector, truth: DetectionFile | None
) -> None:
    from ..perception.detections.coco import write_detections, write_results
    from ..perception.detections.writers import write_nscl

    if layout == "nscl":
        write_nscl(path, found)
    elif layout == "coco":
        write_detections(path, found, dict(enumerate(detector.categories, start=1)))
    elif truth is None:
        write_results(path, found, {one.image: i for i, one in enumerate(found, start=1)})
    else:
        write_results(path, found, {t.image: i for t, i in zip(truth.detections, truth.ids, strict=True)})


def _figures(
    found: Sequence[Detections], truth: DetectionFile, score: float, detector: Detector, seconds: float
) -> DetectionReport:
    from ..evaluation.detection_report import report
    from ..perception.detector.data import labelled

    told = [labelled(truth.by_image(one.image), truth.categories, detector.categories) for one in found]
    return report(found, told, score=score, classes=len(detector.categories), seconds=seconds, bad=len(truth.bad))


def _record(found: Detections, categories: Sequence[str], warnings: Sequence[str] | None) -> dict[str, object]:
    objects = [
        {"category": categories[label - 1], "score": round(score, 4), "box": box}
        for label, score, box in zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
    ]
    record: dict[str, object] = {"image": found.image, "size": list(found.known_size), "objects": objects}
    return record | {"warnings": list(warnings)} if warnings else record


def _line(found: Detections, width: int) -> str:
    scores = f", scores {found.scores.min():.2f} to {found.scores.max():.2f}" if len(found) else ""
    return f"{found.image:<{width}}  {len(found)} object{'' if len(found) == 1 else 's'}{scores}\n"
