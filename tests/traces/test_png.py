"""A trace as one picture: lit and outlined objects, the place of each panel, and the option --png."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from nsreason.cli.app import app
from nsreason.dsl.domain import load_domain
from nsreason.errors import DataError
from nsreason.executors import trace
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
from nsreason.traces.focus import focus
from nsreason.traces.png import GAP, MARGIN, PANEL, _things, columns_for, fitted
from nsreason.traces.png_panel import (
    FLOOR,
    ON_PHOTO,
    ON_PLAN,
    REST,
    VEIL,
    Ground,
    font,
    free_place,
    on_photo,
    on_plan,
    panel,
)
from nsreason.traces.trace import Trace
from tests.support.stylesheets import contrast, over, rgb

DIRECTIONS = {"left": [-1, 0, 0], "right": [1, 0, 0], "front": [0, -1, 0], "behind": [0, 1, 0]}
RED = ("red", "blue", "red", "green")


def thing(k: int, color: str) -> dict[str, object]:
    values = {"size": "small", "color": color, "material": "metal", "shape": "cube"}
    return values | {"bbox": [20 + 100 * k, 60, 80 + 100 * k, 140], "3d_coords": [k, k % 2, 0]}


@pytest.fixture
def scene() -> Scene:
    return Scene.of("clevr", [thing(k, color) for k, color in enumerate(RED)], directions=DIRECTIONS)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGBA", (400, 200), (140, 140, 140, 255)).save(path)
    return path


def chain(*calls: str, domain: str = "clevr") -> Program:
    parts = [call.split() for call in calls]
    return Program([Call(op, tuple(lits), (i - 1,) if i else ()) for i, (op, *lits) in enumerate(parts)], domain)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "PNG" and image.mode == "RGB"
    return image


def drawn(ground: Ground, traced: Trace, node: int) -> NDArray[np.uint8]:
    """(H, W, 3), a panel."""
    return np.asarray(panel(ground, focus(traced, traced.steps[node])))


def pixels_of(image: NDArray[np.uint8], colour: str) -> int:
    return int((image == [int(colour[k : k + 2], 16) for k in (1, 3, 5)]).all(-1).sum())


def light(image: NDArray[np.uint8], k: int) -> float:
    """How light the k-th object is, beside its number."""
    return float(image[122:134, 30 + 100 * k : 70 + 100 * k].mean())


# --- a panel ------------------------------------------------------------------------------------------------


def test_what_a_call_gave_is_lit_and_its_input_half(scene: Scene, photo: Path) -> None:
    traced = trace(chain("scene", "filter red", "filter metal", "count"), scene)
    ground = on_photo(scene, photo, 400)
    narrowed = drawn(ground, traced, 1)
    assert light(narrowed, 0) == light(narrowed, 2) == pytest.approx(140, abs=8)
    assert light(narrowed, 1) == light(narrowed, 3) < 110  # inputs that were not taken
    assert narrowed[180:].mean() < light(narrowed, 1) - 20  # what no call is about
    assert light(drawn(ground, traced, 2), 1) < light(narrowed, 1) - 20  # no longer an input
    counted = drawn(ground, traced, 3)
    assert pixels_of(counted, ON_PHOTO.got) == 0 and pixels_of(counted, ON_PHOTO.a) > 100
    assert (counted[10:40, 12:28] > 200).all(-1).mean() > 0.5  # the number stands in the corner


def test_outlines_are_solid_for_results_and_dashed_for_inputs(scene: Scene, photo: Path) -> None:
    traced = trace(chain("scene", "filter blue", "unique", "relate right"), scene)
    related = drawn(on_photo(scene, photo, 400), traced, 3)
    solid = (related[59:61, 230:270] == list(bytes.fromhex(ON_PHOTO.got[1:]))).all(-1).any(0)
    dashed = (related[59:61, 125:175] == list(bytes.fromhex(ON_PHOTO.a[1:]))).all(-1).any(0)
    assert solid.all() and 0.4 < dashed.mean() < 0.9
    between = related[85:115, 185:215]
    assert pixels_of(between, ON_PHOTO.got) > 3  # an arrow from the blue one to the red one
    without = drawn(on_photo(scene, photo, 400), trace(chain("scene", "filter red"), scene), 1)
    assert pixels_of(without[85:115, 185:215], ON_PHOTO.got) == 0


def test_objects_where_one_is_needed_are_outlined(scene: Scene, photo: Path) -> None:
    traced = trace(chain("scene", "filter red", "unique", "query shape"), scene)
    ground = on_photo(scene, photo, 400)
    failed, unreached = drawn(ground, traced, 2), drawn(ground, traced, 3)
    assert pixels_of(failed[:, :90], ON_PHOTO.bad) > 100 and pixels_of(failed[:, 110:190], ON_PHOTO.bad) == 0
    assert not any(pixels_of(unreached, colour) for colour in (ON_PHOTO.bad, ON_PHOTO.got, ON_PHOTO.a))


def test_degrees_are_light(scene: Scene, photo: Path) -> None:
    degrees: list[list[float] | None] = [[1, 1, 1, 1], [0.9, 0.1, 0.55, 0.0], None]
    traced = Trace.of_values(chain("scene", "filter red", "count"), scene, [(0, 1, 2, 3), (0, 2), 2], degrees=degrees)
    ground = on_photo(scene, photo, 400)
    lights = [light(drawn(ground, traced, 1), k) for k in range(4)]
    assert lights[0] > lights[2] + 10 > lights[1] + 30 and lights[1] >= lights[3]


def test_holes_stay_dark(photo: Path) -> None:
    mask = np.zeros((200, 400), dtype=bool)
    mask[40:160, 100:300] = True
    mask[70:130, 150:250] = False
    ends = np.flatnonzero(np.diff(mask.T.reshape(-1).astype(int), prepend=0)).tolist()
    rle = {"size": [200, 400], "counts": np.diff([0, *ends, mask.size]).tolist()}
    ring = Scene.of("clevr", [thing(0, "red") | {"mask": rle}])
    traced = trace(chain("scene"), ring)
    image = drawn(on_photo(ring, photo, 400), traced, 0)
    assert image[45:60, 210:290].mean() > image[80:120, 210:240].mean() + 40


def test_a_photograph_is_fitted(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "tall.jpg"
    Image.new("RGB", (100, 400), "#888").save(path)
    ground = on_photo(scene, path, 400)
    assert ground.full.size == (125, 500)  # no higher than the width and a quarter
    spot = ground.spots[0]
    assert spot is not None and (spot.x, spot.y) == (50 * 1.25, 100 * 1.25)


def test_the_plan_is_drawn_where_there_is_no_image(scene: Scene) -> None:
    ground = on_plan(scene, 400)
    assert ground.full.size == (400, 313) and not ground.remarks
    traced = trace(chain("scene", "filter red"), scene)
    image = drawn(ground, traced, 1)
    left, other = ground.spots[0], ground.spots[1]
    assert left is not None and other is not None and left.x < other.x
    around = image[:, : round((left.x + other.x) / 2)]
    assert pixels_of(around, ON_PLAN.got) > 50
    assert pixels_of(np.asarray(ground.full), "#c4302b") > 300 and pixels_of(image, "#2f55c8") == 0  # blue is dimmed


# --- the strip ----------------------------------------------------------------------------------------------


def test_a_panel_per_call_and_the_answer_at_the_end(scene: Scene, photo: Path) -> None:
    question = "How many red things are right of the blue thing?"
    traced = trace(chain("scene", "filter blue", "unique", "relate right", "filter red", "count"), scene, question)
    image = opened(traced.to_png(photo))
    assert image.width == 2 * MARGIN + 3 * PANEL + 2 * GAP
    assert image.info["Title"] == question and image.info["Description"].endswith(": 1")
    pixels = np.asarray(image)
    dark = (pixels.astype(int).sum(-1) < 250).reshape(*pixels.shape[:2])
    # Six dark pictures: three columns, two rows.
    edges = np.diff(dark[:, MARGIN + 5 : MARGIN + 15].all(1).astype(int), prepend=0)
    tops, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    rows = [(int(a), int(b - a)) for a, b in zip(tops, ends, strict=True) if b - a > 30]  # no bars of letters
    assert [high for _, high in rows] == pytest.approx([200, 200], abs=6)  # corners are round
    tall = rows[0][0]
    down = dark[tall + 20 : tall + 50].all(0)
    assert int((np.diff(down.astype(int)) == 1).sum()) == 3
    teal = (pixels == [0x0B, 0x6B, 0x62]).all(-1)
    assert teal[-90:, MARGIN : MARGIN + 60].any()  # the answer


def test_degrees_are_bars(scene: Scene, photo: Path) -> None:
    def bars(degree: float) -> Counter[tuple[int, ...]]:
        degrees: list[list[float] | None] = [[1, 1, 1, 1], [degree, 0.0, 0.0, 0.0]]
        traced = Trace.of_values(chain("scene", "filter red"), scene, [(0, 1, 2, 3), (0,)], degrees=degrees)
        pixels = np.asarray(opened(traced.to_png(photo))).reshape(-1, 3)
        return Counter(map(tuple, pixels[(pixels == [0x0B, 0x6B, 0x62]).all(1)].tolist()))

    few, many = bars(0.2).total(), bars(0.8).total()
    assert many - few == pytest.approx(0.6 * 58 * 25, rel=0.15)
    exact = trace(chain("scene", "filter red"), scene)
    soft = Trace.of_values(exact.program, scene, [(0, 1, 2, 3), (0,)], degrees=[[1] * 4, [1, 0, 0, 0]])
    assert opened(soft.to_png(photo)).height > opened(exact.to_png(photo)).height + 50


def test_strips_of_any_domain_and_size() -> None:
    kitchen = load_domain("kitchen")
    values = {"fill": "full", "state": "dirty", "color": "orange", "material": "ceramic", "kind": "cup"}
    shelf = Scene.of(kitchen, [values, values | {"kind": "tray"}], relationships={"on": [[1], []]})
    traced = trace(chain("scene", "filter dirty", "relate_any on", "distinct color", domain="kitchen"), shelf)
    assert opened(traced.to_png()).width == 2 * MARGIN + 4 * PANEL + 3 * GAP
    for n in (0, 1, 150):
        objects = [thing(k % 4, "red") | {"3d_coords": [k % 13, k // 13, 0]} for k in range(n)]
        crowd = Scene.of("clevr", objects, directions=DIRECTIONS)
        program = chain("scene", "filter red")
        degrees = [[0.5] * n] * 2
        opened(Trace.of_values(program, crowd, [tuple(range(n))] * 2, degrees=degrees).to_png())
        opened(trace(program, crowd, "word " * 400).to_png())


def test_long_programs_go_on_in_rows(scene: Scene) -> None:
    deep = trace(chain("scene", *["filter red"] * 22, "count"), scene)
    image = opened(deep.to_png())
    assert image.width == 2 * MARGIN + 4 * PANEL + 3 * GAP and image.height > 6 * 313
    assert [columns_for(n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12)] == [1, 2, 3, 4, 3, 3, 4, 4, 3, 4, 4]
    with pytest.raises(DataError, match="no more than 200 calls, the program has 302; the page shows them all"):
        trace(chain("scene", *["filter red"] * 300, "count"), scene).to_png()


def test_text_fits() -> None:
    face = font(15)
    for text in ("How many red things are there?", "count(" + "filter[red](" * 30, "x", ""):
        for most in (1, 2, 9):
            lines = fitted(text, face, 160, most)
            assert 1 <= len(lines) <= most and all(face.getlength(line) <= 160 for line in lines)
    assert fitted("How many red things are there?", face, 1000, 1) == ["How many red things are there?"]
    assert fitted("How many red things are there in it?", face, 120, 1)[0].endswith(" ...")


def test_the_same_trace_is_the_same_file(scene: Scene, photo: Path) -> None:
    traced = trace(chain("scene", "filter red", "count"), scene, "How many red things?")
    assert traced.to_png(photo) == traced.to_png(photo)


def test_bad_images_are_refused(scene: Scene, tmp_path: Path) -> None:
    traced = trace(chain("scene", "count"), scene)
    with pytest.raises(DataError, match="no such file"):
        traced.to_png(tmp_path / "absent.png")
    (tmp_path / "a.png").write_bytes(b"text")
    with pytest.raises(DataError, match="not an image; PNG, JPEG"):
        traced.to_png(tmp_path / "a.png")


# --- the command --------------------------------------------------------------------------------------------


def run(*args: str) -> Result:
    return CliRunner().invoke(app, list(args), env={"COLUMNS": "100"})


@pytest.fixture
def scene_file(scene: Scene, tmp_path: Path) -> str:
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(scene.to_dict()), encoding="utf-8")
    return str(path)


def test_the_command_writes_the_picture(scene_file: str, photo: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "strip.png", tmp_path / "page.html"
    asked = ("ask", "How many red cubes are there?", "--scene", scene_file)
    result = run(*asked, "--png", str(out), "--html", str(page), "--image-file", str(photo))
    assert result.exit_code == 0 and result.stderr == f"wrote {page}\nwrote {out}\n" and page.is_file()
    assert opened(out.read_bytes()).info["Title"] == "How many red cubes are there?"
    plan = tmp_path / "plan.png"
    record = json.loads(run("execute", "unique(scene())", "--scene", scene_file, "--png", str(plan), "--json").stdout)
    assert record["png"] == str(plan) and record["error"]["kind"] == "NotUnique" and opened(plan.read_bytes())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--png", "-"], "--png takes the name of a file"),
        (["--png", "OUT", "--html", "OUT"], "give them a file each"),
        (["--png", "OUT", "--image-file", "SCENE"], "not an image; PNG, JPEG"),
        (["--png", "NOWHERE"], "there is no folder"),
        (["Is there a cube?", "--png", "OUT"], "--png writes the picture of one answer, and 2 are asked for"),
    ],
)
def test_what_cannot_be_written_is_said(scene_file: str, tmp_path: Path, options: list[str], match: str) -> None:
    names = {"OUT": str(tmp_path / "out.png"), "SCENE": scene_file, "NOWHERE": str(tmp_path / "no" / "out.png")}
    result = run("ask", "How many red cubes are there?", "--scene", scene_file, *(names.get(o, o) for o in options))
    assert result.exit_code == 2 and match in result.stderr.replace("\n", " ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scene.json"]  # nothing half written is left


# --- what must be readable ----------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [True, False], ids=["photo", "plan"])
def test_what_a_panel_says_covers_no_number(image: bool, photo: Path) -> None:
    """Where an answer's pill stands, for many scenes, and small and large words."""
    rng = Random(4)
    for _ in range(25):
        n = rng.randint(1, 12)
        objects = []
        for _ in range(n):
            x, y, r = rng.uniform(0, 380), rng.uniform(0, 180), rng.uniform(4, 60)
            values = {"size": "small", "color": "red", "material": "metal", "shape": "cube"}
            objects.append(values | {"bbox": [x, y, x + r, y + r], "3d_coords": [x, y, 0]})
        crowd = Scene.of("clevr", objects, directions=DIRECTIONS)
        ground = on_photo(crowd, photo, 400) if image else on_plan(crowd, 400)
        for wide in (40.0, 90.0, 220.0):
            for near in (None, rng.randrange(n)):
                place = free_place((wide, 30.0), ground.full.size, ground, near)
                if place is None:
                    continue
                x, y = place
                assert x >= 0 and y >= 0 and x + wide <= ground.full.width and y + 30 <= ground.full.height
                for i, (spot, size) in enumerate(zip(ground.spots, ground.labels, strict=True)):
                    if spot is not None and size:
                        across = font(size).getlength(str(i)) / 2
                        middle = spot.y if spot.radius >= 7 else spot.y - spot.radius - 8
                        apart = abs(x + wide / 2 - spot.x) >= wide / 2 + across
                        assert apart or abs(y + 15 - middle) >= 15 + size / 3


def test_a_pill_stands_beside_its_object_where_there_is_room(scene: Scene, photo: Path) -> None:
    ground = on_photo(scene, photo, 400)
    place = free_place((50.0, 30.0), ground.full.size, ground, 2)
    spot = ground.spots[2]
    assert place is not None and spot is not None
    assert abs(place[0] + 25 - spot.x) < 2 and place[1] + 30 < spot.y - spot.radius
    assert free_place((500.0, 30.0), ground.full.size, ground, 2) is None  # a word wider than the panel


def test_a_strip_without_a_picture_names_its_objects(scene: Scene, photo: Path) -> None:
    """In words below the head; a picture shows them, so a strip with one is as high as before."""
    traced = trace(chain("scene", "count"), scene)
    assert _things(traced).replace("\u00a0", " ") == (
        "0 small red metal cube, 1 small blue metal cube, 2 small red metal cube, 3 small green metal cube"
    )
    assert fitted(_things(traced), font(15), 320, 12)[0] == "0 small red metal cube,"  # no name is broken
    crowd = Scene.of("clevr", [thing(k, "red") for k in range(60)], directions=DIRECTIONS)
    assert _things(trace(chain("scene", "count"), crowd)).endswith(" and 20 more")
    sheet = np.asarray(opened(traced.to_png()).convert("L")).astype(int)
    one = np.asarray(opened(trace(chain("scene", "count"), of_none()).to_png()).convert("L")).astype(int)
    assert sheet.shape[0] > one.shape[0]  # nothing to name, no line


def of_none() -> Scene:
    return Scene.of("clevr", [], relationships={r: [] for r in ("left", "right", "front", "behind")})


def test_outlines_of_what_a_call_is_not_about_can_be_seen() -> None:
    """3:1 on the ground that they lie on: the plan's floor, and any photograph in the dark."""
    floor = rgb(FLOOR)
    assert contrast(over(rgb(ON_PLAN.rest), floor, REST), floor) >= 3
    for photo in ("#000000", "#808080", "#ffffff"):
        ground = over(rgb("#0a0f14"), rgb(photo), VEIL)
        assert contrast(over(rgb(ON_PHOTO.rest), ground, REST), ground) >= 3
    assert contrast(rgb("#c9ccce"), rgb("#1d2125")) >= 4.5  # a faint number and its rim
