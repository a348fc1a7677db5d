"""`nsreason describe-image`: images to scenes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from . import checks, image_inputs, options, output, progress

if TYPE_CHECKING:
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
    from ..data.scenes import write_scenes
    from ..errors import NsreasonError

    if detections is not None:
        options.refuse(context, ("detector",), "does not go with --detections: they stand in a detector's place")
        checks.file(detections)
    if checkpoint is None and detector is None:
        options.refuse(context, ("trust",), "is of --checkpoint or --detector, neither of which is given")
    checks.output_file(out, "--out")
    paths = find_images(images)
    if len(paths) == 1:
        checks.image(str(paths[0]))
    told = domain if "domain" in options.given(context) else None
    checks.domain_of(told, checks.looking(by, checkpoint, detector), "images")
    given = image_inputs.load_detections(detections)
    reasoner, _ = image_inputs.load_reasoner(
        by, checkpoint, detector, detects=given is None, device=device, trust=trust
    )
    from ..data.image_names import called
    from ..evaluation.images import AT_ONCE, views

    bad: list[NsreasonError] = []
    names = called(paths)
    held = []
    with progress.counted("looking at", "images", len(paths)) as looked:
        for number, (_, view) in enumerate(
            views(paths, reasoner, given, bad=bad, at_once=batch_size or AT_ONCE, named=names.__getitem__), start=1
        ):
            if looked is not None:
                looked(number, len(paths))
            scene = reasoner.scene(view)
            scene.index = number - 1
            if out is not None:
                held.append(scene)
            elif as_json:
                output.put_json(scene.to_dict() | ({"warnings": list(view.warnings)} if view.warnings else {}))
            image_inputs.warn(view)
            if not as_json:
                output.put("\n".join(_lines(view.name, scene)))
    worst = 0
    for error in bad:
        worst = max(worst, output.report(error, as_json, {}))
    if out is not None and held:
        write_scenes(out, held)
        if as_json:
            output.put_json({"scenes": len(held), "out": out})
        else:
            output.note(f"wrote {out}")
    return worst


def _lines(name: str, scene: Scene) -> Iterator[str]:
    yield f"{name}: {len(scene)} object{'' if len(scene) == 1 else 's'}"
    for i, place in enumerate(scene.places):
        box = " ".join(f"{edge:.0f}" for edge in place.bbox or ())
        yield f"  {i}  {scene.describe(i):<30} box {box:<18} {100 * (place.score or 0):.0f} %"
