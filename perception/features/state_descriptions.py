"""State descriptions: what is known of each object as numbers, made as hard to read as a detector's features.

    rows = state_rows(scene, config)         # (N, K): coordinates, colours as RGB, other values as columns
    features = StateFeatures(columns, config)  # a fixed random rotation of them, and features of pairs

Columns are those of the CLEVR state descriptions of relation networks (Santoro et al., NIPS 2017, section 4.1):
coordinates, then for each attribute of the domain its values. Noise is part of the description, as it would be of a
photograph: a scene has the same noise whenever it is described.

S scenes, N objects, K columns, D object features, E pair features.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...dsl.domain import Domain
from ...errors import SceneError
from ...scenes.scene import Scene

Frame = Literal["world", "camera", "image", "none"]
Values = Literal["onehot", "ids"]
F32 = npt.NDArray[np.float32]

REACH = 3.0  # CLEVR puts objects at -3 to 3
IMAGE = (480.0, 320.0, 20.0)  # pixels across and down, and about the depth of CLEVR's furthest objects


@dataclass(frozen=True)
class StateConfig:
    """Settings of state descriptions: their columns, noise and rotation."""

    frame: Frame = "world"
    """Frame of the coordinates: `world`, the scene's 3d_coords, as in the published state descriptions; `camera`, the
    same along the scene's directions `right` and `behind`; `image`, pixel_coords; `none`. CLEVR's relations follow
    the scene's directions, so differences of world coordinates decide them without error."""
    values: Values = "onehot"
    """`onehot`, a column for each value; `ids`, one number for each attribute, from 1 and over their count."""
    rgb: bool = True
    """Whether an attribute of colours (all its values in the palette) is given as red, green and blue."""
    noise: float = 0.0
    """Standard deviation of the noise on each column; coordinates and colours are within about -1 to 1."""
    dropout: float = 0.0
    """Probability that a column of an object is unknown (0)."""
    width: int = 256
    """D, object features."""
    pairs: int = 256
    """E, pair features."""
    hidden: int = 64
    """Width of a residual layer on the rotated description, which starts as the identity; 0 has none. No linear map
    separates all eight colours in three numbers."""
    jitter: float = 0.0
    """Standard deviation of fresh noise in training, on top of `noise`."""
    rotate: bool = True
    """Whether a random rotation mixes the columns, so that no feature is one column; else columns are padded with
    zeros."""
    seed: int = 0
    """Seed of the rotation, the noise and the dropout."""

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("pairs", 1), ("hidden", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: a whole number from {least}, got {getattr(self, name)}")
        for name in ("noise", "jitter"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: a number from 0, got {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: from 0 to below 1, got {self.dropout}")


@functools.cache
def palette() -> Mapping[str, tuple[int, int, int]]:
    """Red, green and blue (0 to 255) of named colours, as CLEVR renders them."""
    text = resources.files(__package__).joinpath("palette.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, tuple[int, int, int]])


def columns(domain: Domain, config: StateConfig) -> list[str]:
    """The names of the K columns: `x`, `y`, `z`, `color.r`, `shape=cube`, ..."""
    names = [] if config.frame == "none" else ["x", "y", "z"]
    for attribute in domain.attributes:
        values = domain.values(attribute)
        if config.values == "ids":
            names.append(attribute)
        elif _coloured(values, config):
            names += [f"{attribute}.{c}" for c in "rgb"]
        else:
            names += [f"{attribute}={v}" for v in values]
    return names


def _coloured(values: Sequence[str], config: StateConfig) -> bool:
    return config.rgb and all(v in palette() for v in values)


@functools.lru_cache(maxsize=64)
def _codes(domain: Domain, config: StateConfig) -> tuple[F32, ...]:
    """For each attribute a row for each of its values."""
    codes = []
    for attribute in domain.attributes:
        values = domain.values(attribute)
        if config.values == "ids":
            code = np.arange(1, len(values) + 1)[:, None] / len(values)
        elif _coloured(values, config):
            code = np.array([palette()[v] for v in values]) / 255
        else:
            code = np.eye(len(values))
        codes.append(code.astype(np.float32))
    return tuple(codes)


def state_rows(scene: Scene, config: StateConfig) -> F32:
    """Describe a scene, (N, K), noise and dropout included.

    Raises:
        SceneError: an object has no coordinates in the frame of the settings.
    """
    domain, n = scene.domain, len(scene)
    parts = [] if config.frame == "none" else [_places(scene, config.frame)]
    first = 0
    for code, numbers in zip(_codes(domain, config), scene.values, strict=True):
        parts.append(code[np.asarray(numbers, dtype=np.int64) - first])
        first += len(code)
    rows = np.concatenate(parts, axis=1) if n else np.zeros((0, len(columns(domain, config))), np.float32)
    if config.noise or config.dropout:
        digest = hashlib.blake2b(rows.tobytes(), digest_size=8, key=str(config.seed).encode()).digest()
        random = np.random.default_rng(int.from_bytes(digest, "little"))
        rows = rows + config.noise * random.standard_normal(rows.shape, dtype=np.float32)
        rows = rows * (random.random(rows.shape) >= config.dropout)
    return rows.astype(np.float32)


def _places(scene: Scene, frame: Frame) -> F32:
    if frame == "image":
        pixels = _coordinates([p.pixel_coords for p in scene.places], "pixel_coords")
        scaled: F32 = (2 * pixels / np.array(IMAGE) - 1).astype(np.float32)
        return scaled
    coords = _coordinates([p.coords for p in scene.places], "3d_coords") / REACH
    if frame == "camera":
        missing = [d for d in ("right", "behind") if d not in scene.directions]
        if missing:
            raise SceneError(f"the frame 'camera' needs the direction '{missing[0]}'", path="$.directions")
        axes = np.array([scene.directions["right"], scene.directions["behind"], (0.0, 0.0, 1.0)])
        coords = coords @ axes.T
    places: F32 = coords.astype(np.float32)
    return places


def _coordinates(coordinates: Sequence[Sequence[float] | None], key: str) -> npt.NDArray[np.float64]:
    for i, place in enumerate(coordinates):
        if place is None or len(place) != 3:
            raise SceneError(f"a state description needs {key} of three numbers", path=f"$.objects[{i}].{key}")
    return np.array(coordinates, dtype=np.float64).reshape(-1, 3)


def rotation(rows: int, width: int, seed: int) -> F32:
    """Draw orthonormal rows (rows, width) uniformly; orthonormal columns where there are fewer of them."""
    gauss = np.random.default_rng(seed).standard_normal((max(rows, width), min(rows, width)))
    q, r = np.linalg.qr(gauss)
    q = q * np.sign(np.diag(r))
    return (q if rows > width else q.T).astype(np.float32)


class StateFeatures(nn.Module):
    """State descriptions as features of objects and of pairs. The rotation is fixed; the layers after it learn."""

    rotation: Tensor

    def __init__(self, domain: Domain, config: StateConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or StateConfig()
        names = columns(domain, config)
        fixed = rotation(len(names), config.width, config.seed)
        if not config.rotate:
            fixed = np.eye(len(names), config.width, dtype=np.float32)
        self.register_buffer("rotation", torch.from_numpy(fixed))
        self.bend: nn.Sequential | None = None
        if config.hidden:
            last = nn.Linear(config.hidden, config.width)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.bend = nn.Sequential(nn.Linear(config.width, config.hidden), nn.ReLU(), last)
        if domain.relations:
            self.reference = nn.Linear(config.width, config.pairs)
            self.other = nn.Linear(config.width, config.pairs, bias=False)
        self.relations = bool(domain.relations)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """(S, N, K) rows to features of objects (S, N, D) and of pairs (S, N, N, E); no pairs without relations.

        A pair's features are a linear map of both objects' features, whose halves are computed once per object:
        differences of coordinates are among them.
        """
        if self.training and self.config.jitter:
            rows = rows + self.config.jitter * torch.randn_like(rows)
        objects = rows @ self.rotation
        if self.bend is not None:
            objects = objects + self.bend(objects)
        if not self.relations:
            return objects, None
        pairs = self.reference(objects).unsqueeze(2) + self.other(objects).unsqueeze(1)
        return objects, pairs
