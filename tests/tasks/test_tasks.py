"""Tasks: data sets as queries, cut so that no scene is on two sides; wrong settings and bad records are told."""

from __future__ import annotations

import json
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from nsreason.data.links import read_links
from nsreason.data.scenes import load_scenes
from nsreason.data.sort_of_clevr import read_sort_of_clevr
from nsreason.data.splits import HoldOut, Split
from nsreason.errors import DataError, RecipeError
from nsreason.executors import execute, spell
from nsreason.generators import write_dataset
from nsreason.generators.sort_of_clevr import write_sort_of_clevr
from nsreason.io.image_tensors import write_png
from nsreason.queries.image import QueryImage
from nsreason.queries.query import Query
from nsreason.registry import TASKS
from nsreason.tasks.task import make_task, task_class
from nsreason.training.recipe import load_recipe


def pictures(queries: list[Query]) -> set[int]:
    return {id(q.inputs["rows"]) for q in queries}


def apart(split: Split[list[Query]]) -> bool:
    """Whether no two parts see the same thing."""
    parts = [pictures(part) for part in (split.train, split.valid, split.test)]
    return all(parts) and len(set.union(*parts)) == sum(map(len, parts))


# --- the table ----------------------------------------------------------------------------------------------------


def test_the_table_names_what_is_there() -> None:
    for name, path in TASKS.items():
        assert task_class(name).__name__ == path.partition(":")[2]
        assert fields(make_task(name)) and callable(make_task(name).load)
    assert task_class("nsreason.tasks.babi:Babi") is task_class("babi")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("clever", {}, "no task 'clever'; did you mean 'clevr'.; or give your own as 'module:Class'"),
        ("no_such:Task", {}, "task 'no_such:Task': cannot import no_such"),
        ("nsreason.tasks.babi:Bab", {}, r"nsreason\.tasks\.babi has no class Bab"),
        ("clevr", {"frmae": "image"}, r"task\.clevr: no key 'frmae'; did you mean 'frame'"),
        ("clevr", {"frame": "picture"}, r"task\.clevr\.frame: Invalid enum value 'picture'"),
        ("clevr", {"test": 1.0}, r"task\.clevr: test and valid are from 0 to below 1, got 1\.0"),
        ("babi", {"sentences": 0}, r"task\.babi: sentences from 1"),
        ("babi", {"tasks": "all"}, r"task\.babi\.tasks: Expected `array`"),
        ("springs", {"ask": "conections"}, r"task\.springs\.ask: Invalid enum value"),
        ("sort-of-clevr", {"valid": 1.0}, r"task\.sort-of-clevr: valid is from 0 to below 1, got 1\.0"),
        ("springs", {"valid": -0.1}, r"task\.springs: valid is from 0 to below 1, got -0\.1"),
        ("sort-of-clevr", {"vaild": 0}, "no key 'vaild'; did you mean 'valid'"),
    ],
)
def test_wrong_settings_are_told(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make_task(name, settings)


def test_what_is_held_out_is_the_last_part_and_whole_scenes() -> None:
    scenes = [object() for _ in range(5)]
    queries = [Query(i, None, None, "a", {"scene": scenes[i // 4]}) for i in range(20)]
    train, valid = HoldOut(0.3, counting="examples").split(queries, group=lambda q: id(q.inputs["scene"]))
    assert [q.index for q in train] == list(range(12)) and [q.index for q in valid] == list(range(12, 20))


# --- Sort-of-CLEVR ---------------------------------------------------------------------------------------------------


def test_sort_of_clevr(tmp_path: Path) -> None:
    write_sort_of_clevr(tmp_path, scenes=12, validation=3, seed=2, questions_per_kind=3)
    split = make_task("sort-of-clevr", {"valid": 0.2}).load(tmp_path)
    assert [len(part) for part in (split.train, split.valid, split.test)] == [42, 12, 18] and apart(split)
    raw = read_sort_of_clevr(tmp_path, "train")
    query = split.train[8]  # the third question of the second picture
    assert (query.inputs["image"].tensor().permute(1, 2, 0).numpy() == raw.images[1]).all()
    assert query.inputs["bits"].tolist() == raw.questions[1, 2].tolist() and query.inputs["rows"].shape[0] == 6
    assert {q.group for q in split.test} == {"relational", "not relational"}
    relational = {q.type for q in split.train if q.group == "relational"}
    assert relational and not relational & {q.type for q in split.train if q.group != "relational"}
    assert query.text and query.answer and split.source == str(tmp_path) and not split.bad
    with pytest.raises(DataError):
        make_task("sort-of-clevr").load(tmp_path / "none")


# --- CLEVR -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clevr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 scenes, of which the first has an image, a question of no scene, and one without a program."""
    folder = tmp_path_factory.mktemp("clevr")
    write_dataset(folder, scenes=20, questions_per_scene=4, seed=3, objects=(3, 5))
    payload = json.loads((folder / "questions.json").read_text())
    payload["questions"][0]["image_index"], payload["questions"][0]["image_filename"] = 999, "none.png"
    del payload["questions"][1]["program"]
    (folder / "questions.json").write_text(json.dumps(payload))
    (folder / "images" / "new").mkdir(parents=True)
    first = load_scenes(folder / "scenes.json", "clevr").scenes[0]
    import torch

    write_png(folder / "images" / "new" / str(first.image), torch.zeros(3, 8, 8, dtype=torch.uint8))
    return folder


def test_clevr(clevr: Path) -> None:
    split = make_task("clevr", {"test": 0.2, "valid": 0.25}).load(clevr)
    assert apart(split) and len(split.bad) == 1 and "999" in str(split.bad[0])
    every = [*split.train, *split.valid, *split.test]
    assert len(every) == 79 and len(split.test) == 16
    for query in every:
        scene = query.inputs["scene"]
        assert query.inputs["rows"].shape == (len(scene), 13) and query.facts["objects"] == len(scene)
        if query.program is not None:
            assert spell(execute(query.program, scene)) == query.answer and query.facts["program length"] > 0
    assert [q.type for q in every if q.program is None] == ["question"]
    seen = [q.inputs["image"] for q in every if "image" in q.inputs]
    assert len(seen) == 3 and all(isinstance(p, QueryImage) for p in seen) and len(set(map(id, seen))) == 1
    turned = make_task("clevr", {"frame": "image", "test": 0.2}).load(clevr)
    assert not np.allclose(turned.train[0].inputs["rows"], split.train[0].inputs["rows"])


def test_clevr_of_files_that_spell_otherwise(clevr: Path, tmp_path: Path) -> None:
    """A folder of files of one scene each, answers in another spelling, and one that no program could give."""
    (tmp_path / "scenes").mkdir()
    for scene in json.loads((clevr / "scenes.json").read_text())["scenes"]:
        (tmp_path / "scenes" / f"CLEVR_new_{scene['image_index']:06}.json").write_text(json.dumps(scene))
    payload = json.loads((clevr / "questions.json").read_text())["questions"][2:]
    for question in payload:
        question["answer"] = f" {question['answer']} ".title()
    payload[0]["answer"] = "many"
    (tmp_path / "questions.json").write_text(json.dumps({"questions": payload}))
    split = make_task("clevr", {"test": 0.2, "valid": 0.25}).load(tmp_path)
    (bad,) = split.bad
    assert "the reference answer 'many' is none of the answers in domain 'clevr'" in str(bad)
    plain = {(q.text, q.index): q.answer for q in every_part(make_task("clevr").load(clevr))}
    for query in every_part(split):
        assert query.answer == plain[query.text, query.index]
    assert len(every_part(split)) == 77


def every_part(split: Split[list[Query]]) -> list[Query]:
    return [*split.train, *split.valid, *split.test]


def test_clevr_of_several_files(clevr: Path, tmp_path: Path) -> None:
    for kind in ("scenes", "questions"):
        for name in ("train", "val"):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / f"CLEVR_{name}_{kind}.json").write_bytes((clevr / f"{kind}.json").read_bytes())
    split = make_task("clevr", load_recipe("rn-clevr-state").data["settings"]).load(tmp_path)  # the official layout
    assert len(split.test) == 79 == len(split.train) + len(split.valid) and len(split.bad) == 2
    with pytest.raises(DataError, match="several files of scenes"):
        make_task("clevr").load(tmp_path)
    with pytest.raises(DataError, match="there is no such folder"):
        make_task("clevr").load(tmp_path / "none")


def test_clevr_without_a_usable_question(clevr: Path, tmp_path: Path) -> None:
    (tmp_path / "scenes.json").write_bytes((clevr / "scenes.json").read_bytes())
    (tmp_path / "questions.json").write_text('{"questions": [{"question": 3}]}')
    with pytest.raises(DataError, match="no question can be used; the first: "):
        make_task("clevr").load(tmp_path)


# --- bAbI ------------------------------------------------------------------------------------------------------------

STORY = """1 Mary went to the {a}.
2 John went to the {b}.
3 Where is Mary?\t{a}\t1
4 Mary left.
5 Where is John?\t{b}\t2
"""


def write_babi(folder: Path) -> None:
    place = folder / "en-10k"
    place.mkdir(parents=True)
    for task, name in ((1, "single-supporting-fact"), (4, "two-arg-relations")):
        rooms = [f"room{task}x{i}" for i in range(20)]
        train = "".join(STORY.format(a=a, b=a + "b") for a in rooms)
        (place / f"qa{task}_{name}_train.txt").write_text(train)
        (place / f"qa{task}_{name}_test.txt").write_text(STORY.format(a="attic", b="barn") + "x Where?\n")


def test_babi(tmp_path: Path) -> None:
    write_babi(tmp_path)
    task = make_task("babi", {"tasks": [1, 4], "valid": 0.25, "sentences": 2})
    split = task.load(tmp_path)
    assert [len(part) for part in (split.train, split.valid, split.test)] == [60, 20, 4]
    assert {q.type for q in split.test} == {"01 single-supporting-fact", "04 two-arg-relations"}
    assert len(split.bad) == 2 and "qa1" in str(split.bad[0])
    query = split.test[1]
    assert query.text == "where is john" and query.answer == "barn"
    assert query.inputs["sentences"] == ("john went to the barn", "mary left")  # the last two
    assert query.facts == {"sentences": 2, "supports": 1}
    rooms = [{q.inputs["sentences"] for q in part} for part in (split.train, split.valid)]
    assert not rooms[0] & rooms[1] and len({q.type for q in split.valid}) == 2
    again = task.load(tmp_path)
    assert [q.inputs for q in again.train] == [q.inputs for q in split.train]
    other = make_task("babi", {"tasks": [1, 4], "valid": 0.25, "seed": 1}).load(tmp_path)
    assert [q.answer for q in other.valid] != [q.answer for q in split.valid]
    with pytest.raises(DataError, match="qa2"):
        make_task("babi").load(tmp_path)


# --- springs ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(find_spec("mujoco") is None, reason="MuJoCo (the extra `physics`) is not installed")
def test_springs(tmp_path: Path) -> None:
    from nsreason.data.springs import read_springs
    from nsreason.generators.springs.generate import write_springs

    write_springs(tmp_path, scenes=10, validation=2, seed=1)
    split = make_task("springs", {"valid": 0.25}).load(tmp_path)
    assert [len(part) for part in (split.train, split.valid, split.test)] == [6, 2, 2] and apart(split)
    linked = read_springs(tmp_path, "train").connections()
    for query, matrix in zip([*split.train, *split.valid], linked, strict=True):
        assert query.answer is not None and (read_links(query.answer, 10) == matrix.astype(bool)).all()
        assert query.inputs["rows"].shape == (10, 100) and query.text is None
    counted = make_task("springs", load_recipe("rn-springs-systems").data["settings"]).load(tmp_path)
    assert counted.train[0].inputs["rows"].shape == (10, 33)
    assert [int(q.answer or 0) for q in counted.test] == read_springs(tmp_path, "validation").systems.tolist()
