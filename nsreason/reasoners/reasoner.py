"""What answers questions, whatever is inside: the protocol of reasoners, and the table of them. No torch is imported.

    reasoner = reasoner_class("relation-network").build("relation-network", request)
    replies = reasoner.answer(queries)

A reasoner maps queries to replies. An executor over annotated scenes is one, an executor over what a scene parser reads
in images, a concept learner, a network that answers without programs. How it gets ready is its class's matter: `build`
is given a `FitRequest`, and those that learn learn from it, within its budget.

What builds scenes from what is to be seen (annotations, images, the graphs that a model draws of them) is a
`SceneBuilder`; `Executing` makes a reasoner of any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from ..errors import RecipeError
from ..queries.query import Query, Reply
from ..registry import REASONERS, named
from ..training.budget import Budget

if TYPE_CHECKING:
    from ..traces.trace import Trace

Kind = Literal["symbolic", "soft", "neural"]


class Reasoner(Protocol):
    """Answers queries.

    A query that it cannot answer gets a Reply with an error; the others are answered. It may raise where none can be
    answered: a missing file, queries of another task.
    """

    @property
    def parameters(self) -> int:
        """How many numbers it has learned; 0 for one that learns nothing."""

    def answer(self, queries: Sequence[Query], /) -> list[Reply]:
        """A reply for each query, in order."""

    def trace(self, query: Query, /) -> Trace | None:
        """How it comes to its answer, step by step, or None if it has no steps to show.

        Raises:
            NsreasonError: there is no program, or nothing to execute it on.
        """


@dataclass(frozen=True)
class FitRequest:
    """What there is to get ready with.

    Attributes:
        task: its name; task_settings: those that `nsreason.tasks.task.make_task` takes.
        train: what may be learned from. valid: what may be used to choose, not to learn from.
        folder: the reasoner's own: what it learned stands there, and is found again when the work is taken up anew.
        budget: of learning.
        recipe: a bundled recipe's name, a file's, or None for the task's own; `overrides` as `--set` gives them.
        input: what networks look at, if the task has several: `rows`, `image`; None for the task's first.
        recipes: the task's, for networks: what they look at -> the recipe's name.
        checkpoint: what has been learned already, instead of learning.
        trust: whether files that were handed on may name modules of their own; see `checkpoint.load_model`.
        progress: told of each step of training.
    """

    task: str
    train: Sequence[Query]
    valid: Sequence[Query]
    folder: Path
    budget: Budget
    seed: int = 0
    domain: str = "clevr"
    recipe: str | None = None
    overrides: tuple[str, ...] = ()
    input: str | None = None
    recipes: dict[str, str] = field(default_factory=dict)
    checkpoint: Path | None = None
    trust: bool = False
    progress: Callable[[Any], None] | None = None


class ReasonerFactory(Protocol):
    """What the table names: a class, or anything else, that makes reasoners.

    Attributes:
        learns: whether what it makes depends on what there is to learn from.
        kind: how results are to be read: `symbolic` reasoners execute programs exactly, `soft` ones by degrees,
            `neural` ones have no programs.
    """

    learns: ClassVar[bool]
    kind: ClassVar[Kind]

    @classmethod
    def build(cls, name: str, request: FitRequest, /) -> Reasoner:
        """The reasoner of that name, ready to answer.

        Raises:
            NsreasonError: it cannot be made of such a request.
        """


def reasoner_class(name: str) -> Any:
    """What makes the reasoner of a name in `REASONERS`, or of one's own, given as `module:Class`.

    Raises:
        RecipeError: there is none, or its module cannot be imported.
    """
    factory = named("reasoner", name, REASONERS, classes=False)
    lacks = [what for what in ("build", "learns", "kind") if not hasattr(factory, what)]
    if lacks:
        path = REASONERS.get(name, name)
        raise RecipeError(f"reasoner '{name}': {path} makes no reasoners, it lacks {', '.join(lacks)}")
    return factory


# --- executors over whatever builds scenes ------------------------------------------------------------------
