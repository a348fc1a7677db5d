"""`nsreason parse`: questions to programs."""

from __future__ import annotations

from typing import Annotated

import typer

from . import forms, inputs, options, output

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
    left of the ball behind the can', the ball is behind the can. Where that makes no whole question, the reading
    with the shortest program is taken.

    A question that cannot be read is reported with its line, and the others go on.
    """
    from ..domain import load_domain
    from ..questions import question_parser

    if (to != "nested") + tree + dot > 1:
        raise output.UsageError("choose one of --to, --tree and --dot")
    parser = question_parser(load_domain(domain))
    form = forms.Form(to, "tree" if tree else "dot" if dot else "program", canonical=canonical)
    headed = bool(tree or dot or all_parses) and len(question or []) != 1

    def run(text: str) -> inputs.Outcome:
        programs = parser.readings(text) if all_parses else [parser.parse(text)]
        written = [form.write(p) for p in programs]
        record: dict[str, object] = {"question": text, "domain": parser.domain.name, "kind": programs[0].kind.name}
        record |= {form.key: form.data(written[0])}
        if all_parses:
            record["readings"] = [form.data(w) for w in written]
        between = "\n\n" if tree or dot else "\n"
        told = between.join(written)
        return inputs.Outcome(f"# {text}\n{told}\n" if headed else told, record)

    return inputs.each(inputs.question_lines(question), run, as_json=as_json, what="question")
