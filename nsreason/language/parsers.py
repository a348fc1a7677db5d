"""What turns questions into programs: the protocol, and where a program comes from. Imports no grammar and no torch.

    parser = parser_of("grammar", "clevr")        # or one's own: parser_of("my_package:MyParser", "clevr")
    parser.parse("How many cubes are there?")     # a Program
    parser.candidates(text, 5)                    # up to five, with their log-probabilities

The grammar of the language is one parser (`nsreason.language.question_parser.GrammarParser`), a learnt one another.
Whatever takes a `ProgramSource` (reasoners, `ask`, data of learners) takes either.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal, Protocol

from ..dsl.domain import Domain, load_domain
from ..errors import RecipeError
from ..registry import PARSERS, named

if TYPE_CHECKING:
    from ..programs.program import Program


class QuestionParser(Protocol):
    """Reads questions. What the table PARSERS names, and one's own `module:Class`, is called with a domain."""

    @property
    def domain(self) -> Domain:
        """The domain of its programs."""

    def parse(self, text: str, /) -> Program:
        """Return the program of a question: the first of `candidates(text, 1)`.

        Raises:
            QuestionError: the question is not understood.
        """

    def candidates(self, text: str, most: int, /) -> list[tuple[Program, float]]:
        """Return the likeliest programs of a question.

        Args:
            text: the question.
            most: how many at most, from 1.

        Returns:
            Different programs with their log-probabilities (natural, at most 0), the likeliest first. Equal ones have
            the same order each time. The probabilities sum to at most 1: the rest is that of programs left out.

        Raises:
            QuestionError: the question is not understood.
            ValueError: `most` is less than 1.
        """


ProgramSource = Literal["given"] | QuestionParser
"""Where the program of a question comes from: it is given with the question, or a parser reads it from the text."""


def program_source(name: str | QuestionParser, domain: Domain | str) -> ProgramSource:
    """Return what a name stands for: `given`; `parsed`, for the domain's grammar; or a parser, as `parser_of` has it.

    Raises:
        RecipeError: there is no such parser, or it lacks a method.
        DomainError: the domain has no question grammar.
    """
    return "given" if name == "given" else parser_of(name, domain)


def source_name(programs: str | QuestionParser) -> str:
    """Return how reports name a source of programs: by its name; a parser by its class."""
    return programs if isinstance(programs, str) else f"{type(programs).__module__}:{type(programs).__qualname__}"


def parser_of(name: str | QuestionParser, domain: Domain | str) -> QuestionParser:
    """Return the parser of a name in PARSERS (or `parsed`, for the grammar), or of one's own `module:Class`.

    A parser, given in place of a name, is returned as it is.

    Raises:
        RecipeError: there is none, its module cannot be imported, or it lacks a method.
        DomainError: there is no such domain, or it has no question grammar.
    """
    if not isinstance(name, str):
        return name
    return _parser(name, load_domain(domain))


@functools.lru_cache(maxsize=32)
def _parser(name: str, domain: Domain) -> QuestionParser:
    """Build a parser once for each domain."""
    if name in ("parsed", "grammar"):
        from .question_parser import question_parser

        return question_parser(domain)
    factory = named("parser", name, PARSERS, classes=False)
    lacks = [method for method in ("parse", "candidates") if not hasattr(factory, method)]
    if lacks:
        path = PARSERS.get(name, name)
        raise RecipeError(f"parser '{name}': {path} is no question parser, it lacks {', '.join(lacks)}")
    parser: QuestionParser = factory(domain)
    return parser
