"""Locks: of two processes that write to one folder or file, the second gets an error that names the first."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nsreason.errors import DataError, LockError, NsreasonError, NsreasonWarning
from nsreason.evaluation.question_files import evaluate_files
from nsreason.generators import write_dataset
from nsreason.io.locks import locked_file, locked_folder

ROOT = Path(__file__).parent.parent.parent
HOLD = """
import sys, time
from nsreason.io.locks import locked_file, locked_folder
with {"file": locked_file, "folder": locked_folder}[sys.argv[1]](sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def holder(kind: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until a line comes, or it is killed."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD, kind, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_the_second_process_is_told_who_the_first_is(tmp_path: Path) -> None:
    for kind, lock, path in (
        ("folder", locked_folder, tmp_path / "run"),
        ("file", locked_file, tmp_path / "out.jsonl"),
    ):
        with holder(kind, path) as first:
            message = rf"{path.name}: process {first.pid} on \S+ \(since 20\S+\) is writing to this {kind}; wait until"
            with pytest.raises(LockError, match=message), lock(path):
                pass
            assert first.stdin is not None
            first.stdin.write("\n")
            first.stdin.flush()
            assert first.wait(30) == 0
        with lock(path):
            pass
    assert left(tmp_path) == []  # nothing was written, and no lock stays behind


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_lock_ends_with_its_process(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "target"
    lock = locked_folder if kind == "folder" else locked_file
    with holder(kind, path) as first:
        first.send_signal(signal.SIGKILL)
        first.wait(30)
    stale = path / ".lock" if kind == "folder" else tmp_path / ".target.lock"
    assert stale.exists() and json.loads(stale.with_name(f"{stale.name}.json").read_text())["pid"] == first.pid
    with lock(path):
        note = json.loads(stale.with_name(f"{stale.name}.json").read_text())
        assert note["pid"] == os.getpid() and note["since"].endswith("+00:00")
    assert not stale.exists() and not stale.with_name(f"{stale.name}.json").exists()


def test_a_thread_may_lock_again_and_another_may_not(tmp_path: Path) -> None:
    outcomes: list[BaseException | None] = []

    def other() -> None:
        try:
            with locked_folder(tmp_path):
                outcomes.append(None)
        except NsreasonError as error:
            outcomes.append(error)

    with locked_folder(tmp_path), locked_folder(tmp_path / "." / "sub" / ".."):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert (tmp_path / ".lock").exists()
    assert isinstance(outcomes[0], LockError) and f"process {os.getpid()}" in str(outcomes[0])
    other()
    assert outcomes[1] is None


def test_a_link_and_its_target_have_one_lock(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real, link = tmp_path / "real" / "a.jsonl", tmp_path / "link" / "a.jsonl"
    with holder("file", real), pytest.raises(LockError), locked_file(link):
        pass


def test_what_is_no_file_has_no_lock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (None, "-", "/dev/null", tmp_path / "pipe", tmp_path / "gone" / "a.jsonl", "a\0b"):
        with locked_file(path):
            pass
    assert left(tmp_path) == ["pipe"]


def test_a_holder_that_left_no_note_is_another_process(tmp_path: Path) -> None:
    with holder("folder", tmp_path):
        for note in (b"", b"{", b"\xff", b'{"pid": "x"}'):
            (tmp_path / ".lock.json").write_bytes(note)
            with pytest.raises(LockError, match="another process is writing"), locked_folder(tmp_path):
                pass


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOLCK, errno.ENOTSUP, errno.ENOSPC])
def test_where_there_are_no_locks_there_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import filelock

    def refused(*arguments: object, **named: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    with pytest.warns(NsreasonWarning, match=rf"cannot be locked \({os.strerror(number)}\)"), locked_folder(tmp_path):
        (tmp_path / "written").touch()
    with pytest.warns(NsreasonWarning, match="cannot be locked"), locked_file(tmp_path / "out"):
        pass
    assert left(tmp_path) == ["written"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below", "a\0b"):
        with pytest.raises(DataError, match=r"cannot be made: .*; choose another folder"), locked_folder(path):
            pass


def test_an_error_inside_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked_folder(tmp_path / "new"):
        raise KeyError("x")
    assert left(tmp_path) == []


# --- what locks ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("data")
    write_dataset(place, scenes=4, questions_per_scene=3, seed=1)
    return place


def refused(*command: str) -> str:
    """Return the message of a command that meets the lock of another process."""
    from typer.testing import CliRunner

    from nsreason.cli.app import app

    result = CliRunner().invoke(app, list(command))
    assert result.exit_code == 2, result.output
    return result.stderr


def test_evaluations_to_one_file(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.jsonl"
    files = (data / "questions.json", data / "scenes.json")
    with holder("file", out) as first:
        with pytest.raises(LockError, match=f"process {first.pid}"):
            evaluate_files(*files, out=out)
        command = ("evaluate", "--questions", str(files[0]), "--scenes", str(files[1]), "--out", str(out))
        assert f"process {first.pid}" in refused(*command)
        evaluate_files(*files, out=tmp_path / "other.jsonl")
        evaluate_files(*files)
    assert evaluate_files(*files, out=out).questions == 12
    assert left(tmp_path) == ["other.jsonl", "predictions.jsonl"]


def test_evaluations_at_once_leave_whole_predictions(data: Path, tmp_path: Path) -> None:
    files = ["--questions", str(data / "questions.json"), "--scenes", str(data / "scenes.json")]
    command = [sys.executable, "-m", "nsreason", "evaluate", *files, "--out", "out.jsonl"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with holder("file", tmp_path / "out.jsonl") as first:
        runs = [subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        errors = [run.communicate(timeout=300)[1] for run in runs]
        assert [run.returncode for run in runs] == [2, 2] and all(f"process {first.pid}" in t for t in errors)
    done = subprocess.run(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 12 and left(tmp_path) == ["out.jsonl"]


def test_comparisons_in_one_folder(data: Path, tmp_path: Path) -> None:
    command = ("compare", "--task", "clevr", "--data", str(data), "--reasoners", "exact", "--out", str(tmp_path / "c"))
    with holder("folder", tmp_path / "c") as first:
        assert f"process {first.pid}" in refused(*command)
        assert left(tmp_path / "c") == [".lock", ".lock.json"]


def test_a_training_in_a_folder_that_is_locked(tmp_path: Path) -> None:
    from nsreason.training.recipe import new_model, parse_recipe
    from nsreason.training.trainer import train
    from tests.support.toy_models import examples

    recipe = parse_recipe('model = "tests.support.toy_models:Toy"\n[training]\naccelerator = "cpu"\nepochs = 1\n')
    with holder("folder", tmp_path / "run") as first:
        with pytest.raises(LockError, match=f"process {first.pid}"):
            train(new_model(recipe), examples(8), None, recipe, tmp_path / "run")
        assert left(tmp_path / "run") == [".lock", ".lock.json"]
    train(new_model(recipe), examples(8), None, recipe, tmp_path / "run")
    assert "last.safetensors" in left(tmp_path / "run") and ".lock" not in left(tmp_path / "run")


@pytest.mark.slow
def test_trainings_in_one_folder(tmp_path: Path) -> None:
    """The second one ends before it has changed anything; the first one ends as if it had been alone."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.support.toy_run", str(tmp_path / "run"), "training.epochs=2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": env}
    with subprocess.Popen([*command, "--hang-at", "3"], **pipes) as first:  # type: ignore[call-overload]
        assert first.stdout is not None
        while first.stdout.readline() != "step 3\n":
            assert first.poll() is None
        before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
        for more in ([], ["--resume"]):
            second = subprocess.run([*command, *more], **pipes, check=False, timeout=300)  # type: ignore[call-overload]
            assert second.returncode == 2 and f"process {first.pid} on" in second.stderr, second.stderr
        assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()} == before
        first.kill()
    again = subprocess.run([*command, "--resume"], **pipes, check=False, timeout=300)  # type: ignore[call-overload]
    assert again.returncode == 0, again.stderr
    assert ".lock" not in left(tmp_path / "run")


def test_detections_to_one_file(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    command = ("detect", str(tmp_path / "a.png"), "--out", str(tmp_path / "d.json"), "--draw", str(tmp_path / "drawn"))
    for kind, path in (("file", tmp_path / "d.json"), ("folder", tmp_path / "drawn")):
        with holder(kind, path) as first:
            assert f"process {first.pid}" in refused(*command)
        assert not (tmp_path / "d.json").exists()


def test_on_the_command_line_a_lock_that_cannot_be_is_a_warning(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import filelock
    from typer.testing import CliRunner

    from nsreason.cli.app import app

    def refused(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    files = ("--questions", str(data / "questions.json"), "--scenes", str(data / "scenes.json"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = CliRunner().invoke(app, ["evaluate", *files, "--out", str(tmp_path / "out.jsonl")])
    assert result.exit_code == 0 and "warning: " in result.stderr
    assert "cannot be locked (No locks available)" in result.stderr
    assert "site-packages" not in result.stderr and ".py:" not in result.stderr
    assert left(tmp_path) == ["out.jsonl"]
