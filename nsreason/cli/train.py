"""`nsreason train`: models from recipes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from . import checks, options, output, progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..errors import NsreasonError
    from ..training.recipe import Recipe
    from ..training.trainer import TrainingResult

EXAMPLES = (
    "nsreason generate clevr --scenes 40 --out data",
    "nsreason train concept-learner --recipe clevr-state-quick --data data \\\n"
    "    --set training.epochs=2 --out runs/short",
    "nsreason train concept-learner --recipe clevr-state-quick --data data \\\n"
    "    --set training.epochs=2 --out runs/short --resume",
)


_NEURAL = "nsreason.models.answer_networks.data:AnswerNetworkData"
DATA: dict[str, str] = {
    "cnn-lstm": _NEURAL,
    "cnn-lstm-sa": _NEURAL,
    "cnn-mlp": _NEURAL,
    "concept-learner": "nsreason.models.nscl.data:ConceptData",
    "detector": "nsreason.perception.detector.data:DetectionData",
    "lstm": _NEURAL,
    "mlp": _NEURAL,
    "question-type": _NEURAL,
    "relation-network": _NEURAL,
    "scene-parser": "nsreason.perception.scene_parser.data:SceneParserData",
}
"""What each model learns from: the dataclass of a recipe's `[data]`, as `module:Class`. Its `load(model, folder)`
gives a split: `train`, `held_out`, `bad`; and `unit`, what an example is, if it is no question. One with
`settle(config, folder)` completes the model's settings by what is in the folder.
"""


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
    kind, folder = ABOUT[model]

    def run(
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
        run.__annotations__["begin"] = BeginBundled
    article = "an" if model in ("lstm", "mlp") else "a"
    run.__doc__ = f"""Train {article} {model}: {kind}.

    Learns from {folder}. `nsreason recipes` has the recipes for it.

    The folder of the run gets last.safetensors and best.safetensors (checkpoints), metrics.csv, recipe.toml and
    run.json. Ctrl-C stops with a checkpoint; --resume goes on from it, and begins where there is none.
    --from takes weights alone, of a model with the same settings, to learn on from other data; a run that is resumed
    has its own.

    Prints what the model reached on what it did not learn from.
    """
    return run


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
    from ..training.recipe import load_recipe, new_model
    from ..training.trainer import train

    weights = None if begin is None else _weights(model, begin)
    if resume and (Path(folder) / "last.safetensors").exists():
        weights = None
    chosen = load_recipe(recipe, overrides=overrides, trust=trust)
    if chosen.model != model:
        chosen = _for_model(chosen, model, recipe)
    source = _source(chosen)
    if hasattr(source, "settle"):
        chosen = dataclasses.replace(chosen, model_config=source.settle(chosen.model_config, data))
    made = new_model(chosen)
    if weights is not None:
        _begin(made, model, weights)
    with output.step(f"read {data}"):
        found = source.load(made, data)
    unit = getattr(found, "unit", "questions")
    if first:
        _note_left_out(found.bad, unit)
    with progress.training() as told:
        result = train(made, found.train, found.valid, chosen, folder, resume=resume, progress=told)
    counts = {"train": len(found.train), "held_out": len(found.valid), "bad": len(found.bad)}
    if first:
        _show(result, unit, counts, as_json)
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
    from ..training.recipe import Training, read_table, set_pairs

    table, source = read_table(recipe)
    of = table.get("model")
    if of != model and ":" not in str(of) and DATA.get(str(of)) != DATA[model]:
        raise output.UsageError(f"the recipe '{recipe}' is of the model '{of}', not of '{model}'")
    set_pairs(overrides)
    training = table.get("training", {})
    if isinstance(training, dict):
        to_dataclass(training, Training, f"{source}: training")
    if begin is not None:
        checks.weights_for(model, begin)
    checks.new_folder(folder, "--out")
    checks.data(data, "--data")


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


def _begin(made: Any, model: str, path: Path) -> None:
    """Put the weights of a checkpoint into a new model.

    Raises:
        CheckpointError: it cannot be read, or is of another model.
    """
    from ..errors import CheckpointError
    from ..training.checkpoint import load_checkpoint, load_weights

    found = load_checkpoint(path)
    if found.model != model:
        raise CheckpointError(f"{found.path}: of the model '{found.model}', not of '{model}'")
    load_weights(made, found)


def _for_model(recipe: Recipe, model: str, name: str) -> Recipe:
    """A recipe for another model of the same settings.

    Raises:
        UsageError: its settings are of another kind.
    """
    from ..training.recipe import config_class

    if config_class(model) is not type(recipe.model_config):
        raise output.UsageError(f"the recipe '{name}' is of the model '{recipe.model}', not of '{model}'")
    return dataclasses.replace(recipe, model=model)


def _source(recipe: Recipe) -> Any:
    """The recipe's `[data]`, as what loads it."""
    from importlib import import_module

    from ..io.settings import to_dataclass

    module, _, name = DATA[recipe.model].partition(":")
    return to_dataclass(recipe.data, getattr(import_module(module), name), "data")


def _show(result: TrainingResult, unit: str, counts: dict[str, int], as_json: bool) -> None:
    told = {k.removeprefix("val/"): v for k, v in result.metrics.items() if k.startswith("val/")}
    record: dict[str, object] = {
        "folder": str(result.folder),
        "stopped": result.stopped,
        "epochs": result.epochs,
        "steps": result.steps,
        "seconds": round(result.seconds, 1),
        unit: counts,
        "metrics": told,
        "best": result.best,
    }
    if as_json:
        output.put_json(record)
        return
    trained, held_out, bad = counts.values()
    lines = [f"{'run':<10}{result.folder}, {result.epochs} epochs in {result.seconds:.0f} s, {result.stopped}"]
    lines.append(f"{unit:<10}{trained:,} to learn from, {held_out:,} held out, {bad:,} not usable")
    shares = {k: v for k, v in told.items() if not k.startswith("loss") and v == v}
    lines += [f"{k:<30}{100 * float(v):6.2f} %" for k, v in shares.items()]
    output.put("\n".join(lines))


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
