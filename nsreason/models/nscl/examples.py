"""What the concept learner learns from: questions with the scenes or images that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.answers import reference_answer
from ...data.questions import QuestionRecord
from ...dsl.domain import Domain
from ...errors import DataError
from ...language.parsers import QuestionParser, program_source
from ...perception.detections.detections import Detections
from ...perception.features.regions import CroppedMask
from ...perception.features.state_descriptions import StateConfig, state_rows
from ...programs.program import Program
from ...programs.question_types import QuestionTypes, nodes
from ...scenes.scene import Scene
from .losses import encode_answer


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A scene and its description (N, K)."""

    scene: Scene
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Viewed:
    """An image (3, H, W) uint8 and what was detected in it.

    Attributes:
        scene: what is annotated of the same objects in the same order, where that is known: for probes of what was
            learned, never to learn from.
        cuts: the masks, decoded for the size of the image; None decodes them whenever they are looked at.
    """

    image: Tensor
    detections: Detections
    scene: Scene | None = None
    cuts: Sequence[CroppedMask] | None = None

    def __len__(self) -> int:
        return len(self.detections)

    def with_scene(self, scene: Scene) -> Viewed:
        """Return the same image with what is annotated of it."""
        return replace(self, scene=scene)

    def load(self) -> Viewed:
        """Return the image itself, which is in memory."""
        return self


class MappedView(Protocol):
    """An image that is read from a file whenever a batch needs it; see `frames`."""

    @property
    def detections(self) -> Detections:
        """What was detected in it; in memory."""

    @property
    def scene(self) -> Scene | None:
        """What is annotated of the same objects."""

    @property
    def digest(self) -> str:
        """Of the file."""

    def __len__(self) -> int:
        """Count the objects that were detected."""

    def with_scene(self, scene: Scene, /) -> MappedView:
        """Return the same image with what is annotated of it."""

    def load(self) -> Viewed:
        """Read the image and its masks."""


SceneInput = Described | Viewed | MappedView
"""What an example's question is about."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A question on a scene, and how hard it is.

    Attributes:
        target: the encoded answer (`losses.encode_answer`); NaN where it is of another kind than the program's.
        n_nodes: calls of the program, shared ones counted each time, as the CLEVR files list them.
        family: the file's name of its question family, or its type.
        type: `count`, `exist`, `query`, ... as in the reports of `evaluate`.
    """

    described: SceneInput
    program: Program
    target: float
    type: str
    n_objects: int
    n_nodes: int
    family: str
    ops: tuple[str, ...]
    record: QuestionRecord = field(repr=False)


class Examples(list[Example]):
    """Examples in file order."""

    @property
    def groups(self) -> NDArray[np.int64]:
        """The number of each example's scene: the training loop keeps the questions of a scene in one batch."""
        number: dict[int, int] = {}
        numbers = (number.setdefault(id(e.described), len(number)) for e in self)
        return np.fromiter(numbers, dtype=np.int64, count=len(self))

    @property
    def digest(self) -> str | None:
        """Of the files that images are read from; None if all are in memory."""
        digests = dict.fromkeys(getattr(e.described, "digest", None) for e in self)
        return "+".join(d for d in digests if d is not None) or None


def describe_scenes(scenes: Iterable[Scene], config: StateConfig) -> list[Described]:
    """Scenes with their descriptions.

    Raises:
        SceneError: an object has no coordinates in the frame that is asked for.
    """
    return [Described(s, torch.from_numpy(state_rows(s, config))) for s in scenes]


def make_example(
    record: QuestionRecord, described: SceneInput, domain: Domain, types: QuestionTypes, programs: str | QuestionParser
) -> Example:
    """Return a question on the description of its scene; `programs` as in `nsreason.language.parsers`.

    Raises:
        RecipeError: there is no such parser.
        DataError: it has no program or no answer, its answer is none of the domain's, or is of a kind that cannot be
            learned from.
        ProgramError, QuestionError: its program or its text is not of the domain.
    """
    source = program_source(programs, domain)
    program = record.given_program(domain) if isinstance(source, str) else source.parse(record.question or "")
    answer = None if program is None else reference_answer(record.answer, domain, program.kind)
    if program is None or answer is None:
        raise DataError(f"question {record.index} has no {'program' if program is None else 'answer'}")
    record = msgspec.structs.replace(record, answer=answer)
    kind = types(program)[0]
    return Example(
        described,
        program,
        encode_answer(answer, program.kind, domain),
        kind,
        len(described),
        nodes(program),
        str(record.template_filename or kind).removesuffix(".json"),
        tuple(dict.fromkeys(step.op.name for step in program.steps)),
        record,
    )
