"""Named numpy arrays on disk: an .npz beside a JSON of how it was made. Nothing is pickled, and nothing unpickled.

The same arrays make the same bytes: the times in the zip are fixed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..io.decoding import decode
from ..io.files import atomic_write, read_bytes, write_json
from ..io.unpacking import Unpacking
from .dataset_folder import refuse_incomplete

Array = NDArray[Any]


def write_arrays(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays to an .npz file, atomically.

    Raises:
        DataError: the file cannot be written.
        ValueError: an array holds Python objects, which only a pickle could keep.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"the array '{name}' holds Python objects; give it a numeric dtype")
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy types the names as flags


def read_arrays(path: str | Path, expected: Mapping[str, tuple[tuple[int | str, ...], type]]) -> dict[str, Array]:
    """Read the arrays of an .npz file and check their shapes.

    Args:
        expected: for each name its shape, in which a letter stands for any length that is the same everywhere, and
            its kind (`np.uint8`).

    Raises:
        DataError: the file is missing or damaged, unpacks to more than `unpacking` allows, or an array is missing or
            of another shape or kind.
    """
    refuse_incomplete(path)
    data = read_bytes(path)
    try:
        with np.lib.npyio.NpzFile(io.BytesIO(data), allow_pickle=False) as archive:
            assert archive.zip is not None  # until it is closed
            sizes = sum(member.file_size for member in archive.zip.infolist())  # more than these are not unpacked
            Unpacking(path, len(data)).count(sizes)
            missing = sorted(set(expected) - set(archive.files))
            if missing:
                raise ValueError(f"it has no array {', '.join(map(repr, missing))}")
            arrays: dict[str, Array] = {name: archive[name] for name in expected}
    except DataError:
        raise
    except Exception as error:  # numpy's reader meets damage with errors of many kinds
        raise DataError(f"{path}: not a sound .npz file: {error}; generate it again") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # a member of the zip that is no array comes as bytes
            raise DataError(f"{path}: '{name}' is no array; generate it again")
    lengths: dict[str, int] = {}
    for name, (shape, kind) in expected.items():
        array = arrays[name]
        if array.dtype != np.dtype(kind):
            raise DataError(f"{path}: '{name}' is of kind {array.dtype}, not {np.dtype(kind)}; generate it again")
        wanted = tuple(
            lengths.setdefault(n, size) if isinstance(n, str) else n
            for n, size in zip(shape, array.shape, strict=False)
        )
        if len(shape) != array.ndim or wanted != array.shape:
            expected_shape = " x ".join(str(lengths.get(str(n), n)) for n in shape)
            raise DataError(
                f"{path}: '{name}' is {' x '.join(map(str, array.shape))}, not {expected_shape}; generate it again"
            )
    return arrays


def write_settings(path: str | Path, settings: Mapping[str, object]) -> None:
    """Write how a data set was made, as JSON for people, atomically.

    Raises:
        DataError: the file cannot be written.
    """
    write_json(path, settings)


def read_settings(path: str | Path) -> dict[str, Any]:
    """What `write_settings` wrote.

    Raises:
        DataError: the file is missing, or is not a JSON object.
    """
    refuse_incomplete(path)
    settings: dict[str, Any] = decode(
        bytes(read_bytes(path)),
        dict[str, Any],
        path,
        what="the settings of a data set, a JSON object",
        remedy="generate it again",
    )
    return settings
