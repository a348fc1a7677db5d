"""`nsreason evaluate`: whole question files, answered and scored."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import checks, image_inputs, options, output, progress

if TYPE_CHECKING:
    from ..evaluation.evaluator import Report

# nsreason.evaluation.answerer has these; naming them here again keeps `--help` from importing it. A test compares them.
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
    context: typer.Context,
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
        str | None, typer.Option("--data", metavar="DIR", help="For a CHECKPOINT: the folder of its data.")
    ] = None,
    images: Annotated[
        str | None,
        typer.Option("--images", metavar="DIR", help="Answer from the pixels of these images, named in the questions."),
    ] = None,
    by: image_inputs.WithBy = None,
    sees: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="FILE", help="For --images: a trained model, not the bundled one."),
    ] = None,
    detector: image_inputs.Detector = None,
    detections: image_inputs.Detections = None,
    part: Annotated[
        Literal["all", "held-out"],
        typer.Option("--part", help="Of --data or --images: all, or the last tenth, which training holds out."),
    ] = "all",
    programs: Annotated[
        ProgramSource,
        typer.Option("--programs", help="Run the file's programs, or those that the texts parse to."),
    ] = "given",
    on_error: Annotated[
        OnError,
        typer.Option("--on-error", help="A question without an exact answer: guess, leave it out, or stop."),
    ] = "answer",
    jobs: options.Jobs = 1,
    device: options.Device = "cpu",
    batch_size: options.BatchSize = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE.jsonl", help="Write predictions, a line a question; - is stdout."),
    ] = None,
    resume: Annotated[
        bool, options.flag("--resume", says="Go on where an interrupted run with the same --out stopped.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=0, help="Only the first questions; of what answers none, images."),
    ] = None,
    markdown: Annotated[
        str | None, typer.Option("--markdown", metavar="FILE.md", help="Write the report as Markdown, too.")
    ] = None,
    trust: options.Trust = False,
    domain: options.Domain = "clevr",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
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
    told = domain if "domain" in options.given(context) else None
    if markdown is not None:
        checks.output_file(markdown, "--markdown")
    if checkpoint is not None:
        options.refuse(context, _EXACT + _IMAGES, "does not go with a CHECKPOINT argument, which takes --data DIR")
        if data is None:
            raise output.UsageError("a checkpoint needs --data DIR")
        head = checks.checkpoint(checkpoint, "concept-learner", "scene-parser", "detector")
        _refuse_for(head.model, context)
        checks.folder(data, "--data")
        if told is not None:
            checks.same_domain(told, head, "the checkpoint")
        return _evaluate_model(checkpoint, data, part, programs, limit, markdown, trust, as_json, device, batch_size)
    options.refuse(context, ("data",), "is for a CHECKPOINT argument, which is not given")
    if questions is None:
        raise output.UsageError("missing --questions FILE")
    if images is None and scenes is None:
        raise output.UsageError("missing --scenes FILE")
    if out == "-" and as_json:
        raise output.UsageError("--out - and --json both write to standard output")
    if images is not None:
        options.refuse(context, ("resume", "jobs"), "does not go with --images: images are looked at in one process")
        if detections is not None:
            options.refuse(context, ("detector",), "does not go with --detections: they stand in a detector's place")
        if sees is None and detector is None:
            options.refuse(context, ("trust",), "is of --checkpoint or --detector, neither of which is given")
    else:
        options.refuse(context, ("trust",), "is for --images or a CHECKPOINT argument")
        options.refuse(context, ("by", "sees", "detector", "detections"), "is for --images, which is not given")
        options.refuse(context, ("part", "device", "batch_size"), "is for --images or a CHECKPOINT argument")
    for path in (questions, detections):
        if path is not None:
            checks.file(path)
    if scenes is not None:
        checks.scenes(scenes)
    checks.output_file(out, "--out")
    if images is not None:
        checks.folder(images, "--images")
        head = checks.looking(by, sees, detector)
        if head.model == "concept-learner":
            options.refuse(context, ("on_error",), "does not go with a concept learner: it always has an answer")
        checks.domain_of(told, head, "--images")
        look: dict[str, Any] = {"scenes": scenes, "part": part, "programs": programs, "on_error": on_error}
        look |= {"out": out, "limit": limit} | ({} if batch_size is None else {"at_once": batch_size})
        report = _evaluate_images(
            questions, images, by, sees, detector, detections, device, look, markdown, trust, as_json
        )
        return 2 if report.bad.count and report.bad.count == report.questions else 0
    assert scenes is not None

    from ..evaluation.evaluator import evaluate

    if resume and out in (None, "-"):
        raise output.UsageError("--resume needs the --out FILE of the interrupted run")
    with progress.counted("answering", "questions") as answered, _resumable(out):
        report = evaluate(
            questions,
            scenes,
            programs=programs,
            on_error=on_error,
            jobs=jobs,
            out=out,
            resume=resume,
            progress=answered,
            limit=limit,
            domain=domain,
        )
    if markdown is not None:
        _write(markdown, report.to_markdown())
    _show(report, as_json, to_stderr=out == "-")
    return 2 if report.bad.count and report.bad.count == report.questions else 0


_EXACT = ("questions", "scenes", "out", "resume", "jobs", "on_error")
_IMAGES = ("images", "by", "sees", "detector", "detections")


def _refuse_for(model: str, context: typer.Context) -> None:
    """Refuse what has no effect on the model of a checkpoint."""
    if model in ("scene-parser", "detector"):
        options.refuse(context, ("programs",), f"does not go with a {model}: it answers no questions")
    if model == "scene-parser":
        options.refuse(context, ("batch_size",), "does not go with a scene-parser, which takes them image by image")


def _evaluate_images(
    questions: str,
    images: str,
    by: image_inputs.By | None,
    checkpoint: str | None,
    detector: str | None,
    detections: str | None,
    device: options.DeviceName,
    look: dict[str, Any],
    markdown: str | None,
    trust: bool,
    as_json: bool,
) -> Report:
    given = image_inputs.load_detections(detections)
    reasoner, kind = image_inputs.load_reasoner(
        by, checkpoint, detector, detects=given is None, device=device, trust=trust
    )
    from ..evaluation.images import evaluate_images

    with progress.counted("looking at", "images") as looked:
        report, seen = evaluate_images(
            questions, images, reasoner, name=checkpoint or kind, detections=given, progress=looked, **look
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
    device: options.DeviceName,
    batch_size: int | None,
) -> int:
    place = image_inputs.torch_device(device)
    from ..perception.detector.detector import Detector
    from ..perception.scene_parser.parser import SceneParser
    from ..training.checkpoint import load_model

    with output.step(f"loaded {checkpoint} on {place}"):
        model = load_model(checkpoint, trust=trust).to(place)
    if isinstance(model, SceneParser | Detector):
        seen: Any = _seen(model, data, "held-out" if part == "held-out" else "all", limit, batch_size)
        if markdown is not None:
            _write(markdown, seen.to_markdown())
        if as_json:
            output.put_json(seen.to_dict())
        else:
            output.put_table(seen.table())
        return 0

    from . import concept_learners

    learner = concept_learners.learner_of(model, checkpoint)
    examples = concept_learners.examples_of(learner, data, part, "", programs)[:limit]
    report = concept_learners.evaluated(learner, examples, checkpoint, programs, batch_size)
    probes = concept_learners.probed(learner, examples)
    if markdown is not None:
        _write(markdown, report.to_markdown())
    if as_json:
        output.put_json(report.to_dict() | ({} if probes is None else {"probes": probes.to_dict()}))
    else:
        _show(report, as_json, to_stderr=False)
        if probes is not None:
            output.put_table(probes.table())
    return 0


def _seen(model: Any, data: str, part: Literal["all", "held-out"], limit: int | None, batch_size: int | None) -> Any:
    """The report of a model of perception."""
    from ..perception.scene_parser.parser import SceneParser

    if isinstance(model, SceneParser):
        from ..evaluation.images import evaluate_parser

        return evaluate_parser(model, data, part, limit=limit)
    from ..evaluation.detection_report import evaluate_detector

    with progress.counted("looking at", "images") as looked:
        return evaluate_detector(model, data, part, limit=limit, batch_size=batch_size or 8, progress=looked)


def _show(report: Report, as_json: bool, *, to_stderr: bool) -> None:
    if as_json:
        output.put_json(report.to_dict())
    else:
        output.console(sys.stderr if to_stderr else sys.stdout).print(report.table())


def _write(path: str, text: str) -> None:
    from ..io.files import atomic_write

    with atomic_write(path) as file:
        file.write(text.encode(errors="backslashreplace"))


@contextmanager
def _resumable(out: str | None) -> Iterator[None]:
    """Say how to go on when a run is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        if out is not None and Path(f"{out}.partial").exists():
            output.note(f"\nwhat is done is kept in {out}.partial; the same command with --resume goes on")
        raise
