"""Quasi-symbolic execution: programs on degrees, differentiable, whole batches at once.

    soft = QuasiSymbolic(Logit())
    answers = soft(programs, grounded, which)        # program q on scene which[q]
    answers.truths, answers.numbers, answers.words   # values with gradients, by kind
    answers.decode()                                 # as `execute` would say them

The ops are those of the op table, run on tensors: all calls of one op at one level of the batch are one application.
Cost grows with the depth of the programs, not with their number.

Q programs, S scenes, N objects, C concepts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..domain import Domain
from ..errors import ExecutionError
from ..kinds import NUMBER, OBJECT, OBJECTS, TRUTH, WORD, Kind
from ..program import Program
from ..scene import Scene
from ..trace import Trace
from .algebras import Goedel, Logit, Product, SoftAlgebra, hardened
from .answers import Answer
from .grounding import Grounded
from .soft_schedule import Group, Schedule, schedule


class SoftView:
    """The View of a group of calls, each on its own scene."""

    def __init__(self, grounded: Grounded, scene: Tensor, everything: Tensor) -> None:
        self.grounded, self.scene, self._everything = grounded, scene, everything

    def _rows(self, name: str, literals: int, literal: Any) -> Tensor:
        return self.grounded.table(name).index_select(0, self.scene * literals + literal)

    def everything(self) -> Tensor:
        return self._everything.index_select(0, self.scene)

    def concept(self, concept: Any) -> Tensor:
        return self._rows("concepts", self.grounded.concepts.shape[1], concept)

    def relation(self, relation: Any) -> Tensor:
        return self._rows("relations", self.grounded.relations.shape[1], relation)

    def converse(self, relation: Any) -> Tensor:
        return self._rows("converse", self.grounded.relations.shape[1], relation)

    def alike(self, attribute: Any) -> Tensor:
        return self._rows("alike", self.grounded.alike.shape[1], attribute)

    def repeats(self, attribute: Any) -> Tensor:
        return self._rows("repeats", self.grounded.alike.shape[1], attribute)

    def values(self, attribute: Any) -> Tensor:
        return self._rows("words", self.grounded.words.shape[1], attribute)


@dataclass(frozen=True)
class SoftValues:
    """The answers of one kind: `questions` (Qk,) are their programs, `values` (Qk, ...) their degrees."""

    kind: Kind
    questions: Tensor
    values: Tensor


@dataclass(frozen=True)
class SoftAnswers:
    """The answers of a batch, by kind; with `keep`, every call's value as well."""

    schedule: Schedule
    algebra: SoftAlgebra
    parts: tuple[SoftValues, ...]
    results: tuple[Tensor, ...] = field(default=(), repr=False)

    def of_kind(self, kind: Kind) -> SoftValues | None:
        """The answers of a kind; None when no program of the batch has one."""
        mine = [p for p in self.parts if p.kind is kind]
        if not mine:
            return None
        if len(mine) == 1:
            return mine[0]
        return SoftValues(kind, torch.cat([p.questions for p in mine]), torch.cat([p.values for p in mine]))

    @property
    def truths(self) -> SoftValues | None:
        """(Qk,) degrees of yes."""
        return self.of_kind(TRUTH)

    @property
    def numbers(self) -> SoftValues | None:
        """(Qk,) expected counts, not rounded."""
        return self.of_kind(NUMBER)

    @property
    def words(self) -> SoftValues | None:
        """(Qk, C) scores of the concepts: logits (Logit) or probabilities."""
        return self.of_kind(WORD)

    def decode(self) -> list[Answer]:
        """The answers in the order of the programs: yes above even, the likeliest word or object, counts rounded."""
        out: list[Any] = [None] * self.schedule.programs
        for part in self.parts:
            for q, answer in zip(part.questions.tolist(), self._decode(part), strict=True):
                out[q] = answer
        return out

    def _decode(self, part: SoftValues) -> list[Any]:
        values, domain = part.values.detach(), self.schedule.domain
        if part.kind is TRUTH:
            told: list[Any] = (values > self.algebra.even).tolist()
        elif part.kind is NUMBER:
            told = [int(v) for v in values.float().round().tolist()]
        elif part.kind is WORD:
            told = [domain.concepts[i] for i in values.argmax(dim=-1).tolist()]
        elif part.kind is OBJECT:
            told = values.argmax(dim=-1).tolist()
        else:
            told = [tuple(np.flatnonzero(row).tolist()) for row in (values > self.algebra.even).cpu().numpy()]
        return told

    def value(self, program: int, node: int) -> Tensor:
        """The value of one call, when the batch was run with `keep`."""
        group, row = self.schedule.places[self.schedule.starts[program] + node].tolist()
        value: Tensor = self.results[group][row]
        return value


class QuasiSymbolic:
    """The executor: an algebra, and the level schedule."""

    def __init__(self, algebra: Logit | Goedel | Product | None = None) -> None:
        self.algebra: Logit | Goedel | Product = algebra or Logit()

    def evaluation(self) -> QuasiSymbolic:
        """The same executor with NS-CL's evaluation: the likeliest object, counts of members."""
        return QuasiSymbolic(hardened(self.algebra))

    def __call__(
        self,
        programs: Sequence[Program] | Schedule,
        grounded: Grounded,
        which: Sequence[int] | Tensor | None = None,
        *,
        keep: bool = False,
    ) -> SoftAnswers:
        """Run a batch; program q on scene `which[q]` (by default on scene q).

        Raises:
            ExecutionError: programs and scenes are of different domains, or `which` does not fit.
        """
        device = grounded.concepts.device
        plan = programs if isinstance(programs, Schedule) else schedule(programs)
        plan = plan.to(device)
        if plan.domain != grounded.domain:
            raise ExecutionError(
                f"the programs are of domain '{plan.domain.name}', the scenes of '{grounded.domain.name}'"
            )
        scenes = self._scenes(plan, grounded, which, device)
        everything = torch.where(
            grounded.present,
            self.algebra.degree(grounded.present, grounded.concepts.dtype),
            grounded.concepts.new_tensor(self.algebra.nothing),
        )
        results: list[Tensor] = []
        for group in plan.groups:
            results.append(self._run(group, plan.index, results, grounded, scenes, everything))
        parts = tuple(
            SoftValues(a.kind, plan.index[a.questions], results[a.group].index_select(0, plan.index[a.rows]))
            for a in plan.answers
        )
        return SoftAnswers(plan, self.algebra, parts, tuple(results) if keep else ())

    @staticmethod
    def _scenes(
        plan: Schedule, grounded: Grounded, which: Sequence[int] | Tensor | None, device: torch.device
    ) -> Tensor:
        scenes = torch.arange(plan.programs) if which is None else torch.as_tensor(which, dtype=torch.int64)
        if scenes.shape != (plan.programs,):
            raise ExecutionError(f"{plan.programs} programs need as many scenes, got {tuple(scenes.shape)}")
        on_host = scenes.device.type == "cpu"  # a check on the device would wait for it
        if on_host and len(scenes) and not 0 <= int(scenes.min()) <= int(scenes.max()) < len(grounded):
            raise ExecutionError(f"a scene index is outside 0..{len(grounded) - 1}")
        return scenes.to(device)

    def _run(
        self,
        group: Group,
        index: Tensor,
        results: list[Tensor],
        grounded: Grounded,
        scenes: Tensor,
        everything: Tensor,
    ) -> Tensor:
        view = SoftView(grounded, scenes.index_select(0, index[group.questions]), everything)
        inputs = []
        for source in group.sources:
            found = results[source.groups[0]]
            if len(source.groups) > 1:
                found = torch.cat([results[g] for g in source.groups])
            inputs.append(found if source.whole else found.index_select(0, index[source.rows]))
        literals = tuple(index[s] for s in group.literals)
        value: Tensor = group.op.apply(self.algebra, view, literals, tuple(inputs))
        if group.op.result is NUMBER:
            value = value.to(grounded.concepts.dtype)
        if value.dim() == 0:  # an op that says the same of every scene
            value = value.expand(group.calls)
        if group.op.result is OBJECTS and self.algebra.config.quantisation == "everything":
            value = self.algebra.harden(value)
        return value


def trace_soft(
    program: Program, scene: Scene, grounded: Grounded, executor: QuasiSymbolic, question: str | None = None
) -> Trace:
    """The trace of one program on the first scene of `grounded`, with the degree of every object at every call."""
    soft = executor([program], grounded, [0], keep=True)
    values: list[Answer] = []
    degrees: list[tuple[float, ...] | None] = []
    for node, step in enumerate(program.steps):
        value = soft.value(0, node).detach()
        part = SoftValues(step.gives, torch.tensor([0]), value.unsqueeze(0))
        (answer,) = soft._decode(part)
        shown = soft.algebra.probability(value, step.gives)
        if step.gives is OBJECTS:
            answer = tuple(i for i in answer if i < len(scene))
        values.append(answer)
        told = step.gives in (OBJECTS, OBJECT)
        degrees.append(tuple(shown[: len(scene)].float().clamp(0, 1).tolist()) if told else None)
    return Trace.of_values(program, scene, values, question=question, degrees=degrees)


@dataclass(frozen=True)
class Influence:
    """How much an answer would move with each degree that it was computed from: gradients of the answer's score.

    concepts: (C, N); relations: (R, N, N).
    """

    domain: Domain
    score: float
    concepts: Tensor
    relations: Tensor

    def strongest(self, most: int = 5) -> list[tuple[str, int, float]]:
        """`(concept, object, gradient)` of the concept degrees that moved the answer most."""
        flat = self.concepts.abs().flatten()
        found = flat.topk(min(most, int((flat > 0).sum()))).indices.tolist()
        n = self.concepts.shape[1]
        return [(self.domain.concepts[i // n], i % n, float(self.concepts.flatten()[i])) for i in found]


def influence(program: Program, grounded: Grounded, executor: QuasiSymbolic, scene: int = 0) -> Influence:
    """Which object's which concept moved this answer: gradients of the decoded answer's score.

    Raises:
        ExecutionError: the program's answer is a set, which has no one score.
    """
    if program.kind is OBJECTS:
        raise ExecutionError("an answer that is a set of objects has no single score to explain")
    names = ("concepts", "relations", "alike", "words")
    tables = {name: getattr(grounded, name).detach().clone().requires_grad_() for name in names}
    leaf = Grounded(grounded.domain, grounded.present, **tables, nothing=grounded.nothing)
    with torch.enable_grad():
        answers = executor([program], leaf, [scene])
        value = answers.parts[0].values[0]
        score = value if value.dim() == 0 else value.max()
        grads = torch.autograd.grad(score, [tables["concepts"], tables["relations"]], allow_unused=True)
    concepts, relations = (
        g[scene] if g is not None else torch.zeros_like(t[scene])
        for g, t in zip(grads, (tables["concepts"], tables["relations"]), strict=True)
    )
    return Influence(grounded.domain, float(score.detach()), concepts, relations)
