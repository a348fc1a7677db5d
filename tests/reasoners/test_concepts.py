"""Reasoners that learn: budgets, resuming, and the choice of weights by validation."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nsreason.data.splits import Split
from nsreason.errors import CheckpointError, DataError, ExecutionError, RecipeError, TrainingError
from nsreason.generators import write_dataset
from nsreason.programs.text_reader import parse_program
from nsreason.queries.image import QueryImage
from nsreason.queries.query import Query, Reply, accuracy
from nsreason.reasoners import fit
from nsreason.reasoners.concepts import ConceptReasoner, Concepts, Descriptions
from nsreason.reasoners.fit import learn, seconds_per_example, within_budget
from nsreason.reasoners.networks import Network, NetworkReasoner
from nsreason.reasoners.reasoner import FitRequest
from nsreason.scenes.scene import Scene
from nsreason.tasks.clevr import Clevr
from nsreason.training.budget import Budget
from nsreason.training.checkpoint import load_checkpoint
from nsreason.training.curriculum import Curriculum
from nsreason.training.curriculum import Lesson as Step
from nsreason.training.recipe import load_recipe, new_model
from nsreason.training.sampling import EpochPlan
from tests.support.toy_models import examples as points
from tests.support.toy_recipes import toy

NETWORK = """
model = "relation-network"
[model_config]
input = "rows"
asks = "words"
[model_config.question]
units = 16
embedding = 8
[model_config.relation]
g = [24]
f = [24]
dropout = 0.0
classes = 1
[training]
batch_size = 32
lr = 3e-3
threads = 1
"""
CONCEPTS = """
model = "concept-learner"
[model_config.state]
noise = 0.02
width = 24
pairs = 16
hidden = 16
[model_config.concepts]
space = 16
[training]
epochs = 20
batch_size = 80
lr = 2e-2
threads = 1
[curriculum]
preset = "nscl-release"
"""


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("learned")
    write_dataset(place, scenes=60, questions_per_scene=8, seed=5, objects=(3, 5))
    for name, text in (("network", NETWORK), ("concepts", CONCEPTS)):
        (place / f"{name}.toml").write_text(text)
    return place


@pytest.fixture(scope="module")
def split(folder: Path) -> Split[list[Query]]:
    return Clevr(test=0.2, valid=0.1).load(folder)


def request(folder: Path, split: Split[list[Query]], own: Path, recipe: str = "network", **changed: Any) -> FitRequest:
    fit_request = FitRequest(
        "clevr", split.train, split.valid, own, Budget(examples=800), recipe=str(folder / f"{recipe}.toml")
    )
    return replace(fit_request, **changed)


def same(a: list[Reply], b: list[Reply]) -> bool:
    return [(r.answer, r.scores) for r in a] == [(r.answer, r.scores) for r in b]


# --- what a budget allows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("examples", "data", "epochs", "kept"),
    [
        (1000, 100, 10, None),
        (1040, 100, 10, None),
        (190, 100, 2, 95),  # twice 95 rather than once 100
        (140, 100, 1, None),
        (60, 100, 1, 60),
        (1, 100, 1, 1),
        (50, 3, 17, 2),
    ],
)
def test_a_number_of_examples(examples: int, data: int, epochs: int, kept: int | None) -> None:
    training = within_budget(toy(), Budget(examples=examples), points(data)).training
    assert (training.epochs, training.max_examples, training.seconds) == (epochs, kept, None)
    assert epochs * (kept or data) <= examples


def test_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget of time plans the epochs and ends the run when it is spent."""
    monkeypatch.setattr(fit, "seconds_per_example", lambda *_: 0.01)
    training = within_budget(toy(), Budget(seconds=100), points(100)).training
    assert (training.epochs, training.seconds, training.max_examples) == (86, 100, 99)
    training = within_budget(toy(), Budget(seconds=0.001), points(100)).training
    assert (training.epochs, training.max_examples) == (1, 8)  # a batch takes as long as its part
    training = within_budget(toy(), Budget(seconds=0.001), points(3)).training
    assert (training.epochs, training.max_examples) == (1, None)


@pytest.mark.parametrize(("valid", "every"), [(0, 0), (5, 5), (100, 5), (1000, 34), (10_000, 100), (10**6, 100)])
def test_validation_takes_a_tenth_of_the_learning(valid: int, every: int) -> None:
    training = within_budget(toy(), Budget(examples=10_000), points(100), valid).training
    assert (training.epochs, training.validate_every) == (100, every)


def test_a_recipe_that_takes_fewer_examples_has_more_epochs() -> None:
    training = within_budget(toy("training.max_examples=20"), Budget(examples=200), points(100)).training
    assert (training.epochs, training.max_examples) == (10, 20)


def test_networks_that_count_pass_once(split: Split[list[Query]], folder: Path, tmp_path: Path) -> None:
    for seconds in (None, 60.0):
        budget = Budget(examples=10_000) if seconds is None else Budget(seconds=seconds)
        own = tmp_path / str(seconds)
        reasoner = Network.build("question-type", request(folder, split, own, budget=budget))
        assert isinstance(reasoner, NetworkReasoner) and reasoner.learned is not None
        assert (reasoner.learned.result.epochs, reasoner.learned.examples) == (1, len(split.train))
    few = Network.build("question-type", request(folder, split, tmp_path / "few", budget=Budget(examples=40)))
    assert isinstance(few, NetworkReasoner) and few.learned is not None and few.learned.examples == 40
    counts = few.model.head.counts  # type: ignore[union-attr]
    assert int(counts.sum()) == 40


def test_lessons_that_admit_nothing_are_left_out() -> None:
    curriculum = Curriculum((Step(1, max_objects=1), Step(3, max_objects=3), Step(7, max_objects=2), Step(9)))
    recipe = replace(toy(), curriculum=curriculum)
    admitted = within_budget(recipe, Budget(examples=2000), points(100)).curriculum
    assert admitted is not None and [s.max_objects for s in admitted.lessons] == [3, None]
    assert admitted.lessons[0].from_epoch == 1 and admitted.lessons[1].from_epoch > 17  # of 20 epochs, were none short
    none = replace(toy(), curriculum=Curriculum((Step(1, max_objects=1),)))
    assert within_budget(none, Budget(examples=2000), points(100)).curriculum is None
    silent = replace(toy(), curriculum=Curriculum((Step(1, max_nodes=4),)))
    with pytest.raises(TrainingError, match="do not say how hard they are"):
        within_budget(silent, Budget(examples=2000), ["no example"])


# --- how long an example takes --------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
def test_timing_leaves_everything_as_it_was(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nsreason.training.devices.native_bf16", lambda kind: True)
    data = points(50)
    before = list(data)
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    threads = torch.get_num_threads()
    each = seconds_per_example(toy(f"training.precision={precision}", "training.threads=2"), data)
    assert 1e-6 < each < 0.1
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected
    assert torch.get_num_threads() == threads and data == before and not list(tmp_path.iterdir())
    output = capfd.readouterr()
    assert (output.out, output.err) == ("", "")


def test_the_time_is_that_of_training(split: Split[list[Query]], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are those of training: the questions of a scene stand together."""
    batches: list[tuple[int, int]] = []
    recipe = load_recipe(folder / "concepts.toml")
    seen = Descriptions(recipe.model_config)
    data = seen.examples(split.train)
    cls = type(new_model(recipe))
    collate = cls.collate

    def watched(self: Any, examples: Any) -> Any:
        batch = collate(self, examples)
        batches.append((len(batch), len(batch.present)))
        return batch

    monkeypatch.setattr(cls, "collate", watched)
    assert seconds_per_example(recipe, data) > 0
    questions, scenes = batches[0]
    assert questions == 80 and scenes <= 80 / 8 + 2
    assert max(n for n, _ in batches) == 80


@pytest.mark.parametrize("number", [1, 3, 8, 9])
def test_timing_of_few_examples(number: int) -> None:
    assert 0 < seconds_per_example(toy(), points(number)) < 1


def test_timing_ends_in_time() -> None:
    assert 0 < seconds_per_example(toy(), points(100), 1e-9) < 1


# --- learning -------------------------------------------------------------------------------------------------


def test_a_lesson_that_is_learned_is_not_learned_again(split: Split[list[Query]], folder: Path, tmp_path: Path) -> None:
    steps: list[int] = []
    fit_request = request(folder, split, tmp_path / "own", progress=lambda status: steps.append(status.step))
    first = Network.build("cnn-lstm", fit_request)
    assert isinstance(first, NetworkReasoner) and first.learned is not None
    assert len(steps) == first.learned.result.steps and first.learned.examples <= 800
    written = {p.name: p.read_bytes() for p in (tmp_path / "own").iterdir() if p.is_file()}
    again = Network.build("cnn-lstm", fit_request)
    assert isinstance(again, NetworkReasoner) and again.learned == first.learned
    assert len(steps) == first.learned.result.steps
    assert same(first.answer(split.test), again.answer(split.test))
    assert {p.name: p.read_bytes() for p in (tmp_path / "own").iterdir() if p.is_file()} == written


def test_a_lesson_out_of_time_is_learned_no_further(split: Split[list[Query]], folder: Path, tmp_path: Path) -> None:
    fit_request = request(folder, split, tmp_path / "own", budget=Budget(seconds=1e-3))
    first = Network.build("mlp", fit_request)
    assert isinstance(first, NetworkReasoner) and first.learned is not None
    assert (first.learned.result.stopped, first.learned.result.steps) == ("time", 1)
    assert first.learned.examples == 32
    again = Network.build("mlp", fit_request)
    assert isinstance(again, NetworkReasoner) and again.learned == first.learned
    assert same(first.answer(split.test), again.answer(split.test))


class Killed(Exception):  # noqa: N818 - what happened
    pass


@pytest.mark.parametrize("name", ["cnn-mlp", "concept-learner"])
def test_what_was_killed_goes_on(name: str, split: Split[list[Query]], folder: Path, tmp_path: Path) -> None:
    reasoner_type = Concepts if name == "concept-learner" else Network
    recipe = "concepts" if name == "concept-learner" else "network"
    steps: list[int] = []

    def progress(status: Any) -> None:
        steps.append(status.step)
        if len(steps) == 12:
            raise Killed

    whole = reasoner_type.build(name, request(folder, split, tmp_path / "whole", recipe, budget=Budget(examples=1600)))
    fit_request = request(folder, split, tmp_path / "cut", recipe, budget=Budget(examples=1600), progress=progress)
    with pytest.raises(Killed):
        reasoner_type.build(name, fit_request)
    resumed = reasoner_type.build(name, fit_request)
    assert 1 < steps[12] <= 12  # from the last checkpoint on, not from the start
    assert same(whole.answer(split.test), resumed.answer(split.test))


def test_a_folder_of_another_lesson(split: Split[list[Query]], folder: Path, tmp_path: Path) -> None:
    fit_request = request(folder, split, tmp_path / "own", budget=Budget(examples=64))
    Network.build("lstm", fit_request)
    changed = {
        "model": ("cnn-lstm", fit_request),
        "train": ("lstm", replace(fit_request, train=split.train[:100])),
        "valid": ("lstm", replace(fit_request, valid=split.valid[1:])),
        "seed": ("lstm", replace(fit_request, seed=1)),
        "budget": ("lstm", replace(fit_request, budget=Budget(examples=65))),
        "lr": ("lstm", replace(fit_request, overrides=("training.lr=1e-5",))),
    }
    for what, (name, other) in changed.items():
        with pytest.raises(CheckpointError, match=rf"was begun with another request: .*{what}.*give another folder"):
            Network.build(name, other)
    swapped = replace(fit_request, train=[split.train[1], split.train[0], *split.train[2:]])
    with pytest.raises(CheckpointError, match="another request: train"):
        Network.build("lstm", swapped)
    (tmp_path / "own" / "fit.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"fit\.json: not the record .*: damaged JSON.*; remove the folder"):
        Network.build("lstm", fit_request)
    (tmp_path / "own" / "fit.json").unlink()
    with pytest.raises(CheckpointError, match="a training run that was no request"):
        Network.build("lstm", fit_request)


def test_the_weights_are_those_of_the_best_validation(tmp_path: Path) -> None:
    queries = [Query(i, None, None, "", {}) for i in range(4)]
    fit_request = FitRequest("toy", queries, queries, tmp_path / "own", Budget(examples=2000))
    recipe = toy("training.lr=0.5", "model_config.dropout=0.0")  # steps so large that it is best somewhere on the way
    model, learned = learn(recipe, fit_request, points(100), points(40, 1))
    assert (learned.recipe.training.monitor, learned.recipe.training.mode) == ("accuracy", "max")
    metrics = (tmp_path / "own" / "metrics.csv").read_text().splitlines()
    column = metrics[0].split(",").index("val/accuracy")
    values = [float(row.split(",")[column]) for row in metrics[1:] if row.split(",")[column]]
    assert learned.result.best == max(values)
    with torch.no_grad():
        out = model.loss(model.collate(points(40, 1)))
    assert float(out.metrics["accuracy"]) / 40 == pytest.approx(max(values)) and not model.training
    best = load_checkpoint(tmp_path / "own" / "best.safetensors").part("model")
    assert all(torch.equal(best[k], v) for k, v in model.state_dict().items())


def test_without_validation_the_last_weights_are_taken(tmp_path: Path) -> None:
    fit_request = FitRequest("toy", [], [], tmp_path / "own", Budget(examples=50))
    model, learned = learn(toy(), fit_request, points(20), [])
    assert learned.result.best is None and learned.examples == 40
    last = load_checkpoint(tmp_path / "own" / "last.safetensors").part("model")
    assert all(torch.equal(last[k], v) for k, v in model.state_dict().items())
    with pytest.raises(DataError, match="no question to learn from"):
        learn(toy(), fit_request, [], [])


@pytest.mark.parametrize("bf16", [False, True])
def test_a_lesson_keeps_the_precision_that_it_began_with(
    bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Chosen before a budget of time is measured, told once, and not chosen anew by another machine."""
    monkeypatch.setattr("nsreason.training.devices.native_bf16", lambda kind: bf16)
    caplog.set_level("INFO", "nsreason")
    fit_request = FitRequest("toy", [], [], tmp_path / "own", Budget(seconds=0.2))
    recipe = toy("training.precision=auto")

    def killed(status: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(recipe, replace(fit_request, progress=killed), points(20), [])
    monkeypatch.setattr("nsreason.training.devices.native_bf16", lambda kind: not bf16)
    if bf16:
        with pytest.raises(TrainingError, match=r"the run began in bf16-mixed; this machine's cpu has no native"):
            learn(recipe, fit_request, points(20), [])
    else:
        _, learned = learn(recipe, fit_request, points(20), [])
        assert learned.recipe.training.precision == "32"
    assert len([r for r in caplog.records if r.name.startswith("nsreason")]) == 1


def test_examples_of_a_curriculum_are_those_that_it_admits(tmp_path: Path) -> None:
    curriculum = Curriculum((Step(1, max_objects=3), Step(6)))
    fit_request = FitRequest("toy", [], [], tmp_path / "own", Budget(examples=1000))
    data = points(100)
    _, learned = learn(replace(toy(), curriculum=curriculum), fit_request, data, [])
    few = sum(e.n_objects <= 3 for e in data)
    assert few < 20 and learned.result.steps == EpochPlan(data, learned.recipe).steps
    epochs = learned.recipe.training.epochs  # more than ten, as half of them are short
    assert learned.examples == epochs // 2 * few + (epochs - epochs // 2) * 100
    assert 900 < learned.examples <= 1000


# --- networks -------------------------------------------------------------------------------------------------


def test_recipes(split: Split[list[Query]], folder: Path, tmp_path: Path) -> None:
    fit_request = replace(request(folder, split, tmp_path / "own"), recipe=None)
    with pytest.raises(RecipeError, match="the task 'clevr' names no recipe"):
        Network.build("mlp", fit_request)
    fit_request = replace(fit_request, recipes={"rows": str(folder / "network.toml")}, budget=Budget(examples=10))
    with pytest.raises(RecipeError, match="no 'row' to look at; did you mean 'rows'"):
        Network.build("mlp", replace(fit_request, input="row"))
    assert Network.build("mlp", fit_request).parameters > 0
    with pytest.raises(RecipeError, match="not of networks that answer by classes"):
        Network.build("mlp", replace(fit_request, recipe="clevr-state-quick"))
    with pytest.raises(RecipeError, match="no concept learner on state"):
        Concepts.build("concept-learner", replace(fit_request, recipe=str(folder / "network.toml")))
    with pytest.raises(RecipeError, match="no concept learner on state"):
        Concepts.build("concept-learner", replace(fit_request, recipe="clevr-image-quick"))


def test_what_cannot_be_seen_does_not_cost_the_others(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def asked(i: int, **seen: Any) -> Query:
        return Query(i, "Is it light?", "yes" if i % 2 else "no", "exist", seen)

    light = [QueryImage(None, pixels=np.full((9, 9, 3), 200 * (i % 2), np.uint8)) for i in range(40)]
    good = [asked(i, image=picture) for i, picture in enumerate(light)]
    missing = asked(1, image=QueryImage(tmp_path / "no.png"))
    queries = [missing, asked(2), *good, replace(good[0], answer=None)]
    (tmp_path / "p.toml").write_text(
        NETWORK.replace('"rows"', '"image"\ngrid = {channels = [8], size = 16}').replace("lr = 3e-3", "lr = 1e-2")
    )
    recipe = str(tmp_path / "p.toml")
    fit_request = FitRequest("own", queries, [missing, *good], tmp_path / "own", Budget(examples=1200), recipe=recipe)
    reasoner = Network.build("cnn-lstm", fit_request)
    assert isinstance(reasoner, NetworkReasoner) and reasoner.learned is not None
    assert "3 of 43 questions cannot be learned from; the first: " in caplog.text and "no.png" in caplog.text
    replies = reasoner.answer([*good[:3], missing, asked(3), *good[3:]])
    assert "no.png" in str(replies[3].error) and "no 'image'" in str(replies[4].error)
    assert accuracy(good, [*replies[:3], *replies[5:]]) == 1.0 and reasoner.learned.result.best == 1.0
    with pytest.raises(DataError, match=r"no question to learn from; the first: .*no\.png"):
        Network.build("cnn-lstm", replace(fit_request, train=[missing], folder=tmp_path / "none"))
    blind = Network.build(
        "question-type", replace(fit_request, folder=tmp_path / "blind", budget=Budget(examples=10**6))
    )
    assert isinstance(blind, NetworkReasoner) and blind.learned is not None
    assert blind.learned.examples == len(good) + 1  # what is not looked at need not be there to be read


# --- the concept learner --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 3, 30])
def test_a_concept_learner_of_few_questions(
    number: int, split: Split[list[Query]], folder: Path, tmp_path: Path
) -> None:
    """Of which most lessons of its curriculum admit none."""
    fit_request = request(folder, split, tmp_path / "own", "concepts", budget=Budget(examples=60))
    reasoner = Concepts.build("concept-learner", replace(fit_request, train=split.train[-number:], valid=[]))
    assert isinstance(reasoner, ConceptReasoner) and reasoner.learned is not None
    assert 0 < reasoner.learned.examples <= 60 and len(reasoner.answer(split.test)) == len(split.test)


def test_a_concept_learner_in_a_time(split: Split[list[Query]], folder: Path, tmp_path: Path) -> None:
    fit_request = request(folder, split, tmp_path / "own", "concepts", budget=Budget(seconds=4.0))
    reasoner = Concepts.build("concept-learner", fit_request)
    assert isinstance(reasoner, ConceptReasoner) and reasoner.learned is not None
    result = reasoner.learned.result
    assert result.seconds < 8 and result.epochs >= 1
    replies = reasoner.answer(split.test)
    own = [r.scores[r.answer] for r in replies if r.answer is not None]
    assert len(own) == len(split.test) and min(own) < 0.9


def test_questions_that_cannot_be_learned_from_are_left_out(split: Split[list[Query]], folder: Path) -> None:
    seen = Descriptions(load_recipe(folder / "concepts.toml").model_config)
    query = split.train[0]
    bad = [
        replace(query, inputs={}),
        replace(query, program=None),
        replace(query, answer=None),
        replace(query, answer="perhaps"),
        replace(query, program=parse_program("filter[red](scene())")),
        replace(query, program=parse_program("count(scene())", "kitchen")),
    ]
    examples = seen.examples([*bad, query, replace(query, type="my own type")])
    assert len(examples) == 2 and examples[0].described is examples[1].described
    assert examples[1].family == "my own type" and examples[1].type == examples[0].type
    with pytest.raises(DataError, match=r"no question to learn from; the first: question \d+ has no scene"):
        seen.examples(bad)
    assert len(seen.examples([])) == 0
    with pytest.raises(ExecutionError, match="knows the domain 'clevr', the program is of 'kitchen'"):
        seen.of(bad[5])


KITCHEN = {"fill": "full", "state": "clean", "color": "white", "material": "steel", "kind": "cup"}


def test_a_concept_learner_of_another_domain(folder: Path, tmp_path: Path) -> None:
    random_ = random.Random(0)
    program = parse_program("count(filter[cup](scene()))", "kitchen")
    relations = {name: [[]] * 3 for name in program.domain.relations}
    queries = []
    for i in range(60):
        kinds = [random_.choice(("cup", "plate")) for _ in range(3)]
        objects = [KITCHEN | {"kind": k, "3d_coords": [float(j), 0.0, 0.5]} for j, k in enumerate(kinds)]
        scene = Scene.of("kitchen", objects, relationships=relations)
        answer = str(kinds.count("cup"))
        queries.append(Query(i, "How many cups are there?", answer, "count", {"scene": scene}, program))
    fit_request = FitRequest(
        "kitchen", queries[:40], queries[40:50], tmp_path / "own", Budget(examples=4000), domain="kitchen"
    )
    fit_request = replace(fit_request, recipe=str(folder / "concepts.toml"), overrides=("training.batch_size=20",))
    reasoner = Concepts.build("concept-learner", fit_request)
    assert isinstance(reasoner, ConceptReasoner) and reasoner.model.domain.name == "kitchen"
    replies = reasoner.answer(queries[50:])
    assert accuracy(queries[50:], replies) == 1.0
    assert np.mean([r.scores[r.answer] for r in replies if r.answer]) > 0.8


def test_sets_and_objects_have_answers_too(split: Split[list[Query]], folder: Path, tmp_path: Path) -> None:
    fit_request = request(folder, split, tmp_path / "own", "concepts", budget=Budget(examples=100))
    reasoner = Concepts.build("concept-learner", fit_request)
    query = split.test[0]
    programs = [parse_program(p) for p in ("unique(filter[red](scene()))", "filter[red](scene())")]
    replies = reasoner.answer([replace(query, program=p) for p in programs])
    assert all(r.error is None and r.answer is not None and 0 <= r.scores[r.answer] <= 1 for r in replies)
    away = Scene.of("clevr", [{"size": "large", "color": "red", "material": "metal", "shape": "cube"}])
    [reply] = reasoner.answer([replace(query, inputs={"scene": away})])
    assert "coord" in str(reply.error)


def test_what_is_begun_is_written_down(split: Split[list[Query]], folder: Path, tmp_path: Path) -> None:
    fit_request = request(folder, split, tmp_path / "own", budget=Budget(examples=64))
    Network.build("lstm", fit_request)
    written = json.loads((tmp_path / "own" / "fit.json").read_text())
    assert written["request"]["budget"] == {"examples": 64} and written["planned"]["training"]["max_examples"] == 64
    assert written["result"]["stopped"] == "finished" and math.isfinite(written["result"]["seconds"])
