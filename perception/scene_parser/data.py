"""What a scene parser learns from: images whose objects are annotated, in one folder or several.

    nsreason train scene-parser --recipe scene-parser --data drawn,photographs

A folder holds `images/` and a scene file in the official layout, each object with its `mask` (COCO's run-length
encoding) or its `bbox`, as `nsreason generate clevr --images` writes them. Where it also holds `detections.json`
(of `nsreason detect`), the regions are those that were detected, each matched to an annotated object: the parser
then learns from what it will see. A folder that is named twice counts twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch

from ...data.image_folder import ImageFolder
from ...data.scenes import load_scenes
from ...data.splits import HoldOut, Split
from ...dsl.domain import Domain
from ...errors import DataError, NsreasonError
from ...io.image_tensors import read_image
from ...io.images import read_header
from ...scenes.scene import Scene
from ..detections.detections import Detections
from ..detections.matching import match
from ..detections.readers import read_detections
from ..detections.rle import Rle, mask_boxes
from .batch import ParserExample, patches_of
from .config import SceneParserConfig

if TYPE_CHECKING:
    from ..detections.matching import By

DETECTIONS = "detections.json"


@dataclass(frozen=True)
class SceneParserData:
    """A recipe's `[data]`."""

    split: str = ""
    """Of several scene files in a folder, the one with this in its name; empty takes the only one."""
    held_out: float = 0.1
    """The last part of each folder's scenes, in file order, is not learned from."""
    least_iou: float = 0.5
    """The least overlap at which a detection is that of an annotated object."""

    def __post_init__(self) -> None:
        if not (0 <= self.held_out < 1 and 0 < self.least_iou <= 1):
            raise ValueError(f"0 <= held_out < 1 and 0 < least_iou <= 1, got {self.held_out} and {self.least_iou}")

    def load(self, config: SceneParserConfig, folder: str | Path) -> Split[list[ParserExample]]:
        """Load the examples of a folder, or of several with commas between their names.

        Args:
            config: the parser's.

        Raises:
            DataError: a folder lacks its images or its scenes, or nothing in one can be learned from.
        """
        return load_parser_data(folder, config, self)


@dataclass(frozen=True, slots=True)
class Annotated:
    """An image file, what is annotated in it, and the regions to look at; `objects[i]` is the scene's object that
    region i shows.
    """

    path: Path
    scene: Scene
    regions: Detections
    objects: tuple[int, ...]


def load_parser_data(
    folders: str | Path, parser: SceneParserConfig, data: SceneParserData | None = None
) -> Split[list[ParserExample]]:
    """Load the examples of folders; see `SceneParserData.load`."""
    data = data or SceneParserData()
    names = [folders] if isinstance(folders, Path) else [name for name in folders.split(",") if name.strip()]
    if not names:
        raise DataError("no folder of images is named")
    loaded: dict[Path, tuple[list[ParserExample], list[ParserExample], list[NsreasonError]]] = {}
    rule = HoldOut(data.held_out)
    split: Split[list[ParserExample]] = Split([], [], source=str(folders), unit="images", rule=rule)
    for folder in (Path(str(name).strip()) for name in names):
        again = folder in loaded
        if not again:
            loaded[folder] = _load(folder, parser, data)
        train, valid, bad = loaded[folder]
        split.train.extend(train)
        if not again:
            split.valid.extend(valid)
            split.bad.extend(bad)
    return split


def _load(
    folder: Path, parser: SceneParserConfig, data: SceneParserData
) -> tuple[list[ParserExample], list[ParserExample], list[NsreasonError]]:
    examples: list[tuple[int, ParserExample]] = []  # each with the identity of its scene
    scenes, bad = scenes_of(folder, parser.domain, data.split)
    for image in annotated(folder, scenes, least_iou=data.least_iou):
        try:
            if isinstance(image, NsreasonError):
                raise image
            if image.objects:
                examples.append((id(image.scene), example(image, parser)))
        except NsreasonError as error:
            bad.append(error)
    parts = HoldOut(data.held_out).split(examples, group=lambda e: e[0], groups=map(id, scenes))
    train, valid = ([example for _, example in part] for part in parts)
    if not train:
        why = f"; the first: {bad[0]}" if bad else ""
        raise DataError(f"{folder}: none of {len(scenes)} images can be learned from{why}")
    return train, valid, bad


def scenes_of(folder: Path, domain: str | Domain, split: str = "") -> tuple[list[Scene], list[NsreasonError]]:
    """The scenes of a folder, and why others are none.

    Raises:
        DataError: there is no scene file, or there are several.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    files = sorted(p for p in folder.iterdir() if p.name.endswith(_SCENES) and split in p.name)
    if not files and (folder / "scenes").is_dir():  # of files of one scene each
        files = [folder / "scenes"]
    if len(files) != 1:
        names = f": {', '.join(p.name for p in files)}; set data.split to tell them apart" if files else ""
        raise DataError(f"{folder}: {'several files' if files else 'no file'} of scenes{names}")
    file = load_scenes(files[0], domain)
    return file.scenes, [b.error for b in file.bad]


_SCENES = ("scenes.json", "scenes.jsonl", "scenes.json.gz", "scenes.jsonl.gz")


def annotated(folder: Path, scenes: Sequence[Scene], *, least_iou: float = 0.5) -> Iterator[Annotated | NsreasonError]:
    """Each scene with its image file and its regions, in order; or why it has none."""
    images = ImageFolder(folder)
    paths = dict(zip(map(id, scenes), images.paths(scene.image or "" for scene in scenes), strict=True))
    detected = read_detections(folder / DETECTIONS) if (folder / DETECTIONS).exists() else None
    for scene in scenes:
        try:
            if scene.image is None:
                raise DataError(f"{folder}: scene {scene.index} names no image")
            path = paths[id(scene)]
            if isinstance(path, DataError):
                raise path
            header = read_header(path)
            truth = annotated_regions(scene, (header.width, header.height))
            if detected is None:
                yield Annotated(path, scene, truth, tuple(range(len(truth))))
                continue
            detections = detected.by_image(scene.image)
            by: By = "mask" if detections.masks is not None and truth.masks is not None else "box"
            pairs = match(detections, truth, least_iou=least_iou, by=by)
            kept = np.array([i for i, _ in pairs], dtype=np.int64)
            masks = None if detections.masks is None else [detections.masks[i] for i in kept]
            regions = Detections(
                detections.image,
                detections.size,
                detections.boxes[kept],
                detections.scores[kept],
                detections.labels[kept],
                masks,
            )
            yield Annotated(path, scene, regions, tuple(j for _, j in pairs))
        except NsreasonError as error:
            yield error


def annotated_regions(scene: Scene, size: tuple[int, int]) -> Detections:
    """The annotated objects of a scene as detections: their masks, or their boxes where not all have masks.

    Raises:
        DataError: an object has neither.
    """
    masks: list[Rle] | None = []
    boxes = np.zeros((len(scene), 4), dtype=np.float32)
    for i, place in enumerate(scene.places):
        if masks is not None and place.mask is not None:
            masks.append(_rle(place.mask, scene, i, size))
        else:
            masks = None
        if place.bbox is not None:
            boxes[i] = place.bbox
        elif place.mask is not None:
            boxes[i] = mask_boxes([_rle(place.mask, scene, i, size)])[0]
        else:
            given = "" if place.other is None or "bbox" not in place.other else _NO_BOX
            raise DataError(f"scene {scene.index}, object {i}: neither a mask nor a bbox says where it is seen{given}")
    ones = np.ones(len(scene), dtype=np.float32)
    return Detections(scene.image or "", size, boxes, ones, ones.astype(np.int64), masks)


_NO_BOX = "; its bbox is not left, top, right, bottom in pixels"


def _rle(mask: object, scene: Scene, i: int, size: tuple[int, int]) -> Rle:
    try:
        rle = msgspec.convert(mask, Rle)
    except msgspec.ValidationError as error:
        raise DataError(f"scene {scene.index}, object {i}: its mask is no run-length encoding: {error}") from None
    if rle["size"] != [size[1], size[0]]:
        height, width = rle["size"]
        sizes = f"its mask is of {width} x {height} pixels, the image of {size[0]} x {size[1]}"
        raise DataError(f"scene {scene.index}, object {i}: {sizes}")
    return rle


def example(image: Annotated, config: SceneParserConfig) -> ParserExample:
    """What a parser learns from one image.

    Raises:
        DataError: the image cannot be read or is of another size than the parser takes; or the scene's directions
            are not those of the parser's camera.
    """
    scene, chosen = image.scene, list(image.objects)
    check_directions(scene, config.camera.directions())
    patches, boxes = patches_of(
        read_image(image.path), image.regions, (config.camera.width, config.camera.height), config
    )
    columns = [
        [column[i] - scene.domain.concept_index[scene.domain.values(a)[0]] for i in chosen]
        for a, column in zip(scene.domain.attributes, scene.values, strict=True)
    ]
    nowhere = (float("nan"),) * 3
    coords = [scene.places[i].coords or nowhere for i in chosen]
    pixels = [(scene.places[i].pixel_coords or nowhere)[:2] for i in chosen]
    return ParserExample(
        image.path.name,
        patches,
        boxes,
        torch.tensor(columns, dtype=torch.int64).T.contiguous(),
        torch.tensor(coords, dtype=torch.float32),
        torch.tensor(pixels, dtype=torch.float32),
    )


def check_directions(scene: Scene, known: Mapping[str, Iterable[float]]) -> None:
    """Refuse a scene whose directions are those of another camera: its 'left' would not be the parser's.

    Raises:
        DataError: the message has both.
    """
    for name, vector in scene.directions.items():
        given = tuple(known.get(name, vector))
        if max(abs(a - b) for a, b in zip(given, vector, strict=True)) > _ALIKE:
            here, there = (", ".join(f"{x:.3f}" for x in v) for v in (given, vector))
            hint = "set model_config.camera.location to the camera's"
            raise DataError(f"scene {scene.index}: '{name}' is ({there}) there, ({here}) for the parser; {hint}")


_ALIKE = 0.01
