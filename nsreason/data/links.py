"""Which objects belong together, as an answer: `0-3 2-5`, or `none`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

NONE = "none"


def spell_links(matrix: NDArray[Any]) -> str:
    """A symmetric matrix of links (N, N), spelled: each pair once, in order."""
    return " ".join(f"{i}-{j}" for i, j in np.argwhere(np.triu(matrix, 1))) or NONE


def read_links(answer: str, number: int) -> NDArray[np.bool_]:
    """The matrix (N, N) that is spelled so.

    Raises:
        DataError: it is not spelled so, or speaks of other objects than 0 to N - 1.
    """
    matrix = np.zeros((number, number), np.bool_)
    for pair in () if answer == NONE else answer.split():
        i, dash, j = pair.partition("-")
        if not (dash and i.isdecimal() and j.isdecimal() and max(int(i), int(j)) < number and int(i) != int(j)):
            raise DataError(
                f"the links '{answer}': expected pairs of two objects from 0 to {number - 1}, as '0-3 2-5', or '{NONE}'"
            )
        matrix[int(i), int(j)] = matrix[int(j), int(i)] = True
    return matrix
