"""The op table: how ops register, which are refused, and own ops that run in both executors."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest

from nsreason.dsl.algebra import Algebra, View
from nsreason.dsl.domain import load_domain
from nsreason.dsl.kinds import Attribute, Concept, Integer, Number, Object, Objects, Relation, Truth, Word
from nsreason.dsl.ops import OPS, Op, OpTable, op, read_signature
from nsreason.errors import DomainError, NotUnique, ProgramError
from nsreason.executors import execute, execute_batch
from nsreason.executors.compiler import compiled
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene

T = TypeVar("T")

SCENE = Scene.of(
    "clevr",
    [
        {"size": "large", "color": "red", "material": "metal", "shape": "cube"},
        {"size": "small", "color": "red", "material": "rubber", "shape": "cube"},
        {"size": "small", "color": "blue", "material": "rubber", "shape": "sphere"},
    ],
    relationships={"left": [[], [0], [0, 1]], "behind": [[1], [], []]},
)


def both_ways(*calls: Call) -> Any:
    """The answer, the same from the interpreter and from the schedule."""
    program = Program(calls, "clevr")
    answer = execute(program, SCENE)
    # Repeated and beside another program, so that the schedule runs columns of several values.
    other = Program([Call("scene"), Call("count", (), (0,))], "clevr")
    assert execute_batch([program, other, program], [SCENE] * 3) == [answer, 3, answer]
    return answer


# --- the table ---


def test_signatures_are_read_from_annotations() -> None:
    assert OPS["filter"].signature == "filter[concept](objects) -> objects"
    assert OPS["scene"].signature == "scene() -> objects"
    assert OPS["number"].signature == "number[integer]() -> number"
    assert OPS["union"].signature == "union(objects, objects) -> objects"
    assert OPS["query"].signature == "query[attribute](object) -> word"


@pytest.mark.parametrize("name", OPS)
def test_every_op_says_in_a_sentence_what_it_means(name: str) -> None:
    doc = OPS[name].doc
    assert doc.endswith(".") and len(doc) > 8


def test_an_unknown_op_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(KeyError, match="no op 'cuont'; did you mean 'count'"):
        OPS["cuont"]
    assert "cuont" not in OPS
    assert OPS.get("cuont") is None


def test_the_table_lists_ops_in_the_order_of_their_definition() -> None:
    assert list(OPS)[:3] == ["scene", "filter", "relate"]
    assert len(OPS) == len(list(OPS))


# --- registration ---


def test_a_parameter_without_a_kind_is_refused(own_ops: OpTable) -> None:
    with pytest.raises(DomainError, match="op 'bad': parameter 'objects' is not annotated with a kind"):

        @op
        def bad(k: Algebra[T], scene: View[T], objects: T) -> Objects[T]:
            return objects

    with pytest.raises(DomainError, match="op 'bare': parameter 'objects' is not annotated with a kind"):

        @op
        def bare(k, scene, objects) -> Objects[T]:  # type: ignore[no-untyped-def]
            return objects

    assert "bad" not in own_ops and "bare" not in own_ops


def test_a_result_without_a_kind_is_refused(own_ops: OpTable) -> None:
    with pytest.raises(DomainError, match="op 'bad': the result is not annotated with a kind of value"):

        @op
        def bad(k: Algebra[T], scene: View[T], objects: Objects[T]) -> T:
            return objects

    with pytest.raises(DomainError, match="op 'literal': the result is not annotated with a kind of value"):

        @op
        def literal(k: Algebra[T], scene: View[T], concept: Concept) -> Concept:
            return concept


def test_an_op_takes_an_algebra_and_a_scene_first(own_ops: OpTable) -> None:
    with pytest.raises(DomainError, match="op 'bad': the first two parameters are the algebra and the scene"):

        @op
        def bad(k: Algebra[T]) -> Truth[T]:
            return k.number(1)


def test_starred_parameters_are_refused(own_ops: OpTable) -> None:
    with pytest.raises(DomainError, match="op 'bad': parameter 'sets' must be an ordinary one, not starred"):

        @op
        def bad(k: Algebra[T], scene: View[T], *sets: Objects[T]) -> Objects[T]:
            return sets[0]


def test_an_annotation_that_cannot_be_read_is_refused() -> None:
    def bad(k: Any, scene: Any, objects: Any) -> Any: ...

    bad.__annotations__["objects"] = "Objcts[int]"
    with pytest.raises(DomainError, match="op 'bad': an annotation cannot be read: name 'Objcts'"):
        read_signature(bad, name="bad")


def test_only_an_op_of_two_inputs_of_one_kind_commutes(own_ops: OpTable) -> None:
    message = "op 'bad': only an op of two inputs of one kind can commute"
    with pytest.raises(DomainError, match=message):

        @op(commutes=True, name="bad")
        def one(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Objects[T]:
            return objects

    with pytest.raises(DomainError, match=message):

        @op(commutes=True, name="bad")
        def mixed(k: Algebra[T], scene: View[T], objects: Objects[T], anchor: Object[T]) -> Objects[T]:
            return objects


def test_a_name_is_taken_once(own_ops: OpTable) -> None:
    with pytest.raises(DomainError, match=r"the op 'count' is already defined by nsreason\.dsl\.ops\.count"):

        @op(name="count")
        def mine(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Number[T]:
            return k.how_many(objects)


def test_the_same_function_defined_anew_takes_effect(own_ops: OpTable) -> None:
    """As in a notebook whose cell is run again: programs built afterwards use the new definition."""

    def define(n: int) -> None:
        @op
        def constant(k: Algebra[T], scene: View[T]) -> Number[T]:
            return k.number(n)

    define(1)
    assert both_ways(Call("constant")) == 1
    define(2)
    assert both_ways(Call("constant")) == 2


# --- ops of one's own ---


def test_an_op_joins_text_programs_and_both_executors(own_ops: OpTable) -> None:
    @op
    def alone(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Truth[T]:
        """Whether the set has exactly one member."""
        return k.equal(k.how_many(objects), k.number(1))

    assert "alone" in load_domain("clevr").ops
    for concept, answer in (("blue", True), ("red", False), ("green", False)):
        result = both_ways(Call("scene"), Call("filter", (concept,), (0,)), Call("alone", (), (1,)))
        assert result is answer


def test_an_op_of_three_inputs(own_ops: OpTable) -> None:
    @op
    def majority(k: Algebra[T], scene: View[T], a: Objects[T], b: Objects[T], c: Objects[T]) -> Objects[T]:
        """The objects in at least two of three sets."""
        return k.either(k.either(k.both(a, b), k.both(a, c)), k.both(b, c))

    sets = [Call("scene")] + [Call("filter", (c,), (0,)) for c in ("red", "small", "sphere")]
    assert both_ways(*sets, Call("majority", (), (1, 2, 3))) == (1, 2)
    assert both_ways(*sets, Call("majority", (), (1, 2, 3)), Call("count", (), (4,))) == 2
    with pytest.raises(
        ProgramError, match=r"majority\(objects, objects, objects\) -> objects, got \(objects, objects\)"
    ):
        Program([*sets[:3], Call("majority", (), (1, 2))], "clevr")


def test_an_op_of_two_literals_in_any_order_of_its_parameters(own_ops: OpTable) -> None:
    @op
    def related_and(
        k: Algebra[T], scene: View[T], relation: Relation, anchor: Object[T], concept: Concept
    ) -> Objects[T]:
        """The objects with the value that stand in the relation to the anchor."""
        return k.both(k.follow(anchor, scene.table("relation", relation)), scene.members("concept", concept))

    assert own_ops["related_and"].signature == "related_and[relation, concept](object) -> objects"
    blue = Call("scene"), Call("filter", ("blue",), (0,)), Call("unique", (), (1,))
    assert both_ways(*blue, Call("related_and", ("left", "cube"), (2,))) == (0, 1)
    assert both_ways(*blue, Call("related_and", ("left", "metal"), (2,))) == (0,)
    with pytest.raises(ProgramError, match=r"takes 2 literal\(s\), got 1"):
        Program([*blue, Call("related_and", ("left",), (2,))], "clevr")
    with pytest.raises(ProgramError, match="node 3: no relation 'cube' in domain 'clevr'"):
        Program([*blue, Call("related_and", ("cube", "left"), (2,))], "clevr")


def test_ops_with_more_inputs_and_literals_than_the_schedule_holds(own_ops: OpTable) -> None:
    """Their programs go to the interpreter, the rest of the batch does not."""

    @op
    def any_of(k: Algebra[T], scene: View[T], a: Objects[T], b: Objects[T], c: Objects[T], d: Objects[T]) -> Objects[T]:
        """The objects in any of four sets."""
        return k.either(k.either(a, b), k.either(c, d))

    @op
    def neither(k: Algebra[T], scene: View[T], objects: Objects[T], a: Concept, b: Concept, c: Concept) -> Objects[T]:
        """The objects of the set that have none of three values."""
        wrong = k.either(
            scene.members("concept", a), k.either(scene.members("concept", b), scene.members("concept", c))
        )
        return k.both(objects, k.negate(wrong))

    sets = [Call("scene")] + [Call("filter", (c,), (0,)) for c in ("blue", "metal", "green", "yellow")]
    assert both_ways(*sets, Call("any_of", (), (1, 2, 3, 4))) == (0, 2)
    assert both_ways(Call("scene"), Call("neither", ("blue", "metal", "green"), (0,))) == (1,)


def test_an_op_that_branches_on_a_value_runs_on_the_plain_algebra(own_ops: OpTable) -> None:
    """It cannot become one expression; comparing or adding values must not slip into a wrong one either."""

    @op
    def if_any(k: Any, scene: Any, a: Objects[T], b: Objects[T]) -> Objects[T]:
        """The first set, unless it is empty; then the second."""
        return a if k.some(a) else b

    @op
    def more(k: Any, scene: Any, a: Number[T], b: Number[T]) -> Truth[T]:
        """Whether the first number is greater; written with Python's own comparison."""
        return k.number(1) if a > b else k.number(0)

    @op
    def plus(k: Any, scene: Any, a: Number[T], b: Number[T]) -> Number[T]:
        """The sum; written with Python's own operator."""
        return k.minus(a + b, k.number(0))

    assert compiled(own_ops["if_any"]).__name__ == "run"
    blue, green = Call("filter", ("blue",), (0,)), Call("filter", ("green",), (0,))
    assert both_ways(Call("scene"), blue, Call("if_any", (), (0, 1))) == (0, 1, 2)
    assert both_ways(Call("scene"), green, Call("filter", ("blue",), (0,)), Call("if_any", (), (1, 2))) == (2,)
    two, ten = Call("number", ("2",)), Call("number", ("10",))
    assert both_ways(two, ten, Call("more", (), (0, 1))) is False
    assert both_ways(ten, two, Call("more", (), (0, 1))) is True
    assert both_ways(ten, two, Call("plus", (), (0, 1))) == 12


def test_a_unique_inside_an_op_reports_the_call(own_ops: OpTable) -> None:
    @op
    def left_of_it(k: Algebra[T], scene: View[T], objects: Objects[T], relation: Relation) -> Objects[T]:
        """What stands in the relation to the only member."""
        return k.follow(k.the(objects), scene.table("relation", relation))

    @op
    def needs_one(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Number[T]:
        """One, if the set has one member; else no answer. The result of `the` is not used."""
        k.the(objects)
        return k.number(1)

    blue = Call("filter", ("blue",), (0,))
    assert both_ways(Call("scene"), blue, Call("left_of_it", ("left",), (1,))) == (0, 1)
    assert both_ways(Call("scene"), blue, Call("needs_one", (), (1,))) == 1
    for name, literals in (("left_of_it", ("left",)), ("needs_one", ())):
        program = Program([Call("scene"), Call(name, literals, (0,))], "clevr")
        with pytest.raises(NotUnique, match="met 3 objects") as error:
            execute(program, SCENE)
        assert (error.value.node, error.value.objects) == (1, (0, 1, 2))
        assert isinstance(execute_batch([program], [SCENE])[0], NotUnique)


def test_a_bare_complement_is_refused(own_ops: OpTable) -> None:
    """The algebra's complement holds objects that no scene has; as a result, or counted, it would be
    nonsense.
    """

    @op
    def others(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Objects[T]:
        """Wrong: everything else, and more."""
        return k.negate(objects)

    @op
    def how_many_others(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Number[T]:
        """Wrong as well."""
        return k.how_many(k.negate(objects))

    @op
    def rest(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Objects[T]:
        """Right."""
        return k.both(scene.universe("object"), k.negate(objects))

    @op
    def sneaky(k: Any, scene: Any, objects: Objects[T]) -> Objects[T]:
        """Wrong, where no expression shows it."""
        return k.negate(objects) if k.some(objects) else objects

    red = Call("scene"), Call("filter", ("red",), (0,))
    for name in ("others", "how_many_others"):
        with pytest.raises(DomainError, match=f"op '{name}': a complement stands alone; intersect it"):
            execute(Program([*red, Call(name, (), (1,))], "clevr"), SCENE)
    with pytest.raises(DomainError, match="op 'sneaky' returned a complement for a set of objects"):
        execute(Program([*red, Call("sneaky", (), (1,))], "clevr"), SCENE)
    assert both_ways(*red, Call("rest", (), (1,))) == (2,)


def test_an_op_that_returns_no_value_is_refused(own_ops: OpTable) -> None:
    @op
    def forgot(k: Any, scene: Any, objects: Objects[T]) -> Objects[T]:
        """Wrong: returns nothing."""

    with pytest.raises(DomainError, match="op 'forgot' returned None, not a value of the algebra"):
        execute(Program([Call("scene"), Call("forgot", (), (0,))], "clevr"), SCENE)


def test_an_expression_that_would_explode_falls_back(own_ops: OpTable) -> None:
    """Each round uses the value twice: as text it would double sixty times."""

    @op
    def doubled(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Objects[T]:
        """The set, joined with itself again and again."""
        for _ in range(60):
            objects = k.either(objects, objects)
        return objects

    assert both_ways(Call("scene"), Call("doubled", (), (0,))) == (0, 1, 2)


def test_a_deep_expression_falls_back(own_ops: OpTable) -> None:
    """Python's own parser has a limit of nesting; an op may go beyond it."""

    @op
    def deep(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Objects[T]:
        """Negated an even number of times."""
        for _ in range(400):
            objects = k.negate(objects)
        return k.both(scene.universe("object"), objects)

    assert both_ways(Call("scene"), Call("filter", ("red",), (0,)), Call("deep", (), (1,))) == (0, 1)


@pytest.mark.parametrize("kinds", [Word, Attribute, Integer], ids=["word", "attribute", "integer"])
def test_kinds_tell_literals_from_inputs(kinds: Any) -> None:
    def f(k: Any, scene: Any, x: Any) -> Any: ...

    f.__annotations__.update({"x": kinds, "return": Truth})
    read: Op = read_signature(f, name="f")
    assert (len(read.literals), len(read.inputs)) == ((0, 1) if kinds is Word else (1, 0))
