"""Where a run stands, as its checkpoint says: read once, checked against the steps of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec

from ..errors import CheckpointError, TrainingError
from ..io.decoding import Count, Seconds, check_plain, decode_plain
from ..io.files import sweep
from .checkpoint import Checkpoint
from .settings import Precision
from .source import RunSteps, Source, SourceState

REMEDY = "go on from another checkpoint, or begin in another folder"


class RunState(msgspec.Struct):
    """What a checkpoint says of its run, beside the weights."""

    epoch: Annotated[int, msgspec.Meta(ge=1, le=1 << 53)]
    """From 1."""
    done: Count
    """Steps of the epoch that are done."""
    step: Count
    """Steps of the whole run that are done."""
    seconds: Seconds
    """Used so far."""
    best: float | None
    """The best value of the monitored validation metric; None before a validation."""
    examples: Count
    """Of the source, before any lesson's choice."""
    meter: list[str]
    """The names of the metrics whose sums stand in the tensor `meter`."""
    scaler: dict[str, float | int | None]
    """How 16-mixed scales its losses; empty for other precisions."""
    source: dict[str, Any]
    """Where the source of examples stands; its arrays are the tensors `source/...`."""
    rows: Count | None = None
    """Of metrics.csv; None where they were not counted."""

    def __post_init__(self) -> None:
        check_plain(self.source, "source")

    def source_state(self, checkpoint: Checkpoint) -> SourceState:
        """Return where the run's source of examples stands."""
        return SourceState(self.source, {k: t.numpy() for k, t in checkpoint.part("source").items()})

    def sums(self, checkpoint: Checkpoint) -> dict[str, list[Any]]:
        """Return the sums and counts of `run_log.Meter`, by metric.

        Raises:
            CheckpointError: there is not a pair for each.
        """
        sums = checkpoint.tensors.get("meter")
        if sums is None or sums.shape != (len(self.meter), 2) or len(set(self.meter)) < len(self.meter):
            raise CheckpointError(f"{checkpoint.path}: its sums of metrics are damaged; {REMEDY}")
        return dict(zip(self.meter, sums.tolist(), strict=True))


def read_state(checkpoint: Checkpoint, source: Source, steps: RunSteps) -> RunState:
    """Read where the run of a checkpoint stands.

    Raises:
        CheckpointError: it does not say, or names steps that the run does not have.
        TrainingError: the run began with other examples.
    """
    record = {k: v for k, v in checkpoint.state.items() if k in RunState.__struct_fields__}
    path, what = checkpoint.path, "where a run stands"
    state = decode_plain(record, RunState, path, what=what, remedy=REMEDY, error=CheckpointError)
    if state.examples != source.examples:
        raise TrainingError(f"the run began with {state.examples} examples, here are {source.examples}")
    expected = steps.at(state.epoch, state.done)
    if expected not in (None, state.step):
        fault = f"epoch {state.epoch} with {state.done} steps done is step {expected}, not {state.step}"
        raise CheckpointError(f"{path}: {fault}; {REMEDY}")
    state.sums(checkpoint)
    return state


def precision_of(checkpoint: Checkpoint) -> Precision:
    """Return the precision that a checkpoint's run was trained in.

    Raises:
        CheckpointError: it does not say, or names none.
    """
    recipe = checkpoint.state.get("recipe")
    training = recipe.get("training") if isinstance(recipe, Mapping) else None
    name = training.get("precision") if isinstance(training, Mapping) else None
    for known in get_args(Precision):
        if name == known:
            precision: Precision = known
            return precision
    raise CheckpointError(f"{checkpoint.path}: its recipe.training.precision is {name!r:.60}; {REMEDY}")


def sweep_run(folder: Path) -> None:
    """Remove the temporary files that a killed run left in its folder.

    The folder is locked: nobody else writes to it.
    """
    sweep(folder)
