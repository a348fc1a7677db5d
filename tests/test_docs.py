"""Every block of code in README.md and docs/*.md: commands exist with their options, and all of it runs.

Blocks run in the order of their page, in a folder that has the files that the pages name, on less data.
A block that cannot run has `<!-- not run: REASON -->` above it; `<!-- file: NAME -->` says that a Python block is a
file, which is run as one.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from nsreason.cli.app import app
from nsreason.data.babi_tasks import NAMES
from nsreason.dsl.ops import OpTable

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
LANGUAGES = {"console", "sh", "python", "toml", "text"}


@dataclass(frozen=True)
class Block:
    """A fenced block: where its first line stands, and what the comments above it say."""

    page: str
    line: int
    language: str
    text: str
    file: str | None = None
    why_not: str | None = None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """The command lines of a console block, those that go on behind a backslash in one."""
        joined = re.sub(r"\\\n\s*", " ", self.text)
        lines = [line for line in joined.splitlines() if line.strip()]
        if any(line.startswith("$ ") for line in lines):
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return lines


def blocks(path: Path) -> Iterator[Block]:
    notes: dict[str, str] = {}
    inside: list[str] | None = None
    language, start = "", 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("```"):
            if inside is None:
                inside, language, start = [], line.removeprefix("```"), number + 1
            else:
                text = "\n".join(inside) + "\n"
                yield Block(path.name, start, language, text, notes.get("file"), notes.get("not run"))
                inside, notes = None, {}
        elif inside is not None:
            inside.append(line)
        elif note := re.fullmatch(r"<!-- (file|not run): (.+) -->", line):
            notes[note[1]] = note[2]
        elif line.strip() and not line.startswith("<!--"):
            notes = {}


ALL = {page.name: list(blocks(page)) for page in PAGES}
CONSOLE = [b for page in ALL.values() for b in page if b.language in ("console", "sh")]


@pytest.mark.parametrize("page", ALL)
def test_every_block_says_what_it_is(page: str) -> None:
    for block in ALL[page]:
        assert block.language in LANGUAGES, f"{block.place}: a block of '{block.language}'"
        assert block.why_not is None or len(block.why_not) > 5
        code = block.commands() if block.language in ("console", "sh") else [block.text]
        if block.language != "text" and block.language != "toml":
            assert all("..." not in re.sub(r"#.*", "", line) for line in code), f"{block.place}: cannot be copied"


def test_what_is_not_run_is_known() -> None:
    """A list to be read before it grows."""
    assert [f"{b.page}: {b.why_not}" for page in ALL.values() for b in page if b.why_not] == [
        "README.md: it installs the package that the test runs",
        "README.md: it runs the test that would run it",
        "tasks.md: it installs",
        "training.md: it needs two machines",
    ]


@pytest.mark.parametrize("block", CONSOLE, ids=[b.place for b in CONSOLE])
def test_commands_exist_with_their_options(block: Block) -> None:
    """Arguments are read, nothing is run."""
    group: Any = typer.main.get_command(app)
    for line in block.commands():
        words = shlex.split(line.rpartition(" | ")[2], comments=True)
        if "nsreason" not in words or block.why_not:
            assert block.why_not or words[0] in ("python", "ls"), f"{block.place}: {line}"
            continue
        words = words[words.index("nsreason") + 1 :]
        context = group.make_context("nsreason", words[:1])
        command, rest = group.commands[words[0]], words[1:]
        if hasattr(command, "commands"):
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(command.name, list(rest), parent=context)


@pytest.mark.parametrize("page", ALL)
def test_toml_blocks_are_toml(page: str) -> None:
    for block in ALL[page]:
        if block.language == "toml":
            tomllib.loads(block.text)


# --- the files that pages name --------------------------------------------------------------------------------

STORY = "1 Mary moved to the bathroom.\n2 John went to the hallway.\n3 Where is Mary? \tbathroom\t1\n"


def invoke(*args: str) -> None:
    result = CliRunner().invoke(app, list(args), env={"COLUMNS": "100"})
    assert result.exit_code == 0, (args, result.output, result.exception)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files and folders that the pages name."""
    place = tmp_path_factory.mktemp("docs")
    invoke("demo", "--out", str(place / "demo"))
    shutil.copy(place / "demo" / "scene.json", place / "scene.json")
    shutil.copy(place / "demo" / "picture.png", place / "photo.png")
    drawn = place / "rendered"
    invoke("generate", "clevr", "--scenes", "10", "--images", "--out", str(drawn))
    for name in ("photos", "annotated"):
        shutil.copytree(drawn, place / name)
    invoke("generate", "clevr", "--scenes", "40", "--out", str(place / "data"))
    for name in ("clevr", "synthetic"):
        shutil.copytree(place / "data", place / name)
    shutil.copytree(drawn / "images", place / "images")
    shutil.copytree(drawn / "images", place / "images" / "val")
    for name in ("scenes", "questions"):
        shutil.copy(drawn / f"{name}.json", place / f"{name}.json")
        shutil.copy(drawn / f"{name}.json", place / f"CLEVR_val_{name}.json")
    shutil.copy(drawn / "instances.json", place / "instances_val.json")
    instances = json.loads((drawn / "instances.json").read_text(encoding="utf-8"))
    keys = ("image_id", "category_id", "bbox", "segmentation")
    results = [{**{k: a[k] for k in keys if k in a}, "score": 0.9} for a in instances["annotations"]]
    (place / "results.json").write_text(json.dumps(results), encoding="utf-8")
    invoke("generate", "sort-of-clevr", "--scenes", "10", "--validation", "2", "--out", str(place / "sort"))
    for size in ("en", "en-10k"):
        folder = place / "tasks_1-20_v1-2" / size
        folder.mkdir(parents=True)
        for number, name in enumerate(NAMES, start=1):
            for part in ("train", "test"):
                (folder / f"qa{number}_{name}_{part}.txt").write_text(STORY * 12, encoding="utf-8")
    return place


SMALLER = [
    (r"(generate clevr .*)--scenes \d+(.*--images|(?=.*--images))", r"\1--scenes 10\2"),
    (r"(generate clevr .*)--scenes \d{3,}", r"\1--scenes 40"),
    (r"(generate (?:sort-of-clevr|springs) .*)--scenes \d+ --validation \d+", r"\1--scenes 10 --validation 2"),
    (r"--jobs \d+", "--jobs 1"),
    (r"--budget \d+s", "--budget 200q"),
    (r"--sizes [\d,]+", "--sizes 50,100"),
    (r"(train detector .*)", r"\1 --set training.batch_size=1 --set training.workers=0 --set training.max_examples=2"),
    (r"(train concept-learner .*clevr-image.*)", r"\1 --set curriculum.preset=nscl-release"),
    (r"(train (?!detector).*)", r"\1 --set training.batch_size=20"),
    (r"(train .*)", r"\1 --set training.epochs=1"),
]
"""What a page asks for, and the less of it that is run."""


def smaller(command: str) -> str:
    command = re.sub(r"\s+#.*$", "", command)
    for pattern, less in SMALLER:
        command = re.sub(pattern, less, command, count=1)
    return command


def run_command(line: str, place: str, expected: tuple[int, ...] = (0,)) -> None:
    """Run a command line; a question may have no answer on data that are not the page's."""
    piped = None
    if " | " in line:
        left, _, line = line.rpartition(" | ")
        piped = shlex.split(left, comments=True)[1] + "\n"
    line = smaller(line)
    words = shlex.split(line)
    if words[0] == "ls":
        return
    if words[:2] == ["nsreason", "generate"]:
        shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)  # whoever follows the page has none yet
        if words[2] == "springs" and find_spec("mujoco") is None:
            pytest.skip("the extra `physics` is not installed")
    if words[0] == "python" or "--devices" in words:  # which start further processes of the same command
        command = [sys.executable, *(["-m"] if words[0] == "nsreason" else []), *words[words[0] == "python" :]]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=600)
        assert done.returncode == 0, f"{place}: {line}\n{done.stdout}{done.stderr}"
        if "--devices" in words:
            assert done.stdout.count("to learn from") == 1, f"{place}: every process prints\n{done.stdout}"
        return
    may = (*expected, 1) if words[1] in ("ask", "execute") else expected
    result = CliRunner().invoke(app, words[1:], input=piped, env={"COLUMNS": "100"})
    assert result.exit_code in may, f"{place}: {line}\n{result.output}{result.exception!r}"


def run_python(block: Block, names: dict[str, Any]) -> None:
    text = block.text.replace("Budget(seconds=60)", "Budget(examples=200)")
    if block.file is not None:
        Path(block.file).write_text(text, encoding="utf-8")
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, block.file]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=600)
        assert done.returncode == 0, f"{block.place}\n{done.stderr}"
        assert done.stdout, f"{block.place}: prints nothing"
        return
    exec(compile("\n" * (block.line - 1) + text, block.page, "exec"), names)


def expected_codes(block: Block, command: str) -> tuple[int, ...]:
    """Return the exit codes that a command may have: 2 where the transcript shows an error."""
    after = block.text.partition(f"$ {command}\n")[2]
    shown = after.partition("\n$ ")[0]
    return (2,) if shown.startswith("error") or '"error"' in shown else (0,)


RUNS = [page for page in ALL if any(b.language in ("console", "sh", "python") and not b.why_not for b in ALL[page])]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNS)
def test_every_block_runs(
    page: str, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_ops: OpTable
) -> None:
    place = tmp_path / "page"
    shutil.copytree(world, place)
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(place)
    names: dict[str, Any] = {"__name__": "docs"}
    for block in ALL[page]:
        if block.why_not:
            continue
        if block.language in ("console", "sh"):
            for command in block.commands():
                run_command(command, block.place, expected_codes(block, command))
        elif block.language == "python":
            run_python(block, names)


def test_blocks_are_found_and_joined(tmp_path: Path) -> None:
    """The reader of this file, on a page of its own."""
    page = tmp_path / "page.md"
    console = "<!-- not run: no network -->\n```console\n$ a \\\n    b\nout\n$ c\n```\n"
    page.write_text(console + "words\n\n<!-- file: f.py -->\n```python\nx\n```\n", encoding="utf-8")
    first, second = blocks(page)
    assert (first.commands(), first.why_not, first.line) == (["a  b", "c"], "no network", 3)
    assert (second.file, second.why_not, second.text) == ("f.py", None, "x\n")
    assert smaller("nsreason generate clevr --scenes 1000 --images --out d").count("--scenes 10 ") == 1
    assert smaller("nsreason generate clevr --scenes 1000 --out d  # x").endswith("clevr --scenes 40 --out d")
