"""`nsreason ops`: the ops that programs are made of."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output

if TYPE_CHECKING:
    from ..dsl.domain import Domain
    from ..dsl.ops import Op

EXAMPLES = ("nsreason ops", "nsreason ops filter", "nsreason ops --domain kitchen --json")


def ops(
    name: Annotated[
        str | None,
        typer.Argument(metavar="OP", help="Show this one.", autocompletion=options.complete_op),
    ] = None,
    domain: options.Domain = "clevr",
    as_json: options.AsJson = False,
) -> int:
    """List the ops: what each takes, gives and means.

    A program calls ops by name: literals in brackets, inputs in parentheses, as in count(filter[red](scene())).
    """
    from ..dsl.domain import load_domain
    from ..dsl.ops import OPS
    from ..errors import DomainError, did_you_mean

    known = load_domain(domain)
    if name is None:
        admitted = [OPS[n] for n in known.ops]
        if as_json:
            output.put_json({"domain": known.name, "ops": [_record(op, known) for op in admitted]})
        else:
            _table(admitted, known)
        return 0
    if name not in known.ops:
        raise DomainError(f"no op '{name}'{did_you_mean(name, known.ops)}")
    if as_json:
        output.put_json(_record(OPS[name], known))
    else:
        _one(OPS[name], known)
    return 0


def _native(op: Op, domain: Domain) -> list[str]:
    """What the domain's data set calls the op."""
    return [native for native, name, _ in domain.native_ops() if name == op.name]


def _record(op: Op, domain: Domain) -> dict[str, object]:
    return {
        "name": op.name,
        "signature": op.signature,
        "meaning": inspect.getdoc(op.function) or "",
        "literals": [{"name": p.name, "kind": p.kind.name} for p in op.literals],
        "inputs": [{"name": p.name, "kind": p.kind.name} for p in op.inputs],
        "result": op.result.name,
        "commutes": op.commutes,
        "native": _native(op, domain),
        "example": example(op, domain),
    }


def _table(ops_: list[Op], domain: Domain) -> None:
    from ..pages.tables import Heading, ReportTable, TableRow, text_columns

    rows = tuple(TableRow(Heading(op.signature), (op.doc,)) for op in ops_)
    table = ReportTable("signature", text_columns("meaning"), rows, title=f"{len(ops_)} ops of {domain.name}")
    output.put_table(table)


def _one(op: Op, domain: Domain) -> None:
    rows = [op.signature, "", inspect.getdoc(op.function) or ""]
    rows += ["", f"example    {example(op, domain)}"]
    if native := _native(op, domain):
        rows.append(f"native     {', '.join(native)}")
    if op.commutes:
        rows.append("           the order of its inputs does not matter")
    output.put("\n".join(rows))


def example(op: Op, domain: Domain) -> str:
    """A small program of the domain that uses the op."""
    literals = {
        "concept": domain.concepts[0],
        "attribute": domain.attributes[0],
        "relation": domain.relations[0] if domain.relations else "?",
        "integer": "2",
    }
    values = {
        "objects": "scene()",
        "object": "unique(scene())",
        "truth": "exist(scene())",
        "number": "count(scene())",
        "word": f"query[{domain.attributes[0]}](unique(scene()))",
    }
    literal_text = ", ".join(literals[p.kind.name] for p in op.literals)
    given = ", ".join(values[p.kind.name] for p in op.inputs)
    return f"{op.name}[{literal_text}]({given})" if literal_text else f"{op.name}({given})"
