"""NS-CL's op sequences (Mao et al., ICLR 2019): sets only, where consumers of one object imply `unique`.

    [{"op": "scene", "inputs": []},
     {"op": "filter", "inputs": [0], "concept": ["red", "cube"]},
     {"op": "query", "inputs": [1], "attribute": "size"}]

Its numbers and words exist as answers only: comparing two counts is one op on two sets (`count_less`),
comparing two values one on two objects (`query_attribute_equal`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ...dsl.domain import Domain, load_domain
from ...errors import ConversionError, ProgramError, did_you_mean
from ..program import Call, Program


class NsclOp(msgspec.Struct, omit_defaults=True):
    """One op of a sequence. Other keys (`concept_idx`, `concept_values`) are ignored."""

    op: str
    inputs: tuple[int, ...] = ()
    concept: tuple[str, ...] = ()
    relational_concept: tuple[str, ...] = ()
    attribute: str = ""


class _NsclForm(NamedTuple):
    """What one NS-CL op means: `op` after `first` at each input."""

    op: str
    arity: int
    first: tuple[str, ...] = ()
    parameter: str = ""  # the key of its parameter


_FORMS = {
    "scene": _NsclForm("scene", 0),
    "filter": _NsclForm("filter", 1, (), "concept"),
    "relate": _NsclForm("relate", 1, ("unique",), "relational_concept"),
    "relate_attribute_equal": _NsclForm("same", 1, ("unique",), "attribute"),
    "intersect": _NsclForm("intersect", 2),
    "union": _NsclForm("union", 2),
    "query": _NsclForm("query", 1, ("unique",), "attribute"),
    "query_attribute_equal": _NsclForm("equal", 2, ("unique", "query"), "attribute"),
    "exist": _NsclForm("exist", 1),
    "count": _NsclForm("count", 1),
    "count_equal": _NsclForm("equal_integer", 2, ("count",)),
    "count_less": _NsclForm("less", 2, ("count",)),
    "count_greater": _NsclForm("greater", 2, ("count",)),
}
_NAMES = {form.op: name for name, form in _FORMS.items()}


def from_nscl(ops: Sequence[NsclOp | Mapping[str, Any]], domain: Domain | str = "clevr") -> Program:
    """A program from an NS-CL op sequence; `ops` is only read.

    Consumers of one object from one set share one `unique`, and comparisons share nothing else.

    Raises:
        ConversionError: an op or parameter is unknown or missing, or kinds do not fit; `error.node` is the
            op's place in the sequence.
    """
    domain = load_domain(domain)
    try:
        given = ops if isinstance(ops, list | tuple) else msgspec.convert(ops, list[NsclOp])
        records = [o if isinstance(o, NsclOp) else msgspec.convert(o, NsclOp) for o in given]
    except msgspec.ValidationError as error:
        raise ConversionError(f"not an NS-CL op sequence: {error}") from None
    calls: list[Call] = []
    origin: list[int] = []  # the op that each call comes from
    call_of: dict[int, int] = {}  # op -> its call
    uniques: dict[int, int] = {}  # call -> the `unique` of it

    def add(place: int, op: str, literals: tuple[str, ...], inputs: tuple[int, ...]) -> int:
        calls.append(Call(op, literals, inputs))
        origin.append(place)
        return len(calls) - 1

    for place, record in enumerate(records):
        form, parameters = _check(place, record)
        inputs: list[int] = []
        for i in record.inputs:
            node = call_of[i]
            for op in form.first:
                if op == "unique":
                    if node not in uniques:
                        uniques[node] = add(place, "unique", (), (node,))
                    node = uniques[node]
                else:
                    node = add(place, op, parameters if op == "query" else (), (node,))
            inputs.append(node)
        if form.op == "filter":
            for concept in parameters:
                inputs = [add(place, "filter", (concept,), tuple(inputs))]
            call_of[place] = inputs[0]
        else:
            call_of[place] = add(place, form.op, () if form.op == "equal" else parameters, tuple(inputs))
    try:
        return Program(calls, domain)
    except ProgramError as error:
        at = None if error.node is None else origin[error.node]
        name = "" if at is None else f"{records[at].op}: "
        raise ConversionError(name + error.reason, node=at) from None


def _check(place: int, record: NsclOp) -> tuple[_NsclForm, tuple[str, ...]]:
    form = _FORMS.get(record.op)
    if form is None:
        message = f"NS-CL has no op '{record.op}'{did_you_mean(record.op, _FORMS)}"
        raise ConversionError(message, node=place)
    if len(record.inputs) != form.arity:
        message = f"{record.op} takes {form.arity} input(s), got {len(record.inputs)}"
        raise ConversionError(message, node=place)
    for i in record.inputs:
        if not 0 <= i < place:
            raise ConversionError(f"{record.op}: input {i} is not an earlier op", node=place)
    literals = {"concept": record.concept, "relational_concept": record.relational_concept}
    literals["attribute"] = (record.attribute,) if record.attribute else ()
    parameters = literals.pop(form.parameter, ())
    other = next((key for key, values in literals.items() if values), None)
    if other is not None:
        raise ConversionError(f"{record.op} takes no '{other}'", node=place)
    if form.parameter and (not parameters or (len(parameters) > 1 and form.op != "filter")):
        message = f"{record.op} takes one '{form.parameter}', got {len(parameters)}"
        raise ConversionError(message, node=place)
    return form, parameters


def to_nscl(program: Program) -> list[dict[str, Any]]:
    """The NS-CL op sequence of a program.

    Filters of a chain become one op, unless something else uses the set between them; `unique` is left
    out, since its consumers imply it.

    Raises:
        ConversionError: the sequence cannot say it; the message names the op.
    """
    uses = [0] * len(program)
    for given in program.inputs:
        for i in given:
            uses[i] += 1
    out: list[dict[str, Any]] = []
    place: list[int] = []  # per call the NS-CL op whose set it is, or is made of
    answer = len(program) - 1
    for node, (step, given) in enumerate(zip(program.steps, program.inputs, strict=True)):
        op = step.op.name
        if op == "unique" and node != answer:
            place.append(place[given[0]])
            continue
        if op in ("query", "count") and node != answer:  # its users say it again
            place.append(place[given[0]])
            continue
        if op not in _NAMES:
            raise ConversionError(_lost(op), node=node)
        sources = [_source(program, i, _FORMS[_NAMES[op]].first) for i in given]
        record: dict[str, Any] = {"op": _NAMES[op], "inputs": [place[i] for i in sources]}
        if op == "filter":
            inner = given[0]
            if program.steps[inner].op.name == "filter" and uses[inner] == 1:
                last = out[place[inner]]
                out[place[inner]] = last | {"concept": [*last["concept"], *step.literals]}
                place.append(place[inner])
                continue
            record["concept"] = list(step.literals)
        elif op == "relate":
            record["relational_concept"] = list(step.literals)
        elif op == "equal":
            record["attribute"] = program.steps[given[0]].unit
        elif op in ("same", "query"):
            record["attribute"] = step.literals[0]
        out.append(record)
        place.append(len(out) - 1)
    return out


def _lost(op: str) -> str:
    if op == "unique":
        return "NS-CL implies 'unique' and cannot end in it: an answer that is an object would become a set"
    return f"NS-CL has no op for '{op}'"


def _source(program: Program, node: int, first: tuple[str, ...]) -> int:
    """The set that an input is made of, as NS-CL implies: by `count` of it, or `query` of its object."""
    for op in reversed(first):
        step = program.steps[node]
        if step.op.name != op:
            message = f"NS-CL cannot say '{step.op.name}' here, where it implies '{op}'"
            raise ConversionError(message, node=node)
        node = program.inputs[node][0]
    return node
