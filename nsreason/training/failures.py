"""Errors that are not this package's, in words; their tracebacks are kept for whoever mends them."""

from __future__ import annotations

import traceback
from pathlib import Path

from ..io.files import atomic_write


def unexpected(folder: Path, name: str, error: Exception) -> str:
    """What broke off, in a sentence; `failures/NAME.txt` in the folder gets the traceback."""
    path = folder / "failures" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write("".join(traceback.format_exception(error)).encode(errors="backslashreplace"))
    where = f"{path.parent.name}/{path.name} has the traceback"
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return f"it ran out of memory; a smaller training.batch_size needs less; {where}"
    return f"it broke off with an unexpected {type(error).__name__}: {error!s:.300}; {where}"
