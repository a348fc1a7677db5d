"""bAbI stories as padded integer arrays: the last 20 sentences before each question, with their relative positions.

    vocabulary = Vocabulary.of(train)
    arrays = encode(train, vocabulary)
    arrays.sentences.shape, arrays.positions[0], arrays.answers[0]

Legend: B questions, S sentences (20), W words of the longest sentence, Q words of the longest question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, did_you_mean
from .babi import Story

SENTENCES = 20  # Santoro et al. 2017: up to 20 sentences immediately before the question
PAD, UNKNOWN = 0, 1
_SPECIAL = 2


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words and answers by number: word i has the number i + 2, for 0 pads and 1 is any other word.

    Attributes:
        words: of sentences and questions, sorted.
        answers: the classes, sorted; `milk,football` is one.
    """

    words: tuple[str, ...]
    answers: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _classes: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {w: i for i, w in enumerate(self.words, _SPECIAL)})
        object.__setattr__(self, "_classes", {a: i for i, a in enumerate(self.answers)})
        if len(self._ids) != len(self.words) or len(self._classes) != len(self.answers):
            raise ValueError("a word or an answer stands twice in the vocabulary")

    @classmethod
    def of(cls, stories: Iterable[Story]) -> Vocabulary:
        """All words and answers of stories; to be made of those to train on."""
        sentences: set[tuple[str, ...]] = set()
        answers: set[str] = set()
        for story in stories:
            sentences.update(story.sentences)
            sentences.add(story.question)
            answers.add(story.answer)
        return cls(tuple(sorted({word for sentence in sentences for word in sentence})), tuple(sorted(answers)))

    def __len__(self) -> int:
        """How many numbers words have, with padding and unknown words: the rows of an embedding."""
        return len(self.words) + _SPECIAL

    def ids(self, sentence: Sequence[str]) -> list[int]:
        """The numbers of words; 1 for those that are not known."""
        return [self._ids.get(word, UNKNOWN) for word in sentence]

    def answer_id(self, answer: str) -> int:
        """The class of an answer.

        Raises:
            DataError: there is no such class.
        """
        if answer not in self._classes:
            raise DataError(f"no answer '{answer}' in the vocabulary{did_you_mean(answer, self.answers)}")
        return self._classes[answer]

    def to_dict(self) -> dict[str, list[str]]:
        """As plain data, for a checkpoint."""
        return {"words": list(self.words), "answers": list(self.answers)}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Vocabulary:
        """What `to_dict` gave.

        Raises:
            DataError: it is no vocabulary.
        """
        lists = [told.get(key) for key in ("words", "answers")]
        for key, found in zip(("words", "answers"), lists, strict=True):
            if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
                raise DataError(f"a vocabulary has a list of texts '{key}', got {type(found).__name__}")
        try:
            return cls(*(tuple(found or ()) for found in lists))
        except ValueError as error:
            raise DataError(str(error)) from None


@dataclass(frozen=True, slots=True)
class BabiArrays:
    """Encoded stories. Rows of sentences are in the story's order, from row 0; what is behind the last is padding.

    Attributes:
        sentences: (B, S, W) int32 numbers of words, padded behind with 0.
        sentence_lengths: (B, S) int32; 0 where there is no sentence.
        positions: (B, S) int32, how far before the question: 1 is the last sentence, 0 where there is none.
        supports: (B, S) bool, the supporting sentences among those that were kept.
        questions: (B, Q) int32.
        question_lengths: (B,) int32.
        answers: (B,) int32 classes; -1 where the answer is none of the vocabulary.
        tasks: (B,) int32, 1 to 20.
        cut: (B,) bool, whether a supporting sentence was left out because it stood too far back.
    """

    sentences: NDArray[np.int32]
    sentence_lengths: NDArray[np.int32]
    positions: NDArray[np.int32]
    supports: NDArray[np.bool_]
    questions: NDArray[np.int32]
    question_lengths: NDArray[np.int32]
    answers: NDArray[np.int32]
    tasks: NDArray[np.int32]
    cut: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(B, S): where there is a sentence."""
        return self.positions > 0


def encode(stories: Sequence[Story], vocabulary: Vocabulary, *, sentences: int = SENTENCES) -> BabiArrays:
    """Stories as arrays, of each the last `sentences` sentences before the question.

    An answer that the vocabulary does not have becomes -1: it counts as a question that cannot be answered rightly.

    Raises:
        ValueError: `sentences` is less than 1.
    """
    if sentences < 1:
        raise ValueError(f"1 sentence or more, got {sentences}")
    b = len(stories)
    kept = [story.sentences[-sentences:] for story in stories]
    widest = max((len(s) for told in kept for s in told), default=1)
    longest = max((len(story.question) for story in stories), default=1)
    made = BabiArrays(
        sentences=np.full((b, sentences, widest), PAD, np.int32),
        sentence_lengths=np.zeros((b, sentences), np.int32),
        positions=np.zeros((b, sentences), np.int32),
        supports=np.zeros((b, sentences), np.bool_),
        questions=np.full((b, longest), PAD, np.int32),
        question_lengths=np.array([len(story.question) for story in stories], np.int32),
        answers=np.array([vocabulary._classes.get(story.answer, -1) for story in stories], np.int32),
        tasks=np.array([story.task for story in stories], np.int32),
        cut=np.zeros(b, np.bool_),
    )
    known: dict[tuple[str, ...], NDArray[np.int32]] = {}  # sentences come again and again
    for i, (story, told) in enumerate(zip(stories, kept, strict=True)):
        for row, sentence in enumerate(told):
            if sentence not in known:
                known[sentence] = np.array(vocabulary.ids(sentence), np.int32)
            made.sentences[i, row, : len(sentence)] = known[sentence]
            made.sentence_lengths[i, row] = len(sentence)
        made.positions[i, : len(told)] = np.arange(len(told), 0, -1)
        made.questions[i, : len(story.question)] = vocabulary.ids(story.question)
        first = len(story.sentences) - len(told)
        for support in story.supports:
            if support >= first:
                made.supports[i, support - first] = True
            else:
                made.cut[i] = True
    return made
