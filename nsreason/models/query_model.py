"""The protocol of models that answer queries: which inputs they read, and how data complete their settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from ..errors import DataError
from ..queries.query import Query, Reply


class QueryModel(Protocol):
    """A model (`nsreason.training.model.Model`) whose examples are queries.

    Its class names its settings as `Config` and the `[data]` of recipes as `Data`; `task_data.TaskData` loads the
    queries of any task. `tests/test_models.py` holds every model of queries to this.
    """

    @classmethod
    def config_from_data(cls, config: Any, queries: Iterable[Query], /) -> Any:
        """Return the settings completed by training queries: words, answers, widths.

        The result is what checkpoints have; completing it again by the same queries changes nothing.

        Raises:
            DataError: there is no query, none has an answer, or one lacks an input.
        """

    @property
    def inputs(self) -> frozenset[str]:
        """The names of `Query.inputs` that it reads; other inputs change nothing."""

    def collate(self, queries: Sequence[Query], /) -> Any:
        """Return a batch on the CPU.

        Raises:
            DataError: there is no query, or one lacks an input.
        """

    def predict(self, batch: Any, /) -> list[Reply]:
        """Return a reply to each query of the batch."""


def input_of(query: Query, name: str) -> Any:
    """Return an input of a query.

    Raises:
        DataError: the query has none of that name.
    """
    if name not in query.inputs:
        has = ", ".join(query.inputs) or "nothing"
        raise DataError(f"question {query.index} has no '{name}'; it has {has}")
    return query.inputs[name]
