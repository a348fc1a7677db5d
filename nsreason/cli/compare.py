"""`nsreason compare`: reasoners side by side on the same questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import checks, options, output, progress

if TYPE_CHECKING:
    from ..comparison.results import Comparison

EXAMPLES = (
    "nsreason generate clevr --scenes 100 --out small",
    "nsreason compare --task clevr --data small \\\n    --reasoners exact,exact-parsed --out report",
    "nsreason compare --task clevr --data small --reasoners exact,question-type \\\n"
    "    --train --budget 2000q --sizes 200,800 --out learned",
)

# The tables are in nsreason.reasoners and nsreason.tasks; naming them again keeps `--help` light. A test compares them.
TASKS = "babi, clevr, sort-of-clevr, springs"
REASONERS = (
    "cnn-lstm, cnn-lstm-sa, cnn-mlp, concept-learner, exact, exact-parsed, image-concepts, lstm, mlp, "
    "question-type, relation-network, scene-parser"
)


Task = Annotated[str, typer.Option("--task", metavar="NAME", help=f"What is asked: {TASKS}; or module:Class.")]
Data = Annotated[str, typer.Option("--data", metavar="DIR", help="The task's files.")]
ReasonerNames = Annotated[
    str, typer.Option("--reasoners", metavar="A,B,...", help=f"Who answers: {REASONERS}; or module:Class.")
]
Out = Annotated[str, typer.Option("--out", metavar="DIR", help="The report, what was learned, what was answered.")]
Train = Annotated[bool, options.flag("--train", says="Let those learn that learn, if they have not yet.")]
BudgetText = Annotated[
    str, typer.Option("--budget", metavar="10m", help="Of each, for each size: 90s, 10m, 1h; or 50000q, questions.")
]
Sizes = Annotated[
    str | None,
    typer.Option("--sizes", metavar="N,M,...", help="Training questions, the first N of them.", show_default="all"),
]
Input = Annotated[
    str | None,
    typer.Option("--input", metavar="KIND", help="What networks read: rows or image.", show_default="the usual"),
]
TaskSettings = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="KEY=VALUE", help="A setting of the task, as tasks=[1,2]; repeat."),
]
Within = Annotated[
    list[str] | None,
    typer.Option("--train-within", metavar="FACT=MOST", help="Learn from no more than, as objects=6; repeat."),
]
Recipes = Annotated[
    list[str] | None, typer.Option("--recipe", metavar="WHO=RECIPE", help="Another recipe than the task's; repeat.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change recipes; WHO:KEY=VALUE one; repeat.")
]
Checkpoints = Annotated[
    list[str] | None,
    typer.Option("--checkpoint", metavar="WHO=FILE", help="Take a trained model instead of training; repeat."),
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Test on the first N.")]
ExampleCount = Annotated[
    int, typer.Option("--examples", metavar="N", min=0, help="Questions shown on which reasoners differ.")
]


def compare(
    context: typer.Context,
    task: Task,
    data: Data,
    reasoners: ReasonerNames,
    out: Out,
    train: Train = False,
    budget: BudgetText = "60s",
    sizes: Sizes = None,
    input: Input = None,
    with_: TaskSettings = None,
    within: Within = None,
    recipe: Recipes = None,
    set_: Overrides = None,
    checkpoint: Checkpoints = None,
    limit: Limit = None,
    examples: ExampleCount = 8,
    trust: options.Trust = False,
    device: options.RecipeDevice = None,
    batch_size: options.RecipeBatchSize = None,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> int:
    """Compare reasoners: executors of programs, concept learners, networks without programs.

    Each that learns gets the same budget and the same questions; all are tested on the same ones. The folder gets
    report.html (one page that needs no network), report.md, figures.json and comparison.json (every answer).

    Given again, it goes on where it was stopped; reasoners and sizes may be added. A reasoner that fails is reported,
    and the others go on.

    Exits with 1 when a reasoner failed; the report is written all the same, and names it in its headline.
    """
    from ..training.budget import read_budget

    names = list(dict.fromkeys(name.strip() for name in reasoners.split(",") if name.strip()))
    recipes, checkpoints = _pairs(recipe, "--recipe"), _pairs(checkpoint, "--checkpoint")
    _check(context, task, names, train, recipes, checkpoints, set_ or [], data, out)
    changed = options.set_by(context, KEYS, {"device": device, "batch_size": batch_size}, set_ or [])
    settings: dict[str, Any] = {
        "task_settings": _settings(with_ or []),
        "sizes": [_number(size, "--sizes") for size in (sizes or "").split(",") if size.strip()],
        "budget": read_budget(budget),
        "train": train,
        "seed": seed,
        "input": input,
        "within": {fact: _number(most, "--train-within") for fact, most in _pairs(within, "--train-within").items()},
        "limit": limit,
        "recipes": recipes,
        "checkpoints": checkpoints,
        "overrides": [*(set_ or []), *changed],
        "examples": examples,
        "trust": trust,
    }
    return _print(_run(task, data, names, out, settings), out, as_json)


def _check(
    context: typer.Context,
    task: str,
    names: Sequence[str],
    train: bool,
    recipes: Mapping[str, str],
    checkpoints: Mapping[str, str],
    overrides: Sequence[str],
    data: str,
    out: str,
) -> None:
    """Check names, options and files, before anything that takes long.

    Raises:
        UsageError: a name is not known, or an option would change nothing. DataError, CheckpointError: a file is not
            there.
    """
    from ..registry import REASONERS as KNOWN
    from ..registry import TASKS as KNOWN_TASKS

    checks.one_of(task, KNOWN_TASKS, "task")
    for name in names:
        checks.one_of(name, KNOWN, "reasoner")
    _refuse_idle(context, names, train, (Path(out) / "plan.json").exists(), checkpoints)
    alone = [text.partition(":")[0] for text in overrides if ":" in text.partition("=")[0]]
    _refuse_for({"--recipe": list(recipes), "--set": alone, "--checkpoint": list(checkpoints)})
    for path in checkpoints.values():
        checks.checkpoint(path)
    checks.data(data, "--data")
    checks.new_folder(out, "--out")


def _run(task: str, data: str, names: Sequence[str], out: str, settings: Mapping[str, Any]) -> Comparison:
    """Compare, and write the report beside what was learned."""
    from ..comparison.comparer import compare as run
    from ..io.locks import locked_folder

    with locked_folder(out):
        with progress.comparing() as shown:
            comparison = run(task, data, names, out, progress=shown, **settings)
        write_report(comparison, out)
    return comparison


def _print(comparison: Comparison, out: str, as_json: bool) -> int:
    """Print the outcome; returns the exit code."""
    if as_json:
        from ..comparison.statistics import figures_json

        output.put_json({"folder": out, **figures_json(comparison)})
    else:
        from ..comparison.text import ComparisonTable

        output.put_table(ComparisonTable(comparison))
        output.remark(f"{out}/report.html has plots, agreement and examples")
    if comparison.failed:
        from ..comparison.wording import failures

        output.complain(failures(comparison))
    return 1 if comparison.failed else 0


KEYS = {"device": "training.accelerator", "batch_size": "training.batch_size"}
_LEARN = ("cnn-lstm", "cnn-lstm-sa", "cnn-mlp", "concept-learner", "lstm", "mlp", "question-type", "relation-network")
_TABLE = REASONERS.split(", ")
_NETWORKS = tuple(name for name in _LEARN if name != "concept-learner")


def _refuse_idle(
    context: typer.Context, names: Sequence[str], train: bool, begun: bool, checkpoints: Mapping[str, str]
) -> None:
    """Refuse options that would change nothing.

    Raises:
        UsageError: one is given.
    """
    who = ", ".join(names)
    learn = [name for name in names if (name in _LEARN or ":" in name) and name not in checkpoints]
    if not learn:
        idle = ("sizes", "train", "recipe", "set_", "device", "batch_size", *(() if checkpoints else ("trust",)))
        options.refuse(context, idle, f"is for reasoners that learn; none of --reasoners does: {who}")
    if begun:  # a folder is taken up again by what it began with
        return
    if not learn:
        options.refuse(
            context, ("budget", "within", "seed"), f"is for reasoners that learn; none of --reasoners does: {who}"
        )
    if not train:
        options.refuse(context, ("budget",), "is of --train, which is not given")
    if not any(name in _NETWORKS or ":" in name for name in names):
        options.refuse(context, ("input",), f"is for networks; none of --reasoners is one: {who}")


def _refuse_for(given: Mapping[str, Sequence[str]]) -> None:
    """Refuse what is given for a reasoner that has no use for it.

    Args:
        given: option -> the reasoners that it names.

    Raises:
        UsageError: one has none.
    """
    for option, names in given.items():
        uses = _LEARN if option != "--checkpoint" else (*_LEARN, "scene-parser", "image-concepts")
        for name in names:
            if name in _TABLE and name not in uses:
                message = f"{option} of '{name}' would change nothing: of --reasoners, it learns nothing by it"
                raise output.UsageError(message)


def write_report(comparison: Comparison, out: str | Path) -> None:
    """Write report.html, report.md and figures.json into a comparison's folder.

    Raises:
        DataError: one cannot be written.
    """
    from ..comparison.html import page
    from ..comparison.statistics import figures_json
    from ..comparison.text import to_markdown
    from ..io.files import write_json, write_text

    write_text(Path(out) / "report.md", to_markdown(comparison))
    write_text(Path(out) / "report.html", page(comparison))
    write_json(Path(out) / "figures.json", figures_json(comparison))


def _pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """`name=value` texts."""
    pairs: dict[str, str] = {}
    for text in given or []:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (equals and name and value):
            raise output.UsageError(f"{option} is as NAME=VALUE; got '{text}'")
        pairs[name] = value
    return pairs


def _settings(given: Sequence[str]) -> dict[str, Any]:
    """Settings of a task, written as in TOML; the quotes of a text may be left out."""
    from ..training.overrides import toml_value

    return {name: toml_value(value) for name, value in _pairs(given, "--with").items()}


def _number(text: str, option: str) -> int:
    number = text.strip().replace("_", "")
    if not number.isdecimal():
        raise output.UsageError(f"{option}: a whole number is expected, got '{text.strip()}'")
    return int(number)
