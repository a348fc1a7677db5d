"""The training loop, one for all models: any device, one process or many, to be stopped and resumed at any step.

    model = new_model(recipe)
    with progress_bar() as bar:
        result = train(model, train_data, val_data, recipe, "runs/first", progress=bar)

The folder of a run holds `last.safetensors` and `best.safetensors` (checkpoints), `metrics.csv`, `recipe.toml` and
`run.json`. On the CPU a run that was killed and resumed ends in the weights, to the bit, of one that was not. Examples
come from a sequence or from another `source.Source`; on several devices every process has all of them and takes its
part of each batch.
"""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from ..errors import CheckpointError, TrainingError
from ..io.locks import locked_folder
from .checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from .checkpoint_checks import check_model, check_recipe
from .checkpoint_file import SUFFIX
from .curriculum import Curriculum
from .devices import Devices, LossModule, OpaqueBatch, first_process, resolved
from .model import AfterStep, LossOut, Model
from .optimizer_state import load_optimizer
from .optimizers import frozen_names, make_optimizer
from .random_state import random_state, seed_all, set_random_state
from .recipe import Recipe
from .run_log import CsvLog, Meter, Number, Status, StepProgress, TensorBoardLog, means, write_run
from .run_state import REMEDY, precision_of, read_state, sweep_run
from .sampling import Shard, shards
from .source import RunSteps, Source, source_of
from .stop_signals import stop_signals
from .validation import best_value, validate

Stopped = Literal["finished", "time", "interrupted"]


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended."""

    folder: Path
    stopped: Stopped
    """All epochs are `finished`, or it ran out of `time`."""
    epochs: int
    """Whole epochs that were trained."""
    steps: int
    """Of the optimizer."""
    seconds: float
    """Used, former sessions included."""
    metrics: dict[str, Number]
    """The last row of metrics.csv."""
    best: float | None
    """The best value of the monitored validation metric, or None without validation."""


def train(
    model: Model[Any, Any],
    train_data: Sequence[Any] | Source,
    val_data: Sequence[Any] | None,
    recipe: Recipe,
    out_dir: str | Path,
    *,
    resume: bool = False,
    devices: int | None = None,
    progress: StepProgress | None = None,
) -> TrainingResult:
    """Train a model, in place.

    Args:
        train_data: a sequence of examples, or a source of another kind. If a sequence has `groups`, a number for each
            example (such as its scene), those of a group follow each other in every epoch, so that a batch computes
            once what they share.
        val_data: for validation and the best checkpoint; None or empty does without.
        resume: go on from the folder's last checkpoint, or begin if it has none. The precision `auto` is then that
            of the run.
        devices: instead of the recipe's. More than one start the running script anew, once for each further
            device, unless `torchrun` has started them.
        progress: called after each step, in the first process only.

    Raises:
        TrainingError: the run cannot start or go on: the folder holds one already, a lesson has no example, the
            recipe is not the one that the run began with, the loss is not a number.
        CheckpointError: the last checkpoint is damaged, or of another model.
        LockError: another process writes to the folder.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written. SystemExit(143): SIGTERM, likewise.
    """
    if not isinstance(model, nn.Module):
        raise TrainingError(f"a model is a torch.nn.Module, got {type(model).__name__}")
    folder, training = Path(out_dir), recipe.training
    threads = torch.get_num_threads()
    if training.threads is not None:
        torch.set_num_threads(training.threads)
    try:
        source = source_of(train_data, recipe)
        with locked_folder(folder) if first_process() else contextlib.nullcontext():
            last = load_checkpoint(folder / f"last{SUFFIX}") if resume and (folder / f"last{SUFFIX}").exists() else None
            if last is None and (folder / f"last{SUFFIX}").exists():
                raise TrainingError(f"{folder} holds a run; resume it, or give another folder")
            training = resolved(training, None if last is None else precision_of(last))
            run = _Run(model, source, replace(recipe, training=training), folder, Devices(training, devices))
            run.progress = progress if run.devices.rank == 0 else None
            run.begin(last)
            with stop_signals(run.request_stop), contextlib.closing(run):
                return run.train(val_data or [])
    finally:
        torch.set_num_threads(threads)


class _Run:
    """A run between its first step and its last: what a checkpoint holds, and what a step needs."""

    progress: StepProgress | None = None

    def __init__(self, model: Any, source: Source, recipe: Recipe, folder: Path, devices: Devices) -> None:
        self.model, self.source, self.recipe, self.folder, self.devices = model, source, recipe, folder, devices
        self.training, self.curriculum = recipe.training, recipe.curriculum or Curriculum()
        self.after_step = model.after_step if isinstance(model, AfterStep) else None
        self.steps = RunSteps(source, recipe.training.epochs)
        frozen = [frozen_names(model, lesson.freeze) for lesson in self.curriculum.lessons]  # before anything starts
        self.frozen = [[p for name, p in model.named_parameters() if name in names] for names in frozen]
        seed_all(self.training.seed + devices.rank)
        devices.place(model)
        self.optimizer = make_optimizer(model, self.training)
        self.module, self.stepper = devices.wrap(LossModule(model), self.optimizer)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.meter = Meter()
        self.epoch, self.done, self.step, self.examples = 1, 0, 0, 0
        self.best: float | None = None
        self.row: dict[str, Number] = {}
        self.rows: int | None = None  # of metrics.csv, where the checkpoint stands
        self.before, self.started = 0.0, perf_counter()
        self.stop: int | None = None  # the signal that asked for it
        self.loss = math.nan
        self.log: CsvLog | None = None
        self.board: TensorBoardLog | None = None

    @property
    def seconds(self) -> float:
        """Used so far, former sessions included."""
        return self.before + perf_counter() - self.started

    def begin(self, last: Checkpoint | None) -> None:
        """Restore the run from its checkpoint, if it has one, and open the logs."""
        if last is not None:
            self._restore(last)
        if self.devices.rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            sweep_run(self.folder)
            device = str(self.devices.device)
            until = self.step if last else None
            self.log = CsvLog(self.folder / "metrics.csv", keep=self.rows, keep_until=until)
            write_run(self.folder, self.recipe, step=self.step, world=self.devices.world, device=device)
            self.row = self.log.last
            purge = None if last is None else min(self.step + 1, self.log.dropped_from or self.step + 1)
            self.board = TensorBoardLog(self.folder / "tensorboard", purge_from=purge)

    def request_stop(self, number: int) -> bool:
        """End the run after the step at hand, for a signal; returns False if a signal came before."""
        first = self.stop is None
        self.stop = number if first else self.stop
        return first

    def close(self) -> None:
        """Close the logs."""
        if self.board is not None:
            self.board.close()

    def train(self, val_data: Sequence[Any]) -> TrainingResult:
        """Train from where the run stands to its end."""
        stopped: Stopped = "finished"
        self.module.train()
        while self.epoch <= self.training.epochs:
            reason = self._epoch()
            if reason is not None:
                stopped = reason
                break
            self._end_epoch(val_data)
        if stopped == "time":
            self._end_in_time(val_data)
        if stopped == "interrupted":
            self.save("last")
            if self.stop == signal.SIGTERM:
                raise SystemExit(128 + signal.SIGTERM)
            raise KeyboardInterrupt
        return TrainingResult(self.folder, stopped, self.epoch - 1, self.step, self.seconds, self.row, self.best)

    def _epoch(self) -> Stopped | None:
        """Train for the rest of an epoch; returns why the run ends before that, or None."""
        training, devices = self.training, self.devices
        source, length = self.source, self.source.steps(self.epoch)
        frozen = self.frozen[self.curriculum.index(self.epoch)]
        workers = training.workers if source.ahead else 0
        batches = shards(
            source.updates(self.epoch, self.done),
            self.model.collate,
            rank=devices.rank,
            world=devices.world,
            workers=workers,
        )
        with contextlib.closing(batches):  # type: ignore[type-var]
            for update in batches:
                reason = self._update(update.shards, update.examples, frozen)
                self.step += 1
                self.done += 1
                self.examples += update.examples
                if self.after_step is not None:
                    with torch.no_grad():
                        self.after_step(self.step)
                if self.progress is not None:
                    self.progress(self._status())
                if training.log_every and self.step % training.log_every == 0 and self.done < length:
                    self._write_row({})
                    self.meter.clear()
                if reason is not None:
                    return reason
                if training.checkpoint_every and self.step % training.checkpoint_every == 0:
                    self.save("last")
        return None

    def _update(self, own: Sequence[Shard], expected: int, frozen: Sequence[nn.Parameter]) -> Stopped | None:
        """Take a step of the optimizer.

        Each loss is the mean over its count; the step is that of the mean over all counts, of all batches that are
        accumulated and of all devices.

        Args:
            own: this device's parts of the batches.
            expected: examples of all devices together.
            frozen: parameters that do not learn in this lesson.

        Returns:
            Why the run ends now, or None.
        """
        training, devices = self.training, self.devices
        rate = training.lr * training.schedule.rate(self.step, self.steps.total, self.epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        counted = 0
        for number, shard in enumerate(own, start=1):
            batch = OpaqueBatch(devices.move(shard.batch))
            with devices.no_sync(self.module, number < len(own)):
                loss = self.module(batch)
                count = 0 if shard.idle else self._count(batch.out)
                # Gradients are averaged over devices, hence times their number.
                weight = count * devices.world / expected
                devices.backward(loss if weight == 1 else loss * weight)
            counted += count
        stopped: Stopped | None = "time" if training.seconds and self.seconds > training.seconds else None
        if self.stop is not None:
            stopped = "interrupted"
        total, stopped = devices.agree(counted, stopped)
        for parameter in frozen:
            parameter.grad = None
        if total not in (0, expected):  # what a model counts may differ from its number of examples
            grads = [p.grad for p in self.parameters if p.grad is not None]
            torch._foreach_mul_(grads, expected / total)
        if training.gradient_clip is not None:
            devices.clip(self.module, self.stepper, training.gradient_clip)
        self.stepper.step()
        return stopped

    def _count(self, out: LossOut | None) -> int:
        """Check a model's loss and add it to the meter; returns its count."""
        assert out is not None
        if out.count < 0 or out.loss.dim():
            got = f"shape {list(out.loss.shape)} over {out.count}"
            raise TrainingError(f"step {self.step + 1}: a loss is a scalar over a count from 0, got {got}")
        self.meter.add_batch(out)
        if out.loss.device.type == "cpu":
            self._check_loss()
        return out.count

    def _check_loss(self) -> None:
        """Raise TrainingError when the loss is not finite, before a sound checkpoint is overwritten."""
        total, count = (float(x) for x in self.meter.sums.get("loss", (0.0, 0)))
        if not math.isfinite(total):
            hint = "the last checkpoint is from before; try a lower training.lr, or training.gradient_clip"
            where = f"epoch {self.epoch}, step {self.step + 1}"
            raise TrainingError(f"{where}: the loss is {total}; {hint}")
        self.loss = total / count if count else math.nan

    def _status(self) -> Status:
        where = (self.epoch, self.training.epochs, self.step, self.steps.total)
        return Status(*where, self.examples, self.seconds, self.loss)

    def _write_row(self, validated: dict[str, float]) -> None:
        """Write a row of metrics: the means since the last row, and those of a validation."""
        trained = means(self.devices.total(self.meter.read()))
        self._check_loss()
        lr = self.optimizer.param_groups[0]["lr"]
        self.row = {"epoch": self.epoch, "step": self.step, "seconds": round(self.seconds, 3), "lr": lr}
        self.row |= {f"train/{name}": value for name, value in trained.items()}
        self.row |= {f"val/{name}": value for name, value in validated.items()}
        if self.log is not None and self.board is not None:
            self.log.add(self.row)
            self.board.add(self.row)

    def _end_epoch(self, val_data: Sequence[Any]) -> None:
        """Validate, write a row, keep the best and the last."""
        training, epoch = self.training, self.epoch
        due = training.validate_every and (epoch % training.validate_every == 0 or epoch == training.epochs)
        validated, better = self._validate(val_data) if val_data and due else ({}, False)
        self._write_row(validated)
        self.meter.clear()
        self.epoch, self.done = epoch + 1, 0
        if better:
            self.save("best", weights_only=True)
        self.save("last")

    def _end_in_time(self, val_data: Sequence[Any]) -> None:
        """Validate and save as the time is up; a resumed run goes on within the epoch, with its means as they are."""
        due = val_data and self.training.validate_every
        validated, better = self._validate(val_data) if due else ({}, False)
        self._write_row(validated)
        if better:
            self.save("best", weights_only=True)
        self.save("last")

    def _validate(self, val_data: Sequence[Any]) -> tuple[dict[str, float], bool]:
        """Compute the metrics of a validation, and whether the monitored one is the best so far."""
        metrics = validate(self.model, val_data, self.training.batch_size, self.devices)
        best = best_value(metrics, self.training, self.best) if metrics else None
        self.best = self.best if best is None else best
        return metrics, best is not None

    def save(self, name: str, *, weights_only: bool = False) -> None:
        """Write a checkpoint; all processes take part, the first one writes."""
        meter = self.devices.total(self.meter.read())
        states = self.devices.gather(random_state(self.devices.device))
        if self.devices.rank == 0:
            self._check_loss()
            where: dict[str, Any] = {"epoch": self.epoch, "done": self.done, "seconds": self.seconds, "best": self.best}
            where["rows"] = None if self.log is None else self.log.sync()
            source = self.source.state()
            where |= {"recipe": self.recipe.to_dict(), "examples": self.source.examples, "meter": list(meter)}
            where |= {"scaler": self.devices.scaler_state(), "source": dict(source.record)}
            tensors = {f"random/{rank}/{key}": v for rank, state in enumerate(states) for key, v in state.items()}
            tensors |= {
                f"source/{name}": torch.from_numpy(np.require(a, requirements="W")) for name, a in source.arrays.items()
            }
            tensors["meter"] = torch.tensor(list(meter.values()), dtype=torch.float64).reshape(-1, 2)
            save_checkpoint(
                self.folder,
                name,
                model_name=self.recipe.model,
                model=self.model,
                step=self.step,
                state=where,
                tensors=None if weights_only else tensors,
                optimizer=None if weights_only else self.optimizer,
            )
        self.devices.barrier()

    def _restore(self, last: Checkpoint) -> None:
        """Restore all of a checkpoint, or raise CheckpointError."""
        check_model(last, self.recipe.model, self.model)
        check_recipe(last, self.recipe.to_dict())
        state = read_state(last, self.source, self.steps)
        load_weights(self.model, last)
        load_optimizer(self.model, self.optimizer, last)
        own = last.part(f"random/{self.devices.rank}")
        try:
            self.source.restore(state.source_state(last))
            self.devices.load_scaler_state(state.scaler)
            if own or self.devices.rank == 0:  # a process more than before begins its random numbers anew
                set_random_state(own, self.devices.device)
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            reason = f"its state lacks {error}" if isinstance(error, KeyError) else error
            raise CheckpointError(f"{last.path}: {reason}; {REMEDY}") from None
        self.epoch, self.done, self.step = state.epoch, state.done, state.step
        self.best, self.before, self.rows = state.best, state.seconds, state.rows
        if self.devices.rank == 0:  # it was summed over all processes
            self.meter.sums = state.sums(last)
