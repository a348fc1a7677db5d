"""Programs: immutable, typed graphs of op calls.

A program is a tuple of calls in postorder: inputs before the calls that use them, left before right, the answer last.
Calls may be shared (a graph, not only a tree). Everything is checked when the program is built, so an executor meets
well-typed programs only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .domain import Domain, Step, load_domain
from .errors import DomainError, ProgramError
from .kinds import WORD, Kind

if TYPE_CHECKING:
    import networkx


class Call(NamedTuple):
    """One call: the op, the names of its literals, and the indices of the calls it takes its inputs from."""

    op: str
    literals: tuple[str, ...] = ()
    inputs: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.op}[{', '.join(self.literals)}]" if self.literals else self.op


class Program:
    """A well-typed program of one domain.

    Equality is of structure: the same calls, shared in the same way. `equivalent` (nsreason.canonical) sees through
    filter order, operand order and sharing.
    """

    __slots__ = ("_code", "_hash", "_record", "domain", "inputs", "steps")

    domain: Domain
    steps: tuple[Step, ...]
    inputs: tuple[tuple[int, ...], ...]
    _code: Any  # the executors' encodings of this program: functions of the program alone, never of a scene
    _record: Any
    _hash: int | None

    def __init__(self, calls: Iterable[Call], domain: Domain | str = "clevr") -> None:
        """Check and build a program from calls in any order that puts inputs first; the last call is the answer.

        Raises:
            ProgramError: an op or literal is unknown, an input is not an earlier call, kinds do not fit, or a call is
                used by nothing. `error.node` is the index of the call.
        """
        domain = load_domain(domain)
        steps: list[Step] = []
        inputs: list[tuple[int, ...]] = []
        for node, call in enumerate(calls):
            try:
                steps.append(domain.step(call.op, tuple(call.literals)))
            except DomainError as error:
                raise ProgramError(str(error), node=node) from None
            inputs.append(tuple(call.inputs))
        self._assemble(domain, steps, inputs)

    @classmethod
    def of_steps(cls, domain: Domain, steps: Sequence[Step], inputs: Sequence[tuple[int, ...]]) -> Program:
        """The same from steps that the domain has already encoded: what readers of large files use."""
        program = cls.__new__(cls)
        program._assemble(domain, steps, inputs)
        return program

    def _assemble(self, domain: Domain, steps: Sequence[Step], inputs: Sequence[tuple[int, ...]]) -> None:
        if not steps:
            raise ProgramError("a program has at least one call")
        postorder = True
        open_calls: list[int] = []  # finished calls that nothing uses yet; a tree in postorder always takes the last
        for node, (step, given) in enumerate(zip(steps, inputs, strict=True)):
            takes = step.takes
            if len(given) != len(takes):
                _misfit(steps, node, given)
            for kind, i in zip(takes, given, strict=True):
                if not 0 <= i < node:
                    raise ProgramError(f"{step.op.name}: input {i} is not an earlier call", node=node)
                if steps[i].gives is not kind:
                    _misfit(steps, node, given)
            if len(given) == 2 and takes[0] is WORD and takes[1] is WORD:
                _check_units(steps, node, given)
            if given:
                if tuple(open_calls[-len(given) :]) == given:
                    del open_calls[-len(given) :]
                else:
                    postorder = False
            open_calls.append(node)
        if not postorder or len(open_calls) != 1:
            steps, inputs = _in_postorder(steps, inputs)
        self.domain = domain
        self.steps = tuple(steps)
        self.inputs = tuple(inputs)
        self._code = self._record = self._hash = None

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls in postorder."""
        return tuple(
            Call(s.op.name, s.literals, i) for s, i in zip(self.steps, self.inputs, strict=True)
        )

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

    def __str__(self) -> str:
        from .surfaces import show

        return show(self)

    def __repr__(self) -> str:
        return f"Program({str(self)!r}, domain={self.domain.name!r})"

    def to_networkx(self) -> networkx.DiGraph:
        """The graph: an edge from each call to the calls that use it, with the input's place.

        Node attributes: `op`, `literals`, `kind`, `label`. Edge attribute: `places`, the tuple of argument positions.
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
            lines.append(f'  n{node} [label="{call}"{peripheries}];')
            lines += [f"  n{i} -> n{node};" for i in call.inputs]
        return "\n".join([*lines, "}"])

    def to_tree(self, note: Callable[[int], str] | None = None) -> str:
        """An ASCII tree, the answer on top; a shared call is drawn once and then named by its number.

        `note` adds a remark behind each call (a trace puts its value there).
        """
        calls = self.calls
        uses = [0] * len(calls)
        for call in calls:
            for i in call.inputs:
                uses[i] += 1
        lines: list[str] = []
        drawn: set[int] = set()
        stack: list[tuple[int, str, str]] = [(len(calls) - 1, "", "")]
        while stack:
            node, first, rest = stack.pop()
            shared = uses[node] > 1
            label = f"{calls[node]} (#{node})" if shared else str(calls[node])
            if node in drawn:
                lines.append(f"{first}{calls[node]} (see #{node})")
                continue
            drawn.add(node)
            lines.append(first + label + (note(node) if note else ""))
            below = calls[node].inputs
            for place, i in reversed(list(enumerate(below))):
                last = place == len(below) - 1
                stack.append((i, rest + ("└── " if last else "├── "), rest + ("    " if last else "│   ")))
        return "\n".join(lines)


def _misfit(steps: Sequence[Step], node: int, given: tuple[int, ...]) -> None:
    kinds = ", ".join(steps[i].gives.name if 0 <= i < node else "?" for i in given)
    raise ProgramError(f"{steps[node].op.signature}, got ({kinds})", node=node)


def _check_units(steps: Sequence[Step], node: int, given: tuple[int, ...]) -> None:
    """Two words are comparable when they are values of one attribute."""
    a, b = (steps[i].unit for i in given)
    if a != b:
        raise ProgramError(f"{steps[node].op.name} compares values of one attribute, got {a} and {b}", node=node)


def _in_postorder(
    steps: Sequence[Step], inputs: Sequence[tuple[int, ...]]
) -> tuple[list[Step], list[tuple[int, ...]]]:
    """Reorder the calls; a call that the answer does not use is an error, since dropping it would hide a mistake."""
    place: dict[int, int] = {}
    order: list[int] = []
    stack: list[tuple[int, bool]] = [(len(steps) - 1, False)]
    while stack:
        node, ready = stack.pop()
        if node in place:
            continue
        if ready:
            place[node] = len(order)
            order.append(node)
        else:
            stack.append((node, True))
            stack.extend((i, False) for i in reversed(inputs[node]))
    if len(order) != len(steps):
        unused = next(n for n in range(len(steps)) if n not in place)
        raise ProgramError(
            f"nothing uses the result of {steps[unused].op.name}; the last call is the answer", node=unused
        )
    return [steps[n] for n in order], [tuple(place[i] for i in inputs[n]) for n in order]
