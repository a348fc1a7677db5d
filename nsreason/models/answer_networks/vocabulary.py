"""Words and their numbers, for networks that read text. No torch is imported until a tensor is asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

PAD, UNKNOWN = 0, 1
_KEPT = 200_000  # texts
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[^\s\w]")


def tokens(text: str) -> list[str]:
    """Lower-case words and punctuation marks, each its own: `Is it red?` -> `is`, `it`, `red`, `?`."""
    return _TOKEN.findall(text.lower())


@dataclass(frozen=True)
class WordVocabulary:
    """A vocabulary. Number 0 is padding, 1 every word that is not in it, 2 the first of `words`."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises:
        DataError: a word is there twice.
        """
        if len(set(self.words)) != len(self.words):
            twice = [word for word, n in Counter(self.words).items() if n > 1]
            raise DataError(f"a vocabulary with '{twice[0]}' twice; each word once will do")

    @classmethod
    def of(cls, texts: Iterable[str], *, least: int = 1) -> WordVocabulary:
        """The words that stand in the texts `least` times, in the order of the alphabet."""
        counts = Counter(word for text in texts for word in tokens(text))
        return cls(tuple(sorted(word for word, n in counts.items() if n >= least)))

    def __len__(self) -> int:
        """How many numbers there are, padding and the unknown word included: the rows of an embedding."""
        return 2 + len(self.words)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each word."""
        return {word: n for n, word in enumerate(self.words, 2)}

    @cached_property
    def _encoded(self) -> dict[str, list[int]]:
        return {}

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's words; texts come again and again, and the last many are kept."""
        numbers = self._encoded.get(text)
        if numbers is None:
            if len(self._encoded) >= _KEPT:
                self._encoded.clear()
            numbers = self._encoded[text] = [self.numbers.get(word, UNKNOWN) for word in tokens(text)]
        return numbers

    def batch(self, texts: Sequence[str]) -> Tensor:
        """B texts -> (B, T) int64, padded on the right; T is 1 at least."""
        return padded([self.encode(text) for text in texts])

    def stories(self, stories: Sequence[Sequence[str]], *, last: int = 20) -> Tensor:
        """B stories of sentences, in their order -> (B, S, T) int64: the `last` of each; S and T are 1 at least."""
        kept = [[self.encode(sentence) for sentence in story[max(0, len(story) - last) :]] for story in stories]
        most = max((len(story) for story in kept), default=1) or 1
        flat = padded([sentence for story in kept for sentence in [*story, *[[]] * (most - len(story))]])
        return flat.reshape(len(kept), most, flat.shape[1])


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Lists of numbers -> (B, T) int64, padded with 0 on the right; T is 1 at least."""
    import torch

    matrix = np.full((len(rows), max(1, *map(len, rows)) if rows else 1), PAD, np.int64)
    for row, numbers in zip(matrix, rows, strict=True):
        row[: len(numbers)] = numbers
    return torch.from_numpy(matrix)
