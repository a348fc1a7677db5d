"""Program text: both surfaces read back what they write, and every fault is told with its place."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.dsl.domain import load_domain
from nsreason.dsl.kinds import Attribute, Concept, Number, Objects
from nsreason.dsl.ops import OpTable, op
from nsreason.errors import ConversionError, ProgramError
from nsreason.programs.program import Call, Program
from nsreason.programs.text_reader import READERS, parse_program
from nsreason.programs.text_writer import format_node, format_program
from tests.support.strategies import domains, programs

CLEVR = load_domain("clevr")
BOTH = pytest.mark.parametrize("surface", READERS)


@pytest.mark.parametrize(
    ("nested", "postfix"),
    [
        ("scene()", "scene"),
        ("count(filter[red](scene()))", "scene filter[red] count"),
        ("equal_integer(number[3](), count(scene()))", "number[3] scene count equal_integer"),
        ("a = scene(); union(a, a)", "scene :a $a union"),
        (
            "a = unique(filter[red](scene())); equal(query[color](a), query[color](a))",
            "scene filter[red] unique :a query[color] $a query[color] equal",
        ),
        (
            "a = scene(); b = filter[red](a); union(intersect(a, b), b)",
            "scene :a $a filter[red] :b intersect $b union",
        ),
    ],
)
def test_both_surfaces_say_the_same(nested: str, postfix: str) -> None:
    program = parse_program(nested)
    assert parse_program(postfix, surface="postfix") == program
    assert format_program(program) == nested
    assert format_program(program, "postfix") == postfix


@BOTH
@given(st.data())
def test_every_program_comes_back_from_its_text(surface: str, data: st.DataObject) -> None:
    domain = data.draw(domains())
    program = data.draw(programs(domain))
    assert parse_program(format_program(program, surface), domain, surface) == program


@pytest.mark.parametrize(
    "text",
    [
        "count(filter[red](scene))",
        "  count (\n\tfilter [ red ] ( scene ( ) )\n)  ",
        "# how many?\ncount( # of\n filter[red](scene()))# the end",
        "count(filter[red](scene()));",
        "a = scene; b = filter[red](a); count(b)",
        "a = count(filter[red](scene())); a",
        "a = scene; b = a; count(filter[red](b))",
    ],
)
def test_free_ways_to_write_one_program(text: str) -> None:
    assert format_program(parse_program(text)) == "count(filter[red](scene()))"


def test_names_of_bindings_step_aside_for_ops(own_ops: OpTable) -> None:
    @op(name="a")
    def a(k, scene, objects: Objects[int]) -> Objects[int]:  # type: ignore[no-untyped-def]
        """The set itself."""
        return objects

    program = Program([Call("scene"), Call("a", (), (0,)), Call("union", (), (1, 1))])
    assert format_program(program) == "b = a(scene()); union(b, b)"
    for surface in READERS:
        assert parse_program(format_program(program, surface), surface=surface) == program


def test_several_literals(own_ops: OpTable) -> None:
    @op
    def odd(k, scene, objects: Objects[int], c: Concept, a: Attribute) -> Number[int]:  # type: ignore[no-untyped-def]
        """Counts something."""
        return k.how_many(objects)

    program = parse_program("odd[red,color](scene)")
    assert format_program(program) == "odd[red, color](scene())"
    assert parse_program(format_program(program, "postfix"), surface="postfix") == program


FAULTS = [
    # text, line, column, message
    ("count(filter[red](count(scene())))", 1, 7, r"filter[concept](objects) -> objects, got (number)"),
    ("count(objects=scene)", 1, 14, "found '='; here could stand '[', '(', ')' or ','"),
    ("cuont(filter[red](scene()))", 1, 1, "no op 'cuont'; did you mean 'count'"),
    ("count(\n  filter[rde](scene()))", 2, 10, "no concept 'rde' in domain 'clevr'; did you mean 'red'?"),
    ("exist(relate[lft](unique(scene)))", 1, 14, "no relation 'lft' in domain 'clevr'; did you mean 'left'?"),
    ("query[colour](unique(scene))", 1, 7, "no attribute 'colour' in domain 'clevr'; did you mean 'color'?"),
    ("filter(scene)", 1, 1, "filter[concept](objects) -> objects takes 1 literal(s), got 0"),
    ("count(scene(), scene())", 1, 1, "count(objects) -> number, got (objects, objects)"),
    ("number[-3]", 1, 8, "'-3' is not a whole number from 0 to 999999999"),
    (
        "equal(query[color](unique(scene)), query[shape](unique(scene)))",
        1,
        1,
        "equal compares values of one attribute, got color and shape",
    ),
    ("", 1, 1, "the text ends; here could stand a name"),
    ("count(filter[red](scene())", 1, 6, "'(' is never closed"),
    ("count(filter[red", 1, 13, "'[' is never closed"),
    ("count(filter[red)(scene())", 1, 17, "found ')', but the '[' before it is still open"),
    ("count(scene()))", 1, 15, "found ')', which closes no bracket"),
    ("count(scene()) exist(scene())", 1, 16, "found 'exist'; here could stand ';' or the end"),
    ("count(scene(),)", 1, 15, "found ')'; here could stand a name"),
    ("count(scene;", 1, 12, "found ';'; here could stand ')' or ','"),
    ("count{scene}", 1, 6, "no program has the character '{'"),
    ("# (\ncount(scene", 2, 6, "'(' is never closed"),
    ("a = scene; count(scene)", 1, 1, "nothing uses 'a'"),
    ("a = scene; a = scene; union(a, a)", 1, 12, "'a' is bound twice"),
    ("scene = scene(); scene", 1, 1, "'scene' is the name of an op"),
    ("abc = scene; count(abd)", 1, 20, "no op 'abd'; did you mean 'abc'?"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), FAULTS)
def test_faults_in_nested_text(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(ProgramError) as error:
        parse_program(text)
    lines = str(error.value).split("\n")
    assert lines[0].startswith(f"line {line}, column {column}: {message}")
    assert lines[1] == "    " + text.split("\n")[line - 1]
    assert lines[2] == " " * (3 + column) + "^"


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("scene filter[red] count count", 25, "count(objects) -> number, got (number)"),
        ("scene union", 7, "union(objects, objects) -> objects, got (objects)"),
        ("count", 1, "count(objects) -> number, got ()"),
        ("scene scene count", 1, "nothing uses the result of scene"),
        ("scene :a count", 8, "nothing uses 'a'"),
        (":a scene", 2, "':a' names the value on top of the stack, which is empty"),
        ("scene :abc $abd union", 13, "no value is named 'abd'; did you mean 'abc'?"),
        ("scene filter[red count", 18, "found 'count'; here could stand ']' or ','"),
        ("scene filter[red]]", 18, "found ']', which closes no bracket"),
        ("scene : count", 9, "'count' is the name of an op"),
        ("scene(", 6, "no program has the character '('"),
    ],
)
def test_faults_in_postfix_text(text: str, column: int, message: str) -> None:
    with pytest.raises(ProgramError) as error:
        parse_program(text, surface="postfix")
    assert str(error.value).startswith(f"line 1, column {column}: {message}")


def test_an_unknown_surface_is_refused() -> None:
    with pytest.raises(ConversionError, match="no surface 'nseted'; did you mean 'nested'"):
        parse_program("scene", surface="nseted")
    with pytest.raises(ConversionError, match="no surface 'prefix'"):
        format_program(parse_program("scene"), "prefix")


@BOTH
@given(text=st.text() | st.text(alphabet="ab()[],;=:$#\n -_scene3é٣"))
def test_no_text_raises_anything_but_program_error(surface: str, text: str) -> None:
    try:
        program = parse_program(text, surface=surface)
    except ProgramError as error:
        assert str(error)
        assert error.position is not None
        assert 0 <= error.position <= len(text)
    else:
        assert parse_program(format_program(program, surface), surface=surface) == program


@BOTH
@given(program=programs(CLEVR, max_calls=8), seed=st.integers(0, 2**32))
def test_mutated_programs_are_read_or_refused(surface: str, program: Program, seed: int) -> None:
    rng = Random(seed)
    pieces = list(format_program(program, surface))
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(pieces) + 1)
        what = rng.randrange(3)
        if what == 0:
            del pieces[place : place + rng.randint(1, 5)]
        elif what == 1:
            pieces[place:place] = rng.choice([*"()[],;=a#\n", ":a ", "$a ", "scene"])
        else:
            other = rng.randrange(len(pieces) + 1)
            pieces[place:place] = pieces[other : other + 8]
    text = "".join(pieces)
    try:
        read = parse_program(text, surface=surface)
    except ProgramError as error:
        assert error.position is not None
        assert str(error)
    else:
        assert parse_program(format_program(read, surface), surface=surface) == read


@BOTH
def test_ten_thousand_calls_deep(surface: str) -> None:
    program = Program([Call("scene"), *(Call("filter", ("red",), (i,)) for i in range(10_000))])
    assert parse_program(format_program(program, surface), surface=surface) == program
    shared = Program([Call("scene"), *(Call("union", (), (i, i)) for i in range(10_000))])
    assert parse_program(format_program(shared, surface), surface=surface) == shared
    with pytest.raises(ProgramError, match="never closed"):
        parse_program("count(" * 10_000)


def test_show_node_is_the_subtree_and_short() -> None:
    program = parse_program("count(union(filter[red](scene()), filter[blue](scene())))")
    assert format_node(program, 1) == "filter[red](scene())"
    assert format_node(program, len(program) - 1) == format_program(program)
    deep = Program([Call("scene"), *(Call("union", (), (i, i)) for i in range(100))])
    text = format_node(deep, 100)
    assert len(text) <= 120
    assert text.startswith("a = scene(); b = union(a, a);")
    assert " ... " in text
    shared = parse_program("a = scene; b = filter[red](a); union(a, b)")
    assert format_node(shared, 1) == "filter[red](scene())"  # names are for what is shared below the node


def test_grammars_say_no_more_than_one_thing() -> None:
    """Each surface's text is refused by the other, so a wrong `surface` is noticed."""
    texts = {"nested": "count(scene())", "postfix": "scene count"}
    for one, other in itertools.permutations(texts):
        with pytest.raises(ProgramError):
            parse_program(texts[one], surface=other)
