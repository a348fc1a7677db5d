"""Executors by example: answers and their types, errors that name the call, batches, and inputs left
untouched.
"""

from __future__ import annotations

import contextlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

from nsreason.dsl.domain import load_domain, parse_domain
from nsreason.errors import ExecutionError, NotUnique, NsreasonError, SceneError
from nsreason.executors import SceneBatch, execute, execute_batch, execute_values, spell, trace
from nsreason.executors.bitsets import tables_of
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
from tests.support.strategies import random_domain, random_program, random_world

RED_CUBE = {"size": "large", "color": "red", "material": "metal", "shape": "cube"}
RED_BALL = {"size": "small", "color": "red", "material": "rubber", "shape": "sphere"}
BLUE_BALL = {"size": "small", "color": "blue", "material": "rubber", "shape": "sphere"}
# From left to right: red cube, red ball, blue ball; the blue ball stands behind the others.
SCENE = Scene.of(
    "clevr",
    [RED_CUBE, RED_BALL, BLUE_BALL],
    relationships={"left": [[], [0], [0, 1]], "behind": [[2], [2], []]},
)


def program(*calls: tuple[Any, ...], domain: str = "clevr") -> Program:
    """`("filter", "red", 0)`: an op, its literals as text, its inputs as numbers."""
    parts = []
    for name, *rest in calls:
        literals = tuple(x for x in rest if isinstance(x, str))
        parts.append(Call(name, literals, tuple(x for x in rest if isinstance(x, int))))
    return Program(parts, domain)


BLUE = ("scene",), ("filter", "blue", 0), ("unique", 1)
CUBE = ("scene",), ("filter", "cube", 0), ("unique", 1)

GOLDEN: list[tuple[Any, tuple[tuple[Any, ...], ...]]] = [
    ((0, 1, 2), (("scene",),)),
    ((0, 1), (("scene",), ("filter", "red", 0))),
    (2, BLUE),
    ("sphere", (*BLUE, ("query", "shape", 2))),
    ((0, 1), (*BLUE, ("relate", "left", 2))),
    ((), (*BLUE, ("relate", "right", 2))),
    ((1,), (*BLUE, ("same", "shape", 2))),
    ((), (*CUBE, ("same", "shape", 2))),
    ((0, 1), (("scene",), ("filter", "sphere", 0), ("relate_any", "left", 1))),
    ((0,), (("scene",), ("extreme", "left", 0))),
    ((1,), (("scene",), ("filter", "sphere", 0), ("extreme", "left", 1))),
    ((0, 1, 2), (("scene",), ("filter", "cube", 0), ("filter", "sphere", 0), ("union", 1, 2))),
    ((1,), (("scene",), ("filter", "red", 0), ("filter", "sphere", 0), ("intersect", 1, 2))),
    ((0,), (("scene",), ("filter", "red", 0), ("filter", "sphere", 0), ("difference", 1, 2))),
    ((2,), (*BLUE, ("only", 2))),
    (2, (("scene",), ("filter", "red", 0), ("count", 1))),
    (2, (("scene",), ("distinct", "color", 0))),
    (1, (("scene",), ("filter", "sphere", 0), ("distinct", "size", 1))),
    (-2, (("number", "1"), ("number", "3"), ("minus", 0, 1))),
    (False, (("scene",), ("filter", "green", 0), ("exist", 1))),
    (True, (("scene",), ("filter", "green", 0), ("exist", 1), ("negate", 2))),
    (
        False,
        (
            *BLUE,
            ("query", "color", 2),
            ("filter", "cube", 0),
            ("unique", 4),
            ("query", "color", 5),
            ("equal", 3, 6),
        ),
    ),
    (True, (*BLUE, ("equal_object", 2, 2))),
    (True, (("number", "1"), ("number", "3"), ("less", 0, 1))),
    (False, (("number", "1"), ("number", "3"), ("greater", 0, 1))),
    (False, (("number", "3"), ("number", "3"), ("less", 0, 1))),
    (True, (("number", "3"), ("number", "3"), ("equal_integer", 0, 1))),
    (False, (("scene",), ("exist", 0), ("negate", 1), ("both", 1, 2))),
    (True, (("scene",), ("exist", 0), ("negate", 1), ("either", 1, 2))),
]


@pytest.mark.parametrize(("answer", "calls"), GOLDEN, ids=[" ".join(c[0] for c in calls) for _, calls in GOLDEN])
def test_golden_answers(answer: Any, calls: tuple[tuple[Any, ...], ...]) -> None:
    asked = program(*calls)
    for result in (execute(asked, SCENE), execute_batch([asked], [SCENE])[0], trace(asked, SCENE).answer):
        assert result == answer
        assert type(result) is type(answer)


def test_answers_are_spelt_as_in_the_release() -> None:
    assert [spell(a) for a in (True, False, 0, 3, "red", (0, 2), ())] == [
        "yes",
        "no",
        "0",
        "3",
        "red",
        "0 2",
        "",
    ]


# --- no answer ---


def test_several_objects_are_not_one() -> None:
    asked = program(("scene",), ("filter", "red", 0), ("unique", 1), ("query", "shape", 2))
    with pytest.raises(NotUnique) as caught:
        execute(asked, SCENE)
    assert str(caught.value) == (
        "node 2: unique(filter[red](scene())) met 2 objects: 0 (large red metal cube), 1 (small red rubber sphere)"
    )
    assert (caught.value.node, caught.value.objects) == (2, (0, 1))
    assert caught.value.record()["objects"] == [0, 1]


def test_no_object_is_not_one() -> None:
    with pytest.raises(NotUnique, match=r"^node 2: unique\(filter\[green\]\(scene\(\)\)\) met no object$") as caught:
        execute(program(("scene",), ("filter", "green", 0), ("unique", 1)), SCENE)
    assert caught.value.objects == ()


def test_a_long_list_of_objects_is_cut_short() -> None:
    many = Scene.of("clevr", [BLUE_BALL] * 70)
    with pytest.raises(NotUnique, match=r"met 70 objects: 0 \(.*\), 7 \(small.*\) and 62 more$") as caught:
        execute(program(("scene",), ("unique", 0)), many)
    assert caught.value.objects == tuple(range(70))


def test_the_first_failing_call_is_reported_even_where_the_answer_does_not_need_it() -> None:
    """As in the CLEVR question engine: an invalid call ends the program, whatever stands behind it."""
    asked = program(
        ("scene",),
        ("filter", "green", 0),
        ("unique", 1),
        ("relate", "left", 2),
        ("union", 0, 3),
        ("count", 4),
    )
    with pytest.raises(NotUnique) as caught:
        execute(asked, SCENE)
    assert caught.value.node == 2


def test_a_message_about_a_shared_program_stays_short() -> None:
    """Written out as a tree, this program would have 2**60 calls."""
    calls = [Call("scene"), *(Call("union", (), (i, i)) for i in range(60)), Call("unique", (), (60,))]
    with pytest.raises(NotUnique, match="met 3 objects") as caught:
        execute(Program(calls), SCENE)
    assert len(str(caught.value)) < 10_000


def test_a_long_chain_of_calls() -> None:
    """Nothing recurses: 50,000 calls deep is slow to write, not a stack overflow."""
    calls = [Call("scene"), *(Call("filter", ("red",), (i,)) for i in range(50_000))]
    deep = Program(calls)
    assert execute(deep, SCENE) == (0, 1)
    assert execute_batch([deep], [SCENE]) == [(0, 1)]


def test_program_and_scene_must_be_of_one_domain() -> None:
    street = parse_domain('name = "street"\n[attributes.kind.values]\ncar = {}\n')
    other = Scene.of(street, [{"kind": "car"}])
    asked = program(("scene",), ("count", 0))
    message = "the program is of domain 'clevr', the scene of domain 'street'"
    with pytest.raises(ExecutionError, match=message):
        execute(asked, other)
    with pytest.raises(ExecutionError, match=message):
        execute_values(asked, other)
    with pytest.raises(ExecutionError, match=message):
        execute_batch([asked], [other])


def test_an_equal_domain_read_again_will_do() -> None:
    twin = pickle.loads(pickle.dumps(load_domain("clevr")))
    scene = Scene.of(twin, [RED_CUBE])
    assert execute(program(("scene",), ("count", 0)), scene) == 1
    assert execute_batch([program(("scene",), ("count", 0))], [scene]) == [1]


# --- batches ---


def test_a_batch_may_be_empty() -> None:
    assert execute_batch([], []) == []
    assert execute_batch([], [SCENE]) == []


def test_which_scene_is_whose() -> None:
    count = program(("scene",), ("count", 0))
    scenes = [Scene.of("clevr", [RED_CUBE] * n) for n in range(4)]
    assert execute_batch([count] * 4, scenes) == [0, 1, 2, 3]
    assert execute_batch([count] * 5, scenes, [3, 3, 0, 1, 2]) == [3, 3, 0, 1, 2]
    batch = SceneBatch(scenes)
    assert execute_batch([count], batch, [2]) == execute_batch([count], batch, [2]) == [2]
    with pytest.raises(ExecutionError, match="2 programs need as many scene indices"):
        execute_batch([count] * 2, scenes, [0])
    for wrong in ([4], [-1]):
        with pytest.raises(ExecutionError, match=r"a scene index is outside 0\.\.3"):
            execute_batch([count], scenes, wrong)
    with pytest.raises(ExecutionError, match="1 programs and 0 scenes; a scene for each program is expected"):
        execute_batch([count], [])
    with pytest.raises(ExecutionError, match="there are 0 scenes"):
        execute_batch([count], [], [0])
    for unread in ([0.5], ["a"], [10**30], [None]):
        with pytest.raises(ExecutionError, match="which: whole numbers"):
            execute_batch([count], scenes, unread)  # type: ignore[arg-type]


def test_a_batch_reports_errors_in_place() -> None:
    """A scene that lacks a relation, a program without an answer and good programs side by side."""
    blind = Scene.of("clevr", [RED_CUBE])
    count = program(("scene",), ("count", 0))
    left = program(*CUBE, ("relate", "left", 2), ("count", 3))
    green = program(("scene",), ("filter", "green", 0), ("unique", 1))
    asked = [count, left, green, left, count]
    answers = execute_batch(asked, [SCENE, SCENE, SCENE, blind, blind])
    assert answers[:2] == [3, 0]
    assert isinstance(answers[2], NotUnique) and answers[2].node == 2
    assert isinstance(answers[3], SceneError) and "says nothing of 'left'" in str(answers[3])
    assert answers[4] == 1


def test_errors_of_a_batch_are_those_of_the_interpreter() -> None:
    rng = Random(11)
    domain = random_domain(rng, 3, 3)
    worlds = [random_world(rng, domain, rng.choice([0, 3, 64, 65])) for _ in range(30)]
    asked = [random_program(rng, domain, max_calls=20) for _ in worlds]
    failures = 0
    for one, world, result in zip(asked, worlds, execute_batch(asked, [w.scene for w in worlds]), strict=True):
        try:
            assert execute(one, world.scene) == result
        except NsreasonError as error:
            failures += 1
            assert isinstance(result, NsreasonError) and result.record() == error.record()
    assert failures > 5


# --- inputs stay as they are ---


def test_one_program_on_two_scenes_and_two_programs_on_one_scene() -> None:
    count = program(("scene",), ("filter", "red", 0), ("count", 1))
    blue = program(*BLUE, ("query", "shape", 2))
    other = Scene.of("clevr", [RED_BALL, BLUE_BALL])
    for _ in range(2):
        assert (execute(count, SCENE), execute(count, other)) == (2, 1)
        assert (execute(blue, SCENE), execute(blue, other)) == ("sphere", "sphere")
        assert execute_batch([count, count, blue], [SCENE, other, SCENE]) == [2, 1, "sphere"]


def test_execution_changes_neither_program_nor_scene() -> None:
    rng = Random(12)
    for _ in range(20):
        domain = random_domain(rng, 3, 3)
        world = random_world(rng, domain, 5)
        asked = random_program(rng, domain, scene=world.scene)
        record = world.scene.to_dict()
        before = pickle.dumps((asked, world.scene))
        text, calls = str(asked), asked.calls
        for run in (execute, execute_values, trace, lambda p, s: execute_batch([p], [s])):
            with contextlib.suppress(NotUnique):
                run(asked, world.scene)
        assert pickle.dumps((asked, world.scene)) == before
        assert (world.scene.to_dict(), str(asked), asked.calls) == (record, text, calls)


def test_tables_are_made_once_per_scene() -> None:
    scene = Scene.of("clevr", [RED_CUBE])
    assert tables_of(scene) is tables_of(scene)
    assert tables_of(scene) is not tables_of(Scene.of("clevr", [RED_CUBE]))


def test_threads_share_programs_and_scenes() -> None:
    """Tables and code are filled in on first use; threads that race for it must all get the right answer."""
    rng = Random(13)
    for _ in range(10):
        domain = random_domain(rng, 4, 4)
        worlds = [random_world(rng, domain, 8) for _ in range(4)]
        asked = [random_program(rng, domain, scene=w.scene) for w in worlds for _ in range(5)]
        scenes = [w.scene for w in worlds for _ in range(5)]
        fresh = [Scene.from_dict(w.record, domain) for w in worlds for _ in range(5)]
        expected = [repr(a) for a in execute_batch([Program(p.calls, domain) for p in asked], fresh)]

        def run(_: int, asked: Any = asked, scenes: Any = scenes) -> list[str]:
            return [repr(a) for a in execute_batch(asked, scenes)] + [
                repr(_answer(*x)) for x in zip(asked, scenes, strict=True)
            ]

        with ThreadPoolExecutor(8) as pool:
            assert all(answers == expected * 2 for answers in pool.map(run, range(8)))


def _answer(asked: Program, scene: Scene) -> Any:
    try:
        return execute(asked, scene)
    except NsreasonError as error:
        return error


@pytest.mark.parametrize("count", [1, 3, 4, 7, 9])
def test_each_chunk_of_a_batch_runs_on_its_own_scenes(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsreason.executors.batch.CHUNK", 3)
    rng = Random(count)
    scenes = [Scene.of("clevr", [RED_CUBE] * (k % 4) + [BLUE_BALL] * (k + 1)) for k in range(count)]
    programs = [program(("scene",), ("count", 0)), program(("scene",), ("filter", "blue", 0), ("count", 1))]
    asked = [programs[k % 2] for k in range(count)]
    assert execute_batch(asked, scenes) == [execute(p, s) for p, s in zip(asked, scenes, strict=True)]
    which = [rng.randrange(count) for _ in range(count)]
    assert execute_batch(asked, scenes, which) == [execute(p, scenes[k]) for p, k in zip(asked, which, strict=True)]
