"""Where a run computes, and how precisely: Lightning Fabric, set up from a recipe; and what the processes of a run
tell each other.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from ..errors import TrainingError
from .model import LossOut, Model
from .settings import Precision, Training

T = TypeVar("T")
Kind = Literal["cpu", "cuda", "mps"]
Stopped = Literal["finished", "time", "interrupted"]
# Fabric tells of each precision that it uses; recipes and run.json say it already. Its warnings are kept.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
_FABRIC: dict[str, Literal["32-true", "16-mixed", "bf16-mixed"]] = {
    "32": "32-true",
    "16-mixed": "16-mixed",
    "bf16-mixed": "bf16-mixed",
}
_log = logging.getLogger(__name__)
_URGENCY: tuple[Stopped | None, ...] = (None, "time", "interrupted")


class OpaqueBatch:
    """Hide a batch from the wrappers around a model, which would inspect its fields and convert them."""

    __slots__ = ("batch", "out")

    def __init__(self, batch: Any) -> None:
        self.batch = batch
        self.out: LossOut | None = None


class LossModule(nn.Module):
    """A model's `loss` as a forward pass, which is what distributed training and mixed precision hook into."""

    def __init__(self, model: Model[Any, Any]) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: OpaqueBatch) -> Tensor:
        out = batch.out = self.model.loss(batch.batch)
        return out.loss


class Devices:
    """One process of a run, and its device.

    Attributes:
        rank, world: this process among all, and how many they are.
    """

    def __init__(self, training: Training, devices: int | None = None) -> None:
        """Starts the other processes, if there are to be several and `torchrun` has not started them.

        Raises:
            TrainingError: there are no such devices, or they lack the precision.
        """
        training = resolved(training)
        kind = device_kind(training)
        count, nodes = _counts(devices or training.devices, training.nodes)
        try:
            self.fabric = Fabric(
                accelerator=kind,
                devices=count,
                num_nodes=nodes,
                precision=_FABRIC[training.precision],
                # A batch may leave parts of a model unused, such as concepts that none of its questions names.
                strategy=DDPStrategy(find_unused_parameters=True) if count * nodes > 1 else "auto",
            )
            self.fabric.launch()
        except (MisconfigurationException, RuntimeError, ValueError) as error:
            wanted = f"training.accelerator = {kind!r}, {count} device(s) on {nodes} node(s)"
            raise TrainingError(f"cannot run on {wanted}: {error}") from None
        self.rank, self.world = self.fabric.global_rank, self.fabric.world_size
        self.device: torch.device = self.fabric.device
        self._group: Any = None
        if self.world > 1 and torch.distributed.get_backend() != "gloo":
            self._group = torch.distributed.new_group(backend="gloo")  # numbers that never leave the CPU

    def place(self, module: nn.Module) -> None:
        """Put a module on the device, before an optimizer takes its parameters."""
        self.fabric.to_device(module)

    def wrap(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """The module and its optimizer, wrapped for the strategy and the precision."""
        wrapped, stepper = self.fabric.setup(module, optimizer)
        return wrapped, stepper

    def move(self, batch: Any) -> Any:
        """A batch on the device."""
        if self.device.type == "cpu":
            return batch
        return batch.to(self.device) if hasattr(batch, "to") else self.fabric.to_device(batch)

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """The recipe's precision, for what does not go through the wrapped module."""
        return self.fabric.autocast()

    def no_sync(self, module: Any, enabled: bool) -> contextlib.AbstractContextManager[Any]:
        """Gradients stay with this process, because more are to be added to them."""
        if not enabled or self.world == 1:
            return contextlib.nullcontext()
        return self.fabric.no_backward_sync(module)

    def backward(self, loss: Tensor) -> None:
        """Differentiate, scaled for the precision."""
        self.fabric.backward(loss)

    def clip(self, module: Any, optimizer: Any, norm: float) -> None:
        """Shorten all gradients together to a norm."""
        # With 16-mixed, gradients that are not finite are found and skipped by the scaler.
        self.fabric.clip_gradients(module, optimizer, max_norm=norm, error_if_nonfinite=False)

    def agree(self, count: int, stopped: Stopped | None) -> tuple[int, Stopped | None]:
        """The sum of all counts, and the most urgent reason of any process to stop."""
        if self.world == 1:
            return count, stopped
        votes = [0] * len(_URGENCY)
        votes[_URGENCY.index(stopped)] = 1
        counts = torch.tensor([count, *votes], dtype=torch.int64)
        torch.distributed.all_reduce(counts, group=self._group)
        total, *votes = counts.tolist()
        return total, next(r for r, v in zip(reversed(_URGENCY), reversed(votes), strict=True) if v)

    def gather(self, value: T) -> list[T]:
        """Every process's value, by rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(values, value, group=self._group)
        return values

    def total(self, sums: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        """Sums and counts added up over all processes, each of which may have met other metrics."""
        if self.world == 1:
            return dict(sums)
        totals: dict[str, tuple[float, float]] = {}
        for own in self.gather(dict(sums)):
            for name, (value, count) in own.items():
                before = totals.get(name, (0.0, 0.0))
                totals[name] = (before[0] + value, before[1] + count)
        return totals

    def barrier(self) -> None:
        """Wait for all."""
        if self.world > 1:
            self.fabric.barrier()

    def scaler_state(self) -> dict[str, Any]:
        """How 16-mixed scales its losses; empty for other precisions."""
        return dict(self.fabric.strategy.precision.state_dict())

    def load_scaler_state(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        if state:
            self.fabric.strategy.precision.load_state_dict(state)


def first_process() -> bool:
    """Whether this is the process of a run that writes; known before the others are started."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


# --- what the machine has -----------------------------------------------------------------------------------


def device_kind(training: Training) -> Kind:
    """What a run computes on; `auto` takes a GPU where there is one.

    Raises:
        TrainingError: this machine has no such device.
    """
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available: list[Kind] = [kind for kind in ("cuda", "mps", "cpu") if has[kind]]
    if training.accelerator == "auto":
        return available[0]
    if training.accelerator not in available:
        lacks = f"torch finds no '{training.accelerator}' on this machine"
        raise TrainingError(f"training.accelerator: {lacks}; there is: {', '.join(available)}; or give 'auto'")
    return training.accelerator


def native_bf16(kind: Kind) -> bool:
    """Whether this machine has instructions for bfloat16; elsewhere it is emulated, slower than float32, or refused."""
    if kind == "mps":
        return False  # nobody has tried
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        allowed = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # by the math library, and by its environment
    except (AttributeError, RuntimeError):  # torch was built without that library
        return False
    # The library says yes to AVX-512 alone, and emulates. A version of torch that lacks a function says no.
    avx512, *bf16 = (
        getattr(torch.cpu, name, bool)()
        for name in ("_is_avx512_supported", "_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return allowed and (any(bf16) or not avx512)


def resolved(training: Training, recorded: Precision | None = None) -> Training:
    """The settings with a precision that this machine has in place of `auto`, which one line of the log names.

    `auto` is bfloat16 where there are instructions for it, else float32. It is never float16, whose largest number is
    below the slopes of soft execution.

    Args:
        recorded: the precision that a run began with, if it goes on: what `auto` means then.

    Raises:
        TrainingError: this machine has no such device, or lacks the precision.
    """
    kind = device_kind(training)
    if training.precision == "auto" and recorded is not None:
        training = replace(training, precision=recorded)
    if training.precision == "auto":
        native = native_bf16(kind)
        training = replace(training, precision="bf16-mixed" if native else "32")
        if first_process():
            has = "has native" if native else "has no native"
            _log.info("precision: %s, as this machine's %s %s bfloat16", training.precision, kind, has)
        return training
    lacks = {
        "16-mixed": kind == "cpu" and "16-mixed needs a GPU",
        "bf16-mixed": kind != "mps" and not native_bf16(kind) and f"this machine's {kind} has no native bfloat16",
    }.get(training.precision)
    if not lacks:
        return training
    if recorded == training.precision:
        hint = "go on with it on a machine like that, or begin anew in another folder"
        raise TrainingError(f"training.precision: the run began in {recorded}; {lacks}; {hint}")
    raise TrainingError(f"training.precision: {training.precision}: {lacks}; give 'auto', or 32")


def _counts(devices: int, nodes: int) -> tuple[int, int]:
    """Devices of a node, and nodes: as asked for, or as torchrun has started them."""
    if torch.distributed.is_available() and torch.distributed.is_torchelastic_launched():
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return local, int(os.environ["WORLD_SIZE"]) // local
    return devices, nodes
