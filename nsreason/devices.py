"""Where a run computes: Lightning Fabric, set up from a recipe; and what the processes of a run tell each other."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from .errors import TrainingError
from .models import LossOut, Model
from .recipe import Training

T = TypeVar("T")
Stopped = Literal["finished", "time", "interrupted"]
# Fabric tells of each precision that it uses; recipes and run.json say it already. Its warnings are kept.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
_URGENCY: tuple[Stopped | None, ...] = (None, "time", "interrupted")


class Held:
    """A batch on its way through the wrappers, which would look into it (and convert it) were it not held."""

    __slots__ = ("batch", "out")

    def __init__(self, batch: Any) -> None:
        self.batch = batch
        self.out: LossOut | None = None


class LossModule(nn.Module):
    """A model's `loss` as a forward pass, which is what distributed training and mixed precision hook into."""

    def __init__(self, model: Model[Any, Any]) -> None:
        super().__init__()
        self.model = model

    def forward(self, held: Held) -> Tensor:
        out = held.out = self.model.loss(held.batch)
        return out.loss


class Devices:
    """One process of a run, and its device.

    Attributes:
        rank, world: this process among all, and how many they are.
    """

    def __init__(self, training: Training, devices: int | None = None) -> None:
        """Starts the other processes, if there are to be several and `torchrun` has not started them.

        Raises:
            TrainingError: there are no such devices, or the precision is not one of theirs.
        """
        count, nodes = _counts(devices or training.devices, training.nodes)
        accelerator = training.accelerator
        if training.precision == "16-mixed" and (accelerator == "cpu" or not _has_gpu()):
            raise TrainingError("training.precision: 16-mixed needs a GPU; bf16-mixed and 32 run everywhere")
        try:
            self.fabric = Fabric(
                accelerator=accelerator,
                devices=count,
                num_nodes=nodes,
                precision="32-true" if training.precision == "32" else training.precision,
                # A batch may leave parts of a model unused, such as concepts that none of its questions names.
                strategy=DDPStrategy(find_unused_parameters=True) if count * nodes > 1 else "auto",
            )
            self.fabric.launch()
        except (MisconfigurationException, RuntimeError, ValueError) as error:
            wanted = f"accelerator = {accelerator!r}, {count} device(s) on {nodes} node(s)"
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
        told = torch.tensor([count, *votes], dtype=torch.int64)
        torch.distributed.all_reduce(told, group=self._group)
        total, *votes = told.tolist()
        return total, next(r for r, v in zip(reversed(_URGENCY), reversed(votes), strict=True) if v)

    def gather(self, value: T) -> list[T]:
        """Every process's value, by rank."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(found, value, group=self._group)
        return found

    def total(self, sums: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        """Sums and counts added up over all processes, each of which may have met other metrics."""
        if self.world == 1:
            return dict(sums)
        found: dict[str, tuple[float, float]] = {}
        for own in self.gather(dict(sums)):
            for name, (value, count) in own.items():
                before = found.get(name, (0.0, 0.0))
                found[name] = (before[0] + value, before[1] + count)
        return found

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


def _has_gpu() -> bool:
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def _counts(devices: int, nodes: int) -> tuple[int, int]:
    """Devices of a node, and nodes: as asked for, or as torchrun has started them."""
    if torch.distributed.is_available() and torch.distributed.is_torchelastic_launched():
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return local, int(os.environ["WORLD_SIZE"]) // local
    return devices, nodes
