"""Names that the project no longer uses, counted room by room: `python -m tests.support.names [FOLDER ...]`.

A variable says what it holds (`record`, `spelling`, `detections`), and a class has the term of the field.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.support.layers import PARTS, ROOT

RETIRED = frozenset(
    (
        *("told", "found", "held", "made", "looked", "sees", "rivals", "surfaces", "computed_again"),
        *("Looked", "Made", "Neural", "NeuralConfig", "NeuralData", "ReadScenes", "Executed", "Answering"),
        *("Told", "Facts", "Held", "Portion", "Picture"),
    )
)


def retired(path: Path) -> list[tuple[int, str]]:
    """Return each retired name in a file's code, with its line; texts and comments do not count."""
    text = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    names = [(t.start[0], t.string) for t in tokens if t.type == tokenize.NAME]
    if not hasattr(tokenize, "FSTRING_START"):  # before Python 3.12 an f-string is one token, with the names in it
        names += _in_f_strings(ast.parse(text))
    return [(line, name) for line, name in names if name in RETIRED]


def _in_f_strings(tree: ast.AST) -> list[tuple[int, str]]:
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {id(node): node for string in strings for node in ast.walk(string)}.values()  # once, where they are nested
    names = [(node.lineno, node.id) for node in inside if isinstance(node, ast.Name)]
    return names + [(node.lineno, node.attr) for node in inside if isinstance(node, ast.Attribute)]


def counts(paths: Iterable[Path]) -> Counter[tuple[str, str]]:
    """Count each name in each file."""
    return Counter((str(path.relative_to(ROOT)), name) for path in paths for _, name in retired(path))


def main() -> None:
    """Print the files that have any, with their counts."""
    folders = sys.argv[1:] or [*PARTS, "benchmarks", "examples"]
    by_file: dict[str, Counter[str]] = {}
    for (file, name), n in counts(p for f in folders for p in sorted((ROOT / f).rglob("*.py"))).items():
        by_file.setdefault(file, Counter())[name] += n
    for file, names in by_file.items():
        print(f"{sum(names.values()):5}  {file}  {', '.join(f'{k} {v}' for k, v in names.most_common())}")
    print(f"{sum(sum(c.values()) for c in by_file.values()):5}  together")


if __name__ == "__main__":
    main()
