"""The two protocols in which every op is written: the Algebra it computes with and the View of the scene it
reads.

An executor is an interpreter plus an Algebra plus a View. Ops name no array library: an object set may be a
bit set in a Python integer, a column of 64-bit words for a batch of questions, or logits of membership.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Algebra(Protocol[T]):
    """The primitives. Sets are elementwise over individuals; truths behave as sets over a single point."""

    def both(self, a: T, b: T) -> T:
        """Return the intersection of two sets, or conjunction of two truths."""

    def either(self, a: T, b: T) -> T:
        """Return the union of two sets, or disjunction of two truths."""

    def negate(self, a: T) -> T:
        """Return the complement of a set (only meaningful under `both`), or negation of a truth."""

    def some(self, objects: T) -> T:
        """Return whether the set has a member."""

    def how_many(self, objects: T) -> T:
        """Return the number of members."""

    def the(self, objects: T) -> T:
        """Return the only member. Exact algebras report a set that has none or several."""

    def only(self, anchor: T) -> T:
        """Return the set whose only member is the object."""

    def follow(self, anchor: T, links: T) -> T:
        """Return the row of a table at an individual: those it is linked to, or where tables are nested a table."""

    def reach(self, objects: T, links: T) -> T:
        """Return the union of the rows of a table at the members of a set."""

    def choose(self, anchor: T, links: T) -> T:
        """Return the entry of a table of words at an individual."""

    def match(self, a: T, b: T) -> T:
        """Return whether two words, or two individuals, are the same."""

    def equal(self, a: T, b: T) -> T:
        """Return whether two numbers are equal."""

    def less(self, a: T, b: T) -> T:
        """Return whether the first number is less than the second."""

    def minus(self, a: T, b: T) -> T:
        """Return the difference of two numbers."""

    def number(self, n: object) -> T:
        """Return a number written into the program."""


class View(Protocol[T_co]):
    """What a world offers: named sets and tables, each declared once in `dsl/tables.py`."""

    def universe(self, sort: str) -> T_co:
        """Return all individuals of a sort, as a set."""

    def members(self, name: str, literal: object = None) -> T_co:
        """Return a declared set; of a family the one of the literal: `scene.members("concept", concept)`."""

    def table(self, name: str, literal: object = None) -> T_co:
        """Return a declared table, whose row at an individual is a set, a word, or again a table."""
