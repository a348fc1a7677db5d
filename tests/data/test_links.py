"""Links as answers: spelled once each, read back, and refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.data.links import NONE, read_links, spell_links
from nsreason.errors import DataError


@given(
    st.integers(0, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, max(0, n - 1))] * 2)))
    )
)
def test_links_are_read_back_as_they_were(drawn: tuple[int, set[tuple[int, int]]]) -> None:
    number, pairs = drawn
    matrix = np.zeros((number, number), bool)
    for i, j in pairs:
        if number and i != j:
            matrix[i, j] = matrix[j, i] = True
    spelling = spell_links(matrix)
    again = read_links(spelling, number)
    assert again.dtype == bool and (again == matrix).all() and spell_links(again) == spelling
    assert (spelling == NONE) == (not matrix.any())


def test_links_are_spelled_in_order_with_the_lower_number_first() -> None:
    matrix = np.zeros((12, 12), np.uint8)
    for i, j in ((10, 2), (0, 11), (2, 1)):
        matrix[i, j] = matrix[j, i] = 1
    assert spell_links(matrix) == "0-11 1-2 2-10"
    assert spell_links(np.eye(3)) == NONE == "none"
    assert (read_links("2-10  11-0 1-2", 12) == matrix.astype(bool)).all()


@pytest.mark.parametrize("answer", ["0", "0-3", "1-1", "a-b", "0-1-2", "-1", "0-", "0–1", "²-1", "no"])
def test_what_is_no_link_of_three_things(answer: str) -> None:
    with pytest.raises(DataError, match=r"expected pairs of two objects from 0 to 2, as '0-3 2-5', or 'none'"):
        read_links(f"0-1 {answer}", 3)
    with pytest.raises(DataError, match=f"the links '{answer}'"):
        read_links(answer, 3)
