"""Comparisons as data: the best run, right answers, and a JSON round trip without loss."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nsreason.comparison.results import ComparedQuestion, Comparison, ReasonerRun
from nsreason.errors import DataError
from tests.support import comparisons


@pytest.mark.parametrize("name", comparisons.ALL)
def test_json_gives_back_what_was_written(name: str) -> None:
    comparison = comparisons.ALL[name]()
    record = json.loads(json.dumps(comparison.to_dict()))
    assert Comparison.from_dict(record) == Comparison.from_dict(comparison.to_dict())
    back = Comparison.from_dict(record)
    assert (back.runs, back.queries, back.examples) == (comparison.runs, comparison.queries, comparison.examples)
    assert dict(back.trained) == dict(comparison.trained) and json.loads(json.dumps(back.to_dict())) == record


def test_places_of_errors_are_numbers_again() -> None:
    record = json.loads(json.dumps(comparisons.small().to_dict()))
    assert record["runs"][2]["errors"] == {"1": "unsure", "3": "lost"}
    assert Comparison.from_dict(record).runs[2].errors == {1: "unsure", 3: "lost"}


def test_what_is_no_comparison_is_refused_with_the_place() -> None:
    record = comparisons.small().to_dict()
    record["runs"][0]["answers"] = 3
    with pytest.raises(DataError, match=r"not a comparison: .*runs.*answers"):
        Comparison.from_dict(record)
    with pytest.raises(DataError, match="queries"):
        Comparison.from_dict({"settings": {}})


def test_parts_that_do_not_fit_each_other_are_no_comparison(tmp_path: Path) -> None:
    path, record = tmp_path / "comparison.json", comparisons.small().to_dict()
    path.write_text(json.dumps(record))
    assert Comparison.from_json(path.read_bytes(), path) == Comparison.from_dict(record)
    for change, message in (
        ({"queries": record["queries"][:3]}, "exact: 4 answers to 3 questions"),
        ({"examples": [{"place": 4}]}, "an example of question 4, of 4"),
        ({"trained": {"objects": [3]}}, "Expected `array` of length 2"),
        ({"bad": 10**30}, "Expected `int` <="),
        ({"settings": {"seed": 10**30}}, "settings.seed: a whole number of at most 64 bits"),
    ):
        with pytest.raises(DataError, match=f"comparison.json: not a comparison: .*{message}.*; remove it"):
            Comparison.from_json(json.dumps(record | change).encode(), path)
        with pytest.raises(DataError, match=f"a dict: not a comparison: .*{message}"):
            Comparison.from_dict(record | change)
    with pytest.raises(DataError, match="a dict: not a comparison"):
        Comparison.from_dict({"settings": object()})


def test_right_answers() -> None:
    comparison = comparisons.small()
    exact, none, some, failed = comparison.runs
    assert comparison.right(exact) == [True] * 4 and comparison.right(none) == [False] * 4
    assert comparison.right(some) == [True, False, True, False] and comparison.right(failed) == []


def test_no_answer_is_never_right() -> None:
    comparison = Comparison(
        {}, (ComparedQuestion(0, None, None, "count"),), (ReasonerRun("lstm", "neural", answers=(None,)),)
    )
    assert comparison.right(comparison.runs[0]) == [False]


def test_the_best_run_has_the_most_questions_of_those_that_worked() -> None:
    comparison = comparisons.small()
    assert [(r.reasoner, r.size) for r in comparison.best()] == [("exact", None), ("lstm", 20), ("mlp", 20)]
    worse = replace(comparison, runs=(*comparison.runs, ReasonerRun("lstm", "neural", 90, failure="lost")))
    assert [(r.reasoner, r.size) for r in worse.best()] == [("exact", None), ("lstm", 20), ("mlp", 20)]
    turned = replace(comparison, runs=comparison.runs[::-1])
    assert {r.title for r in turned.best()} == {"exact", "lstm, 20 questions", "mlp, 20 questions"}
