"""Programs in English: the way back from `parse_question`.

    describe(parse_program("count(filter[red](scene()))"))      # 'How many red things are there?'
    describe(program, seed=7)                                    # another wording, the same for the same seed

What it says is checked: the question is parsed again and must give an equivalent program. Wordings are tried from the
most natural to the most careful (parentheses around every clause), and the first that means the program is returned.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .canonical import equivalent
from .domain import Domain
from .errors import ConversionError, QuestionError
from .program import Program
from .questions import question_parser

MAX_CALLS = 250  # a longer program makes a question that nobody could read


def describe(program: Program, seed: int | None = None) -> str:
    """A question in English whose program is equivalent to this one.

    With a seed, words and turns of phrase are drawn among those that mean the same.

    Raises:
        ConversionError: the program uses an op that the language has no words for, or is too long to be said.
    """
    if len(program) > MAX_CALLS:
        raise ConversionError(f"a program of {len(program)} calls is too long for a question; {MAX_CALLS} can be said")
    parser = question_parser(program.domain)
    refusal: ConversionError | None = None
    for careful in (False, True):
        speaker = _Speaker(program, random.Random(seed) if seed is not None else None, careful)
        try:
            candidates = speaker.questions()
        except ConversionError as error:
            refusal = error
            continue
        for text in candidates:
            try:
                if equivalent(parser.parse(text), program):
                    return text
            except QuestionError:
                continue
    raise refusal or ConversionError("the question grammar has no words for this program as a whole")


@dataclass
class _Set:
    """A set on its way into words: its filters, its extremes (outermost first) and what lies under them."""

    filters: list[str]
    extremes: list[str]
    base: int | None  # a call that is neither filter nor scene


class _Speaker:
    """Says the calls of one program. `careful` puts every clause of more than one word in parentheses."""

    def __init__(self, program: Program, rng: random.Random | None, careful: bool) -> None:
        self.program, self.domain, self.rng, self.careful = program, program.domain, rng, careful
        self.calls = program.calls
        self.budget = 4000  # words: shared calls are said once for each use, which can grow without end

    # --- choosing words ----------------------------------------------------------------------------------------------

    def _pick(self, options: Sequence[str]) -> str:
        return self.rng.choice(options) if self.rng is not None else options[0]

    def _word(self, value: str) -> str:
        entry = self._entry(value)
        words = [*entry.nouns, *entry.adjectives]
        usual = words[:2] if words else [value.replace("_", " ")]
        return self._pick([value] if self.rng is None and value in words else usual)

    def _entry(self, value: str) -> _Entry:
        told = self.domain.file.attributes[self.domain.attribute_of[value]].values[value]
        return _Entry(told.nouns, told.adjectives)

    def _noun(self, value: str | None, plural: bool) -> str:
        word = self._pick(self.domain.file.things[:2]) if value is None else self._word(value)
        return _plural(self.domain, value, word) if plural else word

    def _attribute(self, name: str) -> str:
        words = self.domain.file.attributes[name].words
        return words[0] if words else name.replace("_", " ")

    def _relation(self, name: str) -> str:
        return self._pick(self.domain.file.relations[name].words[:3])

    # --- noun phrases ------------------------------------------------------------------------------------------------

    def _split(self, node: int) -> _Set:
        found = _Set([], [], None)
        while True:
            call = self.calls[node]
            if call.op == "filter":
                if call.literals[0] not in found.filters:
                    found.filters.append(call.literals[0])
            elif call.op == "extreme" and not found.filters:
                found.extremes.append(call.literals[0])
            else:
                found.base = None if call.op == "scene" else node
                break
            node = call.inputs[0]
        found.filters.sort(key=self.domain.concept_index.__getitem__)
        return found

    def _np(self, node: int, plural: bool) -> str:
        """A noun phrase without determiner: 'large red cubes left of the ball'."""
        self.budget -= 8
        if self.budget < 0:
            raise ConversionError("this program is too long to be said in one question")
        told = self._split(node)
        nouns = [f for f in told.filters if self._entry(f).nouns]
        adjectives = [self._word(f) for f in told.filters if f not in nouns]
        last = nouns[-1] if nouns else None
        words = [self._extreme(r) for r in told.extremes] + adjectives
        words += [self._noun(n, False) for n in nouns[:-1]] + [self._noun(last, plural)]
        return " ".join(words) + (self._clause(told.base, plural) if told.base is not None else "")

    def _extreme(self, relation: str) -> str:
        words = [w for w in self.domain.file.relations[relation].extremes if "most" in w or "est " in w]
        words = words or list(self.domain.file.relations[relation].extremes)
        if not words:
            raise ConversionError(f"domain '{self.domain.name}' has no word for the extreme of '{relation}'")
        return words[0]

    def _clause(self, base: int, plural: bool) -> str:
        """What follows the noun for a set that is not just filters of the scene."""
        call = self.calls[base]
        be, have = ("are", "have") if plural else ("is", "has")
        if call.op in ("relate", "relate_any"):
            related = self._related(base)
            return self._pick([f" {related}", f" that {be} {related}"]) if not self.careful else f" that {be} {related}"
        if call.op == "same":
            return f" that {have} {self._same(base)}"
        if call.op == "difference":
            kept, dropped = call.inputs
            return f" that {be} {self._join('and', [self._pred(kept), 'not ' + self._wrap(self._pred(dropped))])}"
        if call.op in ("intersect", "union"):
            return f" that {be} {self._pred(base)}"
        return f" that {be} {self._pred(base)}"

    def _related(self, node: int) -> str:
        call = self.calls[node]
        words = self._relation(call.literals[0])
        if call.op == "relate":
            return f"{words} {self._object(call.inputs[0])}"
        return f"{words} any {self._np(call.inputs[0], False)}"

    def _same(self, node: int) -> str:
        call = self.calls[node]
        return f"the same {self._attribute(call.literals[0])} as {self._object(call.inputs[0])}"

    def _object(self, node: int) -> str:
        call = self.calls[node]
        if call.op != "unique":
            raise ConversionError(f"the language has no words for an object from '{call.op}'", node=node)
        return "the " + self._np(call.inputs[0], False)

    # --- predicates --------------------------------------------------------------------------------------------------

    def _pred(self, node: int) -> str:
        """What can follow 'are' for a set."""
        call = self.calls[node]
        if call.op in ("relate", "relate_any"):
            return self._related(node)
        if call.op == "same":
            return self._same(node)
        if call.op == "only":
            return self._object(call.inputs[0])
        if call.op in ("intersect", "union"):
            word, opener = ("and", "both") if call.op == "intersect" else ("or", "either")
            parts = [self._wrap(self._pred(i)) for i in call.inputs]
            return f"{opener} {parts[0]} {word} {parts[1]}"
        if call.op == "difference":
            kept, dropped = (self._wrap(self._pred(i)) for i in call.inputs)
            return f"both {kept} and not {dropped}"
        if call.op in ("filter", "scene", "extreme"):
            told = self._split(node)
            if told.base is None and not told.extremes and len(told.filters) == 1:
                value = told.filters[0]
                if not self._entry(value).nouns:
                    return self._word(value)
            if told.base is not None and told.filters and not told.extremes and self.careful:
                bare = [self._word(f) if not self._entry(f).nouns else self._noun(f, True) for f in told.filters]
                return self._join("and", [*bare, self._wrap(self._pred(told.base))])
            return self._np(node, True)
        raise ConversionError(f"the language has no words for the set that '{call.op}' makes", node=node)

    def _wrap(self, text: str) -> str:
        return f"({text})" if self.careful and " " in text else text

    def _join(self, word: str, parts: Sequence[str]) -> str:
        first, *rest = parts
        for part in rest:
            first = f"both {first} {word} {part}" if not self.careful else f"({first}) {word} ({part})"
        return first

    # --- questions ---------------------------------------------------------------------------------------------------

    def questions(self) -> Iterator[str]:
        """Questions for the whole program, best first; not yet checked.

        Raises:
            ConversionError: a call has no words.
        """
        made = [self._sentence(m) for m in self._wordings(len(self.calls) - 1)]
        if self.rng is not None:
            self.rng.shuffle(made)
        return iter(made)

    @staticmethod
    def _sentence(text: str) -> str:
        return text[:1].upper() + text[1:] + ("" if text.startswith("find ") else "?")

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

    def _ask_count(self, node: int) -> list[str]:
        (objects,) = self.calls[node].inputs
        whole = self._np(objects, True)
        options = [f"how many {whole} are there", f"what number of {whole} are there", f"what is the number of {whole}"]
        base = self._split(objects)
        if base.base is not None and not base.extremes and self.calls[base.base].op in ("relate", "same"):
            head = self._head(objects)
            told = self._pred(base.base)
            options = [f"how many {head} are {told}", f"what number of {head} are {told}", *options]
        return options

    def _head(self, node: int) -> str:
        """The noun phrase of a set's filters alone."""
        told = self._split(node)
        nouns = [f for f in told.filters if self._entry(f).nouns]
        adjectives = [self._word(f) for f in told.filters if f not in nouns]
        head = [self._noun(n, False) for n in nouns[:-1]] + [self._noun(nouns[-1] if nouns else None, True)]
        return " ".join(adjectives + head)

    def _ask_exist(self, node: int) -> list[str]:
        (objects,) = self.calls[node].inputs
        told = self._split(objects)
        subject = self._subject(objects)
        one, many = self._np(objects, False), self._np(objects, True)
        options = [f"is there {_a(one)} {one}", f"are there any {many}"]
        if subject is not None and told.base is None:
            return [subject, *options]
        return [subject, *options] if subject is not None else options

    def _subject(self, node: int) -> str | None:
        """'is the cube red', for filters of `only` one object or its intersection with a set."""
        told = self._split(node)
        if told.base is None or told.extremes:
            return None
        call = self.calls[told.base]
        if call.op == "only" and told.filters:
            nouns = [f for f in told.filters if self._entry(f).nouns]
            words = [self._word(f) for f in told.filters if f not in nouns]
            if nouns:
                phrase = " ".join([*words, *(self._noun(n, False) for n in nouns)])
                return f"is {self._object(call.inputs[0])} {_a(phrase)} {phrase}"
            return f"is {self._object(call.inputs[0])} {' and '.join(words)}"
        if call.op == "intersect" and not told.filters:
            for one, other in (call.inputs, call.inputs[::-1]):
                if self.calls[one].op == "only":
                    return f"is {self._object(self.calls[one].inputs[0])} {self._wrap(self._pred(other))}"
        return None

    def _ask_query(self, node: int) -> list[str]:
        call = self.calls[node]
        name = call.literals[0]
        entry = self.domain.file.attributes[name]
        attribute, thing = self._attribute(name), self._object(call.inputs[0])
        options = [f"what is the {attribute} of {thing}", f"what {attribute} is {thing}"]
        options += [f"{how} is {thing}" for how in entry.how[:1]]
        options += [f"what is {thing} {made}" for made in entry.made[:1]]
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

    def _ask_distinct(self, node: int) -> list[str]:
        call = self.calls[node]
        plural = _regular(self._attribute(call.literals[0]))
        if self.calls[call.inputs[0]].op == "scene":
            return [f"how many different {plural} are there"]
        return [f"how many different {plural} of {self._np(call.inputs[0], True)} are there"]

    def _ask_minus(self, node: int) -> list[str]:
        a, b = (self._counted(i, node) for i in self.calls[node].inputs)
        return [f"how many more {a} are there than {b}"]

    def _counted(self, node: int, where: int) -> str:
        if self.calls[node].op != "count":
            raise ConversionError(f"the language compares counts, not '{self.calls[node].op}'", node=where)
        return self._np(self.calls[node].inputs[0], True)

    def _ask_less(self, node: int) -> list[str]:
        return self._compared(node, "fewer", "less than")

    def _ask_greater(self, node: int) -> list[str]:
        return self._compared(node, "more", "greater than")

    def _compared(self, node: int, there: str, order: str) -> list[str]:
        left, right = self.calls[node].inputs
        if self.calls[right].op == "number":
            n, counted = self.calls[right].literals[0], self.calls[left]
            if counted.op == "distinct" and order == "less than" and n == "2":
                attribute = self._attribute(counted.literals[0])
                return [f"do all {self._np(counted.inputs[0], True)} have the same {attribute}"]
            things = self._counted(left, node)
            return [f"are there {there} than {n} {things}", f"is the number of {things} {order} {n}"]
        a, b = self._counted(left, node), self._counted(right, node)
        return [f"are there {there} {a} than {b}", f"is the number of {a} {order} the number of {b}"]

    def _ask_equal_integer(self, node: int) -> list[str]:
        left, right = self.calls[node].inputs
        if self.calls[left].op == "number":
            left, right = right, left
        if self.calls[right].op == "number":
            return [f"are there exactly {self.calls[right].literals[0]} {self._counted(left, node)}"]
        a, b = self._counted(left, node), self._counted(right, node)
        return [
            f"is the number of {a} the same as the number of {b}",
            f"are there the same number of {a} and {b}",
            f"are there as many {a} as {b}",
        ]

    def _ask_negate(self, node: int) -> list[str]:
        (inner,) = self.calls[node].inputs
        call = self.calls[inner]
        if call.op == "exist":
            return [f"are there no {self._np(call.inputs[0], True)}"]
        if call.op in ("less", "greater") and self.calls[call.inputs[1]].op == "number":
            n = self.calls[call.inputs[1]].literals[0]
            bound = "at least" if call.op == "less" else "at most"
            return [f"are there {bound} {n} {self._counted(call.inputs[0], node)}"]
        if call.op == "equal":
            one, two = (self._object(self.calls[i].inputs[0]) for i in call.inputs)
            attribute = self._attribute(self.calls[call.inputs[0]].literals[0])
            return [f"is the {attribute} of {one} different from that of {two}"]
        raise ConversionError(f"the language has no question for the opposite of '{call.op}'", node=node)

    def _ask_both(self, node: int) -> list[str]:
        return self._two(node, "and")

    def _ask_either(self, node: int) -> list[str]:
        return self._two(node, "or")

    def _two(self, node: int, word: str) -> list[str]:
        first, second = (self._wordings(i) for i in self.calls[node].inputs)
        return [f"{a} {word} {b}" for a in first[:2] for b in second[:2]] + [
            f"{b} {word} {a}" for a in first[:1] for b in second[:1]
        ]


@dataclass(frozen=True)
class _Entry:
    nouns: tuple[str, ...]
    adjectives: tuple[str, ...]


def _a(phrase: str) -> str:
    return "an" if phrase[:1] in "aeiou" else "a"


def _regular(noun: str) -> str:
    from .language.lexicon import plurals

    return plurals(noun)[0]


def _plural(domain: Domain, value: str | None, word: str) -> str:
    if value is not None:
        irregular = domain.file.attributes[domain.attribute_of[value]].values[value].plurals
        near = [p for p in irregular if p[:2] == word[:2]]
        if near:
            return near[0]
    return _regular(word)
