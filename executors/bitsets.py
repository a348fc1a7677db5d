"""Exact semantics on bit sets: the algebra in Python integers, and the ops compiled over it.

An object set is an integer whose bit i stands for object i; an object is its index; a truth is 1 or 0 in the
lowest bit; a word is a concept's number. Integers have any size, so a scene may have any number of objects.

`BitSets` is the plain algebra. `compiled` runs an op's function once with an algebra of source text and turns
the expression that comes out into one Python function, as dataclasses and named tuples are made; nothing that
a user can hand over (names, literals, questions) is part of that text. Both give the same values: a test
compares them.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

from ..dsl.kinds import OBJECTS
from ..dsl.ops import Op
from ..errors import DomainError
from ..scenes.scene import Scene, converse


class Ambiguous(Exception):  # noqa: N818 - the interpreter catches it, and says the node to the user
    """`the` met a set that does not have exactly one member."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        super().__init__(bits)


def fail(bits: int) -> int:
    """Raise Ambiguous; a function, so that an expression can call it."""
    raise Ambiguous(bits)


def reach(objects: int, links: Sequence[int]) -> int:
    """The union of the rows at the members of a set."""
    found = 0
    while objects:
        low = objects & -objects
        found |= links[low.bit_length() - 1]
        objects ^= low
    return found


class BitTables:
    """A scene as bit sets: what the exact View reads. Made once per scene, rare tables when asked for."""

    __slots__ = ("_alike", "_converse", "_repeats", "concepts", "full", "relations", "scene", "values")

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.full = (1 << len(scene)) - 1
        self.concepts = scene.concepts
        self.values = scene.values
        self.relations = _Relations(scene)
        self._alike: dict[int, list[int]] = {}
        self._converse: dict[int, list[int]] = {}
        self._repeats: dict[int, list[int]] = {}

    def alike(self, attribute: int) -> list[int]:
        rows = self._alike.get(attribute)
        if rows is None:
            rows = self._alike[attribute] = self.scene.sharing(attribute)
        return rows

    def converse(self, relation: int) -> list[int]:
        rows = self._converse.get(relation)
        if rows is None:
            rows = self._converse[relation] = converse(self.relations[relation])
        return rows

    def repeats(self, attribute: int) -> list[int]:
        if attribute in self.scene.domain.open_attributes:
            name = self.scene.domain.attributes[attribute]
            raise DomainError(f"an object may have several values of '{name}': what repeats a value is not defined")
        rows = self._repeats.get(attribute)
        if rows is None:
            rows = [row & (-2 << i) for i, row in enumerate(self.alike(attribute))]
            self._repeats[attribute] = rows
        return rows


class _Relations(dict[int, list[int]]):
    """Relation rows by number, asked of the scene when first needed."""

    __slots__ = ("scene",)

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.scene = scene

    def __missing__(self, number: int) -> list[int]:
        rows = self[number] = self.scene.relation(number)
        return rows


def tables_of(scene: Scene) -> BitTables:
    """The scene's bit tables."""
    tables = scene._tables
    if tables is None:
        tables = scene._tables = BitTables(scene)
    assert isinstance(tables, BitTables)
    return tables


class BitSets:
    """The exact algebra in Python integers; see `Algebra` for what each primitive means."""

    def both(self, a: int, b: int) -> int:
        return a & b

    def either(self, a: int, b: int) -> int:
        return a | b

    def negate(self, a: int) -> int:
        return ~a

    def some(self, objects: int) -> int:
        return 1 if objects else 0

    def how_many(self, objects: int) -> int:
        return objects.bit_count()

    def the(self, objects: int) -> int:
        return objects.bit_length() - 1 if objects and not objects & (objects - 1) else fail(objects)

    def only(self, anchor: int) -> int:
        return 1 << anchor

    def follow(self, anchor: int, links: Any) -> int:
        row: int = links[anchor]
        return row

    def reach(self, objects: int, links: Any) -> int:
        return reach(objects, links)

    def choose(self, anchor: int, links: Any) -> int:
        word: int = links[anchor]
        return word

    def match(self, a: int, b: int) -> int:
        return 1 if a == b else 0

    def equal(self, a: int, b: int) -> int:
        return 1 if a == b else 0

    def less(self, a: int, b: int) -> int:
        return 1 if a < b else 0

    def minus(self, a: int, b: int) -> int:
        return a - b

    def number(self, n: Any) -> int:
        return int(n)


class BitView:
    """The exact View of one scene, for the plain algebra."""

    def __init__(self, tables: BitTables) -> None:
        self.tables = tables

    def everything(self) -> Any:
        return self.tables.full

    def concept(self, concept: Any) -> Any:
        return self.tables.concepts[concept]

    def relation(self, relation: Any) -> Any:
        return self.tables.relations[relation]

    def converse(self, relation: Any) -> Any:
        return self.tables.converse(relation)

    def alike(self, attribute: Any) -> Any:
        return self.tables.alike(attribute)

    def repeats(self, attribute: Any) -> Any:
        return self.tables.repeats(attribute)

    def values(self, attribute: Any) -> Any:
        return self.tables.values[attribute]


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
            "a complement stands alone; intersect it: k.both(scene.everything(), k.negate(objects)), "
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
    """The same View, on source text."""

    def everything(self) -> _Text:
        return _Text("s.full")

    def concept(self, concept: object) -> _Text:
        return _Text(f"s.concepts[{concept}]")

    def relation(self, relation: object) -> _Text:
        return _Text(f"s.relations[{relation}]")

    def converse(self, relation: object) -> _Text:
        return _Text(f"s.converse({relation})")

    def alike(self, attribute: object) -> _Text:
        return _Text(f"s.alike({attribute})")

    def repeats(self, attribute: object) -> _Text:
        return _Text(f"s.repeats({attribute})")

    def values(self, attribute: object) -> _Text:
        return _Text(f"s.values[{attribute}]")


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
        made: Any = op.apply(source, _SourceView(), literals, inputs)
        if not isinstance(made, _Text):
            return None
        if op.result is OBJECTS:
            _bounded(made)
    except DomainError as error:
        raise DomainError(f"op '{op.name}': {error}") from None
    except Exception:  # whatever a user's function raises on a value that is no number: run it on numbers
        return None
    # An expression drops a `the` that the op calls and does not use, and may order two of them otherwise.
    calls = next(source.fresh)
    return str(made) if calls == "t0" or (calls == "t1" and "fail(t0)" in str(made)) else None


def _plain(op: Op, wide: bool) -> Compiled:
    many = len(op.literals) != 1
    few = len(op.inputs)

    def run_wide(s: BitTables, p: Any, v: Sequence[int]) -> int:
        return checked(op.apply(PLAIN, BitView(s), tuple(p) if many else (p,), tuple(v)))

    def run(s: BitTables, p: Any, a: int, b: int) -> int:
        return checked(op.apply(PLAIN, BitView(s), tuple(p) if many else (p,), (a, b)[:few]))

    def checked(value: Any) -> int:
        # True and numpy's integers will do. What is no integer, or no set of the scene, would fail far away.
        try:
            number = operator.index(value)
        except TypeError:
            raise DomainError(f"op '{op.name}' returned {value!r}, not a value of the algebra") from None
        if number < 0 and op.result is OBJECTS:
            raise DomainError(f"op '{op.name}' returned a complement for a set of objects")
        return number

    return run_wide if wide else run
