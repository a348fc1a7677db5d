"""Comparisons as text: the same tables in Markdown and in terminals of any width."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from nsreason.comparison.results import ComparedExample, Comparison, ReasonerRun
from nsreason.comparison.statistics import Figures
from nsreason.comparison.tables import accuracy, cost, runs, tables
from nsreason.comparison.text import ComparisonTable, to_markdown
from nsreason.comparison.wording import budget, cut, duration, failures, interval, percent, words
from nsreason.queries.scores import Score, wilson
from tests.support import comparisons


def printed(comparison: Comparison, width: int) -> str:
    output = io.StringIO()
    Console(file=output, width=width).print(ComparisonTable(comparison))
    return output.getvalue()


@pytest.mark.parametrize("name", comparisons.ALL)
@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_terminal_has_every_run_in_its_width(name: str, width: int) -> None:
    comparison = comparisons.ALL[name]()
    text = printed(comparison, width)
    assert max(map(len, text.splitlines())) <= width
    for run in comparison.runs:
        assert run.reasoner in text
        assert run.failure is None or run.failure.split()[0] in text
    for query in comparison.queries:
        if query.answer is not None and any(r.failure is None for r in comparison.runs):
            assert all(word in text for word in query.type.split())


@pytest.mark.parametrize("width", [80, 120])
def test_no_number_is_cut_in_the_terminal(width: int) -> None:
    figures = Figures.of(comparisons.clevr(300))
    text = printed(figures.comparison, width)
    for r in figures.working:
        for score in (r.overall, *r.types.values()):
            assert percent(score.accuracy) in text and interval(score) in text
    assert "…" not in text


@pytest.mark.parametrize("name", comparisons.ALL)
def test_markdown_tables_are_whole(name: str) -> None:
    text = to_markdown(comparisons.ALL[name]())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


@pytest.mark.parametrize("name", comparisons.ALL)
def test_markdown_has_every_run_type_and_setting(name: str) -> None:
    comparison = comparisons.ALL[name]()
    text = to_markdown(comparison)
    for run in comparison.runs:
        assert re.search(rf"^\| {run.reasoner} ", text, re.MULTILINE) or f"{run.reasoner} (" in text
    if any(r.failure is None for r in comparison.runs):
        for query in comparison.queries:
            assert query.answer is None or query.type.strip() in text
    for key in comparison.settings:
        assert f"- {key.replace('_', chr(92) + '_')}: " in text


def test_text_stays_text_in_markdown() -> None:
    comparison = comparisons.small()
    first = replace(comparison.queries[1], text="# <script> | `a` *b* &lt;\n- c", answer="<b>")
    trace = "a ``` b\n```"
    comparison = replace(
        comparison,
        queries=(comparison.queries[0], first, *comparison.queries[2:]),
        examples=(ComparedExample(1, trace),),
    )
    text = to_markdown(comparison)
    assert r"\# \<script\> \| \`a\` \*b\* &amp;lt; - c" in text and "<script>" not in text
    assert "\n````\na ``` b\n```\n````\n" in text


def test_many_types_are_rows() -> None:
    table = accuracy(Figures.of(comparisons.babi()))
    assert [c.label for c in table.headings] == ["lstm", "relation-network"]  # one that failed is told of elsewhere
    assert [r.heading.label for r in table.rows[:3]] == ["all", "types at 95 % or more", "1 task 1"]
    assert len(table.rows) == 22 and table.values(table.rows[1])[0].text == "0 of 20"


def test_groups_are_told_before_their_types() -> None:
    table = accuracy(Figures.of(comparisons.grouped()))
    assert [c.label for c in table.headings] == [
        "all",
        "all not relational",
        "left",
        "shape",
        "top",
        "all relational",
        "closest",
        "furthest",
        "how many",
    ]
    assert [c.strong for c in table.headings] == [True, True, False, False, False, True, False, False, False]


def test_a_single_type_is_not_told_twice() -> None:
    table = accuracy(Figures.of(comparisons.springs()))
    assert [(c.label, c.under) for c in table.headings] == [("all", "connections")]


def test_the_best_of_those_without_exact_programs_is_marked() -> None:
    table = accuracy(Figures.of(comparisons.clevr()))
    for k in range(len(table.columns)):
        cells = [table.values(row)[k] for row in table.rows if row.error is None]
        scores = [float(cell.text) for cell in cells]
        assert not cells[0].best  # exact
        marked = [s for c, s in zip(cells, scores, strict=True) if c.best]
        assert marked and set(marked) == {max(scores[1:])}
    alone = accuracy(Figures.of(comparisons.small()))
    assert not any(c.best for row in alone.rows for c in alone.values(row))


def test_each_run_has_a_row_and_failures_say_why() -> None:
    figures = Figures.of(comparisons.clevr(100))
    rows = runs(figures).rows
    assert len(rows) == len(figures.runs)
    (failed,) = [row for row in rows if row.error is not None]
    assert failed.heading.label == "cnn-mlp" and failed.error is not None and "out of memory" in failed.error
    assert [row.error for row in cost(Figures.of(comparisons.babi(40))).rows] == [None, None, "it cannot read stories"]


def test_where_there_is_one_size_runs_are_told_once() -> None:
    assert "runs" not in [t.key for t in tables(Figures.of(comparisons.babi(40)))]
    assert [t.key for t in tables(Figures.of(comparisons.nothing()))] == ["accuracy", "cost"]


def test_a_comparison_without_runs_is_told() -> None:
    comparison = replace(comparisons.small(), runs=())
    assert "No reasoner has answers" in to_markdown(comparison) and "No reasoner has answers" in printed(comparison, 80)
    empty = replace(comparison, queries=(), examples=comparison.examples, trained={})
    assert "questions: 0" in to_markdown(empty)


def test_words() -> None:
    assert [duration(s) for s in (0.4, 9.99, 12.4, 119, 185, 7800)] == [
        "0.40 s",
        "9.99 s",
        "12 s",
        "119 s",
        "3 min 05 s",
        "2 h 10 min",
    ]
    assert budget({"seconds": 600, "examples": None}) == "600 s" and budget("a day") == "a day"
    assert budget({"seconds": None, "examples": 2000}) == "2,000 questions" and budget(None) == ""
    assert words({"objects": [3, 6]}) == "objects 3 to 6" and words(["a", 2000]) == "a, 2,000" and words(True) == "True"
    assert cut("0-1 " * 40).endswith("…") and len(cut("0-1 " * 40)) <= 60 and cut("0-1") == "0-1"
    low, high = wilson(3, 4)
    assert interval(Score(3, 4)) == f"{100 * low:.1f}–{100 * high:.1f}" and interval(Score()) == ""


def test_golden() -> None:
    assert to_markdown(comparisons.small()) == GOLDEN.replace("\\\n", "")


def test_the_headline_names_three_failures_briefly_and_counts_the_rest() -> None:
    reasons = ("one\n  line.", "x" * 500, "", "three", "four")
    runs = tuple(ReasonerRun(f"r{k}", "neural", failure=why) for k, why in enumerate(reasons))
    comparison = replace(comparisons.small(), runs=runs)
    headline = failures(comparison)
    assert headline.startswith("Failed, without answers: r0 (one line); r1 (xxx") and len(headline) < 300
    assert headline.endswith("…); r2 (no reason given); 2 more.")
    assert failures(replace(comparison, runs=())) == ""


GOLDEN = r"""# Reasoners compared on clevr: 1 of 4 failed

Failed, without answers: mlp, 20 questions (no \| such \<b\>thing\</b\>). \
Best without exact programs: lstm, 50.0 % (15.0–85.0), trained on 20 questions. \
Executing programs: exact, 100.0 % (51.0–100.0).

- questions: 4
- data: data
- date: 2026-01-02
- machine: a machine
- budget: 40 questions
- seed: 0

## Accuracy by question type

| reasoner | **all** | count | exist |
|---|---:|---:|---:|
| exact (not trained) | 100.0 (51.0–100.0) | 100.0 (34.2–100.0) | 100.0 (34.2–100.0) |
| lstm (20 questions) | 50.0 (15.0–85.0) | 50.0 (9.5–90.5) | 50.0 (9.5–90.5) |
| mlp (20 questions) | failed: no \| such \<b\>thing\</b\> |  |  |

Per cent of right answers, each with its 95 % Wilson interval.

## Training and speed

| reasoner | parameters | training | epochs | questions seen | questions/s |
|---|---:|---:|---:|---:|---:|
| exact (not trained) | – | – | – | – | 4,000 |
| lstm (20 questions) | 7 | 3.00 s (out of time) | 2 | 40 | 8 |
| mlp (20 questions) | failed: no \| such \<b\>thing\</b\> |  |  |  |  |

## Accuracy against training-set size

| reasoner | accuracy | parameters | training | epochs | questions seen | questions/s |
|---|---:|---:|---:|---:|---:|---:|
| exact (not trained) | 100.0 (51.0–100.0) | – | – | – | – | 4,000 |
| lstm (10 questions) | 0.0 (0.0–49.0) | 7 | 1.50 s | 2 | 20 | 8 |
| lstm (20 questions) | 50.0 (15.0–85.0) | 7 | 3.00 s (out of time) | 2 | 40 | 8 |
| mlp (20 questions) | failed: no \| such \<b\>thing\</b\> |  |  |  |  |  |

## Accuracy against objects

| objects | exact | lstm |
|---|---:|---:|
| 3 (1 question, trained on) | 100.0 (20.7–100.0) | 100.0 (20.7–100.0) |
| 4 (1 question, trained on) | 100.0 (20.7–100.0) | 0.0 (0.0–79.3) |
| 5 (1 question) | 100.0 (20.7–100.0) | 100.0 (20.7–100.0) |
| 6 (1 question) | 100.0 (20.7–100.0) | 0.0 (0.0–79.3) |
| **within 3–4** (2 questions) | 100.0 (34.2–100.0) | 50.0 (9.5–90.5) |
| **beyond 3–4** (2 questions) | 100.0 (34.2–100.0) | 50.0 (9.5–90.5) |

Trained on: objects 3–4.

## Agreement

| reasoner | exact | lstm |
|---|---:|---:|
| exact | – (100.0 right) | 50.0 (50.0 / 0.0) |
| lstm | 50.0 (50.0 / 0.0) | – (50.0 right) |

Per cent of questions with the same answer; beneath it, both right / both wrong.

## Where they differ

**Question 1?** count, question 1; right: **yes**

- ✓ exact: yes
- ✗ lstm: no (60 %)

```
count(scene())  yes
```

## Notes

- lstm, 20 questions: its time ran out before its training was finished, after 40 questions in 3.00 s
- lstm, 20 questions: 1 answer is a guess; the first: unsure
- lstm, 20 questions: no answer to 1 question; the first: lost
- mlp, 20 questions: failed: no \| such \<b\>thing\</b\>

## Settings

- task: clevr
- source: data
- budget: 40 questions
- seed: 0
"""
