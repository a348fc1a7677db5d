"""An option without effect is refused, and bad input is reported before torch is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from nsreason.cli import output, progress
from nsreason.cli.app import app

ROOT = Path(__file__).parent.parent.parent
WEIGHTS = ROOT / "perception" / "weights"
RED = "How many red things are there?"


def run(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(args), input=stdin, env={"COLUMNS": "100"})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's files in it, a folder of data, and files that are not what their names say."""
    folder = tmp_path_factory.mktemp("options")
    assert run("demo", "--out", str(folder / "demo")).exit_code == 0
    assert run("generate", "clevr", "--scenes", "2", "--out", str(folder / "data"), "-q").exit_code == 0
    (folder / "images").mkdir()
    (folder / "images" / "a_000000.png").write_bytes((folder / "demo" / "picture.png").read_bytes())
    (folder / "text.png").write_text("no image", encoding="utf-8")
    (folder / "empty").mkdir()
    (folder / "broken.json").write_text("{", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its words, with typer's own record of it."""
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {member}", c) for member, c in command.commands.items())
        else:
            yield name, command


SCENE = ["--scene", "demo/scene.json"]
IMAGE = ["--image", "demo/picture.png"]
FILES = ["--questions", "demo/questions.json", "--scenes", "demo/scene.json"]
PIXELS = ["--questions", "demo/questions.json", "--images", "images"]
LEARNER, PARSER, DETECTOR = (str(WEIGHTS / f"{n}.safetensors") for n in ("concept-learner", "scene-parser", "detector"))
COMPARE = ["compare", "--task", "clevr", "--data", "data", "--out", "report", "--reasoners"]
TRAIN = ["train", "concept-learner", "--recipe", "clevr-state-quick", "--data", "data", "--out", "run"]

# What would change nothing beside the rest: the command line, and what the message has to name.
IDLE: list[tuple[list[str], tuple[str, ...]]] = [
    (["parse", RED, "--tree", "--dot"], ("--tree", "--dot")),
    (["parse", RED, "--tree", "--to", "clevr"], ("--tree", "--to")),
    (["ask", RED, *IMAGE, "--domain", "kitchen"], ("--domain", "--image")),
    (["ask", RED, *IMAGE, "--index", "0"], ("--index", "--image")),
    (["ask", RED, *IMAGE, "--image-file", "demo/picture.png", "--html", "a.html"], ("--image-file", "--image")),
    (["ask", RED, *SCENE, "--checkpoint", LEARNER, "--domain", "kitchen"], ("--domain", "--checkpoint")),
    (["ask", RED, *SCENE, "--by", "concept-learner"], ("--by", "--image")),
    (["ask", RED, *SCENE, "--by", "scene-parser"], ("--by", "--image")),
    (["ask", RED, *SCENE, "--checkpoint", LEARNER, "--by", "scene-parser"], ("--by", "--image")),
    (["ask", RED, *SCENE, "--detector", DETECTOR], ("--detector", "--image")),
    (["ask", RED, *SCENE, "--device", "cpu"], ("--device", "--image")),
    (["ask", RED, *SCENE, "--image-file", "demo/picture.png"], ("--image-file", "--html")),
    (["ask", RED, *SCENE, "--html", "a.html", "--png", "a.html"], ("--html", "--png")),
    (["ask", RED, *SCENE, "-q", "--verbose"], ("--quiet", "--verbose")),
    (["execute", "count(scene())", *SCENE, "--image-file", "demo/picture.png"], ("--image-file", "--html")),
    (["evaluate", *FILES, "--data", "data"], ("--data", "CHECKPOINT")),
    (["evaluate", *FILES, "--by", "scene-parser"], ("--by", "--images")),
    (["evaluate", *FILES, "--checkpoint", PARSER], ("--checkpoint", "--images")),
    (["evaluate", *FILES, "--detector", DETECTOR], ("--detector", "--images")),
    (["evaluate", *FILES, "--detections", "x.json"], ("--detections", "--images")),
    (["evaluate", *FILES, "--parser", "grammar"], ("--parser", "--programs")),
    (["evaluate", *FILES, "--reasoner", "exact"], ("--reasoner", "--task")),
    (["evaluate", *FILES, "--part", "held-out"], ("--part", "--images")),
    (["evaluate", *FILES, "--device", "cpu"], ("--device", "--images")),
    (["evaluate", *FILES, "--batch-size", "3"], ("--batch-size", "--images")),
    (["evaluate", *FILES, "--resume"], ("--resume", "--out")),
    (["evaluate", *FILES, "--json", "--out", "-"], ("--json", "--out")),
    (["evaluate", *PIXELS, "--jobs", "2"], ("--jobs", "--images")),
    (["evaluate", *PIXELS, "--resume", "--out", "o.jsonl"], ("--resume", "--images")),
    (["evaluate", *PIXELS, "--data", "data"], ("--data", "CHECKPOINT")),
    (["evaluate", *PIXELS, "--domain", "kitchen"], ("--domain", "--images")),
    (["evaluate", *PIXELS, "--parser", "grammar"], ("--parser", "--programs")),
    (["evaluate", *PIXELS, "--detector", DETECTOR, "--detections", "x.json"], ("--detector", "--detections")),
    (["evaluate", *PIXELS, "--by", "concept-learner", "--on-error", "skip"], ("--on-error", "concept learner")),
    *(
        (["evaluate", LEARNER, "--data", "data", *more], (more[0], "CHECKPOINT"))
        for more in (
            *(["--questions", "q.json"], ["--scenes", "s.json"], ["--images", "images"], ["--by", "scene-parser"]),
            *(["--checkpoint", "c.json"], ["--detector", "d.json"], ["--detections", "d.json"], ["--jobs", "2"]),
            *(["--on-error", "skip"], ["--out", "o.jsonl"], ["--resume"], ["--parser", "grammar"]),
        )
    ),
    *(
        (["evaluate", "--task", "clevr", "--data", "data", "--reasoner", "exact", *more], (more[0], "--task"))
        for more in (
            *(["--questions", "q.json"], ["--scenes", "s.json"], ["--images", "images"], ["--by", "scene-parser"]),
            *(["--detector", "d.json"], ["--detections", "d.json"], ["--part", "all"], ["--programs", "parsed"]),
            *(["--parser", "grammar"], ["--jobs", "2"], ["--resume"], ["--domain", "kitchen"], ["--device", "cpu"]),
        )
    ),
    (["evaluate", LEARNER, "--data", "data", "--domain", "kitchen"], ("--domain", "checkpoint")),
    (["evaluate", PARSER, "--data", "data", "--programs", "parsed"], ("--programs", "scene-parser")),
    (["evaluate", PARSER, "--data", "data", "--batch-size", "4"], ("--batch-size", "scene-parser")),
    (["evaluate", DETECTOR, "--data", "data", "--programs", "parsed"], ("--programs", "detector")),
    (["describe-image", "images", "--detector", DETECTOR, "--detections", "x"], ("--detector", "--detections")),
    (["describe-image", "images", "--domain", "kitchen"], ("--domain", "images")),
    (["detect", "images", "--format", "nscl"], ("--format", "--out")),
    (["ask", RED, *SCENE, "--trust"], ("--trust", "--checkpoint")),
    (["ask", RED, *IMAGE, "--trust"], ("--trust", "--checkpoint")),
    (["evaluate", *FILES, "--trust"], ("--trust", "CHECKPOINT")),
    (["evaluate", *PIXELS, "--trust"], ("--trust", "--checkpoint")),
    (["describe-image", "images", "--trust"], ("--trust", "--checkpoint")),
    (["detect", "images", "--trust"], ("--trust", "--checkpoint")),
    ([*TRAIN, "--trust"], ("--trust", "--recipe")),
    ([*COMPARE, "exact", "--trust"], ("--trust", "--reasoners")),
    (["detect", "images", "--json", "--out", "-"], ("--json", "--out")),
    (["generate", "clevr", "--scenes", "2", "--out", "new", "--size", "64x64"], ("--size", "--images")),
    (
        ["generate", "clevr", "--scenes", "2", "--out", "new", "--questions-per-scene", "0", "--family", "one_hop"],
        ("--family", "--questions-per-scene"),
    ),
    (["generate", "sort-of-clevr", "--scenes", "2", "--out", "new", "--validation", "3"], ("--validation", "--scenes")),
    ([*TRAIN, "--seed", "3", "--set", "training.seed=4"], ("--seed", "--set")),
    ([*TRAIN, "--device", "cpu", "--set", "training.accelerator=cpu"], ("--device", "--set")),
    ([*TRAIN, "--devices", "1", "--set", "training.devices=1"], ("--devices", "--set")),
    ([*TRAIN, "--batch-size", "8", "--set", "training.batch_size=8"], ("--batch-size", "--set")),
    (
        ["generate", "springs", "--scenes", "2", "--out", "new", "--max-links", "0", "--stiffness", "1,2"],
        ("--stiffness", "--max-links"),
    ),
    ([*COMPARE, "exact,lstm", "--checkpoint", f"exact={PARSER}"], ("--checkpoint", "--reasoners")),
    ([*COMPARE, "exact,lstm", "--recipe", "exact=rn-clevr-state-cpu"], ("--recipe", "--reasoners")),
    ([*COMPARE, "exact,lstm", "--set", "exact:training.lr=1"], ("--set", "--reasoners")),
    ([*COMPARE, "exact", "--train"], ("--train", "--reasoners")),
    ([*COMPARE, "exact", "--budget", "10s"], ("--budget", "--reasoners")),
    ([*COMPARE, "exact", "--sizes", "10"], ("--sizes", "--reasoners")),
    ([*COMPARE, "exact", "--train-within", "objects=6"], ("--train-within", "--reasoners")),
    ([*COMPARE, "exact", "--recipe", "exact=lstm"], ("--recipe", "--reasoners")),
    ([*COMPARE, "exact", "--set", "training.lr=1"], ("--set", "--reasoners")),
    ([*COMPARE, "exact", "--device", "cpu"], ("--device", "--reasoners")),
    ([*COMPARE, "exact", "--batch-size", "8"], ("--batch-size", "--reasoners")),
    ([*COMPARE, "exact", "--seed", "3"], ("--seed", "--reasoners")),
    ([*COMPARE, "exact", "--input", "rows"], ("--input", "--reasoners")),
    ([*COMPARE, "lstm", "--budget", "10s"], ("--budget", "--train")),
]


@pytest.mark.parametrize(("args", "names"), IDLE, ids=[" ".join(a)[:90] for a, _ in IDLE])
def test_an_option_that_would_change_nothing_is_refused(args: list[str], names: tuple[str, ...]) -> None:
    result = run(*args, *([] if "--json" in args else ["--json"]))
    error = json.loads(result.stdout)["error"]
    assert result.exit_code == 2 and error["kind"] == "UsageError", result.output
    assert all(name in error["message"] for name in names), error
    if "--json" not in args:
        plain = run(*args)
        assert plain.exit_code == 2 and plain.stderr == f"error: {error['message']}\n", plain.output


# Options that have their effect beside all others. A new option stands here or in IDLE: somebody has thought of it.
EVERYWHERE = "--json --quiet --verbose --out --overwrite --markdown --limit --trace"
ALONE = {
    "demo": "--open",
    "parse": "--domain --canonical --all-parses --parser",
    "ask": "--scene --parser",
    "execute": "--scene --index --image --from --domain --lines --png",
    "describe": "--from --seed --domain --lines",
    "convert": "--to --from --domain --canonical --lines",
    "compare": "--task --data --with --examples",
    "concepts": "--data --plot --device --trust",
    "detect": "--score --draw --instances --device --batch-size",
    "describe-image": "--by --device --batch-size",
    "ops": "--domain",
    "generate clevr": "--scenes --seed --min-objects --max-objects --condition --split --jobs",
    "generate sort-of-clevr": "--questions-per-scene --seed",
    "generate springs": "--scenes --validation --seed --jobs",
    "train": "--recipe --data --set --from --resume --device --devices --batch-size --seed --trust",
}


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_option_has_been_thought_of(name: str) -> None:
    alone = ALONE.get(name, ALONE.get(name.partition(" ")[0], "")).split()
    refused = {n for args, names in IDLE if " ".join(args).startswith(name + " ") for n in names}
    options = {max(p.opts, key=len) for p in dict(commands())[name].params if p.opts[0].startswith("-")}
    assert options - {"--help"} - set(EVERYWHERE.split()) - set(alone) - refused == set()


def test_a_comparison_is_taken_up_by_what_it_began_with(place: Path) -> None:
    """Reasoners are added with the budget and the seed of those before them, though they learn nothing."""
    plan = ["compare", "--task", "clevr", "--data", "data", "--out", "begun", "--seed", "3", "--budget", "9q"]
    plan += ["--with", "test=0.5"]
    began = run(*plan, "--reasoners", "question-type", "--train")
    assert began.exit_code == 0, began.output
    assert run(*plan, "--reasoners", "exact").exit_code == 0


def test_a_domain_is_heeded_with_an_image_where_it_is_that_of_the_weights(tmp_path: Path) -> None:
    result = run("ask", "How many things are bal?", *IMAGE, "--domain", "clevr")
    assert result.exit_code == 2 and "is not in the lexicon" in result.stderr
    own = tmp_path / "own.toml"
    own.write_bytes((ROOT / "examples" / "own_domain.toml").read_bytes())
    refused = run("ask", "How many cars are there?", *IMAGE, "--domain", str(own))
    assert refused.exit_code == 2 and "was trained on the domain 'clevr'" in refused.stderr


# --- before torch is loaded -----------------------------------------------------------------------------------

# A line of arguments for each kind of bad input of each command that computes with torch, and what is said.
EARLY: list[tuple[list[str], str]] = [
    (["ask", RED, "--image", "lost.png"], "lost.png: no such file"),
    (["ask", RED, "--image", "text.png"], "text.png: not an image"),
    (["ask", RED, "--image", "empty"], "it is a folder"),
    (["ask", "How many rde things?", *IMAGE], "'rde'"),
    (["ask", RED, *IMAGE, "--checkpoint", "lost.json"], "no such checkpoint"),
    (["ask", RED, *IMAGE, "--checkpoint", "broken.json"], "not a checkpoint"),
    (["ask", RED, *IMAGE, "--checkpoint", DETECTOR], "holds the model 'detector'"),
    (["ask", RED, *IMAGE, "--detector", PARSER], "holds the model 'scene-parser'"),
    (["ask", RED, *IMAGE, "--html", "no/page.html"], "there is no folder no"),
    (["ask", RED, *IMAGE, "--domain", "kitchn"], "did you mean 'kitchen'"),
    (["ask", RED, "--scene", "lost.json", "--checkpoint", LEARNER], "lost.json: no such file"),
    (["ask", RED, *SCENE, "--checkpoint", PARSER], "holds the model 'scene-parser'"),
    (["ask", "How many rde things?", *SCENE, "--checkpoint", LEARNER], "'rde'"),
    (["evaluate", "lost.json", "--data", "data"], "no such checkpoint"),
    (["evaluate", LEARNER, "--data", "lost"], "lost: there is no such folder"),
    (["evaluate", LEARNER], "needs --data DIR"),
    (["evaluate", *PIXELS, "--checkpoint", "lost.json"], "no such checkpoint"),
    (["evaluate", "--questions", "lost.json", "--images", "images"], "lost.json: no such file"),
    (["evaluate", "--questions", "demo/questions.json", "--images", "lost"], "lost: there is no such folder"),
    (["evaluate", *PIXELS, "--scenes", "lost.json"], "lost.json: no such file"),
    (["evaluate", *PIXELS, "--markdown", "no/report.md"], "there is no folder no"),
    (["evaluate", *PIXELS, "--out", "no/out.jsonl"], "there is no folder no"),
    (["evaluate", *PIXELS, "--detections", "lost.json"], "lost.json: no such file"),
    (["describe-image", "lost.png"], "lost.png: no such file"),
    (["describe-image", "empty"], "no image in this folder"),
    (["describe-image", "text.png"], "not an image"),
    (["describe-image", "images", "--out", "no/scenes.json"], "there is no folder no"),
    (["describe-image", "images", "--checkpoint", "lost.json"], "no such checkpoint"),
    (["detect", "lost.png"], "lost.png: no such file"),
    (["detect", "text.png"], "not an image"),
    (["detect", "images", "--out", "no/found.json"], "there is no folder no"),
    (["detect", "images", "--checkpoint", LEARNER], "holds the model 'concept-learner'"),
    (["detect", "images", "--score", "2"], "--score"),
    (["concepts", "lost.json"], "no such checkpoint"),
    (["concepts", PARSER], "holds the model 'scene-parser'"),
    (["concepts", LEARNER, "--data", "lost"], "there is no such folder"),
    (["concepts", LEARNER, "--plot", "plot.gif"], "--plot"),
    (["concepts", LEARNER, "--plot", "no/plot.png"], "there is no folder no"),
    (["train", "concept-learner", "--recipe", "lost", "--data", "data"], "no recipe 'lost'"),
    (["train", "concept-learner", "--recipe", "lost.toml", "--data", "data"], "cannot read the recipe"),
    (["train", "concept-learner", "--recipe", "clevr-state-quick", "--data", "lost"], "there is no such folder"),
    (["train", "detector", "--recipe", "clevr-state-quick", "--data", "data"], "is of the model 'concept-learner'"),
    (["train", "lstm", "--recipe", "rn-clevr-state-cpu", "--data", "data", "--set", "lr"], "expected key=value"),
    (["train", "lstm", "--recipe", "rn-clevr-state-cpu", "--data", "data", "--from", "bundled"], "are bundled"),
    (["train", "lstm", "--recipe", "rn-clevr-state-cpu", "--data", "data", "--from", "lost"], "no such checkpoint"),
    (["train", "lstm", "--recipe", "rn-clevr-state-cpu", "--data", "data", "--out", "broken.json"], "is a file"),
    (["train", "trasnformer", "--recipe", "rn-clevr-state-cpu", "--data", "data"], "trasnformer"),
    ([*COMPARE, "exact,lsmt"], "did you mean 'lstm'"),
    (["compare", "--task", "clver", "--data", "data", "--out", "r", "--reasoners", "lstm"], "did you mean 'clevr'"),
    (["compare", "--task", "clevr", "--data", "lost", "--out", "r", "--reasoners", "lstm"], "no such folder"),
    ([*COMPARE, "lstm", "--checkpoint", "lstm=lost.json"], "no such checkpoint"),
    ([*COMPARE, "lstm", "--train", "--budget", "long"], "a budget is"),
    ([*COMPARE, "lstm", "--sizes", "few"], "--sizes"),
    (["generate", "clevr", "--scenes", "2", "--images", "--size", "4x4", "--out", "new"], "--size"),
    (["generate", "clevr", "--scenes", "2", "--images", "--family", "no", "--out", "new"], "no"),
    (["generate", "clevr", "--scenes", "2", "--images", "--out", "broken.json"], "is a file"),
    (["generate", "springs", "--scenes", "2", "--stiffness", "x", "--out", "new"], "--stiffness"),
]

BLOCKED = """
import json, sys
sys.modules["torch"] = None  # an import of torch is an error from here on
from typer.testing import CliRunner
from nsreason.cli.app import app
for args in json.loads(sys.stdin.read()):
    found = CliRunner().invoke(app, args, env={"COLUMNS": "100"})
    print(json.dumps([found.exit_code, found.stderr, repr(found.exception)]))
"""


@pytest.fixture(scope="module")
def early_results(place: Path) -> list[list[Any]]:
    """Return what each command of EARLY ends with where torch cannot be imported."""
    asked = json.dumps([args for args, _ in EARLY])
    command = [sys.executable, "-c", BLOCKED]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, cwd=place, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("number", range(len(EARLY)), ids=[" ".join(a)[:90] for a, _ in EARLY])
def test_bad_input_is_reported_before_torch_is_loaded(number: int, early_results: list[list[Any]]) -> None:
    code, said, exception = early_results[number]
    assert code == 2, (said, exception)
    assert said.startswith("error: ") and EARLY[number][1] in said, said


# --- what options mean ----------------------------------------------------------------------------------------

SHARED = {"--trust", "--device", "--batch-size", "--seed", "--quiet", "--verbose", "--jobs", "--domain", "--json"}


def test_shared_options_mean_the_same_everywhere() -> None:
    """One help text, one range, and where there are defaults of a command's own, that they are the recipe's."""
    said: dict[str, set[str]] = {}
    short: dict[str, set[str]] = {}
    for name, command in commands():
        for p in command.params:
            for option in SHARED & set(p.opts):
                said.setdefault(option, set()).add(p.help)
                short.setdefault(option, set()).add(" ".join(sorted(p.opts)))
                assert p.help, (name, option)
    assert set(said) == SHARED
    assert {option for option, helps in said.items() if len(helps) > 1} == set()
    assert {option for option, names in short.items() if len(names) > 1} == set()


def test_pages_of_generate_and_train_have_their_own_options_only() -> None:
    pages = dict(commands())
    options = {name: {o for p in page.params for o in p.opts} for name, page in pages.items()}
    assert "--images" in options["generate clevr"] and "--validation" not in options["generate clevr"]
    assert "--max-links" in options["generate springs"] and "--images" not in options["generate springs"]
    assert "--jobs" not in options["generate sort-of-clevr"]
    assert "Train a detector" in run("train", "detector", "--help").stdout
    assert "bundled" in run("train", "detector", "--help").stdout
    assert "bundled" not in run("train", "lstm", "--help").stdout


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_page_says_what_its_options_are_and_has_examples(name: str) -> None:
    page = dict(commands())[name]
    assert all(p.help for p in page.params), name
    shown = run(*name.split(), "--help")
    assert shown.exit_code == 0 and f"Usage: nsreason {name} " in shown.stdout and "\n Examples\n" in shown.stdout


def test_quiet_leaves_the_result_and_verbose_adds_what_is_done(tmp_path: Path) -> None:
    page = str(tmp_path / "page.html")
    plain = run("ask", RED, *SCENE, "--html", page)
    assert plain.stderr == f"wrote {page}\n"
    quiet = run("ask", RED, *SCENE, "--html", page, "--quiet")
    assert quiet.stderr == "" and quiet.stdout == "2\n"
    assert run("ask", RED, *SCENE, "--html", page, "--json").stderr == ""
    verbose = run("ask", RED, *SCENE, "--verbose")
    assert "read demo/scene.json, 0.0" in verbose.stderr
    assert run("ask", RED, *SCENE).stderr == "", "the level of a command does not outlast it"


# --- a domain's words -----------------------------------------------------------------------------------------


def own_domain(folder: Path, old: str, new: str) -> str:
    """The street of the examples, with a change."""
    text = (ROOT / "examples" / "own_domain.toml").read_text(encoding="utf-8")
    assert old in text
    path = folder / "street.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return str(path)


def test_the_words_of_a_domain_are_checked(tmp_path: Path) -> None:
    sound = own_domain(tmp_path, "nouns", "nouns")
    assert run("domains", sound).exit_code == 0 and run("domains", sound).stderr == ""
    assert json.loads(run("domains", sound, "--json").stdout)["unread"] == []


def test_a_word_with_two_meanings_is_an_error(tmp_path: Path) -> None:
    twice = own_domain(tmp_path, 'adjectives = ["red"]', 'adjectives = ["red", "white"]')
    result = run("domains", twice)
    assert result.exit_code == 2 and "'white' means both" in result.stderr, result.output


def test_a_word_that_no_question_can_use_is_told(tmp_path: Path) -> None:
    lost = own_domain(tmp_path, 'adjectives = ["red"]', "adjectives = []")
    result = run("domains", lost)
    assert "the color 'red' has no word: no question can name it" in result.stderr, result.output
    unread = json.loads(run("domains", lost, "--json").stdout)["unread"]
    assert unread == ["the color 'red' has no word: no question can name it"]
    hides = own_domain(tmp_path, 'adjectives = ["red"]', 'adjectives = ["red", "is there a"]')
    unread = json.loads(run("domains", hides, "--json").stdout)["unread"]
    assert any("the word 'car' of the kind 'car' cannot be used: 'Is there a car?'" in line for line in unread)


# --- progress -------------------------------------------------------------------------------------------------


def test_training_tells_an_epoch_a_line_where_nobody_looks() -> None:
    args = ["train", "concept-learner", "--recipe", "clevr-state-tenth", "--data", "data", "--set", "data.fraction=1.0"]
    args += ["--set", "training.epochs=2", "--set", "training.batch_size=10"]
    result = run(*args, "--out", "told")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("epoch ")]
    assert [line.split(",")[0] for line in lines] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert all(", loss " in line and " s" in line for line in lines)
    for silent in (["--quiet"], ["--json"]):
        assert "epoch " not in run(*args, "--out", silent[0][2:], *silent).stderr


def test_progress_counts_from_none_to_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(output.level, "quiet", False)
    with progress.counted("making", "scenes", 2_000) as advance:
        assert advance is not None
        advance(1_000, None)
        advance(2_000, 2_000)
    assert capsys.readouterr().err == "making: 1,000 of 2,000 scenes\nmaking: 2,000 of 2,000 scenes\n"
    monkeypatch.setattr(output.level, "quiet", True)
    with progress.counted("making", "scenes", 2_000) as advance:
        assert advance is None


def test_detect_prints_each_image_when_it_was_looked_at(tmp_path: Path) -> None:
    picture = Path("demo/picture.png").read_bytes()
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(picture)
    result = run("detect", str(tmp_path), "--batch-size", "1")
    assert [line.split()[0] for line in result.stdout.splitlines()[:2]] == ["a.png", "b.png"], result.output


def test_one_process_of_several_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    from nsreason.cli.train import _first_process

    for name in ("RANK", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert _first_process()
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert not _first_process()
    monkeypatch.setenv("RANK", "0")  # torchrun's number, of all machines
    assert _first_process()
    monkeypatch.setenv("RANK", "9")
    assert not _first_process()


def test_from_counts_where_a_resumed_run_begins() -> None:
    """The same job script starts a run and resumes it."""
    args = [*TRAIN[:-1], "learned-on", "--from", "bundled", "--resume", "--set", "training.epochs=1"]
    began = run(*args)
    assert began.exit_code == 2 and "does not fit" in began.stderr  # images' weights: so they were taken
