"""Every kind of world, for the contract that all of them keep."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from nsreason.scenes.world import World
from tests.support.strategies import random_domain, random_world
from tests.support.toy_scene_graph import graph_domain, random_graph_world
from tests.support.toy_video import ToyVideo, random_video, video_domain


def random_scene(rng: Random, size: int) -> World:
    """A scene of a random domain."""
    return random_world(rng, random_domain(rng, 3, 3), size).scene


def random_scene_graph(rng: Random, size: int) -> World:
    """A scene graph of many names."""
    return random_graph_world(rng, size, graph_domain(120)).scene


def random_toy_video(rng: Random, size: int) -> World:
    """A video with as many events as objects; its tables and ops have to be registered."""
    domain = video_domain()
    return ToyVideo(random_video(rng, domain, size, size), domain)


WORLDS: dict[str, Callable[[Random, int], Any]] = {
    "scene": random_scene,
    "scene graph": random_scene_graph,
    "toy video": random_toy_video,
}
"""A world of so many individuals, by the name of its kind."""
