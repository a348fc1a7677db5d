"""`nsreason evaluate`: questions of a file or a task, answered and scored; models of perception against annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import checks, image_inputs, options, output

if TYPE_CHECKING:
    from ..training.checkpoint_file import Head

# nsreason.evaluation has these; naming them here again keeps `--help` from importing it. A test compares them.
Programs = Literal["given", "parsed"]
OnError = Literal["answer", "skip", "raise"]
Part = Literal["all", "held-out"]

EXAMPLES = (
    "nsreason demo  # writes the files of these examples",
    "nsreason evaluate --questions demo/questions.json --scenes demo/scene.json",
    "nsreason evaluate --questions demo/questions.json --scenes demo/scene.json \\\n"
    "    --programs parsed --jobs 2 --out predictions.jsonl --markdown report.md",
    "nsreason generate clevr --scenes 2 --images --out few",
    "nsreason evaluate --questions few/questions.json --images few/images \\\n    --scenes few/scenes.json",
    "nsreason evaluate --task clevr --data few --reasoner exact-parsed",
)

CheckpointArgument = Annotated[
    str | None, typer.Argument(metavar="[CHECKPOINT]", help="A trained model that is to answer, by --data DIR.")
]
Questions = Annotated[
    str | None, typer.Option("--questions", metavar="FILE", help="Questions: JSON as CLEVR's, or JSON lines; .gz too.")
]
Scenes = Annotated[
    str | None, typer.Option("--scenes", metavar="FILE", help="Their scenes: JSON as CLEVR's, or JSON lines; .gz too.")
]
Data = Annotated[
    str | None, typer.Option("--data", metavar="DIR", help="For a CHECKPOINT or a --task: the folder of its data.")
]
TaskName = Annotated[
    str | None, typer.Option("--task", metavar="NAME", help="A task, as of `compare`; or your own, module:Class.")
]
ReasonerName = Annotated[
    str | None,
    typer.Option("--reasoner", metavar="NAME", help="Who answers a --task, as of `compare`; or module:Class."),
]
Images = Annotated[
    str | None,
    typer.Option("--images", metavar="DIR", help="Answer from the pixels of these images, named in the questions."),
]
Weights = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="FILE", help="For --images or --task: a trained model that is to answer."),
]
PartOf = Annotated[
    Part, typer.Option("--part", help="Of --data or --images: all, or the last tenth, which training holds out.")
]
WithPrograms = Annotated[
    Programs, typer.Option("--programs", help="Run the file's programs, or those that the texts parse to.")
]
WhenUnanswered = Annotated[
    OnError, typer.Option("--on-error", help="A question without an exact answer: guess, leave it out, or stop.")
]
Out = Annotated[
    str | None, typer.Option("--out", metavar="FILE.jsonl", help="Write predictions, a line a question; - is stdout.")
]
Resume = Annotated[bool, options.flag("--resume", says="Go on where an interrupted run with the same --out stopped.")]
Limit = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=0, help="Only the first questions; of what answers none, images."),
]
Markdown = Annotated[
    str | None, typer.Option("--markdown", metavar="FILE.md", help="Write the report as Markdown, too.")
]


@dataclass(frozen=True)
class Request(options.CommandRequest):
    """What the command line says."""

    checkpoint: str | None
    questions: str | None
    scenes: str | None
    data: str | None
    task: str | None
    reasoner: str | None
    images: str | None
    by: image_inputs.By | None
    weights: str | None
    detector: str | None
    detections: str | None
    part: Part
    programs: Programs
    parser: str
    on_error: OnError
    jobs: int
    device: options.DeviceName
    batch_size: int | None
    out: str | None
    resume: bool
    limit: int | None
    markdown: str | None
    trust: bool
    domain: str
    as_json: bool

    @property
    def source(self) -> str:
        """Where programs come from: `given`, `parsed`, or another parser's name."""
        return self.parser if self.programs == "parsed" and self.parser != "grammar" else self.programs


def evaluate(
    context: typer.Context,
    checkpoint: CheckpointArgument = None,
    questions: Questions = None,
    scenes: Scenes = None,
    data: Data = None,
    task: TaskName = None,
    reasoner: ReasonerName = None,
    images: Images = None,
    by: image_inputs.WithBy = None,
    weights: Weights = None,
    detector: image_inputs.Detector = None,
    detections: image_inputs.Detections = None,
    part: PartOf = "all",
    programs: WithPrograms = "given",
    parser: options.ParserName = "grammar",
    on_error: WhenUnanswered = "answer",
    jobs: options.Jobs = 1,
    device: options.Device = "cpu",
    batch_size: options.BatchSize = None,
    out: Out = None,
    resume: Resume = False,
    limit: Limit = None,
    markdown: Markdown = None,
    trust: options.Trust = False,
    domain: options.Domain = "clevr",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> int:
    """Answer and score every question of a file, or of a task.

    Each question is asked of its own scene. The report has accuracy by type of question with 95 % intervals; with
    --programs parsed also how many programs are equivalent to the file's; and every kind of failure with examples.
    Records that are not valid are counted, never scored.

    With --images the questions are answered from pixels: a detector finds the objects, --by says what sees them. With
    --scenes too, what was seen is compared with what is annotated, so that it shows which step failed.

    With a checkpoint the programs run on what the model sees in the scenes; the report is then followed by what it
    has learned of each concept, and how well its degrees are calibrated. Of a scene parser, what it sees is compared
    with the annotations; of a detector, what it finds.

    With --task and --reasoner any reasoner answers the test questions of any task, scored by the task's metrics.

    Exits with 2 when no record could be used, and with 1 when --on-error raise met a question without an answer.
    """
    if markdown is not None:
        checks.output_file(markdown, "--markdown")
    return _evaluated(Request.of(context))


def _evaluated(request: Request) -> int:
    """Check the request and run the evaluation of its kind."""
    from . import evaluations

    if request.task is not None or request.reasoner is not None:
        check_task(request)
        return evaluations.of_task(request)
    if request.checkpoint is not None:
        check_checkpoint(request)
        return evaluations.of_checkpoint(request)
    check_files(request)
    if request.images is not None:
        check_images(request)
        return evaluations.of_images(request)
    if request.resume and request.out in (None, "-"):
        raise output.UsageError("--resume needs the --out FILE of the interrupted run")
    return evaluations.of_files(request)


# --- what does not go together, found before anything is read -------------------------------------------------

_FILES = ("questions", "scenes", "out", "resume", "jobs", "on_error")
_IMAGES = ("images", "by", "weights", "detector", "detections", "parser")
_TASK_HAS_NO = (
    "questions",
    "scenes",
    "images",
    "by",
    "detector",
    "detections",
    "part",
    "programs",
    "parser",
    "jobs",
    "resume",
)


def check_task(request: Request) -> None:
    """Check --task and --reasoner, which belong together.

    Raises:
        UsageError: one is missing, there is no such one, or another option has no effect beside them.
    """
    from ..registry import REASONERS, TASKS

    for name, given in (("--task", request.task), ("--reasoner", request.reasoner), ("--data", request.data)):
        if given is None:
            raise output.UsageError(f"missing {name}: a task is evaluated by --task, --data and --reasoner")
    if request.checkpoint is not None:
        raise output.UsageError("a CHECKPOINT argument does not go with --task; give it by --checkpoint")
    options.refuse(request.context, (*_TASK_HAS_NO, "domain", "device"), "does not go with --task")
    checks.one_of(str(request.task), TASKS, "task")
    checks.one_of(str(request.reasoner), REASONERS, "reasoner")
    checks.data(str(request.data), "--data")
    if request.weights is None:
        options.refuse(request.context, ("trust",), "is of --checkpoint, which is not given")
    else:
        checks.checkpoint(request.weights)
    checks.output_file(request.out, "--out")
    _one_output(request)


def check_checkpoint(request: Request) -> None:
    """Check what stands beside a CHECKPOINT argument.

    Raises:
        UsageError: another option has no effect beside it. CheckpointError: there is none, or of another model.
    """
    context, data = request.context, request.data
    options.refuse(context, _FILES + _IMAGES, "does not go with a CHECKPOINT argument, which takes --data DIR")
    if data is None:
        raise output.UsageError("a checkpoint needs --data DIR")
    head = checks.checkpoint(str(request.checkpoint), "concept-learner", "scene-parser", "detector")
    if head.model in ("scene-parser", "detector"):
        options.refuse(context, ("programs",), f"does not go with a {head.model}: it answers no questions")
    if head.model == "scene-parser":
        options.refuse(context, ("batch_size",), "does not go with a scene-parser, which takes them image by image")
    checks.folder(data, "--data")
    if request.own_domain is not None:
        checks.same_domain(request.own_domain, head, "the checkpoint")


def check_files(request: Request) -> None:
    """Check the files of questions, scenes and detections, and options that do not go with them.

    Raises:
        UsageError: one is missing, or an option has no effect. DataError: there is no such file.
    """
    from ..registry import PARSERS

    context = request.context
    options.refuse(context, ("data",), "is for a CHECKPOINT argument or a --task, neither of which is given")
    if request.questions is None:
        raise output.UsageError("missing --questions FILE")
    if request.images is None and request.scenes is None:
        raise output.UsageError("missing --scenes FILE")
    _one_output(request)
    if request.programs == "given":
        options.refuse(context, ("parser",), "is for --programs parsed, which is not given")
    checks.one_of(request.parser, PARSERS, "parser")
    if request.images is not None:
        options.refuse(context, ("resume", "jobs"), "does not go with --images: images are looked at in one process")
        if request.detections is not None:
            options.refuse(context, ("detector",), "does not go with --detections: they stand in a detector's place")
        if request.weights is None and request.detector is None:
            options.refuse(context, ("trust",), "is of --checkpoint or --detector, neither of which is given")
    else:
        options.refuse(context, ("trust",), "is for --images or a CHECKPOINT argument")
        options.refuse(context, ("by", "weights", "detector", "detections"), "is for --images, which is not given")
        options.refuse(context, ("part", "device", "batch_size"), "is for --images or a CHECKPOINT argument")
    for path in (request.questions, request.detections):
        if path is not None:
            checks.file(path)
    if request.scenes is not None:
        checks.scenes(request.scenes)
    checks.output_file(request.out, "--out")


def check_images(request: Request) -> Head:
    """Check the folder of images and the checkpoints that are to see them."""
    checks.folder(str(request.images), "--images")
    head = checks.looking(request.by, request.weights, request.detector)
    if head.model == "concept-learner":
        why = "does not go with a concept learner: it always has an answer"
        options.refuse(request.context, ("on_error",), why)
    checks.domain_of(request.own_domain, head, "--images")
    return head


def _one_output(request: Request) -> None:
    if request.out == "-" and request.as_json:
        raise output.UsageError("--out - and --json both write to standard output")
