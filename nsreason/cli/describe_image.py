"""`nsreason describe-image`: images to scenes."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options, output, pictures

EXAMPLES = (
    "nsreason generate clevr --scenes 2 --images --out album",
    "nsreason describe-image album/images",
    "nsreason describe-image album/images/CLEVR_new_000000.png --out seen.json",
    'nsreason ask "How many cubes are there?" --scene seen.json',
)


def describe_image(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.")],
    out: Annotated[
        str | None, typer.Option("--out", metavar="SCENES.json", help="Write a scene file in CLEVR's layout.")
    ] = None,
    by: pictures.WithBy = None,
    checkpoint: pictures.Checkpoint = None,
    detector: pictures.Detector = None,
    detections: pictures.Detections = None,
    trust: options.Trust = False,
    as_json: options.AsJson = False,
) -> int:
    """Say what is in images: objects with their attributes, places, masks and relations.

    A detector finds the objects, a scene parser says what each is and where it stands. The scene file of --out is one
    that every command takes. An image that cannot be read is reported, and the others go on.

    Without --out and --json, prints the objects in words, each with its box and how sure its description is.
    """
    from ..data.scenes import write_scenes
    from ..errors import NsreasonError
    from ..image_evaluation import views
    from ..perception.images import find_images

    paths = find_images(images)
    given = pictures.load_detections(detections)
    reasoner, _ = pictures.load_reasoner(by, checkpoint, detector, detects=given is None, trust=trust)
    bad: list[NsreasonError] = []
    held = []
    for number, (_, view) in enumerate(views(paths, reasoner, given, bad=bad)):
        scene = reasoner.scene(view)
        scene.index = number
        if out is not None:
            held.append(scene)
        elif as_json:
            output.put_json(scene.to_dict())
        if not as_json:
            lines = [f"{view.name}: {len(scene)} object{'' if len(scene) == 1 else 's'}"]
            for i, place in enumerate(scene.places):
                box = " ".join(f"{edge:.0f}" for edge in place.bbox or ())
                lines.append(f"  {i}  {scene.describe(i):<30} box {box:<18} {100 * (place.score or 0):.0f} %")
            output.put("\n".join(lines))
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
