"""The weights that come with the package: small ones, so that an image can be asked about without a download.

    load_model(bundled("detector"))

Each is a checkpoint in `weights/`, in float16; its metadata have the recipe and the data that it was made with.
`python -m benchmarks.bundle_weights` makes them anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from ..errors import CheckpointError

Bundled = Literal["detector", "scene-parser", "concept-learner"]

WEIGHTS = Path(__file__).parent / "weights"


def bundled(name: Bundled) -> Path:
    """The file of a bundled checkpoint.

    Raises:
        CheckpointError: this copy of the package has none of that name.
    """
    path = WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        known = [name for name in get_args(Bundled) if (WEIGHTS / f"{name}.safetensors").is_file()]
        has = f"it has {', '.join(known)}" if known else "it has none"
        hint = f"train one with `nsreason train {name}`, and name its checkpoint"
        raise CheckpointError(f"no weights of a {name} come with this copy of nsreason ({has}); {hint}")
    return path
