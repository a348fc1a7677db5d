"""Small reasoners and a task for tests of comparisons: some answer, some fail, one counts how often it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from nsreason.data.splits import Split
from nsreason.errors import DataError
from nsreason.queries.query import Query, Reply
from nsreason.reasoners.reasoner import FitRequest
from nsreason.traces.trace import Trace

Kind = Literal["symbolic", "soft", "neural"]


@dataclass(frozen=True)
class Sums:
    """A task: is a number even, and what is it and the next one together?"""

    train: int = 20
    test: int = 12

    @property
    def recipes(self) -> dict[str, str]:
        return {}

    def load(self, folder: str | Path) -> Split[list[Query]]:
        if not Path(folder).is_dir():
            raise DataError(f"{folder}: there is no such folder")
        queries = [query for n in range(self.train + self.test) for query in asked(n)]
        cut = 2 * self.train
        return Split(
            queries[: cut - 4], queries[cut - 4 : cut], queries[cut:], [DataError("a bad record")], str(folder)
        )


def asked(n: int) -> list[Query]:
    seen = {"number": n}
    return [
        Query(2 * n, f"Is {n} even?", "no" if n % 2 else "yes", "even", seen, facts={"digits": len(str(n))}),
        Query(2 * n + 1, f"{n} and {n + 1}?", str(2 * n + 1), "sum", seen, facts={"digits": len(str(n))}),
    ]


class Toy:
    """Answers by `say`; `build` leaves a note in the request's folder, so that tests can count."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Kind] = "symbolic"
    parameters = 0

    def __init__(self, request: FitRequest) -> None:
        self.request = request

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Toy:
        request.folder.mkdir(parents=True, exist_ok=True)
        with (request.folder / "made.txt").open("a", encoding="utf-8") as file:
            file.write("made\n")
        return cls(request)

    def say(self, query: Query) -> str | None:
        return query.answer

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        answers = [self.say(q) for q in queries]
        return [Reply(t, {} if t is None else {t: 0.5}, DataError("no idea") if t is None else None) for t in answers]

    def trace(self, query: Query) -> Trace | None:
        return None


class Knows(Toy):
    """Is always right."""


class AlwaysYes(Toy):
    kind: ClassVar[Kind] = "neural"

    def say(self, query: Query) -> str | None:
        return "yes"


class Learner(Toy):
    """Is right on numbers that are no larger than it has seen questions; says nothing on others."""

    learns: ClassVar[bool] = True
    kind: ClassVar[Kind] = "neural"
    parameters = 7

    def say(self, query: Query) -> str | None:
        return query.answer if int(query.inputs["number"]) <= len(self.request.train) else None


class Broken(Toy):
    """Cannot be made."""

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Toy:
        raise ZeroDivisionError("by zero")


class Mute(Toy):
    """Answers nothing."""

    def say(self, query: Query) -> str | None:
        return None


class Short(Toy):
    """Gives too few replies."""

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        return super().answer(queries[1:])


class Interrupted(Toy):
    """Ctrl-C comes while it answers."""

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        raise KeyboardInterrupt
