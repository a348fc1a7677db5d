"""The renderer: where things are drawn, what hides what, what light does, and that pictures repeat.

The geometry is held to projections computed by the camera alone, which shares no code with the rays.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nsreason.errors import DomainError
from nsreason.generators.clevr.placement import SceneCamera, clevr_rules
from nsreason.perception.rendering.ray_casting import FAR, Frames, covers, distances, hits
from nsreason.perception.rendering.render import Rendering, frames, jittered_style, render
from nsreason.perception.rendering.style import Thing, clevr_style

RULES = clevr_rules()
CAMERA = SceneCamera.at(RULES.camera.location, RULES.camera)
RED, GRAY = (0.68, 0.14, 0.14), (0.34, 0.34, 0.34)
SMALL = {"width": 120, "height": 80}


def ball(x: float = 0.0, y: float = 0.0, *, radius: float = 0.7, **changes: object) -> Thing:
    """A red rubber sphere on the ground, or what is told otherwise."""
    fixed: dict[str, object] = {"shape": "sphere", "material": "rubber", "color": RED, **changes}
    return Thing(radius=radius, centre=(x, y, radius), **fixed)  # type: ignore[arg-type]


def middle(mask: np.ndarray) -> tuple[float, float]:  # type: ignore[type-arg]
    rows, columns = mask.nonzero()
    return float(columns.mean()) + 0.5, float(rows.mean()) + 0.5


# --- solids -----------------------------------------------------------------------------------------------------


def rays(seed: int, n: int = 400) -> tuple[Tensor, Tensor]:
    """Rays from a distance of 5, most of them towards the origin's neighbourhood."""
    generator = torch.Generator().manual_seed(seed)
    origins = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator), dim=-1) * 5
    return origins, 1.5 * torch.randn(n, 3, generator=generator) - origins


shapes = st.sampled_from(["sphere", "cube", "cylinder"])
turns = st.floats(0, 7)


def solid(shape: str, turn: float) -> Thing:
    return Thing(shape, "rubber", RED, 0.8, (0.1, -0.2, 0.3), turn)


def inside(thing: Thing, points: Tensor, grown: float = 0.0) -> Tensor:
    """Whether points are in the sharp solid, by its definition."""
    c, s = math.cos(thing.rotation), math.sin(thing.rotation)
    x, y, z = ((points - torch.tensor(thing.centre)) / (thing.radius + grown)).unbind(-1)
    x, y = c * x + s * y, c * y - s * x
    if thing.shape == "sphere":
        return x * x + y * y + z * z <= 1
    if thing.shape == "cube":
        return torch.stack([x, y, z]).abs().amax(0) <= 1
    return (x * x + y * y <= 1) & (z.abs() <= 1)


@given(shapes, turns, st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_rays_end_on_the_surface(shape: str, turn: float, seed: int) -> None:
    thing = solid(shape, turn)
    origins, ways = rays(seed)
    t = distances(shape, Frames.of([thing]), origins, ways)
    met = t < FAR
    assert 20 < met.sum() < 400
    at = origins[met] + t[met, None] * ways[met]
    assert inside(thing, at, 1e-3).all() and not inside(thing, at, -1e-3).any()
    along = torch.linspace(0, 2.5, 200)  # of the rays that miss, no point is inside
    missed = origins[~met, None] + along[:, None] * ways[~met, None]
    assert not inside(thing, missed, -1e-3).any()


@given(shapes, turns, st.floats(0.02, 0.3), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_rounded_edges_take_away_and_never_add(shape: str, turn: float, rounding: float, seed: int) -> None:
    thing = solid(shape, turn)
    origins, ways = rays(seed)
    sharp = distances(shape, Frames.of([thing]), origins, ways)
    t, normals = hits(thing, rounding, origins, ways)
    met = t < FAR
    assert (t >= sharp - 1e-4).all()
    if shape == "sphere":
        assert torch.equal(met, sharp < FAR)
    at = origins[met] + t[met, None] * ways[met]
    assert inside(thing, at, 1e-2).all()
    assert torch.allclose(normals[met].norm(dim=-1), torch.ones(int(met.sum())), atol=1e-4)
    assert ((normals[met] * ways[met]).sum(-1) < 1e-3).all()  # outward: against the ray
    assert not normals[~met].any()
    out = at + 0.05 * normals[met]
    assert not inside(thing, out, -2e-2).all() or shape == "sphere"


def test_a_shadow_ends_where_its_ray_ends() -> None:
    thing = solid("sphere", 0.0)
    start = torch.tensor([[3.0, -0.2, 0.3]])
    ways = torch.tensor([[[-6.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [6.0, 0.0, 0.0]]])
    assert covers("sphere", Frames.of([thing]), start, ways).tolist() == [[True, False, False]]


# --- pictures ---------------------------------------------------------------------------------------------------


@given(st.floats(-2.5, 2.5), st.floats(-2.5, 2.5), st.sampled_from([0.35, 0.7]))
@settings(max_examples=25, deadline=None)
def test_a_ball_is_drawn_where_the_camera_projects_it(x: float, y: float, radius: float) -> None:
    drawn = render([ball(x, y, radius=radius)], CAMERA, samples=2)
    column, row, depth = CAMERA.project((x, y, radius))
    seen = middle(drawn.masks[0])
    size = CAMERA.focal * radius / depth
    # A ball's outline is an ellipse whose middle lies outside the projected centre by less than a twentieth.
    assert math.dist(seen, (column, row)) < 0.6 + 0.05 * size
    assert drawn.pixels()[0] == pytest.approx(math.pi * size**2, rel=0.08)
    away = math.dist(CAMERA.location, (x, y, radius))
    cosine = depth / away  # the depth of the nearest point, on the line to the centre
    assert drawn.depth[int(row), int(column)] == pytest.approx((away - radius) * cosine, abs=0.02)


def test_the_ground_is_as_deep_as_the_camera_says() -> None:
    drawn = render([], CAMERA, **SMALL)
    for x, y in ((0.0, 0.0), (2.0, 1.0), (-2.0, -2.0)):
        column, row, depth = CAMERA.project((x, y, 0.0))
        assert drawn.depth[int(row / 4), int(column / 4)] == pytest.approx(depth, rel=0.03)
    assert drawn.masks.shape == (0, 80, 120) and drawn.image.shape == (80, 120, 3)


def test_the_nearer_thing_hides_the_other() -> None:
    far, near = ball(0.0, 0.0), ball(1.6, -1.4)
    both = render([far, near], CAMERA)
    swapped = render([near, far], CAMERA)
    alone = render([far], CAMERA)
    assert not (both.masks[0] & both.masks[1]).any()
    assert np.array_equal(both.masks, swapped.masks[::-1])
    assert both.pixels()[0] < 0.8 * alone.pixels()[0]
    assert both.whole[0] == pytest.approx(alone.pixels()[0], rel=0.02)
    assert (both.masks[0] <= alone.masks[0]).all()
    left, top, right, bottom = both.boxes()[0]
    assert both.masks[0][int(top) : int(bottom), int(left) : int(right)].sum() == both.pixels()[0]


def test_what_is_behind_the_camera_or_outside_is_not_drawn() -> None:
    behind = ball(12.0, -11.0)
    outside = ball(-2.9, 12.0)
    drawn = render([behind, outside, ball()], CAMERA, **SMALL)
    assert drawn.pixels().tolist()[0] == 0 and not drawn.boxes()[0].any()
    assert drawn.pixels()[2] > 50


@pytest.mark.parametrize("shape", ["sphere", "cube", "cylinder"])
def test_sizes_and_resolutions_agree(shape: str) -> None:
    thing = ball(shape=shape, rotation=0.6)
    large = render([thing], CAMERA, width=480, height=320)
    small = render([thing], CAMERA, width=96, height=64, samples=4)
    assert small.pixels()[0] * 25 == pytest.approx(large.pixels()[0], rel=0.06)
    assert np.abs(small.boxes()[0] * 5 - large.boxes()[0]).max() <= 5
    assert np.abs(small.image.mean((0, 1)) - large.image.mean((0, 1))).max() < 1.5


def test_things_have_their_colours_and_materials() -> None:
    looks = {}
    for material in ("rubber", "metal"):
        drawn = render([ball(material=material)], CAMERA)
        pixels = drawn.image[drawn.masks[0]].astype(float)
        assert pixels[:, 0].mean() > 1.5 * pixels[:, 1:].mean()  # red
        looks[material] = pixels
    # A mirror shows dark sky, bright ground and the lamps: its brightness varies more, and its spots are white.
    assert looks["metal"].mean(1).std() > 2 * looks["rubber"].mean(1).std()
    assert looks["metal"].max(0).min() > 200 > looks["rubber"].max(0).max()


def test_a_mirror_shows_its_neighbour() -> None:
    mirror = Thing("cube", "metal", (0.9, 0.9, 0.9), 0.7, (0.0, 0.0, 0.7), 0.7)
    beside = ball(1.2, -1.9, color=(0.05, 0.05, 0.9), radius=0.35)
    alone, both = (render(things, CAMERA) for things in ([mirror], [mirror, beside]))
    face = both.masks[0] & alone.masks[0]
    blue_before, blue = (d.image[..., 2].astype(int) - d.image[..., 0] for d in (alone, both))
    assert ((blue - blue_before)[face] > 30).sum() > 20


def test_shadows_fall_away_from_the_lamp() -> None:
    look = clevr_style()
    key = look.lamps["key"]
    right = CAMERA.axes[0]
    fallen = {}
    for side in (-1, 1):
        place = (side * 5 * right[0], side * 5 * right[1], 4.0)
        lamp = msgspec.structs.replace(key, location=place)
        lit = msgspec.structs.replace(look, lamps={"key": lamp}, grain=0.0)
        bare, stood = (render(things, CAMERA, lit, samples=1) for things in ([], [ball()]))
        loss = bare.image.astype(float).mean(2) - stood.image.mean(2)
        loss[stood.masks[0]] = 0
        assert (loss > 8).sum() > 300 and loss.min() > -6
        fallen[side] = middle(loss > 8)[0] - middle(stood.masks[0])[0]
    assert fallen[-1] > 15 and fallen[1] < -15


def test_the_same_seed_draws_the_same_bytes() -> None:
    things = [ball(), ball(1.5, 1.0, shape="cube", material="metal", color=GRAY)]

    def drawn(seed: int, lamps: int) -> Rendering:
        return render(things, CAMERA, jittered_style(lamps, 3), seed=seed, **SMALL)

    first, again, grain, light = drawn(1, 1), drawn(1, 1), drawn(2, 1), drawn(1, 2)
    assert np.array_equal(first.image, again.image) and np.array_equal(first.depth, again.depth)
    apart = np.abs(first.image.astype(int) - grain.image)
    assert 0 < apart.mean() < 2  # noise
    assert np.array_equal(first.masks, light.masks)

    def blocks(drawn: Rendering) -> np.ndarray:  # type: ignore[type-arg]
        means: np.ndarray = drawn.image.reshape(8, 10, 12, 10, 3).mean((1, 3))  # type: ignore[type-arg]
        return means

    noise, lamps = (np.abs(blocks(first) - blocks(other)).mean() for other in (grain, light))
    assert lamps > 8 * noise


def test_lamps_move_within_their_bounds() -> None:
    still = clevr_style()
    moved = [jittered_style(5, i) for i in range(200)]
    for name, lamp in still.lamps.items():
        offsets = np.array([np.subtract(m.lamps[name].location, lamp.location) for m in moved])
        assert (np.abs(offsets) <= still.jitter).all() and (np.abs(offsets).max(0) > 0.9 * still.jitter).all()


def test_bad_requests_say_what_would_do() -> None:
    with pytest.raises(DomainError, match=r"no material 'rubbre' can be rendered; did you mean 'rubber'\?"):
        render([ball(material="rubbre")], CAMERA, **SMALL)
    with pytest.raises(DomainError, match="no shape 'cone' can be rendered"):
        render([ball(shape="cone")], CAMERA, **SMALL)
    with pytest.raises(ValueError, match="1 or more"):
        render([ball()], CAMERA, width=0)


# --- moving scenes ----------------------------------------------------------------------------------------------


def test_frames_follow_what_moves() -> None:
    def moving(time: float) -> list[Thing]:
        return [ball(-2.0 + time, 1.0 - time / 2, radius=0.35), ball(0.5, 2.0, shape="cube", color=GRAY)]

    times = [0.0, 1.0, 2.0, 3.0]
    film = list(frames(moving, CAMERA, times, width=240, height=160))
    assert len(film) == 4
    for time, frame in zip(times, film, strict=True):
        thing = moving(time)[0]
        column, row, _ = CAMERA.project(thing.centre)
        assert math.dist(middle(frame.masks[0]), (column / 2, row / 2)) < 1
        assert np.array_equal(frame.masks[1], film[0].masks[1])
    # What stands still keeps its pixels: its grain does not flicker.
    corner = [f.image[:30, 200:] for f in film]
    assert all(np.abs(corner[0].astype(int) - c).mean() < 0.2 for c in corner[1:])  # 0.6 with other grain


def test_a_film_has_the_same_things_throughout() -> None:
    def moving(time: float) -> list[Thing]:
        return [ball()] * (1 + int(time))

    film = frames(moving, CAMERA, [0.0, 1.0], **SMALL)
    next(film)
    with pytest.raises(ValueError, match=r"at time 1.0 there are 2 things, 1 before"):
        next(film)
