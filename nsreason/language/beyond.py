"""Words that are understood, and that no op can say: a question with one is refused with the reason.

The words of each kind are a terminal's list in the grammar file. A domain that gives such a word a meaning of its own
(a relation 'hidden by') keeps that meaning.
"""

from __future__ import annotations

from .items import Item

REASONS = {
    "HIDDEN": "what hides what is not part of a scene, so '{}' cannot be asked",
    "NEAREST": "'{}' asks for the nearest thing on that side, which no op finds",
    "SHADOW": "shadows, reflections and light are not part of a scene, so '{}' cannot be asked",
    "IN_TURN": "'{}' asks of each thing something else: ask one question of each",
}
_NEXT = ("right", "just", "exactly")  # of the nearest thing, before a relation: 'right behind the ball'


def reason(terminal: str, text: str) -> str:
    """Why no question has a phrase of this terminal."""
    return REASONS[terminal].format(text)


def nearest(items: list[Item]) -> Item | None:
    """The word that makes the relation at the end mean the nearest thing, if there is one."""
    if len(items) < 2 or items[-2].text not in _NEXT:
        return None
    possessed = len(items) > 2 and items[-3].may("_POSSESSIVE")  # 'on the cube's right in front of the ball'
    return None if possessed else items[-2]
