"""Rooms and arrows: permitted imports, no import cycles, and what importing loads.

`tests/support/layers.py` has the arrows and draws the graph.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.layers import (
    MAY_IMPORT,
    PARTS,
    ROOT,
    allowed,
    circles,
    functions,
    graph,
    imports,
    modules,
    report,
    room,
    rooms,
)
from tests.support.names import counts

MOST_LINES, MOST_LINES_OF_FUNCTION = 400, 60
ALL = modules()
DRAWN = graph()


def test_all_modules_are_found() -> None:
    assert {"nsreason", "nsreason.dsl.ops", "nsreason.executors", "nsreason.executors.soft.run"} <= set(ALL)
    named = imports("nsreason.executors.batch", ROOT / "executors" / "batch.py")
    assert {"nsreason.errors.NsreasonError", "nsreason.executors.answers.decode", "numpy"} <= named
    assert ("nsreason.executors.batch", "nsreason.executors.answers") in DRAWN.edges


@pytest.mark.parametrize("module", ALL)
def test_a_module_stands_in_a_room_and_imports_along_the_arrows(module: str) -> None:
    assert room(module) in MAY_IMPORT, f"{module} is in no room; tests/support/layers.py lists them"
    for target in DRAWN.successors(module):
        assert allowed(module, target), (
            f"{module} imports {target}: no arrow leads from {room(module)} to {room(target)}"
        )


def test_every_room_is_there() -> None:
    assert set(MAY_IMPORT) - {room(m) for m in ALL} <= {"agents"}


def test_the_arrows_go_in_no_circle() -> None:
    assert circles(DRAWN) == []
    assert circles(rooms(DRAWN)) == []


def test_a_circle_and_an_import_against_the_arrows_would_be_seen() -> None:
    drawn = DRAWN.copy()
    drawn.add_edge("nsreason.dsl.kinds", "nsreason.cli.app")
    assert "nsreason.cli.app" in circles(drawn)[0]
    assert not allowed("nsreason.dsl.kinds", "nsreason.cli.app")
    assert not allowed("nsreason.perception.letterbox", "nsreason.training.trainer")
    assert allowed("nsreason.perception.letterbox", "nsreason.training.model")


def test_the_report_names_every_room() -> None:
    text = report()
    assert all(f"\n{name} " in f"\n{text}" for name in {room(m) for m in ALL})
    assert "imports against the arrows: 0" in text


def test_no_module_imports_a_part_under_its_folder_name() -> None:
    for module, path in ALL.items():
        for target in imports(module, path):
            assert target.partition(".")[0] not in ("executors", "perception", "grammars"), f"{module}: {target}"


def test_a_checkout_offers_no_module_twice() -> None:
    """`nsreason.nsreason.dsl.ops` would be a second op table."""
    code = "import nsreason.nsreason.dsl.ops"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "No module named 'nsreason.nsreason'" in done.stderr


CORE = ("errors", "registry", "io", "pages", "dsl", "scenes", "programs", "language", "traces", "queries", "executors")
HEAVY = ("torch", "torchvision", "lightning_fabric", "safetensors")


@pytest.mark.parametrize("module", [m for m in ALL if room(m) in CORE or m == "nsreason.reasoners.reasoner"])
def test_the_core_names_no_torch(module: str) -> None:
    """Soft executors are the one place of the executors that computes with torch; images become tensors in one."""
    if module.startswith("nsreason.executors.soft") or module in (
        "nsreason.io.image_tensors",
        "nsreason.queries.image",
    ):
        return
    for target in imports(module, ALL[module]):
        assert target.partition(".")[0] not in HEAVY, f"{module} imports {target}"


def loaded(code: str) -> str:
    """What a program prints that runs in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


LOADED = """
heavy = {heavy}
print([name for name in heavy if name in sys.modules])
"""
EVERYTHING = ["torch", "torchvision", "networkx", "rich", "typer", "lark", "scipy", "PIL", "matplotlib", "jinja2"]

RUN = """
import sys
import nsreason
from nsreason.executors import execute, execute_batch
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
scene = Scene.of("clevr", [{"size": "large", "color": "red", "material": "metal", "shape": "cube"}])
program = Program([Call("scene"), Call("filter", ("red",), (0,)), Call("count", (), (1,))])
assert execute(program, scene) == 1 and execute_batch([program], [scene]) == [1]
"""


def test_exact_execution_loads_nothing_heavy() -> None:
    """Not even the parsers, which other uses need."""
    assert loaded(RUN + LOADED.format(heavy=EVERYTHING)) == "[]\n"


TEXT = """
import sys
from nsreason.programs.text_reader import parse_program
str(parse_program("count(filter[red](scene()))"))
"""


def test_reading_a_program_loads_its_parser_only() -> None:
    assert loaded(TEXT + LOADED.format(heavy=[name for name in EVERYTHING if name != "lark"])) == "[]\n"


QUERIES = """
import sys
import nsreason.data.links, nsreason.queries.image, nsreason.queries.query, nsreason.reasoners.reasoner
import nsreason.tasks, nsreason.tasks.babi, nsreason.tasks.sort_of_clevr, nsreason.tasks.springs
import nsreason.io.image_tensors
"""


def test_queries_reasoners_and_tasks_load_nothing_heavy() -> None:
    """What is asked and what answers are named here; what looks or learns is loaded when it does."""
    heavy = ["torch", "torchvision", "rich", "typer", "scipy", "PIL", "matplotlib", "jinja2"]
    assert loaded(QUERIES + LOADED.format(heavy=heavy)) == "[]\n"


def test_the_parts_are_folders_of_the_checkout() -> None:
    assert all((ROOT / folder).is_dir() for folder in PARTS)


@pytest.mark.parametrize("module", ALL)
def test_modules_and_functions_fit_a_reader(module: str) -> None:
    """ruff holds the complexity of functions (C901, at most 15)."""
    assert len(ALL[module].read_text(encoding="utf-8").splitlines()) <= MOST_LINES, f"{module}: split it by concept"
    for function in functions(module, ALL[module]):
        assert function.lines <= MOST_LINES_OF_FUNCTION, f"{function.name} has {function.lines} lines"


def test_names_that_are_retired_stay_so() -> None:
    """Variables say what they hold: `python -m tests.support.names` lists the files."""
    assert counts([*ALL.values(), *(ROOT / "benchmarks").glob("*.py"), *(ROOT / "examples").glob("*.py")]) == {}
