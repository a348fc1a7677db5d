"""A task of one's own, by which reasoners are compared: are there more of these than of those?

python examples/own_task.py

A task is a frozen dataclass of its settings with a method `load`, which gives queries to learn from, to validate on and
to be tested on. In a module of its own (`more.py`), the command line takes it as well:

    nsreason compare --task more:MoreThan --data data --reasoners exact,lstm --train --out report
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from nsreason import Scene, execute, parse_program
from nsreason.comparison import compare
from nsreason.data.folders import find_file
from nsreason.data.scenes import load_scenes
from nsreason.generators import write_dataset
from nsreason.perception.features.state_descriptions import StateConfig, state_rows
from nsreason.queries.query import Query
from nsreason.tasks import HoldOut, Split
from nsreason.training import Budget


@dataclass(frozen=True)
class MoreThan:
    """Settings."""

    attribute: str = "size"
    """Whose values are compared."""
    test: float = 0.25
    """The last part of the scenes is reported on."""
    valid: float = 0.1
    """The last part of the other scenes is validated on."""

    @property
    def recipes(self) -> Mapping[str, str]:
        """For networks: what they read, and the recipe that trains them."""
        return {"rows": "rn-clevr-state-cpu"}

    def load(self, folder: str | Path) -> Split[list[Query]]:
        """Ask of each scene whether there are more things of one value than of another."""
        file = load_scenes(find_file(Path(folder), "scenes", ""), "clevr")
        queries: list[Query] = []
        for scene in file.scenes:
            queries += self._queries(scene, len(queries))
        rest, test = HoldOut(self.test).split(queries, group=lambda query: query.facts["scene"])
        rule = HoldOut(self.valid)
        train, valid = rule.split(rest, group=lambda query: query.facts["scene"])
        return Split(train, valid, test, [fault.error for fault in file.bad], str(folder), rule=rule)

    def _queries(self, scene: Scene, first: int) -> Iterator[Query]:
        inputs = {"scene": scene, "rows": state_rows(scene, StateConfig())}  # one for all its questions
        for number, (one, other) in enumerate(permutations(scene.domain.values(self.attribute), 2), start=first):
            text = f"Are there more {one} things than {other} things?"
            calls = (f"count(filter[{value}](scene()))" for value in (one, other))
            program = parse_program(f"greater({', '.join(calls)})", scene.domain)
            answer = "yes" if execute(program, scene) else "no"
            facts = {"scene": scene.index or 0, "objects": len(scene)}
            yield Query(number, text, answer, f"more {one}", inputs, program=program, facts=facts)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(f"{folder}/clevr", scenes=100, questions_per_scene=1, seed=1)
        reasoners, out = ["exact", "exact-parsed", "question-type"], f"{folder}/report"
        report = compare("__main__:MoreThan", f"{folder}/clevr", reasoners, out, budget=Budget(examples=2000))
        for run in report.runs:
            share = run.failure or f"{100 * sum(report.right(run)) / len(report.queries):6.1f} %"
            print(f"{run.reasoner:16}{share}")


if __name__ == "__main__":
    main()
