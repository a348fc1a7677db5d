"""What is measured of soft execution: official questions on grounded scenes, forward and backward, on one core.

A batch is consecutive questions of the file with the scenes they ask about (ten questions to a scene); its tables are
leaves, and every answer is summed into the number that is differentiated, so that each table gets its whole gradient.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from nsreason.data.questions import QuestionRecord, read_questions
from nsreason.data.scenes import load_scenes
from nsreason.dsl.domain import load_domain
from nsreason.executors import execute, spell
from nsreason.executors.soft.algebras import ALGEBRAS, Goedel, Logit, Product, algebra
from nsreason.executors.soft.executor import QuasiSymbolic
from nsreason.executors.soft.grounding import Grounded, ground_crisp
from nsreason.executors.soft.schedule import Schedule, schedule
from nsreason.programs.program import Program
from nsreason.scenes.scene import Scene

from .core import Row, per_second, rate

FLOOR, AIM = 25_000, 50_000
SIZES = (32, 128, 512, 2048, 4096)


class Questions:
    """The questions of a data folder, as programs and the places of their scenes."""

    def __init__(self, data: Path) -> None:
        domain = load_domain("clevr")
        file = load_scenes(data / "clevr/CLEVR_train_scenes.json", domain)
        lines = read_questions(data / "clevr/CLEVR_train_questions.json")
        records = [q for q in lines if isinstance(q, QuestionRecord)]
        programs = [q.given_program(domain) for q in records]
        self.programs = [p for p in programs if p is not None]
        assert len(self.programs) == len(records), "a question has no program"
        self.scenes = [file.by_index(q.image_index) for q in records]
        self.answers = [q.answer for q in records]

    def __len__(self) -> int:
        return len(self.programs)

    def batch(self, size: int) -> tuple[list[Program], list[Scene], list[int]]:
        """The first questions, the scenes that they ask about, and which of these each asks about."""
        place: dict[int, int] = {}
        scenes: list[Scene] = []
        for scene in self.scenes[:size]:
            if id(scene) not in place:
                place[id(scene)] = len(scenes)
                scenes.append(scene)
        return self.programs[:size], scenes, [place[id(s)] for s in self.scenes[:size]]


def pass_of(
    k: Logit | Goedel | Product, grounded: Grounded, which: Tensor
) -> Callable[[Schedule], tuple[Tensor | None, ...]]:
    """Forward and backward of a scheduled batch."""
    names = ("concepts", "relations", "alike", "words")
    leaves = {name: getattr(grounded, name).clone().requires_grad_() for name in names}
    tables = Grounded(grounded.domain, grounded.present, **leaves, nothing=grounded.nothing)
    soft = QuasiSymbolic(k)

    def run(plan: Schedule) -> tuple[Tensor | None, ...]:
        score = torch.stack([part.values.sum() for part in soft(plan, tables, which).parts]).sum()
        return torch.autograd.grad(score, list(leaves.values()))

    return run


def measure_soft(data: Path, *, seconds: float) -> Iterator[Row]:
    """Every row, in the order of the table."""
    torch.set_num_threads(1)
    questions = Questions(data)
    _check(questions)
    for name in ALGEBRAS:
        k = algebra(name)
        programs, scenes, which = questions.batch(512)
        run, plan = pass_of(k, ground_crisp(scenes, k), torch.tensor(which)), schedule(programs)
        whole = rate(lambda run=run, programs=programs: run(schedule(programs)), 512, seconds)
        yield per_second(f"soft, {name}, batch 512, forward and backward, scheduling included", whole, FLOOR, AIM)
        yield per_second("the same, scheduled before", rate(lambda run=run, plan=plan: run(plan), 512, seconds))
        soft, grounded = QuasiSymbolic(k), ground_crisp(scenes, k)
        ahead = rate(lambda s=soft, p=plan, g=grounded, w=which: s(p, g, w), 512, seconds)
        yield per_second("forward alone, scheduled before", ahead)
        if name == "logit":
            alone = rate(lambda programs=programs: schedule(programs), 512, seconds)
            share = 100 * whole / alone
            yield Row("scheduling, share of the time of a whole batch", f"{share:.0f} %", share, "20 %")
    k = Logit()
    for size in SIZES:
        programs, scenes, which = questions.batch(size)
        run = pass_of(k, ground_crisp(scenes, k), torch.tensor(which))
        groups = len(schedule(programs).groups)
        got = rate(lambda run=run, programs=programs: run(schedule(programs)), size, seconds)
        took = size / got * 1e3
        yield Row(f"logit, batch {size:,}, {groups} groups of calls", f"{took:.2f} ms, {got:,.0f}/s", got)
    yield from _grounding(questions, seconds)


def _check(questions: Questions) -> None:
    """All answers right in all algebras, or there is nothing to time."""
    for name in ALGEBRAS:
        for quantisation in ("none", "standard", "everything"):
            k = algebra(name, quantisation)
            programs, scenes, which = questions.batch(len(questions))
            answers = QuasiSymbolic(k)(programs, ground_crisp(scenes, k), which).decode()
            assert list(map(spell, answers)) == questions.answers, f"{name}-{quantisation}: wrong answers"


def _grounding(questions: Questions, seconds: float) -> Iterator[Row]:
    k = Logit()
    _, scenes, _ = questions.batch(512)
    got = rate(lambda: ground_crisp(scenes, k), len(scenes), seconds)
    yield per_second("crisp scenes grounded", got)
    program = random.Random(0).choice(questions.programs)
    scene = questions.scenes[questions.programs.index(program)]
    grounded, soft = ground_crisp([scene], k), QuasiSymbolic(k)
    assert soft([program], grounded).decode() == [execute(program, scene)]
    yield per_second("one program at a time, forward", rate(lambda: soft([program], grounded), 1, seconds))
