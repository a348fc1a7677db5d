"""What tables of dotted paths name: `module:Class`, imported when it is asked for.

One's own, given in place of a name, is code that runs when it is imported. So only what a person has written (an
argument, a recipe) is looked up here; a file that came from elsewhere is held to the table by `only_table`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import NsreasonError, RecipeError, TrustWarning, did_you_mean

MODELS: dict[str, str] = {
    "cnn-lstm": "nsreason.models.answer_networks.models:CnnLstmModel",
    "cnn-lstm-sa": "nsreason.models.answer_networks.models:StackedAttentionModel",
    "cnn-mlp": "nsreason.models.answer_networks.models:CnnMlpModel",
    "concept-learner": "nsreason.models.nscl.learner:ConceptLearner",
    "detector": "nsreason.perception.detector.detector:Detector",
    "lstm": "nsreason.models.answer_networks.models:LstmModel",
    "mlp": "nsreason.models.answer_networks.models:MlpModel",
    "question-type": "nsreason.models.answer_networks.models:QuestionTypeModel",
    "relation-network": "nsreason.models.answer_networks.models:RelationNetworkModel",
    "scene-parser": "nsreason.perception.scene_parser.parser:SceneParser",
}

METRICS: dict[str, str] = {
    "accuracy": "nsreason.queries.scoring:Accuracy",
    "joint": "nsreason.queries.scoring:Joint",
    "l1": "nsreason.queries.scoring:L1",
    "per-option": "nsreason.queries.scoring:PerOption",
    "per-question": "nsreason.queries.scoring:PerQuestion",
    "recall": "nsreason.queries.scoring:Recall",
}

TASKS: dict[str, str] = {
    "babi": "nsreason.tasks.babi:Babi",
    "clevr": "nsreason.tasks.clevr:Clevr",
    "sort-of-clevr": "nsreason.tasks.sort_of_clevr:SortOfClevr",
    "springs": "nsreason.tasks.springs:Springs",
}

PARSERS: dict[str, str] = {
    "grammar": "nsreason.language.question_parser:GrammarParser",
}

REASONERS: dict[str, str] = {
    "cnn-lstm": "nsreason.reasoners.networks:Network",
    "cnn-lstm-sa": "nsreason.reasoners.networks:Network",
    "cnn-mlp": "nsreason.reasoners.networks:Network",
    "concept-learner": "nsreason.reasoners.concepts:Concepts",
    "exact": "nsreason.reasoners.annotated_scenes:Exact",
    "exact-parsed": "nsreason.reasoners.annotated_scenes:ExactParsed",
    "image-concepts": "nsreason.reasoners.images:ImageConcepts",
    "lstm": "nsreason.reasoners.networks:Network",
    "mlp": "nsreason.reasoners.networks:Network",
    "question-type": "nsreason.reasoners.networks:Network",
    "relation-network": "nsreason.reasoners.networks:Network",
    "scene-parser": "nsreason.reasoners.images:ImageScenes",
}
OPTIMIZERS: dict[str, str] = {
    "adam": "torch.optim:Adam",
    "adamw": "torch.optim:AdamW",
    "sgd": "torch.optim:SGD",
}

"""The tables: name -> `module:Class`. Literal, so that a search for a name finds its file; together, so that whoever
only lists names imports nothing else.
"""


def named(kind: str, name: str, table: Mapping[str, str], *, classes: bool = True) -> Any:
    """What a name in a table stands for, or one's own, given as `module:Class`.

    Args:
        kind: of the table, for messages: `model`.
        classes: whether it must be a class.

    Raises:
        RecipeError: there is no such name, or its module cannot be imported or does not have it.
    """
    module, colon, attribute = table.get(name, name).partition(":")
    if not (colon and all(part.isidentifier() for part in (*module.split("."), attribute))):
        raise RecipeError(f"no {kind} '{name}'{did_you_mean(name, table)}; or give your own as 'module:Class'")
    try:
        with contextlib.nullcontext() if name in table else _working_directory():
            value = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        raise RecipeError(f"{kind} '{name}': cannot import {module}: {error}") from None
    except NsreasonError:
        raise
    except Exception as error:  # one's own code may fail in any way
        raise RecipeError(f"{kind} '{name}': importing {module} failed: {type(error).__name__}: {error}") from error
    if value is None or (classes and not isinstance(value, type)):
        raise RecipeError(f"{kind} '{name}': {module} has no class {attribute}")
    return value


@contextlib.contextmanager
def _working_directory() -> Iterator[None]:
    """The working directory is searched for modules, as `python -m` would; the console script does not.

    After all other places, so that nothing that lies there stands in for an installed module, and no longer than the
    import lasts.
    """
    try:
        here = os.getcwd()  # noqa: PTH109 - a text, as sys.path has it
    except OSError:  # it has been removed
        here = ""
    if here in sys.path or "" in sys.path:
        yield
        return
    sys.path.append(here)
    importlib.invalidate_caches()  # a module may have been written a moment ago
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(here)


def known_or_own(kind: str, name: str, table: Mapping[str, str], place: str) -> None:
    """Check that a name is of a table or has the form `module:Class`; nothing is imported.

    Args:
        place: where the name stands, for messages: `training.optimizer`.

    Raises:
        RecipeError: it is neither.
    """
    module, colon, attribute = name.partition(":")
    own = colon and all(part.isidentifier() for part in (*module.split("."), attribute))
    if name not in table and not own:
        hint = did_you_mean(name[:100], table)
        raise RecipeError(f"{place}: no {kind} '{name:.100}'{hint}; or give your own as 'module:Class'")


def only_table(
    kind: str, name: str, table: Mapping[str, str], source: object, *, trust: bool, error: type[NsreasonError]
) -> None:
    """Hold what a file names to a table, unless the file is trusted.

    Args:
        source: the file, for messages.
        trust: let it name a `module:Class` too; a warning then says which module is imported.
        error: what is raised.

    Raises:
        NsreasonError: the name is not in the table, and the file is not trusted; or it is no name at all.
    """
    if name in table:
        return
    module, colon, attribute = name.partition(":")
    if not (colon and attribute):
        raise error(f"{source}: no {kind} '{name:.100}'{did_you_mean(name[:100], table)}")
    if not trust:
        raise error(
            f"{source}: names the {kind} '{name:.100}', which is not one of nsreason's\n    to open it is to import "
            f"the module '{module:.100}' and so to run its code; if you trust file and module: --trust (in Python "
            "trust=True)"
        )
    warnings.warn(
        f"{source}: trusted: it names the {kind} '{name:.100}', so the module '{module:.100}' is imported and its "
        "code runs",
        TrustWarning,
        stacklevel=3,
    )
