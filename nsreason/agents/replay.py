"""Replay: transitions are kept in a buffer, and a training run draws its batches from them.

    source = ReplaySource(environment, policy, ReplayConfig(capacity=10_000, first=500))
    train(model, source, None, recipe, "runs/agent")

Before each step of the optimizer the policy acts for some steps in the environment, then batches are drawn from the
buffer at random. All of it follows from the recipe's seed: a resumed run acts and draws as one that was not stopped.

C transitions that the buffer has room for, A actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RecipeError, TrainingError
from ..training.settings import Training
from ..training.source import SourceState
from .environment import Environment, Legal, Observation, repeat

Policy = Callable[[Observation, Legal, np.random.Generator], int]
"""Chooses a legal action; whatever it draws at random, it draws from the generator."""


@dataclass(frozen=True)
class ReplayConfig:
    """How much is experienced and kept."""

    capacity: int = 10_000
    """Transitions that are kept; then the oldest are replaced."""
    first: int = 100
    """Transitions before the first step of the optimizer."""
    each: int = 1
    """Transitions before each further step."""
    steps: int = 1000
    """Steps of the optimizer that count as an epoch."""

    def __post_init__(self) -> None:
        if not (1 <= self.first <= self.capacity and self.each >= 0 and self.steps >= 1):
            raise RecipeError(f"replay: 1 <= first <= capacity, each >= 0, steps >= 1, got {asdict(self)}")


@dataclass(frozen=True, slots=True)
class Transition:
    """One action and what it led to."""

    observation: Observation
    action: int
    reward: float
    following: Observation
    """The observation after it."""
    end: bool
    """Whether the episode was over then."""
    legal: Legal
    """(A,) the legal actions after it; none where the episode was over."""


class ReplayBuffer:
    """The last transitions, as arrays that are allocated with the first one."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._arrays: dict[str, NDArray[Any]] = {}  # each (C, ...), by the name of a field of Transition
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    def add(self, transition: Transition) -> None:
        """Keep a transition, in place of the oldest one where the buffer is full.

        Raises:
            TrainingError: an observation is of another shape or type than those before, or there are other actions.
        """
        values = {name: np.asarray(getattr(transition, name)) for name in _FIELDS}
        if not self._arrays:
            self._arrays = {k: np.zeros((self.capacity, *v.shape), v.dtype) for k, v in values.items()}
        for name, value in values.items():
            array = self._arrays[name]
            if (value.dtype, value.shape) != (array.dtype, array.shape[1:]):
                expected = f"{array.dtype}{list(array.shape[1:])}"
                raise TrainingError(f"replay: {name} was {expected}, now it is {value.dtype}{list(value.shape)}")
            array[self._added % self.capacity] = value
        self._added += 1

    def __getitem__(self, place: int) -> Transition:
        """Return a transition by its place in memory, of memory of its own."""
        if not 0 <= place < len(self):
            raise IndexError(place)
        a = {name: array[place] for name, array in self._arrays.items()}
        return Transition(
            a["observation"].copy(),
            int(a["action"]),
            float(a["reward"]),
            a["following"].copy(),
            bool(a["end"]),
            a["legal"].copy(),
        )

    def draw(self, size: int, random: np.random.Generator) -> list[Transition]:
        """Draw transitions at random; one may come up several times."""
        return [self[place] for place in random.integers(len(self), size=size).tolist()]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Copy what is kept, by the name of the field, in the order in memory."""
        return {name: array[: len(self)].copy() for name, array in self._arrays.items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]], added: int) -> None:
        """Take over what `arrays` returned, after `added` transitions in all.

        Raises:
            ValueError: they do not belong together.
        """
        count = min(added, self.capacity)
        if set(arrays) != set(_FIELDS) or {len(array) for array in arrays.values()} != {count} or not count:
            raise ValueError(f"the replay buffer is damaged: {count} transitions expected")
        rank = {"action": "iu", "reward": "f", "end": "b", "legal": "b"}
        for name, kinds in rank.items():
            if arrays[name].dtype.kind not in kinds or arrays[name].ndim != 1 + (name == "legal"):
                raise ValueError(f"the replay buffer is damaged: {name} is {arrays[name].dtype}")
        one, other = arrays["observation"], arrays["following"]
        if (one.dtype, one.shape) != (other.dtype, other.shape):
            raise ValueError("the replay buffer is damaged: observations differ in shape or type")
        self._arrays = {k: np.zeros((self.capacity, *v.shape[1:]), v.dtype) for k, v in arrays.items()}
        for name, array in arrays.items():
            self._arrays[name][:count] = array
        self._added = added

    @property
    def added(self) -> int:
        """How many transitions were added in all."""
        return self._added


_FIELDS = ("observation", "action", "reward", "following", "end", "legal")


class ReplaySource:
    """A `training.source.Source` of transitions that a policy experiences meanwhile.

    An update is drawn after the steps before it are done, since the policy acts by what the model has learned. The
    state for checkpoints has the buffer, the generator of random numbers, and the seed and actions of the episode at
    hand, which a resumed run repeats.
    """

    examples = 0
    ahead = False

    def __init__(
        self, environment: Environment, policy: Policy, config: ReplayConfig | None = None, *, training: Training
    ) -> None:
        """
        Args:
            policy: chooses actions, usually a method of the model that is trained.
            training: of the recipe of the run, whose seed, batch size and accumulated batches count here.
        """
        self.environment, self.policy, self.config = environment, policy, config or ReplayConfig()
        self.buffer = ReplayBuffer(self.config.capacity)
        self._batch_size, self._accumulate = training.batch_size, training.accumulate
        self._random = np.random.default_rng([training.seed, 0x5EED])
        self._seed = 0
        self._actions: list[int] = []
        self._observation: Observation | None = None  # None between episodes

    def steps(self, epoch: int) -> int:
        """Count the steps of an epoch."""
        return self.config.steps

    def updates(self, epoch: int, done: int) -> Iterator[list[Sequence[Transition]]]:
        """Act, then draw the batches of a step; for each step of an epoch after the first `done`."""
        for _ in range(done, self.config.steps):
            self.act(self.config.each if len(self.buffer) else self.config.first)
            yield [self.buffer.draw(self._batch_size, self._random) for _ in range(self._accumulate)]

    def act(self, steps: int) -> None:
        """Let the policy act for some steps, through the ends of episodes, and keep the transitions.

        Raises:
            TrainingError: the policy chooses an action that is not legal.
        """
        for _ in range(steps):
            if self._observation is None:
                self._seed, self._actions = int(self._random.integers(1 << 31)), []
                self._observation = np.asarray(self.environment.reset(self._seed))
            legal = self.environment.legal_actions()
            action = int(self.policy(self._observation, legal, self._random))
            if not 0 <= action < len(legal) or not legal[action]:
                raise TrainingError(f"the policy chooses the action {action} of {len(legal)}, which is not legal here")
            following, reward, end = self.environment.step(action)
            after = np.zeros(len(legal), np.bool_) if end else self.environment.legal_actions()
            before, following = self._observation, np.asarray(following)
            self.buffer.add(Transition(before, action, float(reward), following, bool(end), after))
            self._actions.append(action)
            self._observation = None if end else following

    def state(self) -> SourceState:
        """Return the buffer, the random numbers and the episode at hand."""
        bits = self._random.bit_generator.state
        record = {
            "config": asdict(self.config),
            "added": self.buffer.added,
            "random": {k: str(bits["state"][k]) for k in ("state", "inc")},  # of 128 bits
            "half": [bits["has_uint32"], bits["uinteger"]],
            "seed": self._seed,
            "actions": None if self._observation is None else list(self._actions),
        }
        return SourceState(record, self.buffer.arrays())

    def restore(self, state: SourceState) -> None:
        """Go on from a state.

        Raises:
            TrainingError: it is of other settings or of another environment.
            ValueError, TypeError, KeyError: it is damaged, or of another kind of source.
        """
        record = state.record
        if record["config"] != asdict(self.config):
            raise TrainingError(f"the run began with other settings of replay: {record['config']}")
        actions = record["actions"]
        if not (
            isinstance(record["added"], int) and all(isinstance(n, int) for n in (record["seed"], *(actions or ())))
        ):
            raise ValueError("the episode at hand is damaged: its seed and actions are whole numbers")
        bits = dict(self._random.bit_generator.state)
        bits["state"] = {k: int(record["random"][k]) for k in ("state", "inc")}
        bits["has_uint32"], bits["uinteger"] = record["half"]
        try:
            self._random.bit_generator.state = bits
        except OverflowError as error:
            raise ValueError(f"its random numbers are damaged: {error}") from None
        self.buffer.restore(state.arrays, record["added"])
        self._seed, self._actions, self._observation = record["seed"], list(actions or ()), None
        if actions is not None:
            self._observation = np.asarray(repeat(self.environment, self._seed, self._actions))
