"""Regions: batches of images, features of objects and pairs, NS-CL's layers and patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nsreason.errors import CheckpointError
from nsreason.generators import generate_scenes
from nsreason.io.image_tensors import resized
from nsreason.perception.detections.detections import Detections, ImageDetections
from nsreason.perception.detections.rle import encode_masks
from nsreason.perception.features.region_backbones import (
    POOLED,
    ResNetRegions,
    coverage,
    geometry,
    load_trunk,
    pool,
    samples,
    trunk,
)
from nsreason.perception.features.regions import Preset, RegionConfig, RegionFeatures, Regions
from tests.support.painted_images import painted_image

PRESETS: tuple[Preset, ...] = ("patches", "resnet18")
STILL = {"brightness": 0.0, "contrast": 0.0, "tint": 0.0, "noise": 0.0, "jitter": 0.0, "mask_dropout": 0.0}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def images() -> list[ImageDetections]:
    """Painted scenes of 3 to 5 objects."""
    return [painted_image(s) for s in generate_scenes(3, seed=3, objects=(3, 5))]


def build(preset: Preset = "patches", **config: object) -> RegionFeatures:
    torch.manual_seed(0)
    size = (96, 144) if preset != "patches" else None
    config_of = RegionConfig(preset=preset, size=size, **config)  # type: ignore[arg-type]
    return RegionFeatures(config_of).eval()


def regions(images: list[ImageDetections], net: RegionFeatures) -> Regions:
    return Regions.of(images, masks=True, size=net.config.image_size())


def boxes_of(n: int, size: tuple[int, int] = (480, 320), *, masks: bool = False) -> Detections:
    """n boxes in a row."""
    boxes = np.array([[10 + 40 * i, 20, 40 + 40 * i, 60] for i in range(n)], np.float32).reshape(-1, 4)
    pixels = np.zeros((n, size[1], size[0]), bool)
    for i, (left, top, right, bottom) in enumerate(boxes.astype(int)):
        pixels[i, top:bottom, left:right] = True
    ones = np.ones(n, np.float32)
    rles = encode_masks(pixels) if masks else None
    return Detections("a.png", size, boxes, ones, ones.astype(np.int64), rles)


def blank(height: int = 320, width: int = 480) -> Tensor:
    return torch.full((3, height, width), 120, dtype=torch.uint8)


# --- batches ----------------------------------------------------------------------------------------------------


def test_images_side_by_side() -> None:
    batch = Regions.of([(blank(), boxes_of(2, masks=True)), (blank(), boxes_of(0, masks=True))], masks=True)
    assert batch.images.shape == (2, 3, 320, 480) and batch.images.dtype == torch.uint8 and len(batch) == 2
    assert batch.present.tolist() == [[True, True], [False, False]]
    assert batch.boxes[0].tolist() == [[10, 20, 40, 60], [50, 20, 80, 60]] and not batch.boxes[1].any()
    assert batch.masks is not None and batch.masks.sum((2, 3)).tolist() == [[1200, 1200], [0, 0]]
    assert Regions.of([(blank(), boxes_of(0))], masks=True).present.tolist() == [[False]]
    with pytest.raises(ValueError, match="no image"):
        Regions.of([], masks=True)


def test_images_of_different_sizes_become_one() -> None:
    """Boxes and masks go with their image."""
    small = Detections(
        "b.png", (240, 160), np.array([[5, 10, 20, 30]], np.float32), np.ones(1, np.float32), np.ones(1, np.int64)
    )
    batch = Regions.of([(blank(), boxes_of(1)), (blank(160, 240), small)], masks=False)
    assert torch.equal(batch.boxes[0], batch.boxes[1]) and torch.equal(batch.images[0], batch.images[1])
    halved = Regions.of([(blank(), boxes_of(2, masks=True))], masks=True, size=(160, 240))
    assert halved.masks is not None and halved.masks.sum((2, 3)).tolist() == [[300, 300]]
    assert halved.boxes[0, 0].tolist() == [5, 10, 20, 30]


def test_masks_are_left_out_where_one_image_has_none() -> None:
    assert Regions.of([(blank(), boxes_of(1, masks=True)), (blank(), boxes_of(1))], masks=True).masks is None
    assert Regions.of([(blank(), boxes_of(1, masks=True))], masks=False).masks is None


def test_resizing_keeps_what_fits() -> None:
    image = blank()
    assert resized(image, (320, 480)) is image
    assert torch.equal(resized(image, (10, 20)), torch.full((3, 10, 20), 120, dtype=torch.uint8))


# --- geometry ---------------------------------------------------------------------------------------------------


def test_coverage_counts_parts_of_cells() -> None:
    cells, box = torch.tensor([[0.0, 0, 70, 70]]), torch.tensor([[5.0, 0, 20, 10]])
    (covered,) = coverage(cells, box, POOLED)
    assert covered[0].tolist() == [0.5, 1, 0, 0, 0, 0, 0] and not covered[1:].any()
    assert coverage(cells, cells, POOLED).eq(1).all()


def test_pooled_regions_are_where_the_boxes_are() -> None:
    """A map that tells its own columns: a region's cells are at their middles."""
    maps = torch.arange(24.0).expand(1, 1, 16, 24)
    (pooled,) = pool(maps, torch.tensor([[64.0, 32, 176, 144]]), torch.zeros(1, dtype=torch.int64))
    middles = torch.arange(4, 11, dtype=torch.float32)  # cells of 16 pixels from 64 on, whose middles are 0.5 further
    assert torch.allclose(pooled[0], middles.expand(7, 7), atol=1e-4)


def test_samples_stay_in_the_image() -> None:
    at, inside = samples(torch.tensor([[-8.0, 0, 8, 16]]), 16, 10, 20)
    assert at.min() >= 0 and at.max() < 200
    assert inside[0, 0].tolist() == [False] * 16 + [True] * 16 and not inside[0, 20:].any()


def test_a_squares_colours_and_mask(images: list[ImageDetections]) -> None:
    """What a patch holds where the mask is, is the object's own paint."""
    net = build()
    seen = net._inputs(regions(images, net))
    squares = net.net.squares(seen)  # type: ignore[union-attr,operator]
    assert squares.shape == (len(seen.boxes), 4, 32, 32) and squares[:, 3].min() == -1 and squares[:, 3].max() == 1
    image, detections = images[0]
    (left, top, right, bottom) = detections.boxes[0].astype(int)
    middle = image[:, (top + bottom) // 2, (left + right) // 2].float() / 255
    assert torch.allclose(squares[0, :3, 16, 16] * 0.22 + 0.45, middle, atol=0.02)


def test_geometry_is_about_one() -> None:
    boxes = torch.tensor([[0.0, 0, 480, 320], [200, 100, 220, 130]])
    numbers = geometry(boxes, 320, 480)
    assert numbers[0, :2].tolist() == [0, 0] and numbers.abs().max() < 4 and numbers.isfinite().all()


# --- features ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_shapes_and_padding(images: list[ImageDetections], preset: Preset) -> None:
    net = build(preset, width=24, pairs=12)
    batch = regions(images, net)
    objects, pairs = net(batch)
    s, n = batch.present.shape
    assert objects.shape == (s, n, 24) and pairs.shape == (s, n, n, 12)
    assert not objects[~batch.present].any() and objects[batch.present].any(-1).all()
    there = batch.present[:, :, None] & batch.present[:, None, :]
    assert not pairs[~there].any() and pairs[there].any(-1).all()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("masks", [True, False])
def test_an_image_is_seen_alike_alone_and_in_a_batch(
    images: list[ImageDetections], preset: Preset, masks: bool
) -> None:
    """Padding and the other images change nothing; masks that are not wanted are not looked at."""
    net = build(preset, width=24, pairs=12, masks=masks)
    together, linked = net(regions(images, net))
    for i, one in enumerate(images):
        n = len(one[1])
        objects, pairs = net(regions([one], net))
        assert torch.allclose(objects[0], together[i, :n], atol=1e-4)
        assert torch.allclose(pairs[0], linked[i, :n, :n], atol=1e-4)
    if not masks:
        bare = regions(images, net)
        bare = Regions(bare.images, bare.boxes, None, bare.present)
        assert torch.equal(net(bare)[0], together)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_first_index_of_a_pair_is_the_reference(images: list[ImageDetections], preset: Preset) -> None:
    """Objects in another order: pairs are turned with them, and (i, j) is not (j, i)."""
    net = build(preset, width=24, pairs=12)
    (image, detections), turned = images[0], [2, 0, 1]
    order = np.array([*turned, *range(3, len(detections))])
    assert detections.masks is not None
    masks = [detections.masks[i] for i in order]
    moved = Detections(
        detections.image, detections.size, detections.boxes[order], detections.scores, detections.labels, masks
    )
    objects, pairs = net(regions([(image, detections)], net))
    again, links = net(regions([(image, moved)], net))
    assert torch.allclose(again[0], objects[0][order], atol=1e-4)
    assert torch.allclose(links[0], pairs[0][order][:, order], atol=1e-4)
    assert not torch.allclose(pairs[0, 0, 1], pairs[0, 1, 0], atol=1e-3)


def test_nscl_features_have_length_one(images: list[ImageDetections]) -> None:
    net = build("resnet18")
    objects, pairs = net(regions(images[:1], net))
    assert objects.shape[-1] == pairs.shape[-1] == 256
    assert torch.allclose(objects[0].norm(dim=-1), torch.ones(objects.shape[1]), atol=1e-4)
    assert torch.allclose(pairs[0].norm(dim=-1), torch.ones(pairs.shape[1:3]), atol=1e-4)


def test_nothing_detected_anywhere() -> None:
    for preset in PRESETS:
        net = build(preset, width=24, pairs=12).train()
        objects, pairs = net(Regions.of([(blank(), boxes_of(0))], masks=True, size=net.config.image_size()))
        assert objects.shape == (1, 1, 24) and pairs.shape == (1, 1, 1, 12) and not objects.any()


@pytest.mark.parametrize("preset", PRESETS)
def test_no_pairs_without_relations(images: list[ImageDetections], preset: Preset) -> None:
    net = RegionFeatures(RegionConfig(preset=preset, size=(96, 144)), relations=False).eval()
    assert net(regions(images, net))[1] is None
    assert not any("link" in name for name, _ in net.named_parameters())


@pytest.mark.parametrize("preset", PRESETS)
def test_gradients_reach_every_parameter(images: list[ImageDetections], preset: Preset) -> None:
    net = build(preset, width=24, pairs=12).train()
    objects, pairs = net(regions(images, net))
    torch.manual_seed(1)
    (objects * torch.randn_like(objects)).sum().add((pairs * torch.randn_like(pairs)).sum()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_training_draws_from_the_seed(images: list[ImageDetections]) -> None:
    net = build().train()
    batch = regions(images, net)
    torch.manual_seed(4)
    first = net(batch)[0]
    torch.manual_seed(4)
    again = net(batch)[0]
    assert torch.equal(first, again) and not torch.allclose(net(batch)[0], first, atol=1e-3)
    calm = build(flip=False, **STILL).train()
    assert torch.equal(calm(batch)[0], calm(batch)[0])


def test_mirrored_squares_leave_places_alone(images: list[ImageDetections]) -> None:
    net = build(**STILL).train()
    seen = net._inputs(regions(images, net))
    assert torch.equal(seen.boxes, net.eval()._inputs(regions(images, net)).boxes) and seen.flip


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": 0}, "width: a whole number from 1"),
        ({"crop": 20}, "crop: a multiple of 8"),
        ({"crop": 8}, "crop: a whole number from 16"),
        ({"noise": 1.0}, "noise: from 0 to below 1"),
        ({"margin": 0.1}, "margin: from 0.5"),
        ({"size": (4, 480)}, "size: height and width from 16"),
    ],
)
def test_settings_that_are_refused(config: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RegionConfig(**config)  # type: ignore[arg-type]


# --- weights ----------------------------------------------------------------------------------------------------


def test_a_frozen_network_stays_as_it_came(images: list[ImageDetections]) -> None:
    net = build("resnet18", width=8, pairs=8, frozen=True).train()
    assert isinstance(net.net, ResNetRegions) and not net.net.trunk.training and net.net.training
    before = {k: v.clone() for k, v in net.net.trunk.state_dict().items()}
    objects, _ = net(regions(images, net))
    objects.sum().backward()
    assert all(p.grad is None for p in net.net.trunk.parameters())
    assert all(torch.equal(v, before[k]) for k, v in net.net.trunk.state_dict().items())


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_weights_of_torchvision(tmp_path: Path, ending: str) -> None:
    from safetensors.torch import save_file
    from torchvision.models import resnet18

    torch.manual_seed(5)
    whole, path = resnet18(weights=None).state_dict(), tmp_path / f"resnet18.{ending}"
    if ending == "pth":
        torch.save(whole, path)
    else:
        save_file(whole, path)
    net = build("resnet18", weights=str(path))
    assert isinstance(net.net, ResNetRegions)
    assert not torch.equal(net.net.trunk.state_dict()["conv1.weight"], whole["conv1.weight"])
    net.load_weights()
    for name, value in net.net.trunk.state_dict().items():
        assert torch.equal(value, whole[name]), name


def test_weights_that_are_refused(tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    own = trunk("resnet18")
    with pytest.raises(CheckpointError, match="no such file of weights"):
        load_trunk(own, tmp_path / "absent.pth")
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_trunk(own, tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="holds a list"):
        load_trunk(own, tmp_path / "list.pth")
    torch.save({"conv1.weight": torch.zeros(2)}, tmp_path / "part.pth")
    with pytest.raises(CheckpointError, match=r"has no tensor 'bn1\.weight'"):
        load_trunk(own, tmp_path / "part.pth")
    with pytest.raises(ValueError, match="the preset 'patches' has no residual network"):
        build(weights="x.pth").load_weights()
