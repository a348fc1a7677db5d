"""Curricula: lessons by epoch, what they admit, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.dsl.ops import OPS
from nsreason.errors import RecipeError, TrainingError
from nsreason.training.curriculum import PRESETS, Curriculum, Lesson, preset, read_lessons
from tests.support.toy_models import Example

# As published with the NS-CL code: last epoch, objects, nodes.
RELEASE = [
    (5, 3, 4),
    (10, 3, 6),
    (15, 3, 8),
    (25, 4, 8),
    (35, 4, 12),
    (45, 5, 12),
    (55, 6, 12),
    (65, 7, 16),
    (75, 8, 20),
    (90, 9, 22),
    (120, 10, 25),
]


def test_the_release_has_its_eleven_steps() -> None:
    curriculum, epoch = preset("nscl-release"), 1
    for last, objects, nodes in RELEASE:
        while epoch <= last:
            lesson = curriculum.lesson(epoch)
            assert (lesson.max_objects, lesson.max_nodes) == (objects, nodes), epoch
            epoch += 1
    assert len(curriculum.lessons) == 11


def test_the_papers_four_lessons() -> None:
    one, two, three, four = preset("nscl-paper").lessons
    assert one.ops and "relate" not in one.ops and two.ops and {"relate", "same"} <= set(two.ops)
    assert (three.ops, three.freeze, four.ops, four.freeze) == (None, ("perception",), None, ())


@pytest.mark.parametrize("name", PRESETS)
def test_presets_name_ops_that_there_are(name: str) -> None:
    for lesson in preset(name).lessons:
        assert set(lesson.ops or ()) <= set(OPS)


@given(st.sampled_from(sorted(PRESETS)), st.integers(1, 300))
def test_a_preset_is_fitted_to_the_epochs_of_a_run(name: str, epochs: int) -> None:
    whole, fitted = preset(name), preset(name, epochs=epochs)
    assert fitted.lessons[-1].from_epoch <= epochs
    assert fitted.lesson(epochs).max_objects == whole.lesson(100).max_objects
    limits = [lesson.max_objects or 100 for lesson in fitted.lessons]
    assert limits == sorted(limits)
    if epochs >= 100:
        assert len(fitted.lessons) == len(whole.lessons)


def example(**fields: Any) -> Example:
    return Example((0.0,), 0, **fields)


@pytest.mark.parametrize(
    ("lesson", "admitted"),
    [
        (Lesson(), [0, 1, 2, 3]),
        (Lesson(max_objects=4), [0, 1, 3]),
        (Lesson(max_nodes=4), [0, 2]),
        (Lesson(max_objects=4, max_nodes=4), [0]),
        (Lesson(families=("rare",)), [1, 3]),
        (Lesson(ops=("scene", "count", "filter")), [0, 1, 2]),
        (Lesson(ops=("scene", "count", "filter", "relate"), families=("rare",)), [1, 3]),
    ],
)
def test_what_a_lesson_admits(lesson: Lesson, admitted: list[int]) -> None:
    examples = [
        example(n_objects=3, n_nodes=4),
        example(n_objects=4, n_nodes=5, family="rare"),
        example(n_objects=5, n_nodes=3, ops=("scene", "filter", "count")),
        example(n_objects=4, n_nodes=7, family="rare", ops=("scene", "relate")),
    ]
    assert Curriculum((lesson,)).select(examples, 9) == admitted


def test_an_empty_lesson_is_named_with_what_would_be_there() -> None:
    curriculum = Curriculum((Lesson(1, "easy", max_objects=9), Lesson(4, "no nodes", max_objects=5, max_nodes=2)))
    assert curriculum.select([example()], 3) == [0]
    message = (
        r"lesson 2 'no nodes' \(from_epoch = 4, max_objects = 5, max_nodes = 2\) admits none of 1 examples "
        r"\(the fewest objects are 3, the fewest nodes are 4\)"
    )
    with pytest.raises(TrainingError, match=message):
        curriculum.select([example()], 4)
    with pytest.raises(TrainingError, match=r"admits none of 0 examples$"):
        Curriculum().select([], 1)


@dataclass
class Bare:
    n_objects: int = 1


def test_examples_that_do_not_say_how_hard_they_are() -> None:
    assert Curriculum((Lesson(max_objects=1),)).select([Bare()], 1) == [0]
    with pytest.raises(TrainingError, match=r"lesson 1 .*: .*no attribute 'n_nodes'"):
        Curriculum((Lesson(max_nodes=1),)).select([Bare()], 1)


def test_lessons_are_read_by_their_first_epoch_or_by_their_length() -> None:
    records = [{"epochs": 5, "max_objects": 3}, {"epochs": 2}, {"name": "last"}, {"from_epoch": 20, "ops": ["scene"]}]
    curriculum = read_lessons(records)
    assert [lesson.from_epoch for lesson in curriculum.lessons] == [1, 6, 8, 20]
    assert curriculum.lessons[3].ops == ("scene",) and curriculum.lessons[2].name == "last"


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"max_object": 3}], r"curriculum.lesson\[1\]: no key 'max_object'; did you mean 'max_objects'"),
        ([{"max_nodes": "four"}], r"curriculum.lesson\[1\]: Expected `int \| null`, got `str` - at `\$.max_nodes`"),
        ([{}, {}], r"curriculum.lesson\[2\]: give from_epoch, or epochs of lesson 1"),
        ([{"epochs": 0}], r"curriculum.lesson\[1\]: epochs: a whole number from 1, got 0"),
        ([{"epochs": True}], "a whole number from 1, got True"),
        ([{"from_epoch": 2}], "the first lesson begins at epoch 1, found 2"),
        ([], "the first lesson begins at epoch 1, found no lesson"),
        ([{"from_epoch": 1}, {"from_epoch": 1}], "lesson 2 begins at epoch 1, not after lesson 1 at 1"),
    ],
)
def test_lessons_that_are_not_valid(records: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_lessons(records)


def test_a_preset_that_there_is_not() -> None:
    with pytest.raises(RecipeError, match="no curriculum 'nscl-relase'; did you mean 'nscl-release'"):
        preset("nscl-relase")
