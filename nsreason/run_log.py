"""What a run tells as it goes: metrics.csv, TensorBoard events if installed, what it ran on, a progress bar."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from .errors import TrainingError
from .files import atomic_write
from .models import LossOut
from .recipe import Recipe

Number = int | float
_PACKAGES = ("torch", "lightning-fabric", "numpy", "safetensors", "msgspec")


class Status(NamedTuple):
    """Where a run is; what a progress callback is given after each step.

    Attributes:
        epoch, epochs: from 1.
        step, steps: finished steps of the whole run, and all.
        examples: seen in this session.
        seconds: used so far, former sessions included.
        loss: the mean over the rows since the last line of metrics.csv.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    examples: int
    seconds: float
    loss: float


Progress = Callable[[Status], None]


class Meter:
    """Means of metrics, from sums and counts that are added batch by batch.

    Values on an accelerator stay there until they are read.
    """

    def __init__(self) -> None:
        self.sums: dict[str, list[Any]] = {}

    def add(self, name: str, value: Any, count: Any) -> None:
        """Add a sum over `count` examples; tensors are detached."""
        value, count = _light(value), _light(count)
        entry = self.sums.get(name)
        if entry is None:
            self.sums[name] = [value, count]
        else:
            entry[0] = entry[0] + value
            entry[1] = entry[1] + count

    def add_batch(self, out: LossOut) -> None:
        """Add a batch's loss and metrics."""
        self.add("loss", out.loss.detach() * out.count, out.count)
        for name, value in out.metrics.items():
            total, count = value if isinstance(value, tuple) else (value, out.count)
            self.add(name, total, count)

    def read(self) -> dict[str, tuple[float, float]]:
        """The sums and counts as numbers."""
        return {name: (float(value), float(count)) for name, (value, count) in self.sums.items()}

    def clear(self) -> None:
        """Begin anew."""
        self.sums = {}


def _light(value: Any) -> Any:
    """A number, or a detached tensor in double precision on its accelerator."""
    if isinstance(value, int | float):
        return value
    if value.device.type == "cpu":
        return value.item()
    value = value.detach()
    return value.float() if value.device.type == "mps" else value.double()


def means(sums: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Sums over counts; a metric that nothing was counted for is left out."""
    return {name: value / count for name, (value, count) in sums.items() if count}


class CsvLog:
    """metrics.csv: a row whenever metrics are told. A resumed run goes on where its checkpoint stands."""

    def __init__(self, path: Path, *, keep_until: int | None = None) -> None:
        """Args: keep_until: keep former rows up to this step; None starts a new file."""
        self.path = path
        self.rows: list[dict[str, str]] = []
        if keep_until is not None and path.exists():
            text = path.read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]  # a killed process may have left half a row
            self.rows = [row for row in csv.DictReader(io.StringIO(whole)) if int(row["step"]) <= keep_until]
        self.columns = list(dict.fromkeys(key for row in self.rows for key in row))
        self._rewrite()

    @property
    def last(self) -> dict[str, Number]:
        """The last row as numbers; empty when there is none."""
        row = self.rows[-1] if self.rows else {}
        return {k: int(v) if v.isdecimal() else float(v) for k, v in row.items() if v}

    def add(self, row: Mapping[str, Number]) -> None:
        """Append a row; a column that is new to the file rewrites it."""
        told = {key: repr(value) for key, value in row.items()}
        self.rows.append(told)
        new = [key for key in told if key not in self.columns]
        if new:
            self.columns += new
            self._rewrite()
            return
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self.columns, lineterminator="\n").writerow(told)

    def _rewrite(self) -> None:
        text = io.StringIO(newline="")
        if self.columns:
            writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        with atomic_write(self.path) as file:
            file.write(text.getvalue().encode())


class TensorBoardLog:
    """The same rows as TensorBoard events; does nothing when tensorboard is not installed (`nsreason[log]`)."""

    def __init__(self, folder: Path, *, purge_from: int | None = None) -> None:
        self._writer: Any = None
        with contextlib.suppress(ImportError):
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=purge_from)

    def add(self, row: Mapping[str, Number]) -> None:
        """Each metric of a row under its own name, at the row's step."""
        if self._writer is not None:
            for name, value in row.items():
                if name not in ("step", "seconds"):
                    self._writer.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Write out what is left."""
        if self._writer is not None:
            self._writer.close()


def machine() -> dict[str, Any]:
    """What a run ran on: versions, processor, accelerators."""
    import torch

    import nsreason

    return {
        "nsreason": nsreason.__version__,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerators": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def write_run(folder: Path, recipe: Recipe, *, step: int, world: int, device: str) -> None:
    """Write recipe.toml, every default written out, and add this session to run.json.

    Raises:
        TrainingError: run.json is there and not what a run writes.
    """
    with atomic_write(folder / "recipe.toml") as file:
        file.write(recipe.to_toml().encode())
    path = folder / "run.json"
    try:
        sessions = json.loads(path.read_text(encoding="utf-8"))["sessions"] if step else []
    except FileNotFoundError:
        sessions = []
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: not the record of a run: {error!r}") from None
    sessions.append(
        {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "from_step": step,
            "command": sys.argv,
            "devices": world,
            "device": device,
            "machine": machine(),
        }
    )
    told = {"model": recipe.model, "seed": recipe.training.seed, "recipe": recipe.to_dict(), "sessions": sessions}
    with atomic_write(path) as file:
        file.write(json.dumps(told, indent=1, default=str).encode())


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on standard error with the time left, for `train(progress=...)`; quiet when nobody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    console = Console(stderr=True)
    with Bar(*columns, console=console, disable=not console.is_terminal, refresh_per_second=4) as bar:
        task = bar.add_task("training", total=None, epoch="", loss="")
        began = False

        def told(status: Status) -> None:
            nonlocal began
            if not began:  # steps of former sessions say nothing of the speed of this one
                bar.reset(task, completed=status.step - 1, total=status.steps)
                began = True
            loss = f"loss {status.loss:.4g}" if math.isfinite(status.loss) else ""
            epoch = f"{status.epoch}/{status.epochs}"
            bar.update(task, completed=status.step, total=status.steps, epoch=epoch, loss=loss)

        yield told
