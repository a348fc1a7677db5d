"""What commands on images share: which models perceive them, the results, and the picture of a page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from ..errors import CheckpointError, DataError
from . import answers, options, output
from .inputs import Outcome

if TYPE_CHECKING:
    from ..perception.detections.detection_file import DetectionFile
    from ..perception.familiarity import Familiarity
    from ..programs.program import Program
    from ..reasoners.image_pipeline import DetectedImage, Detecting, ImagePipeline
    from ..reasoners.perceived_images import PerceivedImages
    from ..traces.trace import Trace

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
        help="A trained scene parser or concept learner, such as runs/first/best.safetensors.",
        show_default="for images the bundled one",
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


def load_pipeline(
    by: By | None,
    checkpoint: str | None,
    detector: str | None,
    *,
    detects: bool = True,
    device: options.DeviceName = "cpu",
    trust: bool = False,
) -> tuple[ImagePipeline, By]:
    """A pipeline that perceives images, and its name; bundled weights where no checkpoint is given.

    Args:
        detects: whether a detector is needed.
        trust: see `checkpoint.load_model`.

    Raises:
        CheckpointError: a checkpoint cannot be read or is of another model, or no weights are bundled.
    """
    place = torch_device(device)
    from ..reasoners.image_pipeline import ConceptPipeline, SceneParserPipeline

    finder = load_detector(detector, place, trust=trust) if detects else None
    model = _load(checkpoint, by or "scene-parser", place, trust)
    kind = _kind(model)
    if kind is None or (by is not None and kind != by):
        wanted = by or " or a ".join(get_args(By))
        raise CheckpointError(f"{checkpoint}: holds a {type(model).__name__}, not a {wanted}")
    # Of weights of one's own it is not known what they have learned from.
    bundled = checkpoint is None or (detects and detector is None)
    known = _familiarity(finder if detector is None else None, place) if bundled else None
    if kind == "scene-parser":
        return SceneParserPipeline(finder, model, known), kind
    return ConceptPipeline(finder, model, known), kind


def _familiarity(finder: Any, device: str) -> Familiarity:
    """What tells of images that are unlike those of the bundled weights; `found` may be their detector."""
    from ..perception.detector.detector import Detector
    from ..perception.familiarity import Familiarity

    return Familiarity.of_bundled(finder if isinstance(finder, Detector) else _load(None, "detector", device, False))


def warn(image: DetectedImage) -> None:
    """Say beside the result why what is seen in an image may mean nothing, if so."""
    for why in image.warnings:
        output.note(f"warning: {image.name}: {why}")


def torch_device(name: options.DeviceName) -> str:
    """What `--device` names, as torch does; `auto` is a GPU where there is one.

    Raises:
        UsageError: there is no such device here.
    """
    if name == "mps":
        os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # read when torch is imported
    import torch

    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(kind for kind, here in has.items() if here)
    if not has[name]:
        there = ", ".join(kind for kind, here in has.items() if here)
        raise output.UsageError(f"--device {name}: torch finds none here; there is: {there}")
    return name


def load_detector(checkpoint: str | None, device: str = "cpu", *, trust: bool = False) -> Detecting:
    """A detector, the bundled one where none is named.

    Raises:
        CheckpointError: it cannot be read, or is no detector.
    """
    model: Any = _load(checkpoint, "detector", device, trust)
    if not hasattr(model, "detect"):
        raise CheckpointError(f"{checkpoint}: holds a {type(model).__name__}, not a detector")
    detector: Detecting = model
    return detector


def _load(
    checkpoint: str | None,
    name: Literal["detector", "scene-parser", "concept-learner"],
    device: str,
    trust: bool,
) -> Any:
    from ..perception.bundled import bundled
    from ..training.checkpoint import load_model

    with output.step(f"loaded {checkpoint or f'the bundled {name}'} on {device}"):
        return load_model(bundled(name) if checkpoint is None else checkpoint, trust=trust).to(device)


def _kind(model: Any) -> By | None:
    from ..perception.scene_parser.parser import SceneParser

    if isinstance(model, SceneParser):
        return "scene-parser"
    return "concept-learner" if hasattr(model, "ground_images") else None


def load_detections(path: str | None) -> DetectionFile | None:
    """Detections to look at in place of a detector's; what is bad in the file is told.

    Raises:
        DataError: the file cannot be read, or nothing in it can be used.
    """
    if path is None:
        return None
    from ..perception.detections.readers import read_detections

    detections = read_detections(path)
    if detections.bad and not any(map(len, detections.detections)):
        raise DataError(f"{path}: none of its objects can be used; the first: {detections.bad[0].error}")
    if detections.bad:
        output.note(f"{path}: {len(detections.bad):,} records cannot be used; the first: {detections.bad[0].error}")
    return detections


def image_inputs_of(path: str) -> dict[str, Any]:
    """The inputs of queries about an image file."""
    from ..queries.image import QueryImage

    return {"image": QueryImage(path, name=Path(path).name)}


def perceive(path: str, perceived: PerceivedImages) -> tuple[dict[str, Any], DetectedImage]:
    """The inputs of queries about an image file, and what is perceived in it.

    Raises:
        DataError: it cannot be read.
    """
    from ..errors import NsreasonError
    from ..queries.query import Query

    inputs = image_inputs_of(path)
    with output.step(f"looked at {path}"):
        [image] = perceived.of([Query(0, None, None, "image", inputs)])
    if isinstance(image, NsreasonError):
        raise image
    return inputs, image


class Pictured(answers.SceneAnswers):
    """How `ask` answers on an image: as a reasoner over images does."""

    def __init__(self, *, perceived: PerceivedImages, path: str, **how: Any) -> None:
        """
        Raises:
            DataError: the image cannot be read.
        """
        from ..reasoners.images import image_reasoner

        self.inputs, self.image = perceive(path, perceived)
        super().__init__(perceived.pipeline.scene(self.image), **how)
        self.reasoner = image_reasoner(perceived, "given")

    def __call__(self, program: Program, question: str | None = None) -> Outcome:
        """As on a scene; the record names the image."""
        outcome = super().__call__(program, question)
        warnings = {"warnings": list(self.image.warnings)} if self.image.warnings else {}
        return replace(outcome, record={**outcome.record, "image": self.image.name, **warnings})

    def run(self, program: Program, question: str | None) -> Trace:
        """The trace of a program on the image."""
        from ..queries.query import Query

        trace = self.reasoner.trace(Query(0, question, None, "question", self.inputs, program))
        assert trace is not None  # reasoners over images have steps
        return trace


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
    from ..io.images import read_header

    header = read_header(path)
    plain = header.format in ("PNG", "JPEG") and not header.turned
    if plain:
        yield path
        return
    from tempfile import TemporaryDirectory

    from ..io.image_tensors import read_image, write_png

    with TemporaryDirectory() as folder:
        copy = Path(folder) / f"{Path(path).stem}.png"
        write_png(copy, read_image(path))
        yield str(copy)
