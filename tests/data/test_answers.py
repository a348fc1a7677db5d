"""Reference answers: one spelling, and those that no domain has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.data.answers import normalise_answer, reference_answer
from nsreason.dsl.domain import load_domain, parse_domain
from nsreason.dsl.kinds import NUMBER, OBJECTS
from nsreason.errors import DataError
from nsreason.evaluation.question_files import evaluate_files
from nsreason.queries.answer_text import same_answer
from nsreason.queries.query import Query, Reply

CLEVR = load_domain("clevr")


@given(st.sampled_from(["yes", "no", "red", "metal", "cube", "0", "7", "12"]), st.data())
def test_case_space_and_zeros_do_not_matter(answer: str, data: st.DataObject) -> None:
    shown = [answer, answer.upper(), answer.title(), f" {answer}\n", f"\t{answer.upper()}"]
    spelled = data.draw(st.sampled_from(shown))
    if answer.isdigit():
        spelled = data.draw(st.sampled_from([answer, f"00{answer}", f"{answer}.0", f" +{answer} "]))
    assert normalise_answer(spelled) == answer == normalise_answer(answer) == reference_answer(spelled, CLEVR)


@given(st.text(max_size=20) | st.integers() | st.floats() | st.booleans())
def test_normalising_twice_is_normalising_once(answer: Any) -> None:
    once = normalise_answer(answer)
    assert normalise_answer(once) == once


@pytest.mark.parametrize("answer", ["one", "rde", "", "1.5", "-1", "n/a", "yes!"])
def test_what_is_no_answer_of_the_domain_is_told(answer: str) -> None:
    with pytest.raises(DataError, match=f"the reference answer '{answer}' is none of the answers in domain 'clevr'"):
        reference_answer(answer, CLEVR, NUMBER)


@pytest.mark.parametrize(
    ("reply", "asked", "right"),
    [("yes", "Yes", True), ("Metal", "metal ", True), ("1", "01", True), ("no", "yes", False)],
)
def test_replies_are_scored_by_the_same_rule(reply: str, asked: str, right: bool) -> None:
    assert Reply(reply).right(Query(0, "x", asked, "query", {})) == right == same_answer(reply, asked)
    assert not Reply(None).right(Query(0, "x", None, "query", {})) and not same_answer(None, None)


def test_sets_and_their_absence() -> None:
    assert reference_answer(None, CLEVR) is None
    assert reference_answer("0 2 5", CLEVR, OBJECTS) == "0 2 5" and reference_answer("", CLEVR, OBJECTS) == ""


def test_values_are_spelled_as_the_domain_spells_them() -> None:
    text = Path(__file__).parent.parent.parent / "examples" / "own_domain.toml"
    domain = parse_domain(text.read_text().replace("values.red]", "values.Red]"))
    assert "Red" in domain.concepts and reference_answer("RED", domain) == "Red"


THING = {"size": "large", "color": "red", "material": "metal", "shape": "cube"}
SCENES = {"scenes": [{"image_index": 0, "objects": [THING]}]}


def test_spellings_are_scored_alike_and_what_cannot_be_right_is_not_scored(tmp_path: Path) -> None:
    asked = {"Is there a red thing?": ["Yes", "True", " yes ", True], "What material is the cube?": ["Metal"]}
    asked |= {"How many red things are there?": ["1", "01", 1.0, 1, "one", "many"]}
    records = [{"question": q, "answer": a, "image_index": 0} for q, answers in asked.items() for a in answers]
    (tmp_path / "s.json").write_text(json.dumps(SCENES))
    (tmp_path / "q.json").write_text(json.dumps({"questions": records}))
    out = tmp_path / "out.jsonl"
    report = evaluate_files(tmp_path / "q.json", tmp_path / "s.json", programs="parsed", out=out)
    assert (report.overall.right, report.overall.total, report.bad.count) == (9, 9, 2)
    assert "'one' is none of the answers in domain 'clevr'" in str(report.bad.examples[0])
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [t["status"] for t in lines] == ["right"] * 9 + ["bad"] * 2
    assert "`$.questions[9].answer`" in lines[9]["error"]["message"]


def test_an_answer_of_another_kind_is_wrong_and_not_bad(tmp_path: Path) -> None:
    """It may be the program that is wrong: a question whose reading is of another kind must not leave the accuracy."""
    record = {"question": "How many red things are there?", "answer": "red", "image_index": 0}
    (tmp_path / "s.json").write_text(json.dumps(SCENES))
    (tmp_path / "q.json").write_text(json.dumps([record]))
    report = evaluate_files(tmp_path / "q.json", tmp_path / "s.json", programs="parsed")
    assert (report.overall.right, report.overall.total, report.bad.count) == (0, 1, 0)


@pytest.mark.parametrize("none", [[], None])
def test_an_empty_program_is_none_and_not_wrong(tmp_path: Path, none: Any) -> None:
    record = {"question": "How many red things are there?", "answer": "1", "image_index": 0, "program": none}
    (tmp_path / "s.json").write_text(json.dumps(SCENES))
    (tmp_path / "q.json").write_text(json.dumps([record]))
    report = evaluate_files(tmp_path / "q.json", tmp_path / "s.json")
    assert (report.overall.total, report.bad.count) == (0, 1) and "parsed programs may do" in str(report.bad.examples)
    assert evaluate_files(tmp_path / "q.json", tmp_path / "s.json", programs="parsed").accuracy == 1
