"""What `ask` and `execute` share: a program run on a scene, shown as an answer, a trace, JSON and a page."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError
from . import checks, output
from .inputs import Line, Outcome

if TYPE_CHECKING:
    from ..programs.program import Program
    from ..scenes.scene import Scene
    from ..traces.trace import Trace


@dataclass
class SceneAnswers:
    """How to answer on one scene: with a trace, with a page, with a picture, in how many words."""

    scene: Scene
    trace: bool = False
    html: str | None = None
    image_file: str | None = None
    quiet: bool = False
    png: str | None = None

    def __call__(self, program: Program, question: str | None = None) -> Outcome:
        """Run a program; a scene on which it has no answer is told in the outcome's error."""
        return shown(self.run(program, question), self, program, question)

    def run(self, program: Program, question: str | None) -> Trace:
        """The trace of a program on the scene, by exact execution."""
        from ..executors import trace

        return trace(program, self.scene, question)


def shown(trace: Trace, how: SceneAnswers, program: Program, question: str | None) -> Outcome:
    """A trace as the answer, as JSON and as a page, as the options ask for."""
    from ..executors import spell

    if how.html is not None:
        write_page(trace, how.html, how.image_file)
        output.remark(f"wrote {how.html}")
    if how.png is not None:
        write_picture(trace, how.png, how.image_file)
        output.remark(f"wrote {how.png}")
    answer = None if trace.answer is None else spell(trace.answer)
    record: dict[str, object] = {} if question is None else {"question": question}
    record |= {"program": str(program), "answer": answer, "value": trace.answer, "scene": how.scene.index}
    if how.trace:
        record["trace"] = trace.to_json()
    if how.html is not None:
        record["html"] = how.html
    if how.png is not None:
        record["png"] = how.png
    if how.trace:
        width = output.width()
        text = trace.to_rich(width=width) if output.on_terminal(sys.stdout) else trace.to_text(width=width)
        # The text ends with the answer, or with why there is none: that is not said again.
        return Outcome(text, record, trace.error, explained=True)
    lines = [] if answer is None else [answer]
    if question is not None and not how.quiet:
        lines = [f"question  {question}", f"program   {program}"]
        lines += [] if answer is None else [f"answer    {answer}"]
    return Outcome("\n".join(lines), record, trace.error)


def check_page(html: str | None, image_file: str | None, png: str | None = None) -> None:
    """Refuse options that ask for no page and no picture, before anything is read.

    Raises:
        UsageError: the scene's image and nothing to show it in, both into one file, or one to standard output.
        DataError: there is no folder to write to, or no such image.
    """
    if image_file is not None and html is None and png is None:
        raise output.UsageError("--image-file is for --html or --png, neither of which is given")
    for option, path in (("--html", html), ("--png", png)):
        if path == "-":
            raise output.UsageError(f"{option} takes the name of a file; standard output has the answer")
    if html is not None and html == png:
        raise output.UsageError(f"--html and --png both name {html}; give them a file each")
    checks.output_file(html, "--html")
    checks.output_file(png, "--png")
    if image_file is not None:
        checks.file(image_file)


def write_page(trace: Trace, path: str, image_file: str | None) -> None:
    """The trace as a web page.

    Raises:
        DataError: the picture cannot be read, or the page cannot be written.
    """
    from ..io.files import write_text

    write_text(path, trace.to_html(None if image_file is None else Path(image_file)))


def write_picture(trace: Trace, path: str, image_file: str | None) -> None:
    """The trace as one PNG picture.

    Raises:
        DataError: the scene's image cannot be read, the program is too long, or the picture cannot be written.
    """
    from ..io.files import write_bytes

    write_bytes(path, trace.to_png(None if image_file is None else Path(image_file)))


def one_page(lines: Iterable[Line], html: str | None, png: str | None = None) -> Iterable[Line]:
    """The same lines; where a page or a picture is wanted, no more than one.

    Raises:
        DataError: there are several, and one page or picture to write.
    """
    if html is None and png is None:
        return lines
    several = list(lines)
    if len(several) > 1:
        what = "--html writes the page" if html is not None else "--png writes the picture"
        raise DataError(f"{what} of one answer, and {len(several)} are asked for")
    return several
