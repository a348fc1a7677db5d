"""One scene of a file, as it stands there: what must be right, what is only carried along, and what may be wrong.

The objects' values, their coordinates and the directions must be right: a scene is not read without them. What no op
needs (`pixel_coords`, `rotation`, `bbox`, `score`, `mask`) is kept as given where it is of another form than the one
known here. Relationships that do not fit the objects are remembered with their fault, for the programs that ask.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from ..dsl.domain import Domain
from ..dsl.domain_file import PLACE_KEYS
from ..errors import SceneError, did_you_mean, nearest
from ..io.json_numbers import as_whole
from .values import ObjectValues

Vector = tuple[float, float, float]
JsonText = bytes | str | msgspec.Raw
Rows = list[list[int]]


class SceneRecord(msgspec.Struct):
    """The official layout of one scene. Keys that are not named here are ignored."""

    objects: list[msgspec.Raw]
    image_index: int | None = None
    image_filename: str | None = None
    relationships: dict[str, Rows] | None = None
    directions: dict[str, Vector] | None = None


class _LooseRecord(msgspec.Struct):
    """The same where something is of another type than it should be."""

    objects: list[msgspec.Raw]
    image_index: Any = None
    image_filename: str | None = None
    relationships: msgspec.Raw = msgspec.Raw()
    directions: dict[str, Vector] | None = None


class ObjectPlace(msgspec.Struct):
    """Where an object is, and what a detector said of it; the values of its attributes are read beside.

    Attributes:
        coords: x, y, z in the world.
        pixel_coords: x, y in the image, from the upper left, and the depth.
        rotation: degrees about the vertical axis.
        bbox: left, top, right, bottom in pixels.
        score: 0 to 1.
        mask: in any form.
        other: what a file has of these keys in another form, as it is given there.
    """

    coords: Vector | None = msgspec.field(name="3d_coords", default=None)
    pixel_coords: tuple[float, ...] | None = None
    rotation: float | None = None
    bbox: tuple[float, float, float, float] | None = None
    score: float | None = None
    mask: Any = None
    other: dict[str, Any] | None = msgspec.field(name="(other)", default=None)


_CARRIED: dict[str, Any] = {
    "pixel_coords": tuple[float, ...],
    "rotation": float,
    "bbox": tuple[float, float, float, float],
    "score": float,
    "mask": Any,
}


class _Coords(msgspec.Struct):
    coords: Vector | None = msgspec.field(name="3d_coords", default=None)


class _Position(msgspec.Struct):
    position: Vector


_place = msgspec.json.Decoder(ObjectPlace).decode
_coords = msgspec.json.Decoder(_Coords).decode
_position = msgspec.json.Decoder(_Position).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

DECODING = (msgspec.DecodeError, UnicodeError, RecursionError)


def read_place(raw: msgspec.Raw) -> ObjectPlace:
    """Where an object is.

    Raises:
        msgspec.ValidationError: its 3d_coords are no three numbers.
    """
    try:
        place = _place(raw)
    except msgspec.ValidationError:
        place = _carried(raw)
    if place.pixel_coords is not None and len(place.pixel_coords) < 2:
        place.other = (place.other or {}) | {"pixel_coords": list(place.pixel_coords)}
        place.pixel_coords = None
    if place.score is not None and not 0.0 <= place.score <= 1.0:
        place.other = (place.other or {}) | {"score": place.score}
        place.score = None
    return place


def _carried(raw: msgspec.Raw) -> ObjectPlace:
    """An object's place whose optional values are not all of the form known here."""
    place, fields = ObjectPlace(_coords(raw).coords), _fields(raw)
    for key, kind in _CARRIED.items():
        if key in fields:
            try:
                setattr(place, key, msgspec.json.decode(fields[key], type=kind | None))
            except msgspec.ValidationError:
                place.other = (place.other or {}) | {key: msgspec.json.decode(fields[key])}
    return place


def read_positions(objects: list[msgspec.Raw]) -> list[Vector] | None:
    """What NS-VQA's scenes have in place of 3d_coords: how far right, in front and up each object stands."""
    try:
        return [_position(raw).position for raw in objects]
    except DECODING:
        return None


POSITION_AXES: dict[str, Vector] = {
    "right": (1.0, 0.0, 0.0),
    "left": (-1.0, 0.0, 0.0),
    "front": (0.0, 1.0, 0.0),
    "behind": (0.0, -1.0, 0.0),
}


def read_record(data: JsonText, domain: Domain) -> tuple[SceneRecord, dict[str, SceneError]]:
    """A scene's record, and by relation what is wrong with relationships that are of a wrong type.

    Raises:
        SceneError: what a scene needs is missing or of a wrong type.
        msgspec.DecodeError, UnicodeError, RecursionError: the text is not JSON.
    """
    try:
        return _record(data), {}
    except msgspec.ValidationError as error:
        wrong = error
    try:
        loose = _loose(data)
    except msgspec.ValidationError as error:
        raise _with_key(scene_error(error, domain), data) from None
    number = as_whole(loose.image_index)
    if number is None and loose.image_index is not None:
        shown = f"an image_index is a whole number, got {loose.image_index!r:.60}"
        raise SceneError(shown, path="$.image_index")
    rows: dict[str, Rows] | None = None
    faults: dict[str, SceneError] = {}
    if len(memoryview(loose.relationships)):
        rows, faults = _relationships(loose.relationships, domain)
    elif number == loose.image_index:
        raise scene_error(wrong, domain)
    return SceneRecord(loose.objects, number, loose.image_filename, rows, loose.directions), faults


_record = msgspec.json.Decoder(SceneRecord).decode
_loose = msgspec.json.Decoder(_LooseRecord).decode
_rows = msgspec.json.Decoder(Rows).decode


def _relationships(raw: msgspec.Raw, domain: Domain) -> tuple[dict[str, Rows] | None, dict[str, SceneError]]:
    """The relationships that can be read, and what is wrong with the others."""
    try:
        tables = msgspec.json.decode(raw, type=dict[str, msgspec.Raw] | None)
    except msgspec.ValidationError as error:
        return None, {name: SceneError(str(error), path="$.relationships") for name in domain.relations}
    rows: dict[str, Rows] = {}
    faults: dict[str, SceneError] = {}
    for name, table in (tables or {}).items():
        try:
            rows[name] = _rows(table)
        except msgspec.ValidationError as error:
            faults[name] = scene_error(error, domain).under(f"$.relationships.{name}")
    return rows, faults


@functools.lru_cache(maxsize=64)
def value_reader(domain: Domain) -> Callable[[msgspec.Raw], ObjectValues]:
    """The reader of an object's concept numbers, in the attributes' order: of an open attribute a list, else one.

    The reader raises msgspec.ValidationError where a value is unknown or missing, and SceneError where an open
    attribute is missing and the object has another key like it.
    """
    read, astuple = _value_decoder(domain), msgspec.structs.astuple
    index = domain.concept_index
    if not domain.open_attributes:
        return lambda raw: [index[value] for value in astuple(read(raw))]
    open_ = [number in domain.open_attributes for number in range(len(domain.attributes))]

    def read_open(raw: msgspec.Raw) -> ObjectValues:
        values = astuple(read(raw))
        if None in values:
            _check_missing(raw, domain, values)
        numbers: list[int | Sequence[int]] = []
        for several, value in zip(open_, values, strict=True):
            if value is None:
                numbers.append(())
            elif isinstance(value, str):
                numbers.append((index[value],) if several else index[value])
            else:
                numbers.append([index[one] for one in value])
        return numbers

    return read_open


@functools.lru_cache(maxsize=64)
def _value_decoder(domain: Domain) -> Callable[[msgspec.Raw], Any]:
    """The typed decoder of an object's values in a domain.

    Its struct is made from the domain, so unknown and missing values are found at the decoder's speed and with its
    paths. An open attribute takes one value or a list; in a closed domain it may be left out, and is None then.
    """
    fields: list[Any] = []
    for number, attribute in enumerate(domain.attributes):
        value: Any = Literal[domain.values(attribute)]
        if number not in domain.open_attributes:
            fields.append((f"a{number}", value))
        elif domain.file.closed:
            fields.append((f"a{number}", value | list[value] | None, None))
        else:
            fields.append((f"a{number}", value | list[value]))
    rename = {f"a{i}": a for i, a in enumerate(domain.attributes)}
    struct = msgspec.defstruct("ObjectValues", fields, rename=rename, kw_only=True)
    return msgspec.json.Decoder(struct).decode


def _check_missing(raw: msgspec.Raw, domain: Domain, values: tuple[Any, ...]) -> None:
    """Refuse an object that lacks an attribute and has a key that is nearly its name: absent would mean `none`."""
    for key in _fields(raw):
        if key in domain.attribute_index or key in PLACE_KEYS:
            continue
        missing = tuple([a for a, value in zip(domain.attributes, values, strict=True) if value is None])
        if near := _near(key, missing):
            raise SceneError(f"no attribute '{key}' in domain '{domain.name}'; did you mean '{near}'?", path=f"$.{key}")


@functools.lru_cache(maxsize=4096)
def _near(key: str, attributes: tuple[str, ...]) -> str | None:
    return next(iter(nearest(key, attributes)), None)


def scene_error(error: msgspec.ValidationError, domain: Domain) -> SceneError:
    """msgspec's message and path as ours, with the nearest known value."""
    message, _, path = str(error).rpartition(" - at `")
    if not message:
        return SceneError(str(error))
    path = path.rstrip("`")
    wrong = re.match(r"Invalid enum value '(.*)'", message)
    if wrong:
        attribute = path.rpartition(".")[2].partition("[")[0]
        values = domain.values(attribute) if attribute in domain.attributes else domain.concepts
        message = f"no {attribute} '{wrong[1]}' in domain '{domain.name}'{did_you_mean(wrong[1], values)}"
    return SceneError(message, path=path)


def _with_key(error: SceneError, data: JsonText) -> SceneError:
    """The error with the name of the direction for which msgspec's path has `[...]`."""
    prefix = "$.directions[...]"
    if not error.path.startswith(prefix):
        return error
    try:
        vectors = _fields(_fields(data)["directions"])
    except DECODING:
        return error  # the text breaks further on, which its reader had not reached
    for key, value in vectors.items():
        try:
            msgspec.json.decode(value, type=Vector)
        except msgspec.ValidationError:
            return SceneError(error.reason, path=f"$.directions.{key}{error.path.removeprefix(prefix)}")
    return error


def not_finite(data: object, path: str = "$") -> str | None:
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
