"""The sets of a program in words: noun phrases, the clauses after a noun, and predicates.

Sets are said so that the grammar reads them back: filters before the noun, what a set lies left of after it. A careful
speaker puts a clause in parentheses wherever the nearest noun could take it.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from ..errors import ConversionError
from ..programs.program import Program
from .domain_words import extremes_of, plurals

MAX_DEPTH = 80  # of what is said within what is said; a question of 400 words holds about as much
MAX_LETTERS = 2_400  # of one wording: 400 words, the most that the parser reads

_TOO_LONG = "this program is too long to be said in one question"
_P = ParamSpec("_P")
_R = TypeVar("_R", str, list[str])


def said_once(say: Callable[Concatenate[Any, int, _P], _R]) -> Callable[Concatenate[Any, int, _P], _R]:
    """The words for a call are worked out once, however many calls use it: 40 calls may unfold to a tree of a billion.
    What is too long for a question ends the attempt.
    """

    @functools.wraps(say)
    def remembered(self: Any, node: int, /, *given: _P.args, **named: _P.kwargs) -> _R:
        key = (say.__name__, node, *given)
        spoken: Any = self.said.get(key)
        if spoken is None:
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise ConversionError(f"{_TOO_LONG}: it is nested too deeply", node=node)
            spoken = say(self, node, *given, **named)
            if isinstance(spoken, list):
                spoken = [text for text in spoken if len(text) <= MAX_LETTERS]
            if not spoken or len(spoken) > MAX_LETTERS:
                raise ConversionError(_TOO_LONG, node=node)
            self.depth -= 1
            self.said[key] = spoken
        return cast("_R", spoken)

    return remembered


@dataclass
class SetParts:
    """A set on its way into words: its filters, its extremes (outermost first), what lies under them, and the sets that
    are taken away from that."""

    filters: list[str] = field(default_factory=list)
    extremes: list[str] = field(default_factory=list)
    base: int | None = None  # a call that is neither filter nor scene
    dropped: list[int] = field(default_factory=list)


class Speaker:
    """Says the sets of one program. With `rng`, words are drawn among those that mean the same."""

    def __init__(self, program: Program, rng: random.Random | None, careful: bool) -> None:
        self.program, self.domain, self.rng, self.careful = program, program.domain, rng, careful
        self.calls = program.calls
        self.said: dict[tuple[object, ...], str | list[str]] = {}
        self.depth = 0
        self.alike: list[int] = []  # one number for calls that are written alike

    # --- choosing words ----------------------------------------------------------------------------------------------

    def _pick(self, options: Sequence[str]) -> str:
        return self.rng.choice(options) if self.rng is not None else options[0]

    def _word(self, value: str) -> str:
        entry = self.domain.file.attributes[self.domain.attribute_of[value]].values[value]
        words = [*entry.nouns, *entry.adjectives][: 2 if entry.nouns else 3] or [value.replace("_", " ")]
        return value if self.rng is None and value in words else self._pick(words)

    def _is_noun(self, value: str) -> bool:
        return bool(self.domain.file.attributes[self.domain.attribute_of[value]].values[value].nouns)

    def _noun(self, value: str | None, plural: bool) -> str:
        if value is None:
            word = self._pick(self.domain.file.things[:3])
            return plurals(word)[0] if plural else word
        entry = self.domain.file.attributes[self.domain.attribute_of[value]].values[value]
        word = self._pick(entry.nouns[:2]) if self.rng is not None or value not in entry.nouns else value
        irregular = [p for p in entry.plurals if p[:2] == word[:2]]
        return (irregular or plurals(word))[0] if plural else word

    def _attribute(self, name: str) -> str:
        words = self.domain.file.attributes[name].words
        return self._pick(words[:2]) if words else name.replace("_", " ")

    def _relation(self, name: str) -> str:
        return self._pick(self.domain.file.relations[name].words[:3])

    def _extreme(self, relation: str) -> str:
        words = extremes_of(self.domain.file.relations[relation])
        return next((w for w in words if "most" in w or "est " in w), words[0])

    # --- noun phrases ------------------------------------------------------------------------------------------------

    def _split(self, node: int) -> SetParts:
        split = SetParts()
        while True:
            call = self.calls[node]
            if call.op == "filter":
                if call.literals[0] not in split.filters:
                    split.filters.append(call.literals[0])
            elif call.op == "extreme" and not split.filters and not split.dropped:
                split.extremes.append(call.literals[0])
            elif call.op == "difference":
                split.dropped.append(call.inputs[1])
            else:
                split.base = None if call.op == "scene" else node
                break
            node = call.inputs[0]
        split.filters.sort(key=self.domain.concept_index.__getitem__)
        return split

    @said_once
    def _np(self, node: int, plural: bool) -> str:
        """A noun phrase without determiner: 'large red cubes left of the ball'."""
        split = self._split(node)
        clause = self._clause(split, plural)
        return " ".join([*map(self._extreme, split.extremes), self._head(split, plural)]) + (clause and f" {clause}")

    def _head(self, split: SetParts, plural: bool) -> str:
        """The adjectives and nouns of a noun phrase."""
        nouns = [f for f in split.filters if self._is_noun(f)]
        adjectives = [self._word(f) for f in split.filters if f not in nouns]
        if self.rng is not None and self.rng.random() < 0.3:
            self.rng.shuffle(adjectives)
        words = [*adjectives, *(self._noun(n, False) for n in nouns[:-1])]
        return " ".join([*words, self._noun(nouns[-1] if nouns else None, plural)])

    def _clause(self, split: SetParts, plural: bool) -> str:
        """What follows the noun for a set that is not just filters of the scene."""
        be, have = ("are", "have") if plural else ("is", "has")
        base = split.base
        if split.dropped:
            parts = [self._pred(base)] if base is not None else []
            return f"that {be} {self._all([*parts, *map(self._not, split.dropped)])}"
        if base is None:
            return ""
        op = self.calls[base].op
        if op in ("relate", "relate_any"):
            related = self._related(base)
            return f"that {be} {related}" if self.careful else self._pick([related, f"that {be} {related}"])
        if op == "same":
            return f"that {have} {self._same(base)}"
        return f"that {be} {self._pred(base)}"

    @said_once
    def _related(self, node: int) -> str:
        call = self.calls[node]
        words = self._relation(call.literals[0])
        if call.op == "relate":
            return f"{words} {self._object(call.inputs[0])}"
        return f"{words} any {self._np(call.inputs[0], False)}"

    def _same(self, node: int) -> str:
        call = self.calls[node]
        return f"the same {self._attribute(call.literals[0])} as {self._object(call.inputs[0])}"

    @said_once
    def _object(self, node: int) -> str:
        call = self.calls[node]
        if call.op != "unique":
            raise ConversionError(f"the language has no words for an object from '{call.op}'", node=node)
        only = "only " if self.calls[call.inputs[0]].op == "scene" else ""  # 'the thing' could be any
        return f"the {only}{self._np(call.inputs[0], False)}"

    # --- predicates --------------------------------------------------------------------------------------------------

    @said_once
    def _pred(self, node: int) -> str:
        """What can follow 'are' for a set."""
        call = self.calls[node]
        if call.op in ("relate", "relate_any"):
            return self._related(node)
        if call.op == "same":
            return self._same(node)
        if call.op == "only":
            return self._object(call.inputs[0])
        if call.op == "intersect":
            return self._join("and", [self._pred(i) for i in call.inputs])
        if call.op == "union":
            return self._join("or", [self._pred(i) for i in call.inputs])
        if call.op not in ("filter", "scene", "extreme", "difference"):
            raise ConversionError(f"the language has no words for the set that '{call.op}' makes", node=node)
        split = self._split(node)
        if not split.extremes and not split.dropped and split.base is None and len(split.filters) == 1:
            value = split.filters[0]
            if not self._is_noun(value):
                return self._word(value)
        if (split.base is not None or split.dropped) and not split.extremes and (self.careful or not split.filters):
            bare = [self._noun(f, True) if self._is_noun(f) else self._word(f) for f in split.filters]
            parts = [*bare, *([self._pred(split.base)] if split.base is not None else [])]
            return self._all([*parts, *map(self._not, split.dropped)])
        return self._np(node, True)

    @said_once
    def _not(self, node: int) -> str:
        """'not red', 'a different color than the ball'."""
        call = self.calls[node]
        if call.op == "union":
            for alike, itself in (call.inputs, call.inputs[::-1]):
                same, only = self.calls[alike], self.calls[itself]
                if same.op == "same" and only.op == "only" and self._equal(same.inputs[0], only.inputs[0]):
                    return f"a different {self._attribute(same.literals[0])} than {self._object(same.inputs[0])}"
        phrase = self._pred(node)
        # 'not the same color as the ball' leaves out the ball too; in parentheses it does not
        return f"not ({phrase})" if call.op == "same" else f"not {self._wrap(phrase)}"

    def _equal(self, a: int, b: int) -> bool:
        """Whether two calls are written alike, shared or not."""
        if not self.alike:
            numbers: dict[object, int] = {}
            for call in self.calls:
                written = (call.op, call.literals, tuple([self.alike[i] for i in call.inputs]))
                self.alike.append(numbers.setdefault(written, len(numbers)))
        return self.alike[a] == self.alike[b]

    def _wrap(self, text: str) -> str:
        return f"({text})" if self.careful and " " in text else text

    def _all(self, parts: Sequence[str]) -> str:
        return parts[0] if len(parts) == 1 else self._join("and", parts)

    def _join(self, word: str, parts: Sequence[str]) -> str:
        first, *rest = parts
        for part in rest:
            opener = "both" if word == "and" else "either"
            first = f"({first}) {word} ({part})" if self.careful else f"{opener} {first} {word} {part}"
        return first


def article(phrase: str) -> str:
    """'a' or 'an'."""
    return "an" if phrase[:1] in "aeiou" else "a"
