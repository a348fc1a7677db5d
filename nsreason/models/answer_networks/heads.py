"""The baselines of the relation network: heads with the same inputs that relate no pairs.

Each is called like it, `head(objects, condition, mask) -> logits`, and takes its place behind the same encoders. They
are the rows of Table 1 of Santoro et al. (2017), from "Q-type baseline" to "CNN+LSTM+SA", and the MLPs of its sections
5.3 and 5.5:

    Q-type           QuestionTypeHead
    LSTM             QuestionHead           on a question encoder
    CNN+LSTM         MeanPoolingHead        on a grid and a question encoder
    CNN+LSTM+SA      StackedAttentionHead   on a grid and a question encoder
    CNN+MLP          ConcatenationHead      on a grid encoder and a question
    MLP              ConcatenationHead      on states, as wide as `matched_width` says

B questions, N objects of D features, Q features of the condition, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...errors import DataError
from .mlp import perceptron
from .relation_network import RelationNetworkConfig


class QuestionTypeHead(nn.Module):
    """Answers each type of question with its most frequent answer; it learns by counting.

    head = QuestionTypeHead(types=5, classes=29)
    head.observe(types, answers)              # (B,), (B,) int64, as often as there are batches
    head(types).argmax(-1)                    # of equally frequent answers the first
    """

    counts: Tensor

    def __init__(self, types: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(types, classes, dtype=torch.int64))

    def observe(self, types: Tensor, answers: Tensor) -> None:
        """Count the answers (B,) of questions of the types (B,)."""
        self.counts.index_put_((types, answers), torch.ones_like(answers), accumulate=True)

    def forward(self, types: Tensor) -> Tensor:
        """(B,) -> the logarithms of the frequencies (B, C): of the type, or of all if it was never seen."""
        whole = self.counts.sum(0).expand_as(self.counts)
        counts = torch.where(self.counts.any(1, keepdim=True), self.counts, whole).to(torch.float32)[types]
        return (counts / counts.sum(1, keepdim=True).clamp(min=1)).log().clamp(min=-1e4)  # a logit, though never seen


def _expected(condition: Tensor | None) -> Tensor:
    if condition is None:
        raise DataError("no condition; this head reads a question, expected (B, Q)")
    return condition


def _missing(objects: Tensor | None) -> Tensor:
    if objects is None:
        raise DataError("no objects; this head reads them, expected (B, N, D)")
    return objects


class QuestionHead(nn.Module):
    """The LSTM baseline, of a question alone: its state through a perceptron."""

    def __init__(self, condition: int, hidden: Sequence[int], classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.answer = perceptron(condition, hidden, classes, dropout)

    def forward(self, objects: Tensor | None, condition: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """(B, N, D), ignored, (B, Q) -> (B, C)."""
        return self.answer(_expected(condition))  # type: ignore[no-any-return]


class MeanPoolingHead(nn.Module):
    """The CNN+LSTM baseline: the mean of the cells, and the question, through a perceptron."""

    def __init__(self, objects: int, condition: int, hidden: Sequence[int], classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.answer = perceptron(objects + condition, hidden, classes, dropout)

    def forward(self, objects: Tensor | None, condition: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """(B, N, D), (B, Q) or None, the objects that are there (B, N) -> (B, C)."""
        objects = _missing(objects)
        there = objects.new_ones(objects.shape[:2]) if mask is None else mask.to(objects.dtype)
        mean = (objects * there[..., None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1)
        return self.answer(mean if condition is None else torch.cat([mean, condition], -1))  # type: ignore[no-any-return]


class ConcatenationHead(nn.Module):
    """A perceptron on all objects side by side and the question: the paper's CNN+MLP, and the MLP of its physics.

    It has weights for each place of an object, so that `number` objects are expected, and their order matters.
    """

    def __init__(
        self, number: int, objects: int, condition: int, hidden: Sequence[int], classes: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.number, self.objects = number, objects
        self.answer = perceptron(number * objects + condition, hidden, classes, dropout)

    @classmethod
    def instead_of(cls, relation: RelationNetworkConfig, number: int) -> ConcatenationHead:
        """CNN+MLP: "the same number of layers and number of units per layer" as g and f together."""
        hidden = (*relation.g, *relation.f)
        return cls(number, relation.objects, relation.condition, hidden, relation.classes, relation.dropout)

    def forward(self, objects: Tensor | None, condition: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """(B, N, D), (B, Q) or None, the objects that are there (B, N), the others being zeros -> (B, C).

        Raises:
            DataError: more or fewer objects than there are places.
        """
        objects = _missing(objects)
        if objects.shape[1:] != (self.number, self.objects):
            shape = tuple(objects.shape)
            raise DataError(f"objects of shape {shape}; this perceptron takes (B, {self.number}, {self.objects})")
        flat = (objects if mask is None else objects * mask[..., None]).flatten(1)
        return self.answer(flat if condition is None else torch.cat([flat, condition], -1))  # type: ignore[no-any-return]


class StackedAttentionHead(nn.Module):
    """The CNN+LSTM+SA baseline: the question attends to the cells, is updated by them, and attends once more.

    Yang et al., "Stacked attention networks for image question answering", CVPR 2016:

        v = tanh(W o + b)                                     cells, in as many features as the question
        h = tanh(W_v v + W_u u + b);  p = softmax(w h + b);  u <- u + sum over cells of p v       in each round
        logits = W u + b
    """

    def __init__(
        self, objects: int, condition: int, classes: int, *, units: int = 512, rounds: int = 2, dropout: float = 0.0
    ) -> None:
        """
        Args:
            units: in which attention is computed, k of the paper.
            rounds: of attention; two did best in the paper.
            dropout: before the logits.
        """
        super().__init__()
        self.project = nn.Linear(objects, condition)
        self.of_cells = nn.ModuleList(nn.Linear(condition, units, bias=False) for _ in range(rounds))
        self.of_question = nn.ModuleList(nn.Linear(condition, units) for _ in range(rounds))
        self.weigh = nn.ModuleList(nn.Linear(units, 1) for _ in range(rounds))
        self.answer = nn.Sequential(nn.Dropout(dropout), nn.Linear(condition, classes))

    def attention(self, objects: Tensor, condition: Tensor, mask: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """The question after the last round (B, Q), and of each round the weights of the cells (B, N)."""
        projected, query = torch.tanh(self.project(objects)), condition
        attention_maps = []
        for cells, question, weigh in zip(self.of_cells, self.of_question, self.weigh, strict=True):
            hidden = torch.tanh(cells(projected) + question(query)[:, None])
            scores = weigh(hidden).squeeze(-1)
            if mask is None:
                weights = scores.softmax(1)
            else:  # a question without cells attends to none
                weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(1) * mask
            query = query + (weights[..., None] * projected).sum(1)
            attention_maps.append(weights)
        return query, attention_maps

    def forward(self, objects: Tensor | None, condition: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """(B, N, D), (B, Q), the objects that are there (B, N) -> (B, C)."""
        return self.answer(self.attention(_missing(objects), _expected(condition), mask)[0])  # type: ignore[no-any-return]
