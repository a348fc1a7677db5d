"""`nsreason train`: models from recipes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from . import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from ..recipe import Recipe
    from ..training import TrainingResult

EXAMPLES = (
    "nsreason generate clevr --scenes 40 --out data",
    "nsreason train concept-learner --recipe clevr-state-quick --data data \\\n"
    "    --set training.epochs=2 --out runs/short",
    "nsreason train concept-learner --recipe clevr-state-quick --data data \\\n"
    "    --set training.epochs=2 --out runs/short --resume",
)


Name = Literal[
    "cnn-lstm",
    "cnn-lstm-sa",
    "cnn-mlp",
    "concept-learner",
    "detector",
    "lstm",
    "mlp",
    "question-type",
    "relation-network",
    "scene-parser",
]
_NEURAL = "nsreason.neural_data:NeuralData"
DATA: dict[str, str] = {
    "cnn-lstm": _NEURAL,
    "cnn-lstm-sa": _NEURAL,
    "cnn-mlp": _NEURAL,
    "concept-learner": "nsreason.concept_data:ConceptData",
    "detector": "nsreason.detection_data:DetectionData",
    "lstm": _NEURAL,
    "mlp": _NEURAL,
    "question-type": _NEURAL,
    "relation-network": _NEURAL,
    "scene-parser": "nsreason.scene_parser_data:SceneParserData",
}
"""What each model learns from: the dataclass of a recipe's `[data]`, as `module:Class`. Its `load(model, folder)`
gives a split: `train`, `held_out`, `bad`; and `unit`, what an example is, if it is no question. One with
`settle(config, folder)` completes the model's settings by what is in the folder.
"""


def train(
    model: Annotated[Name, typer.Argument(metavar="MODEL", help=f"What: {', '.join(DATA)}.")],
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME|FILE.toml", help="A recipe of the package, or your own file.")
    ],
    data: Annotated[
        str, typer.Option("--data", metavar="DIR", help="A folder with a file of scenes and one of questions.")
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="The folder of the run.", show_default="runs/<recipe>"),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe; repeat.")
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Begin with a checkpoint's weights; [bold]bundled[/bold]: ours."),
    ] = None,
    resume: Annotated[bool, options.flag("--resume", says="Go on from the folder's last checkpoint.")] = False,
    devices: Annotated[
        int | None, typer.Option("--devices", metavar="N", min=1, help="Devices, instead of the recipe's.")
    ] = None,
    trust: options.Trust = False,
    as_json: options.AsJson = False,
) -> int:
    """Train a model, with checkpoints in the folder of the run.

    The folder gets last.json and best.json (checkpoints, each with its tensors beside it), metrics.csv, recipe.toml
    and run.json. Ctrl-C stops with a checkpoint; --resume goes on from it. --from takes weights alone, of a model with
    the same settings, to learn on from other data.

    Prints what the model reached on the questions that it did not learn from.
    """
    from pathlib import Path

    from ..recipe import load_recipe, new_model
    from ..training import train

    weights = None if begin is None or resume else _weights(model, begin)
    chosen = load_recipe(recipe, overrides=set_ or [], trust=trust)
    if chosen.model != model:
        chosen = _for_model(chosen, model, recipe)
    source = _source(chosen)
    if hasattr(source, "settle"):
        chosen = dataclasses.replace(chosen, model_config=source.settle(chosen.model_config, data))
    made = new_model(chosen)
    if weights is not None:
        _begin(made, model, weights)
    found = source.load(made, data)
    unit = getattr(found, "unit", "questions")
    folder = out or str(Path("runs") / Path(recipe).stem)
    with _progress() as progress:
        result = train(
            made, found.train, found.held_out, chosen, folder, resume=resume, devices=devices, progress=progress
        )
    counts = {"train": len(found.train), "held_out": len(found.held_out), "bad": len(found.bad)}
    _show(result, unit, counts, as_json)
    return 0


def _weights(model: Name, given: str) -> Path:
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


def _begin(made: Any, model: Name, path: Path) -> None:
    """Put the weights of a checkpoint into a new model.

    Raises:
        CheckpointError: it cannot be read, or is of another model.
    """
    from ..checkpoint import load_checkpoint, load_weights
    from ..errors import CheckpointError

    found = load_checkpoint(path)
    if found.model != model:
        raise CheckpointError(f"{found.path}: of the model '{found.model}', not of '{model}'")
    load_weights(made, found)


def _for_model(recipe: Recipe, model: Name, name: str) -> Recipe:
    """A recipe for another model of the same settings.

    Raises:
        UsageError: its settings are of another kind.
    """
    from ..recipe import config_class

    if config_class(model) is not type(recipe.model_config):
        raise output.UsageError(f"the recipe '{name}' is of the model '{recipe.model}', not of '{model}'")
    return dataclasses.replace(recipe, model=model)


def _source(recipe: Recipe) -> Any:
    """The recipe's `[data]`, as what loads it."""
    from importlib import import_module

    from ..recipe import to_dataclass

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


@contextmanager
def _progress() -> Iterator[Any]:
    """A progress bar on a terminal; nothing where standard error goes to a file."""
    if not sys.stderr.isatty():
        yield None
        return
    from ..run_log import progress_bar

    with progress_bar() as progress:
        yield progress
