"""Data files: scenes and questions on disk, cut into records that are read one by one. Imports no torch."""

from ..io.files import atomic_write
from .questions import QuestionRecord, read_questions, write_questions
from .records import BadRecord
from .scenes import SceneFile, load_scenes, read_scenes, write_scenes

__all__ = [
    "BadRecord",
    "QuestionRecord",
    "SceneFile",
    "atomic_write",
    "load_scenes",
    "read_questions",
    "read_scenes",
    "write_questions",
    "write_scenes",
]
