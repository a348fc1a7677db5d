"""`nsreason ask`: questions to answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from . import answers, inputs, options

if TYPE_CHECKING:
    from ..program import Program

EXAMPLES = (
    "nsreason demo  # writes the files of these examples",
    'nsreason ask "How many red cubes are there?" --scene demo/scene.json',
    'nsreason ask "What color is the big ball?" --scene demo/scene.json --trace',
    'nsreason ask "Is there a cube?" --scene demo/scene.json --html page.html',
    'echo "Is the big can green?" | nsreason ask --scene demo/scene.json --json',
)


def ask(
    scene: options.SceneFile,
    question: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUESTION", help="Questions; none, or [bold]-[/bold]: one a line from stdin."),
    ] = None,
    index: options.Index = None,
    image: options.Image = None,
    domain: options.Domain = "clevr",
    checkpoint: options.Checkpoint = None,
    trace: options.WithTrace = False,
    html: options.Html = None,
    image_file: options.ImageFile = None,
    quiet: Annotated[bool, options.flag("--quiet", "-q", says="Print only the answer.")] = False,
    as_json: options.AsJson = False,
) -> int:
    """Answer English questions about a scene.

    Prints the question, its program and the answer. A question that cannot be read, or has no answer on the
    scene, is reported with its line, and the others go on.

    With --checkpoint the program runs on what a trained concept learner sees in the scene, and the trace shows to
    which degree each object belongs to each step.
    """
    from ..domain import load_domain
    from ..questions import question_parser

    answers.check_page(html, image_file)
    inputs.one_stdin(scene, "-" if not question else question[0])
    learner = None
    if checkpoint is not None:
        from . import learned

        learner = learned.load_learner(checkpoint)
    parser = question_parser(load_domain(domain) if learner is None else learner.domain)
    held = inputs.the_scene(scene, parser.domain, index, image)
    answer: Callable[[Program, str], inputs.Outcome]
    if learner is None:
        answer = answers.Answering(held, trace, html, image_file, quiet)
    else:
        answer = learned.Learned(held, trace, html, image_file, quiet, learner=learner)
    lines = answers.one_page(inputs.question_lines(question or []), html)
    return inputs.each(lines, lambda q: answer(parser.parse(q), q), as_json=as_json, what="question")
