"""`nsreason ask`: questions to answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import answers, checks, image_inputs, inputs, options, output

if TYPE_CHECKING:
    from ..language.parsers import QuestionParser

EXAMPLES = (
    "nsreason demo  # writes the files of these examples",
    'nsreason ask "How many red cubes are there?" --scene demo/scene.json',
    'nsreason ask "What color is the big ball?" --scene demo/scene.json --trace',
    'nsreason ask "Is there a cube?" --scene demo/scene.json --html page.html',
    'nsreason ask "Is there a cube?" --scene demo/scene.json --png strip.png',
    "nsreason generate clevr --scenes 1 --images --out photos",
    'nsreason ask "How many metal things are there?" \\\n'
    "    --image photos/images/CLEVR_new_000000.png --html page.html",
    'echo "Is the big can green?" | nsreason ask --scene demo/scene.json --json',
)


Questions = Annotated[
    list[str] | None,
    typer.Argument(metavar="QUESTION", help="Questions; none, or [bold]-[/bold]: one a line from stdin."),
]
SceneFile = Annotated[
    str | None,
    typer.Option(
        "--scene", metavar="FILE", help="A JSON file of one scene or many; [bold]-[/bold] is stdin, .gz is unpacked."
    ),
]
ImageOrName = Annotated[
    str | None,
    typer.Option(
        "--image",
        metavar="FILE|NAME",
        help="A picture to look at; with --scene, the image_filename of the scene to take.",
    ),
]


@dataclass(frozen=True)
class Request(options.CommandRequest):
    """What the command line says."""

    question: list[str] | None
    scene: str | None
    image: str | None
    index: int | None
    domain: str
    by: image_inputs.By | None
    checkpoint: str | None
    detector: str | None
    device: options.DeviceName
    trust: bool
    trace: bool
    html: str | None
    png: str | None
    image_file: str | None
    quiet: bool
    as_json: bool
    parser: str

    @property
    def lines(self) -> Iterable[inputs.Line]:
        """The questions."""
        return answers.one_page(inputs.question_lines(self.question or []), self.html, self.png)

    @property
    def shown(self) -> dict[str, Any]:
        """The settings of `answers.SceneAnswers`."""
        return {"trace": self.trace, "html": self.html, "png": self.png, "quiet": self.quiet}


def ask(
    context: typer.Context,
    question: Questions = None,
    scene: SceneFile = None,
    image: ImageOrName = None,
    index: options.Index = None,
    domain: options.Domain = "clevr",
    by: image_inputs.WithBy = None,
    checkpoint: image_inputs.Checkpoint = None,
    detector: image_inputs.Detector = None,
    device: options.Device = "cpu",
    trust: options.Trust = False,
    trace: options.WithTrace = False,
    html: options.Html = None,
    png: options.Png = None,
    image_file: options.ImageFile = None,
    parser: options.ParserName = "grammar",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> int:
    """Answer English questions about a scene or a picture.

    Prints the question, its program and the answer; with --quiet the answer alone. A question that cannot be read, or
    has no answer on the scene, is reported with its line, and the others go on.

    With --image and no --scene, a detector finds the objects of the picture, and what each is and where it stands is
    read off its pixels; the page of --html then shows the picture. The words are those of the domain that the weights
    were trained on: the bundled ones know clevr.

    With --scene and --checkpoint the program runs on what a trained concept learner sees in the scene, and the trace
    shows to which degree each object belongs to each step.
    """
    from ..registry import PARSERS

    answers.check_page(html, image_file, png)
    checks.one_of(parser, PARSERS, "parser")
    request = Request.of(context)
    return _of_image(request) if scene is None else _of_scene(request, scene)


def _of_image(request: Request) -> int:
    """Answer by what is perceived in an image."""
    from ..language.parsers import parser_of

    image, context = request.image, request.context
    if image is None:
        raise output.UsageError("missing --scene FILE, or --image FILE for a picture")
    options.refuse(context, ("index", "image_file"), "goes with --scene; --image alone is a picture to look at")
    if request.checkpoint is None and request.detector is None:
        options.refuse(context, ("trust",), "is of --checkpoint or --detector, neither of which is given")
    checks.image(image)
    head = checks.looking(request.by, request.checkpoint, request.detector)
    parser = parser_of(request.parser, checks.domain_of(request.own_domain, head, "--image"))
    lines = request.lines
    if _no_question(lines, parser):
        return inputs.each(lines, lambda q: _unread(parser, q), as_json=request.as_json, what="question")
    pipeline, _ = image_inputs.load_pipeline(
        request.by, request.checkpoint, request.detector, device=request.device, trust=request.trust
    )
    from ..reasoners.perceived_images import PerceivedImages

    parser = parser_of(request.parser, pipeline.domain)
    wanted = request.html is not None or request.png is not None
    with image_inputs.page_picture(image, wanted=wanted) as shown:
        perceived = PerceivedImages(pipeline)
        answer = image_inputs.Pictured(**request.shown, image_file=shown, perceived=perceived, path=image)
        image_inputs.warn(answer.image)
        return inputs.each(lines, lambda q: answer(parser.parse(q), q), as_json=request.as_json, what="question")


def _of_scene(request: Request, scene_file: str) -> int:
    """Answer by what a file says of a scene, or by what a concept learner sees in it."""
    from ..dsl.domain import load_domain
    from ..language.parsers import parser_of

    context, checkpoint = request.context, request.checkpoint
    options.refuse(context, ("detector",), "looks at a picture: give --image without --scene")
    if checkpoint is None:
        options.refuse(context, ("by",), "looks at a picture: give --image without --scene, or a --checkpoint")
        options.refuse(context, ("device",), "is for --image without --scene, or for a --checkpoint")
        options.refuse(context, ("trust",), "is of a --checkpoint, which is not given")
        domain = load_domain(request.domain)
    else:
        if request.by == "scene-parser":
            raise output.UsageError("--by scene-parser looks at a picture: give --image without --scene")
        head = checks.checkpoint(checkpoint, "concept-learner")
        domain = checks.domain_of(request.own_domain, head, "--checkpoint")
    inputs.one_stdin(scene_file, "-" if not request.question else request.question[0])
    parser = parser_of(request.parser, domain)
    scene = inputs.the_scene(scene_file, domain, request.index, request.image)
    lines = request.lines
    answer = answers.SceneAnswers(scene, image_file=request.image_file, **request.shown)
    if checkpoint is not None and not _no_question(lines, parser):
        from . import concept_learners

        learner = concept_learners.load_learner(checkpoint, request.device, trust=request.trust)
        answer = concept_learners.Learned(scene, image_file=request.image_file, **request.shown, learner=learner)
    return inputs.each(lines, lambda q: answer(parser.parse(q), q), as_json=request.as_json, what="question")


def _no_question(lines: Iterable[inputs.Line], parser: QuestionParser) -> bool:
    """Whether none of the questions of the command line can be read, so that nothing needs to be loaded to answer."""
    from ..errors import NsreasonError

    if not isinstance(lines, list):  # of standard input, where one may be read later
        return False
    for line in lines:
        try:
            parser.parse(line.text)
        except NsreasonError:
            continue
        return False
    return True


def _unread(parser: QuestionParser, question: str) -> inputs.Outcome:
    """Raise what is wrong with a question."""
    return inputs.Outcome(str(parser.parse(question)), {})
