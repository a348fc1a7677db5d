"""Synthetic data sets: scenes by a data set's own rules, and questions about them. Imports no torch.

from nsreason.generators import generate_questions, generate_scenes, write_dataset

for scene in generate_scenes(100, seed=7):
    records = generate_questions(scene, 10, seed=7)
"""

from .clevr.dataset import DatasetSummary, write_dataset
from .clevr.families import SHAPES, Family, choose_families, families_of, read_families
from .clevr.necessity import idle_calls
from .clevr.questions import Balance, DrawnQuestion, draw_questions, generate_questions, probe_questions
from .clevr.scenes import generate_scenes

__all__ = [
    "SHAPES",
    "Balance",
    "DatasetSummary",
    "DrawnQuestion",
    "Family",
    "choose_families",
    "draw_questions",
    "families_of",
    "generate_questions",
    "generate_scenes",
    "idle_calls",
    "probe_questions",
    "read_families",
    "write_dataset",
]
