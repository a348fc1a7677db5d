"""Write what the renders of training look like to the bundled detector (`nsreason.perception.familiarity`).

    python -m benchmarks.familiarity                       # renders 600 scenes with a fixed seed: some minutes
    python -m benchmarks.familiarity --check FOLDER        # how many images of a folder are warned of

Every second render gives the norms, the others the threshold. Run it again when the detector's weights change.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from nsreason import __version__
from nsreason.data.image_folder import find_images
from nsreason.errors import NsreasonError
from nsreason.generators import write_dataset
from nsreason.io.image_tensors import read_image
from nsreason.perception.bundled import bundled
from nsreason.perception.detector.detector import Detector
from nsreason.perception.familiarity import FILE, Familiarity, Norms, NormsOrigin, features_of, statistics
from nsreason.perception.letterbox import Letterbox
from nsreason.reasoners.image_pipeline import FRAME
from nsreason.training.checkpoint import load_model

SEED, SCENES = 2026, 600


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.familiarity", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--images", type=Path, help="the folder of renders of that seed, if there is one")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--check", type=Path, nargs="+", default=[], help="only print the warnings of these images")
    options = parser.parse_args(arguments)
    try:
        detector = load_model(bundled("detector"), "detector")
        if options.check:
            return check(detector, options.check)
        origin = NormsOrigin(options.scenes, options.seed, __version__, _today())
        if options.images is not None:
            return write(detector, options.images, options.out, origin)
        with TemporaryDirectory() as folder:
            write_dataset(folder, scenes=options.scenes, seed=options.seed, images=FRAME)
            return write(detector, Path(folder) / "images", options.out, origin)
    except NsreasonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _today() -> str:
    return date.today().isoformat()


def fitted(path: Path) -> Tensor:
    """An image as the models see it."""
    image = read_image(path)
    return Letterbox.of((image.shape[2], image.shape[1]), FRAME).image(image)


def write(detector: Detector, folder: Path, out: Path, origin: NormsOrigin) -> int:
    paths = find_images([folder])
    features = torch.cat([features_of(detector, [fitted(p)]) for p in paths])
    norms = Norms.of(features[::2], features[1::2], [statistics(fitted(p)) for p in paths], origin)
    norms.save(out)
    distances = norms.distances(features[1::2])
    print(f"{out}: threshold {norms.threshold:.2f}, held-out renders up to {float(distances.max()):.2f}")
    return 0


def check(detector: Detector, folders: Sequence[Path]) -> int:
    familiarity = Familiarity.of_bundled(detector)
    paths = find_images(folders)
    warned, most = 0, 0.0
    for path in paths:
        image = fitted(path)
        distance = float(familiarity.norms.distances(features_of(detector, [image]))[0])
        [warning] = familiarity.warnings([image])
        if warning is None:
            most = max(most, distance)
        else:
            warned += 1
            print(f"{path.name}: {warning}")
    threshold = familiarity.norms.threshold
    print(f"{warned} of {len(paths)} images are warned of; the others lie up to {most:.2f} of {threshold:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
