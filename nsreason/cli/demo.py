"""`nsreason demo`: five questions about a small scene that comes with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError
from . import answers, options, output

if TYPE_CHECKING:
    from ..traces.trace import Trace

EXAMPLES = ("nsreason demo", "nsreason demo --out elsewhere --json")
FILES = {  # as written, as bundled
    "scene.json": "demo_scene.json",
    "questions.json": "demo_questions.json",
    "picture.png": "demo_picture.png",
}


def demo(
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="The folder to write to.")] = "demo",
    show: Annotated[bool, options.flag("--open", says="Open the page in a browser.")] = False,
    as_json: options.AsJson = False,
) -> int:
    """Five questions about a small scene: start here.

    Writes the scene, its picture, its questions, and the trace of the last question as a web page that needs no
    network.
    """
    from ..data import QuestionRecord, load_scenes, read_questions
    from ..executors import trace
    from ..language.question_parser import parse_question

    folder = _folder(out)
    scene = load_scenes(folder / "scene.json").scenes[0]
    texts = [q.question or "" for q in read_questions(folder / "questions.json") if isinstance(q, QuestionRecord)]
    traces = [trace(parse_question(text), scene, text) for text in texts]
    page = folder / "trace.html"
    answers.write_page(traces[-1], str(page), str(folder / "picture.png"))
    if as_json:
        output.put_json(_record(traces, folder, page))
    else:
        output.put(_told(traces, folder, page))
    if show:
        typer.launch(page.resolve().as_uri())
    return 0


def _folder(out: str) -> Path:
    """The folder with the demo's files in it.

    Raises:
        DataError: it has other files of these names, or cannot be written.
    """
    from ..io.files import write_bytes

    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made: {error.strerror}; choose another with --out") from None
    bundled = {folder / name: resources.files("nsreason.cli").joinpath(b).read_bytes() for name, b in FILES.items()}
    for path, data in bundled.items():
        if path.exists() and not (path.is_file() and path.read_bytes() == data):
            raise DataError(f"{path} is there already and is not the demo's; choose another folder with --out")
    for path, data in bundled.items():
        write_bytes(path, data)
    return folder


def _record(traces: list[Trace], folder: Path, page: Path) -> dict[str, object]:
    asked = [
        {"question": t.question, "program": str(t.program), "answer": t.answer_words, "value": t.answer} for t in traces
    ]
    files = {name.partition(".")[0]: str(folder / name) for name in FILES}
    return {"asked": asked, **files, "html": str(page)}


def _told(traces: list[Trace], folder: Path, page: Path) -> str:
    scene = traces[0].drawn
    asked = 'nsreason ask "Is the big cube behind the metal ball?"'
    lines = [f"The scene {folder / 'scene.json'} has {len(scene)} objects:"]
    lines += [f"  {i}  {scene.describe(i)}" for i in range(len(scene))]
    for trace in traces:
        lines += ["", f"question  {trace.question}", f"program   {trace.program}", f"answer    {trace.answer_words}"]
    lines += ["", f"The last one step by step, as a web page: {page.resolve()}"]
    lines += ["", "Your own question:"]
    lines += [f"  {asked} --scene {folder / 'scene.json'} --trace"]
    lines += ["The same of its picture, from pixels:"]
    lines += [f"  {asked} --image {folder / 'picture.png'} --html page.html"]
    lines += ["All five, scored:"]
    lines += [f"  nsreason evaluate --questions {folder / 'questions.json'} --scenes {folder / 'scene.json'}"]
    return "\n".join(lines)
