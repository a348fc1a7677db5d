"""Scenes: the objects of an image, their values, where they stand, and how they are related.

N objects. A set of objects is a bit set: bit i of an integer stands for object i, whatever the scene's size.

    scene = Scene.from_json(text, "clevr")       # one scene of the official CLEVR layout
    scene = Scene.of("clevr", [{"size": "large", "color": "red", "material": "metal", "shape": "cube"}])

A scene is crisp here: every value and relation holds or does not. A perception front end that is less sure
makes tables of degrees for the soft executors; both meet programs through the same `View`.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from .domain import Domain, load_domain
from .errors import SceneError, did_you_mean
from .relations import check_relationships, converse, members, rows_along

Vector = tuple[float, float, float]

__all__ = ["ObjectPlace", "Scene", "SceneRecord", "Vector", "converse", "members"]


class SceneRecord(msgspec.Struct):
    """The official layout of one scene. Keys that are not named here are ignored."""

    objects: list[msgspec.Raw]
    image_index: int | None = None
    image_filename: str | None = None
    relationships: dict[str, list[list[int]]] | None = None
    directions: dict[str, tuple[float, float, float]] | None = None
    split: str | None = None


class ObjectPlace(msgspec.Struct):
    """Where an object is, and what a detector said of it; the values of its attributes are read beside."""

    coords: tuple[float, float, float] | None = msgspec.field(name="3d_coords", default=None)
    pixel_coords: tuple[float, ...] | None = None
    rotation: float | None = None
    bbox: tuple[float, float, float, float] | None = None
    score: float | None = None
    mask: Any = None


class Scene:
    """One scene of one domain; not changed after it is built.

    Attributes:
        values: per attribute, the N concept numbers of the objects' values.
        concepts: per concept, the bit set of the objects that have it.
        places: per object, coordinates, pixel coordinates, box, mask and score where known.
        directions: unit vectors by name, from which relations are computed where the file has none.
        index, image: the scene's number in its data set and the name of its image file.
    """

    __slots__ = (
        "_given",
        "_relations",
        "_tables",
        "concepts",
        "directions",
        "domain",
        "image",
        "index",
        "places",
        "values",
    )

    domain: Domain
    values: list[list[int]]
    concepts: list[int]
    places: Sequence[ObjectPlace]
    directions: Mapping[str, Vector]
    index: int | None
    image: str | None
    _given: dict[str, list[int]]
    _relations: dict[int, list[int]]
    _tables: Any  # the executors' view of this scene, a function of the scene alone

    def __init__(
        self,
        domain: Domain | str,
        values: Sequence[Sequence[int]],
        places: Sequence[ObjectPlace],
        relationships: Mapping[str, Sequence[Sequence[int]]] | None = None,
        directions: Mapping[str, Vector] | None = None,
        index: int | None = None,
        image: str | None = None,
    ) -> None:
        """Build from encoded values, `values[object][attribute]`; the readers below start from names.

        Raises:
            SceneError: values or relationships do not fit the objects, or a coordinate is not finite.
        """
        self.domain = domain = load_domain(domain)
        n = len(values)
        if len(places) != n:
            raise SceneError(f"{n} objects have values, {len(places)} have places", path="$.objects")
        _check_values(domain, values)
        self.concepts = concepts = [0] * len(domain.concepts)
        for i, row in enumerate(values):
            bit = 1 << i
            for concept in row:
                concepts[concept] |= bit
        self.values = (
            [list(column) for column in zip(*values, strict=True)] if n else [[] for _ in domain.attributes]
        )
        self.places = places
        self.directions = directions or {}
        self.index, self.image = index, image
        self._relations = {}
        self._tables = None
        self._given = check_relationships(domain, relationships or {}, n)
        for i, place in enumerate(places):
            if place.coords is not None and not all(map(math.isfinite, place.coords)):
                raise SceneError("a coordinate is not finite", path=f"$.objects[{i}].3d_coords")
            if place.bbox is not None and not all(map(math.isfinite, place.bbox)):
                raise SceneError("a box is not finite", path=f"$.objects[{i}].bbox")
            if place.score is not None and not 0.0 <= place.score <= 1.0:
                raise SceneError(f"a score lies in 0..1, got {place.score}", path=f"$.objects[{i}].score")
        for name, vector in self.directions.items():
            if not all(map(math.isfinite, vector)):
                raise SceneError("a direction is not finite", path=f"$.directions.{name}")

    def __getstate__(self) -> tuple[Any, ...]:
        # What was computed from the scene stays behind: a scene is the same before and after it was asked.
        kept = (self.domain, self.values, self.concepts, self.places, self.directions, self.index, self.image)
        return (*kept, self._given)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.domain, self.values, self.concepts, self.places, self.directions = state[:5]
        self.index, self.image, self._given = state[5:]
        self._relations, self._tables = {}, None

    # --- reading --------------------------------------------------------------------------------------------

    @classmethod
    def from_json(cls, data: bytes | str | msgspec.Raw, domain: Domain | str = "clevr") -> Scene:
        """A scene from the JSON text of one scene.

        Raises:
            SceneError: with the JSON path of what is wrong.
        """
        domain = load_domain(domain)
        decode, decode_objects = _decoders(domain)
        try:
            record = decode(data)
        except msgspec.ValidationError as error:
            raise _with_keys(_scene_error(error, domain), data) from None
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return _lenient(data, domain, error)
        return cls._from_record(record, domain, decode_objects)

    @classmethod
    def from_dict(cls, data: object, domain: Domain | str = "clevr") -> Scene:
        """A scene from the same layout as Python data.

        Raises:
            SceneError: with the path of what is wrong.
        """
        domain = load_domain(domain)
        try:
            text = msgspec.json.encode(data)
        except (TypeError, OverflowError, RecursionError, ValueError) as error:
            raise SceneError(f"not JSON data: {error}") from None
        found = _not_finite(data)
        if found:
            raise SceneError("a number is not finite", path=found)
        return cls.from_json(text, domain)

    @classmethod
    def of(
        cls,
        domain: Domain | str,
        objects: Iterable[Mapping[str, object]],
        *,
        relationships: Mapping[str, Sequence[Sequence[int]]] | None = None,
        directions: Mapping[str, Sequence[float]] | None = None,
        index: int | None = None,
    ) -> Scene:
        """A scene from plain objects: `{"color": "red", ..., "3d_coords": [x, y, z]}`."""
        data: dict[str, object] = {"objects": [dict(o) for o in objects]}
        data |= {"relationships": relationships} if relationships is not None else {}
        data |= {"directions": directions} if directions is not None else {}
        data |= {"image_index": index} if index is not None else {}
        return cls.from_dict(data, domain)

    @classmethod
    def _from_record(cls, record: SceneRecord, domain: Domain, decode_objects: Any) -> Scene:
        values: list[tuple[int, ...]] = []
        places: list[ObjectPlace] = []
        read, place = decode_objects
        index = domain.concept_index
        for i, raw in enumerate(record.objects):
            try:
                told = read(raw)
                places.append(place(raw))
            except msgspec.ValidationError as error:
                raise _scene_error(error, domain).under(f"$.objects[{i}]") from None
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise SceneError(str(error), path=f"$.objects[{i}]") from None
            values.append(tuple([index[v] for v in msgspec.structs.astuple(told)]))
        told = record.relationships, record.directions, record.image_index, record.image_filename
        return cls(domain, values, places, *told)

    # --- what it offers -------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.places)

    def __repr__(self) -> str:
        name = f", index={self.index}" if self.index is not None else ""
        return f"Scene({self.domain.name!r}, {len(self)} objects{name})"

    def value(self, i: int, attribute: str) -> str:
        """Object i's value of an attribute."""
        return self.domain.concepts[self.values[self.domain.attribute_index[attribute]][i]]

    def describe(self, i: int) -> str:
        """Object i in words: `large red metal cube`."""
        return " ".join(self.domain.concepts[column[i]] for column in self.values)

    def relation(self, number: int) -> list[int]:
        """The rows of a relation: row i is the bit set of the objects j for which *j is relation of i*.

        Taken from the scene's relationships, or from those of the inverse, or computed: j is left of i when
        it lies more than the domain's `eps` further along the direction `left` (CLEVR: 0.2), or i further
        along that of the inverse.

        Raises:
            SceneError: the scene has neither relationships nor coordinates for it.
        """
        rows = self._relations.get(number)
        if rows is None:
            rows = self._relations[number] = self._relation_rows(self.domain.relations[number])
        return rows

    def _relation_rows(self, name: str) -> list[int]:
        if name in self._given:
            return self._given[name]
        inverse = self.domain.inverse(name)
        if inverse is not None and inverse in self._given:
            return converse(self._given[inverse])
        if not len(self):
            return []
        coords = [p.coords for p in self.places if p.coords is not None]
        if len(coords) == len(self):
            if (vector := self._direction(name)) is not None:
                return rows_along(coords, vector, self.domain.file.eps)
            if inverse is not None and (vector := self._direction(inverse)) is not None:
                return converse(rows_along(coords, vector, self.domain.file.eps))
        direction = self.domain.file.relations[name].direction
        need = f"3d_coords and directions.{direction}" if direction else "relationships (it has no direction)"
        raise SceneError(
            f"this scene says nothing of '{name}': it has no relationships.{name} and no {need}",
            path="$.relationships",
        )

    def _direction(self, relation: str) -> Vector | None:
        direction = self.domain.file.relations[relation].direction
        return self.directions.get(direction) if direction is not None else None

    def to_dict(self) -> dict[str, Any]:
        """The scene in the official layout, relationships included where they are known."""
        objects = []
        for i, place in enumerate(self.places):
            told: dict[str, Any] = {a: self.value(i, a) for a in self.domain.attributes}
            found = msgspec.to_builtins(place)
            told |= {k: list(v) if isinstance(v, tuple) else v for k, v in found.items() if v is not None}
            objects.append(told)
        relationships: dict[str, list[list[int]]] = {}
        for number, name in enumerate(self.domain.relations):
            try:
                relationships[name] = [list(members(row)) for row in self.relation(number)]
            except SceneError:
                continue
        out: dict[str, Any] = {"objects": objects, "relationships": relationships}
        if self.directions:
            out["directions"] = {k: list(v) for k, v in self.directions.items()}
        if self.index is not None:
            out["image_index"] = self.index
        if self.image is not None:
            out["image_filename"] = self.image
        return out


def _check_values(domain: Domain, values: Sequence[Sequence[int]]) -> None:
    """Each object has one value of each attribute, given as concept numbers in the attributes' order."""
    if not values:
        return
    ends = _ends(domain)
    width = len(ends)
    for i, row in enumerate(values):
        if len(row) != width:
            raise SceneError(f"{len(row)} values for {width} attributes", path=f"$.objects[{i}]")
    first = 0
    for attribute, stop, column in zip(domain.attributes, ends, zip(*values, strict=True), strict=True):
        if min(column) < first or max(column) >= stop:
            i, wrong = next((i, v) for i, v in enumerate(column) if not first <= v < stop)
            path = f"$.objects[{i}].{attribute}"
            raise SceneError(f"concept number {wrong} is not one of {first}..{stop - 1}", path=path)
        first = stop


@functools.lru_cache(maxsize=64)
def _ends(domain: Domain) -> list[int]:
    """For each attribute, the concept number behind its last value's."""
    return list(itertools.accumulate(len(domain.values(a)) for a in domain.attributes))


@functools.lru_cache(maxsize=64)
def _decoders(domain: Domain) -> tuple[Any, Any]:
    """Typed decoders for a domain: one for the scene, one for an object's values, one for its place.

    The struct of an object's values is made from the domain, so unknown and missing values are found at the
    decoder's speed and with its paths.
    """
    fields = [(f"a{i}", Literal[domain.values(a)]) for i, a in enumerate(domain.attributes)]
    rename = {f"a{i}": a for i, a in enumerate(domain.attributes)}
    struct = msgspec.defstruct("ObjectValues", fields, rename=rename)
    values = msgspec.json.Decoder(struct).decode
    place = msgspec.json.Decoder(ObjectPlace).decode
    return msgspec.json.Decoder(SceneRecord).decode, (values, place)


def _scene_error(error: msgspec.ValidationError, domain: Domain) -> SceneError:
    """msgspec's message and path as ours, with the nearest known value."""
    message, _, path = str(error).rpartition(" - at `")
    if not message:
        return SceneError(str(error))
    path = path.rstrip("`")
    wrong = re.match(r"Invalid enum value '(.*)'", message)
    if wrong:
        attribute = path.rpartition(".")[2]
        values = domain.values(attribute) if attribute in domain.attributes else domain.concepts
        message = f"no {attribute} '{wrong[1]}' in domain '{domain.name}'{did_you_mean(wrong[1], values)}"
    return SceneError(message, path=path)


def _with_keys(error: SceneError, data: bytes | str | msgspec.Raw) -> SceneError:
    """The error with the name of the relation or direction for which msgspec's path has `[...]`."""
    for field, row in (("relationships", list[list[int]]), ("directions", Vector)):
        prefix = f"$.{field}[...]"
        if not error.path.startswith(prefix):
            continue
        try:
            table = msgspec.json.decode(data, type=dict[str, msgspec.Raw])[field]
            rows = msgspec.json.decode(table, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return error  # the text breaks further on, which its reader had not reached
        for key, value in rows.items():
            try:
                msgspec.json.decode(value, type=row)
            except msgspec.ValidationError:
                return SceneError(error.reason, path=f"$.{field}.{key}{error.path.removeprefix(prefix)}")
    return error


def _not_finite(data: object, path: str = "$") -> str | None:
    """The path of the first number that JSON has no word for."""
    stack: list[tuple[object, str]] = [(data, path)]
    while stack:
        value, at = stack.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return at
        if isinstance(value, Mapping):
            stack.extend((v, f"{at}.{k}") for k, v in reversed(list(value.items())))
        elif isinstance(value, list | tuple):
            stack.extend((v, f"{at}[{i}]") for i, v in reversed(list(enumerate(value))))
    return None


def _lenient(data: bytes | str | msgspec.Raw, domain: Domain, error: Exception) -> Scene:
    """Python's own json writes NaN, which is not JSON: say where it stands instead of where the syntax
    broke."""
    import json

    try:
        loaded = json.loads(bytes(data) if isinstance(data, msgspec.Raw) else data)
    except (ValueError, RecursionError):
        raise SceneError(f"not valid JSON: {error}") from None
    return Scene.from_dict(loaded, domain)
