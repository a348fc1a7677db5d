"""Masks that lie exactly where the objects are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nsreason.perception.detector import mask_heads
from nsreason.perception.detector.mask_heads import Scaled, paste_masks, pasted, widened
from nsreason.perception.detector.small_backbone import STRIDES, SmallBackbone


def test_widened_boxes_keep_their_centers() -> None:
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    assert widened(boxes, 0.5).tolist() == [[5.0, 10.0, 35.0, 70.0]]
    assert torch.equal(widened(boxes, 0.0), boxes)


def test_a_pasted_mask_is_interpolated_at_the_centers_of_pixels() -> None:
    """One cell a pixel: what is pasted is the mask itself, at its place."""
    soft = torch.rand(1, 4, 4)
    image = paste_masks(soft, torch.tensor([[2.0, 1.0, 6.0, 5.0]]), (7, 9))[0]
    assert torch.allclose(image[1:5, 2:6], soft[0])
    assert image[0].sum() == 0 and image[:, 7:].sum() == 0


@given(st.floats(0, 20), st.floats(0, 20), st.floats(12, 40), st.floats(12, 40))
def test_half_a_mask_covers_half_the_box_wherever_it_lies(x: float, y: float, width: float, height: float) -> None:
    """The edge between 0 and 1 stands in the middle of the box, to the pixel: no rounding of boxes, no shift."""
    soft = torch.zeros(1, 28, 28)
    soft[:, :, :14] = 1
    image = paste_masks(soft, torch.tensor([[x, y, x + width, y + height]]), (64, 64))[0] >= 0.5
    inside = image[int(y + height / 2)].nonzero().flatten()
    assert abs(float(inside.min()) - x) <= 1.01 and abs(float(inside.max()) + 1 - (x + width / 2)) <= 0.51


def test_masks_of_many_objects_are_pasted_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    soft, boxes = torch.rand(5, 6, 6), torch.tensor([[1.0, 1.0, 9.0, 9.0]]).repeat(5, 1)
    whole = torch.cat(list(pasted(soft, boxes, (10, 10), 0.5)))
    monkeypatch.setattr(mask_heads, "CHUNK", 200)
    parts = list(pasted(soft, boxes, (10, 10), 0.5))
    assert [len(p) for p in parts] == [2, 2, 1] and torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize(
    ("shortest", "longest", "size", "scale"),
    [
        (0, 480, (320, 480), 1.0),  # CLEVR's images stay as they are
        (0, 480, (100, 200), 1.0),  # smaller ones are not enlarged
        (0, 480, (640, 960), 0.5),
        (800, 1333, (320, 480), 2.5),  # as torchvision
        (800, 1333, (400, 1333), 1.0),
    ],
)
def test_what_images_are_scaled_by(shortest: int, longest: int, size: tuple[int, int], scale: float) -> None:
    assert Scaled(shortest, longest, [0.5] * 3, [0.5] * 3, 16).scale(*size) == pytest.approx(scale)


def test_scaled_images_bring_their_masks_along() -> None:
    transform = Scaled(0, 32, [0.0] * 3, [1.0] * 3, 16)
    masks = torch.zeros(1, 64, 64, dtype=torch.bool)
    masks[0, 16:48, 16:32] = True
    target = {"boxes": torch.tensor([[16.0, 16.0, 32.0, 48.0]]), "masks": masks, "labels": torch.ones(1)}
    images, targets = transform([torch.rand(3, 64, 64)], [target])
    assert images.tensors.shape == (1, 3, 32, 32)
    assert targets[0]["boxes"].tolist() == [[8.0, 8.0, 16.0, 24.0]]
    expected = np.zeros((32, 32), bool)
    expected[8:24, 8:16] = True
    assert np.array_equal(targets[0]["masks"][0].numpy(), expected)


def test_feature_maps_have_their_strides() -> None:
    backbone = SmallBackbone((16, 16, 16, 8), (1, 1, 1), 16).eval()
    maps = backbone(torch.rand(1, 3, 64, 96))
    assert [tuple(f.shape) for f in maps.values()] == [(1, 16, 64 // s, 96 // s) for s in STRIDES]
