"""`nsreason ask`: questions to answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import answers, checks, image_inputs, inputs, options, output

if TYPE_CHECKING:
    from ..language.question_parser import GrammarParser

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
    context: typer.Context,
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
    by: image_inputs.WithBy = None,
    checkpoint: image_inputs.Checkpoint = None,
    detector: image_inputs.Detector = None,
    device: options.Device = "cpu",
    trust: options.Trust = False,
    trace: options.WithTrace = False,
    html: options.Html = None,
    png: options.Png = None,
    image_file: options.ImageFile = None,
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
    from ..dsl.domain import load_domain
    from ..language.question_parser import question_parser

    answers.check_page(html, image_file, png)
    how: dict[str, Any] = {"trace": trace, "html": html, "png": png, "quiet": quiet}
    questions = question or []
    told = domain if "domain" in options.given(context) else None
    if scene is None:
        if image is None:
            raise output.UsageError("missing --scene FILE, or --image FILE for a picture")
        options.refuse(context, ("index", "image_file"), "goes with --scene; --image alone is a picture to look at")
        if checkpoint is None and detector is None:
            options.refuse(context, ("trust",), "is of --checkpoint or --detector, neither of which is given")
        checks.image(image)
        head = checks.looking(by, checkpoint, detector)
        parser = question_parser(checks.domain_of(told, head, "--image"))
        lines = answers.one_page(inputs.question_lines(questions), html, png)
        if _no_question(lines, parser):
            return inputs.each(lines, lambda q: _unread(parser, q), as_json=as_json, what="question")
        return _ask_picture(image, lines, how, by, checkpoint, detector, device, trust, as_json)
    options.refuse(context, ("detector",), "looks at a picture: give --image without --scene")
    if checkpoint is None:
        options.refuse(context, ("by",), "looks at a picture: give --image without --scene, or a --checkpoint")
        options.refuse(context, ("device",), "is for --image without --scene, or for a --checkpoint")
        options.refuse(context, ("trust",), "is of a --checkpoint, which is not given")
    elif by == "scene-parser":
        raise output.UsageError("--by scene-parser looks at a picture: give --image without --scene")
    inputs.one_stdin(scene, "-" if not question else question[0])
    if checkpoint is None:
        found = load_domain(domain)
    else:
        found = checks.domain_of(told, checks.checkpoint(checkpoint, "concept-learner"), "--checkpoint")
    parser = question_parser(found)
    held = inputs.the_scene(scene, parser.domain, index, image)
    lines = answers.one_page(inputs.question_lines(questions), html, png)
    answer = answers.Answering(held, image_file=image_file, **how)
    if checkpoint is not None and not _no_question(lines, parser):
        from . import concept_learners

        learner = concept_learners.load_learner(checkpoint, device, trust=trust)
        answer = concept_learners.Learned(held, image_file=image_file, **how, learner=learner)
    return inputs.each(lines, lambda q: answer(parser.parse(q), q), as_json=as_json, what="question")


def _no_question(lines: Iterable[inputs.Line], parser: GrammarParser) -> bool:
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


def _unread(parser: GrammarParser, question: str) -> inputs.Outcome:
    """Raise what is wrong with a question."""
    return inputs.Outcome(str(parser.parse(question)), {})


def _ask_picture(
    image: str,
    lines: Iterable[inputs.Line],
    how: dict[str, Any],
    by: image_inputs.By | None,
    checkpoint: str | None,
    detector: str | None,
    device: options.DeviceName,
    trust: bool,
    as_json: bool,
) -> int:
    """Answer by what is seen in a picture; `how` are the settings of `answers.Answering`."""
    from ..language.question_parser import question_parser

    pipeline, _ = image_inputs.load_pipeline(by, checkpoint, detector, device=device, trust=trust)
    from ..reasoners.perceived_images import PerceivedImages

    parser = question_parser(pipeline.domain)
    with image_inputs.page_picture(image, wanted=how["html"] is not None or how["png"] is not None) as shown:
        answer = image_inputs.Pictured(**how, image_file=shown, perceived=PerceivedImages(pipeline), path=image)
        image_inputs.warn(answer.image)
        return inputs.each(lines, lambda q: answer(parser.parse(q), q), as_json=as_json, what="question")
