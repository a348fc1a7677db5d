"""The concept learner: concepts and relations learned from questions, programs and answers alone.

Nothing tells it which object is red: it answers questions by executing their programs on its own degrees, and learns
from how wrong the answers are (Mao et al., NS-CL, ICLR 2019). Features of objects are state descriptions.

    learner = ConceptLearner(ConceptLearnerConfig())
    batch = learner.collate(examples)             # nsreason.concept_data
    learner.loss(batch).loss.backward()
    learner.predict(batch)                        # answers, as `execute` gives them

S scenes, N objects, K columns of a description, Q questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from .concept_data import Described, Example, describe_scenes
from .domain import Domain, load_domain
from .errors import DataError
from .executors.algebras import Logit, algebra
from .executors.answers import Answer
from .executors.grounding import Grounded
from .executors.quasi_symbolic import QuasiSymbolic, SoftAnswers, trace_soft
from .executors.soft_schedule import Schedule, schedule
from .kinds import WORD
from .losses import answer_losses, right_answers
from .models import LossOut
from .perception.concepts import ConceptConfig, ConceptEmbeddings, Tables
from .perception.state import StateConfig, StateFeatures
from .program import Program
from .scene import Scene
from .trace import Trace


@dataclass(frozen=True)
class ConceptLearnerConfig:
    """Settings of a concept learner.

    domain: a bundled domain's name, or the path of a domain file.
    algebra: the semantics of execution; `logit` is NS-CL's.
    """

    domain: str = "clevr"
    algebra: Literal["logit", "goedel", "product"] = "logit"
    state: StateConfig = field(default_factory=StateConfig)
    concepts: ConceptConfig = field(default_factory=ConceptConfig)


@dataclass(frozen=True)
class ConceptBatch:
    """Q questions on S scenes. `which` (Q,) is the scene of each; `types` (Q,) their numbers in `TYPES`."""

    rows: Tensor
    present: Tensor
    which: Tensor
    targets: Tensor
    types: Tensor
    schedule: Schedule

    def to(self, device: torch.device | str) -> ConceptBatch:
        """The same batch on a device."""
        moved = {n: getattr(self, n).to(device, non_blocking=True) for n in _TENSORS}
        return replace(self, **moved, schedule=self.schedule.to(device))

    def __len__(self) -> int:
        return len(self.targets)


_TENSORS = ("rows", "present", "which", "targets", "types")
TYPES = ("count", "exist", "compare number", "compare attribute", "query", "logic")


class Padded(NamedTuple):
    """Descriptions side by side: rows (S, N, K), present (S, N)."""

    rows: Tensor
    present: Tensor


def pad(described: Sequence[Described]) -> Padded:
    """Descriptions padded to the largest scene, and to one place where all are empty."""
    most = max(1, *(len(d.rows) for d in described)) if described else 1
    rows = torch.zeros(len(described), most, described[0].rows.shape[1] if described else 0)
    present = torch.zeros(len(described), most, dtype=torch.bool)
    for i, d in enumerate(described):
        rows[i, : len(d.rows)] = d.rows
        present[i, : len(d.rows)] = True
    return Padded(rows, present)


class Perception(nn.Module):
    """Descriptions to tables of logits: features, then concept embeddings."""

    def __init__(self, domain: Domain, state: StateConfig, concepts: ConceptConfig) -> None:
        super().__init__()
        self.features = StateFeatures(domain, state)
        self.embeddings = ConceptEmbeddings(domain, state.width, state.pairs, concepts)

    def forward(self, rows: Tensor, present: Tensor, nothing: float) -> Tables:
        objects, pairs = self.features(rows)
        tables: Tables = self.embeddings(objects, pairs, present, nothing)
        return tables


class ConceptLearner(nn.Module):
    """Concept embeddings trained through quasi-symbolic execution."""

    Config = ConceptLearnerConfig

    def __init__(self, config: ConceptLearnerConfig | None = None) -> None:
        """
        Raises:
            DomainError: there is no such domain.
            ValueError: a width, a temperature or a probability is out of range.
        """
        super().__init__()
        self.config = config = config or ConceptLearnerConfig()
        self.domain = load_domain(config.domain)
        self.perception = Perception(self.domain, config.state, config.concepts)
        self.executor = QuasiSymbolic(algebra(config.algebra))
        self._hard = self.executor.evaluation()

    # --- batches --------------------------------------------------------------------------------------------

    def collate(self, examples: Sequence[Example]) -> ConceptBatch:
        """A batch on the CPU, in which each scene stands once.

        Raises:
            DataError: there is no example.
        """
        if not examples:
            raise DataError("a batch has at least one question")
        place: dict[int, int] = {}
        scenes: list[Described] = []
        which = []
        for e in examples:
            if id(e.described) not in place:
                place[id(e.described)] = len(scenes)
                scenes.append(e.described)
            which.append(place[id(e.described)])
        padded = pad(scenes)
        return ConceptBatch(
            padded.rows,
            padded.present,
            torch.tensor(which),
            torch.tensor([e.target for e in examples]),
            torch.tensor([TYPES.index(e.type) for e in examples]),
            schedule([e.program for e in examples]),
        )

    def ground(self, rows: Tensor, present: Tensor) -> Grounded:
        """The tables of described scenes, in the degrees of the executor's algebra."""
        k = self.executor.algebra
        if isinstance(k, Logit):
            tables: Tables = self.perception(rows, present, k.nothing)
            return Grounded(self.domain, present, *tables, nothing=k.nothing)
        concepts, relations, alike, words = self.perception(rows, present, -torch.inf)
        sets = concepts.sigmoid(), relations.sigmoid(), alike.sigmoid()
        return Grounded(self.domain, present, *sets, k.probability(words.softmax(-1), WORD), nothing=k.nothing)

    def answer(self, batch: ConceptBatch, *, hard: bool = False) -> SoftAnswers:
        """Ground the scenes and execute the programs; `hard` as in evaluation."""
        grounded = self.ground(batch.rows, batch.present)
        return (self._hard if hard else self.executor)(batch.schedule, grounded, batch.which)

    def loss(self, batch: ConceptBatch) -> LossOut:
        """NS-CL's losses, and the accuracy of all questions and of each type.

        In evaluation mode the accuracies are those of hard execution; the loss is always that of soft execution.
        """
        grounded = self.ground(batch.rows, batch.present)
        answers = self.executor(batch.schedule, grounded, batch.which)
        loss = answer_losses(answers, batch.targets).mean()
        if not self.training:
            answers = self._hard(batch.schedule, grounded, batch.which)
        right = right_answers(answers, batch.targets).to(loss.dtype)
        counts = torch.stack([torch.ones_like(right), right])
        sums = loss.new_zeros(2, len(TYPES)).index_add(1, batch.types, counts)  # (2, types): questions, right ones
        metrics = {f"accuracy/{name}": (sums[1, i], sums[0, i]) for i, name in enumerate(TYPES)}
        return LossOut(loss, len(batch), {"accuracy": right.sum(), **metrics})

    @torch.no_grad()
    def predict(self, batch: ConceptBatch) -> list[Answer]:
        """The answers to the batch's questions, by hard execution."""
        return self.answer(batch, hard=True).decode()

    # --- scenes ---------------------------------------------------------------------------------------------

    @torch.no_grad()
    def see(self, scenes: Sequence[Scene]) -> Grounded:
        """What the learner sees in scenes.

        Raises:
            DataError: there is no scene, or one is of another domain.
            SceneError: an object has no coordinates in the frame of the learner's descriptions.
        """
        if not scenes:
            raise DataError("there is no scene to look at")
        for s in scenes:
            if s.domain != self.domain:
                raise DataError(f"the learner knows the domain '{self.domain.name}', the scene is of '{s.domain.name}'")
        padded = pad(describe_scenes(scenes, self.config.state))
        device = next(self.parameters()).device
        return self.ground(padded.rows.to(device), padded.present.to(device))

    def trace(self, program: Program, scene: Scene, question: str | None = None) -> Trace:
        """How a program is answered on a scene: every call's value, with the degree of every object.

        Raises:
            DataError, SceneError: as `see`.
            ExecutionError: the scene is empty, or the program is of another domain.
        """
        return trace_soft(program, scene, self.see([scene]), self._hard, question)
