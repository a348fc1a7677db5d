"""bAbI's 20 tasks by name, and the rule by which one is passed. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

TASKS = tuple(range(1, 21))
NAMES = (
    *("single-supporting-fact", "two-supporting-facts", "three-supporting-facts", "two-arg-relations"),
    *("three-arg-relations", "yes-no-questions", "counting", "lists-sets", "simple-negation"),
    *("indefinite-knowledge", "basic-coreference", "conjunction", "compound-coreference", "time-reasoning"),
    *("basic-deduction", "basic-induction", "positional-reasoning", "size-reasoning", "path-finding"),
    "agents-motivations",
)
PASS_PERCENT = 95


@dataclass(frozen=True, slots=True)
class TaskScore:
    """How many questions of a task were answered rightly; 95 % pass."""

    task: int
    questions: int
    correct: int

    @property
    def name(self) -> str:
        return NAMES[self.task - 1]

    @property
    def accuracy(self) -> float:
        return self.correct / self.questions if self.questions else 0.0

    @property
    def passed(self) -> bool:
        return self.questions > 0 and 100 * self.correct >= PASS_PERCENT * self.questions  # in integers: exactly 95 %

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        record = {"task": self.task, "name": self.name, "questions": self.questions, "correct": self.correct}
        return record | {"accuracy": self.accuracy, "passed": self.passed}


def score_tasks(tasks: Iterable[int], correct: Iterable[bool]) -> list[TaskScore]:
    """The score of each task, in order, from the task of each question and whether it was answered rightly.

    Raises:
        ValueError: there are more of the one than of the other.
    """
    asked: dict[int, list[int]] = {}
    for task, right in zip(tasks, correct, strict=True):
        counts = asked.setdefault(int(task), [0, 0])
        counts[0] += 1
        counts[1] += bool(right)
    return [TaskScore(task, *counts) for task, counts in sorted(asked.items())]
