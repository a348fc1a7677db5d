"""Executors: exact execution of programs on scenes, one at a time or in batches. Imports no torch."""

from .answers import Answer, spell
from .batch import execute_batch
from .batch_tables import SceneBatch
from .interpreter import execute, execute_values
from .tracing import trace

__all__ = ["Answer", "SceneBatch", "execute", "execute_batch", "execute_values", "spell", "trace"]
