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
            queries(data.read_sort_of_clevr(folder, "train")), group=lambda query: query.inputs["image"]
        )
        test = queries(data.read_sort_of_clevr(folder, "validation"))
        return Split(train, valid, test, source=str(folder), rule=rule)


def queries(pictures: data.SortOfClevrArrays) -> list[Query]:
    """The questions about pictures, in order; the inputs of each are the picture and its rows."""
    states = pictures.states()
    bits = pictures.questions.astype("float32")
    kinds = [*data.PLAIN, *data.RELATIONAL]
    asked: list[Query] = []
    for i in range(len(pictures)):
        inputs = {"image": QueryImage(None, pixels=pictures.images[i], name=f"picture {i}"), "rows": states[i]}
        for k, answer in enumerate(pictures.answers[i].tolist()):
            question = pictures.questions[i, k]
            relational = bool(pictures.relational[i, k])
            kind = kinds[3 * relational + int(question[8:].argmax())]
            asked.append(
                Query(
                    len(asked),
                    data.question_text(question),
                    data.ANSWERS[answer],
                    kind,
                    {**inputs, "bits": bits[i, k]},
                    group="relational" if relational else "not relational",
                    facts={"objects": len(states[i])},
                )
            )
    return asked
