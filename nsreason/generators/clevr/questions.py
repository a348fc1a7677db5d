"""Questions about a scene: drawn from the families, answered by execution, put into words.

    records = generate_questions(scene, 10, seed=7)

Answers are balanced within each family, as CLEVR balances them: an answer that the family has given more often than
its share is refused, and the draw is made again. The tally of a `Balance` says how often; share one among the scenes
that are balanced together.
"""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ...data.questions import QuestionRecord
from ...dsl.domain import Domain
from ...dsl.kinds import TRUTH, WORD, Kind
from ...dsl.ops import OPS
from ...errors import ConversionError
from ...executors import execute, spell
from ...language.describe import describe
from ...programs.dialects.native_names import native_table
from ...programs.dialects.registry import to_clevr
from ...programs.program import Call, Program
from ...scenes.scene import Scene
from ..seeds import generator
from .families import Family, families_of
from .question_sampler import Sampler

DRAWS = 25  # of one family on one scene, before the next family has its turn
PASSED = 0.25  # of a question, for each time that a family gave none: rare families cost most of the draws
ROUNDS = 4  # through all families, before a scene is left with fewer questions than were asked for

# The share of the answers to a family's questions that one number may have: there is no evenness to aim at, since few
# scenes have eight of anything.
NUMBER_SHARE = 0.3


class Balance:
    """How often each family was asked, and gave each answer; and how often it gave no question."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.given: Counter[tuple[str, str]] = Counter()
        self.passed: Counter[str] = Counter()

    def turn(self, family: Family) -> float:
        """The family whose number is lowest comes next. One that gave nothing lets others go first for a while."""
        return self.asked[family.name] + PASSED * self.passed[family.name]

    def admits(self, family: Family, answer: str, share: float) -> bool:
        """Whether the answer would have no more than its share of the family's, give or take one."""
        slack = max(0.5, 1.0 - share) + 1e-6  # where all were given alike often, rounding must not refuse them all
        return self.given[family.name, answer] + 1 <= slack + share * (self.asked[family.name] + 1)

    def add(self, family: Family, answer: str) -> None:
        """Count one more."""
        self.asked[family.name] += 1
        self.given[family.name, answer] += 1


class DrawnQuestion(NamedTuple):
    """A question as it was drawn, with its answer as the release spells it."""

    family: Family
    program: Program
    answer: str
    text: str


def draw_questions(
    scene: Scene, k: int, seed: int, *, families: Sequence[Family] | None = None, balance: Balance | None = None
) -> list[DrawnQuestion]:
    """`k` questions about a scene, no two with the same program; fewer where the scene gives no more.

    Families that were asked least come first.

    Args:
        seed: of the data set, or any other: the scene's own seed is derived from it and the scene's index.
        families: those to draw from; default: all that suit the scene's domain.
        balance: the tally to go on from; it is brought up to date. Default: a fresh one.

    Raises:
        DomainError: the domain has no question grammar.
        SceneError: the scene knows neither relationships nor coordinates.
    """
    families = families_of(scene.domain) if families is None else families
    balance = Balance() if balance is None else balance
    rng = generator(seed, "questions", scene.index or 0)
    sampler = Sampler(scene)
    asked: list[DrawnQuestion] = []
    seen: set[Program] = set()
    for _ in range(ROUNDS if len(scene) else 0):
        before = len(asked)
        for family in sorted(families, key=lambda f: (balance.turn(f), rng.random())):
            if len(asked) >= k:
                return asked
            question = _ask(sampler, family, rng, balance, seen)
            if question is not None:
                asked.append(question)
        if len(asked) == before:
            break
    return asked


def generate_questions(
    scene: Scene,
    k: int,
    seed: int,
    *,
    families: Sequence[Family] | None = None,
    balance: Balance | None = None,
    split: str | None = None,
) -> list[QuestionRecord]:
    """The questions of `draw_questions` as records of a file.

    A question's index is `image_index * k` and on, so that it does not hang on what other scenes gave.

    Raises:
        ConversionError: the domain has no native op names, so it has no official layout.
        DomainError, SceneError: as for `draw_questions`.
    """
    native_table(scene.domain)  # without one, no question would be of use
    first = (scene.index or 0) * k
    asked = draw_questions(scene, k, seed, families=families, balance=balance)
    return [
        QuestionRecord(
            first + i,
            question.text,
            question.answer,
            scene.index,
            scene.image,
            _encode(to_clevr(question.program)),
            question.family.number,
            question.family.name,
            split,
        )
        for i, question in enumerate(asked)
    ]


def _ask(
    sampler: Sampler, family: Family, rng: random.Random, balance: Balance, seen: set[Program]
) -> DrawnQuestion | None:
    """A new question of the family, or None when the scene gives none soon."""
    share = _share(OPS[family.words[-1].op].result, family, sampler.domain)
    for _ in range(DRAWS):
        draw = sampler.draw(family, rng, lambda answer: balance.admits(family, answer, share))
        if draw is None or draw.program in seen:
            continue
        try:
            text = describe(draw.program, seed=rng.getrandbits(32))
        except ConversionError:  # the language has no words for this one
            continue
        balance.add(family, draw.answer)
        seen.add(draw.program)
        return DrawnQuestion(family, draw.program, draw.answer, text)
    balance.passed[family.name] += 1
    return None


def _share(kind: Kind, family: Family, domain: Domain) -> float:
    if kind is TRUTH:
        return 0.5
    if kind is WORD:
        return 1 / len(domain.values(family.words[-1].attribute or ""))
    return NUMBER_SHARE


_encode = msgspec.json.Encoder().encode


def probe_questions(scene: Scene) -> list[QuestionRecord]:
    """For every concept, how many objects have it: 'How many red things are there?'

    What a model answers here says which concepts it knows, apart from how it reasons.

    Raises:
        ConversionError: the domain has no native op names, so it has no official layout.
        DomainError: the domain has no question grammar.
    """
    probes = _probes(scene.domain)
    first = (scene.index or 0) * len(probes)
    return [
        QuestionRecord(
            first + i, text, spell(execute(program, scene)), scene.index, scene.image, nodes, i, f"probe/{concept}"
        )
        for i, (concept, program, text, nodes) in enumerate(probes)
    ]


@functools.lru_cache(maxsize=64)
def _probes(domain: Domain) -> list[tuple[str, Program, str, bytes]]:
    probes = []
    for concept in domain.concepts:
        calls = [Call("scene"), Call("filter", (concept,), (0,)), Call("count", (), (1,))]
        program = Program(calls, domain)
        probes.append((concept, program, describe(program), _encode(to_clevr(program))))
    return probes
