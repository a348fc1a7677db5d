"""Examples to learn from and examples held out: one split, one way to make it.

    rule = HoldOut(share=0.1)                                  # the last tenth, in file order
    train, valid = rule.split(questions, group=lambda q: q.scene)
    split = Split(train, valid, bad=faults, rule=rule)

    HoldOut(0.05, seed="babi:0").split(stories, group=..., stratum=...)    # drawn, the same share of each stratum

A split depends on the order of the examples and on the rule alone, so the same files give the same split everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from ..errors import NsreasonError

E = TypeVar("E")
S = TypeVar("S")


@dataclass(frozen=True)
class Split(Generic[S]):
    """The examples of a data set by their use.

    S is the type of its parts: lists, or classes that know more, such as the groups of their examples.
    """

    train: S
    """To learn from."""
    valid: S
    """Held out: a training run is validated on them."""
    test: Sequence[Any] = ()
    """What is reported, where the data set has a part of its own for that."""
    bad: list[NsreasonError] = field(default_factory=list)
    """Why other records of the files cannot be used."""
    source: str = ""
    """Where all comes from, for reports."""
    unit: str = "questions"
    """What an example is, for reports."""
    rule: HoldOut | None = None
    """By what the examples were held out; None where files of their own say it."""


@dataclass(frozen=True)
class HoldOut:
    """The rule by which a part of the examples is held out.

    Examples of one group (a scene, an image, a story) are never on both sides.
    """

    share: float
    """Of the groups, from 0 to 1; rounded to whole groups. Below 1, one group at least is learned from."""
    fraction: float = 1.0
    """The first part of the groups that are not held out, at least one of them, is learned from."""
    seed: str | None = None
    """By which the groups are drawn; None holds out the last ones."""
    counting: Literal["groups", "examples"] = "groups"
    """What a share is of. A share of examples is cut back to where its first group begins."""

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: a share or fraction is out of range, or the rule draws examples one by one.
        """
        if not 0 <= self.share <= 1:
            raise ValueError(f"a share is from 0 to 1, got {self.share}")
        if not 0 < self.fraction <= 1:
            raise ValueError(f"a fraction is above 0 and at most 1, got {self.fraction}")
        if self.seed is not None and (self.fraction != 1 or self.counting != "groups"):
            raise ValueError("with a seed whole groups are drawn, and all others are learned from")

    def split(
        self,
        examples: Sequence[E],
        *,
        group: Callable[[E], Hashable] | None = None,
        groups: Iterable[Hashable] | None = None,
        stratum: Callable[[E], Hashable] | None = None,
    ) -> tuple[list[E], list[E]]:
        """Split into (learned from, held out), each in the order of the examples.

        Args:
            group: what an example belongs to; None makes each a group of its own.
            groups: all groups in order, where some have no example; else in the order of their first example.
            stratum: of each of these, the same share is drawn; only with a seed, whose groups can be sorted.
        """
        keys: list[Hashable] = list(range(len(examples))) if group is None else [group(e) for e in examples]
        if self.seed is not None:
            strata = ["" if stratum is None else stratum(e) for e in examples]
            named: list[Hashable] = list(zip(strata, keys, strict=True))
            drawn = self._drawn(strata, keys)
            return _chosen(examples, named, set(named) - drawn), _chosen(examples, named, drawn)
        order = list(dict.fromkeys(keys if groups is None else groups))
        if self.counting == "examples":
            cut = len(keys) - round(self.share * len(keys))
            while 0 < cut < len(keys) and keys[cut] == keys[cut - 1]:
                cut -= 1
            first = order.index(keys[cut]) if cut < len(keys) else len(order)
        else:
            first = max(self.share < 1, len(order) - round(self.share * len(order)))
        learned, held_out = set(order[: max(1, round(self.fraction * first))][:first]), set(order[first:])
        return _chosen(examples, keys, learned), _chosen(examples, keys, held_out)

    def _drawn(self, strata: Sequence[Hashable], keys: Sequence[Any]) -> set[Hashable]:
        """The groups that are held out of each stratum, drawn from the seed and the stratum's name."""
        members: dict[Hashable, set[Any]] = {}
        for stratum, key in zip(strata, keys, strict=True):
            members.setdefault(stratum, set()).add(key)
        drawn: set[Hashable] = set()
        for stratum, own in members.items():
            name = self.seed if stratum == "" else f"{self.seed}:{stratum}"
            sample = random.Random(name).sample(sorted(own), round(self.share * len(own)))
            drawn.update((stratum, key) for key in sample)
        return drawn


def _chosen(examples: Sequence[E], keys: Sequence[Hashable], groups: set[Hashable]) -> list[E]:
    """The examples of some groups, in order."""
    return [example for example, key in zip(examples, keys, strict=True) if key in groups]
