"""`nsreason compare`: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nsreason.cli.app import app
from nsreason.comparison.results import Comparison

TOYS = "tests.support.toy_reasoners"
TASK = f"{TOYS}:Sums"


def run(folder: Path, *args: str, who: str = "Knows,AlwaysYes", task: str = TASK) -> Result:
    names = ",".join(f"{TOYS}:{name}" for name in who.split(","))
    command = ["compare", "--task", task, "--data", str(folder), "--out", str(folder / "out"), "--reasoners", names]
    return CliRunner().invoke(app, [*command, *args], env={"COLUMNS": "120"})


def test_a_report_is_printed_and_written(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 0, result.output
    assert f"{TOYS}:Knows" in result.stdout and "100.0" in result.stdout and "25.0" in result.stdout
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir() if p.is_file()} == {
        *("plan.json", "comparison.json", "figures.json", "report.md", "report.html")
    }
    assert "25.0" in (out / "report.md").read_text() and "</html>" in (out / "report.html").read_text()
    assert len(Comparison.from_dict(json.loads((out / "comparison.json").read_text())).runs) == 2


def test_json_is_one_object(tmp_path: Path) -> None:
    record = json.loads(run(tmp_path, "--json").stdout)
    assert record["folder"] == str(tmp_path / "out")
    assert record == {"folder": record["folder"], **json.loads((tmp_path / "out" / "figures.json").read_text())}


def test_options_reach_the_comparison(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        *("--with", "test=3", "--with", "train=14", "--train", "--sizes", "15,20", "--budget", "500q", "--seed", "4"),
        *("--limit", "4", "--train-within", "digits=1"),
        who="Learner",
    )
    assert result.exit_code == 0, result.output
    comparison = Comparison.from_dict(json.loads((tmp_path / "out" / "comparison.json").read_text()))
    assert comparison.failed == ()
    assert [r.size for r in comparison.runs] == [15, 20] and len(comparison.queries) == 4
    assert comparison.settings["task_settings"] == {"test": 3, "train": 14}
    assert comparison.settings["budget"] == "500 questions" and comparison.settings["seed"] == 4
    assert comparison.trained == {"digits": (1, 1)}


def test_a_failure_is_a_row_and_an_exit_code(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "none").mkdir()
    some = run(tmp_path / "some", who="Broken,Knows")
    assert some.exit_code == 1 and "ZeroDivisionError: by zero" in " ".join(some.stdout.split())
    none = run(tmp_path / "none", who="Broken,Mute")
    assert none.exit_code == 1 and "ZeroDivisionError" in none.stdout


def test_a_failure_is_the_headline_of_all_reports(tmp_path: Path) -> None:
    """The report is still written, with the answers of the other reasoners."""
    result = run(tmp_path, who="Knows,Mute,AlwaysYes")
    heading = f"Reasoners compared on {TASK}: 1 of 3 failed"
    why = f"Failed, without answers: {TOYS}:Mute (it answers none of 24 questions; the first: no idea)."
    assert result.exit_code == 1
    assert result.stdout.startswith(heading) and why in " ".join(result.stdout.split())
    assert why in " ".join(result.stderr.split())
    markdown, page = ((tmp_path / "out" / name).read_text() for name in ("report.md", "report.html"))
    plain = markdown.replace("\\", "")
    assert plain.startswith(f"# {heading}\n\n{why} Best") and "100.0" in plain
    assert f"<h1>{heading}</h1>" in page and f'<p class="lead">{why} Best' in page
    as_json = run(tmp_path, "--json", who="Knows,Mute,AlwaysYes")
    assert as_json.exit_code == 1
    assert [r["failure"] is None for r in json.loads(as_json.stdout)["runs"]] == [True, False, True]


def test_without_train_nothing_learns(tmp_path: Path) -> None:
    result = run(tmp_path, who="Learner,Knows")
    assert result.exit_code == 1 and "--train" in result.stdout


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--train", "--budget", "5"], "a budget is a time"),
        (["--sizes", "10,many"], "--sizes: a whole number is expected, got 'many'"),
        (["--with", "test"], "--with is as NAME=VALUE"),
        (["--with", "tests=3"], "no key 'tests'; did you mean 'test'"),
        (["--train-within", "digits=few"], "--train-within: a whole number"),
        (["--recipe", "lstm=x.toml"], "which is not compared"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, args: list[str], says: str) -> None:
    result = run(tmp_path, *args)
    assert result.exit_code == 2 and says in " ".join(result.stderr.split())
    assert not (tmp_path / "out" / "comparison.json").exists()


def test_interrupts_leave_what_is_done(tmp_path: Path) -> None:
    assert run(tmp_path, who="Knows,Interrupted").exit_code == 130
    assert len(list((tmp_path / "out" / "answers").iterdir())) == 1
