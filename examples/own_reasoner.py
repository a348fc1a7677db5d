"""Two reasoners of your own beside those of the package: one that guesses, and one that misses small objects.

python examples/own_reasoner.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from nsreason import Scene
from nsreason.comparison.comparer import compare
from nsreason.errors import NsreasonError
from nsreason.generators import write_dataset
from nsreason.queries.query import Query, Reply
from nsreason.reasoners.executing import Executing
from nsreason.reasoners.reasoner import FitRequest, Reasoner
from nsreason.traces.trace import Trace


class AlwaysYes:
    """The shortest reasoner there is."""

    learns, kind, parameters = False, "neural", 0

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        return cls()

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        return [Reply("yes", {"yes": 1.0}) for _ in queries]

    def trace(self, query: Query) -> Trace | None:
        return None


@dataclass
class Nearsighted:
    """A scene builder, which `Executing` makes a reasoner of. This one builds the large objects only."""

    parameters: int = 0

    def scenes(self, queries: Sequence[Query]) -> list[Scene | NsreasonError]:
        return [seen_of(query.inputs["scene"]) for query in queries]


def seen_of(scene: Scene) -> Scene:
    """The large objects of a scene."""
    kept = [i for i in range(len(scene)) if "large" in scene.describe(i).split()]
    record = scene.to_dict()
    objects = [record["objects"][i] for i in kept]
    return Scene.of(scene.domain, objects, directions=record["directions"])


class LargeOnly:
    """Programs parsed from the questions, executed on what the builder builds."""

    learns, kind = False, "symbolic"

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        return Executing(Nearsighted(), "parsed", request.domain)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(f"{folder}/clevr", scenes=30, questions_per_scene=10, seed=1)
        names = ["exact-parsed", "__main__:LargeOnly", "__main__:AlwaysYes"]
        comparison = compare("clevr", f"{folder}/clevr", names, f"{folder}/report", task_settings={"test": 0.5})
        for run in comparison.runs:
            if run.failure is not None:
                print(f"{run.reasoner:22} {run.failure}")
                continue
            print(f"{run.reasoner:22}{100 * sum(comparison.right(run)) / len(comparison.queries):6.1f} %")
            if run.errors:
                place, why = next(iter(run.errors.items()))
                print(f"    such as: {comparison.queries[place].text}\n    {why}")


if __name__ == "__main__":
    main()
