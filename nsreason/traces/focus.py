"""What a picture of a call shows: the objects that it gave, those that it started from, and how much of each.

The page and the strip draw the same things; this says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..dsl.kinds import OBJECT, OBJECTS, WORD
from ..errors import NotUnique
from .wording import how_many

if TYPE_CHECKING:
    from .trace import Trace, TraceStep


@dataclass(frozen=True, slots=True)
class Focus:
    """One call, as a picture shows it.

    Attributes:
        got: the objects that it gave; None where it gave none or something else.
        given: per input, the objects that it is about.
        bad: the objects at which the program failed.
        shade: per object of the scene, how much it belongs to what is shown, 0 to 1.
        degrees: per object, the call's own degrees; None for exact execution and for other kinds.
        arrows: whether the objects were found from one object, the first of `given`.
        says: what it gave that is no object, in a word: `3`, `yes`, `red`, or that it failed.
        failed: whether the program ended here.
        near: the object that `says` tells about, if it is one.
    """

    got: tuple[int, ...] | None
    given: tuple[tuple[int, ...], ...]
    bad: tuple[int, ...]
    shade: tuple[float, ...]
    degrees: tuple[float, ...] | None
    arrows: bool
    says: str | None
    failed: bool
    near: int | None

    @property
    def quiet(self) -> bool:
        """Whether it is about no object at all, as a number that is written down."""
        return self.got is None and not self.given and not self.bad

    def classes(self, i: int) -> list[str]:
        """How object i is marked: `in-got`, `in-a` (first input), `in-b` (the others), `in-bad`, `dim`."""
        marks = {
            "in-got": i in (self.got or ()),
            "in-a": i in (self.given[0] if self.given else ()),
            "in-b": any(i in objects for objects in self.given[1:]),
            "in-bad": i in self.bad,
            "dim": self.degrees is None and not self.quiet and self.shade[i] == 0,
        }
        return [name for name, holds in marks.items() if holds]


def focus(trace: Trace, step: TraceStep) -> Focus:
    """What a picture of a call shows."""
    given = tuple(sources(trace, step.node))
    if step.state == "not reached":
        given = tuple(() for _ in given)
    failed = step.state == "failed"
    bad = trace.unmet if failed else ()
    got = step.objects
    says = None
    if failed:
        says = _met(trace.error) if isinstance(trace.error, NotUnique) else "failed"
    elif step.state == "done" and (got is None or step.kind.sort != "object"):
        says = step.words
    about = got if got is not None else bad if failed else tuple(i for objects in given for i in objects)
    shade = _shade(trace, step)
    if shade is None:
        members = set(about)
        shade = tuple(float(i in members) for i in range(len(trace.drawn)))
    kinds = [trace.steps[i].kind for i in step.inputs]
    return Focus(
        got=got,
        given=given,
        bad=bad,
        shade=shade,
        degrees=_object_degrees(step),
        arrows=step.kind is OBJECTS and kinds == [OBJECT] and step.state == "done",
        says=says,
        failed=failed,
        near=about[0] if says is not None and not failed and len(about) == 1 and step.kind is WORD else None,
    )


def start(trace: Trace) -> TraceStep:
    """The call to show first: the last, or the one that failed."""
    return next((s for s in trace.steps if s.state == "failed"), trace.steps[-1])


def sources(trace: Trace, node: int) -> list[tuple[int, ...]]:
    """Per input of a call, the objects it is about: its own, or those that a number or word came from."""
    return [trace.about[i] for i in trace.steps[node].inputs]


def _met(error: NotUnique) -> str:
    return f"met {how_many(error.objects, error.sort)}"


def _object_degrees(step: TraceStep) -> tuple[float, ...] | None:
    """Degrees of objects; those of events and moments have no place in a picture of objects."""
    return step.degrees if step.kind.sort == "object" else None


def _shade(trace: Trace, step: TraceStep) -> tuple[float, ...] | None:
    """The call's degrees; a count's or a word's are those of what it counted or asked."""
    if step.degrees is not None:
        return _object_degrees(step)
    if step.objects is None and step.state == "done" and len(step.inputs) == 1:
        return _object_degrees(trace.steps[step.inputs[0]])
    return None
