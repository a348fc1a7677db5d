"""Answers: from an executor's encoded value to what a program says, and to the spelling of a data set."""

from __future__ import annotations

from ..dsl.domain import Domain
from ..dsl.kinds import TRUTH, WORD, Kind
from ..scenes.scene import members

Answer = bool | int | str | tuple[int, ...]


def decode(value: int, kind: Kind, domain: Domain) -> Answer:
    """Decode an exact value: truth -> bool, number and object -> int, word -> str, objects ->
    indices."""
    if kind is TRUTH:
        return bool(value & 1)
    if kind is WORD:
        return domain.answer_words[value]
    if kind.shape == "set":
        return members(value)
    if kind.shape in ("number", "one"):
        return value
    raise ValueError(f"no answer is of kind {kind}")


def spell(answer: Answer) -> str:
    """Spell an answer as the CLEVR release does: `yes`, `no`, `3`, `red`; a set of objects as `0 2 5`."""
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, tuple):
        return " ".join(map(str, answer))
    return str(answer)
