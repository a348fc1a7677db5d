"""The evaluation loop: any reasoner on any queries, scored by named metrics, with its own sections in the report."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rich.console import Console
from typer.testing import CliRunner

from nsreason.cli.app import app
from nsreason.comparison.comparer import compare
from nsreason.comparison.text import to_markdown
from nsreason.data.records import BadRecord
from nsreason.errors import DataError, RecipeError
from nsreason.evaluation import Unanswered, evaluate
from nsreason.evaluation.report import Report
from nsreason.queries.query import Query, Reply
from nsreason.reasoners.reasoner import Reasoner
from nsreason.traces.trace import Trace
from tests.support.toy_choices import FIGURES, Pointing, queries

TOYS = "tests.support.toy_choices"


class Says:
    """Replies in order, whatever is asked; `asked` is how much at once."""

    parameters = 0

    def __init__(self, *replies: Reply) -> None:
        self.replies, self.asked = list(replies), list[int]()

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        self.asked.append(len(queries))
        return [self.replies[q.index] for q in queries if q.index < len(self.replies)]

    def trace(self, query: Query) -> Trace | None:
        return None


def asked(*answers: str | None) -> list[Query]:
    return [Query(i, f"question {i}", answer, "count", {}) for i, answer in enumerate(answers)]


NO_IDEA = DataError("no idea")
REPLIES = (Reply("3"), Reply("4"), Reply(None, error=NO_IDEA), Reply("7", error=NO_IDEA), Reply("1"))
ASKED = asked("3", "5", "2", "7", None)


def counts(report: Report) -> tuple[int, ...]:
    return report.overall.right, report.overall.total, report.skipped, report.unscored, report.bad.count


# --- grounded choices -------------------------------------------------------------------------------------------


def test_scores_of_the_report_are_those_worked_out_by_hand() -> None:
    report = evaluate(Pointing(), queries(), list(FIGURES))
    assert {n: (f.value, f.total) for n, f in report.figures.items()} == {
        n: (pytest.approx(value), total) for n, (value, total) in FIGURES.items()
    }
    assert report.accuracy == report.figures["accuracy"].value
    assert {kind: (s.right, s.total) for kind, s in report.by_type.items()} == {
        "answer": (2, 2),
        "rationale": (1, 2),
        "statements": (1, 2),
    }


def test_parts_and_the_whole_have_the_same_figures() -> None:
    whole = evaluate(Pointing(), queries(), list(FIGURES)).figures
    assert evaluate(Pointing(), queries(), list(FIGURES), batch_size=1).figures == whole
    assert evaluate(Pointing(), queries(), list(FIGURES), batch_size=4).figures == whole


def test_option_scores_that_do_not_fit_cost_their_own_question(tmp_path: Path) -> None:
    one, other = queries()[:2]
    reasoner = Says(Reply(None, option_scores=(0.5,)), Reply(None, option_scores=(1.0, 0.0)))
    report = evaluate(reasoner, [one, other], ["accuracy"], out=tmp_path / "p.jsonl")
    assert counts(report) == (1, 1, 0, 0, 1)
    first, second = map(json.loads, (tmp_path / "p.jsonl").read_text().splitlines())
    assert first["status"] == "bad" and "1 option scores for 2 choices" in first["error"]["message"]
    assert second["prediction"] == "[0,2] has a ball" == second["answer"]


# --- policies, records, batches ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_error", "expected"), [("answer", (2, 4, 0, 1, 0)), ("skip", (1, 2, 2, 1, 0))])
def test_policies(on_error: Any, expected: tuple[int, ...]) -> None:
    assert counts(evaluate(Says(*REPLIES), ASKED, on_error=on_error)) == expected


def test_raise_names_the_question() -> None:
    with pytest.raises(Unanswered, match=r"question 2 \(question 2\): no idea") as caught:
        evaluate(Says(*REPLIES), ASKED, on_error="raise")
    assert caught.value.question_index == 2


def test_bad_records_are_counted_and_take_their_place(tmp_path: Path) -> None:
    records = [ASKED[0], BadRecord(9, DataError("no record")), *ASKED[1:]]
    report = evaluate(Says(*REPLIES), records, out=tmp_path / "p.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [line["question_index"] for line in lines] == [0, 9, 1, 2, 3, 4]
    assert lines[1]["status"] == "bad" and counts(report) == (2, 4, 0, 1, 1) and report.questions == 6


def test_batches_and_progress() -> None:
    reasoner, seen = Says(*REPLIES), list[tuple[int, int | None]]()
    replies: list[Reply] = []
    evaluate(
        reasoner,
        ASKED,
        batch_size=2,
        progress=lambda done, total: seen.append((done, total)),
        take=lambda _, reply: replies.append(reply),
    )
    assert reasoner.asked == [2, 2, 1] and seen == [(2, 5), (4, 5), (5, 5)] and replies == list(REPLIES)


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match="the toy gave 1 replies to 5 questions"):
        evaluate(Says(REPLIES[0]), ASKED, name="the toy")
    with pytest.raises(RecipeError, match="no metric 'acuracy'; did you mean 'accuracy'"):
        evaluate(Says(*REPLIES), ASKED, ["acuracy"])
    for wrong in ({"on_error": "ignore"}, {"batch_size": 0}):
        with pytest.raises(ValueError, match="on_error"):
            evaluate(Says(*REPLIES), ASKED, **wrong)  # type: ignore[arg-type]
    assert evaluate(Says(), []).accuracy is None


@dataclass
class Colours:
    """A section."""

    key: ClassVar[str] = "colours"

    def table(self) -> str:
        return "seen: red"

    def to_markdown(self) -> str:
        return "**seen** red"

    def to_dict(self) -> dict[str, Any]:
        return {"red": 1}


def test_a_report_shows_metrics_and_sections_in_three_forms() -> None:
    report = evaluate(Pointing(), queries(), ["joint", "l1"])
    report.sections.append(Colours())
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(report.table())
    data = json.loads(json.dumps(report.to_dict()))
    assert [m["name"] for m in data["metrics"]] == ["joint", "l1"] and data["colours"] == {"red": 1}
    for text in (console.export_text(), report.to_markdown()):
        assert "50.00 % of 2 pairs" in text and "red" in text


# --- commands ---------------------------------------------------------------------------------------------------


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["evaluate", *args], env={"COLUMNS": "100"})


def test_any_task_by_any_reasoner(tmp_path: Path) -> None:
    own = ("--task", f"{TOYS}:Balls", "--data", str(tmp_path), "--reasoner", f"{TOYS}:Pointing")
    done = run(*own, "--json", "--out", str(tmp_path / "p.jsonl"))
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert {m["name"]: m["value"] for m in data["metrics"]} == {
        name: pytest.approx(value) for name, (value, _) in FIGURES.items()
    }
    assert data["settings"]["reasoner"] == f"{TOYS}:Pointing"
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 6
    assert "joint" in run(*own).stdout


def test_modules_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"from {TOYS} import Balls, Pointing\nclass Task(Balls): pass\nclass Who(Pointing): pass\n"
    (tmp_path / "own_evaluation_module.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    own = ("--task", "own_evaluation_module:Task", "--reasoner", "own_evaluation_module:Who")
    assert run(*own, "--data", ".", "--json").exit_code == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--task", "clevr"), "missing --reasoner"),
        (("--reasoner", "exact"), "missing --task"),
        (("--task", "clevr", "--reasoner", "exact"), "missing --data"),
        (("--task", "cleve", "--reasoner", "exact", "--data", "D"), "no task 'cleve'; did you mean 'clevr'"),
        (("--task", "clevr", "--reasoner", "exat", "--data", "D"), "no reasoner 'exat'; did you mean 'exact'"),
        (("--task", "clevr", "--reasoner", "exact", "--data", "D", "--images", "D"), "--images does not go with"),
        (("C", "--task", "clevr", "--reasoner", "exact", "--data", "D"), "give it by --checkpoint"),
        (("--task", "clevr", "--reasoner", "lstm", "--data", "D"), "give its --checkpoint FILE"),
    ],
)
def test_misuse(args: Sequence[str], message: str, tmp_path: Path) -> None:
    done = run(*(str(tmp_path) if a == "D" else a for a in args))
    assert done.exit_code == 2 and message in done.stderr.replace("\n", " ") and "Traceback" not in done.output


def test_a_comparison_shows_the_metrics_of_its_task(tmp_path: Path) -> None:
    names = [f"{TOYS}:Pointing"]
    comparison = compare(f"{TOYS}:Balls", tmp_path, names, tmp_path / "report")
    [run_] = comparison.runs
    assert run_.failure is None
    assert {f.name: f.value for f in run_.figures} == {
        name: pytest.approx(value) for name, (value, _) in FIGURES.items() if name != "accuracy"
    }
    text = to_markdown(comparison)
    assert "Metrics of the task" in text and "of 14 options" in text and "66.67 %" in text
    again = compare(f"{TOYS}:Balls", tmp_path, names, tmp_path / "report")  # read from its folder
    assert again.runs[0].figures == run_.figures


def test_toys_are_reasoners() -> None:
    reasoner: Reasoner = Pointing()
    assert reasoner.trace(queries()[0]) is None


def test_questions_are_read_by_a_parser_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
from nsreason.language.question_parser import GrammarParser


class Shouting(GrammarParser):
    def parse(self, text):
        return super().parse(text.lower())
"""
    (tmp_path / "own_parser_module.py").write_text(text)
    scene = {"image_index": 0, "objects": [{"size": "large", "color": "red", "material": "metal", "shape": "cube"}]}
    (tmp_path / "s.json").write_text(json.dumps(scene))
    (tmp_path / "q.json").write_text(json.dumps([{"image_index": 0, "question": "HOW MANY CUBES?", "answer": 1}]))
    monkeypatch.chdir(tmp_path)
    files = ("--questions", "q.json", "--scenes", "s.json")
    parser = ("--parser", "own_parser_module:Shouting")
    done = run(*files, "--programs", "parsed", *parser, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["overall"] | {"interval": None} == {
        "right": 1,
        "total": 1,
        "accuracy": 1.0,
        "interval": None,
    }
    ask = ["ask", "HOW MANY CUBES ARE THERE?", "--scene", "s.json", *parser, "--quiet"]
    assert CliRunner().invoke(app, ask).stdout == "1\n"
    refused = run(*files, *parser)
    assert refused.exit_code == 2 and "--parser is for --programs parsed" in refused.stderr
