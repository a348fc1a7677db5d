"""State descriptions: columns, disguises, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nsreason.dsl.domain import load_domain
from nsreason.errors import SceneError
from nsreason.generators import generate_scenes
from nsreason.perception.features.state_descriptions import (
    StateConfig,
    StateFeatures,
    columns,
    palette,
    rotation,
    state_rows,
)
from nsreason.scenes.scene import Scene

CLEVR, KITCHEN = load_domain("clevr"), load_domain("kitchen")
SCENES = list(generate_scenes(30, seed=3))


def test_columns_are_those_of_published_state_descriptions() -> None:
    """Coordinates, colour as RGB, and a column for each value of shape, material and size: 13."""
    scene = SCENES[0]
    rows, names = state_rows(scene, StateConfig()), columns(CLEVR, StateConfig())
    assert rows.shape == (len(scene), 13) == (len(scene), len(names)) and rows.dtype == np.float32
    for i in range(len(scene)):
        row = dict(zip(names, rows[i].tolist(), strict=True))
        place = scene.places[i].coords
        assert place is not None
        assert [row[c] * 3 for c in "xyz"] == pytest.approx(list(place), abs=1e-5)
        rgb = [round(row[f"color.{c}"] * 255) for c in "rgb"]
        assert tuple(rgb) == palette()[scene.value(i, "color")]
        assert [n for n in names if "=" in n and row[n] == 1] == [
            f"{a}={scene.value(i, a)}" for a in ("size", "material", "shape")
        ]


def test_ids_take_a_column_each() -> None:
    config = StateConfig(values="ids")
    assert columns(CLEVR, config) == ["x", "y", "z", "size", "color", "material", "shape"]
    rows = state_rows(SCENES[0], config)
    shape = CLEVR.values("shape").index(SCENES[0].value(0, "shape"))
    assert rows.shape[1] == 7 and rows[0, 6] == pytest.approx((shape + 1) / 3)


def test_another_domain_and_no_coordinates() -> None:
    values = {a: KITCHEN.values(a)[-1] for a in KITCHEN.attributes}
    scene = Scene.of(KITCHEN, [values])
    config = StateConfig(frame="none", rgb=False)
    rows = state_rows(scene, config)
    present = [n for n, x in zip(columns(KITCHEN, config), rows[0], strict=True) if x]
    assert present == [f"{a}={v}" for a, v in values.items()]
    assert state_rows(Scene.of(KITCHEN, []), config).shape == (0, rows.shape[1])


def test_the_camera_frame_follows_the_scene() -> None:
    """Along the camera's directions the relations can be read off: right is the first coordinate."""
    right = CLEVR.relation_index["right"]
    for scene in SCENES:
        x = state_rows(scene, StateConfig(frame="camera"))[:, 0] * 3
        for i, row in enumerate(scene.relation(right)):
            assert row == sum(1 << j for j in range(len(scene)) if x[j] - x[i] > 0.2)


def test_noise_belongs_to_the_scene() -> None:
    config = StateConfig(noise=0.1)
    first, again = state_rows(SCENES[0], config), state_rows(SCENES[0], config)
    assert (first == again).all()
    clean = np.concatenate([state_rows(s, StateConfig()) for s in SCENES])
    noise = np.concatenate([state_rows(s, config) for s in SCENES]) - clean
    assert abs(noise.std() - 0.1) < 0.01 and abs(noise.mean()) < 0.01
    other = state_rows(SCENES[0], StateConfig(noise=0.1, seed=1))
    assert not np.isclose(other, first).any()


def test_dropout_loses_columns() -> None:
    config = StateConfig(dropout=0.3, frame="world")
    clean = np.concatenate([state_rows(s, StateConfig()) for s in SCENES])
    rows = np.concatenate([state_rows(s, config) for s in SCENES])
    lost = (rows == 0) & (clean != 0)
    assert ((rows == clean) | lost).all()
    assert abs(lost[clean != 0].mean() - 0.3) < 0.04


@pytest.mark.parametrize(("k", "width"), [(13, 13), (13, 64), (13, 5)])
def test_the_rotation_keeps_lengths_and_hides_columns(k: int, width: int) -> None:
    turn = rotation(k, width, seed=0)
    assert turn.shape == (k, width)
    small = turn.T @ turn if width < k else turn @ turn.T
    np.testing.assert_allclose(small, np.eye(min(k, width)), atol=1e-5)
    assert np.abs(turn).max() < 0.95, "a column could be read off"
    assert not np.allclose(turn, rotation(k, width, seed=1))


def test_features_have_their_shapes_and_learn() -> None:
    config = StateConfig(width=16, pairs=8, hidden=4)
    torch.manual_seed(0)
    features = StateFeatures(CLEVR, config)
    objects, pairs = features(torch.randn(2, 5, 13))
    assert pairs is not None and objects.shape == (2, 5, 16) and pairs.shape == (2, 5, 5, 8)
    (objects.square().sum() + pairs.square().sum()).backward()
    learned = {n for n, p in features.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert {"bend.2.weight", "reference.weight", "other.weight"} <= learned
    assert "rotation" not in learned and "rotation" in dict(features.named_buffers())


def test_features_start_as_the_rotated_description() -> None:
    features = StateFeatures(CLEVR, StateConfig(width=16, hidden=4))
    rows = torch.randn(2, 5, 13)
    torch.testing.assert_close(features(rows)[0], rows @ torch.from_numpy(rotation(13, 16, 0)))
    plain = StateFeatures(CLEVR, StateConfig(width=16, hidden=0, rotate=False))
    objects, _ = plain(rows)
    torch.testing.assert_close(objects[..., :13], rows)


def test_a_pair_is_told_apart_from_its_converse() -> None:
    torch.manual_seed(0)
    _, pairs = StateFeatures(CLEVR, StateConfig(width=16))(torch.randn(1, 4, 13))
    assert pairs is not None and not torch.allclose(pairs, pairs.transpose(1, 2))


def test_jitter_is_for_training() -> None:
    features = StateFeatures(CLEVR, StateConfig(width=16, jitter=0.1))
    rows = torch.randn(2, 5, 13)
    assert not torch.equal(features(rows)[0], features(rows)[0])
    features.eval()
    assert torch.equal(features(rows)[0], features(rows)[0])


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"pairs": 0}, {"hidden": -1}, {"noise": -0.1}, {"jitter": float("inf")}, {"dropout": 1.0}]
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: "):
        StateConfig(**wrong)  # type: ignore[arg-type]


BARE = {"size": "large", "color": "red", "material": "metal", "shape": "cube"}


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (StateConfig(), "$.objects[1].3d_coords"),
        (StateConfig(frame="image"), "$.objects[0].pixel_coords"),
    ],
)
def test_missing_coordinates(config: StateConfig, path: str) -> None:
    scene = Scene.of(CLEVR, [{**BARE, "3d_coords": [0, 0, 0]}, BARE])
    with pytest.raises(SceneError, match=r"needs .* of three numbers") as raised:
        state_rows(scene, config)
    assert raised.value.path == path


def test_the_camera_frame_needs_directions() -> None:
    scene = Scene.of(CLEVR, [{**BARE, "3d_coords": [0, 0, 0]}])
    with pytest.raises(SceneError, match="needs the direction 'right'"):
        state_rows(scene, StateConfig(frame="camera"))
