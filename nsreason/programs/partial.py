"""Programs that are not finished: which calls may come next, so that a well-typed program comes of them.

    space = ProgramSpace("clevr", calls=6, answers=[NUMBER], literals=["red", "cube", "left"])
    partial = PartialProgram(space)
    while not partial.done:
        partial = partial.push(choose(partial.admissible()))
    partial.program()

    for program in all_programs(space): ...   # those of few calls first

Calls come in postorder: a call takes the last values that nothing has taken. Each admissible sequence can be completed
within the space's number of calls, with an answer of its kinds; so a decoder that takes admissible calls only always
ends with a program. `done` says that the calls so far are one; longer ones may begin with them, so a decoder that may
stop there chooses between stopping and `admissible()`.

Sharing. With `share=True`, `Reuse(n)` may come too: the value of call `n` once more, as `$a` in postfix text. It is no
call. Every program, a graph or a tree, then has exactly one sequence (`moves_of`); without it, every tree has one. When
a space with sharing judges whether a sequence can be completed, it counts on sharing the calls that are there, not
those still to come: near the limit of calls it refuses some sequences that could be completed. `all_programs`
leaves none out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

from ..dsl.domain import Domain, Step
from ..errors import ProgramError
from .program import Program
from .program_space import Choices, ProgramSpace, space_of


class Reuse(NamedTuple):
    """The value of an earlier call once more; `node` is the call's number."""

    node: int


Move = Step | Reuse


class PartialProgram:
    """The first calls of a program. It does not change: `push` gives a longer one. Equal ones have the same moves."""

    __slots__ = ("_hash", "_inputs", "_nodes", "_stack", "_steps", "_types", "moves", "space")

    space: ProgramSpace
    moves: tuple[Move, ...]
    _steps: tuple[Step, ...]
    _inputs: tuple[tuple[int, ...], ...]
    _types: tuple[int, ...]  # of each call's value
    _stack: tuple[int, ...]  # the types of the values that nothing has taken
    _nodes: tuple[int, ...]  # the calls that they are of
    _hash: int

    def __init__(self, space: ProgramSpace | Domain | str) -> None:
        """Begin a program of a space, or of a domain: then of up to CALLS calls, for any kind of answer.

        Raises:
            DomainError: there is no such domain.
        """
        self.space = space if isinstance(space, ProgramSpace) else space_of(space)
        self.moves = self._steps = self._inputs = self._types = self._stack = self._nodes = ()
        self._hash = 0

    def __len__(self) -> int:
        """The number of calls."""
        return len(self._steps)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PartialProgram):
            return NotImplemented
        return self._hash == other._hash and self.moves == other.moves and self.space == other.space

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"PartialProgram({' '.join([_label(move) for move in self.moves])})"

    @property
    def done(self) -> bool:
        """Whether the calls so far are a program of the space."""
        return len(self._stack) == 1 and self.space.is_answer(self._stack[0])

    def admissible(self) -> tuple[Move, ...]:
        """Return what may come next, so that a program of the space can come of it; nothing only where it is `done`."""
        return self._moves(self.space.calls - len(self._steps))

    def push(self, move: Move) -> PartialProgram:
        """Return the partial program with one more call (a step of `domain.step`), or `Reuse` of an earlier one.

        Raises:
            ProgramError: the call is not admissible.
        """
        choices = self._choices(self.space.calls - len(self._steps))
        if isinstance(move, Reuse):
            fits = 0 <= move.node < len(self._types) and self._types[move.node] in choices.reused
        else:
            rule, _ = self.space.rule_of(move, self._stack)
            fits = rule in choices.rules
        if not fits:
            raise ProgramError(f"{_label(move)} is not admissible after {self!r}", node=len(self._steps))
        return self._after(move)

    def program(self) -> Program:
        """Return the program.

        Raises:
            ProgramError: it is not done.
        """
        if not self.done:
            raise ProgramError(f"{self!r} is no program of the space yet", node=len(self._steps))
        return Program.of_steps(self.space.domain, self._steps, self._inputs)

    def _choices(self, left: int, *, every: bool = False) -> Choices:
        there = functools.reduce(lambda bits, n: bits | 1 << n, self._types, 0) if self.space.share else 0
        return self.space.choices(self._stack, there, left, every=every)

    def _moves(self, left: int, *, every: bool = False) -> tuple[Move, ...]:
        choices = self._choices(left, every=every)
        if not choices.reused:
            return choices.steps
        return choices.steps + tuple([Reuse(node) for node, n in enumerate(self._types) if n in choices.reused])

    def _after(self, move: Move) -> PartialProgram:
        """The partial program with a move that is admissible."""
        new = PartialProgram.__new__(PartialProgram)
        new.space = self.space
        if isinstance(move, Reuse):
            new._steps, new._inputs, new._types = self._steps, self._inputs, self._types
            new._stack = (*self._stack, self._types[move.node])
            new._nodes = (*self._nodes, move.node)
            new._hash = hash((self._hash, move.node))
        else:
            number, move = self.space.rule_of(move, self._stack)
            rest = len(self._stack) - len(move.takes)
            gives = self.space.rules[number].gives
            new._steps = (*self._steps, move)
            new._inputs = (*self._inputs, self._nodes[rest:])
            new._types = (*self._types, gives)
            new._stack = (*self._stack[:rest], gives)
            new._nodes = (*self._nodes[:rest], len(self._steps))
            new._hash = hash((self._hash, move.op.name, move.literals))
        new.moves = (*self.moves, move)
        return new


def all_programs(space: ProgramSpace) -> Iterator[Program]:
    """Generate every program of a space once, those of few calls first, then in the order of the ops and literals."""
    for calls in range(1, space.calls + 1):
        waiting = [PartialProgram(space)]
        while waiting:
            partial = waiting.pop()
            left = calls - len(partial)
            if left == 0 and partial.done:
                yield partial.program()
            waiting.extend(reversed([partial._after(move) for move in partial._moves(left, every=True)]))


def moves_of(program: Program) -> tuple[Move, ...]:
    """Return the one sequence of moves that makes a program: what a decoder is trained to give."""
    moves: list[Move] = []
    finished: set[int] = set()
    waiting = [(len(program) - 1, False)]
    while waiting:
        node, ready = waiting.pop()
        if node in finished:
            moves.append(Reuse(node))
        elif ready:
            finished.add(node)
            moves.append(program.steps[node])
        else:
            waiting.append((node, True))
            waiting.extend((n, False) for n in reversed(program.inputs[node]))
    return tuple(moves)


def _label(move: Move) -> str:
    if isinstance(move, Reuse):
        return f"${move.node}"
    return f"{move.op.name}[{', '.join(move.literals)}]" if move.literals else move.op.name
