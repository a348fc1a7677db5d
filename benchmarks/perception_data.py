"""The data that perception is trained and measured on: rendered images, and the released ones with masks.

    python -m benchmarks.perception_data --out data/perception [--rendered 5000] [--jobs 2]

Writes rendered/ (seed 7), rendered-held-out/ (300 images, seed 8), and, where NSREASON_DATA names the released images,
real/ (160 of them) and real-held-out/ (every fifth, from which nothing is learned).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

HELD_OUT = 5  # every so many-th released image


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rendered", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rendered(options.out / "rendered", options.rendered, 7, options.jobs)
    rendered(options.out / "rendered-held-out", 300, 8, options.jobs)
    real(options.out)


def rendered(folder: Path, scenes: int, seed: int, jobs: int) -> None:
    """Rendered images with ten questions each."""
    from nsreason.generators import write_dataset

    if (folder / "instances.json").exists():
        return
    summary = write_dataset(folder, scenes=scenes, seed=seed, images=(480, 320), jobs=jobs)
    print(
        f"{folder}: {summary.scenes} images in {summary.seconds:.0f} s, {summary.scenes / summary.seconds:.2f} images/s"
    )


def real(out: Path) -> None:
    """The released images with masks, in two parts."""
    from nsreason.generators.clevr.released import annotate

    data = os.environ.get("NSREASON_DATA")
    if data is None:
        print("no released images: NSREASON_DATA is not set")
        return
    clevr = Path(data) / "clevr"
    for name, keep in (("real", _learned), ("real-held-out", _held_out)):
        scenes, questions = clevr / "CLEVR_train_scenes.json", clevr / "CLEVR_train_questions.json"
        summary = annotate(scenes, clevr / "images", questions, out / name, keep=keep, overwrite=True)
        pixels = np.array(summary.pixels)
        print(
            f"{out / name}: {summary.images} images, {summary.objects} objects, {summary.questions} questions; "
            f"fitted cameras are {pixels.mean():.2f} pixels off on average, {pixels.max():.2f} in the worst image"
        )


def _held_out(place: int) -> bool:
    return place % HELD_OUT == HELD_OUT - 1


def _learned(place: int) -> bool:
    return not _held_out(place)


if __name__ == "__main__":
    main()
