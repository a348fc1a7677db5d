"""Quasi-symbolic execution: programs on degrees, differentiable, whole batches at once.

    soft = QuasiSymbolic(Logit())
    answers = soft(programs, grounded, which)        # program q on scene which[q]
    answers.truths, answers.numbers, answers.words   # values with gradients, by kind
    answers.decode()                                 # as `execute_batch` would say them

A program has no answer, and an error in its place, where it takes the single object of a set in a scene without any
object, and where a table that it reads holds what is no degree. A set that is only unlikely to have a member is no such
case: there `unique` takes the likeliest object, as NS-CL does.

The ops are those of the op table, run on tensors: all calls of one op in one turn of the batch are one application
(soft_schedule). Cost grows with the depth of the programs, and only slowly with their number.

Numbers are float32, or float64 where the tables are: whole numbers up to 2^24, or 2^53, are exact.

Q programs, S scenes, N objects, C concepts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...dsl.domain import Domain, Step
from ...dsl.kinds import NUMBER, TRUTH, WORD, Kind
from ...errors import ExecutionError, NoSingleValue
from ...programs.program import Program
from ..answers import Answer
from .algebras import Goedel, Logit, Product, SoftAlgebra, hardened
from .faults import faults_of
from .grounding import SoftWorlds, own_values
from .run import Run, on_device
from .schedule import Schedule, schedule


@dataclass(frozen=True)
class SoftValues:
    """The answers of one kind: `questions` (Qk,) are their programs, `values` (Qk, ...) their degrees.

    units: (Qk,) of words, the number of the attribute that each is a value of; A where any will do.
    """

    kind: Kind
    questions: Tensor
    values: Tensor
    units: Tensor | None = None

    def rows(self, places: Tensor) -> SoftValues:
        """Select the answers at these places."""
        units = None if self.units is None else self.units[places]
        return SoftValues(self.kind, self.questions[places], self.values[places], units)

    def choices(self, domain: Domain) -> Tensor:
        """Mark the concepts that may be the answer, (Qk, C) bool: the values of the attribute that the query names."""
        assert self.units is not None
        return own_values(domain, self.values.device)[self.units]

    def likeliest(self, domain: Domain) -> Tensor:
        """Return the likeliest word that may be the answer, or the likeliest object, (Qk,)."""
        values = self.values.detach()
        if self.kind is WORD:
            values = values.masked_fill(~self.choices(domain), -torch.inf)
        return values.argmax(dim=-1)


@dataclass(frozen=True)
class SoftAnswers:
    """The answers of a batch, by kind; with `keep`, every call's value as well.

    scenes: (Q,) the scene of each program.
    unanswered: (Q,) bool, the programs that take the single object of a set in a scene without any object. Their values
        mean nothing: no loss should be made of them.
    """

    schedule: Schedule
    algebra: SoftAlgebra
    parts: tuple[SoftValues, ...]
    grounded: SoftWorlds = field(repr=False)
    scenes: Tensor = field(repr=False)
    unanswered: Tensor = field(repr=False)
    results: tuple[Tensor, ...] = field(default=(), repr=False)

    def of_kind(self, kind: Kind) -> SoftValues | None:
        """Return the answers of a kind; None when no program of the batch has one."""
        mine = [p for p in self.parts if p.kind is kind]
        if not mine:
            return None
        if len(mine) == 1:
            return mine[0]
        units = [p.units for p in mine if p.units is not None]
        return SoftValues(
            kind,
            torch.cat([p.questions for p in mine]),
            torch.cat([p.values for p in mine]),
            torch.cat(units) if units else None,
        )

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

    def decode(self) -> list[Answer | ExecutionError]:
        """Return answers in the order of the programs: yes above even, the likeliest word or object, counts rounded.

        A word is one of the values of the attribute that is asked for. A program without an answer has the error that
        says why in its place (see the module), as in `execute_batch`.
        """
        out: list[Any] = [None] * self.schedule.programs
        for part in self.parts:
            for q, answer in zip(part.questions.tolist(), self.read(part), strict=True):
                out[q] = answer
        for q, error in faults_of(self.schedule, self.grounded, self.scenes).items():
            out[q] = error
        return out

    def read(self, part: SoftValues) -> list[Answer | ExecutionError]:
        """Decode values of one kind to answers; a value that is not finite becomes an error."""
        values, domain = part.values.detach(), self.schedule.domain
        if part.kind is TRUTH:
            decoded: list[Any] = (values > self.algebra.even).tolist()
        elif part.kind is NUMBER:
            decoded = [round(v) if math.isfinite(v) else None for v in values.tolist()]
        elif part.kind is WORD:
            decoded = self._words(part, domain)
        elif part.kind.shape == "one":
            decoded = part.likeliest(domain).tolist()
        else:
            decoded = [tuple(np.flatnonzero(row).tolist()) for row in (values > self.algebra.even).cpu().numpy()]
        for k in np.flatnonzero(~values.isfinite().reshape(len(decoded), -1).all(dim=1).cpu().numpy()).tolist():
            first = values[k].flatten()
            wrong = float(first[~first.isfinite()][0])
            decoded[k] = ExecutionError(f"a {part.kind.name} came out as {wrong:g}; look for an op that overflows")
        return decoded

    def _words(self, part: SoftValues, domain: Domain) -> list[Any]:
        """Return the likeliest words; an error where an attribute is open and not just one of its values is likely."""
        words: list[Any] = [domain.answer_words[i] for i in part.likeliest(domain).tolist()]
        if not domain.open_attributes:
            return words
        assert part.units is not None
        likely = (part.values.detach() > self.algebra.even) & part.choices(domain)  # (Qk, C)
        for k, attribute in enumerate(part.units.tolist()):
            values = tuple([domain.concepts[c] for c in likely[k].nonzero().flatten().tolist()])
            if attribute in domain.open_attributes and len(values) != 1:
                words[k] = NoSingleValue(domain.attributes[attribute], None, values)
        return words

    def value(self, program: int, node: int) -> Tensor:
        """Return the value of one call, when the batch was run with `keep`."""
        group, row = self.schedule.places[self.schedule.starts[program] + node].tolist()
        value: Tensor = self.results[group][row]
        return value


class QuasiSymbolic:
    """The executor: an algebra, and the level schedule."""

    def __init__(self, algebra: Logit | Goedel | Product | None = None) -> None:
        self.algebra: Logit | Goedel | Product = algebra or Logit()

    def evaluation(self) -> QuasiSymbolic:
        """Return the same executor with NS-CL's evaluation: the likeliest object, counts of members."""
        return QuasiSymbolic(hardened(self.algebra))

    def __call__(
        self,
        programs: Sequence[Program] | Schedule,
        grounded: SoftWorlds,
        which: Sequence[int] | Tensor | None = None,
        *,
        keep: bool = False,
    ) -> SoftAnswers:
        """Run a batch; program q on scene `which[q]` (by default on scene q).

        Raises:
            ExecutionError: programs and scenes are of different domains, the tables hold the degrees of another
                algebra, or `which` does not fit.
        """
        plan = programs if isinstance(programs, Schedule) else schedule(programs)
        if plan.domain != grounded.domain:
            raise ExecutionError(
                f"the programs are of domain '{plan.domain.name}', the scenes of '{grounded.domain.name}'"
            )
        if grounded.nothing != self.algebra.nothing:
            scale = "logits" if grounded.nothing < 0 else "degrees in 0..1"
            raise ExecutionError(f"the tables hold {scale}, the algebra '{self.algebra.name}' takes others")
        if grounded.n == 0:  # no object anywhere: an empty place lets every op run as it is
            grounded = grounded.padded(1)
        index, scenes = on_device(plan, self._scenes(plan, grounded, which), grounded.device)
        run = Run(self.algebra, plan, index, scenes, grounded)
        results: list[Tensor] = []
        for g, group in enumerate(plan.groups):
            results.append(run.group(g, group, results))
        parts = tuple(
            SoftValues(
                a.kind,
                run.pieces[a.questions],
                results[a.group].index_select(0, run.pieces[a.rows]),
                run.pieces[a.units] if a.units >= 0 else None,
            )
            for a in plan.answers
        )
        unanswered = torch.zeros_like(scenes, dtype=torch.bool)
        for sort, piece in plan.singles:
            asked = torch.zeros_like(unanswered).index_fill(0, run.pieces[piece], True)
            unanswered |= asked & ~grounded.present_of(sort).any(dim=1).index_select(0, scenes)
        kept = tuple(results) if keep else ()
        return SoftAnswers(plan, self.algebra, parts, grounded, scenes, unanswered, kept)

    @staticmethod
    def _scenes(plan: Schedule, grounded: SoftWorlds, which: Sequence[int] | Tensor | None) -> Tensor:
        try:
            scenes = torch.arange(plan.programs) if which is None else torch.as_tensor(which)
        except (TypeError, ValueError, RuntimeError) as error:  # none that torch has a number for
            raise ExecutionError(f"scenes are named by whole numbers: {error}") from None
        if scenes.shape != (plan.programs,):
            raise ExecutionError(f"{plan.programs} programs need as many scenes, got {tuple(scenes.shape)}")
        if scenes.is_floating_point() or scenes.dtype == torch.bool:
            raise ExecutionError(f"scenes are named by whole numbers, got {scenes.dtype}")
        on_host = scenes.device.type == "cpu"  # a check on the device would wait for it
        if on_host and not 0 <= int(scenes.min()) <= int(scenes.max()) < len(grounded):
            raise ExecutionError(f"a scene index is outside 0..{len(grounded) - 1}")
        return scenes.to(torch.int64)


def _unit(step: Step, domain: Domain) -> Tensor | None:
    """Return the attribute that a call's word is a value of, (1,), as in `SoftValues.units`."""
    if step.gives is not WORD:
        return None
    return torch.tensor([domain.attribute_index.get(step.unit or "", len(domain.attributes))])
