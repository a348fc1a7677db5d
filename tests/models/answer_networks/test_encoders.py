"""Objects and questions keep what they are made of, and padding is nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nsreason.errors import DataError
from nsreason.models.answer_networks.encoders import (
    GridConfig,
    GridEncoder,
    QuestionConfig,
    QuestionEncoder,
    SentenceConfig,
    SentenceEncoder,
    last_states,
)
from nsreason.models.answer_networks.vocabulary import WordVocabulary, tokens

TEXTS = ["Is the red cube left of the sphere?", "How many things are red; or blue?", "Mary's ball."]


def test_tokens_are_words_and_punctuation_marks() -> None:
    assert tokens("Is it red; or  Mary's?") == ["is", "it", "red", ";", "or", "mary's", "?"]


def test_words_are_numbered_and_unknown_ones_are_told_from_padding() -> None:
    words = WordVocabulary.of(TEXTS)
    assert len(words) == 2 + len(words.words) and sorted(words.words) == list(words.words)
    numbers = words.encode("is the green cube")
    assert numbers[2] == 1 and 0 not in numbers
    assert [words.words[n - 2] for n in numbers if n > 1] == ["is", "the", "cube"]
    batch = words.batch(["red", "", "is red"])
    assert batch.shape == (3, 2) and batch[1].tolist() == [0, 0] and batch[0, 1] == 0
    assert words.batch([]).shape == (0, 1)
    assert WordVocabulary.of(["a a b"], least=2).words == ("a",)
    with pytest.raises(DataError, match="'a' twice"):
        WordVocabulary(("a", "b", "a"))


def test_stories_keep_their_last_sentences() -> None:
    words = WordVocabulary.of(["one two three"])
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


def test_sentences_that_are_told_again_are_read_once_and_learned_from_each_time() -> None:
    """Against the LSTM run on every sentence for itself: the same objects and the same gradients."""
    torch.manual_seed(0)
    encoder = SentenceEncoder(SentenceConfig(units=6, embedding=4), 9).double()
    sentences = torch.tensor([[1, 2, 3], [4, 5, 0], [4, 5, 6], [7, 0, 0], [2, 0, 3]])
    words = sentences[torch.randint(5, (7, 12))]
    words[2, 5:], words[3] = 0, 0
    read: list[int] = []
    encoder.lstm.register_forward_hook(lambda _m, given, _out: read.append(len(given[0])))
    objects, there = encoder(words)
    assert read == [5] and there.sum() == 7 * 12 - 7 - 12
    weights = torch.randn_like(objects)
    gradients = torch.autograd.grad((objects * weights).sum(), list(encoder.parameters()))
    every = words[there]
    lengths = torch.tensor([int(row.nonzero().max()) + 1 for row in every])
    states = last_states(encoder.lstm, encoder.embedding(every), lengths)
    assert torch.allclose(objects[there][:, :6], states, rtol=0, atol=1e-12)
    expected = torch.autograd.grad((states * weights[there][:, :6]).sum(), list(encoder.parameters()))
    for one, other in zip(gradients, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-10)
    assert encoder(torch.zeros(2, 3, 4, dtype=torch.int64))[0].shape == (2, 3, 26)


def test_tags_are_spread_while_training_only() -> None:
    encoder = SentenceEncoder(SentenceConfig(units=3, embedding=4, sentences=2, spread=5), 9)
    words = torch.ones(64, 2, 2, dtype=torch.int64)
    torch.manual_seed(0)
    tags = encoder(words)[0][..., 3:].argmax(-1)
    assert set((tags[:, 1]).tolist()) == set(range(6)) and (tags[:, 0] == tags[:, 1] + 1).all()
    encoder.eval()
    assert encoder(words)[0][0, :, 3:].argmax(-1).tolist() == [1, 0]


class InBfloat16Error(Exception):
    """What the math library of a processor without bfloat16 raises."""


def refusing(module: torch.nn.Module, given: tuple[Any, ...]) -> None:
    if torch.is_autocast_enabled("cpu") or any(t.dtype != torch.float32 for t in given if isinstance(t, torch.Tensor)):
        raise InBfloat16Error


def test_an_lstm_computes_in_full_precision_whatever_surrounds_it() -> None:
    torch.manual_seed(0)
    encoder = QuestionEncoder(QuestionConfig(8, 6), 9)
    words = torch.randint(1, 9, (5, 7))
    words[2, 4:] = 0
    exact = encoder(words)
    exact.sum().backward()
    wanted = {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}
    encoder.zero_grad()
    encoder.lstm.register_forward_pre_hook(refusing)
    with torch.autocast("cpu", torch.bfloat16):
        states = encoder(words)
    assert states.dtype == torch.bfloat16  # what follows is in the precision that was asked for
    assert torch.equal(states, exact.to(torch.bfloat16))
    states.float().sum().backward()
    for name, p in encoder.named_parameters():
        assert p.grad is not None
        torch.testing.assert_close(p.grad, wanted[name], rtol=1e-4, atol=1e-5)
    empty = torch.zeros(2, 0, dtype=torch.int64)
    with torch.autocast("cpu", torch.bfloat16):
        assert encoder(empty).shape == (2, 8)
