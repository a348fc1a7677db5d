"""What a concept learner learns from: questions with their programs and answers, each on what is seen of its scene.

    data = load_concept_data("data/clevr", config)        # finds the files, splits the scenes
    data.train, data.valid                                # sequences of Example

Examples of one scene share what is seen of it, a description or an image with its detections (`image_data`); a batch
grounds each of its scenes once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...data.folders import find_files
from ...data.questions import QuestionRecord, read_questions
from ...data.scenes import SceneFile, load_scenes
from ...data.splits import HoldOut, Split
from ...dsl.domain import Domain, load_domain
from ...errors import DataError, NsreasonError
from ...language.parsers import QuestionParser
from ...perception.features.state_descriptions import StateConfig
from ...programs.question_types import QuestionTypes
from .examples import Described, Examples, describe_scenes, make_example

if TYPE_CHECKING:
    from .learner import ConceptLearnerConfig


def load_concept_data(
    folder: str | Path, domain: Domain, state: StateConfig, config: ConceptData | None = None
) -> Split[Examples]:
    """The examples of a folder.

    Raises:
        DataError: the folder lacks a file, or nothing in it can be learned from.
    """
    config = config or ConceptData()
    scenes_path, questions_path = find_files(folder, config.split)
    file = load_scenes(scenes_path, domain)
    records = list(read_questions(questions_path))
    examples, bad = make_examples(records, file, domain, state, programs=config.programs)
    if not examples:
        why = f"; the first: {bad[0]}" if bad else ""
        raise DataError(f"{questions_path}: none of {len(records)} questions can be learned from{why}")
    rule = HoldOut(config.held_out, config.fraction)
    train, valid = rule.split(examples, group=lambda e: id(e.described.scene), groups=map(id, file.scenes))
    return Split(Examples(train), Examples(valid), bad=bad, source=str(folder), rule=rule)


def make_examples(
    records: Sequence[object],
    scenes: SceneFile,
    domain: Domain,
    state: StateConfig,
    *,
    programs: str | QuestionParser = "given",
) -> tuple[Examples, list[NsreasonError]]:
    """Examples of question records, and why others make none."""
    types = QuestionTypes(domain)
    described: dict[int, Described] = {}
    examples = Examples()
    bad: list[NsreasonError] = []
    for record in records:
        try:
            if not isinstance(record, QuestionRecord):
                raise getattr(record, "error", DataError("not a question"))
            where = scenes.place(record.image_index, record.image_filename)
            if where not in described:
                described[where] = describe_scenes([scenes.scenes[where]], state)[0]
            examples.append(make_example(record, described[where], domain, types, programs))
        except NsreasonError as error:
            bad.append(error)
    return examples, bad


@dataclass(frozen=True)
class ConceptData:
    """A recipe's `[data]`."""

    split: str = ""
    """Of several files in a folder, those with this in their names; empty takes any."""
    programs: Literal["given", "parsed"] = "given"
    """Given by the questions' file, or parsed from their texts."""
    held_out: float = 0.1
    """The last part of the scenes (or images), in file order, is not learned from."""
    held_out_of: Literal["each", "last"] = "each"
    """With images of several folders, whether each holds a part out, or the last alone."""
    fraction: float = 1.0
    """The first part of the other scenes that is learned from."""
    frames: str = ""
    """With images, a folder for memory-mapped files of them, one for each folder of data, written before the first run;
    images then need not fit in memory. Empty keeps them in memory.
    """

    def __post_init__(self) -> None:
        if not (0 <= self.held_out < 1 and 0 < self.fraction <= 1):
            raise ValueError(f"0 <= held_out < 1 and 0 < fraction <= 1, got {self.held_out} and {self.fraction}")

    def load(self, config: ConceptLearnerConfig, folder: str | Path) -> Split[Examples]:
        """Load the examples of a folder: of scenes or of images, as the learner's settings say.

        Raises:
            DataError: the folder lacks a file, or nothing in it can be learned from.
        """
        domain = load_domain(config.domain)
        if config.features == "regions":
            from .image_data import load_image_data

            return load_image_data(folder, domain, config.regions, self)
        return load_concept_data(folder, domain, config.state, self)
