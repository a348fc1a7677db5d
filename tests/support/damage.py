"""JSON content damaged at random: values replaced by others, left out, or doubled."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

VALUES: list[Any] = [
    *(None, True, 0, -1, 1.0, 1.5, 1e300, 2**70, -(2**63), float("nan"), float("inf"), "", "7", "x", "a/b.png"),
    *([], {}, [[]], [1], [[1, 2], [3]], {"a": 1}),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all that stands in a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in inside for place in ((*path, key), *places(item, (*path, key)))]


def changed(data: st.DataObject, content: Any) -> Any:
    """The content with up to three changes."""
    content = copy.deepcopy(content)
    for _ in range(data.draw(st.integers(1, 3))):
        paths = places(content)
        if not paths:
            break
        *way, last = data.draw(st.sampled_from(paths))
        container = content
        for key in way:
            container = container[key]
        how = data.draw(st.sampled_from(["put", "put", "drop", "double"]))
        if how == "put" or (how == "double" and isinstance(container, dict)):
            container[last] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
        elif how == "drop":
            del container[last]
        else:
            container.insert(last, copy.deepcopy(container[last]))
    return content
