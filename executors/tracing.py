"""Traces of exact execution."""

from __future__ import annotations

from ..programs.program import Program
from ..scenes.world import World
from ..traces.trace import Trace
from .answers import decode
from .interpreter import execute_values


def trace(program: Program, scene: World, question: str | None = None) -> Trace:
    """Run a program and keep what every call gave.

    A program that has no answer on the scene (`unique` met no object or several) does not raise: its trace
    holds the error, the call that failed, and the values before it.

    Raises:
        ExecutionError: the scene is of another domain.
        SceneError: the scene does not know a relation that the program asks for.
    """
    encoded, error = execute_values(program, scene)
    values = [decode(v, s.gives, program.domain) for v, s in zip(encoded, program.steps, strict=False)]
    return Trace.of_values(program, scene, values, error, question)
