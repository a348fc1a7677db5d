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
    questions: Annotated[
        str, typer.Option("--questions", metavar="FILE", help="Questions: JSON as CLEVR's, or JSON lines; .gz too.")
    ],
    scenes: Annotated[
        str, typer.Option("--scenes", metavar="FILE", help="Their scenes: JSON as CLEVR's, or JSON lines; .gz too.")
    ],
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

    Exits with 2 when no record could be used, and with 1 when --on-error raise met a question without an answer.
    """
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
