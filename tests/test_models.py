"""One contract for every model of the table, as the training loop, checkpoints and reasoners need it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from lightning_fabric.utilities import move_data_to_device
from torch import Tensor, nn

from nsreason.dsl.domain import load_domain
from nsreason.errors import DataError
from nsreason.models.answer_networks.config import AnswerNetworkConfig, config_from_data
from nsreason.models.nscl.data import ConceptData, load_concept_data
from nsreason.models.nscl.learner import ConceptLearnerConfig
from nsreason.perception.detector.config import DetectorConfig
from nsreason.perception.features.concept_embeddings import ConceptConfig
from nsreason.perception.features.regions import RegionConfig
from nsreason.perception.features.state_descriptions import StateConfig
from nsreason.perception.scene_parser.config import SceneParserConfig
from nsreason.perception.scene_parser.data import load_parser_data
from nsreason.queries.query import Reply
from nsreason.registry import MODELS
from nsreason.training.checkpoint import load_model, save_checkpoint
from nsreason.training.model import model_class
from nsreason.training.recipe import bundled_recipes, config_class, load_recipe, new_model
from tests.support.painted_images import write_painted
from tests.support.toy_images import TINY as TINY_DETECTOR
from tests.support.toy_images import examples as detection_examples
from tests.support.toy_queries import network_config, queries
from tests.support.toy_query_model import MeanRows, MeanRowsConfig


@dataclass(frozen=True)
class Given:
    """A model's settings, small ones, and a few examples."""

    config: Any
    examples: Sequence[Any]


def _network(_folder: Path) -> Given:
    return Given(network_config("rows"), queries("rows", 6))


def _concepts(folder: Path) -> Given:
    write_painted(folder, scenes=6)
    state = StateConfig(width=16, pairs=8, hidden=8)
    config = ConceptLearnerConfig(state=state, concepts=ConceptConfig(space=8))
    data = load_concept_data(folder, load_domain("clevr"), state, ConceptData(held_out=0.0))
    return Given(config, data.train[:6])


def _detector(folder: Path) -> Given:
    return Given(TINY_DETECTOR, detection_examples(folder, 3))


def _parser(folder: Path) -> Given:
    write_painted(folder, scenes=4)
    config = SceneParserConfig(side=24, width=8, hidden=16)
    return Given(config, load_parser_data(folder, config).train[:3])


EXAMPLES: dict[str, Callable[[Path], Given]] = {
    "cnn-lstm": _network,
    "cnn-lstm-sa": _network,
    "cnn-mlp": _network,
    "concept-learner": _concepts,
    "detector": _detector,
    "lstm": _network,
    "mlp": _network,
    "question-type": _network,
    "relation-network": _network,
    "scene-parser": _parser,
}
"""Of each model, what makes its settings and examples in a folder. A new model gets a line here."""


def _mean_rows(_folder: Path) -> Given:
    asked = queries("rows", 6)
    return Given(MeanRows.config_from_data(MeanRowsConfig(), asked), asked)


TOYS: dict[str, Callable[[Path], Given]] = {"tests.support.toy_query_model:MeanRows": _mean_rows}
NAMES = [*MODELS, *TOYS]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Given]:
    cases: dict[Callable[[Path], Given], Given] = {}

    def find(name: str) -> Given:
        if name not in (known := EXAMPLES | TOYS):
            pytest.fail(f"the model '{name}' of MODELS has no line in EXAMPLES of {Path(__file__).name}")
        maker = known[name]
        if maker not in cases:
            cases[maker] = maker(tmp_path_factory.mktemp(maker.__name__))
        return cases[maker]

    return find


def build(name: str, case: Given, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return model_class(name)(case.config)


def plain(value: Any) -> Any:
    """Predictions of any kind as lists and scalars, to be compared."""
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def random_numbers() -> tuple[Any, ...]:
    return (torch.get_rng_state().tolist(), random.getstate(), plain(np.random.get_state()))


def test_every_model_has_examples_and_every_line_a_model() -> None:
    assert sorted(EXAMPLES) == sorted(MODELS)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_a_frozen_dataclass_that_the_class_names(name: str, given: Callable[[str], Given]) -> None:
    case = given(name)
    kind = config_class(name)
    assert type(case.config) is kind and kind.__dataclass_params__.frozen
    model = build(name, case)
    assert isinstance(model, nn.Module) and model.config == case.config
    assert any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_batches_move_and_draw_no_random_numbers(name: str, given: Callable[[str], Given]) -> None:
    case = given(name)
    model = build(name, case).train()
    before = random_numbers()
    batch = model.collate(case.examples)
    assert random_numbers() == before
    moved = batch.to(torch.device("cpu")) if hasattr(batch, "to") else move_data_to_device(batch, "cpu")
    assert type(moved) is type(batch)
    model.eval()
    with torch.no_grad():
        assert torch.equal(model.loss(moved).loss, model.loss(batch).loss)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_is_a_scalar_over_all_examples_with_gradients(name: str, given: Callable[[str], Given]) -> None:
    case = given(name)
    model = build(name, case).train()
    out = model.loss(model.collate(case.examples))
    assert out.loss.shape == () and torch.isfinite(out.loss) and out.count == len(case.examples)
    out.loss.backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads and all(grad.isfinite().all() for grad in grads)
    for metric in out.metrics.values():
        total, number = metric if isinstance(metric, tuple) else (metric, out.count)
        assert np.isfinite(float(total)) and float(number) >= 0


@pytest.mark.parametrize("name", NAMES)
def test_in_evaluation_nothing_changes_and_nothing_is_drawn(name: str, given: Callable[[str], Given]) -> None:
    case = given(name)
    model = build(name, case).eval()
    batch = model.collate(case.examples)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    before = random_numbers()
    with torch.no_grad():
        first, second = model.loss(batch), model.loss(batch)
    assert torch.equal(first.loss, second.loss) and plain(dict(first.metrics)) == plain(dict(second.metrics))
    assert plain(model.predict(batch)) == plain(model.predict(batch))
    assert random_numbers() == before
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", NAMES)
def test_each_example_gets_a_prediction(name: str, given: Callable[[str], Given]) -> None:
    case = given(name)
    model = build(name, case).eval()
    for examples in (case.examples, case.examples[:1]):
        assert len(model.predict(model.collate(examples))) == len(examples)


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_answers_as_the_model(name: str, given: Callable[[str], Given], tmp_path: Path) -> None:
    case = given(name)
    model = build(name, case).train()
    model.loss(model.collate(case.examples))  # what learns by counting has counted, norms have seen something
    path = save_checkpoint(tmp_path, "last", model_name=name, model=model.eval(), step=1)
    torch.manual_seed(99)
    again = load_model(path, name)
    assert type(again) is type(model) and again.config == model.config and not again.training
    one, other = model.state_dict(), again.state_dict()
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    batch = model.collate(case.examples)
    assert plain(again.predict(again.collate(case.examples))) == plain(model.predict(batch))


# --- data ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_class_names_its_data(name: str) -> None:
    """As a frozen dataclass of a recipe's `[data]`, which loads examples by the model's settings."""
    data = model_class(name).Data
    assert is_dataclass(data) and data.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert list(signature(data.load).parameters) == ["self", "config", "folder"]


OF_QUERIES = [name for name in NAMES if hasattr(model_class(name), "config_from_data")]


@pytest.mark.parametrize("name", OF_QUERIES)
def test_settings_are_completed_by_queries_once_and_for_all(name: str, given: Callable[[str], Given]) -> None:
    cls, case = model_class(name), given(name)
    config = cls.config_from_data(case.config, case.examples)
    assert cls.config_from_data(config, case.examples) == config and type(config) is cls.Config
    assert cls(config).config == config  # the model can be built
    unanswered = [replace(query, answer=None) for query in case.examples]
    with pytest.raises(DataError):
        cls.config_from_data(case.config, unanswered)


@pytest.mark.parametrize("name", OF_QUERIES)
def test_a_model_of_queries_reads_its_inputs_and_no_others(name: str, given: Callable[[str], Given]) -> None:
    case = given(name)
    model = build(name, case).eval()
    assert isinstance(model.inputs, frozenset) and all(isinstance(kind, str) for kind in model.inputs)
    own = [replace(q, inputs={k: q.inputs[k] for k in model.inputs}) for q in case.examples]
    more = [replace(q, inputs={**q.inputs, "none of its own": object()}) for q in case.examples]
    expected = plain(model.predict(model.collate(case.examples)))
    assert all(isinstance(reply, Reply) for reply in model.predict(model.collate(own)))
    assert plain(model.predict(model.collate(own))) == plain(model.predict(model.collate(more))) == expected
    for kind in model.inputs:
        lacking = [replace(q, inputs={k: v for k, v in q.inputs.items() if k != kind}) for q in case.examples]
        with pytest.raises(DataError, match=f"has no '{kind}'"):
            model.collate(lacking)


# --- what not every processor computes -------------------------------------------------------------------------


def recurrent(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, nn.RNNBase | nn.RNNCellBase)]


@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_trains_every_model_and_spares_recurrent_layers(
    name: str, given: Callable[[str], Given]
) -> None:
    """Processors without bfloat16 have no recurrent layers in it."""
    case = given(name)
    model = build(name, case).train()
    called = []

    def exact(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        called.append(inputs[0].dtype)
        assert not torch.is_autocast_enabled("cpu")

    for layer in recurrent(model):
        layer.register_forward_pre_hook(exact)
    with torch.autocast("cpu", torch.bfloat16):
        out = model.loss(model.collate(case.examples))
    out.loss.backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert out.loss.isfinite() and grads and all(g.isfinite().all() for g in grads)
    assert set(called) <= {torch.float32}
    assert len(called) == len(recurrent(model)) or name in ("cnn-mlp", "mlp", "question-type")


def unsound(model: nn.Module) -> list[str]:
    """1x1 convolutions with a stride and fewer channels than a vector register has numbers (16 of AVX-512, 8 of AVX2),
    whose gradient torch writes out of bounds."""
    convolutions = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    return [n for n, m in convolutions if set(m.kernel_size) == {1} and max(m.stride) > 1 and m.in_channels < 16]


@pytest.mark.parametrize("name", MODELS)
def test_no_model_has_a_convolution_whose_gradient_is_not_sound(name: str, given: Callable[[str], Given]) -> None:
    assert unsound(build(name, given(name))) == []
    with torch.device("meta"):
        for config in defaults(config_class(name)()):
            assert unsound(model_class(name)(config)) == []


def defaults(config: Any) -> list[Any]:
    """The default settings, with each of the networks that images go through."""
    if isinstance(config, ConceptLearnerConfig):
        kinds = get_args(get_type_hints(RegionConfig)["preset"])
        images = [replace(config, features="regions", regions=replace(config.regions, preset=k)) for k in kinds]
        return [config, *images]
    if isinstance(config, DetectorConfig):
        return [replace(config, preset=preset) for preset in get_args(get_type_hints(DetectorConfig)["preset"])]
    if isinstance(config, AnswerNetworkConfig):
        kinds = get_args(get_type_hints(AnswerNetworkConfig)["input"])
        return [config_from_data(replace(config, input=kind), queries_of(config)) for kind in kinds]
    return [config]


def test_the_walk_finds_such_a_convolution() -> None:
    class Narrow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.by = nn.Sequential(nn.Conv2d(15, 8, 1, 2))
            self.sound = nn.ModuleList([nn.Conv2d(16, 8, 1, 2), nn.Conv2d(7, 8, 3, 2), nn.Conv2d(7, 8, 1)])

    assert unsound(Narrow()) == ["by.0"]


# --- recipes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", bundled_recipes())
def test_the_model_of_a_bundled_recipe_is_built(name: str) -> None:
    """On a device that computes nothing, where the model's size would cost."""
    recipe = load_recipe(name)
    config = recipe.model_config
    if isinstance(config, AnswerNetworkConfig):
        config = config_from_data(config, queries_of(config))
        recipe = replace(recipe, model_config=config)
    if name.endswith(("cpu", "quick", "small", "state")) and name != "rn-clevr-state":
        model = new_model(recipe)
    else:
        with torch.device("meta"):
            model = model_class(recipe.model)(config)
    assert isinstance(model, nn.Module) and model.config == config


def queries_of(config: AnswerNetworkConfig) -> list[Any]:
    """Queries as the recipe's task has them, as far as settings depend on them."""
    from nsreason.queries.query import Query

    features = 13 if config.asks != "nothing" else 100 if config.permute_columns else 33  # of springs, the last two
    seen = {"rows": np.zeros((10, features), np.float32), "sentences": ("a b",), "bits": np.zeros(11), "image": None}
    return [Query(0, "what ?", "0-1" if config.answer == "links" else "1", "type", seen)]


def layers(*widths: int) -> int:
    return sum((a + 1) * b for a, b in pairwise(widths))


# What the paper says of widths, written out: g and f, the width of a pair's features and the question first.
PAPER = {
    "rn-clevr-pixels": layers(2 * 26 + 128, 256, 256, 256, 256) + layers(256, 256, 256, 29),
    "rn-clevr-state": layers(2 * 13 + 256, 512, 512, 512, 512) + layers(512, 512, 1024, 29),
    "rn-sort-of-clevr": layers(2 * 258 + 11, 2000, 2000, 2000, 2000) + layers(2000, 2000, 1000, 500, 100, 10),
    "rn-babi": layers(2 * 52 + 32, 256, 256, 256, 256) + layers(256, 256, 512, 159),
    "rn-springs-connections": layers(66, 1000, 1000, 1000, 500) + layers(500, 500, 100, 100),
    "rn-springs-systems": layers(66, 1000, 1000, 1000, 500) + layers(500, 500, 100, 10),
}
RATES = {"rn-clevr-pixels": 2.5e-4, "rn-babi": 2e-4}
BATCHES = {"clevr": 640, "sort-of-clevr": 64, "babi": 32, "springs": 50}


@pytest.mark.parametrize("name", PAPER)
def test_recipes_of_the_paper_have_its_sizes_and_rates(name: str) -> None:
    recipe = load_recipe(name)
    training = recipe.training
    assert (training.optimizer, training.lr) == ("adam", RATES.get(name, 1e-4))
    assert training.batch_size == BATCHES[recipe.data["task"]]
    with torch.device("meta"):
        model = model_class(recipe.model)(config_from_data(recipe.model_config, queries_of(recipe.model_config)))
    assert sum(p.numel() for p in model.head.parameters()) == PAPER[name]
    words = len(model.vocabulary)
    if model.question is not None:
        units = model.question.config.units
        assert sum(p.numel() for p in model.question.parameters()) == words * 32 + 4 * units * (32 + units + 2)
    if model.config.input == "image":
        channels = (3, *model.config.grid.channels)
        convolved = sum(9 * a * b + 2 * b for a, b in pairwise(channels))
        assert sum(p.numel() for p in model.objects.parameters()) == convolved
