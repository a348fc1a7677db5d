"""A question parser that learns: it counts which words go with which program, and knows no grammar."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from nsreason.dsl.domain import Domain, load_domain
from nsreason.errors import QuestionError
from nsreason.programs.program import Program
from nsreason.programs.text_reader import parse_program

EXAMPLES = (
    ("how many cubes are there", "count(filter[cube](scene()))"),
    ("what number of cubes are there", "count(filter[cube](scene()))"),
    ("how many balls are there", "count(filter[sphere](scene()))"),
    ("is there a cube", "exist(filter[cube](scene()))"),
    ("is there a ball", "exist(filter[sphere](scene()))"),
    ("what color is the cube", "query[color](unique(filter[cube](scene())))"),
    ("what color is the ball", "query[color](unique(filter[sphere](scene())))"),
    ("what size is the ball", "query[size](unique(filter[sphere](scene())))"),
)


class CountingParser:
    """Naive Bayes over the words of a question, with add-one smoothing."""

    def __init__(self, domain: Domain | str, examples: Iterable[tuple[str, str]] = EXAMPLES) -> None:
        self.domain = load_domain(domain)
        self.words: dict[Program, Counter[str]] = {}
        self.seen: Counter[Program] = Counter()
        for text, program_text in examples:
            program = parse_program(program_text, self.domain)
            self.seen[program] += 1
            self.words.setdefault(program, Counter()).update(_words(text))
        self.vocabulary = frozenset(word for counts in self.words.values() for word in counts)

    def parse(self, text: str) -> Program:
        """The likeliest program."""
        return self.candidates(text, 1)[0][0]

    def candidates(self, text: str, most: int) -> list[tuple[Program, float]]:
        """All programs of the examples, the likeliest first."""
        if most < 1:
            raise ValueError(f"at least 1 candidate, got {most}")
        words = [word for word in _words(text) if word in self.vocabulary]
        if not words:
            raise QuestionError("no word of the question was in an example", text=text, position=0)
        joint = {program: self._log_joint(program, words) for program in self.words}
        total = math.log(sum(math.exp(x) for x in joint.values()))
        ranked = sorted(joint.items(), key=lambda entry: (-entry[1], str(entry[0])))
        return [(program, min(0.0, x - total)) for program, x in ranked[:most]]

    def _log_joint(self, program: Program, words: list[str]) -> float:
        counts = self.words[program]
        size = sum(counts.values()) + len(self.vocabulary)
        return math.log(self.seen[program]) + sum(math.log((counts[word] + 1) / size) for word in words)


class NoParser:
    """Lacks `candidates`."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain

    def parse(self, text: str) -> Program:
        raise NotImplementedError


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
