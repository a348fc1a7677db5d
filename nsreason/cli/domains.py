"""`nsreason domains`: what can be said of a kind of scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..dsl.domain import Domain, ValueEntry

EXAMPLES = ("nsreason domains", "nsreason domains clevr", "nsreason domains kitchen --json")


def domains(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FILE.toml", help="Show this one.", autocompletion=options.complete_domain),
    ] = None,
    as_json: options.AsJson = False,
) -> int:
    """List the bundled domains, or show what is in one.

    A domain has attributes with their values, relations, ops, and the words for all of them. It is a TOML file: copy
    one of the bundled ones, and give yours with --domain my_domain.toml.

    The file is checked, words included: a word of two values, attributes or relations is an error, and words that no
    question can use are told.
    """
    from ..dsl.domain import bundled_domains, load_domain

    if name is None:
        found = [load_domain(n) for n in bundled_domains()]
        if as_json:
            output.put_json({"domains": [_summary(d) for d in found]})
        else:
            _list(found)
        return 0
    domain = load_domain(name)
    unread = [] if domain.file.questions is None else list(unread_words(domain))
    if as_json:
        output.put_json({**_record(domain), "unread": unread})
        return 0
    _show(domain)
    for told in unread:
        output.note(f"{name}: {told}")
    return 0


def unread_words(domain: Domain) -> Iterator[str]:
    """Words of a domain that no question can use, and why.

    Raises:
        DomainError: a word has two meanings.
    """
    from ..errors import QuestionError
    from ..language.question_parser import question_parser

    parser = question_parser(domain)  # which reads all words

    def asked(text: str, word: str, what: str, literal: str) -> Iterator[str]:
        try:
            known = {given for call in parser.parse(text).calls for given in call.literals}
        except QuestionError as error:
            yield f"the word '{word}' of the {what} cannot be used: '{text}': {str(error).partition(chr(10))[0]}"
            return
        if literal not in known:
            yield f"the word '{word}' of the {what} is read as something else: '{text}' does not ask for it"

    for attribute, told in domain.file.attributes.items():
        for value, entry in told.values.items():
            what = f"{attribute} '{value}'"
            if not _words(entry):
                yield f"the {what} has no word: no question can name it"
            for word in entry.adjectives:
                yield from asked(f"How many {word} {domain.file.things[0]}s are there?", word, what, value)
            for word in entry.nouns:
                yield from asked(f"Is there a {word}?", word, what, value)
    for relation, said in domain.file.relations.items():
        for word in said.words:
            thing = domain.file.things[0]
            text = f"Is there a {thing} {word} a {thing}?"
            yield from asked(text, word, f"relation '{relation}'", relation)


def _summary(domain: Domain) -> dict[str, object]:
    return {
        "name": domain.name,
        "summary": domain.file.summary,
        "attributes": list(domain.attributes),
        "relations": list(domain.relations),
        "values": len(domain.concepts),
    }


def _words(entry: ValueEntry) -> list[str]:
    return [*entry.adjectives, *entry.nouns]


def _record(domain: Domain) -> dict[str, object]:
    file = domain.file
    return {
        "name": domain.name,
        "summary": file.summary,
        "things": list(file.things),
        "attributes": {
            a: {"words": list(told.words), "values": {v: _words(e) for v, e in told.values.items()}}
            for a, told in file.attributes.items()
        },
        "relations": {
            r: {"inverse": told.inverse, "words": list(told.words), "extremes": list(told.extremes)}
            for r, told in file.relations.items()
        },
        "ops": list(domain.ops),
        "native": dict(file.native),
        "questions": file.questions,
        "fingerprint": domain.fingerprint,
    }


def _list(found: list[Domain]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="dim")
    for column in ("domain", "attributes", "relations", "what it is"):
        table.add_column(column, overflow="fold")
    for domain in found:
        attributes = ", ".join(f"{a} ({len(domain.values(a))})" for a in domain.attributes)
        row = (attributes, ", ".join(domain.relations), domain.file.summary)
        table.add_row(Text(domain.name, style="bold"), *map(Text, row))
    output.put_table(table)


def _show(domain: Domain) -> None:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    file = domain.file
    values = Table(title="attributes", title_justify="left", title_style="bold", header_style="dim")
    for column in ("attribute", "value", "words"):
        values.add_column(column, overflow="fold")
    for attribute, told in file.attributes.items():
        last = len(told.values) - 1
        for i, (value, entry) in enumerate(told.values.items()):
            label = Text(attribute if i == 0 else "", style="bold")
            row = (Text(value, style="cyan"), Text(", ".join(_words(entry))))
            values.add_row(label, *row, end_section=i == last)
    relations = Table(title="relations", title_justify="left", title_style="bold", header_style="dim")
    for column in ("relation", "inverse", "words"):
        relations.add_column(column, overflow="fold")
    for relation, said in file.relations.items():
        row = (Text(said.inverse or "-"), Text(", ".join(said.words)))
        relations.add_row(Text(relation, style="cyan"), *row)
    head = Text.assemble((domain.name, "bold"), f"  {file.summary}\n")
    tail = Table.grid(padding=(0, 2))
    for what, names in (("things", file.things), ("ops", domain.ops)):
        tail.add_row(Text(what, style="bold"), Text(", ".join(names)))
    output.put_table(Group(head, values, *([relations] if file.relations else []), tail))
