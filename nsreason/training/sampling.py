"""Which examples make which batch. The order of an epoch follows from the seed and the epoch alone.

A batch is cut over the devices by turns, so that a run on several devices learns from the same batches as a run
on one. Batches are collated ahead of time in threads if a recipe sets `workers`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from .curriculum import Curriculum
from .recipe import Recipe

E = TypeVar("E")
T = TypeVar("T")
R = TypeVar("R")
Indices = NDArray[np.int64]
Update = Sequence[Sequence[E]]
"""The batches whose gradients one step of the optimizer sums."""


def epoch_order(indices: Indices, seed: int, epoch: int, groups: Indices | None = None) -> Indices:
    """Order the indices as the epoch takes them; examples of one group (`groups[index]`) follow each other."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(indices)
    if groups is None:
        return order
    rank = random.permutation(int(groups.max(initial=0)) + 1)
    return order[np.argsort(rank[groups[order]], kind="stable")]


def cut(order: Indices, size: int) -> list[Indices]:
    """Cut into batches of `size`, the last of what is left."""
    return [order[at : at + size] for at in range(0, len(order), size)]


class Selection(Sequence[E]):
    """Examples of a sequence by their indices, fetched when they are taken."""

    __slots__ = ("data", "indices")

    def __init__(self, data: Sequence[E], indices: Indices) -> None:
        self.data, self.indices = data, indices

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, item: int) -> E: ...
    @overload
    def __getitem__(self, item: slice) -> Selection[E]: ...
    def __getitem__(self, item: int | slice) -> E | Selection[E]:
        if isinstance(item, slice):
            return Selection(self.data, self.indices[item])
        return self.data[int(self.indices[item])]


class EpochPlan:
    """The examples and steps of each epoch of a run over a sequence, known before it begins."""

    examples: int
    """Training examples before any lesson's choice."""

    def __init__(self, data: Sequence[Any], recipe: Recipe) -> None:
        """Choose the examples of each lesson.

        Args:
            data: examples; if it has `groups`, a number for each, those of a group follow each other.

        Raises:
            TrainingError: a lesson admits no example.
        """
        self._training = training = recipe.training
        self.curriculum = recipe.curriculum or Curriculum()
        groups = getattr(data, "groups", None)  # such as the scene of each question: what a batch computes once
        self._groups = None if groups is None else np.asarray(groups, np.int64)
        self.examples = min(len(data), training.max_examples or len(data))
        used = data if self.examples == len(data) else Selection(data, np.arange(self.examples))
        self._chosen = [
            np.array(self.curriculum.select(used, lesson.from_epoch), np.int64)
            for lesson in self.curriculum.lessons
            if lesson.from_epoch <= training.epochs or lesson.from_epoch == 1
        ]

    @property
    def steps(self) -> int:
        """Of the optimizer, over all epochs."""
        return sum(map(self.steps_of, range(1, self._training.epochs + 1)))

    def chosen(self, epoch: int) -> Indices:
        """Return the examples of an epoch, in file order."""
        return self._chosen[self.curriculum.index(epoch)]

    def steps_of(self, epoch: int) -> int:
        """Count the steps of one epoch."""
        batches = -(-len(self.chosen(epoch)) // self._training.batch_size)
        return -(-batches // self._training.accumulate)

    def updates(self, epoch: int, done: int = 0) -> list[list[Indices]]:
        """Return for each step of an epoch after the first `done` the batches whose gradients it sums."""
        training = self._training
        order = epoch_order(self.chosen(epoch), training.seed, epoch, self._groups)
        batches = cut(order, training.batch_size)
        return [batches[at : at + training.accumulate] for at in range(0, len(batches), training.accumulate)][done:]


@dataclass(frozen=True, slots=True)
class Shard:
    """A device's part of a batch, collated."""

    batch: Any
    idle: bool = False
    """The device has none, and takes an example that must not count."""


@dataclass(frozen=True, slots=True)
class ShardedUpdate:
    """One step of the optimizer, as one device takes part in it."""

    examples: int
    """Of all devices together."""
    shards: list[Shard]


def shards(
    updates: Iterable[Update[Any]],
    collate: Callable[[Sequence[Any]], Any],
    *,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
) -> Iterator[ShardedUpdate]:
    """Yield for each update this device's shards, fetched and collated as `prefetched` calls."""

    def sharded(update: Update[Any]) -> ShardedUpdate:
        own_shards = []
        for batch in update:
            own = batch[rank::world]
            idle = not len(own)
            own_shards.append(Shard(collate(list(batch[:1] if idle else own)), idle))
        return ShardedUpdate(sum(map(len, update)), own_shards)

    return prefetched(sharded, updates, workers)


def prefetched(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yield `function(item)` of each item in order, computed by `workers` threads.

    As many items are computed ahead as there are workers. Without workers, an item is taken and computed when its
    result is.
    """
    if not workers:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="prefetch")
    ahead: deque[Future[R]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(function, item))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
