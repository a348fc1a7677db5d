"""Generated data sets: whole, or the former one, or refused; whenever the process that makes them is killed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nsreason.cli.app import app
from nsreason.data.arrays import read_settings
from nsreason.data.dataset_folder import MANIFEST, new_dataset, refuse_incomplete
from nsreason.data.image_folder import ImageFolder, find_images
from nsreason.data.questions import read_questions
from nsreason.data.scenes import load_scenes
from nsreason.data.sort_of_clevr import read_sort_of_clevr
from nsreason.data.springs import read_springs
from nsreason.errors import DataError, DomainError, LockError
from nsreason.generators import write_dataset
from nsreason.generators.sort_of_clevr import write_sort_of_clevr
from nsreason.io.locks import locked_folder
from nsreason.perception.detections.readers import read_detections

ROOT = Path(__file__).parent.parent.parent
SIZE = (48, 32)
NAMES = ["dataset.json", "questions.json", "scenes.json"]


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, locks and what is in the making left out."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {n: p.read_bytes() for p in files if not (n := p.relative_to(folder).as_posix()).startswith(".")}


def make(folder: Path, seed: int, scenes: int = 3, *, images: bool = False, overwrite: bool = False) -> None:
    size = SIZE if images else None
    write_dataset(folder, scenes=scenes, questions_per_scene=2, seed=seed, images=size, overwrite=overwrite)


# --- in one process -----------------------------------------------------------------------------------------


def test_the_manifest_says_what_there_is(tmp_path: Path) -> None:
    make(tmp_path, 7, images=True)
    manifest = json.loads((tmp_path / MANIFEST).read_bytes())
    assert manifest["state"] == "in place" and re.fullmatch(r"nsreason \S+ generate clevr", manifest["generator"])
    assert manifest["settings"]["seed"] == 7 and manifest["settings"]["images"] == [48, 32]
    assert manifest["counts"] == {"scenes": 3, "questions": 6, "images": 3} and manifest["folders"] == {"images": 3}
    assert sorted(manifest["files"]) == ["instances.json", "questions.json", "scenes.json"]
    for name, file in manifest["files"].items():
        data = (tmp_path / name).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("dataset", ["clevr", "sort-of-clevr", "springs"])
def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path, dataset: str) -> None:
    if dataset == "springs" and find_spec("mujoco") is None:
        pytest.skip("mujoco is not installed")
    out = tmp_path / "data"
    command = ["generate", dataset, "--scenes", "2", "--out", str(out)]
    run: Callable[..., object] = lambda *more: CliRunner().invoke(app, [*command, *more])  # noqa: E731
    first = run()
    assert first.exit_code == 0, first.output  # type: ignore[attr-defined]
    before = contents(out)
    again = run("--seed", "5")
    assert again.exit_code == 2 and "the folder is not empty (dataset.json, " in again.stderr  # type: ignore[attr-defined]
    assert "--overwrite" in again.stderr and contents(out) == before  # type: ignore[attr-defined]
    other = run("--seed", "5", "--overwrite")
    assert other.exit_code == 0 and contents(out).keys() == before.keys() and contents(out) != before  # type: ignore[attr-defined]
    assert run("--overwrite").exit_code == 0 and contents(out) == before  # type: ignore[attr-defined]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]


def test_any_other_file_makes_a_folder_not_empty(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"not empty \(notes\.txt\)\n    give another one, or --overwrite"):
        make(tmp_path, 1)
    make(tmp_path, 1, overwrite=True)
    assert contents(tmp_path)["notes.txt"] == b"mine" and sorted(contents(tmp_path)) == sorted([*NAMES, "notes.txt"])


def test_a_manifest_of_others_is_not_overwritten(tmp_path: Path) -> None:
    for text in ("{}", '{"generator": "others", "state": "in place"}', "[1]", "not JSON", ""):
        (tmp_path / MANIFEST).write_text(text)
        with pytest.raises(DataError, match=r"dataset\.json: not written by nsreason"):
            make(tmp_path, 1, overwrite=True)
        assert (tmp_path / MANIFEST).read_text() == text
        refuse_incomplete(tmp_path / "scenes.json")


@pytest.mark.parametrize("name", ["../kept.txt", "/kept.txt", "..", "a\\b", "sub/kept.txt", "", "x\0"])
def test_nothing_outside_is_removed_because_a_file_says_so(tmp_path: Path, name: str) -> None:
    """A manifest that was handed on names files of elsewhere: they stay, and so does all else."""
    out = tmp_path / "data"
    make(out, 1, images=True)
    (out / "sub").mkdir()
    for kept in (tmp_path / "kept.txt", out / "sub" / "kept.txt"):
        kept.write_text("kept")
    manifest = json.loads((out / MANIFEST).read_bytes())
    name = str(tmp_path / name[1:]) if name.startswith("/") else name
    (out / MANIFEST).write_text(json.dumps({**manifest, "files": {**manifest["files"], name: None}}))
    before = contents(tmp_path)
    with pytest.raises(DataError, match=r"dataset\.json: not written by nsreason"):
        make(out, 2, overwrite=True)
    assert contents(tmp_path) == before
    (out / MANIFEST).write_text(json.dumps(manifest))
    instances = json.loads((out / "instances.json").read_bytes())
    instances["images"][0]["file_name"] = name
    (out / "instances.json").write_text(json.dumps(instances))
    make(out, 2, overwrite=True)
    assert (tmp_path / "kept.txt").read_text() == "kept" and (out / "sub" / "kept.txt").read_text() == "kept"


def test_a_folder_in_the_way_of_a_file_is_told_before_anything_changes(tmp_path: Path) -> None:
    make(tmp_path / "a", 1)
    (tmp_path / "a" / "images").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(DataError, match="images: in the way of a folder; move it away"):
        make(tmp_path / "a", 2, images=True, overwrite=True)
    assert contents(tmp_path) == before
    (tmp_path / "b" / "scenes.json").mkdir(parents=True)
    with pytest.raises(DataError, match=r"scenes\.json: in the way of a file"):
        make(tmp_path / "b", 2, overwrite=True)
    assert not contents(tmp_path / "b")


def test_what_the_former_data_set_had_goes(tmp_path: Path) -> None:
    """Of another kind, with pictures: nothing of it stays to be taken for a part of the new one."""
    make(tmp_path, 1, 4, images=True)
    (tmp_path / "images" / "mine.png").write_bytes(b"")
    (tmp_path / "detections.json").write_text("mine")
    make(tmp_path, 2, 2, images=True, overwrite=True)
    assert sorted(p.name for p in (tmp_path / "images").iterdir()) == [
        *(f"CLEVR_new_00000{i}.png" for i in range(2)),
        "mine.png",
    ]
    (tmp_path / "images" / "mine.png").unlink()
    write_sort_of_clevr(tmp_path, scenes=3, validation=1, overwrite=True)
    files = ["dataset.json", "detections.json", "sample.png", "settings.json", "train.npz", "validation.npz"]
    assert sorted(p.name for p in tmp_path.iterdir()) == files


def test_one_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, 1)
    before = contents(tmp_path)
    monkeypatch.setattr("nsreason.generators.clevr.scenes.TRIES", 5)
    with pytest.raises(DomainError):
        write_dataset(tmp_path, scenes=2, objects=(60, 60), overwrite=True)
    with pytest.raises(KeyError), new_dataset(tmp_path, {}, generator="nsreason", overwrite=True) as dataset:
        (dataset.folder / "scenes.json").write_text("half")
        raise KeyError
    assert contents(tmp_path) == before and sorted(p.name for p in tmp_path.iterdir()) == NAMES


def test_two_at_once(tmp_path: Path) -> None:
    make(tmp_path, 1)
    before = contents(tmp_path)
    with locked_folder(tmp_path / "other"):
        make(tmp_path / "third", 1)
    command = [sys.executable, "-m", "nsreason", "generate", "clevr", "--scenes", "2", "--out", str(tmp_path)]
    with locked_folder(tmp_path):
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.run([*command, "--overwrite"], env=env, capture_output=True, text=True, check=False)
    assert process.returncode == 2 and f"process {os.getpid()}" in process.stderr
    assert {n: d for n, d in contents(tmp_path).items() if "/" not in n} == before


# --- killed -------------------------------------------------------------------------------------------------

# Kills itself before or after the n-th change of the folder; `when` counts renames, unlinks and folders made.
KILLED = """
import os, pathlib, signal, sys
from pathlib import Path
folder, seed, scenes, images, when = sys.argv[1], *map(int, sys.argv[2:])
done = 0
def counted(name):
    real = getattr(pathlib.Path, name)
    def call(self, *rest, **named):
        global done
        inside = str(self).startswith(folder + os.sep) and not self.name.startswith(".lock")
        done += inside
        if inside and done == when:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, *rest, **named)
    setattr(pathlib.Path, name, call)
for name in ("replace", "unlink", "mkdir", "rmdir"):
    counted(name)
from nsreason.generators import write_dataset
size = (48, 32) if images else None
write_dataset(folder, scenes=scenes, questions_per_scene=2, seed=seed, images=size, overwrite=True)
print("ended", done)
"""


def killed(folder: Path, seed: int, scenes: int, images: bool, when: int) -> bool:
    """Whether the process was killed before it ended."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    numbers = map(str, (seed, scenes, int(images), when))
    command = [sys.executable, "-c", KILLED, str(folder), *numbers]
    process = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert process.returncode in (0, -signal.SIGKILL), process.stderr
    return process.returncode != 0


def readers(folder: Path, images: bool) -> list[Callable[[], object]]:
    questions, scenes = folder / "questions.json", folder / "scenes.json"
    reads: list[Callable[[], object]] = [lambda: load_scenes(scenes), lambda: list(read_questions(questions))]
    if images:
        reads += [lambda: read_detections(folder / "instances.json"), lambda: ImageFolder(folder).files]
        reads += [lambda: find_images([folder / "images"]), lambda: read_detections(scenes)]
    return reads


def whole_or_refused(folder: Path, former: dict[str, bytes], new: dict[str, bytes], images: bool) -> str:
    """What a killed process has left: the `former` data set, the `new` one, or one that every reader refuses."""
    left = contents(folder)
    for name, expected in (("former", former), ("new", new)):
        if left == expected:
            for read in readers(folder, images):
                read()
            return name
    for read in readers(folder, images):
        with pytest.raises(DataError, match=r"(?s)is not whole\n.* generate it again with --overwrite"):
            read()
    return "refused"


@pytest.mark.parametrize("images", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_killed_while_a_data_set_is_overwritten(tmp_path: Path, images: bool) -> None:
    """Killed at every change that it makes to the folder. What is left is never a mixture that anybody reads."""
    for name, seed, scenes in (("former", 1, 3), ("new", 2, 2)):
        make(tmp_path / name, seed, scenes, images=images)
    former, new = contents(tmp_path / "former"), contents(tmp_path / "new")
    seen = []
    step = 3 if images else 2
    for when in range(1, 60, step):
        folder = tmp_path / "data"
        if contents(folder) != former:
            make(folder, 1, 3, images=images, overwrite=True)
        if not killed(folder, 2, 2, images, when):
            assert contents(folder) == new
            break
        seen.append(whole_or_refused(folder, former, new, images))
    else:
        pytest.fail("it never came to its end")
    assert {"former", "refused"} <= set(seen) and seen == sorted(seen, key=("former", "refused", "new").index)
    make(folder, 2, 2, images=images, overwrite=True)  # whatever was left, it can be made again
    assert contents(folder) == new and not (folder / ".making").exists()


def test_killed_in_an_empty_folder(tmp_path: Path) -> None:
    """There is nothing to read, and nothing in the way of another attempt."""
    make(tmp_path / "new", 2, 2)
    new = contents(tmp_path / "new")
    for when in range(1, 60, 2):
        folder = tmp_path / f"data{when}"
        if not killed(folder, 2, 2, False, when):
            break
        if not contents(folder):
            with pytest.raises(DataError, match=r"scenes\.json: no such file"):
                load_scenes(folder / "scenes.json")
            make(folder, 2, 2)
        else:
            assert whole_or_refused(folder, {}, new, False) in ("refused", "new")
            make(folder, 2, 2, overwrite=True)
        assert contents(folder) == new and not (folder / ".making").exists()
    assert when > 5


def test_evaluate_refuses_what_was_killed(tmp_path: Path) -> None:
    make(tmp_path, 1)
    files = ("--questions", str(tmp_path / "questions.json"), "--scenes", str(tmp_path / "scenes.json"))
    assert CliRunner().invoke(app, ["evaluate", *files]).exit_code == 0
    manifest = json.loads((tmp_path / MANIFEST).read_bytes())
    (tmp_path / MANIFEST).write_text(json.dumps({**manifest, "state": "being put in place"}))
    outcome = CliRunner().invoke(app, ["evaluate", *files])
    assert outcome.exit_code == 2 and "is not whole" in outcome.stderr
    (tmp_path / "own.json").write_bytes((tmp_path / "scenes.json").read_bytes())
    assert len(load_scenes(tmp_path / "own.json")) == 3  # of this folder, and not of the data set


def test_arrays_of_a_mixture_are_refused(tmp_path: Path) -> None:
    write_sort_of_clevr(tmp_path, scenes=3, validation=1)
    assert len(read_sort_of_clevr(tmp_path)) == 2
    manifest = json.loads((tmp_path / MANIFEST).read_bytes())
    (tmp_path / MANIFEST).write_text(json.dumps({**manifest, "state": "being put in place"}))
    for read in (read_sort_of_clevr, read_springs, lambda folder: read_settings(folder / "settings.json")):
        with pytest.raises(DataError, match="is not whole"):
            read(tmp_path)


def test_data_sets_of_others_are_read_as_they_are(tmp_path: Path) -> None:
    make(tmp_path, 1)
    for text in (None, "{}", '{"state": "being put in place", "files": {"scenes.json": null}}', "[", "\0", "[" * 9999):
        (tmp_path / MANIFEST).unlink(missing_ok=True)
        if text is not None:
            (tmp_path / MANIFEST).write_text(text)
        assert len(load_scenes(tmp_path / "scenes.json")) == 3
    refuse_incomplete("-")
    refuse_incomplete(tmp_path / "gone" / "scenes.json")


def test_a_lock_error_is_a_data_error() -> None:
    assert issubclass(LockError, DataError)
