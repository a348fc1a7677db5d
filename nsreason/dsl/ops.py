"""Every op, once. The annotated function is the signature and the meaning.

`k` is the algebra, `scene` the view; the other parameters are the op's literals (written `filter[red]`) and
its inputs (written in parentheses), told apart by their kinds. Semantics of the CLEVR ops: Johnson et al., CVPR
2017, and the question engine that came with it; `relate` and `same` never contain the anchor itself.

Your own op is one more function:

    @op
    def alone(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Truth[T]:
        "Whether the set has exactly one member."
        return k.equal(k.how_many(objects), k.number(1))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_type_hints, overload

from ..errors import DomainError, did_you_mean
from .algebra import Algebra, View
from .kinds import Attribute, Concept, Integer, Kind, Number, Object, Objects, Relation, Truth, Word

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an op."""

    name: str
    kind: Kind


@dataclass(frozen=True, eq=False)
class Op:
    """An op read from its function.

    `commutes` says that the order of its two inputs does not matter (canonical form sorts them).
    """

    name: str
    function: Callable[..., Any]
    literals: tuple[Param, ...]
    inputs: tuple[Param, ...]
    result: Kind
    order: tuple[int, ...]
    commutes: bool = False

    @property
    def doc(self) -> str:
        """The op's docstring, first line."""
        return (inspect.getdoc(self.function) or "").split("\n")[0]

    @property
    def signature(self) -> str:
        """`filter[concept](objects) -> objects`."""
        literals = f"[{', '.join(p.kind.name for p in self.literals)}]" if self.literals else ""
        return f"{self.name}{literals}({', '.join(p.kind.name for p in self.inputs)}) -> {self.result}"

    def apply(self, k: Algebra[T], scene: View[T], literals: tuple[object, ...], inputs: tuple[T, ...]) -> T:
        """Run the op: its function on encoded literals and input values."""
        given: tuple[object, ...] = (*literals, *inputs)
        result: T = self.function(k, scene, *(given[i] for i in self.order))
        return result


class OpTable(Mapping[str, Op]):
    """The ops by name, in the order of their definition. An op, once in, is never replaced by another."""

    def __init__(self) -> None:
        self._ops: dict[str, Op] = {}

    def __getitem__(self, name: str) -> Op:
        try:
            return self._ops[name]
        except KeyError:
            raise KeyError(f"no op '{name}'{did_you_mean(name, self._ops)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._ops

    def __iter__(self) -> Iterator[str]:
        return iter(self._ops)

    def __len__(self) -> int:
        return len(self._ops)

    def add(self, new: Op) -> None:
        """Add an op.

        Raises:
            DomainError: another function already has the name (the same function, loaded again, may).
        """
        old = self._ops.get(new.name)
        if old is not None and _source(old.function) != _source(new.function):
            raise DomainError(f"the op '{new.name}' is already defined by {_source(old.function)}")
        self._ops[new.name] = new


def _source(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


OPS = OpTable()

F = TypeVar("F", bound=Callable[..., Any])


@overload
def op(function: F) -> F: ...
@overload
def op(*, name: str | None = None, commutes: bool = False) -> Callable[[F], F]: ...
def op(function: F | None = None, *, name: str | None = None, commutes: bool = False) -> F | Callable[[F], F]:
    """Register an op: the signature is read from the function's annotations.

    Raises:
        DomainError: an annotation is missing or is not a kind, or the name is taken.
    """

    def register(f: F) -> F:
        OPS.add(read_signature(f, name=name or f.__name__.rstrip("_"), commutes=commutes))
        return f

    return register if function is None else register(function)


def read_signature(function: Callable[..., Any], *, name: str, commutes: bool = False) -> Op:
    """Return the Op that a function's annotations describe.

    Raises:
        DomainError: the annotations do not make a signature.
    """
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise DomainError(f"op '{name}': an annotation cannot be read: {error}") from None
    kinds = {n: next((m for m in get_args(h) if isinstance(m, Kind)), None) for n, h in hints.items()}
    literals: list[Param] = []
    inputs: list[Param] = []
    signature = inspect.signature(function).parameters
    parameters = list(signature)
    if len(parameters) < 2:
        raise DomainError(f"op '{name}': the first two parameters are the algebra and the scene")
    for parameter in parameters[2:]:
        if signature[parameter].kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            raise DomainError(f"op '{name}': parameter '{parameter}' must be an ordinary one, not starred")
        kind = kinds.get(parameter)
        if kind is None:
            raise DomainError(f"op '{name}': parameter '{parameter}' is not annotated with a kind")
        (literals if kind.literal else inputs).append(Param(parameter, kind))
    result = kinds.get("return")
    if result is None or result.literal:
        raise DomainError(f"op '{name}': the result is not annotated with a kind of value")
    if commutes and (len(inputs) != 2 or inputs[0].kind != inputs[1].kind):
        raise DomainError(f"op '{name}': only an op of two inputs of one kind can commute")
    place = {p.name: i for i, p in enumerate([*literals, *inputs])}
    order = tuple(place[p] for p in parameters[2:])
    return Op(name, function, tuple(literals), tuple(inputs), result, order, commutes)


# --- sets ---------------------------------------------------------------------------------------------------


@op
def scene(k: Algebra[T], scene: View[T]) -> Objects[T]:
    """All objects of the scene."""
    return scene.universe("object")


@op
def filter_(k: Algebra[T], scene: View[T], objects: Objects[T], concept: Concept) -> Objects[T]:
    """The objects of the set that have the value."""
    return k.both(objects, scene.members("concept", concept))


@op
def relate(k: Algebra[T], scene: View[T], anchor: Object[T], relation: Relation) -> Objects[T]:
    """The objects that stand in the relation to the anchor ('left of it')."""
    return k.follow(anchor, scene.table("relation", relation))


@op
def relate_any(k: Algebra[T], scene: View[T], objects: Objects[T], relation: Relation) -> Objects[T]:
    """The objects that stand in the relation to some member of the set ('left of a cube')."""
    return k.reach(objects, scene.table("relation", relation))


@op
def extreme(k: Algebra[T], scene: View[T], objects: Objects[T], relation: Relation) -> Objects[T]:
    """The members that lie furthest: no other member stands in the relation to them ('leftmost')."""
    return k.both(objects, k.negate(k.reach(objects, scene.table("converse", relation))))


@op
def same(k: Algebra[T], scene: View[T], anchor: Object[T], attribute: Attribute) -> Objects[T]:
    """The other objects that share the anchor's value of the attribute."""
    return k.follow(anchor, scene.table("alike", attribute))


@op(commutes=True)
def intersect(k: Algebra[T], scene: View[T], a: Objects[T], b: Objects[T]) -> Objects[T]:
    """The objects in both sets."""
    return k.both(a, b)


@op(commutes=True)
def union(k: Algebra[T], scene: View[T], a: Objects[T], b: Objects[T]) -> Objects[T]:
    """The objects in either set."""
    return k.either(a, b)


@op
def difference(k: Algebra[T], scene: View[T], a: Objects[T], b: Objects[T]) -> Objects[T]:
    """The objects of the first set that are not in the second."""
    return k.both(a, k.negate(b))


@op
def only(k: Algebra[T], scene: View[T], anchor: Object[T]) -> Objects[T]:
    """The set that holds just the object."""
    return k.only(anchor)


# --- objects and words --------------------------------------------------------------------------------------


@op
def unique(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Object[T]:
    """The only object of the set."""
    return k.the(objects)


@op
def query(k: Algebra[T], scene: View[T], anchor: Object[T], attribute: Attribute) -> Word[T]:
    """The object's value of the attribute."""
    return k.choose(anchor, scene.table("values", attribute))


# --- numbers ------------------------------------------------------------------------------------------------


@op
def count(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Number[T]:
    """The number of objects in the set."""
    return k.how_many(objects)


@op
def distinct(k: Algebra[T], scene: View[T], objects: Objects[T], attribute: Attribute) -> Number[T]:
    """The number of different values of the attribute in the set."""
    return k.how_many(k.both(objects, k.negate(k.reach(objects, scene.table("repeats", attribute)))))


@op
def number(k: Algebra[T], scene: View[T], n: Integer) -> Number[T]:
    """A number."""
    return k.number(n)


@op
def minus(k: Algebra[T], scene: View[T], a: Number[T], b: Number[T]) -> Number[T]:
    """The first number less the second."""
    return k.minus(a, b)


# --- truths -------------------------------------------------------------------------------------------------


@op
def exist(k: Algebra[T], scene: View[T], objects: Objects[T]) -> Truth[T]:
    """Whether the set has a member."""
    return k.some(objects)


@op(commutes=True)
def equal(k: Algebra[T], scene: View[T], a: Word[T], b: Word[T]) -> Truth[T]:
    """Whether two values of one attribute are the same."""
    return k.match(a, b)


@op(commutes=True)
def equal_object(k: Algebra[T], scene: View[T], a: Object[T], b: Object[T]) -> Truth[T]:
    """Whether two objects are the same object."""
    return k.match(a, b)


@op(commutes=True)
def equal_integer(k: Algebra[T], scene: View[T], a: Number[T], b: Number[T]) -> Truth[T]:
    """Whether two numbers are equal."""
    return k.equal(a, b)


@op
def less(k: Algebra[T], scene: View[T], a: Number[T], b: Number[T]) -> Truth[T]:
    """Whether the first number is less than the second."""
    return k.less(a, b)


@op
def greater(k: Algebra[T], scene: View[T], a: Number[T], b: Number[T]) -> Truth[T]:
    """Whether the first number is greater than the second."""
    return k.less(b, a)


@op
def negate(k: Algebra[T], scene: View[T], a: Truth[T]) -> Truth[T]:
    """The opposite."""
    return k.negate(a)


@op(commutes=True)
def both(k: Algebra[T], scene: View[T], a: Truth[T], b: Truth[T]) -> Truth[T]:
    """Whether both hold."""
    return k.both(a, b)


@op(commutes=True)
def either(k: Algebra[T], scene: View[T], a: Truth[T], b: Truth[T]) -> Truth[T]:
    """Whether at least one holds."""
    return k.either(a, b)
