"""Reasoners on real data: the executors on official questions, a relation network on an official bAbI task.

Needs NSREASON_DATA, the folder that holds clevr/ and babi/.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsreason.comparison.comparer import compare
from nsreason.queries.query import accuracy
from nsreason.reasoners.reasoner import FitRequest, reasoner_class
from nsreason.tasks.task import make_task
from nsreason.training.budget import Budget

DATA = Path(os.environ.get("NSREASON_DATA", ""))

pytestmark = pytest.mark.skipif(
    "NSREASON_DATA" not in os.environ or not (DATA / "clevr").is_dir() or not (DATA / "babi").is_dir(),
    reason="NSREASON_DATA has no clevr/ or no babi/",
)


def test_executors_answer_the_official_questions(tmp_path: Path) -> None:
    names = ["exact", "exact-parsed", "question-type"]
    settings, budget = {"split": "train", "test": 0.1}, Budget(examples=8000)
    comparison = compare("clevr", DATA / "clevr", names, tmp_path, task_settings=settings, budget=budget, limit=400)
    assert comparison.failed == ()
    exact, parsed, mode = (sum(comparison.right(run)) / len(comparison.queries) for run in comparison.runs)
    assert exact == parsed == 1.0
    assert 0.3 < mode < 0.55  # the paper's Q-type baseline has 41.8 % on the whole test set
    assert comparison.bad == 0 and {q.type for q in comparison.queries} == {
        *("count", "exist", "compare number", "compare attribute", "query")
    }


@pytest.mark.slow
def test_a_relation_network_learns_an_official_task(tmp_path: Path) -> None:
    task = make_task("babi", {"tasks": [1]})
    split = task.load(DATA / "babi")
    plan = {"seed": 1, "recipes": task.recipes, "overrides": ("training.lr=1e-3",)}
    request = FitRequest("babi", split.train, split.valid, tmp_path, Budget(examples=140_000), **plan)
    network = reasoner_class("relation-network").build("relation-network", request)
    assert accuracy(split.test, network.answer(split.test)) >= 0.95
