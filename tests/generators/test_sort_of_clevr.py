"""Sort-of-CLEVR: answers worked out again from the pixels and from the state, bits, ties, seeds, files, the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner, Result

from nsreason.cli.app import app
from nsreason.data.sort_of_clevr import (
    ANSWERS,
    COLORS,
    PLAIN,
    RELATIONAL,
    RGB,
    SHAPES,
    SortOfClevrArrays,
    question_bits,
    question_text,
    read_question,
    read_sort_of_clevr,
    states,
)
from nsreason.errors import DataError
from nsreason.generators.sort_of_clevr import (
    answer_of,
    draw_objects,
    furthest,
    generate_sort_of_clevr,
    nearest,
    unambiguous,
    write_sort_of_clevr,
)


@pytest.fixture(scope="module")
def data() -> SortOfClevrArrays:
    return generate_sort_of_clevr(300, seed=5)


def seen(image: np.ndarray) -> list[tuple[float, float, str]]:
    """Centre and shape of the object of each color, from the pixels alone."""
    shapes = []
    for rgb in RGB:
        y, x = np.nonzero((image == np.array(rgb, np.uint8)).all(-1))
        assert x.max() - x.min() == y.max() - y.min() == 10
        shapes.append((x.mean(), y.mean(), "rectangle" if len(x) == 121 else "circle"))
    return shapes


def brute(objects: list[tuple[float, float, str]], kind: str, color: str) -> set[str]:
    """All right answers to a question: several where objects are equally near or far."""
    me = COLORS.index(color)
    x, y, shape = objects[me]
    if kind == "shape":
        return {shape}
    if kind == "left":
        return {"yes" if x < 37.5 else "no"}
    if kind == "top":
        return {"yes" if y < 37.5 else "no"}
    if kind == "count":
        return {str([s for _, _, s in objects].count(shape))}
    reach = {i: round((a - x) ** 2 + (b - y) ** 2) for i, (a, b, _) in enumerate(objects) if i != me}
    best = min(reach.values()) if kind == "nearest" else max(reach.values())
    return {objects[i][2] for i, r in reach.items() if r == best}


def test_every_answer_follows_from_the_pixels(data: SortOfClevrArrays) -> None:
    kinds = set()
    for i in range(len(data)):
        objects = seen(data.images[i])
        assert objects == [(float(x), float(y), SHAPES[s]) for x, y, s in data.objects[i].tolist()]
        # About one picture in eighty would have a question with two answers, so some of these were drawn anew.
        assert all(len(brute(objects, kind, color)) == 1 for kind in RELATIONAL for color in COLORS)
        for bits, answer, relational in zip(data.questions[i], data.answers[i], data.relational[i], strict=True):
            kind, color = read_question(bits)
            kinds.add((kind, color))
            assert brute(objects, kind, color) == {ANSWERS[answer]}, question_text(bits)
            assert relational == (kind in RELATIONAL)
    assert len(kinds) == 36  # every question was asked


def test_pictures_have_six_objects_that_do_not_touch(data: SortOfClevrArrays) -> None:
    assert data.images.dtype == np.uint8 and data.images.shape == (300, 75, 75, 3)
    for i in range(len(data)):
        xy = data.objects[i, :, :2].astype(int)
        assert xy.min() >= 5 and xy.max() <= 69 and not (xy == 37).any()
        apart = np.abs(xy[:, None] - xy[None]).max(-1)[~np.eye(6, dtype=bool)]
        assert apart.min() >= 12


def test_shapes_answers_and_halves_are_balanced(data: SortOfClevrArrays) -> None:
    assert data.objects[:, :, 2].mean() == pytest.approx(0.5, abs=0.05)
    assert (data.objects[:, :, :2] < 37).mean() == pytest.approx(0.5, abs=0.04)
    assert data.relational.sum(1).tolist() == [10] * 300
    asked = data.questions.reshape(-1, 11).mean(0)
    assert asked[:6] == pytest.approx(np.full(6, 1 / 6), abs=0.02)
    assert asked[6:8].tolist() == [0.5, 0.5] and asked[8:] == pytest.approx(np.full(3, 1 / 3), abs=0.03)


# --- bits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*PLAIN, *RELATIONAL])
@pytest.mark.parametrize("color", COLORS)
def test_bits_say_color_and_kind(kind: str, color: str) -> None:
    bits = question_bits(kind, COLORS.index(color))
    assert bits.shape == (11,) and bits.sum() == 3
    assert bits[COLORS.index(color)] == 1 and bits[7] == (kind in RELATIONAL) != bits[6]
    assert read_question(bits) == (kind, color) and color in question_text(bits)


@pytest.mark.parametrize(
    "bits", [[0] * 11, [1] * 11, [1, 0, 0, 0, 0, 0, 1, 0, 1, 0], [2, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0]]
)
def test_other_bits_are_refused(bits: list[int]) -> None:
    with pytest.raises(ValueError, match="a question is 11 bits"):
        read_question(bits)


# --- neighbours and ties ----------------------------------------------------------------------------------------------

PLACE = st.tuples(st.integers(5, 69), st.integers(5, 69), st.integers(0, 1))
PLACES = st.lists(PLACE, min_size=6, max_size=6, unique_by=lambda o: o[:2])


@given(PLACES)
def test_no_object_is_its_own_neighbour(placed: list[tuple[int, int, int]]) -> None:
    objects = np.array(placed, np.int16)
    for color in range(6):
        reach = ((objects[:, :2].astype(int) - objects[color, :2].astype(int)) ** 2).sum(1).tolist()
        others = [r for i, r in enumerate(reach) if i != color]
        near, far = nearest(objects, color), furthest(objects, color)
        assert color not in (near, far)
        assert reach[near] == min(others) and reach[far] == max(others)
        assert near == min(i for i, r in enumerate(reach) if i != color and r == min(others))  # the first of several
        assert far == min(i for i, r in enumerate(reach) if i != color and r == max(others))


@given(PLACES)
def test_unambiguous_says_whether_a_tie_matters(placed: list[tuple[int, int, int]]) -> None:
    objects = np.array(placed, np.int16)
    rows = [(float(x), float(y), SHAPES[s]) for x, y, s in placed]
    answers = [brute(rows, kind, color) for kind in ("nearest", "furthest") for color in COLORS]
    assert unambiguous(objects) == all(len(a) == 1 for a in answers)


def test_a_lone_corner_is_far_from_all_but_not_nearest_to_itself() -> None:
    # A reference whose neighbours are all further off than sqrt(999): the self-distance of 999 would win here.
    objects = np.array([(5, 5, 0), (60, 60, 1), (40, 60, 1), (60, 40, 1), (69, 69, 1), (60, 20, 1)], np.int16)
    assert ANSWERS[answer_of(objects, "nearest", 0)] == "circle"


# --- seeds and files --------------------------------------------------------------------------------------------------


def test_a_picture_depends_on_the_seed_and_its_number_alone(data: SortOfClevrArrays) -> None:
    part = generate_sort_of_clevr(3, seed=5, start=40)
    for name in ("images", "objects", "questions", "answers", "relational"):
        assert (getattr(part, name) == getattr(data, name)[40:43]).all()
    assert (generate_sort_of_clevr(3, seed=6, start=40).objects != part.objects).any()


def test_wrong_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        generate_sort_of_clevr(-1)
    with pytest.raises(ValueError, match="of 2 scenes, 3 cannot be withheld"):
        write_sort_of_clevr(tmp_path, scenes=2, validation=3)


def test_states_are_rows_of_place_shape_and_color(data: SortOfClevrArrays) -> None:
    rows = data.states()
    assert rows.shape == (300, 6, 10) and rows.dtype == np.float32 and abs(rows[..., :2]).max() <= 1
    row = states(np.array([(5, 69, 1)] * 6, np.int16))[2]
    assert row == pytest.approx([5 / 37 - 1, 69 / 37 - 1, 0, 1, 0, 0, 1, 0, 0, 0])


def test_files_hold_what_was_made(tmp_path: Path) -> None:
    settings = write_sort_of_clevr(tmp_path / "a", scenes=12, validation=4, seed=3)
    whole, train = generate_sort_of_clevr(12, seed=3), read_sort_of_clevr(tmp_path / "a")
    validation = read_sort_of_clevr(tmp_path / "a", "validation")
    assert (len(train), len(validation)) == (8, 4)
    assert (np.concatenate([train.images, validation.images]) == whole.images).all()
    assert (np.concatenate([train.answers, validation.answers]) == whole.answers).all()
    assert json.loads((tmp_path / "a/settings.json").read_text()) == settings and settings["seed"] == 3
    assert sum(sum(v.values()) for v in settings["answer_counts"]["train"].values()) == 8 * 20
    write_sort_of_clevr(tmp_path / "b", scenes=12, validation=4, seed=3)
    for name in ("train.npz", "validation.npz", "settings.json", "sample.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with Image.open(tmp_path / "a/sample.png") as image:
        sample = np.asarray(image)
    assert (sample[16 + 3 : 16 + 450 : 6, 16 + 3 : 16 + 450 : 6] == draw_objects(train.objects[0])).all()


def test_damaged_files_are_told(tmp_path: Path) -> None:
    write_sort_of_clevr(tmp_path, scenes=3, validation=0)
    assert len(read_sort_of_clevr(tmp_path, "validation")) == 0
    with pytest.raises(ValueError, match="no split 'test'"):
        read_sort_of_clevr(tmp_path, "test")
    path = tmp_path / "train.npz"
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no zip", whole[:200] + b"x" * 50 + whole[250:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"train\.npz: .*generate it again"):
            read_sort_of_clevr(tmp_path)
    with np.load(tmp_path / "validation.npz") as archive:
        arrays = dict(archive)
    np.savez(path, **(arrays | {"answers": arrays["answers"].astype(np.int64)}))
    with pytest.raises(DataError, match="'answers' is of kind int64, not uint8"):
        read_sort_of_clevr(tmp_path)
    np.savez(path, **(arrays | {"answers": np.zeros((2, 20), np.uint8)}))
    with pytest.raises(DataError, match="'answers' is 2 x 20, not 0 x 20"):
        read_sort_of_clevr(tmp_path)
    np.savez(path, **{k: v for k, v in arrays.items() if k != "images"})
    with pytest.raises(DataError, match="it has no array 'images'"):
        read_sort_of_clevr(tmp_path)
    np.savez(path, **(arrays | {"images": np.array([{}], object)}))
    with pytest.raises(DataError, match="not a sound"):
        read_sort_of_clevr(tmp_path)  # a pickle is never opened
    with path.open("wb") as file:
        np.save(file, arrays["answers"])  # an array of its own, without a name
    with pytest.raises(DataError, match="not a sound"):
        read_sort_of_clevr(tmp_path)
    settings = tmp_path / "settings.json"
    settings.write_text(settings.read_text().replace('"gray"', '"grey"'))
    with pytest.raises(DataError, match="'colors' is"):
        read_sort_of_clevr(tmp_path)
    settings.unlink()
    with pytest.raises(DataError, match=r"settings\.json: no such file"):
        read_sort_of_clevr(tmp_path)


# --- the command ------------------------------------------------------------------------------------------------------


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["generate", *args], env={"COLUMNS": "100"})


def test_the_command(tmp_path: Path) -> None:
    out = str(tmp_path / "made")
    result = run("sort-of-clevr", "--scenes", "6", "--validation", "2", "--seed", "9", "--out", out)
    assert result.exit_code == 0, result.output
    assert "6 scenes, 2 of them withheld" in result.stdout and "furthest" in result.stdout
    assert len(read_sort_of_clevr(out)) == 4
    options = ["--questions-per-scene", "3", "--out", out, "--overwrite", "--json"]
    settings = json.loads(run("sort-of-clevr", "--scenes", "2", *options).stdout)
    assert (settings["dataset"], settings["scenes"], settings["questions_per_kind"]) == ("sort-of-clevr", 2, 3)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["sort-of-clevr", "--condition", "A"], "No such option: --condition"),
        (["sort-of-clevr", "--images"], "No such option: --images"),
        (["sort-of-clevr", "-j", "2"], "No such option: -j"),
        (["springs", "--min-objects", "3"], "No such option: --min-objects"),
        (["clevr", "--validation", "1"], "No such option: --validation"),
        (["clevr", "--max-links", "1"], "No such option: --max-links"),
        (["sort-of-clevr", "--validation", "9"], "--validation 9 is more than --scenes 2"),
    ],
)
def test_options_of_another_data_set_are_refused(tmp_path: Path, args: list[str], says: str) -> None:
    result = run(*args, "--scenes", "2", "--out", str(tmp_path / "out"))
    assert result.exit_code == 2 and says in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
