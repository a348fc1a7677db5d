"""All programs of a domain within a number of calls: which calls go together, and how many are needed at least.

Values have *types*: a kind; of a word, the kind with its attribute, for only values of one attribute are compared. A
*rule* is all calls that take and give the same types. What is needed to complete a program in the making hangs only on
the types of the values that no call has taken yet, its *stack*, so it is computed once for each stack.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from ..dsl.domain import Domain, Step, load_domain
from ..dsl.kinds import INTEGER, Kind
from ..dsl.ops import OPS, Op
from ..errors import DomainError, ProgramError
from .program import compares_words

K = TypeVar("K")
V = TypeVar("V")

CALLS = 32  # the longest programs of CLEVR have 24
_NEVER = 1_000_000  # calls: more than any program has
_REMEMBERED = 50_000  # stacks whose completions are kept


class Rule(NamedTuple):
    """The calls that take the same types of values and give the same one. Types are numbers of a space."""

    takes: tuple[int, ...]
    gives: int
    steps: tuple[Step, ...]


class Choices(NamedTuple):
    """What may come next: numbers of rules, their calls, and the types of earlier values that may come once more."""

    rules: frozenset[int]
    steps: tuple[Step, ...]
    reused: frozenset[int]


class ProgramSpace:
    """All programs of a domain within a number of calls, for some kinds of answers and some literals."""

    def __init__(
        self,
        domain: Domain | str,
        *,
        calls: int = CALLS,
        answers: Iterable[Kind] | None = None,
        literals: Iterable[str] | None = None,
        share: bool = False,
    ) -> None:
        """Build a space.

        Args:
            domain: whose ops and literals may be used.
            calls: the most calls of a program.
            answers: the kinds of its answer; None for any.
            literals: the names and whole numbers that may be written into it, such as those that a question speaks
                of; None for all of the domain, and the numbers from 0 to its `max_count`.
            share: whether a call may be used more than once.

        Raises:
            ProgramError: there is no such program.
            DomainError: there is no such domain, or it has none of a literal.
        """
        self.domain = load_domain(domain)
        self.calls = calls
        self.share = share
        self.answers = None if answers is None else frozenset(answers)
        self.literals = None if literals is None else frozenset(literals)
        ops = tuple([OPS[name] for name in self.domain.ops])
        self._key = self.domain, ops, calls, self.answers, self.literals, share
        self._types: dict[tuple[Kind, str | None], int] = {}
        self.rules = self._build_rules(list(self._steps(ops)))
        self._costs: dict[int, tuple[int, ...]] = {}
        self._costs[0] = self._costs_with(0)
        self.rules = [rule for rule in self.rules if self._cost(rule.takes, 0) < _NEVER]
        self._ends = [n for (kind, _), n in self._types.items() if self.answers is None or kind in self.answers]
        self._is_end = frozenset(self._ends)
        self._calls_of: dict[tuple[str, tuple[str, ...]], dict[tuple[int, ...], tuple[int, Step]]] = {}
        for number, rule in enumerate(self.rules):
            for step in rule.steps:
                self._calls_of.setdefault((step.op.name, step.literals), {})[rule.takes] = number, step
        self._completions: dict[tuple[tuple[int, ...], int], tuple[int, ...]] = {}
        self._choices: dict[tuple[tuple[int, ...], int, int, bool], Choices] = {}
        if min([self._costs[0][end] for end in self._ends], default=_NEVER) > calls:
            kinds = "" if self.answers is None else " for " + ", ".join(sorted(kind.name for kind in self.answers))
            raise ProgramError(f"domain '{self.domain.name}' has no program of at most {calls} calls{kinds}")

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ProgramSpace) and self._key == other._key)

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"ProgramSpace({self.domain.name!r}, calls={self.calls}, share={self.share})"

    def is_answer(self, type_: int) -> bool:
        """Whether a value of a type may be a program's answer."""
        return type_ in self._is_end

    def rule_of(self, step: Step, stack: tuple[int, ...]) -> tuple[int, Step]:
        """Return the rule by which a call may come behind a stack, and the space's own step.

        The rule is -1 where the call does not fit, or is none of the space's.
        """
        rest = len(stack) - len(step.takes)
        by_types = self._calls_of.get((step.op.name, step.literals), {})
        return by_types.get(stack[rest:] if rest >= 0 else (), (-1, step))

    def choices(self, stack: tuple[int, ...], there: int, left: int, *, every: bool) -> Choices:
        """What may come behind a stack when `left` more calls may.

        Args:
            there: the types of all values so far, as bits; 0 in a space without sharing.
            every: with sharing, leave out only what can surely not be completed.
        """
        known = self._choices.get((stack, there, left, every))
        if known is not None:
            return known
        free = (1 << len(self._types)) - 1 if every and self.share else 0
        rules = []
        for number, rule in enumerate(self.rules):
            rest = len(stack) - len(rule.takes)
            if left > 0 and rest >= 0 and stack[rest:] == rule.takes:
                after = there | (1 << rule.gives if self.share else 0)
                if 1 + self._need((*stack[:rest], rule.gives), after | free) <= left:
                    rules.append(number)
        reused = [
            n for n in range(len(self._types)) if there >> n & 1 and self._need((*stack, n), there | free) <= left
        ]
        steps = tuple([step for number in rules for step in self.rules[number].steps])
        choices = Choices(frozenset(rules), steps, frozenset(reused))
        return _remember(self._choices, (stack, there, left, every), choices)

    # --- types and rules ---

    def _steps(self, ops: Sequence[Op]) -> Iterator[Step]:
        """The calls of the domain with the space's literals."""
        admitted = {}
        for kind in dict.fromkeys(param.kind for op in ops for param in op.literals):
            names = self.domain.names(kind)
            if self.literals is not None:
                given = sorted(filter(str.isdecimal, self.literals), key=int) if kind is INTEGER else names
                names = tuple(name for name in given if name in self.literals)
            admitted[kind] = names
        if self.literals is not None:
            unknown = self.literals.difference(*admitted.values())
            if unknown:
                raise DomainError(f"domain '{self.domain.name}' has no literal '{min(unknown)}'")
        for op in ops:
            for names in itertools.product(*[admitted[param.kind] for param in op.literals]):
                try:
                    yield self.domain.step(op.name, names)
                except DomainError:  # not every literal goes with every op
                    continue

    def _build_rules(self, steps: Sequence[Step]) -> list[Rule]:
        """Group calls by the types that they take and give. A type is a kind; of a word, with its attribute."""
        for step in steps:
            self._types.setdefault((step.gives, step.unit), len(self._types))
        of_kind: dict[Kind, list[int]] = {}
        for (kind, _), number in self._types.items():
            of_kind.setdefault(kind, []).append(number)
        units = [unit for _, unit in self._types]
        grouped: dict[tuple[tuple[int, ...], int], list[Step]] = {}
        for step in steps:
            gives = self._types[step.gives, step.unit]
            for takes in itertools.product(*[of_kind.get(kind, []) for kind in step.takes]):
                if not compares_words(step) or units[takes[0]] == units[takes[1]]:
                    grouped.setdefault((takes, gives), []).append(step)
        return [Rule(takes, gives, tuple(group)) for (takes, gives), group in grouped.items()]

    # --- how many calls are still needed ---

    def _costs_with(self, there: int) -> tuple[int, ...]:
        """The fewest calls that give each type, where values of some types (bits of `there`) are there to be shared."""
        costs = self._costs.get(there)
        if costs is None:
            least = [0 if there >> n & 1 else _NEVER for n in range(len(self._types))]
            changed = True
            while changed:
                changed = False
                for rule in self.rules:
                    cost = min(_NEVER, 1 + sum([least[n] for n in rule.takes]))
                    if cost < least[rule.gives]:
                        least[rule.gives], changed = cost, True
            costs = _remember(self._costs, there, tuple(least))
        return costs

    def _cost(self, types: Sequence[int], there: int) -> int:
        costs = self._costs_with(there)
        return sum([costs[n] for n in types])

    def _completion(self, stack: tuple[int, ...], there: int) -> tuple[int, ...]:
        """The fewest calls that make one value of each type of a stack of values and of values still to come.

        The stack's values are the first that the program's open calls take: `rule` may take the first few of them as
        they are; all others belong to its next input.
        """
        known = self._completions.get((stack, there))
        if known is not None:
            return known
        least = [_NEVER] * len(self._types)
        if len(stack) == 1:
            least[stack[0]] = 0
        for rule in self.rules:
            for n in range(1, min(len(rule.takes), len(stack)) + 1):
                if stack[n - 1] != rule.takes[n - 1]:
                    break
                rest, takes = stack[n:], rule.takes[n:]
                if rest and takes:
                    cost = self._completion(rest, there)[takes[0]] + self._cost(takes[1:], there)
                    least[rule.gives] = min(least[rule.gives], 1 + cost)
                elif not rest:
                    least[rule.gives] = min(least[rule.gives], 1 + self._cost(takes, there))
        changed = True
        while changed:  # what is made of all of the stack may be a call's first input
            changed = False
            for rule in self.rules:
                if rule.takes:
                    cost = 1 + least[rule.takes[0]] + self._cost(rule.takes[1:], there)
                    if cost < least[rule.gives]:
                        least[rule.gives], changed = cost, True
        return _remember(self._completions, (stack, there), tuple(least))

    def _need(self, stack: tuple[int, ...], there: int) -> int:
        """The fewest calls that make a whole program of a stack."""
        costs = self._completion(stack, there)
        return min([costs[end] for end in self._ends])


def _remember(memo: dict[K, V], key: K, value: V) -> V:
    """Put a value into a memo of bounded size."""
    if len(memo) >= _REMEMBERED:
        memo.clear()
    memo[key] = value
    return value


@functools.lru_cache(maxsize=16)
def _whole_space(domain: Domain, ops: tuple[Op, ...]) -> ProgramSpace:
    return ProgramSpace(domain)


def space_of(domain: Domain | str) -> ProgramSpace:
    """Return the space of a domain with up to CALLS calls, for any kind of answer; built anew when an op is defined."""
    return _whole_space(load_domain(domain), tuple(OPS.values()))
