"""Metrics: figures worked out by hand, parts that add up, names that are refused."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.errors import DataError, RecipeError
from nsreason.queries.choices import Choice, taken
from nsreason.queries.query import Query, Reply
from nsreason.queries.scoring import Figure, Metric, make_metric, make_metrics
from nsreason.registry import METRICS
from tests.support.toy_choices import FIGURES, Pointing, queries


def figures(names: Sequence[str], asked: Sequence[Query], replies: Sequence[Reply]) -> dict[str, Figure]:
    metrics = make_metrics(names)
    for query, reply in zip(asked, replies, strict=True):
        for metric in metrics:
            metric.add(query, reply)
    return {name: metric.figure for name, metric in zip(names, metrics, strict=True)}


def test_grounded_choices_have_the_figures_worked_out_by_hand() -> None:
    asked = queries()
    got = figures(list(FIGURES), asked, Pointing().answer(asked))
    assert {name: (f.value, f.total) for name, f in got.items()} == {
        name: (pytest.approx(value), total) for name, (value, total) in FIGURES.items()
    }
    assert got["joint"].unit == "pairs" and got["per-option"].unit == "options"


@given(st.integers(0, 6))
def test_parts_add_up_to_the_whole(cut: int) -> None:
    asked = queries()
    replies = Pointing().answer(asked)
    for name in FIGURES:
        parts = []
        for part in (slice(0, cut), slice(cut, None)):
            metric = make_metric(name)
            for query, reply in zip(asked[part], replies[part], strict=True):
                metric.add(query, reply)
            parts.append(metric)
        parts[0].merge(parts[1])
        assert parts[0].figure.value == pytest.approx(figures([name], asked, replies)[name].value)


def test_free_answers() -> None:
    asked = [Query(i, None, answer, "count", {}) for i, answer in enumerate(["3", "5", "red", None, "2"])]
    replies = [
        Reply("3", {"3": 0.6, "4": 0.4}),
        Reply("8", {"8": 0.5, "5": 0.3, "1": 0.2}),
        Reply("blue"),
        Reply("1"),
        Reply(None, error=DataError("no idea")),
    ]
    got = figures(["accuracy", "recall@1", "recall@2", "l1", "per-option", "joint"], asked, replies)
    assert (got["accuracy"].value, got["accuracy"].total) == (1 / 4, 4)
    assert (got["recall@1"].value, got["recall@2"].value) == (1 / 4, 2 / 4)
    assert (got["l1"].value, got["l1"].total, got["l1"].missing) == ((0 + 3) / 2, 2, 1)
    assert got["per-option"].value is None and got["per-option"].text == "-" and got["joint"].total == 0
    assert got["accuracy"].text == "25.00 %" and got["l1"].text == "1.5000"


def test_which_choices_are_taken() -> None:
    choices = [Choice.of("a b"), Choice.of("c"), Choice(("see", (0, 2)))]
    assert choices[2].text == "see [0,2]"
    assert taken(choices, None, (0.2, 0.7, 0.6), several=False) == (False, True, False)
    assert taken(choices, None, (0.2, 0.7, 0.6), several=True) == (False, True, True)
    assert taken(choices, None, (0.5, 0.5, 0.1), several=False) == (True, False, False)
    assert taken(choices, "See [0,2]", (), several=False) == (False, False, True)
    with pytest.raises(DataError, match="2 option scores for 3 choices"):
        taken(choices, None, (0.2, 0.7), several=False)
    with pytest.raises(DataError, match="not finite"):
        taken(choices, None, (0.2, math.nan, 0.1), several=True)


def test_a_query_without_a_reply_is_wrong_on_every_option() -> None:
    asked = queries()[4:5]
    got = figures(["per-option", "accuracy"], asked, [Reply(None, error=DataError("lost"))])
    assert (got["per-option"].value, got["per-option"].total, got["accuracy"].value) == (0.0, 3, 0.0)


def test_a_pair_without_its_other_half_is_not_counted() -> None:
    asked = queries()[:3]
    assert figures(["joint"], asked, Pointing().answer(asked))["joint"].total == 1


class Own(Metric):
    name = "own"

    def add(self, query: Query, reply: Reply) -> None:
        pass

    def merge(self, other: Own) -> None:
        pass

    @property
    def figure(self) -> Figure:
        return Figure("own", 7.0, 1, "questions", share=False)


def test_names() -> None:
    for name in METRICS:
        assert make_metric(f"{name}@3" if name == "recall" else name).figure.total == 0
    assert str(make_metric(f"{__name__}:Own")) == "own 7.0000 of 1 questions"
    assert len(make_metrics(["accuracy", "l1", "accuracy"])) == 2
    for wrong, message in {
        "acuracy": "no metric 'acuracy'; did you mean 'accuracy'",
        "recall": "it takes a number, as in recall@5",
        "accuracy@2": "it takes no number",
        "recall@0": "a whole number from 1",
        "recall@x": "a whole number from 1",
        "nsreason.queries.query:Query": "no subclass of",
        "nsreason.queries.query:Nothing": "has no class Nothing",
    }.items():
        with pytest.raises(RecipeError, match=message):
            make_metric(wrong)
