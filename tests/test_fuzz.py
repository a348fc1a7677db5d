"""Ten thousand broken inputs: each ends in an answer or in an NsreasonError, within a time limit.

Scenes, programs and questions are good ones with one to three changes: in their text (characters cut,
doubled, swapped, brackets and odd Unicode put in) or in their data (a value replaced by None, a huge number,
NaN, a list, ...). The seeds are fixed, so a failure repeats; its input is in the message. Run with -s to see
the counts.
"""

from __future__ import annotations

import copy
import json
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from nsreason.dsl.domain import bundled_domains, load_domain, parse_domain
from nsreason.errors import NsreasonError
from nsreason.executors import execute, execute_batch, spell
from nsreason.programs.program import Call, Program
from nsreason.programs.text_reader import parse_program
from nsreason.scenes.scene import Scene
from tests.support.strategies import random_program, random_record

DEADLINE = 10  # seconds for one input; all of them take milliseconds

ODD_TEXT = [
    "",
    " ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ":",
    "$",
    "=",
    '"',
    "\\",
    "\n",
    "\t",
    "\0",
    "\r",
    "\ufeff",
]
ODD_TEXT += [
    "é",
    "ß",
    "中",
    "\U0001f600",
    "\u202e",
    "\ud800",
    "ﬁ",
    "1",
    "-1",
    "999999999999999999999",
    "NaN",
    "null",
]
ODD_TEXT += [
    "scene",
    "count(",
    "filter[red](",
    "union(",
    "a",
    "the",
    "and",
    "or",
    "of",
    "how many",
    "?",
    ".",
    "'",
    "%s",
]
ODD_DATA: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    63,
    64,
    10**9,
    2**31,
    2**63,
    2**64,
    10**30,
    -(10**30),
    0.5,
    1e308,
]
ODD_DATA += [
    float("nan"),
    float("inf"),
    "",
    "red",
    "x" * 1000,
    "\ud800",
    "\0",
    [],
    [[]],
    {},
    {"a": 1},
    [None],
    (0,),
    b"red",
]


@contextmanager
def deadline(what: object) -> Iterator[None]:
    """Fail when the body takes too long, instead of hanging the test run."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"took more than {DEADLINE} s: {what!r:.2000}")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(DEADLINE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(run: Callable[..., Any], what: Any, *more: Any) -> str:
    """`answer`, or the name of the NsreasonError; anything else fails the test and shows the input."""
    with deadline(what), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            run(what, *more)
        except NsreasonError as error:
            message = str(error)
            assert message and len(message) < 200_000
            error.record()
            return type(error).__name__
        except TimeoutError:
            raise
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__}: {error!s:.300} for {what!r:.3000}") from error
    return "answer"


def mutated_text(rng: Random, text: str) -> str:
    for _ in range(rng.choice([1, 1, 1, 3])):
        i, j = sorted(rng.randint(0, len(text)) for _ in range(2))
        part = text[i : min(j, i + rng.choice([1, 5, 40]))]
        match rng.randrange(6):
            case 0:
                text = text[:i] + text[i + len(part) :]
            case 1:
                text = text[:i] + part * rng.choice([2, 3, 50]) + text[i + len(part) :]
            case 2:
                text = text[:i] + rng.choice(ODD_TEXT) * rng.choice([1, 1, 1, 200]) + text[i:]
            case 3:
                text = text[:i] + part[::-1] + text[i + len(part) :]
            case 4:
                text = text[:i]
            case _:
                text = text[:j] + part + text[j:]
    return text


def mutated_data(rng: Random, data: Any) -> Any:
    """A copy in which up to three of the values below (or the whole) are replaced, removed or doubled."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice([1, 1, 1, 3])):
        spots: list[tuple[Any, Any]] = []
        stack = [data]
        while stack:
            node = stack.pop()
            keys: Any = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
            spots += [(node, key) for key in keys]
            stack += [node[key] for key in keys]
        if not spots or rng.random() < 0.01:
            return rng.choice(ODD_DATA)
        node, key = rng.choice(spots)
        match rng.randrange(4):
            case 0:
                del node[key]
            case 1 if isinstance(node, list):
                node.insert(key, copy.deepcopy(rng.choice(node)))
            case 2:
                other, at = rng.choice(spots)
                node[key] = (
                    copy.deepcopy(other[at]) if at in (other if isinstance(other, dict) else range(len(other))) else 0
                )
            case _:
                node[key] = copy.deepcopy(rng.choice(ODD_DATA))
    return data


def report(what: str, counts: Counter[str]) -> None:
    figures = ", ".join(f"{name} {n}" for name, n in counts.most_common())
    print(f"\n{what}: {sum(counts.values())} inputs: {figures}")
    assert counts["answer"] and len(counts) > 1, "the changes should break some inputs and spare some"


DOMAINS = [load_domain(name) for name in bundled_domains()]


def use(scene: Scene, rng: Random) -> None:
    """Use a scene that was accepted: it must serve any program."""
    program = random_program(rng, scene.domain, max_calls=12, scene=scene if len(scene) < 50 else None)
    answer = execute_batch([program], [scene])[0]
    if not isinstance(answer, NsreasonError):
        assert execute(program, scene) == answer
    scene.to_dict()


def test_scene_data() -> None:
    rng, counts = Random(1), Counter[str]()
    for _ in range(2000):
        domain = rng.choice(DOMAINS)
        data = mutated_data(rng, random_record(rng, domain, rng.randint(0, 4)))
        counts[outcome(lambda d, of: use(Scene.from_dict(d, of), Random(0)), data, domain)] += 1
    report("scene data", counts)


def test_scene_text() -> None:
    rng, counts = Random(2), Counter[str]()
    for _ in range(2000):
        domain = rng.choice(DOMAINS)
        text: str | bytes = mutated_text(rng, json.dumps(random_record(rng, domain, rng.randint(0, 3))))
        if rng.random() < 0.5:
            text = text.encode("utf-8", "surrogatepass")
        counts[outcome(lambda t, of: use(Scene.from_json(t, of), Random(0)), text, domain)] += 1
    report("scene text", counts)


def mutated_calls(rng: Random, program: Program) -> list[Any]:
    calls: list[Any] = [list(map(_listed, call)) for call in program.calls]
    calls = mutated_data(rng, calls)
    if not isinstance(calls, list):
        return [calls]
    return [Call(*call) if isinstance(call, list) and 1 <= len(call) <= 3 else call for call in calls]


def _listed(part: Any) -> Any:
    return list(part) if isinstance(part, tuple) else part


def test_program_calls() -> None:
    rng, counts = Random(3), Counter[str]()
    for _ in range(2500):
        domain = rng.choice(DOMAINS)
        scene = Scene.from_dict(random_record(rng, domain, rng.randint(0, 5)), domain)
        calls = mutated_calls(rng, random_program(rng, domain, max_calls=10, scene=scene))
        counts[outcome(lambda c, s: spell(execute(Program(c, s.domain), s)), calls, scene)] += 1
    report("program calls", counts)


def test_program_text() -> None:
    rng, counts = Random(4), Counter[str]()
    for _ in range(1500):
        domain = rng.choice(DOMAINS)
        scene = Scene.from_dict(random_record(rng, domain, rng.randint(0, 5)), domain)
        text = mutated_text(rng, str(random_program(rng, domain, max_calls=10, scene=scene)))
        for surface in ("nested", "postfix"):
            counts[outcome(lambda t, f, s: execute(parse_program(t, s.domain, f), s), text, surface, scene)] += 1
    report("program text", counts)


QUESTIONS = [
    "How many red cubes are there?",
    "What color is the big thing that is left of the small metal sphere?",
    "Are there more green cylinders than tiny rubber balls?",
    "Is there anything else that has the same size as the cyan metallic block?",
    "What number of things are behind the purple object or in front of the yellow ball?",
    "Does the red cube have the same material as the brown cylinder that is right of the sphere?",
    "Is the number of big matte cubes less than the number of small gray things?",
    "How many other objects are the same shape as the leftmost thing?",
]


def test_question_text() -> None:
    parse_question = pytest.importorskip("nsreason.language.question_parser").parse_question
    rng, counts = Random(5), Counter[str]()
    clevr = load_domain("clevr")
    words = " ".join(QUESTIONS).split()
    for _ in range(1500):
        scene = Scene.from_dict(random_record(rng, clevr, rng.randint(0, 8)), clevr)
        text = rng.choice(QUESTIONS)
        match rng.randrange(3):
            case 0:
                text = mutated_text(rng, text)
            case 1:
                text = " ".join(rng.choice(words) for _ in range(rng.randint(1, 25)))
            case _:
                pieces = text.split()
                pieces[rng.randrange(len(pieces))] = rng.choice(words)
                text = " ".join(pieces)
        counts[outcome(lambda t, s: execute(parse_question(t, "clevr"), s), text, scene)] += 1
    report("questions", counts)


DOMAIN_TEXT = """
name = "street"
asks = "kind"
eps = 0.5
max_count = 5
[attributes.kind]
words = ["kind"]
values = {car = {nouns = ["car"]}, sign = {}}
[attributes.color.values]
red = {adjectives = ["red"]}
[relations.left]
inverse = "right"
direction = "left"
words = ["left of"]
[relations.right]
inverse = "left"
words = ["right of"]
"""


def test_domain_text() -> None:
    rng, counts = Random(6), Counter[str]()
    for _ in range(500):
        text = mutated_text(rng, DOMAIN_TEXT)
        counts[outcome(lambda t: parse_domain(t).answers(), text)] += 1
    report("domain text", counts)
