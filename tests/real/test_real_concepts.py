"""Concepts learned from the official CLEVR scenes and questions, to the accuracy that the recipe states.

Needs NSREASON_DATA, the folder that holds clevr/CLEVR_train_scenes.json and clevr/CLEVR_train_questions.json.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsreason.data.scenes import load_scenes
from nsreason.data.splits import Split
from nsreason.dsl.domain import load_domain
from nsreason.io.settings import to_dataclass
from nsreason.models.nscl.data import ConceptData, load_concept_data
from nsreason.models.nscl.examples import Examples
from nsreason.models.nscl.learner import ConceptLearner
from nsreason.models.nscl.probes import probe
from nsreason.perception.features.state_descriptions import StateConfig, state_rows
from nsreason.training.recipe import load_recipe, new_model
from nsreason.training.trainer import train

DATA = Path(os.environ.get("NSREASON_DATA", "")) / "clevr"

pytestmark = pytest.mark.skipif(
    "NSREASON_DATA" not in os.environ or not (DATA / "CLEVR_train_questions.json").is_file(),
    reason="NSREASON_DATA has no clevr/",
)

CLEVR = load_domain("clevr")


def test_every_official_question_is_an_example() -> None:
    split = load_concept_data(DATA, CLEVR, StateConfig(), ConceptData(held_out=0.1))
    assert (len(split.train), len(split.valid), split.bad) == (8400, 930, [])
    assert all(e.n_nodes == e.record.program.count(b'"value_inputs"') for e in split.valid if e.record.program)
    assert all(e.target == e.target for e in (*split.train, *split.valid))


def test_the_camera_frame_has_the_annotated_relations() -> None:
    right, behind = CLEVR.relation_index["right"], CLEVR.relation_index["behind"]
    for scene in load_scenes(DATA / "CLEVR_train_scenes.json").scenes:
        rows = state_rows(scene, StateConfig(frame="camera")) * 3
        for column, relation in ((0, right), (1, behind)):
            x = rows[:, column]
            for i, row in enumerate(scene.relation(relation)):
                assert row == sum(1 << j for j in range(len(scene)) if x[j] - x[i] > 0.2)


def trained(name: str, folder: Path) -> tuple[ConceptLearner, Split[Examples]]:
    recipe = load_recipe(name)
    learner: ConceptLearner = new_model(recipe)
    config = to_dataclass(recipe.data, ConceptData, "data")
    split = load_concept_data(DATA, learner.domain, learner.config.state, config)
    train(learner, split.train, None, recipe, folder)
    return learner.eval(), split


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least", "counts"), [("clevr-state-quick", 0.99, 0.987), ("clevr-state-tenth", 0.965, 0.9)]
)
def test_recipes_reach_what_they_state(name: str, least: float, counts: float, tmp_path: Path) -> None:
    learner, split = trained(name, tmp_path)
    out = learner.loss(learner.collate(split.valid))
    assert float(out.metrics["accuracy"]) / out.count >= least  # type: ignore[arg-type]
    scenes = list({id(e.described): e.described.scene for e in split.valid}.values())
    assert probe(learner.ground_scenes(scenes), scenes).count >= counts
