"""Every program of the official CLEVR questions, through every dialect and back. Needs NSREASON_DATA."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nsreason.programs.canonical import canonical, equivalent
from nsreason.programs.dialects.registry import DIALECTS, ClevrNode, from_clevr, read_program, to_clevr, write_program
from nsreason.programs.program import Program

_FILE = Path(os.environ.get("NSREASON_DATA", "/nowhere")) / "clevr" / "CLEVR_train_questions.json"
pytestmark = pytest.mark.skipif(not _FILE.is_file(), reason="NSREASON_DATA has no CLEVR questions")


class _Question(msgspec.Struct):
    program: list[ClevrNode]


class _Typed(msgspec.Struct):
    questions: list[_Question]


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    file = msgspec.json.decode(_FILE.read_bytes(), type=_Typed)
    return [from_clevr(question.program) for question in file.questions]


def _tree(nodes: list[dict[str, Any]]) -> Any:
    """The nodes as one tree: official files write some branches interleaved, programs one after the other."""
    trees: list[Any] = []
    for node in nodes:
        trees.append((node["function"], node["value_inputs"], [trees[i] for i in node["inputs"]]))
    return trees[-1]


def test_the_official_nodes_come_back(programs: list[Program]) -> None:
    questions = msgspec.json.decode(_FILE.read_bytes())["questions"]
    assert len(programs) == len(questions) == 9_330
    for program, question in zip(programs, questions, strict=True):
        nodes = to_clevr(program)
        assert len(nodes) == len(question["program"])
        assert _tree(nodes) == _tree(question["program"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_there_and_back(programs: list[Program], dialect: str) -> None:
    # These programs are trees with at most one op of two inputs: no dialect loses anything of them.
    for program in dict.fromkeys(programs):
        assert read_program(write_program(program, dialect), dialect) == program


def test_canonical_forms(programs: list[Program]) -> None:
    for program in dict.fromkeys(programs):
        form = canonical(program)
        assert canonical(form) == form
        assert equivalent(form, program)
        assert len(form) <= len(program)
