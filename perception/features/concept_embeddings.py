"""Concept embeddings: object and pair features to degrees of concepts and relations, once per scene.

Each attribute has an operator, which maps features to a space of its own; each concept has a vector in each space and
belongs to the spaces by learned weights. How much an object is red is the cosine between its place in a space and the
vector of `red` there, against a margin, over all spaces. One more space, `others`, is of no attribute; relations have
their own spaces, on pair features (Mao et al., NS-CL, ICLR 2019).

S scenes, N objects (padded), D object features, E pair features, C concepts, R relations, A attributes, P spaces,
H dimensions of a space. All scores are logits: above 0 is more likely than not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from ...dsl.domain import Domain

Variant = Literal["release", "paper"]
Belong = Literal["learned", "known"]

KNOWN = 100.0  # the belong logit of a concept's own space, and its negative elsewhere, where belonging is given
SELF = -10.0  # no object is left of itself, or another one of its own colour


@dataclass(frozen=True)
class ConceptConfig:
    """Sizes and constants of concept embeddings. Defaults are those of the NS-CL release."""

    space: int = 64
    """Dimensions H of each space."""
    variant: Variant = "release"
    """`release` adds logits of spaces (logsumexp of (cos - margin) / temperature + log belong), `paper` mixes their
    probabilities (sum of belong * sigmoid((cos - margin) / temperature))."""
    margin: float | None = None
    """Margin of the cosine between an object and a concept; None takes the variant's: release 0.15, which is 1 - gamma
    of its gamma 0.85; paper 0.2."""
    temperature: float | None = None
    """Temperature of that cosine; None takes the variant's: release 0.2125, which is gamma * tau of its tau 0.25;
    paper 0.1."""
    same_margin: float | None = None
    """Margin of the cosine between two objects; None takes the variant's: release 0.5, paper 0.2."""
    same_temperature: float | None = None
    """Temperature of that cosine; None takes the variant's: release 0.125, paper 0.1."""
    belong: Belong = "learned"
    """`learned`, or `known`: the domain says which attribute a concept is a value of."""
    others: bool = True
    """Whether there is one more space, which belongs to no attribute."""
    own_vectors: bool = True
    """Whether a concept has a vector for each space, or one for all spaces."""
    self_mask: bool = True
    """Whether pairs of an object with itself are masked."""

    def __post_init__(self) -> None:
        if self.space < 1:
            raise ValueError(f"space: a whole number from 1, got {self.space}")
        if min(self.scale()[1], self.same_scale()[1]) <= 0:
            raise ValueError("temperature and same_temperature: numbers above 0")

    def scale(self) -> tuple[float, float]:
        """Margin and temperature of an object against a concept."""
        margin, temperature = (0.15, 0.2125) if self.variant == "release" else (0.2, 0.1)
        return _or(self.margin, margin), _or(self.temperature, temperature)

    def same_scale(self) -> tuple[float, float]:
        """Margin and temperature of an object against another."""
        margin, temperature = (0.5, 0.125) if self.variant == "release" else (0.2, 0.1)
        return _or(self.same_margin, margin), _or(self.same_temperature, temperature)


def _or(given: float | None, default: float) -> float:
    return default if given is None else given


class Tables(NamedTuple):
    """Logits of S scenes: concepts (S, C, N), relations (S, R, N, N), alike (S, A, N, N), words (S, A, N, C).

    relations[s, r, i, j] is how much *j is r of i*.
    """

    concepts: Tensor
    relations: Tensor
    alike: Tensor
    words: Tensor


class Spaces(nn.Module):
    """Operators into P spaces, and the vectors of C concepts in each."""

    known: Tensor | None

    def __init__(self, width: int, homes: Sequence[int], spaces: int, config: ConceptConfig) -> None:
        """`homes` says for each concept the number of the space that it is known to belong to."""
        super().__init__()
        self.spaces, self.config = spaces, config
        self.operators = nn.Linear(width, spaces * config.space)
        self.vectors = nn.Parameter(torch.randn(spaces if config.own_vectors else 1, len(homes), config.space))
        if config.belong == "known" or spaces == 1:  # one space has all of each concept: nothing to learn
            home = F.one_hot(torch.tensor(list(homes), dtype=torch.int64), spaces).float()
            self.register_buffer("known", (2 * home - 1) * KNOWN)
        else:
            self.belong = nn.Parameter(0.1 * torch.randn(len(homes), spaces))
            self.register_buffer("known", None)

    def log_belong(self) -> Tensor:
        """(P, 1, C) logarithms of how much each concept belongs to each space; over spaces they add up to 1."""
        logits = self.belong if self.known is None else self.known
        return torch.log_softmax(logits, dim=-1).t().unsqueeze(1)

    def units(self) -> Tensor:
        """(P, C, H) the concepts' vectors, of length 1."""
        return F.normalize(self.vectors, dim=-1).expand(self.spaces, -1, -1)

    def places(self, features: Tensor) -> Tensor:
        """(M, D) features to (P, M, H) unit vectors, one in each space."""
        spread = self.operators(features).view(-1, self.spaces, self.config.space)
        return F.normalize(spread, dim=-1).transpose(0, 1)

    def cosines(self, places: Tensor) -> Tensor:
        """(P, M, H) places to (P, M, C)."""
        return torch.bmm(places, self.units().transpose(1, 2))

    def terms(self, cosines: Tensor) -> tuple[Tensor, Tensor]:
        """What each space says: (P, M, C) cosines to the terms of the words and, summed up, the (M, C) scores.

        The terms of one space are the scores of all concepts as the answer to `which?` there; a softmax over C.
        """
        margin, temperature = self.config.scale()
        scaled, belong = (cosines - margin) / temperature, self.log_belong()
        if self.config.variant == "release":
            terms = scaled + belong
            return terms, torch.logsumexp(terms, dim=0)
        # A mixture of probabilities p, as the logit log p - log(1 - p): both logarithms are sums over spaces.
        terms = F.logsigmoid(scaled) + belong
        return terms, torch.logsumexp(terms, dim=0) - torch.logsumexp(F.logsigmoid(-scaled) + belong, dim=0)


class ConceptEmbeddings(nn.Module):
    """Concepts and relations of a domain, as vectors.

    Args:
        objects, pairs: widths D and E of the features.
    """

    def __init__(
        self, domain: Domain, objects: int = 256, pairs: int = 256, config: ConceptConfig | None = None
    ) -> None:
        super().__init__()
        self.config = config = config or ConceptConfig()
        self.attributes, self.relation_count = len(domain.attributes), len(domain.relations)
        others = int(config.others)
        homes = [domain.attribute_index[domain.attribute_of[c]] for c in domain.concepts]
        self.concepts = Spaces(objects, homes, self.attributes + others, config)
        self.relations = Spaces(pairs, [0] * self.relation_count, 1 + others, config) if self.relation_count else None

    def forward(self, objects: Tensor, pairs: Tensor | None, present: Tensor, nothing: float = -1e4) -> Tables:
        """Ground padded scenes.

        Args:
            objects: (S, N, D) features.
            pairs: (S, N, N, E) features of ordered pairs, first the reference; None in a domain without relations.
            present: (S, N) bool, where there is an object.
            nothing: the score of what is not there.

        Raises:
            ValueError: the domain has relations, and there are no pair features.
        """
        s, n, _ = objects.shape
        places = self.concepts.places(objects.flatten(0, 1))  # (P, S*N, H)
        terms, concepts = self.concepts.terms(self.concepts.cosines(places))  # (P, S*N, C), (S*N, C)
        there = present[:, None, :, None] & present[:, None, None, :]  # (S, 1, N, N)
        itself = torch.eye(n, dtype=torch.bool, device=objects.device) & self.config.self_mask
        return Tables(
            concepts.view(s, n, -1).transpose(1, 2).masked_fill(~present[:, None, :], nothing),
            self._relations(pairs, objects).masked_fill(itself, SELF).masked_fill(~there, nothing),
            self._alike(places, s).masked_fill(itself, SELF).masked_fill(~there, nothing),
            terms[: self.attributes].view(self.attributes, s, n, -1).transpose(0, 1),  # (S, A, N, C)
        )

    def _relations(self, pairs: Tensor | None, objects: Tensor) -> Tensor:
        s, n, _ = objects.shape
        if self.relations is None:
            return objects.new_zeros(s, 0, n, n)
        if pairs is None:
            raise ValueError("the domain has relations: features of pairs are needed")
        places = self.relations.places(pairs.flatten(0, 2))  # (P, S*N*N, H)
        _, scores = self.relations.terms(self.relations.cosines(places))
        return scores.view(s, n, n, -1).permute(0, 3, 1, 2)

    def _alike(self, places: Tensor, s: int) -> Tensor:
        # (S, A, N, H)
        mine = places[: self.attributes].reshape(self.attributes, s, -1, places.shape[-1]).transpose(0, 1)
        margin, temperature = self.config.same_scale()
        cosines: Tensor = mine @ mine.transpose(-1, -2)
        return (cosines - margin) / temperature
