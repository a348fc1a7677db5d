"""Programs in English: the way back from `parse_question`.

    describe(parse_program("count(filter[red](scene()))"))      # 'How many red things are there?'
    describe(program, seed=7)                                    # another wording, the same for the same seed

What it says is checked: the question is parsed again and must give an equivalent program. Wordings are tried from the
most natural to the most careful (parentheses around every clause), and the first that means the program is returned.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from ..errors import ConversionError, QuestionError
from ..programs.canonical import equivalent
from ..programs.program import Program
from .domain_words import plurals
from .question_parser import question_parser
from .realizer import Speaker, article, said_once

MAX_CALLS = 250  # a longer program makes a question that nobody could read
NATURAL = 60  # words; a longer question has too many readings to find the right one: it gets parentheses at once


def describe(program: Program, seed: int | None = None) -> str:
    """A question in English whose program is equivalent to this one.

    With a seed, words and turns of phrase are drawn among those that mean the same.

    Raises:
        ConversionError: the program uses an op that the language has no words for, or is too long to be said.
        DomainError: the domain has no question grammar.
    """
    if len(program) > MAX_CALLS:
        raise ConversionError(f"a program of {len(program)} calls is too long for a question; {MAX_CALLS} can be said")
    parser = question_parser(program.domain)
    refusal: ConversionError | None = None
    for careful in (False, True):
        speaker = _Asker(program, random.Random(seed) if seed is not None else None, careful)
        try:
            candidates = speaker.questions()
        except ConversionError as error:
            refusal = error
            continue
        for text in candidates:
            if not careful and len(text.split()) > NATURAL:
                continue
            try:
                if equivalent(parser.parse(text), program):
                    return text
            except QuestionError:
                continue
    raise refusal or ConversionError("the question grammar has no words for this program as a whole")


class _Asker(Speaker):
    """Asks for the answer of a program."""

    def questions(self) -> Iterator[str]:
        """Questions for the whole program, best first; not yet checked.

        Raises:
            ConversionError: a call has no words.
        """
        sentences = [self._sentence(m) for m in self._wordings(len(self.calls) - 1)]
        if self.rng is not None:
            self.rng.shuffle(sentences)
        return iter(sentences)

    @staticmethod
    def _sentence(text: str) -> str:
        return text[:1].upper() + text[1:] + ("." if text.startswith("find ") else "?")

    @said_once
    def _wordings(self, node: int) -> list[str]:
        call = self.calls[node]
        say: Callable[[int], list[str]] | None = getattr(self, f"_ask_{call.op}", None)
        if say is not None:
            return say(node)
        kind = self.program.steps[node].gives.name
        if kind == "objects":
            return [f"find {self._np(node, True)}"]
        if kind == "object":
            return [f"find {self._object(node)}"]
        raise ConversionError(f"the language has no question for '{call.op}'", node=node)

    # --- numbers -----------------------------------------------------------------------------------------------------

    def _ask_count(self, node: int) -> list[str]:
        (objects,) = self.calls[node].inputs
        whole = self._np(objects, True)
        options = [f"how many {whole} are there", f"what number of {whole} are there", f"what is the number of {whole}"]
        split = self._split(objects)
        if split.extremes or (split.base is None and not split.dropped):
            return options
        head = self._head(split, True)
        parts = [self._pred(split.base)] if split.base is not None else []
        asked = self._all([*parts, *map(self._not, split.dropped)])
        return [f"how many {head} are {asked}", f"what number of {head} are {asked}", *options]

    def _ask_distinct(self, node: int) -> list[str]:
        values = self._values(node)
        return [f"how many {values} are there", f"what is the number of {values}"]

    def _values(self, node: int) -> str:
        call = self.calls[node]
        values = plurals(self._attribute(call.literals[0]))[0]
        if self.calls[call.inputs[0]].op == "scene":
            return f"different {values}"
        return f"different {values} of {self._np(call.inputs[0], True)}"

    def _ask_number(self, node: int) -> list[str]:
        return [f"what is {self._amount(node)}"]

    def _ask_minus(self, node: int) -> list[str]:
        a, b = (self._counted(i) for i in self.calls[node].inputs)
        apart = [f"what is {self._amount(node)}"]
        return [f"how many more {a} are there than {b}", *apart] if a is not None and b is not None else apart

    def _counted(self, node: int) -> str | None:
        """The things or values that a number counts."""
        call = self.calls[node]
        if call.op == "count":
            return self._np(call.inputs[0], True)
        return self._values(node) if call.op == "distinct" else None

    @said_once
    def _amount(self, node: int) -> str:
        """Any number as a noun phrase."""
        call = self.calls[node]
        if call.op == "number":
            return call.literals[0]
        if call.op == "minus":
            a, b = (self._amount(i) for i in call.inputs)
            return f"the difference between {self._wrap(a)} and {self._wrap(b)}"
        counted = self._counted(node)
        if counted is None:
            raise ConversionError(f"the language has no words for a number from '{call.op}'", node=node)
        return f"the number of {counted}"

    # --- numbers compared --------------------------------------------------------------------------------------------

    def _ask_less(self, node: int) -> list[str]:
        return self._compared(node, "fewer", "less than")

    def _ask_greater(self, node: int) -> list[str]:
        return self._compared(node, "more", "greater than")

    def _compared(self, node: int, there: str, order: str) -> list[str]:
        left, right = self.calls[node].inputs
        one, other = self.calls[left], self.calls[right]
        a, b = self._counted(left), self._counted(right)
        if a is not None and other.op == "number":
            options = [f"are there {there} than {other.literals[0]} {a}"] if one.op == "count" else []
            if one.op == "distinct" and order == "less than" and other.literals[0] == "2":
                things = self._np(one.inputs[0], True)
                options = [f"do all {things} have the same {self._attribute(one.literals[0])}"]
        else:
            options = [f"are there {there} {a} than {b}"] if a is not None and b is not None else []
        return [*options, f"is {self._wrap(self._amount(left))} {order} {self._wrap(self._amount(right))}"]

    def _ask_equal_integer(self, node: int) -> list[str]:
        left, right = self.calls[node].inputs
        if self.calls[left].op == "number":
            left, right = right, left
        a, b = self._counted(left), self._counted(right)
        options = []
        if self.calls[left].op == "count" and self.calls[right].op == "number":
            options = [f"are there exactly {self.calls[right].literals[0]} {a}"]
        elif a is not None and b is not None:
            options = [f"are there the same number of {a} and {b}", f"are there as many {a} as {b}"]
        plain = f"is {self._wrap(self._amount(left))} the same as {self._wrap(self._amount(right))}"
        return [*options, plain] if self.calls[right].op == "number" else [plain, *options]

    # --- values ------------------------------------------------------------------------------------------------------

    def _ask_query(self, node: int) -> list[str]:
        call = self.calls[node]
        entry = self.domain.file.attributes[call.literals[0]]
        attribute, thing = self._attribute(call.literals[0]), self._object(call.inputs[0])
        options = [f"what is the {attribute} of {thing}", f"what {attribute} is {thing}"]
        options += [f"{how} is {thing}" for how in entry.how[:1]]
        options += [f"what is {thing} {prefix}" for prefix in entry.prefixes[:1]]
        return options

    def _ask_equal(self, node: int) -> list[str]:
        left, right = self.calls[node].inputs
        a, b = self.calls[left], self.calls[right]
        if a.op != "query" or b.op != "query":
            raise ConversionError("the language compares values of two objects only", node=node)
        attribute = self._attribute(a.literals[0])
        one, two = self._object(a.inputs[0]), self._object(b.inputs[0])
        return [
            f"does {one} have the same {attribute} as {two}",
            f"is the {attribute} of {one} the same as the {attribute} of {two}",
            f"do {one} and {two} have the same {attribute}",
            f"is {one} the same {attribute} as {two}",
        ]

    def _ask_equal_object(self, node: int) -> list[str]:
        one, two = (self._object(i) for i in self.calls[node].inputs)
        return [f"is {one} the same {self.domain.file.things[0]} as {two}"]

    # --- yes or no ---------------------------------------------------------------------------------------------------

    def _ask_exist(self, node: int) -> list[str]:
        (objects,) = self.calls[node].inputs
        one, many = self._np(objects, False), self._np(objects, True)
        options = [f"is there {article(one)} {one}", f"are there any {many}"]
        subject = self._subject(objects)
        return [subject, *options] if subject is not None else options

    def _subject(self, node: int) -> str | None:
        """'is the cube red', for filters of `only` one object or its intersection with a set."""
        split = self._split(node)
        if split.base is None or split.extremes or split.dropped:
            return None
        call = self.calls[split.base]
        if call.op == "only" and split.filters:
            if any(map(self._is_noun, split.filters)):
                phrase = self._head(split, False)
                return f"is {self._object(call.inputs[0])} {article(phrase)} {phrase}"
            return f"is {self._object(call.inputs[0])} {' and '.join(map(self._word, split.filters))}"
        if call.op == "intersect" and not split.filters:
            for one, other in (call.inputs, call.inputs[::-1]):
                if self.calls[one].op == "only":
                    return f"is {self._object(self.calls[one].inputs[0])} {self._wrap(self._pred(other))}"
        return None

    def _ask_negate(self, node: int) -> list[str]:
        (inner,) = self.calls[node].inputs
        call = self.calls[inner]
        options: list[str] = []
        if call.op == "exist":
            options = [*self._every(call.inputs[0]), f"are there no {self._np(call.inputs[0], True)}"]
        elif call.op in ("less", "greater") and self.calls[call.inputs[1]].op == "number":
            n, counted = self.calls[call.inputs[1]].literals[0], self.calls[call.inputs[0]]
            if counted.op == "count":
                bound = "at least" if call.op == "less" else "at most"
                options = [f"are there {bound} {n} {self._counted(call.inputs[0])}"]
        elif call.op == "equal":
            one, two = (self._object(self.calls[i].inputs[0]) for i in call.inputs)
            attribute = self._attribute(self.calls[call.inputs[0]].literals[0])
            options = [f"is the {attribute} of {one} different from that of {two}"]
        return options + [f"is it false that ({asked})" for asked in self._wordings(inner)]

    def _every(self, failing: int) -> list[str]:
        """'are all cubes red', for what would be cubes that are not red."""
        call = self.calls[failing]
        if call.op != "difference":
            return []
        return [f"are all {self._np(call.inputs[0], True)} {self._wrap(self._pred(call.inputs[1]))}"]

    def _ask_both(self, node: int) -> list[str]:
        return self._two(node, "and")

    def _ask_either(self, node: int) -> list[str]:
        return self._two(node, "or")

    def _two(self, node: int, word: str) -> list[str]:
        first, second = (self._wordings(i) for i in self.calls[node].inputs)
        if self.careful:
            return [f"({a}) {word} ({b})" for a in first[:3] for b in second[:3]]
        plain = [f"{a} {word} {b}" for a in first[:2] for b in second[:2]]
        return [*plain, f"{second[0]} {word} {first[0]}"]
