"""Objects and questions keep what they are made of, and padding is nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nsreason.baselines.encoders import (
    GridConfig,
    GridEncoder,
    QuestionConfig,
    QuestionEncoder,
    SentenceConfig,
    SentenceEncoder,
)
from nsreason.baselines.perceptron import parameters
from nsreason.baselines.presets import PRESETS, Preset, build, preset
from nsreason.baselines.relation_network import RelationNetworkConfig
from nsreason.baselines.words import Words, tokens
from nsreason.errors import DataError, RecipeError

TEXTS = ["Is the red cube left of the sphere?", "How many things are red; or blue?", "Mary's ball."]


def test_tokens_are_words_and_punctuation_marks() -> None:
    assert tokens("Is it red; or  Mary's?") == ["is", "it", "red", ";", "or", "mary's", "?"]


def test_words_are_numbered_and_unknown_ones_are_told_from_padding() -> None:
    words = Words.of(TEXTS)
    assert len(words) == 2 + len(words.words) and sorted(words.words) == list(words.words)
    numbers = words.encode("is the green cube")
    assert numbers[2] == 1 and 0 not in numbers
    assert [words.words[n - 2] for n in numbers if n > 1] == ["is", "the", "cube"]
    batch = words.batch(["red", "", "is red"])
    assert batch.shape == (3, 2) and batch[1].tolist() == [0, 0] and batch[0, 1] == 0
    assert words.batch([]).shape == (0, 1)
    assert Words.of(["a a b"], least=2).words == ("a",)
    with pytest.raises(DataError, match="'a' twice"):
        Words(("a", "b", "a"))


def test_stories_keep_their_last_sentences() -> None:
    words = Words.of(["one two three"])
    batch = words.stories([["one", "two", "three one"], ["two"], []], last=2)
    one, two, three = words.encode("one two three")
    assert batch.tolist() == [[[two, 0], [three, one]], [[two, 0], [0, 0]], [[0, 0], [0, 0]]]
    assert words.stories([[]]).shape == (1, 1, 1)


@pytest.mark.parametrize(("size", "side"), [(128, 8), (75, 5)])
def test_cells_of_the_papers_images(size: int, side: int) -> None:
    config = GridConfig(size=size)
    assert (config.side, config.objects, config.features) == (side, side**2, 26)
    assert GridEncoder(config)(torch.rand(2, 3, size, size)).shape == (2, side**2, 26)


def test_a_cell_is_of_its_place_and_has_its_coordinates() -> None:
    torch.manual_seed(0)
    config = GridConfig(channels=(4, 5), size=16)
    encoder = GridEncoder(config).eval()
    images = torch.rand(1, 3, 16, 16)
    cells = encoder(images)[0]
    maps = encoder.layers(images)[0]
    assert torch.equal(cells[4 * 1 + 3, :5], maps[:, 1, 3])
    assert torch.allclose(cells[4 * 1 + 3, 5:], torch.tensor([-1 / 3, 1.0]))
    changed = images.clone()
    changed[..., :4, 12:] = 0  # top right
    moved = (encoder(changed)[0] != cells).any(1).nonzero().flatten().tolist()
    assert 3 in moved and all(cell % 4 >= 2 and cell < 8 for cell in moved)


def test_bytes_are_seen_as_the_same_image() -> None:
    encoder = GridEncoder(GridConfig(channels=(4,), size=8)).eval()
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    assert torch.allclose(encoder(images), encoder(images / 255))
    with pytest.raises(DataError, match=r"expected \(B, 3, 8, 8\)"):
        encoder(images[..., :7])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(0, 4))
def test_a_question_is_its_words_and_not_its_padding_or_its_batch(lengths: list[int], more: int) -> None:
    torch.manual_seed(0)
    encoder = QuestionEncoder(QuestionConfig(units=5, embedding=4), 9).double()
    rows = [torch.randint(1, 9, (length,)) for length in lengths]
    batch = torch.zeros(len(rows), max(lengths) + more + 1, dtype=torch.int64)
    for b, row in enumerate(rows):
        batch[b, : len(row)] = row
    states = encoder(batch)
    for row, state in zip(rows, states, strict=True):
        if len(row):
            _, (hidden, _) = encoder.lstm(encoder.embedding(row[None]))
            assert torch.allclose(state, hidden[-1, 0])
        else:
            assert not state.any()


def test_sentences_are_tagged_back_from_the_question() -> None:
    torch.manual_seed(0)
    encoder = SentenceEncoder(SentenceConfig(units=3, embedding=4, sentences=4), 9)
    words = torch.tensor([[[2, 3], [4, 0], [2, 3]], [[2, 3], [0, 0], [0, 0]]])
    objects, there = encoder(words)
    assert objects.shape == (2, 3, 7)
    assert there.tolist() == [[True, True, True], [True, False, False]]
    assert objects[0, :, 3:].argmax(1).tolist() == [2, 1, 0] and objects[1, 0, 3:].argmax() == 0
    assert torch.allclose(objects[0, 0, :3], objects[0, 2, :3]) and not torch.equal(objects[0, 0], objects[0, 2])
    assert not objects[1, 1:].any()
    objects.sum().backward()
    assert encoder.embedding.weight.grad is not None and encoder.embedding.weight.grad[2].any()
    with pytest.raises(DataError, match="the last 4 of each will do"):
        encoder(torch.ones(1, 5, 2, dtype=torch.int64))


def test_tags_are_spread_while_training_only() -> None:
    encoder = SentenceEncoder(SentenceConfig(units=3, embedding=4, sentences=2, spread=5), 9)
    words = torch.ones(64, 2, 2, dtype=torch.int64)
    torch.manual_seed(0)
    tags = encoder(words)[0][..., 3:].argmax(-1)
    assert set((tags[:, 1]).tolist()) == set(range(6)) and (tags[:, 0] == tags[:, 1] + 1).all()
    encoder.eval()
    assert encoder(words)[0][0, :, 3:].argmax(-1).tolist() == [1, 0]


def layers(*widths: int) -> int:
    return sum((a + 1) * b for a, b in pairwise(widths))


# What the paper says of widths, written out: (g, f), the width of a pair's features among them.
COUNTS = {
    "clevr-pixels": layers(180, 256, 256, 256, 256) + layers(256, 256, 256, 29),
    "clevr-state": layers(282, 512, 512, 512, 512) + layers(512, 512, 1024, 29),
    "sort-of-clevr": layers(527, 2000, 2000, 2000, 2000) + layers(2000, 2000, 1000, 500, 100, 10),
    "babi": layers(136, 256, 256, 256, 256) + layers(256, 256, 512, 159),
    "physics-connections": layers(66, 1000, 1000, 1000, 500) + layers(500, 500, 100, 100),
    "physics-systems": layers(66, 1000, 1000, 1000, 500) + layers(500, 500, 100, 10),
}


@pytest.mark.parametrize("name", COUNTS)
def test_presets_have_the_papers_parameters(name: str) -> None:
    network = build(preset(name), words=90)
    assert parameters(network.answerer) == COUNTS[name]
    if network.question is not None:
        units = network.question.config.units
        assert parameters(network.question) == 90 * 32 + 4 * units * (32 + units + 2)
    if isinstance(network.objects, GridEncoder):
        channels = (3, *network.objects.config.channels)
        convolved = sum(9 * a * b + 2 * b for a, b in pairwise(channels))
        assert parameters(network.objects) == convolved


def test_every_task_has_a_preset_for_a_cpu() -> None:
    assert {f"{name}-cpu" for name in COUNTS} | set(COUNTS) == set(PRESETS)


@pytest.mark.parametrize("name", [name for name in PRESETS if name.endswith("-cpu")])
def test_every_preset_answers_and_learns(name: str) -> None:
    settings = PRESETS[name]
    torch.manual_seed(0)
    network = build(settings, words=9, classes=7)
    relation, mask = settings.relation, None
    if isinstance(settings.objects, GridConfig):
        seen = torch.rand(2, 3, settings.objects.size, settings.objects.size)
    elif settings.objects is not None:
        seen = torch.randint(1, 9, (2, 3, 4))
    else:
        seen, mask = torch.rand(2, 3, relation.objects), torch.tensor([[True] * 3, [True, False, False]])
    asked = None
    if settings.question is not None:
        asked = torch.randint(1, 9, (2, 5))
    elif relation.condition:
        asked = torch.rand(2, relation.condition)
    logits = network(seen, asked, mask)
    assert logits.shape == (2, 7) and not torch.equal(logits[0], logits[1])
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_presets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(RecipeError, match="no preset 'clevr-pixel'; did you mean 'clevr-pixels'"):
        preset("clevr-pixel")
    with pytest.raises(RecipeError, match="give the size of their vocabulary"):
        build(preset("babi-cpu"))
    relation = RelationNetworkConfig(26, 128, 29)
    with pytest.raises(RecipeError, match=r"objects of 26 features and a condition of 64; relation expects 26 and 128"):
        Preset(GridConfig(), QuestionConfig(units=64), relation, 1e-4, 64)
    with pytest.raises(DataError, match="a mask for sentences"):
        build(preset("babi-cpu"), 9)(torch.ones(1, 2, 2).long(), torch.ones(1, 2).long(), torch.ones(1, 2).bool())
