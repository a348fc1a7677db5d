"""How good answers are: any reasoner, any queries, one report.

from nsreason.evaluation import evaluate, evaluate_files

report = evaluate_files("questions.json", "scenes.json")     # programs executed on annotated scenes
report = evaluate(reasoner, queries, ("accuracy", "joint"))  # your own reasoner
print(report.to_markdown())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from ..queries.scores import Score, wilson
    from ..queries.scoring import Figure, Metric, make_metric
    from .evaluator import Evaluation, evaluate
    from .judge import Unanswered
    from .question_files import evaluate_files
    from .report import Report, Section

__all__ = [
    "Evaluation",
    "Figure",
    "Metric",
    "Report",
    "Score",
    "Section",
    "Unanswered",
    "evaluate",
    "evaluate_files",
    "make_metric",
    "wilson",
]

__getattr__ = lazy_names(
    __name__,
    {
        ".evaluator": ("Evaluation", "evaluate"),
        ".judge": ("Unanswered",),
        ".question_files": ("evaluate_files",),
        ".report": ("Report", "Section"),
        "..queries.scores": ("Score", "wilson"),
        "..queries.scoring": ("Figure", "Metric", "make_metric"),
    },
)
