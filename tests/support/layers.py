"""The import graph of nsreason: rooms, levels, arrows and circles; sizes of modules and functions.

    python -m tests.support.layers                 of this checkout
    python -m tests.support.layers --root FOLDER   of another one

An import counts wherever it stands in a module, in functions too; only what type checkers alone read
(`if TYPE_CHECKING:`) binds nothing.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import networkx as nx

ROOT = Path(__file__).parents[2]
PARTS = {"nsreason": "nsreason", "executors": "nsreason.executors", "perception": "nsreason.perception"}

CORE = ("errors", "registry", "io", "dsl", "scenes", "programs")
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "errors": (),
    "lazy": (),
    "registry": ("errors",),
    "io": ("errors",),
    "pages": ("errors", "io"),
    "dsl": ("errors", "registry", "io"),
    "scenes": ("errors", "registry", "io", "dsl"),
    "programs": ("errors", "registry", "io", "dsl", "scenes"),
    "language": CORE,
    "traces": (*CORE, "pages"),
    "queries": (*CORE, "language", "traces"),
    "data": (*CORE, "language", "traces", "queries"),
    "executors": ("errors", "registry", "dsl", "scenes", "programs", "traces"),
    "training": ("errors", "registry", "io"),
    "recipes": (),
    "perception": ("errors", "registry", "io", "pages", "dsl", "scenes", "data", "training.model"),
    "models": (*CORE, "pages", "language", "traces", "queries", "data", "tasks", "training", "executors", "perception"),
    "agents": ("errors", "registry", "scenes", "training"),
    "tasks": (*CORE, "language", "queries", "data", "perception"),
    "generators": (*CORE, "pages", "language", "data", "executors", "perception"),
    "reasoners": (*CORE, "language", "traces", "queries", "data", "training", "executors", "perception", "models"),
    "evaluation": (
        *(*CORE, "language", "traces", "queries", "data", "executors", "perception", "reasoners"),
        *("pages", "training"),
    ),
    "comparison": (*CORE, "pages", "traces", "queries", "data", "training", "tasks", "reasoners", "evaluation"),
    "cli": ("*",),
    "nsreason": ("*",),  # `nsreason/__init__.py`: the names that users import
    "__main__": ("*",),
}
"""Room -> the rooms (or single modules of them) that it may import from, besides itself. A room is a folder of
nsreason, or executors/ or perception/; a module that is in none of them fails tests/test_layers.py. `pages` knows
tables and templates, not what stands in them: rooms whose results are shown write them as its tables.
"""


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Return every module by its dotted name; a package under its own name."""
    paths = {}
    for folder, package in PARTS.items():
        for path in sorted((root / folder).rglob("*.py")):
            name = ".".join((package, *path.relative_to(root / folder).with_suffix("").parts))
            paths[name.removesuffix(".__init__")] = path
    return paths


def imports(module: str, path: Path) -> set[str]:
    """Return the dotted names that a file imports, anywhere but under `if TYPE_CHECKING:`."""
    names: set[str] = set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    stack: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            stack.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            names.update(f"{source}.{alias.name}" for alias in node.names)
        stack.extend(ast.iter_child_nodes(node))
    return names


def room(module: str) -> str:
    """The room of a module: the first part of its name below nsreason, or `nsreason` of the package itself."""
    return module.split(".")[1] if "." in module else "nsreason"


def allowed(module: str, target: str) -> bool:
    """Whether a module may import another one."""
    here, there = room(module), room(target)
    if here == there or there == "lazy" or target == "nsreason":  # `from nsreason import __version__`
        return True
    below = target.removeprefix("nsreason.")
    return any(n in ("*", there) or below == n or below.startswith(f"{n}.") for n in MAY_IMPORT.get(here, ()))


def graph(root: Path = ROOT) -> nx.DiGraph:
    """Modules of nsreason, with an arrow from each to those that it imports."""
    known = modules(root)
    drawn = nx.DiGraph()
    drawn.add_nodes_from(known)
    for module, path in known.items():
        for name in imports(module, path):
            target = name if name in known else name.rpartition(".")[0]
            if target in known and target != module:
                drawn.add_edge(module, target)
    return drawn


def rooms(drawn: nx.DiGraph) -> nx.DiGraph:
    """Return the same graph with rooms in place of modules."""
    by_room = nx.DiGraph()
    by_room.add_nodes_from(room(m) for m in drawn)
    by_room.add_edges_from((room(a), room(b)) for a, b in drawn.edges if room(a) != room(b))
    return by_room


def circles(drawn: nx.DiGraph) -> list[list[str]]:
    """The groups of modules (or rooms) that import each other."""
    return sorted(sorted(c) for c in nx.strongly_connected_components(drawn) if len(c) > 1)


def levels(drawn: nx.DiGraph) -> int:
    """The longest chain of imports; those that import each other count as one."""
    return 1 + int(nx.dag_longest_path_length(nx.condensation(drawn)))


@dataclass(frozen=True, slots=True)
class Function:
    """A function: where it stands, its lines, its cyclomatic complexity."""

    name: str
    lines: int
    complexity: int


_BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.comprehension, ast.match_case)


def functions(module: str, path: Path) -> list[Function]:
    """Return the functions of a file, with their methods and those inside; docstrings count as lines."""
    measured = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            own, stack = 1, list(ast.iter_child_nodes(node))
            while stack:
                inner = stack.pop()
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                own += isinstance(inner, _BRANCHES) + (len(inner.values) - 1 if isinstance(inner, ast.BoolOp) else 0)
                stack.extend(ast.iter_child_nodes(inner))
            measured.append(Function(f"{module}.{node.name}", (node.end_lineno or 0) - node.lineno + 1, own))
    return measured


def report(root: Path = ROOT) -> str:
    """Return the figures of a tree as lines of text."""
    known, drawn = modules(root), graph(root)
    lines = {m: len(p.read_text(encoding="utf-8").splitlines()) for m, p in known.items()}
    by_room = rooms(drawn)
    counts, weight = Counter(map(room, known)), Counter(dict.fromkeys(by_room, 0))
    for module, n in lines.items():
        weight[room(module)] += n
    measured = [f for module, path in known.items() for f in functions(module, path)]
    sizes = [n for m, n in lines.items() if known[m].name != "__init__.py"]
    largest = max(lines, key=lambda m: lines[m])
    longest, knotted = max(measured, key=lambda f: f.lines), max(measured, key=lambda f: f.complexity)
    rows = [f"{'room':<14}{'modules':>8}{'lines':>8}  imports from"]
    for name in sorted(by_room, key=lambda r: (len(nx.descendants(by_room, r)), r)):
        rows.append(f"{name:<14}{counts[name]:>8}{weight[name]:>8}  {', '.join(sorted(by_room[name]))}")
    wrong = sorted(f"{a} -> {b}" for a, b in drawn.edges if not allowed(a, b))
    rows += [
        "",
        f"rooms {len(by_room)}, levels of rooms {levels(by_room)}, arrows {by_room.number_of_edges()}, "
        f"circles {circles(by_room) or 0}",
        f"modules {len(known)}, levels {levels(drawn)}, arrows {drawn.number_of_edges()}, "
        f"circles {circles(drawn) or 0}",
        f"lines of a module: median {median(sizes):g}, largest {lines[largest]} ({largest})",
        f"functions {len(measured)}: longest {longest.lines} lines ({longest.name}), "
        f"highest complexity {knotted.complexity} ({knotted.name})",
        f"over 60 lines: {sum(f.lines > 60 for f in measured)}, over complexity 15: "
        f"{sum(f.complexity > 15 for f in measured)}",
        f"imports against the arrows: {len(wrong)}",
        *(f"  {w}" for w in wrong),
    ]
    return "\n".join(rows)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help="a checkout; this one if not given")
    print(report(parser.parse_args().root))


if __name__ == "__main__":
    main()
