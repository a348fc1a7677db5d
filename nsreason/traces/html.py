"""A trace as one web page: the program, the drawings and a panel for each call.

Everything is drawn here, so that the page says all it knows without its script, which only steps through it.
The page names no other file and no address, and forbids its reader's browser to load any.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dsl.kinds import OBJECT
from ..errors import DataError, NotUnique
from ..programs.text_writer import format_program
from .focus import Focus, focus, start
from .scene_plan import Appearance, Drawing, appearance, from_above, plan
from .wording import how_many

if TYPE_CHECKING:
    from .trace import Trace, TraceStep

_MOST = 24  # objects listed in a panel; the others are counted
_MOST_CALLS, _MOST_OBJECTS = 10_000, 5_000  # of a page that a browser can still step through
_MOST_MARKS = 200_000  # objects of all calls together
_ROW, _LANE, _INSET = 34, 16, 16  # pixels: a row of the program, from lane to lane, from the edge to a lane


def page(trace: Trace, image: Path | None = None) -> str:
    """Write the page.

    Raises:
        DataError: the image cannot be read, or is neither PNG nor JPEG, or the page would be too large to step through.
    """
    from ..pages.templates import render

    for most, count, what in (
        (_MOST_CALLS, len(trace.steps), "calls"),
        (_MOST_OBJECTS, len(trace.drawn), "objects"),
        (_MOST_MARKS, len(trace.steps) * len(trace.drawn), "objects of all calls together"),
    ):
        if count > most:
            raise DataError(f"a page shows no more than {most:,} {what}, this trace has {count:,}; its text shows all")
    drawings = _drawings(trace, image)
    first = start(trace)
    shown = focus(trace, first)
    appearances = [appearance(trace.drawn.describe(i).split(" ")) for i in range(len(trace.drawn))]
    return render(
        "trace.html",
        title=trace.question or "Trace of a program",
        question=trace.question,
        about=_about(trace),
        answer=_answer(trace),
        program=format_program(trace.program),
        start=first.node,
        says=shown.says,
        figures=[{"name": n, "svg": _marked(n, d, shown), "note": d.note} for n, d in drawings.items()],
        graph=_graph(trace),
        calls=[_call(trace, step, appearances) for step in trace.steps],
        data=_data(trace, drawings),
    )


def lanes(inputs: Sequence[Sequence[int]]) -> list[int]:
    """A lane for each call, such that the lines from calls to their uses never run through another call.

    A lane is held by one value from its call to its last use; a call takes over the lane of an input that it
    is the last to use.
    """
    last_use = {i: node for node, given in enumerate(inputs) for i in given}
    lane: list[int] = []
    free: list[int] = []
    lanes_used = 0
    for node, given in enumerate(inputs):
        done = {lane[i] for i in given if last_use[i] == node}
        if done:
            lane.append(min(done))
        else:
            lane.append(heapq.heappop(free) if free else lanes_used)
        lanes_used = max(lanes_used, lane[-1] + 1)
        for other in done - {lane[-1]}:
            heapq.heappush(free, other)
    return lane


# --- the head -----------------------------------------------------------------------------------------------


def _about(trace: Trace) -> str:
    scene = trace.drawn
    number = "" if scene.index is None else f" {scene.index}"
    objects = "1 object" if len(scene) == 1 else f"{len(scene)} objects"
    calls = "1 call" if len(trace.steps) == 1 else f"{len(trace.steps)} calls"
    return f"{scene.domain.name} · scene{number} with {objects} · program of {calls}"


def _answer(trace: Trace) -> dict[str, str]:
    if trace.error is not None:
        return {"text": "no answer", "error": _failure(trace)}
    step = trace.steps[-1]
    return {"text": _gist(step) if len(step.objects or ()) > 2 else step.words, "error": ""}


def _failure(trace: Trace) -> str:
    """Why there is no answer, in a few words; the panel of the call has the whole message."""
    node = next((s.node for s in trace.steps if s.state == "failed"), None)
    where = "" if node is None else f"call {node} "
    if isinstance(trace.error, NotUnique):
        count = len(trace.error.objects)
        sort = trace.error.sort
        return where + (f"met no {sort}" if count == 0 else f"met {count} {sort}s") + " where one is needed"
    return where + "failed"


# --- the drawings -------------------------------------------------------------------------------------------


def _drawings(trace: Trace, image: Path | None) -> dict[str, Drawing]:
    """The picture where there is one, and the plan where it says more: objects in rows add nothing to a picture."""
    if image is None:
        return {"plan": plan(trace.drawn)}
    from .image_overlay import picture

    drawings = {"picture": picture(trace.drawn, image)}
    if from_above(trace.drawn) is not None or None in drawings["picture"].spots:
        drawings["plan"] = plan(trace.drawn)
    return drawings


def _marked(name: str, drawing: Drawing, shown: Focus) -> str:
    """A drawing as it is at the call to show first; the script then steps from there."""

    def marked(match: re.Match[str]) -> str:
        i = int(match[1])
        classes = " ".join(["thing", *shown.classes(i)])
        return f'<g class="{classes}" data-object="{i}" style="--shade:{shown.shade[i]:.3f}">'

    svg = re.sub(r'<g class="thing" data-object="(\d+)">', marked, drawing.svg)
    states = ("" if shown.quiet else " veiled") + (" graded" if shown.degrees else "")
    states += " single" if len(shown.given) < 2 else ""
    return svg.replace(f'class="{name}', f'class="{name}{states}', 1)


# --- the program --------------------------------------------------------------------------------------------


def _graph(trace: Trace) -> dict[str, Any]:
    """The program's graph, drawn beside the rows: a line from each call down to each of its uses."""
    lane = lanes([step.inputs for step in trace.steps])

    def at(node: int) -> tuple[float, float]:
        return _INSET + lane[node] * _LANE, (node + 0.5) * _ROW

    wires, dots = [], []
    for step in trace.steps:
        x, y = at(step.node)
        for place, i in enumerate(dict.fromkeys(step.inputs)):
            u, v = at(i)
            bend = f"V{y - _ROW:g}C{u:g} {y - _ROW / 3:g} {x:g} {y - _ROW * 2 / 3:g} {x:g} {y:g}"
            path = f"M{u:g} {v:g}" + (f"V{y:g}" if u == x else bend)
            wires.append({"letter": _letter(place), "to": step.node, "path": path})
        dots.append({"node": step.node, "x": f"{x:g}", "y": f"{y:g}"})
    return {"width": 2 * _INSET + max(lane) * _LANE, "height": len(trace.steps) * _ROW, "wires": wires, "dots": dots}


def _letter(place: int) -> str:
    return "a" if place == 0 else "b"  # a third input shares the second's outline


def _css(step: TraceStep) -> str:
    return step.state.replace(" ", "-")


def _gist(step: TraceStep) -> str:
    """The value in the fewest words."""
    if step.state != "done" or step.value is None:
        return step.state
    if step.kind.shape == "set" and step.individuals is not None:
        return how_many(step.individuals, step.kind.sort or "object")
    return step.words


# --- one call -----------------------------------------------------------------------------------------------

_KINDS = {
    "objects": "a set of objects",
    "object": "an object",
    "truth": "yes or no",
    "number": "a number",
    "word": "a word",
}


def _call(trace: Trace, step: TraceStep, appearances: Sequence[Appearance]) -> dict[str, Any]:
    """What the page says of a call: in its panel, in the row of the program, in the table of all calls."""
    inputs = [
        {
            "letter": _letter(k),
            "sign": chr(65 + k),
            "node": i,
            "text": trace.steps[i].text,
            "gist": _gist(trace.steps[i]),
        }
        for k, i in enumerate(step.inputs)
    ]
    return {
        "node": step.node,
        "text": step.text,
        "state": _css(step),
        "kind": step.kind.name,
        "gives": _KINDS.get(step.kind.name, step.kind.meaning),
        "meaning": trace.program.steps[step.node].op.doc,
        "gist": _gist(step),
        "words": step.words or step.state,
        "degrees": list(step.degrees or ())[:64],
        "inputs": inputs,
        "result": _result(trace, step, appearances),
    }


def _result(trace: Trace, step: TraceStep, appearances: Sequence[Appearance]) -> dict[str, Any]:
    """What a call gave, or why it gave nothing, with the objects to list."""
    if step.state == "failed":
        objects = trace.unmet
        reason = _failure(trace).partition(str(step.node))[2].strip()
        return _listed(trace, objects, appearances) | {"text": reason, "error": str(trace.error)}
    if step.state == "not reached":
        node = next((s.node for s in trace.steps if s.state == "failed"), None)
        reason = "Not reached." if node is None else f"Not reached: call {node} failed before it."
        return _listed(trace, (), appearances) | {"text": reason}
    text = "1 object" if step.kind is OBJECT and step.objects else _gist(step)
    if step.degrees is not None and step.kind.sort == "object":
        return _ranked(trace, step.degrees, step.objects or (), appearances) | {"text": text}
    return _listed(trace, step.objects or (), appearances) | {"text": text}


def _object(trace: Trace, i: int, appearances: Sequence[Appearance]) -> dict[str, Any]:
    return {"number": i, "colour": appearances[i].colour, "description": trace.drawn.describe(i)}


def _listed(trace: Trace, objects: Sequence[int], appearances: Sequence[Appearance]) -> dict[str, Any]:
    """The first objects of a set, with the scores of their detections."""
    shown = []
    for i in objects[:_MOST]:
        score = trace.drawn.places[i].score
        shown.append(_object(trace, i, appearances) | {"score": "" if score is None else f"{score:.2f}"})
    return {"error": "", "by_degree": False, "objects": shown, "rest": len(objects) - _MOST}


def _ranked(
    trace: Trace, degrees: Sequence[float], chosen: Sequence[int], appearances: Sequence[Appearance]
) -> dict[str, Any]:
    """Objects with the degrees to which they belong to a set; of many, those of the highest degrees."""
    places: Sequence[int] = range(len(degrees))
    members = set(chosen)
    if len(degrees) > _MOST:
        places = sorted(sorted(places, key=lambda i: -degrees[i])[:_MOST])
    shown = [
        _object(trace, i, appearances) | {"score": "", "degree": degrees[i], "chosen": i in members} for i in places
    ]
    return {"error": "", "by_degree": True, "objects": shown, "rest": len(degrees) - _MOST}


# --- what the script needs ----------------------------------------------------------------------------------


def _data(trace: Trace, drawings: dict[str, Drawing]) -> dict[str, Any]:
    """What the script reads, as JSON inside the page."""
    return {
        "start": start(trace).node,
        "steps": [_step_data(trace, step) for step in trace.steps],
        "spots": {
            name: [
                None if spot is None else [round(spot.x, 1), round(spot.y, 1), round(spot.radius, 1)]
                for spot in drawing.spots
            ]
            for name, drawing in drawings.items()
        },
    }


def _step_data(trace: Trace, step: TraceStep) -> dict[str, object]:
    shown = focus(trace, step)
    return {
        "text": step.text,
        "gist": _gist(step),
        "got": None if shown.got is None else list(shown.got),
        "from": [list(objects) for objects in shown.given],
        "bad": list(shown.bad),
        "links": shown.arrows,
        "degrees": None if shown.degrees is None else [round(d, 4) for d in shown.degrees],
        "shade": [round(d, 4) for d in shown.shade],
        "says": shown.says,
        "near": shown.near,
        "state": _css(step),
    }
