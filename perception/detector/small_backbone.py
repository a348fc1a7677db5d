"""A thin residual network with a feature pyramid, made to be trained from nothing on a CPU.

B images; feature maps have strides 4, 8 and 16 and the same number of channels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

STRIDES = (4, 8, 16)
NARROWEST = 16  # channels of what a stage begins with; see `check_channels`


def check_channels(channels: Sequence[int]) -> None:
    """Refuse a stem or a stage so narrow that the next stage cannot be learned on every processor.

    A stage begins with a 1x1 convolution of stride 2 in the layout channels_last. With fewer channels than a vector
    register has numbers (8 of AVX2, 16 of AVX-512) torch 2.14.1's backward of it in float32 writes out of bounds;
    stride 1, 3x3, bfloat16 and the contiguous layout are sound.

    Raises:
        ValueError: fewer than 16 channels, of all but the last stage.
    """
    if min(channels[:-1]) < NARROWEST:
        raise ValueError(
            f"small.channels: {NARROWEST} or more of the stem and of all stages but the last, got {tuple(channels)}: "
            "torch's gradient of narrower ones writes out of bounds"
        )


def convolution(into: int, out: int, kernel: int = 3, stride: int = 1, *, scale: float = 1.0) -> nn.Sequential:
    """Convolution and batch normalization, whose outputs begin with the standard deviation `scale`."""
    conv = nn.Conv2d(into, out, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    norm = nn.BatchNorm2d(out)
    nn.init.constant_(norm.weight, scale)
    return nn.Sequential(conv, norm)


class Block(nn.Module):
    """Two 3x3 convolutions around which the input goes by (He et al., 2016)."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = convolution(into, out, stride=stride)
        self.second = convolution(out, out, scale=0.0)  # a block begins as what goes by it, which learns faster
        self.by = None if into == out and stride == 1 else convolution(into, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        by = x if self.by is None else self.by(x)
        return relu(self.second(relu(self.first(x), inplace=True)) + by, inplace=True)


class SmallBackbone(nn.Module):
    """Feature maps `0`, `1`, `2` of strides 4, 8 and 16.

    Attributes:
        out_channels: of each map, as torchvision's detectors ask a backbone.
    """

    def __init__(self, channels: Sequence[int], blocks: Sequence[int], out_channels: int) -> None:
        """
        Args:
            channels: of the stem (stride 2) and of the three stages.
            blocks: residual blocks of the three stages.

        Raises:
            ValueError: channels that `check_channels` refuses.
        """
        check_channels(channels)
        super().__init__()
        self.out_channels = out_channels
        self.stem = convolution(3, channels[0], stride=2)
        stages = []
        for before, after, number in zip(channels[:-1], channels[1:], blocks, strict=True):
            rest = [Block(after, after, 1) for _ in range(number - 1)]
            stages.append(nn.Sequential(Block(before, after, 2), *rest))
        self.stages = nn.ModuleList(stages)
        self.lateral = nn.ModuleList(nn.Conv2d(c, out_channels, 1) for c in channels[1:])
        self.smooth = nn.ModuleList(convolution(out_channels, out_channels) for _ in channels[1:])
        self.to(memory_format=torch.channels_last)  # twice as fast on CPUs with bfloat16

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """(B, 3, H, W) -> maps (B, C, H / s, W / s) for s in STRIDES; H and W are multiples of the last."""
        x = relu(self.stem(images.contiguous(memory_format=torch.channels_last)), inplace=True)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        laterals = [lateral(f) for lateral, f in zip(self.lateral, maps, strict=True)]
        top = laterals[-1]
        merged = [top]
        for finer in reversed(laterals[:-1]):
            top = finer + interpolate(top, scale_factor=2.0, mode="nearest")
            merged.insert(0, top)
        return OrderedDict(
            (str(i), relu(smooth(m), inplace=True))
            for i, (smooth, m) in enumerate(zip(self.smooth, merged, strict=True))
        )
