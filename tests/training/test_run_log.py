"""metrics.csv and run.json: the rows that a checkpoint counts, and messages about damaged files."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nsreason.errors import TrainingError
from nsreason.training.run_log import CsvLog
from tests.support import killed_run

SUPPORT = Path(__file__).parents[1] / "support"
ROOT = SUPPORT.parents[1]


def rows(folder: Path) -> list[dict[str, str]]:
    """Return metrics.csv without its column of times, which differs between runs."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    folder = tmp_path_factory.mktemp("whole")
    yield folder, killed_run.run(folder)


def killed(folder: Path, numbers: list[int]) -> None:
    command = [sys.executable, str(SUPPORT / "killed_run.py"), str(folder), *map(str, numbers)]
    subprocess.run(command, check=True, timeout=300, env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})


def as_whole(folder: Path, whole: tuple[Path, Any]) -> None:
    """Resume what was killed: the weights to the bit, each row once, and no file left over."""
    model = killed_run.run(folder, resume=True)
    one, other = model.state_dict(), whole[1].state_dict()
    assert all(torch.equal(one[k], other[k]) for k in other), folder.name
    assert rows(folder) == rows(whole[0]), folder.name
    assert names(folder) == names(whole[0]), folder.name


def names(folder: Path) -> list[str]:
    """Return the names of the files of a run."""
    return sorted(path.name for path in folder.iterdir())


# 9: before the row of step 3; 13: after it, before the next checkpoint. 18, 19: after the row of the first epoch and
# before its checkpoints, which stand at the step of the one before. 21: the best one is written, the last one is not.
def test_a_killed_run_repeats_no_row_and_leaves_no_file(tmp_path: Path, whole: tuple[Path, Any]) -> None:
    numbers = [9, 13, 18, 19, 21]
    killed(tmp_path, numbers)
    for n in numbers:
        as_whole(tmp_path / str(n), whole)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_is_resumed_as_it_was(tmp_path: Path, whole: tuple[Path, Any]) -> None:
    command = [sys.executable, str(SUPPORT / "killed_run.py"), str(tmp_path / "count"), "count"]
    env = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    count = int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, env=env).stdout)
    assert count > 30
    killed(tmp_path, list(range(1, count + 1)))
    for n in range(1, count + 1):
        as_whole(tmp_path / str(n), whole)


# Damaged files

RECORD = b'{"model": "a", "seed": 0, "sessions": [], "recipe": %b}'
ROWS = "step,lr,val/loss\n1,0.5,\n2,0.25,nan\n2,0.25,0.5\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"step,lr\n1,\xff\n", r"not the metrics of a run: .*codec can't decode"),
        (b"a,b\n1,2\n", "its columns are a, b"),
        (b"step,step\n1,2\n", "its columns are step, step"),
        (b"step,lr\n1\n", "line 2: 1 values for 2 columns"),
        (b"step,lr\n1,2,3\n", "line 2: 3 values for 2 columns"),
        (b"step,lr\n1,2\nx,3\n", "line 3: step: a whole number, got 'x'"),
        (b"step,lr\n-1,2\n", "step: a whole number, got '-1'"),
        (b"step,lr\n" + b"9" * 5000 + b",2\n", "step: a whole number, got '9999"),
        (b"step,lr\n1," + b"9" * 5000 + b"\n", "lr: a number that is too large"),
        (b"step,lr\n1,much\n", "line 2: lr: a number, got 'much'"),
        (b'step,lr\n1,"2\n', "unexpected end of data"),
        (b"step\n1\n", "1 rows, but the checkpoint was written after 2"),
        (b"", "0 rows, but the checkpoint was written after 2"),
        (b"\0\n", "not the metrics of a run"),
    ],
)
def test_a_damaged_table_is_refused_with_what_to_do(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(text)
    with pytest.raises(TrainingError, match=f"metrics.csv: .*{message}.*; copy it again, or remove it to go on"):
        CsvLog(path, keep=2)
    assert path.read_bytes() == text


def test_rows_are_kept_by_their_count_and_not_by_their_step(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(ROWS)
    log = CsvLog(path, keep=2)
    assert [row["step"] for row in log.rows] == ["1", "2"] and log.dropped_from == 2
    assert path.read_text() == ROWS.rpartition("2,0.25,0.5")[0]
    path.write_text(ROWS)
    assert CsvLog(path, keep=3).dropped_from is None
    assert len(CsvLog(path, keep_until=2).rows) == 3  # of a checkpoint that counts none
    path.unlink()
    assert CsvLog(path, keep=2).rows == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "damaged JSON: Input data was truncated"),
        (b"\xff", "damaged JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `model`"),
        (RECORD.replace(b"[]", b"{}") % b"{}", r"Expected `array`, got `object` - at `\$.sessions`"),
        (RECORD.replace(b"[]", b"[3]") % b"{}", "Expected `object`, got `int`"),
        (RECORD.replace(b"0", b'"0"') % b"{}", "Expected `int`, got `str`"),
        (RECORD % (b'{"a":' * 400 + b"1" + b"}" * 400), "nested more than"),
        (RECORD % (b'{"a":' * 100_000), "maximum recursion depth"),
        (RECORD % (b'{"a": 1' + b"0" * 30 + b"}"), "at most 64 bits"),
    ],
)
def test_a_damaged_record_is_refused_with_what_to_do(
    tmp_path: Path, whole: tuple[Path, Any], text: bytes, message: str
) -> None:
    folder = copied(whole[0], tmp_path)
    (folder / "run.json").write_bytes(text)
    whole_message = f"run.json: not the record of a run: .*{message}.*; copy it again, or remove it"
    with pytest.raises(TrainingError, match=whole_message):
        killed_run.run(folder, resume=True)
    (folder / "run.json").unlink()
    killed_run.run(folder, resume=True)
    assert [s["from_step"] for s in json.loads((folder / "run.json").read_text())["sessions"]] == [8]


def copied(run: Path, folder: Path) -> Path:
    for path in run.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_a_command_that_is_no_unicode_is_recorded(
    tmp_path: Path, whole: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(whole[0], tmp_path)
    monkeypatch.setattr(sys, "argv", ["nsreason", "train", "caf\udce9"])
    killed_run.run(folder, resume=True)
    killed_run.run(folder, resume=True)
    sessions = json.loads((folder / "run.json").read_text())["sessions"]
    assert [s["command"][-1] for s in sessions[1:]] == [r"caf\udce9"] * 2
