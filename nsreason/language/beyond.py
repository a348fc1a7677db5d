"""Words that are understood, and that no op can say: a question with one is refused with the reason.

The words of each kind are a terminal's list in the grammar file. A domain that gives such a word a meaning of its own
(a relation 'hidden by') keeps that meaning.
"""

from __future__ import annotations

from .tokens import QuestionItem

REASONS = {
    "HIDDEN": "what hides what is not part of a scene, so '{}' cannot be asked",
    "NEAREST": "'{}' asks for the nearest thing on that side, which no op finds",
    "SHADOW": "shadows, reflections and light are not part of a scene, so '{}' cannot be asked",
    "IN_TURN": "'{}' asks of each thing something else: ask one question of each",
}
CHECKED = frozenset((*REASONS, "RELATION"))  # the terminals of phrases that `beyond` may say something about
_NEXT = ("right", "just", "exactly")  # of the nearest thing, before a relation: 'right behind the ball'


def beyond(items: list[QuestionItem]) -> tuple[QuestionItem, str] | None:
    """The phrase for which a question that goes so far is refused, and the reason; None where it is not."""
    last = items[-1]
    terminal = last.senses[0][0]
    if terminal in REASONS:
        return last, REASONS[terminal].format(last.text)
    if len(items) < 2 or items[-2].text not in _NEXT:
        return None
    if len(items) > 2 and items[-3].may("_POSSESSIVE"):  # 'on the cube's right in front of the ball'
        return None
    return items[-2], REASONS["NEAREST"].format(items[-2].text)
