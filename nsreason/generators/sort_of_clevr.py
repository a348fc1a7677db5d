"""Sort-of-CLEVR: images of six flat shapes, with questions that need relations and questions that do not.

    data = generate_sort_of_clevr(100, seed=7)
    data.images.shape, data.questions.shape          # (100, 75, 75, 3), (100, 20, 11)
    write_sort_of_clevr("data/sort", scenes=10_000, validation=200, seed=7)

Each image has one object of each color, a rectangle or a circle. A question is 11 bits: which color (6), relational
or not (2), which of three questions (3). After Santoro et al., "A simple neural network module for relational
reasoning", NIPS 2017, supplement D; sizes and colors are those that public reimplementations agree on.

Three things that the paper leaves open are decided here: an object is never its own neighbour; where two objects of
different shapes are equally near (or far), the image is drawn anew, and `nearest` takes the first in the order of
the colors; no object stands on the middle row or column, so that left and top are never a matter of rounding.

Legend: N images, K questions of each kind, Q = 2K questions.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.arrays import write_arrays, write_settings
from ..data.dataset_folder import new_dataset
from ..data.sort_of_clevr import (
    ANSWERS,
    ARRAYS,
    BITS,
    COLORS,
    FILES,
    MIDDLE,
    PLAIN,
    RELATIONAL,
    RGB,
    SHAPES,
    SIZE,
    Objects,
    SortOfClevrArrays,
    question_bits,
    question_text,
    read_question,
)
from .seeds import generator

REACH = 5  # an object covers 11 x 11 pixels around its centre
GAP = 12  # the least distance of two centres in x or in y: one pixel of paper stays between any two objects


# --- one image --------------------------------------------------------------------------------------------------------


def nearest(objects: Objects, color: int) -> int:
    """The other object that is nearest to the one of this color; of several, the first in the order of COLORS."""
    return _ends(objects, color)[0][0]


def furthest(objects: Objects, color: int) -> int:
    """The other object that is furthest from the one of this color; of several, the first in the order of COLORS."""
    return _ends(objects, color)[1][0]


def _ends(objects: Objects, color: int) -> tuple[list[int], list[int]]:
    """The nearest and the furthest of the other objects: several where distances are equal."""
    rows = objects.tolist()
    x, y, _ = rows[color]
    # Squared, in integers, so that equal distances are equal; never to itself.
    reach = {i: (a - x) ** 2 + (b - y) ** 2 for i, (a, b, _) in enumerate(rows) if i != color}
    least, most = min(reach.values()), max(reach.values())
    return [i for i, r in reach.items() if r == least], [i for i, r in reach.items() if r == most]


def unambiguous(objects: Objects) -> bool:
    """Check that each question has one answer, whichever of equally near or far objects is taken."""
    ends = (end for color in range(len(objects)) for end in _ends(objects, color))
    return all(len({int(objects[i, 2]) for i in end}) == 1 for end in ends)


def answer_of(objects: Objects, kind: str, color: int) -> int:
    """The answer to a question of PLAIN or RELATIONAL about the object of a color, an index of ANSWERS."""
    x, y, shape = (int(v) for v in objects[color])
    if kind == "left":
        return int(x > MIDDLE)
    if kind == "top":
        return int(y > MIDDLE)
    if kind == "count":  # with the object itself
        return ANSWERS.index("1") - 1 + int((objects[:, 2] == shape).sum())
    pickers = {"shape": lambda: color, "nearest": lambda: nearest(objects, color)}
    who = pickers.get(kind, lambda: furthest(objects, color))()
    return ANSWERS.index(SHAPES[int(objects[who, 2])])


def _place(draw: random.Random) -> Objects:
    """Six objects that do not touch, none on the middle row or column, and no question with two answers."""
    free = [v for v in range(REACH, SIZE - REACH) if v != MIDDLE]
    while True:
        placed: list[tuple[int, int]] = []
        for _ in range(100):  # a crowded beginning is given up
            x, y = draw.choice(free), draw.choice(free)
            if all(max(abs(x - a), abs(y - b)) >= GAP for a, b in placed):
                placed.append((x, y))
            if len(placed) == len(COLORS):
                break
        else:
            continue
        objects = np.array([(x, y, draw.randrange(2)) for x, y in placed], np.int16)
        if unambiguous(objects):
            return objects


def _stamps() -> NDArray[np.bool_]:
    y, x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    return np.stack([np.ones_like(x, bool), x**2 + y**2 <= (REACH + 0.5) ** 2])


def draw_objects(objects: Objects) -> NDArray[np.uint8]:
    """Draw objects on a white image, (75, 75, 3)."""
    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    stamps = _stamps()
    for (x, y, shape), color in zip(objects.tolist(), RGB, strict=True):
        image[y - REACH : y + REACH + 1, x - REACH : x + REACH + 1][stamps[shape]] = color
    return image


# --- many -------------------------------------------------------------------------------------------------------------


def generate_sort_of_clevr(
    count: int, seed: int = 0, *, start: int = 0, questions_per_kind: int = 10
) -> SortOfClevrArrays:
    """Generate images number `start` on, each with `questions_per_kind` relational and as many other questions.

    Image i and its questions depend on the seed and i alone. Questions are drawn with replacement.

    Raises:
        ValueError: a number is negative.
    """
    if min(count, start, questions_per_kind) < 0:
        raise ValueError("count, start and questions_per_kind are 0 or more")
    n, k = count, questions_per_kind
    data = SortOfClevrArrays(
        images=np.zeros((n, SIZE, SIZE, 3), np.uint8),
        objects=np.zeros((n, len(COLORS), 3), np.int16),
        questions=np.zeros((n, 2 * k, BITS), np.uint8),
        answers=np.zeros((n, 2 * k), np.uint8),
        relational=np.tile(np.repeat([False, True], k), (n, 1)),
    )
    for i in range(n):
        draw = generator(seed, "sort-of-clevr", start + i)
        data.objects[i] = _place(draw)
        data.images[i] = draw_objects(data.objects[i])
        for q in range(2 * k):
            kind, color = draw.choice(PLAIN if q < k else RELATIONAL), draw.randrange(len(COLORS))
            data.questions[i, q] = question_bits(kind, color)
            data.answers[i, q] = answer_of(data.objects[i], kind, color)
    return data


def answer_counts(data: SortOfClevrArrays) -> dict[str, dict[str, int]]:
    """Count how often each kind of question has each answer."""
    by_kind: dict[str, Counter[str]] = {kind: Counter() for kind in (*PLAIN, *RELATIONAL)}
    for bits, answer in zip(data.questions.reshape(-1, BITS), data.answers.reshape(-1).tolist(), strict=True):
        by_kind[read_question(bits)[0]][ANSWERS[answer]] += 1
    return {kind: dict(sorted(counts.items())) for kind, counts in by_kind.items()}


def write_sort_of_clevr(
    out: str | Path,
    *,
    scenes: int = 10_000,
    validation: int = 200,
    seed: int = 0,
    questions_per_kind: int = 10,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Generate a data set: train.npz, validation.npz, settings.json, and sample.png, which shows the first image.

    Args:
        scenes: all images; the last `validation` of them are withheld.
        overwrite: put the data set in the place of one that is there.

    Returns:
        The settings, as they are in the file, with the answers of each kind of question.

    Raises:
        DataError: the folder is not empty, or cannot be written. LockError: another process writes there.
        ValueError: there are fewer scenes than `validation`, or a number is negative.
    """
    from .. import __version__

    if not 0 <= validation <= scenes:
        raise ValueError(f"of {scenes} scenes, {validation} cannot be withheld")
    generator = f"nsreason {__version__} generate sort-of-clevr"
    given = {"scenes": scenes, "validation": validation, "seed": seed, "questions_per_kind": questions_per_kind}
    with new_dataset(out, given, generator=generator, overwrite=overwrite) as dataset:
        dataset.counts["scenes"] = scenes
        return _written(dataset.folder, generator, given)


def _written(folder: Path, generator: str, given: dict[str, int]) -> dict[str, Any]:
    """Generate the images and write them to a folder; returns the settings."""
    scenes, validation, seed, questions_per_kind = given.values()
    parts = [
        generate_sort_of_clevr(count, seed, start=start, questions_per_kind=questions_per_kind)
        for start, count in ((0, scenes - validation), (scenes - validation, validation))
    ]
    settings: dict[str, Any] = {
        "generator": generator,
        **given,
        "size": SIZE,
        "colors": list(COLORS),
        "shapes": list(SHAPES),
        "bits": [*COLORS, "not relational", "relational", *("/".join(p) for p in zip(PLAIN, RELATIONAL, strict=True))],
        "answers": list(ANSWERS),
        "answer_counts": {name[:-4]: answer_counts(part) for name, part in zip(FILES, parts, strict=True)},
    }
    for name, part in zip(FILES, parts, strict=True):
        write_arrays(folder / name, {key: getattr(part, key) for key in ARRAYS})
    first = next((part for part in parts if len(part)), None)
    if first is not None:
        write_sample(folder / "sample.png", first, 0)
    write_settings(folder / "settings.json", settings)
    return settings


def write_sample(path: str | Path, data: SortOfClevrArrays, index: int, *, scale: int = 6) -> None:
    """Write a PNG of one image, enlarged, with its questions and answers beside it.

    Raises:
        DataError: the file cannot be written.
    """
    from PIL import Image, ImageDraw, ImageFont

    from ..io.files import atomic_write

    side, line, margin = SIZE * scale, 22, 16
    rows = [
        (question_text(bits), ANSWERS[answer])
        for bits, answer in zip(data.questions[index], data.answers[index].tolist(), strict=True)
    ]
    height = max(side, line * len(rows)) + 2 * margin
    sheet = Image.new("RGB", (side + 560 + 2 * margin, height), (244, 244, 242))
    image = Image.fromarray(data.images[index]).resize((side, side), Image.Resampling.NEAREST)
    sheet.paste(image, (margin, margin))
    draw, face = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for i, (question, answer) in enumerate(rows):
        draw.text((side + 2 * margin, margin + i * line), question, (40, 40, 40), font=face)
        draw.text((side + 470, margin + i * line), answer, (0, 90, 160), font=face)
    with atomic_write(path) as file:
        sheet.save(file, "PNG")
