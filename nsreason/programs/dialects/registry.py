"""Data sets' and systems' ways to write programs, read and written without loss where the dialect allows.

    clevr, clevr-raw   the official files, released and as the generator writes them
    ns-vqa             prefix tokens (Yi et al., NeurIPS 2018)
    ns-cl              op sequences (Mao et al., ICLR 2019)
    nested, postfix    nsreason's own text

`read_program` and `write_program` work on text (JSON where the dialect is JSON); the functions of each
dialect on Python data. Native op names come from the domain file: any domain with a [native] table will do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Any, Literal, TypeVar

import msgspec

from ...dsl.domain import Domain, load_domain
from ...errors import ConversionError, ProgramError, did_you_mean
from ..program import Program
from ..text_reader import parse_program
from ..text_writer import format_program
from .native_names import native_table
from .nscl import NsclOp, from_nscl, to_nscl

__all__ = [
    "DIALECTS",
    "ClevrNode",
    "NsclOp",
    "from_clevr",
    "from_ns_vqa",
    "from_nscl",
    "read_program",
    "to_clevr",
    "to_ns_vqa",
    "to_nscl",
    "write_program",
]

# --- CLEVR --------------------------------------------------------------------------------------------------


class ClevrNode(msgspec.Struct, gc=False):
    """A node of an official program: `function`, `value_inputs` (released) or `type`, `side_inputs` (raw).

    Other keys, such as the generator's cached `_output`, are ignored. gc=False: nodes hold no cycles, and
    files hold millions of them.
    """

    function: str = ""
    inputs: tuple[int, ...] = ()
    value_inputs: tuple[str, ...] = ()
    type: str = ""
    side_inputs: tuple[str, ...] = ()


def from_clevr(nodes: Sequence[ClevrNode] | Sequence[Mapping[str, Any]], domain: Domain | str = "clevr") -> Program:
    """A program from the nodes of an official file, in either layout.

    Raises:
        ProgramError: a function, value or input does not fit; `error.node` is the node's index.
    """
    table = native_table(load_domain(domain))
    if not (isinstance(nodes, list) and nodes and type(nodes[0]) is ClevrNode):
        nodes = _nodes(nodes)
    inputs = tuple([n.inputs for n in nodes])
    names = [(n.function, n.value_inputs) for n in nodes]
    if not names[-1][0]:
        names = [_raw(n, place) for place, n in enumerate(nodes)]
    return table.program(names, inputs)


def _nodes(nodes: object) -> list[ClevrNode]:
    try:
        read = msgspec.convert(nodes, list[ClevrNode])
    except msgspec.ValidationError as error:
        raise ConversionError(f"not the nodes of a program: {error}") from None
    if not read:
        raise ConversionError("a program has at least one node")
    return read


def _raw(node: ClevrNode, place: int) -> tuple[str, tuple[str, ...]]:
    if not (node.function or node.type):
        raise ConversionError("the node has neither 'function' nor 'type'", node=place)
    return node.function or node.type, node.side_inputs or node.value_inputs


def to_clevr(program: Program, layout: Literal["released", "raw"] = "released") -> list[dict[str, Any]]:
    """The nodes of an official file.

    Raises:
        ConversionError: the data set has no function for an op, which the message names.
    """
    if layout not in ("released", "raw"):
        raise ConversionError(f"no layout '{layout}'; known: released, raw")
    table = native_table(program.domain)
    name_key, values_key = ("function", "value_inputs") if layout == "released" else ("type", "side_inputs")
    out: list[dict[str, Any]] = []
    for node, given in enumerate(program.inputs):
        name, values = table.spell(program, node, f"the data set of '{program.domain.name}'")
        out.append({"inputs": list(given), name_key: name, values_key: list(values)})
    return out


# --- NS-VQA -------------------------------------------------------------------------------------------------

_NS_VQA_OPS = frozenset(
    {"scene", "filter", "unique", "relate", "same", "union", "intersect", "count", "exist", "query"}
    | {"equal_integer", "less", "greater", "equal"}
)
_TOKEN = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<values>[^\[\]]*)\])?")


def from_ns_vqa(tokens: str | Sequence[str], domain: Domain | str = "clevr") -> Program:
    """A program from NS-VQA's prefix tokens, left subtree first: `count filter_color[red] scene`.

    <START>, <END> and what follows <END> are skipped. Programs that NS-VQA's own machine could not run (see
    `to_ns_vqa`) are read as well: the tokens say them without doubt.

    Raises:
        ConversionError: a token is unknown, or the tokens are no program; the message points at the token. Or they
            are no text, as the numbers of NS-VQA's own vocabulary are not.
    """
    table = native_table(load_domain(domain))
    text = _ns_vqa_text(tokens)
    placed = _ns_vqa_tokens(text)
    names: list[tuple[str, tuple[str, ...]]] = []
    inputs: list[tuple[int, ...]] = []
    positions: list[int] = []
    stack: list[int] = []
    try:
        for position, token in reversed(placed):  # inputs before the op that takes them
            positions.append(position)
            name, values = _ns_vqa_name(token, len(names))
            step = table.step(name, values, len(names))
            if step.op.name not in _NS_VQA_OPS:
                raise ConversionError(f"NS-VQA has no '{name}'", node=len(names))
            arity = len(step.takes)
            if len(stack) < arity:
                message = f"{name} takes {arity} input(s), but {len(stack)} follow"
                raise ConversionError(message, node=len(names))
            inputs.append(tuple(stack.pop() for _ in range(arity)))
            stack.append(len(names))
            names.append((name, values))
        if len(stack) != 1:
            message = "the program is complete before this" if stack else "there are no tokens"
            raise ConversionError(message, node=stack[-2] if stack else None)
        return table.program(names, inputs)
    except ProgramError as error:
        position = 0 if error.node is None else positions[error.node]
        raise ConversionError(error.reason, node=error.node, text=text, position=position) from None


def _ns_vqa_text(tokens: object) -> str:
    if isinstance(tokens, str):
        return tokens
    if isinstance(tokens, Iterable) and not isinstance(tokens, bytes | bytearray | memoryview):
        words = list(tokens)
        for token in words:
            if not isinstance(token, str):
                hint = "; numbers are of a vocabulary: look its words up first" if isinstance(token, Integral) else ""
                raise ConversionError(f"NS-VQA's tokens are text, got {type(token).__name__} {token!r:.40}{hint}")
        return " ".join(words)
    raise ConversionError(f"NS-VQA's program is a text or a list of its tokens, got {type(tokens).__name__}")


def _ns_vqa_tokens(text: str) -> list[tuple[int, str]]:
    placed = [(m.start(), m[0]) for m in re.finditer(r"\S+", text)]
    if placed and placed[0][1] == "<START>":
        del placed[0]
    ends = [i for i, (_, token) in enumerate(placed) if token in ("<END>", "<NULL>")]
    return placed[: ends[0]] if ends else placed


def _ns_vqa_name(token: str, node: int) -> tuple[str, tuple[str, ...]]:
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ConversionError(f"'{token}' is not a token: op or op[value]", node=node)
    return match["name"], () if match["values"] is None else tuple(match["values"].split(","))


def to_ns_vqa(program: Program) -> list[str]:
    """NS-VQA's prefix tokens, without <START> and <END>. A call that is used twice is written out twice.

    NS-VQA's machine has one register beside its accumulator and fills it at the second `scene`, so at most
    one op of two inputs can run.

    Raises:
        ConversionError: the machine could not run the program, or has no token for an op.
    """
    table = native_table(program.domain)
    pairs = [node for node, given in enumerate(program.inputs) if len(given) > 1]
    if len(pairs) > 1:
        raise ConversionError(
            f"NS-VQA runs one op of two inputs at most (its machine has one spare register), the program has "
            f"{len(pairs)}: " + ", ".join(program.steps[n].op.name for n in pairs),
            node=pairs[1],
        )
    out: list[str] = []
    stack = [len(program) - 1]
    while stack:
        node = stack.pop()
        name, values = table.spell(program, node, "NS-VQA")
        if program.steps[node].op.name not in _NS_VQA_OPS:
            raise ConversionError(f"NS-VQA has no '{program.steps[node].op.name}'", node=node)
        out.append(f"{name}[{','.join(values)}]" if values else name)
        stack.extend(reversed(program.inputs[node]))
    return out


# --- text ---------------------------------------------------------------------------------------------------

T = TypeVar("T")


def _decode(data: str, layout: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=layout)
    except msgspec.ValidationError as error:
        raise ConversionError(f"not a program of this dialect: {error}") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ConversionError(f"not valid JSON: {error}") from None


def _encode(data: object) -> str:
    return msgspec.json.encode(data).decode()


def _read_clevr(data: str, domain: Domain | str) -> Program:
    return from_clevr(_decode(data, list[ClevrNode]), domain)


def _read_nscl(data: str, domain: Domain | str) -> Program:
    return from_nscl(_decode(data, list[NsclOp]), domain)


Reader = Callable[[str, Domain | str], Program]
Writer = Callable[[Program], str]

DIALECTS: dict[str, tuple[Reader, Writer]] = {
    "nested": (parse_program, format_program),
    "postfix": (partial(parse_program, surface="postfix"), partial(format_program, surface="postfix")),
    "clevr": (_read_clevr, lambda program: _encode(to_clevr(program))),
    "clevr-raw": (_read_clevr, lambda program: _encode(to_clevr(program, "raw"))),
    "ns-vqa": (from_ns_vqa, lambda program: " ".join(to_ns_vqa(program))),
    "ns-cl": (_read_nscl, lambda program: _encode(to_nscl(program))),
}


def _dialect(name: str) -> tuple[Reader, Writer]:
    if not isinstance(name, str) or name not in DIALECTS:
        raise ConversionError(f"no dialect '{name}'{did_you_mean(str(name), DIALECTS)}")
    return DIALECTS[name]


def read_program(data: str, dialect: str, domain: Domain | str = "clevr") -> Program:
    """A program from its text in a dialect.

    Raises:
        ProgramError: the text is no program of that dialect, there is no such dialect, or the domain has no
            names for it.
        DomainError: there is no such domain.
    """
    if not isinstance(data, str):
        raise ConversionError(f"a program of a dialect is a text, got {type(data).__name__}")
    return _dialect(dialect)[0](data, domain)


def write_program(program: Program, dialect: str) -> str:
    """A program as text of a dialect.

    Raises:
        ConversionError: the dialect cannot say the program, or there is no such dialect.
    """
    return _dialect(dialect)[1](program)
