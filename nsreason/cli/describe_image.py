"""`nsreason describe-image`: images to scenes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import checks, image_inputs, options, output, progress

if TYPE_CHECKING:
    from ..errors import NsreasonError
    from ..perception.detections.detection_file import DetectionFile
    from ..reasoners.image_pipeline import DetectedImage, ImagePipeline
    from ..scenes.scene import Scene

EXAMPLES = (
    "nsreason generate clevr --scenes 2 --images --out album",
    "nsreason describe-image album/images",
    "nsreason describe-image album/images/CLEVR_new_000000.png --out seen.json",
    'nsreason ask "How many cubes are there?" --scene seen.json',
)


def describe_image(
    context: typer.Context,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.")],
    out: Annotated[
        str | None, typer.Option("--out", metavar="SCENES.json", help="Write a scene file in CLEVR's layout.")
    ] = None,
    by: image_inputs.WithBy = None,
    checkpoint: image_inputs.Checkpoint = None,
    detector: image_inputs.Detector = None,
    detections: image_inputs.Detections = None,
    domain: options.Domain = "clevr",
    device: options.Device = "cpu",
    trust: options.Trust = False,
    batch_size: options.BatchSize = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> int:
    """Say what is in images: objects with their attributes, places, masks and relations.

    A detector finds the objects, and what --by names says what each is and, if it is a scene parser, where it stands.
    The scene file of --out is one that ask, execute and evaluate take. An image that cannot be read is reported, and
    the others go on. One that is unlike those that the weights have learned from gets a warning with the reason.

    Without --out and --json, prints the objects in words, each with its box and how sure its description is.
    """
    from ..data.image_folder import find_images

    if detections is not None:
        options.refuse(context, ("detector",), "does not go with --detections: they stand in a detector's place")
        checks.file(detections)
    if checkpoint is None and detector is None:
        options.refuse(context, ("trust",), "is of --checkpoint or --detector, neither of which is given")
    checks.output_file(out, "--out")
    paths = find_images(images)
    if len(paths) == 1:
        checks.image(str(paths[0]))
    checks.domain_of(options.own_domain(context), checks.looking(by, checkpoint, detector), "images")
    given = image_inputs.load_detections(detections)
    pipeline, _ = image_inputs.load_pipeline(
        by, checkpoint, detector, detects=given is None, device=device, trust=trust
    )
    return _described(paths, pipeline, given, batch_size, out, as_json)


def _described(
    paths: Sequence[Path],
    pipeline: ImagePipeline,
    detections: DetectionFile | None,
    batch_size: int | None,
    out: str | None,
    as_json: bool,
) -> int:
    """Print what is perceived in images, or write it; returns the exit code."""
    from ..data.scenes import write_scenes
    from ..errors import NsreasonError

    bad: list[NsreasonError] = []
    scenes: list[Scene] = []
    with progress.counted("looking at", "images", len(paths)) as perceived:
        for number, image in enumerate(_perceived(paths, pipeline, detections, batch_size)):
            if perceived is not None:
                perceived(number + 1, len(paths))
            if isinstance(image, NsreasonError):
                bad.append(image)
                continue
            scene = pipeline.scene(image)
            scene.index = number - len(bad)
            if out is not None:
                scenes.append(scene)
            elif as_json:
                output.put_json(scene.to_dict() | ({"warnings": list(image.warnings)} if image.warnings else {}))
            image_inputs.warn(image)
            if not as_json:
                output.put("\n".join(_lines(image.name, scene)))
    worst = max([0, *(output.report(error, as_json, {}) for error in bad)])
    if out is not None and scenes:
        write_scenes(out, scenes)
        if as_json:
            output.put_json({"scenes": len(scenes), "out": out})
        else:
            output.note(f"wrote {out}")
    return worst


def _perceived(
    paths: Sequence[Path], pipeline: ImagePipeline, detections: DetectionFile | None, batch_size: int | None
) -> Iterator[DetectedImage | NsreasonError]:
    """What is perceived in images, batch by batch, or why nothing is."""
    from ..data.image_names import called
    from ..errors import NsreasonError
    from ..queries.image import QueryImage
    from ..queries.query import Query
    from ..reasoners.perceived_images import BATCH, PerceivedImages

    names = called(paths)
    size = batch_size or BATCH
    perceived = PerceivedImages(pipeline, batch_size=size)
    for at in range(0, len(paths), size):
        results: list[DetectedImage | NsreasonError | None] = []
        queries = []
        for path in paths[at : at + size]:
            inputs: dict[str, Any] = {"image": QueryImage(path, name=names[path])}
            try:
                if detections is not None:
                    inputs["detections"] = detections.by_image(names[path])
            except NsreasonError as error:
                results.append(error)
                continue
            results.append(None)
            queries.append(Query(len(results), None, None, "image", inputs))
        images = iter(perceived.of(queries))
        yield from (next(images) if result is None else result for result in results)


def _lines(name: str, scene: Scene) -> Iterator[str]:
    yield f"{name}: {len(scene)} object{'' if len(scene) == 1 else 's'}"
    for i, place in enumerate(scene.places):
        box = " ".join(f"{edge:.0f}" for edge in place.bbox or ())
        yield f"  {i}  {scene.describe(i):<30} box {box:<18} {100 * (place.score or 0):.0f} %"
