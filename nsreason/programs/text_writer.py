"""Programs as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..dsl.domain import Step
from ..dsl.ops import OPS
from ..errors import ConversionError, did_you_mean

if TYPE_CHECKING:
    from .program import Program

WIDTH = 120  # of a call in an error message


def format_program(program: Program, surface: str = "nested") -> str:
    """The program as text; `parse_program` reads it back as an equal program.

    Raises:
        ConversionError: there is no such surface.
    """
    writer = WRITERS.get(surface)
    if writer is None:
        raise ConversionError(f"no surface '{surface}'{did_you_mean(surface, WRITERS)}")
    return writer(program, len(program) - 1)


def format_node(program: Program, node: int) -> str:
    """The nested text of the subtree at one call; the middle is left out where it is long."""
    text = _write_nested(program, node)
    if len(text) <= WIDTH:
        return text
    half = (WIDTH - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


def _shared(program: Program, root: int) -> dict[int, str]:
    """Names for the calls under `root` that are used more than once, in postorder."""
    uses = [0] * (root + 1)
    uses[root] = 1
    for node in range(root, -1, -1):  # users come after what they use
        if uses[node]:
            for i in program.inputs[node]:
                uses[i] += 1
    names = _free_names()
    return {node: next(names) for node, n in enumerate(uses) if n > 1}


def _free_names() -> Iterator[str]:
    """a, b, .. z, a1, b1, ..: all that are not ops."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    number = 0
    while True:
        turn, letter = divmod(number, len(letters))
        name = letters[letter] + (str(turn) if turn else "")
        if name not in OPS:
            yield name
        number += 1


def _label(step: Step) -> str:
    return f"{step.op.name}[{', '.join(step.literals)}]" if step.literals else step.op.name


def _write_nested(program: Program, root: int) -> str:
    names = _shared(program, root)
    bindings = [f"{name} = {_write_call(program, node, names)}; " for node, name in names.items()]
    return "".join(bindings) + _write_call(program, root, names)


def _write_call(program: Program, root: int, names: dict[int, str]) -> str:
    parts: list[str] = []
    stack: list[int | str] = [root]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            parts.append(item)
        elif item in names and item != root:
            parts.append(names[item])
        else:
            parts.append(_label(program.steps[item]) + "(")
            stack.append(")")
            for place, i in reversed(list(enumerate(program.inputs[item]))):
                stack += [i, ", "] if place else [i]
    return "".join(parts)


def _write_postfix(program: Program, root: int) -> str:
    names = _shared(program, root)
    parts: list[str] = []
    written: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if node in written:
            parts.append(f"${names[node]}")
        elif ready:
            written.add(node)
            parts.append(_label(program.steps[node]) + (f" :{names[node]}" if node in names else ""))
        else:
            stack.append((node, True))
            stack.extend((i, False) for i in reversed(program.inputs[node]))
    return " ".join(parts)


WRITERS: dict[str, Callable[[Program, int], str]] = {"nested": _write_nested, "postfix": _write_postfix}
"""Surface -> what writes it; `text_reader.READERS` has what reads it."""
