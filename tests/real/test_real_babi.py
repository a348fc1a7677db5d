"""The official bAbI files, v1.2: all 20 tasks read whole, in both sizes.

Needs NSREASON_DATA, the folder that holds babi/ with the archives of `en` and of `en-10k` without task 3's train file.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from nsreason.data.babi import TASKS, Stories, hold_out, load_babi, task_files
from nsreason.data.splits import HoldOut
from nsreason.errors import DataError

DATA = Path(os.environ.get("NSREASON_DATA", "")) / "babi"
LARGE = DATA / "tasks_1-20_v1-2_en-10k_minus_qa3train.tar.xz"

pytestmark = pytest.mark.skipif(
    "NSREASON_DATA" not in os.environ or not LARGE.is_file(), reason="NSREASON_DATA has no babi/"
)


@pytest.fixture(scope="module")
def small() -> Stories:
    return load_babi(DATA, "train", size="1k")


@pytest.fixture(scope="module")
def test() -> Stories:
    return load_babi(DATA, "test", size="1k")


def test_every_task_has_a_thousand_questions(small: Stories, test: Stories) -> None:
    for loaded in (small, test):
        assert not loaded.bad
        assert Counter(story.task for story in loaded) == dict.fromkeys(TASKS, 1000)


def test_answers_and_words_of_the_tests_are_in_the_training_stories(small: Stories, test: Stories) -> None:
    new = {story.answer for story in test} - {story.answer for story in small}
    assert new == {"football,apple,milk"}  # of task 8; 10,000 questions have it
    known, asked = (
        {word for story in stories for sentence in (*story.sentences, story.question) for word in sentence}
        for stories in (small, test)
    )
    assert asked <= known
    assert {story.task for story in test if "," in story.answer} == {8, 19}


def test_twenty_sentences_cost_few_supports(test: Stories) -> None:
    """What a network of the last 20 sentences cannot know."""
    lost = Counter(story.task for story in test if min(story.supports) < len(story.sentences) - 20)
    assert set(lost) <= {2, 3} and lost[3] == 33  # 3.3 % of task 3


def test_supports_are_sentences_with_something_of_the_question(small: Stories) -> None:
    for story in small:
        assert story.supports and max(story.supports) < len(story.sentences)
        if story.task == 1:
            assert story.answer in story.sentences[story.supports[0]]
    assert any(list(story.supports) != sorted(story.supports) for story in small)  # out of order, as written


def test_stories_are_held_out_of_each_task(small: Stories) -> None:
    kept, validation = hold_out(small.stories, HoldOut(0.1, seed="babi:0"))
    assert {story.task for story in validation} == set(TASKS)
    assert not {(s.task, s.story) for s in kept} & {(s.task, s.story) for s in validation}
    assert 0.08 < len(validation) / len(small) < 0.12


def test_the_missing_file_is_told() -> None:
    with pytest.raises(DataError, match=r"no qa3_three-supporting-facts_train\.txt of the size 10k.*the other size"):
        load_babi(DATA, "train", size="10k", tasks=[3])
    with pytest.raises(DataError, match=r"no qa3_three-supporting-facts_train\.txt.*'leave out' goes without"):
        load_babi(LARGE, "train", size="10k", tasks=[2, 3])


@pytest.mark.slow
def test_ten_thousand_questions_of_each_other_task(test: Stories) -> None:
    loaded = load_babi(DATA, "train", size="10k", otherwise="other size")
    assert not loaded.bad
    assert Counter(story.task for story in loaded) == dict.fromkeys(TASKS, 10_000) | {3: 1000}
    answers = {story.answer for story in loaded}
    assert len(answers) == 60 and {story.answer for story in test} <= answers


def test_both_archives_are_found() -> None:
    counts = Counter((file.size, file.split) for file in task_files(DATA))
    assert counts == {("1k", "train"): 20, ("1k", "test"): 20, ("10k", "train"): 19, ("10k", "test"): 20}
