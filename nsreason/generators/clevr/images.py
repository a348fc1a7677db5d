"""Images of CLEVR's scenes, with masks, boxes and places in pixels.

    drawn = render_scene(scene, camera, seed=7)            # a generated scene, by the camera that came with it
    camera, error = fitted_camera(scene)                 # the camera of a released scene, from its annotations
    annotated(scene, render_scene(scene, camera, style=...))  # a released scene with masks and boxes

Released scenes have no masks: drawn with their own fitted camera, their objects lie on those of the released images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ...errors import DataError
from ...io.image_tensors import write_png
from ...perception.detections.detections import Detections
from ...perception.detections.rle import encode_masks
from ...perception.features.state_descriptions import palette
from ...perception.rendering.render import Rendering, jittered_style, render
from ...perception.rendering.style import RenderStyle, Thing
from ...scenes.scene import ObjectPlace, Scene
from .placement import SceneCamera, SceneRules, clevr_rules

Size = tuple[int, int]


def things_of(scene: Scene, rules: SceneRules | None = None) -> list[Thing]:
    """A scene's objects as the renderer draws them.

    Raises:
        DataError: an object lacks coordinates, or one of the attributes that are drawn.
    """
    rules = rules or clevr_rules()
    things = []
    for i, place in enumerate(scene.places):
        if place.coords is None:
            raise DataError(f"object {i} has no 3d_coords, so it cannot be drawn")
        values = {a: scene.value(i, a) for a in scene.domain.attributes}
        try:
            r, g, b = (c / 255 for c in palette()[values["color"]])
            radius = rules.radius.values[values[rules.radius.attribute]]
            shape, material = values["shape"], values["material"]
        except KeyError as error:
            raise DataError(f"object {i}: {error} is not known to the renderer") from None
        things.append(Thing(shape, material, (r, g, b), radius, place.coords, place.rotation or 0.0))
    return things


def render_scene(
    scene: Scene,
    camera: SceneCamera,
    *,
    seed: int = 0,
    size: Size | None = None,
    style: RenderStyle | None = None,
    samples: int = 2,
    rules: SceneRules | None = None,
) -> Rendering:
    """Render a scene.

    Args:
        seed: of the data set: with the scene's number it decides where the lamps are, and the grain.
        size: width and height in pixels, if not the camera's.
        style: its lamps stay where they are; default: CLEVR's, jittered.
    """
    index = scene.index or 0
    width, height = size or (camera.width, camera.height)
    style = style or jittered_style(seed, index)
    grain = (seed * 1_000_003 + index) % 2**62
    return render(things_of(scene, rules), camera, style, width=width, height=height, samples=samples, seed=grain)


def annotated(scene: Scene, drawn: Rendering) -> Scene:
    """The scene with the mask and the box of each object's visible part; an object that is not seen has neither."""
    rles, boxes, seen = encode_masks(drawn.masks), drawn.boxes(), drawn.pixels() > 0
    places = []
    for place, rle, box, there in zip(scene.places, rles, boxes, seen, strict=True):
        left, top, right, bottom = map(float, box)
        visible: dict[str, Any] = {"mask": rle, "bbox": (left, top, right, bottom)} if there else {}
        places.append(ObjectPlace(place.coords, place.pixel_coords, place.rotation, score=place.score, **visible))
    values = [list(row) for row in zip(*scene.values, strict=True)]
    return Scene(scene.domain, values, places, _relationships(scene), scene.directions, scene.index, scene.image)


def _relationships(scene: Scene) -> dict[str, list[list[int]]]:
    relationships: dict[str, list[list[int]]] = scene.to_dict()["relationships"]
    return relationships


def detections_of(scene: Scene, size: Size) -> Detections:
    """The annotated objects of a scene as a detector would give them, by shape; `size` is the image's."""
    seen = [i for i, p in enumerate(scene.places) if p.mask is not None and p.bbox is not None]
    shapes = scene.domain.values("shape")
    return Detections(
        file_name(scene),
        size,
        np.array([scene.places[i].bbox for i in seen], np.float32).reshape(-1, 4),
        np.ones(len(seen), np.float32),
        np.array([shapes.index(scene.value(i, "shape")) + 1 for i in seen], np.int64),
        [scene.places[i].mask for i in seen],
    )


class ImageWriter:
    """Renders the images of a data set into a folder, and checks each scene before it is accepted."""

    def __init__(self, seed: int, size: Size, folder: Path, rules: SceneRules | None = None) -> None:
        self.seed, self.size, self.folder = seed, size, folder
        self.rules = rules or clevr_rules()
        camera = self.rules.camera
        # CLEVR's threshold is for its own size; never less than two pixels, or an object might have no box.
        self.least = max(2.0, self.rules.min_pixels * size[0] * size[1] / (camera.width * camera.height))
        self.drawn: Rendering | None = None

    def accept(self, scene: Scene, camera: SceneCamera) -> bool:
        """Draw a scene; whether each of its objects shows enough pixels."""
        self.drawn = render_scene(scene, camera, seed=self.seed, size=self.size, rules=self.rules)
        return bool((self.drawn.pixels() >= self.least).all())

    def write(self, scene: Scene) -> tuple[Scene, bytes, list[bytes]]:
        """Write the image of the scene that was accepted last.

        Returns:
            the scene with masks, boxes and pixel_coords in the image's pixels, and for COCO's layout the record of
            the image and those of its objects, as JSON text.
        """
        assert self.drawn is not None  # accept() comes first
        width, height = self.size
        scale = width / self.rules.camera.width
        if scale != 1:
            for place in scene.places:
                if place.pixel_coords is not None:
                    x, y, depth = place.pixel_coords
                    down = y + (height / scale - self.rules.camera.height) / 2  # the middle stays the middle
                    place.pixel_coords = (round(x * scale), round(down * scale), depth)
        annotated_scene = annotated(scene, self.drawn)
        write_png(self.folder / file_name(annotated_scene), self.drawn.image)
        return annotated_scene, *instance_records(annotated_scene, self.drawn)


def file_name(scene: Scene) -> str:
    """The name of a scene's image."""
    return scene.image or f"{scene.index or 0:06d}.png"


def instance_records(scene: Scene, drawn: Rendering) -> tuple[bytes, list[bytes]]:
    """A scene with masks in COCO's layout: the record of its image and those of its objects, as JSON text."""
    height, width = drawn.image.shape[:2]
    encode = msgspec.json.encode
    detections = detections_of(scene, (width, height))
    number = scene.index or 0
    image = encode({"id": number, "file_name": file_name(scene), "width": width, "height": height})
    areas = drawn.pixels()[drawn.pixels() > 0]
    objects = []
    for k, (box, label, mask) in enumerate(
        zip(detections.boxes.tolist(), detections.labels, detections.masks or (), strict=True)
    ):
        left, top, right, bottom = box
        record = {
            "id": number * 1000 + k + 1,
            "image_id": number,
            "category_id": int(label),
            "bbox": [left, top, right - left, bottom - top],
            "area": int(areas[k]),
            "iscrowd": 0,
            "segmentation": mask,
        }
        objects.append(encode(record))
    return image, objects


def fitted_camera(scene: Scene, rules: SceneRules | None = None) -> tuple[SceneCamera, float]:
    """The jittered camera that a scene was seen with, and how far its `pixel_coords` are off, on average, in pixels.

    Least squares over the camera's place, from the objects' 3d_coords and pixel_coords; the files have the latter in
    whole pixels, which leaves about 0.3.

    Raises:
        DataError: the objects lack coordinates.
    """
    from scipy.optimize import least_squares

    rules = rules or clevr_rules()
    camera_rules = rules.camera
    points = [p.coords for p in scene.places]
    pixels = [p.pixel_coords for p in scene.places]
    if not points or None in points or any(p is None or len(p) != 3 for p in pixels):
        raise DataError("a camera is fitted to objects that have 3d_coords and pixel_coords of three numbers")
    goal = np.array(pixels, dtype=np.float64)
    weight = np.array([1.0, 1.0, 20.0])  # depths are exact in the files

    def off(location: Any) -> Any:
        x, y, z = (float(v) for v in location)
        camera = SceneCamera.at((x, y, z), camera_rules)
        return (np.array([camera.project(p) for p in points if p is not None]) - goal) * weight

    # Few objects leave directions open: the jitter's bounds hold the place where nothing else does.
    reach = camera_rules.jitter + 0.05
    base = np.array(camera_rules.location)
    fit = least_squares(lambda q: off(q).ravel(), base, bounds=(base - reach, base + reach))
    x, y, z = (float(v) for v in fit.x)
    error = float(np.hypot(*(off(fit.x)[:, :2].T)).mean())
    return SceneCamera.at((x, y, z), camera_rules), error
