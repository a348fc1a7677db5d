"""Write the weights that come with the package from the runs that made them, in float16.

    nsreason generate clevr --scenes 5000 --images --seed 7 --out drawn
    nsreason train detector --recipe detector-small --data drawn --out runs/detector
    nsreason train scene-parser --recipe scene-parser --data drawn --out runs/scene-parser
    python -m benchmarks.bundle_weights --data-seed 7 --detector runs/detector --scene-parser runs/scene-parser

A run is the folder of `nsreason train`; its best checkpoint is taken, or the last where there is no best one. The
metadata of each have the run's recipe, and in `made` the data's seed and what else is said here. All together may take
25 MB.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from nsreason import __version__
from nsreason.errors import NsreasonError
from nsreason.perception.bundled import WEIGHTS
from nsreason.training.checkpoint import load_checkpoint, load_model, save_half

MOST = 25_000_000  # bytes of all weights together
NAMES = ("detector", "scene-parser", "concept-learner")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bundle_weights", description=(__doc__ or "").split("\n")[0]
    )
    for name in NAMES:
        parser.add_argument(f"--{name}", type=Path, metavar="RUN", help=f"the folder of a run of the {name}")
    parser.add_argument("--data-seed", type=int, required=True, help="of the generated images")
    parser.add_argument("--note", default="", help="what else the weights have learned from")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="default: the package's own folder")
    options = parser.parse_args(arguments)
    runs = {name: getattr(options, name.replace("-", "_")) for name in NAMES}
    if not any(runs.values()):
        parser.error("no run is named")
    origin = {
        "data_seed": options.data_seed,
        "note": options.note,
        "date": date.today().isoformat(),
        "version": __version__,
    }
    try:
        for name, run in runs.items():
            if run is None:
                continue
            best = run / "best.safetensors"
            checkpoint = load_checkpoint(best if best.exists() else run / "last.safetensors")
            if checkpoint.model != name:
                raise SystemExit(f"{checkpoint.path}: of the model '{checkpoint.model}', not of '{name}'")
            path = save_half(checkpoint, options.out, name, origin=origin)
            load_model(path)  # that it reads back
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    except NsreasonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    total = sum(p.stat().st_size for p in options.out.iterdir() if p.is_file())
    if total > MOST:
        print(f"error: {options.out} holds {total / 1e6:.1f} MB, more than {MOST / 1e6:.0f}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
