"""The nodes that the phrases of a question become."""

from __future__ import annotations

from typing import Any, NamedTuple


class Leaf(NamedTuple):
    """A word that a phrase keeps: the terminal that it is, what it means, and where it stands."""

    terminal: str
    value: str
    start: int


class Core(NamedTuple):
    """A noun with what stands before and after it; `start` is where the noun stands in the text, `anything` the
    determiner in 'anything' and 'everything', `number` how many are spoken of ('any two cubes'; 0: not said), `of_the`
    says that the determiner takes from known things ('none of the cubes'), `run_on` that plurals stand side by side, as
    where a list lacks its commas ('cubes balls').

    A word of `mods` has the terminal ADJECTIVE, NOT, EXTREME or OTHER, or AND, OR, AND_NOT, AND_EXTREME after one.
    """

    mods: tuple[Leaf, ...]
    nouns: tuple[str, ...]
    plural: bool
    posts: tuple[tuple[str, Any], ...]
    start: int = 0
    anything: str = ""
    number: int = 0
    of_the: bool = False
    run_on: bool = False


class Node(NamedTuple):
    """A phrase: its rule, and its parts."""

    rule: str
    parts: tuple[Any, ...]
