"""A training run of the toy model that is killed at one of the moments at which its files change.

    python -m tests.support.killed_run FOLDER count                     prints how many such moments there are
    python -m tests.support.killed_run FOLDER NUMBER [NUMBER ...]       leaves FOLDER/NUMBER as a kill then does

A moment is before or after a file takes its name, or a row is appended to metrics.csv. Each run is a process of its
own, which ends by SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nsreason.training.recipe import Recipe, new_model, parse_recipe
from nsreason.training.run_log import CsvLog
from nsreason.training.trainer import train
from tests.support.toy_models import examples
from tests.support.toy_run import RECIPE

# A checkpoint at the last step of each epoch too, before the epoch's row is written.
SETTINGS = ("training.epochs=2", "training.batch_size=30", "training.checkpoint_every=2", "training.log_every=3")


def recipe() -> Recipe:
    return parse_recipe(RECIPE, overrides=SETTINGS)


def run(folder: Path, **more: Any) -> Any:
    """The run, whole or from where it stands; returns the model."""
    model = new_model(recipe())
    train(model, examples(91), examples(30, 1), recipe(), folder, **more)
    return model


def counted(moment: Callable[[], None]) -> None:
    """Call `moment` at each."""

    def around(former: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any, **kwargs: Any) -> Any:
            moment()
            result = former(*args, **kwargs)
            moment()
            return result

        return changed

    Path.replace = around(Path.replace)  # type: ignore[method-assign]
    CsvLog.add = around(CsvLog.add)  # type: ignore[method-assign]


def main() -> None:
    folder, seen = Path(sys.argv[1]), 0

    def moment() -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

    counted(moment)
    if sys.argv[2] == "count":
        at = -1
        run(folder)
        print(seen)
        return
    for number in sys.argv[2:]:
        at, seen = int(number), 0
        child = os.fork()
        if not child:
            run(folder / number)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, number


if __name__ == "__main__":
    main()
