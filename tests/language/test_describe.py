"""Programs in English and back: wordings of every op, random programs of both domains, wordings drawn with a seed."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.dsl.algebra import Algebra, View
from nsreason.dsl.domain import Domain, load_domain, parse_domain
from nsreason.dsl.kinds import Objects, T, Truth
from nsreason.dsl.ops import OPS, op
from nsreason.errors import ConversionError, DomainError
from nsreason.language.describe import MAX_CALLS, describe
from nsreason.language.question_parser import parse_question
from nsreason.programs.canonical import equivalent
from nsreason.programs.program import Call, Program
from nsreason.programs.text_reader import parse_program
from tests.support.question_tables import program_text, rows
from tests.support.strategies import programs, random_program

CLEVR = load_domain("clevr")
DOMAINS = {
    "clevr": CLEVR,
    "kitchen": load_domain("kitchen"),
    "street": load_domain(Path(__file__).parent.parent.parent / "examples" / "own_domain.toml"),
}


def program(short: str) -> Program:
    return parse_program(program_text(short))


@pytest.mark.parametrize(
    ("short", "question"),
    [
        ("count(<large red cube>)", "How many large red cubes are there?"),
        ("count(<cube: relate[left](the<sphere>)>)", "How many cubes are left of the sphere?"),
        ("count(<red: same[size](the<cube>)>)", "How many red things are the same size as the cube?"),
        ("exist(<cube>)", "Is there a cube?"),
        ("exist(difference(<cube>, <red>))", "Is there a cube that is not red?"),
        ("exist(<red: only(the<cube>)>)", "Is the cube red?"),
        ("exist(<sphere: only(the<red>)>)", "Is the red thing a sphere?"),
        ("exist(intersect(only(the<cube>), relate[left](the<sphere>)))", "Is the cube left of the sphere?"),
        ("query[color](the<cube: relate[behind](the<sphere>)>)", "What is the color of the cube behind the sphere?"),
        ("query[color](unique(extreme[left](<cube>)))", "What is the color of the leftmost cube?"),
        ("equal(query[size](the<cube>), query[size](the<red>))", "Does the cube have the same size as the red thing?"),
        ("equal_object(the<cube>, the<red>)", "Is the cube the same thing as the red thing?"),
        ("greater(count(<cube>), count(<sphere>))", "Are there more cubes than spheres?"),
        ("less(count(<cube>), number[3]())", "Are there fewer than 3 cubes?"),
        ("equal_integer(count(<cube>), number[2]())", "Are there exactly 2 cubes?"),
        ("equal_integer(count(<cube>), count(<red>))", "Is the number of cubes the same as the number of red things?"),
        ("negate(less(count(<cube>), number[2]()))", "Are there at least 2 cubes?"),
        ("negate(exist(<cube>))", "Are there no cubes?"),
        ("negate(exist(difference(<cube>, <red>)))", "Are all cubes red?"),
        (
            "negate(equal_object(the<cube>, the<red>))",
            "Is it false that (is the cube the same thing as the red thing)?",
        ),
        ("less(distinct[color](<cube>), number[2]())", "Do all cubes have the same color?"),
        ("distinct[shape](<red>)", "How many different shapes of red things are there?"),
        ("minus(count(<cube>), count(<sphere>))", "How many more cubes are there than spheres?"),
        ("minus(number[7](), count(<cube>))", "What is the difference between 7 and the number of cubes?"),
        ("number[7]()", "What is 7?"),
        ("<red cube>", "Find red cubes."),
        ("the<red cube>", "Find the red cube."),
        ("count(union(<cube>, <red>))", "How many things are either cubes or red?"),
        ("count(intersect(relate[left](the<cube>), relate_any[behind](<red>)))", None),
        ("both(exist(<cube>), exist(<sphere>))", "Is there a cube and is there a sphere?"),
        (
            "count(difference(<thing>, union(same[color](the<cube>), only(the<cube>))))",
            "How many things are a different color than the cube?",
        ),
        ("count(difference(<thing>, same[color](the<cube>)))", "How many things are not (the same color as the cube)?"),
    ],
)
def test_wordings(short: str, question: str | None) -> None:
    said = describe(program(short))
    if question is not None:
        assert said == question
    assert equivalent(parse_question(said), program(short))


@pytest.mark.parametrize("name", sorted(DOMAINS))
@given(data=st.data())
def test_any_program_can_be_said_and_read_back(name: str, data: st.DataObject) -> None:
    given_program = data.draw(programs(DOMAINS[name]))
    question = describe(given_program)
    assert equivalent(parse_question(question, DOMAINS[name]), given_program), question


@pytest.mark.parametrize("name", sorted(DOMAINS))
@given(seed=st.integers(0, 2**32))
def test_every_wording_means_the_program(name: str, seed: int) -> None:
    domain = DOMAINS[name]
    given_program = random_program(random.Random(seed), domain, max_calls=12)
    question = describe(given_program, seed)
    assert equivalent(parse_question(question, domain), given_program), question
    assert describe(given_program, seed) == question


def test_seeds_give_different_wordings() -> None:
    asked = program("count(<large red cube: relate[left](the<small metal sphere>)>)")
    assert len({describe(asked, seed) for seed in range(40)}) > 20


@pytest.mark.parametrize("name", ["typed.txt", "combined.txt", "varied.txt"])
def test_what_people_ask_can_be_said_in_the_language_s_own_words(name: str) -> None:
    for row in rows(name):
        if not row.meanings[0].startswith("error"):
            asked = program(row.meanings[0])
            assert equivalent(parse_question(describe(asked)), asked), row.question


def test_every_op_can_be_said() -> None:
    said: set[str] = set()
    for seed in range(400):
        asked = random_program(random.Random(seed), CLEVR, max_calls=10)
        describe(asked)
        said |= {call.op for call in asked.calls}
    assert said == set(CLEVR.ops)


# --- what cannot be said ---


def test_a_long_program_is_refused() -> None:
    calls = [Call("scene", (), ()), *(Call("filter", ("red",), (i,)) for i in range(MAX_CALLS))]
    with pytest.raises(ConversionError, match=f"{MAX_CALLS + 1} calls is too long for a question; {MAX_CALLS} can be"):
        describe(Program(calls, CLEVR))


def test_a_program_that_unfolds_to_a_long_question_is_refused() -> None:
    calls = [Call("scene", (), ())]
    for _ in range(60):
        calls += [Call("unique", (), (len(calls) - 1,)), Call("relate", ("left",), (len(calls),))]
        calls += [Call("intersect", (), (len(calls) - 1, len(calls) - 3))]
    with pytest.raises(ConversionError, match="too long to be said in one question"):
        describe(Program(calls, CLEVR))


@pytest.mark.usefixtures("own_ops")
def test_an_op_of_ones_own_has_no_words() -> None:
    @op
    def lonely(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Truth[T]:
        """Whether the set has one member."""
        return k.equal(k.how_many(objects), k.number(1))

    assert "lonely" in OPS
    with pytest.raises(ConversionError, match="the language has no question for 'lonely'"):
        describe(Program([Call("scene", (), ()), Call("lonely", (), (0,))], CLEVR))


def test_a_domain_without_questions() -> None:
    domain: Domain = parse_domain('name = "plain"\n[attributes.color.values.red]\n')
    with pytest.raises(DomainError, match="names no question grammar"):
        describe(Program([Call("scene", (), ()), Call("count", (), (0,))], domain))


@pytest.mark.parametrize("op", ["both", "either"])
def test_shared_calls_are_said_once(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """33 calls that unfold to a tree of 65,536 truths took seconds, and each two more twice as long."""
    said = 0
    plain = sys.modules["nsreason.language.describe"]._Asker._two

    def counted(*given: object) -> list[str]:
        nonlocal said
        said += 1
        return plain(*given)

    monkeypatch.setattr(sys.modules["nsreason.language.describe"]._Asker, "_two", counted)
    lines = [f"a{k + 1} = {op}(a{k}, negate(a{k})); " for k in range(100)]
    shared = parse_program("a0 = exist(scene()); " + "".join(lines) + "a100")
    with pytest.raises(ConversionError, match="too long to be said in one question"):
        describe(shared)
    assert said <= 2 * len(shared)


def test_alike_calls_are_found_without_unfolding_them() -> None:
    lines = [f"a{k + 1} = union(a{k}, a{k}); " for k in range(60)]
    for number in (1, 2):  # the objects of the two `unique` are alike but not shared
        lines += [f"u{number} = unique(filter[red](a60)); "]
    text = "a0 = scene(); " + "".join(lines) + "count(difference(scene(), union(same[color](u1), only(u2))))"
    with pytest.raises(ConversionError, match="too long to be said in one question"):
        describe(parse_program(text))
