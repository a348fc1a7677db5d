"""The relation network: one small network over every pair of objects, summed, and a second one on the sum.

    answer = f(sum over i, j of g(o_i, o_j, q))

Santoro et al., "A simple neural network module for relational reasoning", NIPS 2017. All ordered pairs are meant,
an object with itself included.

The first layer of g is linear, so that W [o_i; o_j; q] = W_a o_i + W_b o_j + W_q q: three projections, of objects
and not of pairs, are added. No tensor of pairs with all their features is ever built, pairs of padding cost nothing,
and many pairs are computed in chunks, which backward recomputes for their gradients.

    network = RelationNetwork(RelationNetworkConfig(objects=13, condition=256, classes=29))
    logits = network(objects, question, mask)     # (B, N, 13), (B, 256), (B, N) -> (B, 29)

B questions, N objects of D features, Q features of the condition, R pairs of the whole batch, H units, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ...errors import DataError, RecipeError
from .mlp import perceptron
from .pairs import PairAttention, PairList, candidate_pairs, present_pairs
from .recompute import recompute


@dataclass(frozen=True)
class RelationNetworkConfig:
    """Settings of a relation network; those of CLEVR's state descriptions unless given."""

    objects: int = 13
    """D, features of an object."""
    condition: int = 256
    """Q, features of what the relations are conditioned on (a question); 0 for none."""
    classes: int = 29
    """C, logits."""
    g: tuple[int, ...] = (512, 512, 512, 512)
    """Units of the layers of g, each with a ReLU."""
    f: tuple[int, ...] = (512, 1024)
    """Units of the hidden layers of f, each with a ReLU; a linear layer to the logits follows."""
    dropout: float = 0.02
    """Of f's last hidden layer, in training."""
    pooling: Literal["sum", "mean"] = "sum"
    """`sum` is the paper's; `mean` divides by the number of pairs."""
    inject: int = 0
    """The layer of g that the condition enters, 0 in the paper."""
    top_pairs: int = 0
    """The most pairs of a question that are related, those of the highest attention; 0 for all."""
    attention: int = 32
    """Units of the attention that ranks pairs, where `top_pairs` is above 0."""
    chunk: int = 1 << 18
    """Pairs of the whole batch that are related at once; backward recomputes the chunks, so that memory is bounded. 0
    for no bound."""
    mask_padding: bool = True
    """False sums pairs with padding too, as some implementations do."""

    def __post_init__(self) -> None:
        """Raises:
        RecipeError: a setting that no network can have.
        """
        for name in ("objects", "classes", "attention"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name}: {getattr(self, name)}; a relation network needs at least 1")
        for name in ("condition", "top_pairs", "chunk"):
            if getattr(self, name) < 0:
                raise RecipeError(f"{name}: {getattr(self, name)}; 0 or more will do")
        if not self.g or min(*self.g, *self.f, 1) < 1:
            raise RecipeError(f"g: {self.g}, f: {self.f}; g needs a layer, and each layer a unit")
        if not 0 <= self.inject < len(self.g):
            raise RecipeError(f"inject: {self.inject}; the layers of g are 0 to {len(self.g) - 1}")
        if self.pooling not in ("sum", "mean"):
            raise RecipeError(f"pooling: '{self.pooling}'; known: sum, mean")


class RelationNetwork(nn.Module):
    """Objects and a condition -> logits; the order of the objects makes no difference.

    Attributes:
        g: layers; the input of the first is `[o_i; o_j; q]`, as if it were computed so.
        f: a perceptron.
    """

    def __init__(self, config: RelationNetworkConfig) -> None:
        super().__init__()
        self.config = config
        into = [2 * config.objects, *config.g[:-1]]
        into[config.inject] += config.condition
        self.g = nn.ModuleList(nn.Linear(i, o) for i, o in zip(into, config.g, strict=True))
        self.f = perceptron(config.g[-1], config.f, config.classes, config.dropout)
        self.attention: PairAttention | None = None
        if config.top_pairs:
            self.attention = PairAttention(config.objects, config.condition, config.attention)

    def forward(
        self, objects: Tensor, condition: Tensor | None = None, mask: Tensor | None = None, pairs: Tensor | None = None
    ) -> Tensor:
        """
        Args:
            objects: (B, N, D). Without any object the answer is f(0).
            condition: (B, Q), unless the network has none.
            mask: (B, N) bool, which objects are there; all without it.
            pairs: (P, 2) int64, the pairs (i, j) to be related in every question, or (B, P, 2) for each; one with -1
                is no pair, and one that is listed twice counts twice. All ordered pairs without it.

        Returns:
            (B, C) logits.

        Raises:
            DataError: shapes that do not fit each other or the settings; a pair of an object that is not there.
        """
        return self.f(self.pooled(objects, condition, mask, pairs))  # type: ignore[no-any-return]

    def pooled(
        self, objects: Tensor, condition: Tensor | None = None, mask: Tensor | None = None, pairs: Tensor | None = None
    ) -> Tensor:
        """What f is given: the sum (or mean) of all relations, (B, H)."""
        self._check(objects, condition, mask, pairs)
        present = mask if self.config.mask_padding else None
        left, right, shift = self._project(objects, condition)
        if pairs is None and self.attention is None and (present is None or bool(present.all())):
            total = self._relate_all(left, right, shift)
            number: Tensor | int = objects.shape[1] ** 2
        else:
            if present is None:
                present = objects.new_ones(objects.shape[:2], dtype=torch.bool)
            possible = candidate_pairs(present, pairs)
            if self.attention is None:
                rows = present_pairs(possible)
            else:
                rows = self.attention(objects, condition, possible, self.config.top_pairs)
            total = self._relate_listed(left, right, shift, rows)
            number = rows.question.bincount(minlength=len(objects)).to(total.dtype)[:, None]
        if self.config.pooling == "mean":
            total = total / (number.clamp(min=1) if isinstance(number, Tensor) else max(number, 1))
        return total

    def _check(self, objects: Tensor, condition: Tensor | None, mask: Tensor | None, pairs: Tensor | None) -> None:
        config = self.config
        if objects.ndim != 3 or objects.shape[2] != config.objects:
            raise DataError(f"objects of shape {tuple(objects.shape)}; expected (B, N, {config.objects})")
        size, number = objects.shape[:2]
        if config.condition and (condition is None or condition.shape != (size, config.condition)):
            actual = "no condition" if condition is None else f"a condition of shape {tuple(condition.shape)}"
            raise DataError(f"{actual}; expected ({size}, {config.condition})")
        if not config.condition and condition is not None:
            raise DataError("a condition, for a network that was made without one (condition = 0)")
        if mask is not None and (mask.shape != (size, number) or mask.dtype != torch.bool):
            raise DataError(f"a mask of {mask.dtype} {tuple(mask.shape)}; expected torch.bool ({size}, {number})")
        if pairs is not None:
            if pairs.shape[-1:] != (2,) or pairs.ndim not in (2, 3) or (pairs.ndim == 3 and len(pairs) != size):
                raise DataError(f"pairs of shape {tuple(pairs.shape)}; expected (P, 2) or ({size}, P, 2)")
            if pairs.dtype != torch.int64:
                raise DataError(f"pairs of {pairs.dtype}; expected torch.int64")
            if pairs.numel() and (int(pairs.min()) < -1 or int(pairs.max()) >= number):
                raise DataError(f"pairs of objects {int(pairs.min())} to {int(pairs.max())}; there are {number}")

    def _project(self, objects: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """What objects add to the first layer on the left and on the right (B, N, H); the condition is added on the
        left, or is returned as what it adds to its layer (B, H)."""
        # In full precision wherever it runs: what two objects have in common shows in small differences of their
        # features, which half precision would lose; it is cheap, since these are objects and not pairs.
        with torch.autocast(objects.device.type, enabled=False):
            kind = self._layer(0).weight.dtype
            return self._projections(objects.to(kind), None if condition is None else condition.to(kind))

    def _projections(self, objects: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        width, config = self.config.objects, self.config
        first = self._layer(0)
        left = linear(objects, first.weight[:, :width])
        right = linear(objects, first.weight[:, width : 2 * width], first.bias)
        if condition is None:
            return left, right, None
        shift = linear(condition, self._layer(config.inject).weight[:, -config.condition :])
        if config.inject:
            return left, right, shift
        return left + shift[:, None], right, None

    def _layer(self, k: int) -> nn.Linear:
        layer = self.g[k]
        assert isinstance(layer, nn.Linear)
        return layer

    def _before_relu(self, k: int, hidden: Tensor, shift: Tensor | None) -> Tensor:
        layer = self._layer(k)
        if k != self.config.inject or shift is None:
            return layer(hidden)  # type: ignore[no-any-return]
        out = linear(hidden, layer.weight[:, : -self.config.condition], layer.bias)
        return out.add_(shift)

    def _relations(self, first: Tensor, shift: Tensor | None) -> Tensor:
        """g of pairs whose first layer, before its ReLU, is `first` (..., H), which is overwritten."""
        hidden = first.relu_()
        for k in range(1, len(self.config.g)):
            hidden = self._before_relu(k, hidden, shift).relu_()  # linear layers keep their input, not their output
        return hidden

    def _relate_all(self, left: Tensor, right: Tensor, shift: Tensor | None) -> Tensor:
        """(B, N, H) twice -> the sum of the relations of all pairs (B, H): some questions at a time, or, if one has
        too many pairs, some of the left objects at a time."""
        size, number = left.shape[:2]
        chunk = self.config.chunk or size * number * number
        if size * number == 0:
            return left.new_zeros(size, self.config.g[-1])
        questions = min(size, max(1, chunk // number**2))
        anchors = number if number**2 <= chunk else max(1, chunk // number)

        def part(left: Tensor, right: Tensor, shift: Tensor | None) -> Tensor:
            first = left[:, :, None] + right[:, None]  # (b, n, N, H)
            return self._relations(first, None if shift is None else shift[:, None, None]).sum((1, 2))

        recomputed = questions < size or anchors < number
        sums = []
        for q in range(0, size, questions):
            some = slice(q, q + questions)
            moved = None if shift is None else shift[some]
            parts = [
                self._part(part, recomputed, left[some, i : i + anchors], right[some], moved)
                for i in range(0, number, anchors)
            ]
            sums.append(torch.stack(parts).sum(0) if len(parts) > 1 else parts[0])
        return torch.cat(sums)

    def _relate_listed(self, left: Tensor, right: Tensor, shift: Tensor | None, rows: PairList) -> Tensor:
        """The sum of the relations of the listed pairs, (B, H)."""
        size, number = left.shape[:2]
        left, right = left.flatten(0, 1), right.flatten(0, 1)
        total = left.new_zeros(size, self.config.g[-1])
        every = len(rows.question)
        chunk = self.config.chunk or max(every, 1)
        for start in range(0, every, chunk):
            question, i, j = (x[start : start + chunk] for x in rows[:3])
            i, j = question * number + i, question * number + j

            def part(
                left: Tensor,
                right: Tensor,
                shift: Tensor | None,
                gate: Tensor | None,
                question: Tensor = question,
                i: Tensor = i,
                j: Tensor = j,
            ) -> Tensor:
                relations = self._relations(left[i] + right[j], None if shift is None else shift[question])  # (r, H)
                relations = relations if gate is None else relations * gate[:, None]
                return relations.new_zeros(size, relations.shape[1]).index_add(0, question, relations)

            gate = None if rows.gate is None else rows.gate[start : start + chunk]
            total = total + self._part(part, every > chunk, left, right, shift, gate)
        return total

    def _part(self, part: Callable[..., Tensor], recomputed: bool, *inputs: Tensor | None) -> Tensor:
        """`part(*inputs)`; with `recomputed`, backward computes it a second time instead of keeping what it needs."""
        return recompute(part, inputs, list(self.g.parameters())) if recomputed else part(*inputs)
