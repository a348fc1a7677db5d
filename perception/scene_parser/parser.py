"""The scene parser: what each object in an image is, and where it stands, from supervised heads on its patch.

After NS-VQA (Yi et al., NeurIPS 2018), whose second network reads the attributes and the coordinates of each object
that a detector has segmented. Its scene is crisp: exact execution runs on it.

    parser = SceneParser()
    parser.scenes([(image, detections)])           # a Scene an image, relations and places included

What it predicts of a place is the pixel at which the object's centre is seen and the centre's height; the coordinates
follow by going back from the pixel to the plane (`unproject`), with a camera whose offset is predicted from all objects
of the image. Left of, behind and so on are then read off the coordinates.

K objects of S images, C concepts, A attributes, P the side of a patch, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ...dsl.domain import Domain, load_domain
from ...errors import DataError
from ...scenes.relations import members, rows_along
from ...scenes.scene import ObjectPlace, Scene, Vector
from ...training.model import LossOut
from ..detections.detections import Detections, ImageDetections
from .batch import TENSORS, ParserBatch, ParserExample, patches_of
from .config import SceneParserConfig
from .data import SceneParserData
from .patches import CHANNELS, augmented, squares
from .unproject import unproject


class Parsed(NamedTuple):
    """The outputs for patches: logits (K, C), the centres' pixels (K, 2), coordinates (K, 3)."""

    logits: Tensor
    pixels: Tensor
    coords: Tensor


def _block(inside: int, outside: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.GroupNorm(8, outside), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """Two convolutions around a short cut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _block(width, width, 1)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.GroupNorm(8, width))

    def forward(self, x: Tensor) -> Tensor:
        return nnf.relu(x + self.second(self.first(x)))


class SceneParser(nn.Module):
    """A small convolutional network on patches, with a head for each attribute and one for the place."""

    Config = SceneParserConfig
    Data = SceneParserData

    def __init__(self, config: SceneParserConfig | None = None) -> None:
        """
        Raises:
            DomainError: there is no such domain.
            ValueError: a setting is out of range.
        """
        super().__init__()
        self.config = config = config or SceneParserConfig()
        self.domain: Domain = load_domain(config.domain)
        self.sizes = [len(self.domain.values(a)) for a in self.domain.attributes]
        w, cells = config.width, -(-config.side // 8)
        self.trunk = nn.Sequential(
            _block(CHANNELS, w, 2),
            _block(w, 2 * w, 2),
            Residual(2 * w),
            _block(2 * w, 4 * w, 2),
            Residual(4 * w),
            nn.Conv2d(4 * w, 24, 1),
            nn.ReLU(inplace=True),
            nn.Flatten(),  # where in the patch something is matters: nothing is averaged away
        )
        geometry = 6 + 2 * len(config.heights)
        self.features = nn.Sequential(
            nn.Linear(24 * cells * cells + geometry, config.hidden), nn.ReLU(), nn.Linear(config.hidden, config.hidden)
        )
        self.attributes = nn.Linear(config.hidden, sum(self.sizes))
        self.place = nn.Linear(config.hidden, 2 + len(config.heights))
        self.context = nn.Sequential(nn.Linear(config.hidden + geometry, 64), nn.ReLU())
        self.shift = nn.Linear(64, 3)
        for head in (self.place, self.shift):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.location: Tensor
        self.heights: Tensor
        self.register_buffer("location", torch.tensor(config.camera.location), persistent=False)
        self.register_buffer("heights", torch.tensor(config.heights), persistent=False)

    # --- the network --------------------------------------------------------------------------------------------

    def forward(self, patches: Tensor, boxes: Tensor, square: Tensor, scene: Tensor, scenes: int) -> Parsed:
        """Compute the outputs for patches (K, 5, P, P), floats in 0..1; `square` (K, 4) is where they were cut out."""
        camera = self.config.camera
        geometry = self._geometry(boxes)  # (K, G)
        hidden = nnf.relu(self.features(torch.cat([self.trunk(patches * 4 - 2), geometry], -1)))  # (K, D)
        place = self.place(hidden)
        middle, side = (square[:, :2] + square[:, 2:]) / 2, square[:, 2:] - square[:, :2]
        pixels = middle + place[:, :2] * side  # (K, 2)
        heights = (place[:, 2:].softmax(-1) * self.heights).sum(-1)  # (K,)
        context = self.context(torch.cat([hidden, geometry], -1))  # (K, 64)
        sums = context.new_zeros(scenes, context.shape[1]).index_add(0, scene, context)
        counts = context.new_zeros(scenes).index_add(0, scene, context.new_ones(len(scene))).clamp(min=1)
        moved = self.shift(sums / counts[:, None]).tanh() * self.config.camera_shift  # (S, 3)
        coords = unproject(pixels, heights, (self.location + moved)[scene], camera)
        return Parsed(self.attributes(hidden), pixels, coords)

    def _geometry(self, boxes: Tensor) -> Tensor:
        """(K, G): the box, and where its middle would be in the world at each of the heights."""
        camera = self.config.camera
        middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).clamp(min=1.0)
        frame = middle.new_tensor([camera.width, camera.height])
        at = [
            unproject(middle, height.expand(len(boxes)), self.location, camera)[:, :2].clamp(-9, 9) / 3
            for height in self.heights
        ]
        return torch.cat([2 * middle / frame - 1, 4 * size / frame, (size / 32).log(), *at], -1)

    # --- training -----------------------------------------------------------------------------------------------

    def collate(self, examples: Sequence[ParserExample]) -> ParserBatch:
        """Build a batch on the CPU.

        Raises:
            DataError: there is no example.
        """
        if not examples:
            raise DataError("a batch has at least one image")
        counts = torch.tensor([len(e.boxes) for e in examples])
        tensors = {n: torch.cat([getattr(e, n) for e in examples]) for n in TENSORS[:-1]}
        scene = torch.repeat_interleave(torch.arange(len(examples)), counts)
        return ParserBatch(**tensors, scene=scene, scenes=len(examples))

    def loss(self, batch: ParserBatch) -> LossOut:
        """Compute the loss: cross entropies of the attributes, and smooth distances of pixels and coordinates.

        The metrics: accuracy of each attribute, of whole objects (all attributes right) and of relations (pairs of
        objects in the right order along the directions); `loss/distance`, the mean distance in the plane between
        where an object is seen and where it stands.
        """
        patches, boxes = batch.patches.float() / 255, batch.boxes
        square = squares(boxes, self.config.margin)
        if self.training:
            patches, moved, scale = augmented(patches, self.config.augmentation)
            square = _moved(square, moved * (square[:, 2:] - square[:, :2]), scale)
            boxes = _moved(boxes, moved * (square[:, 2:] - square[:, :2]) / scale[:, None], scale)
        predicted = self(patches, boxes, square, batch.scene, batch.scenes)
        logits = torch.split(predicted.logits.float(), self.sizes, -1)
        loss = predicted.logits.new_zeros(())
        right = []
        for i, part in enumerate(logits):
            loss = loss + nnf.cross_entropy(part, batch.values[:, i])
            right.append(part.argmax(-1) == batch.values[:, i])
        known, seen = batch.coords.isfinite().all(-1), batch.pixels.isfinite().all(-1)
        apart = predicted.coords.float()[known] - batch.coords[known]
        off = predicted.pixels.float()[seen] - batch.pixels[seen]
        # In tenths of a unit, and in fours of pixels: about what one can hope for.
        loss = loss + _smooth(apart / 0.1) + 0.5 * _smooth(off / 4)
        count = len(batch.boxes)
        metrics: dict[str, tuple[float | Tensor, float | Tensor]] = {
            f"accuracy/{a}": (r.sum(), count) for a, r in zip(self.domain.attributes, right, strict=True)
        }
        metrics["accuracy/object"] = (torch.stack(right).all(0).sum(), count)
        metrics["accuracy/relation"] = self._ordered(predicted.coords.detach().float(), batch)
        metrics["loss/distance"] = (apart.detach()[:, :2].norm(dim=-1).sum(), len(apart))
        metrics["loss/pixels"] = (off.detach().norm(dim=-1).sum(), len(off))
        return LossOut(loss, batch.scenes, metrics)

    def _ordered(self, coords: Tensor, batch: ParserBatch) -> tuple[Tensor, Tensor]:
        """Pairs of objects in the right order along the plane's two directions, and all pairs that have one."""
        directions = self.config.camera.directions()
        pair = (batch.scene[:, None] == batch.scene[None, :]).triu(1)
        right, total = coords.new_zeros(()), coords.new_zeros(())
        for name in ("right", "behind"):
            along = coords.new_tensor(directions[name])
            predicted, true = coords @ along, batch.coords @ along
            predicted, true = predicted[:, None] - predicted[None, :], true[:, None] - true[None, :]
            counts = pair & (true.abs() > self.domain.file.eps)  # not where a coordinate is missing
            right = right + (counts & ((predicted > 0) == (true > 0))).sum()
            total = total + counts.sum()
        return right, total

    # --- answering ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def predict(self, batch: ParserBatch) -> list[Parsed]:
        """Compute the outputs for each image of a batch."""
        patches, boxes = batch.patches.float() / 255, batch.boxes
        predicted = self(patches, boxes, squares(boxes, self.config.margin), batch.scene, batch.scenes)
        counts = torch.bincount(batch.scene, minlength=batch.scenes).tolist()
        return [Parsed(*parts) for parts in zip(*(torch.split(t, counts) for t in predicted), strict=True)]

    def parse(self, images: Sequence[ImageDetections], *, batch_size: int = 32) -> list[Parsed]:
        """Compute the outputs for each image, its objects in the order of its detections.

        Raises:
            DataError: an image is not of the camera's size, or its detections are of another.
        """
        out: list[Parsed] = []
        for at in range(0, len(images), batch_size):
            batch = self.collate([self._example(*pair) for pair in images[at : at + batch_size]])
            out += [Parsed(*(t.cpu() for t in p)) for p in self.predict(batch.to(self.location.device))]
        return out

    def degrees(self, images: Sequence[ImageDetections]) -> list[Tensor]:
        """Compute for each image (N, C) probabilities of concepts; those of an attribute sum to 1."""
        return [self._probabilities(p.logits) for p in self.parse(images)]

    def scenes(self, images: Sequence[ImageDetections]) -> list[Scene]:
        """Parse each image to a scene: the likeliest values, places, and the relations between the places.

        An object's `score` is how sure its description is: the detection's score times the probabilities of its
        values.

        Raises:
            DataError: as `parse`.
        """
        return [self._scene(d, p) for (_, d), p in zip(images, self.parse(images), strict=True)]

    def _probabilities(self, logits: Tensor) -> Tensor:
        return torch.cat([part.float().softmax(-1) for part in torch.split(logits, self.sizes, -1)], -1)

    def _example(self, image: Tensor, detections: Detections) -> ParserExample:
        camera = self.config.camera
        patches, boxes = patches_of(image, detections, (camera.width, camera.height), self.config)
        n = len(boxes)
        nothing = torch.full((n, 3), torch.nan)
        values = torch.zeros(n, len(self.sizes), dtype=torch.int64)
        return ParserExample(detections.image, patches, boxes, values, nothing, nothing[:, :2])

    def _scene(self, detections: Detections, parsed: Parsed) -> Scene:
        starts = torch.tensor([0, *self.sizes]).cumsum(0)[:-1]
        parts = torch.split(self._probabilities(parsed.logits), self.sizes, -1)
        best = [part.max(-1) for part in parts]
        values = torch.stack([b.indices + s for b, s in zip(best, starts, strict=True)], -1).tolist()
        sure = torch.stack([b.values for b in best]).prod(0) * torch.from_numpy(detections.scores)
        coords = parsed.coords.double().tolist()
        places = []
        for i in range(len(values)):
            x, y, z = coords[i]
            across, down = parsed.pixels[i].tolist()
            left, top, right, bottom = map(float, detections.boxes[i])
            places.append(
                ObjectPlace(
                    coords=(x, y, z),
                    pixel_coords=(across, down),
                    bbox=(left, top, right, bottom),
                    score=min(1.0, max(0.0, float(sure[i]))),
                    mask=None if detections.masks is None else dict(detections.masks[i]),
                )
            )
        directions = self.config.camera.directions()
        relations = self._relations(coords, directions)
        return Scene(self.domain, values, places, relations, directions, image=detections.image or None)

    def _relations(
        self, coords: Sequence[Sequence[float]], directions: dict[str, Vector]
    ) -> dict[str, list[list[int]]]:
        if not coords:
            return {}
        out = {}
        for name, entry in self.domain.file.relations.items():
            if entry.direction in directions:
                rows = rows_along(coords, directions[entry.direction], self.config.margin_apart)
                out[name] = [list(members(row)) for row in rows]
        return out


def _moved(boxes: Tensor, by: Tensor, scale: Tensor) -> Tensor:
    """Boxes (K, 4) moved by pixels (K, 2) and scaled about their middles (K,)."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2 + by, (boxes[:, 2:] - boxes[:, :2]) / 2 * scale[:, None]
    return torch.cat([middle - half, middle + half], -1)


def _smooth(off: Tensor) -> Tensor:
    return nnf.smooth_l1_loss(off, torch.zeros_like(off)) if off.numel() else off.sum()
