"""A trace as one web page: `trace.html` filled with the program, the drawings and a panel per call.

Everything is drawn here, so that the page says all it knows without its script, which only steps through it.
The page names no other file and no address, and forbids its reader's browser to load any.
"""

from __future__ import annotations

import heapq
import html
import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ..dsl.kinds import OBJECT, OBJECTS
from ..errors import DataError, NotUnique
from ..programs.text_writer import format_program
from .focus import Focus, focus, start
from .scene_plan import Drawing, Look, from_above, look, plan
from .wording import how_many

if TYPE_CHECKING:
    from .trace import Trace, TraceStep

_MOST = 24  # objects listed in a panel; the others are counted
_MOST_CALLS, _MOST_OBJECTS = 10_000, 5_000  # of a page that a browser can still step through
_MOST_MARKS = 200_000  # objects of all calls together
_ROW, _LANE, _INSET = 34, 16, 16  # pixels: a row of the program, from lane to lane, from the edge to a lane

_escape = html.escape


def page(trace: Trace, image: Path | None = None) -> str:
    """The page.

    Raises:
        DataError: the image cannot be read, or is neither PNG nor JPEG, or the page would be too large to step through.
    """
    for most, count, what in (
        (_MOST_CALLS, len(trace.steps), "calls"),
        (_MOST_OBJECTS, len(trace.scene), "objects"),
        (_MOST_MARKS, len(trace.steps) * len(trace.scene), "objects of all calls together"),
    ):
        if count > most:
            raise DataError(f"a page shows no more than {most:,} {what}, this trace has {count:,}; its text shows all")
    drawings = _drawings(trace, image)
    first = start(trace)
    looks = [look(trace.scene.describe(i).split(" ")) for i in range(len(trace.scene))]
    lane = lanes([step.inputs for step in trace.steps])
    parts = {
        "title": _escape(trace.question or "Trace of a program"),
        "heading": _heading(trace),
        "about": _escape(_about(trace)),
        "answer": _answer(trace),
        "views": "".join(_figure(n, d, focus(trace, first), first) for n, d in drawings.items()),
        "count": "two" if len(drawings) > 1 else "one",
        "panels": "".join(_panel(trace, step, looks, step is first) for step in trace.steps),
        "last": str(len(trace.steps) - 1),
        "gutter": _gutter(trace, lane),
        "width": str(_gutter_width(lane)),
        "rows": "".join(_row(trace, step) for step in trace.steps),
        "program": _escape(format_program(trace.program)),
        "table": "".join(_table_row(trace, step) for step in trace.steps),
        "data": _data(trace, drawings),
    }
    template = resources.files("nsreason.traces").joinpath("trace.html").read_text(encoding="utf-8")
    # One pass: what is put in is not looked at again, whatever a question says.
    return re.sub(r"<!--@(\w+)-->", lambda found: parts[found[1]], template)


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


def _heading(trace: Trace) -> str:
    if trace.question:
        return _escape(trace.question)
    return f"<code>{_escape(format_program(trace.program))}</code>"


def _about(trace: Trace) -> str:
    scene = trace.scene
    number = "" if scene.index is None else f" {scene.index}"
    objects = "1 object" if len(scene) == 1 else f"{len(scene)} objects"
    calls = "1 call" if len(trace.steps) == 1 else f"{len(trace.steps)} calls"
    return f"{scene.domain.name} · scene{number} with {objects} · program of {calls}"


def _answer(trace: Trace) -> str:
    if trace.error is not None:
        reason = _escape(_failure(trace))
        return f'<p class="answer none"><span>Answer</span><strong>no answer</strong><em>{reason}</em></p>'
    step = trace.steps[-1]
    words = _gist(trace, step) if len(step.objects or ()) > 2 else step.words
    size = " long" if len(words) > 14 else ""
    return f'<p class="answer{size}"><span>Answer</span><strong>{_escape(words)}</strong></p>'


def _failure(trace: Trace) -> str:
    """Why there is no answer, in a few words; the panel of the call has the whole message."""
    node = next((s.node for s in trace.steps if s.state == "failed"), None)
    where = "" if node is None else f"call {node} "
    if isinstance(trace.error, NotUnique):
        n = len(trace.error.objects)
        return where + ("met no object" if n == 0 else f"met {n} objects") + " where one is needed"
    return where + "failed"


def _drawings(trace: Trace, image: Path | None) -> dict[str, Drawing]:
    """The picture where there is one, and the plan where it says more: objects in rows add nothing to a picture."""
    if image is None:
        return {"plan": plan(trace.scene)}
    from .image_overlay import picture

    shown = {"picture": picture(trace.scene, image)}
    if from_above(trace.scene) is not None or None in shown["picture"].spots:
        shown["plan"] = plan(trace.scene)
    return shown


def _figure(name: str, drawing: Drawing, told: Focus, step: TraceStep) -> str:
    """A drawing, as it is at the call to show first; the script then steps from there."""

    def marked(found: re.Match[str]) -> str:
        i = int(found[1])
        classes = " ".join(["thing", *told.classes(i)])
        return f'<g class="{classes}" data-object="{i}" style="--shade:{told.shade[i]:.3f}">'

    svg = re.sub(r'<g class="thing" data-object="(\d+)">', marked, drawing.svg)
    states = ("" if told.quiet else " veiled") + (" graded" if told.degrees else "")
    states += " single" if len(told.given) < 2 else ""
    svg = svg.replace(f'class="{name}', f'class="{name}{states}', 1)
    says = f'<span class="op">{_escape(step.text)}</span> <b>{_escape(told.says or "")}</b>'
    line = f'<p class="says {_css(step)}" aria-hidden="true"{"" if told.says else " hidden"}>{says}</p>'
    caption = f"<figcaption>{_escape(drawing.note)}</figcaption>"
    return f'<figure class="view {name}"><div class="frame">{line}{svg}</div>{caption}</figure>'


# --- the program --------------------------------------------------------------------------------------------


def _gutter_width(lane: Sequence[int]) -> int:
    return 2 * _INSET + max(lane) * _LANE


def _gutter(trace: Trace, lane: Sequence[int]) -> str:
    """The program's graph, drawn beside the rows: a line from each call down to each of its uses."""

    def at(node: int) -> tuple[float, float]:
        return _INSET + lane[node] * _LANE, (node + 0.5) * _ROW

    lines, dots = [], []
    for step in trace.steps:
        x, y = at(step.node)
        for place, i in enumerate(dict.fromkeys(step.inputs)):
            u, v = at(i)
            bend = f"V{y - _ROW:g}C{u:g} {y - _ROW / 3:g} {x:g} {y - _ROW * 2 / 3:g} {x:g} {y:g}"
            line = f"M{u:g} {v:g}" + (f"V{y:g}" if u == x else bend)
            lines.append(f'<path class="wire {_letter(place)}" data-to="{step.node}" d="{line}"/>')
        at_dot = f'cx="{x:g}" cy="{y:g}" r="4.5"'
        dots.append(f'<circle class="dot {_css(step)}" data-node="{step.node}" {at_dot}/>')
    width, height = _gutter_width(lane), len(trace.steps) * _ROW
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg class="graph" {size} aria-hidden="true">{"".join(lines)}{"".join(dots)}</svg>'


def _letter(place: int) -> str:
    return "a" if place == 0 else "b"  # a third input shares the second's outline


def _css(step: TraceStep) -> str:
    return step.state.replace(" ", "-")


def _gist(trace: Trace, step: TraceStep) -> str:
    """The value in the fewest words."""
    if step.state != "done" or step.value is None:
        return step.state
    return how_many(step.objects) if step.kind is OBJECTS and step.objects is not None else step.words


def _row(trace: Trace, step: TraceStep) -> str:
    gist, text = _escape(_gist(trace, step)), _escape(step.text)
    return (
        f'<li><a class="row {_css(step)}" href="#call-{step.node}" data-step="{step.node}" '
        f'aria-label="call {step.node}, {text}: {gist}"><span class="node">{step.node}</span>'
        f'<code>{text}</code><span class="gist">{gist}</span></a></li>'
    )


# --- one call -----------------------------------------------------------------------------------------------


def _panel(trace: Trace, step: TraceStep, looks: Sequence[Look], now: bool) -> str:
    doc = trace.program.steps[step.node].op.doc
    given = "".join(
        f'<li class="{_letter(k)}"><b>{chr(65 + k)}</b><a href="#call-{i}" data-step="{i}">'
        f"<span>{i}</span> <code>{_escape(trace.steps[i].text)}</code></a>"
        f'<span class="gist">{_escape(_gist(trace, trace.steps[i]))}</span></li>'
        for k, i in enumerate(step.inputs)
    )
    given = f'<ul class="given" aria-label="inputs">{given}</ul>' if given else ""
    kind = _KINDS.get(step.kind.name, step.kind.name)
    return (
        f'<article class="panel {_css(step)}{" now" if now else ""}" data-panel="{step.node}">'
        f'<p class="kicker">call {step.node} gives {kind}</p>'
        f"<h2><code>{_escape(step.text)}</code></h2>"
        f'<p class="doc">{_escape(doc)}</p>{given}{_result(trace, step, looks)}</article>'
    )


_KINDS = {
    "objects": "a set of objects",
    "object": "an object",
    "truth": "yes or no",
    "number": "a number",
    "word": "a word",
}


def _result(trace: Trace, step: TraceStep, looks: Sequence[Look]) -> str:
    if step.state == "failed":
        told = f'<p class="error">{_escape(str(trace.error))}</p>'
        met = trace.error.objects if isinstance(trace.error, NotUnique) else ()
        reason = _escape(_failure(trace).partition(str(step.node))[2].strip())
        return f'<p class="result">{reason}</p>{told}{_chips(trace, met, looks)}'
    if step.state == "not reached":
        node = next((s.node for s in trace.steps if s.state == "failed"), None)
        reason = "Not reached." if node is None else f"Not reached: call {node} failed before it."
        return f'<p class="result">{reason}</p>'
    gist = _gist(trace, step)
    if step.kind is OBJECT and step.objects:
        gist = "1 object"
    head = f'<p class="result">{_escape(gist)}</p>'
    if step.degrees is not None:
        return head + _bars(trace, step.degrees, step.objects or (), looks)
    return head + _chips(trace, step.objects or (), looks)


def _chips(trace: Trace, objects: Sequence[int], looks: Sequence[Look]) -> str:
    if not objects:
        return ""
    chips = "".join(f'<li data-about="{i}">{_named(trace, i, looks, score=True)}</li>' for i in objects[:_MOST])
    rest = len(objects) - _MOST
    more = f'<li class="more">and {rest} more</li>' if rest > 0 else ""
    return f'<ul class="chips">{chips}{more}</ul>'


def _named(trace: Trace, i: int, looks: Sequence[Look], *, score: bool = False) -> str:
    swatch = f'<i class="swatch" style="background:{looks[i].colour}"></i>'
    found = trace.scene.places[i].score
    seen = f" <small>detected {found:.2f}</small>" if score and found is not None else ""
    return f'{swatch}<b>{i}</b><span class="told">{_escape(trace.scene.describe(i))}{seen}</span>'


def _bars(trace: Trace, degrees: Sequence[float], chosen: Sequence[int], looks: Sequence[Look]) -> str:
    listed: Sequence[int] = range(len(degrees))
    members = set(chosen)
    if len(degrees) > _MOST:
        listed = sorted(sorted(listed, key=lambda i: -degrees[i])[:_MOST])
    rows = "".join(
        f'<li class="bar{" chosen" if i in members else ""}" data-about="{i}" style="--degree:{degrees[i]:.4f}">'
        f'{_named(trace, i, looks)}<span class="degree">{degrees[i]:.2f}</span></li>'
        for i in listed
    )
    rest = len(degrees) - _MOST
    more = f'<li class="more">and {rest} of lower degree</li>' if rest > 0 else ""
    return f'<ul class="bars" aria-label="degrees">{rows}{more}</ul>'


def _table_row(trace: Trace, step: TraceStep) -> str:
    words = step.words or step.state
    degrees = ""
    if step.degrees:
        marks = "".join(f'<i style="--degree:{d:.3f}"></i>' for d in step.degrees[:64])
        told = " ".join(f"{d:.2f}" for d in step.degrees[:64])
        degrees = f'<span class="spark" role="img" aria-label="degrees {told}">{marks}</span>'
    given = ", ".join(f'<a href="#call-{i}" data-step="{i}">{i}</a>' for i in step.inputs)
    return (
        f'<tr id="call-{step.node}" class="{_css(step)}"><th scope="row">{step.node}</th>'
        f"<td><code>{_escape(step.text)}</code></td><td>{given}</td><td>{step.kind.name}</td>"
        f"<td>{_escape(words)}{degrees}</td></tr>"
    )


# --- what the script needs ----------------------------------------------------------------------------------


def _data(trace: Trace, drawings: dict[str, Drawing]) -> str:
    data = {
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
    # Inside a script element only `<` can end it, and json has escapes for every character.
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _step_data(trace: Trace, step: TraceStep) -> dict[str, object]:
    told = focus(trace, step)
    return {
        "text": step.text,
        "gist": _gist(trace, step),
        "got": None if told.got is None else list(told.got),
        "from": [list(found) for found in told.given],
        "bad": list(told.bad),
        "links": told.arrows,
        "degrees": None if told.degrees is None else [round(d, 4) for d in told.degrees],
        "shade": [round(d, 4) for d in told.shade],
        "says": told.says,
        "near": told.near,
        "state": _css(step),
    }
