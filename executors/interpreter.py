"""Exact execution of one program: a walk over its calls, each one compiled op on bit sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..dsl.kinds import TRUTH, WORD
from ..dsl.op_summary import summary_of
from ..dsl.ops import Op
from ..errors import ExecutionError, NoSingleValue, NotUnique
from ..programs.program import Program
from ..scenes.relations import members
from ..scenes.world import World, named
from .answers import Answer, decode
from .bitsets import Ambiguous, tables_of
from .compiler import Compiled, compiled

_COMPILED: dict[Op, Compiled] = {}


def _function(op: Op) -> Compiled:
    function = _COMPILED.get(op)
    if function is None:
        function = _COMPILED[op] = compiled(op)
    return function


class Code:
    """A program as the interpreter walks it: one tuple a call, and how to read the last value."""

    __slots__ = ("finish", "narrow", "sort", "steps")

    def __init__(self, program: Program) -> None:
        steps: list[tuple[Compiled, Any, Any, int]] = []
        self.narrow = True
        for step, given in zip(program.steps, program.inputs, strict=True):
            encoded: Any = step.encoded
            literal = encoded[0] if len(encoded) == 1 else encoded
            if len(given) > 2:
                self.narrow = False
                steps.append((_function(step.op), literal, given, -1))
            else:
                # Values are kept from place 1 on; place 0 feeds the inputs that a call does not have.
                places = [i + 1 for i in given] + [0, 0]
                steps.append((_function(step.op), literal, places[0], places[1]))
        self.steps = tuple(steps)
        self.finish = _finish(program)
        self.sort = None if program.kind.sort == "object" else program.kind.sort


def _finish(program: Program) -> Callable[[int], Answer]:
    kind, domain = program.kind, program.domain
    if kind.shape in ("number", "one"):
        return int
    if kind is TRUTH:
        return lambda value: value & 1 == 1
    if kind is WORD:
        return domain.answer_words.__getitem__
    return lambda value: decode(value, kind, domain)


def code_of(program: Program) -> Code:
    """Return the program's code, compiled at its first execution."""
    code = program._code
    if code is None:
        code = program._code = Code(program)
    assert isinstance(code, Code)
    return code


def execute(program: Program, scene: World) -> Answer:
    """Return the exact answer of a program on a scene.

    Returns:
        bool for a truth, int for a number or an object's index, str for a word, a tuple of indices for a set. What is
        no object is named as its world names it: a moment by its frame.

    Raises:
        NotUnique: `unique` met no object or several; it names the call and the objects.
        NoSingleValue: an object has no value of an open attribute, or several, where a call takes its only one.
        ExecutionError: the scene is of another domain.
        SceneError: the scene does not know a relation that the program asks for.
    """
    code = program._code
    if code is None:
        code = code_of(program)
    tables = scene._tables
    if tables is None:
        tables = tables_of(scene)
    if scene.domain is not program.domain:
        check_domain(program, scene)
    values = [0]
    append = values.append
    try:
        if code.narrow:
            for function, literal, a, b in code.steps:
                append(function(tables, literal, values[a], values[b]))
        else:
            _run_wide(code, tables, values)
    except (Ambiguous, NoSingleValue) as error:
        raise located(program, scene, len(values) - 1, error) from None
    answer: Answer = code.finish(values[-1])
    return answer if code.sort is None else named(answer, program.kind, scene)


def _run_wide(code: Code, tables: Any, values: list[int]) -> None:
    for function, literal, a, b in code.steps:
        if b < 0:
            values.append(function(tables, literal, [values[i + 1] for i in a]))
        else:
            values.append(function(tables, literal, values[a], values[b]))


def execute_values(program: Program, scene: World) -> tuple[list[int], ExecutionError | None]:
    """Return every call's encoded value up to the end, or up to the call that failed, with its error.

    Raises:
        ExecutionError: the scene is of another domain.
        SceneError: the scene does not know a relation that the program asks for.
    """
    check_domain(program, scene)
    values = [0]
    try:
        # `execute` has a loop of its own for most programs: the one that must be fast.
        _run_wide(code_of(program), tables_of(scene), values)
    except (Ambiguous, NoSingleValue) as error:
        return values[1:], located(program, scene, len(values) - 1, error)
    return values[1:], None


def check_domain(program: Program, scene: World) -> None:
    """Raise ExecutionError unless program and scene are of one domain."""
    if scene.domain != program.domain:
        raise ExecutionError(
            f"the program is of domain '{program.domain.name}', the scene of domain '{scene.domain.name}'"
        )


def located(program: Program, scene: World, node: int, error: Ambiguous | NoSingleValue) -> ExecutionError:
    """Return the error of a call that has no value, with the call in it."""
    from ..programs.text_writer import format_node

    if isinstance(error, Ambiguous):
        return not_unique(program, scene, node, error.bits)
    where = f"node {node}: {format_node(program, node)}: "
    return NoSingleValue(error.attribute, error.object, error.values, node=node, where=where)


def not_unique(program: Program, scene: World, node: int, bits: int) -> NotUnique:
    """Return the error of a call that met a set without exactly one member."""
    from ..programs.text_writer import format_node
    from ..traces.wording import individual_name

    individuals = members(bits)
    op = program.steps[node].op
    summary = summary_of(op)
    sorts = summary.singles if summary is not None else ()
    sort = next((s for s in (*sorts, op.result.sort, *(p.kind.sort for p in op.inputs)) if s is not None), "object")
    listed = ", ".join(individual_name(i, scene, sort) for i in individuals[:8])
    listed += f" and {len(individuals) - 8} more" if len(individuals) > 8 else ""
    what = f"{len(individuals)} {sort}s: {listed}" if individuals else f"no {sort}"
    return NotUnique(f"node {node}: {format_node(program, node)} met {what}", node=node, objects=individuals, sort=sort)
