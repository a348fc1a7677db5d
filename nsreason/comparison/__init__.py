"""Several reasoners on the same questions: one table, one page.

from nsreason.comparison import compare

comparison = compare("clevr", "data/clevr", ["exact", "relation-network"], out="runs/compare")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .comparer import compare
    from .results import Comparison
    from .text import to_markdown

__all__ = [
    "Comparison",
    "compare",
    "to_markdown",
]

__getattr__ = lazy_names(
    __name__,
    {
        ".comparer": ("compare",),
        ".results": ("Comparison",),
        ".text": ("to_markdown",),
    },
)
