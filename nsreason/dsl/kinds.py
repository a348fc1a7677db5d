"""Kinds: what a program's values are, and what its literals name.

A kind is written into an op's annotations (`Objects[T]`, `Concept`) and read from there by the type checker,
the parsers, the generators and the docs. `T` is whatever an algebra computes with: Python integers, numpy
arrays, tensors.

A value's kind has a shape (a set, one, a truth, ...) and, where it is of individuals, their sort. `Events` and `Event`
are the kinds of video domains; domains of images admit no op that makes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

T = TypeVar("T")
Shape = Literal["set", "one", "truth", "number", "word", "concept", "attribute", "relation", "integer"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value (`literal=False`) or of literal parameter (`literal=True`).

    Attributes:
        shape: of a value: a set of individuals, one of them, a truth, a number, a word. Of a literal: what it names.
        sort: of sets and ones: what their members are (`object`, `event`). Of concepts and attributes: what they are
            said of, so that the type of an event is no color of an object.
    """

    name: str
    meaning: str
    shape: Shape
    literal: bool = False
    sort: str | None = None

    def __str__(self) -> str:
        return self.name


OBJECTS = Kind("objects", "a set of objects of the scene", "set", sort="object")
OBJECT = Kind("object", "one object of the scene", "one", sort="object")
EVENTS = Kind("events", "a set of events of a video", "set", sort="event")
EVENT = Kind("event", "one event of a video", "one", sort="event")
TRUTH = Kind("truth", "yes or no", "truth")
NUMBER = Kind("number", "a whole number", "number")
WORD = Kind("word", "a value of an attribute", "word")

CONCEPT = Kind("concept", "a value of an attribute, such as red", "concept", literal=True, sort="object")
ATTRIBUTE = Kind("attribute", "an attribute, such as color", "attribute", literal=True, sort="object")
RELATION = Kind("relation", "a relation, such as left", "relation", literal=True)
INTEGER = Kind("integer", "a whole number written into the program", "integer", literal=True)

Objects = Annotated[T, OBJECTS]
Object = Annotated[T, OBJECT]
Events = Annotated[T, EVENTS]
Event = Annotated[T, EVENT]
Truth = Annotated[T, TRUTH]
Number = Annotated[T, NUMBER]
Word = Annotated[T, WORD]

# A literal reaches an op already encoded as its index in the domain: one integer when a single program runs,
# an array when a batch does. Ops only hand it on to the scene, so `object` is all that they may know of it.
Concept = Annotated[object, CONCEPT]
Attribute = Annotated[object, ATTRIBUTE]
Relation = Annotated[object, RELATION]
Integer = Annotated[object, INTEGER]
