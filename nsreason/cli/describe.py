"""`nsreason describe`: programs to questions."""

from __future__ import annotations

from . import inputs, options

EXAMPLES = (
    'nsreason describe "count(filter[red](scene()))"',
    'nsreason describe "exist(relate[left](unique(filter[cube](scene()))))"',
    'nsreason describe "query_color unique scene" --from ns-vqa --seed 3',
)


def describe(
    program: options.Program,
    source: options.Source = "nested",
    seed: options.OwnSeed = None,
    domain: options.Domain = "clevr",
    lines: options.Lines = False,
    as_json: options.AsJson = False,
) -> int:
    """Say a program as an English question.

    Without --seed the wording is always the plainest; with it, one of several is drawn. The question is checked:
    parsing it gives an equivalent program.
    """
    from ..dsl.domain import load_domain
    from ..language.describe import describe
    from ..programs.dialects.registry import read_program

    known = load_domain(domain)

    def run(text: str) -> inputs.Outcome:
        described = read_program(text, source, known)
        question = describe(described, seed)
        return inputs.Outcome(question, {"program": str(described), "question": question})

    return inputs.each(inputs.program_lines(program, lines), run, as_json=as_json, what="program")
