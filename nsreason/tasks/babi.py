"""bAbI as queries: a story's sentences, a question, a class of answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..data.babi import NAMES, TASKS, Story, hold_out, load_babi
from ..data.splits import HoldOut, Split
from ..errors import DataError
from ..queries.query import Query


@dataclass(frozen=True)
class Babi:
    """Settings.

    tasks: numbers from 1 to 20, learned jointly.
    size: of the training sets, 10,000 or 1,000 questions each.
    otherwise: what is done where a source has a task in the other size only.
    sentences: how many a query tells, the last before its question.
    valid: the part of each task's training stories that is not learned from.
    seed: by which they are chosen.
    """

    tasks: tuple[int, ...] = TASKS
    size: Literal["1k", "10k"] = "10k"
    otherwise: Literal["refuse", "leave out", "other size"] = "other size"
    sentences: int = 20
    valid: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sentences < 1 or not 0 <= self.valid < 1:
            raise ValueError(f"sentences from 1 and valid from 0 to below 1, got {self.sentences} and {self.valid}")

    @property
    def recipes(self) -> dict[str, str]:
        """The recipes of networks, by what they look at."""
        return {"sentences": "rn-babi-cpu"}

    def load(self, folder: str | Path) -> Split[list[Query]]:
        """See `Task.load`; a folder or an archive."""
        source = Path(folder)
        training = load_babi(source, "train", size=self.size, tasks=self.tasks, otherwise=self.otherwise)
        test = load_babi(source, "test", size=self.size, tasks=self.tasks, otherwise=self.otherwise)
        if not training.stories:
            why = f"; the first bad line: {training.bad[0]}" if training.bad else ""
            raise DataError(f"{folder}: no story to learn from{why}")
        rule = HoldOut(self.valid, seed=f"babi:{self.seed}")
        train, valid = hold_out(training.stories, rule)
        bad = [b.error for b in (*training.bad, *test.bad)]
        queries = self._queries
        return Split(queries(train), queries(valid), queries(test.stories), bad, str(folder), rule=rule)

    def _queries(self, stories: Iterable[Story]) -> list[Query]:
        texts: dict[tuple[str, ...], str] = {}  # sentences come again and again, and are held once

        def text(words: tuple[str, ...]) -> str:
            return texts.setdefault(words, " ".join(words))

        queries: list[Query] = []
        for story in stories:
            sentences = tuple(text(s) for s in story.sentences[-self.sentences :])
            kind = f"{story.task:02} {NAMES[story.task - 1]}"  # tables are in the order of the alphabet
            facts = {"sentences": len(sentences), "supports": len(story.supports)}
            query = Query(len(queries), text(story.question), story.answer, kind, {"sentences": sentences}, facts=facts)
            queries.append(query)
        return queries
