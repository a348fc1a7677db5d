"""The scene parser: geometry, patches, learning on painted pictures, scenes, data folders, checkpoints."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nsreason.errors import CheckpointError, DataError
from nsreason.generators.clevr.placement import SceneCamera, clevr_rules
from nsreason.perception.detections.coco import write_detections
from nsreason.perception.detections.detections import Detections
from nsreason.perception.detections.rle import encode_masks
from nsreason.perception.scene_parser.config import SceneParserConfig
from nsreason.perception.scene_parser.data import SceneParserData, load_parser_data
from nsreason.perception.scene_parser.parser import SceneParser
from nsreason.perception.scene_parser.patches import (
    LEFT,
    PatchAugmentation,
    augmented,
    box_masks,
    cut_patches,
    occluded,
    squares,
)
from nsreason.perception.scene_parser.unproject import GroundCamera, unproject
from nsreason.scenes.scene import Scene
from nsreason.training.checkpoint import load_checkpoint, load_model, save_checkpoint, save_half
from nsreason.training.model import model_class
from nsreason.training.recipe import load_recipe
from tests.support.checkpoints import edit, record_of
from tests.support.painted_images import HEIGHT, WIDTH, detections, painted, painted_image, write_painted

SMALL = SceneParserConfig(side=24, width=8, hidden=32)
coordinate = st.floats(-3, 3)
jitter = st.floats(-0.5, 0.5)


# --- geometry ---------------------------------------------------------------------------------------------------


def test_the_ground_camera_is_that_of_the_generated_scenes() -> None:
    rules, own = clevr_rules().camera, GroundCamera()
    assert (own.location, own.focal, own.width, own.height) == (rules.location, rules.focal, rules.width, rules.height)
    there = SceneCamera.at(rules.location, rules).directions()
    for name, vector in own.directions().items():
        assert vector == pytest.approx(there[name])


@given(coordinate, coordinate, st.floats(0.1, 1), st.tuples(jitter, jitter, jitter))
def test_a_projected_point_comes_back(x: float, y: float, z: float, moved: tuple[float, float, float]) -> None:
    rules = clevr_rules().camera
    location = tuple(a + b for a, b in zip(rules.location, moved, strict=True))
    column, row, _ = SceneCamera.at((location[0], location[1], location[2]), rules).project((x, y, z))
    back = unproject(torch.tensor([column, row]), torch.tensor(z), torch.tensor(location), GroundCamera())
    assert back.tolist() == pytest.approx([x, y, z], abs=2e-3)


def test_above_the_horizon_is_far_and_finite() -> None:
    pixels = torch.tensor([[240.0, -4000.0]], requires_grad=True)
    points = unproject(pixels, torch.tensor([0.35]), torch.tensor(GroundCamera().location), GroundCamera())
    points.sum().backward()
    assert points.isfinite().all() and pixels.grad is not None and pixels.grad.isfinite().all()


@pytest.mark.parametrize("wrong", [{"location": (0.0, 0.0, 3.0)}, {"location": (1.0, 1.0, -1.0)}, {"focal": 0.0}])
def test_a_camera_that_sees_no_plane_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="camera"):
        GroundCamera(**wrong)  # type: ignore[arg-type]


# --- patches ----------------------------------------------------------------------------------------------------


def test_a_patch_is_the_square_around_its_box() -> None:
    image = torch.zeros(3, 60, 80, dtype=torch.uint8)
    image[0, 20:40, 30:50] = 200  # a red square of 20 pixels
    boxes = torch.tensor([[30.0, 20.0, 50.0, 40.0], [0.0, 0.0, 10.0, 10.0]])
    patches = cut_patches(image, boxes, None, 20, 2.0)
    assert patches.shape == (2, 5, 20, 20) and patches.dtype == torch.uint8
    assert squares(boxes, 2.0)[0].tolist() == [20.0, 10.0, 60.0, 50.0]
    red, own = patches[0, 0], patches[0, 3]
    assert red[6:14, 6:14].min() == 200 and red[:4].max() == 0 and (own[6:14, 6:14] == 255).all()
    assert patches[0, 1:3].max() == 0 and patches[0, 4].max() == 0  # no green, no blue, nobody else
    assert (box_masks(boxes, 60, 80)[0] == (image[0] > 0)).all()


def test_others_stand_in_their_own_channel() -> None:
    masks = torch.zeros(2, 40, 40, dtype=torch.bool)
    masks[0, 10:20, 10:20] = True
    masks[1, 10:20, 20:30] = True
    boxes = torch.tensor([[10.0, 10.0, 20.0, 20.0], [20.0, 10.0, 30.0, 20.0]])
    patches = cut_patches(torch.zeros(3, 40, 40, dtype=torch.uint8), boxes, masks, 20, 2.0)
    assert patches[0, 3, 10, 10] == 255 and patches[0, 4, 10, 17] == 255 and patches[0, 4, 10, 2] == 0
    assert patches[1, 4, 10, 2] == 255
    assert cut_patches(torch.zeros(3, 40, 40, dtype=torch.uint8), torch.zeros(0, 4), None, 20, 2.0).shape[0] == 0


def test_jitter_is_repeatable_and_in_range() -> None:
    patches = torch.rand(6, 5, 24, 24)
    torch.manual_seed(3)
    one = augmented(patches, PatchAugmentation())
    torch.manual_seed(3)
    other = augmented(patches, PatchAugmentation())
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert one.patches.min() >= 0 and one.patches.max() <= 1 and not torch.allclose(one.patches, patches)
    assert (
        one.moved.abs().max() <= PatchAugmentation().translate
        and (one.scale - 1).abs().max() <= PatchAugmentation().scale
    )
    with pytest.raises(ValueError, match="translate"):
        PatchAugmentation(translate=2.0)


def test_objects_are_hidden_by_others_and_never_wholly() -> None:
    patches = torch.zeros(60, 5, 32, 32)
    patches[:, 0] = torch.linspace(0.2, 0.9, 60)[:, None, None]  # each patch has its own red
    patches[:, 3, 8:24, 8:24] = 1
    torch.manual_seed(0)
    varied = occluded(patches)
    changed = (varied != patches).flatten(1).any(1)
    assert int(changed.sum()) > 20
    own, others = varied[:, 3], varied[:, 4]
    assert (own.sum((1, 2)) >= LEFT * 256 - 1e-3).all() and (own + others)[:, 8:24, 8:24].min() > 1 - 1e-5
    pasted = others > 0.999
    shown = torch.where(pasted, varied[:, 0], torch.nan).flatten(1).nanmedian(1).values
    reds = patches[:, 0, 0, 0]
    seen = changed & pasted.flatten(1).any(1)
    assert torch.isin(shown[seen].mul(1e4).round(), reds.mul(1e4).round()).all()  # another patch's colour
    assert (shown[seen] != reds[seen]).float().mean() > 0.9


def test_a_moved_patch_shows_what_lies_there() -> None:
    patches = torch.zeros(1, 5, 40, 40)
    patches[0, :, :, 20:24] = 1
    still = {"scale": 0.0, "colour": 0.0, "noise": 0.0, "edges": 0.0, "drop": 0.0, "occlude": 0.0}
    torch.manual_seed(0)
    varied = augmented(patches, PatchAugmentation(translate=0.2, **still))
    at = (varied.patches[0, 3].sum(0) * torch.arange(40)).sum() / varied.patches[0, 3].sum()
    assert float(at) == pytest.approx(21.5 - 40 * float(varied.moved[0, 0]), abs=0.2)


# --- the network ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("painted")
    write_painted(root, scenes=20, seed=4)
    return root


@pytest.fixture(scope="module")
def taught(folder: Path) -> SceneParser:
    """Half a minute's worth of a network, in a few seconds: pictures in flat paint are easily told apart."""
    torch.manual_seed(1)
    parser = SceneParser(SMALL)
    batch = parser.collate(load_parser_data(folder, parser.config).train)
    optimizer = torch.optim.AdamW(parser.parameters(), 4e-3)
    parser.train()
    for _ in range(160):  # after 120 the rounding of one kind of processor still decides
        optimizer.zero_grad()
        parser.loss(batch).loss.backward()
        optimizer.step()
    return parser.eval()


def test_it_learns(taught: SceneParser, folder: Path) -> None:
    out = taught.loss(taught.collate(load_parser_data(folder, taught.config).train))
    shares = {k: float(v[0] / v[1]) for k, v in out.metrics.items() if isinstance(v, tuple)}
    assert out.count == 18
    assert shares["accuracy/color"] > 0.9 and shares["accuracy/shape"] > 0.7 and shares["accuracy/relation"] > 0.95
    assert shares["loss/distance"] < 0.6


def test_a_scene_says_what_was_seen(taught: SceneParser, folder: Path) -> None:
    truth = next(iter(scenes_of(folder)))
    image, detected = painted_image(truth)
    scene = taught.scenes([(image, detected)])[0]
    assert (len(scene), scene.image, scene.domain) == (len(truth), truth.image, truth.domain)
    right = sum(scene.value(i, "color") == truth.value(i, "color") for i in range(len(truth)))
    assert right >= len(truth) - 1
    degrees = taught.degrees([(image, detected)])[0]
    assert degrees.shape == (len(truth), 15)
    assert torch.allclose(degrees.sum(-1), torch.full((len(truth),), 4.0), atol=1e-4)  # four attributes
    for i, place in enumerate(scene.places):
        chosen = [float(degrees[i, column[i]]) for column in scene.values]
        assert place.score == pytest.approx(math.prod(chosen), abs=1e-5)
        assert place.bbox == tuple(map(float, detected.boxes[i])) and place.mask == dict((detected.masks or [])[i])
    again = Scene.from_dict(scene.to_dict())
    assert again.values == scene.values and again.relation(0) == scene.relation(0)


def test_relations_are_the_order_of_coordinates(taught: SceneParser, folder: Path) -> None:
    scene = taught.scenes([painted_image(next(iter(scenes_of(folder))))])[0]
    right = np.array(taught.config.camera.directions()["right"])
    along = np.array([p.coords for p in scene.places]) @ right
    rows = scene.relation(scene.domain.relation_index["right"])
    for i, row in enumerate(rows):
        assert [j for j in range(len(scene)) if row >> j & 1] == [j for j in range(len(scene)) if along[j] > along[i]]


def test_an_image_without_objects_is_an_empty_scene() -> None:
    parser = SceneParser(SMALL)
    nothing = Detections(
        "empty.png", (WIDTH, HEIGHT), np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), []
    )
    image = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)
    assert [len(s) for s in parser.scenes([(image, nothing)])] == [0]
    assert parser.scenes([]) == []


def test_boxes_do_where_there_are_no_masks(taught: SceneParser, folder: Path) -> None:
    image, detected = painted_image(next(iter(scenes_of(folder))))
    assert len(taught.scenes([(image, replace(detected, masks=None))])[0]) == len(detected)


def test_an_image_of_another_size_is_refused(taught: SceneParser, folder: Path) -> None:
    image, detected = painted_image(next(iter(scenes_of(folder))))
    with pytest.raises(DataError, match=r"479 x 320, its detections of 480 x 320; the parser takes 480 x 320"):
        taught.scenes([(image[:, :, 1:], detected)])


def test_a_batch_of_several_images_is_each_alone(taught: SceneParser, folder: Path) -> None:
    pairs = [painted_image(s) for s in list(scenes_of(folder))[:3]]
    together, alone = taught.parse(pairs), [taught.parse([v])[0] for v in pairs]
    for a, b in zip(together, alone, strict=True):
        assert torch.allclose(a.coords, b.coords, atol=1e-4) and torch.allclose(a.logits, b.logits, atol=1e-4)


@pytest.mark.parametrize("wrong", [{"side": 4}, {"width": 12}, {"margin": 0.5}, {"heights": ()}, {"camera_shift": -1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"least|multiple"):
        SceneParserConfig(**wrong)  # type: ignore[arg-type]


def test_it_is_known_by_name_and_small() -> None:
    assert model_class("scene-parser") is SceneParser
    recipe = load_recipe("scene-parser")
    assert sum(p.numel() for p in SceneParser(recipe.model_config).parameters()) < 2_000_000
    with pytest.raises(DataError, match="at least one image"):
        SceneParser(SMALL).collate([])


# --- checkpoints ------------------------------------------------------------------------------------------------


def test_a_checkpoint_in_half_the_space(taught: SceneParser, folder: Path, tmp_path: Path) -> None:
    whole = save_checkpoint(
        tmp_path / "run", "best", model_name="scene-parser", model=taught, step=7, state={"recipe": {"a": 1}}
    )
    path = save_half(load_checkpoint(whole), tmp_path / "weights", "scene-parser", origin={"seed": 3})
    record = record_of(path)
    assert record["state"] == {"recipe": {"a": 1}, "made": {"seed": 3}} and record["half"] is True
    assert path.stat().st_size < 0.55 * whole.stat().st_size
    again = load_model(path)
    assert all(p.dtype == torch.float32 for p in again.parameters())
    seen = [painted_image(s) for s in list(scenes_of(folder))[:2]]
    assert [s.values for s in again.scenes(seen)] == [s.values for s in taught.scenes(seen)]


def test_half_weights_are_refused_where_the_file_does_not_say_so(taught: SceneParser, tmp_path: Path) -> None:
    whole = save_checkpoint(tmp_path, "best", model_name="scene-parser", model=taught, step=1)
    path = save_half(load_checkpoint(whole), tmp_path / "half", "p")
    edit(path, lambda record: record.pop("half"))
    with pytest.raises(CheckpointError, match="float16"):
        load_model(path)


def test_what_float16_cannot_hold_stays_as_it_is(tmp_path: Path) -> None:
    class Wide(SceneParser):
        def __init__(self) -> None:
            super().__init__(SMALL)
            self.register_buffer("variance", torch.tensor([1e6, 1.0]))

    whole = save_checkpoint(tmp_path, "wide", model_name="scene-parser", model=Wide(), step=0)
    checkpoint = load_checkpoint(save_half(load_checkpoint(whole), tmp_path / "half", "wide"))
    assert checkpoint.tensors["model/variance"].tolist() == [1e6, 1.0]


# --- data -------------------------------------------------------------------------------------------------------


def scenes_of(folder: Path) -> list[Scene]:
    from nsreason.data.scenes import load_scenes

    return load_scenes(folder / "scenes.json", "clevr").scenes


def test_folders_are_split_and_one_named_twice_counts_twice(folder: Path) -> None:
    parser = SceneParser(SMALL)
    once = SceneParserData(held_out=0.2).load(parser.config, folder)
    assert (len(once.train), len(once.valid), once.bad, once.unit) == (16, 4, [], "images")
    twice = SceneParserData(held_out=0.2).load(parser.config, f"{folder},{folder}")
    assert (len(twice.train), len(twice.valid)) == (32, 4)
    example, scene = once.train[0], scenes_of(folder)[0]
    assert example.patches.shape[1:] == (5, 24, 24) and len(example.boxes) == len(scene)
    assert example.coords[0].tolist() == pytest.approx(scene.places[0].coords)
    for a, attribute in enumerate(scene.domain.attributes):
        names = [scene.domain.values(attribute)[v] for v in example.values[:, a].tolist()]
        assert names == [scene.value(i, attribute) for i in range(len(scene))]


def test_detections_stand_in_for_annotations(folder: Path, tmp_path: Path) -> None:
    scenes = scenes_of(folder)
    all_detections = []
    for scene in scenes:
        _, masks = painted(scene)
        shuffled = detections(scene, masks[::-1])  # another order, and one object missed
        kept = slice(1, None)
        assert shuffled.masks is not None
        all_detections.append(
            Detections(
                shuffled.image,
                shuffled.size,
                shuffled.boxes[kept],
                shuffled.scores[kept],
                shuffled.labels[kept],
                list(shuffled.masks)[kept],
            )
        )
    data = tmp_path / "data"
    data.mkdir()
    (data / "images").symlink_to(folder / "images")
    (data / "scenes.json").write_bytes((folder / "scenes.json").read_bytes())
    write_detections(data / "detections.json", all_detections)
    split = SceneParserData(held_out=0.1).load(SMALL, data)
    first, scene = split.train[0], scenes[0]
    assert len(first.boxes) == len(scene) - 1
    assert first.coords[0].tolist() == pytest.approx(scene.places[len(scene) - 2].coords)


def test_bad_images_do_not_cost_the_others(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    file = json.loads((folder / "scenes.json").read_text(encoding="utf-8"))
    for record in file["scenes"]:
        name = record["image_filename"]
        (data / "images" / name).symlink_to(folder / "images" / name)
    first, second, third, fourth = file["scenes"][:4]
    (data / "images" / first["image_filename"]).unlink()
    for thing in second["objects"]:
        del thing["mask"], thing["bbox"]
    third["directions"]["left"] = [1.0, 0.0, 0.0]
    fourth["objects"][0]["mask"]["size"] = [10, 10]
    (data / "scenes.json").write_text(json.dumps(file), encoding="utf-8")
    split = SceneParserData(held_out=0.0).load(SMALL, data)
    assert len(split.train) == 16
    messages = [str(error) for error in split.bad]
    for message, expected in zip(
        messages, ("no such image", "neither a mask nor a bbox", "'left' is", "10 x 10 pixels"), strict=True
    ):
        assert expected in message


@pytest.mark.parametrize(
    ("text", "message"), [("absent", "no such folder"), ("", "no folder of images"), (" , ", "no")]
)
def test_a_folder_that_is_not_there(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_parser_data(text, SMALL)


def test_a_folder_without_scenes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file of scenes"):
        load_parser_data(tmp_path, SMALL)


def test_masks_are_those_of_the_annotation(folder: Path) -> None:
    scene = scenes_of(folder)[0]
    _, masks = painted(scene)
    assert [p.mask for p in scene.places] == [dict(m) for m in encode_masks(masks)]
