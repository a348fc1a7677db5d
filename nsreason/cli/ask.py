"""`nsreason ask`: questions to answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import answers, inputs, options, output, pictures

if TYPE_CHECKING:
    from ..program import Program

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


def ask(
    question: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUESTION", help="Questions; none, or [bold]-[/bold]: one a line from stdin."),
    ] = None,
    scene: Annotated[
        str | None,
        typer.Option(
            "--scene",
            metavar="FILE",
            help="A JSON file of one scene or many; [bold]-[/bold] is stdin, .gz is unpacked.",
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="FILE|NAME",
            help="A picture to look at; with --scene, the image_filename of the scene to take.",
        ),
    ] = None,
    index: options.Index = None,
    domain: options.Domain = "clevr",
    by: pictures.WithBy = None,
    checkpoint: pictures.Checkpoint = None,
    detector: pictures.Detector = None,
    trust: options.Trust = False,
    trace: options.WithTrace = False,
    html: options.Html = None,
    png: options.Png = None,
    image_file: options.ImageFile = None,
    quiet: Annotated[bool, options.flag("--quiet", "-q", says="Print only the answer.")] = False,
    as_json: options.AsJson = False,
) -> int:
    """Answer English questions about a scene or a picture.

    Prints the question, its program and the answer. A question that cannot be read, or has no answer on the
    scene, is reported with its line, and the others go on.

    With --image and no --scene, a detector finds the objects of the picture, and what each is and where it stands is
    read off its pixels; the page of --html then shows the picture.

    With --scene and --checkpoint the program runs on what a trained concept learner sees in the scene, and the trace
    shows to which degree each object belongs to each step.
    """
    from ..domain import load_domain
    from ..questions import question_parser

    if scene is None:
        if image is None:
            raise output.UsageError("missing --scene FILE, or --image FILE for a picture")
        wrong = {"--index": index, "--image-file": image_file}
        for name in (n for n, value in wrong.items() if value is not None):
            raise output.UsageError(f"{name} goes with --scene; --image alone is a picture to look at")
        how = {"trace": trace, "html": html, "png": png, "quiet": quiet}
        return _ask_picture(image, question or [], how, by, checkpoint, detector, trust, as_json)
    if by == "scene-parser" or detector is not None:
        told = "--detector" if detector is not None else "--by scene-parser"
        raise output.UsageError(f"{told} looks at a picture: give --image without --scene")
    answers.check_page(html, image_file, png)
    inputs.one_stdin(scene, "-" if not question else question[0])
    learner = None
    if checkpoint is not None:
        from . import learned

        learner = learned.load_learner(checkpoint, trust=trust)
    parser = question_parser(load_domain(domain) if learner is None else learner.domain)
    held = inputs.the_scene(scene, parser.domain, index, image)
    answer: Callable[[Program, str], inputs.Outcome]
    if learner is None:
        answer = answers.Answering(held, trace, html, image_file, quiet, png)
    else:
        answer = learned.Learned(held, trace, html, image_file, quiet, png, learner=learner)
    lines = answers.one_page(inputs.question_lines(question or []), html, png)
    return inputs.each(lines, lambda q: answer(parser.parse(q), q), as_json=as_json, what="question")


def _ask_picture(
    image: str,
    questions: list[str],
    how: dict[str, Any],
    by: pictures.By | None,
    checkpoint: str | None,
    detector: str | None,
    trust: bool,
    as_json: bool,
) -> int:
    """Answer by what is seen in a picture; `how` are the settings of `answers.Answering`."""
    from ..questions import question_parser

    answers.check_page(how["html"], None, how["png"])
    lines = answers.one_page(inputs.question_lines(questions), how["html"], how["png"])
    reasoner, _ = pictures.load_reasoner(by, checkpoint, detector, trust=trust)
    parser = question_parser(reasoner.domain)
    view = pictures.look_at(image, reasoner)
    with pictures.page_picture(image, wanted=how["html"] is not None or how["png"] is not None) as shown:
        answer = pictures.Pictured(**how, image_file=shown, reasoner=reasoner, view=view)
        return inputs.each(lines, lambda q: answer(parser.parse(q), q), as_json=as_json, what="question")
