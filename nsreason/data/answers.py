"""Reference answers as text: one spelling for all that compares answers, and what could never be answered.

normalise_answer(" True")           # 'yes'
reference_answer("Metal", domain)   # 'metal'
reference_answer("mettal", domain)  # DataError: none of the domain's answers; did you mean 'metal'?
"""

from __future__ import annotations

import functools
import re

from ..dsl.domain import Domain
from ..dsl.kinds import OBJECTS, Kind
from ..errors import DataError, did_you_mean
from ..queries.answer_text import normalise_answer

__all__ = ["normalise_answer", "reference_answer"]

_NUMBERS = re.compile(r"[0-9]+( [0-9]+)*")


def reference_answer(answer: str | None, domain: Domain, kind: Kind | None = None) -> str | None:
    """A reference answer as an executor spells it in a domain; None where there is none.

    An answer of another kind than the question's is kept: it may be the program that is wrong.

    Args:
        kind: what the question's program answers with, where that is known.

    Raises:
        DataError: it is none of the domain's answers, so that every answer would count as wrong.
    """
    text = normalise_answer(answer)
    if text is None or text in ("yes", "no") or _NUMBERS.fullmatch(text) or (text == "" and kind is OBJECTS):
        return text
    values = _values(domain)
    if text not in values:
        raise DataError(
            f"the reference answer '{text:.60}' is none of the answers in domain '{domain.name}' "
            f"(yes, no, a whole number, a value of an attribute){did_you_mean(text[:60], values)}"
        )
    return values[text]


@functools.lru_cache(maxsize=64)
def _values(domain: Domain) -> dict[str, str]:
    """The words that a domain's values are answered with, by their normalised spelling."""
    return {str(normalise_answer(word)): word for word in domain.answer_words}
