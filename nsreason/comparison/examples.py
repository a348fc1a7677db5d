"""Which questions of a comparison are worth a look, and how what they are about is drawn."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from ..queries.query import Query
from .results import Comparison

if TYPE_CHECKING:
    from ..queries.image import QueryImage

_SIDE = 360  # pixels: pictures are not shown larger


def choose(comparison: Comparison, most: int) -> list[int]:
    """The places of questions on which the best runs differ: of each type one after another, those first on which the
    most reasoners that learned are wrong while one is right.
    """
    runs = [run for run in comparison.best() if run.failure is None and run.answers]
    right = [comparison.right(run) for run in runs]
    by_type: dict[str, list[tuple[int, int]]] = {}
    for place, query in enumerate(comparison.queries):
        answers = {run.answers[place] for run in runs}
        good = sum(marks[place] for marks in right)
        if len(answers) > 1 and good:
            by_type.setdefault(query.type, []).append((good, place))
    rows = [sorted(places) for _, places in sorted(by_type.items())]
    turns = [row[k][1] for k in range(max(map(len, rows), default=0)) for row in rows if k < len(row)]
    return turns[:most]


def drawing(query: Query) -> str | None:
    """What a question is about, as an SVG or an `img` that holds its pixels; None if there is nothing to draw."""
    if "image" in query.inputs:
        return _picture(query.inputs["image"])
    if "scene" in query.inputs:
        from ..traces.scene_plan import plan

        return plan(query.inputs["scene"]).svg
    return None


def _picture(source: QueryImage) -> str | None:
    from PIL import Image

    from ..errors import NsreasonError

    try:
        pixels = source.tensor().permute(1, 2, 0).numpy()
    except NsreasonError:
        return None
    image = Image.fromarray(pixels)
    if max(image.size) > _SIDE:
        image.thumbnail((_SIDE, _SIDE))
    elif max(image.size) < _SIDE // 2:  # few pixels stay sharp
        image = image.resize((image.width * 3, image.height * 3), Image.Resampling.NEAREST)
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    text = base64.b64encode(stream.getvalue()).decode()
    size = f'width="{image.width}" height="{image.height}"'
    return f'<img alt="what is asked about" {size} src="data:image/png;base64,{text}">'


def story(query: Query) -> str | None:
    """The sentences that a question is about, a line each; None if there are none."""
    sentences = query.inputs.get("sentences")
    return None if not sentences else "\n".join(sentences)
