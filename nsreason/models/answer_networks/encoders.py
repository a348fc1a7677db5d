"""Encoders of objects and questions: cells of a convolved image, sentences, the words of a question.

After Santoro et al. (2017), section 4. What the paper leaves open is said where it is decided.

B questions, N objects, D features, S sentences, T words, H units.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...errors import DataError, RecipeError
from .vocabulary import PAD


@dataclass(frozen=True)
class GridConfig:
    """Settings of a grid encoder; those of CLEVR's pixels unless given."""

    channels: tuple[int, ...] = (24, 24, 24, 24)
    """Kernels of the convolutions, 3x3 with stride 2 each."""
    size: int = 128
    """Pixels of an image's side. 128 makes 8x8 cells of four convolutions, 75 makes 5x5."""

    def __post_init__(self) -> None:
        """Raises:
        RecipeError: a setting that no encoder can have.
        """
        if not self.channels or min(*self.channels, self.size) < 1:
            raise RecipeError(f"channels: {self.channels}, size: {self.size}; at least one convolution, of 1 or more")

    @property
    def side(self) -> int:
        """Cells along a side of the map."""
        side = self.size
        for _ in self.channels:
            side = (side + 1) // 2
        return side

    @property
    def objects(self) -> int:
        """N, cells of the map."""
        return self.side**2

    @property
    def features(self) -> int:
        """D: those of a cell and its two coordinates."""
        return self.channels[-1] + 2


class GridEncoder(nn.Module):
    """Images -> the cells of their last feature maps, each with its coordinates, as objects.

    Convolution, batch normalization, ReLU. The coordinates, arbitrary in the paper, are row and column from -1 to 1.
    """

    def __init__(self, config: GridConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        for into, out in zip((3, *config.channels[:-1]), config.channels, strict=True):
            layers += [
                nn.Conv2d(into, out, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, size, size), float from 0 to 1 or uint8 -> (B, N, D), row by row.

        Raises:
            DataError: images of another shape.
        """
        size = self.config.size
        if images.shape[1:] != (3, size, size):
            raise DataError(f"images of shape {tuple(images.shape)}; expected (B, 3, {size}, {size})")
        if images.dtype == torch.uint8:
            images = images.to(next(self.parameters()).dtype) / 255
        maps = self.layers(images)  # (B, C, side, side)
        along = torch.linspace(-1, 1, self.config.side, device=maps.device, dtype=maps.dtype)
        places = torch.cartesian_prod(along, along).expand(len(maps), -1, -1)
        return torch.cat([maps.flatten(2).transpose(1, 2), places], -1)


def last_states(lstm: nn.LSTM, embedded: Tensor, lengths: Tensor) -> Tensor:
    """The hidden state of each sequence after its last word, and not after its padding.

    (R, T, E), (R,) -> (R, H); zeros for an empty sequence. `lstm` has one direction, so that what stands behind a word
    does not reach it: reading the padding too and looking at the last word is 2.7 times as fast on a CPU as packing
    (33 and 12 ms for 64 questions of 8 to 36 words, 128 units, forward and backward).
    """
    if not embedded.shape[0] or not embedded.shape[1]:
        return embedded.new_zeros(len(embedded), lstm.hidden_size)
    states = all_states(lstm, embedded)  # (R, T, H)
    last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
    return states.gather(1, last).squeeze(1) * (lengths > 0)[:, None]


def all_states(lstm: nn.LSTM, embedded: Tensor) -> Tensor:
    """The hidden states after each word, (R, T, E) -> (R, T, H).

    On a CPU always in full precision: the math library has a bfloat16 LSTM only for processors with instructions for
    it. Where it has one, full precision costs 1.4 to 1.8 times as much, of a small part of a step.
    """
    kind = embedded.device.type
    if kind != "cpu" or not torch.is_autocast_enabled(kind):
        return lstm(embedded)[0]  # type: ignore[no-any-return]
    with torch.autocast(kind, enabled=False):
        states: Tensor = lstm(embedded.to(next(lstm.parameters()).dtype))[0]
    return states.to(torch.get_autocast_dtype(kind))


def counted(words: Tensor) -> Tensor:
    """How many words there are up to the last that is not padding: (..., T) -> (...)."""
    if not words.shape[-1]:  # a batch of texts without a word
        return words.new_zeros(words.shape[:-1])
    places = torch.arange(1, words.shape[-1] + 1, device=words.device)
    return ((words != PAD) * places).amax(-1)


class TextEncoder(nn.Module):
    """Words, one after another, through an LSTM: what encoders of text have in common."""

    def __init__(self, config: QuestionConfig | SentenceConfig, words: int) -> None:
        """
        Args:
            words: the size of the vocabulary, padding included.
        """
        super().__init__()
        self.embedding = nn.Embedding(words, config.embedding, padding_idx=PAD)
        self.lstm = nn.LSTM(config.embedding, config.units, batch_first=True)

    def read(self, words: Tensor) -> Tensor:
        """(R, T) int64, padded with 0 on the right -> (R, units), the states after the last words."""
        return last_states(self.lstm, self.embedding(words), counted(words))


@dataclass(frozen=True)
class QuestionConfig:
    """Settings of a question encoder; those of CLEVR's pixels unless given."""

    units: int = 128
    """Units of the LSTM."""
    embedding: int = 32
    """Dimensions of a word's embedding."""

    def __post_init__(self) -> None:
        """Raises:
        RecipeError: a setting that no encoder can have.
        """
        if min(self.units, self.embedding) < 1:
            raise RecipeError(f"units: {self.units}, embedding: {self.embedding}; 1 or more will do")


class QuestionEncoder(TextEncoder):
    """Words -> the last hidden state of an LSTM that reads them."""

    def __init__(self, config: QuestionConfig, words: int) -> None:
        super().__init__(config, words)
        self.config = config

    def forward(self, words: Tensor) -> Tensor:
        """(B, T) int64, padded with 0 on the right -> (B, units). How far it is padded makes no difference."""
        return self.read(words)


@dataclass(frozen=True)
class SentenceConfig:
    """Settings of a sentence encoder; those of bAbI unless given."""

    units: int = 32
    """Units of the LSTM, which all sentences share."""
    embedding: int = 32
    """Dimensions of a word's embedding; not in the paper."""
    sentences: int = 20
    """The most sentences of a story."""
    spread: int = 0
    """While training, the tags of a story's sentences are moved by a random number from 0 to this one, drawn from
    torch's generator, so that long stories' tags are learned from short ones. Not in the paper."""

    def __post_init__(self) -> None:
        """Raises:
        RecipeError: a setting that no encoder can have.
        """
        if min(self.units, self.embedding, self.sentences) < 1 or self.spread < 0:
            raise RecipeError(f"{self}: units, embedding and sentences of 1 or more, spread of 0 or more will do")

    @property
    def features(self) -> int:
        """D: the LSTM's state and a tag."""
        return self.units + self.sentences + self.spread


class SentenceEncoder(TextEncoder):
    """The sentences of stories -> objects: what an LSTM makes of each, and a tag that says where it stands.

    The tag, whose form the paper leaves open, is one-hot and counts back from the question: 0 is the last sentence.
    """

    def __init__(self, config: SentenceConfig, words: int) -> None:
        super().__init__(config, words)
        self.config = config

    def forward(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """
        Args:
            words: (B, S, T) int64, sentences in the order of the story, then empty ones.

        Returns:
            objects (B, S, D), and which of them are sentences (B, S) bool; the others are zeros.

        Raises:
            DataError: more sentences than there are tags.
        """
        config, lengths = self.config, counted(words)
        there = lengths > 0
        if words.shape[1] > config.sentences:
            raise DataError(f"stories of {words.shape[1]} sentences; the last {config.sentences} of each will do")
        # Equal sentences of a batch are read once. embedding() hands the states out, and sums their gradients in the
        # same order each time; indexing would not, on several threads.
        read, which = torch.unique(words[there], dim=0, return_inverse=True)  # (U, T), (R,)
        states = torch.nn.functional.embedding(which, self.read(read))
        back = there.flip(1).cumsum(1).flip(1) - 1  # (B, S), 0 for the last sentence
        if self.training and config.spread:
            back = back + torch.randint(config.spread + 1, (len(words), 1), device=words.device)
        tags = torch.nn.functional.one_hot(back[there], config.sentences + config.spread).to(states.dtype)
        objects = states.new_zeros(*there.shape, config.features)
        return objects.index_put((there.nonzero(as_tuple=True)), torch.cat([states, tags], -1)), there
