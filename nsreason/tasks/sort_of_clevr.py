"""Sort-of-CLEVR as queries: pictures, or the same as state descriptions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..data import sort_of_clevr as data
from ..data.splits import HoldOut, Split
from ..queries.image import QueryImage
from ..queries.query import Query


@dataclass(frozen=True)
class SortOfClevr:
    """Settings.

    valid: the last part of the training pictures is not learned from. The test is the files' `validation`, as in the
        paper, which has no other.
    """

    valid: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.valid < 1:
            raise ValueError(f"valid is from 0 to below 1, got {self.valid}")

    @property
    def recipes(self) -> dict[str, str]:
        """The recipes of networks, by what they look at."""
        return {"rows": "rn-sort-of-clevr-state", "image": "rn-sort-of-clevr-cpu"}

    def load(self, folder: str | Path) -> Split[list[Query]]:
        """See `Task.load`."""
        rule = HoldOut(self.valid, counting="examples")
        train, valid = rule.split(
            queries(data.read_sort_of_clevr(folder, "train")), group=lambda query: id(query.inputs["rows"])
        )
        test = queries(data.read_sort_of_clevr(folder, "validation"))
        return Split(train, valid, test, source=str(folder), rule=rule)


def queries(found: data.SortOfClevrArrays) -> list[Query]:
    """The questions of pictures, in order; each sees the picture and its rows."""
    states = found.states()
    bits = found.questions.astype("float32")
    kinds = [*data.PLAIN, *data.RELATIONAL]
    made: list[Query] = []
    for i in range(len(found)):
        seen = {"image": QueryImage(None, pixels=found.images[i], name=f"picture {i}"), "rows": states[i]}
        for k, answer in enumerate(found.answers[i].tolist()):
            told = found.questions[i, k]
            relational = bool(found.relational[i, k])
            kind = kinds[3 * relational + int(told[8:].argmax())]
            made.append(
                Query(
                    len(made),
                    data.question_text(told),
                    data.ANSWERS[answer],
                    kind,
                    {**seen, "bits": bits[i, k]},
                    group="relational" if relational else "not relational",
                    facts={"objects": len(states[i])},
                )
            )
    return made
