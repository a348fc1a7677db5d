"""Question files: both layouts of the official ones, and damaged ones."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.data import BadRecord, QuestionRecord, read_questions, write_questions
from nsreason.errors import DataError, NsreasonError, ProgramError

RELEASED = {
    "question": "How many red things are there?",
    "program": [
        {"function": "scene", "inputs": [], "value_inputs": []},
        {"function": "filter_color", "inputs": [0], "value_inputs": ["red"]},
        {"function": "count", "inputs": [1], "value_inputs": []},
    ],
    "answer": "3",
    "image_index": 4,
    "image_filename": "4.png",
    "question_index": 40,
    "question_family_index": 2,
    "template_filename": "zero_hop.json",
    "split": "val",
}
RAW = RELEASED | {
    "program": [
        {"type": "scene", "inputs": [], "_output": [0, 1]},
        {"type": "filter_color", "inputs": [0], "side_inputs": ["red"], "_output": [1]},
        {"type": "count", "inputs": [1], "_output": 3},
    ],
    "answer": 3,
}


def read(path: Path, content: object) -> list[QuestionRecord | BadRecord]:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return list(read_questions(path))


def question(record: QuestionRecord | BadRecord) -> QuestionRecord:
    assert isinstance(record, QuestionRecord), record
    return record


@pytest.mark.parametrize("given", [RELEASED, RAW])
@pytest.mark.parametrize("layout", ["official", "list", "single", "lines"])
def test_both_layouts_read_alike(given: dict[str, Any], layout: str, tmp_path: Path) -> None:
    text = json.dumps(given).encode()
    content = {
        "official": {"info": {}, "questions": [given]},
        "list": [given],
        "single": given,
    }
    read_back = read(tmp_path / "a", content.get(layout, text + b"\n" + text))
    record = question(read_back[0])
    assert (record.index, record.image_index, record.image_filename, record.answer) == (40, 4, "4.png", "3")
    told_of = record.question_family_index, record.template_filename, record.split
    assert told_of == (2, "zero_hop.json", "val")
    program = record.given_program()
    assert program is not None and str(program) == "count(filter[red](scene()))"


@pytest.mark.parametrize(
    ("answer", "spelled"),
    [
        *((True, "yes"), (False, "no"), (0, "0"), (1, "1"), ("red", "red"), (None, None)),
        *(("Yes", "yes"), (" yes\n", "yes"), ("True", "yes"), ("FALSE", "no"), ("Metal", "metal"), (1.0, "1")),
        *(("01", "1"), ("1.0", "1"), ("+3", "3"), ("000", "0"), (" 0  2 ", "0 2"), ("1.5", "1.5"), ("", "")),
    ],
)
def test_answers_are_spelled_as_released(answer: object, spelled: str | None, tmp_path: Path) -> None:
    (record,) = map(question, read(tmp_path / "a", [RELEASED | {"answer": answer}]))
    assert record.answer == spelled


def test_what_is_missing_is_none_or_the_position(tmp_path: Path) -> None:
    content = [{"question": "x"}, {"program": None, "image_index": 3}]
    records = [question(q) for q in read(tmp_path / "a", content)]
    assert [q.index for q in records] == [0, 1]
    assert records[0].image_index is records[0].answer is records[1].program is records[1].question is None
    assert records[1].given_program() is None


@pytest.mark.parametrize("none", [None, [], {}, ""])
def test_a_program_without_nodes_is_none(none: object, tmp_path: Path) -> None:
    text = json.dumps(RELEASED | {"program": none}, indent=2).encode()
    (record,) = map(question, read(tmp_path / "a", text))
    assert record.program is None and record.given_program() is None


def test_what_is_only_carried_along_may_be_of_any_type(tmp_path: Path) -> None:
    odd = {"question_family_index": "f7", "template_filename": 3, "split": ["val"]}
    content = [RELEASED | odd | {"question_index": "0012", "image_index": "4"}]
    content += [RELEASED | {"question_index": q, "image_index": 4.0} for q in ("q7", 7.0, [1], None, True)]
    records = [question(q) for q in read(tmp_path / "a", content)]
    assert [q.index for q in records] == [12, 1, 7, 3, 4, 5] and {q.image_index for q in records} == {4}
    assert {k: records[0].to_dict()[k] for k in odd} == odd


def test_bad_records_cost_no_other(tmp_path: Path) -> None:
    records = [RELEASED, RELEASED | {"answer": 0.5}, 7, RELEASED | {"image_index": "x"}, RELEASED]
    results = read(tmp_path / "a", {"questions": records})
    assert [isinstance(f, BadRecord) for f in results] == [False, True, True, True, False]
    assert "a truth or a whole number, got 0.5 - at `$.questions[1].answer`" in str(results[1])
    assert "an image_index is a whole number, got 'x' - at `$.questions[3].image_index`" in str(results[3])


def test_nan_in_one_record(tmp_path: Path) -> None:
    results = read(tmp_path / "a", [RELEASED, RELEASED | {"extra": [0, float("nan")]}, RELEASED])
    assert [isinstance(f, BadRecord) for f in results] == [False, True, False]
    assert "a number is not finite - at `$[1].extra[1]`" in str(results[1])


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (5, r"Expected `array`, got `int`"),
        ([{"function": "sceen", "inputs": []}], "no function 'sceen'.*'scene'"),
        ([{"function": "count", "inputs": [0]}], "not an earlier"),
        ([{"inputs": []}], "function"),
    ],
)
def test_a_program_is_read_when_asked_for(program: object, message: str, tmp_path: Path) -> None:
    (record,) = map(question, read(tmp_path / "a", [RELEASED | {"program": program}]))
    with pytest.raises(ProgramError, match=message):
        record.given_program()


def test_scenes_given_for_questions(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds scenes, not questions"):
        read(tmp_path / "a", {"scenes": []})


def test_questions_are_written_as_they_are_read(tmp_path: Path) -> None:
    first = [question(q) for q in read(tmp_path / "a", [RELEASED, {"question": "x"}])]
    assert write_questions(tmp_path / "b", first, info={"split": "val"}) == 2
    assert list(read_questions(tmp_path / "b")) == first
    assert json.loads((tmp_path / "b").read_bytes())["questions"][0] == RELEASED


def test_memory_does_not_grow_with_the_questions_read(tmp_path: Path) -> None:
    text = json.dumps(RELEASED).encode() + b"\n"
    (tmp_path / "a").write_bytes(text * 4000)
    questions = read_questions(tmp_path / "a")
    next(questions)
    tracemalloc.start()
    count = sum(1 for _ in questions)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 3999
    assert peak < 100 * len(text)


PIECES = [b"", b"NaN", b"{", b"}", b"]", b'"', b"\n", b"\xff", b"-1", b"null", b"[", b"true"]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    layout = draw(st.sampled_from([{"questions": [RELEASED, RAW]}, [RAW, RELEASED], RELEASED]))
    data = bytearray(json.dumps(layout).encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        new = draw(st.sampled_from(PIECES))
        data[at : at + draw(st.integers(0, 5))] = new
    return bytes(data)


@given(damaged())
def test_damage_ends_in_records_or_typed_errors(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    try:
        results = read(tmp_path_factory.mktemp("fuzz") / "a", data)
    except DataError:
        return
    for record in results:
        if isinstance(record, QuestionRecord):
            try:
                record.given_program()
            except NsreasonError as error:
                assert str(error)
