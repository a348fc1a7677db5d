"""Commands on a trained concept learner: its checkpoint, its questions, its answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError, DataError
from . import answers, options, output

if TYPE_CHECKING:
    from ..evaluation.report import Report
    from ..models.nscl.examples import Example, SceneInput
    from ..models.nscl.learner import ConceptLearner
    from ..models.nscl.probes import Probes
    from ..programs.program import Program
    from ..scenes.scene import Scene
    from ..traces.trace import Trace

BATCH = 1024  # questions at once


def load_learner(path: str, device: options.DeviceName = "cpu", *, trust: bool = False) -> ConceptLearner:
    """The concept learner of a checkpoint; trust: see `checkpoint.load_model`.

    Raises:
        CheckpointError: there is none, or it holds another model.
        UsageError: there is no such device here.
    """
    from .image_inputs import torch_device

    place = torch_device(device)
    from ..training.checkpoint import load_model

    with output.step(f"loaded {path} on {place}"):
        return learner_of(load_model(path, trust=trust).to(place), path)


def learner_of(model: Any, path: str) -> ConceptLearner:
    """The model of a checkpoint, which is to be a concept learner.

    Raises:
        CheckpointError: it is another one.
    """
    from ..models.nscl.learner import ConceptLearner
    from ..registry import REASONERS
    from ..training.checkpoint import load_checkpoint

    if not isinstance(model, ConceptLearner):
        name = load_checkpoint(path).model
        hint = f"; `nsreason compare --checkpoint {name}={path}` tests it" if name in REASONERS else ""
        raise CheckpointError(f"{path}: holds a {type(model).__name__}, not a concept learner{hint}")
    return model


def evaluated(
    learner: ConceptLearner, examples: list[Example], name: str, programs: str, batch_size: int | None = None
) -> Report:
    """The learner's answers to all examples, scored as those of any reasoner, with the concept probes as a section."""
    from ..evaluation.evaluator import evaluate
    from ..reasoners.concepts import ConceptReasoner, ExampleInputs, example_queries

    size = batch_size or BATCH
    reasoner = ConceptReasoner(learner, ExampleInputs(), batch_size=size, scored=False)
    settings: dict[str, object] = {"model": name, "programs": programs}
    queries = example_queries(examples)
    report = evaluate(reasoner, queries, (), domain=learner.domain, batch_size=size, settings=settings)
    report.scenes = len(dict.fromkeys(e.described for e in examples))
    probes = probed(learner, examples)
    if probes is not None:
        report.sections.append(probes)
    return report


def annotated(examples: list[Example]) -> list[tuple[SceneInput, Scene]]:
    """What examples are about, once each, with the annotated scenes; images without annotations are left out."""
    return [(d, d.scene) for d in dict.fromkeys(e.described for e in examples) if d.scene is not None]


def probed(learner: ConceptLearner, examples: list[Example]) -> Probes | None:
    """The concept probes on the scenes of the examples; None for images of which only detections are known."""
    from ..models.nscl.probes import probe

    pairs = annotated(examples)
    if not pairs:
        return None
    return probe(learner.ground_examples([described for described, _ in pairs]), [scene for _, scene in pairs])


def examples_of(learner: ConceptLearner, folder: str, part: str, split: str, programs: str) -> list[Example]:
    """The examples of a folder: `all`, or the `held-out` ones of the run that made the checkpoint.

    Raises:
        DataError: the folder lacks a file, or nothing in it can be used.
    """
    from ..models.nscl.data import ConceptData

    config = ConceptData(split=split, programs="parsed" if programs == "parsed" else "given")
    examples = config.load(learner.config, folder)
    if examples.bad:
        output.note(f"{len(examples.bad):,} questions cannot be used; the first: {examples.bad[0]}")
    if part == "held-out" and not examples.valid:
        raise DataError(f"{folder}: too few scenes to hold any out; --part all asks all")
    return examples.valid if part == "held-out" else [*examples.train, *examples.valid]


@dataclass(kw_only=True)
class Learned(answers.SceneAnswers):
    """How `ask` answers with a checkpoint: by what the learner sees."""

    learner: ConceptLearner

    def run(self, program: Program, question: str | None) -> Trace:
        """The trace of a program on the scene, by quasi-symbolic execution."""
        return self.learner.trace(program, self.scene, question)


def write_file(path: str, data: bytes) -> None:
    """Write a file, atomically.

    Raises:
        DataError: it cannot be written.
    """
    from ..io.files import write_bytes

    if not Path(path).parent.is_dir():
        raise DataError(f"{path}: there is no folder {Path(path).parent}")
    write_bytes(path, data)
