"""Small inputs of known right value: files of other people's projects, and questions as people type them.

Needs NSREASON_DATA, the folder that holds cases/. Each case with right or wrong is printed by

    python -m tests.real.test_cases
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nsreason import execute, load_domain, parse_question
from nsreason.data.scenes import read_scenes
from nsreason.errors import ExecutionError, NsreasonError, QuestionError
from nsreason.executors import spell
from nsreason.programs.program import Program
from nsreason.programs.text_reader import parse_program
from nsreason.scenes.scene import Scene
from tests.support.english_sets import random_world, record

CASES = Path(os.environ.get("NSREASON_DATA", "")) / "cases"
pytestmark = pytest.mark.skipif(
    "NSREASON_DATA" not in os.environ or not CASES.is_dir(), reason="NSREASON_DATA has no cases/"
)

CLEVR = load_domain("clevr")


def cli(*args: object) -> tuple[int, str]:
    """Exit code and all output of a command."""
    from typer.testing import CliRunner

    from nsreason.cli.app import app

    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exception is None or isinstance(result.exception, SystemExit | NsreasonError), result.exception
    return result.exit_code, result.output


# --- questions on a scene ------------------------------------------------------------------------------------


def answer(question: str, scene: Scene) -> str:
    return str(spell(execute(parse_question(question, CLEVR), scene)))


def answered_or_refused(folder: Path) -> None:
    """Every question has the answer of the table, or is refused; objects are answered by their numbers."""
    (scene,) = (s for s in read_scenes(next(folder.glob("scene*.json"))) if isinstance(s, Scene))
    for row in json.loads((folder / "questions.json").read_text())["questions"]:
        try:
            answer_text = answer(row["question"], scene)
        except QuestionError:
            continue
        right = str(row["answer"]).split(" or ")[-1]
        spellings = (right, f"[{right}]", f"({right},)")
        assert answer_text in spellings or answer_text.split()[-1:] == [right], f"{row['question']}: {answer_text}"


def unicode_questions(folder: Path) -> None:
    rows = json.loads((folder / "questions.json").read_text())["questions"]
    plain = parse_question("What color is the cube?", CLEVR)
    forgiven = 0
    for row in rows:
        text = row["question"]
        bare = "".join(c if c.isascii() else " " for c in text)
        try:
            program = parse_question(text, CLEVR)
        except QuestionError as error:
            letters = [c for c in unicodedata.normalize("NFC", text) if not c.isascii() and c.isalpha()]
            assert letters or "\U0001f914" in text or not bare.strip(" ?") or "&amp;" in text or "`" in text, error
            continue
        forgiven += program == plain or str(program) == str(plain)
    assert forgiven >= 9, forgiven


def hint_is_another_word(folder: Path) -> None:
    for text, word in (("What is the most common shape?", "common"), ("Are the cubes alike in every way?", "every")):
        with pytest.raises(QuestionError) as caught:
            parse_question(text, CLEVR)
        assert word not in caught.value.near


PERSON_TYPED = {
    "Are there as many cylinders as there are cubes?": (
        "equal_integer(count(filter[cylinder](scene())), count(filter[cube](scene())))"
    ),
    "The yellow thing is in front of how many objects?": "count(relate[behind](unique(filter[yellow](scene()))))",
    "How many things is the ball to the left of?": "count(relate[right](unique(filter[sphere](scene()))))",
    "Remove all cubes. How many things are left?": "count(difference(scene(), filter[cube](scene())))",
}


def person_typed(folder: Path) -> None:
    for question in (folder / "questions.txt").read_text().splitlines():
        if question in PERSON_TYPED:
            agrees(question, parse_program(PERSON_TYPED[question], CLEVR), may_refuse=False)


def worlds(n: int = 150) -> Iterator[Scene]:
    rng = Random(23)
    for _ in range(n):
        yield Scene.from_dict(record(random_world(rng, 6)), CLEVR)


def answers(program: Program) -> list[str | None]:
    spelled: list[str | None] = []
    for scene in worlds():
        try:
            spelled.append(str(spell(execute(program, scene))))
        except ExecutionError:
            spelled.append(None)
    return spelled


def agrees(question: str, reference: Program, *, may_refuse: bool = True) -> bool:
    """Whether the question was answered; its answers are the reference's wherever both have one."""
    try:
        program = parse_question(question, CLEVR)
    except QuestionError:
        assert may_refuse, question
        return False
    mine, right = answers(program), answers(reference)
    both = [(a, b) for a, b in zip(mine, right, strict=True) if a is not None and b is not None]
    assert all(a == b for a, b in both), f"{question}\n{program}\nis not\n{reference}"
    assert both or not any(b is not None for b in right), f"{question}: never an answer"
    more = sum(a is not None and b is None for a, b in zip(mine, right, strict=True))
    assert more == 0, f"{question}\n{program}\nanswers {more} scenes of which the question has no answer\n{reference}"
    return True


def typed_questions() -> list[dict[str, Any]]:
    path = CASES / "questions" / "typed_questions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


# Of one thing these say what they ask; of several they have no answer.
# The larger of two is the only large one of them, and is named by what tells the two apart.
LITERAL = {
    "Which is bigger, the blue cube or the red cylinder?": (
        "query[shape](unique(filter[large](union(only(unique(filter[cube](filter[blue](scene())))), "
        "only(unique(filter[cylinder](filter[red](scene()))))))))"
    ),
    "Is the ball or the box closer to the camera?": (
        "query[shape](unique(extreme[front](union(only(unique(filter[sphere](scene()))), "
        "only(unique(filter[cube](scene())))))))"
    ),
    "Is the red box or the gray box the larger one?": (
        "query[color](unique(filter[large](union(only(unique(filter[cube](filter[red](scene())))), "
        "only(unique(filter[cube](filter[gray](scene()))))))))"
    ),
    "What are the colors of the cans?": (
        "a = filter[cylinder](scene()); query[color](unique(difference(a, same[color](unique(extreme[left](a))))))"
    ),
    "What is the object left of the yellow ball made of?": (
        "query[material](unique(relate[left](unique(filter[sphere](filter[yellow](scene()))))))"
    ),
}


def typed(row: dict[str, Any]) -> bool:
    """Whether it was answered; a question that no op can answer must be refused."""
    if row["question"] in LITERAL:
        return agrees(row["question"], parse_program(LITERAL[row["question"]], CLEVR))
    if row["program"] is not None:
        return agrees(row["question"], parse_program(row["program"], CLEVR))
    with pytest.raises(QuestionError):
        print(parse_question(row["question"], CLEVR))
    return False


QUESTIONS: dict[str, Callable[[Path], None]] = {
    "31-clevr-math-subtraction": answered_or_refused,
    "34-unicode-questions": unicode_questions,
    "70L-not-a-X-or-Y": answered_or_refused,
    "71L-neither-X": answered_or_refused,
    "72L-except-X-or-Y": answered_or_refused,
    "73L-determiner-over-a-list": answered_or_refused,
    "74L-relation-to-all-X-and-Y": answered_or_refused,
    "75L-two-alike-in-two-ways": answered_or_refused,
    "76L-any-two-differ": answered_or_refused,
    "77L-which-X-is-extreme": answered_or_refused,
    "78L-any-two-of-the-same-A-and-B": answered_or_refused,
    "79L-hint-same-word": hint_is_another_word,
    "82L-person-typed": person_typed,
}


# --- files ---------------------------------------------------------------------------------------------------


def asked(folder: Path, question: str, right: str, *options: str, scene: str = "scene.json") -> None:
    code, output = cli("ask", question, "--scene", folder / scene, *options)
    assert code == 0 and output.split()[-1:] == [right], output


def superclevr(folder: Path) -> None:
    asked(folder, "How many red things are there?", "1", "--domain", str(folder / "domain.toml"))


def derendered(folder: Path) -> None:
    asked(folder, "How many things are left of the blue ball?", "2", "--index", "0", scene="scenes.json")


def scored(folder: Path, *options: str) -> dict[str, Any]:
    scenes = folder / "scenes" if (folder / "scenes").is_dir() else folder / "scenes.json"
    code, output = cli("evaluate", "--questions", folder / "questions.json", "--scenes", scenes, *options, "--json")
    assert code in (0, 1, 2), output  # 2 where a record is told as bad
    report: dict[str, Any] = json.loads(output[output.index("{") : output.rindex("}") + 1])
    return report


def index_as_text(folder: Path) -> None:
    assert scored(folder, "--programs", "parsed")["overall"]["right"] == 1


def junk_relationships(folder: Path) -> None:
    asked(folder, "How many cubes are there?", "1")


def two_of_one_index(folder: Path) -> None:
    code, output = cli("ask", "How many cubes are there?", "--scene", folder / "scenes.json", "--index", "0")
    assert code == 2 and "0" in output and ("two" in output or "2 scenes" in output), output


def folder_of_scenes(folder: Path) -> None:
    assert len([s for s in read_scenes(folder / "scenes") if isinstance(s, Scene)]) == 3


def box_as_object(folder: Path) -> None:
    asked(folder, "How many cubes are there?", "1")


def empty_program(folder: Path) -> None:
    report = scored(folder, "--programs", "parsed")
    assert report["overall"]["right"] == 2, report
    report = scored(folder)  # no program is given: nothing is wrong, and both are told
    assert report["overall"]["right"] == report["overall"]["total"], report


def answer_spellings(folder: Path) -> None:
    report = scored(folder, "--programs", "parsed")
    assert report["overall"]["right"] == report["overall"]["total"] >= 6, report


def results(folder: Path, name: str = "results.json") -> Any:
    from nsreason.perception.detections.readers import read_detections

    return read_detections(folder / name, instances=folder / "instances.json")


def precision(folder: Path, name: str = "results.json") -> float:
    from nsreason.perception.detections.coco_evaluation import evaluate_files

    return float(evaluate_files(folder / name, folder / "instances.json", "bbox").AP or 0.0)


def no_annotations(folder: Path) -> None:
    assert len(results(folder).detections) == 2


def whole_numbers(folder: Path) -> None:
    assert precision(folder) == pytest.approx(1.0)


def not_finite(folder: Path) -> None:
    checked = results(folder)
    messages = " ".join(str(bad) for bad in checked.bad)
    assert "finite" in messages and "got str" not in messages, messages


def same_name_in_folders(folder: Path) -> None:
    assert precision(folder) == pytest.approx(1.0)
    assert precision(folder, "found_instances.json") == pytest.approx(1.0)


def no_score(folder: Path) -> None:
    try:
        messages = " ".join(str(bad) for bad in results(folder).bad)
    except NsreasonError as error:
        messages = str(error)
    assert "score" in messages


def nested_predictions(folder: Path) -> None:
    try:
        assert precision(folder) == pytest.approx(1.0)
    except NsreasonError as error:
        assert "instances" in str(error)


def official_validation(folder: Path) -> None:
    from nsreason.data.babi import load_babi

    for split in ("train", "valid", "test"):
        assert load_babi(folder, size="1k", tasks=[1], split=split).stories


def no_tabs(folder: Path) -> None:
    from nsreason.data.babi import load_babi

    try:
        loaded = load_babi(folder, size="1k", tasks=[1], split="train")
    except NsreasonError:
        return
    assert loaded.bad or loaded.stories


def comma_supports(folder: Path) -> None:
    from nsreason.data.babi import load_babi

    assert len(load_babi(folder, size="1k", tasks=[1], split="train").stories) == 3


def truncated_image(folder: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        small = {"channels": "[16, 16, 16, 16]", "blocks": "[1, 1, 1]", "pyramid": "8", "hidden": "8", "cells": "7"}
        settings = [f"model_config.small.{k}={v}" for k, v in small.items()]
        settings += ["training.epochs=1", "training.batch_size=2", "training.precision=32"]
        settings += ["model_config.classes=shape"]
        chosen = [word for setting in settings for word in ("--set", setting)]
        where = ("--data", folder, "--out", Path(place) / "run")
        code, output = cli("train", "detector", "--recipe", "detector-small", *where, *chosen)
        assert code == 0 and "CLEVR_new_00000" in output, output


FILES: dict[str, Callable[[Path], None]] = {
    "01-superclevr-pixel-coords-nested": superclevr,
    "04-nsvqa-parsed-scene-position": derendered,
    "06-image-index-string": index_as_text,
    "09-cater-relationship-rows": junk_relationships,
    "10-duplicate-image-index": two_of_one_index,
    "12-folder-of-scene-files": folder_of_scenes,
    "19-bbox-dict": box_as_object,
    "23-empty-program": empty_program,
    "24-answer-spellings": answer_spellings,
    "42-coco-test-info-no-annotations": no_annotations,
    "44-coco-float-ids": whole_numbers,
    "50-coco-zero-area-nan": not_finite,
    "51-coco-no-image-size": whole_numbers,
    "52-coco-same-name-in-folders": same_name_in_folders,
    "53-coco-missing-score": no_score,
    "55-detectron2-predictions-json": nested_predictions,
    "70-babi-en-valid": official_validation,
    "73-babi-spaces-for-tabs": no_tabs,
    "76-babi-comma-support": comma_supports,
    "99-train-truncated-image": truncated_image,
}


def folders(kind: str) -> list[str]:
    return sorted(p.name for p in (CASES / kind).iterdir() if p.is_dir()) if (CASES / kind).is_dir() else []


@pytest.mark.parametrize("name", folders("files"))
def test_files(name: str) -> None:
    FILES[name](CASES / "files" / name)


@pytest.mark.parametrize("name", folders("questions"))
def test_questions(name: str) -> None:
    QUESTIONS[name](CASES / "questions" / name)


@pytest.mark.parametrize("row", [pytest.param(row, id=row["question"]) for row in typed_questions()])
def test_typed_questions(row: dict[str, Any]) -> None:
    typed(row)


def first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]:.120}"


def main() -> None:
    """Each case with right or wrong, and how many of the typed questions are answered."""
    wrong = 0
    for kind, checks in (("files", FILES), ("questions", QUESTIONS)):
        for name in folders(kind):
            try:
                checks[name](CASES / kind / name)
                verdict = "right"
            except (Exception, pytest.fail.Exception) as error:
                verdict, wrong = f"WRONG: {first_line(error)}", wrong + 1
            print(f"{kind:9} {name:36} {verdict}")
    answered, refused = 0, 0
    for row in typed_questions():
        try:
            met = typed(row)
            answered, refused = answered + met, refused + (not met)
        except (Exception, pytest.fail.Exception) as error:
            wrong += 1
            print(f"typed     WRONG: {row['question']}: {first_line(error)}")
    print(f"typed     {answered} answered rightly, {refused} refused; wrong in all: {wrong}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
