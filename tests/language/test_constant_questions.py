"""A question with the same answer in every scene was mostly read as another: each in the tables says why it is so.

A justified one has a line `constant: the reason` below its meaning. Scenes are drawn, of few and of many objects, until
enough of them answer; the errors of `unique` are no answers.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from random import Random

import pytest

from nsreason.dsl.domain import Domain, load_domain
from nsreason.errors import ExecutionError, QuestionError
from nsreason.executors import execute, spell
from nsreason.language.question_parser import parse_question
from nsreason.programs.program import Program
from nsreason.scenes.scene import Scene
from tests.support.question_tables import Row, rows
from tests.support.strategies import random_record

TABLES = dict.fromkeys(("typed.txt", "combined.txt", "varied.txt", "scope.txt"), "clevr") | {"kitchen.txt": "kitchen"}
SCENES = 300  # with an answer; fewer where the question is picky
DRAWN, FEWEST = 3000, 20


@cache
def scenes(domain: str) -> tuple[Scene, ...]:
    rng = Random(17)
    known = load_domain(domain)
    return tuple(Scene.from_dict(_varied(rng, known), known) for _ in range(DRAWN))


def _varied(rng: Random, domain: Domain) -> dict[str, object]:
    """Any values, or few different ones, so that 'all' and 'the same' sometimes hold."""
    record = random_record(rng, domain, rng.randint(0, 10))
    for attribute in domain.attributes:
        if rng.random() < 0.5:
            few = rng.sample(list(domain.values(attribute)), rng.randint(1, 2))
            for thing in record["objects"]:
                thing[attribute] = rng.choice(few)
    return record


def constant(program: Program, domain: str) -> str | None:
    """The only answer of a program, if enough scenes have an answer and all have this one."""
    answers: Counter[str] = Counter()
    for scene in scenes(domain):
        try:
            answers[str(spell(execute(program, scene)))] += 1
        except ExecutionError:
            continue
        if len(answers) > 1:
            return None
        if answers.total() == SCENES:
            break
    return next(iter(answers)) if answers.total() >= FEWEST else None


def questions() -> list[object]:
    return [
        pytest.param(row, domain, id=f"{table}:{row.line}: {row.question}")
        for table, domain in TABLES.items()
        for row in rows(table)
        if not row.meanings[0].startswith("error:")
    ]


@pytest.mark.parametrize(("row", "domain"), questions())
def test_a_question_with_one_answer_says_why(row: Row, domain: str) -> None:
    try:
        program = parse_question(row.question, load_domain(domain))
    except QuestionError:
        pytest.fail(f"{row.question} does not parse")
    only = constant(program, domain)
    if row.constant is None:
        assert only is None, f"always {only!r}; if that is right, add below its meaning: constant: the reason"
    else:
        assert only is not None, "it has several answers: take the line 'constant:' away"
