"""The figures of a comparison, checked against an independent count."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.comparison.results import ComparedQuestion, Comparison, ReasonerRun
from nsreason.comparison.statistics import MOST_BINS, Agreement, Figures, bins_of, figures_json
from nsreason.queries.scores import Score, wilson
from tests.support import comparisons

FACTS = st.lists(st.integers(0, 60), min_size=1, max_size=300)


def asked(values: list[int]) -> list[ComparedQuestion]:
    return [ComparedQuestion(i, None, "yes", "count", facts={"objects": v}) for i, v in enumerate(values)]


@pytest.mark.parametrize("name", comparisons.ALL)
def test_parts_add_up_to_all(name: str) -> None:
    figures = Figures.of(comparisons.ALL[name]())
    for r in figures.runs:
        scored = 0 if r.run.failure else len(figures.scored)
        assert r.overall.total == scored
        assert sum(s.total for s in r.types.values()) == scored
        assert sum(s.right for s in r.types.values()) == r.overall.right
        for fact, scores in r.facts.items():
            if r.run.failure is None:
                assert [s.total for s in scores] == [b.total for b in figures.bins[fact]]
        for fact in r.within:
            assert r.within[fact].total + r.beyond[fact].total == sum(s.total for s in r.facts[fact])


def test_a_type_is_scored_over_its_questions() -> None:
    comparison = comparisons.clevr(400)
    figures = Figures.of(comparison)
    for r in figures.working:
        right = comparison.right(r.run)
        for kind, score in r.types.items():
            mine = [ok for ok, q in zip(right, comparison.queries, strict=True) if q.type == kind]
            assert (score.right, score.total) == (sum(mine), len(mine))


def test_groups_come_with_their_types() -> None:
    figures = Figures.of(comparisons.grouped())
    assert figures.types == {
        "not relational": ("left", "shape", "top"),
        "relational": ("closest", "furthest", "how many"),
    }
    r = figures.best[0]
    for group, kinds in figures.types.items():
        assert r.groups[group].right == sum(r.types[k].right for k in kinds)


def test_types_stand_as_reports_have_them_and_numbers_in_order() -> None:
    assert Figures.of(comparisons.clevr(200)).types[""] == (
        "count",
        "exist",
        "compare number",
        "compare attribute",
        "query",
    )
    kinds = Figures.of(comparisons.babi(40)).types[""]
    assert [k.split()[0] for k in kinds] == [str(k) for k in range(1, 21)]


def test_questions_without_a_known_answer_are_not_scored() -> None:
    comparison = comparisons.small()
    first = replace(comparison.queries[0], answer=None)
    figures = Figures.of(replace(comparison, queries=(first, *comparison.queries[1:])))
    assert figures.scored == (1, 2, 3) and figures.best[0].overall == Score(3, 3)


def test_missing_answers_are_wrong() -> None:
    comparison = comparisons.small()
    short = replace(comparison.runs[0], answers=("yes",))
    r = Figures.of(replace(comparison, runs=(short,))).best[0]
    assert r.overall == Score(1, 4) and r.unanswered == 3


def test_guesses_and_what_has_no_answer() -> None:
    r = Figures.of(comparisons.small()).best[1]
    assert (r.guesses, r.unanswered, r.rate) == (1, 1, 8.0)


def test_types_that_count_as_mastered() -> None:
    figures = Figures.of(comparisons.babi())
    r = figures.best[1]
    assert r.passed == sum(s.right >= 0.95 * s.total for s in r.types.values()) and 10 < r.passed < 20
    assert figures.best[0].passed == 0


def test_curves_run_over_the_sizes_that_worked() -> None:
    comparison = comparisons.clevr(200)
    curves = {c.reasoner: c for c in Figures.of(comparison).curves}
    assert curves["exact"].points == () and curves["exact"].level == Score(200, 200)
    assert [size for size, _ in curves["cnn-mlp"].points] == [10_000, 100_000]
    run = next(r for r in comparison.runs if r.reasoner == "lstm" and r.size == 10_000)
    assert dict(curves["lstm"].points)[10_000].right == sum(comparison.right(run))
    assert Figures.of(comparisons.nothing()).curves == []


@given(FACTS)
def test_bins_hold_each_value_once_in_order(values: list[int]) -> None:
    bins = bins_of(asked(values), "objects")
    assert sum(b.total for b in bins) == len(values) and len(bins) <= MOST_BINS
    for b in bins:
        mine = [v for v in values if b.low <= v <= b.high]
        assert len(mine) == b.total and b.mean == pytest.approx(sum(mine) / len(mine))
        assert b.low in values and b.high in values
    assert all(a.high < b.low for a, b in pairwise(bins))


@given(FACTS, st.integers(0, 60), st.integers(0, 30))
def test_no_bin_crosses_the_range_that_was_trained_on(values: list[int], low: int, more: int) -> None:
    bins = bins_of(asked(values), "objects", (low, low + more))
    assert sum(b.total for b in bins) == len(values)
    for b in bins:
        assert len({(low <= v <= low + more) for v in (b.low, b.high)}) == 1
        assert not (b.low < low and b.high > low + more)


def test_few_values_have_a_bin_each() -> None:
    assert [b.label for b in bins_of(asked([3, 9, 3, 5]), "objects")] == ["3", "5", "9"]
    assert bins_of(asked([3]), "links") == ()


def test_the_trained_range_counts_only_where_it_is_narrower() -> None:
    comparison = comparisons.small()  # objects 3 to 6, trained on 3 and 4
    figures = Figures.of(comparison)
    assert figures.trained("objects") == (3, 4)
    lstm = figures.best[1]
    assert lstm.within["objects"] == Score(1, 2) and lstm.beyond["objects"] == Score(1, 2)
    wide = Figures.of(replace(comparison, trained={"objects": (1, 9), "links": (1, 2)}))
    assert wide.trained("objects") is None and wide.trained("links") is None and wide.best[1].within == {}


def test_agreement_counts_pairs() -> None:
    figures = Figures.of(comparisons.small())
    assert figures.agreement == {(0, 1): Agreement(4, 2, 2, 0, 2, 0)}


@given(st.lists(st.tuples(*[st.sampled_from(["a", "b", None])] * 3), max_size=30))
def test_agreement_adds_up(rows: list[tuple[str | None, str | None, str | None]]) -> None:
    queries = tuple(ComparedQuestion(i, None, right, "count") for i, (right, _, _) in enumerate(rows))
    runs = tuple(ReasonerRun(f"r{k}", "neural", answers=tuple(row[k] for row in rows)) for k in (1, 2))
    a = Figures.of(Comparison({}, queries, runs)).agreement[0, 1]
    known = [row for row in rows if row[0] is not None]
    assert a.total == len(known) == a.both_right + a.both_wrong + a.only_first + a.only_second
    assert a.both_right == sum(r == x == y for r, x, y in known)
    assert a.same == sum(x is not None and x == y for _, x, y in known) >= a.both_right
    assert a.only_first == sum(x == r != y for r, x, y in known)


@pytest.mark.parametrize("name", comparisons.ALL)
def test_json_has_every_run_and_wilson_intervals(name: str) -> None:
    comparison = comparisons.ALL[name]()
    record = json.loads(json.dumps(figures_json(comparison)))
    assert [(r["reasoner"], r["size"]) for r in record["runs"]] == [(r.reasoner, r.size) for r in comparison.runs]
    kinds = {q.type for q in comparison.queries if q.answer is not None}
    for r in record["runs"]:
        assert set(r["by_type"]) == (kinds if r["failure"] is None else set())
        for score in (r["overall"], *r["by_type"].values(), *(s for part in r["by_fact"].values() for s in part)):
            if score["total"]:
                assert score["interval"] == list(wilson(score["right"], score["total"]))
    assert len(record["agreement"]) == len(Figures.of(comparison).agreement)


@pytest.mark.parametrize("seconds", [0.0, 1e-320])
def test_a_time_that_no_clock_measures_is_no_rate(seconds: float) -> None:
    comparison = comparisons.small()
    timed = replace(comparison, runs=(replace(comparison.runs[0], answering=seconds),))
    assert Figures.of(timed).runs[0].rate is None
    json.dumps(figures_json(timed), allow_nan=False)
