"""Losses by kind of answer, against the formulas; gradients; answers that are of the wrong kind."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nsreason.dsl.domain import load_domain
from nsreason.dsl.kinds import NUMBER, OBJECTS, TRUTH, WORD
from nsreason.errors import DataError
from nsreason.executors.soft.algebras import algebra
from nsreason.executors.soft.executor import QuasiSymbolic, SoftAnswers
from nsreason.executors.soft.grounding import Grounded, ground_crisp
from nsreason.models.nscl.losses import MISMATCH, answer_losses, encode_answer, right_answers
from nsreason.programs.text_reader import parse_program
from nsreason.scenes.scene import Scene

CLEVR = load_domain("clevr")
SCENE = Scene.of(
    "clevr",
    [
        {"size": "large", "color": "red", "material": "metal", "shape": "cube"},
        {"size": "small", "color": "red", "material": "rubber", "shape": "sphere"},
        {"size": "small", "color": "blue", "material": "rubber", "shape": "sphere"},
    ],
    relationships={r: [[], [], []] for r in CLEVR.relations},
)
PROGRAMS = [
    parse_program(p)
    for p in (
        "exist(filter[red](scene()))",
        "count(filter[red](scene()))",
        "query[color](unique(filter[cube](scene())))",
        "count(filter[sphere](scene()))",
    )
]


def answered(name: str = "logit", scale: float = 1.0) -> tuple[SoftAnswers, Tensor]:
    """Soft answers on degrees that are no longer crisp, and the degrees of concepts, which need gradients."""
    soft = algebra(name)
    crisp = ground_crisp([SCENE], soft)
    noise = torch.randn(crisp.concepts.shape, generator=torch.Generator().manual_seed(3)) * scale
    concept_degrees = crisp.concepts * 0.1 + noise if name == "logit" else (crisp.concepts * 0.8 + 0.1)
    concepts = concept_degrees.requires_grad_()
    words = crisp.words * 0.1 if name == "logit" else crisp.words * 0.9 + 0.01
    grounded = Grounded(CLEVR, crisp.present, concepts, crisp.relations, crisp.alike, words, crisp.nothing)
    return QuasiSymbolic(soft)(PROGRAMS, grounded, [0] * len(PROGRAMS)), concepts


def targets(*answers: str) -> Tensor:
    return torch.tensor([encode_answer(a, p.kind, CLEVR) for a, p in zip(answers, PROGRAMS, strict=True)])


def test_each_kind_has_its_loss() -> None:
    answers, _ = answered()
    losses = answer_losses(answers, targets("yes", "2", "red", "5"))
    truth, numbers, words = answers.truths, answers.numbers, answers.words
    assert truth is not None and numbers is not None and words is not None
    count = dict(zip(numbers.questions.tolist(), numbers.values.tolist(), strict=True))
    assert losses[0].item() == pytest.approx(math.log1p(math.exp(-truth.values[0].item())), rel=1e-5)
    assert losses[1].item() == pytest.approx(abs(count[1] - 2), rel=1e-5)
    assert losses[3].item() == pytest.approx(abs(count[3] - 5), rel=1e-5)
    scores = words.values[0]
    red = CLEVR.concept_index["red"]
    assert losses[2].item() == pytest.approx((torch.logsumexp(scores, 0) - scores[red]).item(), rel=1e-5)


@pytest.mark.parametrize("name", ["goedel", "product"])
def test_degrees_are_probabilities(name: str) -> None:
    answers, concepts = answered(name)
    losses = answer_losses(answers, targets("yes", "2", "red", "1"))
    assert answers.truths is not None and answers.words is not None
    assert losses[0].item() == pytest.approx(-math.log(answers.truths.values[0].item()), rel=1e-4)
    word = answers.words.values[0]
    expected = -math.log((word[CLEVR.concept_index["red"]] / word.sum()).item())
    assert losses[2].item() == pytest.approx(expected, rel=1e-4)
    losses.sum().backward()
    assert concepts.grad is not None and concepts.grad.isfinite().all()


def test_the_right_answer_costs_least_and_a_step_downhill_helps() -> None:
    answers, concepts = answered()
    right = targets("yes", "2", "red", "2")
    before = answer_losses(answers, right).sum()
    before.backward()
    assert concepts.grad is not None
    soft = QuasiSymbolic(algebra("logit"))
    crisp = ground_crisp([SCENE], soft.algebra)
    moved = concepts.detach() - 0.05 * concepts.grad
    grounded = Grounded(CLEVR, crisp.present, moved, crisp.relations, crisp.alike, crisp.words * 0.1, crisp.nothing)
    after = answer_losses(soft(PROGRAMS, grounded, [0] * 4), right).sum()
    assert after.item() < before.item()
    exact = soft(PROGRAMS, crisp, [0] * 4)
    assert answer_losses(exact, right).max().item() < 0.01 and right_answers(exact, right).all()


def test_an_answer_of_the_wrong_kind_costs_a_constant_and_teaches_nothing() -> None:
    answers, concepts = answered()
    wrong = targets("red", "yes", "3", "blue")
    assert wrong.isnan().all()
    losses = answer_losses(answers, wrong)
    assert losses.tolist() == [MISMATCH] * 4 and not right_answers(answers, wrong).any()
    losses.sum().backward()
    assert concepts.grad is not None and (concepts.grad == 0).all()


def test_right_answers_are_those_of_decode() -> None:
    answers, _ = answered(scale=3.0)
    decoded = answers.decode()
    spelled = ["yes" if decoded[0] else "no", str(decoded[1]), str(decoded[2]), str(decoded[3])]
    assert right_answers(answers, targets(*spelled)).all()
    others = ["no" if decoded[0] else "yes", "9", "rubber", "8"]
    assert not right_answers(answers, targets(*others)).any()


@pytest.mark.parametrize(
    ("answer", "kind", "expected"),
    [
        ("yes", TRUTH, 1.0),
        ("no", TRUTH, 0.0),
        ("10", NUMBER, 10.0),
        ("cyan", WORD, float(CLEVR.concept_index["cyan"])),
    ],
)
def test_encoded_answers(answer: str, kind: object, expected: float) -> None:
    assert encode_answer(answer, kind, CLEVR) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", ["-1", "²", "1.5", "", "no"])
def test_what_is_no_count(answer: str) -> None:
    assert math.isnan(encode_answer(answer, NUMBER, CLEVR))


def test_sets_cannot_be_learned_from() -> None:
    with pytest.raises(DataError, match="kind 'objects' cannot be learned from"):
        encode_answer("0", OBJECTS, CLEVR)
