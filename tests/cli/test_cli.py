"""The command line: every command, every kind of error, pipes and exit codes, and the examples of the help."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner, Result

import nsreason
from nsreason.cli import checks, compare, evaluate, options, output, parsing, train
from nsreason.cli.app import app
from nsreason.cli.formats import JSON_DIALECTS
from nsreason.cli.ops import example
from nsreason.dsl.domain import bundled_domains, load_domain
from nsreason.dsl.ops import OPS
from nsreason.evaluation.judge import OnError
from nsreason.language.question_parser import parse_question, readings
from nsreason.perception.bundled import Bundled
from nsreason.programs.dialects.registry import DIALECTS, read_program
from nsreason.programs.text_reader import parse_program
from nsreason.registry import MODELS, REASONERS, TASKS

ROOT = Path(__file__).parent.parent.parent
COMMANDS = ["demo", "parse", "ask", "execute", "evaluate", "describe", "convert"]
COMMANDS += ["generate", "train", "compare", "concepts", "detect", "describe-image", "ops", "domains"]
COMMANDS += ["models", "recipes"]
RED_CUBES = "How many red cubes are there?"
RED_CUBES_PROGRAM = "count(filter[cube](filter[red](scene())))"
THE_BALL = "What color is the ball?"  # of the demo scene, which has three


def run(*args: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(args), input=stdin, env={"COLUMNS": "100"})


def real(
    *args: str, stdin: bytes = b"", env: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[bytes]:
    """The command as a process of its own."""
    settings = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR", "NO_COLOR")}
    settings |= {"PYTHONPATH": str(ROOT)} | (env or {})
    command = [sys.executable, "-m", "nsreason", *args]
    return subprocess.run(command, input=stdin, capture_output=True, env=settings, cwd=cwd, check=False)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "demo"
    assert run("demo", "--out", str(folder)).exit_code == 0
    return folder


@pytest.fixture
def scene(demo: Path) -> str:
    return str(demo / "scene.json")


# --- parse ----------------------------------------------------------------------------------------------------


def test_parse_prints_the_program() -> None:
    result = run("parse", RED_CUBES)
    assert (result.exit_code, result.stdout, result.stderr) == (0, RED_CUBES_PROGRAM + "\n", "")


def test_words_without_quotes_are_one_question() -> None:
    assert run("parse", *RED_CUBES.split()).stdout == RED_CUBES_PROGRAM + "\n"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_parse_writes_every_dialect(dialect: str) -> None:
    plain = run("parse", RED_CUBES, "--to", dialect).stdout
    assert read_program(plain, dialect) == parse_question(RED_CUBES)
    written = json.loads(run("parse", RED_CUBES, "--to", dialect, "--json").stdout)["program"]
    assert (written == json.loads(plain)) if dialect in JSON_DIALECTS else (written == plain.rstrip("\n"))


def test_parse_draws_trees_and_graphs() -> None:
    program = parse_question(RED_CUBES)
    assert run("parse", RED_CUBES, "--tree").stdout == program.to_tree() + "\n"
    assert run("parse", RED_CUBES, "--dot").stdout == program.to_dot() + "\n"
    assert json.loads(run("parse", RED_CUBES, "--tree", "--json").stdout)["tree"] == program.to_tree()
    both = run("parse", "--tree", stdin="Is there a ball?\nCount the cubes\n").stdout
    assert both.startswith("# Is there a ball?\nexist\n") and "\n# Count the cubes\ncount\n" in both


def test_parse_canonical_is_alike_for_what_means_the_same() -> None:
    one, other = "Is there a red metal cube?", "Are there any cubes that are metallic and red?"
    assert run("parse", one).stdout != run("parse", other).stdout
    assert run("parse", one, "--canonical").stdout == run("parse", other, "--canonical").stdout


def test_parse_takes_another_parser() -> None:
    parser = ("--parser", "tests.support.toy_parser:CountingParser")
    asked = "How many cubes would you say?"
    assert run("parse", asked, *parser).stdout == "count(filter[cube](scene()))\n"
    assert len(run("parse", asked, *parser, "--all-parses").stdout.splitlines()) > 1
    wrong = run("parse", asked, "--parser", "gramar")
    assert wrong.exit_code != 0 and "no parser 'gramar'; did you mean 'grammar'" in wrong.stderr


def test_all_parses_lists_every_reading_the_chosen_one_first() -> None:
    question = "Is a box left of the can behind the ball?"
    expected = [str(p) for p in readings(question)]
    assert len(expected) > 1 and expected[0] == str(parse_question(question))
    assert run("parse", question, "--all-parses").stdout.splitlines() == expected
    assert json.loads(run("parse", question, "--all-parses", "--json").stdout)["readings"] == expected


def test_a_bad_line_is_reported_and_the_others_go_on() -> None:
    text = b"\xef\xbb\xbfIs there a ball?\n\nHow many cubse?\n\xff\xfe\nCount the cubes"
    result = run("parse", stdin=text)
    assert result.exit_code == 2
    assert result.stdout == "exist(filter[sphere](scene()))\ncount(filter[cube](scene()))\n"
    assert "error in line 3: column 10: the word 'cubse'" in result.stderr
    assert "did you mean 'cube'" in result.stderr and "\n    How many cubse?\n             ^\n" in result.stderr
    assert "error in line 4: not UTF-8: byte 0xff at column 1" in result.stderr
    records = lines(run("parse", "-", "--json", stdin=text).stdout)
    assert [t["line"] for t in records] == [1, 3, 4, 5]
    assert [t.get("error", {}).get("kind") for t in records] == [None, "QuestionError", "DataError", None]
    assert records[1]["error"]["position"] == 9 and "cubes" in records[1]["error"]["near"]


def test_no_question_at_all_is_an_error() -> None:
    result = run("parse", stdin="\n \n")
    assert result.exit_code == 2 and "no question on standard input" in result.stderr


# --- ask and execute ------------------------------------------------------------------------------------------


def test_ask_prints_question_program_and_answer(scene: str) -> None:
    result = run("ask", RED_CUBES, "--scene", scene)
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout == f"question  {RED_CUBES}\nprogram   {RED_CUBES_PROGRAM}\nanswer    2\n"
    assert run("ask", RED_CUBES, "--scene", scene, "-q").stdout == "2\n"
    record = json.loads(run("ask", RED_CUBES, "--scene", scene, "--json").stdout)
    assert record == {"question": RED_CUBES, "program": RED_CUBES_PROGRAM, "answer": "2", "value": 2, "scene": 0}


def test_a_sound_question_without_an_answer_exits_with_1(scene: str) -> None:
    result = run("ask", THE_BALL, "--scene", scene)
    assert result.exit_code == 1 and "answer    " not in result.stdout
    assert result.stderr.startswith("no answer: node 2: unique(filter[sphere](scene())) met 3 objects")
    record = json.loads(run("ask", THE_BALL, "--scene", scene, "--json").stdout)
    assert record["answer"] is None and record["error"]["kind"] == "NotUnique"
    assert record["error"]["objects"] == [1, 5, 6]


@pytest.mark.parametrize(
    ("text", "code"),
    [("Is there a ball?\n", 0), (f"Is there a ball?\n{THE_BALL}\n", 1), (f"{THE_BALL}\nnope\nIs there a ball?\n", 2)],
)
def test_the_exit_code_of_several_questions_is_the_worst(scene: str, text: str, code: int) -> None:
    result = run("ask", "--scene", scene, "-q", stdin=text)
    assert result.exit_code == code and result.stdout == "yes\n"


def test_a_trace_says_the_answer_or_why_there_is_none(scene: str) -> None:
    result = run("ask", RED_CUBES, "--scene", scene, "--trace")
    assert "2 objects: 0 (large red metal cube), 3 (small red rubber cube)" in result.stdout
    assert result.stdout.endswith("answer     2\n")
    failed = run("ask", THE_BALL, "--scene", scene, "--trace")
    assert failed.exit_code == 1 and "failed: met 3 objects" in failed.stdout and failed.stderr == ""
    record = json.loads(run("ask", RED_CUBES, "--scene", scene, "--trace", "--json").stdout)
    assert [s["op"] for s in record["trace"]["steps"]] == ["scene", "filter", "filter", "count"]


def test_the_page_is_written_and_named(scene: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run("ask", RED_CUBES, "--scene", scene, "--html", str(page))
    assert result.exit_code == 0 and result.stderr == f"wrote {page}\n"
    assert page.read_text(encoding="utf-8").startswith("<!") and RED_CUBES in page.read_text(encoding="utf-8")
    two = run("ask", RED_CUBES, "Is there a ball?", "--scene", scene, "--html", str(page))
    assert two.exit_code == 2 and "the page of one answer, and 2 are asked for" in two.stderr
    lost = run("ask", RED_CUBES, "--scene", scene, "--html", str(tmp_path / "no" / "page.html"))
    assert lost.exit_code == 2 and "there is no folder" in lost.stderr
    picture = run("ask", RED_CUBES, "--scene", scene, "--html", str(page), "--image-file", scene)
    assert picture.exit_code == 2 and "not an image; PNG, JPEG" in picture.stderr


@pytest.mark.parametrize(
    ("source", "program", "answer"),
    [
        ("nested", RED_CUBES_PROGRAM, "2"),
        ("nested", "exist(filter[purple](scene()))", "no"),
        ("nested", "query[color](unique(filter[cylinder](filter[large](scene()))))", "green"),
        ("nested", "filter[red](scene())", "0 3"),
        ("postfix", "scene filter[red] filter[cube] count", "2"),
        ("ns-vqa", "count filter_shape[cube] filter_color[red] scene", "2"),
    ],
)
def test_execute_spells_answers_as_clevr_does(scene: str, source: str, program: str, answer: str) -> None:
    assert run("execute", program, "--from", source, "--scene", scene).stdout == answer + "\n"
    assert run("execute", "-", "--from", source, "--scene", scene, stdin=program).stdout == answer + "\n"
    assert json.loads(run("execute", program, "--from", source, "--scene", scene, "--json").stdout)["answer"] == answer


def test_programs_come_from_files_and_lines(scene: str, tmp_path: Path) -> None:
    file = tmp_path / "program.txt"
    file.write_text("a = filter[red](scene());\ncount(a)\n", encoding="utf-8")
    assert run("execute", f"@{file}", "--scene", scene).stdout == "2\n"
    several = "exist(scene())\ncuont(scene())\nunique(scene())\n"
    result = run("execute", "-", "--lines", "--scene", scene, stdin=several)
    assert result.exit_code == 2 and result.stdout == "yes\n"
    assert "error in line 2: column 1: no op 'cuont'; did you mean 'count'?\n    cuont(scene())\n    ^" in result.stderr
    assert "no answer in line 3: node 1: unique(scene()) met 7 objects" in result.stderr
    file.write_bytes(b"count(\xff)")
    assert "not UTF-8: byte 0xff at 6" in run("execute", f"@{file}", "--scene", scene).stderr


def test_one_scene_of_many_is_named(demo: Path, tmp_path: Path) -> None:
    one = json.loads((demo / "scene.json").read_text(encoding="utf-8"))["scenes"][0]
    other = one | {"image_index": 7, "image_filename": "seven.png", "objects": [], "relationships": None}
    many = tmp_path / "many.json"
    many.write_text(json.dumps({"scenes": [one, other]}), encoding="utf-8")
    count = ("execute", "count(scene())", "--scene", str(many))
    assert run(*count, "--index", "0").stdout == "7\n"
    assert run(*count, "--index", "7").stdout == run(*count, "--image", "seven.png").stdout == "0\n"
    unnamed = run(*count)
    assert unnamed.exit_code == 2 and "holds 2 scenes; choose one with --index (image_index, 0 to 7)" in unnamed.stderr
    assert "no scene has the image_index 3" in run(*count, "--index", "3").stderr
    many.write_text(json.dumps({"scenes": [other, one | {"objects": [{"color": "rde"}]}]}), encoding="utf-8")
    assert run(*count, "--index", "7").stdout == "0\n"
    bad = run(*count, "--index", "0")
    assert bad.exit_code == 2 and "the first that is not valid" in bad.stderr and "$.scenes[1].objects[0]" in bad.stderr


# --- errors ---------------------------------------------------------------------------------------------------

BAD: list[tuple[Sequence[str], str, str]] = [
    (["parse", RED_CUBES, "--domain", "kitchn"], "DomainError", "did you mean 'kitchen'"),
    (["parse", RED_CUBES, "--domain", "missing.toml"], "DomainError", "missing.toml"),
    (["parse", RED_CUBES, "--to", "postifx"], "ConversionError", "did you mean 'postfix'"),
    (["parse", RED_CUBES, "--tree", "--dot"], "UsageError", "one of --to, --tree and --dot"),
    (["parse", RED_CUBES, "--tre"], "UsageError", "--tree"),
    (["prase", RED_CUBES], "UsageError", "Did you mean 'parse'"),
    (["ask", RED_CUBES], "UsageError", "--scene"),
    (["ask", "How many?", "--scene", "SCENE"], "QuestionError", "column"),
    (["ask", RED_CUBES, "--scene", "SCENE", "--index", "x"], "UsageError", "--index"),
    (["ask", RED_CUBES, "--scene", "scnee.json"], "DataError", "no such file"),
    (["ask", RED_CUBES, "--scene", "FOLDER"], "DataError", "name a file of scenes"),
    (["ask", RED_CUBES, "--scene", "QUESTIONS"], "DataError", "holds questions, not scenes"),
    (["ask", RED_CUBES, "--scene", "SCENE", "--image-file", "x.png"], "UsageError", "--html"),
    (["ask", RED_CUBES, "--scene", "SCENE", "--html", "-"], "UsageError", "name of a file"),
    (["ask", "--scene", "-"], "UsageError", "only one thing"),
    (["execute", "count(scene()", "--scene", "SCENE"], "ProgramError", "never closed"),
    (["execute", "count(scene())", "--scene", "SCENE", "--from", "nseted"], "ConversionError", "'nested'"),
    (["execute", "@missing.txt", "--scene", "SCENE"], "DataError", "no such file"),
    (["describe", "exist(count(scene()))"], "ProgramError", "got (number)"),
    (["convert", "minus(count(scene()), number[2]())", "--to", "clevr"], "ConversionError", "no function for"),
    (["convert", "count(scene())"], "UsageError", "--to"),
    (["ops", "fitler"], "DomainError", "did you mean 'filter'"),
    (["domains", "clever"], "DomainError", "did you mean 'clevr'"),
    (["evaluate", "--questions", "SCENE", "--scenes", "SCENE"], "DataError", "holds scenes, not questions"),
    (["evaluate", "--questions", "QUESTIONS", "--scenes", "SCENE", "--resume"], "UsageError", "--out"),
    (["evaluate", "--questions", "QUESTIONS", "--scenes", "SCENE", "--jobs", "0"], "UsageError", "--jobs"),
    (["evaluate", "--questions", "QUESTIONS", "--scenes", "SCENE", "--on-error", "no"], "UsageError", "skip"),
    (["demo", "--out", "SCENE"], "DataError", "--out"),
]


@pytest.mark.parametrize(("args", "kind", "says"), BAD, ids=[" ".join(a) for a, _, _ in BAD])
def test_bad_input_exits_with_2_and_says_what_would_do(args: list[str], kind: str, says: str, demo: Path) -> None:
    names = {"SCENE": demo / "scene.json", "QUESTIONS": demo / "questions.json", "FOLDER": demo}
    args = [str(names.get(a, a)) for a in args]
    result = run(*args)
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith("error: ") and says in result.stderr and "Traceback" not in result.output
    as_json = run(*args, "--json")
    assert as_json.exit_code == 2 and as_json.stderr == ""
    record = json.loads(as_json.stdout)["error"]
    assert record["kind"] == kind and record["message"]


def test_a_scene_that_does_not_know_a_relation_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "scene.json"
    cube = {"size": "small", "color": "red", "material": "metal", "shape": "cube"}
    file.write_text(json.dumps({"objects": [cube]}), encoding="utf-8")
    result = run("ask", "Is there a ball left of the cube?", "--scene", str(file))
    assert result.exit_code == 2 and "says nothing of 'left'" in result.stderr
    file.write_text(json.dumps({"objects": [cube | {"color": "rde"}]}), encoding="utf-8")
    result = run("ask", "Is there a ball?", "--scene", str(file))
    assert result.exit_code == 2 and "no color 'rde'" in result.stderr and "did you mean 'red'" in result.stderr


def test_a_caret_stays_under_its_word_on_a_narrow_terminal() -> None:
    text = "Is there a " + "red " * 40 + "cubse?"
    message = ["error: column 172: wrong", f"    {text}", "    " + " " * text.index("cubse") + "^", "    could stand"]
    for room in (40, 80):
        cut = output.fitted(message, room)
        assert all(len(line) <= room for line in cut) and len(cut) == 4
        assert cut[1][cut[2].index("^") :].startswith("cubse") and cut[1].startswith("…")
    assert output.fitted(message, 400) == message


# --- the other commands ---------------------------------------------------------------------------------------


def test_evaluate_reports_for_people_programs_and_files(demo: Path, tmp_path: Path) -> None:
    files = ("--questions", str(demo / "questions.json"), "--scenes", str(demo / "scene.json"))
    table = run("evaluate", *files)
    assert table.exit_code == 0 and table.stderr == ""
    assert re.search(r"all\s+5\s+5\s+100.00 %", table.stdout)
    out, report = tmp_path / "predictions.jsonl", tmp_path / "report.md"
    result = run("evaluate", *files, "--programs", "parsed", "--out", str(out), "--markdown", str(report), "--json")
    record = json.loads(result.stdout)
    assert record["overall"]["right"] == record["program_match"]["right"] == 5
    assert [p["status"] for p in lines(out.read_text(encoding="utf-8"))] == ["right"] * 5
    assert "| **all** | 5 | 5 | 100.00 % |" in report.read_text(encoding="utf-8")
    piped = run("evaluate", *files, "--out", "-", "--limit", "2")
    assert len(lines(piped.stdout)) == 2 and "100.00 %" in piped.stderr
    assert run("evaluate", *files, "--out", "-", "--json").exit_code == 2


def test_evaluate_stops_where_it_is_told_to(demo: Path, tmp_path: Path) -> None:
    file = tmp_path / "questions.json"
    asked = [{"question": THE_BALL, "image_index": 0, "answer": "red"}, {"question": 3, "image_index": 0}]
    file.write_text(json.dumps({"questions": asked}), encoding="utf-8")
    args = ("evaluate", "--questions", str(file), "--scenes", str(demo / "scene.json"), "--programs", "parsed")
    assert run(*args).exit_code == 0
    stopped = run(*args, "--on-error", "raise")
    assert stopped.exit_code == 1 and "no answer: question 0" in stopped.stderr
    file.write_text(json.dumps({"questions": asked[1:]}), encoding="utf-8")
    assert run(*args).exit_code == 2


def test_describe_says_the_program() -> None:
    said = run("describe", RED_CUBES_PROGRAM).stdout.rstrip("\n")
    assert str(parse_question(said)) == RED_CUBES_PROGRAM
    drawn = [run("describe", RED_CUBES_PROGRAM, "--seed", str(n)).stdout for n in (1, 1, 2, 3, 4, 5)]
    assert drawn[0] == drawn[1] and len(set(drawn)) > 1
    both = run("describe", "-", "--lines", "--json", stdin="count(scene())\nexist(scene())\n")
    assert [set(t) for t in lines(both.stdout)] == [{"line", "program", "question"}] * 2


def test_convert_goes_round_through_every_dialect() -> None:
    text, source = RED_CUBES_PROGRAM, "nested"
    for to in [*DIALECTS, "nested"]:
        result = run("convert", text, "--from", source, "--to", to)
        assert result.exit_code == 0
        text, source = result.stdout.rstrip("\n"), to
    assert text == RED_CUBES_PROGRAM


def test_ops_lists_what_a_domain_admits() -> None:
    listed = run("ops").stdout
    assert all(name in listed for name in OPS)
    records = json.loads(run("ops", "--json").stdout)["ops"]
    assert [t["signature"] for t in records] == [op.signature for op in OPS.values()]
    one = run("ops", "filter").stdout
    assert OPS["filter"].signature in one and "filter_color" in one and OPS["filter"].doc in one


@pytest.mark.parametrize("domain", bundled_domains())
@pytest.mark.parametrize("name", list(OPS))
def test_the_example_of_an_op_is_a_program_with_it(name: str, domain: str) -> None:
    loaded = load_domain(domain)
    assert name in {call.op for call in parse_program(example(OPS[name], loaded), loaded).calls}


@pytest.mark.parametrize("name", bundled_domains())
def test_domains_shows_what_is_in_one(name: str) -> None:
    domain = load_domain(name)
    assert name in run("domains").stdout
    shown = run("domains", name).stdout
    assert all(word in shown for word in (*domain.concepts, *domain.attributes, *domain.relations, *domain.ops))
    record = json.loads(run("domains", name, "--json").stdout)
    assert [v for a in record["attributes"].values() for v in a["values"]] == list(domain.concepts)
    assert [s["name"] for s in json.loads(run("domains", "--json").stdout)["domains"]] == list(bundled_domains())


def test_the_demo_answers_as_its_file_says_and_spares_other_files(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    for _ in range(2):  # again into the same folder
        result = run("demo", "--out", str(folder))
        assert result.exit_code == 0 and str(folder / "trace.html") in result.stdout.replace("\n", "")
    asked = json.loads((folder / "questions.json").read_text(encoding="utf-8"))["questions"]
    record = json.loads(run("demo", "--out", str(folder), "--json").stdout)
    assert [t["answer"] for t in record["asked"]] == [q["answer"] for q in asked] and len(asked) == 5
    assert all(Path(record[key]).is_file() for key in ("scene", "questions", "html"))
    (folder / "scene.json").write_text("mine", encoding="utf-8")
    refused = run("demo", "--out", str(folder))
    assert refused.exit_code == 2 and "is not the demo's" in refused.stderr
    assert (folder / "scene.json").read_text(encoding="utf-8") == "mine"


# --- help -----------------------------------------------------------------------------------------------------


def examples_of(help_text: str) -> list[str]:
    """Return the command lines below the title; a backslash at the end of a line joins it with the next."""
    below = help_text.partition("\n Examples\n")[2]
    joined = re.sub(r"\\\n\s*", "", below)
    return [line.removeprefix(" $ ").strip() for line in joined.splitlines() if line.startswith(" $ ")]


def test_the_help_lists_the_commands_and_exit_codes() -> None:
    result = run("--help")
    assert result.exit_code == 0 and all(f" {name} " in result.stdout for name in COMMANDS)
    assert "Exit codes" in result.stdout and "130  interrupted" in result.stdout
    assert run("--version").stdout == f"nsreason {nsreason.__version__}\n"
    assert run().exit_code == 2 and "Usage: nsreason" in run().stdout


def needs_weights(line: str) -> bool:
    """Return whether an example runs the bundled models on images."""
    words = shlex.split(line, comments=True)
    looks = any(name in words for name in ("detect", "describe-image"))
    return looks or ("--image" in words and "--scene" not in words) or ("--images" in words and "evaluate" in words)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_of_the_help_runs(command: str, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo.parent)
    result = run(command, "--help")
    examples = examples_of(result.stdout)
    assert result.exit_code == 0 and any(f"nsreason {command}" in line for line in examples)
    assert max(map(len, result.stdout.partition("\n Examples\n")[2].splitlines())) <= 80
    for line in examples:
        if needs_weights(line) and not (ROOT / "perception" / "weights" / "detector.safetensors").exists():
            pytest.skip("no weights are bundled with this copy")
        words = shlex.split(line, comments=True)
        if "springs" in words and find_spec("mujoco") is None:
            continue  # the extra `physics` is not installed
        piped = words[1] if words[0] == "echo" else None
        command_words = words[words.index("nsreason") + 1 :]
        done = run(*command_words, stdin=piped)
        assert done.exit_code == 0, f"{line}: {done.output}"
        assert done.stdout


def test_the_help_is_not_read_as_markup() -> None:
    assert "count(filter[red](scene()))" in run("ops", "--help").stdout
    assert "[default: clevr]" in run("parse", "--help").stdout


def test_names_that_help_repeats_are_the_tables_own() -> None:
    assert options.DIALECTS.split(", ") == list(DIALECTS)
    assert options.complete_dialect("ns-") == ["ns-vqa", "ns-cl"]
    assert options.complete_domain("cl") == ["clevr"] and options.complete_op("filt") == ["filter"]
    assert set(get_args(evaluate.Programs)) == {"given", "parsed"}
    assert get_args(evaluate.OnError) == get_args(OnError)
    assert compare.REASONERS.split(", ") == list(REASONERS) and compare.TASKS.split(", ") == list(TASKS)
    assert tuple(train.ABOUT) == tuple(train.COMMANDS) == tuple(MODELS)
    assert get_args(checks.Bundled) == get_args(Bundled)


# --- as a process ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        [RED_CUBES],
        [RED_CUBES, "--tree"],
        ["--json", "--domain", "kitchen", "How many cups are clean?"],
        ["Is a box left of the can behind the ball?", "--all-parses", "--canonical"],
        [RED_CUBES, "--to", "clevr"],
        ["nope", "--json"],
        [RED_CUBES, "--dot", "--tree"],
        ["-"],
        ["How many cubes are there?", "--parser", "tests.support.toy_parser:CountingParser", "--all-parses"],
        ["How many cubes are there?", "--parser", "gramar"],
    ],
)
def test_the_quick_way_to_parse_does_what_typer_does(args: list[str]) -> None:
    plain = parsing.plain(args)
    assert plain is not None
    quick, slow = real("parse", *args, stdin=b"Is there a ball?\n"), run("parse", *args, stdin="Is there a ball?\n")
    assert (quick.returncode, quick.stdout.decode(), quick.stderr.decode()) == (
        slow.exit_code,
        slow.stdout,
        slow.stderr,
    )


@pytest.mark.parametrize("args", [["--help"], ["--tre"], ["--to"], ["--to=nested"], ["--", "x"], ["-q"]])
def test_what_the_quick_way_does_not_know_is_left_to_typer(args: list[str]) -> None:
    assert parsing.plain([RED_CUBES, *args]) is None


def test_parse_starts_without_the_heavy_imports() -> None:
    code = (
        "import sys; sys.argv = ['nsreason', 'parse', 'Is there a ball?']\n"
        "from nsreason.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.splitlines()
    assert done[0] == "exist(filter[sphere](scene()))"
    heavy = {"typer", "rich", "pydantic", "numpy", "networkx", "torch", "nsreason.scenes.scene", "nsreason.executors"}
    assert not heavy & set(done[1].split())


def test_a_closed_pipe_is_silent(demo: Path, tmp_path: Path) -> None:
    many = tmp_path / "questions.txt"
    many.write_text("Is there a ball?\n" * 20_000, encoding="utf-8")
    for args in (["parse"], ["ask", "--scene", str(demo / "scene.json")], ["parse", "--help"]):
        command = [sys.executable, "-m", "nsreason", *args]
        with (
            many.open("rb") as stdin,
            subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process,
        ):
            assert process.stdout and process.stderr
            process.stdout.close()
            assert process.stderr.read() == b"" and process.wait() == 141


def test_a_full_disk_is_told() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        command = [sys.executable, "-m", "nsreason", "parse", RED_CUBES]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert done.returncode == 2 and b"error: No space left on device" in done.stderr and b"Traceback" not in done.stderr


def test_an_interrupt_exits_with_130(demo: Path) -> None:
    command = [sys.executable, "-m", "nsreason", "ask", "-q", "--scene", str(demo / "scene.json")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

    def heed() -> None:
        """A shell's background jobs, and what they start, ignore the signal otherwise."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(command, **pipes, cwd=ROOT, preexec_fn=heed) as p:
        assert p.stdin and p.stdout and p.stderr
        p.stdin.write(b"Is there a ball?\n")
        p.stdin.flush()
        assert p.stdout.readline() == b"yes\n"  # answered at once, and waiting for the next
        p.send_signal(2)
        assert p.wait(timeout=300) == 130 and b"Traceback" not in p.stderr.read()


def test_output_is_utf_8_whatever_the_locale_says() -> None:
    done = real("parse", RED_CUBES, "--tree", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0 and "└── filter[cube]" in done.stdout.decode("utf-8")
    assert real("parse", os.fsdecode(b"Is there a \xff ball?")).returncode == 2


def on_a_terminal(*args: str, env: dict[str, str]) -> bytes:
    """Return what a command writes to standard error when that is a terminal."""
    ours, theirs = pty.openpty()
    settings = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    settings |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"} | env
    command = [sys.executable, "-m", "nsreason", *args]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, env=settings) as p:
        os.close(theirs)
        p.wait(timeout=300)
    written = os.read(ours, 100_000)
    os.close(ours)
    return written


def test_errors_have_colours_on_a_terminal_unless_no_color_says_otherwise() -> None:
    coloured = on_a_terminal("parse", "How many cubse?", env={})
    assert b"\x1b[1;31merror:" in coloured and b"'cubse'" in coloured
    assert b"\x1b[" not in real("parse", "How many cubse?").stderr
    plain = on_a_terminal("parse", "How many cubse?", env={"NO_COLOR": "1"})
    assert b"error:" in plain and b"31m" not in plain


# --- the package ----------------------------------------------------------------------------------------------


def test_public_names_are_there_and_listed() -> None:
    assert nsreason.__all__ == sorted(nsreason.__all__, key=lambda n: (not n.isupper(), n[0].islower(), n))
    for name in nsreason.__all__:
        assert getattr(nsreason, name) is not None and name in dir(nsreason)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nsreason.nothing  # noqa: B018 - looking is what is tested


def test_functions_named_as_their_modules_stay_functions() -> None:
    code = (
        "import sys, nsreason\n"
        "assert [m for m in sys.modules if m.startswith('nsreason.')] == ['nsreason.lazy']\n"
        "import nsreason.traces.trace, nsreason.programs.canonical, nsreason.language.describe\n"
        "from nsreason import canonical, describe, trace\n"
        "from nsreason.traces.trace import Trace\n"
        "assert all(type(f).__name__ == 'function' for f in (canonical, describe, trace, nsreason.trace))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_ask_answers(demo: Path) -> None:
    from nsreason.data import load_scenes

    scene = load_scenes(demo / "scene.json").scenes[0]
    assert nsreason.ask(RED_CUBES, scene) == 2 and nsreason.ask("Is there a ball?", scene) is True
    with pytest.raises(nsreason.NotUnique):
        nsreason.ask(THE_BALL, scene)


# --- the page about it ----------------------------------------------------------------------------------------


def transcripts() -> list[tuple[str, str]]:
    """The commands of docs/cli.md with what they print."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    parts = [part.partition("\n") for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, _, printed in parts]


@pytest.mark.parametrize(("command", "printed"), transcripts(), ids=[c for c, _ in transcripts()])
def test_what_the_documentation_shows_is_what_is_printed(
    command: str, printed: str, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo.parent)
    assert run(*shlex.split(command)[1:]).output == printed


def test_the_documentation_names_every_command_and_dialect() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert all(f"`{name} " in text or f"`{name}`" in text for name in COMMANDS)
    assert all(name in text for name in DIALECTS)
