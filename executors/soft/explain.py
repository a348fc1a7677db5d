"""Soft execution explained: degrees of each call, and what moved an answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...dsl.domain import Domain
from ...dsl.kinds import OBJECTS
from ...errors import ExecutionError, NotUnique
from ...programs.program import Program
from ...scenes.world import World
from ...traces.trace import Trace
from ..answers import Answer, spell
from .executor import QuasiSymbolic, SoftValues, _unit
from .grounding import Grounded, SoftWorlds


def trace_soft(
    program: Program,
    scene: World,
    grounded: SoftWorlds,
    executor: QuasiSymbolic,
    question: str | None = None,
    *,
    which: int = 0,
) -> Trace:
    """Return the trace of one program on scene `which` of `grounded`, with the degree of every object at every call.

    Where the scene has no object at all, a call that takes the single object of a set ends the trace, as in exact
    execution. The answer is that of `decode`.

    Args:
        scene: what the objects are called in the trace; its objects are the first of the grounded scene's places.

    Raises:
        ExecutionError: program, scene and tables do not fit together, or a table holds what is no degree.
    """
    if scene.size("object") > grounded.n:
        raise ExecutionError(f"a scene of {scene.size('object')} objects in tables of {grounded.n} places")
    with torch.no_grad():
        soft = executor([program], grounded, [which], keep=True)
    (decoded,) = soft.decode()
    if isinstance(decoded, ExecutionError) and not isinstance(decoded, NotUnique):
        raise decoded
    values: list[Answer] = []
    degrees: list[tuple[float, ...] | None] = [None] * len(program)
    for node, step in enumerate(program.steps):
        if isinstance(decoded, NotUnique) and decoded.node == node:
            return Trace.of_values(program, scene, values, decoded, question=question, degrees=degrees)
        value = soft.value(0, node)
        if step.gives.sort is not None:
            value = value[: scene.size(step.gives.sort)]
            shown = soft.algebra.probability(value, step.gives)
            degrees[node] = tuple(shown.float().clamp(0, 1).tolist())
        alone = SoftValues(step.gives, torch.tensor([0]), value.unsqueeze(0), _unit(step, program.domain))
        (answer,) = soft.read(alone)
        if isinstance(answer, ExecutionError):
            raise ExecutionError(answer.reason, node=node)
        values.append(answer)
    return Trace.of_values(program, scene, values, question=question, degrees=degrees)


@dataclass(frozen=True)
class Influence:
    """How much an answer would move with each degree that it was computed from: gradients of the answer's score.

    answer: what `decode` says. score: its degree (of no, where the answer is no), or the number itself.
    concepts: (C, N), of 'object n is c': as a member of sets, and as the answer to a query.
    relations: (R, N, N), at [r, i, j] of 'j is r of i'. alike: (A, N, N), of 'i and j share their value'.
    """

    domain: Domain
    answer: Answer
    score: float
    concepts: Tensor
    relations: Tensor
    alike: Tensor

    def strongest(self, most: int = 5) -> list[tuple[str, int, float]]:
        """Return `(concept, object, gradient)` of the concept degrees that moved the answer most."""
        names = self.domain.concepts
        return [(names[c], i, gradient) for (c, i), gradient in _strongest(self.concepts, most)]

    def strongest_links(self, most: int = 5) -> list[tuple[str, int, int, float]]:
        """Return `(name, i, j, gradient)` of the pairs that moved the answer most.

        j is in the relation `name` to i, or both share their value of the attribute `name`.
        """
        links = []
        for names, table in ((self.domain.relations, self.relations), (self.domain.attributes, self.alike)):
            links += [(names[r], i, j, gradient) for (r, i, j), gradient in _strongest(table, most)]
        return sorted(links, key=lambda link: -abs(link[3]))[:most]

    def to_text(self, scene: World | None = None, most: int = 5) -> str:
        """Write `yes, +0.83: object 2 red +0.41, object 1 left of object 0 -0.12`; a scene adds descriptions."""

        def name(i: int) -> str:
            described = scene.label("object", i) if scene is not None and i < scene.size("object") else ""
            return f"object {i} ({described})" if described else f"object {i}"

        parts = [(g, f"{name(i)} {concept}") for concept, i, g in self.strongest(most)]
        for link, i, j, g in self.strongest_links(most):
            shares = link in self.domain.attribute_index
            parts.append((g, f"{name(i)} same {link} as {name(j)}" if shares else f"{name(j)} {link} of {name(i)}"))
        parts.sort(key=lambda part: -abs(part[0]))
        listed = ", ".join(f"{text} {g:+.2f}" for g, text in parts[:most]) or "nothing moves it"
        return f"{spell(self.answer)}, {self.score:+.2f}: {listed}"


def _strongest(table: Tensor, most: int) -> list[tuple[tuple[int, ...], float]]:
    flat = table.flatten()
    order = flat.abs().argsort(descending=True, stable=True)[:most].tolist()
    values = flat.tolist()
    places = np.unravel_index(order, tuple(table.shape)) if order else ()
    entries = zip(zip(*(p.tolist() for p in places), strict=True), order, strict=True)
    return [(place, values[i]) for place, i in entries if values[i]]


def influence(program: Program, grounded: Grounded, executor: QuasiSymbolic, scene: int = 0) -> Influence:
    """Compute which concept of which object moved this answer: gradients of the decoded answer's score.

    Raises:
        ExecutionError: the program's answer is a set, which has no one score; program and scene do not fit; or there is
            no answer, see `SoftAnswers.decode`.
    """
    if program.kind is OBJECTS:
        raise ExecutionError("an answer that is a set of objects has no single score to explain")
    names = ("concepts", "relations", "alike", "words")
    tables = {name: getattr(grounded, name).detach().clone().requires_grad_() for name in names}
    leaf = Grounded(grounded.domain, grounded.present, **tables, nothing=grounded.nothing)
    with torch.enable_grad():
        answers = executor([program], leaf, [scene])
        (answer,) = answers.decode()
        if isinstance(answer, ExecutionError):
            raise answer
        part = answers.parts[0]
        value = part.values[0]
        value = value[part.likeliest(grounded.domain)[0]] if value.dim() else value
        score = executor.algebra.negate(value) if answer is False else value
        grads = (
            torch.autograd.grad(score, list(tables.values()), allow_unused=True)
            if score.requires_grad  # the answer of `number[3]`, and counts when they are of members, hang on no degree
            else [None] * len(tables)
        )
    concepts, relations, alike, words = (
        g[scene] if g is not None else torch.zeros_like(t[scene]) for g, t in zip(grads, tables.values(), strict=True)
    )
    concepts = concepts + words.sum(dim=0).T  # (A, N, C) over attributes, as (C, N)
    return Influence(grounded.domain, answer, float(score.detach()), concepts, relations, alike)
