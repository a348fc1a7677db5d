"""Scene files in every layout, whole and damaged."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.data import BadRecord, load_scenes, read_scenes, write_scenes
from nsreason.data.records import cut_records
from nsreason.data.scenes import SceneFile
from nsreason.dsl.domain import load_domain
from nsreason.errors import DataError, DomainError, NsreasonError, SceneError
from nsreason.scenes.scene import Scene


def thing(**other: Any) -> dict[str, Any]:
    return {"size": "large", "color": "red", "material": "metal", "shape": "cube"} | other


def scene(index: int | None, objects: int = 2, **other: Any) -> dict[str, Any]:
    record: dict[str, Any] = {"objects": [thing() for _ in range(objects)]} | other
    return record if index is None else record | {"image_index": index, "image_filename": f"{index}.png"}


SCENES = [scene(7), scene(8, 0), scene(9, 3, unknown={"a": [1]})]


def layouts(records: list[dict[str, Any]]) -> dict[str, bytes]:
    return {
        "official": json.dumps({"info": {"split": "val"}, "scenes": records}).encode(),
        "indented": json.dumps({"info": None, "scenes": records}, indent=1).encode(),
        "unindented": json.dumps({"scenes": records}, indent=0).encode(),
        "list": json.dumps(records).encode(),
        "lines": b"\n\n".join(json.dumps(r).encode() for r in records),
        "lines, closed": b"".join(json.dumps(r).encode() + b"\r\n" for r in records) + b"\n",
        "with a mark": b"\xef\xbb\xbf" + json.dumps({"scenes": records}).encode(),
        "lines with a mark": b"\xef\xbb\xbf" + b"\n".join(json.dumps(r).encode() for r in records),
        "packed": gzip.compress(json.dumps({"scenes": records}).encode()),
    }


@pytest.mark.parametrize("layout", layouts([]))
def test_layouts_are_told_by_content(layout: str, tmp_path: Path) -> None:
    path = tmp_path / "scenes"
    path.write_bytes(layouts(SCENES)[layout])
    scenes = load_scenes(path)
    assert not scenes.bad
    assert [(s.index, len(s), s.image) for s in scenes] == [(7, 2, "7.png"), (8, 0, "8.png"), (9, 3, "9.png")]
    assert scenes.by_index(9) is scenes.by_image("9.png")


def test_a_single_scene(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(json.dumps(scene(None, 4)))
    assert [(s.index, len(s)) for s in load_scenes(tmp_path / "a")] == [(0, 4)]


def test_detections_are_kept(tmp_path: Path) -> None:
    seen = thing(bbox=[1, 2, 3, 4], score=0.5, mask={"counts": "x", "size": [2, 2]})
    record = scene(0, 0) | {"objects": [seen]}
    (tmp_path / "a").write_text(json.dumps([record]))
    place = load_scenes(tmp_path / "a").by_index(0).places[0]
    assert place.bbox == (1, 2, 3, 4) and place.score == 0.5 and place.mask is not None


BAD = scene(1) | {"objects": [thing(), thing(color="rad")]}


@pytest.mark.parametrize(
    ("layout", "where"),
    [("official", "$.scenes[1]"), ("list", "$[1]"), ("lines", "line 3: $"), ("packed", "$.scenes[1]")],
)
def test_a_bad_scene_costs_no_other(layout: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(layouts([scene(0), BAD, scene(2)])[layout])
    scenes = load_scenes(tmp_path / "a")
    assert [s.index for s in scenes] == [0, 2]
    assert [b.index for b in scenes.bad] == [1]
    message = f"no color 'rad' in domain 'clevr'; did you mean 'red'? - at `{where}.objects[1].color`"
    assert message in str(scenes.bad[0])
    assert scenes.bad[0].record()["file"] == str(tmp_path / "a")


@pytest.mark.parametrize("layout", ["official", "list", "lines", "indented", "with a mark", "packed"])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_only_the_record_with_nan_is_bad(layout: str, number: float, tmp_path: Path) -> None:
    bad = scene(1) | {"note": 'a "NaN" in \\ text', "objects": [thing(**{"3d_coords": [0, number, 1]})]}
    records = [scene(0, note="NaN, Infinity"), bad, scene(2)]
    (tmp_path / "a").write_bytes(layouts(records)[layout])
    scenes = load_scenes(tmp_path / "a")
    assert [s.index for s in scenes] == [0, 2]
    (only,) = scenes.bad
    assert "a number is not finite" in str(only) and "objects[0].3d_coords[1]`" in str(only)


def test_duplicates_say_where_the_first_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(layouts([scene(5), scene(6), scene(5), scene(None)])["official"])
    scenes = load_scenes(tmp_path / "a")
    assert [s.index for s in scenes] == [5, 6, 3]
    assert "image_index 5 is already that of $.scenes[0] - at `$.scenes[2].image_index`" in str(scenes.bad[0])


def test_a_folder_of_files_of_one_scene_each(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    for i in (2, 0, 10):
        (folder / f"CLEVR_new_{i:06}.json").write_text(json.dumps(scene(i), indent=2))
    (folder / "CLEVR_new_000003.json.gz").write_bytes(gzip.compress(json.dumps(scene(3)).encode()))
    (folder / "CLEVR_new_000004.json.gz").write_bytes(gzip.compress(json.dumps(scene(4)).encode())[:-9])
    (folder / "CLEVR_new_000005.json").write_text(json.dumps(scene(5))[:-9])
    (folder / "notes.txt").write_text("not read")
    scenes = load_scenes(folder)
    assert [s.index for s in scenes] == [0, 2, 3, 10] and scenes.by_index(10).image == "10.png"
    assert [name in str(b) for name, b in zip(("4.json.gz: $", "5.json: $"), scenes.bad, strict=True)] == [True, True]
    assert scenes.digest() == load_scenes(folder).digest() and len(scenes.bad) == 2
    with pytest.raises(DataError, match=r"a folder in which no \.json file is a scene; name a file of scenes"):
        load_scenes(tmp_path)
    (tmp_path / "CLEVR_val_scenes.json").write_text(json.dumps({"scenes": [scene(1)]}))
    with pytest.raises(DataError, match="a folder whose files hold several scenes each"):
        load_scenes(tmp_path)


def test_a_question_that_could_mean_either_of_two_scenes_is_refused(tmp_path: Path) -> None:
    second = scene(5, 1) | {"image_filename": "other.png"}
    (tmp_path / "a").write_bytes(layouts([scene(5), scene(6), second])["official"])
    scenes = load_scenes(tmp_path / "a")
    for file in (scenes, SceneFile.unpack(scenes.pack(), load_domain("clevr"))):
        with pytest.raises(DataError, match=r"two scenes have the image_index 5, \$\.scenes\[0\] and \$\.scenes\[2\]"):
            file.by_index(5)
        assert file.place(5, "5.png") == 0 and file.by_image("5.png").index == 5 and file.by_index(6).index == 6
        with pytest.raises(DataError, match="two scenes have the image_index 5"):
            file.place(5, "other.png")
    both = SceneFile([Scene.from_dict(s) for s in (scene(5), second)])
    with pytest.raises(DataError, match=r"two scenes .* 5, '5\.png' and 'other\.png'; a question could mean either"):
        both.by_index(5)
    assert (both.place(5, "5.png"), both.place(5, "other.png")) == (0, 1)


def test_images_with_folders_are_found_by_path_or_bare_name() -> None:
    names = ["cam1/1.png", "cam2/1.png", "cam2/2.png"]
    scenes = SceneFile([Scene.from_dict(scene(i) | {"image_filename": n}) for i, n in enumerate(names)])
    assert [scenes.place(None, n) for n in (*names, "data/cam2/1.png", "2.png", "else\\2.png")] == [0, 1, 2, 1, 2, 2]
    assert scenes.place(1, "1.png") == 1  # the number says which
    with pytest.raises(DataError, match=r"several scenes have .*'1\.png': 'cam1/1\.png', 'cam2/1\.png'"):
        scenes.place(None, "1.png")
    with pytest.raises(DataError, match="are the two files of one split"):
        scenes.place(0, "cam2/1.png")


def test_lines_with_a_bad_first_or_last_line(tmp_path: Path) -> None:
    good = json.dumps(scene(None)).encode()
    (tmp_path / "a").write_bytes(good[:-5] + b"\n" + good + b"\n" + good[:-9])
    scenes = load_scenes(tmp_path / "a")
    assert [s.index for s in scenes] == [1]
    assert [b.index for b in scenes.bad] == [0, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"\x89PNG\r\n", "not JSON: it starts with"),
        (b'{"scenes": [\n{"objects": []},\n', r"JSON at byte 30 \(line 3, column 1\).*the file ends"),
        (b'{"scenes": [\n{"objects": [}]}', r"JSON at byte 26 \(line 2, column 14\).*invalid character"),
        (b"[1, 2", "the file ends in the middle"),
        (b'{"scenes": 3}', r"Expected `array`, got `int` at `\$.scenes`"),
        (b'{"questions": []}', "holds questions, not scenes; were the files given in the wrong order"),
        (b'{"scene": []}', "no scenes in it: expected \"scenes\": .*, found the keys 'scene'"),
        (b"{}", "no scenes in it.*empty object"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_scene_file(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_scenes(tmp_path / "a.json")
    assert "a.json: " in str(caught.value)


def test_records_of_the_wrong_type_are_bad_ones(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('[1, null, "x", {}, {"objects": []}]')
    scenes = load_scenes(tmp_path / "a")
    assert len(scenes) == 1 and [b.index for b in scenes.bad] == [0, 1, 2, 3]


def test_the_domain_is_checked_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="no domain 'clever'"):
        read_scenes(tmp_path / "missing", "clever")


def test_lookup_says_what_there_is() -> None:
    scenes = SceneFile([Scene.from_dict(s) for s in (scene(3), scene(4))])
    with pytest.raises(DataError, match=r"has the image_index 5 \(scenes has 2 scenes, image_index 3 to 4"):
        scenes.by_index(5)
    with pytest.raises(DataError, match=r"no scene has the image_filename '9\.png'"):
        scenes.by_image("9.png")
    with pytest.raises(DataError, match="are the two files of one split"):
        scenes.place(3, "4.png")
    with pytest.raises(DataError, match="names no image"):
        scenes.place(None, None)
    twice = SceneFile([Scene.from_dict(scene(i) | {"image_filename": "a.png"}) for i in (1, 2)])
    with pytest.raises(DataError, match="several scenes"):
        twice.by_image("a.png")


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_scenes_are_written_as_they_are_read(name: str, tmp_path: Path) -> None:
    relations = {"left": [[1], []], "right": [[], [0]]}
    first = [Scene.from_dict(scene(4, relationships=relations)), Scene.from_dict(scene(5))]
    assert write_scenes(tmp_path / name, first, info={"split": "own"}) == 2
    again = load_scenes(tmp_path / name)
    assert again.info == {"split": "own"}
    assert [s.to_dict() for s in again] == [s.to_dict() for s in first]


def test_packed_scenes_answer_alike() -> None:
    relations = {"left": [[1], []], "right": [[], [0]]}
    scenes = SceneFile([Scene.from_dict(scene(4, relationships=relations)), Scene.from_dict(scene(5, 0))])
    again = SceneFile.unpack(scenes.pack(), load_domain("clevr"))
    for a, b in zip(scenes, again, strict=True):
        assert (a.index, a.image, a.values, a.concepts) == (b.index, b.image, b.values, b.concepts)
        assert all(a.relation(r) == b.relation(r) for r in range(2) if len(a))
    assert again.place(4, "4.png") == 0


def test_junk_relationships_are_told_alike_in_another_process() -> None:
    scenes = SceneFile([Scene.from_dict(scene(4, relationships={"left": [[7], []], "front": [[1], []]}))])
    again = SceneFile.unpack(scenes.pack(), load_domain("clevr"))
    for one in (scenes.scenes[0], again.scenes[0]):
        for name in ("left", "right"):
            with pytest.raises(SceneError, match=r"index 7 is not one of the 2 .* at .*relationships\.left\[0\]"):
                one.relation(one.domain.relation_index[name])
        assert one.relation(one.domain.relation_index["front"]) == [0b10, 0]


def test_digests_tell_files_apart() -> None:
    one, two = (SceneFile([Scene.from_dict(scene(i))]) for i in (1, 2))
    assert one.digest() != two.digest()
    assert one.digest() == SceneFile([Scene.from_dict(scene(1))]).digest()


SAMPLE = layouts([scene(0, 1, directions={"left": [1, 0, 0]}), scene(1, 1, relationships={"left": [[]]})])


PIECES = [b"", b"NaN", b"{", b"}", b"]", b'"', b"\n", b"\xff", b"-1", b"null", b",", b"9" * 30]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(SAMPLE[draw(st.sampled_from(sorted(SAMPLE)))])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 3))
        new = draw(st.sampled_from(PIECES))
        data[at : at + cut] = new
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@given(damaged())
def test_damage_ends_in_scenes_bad_records_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a"
    path.write_bytes(data)
    try:
        results = list(read_scenes(path))
    except NsreasonError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(f, Scene | BadRecord) for f in results)
        assert len({f.index for f in results if isinstance(f, Scene)}) == sum(isinstance(f, Scene) for f in results)


@given(st.lists(st.binary(max_size=6).map(repr) | st.sampled_from(["NaN", "-Infinity", "1", '"\\"NaN"', "{}"])))
def test_cut_records_are_the_files_own_bytes(items: list[str]) -> None:
    texts = [json.dumps(i) if i.startswith("b") else i for i in items]
    records = cut_records(("[" + " , ".join(texts) + "]").encode(), "scenes")
    assert [bytes(memoryview(r)).decode() for r in records] == texts
