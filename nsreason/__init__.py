"""Neuro-symbolic reasoning: questions to typed programs, and programs to answers, exactly or differentiably.

    from nsreason import Scene, execute, parse_question, trace

    program = parse_question("How many red cubes are there?")
    scene = Scene.of("clevr", [{"size": "large", "color": "red", "material": "metal", "shape": "cube"}])
    execute(program, scene)              # 1
    print(trace(program, scene).to_text())

The core is here and loads no torch. `nsreason.reasoners` has whatever answers queries, `nsreason.tasks` data sets as
queries, `nsreason.evaluation` and `nsreason.comparison` score them, `nsreason.training` trains models. The names of
`__all__` are looked up when they are first used, so that `import nsreason` costs nothing.
"""

from __future__ import annotations

from pathlib import Path as _Path
from typing import TYPE_CHECKING

from .lazy import lazy_names as _lazy_names

if TYPE_CHECKING:
    from .dsl.domain import Domain, load_domain
    from .dsl.ops import OPS, op
    from .errors import (
        ConversionError,
        DataError,
        DomainError,
        ExecutionError,
        NoSingleValue,
        NotUnique,
        NsreasonError,
        ProgramError,
        QuestionError,
        SceneError,
    )
    from .evaluation.evaluator import evaluate
    from .evaluation.question_files import evaluate_files
    from .executors import Answer, execute, execute_batch, trace
    from .language.describe import describe
    from .language.parsers import QuestionParser
    from .language.question_parser import parse_question, readings
    from .programs.canonical import canonical, equivalent
    from .programs.program import Call, Program
    from .programs.text_reader import parse_program
    from .scenes.scene import Scene

__version__ = "0.1.0"

__all__ = [
    "OPS",
    "Answer",
    "Call",
    "ConversionError",
    "DataError",
    "Domain",
    "DomainError",
    "ExecutionError",
    "NoSingleValue",
    "NotUnique",
    "NsreasonError",
    "Program",
    "ProgramError",
    "QuestionError",
    "Scene",
    "SceneError",
    "ask",
    "canonical",
    "describe",
    "equivalent",
    "evaluate",
    "evaluate_files",
    "execute",
    "execute_batch",
    "load_domain",
    "op",
    "parse_program",
    "parse_question",
    "readings",
    "trace",
]

# In a checkout, executors/, perception/ and grammars/ lie beside this package; .typings/nsreason links to them.
_links = _Path(__file__).resolve().parent.parent / ".typings" / "nsreason"
if not (_Path(__file__).parent / "executors").is_dir() and _links.is_dir():
    __path__.append(str(_links))


def ask(question: str, scene: Scene, parser: str | QuestionParser = "grammar") -> Answer:
    """Answer an English question on a scene.

    Args:
        parser: a question parser, or the name of one: see `nsreason.language.parsers`.

    Returns:
        bool for yes and no, int for a number, str for a word, a tuple of indices for a set of objects.

    Raises:
        QuestionError: the question is not understood.
        RecipeError: there is no such parser.
        DomainError: the scene's domain has no question grammar.
        NotUnique: the question speaks of 'the' thing where the scene has none or several.
        NoSingleValue: it asks for the value of an attribute of which the thing has none or several.
        SceneError: the scene does not know a relation that the question asks for.
    """
    from .executors import execute
    from .language.parsers import parser_of

    return execute(parser_of(parser, scene.domain).parse(question), scene)


__getattr__ = _lazy_names(
    __name__,
    {
        ".dsl.domain": ("Domain", "load_domain"),
        ".dsl.ops": ("OPS", "op"),
        ".errors": tuple(n for n in __all__ if n.endswith("Error") or n in ("NoSingleValue", "NotUnique")),
        ".evaluation.evaluator": ("evaluate",),
        ".evaluation.question_files": ("evaluate_files",),
        ".executors": ("Answer", "execute", "execute_batch", "trace"),
        ".language.describe": ("describe",),
        ".language.question_parser": ("parse_question", "readings"),
        ".programs.canonical": ("canonical", "equivalent"),
        ".programs.program": ("Call", "Program"),
        ".programs.text_reader": ("parse_program",),
        ".scenes.scene": ("Scene",),
    },
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
