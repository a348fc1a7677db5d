"""Reasoners that learn from questions and answers, each within the same budget: networks, and the concept learner."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from ..data.questions import QuestionRecord
from ..dsl.domain import load_domain
from ..errors import CheckpointError, DataError, ExecutionError, NsreasonError, RecipeError
from ..models.answer_networks.mlp import parameters
from ..models.nscl.examples import Described, Example, Examples, SceneInput, describe_scenes
from ..models.nscl.learner import ConceptLearner, ConceptLearnerConfig
from ..models.nscl.losses import encode_answer
from ..programs.program import Program
from ..programs.question_types import QuestionTypes, nodes
from ..queries.keys import BoundedCache, observation_key
from ..queries.query import Query, Reply
from ..scenes.scene import Scene
from ..traces.trace import Trace
from ..training.checkpoint import load_model
from ..training.recipe import Recipe, load_recipe
from .executing import program_of
from .reasoner import FitRequest, Kind, Reasoner
from .soft_scores import soft_replies

if TYPE_CHECKING:
    from .fit import Learned

T = TypeVar("T")
_BATCH = 256  # queries that are answered together
_DESCRIPTIONS = 100_000  # of scenes, that are kept: more than CLEVR has


class Concepts:
    """The concept learner on state descriptions: programs are given, concepts are learned."""

    learns: ClassVar[bool] = True
    kind: ClassVar[Kind] = "soft"

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        """See `reasoner.ReasonerFactory`.

        Raises:
            RecipeError: the recipe is of another model, or of a learner that sees images.
            CheckpointError: the request's checkpoint is damaged, or of such a model.
        """
        if request.checkpoint is not None:
            model = load_model(request.checkpoint, name)
            if model.config.features != "state":
                raise CheckpointError(f"{request.checkpoint}: of a learner that sees images, not state descriptions")
            return ConceptReasoner(model, Descriptions(model.config))
        recipe = _recipe(request, request.recipe or "clevr-state-quick")
        config = recipe.model_config
        if not isinstance(config, ConceptLearnerConfig) or config.features != "state":
            raise RecipeError(f"{name}: the recipe is of no concept learner on state descriptions")
        config = replace(config, domain=request.domain)
        recipe = replace(recipe, model_config=config)
        descriptions = Descriptions(config)
        from .fit import learn  # loads Lightning, which answering does not need

        model, learned = learn(
            recipe, request, descriptions.examples(request.train), descriptions.examples(request.valid)
        )
        return ConceptReasoner(model, descriptions, learned)


def _recipe(request: FitRequest, name: str) -> Recipe:
    recipe = load_recipe(name, overrides=request.overrides, trust=request.trust)
    return replace(recipe, training=replace(recipe.training, seed=request.seed))


_log = logging.getLogger(__name__)


def _tell_left_out(number: int, of: int, first: object) -> None:
    """Say how much nothing is learned from: a score of less data must not pass for one of all."""
    if number:
        _log.warning("%s of %s questions cannot be learned from; the first: %s", f"{number:,}", f"{of:,}", first)


# --- answering ----------------------------------------------------------------------------------------------


def _each(answer: Callable[[Sequence[T]], list[Reply]], asked: Sequence[T]) -> list[Reply]:
    """The replies to a batch; those that are good beside a bad one are answered."""
    try:
        return answer(asked)
    except NsreasonError as error:
        if len(asked) == 1:
            return [Reply(None, error=error)]
    half = len(asked) // 2
    return _each(answer, asked[:half]) + _each(answer, asked[half:])


class Descriptions:
    """What a concept learner is told of queries' scenes; queries of one scene share its description."""

    def __init__(self, config: ConceptLearnerConfig) -> None:
        """Raises DomainError when there is no such domain."""
        self.config = config
        self.domain = load_domain(config.domain)
        self._types = QuestionTypes(self.domain)
        self._kept: BoundedCache[Described] = BoundedCache(_DESCRIPTIONS)

    def of(self, query: Query) -> tuple[Program, Described]:
        """The program of a query, and the description of its scene.

        Raises:
            DataError: it has none. ExecutionError: they are of another domain. SceneError: objects have no coordinates.
        """
        program = program_of(query, "given", self.domain)
        scene: Scene | None = query.inputs.get("scene")
        if scene is None:
            raise DataError(f"question {query.index} has no scene")
        for what, domain in (("program", program.domain), ("scene", scene.domain)):
            if domain != self.domain:
                known = f"the learner knows the domain '{self.domain.name}'"
                raise ExecutionError(f"question {query.index}: {known}, the {what} is of '{domain.name}'")
        key = observation_key(scene)
        described = self._kept.get(key)
        if described is None:
            described = describe_scenes([scene], self.config.state)[0]
            self._kept.put(key, described)
        return program, described

    def examples(self, queries: Sequence[Query]) -> Examples:
        """An example of each query that can be learned from; one that cannot does not cost the others.

        Raises:
            DataError: none can; the message tells of the first.
        """
        examples, why = Examples(), None
        for query in queries:
            try:
                examples.append(self._example(query))
            except NsreasonError as error:
                why = why or error
        if why is not None and not examples:
            raise DataError(f"there is no question to learn from; the first: {why}")
        _tell_left_out(len(queries) - len(examples), len(queries), why)
        return examples

    def _example(self, query: Query) -> Example:
        program, described = self.of(query)
        if query.answer is None:
            raise DataError(f"question {query.index} has no answer")
        target = encode_answer(query.answer, program.kind, self.domain)
        if math.isnan(target):
            why = f"'{query.answer}' is no answer of its program"
            raise DataError(f"question {query.index}: {why}, which is of kind '{program.kind.name}'")
        ops = tuple(dict.fromkeys(step.op.name for step in program.steps))
        record = QuestionRecord(query.index, query.text, query.answer)
        type_ = self._types(program)[0]  # not the query's, which a task may name as it likes
        return Example(described, program, target, type_, len(described), nodes(program), query.type, ops, record)


class ExampleInputs:
    """Inputs of queries that were made of examples: their programs and descriptions, or images, are ready."""

    def of(self, query: Query) -> tuple[Program, SceneInput]:
        """The program and the description of a query of `example_queries`.

        Raises:
            DataError: it is of another kind.
        """
        described = query.inputs.get("described")
        if query.program is None or described is None:
            raise DataError(f"question {query.index} is not made of an example")
        return query.program, described


def example_queries(examples: Iterable[Example]) -> list[Query]:
    """Examples of a concept learner as queries."""
    return [
        Query(e.record.index, e.record.question, e.record.answer, e.type, {"described": e.described}, e.program)
        for e in examples
    ]


class LearnerInputs(Protocol):
    """What a concept learner is given of a query."""

    def of(self, query: Query, /) -> tuple[Program, SceneInput]:
        """The program, and what its scene or image is described by; raises an NsreasonError where there is none."""


@dataclass(frozen=True)
class ConceptReasoner:
    """A concept learner as a reasoner: programs executed by degrees on its concepts of scenes."""

    model: ConceptLearner
    inputs: LearnerInputs
    learned: Learned | None = None
    batch_size: int = _BATCH
    """Queries that are answered together."""
    scored: bool = True
    """Whether replies have scores, which take as long as the answers."""

    @property
    def parameters(self) -> int:
        """Those that were learned."""
        return parameters(self.model)

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        """See `Reasoner.answer`; scores are those of `soft_scores`."""
        replies: dict[int, Reply] = {}
        ready: list[tuple[int, Program, SceneInput]] = []
        for i, query in enumerate(queries):
            try:
                ready.append((i, *self.inputs.of(query)))
            except NsreasonError as error:
                replies[i] = Reply(None, error=error)
        for at in range(0, len(ready), self.batch_size):
            part = ready[at : at + self.batch_size]
            for (i, _, _), reply in zip(part, _each(self._batch, part), strict=True):
                replies[i] = reply
        return [replies[i] for i in range(len(queries))]

    def _batch(self, asked: Sequence[tuple[int, Program, SceneInput]]) -> list[Reply]:
        place: dict[SceneInput, int] = {}  # descriptions are equal to themselves alone
        which = [place.setdefault(described, len(place)) for _, _, described in asked]
        grounded = self.model.ground_examples(list(place))
        programs = [program for _, program, _ in asked]
        return soft_replies(self.model.executor, programs, grounded, which, scored=self.scored)

    def trace(self, query: Query) -> Trace | None:
        """See `Reasoner.trace`."""
        program, described = self.inputs.of(query)
        if not isinstance(described, Described):
            view = described.load()
            return self.model.trace_image(program, (view.image, view.detections), query.text)
        return self.model.trace(program, described.scene, query.text)
