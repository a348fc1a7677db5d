"""Answers as text: the one spelling in which they are compared."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"\+?0*([0-9]+)(?:\.0*)?")
_TRUTHS = {"true": "yes", "false": "no"}


def normalise_answer(answer: bool | int | float | str | None) -> str | None:
    """An answer in the spelling of the CLEVR release: `yes`, `3`, `red`.

    Case and spaces around and between words do not matter; True and False are yes and no; 1.0 and 01 are 1.
    """
    if answer is None:
        return None
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    text = " ".join(str(answer).split()).lower()
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else _TRUTHS.get(text, text)


def same_answer(one: str | None, other: str | None) -> bool:
    """Whether two answers are one, however they are spelled; none is the same as nothing."""
    if one is None or other is None:
        return False
    return one == other or normalise_answer(one) == normalise_answer(other)
