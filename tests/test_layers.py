"""Who may import whom: the arrows of docs/architecture.md, read from the source; and what importing costs.

Each module belongs to a layer and may import, anywhere in its text, from its own layer and those below it.
What only type checkers read (`if TYPE_CHECKING:`) binds nothing.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = {"nsreason": "nsreason", "executors": "nsreason.executors", "perception": "nsreason.perception"}

# From the bottom up. A name stands for the module and all below it; the longest name that fits counts.
LAYERS: list[tuple[str, ...]] = [
    ("nsreason.errors", "nsreason.dsl.kinds", "nsreason.io.json_numbers", "nsreason.queries.answer_text"),
    (
        *("nsreason.io.decoding", "nsreason.io.files", "nsreason.io.images", "nsreason.io.locks", "nsreason.registry"),
        "nsreason.io.unpacking",
    ),
    ("nsreason.dsl.algebra",),
    ("nsreason.dsl.ops",),
    ("nsreason.dsl.domain",),
    ("nsreason.scenes.relations",),
    ("nsreason.scenes.scene_record",),
    ("nsreason.scenes.scene",),
    ("nsreason.scenes.camera",),
    (
        "nsreason.programs.program",
        "nsreason.programs.canonical",
        "nsreason.programs.text_reader",
        "nsreason.traces.trace",
        "nsreason.queries.query",
        "nsreason.language.question_parser",
        "nsreason",
    ),
    ("nsreason.data", "nsreason.nn", "nsreason.training.model"),
    ("nsreason.perception", "nsreason.queries.image"),
    ("nsreason.executors", "nsreason.models.answer_networks"),
    ("nsreason.reasoners.reasoner", "nsreason.evaluation.answerer", "nsreason.evaluation.report"),
    (
        "nsreason.comparison.results",
        "nsreason.comparison.examples",
        "nsreason.comparison.statistics",
        "nsreason.comparison.files",
        "nsreason.comparison.html",
        "nsreason.comparison.text",
        "nsreason.comparison.tables",
        "nsreason.comparison.wording",
        "nsreason.pages.svg_plot",
    ),
    ("nsreason.models.nscl.losses", "nsreason.models.nscl.probes", "nsreason.reasoners.soft_scores"),
    (
        "nsreason.models.nscl.data",
        "nsreason.perception.detector.data",
        "nsreason.evaluation.detection_report",
        "nsreason.models.nscl.image_data",
        "nsreason.models.nscl.learner",
        "nsreason.models.nscl.concepts_map",
        "nsreason.models.nscl.concepts_page",
        "nsreason.models.nscl.embedding_maps",
        "nsreason.perception.scene_parser.data",
        "nsreason.reasoners.image_pipeline",
        "nsreason.evaluation.perception_report",
    ),
    ("nsreason.generators",),  # it executes the questions that it makes
    (
        "nsreason.training.trainer",
        "nsreason.evaluation.evaluator",
        "nsreason.evaluation.images",
        "nsreason.reasoners.asked_images",
        "nsreason.comparison.comparer",
        "nsreason.training.failures",
        "nsreason.training.recipe",
        "nsreason.recipes",
        "nsreason.training.curriculum",
        "nsreason.training.lr_schedules",
        "nsreason.io.toml",
        "nsreason.training.building",
        "nsreason.training.checkpoint",
        "nsreason.training.random_state",
        "nsreason.training.optimizer_state",
        "nsreason.training.optimizers",
        "nsreason.training.sampling",
        "nsreason.training.devices",
        "nsreason.training.run_log",
        "nsreason.training.run_state",
        "nsreason.tasks",
        "nsreason.models.answer_networks.data",
        "nsreason.reasoners.fit",
        "nsreason.reasoners.annotated_scenes",
        "nsreason.reasoners.concepts",
    ),
    ("nsreason.cli", "nsreason.__main__"),
]

# Beyond the order: these meet only at Scene and Program, although one stands higher than the other.
FORBIDDEN = [
    ("nsreason.executors", ("nsreason.perception", "nsreason.models.answer_networks", "nsreason.data")),
    ("nsreason.perception", ("nsreason.executors", "nsreason.models.answer_networks")),
    ("nsreason.models.answer_networks", ("nsreason.executors",)),
]

# `nsreason/__init__.py` names what users import; it stands above what it names.
TOP = "nsreason.__init__"


def modules() -> dict[str, Path]:
    found = {}
    for folder, package in PARTS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.relative_to(ROOT).parts[1] in ("executors", "perception"):
                continue
            name = ".".join((package, *path.relative_to(ROOT / folder).with_suffix("").parts))
            found[TOP if name == TOP else name.removesuffix(".__init__")] = path
    return found


def imports(module: str, path: Path) -> set[str]:
    """The modules that a file names, anywhere but under `if TYPE_CHECKING:`."""
    found: set[str] = set()
    package = module.removesuffix(".__init__") if path.name == "__init__.py" else module.rpartition(".")[0]
    stack: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            stack.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{source}.{alias.name}" for alias in node.names)
        stack.extend(ast.iter_child_nodes(node))
    return found


def belongs(module: str, names: tuple[str, ...]) -> int:
    """How much of the module's name one of the names is; 0 if none fits."""
    return max((len(n) for n in names if module == n or module.startswith(n + ".")), default=0)


def layer(module: str) -> int:
    return max(range(len(LAYERS)), key=lambda i: belongs(module, LAYERS[i]))


ALL = modules()


def test_all_modules_are_found() -> None:
    assert {"nsreason.dsl.ops", "nsreason.executors.bitsets", "nsreason.executors", TOP} <= set(ALL)
    told = imports("nsreason.executors.batch", ROOT / "executors" / "schedule.py")
    assert {"nsreason.errors.NsreasonError", "nsreason.executors.answers.decode", "numpy"} <= told


@pytest.mark.parametrize("module", [m for m in ALL if m != TOP])
def test_a_module_imports_from_its_own_layer_and_below(module: str) -> None:
    own = layer(module)
    for target in imports(module, ALL[module]):
        if target.startswith("nsreason."):
            assert layer(target) <= own, f"{module} imports {target}, which stands above it"


@pytest.mark.parametrize(("part", "others"), FORBIDDEN, ids=[part for part, _ in FORBIDDEN])
def test_parts_that_meet_only_at_scene_and_program(part: str, others: tuple[str, ...]) -> None:
    for module, path in ALL.items():
        if belongs(module, (part,)):
            for target in imports(module, path):
                assert not belongs(target, others), f"{module} imports {target}"


SOFT_MODULES = ("algebras", "grounding", "soft_schedule", "soft_run", "soft_faults", "quasi_symbolic")
SOFT = tuple(f"nsreason.executors.{m}" for m in SOFT_MODULES)


@pytest.mark.parametrize(
    "module",
    [
        m
        for m in ALL
        if layer(m) <= layer("nsreason.programs.program") or "executors" in m or m == "nsreason.reasoners.reasoner"
    ],
)
def test_the_core_names_no_torch_at_its_top(module: str) -> None:
    """Soft executors are the one place of the executors that computes with torch; nothing here may be."""
    if module in SOFT:
        return
    for target in imports(module, ALL[module]):
        assert target.partition(".")[0] not in ("torch", "torchvision", "lightning_fabric", "safetensors"), (
            f"{module} imports {target}"
        )


def test_no_module_imports_a_part_under_its_folder_name() -> None:
    for module, path in ALL.items():
        for target in imports(module, path):
            assert target.partition(".")[0] not in ("executors", "perception", "grammars"), f"{module}: {target}"


RUN = """
import sys
import nsreason
from nsreason.executors import execute, execute_batch
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
scene = Scene.of("clevr", [{"size": "large", "color": "red", "material": "metal", "shape": "cube"}])
program = Program([Call("scene"), Call("filter", ("red",), (0,)), Call("count", (), (1,))])
assert execute(program, scene) == 1 and execute_batch([program], [scene]) == [1]
heavy = ["torch", "torchvision", "networkx", "rich", "typer", "lark", "scipy", "PIL", "matplotlib"]
print([name for name in heavy if name in sys.modules])
"""


def test_exact_execution_loads_nothing_heavy() -> None:
    """Not even the parsers, which other uses need."""
    done = subprocess.run([sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


TEXT = """
import sys
from nsreason.programs.text_reader import parse_program
str(parse_program("count(filter[red](scene()))"))
heavy = ["torch", "torchvision", "networkx", "rich", "typer", "scipy", "PIL", "matplotlib"]
print([name for name in heavy if name in sys.modules])
"""


def test_reading_a_program_loads_its_parser_only() -> None:
    done = subprocess.run([sys.executable, "-c", TEXT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


QUERIES = """
import sys
import nsreason.data.links, nsreason.queries.image, nsreason.queries.query, nsreason.reasoners.reasoner, nsreason.tasks
import nsreason.tasks.babi, nsreason.tasks.sort_of_clevr, nsreason.tasks.springs
heavy = ["torch", "torchvision", "rich", "typer", "scipy", "PIL", "matplotlib"]
print([name for name in heavy if name in sys.modules])
"""


def test_queries_reasoners_and_tasks_load_nothing_heavy() -> None:
    """What is asked and what answers are named here; what looks or learns is loaded when it does."""
    done = subprocess.run([sys.executable, "-c", QUERIES], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
