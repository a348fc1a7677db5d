"""Comparisons that were never run: one as large as a real one, and one of each kind that reports must bear."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

from nsreason.comparison.results import ComparedExample, ComparedQuestion, Comparison, Kind, ReasonerRun

TYPES = {"count": 12, "exist": 2, "compare number": 2, "compare attribute": 2, "query": 8}  # type -> answers
SIZES = (1_000, 10_000, 100_000)
# Name, kind, accuracy in the limit by type, and how hard each object beyond six is.
LEARNERS: tuple[tuple[str, Kind, tuple[float, ...], float], ...] = (
    ("question-type", "neural", (0.35, 0.5, 0.5, 0.51, 0.37), 0.0),
    ("lstm", "neural", (0.42, 0.61, 0.7, 0.52, 0.37), 0.005),
    ("cnn-mlp", "neural", (0.47, 0.65, 0.68, 0.53, 0.5), 0.02),
    ("relation-network", "neural", (0.91, 0.98, 0.94, 0.97, 0.98), 0.06),
    ("concept-learner", "soft", (0.97, 0.99, 0.99, 0.99, 0.99), 0.015),
)
SCENE = (
    '<svg class="plan" viewBox="0 0 600 470" role="img" aria-label="plan"><g class="ground">'
    '<rect width="600" height="470" rx="10"/></g><g class="thing" data-object="0"><g class="solid" fill="#c4302b">'
    '<circle cx="200" cy="160" r="36"/></g><circle class="ring got" cx="200" cy="160" r="40"/>'
    '<text class="index on" x="200" y="165">0</text></g><g class="thing" data-object="1"><g class="solid" '
    'fill="#2f55c8"><rect x="330" y="240" width="60" height="60"/></g>'
    '<text class="index on" x="360" y="275">1</text></g>'
    '<g class="links"></g></svg>'
)
TRACE = """count(filter[red](relate[left](unique(filter[cube](scene())))))  2
└─ filter[red]                                                 2 objects
   └─ relate[left]                                             3 objects
      └─ unique                                                1 (large blue rubber cube)
         └─ filter[cube]                                       1 object
            └─ scene                                           8 objects

question  How many red things are left of the large cube?
answer    2"""


def questions(number: int, random: Random) -> list[ComparedQuestion]:
    queries = []
    for i in range(number):
        kind = random.choice(list(TYPES))
        length = min(24, max(3, round(random.gauss(9 + 4 * (kind.startswith("compare")), 4))))
        facts = {"objects": random.randint(3, 10), "program length": length}
        text = f"How many {random.choice(['red', 'blue', 'tiny'])} things are left of the large cube number {i}?"
        queries.append(ComparedQuestion(i, text, f"{kind} {random.randrange(TYPES[kind])}", kind, "", facts))
    return queries


def run(
    name: str, kind: Kind, size: int | None, right: list[float], asked: list[ComparedQuestion], random: Random
) -> ReasonerRun:
    """A run that answers each question rightly with its own likelihood, and otherwise with a wrong answer."""
    answers, scores = [], []
    for p, q in zip(right, asked, strict=True):
        known = random.random() < p
        others = [a for a in (f"{q.type} {k}" for k in range(TYPES[q.type])) if a != q.answer]
        answers.append(q.answer if known else random.choice(others))
        scores.append(None if kind == "symbolic" else min(1.0, 0.35 + 0.6 * random.random() * (0.6 + 0.4 * known)))
    learned = size is not None
    return ReasonerRun(
        name,
        kind,
        size,
        learned,
        None,
        tuple(answers),
        tuple(scores),
        parameters=0 if not learned else 40_000 + 1000 * len(name) ** 2,
        seconds=0.0 if size is None else 8.0 + size / 137,
        epochs=30 if learned else 0,
        examples=30 * size if size else 0,
        stopped="" if size is None else "time" if size == 100_000 and name == "cnn-mlp" else "finished",
        answering=len(asked) / (45_000 if kind == "symbolic" else 3_100),
        first=0.4,
        settings={"lr": 0.001, "batch": 64} if learned else {},
    )


@cache
def clevr(number: int = 600, seed: int = 0) -> Comparison:
    """Six reasoners, five of them at three sizes, trained on few objects and short programs."""
    random = Random(seed)
    asked = questions(number, random)
    kinds = list(TYPES)
    runs = [run("exact", "symbolic", None, [1.0] * number, asked, random)]
    for name, kind, limit, slope in LEARNERS:
        for step, size in enumerate(SIZES):
            if (name, size) == ("cnn-mlp", 1_000):
                runs.append(ReasonerRun(name, kind, size, failure="out of memory: a batch of 64 needs 3 GB <more>"))
                continue
            far = (0.55, 0.85, 1.0)[step]
            right = []
            for q in asked:
                p = far * limit[kinds.index(q.type)] + (1 - far) * 0.3
                p -= slope * max(0, q.facts["objects"] - 6) + slope * max(0, q.facts["program length"] - 12) / 2
                right.append(max(0.05, p))
            runs.append(run(name, kind, size, right, asked, random))
    examples = [ComparedExample(k, TRACE, "exact", SCENE) for k in (3, 10)]
    return Comparison(
        {
            "task": "clevr",
            "source": "data/clevr/val",
            "task_settings": {"held_out": 0.2},
            "reasoners": ["exact", *(name for name, *_ in LEARNERS)],
            "sizes": list(SIZES),
            "budget": "600 s",
            "seed": 3,
            "input": "rows",
            "limit": number,
            "train_within": {"objects": [3, 6], "program length": [2, 12]},
            "version": "0.1.0",
        },
        tuple(asked),
        tuple(runs),
        tuple(examples),
        {"objects": (3, 6), "program length": (2, 12)},
        "2 cores, x86_64",
        "2026-11-21",
        2,
        "questions.json: question 17: no scene 99",
    )


def small() -> Comparison:
    """Few questions, of which every figure can be counted by hand."""
    kinds = ["count", "count", "exist", "exist"]
    asked = [ComparedQuestion(i, f"Question {i}?", "yes", k, facts={"objects": 3 + i}) for i, k in enumerate(kinds)]
    runs = (
        ReasonerRun("exact", "symbolic", answers=("yes",) * 4, scores=(None,) * 4, answering=0.001),
        ReasonerRun("lstm", "neural", 10, True, None, ("no",) * 4, (0.5,) * 4, {}, 7, 1.5, 2, 20, "finished", 0.5),
        replace(
            ReasonerRun("lstm", "neural", 20, True, parameters=7, seconds=3.0, epochs=2, examples=40, answering=0.5),
            answers=("yes", "no", "yes", None),
            scores=(0.9, 0.6, 0.8, None),
            errors={1: "unsure", 3: "lost"},
            stopped="time",
        ),
        ReasonerRun("mlp", "neural", 20, failure="no | such <b>thing</b>"),
    )
    examples = (ComparedExample(1, "count(scene())  yes", "exact"),)
    settings = {"task": "clevr", "source": "data", "budget": "40 questions", "seed": 0}
    return Comparison(settings, tuple(asked), runs, examples, {"objects": (3, 4)}, "a machine", "2026-01-02")


@cache
def babi(number: int = 1000) -> Comparison:
    """Twenty types, told stories and no numbers to draw against."""
    random = Random(1)
    asked = tuple(
        ComparedQuestion(i, f"where is mary {i}", "garden", f"{i % 20 + 1:2} task {i % 20 + 1}") for i in range(number)
    )
    runs = []
    for name, p in (("lstm", 0.5), ("relation-network", 0.97)):
        answers = tuple("garden" if random.random() < p else "kitchen" for _ in asked)
        runs.append(
            ReasonerRun(
                name, "neural", 9000, True, None, answers, (0.7,) * number, {}, 99, 60.0, 9, 81000, "finished", 2
            )
        )
    runs.append(ReasonerRun("mlp", "neural", 9000, failure="it cannot read stories"))
    examples = (ComparedExample(0, story="mary went to the garden.\njohn <slept>."),)
    return Comparison({"task": "babi"}, asked, tuple(runs), examples)


@cache
def springs() -> Comparison:
    """One type, no texts, long answers; one reasoner."""
    answers = tuple(" ".join(f"{a}-{a + k % 4 + 1}" for a in range(k + 1)) for k in range(30))
    asked = tuple(
        ComparedQuestion(k, None, a, "connections", facts={"links": k % 7, "systems": 3}) for k, a in enumerate(answers)
    )
    run = ReasonerRun(
        "relation-network", "neural", 5000, True, None, (*answers[:-1], "0-1"), (0.4,) * 30, answering=0.1
    )
    return Comparison({"task": "springs"}, asked, (run,), (ComparedExample(29),))


@cache
def grouped(number: int = 400) -> Comparison:
    """Types in two groups."""
    random = Random(2)
    kinds = {"relational": ("closest", "furthest", "how many"), "not relational": ("shape", "left", "top")}
    all_kinds = [(g, t) for g, types in kinds.items() for t in types]
    asked = tuple(
        ComparedQuestion(i, "which?", "circle", t, g, {"objects": 6})
        for i, (g, t) in enumerate(random.choices(all_kinds, k=number))
    )
    runs = []
    for name, p in (("cnn-mlp", (0.6, 0.98)), ("relation-network", (0.95, 0.99))):
        answers = tuple("circle" if random.random() < p[q.group.startswith("not")] else "yes" for q in asked)
        runs.append(ReasonerRun(name, "neural", 9800, True, None, answers, (0.9,) * number, answering=1.0))
    return Comparison({"task": "sort-of-clevr"}, asked, tuple(runs))


def nothing() -> Comparison:
    """All failed."""
    return Comparison(
        {}, (ComparedQuestion(0, None, None, "count"),), (ReasonerRun("lstm", "neural", 10, failure="broken"),)
    )


ALL = {f.__name__: f for f in (clevr, small, babi, springs, grouped, nothing)}
