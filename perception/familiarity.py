"""Whether an image is like those that the bundled weights were trained on; where it is not, why.

    familiarity = Familiarity.of_bundled(detector)
    familiarity.warnings(images)              # for each image None, or a warning

A detector finds things in any image, and a scene parser has a value for each of them: on a photograph, a page of text
or noise the answers look as sure as on a picture of a scene. So each image is compared with renders like those of the
training: by the mean and the deviation of each channel of the detector's feature maps, as their Mahalanobis distance
(Lee et al., NeurIPS 2018, there of classes). The main directions of the renders are kept and all the rest counts as
one (`Norms`). Images are unlike when they lie beyond `threshold`, which is twice the distance that 99 % of held-out
renders keep within; or when they have no colours.

B images; F features, of which K directions are kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import interpolate

from ..errors import CheckpointError
from .bundled import WEIGHTS, bundled

if TYPE_CHECKING:
    from .detections.detections import Detections
    from .detector.detector import Detector

FILE = WEIGHTS / "familiarity.safetensors"
DIRECTIONS, REST = 40, 10  # K, and as how many of them the rest counts
FACTOR, WITHIN = 2.0, 0.99  # the threshold: so many times the distance within which this share of renders lies
COLOURLESS = 0.1  # the difference between the channels that no part of an image exceeds if it has no colours
UNSURE = 0.6  # detections whose scores are all below say that no object was recognised
_BATCH = 8
UNLIKE = "unlike the scenes of CLEVR that the bundled weights have learned from"


class NormsOrigin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the norms were computed from: the number of renders, their seed, nsreason's version, the date."""

    scenes: int
    seed: int
    version: str
    date: str


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    detector: str
    threshold: float
    rest: float
    ranges: dict[str, tuple[float, float]]
    origin: NormsOrigin = msgspec.field(name="made")


@dataclass(frozen=True)
class Norms:
    """Features of renders.

    mean, scale: (F,) of each feature. directions: (F, K), orthonormal, of the scaled features; spread: (K,) variances.
    rest: the mean squared length of what is in none of the directions.
    ranges: of `statistics`, the least and the most of the renders.
    detector: the digest of the weights that computed the features.
    """

    mean: Tensor
    scale: Tensor
    directions: Tensor
    spread: Tensor
    rest: float
    threshold: float
    ranges: Mapping[str, tuple[float, float]]
    detector: str
    origin: NormsOrigin

    @classmethod
    def of(
        cls, features: Tensor, held_out: Tensor, measured: Sequence[Mapping[str, float]], origin: NormsOrigin
    ) -> Norms:
        """Compute the norms of (M, F) features.

        Args:
            held_out: (L, F) features of other renders, which give the threshold.
            measured: the `statistics` of images, which give the ranges.
        """
        mean, scale = features.mean(0), features.std(0).clamp_min(1e-6)
        scaled = (features - mean) / scale
        variances, vectors = torch.linalg.eigh(scaled.T @ scaled / len(scaled))  # ascending
        spread = variances[-DIRECTIONS:] + 0.05 * variances[-DIRECTIONS:].mean()
        directions = vectors[:, -DIRECTIONS:]
        rest = float((scaled - scaled @ directions @ directions.T).square().sum(1).mean())
        ranges = {name: (min(m[name] for m in measured), max(m[name] for m in measured)) for name in measured[0]}
        unscaled = cls(mean, scale, directions, spread, rest, 0.0, ranges, digest(), origin)
        threshold = FACTOR * float(unscaled.distances(held_out).quantile(WITHIN))
        return cls(mean, scale, directions, spread, rest, threshold, ranges, digest(), origin)

    def distances(self, features: Tensor) -> Tensor:
        """Compute distances (B,) of features (B, F): about 1 for renders."""
        scaled = (features - self.mean) / self.scale
        along = scaled @ self.directions
        beside = (scaled - along @ self.directions.T).square().sum(1) / self.rest
        return (((along.square() / self.spread).sum(1) + REST * beside) / (DIRECTIONS + REST)).sqrt()

    def save(self, path: Path = FILE) -> None:
        """Write them."""
        header = _Header(self.detector, self.threshold, self.rest, dict(self.ranges), self.origin)
        tensors = {n: getattr(self, n).float().contiguous() for n in _SHAPES}
        save_file(tensors, path, {"familiarity": msgspec.json.encode(header).decode()})

    @classmethod
    def load(cls, path: Path = FILE) -> Norms:
        """Read them.

        Raises:
            CheckpointError: the file is missing or damaged.
        """
        try:
            with safetensors.safe_open(path, "pt") as file:
                header = msgspec.json.decode((file.metadata() or {}).get("familiarity", ""), type=_Header)
            tensors = load_file(path)
            features = len(tensors["mean"])
            for name, shape in _SHAPES.items():
                if tensors[name].shape != tuple(features if n == "F" else DIRECTIONS for n in shape):
                    raise ValueError(f"{name} is of another shape")
        except (OSError, KeyError, ValueError, msgspec.MsgspecError, safetensors.SafetensorError) as error:
            raise CheckpointError(f"{path}: cannot be read: {error}") from None
        mean, scale, directions, spread = (tensors[n] for n in _SHAPES)
        fields = header.rest, header.threshold, header.ranges, header.detector, header.origin
        return cls(mean, scale, directions, spread, *fields)


_SHAPES = {"mean": "F", "scale": "F", "directions": "FK", "spread": "K"}


def digest() -> str:
    """Compute the digest of the bundled detector's weights.

    Raises:
        CheckpointError: there are none.
    """
    path = bundled("detector")
    try:
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        table = json.loads(data[8 : 8 + length])
        table.pop("__metadata__", None)
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None
    # Of the file as it would be without metadata: settings and dates do not change what the weights see.
    header = json.dumps(table, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return hashlib.sha256(len(header).to_bytes(8, "little") + header + data[8 + length :]).hexdigest()[:16]


@torch.inference_mode()
def features_of(detector: Detector, images: Sequence[Tensor]) -> Tensor:
    """Compute (B, F) features of images, (3, H, W) uint8 each: mean and deviation of each channel of each map."""
    training = detector.training
    detector.eval()
    rows = []
    try:
        for at in range(0, len(images), _BATCH):
            part = [image.to(detector.device).float() / 255 for image in images[at : at + _BATCH]]
            inside, _ = detector.network.transform(part)
            rows.append(_pooled(detector.network.backbone(inside.tensors)))
    finally:
        detector.train(training)
    return torch.cat(rows)


def _pooled(maps: Mapping[str, Tensor]) -> Tensor:
    pooled = [x for m in maps.values() for x in (m.mean(dim=(2, 3)), m.std(dim=(2, 3)))]
    return torch.cat(pooled, dim=1).float().cpu()


def statistics(image: Tensor) -> dict[str, float]:
    """Measure an image, (3, H, W) uint8, for warnings; shares and lightness are from 0 to 1."""
    small = interpolate(image[None].float() / 255, (80, 120), mode="area")[0]
    light, colour = small.mean(0), small.amax(0) - small.amin(0)
    fine = image.float().mean(0) / 255
    grain = (fine[1:-1, 1:-1] * 4 - fine[:-2, 1:-1] - fine[2:, 1:-1] - fine[1:-1, :-2] - fine[1:-1, 2:]).abs().mean()
    return {
        "colour": float(colour.max()),
        "coloured": float((colour > 0.25).float().mean()),
        "lightness": float(light.median()),
        "contrast": float(light.std()),
        "grain": float(grain),
    }


_WORDS = {
    "coloured": "{:.0f} % of it is in strong colours, there {:.0f} to {:.0f} %",
    "lightness": "its middle lightness is {:.0f} %, there {:.0f} to {:.0f} %",
    "contrast": "its lightness varies by {:.1f} %, there by {:.1f} to {:.1f} %",
    "grain": "neighbouring pixels differ by {:.1f} %, there by {:.1f} to {:.1f} %",
}


class Familiarity:
    """The bundled detector, and what renders look like to it."""

    def __init__(self, detector: Detector, norms: Norms) -> None:
        self.detector, self.norms = detector, norms

    @classmethod
    def of_bundled(cls, detector: Detector) -> Familiarity:
        """
        Args:
            detector: the bundled one.

        Raises:
            CheckpointError: the norms are missing or damaged.
        """
        return cls(detector, Norms.load())

    @contextlib.contextmanager
    def watching(self) -> Iterator[list[Tensor]]:
        """Collect the features of images in CLEVR's frame while the detector runs on them, batch by batch.

        Most of a detection is the feature maps: they need not be computed twice.
        """
        rows: list[Tensor] = []
        backbone = self.detector.network.backbone
        hook = backbone.register_forward_hook(lambda _module, _images, maps: rows.append(_pooled(maps)))
        try:
            yield rows
        finally:
            hook.remove()

    def warnings(
        self,
        images: Sequence[Tensor],
        detections: Sequence[Detections] | None = None,
        features: Sequence[Tensor] = (),
    ) -> list[str | None]:
        """For each image, (3, H, W) uint8 in CLEVR's frame, None, or how it differs from the images of the training.

        Args:
            detections: of each image.
            features: of the images, as `watching` collects them; computed where there are none.
        """
        if not images:
            return []
        rows = torch.cat(list(features)) if features else features_of(self.detector, images)
        distances = self.norms.distances(rows).tolist()
        return [
            self._warning(image, distance, None if detections is None else detections[i])
            for i, (image, distance) in enumerate(zip(images, distances, strict=True))
        ]

    def _warning(self, image: Tensor, distance: float, detections: Detections | None) -> str | None:
        measured = statistics(image)
        colourless = measured["colour"] < COLOURLESS
        if not colourless and distance <= self.norms.threshold:
            return None
        reasons = ["it has no colours"] if colourless else []
        off = {name: self._off(name, measured[name]) for name in _WORDS}
        for name in sorted((n for n in off if off[n] > 0.25), key=lambda n: -off[n])[:2]:
            reasons.append(_WORDS[name].format(*(100 * x for x in (measured[name], *self.norms.ranges[name]))))
        if not colourless or distance > self.norms.threshold:
            far = FACTOR * distance / self.norms.threshold
            reasons.append(f"to the detector it lies {far:.1f} times as far out as {100 * WITHIN:.0f} % of theirs do")
        if detections is not None and (not len(detections) or float(detections.scores.max()) < UNSURE):
            reasons.append("no object in it was recognised with certainty")
        return f"{UNLIKE}: {'; '.join(reasons)}. What is said of it may be meaningless"

    def _off(self, name: str, value: float) -> float:
        """How far a value lies outside its range, in lengths of the range."""
        low, high = self.norms.ranges[name]
        return max(low - value, value - high) / max(high - low, 1e-6)
