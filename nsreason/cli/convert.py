"""`nsreason convert`: programs from one dialect to another."""

from __future__ import annotations

from typing import Annotated

import typer

from . import formats, inputs, options

EXAMPLES = (
    'nsreason convert "count(filter[red](scene()))" --to clevr',
    'nsreason convert "count filter_color[red] scene" --from ns-vqa --to nested',
    'echo "scene filter[red] count" | nsreason convert - --from postfix --to ns-cl',
)


def convert(
    program: options.Program,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="DIALECT",
            help=f"How to write it: {options.DIALECTS}.",
            autocompletion=options.complete_dialect,
        ),
    ],
    source: options.Source = "nested",
    domain: options.Domain = "clevr",
    canonical: Annotated[
        bool, options.flag("--canonical", says="In canonical form: alike for programs that mean the same.")
    ] = False,
    lines: options.Lines = False,
    as_json: options.AsJson = False,
) -> int:
    """Write a program in another dialect.

    nested and postfix are nsreason's own text; clevr and clevr-raw the JSON of the data set, as released and as its
    generator writes it; ns-vqa and ns-cl the tokens and op sequences of those systems. Where a dialect cannot say the
    program, the error names the op.
    """
    from ..dsl.domain import load_domain
    from ..programs.dialects.registry import read_program

    known = load_domain(domain)
    form = formats.Form(to, canonical=canonical)

    def run(text: str) -> inputs.Outcome:
        written = form.write(read_program(text, source, known))
        return inputs.Outcome(written, {"dialect": to, "program": form.data(written)})

    return inputs.each(inputs.program_lines(program, lines), run, as_json=as_json, what="program")
