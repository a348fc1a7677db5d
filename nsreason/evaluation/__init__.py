"""How good answers are: one reasoner, one report.

from nsreason.evaluation import evaluate

report = evaluate("questions.json", "scenes.json")
print(report.to_text())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from ..queries.scores import Score, wilson
    from .evaluator import evaluate
    from .report import Report

__all__ = [
    "Report",
    "Score",
    "evaluate",
    "wilson",
]

__getattr__ = lazy_names(
    __name__,
    {
        ".evaluator": ("evaluate",),
        ".report": ("Report",),
        "..queries.scores": (
            "Score",
            "wilson",
        ),
    },
)
