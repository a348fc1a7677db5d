"""A small model of queries: the mean of the rows and the words of the question, to a class of answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from nsreason.errors import DataError
from nsreason.models.query_model import input_of
from nsreason.models.task_data import TaskData
from nsreason.queries.query import Query, Reply
from nsreason.training.model import LossOut


@dataclass(frozen=True)
class MeanRowsConfig:
    """Settings; all but the width are read off the data."""

    hidden: int = 8
    features: int = 0
    words: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


class MeanRows(nn.Module):
    """B queries, D features of a row, W words."""

    Config = MeanRowsConfig
    Data = TaskData

    @classmethod
    def config_from_data(cls, config: MeanRowsConfig, queries: Iterable[Query]) -> MeanRowsConfig:
        """See `QueryModel`."""
        queries = list(queries)
        answers = {q.answer for q in queries if q.answer is not None}
        if not answers:
            raise DataError("no query has an answer")
        words = {word for q in queries for word in (q.text or "").split()}
        features = input_of(queries[0], "rows").shape[1]
        return replace(config, features=features, words=tuple(sorted(words)), answers=tuple(sorted(answers)))

    def __init__(self, config: MeanRowsConfig) -> None:
        super().__init__()
        self.config = config
        into = config.features + len(config.words)
        self.layers = nn.Sequential(
            nn.Linear(into, config.hidden), nn.ReLU(), nn.Linear(config.hidden, len(config.answers))
        )

    @property
    def inputs(self) -> frozenset[str]:
        """See `QueryModel`."""
        return frozenset({"rows"})

    def collate(self, queries: Sequence[Query]) -> dict[str, Tensor]:
        if not queries:
            raise DataError("a batch has at least one question")
        known = self.config.words
        rows = torch.from_numpy(np.stack([input_of(q, "rows").mean(0) for q in queries]))  # (B, D)
        words = torch.tensor([[float(word in (q.text or "").split()) for word in known] for q in queries])  # (B, W)
        answers = [self.config.answers.index(q.answer) if q.answer in self.config.answers else -1 for q in queries]
        return {"x": torch.cat([rows, words], -1), "answers": torch.tensor(answers)}

    def loss(self, batch: dict[str, Tensor]) -> LossOut:
        logits, answers = self.layers(batch["x"]), batch["answers"]
        right = (logits.argmax(-1) == answers).sum()
        return LossOut(nn.functional.cross_entropy(logits, answers, ignore_index=-1), len(logits), {"accuracy": right})

    def predict(self, batch: dict[str, Tensor]) -> list[Reply]:
        shares = self.layers(batch["x"]).softmax(-1).tolist()
        scores = [dict(zip(self.config.answers, row, strict=True)) for row in shares]
        return [Reply(max(row, key=row.__getitem__), row) for row in scores]
