"""Programs and scenes over the part of their domain that the programs name.

Grounding makes a table for every name of a domain: for thousands of names, gigabytes of which a batch reads a few
columns. Narrowed first, a batch is grounded in memory and time that grow with its programs and scenes alone.

    programs, scenes = narrowed(programs, scenes)
    answers = QuasiSymbolic(Goedel())(programs, ground_crisp(scenes, Goedel()), which)
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ...dsl.domain import Domain
from ...dsl.domain_part import domain_part
from ...dsl.kinds import ATTRIBUTE, CONCEPT, RELATION
from ...dsl.ops import Op
from ...errors import ExecutionError
from ...programs.program import Program
from ...scenes.scene import Scene
from ...scenes.values import ObjectValues


def narrowed(programs: Sequence[Program], scenes: Sequence[Scene]) -> tuple[list[Program], list[Scene]]:
    """Return the same programs and scenes, over a domain with only what the programs name.

    Besides what the programs write out, an attribute that they ask about keeps the values that objects of the scenes
    have. Answers and errors are the same; object descriptions are not, as values that no program names are left out.

    Raises:
        ExecutionError: there is no scene, programs and scenes are of several domains, or an op names a concept,
            attribute or relation by its number, which is another one in the part.
        SceneError: a scene does not know a relation that a program names.
    """
    if not scenes:
        raise ExecutionError("there is no scene to narrow")
    domain = scenes[0].domain
    if any(s.domain != domain for s in scenes) or any(p.domain != domain for p in programs):
        raise ExecutionError("programs and scenes are of several domains")
    for op in {step.op for program in programs for step in program.steps}:
        if names_numbers(op):
            raise ExecutionError(f"op '{op.name}' names something by its number, so its programs cannot be narrowed")
    attributes = _named(programs, ATTRIBUTE)
    concepts = _named(programs, CONCEPT)
    for attribute in attributes:
        concepts |= {value for s in scenes for i in range(len(s)) for value in s.values_of(i, attribute)}
    part = domain_part(domain, concepts, attributes, _named(programs, RELATION))
    asked = set(attributes)
    return [Program(p.calls, part) for p in programs], [_part_of_scene(s, part, asked) for s in scenes]


@functools.lru_cache(maxsize=4096)
def names_numbers(op: Op) -> bool:
    """Return whether an op reads the scene by a number of its own, or cannot be looked into."""
    probe = _Probe()
    count = len(op.literals) + len(op.inputs)
    try:
        op.function(probe, probe, *[probe] * count)
    except Exception:  # whatever a user's function raises on a value that is no value
        return True
    return probe.own_number


class _Probe:
    """An algebra, a view and every value in one: whatever is done with it gives itself."""

    def __init__(self) -> None:
        self.own_number = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def primitive(*given: object) -> _Probe:
            self.own_number |= name != "number" and any(isinstance(value, int) for value in given)
            return self

        return primitive


def _named(programs: Sequence[Program], kind: object) -> set[str]:
    """Return the literals of a kind that the programs write out."""
    return {
        name
        for program in programs
        for step in program.steps
        for parameter, name in zip(step.op.literals, step.literals, strict=True)
        if parameter.kind is kind
    }


def _part_of_scene(scene: Scene, part: Domain, asked: set[str]) -> Scene:
    rows: list[ObjectValues] = [
        [_numbers(scene, i, attribute, part, attribute in asked) for attribute in part.attributes]
        for i in range(len(scene))
    ]
    index = scene.domain.relation_index
    relations = {number: scene.relation(index[name]) for number, name in enumerate(part.relations)}
    new = Scene(part, rows, scene.places, index=scene.index, image=scene.image)
    new._relations.update(relations)
    return new


def _numbers(scene: Scene, i: int, attribute: str, part: Domain, asked: bool) -> int | Sequence[int]:
    """Return object i's values in the part: those that are stated of an attribute asked about, else all that hold."""
    if asked:
        numbers = [part.concept_index[value] for value in scene.values_of(i, attribute)]
        return numbers if part.attribute_index[attribute] in part.open_attributes else numbers[0]
    index = scene.domain.concept_index
    return [part.concept_index[value] for value in part.values(attribute) if scene.concepts[index[value]] >> i & 1]
