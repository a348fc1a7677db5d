"""Objects with no value of an attribute, or several: scene JSON in and out, filters, queries, closed domains."""

from __future__ import annotations

import json
import pickle
import re
from random import Random
from typing import Any

import pytest

from nsreason.data.scenes import SceneFile
from nsreason.dsl.domain import Domain, parse_domain
from nsreason.errors import DomainError, NoSingleValue, SceneError
from nsreason.executors import execute, execute_batch, trace
from nsreason.executors.lenient import execute_leniently
from nsreason.programs.text_reader import parse_program
from nsreason.scenes.scene import Scene
from nsreason.scenes.values import OpenColumn
from tests.support.toy_scene_graph import graph_domain, random_graph

OPEN = """
name = "street"
asks = "name"
[attributes.color]
open = true
[attributes.color.values]
red = {label = "fire red"}
white = {}
[attributes.name.values]
vehicle = {}
car = {isa = ["vehicle"]}
suv = {isa = ["car"], answer = "off-roader"}
sign = {label = "road sign"}
[relations.near]
words = ["near"]
inverse = "near"
[relations.on]
words = ["on"]
"""
CLOSED = parse_domain("closed = true\n" + OPEN)
OPEN_WORLD = parse_domain(OPEN)
OBJECTS: list[dict[str, Any]] = [
    {"name": "car", "color": ["white", "red"]},
    {"name": "suv", "color": "red"},
    {"name": "sign"},
    {"name": "car", "color": []},
]


def scene(domain: Domain = CLOSED, objects: list[dict[str, Any]] = OBJECTS, **more: Any) -> Scene:
    return Scene.of(domain, objects, **more)


def ask(text: str, within: Scene) -> Any:
    program = parse_program(text, within.domain)
    [batched] = execute_batch([program], [within])
    try:
        answer = execute(program, within)
    except NoSingleValue as error:
        assert isinstance(batched, NoSingleValue) and str(batched) == str(error)
        raise
    assert batched == answer
    return answer


def test_filters_keep_what_has_the_value_among_others_or_a_value_below_it() -> None:
    street = scene()
    assert ask("filter[red](scene())", street) == (0, 1)
    assert ask("filter[white](filter[red](scene()))", street) == (0,)
    assert ask("filter[vehicle](scene())", street) == (0, 1, 3)
    assert ask("filter[car](scene())", street) == (0, 1, 3)
    assert ask("filter[suv](scene())", street) == (1,)


def test_same_means_that_a_stated_value_is_shared() -> None:
    street = scene()
    assert ask("same[color](unique(filter[white](scene())))", street) == (1,)
    assert ask("same[color](unique(filter[sign](scene())))", street) == (), "two without a value share none"
    assert ask("same[name](unique(filter[white](scene())))", street) == (3,), "a suv is a car, but its name is not car"


def test_a_query_gives_the_answer_word_of_the_only_value() -> None:
    street = scene()
    assert ask("query[name](unique(filter[suv](scene())))", street) == "off-roader"
    assert ask("query[name](unique(filter[sign](scene())))", street) == "road sign"
    assert ask("query[color](unique(filter[suv](scene())))", street) == "fire red"


def test_a_query_of_no_value_or_several_names_the_object() -> None:
    street = scene()
    with pytest.raises(
        NoSingleValue, match=r"node 3: query\[color\]\(.*object 0 has 2 values of 'color': red, white"
    ) as e:
        ask("query[color](unique(filter[white](scene())))", street)
    assert (e.value.node, e.value.object, e.value.attribute, e.value.values) == (3, 0, "color", ("red", "white"))
    assert e.value.record()["values"] == ["red", "white"] and e.value.exit_code == 1
    with pytest.raises(NoSingleValue, match="object 2 has no 'color'"):
        ask("query[color](unique(filter[sign](scene())))", street)
    assert str(pickle.loads(pickle.dumps(e.value))) == str(e.value)
    for text in ("color", "name"):
        street.value(1, text)
    with pytest.raises(NoSingleValue, match="object 0 has 2 values"):
        street.value(0, "color")
    with pytest.raises(NoSingleValue):
        list(street.values[0])


def test_leniently_the_first_value_answers_and_no_value_does_not() -> None:
    street = scene()
    assert (
        execute_leniently(parse_program("query[color](unique(filter[white](scene())))", CLOSED), street) == "fire red"
    )
    assert execute_leniently(parse_program("query[color](unique(filter[sign](scene())))", CLOSED), street) is None


def test_what_repeats_a_value_is_not_defined_of_several() -> None:
    with pytest.raises(DomainError, match="several values of 'color'"):
        execute(parse_program("distinct[color](scene())", CLOSED), scene())
    assert ask("distinct[name](scene())", scene()) == 3


def test_words_and_traces_have_all_values() -> None:
    street = scene()
    assert [street.describe(i) for i in range(4)] == ["fire red white car", "fire red suv", "road sign", "car"]
    assert (
        Scene.of(parse_domain('name="x"\n[attributes.a]\nopen=true\n[attributes.a.values.v]'), [{"a": []}]).describe(0)
        == "thing"
    )
    steps = trace(parse_program("query[color](unique(filter[white](scene())))", CLOSED), street)
    assert isinstance(steps.error, NoSingleValue) and steps.steps[3].state == "failed"
    data = json.loads(json.dumps(steps.to_json()))
    assert data["scene"]["objects"][:2] == [
        {"color": ["red", "white"], "name": "car"},
        {"color": ["red"], "name": "suv"},
    ]
    assert data["error"]["values"] == ["red", "white"]
    assert "object 0 has 2 values" in steps.to_text() and "object 0 has 2 values" in steps.to_html()


def test_scene_files_go_round() -> None:
    street = scene(relationships={"on": [[], [], [], [0]]})
    data = street.to_dict()
    assert data["objects"] == [
        {"color": ["red", "white"], "name": "car"},
        {"color": ["red"], "name": "suv"},
        {"color": [], "name": "sign"},
        {"color": [], "name": "car"},
    ]
    assert data["relationships"] == {"on": [[], [], [], [0]]}, "relations without pairs are left out of a closed domain"
    assert Scene.from_dict(data, CLOSED).to_dict() == data
    again = pickle.loads(pickle.dumps(street))
    assert again.to_dict() == data and again.concepts == street.concepts
    [unpacked] = SceneFile.unpack(SceneFile([street]).pack(), CLOSED).scenes
    assert unpacked.to_dict() == data
    encoded = Scene(CLOSED, [street.encoded(i) for i in range(4)], street.places)
    assert encoded.to_dict()["objects"] == data["objects"]
    assert isinstance(encoded.values[0], OpenColumn)


def test_in_a_closed_domain_what_is_not_stated_does_not_hold() -> None:
    street = scene(relationships={"near": [[1], [0], [], []]})
    assert ask("relate[on](unique(filter[suv](scene())))", street) == ()
    assert ask("relate[near](unique(filter[suv](scene())))", street) == (0,)
    with pytest.raises(SceneError, match="says nothing of 'on'"):
        ask("relate[on](unique(filter[suv](scene())))", scene(OPEN_WORLD, [o | {"color": []} for o in OBJECTS]))


WRONG = {
    "missing in an open world": (OPEN_WORLD, {"name": "car"}, "missing required field `color` - at `$.objects[0]`"),
    "missing name": (CLOSED, {"color": []}, "missing required field `name` - at `$.objects[0]`"),
    "value": (CLOSED, {"name": "car", "color": ["red", "withe"]}, "no color 'withe' in domain 'street'; did you mean"),
    "twice": (CLOSED, {"name": "car", "color": ["red", "red"]}, "'red' stands there twice - at `$.objects[0].color`"),
    "several of one": (CLOSED, {"name": ["car", "suv"]}, "Expected `str`, got `array` - at `$.objects[0].name`"),
    "key": (
        CLOSED,
        {"name": "car", "colour": ["red"]},
        "no attribute 'colour' in domain 'street'; did you mean 'color'",
    ),
    "number": (CLOSED, {"name": "car", "color": [1]}, "got `int` - at `$.objects[0].color[0]`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_objects_are_refused_with_their_place(case: str) -> None:
    domain, thing, message = WRONG[case]
    with pytest.raises(SceneError, match=re.escape(message)):
        scene(domain, [thing])


def test_other_keys_are_left_alone() -> None:
    assert len(scene(CLOSED, [{"name": "car", "x": 1, "w": 20, "id": "77"}])) == 1


def test_a_misspelled_relation_is_not_taken_for_an_absent_one() -> None:
    data = {"objects": OBJECTS, "relationships": {"onn": [[], [], [], [0]], "elsewhere": [[], [], [], []]}}
    street = Scene.from_dict(data, CLOSED)
    with pytest.raises(SceneError, match=r"says nothing of 'on'.*no relation 'onn' in domain 'street'"):
        ask("relate[on](unique(filter[suv](scene())))", street)
    assert ask("relate[near](unique(filter[suv](scene())))", street) == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[(0, 2), 3]], "concept number 2 is not one of 0..1 - at `$.objects[0].color`"),
        ([[(0, 0), 3]], "'red' stands there twice - at `$.objects[0].color`"),
        ([[(), 1]], "concept number 1 is not one of 2..5 - at `$.objects[0].name`"),
        ([[()]], "1 values for 2 attributes"),
    ],
)
def test_encoded_values_are_checked(values: Any, message: str) -> None:
    with pytest.raises(SceneError, match=re.escape(message)):
        Scene(CLOSED, values, scene().places[:1])


def test_scenes_of_many_names_keep_only_the_sets_that_they_have() -> None:
    domain = graph_domain()
    graph = Scene.from_dict(random_graph(Random(0), domain, 50), domain)
    assert isinstance(graph.concepts, dict) and len(graph.concepts) < 100
    assert sum(graph.concepts[c].bit_count() for c in range(len(domain.concepts))) > 100
    assert Scene.from_dict(graph.to_dict(), domain).to_dict() == graph.to_dict()
