"""Pictures of CLEVR scenes in flat paint: shape, colour and size can be seen, a metal thing has a white spot.

A stand-in for rendered images where tests want many at once; masks are what is seen of each object.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nsreason.data.scenes import load_scenes
from nsreason.generators import write_dataset
from nsreason.io.image_tensors import write_png
from nsreason.perception.detections.detections import Detections
from nsreason.perception.detections.rle import encode_masks
from nsreason.scenes.scene import Scene

WIDTH, HEIGHT, FOCAL = 480, 320, 525.0
COLOURS = {
    "gray": (87, 87, 87),
    "red": (173, 35, 35),
    "blue": (42, 75, 215),
    "green": (29, 105, 20),
    "brown": (129, 74, 25),
    "purple": (129, 38, 192),
    "cyan": (41, 208, 208),
    "yellow": (255, 238, 51),
}


def painted(scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(H, W, 3) the picture, and (N, H, W) the masks."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    image = np.full((HEIGHT, WIDTH, 3), 130, dtype=np.uint8)
    masks = np.zeros((len(scene), HEIGHT, WIDTH), dtype=bool)
    depth = [p.pixel_coords[2] for p in scene.places if p.pixel_coords is not None]
    for i in sorted(range(len(scene)), key=lambda i: -depth[i]):
        place = scene.places[i]
        assert place.pixel_coords is not None
        u, v, far = place.pixel_coords[:3]
        r = FOCAL * {"large": 0.7, "small": 0.35}[scene.value(i, "size")] / far
        dx, dy = (x - u) / r, (y - v) / r
        shape = scene.value(i, "shape")
        if shape == "sphere":
            inside = dx**2 + dy**2 < 1
        elif shape == "cube":
            inside = (abs(dx) < 0.9) & (abs(dy) < 0.9)
        else:
            inside = (abs(dx) < 0.8) & (abs(dy) < 1 - 0.3 * dx**2)
        image[inside] = COLOURS[scene.value(i, "color")]
        if scene.value(i, "material") == "metal":
            image[inside & ((dx + 0.3) ** 2 + (dy + 0.3) ** 2 < 0.1)] = 255
        masks[:, inside] = False
        masks[i] = inside
    return image, masks


def detections(scene: Scene, masks: NDArray[np.bool_]) -> Detections:
    """The masks as a perfect detector gives them; an object of which nothing is seen has an empty box."""
    boxes = np.zeros((len(masks), 4), dtype=np.float32)
    for i, mask in enumerate(masks):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            boxes[i] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    ones = np.ones(len(masks), dtype=np.float32)
    return Detections(scene.image or "", (WIDTH, HEIGHT), boxes, ones, ones.astype(np.int64), encode_masks(masks))


def painted_image(scene: Scene) -> tuple[torch.Tensor, Detections]:
    """A painted scene as a parser takes it."""
    image, masks = painted(scene)
    return torch.from_numpy(image).permute(2, 0, 1).contiguous(), detections(scene, masks)


def write_painted(folder: Path, *, scenes: int, questions: int = 3, seed: int = 0) -> list[Scene]:
    """A data folder with scenes.json, questions.json and images/; returns the scenes."""
    write_dataset(folder, scenes=scenes, questions_per_scene=questions, seed=seed)
    (folder / "images").mkdir()
    loaded = load_scenes(folder / "scenes.json", "clevr").scenes
    file: dict[str, Any] = json.loads((folder / "scenes.json").read_text(encoding="utf-8"))
    for scene, record in zip(loaded, file["scenes"], strict=True):
        image, masks = painted(scene)
        detected = detections(scene, masks)
        assert scene.image is not None and detected.masks is not None
        write_png(folder / "images" / scene.image, image)
        for thing, box, mask in zip(record["objects"], detected.boxes.tolist(), detected.masks, strict=True):
            thing |= {"bbox": box, "mask": dict(mask)}
    (folder / "scenes.json").write_text(json.dumps(file), encoding="utf-8")
    return load_scenes(folder / "scenes.json", "clevr").scenes
