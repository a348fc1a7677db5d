"""Whatever answers queries: executors, concept learners, networks, and your own.

    from nsreason.queries.query import Query
    from nsreason.reasoners import Budget, FitRequest, reasoner_class

    request = FitRequest("clevr", train, valid, folder, Budget(seconds=60))
    reasoner = reasoner_class("relation-network").build("relation-network", request)
    replies = reasoner.answer([Query(0, "How many cubes are there?", None, "count", {"scene": scene})])

`nsreason.registry.REASONERS` names them; your own is given as `module:Class`. `Executing` makes a reasoner of anything
that builds scenes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from ..queries.query import Query, Reply
    from ..training.budget import Budget, read_budget
    from .executing import Executing, SceneBuilder, program_of
    from .reasoner import FitRequest, Reasoner, ReasonerFactory, reasoner_class

__all__ = [
    "Budget",
    "Executing",
    "FitRequest",
    "Query",
    "Reasoner",
    "ReasonerFactory",
    "Reply",
    "SceneBuilder",
    "program_of",
    "read_budget",
    "reasoner_class",
]

__getattr__ = lazy_names(
    __name__,
    {
        "..queries.query": (
            "Query",
            "Reply",
        ),
        "..training.budget": (
            "Budget",
            "read_budget",
        ),
        ".executing": (
            "Executing",
            "SceneBuilder",
            "program_of",
        ),
        ".reasoner": (
            "FitRequest",
            "Reasoner",
            "ReasonerFactory",
            "reasoner_class",
        ),
    },
)
