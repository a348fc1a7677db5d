"""Values of calls in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..dsl.kinds import OBJECT, TRUTH, Kind
from ..scenes.scene import Scene

if TYPE_CHECKING:
    pass


Value = bool | int | str | tuple[int, ...]


def in_words(value: Value, kind: Kind, scene: Scene, *, most: int = 8) -> str:
    """A value as people read it: `yes`, `3`, `red`, `4 (small blue rubber cube)`, `2 objects: 0 (...), 4
    (...)`.

    `most` is how many objects of a set are named; the others are counted.
    """
    if kind is TRUTH:
        return "yes" if value else "no"
    if kind is OBJECT and isinstance(value, int):
        return object_name(value, scene)
    if isinstance(value, tuple):
        return next(object_forms(value, scene, most))
    return str(value)


def object_name(i: int, scene: Scene) -> str:
    told = scene.describe(i)
    return f"{i} ({told})" if told else str(i)


def how_many(objects: Sequence[int]) -> str:
    """`no object`, `1 object`, `3 objects`."""
    return {0: "no object", 1: "1 object"}.get(len(objects), f"{len(objects)} objects")


def degree_forms(objects: Sequence[int], degrees: Sequence[float]) -> Iterator[str]:
    """What was decided, and how much each object of the scene belongs to it."""
    yield f"{how_many(objects)}: {'  '.join(f'{i} {d:.2f}' for i, d in enumerate(degrees))}"
    sure = sorted(range(len(degrees)), key=lambda i: (-degrees[i], i))[:4]
    yield f"{how_many(objects)}: {'  '.join(f'{i} {degrees[i]:.2f}' for i in sure)} ..."


def object_forms(objects: Sequence[int], scene: Scene, most: int = 8) -> Iterator[str]:
    """The set in words, longest first: with descriptions, with all indices, with ever fewer indices."""
    head = how_many(objects)
    if not objects:
        yield head
        return
    rest = len(objects) - most
    listed = ", ".join(object_name(i, scene) for i in objects[:most])
    yield f"{head}: {listed}" + (f" and {rest} more" if rest > 0 else "")
    yield f"{head}: {', '.join(map(str, objects))}"
    for shown in (16, 8, 4, 2):
        if len(objects) > shown:
            yield f"{head}: {', '.join(map(str, objects[:shown]))} and {len(objects) - shown} more"
    yield head


def cut(text: str, room: int) -> str:
    room = max(room, 8)
    text = " ".join(text.split())
    return text if len(text) <= room else text[: room - 1] + "…"
