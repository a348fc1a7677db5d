"""Images by their file names: the one rule by which every reader and scorer finds the image that a name means.

A name means the image of the same whole path; else, of those with the same bare name (without folders), the only one,
or the only one of which one path is the tail of the other (`cam1/7.png` of `data/cam1/7.png`); else the name is
ambiguous, and the error lists them. Where many names are looked up at once, two of different folders never mean one
image. Both kinds of slash are the same.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import DataError, did_you_mean

_SHOWN = 4  # names in a message
_NEAR = 1000  # names among which near ones are looked for: every missing image is compared with all of them
_NUMBER = re.compile(r"(\d{1,18})\.[A-Za-z]+$")


def parts(name: str) -> tuple[str, ...]:
    """The folders of a file name and its bare name; empty parts and `.` say nothing."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def bare_name(name: str) -> str:
    """A file name without folders, of either kind of path."""
    return name.replace("\\", "/").rpartition("/")[2]


def called(paths: Sequence[Path]) -> dict[Path, str]:
    """What image files are called in other files: by their bare names, and by their paths where several have one."""
    times = Counter(path.name for path in paths)
    return {path: path.name if times[path.name] == 1 else path.as_posix() for path in paths}


def number_at_end(name: str) -> int | None:
    """The number before a file name's ending, 7 of `CLEVR_val_000007.png`; None where there is none."""
    digits = _NUMBER.search(name)
    return int(digits[1]) if digits else None


def _tail(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one path is the tail of the other."""
    short = min(len(one), len(other))
    return one[-short:] == other[-short:]


class ImageNames:
    """Names of images, in order, to look others up in. None stands for an image without a name."""

    def __init__(self, names: Iterable[str | None]) -> None:
        self._names = list(names)
        self._whole: dict[tuple[str, ...], list[int]] = {}
        self._ends: dict[tuple[str, ...], list[int]] = {}  # by each tail of a path, its bare name included
        for place, name in enumerate(self._names):
            if name is not None and (path := parts(name)):
                self._whole.setdefault(path, []).append(place)
                for start in range(len(path)):
                    self._ends.setdefault(path[start:], []).append(place)

    def __iter__(self) -> Iterator[str | None]:
        return iter(self._names)

    def find(self, name: str) -> list[int]:
        """The places of the images that a name may mean: one where it is clear, none, or several."""
        path = parts(name)
        if not path:
            return []
        if path in self._whole:
            return self._whole[path]
        same_name = self._ends.get(path[-1:], [])
        if len(same_name) > 1:
            longer, shorter = self._ends.get(path, []), (self._whole.get(path[n:], []) for n in range(1, len(path)))
            tails = [*longer, *itertools.chain.from_iterable(shorter)]
            return tails if len(tails) == 1 else same_name
        return same_name

    def place(self, name: str) -> int:
        """The place of the image that a name means.

        Raises:
            DataError: there is no such image, or there are several.
        """
        places = self.find(name)
        if len(places) == 1:
            return places[0]
        if not places:
            bare = [path[-1] for path in self._whole] if len(self._whole) <= _NEAR else []
            raise DataError(f"no image '{name}'{did_you_mean(bare_name(name), dict.fromkeys(bare)) if name else ''}")
        raise DataError(f"several images are called '{name}': {self.shown(places)}; name one by its whole path")

    def places(self, names: Iterable[str]) -> list[int | DataError]:
        """The places of the images that names mean, or why one means none: several names are looked up together.

        `cam1/7.png` and `cam2/7.png` are two images: where only a `7.png` is known, neither is taken for it.
        """
        names = list(names)
        results: list[int | DataError] = []
        claims: dict[int, list[tuple[str, ...]]] = {}
        for name in names:
            try:
                at = self.place(name)
            except DataError as error:
                results.append(error)
            else:
                results.append(at)
                claims.setdefault(at, []).append(parts(name))
        for i, (name, place) in enumerate(zip(names, results, strict=True)):
            if isinstance(place, int) and parts(name) not in self._whole:
                other = next((p for p in claims[place] if not _tail(p, parts(name))), None)
                if other is not None:
                    both = f"'{name}' and '{'/'.join(other)}'"
                    results[i] = DataError(f"by their bare names, {both} would both be '{self._names[place]}'")
        return results

    def shown(self, places: Iterable[int]) -> str:
        """Names of images for a message."""
        names = [f"'{self._names[place]}'" for place in places]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + more
