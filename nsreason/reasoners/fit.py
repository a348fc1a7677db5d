"""Learning within a budget: as many epochs as a time, or a number of examples, allows.

    model, learned = learn(recipe, request, train_data, valid_data)

The budget is made a number of epochs before training begins, so that schedules and curricula come to their end within
it. Where it is a time, a few steps of a run that is thrown away are timed. What was decided stands in the folder, as
`fit.json`: a run that is taken up anew goes on with it, and one that has ended is not trained any further.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import msgspec
import torch

from ..errors import CheckpointError, DataError, RecipeError, TrainingError
from ..io.decoding import Count, Seconds, check_plain, decode_file
from ..io.files import write_json
from ..queries.query import digest
from ..training.budget import Budget
from ..training.checkpoint import load_checkpoint, load_weights
from ..training.checkpoint_checks import check_recipe, differences
from ..training.curriculum import Curriculum
from ..training.devices import resolved
from ..training.model import model_class
from ..training.random_state import random_state, set_random_state
from ..training.recipe import Recipe, named_in, new_model, read_recipe
from ..training.run_log import Status
from ..training.sampling import EpochPlan
from ..training.trainer import Stopped, TrainingResult, train
from .reasoner import FitRequest

_TIMED = 6  # steps of an epoch that is timed
_TIMING = 10.0  # seconds that timing takes at the most
_MARGIN = 0.95  # of the time is planned for
_LONGER = 20  # times as many epochs as without a curriculum, at the most
_CHECK = 0.3  # what a question costs in validation, where learning from it costs 1
_CHECKS = 20  # validations, if they cost less than
_CHECKING = 0.1  # of all learning
_WARMING = 10  # the part of all steps that the learning rate may take to grow: one in so many


@dataclass(frozen=True)
class Learned:
    """What a training run came to, for reports.

    Attributes:
        examples: that were learned from, each counted whenever it was seen.
    """

    recipe: Recipe
    result: TrainingResult
    examples: int


def learn(
    recipe: Recipe, request: FitRequest, train_data: Sequence[Any], valid_data: Sequence[Any]
) -> tuple[Any, Learned]:
    """Train the recipe's model within the request's budget, in its folder, or go on with what was begun there.

    The weights are those of the best accuracy in validation, or the last ones where nothing is to be validated on.

    Args:
        train_data: examples as the model takes them, made of `request.train`; `valid_data` likewise.

    Raises:
        TrainingError, DataError: nothing can be learned from what there is.
        CheckpointError: what was begun in the folder is damaged, or was another request.
    """
    if not train_data:
        raise DataError("there is no question to learn from")
    record = request.folder / "fit.json"
    asked = {
        "model": recipe.model,
        "budget": {k: v for k, v in asdict(request.budget).items() if v is not None},
        "train": {"examples": len(train_data), "checksum": digest(request.train)},
        "valid": {"examples": len(valid_data), "checksum": digest(request.valid)},
        "recipe": recipe.to_dict(),
    }
    begun = _begun(record, asked)
    if begun is None:
        recipe = replace(recipe, training=resolved(recipe.training))  # once, for what is timed and what is trained
        planned = within_budget(recipe, request.budget, train_data, len(valid_data))
        if valid_data:
            planned = replace(planned, training=replace(planned.training, monitor="accuracy", mode="max"))
        request.folder.mkdir(parents=True, exist_ok=True)
        begun = _Record(asked, planned.to_dict())
        _write(record, begun)
    planned = read_recipe(begun.planned)
    model, plan = new_model(planned), EpochPlan(train_data, planned)
    if begun.result is not None:
        result = begun.result.of(request.folder)
        if result.epochs > planned.training.epochs or result.steps > plan.steps:
            counted = f"{result.epochs} epochs in {result.steps} steps"
            raise CheckpointError(f"{record}: damaged: {counted} of a run of {plan.steps}; {_REMEDY}")
    else:
        if planned.training.precision != "auto":
            resolved(planned.training, recorded=planned.training.precision)  # on another machine, perhaps
        result = train(model, train_data, valid_data, planned, request.folder, resume=True, progress=request.progress)
        begun.result = _Result(*(getattr(result, name) for name in _Result.__struct_fields__))
        _write(record, begun)
    best = request.folder / "best.safetensors"
    checkpoint = load_checkpoint(best if best.exists() else request.folder / "last.safetensors")
    check_recipe(checkpoint, planned.to_dict())
    load_weights(model, checkpoint)
    return model.eval(), Learned(planned, result, _seen(plan, result, planned))


_REMEDY = "remove the folder to begin anew"


class _Result(msgspec.Struct):
    """A `TrainingResult` without its folder. JSON has no NaN: a metric that is none stands as null."""

    stopped: Stopped
    epochs: Count
    steps: Count
    seconds: Seconds
    metrics: dict[str, int | float | None]
    best: float | None

    def of(self, folder: Path) -> TrainingResult:
        metrics = {name: math.nan if value is None else value for name, value in self.metrics.items()}
        return TrainingResult(folder, self.stopped, self.epochs, self.steps, self.seconds, metrics, self.best)


class _Record(msgspec.Struct, omit_defaults=True):
    """fit.json: what was to be learned, the recipe that was made of it, and how its run ended."""

    request: dict[str, Any]
    planned: dict[str, Any]
    result: _Result | None = None

    def __post_init__(self) -> None:
        check_plain(self.request, "request")


def _begun(record: Path, request: dict[str, Any]) -> _Record | None:
    """What was begun in the folder, if it is this request; None where nothing was."""
    if not record.exists():
        if (record.parent / "last.safetensors").exists():
            raise CheckpointError(f"{record.parent} holds a training run that was no request; give another folder")
        return None
    begun = decode_file(record, _Record, what="the record of a request", remedy=_REMEDY, error=CheckpointError)
    differing = differences(begun.request, msgspec.to_builtins(request))
    # A budget changes how long is trained. What is trained, and so which module is imported, is the caller's.
    recipe = msgspec.to_builtins(request["recipe"])
    for key in ("model", "model_config", "data"):
        differing += differences(begun.planned.get(key), recipe[key], f"planned.{key}")
    for (kind, _, name), (_, _, own) in zip(named_in(begun.planned), named_in(recipe), strict=True):
        differing += differences(name, own, f"planned {kind}")
    try:
        if not differing:
            read_recipe(begun.planned)
    except RecipeError as error:
        raise CheckpointError(f"{record}: damaged ({error}); {_REMEDY}") from None
    if differing:
        raise CheckpointError(f"{record.parent} was begun with another request: {differing[0]}; give another folder")
    return begun


def _write(path: Path, value: Any) -> None:
    write_json(path, value)


def _seen(plan: EpochPlan, result: TrainingResult, recipe: Recipe) -> int:
    """The examples of the run's steps; curricula do not admit all in all epochs."""
    whole = range(1, result.epochs + 1)
    rest = result.steps - sum(map(plan.steps_of, whole))
    seen = sum(len(plan.chosen(epoch)) for epoch in whole)
    if rest > 0:
        size = recipe.training.batch_size * recipe.training.accumulate
        seen += min(rest * size, len(plan.chosen(result.epochs + 1)))
    return seen


# --- the budget ---------------------------------------------------------------------------------------------


def within_budget(recipe: Recipe, budget: Budget, data: Sequence[Any], valid: int = 0) -> Recipe:
    """The recipe with as many epochs as the budget allows, one at least, and no more examples than it can see.

    Args:
        valid: examples to validate on; time is put aside for it, and where it would take more than a tenth of the
            learning it is done less often.

    Raises:
        TrainingError: the recipe has a curriculum, and the examples do not say how hard they are.
    """
    training = recipe.training
    most = min(len(data), training.max_examples or len(data))
    passes = getattr(model_class(recipe.model), "passes", None)
    if budget.examples is not None:
        examples: float = budget.examples
    elif passes is not None:  # it counts, and is done long before
        examples = passes * most
    else:
        assert budget.seconds is not None
        each = seconds_per_example(recipe, data, min(_TIMING, budget.seconds))
        examples = _MARGIN * budget.seconds / each
        examples -= min(examples / 2, max(_CHECKING * examples, _CHECK * valid))
        examples = max(examples, min(training.batch_size, most))
    epochs = max(1, round(examples / most))
    if passes is not None:
        epochs = min(epochs, passes)
    kept = min(most, max(1, math.floor(examples / epochs)))
    curriculum = recipe.curriculum
    if curriculum is not None:
        size = 0 if budget.examples else min(training.batch_size * training.accumulate, kept)
        epochs, curriculum = _filled(curriculum, training.epochs, epochs, data[:kept], examples, size)
    steps = epochs * math.ceil(kept / (training.batch_size * training.accumulate))
    schedule = replace(training.schedule, warmup_steps=min(training.schedule.warmup_steps, steps // _WARMING))
    checks = min(epochs, _CHECKS, max(1, math.floor(_CHECKING * epochs * kept / (_CHECK * max(1, valid)))))
    changed = replace(
        training,
        epochs=epochs,
        seconds=budget.seconds,
        max_examples=None if kept == len(data) else kept,
        schedule=schedule,
        validate_every=math.ceil(epochs / checks) if valid else 0,
    )
    return replace(recipe, training=changed, curriculum=curriculum)


def _filled(
    curriculum: Curriculum, planned: int, epochs: int, data: Sequence[Any], examples: float, size: int
) -> tuple[int, Curriculum | None]:
    """A curriculum that was planned for `planned` epochs in as many as `examples` allow, at least `epochs`: its first
    lessons do not admit all. Those that admit none are left out, and what comes after one begins in its place.

    Args:
        size: of a batch; one that is not full takes as long as half of it. 0 counts examples alone.
    """
    try:
        admitted = [sum(map(request.admits, data)) for request in curriculum.lessons]
    except AttributeError as error:
        raise TrainingError(f"curriculum: the examples do not say how hard they are: {error}") from None
    number = {replace(s, from_epoch=1): n for s, n in zip(curriculum.lessons, admitted, strict=True)}

    def fitted(epochs: int) -> tuple[float, Curriculum | None]:
        lessons = [s for s in curriculum.scaled(epochs, planned).lessons if number[replace(s, from_epoch=1)]]
        if not lessons:
            return float(epochs * len(data)), None
        fitting = Curriculum((replace(lessons[0], from_epoch=1), *lessons[1:]))
        ends = [*(s.from_epoch for s in fitting.lessons[1:]), epochs + 1]
        cost = 0.0
        for request, end in zip(fitting.lessons, ends, strict=True):
            n = number[replace(request, from_epoch=1)]
            cost += (end - request.from_epoch) * max(n, size / 2 * math.ceil(n / max(1, size)))
        return cost, fitting

    most = _LONGER * epochs
    while epochs < most:
        middle = (epochs + most + 1) // 2
        if fitted(middle)[0] <= examples:
            epochs = middle
        else:
            most = middle - 1
    return epochs, fitted(epochs)[1]


def seconds_per_example(recipe: Recipe, data: Sequence[Any], most: float = _TIMING) -> float:
    """How long learning from an example takes, by the clock: a part of the data is trained on for a few epochs, with
    the recipe's batches, precision and device, and what comes of it is thrown away. Random numbers are left alone.

    Without the curriculum: its first epochs may be cheaper.

    Args:
        most: seconds that it may take.
    """
    training = recipe.training
    number = min(len(data), training.max_examples or len(data))
    size = training.batch_size * training.accumulate
    few = min(number, _TIMED * size)
    epochs = max(3, math.ceil(2 * _TIMED / math.ceil(few / size)))
    changed = replace(training, epochs=epochs, max_examples=few, seconds=most, validate_every=0)
    trial = replace(recipe, training=changed, curriculum=None)
    marks: list[tuple[int, float]] = []

    def mark(status: Status) -> None:
        marks.append((status.epoch, perf_counter()))

    device = torch.device("cuda") if torch.cuda.is_available() else None
    state = random_state(device)
    began = perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="nsreason-") as folder:
            train(new_model(trial), data, None, trial, folder, progress=mark)
    finally:
        set_random_state(state, device)
    warm = [m for m in marks if m[0] > 1]
    pairs = list(pairwise(warm if len(warm) > 2 else marks)) or [((0, began), marks[0])]
    inside = [b[1] - a[1] for a, b in pairs if a[0] == b[0]]
    between = [b[1] - a[1] for a, b in pairs if a[0] != b[0]]  # with what an epoch ends with: a checkpoint
    step = median(inside or between)
    last = max(step, median(between)) if between else step
    return (step * (math.ceil(number / size) - 1) + last) / number
