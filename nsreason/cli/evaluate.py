"""`nsreason evaluate`: whole question files, answered and scored."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import options, output

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
    domain: options.Domain = "clevr",
    as_json: options.AsJson = False,
) -> int:
    """Answer and score every question of a file.

    Each question is asked of its own scene. The report has accuracy by type of question with 95 % intervals; with
    --programs parsed also how many programs are equivalent to the file's; and every kind of failure with examples.
    Records that are not valid are counted, never scored.

    With a checkpoint the programs run on what the model sees in the scenes; the report is then followed by what it
    has learned of each concept, and how well its degrees are calibrated.

    Exits with 2 when no record could be used, and with 1 when --on-error raise met a question without an answer.
    """
    if checkpoint is not None:
        others = {"--questions": questions, "--scenes": scenes, "--out": out, "--resume": resume or None}
        wrong = [name for name, value in others.items() if value is not None]
        if wrong or data is None:
            raise output.UsageError("a checkpoint needs --data DIR" if data is None else f"a model takes no {wrong[0]}")
        return _evaluate_model(checkpoint, data, part, programs, limit, markdown, as_json)
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
    if out == "-" and as_json:
        raise output.UsageError("--out - and --json both write to standard output")
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


def _evaluate_model(
    checkpoint: str,
    data: str,
    part: str,
    programs: str,
    limit: int | None,
    markdown: str | None,
    as_json: bool,
) -> int:
    from . import learned

    learner = learned.load_learner(checkpoint)
    examples = learned.examples_of(learner, data, part, "", programs)[:limit]
    report = learned.evaluated(learner, examples, checkpoint, programs)
    probes = learned.probed(learner, examples)
    if markdown is not None:
        _write(markdown, report.to_markdown())
    if as_json:
        output.put_json(report.to_dict() | {"probes": probes.to_dict()})
    else:
        _show(report, as_json, to_stderr=False)
        output.put_table(probes.table())
    return 0


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
def _progress() -> Iterator[Callable[[int, int | None], None] | None]:
    """A progress bar on a terminal; nothing where standard error goes to a file."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as rich

    columns = (
        rich.TextColumn("answering"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn("questions"),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=output.console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
