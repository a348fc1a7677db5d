"""The concept learner: concepts and relations learned from questions, programs and answers alone.

It has no labels of objects: it answers questions by executing their programs on its own degrees, and learns from the
loss of the answers (Mao et al., NS-CL, ICLR 2019). Features of objects are state descriptions, or those of detections
in images.

    learner = ConceptLearner(ConceptLearnerConfig(features="regions"))
    batch = learner.collate(examples)             # nsreason.models.nscl.data, nsreason.models.nscl.image_data
    learner.loss(batch).loss.backward()
    learner.predict(batch)                        # answers, as `execute` gives them
    learner.trace_image(program, (image, detections))

S scenes, N objects, K columns of a description, Q questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ...dsl.domain import Domain, load_domain
from ...dsl.kinds import WORD
from ...errors import DataError, ExecutionError
from ...executors.answers import Answer
from ...executors.soft.algebras import Logit, algebra
from ...executors.soft.executor import QuasiSymbolic, SoftAnswers
from ...executors.soft.explain import trace_soft
from ...executors.soft.faults import check_tables
from ...executors.soft.grounding import Grounded
from ...executors.soft.schedule import Schedule, schedule
from ...perception.detections.detections import Detections, ImageDetections
from ...perception.features.concept_embeddings import ConceptConfig, ConceptEmbeddings, Tables
from ...perception.features.regions import RegionConfig, RegionFeatures, Regions
from ...perception.features.state_descriptions import StateConfig, StateFeatures
from ...programs.program import Program
from ...scenes.scene import ObjectPlace, Scene
from ...traces.trace import Trace
from ...training.model import LossOut
from .data import ConceptData
from .examples import Described, Example, SceneInput, Viewed, describe_scenes
from .losses import answer_losses, right_answers


@dataclass(frozen=True)
class ConceptLearnerConfig:
    """Settings of a concept learner."""

    domain: str = "clevr"
    """A bundled domain's name, or the path of a domain file."""
    algebra: Literal["logit", "goedel", "product"] = "logit"
    """Semantics of soft execution; `logit` is NS-CL's."""
    features: Literal["state", "regions"] = "state"
    """`state` descriptions of annotated scenes, or `regions` of images; the settings of the other one are unused."""
    state: StateConfig = field(default_factory=StateConfig)
    """Settings of state descriptions."""
    regions: RegionConfig = field(default_factory=RegionConfig)
    """Settings of image regions."""
    concepts: ConceptConfig = field(default_factory=ConceptConfig)
    """Settings of the concept embeddings."""


@dataclass(frozen=True)
class ConceptBatch:
    """Q questions on S scenes. `which` (Q,) is the scene of each; `types` (Q,) their numbers in `TYPES`.

    The inputs are `rows` (S, N, K) or `regions`.
    """

    rows: Tensor | None
    present: Tensor
    which: Tensor
    targets: Tensor
    types: Tensor
    schedule: Schedule
    regions: Regions | None = None

    @property
    def inputs(self) -> Tensor | Regions:
        """Descriptions or regions."""
        inputs = self.rows if self.regions is None else self.regions
        assert inputs is not None
        return inputs

    def to(self, device: torch.device | str) -> ConceptBatch:
        """The same batch on a device."""
        moved = {n: getattr(self, n).to(device, non_blocking=True) for n in _TENSORS}
        rows = None if self.rows is None else self.rows.to(device, non_blocking=True)
        regions = None if self.regions is None else self.regions.to(device)
        return replace(self, **moved, rows=rows, regions=regions, schedule=self.schedule.to(device))

    def __len__(self) -> int:
        return len(self.targets)


_TENSORS = ("present", "which", "targets", "types")
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
    """Descriptions or regions to tables of logits: features, then concept embeddings."""

    features: StateFeatures | RegionFeatures

    def __init__(self, domain: Domain, config: ConceptLearnerConfig) -> None:
        super().__init__()
        if config.features == "state":
            self.features = StateFeatures(domain, config.state)
            width, pairs = config.state.width, config.state.pairs
        else:
            self.features = RegionFeatures(config.regions, relations=bool(domain.relations))
            width, pairs = config.regions.widths()
        self.embeddings = ConceptEmbeddings(domain, width, pairs, config.concepts)

    def forward(self, inputs: Tensor | Regions, present: Tensor, nothing: float) -> Tables:
        objects, pairs = self.features(inputs)
        # In full precision wherever it runs: cosines that differ in the third digit decide what an object is.
        with torch.autocast(objects.device.type, enabled=False):
            kind = next(self.embeddings.parameters()).dtype
            features = objects.to(kind), None if pairs is None else pairs.to(kind)
            tables: Tables = self.embeddings(*features, present, nothing)
        return tables


class ConceptLearner(nn.Module):
    """Concept embeddings trained through quasi-symbolic execution."""

    Config = ConceptLearnerConfig
    Data = ConceptData

    def __init__(self, config: ConceptLearnerConfig | None = None) -> None:
        """
        Raises:
            DomainError: there is no such domain.
            ValueError: a width, a temperature or a probability is out of range.
        """
        super().__init__()
        self.config = config = config or ConceptLearnerConfig()
        self.domain = load_domain(config.domain)
        self.perception = Perception(self.domain, config)
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
        scenes: list[SceneInput] = []
        which = []
        for e in examples:
            if id(e.described) not in place:
                place[id(e.described)] = len(scenes)
                scenes.append(e.described)
            which.append(place[id(e.described)])
        inputs, present = self.batch_inputs(scenes)
        return ConceptBatch(
            inputs if isinstance(inputs, Tensor) else None,
            present,
            torch.tensor(which),
            torch.tensor([e.target for e in examples]),
            torch.tensor([TYPES.index(e.type) for e in examples]),
            schedule([e.program for e in examples]),
            inputs if isinstance(inputs, Regions) else None,
        )

    def batch_inputs(self, scenes: Sequence[SceneInput]) -> tuple[Tensor | Regions, Tensor]:
        """Descriptions or regions, padded, and where there is an object.

        Raises:
            DataError: the learner reads the other kind.
        """
        if self.config.features == "state":
            described = [d for d in scenes if isinstance(d, Described)]
            if len(described) < len(scenes):
                raise DataError("the learner reads state descriptions (features = 'state'), an example is an image")
            return pad(described)
        images = [d.load() for d in scenes if not isinstance(d, Described)]
        if len(images) < len(scenes):
            raise DataError("the learner reads images (features = 'regions'), an example is a state description")
        config, pairs = self.config.regions, [(d.image, d.detections) for d in images]
        regions = Regions.of(pairs, masks=config.masks, size=config.image_size(), cuts=[d.cuts for d in images])
        return regions, regions.present

    def ground(self, inputs: Tensor | Regions, present: Tensor) -> Grounded:
        """The tables of described scenes or of images, in the degrees of the executor's algebra."""
        k = self.executor.algebra
        if isinstance(k, Logit):
            tables: Tables = self.perception(inputs, present, k.nothing)
            return Grounded(self.domain, present, *tables, nothing=k.nothing)
        concepts, relations, alike, words = self.perception(inputs, present, -torch.inf)
        sets = concepts.sigmoid(), relations.sigmoid(), alike.sigmoid()
        return Grounded(self.domain, present, *sets, k.probability(words.softmax(-1), WORD), nothing=k.nothing)

    def answer(self, batch: ConceptBatch, *, hard: bool = False) -> SoftAnswers:
        """Ground the scenes and execute the programs; `hard` as in evaluation."""
        grounded = self.ground(batch.inputs, batch.present)
        return (self._hard if hard else self.executor)(batch.schedule, grounded, batch.which)

    def loss(self, batch: ConceptBatch) -> LossOut:
        """NS-CL's losses, and the accuracy of all questions and of each type.

        In evaluation mode the accuracies are those of hard execution; the loss is always that of soft execution.
        """
        grounded = self.ground(batch.inputs, batch.present)
        with torch.autocast(batch.present.device.type, enabled=False):  # as the tables are
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
    def predict(self, batch: ConceptBatch) -> list[Answer | ExecutionError]:
        """The answers to the batch's questions, by hard execution; where there is none, the error that says why."""
        return self.answer(batch, hard=True).decode()

    # --- scenes ---------------------------------------------------------------------------------------------

    @torch.no_grad()
    def ground_examples(self, scenes: Sequence[SceneInput]) -> Grounded:
        """Ground what examples are about: tables of degrees.

        Raises:
            DataError: there is none, or the learner reads the other kind.
        """
        if not scenes:
            raise DataError("there is no scene to ground")
        inputs, present = self.batch_inputs(scenes)
        device = next(self.parameters()).device
        return self.ground(inputs.to(device), present.to(device))

    def ground_scenes(self, scenes: Sequence[Scene]) -> Grounded:
        """Ground annotated scenes.

        Raises:
            DataError: there is no scene, one is of another domain, or the learner reads images.
            SceneError: an object has no coordinates in the frame of the learner's descriptions.
        """
        for s in scenes:
            if s.domain != self.domain:
                raise DataError(f"the learner knows the domain '{self.domain.name}', the scene is of '{s.domain.name}'")
        if self.config.features != "state":
            raise DataError("the learner reads images (features = 'regions'), not scenes; give it an image")
        return self.ground_examples(describe_scenes(scenes, self.config.state))

    def trace(self, program: Program, scene: Scene, question: str | None = None) -> Trace:
        """Trace a program on a scene: every call's value, with the degree of every object.

        Raises:
            DataError, SceneError: as `ground_scenes`.
            ExecutionError: the program is of another domain, or the weights give what is no degree.
        """
        return trace_soft(program, scene, self.ground_scenes([scene]), self._hard, question)

    # --- images ---------------------------------------------------------------------------------------------

    def load_pretrained(self) -> None:
        """Begin with the file of weights that the settings name, if they name one.

        Raises:
            CheckpointError: the file cannot be read, or its tensors do not fit.
            ValueError: the features have nothing to put them in.
        """
        if isinstance(self.perception.features, RegionFeatures):
            self.perception.features.load_weights()

    def ground_images(self, images: Sequence[ImageDetections]) -> Grounded:
        """Ground images, each (3, H, W) uint8 with its detections.

        Raises:
            DataError: there is no image, or the learner reads state descriptions.
        """
        return self.ground_examples([Viewed(image, detections) for image, detections in images])

    def trace_image(self, program: Program, image: ImageDetections, question: str | None = None) -> Trace:
        """Trace a program on an image: every call's value, with the degree of every object.

        The trace names objects by their likeliest values.

        Raises:
            DataError: as `ground_images`.
            ExecutionError: the program is of another domain, or the weights give what is no degree.
        """
        grounded = self.ground_images([image])
        return trace_soft(program, likeliest_scene(grounded, image[1]), grounded, self._hard, question)


def likeliest_scene(grounded: Grounded, detections: Detections, which: int = 0) -> Scene:
    """Read an image's degrees as a crisp scene.

    Each object has its likeliest value of each attribute, its box, mask and score; a relation holds where it is
    likelier than not, and agrees with its inverse.

    Raises:
        ExecutionError: a table holds what is no degree.
    """
    check_tables(grounded)
    domain, n = grounded.domain, len(detections)
    words = grounded.words[which].cpu()  # (A, N, C)
    values, first = [], 0
    for number, attribute in enumerate(domain.attributes):
        size = len(domain.values(attribute))
        values.append((words[number, :n, first : first + size].argmax(-1) + first).tolist())
        first += size
    places = [
        ObjectPlace(
            bbox=(box[0], box[1], box[2], box[3]),
            score=min(1.0, max(0.0, score)),
            mask=None if detections.masks is None else detections.masks[i],
        )
        for i, (box, score) in enumerate(zip(detections.boxes.tolist(), detections.scores.tolist(), strict=True))
    ]
    rows = [[column[i] for column in values] for i in range(n)]
    return Scene(domain, rows, places, _relationships(grounded, which, n), image=detections.image)


def _relationships(grounded: Grounded, which: int, n: int) -> dict[str, list[list[int]]]:
    domain, degrees_of = grounded.domain, grounded.relations[which, :, :n, :n].cpu()
    even = 0.0 if grounded.nothing < 0 else 0.5
    rows: dict[str, list[list[int]]] = {}
    for number, name in enumerate(domain.relations):
        inverse = domain.inverse(name)
        degrees = degrees_of[number] - even
        if inverse is not None:
            if inverse in rows:
                continue  # read off the other one
            degrees = degrees + (degrees_of[domain.relation_index[inverse]] - even).T
        rows[name] = [[j for j in range(n) if j != i and degrees[i, j] > 0] for i in range(n)]
    return rows
