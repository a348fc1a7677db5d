"""What a run tells as it goes: metrics.csv, TensorBoard events if installed, what it ran on, a progress bar."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..errors import TrainingError
from ..io import progress
from ..io.decoding import check_plain, decode_file, valid_text
from ..io.files import write_json, write_text
from .model import LossOut
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


StepProgress = Callable[[Status], None]
"""Called after each step of training."""


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
    """metrics.csv: a row whenever there are metrics. A resumed run goes on with the rows that its checkpoint counts.

    Attributes:
        rows: of the file, as texts.
        dropped_from: the step of the first row that was there and is not kept; None if all are.
    """

    def __init__(self, path: Path, *, keep: int | None = None, keep_until: int | None = None) -> None:
        """Open the file, and drop what was written after the checkpoint.

        Args:
            keep: the rows that the checkpoint counts; None starts a new file, unless `keep_until` is given.
            keep_until: for checkpoints that count none: keep the rows up to this step.

        Raises:
            TrainingError: the file is damaged, or holds fewer rows than the checkpoint counts.
        """
        self.path = path
        self.rows: list[dict[str, str]] = []
        self.dropped_from: int | None = None
        if (keep is not None or keep_until is not None) and path.exists():
            rows = _read_rows(path)
            if keep is None:
                assert keep_until is not None
                keep = sum(int(row["step"]) <= keep_until for row in rows)
            if len(rows) < keep:
                fault = f"{len(rows)} rows, but the checkpoint was written after {keep}"
                raise TrainingError(f"{path}: {fault}; {_CSV_REMEDY}")
            self.rows = rows[:keep]
            self.dropped_from = min((int(row["step"]) for row in rows[keep:]), default=None)
        self.columns = list(dict.fromkeys(key for row in self.rows for key in row))
        self._rewrite()

    @property
    def last(self) -> dict[str, Number]:
        """The last row as numbers; empty when there is none."""
        row = self.rows[-1] if self.rows else {}
        return {k: int(v) if v.isdecimal() else float(v) for k, v in row.items() if v}

    def add(self, row: Mapping[str, Number]) -> None:
        """Append a row; a column that is new to the file rewrites it."""
        texts = {key: repr(value) for key, value in row.items()}
        self.rows.append(texts)
        new = [key for key in texts if key not in self.columns]
        if new:
            self.columns += new
            self._rewrite()
            return
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self.columns, lineterminator="\n").writerow(texts)

    def sync(self) -> int:
        """Bring all rows to the disk, before a checkpoint counts them; returns how many they are.

        Raises:
            TrainingError: the file is gone, or the disk is full.
        """
        try:
            with self.path.open("ab") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise TrainingError(f"{self.path}: cannot be written: {error.strerror or error}") from None
        return len(self.rows)

    def _rewrite(self) -> None:
        text = io.StringIO(newline="")
        if self.columns:
            writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        write_text(self.path, text.getvalue())


_CSV_REMEDY = "copy it again, or remove it to go on without its former rows"


def _read_rows(path: Path) -> list[dict[str, str]]:
    """The whole rows of a metrics.csv; a killed process may have left half a row at the end, which is dropped.

    Raises:
        TrainingError: it is not what a run writes; the message says where.
    """
    try:
        text = path.read_bytes().decode()
        whole = text[: text.rfind("\n") + 1]
        table = list(csv.reader(io.StringIO(whole, newline=""), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise TrainingError(f"{path}: not the metrics of a run: {error}; {_CSV_REMEDY}") from None
    columns = table[0] if table else ["step"]
    if "step" not in columns or len(set(columns)) < len(columns):
        shown = ", ".join(columns[:8])
        raise TrainingError(f"{path}: not the metrics of a run: its columns are {shown:.80}; {_CSV_REMEDY}")
    rows = []
    for number, fields in enumerate(table[1:], start=2):
        row = dict(zip(columns, fields, strict=False))
        fault = _row_fault(row, fields, columns)
        if fault:
            raise TrainingError(f"{path}: line {number}: {fault}; {_CSV_REMEDY}")
        rows.append(row)
    return rows


def _row_fault(row: Mapping[str, str], fields: list[str], columns: list[str]) -> str | None:
    """What is wrong with a row; None if nothing is. Metrics are numbers, NaN included, or were not measured."""
    if len(fields) != len(columns):
        return f"{len(fields)} values for {len(columns)} columns"
    if not (row["step"].isascii() and row["step"].isdecimal() and len(row["step"]) < _DIGITS):
        return f"step: a whole number, got '{row['step']:.40}'"
    for name, value in row.items():
        try:
            number = float(value or 0)
        except ValueError:
            return f"{name:.40}: a number, got '{value:.40}'"
        if value.isdecimal() and not number < 10**_DIGITS:
            return f"{name:.40}: a number that is too large, '{value:.40}'"
    return None


_DIGITS = 18  # of a whole number


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
    path = folder / "run.json"
    sessions: list[dict[str, Any]] = []
    if step:
        with contextlib.suppress(FileNotFoundError):
            remedy = "copy it again, or remove it to go on without the record of former sessions"
            record = decode_file(path, _RunRecord, what="the record of a run", remedy=remedy, error=TrainingError)
            sessions = record.sessions
    sessions.append(
        {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "from_step": step,
            "command": [valid_text(part) for part in sys.argv],
            "devices": world,
            "device": device,
            "machine": machine(),
        }
    )
    whole = {"model": recipe.model, "seed": recipe.training.seed, "recipe": recipe.to_dict(), "sessions": sessions}
    write_text(folder / "recipe.toml", recipe.to_toml())
    write_json(path, whole, other=str)


class _RunRecord(msgspec.Struct):
    """run.json: what a run is, and where each of its sessions ran."""

    model: str
    seed: int
    recipe: dict[str, Any]
    sessions: list[dict[str, Any]]

    def __post_init__(self) -> None:
        check_plain(self.recipe, "recipe")
        check_plain(self.sessions, "sessions")


@contextlib.contextmanager
def progress_bar() -> Iterator[StepProgress]:
    """Open a bar on standard error with the time left, for `train(progress=...)`; nothing where it is no terminal."""
    with progress.progress_bar("steps") as bar:
        began = False

        def show(status: Status) -> None:
            nonlocal began
            if not began:  # steps of former sessions say nothing of the speed of this one
                bar.begin(done=status.step - 1, total=status.steps)
                began = True
            loss = f"loss {status.loss:.4g}" if math.isfinite(status.loss) else ""
            bar.show(status.step, status.steps, label=f"epoch {status.epoch}/{status.epochs}", detail=loss)

        yield show
