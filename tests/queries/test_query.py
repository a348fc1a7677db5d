"""Queries: what tells one set of them from another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nsreason.programs.program import Program
from nsreason.programs.text_reader import parse_program
from nsreason.queries.choices import Choice
from nsreason.queries.query import Query, digest

RED, BLUE = Choice.of("red"), Choice.of("blue")
ASKED = Query(3, "What color is it?", "red", "query", {})


def program(text: str) -> Program:
    return parse_program(text)


@pytest.mark.parametrize(
    "changed",
    [
        {"index": 4},
        {"text": "What colour is it?"},
        {"text": None},
        {"answer": "blue"},
        {"answer": None},
        {"answer": "None"},
        {"type": "count"},
        {"choices": (RED, BLUE)},
        {"choices": (RED,)},
        {"choices": (Choice.of("red", True),)},
        {"choices": (Choice(("red", (0,))),)},
        {"pair": "p0"},
        {"several": True},
        {"program": program("query[color](unique(scene()))")},
        {"program": program("query[size](unique(scene()))")},
    ],
    ids=str,
)
def test_whatever_is_asked_or_expected_is_in_the_digest(changed: dict[str, Any]) -> None:
    assert digest([ASKED]) == digest([replace(ASKED)])
    assert digest([replace(ASKED, **changed)]) != digest([ASKED])
    assert len(digest([replace(ASKED, **changed)])) == 16


def test_choices_and_programs_are_told_apart_from_each_other() -> None:
    some = [
        replace(ASKED, choices=(RED, BLUE)),
        replace(ASKED, choices=(BLUE, RED)),
        replace(ASKED, choices=(Choice.of("red, blue"),)),
        replace(ASKED, program=program("query[color](unique(scene()))")),
        replace(ASKED, program=program("query[size](unique(scene()))")),
        replace(ASKED, program=program("query[size](unique(scene()))"), choices=(RED, BLUE)),
    ]
    assert len({digest([q]) for q in some}) == len(some)


def test_the_order_and_the_number_of_queries_count() -> None:
    other = replace(ASKED, index=4)
    assert len({digest(q) for q in ([], [ASKED], [ASKED, other], [other, ASKED], [ASKED, ASKED])}) == 5


def test_what_there_is_to_see_does_not_count() -> None:
    """It may be large, and tasks read it anew."""
    assert digest([replace(ASKED, inputs={"scene": object()})]) == digest([ASKED])


def test_a_text_that_is_no_unicode_has_a_digest_too() -> None:
    assert digest([replace(ASKED, text="\ud800")]) != digest([replace(ASKED, text="\ud801")])
