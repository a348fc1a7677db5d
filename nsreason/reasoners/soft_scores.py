"""How sure execution by degrees is of its answers.

    soft_replies(learner.executor, programs, grounded, which)      # a Reply for each program

The answers are those of NS-CL's evaluation (the likeliest object, counts of members); scores are probabilities of soft
execution, as in training, where nothing is decided before the end:

* truth: the degree of yes, and of no.
* word: the share of each concept, among the values of what is asked for.
* number: of a `count`, the probability that so many objects are members, were their memberships independent; of other
  numbers, how near the expected one is (1 - |difference|).
* object: the share of each; a set: the probability of just these members.

Where soft execution holds another answer for likelier than the one that is given, the given one stands alone with its
probability: an uncertain answer then scores low.

Q programs, K of them with answers of one kind, N objects.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..dsl.kinds import NUMBER, OBJECT, OBJECTS, TRUTH, WORD
from ..errors import ExecutionError
from ..executors.answers import Answer, spell
from ..executors.soft.executor import QuasiSymbolic, SoftAnswers, SoftValues
from ..executors.soft.grounding import Grounded
from ..executors.soft.schedule import schedule
from ..programs.program import Program
from ..queries.query import Reply


@torch.no_grad()
def soft_replies(
    executor: QuasiSymbolic,
    programs: Sequence[Program],
    grounded: Grounded,
    which: Sequence[int],
    *,
    scored: bool = True,
) -> list[Reply]:
    """The answers of programs, program q on scene `which[q]`, with their scores.

    A program without an answer has the error that says why, as in `SoftAnswers.decode`.

    Args:
        executor: as in training.
        scored: False leaves scores out, which take as long as the answers.

    Raises:
        ExecutionError: programs and scenes do not fit together.
    """
    if not programs:
        return []
    plan = schedule(programs)
    decoded = executor.evaluation()(plan, grounded, which).decode()
    if not scored:
        return [Reply(None, error=a) if isinstance(a, ExecutionError) else Reply(spell(a)) for a in decoded]
    soft = executor(plan, grounded, which, keep=True)
    replies = {q: Reply(None, error=answer) for q, answer in enumerate(decoded) if isinstance(answer, ExecutionError)}
    for whole in soft.parts:
        good = [k for k, q in enumerate(whole.questions.tolist()) if q not in replies]
        part = whole.rows(torch.tensor(good, dtype=torch.int64, device=whole.values.device))
        questions = part.questions.tolist()
        answers = [a for q in questions if not isinstance(a := decoded[q], ExecutionError)]
        scores = _scores(soft, part, [programs[q] for q in questions], answers) if questions else []
        replies |= {q: _reply(spell(a), own) for q, a, own in zip(questions, answers, scores, strict=True)}
    return [replies[q] for q in range(len(programs))]


def _reply(answer: str, scores: dict[str, float]) -> Reply:
    own = scores.get(answer, 0.0)
    return Reply(answer, scores if own >= max(scores.values(), default=0.0) and scores else {answer: own})


def _scores(
    soft: SoftAnswers, part: SoftValues, programs: Sequence[Program], answers: Sequence[Answer]
) -> list[dict[str, float]]:
    """The scores of the answers of one kind."""
    if part.kind is NUMBER:
        return _of_numbers(soft, part, programs, answers)
    shares = soft.algebra.probability(part.values.float(), part.kind).clamp(0, 1).cpu()
    if part.kind is TRUTH:
        return [{"yes": p, "no": 1.0 - p} for p in shares.tolist()]
    if part.kind is OBJECTS:
        sure = torch.where(shares > 0.5, shares, 1 - shares).prod(-1)
        return [{spell(a): p} for a, p in zip(answers, sure.tolist(), strict=True)]
    assert part.kind in (WORD, OBJECT)
    names: Sequence[str] = [str(i) for i in range(shares.shape[-1])]
    if part.kind is WORD:
        names = programs[0].domain.answer_words
        own = part.values.float().masked_fill(~part.choices(programs[0].domain), soft.algebra.nothing)
        shares = soft.algebra.probability(own, WORD).clamp(0, 1).cpu()
    shares = shares / shares.sum(-1, keepdim=True).clamp_min(torch.finfo(shares.dtype).tiny)
    scores: list[dict[str, float]] = [{} for _ in range(len(shares))]
    for score, row in zip(scores, shares.tolist(), strict=True):
        for name, p in zip(names, row, strict=True):
            if p > 0:
                score[name] = score.get(name, 0.0) + p  # several values may have one answer word
    return scores


def _of_numbers(
    soft: SoftAnswers, part: SoftValues, programs: Sequence[Program], answers: Sequence[Answer]
) -> list[dict[str, float]]:
    questions = part.questions.tolist()
    counts = [k for k, p in enumerate(programs) if p.steps[-1].op.name == "count"]
    scores = [
        {spell(a): max(0.0, 1.0 - abs(v - float(spell(a))))}
        for a, v in zip(answers, part.values.float().tolist(), strict=True)
    ]
    if counts:
        sets = [soft.value(questions[k], programs[k].inputs[-1][0]) for k in counts]
        shares = how_many(soft.algebra.probability(torch.stack(sets).float(), OBJECTS).clamp(0, 1)).cpu().tolist()
        for k, row in zip(counts, shares, strict=True):
            scores[k] = {str(number): p for number, p in enumerate(row) if p > 0}
    return scores


def how_many(members: Tensor) -> Tensor:
    """(K, N) probabilities of membership -> (K, N + 1), the probability of each number of members."""
    counted = torch.nn.functional.pad(torch.ones_like(members[:, :1]), (0, members.shape[1]))
    for p in members.unbind(-1):
        counted = counted * (1 - p)[:, None] + torch.nn.functional.pad(counted[:, :-1], (1, 0)) * p[:, None]
    return counted
