"""The commands around a trained model: train, evaluate CHECKPOINT, ask --checkpoint, concepts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from nsreason.cli.app import app
from nsreason.generators import write_dataset
from nsreason.training.checkpoint import load_model

RECIPE = "clevr-state-quick"
SMALL = ("--set", "training.epochs=2", "--set", "model_config.state.width=16", "--set", "model_config.state.pairs=8")


def run(*args: str) -> Result:
    return CliRunner().invoke(app, [*args], env={"COLUMNS": "120"})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_dataset(folder, scenes=40, questions_per_scene=10, seed=2)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("runs") / "first"
    result = train(data, out)
    return out, result


def train(data: Path, out: Path, *more: str) -> Result:
    return run("train", "concept-learner", "--recipe", RECIPE, "--data", str(data), "--out", str(out), *SMALL, *more)


def ok(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def test_training_leaves_a_run(trained: tuple[Path, Result]) -> None:
    out, result = trained
    ok(result)
    assert "360 to learn from, 40 held out, 0 not usable" in result.stdout and "2 epochs" in result.stdout
    assert "accuracy/query" in result.stdout
    assert {"last.safetensors", "best.safetensors", "metrics.csv", "recipe.toml"} <= {p.name for p in out.iterdir()}


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16-mixed"), (False, "32")])
def test_a_precision_that_is_chosen_is_told_in_one_line(
    bf16: bool, precision: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsreason.training.devices.native_bf16", lambda kind: bf16)
    more = ("--set", "training.epochs=1", "--set", "training.accelerator=cpu")
    result = ok(train(data, tmp_path / "a", *more, "--set", "training.precision=auto"))
    assert [line for line in result.stderr.splitlines() if "precision" in line] == [
        f"precision: {precision}, as this machine's cpu has {'' if bf16 else 'no '}native bfloat16"
    ]
    result = ok(train(data, tmp_path / "b", *more, "--set", "training.precision=32"))
    assert "precision" not in result.stderr
    result = train(data, tmp_path / "c", *more, "--set", "training.precision=bf16-mixed")
    assert result.exit_code == (0 if bf16 else 2)
    if not bf16:
        assert result.stderr == (
            "error: training.precision: bf16-mixed: this machine's cpu has no native bfloat16; give 'auto', or 32\n"
        )


def test_a_run_is_resumed_and_not_overwritten(trained: tuple[Path, Result], data: Path) -> None:
    out, _ = trained
    again = train(data, out)
    assert again.exit_code == 2 and "resume it" in again.stderr
    record = json.loads(ok(train(data, out, "--resume", "--json")).stdout)
    assert (record["epochs"], record["stopped"], record["questions"]["held_out"]) == (2, "finished", 40)


def test_a_run_begins_with_the_weights_of_another(trained: tuple[Path, Result], data: Path, tmp_path: Path) -> None:
    """At a rate of nearly 0 the weights of the new run are those it began with."""
    still = ("--set", "training.lr=1e-12", "--set", "training.weight_decay=0", "--set", "training.epochs=1")
    begun = trained[0] / "last.safetensors"
    ok(train(data, tmp_path / "from", "--from", str(begun), *still))
    ok(train(data, tmp_path / "new", *still))
    files = begun, tmp_path / "from" / "last.safetensors", tmp_path / "new" / "last.safetensors"
    first, same, other = (load_model(p).state_dict() for p in files)
    assert all(torch.allclose(first[k], same[k], atol=1e-9) for k in first)
    assert not all(torch.allclose(first[k], other[k], atol=1e-3) for k in first)


def test_weights_that_do_not_fit_are_refused(trained: tuple[Path, Result], data: Path, tmp_path: Path) -> None:
    begun = str(trained[0] / "last.safetensors")
    wide = train(data, tmp_path / "wide", "--from", begun, "--set", "model_config.state.width=32")
    assert wide.exit_code == 2 and "does not fit ConceptLearner" in wide.stderr
    none = train(data, tmp_path / "none", "--from", str(tmp_path / "nothing.json"))
    assert none.exit_code == 2 and "nothing.json" in none.stderr


def test_a_checkpoint_is_evaluated(trained: tuple[Path, Result], data: Path, tmp_path: Path) -> None:
    checkpoint = str(trained[0] / "last.safetensors")
    result = ok(run("evaluate", checkpoint, "--data", str(data), "--markdown", str(tmp_path / "report.md")))
    assert "400 questions, 40 scenes" in result.stdout and "calibration error" in result.stdout
    assert "| **all** | 400 |" in (tmp_path / "report.md").read_text(encoding="utf-8")
    record = json.loads(ok(run("evaluate", checkpoint, "--data", str(data), "--part", "held-out", "--json")).stdout)
    assert record["questions"] == 40 and record["probes"]["scenes"] == 4
    assert set(record["probes"]["count_probes"]) == {"all", "size", "color", "material", "shape"}


def test_a_checkpoint_answers_with_degrees(trained: tuple[Path, Result], data: Path, tmp_path: Path) -> None:
    scene, checkpoint = str(data / "scenes.json"), str(trained[0] / "last.safetensors")
    ask = ("ask", "How many red things are there?", "--scene", scene, "--index", "3", "--checkpoint", checkpoint)
    assert ok(run(*ask, "--quiet")).stdout.strip().isdecimal()
    assert "1.00" in ok(run(*ask, "--trace")).stdout
    page = tmp_path / "page.html"
    record = json.loads(ok(run(*ask, "--trace", "--json", "--html", str(page))).stdout)
    degrees = record["trace"]["steps"][1]["degrees"]
    assert all(0 <= d <= 1 for d in degrees) and record["value"] == sum(d > 0.5 for d in degrees)
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("ending", ["png", "html"])
def test_concepts_are_shown_and_drawn(trained: tuple[Path, Result], data: Path, tmp_path: Path, ending: str) -> None:
    plot, checkpoint = tmp_path / f"plot.{ending}", str(trained[0] / "last.safetensors")
    result = ok(run("concepts", checkpoint, "--data", str(data), "--plot", str(plot)))
    assert "nearest value" in result.stdout and "color: value, and taken for" in result.stdout
    written = plot.read_bytes()
    if ending == "png":
        assert written.startswith(b"\x89PNG")
    else:
        assert written.count(b"<svg") == 4 and b">purple</text>" in written
        assert b"http:" not in written and b"https:" not in written
    record = json.loads(ok(run("concepts", checkpoint, "--json")).stdout)
    assert set(record["nearest"]) == set(record["belongs"]) and len(record["nearest"]) == 15
    assert all(sum(w.values()) == pytest.approx(1, abs=1e-4) for w in record["belongs"].values())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("train", "concept-learner", "--recipe", "clevr-state-quik", "--data", "D"), "clevr-state-quick"),
        (("train", "concept-learner", "--recipe", RECIPE, "--data", "absent"), "no such folder"),
        (("train", "concept-learner", "--recipe", RECIPE, "--data", "D", "--set", "training.eposh=2"), "epochs"),
        (("train", "concept-learner", "--recipe", RECIPE, "--data", "D", "--set", "data.held_out=1.5"), "held_out"),
        (
            ("train", "concept-learner", "--recipe", RECIPE, "--data", "D", "--set", "model_config.state.width=0"),
            "width",
        ),
        (("evaluate",), "missing --questions"),
        (("evaluate", "--questions", "q.json"), "missing --scenes"),
        (("evaluate", "--data", "D"), "--data is for a CHECKPOINT"),
        (("evaluate", "C"), "a checkpoint needs --data DIR"),
        (("evaluate", "C", "--data", "D", "--out", "x.jsonl"), "--out does not go with a CHECKPOINT"),
        (("evaluate", "absent.json", "--data", "D"), "no such checkpoint"),
        (("concepts", "C", "--plot", "plot.pdf"), ".png or .html"),
        (("ask", "Is there a cube?", "--scene", "S", "--checkpoint", "absent.json"), "no such checkpoint"),
    ],
)
def test_misuse_is_told(args: Sequence[str], message: str, trained: tuple[Path, Result], data: Path) -> None:
    names = {"D": str(data), "C": str(trained[0] / "last.safetensors"), "S": str(data / "scenes.json")}
    result = run(*(names.get(a, a) for a in args))
    assert result.exit_code == 2 and message in result.stderr
    assert "Traceback" not in result.output
