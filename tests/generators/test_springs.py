"""Mass-spring systems: physics, links and systems, measures, files, pictures, the command.

What needs MuJoCo (the extra `physics`) is skipped where it is not installed.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from nsreason.cli.app import app
from nsreason.data.springs import BALLS, FRAMES, NONE, RGB, ROD, SPRING, SpringsArrays, count_systems, read_springs
from nsreason.errors import DataError
from nsreason.generators.springs.draw import frame_image, write_animation, write_strip
from nsreason.generators.springs.generate import SimulationConfig, generate_springs, make_scene, simulate, write_springs
from nsreason.generators.springs.scores import connection_scores, count_accuracy

physics = pytest.mark.skipif(find_spec("mujoco") is None, reason="MuJoCo (the extra `physics`) is not installed")


@pytest.fixture(scope="module")
def data() -> SpringsArrays:
    if find_spec("mujoco") is None:
        pytest.skip("MuJoCo (the extra `physics`) is not installed")
    return generate_springs(40, seed=3)


def distances(data: SpringsArrays) -> np.ndarray[Any, Any]:
    """(N, T, B, B)."""
    p = data.positions.astype(float)
    apart: np.ndarray[Any, Any] = np.linalg.norm(p[:, :, :, None] - p[:, :, None], axis=-1)
    return apart


def pair(kind: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.array([[NONE, kind], [kind, NONE]], np.uint8)


# --- physics ----------------------------------------------------------------------------------------------------------


def test_rods_keep_their_length(data: SpringsArrays) -> None:
    apart = distances(data)
    scene, i, j = np.nonzero(data.links == ROD)
    assert len(scene) > 40
    lengths = apart[scene, :, i, j]
    assert np.abs(lengths / lengths[:, :1] - 1).max() < 0.01


def test_springs_give_way_but_hold_their_balls_near(data: SpringsArrays) -> None:
    apart = distances(data)
    scene, i, j = np.nonzero(data.links == SPRING)
    off = np.abs(apart[scene, :, i, j] - apart[scene, :1, i, j]).max(1)
    assert len(off) > 40 and np.median(off) > 0.02  # they are no rods
    free = (data.links == NONE) & ~np.eye(BALLS, dtype=bool)
    scene, i, j = np.nonzero(free)
    roam = np.abs(apart[scene, :, i, j] - apart[scene, :1, i, j]).max(1)
    assert np.percentile(off, 90) < np.percentile(roam, 60)


def test_balls_stay_on_the_table_and_apart(data: SpringsArrays) -> None:
    radius = SimulationConfig().radius
    assert data.positions.min() > radius - 0.01 and data.positions.max() < 1 - radius + 0.01
    apart = distances(data) + np.eye(BALLS)
    assert apart.min() > 2 * radius - 0.02


@physics
def test_a_free_ball_goes_straight_and_comes_back_from_a_wall_as_fast() -> None:
    places, speeds = np.array([[0.5, 0.5]]), np.array([[0.5, 0.1]])
    seen = simulate(places, speeds, np.zeros((1, 1), np.uint8), frames=20)
    assert seen[:8, 0] == pytest.approx(places + 0.1 * np.arange(8)[:, None] * speeds, abs=1e-5)
    velocity = np.diff(seen[:, 0], axis=0) / 0.1
    assert velocity[-1] == pytest.approx([-0.5, 0.1], abs=0.02)


@physics
def test_a_spring_swings_as_the_formula_says() -> None:
    """Two masses of 1 on a spring k: their distance swings with the frequency sqrt(2k)."""
    k, v = 10.0, 0.2
    seen = simulate(np.array([[0.3, 0.5], [0.7, 0.5]]), np.array([[-v, 0], [v, 0]]), pair(SPRING), k)
    apart = (seen[:, 1] - seen[:, 0])[:, 0]
    swing = np.sqrt(2 * k)
    assert apart == pytest.approx(0.4 + 2 * v / swing * np.sin(swing * 0.1 * np.arange(FRAMES)), abs=0.005)


@physics
@pytest.mark.parametrize("kind", [NONE, SPRING, ROD])
def test_a_blow_is_handed_on_by_links_alone(kind: int) -> None:
    seen = simulate(np.array([[0.3, 0.5], [0.6, 0.5]]), np.array([[-0.1, 0.0], [0.0, 0.0]]), pair(kind))
    moved = float(seen[0, 1, 0] - seen[8, 1, 0])
    assert moved == pytest.approx(0, abs=1e-6) if kind == NONE else moved > 0.005
    middle = seen.mean(1)[:, 0]
    assert middle[:10] == pytest.approx(0.45 - 0.005 * np.arange(10), abs=2e-4)  # momentum is kept


@physics
def test_rods_in_triangles_and_beyond_hold() -> None:
    """All pairs of five balls: more rods than it takes."""
    rng = np.random.default_rng(0)
    places = np.array([[0.3, 0.3], [0.6, 0.3], [0.6, 0.6], [0.3, 0.6], [0.45, 0.8]])
    links = (ROD * (1 - np.eye(5))).astype(np.uint8)
    seen = simulate(places, rng.uniform(-0.5, 0.5, (5, 2)), links).astype(float)
    apart = np.linalg.norm(seen[:, :, None] - seen[:, None], axis=-1)[:, ~np.eye(5, dtype=bool)]
    assert np.abs(apart / apart[:1] - 1).max() < 0.01


# --- links, systems, rows ---------------------------------------------------------------------------------------------


def components(links: np.ndarray[Any, Any]) -> int:
    """Counted without networkx: labels run along links until nothing changes."""
    label = list(range(len(links)))
    for _ in label:
        for i, j in zip(*np.nonzero(links), strict=True):
            label[i] = label[j] = min(label[i], label[j])
    return len(set(label))


def test_links_are_symmetric_and_systems_are_components(data: SpringsArrays) -> None:
    assert (data.links == data.links.transpose(0, 2, 1)).all() and not data.links.diagonal(axis1=1, axis2=2).any()
    assert set(np.unique(data.links)) == {NONE, SPRING, ROD}
    number = data.connections().sum((1, 2)) // 2
    assert set(number.tolist()) == set(range(7))
    assert data.systems.tolist() == [components(links) for links in data.links]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] != p[1]), max_size=14))
def test_systems_of_any_links(edges: list[tuple[int, int]]) -> None:
    links = np.zeros((BALLS, BALLS), np.uint8)
    for i, j in edges:
        links[i, j] = links[j, i] = SPRING
    assert count_systems(links) == components(links)


def test_state_rows() -> None:
    positions = np.zeros((2, FRAMES, BALLS, 2), np.float32)
    positions[0, 3, 7] = (0.25, 1.0)
    data = SpringsArrays(positions, np.zeros((2, BALLS, BALLS), np.uint8), np.full(2, BALLS, np.uint8))
    rows = data.states()
    assert rows.shape == (2, BALLS, 33) and rows.dtype == np.float32
    assert (rows[0, 7, 3], rows[0, 7, 16 + 3], rows[0, 7, 2]) == (-0.5, 1.0, -1.0)
    assert rows[0, :, 32] == pytest.approx(np.arange(10) / 9)
    assert data.states("rgb").shape == (2, BALLS, 35)
    assert data.states("rgb")[1, 4, 32:] == pytest.approx(np.array(RGB[4]) / 255)
    assert len(set(RGB)) == BALLS


def test_a_scene_depends_on_the_seed_and_its_number_alone(data: SpringsArrays) -> None:
    for index in (0, 17):
        positions, links = make_scene(3, index)
        assert (positions == data.positions[index]).all() and (links == data.links[index]).all()
    part = generate_springs(2, seed=3, start=5)
    assert (part.positions == data.positions[5:7]).all()
    assert (generate_springs(1, seed=4).positions != data.positions[:1]).any()


@physics
@pytest.mark.slow
def test_processes_make_the_same_scenes() -> None:
    one, two = generate_springs(70, seed=1), generate_springs(70, seed=1, jobs=2)
    assert (one.positions == two.positions).all() and (one.links == two.links).all()


def test_wrong_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        generate_springs(-1)
    with pytest.raises(ValueError, match="links are from 0 to 45"):
        SimulationConfig(links=(5, 3))
    with pytest.raises(ValueError, match="a radius is above 0"):
        SimulationConfig(radius=0.3)
    with pytest.raises(ValueError, match="of 2 scenes, 3 cannot be withheld"):
        write_springs(tmp_path, scenes=2, validation=3)


def test_without_mujoco_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(DataError, match=r'the extra "physics": pip install "nsreason\[physics\]"'):
        generate_springs(1)
    args = ["generate", "springs", "--scenes", "1", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 2 and "physics" in result.stderr and not (tmp_path / "out").exists()


# --- measures ---------------------------------------------------------------------------------------------------------


def test_a_scene_counts_only_if_every_connection_is_right() -> None:
    truth = np.zeros((4, BALLS, BALLS), bool)
    for i, j in ((0, 1), (2, 3)):
        truth[:, i, j] = truth[:, j, i] = True
    predicted = truth.copy()
    predicted[1, 0, 1] = False  # one entry of a pair is enough
    predicted[2, 4, 5] = predicted[2, 5, 4] = True
    scores = connection_scores(predicted, truth)
    assert (scores.scenes, scores.all_correct) == (4, 0.5)
    assert scores.pairs == pytest.approx(1 - 3 / 360)
    assert scores.recall == pytest.approx(15 / 16) and scores.precision == pytest.approx(15 / 17)
    none = connection_scores(np.zeros_like(truth), truth)
    assert (none.all_correct, none.recall, none.precision) == (0, 0, 0) and none.pairs > 0.9
    assert connection_scores(truth[:0], truth[:0]).all_correct == 0
    assert set(scores.to_dict()) == {"scenes", "all_correct", "pairs", "recall", "precision"}
    with pytest.raises(ValueError, match="alike"):
        connection_scores(predicted, truth[:2])


def test_count_accuracy() -> None:
    assert count_accuracy(np.array([10, 7, 3, 1]), np.array([10, 7, 4, 2])) == 0.5
    assert count_accuracy(np.array([], int), np.array([], int)) == 0
    with pytest.raises(ValueError, match="one number for each scene"):
        count_accuracy(np.array([1]), np.array([1, 2]))


# --- files, pictures, the command -------------------------------------------------------------------------------------


@physics
def test_files_hold_what_was_made(tmp_path: Path) -> None:
    settings = write_springs(tmp_path, scenes=5, validation=2, seed=8)
    whole, train, validation = generate_springs(5, seed=8), read_springs(tmp_path), read_springs(tmp_path, "validation")
    assert (np.concatenate([train.positions, validation.positions]) == whole.positions).all()
    assert (np.concatenate([train.systems, validation.systems]) == whole.systems).all()
    assert json.loads((tmp_path / "settings.json").read_text()) == settings
    assert settings["simulator"].startswith("MuJoCo ") and sum(settings["systems"].values()) == 5
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.size == (8 * 180, 2 * 180 + 30)


def still(links: np.ndarray[Any, Any]) -> SpringsArrays:
    """A scene in which ten balls stand on a line, drawn without a simulation."""
    positions = np.full((1, FRAMES, BALLS, 2), 0.5, np.float32)
    positions[..., 0] = np.linspace(0.05, 0.95, BALLS)
    return SpringsArrays(positions, links[None].astype(np.uint8), np.array([count_systems(links)], np.uint8))


def test_pictures_show_balls_and_links(tmp_path: Path) -> None:
    links = np.zeros((BALLS, BALLS), np.uint8)
    bare = np.asarray(frame_image(still(links), 0, 5))
    for ball, rgb in enumerate(RGB):
        x = round(180 * (0.03 + 0.94 * (0.05 + 0.1 * ball)))
        assert np.abs(bare[90, x].astype(int) - rgb).max() < 12
    links[2, 7] = links[7, 2] = ROD
    rod = np.asarray(frame_image(still(links), 0, 5))
    links[2, 7] = links[7, 2] = SPRING
    spring = np.asarray(frame_image(still(links), 0, 5))
    assert (rod != bare).any() and (spring != bare).any() and (spring != rod).any()
    write_strip(tmp_path / "strip.png", still(links), 0, side=60)
    write_animation(tmp_path / "scene.gif", still(links), 0, side=60)
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.size == (480, 150)
    with Image.open(tmp_path / "scene.gif") as gif:
        assert gif.size == (60, 60)


def test_files_are_read_without_mujoco_and_damage_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    (tmp_path / "settings.json").write_text("{}")
    links = np.zeros((BALLS, BALLS), np.uint8)
    data = still(links)
    arrays = {"positions": data.positions, "links": data.links, "systems": data.systems}
    np.savez(tmp_path / "train.npz", **arrays)  # type: ignore[arg-type]
    assert read_springs(tmp_path).systems.tolist() == [BALLS]
    links[0, 1] = SPRING
    np.savez(tmp_path / "train.npz", **(arrays | {"links": links[None]}))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="'links' are symmetric"):
        read_springs(tmp_path)
    (tmp_path / "train.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"train\.npz: not a sound"):
        read_springs(tmp_path)
    with pytest.raises(ValueError, match="no split 'test'"):
        read_springs(tmp_path, "test")
    for text, why in (("{", "damaged JSON"), ("[]", "Expected `object`, got `array`"), ('{"a": ' * 9999, "recursion")):
        (tmp_path / "settings.json").write_text(text)
        with pytest.raises(DataError, match=rf"settings\.json: not the settings .*JSON object: .*{why}.*again"):
            read_springs(tmp_path)


@physics
def test_the_command(tmp_path: Path) -> None:
    args = ["generate", "springs", "--scenes", "4", "--validation", "1", "--max-links", "2", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, args, env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    assert "4 scenes, 1 of them withheld" in result.stdout
    settings = json.loads(CliRunner().invoke(app, [*args, "--overwrite", "--json"]).stdout)
    assert settings["table"]["links"] == [0, 2] and sum(settings["links"].values()) <= 8
    assert len(read_springs(tmp_path)) == 3


@physics
@pytest.mark.parametrize(("value", "says"), [("5", "two numbers"), ("9,5", "the least first"), ("0,5", "above 0")])
def test_stiffness_on_the_command_line(tmp_path: Path, value: str, says: str) -> None:
    args = ["generate", "springs", "--scenes", "2", "--out", str(tmp_path / "out"), "--stiffness"]
    result = CliRunner().invoke(app, [*args, value])
    assert result.exit_code == 2 and says in " ".join(result.stderr.split())
    assert CliRunner().invoke(app, [*args, "20,60"]).exit_code == 0
    assert json.loads((tmp_path / "out" / "settings.json").read_text())["table"]["stiffness"] == [20, 60]
