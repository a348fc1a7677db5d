"""Balls joined by springs and rods, as arrays in files. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .arrays import read_arrays, read_settings

if TYPE_CHECKING:
    pass


BALLS, FRAMES = 10, 16


NONE, SPRING, ROD = 0, 1, 2  # the entries of a matrix of links


# Told apart by eye, on light paper.
RGB = (
    *((214, 39, 40), (31, 119, 180), (44, 160, 44), (255, 152, 0), (126, 63, 178)),
    *((121, 85, 72), (233, 30, 140), (90, 90, 90), (205, 190, 0), (0, 180, 200)),
)


Color = Literal["rgb", "number", "one-hot"]


Moves = Literal["places", "changes"]


SPLITS = ("train", "validation")


ARRAYS: dict[str, tuple[tuple[int | str, ...], type]] = {
    "positions": (("N", FRAMES, BALLS, 2), np.float32),
    "links": (("N", BALLS, BALLS), np.uint8),
    "systems": (("N",), np.uint8),
}


@dataclass(frozen=True, slots=True)
class SpringsArrays:
    """Scenes.

    Attributes:
        positions: (N, T, B, 2) float32, x and y of each ball on a table from 0 to 1.
        links: (N, B, B) uint8, symmetric: 0 no link, 1 a spring, 2 a rod; 0 on the diagonal.
        systems: (N,) uint8, how many systems of linked balls; a ball without links is one.
    """

    positions: NDArray[np.float32]
    links: NDArray[np.uint8]
    systems: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.systems)

    def connections(self) -> NDArray[np.bool_]:
        """(N, B, B): whether two balls are linked, by whatever."""
        return self.links > NONE

    def states(self, color: Color = "number", moves: Moves = "places") -> NDArray[np.float32]:
        """State descriptions: rows of T x, T y from -1 to 1, then the color: (N, B, 33), or 35 with `rgb`.

        The paper has both: three values of the color in its text, one in its supplement. `one-hot`, a column for each
        color (42), is this project's: it spares a small network to learn which color is which. Its one is a 4, or it
        would be lost beside 32 columns of moves or more.

        Args:
            moves: `places` alone, as in the paper; or `changes` too: for x and then for y the T places, the T - 1 steps
                between them, times 10, and the T - 2 changes of those, times 30. They say nothing new, but what a
                spring does to a ball is then as large as where the ball is, and a network sees it sooner.
        """
        n = len(self)
        axes = self.positions.transpose(3, 0, 2, 1) * 2 - 1  # (2, N, B, T)
        if moves == "changes":
            axes = np.concatenate([axes, 10 * np.diff(axes), 30 * np.diff(axes, 2)], axis=-1)
        codes: dict[str, NDArray[np.float32]] = {
            "rgb": (np.array(RGB) / 255).astype(np.float32),
            "number": np.linspace(0, 1, BALLS, dtype=np.float32)[:, None],
            "one-hot": 4 * np.eye(BALLS, dtype=np.float32),
        }
        colors = np.broadcast_to(codes[color], (n, *codes[color].shape))
        return np.concatenate([axes[0], axes[1], colors], axis=-1, dtype=np.float32)


def count_systems(links: NDArray[Any]) -> int:
    """How many systems a matrix of links (B, B) has: the connected components of its graph."""
    return int(nx.number_connected_components(nx.from_numpy_array(np.asarray(links) > 0)))


def read_springs(folder: str | Path, split: str = "train") -> SpringsArrays:
    """The `train` or `validation` part of a data set that `write_springs` wrote. Needs no MuJoCo.

    Raises:
        DataError: a file is missing or damaged, or its arrays contradict each other.
        ValueError: there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"no split '{split}'; there are {', '.join(SPLITS)}")
    read_settings(Path(folder) / "settings.json")
    path = Path(folder) / f"{split}.npz"
    data = SpringsArrays(**read_arrays(path, ARRAYS))
    if not (data.links == data.links.transpose(0, 2, 1)).all() or (data.links > ROD).any():
        raise DataError(f"{path}: 'links' are symmetric and 0, 1 or 2; generate it again")
    return data
