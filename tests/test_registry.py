"""`module:Class`: a name that a user gives is imported, also from the working directory; a name in a file is not."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nsreason.dsl.domain import load_domain
from nsreason.errors import CheckpointError, NsreasonError, RecipeError, TrustWarning
from nsreason.language.question_parser import question_parser
from nsreason.queries.query import Query
from nsreason.reasoners.fit import learn
from nsreason.reasoners.reasoner import FitRequest
from nsreason.registry import MODELS, named
from nsreason.training.budget import Budget
from nsreason.training.checkpoint import load_model, save_checkpoint
from nsreason.training.model import model_class
from nsreason.training.recipe import load_recipe, parse_recipe
from nsreason.training.run_log import write_run
from tests.support.toy_models import Toy, ToyConfig

ROOT = Path(__file__).parent.parent
TABLE = {"first": "tests.support.toy_models:Toy"}
# A module that leaves a mark wherever it is imported, and holds what a model, a task and a reasoner need to be found.
HOSTILE = """
import os, pathlib
pathlib.Path(os.environ["MARK"]).write_text("ran")
from tests.support.toy_models import Toy, ToyConfig as Config
class Model(Toy): pass
class Task: pass
"""
RECIPE = 'model = "{model}"\n[training]\naccelerator = "cpu"\nepochs = 2\nbatch_size = 4\n{rest}'


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with `hostile_module.py`; gives the path of the mark that it leaves when it is imported."""
    place = tmp_path / "here"
    place.mkdir()
    (place / "hostile_module.py").write_text(HOSTILE)
    monkeypatch.chdir(place)
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    yield tmp_path / "mark"
    sys.modules.pop("hostile_module", None)


# --- what a person names ------------------------------------------------------------------------------------


def test_the_working_directory_is_searched_for_that_import_alone(hostile: Path) -> None:
    before = list(sys.path)
    assert named("model", "hostile_module:Model", TABLE).__name__ == "Model" and hostile.exists()
    assert sys.path == before
    with pytest.raises(RecipeError, match="cannot import hostile_module2"):
        named("model", "hostile_module2:Model", TABLE)
    assert sys.path == before


def test_names_of_the_table_do_not_look_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "of_the_table.py").write_text("class Model: pass\n")
    with pytest.raises(RecipeError, match="cannot import of_the_table"):
        named("model", "first", {"first": "of_the_table:Model"})
    assert named("model", "of_the_table:Model", {"first": "of_the_table:Model"}).__name__ == "Model"
    sys.modules.pop("of_the_table")


def test_nothing_there_stands_in_for_an_installed_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fractions.py").write_text("raise SystemExit('shadowed')\n")
    (tmp_path / "own_fractions.py").write_text("import fractions\nclass Model: half = fractions.Fraction(1, 2)\n")
    sys.modules.pop("fractions", None)
    assert str(named("model", "own_fractions:Model", TABLE).half) == "1/2"
    sys.modules.pop("own_fractions")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ValueError('half-written')", "importing broken_module failed: ValueError: half-written"),
        ("class Model(:", "importing broken_module failed: SyntaxError"),
        ("import gone_altogether", "cannot import broken_module: No module named 'gone_altogether'"),
        ("Model = 3", "broken_module has no class Model"),
    ],
)
def test_a_module_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken_module.py").write_text(text)
    before = list(sys.path)
    with pytest.raises(RecipeError, match=message):
        named("model", "broken_module:Model", TABLE)
    assert sys.path == before
    sys.modules.pop("broken_module", None)


def test_a_working_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    place.rmdir()
    with pytest.raises(RecipeError, match="cannot import nowhere_at_all"):
        named("model", "nowhere_at_all:Model", TABLE)


def test_the_console_script_finds_a_module_beside_it(tmp_path: Path) -> None:
    """As installed: the script's own folder stands first on sys.path, the working directory nowhere."""
    script = tmp_path / "bin" / "nsreason"
    script.parent.mkdir()
    script.write_text("from nsreason.__main__ import main\nmain()\n")
    work = tmp_path / "work"
    (work / "my_pkg").mkdir(parents=True)
    (work / "my_pkg" / "__init__.py").write_text("")
    own = "from nsreason.reasoners.annotated_scenes import Exact\nclass Mine(Exact): pass\n"
    (work / "my_pkg" / "answers.py").write_text(own)
    (work / "json.py").write_text("raise SystemExit('shadowed')\n")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), *arguments]
        return subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False, timeout=300)

    generated = run("generate", "clevr", "--scenes", "4", "--questions-per-scene", "3", "--out", "data")
    assert generated.returncode == 0, generated.stderr
    command = ["compare", "--task", "clevr", "--data", "data", "--out", "report", "--json"]
    result = run(*command, "--reasoners", "exact,my_pkg.answers:Mine")
    assert result.returncode == 0, result.stderr
    assert "my_pkg.answers:Mine" in result.stdout and '"failure": "' not in result.stdout


# --- what a file names --------------------------------------------------------------------------------------


def checkpoint(folder: Path, model: str) -> Path:
    return save_checkpoint(folder, "last", model_name=model, model=Toy(ToyConfig()), step=1)


def test_a_checkpoint_imports_nothing(hostile: Path, tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "handed", "hostile_module:Model")
    with pytest.raises(
        CheckpointError, match=r"(?s)last\.safetensors: names the model 'hostile_module:Model'.*trust=True"
    ):
        load_model(path)
    assert not hostile.exists() and "hostile_module" not in sys.modules
    with pytest.warns(TrustWarning, match="the module 'hostile_module' is imported and its code runs"):
        assert type(load_model(path, trust=True)).__name__ == "Model"
    assert hostile.exists()


def test_a_model_that_the_caller_names_needs_no_trust(hostile: Path, tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "own", "hostile_module:Model")
    with pytest.raises(CheckpointError, match="of the model 'hostile_module:Model', not of 'lstm'"):
        load_model(path, "lstm")
    assert not hostile.exists()
    assert type(load_model(path, "hostile_module:Model")).__name__ == "Model" and hostile.exists()


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "nsreason.models.answer_networks.models:LstmModel",
        "lstmm",
        "",
        ":",
        "a:",
        ":b",
        "x" * 10_000,
        "a b:c",
    ],
)
def test_names_that_are_none_of_the_table_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_model(checkpoint(tmp_path, name))
    assert len(str(caught.value)) < 600
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrustWarning)
        with pytest.raises(NsreasonError):  # nor does trust make a model of what is none
            load_model(tmp_path / "last.safetensors", trust=True)


def test_models_of_the_table_need_no_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "toy", "tests.support.toy_models:Toy")
    assert isinstance(load_model(checkpoint(tmp_path, "toy")), Toy)


COMMANDS = {
    "ask": ["Is there a cube?", "--scene", "SCENE", "--checkpoint", "FILE"],
    "ask image": ["ask", "Is there a cube?", "--image", "IMAGE", "--checkpoint", "FILE"],
    "ask detector": ["ask", "Is there a cube?", "--image", "IMAGE", "--detector", "FILE"],
    "describe-image": ["IMAGE", "--checkpoint", "FILE"],
    "detect": ["IMAGE", "--checkpoint", "FILE"],
    "evaluate": ["FILE", "--data", "."],
    "evaluate images": ["evaluate", "--questions", "Q", "--images", ".", "--checkpoint", "FILE"],
    "concepts": ["FILE"],
    "train": ["lstm", "--recipe", "RECIPE", "--data", "."],
    "train from": ["train", "lstm", "--recipe", "rn-clevr-state", "--from", "FILE", "--data", "."],
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("trust", [False, True])
def test_no_command_imports_what_a_checkpoint_names(hostile: Path, tmp_path: Path, name: str, trust: bool) -> None:
    from PIL import Image
    from typer.testing import CliRunner

    from nsreason.cli.app import app

    folder = tmp_path / "handed"
    path = checkpoint(folder, "hostile_module:Model")
    write_run(
        folder,
        parse_recipe(RECIPE.format(model="tests.support.toy_models:Toy", rest="")),
        step=0,
        world=1,
        device="cpu",
    )
    (folder / "recipe.toml").write_text(RECIPE.format(model="hostile_module:Model", rest=""))
    Image.new("RGB", (32, 32)).save("a.png")
    Path("scene.json").write_text(json.dumps({"objects": []}))
    Path("Q").write_text(json.dumps({"questions": []}))
    given = {"FILE": str(path), "IMAGE": "a.png", "SCENE": "scene.json", "RECIPE": str(folder / "recipe.toml")}
    arguments = [given.get(a, a) for a in COMMANDS[name]]
    if name in ("ask", "describe-image", "detect", "evaluate", "concepts", "train"):
        arguments = [name, *arguments]
    result = CliRunner().invoke(app, [*arguments, *(["--trust"] if trust else [])])
    assert (result.exit_code == 2 and result.exception is None) or isinstance(result.exception, SystemExit), (
        result.output
    )
    if trust and name != "train from":
        assert hostile.exists() and "warning: " in result.output and "its code runs" in result.output
    else:
        assert not hostile.exists() and ("--trust" in result.output or name == "train from"), result.output


def test_the_recipe_of_a_run_is_a_file_that_was_handed_on(hostile: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(RECIPE.format(model="hostile_module:Model", rest=""))
    run = tmp_path / "run"
    run.mkdir()
    (run / "recipe.toml").write_text(own.read_text())
    for mark in ("run.json", "last.safetensors", "best.safetensors", "fit.json"):
        (run / mark).write_text("{}")
        with pytest.raises(RecipeError, match=r"recipe\.toml: names the model 'hostile_module:Model'"):
            load_recipe(run / "recipe.toml")
        assert not hostile.exists()
        (run / mark).unlink()
    (run / "run.json").write_text("{}")
    with pytest.warns(TrustWarning):
        assert load_recipe(run / "recipe.toml", trust=True).model == "hostile_module:Model"
    assert load_recipe(own).model == "hostile_module:Model" and hostile.exists()  # a recipe of one's own is code
    (run / "recipe.toml").write_text(RECIPE.format(model="mlp", rest='[data]\ntask = "hostile_module:Task"\n'))
    with pytest.raises(RecipeError, match="names the task 'hostile_module:Task'"):
        load_recipe(run / "recipe.toml")
    for kind, rest in (("optimizer", "optimizer = 'hostile_module:Task'"), ("schedule", "schedule.kind = 'a.b:C'")):
        (run / "recipe.toml").write_text(RECIPE.format(model="tests.support.toy_models:Toy", rest=rest))
        with pytest.raises(RecipeError, match=r"names the (model|optimizer|schedule) "):
            load_recipe(run / "recipe.toml")
        (run / "recipe.toml").write_text(RECIPE.format(model="mlp", rest=rest))
        with pytest.raises(RecipeError, match=f"names the {kind} "):
            load_recipe(run / "recipe.toml")


def test_what_was_begun_in_a_folder_imports_nothing(hostile: Path, tmp_path: Path) -> None:
    """A compare folder that was handed on: its fit.json says that another model is to be trained."""
    from tests.support.toy_models import examples as points
    from tests.support.toy_recipes import toy

    queries = [Query(i, None, None, "", {}) for i in range(4)]
    fit_request = FitRequest("toy", queries, queries, tmp_path / "own", Budget(examples=20))
    learn(toy(), fit_request, points(20), points(10, 1))
    record = tmp_path / "own" / "fit.json"
    begun: dict[str, Any] = json.loads(record.read_text())
    training = begun["planned"]["training"]
    for change in (
        {"model": "hostile_module:Model"},
        {"data": {"task": "hostile_module:Task"}},
        {"training": {**training, "optimizer": "hostile_module:Model"}},
        {"training": {**training, "schedule": {**training["schedule"], "kind": "hostile_module:Model"}}},
    ):
        record.write_text(json.dumps({**begun, "planned": begun["planned"] | change}))
        with pytest.raises(CheckpointError, match="was begun with another request: planned"):
            learn(toy(), fit_request, points(20), points(10, 1))
        assert not hostile.exists()
    record.write_text(json.dumps(begun))
    learn(toy(), fit_request, points(20), points(10, 1))


def test_a_comparison_that_was_handed_on_imports_nothing(hostile: Path, tmp_path: Path) -> None:
    """Each text in its files that could name a module names one: it is compared with what is asked for, no more."""
    from nsreason.comparison.comparer import compare
    from nsreason.generators import write_dataset

    write_dataset(tmp_path / "data", scenes=3, questions_per_scene=2, seed=1)
    out = tmp_path / "handed"
    compare("clevr", tmp_path / "data", ["exact"], out)
    for path in sorted(out.rglob("*.json")):
        whole = path.read_text()
        for name in ("clevr", "exact"):
            path.write_text(whole.replace(f'"{name}"', '"hostile_module:Model"'))
            with contextlib.suppress(NsreasonError):
                compare("clevr", tmp_path / "data", ["exact"], out)
            assert not hostile.exists() and "hostile_module" not in sys.modules, path
        path.write_text(whole)
    assert compare("clevr", tmp_path / "data", ["exact"], out).runs[0].failure is None


@pytest.mark.parametrize("name", ["../questions.lark", "/etc/passwd", "/tmp/own.lark", "sub/a.lark", "clevr.toml", ""])
def test_a_domain_file_names_no_grammar_of_elsewhere(tmp_path: Path, name: str) -> None:
    text = (ROOT / "grammars" / "clevr.toml").read_text().replace('"clevr_questions.lark"', json.dumps(name), 1)
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(NsreasonError, match="no question grammar"):
        question_parser(load_domain(tmp_path / "own.toml"))


# Where a module is imported by a name that is no literal; each was looked at, and what it imports is a table's or the
# caller's. `torchvision_imports` imports a module that a constant names, `lazy` those of a package's own list.
IMPORTING = {
    "nsreason/lazy.py",
    "nsreason/registry.py",
    "perception/detector/torchvision_imports.py",
}


def test_no_other_module_imports_by_name() -> None:
    importing = {"import_module", "_import_module", "__import__", "run_module", "run_path", "exec_module"}
    modules, running = set(), set()
    for folder in ("nsreason", "perception", "executors"):
        for path in (ROOT / folder).rglob("*.py"):
            calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
            if importing & {c.id if isinstance(c, ast.Name) else getattr(c, "attr", "") for c in calls}:
                modules.add(path.relative_to(ROOT).as_posix())
            if any(isinstance(c, ast.Name) and c.id in ("eval", "exec") for c in calls):
                running.add(path.relative_to(ROOT).as_posix())
    assert modules == IMPORTING
    assert running == {"executors/compiler.py"}  # which compiles ops, not what files say


def test_models_by_name() -> None:
    assert model_class("tests.support.toy_models:Toy") is Toy
