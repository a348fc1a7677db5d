"""Networks that answer without programs, as reasoners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ..errors import DataError, RecipeError, did_you_mean
from ..models.answer_networks.config import AnswerNetworkConfig, config_from_data
from ..models.answer_networks.data import with_inputs
from ..models.answer_networks.mlp import parameters
from ..models.answer_networks.network import AnswerNetwork
from ..queries.query import Query, Reply
from ..traces.trace import Trace
from ..training.checkpoint import load_model
from ..training.model import model_class
from .concepts import _BATCH, _each, _recipe, _tell_left_out
from .reasoner import FitRequest, Kind, Reasoner

if TYPE_CHECKING:
    from .fit import Learned


class Network:
    """Networks that answer by classes: each model of `nsreason.models.answer_networks.models`."""

    learns: ClassVar[bool] = True
    kind: ClassVar[Kind] = "neural"

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        """See `reasoner.ReasonerFactory`. What is to be seen is read before learning begins, and its time.

        Raises:
            RecipeError: the task has no recipe for networks that look at what is asked for.
            CheckpointError: the request's checkpoint is damaged, or of another model.
        """
        if request.checkpoint is not None:
            return NetworkReasoner(load_model(request.checkpoint, name))
        recipe = _recipe(request, request.recipe or _of_task(request))
        config = recipe.model_config
        if not isinstance(config, AnswerNetworkConfig):
            raise RecipeError(f"{name}: the recipe is of '{recipe.model}', not of networks that answer by classes")
        uses_inputs = bool(getattr(model_class(name), "uses_inputs", True))
        train = _seeing(request.train, config, uses_inputs)
        recipe = replace(recipe, model=name, model_config=config_from_data(config, train))
        valid = _seeing(request.valid, config, uses_inputs) if request.valid else []
        from .fit import learn  # loads Lightning, which answering does not need

        model, learned = learn(recipe, request, train, valid)
        return NetworkReasoner(model, learned)


def _of_task(request: FitRequest) -> str:
    known = request.recipes
    if not known:
        raise RecipeError(f"the task '{request.task}' names no recipe for networks; give one")
    input = request.input or next(iter(known))
    if input not in known:
        raise RecipeError(f"the task '{request.task}' has no '{input}' to look at{did_you_mean(input, known)}")
    return known[input]


def _seeing(queries: Sequence[Query], config: AnswerNetworkConfig, uses_inputs: bool) -> list[Query]:
    """The queries that have an answer and what a network sees; one that lacks it does not cost the others."""
    good, bad = with_inputs(queries, config, uses_inputs)
    answered = [query for query in good if query.answer is not None]
    unanswered = [query for query in good if query.answer is None]
    why = bad[0] if bad else DataError(f"question {unanswered[0].index} has no answer") if unanswered else None
    if not answered:
        raise DataError(f"there is no question to learn from; the first: {why}" if why else "there is no question")
    _tell_left_out(len(queries) - len(answered), len(queries), why)
    return answered


@dataclass(frozen=True)
class NetworkReasoner:
    """A trained network as a reasoner; queries that it cannot look at get an error."""

    model: AnswerNetwork
    learned: Learned | None = None

    @property
    def parameters(self) -> int:
        """Those that were learned."""
        return parameters(self.model)

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        """See `Reasoner.answer`."""
        replies: list[Reply] = []
        for at in range(0, len(queries), _BATCH):
            replies += _each(self._batch, queries[at : at + _BATCH])
        return replies

    def _batch(self, queries: Sequence[Query]) -> list[Reply]:
        for query in queries:
            if query.text is None and self.model.config.asks == "words":
                raise DataError(f"question {query.index} has no text to read")
        asked = [replace(q, answer=None) for q in queries]  # what is right is not looked at
        device = next(self.model.parameters()).device
        return self.model.predict(self.model.collate(asked).to(device))

    def trace(self, query: Query) -> Trace | None:
        """None: there are no steps."""
        return None
