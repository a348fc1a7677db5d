"""The tables of questions in tests/support/questions/: a question, then what it means, indented.

What it means is a program, or `error: part of the message @ text at the caret`, or (readings.txt) several programs,
or (scope.txt) a program and its answer on the demo scene. In a program `<red cube>` stands for all red cubes,
`<red cube: X>` for those of the set X, `<thing>` for all objects, and `the<...>` for the only one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "questions"

_SET = re.compile(r"(the)?<([a-z ]+)(?:: ([^<>]*))?>")


class Row(NamedTuple):
    """A question of a table, its line in the file, what it means, and why its answer never changes, if it does not."""

    line: int
    question: str
    meanings: tuple[str, ...]
    constant: str | None = None


def rows(name: str) -> Iterator[Row]:
    """The questions of a table."""
    question, start, meanings, constant = "", 0, list[str](), None
    for n, line in enumerate([*(FOLDER / name).read_text(encoding="utf-8").splitlines(), "end"], 1):
        if line.startswith("  constant: "):
            constant = line.strip().removeprefix("constant: ")
        elif line.startswith("  "):
            meanings.append(line.strip())
        elif line and line != "#" and not line.startswith("# "):
            if question:
                assert meanings, f"{name}:{start}: no meaning for {question!r}"
                yield Row(start, question, tuple(meanings), constant)
            question, start, meanings, constant = line, n, [], None


def program_text(short: str) -> str:
    """A program of a table, written out.

    >>> program_text("count(<red cube: relate[left](the<sphere>)>)")
    'count(filter[red](filter[cube](relate[left](unique(filter[sphere](scene()))))))'
    """
    while True:
        longer = _SET.sub(_written_out, short)
        if longer == short:
            return short
        short = longer


def _written_out(match: re.Match[str]) -> str:
    the, words, inner = match.groups()
    text = inner or "scene()"
    for word in reversed([w for w in words.split() if w != "thing"]):
        text = f"filter[{word}]({text})"
    return f"unique({text})" if the else text
