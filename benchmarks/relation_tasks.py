"""The relation network's tasks: what it and its baselines reach on each within a stated budget.

    python -m benchmarks.relation_tasks babi-single --data tasks_1-20_v1-2 --work work    # one study, or several
    python -m benchmarks.relation_tasks --list                                             # what there is
    python -m benchmarks.relation_tasks --write --work work      # benchmarks/relation_tasks_results.md of what was run

A study is one or more comparisons (`nsreason compare`), each in a folder of its own below `--work`, where their reports
stand; a study that was interrupted goes on. The data are made by the commands that a study names, except bAbI's, which
are the official files.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nsreason.cli.compare import write_report
from nsreason.comparison.comparer import compare
from nsreason.comparison.results import Comparison, Run
from nsreason.queries.query import Query
from nsreason.queries.scores import wilson
from nsreason.training.budget import read_budget

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "relation_tasks_results.md"
SORT = "nsreason generate sort-of-clevr --scenes 10000 --validation 200 --seed 0 --out sort"
SPRINGS = "nsreason generate springs --scenes 61000 --validation 1000 --seed 0 --jobs 2 --out springs"
STATES = "nsreason generate clevr --scenes 3300 --seed 5 --out clevr"
IMAGES = "nsreason generate clevr --scenes 1700 --images --size 240x160 --seed 11 --out clevr-images"
# Tasks that a network of its own is trained for, and for how long.
BABI = {n: {13: "350000q", 18: "300s"}.get(n, "150s") for n in (1, 4, 6, 9, 10, 12, 13, 15, 18, 20)}
TABLE_1 = "question-type,lstm,cnn-lstm,cnn-lstm-sa,relation-network"


@dataclass(frozen=True)
class Part:
    """One comparison of a study."""

    name: str
    reasoners: str
    budget: str
    plan: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """Comparisons on one data set. `command`: the command that makes it."""

    about: str
    task: str
    command: str
    parts: tuple[Part, ...]


def _sort(name: str, *overrides: str) -> Part:
    return Part(name, "relation-network", "800000q", {"overrides": overrides})


STUDIES: dict[str, Study] = {
    "babi-single": Study(
        "bAbI en-10k, a network for each task",
        "babi",
        "the official files",
        tuple(
            Part(
                f"task {n}",
                "relation-network",
                budget,
                {"task_settings": {"tasks": [n]}, "seed": 1, "overrides": ("training.lr=1e-3",) if n == 13 else ()},
            )
            for n, budget in BABI.items()
        ),
    ),
    "babi-joint": Study(
        "bAbI en-10k, one network for all 20 tasks",
        "babi",
        "the official files",
        (
            Part(
                "joint",
                "relation-network",
                "25m",
                {
                    "seed": 1,
                    "overrides": ("training.batch_size=64",),
                },
            ),
        ),
    ),
    "sort-states": Study(
        "Sort-of-CLEVR from state descriptions",
        "sort-of-clevr",
        SORT,
        (Part("states", "relation-network,mlp,cnn-mlp,cnn-lstm,question-type", "2000000q"),),
    ),
    "sort-pixels": Study(
        "Sort-of-CLEVR from pixels",
        "sort-of-clevr",
        SORT,
        (Part("pixels", "relation-network,cnn-mlp", "6m", {"input": "image"}),),
    ),
    "sort-ablations": Study(
        "Sort-of-CLEVR from state descriptions, the relation network changed",
        "sort-of-clevr",
        SORT,
        (
            _sort("as it is"),
            _sort("question at the third layer of g", "model_config.relation.inject=2"),
            _sort("mean instead of sum", "model_config.relation.pooling=mean"),
            _sort("the 12 pairs of highest attention", "model_config.relation.top_pairs=12"),
            _sort("the 6 pairs of highest attention", "model_config.relation.top_pairs=6"),
        ),
    ),
    "springs-connections": Study(
        "Mass-spring systems: all connections of a scene",
        "springs",
        SPRINGS,
        (Part("connections", "relation-network", "25m"), Part("perceptron", "mlp", "3m")),
    ),
    "springs-systems": Study(
        "Mass-spring systems: how many",
        "springs",
        SPRINGS,
        (Part("systems", "relation-network,mlp,question-type", "5m", {"task_settings": {"ask": "systems"}}),),
    ),
    "clevr-states": Study(
        "Generated CLEVR from state descriptions",
        "clevr",
        STATES,
        (
            Part(
                "states",
                "exact,concept-learner,relation-network,cnn-lstm-sa,lstm,question-type",
                "75s",
                {"sizes": (500, 5000, 29000), "limit": 2000},
            ),
        ),
    ),
    "clevr-beyond": Study(
        "Generated CLEVR, learned from scenes of at most 6 objects and programs of at most 10 calls",
        "clevr",
        STATES,
        (
            Part(
                "beyond",
                "exact,concept-learner,relation-network,cnn-lstm-sa,lstm",
                "60s",
                {"within": {"objects": 6, "program length": 10}, "limit": 2000},
            ),
        ),
    ),
    "clevr-pixels": Study(
        "Generated CLEVR from pixels",
        "clevr",
        IMAGES,
        (Part("pixels", f"{TABLE_1},scene-parser,image-concepts", "3m", {"input": "image"}),),
    ),
}


def run(study: str, data: str, work: Path) -> bool:
    """Run a study, or what of it is not there yet; returns whether all of it worked."""
    plan, worked = STUDIES[study], True
    for part in plan.parts:
        folder = work / study / part.name.replace(" ", "-")
        comparison = compare(
            plan.task,
            data,
            part.reasoners.split(","),
            folder,
            budget=read_budget(part.budget),
            progress=lambda title, status: None if status else print(title, file=sys.stderr, flush=True),
            **part.plan,
        )
        write_report(comparison, folder)
        for result in comparison.runs:
            print(f"{study} / {part.name}: {result.title}: {_all(comparison, result)}", flush=True)
        worked = worked and not comparison.failed
    return worked


def _all(comparison: Comparison, run: Run) -> str:
    if run.failure is not None:
        return f"failed: {run.failure}"
    right = sum(comparison.right(run))
    low, high = wilson(right, len(comparison.queries))
    return f"{100 * right / len(comparison.queries):.1f} % ({100 * low:.1f}-{100 * high:.1f})"


# --- the results ------------------------------------------------------------------------------------------------------


def results(work: Path, note: str = "") -> Iterator[str]:
    """The lines of the results' file: of every study that was run."""
    yield "# The relation network's tasks"
    yield ""
    yield "Made by `python -m benchmarks.relation_tasks --write`. Shares of right answers to questions that nothing was"
    yield "learned from, with 95 % Wilson intervals; a network's weights are those of the best validation within its"
    yield f"budget. One seed each. {note}".rstrip()
    for name, study in STUDIES.items():
        comparisons = [
            (part, Comparison.from_dict(json.loads(path.read_text(encoding="utf-8"))))
            for part in study.parts
            if (path := work / name / part.name.replace(" ", "-") / "comparison.json").exists()
        ]
        if not comparisons:
            continue
        first = comparisons[0][1]
        yield from ("", f"## {study.about}", "")
        budgets = sorted({part.budget for part, _ in comparisons})
        asked = f"{len(first.queries):,} test questions; budget {', '.join(budgets)} each"
        yield f"`{name}`: data by `{study.command}`; {asked};"
        yield f"{first.machine}, one thread; {first.date}."
        yield ""
        yield from _table(comparisons)


def _table(comparisons: list[tuple[Part, Comparison]]) -> Iterator[str]:
    columns = list(dict.fromkeys((q.group, q.type) for _, comparison in comparisons for q in comparison.queries))
    groups = list(dict.fromkeys(group for group, _ in columns if group))
    wide = (len(columns) <= 8 and len(comparisons) == 1) or bool(groups)
    heads = ["who", "learned from", "parameters", "trained", "all"]
    heads += groups + [kind for _, kind in columns] if wide else []
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for part, comparison in comparisons:
        for run in comparison.runs:
            who = run.reasoner if len(comparisons) == 1 else f"{run.reasoner}, {part.name}"
            cells = [who, "-" if run.size is None else f"{run.size:,}", f"{run.parameters:,}"]
            cells += [f"{run.seconds:,.0f} s, {run.examples:,} seen" if run.learned else "-", _all(comparison, run)]
            if wide and run.failure is None:
                right = comparison.right(run)
                cells += [_share(comparison, right, lambda q, g=g: q.group == g) for g in groups]  # type: ignore[misc]
                cells += [_share(comparison, right, functools.partial(_is_of, c)) for c in columns]
            yield f"| {' | '.join(cells)} |"
    if not wide and len(comparisons) == 1:
        comparison = comparisons[0][1]
        yield from ("", "| type | " + " | ".join(run.title for run in comparison.runs) + " |")
        yield "|" + "---|" * (1 + len(comparison.runs))
        for column in columns:
            chosen = functools.partial(_is_of, column)
            cells = [_share(comparison, comparison.right(run), chosen) for run in comparison.runs]
            yield f"| {column[1]} | {' | '.join(cells)} |"


def _is_of(column: tuple[str, str], query: Query) -> bool:
    return (query.group, query.type) == column


def _share(comparison: Comparison, right: list[bool], chosen: Any) -> str:
    marks = [mark for mark, query in zip(right, comparison.queries, strict=True) if chosen(query)]
    return f"{100 * sum(marks) / len(marks):.1f}" if marks else "-"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relation_tasks", description=__doc__.split("\n")[0])
    parser.add_argument("studies", nargs="*", choices=[[], *STUDIES], metavar="STUDY", help="which to run")
    parser.add_argument("--data", default="", help="the folder of their data")
    parser.add_argument("--work", type=Path, default=Path("relation-tasks"), help="what was learned and answered")
    parser.add_argument("--write", action="store_true", help="renew benchmarks/relation_tasks_results.md")
    parser.add_argument("--list", action="store_true", help="the studies, and the commands that make their data")
    parser.add_argument("--note", default="", help="a sentence on the machine, for the results")
    given = parser.parse_args()
    if given.list:
        for name, study in STUDIES.items():
            print(f"{name}: {study.about}\n    {study.command}")
    worked = [run(study, given.data, given.work) for study in given.studies]
    if given.write:
        RESULTS.write_text("\n".join(results(given.work, given.note)) + "\n", encoding="utf-8")
        print(f"wrote {RESULTS}")
    return 0 if all(worked) else 1


if __name__ == "__main__":
    raise SystemExit(main())
