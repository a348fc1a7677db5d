"""Settings of the paper's tasks, in its sizes and in sizes for a CPU; and the network that a preset describes.

The paper's are from sections 3 to 5 of its main text and B to F of its supplement (Santoro et al., 2017). It leaves
open: the width of words and the batch of bAbI, the encoding of state rows (13: place, color as r, g, b, and one-hot
shape, material and size), the size of the convolutions' strides on 75x75 images. 29 classes of CLEVR are its number;
there are 28 answers.

The sizes for a CPU are ours, chosen by cost and not by accuracy: nothing is claimed of what they reach.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor, nn

from ..errors import DataError, RecipeError, did_you_mean
from .encoders import (
    GridConfig,
    GridEncoder,
    QuestionConfig,
    QuestionEncoder,
    SentenceConfig,
    SentenceEncoder,
)
from .relation_network import RelationNetwork, RelationNetworkConfig


@dataclass(frozen=True)
class Preset:
    """What is trained, and how.

    objects: how objects are made, or None if they are given as rows.
    question: how a question is read, or None if it is given as a vector, or not at all.
    relation: the network on top.
    learning_rate: Adam's.
    batch: questions of a step. The paper's CLEVR runs had ten workers with a batch each.
    loss: `classes` is the cross-entropy of one class, `pairs` of each logit on its own (one for each pair of objects).
    """

    objects: GridConfig | SentenceConfig | None
    question: QuestionConfig | None
    relation: RelationNetworkConfig
    learning_rate: float
    batch: int
    loss: Literal["classes", "pairs"] = "classes"

    def __post_init__(self) -> None:
        """Raises:
        RecipeError: the network on top expects other features than it is given.
        """
        made = self.relation.objects if self.objects is None else self.objects.features
        asked = self.relation.condition if self.question is None else self.question.units
        if (made, asked) != (self.relation.objects, self.relation.condition):
            expected = f"{self.relation.objects} and {self.relation.condition}"
            raise RecipeError(f"objects of {made} features and a condition of {asked}; relation expects {expected}")


PRESETS: dict[str, Preset] = {
    "clevr-pixels": Preset(
        objects=GridConfig(channels=(24, 24, 24, 24), size=128),
        question=QuestionConfig(units=128, embedding=32),
        relation=RelationNetworkConfig(26, 128, 29, g=(256, 256, 256, 256), f=(256, 256), dropout=0.5),
        learning_rate=2.5e-4,
        batch=64,
    ),
    "clevr-state": Preset(
        objects=None,
        question=QuestionConfig(units=256, embedding=32),
        relation=RelationNetworkConfig(13, 256, 29, g=(512, 512, 512, 512), f=(512, 1024), dropout=0.02),
        learning_rate=1e-4,
        batch=64,
    ),
    "sort-of-clevr": Preset(
        objects=GridConfig(channels=(32, 64, 128, 256), size=75),
        question=None,
        relation=RelationNetworkConfig(
            258, 11, 10, g=(2000, 2000, 2000, 2000), f=(2000, 1000, 500, 100), dropout=0.0
        ),
        learning_rate=1e-4,
        batch=64,
    ),
    "babi": Preset(
        objects=SentenceConfig(units=32, embedding=32, sentences=20),
        question=QuestionConfig(units=32, embedding=32),
        relation=RelationNetworkConfig(52, 32, 159, g=(256, 256, 256, 256), f=(256, 512), dropout=0.0),
        learning_rate=2e-4,
        batch=32,
    ),
    "physics-connections": Preset(
        objects=None,
        question=None,
        relation=RelationNetworkConfig(33, 0, 100, g=(1000, 1000, 1000, 500), f=(500, 100), dropout=0.0),
        learning_rate=1e-4,
        batch=50,
        loss="pairs",
    ),
    "physics-systems": Preset(
        objects=None,
        question=None,
        relation=RelationNetworkConfig(33, 0, 10, g=(1000, 1000, 1000, 500), f=(500, 100), dropout=0.0),
        learning_rate=1e-4,
        batch=50,
    ),
    "clevr-pixels-cpu": Preset(
        objects=GridConfig(channels=(16, 24, 24, 24), size=64),
        question=QuestionConfig(units=64, embedding=32),
        relation=RelationNetworkConfig(26, 64, 29, g=(128, 128, 128), f=(128, 128), dropout=0.1),
        learning_rate=5e-4,
        batch=64,
    ),
    "clevr-state-cpu": Preset(
        objects=None,
        question=QuestionConfig(units=128, embedding=32),
        relation=RelationNetworkConfig(13, 128, 29, g=(128, 128, 128), f=(128, 128), dropout=0.02),
        learning_rate=5e-4,
        batch=64,
    ),
    "sort-of-clevr-cpu": Preset(
        objects=GridConfig(channels=(24, 24, 24, 24), size=75),
        question=None,
        relation=RelationNetworkConfig(26, 11, 10, g=(128, 128, 128), f=(128, 128), dropout=0.0),
        learning_rate=5e-4,
        batch=64,
    ),
    "babi-cpu": Preset(
        objects=SentenceConfig(units=32, embedding=32, sentences=20),
        question=QuestionConfig(units=32, embedding=32),
        relation=RelationNetworkConfig(52, 32, 159, g=(128, 128, 128), f=(128, 128), dropout=0.0),
        learning_rate=5e-4,
        batch=32,
    ),
    "physics-connections-cpu": Preset(
        objects=None,
        question=None,
        relation=RelationNetworkConfig(33, 0, 100, g=(200, 200, 200, 200), f=(200, 100), dropout=0.0),
        learning_rate=5e-4,
        batch=50,
        loss="pairs",
    ),
    "physics-systems-cpu": Preset(
        objects=None,
        question=None,
        relation=RelationNetworkConfig(33, 0, 10, g=(200, 200, 200, 200), f=(200, 100), dropout=0.0),
        learning_rate=5e-4,
        batch=50,
    ),
}
"""Name -> settings. Literal, so that a number is found where it is looked for."""


def preset(name: str) -> Preset:
    """The preset of a name.

    Raises:
        RecipeError: there is none.
    """
    if name not in PRESETS:
        raise RecipeError(f"no preset '{name}'{did_you_mean(name, PRESETS)}")
    return PRESETS[name]


class Encoded(nn.Module):
    """Encoders below, and an answerer on top: a relation network, or one of those it is compared with.

    Attributes:
        objects: a grid or sentence encoder, or None for rows of features.
        question: a question encoder, or None for a vector, or no question.
        answerer: called with objects (B, N, D), condition (B, Q) or None, mask (B, N) bool or None.
    """

    def __init__(
        self, objects: GridEncoder | SentenceEncoder | None, question: QuestionEncoder | None, answerer: nn.Module
    ) -> None:
        super().__init__()
        self.objects, self.question, self.answerer = objects, question, answerer

    def forward(self, seen: Tensor | None, asked: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """
        Args:
            seen: images (B, 3, size, size), words of sentences (B, S, T) or rows (B, N, D); None if the answerer
                does not look.
            asked: words (B, T), or a vector (B, Q), or None if there are no questions.
            mask: (B, N) bool, which rows are there. Sentences know it themselves.

        Returns:
            (B, C) logits.

        Raises:
            DataError: a mask for sentences, or what the encoders or the answerer refuse.
        """
        objects = seen
        if seen is not None and isinstance(self.objects, SentenceEncoder):
            if mask is not None:
                raise DataError("a mask for sentences; empty ones are left out by themselves")
            objects, mask = self.objects(seen)
        elif seen is not None and self.objects is not None:
            objects = self.objects(seen)
        condition = asked if asked is None or self.question is None else self.question(asked)
        return self.answerer(objects, condition, mask)  # type: ignore[no-any-return]


def build(
    settings: Preset, words: int = 0, *, classes: int | None = None, answerer: nn.Module | None = None
) -> Encoded:
    """The network of a preset, or the same encoders below another answerer.

    Args:
        words: the size of the vocabulary, padding included (`len(Words)`), if there are words to be read.
        classes: how many answers there are, if they are not as many as in the paper.

    Raises:
        RecipeError: there are words to be read, and no vocabulary.
    """
    reads = settings.question is not None or isinstance(settings.objects, SentenceConfig)
    if reads and words < 1:
        raise RecipeError(f"words: {words}; the preset reads words, give the size of their vocabulary")
    objects: GridEncoder | SentenceEncoder | None = None
    if isinstance(settings.objects, GridConfig):
        objects = GridEncoder(settings.objects)
    elif settings.objects is not None:
        objects = SentenceEncoder(settings.objects, words)
    question = None if settings.question is None else QuestionEncoder(settings.question, words)
    if answerer is None:
        relation = settings.relation if classes is None else replace(settings.relation, classes=classes)
        answerer = RelationNetwork(relation)
    return Encoded(objects, question, answerer)
