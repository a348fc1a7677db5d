"""Commands on a trained concept learner: its checkpoint, its questions, its answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError, DataError, NsreasonError
from . import answers, options, output

if TYPE_CHECKING:
    from ..evaluation.report import Report
    from ..models.nscl.examples import Example
    from ..models.nscl.learner import ConceptLearner
    from ..models.nscl.probes import Probes
    from ..programs.program import Program
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


def learner_of(found: Any, path: str) -> ConceptLearner:
    """The model of a checkpoint, which is to be a concept learner.

    Raises:
        CheckpointError: it is another one.
    """
    from ..models.nscl.learner import ConceptLearner
    from ..registry import REASONERS
    from ..training.checkpoint import load_checkpoint

    if not isinstance(found, ConceptLearner):
        name = load_checkpoint(path).model
        hint = f"; `nsreason compare --checkpoint {name}={path}` tests it" if name in REASONERS else ""
        raise CheckpointError(f"{path}: holds a {type(found).__name__}, not a concept learner{hint}")
    return found


def evaluated(
    learner: ConceptLearner, examples: list[Example], name: str, programs: str, batch_size: int | None = None
) -> Report:
    """The learner's answers to all examples, scored as `evaluate` scores executed programs."""
    from ..data.predictions import Prediction, Status
    from ..evaluation.report import Report
    from ..executors import spell
    from ..programs.question_types import QuestionTypes

    began = perf_counter()
    types = QuestionTypes(learner.domain)
    scenes = {id(e.described) for e in examples}
    report = Report({"model": name, "programs": programs}, scenes=len(scenes))
    device = next(learner.parameters()).device
    size = batch_size or BATCH
    for at in range(0, len(examples), size):
        part = examples[at : at + size]
        for e, answer in zip(part, learner.predict(learner.collate(part).to(device)), strict=True):
            r, (kind, op) = e.record, types(e.program)
            error = answer.record() if isinstance(answer, NsreasonError) else None
            told = None if isinstance(answer, NsreasonError) else spell(answer)
            right = told is not None and told == r.answer
            status: Status = "right" if right else "wrong"
            line = Prediction(r.index, status, r.image_index, kind, op, r.answer, told, right, error=error)
            report.add(line)
    report.seconds = {"total": perf_counter() - began}
    return report


def probed(learner: ConceptLearner, examples: list[Example]) -> Probes | None:
    """The concept probes on the scenes of the examples; None for images of which only detections are known."""
    from ..models.nscl.probes import probe

    seen = [(d, d.scene) for d in {id(e.described): e.described for e in examples}.values() if d.scene is not None]
    if not seen:
        return None
    return probe(learner.ground_examples([described for described, _ in seen]), [scene for _, scene in seen])


def examples_of(learner: ConceptLearner, folder: str, part: str, split: str, programs: str) -> list[Example]:
    """The examples of a folder: `all`, or the `held-out` ones of the run that made the checkpoint.

    Raises:
        DataError: the folder lacks a file, or nothing in it can be used.
    """
    from ..models.nscl.data import ConceptData

    config = ConceptData(split=split, programs="parsed" if programs == "parsed" else "given")
    found = config.load(learner, folder)
    if found.bad:
        output.note(f"{len(found.bad):,} questions cannot be used; the first: {found.bad[0]}")
    if part == "held-out" and not found.valid:
        raise DataError(f"{folder}: too few scenes to hold any out; --part all asks all")
    return found.valid if part == "held-out" else [*found.train, *found.valid]


@dataclass(kw_only=True)
class Learned(answers.Answering):
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
