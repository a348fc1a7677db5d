"""What a network that answers by classes learns from: the queries of a task."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from ...data.splits import Split
from ...errors import DataError, NsreasonError
from ...queries.keys import observation_key
from ...queries.query import Query
from ...tasks.task import make_task
from .config import AnswerNetworkConfig


@dataclass(frozen=True)
class AnswerNetworkData:
    """A recipe's `[data]`.

    task: its name in `nsreason.tasks.TASKS`, or `module:Class`.
    settings: of the task, checked against its class.
    """

    task: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    reads_inputs: ClassVar[bool] = True
    """Whether its networks read anything but the question. For those that do not, nothing is left out."""

    def load(self, config: AnswerNetworkConfig, folder: str | Path) -> Split[list[Query]]:
        """Load the queries of a folder that have the network's inputs.

        Raises:
            DataError: the folder lacks a file, or has nothing to learn from.
            RecipeError: there is no such task, or it has no such setting.
        """
        split: Split[list[Query]] = make_task(self.task, self.settings).load(folder)
        bad: dict[str, NsreasonError] = {}
        parts: list[list[Query]] = []
        for queries in (split.train, split.valid, list(split.test)):
            good, faults = visible(queries, config, True) if self.reads_inputs else (queries, [])
            parts.append(good)
            bad |= {str(error): error for error in faults}
        if not parts[0]:
            why = f"; the first: {next(iter(bad))}" if bad else ""
            raise DataError(f"{folder}: no question to learn from{why}")
        train, valid, test = parts
        return replace(split, train=train, valid=valid, test=test, bad=[*split.bad, *bad.values()])


@dataclass(frozen=True)
class QuestionData(AnswerNetworkData):
    """A recipe's `[data]` for networks that read the question alone."""

    reads_inputs: ClassVar[bool] = False


def visible(
    queries: Sequence[Query], config: AnswerNetworkConfig, uses_inputs: bool
) -> tuple[list[Query], list[NsreasonError]]:
    """The queries that have what a network sees, and why others do not: one image that cannot be read costs its own.

    Args:
        uses_inputs: whether the network reads anything but the question. One that does not gets the same questions
            as those that do; its images are not read.
    """
    kinds = [config.input, *(["bits"] if config.asks == "bits" else [])]
    faults: dict[Hashable, NsreasonError] = {}

    def read(item: tuple[Hashable, Any]) -> None:
        key, image = item
        try:
            image.square(config.grid.size)
        except NsreasonError as error:
            faults[key] = error

    if uses_inputs and config.input == "image":
        with ThreadPoolExecutor(_READERS, thread_name_prefix="pictures") as pool:
            images = {observation_key(q.inputs["image"]): q.inputs["image"] for q in queries if "image" in q.inputs}
            list(pool.map(read, images.items()))
    good: list[Query] = []
    bad: list[NsreasonError] = []
    for query in queries:
        lacks = [kind for kind in kinds if kind not in query.inputs]
        if lacks:
            bad.append(DataError(f"question {query.index} has no {lacks[0]}"))
        elif faults and (fault := faults.get(observation_key(query.inputs["image"]))) is not None:
            bad.append(fault)
        else:
            good.append(query)
    return good, bad


_READERS = 4  # threads; decoding an image does not hold the others up
