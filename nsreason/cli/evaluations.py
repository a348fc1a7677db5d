"""The kinds of `nsreason evaluate`, one function each; `cli.evaluate` has checked the options."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import image_inputs, output, progress

if TYPE_CHECKING:
    from ..evaluation.report import Report, Section
    from .evaluate import Request


def of_files(request: Request) -> int:
    """Questions on annotated scenes."""
    from ..evaluation.question_files import evaluate_files

    assert request.questions is not None
    assert request.scenes is not None
    with progress.counted("answering", "questions") as answered, _resumable(request.out):
        report = evaluate_files(
            request.questions,
            request.scenes,
            programs=request.source,
            on_error=request.on_error,
            jobs=request.jobs,
            out=request.out,
            resume=request.resume,
            progress=answered,
            limit=request.limit,
            domain=request.domain,
        )
    return show(report, request)


def of_images(request: Request) -> int:
    """Questions on images."""
    given = image_inputs.load_detections(request.detections)
    pipeline, kind = image_inputs.load_pipeline(
        request.by,
        request.weights,
        request.detector,
        detects=given is None,
        device=request.device,
        trust=request.trust,
    )
    from ..evaluation.images import evaluate_images

    assert request.questions is not None
    assert request.images is not None
    batch: dict[str, Any] = {} if request.batch_size is None else {"batch_size": request.batch_size}
    with progress.counted("looking at", "images") as perceived:
        report = evaluate_images(
            request.questions,
            request.images,
            pipeline,
            name=request.weights or kind,
            scenes=request.scenes,
            detections=given,
            part=request.part,
            programs=request.source,
            on_error=request.on_error,
            out=request.out,
            limit=request.limit,
            progress=perceived,
            **batch,
        )
    return show(report, request)


def of_checkpoint(request: Request) -> int:
    """A trained model on the folder of its data: a concept learner's answers, or what a model of perception sees."""
    device = image_inputs.torch_device(request.device)
    from ..models.nscl.learner import ConceptLearner
    from ..perception.detector.detector import Detector
    from ..perception.scene_parser.parser import SceneParser
    from ..training.checkpoint import load_model

    checkpoint, data = str(request.checkpoint), str(request.data)
    with output.step(f"loaded {checkpoint} on {device}"):
        model = load_model(checkpoint, trust=request.trust).to(device)
    if isinstance(model, SceneParser):
        from ..evaluation.images import evaluate_parser

        return show_section(evaluate_parser(model, data, request.part, limit=request.limit), request)
    if isinstance(model, Detector):
        from ..evaluation.detection_report import evaluate_detector

        batch_size = request.batch_size or 8
        with progress.counted("looking at", "images") as perceived:
            section = evaluate_detector(
                model, data, request.part, limit=request.limit, batch_size=batch_size, progress=perceived
            )
        return show_section(section, request)
    from . import concept_learners

    learner: ConceptLearner = concept_learners.learner_of(model, checkpoint)
    examples = concept_learners.examples_of(learner, data, request.part, "", request.programs)[: request.limit]
    report = concept_learners.evaluated(learner, examples, checkpoint, request.programs, request.batch_size)
    show(report, request)
    return 0


def of_task(request: Request) -> int:
    """A reasoner on the test questions of a task."""
    from tempfile import TemporaryDirectory

    from ..evaluation.evaluator import evaluate
    from ..reasoners.reasoner import FitRequest, reasoner_class
    from ..tasks.task import make_task, task_metrics
    from ..training.budget import Budget

    name, task_name = str(request.reasoner), str(request.task)
    factory, task = reasoner_class(name), make_task(task_name)
    metrics = task_metrics(task)
    if factory.learns and request.weights is None:
        raise output.UsageError(
            f"--reasoner {name} answers by what it has learned: give its --checkpoint FILE, or train it with "
            "`nsreason train` or `nsreason compare --train`"
        )
    with output.step(f"read {request.data}"):
        split = task.load(request.data)
    if split.bad:
        output.note(f"{len(split.bad):,} records cannot be used; the first: {split.bad[0]}")
    with TemporaryDirectory(prefix="nsreason-") as folder:
        checkpoint = None if request.weights is None else Path(request.weights)
        reasoner = factory.build(
            name,
            FitRequest(
                task_name,
                split.train,
                split.valid,
                Path(folder) / "own",
                Budget(examples=1),
                domain=getattr(task, "domain", "clevr"),
                recipes=dict(getattr(task, "recipes", {})),
                checkpoint=checkpoint,
                trust=request.trust,
            ),
        )
        with progress.counted("answering", "questions") as answered:
            report = evaluate(
                reasoner,
                split.test[: request.limit],
                metrics,
                on_error=request.on_error,
                batch_size=request.batch_size,
                out=request.out,
                progress=answered,
                settings={"task": task_name, "data": str(request.data), "reasoner": name},
            )
    return show(report, request)


# --- what is shown -------------------------------------------------------------------------------------------


def show(report: Report, request: Request) -> int:
    """Print a report and write its Markdown; returns the exit code."""
    if request.markdown is not None:
        _write(request.markdown, report.to_markdown())
    if request.as_json:
        output.put_json(report.to_dict())
    else:
        output.console(sys.stderr if request.out == "-" else sys.stdout).print(report.table())
    return 2 if report.bad.count and report.bad.count == report.questions else 0


def show_section(section: Section, request: Request) -> int:
    """The same of what was perceived, where no question was asked."""
    if request.markdown is not None:
        _write(request.markdown, section.to_markdown())
    if request.as_json:
        output.put_json(section.to_dict())
    else:
        output.put_table(section.table())
    return 0


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
