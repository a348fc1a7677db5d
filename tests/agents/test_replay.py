"""Replay: the buffer keeps the last transitions, a policy is learned from it, and an episode can be taken up again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nsreason.agents.environment import Environment, repeat
from nsreason.agents.replay import ReplayBuffer, ReplayConfig, ReplaySource, Transition
from nsreason.errors import RecipeError, TrainingError
from nsreason.training.recipe import Training, parse_recipe
from nsreason.training.trainer import train
from tests.support.toy_environment import LEFT, RIGHT, STOP, VALUES, QLearner, ToyEnvironment

RECIPE = """
model = "tests.support.toy_environment:QLearner"
[training]
accelerator = "cpu"
threads = 1
epochs = 1
batch_size = 32
lr = 0.01
"""


def step(number: int) -> Transition:
    observation = np.full(2, number, np.float32)
    return Transition(observation, number % 3, number / 2, observation + 1, number % 5 == 4, np.array([True, False]))


def same(one: Transition, other: Transition) -> bool:
    arrays = all(np.array_equal(getattr(one, n), getattr(other, n)) for n in ("observation", "following", "legal"))
    return arrays and (one.action, one.reward, one.end) == (other.action, other.reward, other.end)


def test_the_buffer_keeps_the_last_transitions() -> None:
    buffer = ReplayBuffer(4)
    for number in range(7):
        buffer.add(step(number))
        assert len(buffer) == min(4, number + 1)
    assert all(any(same(buffer[place], step(n)) for place in range(4)) for n in (3, 4, 5, 6))
    with pytest.raises(IndexError):
        buffer[4]
    drawn = buffer.draw(200, np.random.default_rng(0))
    assert {t.observation[0] for t in drawn} == {3, 4, 5, 6}
    with pytest.raises(TrainingError, match=r"replay: observation was float32\[2\], now it is float32\[3\]"):
        buffer.add(replace(step(1), observation=np.zeros(3, np.float32)))


def test_a_restored_buffer_goes_on_as_the_first_one() -> None:
    for count in (1, 3, 4, 9):
        one, other = ReplayBuffer(4), ReplayBuffer(4)
        for number in range(count):
            one.add(step(number))
        other.restore(one.arrays(), one.added)
        for buffer in (one, other):
            buffer.add(step(99))
        assert len(one) == len(other) and all(same(one[i], other[i]) for i in range(len(one)))


@pytest.mark.parametrize(
    ("change", "added"),
    [
        ({}, 3),
        ({}, 0),
        ({"reward": np.zeros(1)}, 2),
        ({"reward": np.zeros(2, np.int64)}, 2),
        ({"legal": np.zeros(2, np.bool_)}, 2),
        ({"following": np.zeros((2, 3), np.float32)}, 2),
        ({"other": np.zeros(2)}, 2),
    ],
)
def test_a_damaged_buffer_is_refused(change: dict[str, Any], added: int) -> None:
    buffer = ReplayBuffer(4)
    for number in range(2):
        buffer.add(step(number))
    with pytest.raises(ValueError, match="the replay buffer is damaged"):
        ReplayBuffer(4).restore(buffer.arrays() | change, added)


def test_the_toy_is_an_environment_and_its_episodes_can_be_repeated() -> None:
    environment = ToyEnvironment()
    assert isinstance(environment, Environment)
    seed = next(s for s in range(9) if ToyEnvironment().reset(s)[0])  # that begins in state 0
    assert repeat(environment, seed, [RIGHT, LEFT, LEFT]).tolist() == [1, 0, 0]
    assert repeat(environment, seed, [RIGHT]).tolist() == [0, 1, 0]
    for actions, message in (
        ([RIGHT, STOP], "does not admit it"),
        ([RIGHT, RIGHT], "is over"),
        ([9], "does not admit"),
    ):
        with pytest.raises(TrainingError, match=f"the environment is another one: .*{message}"):
            repeat(environment, seed, actions)
    with pytest.raises(TrainingError, match="is over before it"):
        repeat(environment, seed, [STOP, RIGHT])


def test_an_illegal_action_is_refused() -> None:
    source = ReplaySource(ToyEnvironment(), lambda *_: STOP, training=Training())
    with pytest.raises(TrainingError, match="the policy chooses the action 2 of 3, which is not legal here"):
        source.act(20)
    with pytest.raises(RecipeError, match="1 <= first <= capacity"):
        ReplayConfig(capacity=5, first=6)


@pytest.mark.parametrize("seed", range(4))
def test_the_optimal_policy_is_learned(tmp_path: Path, seed: int) -> None:
    """Right everywhere, against the reward of stopping at once; and what each action is worth."""
    torch.manual_seed(seed)
    model = QLearner()
    recipe = parse_recipe(RECIPE, overrides=(f"training.seed={seed}",))
    config = ReplayConfig(capacity=500, first=60, each=2, steps=500)
    source = ReplaySource(ToyEnvironment(), model.act, config, training=recipe.training)
    train(model, source, None, recipe, tmp_path)  # type: ignore[arg-type]
    environment = ToyEnvironment()
    values = {}
    for state in (0, 1):
        environment.state = state
        observation, legal = np.eye(3, dtype=np.float32)[state], environment.legal_actions()
        assert model.greedy(observation, legal) == RIGHT
        with torch.no_grad():
            worth = model.network(torch.from_numpy(observation)).tolist()
        values |= {(state, action): worth[action] for action in np.flatnonzero(legal).tolist()}
    assert values == pytest.approx(VALUES, abs=0.1)
    assert float(model.explore) == pytest.approx(0.5 * 0.999**500, rel=1e-4)
