"""Kinds: what a program's values are, and what its literals name.

A kind is written into an op's annotations (`Objects[T]`, `Concept`) and read from there by the type checker,
the parsers, the generators and the docs. `T` is whatever an algebra computes with: Python integers, numpy
arrays, tensors.

`Events` and `Event` are the kinds of video domains; the image domains have no op that makes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of value (`literal=False`) or of literal parameter (`literal=True`)."""

    name: str
    meaning: str
    literal: bool = False

    def __str__(self) -> str:
        return self.name


OBJECTS = Kind("objects", "a set of objects of the scene")
OBJECT = Kind("object", "one object of the scene")
EVENTS = Kind("events", "a set of events of a video")
EVENT = Kind("event", "one event of a video")
TRUTH = Kind("truth", "yes or no")
NUMBER = Kind("number", "a whole number")
WORD = Kind("word", "a value of an attribute")

CONCEPT = Kind("concept", "a value of an attribute, such as red", literal=True)
ATTRIBUTE = Kind("attribute", "an attribute, such as color", literal=True)
RELATION = Kind("relation", "a relation, such as left", literal=True)
INTEGER = Kind("integer", "a whole number written into the program", literal=True)

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
