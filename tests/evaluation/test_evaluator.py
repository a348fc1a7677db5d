"""Evaluation of whole files: counts, error policies, prediction files, resuming, several processes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from nsreason.data import QuestionRecord, load_scenes, read_questions
from nsreason.errors import DataError, DomainError, NsreasonError
from nsreason.evaluation import question_files
from nsreason.evaluation.judge import Unanswered
from nsreason.evaluation.question_files import Programs, evaluate_files
from nsreason.evaluation.report import Report
from nsreason.executors import execute
from nsreason.executors.lenient import execute_leniently
from nsreason.programs.text_reader import parse_program
from nsreason.queries.scores import wilson
from nsreason.scenes.scene import Scene

RED = {"size": "large", "color": "red", "material": "metal", "shape": "cube"}
BLUE = {"size": "small", "color": "blue", "material": "metal", "shape": "sphere"}
LEFT = {"left": [[1], []], "right": [[], [0]], "behind": [[], [0]], "front": [[1], []]}
SCENES = [
    {"image_index": 0, "image_filename": "0.png", "objects": [RED, BLUE], "relationships": LEFT},
    {"image_index": 1, "image_filename": "1.png", "objects": []},
    {"image_index": 2, "image_filename": "2.png", "objects": [RED | {"color": "rod"}]},
    {"image_index": 3, "image_filename": "3.png", "objects": [RED, RED, BLUE]},
]


def nodes(*calls: str) -> list[dict[str, Any]]:
    """A chain of calls: `filter_color red`, `count`."""
    functions = []
    for i, call in enumerate(calls):
        name, *values = call.split()
        functions.append({"function": name, "inputs": [i - 1] if i else [], "value_inputs": values})
    return functions


COUNT = nodes("scene", "filter_color red", "count")
COLOR = nodes("scene", "filter_color red", "unique", "query_color")
SHAPE = nodes("scene", "unique", "query_shape")
EXIST = nodes("scene", "unique", "same_color", "exist")

QUESTIONS: list[dict[str, Any]] = [
    {"image_index": 0, "question": "How many red things are there?", "program": COUNT, "answer": 1},
    {"image_index": 0, "question": "How many red things are there?", "program": COUNT, "answer": "2"},
    {"image_index": 0, "question": "What color is the red thing?", "program": COLOR, "answer": "red"},
    {"image_index": 3, "question": "What color is the red thing?", "program": COLOR, "answer": "red"},  # two
    {"image_index": 1, "question": "What shape is the thing?", "program": SHAPE, "answer": "cube"},  # none
    {"image_index": 1, "question": "Is there another?", "program": EXIST, "answer": "no"},  # none, so no
    {"image_index": 2, "question": "How many red things are there?", "program": COUNT, "answer": 1},
    {"image_index": 0, "question": "How many red things are there?", "program": COUNT},  # no reference
    {"image_index": 0, "question": "How many?", "program": nodes("scene", "cuont"), "answer": 1},
    {"image_index": "zero"},
    {"image_filename": "0.png", "question": "x", "program": nodes("scene", "exist"), "answer": True},
]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    questions, scenes = tmp_path / "questions.json", tmp_path / "scenes.json"
    questions.write_text(json.dumps({"questions": QUESTIONS}))
    scenes.write_text(json.dumps({"scenes": SCENES}))
    return questions, scenes


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def counts(report: Report) -> dict[str, Any]:
    """Return the report without what depends on the clock or the number of processes."""
    record = report.to_dict()
    for name in ("seconds", "questions_per_second", "settings", "resumed"):
        del record[name]
    return record


def test_everything_is_counted_once(files: tuple[Path, Path], tmp_path: Path) -> None:
    report = evaluate_files(*files, out=tmp_path / "p.jsonl")
    predictions = [(p["status"], p["prediction"]) for p in lines(tmp_path / "p.jsonl")]
    assert predictions == [
        ("right", "1"),
        ("wrong", "1"),
        ("right", "red"),
        ("right", "red"),  # the first of the two
        ("wrong", None),  # the absent object has no shape
        ("right", "no"),  # and nothing shares its color
        ("bad", None),
        ("unscored", "1"),
        ("wrong", None),
        ("bad", None),
        ("right", "yes"),
    ]
    assert (report.questions, report.overall.right, report.overall.total) == (11, 5, 8)
    assert (report.unscored, report.skipped, report.bad.count, report.bad_scenes.count) == (1, 0, 2, 1)
    assert {k: (f.count, f.answered) for k, f in report.failures.items()} == {
        "NotUnique": (3, 2),
        "ConversionError": (1, 0),
    }
    by_type = {k: (s.right, s.total) for k, s in report.by_type.items()}
    assert by_type == {"count": (1, 2), "query": (2, 3), "exist": (2, 2), "unknown": (0, 1)}
    assert report.by_op["query", "query_color"].total == 2
    assert report.accuracy == 5 / 8


def test_messages_say_where(files: tuple[Path, Path], tmp_path: Path) -> None:
    evaluate_files(*files, out=tmp_path / "p.jsonl")
    messages = [(p["error"] or {}).get("message", "") for p in lines(tmp_path / "p.jsonl")]
    assert "2 objects: 0 (large red metal cube)" in messages[3]
    assert "no scene has the image_index 2" in messages[6] and "1 more are not valid" in messages[6]
    assert "`$.questions[6]`" in messages[6]
    assert "`$.questions[9].image_index`" in messages[9]


def test_skipped_questions_are_not_scored(files: tuple[Path, Path]) -> None:
    report = evaluate_files(*files, on_error="skip")
    assert (report.skipped, report.overall.right, report.overall.total) == (4, 3, 4)


@pytest.mark.parametrize("jobs", [1, 2])
def test_raise_names_the_question(files: tuple[Path, Path], jobs: int) -> None:
    message = r"question 3 \(What color is the red thing\?\): node 2: unique.* met 2 objects"
    with pytest.raises(Unanswered, match=message) as caught:
        evaluate_files(*files, on_error="raise", jobs=jobs)
    assert caught.value.record()["question_index"] == 3
    assert caught.value.cause["kind"] == "NotUnique"


def test_parsed_programs_are_compared_with_the_given(files: tuple[Path, Path], tmp_path: Path) -> None:
    report = evaluate_files(*files, programs="parsed", out=tmp_path / "p.jsonl")
    matches = [p["program_match"] for p in lines(tmp_path / "p.jsonl")]
    assert matches[:5] == [True, True, True, True, True]
    assert matches[8] is None  # the given one is no program
    assert matches[10] is False and report.failures["QuestionError"].count >= 1
    assert report.match.total == matches.count(True) + matches.count(False)


def test_a_chunk_boundary_changes_nothing(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate_files(*files)
    monkeypatch.setattr(question_files, "CHUNK", {"given": 3, "parsed": 3})
    seen: list[tuple[int, int | None]] = []
    assert counts(evaluate_files(*files, progress=lambda done, total: seen.append((done, total)))) == counts(whole)
    assert seen == [(0, 11), (3, 11), (6, 11), (9, 11), (11, 11)]


@pytest.mark.parametrize("programs", ["given", "parsed"])
def test_processes_change_nothing(
    programs: Programs, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question_files, "CHUNK", {"given": 2, "parsed": 2})
    one = evaluate_files(*files, programs=programs, out=tmp_path / "one.jsonl")
    two = evaluate_files(*files, programs=programs, out=tmp_path / "two.jsonl", jobs=2)
    assert counts(one) == counts(two)
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_dead_worker_is_reported(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question_files, "_work", _die)
    with pytest.raises(DataError, match="a worker process ended before its time"):
        evaluate_files(*files, jobs=2)


def test_values_in_memory_do_as_well(files: tuple[Path, Path]) -> None:
    records = [q for q in read_questions(files[0]) if isinstance(q, QuestionRecord)]
    report = evaluate_files(records, load_scenes(files[1]).scenes)
    assert (report.overall.right, report.overall.total, report.bad.count) == (5, 8, 1)


def test_limit_and_nothing(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert evaluate_files(*files, limit=2).questions == 2
    empty = evaluate_files(*files, limit=0, out=tmp_path / "p.jsonl")
    assert empty.accuracy is None and (tmp_path / "p.jsonl").read_bytes() == b""
    assert "- |" in empty.to_markdown()


def test_files_of_two_splits_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "q").write_text(json.dumps([QUESTIONS[0] | {"image_filename": "val_0.png"}]))
    (tmp_path / "s").write_text(json.dumps(SCENES))
    report = evaluate_files(tmp_path / "q", tmp_path / "s")
    assert "are the two files of one split" in str(report.bad.examples[0]["message"])


def test_a_scene_without_relations_fails_its_own_questions(tmp_path: Path) -> None:
    calls = nodes("scene", "filter_color red", "unique", "relate left", "count")
    bare = {k: v for k, v in SCENES[0].items() if k != "relationships"} | {"image_index": 5}
    asked = [{"image_index": i, "program": calls, "answer": 1} for i in (0, 5)]
    (tmp_path / "q").write_text(json.dumps(asked))
    (tmp_path / "s").write_text(json.dumps([SCENES[0], bare]))
    report = evaluate_files(tmp_path / "q", tmp_path / "s")
    assert report.overall.right == 1 and report.failures["SceneError"].count == 1


@pytest.mark.parametrize(
    "options",
    [{"programs": "guessed"}, {"on_error": "ignore"}, {"jobs": 0}, {"limit": -1}, {"resume": True}],
)
def test_wrong_options(options: dict[str, Any], files: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError):
        evaluate_files(*files, **options)


def test_a_wrong_domain(files: tuple[Path, Path]) -> None:
    with pytest.raises(DomainError, match="no domain"):
        evaluate_files(*files, domain="clever")


# --- prediction files
# ------------------------------------------------------------------------------------------


class _StopError(Exception):
    pass


def interrupted(files: tuple[Path, Path], out: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return the file that an evaluation leaves when it ends after its second chunk of three questions."""
    monkeypatch.setattr(question_files, "CHUNK", {"given": 3, "parsed": 3})

    def stop(done: int, total: int | None) -> None:
        if done == 6:
            raise _StopError

    with pytest.raises(_StopError):
        evaluate_files(*files, out=out, progress=stop)
    assert not out.exists()
    return Path(f"{out}.partial").read_bytes()


@pytest.mark.parametrize("end", [b"", b'{"question_index": 6, "sta', b"{}\n{}\n", b"\xff\n"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_resuming_gives_what_one_run_gives(
    end: bytes, jobs: int, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate_files(*files, out=tmp_path / "whole.jsonl")
    out = tmp_path / "p.jsonl"
    left = interrupted(files, out, monkeypatch)
    assert left.count(b"\n") == 7
    Path(f"{out}.partial").write_bytes(left + end)
    report = evaluate_files(*files, out=out, resume=True, jobs=jobs)
    assert report.resumed == 6 and counts(report) == counts(whole)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not Path(f"{out}.partial").exists()


def test_resuming_with_other_inputs_is_an_error(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "p.jsonl"
    left = interrupted(files, out, monkeypatch)
    with pytest.raises(DataError, match="was begun with other on_error; give the same"):
        evaluate_files(*files, out=out, resume=True, on_error="skip")
    files[1].write_text(json.dumps(SCENES[:2]))
    with pytest.raises(DataError, match="was begun with other scenes"):
        evaluate_files(*files, out=out, resume=True)
    assert Path(f"{out}.partial").read_bytes() == left
    Path(f"{out}.partial").write_bytes(b"something else\n")
    with pytest.raises(DataError, match="not a partial prediction file"):
        evaluate_files(*files, out=out, resume=True)


def test_without_resume_a_run_starts_anew(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(files, tmp_path / "p.jsonl", monkeypatch)
    assert evaluate_files(*files, out=tmp_path / "p.jsonl").resumed == 0
    assert len(lines(tmp_path / "p.jsonl")) == len(QUESTIONS)


def test_an_output_that_cannot_be_written_is_found_first(files: tuple[Path, Path], tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "no" / "p.jsonl"):
        with pytest.raises(DataError, match="cannot be written"):
            evaluate_files(*files, out=out, progress=lambda *_: pytest.fail("began"))


def test_a_file_whose_name_is_no_unicode_is_named_in_predictions(files: tuple[Path, Path], tmp_path: Path) -> None:
    scenes, out = tmp_path / "caf\udce9.json", tmp_path / "p.jsonl"
    scenes.write_text(json.dumps(SCENES[:1]))
    evaluate_files(files[0], scenes, out=out)
    messages = [line["error"]["message"] for line in lines(out) if line["status"] == "bad"]
    assert any(r"caf\udce9.json" in message for message in messages)


def test_standard_output(files: tuple[Path, Path], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    evaluate_files(*files, out="-")
    assert len(capfdbinary.readouterr().out.splitlines()) == len(QUESTIONS)


# --- the report
# ------------------------------------------------------------------------------------------------


def test_the_report_in_three_forms(files: tuple[Path, Path]) -> None:
    report = evaluate_files(*files, programs="parsed")
    record = json.loads(json.dumps(report.to_dict()))
    assert record["overall"]["total"] == 8 and record["by_op"]["query_color"]["type"] == "query"
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(report.table())
    console.file.close()
    for text in (console.export_text(), report.to_markdown().replace("\\_", "_")):
        assert "query_color" in text and "program match" in text and "bad scene records" in text
    assert "| **all** | 8 |" in report.to_markdown()


def test_wilson_intervals() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    for right, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)):
        assert wilson(right, total) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 60), st.integers(1, 60))
def test_the_interval_holds_the_proportion(right: int, total: int) -> None:
    low, high = wilson(min(right, total), total)
    assert 0 <= low <= min(right, total) / total <= high <= 1


# --- the lenient rule
# ------------------------------------------------------------------------------------------

TWO = Scene.from_dict(SCENES[0])
NONE = Scene.from_dict(SCENES[1])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("query[color](unique(scene()))", "red"),
        ("query[color](unique(filter[green](scene())))", None),
        ("unique(filter[green](scene()))", None),
        ("unique(scene())", 0),
        ("count(relate[left](unique(filter[green](scene()))))", 0),
        ("count(relate[left](unique(scene())))", 1),
        ("exist(same[color](unique(filter[green](scene()))))", False),
        ("count(only(unique(filter[green](scene()))))", 0),
        ("less(count(only(unique(filter[green](scene())))), count(scene()))", True),
        ("equal(query[size](unique(filter[green](scene()))), query[size](unique(scene())))", False),
        ("equal_object(unique(filter[green](scene())), unique(filter[green](scene())))", False),
        ("equal_object(unique(scene()), unique(filter[red](scene())))", True),
        ("same[color](unique(filter[green](scene())))", ()),
    ],
)
def test_the_lenient_rule(text: str, answer: object) -> None:
    assert execute_leniently(parse_program(text), TWO) == answer


@pytest.mark.parametrize("text", ["count(scene())", "query[color](unique(filter[red](scene())))", "scene()"])
def test_the_lenient_rule_is_exact_where_there_is_an_exact_answer(text: str) -> None:
    program = parse_program(text)
    assert execute_leniently(program, TWO) == execute(program, TWO)


# --- damage
# ----------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_damaged_files_end_in_a_report_or_a_typed_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for name, content in (("q", QUESTIONS), ("s", SCENES)):
        text = bytearray("\n".join(json.dumps(c) for c in content).encode())
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(text)))
            new = data.draw(st.sampled_from([b"", b"NaN", b"{", b"]", b'"', b"\n", b"\xff", b"null", b"99"]))
            text[at : at + data.draw(st.integers(0, 4))] = new
        (folder / name).write_bytes(bytes(text))
    try:
        report = evaluate_files(folder / "q", folder / "s", out=folder / "p")
    except NsreasonError as error:
        assert str(error)
    else:
        assert report.overall.total + report.unscored + report.skipped + report.bad.count == report.questions
        assert len(lines(folder / "p")) == report.questions
