"""`nsreason train`: models from recipes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from ..registry import MODELS
from . import checks, options, output, progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..errors import NsreasonError
    from ..training.model import ExampleSplit
    from ..training.run_log import Status
    from ..training.runner import TrainingRun

EXAMPLES = (
    "nsreason generate clevr --scenes 40 --out data",
    "nsreason train concept-learner --recipe clevr-state-quick --data data \\\n"
    "    --set training.epochs=2 --out runs/short",
    "nsreason train concept-learner --recipe clevr-state-quick --data data \\\n"
    "    --set training.epochs=2 --out runs/short --resume",
)


Recipe_ = Annotated[
    str, typer.Option("--recipe", metavar="NAME|FILE.toml", help="One of `nsreason recipes`, or your own file.")
]
Data = Annotated[
    str, typer.Option("--data", metavar="DIR[,DIR]", help="The folder of the data; see above what is to be in it.")
]
Out = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="The folder of the run.", show_default="runs/<recipe>")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe; repeat.")
]
Begin = Annotated[
    str | None, typer.Option("--from", metavar="FILE", help="Begin with a checkpoint's weights, to learn on from them.")
]
BeginBundled = Annotated[
    str | None,
    typer.Option("--from", metavar="FILE|bundled", help="Begin with a checkpoint's weights, or the package's own."),
]
Resume = Annotated[bool, options.flag("--resume", says="Go on from the folder's last checkpoint, if there is one.")]
Devices = Annotated[
    int | None,
    typer.Option(
        "--devices", metavar="N", min=1, help="Processes, each with a device of its own.", show_default="the recipe's"
    ),
]

_QUESTIONS = "a file of scenes and one of questions, as `nsreason generate clevr` writes them"
_IMAGES = "images/ and instances.json, as `nsreason generate clevr --images` writes them"
_SEEN = "images/ and scenes whose objects have masks, as `nsreason generate clevr --images` writes them"
_TASK = "the files of the recipe's task: CLEVR's, bAbI's, or what `nsreason generate` writes"
ABOUT: dict[str, tuple[str, str]] = {
    "cnn-lstm": ("the mean of the objects, and the question: CNN+LSTM", _TASK),
    "cnn-lstm-sa": ("stacked attention on the objects: CNN+LSTM+SA", _TASK),
    "cnn-mlp": ("all objects side by side, in layers as those of the relation network: CNN+MLP", _TASK),
    "concept-learner": ("concepts and relations, from questions, programs and answers (NS-CL)", _QUESTIONS),
    "detector": ("a Mask R-CNN that finds the objects of images", _IMAGES),
    "lstm": ("the question alone", _TASK),
    "mlp": ("all objects side by side, with as many parameters as the relation network", _TASK),
    "question-type": ("the most frequent answer to questions of the type", _TASK),
    "relation-network": ("pairs of objects: CNN+LSTM+RN (Santoro et al., 2017)", _TASK),
    "scene-parser": ("what each object of an image is, and where it stands (NS-VQA)", _SEEN),
}
"""What each model is, and what is in the folder that it learns from."""


def train() -> None:
    """Train a model by a recipe, with checkpoints in the folder of the run.

    Each model has a page of its own: `nsreason train MODEL --help`. `nsreason recipes` lists the recipes, with the data
    that they need, what they reached and in what time; `nsreason models` the models.
    """


def command_of(model: str) -> Callable[..., int]:
    """The command that trains a model: all have the same options, but for what `--from` may name."""
    kind, folder = ABOUT.get(model, ("a model of one's own", "what its class reads"))

    def command(
        context: typer.Context,
        recipe: Recipe_,
        data: Data,
        out: Out = None,
        set_: Set = None,
        begin: Begin = None,
        resume: Resume = False,
        device: options.RecipeDevice = None,
        devices: Devices = None,
        batch_size: options.RecipeBatchSize = None,
        seed: options.RecipeSeed = None,
        trust: options.Trust = False,
        quiet: options.Quiet = False,
        verbose: options.Verbose = False,
        as_json: options.AsJson = False,
    ) -> int:
        values = {"device": device, "devices": devices, "batch_size": batch_size, "seed": seed}
        overrides = [*(set_ or []), *options.set_by(context, KEYS, values, set_ or [])]
        if not recipe.endswith(".toml"):
            options.refuse(context, ("trust",), f"is of a recipe in a run's folder; --recipe {recipe} is the package's")
        return _train(model, recipe, data, out, overrides, begin, resume, trust, as_json)

    if model in get_args(checks.Bundled):
        command.__annotations__["begin"] = BeginBundled
    article = "an" if model in ("lstm", "mlp") else "a"
    command.__doc__ = f"""Train {article} {model}: {kind}.

    Learns from {folder}. `nsreason recipes` has the recipes for it.

    The folder of the run gets last.safetensors and best.safetensors (checkpoints), metrics.csv, recipe.toml and
    run.json. Ctrl-C stops with a checkpoint; --resume goes on from it, and begins where there is none.
    --from takes weights alone, of a model with the same settings, to learn on from other data; a run that is resumed
    has its own.

    Prints what the model reached on what it did not learn from.
    """
    return command


KEYS = {
    "device": "training.accelerator",
    "devices": "training.devices",
    "batch_size": "training.batch_size",
    "seed": "training.seed",
}
"""Options that stand for keys of a recipe."""


def _train(
    model: str,
    recipe: str,
    data: str,
    out: str | None,
    overrides: list[str],
    begin: str | None,
    resume: bool,
    trust: bool,
    as_json: bool,
) -> int:
    from pathlib import Path

    folder = out or str(Path("runs") / Path(recipe).stem)
    _check(model, recipe, data, folder, overrides, begin)
    first = _first_process()
    if not first:  # each further process runs this very command; one of them tells
        output.level.quiet = True
    from ..training.runner import run

    began = perf_counter()
    with contextlib.ExitStack() as stack:
        bar: Callable[[Any], None] | None = None

        def loaded(split: ExampleSplit) -> None:
            nonlocal bar
            if output.level.verbose:
                output.note(f"read {data}, {perf_counter() - began:.2f} s")
            if first:
                _note_left_out(split.bad, split.unit)
            bar = stack.enter_context(progress.training())

        def step(status: Status) -> None:
            if bar is not None:
                bar(status)

        result = run(
            recipe,
            data,
            folder,
            model=model,
            overrides=overrides,
            trust=trust,
            begin=None if begin is None else _weights(model, begin),
            resume=resume,
            loaded=loaded,
            progress=step,
        )
    if first:
        _show(result, as_json)
    return 0


def _note_left_out(bad: Sequence[NsreasonError], unit: str, most: int = 3) -> None:
    """Name the first of what cannot be learned from; training goes on without it."""
    for error in bad[:most]:
        output.note(f"left out: {error}")
    if len(bad) > most:
        output.note(f"left out: {len(bad) - most:,} more of the {unit}")


def _check(model: str, recipe: str, data: str, folder: str, overrides: list[str], begin: str | None) -> None:
    """What can be said of the arguments before torch is loaded.

    Raises:
        NsreasonError: a file or folder is not there, or the recipe is of another model or not valid.
    """
    from ..io.settings import to_dataclass
    from ..training.overrides import set_pairs
    from ..training.recipe import read_table
    from ..training.settings import Training

    table, source = read_table(recipe)
    of = table.get("model")
    if of != model and not any(":" in str(name) for name in (of, model)) and _module(of) != _module(model):
        raise output.UsageError(f"the recipe '{recipe}' is of the model '{of}', not of '{model}'")
    set_pairs(overrides)
    training = table.get("training", {})
    if isinstance(training, dict):
        to_dataclass(training, Training, f"{source}: training")
    if begin is not None:
        checks.weights_for(model, begin)
    checks.new_folder(folder, "--out")
    checks.data(data, "--data")


def _module(model: object) -> str:
    """The module of a model of the table: those of one module have the same settings, and so the same recipes."""
    return MODELS.get(str(model), "").partition(":")[0]


def _first_process() -> bool:
    """Whether this is the only process of a run, or the one that tells: others are started by torchrun or Fabric."""
    numbers = ("RANK",) if "RANK" in os.environ else ("LOCAL_RANK", "NODE_RANK")
    return all(os.environ.get(name, "0") in ("", "0") for name in numbers)


def _weights(model: str, given: str) -> Path:
    """The checkpoint that `--from` names.

    Raises:
        UsageError: no weights of the model come with the package. CheckpointError: this copy lacks them.
    """
    from pathlib import Path

    from ..perception.bundled import Bundled, bundled

    if given != "bundled":
        return Path(given)
    for name in get_args(Bundled):
        if name == model:
            return bundled(name)
    known = ", ".join(get_args(Bundled))
    raise output.UsageError(f"no weights of the model '{model}' are bundled, only of {known}; name a checkpoint's file")


def _show(result: TrainingRun, as_json: bool) -> None:
    metrics = {k.removeprefix("val/"): v for k, v in result.metrics.items() if k.startswith("val/")}
    split, unit = result.split, result.split.unit
    counts = {"train": len(split.train), "held_out": len(split.valid), "bad": len(split.bad)}
    record: dict[str, object] = {
        "folder": str(result.folder),
        "stopped": result.stopped,
        "epochs": result.epochs,
        "steps": result.steps,
        "seconds": round(result.seconds, 1),
        unit: counts,
        "metrics": metrics,
        "best": result.best,
    }
    if as_json:
        output.put_json(record)
        return
    trained, held_out, bad = counts.values()
    lines = [f"{'run':<10}{result.folder}, {result.epochs} epochs in {result.seconds:.0f} s, {result.stopped}"]
    lines.append(f"{unit:<10}{trained:,} to learn from, {held_out:,} held out, {bad:,} not usable")
    shares = {k: v for k, v in metrics.items() if not k.startswith("loss") and v == v}
    lines += [f"{k:<30}{100 * float(v):6.2f} %" for k, v in shares.items()]
    output.put("\n".join(lines))


def own_command(model: str) -> tuple[Callable[..., int], tuple[str, ...]]:
    """The command that trains a model of one's own, given as `module:Class`, and its examples."""
    return command_of(model), (f"nsreason train {model} --recipe own.toml --data data",)


COMMANDS = {
    model: (
        command_of(model),
        (
            "nsreason recipes  # which there are, for which data",
            f"nsreason train {model} --recipe {recipe} \\\n    --data {folder}",
        ),
    )
    for model, (recipe, folder) in {
        "cnn-lstm": ("rn-clevr-state-cpu", "data"),
        "cnn-lstm-sa": ("rn-clevr-state-cpu", "data"),
        "cnn-mlp": ("rn-clevr-state-cpu", "data"),
        "concept-learner": ("clevr-state-quick", "data"),
        "detector": ("detector-small", "rendered"),
        "lstm": ("rn-clevr-state-cpu", "data"),
        "mlp": ("rn-clevr-state-cpu", "data"),
        "question-type": ("rn-clevr-state-cpu", "data"),
        "relation-network": ("rn-clevr-state-cpu", "data"),
        "scene-parser": ("scene-parser", "rendered"),
    }.items()
}
