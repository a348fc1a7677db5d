"""The exception tree: messages, records, and pickling, by which errors return from worker processes."""

from __future__ import annotations

import pickle

import pytest

from nsreason import errors
from nsreason.errors import (
    CheckpointError,
    ConversionError,
    DataError,
    DomainError,
    ExecutionError,
    LockError,
    NoSingleValue,
    NotUnique,
    NsreasonError,
    ProgramError,
    QuestionError,
    RecipeError,
    SceneError,
    TrainingError,
    caret,
    did_you_mean,
    line_and_column,
    nearest,
)

EXAMPLES: list[NsreasonError] = [
    NsreasonError("anything"),
    DomainError("no concept 'rde'"),
    ProgramError("no op 'cuont'", node=2),
    ProgramError("no op 'cuont'", text="count(\ncuont)", position=7),
    ConversionError("the dialect has no union"),
    QuestionError("no word 'tird'", text="how many tird", position=9, expected=["a noun"], near=["third"]),
    SceneError("no color 'rde'", path="$.objects[1].color"),
    DataError("cannot read it"),
    LockError("process 1 is writing to this folder"),
    RecipeError("no key 'epoch'"),
    CheckpointError("no tensor 'head.weight'"),
    TrainingError("lesson 1 has no example"),
    ExecutionError("of another domain", node=1),
    NotUnique("met 2 objects", node=3, objects=(0, 4)),
    NoSingleValue("name", 2, ("cup", "mug"), node=4, where="query[name]: "),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda e: type(e).__name__)
def test_errors_survive_pickling(error: NsreasonError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.record() == error.record()
    assert vars(again) == vars(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda e: type(e).__name__)
def test_records_are_plain_data(error: NsreasonError) -> None:
    record = error.record()
    assert record["kind"] == type(error).__name__
    assert record["message"] and isinstance(record["message"], str)
    assert all(v is None or isinstance(v, str | int | list) for v in record.values())


def test_the_examples_cover_the_tree() -> None:
    named = {e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, NsreasonError)}
    assert {type(e) for e in EXAMPLES} == named
    for error in named:
        assert error.__name__ in (errors.__doc__ or "") + "NsreasonError"


def test_exit_codes_tell_bad_input_from_no_answer() -> None:
    for error in EXAMPLES:
        assert error.exit_code == (1 if isinstance(error, ExecutionError) else 2)


def test_a_program_error_points_into_its_text() -> None:
    assert str(EXAMPLES[3]) == "line 2, column 1: no op 'cuont'\n    cuont)\n    ^"
    assert str(EXAMPLES[2]) == "node 2: no op 'cuont'"
    assert str(ProgramError("a program has at least one call")) == "a program has at least one call"


def test_a_question_error_says_what_could_stand_there() -> None:
    assert str(EXAMPLES[5]) == (
        "column 10: no word 'tird'; did you mean 'third'?\n"
        "    how many tird\n"
        "             ^\n"
        "    could stand here: a noun"
    )


def test_a_scene_error_moves_under_a_larger_document() -> None:
    moved = SceneError("no color 'rde'", path="$.objects[1].color").under("$.scenes[3]")
    assert str(moved) == "no color 'rde' - at `$.scenes[3].objects[1].color`"
    assert SceneError("x").under("$.scenes[3]").path == "$.scenes[3]"


def test_names_near_and_far() -> None:
    known = ["red", "green", "blue"]
    assert did_you_mean("rde", known) == "; did you mean 'red'?"
    assert did_you_mean("xyzzy", known) == "; known: red, green, blue"
    assert did_you_mean("xyzzy", []) == ""
    assert did_you_mean("xyzzy", [f"name{i:02}" for i in range(21)]) == ""
    assert did_you_mean("gren", iter(known)) == "; did you mean 'green'?"
    assert nearest("gren", known) == ["green"]


def test_a_name_is_never_offered_for_itself() -> None:
    assert nearest("red", ["red", "reed"]) == ["reed"]
    assert did_you_mean("red", ["red"]) == "; known: red"


def test_near_names_are_found_among_very_many() -> None:
    names = [f"attribute_{k}" for k in range(10_000)]
    assert nearest("atribute_77", names)[0] == "attribute_77"
    assert nearest("x" * 200_000, names) == []


LONG = "x" * 200_000


@pytest.mark.parametrize(
    "error",
    [
        NsreasonError(LONG),
        DomainError(f"no concept '{LONG}'{did_you_mean(LONG, [LONG + 'y', 'red'])}"),
        ProgramError(f"no op '{LONG}'", node=1),
        ProgramError(f"no op '{LONG}'", text=LONG, position=100_000),
        ProgramError("no op", text="count(" * 50_000 + "\n" * 50_000, position=60_000),
        QuestionError(f"the word '{LONG}'", text=LONG, position=3, expected=[LONG] * 7, near=[LONG] * 3),
        QuestionError("it", text=LONG, position=200_000, hints=lambda: ([LONG], [LONG])),
        SceneError(f"no color '{LONG}'", path=f"$.objects[0].{LONG}"),
        SceneError(LONG, path="$." + LONG).under("$.scenes[0]"),
        DataError("line\n" * 100_000),
        ExecutionError(LONG, node=1),
        NotUnique(LONG, node=1, objects=(1, 2)),
    ],
    ids=lambda e: type(e).__name__,
)
def test_messages_echo_no_more_than_fits(error: NsreasonError) -> None:
    lines = str(error).split("\n")
    assert len(lines) <= 41 and max(map(len, lines)) <= 400
    assert len(str(error)) < 2_000
    assert len(str(error.record()["message"])) <= 300
    assert len(str(pickle.loads(pickle.dumps(error)))) < 2_000
    assert len(repr(error)) < 1_000


def test_what_is_cut_keeps_its_start_and_its_end() -> None:
    message = str(DataError(f"the file '{LONG}' is not valid; did you mean 'that'?"))
    assert len(message) == 300
    assert message.startswith("the file 'xxxx") and message.endswith("xx' is not valid; did you mean 'that'?")
    assert str(DataError("y" * 300)) == "y" * 300


def test_names_are_cut_before_what_is_said_of_them() -> None:
    said = "no such scene; " + "the collection has others, which are listed by its index; " * 3
    message = str(DataError(f"/home/{'deep/' * 40}scenes.json: {said}"))
    assert len(message) == 300 and message.endswith(f"scenes.json: {said}") and message.startswith("/home/deep/")


@pytest.mark.parametrize("position", [0, 1, 59, 60, 61, 500, 939, 940, 999, 1000])
def test_a_caret_stands_under_its_character_of_a_long_line(position: int) -> None:
    text = "".join(chr(0x4E00 + k) for k in range(1000))
    line, mark = caret(f"before\n{text}\nafter", position + 7).split("\n")
    assert len(line) <= 4 + 120 + 6
    assert mark.endswith("^") and mark[:-1].isspace()
    assert line[len(mark) - 1 : len(mark)] == text[position : position + 1]


def test_hints_are_worked_out_when_they_are_read() -> None:
    calls = []

    def hints() -> tuple[list[str], list[str]]:
        calls.append(1)
        return ["a noun"], ["cube"]

    error = QuestionError("no word", text="how many kube", position=9, hints=hints)
    assert error.reason == "no word" and not calls
    assert error.near == ("cube",) and error.expected == ("a noun",) and "did you mean 'cube'?" in str(error)
    assert len(calls) == 1
    lazy = QuestionError("no word", text="how many kube", position=9, hints=hints)
    assert str(pickle.loads(pickle.dumps(lazy))) == str(error)


@pytest.mark.parametrize(
    ("position", "shown", "place"),
    [
        (0, "    ab\n    ^", (1, 1)),
        (3, "    cd\n    ^", (2, 1)),
        (4, "    cd\n     ^", (2, 2)),
        (5, "    cd\n      ^", (2, 3)),
    ],
)
def test_carets(position: int, shown: str, place: tuple[int, int]) -> None:
    assert caret("ab\ncd", position) == shown
    assert line_and_column("ab\ncd", position) == place


def test_a_tab_is_one_column_wide() -> None:
    assert caret("\tab", 1) == "     ab\n     ^"
