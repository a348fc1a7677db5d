"""The type of a question, as tables of results have it, from its program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dsl.domain import Domain
from ..dsl.kinds import NUMBER, OBJECT, OBJECTS, TRUTH, WORD
from .program import Program

if TYPE_CHECKING:
    pass


class QuestionTypes:
    """The type of a question, after CLEVR's grouping, and its finer native op: both from its last call."""

    def __init__(self, domain: Domain) -> None:
        self._native = {(op, attribute): native for native, op, attribute in domain.native_ops()}
        self._known: dict[tuple[str, str | None], tuple[str, str]] = {}

    def __call__(self, program: Program) -> tuple[str, str]:
        """(type, op), such as ("query", "query_color")."""
        last = program.steps[-1]
        unit = last.unit
        if unit is None and program.inputs[-1]:
            unit = program.steps[program.inputs[-1][0]].unit  # the attribute that `equal` compares
        key = last.op.name, unit
        types = self._known.get(key)
        if types is None:
            native = self._native.get(key) or self._native.get((key[0], None)) or key[0]
            types = self._known[key] = _group(program), native
        return types


def _group(program: Program) -> str:
    op, kind = program.steps[-1].op.name, program.kind
    if kind is NUMBER:
        return "count"
    if kind is WORD:
        return "query"
    if kind is OBJECT or kind is OBJECTS:
        return kind.name
    if kind is TRUTH and op == "exist":
        return "exist"
    if op in ("equal_integer", "less", "greater"):
        return "compare number"
    return "compare attribute" if op == "equal" else "logic"


def nodes(program: Program) -> int:
    """The calls of a program written as a tree."""
    sizes: list[int] = []
    for inputs in program.inputs:
        sizes.append(1 + sum(sizes[i] for i in inputs))
    return sizes[-1]
