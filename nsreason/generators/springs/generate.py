"""Mass-spring systems: ten balls on a table between walls, some pairs linked by invisible springs or rigid rods.

    data = generate_springs(100, seed=7)
    data.positions.shape, data.links.shape, data.systems[0]       # (100, 16, 10, 2), (100, 10, 10), 7

The task: predict which balls are linked, and how many systems of linked balls there are, from 16 frames of the balls'
places and their colors: Santoro et al., "A simple neural network module for relational reasoning", NIPS 2017, section
3.4 and supplement F. The paper gives no constants; those of `SimulationConfig` are this project's.

Ball i has color i in every scene: a row is known by its color, and so a network that does not see the order of the rows
can still say which entry of the 10 x 10 matrix is meant.

Simulated by MuJoCo (`pip install nsreason[physics]`), which is imported when a scene is made, not before.

Legend: N scenes, T frames (16), B balls (10).
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import random
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import write_arrays, write_settings
from ...data.dataset_folder import new_dataset
from ...data.springs import BALLS, FRAMES, NONE, ROD, SPLITS, SPRING, SpringsArrays, count_systems
from ...errors import DataError
from ...io.progress import CountProgress
from ..seeds import generator

if TYPE_CHECKING:
    from types import ModuleType


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """Constants of the simulated world: lengths in sides of the square table, seconds, masses of a ball."""

    radius: float = 0.03
    """Radius of a ball."""
    speed: float = 0.5
    """Each coordinate of an initial velocity is drawn from minus this to this."""
    links: tuple[int, int] = (0, 6)
    """The fewest and the most linked pairs of a scene; each number is as likely."""
    rods: float = 0.5
    """The share of links that are rigid."""
    stiffness: tuple[float, float] = (5.0, 20.0)
    """Range that the stiffness of a spring is drawn from; at first no spring is extended or compressed."""
    frame: float = 0.1
    """Seconds between two frames."""
    step: float = 0.005
    """Seconds of a step of the simulation."""
    bounce: float = 10_000.0
    """Stiffness of contacts with walls and balls, which keep the energy to about 2 % of the speed in steps of this
    length."""

    def __post_init__(self) -> None:
        if not 0 <= self.links[0] <= self.links[1] <= BALLS * (BALLS - 1) // 2:
            raise ValueError(f"links are from 0 to 45, the fewest first; got {self.links}")
        if not 0 < self.stiffness[0] <= self.stiffness[1] <= 200:  # beyond, steps of this length are too long
            raise ValueError(f"stiffness is above 0 and at most 200, the least first; got {self.stiffness}")
        if not 0 < self.radius <= 0.1:
            raise ValueError(f"a radius is above 0, and at most 0.1, or ten balls find no room; got {self.radius}")


# --- one scene --------------------------------------------------------------------------------------------------------


def _mujoco() -> ModuleType:
    """Raises DataError where MuJoCo is not installed."""
    try:
        import mujoco
    except ImportError as error:
        raise DataError(
            f"mass-spring systems are simulated by MuJoCo, which cannot be imported ({error}); "
            'it comes with the extra "physics": pip install "nsreason[physics]"'
        ) from None
    module: ModuleType = mujoco
    return module


def simulate(
    places: NDArray[np.float64],
    velocities: NDArray[np.float64],
    links: NDArray[np.uint8],
    stiffness: float | NDArray[np.float64] = 10.0,
    *,
    table: SimulationConfig | None = None,
    frames: int = FRAMES,
) -> NDArray[np.float32]:
    """Simulate where balls are in each frame, (T, B, 2), from their first places and velocities.

    Args:
        places, velocities: (B, 2).
        links: (B, B), the upper triangle is read. Rods and springs are as long as the balls are apart at first.
        stiffness: of all springs, or of each, (B, B).

    Raises:
        DataError: MuJoCo is not installed.
    """
    mujoco = _mujoco()
    table = table or SimulationConfig()
    stiff = np.broadcast_to(stiffness, links.shape)
    model = mujoco.MjModel.from_xml_string(_world(places, links, stiff, table))
    data = mujoco.MjData(model)
    data.qvel[:] = velocities.reshape(-1)
    steps = round(table.frame / table.step)
    seen = np.zeros((frames, len(places), 2), np.float32)
    for frame in range(frames):
        seen[frame] = places + data.qpos.reshape(-1, 2)  # joints hold how far a ball is from where it began
        mujoco.mj_step(model, data, nstep=steps)
    return seen


def _world(places: NDArray[np.float64], links: NDArray[np.uint8], stiff: NDArray[Any], table: SimulationConfig) -> str:
    """The scene in MuJoCo's XML: balls that slide in x and y, four planes as walls, tendons as links."""
    # A negative solref gives stiffness and damping themselves: contacts without damping return all energy.
    world = [
        f'<mujoco><option timestep="{table.step}" gravity="0 0 0"/>',
        f'<default><geom condim="1" solref="-{table.bounce} 0" solimp="0.99 0.99 0.001"/></default><worldbody>',
    ]
    for place, inward in (("0 0 0", "1 0 0"), ("1 0 0", "-1 0 0"), ("0 0 0", "0 1 0"), ("0 1 0", "0 -1 0")):
        world.append(f'<geom type="plane" size="1 1 .1" pos="{place}" zaxis="{inward}"/>')
    for i, (x, y) in enumerate(places.tolist()):
        world.append(
            f'<body pos="{x!r} {y!r} 0"><joint type="slide" axis="1 0 0"/><joint type="slide" axis="0 1 0"/>'
            f'<geom type="sphere" size="{table.radius}" mass="1"/><site name="b{i}"/></body>'
        )
    tendons, rods = [], []
    for i, j in itertools.combinations(range(len(places)), 2):
        if links[i, j] == NONE:
            continue
        apart = float(np.linalg.norm(places[i] - places[j]))
        spring = f'stiffness="{float(stiff[i, j])!r}" springlength="{apart!r}"' if links[i, j] == SPRING else ""
        tendons.append(f'<spatial name="t{i}_{j}" {spring}><site site="b{i}"/><site site="b{j}"/></spatial>')
        if links[i, j] == ROD:
            rods.append(f'<tendon tendon1="t{i}_{j}" solref="{2 * table.step} 1" solimp="0.99 0.999 0.001"/>')
    world.append("</worldbody>")
    world.append("<tendon>" + "".join(tendons) + "</tendon><equality>" + "".join(rods) + "</equality></mujoco>")
    return "".join(world)


def make_scene(
    seed: int, index: int, table: SimulationConfig | None = None
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Generate positions (T, B, 2) and links (B, B) of a scene from the seed, its number and the table alone.

    Raises:
        DataError: MuJoCo is not installed.
    """
    table = table or SimulationConfig()
    draw = generator(seed, "springs", index)
    places = _places(draw, table)
    velocities = np.array([draw.uniform(-table.speed, table.speed) for _ in range(2 * BALLS)]).reshape(BALLS, 2)
    links = np.zeros((BALLS, BALLS), np.uint8)
    stiffness = np.zeros((BALLS, BALLS))
    pairs = list(itertools.combinations(range(BALLS), 2))
    for i, j in draw.sample(pairs, draw.randint(*table.links)):
        links[i, j] = links[j, i] = ROD if draw.random() < table.rods else SPRING
        stiffness[i, j] = stiffness[j, i] = draw.uniform(*table.stiffness)
    return simulate(places, velocities, links, stiffness, table=table), links


def _places(draw: random.Random, table: SimulationConfig) -> NDArray[np.float64]:
    """Ten balls that touch neither each other nor a wall."""
    low, high, apart = 1.5 * table.radius, 1 - 1.5 * table.radius, 2.5 * table.radius
    while True:
        placed: list[tuple[float, float]] = []
        for _ in range(200):  # a crowded beginning is given up
            here = draw.uniform(low, high), draw.uniform(low, high)
            if all(math.dist(here, other) >= apart for other in placed):
                placed.append(here)
            if len(placed) == BALLS:
                return np.array(placed)


# --- many -------------------------------------------------------------------------------------------------------------

_CHUNK = 64


def _chunk(
    seed: int, start: int, count: int, table: SimulationConfig
) -> list[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    return [make_scene(seed, start + i, table) for i in range(count)]


def generate_springs(
    count: int,
    seed: int = 0,
    *,
    start: int = 0,
    table: SimulationConfig | None = None,
    jobs: int = 1,
    progress: CountProgress | None = None,
) -> SpringsArrays:
    """Generate scenes number `start` on; scene i depends on the seed, i and the table alone.

    Args:
        jobs: processes; a scene takes some 30 ms of one core.
        progress: called with the number of finished scenes, and of all.

    Raises:
        DataError: MuJoCo is not installed; a worker process died.
        ValueError: a number is negative.
    """
    if min(count, start) < 0 or jobs < 1:
        raise ValueError("count and start are 0 or more, jobs 1 or more")
    table = table or SimulationConfig()
    _mujoco()  # refuses before any work
    data = SpringsArrays(
        np.zeros((count, FRAMES, BALLS, 2), np.float32),
        np.zeros((count, BALLS, BALLS), np.uint8),
        np.zeros(count, np.uint8),
    )
    done = 0
    for chunk in _chunks(count, seed, start, table, jobs):
        for positions, links in chunk:
            data.positions[done], data.links[done], data.systems[done] = positions, links, count_systems(links)
            done += 1
        if progress is not None:
            progress(done, count)
    return data


def _chunks(
    count: int, seed: int, start: int, table: SimulationConfig, jobs: int
) -> Iterator[list[tuple[NDArray[np.float32], NDArray[np.uint8]]]]:
    starts = range(0, count, _CHUNK)
    sizes = [min(_CHUNK, count - at) for at in starts]
    if jobs == 1 or len(starts) < 2:
        for at, size in zip(starts, sizes, strict=True):
            yield _chunk(seed, start + at, size, table)
        return
    pool = ProcessPoolExecutor(
        min(jobs, len(starts)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,  # Ctrl-C is the parent's to handle
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        waiting = [pool.submit(_chunk, seed, start + at, size, table) for at, size in zip(starts, sizes, strict=True)]
        for future in waiting:
            yield future.result()
    except BrokenProcessPool:
        raise DataError("a worker process ended before its time; if memory ran out, use fewer jobs") from None
    finally:
        pool.shutdown(cancel_futures=True)


def write_springs(
    out: str | Path,
    *,
    scenes: int,
    validation: int = 0,
    seed: int = 0,
    table: SimulationConfig | None = None,
    jobs: int = 1,
    overwrite: bool = False,
    progress: CountProgress | None = None,
) -> dict[str, Any]:
    """Make scenes and write them: train.npz, validation.npz, settings.json, and strip.png, the frames of a scene.

    Args:
        scenes: all of them; the last `validation` are withheld.
        overwrite: put the data set in the place of one that is there.

    Returns:
        The settings, as they are in the file, with how many scenes have how many systems.

    Raises:
        DataError: MuJoCo is not installed; the folder is not empty, or cannot be written.
        LockError: another process writes there.
        ValueError: there are fewer scenes than `validation`, or a number is negative.
    """
    from ... import __version__

    if not 0 <= validation <= scenes:
        raise ValueError(f"of {scenes} scenes, {validation} cannot be withheld")
    table = table or SimulationConfig()
    version = str(_mujoco().__version__)
    settings: dict[str, Any] = {
        "generator": f"nsreason {__version__} generate springs",
        "simulator": f"MuJoCo {version}",
        "scenes": scenes,
        "validation": validation,
        "seed": seed,
        "table": {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(table).items()},
    }
    with new_dataset(out, settings, generator=settings["generator"], overwrite=overwrite) as dataset:
        data = generate_springs(scenes, seed, table=table, jobs=jobs, progress=progress)
        dataset.counts["scenes"] = scenes
        return _written(dataset.folder, data, settings, table.radius)


def _written(folder: Path, data: SpringsArrays, settings: dict[str, Any], radius: float) -> dict[str, Any]:
    """Write scenes to a folder; returns the settings with what there is of each kind."""
    from .draw import write_strip

    systems = np.bincount(data.systems, minlength=BALLS + 1)[1:]
    settings |= {
        "systems": {str(n): int(count) for n, count in enumerate(systems, 1)},
        "links": {"spring": int((data.links == SPRING).sum()) // 2, "rod": int((data.links == ROD).sum()) // 2},
    }
    cut = len(data.links) - settings["validation"]
    for split, part in zip(SPLITS, (slice(cut), slice(cut, None)), strict=True):
        write_arrays(folder / f"{split}.npz", {f.name: getattr(data, f.name)[part] for f in fields(data)})
    if len(data.links):
        shown = np.array([(data.links == kind).any(axis=(1, 2)) for kind in (SPRING, ROD)]).sum(0)
        write_strip(folder / "strip.png", data, int(shown.argmax()), radius=radius)
    write_settings(folder / "settings.json", settings)
    return settings
