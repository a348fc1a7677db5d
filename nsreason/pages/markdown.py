"""Markdown text that shows what it is given, whatever signs that has."""

from __future__ import annotations

import re

_SIGNS = "\\`*_<>[]|#"


def escape(text: str) -> str:
    """Write text so that Markdown shows it as it is, on one line."""
    line = " ".join(text.split()).replace("&", "&amp;")
    for sign in _SIGNS:
        line = line.replace(sign, f"\\{sign}")
    return line


def code_block(text: str) -> list[str]:
    """Write text as the lines of a code block, with a fence that is longer than any in the text."""
    ticks = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return [fence, *text.splitlines(), fence]
