"""Networks that answer by classes: what they are settled by, their batches, losses and replies, and pictures moved."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from nsreason.data.links import read_links
from nsreason.errors import DataError, RecipeError
from nsreason.models.answer_networks.config import AnswerNetworkConfig, config_from_data
from nsreason.models.answer_networks.encoders import GridConfig
from nsreason.models.answer_networks.models import LstmModel, MlpModel, RelationNetworkModel
from nsreason.models.answer_networks.network import AnswerNetworkBatch, linked, unordered
from nsreason.queries.image import QueryImage
from nsreason.queries.query import Query
from tests.support.toy_queries import KINDS, TINY, network_config, queries


def query(answer: str | None = "cube", text: str | None = "Say cube", kind: str = "echo", **seen: Any) -> Query:
    if not seen:
        seen = {"rows": np.zeros((3, 5), np.float32)}
    return Query(7, text, answer, kind, seen)


def build(kind: str = "rows", **changes: Any) -> RelationNetworkModel:
    torch.manual_seed(0)
    return RelationNetworkModel(replace(network_config(kind), **changes))


# --- settled -----------------------------------------------------------------------------------------------------


def test_words_answers_types_and_sizes_are_found_in_what_is_learned_from() -> None:
    wide = query("2", "How many RED ones?", "count", rows=np.zeros((6, 5), np.float32))
    config = config_from_data(TINY, iter([query(), wide, query(None, "unanswered?")]))
    assert config.answers == ("2", "cube") and config.types == ("count", "echo") and config.places == 6
    assert config.words == ("?", "cube", "how", "many", "ones", "red", "say", "unanswered")
    relation = config.relation
    assert (relation.objects, relation.condition, relation.classes) == (5, TINY.question.units, 2)
    spare = replace(TINY, relation=replace(TINY.relation, classes=29))
    assert config_from_data(spare, [query()]).relation.classes == 29
    assert config_from_data(config, [query(), wide]).answers == config.answers


def test_sizes_of_each_kind_of_thing_to_look_at() -> None:
    configs = {kind: network_config(kind) for kind in KINDS}
    sizes = {k: (c.places, c.relation.objects, c.relation.condition, c.relation.classes) for k, c in configs.items()}
    assert sizes == {
        "rows": (3, 5, 12, 3),
        "image": (16, 8, 2, 2),
        "sentences": (5, 13, 12, 3),
        "links": (4, 6, 0, 16),
    }
    assert configs["links"].answers == () and configs["image"].words == ()
    assert {"ann", "went", "cellar", "where"} <= set(configs["sentences"].words)  # of the story, and of the question


def test_what_a_network_cannot_be_settled_by() -> None:
    with pytest.raises(DataError, match="there is no query"):
        config_from_data(TINY, [])
    with pytest.raises(DataError, match="no query has an answer"):
        config_from_data(TINY, [query(None)])
    with pytest.raises(DataError, match="question 7 has no 'rows'; it has scene"):
        config_from_data(TINY, [query(scene=None)])
    with pytest.raises(DataError, match="has no 'bits'; it has rows"):
        config_from_data(replace(TINY, asks="bits"), [query()])
    with pytest.raises(RecipeError, match=r"give `config_from_data\(config, queries\)`"):
        RelationNetworkModel(TINY)
    with pytest.raises(RecipeError, match=r"rotate: 0\.1, translate: 1\.5"):
        AnswerNetworkConfig(rotate=0.1, translate=1.5)


# --- batches -----------------------------------------------------------------------------------------------------


def test_rows_are_padded_and_masked_only_where_they_must_be() -> None:
    model = build()
    full = model.collate(queries("rows", 4))
    assert full.inputs is not None and full.inputs.shape == (4, 3, 5) and full.mask is None
    two = np.arange(10, dtype=np.float64).reshape(2, 5)
    batch = model.collate([query(rows=two), query(), query(rows=np.zeros((0, 5)))])
    assert batch.inputs is not None and batch.mask is not None and len(batch) == 3
    assert batch.inputs.dtype == torch.float32 and batch.inputs[0, :2].tolist() == two.tolist()
    assert not batch.inputs[0, 2].any() and batch.mask.tolist() == [[True, True, False], [True] * 3, [False] * 3]
    more = model.collate([query(rows=np.ones((5, 5))), query()])  # more than in what was learned from
    assert more.mask is not None and more.mask.sum(1).tolist() == [5, 3]


def test_padding_changes_no_answer() -> None:
    model = build().eval()
    examples = queries("rows", 5)
    small = replace(examples[0], inputs={"rows": examples[0].inputs["rows"][:2]})
    alone = model.predict(model.collate([small]))[0]
    beside = model.predict(model.collate([*examples, small]))[-1]
    assert alone.scores == pytest.approx(beside.scores, abs=1e-6)


def test_images_sentences_and_bits() -> None:
    batch = build("image").collate(examples := queries("image", 3))
    assert batch.inputs is not None and batch.inputs.shape == (3, 3, 16, 16) and batch.inputs.dtype == torch.uint8
    assert batch.asked is not None and batch.asked.dtype == torch.float32
    assert batch.asked.tolist() == [q.inputs["bits"].tolist() for q in examples]
    model = build("sentences")
    story = tuple(f"Ann went to the {place}" for place in ("barn", "barn", "attic", "attic", "zoo", "cellar now"))
    batch = model.collate(
        [query("barn", "Where is Ann?", sentences=story), query("barn", "Where?", sentences=story[:1])]
    )
    assert batch.inputs is not None and batch.inputs.shape == (2, 5, 6)  # the last five, of six words at most
    words = model.vocabulary
    assert batch.inputs[0, 0].tolist() == [*words.encode("ann went to the barn"), 0]
    assert batch.inputs[0, 3].tolist() == [*words.encode("ann went to the"), 1, 0]  # a zoo is unknown
    assert batch.inputs[0, 4].tolist()[-2:] == [words.numbers["cellar"], 1] and not batch.inputs[1, 1:].any()
    assert batch.asked is not None and batch.asked[1].tolist() == [*words.encode("where?"), 0, 0]
    empty = query("barn", "Where?", sentences=())
    assert build("sentences").collate([empty]).inputs.shape == (1, 1, 1)  # type: ignore[union-attr]


def test_a_blind_network_needs_nothing_to_look_at() -> None:
    model = LstmModel(network_config("rows"))
    batch = model.collate([query(scene=None)])
    assert batch.inputs is None and batch.mask is None and len(model.predict(batch)) == 1


def test_unknown_words_answers_and_types() -> None:
    model = build()
    batch = model.collate([query("pyramid", "Say pyramid", "shout"), query(None, None), query()])
    assert batch.targets.tolist() == [-1, -1, model.config.answers.index("cube")]
    assert batch.types.tolist() == [3, 0, 0] and model.config.types[0] == "echo"
    assert batch.asked is not None and batch.asked[0].tolist() == [model.vocabulary.numbers["say"], 1]
    assert not batch.asked[1].any()
    assert len(model.predict(batch)) == 3


def test_queries_that_a_network_cannot_look_at() -> None:
    model = build()
    with pytest.raises(DataError, match="at least one question"):
        model.collate([])
    with pytest.raises(DataError, match="question 7 has no 'rows'; it has image"):
        model.collate([query(), query(image=None)])
    with pytest.raises(DataError, match=r"question 7: 'rows' of shape \(3, 4\); the network was made for 5 features"):
        model.collate([query(), query(rows=np.zeros((3, 4)))])
    with pytest.raises(DataError, match=r"'bits' of shape \(3,\); the network was made for 2"):
        build("image").collate([query(image=QueryImage(None, pixels=np.zeros((2, 2, 3), np.uint8)), bits=np.zeros(3))])
    with pytest.raises(DataError, match="the links '0-9'"):
        build("links").collate([query("0-9", rows=np.zeros((4, 6)))])


def test_a_batch_moves_as_a_whole() -> None:
    batch = build("image").collate(queries("image", 2))
    moved = batch.to("meta")
    assert isinstance(moved, AnswerNetworkBatch) and moved.mask is None
    assert {t.device.type for t in (moved.inputs, moved.asked, moved.targets, moved.types) if t is not None} == {"meta"}


# --- losses ------------------------------------------------------------------------------------------------------


def test_the_loss_is_the_cross_entropy_and_unknown_answers_cost_nothing() -> None:
    model = build().eval()
    known = queries("rows", 6)
    batch = model.collate(known)
    expected = cross_entropy(model(batch), batch.targets)
    out = model.loss(batch)
    assert out.count == 6 and out.loss.item() == pytest.approx(expected.item(), rel=1e-6)
    lost = [replace(q, answer=None) for q in queries("rows", 2, seed=1)]
    both = model.loss(model.collate([*known, *lost]))
    assert both.count == 8 and 8 * both.loss.item() == pytest.approx(6 * expected.item(), rel=1e-5)
    assert both.metrics["accuracy"] == out.metrics["accuracy"]
    none = model.loss(model.collate(lost))
    assert none.loss.item() == 0 and none.loss.requires_grad and none.metrics["accuracy"] == 0


def test_accuracies_are_those_of_the_replies_and_of_each_type() -> None:
    spare = replace(KINDS["rows"], relation=replace(TINY.relation, classes=50))  # most of what it says has no name
    model = build(relation=config_from_data(spare, queries("rows", 100)).relation).eval()
    examples = [*queries("rows", 40), query("cube", kind="new")]
    batch = model.collate(examples)
    right = [reply.right(q) for reply, q in zip(model.predict(batch), examples, strict=True)]
    metrics = model.loss(batch).metrics
    assert metrics["accuracy"] == sum(right) > 0
    for kind in model.config.types:
        of_kind = [ok for ok, q in zip(right, examples, strict=True) if q.type == kind]
        assert [float(x) for x in metrics[f"accuracy/{kind}"]] == [sum(of_kind), len(of_kind)]  # type: ignore[union-attr]
    assert "accuracy/new" not in metrics


def test_the_loss_of_links_is_summed_over_pairs_and_averaged_over_scenes() -> None:
    model = build("links").eval()
    examples = queries("links", 5)
    batch = model.collate(examples)
    logits = model(batch).reshape(5, 4, 4)
    truth = torch.from_numpy(np.stack([read_links(q.answer or "", 4) for q in examples]))
    assert torch.equal(batch.targets, truth.long())
    expected = binary_cross_entropy_with_logits(logits, truth.float(), reduction="none").sum((1, 2)).mean()
    assert model.loss(batch).loss.item() == pytest.approx(expected.item(), rel=1e-6)
    lost = model.collate([*examples, replace(examples[0], answer=None)])
    again = model.loss(lost)
    assert 6 * again.loss.item() == pytest.approx(5 * expected.item(), rel=1e-5)
    assert again.metrics["accuracy"] == model.loss(batch).metrics["accuracy"]
    assert (lost.targets[-1] == -1).all()


# --- replies -----------------------------------------------------------------------------------------------------


def test_replies_are_the_likeliest_of_the_answers_with_their_probabilities() -> None:
    spare = replace(TINY.relation, classes=7)
    model = RelationNetworkModel(config_from_data(replace(TINY, relation=spare), queries("rows", 100))).eval()
    batch = model.collate(queries("rows", 9))
    logits = model(batch)
    assert logits.shape == (9, 7)
    for reply, row in zip(model.predict(batch), logits.detach(), strict=True):
        assert tuple(reply.scores) == model.config.answers == ("cone", "cube", "sphere")
        assert sum(reply.scores.values()) == pytest.approx(1)
        assert list(reply.scores.values()) == pytest.approx(row[:3].softmax(0).tolist())
        assert reply.answer == max(reply.scores, key=lambda a: reply.scores[a]) and reply.error is None


def test_links_are_symmetric_and_spelled() -> None:
    torch.manual_seed(1)
    logits = torch.randn(6, 4, 4)
    links = linked(logits)
    assert torch.equal(links, links.transpose(1, 2)) and not links.diagonal(dim1=1, dim2=2).any() and links.any()
    assert links[0, 0, 1] == (logits[0, 0, 1] + logits[0, 1, 0] > 0)
    model = build("links").eval()
    batch = model.collate(queries("links", 8))
    for reply, matrix in zip(model.predict(batch), linked(model(batch).reshape(8, 4, 4)), strict=True):
        assert reply.answer is not None and reply.scores == {}
        assert (read_links(reply.answer, 4) == matrix.numpy()).all()


def test_unordered_pairs_are_half_of_them() -> None:
    assert unordered(4, torch.device("cpu")).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    model = build("links", pairs="unordered").eval()
    batch = model.collate(queries("links", 3))
    assert batch.inputs is not None
    expected = model.head(batch.inputs, None, None, pairs=unordered(4, torch.device("cpu")))
    assert torch.equal(model(batch), expected) and not torch.allclose(expected, model.head(batch.inputs))


# --- pictures that are moved ---------------------------------------------------------------------------------------


def test_images_are_moved_while_training_only_and_by_the_seed() -> None:
    model = build("image", rotate=0.2, translate=0.2)
    images = model.collate(queries("image", 6)).inputs
    assert images is not None
    torch.manual_seed(3)
    moved = model._augmented_images(images)
    torch.manual_seed(3)
    again = model._augmented_images(images)
    other = model._augmented_images(images)
    assert moved.shape == images.shape and moved.min() >= 0 and moved.max() <= 1
    assert torch.equal(moved, again) and not torch.equal(moved, other)
    assert not torch.allclose(moved, images / 255, atol=0.1)
    assert model.eval()._augmented_images(images) is images
    assert build("image")._augmented_images(images) is images  # nothing to be done, and no random number drawn


def test_images_are_moved_no_farther_than_they_may_be() -> None:
    """A dot in the middle stays within the shift, which is a share of the side, and the shift is reached."""
    model = build(
        "image", grid=GridConfig((4,), 65), relation=replace(TINY.relation, objects=6, condition=2, classes=2)
    )
    model.config = replace(model.config, translate=0.25)
    dot = torch.zeros(1, 3, 65, 65, dtype=torch.uint8)
    dot[:, :, 32, 32] = 255
    torch.manual_seed(0)
    moved = model._augmented_images(dot.expand(400, -1, -1, -1))[:, 0]
    weight = moved.sum((1, 2))
    assert weight.allclose(torch.ones(400), atol=1e-3)
    along = torch.arange(65.0) - 32
    for axis in (1, 2):
        away = (moved.sum(3 - axis) * along).sum(1).abs()
        assert 0.9 * 65 / 4 < away.max() <= 65 / 4 + 1e-3
    model.config = replace(model.config, translate=0.0, rotate=math.pi / 8)
    dot.zero_()[:, :, 32, 56] = 255  # 24 to the right of the middle
    moved = model._augmented_images(dot.expand(400, -1, -1, -1))[:, 0]
    heights, widths = (moved.sum(2) * along).sum(1), (moved.sum(1) * along).sum(1)
    angles = torch.atan2(heights, widths)
    assert 0.9 * math.pi / 8 < angles.abs().max() < math.pi / 8 + 0.02 and angles.min() < 0 < angles.max()
    assert torch.hypot(heights / moved.sum((1, 2)), widths / moved.sum((1, 2))).allclose(torch.tensor(24.0), atol=0.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model_class", [RelationNetworkModel, MlpModel])
def test_half_precision_does_for_everything_that_is_looked_at(
    kind: str, model_class: type[RelationNetworkModel]
) -> None:
    torch.manual_seed(0)
    config = network_config(kind)
    config = replace(config, rotate=0.05, translate=0.05) if kind == "image" else config
    model = model_class(config)
    batch = model.collate(queries(kind, 8))
    exact = model.eval().loss(batch).loss
    with torch.autocast("cpu", torch.bfloat16):
        out = model.loss(batch)
        model.train().loss(batch).loss.backward()
        replies = model.eval().predict(batch)
    assert out.loss.dtype == torch.float32
    assert out.loss.item() == pytest.approx(exact.item(), rel=0.05) and len(replies) == 8
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_settings_of_other_rows_are_refused() -> None:
    config = AnswerNetworkConfig(input="rows", asks="nothing", permute_columns=90)
    with pytest.raises(DataError, match="permute_columns and sign_flip are of 90 columns, the rows have 6"):
        config_from_data(config, [query("0-1", None, rows=np.zeros((4, 6), np.float32))])
