"""Ops as Python functions over bit sets.

`compiled` runs an op's function once with an algebra of source text and turns the expression that comes out into one
Python function, as dataclasses and named tuples are made; nothing that a user can hand over (names, literals,
questions) is part of that text. `BitSets` gives the same values: a test compares them.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

from ..dsl.ops import Op
from ..errors import DomainError
from .bitsets import BitSets, BitView, fail, reach


class _Text:
    """A Python expression, in place of a value.

    Any use of it as a value (a test, a sum, a dictionary key) raises TypeError, and the op is not compiled.
    `inverted` marks a complement, which holds objects that the scene does not have.
    """

    __slots__ = ("inverted", "text")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str, inverted: bool = False) -> None:
        if len(text) > 10_000:  # an op that uses a value twice, again and again, doubles its text each time
            raise TypeError("an op's expression is too long")
        self.text, self.inverted = text, inverted

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        raise TypeError("an op decided something by a value")

    def __eq__(self, other: object) -> bool:
        raise TypeError("an op compared a value")


def _bounded(value: _Text) -> _Text:
    """Refuse a bare complement where a set's members count."""
    if value.inverted:
        raise DomainError(
            "a complement stands alone; intersect it: k.both(scene.universe('object'), k.negate(objects)), "
            "or k.negate(k.some(objects)) for a truth"
        )
    return value


class _Source:
    """The same algebra, on source text."""

    def __init__(self) -> None:
        self.fresh = (f"t{i}" for i in itertools.count())

    def both(self, a: _Text, b: _Text) -> _Text:
        return _Text(f"({a} & {b})", a.inverted and b.inverted)

    def either(self, a: _Text, b: _Text) -> _Text:
        return _Text(f"({a} | {b})", a.inverted or b.inverted)

    def negate(self, a: _Text) -> _Text:
        return _Text(f"(~{a})", not a.inverted)

    def some(self, objects: _Text) -> _Text:
        return _Text(f"(1 if {_bounded(objects)} else 0)")

    def how_many(self, objects: _Text) -> _Text:
        return _Text(f"({_bounded(objects)}).bit_count()")

    def the(self, objects: _Text) -> _Text:
        t = next(self.fresh)
        _bounded(objects)
        return _Text(f"({t}.bit_length() - 1 if ({t} := {objects}) and not {t} & ({t} - 1) else fail({t}))")

    def only(self, anchor: _Text) -> _Text:
        return _Text(f"(1 << {anchor})")

    def follow(self, anchor: _Text, links: _Text) -> _Text:
        return _Text(f"{links}[{anchor}]")

    def reach(self, objects: _Text, links: _Text) -> _Text:
        return _Text(f"reach({_bounded(objects)}, {links})")

    def choose(self, anchor: _Text, links: _Text) -> _Text:
        return _Text(f"{links}[{anchor}]")

    def match(self, a: _Text, b: _Text) -> _Text:
        return _Text(f"(1 if {a} == {b} else 0)")

    equal = match

    def less(self, a: _Text, b: _Text) -> _Text:
        return _Text(f"(1 if {a} < {b} else 0)")

    def minus(self, a: _Text, b: _Text) -> _Text:
        return _Text(f"({a} - {b})")

    def number(self, n: object) -> _Text:
        return n if isinstance(n, _Text) else _Text(f"{int(n)}" if isinstance(n, int) else _refuse(n))


def _refuse(n: object) -> str:
    raise TypeError(f"not a number: {n!r}")


class _SourceView:
    """The same View, on source text. Names are those of declarations, which are identifiers."""

    def universe(self, sort: str) -> _Text:
        return _Text(f"s.{_identifier(sort)}")

    def members(self, name: str, literal: object = None) -> _Text:
        return _Text(f"s.{_identifier(name)}[{0 if literal is None else literal}]")

    table = members


def _identifier(name: str) -> str:
    if not (isinstance(name, str) and name.isidentifier()):
        raise DomainError(f"{name!r} is not the name of a sort or table")
    return name


Compiled = Callable[..., int]


PLAIN = BitSets()


def compiled(op: Op) -> Compiled:
    """`f(tables, literals, a, b)` for an op of at most two inputs, else `f(tables, literals, inputs)`.

    `literals` is the one encoded literal, or the tuple of them when there are several. An op whose function
    does more than combine primitives (it branches on a value, say) runs as it is, on the plain algebra.

    Raises:
        DomainError: the op takes the complement of a set for a set.
    """
    wide = len(op.inputs) > 2
    names = [f"p[{i}]" for i in range(len(op.literals))] if len(op.literals) > 1 else ["p"] * len(op.literals)
    slots = [f"v[{i}]" for i in range(len(op.inputs))] if wide else ["a", "b"][: len(op.inputs)]
    given = tuple(map(_Text, names)), tuple(map(_Text, slots))
    text = _expression(op, *given)
    if text is None:
        return _plain(op, wide)
    source = f"lambda s, p, {'v' if wide else 'a, b'}: {text}"
    try:
        function: Compiled = eval(compile(source, f"<op {op.name}>", "eval"), {"fail": fail, "reach": reach})
    except (SyntaxError, MemoryError, RecursionError):  # nested deeper than Python's own parser goes
        return _plain(op, wide)
    return function


def combines(op: Op) -> bool:
    """Whether an op only combines primitives, and so runs on columns of values as on single ones."""
    texts = [_Text(f"x{i}") for i in range(len(op.order))]
    literals = len(op.literals)
    try:
        return _expression(op, tuple(texts[:literals]), tuple(texts[literals:])) is not None
    except DomainError:  # the interpreter raises it for each program that has the op
        return False


def _expression(op: Op, literals: tuple[_Text, ...], inputs: tuple[_Text, ...]) -> str | None:
    """The op as one Python expression; None for an op that does more than combine primitives."""
    source = _Source()
    try:
        expression: Any = op.apply(source, _SourceView(), literals, inputs)
        if not isinstance(expression, _Text):
            return None
        if op.result.shape == "set":
            _bounded(expression)
    except DomainError as error:
        raise DomainError(f"op '{op.name}': {error}") from None
    except Exception:  # whatever a user's function raises on a value that is no number: run it on numbers
        return None
    # An expression drops a `the` that the op calls and does not use, and may order two of them otherwise.
    calls = next(source.fresh)
    return str(expression) if calls == "t0" or (calls == "t1" and "fail(t0)" in str(expression)) else None


def _plain(op: Op, wide: bool) -> Compiled:
    many = len(op.literals) != 1
    few = len(op.inputs)

    def run_wide(s: Any, p: Any, v: Sequence[int]) -> int:
        return checked(op.apply(PLAIN, BitView(s), tuple(p) if many else (p,), tuple(v)))

    def run(s: Any, p: Any, a: int, b: int) -> int:
        return checked(op.apply(PLAIN, BitView(s), tuple(p) if many else (p,), (a, b)[:few]))

    def checked(value: Any) -> int:
        # True and numpy's integers will do. What is no integer, or no set of the scene, would fail far away.
        try:
            number = operator.index(value)
        except TypeError:
            raise DomainError(f"op '{op.name}' returned {value!r}, not a value of the algebra") from None
        if number < 0 and op.result.shape == "set":
            raise DomainError(f"op '{op.name}' returned a complement for a set of objects")
        return number

    return run_wide if wide else run
