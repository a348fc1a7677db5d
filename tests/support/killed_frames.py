"""A concept learner that trains on mapped images, in processes that are killed.

    python -m tests.support.killed_frames DATA FRAMES RUN 6 3

Two processes, one after the other, end by SIGKILL: when the seventh image is read to be written to its file, and after
the third step of training, before its checkpoint.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from nsreason.dsl.domain import load_domain
from nsreason.models.nscl.data import ConceptData
from nsreason.models.nscl.frames import ImageWithDetections
from nsreason.models.nscl.image_data import load_image_data
from nsreason.training.recipe import Recipe, new_model, parse_recipe
from nsreason.training.run_log import Status
from nsreason.training.trainer import train

RECIPE = """
model = "concept-learner"
[model_config]
features = "regions"
[model_config.regions]
size = [80, 120]
crop = 16
width = 24
pairs = 16
[training]
accelerator = "cpu"
threads = 1
epochs = 2
batch_size = 8
checkpoint_every = 2
lr = 0.01
"""


def recipe() -> Recipe:
    return parse_recipe(RECIPE)


def run(data: Path, frames: str, folder: Path, **more: Any) -> Any:
    """Train, with images in memory if `frames` is empty; returns the model."""
    chosen = recipe()
    model = new_model(chosen)
    split = load_image_data(data, load_domain("clevr"), model.config.regions, ConceptData(held_out=0.25, frames=frames))
    train(model, split.train, split.valid, chosen, folder, **more)
    return model


def main() -> None:
    data, frames, folder, image, step = sys.argv[1:]
    read, images, most = ImageWithDetections.read, 0, int(image)

    def counted(self: ImageWithDetections, regions: Any) -> Any:
        nonlocal images
        images += 1
        if images > most:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(self, regions)

    def progress(status: Status) -> None:
        if status.step == int(step):
            os.kill(os.getpid(), signal.SIGKILL)

    ImageWithDetections.read = counted  # type: ignore[method-assign]
    for _ in range(2):
        child = os.fork()
        if not child:
            run(Path(data), frames, Path(folder), resume=True, progress=progress)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        most = sys.maxsize  # the second one writes the whole file
        print(*sorted(p.suffix for p in Path(frames).iterdir() if "lock" not in p.name), flush=True)


if __name__ == "__main__":
    main()
