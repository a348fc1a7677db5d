"""Batches of images and masks; how they are varied; which masks agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nsreason.errors import DataError
from nsreason.perception.detections.rle import mask_boxes
from nsreason.perception.detector.batch import (
    Augmentation,
    ImageCache,
    boxes_of,
    make_batch,
    mask_iou,
    match_masks,
    target_of,
    vary,
)
from tests.support.toy_images import draw, examples

NOTHING = Augmentation(flip=0, crops=0, light=0, colour=0, noise=0)


def test_a_batch_holds_images_and_masks(tmp_path: Path) -> None:
    data = examples(tmp_path, 3)
    batch = make_batch(data)
    assert len(batch) == 3 and batch.names == ["0000.png", "0001.png", "0002.png"]
    for seed, (image, masks, labels) in enumerate(zip(batch.images, batch.masks, batch.labels, strict=True)):
        drawn, truth = draw(seed)
        assert torch.equal(image, drawn)
        assert np.array_equal(masks.numpy(), truth.decoded())
        assert labels.tolist() == [1] * len(truth)
        assert np.array_equal(boxes_of(masks).numpy(), mask_boxes(truth.masks or []))
    moved = batch.to("cpu")
    assert torch.equal(moved.masks[0], batch.masks[0]) and moved.names == batch.names


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    (example,) = examples(tmp_path, 1)
    wrong = replace(example, truth=replace(example.truth.where(np.zeros(len(example.truth), bool)), size=(64, 64)))
    with pytest.raises(DataError, match="128 x 96 pixels; its annotations are for 64 x 64"):
        make_batch([wrong])
    with pytest.raises(DataError, match="at least one image"):
        make_batch([])


def test_the_cache_keeps_what_fits(tmp_path: Path) -> None:
    one, other = examples(tmp_path, 2)
    cache = ImageCache(3 * 96 * 128)
    first = cache.read(one.path)
    assert cache.read(one.path) is first
    assert cache.read(other.path) is not cache.read(other.path)
    assert cache.used == 3 * 96 * 128


def test_masks_that_show_next_to_nothing_are_no_targets() -> None:
    masks = torch.zeros(2, 20, 20, dtype=torch.bool)
    masks[0, 3:9, 4:6] = True
    masks[1, 0, :3] = True
    target = target_of(masks, torch.tensor([2, 1]))
    assert target["boxes"].tolist() == [[4.0, 3.0, 6.0, 9.0]] and target["labels"].tolist() == [2]
    assert target_of(masks[1:], torch.tensor([1]))["boxes"].shape == (0, 4)


def test_nothing_to_vary_changes_nothing() -> None:
    image, truth = draw(3)
    masks = torch.from_numpy(truth.decoded().copy())
    varied, same = vary(image / 255, masks, NOTHING)
    assert torch.allclose(varied, image / 255, atol=1e-6) and torch.equal(same, masks)


@pytest.mark.parametrize("how", [replace(NOTHING, flip=1), replace(NOTHING, crops=1, crop=0.4)])
def test_masks_move_with_what_they_are_of(how: Augmentation) -> None:
    """Objects are coloured, the ground is grey: a mask's pixels stay coloured wherever they go."""
    torch.manual_seed(5)
    for seed in range(6):
        image, truth = draw(seed)
        varied, masks = vary(image / 255, torch.from_numpy(truth.decoded().copy()), how)
        assert varied.shape == image.shape and masks.shape[1:] == image.shape[1:]
        coloured = varied.amax(0) - varied.amin(0) > 0.3  # half of their colour
        if masks.any() or coloured.any():  # or all were cropped away
            agree = mask_iou(coloured[None], masks.any(0)[None])
            assert float(agree) > 0.85  # where two objects touch, their colours mix
        assert not torch.equal(varied, image / 255)


def test_light_is_varied_and_stays_in_range() -> None:
    torch.manual_seed(0)
    image, truth = draw(1)
    masks = torch.from_numpy(truth.decoded().copy())
    drawn = [vary(image / 255, masks, replace(Augmentation(), flip=0, crops=0))[0] for _ in range(4)]
    assert all(float(d.min()) >= 0 and float(d.max()) <= 1 for d in drawn)
    assert not torch.allclose(drawn[0], drawn[1], atol=0.01)


@pytest.mark.parametrize("wrong", [{"flip": 1.5}, {"crop": 1.0}, {"noise": -0.1}])
def test_augmentation_is_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Augmentation(**wrong)


@given(st.integers(0, 2**31 - 1))
def test_iou_is_that_of_sets(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.random((3, 5, 6)) < 0.4, random.random((2, 5, 6)) < 0.4
    iou = mask_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    for i in range(3):
        for j in range(2):
            either = (a[i] | b[j]).sum()
            assert iou[i, j] == pytest.approx((a[i] & b[j]).sum() / max(1, either))


def test_large_masks_are_compared_exactly_in_mixed_precision() -> None:
    masks = torch.ones(1, 64, 65, dtype=torch.bool)
    fewer = masks.clone()
    fewer[0, 0, 0] = False
    with torch.autocast("cpu", torch.bfloat16):
        assert float(mask_iou(masks, fewer)) == pytest.approx(4159 / 4160, abs=1e-6)


def test_each_object_is_matched_once() -> None:
    masks = torch.zeros(3, 10, 10, dtype=torch.bool)
    masks[0, :5] = True
    masks[1, :6] = True  # overlaps the same object less
    masks[2, 8:] = True
    iou, which = match_masks(masks[[1, 0]], masks[[0, 2]])
    assert which.tolist() == [1, -1] and iou.tolist() == [1.0, 0.0]
    none, nobody = match_masks(masks[:0], masks)
    assert none.tolist() == [0.0] * 3 and nobody.tolist() == [-1] * 3
