"""Programs: immutable, typed graphs of op calls.

A program is a tuple of calls in postorder: inputs before the calls that use them, left before right, the
answer last. Calls may be shared (a graph, not only a tree). Everything is checked when the program is built,
so an executor meets well-typed programs only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple

from ..dsl.domain import Domain, Step, load_domain
from ..dsl.kinds import WORD, Kind
from ..dsl.ops import Op
from ..errors import DomainError, ProgramError

if TYPE_CHECKING:
    import networkx


TREE_DEPTH = 50  # calls drawn one under the other: with every level the tree's lines grow


class Call(NamedTuple):
    """One call: the op, the names of its literals, and the indices of the calls it takes its inputs from."""

    op: str
    literals: tuple[str, ...] = ()
    inputs: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.op}[{', '.join(self.literals)}]" if self.literals else self.op


class Program:
    """A well-typed program of one domain.

    Equality is of structure: the same calls, shared in the same way. `equivalent` (nsreason.programs.canonical) sees
    through filter order, operand order and sharing.
    """

    __slots__ = ("_code", "_hash", "_record", "_turns", "domain", "inputs", "steps")

    domain: Domain
    steps: tuple[Step, ...]
    inputs: tuple[tuple[int, ...], ...]
    _code: Any  # the executors' encodings of this program: functions of the program alone, never of a scene
    _record: Any
    _turns: Any
    _hash: int | None

    def __init__(self, calls: Iterable[Call], domain: Domain | str = "clevr") -> None:
        """Build a program from calls in any order that puts inputs first; the last call is the answer.

        Raises:
            ProgramError: an op or literal is unknown, an input is not an earlier call, kinds do not fit, or a
                call is used by nothing. `error.node` is the index of the call.
        """
        domain = load_domain(domain)
        steps: list[Step] = []
        inputs: list[tuple[int, ...]] = []
        for node, call in enumerate(calls):
            if not isinstance(call, Call) or not isinstance(call.literals, tuple | list):
                raise ProgramError(f"not a Call(op, (literals), (inputs)): {call!r:.200}", node=node)
            try:
                steps.append(domain.step(call.op, tuple(call.literals)))
            except DomainError as error:
                raise ProgramError(str(error), node=node) from None
            try:
                inputs.append(tuple(map(index, call.inputs)))
            except TypeError:
                message = f"{call.op}: inputs are numbers of earlier calls, got {call.inputs!r}"
                raise ProgramError(message, node=node) from None
        self._assemble(domain, steps, inputs)

    @classmethod
    def of_steps(cls, domain: Domain, steps: Sequence[Step], inputs: Sequence[tuple[int, ...]]) -> Program:
        """The same from steps that the domain has already encoded: what readers of large files use.

        Raises:
            ProgramError: as above; `error.node` is the index of the step.
        """
        program = cls.__new__(cls)
        program._assemble(domain, steps, inputs)
        return program

    def _assemble(self, domain: Domain, steps: Sequence[Step], inputs: Iterable[tuple[int, ...]]) -> None:
        # The 700,000 programs of CLEVR have some 1,300 forms: each is checked once, its inputs kept once.
        key = tuple([step.op for step in steps]), tuple(inputs)
        form = _FORMS.get(key)
        if form is None:
            form = _check_form(steps, key[1])
            if len(steps) <= _LONGEST_KEPT:
                if len(_FORMS) >= _FORMS_KEPT:
                    _FORMS.clear()
                _FORMS[key] = form
        for node in form.comparisons:
            _check_units(steps, node, key[1][node])
        self.domain = domain
        self.steps = tuple(steps) if form.order is None else tuple([steps[n] for n in form.order])
        self.inputs = form.inputs
        self._code = self._record = self._turns = self._hash = None

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls in postorder."""
        return tuple(Call(s.op.name, s.literals, i) for s, i in zip(self.steps, self.inputs, strict=True))

    @property
    def kind(self) -> Kind:
        """The kind of the answer."""
        return self.steps[-1].gives

    @property
    def depth(self) -> int:
        """The length of the longest chain of calls."""
        levels: list[int] = []
        for given in self.inputs:
            levels.append(1 + max((levels[i] for i in given), default=0))
        return levels[-1]

    def __len__(self) -> int:
        return len(self.steps)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Program):
            return NotImplemented
        return self.inputs == other.inputs and self.calls == other.calls and self.domain == other.domain

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.calls)
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Program, (self.calls, self.domain)

    def __copy__(self) -> Program:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Program:
        return self

    def __str__(self) -> str:
        from .text_writer import format_program

        return format_program(self)

    def __repr__(self) -> str:
        return f"Program({str(self)!r}, domain={self.domain.name!r})"

    def to_networkx(self) -> networkx.DiGraph:
        """The graph: an edge from each call to the calls that use it, with the input's place.

        Node attributes: `op`, `literals`, `kind`, `label`. Edge attribute: `places`, the argument positions.
        """
        import networkx

        graph = networkx.DiGraph(domain=self.domain.name, answer=len(self) - 1)
        for node, (call, step) in enumerate(zip(self.calls, self.steps, strict=True)):
            graph.add_node(node, op=call.op, literals=call.literals, kind=step.gives.name, label=str(call))
            for i in dict.fromkeys(call.inputs):
                graph.add_edge(i, node, places=tuple(p for p, j in enumerate(call.inputs) if j == i))
        return graph

    def to_dot(self) -> str:
        """The graph in Graphviz's language."""
        lines = ["digraph program {", "  rankdir=BT;", '  node [shape=box, fontname="monospace"];']
        for node, call in enumerate(self.calls):
            peripheries = ", peripheries=2" if node == len(self) - 1 else ""
            label = str(call).replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'  n{node} [label="{label}"{peripheries}];')
            lines += [f"  n{i} -> n{node};" for i in call.inputs]
        return "\n".join([*lines, "}"])

    def to_tree(self, note: Callable[[int], str] | None = None) -> str:
        """An ASCII tree, the answer on top; a shared call is drawn once and then named by its number. So is one that
        lies more than TREE_DEPTH calls deep: it is drawn below, from the margin again.

        `note` adds a remark behind each call (a trace puts its value there).
        """
        calls = self.calls
        uses = [0] * len(calls)
        for call in calls:
            for i in call.inputs:
                uses[i] += 1
        lines: list[str] = []
        drawn: set[int] = set()
        below: list[int] = []  # calls too deep for the tree above
        later: set[int] = set()
        stack: list[tuple[int, str, str]] = [(len(calls) - 1, "", "")]
        while stack or below:
            node, first, rest = stack.pop() if stack else (below.pop(), "", "")
            deep = len(rest) >= 4 * TREE_DEPTH and bool(calls[node].inputs)
            if node in drawn or deep:
                if first:
                    lines.append(f"{first}{calls[node]} (see #{node})")
                if node not in drawn and node not in later:
                    later.add(node)
                    below.append(node)
                continue
            drawn.add(node)
            label = f"{calls[node]} (#{node})" if uses[node] > 1 or node in later else str(calls[node])
            lines.append(first + label + (note(node) if note else ""))
            inputs = calls[node].inputs
            for place, i in reversed(list(enumerate(inputs))):
                last = place == len(inputs) - 1
                stack.append((i, rest + ("└── " if last else "├── "), rest + ("    " if last else "│   ")))
        return "\n".join(lines)


class _Form(NamedTuple):
    """What is known of every program with the same ops and the same inputs, whatever its literals."""

    order: tuple[int, ...] | None  # the given calls in postorder; None when they came in postorder
    inputs: tuple[tuple[int, ...], ...]  # of the calls in postorder
    comparisons: tuple[int, ...]  # the given calls that compare two words, whose attributes hang on literals


_FORMS: dict[tuple[tuple[Op, ...], tuple[tuple[int, ...], ...]], _Form] = {}
_FORMS_KEPT = 20_000
_LONGEST_KEPT = 64


def _check_form(steps: Sequence[Step], inputs: tuple[tuple[int, ...], ...]) -> _Form:
    if not steps:
        raise ProgramError("a program has at least one call")
    postorder = True
    open_calls: list[int] = []  # done, and not used yet; a tree in postorder always takes the last
    for node, (step, given) in enumerate(zip(steps, inputs, strict=True)):
        if len(given) != len(step.takes):
            _misfit(steps, node, given)
        for kind, i in zip(step.takes, given, strict=True):
            if not 0 <= i < node:
                raise ProgramError(f"{step.op.name}: input {i} is not an earlier call", node=node)
            if steps[i].gives is not kind:
                _misfit(steps, node, given)
        if given:
            if tuple(open_calls[-len(given) :]) == given:
                del open_calls[-len(given) :]
            else:
                postorder = False
        open_calls.append(node)
    comparisons = tuple(n for n, step in enumerate(steps) if compares_words(step))
    if postorder and len(open_calls) == 1:
        return _Form(None, inputs, comparisons)
    order = _postorder(steps, inputs)
    place = {n: i for i, n in enumerate(order)}
    return _Form(order, tuple(tuple([place[i] for i in inputs[n]]) for n in order), comparisons)


def _misfit(steps: Sequence[Step], node: int, given: tuple[int, ...]) -> None:
    kinds = ", ".join(steps[i].gives.name if 0 <= i < node else "?" for i in given)
    raise ProgramError(f"{steps[node].op.signature}, got ({kinds})", node=node)


def compares_words(step: Step) -> bool:
    """Whether a call takes two words, which must then be values of one attribute."""
    return step.takes == (WORD, WORD)


def _check_units(steps: Sequence[Step], node: int, given: tuple[int, ...]) -> None:
    """Two words are comparable when they are values of one attribute."""
    a, b = (steps[i].unit for i in given)
    if a != b:
        name = steps[node].op.name
        raise ProgramError(f"{name} compares values of one attribute, got {a} and {b}", node=node)


def _postorder(steps: Sequence[Step], inputs: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The calls in postorder. One that the answer does not use is an error, not dropped: it is a mistake."""
    order: dict[int, None] = {}
    stack: list[tuple[int, bool]] = [(len(steps) - 1, False)]
    while stack:
        node, ready = stack.pop()
        if node in order:
            continue
        if ready:
            order[node] = None
        else:
            stack.append((node, True))
            stack.extend((i, False) for i in reversed(inputs[node]))
    if len(order) != len(steps):
        unused = next(n for n in range(len(steps)) if n not in order)
        raise ProgramError(
            f"nothing uses the result of {steps[unused].op.name}; the last call is the answer", node=unused
        )
    return tuple(order)
