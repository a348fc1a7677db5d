"""Scene files: the official CLEVR layout, a list, lines, or one scene; annotated or as a detector gives them.

for scene in read_scenes("CLEVR_val_scenes.json"): ...        # Scene | BadRecord, one at a time
scenes = load_scenes("CLEVR_val_scenes.json.gz")              # all of them, to look up
scenes.by_index(12)
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ..dsl.domain import Domain, load_domain
from ..errors import DataError, SceneError
from ..io.files import atomic_write
from ..scenes.scene import ObjectPlace, Scene
from .image_names import ImageNames
from .records import BadRecord, Records, read_records

PackedScenes = tuple[str, int, dict[int, str], list[tuple[Any, ...]]]


def read_scenes(path: str | Path, domain: Domain | str | Path = "clevr") -> Iterator[Scene | BadRecord]:
    """The scenes of a file in order; one that is not valid is a BadRecord in its place.

    A scene without `image_index` has its position in the file for one. A scene whose image_index an
    earlier one has is a BadRecord, since a question could mean either.

    Raises:
        DataError: the file cannot be read, or is not a scene file.
        DomainError: there is no such domain.
    """
    domain = load_domain(domain)  # here, not at the first scene, so that a wrong name is found at the call
    return _scenes(read_records(path, "scenes"), domain)


def _scenes(records: Records, domain: Domain) -> Iterator[Scene | BadRecord]:
    first: dict[int, int] = {}
    for i, raw in enumerate(records):
        try:
            scene = Scene.from_json(bytes(raw) if isinstance(raw, memoryview) else raw, domain)
        except SceneError as error:
            yield BadRecord(i, error.under(records.where(i)), records.source)
            continue
        if scene.index is None:
            scene.index = i
        before = first.setdefault(scene.index, i)
        if before != i:
            yield BadRecord(i, RepeatedIndexError(scene.index, records.where(before), records.where(i)), records.source)
            continue
        yield scene


class RepeatedIndexError(SceneError):
    """A scene whose image_index an earlier one has."""

    def __init__(self, index: int, first: str, where: str) -> None:
        super().__init__(f"image_index {index} is already that of {first}", path=f"{where}.image_index")
        self.index, self.both = index, f"{first} and {where}"

    def record(self) -> dict[str, object]:
        return super().record() | {"kind": "SceneError"}


@dataclass
class SceneFile:
    """The scenes of a file, in order, with look-up by image.

    Attributes:
        scenes: the valid scenes.
        bad: the records that are not valid scenes.
        source: the file's name.
        info: the official layout's `info`, or None.

    Several scenes may have one image_index, among `scenes` or in `bad`: a question that gives no file name could then
    mean either, and is refused.
    """

    scenes: list[Scene]
    bad: list[BadRecord] = field(default_factory=list)
    source: str = "scenes"
    info: Any = None
    _digest: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._lost = len(self.bad)
        self._index: dict[int, list[int]] = {}
        self._repeated = {b.error.index: b.error.both for b in self.bad if isinstance(b.error, RepeatedIndexError)}
        self._names = ImageNames(scene.image for scene in self.scenes)
        for place, scene in enumerate(self.scenes):
            index = place if scene.index is None else scene.index
            self._index.setdefault(index, []).append(place)

    def __len__(self) -> int:
        return len(self.scenes)

    def __iter__(self) -> Iterator[Scene]:
        return iter(self.scenes)

    def by_index(self, image_index: int) -> Scene:
        """The scene of an image_index.

        Raises:
            DataError: there is none.
        """
        return self.scenes[self.place(image_index, None)]

    def by_image(self, filename: str) -> Scene:
        """The scene of an image file.

        Raises:
            DataError: there is none, or there are several.
        """
        return self.scenes[self.place(None, filename)]

    def place(self, image_index: int | None, filename: str | None) -> int:
        """Where in `scenes` the scene is that a record names by number, by file name (see `image_names`) or by both.

        Raises:
            DataError: there is none, there are several, or number and file name are of different scenes.
        """
        if image_index is not None:
            return self._numbered(image_index, filename)
        if filename is None:
            raise DataError("names no image: image_index and image_filename are both missing")
        matches = self._names.find(filename)
        if not matches:
            raise DataError(f"no scene has the image_filename '{filename}'{self._range()}")
        if len(matches) > 1:
            several = f"several scenes have the image_filename '{filename}': {self._names.shown(matches)}"
            raise DataError(f"{several}; give an image_index")
        return matches[0]

    def _numbered(self, image_index: int, filename: str | None) -> int:
        places = self._index.get(image_index)
        if places is None:
            raise DataError(f"no scene has the image_index {image_index}{self._range()}")
        named = [] if filename is None else [p for p in places if p in self._names.find(filename)]
        if len(named) == 1:
            return named[0]
        if len(places) > 1 or image_index in self._repeated:
            names = [self.scenes[p].image for p in places]
            both = self._repeated.get(image_index) or " and ".join(f"'{n}'" for n in names)
            why = "could mean either" if filename is None else f"is about {filename}, which does not tell them apart"
            raise DataError(f"two scenes have the image_index {image_index}, {both}; a question {why}")
        image = self.scenes[places[0]].image
        if filename is not None and image is not None:
            raise DataError(
                f"image_index {image_index} is {image} among the scenes, but {filename} here; "
                "are the two files of one split?"
            )
        return places[0]

    def _range(self) -> str:
        """Which scenes there are, for messages."""
        if not self._index:
            return f" ({self.source} has no valid scene)"
        low, high = min(self._index), max(self._index)
        bad = f", {self._lost} more are not valid" if self._lost else ""
        return f" ({self.source} has {len(self)} scenes, image_index {low} to {high}{bad})"

    def digest(self) -> str:
        """A fingerprint of the scenes: their values and relations, and what they are looked up by."""
        if self._digest is None:
            digest = hashlib.blake2b(digest_size=16)
            for scene in self.scenes:
                digest.update(msgspec.json.encode((scene.index, scene.image, scene.to_dict())))
            self._digest = digest.hexdigest()
        return self._digest

    def pack(self) -> PackedScenes:
        """What executing needs of the scenes (values, relations, names), to send to another process."""
        packed: list[tuple[Any, ...]] = []
        for scene in self.scenes:
            rows = {}
            for number in range(len(scene.domain.relations)):
                with contextlib.suppress(SceneError):
                    table = scene.relation(number)
                    if any(table) or not scene.domain.file.closed:  # a closed domain takes absent for empty
                        rows[number] = table
            values = [scene.encoded(i) for i in range(len(scene))]
            packed.append((scene.index, scene.image, values, rows, scene._faults, len(scene)))
        return self.source, len(self.bad), self._repeated, packed

    @classmethod
    def unpack(cls, packed: PackedScenes, domain: Domain) -> SceneFile:
        """The scenes of `pack`."""
        source, bad, repeated, records = packed
        scenes = []
        for index, image, values, rows, faults, n in records:
            scene = Scene(domain, values, [_NOWHERE] * n, index=index, image=image)
            scene._relations.update(rows)
            scene._faults = faults
            scenes.append(scene)
        file = cls(scenes, [], source)
        file._lost, file._repeated = bad, repeated
        return file


_NOWHERE = ObjectPlace()


def load_scenes(path: str | Path, domain: Domain | str | Path = "clevr") -> SceneFile:
    """All scenes of a file, for look-up; see `read_scenes`.

    Raises:
        DataError: the file cannot be read, or is not a scene file.
        DomainError: there is no such domain.
    """
    domain = load_domain(domain)
    records = read_records(path, "scenes")
    scenes: list[Scene] = []
    bad: list[BadRecord] = []
    with _no_collection():
        for record in _scenes(records, domain):
            if isinstance(record, Scene):
                scenes.append(record)
            else:
                bad.append(record)
    return SceneFile(scenes, bad, records.source, records.info, records.digest())


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Without the garbage collector, which would look at all scenes again and again, with none to free."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def write_scenes(path: str | Path, scenes: Iterable[Scene], *, info: Mapping[str, object] | None = None) -> int:
    """Write scenes in the official layout, atomically; returns how many.

    Raises:
        DataError: the file cannot be written.
    """
    return write_records(path, "scenes", (s.to_dict() for s in scenes), info)


def write_records(
    path: str | Path, key: str, records: Iterable[Mapping[str, object]], info: Mapping[str, object] | None
) -> int:
    """Write `{"info": ..., key: [...]}` one record at a time, atomically; returns how many."""
    count = 0
    encode = msgspec.json.Encoder().encode
    with atomic_write(path) as file:
        file.write(b'{"info":' + encode(info or {}) + b',"' + key.encode() + b'":[')
        for record in records:
            file.write((b",\n" if count else b"\n") + encode(record))
            count += 1
        file.write(b"\n]}\n")
    return count
