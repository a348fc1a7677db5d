"""Data sets with pictures: what the files say is what the pictures show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsreason.data.questions import read_questions
from nsreason.data.scenes import load_scenes
from nsreason.errors import DataError
from nsreason.executors import execute, spell
from nsreason.generators import write_dataset
from nsreason.generators.clevr.images import annotated, detections_of, fitted_camera, render_scene, things_of
from nsreason.generators.clevr.placement import clevr_rules
from nsreason.generators.clevr.released import annotate
from nsreason.generators.clevr.scenes import generate_scenes, generate_scenes_with_cameras
from nsreason.io.image_tensors import read_image
from nsreason.perception.detections.readers import read_detections
from nsreason.perception.detections.rle import decode_masks
from nsreason.scenes.scene import Scene

SIZE = (120, 80)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight scenes with pictures of 120 x 80."""
    out: Path = tmp_path_factory.mktemp("pictures") / "made"
    write_dataset(out, scenes=8, questions_per_scene=3, seed=5, images=SIZE)
    return out


def read_json(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def test_files_and_what_they_name(folder: Path) -> None:
    files = ["dataset.json", "images", "instances.json", "questions.json", "scenes.json"]
    assert sorted(p.name for p in folder.iterdir()) == files
    scenes = load_scenes(folder / "scenes.json")
    assert len(scenes) == 8 and not scenes.bad
    names = [s.image for s in scenes]
    assert sorted(p.name for p in (folder / "images").iterdir()) == sorted(str(n) for n in names)
    assert read_json(folder, "scenes.json")["info"]["images"] == list(SIZE)
    for scene in scenes:
        assert read_image(folder / "images" / str(scene.image)).shape == (3, 80, 120)


def test_masks_boxes_and_pixels_agree(folder: Path) -> None:
    scenes = load_scenes(folder / "scenes.json")
    for scene in scenes:
        masks = decode_masks([p.mask for p in scene.places], (80, 120))
        assert masks.sum(0).max() <= 1
        for place, mask in zip(scene.places, masks, strict=True):
            assert mask.sum() >= 200 / 16 and place.bbox is not None and place.pixel_coords is not None
            left, top, right, bottom = map(int, place.bbox)
            assert mask[top:bottom, left:right].sum() == mask.sum()
            assert mask[top].any() and mask[bottom - 1].any() and mask[:, left].any() and mask[:, right - 1].any()
            column, row, _ = place.pixel_coords
            # The projected centre: within the whole object's outline, which what is visible lies in, too.
            assert left - 30 < column < right + 30 and top - 30 < row < bottom + 30


def test_instances_say_the_same_in_cocos_layout(folder: Path) -> None:
    file = read_detections(folder / "instances.json")
    assert not file.bad and file.categories == {1: "cube", 2: "sphere", 3: "cylinder"}
    for scene in load_scenes(folder / "scenes.json"):
        mine, theirs = detections_of(scene, SIZE), file.by_image(str(scene.image))
        assert np.array_equal(mine.boxes, theirs.boxes) and np.array_equal(mine.labels, theirs.labels)
        assert list(mine.masks or ()) == list(theirs.masks or ())
    areas = {a["id"]: a["area"] for a in read_json(folder, "instances.json")["annotations"]}
    assert len(areas) == sum(len(s) for s in load_scenes(folder / "scenes.json")) and min(areas.values()) >= 12


def test_questions_are_right_on_their_scenes(folder: Path) -> None:
    scenes = load_scenes(folder / "scenes.json")
    asked = list(read_questions(folder / "questions.json"))
    assert len(asked) == 24
    for record in asked:
        program = record.given_program(scenes.scenes[0].domain)  # type: ignore[union-attr]
        assert program is not None
        assert spell(execute(program, scenes.by_index(record.image_index))) == record.answer  # type: ignore[union-attr, arg-type]


def test_the_same_seed_makes_the_same_files_in_any_number_of_processes(folder: Path, tmp_path: Path) -> None:
    # 70 scenes are two blocks, hence two processes.
    write_dataset(tmp_path / "one", scenes=70, questions_per_scene=0, seed=5, images=(48, 32), objects=(3, 4))
    write_dataset(tmp_path / "two", scenes=70, questions_per_scene=0, seed=5, images=(48, 32), objects=(3, 4), jobs=2)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(files) == 74
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_a_smaller_set_takes_the_place_of_a_larger_one(tmp_path: Path) -> None:
    write_dataset(tmp_path, scenes=3, questions_per_scene=0, seed=5, images=(48, 32), objects=(3, 3))
    own = tmp_path / "images" / "mine.png"
    own.write_bytes(b"")
    write_dataset(tmp_path, scenes=1, questions_per_scene=0, seed=5, images=(48, 32), objects=(3, 3), overwrite=True)
    assert sorted(p.name for p in (tmp_path / "images").iterdir()) == ["CLEVR_new_000000.png", "mine.png"]


def test_pictures_follow_the_seed(folder: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path, scenes=2, questions_per_scene=0, seed=6, images=SIZE)
    one, other = (read_image(f / "images" / "CLEVR_new_000000.png") for f in (folder, tmp_path))
    assert (one != other).float().mean() > 0.5


def test_hidden_objects_are_drawn_again() -> None:
    refused: list[int] = []

    def accept(scene: Scene, camera: object) -> bool:
        if scene.index == 1 and not refused:
            refused.append(len(scene))
            return False
        return True

    pairs = list(generate_scenes_with_cameras(3, 11, accept=accept))
    plain = list(generate_scenes(3, 11))
    same = [a.to_dict() == b.to_dict() for (a, _), b in zip(pairs, plain, strict=True)]
    assert same == [True, False, True] and refused == [len(plain[1])]
    assert len(pairs[1][0]) == len(plain[1])  # a scene that is begun anew keeps its number of objects


def test_a_camera_is_found_from_its_scene() -> None:
    for scene, camera in generate_scenes_with_cameras(6, 3, objects=(4, 8)):
        fitted, error = fitted_camera(scene)
        assert error < 0.6  # pixel_coords are whole numbers
        assert np.abs(np.subtract(fitted.location, camera.location)).max() < 0.12


def test_a_scene_without_coordinates_cannot_be_drawn() -> None:
    scene = Scene.of("clevr", [{"size": "large", "color": "red", "material": "metal", "shape": "cube"}])
    with pytest.raises(DataError, match="object 0 has no 3d_coords"):
        things_of(scene)
    with pytest.raises(DataError, match="3d_coords and pixel_coords"):
        fitted_camera(scene)


def test_an_object_out_of_sight_has_no_mask() -> None:
    ((scene, camera),) = generate_scenes_with_cameras(1, 4)
    drawn = render_scene(scene, camera, size=SIZE)
    drawn.masks[1] = False
    seen = annotated(scene, drawn)
    assert seen.places[1].mask is None and seen.places[1].bbox is None and seen.places[0].mask is not None
    assert len(detections_of(seen, SIZE)) == len(scene) - 1


def test_released_images_get_masks(folder: Path, tmp_path: Path) -> None:
    """A rendered set stands for released images: from its coordinates alone its masks are found again."""
    size = (clevr_rules().camera.width, clevr_rules().camera.height)
    source = tmp_path / "made"
    write_dataset(source, scenes=3, questions_per_scene=2, seed=9, images=size)
    files = source / "scenes.json", source / "images", source / "questions.json"
    summary = annotate(*files, tmp_path / "out", keep=lambda i: i != 1)
    assert (summary.images, summary.questions, summary.bad) == (2, 4, [])
    first, again = load_scenes(source / "scenes.json"), load_scenes(tmp_path / "out" / "scenes.json")
    for scene in again:
        before = first.by_image(str(scene.image))
        for old, new in zip(before.places, scene.places, strict=True):
            a, b = decode_masks([old.mask, new.mask], size[::-1])
            assert (a & b).sum() / (a | b).sum() > 0.93
    with pytest.raises(DataError, match="none of the images"):
        annotate(source / "scenes.json", tmp_path, None, tmp_path / "no")


@pytest.mark.parametrize("size", [(15, 80), (480, 3)])
def test_pictures_have_some_pixels(size: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="16 pixels or more"):
        write_dataset(tmp_path, scenes=1, images=size)
