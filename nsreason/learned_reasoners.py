"""Reasoners that learn from questions and answers, each within the same budget: networks, and the concept learner.

The budget is made a number of epochs before training begins, so that schedules and curricula come to their end within
it: a few steps of a copy of the model are timed. What was decided stands in the run's recipe, and a run that is taken
up anew goes on with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, ClassVar, Literal

import torch

from .checkpoint import load_checkpoint, load_weights
from .concept_data import Described, Example, Examples, nodes
from .data.questions import QuestionRecord
from .errors import DataError, NsreasonError
from .losses import encode_answer
from .models import model_class
from .program import Program
from .query import Query, Reply
from .reasoner import Lesson, Reasoner
from .recipe import Recipe, load_recipe, new_model
from .trace import Trace
from .training import TrainingResult, train

Kind = Literal["symbolic", "soft", "neural"]
_BATCH = 256  # queries that are answered together
_TIMED = 6  # steps, after as many to warm up
_MARGIN = 0.9  # of the time is planned for: validation and checkpoints take the rest


@dataclass(frozen=True)
class Learned:
    """What a training run came to, for reports."""

    recipe: Recipe
    result: TrainingResult
    examples: int


class Network:
    """Networks that answer by classes: each model of `nsreason.baselines.rivals`."""

    learns: ClassVar[bool] = True
    kind: ClassVar[Kind] = "neural"

    @classmethod
    def made(cls, name: str, lesson: Lesson) -> Reasoner:
        """See `reasoner.Made`.

        Raises:
            RecipeError: the task has no recipe for networks that look at what is asked for.
        """
        from .baselines.neural import settled

        recipe = _recipe(lesson, lesson.recipe or _of_task(lesson))
        recipe = replace(recipe, model=name, model_config=settled(recipe.model_config, lesson.train))
        model, learned = learn(recipe, lesson, lesson.train, lesson.valid)
        return Answering(model, learned)


class Concepts:
    """The concept learner on state descriptions: programs are given, concepts are learned."""

    learns: ClassVar[bool] = True
    kind: ClassVar[Kind] = "soft"

    @classmethod
    def made(cls, name: str, lesson: Lesson) -> Reasoner:
        """See `reasoner.Made`."""
        recipe = _recipe(lesson, lesson.recipe or "clevr-state-quick")
        config = replace(recipe.model_config, domain=lesson.domain)
        recipe = replace(recipe, model_config=config)
        told = _Examples(config)
        model, learned = learn(recipe, lesson, told.of(lesson.train), told.of(lesson.valid))
        return Executed(model, learned, told)


def _of_task(lesson: Lesson) -> str:
    from .errors import RecipeError, did_you_mean

    known = lesson.recipes
    if not known:
        raise RecipeError(f"the task '{lesson.task}' names no recipe for networks; give one")
    sees = lesson.sees or next(iter(known))
    if sees not in known:
        raise RecipeError(f"the task '{lesson.task}' has no '{sees}' to look at{did_you_mean(sees, known)}")
    return known[sees]


def _recipe(lesson: Lesson, name: str) -> Recipe:
    recipe = load_recipe(name, overrides=lesson.overrides)
    return replace(recipe, training=replace(recipe.training, seed=lesson.seed))


# --- learning within a budget -------------------------------------------------------------------------------


def learn(recipe: Recipe, lesson: Lesson, train_data: Sequence[Any], valid_data: Sequence[Any]) -> tuple[Any, Learned]:
    """Train the recipe's model within the lesson's budget, in the lesson's folder, or go on with what was begun there.

    The weights are those of the best validation, or the last ones where nothing is to be validated on.

    Raises:
        TrainingError, DataError: nothing can be learned from what there is.
        CheckpointError: what was begun in the folder is damaged, or was begun otherwise.
    """
    if not train_data:
        raise DataError("there is no question to learn from")
    began = lesson.folder / "recipe.toml"
    if (lesson.folder / "last.json").exists() and began.exists():
        recipe = load_recipe(began)
    else:
        recipe = within_budget(recipe, lesson, train_data)
    if recipe.training.validate_every and valid_data:
        recipe = replace(recipe, training=replace(recipe.training, monitor="accuracy", mode="max"))
    model = new_model(recipe)
    result = train(model, train_data, valid_data, recipe, lesson.folder, resume=True, progress=lesson.progress)
    best = lesson.folder / "best.json"
    if best.exists():
        load_weights(model, load_checkpoint(best))
    each = min(len(train_data), recipe.training.max_examples or len(train_data))
    return model.eval(), Learned(recipe, result, result.epochs * each)


def within_budget(recipe: Recipe, lesson: Lesson, data: Sequence[Any]) -> Recipe:
    """The recipe with as many epochs as the budget allows, one at least, and no more examples than it can see."""
    training = recipe.training
    passes = getattr(model_class(recipe.model), "passes", None)
    if lesson.budget.examples is not None:
        examples: float = lesson.budget.examples
        seconds = None
    else:
        assert lesson.budget.seconds is not None
        seconds = lesson.budget.seconds
        examples = _MARGIN * seconds / seconds_per_example(recipe, data)
    most = len(data)
    epochs = max(1, math.floor(examples / most))
    if passes is not None:
        epochs = min(epochs, passes)
    kept = max(training.batch_size, math.floor(examples)) if examples < most and passes is None else None
    changed = replace(
        training,
        epochs=epochs,
        seconds=seconds,
        max_examples=kept,
        validate_every=max(1, epochs // 20),
    )
    curriculum = recipe.curriculum
    if curriculum is not None:
        curriculum = curriculum.scaled(epochs, training.epochs)
    return replace(recipe, training=changed, curriculum=curriculum)


def seconds_per_example(recipe: Recipe, data: Sequence[Any]) -> float:
    """How long a step takes, by the clock, of a model of the recipe that is thrown away."""
    training = recipe.training
    timed = new_model(replace(recipe, training=replace(training, max_examples=None)))
    threads = torch.get_num_threads()
    if training.threads is not None:
        torch.set_num_threads(training.threads)
    try:
        optimizer = torch.optim.AdamW(timed.parameters(), lr=0.0)
        random = torch.Generator().manual_seed(training.seed)
        took = []
        on = training.precision == "bf16-mixed"
        for _ in range(2 * _TIMED):
            chosen = torch.randint(len(data), (min(training.batch_size, len(data)),), generator=random)
            began = perf_counter()
            batch = timed.collate([data[i] for i in chosen.tolist()])
            with torch.autocast("cpu", torch.bfloat16, enabled=on):
                loss = timed.loss(batch).loss
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            took.append((perf_counter() - began) / len(chosen))
        return sorted(took[_TIMED:])[_TIMED // 2]
    finally:
        torch.set_num_threads(threads)


# --- answering ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answering:
    """A trained network as a reasoner; queries that it cannot look at get an error."""

    model: Any
    learned: Learned | None = None

    @property
    def parameters(self) -> int:
        """Those that were learned."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        """See `Reasoner.answer`."""
        replies: list[Reply] = []
        for at in range(0, len(queries), _BATCH):
            replies += self._batch(queries[at : at + _BATCH])
        return replies

    def _batch(self, queries: Sequence[Query]) -> list[Reply]:
        try:
            return list(self.model.predict(self.model.collate(queries)))
        except NsreasonError as error:
            if len(queries) == 1:
                return [Reply(None, error=error)]
        half = len(queries) // 2  # the good ones beside a bad one are answered
        return self._batch(queries[:half]) + self._batch(queries[half:])

    def trace(self, query: Query) -> Trace | None:
        """None: there are no steps."""
        return None


class _Examples:
    """Queries as a concept learner's examples; those of one scene share its description."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self._held: dict[int, Described] = {}

    def of(self, queries: Sequence[Query]) -> Examples:
        """An example of each query that can be learned from."""
        return Examples(self.example(q) for q in queries if q.program is not None and q.answer is not None)

    def example(self, query: Query) -> Example:
        """One query. An answer that is not known is NaN.

        Raises:
            DataError: it has no program, or no scene.
        """
        from .concept_data import describe_scenes
        from .domain import load_domain

        program, scene = query.program, query.seen.get("scene")
        if program is None or scene is None:
            raise DataError(f"question {query.index} has no {'program' if program is None else 'scene'}")
        if id(scene) not in self._held:
            self._held[id(scene)] = describe_scenes([scene], self.config.state)[0]
        described = self._held[id(scene)]
        domain = load_domain(self.config.domain)
        target = math.nan if query.answer is None else encode_answer(query.answer, program.kind, domain)
        record = QuestionRecord(query.index, query.text, query.answer)
        ops = tuple(dict.fromkeys(step.op.name for step in program.steps))
        return Example(described, program, target, query.type, len(described), nodes(program), query.type, ops, record)


@dataclass(frozen=True)
class Executed:
    """A concept learner as a reasoner: programs executed by degrees on what it sees of scenes."""

    model: Any
    learned: Learned | None
    examples: _Examples

    @property
    def parameters(self) -> int:
        """Those that were learned."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        """See `Reasoner.answer`."""
        from .executors import spell

        replies: dict[int, Reply] = {}
        ready: list[tuple[int, Example]] = []
        for i, query in enumerate(queries):
            try:
                ready.append((i, self.examples.example(query)))
            except NsreasonError as error:
                replies[i] = Reply(None, error=error)
        for at in range(0, len(ready), _BATCH):
            part = ready[at : at + _BATCH]
            for (i, _), answer in zip(part, self.model.predict(self.model.collate([e for _, e in part])), strict=True):
                told = spell(answer)
                replies[i] = Reply(told, {told: 1.0})
        return [replies[i] for i in range(len(queries))]

    def trace(self, query: Query) -> Trace | None:
        """See `Reasoner.trace`."""
        program: Program | None = query.program
        if program is None or "scene" not in query.seen:
            raise DataError(f"question {query.index} has no program and scene to show")
        found: Trace = self.model.trace(program, query.seen["scene"], query.text)
        return found
