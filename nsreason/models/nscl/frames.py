"""Images at the size that a concept learner takes, with their masks cut out: read into memory, or kept in a file.

    images = [ImageWithDetections(path, detections), ...]
    views = mapped_views(Path("frames/1-photos.arrays"), images, regions)      # written once, then read batch by batch

A file has a digest of all that it is made of: the bytes of the images, the detections, size and masks of the settings.
H, W height and width of images, N objects, B bytes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import DataError, NsreasonError
from ...io.array_file import ArrayFile, Field, write_array_file
from ...io.image_tensors import read_image, resized
from ...perception.detections.detections import Detections
from ...perception.features.regions import CroppedMask, RegionConfig, cut_masks
from ...scenes.scene import Scene
from ...training.sampling import prefetched
from .examples import Viewed

READERS = 4  # threads; decoding a PNG does not hold the others up
_VERSION = "frames 1"  # of what is computed here, for the digest


@dataclass(frozen=True, slots=True)
class ImageWithDetections:
    """An image of a folder."""

    path: Path | DataError
    """Where it is, or why it is nowhere."""
    detections: Detections

    def read(self, regions: RegionConfig) -> Viewed | NsreasonError:
        """Read the image and decode its masks; an error is returned."""
        try:
            if isinstance(self.path, DataError):
                raise self.path
            image, detections = read_image(self.path), self.detections
            if detections.size is None:
                detections = replace(detections, size=(image.shape[-1], image.shape[-2]))
            size = regions.image_size()
            return Viewed(
                resized(image, size), detections, None, cut_masks(detections, size) if regions.masks else None
            )
        except NsreasonError as error:
            return error

    def digest(self) -> bytes:
        """Return a digest of the image's file and of its detections."""
        detections = self.detections
        parts = [
            detections.image,
            detections.size,
            detections.boxes.tobytes(),
            detections.scores.tobytes(),
            detections.masks,
        ]
        digest = hashlib.sha256(repr(parts).encode(errors="backslashreplace"))
        if isinstance(self.path, Path):
            try:
                with self.path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                digest.update(f"unreadable: {error.errno}".encode())
        return digest.digest()


@dataclass(frozen=True, slots=True, eq=False)
class MappedFrame:
    """An image in a file of frames; an `examples.MappedView`."""

    file: ArrayFile
    number: int
    detections: Detections
    masked: bool
    """Whether masks were decoded."""
    scene: Scene | None = None

    def __len__(self) -> int:
        return len(self.detections)

    @property
    def digest(self) -> str:
        """Of the file."""
        return self.file.digest

    def with_scene(self, scene: Scene) -> MappedFrame:
        """Return the same image with what is annotated of it."""
        return replace(self, scene=scene)

    def load(self) -> Viewed:
        """Read the image and its masks.

        Raises:
            DataError: the file is damaged.
        """
        arrays = self.file[self.number]
        cuts = _cuts(arrays) if self.masked else None
        return Viewed(torch.from_numpy(arrays["image"]), self.detections, self.scene, cuts)


def frames_file(folder: str, number: int, data: Path) -> Path | None:
    """Name the file for a folder of data, and make the folder for it; None where no folder is given.

    Args:
        number: of the folder of data among several, from 1.

    Raises:
        DataError: the folder cannot be made.
    """
    if not folder:
        return None
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise DataError(f"data.frames: {folder!r:.200}: cannot be made: {error}") from None
    return Path(folder) / f"{number}-{data.resolve().name}.arrays"


def mapped_views(
    path: Path, images: Sequence[ImageWithDetections], regions: RegionConfig
) -> list[MappedFrame | NsreasonError]:
    """Return images that are read from a file when they are needed, or why they cannot be; write the file if need be.

    Raises:
        DataError: the file is of other images, detections or settings, is damaged or cannot be written.
    """
    height, width = regions.image_size()
    fields = (
        Field("image", "uint8", (3, height, width)),
        Field("size", "int64", (2,)),  # width and height of the whole image
        Field("places", "int64", (None, 4)),  # (N, 4) of each mask: top, left, height, width
        Field("bits", "uint8", (None,)),  # (B,) of all masks, eight pixels a byte
        Field("fault", "uint8", (None,)),  # (B,) why the image cannot be read, in UTF-8
    )
    digest = hashlib.sha256(repr((_VERSION, height, width, regions.masks)).encode())
    for part in prefetched(ImageWithDetections.digest, images, READERS):
        digest.update(part)

    def records(start: int) -> Iterator[dict[str, NDArray[Any]]]:
        return prefetched(lambda image: _encoded(image.read(regions), height, width), images[start:], READERS)

    write_array_file(path, fields, records, count=len(images), digest=digest.hexdigest())
    file = ArrayFile(path)
    return [_view(file, number, image, regions.masks) for number, image in enumerate(images)]


def _view(file: ArrayFile, number: int, image: ImageWithDetections, masked: bool) -> MappedFrame | NsreasonError:
    detections, arrays = image.detections, file.read(number, "size", "fault")
    if len(arrays["fault"]):
        return DataError(arrays["fault"].tobytes().decode(errors="replace"))
    size = int(arrays["size"][0]), int(arrays["size"][1])
    return MappedFrame(
        file, number, detections if detections.size is not None else replace(detections, size=size), masked
    )


def _encoded(view: Viewed | NsreasonError, height: int, width: int) -> dict[str, NDArray[Any]]:
    """Return the record of an image."""
    empty: dict[str, NDArray[Any]] = {
        "image": np.zeros((3, height, width), np.uint8),
        "size": np.zeros(2, np.int64),
        "places": np.zeros((0, 4), np.int64),
        "bits": np.zeros(0, np.uint8),
        "fault": np.zeros(0, np.uint8),
    }
    if isinstance(view, NsreasonError):
        return empty | {"fault": np.frombuffer(str(view).encode(errors="backslashreplace") or b"?", np.uint8)}
    record = empty | {"image": view.image.numpy(), "size": np.array(view.detections.known_size, np.int64)}
    if view.cuts:
        places = [(top, left, *mask.shape) for top, left, mask in view.cuts]
        pixels = torch.cat([mask.flatten() for _, _, mask in view.cuts]).numpy()
        record |= {"places": np.array(places, np.int64), "bits": np.packbits(pixels)}
    return record


def _cuts(arrays: dict[str, NDArray[Any]]) -> list[CroppedMask]:
    """Return the masks of a record."""
    places = arrays["places"].tolist()
    ends = [0, *np.cumsum([math.prod(place[2:]) for place in places], dtype=np.int64).tolist()]
    pixels = torch.from_numpy(np.unpackbits(arrays["bits"], count=ends[-1]).astype(np.bool_))
    spans = pairwise(ends)
    return [(top, left, pixels[a:b].reshape(h, w)) for (top, left, h, w), (a, b) in zip(places, spans, strict=True)]
