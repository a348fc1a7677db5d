"""The concept learner on images: what it sees, how it learns, how its traces name what was detected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nsreason.data.splits import Split
from nsreason.dsl.domain import load_domain
from nsreason.errors import CheckpointError, DataError
from nsreason.executors.soft.algebras import Logit
from nsreason.executors.soft.grounding import ground_crisp
from nsreason.generators import generate_scenes
from nsreason.models.nscl.data import ConceptData
from nsreason.models.nscl.examples import Examples, Viewed, describe_scenes
from nsreason.models.nscl.image_data import load_image_data
from nsreason.models.nscl.learner import ConceptLearner, ConceptLearnerConfig, likeliest_scene
from nsreason.perception.features.concept_embeddings import ConceptConfig
from nsreason.perception.features.regions import RegionConfig
from nsreason.programs.text_reader import parse_program
from nsreason.training.checkpoint import load_model, save_checkpoint
from nsreason.training.recipe import load_recipe, new_model, parse_recipe
from nsreason.training.trainer import train
from tests.support.painted_images import painted_image, write_painted

CLEVR = load_domain("clevr")
REGIONS = RegionConfig(width=24, pairs=16, crop=16)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split[Examples]:
    """12 painted images with 4 questions each, 3 of them held out."""
    place = tmp_path_factory.mktemp("painted")
    write_painted(place, scenes=12, questions=4, seed=2)
    return load_image_data(place, CLEVR, REGIONS, ConceptData(held_out=0.25))


def learner(**config: object) -> ConceptLearner:
    torch.manual_seed(0)
    settings = ConceptLearnerConfig(features="regions", regions=REGIONS, concepts=ConceptConfig(space=16))
    return ConceptLearner(replace(settings, **config))  # type: ignore[arg-type]


def images_of(examples: Examples) -> list[Viewed]:
    by_id = {id(e.described): e.described for e in examples}
    return [v for v in by_id.values() if isinstance(v, Viewed)]


@pytest.mark.parametrize("algebra", ["logit", "product"])
def test_it_goes_downhill(split: Split[Examples], algebra: str) -> None:
    model = learner(algebra=algebra)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        out = model.loss(model.collate(split.train))
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        losses.append(out.loss.item())
    assert losses[-1] < 0.85 * losses[0]


@pytest.mark.parametrize("algebra", ["logit", "product"])
def test_mixed_precision_learns_from_images_too(split: Split[Examples], algebra: str) -> None:
    """Pixels go through in half precision; concepts and execution do not."""
    model = learner(algebra=algebra, regions=replace(REGIONS, noise=0.0, mask_dropout=0.0)).eval()
    batch = model.collate(split.train)
    exact = model.loss(batch).loss
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.loss(batch).loss
    loss.backward()
    assert loss.dtype == torch.float32 and loss.item() == pytest.approx(exact.item(), rel=0.05)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads and all(g.isfinite().all() for g in grads)


def test_nscl_layers_answer_and_learn(split: Split[Examples]) -> None:
    model = learner(regions=RegionConfig(preset="resnet18", size=(96, 144), width=16, pairs=16))
    batch = model.collate(split.train[:6])
    assert batch.regions is not None and batch.regions.images.shape[2:] == (96, 144)
    model.loss(batch).loss.backward()
    for name, parameter in model.perception.features.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_a_batch_sees_each_image_once(split: Split[Examples]) -> None:
    model = learner().eval()
    batch = model.collate(split.train)
    assert batch.rows is None and batch.regions is not None and len(batch.regions) == len(images_of(split.train)) == 9
    one_by_one = [model.predict(model.collate([e]))[0] for e in split.train]
    assert model.predict(batch) == one_by_one
    moved = batch.to("cpu")
    assert moved.regions is not None and model.predict(moved) == one_by_one


def test_seeing_images_is_what_batches_see(split: Split[Examples]) -> None:
    model = learner().eval()
    images = images_of(split.valid)
    seen = model.ground_images([(v.image, v.detections) for v in images])
    assert len(seen) == 3 and seen.present.sum(1).tolist() == [len(v) for v in images]
    assert torch.equal(seen.concepts, model.ground_examples(images).concepts) and not seen.concepts.requires_grad
    bare = replace(images[0].detections, masks=None)
    assert len(model.ground_images([(images[0].image, bare)])) == 1


def test_a_trace_names_what_was_detected(split: Split[Examples]) -> None:
    model = learner().eval()
    image, detections = painted_image(next(generate_scenes(1, seed=77)))
    trace = model.trace_image(parse_program("count(filter[large](scene()))"), (image, detections), "How many?")
    assert trace.question == "How many?" and isinstance(trace.answer, int)
    degrees = trace.steps[1].degrees
    assert degrees is not None and len(degrees) == len(detections)
    scene = trace.scene
    assert scene.image == detections.image and len(scene) == len(detections)
    assert [p.bbox for p in scene.places] == [tuple(b) for b in detections.boxes.tolist()]
    assert detections.masks is not None and scene.places[0].mask == detections.masks[0] and scene.places[0].score == 1
    degree = model.ground_images([(image, detections)]).words[0]
    size = CLEVR.attributes.index("size")
    first = CLEVR.concept_index[CLEVR.values("size")[0]]
    for i in range(len(scene)):
        likeliest = int(degree[size, i, first : first + 2].argmax())
        assert scene.value(i, "size") == CLEVR.values("size")[likeliest]


def test_the_likeliest_scene_of_what_is_known_is_the_scene() -> None:
    """Values and relations come back from the tables of an annotated scene."""
    for scene in generate_scenes(4, seed=9):
        _, detections = painted_image(scene)
        likeliest = likeliest_scene(ground_crisp([scene], Logit()), detections)
        assert likeliest.values == scene.values
        for number in range(len(CLEVR.relations)):
            assert likeliest.relation(number) == scene.relation(number)


def test_a_checkpoint_sees_alike(split: Split[Examples], tmp_path: Path) -> None:
    model = learner().train()
    model.loss(model.collate(split.train))  # statistics of a batch are part of what was learned
    path = save_checkpoint(tmp_path, "last", model_name="concept-learner", model=model.eval(), step=1)
    loaded = load_model(path)
    assert isinstance(loaded, ConceptLearner) and loaded.config == model.config
    images = images_of(split.valid)
    assert torch.equal(loaded.ground_examples(images).concepts, model.ground_examples(images).concepts)


def test_a_file_of_weights_is_for_beginnings_alone(tmp_path: Path) -> None:
    """A recipe names it, a checkpoint does without."""
    from torchvision.models import resnet18

    weights = tmp_path / "resnet18.pth"
    torch.manual_seed(3)
    whole = resnet18(weights=None).state_dict()
    torch.save(whole, weights)
    text = f"""
    model = "concept-learner"
    [model_config]
    features = "regions"
    regions = {{ preset = "resnet18", width = 8, pairs = 8, weights = "{weights}", frozen = true }}
    """
    model = new_model(parse_recipe(text))
    first = "perception.features.net.trunk.conv1.weight"
    assert torch.equal(model.state_dict()[first], whole["conv1.weight"])
    path = save_checkpoint(tmp_path, "last", model_name="concept-learner", model=model, step=1)
    weights.unlink()
    assert torch.equal(load_model(path).state_dict()[first], whole["conv1.weight"])
    with pytest.raises(CheckpointError, match="no such file of weights"):
        new_model(parse_recipe(text))


def test_training_by_recipe(split: Split[Examples], tmp_path: Path) -> None:
    """The bundled recipe runs: its lessons admit examples, its settings are of this model."""
    small = (
        "training.epochs=2",
        "training.batch_size=12",
        "model_config.regions.crop=16",
        "model_config.regions.width=24",
        "model_config.regions.pairs=16",
    )
    recipe = load_recipe("clevr-image-quick", overrides=small)
    assert recipe.model_config.features == "regions"
    recipe = replace(recipe, curriculum=None)
    result = train(new_model(recipe), split.train, split.valid, recipe, tmp_path / "run")
    assert result.stopped == "finished" and 0 <= float(result.metrics["val/accuracy"]) <= 1


def test_what_is_of_the_other_kind_is_refused(split: Split[Examples]) -> None:
    scene = next(generate_scenes(1, seed=1))
    of_images, of_states = learner(), ConceptLearner()
    with pytest.raises(DataError, match=r"reads images .*, not scenes"):
        of_images.ground_scenes([scene])
    with pytest.raises(DataError, match=r"reads state descriptions .*, an example is an image"):
        of_states.collate(split.train[:1])
    with pytest.raises(DataError, match=r"reads images .*, an example is a state description"):
        of_images.ground_examples(describe_scenes([scene], of_states.config.state))
    with pytest.raises(DataError, match="reads state descriptions"):
        of_states.ground_images([painted_image(scene)])
    with pytest.raises(DataError, match="no scene to ground"):
        of_images.ground_images([])
