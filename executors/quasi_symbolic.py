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

from collections.abc import Callable, Sequence
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
from .soft_schedule import Group, Read, Schedule, facts_of, schedule


class _Tables:
    """The tables of a batch of scenes, by the names that views give them, each read in one piece.

    Ops read per call; a read is a row of a flat table, (S * literals, ...). `rows` gathers any of them. What an op is
    known to read is gathered for all groups at once, which saves most of the small operations of a batch, and in the
    backward pass a gradient of the whole table for every group.
    """

    def __init__(self, grounded: Grounded, algebra: SoftAlgebra) -> None:
        self._grounded = grounded
        self._everything = torch.where(
            grounded.present,
            algebra.degree(grounded.present, grounded.concepts.dtype),
            grounded.concepts.new_tensor(algebra.nothing),
        )

    def everything(self, scenes: Tensor) -> Tensor:
        """The set of all objects, (K, N), and nothing else."""
        return self._everything.index_select(0, scenes)

    def rows(self, name: str, scenes: Tensor, literal: Any) -> Tensor:
        """Row k: the entry of `literal[k]` in the table of scene `scenes[k]`."""
        if name == "everything":
            return self.everything(scenes)
        table: Tensor = getattr(self._grounded, _TABLE_OF[name])
        rows = table.flatten(0, 1).index_select(0, scenes * table.shape[1] + literal)
        if name == "converse":
            return rows.transpose(-1, -2)
        if name == "repeats":
            later = torch.ones(rows.shape[-2:], dtype=torch.bool, device=rows.device).triu(1)
            # Not later is the same as absent: the self mask's degree, which the diagonal holds, would differ by model.
            return torch.where(later, rows, rows.new_tensor(self._grounded.nothing))
        return rows


_TABLE_OF = {
    "concept": "concepts",
    "relation": "relations",
    "converse": "relations",
    "alike": "alike",
    "repeats": "alike",
    "values": "words",
}


class SoftView:
    """The View of a group of calls, each on its own scene. `ready` holds what was gathered for it beforehand, by table
    and literal."""

    def __init__(
        self, tables: _Tables, literals: tuple[Tensor, ...], ready: dict[Read, Tensor], scenes: Callable[[], Tensor]
    ) -> None:
        self._tables, self._literals, self._ready, self._scenes = tables, literals, ready, scenes

    def _rows(self, name: str, literal: Any) -> Tensor:
        for place, mine in enumerate(self._literals):
            if literal is mine:
                return self._ready[Read(name, place)]
        return self._tables.rows(name, self._scenes(), literal)  # a literal of the op's own

    def everything(self) -> Tensor:
        return self._ready[Read("everything", -1)]

    def concept(self, concept: Any) -> Tensor:
        return self._rows("concept", concept)

    def relation(self, relation: Any) -> Tensor:
        return self._rows("relation", relation)

    def converse(self, relation: Any) -> Tensor:
        return self._rows("converse", relation)

    def alike(self, attribute: Any) -> Tensor:
        return self._rows("alike", attribute)

    def repeats(self, attribute: Any) -> Tensor:
        return self._rows("repeats", attribute)

    def values(self, attribute: Any) -> Tensor:
        return self._rows("values", attribute)


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
        plan = programs if isinstance(programs, Schedule) else schedule(programs)
        if plan.domain != grounded.domain:
            raise ExecutionError(
                f"the programs are of domain '{plan.domain.name}', the scenes of '{grounded.domain.name}'"
            )
        if grounded.n == 0:  # no object anywhere: an empty place lets every op run as it is
            grounded = grounded.padded(1)
        index, scenes = _on_device(plan, self._scenes(plan, grounded, which), grounded.concepts.device)
        run = _Run(self.algebra, plan, index, scenes, grounded)
        results: list[Tensor] = []
        for g, group in enumerate(plan.groups):
            results.append(run.group(g, group, results))
        parts = tuple(
            SoftValues(a.kind, run.pieces[a.questions], results[a.group].index_select(0, run.pieces[a.rows]))
            for a in plan.answers
        )
        return SoftAnswers(plan, self.algebra, parts, tuple(results) if keep else ())

    @staticmethod
    def _scenes(plan: Schedule, grounded: Grounded, which: Sequence[int] | Tensor | None) -> Tensor:
        scenes = torch.arange(plan.programs) if which is None else torch.as_tensor(which)
        if scenes.shape != (plan.programs,):
            raise ExecutionError(f"{plan.programs} programs need as many scenes, got {tuple(scenes.shape)}")
        if scenes.is_floating_point() or scenes.dtype == torch.bool:
            raise ExecutionError(f"scenes are named by whole numbers, got {scenes.dtype}")
        on_host = scenes.device.type == "cpu"  # a check on the device would wait for it
        if on_host and not 0 <= int(scenes.min()) <= int(scenes.max()) < len(grounded):
            raise ExecutionError(f"a scene index is outside 0..{len(grounded) - 1}")
        return scenes.to(torch.int64)


def _on_device(plan: Schedule, scenes: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """The schedule's index and the scenes on the device, in one transfer where both are on the host."""
    if device.type != "cpu" and plan.index.device.type == scenes.device.type == "cpu":
        both = torch.cat([plan.index, scenes]).to(device, non_blocking=True)
        return both[: len(plan.index)], both[len(plan.index) :]
    return plan.index.to(device, non_blocking=True), scenes.to(device, non_blocking=True)


class _Run:
    """One execution of a schedule."""

    def __init__(
        self, algebra: Logit | Goedel | Product, plan: Schedule, index: Tensor, scenes: Tensor, grounded: Grounded
    ) -> None:
        self.algebra = algebra
        self.pieces = torch.split(index, list(plan.sizes))
        self.scenes = scenes.index_select(0, self.pieces[0])  # (M,)
        self.tables = _Tables(grounded, algebra)
        self.present, self.nothing = grounded.present, grounded.nothing
        self.dtype = grounded.concepts.dtype
        # float32 holds whole numbers up to 2^24, half precision only up to 2,048 and 256
        self.number_dtype = self.dtype if self.dtype.itemsize >= 4 else torch.float32
        self.everything_crisp = algebra.config.quantisation == "everything"
        self.ready: list[dict[Read, Tensor]] = [{} for _ in plan.groups]
        for lookup in plan.lookups:
            literals = self.pieces[lookup.literals] if lookup.literals >= 0 else None
            rows = self.tables.rows(lookup.table, scenes.index_select(0, self.pieces[lookup.rows]), literals)
            for (g, read), mine in zip(lookup.wanted, torch.split(rows, list(lookup.sizes)), strict=True):
                self.ready[g][read] = mine

    def group(self, g: int, group: Group, results: list[Tensor]) -> Tensor:
        """The values of a group's calls, (K, ...)."""
        op = group.op
        inputs = []
        for source in group.sources:
            found = results[source.groups[0]]
            if len(source.groups) > 1:
                found = torch.cat([results[s] for s in source.groups])
            inputs.append(found if source.rows < 0 else found.index_select(0, self.pieces[source.rows]))
        literals = tuple([self.pieces[piece] for piece in group.literals])

        def mine() -> Tensor:
            return self.scenes.narrow(0, group.start, group.calls)

        view = SoftView(self.tables, literals, self.ready[g], mine)
        value: Tensor = op.apply(self.algebra, view, literals, tuple(inputs))
        if op.result is NUMBER:
            value = value.to(self.number_dtype)
        elif value.dtype != self.dtype:
            value = value.to(self.dtype)
        if value.dim() == 0:  # an op that says the same of every scene
            value = value.expand(group.calls)
        if op.result is OBJECTS:
            if facts_of(op).makes_set:  # in a scene without objects, of a place that is none
                value = torch.where(self.present.index_select(0, mine()), value, value.new_tensor(self.nothing))
            if self.everything_crisp:
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
