"""Values of calls in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..dsl.kinds import TRUTH, Kind
from ..scenes.world import World

Value = bool | int | str | tuple[int, ...]


def in_words(value: Value, kind: Kind, scene: World, *, most: int = 8) -> str:
    """Word a value for people: `yes`, `3`, `red`, `4 (small blue rubber cube)`, `2 objects: 0 (...), 4
    (...)`.

    `most` is how many objects of a set are named; the others are counted.
    """
    if kind is TRUTH:
        return "yes" if value else "no"
    sort = kind.sort or "object"
    if kind.shape == "one" and isinstance(value, int):
        return individual_name(value, scene, sort)
    if isinstance(value, tuple):
        return next(object_forms(value, scene, most, sort))
    return str(value)


def individual_name(i: int, world: World, sort: str = "object") -> str:
    """Name an individual by its number and, where it has one, its label: `4 (small blue rubber cube)`."""
    label = world.label(sort, i)
    return f"{world.answer(sort, i)} ({label})" if label else str(world.answer(sort, i))


def how_many(individuals: Sequence[int], sort: str = "object") -> str:
    """Return `no object`, `1 object`, `3 objects`."""
    return {0: f"no {sort}", 1: f"1 {sort}"}.get(len(individuals), f"{len(individuals)} {sort}s")


def degree_forms(objects: Sequence[int], degrees: Sequence[float], sort: str = "object") -> Iterator[str]:
    """Word the decided set and the degree of each object of the scene in it."""
    yield f"{how_many(objects, sort)}: {'  '.join(f'{i} {d:.2f}' for i, d in enumerate(degrees))}"
    sure = sorted(range(len(degrees)), key=lambda i: (-degrees[i], i))[:4]
    yield f"{how_many(objects, sort)}: {'  '.join(f'{i} {degrees[i]:.2f}' for i in sure)} ..."


def object_forms(objects: Sequence[int], scene: World, most: int = 8, sort: str = "object") -> Iterator[str]:
    """Word the set, longest form first: with descriptions, with all indices, with ever fewer indices."""
    head = how_many(objects, sort)
    if not objects:
        yield head
        return
    rest = len(objects) - most
    listed = ", ".join(individual_name(i, scene, sort) for i in objects[:most])
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
