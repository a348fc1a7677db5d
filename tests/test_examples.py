"""The examples run as a reader would run them, and print what they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nsreason.dsl.domain import load_domain
from nsreason.executors import execute
from nsreason.language.question_parser import parse_question
from nsreason.scenes.scene import Scene

ROOT = Path(__file__).parent.parent


def run(name: str) -> str:
    """The example's output, from a fresh interpreter in which warnings are errors."""
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_quickstart() -> None:
    output = run("quickstart.py")
    answers = [line.split(":", 1)[1].strip() for line in output.split("\n") if line.startswith("  answer:")]
    assert answers == ["2", "green", "False"]
    assert "count(filter[red](scene()))" in output
    assert "unique" in output.rpartition("answer:")[2], "the trace shows every call"


def test_own_op() -> None:
    lines = run("own_op.py").strip().split("\n")
    assert lines[:2] == [
        "between[relation](objects, objects) -> objects",
        "at_least(objects, number) -> truth",
    ]
    assert [line.rpartition(" = ")[2] for line in lines[2:]] == ["(1, 2, 3)", "2", "True", "False"]


STREET = ROOT / "examples" / "own_domain.toml"

# A bus between a parked car on its left and a moving truck on its right; a sign touches the car.
OBJECTS = [
    {
        "motion": "parked",
        "size": "small",
        "color": "red",
        "side": "near",
        "kind": "car",
        "3d_coords": [-3, 0, 0],
    },
    {
        "motion": "waiting",
        "size": "large",
        "color": "white",
        "side": "near",
        "kind": "bus",
        "3d_coords": [0, 2, 0],
    },
    {
        "motion": "moving",
        "size": "large",
        "color": "red",
        "side": "far",
        "kind": "truck",
        "3d_coords": [3, 5, 0],
    },
    {
        "motion": "waiting",
        "size": "small",
        "color": "yellow",
        "side": "near",
        "kind": "sign",
        "3d_coords": [-3.2, 0, 0],
    },
]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many red things are there?", 2),
        ("What color is the sign?", "yellow"),
        ("Is there a lorry to the right of the bus?", True),
        ("What is ahead of the bus?", "truck"),
        ("How many people are there?", 0),
        ("How many large things are left of the moving truck?", 1),
        ("What kind is the thing touching the sign?", "car"),
        ("How big is the bus?", "large"),
        ("Are there more parked cars than waiting buses?", False),
    ],
)
def test_own_domain_answers_questions(question: str, answer: object) -> None:
    domain = load_domain(STREET)
    directions = {"left": [-1, 0, 0], "right": [1, 0, 0], "ahead": [0, 1, 0], "behind": [0, -1, 0]}
    scene = Scene.of(domain, OBJECTS, directions=directions, relationships={"touching": [[3], [], [], [0]]})
    assert execute(parse_question(question, domain), scene) == answer


def test_the_margin_of_the_own_domain_holds() -> None:
    """The sign stands 0.2 left of the car: closer than this domain's eps of 0.5."""
    domain = load_domain(STREET)
    scene = Scene.of(domain, OBJECTS, directions={"left": [-1, 0, 0]})
    assert scene.relation(domain.relation_index["left"])[0] == 0


def test_own_reasoner() -> None:
    lines = run("own_reasoner.py").split("\n")
    shares = {line.split()[0]: float(line.split()[1]) for line in lines if line.endswith(" %")}
    assert shares["exact-parsed"] == 100 and 0 < shares["__main__:AlwaysYes"] < 50
    assert 0 < shares["__main__:LargeOnly"] < 100
    assert any("unique" in line for line in lines), "why one of its answers is a guess"


def test_own_parser() -> None:
    lines = run("own_parser.py").strip().split("\n")
    assert lines[0] == "How many red things are there? 1"
    assert lines[1] == "What size is the blue thing, please? large"
    assert lines[2].endswith("exist(filter[red](scene()))")
    shares = {line.split()[0]: float(line.split()[1]) for line in lines if line.endswith(" %")}
    assert shares["exact-parsed"] == 100 and 0 < shares["__main__:ByTemplates"] < 100


def test_own_model() -> None:
    lines = run("own_model.py").strip().split("\n")
    assert float(lines[1].split()[3]) > 95
    assert {line.split(": ")[1] for line in lines[2:]} <= {
        ", ".join((depth, side)) for depth in ("behind", "front") for side in ("left", "right")
    }


def test_own_task() -> None:
    shares = {line.split()[0]: float(line.split()[1]) for line in run("own_task.py").strip().split("\n")}
    assert shares["exact"] == shares["exact-parsed"] == 100 and 0 < shares["question-type"] < 100
