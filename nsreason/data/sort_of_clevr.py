"""Sort-of-CLEVR: its files, questions and answers. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .arrays import read_arrays, read_settings

SIZE = 75  # of a picture, in pixels


MIDDLE = SIZE // 2


COLORS = ("red", "green", "blue", "orange", "gray", "yellow")  # in the order of the first six bits


RGB = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 156, 0), (128, 128, 128), (255, 255, 0))


SHAPES = ("rectangle", "circle")


ANSWERS = ("yes", "no", *SHAPES, "1", "2", "3", "4", "5", "6")


BITS = 11


# The last five bits: not relational, relational; then one of three.
PLAIN = ("shape", "left", "top")


RELATIONAL = ("nearest", "furthest", "count")


TEXTS = {
    "shape": "What is the shape of the {} object?",
    "left": "Is the {} object on the left?",
    "top": "Is the {} object at the top?",
    "nearest": "What is the shape of the object nearest to the {} one?",
    "furthest": "What is the shape of the object furthest from the {} one?",
    "count": "How many objects have the shape of the {} one?",
}


Objects = NDArray[np.int16]  # (6, 3): x, y and shape of the object of each color, in pixels from the top left


_STATE = 2 + len(SHAPES) + len(COLORS)


FILES = ("train.npz", "validation.npz")


ARRAYS: dict[str, tuple[tuple[int | str, ...], type]] = {
    "images": (("N", SIZE, SIZE, 3), np.uint8),
    "objects": (("N", len(COLORS), 3), np.int16),
    "questions": (("N", "Q", BITS), np.uint8),
    "answers": (("N", "Q"), np.uint8),
    "relational": (("N", "Q"), np.bool_),
}


@dataclass(frozen=True, slots=True)
class SortOfClevrArrays:
    """Pictures and their questions.

    Attributes:
        images: (N, 75, 75, 3) uint8, RGB.
        objects: (N, 6, 3) int16: x, y, shape (an index of SHAPES) of the object of each color, in the order of COLORS.
        questions: (N, Q, 11) uint8, each 0 or 1.
        answers: (N, Q) uint8, indices of ANSWERS.
        relational: (N, Q) bool.
    """

    images: NDArray[np.uint8]
    objects: NDArray[np.int16]
    questions: NDArray[np.uint8]
    answers: NDArray[np.uint8]
    relational: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)

    def states(self) -> NDArray[np.float32]:
        """The pictures as state descriptions, (N, 6, 10): x and y from -1 to 1, shape and color as one-hots."""
        return states(self.objects)


def states(objects: NDArray[np.int16]) -> NDArray[np.float32]:
    """State descriptions of objects (..., 6, 3): rows of x and y from -1 to 1, shape, color, (..., 6, 10)."""
    rows = np.zeros((*objects.shape[:-1], _STATE), np.float32)
    rows[..., :2] = objects[..., :2] / MIDDLE - 1
    rows[..., 2:4] = np.eye(len(SHAPES), dtype=np.float32)[objects[..., 2]]
    rows[..., 4:] = np.eye(len(COLORS), dtype=np.float32)
    return rows


def question_bits(kind: str, color: int) -> NDArray[np.uint8]:
    """The 11 bits of a question."""
    bits = np.zeros(BITS, np.uint8)
    relational = kind in RELATIONAL
    bits[[color, 6 + relational, 8 + (RELATIONAL if relational else PLAIN).index(kind)]] = 1
    return bits


def read_question(bits: Iterable[int]) -> tuple[str, str]:
    """The kind and the color of a question.

    Raises:
        ValueError: these are not the bits of a question.
    """
    ones = [int(b) for b in bits]
    groups = ones[:6], ones[6:8], ones[8:]
    if len(ones) != BITS or any(sorted(g) != [0] * (len(g) - 1) + [1] for g in groups):
        raise ValueError(f"a question is 11 bits, one set of the first 6, of the next 2 and of the last 3: got {ones}")
    color, relational, kind = (group.index(1) for group in groups)
    return (RELATIONAL if relational else PLAIN)[kind], COLORS[color]


def question_text(bits: Iterable[int]) -> str:
    """A question in English: `Is the red object on the left?`."""
    kind, color = read_question(bits)
    return TEXTS[kind].format(color)


def read_sort_of_clevr(folder: str | Path, split: str = "train") -> SortOfClevrArrays:
    """The `train` or `validation` part of a data set that `write_sort_of_clevr` wrote.

    Raises:
        DataError: a file is missing or damaged, or was made with other colors or answers.
        ValueError: there is no such split.
    """
    names = {name[:-4]: name for name in FILES}
    if split not in names:
        raise ValueError(f"no split '{split}'; there are {', '.join(names)}")
    from ..errors import DataError

    settings = read_settings(Path(folder) / "settings.json")
    for key, known in (("colors", COLORS), ("shapes", SHAPES), ("answers", ANSWERS)):
        if settings.get(key) != list(known):
            raise DataError(f"{Path(folder) / 'settings.json'}: '{key}' is {settings.get(key)}, not {list(known)}")
    path = Path(folder) / names[split]
    data = SortOfClevrArrays(**read_arrays(path, ARRAYS))
    if data.answers.size and int(data.answers.max()) >= len(ANSWERS):
        raise DataError(f"{path}: an answer is {int(data.answers.max())}; answers are 0 to {len(ANSWERS) - 1}")
    return data
