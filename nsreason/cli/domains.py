"""`nsreason domains`: what can be said of a kind of scene."""

from __future__ import annotations

from dataclasses import replace
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
    question can use are listed.
    """
    from ..dsl.domain import bundled_domains, load_domain

    if name is None:
        bundled = [load_domain(n) for n in bundled_domains()]
        if as_json:
            output.put_json({"domains": [_summary(d) for d in bundled]})
        else:
            _list(bundled)
        return 0
    domain = load_domain(name)
    unread = [] if domain.file.questions is None else list(unread_words(domain))
    if as_json:
        output.put_json({**_record(domain), "unread": unread})
        return 0
    _show(domain)
    for reason in unread:
        output.note(f"{name}: {reason}")
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

    for attribute, table in domain.file.attributes.items():
        for value, entry in table.values.items():
            what = f"{attribute} '{value}'"
            if not _words(entry):
                yield f"the {what} has no word: no question can name it"
            for word in entry.adjectives:
                yield from asked(f"How many {word} {domain.file.things[0]}s are there?", word, what, value)
            for word in entry.nouns:
                yield from asked(f"Is there a {word}?", word, what, value)
    for relation, names in domain.file.relations.items():
        for word in names.words:
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
            a: {"words": list(table.words), "values": {v: _words(e) for v, e in table.values.items()}}
            for a, table in file.attributes.items()
        },
        "relations": {
            r: {"inverse": entry.inverse, "words": list(entry.words), "extremes": list(entry.extremes)}
            for r, entry in file.relations.items()
        },
        "ops": list(domain.ops),
        "native": dict(file.native),
        "questions": file.questions,
        "fingerprint": domain.fingerprint,
    }


def _list(domains_: list[Domain]) -> None:
    from ..pages.tables import Heading, ReportTable, TableRow, text_columns

    rows = []
    for domain in domains_:
        attributes = ", ".join(f"{a} ({len(domain.values(a))})" for a in domain.attributes)
        cells = (attributes, ", ".join(domain.relations), domain.file.summary)
        rows.append(TableRow(Heading(domain.name, strong=True), cells))
    output.put_table(ReportTable("domain", text_columns("attributes", "relations", "what it is"), tuple(rows)))


def _show(domain: Domain) -> None:
    from rich.console import Group
    from rich.text import Text

    from ..pages.tables import Heading, Note, ReportTable, TableRow, text_columns

    file = domain.file
    values = [
        TableRow(
            Heading(attribute if i == 0 else "", strong=True),
            (value, ", ".join(_words(entry))),
            ends_section=i == len(table.values) - 1,
        )
        for attribute, table in file.attributes.items()
        for i, (value, entry) in enumerate(table.values.items())
    ]
    parts = [ReportTable("attribute", text_columns("value", "words"), tuple(values), title="attributes")]
    if file.relations:
        relations = tuple(
            TableRow(relation, (entry.inverse or "-", ", ".join(entry.words)))
            for relation, entry in file.relations.items()
        )
        parts.append(ReportTable("relation", text_columns("inverse", "words"), relations, title="relations"))
    notes = tuple(Note(", ".join(names), label=what) for what, names in (("things", file.things), ("ops", domain.ops)))
    parts[-1] = replace(parts[-1], notes=notes)
    head = Text.assemble((domain.name, "bold"), f"  {file.summary}\n")
    output.put_table(Group(head, *(part for table in parts for part in (table, Text()))))
