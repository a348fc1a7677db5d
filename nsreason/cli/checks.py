"""What can be said of arguments and files before torch is loaded, which takes seconds: nobody waits for a typing error.

The functions that use a file read it again, and know more of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from ..errors import DataError, did_you_mean
from ..io.files import missing
from . import output

if TYPE_CHECKING:
    from ..dsl.domain import Domain
    from ..training.checkpoint_file import Head

Bundled = Literal["detector", "scene-parser", "concept-learner"]


def file(path: str) -> None:
    """Raise DataError when a path is no file that is there; `-`, standard input, is left alone."""
    if path == "-":
        return
    place = Path(path)
    if place.is_dir():
        raise DataError(f"{path}: cannot be read: it is a folder")
    if not place.exists():
        raise missing(place)


def scenes(path: str) -> None:
    """Raise DataError when neither a file nor a folder of scenes is there."""
    if not Path(path).is_dir():
        file(path)


def folder(path: str, option: str) -> None:
    """Raise DataError when a path, or one of several with commas between, is no folder that is there."""
    for part in [path] if Path(path).is_dir() else path.split(","):
        if not Path(part.strip()).is_dir():
            what = "is a file, not a folder" if Path(part.strip()).exists() else "there is no such folder"
            raise DataError(f"{part.strip()}: {what} ({option})")


def data(path: str, option: str) -> None:
    """Raise DataError when data are not there: a folder, several with commas between, or an archive of files."""
    if not Path(path).is_file():
        folder(path, option)


def new_folder(path: str, option: str) -> None:
    """Raise DataError when a path that is to be a folder is a file."""
    place = Path(path)
    for part in (place, *place.parents):
        if part.exists():
            if not part.is_dir():
                raise DataError(f"{path}: {part} is a file, not a folder ({option})")
            return


def output_file(path: str | None, option: str) -> None:
    """Raise DataError when a file cannot be written because its folder is not there, before the work is done."""
    if path in (None, "-"):
        return
    assert path is not None
    if Path(path).is_dir():
        raise DataError(f"{path} is a folder; {option} takes the name of a file")
    if not Path(path).parent.is_dir():
        raise DataError(f"{path}: there is no folder {Path(path).parent} ({option})")


def image(path: str) -> None:
    """Raise DataError when a file is not there, or does not begin as an image does."""
    from ..io.images import read_header

    file(path)
    read_header(path)


def checkpoint(path: str, *models: str) -> Head:
    """The head of a checkpoint.

    Args:
        models: those that would do; none given, any does.

    Raises:
        CheckpointError: there is no checkpoint, or it is of another model.
    """
    from ..training.checkpoint_file import read_head

    return read_head(path, *models)


def bundled(name: Bundled) -> Path:
    """The checkpoint of bundled weights; see `perception.bundled`."""
    from ..perception.bundled import bundled as bundled_path

    return bundled_path(name)


def looking(by: str | None, checkpoint_: str | None, detector: str | None) -> Head:
    """The head of what is to see images, after checking that all its checkpoints are there.

    Raises:
        CheckpointError: one is not, is of another model, or no weights are bundled.
    """
    if detector is not None:
        checkpoint(detector, "detector")
    kinds = ("scene-parser", "concept-learner") if by is None else (by,)
    if checkpoint_ is not None:
        return checkpoint(checkpoint_, *kinds)
    name: Bundled = "concept-learner" if by == "concept-learner" else "scene-parser"
    return checkpoint(str(bundled(name)))


def same_domain(given: str, head: Head, of: str) -> Domain:
    """The domain of `--domain`, which is to be that of a model.

    Args:
        of: the option that names the model: `--image`, `--checkpoint`.

    Raises:
        DomainError: there is no such domain. UsageError: the model knows another one.
    """
    from ..dsl.domain import load_domain

    domain = load_domain(given)
    if head.domain is not None and domain != load_domain(head.domain):
        model = f"the {head.model} of {of}"
        raise output.UsageError(
            f"--domain {given} does not go with {of}: {model} was trained on the domain '{head.domain}' and knows no "
            f"other; train one on yours, or leave --domain out"
        )
    return domain


def domain_of(given: str | None, head: Head, of: str) -> Domain:
    """The domain of a model, which `--domain` may name, too; see `same_domain`."""
    from ..dsl.domain import load_domain

    if given is not None:
        return same_domain(given, head, of)
    return load_domain(head.domain or "clevr")


def one_of(name: str, known: Iterable[str], what: str) -> None:
    """Raise UsageError when a name is not in a table; `module:Class` stands for one's own."""
    if ":" not in name and name not in known:
        raise output.UsageError(
            f"no {what} '{name}'{did_you_mean(name, known)}; there are: {', '.join(known)}; "
            "or give your own as 'module:Class'"
        )


def weights_for(model: str, given: str) -> None:
    """Check what `train --from` names.

    Raises:
        UsageError: no weights of the model come with the package. CheckpointError: there is no such checkpoint.
    """
    if given != "bundled":
        checkpoint(given, model)
        return
    if model not in get_args(Bundled):
        known = ", ".join(get_args(Bundled))
        raise output.UsageError(
            f"no weights of the model '{model}' are bundled, only of {known}; name a checkpoint's file"
        )
    bundled(model)  # type: ignore[arg-type] # it is one of them
