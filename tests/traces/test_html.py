"""Pictures on the page of a trace: masks, boxes and rings, the objects of each call, and image files of all kinds."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nsreason.errors import DataError
from nsreason.executors import trace
from nsreason.io.embedded_images import SCREEN, embedded
from nsreason.io.images import read_rgb
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
from nsreason.traces.focus import focus
from nsreason.traces.image_overlay import picture, regions
from nsreason.traces.png_panel import ON_PHOTO
from nsreason.traces.trace import Trace
from tests.support.browser import CHROMIUM, browse
from tests.support.stylesheets import contrast, over, rgb, style, themes

WIDE, HIGH = 120, 80
SIDES = {"right": [[], [0], [0, 1], [0, 1, 2]]}  # per object, those that are right of it


def rle(left: int, top: int, right: int, bottom: int, wide: int = WIDE, high: int = HIGH) -> dict[str, Any]:
    """A box as a mask, in COCO's uncompressed encoding."""
    mask = np.zeros((high, wide), dtype=bool)
    mask[top:bottom, left:right] = True
    column = mask.T.reshape(-1)
    ends = np.flatnonzero(np.diff(column.astype(int), prepend=0)).tolist()
    return {"size": [high, wide], "counts": np.diff([0, *ends, column.size]).tolist()}


def thing(k: int, color: str, **more: object) -> dict[str, object]:
    values = {"size": "small", "color": color, "material": "metal", "shape": "cube"}
    return values | {"bbox": [10 + 30 * k, 20, 30 + 30 * k, 60]} | more


COLOURS = ("red", "blue", "red", "green")


@pytest.fixture
def masked() -> Scene:
    """Four objects from left to right; the last has a box only."""
    objects = [
        thing(k, color, mask=rle(10 + 30 * k, 20, 30 + 30 * k, 60), score=0.9 - k / 10)
        for k, color in enumerate(COLOURS[:3])
    ]
    return Scene.of("clevr", [*objects, thing(3, "green")], relationships=SIDES)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (WIDE, HIGH), "#808080").save(path)
    return path


def chain(*calls: str) -> Program:
    parts = [call.split() for call in calls]
    return Program([Call(op, tuple(lits), (i - 1,) if i else ()) for i, (op, *lits) in enumerate(parts)], "clevr")


class Dom(HTMLParser):
    """The tags of a page, with the texts right inside them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data

    def having(self, css: str) -> list[tuple[dict[str, str], str]]:
        both = zip(self.tags, self.texts, strict=True)
        return [(given, text) for (_, given), text in both if css in given.get("class", "").split()]


def data_of(page: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert match
    loaded: dict[str, Any] = json.loads(match[1])
    return loaded


def marked(page: str) -> dict[int, set[str]]:
    """How the objects of the picture are marked before any script runs."""
    svg = page[page.index('<figure class="view picture">') : page.index("<figcaption>")]
    return {int(g["data-object"]): set(g["class"].split()) - {"thing"} for g, _ in Dom(svg).having("thing")}


# --- outlines on the picture --------------------------------------------------------------------------------


def test_masks_before_boxes_before_rings(masked: Scene, photo: Path) -> None:
    outlined, remarks = regions(masked, WIDE, HIGH)
    assert [region.kind for region in outlined if region] == ["mask", "mask", "mask", "box"] and not remarks
    svg = picture(masked, photo).svg
    assert len(re.findall(r'<path fill-rule="evenodd" clip-rule="evenodd" d="M[^"]*z" id="outline-[012]"', svg)) == 3
    assert '<rect x="100" y="20" width="20" height="40" id="outline-3" class="outline"/>' in svg
    assert all(f'clip-path="url(#clip-{i})"' in svg for i in range(4))
    assert svg.count("data:image/png;base64,") == 1  # the picture is there once, and used where it is lit


def test_masks_of_another_size_are_fitted(photo: Path) -> None:
    small = Scene.of("clevr", [thing(0, "red", mask=rle(5, 10, 15, 30, WIDE // 2, HIGH // 2))])
    (region,), remarks = regions(small, WIDE, HIGH)
    assert region is not None and region.outline is not None and not remarks
    assert region.spot.x == pytest.approx(20, abs=1) and region.spot.y == pytest.approx(40, abs=1)
    xs = region.outline.rings[0][:, 0]
    assert xs.min() == pytest.approx(10, abs=1.5) and xs.max() == pytest.approx(30, abs=1.5)


@pytest.mark.parametrize("counts", ["nonsense", [1, 2], "", 7])
def test_a_damaged_mask_costs_its_outline_only(masked: Scene, photo: Path, counts: object) -> None:
    record = masked.to_dict()
    record["objects"][1]["mask"]["counts"] = counts
    drawing = picture(Scene.from_dict(record, "clevr"), photo)
    assert "the mask of object 1 cannot be drawn" in drawing.note
    assert '<rect x="40" y="20" width="20" height="40" id="outline-1"' in drawing.svg
    assert drawing.spots[1] is not None and drawing.svg.count("<path fill-rule") == 2


def test_outlines_keep_pages_small(photo: Path) -> None:
    rows, columns = np.mgrid[:320, :480]
    objects = []
    for k in range(10):
        waves = 9 * np.sin(np.arctan2(rows - 160, columns) * 9)
        mask = np.hypot(rows - 160 + 12 * k, columns - 40 * (k + 1)) < 36 + waves
        ends = np.flatnonzero(np.diff(mask.T.reshape(-1).astype(int), prepend=0)).tolist()
        counts = np.diff([0, *ends, mask.size]).tolist()
        objects.append(thing(0, "red", mask={"size": [320, 480], "counts": counts}))
    with_masks = len(picture(Scene.of("clevr", objects), photo).svg)
    plain = len(picture(Scene.of("clevr", [thing(0, "red")] * 10), photo).svg)
    assert with_masks - plain < 20_000


def test_scores_are_shown(masked: Scene, photo: Path) -> None:
    page = trace(chain("scene", "filter red"), masked).to_html(photo)
    dom = Dom(page)
    assert [text for _, text in dom.having("score")] == ["0.90", "0.80", "0.70"]
    assert "<title>2: small red metal cube, detected 0.70</title>" in page
    assert page.count("<small>detected 0.70</small>") == 2  # among the scene's and among the red ones
    assert "<title>3: small green metal cube</title>" in page


def test_the_plan_stands_beside_the_picture_where_it_says_more(masked: Scene, photo: Path) -> None:
    program = chain("scene", "count")
    assert list(data_of(trace(program, masked).to_html(photo))["spots"]) == ["picture"]
    record = masked.to_dict()
    for k, o in enumerate(record["objects"]):
        o["3d_coords"] = [k, 0, 0]
    placed = Scene.from_dict(record, "clevr")
    assert list(data_of(trace(program, placed).to_html(photo))["spots"]) == ["picture", "plan"]
    del record["objects"][3]["bbox"], record["objects"][3]["3d_coords"]
    unseen = trace(program, Scene.from_dict(record, "clevr")).to_html(photo)
    assert list(data_of(unseen)["spots"]) == ["picture", "plan"] and "where 1 of the objects are is not known" in unseen


# --- what each call is about --------------------------------------------------------------------------------


def test_each_call_says_what_it_is_about(masked: Scene, photo: Path) -> None:
    traced = trace(chain("scene", "filter blue", "unique", "relate right", "filter red", "count"), masked)
    steps = data_of(traced.to_html(photo))["steps"]
    assert [s["got"] for s in steps] == [[0, 1, 2, 3], [1], [1], [0], [0], None]
    assert [s["shade"] for s in steps[3:]] == [[1, 0, 0, 0]] * 3
    assert [s["links"] for s in steps] == [False, False, False, True, False, False]
    assert [s["says"] for s in steps] == [None] * 5 + ["1"] and steps[5]["near"] is None
    asked = data_of(trace(chain("scene", "filter blue", "unique", "query shape"), masked).to_html(photo))["steps"]
    assert asked[3]["says"] == "cube" and asked[3]["near"] == 1 and asked[3]["from"] == [[1]]


def test_the_page_says_its_last_call_without_a_script(masked: Scene, photo: Path) -> None:
    page = trace(chain("scene", "filter red", "count"), masked).to_html(photo)
    assert marked(page) == {0: {"in-a"}, 1: {"dim"}, 2: {"in-a"}, 3: {"dim"}}
    assert 'class="picture veiled single"' in page and 'data-panel="2"' in page
    assert [g["data-panel"] for g, _ in Dom(page).having("now")] == ["2"]
    (says,) = re.findall(r'<p class="says done" aria-hidden="true">(.*?)</p>', page)
    assert says == '<span class="op">count</span> <b>2</b>'


def test_too_many_objects_are_outlined(masked: Scene, photo: Path) -> None:
    traced = trace(chain("scene", "filter red", "unique", "query shape"), masked)
    page = traced.to_html(photo)
    steps = data_of(page)["steps"]
    assert [s["bad"] for s in steps] == [[], [], [0, 2], []] and steps[2]["says"] == "met 2 objects"
    assert {i for i, css in marked(page).items() if "in-bad" in css} == {0, 2}
    assert steps[3]["shade"] == [0, 0, 0, 0] and steps[3]["from"] == [[]]  # nothing of what was not reached
    nothing = trace(chain("scene", "filter cyan", "unique"), masked)
    assert data_of(nothing.to_html(photo))["steps"][2]["says"] == "met no object"


def test_degrees_shade_what_they_belong_to(masked: Scene, photo: Path) -> None:
    degrees: list[list[float] | None] = [[1, 1, 1, 1], [0.9, 0.1, 0.65, 0.0], None]
    traced = Trace.of_values(chain("scene", "filter red", "count"), masked, [(0, 1, 2, 3), (0, 2), 2], degrees=degrees)
    steps = data_of(traced.to_html(photo))["steps"]
    assert steps[1]["shade"] == steps[2]["shade"] == [0.9, 0.1, 0.65, 0.0]  # a count's are those of what it counted
    assert steps[2]["degrees"] is None
    assert "--shade:0.650" in traced.to_html(photo)


def test_a_number_that_is_written_down_is_about_nothing(masked: Scene) -> None:
    traced = trace(Program([Call("number", ("3",))], "clevr"), masked)
    about = focus(traced, traced.steps[0])
    assert about.quiet and about.says == "3" and all(about.classes(i) == [] for i in range(4))


# --- image files --------------------------------------------------------------------------------------------


def test_transparent_images_stand_on_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGBA", (6, 4), (255, 0, 0, 0)).save(path)
    assert read_rgb(path).getpixel((2, 2)) == (255, 255, 255)
    Image.new("RGBA", (6, 4), (200, 0, 0, 255)).save(path)
    assert read_rgb(path).getpixel((2, 2)) == (200, 0, 0)
    assert embedded(path).href.startswith("data:image/png;base64,")  # the browser shows it as it is, on white
    assert '<rect class="paper" width="6" height="4"/>' in picture(Scene.of("clevr", []), path).svg


def test_sixteen_bits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((4, 6), 40_000, dtype=np.uint16)).save(path)
    assert read_rgb(path).getpixel((2, 2)) == (156, 156, 156)


def test_a_turned_photograph_is_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    Image.new("RGB", (40, 20), "red").save(path, exif=exif)
    assert (embedded(path).width, embedded(path).height) == (20, 40) and read_rgb(path).size == (20, 40)


@pytest.mark.parametrize("ending", ["webp", "bmp"])
def test_other_formats_become_part_of_the_page(masked: Scene, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (WIDE, HIGH), "#405060").save(path)
    photograph = embedded(path)
    assert photograph.href.startswith("data:image/jpeg;base64,") and (photograph.width, photograph.height) == (
        WIDE,
        HIGH,
    )


def test_heavy_photographs_are_made_lighter(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 255, (900, 2000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    photograph = embedded(path)
    assert (photograph.width, photograph.height) == (2000, 900)  # coordinates are the file's
    assert len(photograph.href) < path.stat().st_size / 2 and SCREEN == 1600


def test_damaged_images_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (50, 50), "red").save(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"a\.png: cannot be read as an image"):
        read_rgb(path)
    path.write_bytes(b"RIFF1234WEBPxxxx")
    with pytest.raises(DataError, match=r"a\.png"):
        embedded(path)


# --- in a browser -------------------------------------------------------------------------------------------


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.slow
def test_the_light_falls_on_what_a_call_gave(masked: Scene, photo: Path, tmp_path: Path) -> None:
    """The browser paints the red objects in full light and darkens the others."""
    page = trace(chain("scene", "filter red", "count"), masked).to_html(photo)
    # The picture alone, as large as the window; nothing moves while it is taken.
    alone = "* { transition: none !important; } .view.picture { position: fixed; inset: 0; z-index: 9; }"
    alone += " .view.picture .says { display: none; }"
    page = page.replace("</style>", f"{alone}</style>")
    shot = tmp_path / "shot.png"
    browse(page, "#step=1", tmp_path, "--window-size=600,700", f"--screenshot={shot}")
    pixels = read_rgb(shot)

    def grey(x: float, y: float) -> float:
        return float(np.asarray(pixels)[round(y * 600 / WIDE), round(x * 600 / WIDE)].mean())

    red, blue, ground = grey(15, 27), grey(45, 27), grey(5, 70)
    assert red > 110 and red > blue + 25 > ground + 20
    assert grey(75, 27) == pytest.approx(red, abs=6)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.slow
@pytest.mark.parametrize(("step", "says"), [(2, ("cube", False)), (1, ("", True))])
def test_the_script_says_what_a_call_gave(
    masked: Scene, photo: Path, tmp_path: Path, step: int, says: tuple[str, bool]
) -> None:
    traced = trace(chain("scene", "filter blue", "unique", "query shape"), masked)
    page = browse(traced.to_html(photo), f"#step={step + 1}", tmp_path, "--dump-dom").decode()
    ((given, _),) = Dom(page).having("says")
    assert given["class"].split()[0] == "says" and ("hidden" in given) == says[1]
    assert f"<b>{says[0]}</b>" in page
    things = marked(page)
    assert things[1] == ({"in-a"} if step == 2 else {"in-a", "in-got"}) and things[0] == {"dim"}


MEASURE = """<script>addEventListener("load", () => {
  const rects = query => [...document.querySelectorAll(query)].map(e => e.getBoundingClientRect()).filter(r => r.width);
  const says = rects(".says:not([hidden])"), labels = rects(".views .index, .views .score, .views .side, .views .name");
  const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const covered = labels.filter(label => says.some(one => meets(one, label))).length;
  const least = Math.min(...rects(".plan .index").map(r => r.height));
  const wide = (rects(".view.plan svg")[0] || {}).width / (rects(".view.picture svg")[0] || {}).width;
  document.title = `says ${says.length} labels ${labels.length} covered ${covered} plan ${least.toFixed(1)} of ${wide}`;
});</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 900, 480])
def test_what_is_said_covers_no_label_and_the_plan_can_be_read(photo: Path, tmp_path: Path, width: int) -> None:
    """Objects along every edge of the picture, so that there is no corner where nothing stands."""
    places = [(x, y) for x in (2, 40, 80) for y in (2, 30, 60)]
    objects = [
        {"size": "small", "color": "blue" if k == 4 else "red", "material": "metal", "shape": "cube"}
        | {"bbox": [x, y, x + 16, y + 16], "3d_coords": [x, y, 0], "score": 0.9}
        for k, (x, y) in enumerate(places)
    ]
    directions = {"left": [-1, 0, 0], "right": [1, 0, 0], "front": [0, -1, 0], "behind": [0, 1, 0]}
    scene = Scene.of("clevr", objects, directions=directions)
    traced = trace(chain("scene", "filter blue", "unique", "query shape"), scene)
    for image in (photo, None):
        page = traced.to_html(image).replace("</body>", f"{MEASURE}</body>")
        dumped = browse(page, "#step=3", tmp_path, f"--window-size={width},1200", "--dump-dom").decode()
        title = re.search(r"<title>says (\d) labels (\d+) covered (\d+) plan ([\d.]+) of (\S+)</title>", dumped)
        assert title is not None and int(title[1]) == 1 and int(title[2]) >= 9 and int(title[3]) == 0
        assert float(title[4]) >= 9  # pixels: as high as small print
        assert image is None or float(title[5]) == pytest.approx(1, abs=0.02)


# --- contrast -----------------------------------------------------------------------------------------------


def number(pattern: str) -> float:
    """Return the one number that follows a pattern in the style sheet."""
    sheet = style("trace.css")
    (value,) = re.findall(pattern + r"([\d.]+)", sheet)
    return float(value)


def test_what_a_call_is_not_about_can_be_told_from_its_ground() -> None:
    """A ratio of 3:1 (WCAG 2, graphics) for outlines and 4.5:1 for numbers, by day, by night, and on any photograph."""
    for colours in themes():
        assert contrast(colours["soft"], colours["floor"]) >= 3  # a pale solid's edge on the plan
        assert contrast(colours["ink"], colours["floor"]) >= 4.5  # its number, which has a rim of the floor's colour
        for name in ("mark", "a", "b", "bad"):
            assert contrast(colours[name], colours["floor"]) >= 3
    sheet = style("trace.css")
    assert f"--got: {ON_PHOTO.got}; --from-a: {ON_PHOTO.a}; --from-b: {ON_PHOTO.b};" in sheet
    white, veil, rim = rgb("#ffffff"), rgb("#0a0f14"), rgb("#000000")
    dark = number(r"\.veiled \.veil \{ opacity: ")
    lit, line = number(r"\.veiled \.lit \{ opacity: calc\("), number(r"\.veiled \.mark \{ stroke-opacity: calc\(")
    text = number(r"\.picture\.veiled \.score \{ fill-opacity: calc\(")
    for photo in ("#000000", "#808080", "#ffffff"):
        ground = over(veil, rgb(photo), dark)
        assert contrast(over(white, ground, line), ground) >= 3
        inside = over(rgb(photo), ground, lit)
        assert contrast(over(white, inside, text), over(rim, inside, 0.7)) >= 4.5
        for ink in (ON_PHOTO.got, ON_PHOTO.a, ON_PHOTO.b):  # the outlines of what a call gave and was given
            assert contrast(rgb(ink), ground) >= 3


def test_what_a_call_gave_is_said_above_the_drawing_and_not_over_it(masked: Scene, photo: Path) -> None:
    page = trace(chain("scene", "filter blue", "unique", "query shape"), masked).to_html(photo)
    assert re.search(r'<div class="frame"><p class="says done"[^>]*>.*?</p><svg', page)
    sheet = page[page.index("<style>") : page.index("</style>")]
    for rule in re.findall(r"\.says[^{]*\{([^}]*)\}", sheet):
        assert "absolute" not in rule and "fixed" not in rule
    assert ".view.plan { max-width" not in sheet
