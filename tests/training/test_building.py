"""Models too large for any machine are refused before memory is allocated."""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn

from nsreason.errors import RecipeError
from nsreason.models.answer_networks.config import AnswerNetworkConfig
from nsreason.training import building
from nsreason.training.building import build
from tests.support.toy_models import PartConfig, Toy, ToyConfig
from tests.support.toy_queries import network_config

NETWORK = network_config("rows")


def sized(**changes: Any) -> AnswerNetworkConfig:
    return replace(NETWORK, relation=replace(NETWORK.relation, **changes))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (sized(g=(10**30,)), "sizes are at most 1,048,576, got 1000000000000000000000000000000"),
        (sized(g=(2**40, 2**40)), "sizes are at most"),
        (sized(g=(2**20, 2**20)), r"the model takes [\d,]+ GB, this machine has"),
        (replace(NETWORK, words=tuple("ab"), question=replace(NETWORK.question, units=2**19)), "the model takes"),
        (replace(NETWORK, answers=()), "one for each of 0 answers, at least one"),
        (sized(classes=1), r"relation.classes: one for each of \d answers"),
        (replace(NETWORK, answer="links", places=4), "a class for each pair of 4 places"),
    ],
)
def test_settings_that_no_model_can_have(config: AnswerNetworkConfig, message: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RecipeError, match=message):
        build("relation-network", config)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 19  # kB


def test_measuring_draws_no_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ToyConfig(head=PartConfig(8192))
    torch.manual_seed(1)
    plain = Toy(config)
    torch.manual_seed(1)
    measured = build("tests.support.toy_models:Toy", config)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), measured.parameters(), strict=True))
    monkeypatch.setattr(building, "_memory", lambda: 1000)
    with pytest.raises(RecipeError, match="the model takes 0 GB"):
        build("tests.support.toy_models:Toy", config)


@dataclass(frozen=True)
class SeededConfig:
    seed: int = 2**40


class Seeded(nn.Module):
    Config = SeededConfig

    def __init__(self, config: SeededConfig) -> None:
        super().__init__()
        self.config = config


class Faulty(Seeded):
    def __init__(self, config: SeededConfig) -> None:
        raise AttributeError("a fault of its own")


def test_seeds_are_no_sizes_and_faults_of_ones_own_models_are_shown() -> None:
    assert build(f"{__name__}:Seeded", SeededConfig()).config.seed == 2**40
    with pytest.raises(AttributeError, match="a fault of its own"):
        build(f"{__name__}:Faulty", SeededConfig())
