"""Which pairs of objects are related: those of present objects, those of a list, those of the highest attention.

B questions, N objects of D features, P pairs of a question, R pairs of the whole batch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class CandidatePairs(NamedTuple):
    """Pairs that may be related: indices of two objects, and which pairs exist; (B, P) each."""

    left: Tensor
    right: Tensor
    there: Tensor


class PairList(NamedTuple):
    """Pairs to relate, question by question, (R,) each. `gate` is 1 and exists for its gradient."""

    question: Tensor
    left: Tensor
    right: Tensor
    gate: Tensor | None = None


def candidate_pairs(present: Tensor, pairs: Tensor | None) -> CandidatePairs:
    """All ordered pairs, or those listed (P, 2) or (B, P, 2), of the objects that are `present` (B, N)."""
    size, number = present.shape
    if pairs is None:
        places = torch.arange(number, device=present.device)
        pairs = torch.cartesian_prod(places, places) if number else places.new_zeros(0, 2)
    if number == 0:  # then all that is listed is -1
        pairs = pairs[..., :0, :]
    left, right = pairs.expand(size, -1, 2).unbind(-1)
    there = (left >= 0) & (right >= 0)
    left, right = left.clamp(min=0), right.clamp(min=0)
    return CandidatePairs(left, right, there & present.gather(1, left) & present.gather(1, right))


def present_pairs(candidates: CandidatePairs) -> PairList:
    """List the candidates that exist."""
    question, place = candidates.there.nonzero(as_tuple=True)
    return PairList(question, candidates.left[question, place], candidates.right[question, place])


class PairAttention(nn.Module):
    """Keeps the pairs of the highest score: the product of a query (of the left object and the condition) with a key
    (of the right object).

    The choice has no gradient. So that attention learns all the same, each relation that is kept is multiplied by a
    gate that is 1 and has the gradient of sigmoid(score): a score rises if more of its relation would lower the loss.
    The bound on the cost is what the paper leaves to future work; the method is ours.
    """

    def __init__(self, objects: int, condition: int, units: int) -> None:
        super().__init__()
        self.query = nn.Linear(objects + condition, units)
        self.key = nn.Linear(objects, units, bias=False)

    def scores(self, objects: Tensor, condition: Tensor | None) -> Tensor:
        """(B, N, D), (B, Q) -> (B, N, N)."""
        asking = objects
        if condition is not None:
            asking = torch.cat([objects, condition[:, None].expand(-1, objects.shape[1], -1)], -1)
        query, key = self.query(asking), self.key(objects)
        return query @ key.transpose(1, 2) / query.shape[-1] ** 0.5  # type: ignore[no-any-return]

    def forward(self, objects: Tensor, condition: Tensor | None, candidates: CandidatePairs, most: int) -> PairList:
        """The `most` candidates with the highest scores, or all if there are no more."""
        number = objects.shape[1]
        scores = self.scores(objects, condition).flatten(1).gather(1, candidates.left * number + candidates.right)
        ranked = scores.detach().masked_fill(~candidates.there, -torch.inf)
        kept = ranked.topk(min(most, ranked.shape[1]), sorted=False).indices.sort(1).values  # (B, K)
        question, place = candidates.there.gather(1, kept).nonzero(as_tuple=True)
        chosen = kept[question, place]
        soft = scores[question, chosen].sigmoid()
        gate = 1 + (soft - soft.detach())
        return PairList(question, candidates.left[question, chosen], candidates.right[question, chosen], gate)
