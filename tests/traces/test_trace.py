"""Traces: text, JSON and page; exact, failing and graded ones; domains with and without coordinates."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nsreason.dsl.domain import load_domain
from nsreason.errors import DataError, ExecutionError, NotUnique, SceneError
from nsreason.executors import execute, spell, trace
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
from nsreason.traces.html import lanes
from nsreason.traces.image_overlay import picture
from nsreason.traces.scene_plan import appearance, plan
from nsreason.traces.trace import Trace
from nsreason.traces.wording import in_words

DIRECTIONS = {
    "left": [-1.0, 0.0, 0.0],
    "right": [1.0, 0.0, 0.0],
    "front": [0.0, -1.0, 0.0],
    "behind": [0.0, 1.0, 0.0],
}
NASTY = """Is </script><script>alert("1")</script> & <!--@rows--> 'red'?"""


def thing(size: str, color: str, material: str, shape: str, x: float, y: float) -> dict[str, object]:
    values = {"size": size, "color": color, "material": material, "shape": shape}
    return values | {"3d_coords": [x, y, 0.35], "pixel_coords": [100 + 40 * x, 80 - 20 * y, 9.0]}


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene.of(
        "clevr",
        [
            thing("large", "red", "metal", "cube", -2, 1),
            thing("small", "blue", "rubber", "sphere", 0, 0),
            thing("small", "red", "rubber", "cylinder", 2, -1),
            thing("large", "gray", "metal", "sphere", 3, 2),
        ],
        directions=DIRECTIONS,
        index=7,
    )


def chain(*calls: str, domain: str = "clevr") -> Program:
    """Chain calls, each on the result of the one before: `chain("scene", "filter red", "count")`."""
    parts = [call.split() for call in calls]
    return Program([Call(op, tuple(lits), (i - 1,) if i else ()) for i, (op, *lits) in enumerate(parts)], domain)


@pytest.fixture(scope="module")
def right_of_the_blue() -> Program:
    return chain("scene", "filter blue", "unique", "relate right", "filter sphere", "exist")


@pytest.fixture(scope="module")
def compares() -> Program:
    calls = [
        Call("scene"),
        Call("filter", ("red",), (0,)),
        Call("count", (), (1,)),
        Call("filter", ("small",), (1,)),
        Call("count", (), (3,)),
        Call("greater", (), (2, 4)),
    ]
    return Program(calls, "clevr")


# --- the data --------------------------------------------------------------------------------------------


def test_a_trace_holds_every_value_and_the_answer(scene: Scene, right_of_the_blue: Program) -> None:
    traced = trace(right_of_the_blue, scene, "Is a sphere right of the blue thing?")
    assert [step.value for step in traced.steps] == [(0, 1, 2, 3), (1,), 1, (2, 3), (3,), True]
    assert traced.answer is execute(right_of_the_blue, scene)
    assert traced.answer_words == spell(execute(right_of_the_blue, scene)) == "yes"
    assert traced.steps[2].objects == (1,) and traced.steps[5].objects is None
    assert traced.steps[4].words == "1 object: 3 (large gray metal sphere)"


@pytest.mark.parametrize(
    ("colour", "met", "words"), [("red", (0, 2), "met 2 objects: 0, 2"), ("green", (), "met no object")]
)
def test_a_failing_program_is_traced_up_to_its_call(
    scene: Scene, colour: str, met: tuple[int, ...], words: str
) -> None:
    traced = trace(chain("scene", f"filter {colour}", "unique", "query shape"), scene)
    assert isinstance(traced.error, NotUnique) and traced.error.node == 2 and traced.error.objects == met
    assert [step.state for step in traced.steps] == ["done", "done", "failed", "not reached"]
    assert traced.answer is None and traced.answer_words == "no answer"
    text = traced.to_text(width=60)
    assert f"failed: {words}" in text and "not reached" in text and str(traced.error)[:20] in text
    record = traced.to_json()
    assert record["answer"] is None and record["error"]["objects"] == list(met)


def test_bad_scenes_still_raise(scene: Scene) -> None:
    with pytest.raises(ExecutionError, match="domain"):
        trace(chain("scene", "count", domain="kitchen"), scene)
    nowhere = Scene.of("clevr", [{"size": "small", "color": "red", "material": "metal", "shape": "cube"}])
    with pytest.raises(SceneError, match="says nothing of 'left'"):
        trace(chain("scene", "unique", "relate left"), nowhere)


def test_values_and_degrees_must_fit(scene: Scene) -> None:
    program = chain("scene", "count")
    with pytest.raises(ExecutionError, match="1 values for a program of 2 calls, and no error"):
        Trace.of_values(program, scene, [(0, 1, 2, 3)])
    with pytest.raises(ExecutionError, match="2 values for a program of 2 calls, and an error"):
        Trace.of_values(program, scene, [(0, 1, 2, 3), 4], ExecutionError("x", node=1))
    for degrees, match in (
        ([[1, 1, 1], None], "3 degrees for a scene of 4 objects"),
        ([[1, 1, 1, 1.5], None], r"lies in 0\.\.1, got 1.5"),
        ([[1, 1, 1, float("nan")], None], "got nan"),
        ([None], "degrees for 1 calls of a program of 2"),
    ):
        with pytest.raises(ExecutionError, match=match):
            Trace.of_values(program, scene, [(0, 1, 2, 3), 4], degrees=degrees)


def test_in_words(scene: Scene) -> None:
    kinds = {step.gives.name: step.gives for step in chain("scene", "unique", "query color").steps}
    assert in_words((), kinds["objects"], scene) == "no object"
    assert in_words((0, 1, 2), kinds["objects"], scene, most=1) == ("3 objects: 0 (large red metal cube) and 2 more")
    assert in_words(0, kinds["object"], scene) == "0 (large red metal cube)"
    assert in_words("red", kinds["word"], scene) == "red"


# --- text and JSON -----------------------------------------------------------------------------------------


def test_text(scene: Scene, compares: Program) -> None:
    traced = trace(compares, scene, "Are there more red things than small red things?")
    assert traced.to_text() == "\n".join(
        [
            "greater                   yes",
            "├── count                 2",
            "│   └── filter[red] (#1)  2 objects: 0 (large red metal cube), 2 (small red rubber cylinder)",
            "│       └── scene         4 objects: 0, 1, 2, 3",
            "└── count                 1",
            "    └── filter[small]     1 object: 2 (small red rubber cylinder)",
            "        └── filter[red] (see #1)",
            "",
            "question   Are there more red things than small red things?",
            "answer     yes",
        ]
    )


def test_text_stays_within_its_width(scene: Scene) -> None:
    deep = chain("scene", *["filter red"] * 22, "count")
    for width in (60, 80, 100, 140):
        traced = trace(deep, scene, "word " * 60)
        tree = [len(line) for line in deep.to_tree().split("\n")]
        for k, line in enumerate(traced.to_text(width=width).split("\n")):
            # Where the tree itself is too wide, no more than the shortest value stands behind it.
            assert len(line) <= max(width, (tree[k] if k < len(tree) else 0) + len("  2 objects"))


def test_text_lists_objects_on_request(scene: Scene) -> None:
    text = trace(chain("scene", "count"), scene).to_text(objects=True)
    assert "objects    0 (large red metal cube)\n           1 (small blue rubber sphere)" in text


def test_rich_says_the_same(scene: Scene, compares: Program) -> None:
    traced = trace(compares, scene, "Are there more?")
    lines = [line.rstrip() for line in traced.to_rich().plain.split("\n")]
    assert lines == traced.to_text().split("\n")
    failing = trace(chain("scene", "unique"), scene).to_rich()
    assert any("red" in str(span.style) for span in failing.spans)


def test_json_layout(scene: Scene, right_of_the_blue: Program) -> None:
    traced = trace(right_of_the_blue, scene, NASTY)
    record = traced.to_json()
    assert json.loads(json.dumps(record)) == record
    assert list(record) == [
        "version", "domain", "question", "program", "answer", "error", "scene", "steps"
    ]  # fmt: skip
    assert record["version"] == 1 and record["question"] == NASTY and record["answer"] is True
    assert record["scene"]["objects"][1]["color"] == "blue" and record["scene"]["index"] == 7
    assert record["steps"][3] == {
        "node": 3,
        "op": "relate",
        "text": "relate[right]",
        "literals": ["right"],
        "inputs": [2],
        "kind": "objects",
        "state": "done",
        "value": [2, 3],
        "words": "2 objects: 2 (small red rubber cylinder), 3 (large gray metal sphere)",
        "degrees": None,
    }


# --- the page ----------------------------------------------------------------------------------------------

VOID = {"meta", "input", "br", "link", "img"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and keeps what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {attrs}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def having(self, css: str) -> list[dict[str, str]]:
        return [given for _, given in self.tags if css in given.get("class", "").split()]

    def text_of(self, tag: str) -> str:
        return "".join(text for where, text in self.texts if where == tag)

    @property
    def title(self) -> str:
        return next(text for tag, text in self.texts if tag == "title")

    @property
    def data(self) -> dict[str, object]:
        start = next(k for k, (tag, given) in enumerate(self.tags) if given.get("id") == "data")
        assert self.tags[start][0] == "script"
        script = next(text for tag, text in self.texts if tag == "script")
        loaded: dict[str, object] = json.loads(script)
        return loaded


def check_page(text: str, traced: Trace) -> Page:
    """Check what holds for every page, and return it parsed."""
    page = Page(text)
    assert "http:" not in text and "https:" not in text and "<!--@" not in text.replace(NASTY, "")
    for _, given in page.tags:
        for name in ("src", "href", "action", "data"):
            assert re.match(r"#|data:image/(png|jpeg);base64,|$", given.get(name, "")), given
        assert not any(name.startswith("on") for name in given)
    assert sum("Content-Security-Policy" in given.values() for _, given in page.tags) == 1
    assert page.having("dot") and len(page.having("row")) == len(page.having("panel")) == len(traced.steps)
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    drawn = sorted(int(g["data-object"]) for g in page.having("thing"))
    assert set(drawn) == set(range(len(traced.scene)))
    assert not re.search(r'="[^"]*\b(nan|inf)\b', text)
    return page


def test_page(scene: Scene, right_of_the_blue: Program) -> None:
    traced = trace(right_of_the_blue, scene, "Is a sphere right of the blue thing?")
    page = check_page(traced.to_html(), traced)
    assert page.text_of("h1") == page.title == "Is a sphere right of the blue thing?"
    assert page.text_of("strong") == "yes"
    steps = page.data["steps"]
    assert isinstance(steps, list)
    assert page.data["start"] == 5
    assert [s["got"] for s in steps] == [[0, 1, 2, 3], [1], [1], [2, 3], [3], None]
    assert [s["links"] for s in steps] == [False, False, False, True, False, False]
    assert steps[5]["from"] == [[3]]


def test_a_number_points_at_the_objects_it_came_from(scene: Scene, compares: Program) -> None:
    traced = trace(compares, scene)
    steps = check_page(traced.to_html(), traced).data["steps"]
    assert isinstance(steps, list) and steps[5]["from"] == [[0, 2], [2]]


def test_text_is_escaped(scene: Scene, compares: Program) -> None:
    traced = trace(compares, scene, NASTY)
    text = traced.to_html()
    page = check_page(text, traced)
    assert page.text_of("h1") == page.title == NASTY
    assert len(re.findall("<script", text)) == 2 and len(re.findall("</script", text)) == 2


def test_page_of_a_failing_program(scene: Scene) -> None:
    traced = trace(chain("scene", "filter red", "unique", "query shape"), scene)
    page = check_page(traced.to_html(), traced)
    assert page.data["start"] == 2
    assert "call 2 met 2 objects where one is needed" in page.text_of("em")
    assert [given["data-panel"] for given in page.having("failed") if "data-panel" in given] == ["2"]
    assert str(traced.error) in page.text_of("p") and "call 2 failed before it" in page.text_of("p")


def test_page_of_another_domain_without_coordinates() -> None:
    kitchen = load_domain("kitchen")
    rows = [[1], [], [1], []]
    values = {"fill": "full", "state": "dirty", "color": "orange", "material": "ceramic", "kind": "cup"}
    objects = [values, values | {"kind": "tray"}, values | {"state": "clean"}, values | {"fill": "empty"}]
    kitchen_scene = Scene.of(kitchen, objects, relationships={"on": rows})
    calls = chain("scene", "filter dirty", "relate_any on", "distinct color", domain="kitchen")
    traced = trace(calls, kitchen_scene, "How many colours?")
    page = check_page(traced.to_html(), traced)
    assert "No coordinates" in page.text_of("figcaption")
    assert traced.answer == 1 and "1 (full dirty orange ceramic tray)" in traced.to_text()
    assert not page.having("side") and len(page.having("name")) == 4


def test_degrees_are_drawn(scene: Scene) -> None:
    degrees = [[1, 1, 1, 1], [0.9, 0.1, 0.65, 0.0], None]
    program = chain("scene", "filter red", "count")
    traced = Trace.of_values(program, scene, [(0, 1, 2, 3), (0, 2), 2], degrees=degrees)
    page = check_page(traced.to_html(), traced)
    assert [given["style"] for given in page.having("bar")][4:] == [f"--degree:{d:.4f}" for d in (0.9, 0.1, 0.65, 0.0)]
    assert "0.65" in page.text_of("span") and len(page.having("spark")) == 2
    steps = page.data["steps"]
    assert isinstance(steps, list) and steps[1]["degrees"] == [0.9, 0.1, 0.65, 0.0]
    assert traced.to_json()["steps"][1]["degrees"] == [0.9, 0.1, 0.65, 0.0]
    exact = trace(program, scene)
    assert not check_page(exact.to_html(), exact).having("bar")


@pytest.mark.parametrize("n", [0, 1, 2, 200])
def test_pages_of_small_and_large_scenes(n: int) -> None:
    objects = [thing("small", "red", "metal", "cube", (i * 37 % 101) / 10, (i * 53 % 97) / 10) for i in range(n)]
    crowd = Scene.of("clevr", objects, directions=DIRECTIONS)
    traced = trace(chain("scene", "filter red", "count"), crowd)
    page = check_page(traced.to_html(), traced)
    assert page.text_of("strong") == str(n)
    spots = page.data["spots"]
    assert isinstance(spots, dict) and all(0 < x < 600 and 0 < y < 470 for x, y, _ in spots["plan"])
    assert ("and 176 more" in page.text_of("li")) == (n == 200)


def test_lanes_never_run_through_another_call() -> None:
    for inputs in (
        [(), (0,), (1,), (), (3,), (2, 4)],
        [(), (0,), (1,), (1,), (2, 3), (4, 1)],
        [(), (), (), (0, 1), (2, 3), (4, 0)],
    ):
        lane = lanes(inputs)
        for node, given in enumerate(inputs):
            for i in given:
                assert lane[i] not in lane[i + 1 : node], (inputs, lane)


# --- drawings ----------------------------------------------------------------------------------------------


def test_left_is_left_and_front_is_below(scene: Scene) -> None:
    spots = plan(scene).spots
    assert all(spots)
    xs, ys = [s.x for s in spots if s], [s.y for s in spots if s]
    assert xs == sorted(xs)
    assert ys[3] < ys[0] < ys[1] < ys[2]
    assert spots[0] is not None and spots[1] is not None and spots[0].radius > spots[1].radius
    turned = Scene.of(
        "clevr",
        [thing("small", "red", "metal", "cube", 0, 0), thing("small", "red", "metal", "cube", 0, 5)],
        directions={"left": [0.0, -1.0, 0.0], "behind": [-1.0, 0.0, 0.0]},
    )
    a, b = plan(turned).spots
    assert a is not None and b is not None and a.x < b.x and a.y == b.y


def test_looks_come_from_words() -> None:
    assert appearance(["large", "red", "metal", "cube"]).form == "block"
    assert appearance(["tiny", "teal", "steel", "thing"]) == appearance(["teal", "tiny", "chrome"])
    assert appearance(["teal"]).colour == "teal" and appearance(["clean", "cup"]).form is None
    assert appearance([""]).size == 1.0


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02\0\0\0"


def jpeg(width: int, height: int) -> bytes:
    app0 = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + bytes(9)
    return b"\xff\xd8" + app0 + b"\xff\xc0" + struct.pack(">HBHH", 17, 8, height, width) + bytes(10)


@pytest.mark.parametrize(("make", "kind"), [(png, "png"), (jpeg, "jpeg")])
def test_image_is_part_of_the_page(
    scene: Scene, compares: Program, tmp_path: Path, make: Callable[[int, int], bytes], kind: str
) -> None:
    path = tmp_path / "picture.dat"  # the format is read from the bytes, not from the name
    path.write_bytes(make(480, 320))
    traced = trace(compares, scene)
    page = check_page(traced.to_html(path), traced)
    images = [given for tag, given in page.tags if tag == "image"]
    assert [(i["width"], i["height"]) for i in images] == [("480", "320")]
    assert images[0]["href"].startswith(f"data:image/{kind};base64,")
    spots = page.data["spots"]
    assert isinstance(spots, dict) and spots["picture"][2][:2] == [180.0, 100.0]
    assert len(page.having("thing")) == 2 * len(scene)


def test_boxes_and_unknown_places(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(100, 100))
    values = {"size": "small", "color": "red", "material": "metal", "shape": "cube"}
    drawing = picture(Scene.of("clevr", [values | {"bbox": [10, 20, 30, 60]}, values]), path)
    assert drawing.spots[0] is not None and (drawing.spots[0].x, drawing.spots[0].y) == (20, 40)
    assert drawing.spots[1] is None and "where 1 of the objects are is not known" in drawing.note
    assert 'x="10" y="20" width="20" height="40"' in drawing.svg


@pytest.mark.parametrize(
    ("data", "match"),
    [(b"GIF89a", "not an image; PNG, JPEG"), (b"", "not an image"), (b"\xff\xd8\xff\xd9", "without a frame")],
)
def test_other_images_are_refused(scene: Scene, tmp_path: Path, data: bytes, match: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=match):
        picture(scene, path)
    with pytest.raises(DataError, match="cannot read the image"):
        picture(scene, tmp_path / "absent.png")


# --- in a browser ------------------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize(("place", "step"), [("#step=3", 3), ("", 5), ("#step=99", 5), ("#step=x", 5)])
def test_the_script_runs_and_opens_at_the_step_of_the_hash(
    scene: Scene, right_of_the_blue: Program, tmp_path: Path, place: str, step: int
) -> None:
    path = tmp_path / "trace.html"
    path.write_text(trace(right_of_the_blue, scene, NASTY).to_html(), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    options += ["--disable-background-networking", "--disable-component-update"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    command = [str(CHROMIUM), *options, path.as_uri() + place]
    done = subprocess.run(
        command, capture_output=True, timeout=120, check=True, env=os.environ | {"HOME": str(tmp_path)}
    )
    dom = Page(done.stdout.decode("utf-8"))
    root = next(given for tag, given in dom.tags if tag == "html")
    # The step is written last, so it is there only when everything before it ran.
    assert root.get("class") == "js" and root.get("data-step") == str(step)
    shown = [given["data-panel"] for given in dom.having("now") if "data-panel" in given]
    assert shown == [str(step)]
    assert [given["data-step"] for _, given in dom.tags if given.get("aria-current") == "step"] == [str(step)]
    things = {given["data-object"]: given["class"].split() for given in dom.having("thing")}
    if step == 3:
        assert {i for i, css in things.items() if "in-got" in css} == {"2", "3"}
        assert {i for i, css in things.items() if "in-a" in css} == {"1"} and "dim" in things["0"]
        assert sum(given.get("marker-end") == "url(#arrow)" for _, given in dom.tags) == 2
    else:
        assert {i for i, css in things.items() if "in-a" in css} == {"3"}
