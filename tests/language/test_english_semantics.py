"""Determiners, negations and lists mean what plain sets say, or the question is refused: never another question.

The meanings are those of english_questions.py and english_more.py, which share nothing with the parser. What was tried,
answered otherwise, and refused for which reason is printed by

    python -m tests.language.test_english_semantics
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason import execute, load_domain, parse_question
from nsreason.errors import ExecutionError, QuestionError
from nsreason.programs.program import Program
from nsreason.scenes.scene import Scene
from tests.support import english_more
from tests.support.english_questions import Question, every_template, families, random_question
from tests.support.english_sets import ANYTHING, NO_ANSWER, World, random_world, record

CLEVR = load_domain("clevr")
WORLDS = 60


class Worlds:
    """Worlds, and the scenes that nsreason reads of them."""

    def __init__(self, seed: int, number: int) -> None:
        rng = Random(seed)
        self.worlds = [random_world(rng) for _ in range(number)]
        self.scenes = [Scene.from_dict(record(world), CLEVR) for world in self.worlds]

    def disagreement(self, question: Question, program: Program) -> str | None:
        """None where one of the accepted meanings has the program's answer in every world."""
        answers = [self._answer(program, scene) for scene in self.scenes]
        for meaning in question.meanings:
            wrong = self._first_wrong(answers, meaning)
            if wrong is None:
                return None
        return f"{question.text}\n{program}\n{wrong}"

    def _first_wrong(self, answers: Sequence[Any], meaning: Any) -> str | None:
        for answer, world in zip(answers, self.worlds, strict=True):
            expected = meaning(world)
            if expected != ANYTHING and answer != expected:
                return f"answered {answer!r}, right is {expected!r} in {_shown(world)}"
        return None

    @staticmethod
    def _answer(program: Program, scene: Scene) -> Any:
        try:
            answer = execute(program, scene)
        except ExecutionError:
            return NO_ANSWER
        return tuple(answer) if isinstance(answer, list | tuple) else answer


def _shown(world: World) -> str:
    return "; ".join(f"{i} {' '.join(str(v) for v in thing.values())}" for i, thing in enumerate(world))


def tried(questions: Sequence[Question], worlds: Worlds) -> tuple[Counter[str], list[str], Counter[str]]:
    """Of each family how many were answered, what was answered otherwise, and reasons of refusals."""
    answered: Counter[str] = Counter()
    wrong: list[str] = []
    refused: Counter[str] = Counter()
    for question in questions:
        try:
            program = parse_question(question.text, CLEVR)
        except QuestionError as error:
            refused[f"{question.family}: {error.reason}"] += 1
            continue
        answered[question.family] += 1
        difference = worlds.disagreement(question, program)
        if difference is not None:
            wrong.append(f"[{question.family}] {difference}")
    return answered, wrong, refused


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    return Worlds(7, WORLDS)


@pytest.mark.parametrize("name", families())
def test_answers_are_those_of_plain_sets(name: str, worlds: Worlds) -> None:
    questions = [q for q in every_template(Random(11), 6) if q.family == name]
    answered, wrong, refused = tried(questions, worlds)
    assert not wrong, f"{len(wrong)} of {len(questions)}:\n" + "\n\n".join(wrong[:5])
    assert answered[name] >= LEAST.get(name, 0.9) * len(questions), refused.most_common(8)


@given(st.integers(0, 2**32))
def test_no_question_is_answered_as_another(seed: int) -> None:
    rng = Random(seed)
    question = random_question(rng)
    try:
        program = parse_question(question.text, CLEVR)
    except QuestionError:
        return
    assert Worlds(rng.randrange(2**32), 12).disagreement(question, program) is None


# The share of a family that must be answered; what cannot be said by the ops is refused.
LEAST: dict[str, float] = {
    "choice of several": 0.5,  # 'all the cubes red or blue' may ask which, or whether no other
    "the Z is not X or Y": 0.8,  # 'the thing' could be any of them
    **english_more.LEAST,
}


def main() -> None:
    questions = every_template(Random(3), 25)
    answered, wrong, refused = tried(questions, Worlds(5, WORLDS))
    total = Counter(question.family for question in questions)
    print(f"{len(questions)} questions, {len(wrong)} answered otherwise, {sum(refused.values())} refused")
    bad = Counter(line[1 : line.index("]")] for line in wrong)
    for name in families():
        print(f"  {name:28} {total[name]:5} tried {answered[name]:5} answered {bad[name]:4} wrong")
    for reason, n in refused.most_common(40):
        print(f"  refused {n:4}  {reason}")
    for line in wrong:
        print("\n" + line)


if __name__ == "__main__":
    main()
