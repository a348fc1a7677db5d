"""Records of scenes and questions damaged at random: what is lost, and what must not be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsreason.data import QuestionRecord, load_scenes, read_questions
from nsreason.errors import NsreasonError
from nsreason.evaluation.question_files import evaluate_files
from nsreason.executors import execute
from nsreason.programs.text_reader import parse_program
from nsreason.scenes.scene import Scene
from tests.support.damage import VALUES, changed

PLAIN = {"size": "large", "material": "metal", "shape": "cube", "rotation": 3.5, "pixel_coords": [10, 20, 9.5]}
SCENE: dict[str, Any] = {
    "image_index": 4,
    "image_filename": "4.png",
    "objects": [
        PLAIN | {"color": "red", "3d_coords": [0, 0, 0.7], "bbox": [1, 2, 3, 4], "score": 0.5, "mask": {"a": 1}},
        PLAIN | {"color": "blue", "3d_coords": [2, 0, 0.7]},
    ],
    "relationships": {"left": [[], [0]], "right": [[1], []], "front": [[], []], "behind": [[], []], "above": [[], []]},
    "directions": {"left": [-1, 0, 0], "right": [1, 0, 0], "front": [0, 1, 0], "behind": [0, -1, 0]},
}
QUESTION = {
    "question": "How many things are left of the blue cube?",
    "answer": "1",
    "image_index": 4,
    "image_filename": "4.png",
    "program": [
        {"function": "scene", "inputs": [], "value_inputs": []},
        {"function": "count", "inputs": [0], "value_inputs": []},
    ],
}
PROGRAMS = [
    parse_program("count(filter[red](scene()))"),
    parse_program("count(relate[left](unique(filter[blue](scene()))))"),
]
CARRIED = ("rotation", "pixel_coords", "bbox", "score", "mask")


@given(key=st.sampled_from(CARRIED), value=st.sampled_from(VALUES), which=st.integers(0, 1))
def test_nothing_that_is_carried_along_costs_an_answer(key: str, value: Any, which: int) -> None:
    text = json.dumps(SCENE)
    record = json.loads(text)
    record["objects"][which][key] = value
    if "NaN" in json.dumps(record) or "Infinity" in json.dumps(record) or key == "mask":
        return  # no JSON; and a mask may be of any form
    scene = Scene.from_json(json.dumps(record))
    assert [execute(p, scene) for p in PROGRAMS] == [1, 1]
    given_, kept = record["objects"][which][key], scene.to_dict()["objects"][which].get(key)
    assert kept == given_ or (kept is None and given_ is None)


@given(name=st.sampled_from(["front", "behind", "above", "beyond"]), data=st.data())
def test_damage_to_one_relation_changes_no_answer_about_another(name: str, data: st.DataObject) -> None:
    record = json.loads(json.dumps(SCENE))
    rows = changed(data, {name: record["relationships"].get(name, [[1], [0]])}).get(name)
    record["relationships"][name] = rows
    text = json.dumps(record)
    if "NaN" in text or "Infinity" in text:
        return  # no JSON
    scene = Scene.from_json(text)
    assert [execute(p, scene) for p in PROGRAMS] == [1, 1]
    assert Scene.from_json(json.dumps(scene.to_dict())).relation(0) == scene.relation(0)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_record_raises_anything_but_our_errors(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    folder = tmp_path_factory.mktemp("changed")
    scenes, questions = folder / "s.json", folder / "q.json"
    scenes.write_text(json.dumps({"scenes": [changed(data, SCENE), SCENE | {"image_index": 5}]}))
    questions.write_text(json.dumps([changed(data, QUESTION), QUESTION | {"image_index": 5}]))
    scene_file = load_scenes(scenes)
    for scene in scene_file:
        scene.to_dict()
        for program in PROGRAMS:
            try:
                execute(program, scene)
            except NsreasonError as error:
                assert str(error)
    assert any(s.index == 5 for s in scene_file)
    for record in read_questions(questions):
        if isinstance(record, QuestionRecord):
            record.to_dict()
    report = evaluate_files(questions, scenes, programs=data.draw(st.sampled_from(["given", "parsed"])))
    assert report.questions == 2 and report.to_markdown()
