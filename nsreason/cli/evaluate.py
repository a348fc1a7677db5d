"""`nsreason evaluate`: whole question files, answered and scored."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options, output, pictures

if TYPE_CHECKING:
    from ..evaluation import Report

# nsreason.answering has these; naming them here again keeps `--help` from importing it. A test compares them.
ProgramSource = Literal["given", "parsed"]
OnError = Literal["answer", "skip", "raise"]

EXAMPLES = (
    "nsreason demo  # writes the files of these examples",
    "nsreason evaluate --questions demo/questions.json --scenes demo/scene.json",
    "nsreason evaluate --questions demo/questions.json --scenes demo/scene.json \\\n"
    "    --programs parsed --jobs 2 --out predictions.jsonl --markdown report.md",
    "nsreason generate clevr --scenes 2 --images --out few",
    "nsreason evaluate --questions few/questions.json --images few/images \\\n    --scenes few/scenes.json",
)


def evaluate(
    checkpoint: Annotated[
        str | None, typer.Argument(metavar="[CHECKPOINT]", help="A trained model that is to answer, by --data DIR.")
    ] = None,
    questions: Annotated[
        str | None,
        typer.Option("--questions", metavar="FILE", help="Questions: JSON as CLEVR's, or JSON lines; .gz too."),
    ] = None,
    scenes: Annotated[
        str | None,
        typer.Option("--scenes", metavar="FILE", help="Their scenes: JSON as CLEVR's, or JSON lines; .gz too."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="For a model: the folder of both files.")
    ] = None,
    images: Annotated[
        str | None,
        typer.Option("--images", metavar="DIR", help="Answer from the pixels of these images, named in the questions."),
    ] = None,
    by: pictures.WithBy = None,
    sees: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="FILE", help="For --images: a trained model, not the bundled one."),
    ] = None,
    detector: pictures.Detector = None,
    detections: pictures.Detections = None,
    part: Annotated[
        Literal["all", "held-out"],
        typer.Option("--part", help="For a model: all scenes, or the last tenth, which training holds out."),
    ] = "all",
    programs: Annotated[
        ProgramSource,
        typer.Option("--programs", help="Run the file's programs, or those that the texts parse to."),
    ] = "given",
    on_error: Annotated[
        OnError,
        typer.Option("--on-error", help="A question without an exact answer: guess, leave it out, or stop."),
    ] = "answer",
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=1, help="Processes.")] = 1,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE.jsonl", help="Write predictions, a line a question; - is stdout."),
    ] = None,
    resume: Annotated[
        bool, options.flag("--resume", says="Go on where an interrupted run with the same --out stopped.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="Only the first questions.")] = None,
    markdown: Annotated[
        str | None, typer.Option("--markdown", metavar="FILE.md", help="Write the report as Markdown, too.")
    ] = None,
    trust: options.Trust = False,
    domain: options.Domain = "clevr",
    as_json: options.AsJson = False,
) -> int:
    """Answer and score every question of a file.

    Each question is asked of its own scene. The report has accuracy by type of question with 95 % intervals; with
    --programs parsed also how many programs are equivalent to the file's; and every kind of failure with examples.
    Records that are not valid are counted, never scored.

    With --images the questions are answered from pixels: a detector finds the objects, --by says what sees them. With
    --scenes too, what was seen is compared with what is annotated, so that it shows which step failed.

    With a checkpoint the programs run on what the model sees in the scenes; the report is then followed by what it
    has learned of each concept, and how well its degrees are calibrated. Of a scene parser, what it sees is compared
    with the annotations; of a detector, what it finds.

    Exits with 2 when no record could be used, and with 1 when --on-error raise met a question without an answer.
    """
    if checkpoint is not None:
        others = {"--questions": questions, "--scenes": scenes, "--out": out, "--resume": resume or None}
        others |= {"--images": images, "--by": by, "--detector": detector, "--detections": detections}
        wrong = [name for name, value in others.items() if value is not None]
        if wrong or data is None:
            raise output.UsageError("a checkpoint needs --data DIR" if data is None else f"a model takes no {wrong[0]}")
        return _evaluate_model(checkpoint, data, part, programs, limit, markdown, trust, as_json)
    if images is not None:
        if questions is None:
            raise output.UsageError("missing --questions")
        if data is not None or resume:
            raise output.UsageError(f"--images takes no {'--resume' if data is None else '--data'}")
        _check_out(out, as_json)
        look: dict[str, Any] = {"scenes": scenes, "part": part, "programs": programs, "on_error": on_error}
        look |= {"out": out, "limit": limit}
        report = _evaluate_images(questions, images, by, sees, detector, detections, look, markdown, trust, as_json)
        return 2 if report.bad.count and report.bad.count == report.questions else 0
    for name, value in {"--by": by, "--checkpoint": sees, "--detector": detector, "--detections": detections}.items():
        if value is not None:
            raise output.UsageError(f"{name} is for --images, which is not given")
    if data is not None or questions is None or scenes is None:
        lacks = next((n for n, v in (("--questions", questions), ("--scenes", scenes)) if v is None), "a checkpoint")
        raise output.UsageError(
            f"--data is for a checkpoint, which is not given; missing {lacks}"
            if data is not None
            else f"missing {lacks}"
        )

    from ..evaluation import evaluate

    if resume and out in (None, "-"):
        raise output.UsageError("--resume needs the --out FILE of the interrupted run")
    _check_out(out, as_json)
    with _progress() as progress, _resumable(out):
        report = evaluate(
            questions,
            scenes,
            programs=programs,
            on_error=on_error,
            jobs=jobs,
            out=out,
            resume=resume,
            progress=progress,
            limit=limit,
            domain=domain,
        )
    if markdown is not None:
        _write(markdown, report.to_markdown())
    _show(report, as_json, to_stderr=out == "-")
    return 2 if report.bad.count and report.bad.count == report.questions else 0


def _check_out(out: str | None, as_json: bool) -> None:
    if out == "-" and as_json:
        raise output.UsageError("--out - and --json both write to standard output")


def _evaluate_images(
    questions: str,
    images: str,
    by: pictures.By | None,
    checkpoint: str | None,
    detector: str | None,
    detections: str | None,
    look: dict[str, Any],
    markdown: str | None,
    trust: bool,
    as_json: bool,
) -> Report:
    from ..image_evaluation import evaluate_images

    given = pictures.load_detections(detections)
    reasoner, kind = pictures.load_reasoner(by, checkpoint, detector, detects=given is None, trust=trust)
    with _progress("looking", "images") as progress:
        report, seen = evaluate_images(
            questions, images, reasoner, name=checkpoint or kind, detections=given, progress=progress, **look
        )
    if markdown is not None:
        _write(markdown, report.to_markdown() + ("" if seen is None else "\n" + seen.to_markdown()))
    if as_json:
        output.put_json(report.to_dict() | ({} if seen is None else {"perception": seen.to_dict()}))
        return report
    to_stderr = look["out"] == "-"
    _show(report, False, to_stderr=to_stderr)
    if seen is not None:
        output.console(sys.stderr if to_stderr else sys.stdout).print(seen.table())
    return report


def _evaluate_model(
    checkpoint: str,
    data: str,
    part: str,
    programs: str,
    limit: int | None,
    markdown: str | None,
    trust: bool,
    as_json: bool,
) -> int:
    from ..checkpoint import load_model
    from ..perception.detector import Detector
    from ..perception.scene_parser import SceneParser

    model = load_model(checkpoint, trust=trust)
    if isinstance(model, SceneParser | Detector):
        seen: Any = _seen(model, data, "held-out" if part == "held-out" else "all", limit)
        if markdown is not None:
            _write(markdown, seen.to_markdown())
        if as_json:
            output.put_json(seen.to_dict())
        else:
            output.put_table(seen.table())
        return 0

    from . import learned

    learner = learned.load_learner(checkpoint, trust=trust)
    examples = learned.examples_of(learner, data, part, "", programs)[:limit]
    report = learned.evaluated(learner, examples, checkpoint, programs)
    probes = learned.probed(learner, examples)
    if markdown is not None:
        _write(markdown, report.to_markdown())
    if as_json:
        output.put_json(report.to_dict() | ({} if probes is None else {"probes": probes.to_dict()}))
    else:
        _show(report, as_json, to_stderr=False)
        if probes is not None:
            output.put_table(probes.table())
    return 0


def _seen(model: Any, data: str, part: Literal["all", "held-out"], limit: int | None) -> Any:
    """The report of a model of perception."""
    from ..perception.scene_parser import SceneParser

    if isinstance(model, SceneParser):
        from ..image_evaluation import evaluate_parser

        return evaluate_parser(model, data, part)
    from ..detection_report import evaluate_detector

    with _progress("looking at", "images") as progress:
        return evaluate_detector(model, data, part, limit=limit, progress=progress)


def _show(report: Report, as_json: bool, *, to_stderr: bool) -> None:
    if as_json:
        output.put_json(report.to_dict())
    else:
        output.console(sys.stderr if to_stderr else sys.stdout).print(report.table())


def _write(path: str, text: str) -> None:
    from ..files import atomic_write

    with atomic_write(path) as file:
        file.write(text.encode())


@contextmanager
def _resumable(out: str | None) -> Iterator[None]:
    """Say how to go on when a run is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        if out is not None and Path(f"{out}.partial").exists():
            output.note(f"\nwhat is done is kept in {out}.partial; the same command with --resume goes on")
        raise


@contextmanager
def _progress(
    doing: str = "answering", unit: str = "questions"
) -> Iterator[Callable[[int, int | None], None] | None]:
    """A progress bar on a terminal; nothing where standard error goes to a file."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as rich

    columns = (
        rich.TextColumn(doing),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn(unit),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=output.console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
