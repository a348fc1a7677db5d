"""Scope: what a determiner or a negation before a list of noun phrases binds.

A list joined by 'and' or 'or' names the union of its members. A determiner before its first member binds the whole:
'all cubes and balls' is all of the union, 'no cubes or balls' none of it, 'not a cube or a ball' what lies outside.
A member with a determiner of its own is judged by itself: 'all cubes or all balls', 'a cube and a ball'. Known things
('the cube and the ball') are never bound.

A bound list is a node `np_list` with the parts (determiner, members, 'and' or 'or'); whatever asks for the determiner
and the set of a noun phrase gets those of the list, so that no construction has a rule of its own for lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .nodes import Core, Node

LIST = "np_list"


def joined(rule: str, first: Node, second: Node) -> Node:
    """Two noun phrases joined by `rule` (coord_and, coord_or, obj_and, obj_or): a bound list, or a node of the rule."""
    joint = rule.rpartition("_")[2]
    det = _binder(first, joint)
    if det is not None and second.rule == "np" and _bound(first, det, second, joint):
        members = first.parts[1] if first.rule == LIST else (first,)
        return Node(LIST, (det, (*members, second), joint))
    return Node(rule, (first, second))


def paired(rule: str, parts: Sequence[Node]) -> Node:
    """'either ... or', 'neither ... nor': of things that are not known, any or none of the list."""
    det = "any" if rule == "np_either" else "no"
    dets = ("a", "any", "") if rule == "np_either" else ("a", "any", "", "the")
    if all(np.rule == "np" and np.parts[0] in dets and not _known(np) for np in parts):
        return Node(LIST, (det, tuple(parts), "or"))
    return Node(rule, tuple(parts))


def nearer(first: Node, second: Node, *, alike: bool = False) -> bool:
    """Whether the second noun phrase goes rather with the noun in the clause of the first: 'all cubes left of the ball
    and the cylinder', 'no cubes left of a ball or a cylinder'. With `alike`, also where the determiners agree."""
    if first.rule != "np" or second.rule != "np" or not first.parts[1].posts:
        return False
    clause = first.parts[1].posts[-1][1]
    anchor = clause.parts[-1] if isinstance(clause, Node) and clause.rule in ("pred_relation", "pred_same") else None
    if not isinstance(anchor, Node) or anchor.rule != "np" or anchor.parts[1].posts:
        return False
    own, det = second.parts[0], anchor.parts[0]
    if own == "":
        return det in ("a", "any", "all", "no", "most") and second.parts[1].plural == anchor.parts[1].plural
    return bool(own == det and (alike or own != first.parts[0]))


def with_posts(np: Node, posts: tuple[Any, ...]) -> Node:
    """A noun phrase, or each member of a list, with clauses after its noun."""
    if np.rule == "np":
        det, core = np.parts
        return Node("np", (det, core._replace(posts=(*core.posts, *posts))))
    if np.rule == LIST:
        det, members, joint = np.parts
        return Node(LIST, (det, tuple([with_posts(member, posts) for member in members]), joint))
    return np


def _known(np: Node) -> bool:
    """Whether this is one known thing: 'the cube', or 'cube' with its article left out."""
    det, core = np.parts
    return not core.plural and (det in ("the", "only") or (det == "" and not core.anything))


def _binder(np: Node, joint: str) -> str | None:
    """The determiner that a list which begins so is bound by, if any."""
    if np.rule == LIST:
        binder: str = np.parts[0]
        return binder
    if np.rule != "np" or np.parts[1].anything:
        return None
    det: str = np.parts[0]
    if det == "the":
        return "the" if np.parts[1].plural else None
    if det == "a":  # 'some cubes and balls' are some cubes, and some balls
        return "a" if joint == "or" else None
    return det if det in ("all", "no", "most", "any") else None


def _bound(first: Node, det: str, second: Node, joint: str) -> bool:
    """Whether the determiner of a list's first member binds another member too."""
    own: str = second.parts[0]
    core: Core = second.parts[1]
    if core.anything or core.number:
        return False
    if own == "":
        return True
    if own == "the":  # 'none of the cubes and the balls', 'the cubes and the balls'
        head: Core = (first.parts[1][0] if first.rule == LIST else first).parts[1]
        return core.plural and (joint == "and" if det == "the" else head.of_the)
    if own == det:  # 'every cube and every ball'
        return det in ("all", "no") and joint == "and"
    return det == "no" and own == "a"  # 'not a cube or a ball'
