"""What `nsreason parse` does, without typer.

Importing typer and letting it check the arguments takes longer than parsing a question, so a plain command line (the
options below, written apart from their values) is read here; all others go through typer, which knows the rest. A
test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import formats, inputs, output

FLAGS = {
    "--tree": "tree",
    "--dot": "dot",
    "--canonical": "canonical",
    "--all-parses": "all_parses",
    "--json": "as_json",
}
VALUES = {"--domain": "domain", "--parser": "parser", "--to": "to"}
MOST_PARSES = 256  # programs of one question that --all-parses writes


def plain(arguments: Sequence[str]) -> tuple[list[str], dict[str, bool | str]] | None:
    """Questions and options of `nsreason parse ARGUMENTS`; None where typer is needed to read them."""
    questions: list[str] = []
    options: dict[str, bool | str] = {}
    words = iter(arguments)
    for word in words:
        if word in FLAGS:
            options[FLAGS[word]] = True
        elif word in VALUES:
            value = next(words, None)
            if value is None:
                return None
            options[VALUES[word]] = value
        elif word.startswith("-") and word != "-":
            return None
        else:
            questions.append(word)
    return questions, options


def parse_questions(
    questions: Sequence[str],
    *,
    domain: str = "clevr",
    parser: str = "grammar",
    to: str = "nested",
    tree: bool = False,
    dot: bool = False,
    canonical: bool = False,
    all_parses: bool = False,
    as_json: bool = False,
) -> int:
    """Print the programs of questions, or of the lines of standard input; returns the exit code.

    Raises:
        UsageError: options that do not go together.
        DomainError: no such domain, or it has no question grammar.
        RecipeError: no such parser.
        ConversionError: no such dialect.
        DataError: there is no question.
    """
    from ..language.parsers import parser_of

    if (to != "nested") + tree + dot > 1:
        raise output.UsageError("choose one of --to, --tree and --dot")
    form = formats.Form(to, "tree" if tree else "dot" if dot else "program", canonical=canonical)
    reads = parser_of(parser, domain)
    lines = inputs.question_lines(questions)
    headed = (tree or dot or all_parses) and not (isinstance(lines, list) and len(lines) == 1)

    def run(text: str) -> inputs.Outcome:
        programs = [p for p, _ in reads.candidates(text, MOST_PARSES)] if all_parses else [reads.parse(text)]
        written = [form.write(p) for p in programs]
        record: dict[str, object] = {"question": text, "domain": reads.domain.name}
        record |= {"kind": programs[0].kind.name, form.key: form.data(written[0])}
        if all_parses:
            record["readings"] = [form.data(w) for w in written]
        answer = ("\n\n" if tree or dot else "\n").join(written)
        return inputs.Outcome(f"# {text}\n{answer}\n" if headed else answer, record)

    return inputs.each(lines, run, as_json=as_json, what="question")
