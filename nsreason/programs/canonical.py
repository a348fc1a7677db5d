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

Terms are kept once each (hash-consing), so that two are the same when their numbers are. The operands of an
associative op are a bit set of such numbers: an operand that is shared by ten thousand unions costs each of them a bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from ..errors import ProgramError
from .program import Call, Program

MAX_OPERANDS = 200_000  # written out by a canonical form: unions that overlap have more operands than calls

_FLAT = frozenset({"intersect", "union", "both", "either"})
_Key = tuple[int, bytes]


class _Term:
    """A node of the canonical graph.

    `operands` (of an op in _FLAT) and `filters` (on top of the set `bare`) are bit sets of term and concept numbers.
    `grown` is another term with some of these operands, from which this one was made.
    """

    __slots__ = ("bare", "commutes", "filters", "grown", "height", "inputs", "literals", "number", "op", "operands")

    def __init__(self, op: str, literals: tuple[str, ...], inputs: tuple[_Term, ...], number: int) -> None:
        self.op, self.literals, self.inputs, self.number = op, literals, inputs, number
        self.operands = self.filters = self.height = 0
        self.commutes = False
        self.bare: _Term = self
        self.grown: _Term | None = None


class _Terms:
    """The terms of one or more programs of a domain, each once."""

    def __init__(self, concepts: Mapping[str, int]) -> None:
        self.concepts = concepts
        self.all: list[_Term] = []
        self._plain: dict[tuple[str, tuple[str, ...], tuple[int, ...]], _Term] = {}
        self._joined: dict[tuple[str, int], _Term] = {}
        self._filtered: dict[tuple[int, int], _Term] = {}

    def of(self, program: Program) -> _Term:
        """The term of a program's answer."""
        terms: list[_Term] = []
        for step, given in zip(program.steps, program.inputs, strict=True):
            terms.append(self._build(step.op.name, step.literals, tuple([terms[i] for i in given]), step.op.commutes))
        return terms[-1]

    def _build(self, op: str, literals: tuple[str, ...], inputs: tuple[_Term, ...], commutes: bool) -> _Term:
        if op == "filter":
            return self._filter(inputs[0].bare, inputs[0].filters | 1 << self.concepts[literals[0]])
        if op == "intersect":
            return self._intersect(inputs)
        if op == "difference":
            base, dropped_before = _kept_and_dropped(inputs[0])
            return self._without(base, [*dropped_before, inputs[1]], inputs[0].filters)
        if op in _FLAT:
            return self._join(op, inputs)
        if op == "greater":
            return self._call("less", (), (inputs[1], inputs[0]))
        if op == "negate" and inputs[0].op == "negate":
            return inputs[0].inputs[0]
        if op == "unique" and inputs[0].op == "only" and not inputs[0].filters:
            return inputs[0].inputs[0]
        if commutes:
            inputs = tuple(sorted(inputs, key=lambda t: t.number))
        return self._call(op, literals, inputs, commutes)

    def _new(self, op: str, literals: tuple[str, ...], inputs: tuple[_Term, ...]) -> _Term:
        term = _Term(op, literals, inputs, len(self.all))
        self.all.append(term)
        return term

    def _call(self, op: str, literals: tuple[str, ...], inputs: tuple[_Term, ...], commutes: bool = False) -> _Term:
        key = (op, literals, tuple([t.number for t in inputs]))
        term = self._plain.get(key)
        if term is None:
            term = self._plain[key] = self._new(op, literals, inputs)
            term.commutes = commutes
            term.height = 1 + max([t.height for t in inputs], default=-1)
        return term

    def _filter(self, bare: _Term, filters: int) -> _Term:
        if not filters:
            return bare
        key = (bare.number, filters)
        term = self._filtered.get(key)
        if term is None:
            term = self._filtered[key] = self._new(bare.op, bare.literals, bare.inputs)
            term.bare, term.filters, term.operands, term.grown = bare, filters, bare.operands, bare
            term.height, term.commutes = bare.height, bare.commutes
        return term

    def _join(self, op: str, inputs: Iterable[_Term]) -> _Term:
        """Nested calls of an associative op: flattened, without repeats."""
        operands = height = 0
        grown: _Term | None = None
        scene: _Term | None = None
        for term in inputs:
            if term.op == op and not term.filters:
                operands |= term.operands
                height = max(height, term.height)
                if grown is None or term.operands.bit_count() > grown.operands.bit_count():
                    grown = term
            elif op == "intersect" and term.op == "scene":
                scene = term
            else:
                operands |= 1 << term.number
                height = max(height, term.height + 1)
        if scene is not None and not operands:
            return scene
        if not operands & (operands - 1):
            return self.all[operands.bit_length() - 1]
        joined = self._joined.get((op, operands))
        if joined is None:
            joined = self._joined[op, operands] = self._new(op, (), ())
            joined.operands, joined.height, joined.grown = operands, height, grown
        return joined

    def _intersect(self, inputs: tuple[_Term, ...]) -> _Term:
        filters = 0
        kept: list[_Term] = []
        dropped: list[_Term] = []
        for term in inputs:
            filters |= term.filters
            base, away = _kept_and_dropped(term)
            kept.append(base)
            dropped += away
        return self._without(self._join("intersect", kept), dropped, filters)

    def _without(self, base: _Term, dropped: list[_Term], filters: int) -> _Term:
        if dropped:
            base = self._call("difference", (), (base, self._join("union", dropped)))
        return self._filter(base, filters)


def _kept_and_dropped(term: _Term) -> tuple[_Term, tuple[_Term, ...]]:
    """A set without its filters, as what a difference keeps and the sets that it takes away."""
    return (term.inputs[0], (term.inputs[1],)) if term.op == "difference" else (term.bare, ())


class _Writer:
    """Writes terms as calls, in an order that hangs on what they are and not on the program they came from: by height,
    then by a digest. So a union that grew out of another is written as an addition to it, and shares its calls."""

    def __init__(self, terms: _Terms, program: Program) -> None:
        self.terms, self.concepts = terms.all, program.domain.concepts
        self.calls: list[Call] = []
        self._place: dict[Call, int] = {}
        self._node: dict[int, int] = {}  # term -> its call
        self._key: dict[int, _Key] = {}  # term -> what it is ordered by
        self._last: dict[int, _Key] = {}  # joined term -> the greatest key of its operands
        self._sum: dict[int, int] = {}  # joined term -> of its operands' digests, in whatever order
        self._operands = 0

    def write(self, root: _Term) -> list[Call]:
        """The calls of a term, inputs first.

        Raises:
            ProgramError: there would be too many.
        """
        for number in self._under(root):
            term = self.terms[number]
            node = self._join(term) if term.op in _FLAT else self._call(term)
            for concept in _numbers(term.filters):
                node = self._emit(Call("filter", (self.concepts[concept],), (node,)))
            self._node[number] = node
        return self.calls

    def _under(self, root: _Term) -> list[int]:
        """The terms that a term is made of, each after what it is made of itself."""
        inner = 1 << root.number
        waiting = [root]
        while waiting:
            term = waiting.pop()
            new = term.operands
            for other in term.inputs:
                new |= 1 << other.number
            new &= ~inner
            inner |= new
            waiting += [self.terms[i] for i in _numbers(new)]
        return _numbers(inner)

    def _call(self, term: _Term) -> int:
        inputs = [t.number for t in term.inputs]
        if term.commutes:
            inputs.sort(key=self._key.__getitem__)
        self._rank(term, b"".join([self._key[i][1] for i in inputs]))
        return self._emit(Call(term.op, term.literals, tuple([self._node[i] for i in inputs])))

    def _join(self, term: _Term) -> int:
        before = term.grown
        while before is not None and before.number not in self._node:
            before = before.grown
        added = term.operands if before is None else term.operands & ~before.operands
        new = self._in_order(added)
        self._sum[term.number] = sum([int.from_bytes(self._key[i][1], "big") for i in new])
        self._last[term.number] = self._key[new[-1]] if new else (0, b"")
        node: int | None = None
        if before is not None:
            self._sum[term.number] += self._sum[before.number]
            if not new or self._last[before.number] < self._key[new[0]]:
                node = self._node[before.number]
            else:
                new = self._in_order(term.operands)
            self._last[term.number] = max(self._last[term.number], self._last[before.number])
        self._rank(term, (self._sum[term.number] % (1 << 128)).to_bytes(16, "big"))
        for i in new:
            node = self._node[i] if node is None else self._emit(Call(term.op, (), (node, self._node[i])))
        assert node is not None
        return node

    def _in_order(self, operands: int) -> list[int]:
        self._operands += operands.bit_count()
        if self._operands > MAX_OPERANDS:
            raise ProgramError(f"its unions overlap: the canonical form would have over {MAX_OPERANDS:,} operands")
        return sorted(_numbers(operands), key=self._key.__getitem__)

    def _rank(self, term: _Term, inside: bytes) -> None:
        own = repr((term.op, term.literals, term.filters)).encode()
        self._key[term.number] = (term.height, blake2b(own + inside, digest_size=16).digest())

    def _emit(self, call: Call) -> int:
        node = self._place.get(call)
        if node is None:
            node = self._place[call] = len(self.calls)
            self.calls.append(call)
        return node


def _numbers(bits: int) -> list[int]:
    """The numbers in a bit set, ascending; in time that grows with the set's width, not with its square."""
    text = bin(bits)[:1:-1]
    numbers: list[int] = []
    place = text.find("1")
    while place >= 0:
        numbers.append(place)
        place = text.find("1", place + 1)
    return numbers


def canonical(program: Program) -> Program:
    """The canonical form: the same answers and failures on every scene, one form for equivalent programs.

    Raises:
        ProgramError: the form has over MAX_OPERANDS operands of unions, intersections and the like.
    """
    terms = _Terms(program.domain.concept_index)
    return Program(_Writer(terms, program).write(terms.of(program)), program.domain)


def equivalent(a: Program, b: Program) -> bool:
    """Whether two programs have the same canonical form (and so the same answer on every scene)."""
    if a.domain != b.domain:
        return False
    terms = _Terms(a.domain.concept_index)
    return terms.of(a) is terms.of(b)
