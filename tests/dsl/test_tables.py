"""Declarations of tables and of kinds of worlds; and what it takes to add an op, a table, a sort."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

import pytest

from nsreason.dsl.algebra import Algebra, View
from nsreason.dsl.domain import AttributeEntry, Domain, DomainFile, ValueEntry, load_domain
from nsreason.dsl.kinds import Kind, Number, Objects
from nsreason.dsl.op_summary import summary_of
from nsreason.dsl.ops import OPS, OpTable, op
from nsreason.dsl.tables import SCENE, TABLES, WORLD_KINDS, Table, WorldKind, declare, declare_world
from nsreason.errors import DomainError
from nsreason.executors import execute, execute_batch
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
from nsreason.scenes.world import Parts
from tests.support import toy_video

T = TypeVar("T")
Row = Annotated[T, Kind("row", "one row of a shelf", "one", sort="row")]
ShelfRows = Annotated[T, Kind("rows", "a set of rows of a shelf", "set", sort="row")]


@pytest.fixture
def own_tables() -> Iterator[None]:
    saved = [(d, dict(d)) for d in (TABLES._by_name, WORLD_KINDS._by_name)]  # type: ignore[call-overload]
    yield
    for declarations, before in saved:
        declarations.clear()
        declarations.update(before)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (Table("relation", (), "object"), "the table 'relation' is already declared otherwise"),
        (Table("back", ("object",), "object", None, ("converse", "relation")), "has other sorts, or another literal"),
        (Table("back", ("object",), "event", None, ("closure", "concept")), "closure of 'concept' has other sorts"),
        (Table("back", ("object",), "object", None, ("later", "relatoin")), "no table 'relatoin'; did you mean"),
    ],
    ids=str,
)
def test_declarations_that_do_not_fit_are_refused(own_tables: None, table: Table, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        declare(table)


@pytest.mark.parametrize("name", ["", "two words", "_private", "1st", "in"])
def test_a_table_is_named_by_an_identifier(name: str) -> None:
    with pytest.raises(DomainError, match="a table's name is an identifier"):
        Table(name, (), "object")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (WorldKind("odd", ("object",), ("converse",)), "table 'converse' needs 'relation'"),
        (WorldKind("odd", ("event",), ("concept",)), "table 'concept' is of object"),
        (WorldKind("odd", ("object", "relation"), ()), "'relation' cannot be the name of a sort"),
        (WorldKind("odd", ("object", "_row"), ()), "'_row' cannot be the name of a sort"),
        (WorldKind("odd", ("object", "class"), ()), "'class' cannot be the name of a sort"),
        (WorldKind("scene", ("object",), ()), "the kind of world 'scene' is already declared otherwise"),
    ],
    ids=str,
)
def test_kinds_of_worlds_that_do_not_fit_are_refused(own_tables: None, kind: WorldKind, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        declare_world(kind)


# --- what belongs where ---


def test_video_ops_do_not_reach_scenes() -> None:
    with toy_video.registered() as domain:
        clevr = load_domain("clevr")
        assert not set(clevr.ops) & set(toy_video.OP_NAMES)
        with pytest.raises(DomainError, match="does not admit the op 'moving_at': a scene has no frame, moving"):
            clevr.step("moving_at", ())
        with pytest.raises(DomainError, match="does not admit the op 'relate': a toy video has no relation"):
            domain.step("relate", ("left",))
    assert not set(toy_video.OP_NAMES) & set(OPS) and "before" not in TABLES


def test_literals_are_said_of_one_sort() -> None:
    with toy_video.registered() as domain:
        assert domain.names(toy_video.EVENT_TYPE) == ("collision", "enter", "exit")
        with pytest.raises(DomainError, match="no concept 'collision' in domain 'toy video'"):
            domain.step("filter", ("collision",))
        with pytest.raises(DomainError, match="no event_type 'red' in domain 'toy video'"):
            domain.step("of_type", ("red",))
        for attribute in ("type", "heading"):
            with pytest.raises(DomainError, match=f"no attribute '{attribute}' in domain"):
                domain.step("query", (attribute,))


def test_attributes_are_of_sorts_that_the_worlds_have() -> None:
    entry = AttributeEntry({"hit": ValueEntry()}, of=("event",))
    with pytest.raises(DomainError, match=r"attribute 'type': of \['event'\], but a scene has the sorts object"):
        Domain(DomainFile("odd", {"type": entry}))


def test_the_sort_that_an_op_takes_one_of_is_known() -> None:
    with toy_video.registered():
        wanted = {"unique": "object", "frame_of": "frame", "first": "event", "partner": "object", "heading": "object"}
        for name, sort in wanted.items():
            summary = summary_of(OPS[name])
            assert summary is not None and summary.singles == (sort,), name
        summary = summary_of(OPS["count"])
        assert summary is not None and summary.singles == ()


# --- adding: everything that it takes stands in these tests ---


def test_adding_an_op_takes_one_function(own_ops: OpTable) -> None:
    @op
    def twins(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Objects[T]:
        """The members that share their colour with a member."""
        return k.both(objects, k.reach(objects, scene.table("alike", 1)))

    clevr = load_domain("clevr")
    looks = {"size": "large", "material": "metal", "shape": "cube"}
    scene = Scene.of(clevr, [looks | {"color": c} for c in ("red", "blue", "red")])
    program = Program([Call("scene"), Call("twins", (), (0,))], clevr)
    assert execute(program, scene) == execute_batch([program], [scene])[0] == (0, 2)


def test_adding_a_table_and_a_sort_takes_declarations_and_a_world(own_ops: OpTable, own_tables: None) -> None:
    declare(Table("on", ("row",), "object"))
    declare(Table("row_of", ("object",), "row", None, ("converse", "on")))
    declare_world(WorldKind("shelf", ("object", "row"), (*SCENE.tables, "on", "row_of"), bounded=("object", "row")))

    class Shelf(Scene):
        """A scene whose objects stand in rows, three in each."""

        __slots__ = ()

        def size(self, sort: str) -> int:
            return len(self) if sort == "object" else -(-len(self) // 3)

        def rows(self, table: str, literal: int) -> Any:
            if table != "on":
                return super().rows(table, literal)
            every = (1 << len(self)) - 1
            return [(0b111 << 3 * i) & every for i in range(self.size("row"))]

        def parts(self, sort: str, i: int) -> Parts:
            return Parts((i,)) if sort == "object" else Parts(tuple(range(3 * i, min(3 * i + 3, len(self)))))

        def label(self, sort: str, i: int) -> str:
            return self.describe(i) if sort == "object" else ""

    @op
    def rows_of(k: Algebra[T], scene: View[T], objects: Objects[T]) -> ShelfRows[T]:
        """The rows that hold a member of the set."""
        return k.reach(objects, scene.table("row_of"))

    @op
    def count_rows(k: Algebra[T], scene: View[T], rows: ShelfRows[T]) -> Number[T]:
        """The number of rows in the set."""
        return k.how_many(rows)

    @op
    def only_row(k: Algebra[T], scene: View[T], rows: ShelfRows[T]) -> Row[T]:
        """The only row of the set."""
        return k.the(rows)

    colors = AttributeEntry({"red": ValueEntry(), "blue": ValueEntry()})
    domain = Domain(DomainFile("shelves", {"color": colors}, world="shelf"))
    shelf = Shelf.of(domain, [{"color": c} for c in ("red", "red", "blue", "blue", "red", "blue", "blue")])
    reds = [Call("scene"), Call("filter", ("red",), (0,)), Call("rows_of", (), (1,))]
    counted = Program([*reds, Call("count_rows", (), (2,))], domain)
    single = Program([*reds, Call("only_row", (), (2,))], domain)
    assert execute(counted, shelf) == execute_batch([counted], [shelf])[0] == 2
    assert "met 2 rows: 0, 1" in str(execute_batch([single], [shelf])[0])


@pytest.mark.parametrize("sort", ["world", "family", "rows", "tables"])
@pytest.mark.parametrize("table", ["world", "family", "rows", "tables"])
def test_no_name_of_a_sort_or_table_hides_what_executors_use(
    own_ops: OpTable, own_tables: None, sort: str, table: str
) -> None:
    if sort == table:
        return
    declare(Table(table, ("object",), "object"))
    declare(Table("back", ("object",), "object", None, ("converse", table)))
    declare_world(WorldKind("row", ("object", sort), (*SCENE.tables, table, "back"), bounded=("object",)))

    class Row(Scene):
        """Objects in a row, each linked to the next."""

        __slots__ = ()

        def size(self, sort: str) -> int:
            return len(self)

        def rows(self, name: str, literal: int) -> Any:
            last = len(self) - 1
            return [1 << i + 1 if i < last else 0 for i in range(len(self))] if name == table else []

    @op
    def behind(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Objects[T]:
        """What members of the set are linked to."""
        return k.both(scene.universe("object"), k.reach(objects, scene.table(table)))

    @op
    def ahead(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Objects[T]:
        """What is linked to members of the set."""
        return k.both(scene.universe("object"), k.reach(objects, scene.table("back")))

    domain = Domain(
        DomainFile("row", {"color": AttributeEntry({"red": ValueEntry(), "blue": ValueEntry()})}, world="row")
    )
    row = Row.of(domain, [{"color": c} for c in ("blue", "red", "blue")])
    reds = [Call("scene"), Call("filter", ("red",), (0,))]
    programs = [Program([*reds, Call(name, (), (1,))], domain) for name in ("behind", "ahead")]
    assert [execute(p, row) for p in programs] == execute_batch(programs, [row, row]) == [(2,), (0,)]
