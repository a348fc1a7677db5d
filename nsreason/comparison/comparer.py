"""Reasoners side by side: each learns within the same budget, all answer the same questions.

    found = compare("clevr", "data/clevr", ["exact", "lstm", "relation-network"], "report", budget=Budget(seconds=60))
    found.runs[0].answers

The folder of a comparison holds `runs/` (what was learned), `answers/` (what was answered, a file for each reasoner and
size) and `comparison.json`. Begun anew, it goes on with what is not there yet; reasoners and sizes may be added. One
that fails is reported, with its error's words, and is tried again the next time; `failures/` then has the traceback of
an error that is not this package's.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from ..data.splits import Split
from ..errors import DataError, NsreasonError, RecipeError, did_you_mean
from ..evaluation.evaluator import evaluate
from ..io.decoding import valid_text
from ..io.files import sweep
from ..io.locks import locked_folder
from ..queries.query import Query, Reply, digest
from ..reasoners.reasoner import FitRequest, Reasoner, reasoner_class
from ..tasks.task import make_task, task_metrics
from ..training.budget import Budget
from ..training.failures import unexpected
from ..training.run_log import Status
from .examples import choose, drawing, story
from .files import read_plan, read_run, write_record
from .results import ComparedExample, ComparedQuestion, Comparison, ReasonerRun
from .settings import ComparisonSettings

_TRACE = 56  # columns of a trace: what stands beside the answers without being moved sideways

RunProgress = Callable[[str, Status | None], None]
"""Called with the title of a run (`lstm, 1,000 questions`) when it begins, and after each step of its training."""


def compare(
    task: str,
    data: str | Path,
    reasoners: Sequence[str],
    out: str | Path,
    *,
    task_settings: Mapping[str, Any] | None = None,
    sizes: Sequence[int] = (),
    budget: Budget | None = None,
    train: bool = True,
    seed: int = 0,
    input: str | None = None,
    within: Mapping[str, int] | None = None,
    limit: int | None = None,
    recipes: Mapping[str, str] | None = None,
    checkpoints: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    examples: int = 8,
    trust: bool = False,
    progress: RunProgress | None = None,
) -> Comparison:
    """Let reasoners learn and answer, or go on with what was begun in the folder.

    Args:
        task, data, task_settings, budget, seed, input, within, limit, recipes, checkpoints, overrides: see
            `ComparisonSettings`; a minute for each that learns where no budget is given.
        reasoners: names of `nsreason.reasoners.reasoner.REASONERS`, or `module:Class`.
        out: the comparison's folder.
        sizes: how many training questions each learns from, the first ones; more than there are, or none given, takes
            all of them.
        train: False does not let anything learn: what was learned in the folder before is used.
        examples: how many questions on which reasoners differ are shown with a trace.
        trust: whether checkpoints and recipes of runs may name modules of their own; see `checkpoint.load_model`.

    Raises:
        DataError: the data cannot be used; or the folder holds a comparison of something else.
        LockError: another process writes to the folder.
        RecipeError: no such task, reasoner or setting.
    """
    settings = ComparisonSettings(
        task,
        valid_text(str(data)),
        dict(task_settings or {}),
        budget or Budget(seconds=60),
        seed,
        input,
        dict(within or {}),
        limit,
        dict(recipes or {}),
        dict(checkpoints or {}),
        tuple(overrides),
    )
    factories = _factories(reasoners, settings)
    own = make_task(task, settings.task_settings)
    comparing = _Comparing(settings, own, own.load(data), Path(out), progress, trust)
    with locked_folder(out):
        return comparing.run(factories, sizes, train, examples)


def _factories(reasoners: Sequence[str], settings: ComparisonSettings) -> dict[str, Any]:
    """Load what builds the reasoners, by name.

    Raises:
        RecipeError: there is none, one is not known, or a setting is of one that is not compared.
    """
    factories = {name: reasoner_class(name) for name in dict.fromkeys(reasoners)}
    if not factories:
        raise RecipeError("there is no reasoner to compare")
    settings.check_names(factories)
    return factories


class _Comparing:
    """A comparison on its way."""

    def __init__(
        self,
        settings: ComparisonSettings,
        task: Any,
        split: Split[list[Query]],
        folder: Path,
        progress: RunProgress | None,
        trust: bool,
    ) -> None:
        self.settings, self.task, self.folder, self.progress, self.trust = settings, task, folder, progress, trust
        self.train, self.valid = _within(split.train, settings.within), _within(split.valid, settings.within)
        self.test = split.test[: settings.limit]
        self.bad = split.bad
        self.metrics = task_metrics(task)
        if not self.test:
            raise DataError(f"{settings.source}: no question to be tested on")
        self._ready: dict[tuple[str, int | None], Reasoner] = {}

    def run(self, factories: Mapping[str, Any], sizes: Sequence[int], train: bool, examples: int) -> Comparison:
        self._open()
        amounts = self._amounts(sizes)
        runs = [
            self._one(name, factory, size, train)
            for name, factory in factories.items()
            for size in (amounts if factory.learns and name not in self.settings.checkpoints else [None])
        ]
        comparison = Comparison(
            settings={
                **self.settings.to_dict(),
                "reasoners": list(factories),
                "sizes": amounts,
                "version": _version(),
            },
            queries=tuple(_compared(q) for q in self.test),
            runs=tuple(runs),
            trained=_ranges(self.train),
            machine=_machine(),
            date=date.today().isoformat(),
            bad=len(self.bad),
            bad_first=str(self.bad[0]) if self.bad else "",
        )
        comparison = replace(comparison, examples=self._examples(comparison, factories, examples))
        write_record(self.folder / "comparison.json", comparison.to_dict())
        return comparison

    def _open(self) -> None:
        """Begin the folder, or see that it holds a comparison of the same."""
        sweep(self.folder / "answers")
        settings = self.settings.to_dict() | {"questions": digest(self.train) + digest(self.test)}
        path = self.folder / "plan.json"
        if not path.exists():
            write_record(path, settings)
            return
        begun = read_plan(path)
        free = ("recipes", "checkpoints", "overrides")  # a run's own; see `_key`
        differ = [
            key for key in settings if key not in free and begun.get(key) != json.loads(json.dumps(settings[key]))
        ]
        if differ:
            others = [f"{key} {begun.get(key)!r:.60}" for key in differ if key != "questions"]
            what = ", ".join(others) or "other questions"
            raise DataError(f"{self.folder} holds a comparison of something else ({what}); give another folder")

    def _amounts(self, sizes: Sequence[int]) -> list[int]:
        """How many questions to learn from, the fewest first."""
        if any(size < 1 for size in sizes):
            raise RecipeError(f"sizes are of 1 question or more, got {min(sizes)}")
        every = len(self.train)
        return sorted({min(size, every) for size in sizes} or {every})

    # --- one reasoner ---------------------------------------------------------------------------------------

    def _one(self, name: str, factory: Any, size: int | None, train: bool) -> ReasonerRun:
        """What a reasoner answers, after learning; read from the folder if it is there."""
        key = self._key(name, size)
        path = self.folder / "answers" / f"{key}.json"
        if path.exists():
            return read_run(path, ReasonerRun(name, factory.kind, size), len(self.test))
        self._say(name, size)
        run = ReasonerRun(name, factory.kind, size)
        try:
            if factory.learns and not train and name not in self.settings.checkpoints and not self._begun(key):
                raise DataError(f"{name} has learned nothing in {self.folder} yet; let it learn (--train)")
            run = self._answered(run, self._reasoner(name, factory, size))
        except NsreasonError as error:
            return replace(run, failure=str(error))
        except Exception as error:
            return replace(run, failure=unexpected(self.folder, key, error))
        write_record(path, msgspec.to_builtins(run, str_keys=True))
        return run

    def _begun(self, key: str) -> bool:
        return (self.folder / "runs" / key / "last.safetensors").exists()

    def _key(self, name: str, size: int | None) -> str:
        """A run's name in the folder: with another recipe it is another run."""
        settings = self.settings
        changes = [settings.recipes.get(name), settings.checkpoints.get(name), list(settings.overrides_of(name))]
        own = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
        key = own if size is None else f"{own}-{size}"
        if any(changes):
            key += "-" + hashlib.sha256(json.dumps(changes).encode()).hexdigest()[:8]
        return key

    def _reasoner(self, name: str, factory: Any, size: int | None) -> Reasoner:
        """The reasoner, ready to answer; made once."""
        if (name, size) not in self._ready:
            self._ready[name, size] = factory.build(name, self._request(name, size))
        return self._ready[name, size]

    def _request(self, name: str, size: int | None) -> FitRequest:
        say = self.progress
        title = _title(name, size)
        checkpoint = self.settings.checkpoints.get(name)
        return FitRequest(
            self.settings.task,
            self.train[:size],
            self.valid,
            self.folder / "runs" / self._key(name, size),
            self.settings.budget,
            seed=self.settings.seed,
            domain=getattr(self.task, "domain", "clevr"),
            recipe=self.settings.recipes.get(name),
            overrides=self.settings.overrides_of(name),
            input=self.settings.input,
            recipes=dict(getattr(self.task, "recipes", {})),
            checkpoint=None if checkpoint is None else Path(checkpoint),
            trust=self.trust,
            progress=None if say is None else lambda status: say(title, status),
        )

    def _answered(self, run: ReasonerRun, reasoner: Reasoner) -> ReasonerRun:
        """The run with the reasoner's answers, and what is known of its learning."""
        reasoner.answer(self.test[:1])  # what is loaded with the first answer is not how fast it answers
        replies: list[Reply] = []
        report = evaluate(
            reasoner, self.test, self.metrics, take=lambda _, reply: replies.append(reply), name=run.reasoner
        )
        if not any(r.answer is not None for r in replies):
            first = next((str(r.error) for r in replies if r.error is not None), "it does not say why")
            raise DataError(f"it answers none of {len(replies):,} questions; the first: {first}")
        learned = getattr(reasoner, "learned", None)
        if learned is not None:
            result = learned.result
            run = replace(
                run,
                learned=True,
                seconds=round(result.seconds, 3),
                epochs=result.epochs,
                examples=learned.examples,
                stopped=result.stopped,
                settings=learned.recipe.to_dict()["training"],
            )
        return replace(
            run,
            answers=tuple(r.said(q) for q, r in zip(self.test, replies, strict=True)),
            scores=tuple(None if r.answer is None else _rounded(r.scores.get(r.answer)) for r in replies),
            errors={i: str(r.error) for i, r in enumerate(replies) if r.error is not None},
            parameters=reasoner.parameters,
            answering=report.answering,
            figures=tuple(f for f in report.figures.values() if f.name != "accuracy"),
        )

    # --- examples -------------------------------------------------------------------------------------------

    def _examples(self, comparison: Comparison, factories: Mapping[str, Any], most: int) -> tuple[ComparedExample, ...]:
        """Questions on which reasoners differ, with the trace of one that executes programs."""
        examples = []
        for place in choose(comparison, most):
            query = self.test[place]
            trace, of = self._trace(comparison, factories, place)
            examples.append(ComparedExample(place, trace, of, drawing(query), story(query)))
        return tuple(examples)

    def _trace(self, comparison: Comparison, factories: Mapping[str, Any], place: int) -> tuple[str | None, str]:
        """The steps of a reasoner that has any: an exact one that is right first, then any that has."""
        runs = [r for r in comparison.best() if r.failure is None and r.kind != "neural"]
        answer = comparison.queries[place].answer
        runs.sort(key=lambda r: (r.answers[place] != answer, r.kind != "symbolic"))
        for run in runs:
            try:
                trace = self._reasoner(run.reasoner, factories[run.reasoner], run.size).trace(self.test[place])
            except NsreasonError:
                continue
            if trace is not None:
                return trace.to_text(width=_TRACE), run.reasoner
        return None, ""

    def _say(self, name: str, size: int | None) -> None:
        if self.progress is not None:
            self.progress(_title(name, size), None)


def _title(name: str, size: int | None) -> str:
    return ReasonerRun(name, "neural", size).title


def _within(queries: Sequence[Query], most: Mapping[str, int]) -> list[Query]:
    """The queries that have no more of each fact.

    Raises:
        DataError: a fact is not known of any query.
    """
    known = {fact for query in queries for fact in query.facts}
    for fact in most:
        if queries and fact not in known:
            raise DataError(f"no question has the fact '{fact}'{did_you_mean(fact, known)}")
    return [q for q in queries if all(q.facts.get(fact, 0) <= limit for fact, limit in most.items())]


def _ranges(queries: Sequence[Query]) -> dict[str, tuple[int, int]]:
    facts: dict[str, tuple[int, int]] = {}
    for query in queries:
        for fact, value in query.facts.items():
            low, high = facts.get(fact, (value, value))
            facts[fact] = min(low, value), max(high, value)
    return facts


def _compared(query: Query) -> ComparedQuestion:
    return ComparedQuestion(query.index, query.text, query.expected, query.type, query.group, dict(query.facts))


def _rounded(score: float | None) -> float | None:
    return round(float(score), 4) if score is not None and math.isfinite(score) else None


def _version() -> str:
    from .. import __version__

    return __version__


def _machine() -> str:
    from ..training.run_log import machine

    record = machine()
    accelerators = "".join(f", {name}" for name in record["accelerators"])
    return f"{record['processor']}, {record['cores']} cores{accelerators}, torch {record['packages'].get('torch', '?')}"
