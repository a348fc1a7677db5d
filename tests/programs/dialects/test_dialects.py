"""Dialects: what each says, what comes back, what is lost and said to be, and what is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.dsl.domain import Domain, load_domain, parse_domain
from nsreason.errors import ConversionError, NsreasonError, ProgramError
from nsreason.executors import execute
from nsreason.programs.canonical import equivalent
from nsreason.programs.dialects.registry import (
    DIALECTS,
    ClevrNode,
    from_clevr,
    from_ns_vqa,
    from_nscl,
    read_program,
    to_clevr,
    to_ns_vqa,
    to_nscl,
    write_program,
)
from nsreason.programs.program import Call, Program
from nsreason.programs.text_reader import parse_program
from nsreason.programs.text_writer import format_program
from nsreason.scenes.scene import Scene
from tests.support.strategies import programs

CLEVR = load_domain("clevr")
# The domain restricted to the ops that CLEVR's own programs have (minus is CLEVR-Math's): programs drawn from it can be
# converted.
NATIVE = tuple(op for op in dict.fromkeys(CLEVR.file.native.values()) if op != "minus")
OFFICIAL = Domain(msgspec.structs.replace(CLEVR.file, ops=NATIVE))

QUERY = "query[size](unique(relate[left](unique(filter[cube](filter[red](scene()))))))"
LESS = "less(count(filter[red](scene())), count(union(scene(), filter[blue](scene()))))"
EQUAL = "equal(query[color](unique(filter[cube](scene()))), query[color](unique(filter[sphere](scene()))))"
SAME = "exist(same[shape](unique(filter[small](scene()))))"


# --- CLEVR ---


def test_released_layout() -> None:
    assert to_clevr(parse_program("exist(same[shape](unique(filter[red](scene()))))")) == [
        {"inputs": [], "function": "scene", "value_inputs": []},
        {"inputs": [0], "function": "filter_color", "value_inputs": ["red"]},
        {"inputs": [1], "function": "unique", "value_inputs": []},
        {"inputs": [2], "function": "same_shape", "value_inputs": []},
        {"inputs": [3], "function": "exist", "value_inputs": []},
    ]


def test_raw_layout() -> None:
    program = parse_program("count(relate[left](unique(scene())))")
    nodes = to_clevr(program, "raw")
    assert nodes[2] == {"inputs": [1], "type": "relate", "side_inputs": ["left"]}
    for node in nodes:
        node["_output"] = "__INVALID__"  # what the generator leaves there is not read
    assert from_clevr(nodes) == program


def test_native_names_that_differ_from_ours() -> None:
    names = [n["function"] for n in to_clevr(parse_program(f"{EQUAL[:-1]})"))]
    assert names[-1] == "equal_color"
    assert to_clevr(parse_program(LESS))[-1]["function"] == "less_than"
    assert to_clevr(parse_program(LESS.replace("less", "greater")))[-1]["function"] == "greater_than"


@given(programs(OFFICIAL))
def test_clevr_keeps_everything(program: Program) -> None:
    assert from_clevr(to_clevr(program), OFFICIAL) == program
    assert from_clevr(to_clevr(program, "raw"), OFFICIAL) == program
    nodes = msgspec.convert(to_clevr(program), list[ClevrNode])
    assert from_clevr(nodes, OFFICIAL) == program


def node(function: str, *inputs: int, value: str | None = None) -> dict[str, Any]:
    return {"function": function, "inputs": list(inputs), "value_inputs": [value] if value else []}


S = node("scene")
COLOR = [S, node("unique", 0), node("query_color", 1)]


@pytest.mark.parametrize(
    ("nodes", "at", "message"),
    [
        ([S, node("filter_color", 0, value="cube")], 1, "takes a value of color, 'cube' is one of shape"),
        ([S, node("filter_color", 0, value="rde")], 1, "no concept 'rde' in domain 'clevr'; did you mean"),
        ([S, node("filtre_color", 0, value="red")], 1, "no function 'filtre_color'; did you mean"),
        ([S, node("filter", 0, value="red")], 1, "no function 'filter'"),
        ([S, node("filter_color", 0)], 1, r"filter_color takes 1 value input\(s\), got 0"),
        ([S, node("count", 0, value="red")], 1, r"count takes 0 value input\(s\), got 1"),
        ([*COLOR, node("query_color", 1, value="red")], 3, r"query_color takes 0 value input\(s\), got 1"),
        ([S, node("count")], 1, r"count\(objects\) -> number, got \(\)"),
        ([S, node("count", 0, 0)], 1, r"count\(objects\) -> number, got \(objects, objects\)"),
        ([S, node("count", 1)], 1, "count: input 1 is not an earlier call"),
        ([S, node("count", -1)], 1, "count: input -1 is not an earlier call"),
        ([S, S, node("count", 0)], 1, "nothing uses the result of scene"),
        ([*COLOR, node("equal_shape", 2, 2)], 3, "equal_shape compares values of shape, got values of color"),
        ([*COLOR, node("query_size", 1), node("equal_color", 2, 3)], 4, "compares values of one attribute"),
        ([{"type": "scene"}, {"inputs": [0]}], 1, "the node has neither 'function' nor 'type'"),
        ([{}], 0, "the node has neither 'function' nor 'type'"),
        ([], None, "at least one node"),
        ([S, {"function": "count", "inputs": [True]}], None, r"got `bool` - at `\$\[1\].inputs\[0\]`"),
        ([S, {"function": "count", "inputs": ["0"]}], None, r"Expected `int`, got `str`"),
        ([S, {"function": 3}], None, r"Expected `str`, got `int` - at `\$\[1\].function`"),
        ([S, "count"], None, r"Expected `object`, got `str` - at `\$\[1\]`"),
        ({"program": []}, None, "Expected `array`"),
    ],
)
def test_clevr_nodes_that_are_refused(nodes: Any, at: int | None, message: str) -> None:
    with pytest.raises(ProgramError, match=message) as error:
        from_clevr(nodes)
    assert error.value.node == at


def test_reading_is_strict_after_the_same_name_was_read_well() -> None:
    assert from_clevr([S, node("filter_color", 0, value="red")]) == parse_program("filter[red](scene)")
    with pytest.raises(ConversionError):
        from_clevr([S, node("filter_shape", 0, value="red")])


def test_raw_reading_accepts_value_inputs() -> None:
    nodes = [{"type": "scene"}, {"type": "filter_shape", "inputs": [0], "value_inputs": ["cube"]}]
    assert from_clevr(nodes) == parse_program("filter[cube](scene())")


def test_any_domain_with_native_names_is_read_and_written() -> None:
    domain = parse_domain(
        """
        name = "shelf"
        attributes.kind.values = { book = {}, box = {} }
        relations.above = { words = ["above"] }
        [native]
        all = "scene"
        "is_{attribute}" = "filter"
        the = "unique"
        next = "relate"
        many = "distinct"
        """
    )
    nodes = [node("all"), node("is_kind", 0, value="book"), node("the", 1), node("next", 2, value="above")]
    nodes.append(node("many", 3, value="kind"))
    program = from_clevr(nodes, domain)
    assert format_program(program) == "distinct[kind](relate[above](unique(filter[book](scene()))))"
    assert [dict(n) for n in to_clevr(program)] == nodes
    with pytest.raises(ConversionError, match="data set of 'shelf' has no function for 'count'"):
        to_clevr(parse_program("count(scene)", domain))


def test_a_domain_without_native_names_says_so() -> None:
    message = r"domain 'kitchen' has no \[native\] table"
    with pytest.raises(ConversionError, match=message):
        from_clevr([S], "kitchen")
    with pytest.raises(ConversionError, match=message):
        to_clevr(parse_program("scene", "kitchen"))
    with pytest.raises(ConversionError, match=message):
        to_ns_vqa(parse_program("scene", "kitchen"))


def test_a_native_name_of_an_op_that_there_is_not() -> None:
    domain = parse_domain('name = "x"\nattributes.a.values = { b = {} }\nnative = { all = "scnee" }')
    with pytest.raises(ConversionError, match="'all' is the op 'scnee', which there is not"):
        from_clevr([node("all")], domain)


@pytest.mark.parametrize("dialect", ["clevr", "clevr-raw", "ns-vqa", "ns-cl"])
@pytest.mark.parametrize("text", ["negate(exist(scene))", "number[3]", "extreme[left](scene)", "only(unique(scene))"])
def test_ops_that_only_nsreason_has_are_named(text: str, dialect: str) -> None:
    op = text.partition("(")[0].partition("[")[0]
    with pytest.raises(ConversionError, match=f"'{op}'"):
        write_program(parse_program(text), dialect)


def test_an_unknown_layout() -> None:
    with pytest.raises(ConversionError, match="no layout 'realeased'"):
        to_clevr(parse_program("scene"), "realeased")  # type: ignore[arg-type]


# --- NS-VQA ---


def test_ns_vqa_tokens() -> None:
    assert to_ns_vqa(parse_program(LESS.replace("union(scene(), filter[blue](scene()))", "scene()"))) == [
        "less_than",
        "count",
        "filter_color[red]",
        "scene",
        "count",
        "scene",
    ]
    assert write_program(parse_program(QUERY), "ns-vqa") == (
        "query_size unique relate[left] unique filter_shape[cube] filter_color[red] scene"
    )


@pytest.mark.parametrize("text", [QUERY, EQUAL, SAME, "scene()", "union(scene(), filter[red](scene()))"])
def test_ns_vqa_keeps_trees(text: str) -> None:
    program = parse_program(text)
    tokens = to_ns_vqa(program)
    assert from_ns_vqa(tokens) == program
    assert from_ns_vqa(" ".join(tokens)) == program
    assert from_ns_vqa(["<START>", *tokens, "<END>", "<NULL>", "count"]) == program


def test_ns_vqa_writes_shared_calls_twice() -> None:
    shared = parse_program("a = unique(filter[red](scene)); equal(query[color](a), query[color](a))")
    again = from_ns_vqa(to_ns_vqa(shared))
    assert again != shared
    assert equivalent(again, shared)


def test_ns_vqa_cannot_nest_ops_of_two_inputs() -> None:
    with pytest.raises(ConversionError, match=r"one op of two inputs at most .* has 2: union, less"):
        to_ns_vqa(parse_program(LESS))
    assert format_program(from_ns_vqa("union union scene scene scene")) == "union(union(scene(), scene()), scene())"


@pytest.mark.parametrize(
    ("tokens", "column", "message"),
    [
        ("count filter_color[cube] scene", 7, "filter_color takes a value of color, 'cube' is one of shape"),
        ("count filtre_color[red] scene", 7, "no function 'filtre_color'; did you mean 'filter_color'"),
        ("count scene scene", 13, "the program is complete before this"),
        ("union scene", 1, r"union takes 2 input(s), but 1 follow"),
        ("count count scene", 1, "count(objects) -> number, got (number)"),
        ("count filter_color[red scene", 7, "'filter_color[red' is not a token: op or op[value]"),
        ("equal_object unique scene unique scene", 1, "NS-VQA has no 'equal_object'"),
        ("<START> <END>", 1, "there are no tokens"),
        ("", 1, "there are no tokens"),
    ],
)
def test_ns_vqa_tokens_that_are_refused(tokens: str, column: int, message: str) -> None:
    with pytest.raises(ConversionError) as error:
        from_ns_vqa(tokens)
    assert str(error.value).startswith(f"line 1, column {column}: {message}")


# --- NS-CL ---


def test_nscl_merges_filters_and_implies_unique() -> None:
    assert to_nscl(parse_program(QUERY)) == [
        {"op": "scene", "inputs": []},
        {"op": "filter", "inputs": [0], "concept": ["red", "cube"]},
        {"op": "relate", "inputs": [1], "relational_concept": ["left"]},
        {"op": "query", "inputs": [2], "attribute": "size"},
    ]


def test_nscl_comparisons_absorb_counts_and_queries() -> None:
    assert to_nscl(parse_program(LESS)) == [
        {"op": "scene", "inputs": []},
        {"op": "filter", "inputs": [0], "concept": ["red"]},
        {"op": "scene", "inputs": []},
        {"op": "scene", "inputs": []},
        {"op": "filter", "inputs": [3], "concept": ["blue"]},
        {"op": "union", "inputs": [2, 4]},
        {"op": "count_less", "inputs": [1, 5]},
    ]
    assert to_nscl(parse_program(EQUAL))[-1] == {
        "op": "query_attribute_equal",
        "inputs": [1, 3],
        "attribute": "color",
    }
    assert to_nscl(parse_program(SAME))[-2:] == [
        {"op": "relate_attribute_equal", "inputs": [1], "attribute": "shape"},
        {"op": "exist", "inputs": [2]},
    ]


@pytest.mark.parametrize("text", [QUERY, LESS, EQUAL, SAME, "count(scene())", "filter[red](scene())"])
def test_nscl_keeps_trees(text: str) -> None:
    program = parse_program(text)
    assert from_nscl(to_nscl(program)) == program


def test_nscl_shared_filters() -> None:
    """'red, or red and small': NS-CL's own translator makes both branches red and small, and counts one."""
    program = parse_program("a = filter[red](scene); count(union(a, filter[small](a)))")
    ops = to_nscl(program)
    kept = copy.deepcopy(ops)
    assert from_nscl(ops) == program
    assert ops == kept
    objects = [{"size": s, "color": "red", "material": "metal", "shape": "cube"} for s in ("small", "large")]
    assert execute(from_nscl(ops), Scene.of("clevr", objects)) == 2


def nscl(*ops: tuple[str, list[int], dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"op": name, "inputs": inputs, **more} for name, inputs, more in ops]


@pytest.mark.parametrize(
    ("ops", "text"),
    [
        (  # the two sides of a comparison
            nscl(
                ("scene", [], {}),
                ("filter", [0], {"concept": ["red"]}),
                ("query_attribute_equal", [1, 1], {"attribute": "color"}),
            ),
            "a = unique(filter[red](scene())); equal(query[color](a), query[color](a))",
        ),
        (  # consumers of three kinds, of which others stand between
            nscl(
                ("scene", [], {}),
                ("filter", [0], {"concept": ["red"]}),
                ("relate", [1], {"relational_concept": ["left"]}),
                ("relate_attribute_equal", [1], {"attribute": "size"}),
                ("relate", [1], {"relational_concept": ["behind"]}),
                ("intersect", [2, 3], {}),
                ("union", [5, 4], {}),
                ("count", [6], {}),
            ),
            "a = unique(filter[red](scene()));"
            "count(union(intersect(relate[left](a), same[size](a)), relate[behind](a)))",
        ),
        (  # of other sets that are made alike, each has its own
            nscl(
                ("scene", [], {}),
                ("filter", [0], {"concept": ["red"]}),
                ("filter", [0], {"concept": ["red"]}),
                ("query_attribute_equal", [1, 2], {"attribute": "color"}),
            ),
            "s = scene(); equal(query[color](unique(filter[red](s))), query[color](unique(filter[red](s))))",
        ),
    ],
    ids=["comparison", "kinds", "others"],
)
def test_nscl_consumers_of_one_set_share_its_one_object(ops: list[dict[str, Any]], text: str) -> None:
    program = from_nscl(ops)
    wanted = parse_program(text)
    assert program == wanted
    assert [c.op for c in program.calls].count("unique") == [c.op for c in wanted.calls].count("unique")


def test_writing_twice_gives_the_same() -> None:
    program = parse_program(QUERY)
    assert to_nscl(program) == to_nscl(program)


@given(programs(OFFICIAL))
def test_nscl_says_an_equivalent_program_or_names_what_it_cannot(program: Program) -> None:
    try:
        ops = to_nscl(program)
    except ConversionError as error:
        assert error.node is not None
        lost = program.calls[error.node].op
        assert f"'{lost}'" in str(error)
        assert lost in ("equal_object", "minus") or (lost == "unique" and error.node == len(program) - 1)
    else:
        assert equivalent(from_nscl(ops, OFFICIAL), program)


@given(programs(OFFICIAL))
def test_ns_vqa_says_an_equivalent_program_or_why_not(program: Program) -> None:
    pairs = sum(len(call.inputs) == 2 for call in program.calls)
    if pairs > 1 or any(call.op in ("equal_object", "minus") for call in program.calls):
        with pytest.raises(ConversionError):
            to_ns_vqa(program)
    else:
        assert equivalent(from_ns_vqa(to_ns_vqa(program), OFFICIAL), program)


@pytest.mark.parametrize(
    ("ops", "at", "message"),
    [
        ([{"op": "scene"}, {"op": "fitler", "inputs": [0]}], 1, "no op 'fitler'; did you mean 'filter'"),
        ([{"op": "scene"}, {"op": "filter", "inputs": [0]}], 1, "filter takes one 'concept', got 0"),
        ([{"op": "scene", "inputs": [0]}], 0, r"scene takes 0 input\(s\), got 1"),
        ([{"op": "scene", "concept": ["red"]}], 0, "scene takes no 'concept'"),
        ([{"op": "scene"}, {"op": "count", "inputs": [1]}], 1, "count: input 1 is not an earlier op"),
        (
            [{"op": "scene"}, {"op": "filter", "inputs": [0], "concept": ["rde"]}],
            1,
            "filter: no concept 'rde' in domain 'clevr'; did you mean 'red'?",
        ),
        (
            [{"op": "scene"}, {"op": "relate", "inputs": [0], "relational_concept": ["left", "right"]}],
            1,
            "relate takes one 'relational_concept', got 2",
        ),
        (
            [{"op": "scene"}, {"op": "count", "inputs": [0]}, {"op": "exist", "inputs": [1]}],
            2,
            r"exist: exist\(objects\) -> truth, got \(number\)",
        ),
        ([{"op": "scene"}, {"op": "scene"}], 0, "scene: nothing uses the result of scene"),
        ([{"op": 3}], None, "Expected `str`, got `int`"),
        ([], None, "at least one call"),
    ],
)
def test_nscl_sequences_that_are_refused(ops: list[dict[str, Any]], at: int | None, message: str) -> None:
    with pytest.raises(ConversionError, match=message) as error:
        from_nscl(ops)
    assert error.value.node == at


def test_nscl_extra_keys_are_ignored() -> None:
    ops = [{"op": "scene"}, {"op": "filter", "inputs": [0], "concept": ["red"], "concept_idx": 0}]
    assert from_nscl(ops) == parse_program("filter[red](scene())")


# --- text ---


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", [QUERY, EQUAL, SAME])
def test_every_dialect_keeps_what_all_can_say(dialect: str, text: str) -> None:
    program = parse_program(text)
    assert read_program(write_program(program, dialect), dialect) == program


@pytest.mark.parametrize("dialect", ["clevr", "clevr-raw", "ns-cl"])
@pytest.mark.parametrize("text", ["", "[", "nul", "{}", "3", "[1]", "[NaN]", '["\\ud800"]', "\ud800", "[" * 100_000])
def test_bad_json(dialect: str, text: str) -> None:
    with pytest.raises(ConversionError, match=r"not valid JSON|not a program of this dialect"):
        read_program(text, dialect)


def test_an_unknown_dialect() -> None:
    with pytest.raises(ConversionError, match="no dialect 'nscl'; did you mean 'ns-cl'"):
        read_program("scene", "nscl")
    with pytest.raises(ConversionError, match="no dialect 'clever'; did you mean 'clevr'"):
        write_program(parse_program("scene"), "clever")


@pytest.mark.parametrize("dialect", DIALECTS)
@given(program=programs(OFFICIAL, max_calls=8), data=st.data())
def test_mutated_text_is_read_or_refused(dialect: str, program: Program, data: st.DataObject) -> None:
    try:
        text = write_program(program, dialect)
    except ConversionError:
        text = '[{"op":"scene","inputs":[]}]'
    start, length = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 6))
    put = data.draw(st.text(alphabet='[]{},:"019 abc_-é', max_size=3))
    mutated = text[:start] + put + text[start + length :]
    try:
        read = read_program(mutated, dialect, OFFICIAL)
    except ProgramError as error:
        assert str(error)
    else:
        assert Program(read.calls, OFFICIAL) == read


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["function", "type", "op", "inputs", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([4, 2, 7], "tokens are text, got int 4; numbers are of a vocabulary"),
        (["count", None], "tokens are text, got NoneType None"),
        (["count", b"scene"], "tokens are text, got bytes b'scene'"),
        (b"count scene", "a text or a list of its tokens, got bytes"),
        (7, "a text or a list of its tokens, got int"),
        (None, "a text or a list of its tokens, got NoneType"),
    ],
)
def test_ns_vqa_tokens_that_are_no_text(tokens: Any, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        from_ns_vqa(tokens)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("data", [b"scene", 5, None, ["scene"]])
def test_a_program_that_is_no_text_is_refused(dialect: str, data: Any) -> None:
    with pytest.raises(ConversionError, match="a program of a dialect is a text, got"):
        read_program(data, dialect)


@given(_JSON)
def test_no_data_raises_anything_but_our_errors(data: Any) -> None:
    for reader in (from_clevr, from_nscl, from_ns_vqa):
        try:
            reader(data)
        except NsreasonError as error:
            assert isinstance(error, ProgramError)
        else:
            pytest.fail(f"{reader.__name__} made a program of {json.dumps(data)}")


def test_deep_programs_pass_through_every_dialect() -> None:
    calls = [Call("scene"), *(Call("filter", ("red",), (i,)) for i in range(10_000))]
    program = Program([*calls, Call("count", (), (10_000,))])
    for dialect in DIALECTS:
        assert read_program(write_program(program, dialect), dialect) == program
