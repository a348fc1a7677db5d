"""Losses of answers: those of NS-CL (Mao et al., ICLR 2019) for each kind of answer.

A reference answer is one number: 1 or 0 for a truth, the count for a number, the concept's place for a word. Q
questions, C concepts.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from ...dsl.domain import Domain
from ...dsl.kinds import NUMBER, TRUTH, WORD, Kind
from ...errors import DataError
from ...executors.soft.algebras import Logit
from ...executors.soft.executor import SoftAnswers, SoftValues

MISMATCH = 10.0  # NS-CL's loss of an answer of the wrong kind: a word where the reference is a number


def encode_answer(answer: str, kind: Kind, domain: Domain) -> float:
    """A reference answer, as released files spell it, as a number; not a number (NaN) if it is of another kind.

    Raises:
        DataError: the program's answer is a set or an object, which has no such spelling.
    """
    if kind not in (TRUTH, NUMBER, WORD):
        raise DataError(f"a program whose answer is of kind '{kind.name}' cannot be learned from")
    if kind is TRUTH:
        return {"yes": 1.0, "no": 0.0}.get(answer, math.nan)
    if kind is NUMBER:
        return float(answer) if answer.isascii() and answer.isdecimal() else math.nan
    return float(domain.answer_index.get(answer, math.nan))


def answer_losses(answers: SoftAnswers, targets: Tensor) -> Tensor:
    """(Q,) the loss of each answer: cross-entropy over all concepts for words, binary for truths, |a - b| for numbers.

    `targets` (Q,) are encoded answers; where one is NaN, and where a program has no answer because its scene has no
    object, the loss is the constant 10.
    """
    losses = targets.new_zeros(len(targets))
    for part in answers.parts:
        target = targets.index_select(0, part.questions)
        scored = target.isfinite() & ~answers.unanswered.index_select(0, part.questions)
        loss = _loss(part, target.nan_to_num(), isinstance(answers.algebra, Logit))
        losses = losses.index_add(0, part.questions, torch.where(scored, loss, MISMATCH).to(losses.dtype))
    return losses


def _loss(part: SoftValues, target: Tensor, logits: bool) -> Tensor:
    values = part.values.float()
    if part.kind is NUMBER:
        return (values - target).abs()
    if part.kind is TRUTH:
        if logits:
            return F.binary_cross_entropy_with_logits(values, target, reduction="none")
        return F.binary_cross_entropy(values.clamp(0, 1), target, reduction="none")  # its logarithms are bounded
    if part.kind is WORD:
        scores = values if logits else values.clamp_min(torch.finfo(values.dtype).tiny).log()
        return F.cross_entropy(scores, target.long(), reduction="none")
    raise DataError(f"an answer of kind '{part.kind.name}' cannot be learned from")


@torch.no_grad()
def right_answers(answers: SoftAnswers, targets: Tensor) -> Tensor:
    """(Q,) bool, which answers are the reference answers, decoded as `SoftAnswers.decode` does."""
    right = torch.zeros(len(targets), dtype=torch.bool, device=targets.device)
    for part in answers.parts:
        if part.kind is NUMBER:
            decoded = part.values.float().round()
        elif part.kind is TRUTH:
            decoded = (part.values > answers.algebra.even).float()
        else:
            decoded = part.likeliest(answers.schedule.domain).float()
        right[part.questions] = decoded == targets.index_select(0, part.questions)
    return right & ~answers.unanswered
