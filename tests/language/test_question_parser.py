"""Questions in English to programs: tables of what people type and what it means, all readings of ambiguous ones, what
is forgiven, and errors with their place.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nsreason
from nsreason.dsl.domain import Domain, DomainFile, load_domain, parse_domain
from nsreason.errors import DomainError, QuestionError
from nsreason.language.describe import describe
from nsreason.language.question_parser import MAX_WORDS, parse_question, readings
from nsreason.programs.canonical import equivalent
from nsreason.programs.program import Program
from nsreason.programs.text_reader import parse_program
from tests.support.brute_force import NotOne, evaluate
from tests.support.question_tables import Row, program_text, rows
from tests.support.strategies import random_program

CLEVR = load_domain("clevr")
KITCHEN = load_domain("kitchen")


def meaning(short: str, domain: Domain) -> Program:
    return parse_program(program_text(short), domain)


def table(*names: str) -> list[object]:
    return [pytest.param(row, id=f"{name}:{row.line}: {row.question}") for name in names for row in rows(name)]


# --- what questions mean ---


@pytest.mark.parametrize("row", table("typed.txt", "combined.txt", "varied.txt"))
def test_clevr(row: Row) -> None:
    check(row, CLEVR)


@pytest.mark.parametrize("row", table("kitchen.txt"))
def test_kitchen(row: Row) -> None:
    check(row, KITCHEN)


DEMO = json.loads((Path(nsreason.__file__).parent / "cli" / "demo_scene.json").read_text(encoding="utf-8"))["scenes"][0]


@pytest.mark.parametrize("row", table("scope.txt"))
def test_scope(row: Row) -> None:
    expected, *answers = row.meanings
    check(row._replace(meanings=(expected,)), CLEVR)
    if answers:
        assert [_answer(parse_question(row.question))] == answers


def _answer(program: Program) -> str:
    """The answer on the demo scene, by the second writing of the ops; 'none' where not one thing is meant."""
    try:
        answer = evaluate(program, DEMO)
    except NotOne:
        return "none"
    return {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else str(answer)


def test_words_that_no_op_says_mean_what_a_domain_says() -> None:
    text = """
        name = "covered"
        questions = "clevr_questions.lark"
        [attributes.state.values.hidden]
        adjectives = ["hidden"]
        [relations.over]
        words = ["directly above"]
    """
    domain = parse_domain(text)
    assert str(parse_question("how many hidden things are there", domain)) == "count(filter[hidden](scene()))"
    program = parse_question("how many things are directly above the hidden thing", domain)
    assert equivalent(program, meaning("count(relate[over](the<hidden>))", domain))
    with pytest.raises(QuestionError, match="'obscured' cannot be asked"):
        parse_question("how many obscured things are there", domain)


def test_a_refusal_of_the_best_reading_is_not_answered_by_another() -> None:
    for text in (
        "How many things are behind most cubes and red?",
        "Are there two things that differ in color and shape?",
    ):
        with pytest.raises(QuestionError, match="cannot be asked"):
            parse_question(text)
        with pytest.raises(QuestionError, match="cannot be asked"):
            readings(text)


def check(row: Row, domain: Domain) -> None:
    (expected,) = row.meanings
    if expected.startswith("error: "):
        message, place = (part.strip() for part in expected.removeprefix("error:").split("@"))
        with pytest.raises(QuestionError) as caught:
            parse_question(row.question, domain)
        assert message in str(caught.value)
        assert row.question[caught.value.position :].startswith(place)
    else:
        program = parse_question(row.question, domain)
        assert equivalent(program, meaning(expected, domain)), str(program)


@pytest.mark.parametrize("row", table("readings.txt"))
def test_all_readings_of_an_ambiguous_question(row: Row) -> None:
    programs = readings(row.question)
    expected = [meaning(short, CLEVR) for short in row.meanings]
    assert len(programs) == len(expected), [str(program) for program in programs]
    assert equivalent(programs[0], parse_question(row.question)) and equivalent(programs[0], expected[0])
    for program in expected:
        assert any(equivalent(program, other) for other in programs), str(program)


def test_readings_of_a_long_question_come_to_an_end() -> None:
    programs = readings("Is the cube " + "left of the ball behind the cylinder " * 9 + "?")
    assert 10 < len(programs) <= 256


# --- what is forgiven ---

SLIPS = {
    "case": str.upper,
    "no marks": lambda text: re.sub(r"[?.,;]", " ", text),
    "many marks": lambda text: text + "?!?",
    "spaces": lambda text: "  " + text.replace(" ", "\n \t"),
    "hyphens": lambda text: re.sub(r"\b(left|right|front) of\b", r"\1-of", text),
    "curly quotes": lambda text: re.sub(r"\b(red|big|large|cube)\b", "“\\1”", text),
    "grey": lambda text: text.replace("gray", "grey").replace("color", "colour"),
    "singular": lambda text: re.sub(r"\b(cube|sphere|thing|object|cylinder)s\b", r"\1", text),
}


@given(st.integers(0, 2**32), st.sampled_from(sorted(SLIPS)))
def test_slips_do_not_matter(seed: int, slip: str) -> None:
    program = random_program(random.Random(seed), CLEVR, max_calls=8)
    question = describe(program, seed)
    if slip in ("no marks", "singular") and ("(" in question or "find" in question.lower()):
        return
    try:
        slipped = parse_question(SLIPS[slip](question))
    except QuestionError as error:  # a plural told several things from one: 'left of the cubes'
        assert slip == "singular", error
        return
    assert slip == "singular" or equivalent(slipped, program), SLIPS[slip](question)


@pytest.mark.parametrize(
    ("slip", "plain"),
    [
        ("how many cube are there", "how many cubes are there"),
        ("how many cube's are there", "how many cubes are there"),
        ("How many grey metal spheres's are there", "how many gray metal spheres are there"),
        ("whats the cube’s colour", "what is the cube's color"),
        ("what is the cubes color", "what color are the cubes"),
        ("isnt there a cube", "is there a cube"),
        ("how many things arent red", "how many things are not red"),
        ("is red cube left of ball", "is the red cube left of the ball"),
        ("what is the blue-colored, cube-shaped thing made of", "what is the blue cube made of"),
        ("there are cubes what color is the left one", "there are cubes; what color is the left one?"),
        ("how many cubes are left-of the ball", "how many cubes are left of the ball"),
        ("is there anything thats red", "is there anything that is red"),
    ],
)
def test_forgiven(slip: str, plain: str) -> None:
    assert equivalent(parse_question(slip), parse_question(plain))


@given(st.permutations(["small", "red", "metal", "spherical"]), st.booleans())
def test_the_order_of_adjectives_does_not_matter(adjectives: list[str], after: bool) -> None:
    if after:
        text = f"what shape is the thing that is {', '.join(adjectives[:-1])} and {adjectives[-1]}"
    else:
        text = f"what shape is the {' '.join(adjectives)} thing"
    assert equivalent(parse_question(text), meaning("query[shape](the<small red metal sphere>)", CLEVR))


# --- errors ---


@pytest.mark.parametrize(
    ("text", "at", "message", "near"),
    [
        ("", 0, "no question", ()),
        ("  \n ", 0, "no question", ()),
        ("???", 0, "no question", ()),
        ("how many", 8, "ends too early", ()),
        ("how many cubes are left of the?!", 30, "ends too early", ()),
        ("how many cubes are left of the  ", 30, "ends too early", ()),
        ("how many purpel cubes are there", 9, "not in the lexicon", ("purple",)),
        ("is the cube lefft of the ball", 12, "not in the lexicon", ("left",)),
        ("what is next to the cube", 8, "'next' is not in the lexicon", ()),
        ("how many cubes are there of", 27, "ends too early", ()),
        ("is the cube the the ball", 16, "'the' does not fit", ()),
        (
            "what closer is it",
            5,
            "'closer' does not stand alone",
            ("closer than", "closer to us than", "closer to you than"),
        ),
        ("what color is it?", 14, "'it' has nothing before it", ()),
        ("how many 🎲 are there", 9, "'🎲' has no place", ()),
        ("how many\0cubes", 8, "has no place", ()),
        ("כמה קוביות", 0, "not in the lexicon", ()),
        ("is the cube the same color as any ball left of it and", 53, "ends too early", ()),
        ("how many coloured are there", 18, "does not fit", ()),
        ("is the color of the cube the same as the size of the ball", 53, "a color cannot be compared with a size", ()),
        ("there is a cube; how many cubes are there and what color is it", 42, "yes or no", ()),
    ],
)
def test_errors_have_a_place(text: str, at: int, message: str, near: tuple[str, ...]) -> None:
    with pytest.raises(QuestionError) as caught:
        parse_question(text)
    error = caught.value
    assert message in error.reason and error.near == near
    assert error.position == at, f"{error}"
    assert error.text == text and f"column {at + 1}: " in str(error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"'how many'", "'what'", "'is there'"}),
        ("how many", {"a noun (cube, sphere, cylinder, ...)"}),
        ("is the cube left of", {"'the'", "a noun (cube, sphere, cylinder, ...)"}),
        ("what color is the cube that", {"'is'", "'does'"}),
        ("is the cube next to the ball", {"a relation (left of, right of, behind, in front of)"}),
        ("are there more cubes", {"'than'"}),
    ],
)
def test_errors_say_what_could_have_stood_there(text: str, expected: set[str]) -> None:
    with pytest.raises(QuestionError) as caught:
        parse_question(text)
    assert expected <= set(caught.value.expected)
    assert len(caught.value.expected) <= 7


def test_the_words_of_the_domain_are_expected() -> None:
    with pytest.raises(QuestionError, match=r"a noun \(cup, plate, bowl, ...\)"):
        parse_question("what is on the", KITCHEN)


HARD = {
    "nothing to stand for": "is it " + "left of the cube " * 14,
    "garden path": "how many things are " + "red or left of the ball and " * 9 + "the",
    "words": "the cube " * 30_000,
    "one word": "how many " + "x" * 200_000,
    "parentheses": "how many things are " + "(" * 190 + "red" + ")" * 190,
    "unclosed": "how many things are " + "(" * 300,
    "either": "how many things are " + "either " * 190 + "red",
    "apostrophes": "'" * 100_000,
    "negations": "n't" * 50_000,
    "hyphens": "-" * 300_000,
    "marks": "how many cubes" + "?" * 100_000,
    "combining": "how many c\u0301ubes" + "\u0301" * 5_000,
    "right to left": "\u202ehow many cubes are there",
    "no width": "how many cubes\u200b are there",
    "growing letters": "\u0130" * 5_000,
    "nested": "is the cube " + "left of the ball that is " * 95 + "red",
}


@pytest.mark.parametrize("kind", sorted(HARD))
def test_hard_text_ends_in_an_answer_or_a_question_error(kind: str) -> None:
    try:
        parse_question(HARD[kind])
    except QuestionError as error:
        assert 0 <= error.position <= len(HARD[kind])
        assert len(error.reason) < 300
        assert error.record()["kind"] == "QuestionError"
    else:
        assert kind in ("nested", "parentheses", "either", "right to left", "no width")


def test_long_questions_are_refused() -> None:
    text = "is there a cube " + "left of a ball " * MAX_WORDS
    with pytest.raises(QuestionError, match=f"at most {MAX_WORDS} are read"):
        parse_question(text)


@given(st.text(max_size=60))
def test_any_text_ends_in_an_answer_or_a_question_error(text: str) -> None:
    try:
        parse_question(text)
    except QuestionError as error:
        assert 0 <= error.position <= len(text)


def _some_words() -> list[str]:
    return sorted(
        {word for name in ("typed.txt", "combined.txt") for row in rows(name) for word in row.question.split()}
    )


@given(st.lists(st.sampled_from(_some_words()), max_size=25))
def test_any_words_end_in_an_answer_or_a_question_error(words: list[str]) -> None:
    try:
        parse_question(" ".join(words))
    except QuestionError as error:
        assert str(error).startswith(f"column {error.position + 1}: ")


# --- domains ---


def test_a_domain_without_a_grammar_has_no_questions() -> None:
    domain = Domain(DomainFile("plain", CLEVR.file.attributes))
    with pytest.raises(DomainError, match="domain 'plain' names no question grammar"):
        parse_question("is there a cube", domain)


def test_a_domain_with_a_wrong_grammar_has_no_questions() -> None:
    domain = Domain(DomainFile("wrong", CLEVR.file.attributes, questions="no_such.lark"))
    with pytest.raises(DomainError, match=r"no question grammar 'no_such.lark'"):
        parse_question("is there a cube", domain)


def test_ops_that_a_domain_does_not_admit_cannot_be_asked_for() -> None:
    text = """
        name = "strict"
        questions = "clevr_questions.lark"
        ops = ["scene", "filter", "count"]
        [attributes.color.values.red]
        adjectives = ["red"]
    """
    domain = parse_domain(text)
    assert str(parse_question("how many red things are there", domain)) == "count(filter[red](scene()))"
    with pytest.raises(QuestionError, match="domain 'strict' does not admit the op 'exist'"):
        parse_question("is there a red thing", domain)


STREET = load_domain(Path(__file__).parent.parent.parent / "examples" / "own_domain.toml")


@pytest.mark.parametrize(
    ("question", "program"),
    [
        ("How many red cars are left of the bus?", "count(<red car: relate[left](the<bus>)>)"),
        ("Is the person next to the lorry moving?", "exist(<moving: only(the<person: relate[touching](the<truck>)>)>)"),
        ("How many people are ahead of the bike?", "count(<person: relate[ahead](the<bicycle>)>)"),
        ("Are all buses parked?", "negate(exist(difference(<bus>, <parked>)))"),
        ("Which bus is on the near side?", "error"),
    ],
)
def test_a_domain_of_ones_own(question: str, program: str) -> None:
    if program == "error":
        with pytest.raises(QuestionError):
            parse_question(question, STREET)
    else:
        assert equivalent(parse_question(question, STREET), meaning(program, STREET))


# --- the documentation ---

DOCS = (Path(__file__).parent.parent.parent / "docs" / "questions.md").read_text(encoding="utf-8")


def test_the_documented_ambiguities_are_ambiguous() -> None:
    documented = re.findall(r"^\| ([^|]+\?) \| (.+) \|$", DOCS, flags=re.MULTILINE)
    assert len(documented) >= 5
    for question, meanings in documented:
        assert len(readings(question)) == len(meanings.split(" · ")), question


def test_the_documented_questions_of_the_kitchen_are_read() -> None:
    documented = re.findall(r"\*([^*]+\?)\*", DOCS.split("In the bundled kitchen")[1].replace("\n", " "))
    assert len(documented) == 4
    for question in documented:
        assert parse_question(question, KITCHEN)


def test_the_documented_domain_is_one() -> None:
    toml = DOCS.split("```toml\n")[1].split("```")[0]
    domain = parse_domain(
        toml.replace(
            "[attributes.size]", 'name = "doc"\nquestions = "clevr_questions.lark"\n[attributes.size]', 1
        ).replace('inverse = "under"', "")
    )
    for question in ("is the knife on a steel thing", "is the knife as big as the topmost thing", "what is it made of"):
        text = "there is a knife; what is it made of" if question.startswith("what") else question
        assert parse_question(text, domain)
