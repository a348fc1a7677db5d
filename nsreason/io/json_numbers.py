"""Numbers as JSON files of different programs write them."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"\s*-?[0-9]{1,18}\s*")


def as_whole(value: object) -> int | None:
    """A whole number as files write one: 7, 7.0 or "7"; None of anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else None
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else None
