"""Programs as values: what is refused, equality, hashing, pickling, and the pictures."""

from __future__ import annotations

import copy
import pickle

import networkx
import pytest
from hypothesis import given

from nsreason.dsl.domain import load_domain
from nsreason.dsl.kinds import TRUTH, WORD
from nsreason.errors import ProgramError
from nsreason.programs.program import TREE_DEPTH, Call, Program
from nsreason.programs.text_reader import parse_program
from tests.support.strategies import programs

CLEVR = load_domain("clevr")
SCENE = Call("scene")
SHARED = [
    SCENE,
    Call("filter", ("red",), (0,)),
    Call("unique", (), (1,)),
    Call("query", ("color",), (2,)),
    Call("query", ("color",), (2,)),
    Call("equal", (), (3, 4)),
]


@pytest.mark.parametrize(
    ("calls", "node", "message"),
    [
        ([], None, "a program has at least one call"),
        ([Call("cuont")], 0, "no op 'cuont'; did you mean 'count'"),
        ([SCENE, Call("filter", ("rde",), (0,))], 1, "no concept 'rde' in domain 'clevr'; did you mean"),
        ([SCENE, Call("filter", (), (0,))], 1, r"takes 1 literal\(s\), got 0"),
        ([SCENE, Call("count", (), ())], 1, r"count\(objects\) -> number, got \(\)"),
        ([SCENE, Call("count", (), (0, 0))], 1, r"count\(objects\) -> number, got \(objects, objects\)"),
        ([SCENE, Call("count", (), (0,)), Call("count", (), (1,))], 2, r"-> number, got \(number\)"),
        ([SCENE, Call("count", (), (1,))], 1, "count: input 1 is not an earlier call"),
        ([SCENE, Call("count", (), (-1,))], 1, "count: input -1 is not an earlier call"),
        ([SCENE, Call("count", (), (0.0,))], 1, r"earlier calls, got \(0.0"),  # type: ignore[arg-type]
        ([SCENE, Call("count", (), ("0",))], 1, "numbers of earlier calls"),  # type: ignore[arg-type]
        ([SCENE, SCENE], 0, "nothing uses the result of scene; the last call is the answer"),
        (
            [
                *SHARED[:4],
                Call("query", ("shape",), (2,)),
                SHARED[5],
            ],
            5,
            "equal compares values of one attribute, got color and shape",
        ),
    ],
)
def test_faults_are_refused_and_the_call_is_named(calls: list[Call], node: int | None, message: str) -> None:
    for _ in range(2):  # a form that was refused is refused again
        with pytest.raises(ProgramError, match=message) as error:
            Program(calls)
        assert error.value.node == node


def test_a_known_form_does_not_vouch_for_other_literals() -> None:
    assert Program(SHARED).kind is TRUTH
    mixed = [*SHARED[:4], Call("query", ("size",), (2,)), SHARED[5]]
    with pytest.raises(ProgramError, match="got color and size"):
        Program(mixed)


def test_calls_come_in_postorder_whatever_their_order() -> None:
    right_first = [
        SCENE,
        Call("filter", ("red",), (0,)),
        SCENE,
        Call("filter", ("blue",), (2,)),
        Call("union", (), (3, 1)),
    ]
    left_first = [
        SCENE,
        Call("filter", ("blue",), (0,)),
        SCENE,
        Call("filter", ("red",), (2,)),
        Call("union", (), (1, 3)),
    ]
    for _ in range(2):  # the second time, the form is known
        assert Program(right_first) == Program(left_first)
        assert Program(right_first).calls == tuple(left_first)


def test_equality_sees_sharing_and_the_domain() -> None:
    once = Program([SCENE, Call("union", (), (0, 0))])
    twice = Program([SCENE, SCENE, Call("union", (), (0, 1))])
    assert once != twice
    assert once == Program([SCENE, Call("union", (), (0, 0))])
    assert hash(once) == hash(Program([SCENE, Call("union", (), (0, 0))]))
    assert Program([SCENE], "clevr") != Program([SCENE], "kitchen")
    assert once != "union"
    assert len({once, twice, Program(once.calls)}) == 2


@given(programs(CLEVR))
def test_a_program_survives_pickling_and_copying(program: Program) -> None:
    again = pickle.loads(pickle.dumps(program))
    assert again == program
    assert hash(again) == hash(program)
    assert copy.copy(program) is program
    assert copy.deepcopy([program])[0] is program
    assert Program(program.calls, program.domain) == program


def test_kind_depth_and_length() -> None:
    program = Program(SHARED)
    assert (program.kind, len(program), program.depth) == (TRUTH, 6, 5)
    assert Program(SHARED[:4]).kind is WORD
    assert Program([SCENE]).depth == 1


def test_text_and_repr() -> None:
    program = Program(SHARED)
    text = "a = unique(filter[red](scene())); equal(query[color](a), query[color](a))"
    assert str(program) == text
    assert repr(program) == f"Program({text!r}, domain='clevr')"


def test_tree() -> None:
    assert Program(SHARED).to_tree() == (
        "equal\n"
        "├── query[color]\n"
        "│   └── unique (#2)\n"
        "│       └── filter[red]\n"
        "│           └── scene\n"
        "└── query[color]\n"
        "    └── unique (see #2)"
    )
    small = Program([SCENE, Call("exist", (), (0,))])
    assert small.to_tree(note=lambda node: f"  <- {node}") == "exist  <- 1\n└── scene  <- 0"


def test_dot() -> None:
    assert Program([SCENE, Call("filter", ("red",), (0,)), Call("union", (), (0, 1))]).to_dot() == (
        "digraph program {\n"
        "  rankdir=BT;\n"
        '  node [shape=box, fontname="monospace"];\n'
        '  n0 [label="scene"];\n'
        '  n1 [label="filter[red]"];\n'
        "  n0 -> n1;\n"
        '  n2 [label="union", peripheries=2];\n'
        "  n0 -> n2;\n"
        "  n1 -> n2;\n"
        "}"
    )


def test_networkx() -> None:
    graph = Program([SCENE, Call("filter", ("red",), (0,)), Call("union", (), (1, 1))]).to_networkx()
    assert graph.graph == {"domain": "clevr", "answer": 2}
    assert graph.nodes[1] == {"op": "filter", "literals": ("red",), "kind": "objects", "label": "filter[red]"}
    assert dict(graph.edges) == {(0, 1): {"places": (0,)}, (1, 2): {"places": (0, 1)}}


@given(programs(CLEVR))
def test_the_graph_is_acyclic_and_as_deep_as_the_program(program: Program) -> None:
    graph = program.to_networkx()
    assert len(graph) == len(program)
    assert networkx.dag_longest_path_length(graph) + 1 == program.depth
    assert [n for n, degree in graph.out_degree if degree == 0] == [len(program) - 1]


def test_ten_thousand_calls_deep() -> None:
    calls = [SCENE, *(Call("filter", ("red",), (i,)) for i in range(10_000))]
    program = Program(calls)
    assert program.depth == 10_001
    assert pickle.loads(pickle.dumps(program)) == program
    shared = [SCENE, *(Call("union", (), (i, i)) for i in range(10_000))]
    assert Program(shared).depth == 10_001


def test_a_deep_tree_goes_on_at_the_margin() -> None:
    """Lines that grow with every level would make 200 MB of a chain of 10,000 calls."""
    n = 10_000
    chain = Program([Call("scene"), *(Call("extreme", ("left",), (i,)) for i in range(n - 1))])
    lines = chain.to_tree(lambda node: f" = {node}").split("\n")
    assert max(map(len, lines)) <= 4 * TREE_DEPTH + 40
    assert len(lines) <= n + n // TREE_DEPTH + 1
    drawn = [int(line.rpartition(" = ")[2]) for line in lines if " = " in line]
    assert sorted(drawn) == list(range(n))  # every call once
    pointed = {line.partition("(see #")[2] for line in lines if "(see #" in line}
    margins = {line.partition("(#")[2].partition(")")[0] + ")" for line in lines[1:] if line[:1] not in " └├│"}
    assert pointed == margins


def test_a_deep_tree_draws_shared_calls_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsreason.programs.program.TREE_DEPTH", 2)
    bindings = "a = extreme[left](scene()); b = union(extreme[front](extreme[left](a)), a); "
    assert parse_program(bindings + "count(union(b, extreme[left](b)))").to_tree().split("\n") == [
        "count",
        "└── union",
        "    ├── union (see #4)",
        "    └── extreme[left] (see #5)",
        "extreme[left] (#5)",
        "└── union (#4)",
        "    ├── extreme[front] (see #3)",
        "    └── extreme[left] (see #1)",
        "extreme[left] (#1)",
        "└── scene",
        "extreme[front] (#3)",
        "└── extreme[left]",
        "    └── extreme[left] (see #1)",
    ]
