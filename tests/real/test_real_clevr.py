"""The official CLEVR scenes and questions: relations as annotated, answers as released, by every reading of a
program.

Needs NSREASON_DATA, the folder that holds clevr/CLEVR_train_scenes.json and clevr/CLEVR_train_questions.json.
The files are read with Python's json here, beside nsreason's own readers, so that a fault of those shows.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nsreason.dsl.domain import load_domain
from nsreason.executors import SceneBatch, execute, execute_batch, spell
from nsreason.programs.canonical import canonical
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene, members
from tests.support import brute_force

DATA = Path(os.environ.get("NSREASON_DATA", "")) / "clevr"
SCENES, QUESTIONS = DATA / "CLEVR_train_scenes.json", DATA / "CLEVR_train_questions.json"

pytestmark = pytest.mark.skipif(
    "NSREASON_DATA" not in os.environ or not SCENES.is_file() or not QUESTIONS.is_file(),
    reason="NSREASON_DATA has no clevr/",
)

CLEVR = load_domain("clevr")


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    """The scenes as plain data."""
    scene_records: list[dict[str, Any]] = json.loads(SCENES.read_bytes())["scenes"]
    return scene_records


@pytest.fixture(scope="module")
def scenes(records: list[dict[str, Any]]) -> list[Scene]:
    return [Scene.from_dict(record) for record in records]


@pytest.fixture(scope="module")
def asked(records: list[dict[str, Any]]) -> list[tuple[Program, int, str]]:
    """Program, place of its scene, and the released answer of each question."""
    place = {record["image_index"]: i for i, record in enumerate(records)}
    native = {name: (op, attribute) for name, op, attribute in CLEVR.native_ops()}
    queries = []
    for question in json.loads(QUESTIONS.read_bytes())["questions"]:
        calls = []
        for node in question["program"]:
            op, attribute = native[node["function"]]
            literals = tuple(node["value_inputs"])
            if op in ("query", "same"):
                literals = (attribute or "",)
            calls.append(Call(op, literals, tuple(node["inputs"])))
        queries.append((Program(calls, CLEVR), place[question["image_index"]], question["answer"]))
    return queries


def test_relations_computed_from_coordinates_are_the_annotated_ones(records: list[dict[str, Any]]) -> None:
    pairs = 0
    for record in records:
        bare = {key: value for key, value in record.items() if key != "relationships"}
        scene = Scene.from_dict(bare)
        for number, relation in enumerate(CLEVR.relations):
            rows = [list(members(row)) for row in scene.relation(number)]
            assert rows == [sorted(row) for row in record["relationships"][relation]]
            pairs += sum(map(len, rows))
    assert pairs > 50_000


def test_scenes_come_back_as_they_were(records: list[dict[str, Any]], scenes: list[Scene]) -> None:
    for record, scene in zip(records, scenes, strict=True):
        written = scene.to_dict()
        assert written["objects"] == record["objects"]
        assert written["relationships"] == {k: [sorted(r) for r in v] for k, v in record["relationships"].items()}
        assert written["directions"] == record["directions"]
        assert (written["image_index"], written["image_filename"]) == (
            record["image_index"],
            record["image_filename"],
        )


def test_every_reading_of_a_program_gives_the_released_answer(
    asked: list[tuple[Program, int, str]], records: list[dict[str, Any]], scenes: list[Scene]
) -> None:
    batch = execute_batch([p for p, _, _ in asked], SceneBatch(scenes), [i for _, i, _ in asked])
    for (program, i, answer), result in zip(asked, batch, strict=True):
        assert not isinstance(result, Exception)
        assert spell(result) == answer
        assert spell(execute(program, scenes[i])) == answer
        assert spell(brute_force.evaluate(program, records[i])) == answer
    assert len(asked) > 9000


def test_canonical_programs_give_the_released_answers(
    asked: list[tuple[Program, int, str]], scenes: list[Scene]
) -> None:
    """Filters of the release stand in one order, so this merges what differs otherwise, and saves calls."""
    forms = [canonical(program) for program, _, _ in asked]
    for form, (_, i, answer) in zip(forms, asked, strict=True):
        assert spell(execute(form, scenes[i])) == answer
    assert sum(map(len, forms)) < sum(len(program) for program, _, _ in asked)
    assert len(set(forms)) < len({program for program, _, _ in asked})
