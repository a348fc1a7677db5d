"""An op of your own: one annotated function, and both executors run it.

    python examples/own_op.py

The kinds of the parameters after the first two say what they are: a `Relation` is a literal, written in
brackets; an `Object` or a set of `Objects` is an input, written in parentheses. `k` is the algebra that the
op computes with, so the same function runs on Python integers, on columns of 64-bit sets for a batch, and on
degrees.
"""

from typing import TypeVar

from nsreason.dsl.algebra import Algebra, View
from nsreason.dsl.kinds import Number, Objects, Relation, Truth
from nsreason.dsl.ops import OPS, op
from nsreason.executors import execute, execute_batch
from nsreason.programs.text_reader import parse_program
from nsreason.scenes.scene import Scene

T = TypeVar("T")


@op
def between(k: Algebra[T], scene: View[T], a: Objects[T], b: Objects[T], relation: Relation) -> Objects[T]:
    """The objects that stand in the relation to a member of one set, and the other way to one of the other."""
    beyond_a = k.reach(a, scene.table("relation", relation))
    before_b = k.reach(b, scene.table("converse", relation))
    return k.both(beyond_a, before_b)


@op
def at_least(k: Algebra[T], scene: View[T], objects: Objects[T], n: Number[T]) -> Truth[T]:
    """Whether the set has that many members, or more."""
    return k.negate(k.less(k.how_many(objects), n))


def shelf() -> Scene:
    """Five objects in a row, from left to right."""
    row = [("red", "cube"), ("blue", "sphere"), ("green", "cylinder"), ("gray", "sphere"), ("yellow", "cube")]
    objects = [{"size": "small", "color": c, "material": "rubber", "shape": s} for c, s in row]
    right = [[j for j in range(len(row)) if j > i] for i in range(len(row))]
    return Scene.of("clevr", objects, relationships={"right": right})


PROGRAMS = [
    "between[right](filter[red](scene()), filter[yellow](scene()))",
    "count(filter[sphere](between[right](filter[red](scene()), filter[yellow](scene()))))",
    "at_least(filter[cube](scene()), number[2]())",
    "at_least(filter[sphere](scene()), number[3]())",
]

if __name__ == "__main__":
    print(OPS["between"].signature)
    print(OPS["at_least"].signature)
    scene = shelf()
    programs = [parse_program(text, "clevr") for text in PROGRAMS]
    one_by_one = [execute(program, scene) for program in programs]
    assert execute_batch(programs, [scene] * len(programs)) == one_by_one
    for program, answer in zip(programs, one_by_one, strict=True):
        print(program, "=", answer)
