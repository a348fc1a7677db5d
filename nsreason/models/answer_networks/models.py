"""The relation network and its baselines, as models: the rows of Table 1 of Santoro et al. (2017),
and the perceptrons of its sections 5.3 and 5.5.

They share encoders and settings (`AnswerNetworkConfig`); where objects are rows or sentences, these stand for the
cells of a convolved image that the names speak of.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...training.model import LossOut
from ..task_data import TaskData
from .config import AnswerNetworkConfig
from .heads import ConcatenationHead, MeanPoolingHead, QuestionHead, QuestionTypeHead, StackedAttentionHead
from .mlp import matched_width, parameters
from .network import AnswerNetwork, AnswerNetworkBatch, unordered
from .relation_network import RelationNetwork


class RelationNetworkModel(AnswerNetwork):
    """CNN+LSTM+RN: a relation network over the objects, with the question as its condition."""

    def build_head(self, config: AnswerNetworkConfig) -> nn.Module:
        return RelationNetwork(config.relation)

    def _head_arguments(self, objects: Tensor | None) -> dict[str, Any]:
        if self.config.pairs == "all" or objects is None:
            return {}
        return {"pairs": unordered(objects.shape[1], objects.device)}


class QuestionTypeModel(AnswerNetwork):
    """Q-type: the most frequent answer to questions of the type. It learns by counting, in one pass."""

    Data = TaskData
    uses_inputs: ClassVar[bool] = False
    passes: ClassVar[int | None] = 1

    def __init__(self, config: AnswerNetworkConfig) -> None:
        super().__init__(config)
        self.question = None
        self.nothing = nn.Parameter(torch.zeros(()))  # for optimizers, which refuse to have nothing to do

    def build_head(self, config: AnswerNetworkConfig) -> nn.Module:
        return QuestionTypeHead(len(config.types) + 1, config.relation.classes)

    def forward(self, batch: AnswerNetworkBatch) -> Tensor:
        return self.head(batch.types) + 0 * self.nothing  # type: ignore[no-any-return]

    def loss(self, batch: AnswerNetworkBatch) -> LossOut:
        """As others, after the answers of the batch were counted, if the model is training."""
        if self.training:
            known = batch.targets >= 0
            self.head.observe(batch.types[known], batch.targets[known])  # type: ignore[operator]
        return super().loss(batch)


class LstmModel(AnswerNetwork):
    """LSTM: the question alone, read word by word."""

    Data = TaskData
    uses_inputs: ClassVar[bool] = False

    def build_head(self, config: AnswerNetworkConfig) -> nn.Module:
        relation = config.relation
        return QuestionHead(relation.condition, relation.f, relation.classes, relation.dropout)


class CnnLstmModel(AnswerNetwork):
    """CNN+LSTM: the mean of the objects and the question through a perceptron."""

    def build_head(self, config: AnswerNetworkConfig) -> nn.Module:
        relation = config.relation
        return MeanPoolingHead(relation.objects, relation.condition, relation.f, relation.classes, relation.dropout)


class StackedAttentionModel(AnswerNetwork):
    """CNN+LSTM+SA: the question attends to the objects twice and is answered from the result."""

    def build_head(self, config: AnswerNetworkConfig) -> nn.Module:
        relation = config.relation
        wide = max(relation.g)
        return StackedAttentionHead(
            relation.objects, relation.condition, relation.classes, units=wide, dropout=relation.dropout
        )


class CnnMlpModel(AnswerNetwork):
    """CNN+MLP: all objects side by side through a perceptron with the layers of g and f together."""

    def build_head(self, config: AnswerNetworkConfig) -> nn.Module:
        return ConcatenationHead.instead_of(config.relation, config.places)


class MlpModel(AnswerNetwork):
    """MLP: as CNN+MLP, but with as many parameters as the relation network, in as many layers, all of one width."""

    def build_head(self, config: AnswerNetworkConfig) -> nn.Module:
        relation = config.relation
        layers = len(relation.g) + len(relation.f)
        into = config.places * relation.objects + relation.condition
        target = parameters(RelationNetwork(relation))
        width = matched_width(target, into=into, out=relation.classes, layers=layers, within=0.05)
        hidden = [width] * layers
        return ConcatenationHead(
            config.places, relation.objects, relation.condition, hidden, relation.classes, relation.dropout
        )
