"""The journal of predictions: whatever a killed process or a damaged disk left, no prediction is lost or wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nsreason.data.predictions import Journal, Prediction
from nsreason.errors import DataError

RUN: dict[str, Any] = {"version": "1", "questions": "ab", "limit": None}
LINES = [
    msgspec.json.encode(Prediction(i, "right", answer=f"a{i}\r", prediction="é")) + b"\n"
    for i in range(5)  # \r is escaped
]


def begun(path: Path, count: int = 3) -> bytes:
    """What is left of a run that ended after some lines."""
    with Journal(path, RUN) as journal:
        journal.replay(lambda _: None)
        journal.write(b"".join(LINES[:count]))
    return Path(f"{path}.partial").read_bytes()


def resumed(path: Path) -> int:
    """Go on to the end; returns how many lines were kept, and sees that all are there."""
    taken: list[Prediction] = []
    with Journal(path, RUN, resume=True) as journal:
        done = journal.replay(taken.append)
        assert [p.question_index for p in taken] == list(range(done))
        for line in LINES[done:]:
            journal.write(line)
        journal.finish()
    assert path.read_bytes() == b"".join(LINES)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return done


def test_wherever_the_file_ends_nothing_is_lost(tmp_path: Path) -> None:
    """Within the header, at its end without the line's end, within a line."""
    path = tmp_path / "p.jsonl"
    left = begun(path)
    ends = [i for i, byte in enumerate(left) if byte == 10]
    assert len(ends) == 4
    for cut in range(len(left) + 1):
        Path(f"{path}.partial").write_bytes(left[:cut])
        assert resumed(path) == max(0, sum(end < cut for end in ends) - 1), cut
        path.unlink()


def test_a_damaged_line_is_answered_anew(tmp_path: Path) -> None:
    """Any byte after the header: the line is found to be damaged, also where it is JSON still."""
    path = tmp_path / "p.jsonl"
    left = begun(path)
    start = left.index(b"\n") + 1
    for place in range(start, len(left)):
        changed = bytearray(left)
        changed[place] ^= 1
        Path(f"{path}.partial").write_bytes(changed)
        assert resumed(path) == left[start:place].count(b"\n"), place
        path.unlink()


def test_lines_out_of_place_are_answered_anew(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    head, one, two, three = begun(path).splitlines(keepends=True)
    for lines, kept in (((one, one, two), 1), ((two, one, three), 0), ((one, three), 1), ((one, two, three), 3)):
        Path(f"{path}.partial").write_bytes(head + b"".join(lines))
        assert resumed(path) == kept
        path.unlink()


@pytest.mark.parametrize("text", [b"something else", b"something else\n", b"{}\n", b"\xff\n", b"00000000 0 {}\n"])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "p.jsonl"
    Path(f"{path}.partial").write_bytes(text)
    with pytest.raises(DataError, match="not a partial prediction file; start anew without resume"):
        Journal(path, RUN, resume=True)
    assert Path(f"{path}.partial").read_bytes() == text


def test_lines_that_are_damaged_while_the_run_goes_on_are_not_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with Journal(path, RUN) as journal:
        journal.write(b"".join(LINES))
        partial = Path(f"{path}.partial")
        partial.write_bytes(partial.read_bytes().replace(b'"right"', b'"wrong"', 1))
        with pytest.raises(DataError, match="line 2 was damaged while the run went on; resume it"):
            journal.finish()
    assert not path.exists() and resumed(path) == 0


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written: embedded null"):
        Journal(tmp_path / "a\0b", RUN)


KILLED = """
import os, signal, sys
from nsreason.data import predictions
from tests.data.test_predictions import LINES, RUN

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

path, where = sys.argv[1:]
if where == "header":
    predictions.Journal._begin = kill
journal = predictions.Journal(path, RUN)
journal.write(LINES[0])
if where == "write":
    kill()
if where == "replace":
    from pathlib import Path
    Path.replace = kill  # the temporary file is whole, and left over
journal.finish()
"""


@pytest.mark.parametrize(("where", "kept"), [("header", 0), ("write", 1), ("replace", 1)])
def test_a_killed_process_loses_no_line_and_leaves_no_file(tmp_path: Path, where: str, kept: int) -> None:
    path = tmp_path / "p.jsonl"
    root = Path(__file__).parents[2]
    env = os.environ | {"PYTHONPATH": str(root)}
    child = subprocess.run([sys.executable, "-c", KILLED, str(path), where], env=env, timeout=120, check=False)
    assert child.returncode == -signal.SIGKILL
    left = sorted(p.suffix for p in tmp_path.iterdir())
    assert left == ([".partial", ".tmp"] if where == "replace" else [".partial"])
    assert resumed(path) == kept
