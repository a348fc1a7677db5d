"""Mass-spring systems as queries: which balls are linked, or how many systems they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..data import springs as data
from ..data.links import spell_links
from ..data.splits import HoldOut, Split
from ..queries.query import Query


@dataclass(frozen=True)
class Springs:
    """Settings.

    ask: `connections`, answered as `0-3 2-5`, right if all are right; or `systems`, their number.
    color: of a ball, as `one-hot`, as three values (`rgb`, the paper's text) or one `number` (its supplement).
    moves: of a ball, its places and their `changes`, or `places` alone, as in the paper; see `Springs.states`.
    valid: the last part of the training scenes is not learned from. The test is the files' `validation`.
    """

    ask: Literal["connections", "systems"] = "connections"
    color: data.Color = "one-hot"
    moves: data.Moves = "changes"
    valid: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.valid < 1:
            raise ValueError(f"valid is from 0 to below 1, got {self.valid}")

    @property
    def recipes(self) -> dict[str, str]:
        """The recipes of networks, by what they look at."""
        return {"rows": f"rn-springs-{self.ask}-cpu"}

    def load(self, folder: str | Path) -> Split[list[Query]]:
        """See `Task.load`."""
        rule = HoldOut(self.valid)
        train, valid = rule.split(self._queries(data.read_springs(folder, "train")))
        test = self._queries(data.read_springs(folder, "validation"))
        return Split(train, valid, test, source=str(folder), rule=rule)

    def _queries(self, simulated: data.SpringsArrays) -> list[Query]:
        rows, linked = simulated.states(self.color, self.moves), simulated.connections()
        queries = []
        for i, systems in enumerate(simulated.systems.tolist()):
            answer = spell_links(linked[i]) if self.ask == "connections" else str(systems)
            facts = {"links": int(linked[i].sum()) // 2, "systems": systems}
            queries.append(Query(i, None, answer, self.ask, {"rows": rows[i]}, facts=facts))
        return queries
