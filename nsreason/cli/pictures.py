"""What commands that look at images share: which models look, what they see, and the picture of a page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from ..errors import CheckpointError
from . import answers, output
from .inputs import Outcome

if TYPE_CHECKING:
    from ..image_reasoning import Detecting, ImageReasoner, Looked
    from ..perception.detections import DetectionFile
    from ..program import Program
    from ..trace import Trace

By = Literal["scene-parser", "concept-learner"]

WithBy = Annotated[
    By | None,
    typer.Option(
        "--by",
        help="What sees an image: scene-parser (taught what objects are; exact execution), or concept-learner "
        "(taught by answers; soft execution).",
        show_default="scene-parser, or the checkpoint's model",
    ),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="A trained scene parser or concept learner, such as runs/first/best.json.",
        show_default="the bundled one",
    ),
]
Detector = Annotated[
    str | None,
    typer.Option("--detector", metavar="FILE", help="A detector's checkpoint.", show_default="the bundled detector"),
]
Detections = Annotated[
    str | None,
    typer.Option("--detections", metavar="FILE", help="What is in the images, as `detect` writes it; none is run."),
]


def load_reasoner(
    by: By | None, checkpoint: str | None, detector: str | None, *, detects: bool = True, trust: bool = False
) -> tuple[ImageReasoner, By]:
    """What looks at images and answers, and its name; bundled weights where no checkpoint is given.

    Args:
        detects: whether a detector is needed.
        trust: see `checkpoint.load_model`.

    Raises:
        CheckpointError: a checkpoint cannot be read or is of another model, or no weights are bundled.
    """
    from ..image_reasoning import ConceptReasoner, SceneParserReasoner

    finds = load_detector(detector, trust=trust) if detects else None
    model = _load(checkpoint, by or "scene-parser", trust)
    kind = _kind(model)
    if kind is None or (by is not None and kind != by):
        wanted = by or " or a ".join(get_args(By))
        raise CheckpointError(f"{checkpoint}: holds a {type(model).__name__}, not a {wanted}")
    if kind == "scene-parser":
        return SceneParserReasoner(finds, model), kind
    return ConceptReasoner(finds, model), kind


def load_detector(checkpoint: str | None, *, trust: bool = False) -> Detecting:
    """A detector, the bundled one where none is named.

    Raises:
        CheckpointError: it cannot be read, or is no detector.
    """
    found: Any = _load(checkpoint, "detector", trust)
    if not hasattr(found, "detect"):
        raise CheckpointError(f"{checkpoint}: holds a {type(found).__name__}, not a detector")
    detector: Detecting = found
    return detector


def _load(
    checkpoint: str | None, name: Literal["detector", "scene-parser", "concept-learner"], trust: bool
) -> Any:
    from ..checkpoint import load_model
    from ..perception.bundled import bundled

    return load_model(bundled(name) if checkpoint is None else checkpoint, trust=trust)


def _kind(model: Any) -> By | None:
    from ..perception.scene_parser import SceneParser

    if isinstance(model, SceneParser):
        return "scene-parser"
    return "concept-learner" if hasattr(model, "see_images") else None


def load_detections(path: str | None) -> DetectionFile | None:
    """Detections to look at in place of a detector's; what is bad in the file is told.

    Raises:
        DataError: the file cannot be read.
    """
    if path is None:
        return None
    from ..perception.detections import read_detections

    found = read_detections(path)
    if found.bad:
        output.note(f"{path}: {len(found.bad):,} records cannot be used; the first: {found.bad[0].error}")
    return found


def look_at(path: str, reasoner: ImageReasoner) -> Looked:
    """One image file as a reasoner sees it.

    Raises:
        DataError: it cannot be read.
    """
    from ..perception.images import read_image

    return reasoner.look([(Path(path).name, read_image(path))])[0]


class Pictured(answers.Answering):
    """How `ask` answers on an image: by what a reasoner sees in it."""

    def __init__(self, *, reasoner: ImageReasoner, view: Looked, **how: Any) -> None:
        super().__init__(reasoner.scene(view), **how)
        self.reasoner, self.view = reasoner, view

    def __call__(self, program: Program, question: str | None = None) -> Outcome:
        """As on a scene; the record names the image."""
        found = super().__call__(program, question)
        return replace(found, record={**found.record, "image": self.view.name})

    def run(self, program: Program, question: str | None) -> Trace:
        """The trace of a program on the image."""
        return self.reasoner.trace(program, self.view, question)


@contextmanager
def page_picture(path: str, *, wanted: bool = True) -> Iterator[str | None]:
    """A file that a page can hold of an image: itself, or a PNG of it while the context lasts; None unless `wanted`.

    A picture that its camera has turned, and formats that a page does not take, are written anew: boxes and masks
    are those of the upright image.

    Raises:
        DataError: it cannot be read.
    """
    if not wanted:
        yield None
        return
    from ..image_files import read_header

    header = read_header(path)
    plain = header.format in ("PNG", "JPEG") and not header.turned
    if plain:
        yield path
        return
    from tempfile import TemporaryDirectory

    from ..perception.images import read_image, write_png

    with TemporaryDirectory() as folder:
        copy = Path(folder) / f"{Path(path).stem}.png"
        write_png(copy, read_image(path))
        yield str(copy)

