"""The calls of a question while it is built, and what is remembered of its phrases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..dsl.domain import Domain, Step
from ..errors import QuestionError
from .lists import LIST
from .nodes import Core, Leaf, Node

JOINED = ("coord_and", "coord_or", "np_both", "np_either", "np_neither", "obj_and", "obj_or")
PRONOUNS = ("np_it", "np_them", "np_det_them")


class Unsayable(Exception):  # noqa: N818 - an answer to the caller, who makes the user's error of it
    """The phrases make sense, but no program says what they mean; other readings of the words would ask another
    question, so none is tried."""

    def __init__(self, error: QuestionError) -> None:
        self.error = error
        super().__init__(error)


@dataclass
class Antecedent:
    """What a pronoun may stand for: a noun phrase, with its set and its object once they are in the program."""

    np: Node
    set: int | None = None
    object: int | None = None


class Steps:
    """The calls of one question so far, `steps` with `inputs`, and what was spoken of.

    `strict` refuses readings that are merely possible: a plural verb for a singular noun, 'is there the cube?'.
    """

    def __init__(self, domain: Domain, text: str, *, strict: bool = True) -> None:
        self.domain, self.text, self.strict = domain, text, strict
        self.steps: list[Step] = []
        self.inputs: list[tuple[int, ...]] = []
        self.it: Antecedent | None = None
        self.before_it: Antecedent | None = None  # of two singular ones, which 'they' speaks of together
        self.last: int | None = None  # the last object that a definite noun phrase named
        self.compared: int | None = None  # the object of which the last 'the same ... as' was said
        # What the question speaks of first, which 'other' leaves out: a set, one object, or each of several things.
        self.named: int | None = None
        self.anchor: int | None = None
        self.several = False

    def _refuse(self, message: str, at: Any = None) -> QuestionError:
        """The error that says why a phrase makes no sense, placed where the phrase begins."""
        return QuestionError(message, text=self.text, position=_start(at) or 0)

    def _unsayable(self, message: str, at: Any = None) -> Unsayable:
        """The refusal of what is understood, and which the ops cannot say."""
        return Unsayable(self._refuse(message, at))

    def _add(self, op: str, *inputs: int, of: str | None = None) -> int:
        self.steps.append(self.domain.step(op, () if of is None else (of,)))
        self.inputs.append(inputs)
        return len(self.steps) - 1

    def _fold(self, op: str, nodes: Sequence[int]) -> int:
        first, *rest = nodes
        for node in rest:
            first = self._add(op, first, node)
        return first

    def _joined(self, nps: Node) -> list[Node]:
        if nps.rule in JOINED:
            return [np for part in nps.parts for np in self._joined(part)]
        return [nps]

    def _word(self, word: Leaf) -> str:
        rest = self.text[word.start :].split()
        return rest[0].strip(".,;?!") if rest else "it"

    # --- what a noun phrase says of itself ---------------------------------------------------------------------------

    def _several(self, np: Node) -> bool:
        return np.rule in (*JOINED, LIST) or (np.rule == "np" and np.parts[1].plural)

    def _definite(self, np: Node) -> bool:
        """Whether a noun phrase speaks of one known object: 'the cube', or 'cube' with its article left out."""
        if np.rule == "np":
            det, core = np.parts
            return not core.plural and (det in ("the", "only") or (det == "" and not core.anything))
        return np.rule in ("np_it", "np_known")

    @staticmethod
    def _determiner(np: Node) -> str:
        if np.rule == "np_det_them":
            det: str = np.parts[0].value
        elif np.rule in ("np", LIST):
            det = np.parts[0]
        else:
            det = ""
        return det

    @staticmethod
    def _number_of(np: Node) -> int:
        """How many things a noun phrase says that it speaks of; 0 where it does not say."""
        first = np.parts[1][0] if np.rule == LIST else np
        number: int = first.parts[1].number if first.rule == "np" else 0
        return number

    @staticmethod
    def _is_the(np: Node) -> bool:
        return np.rule != "np" or np.parts[0] in ("the", "only")

    def _is_comparative(self, mod: Leaf) -> bool:
        """Whether an adjective is written 'larger' or 'largest', beside a plain one of the same value."""
        word = self._word(mod).lower()
        if mod.terminal != "ADJECTIVE" or not word.endswith(("er", "est")):
            return False
        entry = self.domain.file.attributes[self.domain.attribute_of[mod.value]].values[mod.value]
        return any(len(plain) < len(word) and plain[:3] == word[:3] for plain in entry.adjectives)

    def _is_other(self, np: Node) -> bool:
        return np.rule == "np" and any(mod.terminal == "OTHER" for mod in np.parts[1].mods)


def _start(phrase: Any) -> int | None:
    """Where a phrase begins in the text, as far as it is known: where its first noun or kept word stands."""
    if isinstance(phrase, Leaf | Core):
        return phrase.start
    if isinstance(phrase, tuple):
        return next((at for at in map(_start, phrase) if at is not None), None)
    return None
