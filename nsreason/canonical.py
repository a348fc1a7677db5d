"""Canonical form and equivalence of programs.

Two programs are equivalent when their canonical forms are the same. The laws that it uses hold on every crisp
scene (and for degrees wherever conjunction is the minimum; a product counts a repeated filter twice):

* filters of a chain commute and are idempotent; a filter may be taken before or after an intersection
* `scene` is neutral in an intersection; what is taken away may be taken away last, and all at once
* `intersect`, `union`, `both`, `either` are associative, commutative, idempotent
* operands of `equal`, `equal_integer`, `equal_object` and of user ops declared so commute
* `greater(a, b)` is `less(b, a)`; a double negation is none; `unique(only(x))` is `x`
* repeated subtrees are one shared subtree

No law drops a call that could end in NotUnique, so a program and its canonical form fail on the same scenes.
Where several calls would fail, which one is reported depends on the order of operands.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from hashlib import blake2b

from .program import Call, Program

_FLAT = {"intersect", "union", "both", "either"}


@dataclass(frozen=True, slots=True)
class _Term:
    """A node of the canonical graph, told apart by a digest of its subtree; `filters` lie on top of a set."""

    digest: bytes
    op: str
    literals: tuple[str, ...]
    inputs: tuple[_Term, ...]
    filters: frozenset[str] = frozenset()


def _term(
    op: str, literals: tuple[str, ...], inputs: tuple[_Term, ...], filters: frozenset[str] = frozenset()
) -> _Term:
    told = repr((op, literals, sorted(filters))).encode()
    digest = blake2b(told + b"".join(t.digest for t in inputs), digest_size=16).digest()
    return _Term(digest, op, literals, inputs, filters)


def _bare(term: _Term) -> _Term:
    return _term(term.op, term.literals, term.inputs) if term.filters else term


def _members(op: str, terms: tuple[_Term, ...]) -> list[_Term]:
    """Operands of a nested associative op: flattened, without repeats, in a fixed order."""
    flat: dict[bytes, _Term] = {}
    for term in terms:
        inner = term.inputs if term.op == op and not term.filters else (term,)
        flat.update((t.digest, t) for t in inner)
    return [flat[d] for d in sorted(flat)]


def _kept_and_dropped(term: _Term) -> tuple[_Term, tuple[_Term, ...]]:
    """A set without its filters, as what a difference keeps and the sets that it takes away."""
    return (term.inputs[0], (term.inputs[1],)) if term.op == "difference" else (_bare(term), ())


def _without(base: _Term, dropped: tuple[_Term, ...], filters: frozenset[str]) -> _Term:
    if not dropped:
        return _term(base.op, base.literals, base.inputs, filters)
    parts = _members("union", dropped)
    return _term("difference", (), (base, parts[0] if len(parts) == 1 else _term("union", (), tuple(parts))), filters)


def _build(op: str, literals: tuple[str, ...], inputs: tuple[_Term, ...], commutes: bool) -> _Term:
    if op == "filter":
        base = inputs[0]
        return _term(base.op, base.literals, base.inputs, base.filters | {literals[0]})
    if op == "intersect":
        filters = frozenset[str]().union(*(t.filters for t in inputs))
        kept, dropped = zip(*(_kept_and_dropped(t) for t in inputs), strict=True)
        parts = [t for t in _members(op, kept) if t.op != "scene"]
        base = _term(op, (), tuple(parts)) if len(parts) > 1 else parts[0] if parts else kept[0]
        return _without(base, sum(dropped, ()), filters)
    if op == "difference":
        base, dropped_before = _kept_and_dropped(inputs[0])
        return _without(base, (*dropped_before, inputs[1]), inputs[0].filters)
    if op in _FLAT:
        parts = _members(op, inputs)
        return parts[0] if len(parts) == 1 else _term(op, (), tuple(parts))
    if op == "greater":
        return _term("less", (), (inputs[1], inputs[0]))
    if op == "negate" and inputs[0].op == "negate":
        return inputs[0].inputs[0]
    if op == "unique" and inputs[0].op == "only" and not inputs[0].filters:
        return inputs[0].inputs[0]
    if commutes:
        inputs = tuple(sorted(inputs, key=lambda t: t.digest))
    return _term(op, literals, inputs)


def _canonical_term(program: Program) -> _Term:
    terms: list[_Term] = []
    for step, given in zip(program.steps, program.inputs, strict=True):
        inputs = tuple(terms[i] for i in given)
        terms.append(_build(step.op.name, step.literals, inputs, step.op.commutes))
    return terms[-1]


def canonical(program: Program) -> Program:
    """The canonical form: the same answers and failures on every scene, one form for equivalent programs."""
    index = program.domain.concept_index
    calls: list[Call] = []
    place: dict[bytes, int] = {}
    made: dict[Call, int] = {}

    def emit(call: Call) -> int:
        if call not in made:
            made[call] = len(calls)
            calls.append(call)
        return made[call]

    stack: list[tuple[_Term, bool]] = [(_canonical_term(program), False)]
    while stack:
        term, ready = stack.pop()
        if term.digest in place:
            continue
        if not ready:
            stack.append((term, True))
            stack.extend((t, False) for t in reversed(term.inputs))
            continue
        inputs = [place[t.digest] for t in term.inputs]
        if term.op in _FLAT:
            node = functools.reduce(lambda a, b: emit(Call(term.op, (), (a, b))), inputs)
        else:
            node = emit(Call(term.op, term.literals, tuple(inputs)))
        for concept in sorted(term.filters, key=index.__getitem__):
            node = emit(Call("filter", (concept,), (node,)))
        place[term.digest] = node
    return Program(calls, program.domain)


def equivalent(a: Program, b: Program) -> bool:
    """Whether two programs have the same canonical form (and so the same answer on every scene)."""
    return a.domain == b.domain and _canonical_term(a).digest == _canonical_term(b).digest
