"""`nsreason parse`: questions to programs."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options, parsing

EXAMPLES = (
    'nsreason parse "How many red cubes are there?"',
    'nsreason parse "What color is the ball left of the cube?" --tree',
    'nsreason parse "Is there a ball?" "Count the cubes" --json',
    'nsreason parse "Is a box left of the can behind the ball?" --all-parses',
    'nsreason parse "How many cups are clean?" --domain kitchen',
    'echo "Are there more cubes than balls?" | nsreason parse --to ns-vqa',
)


def parse(
    question: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUESTION", help="Questions; none, or [bold]-[/bold]: one a line from stdin."),
    ] = None,
    domain: options.Domain = "clevr",
    parser: options.ParserName = "grammar",
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="DIALECT",
            help=f"How to write programs: {options.DIALECTS}.",
            autocompletion=options.complete_dialect,
        ),
    ] = "nested",
    tree: Annotated[bool, options.flag("--tree", says="Draw the program as a tree.")] = False,
    dot: Annotated[bool, options.flag("--dot", says="Write the program as a Graphviz graph.")] = False,
    canonical: Annotated[
        bool, options.flag("--canonical", says="In canonical form: alike for questions that mean the same.")
    ] = False,
    all_parses: Annotated[
        bool, options.flag("--all-parses", says="Every reading of the question, the chosen one first.")
    ] = False,
    as_json: options.AsJson = False,
) -> int:
    """Turn English questions into programs.

    Where a question can be read in several ways, a clause belongs to the nearest noun before it: in 'the cube
    left of the ball behind the can', the ball is behind the can. Where that makes no whole question, or a poor one,
    the last choice is changed first; --all-parses lists every reading in this order.

    A question that cannot be read is reported with its line, and the others go on.
    """
    return parsing.parse_questions(
        question or [],
        domain=domain,
        parser=parser,
        to=to,
        tree=tree,
        dot=dot,
        canonical=canonical,
        all_parses=all_parses,
        as_json=as_json,
    )
