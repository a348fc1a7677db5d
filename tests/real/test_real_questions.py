"""The official CLEVR questions: each parses to a program equivalent to the official one, with the released answer; and
the official programs can be said.

Needs NSREASON_DATA, the folder that holds clevr/CLEVR_train_scenes.json and clevr/CLEVR_train_questions.json.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsreason.data.questions import QuestionRecord, read_questions
from nsreason.data.scenes import read_scenes
from nsreason.dsl.domain import load_domain
from nsreason.executors import execute, spell
from nsreason.language.describe import describe
from nsreason.language.question_parser import parse_question, readings
from nsreason.programs.canonical import equivalent
from nsreason.scenes.scene import Scene

DATA = Path(os.environ.get("NSREASON_DATA", "")) / "clevr"
SCENES, QUESTIONS = DATA / "CLEVR_train_scenes.json", DATA / "CLEVR_train_questions.json"

pytestmark = pytest.mark.skipif(
    "NSREASON_DATA" not in os.environ or not SCENES.is_file() or not QUESTIONS.is_file(),
    reason="NSREASON_DATA has no clevr/",
)


@pytest.fixture(scope="module")
def records() -> list[QuestionRecord]:
    question_records = [record for record in read_questions(QUESTIONS) if isinstance(record, QuestionRecord)]
    assert len(question_records) > 9000
    return question_records


@pytest.fixture(scope="module")
def scenes() -> dict[int | None, Scene]:
    return {scene.index: scene for scene in read_scenes(SCENES) if isinstance(scene, Scene)}


def test_every_official_question_means_its_program(
    records: list[QuestionRecord], scenes: dict[int | None, Scene]
) -> None:
    for record in records:
        assert record.question is not None
        parsed, official = parse_question(record.question), record.given_program()
        assert official is not None and equivalent(parsed, official), f"{record.question}\n{parsed}\n{official}"
        assert spell(execute(parsed, scenes[record.image_index])) == record.answer, record.question


def test_every_official_program_can_be_said(records: list[QuestionRecord]) -> None:
    for seed, record in enumerate(records[::7]):
        official = record.given_program()
        assert official is not None
        for question in (describe(official), describe(official, seed)):
            assert equivalent(parse_question(question), official), question


def test_the_official_reading_comes_first(records: list[QuestionRecord]) -> None:
    several = 0
    for record in records[::50]:
        official = record.given_program()
        assert record.question is not None and official is not None
        candidates = readings(record.question)
        assert equivalent(candidates[0], official)
        several += len(candidates) > 1
    assert several > 10  # 'the cube that is left of the ball that is behind the cylinder'


def test_slips_do_not_matter_to_official_questions(records: list[QuestionRecord]) -> None:
    clevr = load_domain("clevr")
    for record in records[::20]:
        assert record.question is not None
        official = record.given_program()
        slipped = record.question.upper().replace("?", " ").replace(" THE ", "\tthe  ").replace("GRAY", "grey")
        assert official is not None and equivalent(parse_question(slipped, clevr), official), slipped
