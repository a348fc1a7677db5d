"""Multilayer perceptrons: how they are made, how many parameters they have, and the one that has as many as another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from ...errors import RecipeError


def perceptron(into: int, hidden: Sequence[int], out: int, dropout: float = 0.0) -> nn.Sequential:
    """Linear layers with a ReLU between any two, and dropout before the last."""
    layers: list[nn.Module] = []
    for units in hidden:
        layers += [nn.Linear(into, units), nn.ReLU()]
        into = units
    if dropout and hidden:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(into, out))


def perceptron_parameters(into: int, hidden: Sequence[int], out: int) -> int:
    """How many parameters `perceptron` has."""
    widths = (into, *hidden, out)
    return sum((a + 1) * b for a, b in pairwise(widths))


def parameters(network: nn.Module) -> int:
    """How many parameters a network learns."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def matched_width(target: int, *, into: int, out: int, layers: int, within: float = 0.01) -> int:
    """The units of each of `layers` hidden layers with which a perceptron has `target` parameters.

    Raises:
        RecipeError: no width comes as near as the share `within` of the target.
    """
    low, high = 1, 2
    while perceptron_parameters(into, [high] * layers, out) < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if perceptron_parameters(into, [middle] * layers, out) < target else (low, middle)

    def away(width: int) -> int:
        return abs(perceptron_parameters(into, [width] * layers, out) - target)

    best = min((low, high), key=away)
    if layers < 1 or away(best) > within * target:
        parameter_count = perceptron_parameters(into, [best] * layers, out)
        raise RecipeError(
            f"no perceptron from {into} to {out} with {layers} hidden layers has {target:,} parameters within "
            f"{within:.0%}; the nearest, {best} wide, has {parameter_count:,}; another number of layers may do"
        )
    return best
