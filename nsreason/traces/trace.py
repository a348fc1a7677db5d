"""Traces: what every call of a program gave on a scene, as text, as JSON, as a web page and as a picture.

    found = trace(program, scene, "How many red cubes are there?")      # nsreason.executors
    print(found.to_text())
    Path("trace.html").write_text(found.to_html(), encoding="utf-8")

A trace is plain data: executors fill it in (exact ones a value per call, soft ones also a degree per object),
and it knows nothing of how they work. A program without an answer has a trace too: it holds the error, marks
the call that failed, and leaves the calls after it without a value.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..dsl.kinds import Kind
from ..errors import ExecutionError, NotUnique
from ..programs.program import Program
from ..programs.text_writer import format_program
from ..scenes.world import World, named
from .wording import Value, cut, degree_forms, how_many, in_words, individual_name, object_forms

if TYPE_CHECKING:
    from rich.text import Text

    from ..scenes.scene import Scene

State = Literal["done", "failed", "not reached"]

VERSION = 1  # of the layout of `to_json`; raised when a key is removed or changes its meaning


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One call of the program and what it gave.

    Attributes:
        node: the call's number in the program, from 0.
        text: the call as written, without its inputs: `filter[red]`.
        inputs: the numbers of the calls that feed it.
        value: bool for a truth, int for a number or an object's index, str for a word, ascending indices for
            a set; None for a call that failed or was not reached.
        words: the value in words, `2 objects: 0 (large red metal cube), 3 (small red metal cube)`; for a
            failed call the error, for a call not reached the empty string.
        degrees: per individual of its sort, how much it belongs to the result, 0 to 1; None for exact execution.
        objects: those that a drawing lights up: the members of a set of objects, those that take part in events; None
            for other kinds and for a call without a value.
    """

    node: int
    op: str
    text: str
    kind: Kind
    literals: tuple[str, ...]
    inputs: tuple[int, ...]
    state: State
    value: Value | None
    words: str
    degrees: tuple[float, ...] | None = None
    objects: tuple[int, ...] | None = None

    @property
    def individuals(self) -> tuple[int, ...] | None:
        """The members of a set, or the one; None for other kinds and for a call without a value."""
        if self.kind.shape == "set" and isinstance(self.value, tuple):
            return self.value
        if self.kind.shape == "one" and isinstance(self.value, int):
            return (self.value,)
        return None


@dataclass(frozen=True)
class Trace:
    """The execution of a program on a scene: one step per call, in the program's order.

    `error` is why there is no answer; its `node` is the step whose state is `failed`.
    """

    program: Program
    scene: World
    steps: tuple[TraceStep, ...]
    error: ExecutionError | None = None
    question: str | None = None

    def __post_init__(self) -> None:
        if len(self.steps) != len(self.program):
            raise ExecutionError(f"{len(self.steps)} steps for a program of {len(self.program)} calls")
        for step in self.steps:
            if step.degrees is None:
                continue
            sort = step.kind.sort or "object"
            if len(step.degrees) != self.scene.size(sort):
                message = f"{len(step.degrees)} degrees for a scene of {self.scene.size(sort)} {sort}s"
                raise ExecutionError(message, node=step.node)
            wrong = next((d for d in step.degrees if not 0.0 <= d <= 1.0), None)
            if wrong is not None:
                raise ExecutionError(f"a degree lies in 0..1, got {wrong}", node=step.node)

    @classmethod
    def of_values(
        cls,
        program: Program,
        scene: World,
        values: Sequence[Value],
        error: ExecutionError | None = None,
        question: str | None = None,
        degrees: Sequence[Sequence[float] | None] | None = None,
    ) -> Trace:
        """Build a trace from the decoded values of the first calls: all, or those before the one that failed.

        Args:
            degrees: per call, the degrees of the scene's objects, or None for a call that gives no objects.

        Raises:
            ExecutionError: the numbers of values, degrees, calls and objects do not fit together, or a degree
                is not in 0..1.
        """
        if len(values) > len(program) or (len(values) == len(program)) != (error is None):
            ending = "no error" if error is None else "an error"
            raise ExecutionError(f"{len(values)} values for a program of {len(program)} calls, and {ending}")
        if degrees is not None and len(degrees) != len(program):
            raise ExecutionError(f"degrees for {len(degrees)} calls of a program of {len(program)}")
        steps = []
        for node, (call, step) in enumerate(zip(program.calls, program.steps, strict=True)):
            value: Value | None = None
            state: State = "not reached"
            words = ""
            if node < len(values):
                value, state = values[node], "done"
                words = in_words(value, step.gives, scene)
            elif node == len(values):
                state, words = "failed", str(error)
            given = degrees[node] if degrees is not None else None
            steps.append(
                TraceStep(
                    node=node,
                    op=call.op,
                    text=str(call),
                    kind=step.gives,
                    literals=call.literals,
                    inputs=call.inputs,
                    state=state,
                    value=value,
                    words=words,
                    degrees=None if given is None else tuple(map(float, given)),
                )
            )
        return cls(program, scene, tuple(_lit(step, scene) for step in steps), error, question)

    @cached_property
    def drawn(self) -> Scene:
        """The scene of the world's objects: what pages and pictures draw."""
        return self.scene.as_scene()

    @cached_property
    def unmet(self) -> tuple[int, ...]:
        """The objects at which the program failed, where a set did not have exactly one member; or those of events."""
        if not isinstance(self.error, NotUnique):
            return ()
        return _lit_objects(self.scene, self.error.sort, self.error.objects)

    @cached_property
    def about(self) -> tuple[tuple[int, ...], ...]:
        """Per call, the objects that it is about: those it gave, or those that its number, word or truth came from."""
        sets: list[tuple[int, ...]] = []
        for step in self.steps:
            if step.objects is not None:
                sets.append(step.objects)
            else:
                given = list(dict.fromkeys(sets[i] for i in step.inputs))
                sets.append(given[0] if len(given) == 1 else tuple(sorted({i for one in given for i in one})))
        return tuple(sets)

    @property
    def answer(self) -> Value | None:
        """The value of the last call; None when there is no answer."""
        last = self.steps[-1]
        return None if last.value is None else named(last.value, last.kind, self.scene)

    @property
    def answer_words(self) -> str:
        """The answer in words, `yes`, `3`, `red`, `4 (small blue cube)`; `no answer` when there is none."""
        return self.steps[-1].words if self.error is None else "no answer"

    def to_text(self, *, width: int = 100, objects: bool = False) -> str:
        """Return the program as a tree with each call's value behind it, then the question and the answer.

        Args:
            width: columns; values that do not fit are shortened, the tree itself is not.
            objects: whether to list the scene's objects below.
        """
        lines = [_join(line) for line in self._lines(width)]
        return "\n".join([*lines, "", *(_wrap(label, text, width) for label, text in self._tail(objects))])

    def to_rich(self, *, width: int = 100, objects: bool = False) -> Text:
        """Return the same text with colours, for a rich console."""
        from rich.text import Text

        colours = {"done": "cyan", "failed": "bold red", "not reached": "dim"}
        out = Text(no_wrap=True)
        for line in self._lines(width):
            out.append(line.tree, style="bold" if line.state == "failed" else "")
            out.append(" " * line.gap)
            out.append(line.value + "\n", style=colours[line.state])
        for label, text in self._tail(objects):
            style = "bold" if label == "answer" else "bold red" if label == "no answer" else ""
            out.append("\n" + _wrap(label, text, width), style=style)
        return out

    def to_json(self) -> dict[str, Any]:
        """Return the trace as plain data.

        Keys: `version` (1), `domain`, `question` (or null), `program` (its text), `answer` (or null), `error`
        (null, or `kind`, `message`, `node` and for NotUnique `objects`), `scene` and `steps`.
        `scene`: `index` and `image` (or null), `objects`, each with its attributes by name (lists where open).
        A step: `node`, `op`, `text`, `literals`, `inputs`, `kind`, `state` (`done`, `failed`, `not reached`),
        `value` (true or false, a number, an object's index, a word, a list of indices, or null), `words`, and
        `degrees` (a number in 0..1 per object of the scene, or null). Where a step gives what is no object (events,
        moments), numbers are of its sort, and `parts` has the `objects` and `frames` that stand for them.
        """
        scene = self.drawn
        attributes = scene.domain.attributes
        return {
            "version": VERSION,
            "domain": scene.domain.name,
            "question": self.question,
            "program": format_program(self.program),
            "answer": _plain(self.answer),
            "error": None if self.error is None else self.error.record(),
            "scene": {
                "index": scene.index,
                "image": scene.image,
                "objects": [{a: scene.entry(i, a) for a in attributes} for i in range(len(scene))],
            },
            "steps": [
                {
                    "node": step.node,
                    "op": step.op,
                    "text": step.text,
                    "literals": list(step.literals),
                    "inputs": list(step.inputs),
                    "kind": step.kind.name,
                    "state": step.state,
                    "value": _plain(step.value),
                    "words": step.words,
                    "degrees": None if step.degrees is None else list(step.degrees),
                }
                | self._parts(step)
                for step in self.steps
            ],
        }

    def _parts(self, step: TraceStep) -> dict[str, Any]:
        sort = step.kind.sort
        if sort in (None, "object") or step.individuals is None:
            return {}
        frames = dict.fromkeys(f for i in step.individuals for f in self.scene.parts(sort or "", i).frames)
        return {"parts": {"objects": list(step.objects or ()), "frames": list(frames)}}

    def to_html(self, image: Path | None = None) -> str:
        """Write one self-contained page that steps through the program beside a drawing of the scene.

        Args:
            image: the scene's picture (PNG or JPEG), which is then part of the page.

        Raises:
            DataError: the image cannot be read, or is neither PNG nor JPEG.
        """
        from .html import page

        return page(self, image)

    def to_png(self, image: Path | None = None) -> bytes:
        """Draw one picture, a PNG file: a panel per call with what it is about in the light, the answer at the end.

        Args:
            image: the scene's picture; without one, the panels show a plan of the scene.

        Raises:
            DataError: the image cannot be read, or the program has too many calls for a picture.
        """
        from .png import strip

        return strip(self, image)

    def _lines(self, width: int) -> Iterator[_Line]:
        # The tree is drawn once, with a mark where each value goes; the values are then set in one column.
        marked = [line.partition("\0") for line in self.program.to_tree(lambda node: f"\0{node}").split("\n")]
        widest = max(len(tree) for tree, mark, _ in marked if mark)
        column = min(widest, max(width - 40, 20)) + 2
        for tree, mark, node in marked:
            if not mark:  # a shared call that is drawn elsewhere
                yield _Line(tree, 0, "", "not reached")
                continue
            step = self.steps[int(node)]
            gap = max(column - len(tree), 2)
            yield _Line(tree, gap, self._fitted(step, width - len(tree) - gap), step.state)

    def _fitted(self, step: TraceStep, room: int) -> str:
        if step.state == "not reached":
            return step.state
        objects, lead, sort = step.individuals, "", step.kind.sort or "object"
        if step.state == "failed":
            if not isinstance(self.error, NotUnique):
                return cut(f"failed: {step.words}", room)
            objects, lead, sort = self.error.objects, "failed: met ", self.error.sort
        exact = step.degrees is None
        if objects is None or (step.kind.shape == "one" and step.state == "done" and exact):
            return cut(step.words, room)
        graded = degree_forms(objects, step.degrees, sort) if step.degrees is not None else ()
        forms = (lead + form for form in (*graded, *object_forms(objects, self.scene, sort=sort)))
        return next((form for form in forms if len(form) <= room), lead + how_many(objects, sort))

    def _tail(self, objects: bool) -> Iterator[tuple[str, str]]:
        if objects:
            for i in range(self.scene.size("object")):
                yield "objects" if i == 0 else "", individual_name(i, self.scene)
        if self.question is not None:
            yield "question", self.question
        yield ("answer", self.answer_words) if self.error is None else ("no answer", str(self.error))


def _lit(step: TraceStep, world: World) -> TraceStep:
    """Return the step with the objects that stand for what it gave: the members themselves, or those of events."""
    if step.individuals is None:
        return step
    return replace(step, objects=_lit_objects(world, step.kind.sort or "object", step.individuals))


def _lit_objects(world: World, sort: str, individuals: Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(o for i in individuals for o in world.parts(sort, i).objects))


@dataclass(frozen=True, slots=True)
class _Line:
    tree: str
    gap: int
    value: str
    state: State


def _join(line: _Line) -> str:
    return f"{line.tree}{' ' * line.gap}{line.value}".rstrip()


def _wrap(label: str, text: str, width: int) -> str:
    indent = 11
    room = max(width - indent, 20)
    lines = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
    return f"{label:<{indent}}" + ("\n" + " " * indent).join(lines)


def _plain(value: Value | None) -> object:
    return list(value) if isinstance(value, tuple) else value
