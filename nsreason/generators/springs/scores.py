"""Scores of predicted connections and systems of mass-spring scenes (Santoro et al. 2017, section 5.5).

Legend: N scenes, B balls.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ConnectionScores:
    """Scores of predicted connections.

    Attributes:
        scenes: how many.
        all_correct: the share of scenes of which every one of the 100 entries is right: the paper's measure.
        pairs: the share of right entries off the diagonal; high even if no link is predicted: most pairs have none.
        recall: the share of links that were predicted.
        precision: the share of predicted links that exist.
    """

    scenes: int
    all_correct: float
    pairs: float
    recall: float
    precision: float

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def connection_scores(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> ConnectionScores:
    """Compare matrices of connections, (N, B, B). Shares of nothing are 0.

    Raises:
        ValueError: the shapes differ.
    """
    predicted, truth = np.asarray(predicted, bool), np.asarray(truth, bool)
    if predicted.shape != truth.shape or predicted.ndim != 3:
        raise ValueError(f"matrices of connections are (N, B, B) alike, got {predicted.shape} and {truth.shape}")
    same, both = predicted == truth, predicted & truth
    off = ~np.eye(truth.shape[1], dtype=bool)
    return ConnectionScores(
        len(truth),
        _share(same.all(axis=(1, 2)).sum(), len(truth)),
        _share(same[:, off].sum(), same[:, off].size),
        _share(both.sum(), truth.sum()),
        _share(both.sum(), predicted.sum()),
    )


def count_accuracy(predicted: NDArray[np.integer[Any]], truth: NDArray[np.integer[Any]]) -> float:
    """Compute the share of scenes whose number of systems is right.

    Raises:
        ValueError: the shapes differ.
    """
    predicted, truth = np.asarray(predicted), np.asarray(truth)
    if predicted.shape != truth.shape:
        raise ValueError(f"one number for each scene is expected, got {predicted.shape} for {truth.shape}")
    return _share((predicted == truth).sum(), truth.size)


def _share(part: Any, whole: Any) -> float:
    return float(part) / float(whole) if whole else 0.0
