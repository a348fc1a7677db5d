"""The official CLEVR files, whole: every answer right, every parsed program equivalent to the given one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsreason.data import QuestionRecord, load_scenes, read_questions, write_questions, write_scenes
from nsreason.evaluation.question_files import Programs, evaluate_files

DATA = Path(os.environ.get("NSREASON_DATA", "")) / "clevr"
QUESTIONS, SCENES = DATA / "CLEVR_train_questions.json", DATA / "CLEVR_train_scenes.json"

pytestmark = pytest.mark.skipif(
    "NSREASON_DATA" not in os.environ or not QUESTIONS.is_file(), reason="NSREASON_DATA has no clevr/"
)


@pytest.mark.parametrize("programs", ["given", pytest.param("parsed", marks=pytest.mark.slow)])
def test_every_official_answer_is_right(programs: Programs) -> None:
    report = evaluate_files(QUESTIONS, SCENES, programs=programs, on_error="raise")
    assert report.questions == report.overall.right > 9000
    assert report.bad.count == report.bad_scenes.count == 0
    assert set(report.by_type) == {"count", "exist", "compare number", "compare attribute", "query"}
    assert len(report.by_op) == 13
    assert report.match.right == report.match.total == (report.questions if programs == "parsed" else 0)


def test_official_files_come_back_as_written(tmp_path: Path) -> None:
    scenes = load_scenes(SCENES)
    write_scenes(tmp_path / "scenes.json.gz", scenes, info=scenes.info)
    again = load_scenes(tmp_path / "scenes.json.gz")
    assert [s.to_dict() for s in again] == [s.to_dict() for s in scenes]
    questions = [q for q in read_questions(QUESTIONS) if isinstance(q, QuestionRecord)]
    assert len(questions) > 9000
    write_questions(tmp_path / "questions.json", questions)
    assert list(read_questions(tmp_path / "questions.json")) == questions
