"""An environment of three states in a row, and a model that learns what its actions are worth.

    state 0 --right--> state 1 --right--> state 2, the end, worth 1

`left` leads back, `stop` ends the episode with 0.2 at once and is not legal in state 1. An episode begins in state 0 or
1, by its seed. With a discount of 0.9 the optimal policy goes right everywhere: in state 0 that is worth 0.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nsreason.agents.environment import Legal, Observation, Step
from nsreason.agents.replay import Transition
from nsreason.training.model import LossOut

LEFT, RIGHT, STOP = range(3)
DISCOUNT = 0.9
VALUES = {(0, LEFT): 0.81, (0, RIGHT): 0.9, (0, STOP): 0.2, (1, LEFT): 0.81, (1, RIGHT): 1.0}
"""What each legal action is worth under the optimal policy."""


class ToyEnvironment:
    """See above; observations are one-hot."""

    def __init__(self) -> None:
        self.state = 0

    def reset(self, seed: int) -> Observation:
        self.state = int(np.random.default_rng(seed).integers(2))
        return self._seen()

    def step(self, action: int) -> Step:
        assert self.legal_actions()[action]
        if action == STOP:
            return Step(self._seen(), 0.2, True)
        self.state = max(0, self.state - 1) if action == LEFT else self.state + 1
        return Step(self._seen(), float(self.state == 2), self.state == 2)

    def legal_actions(self) -> Legal:
        return np.array([True, True, self.state == 0])

    def _seen(self) -> Observation:
        return np.eye(3, dtype=np.float32)[self.state]


@dataclass(frozen=True)
class QConfig:
    width: int = 16
    explore: float = 0.5
    every: int = 20


@dataclass(frozen=True)
class QBatch:
    now: Tensor  # (B, 3)
    action: Tensor  # (B,)
    reward: Tensor  # (B,)
    following: Tensor  # (B, 3)
    goes_on: Tensor  # (B,)
    legal: Tensor  # (B, 3)


class QLearner(nn.Module):
    """Q-learning with a target network, which `after_step` moves, and a share of random actions, which it lowers."""

    Config = QConfig

    def __init__(self, config: QConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or QConfig()
        self.network, self.target = (
            nn.Sequential(nn.Linear(3, config.width), nn.Tanh(), nn.Linear(config.width, 3)) for _ in range(2)
        )
        self.target.load_state_dict(self.network.state_dict())
        self.target.requires_grad_(False)
        self.explore: Tensor
        self.register_buffer("explore", torch.tensor(config.explore))

    def collate(self, examples: Sequence[Transition]) -> QBatch:
        def stacked(values: Sequence[Any]) -> Tensor:
            return torch.from_numpy(np.stack(values))

        return QBatch(
            stacked([e.observation for e in examples]),
            torch.tensor([e.action for e in examples]),
            torch.tensor([e.reward for e in examples]),
            stacked([e.following for e in examples]),
            torch.tensor([not e.end for e in examples]),
            stacked([e.legal for e in examples]),
        )

    def loss(self, batch: QBatch) -> LossOut:
        values = self.network(batch.now).gather(1, batch.action[:, None])[:, 0]
        best = self.target(batch.following).masked_fill(~batch.legal, -torch.inf).amax(1)
        goal = batch.reward + DISCOUNT * torch.where(batch.goes_on, best, torch.zeros_like(best))
        return LossOut((values - goal).square().mean(), len(values))

    def after_step(self, step: int) -> None:
        self.explore.mul_(0.999)
        if step % self.config.every == 0:
            self.target.load_state_dict(self.network.state_dict())

    @torch.no_grad()
    def predict(self, batch: QBatch) -> list[int]:
        best: list[int] = self.network(batch.now).argmax(1).tolist()
        return best

    @torch.no_grad()
    def act(self, observation: Observation, legal: Legal, random: np.random.Generator) -> int:
        """Choose an action: now and then any legal one, else the one that is worth most."""
        if random.random() < float(self.explore):
            return int(random.choice(np.flatnonzero(legal)))
        return self.greedy(observation, legal)

    def greedy(self, observation: Observation, legal: Legal) -> int:
        """Choose the legal action that is worth most."""
        values = self.network(torch.from_numpy(observation)).masked_fill(~torch.from_numpy(legal), -torch.inf)
        return int(values.argmax())
