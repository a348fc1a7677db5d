"""What an agent acts in: a protocol of three methods. Importing this module loads no torch.

observation = environment.reset(seed=7)
while not end:
    action = choose(observation, environment.legal_actions())
    observation, reward, end = environment.step(action)
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..errors import TrainingError

Observation = NDArray[Any]
Legal = NDArray[np.bool_]
"""(A,) which of A actions may be taken."""


class Step(NamedTuple):
    """What an action led to."""

    observation: Observation
    reward: float
    end: bool
    """Whether the episode is over: no action can be taken, and nothing is gained any more."""


@runtime_checkable
class Environment(Protocol):
    """Episodes of actions and rewards.

    An episode follows from the seed of its `reset` and the actions alone, so that it can be repeated. Observations have
    one shape and type; there are as many actions in every state, some of which may not be legal.
    """

    def reset(self, seed: int, /) -> Observation:
        """Begin an episode; whatever is drawn at random in it is drawn from this seed."""

    def step(self, action: int, /) -> Step:
        """Take a legal action."""

    def legal_actions(self) -> Legal:
        """Say which actions may be taken next, (A,); at least one until the episode is over."""


def repeat(environment: Environment, seed: int, actions: list[int]) -> Observation:
    """Bring an environment where an episode of this seed and these actions stands.

    Raises:
        TrainingError: the episode is over before, or an action is not legal: the environment is another one.
    """
    observation, end = environment.reset(seed), False
    for number, action in enumerate(actions, start=1):
        legal = environment.legal_actions()
        if end or not 0 <= action < len(legal) or not legal[action]:
            fault = "is over before it" if end else "does not admit it"
            raise TrainingError(f"the environment is another one: action {number} of the episode, {action}: it {fault}")
        observation, _, end = environment.step(action)
    if end:
        raise TrainingError("the environment is another one: the episode at hand is over")
    return observation
