"""Run each command once, on the smallest input (`pytest -m smoke`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nsreason.cli.app import app

RED = "count(filter[red](scene()))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's files, a data set of three scenes, one of them drawn small."""
    place = tmp_path_factory.mktemp("smoke")
    run(place, "demo", "--out", str(place / "demo"))
    run(place, "generate", "clevr", "--scenes", "12", "--out", str(place / "data"))
    run(place, "generate", "clevr", "--scenes", "1", "--images", "--size", "96x64", "--out", str(place / "drawn"))
    return place


def run(folder: Path, *args: str) -> str:
    result = CliRunner().invoke(app, list(args), env={"COLUMNS": "100"})
    assert result.exit_code == 0, (args, result.output, result.exception)
    return result.stdout


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("parse How many red things are there?", RED),
        ("ask How many red things are there? --scene demo/scene.json -q", "2"),
        (f"execute {RED} --scene demo/scene.json --trace", "answer     2"),
        (f"describe {RED}", "How many red things are there?"),
        (f"convert {RED} --to ns-vqa", "count filter_color[red] scene"),
        ("evaluate --questions demo/questions.json --scenes demo/scene.json", "100.00 %"),
        ("generate sort-of-clevr --scenes 2 --out sort", "2 scenes"),
        ("ops filter", "filter[concept]"),
        ("domains kitchen", "kitchen"),
        ("recipes rn-babi", 'model = "relation-network"'),
        ("models", "concept-learner"),
        ("detect drawn/images", "objects in 1 images"),
        ("describe-image drawn/images", "CLEVR_new_000000.png: "),
        (
            "train concept-learner --recipe clevr-state-quick --data data --set training.epochs=1 --out runs/a -q",
            "1 epochs",
        ),
        ("compare --task clevr --data data --reasoners exact --out report -q", "exact"),
        ("concepts runs/a/last.safetensors", "nearest value"),
    ],
    ids=lambda value: value.split()[0] if " " in value else None,
)
def test_each_command_runs(line: str, says: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    name, _, rest = line.partition(" ")
    question = "How many red things are there?"
    words = [question, *rest.removeprefix(question).split()] if rest.startswith(question) else rest.split()
    assert says in run(folder, name, *words)
