"""The files of a comparison's folder: what was planned, and what each reasoner answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ..errors import DataError
from ..io.decoding import Whole, check_plain, decode_file
from ..io.files import write_json
from .results import REMEDY, ReasonerRun


def write_record(path: Path, record: Any) -> None:
    """Write plain data as JSON, in one step; its folder is made.

    Raises:
        DataError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record)


class _PlanRecord(msgspec.Struct):
    """plan.json: `ComparisonSettings.to_dict`, and the digest of the questions."""

    task: str
    source: str
    task_settings: dict[str, Any]
    budget: str
    seed: Whole
    input: str | None
    within: dict[str, Whole]
    limit: Whole | None
    recipes: dict[str, str]
    checkpoints: dict[str, str]
    overrides: list[str]
    questions: str

    def __post_init__(self) -> None:
        check_plain(self.task_settings, "task_settings")


def read_plan(path: Path) -> dict[str, Any]:
    """What a folder's comparison was begun with.

    Raises:
        DataError: the file is damaged.
    """
    record = decode_file(path, _PlanRecord, what="the plan of a comparison", remedy="give another folder")
    plan: dict[str, Any] = msgspec.to_builtins(record)
    return plan


def read_run(path: Path, expected: ReasonerRun, questions: int) -> ReasonerRun:
    """What a reasoner answered before.

    Args:
        expected: its name, kind and size, without answers.

    Raises:
        DataError: the file is damaged, or is of another reasoner or of other questions.
    """
    run = decode_file(path, ReasonerRun, what="what a reasoner answered", remedy=REMEDY)
    fault = run.fault(questions) if run.failure is None else "a failure"
    if (run.reasoner, run.kind, run.size) != (expected.reasoner, expected.kind, expected.size):
        fault = f"it is of {run.title}, {run.kind}"
    if fault:
        raise DataError(f"{path}: not what {expected.title} answered: {fault}; {REMEDY}")
    return run
