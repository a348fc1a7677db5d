"""What a pipeline perceives in the images of queries: each image once, whatever the number of questions about it.

perceived = PerceivedImages(pipeline)
perceived.of(queries)            # a DetectedImage for each query, or the error that says why there is none
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ..errors import DataError, NsreasonError
from ..queries.keys import BoundedCache, observation_key
from ..queries.query import Query

if TYPE_CHECKING:
    from torch import Tensor

    from .image_pipeline import DetectedImage, ImagePipeline

BATCH = 16  # images that are perceived together; 8 of CLEVR's take a detector a second or two on one core
KEPT = 64  # images that are kept, of 460 KB each


def image_key(query: Query) -> Hashable:
    """The key of a query's image and of the detections given with it.

    Raises:
        DataError: there is no image.
    """
    if "image" not in query.inputs:
        raise lacks(query, "image", "there is no image")
    return observation_key(query.inputs["image"]), observation_key(query.inputs.get("detections"))


def lacks(query: Query, kind: str, why: str) -> DataError:
    """The error of a query without an input that a reasoner needs."""
    given = ", ".join(query.inputs) or "nothing"
    return DataError(f"question {query.index}: {why}; a '{kind}' is looked for, there is {given}")


V = TypeVar("V")


class PerceivedImages:
    """The images of queries as a pipeline perceives them; the last ones are kept."""

    def __init__(self, pipeline: ImagePipeline, *, batch_size: int = BATCH, keep: int = KEPT) -> None:
        """
        Args:
            batch_size: images that are perceived together.
            keep: images whose results are kept for later queries.
        """
        self.pipeline, self.batch_size = pipeline, batch_size
        self._kept: BoundedCache[DetectedImage | NsreasonError] = BoundedCache(max(keep, batch_size))

    def __len__(self) -> int:
        """How many images are kept."""
        return len(self._kept)

    def of(self, queries: Sequence[Query]) -> list[DetectedImage | NsreasonError]:
        """The image of each query; where detections stand beside it, they are used instead of the detector.

        An image that cannot be read, or whose detections do not fit, has an error and does not cost the others.
        """
        return each_once(queries, self._kept, self._new, keep_errors=True)

    def _new(self, new: Mapping[Hashable, Query]) -> Iterator[tuple[Hashable, DetectedImage | NsreasonError]]:
        for given in (False, True):
            part = [(key, query) for key, query in new.items() if ("detections" in query.inputs) is given]
            for at in range(0, len(part), self.batch_size):
                batch = part[at : at + self.batch_size]
                results = self._perceive([query for _, query in batch], given)
                yield from zip([key for key, _ in batch], results, strict=True)

    def _perceive(self, queries: Sequence[Query], given: bool) -> list[DetectedImage | NsreasonError]:
        """The results of one batch; of images that fail together, those that do well alone."""
        if not queries:
            return []
        images: list[tuple[str, Tensor]] = []
        warnings: list[str | None] = []
        try:
            for query in queries:
                image, warning = query.inputs["image"].read()
                images.append((query.inputs["image"].name, image))
                warnings.append(warning)
            detections = [query.inputs["detections"] for query in queries] if given else None
            perceived = self.pipeline.perceive(images, detections)
        except NsreasonError as error:
            if len(queries) == 1:
                return [error]
            return [result for query in queries for result in self._perceive([query], given)]
        return [
            image if warning is None else replace(image, warnings=(warning, *image.warnings))
            for image, warning in zip(perceived, warnings, strict=True)
        ]


def each_once(
    queries: Sequence[Query],
    kept: BoundedCache[V],
    compute: Callable[[Mapping[Hashable, Query]], Iterable[tuple[Hashable, V]]],
    *,
    keep_errors: bool,
) -> list[V | NsreasonError]:
    """The result of each query's image, computed once an image and kept for later queries.

    Args:
        kept: results of before, to which new ones are added.
        compute: given a query of each image that is new, by key, gives the results by key.
        keep_errors: whether a result that is an error is kept, too.
    """
    results: dict[Hashable, V] = {}
    new: dict[Hashable, Query] = {}
    keys: list[Hashable | NsreasonError] = []
    for query in queries:
        try:
            key = image_key(query)
        except NsreasonError as error:
            keys.append(error)
            continue
        keys.append(key)
        if key in results or key in new:
            continue
        known = kept.get(key)
        if known is None:
            new[key] = query
        else:
            results[key] = known
    for key, result in compute(new):
        results[key] = result
        if keep_errors or not isinstance(result, NsreasonError):
            kept.put(key, result)
    return [key if isinstance(key, NsreasonError) else results[key] for key in keys]
