"""Scenes: the official layout, relations given and computed, and the message for each kind of invalid file."""

from __future__ import annotations

import json
import pickle
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.dsl.domain import Domain, load_domain, parse_domain
from nsreason.errors import SceneError
from nsreason.executors import execute
from nsreason.programs.program import Call, Program
from nsreason.scenes.relations import listed
from nsreason.scenes.scene import ObjectPlace, Scene, converse, members
from tests.support.strategies import World, worlds

CLEVR = load_domain("clevr")
DIRECTIONS = {
    "right": [0.6563, 0.7544, 0.0],
    "left": [-0.6563, -0.7544, 0.0],
    "front": [0.7544, -0.6563, 0.0],
    "behind": [-0.7544, 0.6563, 0.0],
    "above": [0.0, 0.0, 1.0],
    "below": [0.0, 0.0, -1.0],
}


def thing(color: str, *coords: float, **more: Any) -> dict[str, Any]:
    record = {"size": "large", "color": color, "material": "metal", "shape": "cube"}
    return record | {"3d_coords": list(coords), "pixel_coords": [1, 2, 3.5], "rotation": 30.0} | more


def official() -> dict[str, Any]:
    """Three objects along the x axis, in the layout of CLEVR_val_scenes.json."""
    return {
        "image_index": 7,
        "image_filename": "CLEVR_val_000007.png",
        "split": "val",
        "objects": [
            thing("red", -2.0, 0.0, 0.7),
            thing("blue", 0.0, 0.0, 0.35),
            thing("green", 2.0, 0.0, 0.7),
        ],
        "relationships": {
            "left": [[], [0], [0, 1]],
            "right": [[1, 2], [2], []],
            "front": [[1, 2], [2], []],
            "behind": [[], [0], [0, 1]],
        },
        "directions": {name: list(vector) for name, vector in DIRECTIONS.items()},
    }


def rows(scene: Scene, relation: str) -> list[list[int]]:
    return [list(members(row)) for row in scene.relation(scene.domain.relation_index[relation])]


# --- the official layout ---


def test_the_official_layout() -> None:
    scene = Scene.from_json(json.dumps(official()))
    assert len(scene) == 3
    assert (scene.index, scene.image) == (7, "CLEVR_val_000007.png")
    assert scene.value(1, "color") == "blue"
    assert scene.describe(2) == "large green metal cube"
    assert scene.places[0].coords == (-2.0, 0.0, 0.7)
    assert scene.places[0].pixel_coords == (1.0, 2.0, 3.5)
    assert scene.concepts[CLEVR.concept_index["cube"]] == 0b111
    assert rows(scene, "left") == [[], [0], [0, 1]]
    assert repr(scene) == "Scene('clevr', 3 objects, index=7)"


def test_bytes_text_and_data_are_read_alike() -> None:
    data = official()
    text = json.dumps(data)
    record = Scene.from_dict(data).to_dict()
    assert Scene.from_json(text).to_dict() == record
    assert Scene.from_json(text.encode()).to_dict() == record


def test_relations_are_computed_where_they_are_not_given() -> None:
    given_ = Scene.from_dict(official())
    data = official()
    del data["relationships"]
    computed = Scene.from_dict(data)
    for relation in CLEVR.relations:
        assert rows(computed, relation) == rows(given_, relation)


def test_a_relation_is_read_from_that_of_its_inverse() -> None:
    data = official()
    data["relationships"] = {"left": data["relationships"]["left"]}
    del data["directions"]
    scene = Scene.from_dict(data)
    assert rows(scene, "right") == [[1, 2], [2], []]
    with pytest.raises(
        SceneError, match=r"says nothing of 'front': it has no relationships\.front and no 3d_coords and"
    ):
        rows(scene, "front")


def test_a_relation_is_computed_from_the_direction_of_its_inverse() -> None:
    data = official()
    del data["relationships"], data["directions"]["right"]
    assert rows(Scene.from_dict(data | {"directions": {"left": DIRECTIONS["left"]}}), "right") == [
        [1, 2],
        [2],
        [],
    ]


@pytest.mark.parametrize(
    ("ahead", "stands"),
    [(0.2, False), (0.2000001, True), (0.1999999, False), (-0.2, False), (0.0, False), (1.0, True)],
)
def test_an_object_stands_in_a_relation_beyond_a_margin_of_02(ahead: float, stands: bool) -> None:
    data = {
        "objects": [thing("red", 0.0, 0.0, 0.0), thing("blue", ahead, 0.0, 0.0)],
        "directions": {"right": [1, 0, 0]},
    }
    assert rows(Scene.from_dict(data), "right") == [[1] if stands else [], []]


def test_what_a_scene_does_not_know_costs_only_the_programs_that_ask() -> None:
    scene = Scene.of("clevr", [{"size": "small", "color": "red", "material": "metal", "shape": "cube"}])
    count = Program([Call("scene"), Call("count", (), (0,))])
    relate = Program(
        [Call("scene"), Call("unique", (), (0,)), Call("relate", ("left",), (1,)), Call("count", (), (2,))]
    )
    assert execute(count, scene) == 1
    with pytest.raises(SceneError, match=r"no 3d_coords and directions\.left - at `\$\.relationships`"):
        execute(relate, scene)
    kitchen = Scene.of(
        "kitchen", [{"fill": "full", "state": "clean", "color": "white", "material": "wood", "kind": "cup"}]
    )
    with pytest.raises(SceneError, match=r"no relationships \(it has no direction\)"):
        rows(kitchen, "on")


def test_relationships_that_the_domain_does_not_have_may_stand_beside_the_others() -> None:
    data = official()
    data["relationships"]["above"] = [[], [], []]
    assert len(Scene.from_dict(data)) == 3


# --- wrong scenes ---


def wrong(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    data = official()
    change(data)
    return data


def put(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


WRONG = [
    (
        put("objects", 1, "color", value="rde"),
        "no color 'rde' in domain 'clevr'; did you mean 'red'",
        "$.objects[1].color",
    ),
    (
        put("objects", 1, "shape", value="car"),
        "no shape 'car' in domain 'clevr'; known: cube",
        "$.objects[1].shape",
    ),
    (put("objects", 0, "size", value="red"), "no size 'red' in domain 'clevr'", "$.objects[0].size"),
    (put("objects", 2, "size", value=3), "Expected `str`, got `int`", "$.objects[2].size"),
    (put("objects", 2, "size", value=None), "Expected `str`, got `null`", "$.objects[2].size"),
    (lambda d: d["objects"][1].pop("material"), "missing required field `material`", "$.objects[1]"),
    (put("objects", 1, value="cube"), "Expected `object`, got `str`", "$.objects[1]"),
    (put("objects", value={}), "Expected `array`, got `object`", "$.objects"),
    (lambda d: d.pop("objects"), "missing required field `objects`", "$"),
    (
        put("objects", 0, "3d_coords", value=[1, 2]),
        "Expected `array` of length 3",
        "$.objects[0].3d_coords",
    ),
    (
        put("objects", 0, "3d_coords", 1, value="left"),
        "Expected `float`, got `str`",
        "$.objects[0].3d_coords[1]",
    ),
    (
        put("objects", 0, "3d_coords", 1, value=float("nan")),
        "a number is not finite",
        "$.objects[0].3d_coords[1]",
    ),
    (put("objects", 0, "rotation", value=float("inf")), "a number is not finite", "$.objects[0].rotation"),
    (put("directions", "left", 0, value=float("-inf")), "a number is not finite", "$.directions.left[0]"),
    (put("directions", "left", value=None), "Expected `array`, got `null`", "$.directions.left"),
    (put("image_index", value="seven"), "an image_index is a whole number, got 'seven'", "$.image_index"),
    (put("image_index", value=7.5), "an image_index is a whole number, got 7.5", "$.image_index"),
    (put("image_index", value=True), "an image_index is a whole number, got True", "$.image_index"),
    (put("image_filename", value=7), "Expected `str | null`, got `int`", "$.image_filename"),
]

JUNK = [
    (
        put("relationships", "left", 1, value=[3]),
        "index 3 is not one of the 3 objects",
        "$.relationships.left[1]",
    ),
    (
        put("relationships", "left", 1, value=[-1]),
        "index -1 is not one of the 3 objects",
        "$.relationships.left[1]",
    ),
    (put("relationships", "left", 1, value=[1]), "index 1 is the object itself", "$.relationships.left[1]"),
    (
        put("relationships", "left", 2, value=[0, 1, 0]),
        "index 0 stands there twice",
        "$.relationships.left[2]",
    ),
    (
        put("relationships", "left", 1, value=["0"]),
        "Expected `int`, got `str`",
        "$.relationships.left[1][0]",
    ),
    (
        put("relationships", "left", 1, value=[0.5]),
        "Expected `int`, got `float`",
        "$.relationships.left[1][0]",
    ),
    (
        put("relationships", "left", 1, value=[True]),
        "Expected `int`, got `bool`",
        "$.relationships.left[1][0]",
    ),
    (
        put("relationships", "left", 1, value=None),
        "Expected `array`, got `null`",
        "$.relationships.left[1]",
    ),
    (put("relationships", "left", value=[[]]), "1 rows for 3 objects", "$.relationships.left"),
    (
        put("relationships", "left", value=[[], [], [0, 1]]),
        "1 is in right[0], but 0 is not in left[1], and they are inverses",
        "$.relationships.left[1]",
    ),
    (
        put("relationships", "left", value=[[2], [0], [0, 1]]),
        "2 is in left[0], but 0 is not in right[2], and they are inverses",
        "$.relationships.left[0]",
    ),
    (put("relationships", value=[[]]), "Expected `object | null`, got `array`", "$.relationships"),
]


@pytest.mark.parametrize(("change", "message", "path"), WRONG, ids=[f"{p}: {m}" for _, m, p in WRONG])
def test_wrong_scenes_are_told_what_and_where(change: Any, message: str, path: str) -> None:
    """From Python data and from text: Python's json writes NaN and Infinity, which JSON does not have."""
    data = wrong(change)
    for read in (lambda: Scene.from_dict(data), lambda: Scene.from_json(json.dumps(data).encode())):
        with pytest.raises(SceneError, match=re.escape(message)) as error:
            read()
        assert error.value.path == path


@pytest.mark.parametrize(("change", "message", "path"), JUNK, ids=[f"{p}: {m}" for _, m, p in JUNK])
def test_junk_relationships_cost_only_the_programs_that_ask(change: Any, message: str, path: str) -> None:
    data = wrong(change)
    count = Program([Call("scene"), Call("filter", ("red",), (0,)), Call("count", (), (1,))])
    relate = Program(
        [Call("scene"), Call("filter", ("red",), (0,)), Call("unique", (), (1,)), Call("relate", ("left",), (2,))]
    )
    for scene in (Scene.from_dict(data), Scene.from_json(json.dumps(data))):
        for one in (scene, pickle.loads(pickle.dumps(scene))):
            assert execute(count, one) == 1
            with pytest.raises(SceneError, match=re.escape(message)) as error:
                execute(relate, one)
            assert error.value.path == path
            if path != "$.relationships":
                assert rows(one, "front") == [[1, 2], [2], []]
        assert "left" not in scene.to_dict()["relationships"]
    if isinstance(data["relationships"], dict) and "Expected" not in message:
        with pytest.raises(SceneError, match=re.escape(message)):  # by hand it is told at once
            Scene.of("clevr", data["objects"], relationships=data["relationships"])


def test_relations_that_the_domain_does_not_have_are_told_where_one_is_missing() -> None:
    strange = {"lfet": [[], [0], [0, 1]], "above": "junk"}
    scene = Scene.from_dict(official() | {"relationships": strange})
    assert rows(scene, "left") == [[], [0], [0, 1]]  # from coordinates and directions
    bare = {"relationships": strange | {"front": [[1, 2], [2], []]}, "directions": None}
    scene = Scene.from_dict(official() | bare)
    assert rows(scene, "behind") == [[], [0], [0, 1]]
    with pytest.raises(SceneError, match=r"says nothing of 'left'.*; no relation 'lfet' .*; did you mean 'left'"):
        rows(scene, "left")
    with pytest.raises(SceneError, match="no relation 'lfet' in domain 'clevr'; did you mean 'left'"):
        Scene.of("clevr", official()["objects"], relationships={"lfet": [[], [], []]})


ODD = [
    ("pixel_coords", [[100, 150, 11.2], [640, 480]]),  # as Super-CLEVR's generator writes them
    ("pixel_coords", "unknown"),
    ("pixel_coords", []),
    ("pixel_coords", [7.0]),
    ("rotation", [0.0, 0.0, 30.0]),
    ("rotation", None),
    ("bbox", {"x": 1, "y": 2, "w": 3, "h": 4}),
    ("bbox", [1, 2, 3]),
    ("score", 1.5),
    ("score", "high"),
    ("mask", [[1, 2], "x"]),
]


@pytest.mark.parametrize(("key", "value"), ODD)
def test_what_no_op_needs_is_carried_along_as_it_is(key: str, value: Any) -> None:
    data = wrong(put("objects", 1, key, value=value))
    scene = Scene.from_json(json.dumps(data))
    plain = Scene.from_dict(official())
    assert scene.places[0] == plain.places[0] and scene.places[1].coords == plain.places[1].coords
    assert all(rows(scene, r) == rows(plain, r) for r in CLEVR.relations)
    record = scene.to_dict()
    assert record["objects"][1].get(key) == value
    again = Scene.from_json(json.dumps(record))
    assert again.places == scene.places and again.to_dict() == record


@pytest.mark.parametrize("index", [7, 7.0, "7", " 7 "])
def test_a_whole_number_may_be_written_in_other_ways(index: Any) -> None:
    assert Scene.from_dict(official() | {"image_index": index}).index == 7


def test_the_scenes_of_ns_vqa_have_positions_as_the_camera_sees_them() -> None:
    """Right, front, up: relations are told from them exactly, without CLEVR's margin."""
    data = official()
    del data["relationships"], data["directions"]
    for thing_, position in zip(data["objects"], ([0.0, 0, 0.7], [0.1, 0, 0.7], [0.1, -0.1, 0.7]), strict=True):
        del thing_["3d_coords"]
        thing_["position"] = position
    scene = Scene.from_dict(data)
    for one in (scene, Scene.from_dict(scene.to_dict()), pickle.loads(pickle.dumps(scene))):
        assert rows(one, "right") == [[1, 2], [], []] and rows(one, "left") == [[], [0], [0]]
        assert rows(one, "front") == [[], [], [0, 1]] and rows(one, "behind") == [[2], [2], []]
    data["objects"][1]["position"] = [1, 2]
    with pytest.raises(SceneError, match="says nothing of 'left'"):
        rows(Scene.from_dict(data), "left")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        ('{"objects": [}', "not valid JSON"),
        ("[" * 100_000, "Expected `object`, got `array`"),
        ('{"objects": ' + "[" * 100_000, "not valid JSON"),
        ('{"objects": [], "image_filename": "\udcff"}', "not JSON data"),
        (
            '{"objects": [], "directions": {"left": [1e400, 0, 0]}}',
            "Number out of range - at `$.directions.left",
        ),
        ('{"objects": [], "image_index": ' + "9" * 5000 + "}", "Integer value out of range"),
        ("[]", "Expected `object`, got `array`"),
        ("null", "Expected `object`, got `null`"),
    ],
)
def test_text_that_is_no_scene(text: str | bytes, message: str) -> None:
    with pytest.raises(SceneError, match=re.escape(message)):
        Scene.from_json(text)


def test_data_that_is_no_scene() -> None:
    circle: dict[str, Any] = {"objects": []}
    circle["self"] = circle
    for data, message in (
        (circle, "not JSON data"),
        ({"objects": [object()]}, "not JSON data"),
        ({1j: 2}, "not JSON data"),
        (None, "Expected `object`, got `null`"),
        (3, "Expected `object`, got `int`"),
    ):
        with pytest.raises(SceneError, match=message):
            Scene.from_dict(data)


def test_coordinates_too_large_to_compare() -> None:
    data = {
        "objects": [thing("red", -1.7e308, 0, 0), thing("blue", 1.7e308, 0, 0)],
        "directions": {"left": [1, 0, 0]},
    }
    scene = Scene.from_dict(data)
    with pytest.raises(SceneError, match="the coordinates are too large to compare"):
        rows(scene, "left")


def test_encoded_values_are_checked_too() -> None:
    place = [ObjectPlace()]
    assert Scene("clevr", [[0, 2, 10, 12]], place).describe(0) == "large gray rubber cube"
    with pytest.raises(SceneError, match=r"1 values for 4 attributes - at `\$\.objects\[0\]`"):
        Scene("clevr", [[0]], place)
    with pytest.raises(SceneError, match=r"concept number 12 is not one of 0\.\.1 - at `\$\.objects\[0\]\.size`"):
        Scene("clevr", [[12, 2, 10, 12]], place)
    with pytest.raises(SceneError, match=r"concept number -1 is not one of 12\.\.14"):
        Scene("clevr", [[0, 2, 10, -1]], place)
    with pytest.raises(SceneError, match="1 objects have values, 0 have places"):
        Scene("clevr", [[0, 2, 10, 12]], [])
    with pytest.raises(SceneError, match=r"a coordinate is not finite - at `\$\.objects\[0\]\.3d_coords`"):
        Scene("clevr", [[0, 2, 10, 12]], [ObjectPlace(coords=(0.0, float("nan"), 0.0))])
    with pytest.raises(SceneError, match=r"a box is not finite"):
        Scene("clevr", [[0, 2, 10, 12]], [ObjectPlace(bbox=(0.0, float("nan"), 0.0, 1.0))])
    with pytest.raises(SceneError, match=r"a direction is not finite - at `\$\.directions\.left`"):
        Scene("clevr", [[0, 2, 10, 12]], place, directions={"left": (0.0, 0.0, float("inf"))})


# --- sizes ---


def test_an_empty_scene() -> None:
    scene = Scene.of("clevr", [])
    assert len(scene) == 0
    assert all(rows(scene, r) == [] for r in CLEVR.relations)
    assert execute(Program([Call("scene"), Call("count", (), (0,))]), scene) == 0
    assert scene.to_dict() == {"objects": [], "relationships": {r: [] for r in CLEVR.relations}}


def test_ten_thousand_objects() -> None:
    """Relations of large scenes are computed in blocks: a second or so, and megabytes where pairs would take
    gigabytes.
    """
    n = 10_000
    colors = CLEVR.values("color")
    objects = [thing(colors[i % 8], float(i), float(-i % 77), 0.0) for i in range(n)]
    scene = Scene.of("clevr", objects, directions={"right": [1.0, 0.0, 0.0]})
    tracemalloc.start()
    right = scene.relation(CLEVR.relation_index["right"])
    left = scene.relation(CLEVR.relation_index["left"])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 400e6  # a table of all pairs as numbers would be 800 MB
    assert right[0].bit_count() == n - 1 and right[n - 1] == 0
    assert left[n - 1].bit_count() == n - 1 and left[0] == 0
    furthest = [Call("scene"), Call("filter", ("red",), (0,)), Call("extreme", ("right",), (1,))]
    reddest = max(i for i in range(n) if colors[i % 8] == "red")
    assert execute(Program(furthest), scene) == (reddest,)


# --- writing and reading again ---


@given(worlds())
def test_a_scene_survives_to_dict_and_json(world: World) -> None:
    scene = world.scene
    record = scene.to_dict()
    again = Scene.from_json(json.dumps(record), scene.domain)
    assert again.to_dict() == record
    assert again.values == scene.values and again.concepts == scene.concepts
    for number in range(len(scene.domain.relations)):
        assert again.relation(number) == scene.relation(number)


@given(worlds())
def test_a_scene_survives_pickling_without_what_was_computed(world: World) -> None:
    fresh = pickle.dumps(Scene.from_dict(world.record, world.domain))
    record = world.scene.to_dict()
    execute(
        Program([Call("scene"), Call("distinct", (world.domain.attributes[0],), (0,))], world.domain),
        world.scene,
    )
    assert pickle.dumps(world.scene) == fresh
    assert pickle.loads(fresh).to_dict() == record


def test_detections_keep_their_fields() -> None:
    """What a detector adds travels through a scene: boxes in pixels, scores in 0..1, masks in any JSON form."""
    mask = {"size": [320, 480], "counts": "abc"}
    detection = thing("red", 0, 0, 0, bbox=[1.0, 2.0, 30.5, 40.0], score=0.75, mask=mask)
    scene = Scene.from_dict({"objects": [detection]})
    assert scene.places[0].bbox == (1.0, 2.0, 30.5, 40.0)
    assert scene.places[0].score == 0.75
    assert scene.places[0].mask == mask
    assert Scene.from_dict(json.loads(json.dumps(scene.to_dict()))).places == scene.places
    assert "score" not in Scene.from_dict({"objects": [thing("red", 0, 0, 0)]}).to_dict()["objects"][0]


def test_a_symmetric_relation_must_be_symmetric() -> None:
    cups = [{"fill": "full", "state": "clean", "color": "white", "material": "wood", "kind": "cup"}] * 2
    assert rows(Scene.of("kitchen", cups, relationships={"beside": [[1], [0]]}), "beside") == [[1], [0]]
    with pytest.raises(SceneError, match=r"1 is in beside\[0\], but 0 is not in beside\[1\]"):
        Scene.of("kitchen", cups, relationships={"beside": [[1], []]})


def test_an_attribute_may_have_any_name_that_a_field_of_an_object_does_not() -> None:
    odd = parse_domain('name = "odd"\n[attributes.a1.values]\nx = {}\n[attributes.a0.values]\ny = {}\nz = {}\n')
    scene = Scene.of(odd, [{"a0": "z", "a1": "x"}])
    assert scene.describe(0) == "x z"


# --- bit sets ---


@given(st.sets(st.integers(0, 200)))
def test_members_lists_a_bit_set(objects: set[int]) -> None:
    assert members(sum(1 << i for i in objects)) == tuple(sorted(objects))


@given(st.integers(0, 80), st.randoms(use_true_random=False))
def test_converse_turns_a_table(n: int, rng: Any) -> None:
    table = [rng.getrandbits(n) if n else 0 for _ in range(n)]
    turned = converse(table)
    assert all((table[i] >> j & 1) == (turned[j] >> i & 1) for i in range(n) for j in range(n))
    assert converse(turned) == table


def test_domains_are_given_by_value_or_name() -> None:
    street: Domain = parse_domain('name = "street"\n[attributes.kind.values]\ncar = {}\n')
    assert Scene.of(street, [{"kind": "car"}]).domain is street
    assert Scene.of("clevr", []).domain is CLEVR


def test_a_scene_of_many_objects_leaves_out_what_its_coordinates_say(monkeypatch: pytest.MonkeyPatch) -> None:
    cube = {"size": "large", "color": "red", "material": "metal", "shape": "cube"}
    objects = [cube | {"3d_coords": [i * 7 % 100, i * 3 % 100, 0]} for i in range(100)]
    scene = Scene.of("clevr", objects, directions=DIRECTIONS)
    whole = scene.to_dict()
    for number, name in enumerate(scene.domain.relations):
        assert whole["relationships"][name] == [list(members(row)) for row in scene.relation(number)]
    monkeypatch.setattr("nsreason.scenes.scene.MOST_RELATED", 99)
    short = scene.to_dict()
    assert short == whole | {"relationships": {}}
    again = Scene.from_dict(short)
    assert [again.relation(k) for k in range(4)] == [scene.relation(k) for k in range(4)]
    given = Scene.from_dict(whole)
    assert given.to_dict() == whole  # what a file gave is kept, whatever its size


@pytest.mark.parametrize("n", [1, 63, 64, 65, 513, 700])
def test_tables_of_any_size_are_listed_and_turned(n: int) -> None:
    rows = [sum(1 << j for j in range(n) if (i * 31 + j * j) % 7 == 0) for i in range(n)]
    assert listed(rows) == [list(members(row)) for row in rows]
    assert converse(rows) == [sum(1 << i for i in range(n) if rows[i] >> j & 1) for j in range(n)]
