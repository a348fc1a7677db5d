"""A training run of the toy model as a process of its own, to be killed, interrupted, or run on several devices.

    python -m tests.support.toy_run FOLDER [--resume] [--pause SECONDS] [--hang-at STEP] [training.key=value ...]

Prints `step N` after each step, and in the end the row of metrics.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from nsreason.cli.exit_codes import ended
from nsreason.training.recipe import new_model, parse_recipe
from nsreason.training.run_log import Status
from nsreason.training.trainer import train
from tests.support.toy_models import examples

RECIPE = """
model = "tests.support.toy_models:Toy"
[training]
accelerator = "cpu"
threads = 1
epochs = 3
batch_size = 8
lr = 0.01
weight_decay = 0.01
"""


def say(line: str) -> None:
    """One line in one write: two processes write to the same pipe, and `print` writes a line and its end apart."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--hang-at", type=int)
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_args()
    recipe = parse_recipe(RECIPE, overrides=options.overrides)

    def progress(status: Status) -> None:
        say(f"step {status.step}")
        time.sleep(3600 if status.step == options.hang_at else options.pause)

    model = new_model(recipe)
    result = train(
        model, examples(91), examples(30, 1), recipe, options.folder, resume=options.resume, progress=progress
    )
    if result.steps:
        say(json.dumps(result.metrics))


if __name__ == "__main__":
    sys.exit(ended(main, as_json=False))
