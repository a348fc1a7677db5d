"""What a network that answers by classes learns from: the queries of a task."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...data.splits import Split
from ...errors import DataError, NsreasonError
from ...queries.keys import observation_key
from ...queries.query import Query
from ..task_data import TaskData
from .config import AnswerNetworkConfig


@dataclass(frozen=True)
class AnswerNetworkData(TaskData):
    """A recipe's `[data]` for networks that read objects: queries that lack an input of theirs are left out."""

    def load(self, config: AnswerNetworkConfig, folder: str | Path) -> Split[list[Query]]:
        """Load the queries of a folder that have the network's inputs.

        Raises:
            DataError, RecipeError: as `TaskData.load`.
        """
        split = super().load(config, folder)
        bad: dict[str, NsreasonError] = {}
        parts: list[list[Query]] = []
        for queries in (split.train, split.valid, list(split.test)):
            good, faults = with_inputs(queries, config)
            parts.append(good)
            bad |= {str(error): error for error in faults}
        if not parts[0]:
            raise DataError(f"{folder}: no question to learn from; the first: {next(iter(bad))}")
        train, valid, test = parts
        return replace(split, train=train, valid=valid, test=test, bad=[*split.bad, *bad.values()])


def with_inputs(
    queries: Sequence[Query], config: AnswerNetworkConfig, uses_inputs: bool = True
) -> tuple[list[Query], list[NsreasonError]]:
    """Return the queries that have a network's inputs, and why others lack them. An image that cannot be read costs its
    own questions only.

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
