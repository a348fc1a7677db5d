"""Where a run draws its batches from: a sequence in memory, a memory-mapped file, a replay buffer.

    source = source_of(examples, recipe)            # what `train` does with a sequence
    for update in source.updates(epoch=1, done=0):  # one step of the optimizer each
        for batch in update:                        # a sequence of examples, fetched when they are taken
            model.collate(batch)

A source is part of the guarantee that a resumed run is the same to the bit: its `state` is saved in checkpoints, and
after `restore` it yields what it would have yielded. Importing this module loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, overload, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import TrainingError
from ..io.array_file import ArrayFile
from .recipe import Recipe
from .sampling import EpochPlan, Selection, Update

E = TypeVar("E")


@dataclass(frozen=True)
class SourceState:
    """Where a source stands, for checkpoints."""

    record: Mapping[str, Any] = field(default_factory=dict)
    """Plain data."""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """By name; kept to the bit."""


@runtime_checkable
class Source(Protocol):
    """What a run draws its batches from.

    On several devices every process has a source of its own, which yields the same updates; the first one's state is
    saved.
    """

    @property
    def examples(self) -> int:
        """How many examples there are to choose from before the run begins; a resumed run must have as many."""

    @property
    def ahead(self) -> bool:
        """Whether an update may be drawn before the step of the one before it is done, in other threads."""

    def steps(self, epoch: int, /) -> int:
        """Count the steps of an epoch, from 1; known before the run begins."""

    def updates(self, epoch: int, done: int, /) -> Iterable[Update[Any]]:
        """Yield the updates of an epoch after the first `done`."""

    def state(self) -> SourceState:
        """Return where the source stands, after the step whose update it yielded last."""

    def restore(self, state: SourceState, /) -> None:
        """Go on from a state.

        Raises:
            TrainingError: it is of other data.
            ValueError, TypeError, KeyError: it is damaged, or of another kind of source.
        """


class SequenceSource:
    """Examples of a sequence, each epoch in an order of its own that follows from the recipe's seed.

    A sequence fetches an example when its index is taken: that of a `MappedExamples` reads it from its file. If it has
    a `digest`, a run is resumed only with data of the same digest.
    """

    ahead = True

    def __init__(self, data: Sequence[Any], recipe: Recipe) -> None:
        """Plan the epochs; raises TrainingError when a lesson admits no example."""
        self.data, self.plan = data, EpochPlan(data, recipe)
        self.digest: str | None = getattr(data, "digest", None)

    @property
    def examples(self) -> int:
        """Training examples before any lesson's choice."""
        return self.plan.examples

    def steps(self, epoch: int) -> int:
        """Count the steps of an epoch."""
        return self.plan.steps_of(epoch)

    def updates(self, epoch: int, done: int) -> Iterator[list[Selection[Any]]]:
        """Yield the updates of an epoch after the first `done`."""
        for update in self.plan.updates(epoch, done):
            yield [Selection(self.data, indices) for indices in update]

    def state(self) -> SourceState:
        """Return the digest of the data: the order follows from seed and epoch alone."""
        return SourceState({"digest": self.digest})

    def restore(self, state: SourceState) -> None:
        """Check that the data are those of the state; where either has no digest, nothing is known.

        Raises:
            TrainingError: they are others. ValueError: it is of another kind of source.
        """
        saved, own = state.record["digest"], self.digest
        if state.arrays or not isinstance(saved, str | None):
            raise ValueError("its source of examples was not a sequence")
        if saved is not None and own is not None and saved != own:
            raise TrainingError(f"the run began with other data: their digest was {saved:.16}, here it is {own:.16}")


class MappedExamples(Sequence[E]):
    """The records of a file of arrays as examples, each read and decoded when it is taken."""

    def __init__(self, file: ArrayFile, decode: Callable[[dict[str, NDArray[Any]]], E]) -> None:
        """
        Args:
            decode: makes an example of a record's arrays.
        """
        self.file, self.decode = file, decode

    @property
    def digest(self) -> str:
        """What the file was written from."""
        return self.file.digest

    def __len__(self) -> int:
        return len(self.file)

    @overload
    def __getitem__(self, item: int) -> E: ...
    @overload
    def __getitem__(self, item: slice) -> Sequence[E]: ...
    def __getitem__(self, item: int | slice) -> E | Sequence[E]:
        if isinstance(item, slice):
            return Selection(self, np.arange(len(self))[item])
        return self.decode(self.file[range(len(self))[item]])


def source_of(data: Sequence[Any] | Source, recipe: Recipe) -> Source:
    """Return a source itself, or a sequence as a source.

    Raises:
        TrainingError: a lesson admits no example.
    """
    return data if isinstance(data, Source) else SequenceSource(data, recipe)


class RunSteps:
    """The steps of a whole run, over the epochs of its source."""

    def __init__(self, source: Source, epochs: int) -> None:
        self._before = [0]
        for epoch in range(1, epochs + 1):
            self._before.append(self._before[-1] + source.steps(epoch))

    @property
    def total(self) -> int:
        """Over all epochs."""
        return self._before[-1]

    def at(self, epoch: int, done: int) -> int | None:
        """Return the step after `done` steps of an epoch; None of an epoch beyond the next after the last."""
        return self._before[epoch - 1] + done if epoch <= len(self._before) else None
