"""What is held out: whole groups, the last ones or drawn ones, the same ones as ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.data.splits import HoldOut

SHARES = st.floats(0, 1, allow_nan=False)


def group(number: int) -> int:
    """Four in a row belong together."""
    return number // 4


@pytest.mark.parametrize(
    ("rule", "train", "valid"),
    [
        (HoldOut(0.0), range(20), ()),
        (HoldOut(0.4), range(12), range(12, 20)),
        (HoldOut(0.3), range(12), range(12, 20)),  # 1.5 groups are rounded to two
        (HoldOut(0.5), range(12), range(12, 20)),  # 2.5 groups likewise, to the even number
        (HoldOut(0.3, counting="examples"), range(12), range(12, 20)),  # cut within the fourth group
        (HoldOut(0.05, counting="examples"), range(16), range(16, 20)),
        (HoldOut(0.4, fraction=0.34), range(4), range(12, 20)),
        (HoldOut(0.4, fraction=0.01), range(4), range(12, 20)),
        (HoldOut(0.99), range(4), range(4, 20)),  # one group is learned from
        (HoldOut(1.0), (), range(20)),
    ],
)
def test_the_last_groups_are_held_out(rule: HoldOut, train: range, valid: range) -> None:
    assert rule.split(range(20), group=group) == (list(train), list(valid))


def test_each_example_is_a_group_of_its_own_where_none_are_named() -> None:
    assert HoldOut(0.3).split("abcdefghij") == (list("abcdefg"), list("hij"))
    assert HoldOut(0.3).split([]) == ([], [])


def test_groups_without_examples_count() -> None:
    """A scene that nothing was asked of is one of the scenes."""
    assert HoldOut(0.5).split([0, 1, 2, 3, 12], group=group, groups=range(4)) == ([0, 1, 2, 3], [12])
    assert HoldOut(0.5).split([0, 1, 2, 3], group=group, groups=range(4)) == ([0, 1, 2, 3], [])


def test_a_seed_draws_the_same_share_of_each_stratum() -> None:
    rule = HoldOut(0.5, seed="here")
    train, valid = rule.split(range(32), group=group, stratum=lambda n: n % 2)
    assert [sum(n % 2 == side for n in valid) for side in (0, 1)] == [8, 8]
    assert (train, valid) == rule.split(range(32), group=group, stratum=lambda n: n % 2)
    assert (train, valid) != HoldOut(0.5, seed="there").split(range(32), group=group, stratum=lambda n: n % 2)
    # As random.Random("here:0").sample(range(8), 4) draws, on every machine.
    assert sorted({n // 4 for n in valid if n % 2 == 0}) == RECORDED


RECORDED = [1, 2, 3, 4]


@given(st.lists(st.integers(0, 6), max_size=30).map(sorted), SHARES, st.booleans(), st.booleans())
def test_every_example_is_on_one_side_with_its_group(keys: list[int], share: float, drawn: bool, by: bool) -> None:
    rule = HoldOut(share, seed="s") if drawn else HoldOut(share, counting="examples" if by else "groups")
    examples = list(enumerate(keys))
    train, valid = rule.split(examples, group=lambda e: e[1])
    assert sorted(train + valid) == examples and train == sorted(train) and valid == sorted(valid)
    assert not {key for _, key in train} & {key for _, key in valid}


@pytest.mark.parametrize(
    "wrong", [{"share": -0.1}, {"share": 1.1}, {"share": float("nan")}, {"share": 0.1, "fraction": 0.0}]
)
def test_a_share_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"is from 0 to 1|above 0"):
        HoldOut(**wrong)  # type: ignore[arg-type]


def test_a_seed_draws_whole_groups() -> None:
    with pytest.raises(ValueError, match="whole groups are drawn"):
        HoldOut(0.1, fraction=0.5, seed="s")
