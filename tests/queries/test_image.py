"""Pictures are read when they are looked at, once for each size, and whatever their proportions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nsreason.errors import DataError
from nsreason.io.image_tensors import write_png
from nsreason.queries.image import QueryImage


def test_pixels_are_a_picture() -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    picture = QueryImage(None, pixels=pixels, name="own")
    tensor = picture.tensor()
    assert tensor.shape == (3, 4, 6) and tensor.dtype == torch.uint8 and tensor.is_contiguous()
    assert (tensor.permute(1, 2, 0).numpy() == pixels).all()
    assert (picture.name, picture.path) == ("own", None)


def test_a_file_is_read_when_it_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture = QueryImage(str(path))
    assert picture.name == "a.png" and picture.path == path
    with pytest.raises(DataError, match=r"a\.png"):
        picture.square(4)
    image = torch.randint(0, 256, (3, 5, 9), dtype=torch.uint8)
    write_png(path, image)
    assert torch.equal(picture.tensor(), image)
    square = picture.square(8)
    path.unlink()
    assert square.shape == (3, 8, 8) and square.dtype == torch.uint8
    assert picture.square(8) is square  # kept, and read no more
    with pytest.raises(DataError):
        picture.square(4)


def test_a_square_shows_what_stood_where() -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, :30, 0], pixels[:10, 30:, 1] = 250, 250
    square = QueryImage(None, pixels=pixels).square(10)
    assert (square[0, :, :4] > 200).all() and (square[0, :, 6:] < 50).all()
    assert (square[1, :4, 6:] > 200).all() and (square[1, 6:] < 50).all()
    same = QueryImage(None, pixels=pixels[:, :20])
    assert torch.equal(same.square(20), same.tensor())


def test_a_picture_is_one_of_two_things() -> None:
    for wrong in ({}, {"pixels": np.zeros((1, 1, 3), np.uint8)}):
        with pytest.raises(ValueError, match="a file or an array"):
            QueryImage("a.png" if wrong else None, **wrong)  # type: ignore[arg-type]
