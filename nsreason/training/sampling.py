"""Which examples make which batch. The order of an epoch follows from the seed and the epoch alone.

A batch is cut over the devices by turns, so that a run on several devices learns from the same batches as a run
on one. Batches are made ahead of time in threads if a recipe asks for `workers`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .curriculum import Curriculum
from .recipe import Recipe

Indices = NDArray[np.int64]


def epoch_order(indices: Indices, seed: int, epoch: int, groups: Indices | None = None) -> Indices:
    """The indices as the epoch takes them; examples of one group (`groups[index]`) follow each other."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(indices)
    if groups is None:
        return order
    rank = random.permutation(int(groups.max(initial=0)) + 1)
    return order[np.argsort(rank[groups[order]], kind="stable")]


def cut(order: Indices, size: int) -> list[Indices]:
    """Batches of `size`, the last of what is left."""
    return [order[at : at + size] for at in range(0, len(order), size)]


class EpochPlan:
    """The steps of a whole run, known before it begins.

    Attributes:
        examples: training examples before any lesson's choice.
        steps: of the optimizer, over all epochs.
    """

    def __init__(self, data: Sequence[Any], recipe: Recipe) -> None:
        """Raises TrainingError when a lesson admits no example."""
        self._training = training = recipe.training
        self.curriculum = recipe.curriculum or Curriculum()
        groups = getattr(data, "groups", None)  # such as the scene of each question: what a batch computes once
        self._groups = None if groups is None else np.asarray(groups, np.int64)
        self.examples = min(len(data), training.max_examples or len(data))
        used = data if self.examples == len(data) else data[: self.examples]
        self._chosen = [
            np.array(self.curriculum.select(used, lesson.from_epoch), np.int64)
            for lesson in self.curriculum.lessons
            if lesson.from_epoch <= training.epochs or lesson.from_epoch == 1
        ]
        self._before = [0]
        for epoch in range(1, training.epochs + 1):
            self._before.append(self._before[-1] + self.steps_of(epoch))
        self.steps = self._before[-1]

    def chosen(self, epoch: int) -> Indices:
        """The examples of an epoch, in file order."""
        return self._chosen[self.curriculum.index(epoch)]

    def steps_of(self, epoch: int) -> int:
        """Steps of one epoch."""
        batches = -(-len(self.chosen(epoch)) // self._training.batch_size)
        return -(-batches // self._training.accumulate)

    def step_at(self, epoch: int, done: int) -> int | None:
        """The step of the whole run after `done` steps of an epoch; None of an epoch beyond the next after the last."""
        return self._before[epoch - 1] + done if epoch <= len(self._before) else None

    def updates(self, epoch: int, done: int = 0) -> list[list[Indices]]:
        """For each step of an epoch after the first `done`: the batches whose gradients it sums."""
        training = self._training
        order = epoch_order(self.chosen(epoch), training.seed, epoch, self._groups)
        batches = cut(order, training.batch_size)
        return [batches[at : at + training.accumulate] for at in range(0, len(batches), training.accumulate)][done:]


@dataclass(frozen=True, slots=True)
class Shard:
    """A device's part of a batch. `idle`: it has none, and takes an example that must not count."""

    batch: Any
    idle: bool = False


def shards(
    data: Sequence[Any],
    updates: Sequence[Sequence[Indices]],
    collate: Callable[[Sequence[Any]], Any],
    *,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
) -> Iterator[list[Shard]]:
    """For each update this device's shards, collated by `workers` threads ahead of time, or as they are taken."""

    def shards_of(update: Sequence[Indices]) -> list[Shard]:
        own_shards = []
        for batch in update:
            own = batch[rank::world]
            idle = not len(own)
            own_shards.append(Shard(collate([data[i] for i in (batch[:1] if idle else own).tolist()]), idle))
        return own_shards

    if not workers:
        yield from map(shards_of, updates)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="collate")
    ahead: deque[Future[list[Shard]]] = deque()
    try:
        for update in updates:
            ahead.append(pool.submit(shards_of, update))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
