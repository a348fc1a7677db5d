"""Scenes as CLEVR's: placed by its rules, seen by its camera. No images are rendered here.

    for scene in generate_scenes(1000, seed=7): ...
    for scene, camera in generate_scenes_with_cameras(1000, seed=7, accept=visible): ...

A scene depends on its seed and its number alone, so scene 12 is the same among 100 scenes and among 70,000. The test
for hidden objects takes every object for a ball, so it is rougher than the data set's, which counted rendered pixels.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from ...dsl.domain import load_domain
from ...errors import DomainError, did_you_mean
from ...scenes.scene import ObjectPlace, Scene
from ..seeds import generator
from .placement import Placement, SceneCamera, SceneRules, clevr_rules, directions, jittered, place, visible_pixels

TRIES = 4_000  # beginnings of one scene
PATIENT = 100  # after so many, an object is tried at twice as many places, and so on: only crowds need it


def generate_scenes(
    n: int,
    seed: int,
    *,
    start: int = 0,
    objects: tuple[int, int] | None = None,
    condition: str | None = None,
    split: str = "new",
    rules: SceneRules | None = None,
) -> Iterator[Scene]:
    """`n` scenes, numbered from `start`.

    Args:
        seed: of the data set; scene i is made from it and i alone.
        objects: fewest and most objects of a scene; CLEVR has 3 to 10, and its margins leave room for 13.
        condition: CoGenT's `A` or `B`; None lets every shape have every color.
        split: the part of the image files' names that CLEVR uses for the split.
        rules: others than CLEVR's, such as a wider plane or narrower margins.

    Raises:
        ValueError: a number is negative, or the most objects are fewer than the fewest.
        DomainError: there is no such condition. While scenes are taken: so many objects find no room.
    """
    pairs = generate_scenes_with_cameras(
        n, seed, start=start, objects=objects, condition=condition, split=split, rules=rules
    )
    return (scene for scene, _ in pairs)


def generate_scenes_with_cameras(
    n: int,
    seed: int,
    *,
    start: int = 0,
    objects: tuple[int, int] | None = None,
    condition: str | None = None,
    split: str = "new",
    rules: SceneRules | None = None,
    accept: Callable[[Scene, SceneCamera], bool] | None = None,
) -> Iterator[tuple[Scene, SceneCamera]]:
    """`generate_scenes` with the camera of each.

    Args:
        accept: a check of the rendered image; a scene that it refuses is drawn anew. So a data set with this check may
            have other scenes than one without, where the estimate of hidden pixels was too low.
    """
    sampler = _SceneSampler(rules or clevr_rules(), seed, objects, condition, split)
    if n < 0 or start < 0:
        raise ValueError(f"a number of scenes and the first one's number are 0 or more, got {n} and {start}")
    return (sampler.scene_and_camera(i, accept) for i in range(start, start + n))


class _SceneSampler:
    """Makes the scenes of one data set, in any order."""

    def __init__(
        self, rules: SceneRules, seed: int, objects: tuple[int, int] | None, condition: str | None, split: str
    ) -> None:
        fewest, most = objects or rules.objects
        if not 0 < fewest <= most:
            raise ValueError(f"a scene has 1 object or more, and its most are no fewer: got {fewest} to {most}")
        if condition is not None and condition not in rules.conditions:
            raise DomainError(f"no condition '{condition}'{did_you_mean(condition, rules.conditions)}")
        self.rules, self.seed, self.split = rules, seed, split
        self.fewest, self.most = fewest, most
        self.limits = rules.conditions[condition] if condition is not None else {}
        self.domain = load_domain(rules.domain)
        self.directions = directions(rules)
        self.plane = self.directions["right"], self.directions["behind"]

    def scene_and_camera(
        self, index: int, accept: Callable[[Scene, SceneCamera], bool] | None
    ) -> tuple[Scene, SceneCamera]:
        """Scene number `index` and its camera.

        Raises:
            DomainError: its objects find no room.
        """
        rng = generator(self.seed, "scene", index)
        count = rng.randint(self.fewest, self.most)
        of_size = self.domain.attribute_index[self.rules.radius.attribute]
        for begun in range(TRIES):
            values = [self._values(rng) for _ in range(count)]
            radii = [self.rules.radius.values[self.domain.concepts[row[of_size]]] for row in values]
            placements = place(radii, self.rules, self.plane, rng, self.rules.attempts * (1 + begun // PATIENT))
            if not placements:
                continue
            camera = jittered(self.rules, rng)
            places = self._seen(placements, camera, rng)
            if places:
                image = f"CLEVR_{self.split}_{index:06d}.png"
                scene = Scene(self.domain, values, places, None, self.directions, index, image)
                if accept is None or accept(scene, camera):
                    return scene, camera
        raise DomainError(
            f"scene {index}: {count} objects found no room in {TRIES:,} tries; "
            "ask for fewer (CLEVR's margins leave room for some 13), or for narrower margins"
        )

    def _values(self, rng: random.Random) -> list[int]:
        """An object's values, each as likely as any other that the condition admits."""
        values = {attribute: rng.choice(self.domain.values(attribute)) for attribute in self.domain.attributes}
        for value in list(values.values()):
            for attribute, admitted in self.limits.get(value, {}).items():
                values[attribute] = rng.choice(admitted)
        return [self.domain.concept_index[v] for v in values.values()]

    def _seen(self, placements: list[Placement], camera: SceneCamera, rng: random.Random) -> list[ObjectPlace] | None:
        """The objects as the camera sees them, or None when one is out of the image or nearly hidden."""
        pixels = [camera.project((s.x, s.y, s.radius)) for s in placements]
        if not all(0 <= column < camera.width and 0 <= row < camera.height for column, row, _ in pixels):
            return None
        if min(visible_pixels(pixels, [s.radius for s in placements], camera.focal)) < self.rules.min_pixels:
            return None
        return [
            ObjectPlace(
                coords=(s.x, s.y, s.radius),
                pixel_coords=(round(column), round(row), depth),
                rotation=360 * rng.random(),
            )
            for s, (column, row, depth) in zip(placements, pixels, strict=True)
        ]
