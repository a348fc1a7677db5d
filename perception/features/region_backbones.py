"""Networks on detected objects: on squares of pixels, or NS-CL's layers over a residual network.

Both take `Seen` and give features of K objects (K, D) and of P ordered pairs (P, E).

S images, K objects of all of them, P ordered pairs, G numbers of a box's geometry, Z cells of a pooled region.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from ...errors import CheckpointError
from ..pretrained import read_weights

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which torchvision's weights expect
POOLED = 7  # Z: cells across and down of a region
STRIDE = 16  # pixels of an image for each cell of the residual network's map, its last stage left out
TRUNK = 256  # its channels
PER_CELL = 2  # samples across and down for each cell of a crop
GEOMETRY = 8


class RegionInputs(NamedTuple):
    """Objects and pairs of a batch of images, without padding.

    images: (S, 3, H, W) uint8. light: factors and shifts (S, 3, 1, 1) of pixels from 0 to 1, or None.
    boxes: (K, 4). which, slot: (K,) the image of each object and its place there.
    masks: (S, N, H, W) bool or None. kept: (K,) bool, whose mask may be seen; None is all.
    pairs: (P,) and (P,), reference and other of each ordered pair of an image.
    noise: standard deviation of what is added to pixels. flip: whether squares are mirrored at random.
    """

    images: Tensor
    light: tuple[Tensor, Tensor] | None
    boxes: Tensor
    which: Tensor
    slot: Tensor
    masks: Tensor | None
    kept: Tensor | None
    pairs: tuple[Tensor, Tensor]
    noise: float
    flip: bool


def lit(pixels: Tensor, light: tuple[Tensor, Tensor] | None, noise: float, which: Tensor | None = None) -> Tensor:
    """Change the light of pixels in 0..1 and add noise; `which` is the image of each row."""
    if light is not None:
        scale, shift = light if which is None else (light[0][which], light[1][which])
        pixels = pixels * scale + shift
    return pixels + noise * torch.randn_like(pixels) if noise else pixels


def coverage(cells: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Compute how much of each cell of regions (M, 4), divided evenly, boxes (M, 4) cover: (M, size, size)."""

    def along(low: int) -> Tensor:
        start, end = cells[:, low, None], cells[:, low + 2, None]
        step = ((end - start) / size).clamp_min(1e-6)
        edge = start + step * torch.arange(size, device=cells.device)
        inside = torch.minimum(edge + step, boxes[:, low + 2, None]) - torch.maximum(edge, boxes[:, low, None])
        return inside.clamp_min(0) / step

    return along(1)[:, :, None] * along(0)[:, None, :]


def samples(boxes: Tensor, size: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where in an image's pixels boxes (K, 4) are sampled, `PER_CELL` times across and down each of size x size cells:
    (K, M, M) indices of the nearest pixels, and whether they are inside of the image.
    """
    steps = (torch.arange(PER_CELL * size, device=boxes.device) + 0.5) / (PER_CELL * size)
    x = (boxes[:, 0, None] + steps * (boxes[:, 2] - boxes[:, 0])[:, None]).floor().long()  # (K, M)
    y = (boxes[:, 1, None] + steps * (boxes[:, 3] - boxes[:, 1])[:, None]).floor().long()
    inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    return (y.clamp(0, height - 1) * width)[:, :, None] + x.clamp(0, width - 1)[:, None, :], inside


def mean_of_samples(plane: Tensor, at: Tensor, inside: Tensor | None = None) -> Tensor:
    """(..., size, size) means of the bytes or truths that stand at (..., M, M) places; what is not inside is 0."""
    total: Tensor | int = 0
    for y in range(PER_CELL):
        for x in range(PER_CELL):
            one = (..., slice(y, None, PER_CELL), slice(x, None, PER_CELL))
            values = plane.take(at[one])
            total = total + (values if inside is None else values & inside[one]).short()
    assert isinstance(total, Tensor)
    return total / PER_CELL**2


def geometry(boxes: Tensor, height: int, width: int) -> Tensor:
    """(K, G) centre, size, edges and logarithms of the size of boxes, about -1 to 1: an object's apparent size means
    something only together with where it stands.
    """
    left, top, right, bottom = (boxes / boxes.new_tensor([width, height, width, height])).unbind(-1)
    wide, high = (right - left).clamp_min(1e-3), (bottom - top).clamp_min(1e-3)
    columns = [left + right - 1, top + bottom - 1, 2 * bottom - 1, 2 * top - 1, 4 * wide - 1, 4 * high - 1]
    return torch.stack([*columns, 0.5 * wide.log() + 1, 0.5 * high.log() + 1], dim=-1)


class Patches(nn.Module):
    """A small convolutional network on a square around each object, and a code of where its box is.

    The fourth channel is the object's mask, or its box where there is none. A pair's features are those of both
    boxes, and a few numbers of what both objects look like: how far an object is follows from its size.
    """

    def __init__(self, width: int, pairs: int, *, crop: int, margin: float) -> None:
        super().__init__()
        self.crop, self.margin = crop, margin
        layers: list[nn.Module] = []
        channels = 4
        for wide in (32, 64, 96):
            layers += [nn.Conv2d(channels, wide, 3, 2, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
            channels = wide
        layers += [nn.Conv2d(channels, 128, 3, 1, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU(), nn.Flatten()]
        self.look = nn.Sequential(*layers, nn.Linear(128 * (crop // 8) ** 2, 128))
        self.stand = nn.Sequential(nn.Linear(GEOMETRY, 64), nn.ReLU(), nn.Linear(64, 64))
        # Centred features are what makes learning from answers alone take off: all objects begin with a common part
        # many times as large as their differences, so that every cosine is near 1. Without, accuracy stays at 50 %.
        self.join = nn.Sequential(nn.ReLU(), nn.Linear(128 + 64, width), nn.ReLU(), nn.Linear(width, width))
        self.centre = nn.BatchNorm1d(width, affine=False)
        self.link: nn.Sequential | None = None
        if pairs:
            self.size = nn.Linear(width, 16)
            self.reference = nn.Linear(GEOMETRY + 16, 2 * pairs)
            self.other = nn.Linear(GEOMETRY + 16, 2 * pairs, bias=False)
            self.link = nn.Sequential(nn.ReLU(), nn.Linear(2 * pairs, pairs), nn.BatchNorm1d(pairs, affine=False))

    def forward(self, inputs: RegionInputs) -> tuple[Tensor, Tensor | None]:
        """Features of objects and of pairs."""
        place = geometry(inputs.boxes, inputs.images.shape[2], inputs.images.shape[3])
        look = self.look(self.squares(inputs))
        objects: Tensor = self.centre(self.join(torch.cat([look, self.stand(place).to(look.dtype)], dim=-1)))
        if self.link is None:
            return objects, None
        descriptors = torch.cat([place.to(objects.dtype), self.size(objects)], dim=-1)
        i, j = inputs.pairs
        return objects, self.link(self.reference(descriptors)[i] + self.other(descriptors)[j])

    @torch.no_grad()
    def squares(self, inputs: RegionInputs) -> Tensor:
        """(K, 4, crop, crop) red, green, blue and mask, about -2 to 2."""
        boxes, (_, _, h, w) = inputs.boxes, inputs.images.shape
        centre, side = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True)
        squares = torch.cat([centre - self.margin * side / 2, centre + self.margin * side / 2], dim=1)
        # Bytes are gathered where they lie: making all pixels of all images floats first takes four times as long.
        at, inside = samples(squares, self.crop, h, w)
        channels = torch.arange(3, device=boxes.device)
        planes = (3 * inputs.which[:, None] + channels)[:, :, None, None] * (h * w)
        pixels = mean_of_samples(inputs.images, planes + at[:, None]) / 255
        pixels = lit(pixels, inputs.light, inputs.noise, inputs.which)
        outline = coverage(squares, boxes, self.crop)
        if inputs.masks is not None:
            own = (inputs.which * inputs.masks.shape[1] + inputs.slot)[:, None, None] * (h * w)
            masks = mean_of_samples(inputs.masks, own + at, inside)
            outline = masks if inputs.kept is None else torch.where(inputs.kept[:, None, None], masks, outline)
        patches = torch.cat([(pixels - 0.45) / 0.22, 2 * outline[:, None] - 1], dim=1)
        if inputs.flip:
            flipped = torch.rand(len(patches), device=patches.device) < 0.5
            patches = torch.where(flipped[:, None, None, None], patches.flip(-1), patches)
        return patches


class ResNetRegions(nn.Module):
    """NS-CL's features (Mao et al., ICLR 2019): a residual network without its last stage, and three kinds of regions.

    An object is its own region, the whole image, and the whole image where the object is; a pair is both objects, the
    region around both, and that region where each of them is. RoIAlign stands in for precise pooling.
    """

    def __init__(self, name: str, width: int, pairs: int, *, frozen: bool) -> None:
        super().__init__()
        self.frozen = frozen
        self.trunk = trunk(name).requires_grad_(not frozen)
        self.context = nn.Conv2d(TRUNK, 256, 1)
        self.fuse = nn.Conv2d(512, 256, 1)
        self.object = nn.Linear(256 * POOLED**2, width)
        learned: list[nn.Module] = [self.context, self.fuse, self.object]
        self.pairs = pairs
        if pairs:
            self.relation = nn.Conv2d(TRUNK, 384, 1)
            self.link = nn.Conv2d(896, 256, 1)
            self.pair = nn.Linear(256 * POOLED**2, pairs)
            learned += [self.relation, self.link, self.pair]
        for layer in learned:
            nn.init.kaiming_normal_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD)[:, None, None], persistent=False)

    mean: Tensor
    spread: Tensor

    def train(self, mode: bool = True) -> ResNetRegions:
        """A frozen network keeps the statistics that it came with."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def forward(self, inputs: RegionInputs) -> tuple[Tensor, Tensor | None]:
        """Features of objects and of pairs, of length 1."""
        pixels = lit(inputs.images.float() / 255, inputs.light, inputs.noise)
        maps = self.trunk((pixels - self.mean) / self.spread)  # (S, 256, H / 16, W / 16)
        boxes, which = inputs.boxes, inputs.which
        height, width = inputs.images.shape[2:]
        whole = boxes.new_tensor([0, 0, width, height]).expand(len(inputs.images), 4)
        everything = torch.arange(len(inputs.images), device=boxes.device)
        near, far = pool(self.context(maps), whole, everything)[which].chunk(2, dim=1)  # (K, 128, Z, Z) each
        own = coverage(whole[which], boxes, POOLED)
        if inputs.masks is not None:
            pooled_masks = F.adaptive_avg_pool2d(inputs.masks.flatten(0, 1).float()[:, None], POOLED)[:, 0]
            masked = pooled_masks.view(*inputs.masks.shape[:2], POOLED, POOLED)[which, inputs.slot]
            own = masked if inputs.kept is None else torch.where(inputs.kept[:, None, None], masked, own)
        region = pool(maps, boxes, which)
        objects = self.fuse(torch.cat([region, near, far * own[:, None].to(far.dtype)], dim=1))  # (K, 256, Z, Z)
        features = F.normalize(self.object(F.relu(objects).flatten(1)), dim=-1)
        return features, self._link(inputs, maps, objects) if self.pairs else None

    def _link(self, inputs: RegionInputs, maps: Tensor, objects: Tensor) -> Tensor:
        (i, j), boxes = inputs.pairs, inputs.boxes
        around = torch.cat([torch.minimum(boxes[i, :2], boxes[j, :2]), torch.maximum(boxes[i, 2:], boxes[j, 2:])], 1)
        both, first, second = pool(self.relation(maps), around, inputs.which[i]).chunk(3, dim=1)  # (P, 128, Z, Z) each
        masks = (coverage(around, boxes[o], POOLED)[:, None].to(both.dtype) for o in (i, j))
        parts = [objects[i], objects[j], both, *(p * m for p, m in zip((first, second), masks, strict=True))]
        return F.normalize(self.pair(F.relu(self.link(torch.cat(parts, dim=1))).flatten(1)), dim=-1)


def pool(maps: Tensor, boxes: Tensor, which: Tensor) -> Tensor:
    """Pool boxes (M, 4) in pixels from maps: (M, C, Z, Z)."""
    from ..detector.torchvision_imports import roi_align

    at = torch.cat([which[:, None].to(boxes.dtype), boxes], dim=1)
    pooled: Tensor = roi_align(maps.float(), at, POOLED, 1 / STRIDE, sampling_ratio=2, aligned=True)
    return pooled.to(maps.dtype)


def trunk(name: str) -> nn.Sequential:
    """Build a residual network of torchvision up to its third stage: (S, 3, H, W) to (S, 256, H / 16, W / 16)."""
    import torchvision

    net = getattr(torchvision.models, name)(weights=None)
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")
    layers = nn.Sequential()
    for part in names:
        layers.add_module(part, getattr(net, part))
    return layers


def load_trunk(network: nn.Sequential, path: str | Path) -> None:
    """Load a file of torchvision's weights into a residual network; other layers of the file are left out.

    Raises:
        CheckpointError: there is no such file, it is damaged or holds more than tensors, or it is of another network.
    """
    weights, own = read_weights(path), network.state_dict()
    missing = [k for k in own if k not in weights and not k.endswith("num_batches_tracked")]
    unlike = [k for k in own if k in weights and weights[k].shape != own[k].shape]
    if missing or unlike:
        fault = f"has no tensor '{missing[0]}'" if missing else f"'{unlike[0]}' is of another shape"
        raise CheckpointError(f"{path}: not the weights of this residual network: {fault}")
    network.load_state_dict({k: weights.get(k, v) for k, v in own.items()})
