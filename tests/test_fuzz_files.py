"""Damaged files and settings: a thousand of all kinds in each run of the tests, more of them in the slow ones.

`python -m tests.support.fuzz_files --number 100000` tries as many as one likes, and says how they ended.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.support.fuzz_files import FAMILIES, ODD, changed_bytes, changed_data, fuzz

QUICK, SLOW = 400, 12_000


@pytest.mark.parametrize("family", FAMILIES)
def test_damaged_files_are_read_or_refused(family: str) -> None:
    tally = fuzz(family, max(12, round(QUICK * FAMILIES[family][1])))
    assert not tally.untyped, "\n".join(tally.untyped[:3])
    assert tally.number == tally.ended.total() > sum(n for (_, how), n in tally.ended.items() if how == "accepted")


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_many_damaged_files_are_read_or_refused(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    tally = fuzz(family, round(SLOW * FAMILIES[family][1]), first=100_000)
    with capsys.disabled():
        print(f"\n{tally}")
    assert not tally.untyped, "\n".join(tally.untyped[:3])
    assert len({how for _, how in tally.ended}) > 1  # some are accepted: what comes after reading is reached


def test_an_input_follows_from_its_number() -> None:
    data = {"a": [1, 2, {"b": "c"}], "d": None}
    for change in (lambda r: changed_bytes(b"abcdefgh", r), lambda r: repr(changed_data(data, r))):
        inputs = [change(Random(f"1/x/{k}")) for k in range(60)]
        assert inputs == [change(Random(f"1/x/{k}")) for k in range(60)] and len(set(map(str, inputs))) > 40
    assert data == {"a": [1, 2, {"b": "c"}], "d": None} and [] in ODD
